"""Calls outside that no campaign makes: callbacks, and those of agents' own phones. None goes out that the law's gate does not allow.

It holds where outbound calls are in the settings. What the database knows of the number is read (`ReadFacts`) just before the dial, and
judged as soon as it is told. An answer that does not come in time is no permission.
"""

from collections.abc import Mapping

from ccserver.core.commands import ReadFacts
from ccserver.core.dialer import gate
from ccserver.core.dialer.callerid import choose
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.dialer.verdict import ALLOWED, Refusal, Refused, Verdict
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, PromptId, TrunkId
from ccserver.core.records import DialKind, RefusedDialRecord
from ccserver.core.state import Awaited, CallbackRequest, Outstanding
from ccserver.core.step import Step

ANSWER_S = 2.0
"""Within this time the database tells what it knows, or nobody is called."""
OWN_CALL_RINGS_S = 120.0
"""As the dialplan lets it ring."""
NO_ANSWER = Refused(Refusal.UNAVAILABLE, None, "what is known of the number could not be read in time")
_WORDS: Mapping[Refusal, str] = {
    Refusal.UNAVAILABLE: "cc-law-unavailable",
    Refusal.STALE_FACTS: "cc-law-unavailable",
    Refusal.DO_NOT_CALL: "cc-law-do-not-call",
    Refusal.CAMPAIGN_DO_NOT_CALL: "cc-law-do-not-call",
    Refusal.PERSON_REFUSED: "cc-law-do-not-call",
    Refusal.REGISTER_LISTED: "cc-law-register",
    Refusal.CONSENT_MISSING: "cc-law-consent",
    Refusal.OUTSIDE_WINDOW: "cc-law-hours",
    Refusal.ABANDON_HOLD_OFF: "cc-law-too-often",
    Refusal.DAY_CAP: "cc-law-too-often",
    Refusal.MONTH_CAP: "cc-law-too-often",
    Refusal.LIFETIME_CAP: "cc-law-too-often",
    Refusal.CALLER_ID_CAP: "cc-law-too-often",
}


PERSONS_OWN = frozenset(
    {
        Refusal.DO_NOT_CALL,
        Refusal.CAMPAIGN_DO_NOT_CALL,
        Refusal.PERSON_REFUSED,
        Refusal.REQUEST_NOT_DATED,
        Refusal.NOT_E164,
        Refusal.LINE_TYPE,
        Refusal.BLOCKED_PREFIX,
    }
)
"""What neither time nor other settings mend: a request to be called back ends with it."""


def words(refused: Refused) -> PromptId:
    """What an agent hears whose call is refused."""
    return PromptId(_WORDS.get(refused.reason, "cc-law-rules"))


def own_call(step: Step, dialing: DialingSettings, number: str) -> FactSheet:
    """Of a call that an agent dials, as far as the center itself knows."""
    return _sheet(step, dialing, number, purpose=dialing.own_calls, shown=_shown(dialing, number), ring_s=OWN_CALL_RINGS_S)


def callback(step: Step, dialing: DialingSettings, request: CallbackRequest, did: str, ring_s: float) -> FactSheet:
    """Of a call that the customer asked for; they see the number that they had called, if it is one that may be shown."""
    return _sheet(
        step,
        dialing,
        request.number,
        purpose=Purpose.REQUESTED,
        shown=_shown(dialing, request.number, did),
        ring_s=ring_s,
        requested_utc_s=request.asked.utc_s,
    )


def _sheet(
    step: Step,
    dialing: DialingSettings,
    number: str,
    *,
    purpose: Purpose,
    shown: CallerIdFacts | None,
    ring_s: float,
    requested_utc_s: float | None = None,
) -> FactSheet:
    """An agent is there, and their hours are the queue's: no campaign's."""
    return FactSheet(
        number=number,
        line_type=LineType.UNKNOWN,
        region="",
        zones=(),
        zone_source=ZoneSource.NONE,
        purpose=purpose,
        mode=Mode.MANUAL,
        campaign=None,
        read_utc_s=step.now.utc_s,
        is_campaign_open=True,
        requested_utc_s=requested_utc_s,
        is_agent_reserved=True,
        ring_s=ring_s,
        caller_id=shown,
        trunk=TrunkId(step.settings.trunk) if step.settings.trunk else None,
    )


def _shown(dialing: DialingSettings, callee: str, first: str = "") -> CallerIdFacts | None:
    """The number that is shown: `first` if it is one of ours that may be, else the one that suits the callee."""
    ours, rules = dialing.caller_ids, dialing.rules
    own = choose(callee, (first,), ours, {}, rules).shown if first in ours else None
    return own or choose(callee, ours, ours, {}, rules).shown


def ask(step: Step, sheet: FactSheet, leg: LegId) -> CommandId:
    """Have the sheet filled in, for `leg`, which waits. FactsRead ends it."""
    command = step.emit(ReadFacts(number=sheet.number, sheet=sheet))
    step.outstanding.put(command, Outstanding(what=Awaited.FACTS, leg=leg, sent_s=step.now.mono_s, about=sheet.number))
    return command


def refused(
    step: Step,
    why: Refused,
    kind: DialKind,
    number: str,
    *,
    agent: AgentId | None,
    phone: PhoneId | None,
    interaction: InteractionId | None = None,
) -> None:
    """It goes on record."""
    step.store(
        RefusedDialRecord(
            kind=kind,
            number=number,
            reason=why.reason,
            says=why.says,
            until_utc_s=why.until_utc_s,
            agent=agent,
            phone=phone,
            interaction=interaction,
            at_utc_s=step.now.utc_s,
        )
    )


def judge(step: Step, sheet: FactSheet | None) -> Verdict:
    """Of a sheet that was filled in; None: it could not be."""
    dialing = step.settings.dialing
    if dialing is None:
        return ALLOWED  # the settings have changed meanwhile: nobody is to be asked any more
    return NO_ANSWER if sheet is None else gate.judge(sheet, dialing.rules, step.now.utc_s)

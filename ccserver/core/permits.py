"""Calls outside that no campaign makes: callbacks, and those of agents' own phones. None goes out that the law's gate does not allow.

It holds where outbound calls are in the settings. Just before the dial the attempt is put on record, with what the database knows of the
number (`StoreAttempt`), and is judged as soon as that is told. So it counts in every later look, whoever asks, and no number is called
twice at a time. An answer that does not come in time is no permission. Each attempt is settled once: with what came of it, as not placed if
nothing was dialled, as unknown where the daemon or the PBX was gone meanwhile.
"""

from collections.abc import Mapping

from ccserver.core.change import replace
from ccserver.core.commands import StoreAttempt
from ccserver.core.dialer import gate
from ccserver.core.dialer.callerid import choose
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.dialer.terms import LineType, Mode, Purpose, ZoneSource
from ccserver.core.dialer.verdict import ALLOWED, Refusal, Refused, Verdict
from ccserver.core.events import AttemptStored, DialEnd, StoreEnd
from ccserver.core.ids import AgentId, AttemptId, DispositionId, InteractionId, LegId, PhoneId, PromptId, TrunkId
from ccserver.core.records import AttemptOutcome, AttemptRecord, DialKind, RefusedDialRecord
from ccserver.core.state import Awaited, CallbackRequest, Outstanding, SoleAttempt
from ccserver.core.step import Step
from ccserver.core.trunking import NO_TRUNK

ANSWER_S = 2.0
"""Within this time the database tells what it knows, or nobody is called."""
AGAIN_S = 300.0
"""When it is asked again whether somebody of ours still calls the number."""
OWN_CALL_RINGS_S = 120.0
"""As the dialplan lets it ring."""
NO_ANSWER = Refused(Refusal.UNAVAILABLE, None, "what is known of the number could not be read in time")
BLOCKED, HOURS = PromptId("cc-law-do-not-call"), PromptId("cc-law-hours")
_WORDS: Mapping[Refusal, str] = {
    Refusal.UNAVAILABLE: "cc-law-unavailable",
    Refusal.STALE_FACTS: "cc-law-unavailable",
    Refusal.BEING_CALLED: "cc-law-being-called",
    Refusal.DO_NOT_CALL: BLOCKED,
    Refusal.CAMPAIGN_DO_NOT_CALL: BLOCKED,
    Refusal.PERSON_REFUSED: BLOCKED,
    Refusal.REGISTER_LISTED: "cc-law-register",
    Refusal.CONSENT_MISSING: "cc-law-consent",
    Refusal.OUTSIDE_WINDOW: HOURS,
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


def ask(step: Step, sheet: FactSheet, leg: LegId, attempt: AttemptId, by: str) -> SoleAttempt:
    """Have the attempt put on record and its sheet filled in, for `leg`, which waits. AttemptStored ends it."""
    shown = sheet.caller_id.number if sheet.caller_id is not None else ""
    command = step.emit(
        StoreAttempt(
            attempt=attempt,
            number=sheet.number,
            sheet=sheet,
            asked_by=by,
            caller_id=shown,
            trunk=sheet.trunk,
            campaign=None,
        )
    )
    step.outstanding.put(command, Outstanding(what=Awaited.ATTEMPT, leg=leg, sent_s=step.now.mono_s, about=sheet.number))
    return SoleAttempt(id=attempt, number=sheet.number, storing=command, trunk=sheet.trunk)


def asked(step: Step, attempt: SoleAttempt) -> SoleAttempt:
    """Nothing is waited for any more."""
    step.outstanding.drop(attempt.storing)
    return replace(attempt, storing=None)


def settle(
    step: Step,
    attempt: SoleAttempt,
    outcome: AttemptOutcome,
    *,
    agent: AgentId | None,
    cause: int | None = None,
    interaction: InteractionId | None = None,
    disposition: DispositionId | None = None,
    talk_s: float = 0.0,
) -> None:
    """It is over: the record that says so."""
    step.store(
        AttemptRecord(
            attempt=attempt.id,
            campaign=None,
            lead=None,
            number=attempt.number,
            outcome=outcome,
            ended_utc_s=step.now.utc_s,
            cause=cause,
            placed_utc_s=attempt.placed_utc_s,
            answered_utc_s=attempt.answered_utc_s,
            trunk=attempt.trunk,
            agent=agent,
            interaction=interaction,
            disposition=disposition,
            talk_s=talk_s,
        )
    )


def outcome_of(end: DialEnd, cause: int) -> AttemptOutcome:
    """What the dialplan tells of a call that it has dialled."""
    if end is DialEnd.UNAVAILABLE or end is DialEnd.CONGESTION:
        if cause in (1, 22, 28):
            return AttemptOutcome.NO_SUCH_NUMBER
        if cause == 21:
            return AttemptOutcome.REJECTED
        return AttemptOutcome.NOT_PLACED if cause == 0 or cause in NO_TRUNK else AttemptOutcome.CONGESTION
    return _OUTCOMES[end]


_OUTCOMES: Mapping[DialEnd, AttemptOutcome] = {
    DialEnd.ANSWERED: AttemptOutcome.ANSWERED,
    DialEnd.BUSY: AttemptOutcome.BUSY,
    DialEnd.NO_ANSWER: AttemptOutcome.NO_ANSWER,
    DialEnd.CANCELLED: AttemptOutcome.CANCELLED,
}


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


def judge(step: Step, event: AttemptStored) -> Verdict:
    """Of an attempt that was put on record, or was not."""
    dialing = step.settings.dialing
    if event.end is StoreEnd.REFUSED:
        return Refused(Refusal.BEING_CALLED, step.now.utc_s + AGAIN_S, event.why)
    if event.end is StoreEnd.FAILED or event.sheet is None:
        return NO_ANSWER
    if dialing is None:
        return ALLOWED  # the settings have changed meanwhile: nobody is to be asked any more
    return gate.judge(event.sheet, dialing.rules, step.now.utc_s)

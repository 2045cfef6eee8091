"""The truth of leads, of the calls to them, and of numbers that are not called: what a database would hold, kept apart from the core.

A lead is claimed with a token and for a time; a call is stored before it is dialled, one at a time to a number and to a lead, and settled
once. The sheets for the law's gate say what is true at the instant in which they are asked for.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.change import replace
from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.dialer.facts import AttemptsMade, Consent, FactSheet, Listing
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.terms import DAY_S, LineType, ZoneSource
from ccserver.core.ids import AgentId, AttemptId, CampaignId, LeadId
from ccserver.core.records import AttemptOutcome, AttemptRecord

HOLD_OFF_S = 8100.0
"""Leads whose phone may be ringing, since a daemon died that dialled them, are left alone for so long."""


class LeadState(Enum):
    READY = "ready"
    CLAIMED = "claimed"
    WAITING = "waiting"
    DONE = "done"


class CallState(Enum):
    STORED = "stored"
    UNKNOWN = "unknown"  # of a daemon that died, and nobody knew of it
    SETTLED = "settled"


@dataclass(slots=True, eq=False)
class Lead:
    id: LeadId
    list: str
    numbers: tuple[str, ...]
    region: str
    zone: str
    consent: Consent | None
    state: LeadState = LeadState.READY
    wake_utc_s: float | None = None
    """When it is ready again; of one that is claimed, when the claim lapses."""
    token: str = ""
    campaign: CampaignId | None = None
    is_hot: bool = False
    only: AgentId | None = None
    callback_utc_s: float | None = None
    tries: int = 0
    bad: set[str] = field(default_factory=set)
    """Those of its numbers that are nobody's, or somebody else's."""

    def free(self, state: LeadState, wake_utc_s: float | None = None) -> None:
        self.state, self.wake_utc_s, self.token, self.campaign = state, wake_utc_s, "", None


@dataclass(slots=True, eq=False)
class Call:
    """An attempt that is on record."""

    id: AttemptId
    lead: Lead | None
    number: str
    campaign: CampaignId | None
    stored_utc_s: float
    state: CallState = CallState.STORED
    is_told: bool = False
    """The center was told that it is stored."""
    outcome: AttemptOutcome | None = None
    ended_utc_s: float | None = None
    is_refusal: bool = False


class MayNotDial(Exception):
    """The attempt is not stored. The text says why."""


class LeadBook:
    """`problems` is what must not happen, whoever did it. `facts` fills in the sheet of a number on no list."""

    def __init__(self, facts: Callable[[FactSheet], FactSheet] = lambda sheet: sheet) -> None:
        self._facts = facts
        self.leads: dict[LeadId, Lead] = {}
        self.calls: dict[AttemptId, Call] = {}
        self.listed: dict[str, float] = {}
        """Who asked not to be called, and when."""
        self.problems: list[str] = []
        self._of_number: dict[str, list[Call]] = {}
        self._claims = 0

    def add(
        self,
        list_: str,
        numbers: tuple[str, ...],
        *,
        zone: str = "Europe/Madrid",
        region: str = "ES-MD",
        consent: Consent | None = None,
        is_hot: bool = False,
    ) -> Lead:
        lead = Lead(LeadId(len(self.leads) + 1), list_, numbers, region, zone, consent, is_hot=is_hot)
        self.leads[lead.id] = lead
        return lead

    def has_called(
        self, lead: Lead, number: str, campaign: CampaignId, at_utc_s: float, outcome: AttemptOutcome, *, by: str = "elsewhere"
    ) -> None:
        """A call that is over, of which the center of this run knows nothing."""
        call = Call(AttemptId(f"{by}-{len(self.calls)}"), lead, number, campaign, at_utc_s, CallState.SETTLED)
        call.outcome, call.ended_utc_s = outcome, at_utc_s
        self.calls[call.id] = call
        self._of_number.setdefault(number, []).append(call)

    def promise(self, lead: Lead, campaign: CampaignId, now_utc_s: float, at_utc_s: float, only: AgentId | None = None) -> None:
        """Somebody asked in a talk to be called then."""
        self.has_called(lead, lead.numbers[0], campaign, now_utc_s, AttemptOutcome.ANSWERED)
        lead.free(LeadState.WAITING, at_utc_s)
        lead.callback_utc_s, lead.only = at_utc_s, only

    def ask_not_to_call(self, number: str, at_utc_s: float) -> None:
        self.listed.setdefault(number, at_utc_s)

    def open_call(self, number: str) -> Call | None:
        """The one to this number of which nobody knows yet what became of it."""
        return next((call for call in self._of_number.get(number, ()) if call.state is not CallState.SETTLED), None)

    # --- orders ---------------------------------------------------------------------------------------------------------
    def claim(self, order: ClaimLeads, now_s: float) -> tuple[tuple[ClaimedLead, ...], int, float | None]:
        """The leads, how many are ready still, and when the next one is due."""
        here = [lead for lead in self.leads.values() if lead.list in order.lists]
        for lead in here:
            is_due = lead.wake_utc_s is not None and lead.wake_utc_s <= now_s
            if is_due and (lead.state is LeadState.WAITING or not self._is_called(lead)):
                lead.free(LeadState.READY)
        ready = [lead for lead in here if lead.state is LeadState.READY]
        ready.sort(key=lambda lead: (not lead.is_hot, lead.callback_utc_s is None, lead.tries, lead.id))
        taken, left = ready[: order.count], ready[order.count :]
        self._claims += 1
        for lead in taken:
            lead.state, lead.wake_utc_s = LeadState.CLAIMED, now_s + order.hold_s
            lead.token, lead.campaign = f"claim-{self._claims}", order.campaign
        due = [lead.wake_utc_s for lead in here if lead.state is LeadState.WAITING and lead.wake_utc_s is not None]
        return tuple(self._claimed(lead, order.sheet, now_s) for lead in taken), len(left), min(due, default=None)

    def _claimed(self, lead: Lead, blank: FactSheet, now_s: float) -> ClaimedLead:
        assert lead.wake_utc_s is not None
        outcomes: dict[str, int] = {}
        for call in self._calls_of(lead):
            if call.outcome is not None and call.campaign == blank.campaign:
                outcomes[call.outcome.value] = outcomes.get(call.outcome.value, 0) + 1
        return ClaimedLead(
            id=lead.id,
            token=lead.token,
            until_utc_s=lead.wake_utc_s,
            list=lead.list,
            name=f"Lead {lead.id}",
            sheets=tuple(self.sheet(blank, lead, number, now_s) for number in lead.numbers if number not in lead.bad),
            fields={"city": "Madrid"},
            outcomes=outcomes,
            only=lead.only,
            callback_utc_s=lead.callback_utc_s,
            is_hot=lead.is_hot,
        )

    def give_back(self, order: GiveBackLeads) -> None:
        for number, token in order.leads:
            lead = self.leads.get(number)
            if lead is None:
                continue  # an edge made it up
            if lead.state is LeadState.CLAIMED and lead.token == token and not self._is_called(lead):
                state = LeadState.DONE if order.is_over else LeadState.READY
                lead.free(state if order.until_utc_s is None else LeadState.WAITING, order.until_utc_s)

    def store(self, order: StoreAttempt, now_s: float) -> FactSheet:
        """The facts of just before it. Raises MayNotDial."""
        if order.campaign is None:
            return self._store_sole(order, now_s)
        lead = self.leads.get(order.lead) if order.lead is not None else None
        if lead is None or order.number not in lead.numbers or order.number in lead.bad:
            raise MayNotDial(f"{order.number} is no number of lead {order.lead}")
        known = self.calls.get(order.attempt)
        if known is not None and known.state is not CallState.STORED:
            raise MayNotDial("this very attempt was stored before, and is over")
        sheet = self.sheet(order.sheet, lead, order.number, now_s, but=order.attempt)
        if known is None:
            self._require(order, lead, now_s)
            self._keep(Call(order.attempt, lead, order.number, order.campaign, now_s))
            lead.tries += 1
        return sheet

    def _store_sole(self, order: StoreAttempt, now_s: float) -> FactSheet:
        """Of a call that no campaign makes."""
        if order.attempt in self.calls:
            raise MayNotDial("this very attempt was stored before")
        if self.open_call(order.number) is not None:
            raise MayNotDial(f"{order.number} is being dialled already")
        sheet = replace(
            self._facts(replace(order.sheet, read_utc_s=now_s)),
            attempts=self._made(order.number, None, now_s, but=order.attempt),
        )
        self._keep(Call(order.attempt, None, order.number, None, now_s))
        return sheet

    def _keep(self, call: Call) -> None:
        self.calls[call.id] = call
        self._of_number.setdefault(call.number, []).append(call)

    def _require(self, order: StoreAttempt, lead: Lead, now_s: float) -> None:
        if self.open_call(order.number) is not None or self._is_called(lead):
            raise MayNotDial(f"{order.number} or lead {lead.id} is being dialled already")
        is_mine = lead.state is LeadState.CLAIMED and lead.token == order.token
        if not is_mine or lead.wake_utc_s is None or lead.wake_utc_s <= now_s:
            raise MayNotDial(f"lead {lead.id} is not claimed any more by who wants to dial it")

    def settle(self, told: AttemptRecord) -> None:
        """It is over. Of one that was never stored only the lead is given back, as it was."""
        call = self.calls.get(told.attempt)
        if call is None:
            self._give_up_unstored(told)
            return
        if call.state is CallState.SETTLED:
            # Who gives up waiting for the database says so, and again when it was stored all the same: that is one end.
            if told.outcome is not AttemptOutcome.NOT_PLACED:
                self.problems.append(f"attempt {told.attempt} was settled twice")
            return
        lead = call.lead
        call.state, call.outcome, call.ended_utc_s = CallState.SETTLED, told.outcome, told.ended_utc_s
        call.is_refusal = told.is_refusal
        if lead is None:
            return
        if told.outcome is AttemptOutcome.NOT_PLACED:
            lead.tries -= 1
        if told.outcome is AttemptOutcome.NO_SUCH_NUMBER or told.is_number_wrong:
            lead.bad.add(call.number)
        again_s = told.again_utc_s if any(number not in lead.bad for number in lead.numbers) else None
        lead.free(LeadState.DONE if again_s is None else LeadState.WAITING, again_s)
        if again_s is not None and (told.is_callback or told.only is not None):
            lead.callback_utc_s, lead.only = again_s, told.only
        elif told.outcome is not AttemptOutcome.NOT_PLACED:
            lead.callback_utc_s, lead.only, lead.is_hot = None, None, False

    def _give_up_unstored(self, told: AttemptRecord) -> None:
        if told.campaign is None and told.lead is None:
            if told.outcome is not AttemptOutcome.NOT_PLACED:
                # The dialplan dialled without us, who were asked.
                self._keep(
                    Call(
                        told.attempt,
                        None,
                        told.number,
                        None,
                        told.ended_utc_s,
                        state=CallState.SETTLED,
                        outcome=told.outcome,
                        ended_utc_s=told.ended_utc_s,
                    )
                )
            return
        if told.outcome is not AttemptOutcome.NOT_PLACED:
            self.problems.append(f"attempt {told.attempt} ended as {told.outcome.value}, and was never stored")
        lead = self.leads.get(told.lead) if told.lead is not None else None
        if (
            lead is not None
            and lead.state is LeadState.CLAIMED
            and lead.campaign == told.campaign
            and not self._is_called(lead)
        ):
            lead.free(LeadState.DONE if told.again_utc_s is None else LeadState.WAITING, told.again_utc_s)

    def take_over(self, attempts: Collection[AttemptId], leads: Collection[LeadId], now_s: float) -> None:
        """A daemon starts that knows of these attempts, and of these leads as claimed."""
        for call in self.calls.values():
            if call.state is CallState.STORED and call.id not in attempts:
                call.state = CallState.UNKNOWN
                if call.lead is not None:
                    call.lead.free(LeadState.WAITING, now_s + HOLD_OFF_S)
        for lead in self.leads.values():
            if lead.state is LeadState.CLAIMED and lead.id not in leads and not self._is_called(lead):
                lead.free(LeadState.READY)

    # --- facts ----------------------------------------------------------------------------------------------------------
    def _calls_of(self, lead: Lead) -> Iterator[Call]:
        return (call for number in lead.numbers for call in self._of_number.get(number, ()) if call.lead is lead)

    def _is_called(self, lead: Lead) -> bool:
        return any(call.state is not CallState.SETTLED for call in self._calls_of(lead))

    def sheet(self, blank: FactSheet, lead: Lead, number: str, now_s: float, *, but: str = "") -> FactSheet:
        """What is true of the number, attempt `but` not counted."""
        past = self._past(number, but)
        of_lead = [call for call in self._calls_of(lead) if call.id != but and is_attempt(call)]
        ended = [(call, call.ended_utc_s) for call in past if call.ended_utc_s is not None]
        made = replace(
            self._made(number, blank.campaign, now_s, but=but),
            campaign=sum(call.campaign == blank.campaign for call in of_lead),
        )
        listed_s = self.listed.get(number)
        return replace(
            blank,
            number=number,
            line_type=LineType.FIXED,
            region=lead.region,
            zones=(lead.zone,),
            zone_source=ZoneSource.NUMBER,
            read_utc_s=now_s,
            consent=lead.consent,
            listings=(Listing(campaign=None, at_utc_s=listed_s),) if listed_s is not None else (),
            attempts=made,
            last_refusal_utc_s=max((at_s for call, at_s in ended if call.is_refusal), default=None),
            last_abandon_utc_s=max((at_s for call, at_s in ended if call.outcome is AttemptOutcome.ABANDONED), default=None),
            last_talk_utc_s=max(
                (call.stored_utc_s for call, _ in ended if call.outcome is AttemptOutcome.ANSWERED), default=None
            ),
        )

    def _past(self, number: str, but: str) -> list[Call]:
        return [call for call in self._of_number.get(number, ()) if call.id != but and is_attempt(call)]

    def _made(self, number: str, campaign: CampaignId | None, now_s: float, *, but: str) -> AttemptsMade:
        past = self._past(number, but)
        return AttemptsMade(
            day=sum(call.stored_utc_s > now_s - DAY_S for call in past),
            month=len(past),
            number=sum(campaign is not None and call.campaign == campaign for call in past),
            lifetime=len(past),
            last_utc_s=max((call.stored_utc_s for call in past), default=None),
        )


def is_attempt(call: Call) -> bool:
    """Whether it counts: something may have been dialled."""
    return call.outcome is not AttemptOutcome.NOT_PLACED

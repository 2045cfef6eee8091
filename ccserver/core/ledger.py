"""What is told of interactions while they go on: segments, visits, offers, and the whole story at the end.

Each fact is told once, when it is over; nothing here decides what happens next.
"""

from ccserver.core import expected_wait, permits, stats
from ccserver.core.change import replace
from ccserver.core.facts import OutboundOver
from ccserver.core.ids import AgentId, InteractionId, PhoneId, QueueId
from ccserver.core.moment import Moment
from ccserver.core.records import (
    AttemptOutcome,
    Attestation,
    CallbackOutcome,
    CallbackRecord,
    EndedBy,
    FlowEnd,
    FlowRecord,
    FlowStep,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    SegmentKind,
    SegmentRecord,
    StepHow,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.state import (
    HAVE_TIME,
    MESSAGE,
    AfterKind,
    DeadlineKind,
    Interaction,
    Offer,
    Outbound,
    QueueCounters,
    SoleAttempt,
    Talk,
)
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState

OUTCOME_OF_VISIT = {
    VisitOutcome.ANSWERED: Outcome.ANSWERED,
    VisitOutcome.ABANDONED: Outcome.ABANDONED,
    VisitOutcome.SHORT_ABANDONED: Outcome.ABANDONED,
    VisitOutcome.OVERFLOWED: Outcome.OVERFLOWED,
    VisitOutcome.REFUSED_FULL: Outcome.REFUSED,
    VisitOutcome.REFUSED_CLOSED: Outcome.REFUSED,
    VisitOutcome.REFUSED_UNSTAFFED: Outcome.REFUSED,
    VisitOutcome.CALLED_BACK: Outcome.CALLED_BACK,
    VisitOutcome.LEFT_MESSAGE: Outcome.LEFT_MESSAGE,
    VisitOutcome.TRANSFERRED_OUT: Outcome.OVERFLOWED,
    VisitOutcome.LOST: Outcome.LOST,
}
GAVE_UP = (VisitOutcome.ABANDONED, VisitOutcome.SHORT_ABANDONED)
VISIT_DEADLINES = (
    DeadlineKind.MAX_WAIT,
    DeadlineKind.STAGE,
    DeadlineKind.PREFERRED,
    DeadlineKind.RING_MORE,
    DeadlineKind.OVERFLOW,
)
"""Those that end with the stay in the queue."""


class Ledger:
    """Keeps the records of interactions, and tells history of them."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def put(self, interaction: Interaction) -> Interaction:
        self.step.put_interaction(interaction)
        return interaction

    def left_to_do(self, call: Interaction, kind: str) -> Interaction:
        """What a call leaves to be done for the same customer: it waits on no line, for whoever the call was for."""
        now = self.step.now
        return Interaction(
            id=self.step.next_number(),
            kind=kind,
            state=InteractionState.WAITING,
            leg=None,
            did=call.did,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            language=call.language,
            version=call.version,
            arrived=now,
            menu_since=now,
            needs=call.needs,
            requires=call.requires,
            priority=call.priority,
            owner=call.owner,
            is_vip=call.is_vip,
            attestation=call.attestation,
            parent=call.id,
            data=call.data,
            is_answered=True,
        )

    def notice(
        self,
        interaction: Interaction,
        kind: NoticeKind,
        *,
        agent: AgentId | None = None,
        phone: PhoneId | None = None,
        **data: str,
    ) -> Interaction:
        """Tell those who follow the calls as they happen. `data` comes beside what is known of the customer."""
        step = self.step
        step.store(
            NoticeRecord(
                interaction=interaction.id,
                number=interaction.notices,
                kind=kind,
                at_utc_s=step.now.utc_s,
                caller_number=interaction.caller_number,
                caller_name=interaction.caller_name,
                did=interaction.did,
                language=interaction.language,
                queue=interaction.queue,
                agent=agent,
                phone=phone,
                data={**interaction.data, **_of_message(interaction), **_attested(interaction), **data},
            )
        )
        return self.put(replace(interaction, notices=interaction.notices + 1))

    def ended(self, interaction: Interaction) -> Interaction:
        """The customer is gone: told once, when it is so."""
        self._callback_over(interaction)
        outcome = interaction.outcome or Outcome.LOST
        by = interaction.ended_by or EndedBy.SYSTEM
        return self.notice(interaction, NoticeKind.ENDED, agent=interaction.agent, outcome=outcome.value, ended_by=by.value)

    def _callback_over(self, interaction: Interaction) -> None:
        request = interaction.callback
        if request is not None and interaction.queue is not None:
            has_talked = CallbackOutcome.DONE if interaction.agent is not None else CallbackOutcome.GIVEN_UP
            self.step.store(
                CallbackRecord(
                    interaction=interaction.id,
                    call=request.call,
                    queue=interaction.queue,
                    number=request.number,
                    confirmed_by=request.confirmed_by,
                    asked_utc_s=request.asked.utc_s,
                    tries=request.tries,
                    outcome=request.outcome or has_talked,
                    ended_utc_s=self.step.now.utc_s,
                )
            )

    def menu_segment(self, interaction: Interaction, end: FlowEnd) -> Interaction:
        """The passage through the flows is over: told as a segment, and node by node."""
        where = f"{interaction.flow}/{interaction.node}" if interaction.flow else ""
        self.segment(interaction, SegmentKind.MENU, interaction.menu_since, detail=where)
        return self.passage_over(self.step.interactions[interaction.id], end)

    def passage_over(self, interaction: Interaction, end: FlowEnd) -> Interaction:
        """Told node by node; of a caller who is in no flow, nothing."""
        if interaction.flow is None or interaction.node is None:
            return interaction
        last = FlowStep(interaction.flow, interaction.node, StepHow.PASSED, interaction.tries)
        self.step.store(
            FlowRecord(
                interaction=interaction.id,
                number=interaction.passages,
                version=interaction.version,
                started_utc_s=interaction.menu_since.utc_s,
                duration_s=self.step.now.mono_s - interaction.menu_since.mono_s,
                end=end,
                steps=(*interaction.path, last),
            )
        )
        return self.put(replace(interaction, passages=interaction.passages + 1, path=()))

    def segment(
        self,
        interaction: Interaction,
        kind: SegmentKind,
        since: Moment,
        *,
        queue: QueueId | None = None,
        agent: AgentId | None = None,
        detail: str = "",
    ) -> None:
        step = self.step
        step.store(
            SegmentRecord(
                interaction=interaction.id,
                number=interaction.segments,
                kind=kind,
                started_utc_s=since.utc_s,
                duration_s=step.now.mono_s - since.mono_s,
                queue=queue,
                agent=agent,
                detail=detail,
            )
        )
        self.put(replace(interaction, segments=interaction.segments + 1))

    def hold_segment(self, interaction: Interaction, talk: Talk) -> None:
        if talk.held_since is not None:
            self.segment(interaction, SegmentKind.HOLD, talk.held_since, queue=talk.queue, agent=talk.agent)

    def store_offer(self, interaction: Interaction, offer: Offer, outcome: OfferOutcome) -> None:
        step = self.step
        step.store(
            OfferRecord(
                interaction=interaction.id,
                number=offer.number,
                queue=offer.queue,
                agent=offer.agent,
                phone=offer.phone,
                leg=offer.leg,
                offered_utc_s=offer.since.utc_s,
                ring_s=step.now.mono_s - offer.since.mono_s,
                outcome=outcome,
                why=offer.why,
            )
        )
        self.segment(interaction, SegmentKind.RING, offer.since, queue=offer.queue, agent=offer.agent, detail=outcome.value)

    def end_visit(self, interaction: Interaction, outcome: VisitOutcome, agent: AgentId | None = None) -> Interaction:
        step, now, visit = self.step, self.step.now, interaction.visit
        if visit is None:
            return interaction
        if interaction.outbound is not None and not interaction.outbound.is_reached:
            # Nobody has waited there: an agent was looked for, to call somebody.
            for kind in VISIT_DEADLINES:
                step.deadlines.clear(kind, interaction.id)
            return self.put(replace(interaction, visit=None))
        config = step.queue_settings(visit.queue, interaction)
        wait_s = now.mono_s - visit.entered.mono_s
        is_within = outcome is VisitOutcome.ANSWERED and now.mono_s - visit.waiting_since_s <= config.service_level_s
        counters = step.queues.get(visit.queue) or QueueCounters()
        counters = stats.ended(counters, outcome, wait_s, is_within=is_within, at_utc_s=now.utc_s, agent=agent)
        if interaction.kind == MESSAGE:
            counters = replace(counters, messages=counters.messages - 1)
        if interaction.kind not in HAVE_TIME:
            counters = expected_wait.waited(counters, wait_s, gave_up=outcome in GAVE_UP)
        step.put_queue(visit.queue, counters)
        step.store(
            VisitRecord(
                interaction=interaction.id,
                number=visit.number,
                queue=visit.queue,
                entered_utc_s=visit.entered.utc_s,
                wait_s=wait_s,
                outcome=outcome,
                is_within_service_level=is_within,
                agent=agent,
                announced_wait_s=visit.announced_wait_s,
            )
        )
        self.segment(interaction, SegmentKind.WAIT, visit.entered, queue=visit.queue, detail=outcome.value)
        for kind in VISIT_DEADLINES:
            step.deadlines.clear(kind, interaction.id)
        interaction = step.interactions[interaction.id]
        return self.put(replace(interaction, visit=None, wait_s=interaction.wait_s + wait_s, outcome=OUTCOME_OF_VISIT[outcome]))

    def close_if_over(self, interaction_id: InteractionId) -> None:
        """Tell the whole story once nobody works on it any more."""
        step, interaction = self.step, self.step.interactions[interaction_id]
        if interaction.state is not InteractionState.GONE or interaction.offers or interaction.wrapping:
            return
        ended = interaction.ended or step.now
        step.store(
            InteractionRecord(
                interaction=interaction.id,
                kind=interaction.kind,
                leg=interaction.leg,
                did=interaction.did,
                caller_number=interaction.caller_number,
                caller_name=interaction.caller_name,
                language=interaction.language,
                queue=interaction.queue,
                agent=interaction.agent,
                outcome=interaction.outcome or Outcome.LOST,
                ended_by=interaction.ended_by or EndedBy.SYSTEM,
                disposition=interaction.disposition,
                arrived_utc_s=interaction.arrived.utc_s,
                ended_utc_s=ended.utc_s,
                wait_s=interaction.wait_s,
                talk_s=interaction.talk_s,
                parent=interaction.parent,
            )
        )
        if interaction.outbound is not None:
            step.tell(_outbound_over(interaction, interaction.outbound, ended))
        if interaction.callback is not None and interaction.callback.attempt is not None:
            self._settle(interaction, interaction.callback.attempt)
        step.interactions.drop(interaction_id)
        step.touched_interactions[interaction_id] = None
        for kind in (DeadlineKind.RING_GUARD, DeadlineKind.RING_MORE, DeadlineKind.JOIN):
            step.deadlines.clear(kind, interaction_id)

    def _settle(self, interaction: Interaction, attempt: SoleAttempt) -> None:
        """The customer was called back, and has answered; after a fault, perhaps not."""
        outcome = AttemptOutcome.ANSWERED if interaction.outcome is Outcome.ANSWERED else AttemptOutcome.ABANDONED
        if attempt.answered_utc_s is None:
            outcome = AttemptOutcome.NOT_PLACED if attempt.placed_utc_s is None else AttemptOutcome.UNKNOWN
        permits.settle(
            self.step,
            attempt,
            outcome,
            agent=interaction.agent,
            interaction=interaction.id,
            disposition=interaction.disposition,
            talk_s=interaction.talk_s,
        )


def _outbound_over(interaction: Interaction, outbound: Outbound, ended: Moment) -> OutboundOver:
    return OutboundOver(
        interaction=interaction.id,
        attempt=outbound.attempt,
        number=interaction.caller_number or "",
        agent=interaction.agent,
        disposition=interaction.disposition,
        talk_s=interaction.talk_s,
        ended_s=ended.mono_s,
        callback_utc_s=outbound.callback_utc_s,
        is_own=outbound.is_own_callback,
    )


def _attested(interaction: Interaction) -> dict[str, str]:
    """What the carrier says of the number, where it says something."""
    return {} if interaction.attestation is Attestation.NONE else {"attestation": interaction.attestation.value}


def _of_message(interaction: Interaction) -> dict[str, str]:
    """What is told of a message beside its caller's data."""
    left = interaction.message
    return {} if left is None else {"kind": MESSAGE, "path": left.path, "length_s": f"{left.duration_s:.1f}"}


def left_by(interaction: Interaction, *, is_lost: bool = False, is_release: bool = False) -> FlowEnd:
    """How the passage of an interaction ends whose call ends in the flow; `is_release`: the flow ends it."""
    if is_lost or interaction.outcome is Outcome.LOST:
        return FlowEnd.LOST
    if interaction.outcome in (Outcome.LEFT_MESSAGE, Outcome.OVERFLOWED, Outcome.CONFERENCE):
        return FlowEnd.TO_PEOPLE
    if interaction.is_served:
        return FlowEnd.SERVED
    has_heard_the_end = interaction.after is not None and interaction.after.kind is AfterKind.LEAVE
    return FlowEnd.ENDED if is_release or has_heard_the_end else FlowEnd.GAVE_UP

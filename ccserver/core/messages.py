"""Messages that callers have left: each waits in its queue for an agent, who hears it on the phone.

A message is an interaction of kind `message`, a child of the call in which it was left. It never has a customer's leg, and waits however
long it takes; no door of the queue refuses it. It is offered while the hours of its queue are open, if it has hours: outside them it rests,
and who was left in the night begins to wait when the queue opens, beside the callers of the morning. One that was left instead of a direct
call is for that agent alone.

An agent is rung as for a call; what they hear is the business of `hearing`. They have *taken* it after three seconds, with a key, or when
it was heard to its end, whichever comes first; who hangs up before has not, and the next agent is rung. From there on it is a talk like any
other: it ends when the agent is done, hangs up, or by the queue's longest talk, and the wrap-up follows.

Nothing loses a message. A line that breaks, or a fault, puts it before all others in its queue. Only a supervisor ends it unheard, and the
third fault: the record of the message and its file stay.
"""

from ccserver.core.callers import LEAVE_S
from ccserver.core.change import replace
from ccserver.core.facts import AgentLegOver
from ccserver.core.ids import LegId
from ccserver.core.opening import Opening
from ccserver.core.queueing import Queueing
from ccserver.core.records import EndedBy, OfferOutcome, Outcome, VisitOutcome
from ccserver.core.state import (
    AGENT_DEADLINES,
    MESSAGE,
    QUEUE_DEADLINES,
    DeadlineKind,
    Interaction,
    LeftMessage,
    Leg,
    Message,
)
from ccserver.core.step import Step
from ccserver.core.talks import NORMAL_CAUSES, Talks
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

TAKEN_S = 3.0
FAULTS_MAX = 3
LOOK_AGAIN_S = 900.0
"""How often the hours of a queue are looked at at least: the clock may be put back."""


class Messages:
    """Each message, from when it was left."""

    def __init__(self, step: Step, talks: Talks, queueing: Queueing) -> None:
        self.step = step
        self.ledger = talks.ledger
        self.offers = talks.offers
        self.talks = talks
        self.queueing = queueing
        self.opening = Opening(step)

    # --- it waits -----------------------------------------------------------------------------------------------------
    def left(self, message: Message, duration_s: float) -> None:
        """A caller has left it. For a queue that was removed meanwhile there is nobody: the record and the file are what is left."""
        step, call, queue = self.step, message.left_by, message.queue
        if call is None or queue is None:
            return
        version = call.version if call.version in step.versions else step.settings.content_hash
        if queue not in step.settings.queues and queue not in step.versions[version].queues:
            return
        kept = LeftMessage(path=message.path, duration_s=duration_s, left=step.now, only=message.only)
        interaction = replace(self.ledger.left_to_do(call, MESSAGE), version=version, message=kept)
        self.queueing.enqueue(self.ledger.put(interaction), queue, only=message.only)
        self.look(step.interactions[interaction.id])

    def look(self, interaction: Interaction) -> None:
        """Whether it may be offered, by the hours of its queue; and see to it that this is asked again."""
        step, message, queue = self.step, interaction.message, interaction.queue
        if message is None or queue is None or interaction.state is InteractionState.GONE:
            return
        config = step.queue_settings(queue, interaction)
        is_resting = not self.opening.is_open(config.hours, interaction)
        visit = interaction.visit
        if visit is not None and message.is_resting and not is_resting and visit.rank > 0:
            visit = replace(visit, waiting_since_s=step.now.mono_s)
        interaction = self.ledger.put(replace(interaction, visit=visit, message=replace(message, is_resting=is_resting)))
        if config.hours is None:
            step.deadlines.clear(DeadlineKind.MESSAGE, interaction.id)
            return
        change_utc_s = self.opening.next_change(config.hours, step.now.utc_s, interaction)
        after_s = LOOK_AGAIN_S if change_utc_s is None else min(LOOK_AGAIN_S, change_utc_s - step.now.utc_s)
        step.deadlines.set(DeadlineKind.MESSAGE, interaction.id, step.now.mono_s + after_s)

    def look_at_all(self) -> None:
        """After new settings, and when hours were closed or opened by hand."""
        for interaction in self.step.interactions.values():
            self.look(interaction)

    # --- it is taken, or not ------------------------------------------------------------------------------------------
    def listens(self, interaction: Interaction, leg: LegId) -> Interaction:
        """An agent has answered, and begins to hear it. Nobody else needs to."""
        step = self.step
        assert interaction.message is not None
        step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        if interaction.listener() is None:
            step.deadlines.set(DeadlineKind.TAKEN, interaction.id, step.now.mono_s + TAKEN_S)
        self.ledger.put(replace(interaction, message=replace(interaction.message, listener=leg)))
        for other in interaction.offers:
            if other.leg != leg:
                self.offers.withdraw(interaction.id, other, OfferOutcome.CANCELLED)
        self.offers.set_guard(step.interactions[interaction.id])
        return step.interactions[interaction.id]

    def heard_enough(self, interaction: Interaction) -> None:
        """The agent has listened for a while."""
        self.taken(interaction)

    def taken(self, interaction: Interaction) -> Interaction:
        """The agent has it from now on; until then it was an offer."""
        self.step.deadlines.clear(DeadlineKind.TAKEN, interaction.id)
        offer = interaction.offer_on(listener) if (listener := interaction.listener()) is not None else None
        if offer is not None and offer.ends_as is None and interaction.state is InteractionState.OFFERED:
            self.talks.begins(interaction, offer)
        return self.step.interactions[interaction.id]

    def offer_over(self, interaction: Interaction) -> None:
        """An offer ended without a talk: perhaps the one whose agent listened."""
        listener = interaction.listener()
        if interaction.message is not None and listener is not None and interaction.offer_on(listener) is None:
            talk = interaction.talk
            if talk is None or talk.leg != listener:
                self._nobody_listens(interaction)

    def _nobody_listens(self, interaction: Interaction) -> Interaction:
        assert interaction.message is not None
        self.step.deadlines.clear(DeadlineKind.TAKEN, interaction.id)
        return self.ledger.put(replace(interaction, message=replace(interaction.message, listener=None, comes_back=False)))

    # --- the end ------------------------------------------------------------------------------------------------------
    def leg_over(self, leg: Leg, cause: int, by: EndedBy | None) -> bool:
        """The leg of an agent who had taken it has ended. False: it was none."""
        interaction = self._taken_on(leg)
        if interaction is None or interaction.talk is None:
            return False
        self.step.tell(AgentLegOver(interaction.talk.agent, interaction.id, leg.id))
        is_lost = by in (EndedBy.AGENT_LOST, EndedBy.PBX) or (by is None and cause not in NORMAL_CAUSES)
        if (is_lost and not leg.is_cancelled) or _comes_back(interaction):
            self._waits_anew(interaction)
        else:
            self.over(interaction, EndedBy.SYSTEM if leg.is_cancelled else EndedBy.AGENT)
        return True

    def left_desk(self, leg: Leg) -> bool:
        """A headset's line is parked again, and nobody sent it. False: no message was heard on it."""
        interaction = self._taken_on(leg)
        if interaction is None:
            return False
        if _comes_back(interaction):
            self._waits_anew(interaction)
        else:
            self.over(interaction, EndedBy.AGENT)
        return True

    def too_long(self, interaction: Interaction) -> None:
        """Longer than the queue's `max_talk_s`; or, after a fault, the line did not go where it was sent."""
        if _comes_back(interaction):
            self.step.hang_up(interaction.talk.leg if interaction.talk is not None else None)
        else:
            self.over(interaction, EndedBy.SYSTEM)

    def cancel(self, interaction: Interaction) -> None:
        """Nobody is to hear it any more, by request."""
        self.over(interaction, EndedBy.SYSTEM)

    def _waits_anew(self, interaction: Interaction) -> None:
        """The line broke while the agent listened: it is the first in its queue."""
        talk = interaction.talk
        assert talk is not None
        self.step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        interaction = self.talks.part_over(interaction, talk, EndedBy.AGENT_LOST)
        interaction = self._nobody_listens(interaction)
        state = advance(INTERACTION, interaction.state, InteractionStep.TALK_OVER)
        since_s = self.step.now.mono_s - interaction.wait_s
        interaction = self.ledger.put(replace(interaction, state=state, hops=0))
        only = interaction.message.only if interaction.message is not None else None
        self.queueing.enqueue(interaction, talk.queue, rank=0, waiting_since_s=since_s, only=only)
        self.look(self.step.interactions[interaction.id])

    def over(self, interaction: Interaction, by: EndedBy) -> None:
        """It was heard, or is not to be. What is left of it are phones that have not stopped ringing, and a wrap-up."""
        step, ledger = self.step, self.ledger
        if interaction.state is InteractionState.GONE:
            return
        for kind in (DeadlineKind.MESSAGE, DeadlineKind.TAKEN, DeadlineKind.MAX_TALK):
            step.deadlines.clear(kind, interaction.id)
        if interaction.visit is not None:
            interaction = ledger.end_visit(interaction, VisitOutcome.ABANDONED)
        if interaction.talk is not None:
            interaction = self.talks.part_over(interaction, interaction.talk, by)
        state = advance(INTERACTION, interaction.state, InteractionStep.LEG_ENDED)
        outcome = interaction.outcome or Outcome.LOST
        interaction = ledger.put(replace(interaction, state=state, outcome=outcome, ended=step.now, ended_by=by))
        interaction = ledger.ended(interaction)
        self.offers.withdraw_all(interaction)
        if interaction.id in step.interactions:
            ledger.close_if_over(interaction.id)

    def to_safety(self, interaction: Interaction) -> None:
        """A step about it raised: it waits anew, before all others, as soon as no agent's leg has to do with it any more; the third time
        it is over. Nothing here may raise."""
        step, queue, talk, left = self.step, interaction.queue, interaction.talk, interaction.message
        for kind in DeadlineKind:
            if kind not in AGENT_DEADLINES + QUEUE_DEADLINES:
                step.deadlines.clear(kind, interaction.id)
        if talk is not None:
            step.let_go(talk.leg)
        if talk is not None and talk.leg in step.legs and left is not None and interaction.faults + 1 < FAULTS_MAX:
            self.ledger.put(replace(interaction, faults=interaction.faults + 1, message=replace(left, comes_back=True)))
            step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + LEAVE_S)
            self.look(step.interactions[interaction.id])
            return
        alive = tuple(kept for offer in interaction.offers if (kept := self.offers.to_safety(offer)) is not None)
        only = interaction.message.only if interaction.message is not None else None
        if interaction.visit is not None:
            interaction = self.ledger.end_visit(interaction, VisitOutcome.LOST)
        interaction = self._nobody_listens(interaction)
        interaction = self.ledger.put(
            replace(interaction, faults=interaction.faults + 1, offers=(), joining=None, talk=None, wrapping=(), after=None)
        )
        if interaction.state is InteractionState.GONE:
            self.ledger.close_if_over(interaction.id)
        elif interaction.faults >= FAULTS_MAX or queue is None:
            gone = replace(interaction, state=InteractionState.GONE, outcome=Outcome.LOST, ended=step.now)
            self.ledger.ended(self.ledger.put(gone))
            self.ledger.close_if_over(interaction.id)
        else:
            since_s = step.now.mono_s - interaction.wait_s
            waiting = self.ledger.put(replace(interaction, state=InteractionState.WAITING, hops=0))
            self.queueing.enqueue(waiting, queue, rank=0, waiting_since_s=since_s, only=only)
            interaction = step.interactions[interaction.id]
            if alive:
                interaction = self.ledger.put(replace(interaction, state=InteractionState.OFFERED, offers=alive))
                self.offers.set_guard(interaction)
            self.look(interaction)

    # --- small things -------------------------------------------------------------------------------------------------
    def _taken_on(self, leg: Leg) -> Interaction | None:
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None or interaction.message is None or interaction.talk is None:
            return None
        return interaction if interaction.talk.leg == leg.id else None


def _comes_back(interaction: Interaction) -> bool:
    return interaction.message is not None and interaction.message.comes_back

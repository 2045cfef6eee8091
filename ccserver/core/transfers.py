"""Transfers: the customer is handed to a queue, to one agent or to a number outside, without a consultation or after one.

The transferrer's part ends when the target is accepted: known, allowed, its door open. From there on nobody may lose the customer:
where the one they were meant for does not come, they go back to the transferrer, for a limited time, and then to the head of the queue
in which they were served.
"""

from ccserver.core import service_class
from ccserver.core.change import replace
from ccserver.core.facts import CallsBack, WorkBegan
from ccserver.core.guests import Guests
from ccserver.core.holding import Holding
from ccserver.core.ids import AgentId, LegId, PhoneId
from ccserver.core.records import TransferKind, TransferOutcome, VisitOutcome
from ccserver.core.settings import DIRECT
from ccserver.core.state import DeadlineKind, Guest, Handover, HandoverStage, Interaction, Leg, Presence, Role, Talk
from ccserver.core.targets import REFUSED, Refusal, Target, TargetKind
from ccserver.core.transitions import InteractionState, LegState, Phase
from ccserver.core.ways import Ways

OURS = frozenset({HandoverStage.PLACED, HandoverStage.RETURNED})
"""The customer waits in a queue because of a transfer."""
DONE_WITH = frozenset({Phase.WRAP_UP, Phase.RELEASING})


class Transfers:
    """Hands customers on, and back."""

    def __init__(self, holding: Holding, guests: Guests, ways: Ways) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.holding = holding
        self.guests = guests
        self.ways = ways

    def checked(self, interaction: Interaction, target: Target | Refusal) -> Target | Refusal:
        """The target, if its door is open: behind a closed one the queue's exit would take the customer."""
        is_queue = isinstance(target, Target) and target.kind is TargetKind.QUEUE
        if isinstance(target, Target) and is_queue and self.ways.refusal(interaction, target.queue) is not None:
            return Refusal(REFUSED)
        return target

    def refused(self, interaction: Interaction, to: str) -> Interaction:
        """Tell the attempt; the handover goes on with the way back."""
        handover = interaction.handover
        if handover is None or not to:
            return interaction
        interaction = replace(interaction, handover=replace(handover, to=to))
        interaction = self.holding.transferred(interaction, TransferOutcome.REFUSED)
        return self.ledger.put(replace(interaction, handover=handover))

    # --- out ------------------------------------------------------------------------------------------------------------
    def place(self, interaction: Interaction, target: Target) -> None:
        """Hand the customer, who is on hold, to the target. The transferrer's part ends here, if it has not ended yet."""
        step, handover = self.step, interaction.handover
        assert handover is not None
        if interaction.talk is not None:
            interaction = self.holding.hand_off(interaction)
        handover = replace(handover, to=target.to, only=target.agent, child=None)
        if target.kind is TargetKind.NUMBER:
            assert target.dial is not None
            service_class.count(step, handover.agent, target.counts_as)
            handover = replace(handover, stage=HandoverStage.DIALLING)
            interaction = self.ledger.put(replace(interaction, handover=handover))
            max_talk_s = step.queue_settings(handover.queue, interaction).max_talk_s
            ring_s = step.settings.agent_rules.transfer_ring_s
            self.guests.dial(interaction, target.dial, target.to, ring_s=ring_s, max_talk_s=max_talk_s)
            session = step.caller_session(interaction)
            if session is not None:
                self.holding.music(interaction, session)
            return
        self._wait(interaction, replace(handover, stage=HandoverStage.PLACED), target)

    def _wait(self, interaction: Interaction, handover: Handover, target: Target, rank: int = 1) -> None:
        step = self.step
        step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        step.deadlines.clear(DeadlineKind.HOLD_REMINDER, interaction.id)
        since = step.now.mono_s - interaction.wait_s
        interaction = self.ledger.put(replace(interaction, handover=handover, guest=None, hops=0))
        self.ways.enqueue(interaction, target.queue, rank=rank, waiting_since_s=since, only=target.agent)
        interaction = step.interactions[interaction.id]
        if target.agent is not None and interaction.visit is not None:
            due_s = step.now.mono_s + step.settings.agent_rules.transfer_ring_s
            step.deadlines.set(DeadlineKind.MAX_WAIT, interaction.id, due_s)

    # --- what became of it ------------------------------------------------------------------------------------------------
    def answered(self, interaction: Interaction) -> None:
        """Somebody talks with the customer."""
        handover = interaction.handover
        if handover is not None and handover.stage in OURS:
            is_done = handover.stage is HandoverStage.PLACED
            outcome = TransferOutcome.DONE if is_done else TransferOutcome.RETURNED
            self.holding.settled(self.holding.transferred(interaction, outcome))

    def unanswered(self, interaction: Interaction) -> bool:
        """The one agent whom the customer waits for did not come. False: they do not wait for one."""
        handover, visit = interaction.handover, interaction.visit
        if handover is None or handover.stage not in OURS or visit is None or visit.only is None:
            return False
        if interaction.state is InteractionState.WAITING:
            self.give_back(self.ledger.end_visit(interaction, VisitOutcome.OVERFLOWED))
        return True

    def give_back(self, interaction: Interaction) -> None:
        """To the transferrer, who did not take it back yet; else to the head of the queue."""
        handover = interaction.handover
        assert handover is not None
        if handover.stage is HandoverStage.RETURNED or not self._can_take(interaction, handover.agent):
            self.requeue(interaction)
            return
        self.step.tell(CallsBack(handover.agent, interaction.id))
        returned = replace(handover, stage=HandoverStage.RETURNED, only=handover.agent)
        self._wait(interaction, returned, Target(TargetKind.AGENT, handover.agent), rank=0)

    def _can_take(self, interaction: Interaction, agent_id: AgentId) -> bool:
        agent = self.step.agents.get(agent_id)
        if agent is None or DIRECT not in self.step.settings.queues:
            return False
        is_here = agent.presence is Presence.READY and agent.next_reason is None and not agent.leaves
        return is_here and all(w.interaction == interaction.id and w.phase in DONE_WITH for w in agent.work)

    def requeue(self, interaction: Interaction) -> None:
        """Nobody has the customer: before all others in the queue in which they were served."""
        handover = interaction.handover
        assert handover is not None
        interaction = self.holding.transferred(interaction, TransferOutcome.REQUEUED)
        interaction = self.holding.settled(interaction)
        since = self.step.now.mono_s - interaction.wait_s
        interaction = self.ledger.put(replace(interaction, hops=0, guest=None, room=""))
        self.ways.enqueue(interaction, handover.queue, rank=0, waiting_since_s=since)
        self.ways.excuse(self.step.interactions[interaction.id])

    # --- the phone's own ------------------------------------------------------------------------------------------------
    def referred(self, interaction: Interaction, agent: AgentId, target: Target | Refusal, to: str) -> None:
        """The phone transferred the customer by itself; its part is over, and the customer's leg asks where to go."""
        step, queue = self.step, interaction.queue
        assert queue is not None
        stage = HandoverStage.PLACED
        handover = Handover(stage=stage, kind=TransferKind.REFER, agent=agent, queue=queue, since=step.now, to=to)
        interaction = self.ledger.put(replace(interaction, handover=handover))
        target = self.checked(interaction, target)
        if isinstance(target, Refusal):
            interaction = self.holding.transferred(interaction, TransferOutcome.REFUSED)
            self.give_back(self.ledger.put(replace(interaction, handover=replace(handover, to=""))))
        else:
            self.place(interaction, target)

    def followed(self, interaction: Interaction, customer: Leg, target: LegId, channel: str) -> None:
        """The customer talks with `target` now: an agent at that phone who is free of other work, or a guest."""
        step, phone = self.step, PhoneId(channel.rpartition("-")[0])
        there = step.agents.get(step.agent_at.get(phone))
        is_agent = there is not None and not there.work
        assert interaction.handover is not None
        queue = interaction.handover.queue
        handover = replace(interaction.handover, to=there.id if there is not None and is_agent else phone)
        interaction = self.holding.transferred(replace(interaction, handover=handover), TransferOutcome.DONE)
        leg = Leg(
            id=target,
            role=Role.AGENT if is_agent else Role.GUEST,
            state=LegState.UP,
            channel=channel,
            interaction=interaction.id,
            agent=there.id if there is not None and is_agent else None,
            phone=phone if is_agent else None,
            bridge=customer.bridge,
            heard_s=step.now.mono_s,
        )
        step.legs.put(target, leg)
        if there is not None and is_agent:
            talk = Talk(agent=there.id, leg=target, queue=queue, since=step.now, recording="")
            interaction = self.ledger.put(replace(interaction, talk=talk, agent=there.id, handover=None))
            self.holding.recorder.takes_over(interaction, talk)
            step.tell(WorkBegan(interaction.id, there.id, queue, target))
        else:
            guest = Guest(leg=target, number=phone, since=step.now)
            self.ledger.put(replace(interaction, guest=guest, handover=None))
        longest_s = step.queue_settings(queue, interaction).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + longest_s)

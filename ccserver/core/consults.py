"""Consultations: while the customer waits, the agent talks with a colleague, a queue or somebody outside.

A consultation is an interaction of its own (a child), whose caller is the agent's leg at the desk; it is routed as any other. It has
no wrap-up. It ends when the colleague goes or does not come (the agent hears so, and is back with the customer), when the agent goes
back, or when the agent completes it: then the colleague's leg is joined with the customer, and their work is the customer's from there on.
"""

from ccserver.core import service_class
from ccserver.core.change import replace
from ccserver.core.commands import WaitUntil
from ccserver.core.facts import WorkMoved
from ccserver.core.guests import Guests
from ccserver.core.holding import Holding
from ccserver.core.ids import SessionId
from ccserver.core.keys import first_digits
from ccserver.core.records import EndedBy, Outcome, SegmentKind, TransferOutcome
from ccserver.core.state import (
    AGENT_DEADLINES,
    CONSULT,
    QUEUE_DEADLINES,
    DeadlineKind,
    HandoverStage,
    Interaction,
    Talk,
)
from ccserver.core.targets import Target, TargetKind
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance
from ccserver.core.ways import Ways

FAILED, ENDED = "cc-transfer-failed", "cc-consult-ended"
WAITS = (InteractionState.WAITING, InteractionState.OFFERED)
BESIDE_OFFERS = frozenset({DeadlineKind.RING_GUARD, DeadlineKind.JOIN})


class Consults:
    """Begins consultations, and ends each exactly once."""

    def __init__(self, holding: Holding, guests: Guests, ways: Ways) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.talks = holding.talks
        self.holding = holding
        self.guests = guests
        self.ways = ways

    def child(self, parent: Interaction) -> Interaction | None:
        return self.step.interactions.get(parent.handover.child) if parent.handover is not None else None

    # --- the way in -----------------------------------------------------------------------------------------------------
    def begin(self, parent: Interaction, target: Target) -> None:
        """Call whom the agent has named."""
        step, handover, talk = self.step, parent.handover, parent.talk
        assert handover is not None and talk is not None
        number = step.next_number()
        child = Interaction(
            id=number,
            kind=CONSULT,
            state=InteractionState.MENU,
            leg=talk.leg,
            did=parent.did,
            caller_number=parent.caller_number,
            caller_name=parent.caller_name,
            language=self.holding.language(talk.agent),
            version=step.settings.content_hash,
            arrived=step.now,
            menu_since=step.now,
            needs=parent.needs,
            parent=parent.id,
            data=parent.data,
            is_answered=True,
        )
        self.ledger.put(child)
        parent = self.ledger.put(replace(parent, handover=replace(handover, child=child.id, to=target.to)))
        self.holding.at(parent, HandoverStage.CONSULTING)
        rules = step.settings.agent_rules
        if target.kind is TargetKind.NUMBER:
            assert target.dial is not None
            service_class.count(step, talk.agent, target.counts_as)
            state = advance(INTERACTION, child.state, InteractionStep.HOLD)
            max_talk_s = step.queue_settings(talk.queue, parent).max_talk_s
            child = self.ledger.put(replace(child, state=state, queue=talk.queue))
            self.guests.dial(child, target.dial, target.to, ring_s=rules.consult_ring_s, max_talk_s=max_talk_s)
            self.entertain(parent)
            return
        self.ways.enqueue(child, target.queue, only=target.agent)
        child = step.interactions[child.id]
        if target.agent is not None and child.visit is not None:
            step.deadlines.set(DeadlineKind.MAX_WAIT, child.id, step.now.mono_s + rules.consult_ring_s)

    def entertain(self, parent: Interaction) -> None:
        """Music at the desk while nobody has answered yet. A digit there may begin a key."""
        session, child = self.holding.desk(parent), self.child(parent)
        if session is not None and child is not None:
            if child.state in WAITS:
                self.step.to_entertain[child.id] = None
            else:
                self.holding.music(parent, session, stop_digits=first_digits(self.step.settings.keys))

    def listen(self, parent: Interaction, session: SessionId, seconds: float) -> None:
        """The rest of a key that was begun."""
        music = self.step.queue_settings(parent.handover.queue, parent).music if parent.handover is not None else "default"
        self.step.speak(WaitUntil(session=session, music=music, timeout_s=seconds, stop_digits="0123456789*#"))

    # --- the ends -------------------------------------------------------------------------------------------------------
    def failed(self, child: Interaction) -> None:
        """Nobody took it: the agent is told, and is back with the customer."""
        parent = self.step.interactions.get(child.parent)
        self.cancel(child)
        if parent is not None and parent.handover is not None and parent.handover.child == child.id:
            parent = self.ledger.put(replace(parent, handover=replace(parent.handover, child=None)))
            self.holding.tell_agent(parent, FAILED)

    def over(self, child: Interaction) -> None:
        """The colleague went."""
        parent = self.step.interactions.get(child.parent)
        self.close(child)
        if parent is not None and parent.handover is not None and parent.handover.child == child.id:
            parent = self.ledger.put(replace(parent, handover=replace(parent.handover, child=None)))
            self.holding.tell_agent(parent, ENDED)

    def back(self, parent: Interaction) -> None:
        """The agent returns to the customer; the colleague is let go."""
        self.holding.back(self.let_go(parent))

    def let_go(self, parent: Interaction) -> Interaction:
        child = self.child(parent)
        assert parent.handover is not None
        parent = self.ledger.put(replace(parent, handover=replace(parent.handover, child=None)))
        if child is not None:
            self.cancel(child)
        return self.step.interactions[parent.id]

    def cancel(self, child: Interaction) -> None:
        """End it, whatever it is at."""
        match child.state:
            case InteractionState.WAITING | InteractionState.OFFERED:
                child = self.ways.leave(child)
            case InteractionState.TALKING if child.talk is not None:
                child = self.talks.talk_over(child, EndedBy.SYSTEM)
            case _:
                child = self.guests.hang_up(child)
        self.close(child)

    def close(self, child: Interaction) -> None:
        """The child's story is over; what is left of it are phones that have not stopped ringing."""
        step = self.step
        child = step.interactions[child.id]
        if child.state is InteractionState.GONE:
            return
        state = advance(INTERACTION, child.state, InteractionStep.LEG_ENDED)
        outcome = child.outcome or Outcome.ABANDONED
        ended_by = child.ended_by or EndedBy.SYSTEM
        child = replace(child, state=state, ended=step.now, ended_by=ended_by, outcome=outcome, after=None, guest=None)
        self.ledger.put(child)
        for kind in DeadlineKind:
            is_of_it = kind not in AGENT_DEADLINES and kind not in QUEUE_DEADLINES
            if is_of_it and not (child.offers and kind in BESIDE_OFFERS):
                step.deadlines.clear(kind, child.id)
        self.ledger.ended(child)
        self.ledger.close_if_over(child.id)

    # --- the colleague takes over -----------------------------------------------------------------------------------------
    def complete(self, parent: Interaction, by: EndedBy = EndedBy.AGENT) -> None:
        """The colleague's leg is joined with the customer; the agent is in wrap-up."""
        child = self.child(parent)
        assert child is not None and parent.handover is not None
        parent = self.ledger.put(replace(parent, handover=replace(parent.handover, child=None)))
        parent = self.holding.hand_off(parent, by)
        parent = self.take_over(parent, child)
        self.holding.back(parent)

    def take_over(self, parent: Interaction, child: Interaction) -> Interaction:
        """Whoever talks in the child belongs to the parent from here on; beside the agent, if the agent stays."""
        step, talk, guest = self.step, child.talk, child.guest
        leg_id = talk.leg if talk is not None else guest.leg if guest is not None else None
        assert leg_id is not None
        leg = step.legs[leg_id]
        step.legs.put(leg.id, replace(leg, interaction=parent.id, keys=""))
        if talk is not None:
            self.ledger.segment(child, SegmentKind.TALK, talk.since, queue=talk.queue, agent=talk.agent)
            child = self.talks.recording_over(step.interactions[child.id], talk)
            taken = Talk(agent=talk.agent, leg=talk.leg, queue=talk.queue, since=step.now, recording="")
            taken = replace(taken, is_recorded=bool(talk.recording))
            first, others = (taken, ()) if parent.talk is None else (parent.talk, (*parent.others, taken))
            parent = self.ledger.put(replace(parent, talk=first, others=others))
            step.tell(WorkMoved(talk.agent, child.id, parent.id))
        elif guest is not None:
            child = self.guests.talked(child, guest, EndedBy.SYSTEM)
            guests = (*parent.guests(), replace(guest, since=step.now))
            parent = self.ledger.put(replace(parent, guest=guests[0], other_guests=guests[1:]))
        since = talk.since if talk is not None else None
        talk_s = child.talk_s + (step.now.mono_s - since.mono_s if since is not None else 0.0)
        state = advance(INTERACTION, child.state, InteractionStep.TALK_OVER)
        child = replace(child, state=state, talk=None, guest=None, talk_s=talk_s, outcome=Outcome.ANSWERED)
        self.close(self.ledger.put(child))
        return step.interactions[parent.id]

    def customer_gone(self, parent: Interaction) -> Interaction:
        parent = self.let_go(parent)
        return self.holding.transferred(parent, TransferOutcome.CUSTOMER_GONE)

"""One more in a conference: the agent steps out, asks somebody in, and comes back with them or without. The others talk on meanwhile.

The way is that of a consultation (a number at the desk, the child, its failures), but nobody is on hold: the interaction goes on TALKING,
and its handover says how far the agent is (`Interaction.stepped_out`). Who leaves meanwhile decides what becomes of it: a customer who is
left alone is put on hold, and it is an ordinary consultation from there on; without the customer there is nobody to ask for, and the agent
wraps up. An agent who goes while the newcomer talks with them leaves the place in the room to the newcomer.
"""

from ccserver.core.change import replace
from ccserver.core.commands import Move, Place, RedirectLegs
from ccserver.core.consults import Consults
from ccserver.core.facts import AgentLegOver, TalkHeld
from ccserver.core.holding import Holding
from ccserver.core.ids import LegId
from ccserver.core.records import EndedBy, TransferKind, TransferOutcome
from ccserver.core.state import DeadlineKind, Handover, HandoverStage, Interaction, Leg
from ccserver.core.transitions import InteractionState

LAST_S = 1.0


class Additions:
    """Out of a conference, and back into it."""

    def __init__(self, holding: Holding, consults: Consults) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.talks = holding.talks
        self.holding = holding
        self.consults = consults

    # --- out ------------------------------------------------------------------------------------------------------------
    def step_out(self, interaction: Interaction) -> None:
        """The agent to the desk, where the number is asked for."""
        step = self.step
        interaction = self.holding.interrupted(interaction)
        talk = interaction.talk
        assert talk is not None and talk.leg is not None
        stage, kind = HandoverStage.ASKING, TransferKind.CONSULT
        handover = Handover(stage=stage, kind=kind, agent=talk.agent, queue=talk.queue, since=step.now)
        self.holding.at(replace(interaction, handover=handover), stage)
        leg = step.legs[talk.leg]
        step.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=Place.DESK),)))
        step.tell(TalkHeld(interaction.id, talk.agent, False, is_consulting=True))

    # --- back -----------------------------------------------------------------------------------------------------------
    def bring_in(self, parent: Interaction) -> None:
        """The agent and the newcomer, who talk, into the room."""
        parent, newcomer = self._taken_over(parent)
        self.holding.into_room(self.holding.at(parent, HandoverStage.MEETING), newcomer)

    def stand_in(self, parent: Interaction, by: EndedBy = EndedBy.AGENT) -> None:
        """The newcomer goes in instead of the agent, who wraps up."""
        parent = self.holding.transferred(parent, TransferOutcome.DONE)
        parent, newcomer = self._taken_over(parent, hand_off_by=by)
        parent = self.holding.settled(parent)
        if parent.talk is not None:
            parent = self.ledger.put(replace(parent, agent=parent.talk.agent))
        self.holding.into_room(parent, newcomer)

    def _taken_over(self, parent: Interaction, hand_off_by: EndedBy | None = None) -> tuple[Interaction, LegId]:
        """The newcomer belongs to the conference from here on. Their leg, too."""
        child = self.consults.child(parent)
        assert parent.handover is not None and child is not None
        newcomer = child.talk.leg if child.talk is not None else child.guest.leg if child.guest is not None else None
        assert newcomer is not None
        parent = self.ledger.put(replace(parent, handover=replace(parent.handover, child=None)))
        if (DeadlineKind.MAX_TALK, str(parent.id)) not in self.step.deadlines.table:
            # The longest talk was over just now, and the legs of all others are being ended.
            self.step.deadlines.set(DeadlineKind.MAX_TALK, parent.id, self.step.now.mono_s + LAST_S)
        if hand_off_by is not None:
            parent = self.holding.hand_off(parent, hand_off_by)
        return self.consults.take_over(parent, child), newcomer

    def entered(self, interaction: Interaction, leg: LegId) -> None:
        """Somebody came into the room. With the agent there again, it is done."""
        interaction = self.talks.tracks.entered(interaction, leg)
        if interaction.outside() is None and self._is_inside(interaction, interaction.stepped_out()):
            self._settled(interaction)

    def _is_inside(self, interaction: Interaction, leg_id: LegId | None) -> bool:
        leg, customer = self.step.legs.get(leg_id), self.step.legs.get(interaction.leg)
        return leg is not None and customer is not None and leg.bridge is not None and leg.bridge == customer.bridge

    def _settled(self, interaction: Interaction) -> Interaction:
        """On record: whether somebody was brought in."""
        handover = interaction.handover
        assert handover is not None
        is_done = handover.stage is HandoverStage.MEETING
        interaction = self.holding.hold_over(interaction)
        interaction = self.holding.transferred(interaction, TransferOutcome.DONE if is_done else TransferOutcome.CANCELLED)
        self.step.tell(TalkHeld(interaction.id, handover.agent, False))
        return self.holding.settled(interaction)

    # --- what goes wrong meanwhile ------------------------------------------------------------------------------------------
    def refused(self, interaction: Interaction) -> None:
        """A redirect was refused: one of its legs is gone, which is about to be told. The agent goes back alone."""
        for talk in interaction.others:
            if not self._is_inside(interaction, talk.leg):
                interaction = self.talks.part_over(interaction, talk, EndedBy.SYSTEM)
                self.step.let_go(talk.leg)
        for guest in interaction.guests():
            if not self._is_inside(interaction, guest.leg):
                interaction = self.consults.guests.gone(interaction, guest, EndedBy.SYSTEM)
                self.step.hang_up(guest.leg)
        self.holding.back(interaction)

    def overdue(self, interaction: Interaction) -> None:
        """What was waited for did not come, or nothing was heard of it: then the agent is in the room. Else the end of the agent's leg
        decides."""
        agent = interaction.stepped_out()
        if interaction.outside() is None and self._is_inside(interaction, agent):
            self._settled(interaction)
        else:
            self.step.hang_up(agent)

    def agent_gone(self, interaction: Interaction, leg: Leg, by: EndedBy) -> bool:
        """The agent's leg has ended. True: the newcomer goes in instead; False: the end means what it means in a conference."""
        child = self.consults.child(interaction)
        assert leg.agent is not None
        if child is not None and child.state is InteractionState.TALKING and by in (EndedBy.AGENT, EndedBy.AGENT_LOST):
            self.step.tell(AgentLegOver(leg.agent, interaction.id, leg.id))
            self.stand_in(interaction, by)
            return True
        self._settled(self.consults.let_go(interaction))
        return False

    def customer_gone(self, interaction: Interaction, by: EndedBy) -> Interaction:
        """Who is on the way back talks on with the others; else the agent's part is over, and nobody is brought in."""
        if interaction.outside() is None:
            return self._settled(interaction)
        interaction = self.consults.customer_gone(interaction)
        return self.holding.settled(self.holding.hand_off(interaction, by))

    def put_on_hold(self, interaction: Interaction) -> None:
        """The others have left, and the customer is alone in the room: fetched out of it, with music until the agent is back."""
        customer = self.step.legs.get(interaction.leg)
        interaction = self.holding.on_hold(interaction)
        if interaction.talk is not None:
            self.step.tell(TalkHeld(interaction.id, interaction.talk.agent, True, is_consulting=True))
        if customer is not None and not customer.is_cancelled:
            move = Move(leg=customer.id, channel=customer.channel, place=Place.LOOP)
            self.step.order(RedirectLegs(moves=(move,)))

"""Conferences: the agent, the colleague and the customer in one room, and whoever is brought in later (`additions`).

Three legs do not move in one stroke. First the two who talk go into the room, while the customer hears music; when that is
done, the customer follows. Whoever is gone in between, the others find each other there, or the customer is fetched back.
Whoever leaves later, the rest stays: with the customer, as long as anybody else is there; without, as long as an agent and one more
are, and no longer than a talk may last. An agent who leaves wraps up.
"""

from ccserver.core.change import replace
from ccserver.core.commands import Move, Place, RedirectLegs
from ccserver.core.consults import Consults
from ccserver.core.facts import AgentLegOver
from ccserver.core.guests import Guests
from ccserver.core.holding import Holding
from ccserver.core.ids import LegId
from ccserver.core.records import EndedBy, TransferOutcome
from ccserver.core.state import DeadlineKind, HandoverStage, Interaction, Leg, Role
from ccserver.core.transitions import InteractionState

TWO = 2


class Conferences:
    """Brings three together, and parts them."""

    def __init__(self, holding: Holding, consults: Consults, guests: Guests) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.talks = holding.talks
        self.tracks = holding.talks.tracks
        self.holding = holding
        self.consults = consults
        self.guests = guests

    def begin(self, parent: Interaction) -> None:
        """Out of a consultation in which the colleague talks with the agent."""
        child = self.consults.child(parent)
        assert child is not None and parent.handover is not None
        handover = replace(parent.handover, child=None, step=1)
        parent = self.ledger.put(replace(parent, handover=handover, room=f"cc-{parent.id}"))
        parent = self.consults.take_over(parent, child)
        parent = self.holding.at(parent, HandoverStage.MEETING)
        parent = self.tracks.prepare(parent)
        self.holding.move(parent, *members(parent))

    def moved(self, interaction: Interaction) -> None:
        """The two are on their way into the room: now the customer."""
        handover = interaction.handover
        if handover is not None and handover.stage is HandoverStage.MEETING and handover.step == 1 and interaction.leg:
            self.ledger.put(replace(interaction, handover=replace(handover, step=2)))
            self.holding.move(interaction, interaction.leg)

    def entered(self, interaction: Interaction, leg: LegId) -> None:
        """Somebody came into the room. With the customer and one more in it, they talk."""
        interaction = self.tracks.entered(interaction, leg)
        handover = interaction.handover
        caller = self.step.legs.get(interaction.leg)
        if handover is None or handover.stage is not HandoverStage.MEETING or caller is None or caller.bridge is None:
            return
        there = [leg for leg in map(self.step.legs.get, members(interaction)) if leg is not None]
        if any(leg.bridge == caller.bridge for leg in there):
            interaction = self.holding.hold_over(interaction)
            interaction = self.holding.transferred(interaction, TransferOutcome.DONE)
            interaction = self.ledger.put(replace(interaction, handover=replace(handover, to="")))
            self.holding.joined(interaction)

    def entered_late(self, interaction: Interaction, leg: LegId) -> None:
        """The others talk already."""
        self.tracks.entered(interaction, leg)

    def undone(self, interaction: Interaction) -> None:
        """It did not come about in time: the agent back to the customer, the colleague let go."""
        self.given_up(self._let_others_go(interaction))

    def given_up(self, interaction: Interaction) -> None:
        """Out of the room, and to the customer as before."""
        for part in interaction.talks():
            interaction = self.talks.recording_over(interaction, part)
        first = interaction.talk
        if first is not None:
            is_recorded = first.is_recorded or bool(first.recording)
            first = replace(first, recording="", recorded_since=None, is_recorded=is_recorded, is_apart=False)
        self.holding.back(self.ledger.put(replace(interaction, room="", talk=first)))

    def others_out(self, interaction: Interaction) -> None:
        """The agent goes on alone with the customer."""
        self._let_others_go(interaction)

    def _let_others_go(self, interaction: Interaction) -> Interaction:
        for talk in interaction.others:
            interaction = self.talks.part_over(interaction, talk, EndedBy.AGENT)
            self.step.let_go(talk.leg)
        return self.guests.hang_up(self.guest_out(interaction))

    def guest_out(self, interaction: Interaction, leg: LegId | None = None) -> Interaction:
        """What a guest says is not recorded any more; without a leg: what any guest says."""
        for guest in interaction.guests():
            talk = interaction.talk
            if talk is not None and interaction.tracks and leg in (None, guest.leg):
                interaction = self.tracks.over(interaction, talk.agent, talk.queue, guest.leg)
        return interaction

    def guest_left(self, interaction: Interaction, leg: LegId, by: EndedBy) -> Interaction:
        """One guest's leg is over; somebody else still talks with the customer."""
        guest = next(each for each in interaction.guests() if each.leg == leg)
        return self.guests.gone(self.guest_out(interaction, leg), guest, by)

    def agent_left(self, interaction: Interaction, leg: Leg, by: EndedBy) -> None:
        """One agent's leg is over or out of the room; somebody else still talks with the customer."""
        talk = next(t for t in interaction.talks() if t.leg == leg.id)
        if leg.agent is not None and leg.id not in self.step.legs:
            self.step.tell(AgentLegOver(leg.agent, interaction.id, leg.id))
        interaction = self.talks.part_over(interaction, talk, by)
        if interaction.talk is not None:
            self.ledger.put(replace(interaction, agent=interaction.talk.agent))

    def is_last(self, interaction: Interaction, leg: LegId) -> bool:
        """Nobody but this leg is with the customer."""
        return all(member == leg for member in members(interaction))

    def alone(self, interaction: Interaction) -> Interaction:
        """The customer is left in the room: fetched out, as if a bridge had ended."""
        leg = self.step.legs.get(interaction.leg)
        if leg is not None and interaction.state is InteractionState.RETURNING and not leg.is_cancelled:
            move = Move(leg=leg.id, channel=leg.channel, place=Place.LOOP)
            self.step.order(RedirectLegs(moves=(move,)))
        return self.ledger.put(replace(interaction, room=""))

    def talk_on(self, interaction: Interaction, by: EndedBy) -> bool:
        """The customer has left. Whether an agent and one more are in the room, who talk on: the customer's part is over, and so is the
        recording, for what the others say to each other is no part of the call."""
        talk = interaction.talk
        if not interaction.room or interaction.state is not InteractionState.TALKING or talk is None:
            return False
        if len(members(interaction)) < TWO or by is EndedBy.PBX:
            return False
        now, interaction = self.step.now, self.holding.recorder.over(interaction)
        counted_s = talk.since.mono_s if talk.counted_from_s is None else talk.counted_from_s
        ended_by = EndedBy.AGENT if talk.is_released else by
        self.ledger.put(replace(interaction, left=now, ended_by=ended_by, talk_s=interaction.talk_s + now.mono_s - counted_s))
        return True

    def is_empty(self, interaction: Interaction) -> bool:
        """Without the customer: whether there is nobody any more with whom an agent could talk on."""
        is_left = interaction.left is not None and interaction.state is InteractionState.TALKING
        return is_left and (interaction.talk is None or len(members(interaction)) < TWO)

    def customer_gone(self, interaction: Interaction) -> Interaction:
        """All agents out of the room."""
        for talk in interaction.talks():
            leg = self.step.legs.get(talk.leg)
            if leg is not None and not leg.is_cancelled:
                place = Place.PARK if leg.role is Role.HEADSET else Place.DESK
                move = Move(leg=leg.id, channel=leg.channel, place=place)
                self.step.order(RedirectLegs(moves=(move,)))
        self.step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        return self.ledger.put(replace(interaction, room=""))


def members(interaction: Interaction) -> list[LegId]:
    """Everybody but the customer."""
    legs = [talk.leg for talk in interaction.talks() if talk.leg is not None]
    return [*legs, *(guest.leg for guest in interaction.guests())]

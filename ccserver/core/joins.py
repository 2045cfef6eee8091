"""Joins: a leg that waits (parked, at the desk) is put together with a customer by us, and not by its own dialplan.

Rules. At most one leg at a time is being joined with a customer (`Interaction.joining`), and none while another leg could join by
itself: a second one would take the customer out of the talk with the first. A join is over when both are in one bridge, when the leg
came back without having been there, or when its end is known. What it was for is not known here: facts say what became of it.
"""

from ccserver.core.change import replace
from ccserver.core.commands import JoinLeg, Move, Place, RedirectLegs
from ccserver.core.facts import Joined, JoinFailed
from ccserver.core.ids import LegId
from ccserver.core.state import Awaited, DeadlineKind, Interaction, Leg, Role
from ccserver.core.step import Step
from ccserver.core.transitions import IllegalTransition, InteractionState

JOIN_S = 4.0
"""How long a join may take that Asterisk does in some milliseconds."""


class Joins:
    """Orders joins, and says by facts what became of them."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def join(self, interaction: Interaction, leg_id: LegId, *, recording: str, max_talk_s: float) -> Interaction:
        """Join the leg with the interaction's customer; `Joined` or `JoinFailed` follows. From now on the leg is this interaction's.

        `recording` is a path without ending, or "" for none; the dialplan ends a talk after `max_talk_s`. A headset's line parks
        again afterwards, any other leg asks for the disposition. Raises IllegalTransition while another leg is being joined, and
        when one of the two legs is not there.
        """
        step = self.step
        leg, caller = step.legs.get(leg_id), step.legs.get(interaction.leg)
        if interaction.joining is not None or leg is None or caller is None:
            raise IllegalTransition(f"Interaction: leg {leg_id.uniqueid} cannot be joined, {interaction.state.value}")
        pulled_s = None if leg.is_parked else step.now.mono_s
        step.legs.put(leg_id, replace(leg, interaction=interaction.id, is_parked=False, pulled_s=pulled_s, keys=""))
        interaction = replace(interaction, joining=leg_id)
        step.put_interaction(interaction)
        step.deadlines.set(DeadlineKind.JOIN, interaction.id, step.now.mono_s + JOIN_S)
        step.order(
            JoinLeg(
                leg=leg_id,
                channel=leg.channel,
                caller=caller.id,
                caller_channel=caller.channel,
                recording=recording,
                max_talk_s=max_talk_s,
                is_kept=leg.role is Role.HEADSET,
            )
        )
        return interaction

    def send(self, leg_id: LegId, place: Place) -> None:
        """Send one leg to another place of the dialplan, out of whatever it is in."""
        leg = self.step.legs.get(leg_id)
        if leg is not None and not leg.is_cancelled:
            self.step.legs.put(leg_id, replace(leg, is_parked=False, keys=""))
            self.step.order(RedirectLegs(moves=(Move(leg=leg_id, channel=leg.channel, place=place),)))

    # --- what became of it --------------------------------------------------------------------------------------------
    def entered_bridge(self, leg: Leg) -> None:
        """One of the two is in a bridge; with the other in the same one, the join has happened. (Offers see it for themselves.)"""
        for interaction in self._concerned(leg):
            caller, joining = self.step.legs.get(interaction.leg), self.step.legs.get(interaction.joining)
            is_offer = joining is not None and interaction.offer_on(joining.id) is not None
            if caller is None or joining is None or is_offer or caller.bridge is None or caller.bridge != joining.bridge:
                continue
            self.settled(interaction)
            self.step.tell(Joined(interaction.id, joining.id))

    def command_failed(self, leg: Leg, reason: str) -> None:
        """Asterisk refused: the leg stays where it was, and cannot reach the customer any more."""
        interaction = self._joining(leg)
        if interaction is not None:
            self.settled(interaction)
            self.step.tell(JoinFailed(interaction.id, leg.id, False, reason))

    def came_back(self, leg: Leg) -> Interaction | None:
        """The leg waits again, and was in no bridge with the customer: who was not found there. None: it was not being joined."""
        interaction = self._joining(leg)
        if interaction is None or self.is_under_way(leg.id):
            return None
        interaction = self.settled(interaction)
        self.step.tell(JoinFailed(interaction.id, leg.id, False, "the customer was not there"))
        return interaction

    def not_joined(self, leg: Leg) -> None:
        """A leg that was to be joined with a customer on hold is somewhere else."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None and interaction.state is InteractionState.HELD:
            self.came_back(leg)

    def leg_over(self, leg: Leg) -> None:
        """The leg has ended. (The end of an offer's leg is the offer's.)"""
        interaction = self._joining(leg)
        if interaction is not None and interaction.offer_on(leg.id) is None:
            self.settled(interaction)
            self.step.tell(JoinFailed(interaction.id, leg.id, True, "the leg ended"))

    def overdue(self, interaction: Interaction) -> None:
        """Nothing was heard of it in time. It stays ordered: whoever asked for it ends the leg, whose end settles it."""
        if interaction.joining is not None:
            self.step.tell(JoinFailed(interaction.id, interaction.joining, False, "it did not happen in time"))

    def settled(self, interaction: Interaction) -> Interaction:
        """The join is over: another may be ordered."""
        if interaction.joining is not None:
            self.step.deadlines.clear(DeadlineKind.JOIN, interaction.id)
            interaction = replace(interaction, joining=None)
            self.step.put_interaction(interaction)
        return interaction

    def is_under_way(self, leg: LegId) -> bool:
        """The command is on its way: what is told of the leg is older."""
        return any(o.leg == leg and o.what in (Awaited.JOIN, Awaited.REDIRECT) for o in self.step.outstanding.values())

    # --- inside -------------------------------------------------------------------------------------------------------
    def _joining(self, leg: Leg) -> Interaction | None:
        interaction = self.step.interactions.get(leg.interaction)
        return interaction if interaction is not None and interaction.joining == leg.id else None

    def _concerned(self, leg: Leg) -> list[Interaction]:
        """The interaction of the leg, and the consultation in which an agent's leg is the caller."""
        own = self.step.interactions.get(leg.interaction)
        found = [own] if own is not None else []
        if leg.role is not Role.CALLER and own is not None and own.state is InteractionState.HELD:
            found += [i for i in self.step.interactions.values() if i.leg == leg.id and i.id != own.id]
        return [i for i in found if i.joining is not None]

"""Guests: people outside the center who are called for a customer, or for an agent who consults them. They do no work here.

A guest's leg joins by itself on answer (`Place.JOIN`), so at most one is called at a time, and nobody else while it rings. In a conference
there may be several.
"""

from ccserver.core.change import replace
from ccserver.core.commands import DialOut, Place
from ccserver.core.ids import LegId, PhoneId
from ccserver.core.ledger import Ledger
from ccserver.core.offers import RETURN_S
from ccserver.core.records import EndedBy, SegmentKind
from ccserver.core.state import CONSULT, DeadlineKind, Guest, Interaction, Leg, Role
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, LegState, advance

GUARD_S = 5.0
MAX_TALK_GUARD_S = 5.0


class Guests:
    """Calls guests, and tells how long they talked."""

    def __init__(self, step: Step, ledger: Ledger) -> None:
        self.step = step
        self.ledger = ledger

    def dial(self, interaction: Interaction, to: PhoneId, number: str, *, ring_s: float, max_talk_s: float) -> Interaction:
        """Call `number` for the caller of the interaction."""
        step = self.step
        caller = interaction.leg
        assert caller is not None
        counters, pbx = step.clockwork, step.settings.pbx
        leg = LegId(pbx, f"cc{pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")
        step.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        step.legs.put(
            leg,
            Leg(id=leg, role=Role.GUEST, state=LegState.DIALLED, interaction=interaction.id, heard_s=step.now.mono_s),
        )
        interaction = self.ledger.put(replace(interaction, guest=Guest(leg=leg, number=number, since=step.now)))
        step.deadlines.set(DeadlineKind.HELD, interaction.id, step.now.mono_s + ring_s + GUARD_S)
        # A carrier shows only numbers that are ours.
        shown = interaction.did if to.endswith(f"@{step.settings.trunk}") else interaction.caller_number
        step.order(
            DialOut(
                leg=leg,
                interaction=interaction.id,
                to=to,
                number=shown,
                name="",
                ring_timeout_s=ring_s,
                place=Place.JOIN,
                caller_channel=step.legs[caller].channel,
                max_talk_s=max_talk_s + MAX_TALK_GUARD_S,
            )
        )
        return interaction

    def hang_up(self, interaction: Interaction) -> Interaction:
        """No guest is needed any more."""
        while interaction.guest is not None:
            leg = interaction.guest.leg
            interaction = self.gone(interaction, interaction.guest, EndedBy.SYSTEM)
            self.step.hang_up(leg)
        return interaction

    def gone(self, interaction: Interaction, guest: Guest, by: EndedBy) -> Interaction:
        """One guest's part is over; the others talk on."""
        interaction = self.talked(interaction, guest, by).without_guest(guest.leg)
        if interaction.guest is not None and interaction.talk is None:
            interaction = replace(interaction, guest=replace(interaction.guest, counted_from_s=self.step.now.mono_s))
        return self.ledger.put(interaction)

    def talked(self, interaction: Interaction, guest: Guest, by: EndedBy) -> Interaction:
        """Tell the guest's part in the talk, if there was one. The customer's time counts once."""
        now = self.step.now
        if interaction.state is not InteractionState.TALKING:
            return interaction
        self.ledger.segment(interaction, SegmentKind.TALK, guest.since, queue=interaction.queue, detail=by.value)
        interaction = self.step.interactions[interaction.id]
        is_first = interaction.guest is not None and interaction.guest.leg == guest.leg
        counts = interaction.talk is None and is_first and interaction.left is None
        counted_s = guest.since.mono_s if guest.counted_from_s is None else guest.counted_from_s
        return self.ledger.put(replace(interaction, talk_s=interaction.talk_s + (now.mono_s - counted_s if counts else 0.0)))

    def talk_over(self, interaction: Interaction, by: EndedBy) -> Interaction:
        """The guest alone talked with the customer, and that is over."""
        step = self.step
        assert interaction.guest is not None
        interaction = self.talked(interaction, interaction.guest, by)
        step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        state = advance(INTERACTION, interaction.state, InteractionStep.TALK_OVER)
        interaction = self.ledger.put(replace(interaction, state=state, guest=None, ended_by=by))
        if interaction.kind != CONSULT:
            step.deadlines.set(DeadlineKind.RETURN, interaction.id, step.now.mono_s + RETURN_S)
        return interaction

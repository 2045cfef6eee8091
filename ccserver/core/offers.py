"""Offers: an agent's phone rings for an interaction, from the order to ring until the talk begins or the leg's end is known.

Where one phone rings, Asterisk itself joins the agent's leg with the caller when the agent answers. A second such leg would steal the
caller out of a live talk, so the next agent is rung only when the end of the first leg is known. Where several ring, the legs wait on
answer (`Offer.waits`): the first that waits is taken, the others are hung up at once, which is no fault of theirs, and only the one
that was taken is joined. If that fails, somebody is rung anew when the ends of all of them are known.

A headset's line is offered like a phone that has answered already. It is nobody's to hang up: an offer on it ends when it is parked
again, and only a line that does not come back there is ended.
"""

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import EndSession, Next, Place, RingAgent
from ccserver.core.display import shown_name
from ccserver.core.facts import AgentLegOver, OfferOver, OfferParked
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, PromptId
from ccserver.core.joins import Joins
from ccserver.core.ledger import Ledger
from ccserver.core.records import EndedBy, NoticeKind, OfferOutcome
from ccserver.core.settings import PhoneKind, Strategy
from ccserver.core.state import DeadlineKind, Dialogue, Interaction, Leg, Offer, Role
from ccserver.core.step import Step
from ccserver.core.transitions import (
    INTERACTION,
    IllegalTransition,
    InteractionState,
    InteractionStep,
    LegState,
    advance,
)

RING_GUARD_S = 5.0
"""How much later than the ring time-out, which Asterisk itself keeps, a silent offer is ended by us."""
PARTING_S = 15.0
"""How much longer an agent hears why nobody is called."""
ACCEPT_S = 15.0
"""How long a person at an outside number has for the key that accepts the call."""
MAX_TALK_GUARD_S = 5.0
"""How much later than we the dialplan ends a talk that is too long: its own clock starts before the talk does, and it is
there for the time without us."""
NEWS_S = 1.0
"""How long after the failure of a dial the news of its channel may be on its way: Asterisk tells the two from different
threads, and a phone that was busy at once is told of as if it had never been called."""
RETURN_S = 2.0
"""How long a customer's leg may take from the bridge back into the loop."""


def offer_outcome(leg: Leg, cause: int, tech_cause: int) -> OfferOutcome:
    """What the end of an agent's leg that was never bridged means.

    Asterisk gives 17 for 486, 21 for 603, 19 for no answer; the number in OriginateResponse tells none of them apart.
    """
    if leg.is_cancelled:
        return OfferOutcome.CANCELLED
    if leg.state is LegState.DIALLED:
        return OfferOutcome.UNREACHABLE
    if cause == 17 or tech_cause in (486, 600):
        return OfferOutcome.BUSY
    if cause == 21 or tech_cause == 603:
        return OfferOutcome.REJECTED
    if cause in (18, 19) or tech_cause in (408, 480, 487):
        return OfferOutcome.MISSED
    if cause in (1, 3, 20):
        return OfferOutcome.UNREACHABLE
    return OfferOutcome.MISSED if leg.state is LegState.UP else OfferOutcome.FAILED


class Offers:
    """Rings agents, one or several for an interaction, and takes the first of several."""

    def __init__(self, step: Step, ledger: Ledger, joins: Joins) -> None:
        self.step = step
        self.ledger = ledger
        self.joins = joins

    # --- ringing ------------------------------------------------------------------------------------------------------
    def ring(self, interaction: Interaction, agent: AgentId, phone: PhoneId, why: str, *, place: Place = Place.JOIN) -> LegId:
        """Ring one agent. Returns the leg we asked for. With another place than JOIN the leg waits on answer, and several may ring.

        Raises IllegalTransition when another phone rings already and one of the two would join by itself.
        """
        step, settings = self.step, self.step.settings
        waits = place is not Place.JOIN
        if interaction.offers and not (waits and all(o.waits for o in interaction.offers)):
            raise IllegalTransition(f"Interaction: agent {agent} cannot be rung beside {interaction.offers[0].agent}")
        counters = step.clockwork
        leg = LegId(settings.pbx, f"cc{settings.pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")
        step.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        step.legs.put(
            leg,
            Leg(
                id=leg,
                role=Role.AGENT,
                state=LegState.DIALLED,
                interaction=interaction.id,
                agent=agent,
                phone=phone,
                heard_s=step.now.mono_s,
            ),
        )
        offer = self.put(interaction, agent, phone, leg, why, waits=waits)
        caller = step.legs.get(interaction.leg)
        config = step.queue_settings(offer.queue, interaction)
        step.order(
            RingAgent(
                leg=leg,
                interaction=interaction.id,
                agent=agent,
                phone=phone,
                queue=offer.queue,
                caller=caller.id if caller is not None else None,
                caller_channel=caller.channel if caller is not None else "",
                number=interaction.caller_number,
                name=shown_name(interaction, config, step.now.mono_s),
                ring_timeout_s=config.ring_timeout_s,
                max_talk_s=config.max_talk_s + MAX_TALK_GUARD_S,
                recording=offer.recording,
                auto_answer=settings.phones[phone].auto_answer,
                place=place,
            )
        )
        return leg

    def put(self, interaction: Interaction, agent: AgentId, phone: PhoneId, leg: LegId, why: str, *, waits: bool) -> Offer:
        """Note that an agent is offered the interaction on `leg`; whoever calls this does something with the leg."""
        step, visit = self.step, interaction.visit
        if visit is None:
            raise IllegalTransition(f"Interaction: {interaction.state.value} in no queue, it cannot be offered")
        config, directory = step.queue_settings(visit.queue, interaction), step.settings.recording_dir
        holds = recording.policy(step.settings, interaction, config, agent)
        is_recorded = recording.begins(holds, interaction)
        offer = Offer(
            number=interaction.offers_made,
            agent=agent,
            phone=phone,
            leg=leg,
            queue=visit.queue,
            since=step.now,
            why=why,
            recording=recording.path(directory, interaction.id, leg, step.now.utc_s) if is_recorded else "",
            waits=waits,
        )
        state = advance(INTERACTION, interaction.state, InteractionStep.OFFER)
        interaction = self.ledger.put(
            replace(interaction, state=state, offers=(*interaction.offers, offer), offers_made=interaction.offers_made + 1)
        )
        self.ledger.notice(interaction, NoticeKind.RINGING, agent=agent, phone=phone)
        self.set_guard(interaction)
        if waits and config.strategy is Strategy.RING_PROGRESSIVELY and len(interaction.offers) == 1:
            step.deadlines.set(DeadlineKind.RING_MORE, interaction.id, step.now.mono_s + config.ring_more_every_s)
        return offer

    # --- an offer that says nothing -----------------------------------------------------------------------------------
    def expect_news_of(self, leg: Leg) -> bool:
        """The dial of an offer has failed, and no event spoke of its channel: give those a moment. False: it is no offer's."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None or interaction.offer_on(leg.id) is None:
            return False
        self.step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, self.step.now.mono_s + NEWS_S)
        return True

    def guard_reached(self, interaction: Interaction) -> None:
        """Whoever rings longer than Asterisk itself allows is ended; the others ring on. An agent who is there for a call to make is looked
        at again."""
        for offer in interaction.offers:
            is_there = offer.leg in (interaction.joining, interaction.listener()) or self._is_at_a_call(interaction, offer)
            if not is_there and self._guard_of(interaction, offer) <= self.step.now.mono_s:
                self._give_up(interaction.id, offer)
        left = self.step.interactions.get(interaction.id)
        if left is not None:
            self.set_guard(left)

    def _is_at_a_call(self, interaction: Interaction, offer: Offer) -> bool:
        """Whether the agent hears who is to be called, or waits for the answer: either has an end of its own, and it may be long."""
        outbound, leg = interaction.outbound, self.step.legs.get(offer.leg)
        if outbound is None or outbound.is_reached or leg is None:
            return False
        session = self.step.sessions.get(leg.session)
        is_told = session is not None and session.dialogue is Dialogue.PREVIEW and not session.is_ending
        return is_told or self.step.attempts.get(outbound.attempt) is not None

    def _guard_of(self, interaction: Interaction, offer: Offer) -> float:
        accept_s = ACCEPT_S if self._is_outside(offer) else 0.0
        parting_s = PARTING_S if offer.parting is not None else 0.0
        return offer.since.mono_s + self._ring_s(interaction, offer) + RING_GUARD_S + accept_s + parting_s

    def _is_outside(self, offer: Offer) -> bool:
        phone = self.step.settings.phones.get(offer.phone)
        return phone is not None and phone.kind is PhoneKind.EXTERNAL

    def _ring_s(self, interaction: Interaction, offer: Offer) -> float:
        return self.step.queue_settings(offer.queue, interaction).ring_timeout_s

    def set_guard(self, interaction: Interaction) -> None:
        """For the offer whose time is over first, but not later than some news are expected. An end that was ordered, a join, and an
        agent who listens to a message are waited for elsewhere."""
        step, there = self.step, (interaction.joining, interaction.listener())
        ringing = [o for o in interaction.offers if o.leg not in there and not _is_ending(step.legs.get(o.leg))]
        due = [max(self._guard_of(interaction, o), step.now.mono_s + RING_GUARD_S) for o in ringing]
        known = step.deadlines.table.get((DeadlineKind.RING_GUARD, str(interaction.id)))
        if known is not None:
            due.append(known)
        if ringing:
            step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, min(due))
        else:
            step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)

    # --- who waits is taken -------------------------------------------------------------------------------------------
    def parked(self, leg: Leg) -> None:
        """An agent's leg waits to be joined. One that nobody waits for is ended."""
        interaction = self.step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is None or offer is None or interaction.state is not InteractionState.OFFERED:
            wanted = [interaction.joining, *(talk.leg for talk in interaction.talks())] if interaction is not None else []
            if leg.id not in wanted:
                self.step.hang_up(leg.id)
        elif offer.ends_as is None and not leg.is_cancelled and interaction.joining is None:
            self.step.legs.put(leg.id, replace(leg, bridge=None, is_parked=True))
            if interaction.is_being_called():
                return  # a headset's line was elsewhere meanwhile: it goes on waiting for the customer
            if interaction.leg in self.step.legs:
                self.take(interaction, offer)
            else:
                self.step.tell(OfferParked(interaction.id, offer.agent, leg.id))

    def take(self, interaction: Interaction, offer: Offer) -> None:
        """Join this one; nobody else needs to answer any more."""
        step = self.step
        if offer.leg is None:
            raise IllegalTransition(f"Interaction: an offer of {interaction.kind} has no leg to join")
        step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        max_talk_s = step.queue_settings(offer.queue, interaction).max_talk_s + MAX_TALK_GUARD_S
        interaction = self.joins.join(interaction, offer.leg, recording=offer.recording, max_talk_s=max_talk_s)
        for other in interaction.offers:
            if other.leg != offer.leg:
                self.withdraw(interaction.id, other, OfferOutcome.CANCELLED)
        self.set_guard(step.interactions[interaction.id])

    def withdraw(self, interaction_id: InteractionId, offer: Offer, outcome: OfferOutcome) -> None:
        """Nobody is to take this offer any more. A phone stops ringing; a headset's line goes back to where it parks."""
        leg = self.step.legs.get(offer.leg)
        if leg is None:
            return
        if leg.role is Role.HEADSET and leg.is_parked:
            self.ended(self.step.interactions[interaction_id], offer, outcome, is_leg_over=True)
            return
        self._ends_as(interaction_id, leg.id, outcome)
        if leg.role is not Role.HEADSET:
            self.step.hang_up(leg.id)
        else:
            session = self.step.sessions.get(leg.session)
            if session is not None:
                self.step.end_session(EndSession(session=session.id, next=Next.PARK))

    def part(self, interaction_id: InteractionId, offer: Offer, why: PromptId) -> bool:
        """Its agent, who has accepted and waits, hears why nobody is called; then the offer is over. False: nobody waits there."""
        leg = self.step.legs.get(offer.leg)
        if leg is None or not leg.is_parked or leg.is_cancelled or offer.ends_as is not None:
            return False
        interaction = self.step.interactions[interaction_id]
        told = replace(offer, ends_as=OfferOutcome.CANCELLED, parting=why)
        offers = tuple(told if o.leg == leg.id else o for o in interaction.offers)
        interaction = self.ledger.put(replace(interaction, offers=offers))
        self.joins.send(leg.id, Place.DESK)
        self.step.deadlines.clear(DeadlineKind.RING_GUARD, interaction_id)
        self.set_guard(interaction)
        return True

    def withdraw_all(self, interaction: Interaction) -> None:
        """The customer is gone, or goes elsewhere."""
        self.step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        for offer in interaction.offers:
            self.withdraw(interaction.id, offer, OfferOutcome.CALLER_GONE)

    def to_safety(self, offer: Offer) -> Offer | None:
        """After a fault: the offer as it is still to be waited for; None when its leg is free, or there is none. Does not raise."""
        leg = self.step.legs.get(offer.leg)
        if leg is None:
            return None
        if leg.role is not Role.HEADSET:
            self.step.hang_up(leg.id)
        elif leg.is_parked:
            self.step.legs.put(leg.id, replace(leg, interaction=None))
            return None
        else:
            self.joins.send(leg.id, Place.PARK)
        return replace(offer, ends_as=OfferOutcome.CANCELLED)

    # --- the end ------------------------------------------------------------------------------------------------------
    def join_failed(self, interaction: Interaction, leg: LegId) -> None:
        """The one that was taken was not joined, or nobody knows. Somebody is rung anew when its end is known."""
        offer = interaction.offer_on(leg)
        if offer is not None:
            self._give_up(interaction.id, offer)

    def _give_up(self, interaction_id: InteractionId, offer: Offer) -> None:
        """End the offer from our side. A headset's line is first called back to where it parks, and ended if it does not come."""
        step, leg = self.step, self.step.legs.get(offer.leg)
        if leg is None:
            return
        is_joining = step.interactions[interaction_id].joining == leg.id
        if leg.state is LegState.UP:
            self._ends_as(interaction_id, leg.id, OfferOutcome.FAILED)
        if leg.role is not Role.HEADSET or offer.ends_as is not None:
            step.hang_up(leg.id)
            return
        self.joins.send(leg.id, Place.PARK)
        kind = DeadlineKind.JOIN if is_joining else DeadlineKind.RING_GUARD
        step.deadlines.set(kind, interaction_id, step.now.mono_s + RING_GUARD_S)

    def _ends_as(self, interaction_id: InteractionId, leg: LegId, outcome: OfferOutcome) -> None:
        interaction = self.step.interactions[interaction_id]
        offers = tuple(replace(o, ends_as=o.ends_as or outcome) if o.leg == leg else o for o in interaction.offers)
        self.ledger.put(replace(interaction, offers=offers))

    def leg_ended(
        self, interaction: Interaction, offer: Offer, leg: Leg, cause: int, tech_cause: int, *, by: EndedBy | None
    ) -> None:
        """The leg of an offer is over. `by` is given when it is known otherwise (the PBX is gone)."""
        is_alone = not offer.waits or interaction.joining == leg.id
        if interaction.state is InteractionState.GONE:
            outcome = OfferOutcome.CALLER_GONE
        elif by is EndedBy.PBX:
            outcome = OfferOutcome.CANCELLED
        elif offer.ends_as is not None:
            outcome = offer.ends_as
        elif leg.state is LegState.UP and not leg.is_cancelled and is_alone:
            outcome = OfferOutcome.CALLER_GONE
            interaction = self.caller_missing(interaction)
        else:
            outcome = offer_outcome(leg, cause, tech_cause)
        self.ended(interaction, offer, outcome, is_leg_over=True)

    def caller_missing(self, interaction: Interaction) -> Interaction:
        """The agent was there, and the dialplan did not find the caller: whose Hangup is about to be read, and perhaps the end of
        the session too, which comes over another socket. No other phone must ring meanwhile."""
        self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
        return self.ledger.put(replace(interaction, is_missing=True))

    def ring_failed(self, leg: Leg, outcome: OfferOutcome) -> None:
        """The action failed and no channel came to be: this is the leg's only end."""
        interaction = self.step.interactions.get(leg.interaction)
        self.step.legs.drop(leg.id)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is not None and offer is not None:
            if interaction.state is InteractionState.GONE:
                outcome = OfferOutcome.CALLER_GONE
            self.ended(interaction, offer, outcome, is_leg_over=True)
        elif leg.agent is not None and leg.interaction is not None:
            # Hung up before it came to be, and its offer was over already.
            self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))

    def ended(self, interaction: Interaction, offer: Offer, outcome: OfferOutcome, *, is_leg_over: bool) -> None:
        """The offer ended without a talk; the next agent may be called only when none is left."""
        step = self.step
        if outcome is OfferOutcome.UNREACHABLE and self._is_outside(offer):
            # No state of such a phone will tell that it can be called again: the agent is spared for a while instead.
            outcome = OfferOutcome.FAILED
        self.ledger.store_offer(interaction, offer, outcome)
        interaction = step.interactions[interaction.id]
        if interaction.joining == offer.leg:
            interaction = self.joins.settled(interaction)
        line = step.legs.get(offer.leg)
        if line is not None and line.is_parked and line.role is Role.HEADSET:
            step.legs.put(line.id, replace(line, interaction=None))
        left = tuple(o for o in interaction.offers if o.leg != offer.leg)
        interaction = self.ledger.put(replace(interaction, offers=left))
        step.tell(OfferOver(interaction.id, offer.agent, outcome, is_leg_over))
        self.set_guard(interaction)
        if not left:
            step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        if interaction.state is InteractionState.OFFERED and not left:
            state = advance(INTERACTION, interaction.state, InteractionStep.OFFER_FAILED)
            self.ledger.put(replace(interaction, state=state))
        self.ledger.close_if_over(interaction.id)


def _is_ending(leg: Leg | None) -> bool:
    return leg is None or leg.is_cancelled

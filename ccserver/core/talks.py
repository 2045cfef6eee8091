"""Offers and talks: one agent's leg, from the ring to the end of the talk.

Asterisk itself joins the agent's leg with the caller when the agent answers. A second such leg would steal the caller out of
a live talk, so the next agent is rung only when the end of the first leg is known. How an offer or a talk ended is a fact that the
center carries on to the agent and to the interaction.
"""

from dataclasses import replace

from ccserver.core import recording
from ccserver.core.commands import RingAgent
from ccserver.core.facts import AgentLegOver, OfferOver, TalkBegan, TalkHeld, TalkOver
from ccserver.core.ids import AgentId, LegId, PhoneId
from ccserver.core.ledger import Ledger
from ccserver.core.records import EndedBy, NoticeKind, OfferOutcome, RecordingRecord, SegmentKind, VisitOutcome
from ccserver.core.state import DeadlineKind, Interaction, Leg, Offer, Role, Talk, Wrapping
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, LegState, advance

RING_GUARD_S = 5.0
"""How much later than the ring time-out, which Asterisk itself keeps, a silent offer is ended by us."""
MAX_TALK_GUARD_S = 5.0
"""How much later than we the dialplan ends a talk that is too long: its own clock starts before the talk does, and it is
there for the time without us."""
NEWS_S = 1.0
"""How long after the failure of a dial the news of its channel may be on its way: Asterisk tells the two from different
threads, and a phone that was busy at once is told of as if it had never been called."""
RETURN_S = 2.0
"""How long a customer's leg may take from the bridge back into the loop."""
NORMAL_CAUSES = frozenset({0, 16, 31})
"""Q.850: the agent hung up. Anything else in mid-call is a line that broke."""


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


class Talks:
    """Rings agents, notices the join and the end."""

    def __init__(self, step: Step, ledger: Ledger) -> None:
        self.step = step
        self.ledger = ledger

    def offer(self, interaction: Interaction, agent: AgentId, phone: PhoneId, why: str) -> LegId:
        """Ring one agent. Returns the leg we asked for."""
        step, settings, visit = self.step, self.step.settings, interaction.visit
        assert visit is not None and interaction.leg is not None
        counters = step.clockwork
        leg = LegId(settings.pbx, f"cc{settings.pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")
        step.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        config = step.queue_settings(visit.queue, interaction)
        kept = recording.path(settings.recording_dir, interaction.id, leg, step.now.utc_s) if config.record else ""
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
        offer = Offer(
            number=interaction.offers_made,
            agent=agent,
            phone=phone,
            leg=leg,
            queue=visit.queue,
            since=step.now,
            why=why,
            recording=kept,
        )
        state = advance(INTERACTION, interaction.state, InteractionStep.OFFER)
        self.ledger.put(
            replace(interaction, state=state, offers=(*interaction.offers, offer), offers_made=interaction.offers_made + 1)
        )
        self.ledger.notice(step.interactions[interaction.id], NoticeKind.RINGING, agent=agent, phone=phone)
        step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, step.now.mono_s + config.ring_timeout_s + RING_GUARD_S)
        step.order(
            RingAgent(
                leg=leg,
                interaction=interaction.id,
                agent=agent,
                phone=phone,
                queue=visit.queue,
                caller=interaction.leg,
                caller_channel=step.legs[interaction.leg].channel,
                number=interaction.caller_number,
                name=config.name,
                ring_timeout_s=config.ring_timeout_s,
                max_talk_s=config.max_talk_s + MAX_TALK_GUARD_S,
                recording=kept,
                auto_answer=settings.phones[phone].auto_answer,
            )
        )
        return leg

    def expect_news_of(self, leg: Leg) -> bool:
        """The dial of an offer has failed, and no event spoke of its channel: give those a moment. False: it is no offer's."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None or interaction.offer_on(leg.id) is None:
            return False
        self.step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, self.step.now.mono_s + NEWS_S)
        return True

    def ring_guard_reached(self, offer: Offer) -> None:
        self.step.hang_up(offer.leg)

    def offer_ended(self, interaction: Interaction, offer: Offer, outcome: OfferOutcome, *, is_leg_over: bool) -> None:
        """The offer ended without a talk; the next agent may be called only now that the leg's end is known."""
        step = self.step
        self.ledger.store_offer(interaction, offer, outcome)
        interaction = step.interactions[interaction.id]
        left = tuple(o for o in interaction.offers if o.leg != offer.leg)
        interaction = self.ledger.put(replace(interaction, offers=left))
        step.tell(OfferOver(interaction.id, offer.agent, outcome, is_leg_over))
        if not left:
            step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        if interaction.state is InteractionState.OFFERED and not left:
            state = advance(INTERACTION, interaction.state, InteractionStep.OFFER_FAILED)
            self.ledger.put(replace(interaction, state=state))
        self.ledger.close_if_over(interaction.id)

    def entered_bridge(self, leg: Leg) -> None:
        """One leg is in a bridge; when the other is in the same one, the talk has begun."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None or interaction.state is not InteractionState.OFFERED:
            return
        caller = self.step.legs.get(interaction.leg)
        if caller is None or caller.bridge is None:
            return
        for offer in interaction.offers:
            agent = self.step.legs.get(offer.leg)
            if agent is not None and agent.bridge == caller.bridge:
                self._talk_begins(interaction, offer)
                return

    def _talk_begins(self, interaction: Interaction, offer: Offer) -> None:
        step = self.step
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        self.ledger.store_offer(interaction, offer, OfferOutcome.ANSWERED)
        interaction = self.ledger.end_visit(step.interactions[interaction.id], VisitOutcome.ANSWERED, offer.agent)
        talk = Talk(agent=offer.agent, leg=offer.leg, queue=offer.queue, since=step.now, recording=offer.recording)
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        interaction = replace(interaction, state=state, offers=(), talk=talk, agent=offer.agent, after=None, ended_by=None)
        interaction = self.ledger.notice(interaction, NoticeKind.ANSWERED, agent=offer.agent, phone=offer.phone)
        max_talk_s = step.queue_settings(offer.queue, interaction).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + max_talk_s)
        step.tell(TalkBegan(interaction.id, offer.agent))

    def held(self, leg: Leg, *, is_held: bool) -> None:
        """The agent's phone put the customer on hold, or took them back."""
        interaction = self.step.interactions.get(leg.interaction)
        talk = interaction.talk if interaction is not None else None
        if interaction is None or talk is None or talk.leg != leg.id or (talk.held_since is not None) == is_held:
            return
        if is_held:
            self.ledger.put(replace(interaction, talk=replace(talk, held_since=self.step.now)))
        else:
            self.ledger.hold_segment(interaction, talk)
            interaction = self.step.interactions[interaction.id]
            self.ledger.put(replace(interaction, talk=replace(talk, held_since=None)))
        self.step.tell(TalkHeld(interaction.id, talk.agent, is_held))

    def talk_over(self, interaction: Interaction, by: EndedBy) -> Interaction:
        """The talk has ended; the customer's leg is about to come back, unless it is gone."""
        step = self.step
        assert interaction.talk is not None
        if interaction.talk.is_released and by is EndedBy.SYSTEM:
            by = EndedBy.AGENT
        step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        for talk in reversed(interaction.talks()):
            interaction = self.part_over(interaction, talk, by)
        state = advance(INTERACTION, interaction.state, InteractionStep.TALK_OVER)
        interaction = self.ledger.put(replace(interaction, state=state, ended_by=by))
        step.deadlines.set(DeadlineKind.RETURN, interaction.id, step.now.mono_s + RETURN_S)
        return interaction

    def part_over(self, interaction: Interaction, talk: Talk, by: EndedBy) -> Interaction:
        """One agent's part in the talk is over, and the agent wraps up; the interaction's state stays as it is."""
        step, now = self.step, self.step.now
        self.ledger.hold_segment(interaction, talk)
        self.ledger.segment(
            step.interactions[interaction.id],
            SegmentKind.TALK,
            talk.since,
            queue=talk.queue,
            agent=talk.agent,
            detail=by.value,
        )
        interaction = self.recording_over(step.interactions[interaction.id], talk)
        # In a conference the customer's time counts once: the first agent's, and from their going on the next one's.
        is_first = interaction.talk is not None and interaction.talk.agent == talk.agent
        left = [t for t in interaction.talks() if t.agent != talk.agent]
        counted_s = talk.since.mono_s if talk.counted_from_s is None else talk.counted_from_s
        if is_first and left:
            left[0] = replace(left[0], counted_from_s=now.mono_s)
        interaction = self.ledger.put(
            replace(
                interaction,
                talk=left[0] if left else None,
                others=tuple(left[1:]),
                talk_s=interaction.talk_s + (now.mono_s - counted_s if is_first else 0.0),
                wrapping=(*interaction.wrapping, Wrapping(agent=talk.agent, queue=talk.queue, since=now)),
            )
        )
        step.deadlines.clear(DeadlineKind.HOLD_REMINDER, interaction.id)
        step.tell(TalkOver(interaction.id, talk.agent, talk.queue, by is EndedBy.AGENT_LOST))
        return interaction

    def recording_over(self, interaction: Interaction, talk: Talk) -> Interaction:
        """The stretch that was being recorded is complete."""
        if not talk.recording or talk.leg is None:
            return interaction
        since = talk.recorded_since or talk.since
        self.step.store(
            RecordingRecord(
                interaction=interaction.id,
                number=interaction.recordings,
                agent=talk.agent,
                leg=talk.leg,
                path=talk.recording,
                started_utc_s=since.utc_s,
                duration_s=self.step.now.mono_s - since.mono_s,
            )
        )
        return self.ledger.put(replace(interaction, recordings=interaction.recordings + 1))

    def agent_leg_ended(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None = None) -> None:
        """`by` is given when it is known otherwise (the PBX is gone)."""
        interaction = self.step.interactions.get(leg.interaction)
        if leg.agent is None or leg.interaction is None:
            return
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is not None and offer is not None:
            if interaction.state is InteractionState.GONE:
                outcome = OfferOutcome.CALLER_GONE
            elif by is EndedBy.PBX:
                outcome = OfferOutcome.CANCELLED
            elif leg.state is LegState.UP and not leg.is_cancelled:
                # The agent answered, and the dialplan did not find the caller: whose Hangup is about to be read, and perhaps
                # the end of the session too, which comes over another socket. No other phone must ring meanwhile.
                outcome = OfferOutcome.CALLER_GONE
                interaction = self.ledger.put(replace(interaction, is_missing=True))
                self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
            else:
                outcome = offer_outcome(leg, cause, tech_cause)
            self.offer_ended(interaction, offer, outcome, is_leg_over=True)
            return
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            if by is None and leg.is_cancelled:
                by = EndedBy.SYSTEM
            if by is None:
                by = EndedBy.AGENT if cause in NORMAL_CAUSES else EndedBy.AGENT_LOST
            self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))
            self.talk_over(interaction, by)
            return
        self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))

    def agent_leg_came_back(self, leg: Leg) -> None:
        """The agent's leg left the bridge by itself: the customer hung up first, or was hung up by us, and their Hangup is
        about to be read."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            caller = self.step.legs.get(interaction.leg)
            is_ours = caller is not None and caller.is_cancelled
            self.talk_over(interaction, EndedBy.SYSTEM if is_ours else EndedBy.CUSTOMER)

    def ring_failed(self, leg: Leg, outcome: OfferOutcome) -> None:
        """The action failed and no channel came to be: this is the leg's only end."""
        interaction = self.step.interactions.get(leg.interaction)
        self.step.legs.drop(leg.id)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is not None and offer is not None:
            if interaction.state is InteractionState.GONE:
                outcome = OfferOutcome.CALLER_GONE
            self.offer_ended(interaction, offer, outcome, is_leg_over=True)

    def max_talk_reached(self, interaction: Interaction) -> None:
        if interaction.talk is not None:
            self.step.hang_up(interaction.talk.leg)

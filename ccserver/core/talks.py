"""Talks: an agent's leg and the customer's in one bridge, from the join to the end.

How a talk ended is a fact that the center carries on to the agent and to the interaction.
"""

from ccserver.core import expected_wait, recording
from ccserver.core.change import replace
from ccserver.core.facts import AgentLegOver, TalkBegan, TalkHeld, TalkOver
from ccserver.core.ledger import Ledger
from ccserver.core.moment import Moment
from ccserver.core.offers import RETURN_S, Offers
from ccserver.core.records import (
    EndedBy,
    NoticeKind,
    OfferOutcome,
    RecordingKind,
    RecordingRecord,
    RecordingSide,
    SegmentKind,
    VisitOutcome,
)
from ccserver.core.state import CONSULT, DeadlineKind, Interaction, Leg, Offer, QueueCounters, Role, Talk, Wrapping
from ccserver.core.step import Step
from ccserver.core.tracks import Tracks
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

NORMAL_CAUSES = frozenset({0, 16, 31})
"""Q.850: the agent hung up. Anything else in mid-call is a line that broke."""


class Talks:
    """Notices the join and the end."""

    def __init__(self, step: Step, ledger: Ledger, offers: Offers, tracks: Tracks) -> None:
        self.step = step
        self.ledger = ledger
        self.offers = offers
        self.tracks = tracks

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
            could_join = not offer.waits or interaction.joining == offer.leg
            if could_join and agent is not None and agent.bridge == caller.bridge:
                self.begins(interaction, offer)
                return

    def begins(self, interaction: Interaction, offer: Offer) -> None:
        """The agent of this offer has taken it."""
        step = self.step
        for other in interaction.offers:
            if other.leg != offer.leg:
                # They were hung up when this one was taken. Their offers are over now; they are free when their legs are.
                present = step.interactions[interaction.id]
                self.offers.ended(present, other, OfferOutcome.CANCELLED, is_leg_over=other.leg not in step.legs)
        interaction = self.offers.joins.settled(step.interactions[interaction.id])
        for kind in (DeadlineKind.RING_GUARD, DeadlineKind.RING_MORE):
            step.deadlines.clear(kind, interaction.id)
        self.ledger.store_offer(interaction, offer, OfferOutcome.ANSWERED)
        interaction = self.ledger.end_visit(step.interactions[interaction.id], VisitOutcome.ANSWERED, offer.agent)
        talk = Talk(agent=offer.agent, leg=offer.leg, queue=offer.queue, since=step.now, recording=offer.recording)
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        interaction = replace(interaction, state=state, offers=(), talk=talk, agent=offer.agent, after=None, ended_by=None)
        interaction = self.ledger.notice(interaction, NoticeKind.ANSWERED, agent=offer.agent, phone=offer.phone)
        max_talk_s = step.queue_settings(offer.queue, interaction).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + max_talk_s)
        step.tell(TalkBegan(interaction.id, offer.agent))

    def is_past_waiting(self, leg: Leg) -> bool:
        """Whether an agent's leg that waited to be joined is being joined, talks with the customer or has them on hold."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None:
            return False
        return interaction.joining == leg.id or any(talk.leg == leg.id for talk in interaction.talks())

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
        if interaction.talk.is_released and by in (EndedBy.SYSTEM, EndedBy.CUSTOMER):
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
        counters = step.queues.get(talk.queue) or QueueCounters()
        step.put_queue(talk.queue, expected_wait.talked(counters, now.mono_s - talk.since.mono_s))
        interaction = self.recording_over(step.interactions[interaction.id], talk)
        # In a conference the customer's time counts once: the first agent's, and from their going on the next one's.
        is_first = interaction.talk is not None and interaction.talk.agent == talk.agent
        left = [t for t in interaction.talks() if t.agent != talk.agent]
        counted_s = talk.since.mono_s if talk.counted_from_s is None else talk.counted_from_s
        guest = interaction.guest
        if is_first and left:
            left[0] = replace(left[0], counted_from_s=now.mono_s)
        elif is_first and guest is not None:
            guest = replace(guest, counted_from_s=now.mono_s)
        counts = is_first and interaction.left is None
        interaction = self.ledger.put(
            replace(
                interaction,
                talk=left[0] if left else None,
                others=tuple(left[1:]),
                guest=guest,
                talk_s=interaction.talk_s + (now.mono_s - counted_s if counts else 0.0),
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
        since, now = recorded_from(talk), self.step.now
        holds = recording.policy(self.step.settings, interaction, self.step.queue_settings(talk.queue, interaction), talk.agent)
        self.step.store(
            RecordingRecord(
                interaction=interaction.id,
                number=interaction.recordings,
                agent=talk.agent,
                leg=talk.leg,
                path=talk.recording,
                started_utc_s=since.utc_s,
                duration_s=now.mono_s - since.mono_s,
                kind=RecordingKind.CONSULT if interaction.kind == CONSULT else RecordingKind.TALK,
                queue=talk.queue,
                is_provisional=recording.is_provisional(holds),
                pauses=paused_until(talk, now).pauses,
                side=RecordingSide.AGENTS if talk.is_apart else RecordingSide.BOTH,
            )
        )
        interaction = self.ledger.put(replace(interaction, recordings=interaction.recordings + 1))
        return self.tracks.talk_over(interaction, talk) if interaction.tracks else interaction

    def agent_leg_ended(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None = None) -> None:
        """`by` is given when it is known otherwise (the PBX is gone)."""
        interaction = self.step.interactions.get(leg.interaction)
        if leg.agent is None or leg.interaction is None:
            return
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is not None and offer is not None:
            self.offers.leg_ended(interaction, offer, leg, cause, tech_cause, by=by)
            return
        self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            if by is None and leg.is_cancelled:
                by = EndedBy.SYSTEM
            if by is None:
                by = EndedBy.AGENT if cause in NORMAL_CAUSES else EndedBy.AGENT_LOST
            self.talk_over(interaction, by)

    def agent_leg_came_back(self, leg: Leg) -> None:
        """The agent's leg left the bridge by itself: the customer hung up first, or was hung up by us, and their Hangup is
        about to be read."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            caller = self.step.legs.get(interaction.leg)
            is_ours = caller is not None and caller.is_cancelled
            self.talk_over(interaction, EndedBy.SYSTEM if is_ours else EndedBy.CUSTOMER)

    def max_talk_reached(self, interaction: Interaction) -> None:
        """A headset's line stays: there the customer's leg is ended."""
        if interaction.talk is not None:
            leg = self.step.legs.get(interaction.talk.leg)
            is_line = leg is not None and leg.role is Role.HEADSET
            self.step.hang_up(interaction.leg if is_line else interaction.talk.leg)


def recorded_from(talk: Talk) -> Moment:
    """When the stretch that is being recorded began."""
    return talk.recorded_since or talk.since


def paused_until(talk: Talk, now: Moment) -> Talk:
    """The talk with its present pause over, if it has one."""
    if talk.paused_since is None:
        return talk
    start_s = recorded_from(talk).mono_s
    pause = (max(0.0, talk.paused_since.mono_s - start_s), now.mono_s - start_s)
    return replace(talk, paused_since=None, pauses=(*talk.pauses, pause))

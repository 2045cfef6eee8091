"""The interactions: a call from its arrival to its last record.

A caller's leg lives in a loop of the dialplan that comes back to us by an AGI session; the leg and the session are two things,
and only the end of the leg means that the caller is gone. Each change of state goes through the table in `transitions`.

Which rule wins: the caller's end before everything; then the end of the agent's leg; then what a prompt or a digit says.
"""

from collections.abc import Callable
from dataclasses import replace

from ccserver.core import ivr, recording, stats
from ccserver.core.commands import AnswerCall, Collect, EndSession, Next, RingAgent, Say, WaitUntil
from ccserver.core.events import CallArrived
from ccserver.core.facts import AgentLegOver, OfferOver, TalkBegan, TalkHeld, TalkOver
from ccserver.core.hours import is_open
from ccserver.core.ids import AgentId, InteractionId, LegId, NodeId, PhoneId, PromptId, QueueId, SessionId, SkillId
from ccserver.core.moment import Moment
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    RecordingRecord,
    SegmentKind,
    SegmentRecord,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import AnswerPolicy, Exit, ExitKind, MenuNode, Spoken, SpokenKind
from ccserver.core.state import (
    VOICE,
    After,
    AfterKind,
    DeadlineKind,
    Dialogue,
    Interaction,
    Leg,
    Offer,
    QueueCounters,
    Role,
    Session,
    Talk,
    Visit,
)
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
LEAVE_S = 10.0
"""How long a released leg may take to end before it is hung up."""
HOPS_MAX = 5
"""Queues that one interaction may be handed through."""
NEXT_DIGIT_S = 3.0
HUNG_UP_KEPT_S = 60.0
NORMAL_CAUSES = frozenset({0, 16, 31})
"""Q.850: the agent hung up. Anything else in mid-call is a line that broke."""
NO_ROUTE, REJECTED = 3, 21

OUTCOME_OF_VISIT = {
    VisitOutcome.ANSWERED: Outcome.ANSWERED,
    VisitOutcome.ABANDONED: Outcome.ABANDONED,
    VisitOutcome.SHORT_ABANDONED: Outcome.ABANDONED,
    VisitOutcome.OVERFLOWED: Outcome.OVERFLOWED,
    VisitOutcome.REFUSED_FULL: Outcome.REFUSED,
    VisitOutcome.REFUSED_CLOSED: Outcome.REFUSED,
    VisitOutcome.REFUSED_UNSTAFFED: Outcome.REFUSED,
    VisitOutcome.LOST: Outcome.LOST,
}


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


class Interactions:
    """`position` is an interaction's place in its queue; `is_staffed` whether anybody logged in could serve a class."""

    def __init__(
        self,
        step: Step,
        *,
        position: Callable[[InteractionId], int],
        waiting_in: Callable[[QueueId], int],
        is_staffed: Callable[[QueueId, tuple[SkillId, ...]], bool],
    ) -> None:
        self.step = step
        self._position = position
        self._waiting_in = waiting_in
        self._is_staffed = is_staffed

    # --- arrival ------------------------------------------------------------------------------------------------------
    def call_arrived(self, event: CallArrived) -> None:
        step = self.step
        leg = step.legs.get(event.leg)
        step.sessions.put(event.session, Session(id=event.session, leg=event.leg, dialogue=Dialogue.CALLER))
        if event.leg in step.over:
            # It came back from a talk and hung up at once: two sockets, and the end of the leg was read first. Its story is
            # told already; as a new one it would be a caller who is offered to one agent after the other and is not there.
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        if leg is None:
            self._begin(event)
            return
        step.legs.put(leg.id, replace(leg, session=event.session, heard_s=step.now.mono_s, unseen=0))
        interaction = step.interactions.get(leg.interaction)
        if interaction is None or leg.role is not Role.CALLER:
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        step.about = interaction.id
        self._came_back(interaction)

    def _begin(self, event: CallArrived) -> None:
        step, settings = self.step, self.step.settings
        number = InteractionId(step.clockwork.next_interaction)
        step.clockwork = replace(step.clockwork, next_interaction=number + 1)
        step.about = number
        leg = Leg(
            id=event.leg,
            role=Role.CALLER,
            state=LegState.STARTED,
            channel=event.channel,
            interaction=number,
            session=event.session,
            heard_s=step.now.mono_s,
        )
        step.legs.put(leg.id, leg)
        did = settings.dids.get(event.did) or settings.dids.get(event.did.removeprefix("+")) or settings.dids.get("*")
        interaction = Interaction(
            id=number,
            kind=VOICE,
            state=InteractionState.MENU,
            leg=event.leg,
            did=event.did,
            caller_number=event.caller_number,
            caller_name=event.caller_name,
            language=did.language if did else settings.default_language,
            version=settings.content_hash,
            arrived=step.now,
            menu_since=step.now,
        )
        step.put_interaction(interaction)
        if event.leg in step.hung_up:
            # Two sockets: the end of the leg was read before its arrival.
            step.hung_up.drop(event.leg)
            step.legs.drop(event.leg)
            self.caller_gone(interaction.id, EndedBy.CUSTOMER)
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
        elif did is None or did.answer is AnswerPolicy.NEVER:
            interaction = self._put(replace(interaction, outcome=Outcome.REFUSED))
            self._release(interaction, cause=REJECTED if did else NO_ROUTE)
        else:
            flow = settings.flows[did.flow]
            interaction = self._put(replace(interaction, flow=did.flow, node=flow.start))
            if did.answer is AnswerPolicy.AT_ONCE:
                interaction = self._answer(interaction)
            self._walk(interaction, flow.start)

    def _came_back(self, interaction: Interaction) -> None:
        """A known leg with a new session: what was being done is taken up again."""
        match interaction.state:
            case InteractionState.MENU:
                self._walk(interaction, NodeId(interaction.node or ""))
            case InteractionState.WAITING | InteractionState.OFFERED:
                interaction = self._found(interaction)
                if interaction.after is not None and interaction.after.exit is not None:
                    self._take_exit(replace(interaction, after=None), replace(interaction.after.exit, prompt=None))
                else:
                    self.step.to_entertain[interaction.id] = None
            case InteractionState.TALKING:
                # Out of the bridge, and the end of the agent's leg is not read yet: it says how the talk ended.
                self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
            case InteractionState.RETURNING:
                self._returned(interaction)
            case InteractionState.LEAVING:
                self._release(interaction)
            case InteractionState.GONE:
                self._end_session(interaction)

    # --- the menu -----------------------------------------------------------------------------------------------------
    def _walk(self, interaction: Interaction, node: NodeId) -> None:
        settings = self.step.settings_of(interaction)
        if interaction.flow is None:
            self._release(interaction)
            return
        walked = ivr.walk(
            settings.flows[interaction.flow],
            node,
            language=interaction.language,
            steps=interaction.steps,
            settings=settings,
            utc_s=self.step.now.utc_s,
        )
        needs = interaction.needs
        if walked.language != interaction.language:
            old, new = (settings.language_skills.get(x) for x in (interaction.language, walked.language))
            needs = tuple(s for s in needs if s != old) + ((new,) if new else ())
        tries = interaction.tries if walked.node == interaction.node else 0
        interaction = self._put(
            replace(
                interaction,
                node=walked.node,
                language=walked.language,
                needs=needs,
                steps=walked.steps,
                tries=tries,
                after=None,
            )
        )
        match walked.act:
            case ivr.Speak() as act:
                after = After(kind=AfterKind.NODE, target=act.next)
                self._say(interaction, act.say, after, stop_digits="0123456789*#" if act.can_interrupt else "")
            case ivr.Ask() as act:
                self._ask(interaction, act.menu, act.menu.say)
            case ivr.Enqueue() as act:
                self.enqueue(interaction, act.queue)
            case ivr.HandOver() as act:
                self._say(interaction, act.say, After(kind=AfterKind.EXTENSION, target=act.extension))
            case ivr.Release() as act:
                outcome = Outcome.LOST if act.is_too_long else Outcome.REFUSED
                interaction = self._put(replace(interaction, outcome=outcome))
                self._say(interaction, act.say, After(kind=AfterKind.LEAVE))

    def _ask(self, interaction: Interaction, menu: MenuNode, say: tuple[Spoken, ...]) -> None:
        session = self._session(interaction)
        if session is not None:
            self.step.speak(
                Collect(
                    session=session,
                    say=_spelled(say, interaction),
                    language=interaction.language,
                    max_digits=max(map(len, menu.choices)),
                    first_timeout_s=menu.timeout_s,
                    next_timeout_s=NEXT_DIGIT_S,
                    terminator="" if any("#" in c for c in menu.choices) else "#",
                    can_interrupt=menu.can_interrupt,
                    complete=ivr.complete_choices(menu),
                )
            )

    def digits_collected(self, interaction: Interaction, digits: str) -> None:
        settings = self.step.settings_of(interaction)
        flow = settings.flows[interaction.flow] if interaction.flow else None
        menu = flow.nodes.get(interaction.node) if flow and interaction.node else None
        if interaction.state is not InteractionState.MENU or not isinstance(menu, MenuNode):
            return
        chosen = ivr.choose(menu, digits, interaction.tries + 1)
        if chosen.node is None:
            interaction = self._put(replace(interaction, tries=interaction.tries + 1))
            self._ask(interaction, menu, (*chosen.say, *menu.say))
        else:
            # Leaving the menu starts its tries anew, also where it leads to itself.
            self._walk(self._put(replace(interaction, tries=0)), chosen.node)

    # --- what follows a prompt ----------------------------------------------------------------------------------------
    def verb_ended(self, interaction: Interaction) -> None:
        """The newest verb of the caller's session has ended, and it was no menu."""
        after = interaction.after
        if after is None:
            if interaction.state in (InteractionState.WAITING, InteractionState.OFFERED):
                self.step.to_entertain[interaction.id] = None
            return
        interaction = self._put(replace(interaction, after=None))
        match after.kind:
            case AfterKind.NODE:
                self._walk(interaction, NodeId(after.target))
            case AfterKind.EXIT:
                if after.exit is not None:
                    self._take_exit(interaction, after.exit)
            case AfterKind.LEAVE:
                self._release(interaction)
            case AfterKind.EXTENSION:
                self._hand_over(interaction, after.target)
            case AfterKind.KEEP_WAITING:
                self._wait(interaction)

    # --- the queue ----------------------------------------------------------------------------------------------------
    def enqueue(self, interaction: Interaction, queue: QueueId, *, rank: int = 1, waiting_since_s: float | None = None) -> None:
        """Into a queue, or out of its door: closed, full, unstaffed."""
        step, now = self.step, self.step.now
        if interaction.state is InteractionState.MENU:
            interaction = self._menu_segment(interaction)
        what = InteractionStep.REQUEUE if interaction.state is InteractionState.RETURNING else InteractionStep.ENQUEUE
        config = step.queue_settings(queue, interaction)
        skills = tuple(sorted({*config.skills, *interaction.needs}))
        visit = Visit(
            number=interaction.visits,
            queue=queue,
            entered=now,
            waiting_since_s=now.mono_s if waiting_since_s is None else waiting_since_s,
            rank=rank,
            skills=skills,
        )
        interaction = self._put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, what),
                queue=queue,
                visit=visit,
                visits=interaction.visits + 1,
                hops=interaction.hops + 1,
            )
        )
        step.queues.put(queue, stats.began(step.queues.get(queue) or QueueCounters()))
        is_requeue = what is InteractionStep.REQUEUE
        if config.hours is not None and not is_open(step.settings_of(interaction).hours[config.hours], now.utc_s):
            self._refuse(interaction, VisitOutcome.REFUSED_CLOSED, config.on_closed)
        elif not is_requeue and config.max_waiting is not None and self._waiting_in(queue) >= config.max_waiting:
            self._refuse(interaction, VisitOutcome.REFUSED_FULL, config.on_full)
        elif not is_requeue and config.on_unstaffed is not None and not self._is_staffed(queue, skills):
            self._refuse(interaction, VisitOutcome.REFUSED_UNSTAFFED, config.on_unstaffed)
        else:
            if not interaction.is_answered:
                interaction = self._answer(interaction)
            if config.max_wait_s is not None:
                step.deadlines.set(DeadlineKind.MAX_WAIT, interaction.id, now.mono_s + config.max_wait_s)
            step.to_entertain[interaction.id] = None

    def entertain(self, interaction: Interaction) -> None:
        """Position, where the queue announces it, then music; asked once the matcher has had its say."""
        if interaction.state not in (InteractionState.WAITING, InteractionState.OFFERED) or interaction.visit is None:
            return
        config = self.step.queue_settings(interaction.visit.queue, interaction)
        if config.announce_position_every_s is None or interaction.state is InteractionState.OFFERED:
            self._wait(interaction)
            return
        place = self._position(interaction.id)
        if place == 1:
            say: tuple[Spoken, ...] = (_prompt("cc-queue-next"),)
        else:
            say = (_prompt("cc-queue-position"), Spoken(SpokenKind.NUMBER, str(place)))
        self._say(interaction, say, After(kind=AfterKind.KEEP_WAITING))

    def _wait(self, interaction: Interaction) -> None:
        session = self._session(interaction)
        if session is not None and interaction.visit is not None:
            config = self.step.queue_settings(interaction.visit.queue, interaction)
            self.step.speak(WaitUntil(session=session, music=config.music, timeout_s=config.announce_position_every_s))

    def _refuse(self, interaction: Interaction, outcome: VisitOutcome, way: Exit) -> None:
        self._end_visit(interaction, outcome)
        self._take_exit(self.step.interactions[interaction.id], way)

    def _take_exit(self, interaction: Interaction, way: Exit) -> None:
        """Leave a queue by one of its exits. The visit is over already."""
        if way.prompt is not None and self._session(interaction) is not None:
            after = After(kind=AfterKind.EXIT, exit=replace(way, prompt=None))
            self._say(interaction, (Spoken(SpokenKind.PROMPT, way.prompt),), after)
        elif way.kind is ExitKind.QUEUE and interaction.hops < HOPS_MAX:
            self.enqueue(interaction, QueueId(way.target), waiting_since_s=self.step.now.mono_s - interaction.wait_s)
        elif way.kind is ExitKind.EXTENSION:
            self._hand_over(interaction, way.target)
        elif way.kind is ExitKind.NODE and interaction.flow is not None:
            state = advance(INTERACTION, interaction.state, InteractionStep.BACK_TO_MENU)
            self._walk(self._put(replace(interaction, state=state, menu_since=self.step.now)), NodeId(way.target))
        else:
            self._release(interaction)

    def max_wait_reached(self, interaction: Interaction) -> None:
        """The longest wait. While an agent's phone rings, that comes first: see `_offer_ended`."""
        if interaction.state is InteractionState.WAITING and interaction.visit is not None:
            way = self.step.queue_settings(interaction.visit.queue, interaction).on_max_wait
            self._refuse(interaction, VisitOutcome.OVERFLOWED, way)

    def _end_visit(self, interaction: Interaction, outcome: VisitOutcome, agent: AgentId | None = None) -> Interaction:
        step, now, visit = self.step, self.step.now, interaction.visit
        if visit is None:
            return interaction
        config = step.queue_settings(visit.queue, interaction)
        wait_s = now.mono_s - visit.entered.mono_s
        is_within = outcome is VisitOutcome.ANSWERED and now.mono_s - visit.waiting_since_s <= config.service_level_s
        counters = step.queues.get(visit.queue) or QueueCounters()
        step.queues.put(visit.queue, stats.ended(counters, outcome, wait_s, is_within=is_within))
        step.store(
            VisitRecord(
                interaction=interaction.id,
                number=visit.number,
                queue=visit.queue,
                entered_utc_s=visit.entered.utc_s,
                wait_s=wait_s,
                outcome=outcome,
                is_within_service_level=is_within,
                agent=agent,
            )
        )
        self._segment(interaction, SegmentKind.WAIT, visit.entered, queue=visit.queue, detail=outcome.value)
        step.deadlines.clear(DeadlineKind.MAX_WAIT, interaction.id)
        interaction = step.interactions[interaction.id]
        return self._put(
            replace(interaction, visit=None, wait_s=interaction.wait_s + wait_s, outcome=OUTCOME_OF_VISIT[outcome])
        )

    # --- offers -------------------------------------------------------------------------------------------------------
    def offer(self, interaction: Interaction, agent: AgentId, phone: PhoneId, why: str) -> LegId:
        """Ring one agent. Returns the leg we asked for."""
        step, settings, visit = self.step, self.step.settings, interaction.visit
        assert visit is not None
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
            number=interaction.offers,
            agent=agent,
            phone=phone,
            leg=leg,
            queue=visit.queue,
            since=step.now,
            why=why,
            recording=kept,
        )
        state = advance(INTERACTION, interaction.state, InteractionStep.OFFER)
        self._put(replace(interaction, state=state, offer=offer, offers=interaction.offers + 1))
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
        if interaction is None or interaction.offer is None or interaction.offer.leg != leg.id:
            return False
        self.step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, self.step.now.mono_s + NEWS_S)
        return True

    def ring_guard_reached(self, interaction: Interaction) -> None:
        if interaction.offer is not None:
            self.step.hang_up(interaction.offer.leg)

    def _offer_ended(self, interaction: Interaction, outcome: OfferOutcome, *, is_leg_over: bool) -> None:
        """The offer ended without a talk; the next agent may be called only now that the leg's end is known."""
        step, offer = self.step, interaction.offer
        assert offer is not None
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        self._store_offer(interaction, offer, outcome)
        interaction = self._put(replace(step.interactions[interaction.id], offer=None))
        step.tell(OfferOver(interaction.id, offer.agent, outcome, is_leg_over))
        if interaction.state is InteractionState.OFFERED:
            state = advance(INTERACTION, interaction.state, InteractionStep.OFFER_FAILED)
            interaction = self._put(replace(interaction, state=state))
            visit = interaction.visit
            config = step.queue_settings(visit.queue, interaction) if visit else None
            if visit and config and config.max_wait_s and visit.entered.mono_s + config.max_wait_s <= step.now.mono_s:
                self.max_wait_reached(interaction)
        self._close_if_over(interaction.id)

    def _store_offer(self, interaction: Interaction, offer: Offer, outcome: OfferOutcome) -> None:
        step = self.step
        step.store(
            OfferRecord(
                interaction=interaction.id,
                number=offer.number,
                queue=offer.queue,
                agent=offer.agent,
                phone=offer.phone,
                leg=offer.leg,
                offered_utc_s=offer.since.utc_s,
                ring_s=step.now.mono_s - offer.since.mono_s,
                outcome=outcome,
                why=offer.why,
            )
        )
        self._segment(interaction, SegmentKind.RING, offer.since, queue=offer.queue, agent=offer.agent, detail=outcome.value)

    # --- the talk -----------------------------------------------------------------------------------------------------
    def entered_bridge(self, leg: Leg) -> None:
        """One leg is in a bridge; when the other is in the same one, the talk has begun."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None or interaction.state is not InteractionState.OFFERED or interaction.offer is None:
            return
        caller, agent = self.step.legs.get(interaction.leg), self.step.legs.get(interaction.offer.leg)
        if caller is not None and agent is not None and caller.bridge is not None and caller.bridge == agent.bridge:
            self._talk_begins(interaction, interaction.offer)

    def _talk_begins(self, interaction: Interaction, offer: Offer) -> None:
        step = self.step
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        self._store_offer(interaction, offer, OfferOutcome.ANSWERED)
        interaction = self._end_visit(step.interactions[interaction.id], VisitOutcome.ANSWERED, offer.agent)
        talk = Talk(agent=offer.agent, leg=offer.leg, queue=offer.queue, since=step.now, recording=offer.recording)
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        self._put(replace(interaction, state=state, offer=None, talk=talk, agent=offer.agent, after=None, ended_by=None))
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
            self._put(replace(interaction, talk=replace(talk, held_since=self.step.now)))
        else:
            self._hold_segment(interaction, talk)
            interaction = self.step.interactions[interaction.id]
            self._put(replace(interaction, talk=replace(talk, held_since=None)))
        self.step.tell(TalkHeld(interaction.id, talk.agent, is_held))

    def _hold_segment(self, interaction: Interaction, talk: Talk) -> None:
        if talk.held_since is not None:
            self._segment(interaction, SegmentKind.HOLD, talk.held_since, queue=talk.queue, agent=talk.agent)

    def _talk_over(self, interaction: Interaction, by: EndedBy) -> Interaction:
        """The talk has ended; the customer's leg is about to come back, unless it is gone."""
        step, now, talk = self.step, self.step.now, interaction.talk
        assert talk is not None
        step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        self._hold_segment(interaction, talk)
        talk_s = now.mono_s - talk.since.mono_s
        self._segment(
            step.interactions[interaction.id],
            SegmentKind.TALK,
            talk.since,
            queue=talk.queue,
            agent=talk.agent,
            detail=by.value,
        )
        interaction = step.interactions[interaction.id]
        if talk.recording:
            step.store(
                RecordingRecord(
                    interaction=interaction.id,
                    number=interaction.recordings,
                    agent=talk.agent,
                    leg=talk.leg,
                    path=talk.recording,
                    started_utc_s=talk.since.utc_s,
                    duration_s=talk_s,
                )
            )
            interaction = replace(interaction, recordings=interaction.recordings + 1)
        interaction = self._put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.TALK_OVER),
                talk=None,
                talk_s=interaction.talk_s + talk_s,
                ended_by=by,
                wrapping=talk.agent,
                wrapping_since=now,
            )
        )
        step.deadlines.set(DeadlineKind.RETURN, interaction.id, now.mono_s + RETURN_S)
        step.tell(TalkOver(interaction.id, talk.agent, talk.queue, by is EndedBy.AGENT_LOST))
        return interaction

    def agent_leg_ended(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None = None) -> None:
        """`by` is given when it is known otherwise (the PBX is gone)."""
        interaction = self.step.interactions.get(leg.interaction)
        if leg.agent is None or leg.interaction is None:
            return
        if interaction is not None and interaction.offer is not None and interaction.offer.leg == leg.id:
            if interaction.state is InteractionState.GONE:
                outcome = OfferOutcome.CALLER_GONE
            elif by is EndedBy.PBX:
                outcome = OfferOutcome.CANCELLED
            elif leg.state is LegState.UP and not leg.is_cancelled:
                # The agent answered, and the dialplan did not find the caller: whose Hangup is about to be read, and perhaps
                # the end of the session too, which comes over another socket. No other phone must ring meanwhile.
                outcome = OfferOutcome.CALLER_GONE
                interaction = self._put(replace(interaction, is_missing=True))
                self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
            else:
                outcome = offer_outcome(leg, cause, tech_cause)
            self._offer_ended(interaction, outcome, is_leg_over=True)
            return
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            if by is None and leg.is_cancelled:
                by = EndedBy.SYSTEM
            if by is None:
                by = EndedBy.AGENT if cause in NORMAL_CAUSES else EndedBy.AGENT_LOST
            self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))
            interaction = self._talk_over(interaction, by)
            if self._session(interaction) is not None:
                self._returned(interaction)
            return
        self.step.tell(AgentLegOver(leg.agent, leg.interaction, leg.id))

    def agent_leg_came_back(self, leg: Leg) -> None:
        """The agent's leg left the bridge by itself: the customer hung up first, and their Hangup is about to be read."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None and interaction.talk is not None and interaction.talk.leg == leg.id:
            self._talk_over(interaction, EndedBy.CUSTOMER)

    def ring_failed(self, leg: Leg, outcome: OfferOutcome) -> None:
        """The action failed and no channel came to be: this is the leg's only end."""
        interaction = self.step.interactions.get(leg.interaction)
        self.step.legs.drop(leg.id)
        if interaction is not None and interaction.offer is not None and interaction.offer.leg == leg.id:
            if interaction.state is InteractionState.GONE:
                outcome = OfferOutcome.CALLER_GONE
            self._offer_ended(interaction, outcome, is_leg_over=True)

    def _returned(self, interaction: Interaction) -> None:
        """The customer's leg is back from a bridge, and how the talk ended is known."""
        self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        if interaction.ended_by is EndedBy.AGENT_LOST and interaction.queue is not None:
            since = self.step.now.mono_s - interaction.wait_s
            self.enqueue(replace(interaction, hops=0), interaction.queue, rank=0, waiting_since_s=since)
            interaction = self.step.interactions[interaction.id]
            if interaction.visit is not None:
                self.step.to_entertain.pop(interaction.id, None)
                self._say(interaction, (_prompt("cc-call-lost"),), After(kind=AfterKind.KEEP_WAITING))
        else:
            self._release(interaction)

    def return_reached(self, interaction: Interaction) -> None:
        """The customer's leg did not come back in time, or came back and the agent's leg did not end."""
        interaction = self._found(interaction)
        if interaction.state is InteractionState.TALKING:
            interaction = self._talk_over(interaction, EndedBy.SYSTEM)
        if interaction.state is InteractionState.RETURNING:
            if self._session(interaction) is not None:
                self._returned(interaction)
            else:
                self.step.hang_up(interaction.leg)

    def _found(self, interaction: Interaction) -> Interaction:
        """A missing caller is heard of, or nothing was heard of their end: they wait on."""
        if not interaction.is_missing:
            return interaction
        self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        return self._put(replace(interaction, is_missing=False))

    def max_talk_reached(self, interaction: Interaction) -> None:
        if interaction.talk is not None:
            self.step.hang_up(interaction.talk.leg)

    # --- the end ------------------------------------------------------------------------------------------------------
    def caller_gone(self, interaction_id: InteractionId, by: EndedBy, *, is_lost: bool = False) -> None:
        """The caller's leg is over. `is_lost`: the PBX took it."""
        step, now = self.step, self.step.now
        interaction = step.interactions[interaction_id]
        step.about = interaction_id
        match interaction.state:
            case InteractionState.MENU:
                interaction = self._menu_segment(interaction)
                outcome = Outcome.LOST if is_lost else (interaction.outcome or Outcome.LEFT_IN_MENU)
                interaction = replace(interaction, outcome=outcome)
            case InteractionState.WAITING | InteractionState.OFFERED:
                interaction = self._leave_queue(interaction, is_lost=is_lost)
            case InteractionState.TALKING:
                interaction = self._talk_over(interaction, by)
            case InteractionState.RETURNING:
                if is_lost:
                    interaction = replace(interaction, outcome=Outcome.LOST)
            case InteractionState.LEAVING | InteractionState.GONE:
                pass
        if interaction.state is not InteractionState.GONE:
            interaction = replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.LEG_ENDED),
                ended=now,
                ended_by=interaction.ended_by or by,
                after=None,
            )
        self._put(interaction)
        for kind in (DeadlineKind.MAX_WAIT, DeadlineKind.RETURN, DeadlineKind.LEAVE, DeadlineKind.MAX_TALK):
            step.deadlines.clear(kind, interaction_id)
        self._close_if_over(interaction_id)

    def _leave_queue(self, interaction: Interaction, *, is_lost: bool) -> Interaction:
        visit = interaction.visit
        if interaction.offer is not None:
            self.step.hang_up(interaction.offer.leg)
        if visit is None:
            return interaction
        short_s = self.step.queue_settings(visit.queue, interaction).short_abandon_s
        if is_lost:
            outcome = VisitOutcome.LOST
        elif self.step.now.mono_s - visit.waiting_since_s < short_s:
            outcome = VisitOutcome.SHORT_ABANDONED
        else:
            outcome = VisitOutcome.ABANDONED
        return self._end_visit(interaction, outcome)

    def wrap_up_over(self, interaction_id: InteractionId, agent: AgentId) -> None:
        interaction = self.step.interactions.get(interaction_id)
        if interaction is None or interaction.wrapping != agent or interaction.wrapping_since is None:
            return
        since = interaction.wrapping_since
        if since.mono_s < self.step.now.mono_s:
            self._segment(interaction, SegmentKind.WRAP_UP, since, queue=interaction.queue, agent=agent)
            interaction = self.step.interactions[interaction_id]
        self._put(replace(interaction, wrapping=None, wrapping_since=None))
        self._close_if_over(interaction_id)

    def leave_reached(self, interaction: Interaction) -> None:
        self.step.hang_up(interaction.leg)

    def release_by_request(self, interaction: Interaction) -> None:
        self.step.hang_up(interaction.leg)
        self._put(replace(interaction, ended_by=interaction.ended_by or EndedBy.SYSTEM))

    def _release(self, interaction: Interaction, cause: int = 16) -> None:
        """Let the caller go; the interaction ends with the leg."""
        if interaction.state is InteractionState.MENU:
            interaction = self._menu_segment(interaction)
        interaction = self._put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.RELEASE),
                ended_by=interaction.ended_by or EndedBy.SYSTEM,
                after=None,
            )
        )
        self.step.deadlines.set(DeadlineKind.LEAVE, interaction.id, self.step.now.mono_s + LEAVE_S)
        self._end_session(interaction, cause)

    def _hand_over(self, interaction: Interaction, extension: str) -> None:
        """To an extension of the dialplan. The call does not come back, so the interaction is over here."""
        session = self._session(interaction)
        if session is None:
            # Between two sessions; when it comes back, it is handed over.
            way = Exit(kind=ExitKind.EXTENSION, target=extension)
            self._put(replace(interaction, after=After(kind=AfterKind.EXIT, exit=way)))
            return
        self._put(replace(interaction, outcome=Outcome.OVERFLOWED, ended_by=EndedBy.SYSTEM))
        self.step.end_session(EndSession(session=session, next=Next.EXTENSION, extension=extension))
        self.step.legs.drop(interaction.leg)
        self.caller_gone(interaction.id, EndedBy.SYSTEM)

    def _close_if_over(self, interaction_id: InteractionId) -> None:
        """Tell the whole story once nobody works on it any more."""
        step, interaction = self.step, self.step.interactions[interaction_id]
        if interaction.state is not InteractionState.GONE or interaction.offer or interaction.wrapping:
            return
        ended = interaction.ended or step.now
        step.store(
            InteractionRecord(
                interaction=interaction.id,
                kind=interaction.kind,
                leg=interaction.leg,
                did=interaction.did,
                caller_number=interaction.caller_number,
                caller_name=interaction.caller_name,
                language=interaction.language,
                queue=interaction.queue,
                agent=interaction.agent,
                outcome=interaction.outcome or Outcome.LOST,
                ended_by=interaction.ended_by or EndedBy.SYSTEM,
                disposition=interaction.disposition,
                arrived_utc_s=interaction.arrived.utc_s,
                ended_utc_s=ended.utc_s,
                wait_s=interaction.wait_s,
                talk_s=interaction.talk_s,
            )
        )
        step.interactions.drop(interaction_id)
        step.touched_interactions[interaction_id] = None
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction_id)

    # --- after a fault ------------------------------------------------------------------------------------------------
    def to_safety(self, interaction: Interaction) -> None:
        """A step about it raised: a talk goes on, a caller's waiting begins anew; the second time it is let go.

        Nothing here may raise.
        """
        step, offer = self.step, interaction.offer
        if interaction.talk is not None and interaction.faults == 0:
            self._put(replace(interaction, faults=1))
            return
        for kind in DeadlineKind:
            if kind not in (DeadlineKind.WRAP_UP, DeadlineKind.SPARED):
                step.deadlines.clear(kind, interaction.id)
        if offer is not None:
            step.hang_up(offer.leg)
        if interaction.visit is not None:
            interaction = self._end_visit(interaction, VisitOutcome.LOST)
        is_there = interaction.leg in step.legs and interaction.state is not InteractionState.GONE
        interaction = self._put(
            replace(interaction, faults=interaction.faults + 1, offer=None, talk=None, wrapping=None, after=None)
        )
        interaction = self._put(replace(interaction, is_missing=False))
        if not is_there:
            self._put(replace(interaction, state=InteractionState.GONE, ended=interaction.ended or step.now))
            self._close_if_over(interaction.id)
        elif interaction.faults == 1 and interaction.queue is not None:
            since = step.now.mono_s - interaction.wait_s
            waiting = replace(interaction, state=InteractionState.WAITING, hops=0)
            self.enqueue(self._put(waiting), interaction.queue, rank=0, waiting_since_s=since)
            interaction = step.interactions[interaction.id]
            if interaction.visit is not None and offer is not None and offer.leg in step.legs:
                # Its leg lives on until its end is known; only then may another agent be called.
                self._put(replace(interaction, state=InteractionState.OFFERED, offer=offer))
        else:
            leaving = self._put(replace(interaction, state=InteractionState.LEAVING, outcome=Outcome.LOST))
            step.deadlines.set(DeadlineKind.LEAVE, interaction.id, step.now.mono_s + LEAVE_S)
            self._say(leaving, (_prompt("cc-error"),), After(kind=AfterKind.LEAVE))

    # --- small things -------------------------------------------------------------------------------------------------
    def _put(self, interaction: Interaction) -> Interaction:
        self.step.put_interaction(interaction)
        return interaction

    def _session(self, interaction: Interaction) -> SessionId | None:
        leg = self.step.legs.get(interaction.leg)
        session = self.step.sessions.get(leg.session) if leg is not None else None
        return None if session is None or session.is_ending else session.id

    def _end_session(self, interaction: Interaction, cause: int = 16) -> None:
        session = self._session(interaction)
        if session is not None:
            self.step.end_session(EndSession(session=session, next=Next.HANG_UP, cause=cause))

    def _answer(self, interaction: Interaction) -> Interaction:
        session = self._session(interaction)
        if session is not None:
            self.step.order(AnswerCall(session=session))
        return self._put(replace(interaction, is_answered=True))

    def _say(self, interaction: Interaction, say: tuple[Spoken, ...], after: After, stop_digits: str = "") -> None:
        interaction = self._put(replace(interaction, after=after))
        session = self._session(interaction)
        if not say:
            self.verb_ended(interaction)
        elif session is not None:
            say = _spelled(say, interaction)
            self.step.speak(Say(session=session, say=say, language=interaction.language, stop_digits=stop_digits))

    def _menu_segment(self, interaction: Interaction) -> Interaction:
        where = f"{interaction.flow}/{interaction.node}" if interaction.flow else ""
        self._segment(interaction, SegmentKind.MENU, interaction.menu_since, detail=where)
        return self.step.interactions[interaction.id]

    def _segment(
        self,
        interaction: Interaction,
        kind: SegmentKind,
        since: Moment,
        *,
        queue: QueueId | None = None,
        agent: AgentId | None = None,
        detail: str = "",
    ) -> None:
        step = self.step
        step.store(
            SegmentRecord(
                interaction=interaction.id,
                number=interaction.segments,
                kind=kind,
                started_utc_s=since.utc_s,
                duration_s=step.now.mono_s - since.mono_s,
                queue=queue,
                agent=agent,
                detail=detail,
            )
        )
        self._put(replace(interaction, segments=interaction.segments + 1))


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))


def _spelled(say: tuple[Spoken, ...], interaction: Interaction) -> tuple[Spoken, ...]:
    """`say` with the interaction's own number in it, where it is asked for."""
    number = Spoken(SpokenKind.DIGITS, str(interaction.id))
    return tuple(number if piece.kind is SpokenKind.CALL_NUMBER else piece for piece in say)

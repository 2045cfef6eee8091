"""The interactions: a call from its arrival to its last record.

A caller's leg lives in a loop of the dialplan that comes back to us by an AGI session; the leg and the session are two things,
and only the end of the leg means that the caller is gone. Each change of state goes through the table in `transitions`.

Which rule wins: the caller's end before everything; then the end of the agent's leg; then what a prompt or a digit says.
"""

from ccserver.core import arrivals, expected_wait
from ccserver.core.callers import LEAVE_S, Callers, prompt
from ccserver.core.change import replace
from ccserver.core.commands import EndSession, Next
from ccserver.core.events import CallArrived
from ccserver.core.facts import ConferenceWanted, CustomerReached
from ccserver.core.flows import Flows
from ccserver.core.ids import AgentId, FlowId, InteractionId, NodeId, RoomId
from ccserver.core.ledger import Ledger, left_by
from ccserver.core.offers import RETURN_S
from ccserver.core.queueing import Queueing
from ccserver.core.records import (
    EndedBy,
    NoticeKind,
    Outcome,
    SegmentKind,
    VisitOutcome,
)
from ccserver.core.settings import DIRECT, AnswerPolicy, WorkMode
from ccserver.core.state import (
    AGENT_DEADLINES,
    CALLBACK,
    OUTBOUND,
    QUEUE_DEADLINES,
    VOICE,
    After,
    AfterKind,
    DeadlineKind,
    Dialogue,
    Interaction,
    Leg,
    QueueCounters,
    Role,
    Session,
)
from ccserver.core.step import Step
from ccserver.core.talks import Talks
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, LegState, advance

HUNG_UP_KEPT_S = 60.0
NO_ROUTE, REJECTED = 3, 21


class Interactions:
    """Calls, from the arrival to the end; the stay in a queue is `queueing`'s."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        talks: Talks,
        callers: Callers,
        queueing: Queueing,
        *,
        flows: Flows,
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.talks = talks
        self.callers = callers
        self.queueing = queueing
        self.flows = flows

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
        step.legs.put(leg.id, replace(leg, channel=event.channel, session=event.session, heard_s=step.now.mono_s, unseen=0))
        interaction = step.interactions.get(leg.interaction)
        if interaction is None or leg.role is not Role.CALLER:
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        step.about = interaction.id
        self.resume(interaction)

    def _begin(self, event: CallArrived) -> None:
        step, settings = self.step, self.step.settings
        number = step.next_number()
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
        did = settings.did(event.did)
        interaction = Interaction(
            id=number,
            kind=VOICE,
            state=InteractionState.MENU,
            leg=event.leg,
            did=event.did,
            caller_number=event.caller_number,
            caller_name=event.caller_name,
            attestation=event.attestation,
            language=did.language if did else settings.default_language,
            version=settings.content_hash,
            arrived=step.now,
            menu_since=step.now,
        )
        interaction = self.ledger.notice(interaction, NoticeKind.ARRIVED)
        if event.leg in step.hung_up:
            # Two sockets: the end of the leg was read before its arrival.
            step.hung_up.drop(event.leg)
            step.legs.drop(event.leg)
            self.caller_gone(interaction.id, EndedBy.CUSTOMER)
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        if did is None or did.answer is AnswerPolicy.NEVER:
            interaction = self.ledger.put(replace(interaction, outcome=Outcome.REFUSED))
            self.callers.release(interaction, cause=REJECTED if did else NO_ROUTE)
            return
        welcome = arrivals.welcome(interaction, did, settings, step.marks.get)
        if welcome.is_blocked:
            interaction = self.ledger.put(replace(welcome.interaction, outcome=Outcome.BLOCKED))
            self.callers.release(interaction, cause=REJECTED)
        else:
            interaction = self.ledger.put(welcome.interaction)
            if did.answer is AnswerPolicy.AT_ONCE:
                interaction = self.callers.answer(interaction)
            self.flows.enter(interaction, did.flow)

    def resume(self, interaction: Interaction) -> None:
        """A known leg with a new session: what was being done is taken up again."""
        if self._is_measured(interaction):
            self._found(interaction)
            return
        match interaction.state:
            case InteractionState.MENU:
                self.flows.resume(interaction)
            case InteractionState.WAITING | InteractionState.OFFERED:
                interaction = self._found(interaction)
                if interaction.callback is not None and not interaction.callback.is_reached:
                    self.step.tell(CustomerReached(interaction.id))
                elif interaction.after is not None and interaction.after.kind is AfterKind.MESSAGE:
                    self.callers.record_message(interaction)
                elif interaction.after is not None and interaction.after.kind is AfterKind.LEAVE:
                    self.callers.release(interaction)
                elif interaction.after is not None and interaction.after.exit is not None:
                    self.queueing.take_exit(replace(interaction, after=None), replace(interaction.after.exit, prompt=None))
                else:
                    if interaction.after is not None and interaction.after.kind is AfterKind.CALLBACK:
                        self.queueing.reconsider(self.ledger.put(replace(interaction, after=None)))
                    self.step.to_entertain[interaction.id] = None
            case InteractionState.TALKING:
                # Out of the bridge, and the end of the agent's leg is not read yet: it says how the talk ended.
                self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
            case InteractionState.RETURNING:
                self._returned(interaction)
            case InteractionState.LEAVING:
                self.callers.release(interaction)
            case InteractionState.GONE:
                self.callers.end_session(interaction)

    def _is_measured(self, interaction: Interaction) -> bool:
        """They were leaving a message: it is not known yet whether they have said something."""
        after = interaction.after
        return after is not None and after.kind is AfterKind.MESSAGE and after.target in self.step.unmeasured

    # --- the flows ----------------------------------------------------------------------------------------------------
    def back_to_menu(self, interaction: Interaction, flow: FlowId | None, node: NodeId | None) -> None:
        """Out of a queue or a talk: on with a node of the flow it came from, or with another flow from its start."""
        version = interaction.version
        if flow is not None and flow not in self.step.settings_of(interaction).flows:
            version = self.step.settings.content_hash
        interaction = replace(interaction, version=version)
        known = self.step.settings_of(interaction).flows.get(flow or interaction.flow or FlowId(""))
        if known is None or (node is not None and node not in known.nodes):
            # The queue's settings are newer than the flow, which has no such node.
            self.callers.release(interaction)
            return
        state = advance(INTERACTION, interaction.state, InteractionStep.BACK_TO_MENU)
        interaction = self.ledger.put(replace(interaction, state=state, menu_since=self.step.now))
        if flow is not None:
            self.flows.enter(interaction, flow)
        else:
            self.flows.again_at(interaction, node or known.start)

    def flow_returned(self, interaction: Interaction) -> None:
        """The end of a flow, and no agent had sent the caller into it."""
        self.callers.release(interaction)

    # --- what follows a prompt ----------------------------------------------------------------------------------------
    def verb_ended(self, interaction: Interaction) -> None:
        """The newest verb of the caller's session has ended, and it was no menu."""
        after = interaction.after
        if after is None:
            if interaction.state in (InteractionState.WAITING, InteractionState.OFFERED):
                self.step.to_entertain[interaction.id] = None
            return
        interaction = self.ledger.put(replace(interaction, after=None))
        match after.kind:
            case AfterKind.NODE:
                self.flows.go_on(interaction, NodeId(after.target))
            case AfterKind.EXIT:
                if after.exit is not None:
                    self.queueing.take_exit(interaction, after.exit)
            case AfterKind.LEAVE:
                self.callers.release(interaction)
            case AfterKind.CONFERENCE:
                self.step.tell(ConferenceWanted(interaction.id, RoomId(after.target), is_said=True))
            case AfterKind.EXTENSION:
                self.callers.hand_over(interaction, after.target)
            case AfterKind.MESSAGE:
                self.callers.record_message(interaction)
            case AfterKind.KEEP_WAITING | AfterKind.CALLBACK:
                self.queueing.wait(interaction)

    # --- after an offer, after a talk ---------------------------------------------------------------------------------
    def talk_over(self, interaction: Interaction) -> None:
        """The talk has ended, and it is known how."""
        if interaction.state is InteractionState.RETURNING and self.step.caller_session(interaction) is not None:
            self._returned(interaction)

    def _returned(self, interaction: Interaction) -> None:
        """The customer's leg is back from a bridge, and how the talk ended is known."""
        self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        if interaction.ended_by is EndedBy.AGENT_LOST and interaction.queue is not None:
            since = self.step.now.mono_s - interaction.wait_s
            only, until_s = self._kept_for(interaction)
            self.queueing.enqueue(
                replace(interaction, hops=0), interaction.queue, rank=0, waiting_since_s=since, only=only, only_until_s=until_s
            )
            self.excuse(self.step.interactions[interaction.id])
        elif (survey := self._survey(interaction)) is not None:
            self.back_to_menu(interaction, survey, None)
        else:
            self.callers.release(interaction)

    def _survey(self, interaction: Interaction) -> FlowId | None:
        """The flow of a customer whose agent ended the talk."""
        is_asked = interaction.ended_by is EndedBy.AGENT and interaction.kind in (VOICE, CALLBACK, OUTBOUND)
        queue = interaction.queue if is_asked else None
        return self.step.queue_settings(queue, interaction).survey if queue is not None else None

    def _kept_for(self, interaction: Interaction) -> tuple[AgentId | None, float | None]:
        """Who alone may take a customer who lost their agent, until when: who was called directly, and for a moment also an agent
        whose headset's line broke, which may be dialled again at once."""
        agent = self.step.agents.get(interaction.agent)
        if interaction.queue == DIRECT or agent is None or agent.mode is not WorkMode.HEADSET:
            return (interaction.agent if interaction.queue == DIRECT else None), None
        return agent.id, self.step.now.mono_s + self.step.settings.agent_rules.headset_return_s

    def excuse(self, interaction: Interaction) -> None:
        """Who lost their agent waits again: told so, where something can be said just now."""
        if interaction.visit is not None and self.step.caller_session(interaction) is not None:
            self.step.to_entertain.pop(interaction.id, None)
            self.callers.say(interaction, (prompt("cc-call-lost"),), After(kind=AfterKind.KEEP_WAITING))

    def return_reached(self, interaction: Interaction) -> None:
        """The customer's leg did not come back in time, or came back and the agent's leg did not end."""
        interaction = self._found(interaction)
        if interaction.state is InteractionState.TALKING:
            interaction = self.talks.talk_over(interaction, EndedBy.SYSTEM)
        if interaction.state is InteractionState.RETURNING:
            if self.step.caller_session(interaction) is not None:
                self._returned(interaction)
            else:
                self.step.hang_up(interaction.leg)

    def _found(self, interaction: Interaction) -> Interaction:
        """A missing caller is heard of, or nothing was heard of their end: they wait on."""
        if not interaction.is_missing:
            return interaction
        self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        return self.ledger.put(replace(interaction, is_missing=False))

    # --- the end ------------------------------------------------------------------------------------------------------
    def caller_gone(self, interaction_id: InteractionId, by: EndedBy, *, is_lost: bool = False) -> None:
        """The caller's leg is over. `is_lost`: the PBX took it."""
        step, now = self.step, self.step.now
        interaction = step.interactions[interaction_id]
        step.about = interaction_id
        match interaction.state:
            case InteractionState.MENU:
                interaction = self.ledger.menu_segment(interaction, left_by(interaction, is_lost=is_lost))
                left = Outcome.SERVED if interaction.is_served else Outcome.LEFT_IN_MENU
                interaction = replace(interaction, outcome=Outcome.LOST if is_lost else (interaction.outcome or left))
            case InteractionState.WAITING | InteractionState.OFFERED:
                interaction = self.queueing.leave(interaction, is_lost=is_lost)
            case InteractionState.TALKING:
                interaction = self.talks.talk_over(interaction, by)
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
            interaction = self.ledger.ended(interaction)
        self.ledger.put(interaction)
        for kind in (
            DeadlineKind.MAX_WAIT,
            DeadlineKind.OVERFLOW,
            DeadlineKind.HELD,
            DeadlineKind.RETURN,
            DeadlineKind.LEAVE,
            DeadlineKind.MAX_TALK,
            DeadlineKind.LOOK_UP,
        ):
            step.deadlines.clear(kind, interaction_id)
        self.talks.offers.withdraw_all(interaction)
        if interaction_id in step.interactions:
            self.ledger.close_if_over(interaction_id)

    def not_reached(self, interaction: Interaction) -> None:
        """Nobody answered where a queue's exit or a node led: on by the node's way out; else an excuse, and the caller is let go."""
        if self.flows.number_failed(interaction):
            return
        state = advance(INTERACTION, interaction.state, InteractionStep.RELEASE)
        self.step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        self.step.deadlines.set(DeadlineKind.LEAVE, interaction.id, self.step.now.mono_s + LEAVE_S)
        leaving = self.ledger.put(replace(interaction, state=state, ended_by=EndedBy.SYSTEM))
        self.callers.say(leaving, (prompt("cc-unavailable"),), After(kind=AfterKind.LEAVE))

    def wrap_up_over(self, interaction_id: InteractionId, agent: AgentId) -> None:
        interaction = self.step.interactions.get(interaction_id)
        wrapping = next((w for w in interaction.wrapping if w.agent == agent), None) if interaction is not None else None
        if interaction is None or wrapping is None:
            return
        if wrapping.queue is not None:
            counters = self.step.queues.get(wrapping.queue) or QueueCounters()
            wrap_up_s = self.step.now.mono_s - wrapping.since.mono_s
            self.step.put_queue(wrapping.queue, expected_wait.wrapped_up(counters, wrap_up_s))
        if wrapping.since.mono_s < self.step.now.mono_s:
            self.ledger.segment(interaction, SegmentKind.WRAP_UP, wrapping.since, queue=wrapping.queue, agent=agent)
            interaction = self.step.interactions[interaction_id]
        self.ledger.put(replace(interaction, wrapping=tuple(w for w in interaction.wrapping if w.agent != agent)))
        self.ledger.close_if_over(interaction_id)

    def leave_reached(self, interaction: Interaction) -> None:
        self.step.hang_up(interaction.leg)

    def release_by_request(self, interaction: Interaction) -> None:
        self.step.hang_up(interaction.leg)
        self.ledger.put(replace(interaction, ended_by=interaction.ended_by or EndedBy.SYSTEM))

    # --- after a fault ------------------------------------------------------------------------------------------------
    def to_safety(self, interaction: Interaction) -> None:
        """A step about it raised: a talk goes on, a caller's waiting begins anew, one in a flow is brought to the people whom the
        flow knows; the second time it is let go.

        Nothing here may raise.
        """
        step, offers = self.step, interaction.offers
        if interaction.talk is not None and interaction.faults == 0:
            self.ledger.put(replace(interaction, faults=1))
            return
        for kind in DeadlineKind:
            if kind not in AGENT_DEADLINES + QUEUE_DEADLINES:
                step.deadlines.clear(kind, interaction.id)
        # Their legs live on until their end is known; only then may another agent be called.
        alive = tuple(kept for offer in offers if (kept := self.talks.offers.to_safety(offer)) is not None)
        if interaction.visit is not None:
            interaction = self.ledger.end_visit(interaction, VisitOutcome.LOST)
        is_there = interaction.leg in step.legs and interaction.state is not InteractionState.GONE
        faults = interaction.faults + 1
        interaction = self.ledger.put(
            replace(
                interaction,
                faults=faults,
                offers=(),
                joining=None,
                talk=None,
                wrapping=(),
                after=None,
                look_up=None,
                typed="",
                is_missing=False,
            )
        )
        if not is_there:
            if interaction.state is not InteractionState.GONE:
                interaction = self.ledger.ended(replace(interaction, state=InteractionState.GONE, ended=step.now))
            self.ledger.close_if_over(interaction.id)
        elif interaction.faults == 1 and (queue := interaction.queue or self.flows.queue_of_people(interaction)) is not None:
            since = step.now.mono_s - interaction.wait_s
            waiting = replace(interaction, state=InteractionState.WAITING, hops=0)
            self.queueing.enqueue(self.ledger.put(waiting), queue, rank=0, waiting_since_s=since)
            interaction = step.interactions[interaction.id]
            if interaction.visit is not None and alive:
                interaction = self.ledger.put(replace(interaction, state=InteractionState.OFFERED, offers=alive))
                self.talks.offers.set_guard(interaction)
        else:
            leaving = self.ledger.put(replace(interaction, state=InteractionState.LEAVING, outcome=Outcome.LOST))
            step.deadlines.set(DeadlineKind.LEAVE, interaction.id, step.now.mono_s + LEAVE_S)
            self.callers.say(leaving, (prompt("cc-error"),), After(kind=AfterKind.LEAVE))

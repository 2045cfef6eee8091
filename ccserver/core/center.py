"""The whole contact center as one value that is told what happened, and answers what to do.

    commands = center.handle(event, now)      # never performs anything itself
    deadline = center.next_deadline()         # the driver arms one timer
    commands = center.on_deadline(now)

Each call is one step, and one input of the journal. A step first changes the records, then carries the facts that the engines told each
other, then lets the matcher pair who waits with who is free, and last shows the agents' new states. A step that raises is undone
whole and reported as `StepFailed`; the driver answers it with `InteractionFaulted`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, assert_never

from ccserver.core import events as ev
from ccserver.core.access import Access
from ccserver.core.agents import Agents
from ccserver.core.attempts import Attempts, came_to
from ccserver.core.callbacks import Callbacks
from ccserver.core.callers import Callers
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.campaigns import Campaigns
from ccserver.core.change import replace
from ccserver.core.closing import Closing
from ccserver.core.commands import Command, EndSession, HangUpLeg, Next, Place, Reply
from ccserver.core.crews import Crews
from ccserver.core.externals import ACCEPT_KEY, Externals
from ccserver.core.facts import (
    AgentLegOver,
    Answered,
    AttemptOver,
    BackToMenu,
    CallbackOffered,
    CalleeAnswered,
    CallsBack,
    ConferenceWanted,
    ConsultFailed,
    CustomerReached,
    Disposed,
    FlowReturned,
    HandedOver,
    Joined,
    JoinFailed,
    NumberFailed,
    NumberWanted,
    OfferBegan,
    OfferOver,
    OfferParked,
    OfferWanted,
    OutboundOver,
    SaidNothing,
    TalkBegan,
    TalkHeld,
    TalkOver,
    WorkBegan,
    WorkMoved,
    WrapUpOver,
)
from ccserver.core.features import Features
from ccserver.core.flow_facts import FlowFacts
from ccserver.core.flows import Flows
from ccserver.core.forecast import Forecast
from ccserver.core.forgetting import Forgetting
from ccserver.core.handovers import Handovers
from ccserver.core.headsets import Headsets
from ccserver.core.hearing import Hearing
from ccserver.core.holding import Holding
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    CommandId,
    InteractionId,
    LegId,
    PhoneId,
    QueueId,
    RequestId,
    SessionId,
    WatchId,
)
from ccserver.core.interactions import HUNG_UP_KEPT_S, Interactions
from ccserver.core.invitations import Invitations
from ccserver.core.joins import Joins
from ccserver.core.lamps import Lamps
from ccserver.core.ledger import Ledger
from ccserver.core.live_acts import LiveActs
from ccserver.core.measuring import Measuring
from ccserver.core.messages import Messages
from ccserver.core.moment import Moment
from ccserver.core.offers import Offers
from ccserver.core.opening import Opening
from ccserver.core.outbound import OutboundCalls
from ccserver.core.own_calls import OwnCalls
from ccserver.core.pairing import Pairing
from ccserver.core.playback import Playback
from ccserver.core.previews import Previews
from ccserver.core.prospects import Prospects
from ccserver.core.quality import Quality
from ccserver.core.queueing import Queueing
from ccserver.core.recorder import Recorder
from ccserver.core.records import EndedBy, FaultRecord, OfferOutcome, PhoneState
from ccserver.core.repairs import Repairs
from ccserver.core.room_doors import RoomDoors
from ccserver.core.rooms import Rooms
from ccserver.core.settings import RINGS_SEVERAL, PhoneKind, Settings, WorkMode, WrapUpKind
from ccserver.core.staffing import Staffing
from ccserver.core.state import (
    AGENT_DEADLINES,
    ATTEMPT_DEADLINES,
    CAMPAIGN_DEADLINES,
    CONSULT,
    FORMAT,
    MESSAGE,
    QUEUE_DEADLINES,
    SESSION_DEADLINES,
    WATCH_DEADLINES,
    AfterKind,
    Awaited,
    CenterState,
    DeadlineKind,
    Dialogue,
    Interaction,
    Leg,
    Phone,
    Presence,
    Role,
    Session,
    Work,
)
from ccserver.core.step import Step
from ccserver.core.supervision import Supervision
from ccserver.core.talks import Talks
from ccserver.core.tracks import Tracks
from ccserver.core.transitions import LEG, InteractionState, LegState, LegStep, Phase, advance
from ccserver.core.trunking import Trunking
from ccserver.core.ways import Ways
from ccserver.core.work import WorkWithoutLine

UPTIME_STEP_S = 1.0
"""Asterisk tells its uptime in whole seconds."""
BOOT_TOLERANCE_S = 3.0
"""What we make of the uptime may be late as well: a boot time that moved more is another boot."""

AT_DESK = (Dialogue.DESK, Dialogue.MESSAGE)
LISTENED_TO = (Role.AGENT, Role.HEADSET, Role.SUPERVISOR)

KEPT_AFTER_A_FAULT = (SaidNothing, HandedOver, BackToMenu, FlowReturned, CallbackOffered, OutboundOver)
"""What bringing a caller to safety may tell; everything else was of the step that failed."""


class StepFailed(Exception):
    """A step broke a rule of the core: a bug. Nothing of it happened.

    `interaction` is the one it was about, if that is known. Post `InteractionFaulted` with it and report the cause.
    """

    def __init__(self, interaction: InteractionId | None, reason: str) -> None:
        super().__init__(reason)
        self.interaction = interaction
        self.reason = reason


class CallCenter:
    """See the module's text. `settings` are those of the first SettingsLoaded, or of the snapshot."""

    def __init__(self, settings: Settings, state: CenterState | None = None) -> None:
        self._step = step = Step(settings, state)
        if state is None:
            step.versions.put(settings.content_hash, settings)
            step.undo.clear()
        self._agents = Agents(step)
        self.pairing = Pairing(step, self._agents)
        self._access = Access(step, self.pairing)
        ledger = Ledger(step)
        self._joins = Joins(step)
        self._offers = Offers(step, ledger, self._joins)
        self._talks = Talks(step, ledger, self._offers, Tracks(step, ledger))
        self._callers = callers = Callers(step, ledger)
        staffing = Staffing(step, there=self.pairing.there, shown=self._agents.shown)
        forecast = Forecast(step, self.pairing)
        self._queueing = Queueing(
            step,
            ledger,
            callers,
            staffing,
            position=self.pairing.position,
            expected_wait_s=forecast.expected_wait_s,
        )
        prospects = Prospects(step, self._queueing, staffing, self.pairing, forecast)
        facts = FlowFacts(step, Opening(step), prospects)
        self._flows = Flows(step, ledger, callers, self._queueing, facts, taken_away=self._taken_away)
        self._closing = Closing(step, self._queueing)
        self._callbacks = Callbacks(step, ledger, callers, self._queueing, self._offers)
        crews = Crews(step, self._agents, self.pairing)
        self._book = CampaignBook(step, crews, state.pacers if state is not None else {})
        trunking = Trunking(step)
        self._attempts = Attempts(
            step, ledger, callers, self._queueing, book=self._book, trunking=trunking, withdraw=self._offers.withdraw_all
        )
        self._outbound = OutboundCalls(
            step, ledger, self._queueing, self._offers, book=self._book, attempts=self._attempts, trunking=trunking
        )
        self._campaigns = Campaigns(step, self._book, crews, trunking, attempts=self._attempts, calls=self._outbound)
        self._crews = crews
        self._previews = Previews(step, self._book, self._outbound)
        self._interactions = Interactions(step, ledger, self._talks, callers, self._queueing, flows=self._flows)
        recorder = Recorder(step, ledger, self._talks)
        self._handovers = Handovers(
            Holding(step, ledger, self._talks, recorder, self._join),
            Ways(
                enqueue=self._queueing.enqueue,
                refusal=self._queueing.refusal,
                leave=self._leave_queue,
                excuse=self._interactions.excuse,
            ),
            verb_ended=self._interactions.verb_ended,
            returned=self._interactions.talk_over,
            over=self._interactions.caller_gone,
        )
        self._externals = Externals(step)
        self._headsets = Headsets(step, self._agents, self._offers, leg_over=self._agent_leg_over, left=self._line_left)
        self._supervision = Supervision(
            step,
            ledger,
            self._joins,
            self._agents,
            taken_over=self._handovers.taken_over,
            last_words=self._last_words,
        )
        self._own_calls = OwnCalls(step, self._agents)
        self._rooms = Rooms(step)
        self._invitations = Invitations(step, self._rooms)
        self._doors = RoomDoors(
            step, ledger, self._agents, callers, rooms=self._rooms, own_call=self._own_calls.into_conference
        )
        self._playback = Playback(step, self._agents, last_words=self._last_words)
        self._features = Features(
            step,
            self._agents,
            self._headsets,
            self._closing,
            supervision=self._supervision,
            playback=self._playback,
            doors=self._doors,
            next_lead=self._next_lead,
        )
        self._headsets.asks_time = self._features.type_on_line
        self._lamps = Lamps(step, self._agents, waiting_in=self._queueing.waiting_in)
        self._work = WorkWithoutLine(step, ledger, self._offers, self._talks, self._queueing.enqueue)
        self._messages = Messages(step, self._talks, self._queueing)
        self._measuring = Measuring(step, callers, self._messages, self._interactions.resume)
        self._hearing = Hearing(self._messages, self._callbacks)
        self._live = LiveActs(
            step, ledger, self._agents, self._interactions, self._queueing, work=self._work, messages=self._messages
        )
        self._forgetting = Forgetting(step, self._callbacks)
        self._repairs = Repairs(step, self._talks, self._leg_is_over, self._leg_waits, self._met)
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            ev.CenterStarted: self._center_started,
            ev.SettingsLoaded: self._settings_loaded,
            ev.DeadlineReached: self._deadline_reached,
            ev.InteractionFaulted: self._interaction_faulted,
            ev.LinkUp: self._link_up,
            ev.LinkLost: self._link_lost,
            ev.PbxObserved: self._pbx_observed,
            ev.LegStarted: self._leg_started,
            ev.LegRinging: self._leg_ringing,
            ev.LegAnswered: self._leg_answered,
            ev.LegEnteredBridge: self._leg_entered_bridge,
            ev.LegLeftBridge: self._leg_left_bridge,
            ev.LegHeld: self._leg_held,
            ev.LegUnheld: self._leg_unheld,
            ev.LegParked: self._leg_parked,
            ev.LegMeasured: Quality(step).measured,
            ev.LegDigit: self._leg_digit,
            ev.LegsTransferred: self._legs_transferred,
            ev.LegStranded: self._leg_stranded,
            ev.LegEnded: self._leg_ended,
            ev.PhoneStateChanged: self._phone_state_changed,
            ev.CommandDone: self._command_done,
            ev.CommandFailed: self._command_failed,
            ev.OutcomeUnknown: self._outcome_unknown,
            ev.RingEnded: self._ring_ended,
            ev.CallArrived: self._call_arrived,
            ev.FeatureDialled: self._feature_dialled,
            ev.OwnCallDialled: self._own_calls.dialled,
            ev.EmergencyDialled: self._own_calls.emergency,
            ev.OwnDialEnded: self._own_calls.dial_ended,
            ev.WrapUpOpened: self._wrap_up_opened,
            ev.DeskOpened: self._desk_opened,
            ev.TransferAsked: self._transfer_asked,
            ev.SessionClosed: self._session_closed,
            ev.PromptEnded: self._prompt_ended,
            ev.DigitsCollected: self._digits_collected,
            ev.WaitEnded: self._wait_ended,
            ev.SecretChecked: self._secret_checked,
            ev.ScriptEnded: self._script_ended,
            ev.LookedUp: self._flows.looked_up,
            ev.PromptKept: self._features.office.prompt_kept,
            ev.RecordingOpened: self._playback.opened,
            ev.AuditStored: self._audit_stored,
            ev.LeadsClaimed: self._campaigns.claimed,
            ev.AttemptStored: self._attempt_stored,
            ev.LeadsAdded: self._campaigns.leads_added,
            ev.CampaignRequested: self._campaigns.requested,
            ev.RedialRequested: self._campaigns.redial,
            ev.CalleeTold: self._callee_told,
            ev.WatchRequested: self._supervision.requested,
            ev.WatchModeRequested: self._supervision.mode_requested,
            ev.WatchStopRequested: self._supervision.stop_requested,
            ev.RecordingRequested: recorder.requested,
            ev.CloseHoursRequested: self._closing.close_hours,
            ev.OpenHoursRequested: self._closing.open_hours,
            ev.LoginRequested: self._live.log_in,
            ev.LogoutRequested: self._live.log_out,
            ev.PauseRequested: self._live.pause,
            ev.UnpauseRequested: self._live.unpause,
            ev.HangUpRequested: self._live.hang_up,
            ev.MoveAgentRequested: self._live.move_agent,
            ev.SkillRequested: self._live.set_skill,
            ev.PriorityRequested: self._live.set_priority,
            ev.MoveCallRequested: self._live.move_call,
            ev.PickRequested: self._live.pick,
            ev.MarkNumberRequested: self._live.mark_number,
            ev.WorkRequested: self._work.requested,
            ev.WorkAccepted: self._work.accepted,
            ev.WorkFinished: self._work.finished,
            ev.CloseQueueRequested: self._closing.close,
            ev.OpenQueueRequested: self._closing.open,
            ev.ForgetNumberRequested: self._forgetting.forget,
            ev.CancelCallbackRequested: self._callbacks.cancel,
            ev.RoomJoined: self._rooms.joined,
            ev.RoomLeft: self._rooms.left,
            ev.RoomMuted: self._rooms.muted,
            ev.RoomLocked: self._rooms.locked,
            ev.ConferenceRequested: self._rooms.requested,
            ev.ConferenceCreated: self._rooms.created,
            ev.InvitationRequested: self._invitations.requested,
            ev.NumberCollected: self._number_collected,
            ev.MessageRecorded: self._message_recorded,
            ev.MessageMeasured: self._measuring.measured,
        }

    # --- the four drivers' view ---------------------------------------------------------------------------------------
    @property
    def seq(self) -> int:
        """How many inputs there have been; the first half of the ids of the last step's commands."""
        return self._step.seq

    @property
    def settings(self) -> Settings:
        return self._step.settings

    def handle(self, event: ev.Event, now: Moment) -> list[Command]:
        """One step. Raises StepFailed, and is then as before (but for `seq`, since the input is in the journal)."""
        step = self._step
        step.begin(now)
        try:
            self._handlers[type(event)](event)
            self._finish()
        except Exception as problem:
            about = step.about
            step.roll_back()
            self._book.forget_untold()
            self.pairing.rebuild()
            raise StepFailed(about, f"{type(event).__name__}: {type(problem).__name__}: {problem}") from problem
        self._book.flush()
        return step.commands

    def next_deadline(self) -> float | None:
        """Monotonic seconds of the next one; None when nothing is due. None also until the PBX has been observed: what
        became due while nobody looked must not fire upon what nobody knows. But whoever answered our call and waits in a session
        is told who called: no PBX is needed for that."""
        return self._step.deadlines.next() if self._step.clockwork.is_observed else self._attempts.untold_at_s()

    def on_deadline(self, now: Moment) -> list[Command]:
        """Everything that is due, as one step."""
        return self.handle(ev.DeadlineReached(), now)

    def listens_to(self, leg_id: LegId) -> bool:
        """Whether digits typed on this leg are told as `LegDigit`: an agent's, a supervisor's, or a conference's moderator's, outside any
        session of ours. Never a customer's, and never one that is asked something: what is typed there may be a secret."""
        leg = self._step.legs.get(leg_id)
        if leg is None or leg.session in self._step.sessions:
            return False
        return leg.role in LISTENED_TO or self._rooms.is_moderator_in(leg_id)

    def snapshot(self) -> CenterState:
        """The state as a value; shallow, since the records never change. With what the pacers have learned."""
        return replace(self.look(), pacers=self._book.learned())

    def look(self) -> CenterState:
        """The same for whoever only looks: without what the pacers have learned, which takes a while to tell."""
        step = self._step
        return CenterState(
            format=FORMAT,
            seq=step.seq,
            moment=step.now,
            clockwork=step.clockwork,
            interactions=step.interactions.copy(),
            legs=step.legs.copy(),
            sessions=step.sessions.copy(),
            agents=step.agents.copy(),
            phones=step.phones.copy(),
            queues=step.queues.copy(),
            deadlines=step.deadlines.table.copy(),
            outstanding=step.outstanding.copy(),
            hung_up=step.hung_up.copy(),
            over=step.over.copy(),
            orphans=step.orphans.copy(),
            closed=step.closed.copy(),
            closed_hours=step.closed_hours.copy(),
            marks=step.marks.copy(),
            spoken_to=step.spoken_to.copy(),
            own_calls=step.own_calls.copy(),
            lamps=step.lamps.copy(),
            watches=step.watches.copy(),
            rooms=step.rooms.copy(),
            members=step.members.copy(),
            unmeasured=step.unmeasured.copy(),
            campaigns=step.campaigns.copy(),
            attempts=step.attempts.copy(),
            trunks=step.trunks.copy(),
            shown=step.shown.copy(),
            versions=step.versions.copy(),
            version=step.settings.content_hash,
        )

    @classmethod
    def restore(cls, state: CenterState) -> "CallCenter":
        """A center that goes on from `state`. Raises ValueError for a format that this core does not know."""
        if state.format != FORMAT:
            raise ValueError(f"snapshot format {state.format}; this core reads {FORMAT}")
        return cls(state.versions[state.version], state)

    # --- the end of each step -----------------------------------------------------------------------------------------
    def _finish(self) -> None:
        step = self._step
        self._carry()
        self._access.review()
        self._queueing.staff_left(step.touched_agents)
        self._campaigns.let_go()
        self._carry()
        self.pairing.follow()
        while (match := self.pairing.next() or self.pairing.next_beside()) is not None:
            for place, agent_id in enumerate(match.agents):
                # The first is offered it or the step fails: a match that nothing came of would be found again for ever.
                interaction = step.interactions[match.interaction]
                if place == 0 or interaction.can_ring_more():
                    self._offer(interaction, agent_id, match.why)
                    self._carry()
            self.pairing.follow()
        self._campaigns.follow()
        self.pairing.follow()
        self._supervision.follow()
        self._measuring.follow()
        for interaction_id in list(step.to_entertain):
            found = step.interactions.get(interaction_id)
            if found is not None:
                self._queueing.entertain(found)
        for agent_id in list(step.touched_agents):
            self._agents.show(agent_id)
        self._lamps.follow()

    def _offer(self, interaction: Interaction, agent_id: AgentId, why: str) -> None:
        agent = self._step.agents[agent_id]
        assert agent.phone is not None and interaction.visit is not None
        leg: LegId | None = None
        if not interaction.is_on_the_line():
            self._work.offer(interaction, agent_id, agent.phone, why)
        elif agent.mode is WorkMode.HEADSET:
            leg = self._headsets.offer(interaction, agent_id, why, is_told=self._previews.are_heard(interaction))
        else:
            leg = self._offers.ring(interaction, agent_id, agent.phone, why, place=self._place(interaction, agent.phone))
        work = Work(
            interaction=interaction.id,
            kind=interaction.kind,
            phase=Phase.RINGING,
            queue=interaction.visit.queue,
            leg=leg,
            since=self._step.now,
        )
        self._agents.reserve(agent_id, work)

    def _place(self, interaction: Interaction, phone: PhoneId) -> Place:
        """Where a phone goes on that answers: joined at once, where no other can ring for it. Messages are heard at the desk."""
        assert interaction.visit is not None
        if interaction.kind == MESSAGE or self._step.settings.phones[phone].kind is PhoneKind.EXTERNAL:
            return Place.DESK
        if self._previews.are_heard(interaction):
            return Place.DESK
        config = self._step.queue_settings(interaction.visit.queue, interaction)
        return Place.PARK if config.strategy in RINGS_SEVERAL or interaction.leg is None else Place.JOIN

    def _carry(self) -> None:
        """Facts, in the order they were told; a fact may tell others."""
        facts = self._step.facts
        while facts:
            self._carry_one(facts.pop(0))

    def _carry_one(self, fact: Any) -> None:
        match fact:
            case SaidNothing() | HandedOver() | BackToMenu() | CallbackOffered() | NumberWanted() | NumberFailed():
                self._carry_of_caller(fact, self._step.interactions[fact.interaction])
            case CustomerReached() | FlowReturned() | ConferenceWanted():
                self._carry_of_caller(fact, self._step.interactions[fact.interaction])
            case OfferParked():
                self._callbacks.offer_parked(fact)
                self._outbound.offer_parked(fact)
            case OfferWanted() | AttemptOver() | CalleeAnswered() | OutboundOver():
                self._carry_of_callee(fact)
            case TalkBegan():
                self._talk_began(fact)
            case TalkOver():
                self._talk_over(fact)
            case TalkHeld():
                self._agents.talk_held(fact)
                self._agents.consulting(fact.agent, fact.interaction, is_consulting=fact.is_consulting)
                self._handovers.held(self._step.interactions[fact.interaction], is_held=fact.is_held)
            case OfferOver():
                self._agents.offer_over(fact)
                waiting = self._step.interactions.get(fact.interaction)
                if waiting is not None and not self._handovers.waited(waiting):
                    self._queueing.reconsider(waiting)
                    self._callbacks.offer_over(waiting)
                    self._outbound.offer_over(waiting)
                    self._messages.offer_over(waiting)
            case WorkMoved():
                self._agents.move_work(fact)
            case WorkBegan() | OfferBegan():
                self._work_began(fact)
            case CallsBack():
                self._agents.takes_back(fact)
            case ConsultFailed():
                self._handovers.consults.failed(self._step.interactions[fact.interaction])
            case Joined():
                (self._supervision.taken if self._is_supervisors(fact.leg) else self._handovers.joined)(fact)
            case AgentLegOver():
                self._agents.leg_over(fact)
            case JoinFailed():
                self._join_failed(fact)
            case WrapUpOver():
                self._wrapped_up(fact)
                self._interactions.wrap_up_over(fact.interaction, fact.agent)
                self._let_go(fact.leg)
            case Disposed():
                self._disposed(fact)
            case Answered():
                self._answered(fact)
            case _:
                raise TypeError(f"nobody carries {type(fact).__name__}")

    def _carry_of_caller(
        self,
        fact: SaidNothing
        | HandedOver
        | BackToMenu
        | CallbackOffered
        | NumberWanted
        | NumberFailed
        | CustomerReached
        | FlowReturned
        | ConferenceWanted,
        interaction: Interaction,
    ) -> None:
        match fact:
            case SaidNothing():
                self._interactions.verb_ended(interaction)
            case HandedOver():
                self._interactions.caller_gone(fact.interaction, EndedBy.SYSTEM)
            case BackToMenu():
                self._interactions.back_to_menu(interaction, fact.flow, fact.node)
            case CallbackOffered():
                self._callbacks.begin(interaction, way=fact.way)
            case NumberWanted():
                self._handovers.dial_out(interaction, fact.number)
            case NumberFailed():
                self._interactions.not_reached(interaction)
            case CustomerReached():
                self._callbacks.reached(interaction)
            case ConferenceWanted(is_said=True):
                self._doors.caller_enters(interaction)
            case ConferenceWanted():
                self._doors.caller(interaction, fact.room)
            case FlowReturned():
                if not self._handovers.flow_returned(interaction, fact.result):
                    self._interactions.flow_returned(interaction)
            case _:
                assert_never(fact)

    def _disposed(self, fact: Disposed) -> None:
        interaction = self._step.interactions[fact.interaction]
        self._step.put_interaction(replace(interaction, disposition=fact.disposition))

    def _work_began(self, fact: WorkBegan | OfferBegan) -> None:
        work = Work(
            interaction=fact.interaction,
            kind=self._step.interactions[fact.interaction].kind,
            phase=Phase.TALKING if isinstance(fact, WorkBegan) else Phase.RINGING,
            queue=fact.queue,
            leg=fact.leg,
            since=self._step.now,
        )
        self._agents.reserve(fact.agent, work)

    def _carry_of_callee(self, fact: OfferWanted | AttemptOver | CalleeAnswered | OutboundOver) -> None:
        match fact:
            case OfferWanted():
                self._offer_wanted(fact)
            case AttemptOver():
                self._outbound.attempt_over(fact)
            case CalleeAnswered():
                self._callee_answered(self._step.interactions[fact.interaction])
            case OutboundOver():
                self._attempts.interaction_over(fact)
            case _:
                assert_never(fact)

    def _next_lead(self, session: Session, agent: AgentId) -> None:
        self._features.last_words(session.id, "cc-lead-coming" if self._campaigns.next_lead(agent) else "cc-lead-none")

    def _offer_wanted(self, fact: OfferWanted) -> None:
        """Unless the agent has nothing to take it with any more; then it is anybody's."""
        interaction, agent = self._step.interactions.get(fact.interaction), self._step.agents[fact.agent]
        if interaction is not None and interaction.can_be_offered() and self._crews.takes(agent):
            self._offer(interaction, fact.agent, fact.why)
        else:
            self._agents.settle(fact.agent)

    def _callee_answered(self, interaction: Interaction) -> None:
        outbound = interaction.outbound
        if outbound is not None and interaction.state is InteractionState.MENU:
            config = self._book.settings(outbound.campaign)
            if config is not None and config.flow is not None:
                self._flows.enter(interaction, config.flow)
            else:
                self._callers.release(interaction)
        else:
            self._outbound.reached(interaction)

    def _wrapped_up(self, fact: WrapUpOver) -> None:
        """The campaign learns how long it took."""
        interaction = self._step.interactions.get(fact.interaction)
        if interaction is None or interaction.outbound is None:
            return
        for wrapping in interaction.wrapping:
            if wrapping.agent == fact.agent:
                spent_s = self._step.now.mono_s - wrapping.since.mono_s
                self._attempts.wrapped_up(interaction, spent_s)
                self._campaigns.wrapped_up(interaction.outbound.campaign, spent_s)

    def _callee_told(self, event: ev.CalleeTold) -> None:
        leg = self._heard(event.leg)
        if leg is not None:
            self._attempts.told(leg)

    def _join_failed(self, fact: JoinFailed) -> None:
        interaction = self._step.interactions.get(fact.interaction)
        if self._is_supervisors(fact.leg):
            self._supervision.take_failed(fact)
        elif interaction is not None and interaction.offer_on(fact.leg) is not None:
            self._offers.join_failed(interaction, fact.leg)
        else:
            self._handovers.join_failed(fact)

    def _talk_began(self, fact: TalkBegan) -> None:
        self._agents.talk_began(fact)
        self._supervision.talk_began(fact.interaction, fact.agent)
        if self._step.interactions[fact.interaction].kind != MESSAGE:
            self._access.spoke(self._step.interactions[fact.interaction], fact.agent)
        self._handovers.answered(self._step.interactions[fact.interaction])
        self._callbacks.served(self._step.interactions[fact.interaction])
        self._attempts.connected(self._step.interactions[fact.interaction])

    def _last_words(self, session: SessionId, prompt: str) -> None:
        self._features.last_words(session, prompt)

    def _is_supervisors(self, leg_id: LegId) -> bool:
        leg = self._step.legs.get(leg_id)
        return leg is not None and leg.role is Role.SUPERVISOR

    def _talk_over(self, fact: TalkOver) -> None:
        """One agent's part is over. A consultation has no wrap-up, and its caller, an agent, is not let go with it."""
        self._supervision.talk_over(fact.interaction, fact.agent)
        interaction = self._step.interactions[fact.interaction]
        config = self._step.wrap_up_settings(fact.queue, interaction)
        if interaction.outbound is not None:
            work = next((w for w in self._step.agents[fact.agent].work if w.interaction == interaction.id), None)
            if work is not None:
                self._campaigns.talked(interaction.outbound.campaign, self._step.now.mono_s - work.since.mono_s)
        if interaction.kind == CONSULT:
            self._agents.talk_over(fact, replace(config, wrap_up=WrapUpKind.NONE))
            self._handovers.consult_over(interaction)
            return
        if interaction.message is not None and interaction.message.is_called_back:
            config = replace(config, wrap_up=WrapUpKind.NONE)
        self._agents.talk_over(fact, config)
        self._handovers.talk_over(self._step.interactions[fact.interaction])
        self._interactions.talk_over(self._step.interactions[fact.interaction])
        self._wrap_up_at_desk(fact.agent, fact.interaction)

    def _wrap_up_at_desk(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """The agent is at the desk while the customer's story goes on elsewhere: asked for the disposition there."""
        agent = self._step.agents[agent_id]
        work = next((w for w in agent.work if w.interaction == interaction and w.phase is Phase.WRAP_UP), None)
        leg = self._step.legs.get(work.leg) if work is not None else None
        session = self._step.sessions.get(leg.session) if leg is not None else None
        if leg is None or session is None or session.dialogue not in AT_DESK or session.is_ending:
            return
        if leg.role is Role.HEADSET:
            # On a line that stays, the disposition is typed while it is parked.
            self._step.end_session(EndSession(session=session.id, next=Next.PARK))
        else:
            self._features.ask_disposition(session)

    def _answered(self, fact: Answered) -> None:
        if isinstance(fact.origin, str):
            self._features.answered(fact, SessionId(fact.origin))
        else:
            self._step.emit(Reply(request=RequestId(fact.origin), is_ok=fact.is_ok, text=fact.text))

    def _let_go(self, leg_id: LegId | None) -> None:
        """The agent's leg is no longer needed: end its session, or the leg itself when it has none."""
        leg = self._step.legs.get(leg_id)
        if leg is None:
            return
        session = self._step.sessions.get(leg.session)
        if leg.role is Role.HEADSET:
            if session is not None and session.dialogue in (*AT_DESK, Dialogue.WRAP_UP):
                self._step.end_session(EndSession(session=session.id, next=Next.PARK))
            return
        if session is None:
            self._step.hang_up(leg.id)
        elif session.dialogue is not Dialogue.LAST_WORDS:
            self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP))

    # --- what handovers ask for ---------------------------------------------------------------------------------------
    def _join(self, interaction: Interaction, leg: LegId, recording: str, max_talk_s: float) -> None:
        self._joins.join(interaction, leg, recording=recording, max_talk_s=max_talk_s)

    def _taken_away(self, interaction: Interaction) -> Interaction:
        return self._handovers.errands.taken_away(interaction)

    def _leave_queue(self, interaction: Interaction) -> Interaction:
        self._offers.withdraw_all(interaction)
        return self._queueing.leave(self._step.interactions[interaction.id], is_lost=False)

    # --- the daemon's own life ----------------------------------------------------------------------------------------
    def _center_started(self, event: ev.CenterStarted) -> None:
        """A new process: the old one's AGI sessions are closed, and what it had ordered may or may not have happened."""
        step = self._step
        step.clockwork = replace(
            step.clockwork,
            incarnation=event.incarnation,
            next_leg=1,
            next_interaction=max(step.clockwork.next_interaction, event.first_interaction),
            is_linked=False,
            is_observed=False,
            unlinked_since_s=step.clockwork.lost_at(step.now.mono_s),
            has_fresh_link=True,
        )
        for session in step.sessions.values():
            self._drop_session(session)
        for leg in step.legs.values():
            step.legs.put(leg.id, replace(leg, session=None, unseen=0))
        for command in list(step.outstanding):
            step.outstanding.drop(command)
        self._supervision.center_started()
        self._attempts.center_started()
        self._campaigns.center_started()

    def _settings_loaded(self, event: ev.SettingsLoaded) -> None:
        step = self._step
        step.settings = event.settings
        used = {i.version for i in step.interactions.values()} | {a.version for a in step.attempts.values()}
        used.add(event.settings.content_hash)
        for version in [v for v in step.versions if v not in used]:
            step.versions.drop(version)
        for agent in step.agents.values():
            if agent.id not in event.settings.agents and agent.presence is not Presence.LOGGED_OUT:
                # Removed: leaves after the present work.
                self._agents.log_out(RequestId(0), agent.id)
        step.facts = [f for f in step.facts if not (isinstance(f, Answered) and f.origin == 0)]
        for agent_id in event.settings.agents:
            if agent_id not in step.agents:
                step.put_agent(self._agents.get(agent_id))
            self._agents.set_clocks(agent_id)
        self.pairing.rebuild()
        self._access.settings_changed()
        self._closing.arm_all()
        self._messages.look_at_all()
        self._lamps.settings_changed()
        self._playback.settings_changed()
        self._campaigns.settings_changed()

    def _deadline_reached(self, event: ev.DeadlineReached) -> None:
        step = self._step
        if not step.clockwork.is_observed:
            self._attempts.tell_untold()
            return
        while (key := step.deadlines.take(step.now.mono_s)) is not None:
            self._due(*key)
            self._carry()

    def _due(self, kind: DeadlineKind, name: str) -> None:
        step = self._step
        if kind in AGENT_DEADLINES:
            agent_id = AgentId(name)
            if kind is DeadlineKind.WRAP_UP:
                self._agents.wrap_up_over(agent_id)
            elif kind is DeadlineKind.RELEASE:
                self._agents.released(agent_id)
            elif kind is DeadlineKind.SHIFT:
                self._agents.shift_over(agent_id)
            elif kind is DeadlineKind.LINE:
                self._agents.line_gone(agent_id)
            elif kind is DeadlineKind.DAY:
                self._agents.day_began(agent_id)
            step.touched_agents[agent_id] = None
            return
        if kind in QUEUE_DEADLINES:
            if kind is DeadlineKind.CLOSING:
                self._closing.reached(QueueId(name))
            step.touched_queues[QueueId(name)] = None
            return
        if kind in SESSION_DEADLINES:
            due = self._playback.due if kind is DeadlineKind.TAPE else self._own_calls.facts_due
            due(SessionId(name))
            return
        if kind in WATCH_DEADLINES:
            self._supervision.due(kind, WatchId(int(name)))
            return
        if kind in CAMPAIGN_DEADLINES:
            self._campaigns.due(CampaignId(name))
            return
        if kind in ATTEMPT_DEADLINES:
            self._attempt_due(kind, AttemptId(name))
            return
        interaction = step.interactions.get(InteractionId(int(name)))
        if interaction is None:
            return
        step.about = interaction.id
        for agent_id in sorted(interaction.agents()):
            step.touched_agents[agent_id] = None
        {
            DeadlineKind.MAX_WAIT: self._max_wait_reached,
            DeadlineKind.OVERFLOW: self._queueing.reconsider,
            DeadlineKind.MESSAGE: self._messages.look,
            DeadlineKind.TAKEN: self._messages.heard_enough,
            DeadlineKind.HELD: self._handovers.held_too_long,
            DeadlineKind.HOLD_REMINDER: self._handovers.remind,
            DeadlineKind.CALLBACK: self._callbacks.due,
            DeadlineKind.CALLBACK_FACTS: self._callbacks.facts_due,
            DeadlineKind.RING_GUARD: self._ring_guard_reached,
            DeadlineKind.RING_MORE: self.pairing.wants_one_more,
            DeadlineKind.JOIN: self._joins.overdue,
            DeadlineKind.RETURN: self._return_reached,
            DeadlineKind.LEAVE: self._interactions.leave_reached,
            DeadlineKind.MAX_TALK: self._max_talk_reached,
            DeadlineKind.LOOK_UP: self._flows.look_up_due,
            DeadlineKind.STAGE: self._access.stage_reached,
            DeadlineKind.PREFERRED: self._access.preferred_reached,
        }[kind](interaction)

    def _attempt_due(self, kind: DeadlineKind, name: AttemptId) -> None:
        attempt = self._step.attempts.get(name)
        if attempt is None:
            return
        self._step.about = attempt.interaction
        if kind is DeadlineKind.CONNECT:
            self._attempts.connect_due(attempt)
        else:
            self._attempts.guard_reached(attempt)

    def _max_wait_reached(self, interaction: Interaction) -> None:
        if not self._handovers.waited(interaction):
            self._queueing.reconsider(interaction)

    def _return_reached(self, interaction: Interaction) -> None:
        if not self._handovers.guest_missing(interaction):
            self._interactions.return_reached(interaction)

    def _interaction_faulted(self, event: ev.InteractionFaulted) -> None:
        """Total: the indexes are rebuilt from the records, and this one interaction is brought to a safe place."""
        step = self._step
        step.clockwork = replace(step.clockwork, faults=step.clockwork.faults + 1)
        step.store(FaultRecord(interaction=event.interaction, reason=event.reason, at_utc_s=step.now.utc_s))
        self._supervision.to_safety(event.interaction)
        interaction = step.interactions.get(event.interaction)
        if interaction is not None:
            if interaction.kind == MESSAGE:
                self._messages.to_safety(interaction)
            else:
                self._handovers.to_safety(interaction)
                self._interactions.to_safety(step.interactions[interaction.id])
            kept = step.interactions.get(interaction.id)
            busy = {o.agent for o in kept.offers} | {talk.agent for talk in kept.talks()} if kept else set()
            for agent in step.agents.values():
                if agent.id not in busy and any(w.interaction == interaction.id for w in agent.work):
                    self._agents.forget_work(agent.id, interaction.id)
        elif event.interaction is None:
            # Nobody knows what it was about: what is due now would raise again, for ever.
            while step.deadlines.take(step.now.mono_s) is not None:
                pass
            self._campaigns.faulted()
        step.facts = [fact for fact in step.facts if isinstance(fact, KEPT_AFTER_A_FAULT)]
        self.pairing.rebuild()

    # --- the link and what it shows -----------------------------------------------------------------------------------
    def _link_up(self, event: ev.LinkUp) -> None:
        step = self._step
        booted = step.now.utc_s - event.uptime_s
        before = step.clockwork.booted_utc_s
        if before is not None and booted - before > BOOT_TOLERANCE_S:
            self._pbx_restarted(event.pbx, self._last_of_the_old(step.now.mono_s - event.uptime_s))
        step.clockwork = replace(
            step.clockwork, is_linked=True, booted_utc_s=booted, unlinked_since_s=None, has_fresh_link=True
        )
        for agent_id in step.agents:
            step.touched_agents[agent_id] = None

    def _link_lost(self, event: ev.LinkLost) -> None:
        step = self._step
        step.clockwork = replace(
            step.clockwork, is_linked=False, is_observed=False, unlinked_since_s=step.clockwork.lost_at(step.now.mono_s)
        )
        self._attempts.link_lost()

    def _last_of_the_old(self, booted_s: float) -> float:
        """Until when what was heard came from the PBX before this one. It booted in the second that ends at `booted_s`; within
        that, what came before the link was lost is of the old one."""
        lost_s = self._step.clockwork.unlinked_since_s
        earliest_s = booted_s - UPTIME_STEP_S
        return earliest_s if lost_s is None else max(earliest_s, min(lost_s, booted_s))

    def _pbx_restarted(self, pbx: str, until_s: float) -> None:
        """Every channel heard of up to `until_s` is gone, and no Hangup tells of it. Newer ones reached us over AGI already."""
        step = self._step
        legs = [leg for leg in step.legs.values() if leg.id.pbx == pbx and leg.heard_s <= until_s]
        gone = {leg.id for leg in legs}
        for session in step.sessions.values():
            if session.leg in gone:
                self._drop_session(session)
        for leg in sorted(legs, key=lambda g: (g.role is Role.CALLER, g.id)):
            if leg.id in step.legs:
                self._leg_is_over(leg, 0, 0, by=EndedBy.PBX)
                self._carry()
        for phone in list(step.phones):
            step.phones.drop(phone)

    def _pbx_observed(self, event: ev.PbxObserved) -> None:
        if self._step.clockwork.has_fresh_link:
            self._lamps.forget()
        is_first = self._step.clockwork.has_fresh_link
        self._repairs.observed(event)
        self._carry()
        self._rooms.observed(event, is_first=is_first)
        for agent_id in self._step.agents:
            self._step.touched_agents[agent_id] = None

    # --- legs ---------------------------------------------------------------------------------------------------------
    def _heard(self, leg_id: LegId) -> Leg | None:
        """The leg, noted as heard of just now. None for a leg that does not concern us."""
        leg = self._step.legs.get(leg_id)
        if leg is None:
            return None
        self._step.about = leg.interaction
        leg = replace(leg, heard_s=self._step.now.mono_s, unseen=0, doubt=None)
        self._step.legs.put(leg_id, leg)
        return leg

    def _leg_steps(self, leg_id: LegId, what: LegStep, channel: str = "") -> None:
        leg = self._heard(leg_id)
        if leg is not None and (leg.role in (Role.AGENT, Role.GUEST) or leg.id.is_ours()):
            state = advance(LEG, leg.state, what)
            self._step.legs.put(leg_id, replace(leg, state=state, channel=channel or leg.channel))
            if leg.is_cancelled and leg.state is LegState.DIALLED:
                # The hang-up came before the channel; Asterisk refused it and went on to call the phone.
                self._step.order(HangUpLeg(leg=leg_id))

    def _leg_started(self, event: ev.LegStarted) -> None:
        self._leg_steps(event.leg, LegStep.STARTED, event.channel)

    def _leg_ringing(self, event: ev.LegRinging) -> None:
        self._leg_steps(event.leg, LegStep.RINGING)
        leg = self._step.legs.get(event.leg)
        if leg is not None and leg.role is Role.CALLEE:
            self._attempts.rang(leg)

    def _leg_answered(self, event: ev.LegAnswered) -> None:
        self._leg_steps(event.leg, LegStep.ANSWERED)
        leg = self._step.legs.get(event.leg)
        if leg is not None and leg.role is Role.CALLEE:
            self._attempts.answered(leg)

    def _leg_entered_bridge(self, event: ev.LegEnteredBridge) -> None:
        leg = self._heard(event.leg)
        if leg is not None:
            leg = replace(leg, bridge=event.bridge, state=LegState.UP)
            self._step.legs.put(leg.id, leg)
            self._talks.entered_bridge(leg)
            self._joins.entered_bridge(leg)
            self._handovers.entered_bridge(leg)

    def _leg_left_bridge(self, event: ev.LegLeftBridge) -> None:
        leg = self._heard(event.leg)
        if leg is not None and leg.bridge == event.bridge:
            self._step.legs.put(leg.id, replace(leg, bridge=None))

    def _leg_held(self, event: ev.LegHeld) -> None:
        leg = self._heard(event.leg)
        if leg is not None:
            self._talks.held(leg, is_held=True)

    def _leg_unheld(self, event: ev.LegUnheld) -> None:
        leg = self._heard(event.leg)
        if leg is not None:
            self._talks.held(leg, is_held=False)

    def _leg_parked(self, event: ev.LegParked) -> None:
        leg = self._heard(event.leg)
        if leg is not None and not self._is_with_caller(leg) and not self._is_asked(leg):
            self._leg_waits(leg)

    def _is_asked(self, leg: Leg) -> bool:
        """It is in a session that goes on, and did not leave it: news of where it waited before are late, or told twice."""
        session = self._step.sessions.get(leg.session)
        return session is not None and not session.is_ending and not session.is_left

    def _is_with_caller(self, leg: Leg) -> bool:
        """It is in the customer's bridge and has not left it: news of where it waited before are late, or told twice. A leg that is
        being joined and is in a bridge may be there, whatever was heard of the customer; where it is not, the join is overdue."""
        interaction = self._step.interactions.get(leg.interaction)
        caller = self._step.legs.get(interaction.leg) if interaction is not None else None
        if interaction is None or caller is None or leg.bridge is None:
            return False
        return caller.bridge == leg.bridge or (interaction.joining == leg.id and caller.bridge is None)

    def _leg_waits(self, leg: Leg) -> None:
        """It is parked, to be joined or ended. Told twice, it says nothing new."""
        if leg.is_parked:
            return
        if leg.role is Role.SUPERVISOR:
            self._supervision.parked(leg)
        elif leg.role is Role.HEADSET:
            self._not_joined(leg)
            self._headsets.parked(leg)
        elif leg.role is Role.AGENT and not self._talks.is_past_waiting(leg):
            # An agent's leg waits only until it is joined: after that the news is late, or told twice.
            self._offers.parked(replace(leg, state=LegState.UP))

    def _leg_digit(self, event: ev.LegDigit) -> None:
        leg = self._heard(event.leg)
        if leg is None or not self.listens_to(leg.id):
            return
        if self._rooms.is_moderator_in(leg.id):
            self._rooms.digit(leg.id, event.digit)
        elif leg.role is Role.SUPERVISOR:
            self._supervision.digit(leg, event.digit)
        elif leg.role is Role.HEADSET and leg.is_parked:
            self._headsets.typed(leg, event.digit)
        else:
            self._handovers.digit(leg, event.digit)

    def _legs_transferred(self, event: ev.LegsTransferred) -> None:
        for customer, target, channel in (
            (event.transferee, event.target, event.target_channel),
            (event.target, event.transferee, ""),
        ):
            leg = self._heard(customer)
            if leg is not None and leg.role is Role.CALLER:
                self._handovers.attended(leg, event.transferrer, target, channel)
                return

    def _met(self, customer: Leg, other: ev.ChannelView, gone: Collection[LegId]) -> None:
        """The customer is in a talk that no event told of: a phone put them together with somebody it had called, while nobody
        listened. The agent's leg is among those that are `gone`."""
        step = self._step
        interaction = step.interactions.get(customer.interaction)
        if interaction is None:
            return
        customer = replace(customer, bridge=other.bridge)
        step.legs.put(customer.id, customer)
        for offer in interaction.offers:
            leg = step.legs.get(offer.leg)
            if leg is not None and leg.id in gone:
                # It was ringing, and the talk began and went on without it meanwhile.
                step.legs.put(leg.id, replace(leg, bridge=other.bridge, state=LegState.UP))
                self._talks.entered_bridge(leg)
                self._carry()
        talk = step.interactions[interaction.id].talk
        if talk is None or talk.leg in gone:
            self._handovers.attended(customer, talk.leg if talk is not None else None, other.leg, other.channel)
            self._carry()

    def _leg_stranded(self, event: ev.LegStranded) -> None:
        leg = self._heard(event.leg)
        if leg is not None and leg.role is Role.CALLER and not leg.is_cancelled:
            # Not marked as cancelled: it was the customer who hung up, and history says so.
            self._step.order(HangUpLeg(leg=leg.id))

    def _leg_ended(self, event: ev.LegEnded) -> None:
        step = self._step
        leg = step.legs.get(event.leg)
        for table in (step.hung_up, step.over):
            for old, at_s in table.items():
                if at_s > step.now.mono_s - HUNG_UP_KEPT_S:
                    break
                table.drop(old)
        if leg is None:
            self._rooms.over(event.leg)
            step.hung_up.put(event.leg, step.now.mono_s)
        else:
            step.about = leg.interaction
            if leg.role is Role.CALLER:
                step.over.put(leg.id, step.now.mono_s)
            self._leg_is_over(leg, event.cause, event.tech_cause)

    def _leg_is_over(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None = None) -> None:
        step = self._step
        step.legs.drop(leg.id)
        if not self._invitations.over(leg, cause, is_lost=by is EndedBy.PBX):
            self._rooms.over(leg.id, is_lost=by is EndedBy.PBX)
        self._joins.leg_over(leg)
        for command_id, awaited in step.outstanding.items():
            if awaited.leg == leg.id and awaited.what is Awaited.HANG_UP:
                step.outstanding.drop(command_id)
        match leg.role:
            case Role.CALLER:
                called_back = step.interactions.get(leg.interaction)
                if called_back is not None and called_back.callback and not called_back.callback.is_reached:
                    self._callbacks.not_reached(called_back, came_to(leg, cause, tech_cause, by), cause)
                elif leg.interaction is not None and leg.interaction in step.interactions:
                    self._supervision.customer_gone(leg.interaction)
                    if not self._handovers.customer_gone(leg.interaction, by or EndedBy.CUSTOMER):
                        who = by or (EndedBy.SYSTEM if leg.is_cancelled else EndedBy.CUSTOMER)
                        self._interactions.caller_gone(leg.interaction, who, is_lost=by is EndedBy.PBX)
            case Role.AGENT:
                self._agent_leg_over(leg, cause, tech_cause, by)
            case Role.GUEST:
                self._handovers.leg_over(leg, cause, by)
            case Role.OWN:
                self._own_calls.leg_over(leg, is_lost=by is EndedBy.PBX)
            case Role.HEADSET:
                self._headsets.ended(leg, cause, tech_cause, by)
            case Role.FEATURE | Role.SUPERVISOR:
                self._supervision.leg_over(leg)
            case Role.CALLEE:
                self._attempts.leg_over(leg, cause, tech_cause, by)
            case Role.ROOM:
                pass

    def _agent_leg_over(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None) -> None:
        if not self._messages.leg_over(leg, cause, by) and not self._handovers.leg_over(leg, cause, by):
            self._talks.agent_leg_ended(leg, cause, tech_cause, by)

    def _line_left(self, leg: Leg) -> None:
        """A headset's line has left its talk by itself."""
        if not self._messages.left_desk(leg) and not self._handovers.left_room(leg):
            self._talks.agent_leg_came_back(leg)

    def _phone_state_changed(self, event: ev.PhoneStateChanged) -> None:
        known = self._step.phones.get(event.phone)
        self._step.phones.put(event.phone, Phone(state=event.state, changed_s=self._step.now.mono_s))
        if known is None or known.state is not event.state:
            self._agents.phone_changed(event.phone)

    # --- what became of commands --------------------------------------------------------------------------------------
    def _command_done(self, event: ev.CommandDone) -> None:
        awaited = self._step.outstanding.get(event.command)
        self._step.outstanding.drop(event.command)
        leg = self._step.legs.get(awaited.leg) if awaited is not None and awaited.what is Awaited.REDIRECT else None
        if leg is not None:
            self._handovers.moved(leg)

    def _command_failed(self, event: ev.CommandFailed) -> None:
        awaited = self._step.outstanding.get(event.command)
        self._step.outstanding.drop(event.command)
        if awaited is None or awaited.leg is None:
            return
        leg = self._step.legs.get(awaited.leg)
        if leg is None:
            return
        self._step.about = leg.interaction
        if awaited.what is Awaited.RING and leg.state is LegState.DIALLED:
            self._offers.ring_failed(leg, OfferOutcome.FAILED)
        elif awaited.what is Awaited.JOIN:
            self._joins.command_failed(leg, event.reason)
        elif awaited.what is Awaited.REDIRECT:
            if leg.role is Role.HEADSET:
                self._headsets.not_sent(leg)
            self._handovers.not_moved(leg)
        elif awaited.what is Awaited.SPY:
            self._supervision.spy_failed(leg)
        elif awaited.what is Awaited.DIAL and leg.state is LegState.DIALLED:
            self._nobody_came(leg)
        elif awaited.what is Awaited.HANG_UP and leg.is_dial_over and leg.state is LegState.DIALLED:
            # Its dial had failed, and now its end cannot be ordered: there is no channel, and no other news will come.
            self._no_channel_came(leg)

    def _outcome_unknown(self, event: ev.OutcomeUnknown) -> None:
        """The leg stays as it is; the next observation shows what is true."""
        self._step.outstanding.drop(event.command)

    def _ring_ended(self, event: ev.RingEnded) -> None:
        """Ends the action only: what became of the leg its own events tell. A failure without any is judged a little later."""
        self._step.outstanding.drop(event.command)
        leg = self._step.legs.get(event.leg)
        if event.is_ok or leg is None or leg.state is not LegState.DIALLED:
            return
        self._step.about = leg.interaction
        self._step.legs.put(leg.id, replace(leg, is_dial_over=True))
        if leg.role is Role.CALLEE:
            self._attempts.dial_ended(leg)
        elif leg.role is not Role.AGENT:
            self._nobody_came(leg)
        elif not self._offers.expect_news_of(leg):
            self._no_channel_came(leg)

    def _nobody_came(self, leg: Leg) -> None:
        """Somebody outside could not even be called."""
        self._leg_is_over(replace(leg, is_dial_over=True), 0, 0)

    def _max_talk_reached(self, interaction: Interaction) -> None:
        if interaction.kind == MESSAGE:
            self._messages.too_long(interaction)
        elif interaction.is_on_the_line():
            self._handovers.max_talk_reached(interaction)
        else:
            self._work.too_long(interaction)

    def _ring_guard_reached(self, interaction: Interaction) -> None:
        if not interaction.is_on_the_line():
            self._work.offer_overdue(interaction)
            return
        for offer in interaction.offers:
            leg = self._step.legs.get(offer.leg)
            if leg is not None and leg.is_dial_over and leg.state is LegState.DIALLED:
                self._no_channel_came(leg)
        left = self._step.interactions.get(interaction.id)
        if left is not None:
            self._offers.guard_reached(left)

    def _no_channel_came(self, leg: Leg) -> None:
        """The phone could not even be called: it has no contact."""
        if leg.role is Role.SUPERVISOR:
            self._nobody_came(leg)
            return
        config = self._step.settings.phones.get(leg.phone) if leg.phone is not None else None
        is_outside = config is not None and config.kind is PhoneKind.EXTERNAL
        if leg.phone is not None and not leg.is_cancelled and not is_outside:
            self._step.phones.put(leg.phone, Phone(state=PhoneState.UNAVAILABLE, changed_s=self._step.now.mono_s))
            self._agents.phone_changed(leg.phone)
        self._offers.ring_failed(leg, OfferOutcome.CANCELLED if leg.is_cancelled else OfferOutcome.UNREACHABLE)

    # --- AGI sessions -------------------------------------------------------------------------------------------------
    def _call_arrived(self, event: ev.CallArrived) -> None:
        known = self._step.legs.get(event.leg)
        left = self._step.sessions.get(known.session) if known is not None else None
        if left is not None:
            self._measuring.session_over(left)  # its end will be told, and a message in it may be over
        if known is not None and known.role is Role.CALLEE:
            self._step.about = known.interaction
            self._attempts.arrived(event, replace(known, heard_s=self._step.now.mono_s))
            return
        self._interactions.call_arrived(event)
        leg = self._step.legs.get(event.leg)
        if leg is not None and leg.session == event.session:
            self._handovers.customer_back(leg)

    def _transfer_asked(self, event: ev.TransferAsked) -> None:
        """A customer's leg, taken out of its talk by the agent's phone. Its session goes on as the customer's."""
        step = self._step
        leg = self._heard(event.leg)
        step.sessions.put(event.session, Session(id=event.session, leg=event.leg, dialogue=Dialogue.CALLER))
        interaction = step.interactions.get(leg.interaction) if leg is not None and leg.role is Role.CALLER else None
        if leg is None or interaction is None:
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        step.legs.put(leg.id, replace(leg, session=event.session, bridge=None))
        if not self._handovers.referred(interaction, event.to, event.number, event.kind):
            self._interactions.resume(step.interactions[interaction.id])
            self._handovers.customer_back(step.legs[leg.id])

    def _desk_opened(self, event: ev.DeskOpened) -> None:
        """An agent's leg asks what to do: what it is there for decides."""
        step = self._step
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.DESK)
        step.sessions.put(session.id, session)
        leg = self._heard(event.leg)
        if leg is not None and leg.role in (Role.ROOM, Role.OWN):
            leg = replace(leg, session=session.id, channel=event.channel, state=LegState.UP)
            step.legs.put(leg.id, leg)
            if self._doors.invited(session, leg):
                return
        if leg is None or leg.role not in LISTENED_TO:
            step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        leg = replace(leg, session=session.id, channel=event.channel, state=LegState.UP, bridge=None, is_parked=False, keys="")
        step.legs.put(leg.id, leg)
        if leg.role is Role.SUPERVISOR:
            self._supervision.desk_opened(leg, session)
            return
        self._not_joined(leg)
        interaction = step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if offer is not None and offer.parting is not None and not leg.is_cancelled:
            step.sessions.put(session.id, replace(session, agent=offer.agent))
            self._features.last_words(session.id, offer.parting)
            return
        phone = step.settings.phones.get(offer.phone) if offer is not None else None
        # Outside, somebody has to accept the message first; who listens already has.
        is_asked = phone is not None and phone.kind is PhoneKind.EXTERNAL and leg.role is Role.AGENT
        is_asked = is_asked and interaction is not None and interaction.listener() != leg.id
        if interaction is not None and not is_asked and self._hearing.opened(session, leg, interaction):
            return
        if interaction is not None and offer is not None and self._previews.opened(session, leg, interaction, offer):
            return
        if offer is None and self._features.line_opened(session, leg):
            return
        if interaction is not None and offer is not None and leg.role is Role.AGENT:
            self._externals.opened(session, leg, interaction, offer)
        elif offer is not None or not self._handovers.desk_opened(leg, session):
            if leg.role is Role.HEADSET:
                self._headsets.opened(session, leg)
            else:
                self._features.ask_disposition(session)

    def _not_joined(self, leg: Leg) -> None:
        """A leg that was to be joined with a customer on hold is somewhere else."""
        interaction = self._step.interactions.get(leg.interaction)
        if interaction is not None and interaction.state is InteractionState.HELD:
            self._joins.came_back(leg)

    def _number_collected(self, event: ev.NumberCollected) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        caller = self._caller_of(session)
        if caller is not None and caller.after is not None and caller.after.kind is AfterKind.CALLBACK:
            self._callbacks.number_collected(caller, caller.after, event)
        elif session.dialogue is Dialogue.DESK:
            self._handovers.number_collected(session, event)

    def _feature_dialled(self, event: ev.FeatureDialled) -> None:
        self._features.dialled(event)

    def _wrap_up_opened(self, event: ev.WrapUpOpened) -> None:
        step = self._step
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.WRAP_UP)
        step.sessions.put(session.id, session)
        leg = self._heard(event.leg)
        if leg is None or leg.role is not Role.AGENT:
            is_line = leg is not None and self._headsets.is_line(leg)
            step.end_session(EndSession(session=session.id, next=Next.PARK if is_line else Next.HANG_UP))
            return
        if self._handovers.is_late(leg):
            step.legs.put(leg.id, replace(leg, session=session.id))
            self._handovers.wait_for_news(leg, session)
            return
        leg = replace(leg, session=session.id, bridge=None, keys="")
        step.legs.put(leg.id, leg)
        self._not_joined(leg)
        if self._handovers.came_back(leg, session):
            return
        self._talks.agent_leg_came_back(leg)
        self._carry()
        if not step.sessions[session.id].is_ending:
            self._features.ask_disposition(step.sessions[session.id])

    def _session_closed(self, event: ev.SessionClosed) -> None:
        """The connection is over; the leg may be anywhere."""
        session = self._step.sessions.get(event.session)
        if session is None:
            return
        self._drop_session(session)
        leg = self._step.legs.get(session.leg)
        if leg is not None and leg.session == event.session:
            self._step.legs.put(leg.id, replace(leg, session=None))

    def _drop_session(self, session: Session) -> None:
        self._playback.over(session)
        self._measuring.session_over(session)
        self._own_calls.session_over(session)
        self._step.sessions.drop(session.id)

    def _attempt_stored(self, event: ev.AttemptStored) -> None:
        """Of a campaign, of a callback, or of an agent's own call. One that nobody waits for any more is not left open."""
        if not self._own_calls.attempt_stored(event) and not self._callbacks.attempt_stored(event):
            self._attempts.stored(event)
        self._step.outstanding.drop(event.command)

    def _audit_stored(self, event: ev.AuditStored) -> None:
        self._supervision.audited(event)
        self._playback.audited(event)

    def _current(self, session_id: SessionId, command: CommandId) -> Session | None:
        """The session, if `command` is its newest verb: what ended an older one is late and means nothing."""
        session = self._step.sessions.get(session_id)
        if session is None or session.verb != command or session.is_ending:
            return None
        leg = self._step.legs.get(session.leg)
        if leg is None or leg.session != session_id:
            return None
        self._step.about = leg.interaction
        session = replace(session, verb=None)
        self._step.sessions.put(session_id, session)
        return session

    def _caller_of(self, session: Session) -> Interaction | None:
        leg = self._step.legs[session.leg]
        return self._step.interactions.get(leg.interaction) if leg.role is Role.CALLER else None

    def _prompt_ended(self, event: ev.PromptEnded) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        interaction = self._caller_of(session)
        if session.dialogue in (Dialogue.BEEP, Dialogue.MACHINE):
            self._attempts.prompt_ended(session, self._step.legs[session.leg])
        elif session.dialogue is Dialogue.PREVIEW:
            self._previews.said(session)
        elif session.dialogue is Dialogue.NOTICE:
            self._headsets.notice_ended(session)
        elif session.dialogue is Dialogue.MESSAGE:
            self._hearing.prompt_ended(session, event.end)
        elif session.dialogue is Dialogue.WATCH:
            self._supervision.prompt_ended(session)
        elif interaction is not None:
            self._interactions.verb_ended(interaction)
        elif session.dialogue is Dialogue.DESK:
            self._handovers.prompt_ended(session)
        else:
            self._features.prompt_ended(session, event.end)

    def _digits_collected(self, event: ev.DigitsCollected) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        interaction = self._caller_of(session)
        if session.dialogue is Dialogue.ACCEPT:
            self._accepted(session, event.digits)
        elif session.dialogue is Dialogue.PREVIEW:
            self._previews.typed(session, event.digits)
        elif interaction is not None and interaction.after is not None and interaction.after.kind is AfterKind.OPT_OUT:
            self._attempts.opted_out(interaction, interaction.after, event.digits)
        elif session.dialogue is Dialogue.MESSAGE:
            self._hearing.digits_collected(session, event.digits)
        elif interaction is not None and interaction.after is not None and interaction.after.kind is AfterKind.CALLBACK:
            self._callbacks.digits_collected(interaction, interaction.after, event.digits)
        elif interaction is not None:
            self._flows.digits_collected(interaction, event.digits)
        else:
            self._features.digits_collected(session, event.digits)

    def _accepted(self, session: Session, digits: str) -> None:
        """Outside. A message is heard in the same session; for a customer the leg parks."""
        leg = self._step.legs[session.leg]
        interaction = self._step.interactions.get(leg.interaction)
        is_accepted = interaction is not None and digits == ACCEPT_KEY
        if interaction is None or not is_accepted or not self._hearing.opened(session, leg, interaction):
            self._externals.typed(session, digits)

    def _wait_ended(self, event: ev.WaitEnded) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        is_key = interaction is not None and event.end is ev.VerbEnd.DIGIT
        if session is not None and event.end is ev.VerbEnd.FAILED and self._handovers.music_failed(interaction, session):
            return
        if interaction is not None and not (is_key and self._callbacks.pressed(interaction, event.digit)):
            self._interactions.verb_ended(interaction)
        elif session is not None and session.dialogue is Dialogue.DESK:
            self._handovers.wait_ended(session, event.end, event.digit)

    def _message_recorded(self, event: ev.MessageRecorded) -> None:
        session = self._step.sessions.get(event.session)
        if session is None or session.verb != event.command:
            return
        if session.dialogue is Dialogue.OFFICE_RECORD:
            self._features.office.message_recorded(session, event.duration_s)
        else:
            kept = self._callers.message_recorded(session, event.duration_s)
            if kept is not None:
                self._messages.left(kept, event.duration_s)

    def _secret_checked(self, event: ev.SecretChecked) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        if interaction is not None and interaction.door is not None:
            self._doors.caller_checked(interaction, event)
        elif interaction is not None:
            self._flows.secret_checked(interaction, event)
        elif session is not None:
            self._features.secret_checked(session, event)

    def _script_ended(self, event: ev.ScriptEnded) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        if interaction is not None:
            self._flows.script_ended(interaction, event)

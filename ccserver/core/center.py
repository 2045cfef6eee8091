"""The whole contact center as one value that is told what happened, and answers what to do.

    commands = center.handle(event, now)      # never performs anything itself
    deadline = center.next_deadline()         # the driver arms one timer
    commands = center.on_deadline(now)

Each call is one step, and one input of the journal. A step first changes the records, then carries the facts that the engines told each
other, then lets the matcher pair who waits with who is free, and last shows the agents' new states. A step that raises is undone
whole and reported as `StepFailed`; the driver answers it with `InteractionFaulted`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ccserver.core import events as ev
from ccserver.core.carrying import Carrier
from ccserver.core.change import replace
from ccserver.core.commands import Command
from ccserver.core.engines import Engines
from ccserver.core.facts import (
    Answered,
    BackToMenu,
    CallbackOffered,
    FlowReturned,
    HandedOver,
    OutboundOver,
    SaidNothing,
)
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    InteractionId,
    LegId,
    QueueId,
    RequestId,
    SessionId,
    WatchId,
)
from ccserver.core.leg_events import LegEvents
from ccserver.core.moment import Moment
from ccserver.core.quality import Quality
from ccserver.core.records import EndedBy, FaultRecord
from ccserver.core.repairs import Repairs
from ccserver.core.session_events import SessionEvents
from ccserver.core.settings import Settings
from ccserver.core.state import (
    AGENT_DEADLINES,
    ATTEMPT_DEADLINES,
    CAMPAIGN_DEADLINES,
    FORMAT,
    MESSAGE,
    QUEUE_DEADLINES,
    SESSION_DEADLINES,
    WATCH_DEADLINES,
    CenterState,
    DeadlineKind,
    Interaction,
    Presence,
    Role,
)
from ccserver.core.step import Step

UPTIME_STEP_S = 1.0
"""Asterisk tells its uptime in whole seconds."""
BOOT_TOLERANCE_S = 3.0
"""What we make of the uptime may be late as well: a boot time that moved more is another boot."""

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
        self._engines = engines = Engines(step, state)
        self.pairing = engines.pairing
        self._facts = Carrier(step, engines)
        self._legs = legs = LegEvents(step, engines, carry=self._facts.carry)
        self._sessions = sessions = SessionEvents(step, engines, carry=self._facts.carry)
        self._repairs = Repairs(step, engines.talks, legs.is_over, legs.waits, legs.met)
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            ev.CenterStarted: self._center_started,
            ev.SettingsLoaded: self._settings_loaded,
            ev.DeadlineReached: self._deadline_reached,
            ev.InteractionFaulted: self._interaction_faulted,
            ev.LinkUp: self._link_up,
            ev.LinkLost: self._link_lost,
            ev.PbxObserved: self._pbx_observed,
            ev.LegStarted: legs.started,
            ev.LegRinging: legs.ringing,
            ev.LegAnswered: legs.answered,
            ev.LegEnteredBridge: legs.entered_bridge,
            ev.LegLeftBridge: legs.left_bridge,
            ev.LegHeld: legs.held,
            ev.LegUnheld: legs.unheld,
            ev.LegParked: legs.parked,
            ev.LegMeasured: Quality(step).measured,
            ev.LegDigit: legs.digit,
            ev.LegsTransferred: legs.transferred,
            ev.LegStranded: legs.stranded,
            ev.LegEnded: legs.ended,
            ev.PhoneStateChanged: legs.phone_state_changed,
            ev.CommandDone: legs.command_done,
            ev.CommandFailed: legs.command_failed,
            ev.OutcomeUnknown: legs.outcome_unknown,
            ev.RingEnded: legs.ring_ended,
            ev.CallArrived: sessions.call_arrived,
            ev.FeatureDialled: engines.features.dialled,
            ev.OwnCallDialled: engines.own_calls.dialled,
            ev.EmergencyDialled: engines.own_calls.emergency,
            ev.OwnDialEnded: engines.own_calls.dial_ended,
            ev.WrapUpOpened: sessions.wrap_up_opened,
            ev.DeskOpened: sessions.desk_opened,
            ev.TransferAsked: sessions.transfer_asked,
            ev.SessionClosed: sessions.closed,
            ev.PromptEnded: sessions.prompt_ended,
            ev.DigitsCollected: sessions.digits_collected,
            ev.WaitEnded: sessions.wait_ended,
            ev.SecretChecked: sessions.secret_checked,
            ev.ScriptEnded: sessions.script_ended,
            ev.LookedUp: engines.flows.looked_up,
            ev.PromptKept: engines.features.office.prompt_kept,
            ev.RecordingOpened: engines.playback.opened,
            ev.AuditStored: self._audit_stored,
            ev.LeadsClaimed: engines.campaigns.claimed,
            ev.AttemptStored: self._attempt_stored,
            ev.LeadsAdded: engines.campaigns.leads_added,
            ev.CampaignRequested: engines.campaigns.requested,
            ev.RedialRequested: engines.campaigns.redial,
            ev.CalleeTold: legs.callee_told,
            ev.WatchRequested: engines.supervision.requested,
            ev.WatchModeRequested: engines.supervision.mode_requested,
            ev.WatchStopRequested: engines.supervision.stop_requested,
            ev.RecordingRequested: engines.recorder.requested,
            ev.CloseHoursRequested: engines.closing.close_hours,
            ev.OpenHoursRequested: engines.closing.open_hours,
            ev.LoginRequested: engines.live.log_in,
            ev.LogoutRequested: engines.live.log_out,
            ev.PauseRequested: engines.live.pause,
            ev.UnpauseRequested: engines.live.unpause,
            ev.HangUpRequested: engines.live.hang_up,
            ev.MoveAgentRequested: engines.live.move_agent,
            ev.SkillRequested: engines.live.set_skill,
            ev.PriorityRequested: engines.live.set_priority,
            ev.MoveCallRequested: engines.live.move_call,
            ev.PickRequested: engines.live.pick,
            ev.MarkNumberRequested: engines.live.mark_number,
            ev.WorkRequested: engines.work.requested,
            ev.WorkAccepted: engines.work.accepted,
            ev.WorkFinished: engines.work.finished,
            ev.CloseQueueRequested: engines.closing.close,
            ev.OpenQueueRequested: engines.closing.open,
            ev.ForgetNumberRequested: engines.forgetting.forget,
            ev.CancelCallbackRequested: engines.callbacks.cancel,
            ev.RoomJoined: engines.rooms.joined,
            ev.RoomLeft: engines.rooms.left,
            ev.RoomMuted: engines.rooms.muted,
            ev.RoomLocked: engines.rooms.locked,
            ev.ConferenceRequested: engines.rooms.requested,
            ev.ConferenceCreated: engines.rooms.created,
            ev.InvitationRequested: engines.invitations.requested,
            ev.NumberCollected: sessions.number_collected,
            ev.MessageRecorded: sessions.message_recorded,
            ev.MessageMeasured: engines.measuring.measured,
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
            self._engines.book.forget_untold()
            self._engines.pairing.rebuild()
            raise StepFailed(about, f"{type(event).__name__}: {type(problem).__name__}: {problem}") from problem
        self._engines.book.flush()
        return step.commands

    def next_deadline(self) -> float | None:
        """Monotonic seconds of the next one; None when nothing is due. None also until the PBX has been observed: what
        became due while nobody looked must not fire upon what nobody knows. But whoever answered our call and waits in a session
        is told who called: no PBX is needed for that."""
        return self._step.deadlines.next() if self._step.clockwork.is_observed else self._engines.attempts.untold_at_s()

    def on_deadline(self, now: Moment) -> list[Command]:
        """Everything that is due, as one step."""
        return self.handle(ev.DeadlineReached(), now)

    def listens_to(self, leg_id: LegId) -> bool:
        """Whether digits typed on this leg are told as `LegDigit`."""
        return self._legs.listens_to(leg_id)

    def snapshot(self) -> CenterState:
        """The state as a value; shallow, since the records never change. With what the pacers have learned."""
        return replace(self.look(), pacers=self._engines.book.learned())

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
        self._facts.carry()
        self._engines.access.review()
        self._engines.queueing.staff_left(step.touched_agents)
        self._engines.campaigns.let_go()
        self._facts.carry()
        self._engines.pairing.follow()
        while (match := self._engines.pairing.next() or self._engines.pairing.next_beside()) is not None:
            for place, agent_id in enumerate(match.agents):
                # The first is offered it or the step fails: a match that nothing came of would be found again for ever.
                interaction = step.interactions[match.interaction]
                if place == 0 or interaction.can_ring_more():
                    self._facts.offer(interaction, agent_id, match.why)
                    self._facts.carry()
            self._engines.pairing.follow()
        self._engines.campaigns.follow()
        self._engines.pairing.follow()
        self._engines.supervision.follow()
        self._engines.measuring.follow()
        for interaction_id in list(step.to_entertain):
            found = step.interactions.get(interaction_id)
            if found is not None:
                self._engines.queueing.entertain(found)
        for agent_id in list(step.touched_agents):
            self._engines.agents.show(agent_id)
        self._engines.lamps.follow()

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
            self._sessions.drop(session)
        for leg in step.legs.values():
            step.legs.put(leg.id, replace(leg, session=None, unseen=0))
        for command in list(step.outstanding):
            step.outstanding.drop(command)
        self._engines.supervision.center_started()
        self._engines.attempts.center_started()
        self._engines.campaigns.center_started()

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
                self._engines.agents.log_out(RequestId(0), agent.id)
        step.facts = [f for f in step.facts if not (isinstance(f, Answered) and f.origin == 0)]
        for agent_id in event.settings.agents:
            if agent_id not in step.agents:
                step.put_agent(self._engines.agents.get(agent_id))
            self._engines.agents.set_clocks(agent_id)
        self._engines.pairing.rebuild()
        self._engines.access.settings_changed()
        self._engines.closing.arm_all()
        self._engines.messages.look_at_all()
        self._engines.lamps.settings_changed()
        self._engines.playback.settings_changed()
        self._engines.campaigns.settings_changed()

    def _deadline_reached(self, event: ev.DeadlineReached) -> None:
        step = self._step
        if not step.clockwork.is_observed:
            self._engines.attempts.tell_untold()
            return
        while (key := step.deadlines.take(step.now.mono_s)) is not None:
            self._due(*key)
            self._facts.carry()

    def _due(self, kind: DeadlineKind, name: str) -> None:
        step = self._step
        if kind in AGENT_DEADLINES:
            agent_id = AgentId(name)
            if kind is DeadlineKind.WRAP_UP:
                self._engines.agents.wrap_up_over(agent_id)
            elif kind is DeadlineKind.RELEASE:
                self._engines.agents.released(agent_id)
            elif kind is DeadlineKind.SHIFT:
                self._engines.agents.shift_over(agent_id)
            elif kind is DeadlineKind.LINE:
                self._engines.agents.line_gone(agent_id)
            elif kind is DeadlineKind.DAY:
                self._engines.agents.day_began(agent_id)
            step.touched_agents[agent_id] = None
            return
        if kind in QUEUE_DEADLINES:
            if kind is DeadlineKind.CLOSING:
                self._engines.closing.reached(QueueId(name))
            step.touched_queues[QueueId(name)] = None
            return
        if kind in SESSION_DEADLINES:
            due = self._engines.playback.due if kind is DeadlineKind.TAPE else self._engines.own_calls.facts_due
            due(SessionId(name))
            return
        if kind in WATCH_DEADLINES:
            self._engines.supervision.due(kind, WatchId(int(name)))
            return
        if kind in CAMPAIGN_DEADLINES:
            self._engines.campaigns.due(CampaignId(name))
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
            DeadlineKind.OVERFLOW: self._engines.queueing.reconsider,
            DeadlineKind.MESSAGE: self._engines.messages.look,
            DeadlineKind.TAKEN: self._engines.messages.heard_enough,
            DeadlineKind.HELD: self._engines.handovers.held_too_long,
            DeadlineKind.HOLD_REMINDER: self._engines.handovers.remind,
            DeadlineKind.CALLBACK: self._engines.callbacks.due,
            DeadlineKind.CALLBACK_FACTS: self._engines.callbacks.facts_due,
            DeadlineKind.RING_GUARD: self._legs.ring_guard_reached,
            DeadlineKind.RING_MORE: self._engines.pairing.wants_one_more,
            DeadlineKind.JOIN: self._engines.joins.overdue,
            DeadlineKind.RETURN: self._return_reached,
            DeadlineKind.LEAVE: self._engines.interactions.leave_reached,
            DeadlineKind.MAX_TALK: self._max_talk_reached,
            DeadlineKind.LOOK_UP: self._engines.flows.look_up_due,
            DeadlineKind.STAGE: self._engines.access.stage_reached,
            DeadlineKind.PREFERRED: self._engines.access.preferred_reached,
        }[kind](interaction)

    def _attempt_due(self, kind: DeadlineKind, name: AttemptId) -> None:
        attempt = self._step.attempts.get(name)
        if attempt is None:
            return
        self._step.about = attempt.interaction
        if kind is DeadlineKind.CONNECT:
            self._engines.attempts.connect_due(attempt)
        else:
            self._engines.attempts.guard_reached(attempt)

    def _max_wait_reached(self, interaction: Interaction) -> None:
        if not self._engines.handovers.waited(interaction):
            self._engines.queueing.reconsider(interaction)

    def _return_reached(self, interaction: Interaction) -> None:
        if not self._engines.handovers.guest_missing(interaction):
            self._engines.interactions.return_reached(interaction)

    def _max_talk_reached(self, interaction: Interaction) -> None:
        if interaction.kind == MESSAGE:
            self._engines.messages.too_long(interaction)
        elif interaction.is_on_the_line():
            self._engines.handovers.max_talk_reached(interaction)
        else:
            self._engines.work.too_long(interaction)

    def _interaction_faulted(self, event: ev.InteractionFaulted) -> None:
        """Total: the indexes are rebuilt from the records, and this one interaction is brought to a safe place."""
        step = self._step
        step.clockwork = replace(step.clockwork, faults=step.clockwork.faults + 1)
        step.store(FaultRecord(interaction=event.interaction, reason=event.reason, at_utc_s=step.now.utc_s))
        self._engines.supervision.to_safety(event.interaction)
        interaction = step.interactions.get(event.interaction)
        if interaction is not None:
            if interaction.kind == MESSAGE:
                self._engines.messages.to_safety(interaction)
            else:
                self._engines.handovers.to_safety(interaction)
                self._engines.interactions.to_safety(step.interactions[interaction.id])
            kept = step.interactions.get(interaction.id)
            busy = {o.agent for o in kept.offers} | {talk.agent for talk in kept.talks()} if kept else set()
            for agent in step.agents.values():
                if agent.id not in busy and any(w.interaction == interaction.id for w in agent.work):
                    self._engines.agents.forget_work(agent.id, interaction.id)
        elif event.interaction is None:
            # Nobody knows what it was about: what is due now would raise again, for ever.
            while step.deadlines.take(step.now.mono_s) is not None:
                pass
            self._engines.campaigns.faulted()
        step.facts = [fact for fact in step.facts if isinstance(fact, KEPT_AFTER_A_FAULT)]
        self._engines.pairing.rebuild()

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
        self._engines.attempts.link_lost()

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
                self._sessions.drop(session)
        for leg in sorted(legs, key=lambda g: (g.role is Role.CALLER, g.id)):
            if leg.id in step.legs:
                self._legs.is_over(leg, 0, 0, by=EndedBy.PBX)
                self._facts.carry()
        for phone in list(step.phones):
            step.phones.drop(phone)

    def _pbx_observed(self, event: ev.PbxObserved) -> None:
        if self._step.clockwork.has_fresh_link:
            self._engines.lamps.forget()
        is_first = self._step.clockwork.has_fresh_link
        self._repairs.observed(event)
        self._facts.carry()
        self._engines.rooms.observed(event, is_first=is_first)
        for agent_id in self._step.agents:
            self._step.touched_agents[agent_id] = None

    # --- what the database answers ------------------------------------------------------------------------------------
    def _attempt_stored(self, event: ev.AttemptStored) -> None:
        """Of a campaign, of a callback, or of an agent's own call. One that nobody waits for any more is not left open."""
        if not self._engines.own_calls.attempt_stored(event) and not self._engines.callbacks.attempt_stored(event):
            self._engines.attempts.stored(event)
        self._step.outstanding.drop(event.command)

    def _audit_stored(self, event: ev.AuditStored) -> None:
        self._engines.supervision.audited(event)
        self._engines.playback.audited(event)

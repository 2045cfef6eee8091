"""Supervision: somebody hears the talks of an agent, speaks to the agent or to both, or takes the customer over.

A supervisor's leg parks, and hears the agent's leg while that is in a talk: from call to call, for as long as the supervisor stays. It
hears another channel and is joined with none, so its end, whatever ends it, touches no call; the one exception is the take-over, a
join like others, which changes the talk only when it has happened.

Rules, the first wins. What cannot be put on record is not done: each mode in each call is an entry of the audit log that is committed
before, and where the database does not commit it in time, the session ends with a word. Nobody hears whom their role does not let
them hear, also when roles change meanwhile. A supervisor who is told something hears nothing else.
"""

from collections.abc import Callable

from ccserver.core import recording, rights
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import (
    Ears,
    EndSession,
    Move,
    Next,
    Place,
    RedirectLegs,
    Reply,
    RingSupervisor,
    Say,
    SpeakInTalk,
    SpyLeg,
)
from ccserver.core.events import AuditStored, WatchModeRequested, WatchRequested, WatchStopRequested
from ccserver.core.facts import Joined, JoinFailed
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, PromptId, QueueId, RequestId, SessionId, WatchId
from ccserver.core.joins import Joins
from ccserver.core.ledger import Ledger
from ccserver.core.records import AuditRecord, EndedBy, NoticeKind, RecordingRecord, RecordingSide, WatchRecord
from ccserver.core.settings import PhoneKind, RecordingMode, Spoken, SpokenKind, SupervisionNotice, WatchMode, WorkMode
from ccserver.core.state import (
    CALLBACK,
    VOICE,
    DeadlineKind,
    Dialogue,
    Entry,
    Heard,
    Interaction,
    Leg,
    Role,
    Session,
    Talk,
    Watch,
    WatchStage,
)
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState, LegState, Phase
from ccserver.core.watch_refusals import Refusal

AUDIT_S = 3.0
"""How long an entry of the audit log may take."""
RING_S = 30.0
COMING_S = 10.0
TOLD_S = 30.0
GUARD_S = 5.0
REST_S = 0.5
"""An order that did not hold is not repeated sooner."""
WATCHES_MAX = 200
NAME = "Supervision"
"""On the phone that is rung."""
KEYS = {"4": WatchMode.LISTEN, "5": WatchMode.WHISPER, "6": WatchMode.BARGE, "9": WatchMode.TAKE_OVER}
EARS = {WatchMode.LISTEN: Ears.NOBODY, WatchMode.WHISPER: Ears.AGENT, WatchMode.BARGE: Ears.ALL}
TakenOver = Callable[[Interaction, Leg, AgentId, str], None]


class Supervision:
    """`taken_over` tells the interaction that its customer is with another agent now; `last_words` ends a feature code's session."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        joins: Joins,
        agents: Agents,
        *,
        taken_over: TakenOver,
        last_words: Callable[[SessionId, str], None],
    ) -> None:
        self._step = step
        self._ledger = ledger
        self._joins = joins
        self._agents = agents
        self._taken_over = taken_over
        self._last_words = last_words

    # --- beginnings -----------------------------------------------------------------------------------------------------
    def dialled(
        self,
        session: Session,
        supervisor: AgentId,
        mode: WatchMode,
        *,
        agent: AgentId | None = None,
        queue: QueueId | None = None,
    ) -> None:
        """By a feature code: the call becomes the supervisor's leg. One of `agent` and `queue` is given, or nothing that exists."""
        leg = self._step.legs[session.leg]
        assert leg.phone is not None
        by = f"agent {supervisor}"
        refusal = self._refusal(supervisor, leg.phone, mode, agent=agent, queue=queue)
        if refusal is not None:
            self._audit(by, mode, refusal.name.lower(), agent=agent, is_done=False)
            self._last_words(session.id, refusal.prompt)
            return
        self._step.sessions.put(session.id, replace(session, dialogue=Dialogue.WATCH_ASKED, agent=supervisor))
        self._new(
            Watch(
                id=self._next(),
                stage=WatchStage.ASKED,
                mode=mode,
                by=by,
                supervisor=supervisor,
                phone=leg.phone,
                since=self._step.now,
                leg=leg.id,
                agent=agent,
                queue=queue,
            )
        )

    def requested(self, event: WatchRequested) -> None:
        """By an account at the control socket, which has all rights: a phone is rung."""
        refusal = self._refusal(None, event.phone, event.mode, agent=event.agent, queue=event.queue)
        if event.phone not in self._step.settings.phones:
            refusal = Refusal.NO_PHONE
        if refusal is not None:
            self._audit(event.by, event.mode, refusal.name.lower(), agent=event.agent, is_done=False)
            self._reply(event.request, refusal.text)
            return
        self._new(
            Watch(
                id=self._next(),
                stage=WatchStage.ASKED,
                mode=event.mode,
                by=event.by,
                supervisor=None,
                phone=event.phone,
                since=self._step.now,
                agent=event.agent,
                queue=event.queue,
                request=event.request,
            )
        )

    def _refusal(
        self, supervisor: AgentId | None, phone: PhoneId, mode: WatchMode, *, agent: AgentId | None, queue: QueueId | None
    ) -> Refusal | None:
        settings = self._step.settings
        if agent is None and queue is None:
            return Refusal.UNKNOWN
        if queue is not None and queue not in settings.queues:
            return Refusal.UNKNOWN
        if queue is not None and supervisor is not None and not rights.may_somebody(settings, supervisor, mode):
            return Refusal.NOT_ALLOWED
        if agent is not None and supervisor is not None and not rights.may(settings, supervisor, mode, agent):
            return Refusal.NOT_ALLOWED
        if agent is not None and agent not in settings.agents:
            return Refusal.UNKNOWN
        if len(self._step.watches) >= WATCHES_MAX:
            return Refusal.TOO_MANY
        return self._cannot_take(supervisor, phone, agent) if mode is WatchMode.TAKE_OVER else None

    def _next(self) -> WatchId:
        clockwork = self._step.clockwork
        self._step.clockwork = replace(clockwork, next_watch=clockwork.next_watch + 1)
        return WatchId(clockwork.next_watch)

    def _new(self, watch: Watch) -> None:
        """First of all it goes on record."""
        talk = self._talk(watch.agent)
        self._ask(watch, Entry(interaction=talk[0].id if talk is not None else None, mode=watch.mode))

    # --- on record ------------------------------------------------------------------------------------------------------
    def _ask(self, watch: Watch, entry: Entry) -> None:
        record = self._entry(watch.by, entry.mode, _what(watch), agent=watch.agent, interaction=entry.interaction)
        command = self._step.store_audit(record, watch.leg)
        self._step.deadlines.set(DeadlineKind.AUDIT, watch.id, self._step.now.mono_s + AUDIT_S)
        self._put(replace(watch, asking=command, asked=entry))

    def audited(self, event: AuditStored) -> None:
        self._step.outstanding.drop(event.command)
        watch = next((each for each in self._step.watches.values() if each.asking == event.command), None)
        if watch is None:
            return
        self._step.deadlines.clear(DeadlineKind.AUDIT, watch.id)
        watch = self._put(replace(watch, asking=None, asked=None, allowed=watch.asked))
        if watch.stage is not WatchStage.ASKED:
            return
        if watch.leg is None:
            self._ring(watch)
        else:
            leg = self._step.legs[watch.leg]
            self._step.legs.put(leg.id, replace(leg, role=Role.SUPERVISOR))
            self._come(watch)
            if leg.session in self._step.sessions and leg.session is not None:
                self._step.end_session(EndSession(session=leg.session, next=Next.PARK))

    def _ring(self, watch: Watch) -> None:
        step = self._step
        counters, pbx = step.clockwork, step.settings.pbx
        leg = LegId(pbx, f"cc{pbx}-{counters.incarnation:06d}-{counters.next_leg:08d}")
        step.clockwork = replace(counters, next_leg=counters.next_leg + 1)
        step.legs.put(
            leg, Leg(id=leg, role=Role.SUPERVISOR, state=LegState.DIALLED, phone=watch.phone, heard_s=step.now.mono_s)
        )
        self._come(replace(watch, leg=leg), RING_S + GUARD_S)
        step.order(RingSupervisor(leg=leg, phone=watch.phone, name=NAME, ring_timeout_s=RING_S))
        if watch.request is not None:
            step.emit(Reply(request=watch.request, is_ok=True, text=f"session {watch.id}: {watch.phone} is called"))

    def audit_overdue(self, watch: Watch) -> None:
        """The database has not committed the entry. It may still do so; then nothing comes of it."""
        if watch.asking is None:
            return
        self._step.outstanding.drop(watch.asking)
        watch = self._put(replace(watch, asking=None, asked=None))
        if watch.stage is not WatchStage.ASKED:
            self._tell(watch, Refusal.NO_RECORD, is_last_word=True)
            return
        if watch.request is not None:
            self._reply(watch.request, Refusal.NO_RECORD.text)
        leg = self._step.legs.get(watch.leg)
        if leg is not None and leg.session is not None:
            self._last_words(leg.session, Refusal.NO_RECORD.prompt)
        self._drop(watch)

    # --- who hears what now ---------------------------------------------------------------------------------------------
    def follow(self) -> None:
        """At the end of each step: whoever is ready hears what there is to hear."""
        if self._step.clockwork.is_observed and self._step.clockwork.is_linked:
            for watch in self._step.watches.values():
                if watch.stage is WatchStage.READY:
                    self._look(watch)

    def _look(self, watch: Watch) -> None:
        leg = self._step.legs.get(watch.leg)
        if leg is None or leg.is_cancelled or self._step.now.mono_s < watch.rests_until_s:
            return
        talk = self._talk(watch.agent)
        if talk is None or watch.agent is None or self._is_another(watch, talk[0]):
            self._silence(watch, leg)
            return
        interaction, target = talk
        self._step.about = interaction.id
        if watch.supervisor is not None and not rights.may(self._step.settings, watch.supervisor, watch.mode, watch.agent):
            self._tell(watch, Refusal.NOT_ALLOWED, is_last_word=True)
        elif watch.allowed != Entry(interaction=interaction.id, mode=watch.mode):
            if watch.asking is None:
                self._ask(watch, Entry(interaction=interaction.id, mode=watch.mode))
        elif watch.mode is WatchMode.TAKE_OVER:
            self._take(watch, leg, interaction)
        else:
            self._spy(watch, leg, interaction, target)

    def talk_began(self, interaction_id: InteractionId, agent: AgentId) -> None:
        """It is the next call of a queue that a supervisor waits for, where the role lets that agent be heard."""
        interaction, settings = self._step.interactions.get(interaction_id), self._step.settings
        talk = interaction.talk if interaction is not None else None
        for watch in self._step.watches.values():
            is_next = talk is not None and talk.leg is not None and talk.queue == watch.queue
            if watch.agent is not None or watch.stage is WatchStage.ASKED or not is_next:
                continue
            if watch.supervisor is None or rights.may(settings, watch.supervisor, watch.mode, agent):
                self._put(replace(watch, agent=agent))

    def _talk(self, agent_id: AgentId | None) -> tuple[Interaction, Leg] | None:
        """What the agent talks in, with the agent's leg. On hold, in a consultation and in a conference it is the same leg."""
        agent = self._step.agents.get(agent_id)
        for work in agent.work if agent is not None else ():
            leg, interaction = self._step.legs.get(work.leg), self._step.interactions.get(work.interaction)
            is_there = leg is not None and leg.channel != "" and not leg.is_cancelled and not leg.is_parked
            if work.phase is Phase.TALKING and leg is not None and interaction is not None and is_there:
                return interaction, leg
        return None

    def _is_another(self, watch: Watch, interaction: Interaction) -> bool:
        """A talk began on a leg whose last one is still heard: first silence, then the entry for the new one."""
        return watch.hears is not None and watch.hears.interaction != interaction.id

    def _silence(self, watch: Watch, leg: Leg) -> None:
        """There is nothing to hear, or not what is heard."""
        is_over = watch.queue is not None and watch.agent is not None
        watch = self._close(watch)
        if is_over:
            self._end(watch)
        elif watch.mode is WatchMode.TAKE_OVER:
            self._tell(watch, Refusal.NO_CALL, is_last_word=True)
        elif not leg.is_parked:
            self._send(leg, Place.PARK)
            self._come(watch)

    def _spy(self, watch: Watch, leg: Leg, interaction: Interaction, target: Leg) -> None:
        step, mode = self._step, watch.mode
        is_recorded = mode is WatchMode.BARGE and self._is_recorded(interaction, target)
        hears = watch.hears
        # Out of the bridge: the customer's next one tells, or the talk is about to be over.
        bridge = target.bridge or (hears.bridge if hears is not None else None)
        bridge = bridge if mode is WatchMode.BARGE else None
        if hears is not None and (hears.leg, hears.mode, hears.bridge, bool(hears.recording)) == (
            target.id,
            mode,
            bridge,
            is_recorded,
        ):
            return
        is_news = hears is None or hears.mode is not mode
        watch = self._close(watch)
        interaction = step.interactions[interaction.id]
        path = ""
        if is_recorded:
            path = recording.path(step.settings.recording_dir, interaction.id, leg.id, step.now.utc_s, interaction.recordings)
        step.order(
            SpyLeg(
                leg=leg.id,
                channel=leg.channel,
                target=target.id,
                target_channel=target.channel,
                ears=EARS[mode],
                recording=path,
            )
        )
        step.legs.put(leg.id, replace(leg, is_parked=False))
        heard = Heard(interaction=interaction.id, leg=target.id, mode=mode, since=step.now, bridge=bridge, recording=path)
        watch = self._put(replace(watch, hears=heard))
        if is_news:
            self._ledger.notice(interaction, NoticeKind.SUPERVISED, agent=watch.agent, by=watch.by, mode=mode.value)
        self._notify(watch, interaction, target)

    def _is_recorded(self, interaction: Interaction, target: Leg) -> bool:
        """The agent's part is, just now: what the supervisor says is then recorded as well."""
        talk = _part(interaction, target.id)
        return talk is not None and bool(talk.recording) and talk.paused_since is None

    def _notify(self, watch: Watch, interaction: Interaction, target: Leg) -> None:
        """Tell the parties, where the law of the place demands it: once for each call, and again when the supervisor barges in."""
        told, mode = watch.notified, watch.mode
        is_known = told is not None and told.interaction == interaction.id
        if is_known and (mode is not WatchMode.BARGE or told is None or told.mode is WatchMode.BARGE):
            return
        self._put(replace(watch, notified=Entry(interaction=interaction.id, mode=mode)))
        talk = _part(interaction, target.id)
        config = self._step.queue_settings(talk.queue, interaction) if talk is not None else None
        notice = config.supervision_notice if config is not None else None
        match notice or self._step.settings.supervision_notice:
            case SupervisionNotice.NONE:
                return
            case SupervisionNotice.TONE:
                ears, prompt, language = Ears.AGENT, "cc-beep", self._agents.language_of(watch.agent)
            case SupervisionNotice.ANNOUNCE:
                ears, prompt, language = Ears.ALL, "cc-supervision-notice", interaction.language
        self._step.emit(
            SpeakInTalk(leg=target.id, channel=target.channel, ears=ears, prompt=PromptId(prompt), language=language)
        )

    # --- keys and requests ----------------------------------------------------------------------------------------------
    def digit(self, leg: Leg, digit: str) -> None:
        watch = self._of(leg.id)
        if watch is not None and watch.stage is WatchStage.READY and digit in KEYS:
            refusal = self._change(watch, KEYS[digit], watch.by)
            if refusal is not None:
                self._tell(watch, refusal)

    def mode_requested(self, event: WatchModeRequested) -> None:
        watch = self._step.watches.get(event.watch)
        if watch is None or watch.stage is not WatchStage.READY:
            self._reply(event.request, f"there is no session {event.watch}, or nobody is on its phone now")
            return
        refusal = self._change(watch, event.mode, event.by)
        if refusal is not None:
            self._reply(event.request, refusal.text)
        else:
            self._step.emit(Reply(request=event.request, is_ok=True, text=f"session {watch.id}: {event.mode.value}"))

    def _change(self, watch: Watch, mode: WatchMode, by: str) -> Refusal | None:
        """To another mode, as soon as it is on record."""
        supervisor, agent = watch.supervisor, watch.agent
        if mode is watch.mode:
            return None
        refusal = None
        if supervisor is not None and agent is not None and not rights.may(self._step.settings, supervisor, mode, agent):
            refusal = Refusal.NOT_ALLOWED
        elif mode is WatchMode.TAKE_OVER:
            refusal = self._cannot_take(supervisor, watch.phone, agent)
        if refusal is not None:
            self._audit(by, mode, f"{_what(watch)}: {refusal.name.lower()}", agent=agent, is_done=False)
        else:
            self._put(replace(watch, mode=mode))
        return refusal

    def stop_requested(self, event: WatchStopRequested) -> None:
        watch = self._step.watches.get(event.watch)
        what = "" if watch is None else _what(watch)
        self._step.store(
            self._entry(event.by, "stop_supervision", what, is_done=watch is not None, agent=watch.agent if watch else None)
        )
        if watch is None:
            self._reply(event.request, f"there is no session {event.watch}")
            return
        self._end(self._close(watch))
        self._step.emit(Reply(request=event.request, is_ok=True, text=f"session {watch.id} is being ended"))

    # --- taking over ----------------------------------------------------------------------------------------------------
    def _cannot_take(self, supervisor: AgentId | None, phone: PhoneId, agent: AgentId | None) -> Refusal | None:
        """The customer goes to an agent at a phone of ours, who has nothing else to do, out of a plain talk."""
        step = self._step
        taker = step.agents.get(step.agent_at.get(phone))
        config, talk = step.settings.phones.get(phone), self._talk(agent)
        is_here = taker is not None and supervisor in (None, taker.id) and taker.id != agent
        if (
            taker is None
            or config is None
            or not is_here
            or config.kind is PhoneKind.EXTERNAL
            or taker.mode is WorkMode.HEADSET
        ):
            return Refusal.NOT_HERE
        if talk is None:
            return Refusal.NO_CALL
        interaction, leg = talk
        is_plain = interaction.state is InteractionState.TALKING and interaction.kind in (VOICE, CALLBACK)
        is_plain = is_plain and not interaction.others and interaction.guest is None and interaction.handover is None
        is_plain = is_plain and interaction.joining is None and not interaction.room
        is_plain = is_plain and interaction.talk is not None and interaction.talk.leg == leg.id
        return Refusal.NOT_NOW if taker.work or not is_plain else None

    def _take(self, watch: Watch, leg: Leg, interaction: Interaction) -> None:
        refusal, talk = self._cannot_take(watch.supervisor, watch.phone, watch.agent), interaction.talk
        if refusal is not None or talk is None:
            before = watch.hears
            watch = replace(watch, mode=WatchMode.LISTEN if before is None else before.mode)
            self._tell(watch, refusal or Refusal.NO_CALL, is_last_word=before is None)
            return
        step, taker = self._step, self._step.agent_at[watch.phone]
        watch = self._close(watch)
        interaction = step.interactions[interaction.id]
        config = step.queue_settings(talk.queue, interaction)
        holds = recording.policy(step.settings, interaction, config, taker)
        path = ""
        if recording.begins(holds, interaction) or (talk.recording and holds.mode is not RecordingMode.NEVER):
            path = recording.path(step.settings.recording_dir, interaction.id, leg.id, step.now.utc_s, interaction.recordings)
        self._put(replace(watch, stage=WatchStage.TAKING, recording=path))
        self._joins.join(interaction, leg.id, recording=path, max_talk_s=config.max_talk_s + GUARD_S)

    def taken(self, fact: Joined) -> None:
        """The supervisor's leg is with the customer: from now on it is an agent's like any other."""
        step, watch = self._step, self._of(fact.leg)
        leg, interaction = step.legs.get(fact.leg), step.interactions.get(fact.interaction)
        taker = step.agent_at.get(watch.phone) if watch is not None else None
        if watch is None or leg is None or interaction is None or taker is None:
            step.hang_up(fact.leg)
            return
        if watch.agent is not None:
            self._record(watch, interaction.id, WatchMode.TAKE_OVER, step.now.utc_s, 0.0)
        self._drop(watch)
        self._taken_over(interaction, leg, taker, watch.recording)

    def take_failed(self, fact: JoinFailed) -> None:
        """The customer is where they were."""
        watch, leg = self._of(fact.leg), self._step.legs.get(fact.leg)
        if fact.is_leg_over or leg is None:
            return
        interaction = self._step.interactions.get(fact.interaction)
        if watch is None or (interaction is not None and interaction.joining == leg.id):
            # It may still happen: the end of the leg decides.
            self._step.hang_up(leg.id)
            return
        self._step.legs.put(leg.id, replace(leg, interaction=None))
        self._tell(replace(watch, mode=WatchMode.LISTEN), Refusal.NOT_NOW)

    # --- the leg --------------------------------------------------------------------------------------------------------
    def parked(self, leg: Leg) -> None:
        """It waits in silence: it has just come, or the leg that it heard has ended."""
        watch = self._of(leg.id)
        if watch is None:
            self._step.hang_up(leg.id)
            return
        if watch.stage not in (WatchStage.COMING, WatchStage.READY):
            return
        hears, now_s = watch.hears, self._step.now.mono_s
        self._step.legs.put(leg.id, replace(leg, is_parked=True, state=LegState.UP))
        watch = replace(self._close(watch), stage=WatchStage.READY)
        self._step.deadlines.clear(DeadlineKind.WATCH, watch.id)
        if hears is not None and now_s - hears.since.mono_s < REST_S:
            watch = self._rest(watch)
        self._put(watch)

    def _rest(self, watch: Watch) -> Watch:
        until_s = self._step.now.mono_s + REST_S
        self._step.deadlines.set(DeadlineKind.WATCH, watch.id, until_s)
        return replace(watch, rests_until_s=until_s)

    def spy_failed(self, leg: Leg) -> None:
        """Asterisk refused: one of the two legs is gone, which is about to be told."""
        watch = self._of(leg.id)
        if watch is not None and watch.hears is not None:
            self._put(self._rest(replace(watch, hears=None)))

    def talk_over(self, interaction: InteractionId, agent: AgentId) -> None:
        """Before the interaction may be forgotten."""
        for watch in self._step.watches.values():
            if watch.hears is not None and watch.hears.interaction == interaction and watch.agent == agent:
                self._close(watch)
        about = self._step.interactions.get(interaction)
        # The customer's own way back may be read before the news of their new bridge; any other end of the talk is one.
        if about is not None and about.ended_by is not EndedBy.CUSTOMER:
            self._give_up(about)

    def customer_gone(self, interaction: InteractionId) -> None:
        about = self._step.interactions.get(interaction)
        if about is not None:
            self._give_up(about)

    def _give_up(self, interaction: Interaction) -> None:
        """The customer is not there any more to be taken over."""
        watch = self._of(interaction.joining) if interaction.joining is not None else None
        if watch is not None and watch.stage is WatchStage.TAKING:
            self._joins.settled(interaction)
            self._end(watch)

    def leg_over(self, leg: Leg) -> None:
        """The supervisor has gone."""
        watch = self._of(leg.id)
        if watch is not None:
            if watch.stage is WatchStage.ASKED and watch.asking is not None:
                self._step.outstanding.drop(watch.asking)
            self._drop(self._close(watch))

    # --- at the desk ----------------------------------------------------------------------------------------------------
    def desk_opened(self, leg: Leg, session: Session) -> None:
        watch = self._of(leg.id)
        session = replace(session, dialogue=Dialogue.WATCH)
        self._step.sessions.put(session.id, session)
        if watch is None or watch.say is None:
            self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP if watch is None else Next.PARK))
            return
        say = (Spoken(SpokenKind.PROMPT, watch.say),)
        self._step.speak(Say(session=session.id, say=say, language=self._agents.language_of(watch.supervisor)))

    def prompt_ended(self, session: Session) -> None:
        watch = self._of(session.leg)
        is_over = watch is None or watch.is_last_word
        if watch is not None and not is_over:
            self._come(replace(watch, say=None))
        self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP if is_over else Next.PARK))

    def _tell(self, watch: Watch, what: Refusal, *, is_last_word: bool = False) -> None:
        """The leg goes to the desk, and back unless it was the last word."""
        watch, leg = self._close(watch), self._step.legs.get(watch.leg)
        if leg is None or leg.is_cancelled or leg.state is not LegState.UP:
            self._end(watch)
            return
        self._send(leg, Place.DESK)
        self._step.deadlines.set(DeadlineKind.WATCH, watch.id, self._step.now.mono_s + TOLD_S)
        stage = WatchStage.OVER if is_last_word else WatchStage.TOLD
        self._put(replace(watch, stage=stage, say=PromptId(what.prompt), is_last_word=is_last_word))

    # --- deadlines, settings, restarts ----------------------------------------------------------------------------------
    def due(self, kind: DeadlineKind, watch_id: WatchId) -> None:
        watch = self._step.watches.get(watch_id)
        if watch is None:
            return
        if kind is DeadlineKind.AUDIT:
            self.audit_overdue(watch)
        elif watch.stage is not WatchStage.READY:
            # What had to come did not: the supervisor may begin anew.
            self._end(watch)

    def to_safety(self, interaction: InteractionId | None) -> None:
        """After a fault: sessions about this interaction end, or all of them, where nobody knows what it was about. Nothing here may
        raise."""
        for watch in self._step.watches.values():
            about = watch.hears.interaction if watch.hears is not None else None
            leg = self._step.legs.get(watch.leg)
            if interaction is None or interaction in (about, leg.interaction if leg is not None else None):
                self._end(self._put(replace(watch, hears=None)))

    def center_started(self) -> None:
        """A new process: what was being asked is not answered any more, and what is heard is ordered anew."""
        for watch in self._step.watches.values():
            self._step.deadlines.clear(DeadlineKind.AUDIT, watch.id)
            left = self._put(replace(self._close(watch), asking=None, asked=None))
            if left.stage is WatchStage.ASKED:
                self._drop(left)

    # --- inside ---------------------------------------------------------------------------------------------------------
    def _of(self, leg: LegId) -> Watch | None:
        return next((watch for watch in self._step.watches.values() if watch.leg == leg), None)

    def _put(self, watch: Watch) -> Watch:
        self._step.watches.put(watch.id, watch)
        return watch

    def _drop(self, watch: Watch) -> None:
        for kind in (DeadlineKind.AUDIT, DeadlineKind.WATCH):
            self._step.deadlines.clear(kind, watch.id)
        self._step.watches.drop(watch.id)

    def _come(self, watch: Watch, within_s: float = COMING_S) -> None:
        self._step.deadlines.set(DeadlineKind.WATCH, watch.id, self._step.now.mono_s + within_s)
        self._put(replace(watch, stage=WatchStage.COMING))

    def _end(self, watch: Watch) -> None:
        """The end of the leg ends it; without one it is over now."""
        if watch.leg is None or watch.leg not in self._step.legs:
            self._drop(watch)
            return
        self._put(replace(watch, stage=WatchStage.OVER))
        self._step.hang_up(watch.leg)

    def _send(self, leg: Leg, place: Place) -> None:
        self._step.legs.put(leg.id, replace(leg, is_parked=False))
        self._step.order(RedirectLegs(moves=(Move(leg=leg.id, channel=leg.channel, place=place),)))

    def _close(self, watch: Watch) -> Watch:
        """What is heard is over: on record, with what the supervisor said."""
        hears, now = watch.hears, self._step.now
        if hears is None:
            return self._put(watch)
        lasted_s = now.mono_s - hears.since.mono_s
        interaction = self._step.interactions.get(hears.interaction)
        if hears.recording and interaction is not None and watch.agent is not None and watch.leg is not None:
            queue = interaction.queue
            is_provisional = False
            if queue is not None:
                config = self._step.queue_settings(queue, interaction)
                holds = recording.policy(self._step.settings, interaction, config, watch.agent)
                is_provisional = recording.is_provisional(holds)
            self._step.store(
                RecordingRecord(
                    interaction=interaction.id,
                    number=interaction.recordings,
                    agent=watch.supervisor or watch.agent,
                    leg=watch.leg,
                    path=hears.recording,
                    started_utc_s=hears.since.utc_s,
                    duration_s=lasted_s,
                    side=RecordingSide.AGENTS,
                    queue=queue,
                    is_provisional=is_provisional,
                )
            )
            self._ledger.put(replace(interaction, recordings=interaction.recordings + 1))
        watch = replace(watch, hears=None)
        return self._record(watch, hears.interaction, hears.mode, hears.since.utc_s, lasted_s)

    def _record(
        self, watch: Watch, interaction: InteractionId, mode: WatchMode, started_utc_s: float, duration_s: float
    ) -> Watch:
        assert watch.agent is not None
        self._step.store(
            WatchRecord(
                watch=watch.id,
                number=watch.stretches,
                by=watch.by,
                supervisor=watch.supervisor,
                phone=watch.phone,
                agent=watch.agent,
                interaction=interaction,
                mode=mode,
                started_utc_s=started_utc_s,
                duration_s=duration_s,
            )
        )
        return self._put(replace(watch, stretches=watch.stretches + 1))

    def _audit(self, by: str, mode: WatchMode, what: str, *, agent: AgentId | None, is_done: bool) -> None:
        self._step.store(self._entry(by, mode, what, agent=agent, is_done=is_done))

    def _entry(
        self,
        by: str,
        act: WatchMode | str,
        what: str,
        *,
        agent: AgentId | None,
        interaction: InteractionId | None = None,
        is_done: bool = True,
    ) -> AuditRecord:
        return AuditRecord(
            by=by,
            act=act.value if isinstance(act, WatchMode) else act,
            what=what,
            is_done=is_done,
            at_utc_s=self._step.now.utc_s,
            interaction=interaction,
            agent=agent,
        )

    def _reply(self, request: RequestId, refusal: str) -> None:
        self._step.emit(Reply(request=request, is_ok=False, text=refusal))


def _what(watch: Watch) -> str:
    queue = f", next call of {watch.queue}" if watch.queue is not None else ""
    return f"session {watch.id}, {watch.phone}{queue}"


def _part(interaction: Interaction, leg: LegId) -> Talk | None:
    return next((talk for talk in interaction.talks() if talk.leg == leg), None)

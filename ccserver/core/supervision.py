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
    Next,
    Place,
    Reply,
    RingSupervisor,
    Say,
    SpeakInTalk,
    SpyLeg,
)
from ccserver.core.events import AuditStored, WatchModeRequested, WatchRequested, WatchStopRequested
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, PromptId, QueueId, SessionId, WatchId
from ccserver.core.joins import Joins
from ccserver.core.ledger import Ledger
from ccserver.core.records import EndedBy, NoticeKind
from ccserver.core.settings import Spoken, SpokenKind, SupervisionNotice, WatchMode
from ccserver.core.state import (
    DeadlineKind,
    Dialogue,
    Entry,
    Heard,
    Interaction,
    Leg,
    Role,
    Session,
    Watch,
    WatchStage,
)
from ccserver.core.step import Step
from ccserver.core.takeovers import TakenOver, Takeovers
from ccserver.core.transitions import LegState
from ccserver.core.watch_refusals import Refusal
from ccserver.core.watching import Watching, part, told

AUDIT_S = 3.0
"""How long an entry of the audit log may take."""
RING_S = 30.0
GUARD_S = 5.0
REST_S = 0.5
"""An order that did not hold is not repeated sooner."""
WATCHES_MAX = 200
NAME = "Supervision"
"""On the phone that is rung."""
KEYS = {"4": WatchMode.LISTEN, "5": WatchMode.WHISPER, "6": WatchMode.BARGE, "9": WatchMode.TAKE_OVER}
EARS = {WatchMode.LISTEN: Ears.NOBODY, WatchMode.WHISPER: Ears.AGENT, WatchMode.BARGE: Ears.ALL}


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
        self._agents = agents
        self._watching = Watching(step, ledger)
        self._takeovers = Takeovers(self._watching, joins, taken_over)
        self.taken = self._takeovers.taken
        self.take_failed = self._takeovers.failed
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
            self._watching.audit(by, mode, refusal.name.lower(), agent=agent, is_done=False)
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
            self._watching.audit(event.by, event.mode, refusal.name.lower(), agent=event.agent, is_done=False)
            self._watching.reply(event.request, refusal.text)
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
        return self._takeovers.refusal(supervisor, phone, agent) if mode is WatchMode.TAKE_OVER else None

    def _next(self) -> WatchId:
        clockwork = self._step.clockwork
        self._step.clockwork = replace(clockwork, next_watch=clockwork.next_watch + 1)
        return WatchId(clockwork.next_watch)

    def _new(self, watch: Watch) -> None:
        """First of all it goes on record."""
        talk = self._watching.talk(watch.agent)
        self._ask(watch, Entry(interaction=talk[0].id if talk is not None else None, mode=watch.mode))

    # --- on record ------------------------------------------------------------------------------------------------------
    def _ask(self, watch: Watch, entry: Entry) -> None:
        record = self._watching.entry(watch.by, entry.mode, told(watch), agent=watch.agent, interaction=entry.interaction)
        command = self._step.store_audit(record, watch.leg)
        self._step.deadlines.set(DeadlineKind.AUDIT, watch.id, self._step.now.mono_s + AUDIT_S)
        self._watching.put(replace(watch, asking=command, asked=entry))

    def audited(self, event: AuditStored) -> None:
        self._step.outstanding.drop(event.command)
        watch = next((each for each in self._step.watches.values() if each.asking == event.command), None)
        if watch is None:
            return
        self._step.deadlines.clear(DeadlineKind.AUDIT, watch.id)
        watch = self._watching.put(replace(watch, asking=None, asked=None, allowed=watch.asked))
        if watch.stage is not WatchStage.ASKED:
            return
        if watch.leg is None:
            self._ring(watch)
        else:
            leg = self._step.legs[watch.leg]
            self._step.legs.put(leg.id, replace(leg, role=Role.SUPERVISOR))
            self._watching.come(watch)
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
        self._watching.come(replace(watch, leg=leg), RING_S + GUARD_S)
        step.order(RingSupervisor(leg=leg, phone=watch.phone, name=NAME, ring_timeout_s=RING_S))
        if watch.request is not None:
            step.emit(Reply(request=watch.request, is_ok=True, text=f"session {watch.id}: {watch.phone} is called"))

    def audit_overdue(self, watch: Watch) -> None:
        """The database has not committed the entry. It may still do so; then nothing comes of it."""
        if watch.asking is None:
            return
        self._step.outstanding.drop(watch.asking)
        watch = self._watching.put(replace(watch, asking=None, asked=None))
        if watch.stage is not WatchStage.ASKED:
            self._watching.tell(watch, Refusal.NO_RECORD, is_last_word=True)
            return
        if watch.request is not None:
            self._watching.reply(watch.request, Refusal.NO_RECORD.text)
        leg = self._step.legs.get(watch.leg)
        if leg is not None and leg.session is not None:
            self._last_words(leg.session, Refusal.NO_RECORD.prompt)
        self._watching.drop(watch)

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
        talk = self._watching.talk(watch.agent)
        if talk is None or watch.agent is None or self._is_another(watch, talk[0]):
            self._silence(watch, leg)
            return
        interaction, target = talk
        self._step.about = interaction.id
        if watch.supervisor is not None and not rights.may(self._step.settings, watch.supervisor, watch.mode, watch.agent):
            self._watching.tell(watch, Refusal.NOT_ALLOWED, is_last_word=True)
        elif watch.allowed != Entry(interaction=interaction.id, mode=watch.mode):
            if watch.asking is None:
                self._ask(watch, Entry(interaction=interaction.id, mode=watch.mode))
        elif watch.mode is WatchMode.TAKE_OVER:
            self._takeovers.take(watch, leg, interaction)
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
                self._watching.put(replace(watch, agent=agent))

    def _is_another(self, watch: Watch, interaction: Interaction) -> bool:
        """A talk began on a leg whose last one is still heard: first silence, then the entry for the new one."""
        return watch.hears is not None and watch.hears.interaction != interaction.id

    def _silence(self, watch: Watch, leg: Leg) -> None:
        """There is nothing to hear, or not what is heard."""
        is_over = watch.queue is not None and watch.agent is not None
        watch = self._watching.close(watch)
        if is_over:
            self._watching.end(watch)
        elif watch.mode is WatchMode.TAKE_OVER:
            self._watching.tell(watch, Refusal.NO_CALL, is_last_word=True)
        elif not leg.is_parked:
            self._watching.send(leg, Place.PARK)
            self._watching.come(watch)

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
        watch = self._watching.close(watch)
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
        watch = self._watching.put(replace(watch, hears=heard))
        if is_news:
            self._ledger.notice(interaction, NoticeKind.SUPERVISED, agent=watch.agent, by=watch.by, mode=mode.value)
        self._notify(watch, interaction, target)

    def _is_recorded(self, interaction: Interaction, target: Leg) -> bool:
        """The agent's part is, just now: what the supervisor says is then recorded as well."""
        talk = part(interaction, target.id)
        return talk is not None and bool(talk.recording) and talk.paused_since is None

    def _notify(self, watch: Watch, interaction: Interaction, target: Leg) -> None:
        """Tell the parties, where the law of the place demands it: once for each call, and again when the supervisor barges in."""
        before, mode = watch.notified, watch.mode
        is_known = before is not None and before.interaction == interaction.id
        if is_known and (mode is not WatchMode.BARGE or before is None or before.mode is WatchMode.BARGE):
            return
        self._watching.put(replace(watch, notified=Entry(interaction=interaction.id, mode=mode)))
        talk = part(interaction, target.id)
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
        watch = self._watching.of(leg.id)
        if watch is not None and watch.stage is WatchStage.READY and digit in KEYS:
            refusal = self._change(watch, KEYS[digit], watch.by)
            if refusal is not None:
                self._watching.tell(watch, refusal)

    def mode_requested(self, event: WatchModeRequested) -> None:
        watch = self._step.watches.get(event.watch)
        if watch is None or watch.stage is not WatchStage.READY:
            self._watching.reply(event.request, f"there is no session {event.watch}, or nobody is on its phone now")
            return
        refusal = self._change(watch, event.mode, event.by)
        if refusal is not None:
            self._watching.reply(event.request, refusal.text)
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
            refusal = self._takeovers.refusal(supervisor, watch.phone, agent)
        if refusal is not None:
            self._watching.audit(by, mode, f"{told(watch)}: {refusal.name.lower()}", agent=agent, is_done=False)
        else:
            self._watching.put(replace(watch, mode=mode))
        return refusal

    def stop_requested(self, event: WatchStopRequested) -> None:
        watch = self._step.watches.get(event.watch)
        what = "" if watch is None else told(watch)
        self._step.store(
            self._watching.entry(
                event.by, "stop_supervision", what, is_done=watch is not None, agent=watch.agent if watch else None
            )
        )
        if watch is None:
            self._watching.reply(event.request, f"there is no session {event.watch}")
            return
        self._watching.end(self._watching.close(watch))
        self._step.emit(Reply(request=event.request, is_ok=True, text=f"session {watch.id} is being ended"))

    # --- the leg --------------------------------------------------------------------------------------------------------
    def parked(self, leg: Leg) -> None:
        """It waits in silence: it has just come, or the leg that it heard has ended."""
        watch = self._watching.of(leg.id)
        if watch is None:
            self._step.hang_up(leg.id)
            return
        if watch.stage not in (WatchStage.COMING, WatchStage.READY):
            return
        hears, now_s = watch.hears, self._step.now.mono_s
        self._step.legs.put(leg.id, replace(leg, is_parked=True, state=LegState.UP))
        watch = replace(self._watching.close(watch), stage=WatchStage.READY)
        self._step.deadlines.clear(DeadlineKind.WATCH, watch.id)
        if hears is not None and now_s - hears.since.mono_s < REST_S:
            watch = self._rest(watch)
        self._watching.put(watch)

    def _rest(self, watch: Watch) -> Watch:
        until_s = self._step.now.mono_s + REST_S
        self._step.deadlines.set(DeadlineKind.WATCH, watch.id, until_s)
        return replace(watch, rests_until_s=until_s)

    def spy_failed(self, leg: Leg) -> None:
        """Asterisk refused: one of the two legs is gone, which is about to be told."""
        watch = self._watching.of(leg.id)
        if watch is not None and watch.hears is not None:
            self._watching.put(self._rest(replace(watch, hears=None)))

    def talk_over(self, interaction: InteractionId, agent: AgentId) -> None:
        """Before the interaction may be forgotten."""
        for watch in self._step.watches.values():
            if watch.hears is not None and watch.hears.interaction == interaction and watch.agent == agent:
                self._watching.close(watch)
        about = self._step.interactions.get(interaction)
        # The customer's own way back may be read before the news of their new bridge; any other end of the talk is one.
        if about is not None and about.ended_by is not EndedBy.CUSTOMER:
            self._takeovers.give_up(about)

    def customer_gone(self, interaction: InteractionId) -> None:
        about = self._step.interactions.get(interaction)
        if about is not None:
            self._takeovers.give_up(about)

    def leg_over(self, leg: Leg) -> None:
        """The supervisor has gone."""
        watch = self._watching.of(leg.id)
        if watch is not None:
            if watch.stage is WatchStage.ASKED and watch.asking is not None:
                self._step.outstanding.drop(watch.asking)
            self._watching.drop(self._watching.close(watch))

    # --- at the desk ----------------------------------------------------------------------------------------------------
    def desk_opened(self, leg: Leg, session: Session) -> None:
        watch = self._watching.of(leg.id)
        session = replace(session, dialogue=Dialogue.WATCH)
        self._step.sessions.put(session.id, session)
        if watch is None or watch.say is None:
            self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP if watch is None else Next.PARK))
            return
        say = (Spoken(SpokenKind.PROMPT, watch.say),)
        self._step.speak(Say(session=session.id, say=say, language=self._agents.language_of(watch.supervisor)))

    def prompt_ended(self, session: Session) -> None:
        watch = self._watching.of(session.leg)
        is_over = watch is None or watch.is_last_word
        if watch is not None and not is_over:
            self._watching.come(replace(watch, say=None))
        self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP if is_over else Next.PARK))

    # --- deadlines, settings, restarts ----------------------------------------------------------------------------------
    def due(self, kind: DeadlineKind, watch_id: WatchId) -> None:
        watch = self._step.watches.get(watch_id)
        if watch is None:
            return
        if kind is DeadlineKind.AUDIT:
            self.audit_overdue(watch)
        elif watch.stage is not WatchStage.READY:
            # What had to come did not: the supervisor may begin anew.
            self._watching.end(watch)

    def to_safety(self, interaction: InteractionId | None) -> None:
        """After a fault: sessions about this interaction end, or all of them, where nobody knows what it was about. Nothing here may
        raise."""
        for watch in self._step.watches.values():
            about = watch.hears.interaction if watch.hears is not None else None
            leg = self._step.legs.get(watch.leg)
            if interaction is None or interaction in (about, leg.interaction if leg is not None else None):
                self._watching.end(self._watching.put(replace(watch, hears=None)))

    def center_started(self) -> None:
        """A new process: what was being asked is not answered any more, and what is heard is ordered anew."""
        for watch in self._step.watches.values():
            self._step.deadlines.clear(DeadlineKind.AUDIT, watch.id)
            left = self._watching.put(replace(self._watching.close(watch), asking=None, asked=None))
            if left.stage is WatchStage.ASKED:
                self._watching.drop(left)

"""A supervisor hears recordings by phone: the newest of an agent's calls first, and from there those before and after.

Rules, the first wins. Nothing is heard that is not on record: the entry of the audit log is committed before the first word, and a
second one tells for how long it was heard. Nobody hears whom their role does not let them hear: everybody who speaks in a recording
must be within its reach. Whatever was laid ready is removed again, however the call ends.
"""

from collections.abc import Callable, Mapping

from ccserver.core import rights
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import CloseRecording, Collect, EndSession, Next, OpenRecording, Say
from ccserver.core.events import AuditStored, OpenEnd, RecordingOpened, VerbEnd
from ccserver.core.ids import AgentId, CommandId, PromptId, SessionId
from ccserver.core.records import AuditRecord, KeptRecording
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.core.state import Awaited, DeadlineKind, Dialogue, Opened, Outstanding, Session, Tape, TapeStage
from ccserver.core.step import Step

OPEN_S = 60.0
"""How long it may take to lay a recording ready; one of many hours takes that long."""
AUDIT_S = 3.0
KEY_S = 10.0
SKIP_S = 10.0
TAPES_MAX = 20
BACK, FORTH, BEFORE, AFTER, STOP = "4", "6", "7", "9", "0"
KEYS = BACK + FORTH + BEFORE + AFTER + STOP
HEAR, HEARD = "recording_hear", "recording_heard"
"""In the audit log: before the first word, and after the last."""
TOLD: Mapping[OpenEnd, str] = {
    OpenEnd.DELETED: "cc-recording-deleted",
    OpenEnd.SEALED: "cc-recording-sealed",
    OpenEnd.MISSING: "cc-recording-missing",
    OpenEnd.FAILED: "cc-recording-missing",
}


class Playback:
    """`last_words` says one prompt and ends the call."""

    def __init__(self, step: Step, agents: Agents, *, last_words: Callable[[SessionId, str], None]) -> None:
        self._step = step
        self._agents = agents
        self._last_words = last_words

    # --- from one recording to another ----------------------------------------------------------------------------------
    def begin(self, session: Session, supervisor: AgentId, agent: AgentId) -> None:
        session = self._put(replace(session, dialogue=Dialogue.TAPE, agent=supervisor), Tape(agent=agent))
        if not rights.may_hear(self._step.settings, supervisor, agent):
            self._refuse(session, "not_allowed")
            self._last_words(session.id, "cc-not-allowed")
        elif sum(each.tape is not None for each in self._step.sessions.values()) > TAPES_MAX:
            self._last_words(session.id, "cc-watch-not-now")
        else:
            self._open(session, is_newer=False)

    def _open(self, session: Session, *, is_newer: bool) -> None:
        tape = _tape(session)
        command = self._step.emit(OpenRecording(agent=tape.agent, beside=tape.at, is_newer=is_newer))
        awaited = Outstanding(what=Awaited.RECORDING, leg=session.leg, sent_s=self._step.now.mono_s)
        self._step.outstanding.put(command, awaited)
        self._await(session, TapeStage.OPENING, command, OPEN_S)

    def opened(self, event: RecordingOpened) -> None:
        self._step.outstanding.drop(event.command)
        session = self._awaiting(event.command)
        if session is None:
            # Nobody waits for it any more.
            self._remove(event.path)
            return
        tape = _tape(session)
        if event.kept is None or event.end is OpenEnd.NONE:
            self._remove(event.path)
            if tape.at is None:
                self._last_words(session.id, "cc-recording-none")
            else:
                self._tell(session, "cc-recording-no-more")
            return
        session = self._close(session, event.kept)
        if event.end is not OpenEnd.OPENED:
            self._refuse(session, event.end.value)
            self._tell(session, TOLD[event.end])
        elif not self._may(session, event.agents):
            self._remove(event.path)
            self._refuse(session, "not_allowed")
            self._tell(session, "cc-not-allowed")
        else:
            opened = Opened(kept=event.kept, agents=event.agents, path=event.path, duration_s=event.duration_s)
            session = self._put(session, replace(_tape(session), opened=opened))
            command = self._step.store_audit(self._entry(session, HEAR, _which(event.kept), is_done=True), session.leg)
            self._await(session, TapeStage.ASKED, command, AUDIT_S)

    def audited(self, event: AuditStored) -> None:
        """It is on record. First the supervisor hears which call it is."""
        session = self._awaiting(event.command)
        if session is None:
            return
        tape = _tape(session)
        number = Spoken(SpokenKind.DIGITS, str(tape.at.interaction if tape.at is not None else 0))
        self._put(session, replace(tape, stage=TapeStage.TITLE))
        self._say(session, (_prompt("cc-recording-call"), number))

    # --- hearing, and keys ----------------------------------------------------------------------------------------------
    def prompt_ended(self, session: Session, end: VerbEnd) -> None:
        """A key that was typed into it stays, and is the answer to what is asked next."""
        tape = _tape(session)
        if tape.stage is TapeStage.PLAYED:
            session = self._pause(session)
            if end is VerbEnd.FAILED:
                self._ask(session, "cc-recording-missing")
            else:
                self._ask(session, "" if end is VerbEnd.DIGIT else "cc-recording-over")
        elif end is VerbEnd.DIGIT or tape.opened is None:
            self._ask(session, "")
        else:
            self._play(session, tape.from_s)

    def digits_collected(self, session: Session, digits: str) -> None:
        tape = _tape(session)
        if digits in ("", STOP):
            self._step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
        elif not self._may(session, tape.opened.agents if tape.opened is not None else ()):
            self._last_words(session.id, "cc-not-allowed")
        elif digits in (BEFORE, AFTER):
            self._open(session, is_newer=digits == AFTER)
        elif tape.opened is None:
            self._ask(session, "cc-recording-over")
        else:
            skip_s = {BACK: -SKIP_S, FORTH: SKIP_S}.get(digits, 0.0)
            self._play(session, min(max(0.0, tape.from_s + skip_s), tape.opened.duration_s))

    def _play(self, session: Session, from_s: float) -> None:
        tape = _tape(session)
        assert tape.opened is not None
        self._put(session, replace(tape, stage=TapeStage.PLAYED, from_s=from_s, since=self._step.now))
        self._say(session, (Spoken(SpokenKind.RECORDING, tape.opened.path, from_s=from_s),))

    def _pause(self, session: Session) -> Session:
        """As far as was heard."""
        tape = _tape(session)
        if tape.since is None or tape.opened is None:
            return session
        left_s = max(0.0, tape.opened.duration_s - tape.from_s)
        heard_s = min(left_s, max(0.0, self._step.now.mono_s - tape.since.mono_s))
        return self._put(session, replace(tape, since=None, from_s=tape.from_s + heard_s, heard_s=tape.heard_s + heard_s))

    def _tell(self, session: Session, prompt: str) -> None:
        self._put(session, replace(_tape(session), stage=TapeStage.TOLD))
        self._say(session, (_prompt(prompt),))

    def _say(self, session: Session, say: tuple[Spoken, ...]) -> None:
        self._step.speak(Say(session=session.id, say=say, language=self._agents.language_of(session.agent), stop_digits=KEYS))

    def _ask(self, session: Session, prompt: str) -> None:
        self._put(session, replace(_tape(session), stage=TapeStage.KEY))
        self._step.speak(
            Collect(
                session=session.id,
                say=(_prompt(prompt),) if prompt else (),
                language=self._agents.language_of(session.agent),
                max_digits=1,
                first_timeout_s=KEY_S,
                next_timeout_s=KEY_S,
                terminator="",
            )
        )

    # --- ends -----------------------------------------------------------------------------------------------------------
    def over(self, session: Session) -> None:
        """Its session is, whatever ended it."""
        if session.tape is None:
            return
        if session.tape.awaits is not None:
            self._step.outstanding.drop(session.tape.awaits)
        self._step.deadlines.clear(DeadlineKind.TAPE, session.id)
        self._close(self._pause(session), None)

    def due(self, session_id: SessionId) -> None:
        """What was awaited did not come. It may still do so; then nothing comes of it."""
        session = self._step.sessions.get(session_id)
        tape = session.tape if session is not None else None
        if session is None or tape is None or tape.awaits is None:
            return
        self._step.outstanding.drop(tape.awaits)
        is_on_record = tape.stage is not TapeStage.ASKED
        if not is_on_record and tape.opened is not None:
            self._remove(tape.opened.path)
            tape = replace(tape, opened=None)
        self._put(session, replace(tape, awaits=None))
        self._last_words(session.id, "cc-recording-missing" if is_on_record else "cc-watch-no-record")

    def settings_changed(self) -> None:
        """Who may not hear any more what is being heard hears no more of it."""
        for session in self._step.sessions.values():
            tape = session.tape
            is_heard = tape is not None and tape.opened is not None and session.dialogue is Dialogue.TAPE
            if tape is not None and tape.opened is not None and is_heard and not self._may(session, tape.opened.agents):
                self._step.hang_up(session.leg)

    def _close(self, session: Session, at: KeptRecording | None) -> Session:
        """What was laid ready is removed; for how long it was heard is on record."""
        tape = _tape(session)
        if tape.opened is not None:
            self._remove(tape.opened.path)
            if tape.stage is not TapeStage.ASKED:
                self._step.store(self._entry(session, HEARD, f"{_which(tape.opened.kept)}, {tape.heard_s:.0f} s", is_done=True))
        return self._put(session, replace(tape, at=at, opened=None, from_s=0.0, since=None, heard_s=0.0))

    def _remove(self, path: str) -> None:
        if path:
            self._step.emit(CloseRecording(path=path))

    # --- inside ---------------------------------------------------------------------------------------------------------
    def _may(self, session: Session, agents: tuple[AgentId, ...]) -> bool:
        tape, supervisor, settings = _tape(session), session.agent, self._step.settings
        if supervisor is None or not rights.may_hear(settings, supervisor, tape.agent):
            return False
        return rights.may_hear_all(settings, supervisor, agents)

    def _refuse(self, session: Session, why: str) -> None:
        at = _tape(session).at
        what = why if at is None else f"{_which(at)}: {why}"
        self._step.store(self._entry(session, HEAR, what, is_done=False))

    def _entry(self, session: Session, act: str, what: str, *, is_done: bool) -> AuditRecord:
        tape, leg = _tape(session), self._step.legs.get(session.leg)
        of = tape.opened.kept if tape.opened is not None else tape.at
        phone = leg.phone if leg is not None else None
        return AuditRecord(
            by=f"agent {session.agent}",
            act=act,
            what=what if phone is None else f"{phone}, {what}",
            is_done=is_done,
            at_utc_s=self._step.now.utc_s,
            interaction=of.interaction if of is not None else None,
            agent=tape.agent,
        )

    def _await(self, session: Session, stage: TapeStage, command: CommandId, within_s: float) -> None:
        self._put(session, replace(_tape(session), stage=stage, awaits=command))
        self._step.deadlines.set(DeadlineKind.TAPE, session.id, self._step.now.mono_s + within_s)

    def _awaiting(self, command: CommandId) -> Session | None:
        """The session that waits for the end of `command`; from now on it waits for nothing."""
        for session in self._step.sessions.values():
            if session.tape is not None and session.tape.awaits == command:
                self._step.deadlines.clear(DeadlineKind.TAPE, session.id)
                return self._put(session, replace(session.tape, awaits=None))
        return None

    def _put(self, session: Session, tape: Tape) -> Session:
        """In a session that is over nothing is put down."""
        changed = replace(session, tape=tape)
        known = self._step.sessions.get(session.id)
        if known is not None:
            changed = replace(known, dialogue=session.dialogue, agent=session.agent, tape=tape)
            self._step.sessions.put(session.id, changed)
        return changed


def _tape(session: Session) -> Tape:
    assert session.tape is not None
    return session.tape


def _which(kept: KeptRecording) -> str:
    return f"recording of call {kept.interaction}" + (f", part {kept.part + 1}" if kept.part else "")


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))

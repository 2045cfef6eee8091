"""The AGI side of the virtual PBX: sessions, and verbs that take time, listen for digits and end in one event.

Verbs of a session are performed in order, each when the one before has ended. Those that wait for a person give way to a newer
one: `Collect` and `CollectSecret` when they have spoken, `WaitUntil` and `AwaitSilence` at once; the newer one begins soon after, since
Asterisk listens in slices that cannot be cut short. A message is recorded to its end, a script runs to its end, and a secret that was typed
is checked. A session that breaks off takes its verbs with it: they have no end but `SessionClosed`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from random import Random

from ccserver.core.commands import (
    AnswerCall,
    AwaitSilence,
    Collect,
    CollectNumber,
    CollectSecret,
    EndSession,
    RecordMessage,
    RunScript,
    Say,
    WaitUntil,
)
from ccserver.core.events import (
    CommandDone,
    DigitsCollected,
    Event,
    MessageRecorded,
    NumberCollected,
    PromptEnded,
    ScriptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import AgentId, CommandId, LegId, SessionId
from ccserver.core.settings import NumberKind, Spoken, SpokenKind
from ccserver.sim.agenda import Agenda, Entry
from ccserver.sim.channels import Channel
from ccserver.sim.numbers import read_number
from ccserver.sim.systems import Judgement, ScriptRun, VirtualSystems
from ccserver.sim.wire import Wire

ROOM_PINS = {"11": "member", "99": "moderator"}
"""Of every conference."""
Collecting = Collect | CollectNumber | CollectSecret
Waiting = WaitUntil | AwaitSilence
Verb = AnswerCall | Say | Collecting | RecordMessage | RunScript | Waiting | EndSession

NUMBER_LENGTH_MAX = 32
MESSAGE_S = (1.0, 40.0)
SAYS_NOTHING_RATIO = 0.1
"""Of those who could leave a message."""
SLICE_S = 1.0
SPEAKS_S = (0.5, 20.0)
"""How long somebody, or their voicemail, goes on before there is silence."""
SPEECH_S = (0.3, 4.0)
"""How long a prompt may be: a tone of a test, a sentence."""
CHARACTER_S = 0.07
"""Of a text that the speech engine says."""


class _Session:
    """One connection. `typed` are digits no verb has taken yet."""

    __slots__ = (
        "channel",
        "collected",
        "command",
        "id",
        "is_checking",
        "is_speaking",
        "recorded_since_s",
        "says_s",
        "slice",
        "timer",
        "typed",
        "verb",
        "waiting",
    )

    def __init__(self, session: SessionId, channel: Channel) -> None:
        self.id = session
        self.channel = channel
        self.waiting: deque[tuple[CommandId, Verb]] = deque()
        self.verb: Verb | None = None
        self.command = CommandId(0, 0)
        self.timer: Entry | None = None
        self.slice: Entry | None = None
        """The rest of what Asterisk listens to for a verb that gave way."""
        self.is_speaking = False
        self.is_checking = False
        """A secret was typed, and it is not known yet what it is."""
        self.typed = ""
        self.collected = ""
        self.recorded_since_s: float | None = None
        self.says_s = 0.0
        """How long they will have spoken, if nobody hangs up before."""

    def forget(self) -> None:
        """No verb of it goes on."""
        for entry in (self.timer, self.slice):
            if entry is not None:
                entry.cancel()
        self.verb = None
        self.waiting.clear()


class VirtualAgi:
    """All open sessions. `on_end(channel, EndSession)` is the dialplan after the session."""

    def __init__(
        self,
        agenda: Agenda,
        chance: Random,
        wire: Wire,
        pins: Mapping[AgentId, str],
        systems: VirtualSystems,
        *,
        on_end: Callable[[Channel, EndSession], None],
        on_answer: Callable[[Channel], None],
        on_left: Callable[[Channel], None],
    ) -> None:
        self._agenda = agenda
        self._chance = chance
        self._wire = wire
        self._pins = pins
        self._systems = systems
        self._on_end = on_end
        self._on_answer = on_answer
        self._on_left = on_left
        self._sessions: dict[SessionId, _Session] = {}
        self._alone: dict[LegId, _Session] = {}
        """Whose socket is closed, and whose channel goes on recording."""
        self._counter = 0
        self._steps: dict[type[Verb], Callable[[_Session], None]] = {
            AnswerCall: self._answer,
            Say: self._say,
            Collect: self._collect,
            CollectNumber: self._collect,
            CollectSecret: self._collect,
            RecordMessage: self._record,
            RunScript: self._run_script,
            WaitUntil: self._wait,
            AwaitSilence: self._await_silence,
            EndSession: self._end_session,
        }

    def open(self, channel: Channel, opening: Callable[[SessionId], Event]) -> SessionId:
        """A channel enters AGI(); `opening` makes the event that says so."""
        self._counter += 1
        session = SessionId(f"{self._wire.process}-{self._counter}")
        self._sessions[session] = _Session(session, channel)
        channel.session = session
        self._wire.agi(session, opening(session))
        return session

    def open_count(self) -> int:
        return len(self._sessions)

    def break_off(self, channel: Channel, *, is_crash: bool = False) -> None:
        """The channel leaves AGI() by itself: gone, or pulled into a bridge. `is_crash`: with Asterisk, which tells nothing any more."""
        alone = self._alone.pop(channel.leg, None)
        if alone is not None:
            self._write_message(alone, self._said_s(alone))
            alone.forget()
        session = self._sessions.pop(channel.session, None) if channel.session is not None else None
        channel.session = None
        if session is None:
            return
        if session.recorded_since_s is not None:
            # Most messages end so: what was said until then is kept.
            said_s = self._said_s(session)
            self._write_message(session, said_s)
            if channel.is_gone and not is_crash:
                told = MessageRecorded(session=session.id, command=session.command, end=VerbEnd.DONE, duration_s=said_s)
                self._wire.agi(session.id, told)
        session.forget()
        self._wire.agi(session.id, SessionClosed(session=session.id), is_last=True)

    def lose(self, channel: Channel) -> None:
        """Its socket breaks, and the daemon is told."""
        session = self._sessions.pop(channel.session, None) if channel.session is not None else None
        if session is not None:
            self._wire.agi(session.id, SessionClosed(session=session.id), is_last=True)
            self._leave(session)

    def forget_all(self) -> None:
        """The daemon died: every socket closes, nobody is told."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            self._leave(session)

    def _leave(self, session: _Session) -> None:
        """Without its socket: a recording that has begun goes on to its end, everything else is over."""
        timer, verb = session.timer, session.verb
        session.forget()
        session.channel.session = None
        if timer is not None and isinstance(verb, RecordMessage) and session.recorded_since_s is not None:
            session.verb = verb
            session.timer = self._agenda.at(timer.at_s, self._alone_over, session, session.says_s)
            self._alone[session.channel.leg] = session
        else:
            self._on_left(session.channel)

    def _alone_over(self, session: _Session, duration_s: float) -> None:
        del self._alone[session.channel.leg]
        self._write_message(session, duration_s)
        session.forget()
        self._on_left(session.channel)

    def _said_s(self, session: _Session) -> float:
        assert session.recorded_since_s is not None
        return min(session.says_s, self._agenda.now_s - session.recorded_since_s)

    def _write_message(self, session: _Session, duration_s: float) -> None:
        assert isinstance(session.verb, RecordMessage)
        self._systems.recorded[session.verb.path] = duration_s

    def perform(self, command: CommandId, verb: Verb) -> None:
        """A verb for a session that is no more has had its end: `SessionClosed`."""
        session = self._sessions.get(verb.session)
        if session is None:
            return
        session.waiting.append((command, verb))
        if session.verb is None:
            self._next(session)
        elif isinstance(session.verb, Waiting | Collecting) and not (session.is_speaking or session.is_checking):
            slice_s = SLICE_S + (session.verb.silence_s if isinstance(session.verb, AwaitSilence) else 0.0)
            session.slice = self._agenda.after(self._chance.uniform(0.0, slice_s), self._slice_over, session)
            self._supersede(session)

    def press(self, channel: Channel, digit: str) -> None:
        session = self._sessions.get(channel.session) if channel.session is not None else None
        alone = self._alone.get(channel.leg)
        if alone is not None and isinstance(alone.verb, RecordMessage) and digit in alone.verb.stop_digits:
            self._alone_over(alone, self._said_s(alone))
        if session is None:
            return
        session.typed += digit
        self._take_digits(session)

    # --- the verbs ----------------------------------------------------------------------------------------------------
    def _next(self, session: _Session) -> None:
        if session.verb is not None or session.slice is not None or not session.waiting:
            return
        session.command, session.verb = session.waiting.popleft()
        session.collected = ""
        session.is_speaking = session.is_checking = False
        ratio = self._wire.faults.failed_ratio
        if ratio and self._chance.random() < ratio and (failed := _failed(session)) is not None:
            self._finish(session, failed)
        else:
            self._steps[type(session.verb)](session)

    def _finish(self, session: _Session, event: Event) -> None:
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None
        session.verb = None
        self._wire.agi(session.id, event)
        self._next(session)

    def _speech_s(self, say: tuple[Spoken, ...]) -> float:
        return sum(self._piece_s(piece) for piece in say)

    def _piece_s(self, piece: Spoken) -> float:
        match piece.kind:
            case SpokenKind.TEXT:
                return CHARACTER_S * len(piece.value)
            case SpokenKind.SPELLED:
                return 0.3 * len(piece.value)
            case _:
                return 0.3 * len(piece.value) if piece.value.isdigit() else self._chance.uniform(*SPEECH_S)

    def _answer(self, session: _Session) -> None:
        session.timer = self._agenda.after(self._chance.uniform(0.001, 0.004), self._answered, session)

    def _answered(self, session: _Session) -> None:
        self._on_answer(session.channel)
        self._finish(session, CommandDone(command=session.command))

    def _say(self, session: _Session) -> None:
        assert isinstance(session.verb, Say)
        session.timer = self._agenda.after(self._speech_s(session.verb.say), self._said, session)
        session.channel.person.asked(session.channel, session.verb)
        if session.verb is not None:
            self._take_digits(session)

    def _said(self, session: _Session) -> None:
        self._finish(session, PromptEnded(session=session.id, command=session.command, end=VerbEnd.DONE))

    def _collect(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, Collecting)
        session.is_speaking = True
        session.timer = self._agenda.after(self._speech_s(verb.say), self._listen, session)
        session.channel.person.asked(session.channel, verb)
        if session.verb is verb:
            self._take_digits(session)

    def _listen(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, Collecting)
        session.is_speaking = False
        if session.waiting and not session.typed:
            self._supersede(session)
            return
        timeout_s = verb.timeout_s if isinstance(verb, CollectSecret) else verb.first_timeout_s
        session.timer = self._agenda.after(timeout_s, self._timed_out, session)
        self._take_digits(session)

    def _timed_out(self, session: _Session) -> None:
        self._collected(session, VerbEnd.TIMEOUT)

    def _collected(self, session: _Session, end: VerbEnd) -> None:
        """The end of a question, in the event of its kind. A secret is checked here and told to nobody."""
        verb, digits, session.collected = session.verb, session.collected, ""
        if isinstance(verb, CollectSecret):
            is_superseded = end is VerbEnd.SUPERSEDED
            if verb.check is not None and digits and not is_superseded:
                session.is_checking = True
                judgement = self._systems.check(verb.check, digits)
                session.timer = self._agenda.after(judgement.after_s, self._checked, session, judgement)
                return
            grade = ROOM_PINS.get(digits, "") if verb.room is not None else ""
            pin = digits if grade else self._pins.get(verb.agent) if verb.agent is not None else None
            is_ok = digits == pin if digits and not is_superseded else None
            token = grade if is_ok else ""
            self._finish(session, SecretChecked(session=session.id, command=session.command, is_ok=is_ok, token=token))
        elif isinstance(verb, CollectNumber):
            number, kind = read_number(digits)
            given = NumberCollected(
                session=session.id, command=session.command, end=end, digits=digits, number=number, kind=kind
            )
            self._finish(session, given)
        else:
            self._finish(session, DigitsCollected(session=session.id, command=session.command, end=end, digits=digits))

    def _checked(self, session: _Session, judgement: Judgement) -> None:
        session.is_checking = False
        told = SecretChecked(
            session=session.id,
            command=session.command,
            is_ok=judgement.is_ok,
            is_failed=judgement.is_failed,
            token=judgement.token,
        )
        self._finish(session, told)

    def _run_script(self, session: _Session) -> None:
        """It speaks with the caller, whose digits it takes."""
        verb = session.verb
        assert isinstance(verb, RunScript)
        run = self._systems.run(verb)
        session.timer = self._agenda.after(run.after_s, self._script_over, session, run)
        session.channel.person.asked(session.channel, verb)

    def _script_over(self, session: _Session, run: ScriptRun) -> None:
        session.typed = ""
        told = ScriptEnded(session=session.id, command=session.command, end=run.end, result=run.result, values=run.values)
        self._finish(session, told)

    def _record(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, RecordMessage)
        session.recorded_since_s = None
        session.timer = self._agenda.after(self._speech_s(verb.say), self._beeped, session)
        session.channel.person.asked(session.channel, verb)

    def _beeped(self, session: _Session) -> None:
        """Somebody speaks, and is then silent; or never speaks."""
        verb, chance = session.verb, self._chance
        assert isinstance(verb, RecordMessage)
        session.typed = ""
        session.recorded_since_s = self._agenda.now_s
        speaks_s = 0.0 if chance.random() < SAYS_NOTHING_RATIO else chance.uniform(*MESSAGE_S)
        is_cut = speaks_s + verb.silence_s > verb.max_s
        end = VerbEnd.TIMEOUT if is_cut or not speaks_s else VerbEnd.DONE
        session.says_s = min(speaks_s, verb.max_s)
        session.timer = self._agenda.after(
            min(speaks_s + verb.silence_s, verb.max_s), self._recorded, session, end, session.says_s
        )

    def _recorded(self, session: _Session, end: VerbEnd, duration_s: float) -> None:
        self._write_message(session, duration_s)
        session.recorded_since_s = None
        told = MessageRecorded(session=session.id, command=session.command, end=end, duration_s=duration_s)
        self._finish(session, told)

    def _wait(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, WaitUntil)
        if verb.timeout_s is not None:
            session.timer = self._agenda.after(verb.timeout_s, self._waited, session)
        session.channel.person.asked(session.channel, verb)
        if session.verb is verb:
            self._take_digits(session)
        if session.verb is verb and session.waiting:
            self._supersede(session)

    def _waited(self, session: _Session) -> None:
        self._finish(session, WaitEnded(session=session.id, command=session.command, end=VerbEnd.TIMEOUT))

    def _await_silence(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, AwaitSilence)
        silent_s = self._chance.uniform(*SPEAKS_S) + verb.silence_s
        end = VerbEnd.DONE if silent_s <= verb.timeout_s else VerbEnd.TIMEOUT
        session.timer = self._agenda.after(min(silent_s, verb.timeout_s), self._silent, session, end)
        if session.waiting:
            self._supersede(session)

    def _silent(self, session: _Session, end: VerbEnd) -> None:
        self._finish(session, PromptEnded(session=session.id, command=session.command, end=end))

    def _supersede(self, session: _Session) -> None:
        """The verb that is on gives way to the next one."""
        if isinstance(session.verb, WaitUntil):
            self._finish(session, WaitEnded(session=session.id, command=session.command, end=VerbEnd.SUPERSEDED))
        elif isinstance(session.verb, AwaitSilence):
            self._silent(session, VerbEnd.SUPERSEDED)
        else:
            self._collected(session, VerbEnd.SUPERSEDED)

    def _slice_over(self, session: _Session) -> None:
        session.slice = None
        self._next(session)

    def _end_session(self, session: _Session) -> None:
        verb = session.verb
        assert isinstance(verb, EndSession)
        self._sessions.pop(session.id, None)
        session.channel.session = None
        self._wire.agi(session.id, SessionClosed(session=session.id), is_last=True)
        self._on_end(session.channel, verb)

    # --- digits -------------------------------------------------------------------------------------------------------
    def _take_digits(self, session: _Session) -> None:
        """Hand typed digits to the verb that is on, as far as it takes them."""
        verb = session.verb
        while session.typed and verb is not None and session.verb is verb:
            if isinstance(verb, Collecting):
                if not self._take_for_collect(session, verb):
                    return
            elif isinstance(verb, Say):
                digit = next((d for d in session.typed if d in verb.stop_digits), "")
                if not digit:
                    return
                # It stays typed ahead, for the question that follows.
                end = PromptEnded(session=session.id, command=session.command, end=VerbEnd.DIGIT, digit=digit)
                self._finish(session, end)
            elif isinstance(verb, WaitUntil):
                digit, session.typed = session.typed[0], session.typed[1:]
                if digit in verb.stop_digits:
                    end_of_wait = WaitEnded(session=session.id, command=session.command, end=VerbEnd.DIGIT, digit=digit)
                    self._finish(session, end_of_wait)
            elif isinstance(verb, RecordMessage) and session.recorded_since_s is not None:
                digit, session.typed = session.typed[0], session.typed[1:]
                if digit in verb.stop_digits:
                    self._recorded(session, VerbEnd.DIGIT, self._agenda.now_s - session.recorded_since_s)
            else:
                return

    def _take_for_collect(self, session: _Session, verb: Collecting) -> bool:
        """Take one digit. False: the speech cannot be interrupted, or a secret is being checked, so it stays typed ahead."""
        if session.is_checking:
            return False
        if session.is_speaking and isinstance(verb, Collect) and not verb.can_interrupt:
            return False
        digit, session.typed = session.typed[0], session.typed[1:]
        session.is_speaking = False
        if session.timer is not None:
            session.timer.cancel()
        if digit == (verb.terminator if isinstance(verb, Collect) else "#"):
            self._collected(session, VerbEnd.DONE)
            return True
        session.collected += digit
        is_complete = isinstance(verb, Collect) and session.collected in verb.complete
        if is_complete or len(session.collected) >= _length_max(verb):
            self._collected(session, VerbEnd.DONE)
            return True
        next_timeout_s = verb.timeout_s if isinstance(verb, CollectSecret) else verb.next_timeout_s
        session.timer = self._agenda.after(next_timeout_s, self._timed_out, session)
        return True


def _length_max(verb: Collecting) -> int:
    if isinstance(verb, Collect):
        return verb.max_digits
    return verb.max_digits if isinstance(verb, CollectSecret) else NUMBER_LENGTH_MAX


def _failed(session: _Session) -> Event | None:
    """The end of a verb that could not be done: a prompt is missing, say. None for one that cannot fail so: music that is missing is
    silence."""
    verb, command, failed = session.verb, session.command, VerbEnd.FAILED
    match verb:
        case Say() | AwaitSilence():
            return PromptEnded(session=session.id, command=command, end=failed)
        case Collect():
            return DigitsCollected(session=session.id, command=command, end=failed, digits="")
        case CollectNumber():
            kind = NumberKind.UNKNOWN
            return NumberCollected(session=session.id, command=command, end=failed, digits="", number="", kind=kind)
        case CollectSecret():
            return SecretChecked(session=session.id, command=command, is_ok=None, is_failed=True)
        case RecordMessage():
            return MessageRecorded(session=session.id, command=command, end=failed, duration_s=0.0)
        case RunScript():
            return ScriptEnded(session=session.id, command=command, end=failed)
        case _:
            return None

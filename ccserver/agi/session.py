"""What one AGI session does with the core's verbs: one after the other, each to its end.

- `Say` and `AnswerCall` are always done whole and in order.
- `Collect`, `CollectNumber`, `CollectSecret`, `RunScript`, `WaitUntil` and `AwaitSilence` wait for a person, so a newer verb takes their
  place: at once in a `WaitUntil`, else within one slice, or at the end of the piece that is being spoken, since AGI cannot be
  interrupted in a prompt (nor while it records).
- A verb that is open when the connection ends has no event of its own: SessionClosed stands for it.
"""

import math
import re
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ccserver.agi import wire
from ccserver.agi.conversation import ANSWER_LIMIT_S, SPEECH_LIMIT_S, AgiCounters, Clock, Conversation, SessionOver
from ccserver.agi.numbers import Dialled, Numbering, dialled
from ccserver.agi.prompts import PromptPaths, is_language
from ccserver.agi.scripted import ScriptRunner, serve
from ccserver.agi.secrets import MAX_PIN_DIGITS, NOBODYS_HASH, SecretAnswer, check_pin
from ccserver.agi.speaking import Speaker, Utterance
from ccserver.core.commands import (
    AnswerCall,
    AwaitSilence,
    Collect,
    CollectNumber,
    CollectSecret,
    EndSession,
    Next,
    RecordMessage,
    RoomEntry,
    RunScript,
    Say,
    SecretCheck,
    WaitUntil,
)
from ccserver.core.dialer.gate import E164
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    DigitsCollected,
    Event,
    MessageRecorded,
    NumberCollected,
    OutcomeUnknown,
    PromptEnded,
    ScriptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import AgentId, CommandId, Language, LegId, PromptId, RoomId, SessionId
from ccserver.core.settings import NumberKind, Spoken, SpokenKind

log = structlog.get_logger(__name__)

Verb: TypeAlias = (
    AnswerCall
    | Say
    | Collect
    | CollectNumber
    | CollectSecret
    | RecordMessage
    | RunScript
    | WaitUntil
    | AwaitSilence
    | EndSession
)

MAX_QUEUED_VERBS = 16
MAX_DIGITS = 32
MESSAGE_MIN_S = 0.5
"""A recording shorter than this is a click, or the key that ended it: nothing was said."""
MESSAGE_MAX_S = 3600.0
QUIET_S = 1.0
"""A check of typed digits that takes longer is filled with music."""
SILENCE_MAX_S = 60.0
LISTENING_MAX_S = 600.0
NORMAL_CLEARING = 16
"""Q.850; what `bye` in the dialplan hangs up with when no cause is set."""

ROOM_GRADES = ("moderator", "member")
"""The PINs of a conference; who has both the same is a moderator."""
_ROOM = re.compile(r"[A-Za-z0-9_-]{1,40}")
_EXTENSION = re.compile(r"[0-9A-Za-z_*#+-]{1,40}")
_MESSAGE = re.compile(r"(/[A-Za-z0-9_./-]{1,300})\.(wav|WAV|gsm|ulaw|alaw|sln)")
_STOP_DIGITS = re.compile(r"[0-9*#]{0,12}")
_END_POSITION = re.compile(r"endpos=([0-9]{1,12})")
_RECORDED = re.compile(r"\((dtmf|timeout|hangup)\) endpos=([0-9]{1,12})")
_SAMPLES_PER_S = 8000
_SILENCE_LEFT_S = 1.0


CheckSecret: TypeAlias = Callable[[SecretCheck, bytearray, Language], "Deferred[SecretAnswer]"]
"""Checks digits by a look-up. They are wiped once it has answered."""


def no_secrets(check: SecretCheck, digits: bytearray, language: Language) -> "Deferred[SecretAnswer]":
    """Where there are no look-ups: nothing can be checked."""
    return succeed(SecretAnswer(is_ok=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the sessions of one server share."""

    clock: Clock
    sink: Callable[[Event], None]
    prompts: PromptPaths
    speaker: Speaker
    pin_hash: Callable[[AgentId], str | None]
    room_pins: Callable[[RoomId], Mapping[str, str]]
    """The hashes of a conference's PINs, by grade."""
    defer_to_thread: Callable[[Callable[[], bool]], "Deferred[bool]"]
    overflow_context: str
    counters: AgiCounters
    numbering: Callable[[], Numbering]
    discard: Callable[[str], None]
    """Takes away the file of a recording (path as Asterisk sees it) that holds nothing."""
    check_secret: CheckSecret = no_secrets
    scripts: ScriptRunner | None = None
    """None: there are no scripts here."""


class Session:
    """One channel in the AGI loop. `arrival` is that of a channel which the dialplan takes away from a daemon that says nothing: it is told
    once that time-out is off, so that no talk can begin under it. `finish` says that nothing more will be written; `drop(reason)` ends
    it, counted as not in order."""

    def __init__(
        self,
        session: SessionId,
        leg: LegId,
        language: Language,
        surroundings: Surroundings,
        *,
        write: Callable[[bytes], None],
        finish: Callable[[], None],
        drop: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
        arrival: Event | None = None,
    ) -> None:
        self.id = session
        self.leg = leg
        self.conversation = Conversation(surroundings.clock, write, drop, surroundings.counters)
        self._at = surroundings
        self._finish = finish
        self._drop = drop
        self._arrival = arrival
        self._environment = environment or {}  # what scripts see of the opening block
        self._language: Language | None = language  # of the channel, for digits and numbers; None: not known
        self._music: str | None = None  # what the channel hears for sure; every prompt ends it
        self._verbs: deque[tuple[CommandId, Verb]] = deque()
        self._current: tuple[CommandId, Verb] | None = None
        self._is_closed = False

    def start(self) -> None:
        Deferred.fromCoroutine(self._run())

    def perform(self, command: CommandId, verb: Verb) -> None:
        if len(self._verbs) >= MAX_QUEUED_VERBS:
            log.error("agi_verb.refused", session=self.id, verb=type(verb).__name__, queued=len(self._verbs))
            self._fail(command, verb, "too many verbs wait in this session")
            return
        self._verbs.append((command, verb))
        self.conversation.wake()

    def connection_lost(self) -> None:
        """Settles what has an end of its own, then tells SessionClosed. Called once."""
        if self._current is not None and isinstance(self._current[1], AnswerCall):
            self._emit(OutcomeUnknown(command=self._current[0]))
        for command, verb in self._verbs:
            if isinstance(verb, AnswerCall):
                self._emit(CommandFailed(command=command, reason="the session closed first"))
        if self._arrival is None:
            self._emit(SessionClosed(session=self.id))
        self._is_closed = True
        self._verbs.clear()
        self.conversation.end()

    def _emit(self, event: Event) -> None:
        if not self._is_closed:
            self._at.sink(event)

    async def _run(self) -> None:
        try:
            if self._arrival is not None:
                await self.conversation.ask(wire.command("SET VARIABLE", "TIMEOUT(absolute)", "0"))
                arrival, self._arrival = self._arrival, None
                self._emit(arrival)
            while True:
                while not self._verbs:
                    await self.conversation.change()
                self._current = self._verbs.popleft()
                await self._perform(*self._current)
                self._current = None
        except SessionOver:
            return
        except Exception:
            # A fault of ours costs this session only: the dialplan comes back with a new one.
            self._at.counters.faults += 1
            # The text of the traceback only: a renderer that adds the frames' locals would write out a PIN.
            log.error("agi_session.faulted", session=self.id, traceback=traceback.format_exc())
            self._drop("fault")

    async def _perform(self, command: CommandId, verb: Verb) -> None:
        try:
            match verb:
                case AnswerCall():
                    await self._answer(command)
                case Say():
                    await self._say(command, verb)
                case Collect():
                    await self._collect(command, verb)
                case CollectNumber():
                    await self._collect_number(command, verb)
                case CollectSecret():
                    await self._collect_secret(command, verb)
                case RecordMessage():
                    await self._record(command, verb)
                case RunScript():
                    await self._run_script(command, verb)
                case WaitUntil():
                    await self._wait(command, verb)
                case AwaitSilence():
                    await self._await_silence(command, verb)
                case EndSession():
                    await self._end(verb)
                case _:
                    assert_never(verb)
        except wire.NotSendable as error:
            log.error("agi_verb.refused", session=self.id, verb=type(verb).__name__, reason=str(error))
            self._fail(command, verb, str(error))

    def _fail(self, command: CommandId, verb: Verb, reason: str) -> None:
        match verb:
            case AnswerCall():
                self._emit(CommandFailed(command=command, reason=reason))
            case Say() | AwaitSilence():
                self._emit(PromptEnded(session=self.id, command=command, end=VerbEnd.FAILED))
            case Collect():
                self._emit(DigitsCollected(session=self.id, command=command, end=VerbEnd.FAILED, digits=""))
            case CollectNumber():
                self._number_collected(command, VerbEnd.FAILED, "")
            case CollectSecret():
                self._emit(SecretChecked(session=self.id, command=command, is_ok=None, is_failed=True))
            case RunScript():
                self._emit(ScriptEnded(session=self.id, command=command, end=VerbEnd.FAILED))
            case RecordMessage():
                self._emit(MessageRecorded(session=self.id, command=command, end=VerbEnd.FAILED, duration_s=0.0))
            case WaitUntil():
                self._emit(WaitEnded(session=self.id, command=command, end=VerbEnd.FAILED))
            case EndSession():
                self._drop("end_refused")
            case _:
                assert_never(verb)

    # --- the verbs ----------------------------------------------------------------------------------------------------
    async def _answer(self, command: CommandId) -> None:
        # `i`: do not wait for media. Without it Answer stands still for up to half a second.
        reply = await self.conversation.ask(wire.command("EXEC Answer", "0,i"))
        if reply.code == wire.OK and reply.result == 0:
            self._emit(CommandDone(command=command))
        else:
            self._emit(CommandFailed(command=command, reason=f"Answer: {reply.code} result {reply.result}"))

    async def _say(self, command: CommandId, verb: Say) -> None:
        typed = self.conversation.typed
        is_whole = await self._speak(verb.say, verb.language, verb.stop_digits, lambda: typed.has_one_of(verb.stop_digits))
        digit = typed.first_of(verb.stop_digits)  # it stays: the next question may be what it answers
        end = VerbEnd.DIGIT if digit else VerbEnd.DONE if is_whole else VerbEnd.FAILED
        self._emit(PromptEnded(session=self.id, command=command, end=end, digit=digit))

    async def _collect(self, command: CommandId, verb: Collect) -> None:
        if verb.can_interrupt:
            await self._speak(verb.say, verb.language, wire.ALL_DIGITS, self._is_typed_or_superseded)
        else:
            await self._speak(verb.say, verb.language, "", self._is_superseded)
        typed, end = await self._gather(
            max_digits=min(verb.max_digits, MAX_DIGITS),
            first_timeout_s=verb.first_timeout_s,
            next_timeout_s=verb.next_timeout_s,
            terminator=verb.terminator,
            complete=verb.complete,
        )
        self._emit(DigitsCollected(session=self.id, command=command, end=end, digits=typed.decode()))

    async def _collect_number(self, command: CommandId, verb: CollectNumber) -> None:
        await self._speak(verb.say, verb.language, wire.ALL_DIGITS, self._is_typed_or_superseded)
        typed, end = await self._gather(
            max_digits=MAX_DIGITS,
            first_timeout_s=verb.first_timeout_s,
            next_timeout_s=verb.next_timeout_s,
            terminator="#",
        )
        self._number_collected(command, end, typed.decode())

    def _number_collected(self, command: CommandId, end: VerbEnd, digits: str) -> None:
        found = dialled(digits, self._at.numbering()) if digits else Dialled("", NumberKind.UNKNOWN)
        self._emit(
            NumberCollected(session=self.id, command=command, end=end, digits=digits, number=found.number, kind=found.kind)
        )

    async def _record(self, command: CommandId, verb: RecordMessage) -> None:
        line = _record_line(verb)
        await self._speak(verb.say, verb.language, "", lambda: False)
        self.conversation.typed.clear()  # what was typed into the speech does not end the message
        self._music = None
        reply = await self.conversation.ask(line, limit_s=verb.max_s + SPEECH_LIMIT_S, is_listening=True)
        self.conversation.typed.clear()
        recorded = _recorded(reply)
        if recorded is None:
            self._fail(command, verb, "not recorded")
            return
        end, duration_s = recorded
        if duration_s < MESSAGE_MIN_S:
            self._at.discard(verb.path)
            duration_s = 0.0
        self._emit(MessageRecorded(session=self.id, command=command, end=end, duration_s=duration_s))

    async def _collect_secret(self, command: CommandId, verb: CollectSecret) -> None:
        await self._speak(verb.say, verb.language, wire.ALL_DIGITS, self._is_typed_or_superseded)
        secret, end = await self._gather(
            max_digits=MAX_PIN_DIGITS if verb.check is None else min(verb.max_digits, MAX_DIGITS),
            first_timeout_s=verb.timeout_s,
            next_timeout_s=verb.timeout_s,
            terminator="#",
        )
        event = SecretChecked(session=self.id, command=command, is_ok=None)  # nothing was typed in time
        try:
            if end is not VerbEnd.SUPERSEDED and secret:
                answer = await self._checked(verb, secret)
                is_failed = answer.is_ok is None
                event = replace(event, is_ok=answer.is_ok, is_failed=is_failed, token=answer.token if answer.is_ok else "")
        finally:
            secret[:] = bytes(len(secret))
        self._emit(event)

    async def _checked(self, verb: CollectSecret, secret: bytearray) -> SecretAnswer:
        if verb.check is not None:
            try:
                return await self._in_music(self._at.check_secret(verb.check, secret, verb.language))
            except SessionOver:
                raise
            except Exception as error:  # whose text may hold anything
                self._at.counters.faults += 1
                log.error("secret_check.faulted", session=self.id, look_up=verb.check.look_up, error=type(error).__name__)
        elif verb.room is not None:
            return await self._check_room(verb.room, secret)
        elif verb.agent is not None:
            return SecretAnswer(is_ok=await self._check(verb.agent, secret))
        return SecretAnswer(is_ok=None)

    async def _in_music(self, checking: "Deferred[SecretAnswer]") -> SecretAnswer:
        """Its answer; who waits for it longer than a moment hears the music of the call. Raises SessionOver, but not before the check is
        over: until then it needs the digits."""
        told: list[SecretAnswer | Failure] = []
        checking.addBoth(told.append).addBoth(lambda _: self.conversation.wake())
        music = self._at.clock.callLater(QUIET_S, self.conversation.wake)
        try:
            while not told and music.active():
                await self.conversation.change()
            if not told:
                self._music = None
                await self.conversation.ask(wire.command("SET MUSIC ON"))
            while not told:
                await self.conversation.change()
        except SessionOver:
            await checking
            raise
        finally:
            if music.active():
                music.cancel()
        (answer,) = told
        if isinstance(answer, Failure):
            answer.raiseException()
        return answer

    async def _check(self, agent: AgentId, secret: bytearray) -> bool:
        stored = self._at.pin_hash(agent)
        try:
            is_same = await self._at.defer_to_thread(lambda: check_pin(secret, stored or NOBODYS_HASH))
        except ValueError as error:
            log.error("agent_pin.unusable", agent=agent, reason=str(error))
            return False
        return is_same and stored is not None

    async def _check_room(self, room: RoomId, secret: bytearray) -> SecretAnswer:
        """Both are tried whatever the first says: how long it takes tells nothing."""
        hashes = self._at.room_pins(room)

        async def is_of(grade: str) -> bool:
            stored = hashes.get(grade)
            return await self._at.defer_to_thread(lambda: check_pin(secret, stored or NOBODYS_HASH)) and stored is not None

        try:
            grades = [grade for grade in ROOM_GRADES if await is_of(grade)]
        except ValueError as error:
            log.error("room_pin.unusable", room=room, reason=str(error))
            return SecretAnswer(is_ok=None)
        return SecretAnswer(is_ok=bool(grades), token=grades[0] if grades else "")

    async def _wait(self, command: CommandId, verb: WaitUntil) -> None:
        typed = self.conversation.typed
        deadline_s = None if verb.timeout_s is None else self.conversation.now_s() + verb.timeout_s
        while True:
            # What is typed into the music is an answer to nothing, unless it was offered.
            if digit := typed.take_one_of(verb.stop_digits):
                end = VerbEnd.DIGIT
                break
            if self._is_superseded():
                end = VerbEnd.SUPERSEDED
                break
            if deadline_s is not None and self.conversation.now_s() >= deadline_s:
                end = VerbEnd.TIMEOUT
                break
            if self._music != verb.music:
                await self.conversation.ask(wire.command("SET MUSIC ON", verb.music))
                self._music = verb.music
            else:
                await self.conversation.idle_until(deadline_s)
        self._emit(WaitEnded(session=self.id, command=command, end=end, digit=digit))

    async def _await_silence(self, command: CommandId, verb: AwaitSilence) -> None:
        """WaitForSilence() cannot be cut short: in slices, each just longer than the silence that is waited for, so that a voice that goes
        on does not keep a newer verb out. A silence that a slice ends in is counted anew."""
        if not 0.1 <= verb.silence_s <= SILENCE_MAX_S or not 0 < verb.timeout_s <= LISTENING_MAX_S:
            raise wire.NotSendable("a wait for silence without a sensible end")
        deadline_s = self.conversation.now_s() + verb.timeout_s
        longest_s = math.ceil(verb.silence_s) + 2  # Asterisk counts these in whole seconds of the clock, so one may be short
        while True:
            left_s = deadline_s - self.conversation.now_s()
            if self._is_superseded() or left_s <= 0:
                end = VerbEnd.SUPERSEDED if self._is_superseded() else VerbEnd.TIMEOUT
                break
            slice_s = min(longest_s, math.ceil(left_s))
            line = wire.command("EXEC WaitForSilence", f"{math.ceil(verb.silence_s * 1000)},1,{slice_s}")
            reply = await self.conversation.ask(line, limit_s=slice_s + verb.silence_s + ANSWER_LIMIT_S)
            if reply.code != wire.OK or reply.result != 0:
                self._fail(command, verb, "silence cannot be waited for")
                return
            told = await self.conversation.ask(wire.command("GET VARIABLE", "WAITSTATUS"))
            if told.text == "(SILENCE)":
                end = VerbEnd.DONE
                break
        self._emit(PromptEnded(session=self.id, command=command, end=end))

    async def _run_script(self, command: CommandId, verb: RunScript) -> None:
        if self._at.scripts is None:
            self._fail(command, verb, "no scripts here")
            return
        if verb.language != self._language and is_language(verb.language):
            await self.conversation.ask(wire.command("SET VARIABLE", "CHANNEL(language)", verb.language))
        run = self._at.scripts.start(
            verb, self._environment, lambda name: self._at.prompts.find(verb.language, PromptId(name)), self.conversation.wake
        )
        self._language = self._music = None  # a script may change both
        end, word, values = await serve(run, self.conversation, verb.time_limit_s, self._is_superseded)
        self._emit(ScriptEnded(session=self.id, command=command, end=end, result=word, values=values))

    async def _end(self, verb: EndSession) -> None:
        # Each variable is a round trip; the usual cause is the dialplan's own.
        variables = {} if verb.cause == NORMAL_CLEARING else {"CC_CAUSE": str(int(verb.cause))}
        if (verb.extension or verb.next is Next.EXTENSION) and not _EXTENSION.fullmatch(verb.extension):
            raise wire.NotSendable("an extension with characters that a dialplan would read as its own")
        if verb.shown and E164.fullmatch(verb.shown) is None:
            raise wire.NotSendable("a number to show that is none")
        if verb.next is Next.EXTENSION:
            variables["CC_GOTO"] = f"{self._at.overflow_context},{verb.extension},1"
        elif verb.next is Next.DIAL and verb.extension:
            variables["CC_TO"] = verb.extension
        elif verb.next is Next.DIAL and verb.shown:
            variables["CC_SHOWN"] = verb.shown
        elif verb.next is Next.ROOM and verb.entry is not None:
            variables |= _room_variables(verb.entry)
        for name, value in variables.items():
            await self.conversation.ask(wire.command("SET VARIABLE", name, value))
        # Last: the dialplan takes it as "all is said". The end of what we write follows at once, and Asterisk ends the session when it
        # has read both: so it is woken once, not twice.
        await self.conversation.tell(wire.command("SET VARIABLE", "CC_NEXT", verb.next.value))
        self._finish()
        await self.conversation.change()  # until SessionOver

    # --- parts of verbs -----------------------------------------------------------------------------------------------
    def _is_superseded(self) -> bool:
        return bool(self._verbs)

    def _is_typed_or_superseded(self) -> bool:
        return bool(self.conversation.typed) or bool(self._verbs)

    async def _speak(self, say: tuple[Spoken, ...], language: Language, stop: str, is_over: Callable[[], bool]) -> bool:
        """Speaks until a digit out of `stop`, or until `is_over` between two sounds. False: something could not be said."""
        if is_over():
            return True
        is_whole = True
        for utterance in [Utterance(piece, language, self._at.prompts, self._at.speaker) for piece in say]:
            await utterance.ready(self.conversation, is_over)
            if is_over():
                break
            lines = utterance.lines(self.conversation.typed.without_ending(stop, self.conversation.now_s()))
            if not lines:
                is_whole = False
                self._tell_missing(utterance)
            for line in lines:
                if is_over():
                    return is_whole
                await self._speak_in(utterance.language if line.by_asterisk else language)
                self._music = None
                reply = await self.conversation.ask(line.command, limit_s=line.limit_s, is_listening=bool(stop))
                if reply.code != wire.OK or reply.result is None or reply.result < 0:
                    if self.conversation.is_hung_up or _is_cut(reply):
                        await self.conversation.over()
                    is_whole = False  # a file that cannot be played
                elif reply.result > 0:
                    return is_whole
        return is_whole

    def _tell_missing(self, utterance: Utterance) -> None:
        self._at.counters.prompts_missing += 1
        piece = utterance.piece
        prompt = piece.value if piece.kind is SpokenKind.PROMPT else ""  # another value may be a person's
        log.warning("prompt.missing", session=self.id, language=utterance.language, kind=piece.kind.value, prompt=prompt)

    async def _speak_in(self, language: Language) -> None:
        if language != self._language and is_language(language):
            await self.conversation.ask(wire.command("SET VARIABLE", "CHANNEL(language)", language))
            self._language = language

    async def _gather(
        self,
        *,
        max_digits: int,
        first_timeout_s: float,
        next_timeout_s: float,
        terminator: str,
        complete: tuple[str, ...] = (),
    ) -> tuple[bytearray, VerbEnd]:
        """The digits typed (a bytearray, so that a secret can be wiped): DONE, TIMEOUT or SUPERSEDED."""
        typed = self.conversation.typed
        digits = bytearray()
        endings = frozenset(choice.encode() for choice in complete)
        deadline_s = self.conversation.now_s() + first_timeout_s
        while True:
            while typed:
                digit = typed.take()
                if digit == terminator:
                    return digits, VerbEnd.DONE
                digits += digit.encode()
                if len(digits) >= max_digits or (endings and bytes(digits) in endings):
                    if terminator and max_digits > 1:
                        typed.is_full(terminator, self.conversation.now_s())
                    return digits, VerbEnd.DONE
                deadline_s = self.conversation.now_s() + next_timeout_s
            if self._is_superseded():
                return digits, VerbEnd.SUPERSEDED
            if self.conversation.now_s() >= deadline_s:
                return digits, VerbEnd.TIMEOUT
            await self.conversation.listen_until(deadline_s)


def _is_cut(reply: wire.Reply) -> bool:
    """Whether the end of the channel cut a file short: one that cannot be played ends at its first sample, with the same result."""
    told = _END_POSITION.search(reply.text)
    return told is not None and int(told[1]) > 0


def _record_line(verb: RecordMessage) -> bytes:
    """Raises NotSendable for a path that leaves its directory, or limits that are none."""
    path = _MESSAGE.fullmatch(verb.path)
    if path is None or ".." in path[1].split("/"):
        raise wire.NotSendable("a path for a recording that is not plain, absolute and of a format that Asterisk writes")
    if not 0 < verb.max_s <= MESSAGE_MAX_S or not 0 < verb.silence_s <= SILENCE_MAX_S:
        raise wire.NotSendable("a recording without a sensible end")
    if not _STOP_DIGITS.fullmatch(verb.stop_digits):
        raise wire.NotSendable("stop digits that no phone has")
    limits = (str(int(verb.max_s * 1000)), "0", "BEEP", f"s={math.ceil(verb.silence_s)}")
    return wire.command("RECORD FILE", path[1], path[2], verb.stop_digits, *limits)


def _room_variables(entry: RoomEntry) -> dict[str, str]:
    """What `cc-room` of the dialplan reads. Raises NotSendable for a name that a dialplan would read as its own."""
    if not _ROOM.fullmatch(entry.room):
        raise wire.NotSendable("a conference's name that is not plain")
    flags = {
        "CC_ROOM_MODERATOR": entry.is_moderator,
        "CC_ROOM_WAITS": entry.waits,
        "CC_ROOM_ENDS": entry.ends_with_moderator,
        "CC_ROOM_QUIET": not entry.has_tone,
    }
    told = {name: "yes" if is_so else "no" for name, is_so in flags.items()}
    return {"CC_ROOM": entry.room, "CC_ROOM_MAX": str(entry.max_members), **told}


def _recorded(reply: wire.Reply) -> tuple[VerbEnd, float] | None:
    """How a recording ended and how long it is, in seconds; None where Asterisk could not write.

    `result=35 (dtmf) endpos=24000`, in samples. `result=1 (timeout)` is silence, of which Asterisk has left one second; `result=0
    (timeout)` the longest time; `result=-1 (hangup)` the usual end of a message: what was said is kept.
    """
    found = _RECORDED.fullmatch(reply.text)
    if reply.code != wire.OK or reply.result is None or found is None:
        return None
    duration_s = int(found[2]) / _SAMPLES_PER_S
    if found[1] == "timeout" and reply.result > 0:
        duration_s = max(0.0, duration_s - _SILENCE_LEFT_S)
    return (VerbEnd.DIGIT if found[1] == "dtmf" else VerbEnd.DONE), duration_s

"""A piece of speech as commands of AGI: files of prompts, files that the speaker makes of values, and what Asterisk says by itself."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ccserver.agi import wire
from ccserver.agi.conversation import SPEECH_LIMIT_S, Conversation
from ccserver.agi.prompts import PromptPaths
from ccserver.core.ids import Language, PromptId
from ccserver.core.settings import Spoken, SpokenKind

log = structlog.get_logger(__name__)

_RECORDING = re.compile(r"/[A-Za-z0-9_./-]{1,300}")
_SAID_DIGITS = re.compile(r"[0-9*#]{1,64}")
_SAID_NUMBER = re.compile(r"[0-9]{1,9}")
_SAID_LETTERS = re.compile(r"[A-Za-z0-9]{1,64}")


RECORDING_RATE = 8000
"""Samples a second of what Asterisk is given to play from a place within it."""
RECORDING_LIMIT_S = 12 * 3600.0


class Speaker(Protocol):
    """Makes sound of values."""

    def say(self, piece: Spoken, language: Language, /) -> "tuple[str, ...] | Deferred[tuple[str, ...] | None] | None":
        """The files to stream, one after the other, as Asterisk is given them; all of them are there. A Deferred while they are made,
        which is cancelled when the caller has waited long enough. None: it cannot say this, and what Asterisk has of its own must do."""


PATIENCE_S = 4.0
"""So long a caller waits in silence for a value, at most."""


class NoSpeaker:
    """Where nothing makes sound of values."""

    def say(self, piece: Spoken, language: Language, /) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Line:
    """A command that speaks. `by_asterisk`: with its own sounds, in the channel's language. It is over within `limit_s`."""

    command: bytes
    by_asterisk: bool = False
    limit_s: float = SPEECH_LIMIT_S


class Utterance:
    """One piece of speech of a verb. Making it asks the speaker, so that a value is made while what stands before it is said."""

    def __init__(self, piece: Spoken, language: Language, prompts: PromptPaths, speaker: Speaker) -> None:
        self.piece = piece
        self.language = piece.language or language
        self._prompts = prompts
        self._files: tuple[str, ...] | None = None
        self._is_ready = True
        self._wake: Callable[[], None] | None = None
        self._awaited: Deferred[tuple[str, ...] | None] | None = None
        if piece.kind not in (SpokenKind.PROMPT, SpokenKind.RECORDING):
            answer = speaker.say(piece, self.language)
            if isinstance(answer, Deferred):
                self._is_ready = False
                self._awaited = answer
                answer.addCallbacks(self._answered, self._faulted)
            else:
                self._files = answer

    async def ready(self, conversation: Conversation, is_over: Callable[[], bool]) -> None:
        """Waits for the speaker, but not when `is_over` meanwhile: a digit was typed, a newer verb came. Raises SessionOver."""
        deadline_s = conversation.now_s() + PATIENCE_S
        self._wake = conversation.wake
        try:
            while not self._is_ready and not is_over():
                if conversation.now_s() >= deadline_s and self._awaited is not None:
                    self._awaited.cancel()
                else:
                    await conversation.idle_until(deadline_s)
        finally:
            self._wake = None

    def lines(self, stop: str) -> tuple[Line, ...]:
        """The commands, in order; none: it cannot be said. Raises NotSendable."""
        if self._files is not None:
            return tuple(Line(wire.command("STREAM FILE", file, stop)) for file in self._files)
        line = self._line(self.piece.value, stop)
        return () if line is None else (line,)

    def _line(self, value: str, stop: str) -> Line | None:
        match self.piece.kind:
            case SpokenKind.PROMPT:
                path = self._prompts.find(self.language, PromptId(value))
                return None if path is None else Line(wire.command("STREAM FILE", path, stop))
            case SpokenKind.RECORDING:
                return self._recording(value, stop)
            case SpokenKind.DIGITS:
                return _said("SAY DIGITS", value, stop, _SAID_DIGITS)
            case SpokenKind.NUMBER:
                return _said("SAY NUMBER", value, stop, _SAID_NUMBER)
            case SpokenKind.SPELLED:
                return _said("SAY ALPHA", value, stop, _SAID_LETTERS)
            case SpokenKind.TEXT | SpokenKind.MONEY | SpokenKind.DATE | SpokenKind.TIME | SpokenKind.DURATION:
                return None  # Asterisk has no words for them
            case SpokenKind.CALL_NUMBER | SpokenKind.EXPECTED_WAIT:
                return None  # the core says them as DIGITS and DURATION
            case _:
                assert_never(self.piece.kind)

    def _recording(self, path: str, stop: str) -> Line | None:
        if _RECORDING.fullmatch(path) is None or ".." in path.split("/"):
            return None
        from_frame = (str(int(self.piece.from_s * RECORDING_RATE)),) if self.piece.from_s > 0 else ()
        return Line(wire.command("STREAM FILE", path, stop, *from_frame), limit_s=RECORDING_LIMIT_S)

    def _answered(self, files: tuple[str, ...] | None) -> None:
        self._files = files
        self._is_ready = True
        if self._wake is not None:
            self._wake()

    def _faulted(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):
            self._answered(None)
            return
        log.error("speaker.faulted", kind=self.piece.kind.value, traceback=failure.getTraceback())
        self._answered(None)


def _said(verb: str, value: str, stop: str, pattern: re.Pattern[str]) -> Line | None:
    return Line(wire.command(verb, value, stop), by_asterisk=True) if pattern.fullmatch(value) else None

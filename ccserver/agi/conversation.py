"""One command at a time with one channel, and the digits that come meanwhile.

The verbs of a session (`session`) are written as one coroutine that asks and waits here; nothing else may wait.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from twisted.internet.defer import Deferred

from ccserver.agi import wire
from ccserver.agi.digits import TypedDigits

SLICE_MS = 1000
"""WAIT FOR DIGIT cannot be interrupted: in slices, a newer verb gets its turn within a second."""
ANSWER_LIMIT_S = 10.0
"""An answer that is later by so much will not come: Asterisk is frozen, or gone without a FIN."""
SPEECH_LIMIT_S = 900.0


class Timer(Protocol):
    """What a clock gives back for a call to come."""

    def active(self) -> bool: ...

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of Twisted's IReactorTime that is used here, in a form that a type checker can compare."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], /, *args: object, **kwargs: object) -> Timer: ...


class SessionOver(Exception):
    """The connection has ended under the verb that was waiting."""


@dataclass(slots=True)
class AgiCounters:
    """Counted since the start. Keys of the two Counters are reasons out of a small fixed set."""

    opened: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that never became a session."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Sessions that we ended for another reason than EndSession."""
    commands: int = 0
    prompts_missing: int = 0
    digits_doubled: int = 0
    """Digits that both AMI and AGI showed: the normal case while a prompt or a wait is listening."""
    faults: int = 0


class Conversation:
    """`write` puts bytes on the wire; `drop(reason)` ends the connection, after which `end` is called once."""

    def __init__(
        self, clock: Clock, write: Callable[[bytes], None], drop: Callable[[str], None], counters: AgiCounters
    ) -> None:
        self.typed = TypedDigits()
        self.is_hung_up = False
        """Asterisk has said so: the channel is over for this session, gone or taken elsewhere."""
        self._clock = clock
        self._write = write
        self._drop = drop
        self._counters = counters
        self._is_busy = False
        self._is_listening = False
        self._is_slice = False
        self._overdue_at_s = 0.0
        self._reply: wire.Reply | None = None
        self._waiting: Deferred[None] | None = None
        self._is_over = False

    # --- for the verbs ------------------------------------------------------------------------------------------------
    def now_s(self) -> float:
        return self._clock.seconds()

    async def ask(self, line: bytes, *, limit_s: float = ANSWER_LIMIT_S, is_listening: bool = False) -> wire.Reply:
        """Sends one command, after the answer to the last one, and waits for its answer.

        `is_listening`: a result above 0 is a digit that was typed. Raises SessionOver.
        """
        while self._is_busy:
            await self.change()
        self._send(line, limit_s, is_listening=is_listening, is_slice=False)
        while self._is_busy:
            await self.change()
        assert self._reply is not None
        return self._reply

    async def tell(self, line: bytes) -> None:
        """Sends one command, after the answer to the last one, and does not wait for its own. Raises SessionOver."""
        while self._is_busy:
            await self.change()
        self._send(line, ANSWER_LIMIT_S, is_listening=False, is_slice=False)

    async def ask_unless(
        self, line: bytes, is_over: Callable[[], bool], *, limit_s: float = ANSWER_LIMIT_S, is_listening: bool = False
    ) -> wire.Reply | None:
        """As `ask`, but None as soon as a change finds that `is_over`. A command that was sent goes on in the channel: the next one is
        sent after its answer, which nobody takes."""
        while self._is_busy:
            if is_over():
                return None
            await self.change()
        self._send(line, limit_s, is_listening=is_listening, is_slice=False)
        while self._is_busy:
            if is_over():
                return None
            await self.change()
        return self._reply

    async def listen_until(self, deadline_s: float | None) -> None:
        """Waits for the next change (a digit, a newer verb, the end of a slice) with a command that listens running."""
        if not self._is_busy and not self._is_over:
            slice_ms = SLICE_MS
            if deadline_s is not None:
                left_ms = int((deadline_s - self.now_s()) * 1000) + 1
                slice_ms = max(1, min(SLICE_MS, left_ms))
            line = wire.command(f"WAIT FOR DIGIT {slice_ms}")
            self._send(line, slice_ms / 1000 + ANSWER_LIMIT_S, is_listening=True, is_slice=True)
        await self.change()

    async def idle_until(self, deadline_s: float | None) -> None:
        """Waits for the next change without a command: music goes on, keys are told by AMI, and Asterisk ends the session itself when
        the channel is over or taken elsewhere. So hundreds who wait cost nothing, and a newer verb need not wait for a slice.

        While AMI tells nothing, keys come from a command that listens only.
        """
        if self._is_busy or not self.typed.is_ami_listening:
            await self.listen_until(deadline_s)
            return
        timer = None if deadline_s is None else self._clock.callLater(max(0.0, deadline_s - self.now_s()), self.wake)
        try:
            await self.change()
        finally:
            if timer is not None and timer.active():
                timer.cancel()

    async def change(self) -> None:
        """Waits until something happened. Raises SessionOver. There is one waiter: the verb that is being performed."""
        if self._is_over:
            raise SessionOver
        assert self._waiting is None
        self._waiting = Deferred()
        await self._waiting

    async def over(self) -> NoReturn:
        """The channel is over for this session: ends the connection. Raises SessionOver."""
        self._drop("dead_channel")
        while True:
            await self.change()

    # --- for the session and its connection ---------------------------------------------------------------------------
    def wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def reply_received(self, reply: wire.Reply) -> None:
        if not self._is_busy:
            self._drop("unasked_reply")
            return
        if reply.code == wire.DEAD_CHANNEL or (self._is_slice and (reply.result is None or reply.result < 0)):
            self._drop("dead_channel")
            return
        self._is_busy = False
        self._reply = reply
        if self._is_listening and reply.code == wire.OK and reply.result is not None and reply.result > 0:
            digit = chr(reply.result) if reply.result < 128 else ""
            if digit and digit in wire.ALL_DIGITS and not self.typed.read_by_agi(digit, self.now_s()):
                self._counters.digits_doubled += 1
        self.wake()

    def digit_told(self, digit: str) -> None:
        """AMI's DTMFEnd for this channel."""
        if len(digit) != 1 or digit not in wire.ALL_DIGITS:
            return
        if self.typed.told_by_ami(digit, self.now_s()):
            self.wake()
        else:
            self._counters.digits_doubled += 1

    def is_overdue(self) -> bool:
        return self._is_busy and self.now_s() > self._overdue_at_s

    def end(self) -> None:
        self._is_over = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(SessionOver())

    def _send(self, line: bytes, limit_s: float, *, is_listening: bool, is_slice: bool) -> None:
        if self._is_over:
            raise SessionOver
        now_s = self.now_s()
        self._is_busy, self._is_listening, self._is_slice = True, is_listening, is_slice
        self._overdue_at_s = now_s + limit_s
        if is_listening:
            self.typed.command_sent(now_s)
        self._counters.commands += 1
        self._write(line)

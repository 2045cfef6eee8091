"""Drives the core in real time: one inbox, one reader, one timer.

A step is: journal the input, ask the core, perform what it answers. What became of the commands comes back as events, so
the core is never entered twice at the same time and never waits.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from twisted.internet.base import DelayedCall

from ccserver.core.commands import Command
from ccserver.core.events import DeadlineReached, Event, InteractionFaulted
from ccserver.core.ids import CommandId, InteractionId
from ccserver.core.moment import Moment
from ccserver.daemon.clock import CenterClock

STEPS_PER_TURN = 200
"""After so many steps the reactor gets a turn, so that a flood of events cannot silence sockets and the watchdog."""
LAST_EVENTS_KEPT = 20
REASON_CHARACTERS_MAX = 500

log = structlog.stdlib.get_logger(__name__)


class Center(Protocol):
    """What the driver needs of the core's `CallCenter`."""

    @property
    def seq(self) -> int: ...
    def handle(self, event: Event, now: Moment) -> list[Command]: ...
    def on_deadline(self, now: Moment) -> list[Command]: ...
    def next_deadline(self) -> float | None: ...


class Timers(Protocol):
    """The part of a reactor, or of a test's clock, that starts timers."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall: ...


class InputLog(Protocol):
    """What the driver needs of the journal."""

    def append(self, seq: int, moment: Moment, event: Event) -> None: ...


class Tracer(Protocol):
    """Keeps steps with their commands, before these are performed."""

    def step(self, seq: int, moment: Moment, event: Event, commands: Sequence[Command], fault: str = "") -> None: ...


class StepWatch(Protocol):
    """Told about every step, for metrics and the log."""

    def step_done(self, event: Event, commands: list[Command], duration_s: float) -> None: ...
    def step_faulted(self, event: Event) -> None: ...
    def journal_failed(self) -> None: ...


class Driver:
    """Feeds `center` from its inbox and hands each command to `perform`, which must not raise.

    The core itself holds its deadlines back until the PBX has been read: one that was restored must not fire on a world
    nobody has looked at yet.
    """

    def __init__(
        self,
        *,
        center: Center,
        journal: InputLog,
        perform: Callable[[CommandId, Command], None],
        fault_of: Callable[[BaseException, Event], InteractionId | None],
        clock: CenterClock,
        reactor: Timers,
        watch: StepWatch,
        trace: Tracer | None = None,
    ) -> None:
        self._center = center
        self._journal = journal
        self._perform = perform
        self._fault_of = fault_of
        self._clock = clock
        self._reactor = reactor
        self._watch = watch
        self._trace = trace
        self._inbox: deque[Event] = deque()
        self._last_events: deque[Event] = deque(maxlen=LAST_EVENTS_KEPT)
        self._turn: DelayedCall | None = None
        self._timer: DelayedCall | None = None
        self._timer_at_s: float | None = None
        self._is_stopped = False
        self._journal_works = True

    @property
    def inbox_depth(self) -> int:
        return len(self._inbox)

    def post(self, event: Event) -> None:
        """Put `event` into the inbox. It is handled in a later turn of the reactor, never inside this call: an edge may
        post from the middle of its own work."""
        if self._is_stopped:
            return
        self._inbox.append(event)
        if self._turn is None:
            self._turn = self._reactor.callLater(0, self._take_turn)

    def settle(self) -> None:
        """Handle all that is in the inbox now: at start, before any edge is open."""
        while self._inbox:
            self._step(self._inbox.popleft())
        self._arm_timer()

    def stop(self) -> None:
        """No step after this one; what still arrives is dropped, as it would be if the process had ended already."""
        self._is_stopped = True
        self._inbox.clear()
        for call in (self._turn, self._timer):
            if call is not None and call.active():
                call.cancel()
        self._turn = self._timer = None

    def _take_turn(self) -> None:
        self._turn = None
        for _ in range(min(STEPS_PER_TURN, len(self._inbox))):
            self._step(self._inbox.popleft())
        if self._inbox and not self._is_stopped:
            self._turn = self._reactor.callLater(0, self._take_turn)
        self._arm_timer()

    def _arm_timer(self) -> None:
        due_s = None if self._is_stopped else self._center.next_deadline()
        if due_s == self._timer_at_s and (self._timer is None or self._timer.active()):
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer, self._timer_at_s = None, due_s
        if due_s is not None:
            self._timer = self._reactor.callLater(max(0.0, due_s - self._clock.now().mono_s), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._timer_at_s = None
        due_s = self._center.next_deadline()
        if due_s is not None and due_s <= self._clock.now().mono_s:
            self._step(DeadlineReached())
        self._arm_timer()

    def _step(self, event: Event) -> None:
        started_s = self._clock.monotonic()
        now = self._clock.now()
        seq = self._center.seq + 1
        self._last_events.append(event)
        try:
            self._write_down(seq, now, event)
            commands = self._center.on_deadline(now) if isinstance(event, DeadlineReached) else self._center.handle(event, now)
        except Exception as error:
            if self._trace is not None:
                self._trace.step(seq, now, event, (), _reason(error))
            self._fault(event, error)
            return
        if self._trace is not None:
            self._trace.step(seq, now, event, commands)
        for index, command in enumerate(commands):
            self._perform(CommandId(seq, index), command)
        self._watch.step_done(event, commands, self._clock.monotonic() - started_s)

    def _write_down(self, seq: int, now: Moment, event: Event) -> None:
        """A journal that cannot be written (a full disk) must not end the calls; it is told once and counted each time.

        Raises for an event that could not be read again; the step does not happen then."""
        try:
            self._journal.append(seq, now, event)
        except OSError as error:
            self._watch.journal_failed()
            if self._journal_works:
                log.error("journal.failed", reason=str(error), mend="free space in state_dir; until then a crash loses state")
            self._journal_works = False
        else:
            if not self._journal_works:
                log.warning("journal.recovered")
            self._journal_works = True

    def _fault(self, event: Event, error: Exception) -> None:
        """The core promises that a step that raised changed nothing: drop its commands and release the one interaction."""
        self._watch.step_faulted(event)
        log.error(
            "step.faulted",
            on=type(event).__name__,
            last_events=[type(earlier).__name__ for earlier in self._last_events],
            exc_info=error,
        )
        if isinstance(event, InteractionFaulted):
            return  # its handler is meant to be total: trying again would be the same again
        self.post(InteractionFaulted(interaction=self._fault_of(error, event), reason=_reason(error)))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]

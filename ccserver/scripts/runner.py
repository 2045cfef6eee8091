"""Runs administrators' functions beside the daemon: each in a thread, so many at once, each for so long.

Which rule wins: at the time limit the run is over for everybody who waits for it, whatever its thread does; then the thread is ended, and
counted as hung where it does not end. A thread that cannot be ended keeps its place. When all places are taken, further scripts fail at
once: the caller takes the failure exit and is not kept waiting for a place.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from asterisk.agi import AGIHangup
from twisted.internet.defer import Deferred

from ccserver.config.script_files import ScriptKind
from ccserver.core.commands import RunScript
from ccserver.core.events import VerbEnd
from ccserver.core.expressions import Value
from ccserver.scripts.call import BadResult, Call, read_answer, read_result
from ccserver.scripts.folder import NoSuchScript, ScriptFolder
from ccserver.scripts.line import ScriptAgi
from ccserver.scripts.outcome import CallRun, Outcome, ScriptFailed
from ccserver.scripts.output import Diversion, failure_line, told_traceback, where
from ccserver.scripts.run import ScriptRun, ScriptStopped, Work

log = structlog.stdlib.get_logger(__name__)

WORKERS_MAX = 50
FIRST_INTERRUPT_S = 0.1
INTERRUPT_EVERY_S = 0.5
HUNG_AFTER_S = 3.0
"""So long after its time limit a thread that has not ended counts as hung."""
STOP_GRACE_S = 2.0
SWITCH_S = 0.0005
"""How long Python lets a thread compute while another waits for its turn. Measured with eight threads that only compute: the loop answers
in 26 ms (median; 141 ms at most), with Python's own 5 ms in 101 ms (774 ms at most)."""

Reading = tuple[str, float]


class Timer(Protocol):
    def active(self) -> bool: ...
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of the loop that is used here."""

    def seconds(self) -> float: ...
    def callLater(self, delay: float, callable: Callable[..., object], /, *args: object) -> Timer: ...


@dataclass(slots=True)
class ScriptCounters:
    """Since the start."""

    started: int = 0
    failed: int = 0
    timed_out: int = 0
    refused: int = 0
    """For which there was no place."""
    hung: int = 0
    """All that ever hung; how many do now is a gauge."""


class ScriptRunner:
    """`directory` is asked each time. `from_thread` has the loop do something, called on any thread."""

    def __init__(
        self,
        *,
        directory: Callable[[], Path | None],
        clock: Clock,
        from_thread: Callable[[Callable[[], object]], None],
        workers_max: int = WORKERS_MAX,
    ) -> None:
        self.counters = ScriptCounters()
        self._directory = directory
        self._folder = ScriptFolder(directory)
        self._clock = clock
        self._from_thread = from_thread
        self._workers_max = workers_max
        self._threads: dict[ScriptRun, None] = {}
        self._hung: dict[ScriptRun, None] = {}
        self._all_ended: Deferred[None] | None = None
        self._diversion = Diversion()
        self._switch_before_s: float | None = None

    def prepare(self) -> None:
        """Once, in the daemon: what scripts print and log goes through us from here on, and one that computes lets the loop have its
        turn soon."""
        self._diversion.start()
        self._switch_before_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)

    def release(self) -> None:
        """Everything as before `prepare`."""
        self._diversion.stop()
        if self._switch_before_s is not None:
            sys.setswitchinterval(self._switch_before_s)
            self._switch_before_s = None

    async def stop(self) -> None:
        """Ends all runs and waits for their threads, but not for those that do not end."""
        for run in list(self._threads):
            run.stop()
            run.interrupt()
        if self._threads:
            self._all_ended = Deferred()
            timer = self._clock.callLater(STOP_GRACE_S, self._waited_enough)
            await self._all_ended
            if timer.active():
                timer.cancel()
        if self._threads:
            log.warning("scripts.left", scripts=sorted({run.name for run in self._threads}), reason="their threads do not end")
        self.release()
        self._folder.close()

    def _waited_enough(self) -> None:
        waiting, self._all_ended = self._all_ended, None
        if waiting is not None:
            waiting.callback(None)

    # --- running ------------------------------------------------------------------------------------------------------
    def start(
        self,
        verb: RunScript,
        environment: Mapping[str, str],
        find_prompt: Callable[[str], str | None],
        changed: Callable[[], None],
    ) -> CallRun:
        """A function with the call of a session. `environment`: what pyst2 calls `agi.env`. `changed` is called when the run has a
        command to be answered, and when it is over."""
        call = Call.of(verb.parameters, verb.facts, verb.language)
        started = CallRun(changed)

        def work(run: ScriptRun) -> object:
            function = self._folder.function(verb.script, ScriptKind.WITH_CALL)
            agi = ScriptAgi(run, environment, find_prompt, lambda why: told(logging.WARNING, f"refused: {why}"))
            return function(agi, call)

        def told(level: int, text: str) -> None:
            self._from_thread(lambda: self._said(verb.script, call, level, text))

        started.run = self._begin(verb.script, call, work, verb.time_limit_s, changed=started.thread_changed, over=started.over)
        return started

    def run_function(
        self, name: str, parameters: Mapping[str, Value], facts: Mapping[str, str], language: str, time_limit_s: float
    ) -> "Deferred[Mapping[str, object] | None]":
        """A function for a look-up. Gives what it returned, None when that was None; fails with ScriptFailed. A Deferred that is
        cancelled ends the function."""
        call = Call.of(parameters, facts, language)
        answer: Deferred[Mapping[str, object] | None] = Deferred(lambda _: self._give_up(run))

        def over(outcome: Outcome) -> None:
            if answer.called:
                return
            if outcome.end is VerbEnd.DONE:
                answer.callback(outcome.answer)
            else:
                answer.errback(ScriptFailed(f"{name}: {outcome.reason}"))

        def work(_: ScriptRun) -> object:
            return self._folder.function(name, ScriptKind.PURE)(call)

        run: ScriptRun | None = None
        run = self._begin(name, call, work, time_limit_s, changed=lambda: None, over=over, is_pure=True)
        return answer

    def _begin(
        self,
        name: str,
        call: Call,
        work: Work,
        time_limit_s: float,
        *,
        changed: Callable[[], None],
        over: Callable[[Outcome], None],
        is_pure: bool = False,
    ) -> ScriptRun | None:
        """None: there was no place, and `over` has been told."""
        about = log.bind(script=name, interaction=call.number or None)
        if len(self._threads) >= self._workers_max:
            self.counters.refused += 1
            mend = "look for script.hung above and give what it waits for a time limit; a restart of ccserver ends hung threads"
            about.error("script.refused", running=len(self._threads), hung=len(self._hung), mend=mend)
            over(Outcome(VerbEnd.FAILED, reason="too many scripts are running"))
            return None
        self.counters.started += 1
        began_s = self._clock.seconds()

        def at_limit() -> None:
            self.counters.timed_out += 1
            about.warning("script.timed_out", time_limit_s=time_limit_s)
            run.stop()
            self._clock.callLater(FIRST_INTERRUPT_S, self._end_thread, run, self._clock.seconds())
            over(Outcome(VerbEnd.TIMEOUT, reason=f"it took longer than {time_limit_s:g} s"))

        def ended(_: ScriptRun) -> None:
            self._threads.pop(run)
            if run in self._hung:
                del self._hung[run]
                about.info("script.ended_late", after_s=round(self._clock.seconds() - began_s, 3))
            if limit.active():
                limit.cancel()
                outcome = self._judge(run, about, is_pure=is_pure)
                about.debug("script.ended", end=outcome.end.value, duration_s=round(self._clock.seconds() - began_s, 3))
                over(outcome)
            if not self._threads and self._all_ended is not None:
                self._waited_enough()

        run = ScriptRun(
            name,
            work,
            post=self._from_thread,
            changed=changed,
            ended=ended,
            tell=lambda level, text: self._said(name, call, level, text),
        )
        self._threads[run] = None
        limit = self._clock.callLater(time_limit_s, at_limit)
        try:
            run.start()
        except RuntimeError as fault:  # the system has no more threads
            del self._threads[run]
            limit.cancel()
            self.counters.refused += 1
            about.error("script.refused", reason=str(fault), mend="raise the limit on threads (TasksMax in ccserver.service)")
            over(Outcome(VerbEnd.FAILED, reason="no more threads"))
            return None
        return run

    def _judge(self, run: ScriptRun, about: structlog.stdlib.BoundLogger, *, is_pure: bool) -> Outcome:
        """What became of a run that has ended by itself."""
        error = run.raised
        if isinstance(error, SystemExit) and error.code in (None, 0):
            error = None
        try:
            if error is None and is_pure:
                return Outcome(VerbEnd.DONE, answer=read_answer(run.returned))
            if error is None:
                return Outcome(VerbEnd.DONE, given=read_result(run.returned))
        except BadResult as fault:
            error = fault
        if isinstance(error, ScriptStopped | AGIHangup):
            about.info("script.left", reason="the caller hung up, or the call goes on elsewhere")
            return Outcome(VerbEnd.FAILED, reason="the caller hung up")
        self.counters.failed += 1
        directory = self._directory()
        if isinstance(error, NoSuchScript | BadResult):
            about.error("script.failed", reason=str(error))
            return Outcome(VerbEnd.FAILED, reason=str(error))
        reason, place = failure_line(error), where(error, directory)
        about.error("script.failed", reason=reason, where=place or None, traceback=told_traceback(error, directory))
        return Outcome(VerbEnd.FAILED, reason=f"{place}: {reason}" if place else reason)

    def _give_up(self, run: ScriptRun | None) -> None:
        """Nobody waits for it any more."""
        if run is not None and not run.is_ended:
            run.stop()
            self._clock.callLater(FIRST_INTERRUPT_S, self._end_thread, run, self._clock.seconds())

    def _end_thread(self, run: ScriptRun, since_s: float) -> None:
        """Again and again, until it has ended."""
        if run.is_ended:
            return
        run.interrupt()
        if run not in self._hung and self._clock.seconds() - since_s >= HUNG_AFTER_S:
            self._hung[run] = None
            self.counters.hung += 1
            mend = "its thread waits for something outside of Python: give that a time limit of its own (sockets, databases, sleeps)"
            log.error("script.hung", script=run.name, hung=len(self._hung), places=self._workers_max, mend=mend)
        self._clock.callLater(INTERRUPT_EVERY_S, self._end_thread, run, since_s)

    def _said(self, name: str, call: Call, level: int, text: str) -> None:
        log.log(level, "script.said", script=name, interaction=call.number or None, text=text)

    # --- readings -----------------------------------------------------------------------------------------------------
    def gauges(self) -> dict[str, Reading]:
        return {
            "ccserver_scripts_running": ("Functions of administrators that run now, hung ones included.", len(self._threads)),
            "ccserver_scripts_hung": ("Those that do not end though their time is over.", len(self._hung)),
        }

    def counters_read(self) -> dict[str, Reading]:
        counted = self.counters
        return {
            "ccserver_scripts_started": ("Functions of administrators that were started.", counted.started),
            "ccserver_scripts_failed": ("Those that raised, or gave what cannot be used.", counted.failed),
            "ccserver_scripts_timed_out": ("Those that took longer than their time limit.", counted.timed_out),
            "ccserver_scripts_refused": ("Those for which there was no place.", counted.refused),
            "ccserver_scripts_hung_ever": ("Those that did not end though their time was over.", counted.hung),
        }

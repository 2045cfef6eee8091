"""A folder of functions and the runner on it, with the loop's part done by the test: what threads ask for waits until it is done here."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from ccserver.core.commands import RunScript
from ccserver.core.events import VerbEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import Language, SessionId
from ccserver.scripts.outcome import CallRun, Ended
from ccserver.scripts.runner import ScriptRunner

DEADLINE_S = 5.0
ENVIRONMENT = {"agi_channel": "PJSIP/trunk-0000002a", "agi_language": "en", "agi_uniqueid": "1700000000.1"}


class ScriptSite:
    """`clock` is the test's; threads are real."""

    def __init__(self, folder: Path, *, workers_max: int = 4) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.clock = Clock()
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.freed = threading.Event()
        """What functions wait for that a test keeps waiting."""
        self.runner = ScriptRunner(
            directory=lambda: self.folder, clock=self.clock, from_thread=self._calls.put, workers_max=workers_max
        )

    def write(self, text: str, name: str = "orders") -> Path:
        """A file of the folder."""
        file = self.folder / f"{name}.py"
        file.write_text(dedent(text), encoding="utf-8")
        file.chmod(0o644)
        return file

    def start(
        self, script: str = "orders.check", *, time_limit_s: float = 30.0, parameters: Mapping[str, Value] | None = None
    ) -> CallRun:
        verb = RunScript(
            session=SessionId("7-1"),
            script=script,
            parameters=parameters or {},
            language=Language("en"),
            time_limit_s=time_limit_s,
            facts={"number": "12", "did": "900", "caller_number": "+34911222333", "caller_name": "Ana"},
        )
        return self.runner.start(verb, ENVIRONMENT, {"welcome": "/prompts/en/welcome"}.get, lambda: None)

    def turn(self) -> bool:
        """Does one thing that a thread asked for, if one waits."""
        try:
            self._calls.get_nowait()()
        except queue.Empty:
            return False
        return True

    def until(self, look: Callable[[], object], what: str = "the condition") -> None:
        """Does what threads ask for until `look` is true. The clock stands still."""
        deadline = time.monotonic() + DEADLINE_S
        while not look():
            assert time.monotonic() < deadline, f"{what} was not seen; running: {self.running()}"
            try:
                self._calls.get(timeout=0.02)()
            except queue.Empty:
                continue

    def asked(self, run: CallRun) -> tuple[str, tuple[str, ...]]:
        """The next command of a script."""
        self.until(lambda: run.asked() is not None, "a command")
        command = run.asked()
        assert command is not None
        return command

    def answer(self, run: CallRun, *expected: str, reply: str = "200 result=0") -> None:
        """Checks that exactly this is asked, and answers it."""
        words, arguments = self.asked(run)
        assert (words, *arguments) == expected
        run.answer(reply)

    def ended(self, run: CallRun) -> Ended:
        self.until(lambda: run.ended() is not None, "the end of the script")
        ended = run.ended()
        assert ended is not None
        return ended

    def done(self, run: CallRun) -> Ended:
        """As `ended`, for a script that nothing went wrong with."""
        ended = self.ended(run)
        assert ended[0] is VerbEnd.DONE, ended
        return ended

    def running(self) -> int:
        return int(self.runner.gauges()["ccserver_scripts_running"][1])

    def hung(self) -> int:
        return int(self.runner.gauges()["ccserver_scripts_hung"][1])

    def all_ended(self, seconds: float = 20.0) -> None:
        """Lets so much time pass, half a second at a time, until no thread is left."""
        for _ in range(int(seconds * 2)):
            if not self.running():
                return
            self.clock.advance(0.5)
            time.sleep(0.01)  # real threads need a real moment
            while self.turn():
                pass
        raise AssertionError(f"{self.running()} threads are left")

    def close(self) -> None:
        self.freed.set()
        stopped = ensureDeferred(self.runner.stop())
        self.all_ended()
        assert stopped.called

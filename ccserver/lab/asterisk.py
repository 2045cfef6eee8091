"""One private Asterisk: start, ask, stop, kill, start again.

It runs below `chroot` in a root assembled for it (`ccserver.lab.namespace`), so the caller must live in a private
mount table.  It dies with the thread that started it.  Calls block: a start takes about a second.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

from ccserver.lab import namespace
from ccserver.lab.asterisk_etc import AsteriskPlan, write_etc

_TROUBLE = re.compile(r"\] ERROR\[|Error loading module|declined to load|Unable to load module")


class AsteriskFailed(Exception):
    """Asterisk did not start, did not stop or answered badly.  The text ends with the last lines of its log."""


class Asterisk:
    """The process of one `AsteriskPlan`.  Use it as a context manager, or call `stop` and `close` yourself."""

    def __init__(self, plan: AsteriskPlan, asterisk_root: Path) -> None:
        self.plan = plan
        self._source = asterisk_root
        self._root = plan.directory / "root"
        self._process: subprocess.Popen[bytes] | None = None
        self._conf = write_etc(plan, asterisk_root)
        namespace.assemble_root(asterisk_root, self._root, [plan.directory, *plan.shared])

    def __enter__(self) -> "Asterisk":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> Path:
        """Its full log, kept after it ended."""
        return self.plan.directory / "log" / "full"

    @property
    def pid(self) -> int:
        """Process id as seen by us.  Raises AsteriskFailed when it does not run."""
        if self._process is None:
            raise AsteriskFailed(f"{self.plan.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True until the process has ended, for whatever reason."""
        return self._process is not None and self._process.poll() is None

    def start(self, deadline_s: float = 30.0) -> None:
        """Start it and return when it is fully booted.  An error while loading is a failure, not a log line."""
        if self.is_running:
            raise AsteriskFailed(f"{self.plan.name} is running already")
        began = self.log.stat().st_size if self.log.exists() else 0
        (self.plan.directory / "run" / "asterisk.ctl").unlink(missing_ok=True)  # left by a kill; would answer "refused"
        console = (self.plan.directory / "log" / "console").open("ab")
        with console:
            self._process = subprocess.Popen(
                self._command("-f", "-q"),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                preexec_fn=namespace.die_with_parent,  # noqa: PLW1509 - one call to prctl, no lock is taken
            )
        deadline = time.monotonic() + deadline_s
        while not (self.plan.directory / "run" / "asterisk.ctl").exists() or not self._is_booted(deadline):
            if not self.is_running:
                raise AsteriskFailed(f"{self.plan.name} ended with {self._process.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AsteriskFailed(f"{self.plan.name} was not up within {deadline_s} s\n{self.tail()}")
            time.sleep(0.02)
        trouble = self.troubles(since=began)
        if trouble:
            self.kill()
            raise AsteriskFailed(f"{self.plan.name} started with errors:\n" + "\n".join(trouble[:20]))

    def _is_booted(self, deadline: float) -> bool:
        left = max(0.1, deadline - time.monotonic())
        try:
            return "fully booted" in self._ask("core waitfullybooted", left).stdout
        except subprocess.TimeoutExpired:
            return False

    def troubles(self, since: int = 0) -> list[str]:
        """The ERROR lines and refused modules in the log, from byte `since` on."""
        with self.log.open("rb") as file:
            file.seek(since)
            lines = file.read().decode("utf-8", "replace").splitlines()
        return [line for line in lines if _TROUBLE.search(line)]

    def cli(self, command: str) -> str:
        """The answer of one CLI command (`asterisk -rx`).  About 20 ms."""
        answer = self._ask(command, 15)
        if answer.returncode != 0:
            raise AsteriskFailed(f"{self.plan.name}: {command}: {answer.stdout}{answer.stderr}")
        # Said before asterisk.conf and its entityid are read, wherever there is no ethernet card.
        return "".join(line for line in answer.stdout.splitlines(True) if not line.startswith("No ethernet interface"))

    def channels(self) -> list[str]:
        """Names of the channels there are now."""
        rows = self.cli("core show channels concise").splitlines()
        return [row.split("!", 1)[0] for row in rows if "!" in row]

    def stop(self, deadline_s: float = 15.0) -> None:
        """`core stop now`, and wait for the end of the process.  Calls are cut; AMI sees a Shutdown event first."""
        if self._process is None or not self.is_running:
            return
        self._ask("core stop now", 15)
        try:
            self._process.wait(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AsteriskFailed(f"{self.plan.name} did not stop within {deadline_s} s\n{self.tail()}") from None

    def kill(self) -> None:
        """kill -9: no goodbye on any socket."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def restart(self) -> None:
        """Stop in order and start again with the same registrations and device states."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill what still runs and give the assembled root back.  The log stays."""
        self.kill()
        namespace.discard_root(self._root)

    def tail(self, lines: int = 25) -> str:
        """The last lines of console and log, for error messages."""
        found: list[str] = []
        for path in (self.plan.directory / "log" / "console", self.log):
            if path.exists():
                found += path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n".join(found)

    def _command(self, *arguments: str) -> list[str]:
        return ["chroot", str(self._root), "/usr/sbin/asterisk", "-C", str(self._conf), *arguments]

    def _ask(self, command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command("-rx", command),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )

"""The daemon as its own process, started as an operator starts it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from ccserver.lab import namespace
from harness.waiting import PATIENCE_S, until


class Daemon:
    """`ccserver run` with one configuration file.  Its output is in `log`."""

    def __init__(self, config: Path, log: Path, *options: str) -> None:
        self.config, self.log, self.options = config, log, options
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, without waiting until it is ready: that is a condition of the test (`said`, a socket, a metric)."""
        assert self._process is None or self._process.returncode is not None, "it runs already"
        with self.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ccserver", "run", "--config", str(self.config), *self.options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                preexec_fn=namespace.die_with_parent,  # one call to prctl, no lock is taken
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def said(self, text: str, deadline_s: float = PATIENCE_S) -> None:
        """Wait until `text` is in its log; fails at once with the log's end when the process ends before."""

        def look() -> bool:
            log = self.log.read_text(encoding="utf-8", errors="replace")
            if text not in log and not self.is_running:
                raise AssertionError(f"the daemon ended before it said {text!r}:\n{self.tail()}")
            return text in log

        await until(look, deadline_s, what=f"{text!r} in the daemon's log")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self, deadline_s: float = PATIENCE_S) -> int:
        """SIGTERM and wait; the exit code. One that does not end in time is killed: it would be in the way of the next one."""
        self.signal(signal.SIGTERM)
        try:
            return await self.ended(deadline_s)
        except TimeoutError:
            await self.end()
            raise

    async def end(self) -> None:
        """Whatever it is doing."""
        if self.is_running:
            await self.kill()

    async def ended(self, deadline_s: float = PATIENCE_S) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), deadline_s)

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


async def start_daemon(yaml_text: str, directory: Path) -> Daemon:
    """Write the configuration into `directory` and start a daemon on it."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "ccserver.yaml"
    config.write_text(yaml_text, encoding="utf-8")
    config.chmod(0o600)
    daemon = Daemon(config, directory / "daemon.log")
    await daemon.start()
    return daemon

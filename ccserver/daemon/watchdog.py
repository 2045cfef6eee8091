"""A supervising parent for a daemon without systemd: restarts a child that died, kills one that froze.

A frozen daemon is worse than a dead one: the kernel goes on accepting its connections, so Asterisk hands callers to a
process that never answers. Only an end by SIGKILL gives them back to the dialplan's loop.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
RESTART_PAUSE_S = 0.2
START_GRACE_S = 60.0
"""A child that has not said a word yet is given so long: it may be replaying its journal."""
GIVE_UP_CODES = frozenset({0, 2, 78})
"""The child meant to end (0), was called wrongly (2) or has no valid configuration (78): no restart helps."""
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(slots=True)
class Supervisor:
    """Runs `command` and keeps it alive until it ends by itself or a signal asks for the end. `watchdog_s` is how long it may
    be silent."""

    command: Sequence[str]
    watchdog_s: float
    restarts: int = 0
    is_stopping: bool = False
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def run(self) -> int:
        """The exit code of the last child. Installs signal handlers: call it from a main thread that does nothing else."""
        for number in FORWARDED:
            signal.signal(number, self._forward)
        with tempfile.TemporaryDirectory(prefix="ccserver-watchdog-") as folder:
            address = Path(folder) / "notify"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.bind(str(address))
                while True:
                    code = self._one_life(channel, str(address))
                    if self.is_stopping or code in GIVE_UP_CODES:
                        return code
                    self.restarts += 1
                    print(f"ccserver watchdog: the daemon ended with {code}; starting it again", file=sys.stderr, flush=True)
                    time.sleep(RESTART_PAUSE_S)  # not a wait for a condition: it only bounds the rate of restarts
                    if self.is_stopping:
                        return code

    def _one_life(self, channel: socket.socket, address: str) -> int:
        self._discard(channel)  # what a killed child still had in the socket must not speak for the next one
        environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(self.watchdog_s * 1e6))}
        environment.pop("WATCHDOG_PID", None)
        # preexec_fn is safe here: this process has one thread
        with subprocess.Popen(self.command, env=environment, preexec_fn=_end_with_parent) as child:  # noqa: PLW1509
            self._child = child
            # the end of the child wakes the select below at once
            gone = os.pidfd_open(child.pid)
            silent_after = time.monotonic() + max(START_GRACE_S, self.watchdog_s)
            try:
                while child.poll() is None:
                    left_s = silent_after - time.monotonic()
                    if left_s <= 0:
                        print(f"ccserver watchdog: no sign of life from {child.pid}; killing it", file=sys.stderr, flush=True)
                        child.kill()
                        child.wait()
                        break
                    readable, _, _ = select.select([channel.fileno(), gone], [], [], left_s)
                    if channel.fileno() in readable and self._beats(channel.recv(4096)):
                        silent_after = time.monotonic() + self.watchdog_s
            finally:
                os.close(gone)
        return child.returncode

    @staticmethod
    def _beats(message: bytes) -> bool:
        return any(line in (b"WATCHDOG=1", b"READY=1") for line in message.splitlines())

    @staticmethod
    def _discard(channel: socket.socket) -> None:
        while select.select([channel], [], [], 0)[0]:
            channel.recv(4096)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            self.is_stopping = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


def _end_with_parent() -> None:
    """In the child: when the parent is killed the daemon stops cleanly instead of staying behind."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

"""Runs a command of the lab in namespaces of its own, and ends it in order on Ctrl-C.

The outer process stays in the terminal's process group and owns nothing but a pipe; everything else is below unshare(1), in
a session of its own, so that Ctrl-C reaches the outer process alone and not Asterisk and the phones beside it.  A word on the
pipe asks the inner process to end; if the outer one is killed, the kernel kills the inner one with all its descendants.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from ccserver.lab import namespace

_INSIDE = "CCSERVER_ENCLOSED"
_ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_inside() -> bool:
    """True in the inner process."""
    return os.environ.get(_INSIDE) is not None


def run_inside(module: str, arguments: Sequence[str], *, private_network: bool) -> int:
    """Run `python -m MODULE ARGUMENTS` in own mount and process namespaces, and network if wanted; its exit code.

    Signals that ask for the end are passed on once; the second one kills it.  The inner process calls `settle` first.
    """
    command = ["unshare", "--mount", "--propagation", "unchanged", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["--net"] if private_network else []
    enclosed: subprocess.Popen[bytes] | None = None
    asked = 0

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if enclosed is not None and enclosed.stdin is not None:
            if asked == 1:
                os.write(enclosed.stdin.fileno(), b"end\n")
            else:
                enclosed.kill()

    before = {number: signal.signal(number, ask) for number in _ASKED}
    try:
        enclosed = subprocess.Popen(
            [*command, sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            env={**os.environ, _INSIDE: "network" if private_network else "mounts"},
            start_new_session=True,
            preexec_fn=namespace.die_with_parent,  # noqa: PLW1509 - one call to prctl, no lock is taken
        )
        if asked:  # asked for the end before there was anything to end
            os.write(enclosed.stdin.fileno(), b"end\n") if enclosed.stdin is not None else None
        return enclosed.wait()
    finally:
        if enclosed is not None and enclosed.stdin is not None:
            enclosed.stdin.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def settle() -> None:
    """First step of the inner process."""
    namespace.settle(private_network=os.environ[_INSIDE] == "network")


async def end_asked() -> asyncio.Event:
    """An event that is set when the outer process asks for the end, or has gone."""
    asked = asyncio.Event()

    class Listener(asyncio.Protocol):
        def data_received(self, _data: bytes) -> None:
            asked.set()

        def connection_lost(self, _reason: Exception | None) -> None:
            asked.set()

    await asyncio.get_running_loop().connect_read_pipe(Listener, sys.stdin)
    return asked

"""Programs that work on sound: with a limit, gently, and ended when we end."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from ccserver.archive.files import BLOCK

LOOK_EVERY_S = 0.25
SAID_BYTES = 400


class ProgramFailed(Exception):
    """A program did not do its work. The text says which, and what it said."""


def run(command: Sequence[str], *, nice: int, limit_s: float, check: Callable[[], None]) -> None:
    """Wait for its end; `check` is called meanwhile and may raise, which ends the program. Raises ProgramFailed, OSError."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(_gently(command, nice), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        deadline = time.monotonic() + limit_s
        try:
            while True:
                try:
                    code = process.wait(LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    check()
                    if time.monotonic() > deadline:
                        raise ProgramFailed(f"{command[0]} was not done after {limit_s:g} s") from None
        finally:
            _end(process)
        if code:
            said.seek(0)
            raise ProgramFailed(_what(command, code, said.read()))


def output(command: Sequence[str], *, nice: int) -> Iterator[bytes]:
    """What it writes, block by block. Raises ProgramFailed at the end, OSError."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(_gently(command, nice), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        try:
            while block := process.stdout.read(BLOCK):
                yield block
            code = process.wait()
        finally:
            _end(process)
            process.stdout.close()
        if code:
            said.seek(0)
            raise ProgramFailed(_what(command, code, said.read()))


def _gently(command: Sequence[str], nice: int) -> list[str]:
    return ["nice", "-n", str(nice), *command] if nice else list(command)


def _what(command: Sequence[str], code: int, said: bytes) -> str:
    words = said.decode("utf-8", "replace").strip()[-SAID_BYTES:]
    return f"{command[0]} ended with {code}: {words or 'it said nothing'}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
        process.wait()

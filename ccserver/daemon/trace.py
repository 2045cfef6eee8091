"""`ccserver run --trace DIRECTORY`: every step of the core with its commands, for replays and for reports of faults.

A trace holds callers' numbers but no secret, as the journal does. Unlike the journal nothing is read back from it, nothing is
removed, and it costs about as much again as the step itself: it is for looking at a run, not for every day.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import structlog

from ccserver.core.codec import CodecError
from ccserver.core.commands import Command
from ccserver.core.events import Event
from ccserver.core.moment import Moment
from ccserver.core.traced import TracedStep

log = structlog.stdlib.get_logger(__name__)


class Trace:
    """The file `trace-<run>.jsonl` in `directory` (made if missing), mode 0600: one line for each step, see `core.traced`.

    A line is written by one `write()` before the step's commands are performed, so it survives the death of the process and
    holds every command that Asterisk was ever given. A disk that refuses ends the trace, not the calls.
    """

    def __init__(self, directory: Path, run: str) -> None:
        """Raises OSError if the file cannot be made."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = directory / f"trace-{run}.jsonl"
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def step(self, seq: int, moment: Moment, event: Event, commands: Sequence[Command], fault: str = "") -> None:
        """Keep one step. Never raises."""
        if self._fd < 0:
            return
        step = TracedStep(seq=seq, mono_s=moment.mono_s, utc_s=moment.utc_s, event=event, commands=tuple(commands), fault=fault)
        try:
            line = step.line()
            if os.write(self._fd, line) != len(line):
                raise OSError(f"the disk took only a part of step {seq}")
        except CodecError as error:
            log.error(
                "trace.step_left_out", seq=seq, reason=str(error)
            )  # the journal refused it as well, or a command is a bug
        except OSError as error:
            log.error("trace.ended", path=str(self.path), reason=str(error))
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

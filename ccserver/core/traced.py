"""One step of the core as it was traced: what it was told, when, and all that it answered.

A trace has one line of JSON for each step:

    {"seq": 7, "mono_s": 81.5, "utc_s": 1767225600.2, "event": {"t": "LegEnded", ...}, "commands": [{"t": "Store", ...}], "fault": ""}

The id of a command is `seq` and its place in `commands`. The journal holds the inputs only; a trace also holds what came of them,
so that a replay can be compared with the run itself.
"""

from dataclasses import dataclass

from ccserver.core import codec
from ccserver.core.commands import Command
from ccserver.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedStep:
    """`fault` is the reason of a step that raised, which gives no commands; else it is empty."""

    seq: int
    mono_s: float
    utc_s: float
    event: Event
    commands: tuple[Command, ...]
    fault: str = ""

    def line(self) -> bytes:
        """With its end. Raises CodecError for a value that could not be read again."""
        return codec.dump(self, TracedStep) + b"\n"


def read_step(line: bytes) -> TracedStep:
    """Undoes `TracedStep.line`. Raises CodecError."""
    return codec.load(TracedStep, line)

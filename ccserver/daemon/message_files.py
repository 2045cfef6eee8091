"""How long a message became that was recorded without us."""

from array import array
from dataclasses import dataclass
from pathlib import Path

from ccserver.archive.sound import Sound, look_at

MESSAGE_MIN_S = 0.5
"""In what is shorter nothing was said."""
SILENCE_LEFT_S = 1.1
"""Asterisk ends a recording by silence, and leaves a second of it: so much may be all there is of a caller who has said nothing."""
BLOCK_S = 0.1
LOUD = 256
"""The mean of a block in which Asterisk hears more than silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`ended_utc_s`: when the last of it was written; None where there is no file."""

    duration_s: float
    ended_utc_s: float | None = None


NOTHING = Measured(duration_s=0.0)


def measure_message(file: Path) -> Measured:
    """A file without a message is deleted. Raises Unreadable, OSError."""
    sound = look_at(file)
    if sound is None or _is_empty(sound):
        file.unlink(missing_ok=True)
        return NOTHING
    return Measured(duration_s=sound.frames / sound.rate, ended_utc_s=file.stat().st_mtime)


def _is_empty(sound: Sound) -> bool:
    duration_s = sound.frames / sound.rate
    return duration_s < MESSAGE_MIN_S or (duration_s <= SILENCE_LEFT_S and not _is_loud(sound))


def _is_loud(sound: Sound) -> bool:
    with sound.path.open("rb") as file:
        file.seek(sound.start)
        samples = array("h", file.read(2 * sound.frames))
    block = max(1, int(sound.rate * BLOCK_S))
    return any(
        sum(map(abs, samples[at : at + block])) >= LOUD * len(samples[at : at + block]) for at in range(0, len(samples), block)
    )

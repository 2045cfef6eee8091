"""From the stretches of an interaction to one WAV file."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccserver.archive import files, wav
from ccserver.archive.timeline import Stretch, Tally, Timeline, pieces, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """`audio_sha256` is that of the samples alone, without a header. Silence: 0 to 1, of what was recorded and not paused."""

    timeline: Timeline
    tally: Tally
    bytes: int
    audio_sha256: str
    silence_left: float
    silence_right: float


def render(stretches: Sequence[Stretch], target: Path, *, check: Callable[[], None] | None = None) -> Rendered:
    """Write the file, complete or not at all. Raises Unreadable, OSError, and what `check` raises between two pieces."""
    timeline, tally, digest = place(stretches), Tally(), hashlib.sha256()

    def content() -> Iterator[bytes]:
        yield wav.header(timeline.rate, timeline.frames)
        for piece in pieces(timeline, tally):
            digest.update(piece)
            yield piece

    size, _ = files.write(target, content(), check=check)
    return Rendered(
        timeline=timeline,
        tally=tally,
        bytes=size,
        audio_sha256=digest.hexdigest(),
        silence_left=tally.silence(0),
        silence_right=tally.silence(1),
    )

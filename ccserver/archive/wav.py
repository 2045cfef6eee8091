"""WAV files: the header, the samples of a stereo file that was written here, and both sides of one as one."""

import itertools
import operator
import struct
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from ccserver.archive.files import BLOCK
from ccserver.archive.sound import Unreadable

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
HEADER_BYTES = _HEADER.size
FRAME_BYTES = 4
MIXED_BYTES = FRAME_BYTES * 16 * 1024
"""Small, so that the interpreter is never held for long; a multiple of every step."""
FRAMES_MAX = (0xFFFFFFFF - 36) // FRAME_BYTES
"""37 hours at 8000 samples a second: a WAV file tells its length in 32 bits."""


def header(rate: int, frames: int) -> bytes:
    """Of a file with two sides of 16 bits. Raises Unreadable for one that is too long."""
    if frames > FRAMES_MAX:
        raise Unreadable(f"{frames / rate / 3600:.1f} hours are more than a WAV file can hold")
    size = frames * FRAME_BYTES
    return _HEADER.pack(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16, b"data", size)


def mono_header(rate: int, frames: int) -> bytes:
    """Of a file with one side. Raises Unreadable for one that is too long."""
    if frames > FRAMES_MAX:
        raise Unreadable(f"{frames / rate / 3600:.1f} hours are more than a WAV file can hold")
    return _HEADER.pack(b"RIFF", frames * 2 + 36, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", frames * 2)


def mixed(blocks: Iterable[bytes], step: int = 1) -> Iterator[bytes]:
    """Of interleaved frames, which may be cut anywhere, both sides added up and clipped; with `step`, one for so many, their mean."""
    left, size = b"", FRAME_BYTES * step
    for block in itertools.chain(blocks, (b"",)):
        content = left + block
        whole = len(content) - len(content) % size
        left = content[whole:]
        for at in range(0, whole, MIXED_BYTES):
            yield _mix(array("h", content[at : min(at + MIXED_BYTES, whole)]), step)


def _mix(samples: "array[int]", step: int) -> bytes:
    wide = map(operator.add, samples[0::2], samples[1::2])
    if step > 1:
        wide = (sum(group) // step for group in zip(*[iter(wide)] * step, strict=True))  # type: ignore[assignment]
    return array("h", [-32768 if each < -32768 else min(each, 32767) for each in wide]).tobytes()


def samples(path: Path) -> Iterator[bytes]:
    """The frames of a file that was written here. Raises Unreadable, OSError."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or not file.seek(HEADER_BYTES):
            raise Unreadable(f"{path.name} is no WAV file")
        while block := file.read(BLOCK):
            yield block

"""Stereo WAV files: the header, and the samples of a file that was written here."""

import struct
from collections.abc import Iterator
from pathlib import Path

from ccserver.archive.files import BLOCK
from ccserver.archive.sound import Unreadable

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
HEADER_BYTES = _HEADER.size
FRAME_BYTES = 4
FRAMES_MAX = (0xFFFFFFFF - 36) // FRAME_BYTES
"""37 hours at 8000 samples a second: a WAV file tells its length in 32 bits."""


def header(rate: int, frames: int) -> bytes:
    """Of a file with two sides of 16 bits. Raises Unreadable for one that is too long."""
    if frames > FRAMES_MAX:
        raise Unreadable(f"{frames / rate / 3600:.1f} hours are more than a WAV file can hold")
    size = frames * FRAME_BYTES
    return _HEADER.pack(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16, b"data", size)


def samples(path: Path) -> Iterator[bytes]:
    """The frames of a file that was written here. Raises Unreadable, OSError."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or not file.seek(HEADER_BYTES):
            raise Unreadable(f"{path.name} is no WAV file")
        while block := file.read(BLOCK):
            yield block

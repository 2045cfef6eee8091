"""The mono WAV files that Asterisk writes of one stretch: where their samples are, and whether they were closed properly."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


class Unreadable(Exception):
    """A file is no mono 16 bit WAV. The text says which and why."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Where the samples of one mono file are."""

    path: Path
    rate: int
    start: int
    frames: int
    is_complete: bool
    """The header knows how long the file is: it was closed properly."""


def look_at(path: Path) -> Sound | None:
    """Read the header. None: there is no such file, or nothing in it yet. Raises Unreadable, OSError."""
    try:
        with path.open("rb") as file:
            return _look_into(path, file)
    except FileNotFoundError:
        return None


def _look_into(path: Path, file: BinaryIO) -> Sound | None:
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if len(head) < 12:
        return None
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise Unreadable(f"{path.name} is no WAV file")
    rate = 0
    while True:
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name == b"fmt ":
            form = file.read(length)
            if len(form) < 16:
                return None
            coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
            if (coding, channels, bits) != (1, 1, 16) or not rate:
                raise Unreadable(f"{path.name} is not mono with 16 bit (format {coding}, {channels} channels, {bits} bit)")
        elif name == b"data":
            if not rate:
                raise Unreadable(f"{path.name} has samples before their format")
            start = file.tell()
            there = size - start
            is_complete = length in (there, there - 1) and length > 0  # a pad byte may follow
            return Sound(path, rate, start, (length if is_complete else there) // 2, is_complete)
        else:
            file.seek(length + length % 2, os.SEEK_CUR)

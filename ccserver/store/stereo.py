"""Two mono WAV files as one with two channels, in a stream: a recording may be hours long."""

import hashlib
import os
import struct
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK_FRAMES = 64 * 1024
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


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


def merge(caller: Sound | None, agent: Sound | None, target: Path) -> tuple[float, int, str]:
    """Write the stereo file, complete or not at all, and return its duration in seconds, size in bytes and SHA-256.

    The shorter side is silent at its end, a missing one throughout. Raises Unreadable, OSError.
    """
    sounds = [sound for sound in (caller, agent) if sound is not None]
    rates = {sound.rate for sound in sounds}
    if len(rates) != 1:
        raise Unreadable(f"the sides of {target.name} have {len(rates)} sampling rates")
    rate, frames = rates.pop(), max(sound.frames for sound in sounds)
    size = frames * 4
    header = _HEADER.pack(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16, b"data", size)
    digest = hashlib.sha256(header)
    draft = target.with_name(f".{target.name}.new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with open(fd, "wb") as file:
        file.write(header)
        left, right = _Samples(caller), _Samples(agent)
        try:
            done = 0
            while done < frames:
                count = min(CHUNK_FRAMES, frames - done)
                both = array("h", bytes(count * 4))
                both[0::2] = left.read(count)
                both[1::2] = right.read(count)
                content = both.tobytes()
                digest.update(content)
                file.write(content)
                done += count
        finally:
            left.close()
            right.close()
        file.flush()
        os.fsync(fd)
    draft.replace(target)
    _sync_folder(target.parent)
    return frames / rate, size + _HEADER.size, digest.hexdigest()


class _Samples:
    """The samples of one side, and silence behind them. WAV is little-endian, and so are the machines this runs on."""

    def __init__(self, sound: Sound | None) -> None:
        if sys.byteorder != "little":
            raise Unreadable("samples can only be merged on a little-endian machine")
        self._left = 0 if sound is None else sound.frames
        self._file = None if sound is None else sound.path.open("rb")
        if self._file is not None and sound is not None:
            self._file.seek(sound.start)

    def read(self, count: int) -> "array[int]":
        wanted = min(count, self._left)
        content = b"" if self._file is None else self._file.read(wanted * 2)
        content = content[: len(content) // 2 * 2]
        self._left -= wanted
        return array("h", content.ljust(count * 2, b"\0"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def measure(target: Path) -> tuple[float, int, str]:
    """What `merge` told of a file that it wrote: duration in seconds, size in bytes, SHA-256. Raises Unreadable, OSError."""
    digest = hashlib.sha256()
    with target.open("rb") as file:
        header = file.read(_HEADER.size)
        digest.update(header)
        size = len(header)
        while chunk := file.read(CHUNK_FRAMES):
            digest.update(chunk)
            size += len(chunk)
    rate = _HEADER.unpack(header)[7] if len(header) == _HEADER.size else 0
    if not rate:
        raise Unreadable(f"{target.name} is not what was written here")
    return (size - _HEADER.size) / 4 / rate, size, digest.hexdigest()

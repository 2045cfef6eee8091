"""A register of numbers that may not be called, as a file: made once, then only read, in the memory that all processes share.

    0    8  magic and version
    8    8  count of entries
    16   4  date as of which the register is true, year * 10000 + month * 100 + day
    20  12  zeros
    32  32  SHA-256 of the bytes 0 to 31 and of all entries
    64      entries: the digits of E.164 as a whole number of 8 bytes, ascending, each once

All numbers are little-endian. A file that was cut, changed or moved about in is refused by its name when it is opened.
"""

import hashlib
import heapq
import mmap
import os
import struct
import sys
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import date
from itertools import islice
from pathlib import Path
from typing import BinaryIO

MAGIC = b"CCREG\x00\x00\x01"
HEAD = struct.Struct("<8sQI12x")
DIGEST_BYTES = 32
START = HEAD.size + DIGEST_BYTES
ENTRY_BYTES = 8
SORTED_AT_ONCE = 250_000
STEP = 512
DRAFTS = ".register-"
"""What the folders are called in which one is being made."""
_PART_BYTES = 1024 * 1024


class BadRegister(Exception):
    """A file that is no register, or not as it was written. The text names it and says what to do."""


class RegisterFile:
    """Opened and proven; `close` it. One of five million entries is 40 MB, which all processes share."""

    def __init__(self, path: Path) -> None:
        """Reads all of it once. Raises BadRegister, OSError."""
        self.path = path
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < START:
                raise self._bad("it is too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.count, self.as_of, self.sha256 = self._proven(size)
        except BadRegister:
            self._map.close()
            raise
        self._whole = memoryview(self._map)
        self._bytes = self._whole[START:]
        self._entries = self._bytes.cast("Q")
        self._steps = list(self._entries[::STEP])

    def _proven(self, size: int) -> tuple[int, date, str]:
        magic, count, day = HEAD.unpack(self._map[: HEAD.size])
        if magic != MAGIC:
            raise self._bad("it is no register, or one of another version")
        if size != START + count * ENTRY_BYTES:
            raise self._bad(f"it is cut or longer than its {count} entries")
        digest = hashlib.sha256(self._map[: HEAD.size])
        for at in range(START, size, _PART_BYTES):
            digest.update(self._map[at : at + _PART_BYTES])
        if digest.digest() != self._map[HEAD.size : START]:
            raise self._bad("its content is not what was written")
        try:
            return count, date(day // 10000, day // 100 % 100, day % 100), digest.hexdigest()
        except ValueError:
            raise self._bad("its date is none") from None

    def _bad(self, why: str) -> BadRegister:
        return BadRegister(f"the register {self.path} cannot be used: {why}; import it again")

    def __contains__(self, number: str) -> bool:
        """Whether a number in E.164 is in it."""
        digits = int(number[1:])
        # most of the way in a list, whose numbers need not be made first
        step = bisect_right(self._steps, digits)
        place = bisect_left(self._entries, digits, max(0, step - 1) * STEP, min(self.count, step * STEP))
        return place < self.count and self._entries[place] == digits

    def __len__(self) -> int:
        return self.count

    def close(self) -> None:
        for view in (self._entries, self._bytes, self._whole):
            view.release()
        self._map.close()


def build(path: Path, numbers: Iterable[int], as_of: date, on_read: Callable[[int], None] = lambda _: None) -> tuple[int, str]:
    """Write a register beside `path` and move it there, synced; its count and digest. Numbers come in any order, and more than once.

    The memory is that of a quarter of a million numbers, however many there are. `on_read` hears how many were read. Raises OSError.
    """
    if sys.byteorder != "little":
        raise OSError("registers are for machines whose numbers are little-endian")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=DRAFTS, dir=path.parent)))
        runs = list(_sorted_runs(folder, iter(numbers), on_read))
        merged = heapq.merge(*(_entries_of(stack.enter_context(run.open("rb"))) for run in runs))
        draft = folder / "draft"
        with draft.open("wb") as file:
            file.write(bytes(START))
            count = _write(file, merged)
        head = HEAD.pack(MAGIC, count, as_of.year * 10000 + as_of.month * 100 + as_of.day)
        digest = hashlib.sha256(head)
        with draft.open("r+b") as file:
            file.seek(START)
            while part := file.read(_PART_BYTES):
                digest.update(part)
            file.seek(0)
            file.write(head + digest.digest())
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o640)
        draft.rename(path)
        _sync_folder(path.parent)
    return count, digest.hexdigest()


def _sorted_runs(folder: Path, numbers: Iterator[int], on_read: Callable[[int], None]) -> Iterator[Path]:
    read = 0
    while part := list(islice(numbers, SORTED_AT_ONCE)):
        read += len(part)
        on_read(read)
        path = folder / f"run-{read}"
        with path.open("wb") as file:
            array("Q", sorted(set(part))).tofile(file)
        yield path


def _entries_of(file: BinaryIO) -> Iterator[int]:
    while part := file.read(ENTRY_BYTES * 8192):
        yield from array("Q", part)


def _write(file: BinaryIO, merged: Iterable[int]) -> int:
    """Each once."""
    count, last, part = 0, -1, array("Q")
    for entry in merged:
        if entry == last:
            continue
        last = entry
        part.append(entry)
        if len(part) == 8192:
            part.tofile(file)
            count += len(part)
            part = array("Q")
    part.tofile(file)
    return count + len(part)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

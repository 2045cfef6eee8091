"""Sound of which every millisecond can be told from every other: to count what of it arrived in a recording.

A G.711 frame of 20 ms is twenty groups of eight samples; each holds the frame's number and its own place. Decoded and kept as
linear samples, a group is found again exactly, or it is lost.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FRAME, GROUP = 160, 8
GROUPS = FRAME // GROUP
BASE = 96
# Codes that no number has: the first two begin a group, the third ends it.
_HEAD, _TAIL = bytes([0x02, 0x82]), bytes([0x04])
_DIGIT = 0x10
_GROUP = re.compile(re.escape(_HEAD) + rb"([\x10-\x6f]{4})" + re.escape(_TAIL), re.DOTALL)


def _linear(code: int) -> int:
    """What a mu-law code means in 16 bits (G.711)."""
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 132 << (code >> 4 & 7)) - 132
    return -size if code & 0x80 else size


def _linear_a(code: int) -> int:
    """What an A-law code means in 16 bits (G.711)."""
    code ^= 0x55
    segment = code >> 4 & 7
    size = (code & 0x0F) << 4
    size = size + 8 if segment == 0 else size + 0x108 << segment - 1
    return size if code & 0x80 else -size


_MU_LAW = {_linear(code): code for code in range(255, -1, -1)}
_A_LAW = {_linear_a(code): code for code in range(256)}


def frame(number: int) -> bytes:
    """The frame of this number, 0 to 96^3 - 1."""
    digits = [number // BASE**2 % BASE, number // BASE % BASE, number % BASE]
    return b"".join(_HEAD + bytes(_DIGIT + each for each in (*digits, place)) + _TAIL + b"\x04" for place in range(GROUPS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What of counted sound was found: groups from `first` to `last` (frame times 20 and place). `again`: found once more, or late."""

    first: int
    last: int
    found: int
    again: int

    @property
    def samples(self) -> int:
        return self.found * GROUP

    @property
    def lost(self) -> int:
        """Samples that are missing between the first and the last."""
        return (self.last - self.first + 1 - self.found) * GROUP


def arrived(samples: Sequence[int], *, is_a_law: bool = False) -> Arrived | None:
    """`is_a_law`: the frames went over a line with A-law. None: nothing of it is there."""
    known = _A_LAW if is_a_law else _MU_LAW
    codes = bytes(known.get(sample, 0xFF) for sample in samples)
    seen = [_number(match[1]) for match in _GROUP.finditer(codes)]
    if not seen:
        return None
    different = set(seen)
    return Arrived(first=min(seen), last=max(seen), found=len(different), again=len(seen) - len(different))


def _number(digits: bytes) -> int:
    high, middle, low, place = (each - _DIGIT for each in digits)
    return ((high * BASE + middle) * BASE + low) * GROUPS + place

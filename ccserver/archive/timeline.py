"""The stretches of one interaction on one line of time: the customer left, the agents right, silence where nobody is recorded.

Asterisk writes each stretch on an agent's leg: what that agent heard, and what that agent said. While several agents are in one
conference their stretches overlap: then the right side is their sum, and the left side is taken from the one who was there
first, not twice. All is read and handed on in small pieces: a recording may be hours long.
"""

import itertools
import operator
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from ccserver.archive.sound import Sound, Unreadable

Samples = "array[int]"

PIECE_FRAMES = 16 * 1024
"""Small, so that the interpreter is never held for long: callers are served by the same process."""
NUDGE_S = 0.5
"""Stretches that overlap by less follow each other in truth: the daemon's clock and Asterisk's files differ by that little. The later
one is moved behind the earlier one, so that no sample of the customer is dropped."""
BLOCK_S = 0.02
SILENT_PEAK = 200
"""A block of 20 ms whose samples are all below it (-44 dB) is silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """`starts_s` by a clock that all stretches share. `pauses`: seconds within, silent on purpose. A side without a file is silent."""

    starts_s: float
    customer: Sound | None
    agent: Sound | None
    pauses: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A stretch, and its place in frames."""

    stretch: Stretch
    start: int
    frames: int

    @property
    def end(self) -> int:
        return self.start + self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    rate: int
    frames: int
    placed: tuple[Placed, ...]
    """In the order of `place`'s argument."""

    @property
    def duration_s(self) -> float:
        return self.frames / self.rate


@dataclass(slots=True)
class Tally:
    """What became of the samples; complete when all pieces were taken."""

    customer: int = 0
    """Frames of customers' files that are on the left."""
    customer_twice: int = 0
    """Frames of customers' files that were left out, as another stretch has the same seconds."""
    agent: int = 0
    """Frames of agents' files that are on the right, each agent counted."""
    recorded: int = 0
    """Frames in which something was recorded and not paused: what the shares of silence are of."""
    silent: list[int] = field(default_factory=lambda: [0, 0])

    def silence(self, side: int) -> float:
        """0 to 1; of the customer's side (0) or the agents' (1)."""
        return self.silent[side] / self.recorded if self.recorded else 1.0


def place(stretches: Sequence[Stretch]) -> Timeline:
    """The first one begins at 0. Raises Unreadable for none with sound, and for sampling rates that differ."""
    if sys.byteorder != "little":
        raise Unreadable("samples can only be rendered on a little-endian machine")
    rates = {sound.rate for each in stretches for sound in (each.customer, each.agent) if sound is not None}
    if len(rates) != 1:
        raise Unreadable(f"the stretches have {len(rates)} sampling rates")
    (rate,) = rates
    zero_s = min(each.starts_s for each in stretches)
    placed: dict[int, Placed] = {}
    for index in sorted(range(len(stretches)), key=lambda index: stretches[index].starts_s):
        each = stretches[index]
        start = round((each.starts_s - zero_s) * rate)
        behind = [other.end for other in placed.values() if 0 < other.end - start <= NUDGE_S * rate]
        frames = (
            max(sound.frames for sound in (each.customer, each.agent, None) if sound is not None) if _has_sound(each) else 0
        )
        placed[index] = Placed(stretch=each, start=max([start, *behind]), frames=frames)
    ordered = tuple(placed[index] for index in range(len(stretches)))
    return Timeline(rate=rate, frames=max(each.end for each in ordered), placed=ordered)


def _has_sound(stretch: Stretch) -> bool:
    return stretch.customer is not None or stretch.agent is not None


def pieces(timeline: Timeline, tally: Tally) -> Iterator[bytes]:
    """All frames in order, both sides interleaved, 16 bits, little-endian. Raises Unreadable when a file has become shorter, OSError."""
    by_start = sorted(timeline.placed, key=lambda each: each.start)
    tracks = [_Track(each) for each in by_start]
    pauses = [
        (each.start + round(begin * timeline.rate), each.start + round(end * timeline.rate))
        for each in by_start
        for begin, end in each.stretch.pauses
    ]
    try:
        for begin, end in itertools.pairwise(_bounds(timeline, pauses)):
            is_paused = any(first <= begin < last for first, last in pauses)
            is_recorded = any(each.start <= begin < each.end for each in by_start)
            for at in range(begin, end, PIECE_FRAMES):
                count = min(PIECE_FRAMES, end - at)
                left, right = _left(tracks, at, count, tally), _right(tracks, at, count, tally)
                if is_recorded and not is_paused:
                    _count_silence(tally, (left, right), count, round(BLOCK_S * timeline.rate))
                yield _both(left, right, count)
    finally:
        for track in tracks:
            track.close()


def _bounds(timeline: Timeline, pauses: Sequence[tuple[int, int]]) -> list[int]:
    """Where anything begins or ends: between two of them, the same files are read throughout."""
    found = {0, timeline.frames}
    for each in timeline.placed:
        found.add(each.start)
        found |= {each.start + sound.frames for sound in (each.stretch.customer, each.stretch.agent) if sound is not None}
    for pause in pauses:
        found |= {min(max(bound, 0), timeline.frames) for bound in pause}
    return sorted(found)


def _left(tracks: "Sequence[_Track]", at: int, count: int, tally: Tally) -> "array[int] | None":
    taken = None
    for track in tracks:
        if track.customer.covers(at):
            if taken is None:
                taken = track.customer.read(at, count)
                tally.customer += count
            else:
                tally.customer_twice += count
    return taken


def _right(tracks: "Sequence[_Track]", at: int, count: int, tally: Tally) -> "array[int] | None":
    speaking = [track.agent.read(at, count) for track in tracks if track.agent.covers(at)]
    tally.agent += count * len(speaking)
    if not speaking:
        return None
    total: array[int] = speaking[0]
    for other in speaking[1:]:
        total = array("h", [-32768 if s < -32768 else min(s, 32767) for s in map(operator.add, total, other)])
    return total


def _both(left: "array[int] | None", right: "array[int] | None", count: int) -> bytes:
    both = array("h", bytes(count * 4))
    if left is not None:
        both[0::2] = left
    if right is not None:
        both[1::2] = right
    return both.tobytes()


def _count_silence(tally: Tally, sides: "tuple[array[int] | None, array[int] | None]", count: int, block: int) -> None:
    tally.recorded += count
    for side, samples in enumerate(sides):
        if samples is None:
            tally.silent[side] += count
            continue
        for at in range(0, count, block):
            part = samples[at : at + block]
            if max(part) < SILENT_PEAK and min(part) > -SILENT_PEAK:
                tally.silent[side] += len(part)


class _Track:
    """The two files of a placed stretch."""

    def __init__(self, placed: Placed) -> None:
        self.customer = _Side(placed.stretch.customer, placed.start)
        self.agent = _Side(placed.stretch.agent, placed.start)

    def close(self) -> None:
        self.customer.close()
        self.agent.close()


class _Side:
    """One file on the line of time; open only while it is read."""

    def __init__(self, sound: Sound | None, start: int) -> None:
        self._sound = sound
        self._start = start
        self._file: BinaryIO | None = None

    def covers(self, at: int) -> bool:
        return self._sound is not None and self._start <= at < self._start + self._sound.frames

    def read(self, at: int, count: int) -> "array[int]":
        assert self._sound is not None
        if self._file is None:
            self._file = self._sound.path.open("rb")
        inside = at - self._start
        self._file.seek(self._sound.start + inside * 2)
        content = self._file.read(count * 2)
        if len(content) < count * 2:
            raise Unreadable(f"{self._sound.path.name} has become shorter while it was read")
        if inside + count == self._sound.frames:
            self.close()
        return array("h", content)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

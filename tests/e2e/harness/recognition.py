"""Which prompts are in a recording of what a phone heard, when, and how much of each: by comparison with their files.

Speech is cut into slices; where the first ones of a prompt are found (normalised cross-correlation), the later ones must
follow at their distances, a busy machine's packet more or less. So a prompt that was interrupted is known by its beginning.
For prompts that are speech: a tone is like itself everywhere.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ccserver.lab import audio

Samples = np.ndarray[Any, np.dtype[np.float64]]

RATE = 8000
SLICE_MS = 200
_LIKENESS = 0.8
"""Of two slices that are the same but for a-law and a fraction of a sample. Other speech stays below 0.6."""
_ROUGH, _ROUGH_LIKENESS = 4, 0.6
_DRIFT_MS = 80
_QUIET_RMS = 150.0
_SEEDS = 3
"""Slices that a prompt may be found by: a phone on a busy machine can be late to listen."""
_LEAST_SLICES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """`start_ms` and `end_ms` in the recording; `part` of the prompt that was heard, 0 to 1."""

    prompt: str
    start_ms: int
    end_ms: int
    part: float

    @property
    def is_whole(self) -> bool:
        return self.part >= 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """Slices that hold speech, by their place from the start of the speech in the file, in samples."""

    prompt: str
    slices: Mapping[int, Samples]
    length: int


def as_samples(samples: Sequence[int]) -> Samples:
    return np.array(samples, dtype=float)


def speech(path: Path) -> Samples:
    """A file's samples, without the silence around them."""
    rate, channels = audio.read(path)
    samples = as_samples(channels[0])
    if rate != RATE:
        raise ValueError(f"{path}: {rate} samples a second, {RATE} are expected")
    loud = np.flatnonzero(np.abs(samples) > _QUIET_RMS)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def heard(recording: Path, prompts: Mapping[str, Path]) -> list[Heard]:
    """The prompts (files by name) in a recording that may still be written to, in their order; none is in the place of another."""
    _, channels = audio.read(recording)
    return in_samples(as_samples(channels[0]), {name: speech(path) for name, path in prompts.items()})


def in_samples(recording: Samples, prompts: Mapping[str, Samples]) -> list[Heard]:
    """As `heard`. Where several would fit, the one of which most was heard: they may begin with the same words."""
    width = _samples(SLICE_MS)
    if len(recording) < width:
        return []
    search = _Search(recording, width)
    found: list[Heard] = []
    for name, samples in prompts.items():
        template = _template(name, samples, width)
        found += [one for at in _starts(search, template) if (one := _follow(search, template, at)) is not None]
    kept: list[Heard] = []
    for one in sorted(found, key=lambda h: (h.start_ms - h.end_ms, -h.part)):
        if all(one.end_ms <= other.start_ms + SLICE_MS or one.start_ms >= other.end_ms - SLICE_MS for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda h: h.start_ms)


def _samples(ms: float) -> int:
    return int(ms * RATE / 1000)


def _ms(samples: float) -> int:
    return round(samples * 1000 / RATE)


def _template(name: str, samples: Samples, width: int) -> _Template:
    places = range(0, len(samples) - width + 1, width)
    cut = {at: samples[at : at + width] for at in places}
    return _Template(
        prompt=name,
        slices={at: each for at, each in cut.items() if np.sqrt(np.mean(each**2)) > _QUIET_RMS},
        length=len(samples),
    )


class _Search:
    """A recording, made ready for many comparisons with slices of one width."""

    def __init__(self, recording: Samples, width: int) -> None:
        self.width = width
        self._recording = recording
        self._norms = _norms(recording, width)
        # What is looked for everywhere is looked for in a quarter of the samples first: that is twenty times as quick.
        rough = _roughly(recording)
        self._rough_norms = _norms(rough, width // _ROUGH)
        self._size = 1 << (len(rough) + width // _ROUGH).bit_length()
        self._spectrum = np.fft.rfft(rough, self._size)

    def places(self, part: Samples) -> Iterator[int]:
        """Where `part` is, the best place of each neighbourhood."""
        rough = _roughly(part)
        norm = np.linalg.norm(rough)
        if norm < np.linalg.norm(part) / _ROUGH / 2:
            return  # hissing only: nothing is left of it
        product = np.fft.irfft(self._spectrum * np.conj(np.fft.rfft(rough, self._size)), self._size)[: len(self._rough_norms)]
        likeness = product / (self._rough_norms * norm)
        high = np.flatnonzero(likeness > _ROUGH_LIKENESS)
        while len(high):
            near = high[high < high[0] + len(rough) // 2]
            place = self.nearest(part, _ROUGH * int(near[np.argmax(likeness[near])]))
            if place is not None:
                yield place
            high = high[len(near) :]

    def nearest(self, part: Samples, at: int) -> int | None:
        """Where `part` is around `at`, or None."""
        begin, end = max(0, at - _samples(_DRIFT_MS)), min(len(self._norms), at + _samples(_DRIFT_MS) + 1)
        if begin >= end:
            return None
        product = np.correlate(self._recording[begin : end + self.width - 1], part, mode="valid")
        likeness = product / (self._norms[begin:end] * np.linalg.norm(part))
        best = int(np.argmax(likeness))
        return begin + best if likeness[best] > _LIKENESS else None


def _norms(samples: Samples, width: int) -> Samples:
    """The strength of each window. Near silence nothing is like anything."""
    sums = np.concatenate(([0.0], np.cumsum(samples**2)))
    return np.sqrt(np.maximum(sums[width:] - sums[:-width], width * (_QUIET_RMS / 3) ** 2))


def _roughly(samples: Samples) -> Samples:
    """The lower quarter of the frequencies, where most of a voice is."""
    window = np.hanning(4 * _ROUGH + 1)
    return np.convolve(samples, window / window.sum(), mode="same")[::_ROUGH]


def _starts(search: _Search, template: _Template) -> list[int]:
    """Where the prompt would begin, by one of its first slices."""
    starts: list[int] = []
    for at in sorted(template.slices)[:_SEEDS]:
        for place in search.places(template.slices[at]):
            start = place - at
            if all(abs(start - other) > _samples(_DRIFT_MS) for other in starts):
                starts.append(start)
    return starts


def _follow(search: _Search, template: _Template, start: int) -> Heard | None:
    """How much of the prompt is there that begins at `start`; None: too little to say so. One slice may be missing in between: a
    packet was lost."""
    shift, found, last, missed = 0, 0, 0, 0
    for at in sorted(template.slices):
        place = search.nearest(template.slices[at], start + at + shift)
        if place is None:
            missed += 1
            if missed > 1 and found:
                break
            continue
        shift = place - at - start
        found, last, missed = found + 1, at + search.width, 0
    if found < min(_LEAST_SLICES, len(template.slices)) or not found:
        return None
    # What is left behind the last slice is shorter than one.
    is_whole = last >= max(template.slices) + search.width
    reached = template.length if is_whole else last
    return Heard(
        prompt=template.prompt,
        start_ms=_ms(max(0, start)),
        end_ms=_ms(start + shift + reached),
        part=1.0 if is_whole else last / template.length,
    )


def names(found: Iterable[Heard]) -> list[str]:
    """What was said, as a test reads it: a prompt that was cut short has "…" behind it."""
    return [one.prompt if one.is_whole else f"{one.prompt}…" for one in found]


def silences_ms(recording: Path, *, from_ms: int = 0, to_ms: int | None = None) -> list[tuple[int, int]]:
    """(start, length) of each silence within these times, longest first."""
    spans: Sequence[audio.Span] = audio.loud(recording)
    rate, channels = audio.read(recording)
    end_ms = to_ms if to_ms is not None else len(channels[0]) * 1000 // rate
    edges = [(from_ms, from_ms), *((s.start_ms, s.end_ms) for s in spans if s.end_ms > from_ms and s.start_ms < end_ms)]
    edges.append((end_ms, end_ms))
    gaps = [(before, after - before) for (_, before), (after, _) in itertools.pairwise(edges) if after > before]
    return sorted(gaps, key=lambda gap: -gap[1])

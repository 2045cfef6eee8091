"""Which tones are in a wav file, and when: how the lab hears who is connected with whom.  Tones are also made here.

Plain Python, 8 or 16 kHz, 16 bits: a block of 100 ms costs about 0.1 ms per frequency, once: who looks again into a file that has
grown meanwhile pays for what is new.
"""

import array
import itertools
import math
import operator
import struct
import sys
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

BLOCK_MS = 100
# A tone counts when it carries at least this part of a block's energy, and the block is not near silence.
_SHARE = 0.25
_SILENCE_RMS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A tone without a gap, in ms from the start of the file, whole blocks."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """Duration in ms."""
        return self.end_ms - self.start_ms


def read(path: Path) -> tuple[int, list[Sequence[int]]]:
    """(samples per second, one sequence per channel) of a 16 bit wav file.

    A file that is still being written, or whose writer was killed, says in its header that it holds nothing: what is
    there is read all the same, and a header that is not there yet means no sample.
    """
    whole = path.read_bytes()
    if len(whole) < 12:
        return 8000, [array.array("h")]
    if whole[:4] != b"RIFF" or whole[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a wav file")
    rate, count, at = 8000, 1, 12
    frames = b""
    while at + 8 <= len(whole):
        name, size = whole[at : at + 4], int.from_bytes(whole[at + 4 : at + 8], "little")
        if name == b"fmt ":
            kind, count, rate, _, _, bits = struct.unpack_from("<HHIIHH", whole, at + 8)
            if (kind, bits) != (1, 16):
                raise ValueError(f"{path}: format {kind} with {bits} bits, 16 bit PCM is expected")
        elif name == b"data":
            frames = whole[at + 8 : at + 8 + size] if size else whole[at + 8 :]
            break
        at += 8 + size + size % 2
    samples = array.array("h")
    samples.frombytes(frames[: len(frames) - len(frames) % (2 * count)])
    if sys.byteorder == "big":
        samples.byteswap()
    return rate, [samples[index::count] for index in range(count)]


def power(samples: Sequence[int], rate: int, frequency_hz: float) -> float:
    """Mean square of what `samples` hold at one frequency: that term of the discrete Fourier transform."""
    cosines, sines = _waves(len(samples), rate, frequency_hz)
    real: float = sum(map(operator.mul, samples, cosines))
    imaginary: float = sum(map(operator.mul, samples, sines))
    return 2 * (real * real + imaginary * imaginary) / (len(samples) ** 2)


@lru_cache(maxsize=1024)
def _waves(count: int, rate: int, frequency_hz: float) -> tuple[Sequence[float], Sequence[float]]:
    step = 2 * math.pi * frequency_hz / rate
    return [math.cos(step * at) for at in range(count)], [math.sin(step * at) for at in range(count)]


class _Block:
    """What is known of one block of samples, found when it is asked for."""

    def __init__(self, samples: Sequence[int], rate: int) -> None:
        self._samples = samples
        self._rate = rate
        self._holds: dict[int, bool] = {}

    @cached_property
    def energy(self) -> float:
        return math.fsum(sample * sample for sample in self._samples) / len(self._samples)

    @property
    def is_silent(self) -> bool:
        return self.energy < _SILENCE_RMS**2

    def holds(self, frequency_hz: int) -> bool:
        if frequency_hz not in self._holds:
            is_there = not self.is_silent and power(self._samples, self._rate, frequency_hz) > _SHARE * self.energy
            self._holds[frequency_hz] = is_there
        return self._holds[frequency_hz]


@lru_cache(maxsize=8192)
def _block(samples: bytes, rate: int) -> _Block:
    return _Block(array.array("h", samples), rate)


def _blocks(samples: Sequence[int], rate: int) -> list[_Block]:
    size = rate * BLOCK_MS // 1000
    whole = samples.tobytes() if isinstance(samples, array.array) else array.array("h", samples).tobytes()
    return [_block(whole[at : at + 2 * size], rate) for at in range(0, len(whole) - 2 * size + 1, 2 * size)]


def heard(path: Path, frequencies_hz: Iterable[int], channel: int = 0) -> dict[int, list[Span]]:
    """For each frequency the spans in which it is heard on one channel (0 left, 1 right)."""
    rate, channels = read(path)
    return heard_in(channels[channel], rate, frequencies_hz)


def heard_in(samples: Sequence[int], rate: int, frequencies_hz: Iterable[int]) -> dict[int, list[Span]]:
    """As `heard`, of samples."""
    blocks = _blocks(samples, rate)
    return {hz: _spans([number for number, block in enumerate(blocks) if block.holds(hz)]) for hz in frequencies_hz}


def loud(path: Path, channel: int = 0) -> list[Span]:
    """The spans in which there is anything but silence: music, speech, tones."""
    rate, channels = read(path)
    return _spans([number for number, block in enumerate(_blocks(channels[channel], rate)) if not block.is_silent])


def total_ms(spans: Iterable[Span]) -> int:
    """All spans together, in ms."""
    return sum(span.length_ms for span in spans)


def longest_gap_ms(spans: Sequence[Span]) -> int:
    """The longest silence between the first and the last span, in ms."""
    return max((later.start_ms - earlier.end_ms for earlier, later in itertools.pairwise(spans)), default=0)


def _spans(blocks: Sequence[int]) -> list[Span]:
    found: list[Span] = []
    for number in blocks:
        if found and found[-1].end_ms == number * BLOCK_MS:
            found[-1] = Span(start_ms=found[-1].start_ms, end_ms=(number + 1) * BLOCK_MS)
        else:
            found.append(Span(start_ms=number * BLOCK_MS, end_ms=(number + 1) * BLOCK_MS))
    return found


def write_tone(path: Path, frequency_hz: int, length_ms: int, *, amplitude: int = 8000, rate: int = 8000) -> Path:
    """A mono wav file with one tone: a prompt, or music, that a test can recognise.  Returns `path`."""
    count = rate * length_ms // 1000
    step = 2 * math.pi * frequency_hz / rate
    again = rate // math.gcd(rate, frequency_hz)  # after so many samples the tone is where it began
    samples = array.array("h", (round(amplitude * math.sin(step * number)) for number in range(min(count, again))))
    if sys.byteorder == "big":
        samples.byteswap()
    return write(path, (samples.tobytes() * -(-count // again))[: 2 * count], rate)


def write(path: Path, frames: bytes, rate: int = 8000) -> Path:
    """A mono wav file of these samples (16 bits, little-endian). Returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames)
    return path

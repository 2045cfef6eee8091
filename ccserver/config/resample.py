"""Speech to the rate of telephones, in pure Python: a polyphase windowed-sinc filter."""

from __future__ import annotations

import math
import wave
from array import array
from itertools import repeat
from operator import mul
from pathlib import Path

TELEPHONE_HZ = 8000
_CUTOFF_HZ = 3600.0  # below half of 8 kHz, with room for the filter's slope
_TAPS_MS = 2.9  # the filter's length: how steep it is
_MAX_SECONDS = 120


def to_telephone(samples: array[int], rate_hz: int) -> array[int]:
    """16-bit mono samples at `rate_hz` as 16-bit samples at 8 kHz."""
    if rate_hz == TELEPHONE_HZ:
        return samples
    common = math.gcd(TELEPHONE_HZ, rate_hz)
    up, down = TELEPHONE_HZ // common, rate_hz // common
    taps = 2 * math.ceil(_TAPS_MS * rate_hz / 2000)
    phases = [_phase(index / up, min(_CUTOFF_HZ / rate_hz, 0.45), taps) for index in range(up)]
    padded = array("h", repeat(0, taps // 2 - 1)) + samples + array("h", repeat(0, taps))
    result = array("h")
    for index in range(len(samples) * up // down):
        start, phase = divmod(index * down, up)
        value = round(sum(map(mul, phases[phase], padded[start : start + taps])))
        result.append(max(-32768, min(32767, value)))
    return result


def _phase(fraction: float, cutoff: float, taps: int) -> list[float]:
    """The weights for a point `fraction` of a sample after the middle; `cutoff` in parts of the sampling rate."""
    weights = []
    for index in range(taps):
        distance = index - (taps // 2 - 1) - fraction
        window = 0.42 + 0.5 * math.cos(2 * math.pi * distance / taps) + 0.08 * math.cos(4 * math.pi * distance / taps)
        angle = 2 * math.pi * cutoff * distance
        weights.append(window * (math.sin(angle) / angle if angle else 1.0))
    total = sum(weights)
    return [weight / total for weight in weights]


def read_wav(path: Path) -> tuple[array[int], int]:
    """(samples, rate in Hz) of a mono 16-bit file. Raises ValueError when it is something else."""
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2) or file.getnframes() > _MAX_SECONDS * file.getframerate():
                raise ValueError(f"expected mono, 16 bit, at most {_MAX_SECONDS} s")
            samples = array("h")
            samples.frombytes(file.readframes(file.getnframes()))
            return samples, file.getframerate()
    except (wave.Error, EOFError) as fault:
        raise ValueError(f"not a WAV file: {fault}") from None


def write_wav(path: Path, samples: array[int]) -> None:
    """A mono 16-bit file at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(TELEPHONE_HZ)
        file.writeframes(samples.tobytes())

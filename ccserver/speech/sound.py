"""Recordings and spoken texts to the form of telephones (8 kHz, mono, 16 bit), in pure Python: a polyphase windowed-sinc filter.

A second of speech takes a tenth of a second. `python -m ccserver.speech.sound IN OUT BEFORE_MS AFTER_MS` does it in a process of its own,
so that a daemon's threads are not held up.
"""

from __future__ import annotations

import math
import sys
import wave
from array import array
from itertools import repeat
from operator import mul
from pathlib import Path

TELEPHONE_HZ = 8000
RATES_HZ = (4000, 192_000)
"""The lowest and the highest rate that is taken."""
MAX_SECONDS = 300
_CUTOFF_HZ = 3600.0  # below half of 8 kHz, with room for the filter's slope
_TAPS_MS = 2.9  # the filter's length: how steep it is
_QUIET = 250  # of 32767: below it there is the noise of a line, not speech
_STEP_MS = 10


def to_telephone(samples: array[int], rate_hz: int) -> array[int]:
    """16-bit mono samples at `rate_hz` as 16-bit samples at 8 kHz."""
    if rate_hz == TELEPHONE_HZ:
        return samples
    common = math.gcd(TELEPHONE_HZ, rate_hz)
    up, down = TELEPHONE_HZ // common, rate_hz // common
    taps = 2 * math.ceil(_TAPS_MS * rate_hz / 2000)
    phases = [_phase(index / up, min(_CUTOFF_HZ / rate_hz, 0.45), taps) for index in range(up)]
    padded = [*repeat(0.0, taps // 2 - 1), *map(float, samples), *repeat(0.0, taps)]
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


def trimmed(samples: array[int], *, before_ms: int, after_ms: int) -> array[int]:
    """8 kHz samples without the silence at both ends, but for so much of it. All of it silent: nothing is left."""
    step = TELEPHONE_HZ * _STEP_MS // 1000
    loud = [at for at in range(0, len(samples), step) if max(map(abs, samples[at : at + step])) > _QUIET]
    if not loud:
        return array("h")
    before, after = (TELEPHONE_HZ * keep_ms // 1000 for keep_ms in (before_ms, after_ms))
    return samples[max(0, loud[0] - before) : loud[-1] + step + after]


def read_wav(path: Path) -> tuple[array[int], int]:
    """(samples, rate in Hz) of a WAV file of 8, 16, 24 or 32 bit; several channels are mixed into one.

    Raises ValueError when it is something else or longer than `MAX_SECONDS`, OSError when it cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate_hz = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if not 1 <= channels <= 8 or not 1 <= width <= 4 or not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
                raise ValueError(
                    f"expected 8 to 32 bit at 4 to 192 kHz, got {width * 8} bit, {channels} channels at {rate_hz} Hz"
                )
            if file.getnframes() > MAX_SECONDS * rate_hz:
                raise ValueError(f"expected at most {MAX_SECONDS} s")
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as fault:
        raise ValueError(f"not a WAV file: {fault}") from None
    content = content[: len(content) // (channels * width) * channels * width]  # a file that was cut off
    return _mixed(_as_16_bit(content, width), channels), rate_hz


def _as_16_bit(content: bytes, width: int) -> array[int]:
    """The samples, loudest bytes only; 8 bit WAV files count from 0 to 255, all others have a sign."""
    samples = array("h")
    if width == 1:
        samples.extend((byte - 128) << 8 for byte in content)
        return samples
    high = bytearray(len(content) // width * 2)
    high[0::2], high[1::2] = content[width - 2 :: width], content[width - 1 :: width]
    samples.frombytes(bytes(high))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _mixed(samples: array[int], channels: int) -> array[int]:
    if channels == 1:
        return samples
    return array("h", (sum(samples[at : at + channels]) // channels for at in range(0, len(samples), channels)))


def write_wav(path: Path, samples: array[int]) -> None:
    """A mono 16-bit file at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(TELEPHONE_HZ)
        file.writeframes(samples.tobytes())


def duration_s(path: Path) -> float | None:
    """The length of a WAV file; None for another kind of file."""
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnframes() / file.getframerate() if file.getframerate() else None
    except (wave.Error, EOFError):
        return None


def main(given: Path, to: Path, before_ms: int, after_ms: int) -> str:
    """Writes a WAV file of any rate for telephones, without the silence around it; what is wrong, "" when nothing is."""
    try:
        samples, rate_hz = read_wav(given)
    except ValueError as fault:
        return str(fault)
    if not samples:
        return "a file without sound"
    heard = to_telephone(samples, rate_hz)
    write_wav(to, trimmed(heard, before_ms=before_ms, after_ms=after_ms) or heard)
    return ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])) or 0)

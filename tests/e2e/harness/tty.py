"""What a text telephone (TTY) sends and understands: Baudot by tones, as TIA-825A has it.

A character is a start bit (1800 Hz), five bits (1 is 1400 Hz), least significant first, and two stop bits (1400 Hz); a shift says whether
letters or figures follow. North America has 45.45 bits a second, the rest of the world 50. There is no check of any kind: what
is lost is lost.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ccserver.lab import audio

Samples = np.ndarray[Any, np.dtype[np.float64]]

RATE = 8000
MARK_HZ, SPACE_HZ = 1400, 1800
US_BIT_MS, WORLD_BIT_MS = 22.0, 20.0
"""Of 45.45 and 50 bits a second."""
STOP_BITS = 2
LETTERS = "\0E\nA SIU\rDRJNFCKTZLWHYPQOBG\x0eMXV\x0f"
FIGURES = "\x003\n- \a87\r$4',!:(5\")2=6019?+\x0e./;\x0f"
_TO_FIGURES, _TO_LETTERS = 0x1B, 0x1F
_CARRIER_MS = 150
_HOLD_MS = 300
"""The tone stays for so long after the last character."""
_AMPLITUDE = 8000


def coded(text: str) -> list[int]:
    """The codes of a text, shifts included; it begins with a shift. Raises ValueError for what a TTY does not have."""
    codes, is_figures = [_TO_LETTERS], False
    for character in text.upper():
        in_letters, in_figures = LETTERS.find(character), FIGURES.find(character)
        if in_letters < 0 and in_figures < 0:
            raise ValueError(f"a TTY has no {character!r}")
        found = in_figures if is_figures else in_letters
        if found < 0:
            is_figures = not is_figures
            codes.append(_TO_FIGURES if is_figures else _TO_LETTERS)
            found = in_figures if is_figures else in_letters
        codes.append(found)
    return codes


def read(codes: list[int]) -> str:
    """The text of what was received, the first shift being letters."""
    text, table = "", LETTERS
    for code in codes:
        if code in (_TO_FIGURES, _TO_LETTERS):
            table = FIGURES if code == _TO_FIGURES else LETTERS
        else:
            text += table[code]
    return text.replace("\0", "")


def write(path: Path, text: str, bit_ms: float = US_BIT_MS) -> Path:
    """A wav file in which a TTY sends `text`. Returns `path`."""
    tones: list[tuple[int, float]] = [(MARK_HZ, _CARRIER_MS)]
    for code in coded(text):
        bits = [(code >> place) & 1 for place in range(5)]
        tones += [(SPACE_HZ, bit_ms), *((MARK_HZ if bit else SPACE_HZ, bit_ms) for bit in bits), (MARK_HZ, STOP_BITS * bit_ms)]
    tones.append((MARK_HZ, _HOLD_MS))
    ends = np.cumsum([length_ms for _, length_ms in tones]) * RATE / 1000
    at = np.searchsorted(ends, np.arange(int(ends[-1])), side="right")
    phase = np.cumsum(
        2 * np.pi / RATE * np.array([hz for hz, _ in tones])[at]
    )  # one tone goes over into the other without a click
    return audio.write(path, (_AMPLITUDE * np.sin(phase)).astype("<i2").tobytes(), RATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    text: str
    broken: int
    """Characters without a stop bit: the line was disturbed."""


def listen(samples: Samples, bit_ms: float = US_BIT_MS) -> Received:
    """What a TTY on this line prints. A character begins where the tone falls from mark to space, and its bits are read in their middle."""
    bit = bit_ms * RATE / 1000
    window = int(bit / 2)
    if len(samples) < 8 * bit:
        return Received(text="", broken=0)
    mark, space = (_strength(samples, hz, window) for hz in (MARK_HZ, SPACE_HZ))
    is_carrier = mark + space > 0.3 * _strength_of_all(samples, window)
    is_space = (space > mark) & is_carrier
    is_mark = (mark >= space) & is_carrier
    codes: list[int] = []
    broken = 0
    falls = np.flatnonzero(is_space[1:] & is_mark[:-1]) + 1
    free_at = 0
    for fall in falls:
        if fall < free_at:
            continue
        places = [int(fall + (n + 0.5) * bit) for n in range(7)]  # start, five bits, stop
        if places[-1] >= len(is_mark):
            break
        if not is_space[places[0]]:
            continue
        if not is_mark[places[6]]:
            broken += 1
            continue
        codes.append(sum(int(is_mark[place]) << n for n, place in enumerate(places[1:6])))
        free_at = int(fall + 6.5 * bit)
    return Received(text=read(codes), broken=broken)


def _strength(samples: Samples, hz: int, window: int) -> Samples:
    """How much of a tone there is around each sample."""
    turning = samples * np.exp(-2j * np.pi * hz / RATE * np.arange(len(samples)))
    return np.abs(np.convolve(turning, np.ones(window) / window, mode="same")) ** 2 * 2


def _strength_of_all(samples: Samples, window: int) -> Samples:
    whole = np.convolve(samples**2, np.ones(window) / window, mode="same")
    return np.maximum(whole, 100.0**2)


def heard(path: Path, bit_ms: float = US_BIT_MS, channel: int = 0) -> Received:
    """What a TTY prints that listens to a recording of 8000 samples a second."""
    rate, channels = audio.read(path)
    if rate != RATE:
        raise ValueError(f"{path}: {rate} samples a second, {RATE} are expected")
    return listen(np.array(channels[channel], dtype=float), bit_ms)


def errors(sent: str, received: str) -> int:
    """How many characters were lost, added or changed (the least number of such mends)."""
    row = list(range(len(received) + 1))
    for number, wanted in enumerate(sent, 1):
        before, row[0] = row[0], number
        for place, got in enumerate(received, 1):
            before, row[place] = row[place], min(before + (wanted != got), row[place] + 1, row[place - 1] + 1)
    return row[-1]

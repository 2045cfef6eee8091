"""What makes a WAV file small: programs that may or may not be installed. What they wrote is always decoded and compared."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ccserver.archive import processes, wav
from ccserver.archive.wav import FRAME_BYTES

SHORTEST_LIMIT_S = 120.0
OPUS_BITS_PER_S = 48_000
"""Of both sides together: transparent for telephone speech."""
OPUS_TOLERANCE_S = 0.02


class Coding(Enum):
    """The ending of the file is its value."""

    OPUS = "opus"
    FLAC = "flac"
    WAV = "wav"


class NoEncoder(Exception):
    """No program that is installed makes, or reads, such files. The text says what to install."""


class BadEncoding(Exception):
    """An encoder did its work and what it wrote is not what it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coder:
    """One program's commands. `decode` writes raw frames (16 bits, little-endian, two sides) to its standard output."""

    coding: Coding
    programs: tuple[str, ...]
    encode: Callable[[Path, Path], list[str]]
    decode: Callable[[Path, int], list[str]]


def _ffmpeg(*options: str) -> Callable[[Path, Path], list[str]]:
    return lambda source, target: ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), *options, str(target)]


def _ffmpeg_decode(source: Path, rate: int) -> list[str]:
    return ["ffmpeg", "-nostdin", "-v", "error", "-i", str(source), "-f", "s16le", "-ar", str(rate), "-ac", "2", "-"]


CODERS = (
    Coder(
        coding=Coding.OPUS,
        programs=("opusenc", "opusdec"),
        encode=lambda source, target: [
            *("opusenc", "--quiet", "--speech", "--no-phase-inv", "--bitrate", str(OPUS_BITS_PER_S // 1000)),
            *(str(source), str(target)),
        ],
        decode=lambda source, rate: [
            "opusdec",
            "--quiet",
            "--no-dither",
            "--rate",
            str(rate),
            "--force-stereo",
            str(source),
            "-",
        ],
    ),
    Coder(
        coding=Coding.OPUS,
        programs=("ffmpeg",),
        encode=_ffmpeg("-c:a", "libopus", "-application", "voip", "-b:a", str(OPUS_BITS_PER_S), "-f", "ogg"),
        decode=_ffmpeg_decode,
    ),
    Coder(
        coding=Coding.FLAC,
        programs=("flac",),
        encode=lambda source, target: ["flac", "--silent", "--force", "-5", "-o", str(target), str(source)],
        decode=lambda source, rate: [
            *(
                "flac",
                "--silent",
                "--decode",
                "--stdout",
                "--force-raw-format",
                "--endian=little",
                "--sign=signed",
                str(source),
            ),
        ],
    ),
    Coder(
        coding=Coding.FLAC,
        programs=("ffmpeg",),
        encode=_ffmpeg("-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"),
        decode=_ffmpeg_decode,
    ),
)
"""The better one first, by coding and by program."""
_INSTALL = {Coding.OPUS: "opus-tools or ffmpeg", Coding.FLAC: "flac or ffmpeg"}


def coder(coding: Coding) -> Coder:
    """The program that is installed for it. Raises NoEncoder."""
    for each in CODERS:
        if each.coding is coding and all(map(shutil.which, each.programs)):
            return each
    raise NoEncoder(f"no encoder for {coding.value} is installed: install {_INSTALL[coding]}, or set recording.format")


def best() -> Coding:
    """What can be made here: Opus, else FLAC, else WAV."""
    for each in CODERS:
        if all(map(shutil.which, each.programs)):
            return each.coding
    return Coding.WAV


def encode(
    source: Path,
    target: Path,
    coding: Coding,
    *,
    rate: int,
    frames: int,
    audio_sha256: str,
    nice: int,
    check: Callable[[], None],
) -> None:
    """Make `target` of the WAV file `source`, and see that it holds the same: FLAC by every sample, Opus by its length.

    Raises NoEncoder, ProgramFailed, BadEncoding, OSError, and what `check` raises meanwhile.
    """
    made_by = coder(coding)
    limit_s = SHORTEST_LIMIT_S + frames / rate
    processes.run(made_by.encode(source, target), nice=nice, limit_s=limit_s, check=check)
    digest, size = hashlib.sha256(), 0
    for block in processes.output(made_by.decode(target, rate), nice=nice):
        check()
        digest.update(block)
        size += len(block)
    if coding is Coding.FLAC and digest.hexdigest() != audio_sha256:
        raise BadEncoding(f"{made_by.programs[0]} wrote other samples than it was given")
    if abs(size / FRAME_BYTES - frames) > OPUS_TOLERANCE_S * rate:
        raise BadEncoding(f"{made_by.programs[0]} made {size / FRAME_BYTES / rate:.3f} s of {frames / rate:.3f} s")


def decoded(source: Path, coding: Coding, *, rate: int, frames: int, nice: int = 0) -> Iterator[bytes]:
    """The frames of a file, as many as it was made of. Raises NoEncoder, ProgramFailed, Unreadable, OSError."""
    content = wav.samples(source) if coding is Coding.WAV else processes.output(coder(coding).decode(source, rate), nice=nice)
    left = frames * FRAME_BYTES
    for block in content:
        if left:
            yield block[:left]
            left -= min(left, len(block))
    while left:  # Opus may end some samples early
        silence = bytes(min(left, 64 * 1024))
        yield silence
        left -= len(silence)

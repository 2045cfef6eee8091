"""What is told of a file beside it, in JSON: what it is, how to know that it is whole, and what happened when. No numbers or names
of customers are in it; who is allowed to see those asks the history."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ccserver.archive import files

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A span in seconds from the file's begin. `what`: stretch, pause, or the kind of a segment of history (hold, talk, ...)."""

    what: str
    starts_s: float
    duration_s: float
    agent: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`sha256` is that of the content as it plays, whether it is sealed or not: sealed files are proven by their seal too.
    `audio_sha256` is that of the samples that were rendered. Silence: 0 to 1."""

    interaction: int
    kind: str
    part: int
    file: str
    coding: str
    key_id: str
    began_utc_s: float
    rate: int
    frames: int
    duration_s: float
    bytes: int
    sha256: str
    audio_sha256: str
    silence_left: float
    silence_right: float
    stretches: tuple[str, ...]
    """Paths as Asterisk sees them."""
    detail: str = ""
    marks: tuple[Mark, ...] = ()


class NoManifest(Exception):
    """There is none, or it is none of ours."""


def write(path: Path, manifest: Manifest) -> None:
    """Complete or not at all. Raises OSError."""
    content = json.dumps({"version": VERSION, **asdict(manifest)}, indent=1, ensure_ascii=False) + "\n"
    files.write(path, [content.encode()])


def read(path: Path) -> Manifest:
    """Raises NoManifest, OSError."""
    try:
        told: Mapping[str, Any] = json.loads(path.read_bytes())
        fields = {name: value for name, value in told.items() if name in Manifest.__slots__}
        marks = tuple(Mark(**each) for each in fields.pop("marks"))
        return Manifest(**fields | {"stretches": tuple(fields["stretches"])}, marks=marks)
    except FileNotFoundError:
        raise NoManifest(f"{path} is not there") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoManifest(f"{path} is no manifest: {error}") from error

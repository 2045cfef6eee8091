"""Files that are complete under their name or not there, and the folders of the archive.

    <dir>/YYYY/MM/DD/<interaction>.<ending>       and `.enc` when it is sealed; the day is that of the recording's begin, in UTC
    <dir>/YYYY/MM/DD/<interaction>.json           the manifest
    <dir>/.work/                                  what is being made

A consultation's speech is `<interaction>-consult`, and what comes late, after the file was made, `<interaction>-2`.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath

from ccserver.archive.sound import Unreadable

BLOCK = 256 * 1024
WORK = ".work"


def name_of(interaction: int, kind: str, part: int) -> str:
    """Of the file without its folder and ending. `kind` is a `RecordingKind`, `part` counts from 0."""
    return f"{interaction}" + ("" if kind == "talk" else f"-{kind}") + (f"-{part + 1}" if part else "")


def folder_of(began_at: datetime) -> PurePosixPath:
    """Below the folder of the recordings."""
    return PurePosixPath(began_at.astimezone(UTC).strftime("%Y/%m/%d"))


def stretch_sides(path: str, *, asterisk_dir: PurePath, local_dir: Path) -> tuple[Path, Path]:
    """The customer's and the agent's file of a stretch as we see them. Raises Unreadable for a path outside the folder."""
    given, base = PurePosixPath(path), PurePosixPath(asterisk_dir)
    if not given.is_relative_to(base) or ".." in given.parts or given == base:
        raise Unreadable(f"{path!r} is not in {base}")
    inside = local_dir / given.relative_to(base)
    return inside.with_name(f"{inside.name}-caller.wav"), inside.with_name(f"{inside.name}-agent.wav")


def write(target: Path, content: Iterable[bytes], *, check: Callable[[], None] | None = None) -> tuple[int, str]:
    """Write the file, complete or not at all; its size in bytes and SHA-256. `check` is called between two blocks and may raise.
    Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: whatever an earlier process left half-done, or still writes, is not this file.
    remove(drafts(target))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    digest, size = hashlib.sha256(), 0
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with open(fd, "wb") as file:
            for block in content:
                if check is not None:
                    check()
                digest.update(block)
                size += len(block)
                file.write(block)
            file.flush()
            os.fsync(fd)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)  # a full disk is not made fuller
        raise
    sync_folder(target.parent)
    return size, digest.hexdigest()


def drafts(target: Path) -> list[Path]:
    """What is left of attempts to write it that were killed."""
    return list(target.parent.glob(f".{target.name}.*.new")) if target.parent.is_dir() else []


def blocks(path: Path) -> Iterator[bytes]:
    """The content of a file. Raises OSError."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def sha256(content: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in content:
        digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """What another program wrote is on the disk afterwards, under its name."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(paths: Iterable[Path]) -> None:
    """Those that are there; they are gone from the disk afterwards. Raises OSError."""
    folders = []
    for path in paths:
        if path.exists():
            path.unlink(missing_ok=True)
            folders.append(path.parent)
    for folder in dict.fromkeys(folders):
        sync_folder(folder)

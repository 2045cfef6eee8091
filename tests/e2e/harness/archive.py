"""The recordings of a center as somebody who may hear them does: the one file of an interaction, decoded."""

import asyncio
from pathlib import Path

from ccserver.config import load
from ccserver.core.ids import InteractionId
from ccserver.daemon.shelf import Shelf
from ccserver.store import archive
from ccserver.store.archive import ArchiveFile, FileState
from ccserver.store.database import Store
from harness.center import Center


async def files_of(center: Center, interaction: int, count: int = 1, deadline_s: float = 20.0) -> list[ArchiveFile]:
    """Wait until so many files of the interaction are done; talks first."""
    done = f"SELECT count(*) AS n FROM archive_files WHERE interaction=? AND state='{FileState.DONE.value}' HAVING n >= {count}"
    try:
        await center.row(done, interaction, deadline_s=deadline_s)
    except AssertionError as missed:
        seen = center.rows("SELECT * FROM archive_files WHERE interaction=?", interaction)
        stretches = center.rows("SELECT * FROM recordings WHERE interaction=?", interaction)
        raise AssertionError(f"{missed}; there are {seen} of {stretches}\n{center.daemon.tail()}") from None
    store = Store(f"sqlite:///{center.site.directory}/history.db")
    try:
        with store.engine.connect() as connection:
            return archive.files_of(connection, InteractionId(interaction))
    finally:
        store.close()


def shelf_of(center: Center) -> Shelf:
    """As the settings that are in the file now tell it."""
    edges = load(center.site.directory / "ccserver.yaml").edges
    assert edges.recording is not None
    return Shelf(Store(edges.database.url), edges.recording)


async def recording_of(center: Center, interaction: int, kind: str = "talk") -> Path:
    """Wait for the interaction's file, and have it as WAV: the customer left, the agents right."""
    (file,) = [each for each in await files_of(center, interaction) if each.kind == kind]
    return await decoded(center, file)


async def decoded(center: Center, file: ArchiveFile) -> Path:
    target = center.site.directory / f"heard-{file.interaction}-{file.kind}-{file.part}.wav"

    def decode() -> None:
        shelf = shelf_of(center)
        try:
            target.write_bytes(b"".join(shelf.as_wav(file)))
        finally:
            shelf.store.close()

    await asyncio.to_thread(decode)
    return target

"""Recordings that are laid ready for a supervisor's phone: opened, made one side of both, and removed again.

    <local_dir>/.heard/<chance>.wav       while somebody hears it; Asterisk's group may read it

All is done on a thread of its own, so that an hour of speech keeps nobody else waiting. What an earlier process left is removed at the
start, before anything is laid ready.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from ccserver.archive import sealing
from ccserver.archive.encoders import NoEncoder
from ccserver.archive.processes import ProgramFailed
from ccserver.archive.sound import Unreadable
from ccserver.config.edges import RecordingEdge
from ccserver.core.commands import CloseRecording, OpenRecording
from ccserver.core.events import OpenEnd, RecordingOpened
from ccserver.core.ids import CommandId
from ccserver.core.records import KeptRecording
from ccserver.daemon.shelf import Shelf
from ccserver.store import archive
from ccserver.store.archive import PLAYABLE, ArchiveFile
from ccserver.store.database import Store

FOLDER = ".heard"
AT_ONCE = 2

log = structlog.stdlib.get_logger(__name__)


class _Closing(Exception):
    """The daemon stops: nobody waits for it any more."""


class Tapes:
    """`told` is called on a thread. Without `edge` nothing is recorded here."""

    def __init__(self, store: Store, edge: RecordingEdge | None, told: Callable[[RecordingOpened], None]) -> None:
        self._shelf = None if edge is None else Shelf(store, edge)
        self._told = told
        self._is_closing = False
        self._threads = ThreadPoolExecutor(AT_ONCE, "tapes")

    def tidy(self) -> None:
        """At the start, before AGI is open."""
        if self._shelf is not None:
            shutil.rmtree(self._shelf.edge.local_dir / FOLDER, onerror=_not_removed)

    def perform(self, command_id: CommandId, command: OpenRecording | CloseRecording) -> None:
        if isinstance(command, OpenRecording):
            self._threads.submit(self._open, command_id, command)
        else:
            self._threads.submit(self._remove, command.path)

    def close(self) -> None:
        """On a thread: what is being laid ready is given up, and what was is removed."""
        self._is_closing = True
        self._threads.shutdown(cancel_futures=True)
        self.tidy()

    # --- on its threads -------------------------------------------------------------------------------------------------
    def _open(self, command_id: CommandId, command: OpenRecording) -> None:
        try:
            event = self._opened(command_id, command)
        except _Closing:
            return
        except Exception as error:  # whatever it is, somebody waits at a phone for the end of it
            log.error("recording.not_opened", agent=command.agent, reason=str(error), kind=type(error).__name__)
            event = RecordingOpened(command=command_id, end=OpenEnd.FAILED)
        self._told(event)

    def _opened(self, command_id: CommandId, command: OpenRecording) -> RecordingOpened:
        """Raises SQLAlchemyError, OSError."""
        shelf = self._shelf
        if shelf is None:
            return RecordingOpened(command=command_id, end=OpenEnd.NONE)
        with shelf.store.reading() as connection:
            file = archive.file_of_agent(connection, command.agent, command.beside, is_newer=command.is_newer)
            agents = () if file is None else archive.speakers_of(connection, file)
        if file is None:
            return RecordingOpened(command=command_id, end=OpenEnd.NONE)
        kept = KeptRecording(interaction=file.interaction, part=file.part)
        found = RecordingOpened(command=command_id, end=OpenEnd.DELETED, kept=kept, agents=agents)
        if file.state not in PLAYABLE:
            return found
        try:
            path = self._lay_ready(shelf, file)
        except sealing.WrongKey as error:
            log.error("recording.not_opened", interaction=file.interaction, reason=str(error))
            return replace(found, end=OpenEnd.SEALED)
        except (sealing.Damaged, NoEncoder, ProgramFailed, Unreadable, OSError) as error:
            log.error("recording.not_opened", interaction=file.interaction, reason=str(error), mend="ccserver recording verify")
            return replace(found, end=OpenEnd.MISSING)
        return replace(found, end=OpenEnd.OPENED, path=path, duration_s=file.duration_s)

    def _lay_ready(self, shelf: Shelf, file: ArchiveFile) -> str:
        """Its path as Asterisk sees it, without ending."""
        folder, group = shelf.edge.local_dir / FOLDER, shelf.edge.local_dir.stat().st_gid
        folder.mkdir(exist_ok=True)
        folder.chmod(0o750)
        name = secrets.token_hex(16)
        target = folder / f"{name}.wav"
        try:
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640), "wb") as sound:
                with suppress(PermissionError):  # not a group of ours: then Asterisk is in ours, or runs as we do
                    os.chown(folder, -1, group)
                    os.chown(target, -1, group)
                for block in self._unless_closing(shelf.as_mono_wav(file, folder)):
                    sound.write(block)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return str(shelf.edge.asterisk_dir / FOLDER / name)

    def _unless_closing(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            if self._is_closing:
                raise _Closing
            yield block

    def _remove(self, path: str) -> None:
        if self._shelf is None:
            return
        file = self._shelf.edge.local_dir / FOLDER / f"{Path(path).name}.wav"
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            log.error("recording.left_open", path=str(file), reason=str(error), mend="remove it by hand")


def _not_removed(_: object, path: str, told: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(told[1], FileNotFoundError):
        log.error("recording.left_open", path=path, reason=str(told[1]), mend="remove it by hand")

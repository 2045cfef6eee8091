"""The recordings that are kept: where each lies, how it is opened, proven, deleted, and given another master key.

For the daemon and for the command line, which work on the same folder and the same tables; each deletion is noted before it is
done, and done again by whoever finds it half-done.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ccserver.archive import encoders, files, manifest, sealing, wav
from ccserver.archive.encoders import Coding, NoEncoder
from ccserver.archive.manifest import Manifest, NoManifest
from ccserver.archive.processes import ProgramFailed
from ccserver.archive.sound import Unreadable, look_at
from ccserver.config.edges import RecordingEdge
from ccserver.core.ids import InteractionId, QueueId
from ccserver.store import archive
from ccserver.store.archive import PLAYABLE, ArchiveFile, Deletion, FileState, FileStatus, Noted, Stretch
from ccserver.store.database import Store

MONO_RATE = 8000
OURSELVES = "ccserver"
"""Who deletes what nobody ordered to be deleted just then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A file that is to be deleted, and why. `is_held`: it is on legal hold and stays."""

    file: ArchiveFile
    why: str
    is_held: bool = False


class Shelf:
    """Of the folder and the keys of `edge`."""

    def __init__(self, store: Store, edge: RecordingEdge) -> None:
        self.store = store
        self.edge = edge

    # --- where things lie -----------------------------------------------------------------------------------------------
    def path(self, file: ArchiveFile) -> Path:
        return self.edge.local_dir / file.path

    def manifest_path(self, file: ArchiveFile) -> Path:
        return self.path(file).with_name(f"{files.name_of(file.interaction, file.kind, file.part)}.json")

    def work_path(self, file: ArchiveFile, coding: Coding) -> Path:
        name = files.name_of(file.interaction, file.kind, file.part)
        return self.edge.local_dir / files.WORK / f"{name}.{coding.value}"

    def made_of(self, file: ArchiveFile) -> list[Path]:
        """Everything that was made of its stretches, half-done things too."""
        kept = [self.path(file), self.manifest_path(file)]
        return [*(path for each in kept for path in (each, *files.drafts(each))), *self.work_of(file)]

    def work_of(self, file: ArchiveFile) -> list[Path]:
        """What is in the folder of work for it; also what an encoder wrote that outlived us."""
        name = files.name_of(file.interaction, file.kind, file.part)
        return list((self.edge.local_dir / files.WORK).glob(f"{name}.*"))

    def sides(self, path: str) -> tuple[Path, Path]:
        """Of a stretch. Raises Unreadable for a path outside the folder."""
        return files.stretch_sides(path, asterisk_dir=self.edge.asterisk_dir, local_dir=self.edge.local_dir)

    # --- hearing --------------------------------------------------------------------------------------------------------
    def content(self, file: ArchiveFile) -> Iterator[bytes]:
        """The encoded sound, opened if it is sealed. Raises Damaged, WrongKey, OSError."""
        return sealing.unsealed(self.path(file), self.edge.keys) if file.key_id else files.blocks(self.path(file))

    def as_wav(self, file: ArchiveFile) -> Iterator[bytes]:
        """A WAV file. Raises Damaged, WrongKey, NoEncoder, ProgramFailed, Unreadable, OSError."""
        with self._opened(file) as source:
            yield wav.header(file.rate, file.frames)
            yield from encoders.decoded(source, Coding(file.coding), rate=file.rate, frames=file.frames)

    def as_mono_wav(self, file: ArchiveFile, aside: Path) -> Iterator[bytes]:
        """A WAV file of one side with `MONO_RATE` samples a second, both sides added up: what Asterisk can play on a phone. `aside` is the
        folder for what is opened meanwhile. Raises as `as_wav`."""
        step, rest = divmod(file.rate, MONO_RATE)
        if rest or not step:
            raise Unreadable(f"{file.path} has {file.rate} samples a second: no multiple of {MONO_RATE}")
        with self._opened(file, aside) as source:
            yield wav.mono_header(MONO_RATE, file.frames // step)
            yield from wav.mixed(encoders.decoded(source, Coding(file.coding), rate=file.rate, frames=file.frames), step)

    @contextmanager
    def _opened(self, file: ArchiveFile, aside: Path | None = None) -> Iterator[Path]:
        """A file that other programs can read, for as long as it is needed."""
        if not file.key_id:
            yield self.path(file)
            return
        with tempfile.TemporaryDirectory(prefix="ccserver-", dir=aside) as folder:  # for its owner alone
            source = Path(folder) / f"opened.{file.coding}"
            with source.open("wb") as opened:
                for block in self.content(file):
                    opened.write(block)
            yield source

    def told(self, file: ArchiveFile) -> Manifest:
        """Raises NoManifest, OSError."""
        return manifest.read(self.manifest_path(file))

    def verify(self, file: ArchiveFile) -> str:
        """What is wrong with it; "" when all is as it was written."""
        path = self.path(file)
        try:
            if file.key_id:
                sealing.verify_head(path, self.edge.keys)
            found = files.sha256(self.content(file))
            if found != file.sha256:
                return f"{file.path} is damaged: its SHA-256 is {found}, noted is {file.sha256}"
            told = self.told(file)
            if (told.sha256, told.frames, told.interaction) != (file.sha256, file.frames, file.interaction):
                return f"{self.manifest_path(file).name} tells of another file than the database"
        except (sealing.Damaged, sealing.WrongKey, NoManifest) as fault:
            return str(fault)
        except FileNotFoundError:
            return f"{file.path} is not there"
        except OSError as error:
            return f"{file.path} cannot be read: {error.strerror}"
        return ""

    # --- deleting -------------------------------------------------------------------------------------------------------
    def remove(self, file: ArchiveFile, why: str, by: str) -> bool:
        """With all that belongs to it. False: it is on legal hold. Raises OSError, SQLAlchemyError; done again, it goes on."""
        evidence = Deletion(
            path=file.path,
            interaction=file.interaction,
            why=why,
            by=by,
            at=datetime.now(UTC),
            duration_s=file.duration_s,
            bytes=file.bytes,
            sha256=file.sha256,
        )
        if not archive.put_deletion(self.store, evidence, file=file):
            return False
        self.leave(file)
        return True

    def leave(self, file: ArchiveFile) -> None:
        """Of one that is noted as leaving."""
        paths = self.made_of(file)
        for stretch in file.stretches:
            paths += self.sides(stretch)
        files.remove(paths)
        noted = [Noted(path=stretch, status=FileStatus.DELETED) for stretch in file.stretches]
        archive.put_file(self.store, replace(file, state=FileState.GONE, at=datetime.now(UTC)), noted)

    def remove_stretch(self, interaction: InteractionId, stretch: Stretch, why: str, by: str) -> bool:
        """One that is in no file. False: it is on legal hold. Raises OSError, SQLAlchemyError; done again, it goes on."""
        sides = self.sides(stretch.path)
        there = [side for side in sides if side.exists()]
        evidence = Deletion(
            path=stretch.path,
            interaction=interaction,
            why=why,
            by=by,
            at=datetime.now(UTC),
            duration_s=max((_seconds(side) for side in there), default=0.0),
            bytes=sum(side.stat().st_size for side in there),
            sha256=files.sha256(block for side in there for block in files.blocks(side)),
        )
        if not archive.put_deletion(self.store, evidence):
            return False
        files.remove(sides)
        archive.note(self.store, Noted(path=stretch.path, status=FileStatus.DELETED, detail=why))
        return True

    def remove_all(self, interaction: InteractionId, why: str, by: str) -> int:
        """Everything that was recorded of an interaction, in files or not; how many things went. What is on legal hold stays.

        Raises OSError, SQLAlchemyError; done again, it goes on.
        """
        case = archive.dossier(self.store, interaction)
        gone = 0
        for file in case.files:
            if file.state in PLAYABLE:
                gone += self.remove(file, why, by)
            elif file.state is FileState.LEAVING:
                self.leave(file)
                gone += 1
            elif file.state is not FileState.GONE:  # its stretches are there, and go by themselves
                archive.drop_file(self.store, file)
                files.remove(self.made_of(file))
        for stretch in case.stretches:
            gone += self.remove_stretch(interaction, stretch, why, by)
        return gone

    # --- retention ------------------------------------------------------------------------------------------------------
    def due(self, now: datetime) -> list[Due]:
        """What is to be deleted, oldest first: by its age, and after an objection that a legal hold had kept from being followed."""
        with self.store.reading() as connection:
            held = archive.holds(connection)
            objected = archive.objected(connection)
            all_kept = archive.kept_files(connection)
            queues = archive.queues_of_kept(connection)
        found = []
        for file in all_kept:
            why = (
                "the customer objected"
                if file.interaction in objected
                else self._too_old(file, queues.get(file.interaction, ()), now)
            )
            if why:
                found.append(Due(file=file, why=why, is_held=file.interaction in held))
        return found

    def _too_old(self, file: ArchiveFile, queues: tuple[QueueId, ...], now: datetime) -> str:
        days = self.retention_days(queues)
        if days is None or file.began_at > now - timedelta(days=days):
            return ""
        of = f" of queue {', '.join(queues)}" if queues else ""
        return f"older than the {days} days{of}"

    def retention_days(self, queues: tuple[QueueId, ...]) -> int | None:
        """The longest of the queues; None: for ever."""
        by_queue = [self.edge.queue_retention_days.get(queue, self.edge.retention_days) for queue in queues]
        days = by_queue or [self.edge.retention_days]
        return None if None in days else max(each for each in days if each is not None)

    # --- keys -----------------------------------------------------------------------------------------------------------
    def rewrap(self, file: ArchiveFile) -> bool:
        """Have the present master key open it. False: it was so already. Raises Damaged, WrongKey, OSError, SQLAlchemyError."""
        assert self.edge.key is not None
        is_new = sealing.rewrap(self.path(file), self.edge.keys, self.edge.key.id)
        if file.key_id != self.edge.key.id:
            with suppress(NoManifest):  # `recording verify` tells of one that is not there
                manifest.write(self.manifest_path(file), replace(self.told(file), key_id=self.edge.key.id))
            archive.put_key(self.store, file, self.edge.key.id)
        return is_new


def _seconds(side: Path) -> float:
    try:
        sound = look_at(side)
    except Unreadable:
        return 0.0
    return 0.0 if sound is None else sound.frames / sound.rate


TROUBLES = (sealing.Damaged, sealing.WrongKey, NoEncoder, ProgramFailed, Unreadable, NoManifest, OSError)
"""What may go wrong with one recording, told by its text."""

"""A folder of recordings as Asterisk leaves it, history that tells of them, and the archivist who works on both."""

import json
import math
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from sqlalchemy import select

from ccserver.config.edges import RecordingEdge, RecordingFormat
from ccserver.core.ids import AgentId, CommandId, InteractionId, Language, LegId, QueueId
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    MarkRecord,
    ObjectionRecord,
    Outcome,
    Record,
    RecordingRecord,
)
from ccserver.daemon.archiving import Done
from ccserver.daemon.archivist import Archivist
from ccserver.daemon.shelf import Shelf
from ccserver.store import archive, schema
from ccserver.store.archive import ArchiveFile
from ccserver.store.database import Store
from ccserver.store.persons import Sealer
from ccserver.store.vault import Vault
from ccserver.store.writer import Writer

ASTERISK_DIR = PurePosixPath("/var/spool/asterisk/cc")
RATE = 8000
DEADLINE_S = 20.0
Samples = "array[int]"


def tone(frames: int, hertz: float, amplitude: int = 8000) -> "array[int]":
    return array("h", (int(amplitude * math.sin(2 * math.pi * hertz * index / RATE)) for index in range(frames)))


def silence(frames: int) -> "array[int]":
    return array("h", bytes(2 * frames))


def write_mono(path: Path, samples: "array[int]", *, rate: int = RATE, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def both_sides(path: Path) -> tuple["array[int]", "array[int]"]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        samples = array("h", file.readframes(file.getnframes()))
        return samples[0::2], samples[1::2]


@dataclass
class Site:
    """Recordings in `folder`, and a database."""

    store: Store
    folder: Path
    edge: RecordingEdge
    began_utc_s: float = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0).timestamp() - 600)
    seq: int = 0
    stretches: int = 0
    vault: Vault | None = None
    """With it, what identifies people is sealed as it is told."""

    @classmethod
    def at(cls, folder: Path, store: Store, **settings: object) -> "Site":
        local = folder / "rec"
        local.mkdir(exist_ok=True)
        edge = RecordingEdge(asterisk_dir=Path(ASTERISK_DIR), local_dir=local, format=RecordingFormat.WAV)
        return cls(store, local, replace(edge, **settings))

    # --- what happens ---------------------------------------------------------------------------------------------------
    def stretch(
        self,
        interaction: int,
        caller: "array[int] | None",
        agent: "array[int] | None",
        *,
        at_s: float = 0.0,
        by: str = "201",
        **changes: object,
    ) -> Path:
        """Asterisk wrote a stretch; the path of its files without side and ending."""
        path = self.folder / "2026" / f"{interaction}-{self.stretches}"
        for side, samples in (("caller", caller), ("agent", agent)):
            if samples is not None:
                write_mono(path.with_name(f"{path.name}-{side}.wav"), samples)
        record = RecordingRecord(
            interaction=InteractionId(interaction),
            number=self.stretches,
            agent=AgentId(by),
            leg=LegId("main", f"cc-{self.stretches}"),
            path=str(ASTERISK_DIR / "2026" / path.name),
            started_utc_s=self.began_utc_s + at_s,
            duration_s=max((len(each) for each in (caller, agent) if each is not None), default=0) / RATE,
            queue=QueueId("sales"),
        )
        self.stretches += 1
        self.tell(replace(record, **changes))
        return path

    def over(self, interaction: int, **changes: object) -> None:
        call = InteractionRecord(
            interaction=InteractionId(interaction),
            kind="voice",
            leg=LegId("main", f"1767268800.{interaction}"),
            did="1000",
            caller_number="+493012345",
            caller_name="Müller",
            language=Language("de"),
            queue=QueueId("sales"),
            agent=AgentId("201"),
            outcome=Outcome.ANSWERED,
            ended_by=EndedBy.CUSTOMER,
            disposition=None,
            arrived_utc_s=self.began_utc_s - 10,
            ended_utc_s=self.began_utc_s + 100,
            wait_s=10.0,
            talk_s=90.0,
        )
        self.tell(replace(call, **changes))

    def objected(self, interaction: int) -> None:
        self.tell(ObjectionRecord(interaction=InteractionId(interaction), agent=AgentId("201"), at_utc_s=self.began_utc_s + 5))

    def marked(self, interaction: int, what: str = "record") -> None:
        self.tell(
            MarkRecord(interaction=InteractionId(interaction), agent=AgentId("201"), what=what, at_utc_s=self.began_utc_s + 5)
        )

    def tell(self, *records: Record) -> None:
        """Into history, as the daemon does it."""
        writer = Writer(self.store.engine, sealer=None if self.vault is None else Sealer(self.vault))
        writer.start()
        for record in records:
            self.seq += 1
            writer.append("000001-a", CommandId(self.seq, 0), record)
        assert writer.close(DEADLINE_S)

    # --- what is done with it -------------------------------------------------------------------------------------------
    @contextmanager
    def archivist(self, **settings: object) -> Iterator[tuple[Archivist, list[Done]]]:
        done: list[Done] = []
        made = Archivist(self.store, self.edge, on_done=done.append, **{"settle_s": 0.0, **settings})
        made.start()
        try:
            yield made, done
        finally:
            made.close(DEADLINE_S)

    def archive(self, *interactions: int, **settings: object) -> list[Done]:
        """Have it all done."""
        with self.archivist(**settings) as (archivist, done):
            for each in interactions:
                archivist.submit(InteractionId(each))
            assert archivist.drain(DEADLINE_S), archivist.backlog
        return done

    # --- what there is then ---------------------------------------------------------------------------------------------
    @property
    def shelf(self) -> Shelf:
        return Shelf(self.store, self.edge)

    def files(self, interaction: int = 7) -> list[ArchiveFile]:
        with self.store.engine.connect() as connection:
            return archive.files_of(connection, InteractionId(interaction))

    def file(self, interaction: int = 7) -> ArchiveFile:
        (file,) = self.files(interaction)
        return file

    def heard(self, file: ArchiveFile) -> tuple["array[int]", "array[int]"]:
        """Both sides, out of whatever it is."""
        aside = self.folder.parent / "heard.wav"
        aside.write_bytes(b"".join(self.shelf.as_wav(file)))
        return both_sides(aside)

    def told(self, file: ArchiveFile) -> dict[str, object]:
        told: dict[str, object] = json.loads(self.shelf.manifest_path(file).read_text())
        return told

    def statuses(self) -> list[str]:
        with self.store.engine.connect() as connection:
            return list(
                connection.execute(select(schema.recording_files.c.status).order_by(schema.recording_files.c.path)).scalars()
            )

    def names(self) -> list[str]:
        """All files that are there, below the folder."""
        return sorted(str(each.relative_to(self.folder)) for each in self.folder.rglob("*") if each.is_file())

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.began_utc_s, tz=UTC).strftime("%Y/%m/%d")

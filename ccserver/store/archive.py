"""What the database knows of recordings: the stretches that Asterisk wrote, the files that were made of them, holds, deletions.

How far a file is, is its `FileState`; each step is noted when it is done, so that whoever goes on after a kill knows where.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from sqlalchemy import Connection, Row, Table, exists, literal, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.records import KeptRecording, RecordingKind, RecordingSide
from ccserver.store import schema
from ccserver.store.database import Store

RECORD_MARK = "record"
"""`MarkRecord.what` of recording on demand: a stretch that was begun in case of it is then kept."""
TALK = RecordingKind.TALK.value
ORPHANED_AFTER = timedelta(days=1)
"""A stretch without an interaction after so long never gets one: the journal was lost."""


class FileStatus(Enum):
    """What became of a stretch."""

    ARCHIVED = "archived"  # it is in a file of its interaction
    ONE_SIDED = "one_sided"  # likewise; one of the two was missing: its side is silent there
    MISSING = "missing"  # Asterisk wrote nothing
    UNREADABLE = "unreadable"  # not what Asterisk writes; the originals are kept
    DELETED = "deleted"  # with a row of evidence
    MERGED = "merged"  # a stereo file of its own, as versions before the archive made it


class FileState(Enum):
    """How far an interaction's file is."""

    RENDERED = "rendered"  # the stretches are one WAV file
    ENCODED = "encoded"  # and that is encoded, and compared
    KEPT = "kept"  # it is at its place, sealed, with its manifest
    DONE = "done"  # and what it was made of is gone
    LEAVING = "leaving"  # there is evidence, and it is being deleted
    GONE = "gone"


PLAYABLE = (FileState.KEPT, FileState.DONE)
UNFINISHED = (FileState.RENDERED, FileState.ENCODED, FileState.KEPT, FileState.LEAVING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One recorded stretch. `path` as Asterisk sees it, without ending; `pauses` in seconds within it."""

    path: str
    number: int
    agent: AgentId
    queue: QueueId | None
    kind: str
    started_at: datetime
    duration_s: float
    is_provisional: bool
    pauses: tuple[tuple[float, float], ...]
    side: RecordingSide = RecordingSide.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """One file of an interaction. `path` below the folder of the recordings; `stretches` are the paths of those in it.

    `sha256` is that of the content as it plays, `audio_sha256` that of the samples it was made of. Silence: 0 to 1 of what was
    recorded. `key_id`: "" for one that is not sealed.
    """

    interaction: InteractionId
    kind: str
    part: int
    state: FileState
    path: str
    coding: str
    key_id: str
    began_at: datetime
    rate: int
    frames: int
    duration_s: float
    bytes: int
    sha256: str
    audio_sha256: str
    silence_left: float
    silence_right: float
    stretches: tuple[str, ...]
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is noted of one stretch; numbers are 0 and "" where there is no file."""

    path: str
    status: FileStatus
    duration_s: float = 0.0
    bytes: int = 0
    sha256: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The evidence that something was deleted. `path` as in the row it was known by."""

    path: str
    interaction: InteractionId
    why: str
    by: str
    at: datetime
    duration_s: float
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    interaction: InteractionId
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A segment of history, for the marks."""

    kind: str
    started_at: datetime
    duration_s: float
    agent: str
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that decides what is to be done for one interaction. `stretches` are those of which nothing is noted yet, `files` all."""

    interaction: InteractionId
    is_over: bool
    is_objected: bool
    is_marked: bool
    stretches: tuple[Stretch, ...]
    files: tuple[ArchiveFile, ...]
    spans: tuple[Span, ...]


def dossier(store: Store, interaction: InteractionId) -> Dossier:
    """Raises SQLAlchemyError."""
    with store.reading() as connection:
        told, noted = schema.recordings, schema.recording_files
        of = told.c.interaction == interaction
        left = select(told).where(of, ~exists().where(noted.c.path == told.c.path)).order_by(told.c.number)
        stretches = tuple(map(_stretch, connection.execute(left)))
        last = max((each.started_at for each in stretches), default=datetime.now(UTC))
        marks = schema.marks
        return Dossier(
            interaction=interaction,
            is_over=_is_there(connection, schema.interactions, interaction)
            or _has_conference_ended(connection, interaction)
            or last < datetime.now(UTC) - ORPHANED_AFTER,
            is_objected=_is_there(connection, schema.objections, interaction),
            is_marked=connection.execute(
                select(exists().where(marks.c.interaction == interaction, marks.c.what == RECORD_MARK))
            ).scalar_one(),
            stretches=stretches,
            files=tuple(files_of(connection, interaction)),
            spans=tuple(_spans(connection, interaction)),
        )


def _is_there(connection: Connection, table: Table, interaction: InteractionId) -> bool:
    return bool(connection.execute(select(exists().where(table.c.interaction == interaction))).scalar_one())


def _has_conference_ended(connection: Connection, interaction: InteractionId) -> bool:
    table = schema.conferences
    return bool(connection.execute(select(exists().where(table.c.conference == interaction))).scalar_one())


def _stretch(row: Row[tuple[object, ...]]) -> Stretch:
    return Stretch(
        path=row.path,
        number=row.number,
        agent=row.agent,
        queue=row.queue,
        kind=row.kind,
        started_at=row.started_at,
        duration_s=row.duration_s,
        is_provisional=row.is_provisional,
        pauses=tuple((begin, end) for begin, end in json.loads(row.pauses)),
        side=RecordingSide(row.side),
    )


def _spans(connection: Connection, interaction: InteractionId) -> Iterable[Span]:
    table = schema.segments
    for row in connection.execute(select(table).where(table.c.interaction == interaction).order_by(table.c.number)):
        yield Span(
            kind=row.kind, started_at=row.started_at, duration_s=row.duration_s, agent=row.agent or "", queue=row.queue or ""
        )


def files_of(connection: Connection, interaction: InteractionId) -> list[ArchiveFile]:
    table = schema.archive_files
    query = select(table).where(table.c.interaction == interaction).order_by(table.c.kind.desc(), table.c.part)
    return [archive_file(row) for row in connection.execute(query)]


def archive_file(row: Row[tuple[object, ...]]) -> ArchiveFile:
    given = {each.name: getattr(row, each.name) for each in fields(ArchiveFile)}
    return ArchiveFile(**given | {"state": FileState(row.state), "stretches": tuple(json.loads(row.stretches))})


def unfinished(store: Store) -> list[InteractionId]:
    """Interactions that are over and of whose recordings something is left to do, or was when the process died; oldest first."""
    told, noted, files = schema.recordings, schema.recording_files, schema.archive_files
    over, objected = schema.interactions, schema.objections
    is_settled = or_(
        exists().where(over.c.interaction == told.c.interaction),
        exists().where(objected.c.interaction == told.c.interaction),
        exists().where(schema.conferences.c.conference == told.c.interaction),
        told.c.started_at < datetime.now(UTC) - ORPHANED_AFTER,
    )
    left = (
        select(told.c.interaction)
        .where(~exists().where(noted.c.path == told.c.path), is_settled)
        .order_by(told.c.started_at, told.c.path)
    )
    half_done = select(files.c.interaction).where(files.c.state.in_([each.value for each in UNFINISHED]))
    with store.engine.connect() as connection:
        found = [*connection.execute(half_done).scalars(), *connection.execute(left).scalars()]
    return list(dict.fromkeys(InteractionId(number) for number in found))


# --- noting -------------------------------------------------------------------------------------------------------------
def put_file(store: Store, file: ArchiveFile, noted: Sequence[Noted] = ()) -> None:
    """The file as it is now, and in the same stroke what became of stretches. Raises SQLAlchemyError."""
    with store.engine.begin() as connection:
        _put(connection, schema.archive_files, _row(file))
        for each in noted:
            _put_noted(connection, each)


def drop_file(store: Store, file: ArchiveFile) -> None:
    """Of one that must be made again: what it was made of is still there."""
    with store.engine.begin() as connection:
        connection.execute(schema.archive_files.delete().where(*_key(file)))


def note(store: Store, noted: Noted) -> None:
    with store.engine.begin() as connection:
        _put_noted(connection, noted)


def put_deletion(store: Store, evidence: Deletion, *, file: ArchiveFile | None = None) -> bool:
    """The evidence, and in the same stroke the mark that the file is leaving: nothing goes without a trace. What was said first stays.

    False: it is on legal hold, and nothing was noted. Raises SQLAlchemyError.
    """
    with store.engine.begin() as connection:
        if _is_there(connection, schema.recording_holds, evidence.interaction):
            return False
        row = {each.name: getattr(evidence, each.name) for each in fields(Deletion)}
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(schema.recording_deletions).values(row).on_conflict_do_nothing())
        if file is not None:
            _put(connection, schema.archive_files, _row(replace(file, state=FileState.LEAVING)))
    return True


def put_key(store: Store, file: ArchiveFile, key_id: str) -> None:
    """Which master key opens it now, whatever else has happened to it."""
    table = schema.archive_files
    with store.engine.begin() as connection:
        connection.execute(table.update().where(*_key(file)).values(key_id=key_id))


def _key(file: ArchiveFile) -> tuple[ColumnElement[bool], ...]:
    table = schema.archive_files
    return table.c.interaction == file.interaction, table.c.kind == file.kind, table.c.part == file.part


def _row(file: ArchiveFile) -> dict[str, object]:
    given = {each.name: getattr(file, each.name) for each in fields(ArchiveFile)}
    return given | {"state": file.state.value, "stretches": json.dumps(file.stretches)}


def _put_noted(connection: Connection, noted: Noted) -> None:
    row: dict[str, object] = {each.name: getattr(noted, each.name) for each in fields(Noted)}
    _put(connection, schema.recording_files, row | {"status": noted.status.value, "finished_at": datetime.now(UTC)})


def _put(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(row)
    rest = {name: value for name, value in row.items() if name not in table.primary_key.columns}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=rest))


# --- holds --------------------------------------------------------------------------------------------------------------
def put_hold(connection: Connection, hold: Hold) -> bool:
    """False: it was held already, and the first reason stays."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {each.name: getattr(hold, each.name) for each in fields(Hold)}
    statement = insert(schema.recording_holds).values(row).on_conflict_do_nothing()
    # Asked for expressly: with PostgreSQL SQLAlchemy counts no inserted rows by itself.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def drop_hold(connection: Connection, interaction: InteractionId) -> bool:
    table = schema.recording_holds
    return connection.execute(table.delete().where(table.c.interaction == interaction)).rowcount == 1


def holds(connection: Connection) -> dict[InteractionId, Hold]:
    return {
        row.interaction: Hold(interaction=row.interaction, by=row.by, reason=row.reason, at=row.at)
        for row in connection.execute(select(schema.recording_holds))
    }


def objected(connection: Connection) -> frozenset[InteractionId]:
    """Interactions in which a customer objected to being recorded."""
    return frozenset(connection.execute(select(schema.objections.c.interaction)).scalars())


def is_held(store: Store, interaction: InteractionId) -> bool:
    with store.engine.connect() as connection:
        return _is_there(connection, schema.recording_holds, interaction)


def queues_of_kept(connection: Connection) -> dict[InteractionId, tuple[QueueId, ...]]:
    """The queues for which each was recorded that has a file; of one whose stretches name none, the queue of the call."""
    files = schema.archive_files
    having = select(files.c.interaction).where(files.c.state.in_([each.value for each in PLAYABLE]))
    found: dict[InteractionId, dict[QueueId, None]] = {}
    by_call: dict[InteractionId, QueueId] = {}
    for table in (schema.recordings, schema.interactions):
        query = select(table.c.interaction, table.c.queue).where(table.c.interaction.in_(having), table.c.queue.is_not(None))
        for number, queue in connection.execute(query):
            if table is schema.recordings:
                found.setdefault(number, {})[queue] = None
            else:
                by_call[number] = queue
    return {number: (queue,) for number, queue in by_call.items()} | {number: tuple(queues) for number, queues in found.items()}


def kept_files(connection: Connection, *, before: datetime | None = None) -> list[ArchiveFile]:
    """All that can be played, oldest first; those that began before a time."""
    table = schema.archive_files
    conditions: list[ColumnElement[bool]] = [table.c.state.in_([each.value for each in PLAYABLE])]
    if before is not None:
        conditions.append(table.c.began_at < before)
    query = select(table).where(*conditions).order_by(table.c.began_at, table.c.interaction, table.c.kind, table.c.part)
    return [archive_file(row) for row in connection.execute(query)]


TOLD_OF = (*PLAYABLE, FileState.LEAVING, FileState.GONE)
"""States of a file that is told of: what is still being made is not."""


def file_of_agent(
    connection: Connection, agent: AgentId, beside: KeptRecording | None = None, *, is_newer: bool = False
) -> ArchiveFile | None:
    """The newest file with the talks of a call in which the agent speaks, or the next one to `beside`; also one that was deleted."""
    table, told = schema.archive_files, schema.recordings
    speaks = exists().where(told.c.interaction == table.c.interaction, told.c.kind == TALK, told.c.agent == agent)
    order = (table.c.began_at, table.c.interaction, table.c.part)
    query = select(table).where(table.c.kind == TALK, table.c.state.in_([each.value for each in TOLD_OF]), speaks)
    if beside is not None:
        at = connection.execute(
            select(table.c.began_at).where(
                table.c.kind == TALK, table.c.interaction == beside.interaction, table.c.part == beside.part
            )
        ).scalar_one_or_none()
        if at is None:
            return None
        here = tuple_(literal(at, table.c.began_at.type), beside.interaction, beside.part)
        query = query.where(tuple_(*order) > here if is_newer else tuple_(*order) < here)
    directions = order if is_newer else tuple(each.desc() for each in order)
    row = connection.execute(query.order_by(*directions).limit(1)).one_or_none()
    return None if row is None else archive_file(row)


def speakers_of(connection: Connection, file: ArchiveFile) -> tuple[AgentId, ...]:
    """The agents whose stretches are in it, or were, in the order in which they came."""
    table = schema.recordings
    query = select(table.c.path, table.c.agent).where(table.c.interaction == file.interaction).order_by(table.c.number)
    return tuple(dict.fromkeys(agent for path, agent in connection.execute(query) if path in file.stretches))


def deletions_of(connection: Connection, interaction: InteractionId) -> list[Deletion]:
    table = schema.recording_deletions
    query = select(table).where(table.c.interaction == interaction).order_by(table.c.at, table.c.path)
    return [Deletion(**{each.name: getattr(row, each.name) for each in fields(Deletion)}) for row in connection.execute(query)]

"""Recordings by what is known of their calls."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from ccserver.core.ids import AgentId, DispositionId, InteractionId, QueueId
from ccserver.store import schema
from ccserver.store.archive import PLAYABLE, ArchiveFile, Hold, archive_file, holds
from ccserver.store.database import Store
from ccserver.store.history import called_by
from ccserver.store.persons import CLOSED, Opener

FOUND_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that is given must apply. `caller`: a number as in `find_calls`. Agent and queue: of any stretch, or of the
    call. Scores: of any answer of a survey about the call. MOS: of any of the call's lines. Silence: the share, 0 to 1, of either side."""

    interaction: InteractionId | None = None
    caller: str | None = None
    agent: AgentId | None = None
    queue: QueueId | None = None
    disposition: DispositionId | None = None
    since: datetime | None = None
    until: datetime | None = None
    longer_s: float | None = None
    shorter_s: float | None = None
    score_at_least: int | None = None
    score_at_most: int | None = None
    mos_at_most: float | None = None
    silence_at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecording:
    """A file that can be played, and its call. `caller_number` None: withheld, or the call is not in history."""

    file: ArchiveFile
    caller_number: str | None
    agents: tuple[AgentId, ...]
    queue: QueueId | None
    disposition: DispositionId | None
    hold: Hold | None


def search_recordings(store: Store, wanted: Wanted, limit: int = 100, opener: Opener = CLOSED) -> list[FoundRecording]:
    """The newest first, at most `limit`. Raises SQLAlchemyError."""
    with store.reading() as connection:
        return _search(connection, wanted, limit, opener)


def _search(connection: Connection, wanted: Wanted, limit: int, opener: Opener) -> list[FoundRecording]:
    files, calls, told = schema.archive_files, schema.interactions, schema.recordings
    conditions = _conditions(wanted)
    if wanted.caller is not None:
        conditions.append(called_by(connection, wanted.caller, opener))
    query = (
        select(files, calls.c.caller_number, calls.c.queue.label("of_queue"), calls.c.disposition.label("of_disposition"))
        .select_from(files.outerjoin(calls, files.c.interaction == calls.c.interaction))
        .where(files.c.state.in_([each.value for each in PLAYABLE]), *conditions)
        .order_by(files.c.began_at.desc(), files.c.interaction.desc(), files.c.kind.desc(), files.c.part)
        .limit(max(0, min(limit, FOUND_MAX)))
    )
    rows = opener.rows(connection, calls, connection.execute(query).all())
    held = holds(connection)
    found = []
    for row in rows:
        agents = select(told.c.agent).where(told.c.interaction == row.interaction, told.c.kind == row.kind)
        talkers = connection.execute(agents.order_by(told.c.number)).scalars()
        found.append(_found(row, tuple(dict.fromkeys(talkers)), held.get(row.interaction)))
    return found


def _found(row: Any, agents: tuple[AgentId, ...], hold: Hold | None) -> FoundRecording:
    return FoundRecording(
        file=archive_file(row),
        caller_number=row.caller_number,
        agents=agents,
        queue=row.of_queue,
        disposition=row.of_disposition,
        hold=hold,
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    files, calls, told, answers = schema.archive_files, schema.interactions, schema.recordings, schema.survey_answers
    of_this = told.c.interaction == files.c.interaction
    conditions: list[ColumnElement[bool]] = []
    if wanted.interaction is not None:
        conditions.append(files.c.interaction == wanted.interaction)
    if wanted.agent is not None:
        conditions.append(or_(calls.c.agent == wanted.agent, exists().where(of_this, told.c.agent == wanted.agent)))
    if wanted.queue is not None:
        conditions.append(or_(calls.c.queue == wanted.queue, exists().where(of_this, told.c.queue == wanted.queue)))
    if wanted.disposition is not None:
        conditions.append(calls.c.disposition == wanted.disposition)
    if wanted.since is not None:
        conditions.append(files.c.began_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(files.c.began_at < wanted.until)
    if wanted.longer_s is not None:
        conditions.append(files.c.duration_s >= wanted.longer_s)
    if wanted.shorter_s is not None:
        conditions.append(files.c.duration_s <= wanted.shorter_s)
    about = answers.c.interaction == files.c.interaction
    if wanted.score_at_least is not None or wanted.score_at_most is not None:
        low = wanted.score_at_least if wanted.score_at_least is not None else 0
        high = func.coalesce(wanted.score_at_most, 1_000)
        conditions.append(exists().where(about, answers.c.score >= low, answers.c.score <= high))
    lines = schema.leg_quality
    if wanted.mos_at_most is not None:
        conditions.append(exists().where(lines.c.interaction == files.c.interaction, lines.c.mos <= wanted.mos_at_most))
    if wanted.silence_at_least is not None:
        least = wanted.silence_at_least
        conditions.append(or_(files.c.silence_left >= least, files.c.silence_right >= least))
    return conditions

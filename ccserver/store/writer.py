"""The one writer of history: in order, in batches, on a thread of its own, and each record exactly once.

A batch's rows and the note how far they go (`projection`) are one transaction. A row that is there already, because it was
committed and the daemon died before it knew, is left as it is; a record that changes rows (`applied`) is applied only behind that note. So
whatever a replay tells twice is written once.

The database may stall, be locked or be full: `append` only ever puts into memory, the backlog grows, and the thread tries
again with growing pauses. The journal keeps the inputs of what is not written yet, so that not even a kill loses it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import cast

from sqlalchemy import Connection, Engine, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.sql.dml import Insert

from ccserver.core.ids import CommandId
from ccserver.core.records import NoticeRecord, Record
from ccserver.store import chain, schema
from ccserver.store.applied import Applied, apply
from ccserver.store.persons import Sealer, lock
from ccserver.store.rows import Cell, Row, row_of

BATCH_ROWS = 100
BATCH_S = 0.2
BATCH_ROWS_MAX = 1000
"""With a backlog: larger transactions, so that it shrinks sooner."""
KEY = ("run", "seq", "command_index")
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """One record on its way."""

    run: str
    command: CommandId
    record: Record
    is_awaited: bool = False
    """Somebody acts only when it is committed."""


class Writer:
    """Writes to `engine`, whose schema has been checked. `start` it, `append` from any one thread, `close` it.

    `on_error` hears, on the writer's thread, why a batch could not be written (it will be tried again; None when it worked
    again). `on_notices` hears there that notices have been committed, `on_committed` of each awaited record. `on_refused` hears of a
    record that no attempt can write; that is a fault of ours, and the others go on. `sealer` seals what identifies
    people.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_error: Callable[[Exception | None], None] | None = None,
        on_refused: Callable[[Told, Exception], None] | None = None,
        on_notices: Callable[[], None] | None = None,
        on_committed: Callable[[CommandId], None] | None = None,
        sealer: Sealer | None = None,
        batch_rows: int = BATCH_ROWS,
        batch_s: float = BATCH_S,
        batch_rows_max: int = BATCH_ROWS_MAX,
    ) -> None:
        self._engine = engine
        self._on_error = on_error
        self._on_refused = on_refused
        self._on_notices = on_notices
        self._on_committed = on_committed
        self._sealer = sealer
        self._batch_rows = batch_rows
        self._batch_s = batch_s
        self._batch_rows_max = batch_rows_max
        self._inserts: dict[Table, Insert] = {}
        self._sqlite_inserts: dict[Table, str] = {}
        self._queue: deque[Told] = deque()
        self._changed = threading.Condition()
        self._has_batch = threading.Event()
        self._is_hurried = False
        self._is_closing = False
        self._appended = 0
        self._settled = 0
        self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)
        self.written_rows = 0
        """Rows that this writer added; without those that were there already."""
        self.refused_rows = 0
        self.failed_batches = 0
        self.last_error: Exception | None = None
        """Why the newest attempt failed; None when it did not."""

    def start(self) -> None:
        self._thread.start()

    # --- for the driver -----------------------------------------------------------------------------------------------------
    def append(self, run: str, command: CommandId, record: Record, *, is_awaited: bool = False) -> None:
        """Take one record. Never waits for the database, never raises for its sake. One that is awaited is written at once."""
        with self._changed:
            self._queue.append(Told(run, command, record, is_awaited))
            self._appended += 1
            is_batch = is_awaited or len(self._queue) >= self._batch_rows
            if is_batch and not self._has_batch.is_set():
                self._has_batch.set()

    @property
    def backlog(self) -> int:
        """Records that are not committed yet."""
        return len(self._queue)

    def projected_seq(self, center_seq: int) -> int:
        """Up to which input the history is complete, if `center_seq` is the newest one whose records were appended."""
        with self._changed:
            return self._queue[0].command.seq - 1 if self._queue else center_seq

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was appended so far is committed. False: it is not, after `timeout_s`."""
        with self._changed:
            target = self._appended
            self._is_hurried = True
            self._has_batch.set()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Flush and end the thread. False: records are left, which the journal's replay will tell again."""
        is_flushed = self.flush(timeout_s) if self._thread.is_alive() else not self._queue
        with self._changed:
            self._is_closing = True
            self._has_batch.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return is_flushed

    # --- the thread ---------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        pause_s = 0.0
        while True:
            if pause_s:
                with self._changed:
                    if self._changed.wait_for(lambda: self._is_closing, pause_s):
                        return
            else:
                self._has_batch.wait(self._batch_s)
            with self._changed:
                batch = list(islice(self._queue, self._batch_rows_max))
                if not batch:
                    self._has_batch.clear()
                    self._is_hurried = False
                    if self._is_closing:
                        return
                    continue
            try:
                self._write(batch)
            except Exception as error:  # whatever a driver may raise: the thread must not end, and the batch stays
                self.failed_batches += 1
                self.last_error = error
                pause_s = min(RETRY_MAX_S, pause_s * 2 or RETRY_FIRST_S)
                self._tell(error)
                continue
            if pause_s:
                pause_s = 0.0
                self.last_error = None
                self._tell(None)
            self._settle(len(batch))
            if self._on_notices is not None and any(isinstance(told.record, NoticeRecord) for told in batch):
                self._on_notices()

    def _tell(self, error: Exception | None) -> None:
        if self._on_error is not None:
            self._on_error(error)

    def _settle(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._queue.popleft()
            self._settled += count
            if len(self._queue) < self._batch_rows and not (self._is_hurried and self._queue):
                self._has_batch.clear()
            self._changed.notify_all()

    def _write(self, batch: Sequence[Told]) -> None:
        """Commit the batch, or raise. Records that can never be written are told and left out."""
        try:
            self._commit(batch)
        except (DataError, IntegrityError, StatementError, ValueError, OverflowError) as error:
            # The database works but refuses a value. `StatementError` is also the parent of the errors of a database that does
            # not work at all; those are told apart by being `DBAPIError`s of other kinds.
            if not _blames_a_value(error):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                self._write(batch[:middle])
                self._write(batch[middle:])
                return
            self.refused_rows += 1
            if self._on_refused is not None:
                self._on_refused(batch[0], error)

    def _commit(self, batch: Sequence[Told]) -> None:
        tables: dict[Table, list[Row]] = {}
        changes: list[tuple[Told, Applied]] = []
        reached: dict[str, CommandId] = {}
        for told in batch:
            if isinstance(told.record, Applied):
                changes.append((told, told.record))
            else:
                table, row = row_of(told.run, told.command, told.record)
                tables.setdefault(table, []).append(row)
            reached[told.run] = max(told.command, reached.get(told.run, told.command))
        written: dict[str, int] = {}
        with self._engine.begin() as connection:
            if changes:
                lock(connection)
            places = _Places(connection, reached)
            if self._sealer is not None:
                self._sealer.seal(connection, tables, places.is_new_row)
            for table, told_rows in tables.items():
                rows = chain.extend(connection, told_rows) if table is schema.audit else told_rows
                for run in reached:
                    own = rows if len(reached) == 1 else [row for row in rows if row["run"] == run]
                    if own:
                        written[run] = written.get(run, 0) + self._insert(connection, table, own)
            for told, change in changes:
                if places.is_new(told.run, told.command):
                    apply(connection, change, None if self._sealer is None else self._sealer.vault)
            for run, command in reached.items():
                _note(connection, run, command, written.get(run, 0))
        self.written_rows += sum(written.values())
        if self._on_committed is not None:
            for told in batch:
                if told.is_awaited:
                    self._on_committed(told.command)

    def _insert(self, connection: Connection, table: Table, rows: list[Row]) -> int:
        if connection.dialect.name != "sqlite":
            statement = self._inserts.get(table)
            if statement is None:
                statement = self._inserts[table] = postgresql.insert(table).on_conflict_do_nothing(index_elements=KEY)
            return connection.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount
        # Past SQLAlchemy's handling of parameters, which costs more than SQLite itself: the statement is its, the values are ours.
        text = self._sqlite_inserts.get(table)
        if text is None:
            compiled = sqlite.insert(table).on_conflict_do_nothing(index_elements=KEY).compile(dialect=connection.dialect)
            text = self._sqlite_inserts[table] = str(compiled)
        values = [tuple([_sqlite_cell(cell) if cell.__class__ is datetime else cell for cell in row.values()]) for row in rows]
        return connection.exec_driver_sql(text, values, execution_options={"preserve_rowcount": True}).rowcount


def _sqlite_cell(cell: Cell) -> Cell:
    """A time as SQLAlchemy keeps it in SQLite: in UTC, without the zone, always with microseconds."""
    return cell.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(cell, datetime) else cell


def _blames_a_value(error: Exception) -> bool:
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, DataError | IntegrityError) or type(error) is StatementError
    return True


# Made once: putting a statement together costs more than executing it.
_PLACES = schema.projection
_OLD_PLACE = select(_PLACES.c.applied_seq, _PLACES.c.applied_index, _PLACES.c.rows_written).where(
    _PLACES.c.run == bindparam("this_run")
)
_FIRST_PLACE = _PLACES.insert().values(
    run=bindparam("this_run"),
    applied_seq=bindparam("new_seq"),
    applied_index=bindparam("new_index"),
    rows_written=bindparam("new_rows"),
)
_NEXT_PLACE = (
    _PLACES.update()
    .where(_PLACES.c.run == bindparam("this_run"))
    .values(applied_seq=bindparam("new_seq"), applied_index=bindparam("new_index"), rows_written=bindparam("new_rows"))
)


class _Places:
    """How far each run of a batch was in history before it. What is at or before that place was written."""

    def __init__(self, connection: Connection, runs: Iterable[str]) -> None:
        self._connection = connection
        self._runs = tuple(runs)

    @cached_property
    def _reached(self) -> dict[str, CommandId | None]:
        found: dict[str, CommandId | None] = {}
        for run in self._runs:
            place = self._connection.execute(_OLD_PLACE, {"this_run": run}).one_or_none()
            found[run] = None if place is None else CommandId(place.applied_seq, place.applied_index)
        return found

    def is_new(self, run: str, command: CommandId) -> bool:
        place = self._reached[run]
        return place is None or command > place

    def is_new_row(self, row: Row) -> bool:
        return self.is_new(str(row["run"]), CommandId(cast(int, row["seq"]), cast(int, row["command_index"])))


def _note(connection: Connection, run: str, command: CommandId, rows: int) -> None:
    """How far `run` is in history. It never goes back when a replay tells old records again."""
    old = connection.execute(_OLD_PLACE, {"this_run": run}).one_or_none()
    if old is not None:
        command = max(command, CommandId(old.applied_seq, old.applied_index))
        rows += old.rows_written
    seq, index = command
    values = {"this_run": run, "new_seq": seq, "new_index": index, "new_rows": rows}
    connection.execute(_FIRST_PLACE if old is None else _NEXT_PLACE, values)

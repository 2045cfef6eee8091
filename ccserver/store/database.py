"""The database: how it is opened, its schema's version, and whether what it holds is sound."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, exists, func, inspect, make_url, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from ccserver.core.ids import CommandId, InteractionId
from ccserver.core.records import VisitOutcome
from ccserver.store import chain, lead_schema, schema

SQLITE_BUSY_S = 2.0
"""How long a statement waits for another writer before it gives up. The writer tries again; a report tells its user."""


class SchemaMismatch(Exception):
    """The database has the schema of another version of ccserver. The text names the command that mends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """Something `Store.check` found. `mend` says what to do."""

    what: str
    mend: str


class Store:
    """The database at `url`, an SQLAlchemy URL (`sqlite:////var/lib/ccserver/history.db`, `postgresql+psycopg://…`).

    Opening makes no connection; an SQLite file that does not exist is made, readable for its owner alone. `busy_s`: of SQLite, how long
    a statement waits for another writer.
    """

    def __init__(self, url: str, *, busy_s: float = SQLITE_BUSY_S) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
                _make_file(parsed.database)
            self.engine: Engine = create_engine(parsed, connect_args={"timeout": busy_s})
            event.listen(self.engine, "connect", _prepare_sqlite)
        else:
            self.engine = create_engine(parsed, pool_pre_ping=True)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the database as it is at its first statement, while the writer goes on."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")  # by itself Python's driver begins only before it writes
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
            connection.rollback()

    # --- schema -----------------------------------------------------------------------------------------------------------
    def revision(self) -> str | None:
        """The schema's version; None for an empty database."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return found

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to this version (or up to an older one), keeping what is there. Doing it twice does nothing."""
        # Alembic takes a third as long to import as all else of the store, and is needed here alone.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def require_schema(self) -> None:
        """Raises SchemaMismatch unless the schema is the one this version works with."""
        found = self.revision()
        if found == schema.REVISION:
            return
        if found is None:
            raise SchemaMismatch("the database has no tables of ccserver yet: run `ccserver db upgrade`")
        if found > schema.REVISION:
            raise SchemaMismatch(
                f"the database has schema {found}, newer than this ccserver's {schema.REVISION}: install the newer ccserver again"
            )
        raise SchemaMismatch(
            f"the database has schema {found}, this ccserver needs {schema.REVISION}: stop it, run `ccserver db upgrade`"
        )

    # --- what a start needs -------------------------------------------------------------------------------------------------
    def first_free_interaction(self) -> InteractionId:
        """A number that no interaction in history has, nor any after it: for a daemon that lost its journal."""
        tables = [table for table in schema.HISTORY if "interaction" in table.c]
        with self.engine.connect() as connection:
            highest = [connection.execute(select(func.max(table.c.interaction))).scalar() for table in tables]
        return InteractionId(max((number for number in highest if number is not None), default=0) + 1)

    def highest_incarnation(self) -> int:
        """Of the runs that wrote history; 0 for none."""
        with self.engine.connect() as connection:
            runs = connection.execute(select(schema.projection.c.run)).scalars().all()
        return max((int(run.partition("-")[0]) for run in runs if run.partition("-")[0].isdecimal()), default=0)

    def applied(self, run: str) -> CommandId | None:
        """The last record of `run` that is in the tables, with all before it; None: nothing of it yet."""
        table = schema.projection
        with self.engine.connect() as connection:
            row = connection.execute(select(table.c.applied_seq, table.c.applied_index).where(table.c.run == run)).one_or_none()
        return None if row is None else CommandId(row.applied_seq, row.applied_index)

    # --- db check -----------------------------------------------------------------------------------------------------------
    def check(self) -> list[Unsound]:
        """What is wrong with the database, nothing if all is well: schema version, tables as they should be, the file's
        integrity (SQLite), history that agrees with itself. Reads all of it; raises SQLAlchemyError if it cannot."""
        try:
            self.require_schema()
        except SchemaMismatch as error:
            return [Unsound(what=str(error), mend="ccserver db upgrade")]
        damage = [*self._lacking_columns(), *self._damage()]
        return damage or list(self._contradictions())

    def _lacking_columns(self) -> Iterator[Unsound]:
        found = MetaData()
        found.reflect(self.engine, only=[name for name in schema.METADATA.tables if inspect(self.engine).has_table(name)])
        for name, table in schema.METADATA.tables.items():
            lacking = set(table.c.keys()) - (set(found.tables[name].c.keys()) if name in found.tables else set())
            if lacking:
                yield Unsound(
                    what=f"table {name} lacks {', '.join(sorted(lacking))}",
                    mend="somebody changed the tables by hand: restore the database from its backup",
                )

    def _damage(self) -> Iterator[Unsound]:
        if not self.is_sqlite:
            return
        try:
            with self.engine.connect() as connection:
                lines = [str(line) for line in connection.execute(text("PRAGMA integrity_check(20)")).scalars()]
        except OperationalError:
            raise  # busy, or no such disk: nothing is known
        except DatabaseError as error:
            lines = [str(error.orig)]
        for line in lines:
            if line != "ok":
                yield Unsound(what=f"the file is damaged: {line}", mend="restore the database from its backup")

    def _contradictions(self) -> Iterator[Unsound]:
        """Each of these is impossible by construction; found, it is a fault of ccserver or somebody's edit."""
        mend = "keep the journal and the database, and report this with `ccserver db check`'s output"
        visits, done = schema.queue_visits, schema.interactions
        with self.reading() as connection:
            known = [outcome.value for outcome in VisitOutcome]
            strange = connection.execute(
                select(func.count()).select_from(visits).where(visits.c.outcome.not_in(known))
            ).scalar()
            if strange:
                yield Unsound(what=f"{strange} queue visits have an outcome that totals do not know", mend=mend)
            in_time = visits.c.is_within_service_level.is_(True) & (visits.c.outcome != VisitOutcome.ANSWERED.value)
            wrong = connection.execute(select(func.count()).select_from(visits).where(in_time)).scalar()
            if wrong:
                yield Unsound(what=f"{wrong} queue visits are within the service level without an answer", mend=mend)
            for table, key in ((visits, ("interaction", "number")), (done, ("interaction",)), *_numbered()):
                columns = [table.c[name] for name in key]
                twice = select(func.count()).select_from(
                    select(*columns).group_by(*columns).having(func.count() > 1).subquery()
                )
                count = connection.execute(twice).scalar()
                if count:
                    yield Unsound(
                        what=f"{count} rows of {table.name} are there more than once by {' and '.join(key)}", mend=mend
                    )
            # All records of an interaction are told before or with its own.
            for table in (visits, schema.segments, schema.offers):
                latest = select(func.max(done.c.interaction)).scalar_subquery()
                orphans = (
                    select(func.count(table.c.interaction.distinct()))
                    .where(table.c.interaction < latest - ORPHANS_AFTER)
                    .where(~exists().where(done.c.interaction == table.c.interaction))
                )
                count = connection.execute(orphans).scalar()
                if count:
                    yield Unsound(
                        what=f"{count} old interactions have rows in {table.name} but none of their own",
                        mend="they were lost with the journal; their visits count in the totals nevertheless",
                    )
            numbers, leads = lead_schema.lead_numbers, lead_schema.leads
            nobodys = select(func.count()).select_from(numbers).where(~exists().where(leads.c.id == numbers.c.lead))
            count = connection.execute(nobodys).scalar()
            if count:
                yield Unsound(what=f"{count} numbers of leads belong to no lead", mend=mend)
            fault = chain.verify(connection).fault
            if fault:
                yield Unsound(
                    what=f"the audit log is not as it was written: {fault}",
                    mend="keep the database as it is, find out who wrote in it, and compare with its backup",
                )
            written = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar() or 0
                for table in schema.HISTORY
            }
            claimed = connection.execute(select(func.coalesce(func.sum(schema.projection.c.rows_written), 0))).scalar() or 0
            if sum(written.values()) != int(claimed):
                yield Unsound(
                    what=f"the tables hold {sum(written.values())} rows, the projection wrote {claimed}",
                    mend="rows were removed or added by hand: expected after a clean-up, else restore the database from its backup",
                )


ORPHANS_AFTER = 10_000
"""Interactions as far back as this from the newest are over."""


def _numbered() -> Iterator[tuple[Table, tuple[str, ...]]]:
    for table in (schema.segments, schema.offers, schema.recordings):
        yield table, ("interaction", "number")


def _make_file(path: str) -> None:
    """Only a file that is not there: to open and close one that this process has a connection to would take that connection's
    locks away (POSIX gives them up with the first descriptor that is closed), and another process could remove its WAL."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # reports read while the writer writes
    # Each commit is synced: the journal forgets what was committed, so a power cut must not take it back.
    cursor.execute("PRAGMA synchronous=FULL")
    # What is changed or deleted is overwritten with zeros at once: an erasure cannot find what was freed before it.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()

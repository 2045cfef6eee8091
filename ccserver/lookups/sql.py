"""Look-ups by SQL: one statement on a connection that cannot write, with bound parameters; its first row counts.

That it only reads is the database's promise, not the statement's: SQLite opens the file read-only (and is told `query_only`), PostgreSQL
begins each transaction as read-only. Both are told to stop when the time is over.
"""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Protocol, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ccserver.config.look_up_edges import SECRET
from ccserver.config.sql_text import Statement
from ccserver.core.expressions import Value
from ccserver.lookups.answers import Fields, LookUpFailed, place_of, plain

CONNECTIONS_MAX = 4
CONNECT_TIMEOUT_S = 2
"""PostgreSQL's own, in whole seconds; it takes no less."""
LOST_AFTER_MS = 10_000
"""What was sent and is not acknowledged for so long went into a line that is dead."""
_LOOK_EVERY = 1000
"""Instructions of SQLite's machine between two looks at the clock: some microseconds."""
_MAY_PASS = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_STOPPED = frozenset({"SQLITE_INTERRUPT", "57014"})


class Dialect(Protocol):
    """What differs between databases."""

    def engine(self) -> Engine: ...

    def prepare(self, connection: Connection, timeout_s: float) -> None:
        """Before the statement: it may take so long."""

    def written(self, statement: Statement) -> str:
        """With the parameters as the driver wants them."""


class Database:
    """One database. `first_row` may be called from several threads at once, `close` when none is in it."""

    def __init__(self, url: str, monotonic_s: Callable[[], float]) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._dialect: Dialect = Sqlite(parsed, monotonic_s) if self.is_sqlite else Postgresql(parsed)
        self._engine: Engine | None = None

    def first_row(
        self, statement: Statement, parameters: Mapping[str, Value], secret: bytearray | None, timeout_s: float
    ) -> Fields | None:
        """One try; None: no row. Raises LookUpFailed."""
        bound = {name: plain(value) for name, value in parameters.items()}
        if secret is not None:
            bound[SECRET] = secret.decode()  # drivers bind texts only: this one cannot be wiped, and is let go at once
        try:
            with self._opened().connect() as connection:
                self._dialect.prepare(connection, timeout_s)
                row = connection.exec_driver_sql(self._dialect.written(statement), bound).mappings().first()
        except DBAPIError as error:
            raise _failure(error) from None
        except (SQLAlchemyError, ImportError) as error:
            raise LookUpFailed(f"the database cannot be asked: {place_of(error)}") from None
        finally:
            bound.clear()
        return None if row is None else {str(name): _value(value) for name, value in row.items()}

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def _opened(self) -> Engine:
        if self._engine is None:  # on the thread: it imports the driver. Of two that are made at once the first costs nothing
            self._engine = self._dialect.engine()
        return self._engine


class Sqlite:
    """A connection for each asking: it costs little, and a file that was replaced by a newer one is seen."""

    def __init__(self, url: URL, monotonic_s: Callable[[], float]) -> None:
        self._address = f"file:{quote(url.database or '')}?mode=ro"
        self._monotonic_s = monotonic_s

    def engine(self) -> Engine:
        return create_engine("sqlite://", creator=self._connect, poolclass=NullPool, hide_parameters=True)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._address, uri=True, check_same_thread=False)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def prepare(self, connection: Connection, timeout_s: float) -> None:
        ends_at_s = self._monotonic_s() + timeout_s
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(timeout_s * 1000)}")
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        driver.set_progress_handler(lambda: self._monotonic_s() >= ends_at_s, _LOOK_EVERY)

    def written(self, statement: Statement) -> str:
        return statement.written(lambda name: f":{name}")


class Postgresql:
    """Connections are kept, and looked at before they are used."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def engine(self) -> Engine:
        return create_engine(
            self._url,
            pool_size=CONNECTIONS_MAX,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
            execution_options={"postgresql_readonly": True},
            connect_args={
                "options": "-c default_transaction_read_only=on",
                "connect_timeout": CONNECT_TIMEOUT_S,
                "tcp_user_timeout": LOST_AFTER_MS,
            },
        )

    def prepare(self, connection: Connection, timeout_s: float) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(timeout_s * 1000))}")

    def written(self, statement: Statement) -> str:
        return statement.written(lambda name: f"%({name})s", lambda text: text.replace("%", "%%"))


def _failure(error: DBAPIError) -> LookUpFailed:
    """In the database's own words where they repeat nothing but the statement: the rest may hold a value."""
    orig = error.orig
    code = str(getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None) or "")
    if code in _STOPPED:
        return LookUpFailed("no answer in time", may_pass=True)
    name = type(orig).__name__
    if code.startswith("SQLITE"):
        text = str(orig)
        words = f"{code} ({text})" if text.startswith("no such ") else code
        may_pass, is_down = code in _MAY_PASS, code != "SQLITE_ERROR"
    else:
        words = f"{name} ({code})" if code else name
        # Not reached, or shutting down; else it answered, and it is the statement or a value that it does not like.
        may_pass = is_down = code[:2] in ("08", "53", "57") or (not code and name in ("OperationalError", "InterfaceError"))
    return LookUpFailed(f"the database says {words}", may_pass=may_pass, is_down=is_down)


def _value(value: object) -> object:
    """Dates and decimals as the rest of the world writes them."""
    match value:
        case Decimal():
            return float(value)
        case datetime():
            return value.isoformat(" ", "minutes")
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("minutes")
        case _:
            return value

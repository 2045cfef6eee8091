"""Statements whose text is put together once and that go to the driver as they are: SQLAlchemy's handling of parameters, columns and rows
costs more than the database itself.

They are written as for PostgreSQL, with `:name` for a value and `= ANY(:name)` for one of many; SQLite, which locks the whole database
anyway, gets them without `FOR UPDATE`. What comes back are tuples of what the driver gives: `moment` reads its times.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_MANY = re.compile(r"= ANY\((:\w+)\)")
_NAME = re.compile(r":(\w+)")
_ROW_LOCK = re.compile(r" FOR UPDATE( SKIP LOCKED)?")

Given = str | int | float | bool | datetime | None | Sequence[str] | Sequence[int]
Row = tuple[Any, ...]


class Prepared:
    def __init__(self, text: str) -> None:
        self._sqlite = _ROW_LOCK.sub("", _MANY.sub(r"IN (SELECT value FROM json_each(\1))", text))
        self._postgresql = _NAME.sub(r"%(\1)s", text)

    def __call__(self, connection: Connection, **values: Given) -> list[Row]:
        """All rows, in the connection's transaction, which begins here if there is none. Raises SQLAlchemyError."""
        if not connection.in_transaction():
            connection.begin()
        if connection.dialect.name == "sqlite":
            return _rows(connection, self._sqlite, {name: _cell(value) for name, value in values.items()})
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return _rows(connection, self._postgresql, given)


def _rows(connection: Connection, text: str, given: dict[str, Any]) -> list[Row]:
    driver = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, given)
        return list(cursor.fetchall()) if cursor.description is not None else []
    except driver.Error as error:
        raise DBAPIError.instance(text, given, error, driver.Error, dialect=connection.dialect) from error
    finally:
        cursor.close()


def _cell(value: Given) -> Given:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")  # as SQLAlchemy keeps it
    return json.dumps(value) if isinstance(value, list | tuple) else value


def moment(cell: str | datetime | None) -> datetime | None:
    """A time as the driver gives it."""
    return None if cell is None else told_moment(cell)


def told_moment(cell: str | datetime) -> datetime:
    """The same of a column that is never empty."""
    if isinstance(cell, str):
        return datetime.fromisoformat(cell + "+00:00")
    return cell.astimezone(UTC)

"""Statements that go to the driver as they are: what comes back, what they belong to, and how they fail."""

from datetime import UTC, datetime

import pytest
from lead_desk import a_lead, a_list
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from ccserver.store.database import Store
from ccserver.store.prepared import Prepared, moment

ON_POSTGRESQL = True
AT = datetime(2026, 11, 28, 10, 0, 0, 250_000, tzinfo=UTC)
_STATES = Prepared("SELECT id, state, wake_at FROM leads WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED")
_WAIT = Prepared("UPDATE leads SET state = 'waiting', wake_at = :at WHERE id = ANY(:ids)")


def test_rows_come_back_as_they_are_in_the_database_with_their_times(store: Store) -> None:
    a_list(store, a_lead(1), a_lead(2), a_lead(3))
    with store.engine.begin() as connection:
        assert _WAIT(connection, at=AT, ids=(1, 3)) == []
        found = _STATES(connection, ids=[1, 2, 3, 4])
    assert [(lead, state, moment(at)) for lead, state, at in found] == [
        (1, "waiting", AT),
        (2, "ready", None),
        (3, "waiting", AT),
    ]
    assert _without(store) == []


def _without(store: Store) -> list[object]:
    with store.engine.connect() as connection:
        return list(_STATES(connection, ids=[]))


def test_they_are_of_the_transaction_and_begin_one(store: Store) -> None:
    a_list(store, a_lead(1))
    with store.engine.connect() as connection:
        _WAIT(connection, at=AT, ids=[1])
        connection.rollback()
        assert [state for _, state, _ in _STATES(connection, ids=[1])] == ["ready"]
        _WAIT(connection, at=AT, ids=[1])
        connection.commit()
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM leads")).scalar_one() == "waiting"


def test_what_fails_is_told_as_of_any_other_statement(store: Store) -> None:
    a_list(store, a_lead(1), a_lead(2))
    with store.engine.connect() as connection, pytest.raises((OperationalError, ProgrammingError)) as told:
        Prepared("SELECT 1 FROM no_such_table WHERE id = :id")(connection, id=7)
    assert "no_such_table" in str(told.value)
    with store.engine.connect() as connection, pytest.raises(IntegrityError):
        Prepared("UPDATE leads SET id = :id")(connection, id=1)
    with pytest.raises(SQLAlchemyError), store.engine.connect() as connection:
        Prepared("SELECT :x")(connection)
    assert [state for _, state, _ in _now(store)] == ["ready", "ready"], "and the connection is good for others"


def _now(store: Store) -> list[tuple[object, ...]]:
    with store.engine.connect() as connection:
        return _STATES(connection, ids=[1, 2])

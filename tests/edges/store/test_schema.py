"""The migrations make the tables that the code uses, and a daemon does not work on others."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from history_builders import one_of_each
from sqlalchemy import inspect, text

from ccserver.core.ids import CommandId
from ccserver.store import schema
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.rows import row_of


def test_the_migrations_make_the_schema(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.METADATA) == []
        made = {index["name"] for table in schema.METADATA.tables for index in inspect(connection).get_indexes(table)}
    assert made == {index.name for table in schema.METADATA.tables.values() for index in table.indexes}
    assert store.revision() == schema.REVISION
    assert store.check() == []


def test_the_key_is_the_table(store: Store) -> None:
    with store.engine.connect() as connection:
        made = dict(connection.execute(text("select name, sql from sqlite_master where type = 'table'")).all())
    assert all("WITHOUT ROWID" in made[table.name] for table in schema.HISTORY)


def test_an_upgrade_twice_changes_nothing(store: Store) -> None:
    store.upgrade()
    store.require_schema()


def test_opening_the_file_again_takes_no_locks_from_who_has_it_open(store: Store, tmp_path: Path) -> None:
    """POSIX: the first descriptor that is closed gives up all locks of the process; others then think that nobody is there."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("select * from projection").all()
        wal = tmp_path / "history.db-wal"
        before = wal.stat().st_ino
        Store(str(store.engine.url)).close()
        other = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from projection').fetchall(); c.close()"
        )
        subprocess.run([sys.executable, "-c", other, str(tmp_path / "history.db")], check=True)
        assert wal.exists() and wal.stat().st_ino == before, "the last one to leave removes it, and we have not left"


@pytest.mark.parametrize(("found", "says"), [(None, "ccserver db upgrade"), ("0000", "ccserver db upgrade"), ("9999", "newer")])
def test_another_schema_is_refused_with_the_command(tmp_path: Path, found: str | None, says: str) -> None:
    store = Store(f"sqlite:///{tmp_path}/history.db")
    if found is not None:
        store.upgrade()
        with store.engine.begin() as connection:
            connection.execute(text("update alembic_version set version_num = :found"), {"found": found})
    with pytest.raises(SchemaMismatch, match=says):
        store.require_schema()
    assert says in store.check()[0].what
    store.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new/history.db")
    store.upgrade()
    files = list((tmp_path / "new").iterdir())
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    store.close()


def test_commits_are_synced_and_readers_do_not_block(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.execute(text("pragma journal_mode")).scalar() == "wal"
        assert connection.execute(text("pragma synchronous")).scalar() == 2


def test_a_damaged_file_is_found(tmp_path: Path, store: Store) -> None:
    with store.engine.begin() as connection:
        for seq in range(2000):
            connection.execute(
                schema.faults.insert().values(
                    run="r", seq=seq, command_index=0, reason="x" * 200, at=schema.datetime.now(schema.UTC)
                )
            )
    store.close()
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as raw:
        raw.execute("pragma wal_checkpoint(truncate)")
    raw.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    found = Store(f"sqlite:///{path}").check()
    assert any("damaged" in each.what for each in found)


def test_a_dropped_column_is_found(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("alter table faults drop column reason"))
    assert [each.what for each in store._lacking_columns()] == ["table faults lacks reason"]


def test_rows_name_their_cells_in_the_order_of_the_columns() -> None:
    """The writer hands SQLite bare tuples."""
    tables = set()
    for index, record in enumerate(one_of_each()):
        table, row = row_of("000001-a", CommandId(1, index), record)
        assert list(row) == table.c.keys()
        tables.add(table)
    assert tables == set(schema.HISTORY)

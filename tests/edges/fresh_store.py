"""Databases with the schema of now. All its revisions take a while, so they run once; each test begins with a copy of what they made."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine, make_url

from ccserver.store.database import Store


def fresh_store(url: str, *, busy_s: float | None = None) -> Store:
    """An SQLite database, new at `url`, as `Store.upgrade` makes it of nothing."""
    store = Store(url) if busy_s is None else Store(url, busy_s=busy_s)
    file = make_url(url).database
    assert file is not None and Path(file).stat().st_size == 0, "only what is empty is replaced"
    shutil.copyfile(_made_once(), file)
    return store


@cache
def _made_once() -> Path:
    folder = Path(mkdtemp(prefix="ccserver-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "history.db"
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    store.close()
    return file


class PostgresTemplate:
    """On a server of our own: `fresh` is a database as the revisions made it, whatever the last test left there."""

    def __init__(self, url: str) -> None:
        self._server = create_engine(url, isolation_level="AUTOCOMMIT")
        self._url = make_url(url)
        self._run("CREATE DATABASE made_once")
        store = Store(self._named("made_once"))
        store.upgrade()
        store.close()

    def fresh(self) -> Store:
        self._run("DROP DATABASE IF EXISTS history WITH (FORCE)")
        self._run("CREATE DATABASE history TEMPLATE made_once")
        return Store(self._named("history"))

    def close(self) -> None:
        self._server.dispose()

    def _named(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with self._server.connect() as connection:
            connection.exec_driver_sql(statement)

"""What is deleted from an SQLite file is overwritten there, and in its write-ahead log."""

from sqlalchemy import Engine, text


class StillBusy(Exception):
    """The database is being read: what was overwritten is not out of its files yet. Ask again."""


def overwrite(engine: Engine) -> None:
    """SQLite: bring what was overwritten into the database's file, and empty the write-ahead log, which has the old pages.

    Raises StillBusy, SQLAlchemyError.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        # it waits for readers as long as for any lock
        busy = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]
    if busy:
        raise StillBusy(
            "the database is being read just now, so its write-ahead log still has old pages: run the same command again"
        )

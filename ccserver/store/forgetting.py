"""Rows of history that go by their age, in batches, so that whoever writes meanwhile is not kept waiting."""

from collections import Counter
from datetime import datetime

from sqlalchemy import Engine, Table, select

from ccserver.store import schema

AT_ONCE = 500


def forget_history(engine: Engine, table: Table, before: datetime) -> int:
    """Those of a table of history that are `at` a time before that one; how many."""
    key = (table.c.run, table.c.seq, table.c.command_index)
    places = schema.projection
    count = 0
    while True:
        with engine.begin() as connection:
            keys = connection.execute(select(*key).where(table.c.at < before).limit(AT_ONCE)).all()
            # What the projection wrote must go on to agree with what is there.
            for run, rows in Counter(each.run for each in keys).items():
                written = places.c.rows_written - rows
                connection.execute(places.update().where(places.c.run == run).values(rows_written=written))
            for each in keys:
                here = (table.c.run == each.run, table.c.seq == each.seq, table.c.command_index == each.command_index)
                connection.execute(table.delete().where(*here))
        count += len(keys)
        if len(keys) < AT_ONCE:
            return count

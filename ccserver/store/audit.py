"""Acts on what is kept, by the command line and by the daemon itself: rows of the audit log that no record of the core makes."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from ccserver.store import chain, schema
from ccserver.store.database import Store
from ccserver.store.persons import Sealer
from ccserver.store.rows import Row, text

RUN = "access"
"""In the place of a run's name: rows that were told by no daemon's core."""


def append(
    connection: Connection,
    *,
    by: str,
    act: str,
    what: str,
    is_done: bool,
    at: datetime,
    interaction: int | None = None,
    agent: str | None = None,
    sealer: Sealer | None = None,
) -> None:
    """One row more, counted as the writer counts its own. Within the transaction of `connection`, so that an act that is undone leaves
    no row. `sealer` seals numbers that stand in `what`. Raises SQLAlchemyError."""
    table, places = schema.audit, schema.projection
    count = connection.execute(
        places.update().where(places.c.run == RUN).values(rows_written=places.c.rows_written + 1)
    ).rowcount
    if not count:
        connection.execute(places.insert().values(run=RUN, applied_seq=0, applied_index=0, rows_written=1))
    last = connection.execute(select(func.max(table.c.seq)).where(table.c.run == RUN)).scalar() or 0
    row: Row = {
        "run": RUN,
        "seq": last + 1,
        "command_index": 0,
        "by": text(by),
        "act": text(act),
        "what": text(what),
        "is_done": is_done,
        "at": at,
        "interaction": interaction,
        "agent": text(agent),
    }
    if sealer is not None:
        sealer.seal(connection, {table: [row]}, lambda _: True)
    connection.execute(table.insert(), chain.extend(connection, [row]))


def record_access(
    store: Store,
    *,
    by: str,
    act: str,
    what: str,
    is_done: bool = True,
    interaction: int | None = None,
    agent: str | None = None,
    sealer: Sealer | None = None,
) -> None:
    """As `append`, at once and by itself: that somebody heard, exported, deleted or held a recording."""
    with store.engine.begin() as connection:
        append(
            connection,
            by=by,
            act=act,
            what=what,
            is_done=is_done,
            at=datetime.now(UTC),
            interaction=interaction,
            agent=agent,
            sealer=sealer,
        )

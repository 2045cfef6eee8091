"""`ccserver audit`: who did what, and whether the log of it is as it was written."""

from datetime import UTC, datetime

import click

from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, at_a_place, fail, from_history, from_opened_history, safe, table
from ccserver.store import chain
from ccserver.store.chain import Head, NoHead, Verified
from ccserver.store.database import Store
from ccserver.store.history import CALLS_MAX, audit_log


@root.group()
def audit() -> None:
    """What supervisors and operators did."""


@audit.command("list")
@at_a_place
@click.option("--by", help="Only of this account, or `agent NUMBER`.")
@click.option("--since", type=click.DateTime(), help="From then on (UTC).")
@click.option("--limit", type=click.IntRange(1, CALLS_MAX), default=100, show_default=True)
def list_audit(*, place: Place, by: str | None, since: datetime | None, limit: int) -> None:
    """List the acts, the newest first."""
    from_utc = since.replace(tzinfo=UTC) if since else None
    found = from_opened_history(
        place, lambda store, opener: audit_log(store, since=from_utc, by=by, limit=limit, opener=opener)
    )
    head = ("when (UTC)", "by", "act", "what", "")
    rows = [
        (
            datetime.fromtimestamp(one.at_utc_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S"),
            safe(one.by),
            safe(one.act),
            safe(one.what),
            "" if one.is_done else "refused",
        )
        for one in found
    ]
    place.show(found, lambda: table(head, rows) if rows else "none found")


@audit.command()
@at_a_place
@click.option("--expect", metavar="POSITION:DIGEST", help="A head that was noted elsewhere: it must still be in the log.")
def verify(place: Place, expect: str | None) -> None:
    """Read the whole log and see that no row was changed, taken out, put in, moved or cut off; else name the first one that was.

    Who may write the database could make up a whole new log: only a head that is kept elsewhere tells, see `audit head`.
    """
    try:
        expected = None if expect is None else Head.parse(expect)
    except NoHead as error:
        fail(str(error), NOT_DONE)

    def read(store: Store) -> Verified:
        with store.reading() as connection:
            return chain.verify(connection, expected)

    found = from_history(place, read)
    place.show(
        {"ok": not found.fault, "rows": found.rows, "head": str(found.head), "fault": found.fault},
        lambda: found.fault or f"all {found.rows} rows fit; the head is {found.head}",
    )
    if found.fault:
        raise SystemExit(NOT_DONE)


@audit.command()
@at_a_place
def head(place: Place) -> None:
    """Print the head of the log, POSITION:DIGEST, to be kept elsewhere: by it `audit verify --expect` finds a log that was cut off."""

    def read(store: Store) -> Head:
        with store.engine.connect() as connection:
            return chain.head(connection)

    end = from_history(place, read)
    place.show({"position": end.position, "digest": end.digest, "head": str(end)}, lambda: str(end))

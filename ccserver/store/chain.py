"""The audit log as one chain: each row has a place (1, 2, 3 …) and a digest over its own content and the digest before it.

A row that is changed, missing, put in or moved makes the digests from there on wrong. What a chain cannot tell by itself is that its
end was cut off, so the newest place is kept beside it (`audit_head`), and can be noted elsewhere and compared later. Triggers in the
database refuse to change or delete a row, so that it takes intent.

Several processes write: the daemon and the commands. Whoever extends the chain first locks its head to the end of the transaction.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, exists, func, select

from ccserver.store import schema
from ccserver.store.rows import Row

BEGINNING = hashlib.sha256(b"ccserver audit log").hexdigest()
"""The digest before the first row."""
CHAINED = ("run", "seq", "command_index", "by", "act", "what", "is_done", "at", "interaction", "agent")
ROWS_AT_ONCE = 1000
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


class NoHead(ValueError):
    """The text is no head of a chain."""


class Broken(Exception):
    """The log is not as it was written. The text names the first row that is not."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, or a place in it."""

    position: int
    digest: str

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Raises NoHead."""
        match = _HEAD.fullmatch(text)
        if match is None:
            raise NoHead(
                f"{text[:100]!r} is no head of the audit log: it reads POSITION:DIGEST, as `ccserver audit head` prints it"
            )
        return cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """`fault`: the first thing that does not fit; "" when all does. `rows` fitted before it."""

    rows: int
    head: Head
    fault: str


def digest_of(previous: str, position: int, row: Mapping[str, object]) -> str:
    """Of the row at `position`, by what is stored of it."""
    cells = [_plain(row[name]) for name in CHAINED]
    content = json.dumps([position, *cells], separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


def _plain(cell: object) -> object:
    return cell.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(cell, datetime) else cell


def locked_head(connection: Connection) -> Head:
    """The end of the chain, which nobody else extends before this transaction ends. Raises SQLAlchemyError."""
    table = schema.audit_head
    # Writing takes the lock, in SQLite that of the whole database: whatever is read after it stays true.
    count = connection.execute(table.update().values(position=table.c.position)).rowcount
    if not count:
        connection.execute(table.insert().values(id=1, position=0, digest=BEGINNING))
    return head(connection)


def head(connection: Connection) -> Head:
    """The end of the chain as it was noted."""
    table = schema.audit_head
    row = connection.execute(select(table.c.position, table.c.digest)).one_or_none()
    return Head(0, BEGINNING) if row is None else Head(row.position, row.digest)


def extend(connection: Connection, rows: Iterable[Row]) -> list[Row]:
    """Those of `rows` that are not there yet, each with its place: to be inserted in this transaction, all of them."""
    end = locked_head(connection)
    table, placed, seen = schema.audit, [], set()
    for row in rows:
        key = row["run"], row["seq"], row["command_index"]
        here = (table.c.run == key[0], table.c.seq == key[1], table.c.command_index == key[2])
        if key in seen or connection.execute(select(exists().where(*here))).scalar_one():
            continue
        seen.add(key)
        position = end.position + 1
        end = Head(position, digest_of(end.digest, position, row))
        placed.append(row | {"position": position, "digest": end.digest})
    if placed:
        connection.execute(schema.audit_head.update().values(position=end.position, digest=end.digest))
    return placed


def verify(connection: Connection, expected: Head | None = None) -> Verified:
    """Read the whole chain, a thousand rows at a time. `expected`: a head that was noted before, which must still be in it."""
    table = schema.audit
    rows, end = 0, Head(0, BEGINNING)

    def broken(fault: str) -> Verified:
        return Verified(rows=rows, head=end, fault=fault)

    if expected is not None and expected.position == 0 and expected.digest != BEGINNING:
        return broken("the head that was noted is of another audit log: it has no rows and another beginning")
    while True:
        query = select(table).where(table.c.position > end.position).order_by(table.c.position).limit(ROWS_AT_ONCE)
        found = connection.execute(query).mappings().all()
        for row in found:
            position = end.position + 1
            if row["position"] != position:
                return broken(f"row {position} is missing: the next one there is row {row['position']}")
            digest = digest_of(end.digest, position, dict(row))
            if digest != row["digest"]:
                named = (
                    f"{row['act']} at {row['at']:%Y-%m-%d %H:%M:%S} UTC, key {row['run']}:{row['seq']}:{row['command_index']}"
                )
                return broken(f"row {position} does not fit: it was changed, moved or put in ({named})")
            end, rows = Head(position, digest), rows + 1
            if expected is not None and expected.position == position and expected.digest != digest:
                return broken(f"row {position} is not the one whose digest was noted: this is another audit log, made up later")
        if len(found) < ROWS_AT_ONCE:
            break
    strays = connection.execute(select(func.count()).select_from(table).where(table.c.position < 1)).scalar_one()
    if strays:
        return broken(f"{strays} rows are in no place of the chain: they were put in by hand")
    noted = head(connection)
    if noted.position > end.position:
        return broken(f"row {end.position + 1} is missing: the log was cut off there, it had {noted.position} rows")
    if noted != end:
        return broken(f"row {noted.position + 1} and what follows was put in by hand: the log had {noted.position} rows")
    if expected is not None and expected.position > end.position:
        return broken(
            f"row {end.position + 1} is missing: the log was cut off there, it had {expected.position} rows when that was noted"
        )
    return Verified(rows=rows, head=end, fault="")

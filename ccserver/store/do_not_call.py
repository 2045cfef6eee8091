"""Numbers that are not called, by any campaign or by one: whoever asked for it, in whichever way.

An entry outlives the erasure of the person. Its number is then replaced by a keyed hash (HMAC-SHA256), whose key is wrapped by the master
key like that of a person, so that who has the database alone cannot try all numbers. Looking a number up finds both.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ccserver.core.dialer.gate import E164
from ccserver.core.ids import InteractionId
from ccserver.core.records import DoNotCallSource
from ccserver.store import audit, schema
from ccserver.store.lead_schema import do_not_call
from ccserver.store.persons import NUMBER, Sealer, lock
from ccserver.store.prepared import Prepared, told_moment
from ccserver.store.vault import BadSeal, NoMasterKey, Person, Vault

ALL = ""
"""In the place of a campaign's name."""
NOTE_MAX = 200
ASKED_AT_ONCE = 400
_HASHED = "hash:v1:"
_KEY_OWNER = "d0d0d0d0d0d0d0d0"
"""The row of `persons` whose key makes the hashes: no person, but rotated and proven like one."""
_CAMPAIGN = re.compile(r"[a-z0-9_.-]{0,60}", re.ASCII)


class BadEntry(Exception):
    """Not put on the list. The text says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`number` None: of a person who was erased. `campaign` None: all of them."""

    number: str | None
    campaign: str | None
    source: DoNotCallSource
    at: datetime
    by: str
    note: str
    interaction: InteractionId | None = None
    """In which they asked."""


class Hasher:
    """Makes the hash of a number that stays behind when the person is erased."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, number: str) -> str:
        return _HASHED + hmac.digest(self._key, number.encode(), "sha256").hex()


_KEY = Prepared("SELECT key_id, wrapped_key FROM persons WHERE id = :owner")


def hasher(connection: Connection, vault: Vault | None) -> Hasher | None:
    """None: nobody was ever erased whose number is on a list. Raises NoMasterKey, BadSeal."""
    rows = _KEY(connection, owner=_KEY_OWNER)
    if not rows:
        return None
    if vault is None:
        raise NoMasterKey(
            "numbers of erased persons are on the list of those that are not called, and the key by which they are known is not here: "
            "name its file in privacy.key_file"
        )
    ((key_id, wrapped),) = rows
    return _hasher(vault.unwrap(_KEY_OWNER, key_id, wrapped))


def make_hasher(connection: Connection, vault: Vault) -> Hasher:
    """The same, made when it is needed for the first time."""
    lock(connection)
    found = hasher(connection, vault)
    if found is not None:
        return found
    owner = Person(_KEY_OWNER, vault.new_person().key)
    connection.execute(
        schema.persons.insert().values(
            id=owner.id,
            number_index=None,
            key_id=vault.key_id,
            wrapped_key=vault.wrap(owner),
            number=owner.seal("do-not-call", NUMBER),
            created_at=datetime.now(UTC),
            erased_at=None,
        )
    )
    return _hasher(owner)


def _hasher(owner: Person) -> Hasher:
    return Hasher(hmac.digest(owner.key, b"ccserver do-not-call", "sha256"))


# --- changing -----------------------------------------------------------------------------------------------------------
def add(
    connection: Connection,
    numbers: Sequence[str],
    *,
    source: DoNotCallSource,
    by: str,
    campaign: str | None = None,
    note: str = "",
    at: datetime | None = None,
) -> int:
    """Put numbers on the list; how many were not there. An entry that is there stays as it was. Raises BadEntry."""
    _require(numbers, campaign, note)
    lock(connection)
    place = campaign or ALL
    added = 0
    for part in _parts(list(dict.fromkeys(numbers))):
        here = (do_not_call.c.number.in_(part), do_not_call.c.campaign == place)
        there = set(connection.execute(select(do_not_call.c.number).where(*here)).scalars())
        when = at or datetime.now(UTC)
        rows = [
            {"number": number, "campaign": place, "source": source.value, "at": when, "by": by, "note": note}
            for number in part
            if number not in there
        ]
        if rows:
            connection.execute(insert(do_not_call), rows)
        added += len(rows)
    return added


def keep(connection: Connection, entries: Iterable[Mapping[str, Any]], vault: Vault | None) -> int:
    """Entries that the core told (`rows`), in the transaction that writes its records; how many were not there.

    Of a number whose person was erased the hash is enough.
    """
    lock(connection)
    hashes = _hashes_if_any(connection, vault)
    added = 0
    for entry in entries:
        if hashes is not None:
            there = (do_not_call.c.number == hashes.of(entry["number"]), do_not_call.c.campaign == entry["campaign"])
            if connection.execute(select(do_not_call.c.number).where(*there)).first() is not None:
                continue
        insert_of = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement = insert_of(do_not_call).values(**entry).on_conflict_do_nothing(index_elements=["number", "campaign"])
        added += connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    return added


def _hashes_if_any(connection: Connection, vault: Vault | None) -> Hasher | None:
    """Without the key, or with a damaged one, the number is put on the list once more: that nobody is called does not wait for a key."""
    try:
        return hasher(connection, vault)
    except (NoMasterKey, BadSeal):
        return None


def _require(numbers: Iterable[str], campaign: str | None, note: str) -> None:
    for number in numbers:
        if not E164.fullmatch(number):
            raise BadEntry(f"{number[:40]!r} is no number in E.164, for example +34600111222")
    if not _CAMPAIGN.fullmatch(campaign or ""):
        raise BadEntry("a campaign is named by at most 60 lower-case letters, digits and . _ -")
    if len(note) > NOTE_MAX or not note.isprintable():
        raise BadEntry(f"a note has at most {NOTE_MAX} printable characters")


def remove(connection: Connection, number: str, campaign: str | None, hashes: Hasher | None) -> int:
    """Take it off the list, of this campaign or of all; how many entries went."""
    here = (do_not_call.c.number.in_(_written(number, hashes)), do_not_call.c.campaign == (campaign or ALL))
    return connection.execute(delete(do_not_call).where(*here)).rowcount


def by_hand(
    engine: Engine,
    number: str,
    *,
    is_listed: bool,
    campaign: str | None,
    source: DoNotCallSource,
    note: str,
    by: str,
    vault: Vault | None,
) -> bool:
    """What a person does at the command line, with its row of the audit log, or neither. False: it was so already. Raises BadEntry,
    SQLAlchemyError."""
    with engine.begin() as connection:
        lock(connection)
        if is_listed:
            count = add(connection, [number], source=source, by=by, campaign=campaign, note=note)
        else:
            _require([number], campaign, note)
            count = remove(connection, number, campaign, hasher(connection, vault))
        audit.append(
            connection,
            by=by,
            act="do_not_call_add" if is_listed else "do_not_call_remove",
            what=f"{number} {'for ' + campaign if campaign else 'for all campaigns'}",
            is_done=count > 0,
            at=datetime.now(UTC),
            sealer=None if vault is None else Sealer(vault),
        )
        return count > 0


def forget(connection: Connection, number: str, vault: Vault) -> int:
    """Within an erasure: of the entries of a number nothing is left but a hash. How many there are."""
    rows = connection.execute(select(do_not_call.c.campaign).where(do_not_call.c.number == number)).scalars().all()
    if not rows:
        return 0
    hashed = make_hasher(connection, vault).of(number)
    for campaign in rows:
        there = (do_not_call.c.number == hashed, do_not_call.c.campaign == campaign)
        connection.execute(delete(do_not_call).where(*there))  # an earlier erasure of the same number
        here = (do_not_call.c.number == number, do_not_call.c.campaign == campaign)
        connection.execute(update(do_not_call).where(*here).values(number=hashed, note=""))
    return len(rows)


# --- looking up ---------------------------------------------------------------------------------------------------------
_OF_NUMBERS = Prepared(
    'SELECT number, campaign, source, at, "by", note, interaction FROM do_not_call '
    "WHERE number = ANY(:numbers) ORDER BY number, campaign"
)


def listed(connection: Connection, numbers: Sequence[str], hashes: Hasher | None) -> dict[str, tuple[Listed, ...]]:
    """The entries of each number that has any, whatever the campaign."""
    found: dict[str, list[Listed]] = {}
    for part in _parts(numbers):
        of = {written: number for number in part for written in _written(number, hashes)}
        for row in _OF_NUMBERS(connection, numbers=list(of)):
            found.setdefault(of[row[0]], []).append(_listed(row))
    return {number: tuple(entries) for number, entries in found.items()}


def entries(
    connection: Connection, *, campaign: str | None = None, after: tuple[str, str] = ("", ""), limit: int = 1000
) -> list[Any]:
    """A page of them: rows in the order of their keys."""
    table = do_not_call.c
    query = select(do_not_call).order_by(table.number, table.campaign).limit(limit)
    query = query.where((table.number > after[0]) | ((table.number == after[0]) & (table.campaign > after[1])))
    if campaign is not None:
        query = query.where(table.campaign == campaign)
    return list(connection.execute(query).all())


def shown(row: Any) -> Listed:
    return _listed(row)


def _listed(row: Sequence[Any]) -> Listed:
    """Of a row with the cells of the table, in its order."""
    number, campaign, source, at, by, note, interaction = row
    return Listed(
        number=None if number.startswith(_HASHED) else number,
        campaign=campaign or None,
        source=DoNotCallSource(source),
        at=told_moment(at),
        by=by,
        note=note,
        interaction=interaction,
    )


def _written(number: str, hashes: Hasher | None) -> list[str]:
    return [number] if hashes is None else [number, hashes.of(number)]


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(values), ASKED_AT_ONCE):
        yield values[first : first + ASKED_AT_ONCE]

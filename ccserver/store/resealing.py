"""Sealing what was written before the key was set, giving persons another master key, and seeing that all of it opens.

Each works in batches, each batch in a transaction: killed and done again, it goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, select, text, tuple_

from ccserver.store import audit, chain, personal, schema
from ccserver.store.chain import BEGINNING, Head, digest_of
from ccserver.store.pages import overwrite
from ccserver.store.personal import PERSONAL
from ccserver.store.persons import NUMBER, Sealer, lock
from ccserver.store.rows import Row
from ccserver.store.vault import PREFIX, TOKEN, BadSeal, NoMasterKey, Person, Vault

BATCH = 500
KEY = ("run", "seq", "command_index")
_PERSONS = schema.persons.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """`audit_before`: the head of the audit log when it was chained anew, since rows of it had numbers; None: it was not."""

    rows: int
    audit_before: Head | None


def seal_history(engine: Engine, vault: Vault, by: str, on_batch: Callable[[int], None] = lambda _: None) -> Resealed:
    """Seal all rows that are not. `on_batch` hears how many have been so far. Raises NoMasterKey, StillBusy, SQLAlchemyError."""
    sealer, count = Sealer(vault), 0
    for table in PERSONAL:
        if table is schema.audit:
            continue
        after: tuple[Any, ...] | None = None
        while True:
            with engine.begin() as connection:
                lock(connection)
                rows = _page(connection, table, after)
                count += _seal(connection, table, rows, sealer)
            on_batch(count)
            if len(rows) < BATCH:
                break
            after = tuple(rows[-1][name] for name in KEY)
    with engine.begin() as connection:
        lock(connection)
        before, changed = _chain_anew(connection, sealer, by)
    overwrite(engine)
    return Resealed(rows=count + changed, audit_before=before)


def _page(connection: Connection, table: Table, after: tuple[Any, ...] | None) -> list[Row]:
    key = tuple_(*(table.c[name] for name in KEY))
    query = select(table).order_by(*(table.c[name] for name in KEY)).limit(BATCH)
    if after is not None:
        query = query.where(key > tuple_(*after))
    return [dict(row) for row in connection.execute(query).mappings()]


def _seal(connection: Connection, table: Table, rows: list[Row], sealer: Sealer) -> int:
    before = [dict(row) for row in rows]
    sealer.seal(connection, {table: rows}, lambda _: True)
    changed = 0
    for old, new in zip(before, rows, strict=True):
        if old != new:
            here = (table.c[name] == old[name] for name in KEY)
            connection.execute(table.update().where(*here).values({name: new[name] for name in new if old[name] != new[name]}))
            changed += 1
    return changed


# --- the audit log ------------------------------------------------------------------------------------------------------
def _chain_anew(connection: Connection, sealer: Sealer, by: str) -> tuple[Head | None, int]:
    """Seal the numbers in it and make all digests again, in one transaction. That it was done, and from which head, is its next row."""
    if not any(_has_number(row) for row in _audit(connection)):
        return None, 0
    before = chain.locked_head(connection)
    fault = chain.verify(connection).fault
    if fault:
        raise chain.Broken(f"the audit log is not as it was written, so it is not chained anew: {fault}")
    guards = _without_guards(connection)
    end, changed = Head(0, BEGINNING), 0
    table = schema.audit
    for row in _audit(connection):
        old = dict(row)
        sealer.seal(connection, {table: [row]}, lambda _: True)
        changed += row["what"] != old["what"]
        end = Head(end.position + 1, digest_of(end.digest, end.position + 1, row))
        here = (table.c[name] == row[name] for name in KEY)
        connection.execute(table.update().where(*here).values(what=row["what"], digest=end.digest))
    connection.execute(schema.audit_head.update().values(position=end.position, digest=end.digest))
    for statement in guards:
        connection.execute(text(statement))
    what = f"{changed} rows of the audit log sealed, and it was chained anew; its head before was {before}"
    audit.append(connection, by=by, act="audit_chained_anew", what=what, is_done=True, at=datetime.now(UTC))
    return before, changed


def _audit(connection: Connection) -> Iterator[Row]:
    table, position = schema.audit, 0
    while True:
        query = select(table).where(table.c.position > position).order_by(table.c.position).limit(BATCH)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        yield from rows
        if len(rows) < BATCH:
            return
        position = rows[-1]["position"]


def _has_number(row: Row) -> bool:
    return any(True for _ in personal.numbers_in(row, "what"))


def _without_guards(connection: Connection) -> list[str]:
    """Take the triggers of the audit log away for this transaction; the statements that bring them back."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        return ["ALTER TABLE audit ENABLE TRIGGER USER"]
    found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")).all()
    for name, _ in found:
        connection.execute(text(f"DROP TRIGGER {name}"))
    return [statement for _, statement in found]


# --- master keys --------------------------------------------------------------------------------------------------------
def rotate(engine: Engine, vault: Vault) -> tuple[int, list[str]]:
    """Have the present master key alone wrap each person's key; how many were given it, and what is wrong with others.

    Raises SQLAlchemyError.
    """
    changed, faults, after = 0, [], ""
    while True:
        with engine.begin() as connection:
            lock(connection)
            here = (_PERSONS.id > after, _PERSONS.wrapped_key.is_not(None), _PERSONS.key_id != vault.key_id)
            rows = connection.execute(select(schema.persons).where(*here).order_by(_PERSONS.id).limit(BATCH)).all()
            for row in rows:
                try:
                    person = vault.unwrap(row.id, row.key_id, row.wrapped_key)
                    index = None if row.number_index is None else vault.index(_number(person, row.number))
                except (BadSeal, NoMasterKey) as error:
                    faults.append(str(error))
                    continue
                given = {"key_id": vault.key_id, "wrapped_key": vault.wrap(person), "number_index": index}
                connection.execute(schema.persons.update().where(_PERSONS.id == row.id).values(given))
                changed += 1
        if len(rows) < BATCH:
            break
        after = rows[-1].id
    if changed:
        overwrite(engine)
    return changed, faults


def _number(person: Person, cell: str) -> str:
    """Raises BadSeal."""
    match = TOKEN.fullmatch(cell)
    if match is None:
        raise BadSeal(f"the number of person {person.id} was changed, moved or cut")
    return person.open(match[2], NUMBER)


# --- proving ------------------------------------------------------------------------------------------------------------
def verify(connection: Connection, vault: Vault) -> tuple[int, list[str]]:
    """Open all that is sealed; how many values do, and what is wrong with others. Of persons who were erased nothing opens."""
    faults: list[str] = []
    persons: dict[str, Person | None] = {}
    for one in connection.execute(select(schema.persons).order_by(_PERSONS.id)):
        persons[one.id] = None
        if one.wrapped_key is not None:
            try:
                persons[one.id] = vault.unwrap(one.id, one.key_id, one.wrapped_key)
                _number(vault.unwrap(one.id, one.key_id, one.wrapped_key), one.number)
            except (BadSeal, NoMasterKey) as error:
                faults.append(str(error))
    good = 0
    for table, rule in PERSONAL.items():
        after: tuple[Any, ...] | None = None
        while True:
            rows = _page(connection, table, after)
            for row in rows:
                for name in (*rule.whole, *rule.sentences):
                    fine, wrong = _verified(table, name, row, persons)
                    good += fine
                    faults += wrong
            if len(rows) < BATCH:
                break
            after = tuple(rows[-1][name] for name in KEY)
    return good, faults


def _verified(table: Table, name: str, row: Row, persons: dict[str, Person | None]) -> tuple[int, list[str]]:
    cell, good, faults = str(row[name]), 0, []
    key = ":".join(str(row[each]) for each in KEY)
    tokens = list(TOKEN.finditer(cell))
    if cell.count(PREFIX) != len(tokens):
        faults.append(f"{table.name}.{name} in row {key} was changed or cut: it is no sealed value")
    for match in tokens:
        if match[1] not in persons:
            faults.append(f"{table.name}.{name} in row {key} names person {match[1]}, who is not there")
            continue
        person = persons[match[1]]
        if person is None:
            continue
        try:
            person.open(match[2], f"{table.name}.{name}")
            good += 1
        except BadSeal as error:
            faults.append(f"{error} (row {key})")
    return good, faults

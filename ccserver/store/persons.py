"""Persons in the database: made when something is first written of them, found by their number, and gone when they were erased.

Sealing happens in the transaction that writes the rows. Whoever erases a person changes their row in a transaction too, so what is
written afterwards belongs to a new person, and nothing is ever sealed with a key that was destroyed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Table, or_, select
from sqlalchemy.sql.elements import ColumnElement

from ccserver.store import personal, schema
from ccserver.store.personal import PERSONAL
from ccserver.store.rows import Row
from ccserver.store.vault import PREFIX, TOKEN, BadSeal, NoMasterKey, Person, Vault

ERASED, SEALED, DAMAGED = "(erased)", "(sealed)", "(damaged)"
"""What is shown for what cannot be shown."""
NOT_SHOWN = (ERASED, SEALED, DAMAGED)
NUMBER = "persons.number"
ASKED_AT_ONCE = 500
KEPT_MAX = 4096
_PERSONS = schema.persons.c


def lock(connection: Connection) -> None:
    """Nobody else changes persons before this transaction ends. In PostgreSQL the rows are locked as they are read."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def require_keys(connection: Connection, vault: Vault | None) -> None:
    """Raises NoMasterKey when persons are kept under a master key that is not here: they would get a second key, and not be found."""
    query = select(_PERSONS.key_id).where(_PERSONS.wrapped_key.is_not(None)).distinct()
    used = sorted(connection.execute(query).scalars())
    missing = [key_id for key_id in used if vault is None or key_id not in vault.key_ids]
    if missing:
        raise NoMasterKey(
            f"persons are sealed under master key {', '.join(missing)}, which is not here: name its file in privacy.key_file, "
            "or in privacy.old_key_files"
        )


class Sealer:
    """Seals rows before they are written; for one thread. `on_damaged` hears of a person whose key was changed: they get a new one, and
    what was written of them before stays closed."""

    def __init__(self, vault: Vault, on_damaged: Callable[[BadSeal], None] | None = None) -> None:
        self.vault = vault
        self._on_damaged = on_damaged
        self._kept: dict[tuple[str, str, str], Person] = {}

    def seal(self, connection: Connection, tables: Mapping[Table, Sequence[Row]], is_new: Callable[[Row], bool]) -> None:
        """Seal what is personal in `tables`, in place. `is_new`: whether a row can be one that was never written; for others no
        person is made, since the row is there already, and the person may have been erased since.

        Raises NoMasterKey, SQLAlchemyError.
        """
        asked: dict[str, bool] = {}
        for table, rows in tables.items():
            rule = PERSONAL.get(table)
            for row in rows if rule is not None else ():
                for number in _numbers(rule, row):
                    asked[number] = asked.get(number, False) or is_new(row)
        if not asked:
            return
        lock(connection)
        persons = self._persons(connection, asked)
        for table, rows in tables.items():
            rule = PERSONAL.get(table)
            if rule is not None:
                for row in rows:
                    seal_row(table, rule, row, persons)

    def _persons(self, connection: Connection, asked: Mapping[str, bool]) -> dict[str, Person | None]:
        """By number; None: there is none, and none is to be made."""
        known = self.find(connection, asked)
        for number, may_be_new in asked.items():
            if number not in known and may_be_new:
                known[number] = self._make(connection, number)
        return {number: known.get(number) for number in asked}

    def person(self, connection: Connection, number: str) -> Person:
        """Who has this number: made if nothing was ever sealed of them."""
        return self.find(connection, [number]).get(number) or self._make(connection, number)

    def find(self, connection: Connection, numbers: Iterable[str]) -> dict[str, Person]:
        by_index = {index: number for number in numbers for index in self.vault.indexes(number)}
        found: dict[str, Person] = {}
        indexes = list(by_index)
        for first in range(0, len(indexes), ASKED_AT_ONCE):
            here = _PERSONS.number_index.in_(indexes[first : first + ASKED_AT_ONCE])
            query = select(_PERSONS.id, _PERSONS.number_index, _PERSONS.key_id, _PERSONS.wrapped_key).where(here)
            for row in connection.execute(query.with_for_update(read=True)).all():
                try:
                    found[by_index[row.number_index]] = self._unwrapped(row.id, row.key_id, row.wrapped_key)
                except BadSeal as error:
                    connection.execute(schema.persons.update().where(_PERSONS.id == row.id).values(number_index=None))
                    if self._on_damaged is not None:
                        self._on_damaged(error)
        return found

    def _unwrapped(self, person: str, key_id: str, wrapped: str) -> Person:
        known = self._kept.get((person, key_id, wrapped))
        if known is None:
            if len(self._kept) >= KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            known = self._kept[person, key_id, wrapped] = self.vault.unwrap(person, key_id, wrapped)
        return known

    def _make(self, connection: Connection, number: str) -> Person:
        person = self.vault.new_person()
        connection.execute(
            schema.persons.insert().values(
                id=person.id,
                number_index=self.vault.index(number),
                key_id=self.vault.key_id,
                wrapped_key=self.vault.wrap(person),
                number=person.seal(number, NUMBER),
                created_at=datetime.now(UTC),
                erased_at=None,
            )
        )
        return person


def _numbers(rule: personal.Personal | None, row: Row) -> Iterable[str]:
    if rule is None:
        return
    number = personal.person_of(rule, row)
    if number is not None and not number.startswith(PREFIX):
        yield number
    for name in rule.sentences:
        for match in personal.numbers_in(row, name):
            yield match[0]


def seal_row(table: Table, rule: personal.Personal, row: Row, persons: Mapping[str, Person | None]) -> bool:
    """Seal what is personal in a row, in place. False: there was nothing."""

    def sealed(number: str, text: str, name: str) -> str:
        person = persons.get(number)
        return ERASED if person is None else person.seal(text, f"{table.name}.{name}")

    is_changed = False
    number = personal.person_of(rule, row)
    if number is not None and not number.startswith(PREFIX):
        for name in rule.whole:
            if personal.is_told(row[name]):
                row[name], is_changed = sealed(number, str(row[name]), name), True
    for name in rule.sentences:
        text, parts, end = str(row[name]), [], 0
        for match in personal.numbers_in(row, name):
            parts += [text[end : match.start()], sealed(match[0], match[0], name)]
            end = match.end()
        if parts:
            row[name], is_changed = "".join([*parts, text[end:]]), True
    return is_changed


# --- reading ------------------------------------------------------------------------------------------------------------
class Opener:
    """Shows what is sealed. Without a vault, and of persons who were erased, it shows that and no more.

    `as_number` makes E.164 of a number as people type it.
    """

    def __init__(self, vault: Vault | None, as_number: Callable[[str], str] = lambda number: number) -> None:
        self.vault = vault
        self._as_number = as_number

    def numbers(self, caller: str) -> list[str]:
        """What a number that somebody typed may be."""
        return list(dict.fromkeys((caller, self._as_number(caller))))

    def persons(self, connection: Connection, caller: str) -> list[str]:
        """Ids of those who have this number."""
        if self.vault is None:
            return []
        indexes = [index for number in self.numbers(caller) for index in self.vault.indexes(number)]
        return list(connection.execute(select(_PERSONS.id).where(_PERSONS.number_index.in_(indexes))).scalars())

    def is_of(self, connection: Connection, column: ColumnElement[Any], caller: str) -> ColumnElement[bool]:
        """The condition that a column holds the number `caller`, sealed or not."""
        plain = [column == number for number in self.numbers(caller)]
        return or_(*plain, *(is_sealed_for(connection, column, person) for person in self.persons(connection, caller)))

    def rows(self, connection: Connection, table: Table, rows: Sequence[Any]) -> list[Any]:
        """Rows of `table` (with all or some of its columns), opened."""
        rule = PERSONAL.get(table)
        names = () if rule is None else (*rule.whole, *rule.sentences)
        there = [row for row in rows if any(PREFIX in str(getattr(row, name, "")) for name in names)]
        if not there:
            return list(rows)
        cells = [str(getattr(row, name, "")) for row in there for name in names]
        keys = self._keys(connection, {match[1] for cell in cells for match in TOKEN.finditer(cell)})
        return [self._row(table, row, names, keys) for row in rows]

    def _row(self, table: Table, row: Any, names: Sequence[str], keys: "Mapping[str, Person | str]") -> Any:
        cells = dict(row._mapping)
        for name in names:
            if isinstance(cells.get(name), str):
                cells[name] = opened(cells[name], f"{table.name}.{name}", keys)
        return SimpleNamespace(**cells)

    def _keys(self, connection: Connection, persons: set[str]) -> "dict[str, Person | str]":
        """By id: the person with the key, or what is shown in place of their cells."""
        found: dict[str, Person | str] = {}
        wanted = sorted(persons)
        for first in range(0, len(wanted), ASKED_AT_ONCE):
            here = _PERSONS.id.in_(wanted[first : first + ASKED_AT_ONCE])
            query = select(_PERSONS.id, _PERSONS.key_id, _PERSONS.wrapped_key).where(here)
            for row in connection.execute(query):
                found[row.id] = self._key(row.id, row.key_id, row.wrapped_key)
        return found

    def _key(self, person: str, key_id: str, wrapped: str | None) -> Person | str:
        if wrapped is None:
            return ERASED
        if self.vault is None:
            return SEALED
        try:
            return self.vault.unwrap(person, key_id, wrapped)
        except NoMasterKey:
            return SEALED
        except BadSeal:
            return DAMAGED


CLOSED = Opener(None)


def opened(cell: str, place: str, keys: Mapping[str, Person | str]) -> str:
    """With each sealed part of it opened, or what is shown in its place."""

    def shown(person: str, written: str) -> str:
        key = keys.get(person, DAMAGED)
        if isinstance(key, str):
            return key
        try:
            return key.open(written, place)
        except BadSeal:
            return DAMAGED

    return TOKEN.sub(lambda match: shown(match[1], match[2]), cell)


def is_sealed_for(connection: Connection, column: ColumnElement[Any], person: str) -> ColumnElement[bool]:
    """That a column holds a cell of this person. SQLite uses an index for bounds only; elsewhere their order is that of a language."""
    if connection.dialect.name == "sqlite":
        return (column >= f"{PREFIX}{person}:") & (column < f"{PREFIX}{person};")
    return column.startswith(f"{PREFIX}{person}:", autoescape=True)

"""What the database keeps of one person, and how it forgets them.

An erasure is a row of `erasures`, made before anything is deleted, so that whoever comes after a kill knows where it was: `begun`, then
the key is `destroyed` (in one transaction with the row of the audit log), then the certificate is `written`, and only then the number's
index goes too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Engine, Table, exists, func, select

from ccserver.core.ids import InteractionId
from ccserver.store import archive, audit, chain, lead_erasure, personal, schema
from ccserver.store.archive import FileState, Hold
from ccserver.store.lead_erasure import KeptLeads
from ccserver.store.pages import overwrite
from ccserver.store.personal import PERSONAL
from ccserver.store.persons import Sealer, is_sealed_for, lock
from ccserver.store.vault import PREFIX, Vault

_PERSONS = schema.persons.c
_ERASURES = schema.erasures.c


class Step(Enum):
    BEGUN = "begun"
    DESTROYED = "destroyed"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of a person. `rows` by table; `plain` are those of before the key was set, which are not sealed yet."""

    persons: tuple[str, ...]
    rows: Mapping[str, int]
    plain: Mapping[str, int]
    interactions: tuple[InteractionId, ...]
    """Also those that came of theirs: consultations about them, callbacks."""
    recordings: int
    messages: tuple[str, ...]
    """Paths as Asterisk sees them."""
    holds: tuple[Hold, ...]
    in_work: tuple[InteractionId, ...]
    """Whose recordings are being put into the archive."""
    leads: KeptLeads

    @property
    def is_nothing(self) -> bool:
        return not self.persons and not any(self.plain.values()) and self.leads.is_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One that was begun. `told` is what the certificate says."""

    person: str
    step: Step
    by: str
    reason: str
    began_at: datetime
    told: Mapping[str, Any]


# --- what is kept -------------------------------------------------------------------------------------------------------
def kept_of(connection: Connection, vault: Vault, number: str) -> Kept:
    """Raises SQLAlchemyError."""
    persons = tuple(connection.execute(select(_PERSONS.id).where(_PERSONS.number_index.in_(vault.indexes(number)))).scalars())
    rows: dict[str, int] = {}
    plain: dict[str, int] = {}
    for table, rule in PERSONAL.items():
        rows[table.name] = sum(_count(connection, table, rule, person) for person in persons)
        plain[table.name] = _plain(connection, table, rule, number)
    interactions = _interactions(connection, persons)
    files, messages = schema.archive_files, schema.messages
    playable = [each.value for each in archive.PLAYABLE]
    held = archive.holds(connection)
    return Kept(
        persons=persons,
        rows=rows,
        plain=plain,
        interactions=tuple(interactions),
        recordings=sum(
            connection.execute(
                select(func.count()).select_from(files).where(files.c.interaction == each, files.c.state.in_(playable))
            ).scalar_one()
            for each in interactions
        ),
        messages=tuple(
            path
            for each in interactions
            for path in connection.execute(select(messages.c.path).where(messages.c.interaction == each)).scalars()
        ),
        holds=tuple(held[each] for each in interactions if each in held),
        in_work=tuple(each for each in interactions if _is_in_work(connection, each)),
        leads=lead_erasure.kept(connection, number),
    )


def _count(connection: Connection, table: Table, rule: personal.Personal, person: str) -> int:
    of = [is_sealed_for(connection, table.c[rule.of], person)] if rule.of else []
    within = [table.c[name].contains(f"{PREFIX}{person}:", autoescape=True) for name in rule.sentences]
    return sum(connection.execute(select(func.count()).select_from(table).where(each)).scalar_one() for each in (*of, *within))


def _plain(connection: Connection, table: Table, rule: personal.Personal, number: str) -> int:
    of = [table.c[rule.of] == number] if rule.of else []
    within = [table.c[name].contains(number, autoescape=True) for name in rule.sentences]
    return sum(connection.execute(select(func.count()).select_from(table).where(each)).scalar_one() for each in (*of, *within))


def _interactions(connection: Connection, persons: Sequence[str]) -> list[InteractionId]:
    found: dict[InteractionId, None] = {}
    for person in persons:
        for table, rule in PERSONAL.items():
            if rule.of and "interaction" in table.c and table is not schema.transfers:
                here = is_sealed_for(connection, table.c[rule.of], person)
                numbers = connection.execute(select(table.c.interaction).where(here).distinct()).scalars()
                found |= dict.fromkeys(InteractionId(each) for each in numbers if each is not None)
    calls, left = schema.interactions, list(found)
    while left:
        children = connection.execute(select(calls.c.interaction).where(calls.c.parent == left.pop())).scalars()
        new = [InteractionId(each) for each in children if each not in found]
        found |= dict.fromkeys(new)
        left += new
    return sorted(found)


def _is_in_work(connection: Connection, interaction: InteractionId) -> bool:
    told, noted = schema.recordings, schema.recording_files
    left = exists().where(noted.c.path == told.c.path)
    is_left = connection.execute(select(exists().where(told.c.interaction == interaction, ~left))).scalar_one()
    half_done = {FileState.RENDERED, FileState.ENCODED, FileState.KEPT}
    return bool(is_left) or any(each.state in half_done for each in archive.files_of(connection, interaction))


# --- the steps ----------------------------------------------------------------------------------------------------------
def unfinished(connection: Connection, vault: Vault, number: str) -> Erasure | None:
    """The erasure of this number that was begun and is not done."""
    table = schema.erasures
    row = connection.execute(select(table).where(_ERASURES.number_index.in_(vault.indexes(number)))).first()
    if row is None:
        return None
    return Erasure(
        person=row.person,
        step=Step(row.step),
        by=row.by,
        reason=row.reason,
        began_at=row.began_at,
        told=json.loads(row.told),
    )


def make_person(engine: Engine, vault: Vault, number: str) -> str:
    """The id by which an erasure names somebody of whom only lists of leads know. Raises NoMasterKey, SQLAlchemyError."""
    with engine.begin() as connection:
        lock(connection)
        return Sealer(vault).person(connection, number).id


def begin(engine: Engine, vault: Vault, number: str, erasure: Erasure) -> None:
    with engine.begin() as connection:
        lock(connection)
        connection.execute(
            schema.erasures.insert().values(
                person=erasure.person,
                number_index=vault.index(number),
                step=erasure.step.value,
                by=erasure.by,
                reason=erasure.reason,
                began_at=erasure.began_at,
                told=json.dumps(erasure.told),
            )
        )


def destroy(engine: Engine, vault: Vault, number: str, erasure: Erasure, told: Mapping[str, Any]) -> None:
    """The key and the leads go, with the row of the audit log, or none does. Raises SQLAlchemyError."""
    now = datetime.now(UTC)
    with engine.begin() as connection:
        lock(connection)
        before = chain.locked_head(connection)
        lead_erasure.forget(connection, number, vault)
        connection.execute(
            schema.persons.update()
            .where(_PERSONS.id == erasure.person)
            .values(number_index=None, wrapped_key=None, number="", erased_at=now)
        )
        audit.append(
            connection,
            by=erasure.by,
            act="person_erase",
            what=f"person {erasure.person}: {erasure.reason}",
            is_done=True,
            at=now,
            sealer=Sealer(vault),
        )
        heads = {"before": str(before), "after": str(chain.head(connection))}
        complete = {**told, "erased_at": now.isoformat(timespec="seconds"), "audit_head": heads}
        connection.execute(
            schema.erasures.update()
            .where(_ERASURES.person == erasure.person)
            .values(step=Step.DESTROYED.value, told=json.dumps(complete))
        )


def finish(engine: Engine, erasure: Erasure) -> None:
    """The certificate is on the disk: nothing is left by which the number could be found."""
    with engine.begin() as connection:
        connection.execute(
            schema.erasures.update()
            .where(_ERASURES.person == erasure.person)
            .values(step=Step.WRITTEN.value, number_index=None)
        )
    overwrite(engine)

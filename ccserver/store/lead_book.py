"""Lists of leads: made, filled, changed and read. Claims are in `claims`, what becomes of them in `attempts`.

A lead is `ready` to be claimed, `claimed` by a campaign, `waiting` until it is due again, or `done`. Within a list its key is there once,
if it has one. Whether a number may be there twice is a rule of who fills the list.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NewType

from sqlalchemy import Connection, Engine, and_, delete, func, insert, select, text, update

from ccserver.core.ids import LeadId
from ccserver.store.lead_rows import BadLead, NewLead, as_json_text
from ccserver.store.lead_schema import attempts, lead_imports, lead_lists, lead_numbers, leads
from ccserver.store.persons import lock
from ccserver.store.prepared import Prepared, moment, told_moment

ListId = NewType("ListId", int)

ASKED_AT_ONCE = 500
PAGE = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}", re.ASCII)


class LeadState(Enum):
    READY = "ready"
    CLAIMED = "claimed"
    WAITING = "waiting"
    DONE = "done"


class Urgency(Enum):
    """What goes first."""

    HOT = 0
    CALLBACK = 1
    NORMAL = 2


class NumberState(Enum):
    GOOD = "good"
    BAD = "bad"
    """It does not exist, or is somebody else's: it is not dialled any more."""


class NoList(Exception):
    """There is no list of that name. The text names those there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadList:
    id: ListId
    name: str
    fields: tuple[str, ...]
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadNumber:
    position: int
    e164: str
    line_type: str
    region: str
    time_zones: tuple[str, ...]
    state: NumberState
    tries: int
    answers: int
    last_attempt_at: datetime | None
    last_outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    id: LeadId
    list: str
    key: str | None
    name: str
    fields: Mapping[str, str]
    time_zone: str | None
    state: LeadState
    urgency: Urgency
    priority: int
    tries: int
    last_attempt_at: datetime | None
    last_outcome: str | None
    wake_at: datetime | None
    hot_at: datetime | None
    consent_kind: str | None
    consent_at: datetime | None
    consent_until: datetime | None
    claimed_by: str | None
    line: int | None
    added_at: datetime
    only_agent: str | None
    callback_at: datetime | None
    numbers: tuple[LeadNumber, ...]


# --- lists --------------------------------------------------------------------------------------------------------------
def lists(connection: Connection) -> list[LeadList]:
    return [_list(row) for row in connection.execute(select(lead_lists).order_by(lead_lists.c.name))]


def _list(row: Any) -> LeadList:
    return LeadList(id=ListId(row.id), name=row.name, fields=tuple(json.loads(row.fields)), made_at=row.made_at)


def list_named(connection: Connection, name: str) -> LeadList:
    """Raises NoList."""
    row = connection.execute(select(lead_lists).where(lead_lists.c.name == name)).one_or_none()
    if row is None:
        names = ", ".join(connection.execute(select(lead_lists.c.name).order_by(lead_lists.c.name).limit(20)).scalars())
        raise NoList(f"there is no list {name!r}" + (f"; there are {names}" if names else " and no other one either"))
    return _list(row)


def open_list(connection: Connection, name: str, fields: Sequence[str], by: str) -> LeadList:
    """The list of this name, made if it is not there, with these custom fields added to those it has. Raises BadLead."""
    if not _NAME.fullmatch(name):
        raise BadLead(f"a list is named by lower-case letters, digits and . _ -, at most 60, got {name[:80]!r}")
    lock(connection)
    row = connection.execute(select(lead_lists).where(lead_lists.c.name == name).with_for_update()).one_or_none()
    if row is None:
        values = {"name": name, "fields": json.dumps(list(fields)), "made_at": datetime.now(UTC), "by": by}
        made = connection.execute(insert(lead_lists).values(values).returning(lead_lists)).one()
        return _list(made)
    known = json.loads(row.fields)
    more = [field for field in fields if field not in known]
    if more:
        connection.execute(update(lead_lists).where(lead_lists.c.id == row.id).values(fields=json.dumps([*known, *more])))
    return list_named(connection, name)


def counts(connection: Connection, of: ListId) -> dict[LeadState, int]:
    query = select(leads.c.state, func.count()).where(leads.c.list == of).group_by(leads.c.state)
    return {LeadState(state): count for state, count in connection.execute(query)}


# --- filling ------------------------------------------------------------------------------------------------------------
def add(connection: Connection, to: ListId, new: Sequence[NewLead], *, urgency: Urgency = Urgency.NORMAL) -> list[LeadId]:
    """Put new leads into a list. Raises IntegrityError for a key that is there already."""
    now = datetime.now(UTC)
    ids = _free_ids(connection, len(new))
    rows = [
        {
            "id": lead_id,
            "list": to,
            "external_key": lead.key,
            **_told(lead),
            "precedence": -(lead.priority or 0),
            "state": LeadState.READY.value,
            "urgency": urgency.value,
            "tries": 0,
            "hot_at": now if urgency is Urgency.HOT else None,
            "line": lead.line,
            "added_at": now,
        }
        for lead_id, lead in zip(ids, new, strict=True)
    ]
    connection.execute(insert(leads), rows)
    numbers = [row for lead_id, lead in zip(ids, new, strict=True) for row in _number_rows(lead_id, lead, {})]
    connection.execute(insert(lead_numbers), numbers)
    return ids


def _free_ids(connection: Connection, count: int) -> list[LeadId]:
    """Ids that no lead has or had. To be given them back by the database, row by row, would cost most of an import."""
    if connection.dialect.name == "sqlite":
        lock(connection)
        last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'leads'")).scalar() or 0
        return [LeadId(last + place) for place in range(1, count + 1)]
    query = text("SELECT nextval(pg_get_serial_sequence('leads', 'id')) FROM generate_series(1, :count)")
    return [LeadId(number) for number in connection.execute(query, {"count": count}).scalars()]


def _told(lead: NewLead) -> dict[str, Any]:
    consent = lead.consent
    return {
        "name": lead.name,
        "fields": as_json_text(lead.fields),
        "time_zone": lead.time_zone,
        "precedence": None if lead.priority is None else -lead.priority,
        "consent_kind": None if consent is None else consent.kind.value,
        "consent_at": None if consent is None else consent.given_at,
        "consent_until": None if consent is None else consent.until,
    }


def _number_rows(lead_id: LeadId, lead: NewLead, there: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Of those numbers that the lead does not have. `there`: the positions of those it has."""
    position = max(there.values(), default=0)
    for phone in lead.phones:
        if phone.e164 in there:
            continue
        position += 1
        yield {
            "lead": lead_id,
            "position": position,
            "e164": phone.e164,
            "line_type": phone.line_type,
            "region": phone.region,
            "time_zones": " ".join(phone.time_zones),
            "state": NumberState.GOOD.value,
            "tries": 0,
            "answers": 0,
        }


def change(connection: Connection, lead_id: LeadId, new: NewLead) -> None:
    """Lay over a lead what is newly told of it. Nothing is taken away: neither numbers nor fields, nor what was not told again."""
    row = connection.execute(select(leads).where(leads.c.id == lead_id)).one()
    told = {name: value for name, value in _told(new).items() if value not in {None, ""} and name != "fields"}
    told["fields"] = as_json_text({**json.loads(row.fields), **new.fields})
    if new.key is not None and row.external_key is None:
        told["external_key"] = new.key
    if new.consent is not None:
        told["consent_until"] = new.consent.until
    connection.execute(update(leads).where(leads.c.id == lead_id).values(told))
    query = select(lead_numbers.c.e164, lead_numbers.c.position).where(lead_numbers.c.lead == lead_id)
    there = {row.e164: row.position for row in connection.execute(query)}
    rows = list(_number_rows(lead_id, new, there))
    if rows:
        connection.execute(insert(lead_numbers), rows)


@dataclass(frozen=True, slots=True)
class Known:
    """Which leads have a key or a number already. Of several with one number: the first."""

    by_key: Mapping[str, LeadId]
    here: Mapping[str, LeadId]
    elsewhere: Mapping[str, str]
    """The name of another list by number."""


def known(connection: Connection, of: ListId, new: Sequence[NewLead], *, elsewhere: bool) -> Known:
    """What of `new` is in the list already, and, if asked, in other ones."""
    by_key: dict[str, LeadId] = {}
    for keys in _parts([lead.key for lead in new if lead.key is not None]):
        query = select(leads.c.external_key, leads.c.id).where(leads.c.list == of, leads.c.external_key.in_(keys))
        by_key |= {key: LeadId(number) for key, number in connection.execute(query)}
    # In two steps: a join would let the database begin with all leads of the list.
    of_number: dict[int, list[str]] = {}
    for numbers in _parts([phone.e164 for lead in new for phone in lead.phones]):
        query = select(lead_numbers.c.lead, lead_numbers.c.e164).where(lead_numbers.c.e164.in_(numbers))
        for row in connection.execute(query):
            of_number.setdefault(row.lead, []).append(row.e164)
    names = {each.id: each.name for each in lists(connection)}
    here: dict[str, LeadId] = {}
    other: dict[str, str] = {}
    for ids in _parts(sorted(of_number)):
        for row in connection.execute(select(leads.c.id, leads.c.list).where(leads.c.id.in_(ids))):
            for e164 in of_number[row.id]:
                if row.list == of:
                    here.setdefault(e164, LeadId(row.id))
                elif elsewhere:
                    other.setdefault(e164, names.get(row.list, ""))
    return Known(by_key, here, other)


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), ASKED_AT_ONCE):
        yield values[first : first + ASKED_AT_ONCE]


def push(engine: Engine, list_name: str, new: NewLead, by: str) -> tuple[LeadId, bool]:
    """Have a lead dialled next: put into the list, or made hot if its key or a number of it is there. Returns its id and whether it is
    new. One that is being dialled right now, or that was told never to be called, is made nothing of by this: the gate judges it as
    any other. Raises BadLead, SQLAlchemyError."""
    with engine.begin() as connection:
        of = open_list(connection, list_name, tuple(new.fields), by)
        there = known(connection, of.id, [new], elsewhere=False)
        found = there.by_key.get(new.key) if new.key is not None else None
        if found is None:
            found = next((there.here[phone.e164] for phone in new.phones if phone.e164 in there.here), None)
        if found is None:
            return add(connection, of.id, [new], urgency=Urgency.HOT)[0], True
        change(connection, found, new)
        values = {"urgency": Urgency.HOT.value, "hot_at": datetime.now(UTC)}
        connection.execute(update(leads).where(leads.c.id == found).values(values))
        is_idle = and_(leads.c.id == found, leads.c.state.in_([LeadState.WAITING.value, LeadState.DONE.value]))
        connection.execute(update(leads).where(is_idle, ~_has_open(found)).values(state=LeadState.READY.value, wake_at=None))
        return found, False


def _has_open(lead_id: LeadId) -> Any:
    here = select(attempts.c.id).where(attempts.c.lead == lead_id, attempts.c.state.in_(["stored", "placed", "unknown"]))
    return here.exists()


# --- reading ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    list: str | None = None
    state: LeadState | None = None
    number: str | None = None


def find(connection: Connection, wanted: Wanted, *, after: LeadId | None = None, limit: int = PAGE) -> list[Lead]:
    """Leads in the order of their ids, a page of them. Raises NoList."""
    query = _WITH_LIST
    if wanted.list is not None:
        query = query.where(leads.c.list == list_named(connection, wanted.list).id)
    if wanted.state is not None:
        query = query.where(leads.c.state == wanted.state.value)
    if wanted.number is not None:
        query = query.where(leads.c.id.in_(select(lead_numbers.c.lead).where(lead_numbers.c.e164 == wanted.number)))
    if after is not None:
        query = query.where(leads.c.id > after)
    return of_rows(connection, connection.execute(query.order_by(leads.c.id).limit(limit)).all())


def lead_of(connection: Connection, lead_id: LeadId) -> Lead | None:
    found = of_rows(connection, connection.execute(_WITH_LIST.where(leads.c.id == lead_id)).all())
    return found[0] if found else None


def of_rows(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Lead]:
    """With their numbers. A row has the cells of `CELLS` and the name of the list, as the driver or SQLAlchemy gives them."""
    numbers = _numbers_of(connection, [row[0] for row in rows])
    return [_lead(row, tuple(numbers[row[0]])) for row in rows]


def _numbers_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[LeadNumber]]:
    numbers: dict[int, list[LeadNumber]] = {lead_id: [] for lead_id in ids}
    for part in _parts(ids):
        for row in _NUMBERS(connection, ids=part):
            numbers[row[0]].append(_number(row))
    return numbers


_NUMBERS = Prepared(
    "SELECT lead, position, e164, line_type, region, time_zones, state, tries, answers, last_attempt_at, last_outcome "
    "FROM lead_numbers WHERE lead = ANY(:ids) ORDER BY lead, position"
)


def _number(row: Sequence[Any]) -> LeadNumber:
    _, position, e164, line_type, region, zones, state, tries, answers, last_attempt_at, last_outcome = row
    return LeadNumber(
        position=position,
        e164=e164,
        line_type=line_type,
        region=region,
        time_zones=tuple(zones.split()),
        state=_NUMBER_STATES[state],
        tries=tries,
        answers=answers,
        last_attempt_at=moment(last_attempt_at),
        last_outcome=last_outcome,
    )


CELLS = (
    "id",
    "urgency",
    "precedence",
    "tries",
    "last_attempt_at",
    "external_key",
    "name",
    "fields",
    "time_zone",
    "state",
    "last_outcome",
    "wake_at",
    "hot_at",
    "consent_kind",
    "consent_at",
    "consent_until",
    "claimed_by",
    "line",
    "added_at",
    "only_agent",
    "callback_at",
)
"""Of a lead, as it is read."""
_WITH_LIST = select(*(leads.c[name] for name in CELLS), lead_lists.c.name).join(lead_lists, lead_lists.c.id == leads.c.list)
_FIELDS = json.JSONDecoder().decode
_STATES = {each.value: each for each in LeadState}
_URGENCIES = {each.value: each for each in Urgency}
_NUMBER_STATES = {each.value: each for each in NumberState}
# to look a word up costs a third of what the enumeration takes to find it


def _lead(row: Sequence[Any], numbers: tuple[LeadNumber, ...]) -> Lead:
    (
        lead_id,
        urgency,
        precedence,
        tries,
        last_attempt_at,
        key,
        name,
        fields,
        time_zone,
        state,
        last_outcome,
        wake_at,
        hot_at,
        consent_kind,
        consent_at,
        consent_until,
        claimed_by,
        line,
        added_at,
        only_agent,
        callback_at,
        of_list,
    ) = row
    return Lead(
        id=LeadId(lead_id),
        list=of_list,
        key=key,
        name=name,
        fields=_FIELDS(fields),
        time_zone=time_zone,
        state=_STATES[state],
        urgency=_URGENCIES[urgency],
        priority=-precedence,
        tries=tries,
        last_attempt_at=moment(last_attempt_at),
        last_outcome=last_outcome,
        wake_at=moment(wake_at),
        hot_at=moment(hot_at),
        consent_kind=consent_kind,
        consent_at=moment(consent_at),
        consent_until=moment(consent_until),
        claimed_by=claimed_by,
        line=line,
        added_at=told_moment(added_at),
        only_agent=only_agent,
        callback_at=moment(callback_at),
        numbers=numbers,
    )


# --- taking away --------------------------------------------------------------------------------------------------------
def purge(engine: Engine, list_name: str, *, state: LeadState | None, added_before: datetime | None) -> Iterator[int]:
    """Delete leads of a list, a batch at a time; how many each time. Those that are claimed, or of which it is not known whether their
    phone rings, stay. A list without leads goes too when all were asked for. Raises NoList, SQLAlchemyError."""
    after = 0
    while True:
        with engine.begin() as connection:
            lock(connection)
            of = list_named(connection, list_name)
            here = [leads.c.list == of.id, leads.c.id > after, leads.c.state != LeadState.CLAIMED.value]
            if state is not None:
                here.append(leads.c.state == state.value)
            if added_before is not None:
                here.append(leads.c.added_at < added_before)
            may_ring = select(attempts.c.lead).where(
                attempts.c.state.in_(["stored", "placed", "unknown"]), attempts.c.lead.is_not(None)
            )
            query = select(leads.c.id).where(*here, leads.c.id.not_in(may_ring)).order_by(leads.c.id).limit(ASKED_AT_ONCE)
            ids = list(connection.execute(query).scalars())
            remove(connection, ids)
            if not ids:
                is_empty = connection.execute(select(leads.c.id).where(leads.c.list == of.id).limit(1)).first() is None
                if is_empty and state is None and added_before is None:
                    connection.execute(delete(lead_imports).where(lead_imports.c.list == of.id))
                    connection.execute(delete(lead_lists).where(lead_lists.c.id == of.id))
                return
            after = ids[-1]
        yield len(ids)


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Leads with their numbers; their attempts stay."""
    for part in _parts(ids):
        connection.execute(delete(lead_numbers).where(lead_numbers.c.lead.in_(part)))
        connection.execute(delete(leads).where(leads.c.id.in_(part)))


def imports(connection: Connection) -> list[Any]:
    """What was read from which file, the newest first."""
    query = select(lead_imports, lead_lists.c.name.label("list_name")).join(
        lead_lists, lead_lists.c.id == lead_imports.c.list, isouter=True
    )
    return list(connection.execute(query.order_by(lead_imports.c.began_at.desc())).all())

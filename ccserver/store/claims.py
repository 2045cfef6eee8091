"""Which lead is next: claimed so that nobody else gets it, with all that the law's gate has to know, in one transaction.

Hot ones first, then callbacks that are due, then by priority, the fewest attempts, the attempt longest ago. A claim lapses at its time if
nothing was dialled under it. One that waits becomes ready again when it is due; who claims sees to that.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, literal, select, union_all, update

from ccserver.core.ids import LeadId
from ccserver.core.records import AttemptOutcome
from ccserver.store import lead_book
from ccserver.store.attempts import OPEN
from ccserver.store.do_not_call import Hasher, Listed, listed
from ccserver.store.lead_book import ASKED_AT_ONCE, Lead, LeadState, ListId
from ccserver.store.lead_schema import attempts, lead_lists, leads
from ccserver.store.persons import lock

CLAIM_MAX = 500
WOKEN_AT_ONCE = 500
"""So many leads become ready in one claim: the rest, in the next."""
RECENT = timedelta(days=30)
RECENT_MAX = 200
_TURN = (leads.c.urgency, leads.c.precedence, leads.c.tries, leads.c.last_attempt_at, leads.c.id)


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt to a number, in whichever list or campaign."""

    at: datetime
    campaign: str
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPast:
    """What was done with a number so far. `recent`: of the last days, the newest first; `by_campaign` counts all there are."""

    recent: tuple[Past, ...]
    by_campaign: Mapping[str, int]
    last_abandoned_at: datetime | None
    is_open: bool
    """It is being dialled, or it is not known whether it is."""


NO_PAST = NumberPast(recent=(), by_campaign={}, last_abandoned_at=None, is_open=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A lead of ours until `until`. `past` and `listed` by number, for each number of it."""

    lead: Lead
    token: str
    until: datetime
    past: Mapping[str, NumberPast]
    listed: Mapping[str, tuple[Listed, ...]]


def claim(
    engine: Engine,
    lists: Sequence[ListId],
    *,
    campaign: str,
    count: int,
    now: datetime,
    hold: timedelta,
    hasher: Hasher | None,
) -> list[Claimed]:
    """The next leads of these lists, in the order in which they are to be dialled. Raises SQLAlchemyError."""
    if not lists or count < 1:
        return []
    token = secrets.token_hex(8)
    with _unsynced(engine) as connection:
        lock(connection)
        for each in lists:
            _wake(connection, each, now)
        is_next = leads.c.id.in_(_next(connection, lists, min(count, CLAIM_MAX)))
        taken = {
            "state": LeadState.CLAIMED.value,
            "claimed_by": campaign,
            "claim_token": token,
            "wake_at": now + hold,
        }
        # asked once more: whoever was faster has changed the state
        mine = update(leads).where(is_next, leads.c.state == LeadState.READY.value).values(taken).returning(leads.c.id)
        ids = [LeadId(number) for number in connection.execute(mine).scalars()]
        return facts(connection, ids, token=token, until=now + hold, now=now, hasher=hasher)


@contextmanager
def _unsynced(engine: Engine) -> Iterator[Connection]:
    """A transaction that a power cut may take back: then nobody has the claim, and nothing was dialled under it, since an attempt is synced
    and with it all that was committed before."""
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL" if is_sqlite else "SET LOCAL synchronous_commit TO off")
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            if is_sqlite:
                connection.exec_driver_sql("PRAGMA synchronous=FULL")


def _wake(connection: Connection, of: ListId, now: datetime) -> None:
    """Leads that are due, and those whose claim lapsed, are ready."""
    for state in (LeadState.WAITING, LeadState.CLAIMED):
        here = (leads.c.list == of, leads.c.state == state.value, leads.c.wake_at <= now)
        due = select(leads.c.id).where(*here).order_by(leads.c.wake_at).limit(WOKEN_AT_ONCE).with_for_update(skip_locked=True)
        ids = list(connection.execute(due).scalars())
        if state is LeadState.CLAIMED and ids:
            busy = select(attempts.c.lead).where(attempts.c.lead.in_(ids), attempts.c.state.in_(OPEN))
            calling = set(connection.execute(busy).scalars())
            ids = [number for number in ids if number not in calling]
        if ids:
            values = {"state": LeadState.READY.value, "wake_at": None, "claimed_by": None, "claim_token": None}
            connection.execute(update(leads).where(leads.c.id.in_(ids), leads.c.state == state.value).values(values))


def _next(connection: Connection, lists: Sequence[ListId], count: int) -> list[int]:
    """By the index of each list, so that its length does not matter; together they are few enough to sort."""
    firsts = []
    for of in lists:
        here = (leads.c.list == of, leads.c.state == LeadState.READY.value)
        query = select(*_TURN).where(*here).order_by(*_TURN).limit(count).with_for_update(skip_locked=True)
        firsts.append(select(query.subquery()))
    both = (firsts[0] if len(firsts) == 1 else union_all(*firsts)).subquery()
    turn = [both.c[column.name] for column in _TURN]
    return list(connection.execute(select(both.c.id).order_by(*turn).limit(count)).scalars())


def facts(
    connection: Connection,
    ids: Sequence[LeadId],
    *,
    token: str,
    until: datetime,
    now: datetime,
    hasher: Hasher | None,
) -> list[Claimed]:
    """Leads with what the gate has to know, in the order of their turn."""
    query = select(leads, lead_lists.c.name.label("list_name")).join(lead_lists, lead_lists.c.id == leads.c.list)
    rows = sorted(
        (row for part in _parts(ids) for row in connection.execute(query.where(leads.c.id.in_(part)))),
        key=lambda row: (row.urgency, row.precedence, row.tries, row.last_attempt_at or row.added_at, row.id),
    )
    found = lead_book.of_rows(connection, rows)
    numbers = sorted({number.e164 for lead in found for number in lead.numbers})
    past, hits = pasts(connection, numbers, now), listed(connection, numbers, hasher)
    return [
        Claimed(
            lead=lead,
            token=token,
            until=until,
            past={number.e164: past.get(number.e164, NO_PAST) for number in lead.numbers},
            listed={number.e164: hits.get(number.e164, ()) for number in lead.numbers},
        )
        for lead in found
    ]


def pasts(connection: Connection, numbers: Sequence[str], now: datetime) -> dict[str, NumberPast]:
    """What was done with these numbers, also by hand and for other lists; of those that were never called nothing."""
    recent: dict[str, list[Past]] = {}
    counted: dict[str, dict[str, int]] = {}
    abandoned: dict[str, datetime] = {}
    busy: set[str] = set()
    table = attempts.c
    for part in _parts(numbers):
        counting = (
            select(table.number, table.campaign, func.count().label("times"))
            .where(table.number.in_(part))
            .group_by(table.number, table.campaign)
        )
        for row in connection.execute(counting):
            counted.setdefault(row.number, {})[row.campaign] = row.times
        called = [number for number in part if number in counted]
        if not called:
            continue
        newest = (
            select(table.number, table.stored_at, table.campaign, table.outcome)
            .where(table.number.in_(called), table.stored_at >= now - RECENT)
            .order_by(table.number, table.stored_at.desc())
        )
        for row in connection.execute(newest):
            past = recent.setdefault(row.number, [])
            if len(past) < RECENT_MAX:
                past.append(Past(row.stored_at, row.campaign, row.outcome))
        dropped = (
            select(table.number, func.max(table.ended_at).label("at"))
            .where(table.number.in_(called), table.outcome == AttemptOutcome.ABANDONED.value)
            .group_by(table.number)
        )
        abandoned |= {row.number: row.at for row in connection.execute(dropped) if row.at is not None}
        ringing = select(table.number).where(table.number.in_(called), table.state.in_(OPEN)).distinct()
        busy |= set(connection.execute(ringing).scalars())
    return {
        number: NumberPast(
            recent=tuple(recent.get(number, ())),
            by_campaign=campaigns,
            last_abandoned_at=abandoned.get(number),
            is_open=number in busy,
        )
        for number, campaigns in counted.items()
    }


def give_back(
    engine: Engine, token: str, ids: Sequence[LeadId], *, until: datetime | None = None, is_over: bool = False
) -> int:
    """End a claim under which nothing was dialled: the lead is ready, waits `until` then, or is never dialled any more. How many it
    were: a claim that lapsed, and one under which a phone may ring, are left as they are."""
    state = LeadState.DONE if is_over else LeadState.READY if until is None else LeadState.WAITING
    values = {"state": state.value, "wake_at": until, "claimed_by": None, "claim_token": None}
    calling = select(literal(1)).where(attempts.c.lead == leads.c.id, attempts.c.state.in_(OPEN)).exists()
    changed = 0
    with engine.begin() as connection:
        lock(connection)
        for part in _parts(ids):
            mine = (leads.c.id.in_(part), leads.c.claim_token == token, leads.c.state == LeadState.CLAIMED.value)
            changed += connection.execute(update(leads).where(*mine, ~calling).values(values)).rowcount
    return changed


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), ASKED_AT_ONCE):
        yield values[first : first + ASKED_AT_ONCE]

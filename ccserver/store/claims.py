"""Which lead is next: claimed so that nobody else gets it, with all that the law's gate has to know, in one transaction.

Hot ones first, then callbacks that are due, then by priority, the fewest attempts, the attempt longest ago. A claim lapses at its time if
nothing was dialled under it. One that waits becomes ready again when it is due; who claims sees to that.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, literal, select, update

from ccserver.core.ids import LeadId
from ccserver.store import lead_book
from ccserver.store.attempts import OPEN
from ccserver.store.do_not_call import Hasher, Listed, listed
from ccserver.store.lead_book import ASKED_AT_ONCE, Lead, LeadState, ListId, NumberState
from ccserver.store.lead_schema import attempts, lead_lists, leads
from ccserver.store.number_pasts import NO_PAST, NumberPast, pasts
from ccserver.store.persons import lock
from ccserver.store.prepared import Prepared, Row, moment

CLAIM_MAX = 500
WOKEN_AT_ONCE = 500
"""So many leads become ready in one claim: the rest, in the next."""
READY_COUNTED = 10_000
LOCK_WAIT = "2s"
"""Of PostgreSQL, for a row that somebody else changes: as in SQLite for the whole database (`database.SQLITE_BUSY_S`)."""

_UNSYNCED = Prepared("SET LOCAL synchronous_commit TO off")
_UNSYNCED_SQLITE, _SYNCED_SQLITE = Prepared("PRAGMA synchronous=NORMAL"), Prepared("PRAGMA synchronous=FULL")
_DUE = Prepared(
    "SELECT id FROM leads WHERE list = :of AND state = :state AND wake_at <= :now ORDER BY wake_at LIMIT :most "
    "FOR UPDATE SKIP LOCKED"
)
_CALLING = Prepared("SELECT lead FROM attempts WHERE lead = ANY(:ids) AND state IN ('stored', 'placed', 'unknown')")
_WAKE = Prepared(
    "UPDATE leads SET state = 'ready', wake_at = NULL, claimed_by = NULL, claim_token = NULL "
    "WHERE id = ANY(:ids) AND state = :state"
)
_NEXT = Prepared(
    "SELECT id, urgency, precedence, tries, last_attempt_at FROM leads WHERE list = :of AND state = 'ready' "
    "ORDER BY urgency, precedence, tries, last_attempt_at, id LIMIT :most FOR UPDATE SKIP LOCKED"
)
# asked once more for its state: whoever was faster has changed it
_TAKE = Prepared(
    "UPDATE leads SET state = 'claimed', claimed_by = :campaign, claim_token = :token, wake_at = :until "
    f"WHERE id = ANY(:ids) AND state = 'ready' RETURNING {', '.join(lead_book.CELLS)}, "
    "(SELECT name FROM lead_lists WHERE lead_lists.id = leads.list)"
)
_READY = Prepared("SELECT count(*) FROM (SELECT 1 FROM leads WHERE list = :of AND state = 'ready' LIMIT :most) AS counted")
_NEXT_DUE = Prepared("SELECT min(wake_at) FROM leads WHERE list = :of AND state = 'waiting'")
_OUTCOMES = Prepared(
    "SELECT lead, outcome, disposition, count(*) AS times FROM attempts "
    "WHERE lead = ANY(:ids) AND campaign = :campaign AND outcome IS NOT NULL GROUP BY lead, outcome, disposition"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A lead of ours until `until`. `past` and `listed` by number, for each number of it."""

    lead: Lead
    token: str
    until: datetime
    past: Mapping[str, NumberPast]
    listed: Mapping[str, tuple[Listed, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What lists still have: so many leads that are ready, counted to `READY_COUNTED`, and when the next one that waits is due."""

    ready: int
    next_at: datetime | None


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
    with unsynced(engine) as connection:
        return claim_in(connection, lists, campaign=campaign, count=count, now=now, hold=hold, hasher=hasher)


@contextmanager
def unsynced(engine: Engine) -> Iterator[Connection]:
    """A transaction that a power cut may take back: then nobody has the claim, and nothing was dialled under it, since an attempt is synced
    and with it all that was committed before. It waits for others only so long."""
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        (_UNSYNCED_SQLITE if is_sqlite else _UNSYNCED)(connection)
        if not is_sqlite:
            wait_no_longer(connection)
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            if is_sqlite:
                _SYNCED_SQLITE(connection)


def wait_no_longer(connection: Connection) -> None:
    """In this transaction, than `LOCK_WAIT` for a lock."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{LOCK_WAIT}'")


def claim_in(
    connection: Connection,
    lists: Sequence[ListId],
    *,
    campaign: str,
    count: int,
    now: datetime,
    hold: timedelta,
    hasher: Hasher | None,
) -> list[Claimed]:
    """The same within a transaction."""
    if not lists or count < 1:
        return []
    lock(connection)
    for each in lists:
        _wake(connection, each, now)
    ids = _next(connection, lists, min(count, CLAIM_MAX))
    if not ids:
        return []
    token, until = secrets.token_hex(8), now + hold
    rows = _TAKE(connection, campaign=campaign, token=token, until=until, ids=ids)
    rows.sort(key=_turn)
    found = lead_book.of_rows(connection, rows)
    return with_facts(connection, found, token=token, until=until, now=now, hasher=hasher)


def _wake(connection: Connection, of: ListId, now: datetime) -> None:
    """Leads that are due, and those whose claim lapsed, are ready."""
    for state in (LeadState.WAITING, LeadState.CLAIMED):
        ids = [lead for (lead,) in _DUE(connection, of=of, state=state.value, now=now, most=WOKEN_AT_ONCE)]
        if state is LeadState.CLAIMED and ids:
            calling = {lead for (lead,) in _CALLING(connection, ids=ids)}
            ids = [lead for lead in ids if lead not in calling]
        if ids:
            _WAKE(connection, ids=ids, state=state.value)


def _next(connection: Connection, lists: Sequence[ListId], count: int) -> list[int]:
    """By the index of each list, so that its length does not matter; together they are few enough to sort."""
    firsts = [row for of in lists for row in _NEXT(connection, of=of, most=count)]
    if len(lists) > 1:
        firsts.sort(key=_turn)
    return [row[0] for row in firsts[:count]]


def _turn(row: Row) -> tuple[Any, ...]:
    """Of a row that begins with these cells."""
    lead, urgency, precedence, tries, last = row[:5]
    return urgency, precedence, tries, last is not None, last, lead


def with_facts(
    connection: Connection,
    found: Sequence[Lead],
    *,
    token: str,
    until: datetime,
    now: datetime,
    hasher: Hasher | None,
    but: str = "",
) -> list[Claimed]:
    """`but`: an attempt that is not to be counted."""
    numbers = sorted({number.e164 for lead in found for number in lead.numbers})
    past, hits = pasts(connection, numbers, now, but=but), listed(connection, numbers, hasher)
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


class Tried(NamedTuple):
    """How often each outcome came of attempts to one lead in one campaign, and each disposition."""

    outcomes: Counter[str]
    dispositions: Counter[str]


def tried(connection: Connection, found: Sequence[Lead], campaign: str) -> dict[LeadId, Tried]:
    """What came of the attempts to these leads in this campaign; only of those to whom there were any."""
    ids = [lead.id for lead in found if lead.last_outcome is not None]
    counted: dict[LeadId, Tried] = {}
    rows = _OUTCOMES(connection, ids=ids, campaign=campaign) if ids else ()
    for lead, outcome, disposition, times in rows:
        of_lead = counted.setdefault(LeadId(lead), Tried(Counter(), Counter()))
        of_lead.outcomes[outcome] += times
        if disposition is not None:
            of_lead.dispositions[disposition] += times
    return counted


def left(connection: Connection, lists: Sequence[ListId]) -> Left:
    ready, due = 0, []
    for of in lists:
        if ready < READY_COUNTED:
            ((count,),) = _READY(connection, of=of, most=READY_COUNTED - ready)
            ready += count
        ((due_at,),) = _NEXT_DUE(connection, of=of)
        due.append(moment(due_at))
    return Left(ready=ready, next_at=min((each for each in due if each is not None), default=None))


def close_hopeless(connection: Connection, claimed: Sequence[Claimed]) -> list[Claimed]:
    """Leads all of whose numbers are bad are done; the others."""
    good: list[Claimed] = []
    hopeless: list[Claimed] = []
    for each in claimed:
        has_good = any(number.state is NumberState.GOOD for number in each.lead.numbers)
        (good if has_good else hopeless).append(each)
    if hopeless:
        _end(connection, [each.lead.id for each in hopeless], hopeless[0].token, until=None, is_over=True)
    return good


def give_back(
    engine: Engine, token: str, ids: Sequence[LeadId], *, until: datetime | None = None, is_over: bool = False
) -> int:
    """End a claim under which nothing was dialled: the lead is ready, waits `until` then, or is never dialled any more. How many it
    were: a claim that lapsed, and one under which a phone may ring, are left as they are."""
    with engine.begin() as connection:
        wait_no_longer(connection)
        lock(connection)
        return _end(connection, ids, token, until=until, is_over=is_over)


def _end(connection: Connection, ids: Sequence[LeadId], token: str, *, until: datetime | None, is_over: bool) -> int:
    state = LeadState.DONE if is_over else LeadState.READY if until is None else LeadState.WAITING
    values = {"state": state.value, "wake_at": until, "claimed_by": None, "claim_token": None}
    changed = 0
    for part in _parts(ids):
        mine = (leads.c.id.in_(part), leads.c.claim_token == token, leads.c.state == LeadState.CLAIMED.value)
        changed += connection.execute(update(leads).where(*mine, ~_is_calling()).values(values)).rowcount
    return changed


def release(connection: Connection, known: Collection[LeadId]) -> int:
    """Leads under a claim of which nobody knows (`known`) are ready; how many. Those whose phone may ring stay. To be called when nobody
    dials."""
    lock(connection)
    changed = 0
    for of in connection.execute(select(lead_lists.c.id)).scalars().all():
        here = (leads.c.list == of, leads.c.state == LeadState.CLAIMED.value)
        ids = [number for number in connection.execute(select(leads.c.id).where(*here)).scalars() if number not in known]
        values = {"state": LeadState.READY.value, "wake_at": None, "claimed_by": None, "claim_token": None}
        for part in _parts(ids):
            mine = (leads.c.id.in_(part), leads.c.state == LeadState.CLAIMED.value, ~_is_calling())
            changed += connection.execute(update(leads).where(*mine).values(values)).rowcount
    return changed


def _is_calling() -> Any:
    return select(literal(1)).where(attempts.c.lead == leads.c.id, attempts.c.state.in_(OPEN)).exists()


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), ASKED_AT_ONCE):
        yield values[first : first + ASKED_AT_ONCE]

"""What campaigns have done, out of the database: counts for key figures, evidence, short calls, callbacks that are overdue.

Attempts belong to the time at which they were stored, an instant before the phone rang. The database adds up; a period of one campaign, or
of one number of ours, is a stretch of an index.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Engine, Float, Integer, and_, case, cast, extract, func, select
from sqlalchemy.sql.elements import ColumnElement

from ccserver.core.dialer.account import Evidence, Tally
from ccserver.core.dialer.key_figures import Counts
from ccserver.core.dialer.short_calls import CallsOfDay
from ccserver.core.dialer.terms import AbandonWindow, ShareOf
from ccserver.core.hours import date_of
from ccserver.core.ids import AgentId, CampaignId, LeadId
from ccserver.core.records import AttemptOutcome
from ccserver.store.attempts import AttemptState
from ccserver.store.database import Store
from ccserver.store.lead_book import LeadState
from ccserver.store.lead_schema import abandonment_evidence, attempts, lead_lists, leads

QUARTER_S = 900
"""A day of any time zone begins at a quarter of an hour."""
_SETTLED = AttemptState.SETTLED.value
_NOT_PLACED = AttemptOutcome.NOT_PLACED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueCallback:
    """A callback whose time is past, and that nobody is dialling."""

    lead: LeadId
    list: str
    name: str
    due_at: datetime
    only: AgentId | None
    """Promised by this agent."""
    tries: int


# --- key figures ------------------------------------------------------------------------------------------------------
def campaigns_of(engine: Engine) -> list[CampaignId]:
    """All that attempts were ever stored for. One look into the index for each."""
    found: list[CampaignId] = []
    with engine.connect() as connection:
        while True:
            query = select(func.min(attempts.c.campaign)).where(attempts.c.campaign > (found[-1] if found else ""))
            name = connection.execute(query).scalar_one()
            if name is None:
                return found
            found.append(CampaignId(name))


def counts(store: Store, campaign: CampaignId, since: datetime, until: datetime) -> Counts:
    """Of the attempts with `since <= stored < until`."""
    mine = _in_period(attempts.c.campaign == campaign, since, until)
    line_s = case(
        (attempts.c.answered_at.is_not(None), _seconds(store, attempts.c.answered_at, attempts.c.ended_at)), else_=0.0
    )
    columns = [
        attempts.c.state,
        attempts.c.outcome,
        func.count().label("calls"),
        func.sum(cast(attempts.c.is_success, Integer)).label("successes"),
        func.sum(cast(attempts.c.is_refusal, Integer)).label("refusals"),
        func.sum(attempts.c.talk_s).label("talk_s"),
        func.sum(attempts.c.wrap_up_s).label("wrap_up_s"),
        func.sum(line_s).label("line_s"),
    ]
    placed = and_(mine, attempts.c.state == _SETTLED, attempts.c.outcome != _NOT_PLACED)
    outcomes: dict[str, int] = {}
    sums: dict[str, Any] = dict.fromkeys(("successes", "refusals", "talk_s", "wrap_up_s", "line_s"), 0)
    still_open = 0
    with store.engine.connect() as connection:
        for row in connection.execute(select(*columns).where(mine).group_by(attempts.c.state, attempts.c.outcome)):
            if row.state != _SETTLED:
                still_open += row.calls
            elif row.outcome != _NOT_PLACED:
                outcomes[row.outcome] = row.calls
                sums = {name: sums[name] + (getattr(row, name) or 0) for name in sums}
        different = connection.execute(select(func.count(attempts.c.lead.distinct())).where(placed)).scalar_one()
    return Counts(outcomes=outcomes, leads=different, open=still_open, **sums)


def _in_period(mine: ColumnElement[bool], since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(mine, attempts.c.stored_at >= since, attempts.c.stored_at < until)


def _seconds(store: Store, earlier: Column[Any], later: Column[Any]) -> ColumnElement[float]:
    """Between two times, to the millisecond."""
    if store.is_sqlite:
        return (func.julianday(later) - func.julianday(earlier)) * 86_400.0
    return cast(extract("epoch", later - earlier), Float)


# --- the law ----------------------------------------------------------------------------------------------------------
def evidence(store: Store, campaign: CampaignId, since: datetime, until: datetime) -> list[Evidence]:
    """The parts of its account that begin in the period and were given out, in the order of time."""
    table = abandonment_evidence
    query = select(table).where(table.c.campaign == campaign, table.c.from_at >= since, table.c.from_at < until)
    with store.engine.connect() as connection:
        return [_evidence(row) for row in connection.execute(query.order_by(table.c.from_at))]


def _evidence(row: Any) -> Evidence:
    tally = Tally(
        connected=row.connected,
        abandoned=row.abandoned,
        amd_errors=row.amd_errors,
        machines=row.machines,
        left=row.left_before,
        told=row.told,
    )
    return Evidence(
        campaign=CampaignId(row.campaign),
        from_utc_s=row.from_at.timestamp(),
        until_utc_s=row.until_at.timestamp(),
        tally=tally,
        preset=row.preset,
        max_abandon=row.max_abandon,
        share_of=ShareOf(row.share_of),
        abandon_window=AbandonWindow(row.abandon_window),
        counts_amd_errors=row.counts_amd_errors,
        share=row.share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortCalls:
    """What counts as short: not answered, or over within `short_s`. Days are those of `timezone`."""

    short_s: float
    timezone: str


def calls_by_day(
    store: Store, numbers: Collection[str], counted: ShortCalls, since: datetime, until: datetime
) -> Mapping[tuple[str, str], CallsOfDay]:
    """Calls for which a number of ours was shown, in whichever campaign, by number and local ISO date."""
    is_long = and_(
        attempts.c.answered_at.is_not(None),
        _seconds(store, attempts.c.answered_at, attempts.c.ended_at) > counted.short_s,
    )
    seconds = extract("epoch", attempts.c.stored_at)
    quarter = cast(seconds if store.is_sqlite else func.floor(seconds), BigInteger).op("/")(QUARTER_S)
    found: dict[tuple[str, str], CallsOfDay] = {}
    with store.engine.connect() as connection:
        for number in sorted(numbers):
            placed = and_(
                _in_period(attempts.c.caller_id == number, since, until),
                attempts.c.state == _SETTLED,
                attempts.c.outcome != _NOT_PLACED,
            )
            columns = (
                quarter.label("quarter"),
                func.count().label("calls"),
                func.sum(case((is_long, 0), else_=1)).label("short"),
            )
            for row in connection.execute(select(*columns).where(placed).group_by("quarter")):
                key = number, date_of(counted.timezone, float(row.quarter * QUARTER_S))
                known = found.get(key, CallsOfDay())
                found[key] = CallsOfDay(calls=known.calls + row.calls, short=known.short + row.short)
    return dict(sorted(found.items()))


# --- callbacks --------------------------------------------------------------------------------------------------------
def overdue(store: Store, lists: Collection[str], now: datetime, limit: int = 1000) -> list[OverdueCallback]:
    """Of these lists, those that were promised longest ago first; lists that are not there have none."""
    query = (
        select(
            leads.c.id, lead_lists.c.name.label("list"), leads.c.name, leads.c.callback_at, leads.c.only_agent, leads.c.tries
        )
        .join(lead_lists, lead_lists.c.id == leads.c.list)
        .where(
            lead_lists.c.name.in_(sorted(lists)),
            leads.c.callback_at < now,
            leads.c.state.in_([LeadState.WAITING.value, LeadState.READY.value]),
        )
        .order_by(leads.c.callback_at, leads.c.id)
        .limit(limit)
    )
    with store.engine.connect() as connection:
        return [
            OverdueCallback(
                lead=LeadId(row.id),
                list=row.list,
                name=row.name,
                due_at=row.callback_at,
                only=None if row.only_agent is None else AgentId(row.only_agent),
                tries=row.tries,
            )
            for row in connection.execute(query)
        ]

"""What was done with a telephone number so far, in whichever list and campaign, also by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ccserver.store.prepared import Prepared, moment, told_moment

RECENT = timedelta(days=30)
RECENT_MAX = 200

# An attempt that was not placed is none. What is open, and what nobody knows of, counts.
_COUNTED = Prepared(
    "SELECT number, campaign, count(*) AS times, max(CASE WHEN outcome = 'abandoned' THEN ended_at END) AS abandoned_at, "
    "max(CASE WHEN is_refusal THEN ended_at END) AS refused_at, "
    "max(CASE WHEN state IN ('stored', 'placed', 'unknown') THEN 1 ELSE 0 END) AS opened "
    "FROM attempts WHERE number = ANY(:numbers) AND id <> :but AND (outcome IS NULL OR outcome <> 'not_placed') "
    "GROUP BY number, campaign"
)
_NEWEST = Prepared(
    "SELECT number, stored_at, campaign, outcome FROM attempts WHERE number = ANY(:numbers) AND stored_at >= :since AND id <> :but "
    "AND (outcome IS NULL OR outcome <> 'not_placed') ORDER BY number, stored_at DESC"
)


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt to a number, in whichever list or campaign."""

    at: datetime
    campaign: str
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPast:
    """`recent`: attempts of the last days, the newest first; `by_campaign` counts all there are."""

    recent: tuple[Past, ...]
    by_campaign: Mapping[str, int]
    last_abandoned_at: datetime | None
    last_refused_at: datetime | None
    is_open: bool
    """It is being dialled, or it is not known whether it is."""


NO_PAST = NumberPast(recent=(), by_campaign={}, last_abandoned_at=None, last_refused_at=None, is_open=False)


def pasts(connection: Connection, numbers: Sequence[str], now: datetime, *, but: str = "") -> dict[str, NumberPast]:
    """Of those numbers to which there was an attempt, `but` that one."""
    counted: dict[str, dict[str, int]] = {}
    abandoned: dict[str, datetime] = {}
    refused: dict[str, datetime] = {}
    busy: set[str] = set()
    rows = _COUNTED(connection, numbers=list(numbers), but=but) if numbers else ()
    for number, campaign, times, abandoned_at, refused_at, opened in rows:
        counted.setdefault(number, {})[campaign] = times
        _keep_newest(abandoned, number, moment(abandoned_at))
        _keep_newest(refused, number, moment(refused_at))
        if opened:
            busy.add(number)
    recent: dict[str, list[Past]] = {}
    rows = _NEWEST(connection, numbers=list(counted), since=now - RECENT, but=but) if counted else ()
    for number, stored_at, campaign, outcome in rows:
        past = recent.setdefault(number, [])
        if len(past) < RECENT_MAX:
            past.append(Past(told_moment(stored_at), campaign, outcome))
    return {
        number: NumberPast(
            recent=tuple(recent.get(number, ())),
            by_campaign=campaigns,
            last_abandoned_at=abandoned.get(number),
            last_refused_at=refused.get(number),
            is_open=number in busy,
        )
        for number, campaigns in counted.items()
    }


def _keep_newest(of: dict[str, datetime], number: str, at: datetime | None) -> None:
    if at is not None and (number not in of or at > of[number]):
        of[number] = at

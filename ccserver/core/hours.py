"""Opening hours and days: the one place where local time matters to the core."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ccserver.core.settings import OpeningHours

DAYS_AHEAD = 366
DAY_S = 86_400.0
QUARTER_S = 900.0


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def is_open(hours: OpeningHours, utc_s: float) -> bool:
    """Whether `hours` include the instant `utc_s` (POSIX seconds)."""
    local = datetime.fromtimestamp(utc_s, tz=UTC).astimezone(_zone(hours.timezone))
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in _spans(hours, local.date()))


def is_holiday(hours: OpeningHours, utc_s: float) -> bool:
    """Whether the local day is a public holiday."""
    return bool(hours.holidays) and date_of(hours.timezone, utc_s) in hours.holidays


def date_of(timezone: str, utc_s: float) -> str:
    """The local day as an ISO date."""
    return datetime.fromtimestamp(utc_s, tz=UTC).astimezone(_zone(timezone)).date().isoformat()


def _spans(hours: OpeningHours, day: date) -> tuple[tuple[int, int], ...]:
    special = hours.special.get(day.isoformat()) if hours.special else None
    if special is not None:
        return special
    return () if day.isoformat() in hours.closed_on or day.isoformat() in hours.holidays else hours.week[day.weekday()]


def next_change(hours: OpeningHours, utc_s: float) -> float | None:
    """The first instant after `utc_s` (POSIX seconds) at which `is_open` gives another answer; None: never within a year.

    Local days are walked through one by one. Around a change of the clocks a local time may not exist or exist twice, so each candidate
    is held against `is_open` itself, and the hours about such a change are looked at quarter by quarter.
    """
    zone = _zone(hours.timezone)
    now_is_open = is_open(hours, utc_s)
    day = datetime.fromtimestamp(utc_s, tz=UTC).astimezone(zone).date()
    for ahead in range(DAYS_AHEAD):
        for candidate_s in _boundaries(hours, day + timedelta(days=ahead), zone):
            if candidate_s > utc_s and is_open(hours, candidate_s) is not now_is_open:
                return candidate_s
    return None


def next_close(hours: OpeningHours, utc_s: float) -> float | None:
    """When they close next, after the next opening if they are closed at `utc_s`; None: never within a year of that."""
    change = next_change(hours, utc_s)
    return change if change is None or is_open(hours, utc_s) else next_change(hours, change)


def local_day(timezone: str, utc_s: float) -> tuple[str, float, float]:
    """The local day that `utc_s` is in: its ISO date, when it began and when the next begins (POSIX seconds)."""
    zone = _zone(timezone)
    today = datetime.fromtimestamp(utc_s, tz=UTC).astimezone(zone).date()
    midnight = datetime(today.year, today.month, today.day)
    start, end = ((midnight + timedelta(days=days)).replace(tzinfo=zone).timestamp() for days in (0, 1))
    return today.isoformat(), start, end


def _boundaries(hours: OpeningHours, day: date, zone: ZoneInfo) -> list[float]:
    """The instants of a local day at which something may change, in order."""
    minutes = {0} if hours.closed_on or hours.holidays or hours.special else set[int]()
    minutes.update(minute for span in _spans(hours, day) for minute in span)
    midnight = datetime(day.year, day.month, day.day)
    instants = {
        (midnight + timedelta(minutes=minute)).replace(tzinfo=zone, fold=fold).timestamp()
        for minute in minutes
        for fold in (0, 1)
    }
    start, end = ((midnight + timedelta(days=days)).replace(tzinfo=zone).timestamp() for days in (0, 1))
    if end - start != DAY_S:
        instants.update(start + QUARTER_S * n for n in range(int((end - start) // QUARTER_S) + 1))
    return sorted(instants)

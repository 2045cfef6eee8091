"""Opening hours: the one place where local time matters to the core."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from ccserver.core.settings import OpeningHours


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def is_open(hours: OpeningHours, utc_s: float) -> bool:
    """Whether `hours` include the instant `utc_s` (POSIX seconds)."""
    local = datetime.fromtimestamp(utc_s, tz=UTC).astimezone(_zone(hours.timezone))
    if local.date().isoformat() in hours.closed_on:
        return False
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in hours.week[local.weekday()])

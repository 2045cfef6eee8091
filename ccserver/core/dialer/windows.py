"""When somebody may be called: by the clock and the calendar of the callee, wherever they may be."""

from functools import lru_cache
from zoneinfo import ZoneInfo

from ccserver.core import hours
from ccserver.core.dialer.rules import Rules
from ccserver.core.settings import OpeningHours

STEPS_MAX = 400
"""So many openings are tried before it is said that nobody knows the next one."""


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    return _zone(name) is not None


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no such zone, no name of one at all, a folder
        return None


def knows_holidays(rules: Rules, region: str) -> bool:
    """Whether the holidays of the region, or of a place in the same country, are known."""
    return bool(_places(rules, region))


def holidays(rules: Rules, region: str) -> frozenset[str]:
    """The days that count as holidays for a callee there. Where the region has no days of its own in the settings, a day counts that is
    one anywhere in the country: it may be there."""
    return frozenset().union(*(rules.holidays[place] for place in _places(rules, region)))


def _places(rules: Rules, region: str) -> list[str]:
    country = region.partition("-")[0]
    if region in rules.holidays and region != country:
        return [region, *(place for place in (country,) if place in rules.holidays)]
    return [place for place in rules.holidays if place.partition("-")[0] == country]


def windows(rules: Rules, zones: tuple[str, ...], region: str) -> tuple[OpeningHours, ...]:
    """The hours in each zone the callee may be in. Every zone must be one (`is_zone`)."""
    closed_on = holidays(rules, region) if rules.closed_on_holidays else frozenset[str]()
    return tuple(OpeningHours(timezone=zone, week=rules.week, closed_on=closed_on) for zone in zones)


def are_open(all_of: tuple[OpeningHours, ...], utc_s: float) -> bool:
    """Whether it is lawful in every one of them."""
    return all(hours.is_open(each, utc_s) for each in all_of)


def next_open(all_of: tuple[OpeningHours, ...], utc_s: float) -> float | None:
    """The first instant, not before `utc_s`, at which all are open; None: never within a year, or nobody knows."""
    for _ in range(STEPS_MAX):
        closed = next((each for each in all_of if not hours.is_open(each, utc_s)), None)
        if closed is None:
            return utc_s
        change = hours.next_change(closed, utc_s)
        if change is None:
            return None
        utc_s = change
    return None

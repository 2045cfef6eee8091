"""The next opening or closing, across changes of the clocks."""

from datetime import UTC, datetime

import pytest

from ccserver.core.hours import is_open, next_change
from ccserver.core.settings import OpeningHours

WEEKDAYS = (((9 * 60, 13 * 60), (14 * 60, 18 * 60)),) * 5 + ((), ())
NIGHTS = (((0, 150), (22 * 60, 1440)),) * 7
HALF_PAST_TWO = (((150, 170),),) * 7


def hours(zone: str, week: tuple[tuple[tuple[int, int], ...], ...], *closed: str) -> OpeningHours:
    return OpeningHours(timezone=zone, week=week, closed_on=frozenset(closed))


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def minute_by_minute(what: OpeningHours, from_s: float) -> float:
    before, at_s = is_open(what, from_s), from_s - from_s % 60
    while True:
        at_s += 60
        if is_open(what, at_s) is not before:
            return at_s


@pytest.mark.parametrize(
    "zone", ["Europe/Madrid", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo", "Atlantic/Azores"]
)
@pytest.mark.parametrize("week", [WEEKDAYS, NIGHTS, HALF_PAST_TWO], ids=["weekdays", "nights", "half past two"])
@pytest.mark.parametrize(
    "start",
    ["2026-03-27 12:00", "2026-04-03 15:30", "2026-04-23 10:10", "2026-10-02 23:50", "2026-10-24 20:00", "2026-10-29 20:00"],
)
def test_it_is_what_a_look_at_every_minute_finds(zone: str, week: tuple[tuple[tuple[int, int], ...], ...], start: str) -> None:
    what = hours(zone, week, "2026-03-30")
    at_s = utc(start)
    for _ in range(6):
        found = next_change(what, at_s)
        assert found == minute_by_minute(what, at_s), datetime.fromtimestamp(at_s, tz=UTC)
        at_s = found


def test_a_closed_day_is_passed_over() -> None:
    what = hours("UTC", WEEKDAYS, "2026-11-23")
    assert next_change(what, utc("2026-11-22 12:00")) == utc("2026-11-24 09:00")


def test_hours_that_never_change() -> None:
    assert next_change(hours("UTC", ((),) * 7), 0.0) is None
    assert next_change(hours("Europe/Madrid", (((0, 1440),),) * 7), utc("2026-03-01 00:00")) is None

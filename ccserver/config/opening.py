"""Opening hours: spans of the week, days off, public holidays, days with hours of their own."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NewType

import holidays as public_holidays

from ccserver.config.kinds import code, zone
from ccserver.config.positions import Node, PathInFile, quoted
from ccserver.config.schema import Field, Group, ListOf, MapOf, Reader, Text, hinted, nearest
from ccserver.core.settings import OpeningHours

Span = tuple[int, int]
Days = NewType("Days", tuple[int, ...])
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEARS_BEFORE, YEARS_AFTER = 1, 10
"""The public holidays of so many years are known: the file is read anew at each start and reload."""


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("there is no such day") from None


def _days(text: str) -> Days:
    first, _, last = text.partition("-")
    start, end = DAYS.index(first), DAYS.index(last or first)
    if start > end:
        raise ValueError("the week begins on monday")
    return Days(tuple(range(start, end + 1)))


def _span(text: str) -> Span:
    hours = re.findall(r"[0-9]+", text)
    start, end = int(hours[0]) * 60 + int(hours[1]), int(hours[2]) * 60 + int(hours[3])
    if int(hours[1]) > 59 or int(hours[3]) > 59 or end > 24 * 60:
        raise ValueError("from 00:00 to 24:00")
    if start >= end:
        raise ValueError("the end is after the start; past midnight write two, to 24:00 and from 00:00 of the next day")
    return start, end


_day = "(" + "|".join(DAYS) + ")"
days = Text("a weekday or a span of weekdays", _days, f"{_day}(-{_day})?", 20, "monday-friday")
span = Text("a span of hours", _span, r"[0-9]{1,2}:[0-9]{2} ?- ?[0-9]{1,2}:[0-9]{2}", 13, "09:00-18:00")
day = Text("a date", _date, r"[0-9]{4}-[0-9]{2}-[0-9]{2}", 10, "2026-12-25")


# --- public holidays --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    country: str
    region: str | None


def public_days(country: str, region: str | None) -> frozenset[str]:
    """The holidays of a country (or of a region of it) that the package knows, as ISO dates of the years around this one."""
    this = date.today().year
    found = public_holidays.country_holidays(country, subdiv=region, years=range(this - YEARS_BEFORE, this + YEARS_AFTER + 1))
    return frozenset(each.isoformat() for each in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicHolidays:
    """Of a place, and the days that they are on as far as is known today."""

    of: str
    days: frozenset[str]


class Holidays:
    """The public holidays of a country, or of a region of it, as ISO dates; by the package `holidays`."""

    expected = "a table with country and region"
    group = Group(
        "holidays",
        _Place,
        [
            Field(
                "country",
                Text("a country code", str, r"[A-Za-z]{2}", 2, "ES"),
                "The country (ISO 3166).",
                hint="for example ES",
            ),
            Field(
                "region",
                Text("the code of a region", str, r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", 40, "MD"),
                "The region (the part of ISO 3166-2 after the country: `MD` for `ES-MD`); without it those of the whole country.",
                default=None,
            ),
        ],
    )

    def read(self, reader: Reader, node: Node, path: PathInFile) -> PublicHolidays | None:
        """The dates of the years around this one."""
        place = self.group.read(reader, node, path)
        if place is None or place.country == "":
            return None
        countries = public_holidays.list_supported_countries(include_aliases=False)
        if place.country not in countries:
            near = place.country.upper() if place.country.upper() in countries else nearest(place.country.upper(), countries)
            near = "GB" if place.country.upper() == "UK" else near
            hint = f"did you mean {near}?" if near else "leave holidays out and name the days under closed_on"
            message = f"expected a country whose holidays are known, got {quoted(place.country)}"
            reader.tell((*path, "country"), hinted(message, hint))
            return None
        regions = countries[place.country]
        if place.region is not None and place.region not in regions:
            near = nearest(place.region, regions) or nearest(place.region.upper(), regions) or self._by_name(place)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(regions)}" if regions else "remove it"
            message = f"expected a region of {place.country} whose holidays are known, got {quoted(place.region)}"
            reader.tell((*path, "region"), hinted(message, hint))
            return None
        of = place.country if place.region is None else f"{place.country}-{place.region}"
        return PublicHolidays(of=of, days=public_days(place.country, place.region))

    def _by_name(self, place: _Place) -> str:
        names = public_holidays.country_holidays(place.country).get_subdivision_aliases()
        codes = {name: region for region, several in names.items() for name in several}
        return codes.get(nearest(place.region or "", codes), "")


# --- the hours --------------------------------------------------------------------------------------------------------
def opening_hours(
    *,
    timezone: str,
    open: Mapping[Days, tuple[Span, ...]],
    closed_on: Iterable[str] = (),
    holidays: PublicHolidays | None = None,
    special: Mapping[str, tuple[Span, ...]] | None = None,
    code: str | None = None,
) -> OpeningHours:
    """The seven days from spans of days. Raises ValueError when spans of one day overlap, or a day is both closed and special."""
    week: list[list[Span]] = [[] for _ in DAYS]
    for of_days, spans in open.items():
        for each in of_days:
            week[each].extend(spans)
    special = special or {}
    for both in sorted(set(closed_on) & set(special)):
        raise ValueError(f"expected each date in closed_on or in special, got {both} in both (take it out of closed_on)")
    return OpeningHours(
        timezone=timezone,
        week=tuple(_apart(spans, DAYS[number]) for number, spans in enumerate(week)),
        closed_on=frozenset(closed_on),
        holidays=holidays.days if holidays is not None else frozenset(),
        holidays_of=holidays.of if holidays is not None else "",
        special={each: _apart(spans, each) for each, spans in special.items()},
        code=code,
    )


def _apart(spans: Iterable[Span], on: str) -> tuple[Span, ...]:
    in_order = sorted(spans)
    for before, after in itertools.pairwise(in_order):
        if after[0] < before[1]:
            raise ValueError(f"expected spans that do not overlap, got two around {clock(after[0])} on {on} (join them)")
    return tuple(in_order)


def clock(minutes: int) -> str:
    """540 as 09:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


hours = Group(
    "opening hours",
    opening_hours,
    [
        Field("timezone", zone, "The time zone of these hours."),
        Field(
            "open",
            MapOf(days, ListOf(span, 10), "weekdays", 7),
            "Spans of hours by weekday or span of weekdays; a day that is not named is closed.",
        ),
        Field("closed_on", ListOf(day, 366), "Dates that are closed whatever the weekday.", default=()),
        Field("holidays", Holidays(), "Public holidays, which are closed too; without it none.", default=None),
        Field(
            "special",
            MapOf(day, ListOf(span, 10), "dates", 366),
            "Dates with hours of their own, which win over everything else; `[]` is closed.",
            default={},
        ),
        Field(
            "code",
            code,
            "Typed by supervisors who close and open them by phone (`*51`); without it not by phone.",
            default=None,
        ),
    ],
)

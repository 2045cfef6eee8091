"""Telephone numbers of leads: E.164, what kind of line it is, and where it may be."""

import zoneinfo
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, phonenumberutil
from phonenumbers import timezone as zones_of_numbers

from ccserver.store.number_plans import plain

TEXT_MAX = 40
_UNKNOWN_ZONE = "Etc/Unknown"
_LINE_TYPES = {
    PhoneNumberType.FIXED_LINE: "fixed_line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}


class BadNumber(Exception):
    """No telephone number that can be called. The text says why."""


@dataclass(frozen=True, slots=True)
class Phone:
    """`time_zones`: of all the places where the number may be, none if that is not known."""

    e164: str
    line_type: str
    region: str
    time_zones: tuple[str, ...]


def read_phone(text: str, country: str) -> Phone:
    """A number as people write it, in `country` unless it begins with + or the code for abroad. Raises BadNumber."""
    found = plain(text)
    if found is not None:
        parsed = phonenumbers.PhoneNumber(country_code=found.code, national_number=int(found.national))
        return Phone(text, _LINE_TYPES[found.kind], found.region, _zones(parsed, text, found.kind))
    return any_phone(text, country)


def any_phone(text: str, country: str) -> Phone:
    """The same in the words of the library alone. Raises BadNumber."""
    parsed = _parsed(text, country)
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        raise BadNumber(f"{_quoted(text)} is no number that exists in {_where(parsed)}")
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    return Phone(
        e164=e164,
        line_type=_LINE_TYPES[kind],
        region=phonenumbers.region_code_for_number(parsed) or "",
        time_zones=_zones(parsed, e164, kind),
    )


def as_digits(text: str, country: str) -> int:
    """The digits of E.164 of a number that may well not exist any more, as registers have them. Raises BadNumber."""
    if text[:1] == "+" and text[1:].isdecimal() and text.isascii() and 8 <= len(text) <= 16 and text[1] != "0":
        return int(text[1:])
    parsed = _parsed(text, country)
    if not phonenumbers.is_possible_number(parsed):
        raise BadNumber(f"{_quoted(text)} cannot be a number in {_where(parsed)}")
    return int(phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:])


def _parsed(text: str, country: str) -> Any:
    if not text:
        raise BadNumber("there is no number")
    if len(text) > TEXT_MAX:
        raise BadNumber(f"{_quoted(text)} is too long for a number")
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise BadNumber(f"{_quoted(text)} is no telephone number: {str(error).rstrip('.')}") from None
    if parsed.extension:
        raise BadNumber(f"{_quoted(text)} has an extension, which cannot be dialled")
    return parsed


def _where(parsed: Any) -> str:
    region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return f"+{parsed.country_code}" if region in {"ZZ", "001"} else str(region)


def _zones(parsed: Any, e164: str, kind: int) -> tuple[str, ...]:
    if phonenumberutil.is_number_type_geographical(kind, parsed.country_code):
        found = zones_of_numbers.time_zones_for_geographical_number(parsed)
    else:
        found = _zones_of_country(parsed.country_code, e164)
    return tuple(zone for zone in found if zone != _UNKNOWN_ZONE)


_OF_COUNTRY: dict[int, tuple[str, ...]] = {}


def _zones_of_country(code: int, example: str) -> tuple[str, ...]:
    """Of a number that is nowhere in particular: all zones of the country. They are looked up once."""
    found = _OF_COUNTRY.get(code)
    if found is None:
        found = _OF_COUNTRY[code] = tuple(zones_of_numbers.time_zones_for_number(phonenumbers.parse(example)))
    return found


@cache
def known_zones() -> frozenset[str]:
    """The names that a column with time zones may have."""
    return frozenset(zoneinfo.available_timezones())


def _quoted(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:TEXT_MAX])
    return f'"{shown}"'

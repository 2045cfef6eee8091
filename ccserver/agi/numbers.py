"""Telephone numbers as callers bring them and as agents dial them, turned into E.164 and a kind."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from ccserver.core.settings import NumberKind

_DIALLED = re.compile(r"\+?[0-9 ()./-]{2,40}")
_KEYPAD = re.compile(r"\+?[0-9*#]{1,40}")
# What costs who calls more than a call to a person: refused unless a class of service says otherwise.
_DEAR = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """How the site dials. `country` is ISO 3166; `internal_patterns` are Asterisk's, of digits, X, Z and N."""

    country: str
    internal_patterns: tuple[str, ...] = ("1XXX",)
    outside_prefix: str = "0"


@dataclass(frozen=True, slots=True)
class Dialled:
    """`number` is E.164, or what was dialled where it is no outside number (an extension, an agent's or a queue's number)."""

    number: str
    kind: NumberKind


@lru_cache(maxsize=4096)
def normalise(given: str, country: str) -> str | None:
    """`+4930123456` for anything that can be read as a telephone number in `country` (ISO 3166), else None.

    A number written internationally (+ or the country's prefix for it) is believed if its length is possible: new ranges
    appear before the tables know them. A national one must be valid, else an extension such as 1001 would become an
    outside number.
    """
    number = _parse(given, country)
    return None if number is None else phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)
def dialled(given: str, numbering: Numbering) -> Dialled:
    """What somebody at a phone here means by `given`: an internal number first, then an outside one with the prefix for an
    outside line, then one without."""
    if _is_internal(given, numbering.internal_patterns):
        return Dialled(given, NumberKind.INTERNAL)
    if given.startswith(numbering.outside_prefix):
        found = outside(given.removeprefix(numbering.outside_prefix), numbering.country)
        if found.kind is not NumberKind.UNKNOWN:
            return found
    return outside(given, numbering.country)


@lru_cache(maxsize=4096)
def outside(given: str, country: str) -> Dialled:
    """What an outside line is asked for. UNKNOWN: no number of the country's plan, nor one abroad."""
    if not _KEYPAD.fullmatch(given):
        return Dialled("", NumberKind.UNKNOWN)
    number = _parse(given, country)
    if number is None:
        return Dialled(given, NumberKind.UNKNOWN)
    return Dialled(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), _kind(number, country))


def _parse(given: str, country: str) -> phonenumbers.PhoneNumber | None:
    if not _DIALLED.fullmatch(given):
        return None
    try:
        number = phonenumbers.parse(given, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    source = phonenumbers.CountryCodeSource
    is_international = number.country_code_source in (source.FROM_NUMBER_WITH_PLUS_SIGN, source.FROM_NUMBER_WITH_IDD)
    is_good = phonenumbers.is_possible_number(number) if is_international else phonenumbers.is_valid_number(number)
    return number if is_good else None


def _kind(number: phonenumbers.PhoneNumber, country: str) -> NumberKind:
    what = phonenumbers.number_type(number)
    if what in _DEAR:
        return NumberKind.PREMIUM
    if number.country_code != phonenumbers.country_code_for_region(country):
        return NumberKind.INTERNATIONAL
    if what == PhoneNumberType.UNKNOWN:
        return NumberKind.UNKNOWN
    if what == PhoneNumberType.TOLL_FREE:
        return NumberKind.LOCAL
    # Several countries share a country code (+1, +7, +44): a call to another of them is one abroad.
    if not phonenumbers.is_valid_number_for_region(number, country):
        return NumberKind.INTERNATIONAL
    return NumberKind.MOBILE if what == PhoneNumberType.MOBILE else NumberKind.LOCAL


def _is_internal(given: str, patterns: tuple[str, ...]) -> bool:
    return any(_internal(pattern).fullmatch(given) for pattern in patterns)


@lru_cache(maxsize=256)
def _internal(pattern: str) -> re.Pattern[str]:
    """Asterisk's letters: X is a digit, Z one from 1, N one from 2."""
    return re.compile("".join({"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}.get(letter, re.escape(letter)) for letter in pattern))

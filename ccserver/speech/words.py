"""A value as the words that a caller hears. Pure.

English, Spanish, Portuguese (of Portugal and of Brazil), Italian and French have their grammar here. In other languages a value is
given to the voice as it is written, with the names of months, units and currencies that are known of the language.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from math import ceil
from typing import assert_never

from babel.dates import format_date, get_month_names
from babel.numbers import get_currency_name
from babel.units import format_unit
from num2words import num2words

from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.speech import characters
from ccserver.speech.money import locale_of, money, rounded
from ccserver.speech.numerals import LARGEST, PORTUGUESE, Gender, Noun, Tongue, cardinal, counted, decimal, tongue_of

MAX_SPELLED = 64
MAX_TEXT = 1000
_MAX_DECIMALS = 6
_DIGITS = re.compile(r"[0-9*#]{1,64}")
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,20})?")
_MONEY = re.compile(rf"({_NUMBER.pattern}) ([A-Z]{{3}})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:[0-5][0-9])?")
_DURATION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_DAYS_FROM_S = 2 * _DAY_S

_AND = {"en": "and", "es": "y", "pt": "e", "pt_BR": "e", "it": "e", "fr": "et"}
_F = Gender.FEMININE
_UNITS: Mapping[Tongue, Mapping[str, Noun]] = {
    Tongue.ENGLISH: {
        "day": Noun("day", "days"),
        "hour": Noun("hour", "hours"),
        "minute": Noun("minute", "minutes"),
        "second": Noun("second", "seconds"),
    },
    Tongue.SPANISH: {
        "day": Noun("día", "días"),
        "hour": Noun("hora", "horas", _F),
        "minute": Noun("minuto", "minutos"),
        "second": Noun("segundo", "segundos"),
    },
    **{
        each: {
            "day": Noun("dia", "dias"),
            "hour": Noun("hora", "horas", _F),
            "minute": Noun("minuto", "minutos"),
            "second": Noun("segundo", "segundos"),
        }
        for each in PORTUGUESE
    },
    Tongue.ITALIAN: {
        "day": Noun("giorno", "giorni"),
        "hour": Noun("ora", "ore", _F),
        "minute": Noun("minuto", "minuti"),
        "second": Noun("secondo", "secondi"),
    },
    Tongue.FRENCH: {
        "day": Noun("jour", "jours"),
        "hour": Noun("heure", "heures", _F),
        "minute": Noun("minute", "minutes", _F),
        "second": Noun("seconde", "secondes", _F),
    },
}


class Unspeakable(Exception):
    """A value is not what its kind says: a date that is no day, a number of fifty digits. The text names the kind, never the value,
    which may be a person's. Look at where the flow has the value from."""

    def __init__(self, kind: SpokenKind) -> None:
        super().__init__(f"a value that is no {kind.value}")


@dataclass(frozen=True, slots=True)
class Part:
    """One sound: the `words` for the voice, and the name of a site's own recording that takes their place ("": there is none)."""

    words: str
    file: str = ""


def parts(piece: Spoken, language: Language) -> tuple[Part, ...]:
    """What to say for a value, in the order of saying; more than one for what is said character by character. Raises Unspeakable."""
    tongue = tongue_of(language)
    match piece.kind:
        case SpokenKind.DIGITS:
            return _digits(piece.value, tongue)
        case SpokenKind.SPELLED:
            return _spelled(piece.value, tongue)
        case SpokenKind.NUMBER:
            return (_number(piece.value, tongue, language),)
        case SpokenKind.MONEY:
            return (_money(piece.value, tongue, language),)
        case SpokenKind.DATE:
            return (_date(piece.value, tongue, language),)
        case SpokenKind.TIME:
            return (_time(piece.value, tongue),)
        case SpokenKind.DURATION:
            return (_duration(piece.value, tongue, language),)
        case SpokenKind.TEXT:
            return (_text(piece.value),)
        case SpokenKind.PROMPT | SpokenKind.RECORDING | SpokenKind.CALL_NUMBER | SpokenKind.EXPECTED_WAIT:
            raise Unspeakable(piece.kind)  # a file, or what the core turns into one of the others
        case _:
            assert_never(piece.kind)


def characters_of(language: Language) -> tuple[Part, ...]:
    """Every digit and plain letter: with them any number and any code can be said."""
    tongue = tongue_of(language)
    return tuple(_character(each, tongue) for each in "0123456789*#abcdefghijklmnopqrstuvwxyz")


# --- character by character -------------------------------------------------------------------------------------------
def _digits(value: str, tongue: Tongue | None) -> tuple[Part, ...]:
    if not _DIGITS.fullmatch(value):
        raise Unspeakable(SpokenKind.DIGITS)
    return tuple(_character(each, tongue) for each in value)


def _spelled(value: str, tongue: Tongue | None) -> tuple[Part, ...]:
    said = [each for each in unicodedata.normalize("NFC", value).lower() if not each.isspace()]
    if not 1 <= len(said) <= MAX_SPELLED or any(unicodedata.category(each)[0] in "CM" for each in said):
        raise Unspeakable(SpokenKind.SPELLED)
    return tuple(_character(each, tongue) for each in said)


def _character(character: str, tongue: Tongue | None) -> Part:
    name = character if tongue is None else characters.NAMES[tongue].get(character, character)
    return Part(name, characters.file_of(character))


# --- numbers and money ------------------------------------------------------------------------------------------------
def _number(value: str, tongue: Tongue | None, language: Language) -> Part:
    if not _NUMBER.fullmatch(value):
        raise Unspeakable(SpokenKind.NUMBER)
    number = round(Decimal(value), _MAX_DECIMALS)
    if abs(number) > LARGEST:
        raise Unspeakable(SpokenKind.NUMBER)
    written = f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
    written = "0" if written == "-0" else written
    words = written if tongue is None else decimal(Decimal(written), tongue, language)
    return Part(words, f"number-{written}")


def _money(value: str, tongue: Tongue | None, language: Language) -> Part:
    found = _MONEY.fullmatch(value)
    if found is None:
        raise Unspeakable(SpokenKind.MONEY)
    amount, currency = Decimal(found[1]), found[3]
    amount = rounded(round(amount, _MAX_DECIMALS), currency)
    if abs(amount) > LARGEST:
        raise Unspeakable(SpokenKind.MONEY)
    amount = abs(amount) if amount == 0 else amount
    written = f"{amount:f}"
    if tongue is not None:
        words = money(amount, currency, tongue, language)
    else:
        words = f"{written} {get_currency_name(currency, count=amount, locale=locale_of(language) or 'en')}"
    return Part(words, f"money-{written}-{currency}")


# --- days and times ---------------------------------------------------------------------------------------------------
def _date(value: str, tongue: Tongue | None, language: Language) -> Part:
    if not _DATE.fullmatch(value):
        raise Unspeakable(SpokenKind.DATE)
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise Unspeakable(SpokenKind.DATE) from None
    return Part(_day(day, tongue, language), f"date-{value}")


def _day(day: date, tongue: Tongue | None, language: Language) -> str:
    if tongue is None:
        locale = locale_of(language)
        return day.isoformat() if locale is None else str(format_date(day, "long", locale=locale))
    month = get_month_names("wide", locale=tongue.value)[day.month]
    first = day.day == 1
    match tongue:
        case Tongue.ENGLISH:
            return f"{month} {num2words(day.day, to='ordinal')}, {num2words(day.year, to='year')}"
        case Tongue.SPANISH | Tongue.PORTUGUESE:
            return f"{cardinal(day.day, tongue)} de {month} de {cardinal(day.year, tongue)}"
        case Tongue.BRAZILIAN:
            return f"{'primeiro' if first else cardinal(day.day, tongue)} de {month} de {cardinal(day.year, tongue)}"
        case Tongue.ITALIAN:
            return f"{'primo' if first else cardinal(day.day, tongue)} {month} {cardinal(day.year, tongue)}"
        case Tongue.FRENCH:
            return f"{'premier' if first else cardinal(day.day, tongue)} {month} {cardinal(day.year, tongue)}"


def _time(value: str, tongue: Tongue | None) -> Part:
    found = _TIME.fullmatch(value)
    if found is None:
        raise Unspeakable(SpokenKind.TIME)
    hour, minute = int(found[1]), int(found[2])
    written = f"{hour:02d}:{minute:02d}"
    return Part(written if tongue is None else _clock(hour, minute, tongue), f"time-{hour:02d}-{minute:02d}")


def _clock(hour: int, minute: int, tongue: Tongue) -> str:
    """As people say it, to stand behind `at`: English by the twelve hours of the dial, the others by twenty-four."""
    units = _UNITS[tongue]
    match tongue:
        case Tongue.ENGLISH:
            if minute == 0 and hour % 12 == 0:
                return "noon" if hour else "midnight"
            half = "p.m." if hour >= 12 else "a.m."
            words = cardinal(hour % 12 or 12, tongue)
            if minute:
                words += f"{' oh' if minute < 10 else ''} {cardinal(minute, tongue)}"
            return f"{words} {half}"
        case Tongue.SPANISH | Tongue.PORTUGUESE | Tongue.BRAZILIAN:
            hours = counted(hour, units["hour"], tongue)
            return f"{hours} {_AND[tongue.value]} {counted(minute, units['minute'], tongue)}" if minute else hours
        case Tongue.ITALIAN:
            hours = f"ore {cardinal(hour, tongue, Gender.FEMININE)}"
            return f"{hours} e {cardinal(minute, tongue)}" if minute else hours
        case Tongue.FRENCH:
            hours = counted(hour, units["hour"], tongue)
            return f"{hours} {cardinal(minute, tongue, Gender.FEMININE)}" if minute else hours


def _duration(value: str, tongue: Tongue | None, language: Language) -> Part:
    if not _DURATION.fullmatch(value):
        raise Unspeakable(SpokenKind.DURATION)
    seconds = shown_duration_s(Decimal(value))
    days, rest = divmod(seconds, _DAY_S) if seconds >= _DAYS_FROM_S else (0, seconds)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, second = divmod(rest, _MINUTE_S)
    amounts = {"day": days, "hour": hours, "minute": minutes, "second": second}
    amounts = {unit: amount for unit, amount in amounts.items() if amount} or {"second": 0}
    if tongue is not None:
        words = f" {_AND[tongue.value]} ".join(
            counted(amount, _UNITS[tongue][unit], tongue) for unit, amount in amounts.items()
        )
    else:
        locale = locale_of(language) or "en"
        words = ", ".join(format_unit(amount, f"duration-{unit}", locale=locale) for unit, amount in amounts.items())
    return Part(words, f"duration-{seconds}")


def shown_duration_s(seconds: Decimal) -> int:
    """Rounded as it is said: to seconds below a minute, up to minutes below two days, up to hours from there on."""
    whole = int(seconds.quantize(Decimal(1), ROUND_HALF_EVEN))
    if whole < _MINUTE_S:
        return whole
    up_s = ceil(seconds / _MINUTE_S) * _MINUTE_S
    return up_s if up_s < _DAYS_FROM_S else ceil(up_s / _HOUR_S) * _HOUR_S


def _text(value: str) -> Part:
    # What only controls (and nothing else) is no sound.
    said = " ".join("".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in value).split())
    said = "".join(each for each in said if unicodedata.category(each) not in ("Cf", "Cs", "Co", "Cn"))
    if not 1 <= len(said) <= MAX_TEXT:
        raise Unspeakable(SpokenKind.TEXT)
    return Part(said)

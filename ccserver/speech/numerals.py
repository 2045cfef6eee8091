"""Cardinal numbers in words, as the noun beside them wants them: `veintiún euros`, `duas horas`, `vingt et une minutes`."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from num2words import num2words

from ccserver.core.ids import Language

LARGEST = 10**12 - 1


class Gender(Enum):
    """Of what is counted. ALONE: nothing is, as in counting aloud."""

    ALONE = "alone"
    MASCULINE = "masculine"
    FEMININE = "feminine"


@dataclass(frozen=True, slots=True)
class Noun:
    one: str
    many: str
    gender: Gender = Gender.MASCULINE


class Tongue(Enum):
    """A language whose grammar is known here; the value is num2words' name of it."""

    ENGLISH = "en"
    SPANISH = "es"
    PORTUGUESE = "pt"
    BRAZILIAN = "pt_BR"
    ITALIAN = "it"
    FRENCH = "fr"


PORTUGUESE = (Tongue.PORTUGUESE, Tongue.BRAZILIAN)
MINUS = {"en": "minus", "es": "menos", "pt": "menos", "pt_BR": "menos", "it": "meno", "fr": "moins"}
_POINT = {"en": "point", "es": "coma", "pt": "vírgula", "pt_BR": "vírgula", "it": "virgola", "fr": "virgule"}
_SAYS_PUNTO = frozenset({"es_MX", "es_US", "es_PR", "es_DO", "es_PA", "es_GT", "es_HN", "es_NI", "es_SV"})
_OF = {"es": "de", "pt": "de", "pt_BR": "de", "it": "di", "fr": "de"}
_MILLIONS = re.compile(r".*(?:ill[oó]n|illones|ilhão|ilhões)(?: e|,)? ?")


def tongue_of(language: Language) -> Tongue | None:
    """`es_MX` is Spanish; None: its grammar is not known here."""
    base = language.split("_", maxsplit=1)[0]
    if language == "pt_BR":
        return Tongue.BRAZILIAN
    return next((each for each in Tongue if each.value == base), None)


def cardinal(number: int, tongue: Tongue, gender: Gender = Gender.ALONE) -> str:
    """`number` (0 to `LARGEST`) in words, agreeing with what is counted."""
    words = str(num2words(number, lang=tongue.value)).replace(",", "")  # a comma would be a pause
    match tongue:
        case Tongue.SPANISH:
            return _spanish(words, gender)
        case Tongue.PORTUGUESE | Tongue.BRAZILIAN:
            return _portuguese(words) if gender is Gender.FEMININE else words
        case Tongue.ITALIAN:
            if number == 1 and gender is not Gender.ALONE:
                return "una" if gender is Gender.FEMININE else "un"
            return words
        case Tongue.FRENCH:
            return re.sub(r"\bun$", "une", words) if gender is Gender.FEMININE else words
        case Tongue.ENGLISH:
            return words


def _after_millions(words: str) -> tuple[str, str]:
    """Only what follows the millions agrees with the noun: `doscientos millones de libras`, `doscientas mil libras`."""
    found = _MILLIONS.match(words)
    return (words[: found.end()], words[found.end() :]) if found else ("", words)


def _spanish(words: str, gender: Gender) -> str:
    # The apocope before thousands and millions, whatever is counted.
    words = re.sub(r"\bveintiuno (?=mil)", "veintiún ", words)
    words = re.sub(r"\buno (?=mil)", "un ", words)
    before, after = _after_millions(words)
    if gender is Gender.FEMININE:
        after = re.sub(r"cientos\b", "cientas", after).replace("quinientos", "quinientas")
        after = re.sub(r"uno$", "una", after)
    elif gender is Gender.MASCULINE:
        after = re.sub(r"\buno$", "un", re.sub(r"veintiuno$", "veintiún", after))
    return before + after


def _portuguese(words: str) -> str:
    before, after = _after_millions(words)
    after = re.sub(r"\bdois\b", "duas", re.sub(r"\bum\b", "uma", after))
    return before + re.sub(r"entos\b", "entas", after)


def counted(number: int, noun: Noun, tongue: Tongue) -> str:
    """So many of them: `una hora`, `dos millones de euros`, `un'ora`."""
    is_one = number < 2 if tongue is Tongue.FRENCH else number == 1
    name = noun.one if is_one else noun.many
    words = cardinal(number, tongue, noun.gender)
    if number and number % 10**6 == 0 and tongue in (Tongue.SPANISH, *PORTUGUESE, Tongue.ITALIAN, Tongue.FRENCH):
        of = _OF[tongue.value]
        return f"{words} d'{name}" if tongue is Tongue.FRENCH and name[0] in "aeéiouh" else f"{words} {of} {name}"
    if tongue is Tongue.ITALIAN and words == "una" and name[0] in "aeiou":
        return f"un'{name}"
    return f"{words} {name}"


def decimal(number: Decimal, tongue: Tongue, language: Language) -> str:
    """Any number up to `LARGEST`, with its sign and its decimals: `menos doce coma cinco`."""
    sign = f"{MINUS[tongue.value]} " if number < 0 else ""
    whole, _, rest = f"{abs(number):f}".partition(".")
    words = sign + cardinal(int(whole), tongue)
    rest = rest.rstrip("0")
    if not rest:
        return words
    point = "punto" if language in _SAYS_PUNTO else _POINT[tongue.value]
    # English says decimals digit by digit, the others two together where no nought leads.
    if tongue is Tongue.ENGLISH or len(rest) > 2 or rest[0] == "0":
        return f"{words} {point} {' '.join(cardinal(int(digit), tongue) for digit in rest)}"
    return f"{words} {point} {cardinal(int(rest), tongue)}"

"""Amounts in words: what is common by the names that people say, every other currency by its full name."""

from decimal import ROUND_HALF_UP, Decimal

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_name, get_currency_precision

from ccserver.core.ids import Language
from ccserver.speech.numerals import MINUS, Gender, Noun, Tongue, counted, decimal

_F = Gender.FEMININE
_CENTAVO = Noun("centavo", "centavos")
_CENT_ES, _CENT_PT = Noun("céntimo", "céntimos"), Noun("cêntimo", "cêntimos")
_CENT_IT, _CENT_FR = Noun("centesimo", "centesimi"), Noun("centime", "centimes")
_PESO = {each: (Noun("peso", "pesos"), _CENTAVO) for each in Tongue}

_COMMON: dict[str, dict[Tongue, tuple[Noun, Noun]]] = {
    "EUR": {
        Tongue.ENGLISH: (Noun("euro", "euros"), Noun("cent", "cents")),
        Tongue.SPANISH: (Noun("euro", "euros"), _CENT_ES),
        Tongue.PORTUGUESE: (Noun("euro", "euros"), _CENT_PT),
        Tongue.BRAZILIAN: (Noun("euro", "euros"), _CENTAVO),
        Tongue.ITALIAN: (Noun("euro", "euro"), _CENT_IT),
        Tongue.FRENCH: (Noun("euro", "euros"), _CENT_FR),
    },
    "USD": {
        Tongue.ENGLISH: (Noun("dollar", "dollars"), Noun("cent", "cents")),
        Tongue.SPANISH: (Noun("dólar", "dólares"), _CENTAVO),
        Tongue.PORTUGUESE: (Noun("dólar", "dólares"), _CENT_PT),
        Tongue.BRAZILIAN: (Noun("dólar", "dólares"), _CENTAVO),
        Tongue.ITALIAN: (Noun("dollaro", "dollari"), _CENT_IT),
        Tongue.FRENCH: (Noun("dollar", "dollars"), Noun("cent", "cents")),
    },
    "GBP": {
        Tongue.ENGLISH: (Noun("pound", "pounds"), Noun("penny", "pence")),
        Tongue.SPANISH: (Noun("libra", "libras", _F), Noun("penique", "peniques")),
        Tongue.PORTUGUESE: (Noun("libra", "libras", _F), Noun("péni", "pence")),
        Tongue.BRAZILIAN: (Noun("libra", "libras", _F), Noun("pêni", "pence")),
        Tongue.ITALIAN: (Noun("sterlina", "sterline", _F), Noun("penny", "pence")),
        Tongue.FRENCH: (Noun("livre", "livres", _F), Noun("penny", "pence")),
    },
    "BRL": {
        Tongue.ENGLISH: (Noun("real", "reais"), _CENTAVO),
        Tongue.SPANISH: (Noun("real", "reales"), _CENTAVO),
        Tongue.PORTUGUESE: (Noun("real", "reais"), _CENTAVO),
        Tongue.BRAZILIAN: (Noun("real", "reais"), _CENTAVO),
        Tongue.ITALIAN: (Noun("real", "reais"), _CENTAVO),
        Tongue.FRENCH: (Noun("réal", "réals"), _CENTAVO),
    },
    "CHF": {
        Tongue.ENGLISH: (Noun("franc", "francs"), Noun("centime", "centimes")),
        Tongue.SPANISH: (Noun("franco", "francos"), _CENT_ES),
        Tongue.PORTUGUESE: (Noun("franco", "francos"), _CENT_PT),
        Tongue.BRAZILIAN: (Noun("franco", "francos"), _CENTAVO),
        Tongue.ITALIAN: (Noun("franco", "franchi"), _CENT_IT),
        Tongue.FRENCH: (Noun("franc", "francs"), _CENT_FR),
    },
    **dict.fromkeys(("MXN", "COP", "ARS", "CLP", "UYU", "DOP"), _PESO),
}
_WITH = {"en": "and", "es": "con", "pt": "e", "pt_BR": "e", "it": "e", "fr": "et"}
_FRENCH_FEMININE = frozenset({"livre", "couronne", "roupie", "lire", "hryvnia"})


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To what is paid: cents of most currencies, whole ones of some."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)


def money(amount: Decimal, currency: str, tongue: Tongue, language: Language) -> str:
    """A rounded amount: `un euro`, `veintiuna libras con cincuenta peniques`, `cinquanta centesimi`."""
    sign = f"{MINUS[tongue.value]} " if amount < 0 else ""
    whole, minor = divmod(int(abs(amount) * 100), 100)
    found = _COMMON.get(currency, {}).get(tongue)
    if found is not None:
        words = [counted(whole, found[0], tongue)] if whole or not minor else []
        words += [counted(minor, found[1], tongue)] if minor else []
        return sign + f" {_WITH[tongue.value]} ".join(words)
    name = _full_name(currency, tongue, language)
    if amount == amount.to_integral_value():
        return sign + counted(whole, name, tongue)
    return f"{decimal(amount, tongue, language)} {name.many}"


def _full_name(currency: str, tongue: Tongue, language: Language) -> Noun:
    locale = locale_of(language) or Locale.parse("pt_PT" if tongue is Tongue.PORTUGUESE else tongue.value)
    one, many = (_small(get_currency_name(currency, count=count, locale=locale), tongue) for count in (1, 2))
    return Noun(one, many, _gender(many, tongue))


def _small(name: str, tongue: Tongue) -> str:
    return name if tongue is Tongue.ENGLISH else name[:1].lower() + name[1:]


def _gender(name: str, tongue: Tongue) -> Gender:
    """By the ending of the name and of the adjective behind it: `coronas suecas`, but `kwanzas angolanos`."""
    words = [word.lower() for word in name.split()]
    if tongue is Tongue.FRENCH:
        return _F if words and words[0].rstrip("s") in _FRENCH_FEMININE else Gender.MASCULINE
    endings = ("e",) if tongue is Tongue.ITALIAN else ("a", "as")
    is_feminine = bool(words) and words[0].endswith(endings) and (len(words) < 2 or not words[1].endswith(("o", "os", "i")))
    return _F if is_feminine else Gender.MASCULINE


def locale_of(language: Language) -> Locale | None:
    """Babel's; `pt` is that of Portugal here. None: it knows no such language."""
    try:
        return Locale.parse("pt_PT" if language == "pt" else language)
    except (UnknownLocaleError, ValueError):
        base = language.split("_", maxsplit=1)[0]
        return locale_of(Language(base)) if base != language else None

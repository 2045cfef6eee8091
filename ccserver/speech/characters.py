"""How single characters are called when something is spelled, by language."""

from collections.abc import Mapping

from ccserver.speech.numerals import Tongue, cardinal

_LETTERS: Mapping[Tongue, str] = {
    Tongue.ENGLISH: "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
    Tongue.SPANISH: "a|be|ce|de|e|efe|ge|hache|i|jota|ka|ele|eme|ene|o|pe|cu|erre|ese|te|u|uve|uve doble|equis|i griega|zeta",
    Tongue.PORTUGUESE: "á|bê|cê|dê|é|éfe|gê|agá|i|jota|cápa|éle|éme|éne|ó|pê|quê|érre|ésse|tê|u|vê|dâblio|xis|ípsilon|zê",
    Tongue.BRAZILIAN: "á|bê|cê|dê|é|éfe|gê|agá|i|jota|cá|éle|ême|êne|ó|pê|quê|érre|ésse|tê|u|vê|dáblio|xis|ípsilon|zê",
    Tongue.ITALIAN: "a|bi|ci|di|e|effe|gi|acca|i|i lunga|cappa|elle|emme|enne|o|pi|cu|erre|esse|ti|u|vu|doppia vu|ics|ipsilon|zeta",
    Tongue.FRENCH: "a|bé|cé|dé|e|effe|gé|ache|i|ji|ka|elle|emme|enne|o|pé|cu|erre|esse|té|u|vé|double vé|ixe|i grec|zède",
}
_MORE_LETTERS: Mapping[Tongue, Mapping[str, str]] = {
    Tongue.SPANISH: {"ñ": "eñe", "ç": "ce cedilla"},
    Tongue.PORTUGUESE: {"ç": "cê de cedilha"},
    Tongue.BRAZILIAN: {"ç": "cê cedilha"},
    Tongue.FRENCH: {"ç": "cé cédille", "é": "e accent aigu", "è": "e accent grave", "ê": "e accent circonflexe"},
}
_SIGNS = ("*", "#", "+", "-", "_", ".", ",", "/", "@", "&", ":")
_SIGN_FILES = ("star", "hash", "plus", "dash", "underscore", "dot", "comma", "slash", "at", "and", "colon")
_SIGN_NAMES: Mapping[Tongue, str] = {
    Tongue.ENGLISH: "star|hash|plus|dash|underscore|dot|comma|slash|at|and|colon",
    Tongue.SPANISH: "asterisco|almohadilla|más|guion|guion bajo|punto|coma|barra|arroba|y|dos puntos",
    Tongue.PORTUGUESE: "asterisco|cardinal|mais|hífen|traço inferior|ponto|vírgula|barra|arroba|e|dois pontos",
    Tongue.BRAZILIAN: "asterisco|sustenido|mais|hífen|sublinhado|ponto|vírgula|barra|arroba|e|dois pontos",
    Tongue.ITALIAN: "asterisco|cancelletto|più|trattino|trattino basso|punto|virgola|barra|chiocciola|e|due punti",
    Tongue.FRENCH: "étoile|dièse|plus|tiret|tiret bas|point|virgule|barre oblique|arobase|et|deux points",
}


def names(tongue: Tongue) -> dict[str, str]:
    """What each digit, letter (small) and sign is called."""
    separator = " " if tongue is Tongue.ENGLISH else "|"
    return {
        **{str(digit): cardinal(digit, tongue) for digit in range(10)},
        **dict(zip("abcdefghijklmnopqrstuvwxyz", _LETTERS[tongue].split(separator), strict=True)),
        **_MORE_LETTERS.get(tongue, {}),
        **dict(zip(_SIGNS, _SIGN_NAMES[tongue].split("|"), strict=True)),
    }


NAMES: Mapping[Tongue, Mapping[str, str]] = {tongue: names(tongue) for tongue in Tongue}


def file_of(character: str) -> str:
    """The name of a site's own recording of it, "" for one that has none."""
    if character.isascii() and character.isdigit():
        return f"digit-{character}"
    if character.isascii() and character.isalpha():
        return f"letter-{character}"
    return f"sign-{_SIGN_FILES[_SIGNS.index(character)]}" if character in _SIGNS else ""

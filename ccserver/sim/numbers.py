"""How the edge of the virtual site reads a number that somebody typed or dialled: a small numbering plan of its own."""

from ccserver.core.settings import NumberKind

INTERNAL_MAX = 4
"""Longest internal number."""
COUNTRY = "+1555"
PREMIUM = "900"
EMERGENCY = frozenset({"112", "911"})


def read_number(digits: str) -> tuple[str, NumberKind]:
    """E.164 or an internal number, and what it is; ("", UNKNOWN) for what is no number."""
    given = digits.removeprefix("+")
    if not given.isdigit():
        return "", NumberKind.UNKNOWN
    if digits.startswith("+") or given.startswith("00"):
        number = "+" + given.removeprefix("00")
        return number, NumberKind.LOCAL if number.startswith(COUNTRY) else NumberKind.INTERNATIONAL
    if len(given) <= INTERNAL_MAX:
        return given, NumberKind.INTERNAL
    if given.startswith(PREMIUM):
        return COUNTRY + given, NumberKind.PREMIUM
    return COUNTRY + given, NumberKind.MOBILE if given.startswith("6") else NumberKind.LOCAL

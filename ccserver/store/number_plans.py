"""Numbers that come as + and digits, which is how most lists have them, judged by the same tables as all others (`phonenumbers`), without
the look at all that people may write: that look is most of what an import of a million costs.

What is not plain is left to the library: numbers that begin with 0 behind the country's code, or with what the country strips off.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType

DIGITS_MAX = 15
CODE_DIGITS_MAX = 3
WORLD = "001"
"""The region of numbers that are of no country."""
_KINDS = (
    ("premium_rate", PhoneNumberType.PREMIUM_RATE),
    ("toll_free", PhoneNumberType.TOLL_FREE),
    ("shared_cost", PhoneNumberType.SHARED_COST),
    ("voip", PhoneNumberType.VOIP),
    ("personal_number", PhoneNumberType.PERSONAL_NUMBER),
    ("pager", PhoneNumberType.PAGER),
    ("uan", PhoneNumberType.UAN),
    ("voicemail", PhoneNumberType.VOICEMAIL),
)
Matches = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Plain:
    """A number that exists. `national`: its digits behind the country's code."""

    code: int
    national: str
    region: str
    kind: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbers of one region. `leading`: by which they are known among others of the same code; None: by all of the plan."""

    region: str
    leading: re.Pattern[str] | None
    exists: Matches
    kinds: tuple[tuple[int, Matches], ...]
    is_fixed: Matches
    is_mobile: Matches
    are_alike: bool
    """Fixed lines and mobiles cannot be told apart."""

    def kind(self, national: str) -> int:
        if not self.exists(national):
            return int(PhoneNumberType.UNKNOWN)
        for kind, matches in self.kinds:
            if matches(national):
                return kind
        if self.is_fixed(national):
            is_either = self.are_alike or self.is_mobile(national)
            return int(PhoneNumberType.FIXED_LINE_OR_MOBILE if is_either else PhoneNumberType.FIXED_LINE)
        is_mobile = not self.are_alike and self.is_mobile(national)
        return int(PhoneNumberType.MOBILE if is_mobile else PhoneNumberType.UNKNOWN)


def plain(text: str) -> Plain | None:
    """None: it is not plain, or does not exist; the library knows which."""
    digits = text[1:]
    if text[:1] != "+" or len(digits) > DIGITS_MAX or not (digits.isascii() and digits.isdecimal()) or digits[0] == "0":
        return None
    for length in range(1, CODE_DIGITS_MAX + 1):
        code = int(digits[:length])
        if code in COUNTRY_CODE_TO_REGION_CODE:
            break
    else:
        return None
    national = digits[length:]
    stripped, plans = _plans(code)
    if not plans or national[:1] in ("", "0") or (stripped is not None and stripped.match(national)):
        return None
    for plan in plans:
        if plan.leading is None or len(plans) == 1:
            kind = plan.kind(national)
            if kind != PhoneNumberType.UNKNOWN:
                return Plain(code, national, plan.region, kind)
        elif plan.leading.match(national):
            kind = plan.kind(national)
            return None if kind == PhoneNumberType.UNKNOWN else Plain(code, national, plan.region, kind)
    return None


@cache
def _plans(code: int) -> tuple[re.Pattern[str] | None, tuple[_Plan, ...]]:
    """What the main region strips off, and the plans of all regions of a code; none for those of the world."""
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    found = [(region, PhoneMetadata.metadata_for_region(region, None)) for region in regions]
    plans = tuple(_plan(region, metadata) for region, metadata in found if metadata is not None)
    main = found[0][1]
    if WORLD in regions or main is None or len(plans) < len(found):
        return None, ()
    prefix = main.national_prefix_for_parsing
    return None if prefix is None else re.compile(prefix), plans


def _plan(region: str, metadata: Any) -> _Plan:
    leading = metadata.leading_digits
    return _Plan(
        region=region,
        leading=None if leading is None else re.compile(leading),
        exists=_matching(metadata.general_desc),
        kinds=tuple((int(kind), _matching(getattr(metadata, name))) for name, kind in _KINDS if _is_there(metadata, name)),
        is_fixed=_matching(metadata.fixed_line),
        is_mobile=_matching(metadata.mobile),
        are_alike=bool(metadata.same_mobile_and_fixed_line_pattern),
    )


def _is_there(metadata: Any, name: str) -> bool:
    told = getattr(metadata, name)
    return told is not None and bool(told.national_number_pattern)


def _matching(told: Any) -> Matches:
    if told is None or not told.national_number_pattern:
        return lambda _: False
    lengths, matches = frozenset(told.possible_length), re.compile(told.national_number_pattern).fullmatch
    if not lengths:
        return lambda national: matches(national) is not None
    return lambda national: len(national) in lengths and matches(national) is not None

"""Telephone numbers as callers bring them, turned into E.164."""

import re
from functools import lru_cache

import phonenumbers

_DIALLED = re.compile(r"\+?[0-9 ()./-]{2,40}")


@lru_cache(maxsize=4096)
def normalise(given: str, country: str) -> str | None:
    """`+4930123456` for anything that can be read as a telephone number in `country` (ISO 3166), else None.

    A number written internationally (+ or the country's prefix for it) is believed if its length is possible: new ranges
    appear before the tables know them. A national one must be valid, else an extension such as 1001 would become an
    outside number.
    """
    if not _DIALLED.fullmatch(given):
        return None
    try:
        number = phonenumbers.parse(given, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    source = phonenumbers.CountryCodeSource
    is_international = number.country_code_source in (source.FROM_NUMBER_WITH_PLUS_SIGN, source.FROM_NUMBER_WITH_IDD)
    is_good = phonenumbers.is_possible_number(number) if is_international else phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if is_good else None

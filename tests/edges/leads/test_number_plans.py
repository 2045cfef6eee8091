"""Numbers of + and digits are read by the tables alone, and as the library reads them."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberFormat, PhoneNumberType

from ccserver.store.lead_phones import BadNumber, any_phone, read_phone
from ccserver.store.number_plans import plain

KINDS = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]


def examples(region: str) -> list[str]:
    found = (phonenumbers.example_number_for_type(region, kind) for kind in KINDS)
    return sorted({phonenumbers.format_number(each, PhoneNumberFormat.E164) for each in found if each is not None})


ALL = {region: examples(region) for region in sorted(phonenumbers.SUPPORTED_REGIONS)}
EVERY = [number for numbers in ALL.values() for number in numbers]


def as_both(text: str) -> None:
    try:
        expected: object = any_phone(text, "ES")
    except BadNumber as error:
        expected = str(error)
    try:
        found: object = read_phone(text, "ES")
    except BadNumber as error:
        found = str(error)
    assert found == expected, text


@pytest.mark.parametrize("region", ALL)
def test_of_each_region_each_kind_is_told_as_by_the_library(region: str) -> None:
    for number in ALL[region]:
        as_both(number)
        for digit in "0159":
            as_both(number[:-1] + digit)
            as_both(number[:-3] + digit + number[-2:])
        as_both(number[:-1])
        as_both(number + "0")


def test_most_numbers_are_plain() -> None:
    assert sum(plain(number) is not None for number in EVERY) > 0.9 * len(EVERY)
    for number in ("+34600111222", "+12125550123", "+447400123456", "+5511961234567", "+393123456789", "+33612345678"):
        assert plain(number) is not None, number


@given(st.sampled_from(EVERY), st.text("0123456789", max_size=9), st.integers(1, 12))
@settings(max_examples=400, deadline=None)
def test_numbers_near_those_that_exist(number: str, tail: str, kept: int) -> None:
    as_both(number[: kept + 1] + tail)


@given(st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE)), st.text("0123456789", max_size=13))
@settings(max_examples=400, deadline=None)
def test_numbers_of_every_code(code: int, national: str) -> None:
    as_both(f"+{code}{national}")


@given(st.text("+0123456789 -.;()x#٣３", max_size=20))
@settings(max_examples=300, deadline=None)
def test_whatever_is_written(text: str) -> None:
    as_both(text)


@pytest.mark.parametrize(
    "text", ["", "+", "+0", "++34600111222", "600111222", "+0034600111222", "+٣٤600111222", "+999", "+34 600111222"]
)
def test_what_is_not_plain_is_left_to_the_library(text: str) -> None:
    assert plain(text) is None
    as_both(text)

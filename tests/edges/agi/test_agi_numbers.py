"""What a dialled number is: who may call it depends on that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.agi.numbers import Dialled, Numbering, dialled, outside
from ccserver.core.settings import NumberKind

SPAIN = Numbering(country="ES", internal_patterns=("1XXX", "2NZ"), outside_prefix="0")


@pytest.mark.parametrize(
    ("given_", "country", "number", "kind"),
    [
        ("911234567", "ES", "+34911234567", NumberKind.LOCAL),
        ("612345678", "ES", "+34612345678", NumberKind.MOBILE),
        ("900123456", "ES", "+34900123456", NumberKind.LOCAL),  # free
        ("803123456", "ES", "+34803123456", NumberKind.PREMIUM),
        ("901123456", "ES", "+34901123456", NumberKind.PREMIUM),  # shared cost
        ("0034911234567", "ES", "+34911234567", NumberKind.LOCAL),
        ("00442079460000", "ES", "+442079460000", NumberKind.INTERNATIONAL),
        ("+442079460000", "ES", "+442079460000", NumberKind.INTERNATIONAL),
        ("+19002345678", "ES", "+19002345678", NumberKind.PREMIUM),  # dear abroad too
        ("+979123456789", "ES", "+979123456789", NumberKind.PREMIUM),
        ("+881612345678", "ES", "+881612345678", NumberKind.INTERNATIONAL),  # by satellite
        ("2025550143", "US", "+12025550143", NumberKind.LOCAL),
        ("8765230123", "US", "+18765230123", NumberKind.INTERNATIONAL),  # Jamaica, behind the same country code
        ("8005550123", "US", "+18005550123", NumberKind.LOCAL),
        ("07012345678", "GB", "+447012345678", NumberKind.PREMIUM),  # a "personal" number
        ("112", "ES", "112", NumberKind.UNKNOWN),
        ("1001", "ES", "1001", NumberKind.UNKNOWN),
        ("*21*612345678#", "ES", "*21*612345678#", NumberKind.UNKNOWN),
        ("911 234 567", "ES", "", NumberKind.UNKNOWN),  # no keypad has a space
        ("alice", "ES", "", NumberKind.UNKNOWN),
    ],
)
def test_an_outside_number(given_: str, country: str, number: str, kind: NumberKind) -> None:
    assert outside(given_, country) == Dialled(number, kind)


@pytest.mark.parametrize(
    ("given_", "number", "kind"),
    [
        ("1002", "1002", NumberKind.INTERNAL),
        ("221", "221", NumberKind.INTERNAL),
        ("211", "211", NumberKind.UNKNOWN),  # N is from 2 up
        ("220", "220", NumberKind.UNKNOWN),  # Z is from 1 up
        ("10020", "10020", NumberKind.UNKNOWN),
        ("0612345678", "+34612345678", NumberKind.MOBILE),
        ("612345678", "+34612345678", NumberKind.MOBILE),
        ("000442079460000", "+442079460000", NumberKind.INTERNATIONAL),
        ("0803123456", "+34803123456", NumberKind.PREMIUM),
        ("0112", "0112", NumberKind.UNKNOWN),
        ("101", "101", NumberKind.UNKNOWN),  # perhaps an agent's number: the core knows
    ],
)
def test_a_number_as_it_is_dialled_here(given_: str, number: str, kind: NumberKind) -> None:
    assert dialled(given_, SPAIN) == Dialled(number, kind)


@given(st.text(max_size=50), st.sampled_from(["ES", "US", "DE", "XX"]))
def test_whatever_is_given_has_a_kind_and_a_number_that_a_dialplan_can_take(text: str, country: str) -> None:
    found = dialled(text, Numbering(country=country))
    assert set(found.number) <= set("+0123456789*#")
    if found.kind not in (NumberKind.UNKNOWN, NumberKind.INTERNAL):
        assert found.number.startswith("+")

"""Keys that agents type during a call."""

import pytest

from ccserver.core.keys import CallKey, Typed, read
from ccserver.core.settings import CallKeys

KEYS = CallKeys()


def typed(digits: str, keys: CallKeys = KEYS) -> list[Typed]:
    found, pending = [], ""
    for digit in digits:
        now = read(keys, pending, digit, 0.5)
        pending = now.pending
        found.append(now)
    return found


@pytest.mark.parametrize("key", [key for key in CallKey if key is not CallKey.SEND_TO_FLOW])
def test_each_key_is_found_by_its_digits(key: CallKey) -> None:
    digits = getattr(KEYS, key.value)
    *before, last = typed(digits)
    assert before == [Typed(digits[:length]) for length in range(1, len(digits))]
    assert last == Typed("", key)


def test_an_argument_ends_with_hash() -> None:
    *before, last = typed("*812#")
    assert [t.key for t in before] == [None] * 4
    assert last == Typed("", CallKey.SEND_TO_FLOW, "12")


def test_digits_for_somebody_elses_menu_are_no_keys() -> None:
    assert all(t == Typed("") for t in typed("1234567890#"))


def test_a_wrong_key_is_forgotten_and_the_next_star_begins_anew() -> None:
    assert typed("*#1")[-1] == Typed("")
    assert typed("**")[-1] == Typed("*")
    assert typed("**2")[-1] == Typed("", CallKey.CONSULT)
    assert typed("*8*2")[-1] == Typed("", CallKey.CONSULT)


def test_an_endless_argument_is_forgotten() -> None:
    assert typed("*8" + "1" * 17)[-1] == Typed("")


def test_a_half_typed_key_is_forgotten_after_three_seconds() -> None:
    assert read(KEYS, "*", "2", 3.0).key is CallKey.CONSULT
    assert read(KEYS, "*", "2", 3.1) == Typed("")
    assert read(KEYS, "*8", "*", 3.1) == Typed("*")


def test_keys_of_any_length_can_be_chosen() -> None:
    keys = CallKeys(release="##1", transfer="##2")
    assert typed("##1", keys)[-1].key is CallKey.RELEASE
    assert typed("###2", keys)[-1].key is CallKey.TRANSFER

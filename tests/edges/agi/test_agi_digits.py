"""Each key press counts once, in whatever order the two sides show it."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ccserver.agi.digits import TypedDigits


def _all(typed: TypedDigits) -> str:
    taken = ""
    while typed:
        taken += typed.take()
    return taken


def test_agi_first_then_ami() -> None:
    typed = TypedDigits()
    typed.command_sent(0.0)
    assert typed.read_by_agi("5", 1.0)
    assert not typed.told_by_ami("5", 1.01)
    assert _all(typed) == "5"


def test_ami_first_then_agi() -> None:
    typed = TypedDigits()
    typed.command_sent(0.0)
    assert typed.told_by_ami("5", 1.0)
    assert not typed.read_by_agi("5", 1.01)
    assert _all(typed) == "5"


def test_the_same_key_twice() -> None:
    typed = TypedDigits()
    for at_s in (1.0, 2.0):
        typed.command_sent(at_s - 0.5)
        typed.told_by_ami("1", at_s)
        typed.read_by_agi("1", at_s)
    assert _all(typed) == "11"


def test_a_digit_lost_to_agi_is_not_taken_for_the_next_one() -> None:
    typed = TypedDigits()
    typed.told_by_ami("1", 1.0)  # typed with no command running
    typed.command_sent(2.0)
    assert typed.read_by_agi("1", 3.0)  # another key press: AMI had told the first before this command began
    assert not typed.told_by_ami("1", 3.1)
    assert _all(typed) == "11"


def test_a_played_out_digit_is_read_by_the_command_after_it() -> None:
    typed = TypedDigits()
    typed.told_by_ami("1", 1.0)
    typed.command_sent(1.05)
    assert not typed.read_by_agi("1", 1.1)
    assert _all(typed) == "1"


def test_the_terminator_behind_a_full_number_is_dropped_once_and_soon_only() -> None:
    typed = TypedDigits()
    typed.is_full("#", 10.0)
    assert typed.without_ending("12#", 11.0) == "12" and typed.without_ending("12#", 12.5) == "12#"
    typed.told_by_ami("#", 11.0)
    assert not typed.read_by_agi("#", 11.01)  # its twin
    typed.told_by_ami("#", 11.5)
    assert _all(typed) == "#"
    typed.is_full("#", 20.0)
    typed.told_by_ami("#", 22.5)
    assert _all(typed) == "#"


def test_another_key_behind_a_full_number_is_the_next_answer_and_so_is_what_follows() -> None:
    typed = TypedDigits()
    typed.is_full("#", 10.0)
    for digit in "7#":
        typed.told_by_ami(digit, 10.5)
    assert _all(typed) == "7#"


def test_a_terminator_typed_ahead_behind_a_full_number_is_dropped_too() -> None:
    typed = TypedDigits()
    for digit in "#7":
        typed.told_by_ami(digit, 1.0)
    typed.is_full("#", 5.0)
    typed.told_by_ami("#", 5.1)
    assert _all(typed) == "7#"


def test_the_last_key_of_a_talk_that_ends_again_is_nothing_that_was_typed() -> None:
    typed = TypedDigits()
    typed.told_before("2")
    assert not typed.read_by_agi("2", 1.0)
    for digit in "72":
        assert typed.read_by_agi(digit, 2.0)
        assert not typed.told_by_ami(digit, 2.1)
    assert _all(typed) == "72"


def test_the_last_key_of_a_talk_typed_once_more_counts_whoever_shows_it_first() -> None:
    for first in ("agi", "ami"):
        typed = TypedDigits()
        typed.told_before("2")
        for side in (first, "ami" if first == "agi" else "agi"):
            typed.read_by_agi("2", 1.0) if side == "agi" else typed.told_by_ami("2", 1.0)
        assert _all(typed) == "2"


def test_a_digit_that_both_have_shown_swallows_no_further_one() -> None:
    typed = TypedDigits()
    typed.command_sent(0.5)
    typed.told_by_ami("1", 1.0)
    typed.read_by_agi("1", 1.01)
    typed.command_sent(1.02)
    assert typed.read_by_agi("1", 1.15)
    assert not typed.told_by_ami("1", 1.16)
    assert _all(typed) == "11"


def test_without_ami_agi_alone_counts_and_nothing_is_expected_later() -> None:
    typed = TypedDigits()
    typed.is_ami_listening = False
    assert typed.read_by_agi("1", 1.0)
    typed.is_ami_listening = True
    typed.forget_twins()
    assert typed.told_by_ami("1", 1.5)
    assert _all(typed) == "11"


def test_a_twin_that_never_came_does_not_swallow_for_ever() -> None:
    typed = TypedDigits()
    typed.read_by_agi("1", 1.0)
    assert typed.told_by_ami("1", 60.0)
    assert _all(typed) == "11"


def test_a_key_held_down_fills_nothing() -> None:
    typed = TypedDigits()
    for _ in range(1000):
        typed.told_by_ami("0", 1.0)
    assert len(_all(typed)) == 32


def test_nothing_shows_the_digits() -> None:
    typed = TypedDigits()
    typed.told_by_ami("4", 1.0)
    assert "4" not in repr(typed).partition(" at 0x")[0]


@st.composite
def keys(draw: st.DrawFn) -> list[tuple[str, bool, int]]:
    """Keys pressed in turn: (digit, whether a command was listening, by how many presses AMI lags behind it)."""
    return draw(st.lists(st.tuples(st.sampled_from("12#"), st.booleans(), st.integers(0, 3)), max_size=20))


@settings(max_examples=400)
@given(keys(), st.booleans())
def test_any_interleaving_counts_each_press_once(presses: list[tuple[str, bool, int]], is_ami_first: bool) -> None:
    """Each read digit answers a command of its own, sent after the last press; AMI tells all in order, late at will."""
    typed = TypedDigits()
    counted = ""
    untold: list[tuple[str, int]] = []

    def tell(until: int, now_s: float) -> None:
        nonlocal counted
        while untold and untold[0][1] <= until:
            typed.told_by_ami(untold.pop(0)[0], now_s)
        counted += _all(typed)

    for number, (digit, is_listening, lag) in enumerate(presses):
        now_s = number * 0.5
        typed.command_sent(now_s - 0.2)
        due = number + lag if not untold else max(number + lag, untold[-1][1])
        untold.append((digit, due))
        if is_ami_first:
            tell(number, now_s)
        if is_listening:
            typed.read_by_agi(digit, now_s + 0.01)
            counted += _all(typed)
        tell(number, now_s + 0.02)
    tell(10**9, len(presses) * 0.5)
    assert Counter(counted) == Counter(digit for digit, _, _ in presses)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from("12#"), st.booleans(), st.booleans()), max_size=20))
def test_order_is_kept_while_ami_lags_less_than_a_finger(presses: list[tuple[str, bool, bool]]) -> None:
    typed = TypedDigits()
    for number, (digit, is_listening, is_ami_first) in enumerate(presses):
        now_s = number * 0.15
        typed.command_sent(now_s - 0.1)
        showings = [typed.told_by_ami] + ([typed.read_by_agi] if is_listening else [])
        for show in showings if is_ami_first else reversed(showings):
            show(digit, now_s)
    assert _all(typed) == "".join(digit for digit, _, _ in presses)


@given(st.lists(st.sampled_from("12#"), max_size=20))
def test_without_ami_each_read_digit_counts(presses: list[str]) -> None:
    typed = TypedDigits()
    typed.is_ami_listening = False
    for number, digit in enumerate(presses):
        typed.command_sent(number * 0.2)
        typed.read_by_agi(digit, number * 0.2 + 0.1)
    assert _all(typed) == "".join(presses)

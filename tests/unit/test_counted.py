"""Counted sound: what is missing of it is told to the millisecond."""

from ccserver.lab.counted import FRAME, GROUP, _linear, _linear_a, arrived, frame


def linear(*numbers: int) -> list[int]:
    return [_linear(code) for number in numbers for code in frame(number)]


def test_every_group_is_found_again() -> None:
    whole = linear(*range(100, 400))
    found = arrived([0] * 777 + whole + [0] * 5)
    assert found is not None and (found.lost, found.samples, found.again) == (0, len(whole), 0)


def test_what_is_cut_out_is_counted() -> None:
    whole = linear(*range(50))
    found = arrived(whole[: 10 * FRAME] + whole[10 * FRAME + 3 * GROUP :])
    assert found is not None and found.lost == 3 * GROUP
    found = arrived(whole[: 10 * FRAME] + whole[12 * FRAME :])
    assert found is not None and found.lost == 2 * FRAME


def test_what_comes_twice_is_no_more() -> None:
    found = arrived(linear(1, 2, 2, 3))
    assert found is not None and (found.lost, found.again) == (0, FRAME // GROUP)


def test_a_law_is_heard_as_such() -> None:
    whole = [_linear_a(code) for number in range(40) for code in frame(number)]
    found = arrived(whole, is_a_law=True)
    assert found is not None and (found.lost, found.samples) == (0, len(whole)) and arrived(whole) is None


def test_silence_and_voices_are_none_of_it() -> None:
    assert arrived([0] * 8000) is None and arrived([(n * 7919) % 65_536 - 32_768 for n in range(8000)]) is None

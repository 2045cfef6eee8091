"""Where each sample of each stretch is in the interaction's file."""

import itertools
import resource
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_site import RATE, both_sides, silence, tone, write_mono
from hypothesis import given, settings
from hypothesis import strategies as st

from ccserver.archive.render import Rendered, render
from ccserver.archive.sound import Sound, Unreadable, look_at
from ccserver.archive.timeline import NUDGE_S, Stretch, Tally, pieces, place

Make = Callable[..., Stretch]


@pytest.fixture
def stretch(tmp_path: Path) -> Make:
    made = 0

    def make(caller: "array[int] | None", agent: "array[int] | None", at_s: float = 0.0, **changes: object) -> Stretch:
        nonlocal made
        made += 1
        sides: list[Sound | None] = []
        for side, samples in (("caller", caller), ("agent", agent)):
            path = tmp_path / f"{made}-{side}.wav"
            if samples is not None:
                write_mono(path, samples)
            sides.append(look_at(path))
        return Stretch(starts_s=at_s, customer=sides[0], agent=sides[1], **changes)

    return make


def rendered(tmp_path: Path, *stretches: Stretch) -> tuple[Rendered, "array[int]", "array[int]"]:
    made = render(stretches, tmp_path / "whole.wav")
    left, right = both_sides(tmp_path / "whole.wav")
    assert len(left) == made.timeline.frames
    return made, left, right


def test_after_a_hold_and_a_transfer_each_voice_is_on_its_side(stretch: Make, tmp_path: Path) -> None:
    first, second, third = tone(8000, 440), tone(16_000, 440), tone(8000, 440)
    anna, again, ben = tone(8000, 1000), tone(16_000, 1000), tone(7000, 700)
    made, left, right = rendered(
        tmp_path, stretch(first, anna, 100.0), stretch(second, again, 105.5), stretch(third, ben, 110.0)
    )
    gap = silence(36_000)
    assert left == first + gap + second + silence(20_000) + third
    assert right == anna + gap + again + silence(20_000) + ben + silence(1000)
    assert (made.tally.customer, made.tally.customer_twice, made.tally.agent) == (32_000, 0, 31_000)


def test_in_a_conference_the_agents_are_added_and_the_customer_is_not_doubled(stretch: Make, tmp_path: Path) -> None:
    customer = tone(32_000, 440)
    anna, ben = tone(24_000, 1000), tone(24_000, 700)
    made, left, right = rendered(tmp_path, stretch(customer[:24_000], anna, 0.0), stretch(customer[8000:], ben, 1.0))
    assert left == customer, "taken once; and from the one who stays when the first one leaves"
    assert right[:8000] == anna[:8000]
    assert list(right[8000:24_000]) == [a + b for a, b in zip(anna[8000:], ben[:16_000], strict=True)]
    assert right[24_000:] == ben[16_000:]
    assert (made.tally.customer, made.tally.customer_twice, made.tally.agent) == (32_000, 16_000, 48_000)


def test_voices_that_are_too_loud_together_are_clipped_and_do_not_wrap(stretch: Make, tmp_path: Path) -> None:
    loud = array("h", [30_000, -30_000, 32_767, -32_768, 5] * 1600)
    _, _, right = rendered(tmp_path, stretch(silence(8000), loud), stretch(silence(8000), loud))
    assert list(right[:5]) == [32_767, -32_768, 32_767, -32_768, 10]


@pytest.mark.parametrize("late_s", [-0.4, -0.02, 0.0])
def test_clocks_that_differ_a_little_cost_no_sample(stretch: Make, tmp_path: Path, late_s: float) -> None:
    """The second stretch follows the first one, but is told to begin before its end."""
    first, second = tone(8000, 440), tone(8000, 600)
    made, left, _ = rendered(tmp_path, stretch(first, None, 5.0), stretch(second, None, 6.0 + late_s))
    assert left == first + second
    assert made.tally.customer_twice == 0


def test_hours_of_hold_between_are_silence_in_little_memory(stretch: Make, tmp_path: Path) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = render([stretch(tone(800, 440), None), stretch(None, tone(800, 1000), 3 * 3600.0)], tmp_path / "long.wav")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 20_000
    assert made.timeline.frames == 3 * 3600 * RATE + 800
    with wave.open(str(tmp_path / "long.wav"), "rb") as file:
        assert file.getnframes() == made.timeline.frames
        file.setpos(made.timeline.frames - 800)
        assert array("h", file.readframes(800))[1::2] == tone(800, 1000)
    assert made.tally.recorded == 1600, "a gap is no silence of anybody"


def test_a_file_that_becomes_shorter_is_told_and_no_file_is_made(stretch: Make, tmp_path: Path) -> None:
    one = stretch(tone(40_000, 440), None)
    assert one.customer is not None
    with one.customer.path.open("r+b") as file:
        file.truncate(20_000)
    with pytest.raises(Unreadable, match="has become shorter"):
        render([one], tmp_path / "whole.wav")
    assert not list(tmp_path.glob("*whole*"))


def test_different_sampling_rates_are_refused(stretch: Make, tmp_path: Path) -> None:
    write_mono(tmp_path / "wide.wav", tone(800, 440), rate=16_000)
    with pytest.raises(Unreadable, match="2 sampling rates"):
        place([stretch(tone(800, 440), None), Stretch(starts_s=0, customer=look_at(tmp_path / "wide.wav"), agent=None)])


LENGTHS = st.one_of(st.none(), st.integers(1, 4000))


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.tuples(st.floats(0, 3, width=16), LENGTHS, LENGTHS), min_size=1, max_size=5))
def test_every_sample_is_somewhere(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[float, int | None, int | None]]
) -> None:
    """Of whatever stretches: no frame of an agent is lost, and one of the customer only where another stretch has the same moment."""
    folder = tmp_path_factory.mktemp("any")
    stretches = []
    for number, (at_s, *lengths) in enumerate(parts):
        sounds = []
        for side, length in zip(("caller", "agent"), lengths, strict=True):
            if length is not None:
                write_mono(folder / f"{number}-{side}.wav", array("h", [number * 10 + 1] * length))
            sounds.append(look_at(folder / f"{number}-{side}.wav"))
        stretches.append(Stretch(starts_s=at_s, customer=sounds[0], agent=sounds[1]))
    if not any(each.customer or each.agent for each in stretches):
        with pytest.raises(Unreadable):
            place(stretches)
        return
    timeline, tally = place(stretches), Tally()
    content = array("h", b"".join(pieces(timeline, tally)))
    assert len(content) == 2 * timeline.frames
    assert tally.agent == sum(each.agent.frames for each in stretches if each.agent)
    assert tally.customer + tally.customer_twice == sum(each.customer.frames for each in stretches if each.customer)
    assert sum(map(bool, content[0::2])) == tally.customer
    if tally.customer_twice:
        spans = sorted(
            (each.start, each.start + each.stretch.customer.frames) for each in timeline.placed if each.stretch.customer
        )
        overlaps = [first[1] - second[0] for first, second in itertools.pairwise(spans)]
        assert max(overlaps) > 0
    for each in timeline.placed:
        moved = each.start - round((each.stretch.starts_s - min(s.starts_s for s in stretches)) * RATE)
        assert 0 <= moved <= NUDGE_S * RATE * len(stretches), "moved back only, and by a little"

"""What pacing learns, against closed forms and the estimator it stands for."""

import itertools
from math import exp, isclose
from random import Random

import pytest

from ccserver.core.dialer.learning import MACHINES, PEOPLE, REST, Delays, Durations, OutcomeRates


def kaplan_meier(ended: list[float], going_on: list[float], until_s: float) -> float:
    """The product limit as in the textbook."""
    surviving, at_risk = 1.0, len(ended) + len(going_on)
    for lasted_s, is_over in sorted([(each, True) for each in ended] + [(each, False) for each in going_on]):
        if lasted_s > until_s:
            break
        if is_over:
            surviving *= 1.0 - 1.0 / at_risk
        at_risk -= 1
    return surviving


@pytest.mark.parametrize("cut_s", [30.0, 90.0, 1e9])
def test_survival_is_kaplan_meiers_with_the_talks_in_progress_counted(cut_s: float) -> None:
    chance, talks = Random(5), Durations(2.0, 60.0)
    lengths = [chance.lognormvariate(4.0, 0.7) for _ in range(300)]
    cuts = [chance.uniform(0.0, 2.0 * cut_s) for _ in lengths]
    ended = [length for length, cut in zip(lengths, cuts, strict=True) if length <= cut]
    going_on = [cut for length, cut in zip(lengths, cuts, strict=True) if length > cut]
    for length in ended:
        talks.note(length)
    survival = talks.survival(going_on)
    for at_s in (4.0, 10.0, 20.0, 40.0):  # beyond, hardly anybody is at risk
        assert survival.at(at_s) == pytest.approx(kaplan_meier(ended, going_on, at_s), abs=0.05)


def test_without_the_talks_in_progress_the_start_of_a_day_looks_short() -> None:
    talks = Durations(2.0, 120.0)
    for _ in range(20):
        talks.note(5.0)
    assert talks.survival([60.0] * 20).at(30.0) > talks.survival().at(30.0) + 0.3


def test_a_long_day_forgets_its_beginning_and_is_not_made_longer_by_the_talks_in_progress() -> None:
    """270 talks go on at each moment of a steady day; their ages are long, as they are met by their length."""
    chance, talks = Random(6), Durations(2.0, 120.0)
    for _ in range(12_000):
        talks.note(chance.expovariate(1.0 / 120.0))
    going_on = [chance.expovariate(1.0 / 120.0) for _ in range(270)]
    assert talks.survival(going_on).at(120.0) == pytest.approx(exp(-1.0), abs=0.03)


def test_a_constant_hazard_is_ends_by_time_at_risk() -> None:
    chance, talks = Random(2), Durations(2.0, 60.0)
    lengths = [chance.expovariate(1.0 / 50.0) for _ in range(4000)]
    for length in lengths:
        talks.note(length)
    survival = talks.survival()
    assert all(survival.at(at_s) == pytest.approx(exp(-at_s / 50.0), abs=0.04) for at_s in (0.0, 5.0, 33.0, 77.0, 150.0))


def test_survival_falls_from_one_and_never_rises() -> None:
    chance, talks = Random(3), Durations(1.0, 10.0)
    for _ in range(200):
        talks.note(chance.choice((15.0, chance.uniform(0.0, 300.0), 9000.0)))
    values = [talks.survival([2.0, 4000.0]).at(step / 3.0) for step in range(30_000)]
    assert values[0] == 1.0
    assert all(after <= before for before, after in itertools.pairwise(values))


def test_delays_are_the_distribution_of_what_was_seen() -> None:
    delays = Delays(10.0, [])
    for seconds in (0.2, 1.1, 1.2, 9.0, 50.0):
        delays.note(seconds)
    cdf = delays.cdf()
    assert cdf[0] == 0.0
    assert cdf[-1] == pytest.approx(1.0)
    assert cdf[2] == pytest.approx(0.2, abs=0.001)  # up to 1 s
    assert cdf[3] == pytest.approx(0.6, abs=0.001)
    assert cdf[20] == pytest.approx(0.8, abs=0.001)  # what is longer than the histogram is in its last bin


def test_the_memory_of_delays_stays_finite() -> None:
    delays = Delays(10.0, [])
    for number in range(60_000):
        delays.note(number % 10)
    assert max(delays.counts) < 1e13
    assert delays.cdf()[-1] == pytest.approx(1.0)


def test_a_start_in_ignorance_takes_many_for_people() -> None:
    assert OutcomeRates().shares()[PEOPLE] == 0.5


def test_shares_follow_a_change_within_some_hundred_calls_and_add_up() -> None:
    chance, rates = Random(1), OutcomeRates()
    for number in range(2000):
        people = 0.1 if number < 1000 else 0.4
        draw = chance.random()
        rates.note(PEOPLE if draw < people else MACHINES if draw < people + 0.2 else REST, number)
        if number == 999:
            assert rates.shares()[PEOPLE] == pytest.approx(0.1, abs=0.06)
    assert rates.shares()[PEOPLE] == pytest.approx(0.4, abs=0.09)
    assert isclose(sum(rates.shares()), 1.0)


def test_the_memory_is_never_shorter_than_several_lives_of_a_call() -> None:
    """At 15 calls a second 150 calls are 10 seconds: less than a ring."""
    rates = OutcomeRates()
    for number in range(9000):
        rates.note(REST, number / 15.0)
    for number in range(150):
        rates.note(PEOPLE, 600.0 + number / 15.0)
    assert rates.shares()[PEOPLE] < 0.1

"""The chance that a call finds no agent: the exact law by enumeration, the approximation beside the exact one, residual laws."""

from itertools import pairwise, product
from math import exp
from random import Random

import pytest

from ccserver.core.dialer import forecast
from ccserver.core.dialer.forecast import Balance, Crowd, Laws, Table, convolved, normal_tail
from ccserver.core.dialer.learning import Delays, Durations

MOMENTS = len(forecast.QUANTILES)


def crowd(chances: list[float]) -> Crowd:
    """One of each chance, the same at all moments."""
    table = Table(len(chances))
    for place, chance in enumerate(chances):
        table.set(place, [chance] * MOMENTS)
    return Crowd([1.0] * len(chances), None, table)


def by_enumeration(idle: int, frees: list[float], answers: list[float]) -> float:
    """P(X <= 0), every case for itself."""
    total = 0.0
    for free in product((0, 1), repeat=len(frees)):
        for answered in product((0, 1), repeat=len(answers)):
            weight = 1.0
            for happens, chance in [*zip(free, frees, strict=True), *zip(answered, answers, strict=True)]:
                weight *= chance if happens else 1.0 - chance
            total += weight * (idle + sum(free) - sum(answered) <= 0)
    return total


@pytest.mark.parametrize("idle", [-1, 0, 1, 2])
@pytest.mark.parametrize("more", [0, 1, 3])
def test_small_teams_are_exact(idle: int, more: int) -> None:
    frees, answers, new = [0.1, 0.5, 0.9, 0.33], [0.2, 0.6, 0.05], 0.3
    risk = Balance(idle, [crowd(frees)], [crowd(answers)], [new] * MOMENTS).risk(more)
    assert risk == pytest.approx(by_enumeration(idle, frees, answers + [new] * more))


@pytest.mark.parametrize("seed", range(6))
def test_large_teams_are_nearly_exact(seed: int) -> None:
    chance = Random(seed)
    frees = [chance.betavariate(0.6, 2.0) for _ in range(40)]
    answers = [chance.uniform(0.0, 0.5) for _ in range(25)]
    law = [1.0]
    for each in frees:
        law = convolved(law, each)
    for each in answers:
        law = convolved(law, 1.0 - each)
    for idle in (-4, -2, 0, 2, 4):
        exact = sum(law[: max(len(answers) - idle + 1, 0)])
        assert Balance(idle, [crowd(frees)], [crowd(answers)], [0.0] * MOMENTS).risk(0) == pytest.approx(exact, abs=0.012)


def test_levels_scale_the_chances() -> None:
    plain, scaled = crowd([0.2, 0.3]), Crowd([1.0, 1.0], [0.5, 0.5], crowd([0.4, 0.6]).table)
    assert scaled.chances(0) == pytest.approx(plain.chances(0))
    assert [pytest.approx(each) for each in scaled.sums()] == plain.sums()


def test_the_risk_grows_with_each_call_and_falls_with_each_idle_agent() -> None:
    for size in (8, 60):
        balances = [Balance(idle, [crowd([0.3] * size)], [crowd([0.25] * size)], [0.3] * MOMENTS) for idle in range(-1, 4)]
        risks = [[balance.risk(more) for more in range(30)] for balance in balances]
        assert all(after >= before - 1e-9 for row in risks for before, after in pairwise(row))
        assert all(lower >= upper - 1e-9 for more, less in pairwise(risks) for lower, upper in zip(more, less, strict=True))


def test_without_any_doubt_there_is_none() -> None:
    assert normal_tail(2.0, 0.0, 0.0) == 0.0
    assert normal_tail(0.0, 0.0, 0.0) == 1.0


def exponential_laws(talk_s: float, wrap_up_s: float) -> Laws:
    chance, talks, wraps = Random(4), Durations(2.0, talk_s), Durations(1.0, wrap_up_s)
    for _ in range(5000):
        talks.note(chance.expovariate(1.0 / talk_s))
        wraps.note(chance.expovariate(1.0 / wrap_up_s))
    even = Delays(30.0, [(each / 2.0, 1.0) for each in range(40)]).cdf()
    laws = Laws(
        bin_s=0.5, people=even, machines=even, rest=even, talk=talks.survival(), wrap_up=wraps.survival(), patience_s=2.0
    )
    assert not laws.prepare(10)
    assert laws.prepare(1000)
    return laws


def test_an_agent_is_free_when_talk_and_wrap_up_are_over_whatever_the_age() -> None:
    """For exponential laws the sum's distribution is known, and age says nothing."""
    talk_s, wrap_s = 60.0, 12.0
    laws = exponential_laws(talk_s, wrap_s)
    for age_s in (1.0, 30.0, 100.0):
        for until_s, free in zip(laws.until_s, laws.free_after_talk(age_s), strict=True):
            known = 1.0 - (talk_s * exp(-until_s / talk_s) - wrap_s * exp(-until_s / wrap_s)) / (talk_s - wrap_s)
            assert free == pytest.approx(known, abs=0.035)
    for until_s, free in zip(laws.until_s, laws.free_after_wrap_up(8.0), strict=True):
        assert free == pytest.approx(1.0 - exp(-until_s / wrap_s), abs=0.05)


def test_a_call_that_rings_is_a_persons_by_what_is_undecided() -> None:
    """Answers come evenly within 20 s: after 10 s half of the people, and of all calls, are still undecided."""
    laws = exponential_laws(60.0, 10.0)
    shares = (0.4, 0.1, 0.5)
    chances = laws.ringing([10.0], shares).chances(MOMENTS - 1)
    assert chances == [pytest.approx(0.4, abs=0.02)]  # nearly all will be decided by the last moment, 18 s from now
    assert laws.ringing([10.0], shares).chances(0) == [pytest.approx(0.4 * 2.0 / 10.0, abs=0.03)]
    assert laws.detecting(2, shares).chances(0) == [0.8, 0.8]

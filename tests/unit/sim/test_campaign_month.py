"""Many days of a simulated campaign: what is carried from one to the next, and what all of them come to."""

from dataclasses import replace

import pytest

from ccserver.core.dialer.pacing import Limits, Pacer, pacer
from ccserver.sim.campaign import Figures
from ccserver.sim.campaign_laws import standard
from ccserver.sim.campaign_month import WINDOW_DAYS, Month, carried, run_month

DAY = Figures(
    dials=300,
    refused=0,
    humans=100,
    connects=98,
    abandoned=2,
    machines=0,
    agent_machines=0,
    false_positives=0,
    utilisation=0.8,
    wait_s=10.0,
    abandoned_ratio=0.02,
    attempts_per_contact=300 / 98,
)
BAD = replace(DAY, connects=95, abandoned=5, utilisation=0.9, wait_s=5.0)


def test_what_a_day_left_or_lost_too_much_is_carried_as_long_as_the_window() -> None:
    assert carried([], 0.03) == 0.0
    assert carried([DAY], 0.03) == pytest.approx(1.0)
    assert carried([DAY, BAD], 0.03) == pytest.approx(-1.0)
    assert carried([BAD] * 100 + [DAY] * (WINDOW_DAYS - 1), 0.03) == pytest.approx(WINDOW_DAYS - 1)


def test_figures_of_a_month_are_of_all_its_calls() -> None:
    month = Month(1, 0.03, (DAY, BAD))
    assert (month.dials, month.humans, month.abandoned, month.days_over) == (600, 200, 7, 1)
    assert month.utilisation == pytest.approx(0.85)
    assert month.abandoned_ratio == pytest.approx(0.035)
    assert month.wait_s == pytest.approx((10.0 * 98 + 5.0 * 95) / 193)
    assert month.attempts_per_contact == pytest.approx(600 / 193)


@pytest.mark.parametrize("is_carried", [True, False])
def test_each_day_has_luck_of_its_own_and_a_pacer_of_its_own(is_carried: bool) -> None:
    given: list[Limits] = []

    def make(limits: Limits) -> Pacer:
        given.append(limits)
        return pacer("predictive", limits)

    limits, told = Limits(horizon_s=300.0), []
    month = run_month(standard(6, 1 / 12), limits, make, days=4, seed=3, is_carried=is_carried, told=told.append)
    assert told == [1, 2, 3, 4] and len({day.dials for day in month.days}) > 1
    assert given[0] == limits
    expected = [carried(month.days[:day], 0.03) if is_carried else 0.0 for day in range(4)]
    assert [each.carried for each in given] == pytest.approx(expected)
    again = run_month(standard(6, 1 / 12), limits, make, days=4, seed=3, is_carried=is_carried)
    assert again == month

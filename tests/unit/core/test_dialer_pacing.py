"""What the pacers ask for: with an agent for each call, by a fixed ratio, by the forecast; and the plain form for other programs."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from ccserver.core.dialer.budget import Budget
from ccserver.core.dialer.engine import factory
from ccserver.core.dialer.pacing import MODES, Happened, Limits, Totals, View, What, pacer
from ccserver.core.dialer.predictive import Predictive

ROOMY = View(now_s=600.0, lines_free=1000, leads_left=1000)


def a_view(**changes: Any) -> View:
    return replace(ROOMY, **changes)


BUSY = a_view(
    talking=[(30.0 * (agent % 8), False) for agent in range(40)],
    wrapping=[(3.0 * agent, False) for agent in range(5)],
    totals=Totals(humans=400, abandoned=2),
)


def seasoned(limits: Limits, calls: int = 1200) -> Predictive:
    """One that has seen a steady morning: a third are people, after 8 s; talks of two minutes."""
    predictive = Predictive(limits)
    for number in range(calls):
        what = (What.HUMAN, What.NO_ANSWER, What.NO_ANSWER)[number % 3]
        predictive.observe(Happened(at_s=number / 2.0, what=what, age_s=8.0 if what is What.HUMAN else 24.0))
        if number % 3 == 0:
            predictive.observe(Happened(at_s=number / 2.0, what=What.TALK_ENDED, lasted_s=20.0 + (number % 200)))
            predictive.observe(Happened(at_s=number / 2.0, what=What.WRAP_UP_ENDED, lasted_s=15.0))
    return predictive


def test_an_unknown_mode_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="progressive, power, predictive"):
        pacer("turbo", Limits())


@pytest.mark.parametrize("mode", MODES)
def test_each_idle_agent_gets_a_call_and_no_call_is_placed_twice(mode: str) -> None:
    assert pacer(mode, Limits()).pace(a_view(idle=[5.0, 2.0, 1.0], ringing=[3.0])) == 2
    assert pacer(mode, Limits()).pace(a_view(idle=[5.0], ringing=[3.0], detecting=[1.0])) == 0
    assert pacer(mode, Limits()).pace(a_view(idle=[5.0], waiting=[1.0])) == 0


@pytest.mark.parametrize("mode", MODES)
def test_lines_and_leads_are_never_exceeded(mode: str) -> None:
    for lines, leads, most in ((3, 99, 3), (99, 2, 2), (0, 5, 0), (-1, 5, 0)):
        assert pacer(mode, Limits()).pace(a_view(idle=[1.0] * 10, lines_free=lines, leads_left=leads)) == most


@pytest.mark.parametrize("mode", MODES)
def test_nobody_there_nothing_dialed(mode: str) -> None:
    assert pacer(mode, Limits()).pace(ROOMY) == 0
    assert pacer(mode, Limits()).pace(a_view(paused=5)) == 0


def test_power_dials_its_ratio_as_far_as_the_account_could_bear_the_loss() -> None:
    power = pacer("power", Limits(calls_per_agent=2.0))
    idle = a_view(idle=[1.0] * 4)
    assert power.pace(idle) == 4  # nothing is earned yet
    assert power.pace(replace(idle, totals=Totals(humans=100))) == 7
    assert power.pace(replace(idle, totals=Totals(humans=1000))) == 8
    assert power.pace(replace(idle, totals=Totals(humans=1000, abandoned=30))) == 4


def test_predictive_dials_for_agents_who_will_be_free() -> None:
    assert seasoned(Limits()).pace(BUSY) > 0
    leaving = replace(
        BUSY, talking=[(age_s, True) for age_s, _ in BUSY.talking], wrapping=[(age_s, True) for age_s, _ in BUSY.wrapping]
    )
    assert seasoned(Limits()).pace(leaving) == 0


def test_a_start_in_ignorance_dials_little() -> None:
    assert Predictive(Limits()).pace(replace(BUSY, totals=Totals())) < seasoned(Limits()).pace(BUSY)


def test_when_the_budget_is_spent_only_idle_agents_get_calls_whatever_the_forecast() -> None:
    spent = replace(BUSY, idle=[3.0, 2.0], totals=Totals(humans=1000, abandoned=60))
    predictive = seasoned(Limits())
    assert predictive.pace(spent) == 2
    assert predictive.decision.unbacked_max == 0


def test_no_cap_no_unbacked_call() -> None:
    for limits in (Limits(max_abandoned=0.0), Limits(false_positives=0.03), Limits(max_abandoned=0.01, false_positives=0.02)):
        assert seasoned(limits).pace(replace(BUSY, idle=[1.0])) == 1
        assert seasoned(limits).pace(BUSY) == 0


def test_people_taken_for_machines_are_taken_off_the_budget() -> None:
    assert Limits(false_positives=0.02).share == pytest.approx(0.01)
    plain, counted = seasoned(Limits()), seasoned(Limits(false_positives=0.02))
    assert plain.pace(BUSY) > counted.pace(BUSY)


def test_the_operators_lines_for_each_agent_are_a_maximum() -> None:
    predictive = seasoned(Limits(lines_per_agent=0.05))
    assert predictive.pace(BUSY) == 2
    assert predictive.pace(replace(BUSY, ringing=[1.0, 1.0])) == 0


def test_a_list_that_ends_leaves_no_debt() -> None:
    """The answers to come, on which the budget may draw, are those that the leads can give."""
    totals = Totals(humans=1000, abandoned=31)
    long, short = Budget(Limits()), Budget(Limits())
    assert long.price(7200.0, totals, 40, 0.35, 100_000).risk > 0.0
    assert short.price(7200.0, totals, 40, 0.35, 20).risk == 0.0


def test_what_earlier_days_left_counts_up_to_one_days_allowance() -> None:
    totals, at_s, leads = Totals(humans=1000, abandoned=35), 8 * 3600.0, 10**6
    assert Budget(Limits()).price(at_s, totals, 40, 0.35, leads).risk == 0.0
    assert Budget(Limits(carried=25.0)).price(at_s, totals, 40, 0.35, leads).risk > 0.0
    much = Budget(Limits(carried=10_000.0)).price(at_s, replace(totals, abandoned=55), 40, 0.35, leads)
    assert much.unbacked_max <= 30 * 2  # 30 from today and 30 carried over, less what is lost
    assert Budget(Limits(carried=10_000.0)).price(at_s, replace(totals, abandoned=60), 40, 0.35, leads).risk == 0.0
    assert Budget(Limits(carried=-40.0)).price(at_s, replace(totals, abandoned=0), 40, 0.35, leads).risk == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_a_state_that_is_none_is_refused(mode: str) -> None:
    for broken in ({"format": 99}, {"format": 1}, {"x": 1}):
        with pytest.raises(ValueError, match="state"):
            pacer(mode, Limits()).restore(broken)
    kept = json.loads(json.dumps(pacer(mode, Limits()).state()))
    pacer(mode, Limits()).restore(kept)


def test_damaged_numbers_in_a_state_are_refused() -> None:
    kept = Predictive(Limits()).state()
    for damage in ({"rates": [1.0, float("nan"), 1.0, 0.0, 0.0]}, {"rates": "many"}, {"delays": []}, {"budget": [1.0]}):
        with pytest.raises(ValueError):
            Predictive(Limits()).restore({**kept, **damage})


# --- for programs that know plain values only -------------------------------------------------------------------------
def test_the_engine_takes_plain_values_and_decides_as_the_pacer() -> None:
    limits = Limits(horizon_s=7200.0)
    engine, predictive = factory({"shift_seconds": 7200.0}), Predictive(limits)
    for number in range(900):
        what = (What.HUMAN, What.NO_ANSWER, What.FAILED)[number % 3]
        engine.observe({"t": number / 2.0, "type": what.value, "call": number, "age": 8.0})
        predictive.observe(Happened(at_s=number / 2.0, what=what, age_s=8.0))
        engine.observe({"t": number / 2.0, "type": "talk_end", "agent": 1, "talk": 60.0 + number % 90, "human": True})
        predictive.observe(Happened(at_s=number / 2.0, what=What.TALK_ENDED, lasted_s=60.0 + number % 90))
        engine.observe({"t": number / 2.0, "type": "wrap_end", "agent": 1, "wrap": 12.0})
        predictive.observe(Happened(at_s=number / 2.0, what=What.WRAP_UP_ENDED, lasted_s=12.0))
    snapshot = {
        "now": 600.0,
        "idle": [],
        "talking": [list(each) for each in BUSY.talking],
        "wrapping": [list(each) for each in BUSY.wrapping],
        "lines_free": 1000,
        "leads_left": 1000,
        "totals": {"humans": 400, "abandoned": 2, "something_new": 3},
    }
    asked = engine.pace(snapshot)
    assert asked == predictive.pace(BUSY) > 0
    again = factory({"shift_seconds": 7200.0})
    again.restore(json.loads(json.dumps(engine.state())))
    assert again.pace({**snapshot, "now": 600.5}) == engine.pace({**snapshot, "now": 600.5})


def test_pacing_needs_nothing_else_of_the_center() -> None:
    """Other programs import it alone."""
    told = "import sys, ccserver.core.dialer.engine; print(*[name for name in sys.modules if name.startswith('ccserver')])"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in loaded if not name.startswith("ccserver.core.dialer")} == {"ccserver", "ccserver.core"}


def test_the_engine_bears_an_empty_snapshot_and_words_it_does_not_know() -> None:
    engine = factory({"max_abandon": 0.01, "amd": True, "max_lines": 30})
    engine.observe({"t": 0.0, "type": "earthquake"})
    assert engine.pace({}) == 0
    assert engine.tick == 0.5
    assert factory({"mode": "progressive"}).pace({"idle": [1.0], "lines_free": 1, "leads_left": 1}) == 1

"""Pacers that are shown what no campaign should ever look like: whatever they are told, they answer a number of calls that can be placed.

Ages below 0 and of years, clocks that go back, counters that contradict each other, nobody there, a million agents' worth of calls: a fault
elsewhere must not become calls that nobody can take, nor an exception that stops the campaign.
"""

import json
from dataclasses import replace
from math import isfinite
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ccserver.core.dialer.engine import factory
from ccserver.core.dialer.pacing import MODES, Happened, Limits, Totals, View, What, pacer
from ccserver.core.dialer.predictive import Predictive
from ccserver.core.dialer.view import backed

HUGE = 1e15
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""To make a failing case small may take minutes; it is small enough."""
_seconds = st.floats(-1e6, 1e9) | st.sampled_from([0.0, -0.0, 0.5, -1.0, 1e-300, 24.0, 36.0, HUGE, -HUGE])
_count = st.integers(-5, 500) | st.sampled_from([0, 1, -1, 10**6, 10**15, -(10**9)])
_ages = st.lists(_seconds, max_size=60)
_busy = st.lists(st.tuples(_seconds, st.booleans()), max_size=60)
_share = st.floats(0.0, 1.0)

views = st.builds(
    View,
    now_s=_seconds,
    idle=_ages,
    talking=_busy,
    wrapping=_busy,
    paused=_count,
    ringing=_ages,
    detecting=_ages,
    waiting=_ages,
    lines_free=_count,
    leads_left=_count,
    allowance=st.none() | _count,
    totals=st.builds(Totals, **dict.fromkeys(Totals.__dataclass_fields__, _count)),
)
events = st.builds(Happened, at_s=_seconds, what=st.sampled_from(What), age_s=_seconds, lasted_s=_seconds)
limits = st.builds(
    Limits,
    max_abandoned=_share,
    false_positives=_share,
    patience_s=st.floats(0.0, 60.0),
    ring_timeout_s=st.floats(1.0, 120.0),
    horizon_s=_seconds,
    carried=st.floats(-1e9, 1e9),
    lines_per_agent=st.none() | st.floats(0.0, 100.0),
    calls_per_agent=st.floats(0.0, 100.0),
)
steps = st.lists(views | events, min_size=1, max_size=25)


def all_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(all_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(all_finite, value))
    return isinstance(value, str) or value is None or isfinite(value)


def is_within(asked: int, view: View) -> bool:
    return type(asked) is int and 0 <= asked <= max(min(view.lines_free, view.leads_left), 0)


@pytest.mark.parametrize("mode", MODES)
@given(limits, steps)
@settings(max_examples=60, deadline=None, phases=PHASES)
def test_whatever_it_is_told_it_asks_for_calls_that_can_be_placed(mode: str, given_limits: Limits, told: list[Any]) -> None:
    made = pacer(mode, given_limits)
    for each in told:
        if isinstance(each, Happened):
            made.observe(each)
        else:
            assert is_within(made.pace(each), each)
    kept = made.state()
    assert all_finite(kept)
    again = pacer(mode, given_limits)
    again.restore(json.loads(json.dumps(kept, allow_nan=False)))
    last = next((each for each in reversed(told) if isinstance(each, View)), View(now_s=0.0))
    assert again.pace(last) == made.pace(last), "and one that is restored goes on as it would have"


@given(limits, steps)
@settings(max_examples=60, deadline=None, phases=PHASES)
def test_calls_without_an_agent_stay_within_the_allowance_whatever_was_learned(given_limits: Limits, told: list[Any]) -> None:
    made = Predictive(given_limits)
    for each in told:
        if isinstance(each, Happened):
            made.observe(each)
            continue
        asked, decision = made.pace(each), made.decision
        in_flight = len(each.ringing) + len(each.detecting) + len(each.waiting)
        assert isfinite(decision.risk) and isfinite(decision.risk_max)
        if asked > backed(each):
            assert in_flight + asked - len(each.idle) <= decision.unbacked_max
            assert each.allowance is None or decision.unbacked_max <= max(each.allowance, 0)
            assert 0.0 <= decision.risk <= decision.risk_max <= 1.0


@given(limits, steps, views)
@settings(max_examples=40, deadline=None, phases=PHASES)
def test_when_nothing_may_be_lost_each_call_has_an_agent(given_limits: Limits, told: list[Any], view: View) -> None:
    strict = replace(given_limits, max_abandoned=0.0, carried=min(given_limits.carried, 0.0))
    made = Predictive(strict)
    for each in told:
        if isinstance(each, Happened):
            made.observe(each)
        else:
            assert made.pace(each) <= backed(each)
    assert Predictive(given_limits).pace(replace(view, allowance=0)) <= backed(view)


@given(st.lists(events, max_size=30), views)
@settings(max_examples=40, deadline=None, phases=PHASES)
def test_a_clock_that_goes_back_stops_nothing(told: list[Happened], view: View) -> None:
    made = Predictive(Limits())
    idle = replace(view, idle=[1.0, 1.0], ringing=[], detecting=[], waiting=[], lines_free=9, leads_left=9)
    for at_s in (1e6, 10.0, -50.0, 0.0):
        for each in told:
            made.observe(replace(each, at_s=at_s))
        assert made.pace(replace(idle, now_s=at_s)) >= 2, "whoever is idle gets a call"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(Predictive(Limits()).state())), _json)
@settings(max_examples=150, deadline=None, phases=PHASES)
def test_a_state_with_something_else_in_it_is_refused_or_harmless(name: str, value: Any) -> None:
    made = Predictive(Limits())
    try:
        made.restore({**made.state(), name: value})
    except ValueError:
        return
    view = View(now_s=60.0, idle=[1.0], talking=[(9.0, False)] * 30, ringing=[2.0] * 9, lines_free=50, leads_left=50)
    assert is_within(made.pace(view), view)


@given(
    st.dictionaries(st.sampled_from(["now", "idle", "talking", "wrapping", "ringing", "lines_free", "leads_left"]), st.none())
)
@settings(max_examples=20, deadline=None, phases=PHASES)
def test_a_snapshot_may_lack_anything(lacking: dict[str, None]) -> None:
    whole = {
        "now": 60.0,
        "idle": [1.0],
        "talking": [[9.0, False]],
        "wrapping": [],
        "ringing": [2.0],
        "lines_free": 5,
        "leads_left": 5,
    }
    asked = factory({}).pace({key: value for key, value in whole.items() if key not in lacking})
    assert 0 <= asked <= 5

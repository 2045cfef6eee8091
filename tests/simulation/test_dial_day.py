"""Days on which campaigns call people beside everything else: one by one, ahead of the answer, looked at first, and without an agent. Each
call is judged by the truth of the world, each step leaves a sound state, and at the end the accounts are what the callees saw."""

import os
from dataclasses import replace
from random import SystemRandom

import pytest

from ccserver.core.records import AttemptOutcome
from ccserver.sim.desks import AgentHabits
from ccserver.sim.dial_day import DialDay, DialPlan, run_dial_day
from ccserver.sim.lead_desk import DatabaseHabits
from ccserver.sim.mishaps import Mishaps
from ccserver.sim.people import CallerHabits
from ccserver.sim.wire import Faults

HABITS = AgentHabits(
    answer_s=2.0,
    missed_ratio=0.05,
    declined_ratio=0.03,
    talk_s=40.0,
    wrap_up_s=8.0,
    break_every_s=1200.0,
    break_s=120.0,
    own_call_every_s=1200.0,
    headset_ratio=0.4,
)
SEEDS = int(os.environ.get("CCSERVER_SIMULATED_SEEDS", "1"))
FAULTY = Faults(lost_ratio=0.005, doubled_ratio=0.01, late_ratio=0.01, unanswered_ratio=0.01)
ILL = DatabaseHabits(slow_ratio=0.05, stall_ratio=0.004, failed_ratio=0.03, refused_ratio=0.02)
BREAKING = Mishaps(kills=2, breaks=2, crashes=1)
DAYS = {
    "calm": DialPlan(agent=HABITS),
    "the database is ill": DialPlan(agent=HABITS, database=ILL, act_every_s=30.0),
    "things break": DialPlan(agent=HABITS, mishaps=BREAKING, act_every_s=60.0),
    "everything": DialPlan(agent=HABITS, faults=FAULTY, mishaps=BREAKING, database=ILL, act_every_s=60.0),
}


def a_day(plan: DialPlan, seed: int, **how: object) -> DialDay:
    callers = CallerHabits(patience_s=60.0, talk_s=60.0)
    plan = replace(plan, agents=7, leads=25, calls=8, hours=0.15, callers=callers)
    return run_dial_day(plan, seed=seed, checks_every=3, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", DAYS)
def test_a_day_with_campaigns_ends_in_order(name: str, seed: int) -> None:
    day = a_day(DAYS[name], seed)
    assert day.findings() == []
    assert day.outcomes()[AttemptOutcome.ANSWERED] > 5


def test_a_fresh_day_ends_in_order() -> None:
    """Another one at each run."""
    seed = SystemRandom().randrange(1_000_000_000)
    print(f"seed {seed}")
    assert a_day(DAYS["everything"], seed).findings() == []


def test_campaigns_tell_the_same_story_for_the_same_seed_and_a_bare_core_repeats_it() -> None:
    first = a_day(DAYS["the database is ill"], 3, keeps_journal=True)
    assert first.world.replay() == first.world.books.digest()
    assert a_day(DAYS["the database is ill"], 3).world.books.digest() == first.world.books.digest()

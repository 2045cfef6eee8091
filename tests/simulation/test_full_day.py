"""Days in a center that has everything: each strategy, agents at desks and on headsets, who hand calls on, ask colleagues, confer, call
by themselves and move; supervisors who intervene; work without a line. Every step is sound, and the books balance at the end."""

import os
from collections import Counter
from dataclasses import replace

import pytest

from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CallerIdSettings, DialingSettings
from ccserver.core.dialer.terms import LineType
from ccserver.core.records import Outcome
from ccserver.core.settings import Strategy
from ccserver.sim.day import NO_MISHAPS, Day, Plan, run_day
from ccserver.sim.desks import AgentHabits, InTalk
from ccserver.sim.mishaps import Mishaps
from ccserver.sim.people import CallerHabits
from ccserver.sim.wire import NO_FAULTS, Faults

HABITS = AgentHabits(
    missed_ratio=0.08,
    declined_ratio=0.05,
    talk_s=60.0,
    line_lost_ratio=0.03,
    wrap_up_s=10.0,
    break_every_s=1200.0,
    break_s=120.0,
    own_call_every_s=900.0,
    dials_ratio=0.7,
    extends_ratio=0.3,
    moves_every_s=1200.0,
    headset_ratio=0.4,
    line_drops_every_s=900.0,
    office_every_s=300.0,
    supervises_every_s=120.0,
    in_talk={
        InTalk.TRANSFER: 0.12,
        InTalk.CONSULT: 0.25,
        InTalk.ERRAND: 0.1,
        InTalk.REFER: 0.08,
        InTalk.REFER_ATTENDED: 0.08,
        InTalk.RELEASE: 0.05,
        InTalk.RECORD: 0.08,
        InTalk.HELP: 0.05,
    },
)
FAULTY = Faults(lost_ratio=0.005, doubled_ratio=0.01, late_ratio=0.01, unanswered_ratio=0.01)
BREAKING = Mishaps(kills=2, breaks=2, crashes=1)
SEEDS = int(os.environ.get("CCSERVER_SIMULATED_SEEDS", "1"))
"""Days of each kind; more of them, of those that things break on twice as many, take minutes."""


def a_day(
    strategy: Strategy,
    seed: int,
    *,
    faults: Faults = NO_FAULTS,
    mishaps: Mishaps = NO_MISHAPS,
    dialing: DialingSettings | None = None,
) -> Day:
    plan = Plan(
        agents=8,
        calls=80,
        hours=0.6,
        callers=CallerHabits(patience_s=60.0, talk_s=60.0),
        agent=HABITS,
        strategy=strategy,
        mails=15,
        supervisor_every_s=40.0,
        faults=faults,
        mishaps=mishaps,
        dialing=dialing,
    )
    return run_day(plan, seed=seed, checks_every=1)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("strategy", Strategy, ids=lambda strategy: strategy.value)
def test_a_day_with_everything_ends_in_order(strategy: Strategy, seed: int) -> None:
    day = a_day(strategy, seed)
    assert day.findings() == []
    assert day.books.outcomes[Outcome.ANSWERED] > 20


@pytest.mark.parametrize("seed", range(2 * SEEDS))
@pytest.mark.parametrize("strategy", [Strategy.LONGEST_IDLE, Strategy.RING_ALL, Strategy.TIERS], ids=lambda s: s.value)
@pytest.mark.parametrize("what", ["faults", "mishaps", "both"])
def test_a_day_on_which_things_break_as_well_ends_in_order(strategy: Strategy, seed: int, what: str) -> None:
    faults = NO_FAULTS if what == "mishaps" else FAULTY
    mishaps = NO_MISHAPS if what == "faults" else BREAKING
    assert a_day(strategy, seed, faults=faults, mishaps=mishaps).findings() == []


@pytest.mark.parametrize("breaks", [False, True])
def test_a_day_under_the_law_has_each_call_outside_on_record_and_settled_once(breaks: bool) -> None:
    """Nothing rings outside that is not stored; what is stored has one end, also when the daemon is killed meanwhile."""
    rules = replace(PRESETS["us"].rules, window_binds=frozenset(), ring_min_s=0.0, calls_a_day=3)
    shown = CallerIdSettings(line_type=LineType.FIXED, country="US", answers_back=True)
    law = DialingSettings(country="US", rules=rules, caller_ids={"+12125550100": shown})
    faults, mishaps = (FAULTY, BREAKING) if breaks else (NO_FAULTS, NO_MISHAPS)
    day = a_day(Strategy.LONGEST_IDLE, 3, faults=faults, mishaps=mishaps, dialing=law)
    assert day.findings() == []
    outcomes = Counter(call.outcome for call in day.world.leads.book.calls.values())
    assert sum(outcomes.values()) > 3


def test_a_day_with_everything_tells_the_same_story_for_the_same_seed() -> None:
    digests = {a_day(Strategy.RING_ALL, 5).digest() for _ in range(2)}
    assert len(digests) == 1

"""Days on which things break: every step leaves a sound state, nothing hangs afterwards, the books balance."""

import pytest

from ccserver.sim.day import Plan, run_day
from ccserver.sim.mishaps import Mishaps
from ccserver.sim.wire import NO_FAULTS, Faults

DAYS = {
    "links break": (NO_FAULTS, Mishaps(breaks=3)),
    "daemon killed": (NO_FAULTS, Mishaps(kills=4)),
    "asterisk killed": (NO_FAULTS, Mishaps(crashes=2)),
    "actions without answer": (Faults(unanswered_ratio=0.05), Mishaps()),
    "events doubled": (Faults(doubled_ratio=0.05), Mishaps()),
    "events late": (Faults(late_ratio=0.03), Mishaps()),
    "events lost": (Faults(lost_ratio=0.01), Mishaps()),
    "everything": (
        Faults(lost_ratio=0.005, doubled_ratio=0.01, late_ratio=0.01, unanswered_ratio=0.01),
        Mishaps(kills=2, breaks=2, crashes=1),
    ),
}


@pytest.mark.parametrize("name", DAYS)
@pytest.mark.parametrize("seed", range(6))
def test_a_day_with_mishaps_ends_in_order(name: str, seed: int) -> None:
    faults, mishaps = DAYS[name]
    plan = Plan(agents=6, calls=80, hours=0.5, faults=faults, mishaps=mishaps)
    day = run_day(plan, seed=seed, checks_every=1)
    assert day.findings() == []
    world = day.world
    if faults.lost_ratio:
        assert world.wire.lost > 0
    if mishaps.kills:
        assert world.center.snapshot().clockwork.incarnation == 1 + mishaps.kills


def test_callers_keep_place_and_waiting_time_through_a_kill() -> None:
    """The same callers, in the same order, served as if nothing had been."""
    plan = Plan(agents=2, calls=60, hours=0.3, mishaps=Mishaps(kills=3, killed_up_to_s=4.0))
    day = run_day(plan, seed=3, checks_every=1)
    assert day.findings() == []
    assert day.books.outcomes.total() == day.placed


def test_a_day_with_mishaps_tells_the_same_story_for_the_same_seed() -> None:
    faults, mishaps = DAYS["everything"]
    plan = Plan(agents=6, calls=80, hours=0.5, faults=faults, mishaps=mishaps)
    digests = {run_day(plan, seed=5).digest() for _ in range(2)}
    assert len(digests) == 1
    assert run_day(plan, seed=6).digest() not in digests


def test_a_day_with_mishaps_can_be_replayed_from_its_journal() -> None:
    faults, mishaps = DAYS["everything"]
    plan = Plan(agents=6, calls=80, hours=0.5, faults=faults, mishaps=mishaps)
    day = run_day(plan, seed=4, keeps_journal=True)
    assert day.world.replay() == day.books.digest()

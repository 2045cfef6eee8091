"""Days on which things break: every step leaves a sound state, nothing hangs afterwards, the books balance."""

import pytest

from ccserver.core.transitions import InteractionState
from ccserver.sim.day import Plan, run_day, verify
from ccserver.sim.mishaps import Mishaps
from ccserver.sim.sample import DID, sample_center
from ccserver.sim.script import Act, Cast, Script, ScriptStep, Seen
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

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
    """The same legs, waiting since the same moments, in the same order, each in a session again."""
    names = [f"caller {number}" for number in range(5)]
    steps = [
        step
        for number, name in enumerate(names)
        for step in (
            ScriptStep(who=name, act=Act.CALL, value=DID, after_s=1.0 + number),
            ScriptStep(who=name, act=Act.PRESS, value="1", of=name, seen=Seen.QUESTION, after_s=0.5),
            ScriptStep(who=name, act=Act.PRESS, value="1", of=name, seen=Seen.QUESTION, nth=2, after_s=0.5),
        )
    ]
    world = World(sample_center(3).settings, seed=1, watch=verify)
    world.start()
    world.agenda.at(1.0, Cast(Script(name="kill", agents={}, steps=tuple(steps)), world.pbx).begin)
    world.run_until(60.0)
    before = waiting(world)
    assert len(before) == len(names)
    world.kill(8.0)
    world.run_until(75.0)
    assert waiting(world) == before
    assert world.pbx.agi.open_count() == len(names)


def waiting(world: World) -> list[tuple[float, str, int]]:
    """Since when, which leg, at which place."""
    found = [it for it in world.center.snapshot().interactions.values() if it.state is InteractionState.WAITING and it.visit]
    rows = [(it.visit.waiting_since_s, it.leg.uniqueid, world.center.pairing.position(it.id)) for it in found if it.visit]
    return sorted(rows)


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

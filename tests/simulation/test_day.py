"""A simulated day: nobody is lost, the books balance, and the same seed tells the same story wherever it runs."""

import os
import subprocess
import sys

import pytest

from ccserver.core.records import Outcome
from ccserver.sim.day import Plan, run_day

SMALL = Plan(agents=12, calls=200, hours=1.0)


@pytest.fixture(scope="module")
def small_day() -> str:
    return run_day(SMALL, seed=7).digest()


def test_fifty_agents_take_fifteen_hundred_calls() -> None:
    day = run_day(Plan(agents=50, calls=1_500, hours=3.0), seed=1)
    assert day.findings() == []
    assert day.placed == 1_500
    assert len(day.books.interactions) == 1_500
    assert day.books.outcomes[Outcome.ANSWERED] > 800
    assert day.books.repairs == {}


def test_the_same_seed_tells_the_same_story(small_day: str) -> None:
    assert run_day(SMALL, seed=7).digest() == small_day


def test_another_seed_tells_another_one(small_day: str) -> None:
    assert run_day(SMALL, seed=8).digest() != small_day


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_story_does_not_depend_on_the_hash_seed(hash_seed: str, small_day: str) -> None:
    code = f"from ccserver.sim.day import *; print(run_day({SMALL!r}, seed=7).digest())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout.strip() == small_day


def test_the_story_goes_on_unchanged_through_snapshot_and_restore(small_day: str) -> None:
    restored = run_day(SMALL, seed=7, restore_at_s=(900.0, 1500.0, 1500.5, 3900.0))
    assert restored.restored == 4
    assert restored.digest() == small_day


def test_a_bare_core_gives_the_same_commands_for_the_same_inputs() -> None:
    day = run_day(SMALL, seed=7, keeps_journal=True)
    assert day.world.replay() == day.books.digest()


@pytest.mark.parametrize("seed", range(3))
def test_every_step_of_a_day_leaves_a_sound_state(seed: int) -> None:
    run_day(Plan(agents=6, calls=80, hours=0.5), seed=seed, checks_every=1)

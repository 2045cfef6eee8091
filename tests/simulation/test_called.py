"""The stories in which a campaign calls somebody: what each is about happens on the virtual PBX and happened on a real one, and what that
told is what the virtual one could have told. The recordings in `tests/traces` are made by `tests/e2e/test_conformance_called.py`."""

from functools import cache
from pathlib import Path

import pytest

from ccserver.core.commands import Collect, Store
from ccserver.core.events import SettingsLoaded
from ccserver.core.records import AttemptOutcome, AttemptRecord
from ccserver.sim.called import CALLED, play_called
from ccserver.sim.conformance import compare, learn
from ccserver.sim.script import Script
from ccserver.sim.trace import TraceLine, read_steps, unfold

TRACES = Path(__file__).parents[1] / "traces"
SETTINGS = next(
    step.event.settings
    for step in read_steps((TRACES / "settings-called.jsonl").read_bytes())
    if isinstance(step.event, SettingsLoaded)
)
SEEDS = range(2, 62)
EXPECTED = {
    "callee answers and talks until the agent hangs up": AttemptOutcome.ANSWERED,
    "callee hangs up after a while": AttemptOutcome.ANSWERED,
    "callee is busy": AttemptOutcome.BUSY,
    "callee declines": AttemptOutcome.REJECTED,
    "callee does not answer": AttemptOutcome.NO_ANSWER,
    "neither trunk takes the call": AttemptOutcome.NOT_PLACED,
    "agent hangs up while the callees phone rings": AttemptOutcome.CANCELLED,
    "a machine answers and is hung up on": AttemptOutcome.MACHINE,
    "callee answers while the link is lost and hears who called": AttemptOutcome.ABANDONED,
}


@cache
def recorded(file_name: str) -> list[TraceLine]:
    return unfold(read_steps((TRACES / file_name).read_bytes()))


def outcomes(trace: list[TraceLine]) -> list[AttemptOutcome]:
    kept = [line.said.record for line in trace if isinstance(line.said, Store)]
    return [record.outcome for record in kept if isinstance(record, AttemptRecord)]


@pytest.mark.parametrize("script", CALLED, ids=lambda script: script.name)
def test_what_the_story_is_about_happens_on_both(script: Script) -> None:
    for trace in (play_called(script, 1, SETTINGS), recorded(script.file_name)):
        assert outcomes(trace) == [EXPECTED[script.name]]
        told = [line.said.say[0].value for line in trace if isinstance(line.said, Collect) and line.said.say]
        assert ("who-called" in told) == (EXPECTED[script.name] is AttemptOutcome.ABANDONED)


@pytest.mark.parametrize("script", CALLED, ids=lambda script: script.name)
def test_what_the_real_pbx_told_is_what_the_virtual_one_could_have_told(script: Script) -> None:
    """And another story, or half of this one, does not conform; else the comparison would say nothing."""
    real, promises = recorded(script.file_name), learn([play_called(script, seed, SETTINGS) for seed in SEEDS])
    assert compare(real, promises) == []
    assert compare(real[: len(real) // 2], promises) != []
    assert all(compare(recorded(other.file_name), promises) != [] for other in CALLED if other is not script)


def test_each_story_has_an_outcome_of_its_own() -> None:
    assert {script.name for script in CALLED} == EXPECTED.keys() and len(CALLED) == len(EXPECTED)

"""The caller hangs up, or the ringing times out, within 50 ms of the answer, in steps of 2 ms: one outcome each, nobody stuck."""

from dataclasses import replace
from pathlib import Path

import pytest

from ccserver.core.commands import Store
from ccserver.core.events import SettingsLoaded
from ccserver.core.records import OfferOutcome, OfferRecord
from ccserver.sim.scenarios import ANN, CALLER, INTO_THE_QUEUE, SCENARIOS, play
from ccserver.sim.script import Act, ScriptStep, Seen
from ccserver.sim.trace import read_steps

BASE = SCENARIOS[0]
SETTINGS = next(
    step.event.settings
    for step in read_steps((Path(__file__).parents[1] / "traces" / "settings.jsonl").read_bytes())
    if isinstance(step.event, SettingsLoaded)
)
STEPS_MS = range(-50, 51, 2)
RING_TIMEOUT_S = 2.0


def offers(answer_s: float, hang_up_s: float | None, seed: int) -> list[OfferOutcome]:
    """How the offers ended when Ann answers and the caller hangs up so long after her phone began to ring."""
    steps = [*INTO_THE_QUEUE, ScriptStep(who=ANN, act=Act.ANSWER, of=ANN, seen=Seen.RINGS, after_s=answer_s)]
    if hang_up_s is not None:
        steps.append(ScriptStep(who=CALLER, act=Act.HANG_UP, of=ANN, seen=Seen.RINGS, after_s=hang_up_s))
    steps.append(ScriptStep(who=CALLER, act=Act.HANG_UP, of=ANN, seen=Seen.RINGS, after_s=20.0))
    trace = play(replace(BASE, name="sweep", steps=tuple(steps)), seed, SETTINGS)
    told = [line.said.record for line in trace if isinstance(line.said, Store)]
    return [record.outcome for record in told if isinstance(record, OfferRecord)]


@pytest.fixture(scope="module")
def hang_ups() -> dict[int, list[OfferOutcome]]:
    return {ms: offers(1.0, 1.0 + ms / 1000.0, seed) for seed, ms in enumerate(STEPS_MS)}


def test_a_hang_up_around_the_answer_has_one_outcome_and_both_occur(hang_ups: dict[int, list[OfferOutcome]]) -> None:
    assert all(len(outcomes) == 1 for outcomes in hang_ups.values()), hang_ups
    assert {outcomes[0] for outcomes in hang_ups.values()} == {OfferOutcome.CALLER_GONE, OfferOutcome.ANSWERED}
    assert hang_ups[-50] == [OfferOutcome.CALLER_GONE]
    assert hang_ups[50] == [OfferOutcome.ANSWERED]


def test_an_answer_around_the_ring_time_out_has_one_outcome_and_both_occur() -> None:
    first = {ms: offers(RING_TIMEOUT_S + ms / 1000.0, None, seed)[0] for seed, ms in enumerate(STEPS_MS)}
    assert set(first.values()) == {OfferOutcome.MISSED, OfferOutcome.ANSWERED}
    assert first[-50] is OfferOutcome.ANSWERED
    assert first[50] is OfferOutcome.MISSED

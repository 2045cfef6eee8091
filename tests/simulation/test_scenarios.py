"""The fifteen stories on the virtual PBX: what each is about happens, and any seed's run conforms to what the others promise."""

import pytest

from ccserver.core.commands import Store
from ccserver.core.records import InteractionRecord, OfferRecord, Outcome
from ccserver.sim.conformance import compare, learn
from ccserver.sim.scenarios import SCENARIOS, play
from ccserver.sim.script import Script
from ccserver.sim.trace import TraceLine, read_trace, stories, write_trace

EXPECTED: dict[str, tuple[Outcome | None, list[str]]] = {
    "agent ends the talk": (Outcome.ANSWERED, ["answered"]),
    "caller ends the talk, agent gives a disposition": (Outcome.ANSWERED, ["answered"]),
    "caller leaves in the menu": (Outcome.LEFT_IN_MENU, []),
    "caller leaves in the queue": (Outcome.ABANDONED, []),
    "caller leaves while the phone rings": (Outcome.ABANDONED, ["caller_gone"]),
    "caller leaves in the instant of the answer": (Outcome.ABANDONED, ["caller_gone"]),
    "agent does not answer, the next one does": (Outcome.ANSWERED, ["missed", "answered"]),
    "agent declines, the next one answers": (Outcome.ANSWERED, ["rejected", "answered"]),
    "agent's phone loses its contact while it rings": (Outcome.ANSWERED, ["missed", "answered"]),
    "agent's phone has no contact": (Outcome.ANSWERED, ["answered"]),
    "agent's line breaks, the next one goes on": (Outcome.ANSWERED, ["answered", "answered"]),
    "agent holds and comes back": (Outcome.ANSWERED, ["answered"]),
    "agent is busy with a friend": (Outcome.ABANDONED, []),
    "agent goes not ready and comes back": (None, []),
    "caller presses nothing and hears it all": (Outcome.ANSWERED, ["answered"]),
}


def records(trace: list[TraceLine], kind: type) -> list[object]:
    return [line.said.record for line in trace if isinstance(line.said, Store) and isinstance(line.said.record, kind)]


@pytest.mark.parametrize("script", SCENARIOS, ids=lambda script: script.name)
def test_what_the_story_is_about_happens(script: Script) -> None:
    trace = play(script, seed=1)
    outcome, offers = EXPECTED[script.name]
    told = [record.outcome for record in records(trace, InteractionRecord)]
    assert told == ([] if outcome is None else [outcome])
    assert [record.outcome.value for record in records(trace, OfferRecord)] == offers


@pytest.mark.parametrize("script", SCENARIOS, ids=lambda script: script.name)
def test_each_run_keeps_the_promises_of_the_others(script: Script) -> None:
    promises = learn([play(script, seed) for seed in range(2, 22)])
    assert compare(play(script, seed=1), promises) == []


def test_another_story_does_not_conform() -> None:
    promises = learn([play(SCENARIOS[0], seed) for seed in range(3)])
    assert compare(play(SCENARIOS[4], seed=1), promises) != []


def test_a_trace_of_a_whole_story_can_be_written_and_read() -> None:
    trace = play(SCENARIOS[1], seed=1)
    read = read_trace(write_trace(trace))
    assert read == trace
    assert {name: story.happenings for name, story in stories(read).items()}.keys() == {"caller 1", "agent 1"}


def test_there_are_fifteen_stories_with_names_of_their_own() -> None:
    assert len({script.name for script in SCENARIOS}) == len(SCENARIOS) == len(EXPECTED) == 15

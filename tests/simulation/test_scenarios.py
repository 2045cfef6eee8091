"""The stories on the virtual PBX: what each is about happens, and what a real Asterisk told of it is what the virtual one could
have told. The recordings in `tests/traces` are made by `tests/e2e/test_conformance*.py`."""

from functools import cache
from pathlib import Path

import pytest

from ccserver.core.commands import Store
from ccserver.core.events import SettingsLoaded
from ccserver.core.records import InteractionRecord, OfferRecord, Outcome
from ccserver.core.state import VOICE
from ccserver.sim.called import CALLED
from ccserver.sim.conformance import compare, learn
from ccserver.sim.scenarios import SCENARIOS, play
from ccserver.sim.script import Script
from ccserver.sim.trace import TraceLine, read_steps, unfold

TRACES = Path(__file__).parents[1] / "traces"
SETTINGS = next(
    step.event.settings
    for step in read_steps((TRACES / "settings.jsonl").read_bytes())
    if isinstance(step.event, SettingsLoaded)
)
SEEDS = range(2, 102)

ANSWERED, ABANDONED, REFUSED = Outcome.ANSWERED, Outcome.ABANDONED, Outcome.REFUSED
EXPECTED: dict[str, tuple[list[Outcome], list[str]]] = {
    "agent ends the talk": ([ANSWERED], ["answered"]),
    "caller ends the talk, agent gives a disposition": ([ANSWERED], ["answered"]),
    "caller leaves in the menu": ([Outcome.LEFT_IN_MENU], []),
    "caller leaves in the queue": ([ABANDONED], []),
    "caller leaves while the phone rings": ([ABANDONED], ["caller_gone"]),
    "agent does not answer, the next one does": ([ANSWERED], ["missed", "answered"]),
    "agent declines, the next one answers": ([ANSWERED], ["rejected", "answered"]),
    "agent's phone says busy, the next one answers": ([ANSWERED], ["busy", "answered"]),
    "agent's phone loses its contact while it rings": ([ANSWERED], ["missed", "answered"]),
    "agent's line breaks, the next one goes on": ([ANSWERED], ["answered", "answered"]),
    "agent holds and comes back": ([ANSWERED], ["answered"]),
    "agent talks with a friend, nobody else is there": ([ABANDONED], []),
    "agent goes not ready and comes back": ([], []),
    "agent logs in by the keypad and answers": ([ANSWERED], ["answered"]),
    "caller presses nothing, hides the number, and is answered": ([ANSWERED], ["answered"]),
    "two callers, one agent": ([ANSWERED, ANSWERED], ["answered", "answered"]),
    "one caller fills the queue, the next is refused": ([REFUSED, ABANDONED], []),
    "caller waits too long and goes to another queue": ([ANSWERED], ["answered"]),
    "two phones ring, the first to answer takes the call": ([ANSWERED], ["cancelled", "answered"]),
    "two phones ring, the caller leaves": ([ABANDONED], ["caller_gone", "caller_gone"]),
    "agent on a headset takes two calls": ([ANSWERED, ANSWERED], ["answered", "answered"]),
    "agent hands the call to a colleague by a key": ([ANSWERED], ["answered", "answered"]),
    "agent asks a colleague and hands the call over": ([ANSWERED], ["answered", "answered"]),
    "agent asks a colleague and goes back": ([ANSWERED], ["answered", "answered"]),
    "agent asks a colleague who declines": ([ANSWERED], ["answered", "rejected"]),
    "agent's phone transfers the call": ([ANSWERED], ["answered", "answered"]),
    "caller asks for an order by its digits": ([REFUSED], []),
    "caller types too few digits, then the right ones": ([REFUSED], []),
    "caller leaves in the middle of the digits": ([Outcome.LEFT_IN_MENU], []),
    "caller waits for an order that is found slowly": ([REFUSED], []),
    "caller whose script fails is answered by an agent": ([ANSWERED], ["answered"]),
    "customer judges after the talk": ([ANSWERED], ["answered"]),
    "customer hangs up instead of judging": ([ANSWERED], ["answered"]),
    "supervisor listens, whispers, and goes": ([ANSWERED], ["answered"]),
    "supervisor barges in and stays until the customer leaves": ([ANSWERED], ["answered"]),
    "supervisor takes the customer over": ([ANSWERED], ["answered"]),
    "agent hangs up while a supervisor hears": ([ANSWERED], ["answered"]),
    "agent goes into a room with a PIN and leaves": ([], []),
    "agent, colleague and customer confer, the colleague leaves": ([ANSWERED], ["answered", "answered"]),
}
"""Outcomes of calls and of all offers. Where two things happen in one instant, more than one is right."""
IN_ONE_INSTANT = "caller leaves in the instant of the answer"


IN_ANY_ORDER = frozenset({"two phones ring, the first to answer takes the call"})
"""The losers' phones may end before the winner has talked or after: their offers are compared as a bag."""


@cache
def recorded(file_name: str) -> list[TraceLine]:
    return unfold(read_steps((TRACES / file_name).read_bytes()))


def outcomes(trace: list[TraceLine]) -> tuple[list[Outcome], list[str]]:
    kept = [line.said.record for line in trace if isinstance(line.said, Store)]
    offers = [record.outcome.value for record in kept if isinstance(record, OfferRecord)]
    calls = [record for record in kept if isinstance(record, InteractionRecord) and record.kind == VOICE]
    return [record.outcome for record in calls], offers


def traces(script: Script) -> list[list[TraceLine]]:
    """Of the virtual PBX, and of the real one."""
    return [play(script, 1, SETTINGS), recorded(script.file_name)]


@pytest.mark.parametrize("script", SCENARIOS, ids=lambda script: script.name)
def test_what_the_story_is_about_happens_on_both(script: Script) -> None:
    for trace in traces(script):
        if script.name == IN_ONE_INSTANT:
            assert outcomes(trace) in (([ABANDONED], ["caller_gone"]), ([ANSWERED], ["answered"]))
        else:
            calls, offers = outcomes(trace)
            expected_calls, expected_offers = EXPECTED[script.name]
            if script.name in IN_ANY_ORDER:
                offers, expected_offers = sorted(offers), sorted(expected_offers)
            assert (calls, offers) == (expected_calls, expected_offers)


@pytest.mark.parametrize("script", SCENARIOS, ids=lambda script: script.name)
def test_what_the_real_pbx_told_is_what_the_virtual_one_could_have_told(script: Script) -> None:
    """And another story, or half of this one, does not conform; else the comparison would say nothing."""
    real, promises = recorded(script.file_name), learn([play(script, seed, SETTINGS) for seed in SEEDS])
    assert compare(real, promises) == []
    half = real[: len(real) // 2]
    assert compare(half, promises) != []
    others = [other.name for other in SCENARIOS if other is not script and compare(recorded(other.file_name), promises) == []]
    assert len(others) <= 1, "the same twice: a phone that rings unanswered, with and without a contact left"


def test_each_story_has_a_name_and_a_recording_of_its_own() -> None:
    names = {script.name for script in SCENARIOS}
    assert names == EXPECTED.keys() | {IN_ONE_INSTANT}
    known = {script.file_name for script in SCENARIOS + CALLED} | {"settings.jsonl", "settings-called.jsonl"}
    assert known == {path.name for path in TRACES.iterdir()}
    assert len(names) == len(SCENARIOS) >= 39

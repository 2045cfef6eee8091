"""Any flow that passes the check, with any input: it ends in a defined exit, and nobody is left in silence.

The flows are made of chance, written in YAML and read by the real check. A caller walks each on the virtual PBX while hypothesis types,
waits, hangs up, and lets everything fail that can: prompts, look-ups, scripts, connections, the daemon, the PBX, the settings.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from flow_walk import Input, Story, Walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_flows import MAIN, flows
from written_flows import DID, HASTY_DID, Checked, checked

from ccserver.core.center import StepFailed
from ccserver.core.flows import Flows
from ccserver.core.ids import FlowId
from ccserver.core.ledger import Ledger
from ccserver.core.records import FlowEnd
from ccserver.core.settings import Flow, Node, Settings
from ccserver.core.state import Interaction
from ccserver.sim.day import Unsound
from ccserver.sim.wire import NO_FAULTS, Faults

EXAMPLES = int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "200"))
FLOWS = 400
FAULTY = Faults(
    lost_ratio=0.02, doubled_ratio=0.05, late_ratio=0.05, unanswered_ratio=0.02, action_timeout_s=2.0, failed_ratio=0.1
)
FAILING = Faults(failed_ratio=0.3)
SILENT = Faults(unanswered_ratio=0.5, action_timeout_s=2.0)


def written(seed: int) -> Mapping[FlowId, Flow]:
    return flows(seed, 1 + seed % 20)


@cache
def site(seed: int) -> Checked:
    with TemporaryDirectory() as directory:
        return checked(written(seed), Path(directory))


def passed(seed: int) -> Settings:
    """Of the first flows from `seed` on that pass the check."""
    configuration = site(seed).configuration
    return configuration.settings if configuration is not None else passed(seed + 1)


WAITS_S = st.sampled_from([0.001, 0.02, 0.3, 1.0, 2.1, 6.0, 15.0])
SMALL_WAIT = WAITS_S.map(lambda for_s: Input("wait", for_s))
DIGITS = st.sampled_from(["1", "2", "0", "#", "*", "9", "12", "1#", "4711#", "79927398713", "12345678", "11111111111", "1234"])
INPUT = st.one_of(
    *[st.integers(0, 5).map(lambda luck: Input("answer", luck))] * 6,
    SMALL_WAIT,
    DIGITS.map(lambda digits: Input("press", digits)),
    DIGITS.map(lambda digits: Input("press", digits)),
    st.text("0123456789*#", min_size=1, max_size=6).map(lambda digits: Input("press", digits)),
    st.integers(0, 50).map(lambda place: Input("repeat", place)),
    st.sampled_from(
        [
            Input("leave_session"),
            Input("write_and_read"),
            Input("reload", True),
            Input("reload", False),
            Input("kill", 0.1),
            Input("kill", 10.0),
            Input("break_link", 2.0),
            Input("crash_pbx", 1.0),
            Input("close_hours", True),
            Input("close_hours", False),
            Input("somebody_acts", "answer"),
            Input("somebody_acts", "decline"),
            Input("somebody_acts", "hang_up"),
            Input("hang_up"),
        ]
    ),
)
STORIES = st.builds(
    lambda seed, other, **given: Story(settings=passed(seed), others=passed(other), seed=seed, **given),
    seed=st.sampled_from(range(FLOWS)),
    other=st.integers(0, 20),
    did=st.sampled_from([*[DID] * 7, HASTY_DID]),
    number=st.sampled_from(["+34911222333", None]),
    staff=st.sampled_from(["none", "away", "ready"]),
    faults=st.sampled_from([NO_FAULTS, NO_FAULTS, FAILING, SILENT, FAULTY]),
    inputs=st.one_of(st.lists(INPUT, max_size=10), st.lists(INPUT, min_size=10, max_size=30)).map(tuple),
)
WALKED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


@WALKED
@given(STORIES)
def test_every_walk_ends_in_a_defined_exit(story: Story) -> None:
    walk = Walk(story)
    walk.run()
    assert walk.world.replay() == walk.books.digest(), "the journal gives other commands"


@settings(WALKED, max_examples=max(1, EXAMPLES // 10))
@given(STORIES)
def test_the_same_walk_gives_the_same_commands(story: Story) -> None:
    digests = set()
    for _ in range(2):
        walk = Walk(story)
        walk.run()
        digests.add(walk.books.digest())
    assert len(digests) == 1


@pytest.fixture(scope="module")
def some() -> list[Checked]:
    return [site(seed) for seed in range(0, FLOWS, 8)]


def test_most_flows_of_chance_pass_the_check(some: list[Checked]) -> None:
    problems = [problem for each in some for problem in each.problems]
    assert len([each for each in some if each.configuration is not None]) >= 0.9 * len(some), problems


def test_what_passes_the_check_is_what_was_written(some: list[Checked]) -> None:
    for seed, each in zip(range(0, FLOWS, 8), some, strict=True):
        if each.configuration is not None:
            meant, read = written(seed), each.configuration.settings.flows
            assert {name: read[name] for name in meant} == meant


def test_every_kind_of_node_is_among_them(some: list[Checked]) -> None:
    read = [each.configuration.settings.flows for each in some if each.configuration is not None]
    kinds = {type(node) for every in read for flow in every.values() for node in flow.nodes.values()}
    assert kinds == set(Node.__args__)  # type: ignore[attr-defined]
    assert any(len(every[MAIN].nodes) > 8 for every in read)


# --- whether the walks would find a mistake -----------------------------------------------------------------------------
def nothing(*_: Any, **__: Any) -> None:
    """Forget to do it."""


def never_count_tries(self: Flows, interaction: Interaction, *_: Any) -> bool:
    return True


def forget_the_passage(self: Ledger, interaction: Interaction, end: FlowEnd) -> Interaction:
    return interaction


def resume_nowhere(self: Flows, interaction: Interaction) -> None:
    """The caller is back in a new session, and nothing is done."""


MISTAKES: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "the end of a script means nothing": (Flows, "script_ended", nothing),
    "the end of a look-up means nothing": (Flows, "looked_up", nothing),
    "a look-up that says nothing is awaited for ever": (Flows, "look_up_due", nothing),
    "the end of a secret means nothing": (Flows, "secret_checked", nothing),
    "what is typed means nothing": (Flows, "digits_collected", nothing),
    "tries are not counted": (Flows, "_tried", never_count_tries),
    "a passage is not told": (Ledger, "passage_over", forget_the_passage),
    "a new session begins nothing": (Flows, "resume", resume_nowhere),
}


def fixed_stories() -> Iterator[Story]:
    """Callers who answer, are silent, or lose their session; whose look-ups and scripts end in every way, or not at all."""
    for seed in range(80):
        site = passed(seed)
        ways = (Input("kill", 10.0), Input("leave_session"), Input("wait", 6.0))
        inputs = [Input("answer", luck) for luck in range(seed % 7)] + [ways[seed % 3]]
        yield Story(
            settings=site,
            others=site,
            did=DID,
            number=None,
            staff="none",
            faults=SILENT if seed % 4 == 0 else NO_FAULTS,
            seed=seed,
            inputs=tuple(inputs),
        )


def test_the_fixed_stories_end_well() -> None:
    for story in fixed_stories():
        Walk(story).run()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_flows_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, mistake = MISTAKES[name]
    assert callable(getattr(owner, method))
    monkeypatch.setattr(owner, method, mistake)
    with pytest.raises((Unsound, StepFailed, AssertionError)):
        for story in fixed_stories():
            Walk(story).run()

"""What the guides say about codes, keys, choices and defaults is what the settings have."""

from enum import Enum
from pathlib import Path

import pytest

from ccserver.config.people import FEATURES, KEYS
from ccserver.core.keys import KEY_S
from ccserver.core.settings import AgentRules, CallKeys, ExitKind, FeatureCodes, IdleReset, OverflowBy, Strategy, WrapUpKind

DOCS = Path(__file__).parents[3] / "docs"
AGENTS = (DOCS / "agents.md").read_text()
ROUTING = (DOCS / "routing.md").read_text()


def test_the_guide_for_agents_has_every_code_and_key() -> None:
    assert set(FEATURES) == set(FeatureCodes.__slots__)
    assert set(KEYS) == set(CallKeys.__slots__)
    for name, what in FEATURES.items():
        assert f"\n| `*{getattr(FeatureCodes(), name)}` | {what} |\n" in AGENTS
    for name, what in KEYS.items():
        assert f"\n| `{getattr(CallKeys(), name)}` | {what} |\n" in AGENTS
    assert KEY_S == 3.0
    assert "more than three seconds later" in AGENTS


@pytest.mark.parametrize(
    ("choices", "text"), [(Strategy, ROUTING), (IdleReset, ROUTING), (OverflowBy, ROUTING), (WrapUpKind, AGENTS)]
)
def test_every_choice_has_its_line(choices: type[Enum], text: str) -> None:
    for each in choices:
        assert f"\n| `{each.value}` | " in text, each


def test_the_guide_for_routing_knows_every_exit_and_the_idle_clock_as_it_comes() -> None:
    assert all(f"`{kind.value}`" in ROUTING or f"`{kind.value}: true`" in ROUTING for kind in ExitKind)
    usual = ", ".join(f"`{each}`" for each in sorted(each.value for each in AgentRules().idle_clock))
    assert f"Without the key: {usual}." in ROUTING

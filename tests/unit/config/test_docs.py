"""What the guides say about codes, keys, choices and defaults is what the settings have."""

import re
from enum import Enum
from pathlib import Path

import pytest

from ccserver.cli.campaigns import campaign, trunk
from ccserver.config import check
from ccserver.config.flows import flow_node
from ccserver.config.people import FEATURES, KEYS
from ccserver.config.pieces import piece
from ccserver.core.campaign_views import CrewView
from ccserver.core.checksums import Checksum
from ccserver.core.dialer.campaign_state import AttemptStage
from ccserver.core.dialer.terms import Mode
from ccserver.core.expressions import Function, ValueType
from ccserver.core.ivr_names import NAMES, OF_HOURS, OF_QUEUE
from ccserver.core.keys import KEY_S
from ccserver.core.records import NoticeKind
from ccserver.core.settings import (
    AgentRules,
    CallKeys,
    DispositionMeaning,
    ExitKind,
    FeatureCodes,
    IdleReset,
    OverflowBy,
    Strategy,
    SurveyKind,
    WrapUpKind,
)

DOCS = Path(__file__).parents[3] / "docs"
AGENTS = (DOCS / "agents.md").read_text()
ROUTING = (DOCS / "routing.md").read_text()
IVR = (DOCS / "ivr.md").read_text()
CAMPAIGNS = (DOCS / "campaigns.md").read_text()
EVENTS = (DOCS / "events.md").read_text()
GOOD = (Path(__file__).parent / "flows.yaml").read_text()


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


# --- the guide to flows -------------------------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with all that a file names beside itself."""
    monkeypatch.chdir(tmp_path)
    for name in ("ami.secret", "agi.secret"):
        Path(name).write_text("a-good-secret")
    Path("scripts").mkdir(mode=0o755)
    Path("scripts/orders.py").write_text("def check(agi, call):\n    return None\n")


def blocks(text: str) -> list[str]:
    """What stands in the text as YAML."""
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_guide_to_flows_has_every_node_piece_function_and_name() -> None:
    nodes = IVR.partition("\n## The nodes\n")[2].partition("\n## ")[0]
    headings = [
        name for heading in re.findall(r"^### (.*)$", nodes, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", heading)
    ]
    assert sorted(headings) == sorted(flow_node.groups)
    for heading, *others in (re.findall(r"`([a-z_]+)`", each) for each in re.findall(r"^### .*$", nodes, re.MULTILINE)):
        shown = blocks(nodes.partition(f"### `{heading}`")[2].partition("\n### ")[0])[0]
        assert all(f"{name}:" in shown or name == "done" for name in (heading, *others)), heading
    assert all(f"`{{{name}: " in IVR for name in set(piece.groups) - {"prompt"})
    assert all(f"`{each.value}(" in IVR for each in Function)
    names = [*NAMES, *(f"queue.NAME.{each}" for each in OF_QUEUE), *(f"hours.NAME.{each}" for each in OF_HOURS)]
    assert all(f"`{name}`" in IVR for name in names)
    assert all(f"`{each.value}`" in IVR for each in (*Checksum, *ValueType, *SurveyKind))


@pytest.mark.usefixtures("folder")
def test_the_nodes_of_the_guide_are_good_together() -> None:
    """The blocks between the headings are one flow."""
    nodes = "".join(blocks(IVR.partition("\n## The nodes\n")[2].partition("\n## ")[0]))
    variables = blocks(IVR.partition("## Variables")[2])[0]
    called = blocks(IVR.partition("## Flows within flows")[2])[0]
    hours = blocks(IVR.partition("## Hours")[2])[0].partition("\n")[2]
    prompts = ("welcome", "departments", "not-understood", "enter-order", "enter-card", "enter-pin", "enter-customer")
    text = GOOD[: GOOD.index("flows:\n")].replace(", survey: after_call", "")
    text = text[: text.index("hours:\n")] + "hours:\n" + hours + text[text.index("queues:\n") :]
    text += f"flows:\n  main:\n    start: opening\n{variables}    exits: {{no_input: to_sales, invalid: to_sales, failure: to_sales}}\n"
    text += f"    nodes:\n{nodes}{called}dids: {{'+34910000001': {{flow: main, language: en}}}}\nprompts:\n"
    text += "".join(f"  {name}: {{en: x, es: x}}\n" for name in (*prompts, "leave-message", "how-satisfied"))
    text += "conferences: {board: {number: '700'}}\n"
    Path("c.yaml").write_text(text)
    problems = [each for each in check(Path("c.yaml"))[0] if "a node that can be reached" not in each.message]
    assert problems == []


@pytest.mark.usefixtures("folder")
def test_the_first_flow_of_the_guide_is_good() -> None:
    text = GOOD[: GOOD.index("flows:\n")].replace(", survey: after_call", "").replace("es: {}", "").replace("language: es", "")
    Path("c.yaml").write_text(text + blocks(IVR)[0])
    assert check(Path("c.yaml"))[0] == []


def test_the_guide_to_campaigns_has_every_mode_meaning_and_command() -> None:
    for mode in Mode:
        assert f"\n| `{mode.value}` | " in CAMPAIGNS
    for meaning in DispositionMeaning:
        assert re.search(rf"^\| .*`{meaning.value}`.* \| ", CAMPAIGNS, re.MULTILINE), meaning
    for command in (*campaign.commands, *trunk.commands):
        assert re.search(rf"campaign (trunk )?{command}\b", CAMPAIGNS), command
    assert ", ".join(stage.value for stage in AttemptStage) in CAMPAIGNS
    assert all(f" {name}" in CAMPAIGNS for name in CrewView.__dataclass_fields__ if name != "logged_in")


def test_every_event_is_told() -> None:
    for kind in NoticeKind:
        assert re.search(rf"^\| .*`{kind.value}`", EVENTS, re.MULTILINE), kind

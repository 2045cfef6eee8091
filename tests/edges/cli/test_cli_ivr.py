"""What is done with flows from the command line: drawn, checked, walked, tested and counted; surveys and opening hours."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cli_desk import Desk, a_configuration
from click.testing import CliRunner, Result
from fresh_store import fresh_store

from ccserver.cli import root
from ccserver.core.ids import AgentId, CommandId, FlowId, InteractionId, NodeId, QueueId
from ccserver.core.records import FlowEnd, FlowRecord, FlowStep, Record, StepHow, SurveyRecord
from ccserver.core.settings import SurveyKind
from ccserver.store.writer import Writer

SHOP = Path(__file__).parents[2] / "unit" / "sim" / "shop.yaml"
DID = "+34910000077"
NOON_S = 1_767_268_800.0  # 2026-01-01 12:00 UTC


def run(*arguments: str, typed: str | None = None, config: Path = SHOP) -> Result:
    return CliRunner().invoke(root, ["ivr", *arguments, "--config", str(config)], input=typed, catch_exceptions=False)


# --- graph ------------------------------------------------------------------------------------------------------------
def test_a_flow_is_drawn_in_three_forms(tmp_path: Path) -> None:
    drawn = run("graph", "shop")
    assert drawn.stdout.startswith("flowchart TD\n") and "Please enter your order" in drawn.stdout
    assert "Marque su número" in run("graph", "shop", "--language", "es").stdout
    assert run("graph", "shop", "--format", "dot").stdout.startswith('digraph "shop" {')
    assert "ask_order" in run("graph", "shop", "--alone").stdout and "subgraph" not in run("graph", "shop", "--alone").stdout
    out = tmp_path / "shop.dot"
    assert run("graph", "shop", "--format", "dot", "--out", str(out)).stdout == f"{out}: written\n"
    assert out.read_text() == run("graph", "shop", "--format", "dot").stdout
    parts = json.loads(run("graph", "shop", "--json").stdout)
    assert [group["flow"] for group in parts["groups"]] == ["shop", "ask_order"]
    assert {"source": "shop.main", "target": "shop.ask", "label": "1", "is_faint": False} in parts["arcs"]


def test_what_cannot_be_drawn_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = run("graph", "ship")
    assert (missing.exit_code, "there are: main, " in missing.stderr or "shop" in missing.stderr) == (1, True)
    assert run("graph", "shop", "--language", "xx").exit_code == 1
    assert run("graph", "shop", "--out", str(tmp_path / "no" / "where")).exit_code == 1
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = run("graph", "shop", "--format", "svg")
    assert picture.exit_code == 1 and "apt-get install graphviz" in picture.stderr


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "shop.svg"
    assert run("graph", "shop", "--format", "svg", "--out", str(out)).exit_code == 0
    assert "</svg>" in out.read_text()


def test_a_broken_file_is_refused_by_all_of_them(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(f"extends: {SHOP}\nbogus: 1\n")
    for arguments in (("graph", "shop"), ("walk", "shop"), ("test",)):
        result = run(*arguments, config=broken)
        assert result.exit_code == 78 and "bogus" in result.stderr


# --- check ------------------------------------------------------------------------------------------------------------
def test_only_what_is_wrong_with_flows_is_told(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"extends: {SHOP}\nbogus: 1\nflows: {{shop: {{nodes: {{clerk: {{extension: '2000', say: nothing-such}}}}}}}}\n"
    )
    result = CliRunner().invoke(root, ["ivr", "check", str(file)])
    assert result.exit_code == 1
    assert f"{file}:3:" in result.stderr and "flows.shop.nodes.clerk.say" in result.stderr
    assert "bogus" not in result.stderr and f"ccserver config check {file}" in result.stderr
    answer = json.loads(CliRunner().invoke(root, ["ivr", "check", str(file), "--json"]).stdout)
    assert (answer["ok"], len(answer["problems"]), answer["problems_elsewhere"]) == (False, 1, 1)
    everything = json.loads(CliRunner().invoke(root, ["config", "check", str(file), "--json"]).stdout)
    assert answer["problems"][0] in everything["problems"]


def test_good_flows_in_a_file_with_other_faults(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"extends: {SHOP}\nbogus: 1\n")
    result = CliRunner().invoke(root, ["ivr", "check", str(file)])
    assert result.exit_code == 0 and "its flows are good" in result.stdout
    unreadable = CliRunner().invoke(root, ["ivr", "check", str(tmp_path / "none.yaml")])
    assert unreadable.exit_code == 1 and "no such file" in unreadable.stderr


# --- walk -------------------------------------------------------------------------------------------------------------
WEEKDAY = ("--at", "2026-11-25T10:00", "--caller", "+34600111222")
ORDER = ("--look-up", "orders=found:status=sent,amount=12.5")


def test_a_walk_without_a_person() -> None:
    walked = run("walk", DID, *WEEKDAY, *ORDER, "--digits", "1,123456,1,5")
    assert walked.exit_code == 0
    assert "« It was sent. It costs twelve euros and fifty cents" in walked.stdout
    assert walked.stdout.rstrip().endswith("the call is hung up")
    answer = json.loads(run("walk", "shop", *WEEKDAY, *ORDER, "--language", "es", "--digits", "1,123456,1,5", "--json").stdout)
    assert (answer["at"], answer["passages"][0]["end"]) == ("hung up", "served")
    assert any(line["text"].startswith("Se ha enviado. Cuesta doce euros") for line in answer["lines"])


def test_the_caller_may_be_left_in_the_middle() -> None:
    assert run("walk", DID, *WEEKDAY, "--digits", "1").stdout.endswith("the caller is still there: node ask_order/ask\n")
    assert "the caller hangs up" in run("walk", DID, *WEEKDAY, "--digits", ",h").stdout
    assert "the caller is still there: queue sales" in run("walk", DID, *WEEKDAY, "--digits", "0").stdout
    assert "agent 101 is rung" in run("walk", DID, *WEEKDAY, "--staffed", "101,102", "--digits", "0").stdout
    assert "speaks for 7 s" in run("walk", DID, "--at", "2026-11-25T23:00", "--digits", "s7").stdout


def test_a_walk_in_a_terminal() -> None:
    typed = "1\nx\n123456\n1\nfound:status=sent,amount=3\n5\n"
    walked = run("walk", DID, *WEEKDAY, typed=typed)
    assert walked.exit_code == 0, walked.output
    assert "'x' are no keys" in walked.output
    assert "orders (order 123456) answers" in walked.output
    assert "It costs three euros" in walked.output and "the call is hung up" in walked.output
    waited = run("walk", DID, *WEEKDAY, typed="\n\n")
    assert "waits 5 s" in waited.output and "the call is hung up" in waited.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--digits", "1"), "node main/"),
        ((DID, "--at", "noon", "--digits", "1"), "'noon' is no time"),
        ((DID, "--staffed", "9", "--digits", "1"), "there is no agent '9'"),
        ((DID, "--look-up", "orders", "--digits", "1"), "'orders' is no answer of a look-up"),
        ((DID, "--look-up", "orders=lost", "--digits", "1"), "'lost' is no answer of a look-up"),
        ((DID, *WEEKDAY, "--digits", "1,123456,1"), "--look-up orders=found:"),
        ((DID, *WEEKDAY, "--look-up", "orders=found:prize=1", "--digits", "1,123456,1"), "gives no prize"),
    ],
)
def test_what_cannot_be_walked_says_why(arguments: tuple[str, ...], said: str) -> None:
    result = run("walk", *arguments)
    assert said in result.output
    assert result.exit_code == (0 if arguments[0] == "nowhere" else 1)  # the example's `*` takes every number


# --- test -------------------------------------------------------------------------------------------------------------
TESTS = """\
tests:
  - name: Good
    dial: "+34910000077"
    steps: [{hears: welcome}, {hangs_up: true}]
  - name: Bad
    dial: "+34910000077"
    steps:
      - then: queue sales
"""


def test_transcripts_are_run_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(TESTS)
    result = run("test", str(file))
    assert result.exit_code == 1
    assert "  ok    Good\n  FAIL  Bad\n" in result.stdout
    assert f"{file}:8:9: expected queue sales, got node shop/main" in result.stdout
    assert result.stdout.endswith("1 passed, 1 failed\n")
    answer = json.loads(run("test", str(file), "--json").stdout)
    assert answer["ok"] is False
    assert [(test["name"], test["ok"]) for test in answer["tests"]] == [("Good", True), ("Bad", False)]
    assert (answer["tests"][1]["problem"]["line"], answer["tests"][0]["lines"]) == (8, [])
    file.write_text(TESTS.replace("queue sales", "node shop/main"))
    assert run("test", str(file)).exit_code == 0


def test_the_tests_beside_the_configuration_are_run_by_themselves(tmp_path: Path) -> None:
    config = tmp_path / "center.yaml"
    config.write_text(f"extends: {SHOP}\n")
    missing = run("test", config=config)
    assert missing.exit_code == 1 and "ivr-tests.yaml:1:1: cannot be read: No such file" in missing.stdout
    (tmp_path / "ivr-tests.yaml").write_text(TESTS.replace("queue sales", "node shop/main"))
    assert run("test", config=config).stdout.endswith("2 passed, 0 failed\n")
    (tmp_path / "ivr-tests.yaml").write_text("tests: [{name: 1}]")
    bad = run("test", config=config)
    assert bad.exit_code == 1 and "ivr-tests.yaml:1:9: tests[0].steps: " in bad.stdout


# --- out of history ---------------------------------------------------------------------------------------------------
@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A configuration whose database has two passages and two answers of call 1."""
    file = a_configuration(tmp_path)
    store = fresh_store(f"sqlite:///{tmp_path}/state/history.db")
    menu = FlowStep(FlowId("main"), NodeId("menu"), StepHow.NO_INPUT, 2)
    passage = FlowRecord(
        interaction=InteractionId(1),
        number=0,
        version="v",
        started_utc_s=NOON_S,
        duration_s=30.0,
        end=FlowEnd.SERVED,
        steps=(menu, replace(menu, node=NodeId("bye"), how=StepHow.PASSED, repeats=0)),
    )
    answer = SurveyRecord(
        interaction=InteractionId(1),
        number=0,
        kind=SurveyKind.CSAT,
        question="rate",
        score=5,
        queue=QueueId("sales"),
        agent=AgentId("101"),
        at_utc_s=NOON_S,
    )
    gave_up = replace(passage, number=1, end=FlowEnd.GAVE_UP, steps=(replace(menu, how=StepHow.PASSED),))
    records: list[Record] = [passage, gave_up, answer, replace(answer, number=1, score=1, agent=None)]
    writer = Writer(store.engine)
    writer.start()
    for seq, record in enumerate(records):
        writer.append("000001-a", CommandId(seq, 0), record)
    assert writer.close(30)
    store.close()
    return file


def test_the_passages_of_a_flow_are_counted(history: Path) -> None:
    text = run("stats", "main", config=history).stdout
    assert "main: 2 passages (served 1, gave up 1), 0:30 on average" in text
    assert "containment 50.0%, to people 0.0%, gave up 50.0%" in text
    assert "most give up at menu: 1 of 2 who came there (50.0%)" in text
    answer = json.loads(run("stats", "main", "--json", config=history).stdout)
    assert (answer["containment_ratio"], answer["given_up_most_at"]) == (0.5, "menu")
    assert answer["nodes"][0] == {
        "node": "menu",
        "visits": 2,
        "repeats": 4,
        "passed": 0,
        "no_input": 1,
        "invalid": 0,
        "failed": 0,
        "operator": 0,
        "dropped": 1,
        "dropped_ratio": 0.5,
    }
    assert "nobody came through" in run("stats", "main", "--since", "2026-01-02", config=history).stdout


def test_the_answers_of_customers_are_reported(history: Path) -> None:
    def report(*arguments: str) -> Result:
        return CliRunner().invoke(root, ["survey", "report", *arguments, "--config", str(history)], catch_exceptions=False)

    lines = report().stdout.splitlines()
    assert lines[1].split() == ["all", "50", "%", "50", "%", "2", "-", "0", "-", "0"]
    assert any(line.startswith("queue sales") for line in lines) and any(line.startswith("agent -") for line in lines)
    answer = json.loads(report("--json", "--agent", "101").stdout)
    assert (answer["total"]["csat_percent"], answer["by_agent"][0]["agent"]) == (100.0, "101")
    assert "nobody has answered" in report("--until", "2026-01-01T12:00:00").stdout


# --- opening hours ----------------------------------------------------------------------------------------------------
@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(a_configuration(tmp_path))
    with made.serve():
        yield made


def hours(desk: Desk, name: str = "always") -> dict[str, object]:
    (found,) = [one for one in desk.json("hours", "list") if one["hours"] == name]
    return dict(found)


def test_opening_hours_are_closed_and_opened_again(desk: Desk) -> None:
    assert (hours(desk)["is_open"], hours(desk)["closed_by_hand"]) == (True, None)
    assert desk.run("hours", "close", "always").output == "the hours always are closed\n"
    closed = hours(desk)
    assert closed["is_open"] is False and closed["changes_utc_s"] is None
    assert "closed" in desk.run("hours", "list").output and "since" in desk.run("hours", "list").output
    assert desk.run("hours", "open", "always").exit_code == 0
    assert hours(desk)["is_open"] is True
    again = desk.run("hours", "open", "always")
    assert again.exit_code == 1 and "the hours always are as written" in again.stderr


def test_a_closing_ends_at_the_local_time_of_the_hours(desk: Desk) -> None:
    # it is 2027-01-15 08:01 UTC, 09:01 in Madrid
    assert desk.run("hours", "close", "always", "--until", "2027-01-15T10:30").exit_code == 0
    closed = hours(desk)
    assert closed["changes_utc_s"] == 1_800_005_400.0
    assert "2027-01-15 10:30" in desk.run("hours", "list").output
    desk.now_s += 6000
    assert (hours(desk)["is_open"], hours(desk)["closed_by_hand"]) == (True, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("close", "nights"), "no opening hours 'nights'; there are: always"),
        (("close", "always", "--until", "noon"), "'noon' is no time"),
        (("close", "always", "--until", "2020-01-01T10:00"), "the end of the closing is over already"),
    ],
)
def test_a_closing_that_cannot_be_says_why(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    result = desk.run("hours", *arguments)
    assert (result.exit_code, said in result.stderr) == (1, True)
    assert hours(desk)["is_open"] is True

"""The administrator's transcripts: those that hold, those that do not, and files that are none; with the place of each fault."""

from pathlib import Path

import pytest

from ccserver.cli.walks import spoken
from ccserver.config import Configuration, look_over
from ccserver.config.shipped import examples
from ccserver.core.records import Attestation
from ccserver.sim.flow_test_runs import Outcome, run_tests
from ccserver.sim.flow_tests import read_tests

SHOP = Path(__file__).parent / "shop.yaml"
OURS = Path(__file__).parents[3] / "docs" / "examples"


def configuration(path: Path = SHOP) -> Configuration:
    found, problems, _ = look_over(path)
    assert found is not None, problems
    return found


CENTER = configuration()


def read(folder: Path, text: str) -> list[str]:
    """The problems of a file, without its folder."""
    file = folder / "t.yaml"
    file.write_text(text)
    tests, problems = read_tests(file, CENTER.settings)
    assert (tests is None) is bool(problems)
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def run(folder: Path, text: str) -> list[Outcome]:
    file = folder / "t.yaml"
    file.write_text(text)
    tests, problems = read_tests(file, CENTER.settings)
    assert tests is not None, problems
    return list(run_tests(tests, CENTER.settings, spoken(CENTER)))


GOOD = """\
tests:
  - name: An order
    dial: "+34910000077"
    at: 2026-11-25T10:00
    caller: "+34600111222"
    look_ups:
      orders: {found: {status: sent, amount: 12.5}}
    steps:
      - hears: welcome to the shop
      - types: "1"
      - hears: order number
      - types: 123456
      - types: "1"
      - hears: twelve euros
      - then: node shop/rate
      - types: "4"
      - then: hung up
  - name: Slowly
    flow: shop
    language: es
    look_ups: {orders: {slow: {status: lost}}}
    staffed: true
    steps:
      - types: "1"
      - hears: shop-order
      - types: 123456
      - types: "1"
      - then: queue sales
      - then: agent
  - name: In the night
    dial: "+34910000077"
    at: 2026-11-25T23:00
    steps:
      - hears: leave a message
      - speaks: 4
      - then: message sales
  - name: Nobody outside
    dial: "+34910000077"
    at: 2026-11-25T10:00
    outside: nobody
    steps:
      - types: "3"
      - then: hung up
  - name: Waits
    dial: "+34910000077"
    at: 2026-11-25T10:00
    steps:
      - waits: 2
      - then: node shop/main
      - waits: true
      - waits: true
      - then: hung up
"""


def test_transcripts_that_hold(tmp_path: Path) -> None:
    assert [(outcome.name, outcome.problem) for outcome in run(tmp_path, GOOD)] == [
        (name, None) for name in ("An order", "Slowly", "In the night", "Nobody outside", "Waits")
    ]


@pytest.mark.parametrize(
    ("steps", "line", "message"),
    [
        ("hears: good night", 6, "expected to hear 'good night', heard 'Welcome to the shop' / 'For an order, press one'"),
        ("then: queue sales", 6, "expected queue sales, got node shop/main"),
        ("types: '0'\n      - then: hung up", 7, "expected hung up, got queue sales"),
        ("speaks: 3", 6, "nothing is recorded here"),
        ("hangs_up: true\n      - types: '1'", 7, "the call is over: caller gone"),
        ("hears: For an order\n      - hears: Welcome", 7, "expected to hear 'Welcome', heard 'press one'"),
        (
            "types: '1'\n      - types: '123456'\n      - types: '1'",
            8,
            "the look-up orders is asked, and look_ups of the test does not say what it answers",
        ),
        ("then: agent 101", 6, "expected agent 101, got node shop/main"),
        ("then: message sales", 6, "expected message sales, got node shop/main"),
    ],
)
def test_a_step_that_does_not_hold_is_told_with_its_place(tmp_path: Path, steps: str, line: int, message: str) -> None:
    text = f'tests:\n  - name: One\n    dial: "+34910000077"\n    at: 2026-11-25T10:00\n    steps:\n      - {steps}\n'
    (outcome,) = run(tmp_path, text)
    problem = outcome.problem
    assert problem is not None
    assert (problem.line, problem.column, problem.message) == (line, 9, message)
    assert problem.file.endswith("t.yaml") and outcome.lines


def test_a_word_that_was_heard_once_is_not_heard_twice(tmp_path: Path) -> None:
    text = (
        "tests:\n  - name: One\n    flow: shop\n    steps: [{hears: shop}, {hears: For an}, {hears: order}, {hears: order}]\n"
    )
    (outcome,) = run(tmp_path, text)
    assert outcome.problem is not None and outcome.problem.column == 61


HEAD = "tests:\n  - name: One\n    "


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["t.yaml:1:1: expected settings, got an empty file"]),
        (HEAD + "flow: shop", ["t.yaml:2:5: tests[0].steps: expected a list, each a step with one of the keys"]),
        (
            HEAD + "flow: ship\n    steps: []",
            ["t.yaml:3:5: tests[0].flow: expected the name of a flow, got 'ship' (did you mean shop?)"],
        ),
        (HEAD + "steps: []", ["t.yaml:2:5: tests[0]: expected either dial or flow, got neither"]),
        (HEAD + "flow: shop\n    dial: '1'\n    steps: []", ["t.yaml:2:5: tests[0]: expected either dial or flow, got both"]),
        (HEAD + "flow: shop\n    stafed: true\n    steps: []", ["t.yaml:4:5: tests[0].stafed: expected a key of a test"]),
        (HEAD + "flow: shop\n    at: noon\n    steps: []", ['t.yaml:4:9: tests[0].at: expected a time, got "noon"']),
        (
            HEAD + "flow: shop\n    staffed: [999]\n    steps: []",
            ["t.yaml:4:5: tests[0].staffed: expected the name of an agent, got '999'"],
        ),
        (
            HEAD + "flow: shop\n    look_ups: {order: missing}\n    steps: []",
            ["t.yaml:4:16: tests[0].look_ups.order: expected the name of a look-up, got 'order' (did you mean orders?)"],
        ),
        (
            HEAD + "flow: shop\n    look_ups: {orders: lost}\n    steps: []",
            ["t.yaml:4:24: tests[0].look_ups.orders: expected missing, failed"],
        ),
        (HEAD + "flow: shop\n    steps: [{types: abc}]", ["t.yaml:4:21: tests[0].steps[0].types: expected keys"]),
        (HEAD + "flow: shop\n    steps: [{heers: abc}]", ["t.yaml:4:13: tests[0].steps[0]: expected a step"]),
        (HEAD + "flow: shop\n    steps: [{waits: long}]", ["t.yaml:4:21: tests[0].steps[0].waits: expected seconds"]),
        (
            HEAD + "flow: shop\n    steps: [{then: queue sails}]",
            ["t.yaml:4:13: tests[0].steps[0]: expected the name of a queue, got 'sails' (did you mean sales?)"],
        ),
        (
            HEAD + "flow: shop\n    steps: [{then: node shop/mine}]",
            [
                "t.yaml:4:13: tests[0].steps[0]: expected the name of a node, with its flow, got 'shop/mine' (did you mean shop/main?)"
            ],
        ),
        (HEAD + "flow: shop\n    steps: [{then: gone}]", ["t.yaml:4:20: tests[0].steps[0].then: expected a place"]),
        ("tests: [", ["t.yaml:2:1: expected YAML"]),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(tmp_path: Path, text: str, problems: list[str]) -> None:
    found = read(tmp_path, text)
    assert len(found) == len(problems), found
    for one, beginning in zip(found, problems, strict=True):
        assert one.startswith(beginning), one


def test_every_problem_is_told_in_one_go(tmp_path: Path) -> None:
    text = "tests:\n  - name: One\n    flow: shop\n    steps: [{types: a}, {then: nowhere}]\n  - flow: shop\n    steps: []\n"
    assert len(read(tmp_path, text)) == 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    tests, problems = read_tests(tmp_path / "none.yaml", CENTER.settings)
    assert tests is None and "No such file" in problems[0].message


@pytest.mark.parametrize("file", sorted(OURS.glob("*-tests.yaml")), ids=lambda file: file.stem)
def test_the_transcripts_of_the_examples_hold(file: Path) -> None:
    center = configuration(examples()[file.stem.removesuffix("-tests")])
    tests, problems = read_tests(file, center.settings)
    assert tests is not None, problems
    outcomes = list(run_tests(tests, center.settings, spoken(center)))
    assert outcomes and [str(outcome.problem) for outcome in outcomes if outcome.problem] == []


def test_what_the_carrier_says_of_the_number_can_be_told(tmp_path: Path) -> None:
    told = GOOD.replace('    caller: "+34600111222"\n', '    caller: "+34600111222"\n    attestation: failed\n', 1)
    file = tmp_path / "t.yaml"
    file.write_text(told)
    tests, problems = read_tests(file, CENTER.settings)
    assert tests is not None and tests.tests[0].attestation is Attestation.FAILED, problems
    assert any("expected one of none, A, B, C, failed" in each for each in read(tmp_path, told.replace("failed", "D")))

"""`ccserver simulate campaign`."""

import json

import pytest
from click.testing import CliRunner

from ccserver.cli import root

SHORT = ("simulate", "campaign", "--agents", "5", "--hours", "0.1")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(root, [*SHORT, *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("mode", ["progressive", "power", "predictive"])
def test_a_day_is_told_in_figures_and_is_the_same_again(mode: str) -> None:
    told = json.loads(run("--mode", mode, "--json", "--seed", "4"))
    assert told["dials"] >= told["humans"] >= told["connects"] > 0
    assert 0.0 < told["utilisation"] < 1.0
    assert json.loads(run("--mode", mode, "--json", "--seed", "4")) == told
    assert json.loads(run("--mode", mode, "--json", "--seed", "5")) != told


def test_for_people_it_is_a_short_table() -> None:
    told = run("--machines", "20", "--detection", "2", "--false-positives", "10")
    assert [line.split("  ")[0] for line in told.splitlines()] == [
        "utilisation",
        "wait between calls",
        "abandoned",
        "attempts per contact",
        "machines",
    ]


def test_without_an_allowance_nobody_is_abandoned_and_a_list_ends() -> None:
    told = json.loads(run("--cap", "0", "--leads", "7", "--json"))
    assert told["abandoned"] == 0
    assert told["dials"] == 7


def test_the_rules_of_a_country_judge_each_attempt() -> None:
    assert json.loads(run("--law", "us", "--json"))["refusals"] == {}
    told = run("--law", "uk", "--detection", "2", "--leads", "7")
    assert told.splitlines()[-1].split() == ["refused", "amd_not_allowed", "7"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--answered", "80", "--machines", "30"),
        ("--false-positives", "2"),
        ("--agents", "0"),
        ("--mode", "turbo"),
        ("--hours", "nan"),
        ("--cap", "101"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = CliRunner().invoke(root, [*SHORT, *wrong])
    assert result.exit_code == 2, result.output
    assert wrong[0] in result.output or wrong[-2] in result.output

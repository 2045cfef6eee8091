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


MONTH = ("--days", "3", "--hours", "0.05")


def test_a_month_is_told_by_days_and_seeds_with_their_spread() -> None:
    told = json.loads(run(*MONTH, "--seeds", "2", "--seed", "4", "--json"))
    assert [each["seed"] for each in told] == [4, 5]
    for month in told:
        days = month["days"]
        assert len(days) == 3 and len({day["dials"] for day in days}) > 1, "no two days are alike"
        assert month["dials"] == sum(day["dials"] for day in days)
        assert month["abandoned_ratio"] == pytest.approx(month["abandoned"] / max(month["humans"], 1))
        low, high = min(day["utilisation"] for day in days), max(day["utilisation"] for day in days)
        assert low <= month["utilisation"] <= high
    assert json.loads(run(*MONTH, "--seeds", "2", "--seed", "4", "--json")) == told
    lines = run(*MONTH, "--seeds", "2").splitlines()
    assert [line.split()[0] for line in lines if line.strip("- ")] == ["seed", "1", "2", "all"]
    assert " to " in lines[-1]


def test_one_day_of_one_seed_is_told_as_ever() -> None:
    assert run("--days", "1", "--seeds", "1", "--seed", "4") == run("--seed", "4")


def test_the_laws_account_is_of_one_day() -> None:
    result = CliRunner().invoke(root, [*SHORT, "--law", "us", "--days", "2"])
    assert result.exit_code == 2 and "--law" in result.output

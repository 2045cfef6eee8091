"""Each broken file gets exactly these messages: their wording is the product."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ccserver.config import ConfigurationRejected, check, load
from ccserver.config.prompts import SYSTEM_TEXTS
from ccserver.config.sections import top

HERE = Path(__file__).parent
SOME_TEXTS = ", ".join([*SYSTEM_TEXTS[:12], f"{len(SYSTEM_TEXTS) - 12} more"])


@dataclass
class Broken:
    name: str
    base: str
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def broken_files() -> list[Broken]:
    return [*_cases("broken.txt", "center.yaml"), *_cases("broken_flows.txt", "flows.yaml")]


def _cases(table: str, base: str) -> list[Broken]:
    cases: list[Broken] = []
    for block in (HERE / table).read_text().split("\n\n")[1:]:
        name, *lines = block.strip("\n").split("\n")
        case = Broken(name.removeprefix("# "), base)
        parts = {"-": case.old, "+": case.new, "=": case.problems, "~": case.warnings}
        for line in lines:
            told_names = line[2:].replace("SYSTEM_TEXTS", SOME_TEXTS).replace("TOP_KEYS", ", ".join(top.fields))
            parts[line[0]].append(told_names)
        cases.append(case)
    return cases


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "scripts").mkdir(mode=0o755)
    (tmp_path / "scripts" / "orders.py").write_text("def check(agi, call):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(problems: list[object], folder: Path) -> list[str]:
    return [str(each).removeprefix("c.yaml:").replace(str(folder), "FOLDER") for each in problems]


@pytest.mark.parametrize("case", broken_files(), ids=lambda case: case.name)
def test_a_broken_file_gets_exactly_these_messages(case: Broken, folder: Path) -> None:
    good = (HERE / case.base).read_text()
    old, new = "\n".join(case.old), "\n".join(case.new)
    assert old in good
    Path("c.yaml").write_text(good.replace(old, new, 1) if new else good.replace(old + "\n", "", 1))

    problems, warnings = check(Path("c.yaml"))

    assert told(problems, folder) == case.problems
    assert told(warnings, folder) == case.warnings
    if case.problems:
        with pytest.raises(ConfigurationRejected) as rejected:
            load(Path("c.yaml"))
        assert rejected.value.problems == problems
        assert str(rejected.value).splitlines() == [str(each) for each in problems]
    else:
        assert list(load(Path("c.yaml")).warnings) == warnings


def test_the_table_holds_what_it_should() -> None:
    names = [case.name for case in broken_files()]
    assert len(names) == len(set(names)) > 100
    assert all(case.problems or case.warnings for case in broken_files())


@pytest.mark.parametrize("base", ["center.yaml", "flows.yaml"])
def test_the_file_that_is_broken_there_is_good(base: str, folder: Path) -> None:
    Path("c.yaml").write_text((HERE / base).read_text())
    assert check(Path("c.yaml")) == ([], [])


def test_all_problems_of_a_file_are_told_in_one_run_in_the_order_of_its_lines(folder: Path) -> None:
    text = (HERE / "center.yaml").read_text()
    for old, new in (
        ("country: ES", "country: es"),
        ("wrap_up_s: 20", "wrap_up_s: banana"),
        ("skills: [sales]\n    hours", "skills: [sale]\n    hours"),
        ("{queue: second}", "{queue: secnd}"),
        ("say: welcome,", "say: welcom,"),
        ("lunch: {code: 1,", "lunch: {code: 9,"),
    ):
        text = text.replace(old, new, 1)
    Path("c.yaml").write_text(text)

    problems, _ = check(Path("c.yaml"))

    assert [each.path for each in problems] == [
        "country",
        "reasons.missed.code",
        "queues.sales.skills[0]",
        "queues.sales.wrap_up_s",
        "queues.sales.on_closed.queue",
        "flows.main.nodes.hello.say",
    ]

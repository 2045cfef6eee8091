"""Functions that flows and look-ups name: each mistake with its place and its mend, and nothing is run to find it."""

import re
from pathlib import Path

import pytest

from ccserver.config import check, load

CENTER = (Path(__file__).parent / "center.yaml").read_text()
PAGE = Path(__file__).parents[3] / "docs" / "scripts.md"
SCRIPTS = """
raise RuntimeError("a check runs nothing")

def check(agi, call): pass
def score(call): pass
def three(a, b, c): pass
"""


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret\n")
        (tmp_path / name).chmod(0o600)
    folder = tmp_path / "scripts"
    folder.mkdir(mode=0o700)
    (folder / "orders.py").write_text(SCRIPTS)
    (folder / "orders.py").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return folder


def written(more: str, script: str = "orders.check") -> Path:
    """The center with a script node in its flow, and `more` after its last line."""
    node = f"      wait: {{script: {script}, next: queue, on_failure: queue}}\n      queue: {{enqueue: sales}}\n"
    Path("c.yaml").write_text(CENTER.replace("      wait: {enqueue: sales}\n", node) + more)
    return Path("c.yaml")


def told(more: str = "scripts_dir: scripts\n", script: str = "orders.check") -> list[str]:
    problems, _ = check(written(more, script))
    return [str(each).removeprefix("c.yaml:") for each in problems]


def test_a_good_name_is_good_and_the_folder_is_the_edges(scripts: Path) -> None:
    assert load(written("scripts_dir: scripts\n")).edges.scripts_dir == scripts


def test_a_wrong_name_is_told_with_the_nearest(scripts: Path) -> None:
    assert told(script="orders.chekc") == [
        "55:14: flows.main.nodes.wait.script: expected a function (agi, call) of the folder scripts_dir, got "
        '"orders.chekc" (did you mean orders.check?)'
    ]
    assert told(script="mail.send") == [
        "55:14: flows.main.nodes.wait.script: expected a function (agi, call) of the folder scripts_dir, got "
        '"mail.send" (ccserver script list shows what there is)'
    ]


def test_a_function_that_takes_something_else(scripts: Path) -> None:
    assert told(script="orders.score") == [
        "55:14: flows.main.nodes.wait.script: expected a function (agi, call) of the folder scripts_dir, got "
        '"orders.score", which takes (call) (orders.py:5)'
    ]
    assert told(script="orders.three") == [
        "55:14: flows.main.nodes.wait.script: expected a function (agi, call) of the folder scripts_dir, got "
        '"orders.three" (it takes 3 arguments, and a function of flows takes (agi, call) or (call))'
    ]
    look_up = "scripts_dir: scripts\nlook_ups: {risk: {python: orders.check, gives: {x: number}}}\n"
    assert told(look_up) == [
        "63:19: look_ups.risk.python: expected a function (call) of the folder scripts_dir, got "
        '"orders.check", which takes (agi, call) (orders.py:4)'
    ]
    assert told(look_up.replace("orders.check", "orders.score")) == []


def test_a_file_that_cannot_be_read_is_told_with_its_line(scripts: Path) -> None:
    (scripts / "orders.py").write_text("def check(agi, call):\n    return (\n")
    assert told() == [
        "55:14: flows.main.nodes.wait.script: expected a function of a file that can be run, got "
        f"{scripts}/orders.py:2: '(' was never closed"
    ]


def test_a_folder_or_file_that_others_may_write(scripts: Path) -> None:
    (scripts / "orders.py").chmod(0o620)
    (problem,) = told()
    assert "its group may write it, and it runs with the rights of ccserver (chmod go-w" in problem
    scripts.chmod(0o777)
    (problem,) = told()
    assert problem.startswith("62:1: scripts_dir: expected a folder that only its owner can write, got")


def test_no_folder(scripts: Path) -> None:
    assert told("") == [
        "55:14: flows.main.nodes.wait.script: expected a function of the folder scripts_dir, got "
        '"orders.check" without such a folder (add scripts_dir: /etc/ccserver/scripts)'
    ]
    (problem,) = told("scripts_dir: elsewhere\n")
    assert "elsewhere: No such file or directory" in problem


def test_the_flow_of_the_page_is_good(scripts: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    example, tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (scripts / "orders.py").write_text(example)
    (scripts / "test_orders.py").write_text(tests)
    flow = yaml.replace("/etc/ccserver/scripts", "scripts").replace("enqueue: payments", "enqueue: second")
    center = CENTER[: CENTER.index("flows:")] + CENTER[CENTER.index("dids:") :]
    Path("c.yaml").write_text(center + "  order-thanks: {en: Thanks, es: Gracias}\n" + flow)
    problems, _ = check(Path("c.yaml"))
    assert [str(each) for each in problems] == []

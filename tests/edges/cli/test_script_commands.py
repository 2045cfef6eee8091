"""`ccserver script`: functions listed, and tried without a call."""

import json
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

from ccserver.cli import root

SHOWN = Path(__file__).parents[3] / "docs" / "examples" / "scripts"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir(mode=0o755)
    shutil.copyfile(SHOWN / "orders.py", folder / "orders.py")
    (folder / "greetings.py").write_text(
        dedent('''
        from ccserver.scripts import Result

        def hello(agi, call):
            """Greets, and asks how it goes.

            At length.
            """
            agi.stream_file("welcome")
            key = agi.get_option("how-is-it", "12", 3000)
            if key == "9":
                raise ValueError("no 4711 here")
            agi.set_variable("CC_NEXT", "bye") if key == "2" else None
            return Result({"1": "good", "": "silent"}[key], to=call.parameters["to"], language=call.language)

        def twice(call):
            return {"x": call.parameters["x"] * 2, "is": call.parameters["is"]} if call.parameters["x"] else None
        ''')
    )
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def run(*words: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(root, ["script", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_the_functions_are_listed_with_what_they_take(folder: Path) -> None:
    listed = run("list", "--dir", folder).stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [
        ["greetings.hello", "(agi,", "call)"],
        ["greetings.twice", "(call)"],
        ["orders.check", "(agi,", "call)"],
        ["orders.score", "(call)", "How"],
    ]
    assert "Greets, and asks how it goes." in listed[1]
    found = json.loads(run("list", "--dir", folder, "--json").stdout)["functions"]
    assert (found[0]["name"], found[0]["kind"], found[0]["line"]) == ("greetings.hello", "with_call", 4)


def test_the_folder_is_that_of_a_configuration_whatever_else_is_wrong_with_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("scripts_dir: scripts\n")
    (tmp_path / "c.yaml").write_text("extends: base.yaml\ncountry: nowhere\n")
    assert "orders.check" in run("list", "--config", tmp_path / "c.yaml").stdout
    (tmp_path / "none.yaml").write_text("country: ES\n")
    assert "has no scripts_dir" in run("list", "--config", tmp_path / "none.yaml", code=1).stderr


def test_a_file_with_a_fault_is_told_and_the_others_are_listed(folder: Path) -> None:
    (folder / "broken.py").write_text("def x(\n")
    result = run("list", "--dir", folder, code=1)
    assert "orders.check" in result.stdout and "broken.py:1: '(' was never closed" in result.stderr


def test_a_function_is_run_with_digits(folder: Path) -> None:
    words = ("run", "greetings.hello", "to=Ana", "--dir", folder, "--digits", "1", "--language", "es")
    assert run(*words).stdout.splitlines() == [
        "says   welcome",
        "says   how-is-it",
        "word   good",
        "values {'to': 'Ana', 'language': 'es'}",
    ]
    told = json.loads(run(*words, "--json").stdout)
    assert (told["ok"], told["word"], told["said"]) == (True, "good", ["welcome", "how-is-it"])
    assert told["commands"] == ["STREAM FILE welcome  0", "GET OPTION how-is-it 12 3000"]


def test_nothing_typed_is_silence(folder: Path) -> None:
    assert "word   silent" in run("run", "greetings.hello", "to=x", "--dir", folder).stdout


def test_what_a_script_cannot_do_is_refused_here_too(folder: Path) -> None:
    result = run("run", "greetings.hello", "to=x", "--dir", folder, "--digits", "2", code=1)
    assert "refused: SET VARIABLE: names that begin with CC_" in result.stderr
    assert 'greetings.py", line 13, in hello' in result.stderr and "AGIInvalidCommand" in result.stderr


def test_a_caller_who_hangs_up(folder: Path) -> None:
    result = run("run", "greetings.hello", "to=x", "--dir", folder, "--digits", "!", code=1)
    assert "AGISIGHUPHangup: The caller has hung up" in result.stderr


def test_a_pure_function(folder: Path) -> None:
    told = json.loads(run("run", "greetings.twice", "x:=2", "is:=true", "--dir", folder, "--json").stdout)
    assert told["values"] == {"x": 4.0, "is": True}
    assert run("run", "greetings.twice", "x:=0", "--dir", folder).stdout == "values none\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run", "orders.chekc"), 1, "did you mean orders.check?"),
        (("run", "os.system"), 1, "no such function"),
        (("run", "greetings.twice", "x=2", "is=1"), 0, ""),
        (("run", "greetings.twice", "x"), 2, "expected KEY=TEXT or KEY:=VALUE, got x"),
        (("run", "greetings.twice", "x:=two"), 2, "expected a number, true or false after x:=, got two"),
        (("run", "greetings.twice"), 1, "KeyError"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in run(*words, "--dir", folder, code=code).stderr


def test_a_folder_that_others_may_write_is_refused(folder: Path) -> None:
    folder.chmod(0o777)
    assert "chmod go-w" in run("list", "--dir", folder, code=1).stderr
    assert "chmod go-w" in run("run", "greetings.twice", "x:=1", "--dir", folder, code=1).stderr

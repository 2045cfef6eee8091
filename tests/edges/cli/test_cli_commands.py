"""The commands against the daemon's real request handlers on a real socket."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_desk import Desk, a_configuration
from click.testing import CliRunner

import ccserver.cli
from ccserver.agi.secrets import check_pin
from ccserver.cli import root
from ccserver.cli.root import MODULES
from ccserver.core.commands import Store
from ccserver.core.events import LegEnded
from ccserver.core.ids import CommandId, LegId
from ccserver.store.database import Store as History
from ccserver.store.writer import Writer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(a_configuration(tmp_path))
    with made.serve():
        yield made


def states(desk: Desk) -> dict[str, str]:
    return {agent["id"]: agent["state"] for agent in desk.json("agent", "list")}


def test_an_agent_logs_in_pauses_comes_back_and_leaves(desk: Desk) -> None:
    assert desk.json("agent", "login", "101", "1001")["ok"] is True
    assert states(desk)["101"] == "ready"
    assert desk.run("agent", "pause", "101", "lunch").exit_code == 0
    shown = desk.json("agent", "show", "101")
    assert (shown["state"], shown["reason"], shown["phone"]) == ("not_ready", "lunch", "PJSIP/1001")
    assert desk.run("agent", "unpause", "101").exit_code == 0
    assert desk.run("agent", "logout", "101").exit_code == 0
    assert set(states(desk).values()) == {"logged_out"}
    assert desk.faults == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("agent", "login", "999", "1001"), "no agent '999'"),
        (("agent", "login", "101", "77"), "no phone '77'"),
        (("agent", "pause", "101", "golf"), "no reason 'golf'; there are: lunch, short_break, training, missed"),
        (("agent", "show", "999"), "no agent '999'"),
        (("queue", "show", "golf"), "no queue 'golf'"),
        (("call", "hangup", "7"), "there is no live call 7"),
        (("call", "recording", "7", "pause"), "call 7 is no talk that goes on"),
        (("agent", "login", "101\x1b", "1001"), '"agent" must be a short printable text'),
        (("supervise", "listen", "999", "--phone", "1001"), "no agent '999'"),
        (("supervise", "listen", "101", "--phone", "77"), "no phone '77'"),
        (("supervise", "listen", "--queue", "golf", "--phone", "1001"), "no queue 'golf'"),
        (("supervise", "take-over", "101", "--phone", "1001"), "another agent must be logged in at that phone"),
        (("supervise", "mode", "7", "barge"), "there is no session 7"),
        (("supervise", "stop", "7"), "there is no session 7"),
        (("reload",), "metrics: needs a restart"),
    ],
)
def test_what_is_refused_says_why_and_ends_with_1(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    result = desk.run(*arguments)
    assert (result.exit_code, said in result.stderr, result.stdout) == (1, True, "")
    answer = json.loads(desk.run(*arguments, "--json").stdout)
    assert answer["ok"] is False and said in answer["text"]


def test_a_session_is_begun_listed_and_ended(desk: Desk) -> None:
    assert desk.run("supervise", "list").output == "nobody supervises\n"
    assert desk.json("supervise", "whisper", "101", "--phone", "1002")["text"] == "session 1: PJSIP/1002 is called"
    (listed,) = desk.json("supervise", "list")
    assert (listed["id"], listed["agent"], listed["phone"], listed["mode"]) == (1, "101", "PJSIP/1002", "whisper")
    assert "whisper" in desk.run("supervise", "list").output
    assert desk.json("supervise", "stop", "1")["text"] == "session 1 is being ended"
    assert desk.faults == []


@pytest.mark.parametrize("target", [(), ("101", "--queue", "sales")])
def test_a_session_is_of_an_agent_or_of_a_queue(desk: Desk, target: tuple[str, ...]) -> None:
    result = desk.run("supervise", "listen", *target, "--phone", "1001")
    assert result.exit_code == 2 and "give either AGENT or --queue" in result.stderr


def test_a_phone_has_one_agent(desk: Desk) -> None:
    desk.run("agent", "login", "101", "1001")
    result = desk.run("agent", "login", "102", "PJSIP/1001")
    assert result.exit_code == 1
    assert states(desk)["102"] == "logged_out"


def test_a_live_call_is_listed_shown_and_ended(desk: Desk) -> None:
    desk.call_arrives()
    desk.now_s += 5
    (listed,) = desk.json("call", "list")
    assert (listed["interaction"], listed["caller"], listed["state"]) == (1, "+34600111222", "menu")
    shown = desk.run("call", "show", "1").output
    assert "+34600111222" in shown and "\x1b" not in shown
    assert re.search(
        r"^flow +main\nnode +welcome\nnode_since +[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC$", shown, re.MULTILINE
    ), shown
    assert desk.json("call", "show", "1")["is_live"] is True
    assert desk.json("call", "hangup", "1")["text"] == "call 1 is being ended"


def test_a_call_that_is_over_is_found_in_history_by_the_same_number(desk: Desk) -> None:
    assert desk.run("db", "upgrade").exit_code == 0
    desk.call_arrives(number=None, name="")
    history = History(desk.configuration.edges.database.url)
    writer = Writer(history.engine)
    writer.start()
    commands = desk.center.handle(LegEnded(leg=LegId("pbx", "1.1"), cause=16), desk.now())
    for index, command in enumerate(commands):
        if isinstance(command, Store):
            writer.append("000001-x", CommandId(desk.center.seq, index), command.record)
    assert writer.flush(10)
    writer.close(1)
    history.close()
    story = desk.json("call", "show", "1")
    assert (story["is_live"], story["call"]["outcome"], story["call"]["caller_number"]) == (False, "left_in_menu", None)
    assert [(one["end"], one["steps"][-1]["node"]) for one in story["passages"]] == [("gave_up", "welcome")]
    shown = desk.run("call", "show", "1").output
    assert "withheld" in shown
    assert "flow, 0.0 s, gave_up: main/opening > main/welcome" in shown
    assert [call["number"] for call in desk.json("call", "list", "--past")] == [1]
    assert desk.json("call", "list", "--past", "--caller", "222") == []
    missing = desk.run("call", "show", "2")
    assert missing.exit_code == 1 and "neither live nor in history" in missing.stderr
    assert desk.json("db", "check") == {"ok": True, "found": []}


def test_status_and_top_show_the_center(desk: Desk) -> None:
    desk.run("agent", "login", "101", "1001")
    status = desk.run("status").output
    assert "1 of 6 logged in" in status and "REFUSED, nothing was changed" in status and "\x1b" not in status
    assert desk.json("status")["overview"]["is_linked"] is True
    assert "Ana Ruiz" in desk.run("top", "--once").output
    assert desk.json("top", "--once")["agents"][0]["state"] == "ready"
    assert [queue["id"] for queue in desk.json("queue", "list")] == ["billing", "sales", "support"]
    assert desk.json("queue", "show", "sales")["waiting"] == []


def test_a_broken_configuration_locks_nobody_out_of_the_running_daemon(desk: Desk) -> None:
    desk.file.write_text(desk.file.read_text() + "\nbogus: 1\n")
    assert desk.run("agent", "list").exit_code == 0


def test_without_a_daemon_the_commands_say_so(tmp_path: Path) -> None:
    file = a_configuration(tmp_path)
    for arguments in (("status",), ("agent", "list"), ("queue", "list"), ("call", "list"), ("top", "--once"), ("reload",)):
        result = CliRunner().invoke(root, [*arguments, "--config", str(file)])
        assert result.exit_code == 3, arguments
        assert "the daemon is not running" in result.stderr and "systemctl start ccserver" in result.stderr


def test_a_configuration_is_checked_and_compared_without_a_daemon(tmp_path: Path) -> None:
    file = a_configuration(tmp_path)
    good = CliRunner().invoke(root, ["config", "check", str(file)])
    assert good.exit_code == 0, good.output
    other = tmp_path / "other.yaml"
    other.write_text(f"extends: {file}\nmetrics: {{port: 9999}}\n")
    change = json.loads(CliRunner().invoke(root, ["config", "diff", str(other), "--config", str(file), "--json"]).stdout)
    assert len(change["refused"]) == 1 and "9999" in change["refused"][0]
    other.write_text(f"extends: {file}\nmetrics: {{prot: 9999}}\nqueues: 7\n")
    result = CliRunner().invoke(root, ["config", "check", str(other), "--json"])
    answer = json.loads(result.stdout)
    assert result.exit_code == 1 and answer["ok"] is False
    assert {problem["line"] for problem in answer["problems"]} >= {2, 3}


def test_a_daemon_on_a_broken_file_does_not_start(tmp_path: Path) -> None:
    file = a_configuration(tmp_path)
    file.write_text(file.read_text() + "\nbogus: 1\n")
    result = CliRunner().invoke(root, ["run", "--config", str(file)])
    assert result.exit_code == 78
    assert "bogus" in result.stderr


def test_the_examples_are_listed_and_printed_as_they_are() -> None:
    names = json.loads(CliRunner().invoke(root, ["config", "example", "--json"]).stdout)["examples"]
    assert names == [
        "example",
        "returned_calls",
        "sales-customers.csv",
        "sales",
        "selfservice",
        "small_office",
        "support",
        "appointments.py",
    ]
    assert CliRunner().invoke(root, ["config", "example"]).stdout.split() == names
    for name in names:
        result = CliRunner().invoke(root, ["config", "example", name])
        assert result.exit_code == 0
        assert json.loads(CliRunner().invoke(root, ["config", "example", name, "--json"]).stdout)["text"] == result.stdout
    assert "strategy: ring_all" in CliRunner().invoke(root, ["config", "example", "small_office"]).stdout
    missing = CliRunner().invoke(root, ["config", "example", "../example"])
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "there are: example, " in missing.stderr


def test_a_pin_is_hashed_for_the_configuration() -> None:
    result = CliRunner().invoke(root, ["agent", "hash-pin"], input="4711\n4711\n")
    assert result.exit_code == 0
    assert check_pin("4711", result.stdout.strip().splitlines()[-1])
    assert CliRunner().invoke(root, ["agent", "hash-pin", "--pin", "abc"]).exit_code == 1


def test_the_files_for_asterisk_are_rendered(tmp_path: Path) -> None:
    file = a_configuration(tmp_path)
    out = tmp_path / "out"
    result = CliRunner().invoke(root, ["asterisk", "render", "--config", str(file), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert "ami-secret-1" in (out / "ccserver-manager.conf").read_text()
    assert (out / "ccserver-manager.conf").stat().st_mode & 0o077 == 0


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_a_command_is_found_in_the_modules_that_make_it() -> None:
    """Each is imported when it is named: a module that nobody names would be missing from the command line."""
    made = {name: set[str]() for name in MODULES}
    for module in pkgutil.iter_modules(ccserver.cli.__path__):
        importlib.import_module(f"ccserver.cli.{module.name}")
    for path, command in commands(root):
        assert command.callback is not None
        made[path[0]].add(inspect.unwrap(command.callback).__module__.rpartition(".")[2])
    assert set(root.commands) == set(MODULES)
    named = {name: set(modules) for name, modules in MODULES.items()}
    assert {name: modules - {"keys"} for name, modules in made.items()} == named


def test_every_command_has_help_and_can_answer_in_json() -> None:
    found = dict(commands(root))
    assert len(found) >= 20
    for path, command in found.items():
        assert command.help, path
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options or path == ("run",), path

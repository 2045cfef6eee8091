"""Each of the ten faults is produced, and named with its mend; nothing else is called a fault then."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from cli_desk import a_configuration
from click.testing import CliRunner
from manager_double import Manager

from ccserver.cli import doctor as checks
from ccserver.cli import root
from ccserver.cli.doctor import Finding, Surroundings, Verdict, examine
from ccserver.config import load
from ccserver.config.edges import EdgeSettings
from ccserver.speech.trial import Trouble


def a_free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


SOUND = Surroundings(
    edges=cast(EdgeSettings, None),
    is_running=False,
    schema_trouble=lambda: None,
    speech_trouble=lambda: None,
    clock_is_synchronised=lambda: True,
)


@pytest.fixture
def examined(tmp_path: Path, stack: ExitStack) -> Callable[..., dict[str, Finding]]:
    """Examines an installation that is sound but for what is given."""

    def examine_with(manager: Manager | None = None, **changed: object) -> dict[str, Finding]:
        manager = manager or Manager()
        port = stack.enter_context(manager.listening())
        edges = load(a_configuration(tmp_path, ami=port, agi=a_free_port(), metrics=a_free_port())).edges
        around = replace(SOUND, edges=edges)
        around = replace(around, **changed)  # type: ignore[arg-type]
        return {finding.check: finding for finding in examine(around)}

    return examine_with


def only_fault(findings: dict[str, Finding], check: str) -> Finding:
    verdicts = {name: finding.verdict for name, finding in findings.items()}
    assert verdicts == {name: Verdict.FAULT if name == check else Verdict.GOOD for name in findings}
    assert findings[check].mend
    return findings[check]


def test_a_sound_installation_passes_all_ten(examined: Callable[..., dict[str, Finding]]) -> None:
    findings = examined()
    assert len(findings) == 10
    assert {finding.verdict for finding in findings.values()} == {Verdict.GOOD}


def test_no_asterisk(tmp_path: Path) -> None:
    edges = load(a_configuration(tmp_path, ami=a_free_port(), agi=a_free_port(), metrics=a_free_port())).edges
    around = replace(SOUND, edges=edges)
    findings = {finding.check: finding for finding in examine(around)}
    assert findings["AMI reachable"].verdict is Verdict.FAULT
    assert "Connection refused" in findings["AMI reachable"].seen and "manager.conf" in findings["AMI reachable"].mend
    unknown = {name for name, finding in findings.items() if finding.verdict is Verdict.UNKNOWN}
    assert unknown == {"AMI rights", "modules loaded", "dialplan installed"}  # one fault is not told four times


@pytest.mark.parametrize("greeting", ["SSH-2.0-OpenSSH_9.2", "\x1b[2Jhello"])
def test_something_else_listens_there(examined: Callable[..., dict[str, Finding]], greeting: str) -> None:
    finding = examined(Manager(greeting=greeting))["AMI reachable"]
    assert finding.verdict is Verdict.FAULT and "not Asterisk's manager" in finding.seen and "\x1b" not in finding.seen


def test_a_manager_that_never_answers_is_not_waited_for(
    examined: Callable[..., dict[str, Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "AmiProbe", lambda host, port: real(host, port, timeout_s=0.2))
    findings = examined(Manager(is_silent=True))
    assert findings["AMI rights"].verdict is Verdict.FAULT and "no answer in time" in findings["AMI rights"].seen


real = checks.AmiProbe


def test_a_wrong_secret(examined: Callable[..., dict[str, Finding]]) -> None:
    findings = examined(Manager(secret="another-secret"))
    assert findings["AMI rights"].verdict is Verdict.FAULT
    assert "may not log in" in findings["AMI rights"].seen and "ami_secret_file" in findings["AMI rights"].mend


def test_an_account_that_may_not_originate(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(Manager(forbidden=("Originate",))), "AMI rights")
    assert "Originate" in finding.seen and "write = call,originate,reporting,system" in finding.mend


@pytest.mark.parametrize("deaf_to", ["system", "call"])
def test_an_account_that_hears_nothing(examined: Callable[..., dict[str, Finding]], deaf_to: str) -> None:
    hears = tuple(name for name in ("system", "call") if name != deaf_to)
    finding = only_fault(examined(Manager(hears=hears)), "AMI rights")
    assert deaf_to in finding.seen and "read = call,user,dtmf,system" in finding.mend


def test_a_missing_module(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(Manager(missing_modules=("res_agi",))), "modules loaded")
    assert "res_agi" in finding.seen and "module load res_agi.so" in finding.mend


def test_a_missing_dialplan(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(Manager(missing_contexts=("cc-agent",))), "dialplan installed")
    assert "cc-agent" in finding.seen and "ccserver asterisk render" in finding.mend


def test_what_callers_would_not_hear(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(speech_trouble=lambda: Trouble(seen="no voice for pt", mend="name one")), "speech")
    assert (finding.seen, finding.mend) == ("no voice for pt", "name one")


def test_an_old_schema(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(schema_trouble=lambda: "schema 0001, needed 0002"), "database schema")
    assert "0001" in finding.seen and "ccserver db upgrade" in finding.mend


def test_a_missing_folder(examined: Callable[..., dict[str, Finding]], tmp_path: Path) -> None:
    finding = only_fault(_without_recordings(examined, tmp_path), "disk")
    assert "recordings does not exist" in finding.seen and "install -d" in finding.mend


def _without_recordings(examined: Callable[..., dict[str, Finding]], tmp_path: Path) -> dict[str, Finding]:
    class Vanishing:
        """Removes the folder when the checks begin."""

        def __call__(self) -> str | None:
            (tmp_path / "recordings").rmdir()
            return None

    return examined(schema_trouble=Vanishing())


def test_a_full_disk(examined: Callable[..., dict[str, Finding]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "FREE_BYTES_MIN", 2**62)
    assert "MB left" in only_fault(examined(), "disk").seen


def test_keys_are_told_and_one_that_is_missing_is_named(examined: Callable[..., dict[str, Finding]]) -> None:
    seen = examined()["keys"].seen
    assert "recordings: not sealed (recording.key_file is not set), persons: not sealed" in seen
    finding = only_fault(
        examined(key_trouble=lambda: "persons are sealed under master key 0123456789abcdef, which is not here"), "keys"
    )
    assert "0123456789abcdef" in finding.seen and "old_key_files" in finding.mend


def test_asterisks_clock_is_another(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(Manager(clock_ahead_s=90.0)), "clock")
    assert "+90" in finding.seen or "+89" in finding.seen
    assert "chrony" in finding.mend


def test_a_clock_that_nobody_sets(examined: Callable[..., dict[str, Finding]]) -> None:
    assert "not synchronised" in only_fault(examined(clock_is_synchronised=lambda: False), "clock").seen


def test_a_port_that_is_taken(examined: Callable[..., dict[str, Finding]], stack: ExitStack, tmp_path: Path) -> None:
    port = a_free_port()
    stack.enter_context(closing(socket.create_server(("127.0.0.1", port))))
    ami = stack.enter_context(Manager().listening())
    edges = load(a_configuration(tmp_path, ami=ami, agi=port, metrics=a_free_port())).edges
    finding = only_fault(examined(edges=edges), "ports")
    assert f"127.0.0.1:{port} for FastAGI" in finding.seen and "ss -ltnp" in finding.mend


def test_a_daemon_that_does_not_listen(examined: Callable[..., dict[str, Finding]]) -> None:
    finding = only_fault(examined(is_running=True), "ports")
    assert "nobody listens" in finding.seen and "journalctl" in finding.mend


def test_the_command_tells_all_ten_and_the_mends(tmp_path: Path) -> None:
    file = a_configuration(tmp_path, ami=a_free_port(), agi=a_free_port(), metrics=a_free_port())
    result = CliRunner().invoke(root, ["doctor", "--config", str(file)])
    assert result.exit_code == 1
    assert sum(line.startswith(("good", "fault", "unknown")) for line in result.stdout.splitlines()) == 10
    assert "run `ccserver db upgrade`" in result.stdout
    assert "run `ccserver prompts render`" in result.stdout

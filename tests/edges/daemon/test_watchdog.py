"""The supervising parent with real processes: a child that dies, one that freezes, one that ends as it should."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# a child that notifies every 50 ms; each life appends its process id to a file, and does as its number says
CHILD = """
import os, signal, socket, sys, time
lives = open(sys.argv[1], "a"); lives.write(f"{os.getpid()}\\n"); lives.close()
life = len(open(sys.argv[1]).readlines())
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGHUP, lambda *_: open(sys.argv[1] + ".reloaded", "w").close())
channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    channel.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
    if life == 1 and sys.argv[2] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if life == 1 and sys.argv[2] == "freezes":
        os.kill(os.getpid(), signal.SIGSTOP)
    if sys.argv[2].isdigit():
        sys.exit(int(sys.argv[2]))
    time.sleep(0.05)
"""
PARENT = "import sys; from ccserver.daemon.watchdog import Supervisor; sys.exit(Supervisor(sys.argv[1:], 1.0).run())"


def start(tmp_path: Path, kind: str) -> subprocess.Popen[bytes]:
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", PARENT, sys.executable, str(child), str(tmp_path / "lives"), kind]
    # the grace for a first sign of life is long; these children give one at once
    return subprocess.Popen(command, env=environment)


def lives(tmp_path: Path, wanted: int, deadline_s: float = 15.0) -> list[int]:
    """The process ids of the children, once there were `wanted`."""
    end_s = time.monotonic() + deadline_s
    seen: list[str] = []
    while time.monotonic() < end_s:
        file = tmp_path / "lives"
        seen = file.read_text().split() if file.exists() else []
        if len(seen) >= wanted:
            return [int(number) for number in seen]
        time.sleep(0.02)
    raise AssertionError(f"expected {wanted} lives, saw {seen}")


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("kind", ["dies", "freezes"])
def test_a_dead_or_frozen_daemon_is_started_again(tmp_path: Path, kind: str) -> None:
    parent = start(tmp_path, kind)
    try:
        first, second = lives(tmp_path, 2)
        assert not is_alive(first)
        assert is_alive(second)
    finally:
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0
    assert not is_alive(second)


@pytest.mark.parametrize("code", [0, 2, 78])
def test_an_end_that_no_restart_mends_is_passed_on(tmp_path: Path, code: int) -> None:
    parent = start(tmp_path, str(code))
    assert parent.wait(10) == code
    assert len(lives(tmp_path, 1)) == 1


def test_a_reload_is_passed_on_and_ends_nothing(tmp_path: Path) -> None:
    parent = start(tmp_path, "lives")
    try:
        (child,) = lives(tmp_path, 1)
        parent.send_signal(signal.SIGHUP)
        end_s = time.monotonic() + 10
        while not (tmp_path / "lives.reloaded").exists():
            assert time.monotonic() < end_s, "the child was not told"
            time.sleep(0.02)
        assert is_alive(child)
    finally:
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0


def test_the_daemon_ends_with_a_killed_parent(tmp_path: Path) -> None:
    parent = start(tmp_path, "lives")
    (child,) = lives(tmp_path, 1)
    parent.kill()
    parent.wait(10)
    end_s = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < end_s, "the child stayed behind"
        time.sleep(0.02)

"""The smaller parts of the daemon: clock, log, notification, lock, rhythm of observations and snapshots."""

import io
import json
import logging
import socket
from pathlib import Path

import pytest
import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ccserver.core.moment import Moment
from ccserver.daemon import logs
from ccserver.daemon.clock import CenterClock
from ccserver.daemon.lock import StateDirectory, StateDirectoryInUse
from ccserver.daemon.notify import ServiceManager
from ccserver.daemon.observer import REGULARLY_S, SOON_S, Observer


# --- clock ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("away_s", "goes_on_s"), [(30.0, 30.0), (0.0, 0.0), (-3600.0, 0.0)])
def test_the_centers_clock_goes_on_by_the_wall_time_that_passed(away_s: float, goes_on_s: float) -> None:
    """Also when the machine was started again (another monotonic clock), and never backwards."""
    clock = CenterClock(monotonic=lambda: 5.0, utc=lambda: 1_000_000.0 + away_s)
    after = clock.after(Moment(777.0, 1_000_000.0))
    assert after.now() == Moment(777.0 + goes_on_s, 1_000_000.0 + away_s)


# --- the service manager ----------------------------------------------------------------------------------------------
def test_the_service_manager_is_told_over_its_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        manager = ServiceManager.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}, 1)
        assert manager.watchdog_s == 3.0
        assert manager.tell(READY="1", STATUS="a\nb")
        assert channel.recv(100) == b"READY=1\nSTATUS=a b"


def test_without_a_service_manager_nothing_is_told(tmp_path: Path) -> None:
    assert not ServiceManager.from_environment({}, 1).tell(READY="1")
    assert not ServiceManager(address=str(tmp_path / "gone"), watchdog_s=None).tell(READY="1")


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "7"}, 1.0),
        ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_only_our_own_watchdog_is_served(environment: dict[str, str], watchdog_s: float | None) -> None:
    assert ServiceManager.from_environment(environment, 7).watchdog_s == watchdog_s


# --- one daemon per directory -----------------------------------------------------------------------------------------
def test_a_state_directory_has_one_daemon(tmp_path: Path) -> None:
    first = StateDirectory(tmp_path / "state")
    with pytest.raises(StateDirectoryInUse, match="another ccserver"):
        StateDirectory(tmp_path / "state")
    first.release()
    StateDirectory(tmp_path / "state").release()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


# --- observations -----------------------------------------------------------------------------------------------------
class Watched:
    """An observer and how often it read the PBX; `works` is what readings answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.readings = 0
        self.works = True
        self.pending: Deferred[bool] | None = None
        self.observer = Observer(self._observe, self.clock)

    def _observe(self) -> Deferred[bool]:
        self.readings += 1
        return self.pending or succeed(self.works)


def test_the_pbx_is_read_at_once_then_soon_then_regularly() -> None:
    watched = Watched()
    watched.observer.link_up()
    assert watched.readings == 1
    watched.clock.advance(SOON_S)
    assert watched.readings == 2
    watched.clock.advance(SOON_S)
    assert watched.readings == 2
    watched.clock.advance(REGULARLY_S)
    assert watched.readings == 3


def test_a_reading_that_failed_is_repeated_soon() -> None:
    watched = Watched()
    watched.works = False
    watched.observer.link_up()
    for _ in range(3):
        watched.clock.advance(SOON_S)
    assert watched.readings == 4


def test_a_lost_link_ends_the_rhythm_and_a_late_answer_does_not_begin_it_again() -> None:
    watched = Watched()
    watched.pending = Deferred()
    watched.observer.link_up()
    watched.observer.link_lost()
    watched.pending.callback(False)
    watched.clock.advance(100)
    assert watched.readings == 1
    assert not watched.clock.getDelayedCalls()


# --- log --------------------------------------------------------------------------------------------------------------
@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def logging_as_before() -> object:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(("level", "shown"), [("info", "*********222"), ("debug", "+34600111222")])
def test_callers_numbers_are_masked_unless_someone_debugs(stream: io.StringIO, level: str, shown: str) -> None:
    logs.configure(level, stream)
    structlog.stdlib.get_logger("test").info("call.arrived", caller="+34600111222", interaction=4)
    line = json.loads(stream.getvalue())
    assert (line["caller"], line["interaction"], line["level"]) == (shown, 4, "info")


def test_what_a_caller_sends_cannot_write_a_line_of_its_own(stream: io.StringIO) -> None:
    logs.configure("info", stream)
    structlog.stdlib.get_logger("test").info("call.arrived", caller_name='Eve\n{"event": "forged"}\x1b[2J' + "x" * 5000)
    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert "\x1b" not in line["caller_name"] and len(line["caller_name"]) < 2100


def test_libraries_speak_in_the_same_stream(stream: io.StringIO) -> None:
    logs.configure("info", stream)
    logging.getLogger("panoramisk").warning("odd")
    logging.getLogger("panoramisk").info("Action: Login with a secret")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["odd"]

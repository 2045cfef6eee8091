"""The trace of a run: what is in it, who may read it, and a disk that refuses."""

import stat
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from ccserver.core.commands import HangUpLeg
from ccserver.core.events import LegRinging, LinkLost
from ccserver.core.ids import LegId
from ccserver.core.moment import Moment
from ccserver.core.traced import TracedStep, read_step
from ccserver.daemon.clock import CenterClock
from ccserver.daemon.driver import Driver
from ccserver.daemon.trace import Trace

LEG = LegId("pbx", "1.1")
NOW = Moment(mono_s=81.5, utc_s=1767225600.25)


def steps(trace: Trace) -> list[TracedStep]:
    return [read_step(line) for line in trace.path.read_bytes().splitlines()]


def test_a_step_is_on_disk_with_its_commands_at_once(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "new", "000001-abcd")
    trace.step(7, NOW, LegRinging(leg=LEG), [HangUpLeg(leg=LEG)])
    trace.step(8, NOW, LinkLost(pbx="pbx"), [], "StepFailed: a rule was broken")
    assert steps(trace) == [
        TracedStep(seq=7, mono_s=81.5, utc_s=1767225600.25, event=LegRinging(leg=LEG), commands=(HangUpLeg(leg=LEG),)),
        TracedStep(
            seq=8,
            mono_s=81.5,
            utc_s=1767225600.25,
            event=LinkLost(pbx="pbx"),
            commands=(),
            fault="StepFailed: a rule was broken",
        ),
    ]
    trace.close()
    assert trace.path.name == "trace-000001-abcd.jsonl"
    assert stat.S_IMODE(trace.path.stat().st_mode) == 0o600


def test_a_disk_that_refuses_ends_the_trace_and_not_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(tmp_path, "000001-abcd")
    written: list[bytes] = []

    def refuse(_fd: int, data: bytes) -> int:
        written.append(data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ccserver.daemon.trace.os.write", refuse)
    trace.step(1, NOW, LegRinging(leg=LEG), [])
    trace.step(2, NOW, LegRinging(leg=LEG), [])
    assert len(written) == 1


class Desk:
    """A core that answers every event with a hang-up, or raises; its own journal, tracer and step watch."""

    def __init__(self) -> None:
        self.seq = 0
        self.is_broken = False
        self.order: list[object] = []

    def next_deadline(self) -> None:
        return None

    def on_deadline(self, now: Moment) -> list[HangUpLeg]:
        raise AssertionError("nothing is due")

    def handle(self, event: object, now: Moment) -> list[HangUpLeg]:
        self.seq += 1
        if self.is_broken:
            raise ValueError("a rule was broken")
        return [HangUpLeg(leg=LEG)]

    def append(self, seq: int, moment: Moment, event: object) -> None:
        self.order.append(("journal", seq))

    def step(self, seq: int, moment: Moment, event: object, commands: list[HangUpLeg], fault: str = "") -> None:
        self.order.append(("trace", seq, len(commands), fault))

    def step_done(self, event: object, commands: object, duration_s: float) -> None: ...

    def step_faulted(self, event: object) -> None: ...

    def journal_failed(self) -> None: ...


def test_the_driver_traces_between_journal_and_command_and_traces_faults() -> None:
    desk, clock = Desk(), Clock()
    driver = Driver(
        center=desk,
        journal=desk,
        perform=lambda number, command: desk.order.append(("perform", number.seq)),
        fault_of=lambda error, event: None,
        clock=CenterClock(monotonic=clock.seconds, utc=clock.seconds),
        reactor=clock,
        watch=desk,
        trace=desk,
    )
    driver.post(LegRinging(leg=LEG))
    driver.settle()
    assert desk.order == [("journal", 1), ("trace", 1, 1, ""), ("perform", 1)]

    desk.order.clear()
    desk.is_broken = True
    driver.post(LegRinging(leg=LEG))
    driver.settle()
    reason = "ValueError: a rule was broken"
    assert desk.order[:2] == [("journal", 2), ("trace", 2, 0, reason)]
    assert ("perform", 2) not in desk.order

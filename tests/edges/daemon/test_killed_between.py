"""kill -9 at every single point between the journal and the last command of a step, with a real journal and a real database.

For each point a process of its own plays the same story and kills itself there. What the next one finds is always the state
after the last input, and history gets every record once, whether the dead one had committed it or not.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from twisted.internet.task import Clock

from ccserver.core.center import CallCenter
from ccserver.core.commands import Command, Store
from ccserver.core.events import (
    CallArrived,
    CenterStarted,
    Event,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegRinging,
    LegStarted,
    LinkUp,
    LoginRequested,
    PbxObserved,
    SettingsLoaded,
)
from ccserver.core.ids import AgentId, CommandId, FlowId, InteractionId, LegId, NodeId, PhoneId, RequestId, SessionId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState, Record
from ccserver.core.settings import EnqueueNode, Flow, Settings
from ccserver.core.state import CenterState
from ccserver.daemon.clock import CenterClock
from ccserver.daemon.driver import Driver
from ccserver.daemon.journal import Journal
from ccserver.daemon.restore import revive
from ccserver.sim.sample import DID, SALES, sample_center
from ccserver.store.database import Store as Database
from ccserver.store.schema import HISTORY
from ccserver.store.writer import Writer

CALLER, AGENT_LEG = LegId("pbx", "1.1"), LegId("pbx", "ccpbx-000001-00000001")
PHONE = PhoneId("PJSIP/2000")
STEP_S = 1.0
JOURNAL = -1


class Point(NamedTuple):
    """Behind the journal of input `seq` (`place` JOURNAL) or before the command at `place`; `is_committed`: with all earlier
    records in the database."""

    seq: int
    place: int
    is_committed: bool


def settings() -> Settings:
    straight = Flow(start=NodeId("q"), nodes={NodeId("q"): EnqueueNode(queue=SALES)})
    return replace(sample_center(1).settings, flows={FlowId("main"): straight})


def story() -> list[Event]:
    """An agent logs in, a call is answered, both talk, the customer hangs up."""
    agent = next(iter(settings().agents))
    return [
        CenterStarted(incarnation=1, first_interaction=InteractionId(1)),
        SettingsLoaded(settings=settings()),
        LinkUp(pbx="pbx", uptime_s=5.0),
        PbxObserved(pbx="pbx", asked_at_s=2.5, channels=(), phones={PHONE: PhoneState.IDLE}),
        LoginRequested(request=RequestId(1), agent=AgentId(agent), phone=PHONE),
        CallArrived(
            session=SessionId("1-1"),
            leg=CALLER,
            channel="PJSIP/carrier-1",
            did=DID,
            caller_number=None,
            number_as_given="",
            caller_name="",
        ),
        LegStarted(leg=AGENT_LEG, channel="PJSIP/2000-1"),
        LegRinging(leg=AGENT_LEG),
        LegAnswered(leg=AGENT_LEG),
        LegEnteredBridge(leg=CALLER, bridge="b"),
        LegEnteredBridge(leg=AGENT_LEG, bridge="b"),
        LegEnded(leg=CALLER, cause=16),
        LegEnded(leg=AGENT_LEG, cause=16),
    ]


class Life:
    """One run of the daemon's middle in `folder`: driver, core, journal, writer; the clock is the test's."""

    def __init__(self, folder: Path, point: Point) -> None:
        self.point = point
        self.journal = Journal(folder / "journal", fingerprint="test")
        self.writer = Writer(Database(f"sqlite:///{folder}/history.db").engine)
        self.writer.start()
        self.center = CallCenter(settings())
        self.journal.begin(0)
        self.reactor = Clock()
        self.driver = Driver(
            center=self.center,
            journal=self,
            perform=self.perform,
            fault_of=lambda error, event: None,
            clock=CenterClock(monotonic=self.reactor.seconds, utc=lambda: 1_800_000_000.0 + self.reactor.seconds()),
            reactor=self.reactor,
            watch=self,
        )

    def play(self) -> None:
        for event in story():
            self.reactor.advance(STEP_S)
            self.driver.post(event)
            self.driver.settle()

    def append(self, seq: int, moment: Moment, event: Event) -> None:
        if self.point == (seq, JOURNAL, True):
            self.writer.flush(5.0)
        self.journal.append(seq, moment, event)
        self._die_at(seq, JOURNAL)

    def perform(self, command_id: CommandId, command: Command) -> None:
        if self.point == (*command_id, True):
            self.writer.flush(5.0)
        self._die_at(*command_id)
        if isinstance(command, Store):
            self.writer.append(self.journal.run, command_id, command.record)

    def _die_at(self, seq: int, place: int) -> None:
        if self.point[:2] == (seq, place):
            os.kill(os.getpid(), signal.SIGKILL)

    def step_done(self, event: Event, commands: list[Command], duration_s: float) -> None: ...

    def step_faulted(self, event: Event) -> None:
        os._exit(3)  # the story is a healthy one

    def journal_failed(self) -> None:
        os._exit(4)


def expected() -> Iterator[tuple[int, list[Command], CenterState]]:
    """What a run that nobody killed does: for each input its commands, and the state behind it."""
    center = CallCenter(settings())
    for number, event in enumerate(story(), start=1):
        now_s = number * STEP_S
        while (due_s := center.next_deadline()) is not None and due_s <= now_s:
            raise AssertionError(f"a deadline at {due_s} would be an input of its own")
        commands = center.handle(event, Moment(now_s, 1_800_000_000.0 + now_s))
        yield center.seq, commands, center.snapshot()


def points() -> list[Point]:
    places = [(seq, place) for seq, commands, _ in expected() for place in range(JOURNAL, len(commands))]
    return [Point(*place, is_committed) for place in places for is_committed in (False, True)]


def die_at_each(folder: Path) -> None:
    """In the process that the test starts: a fork for each point, so that everything is imported once."""
    for number, point in enumerate(points()):
        child = os.fork()
        if child == 0:
            Life(folder / str(number), point).play()
            os._exit(5)  # it should be dead by now
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise SystemExit(f"{point} ended with {os.waitstatus_to_exitcode(status)}")


def test_a_death_at_any_point_between_journal_and_command_loses_and_doubles_nothing(tmp_path: Path) -> None:
    everywhere = points()
    template = tmp_path / "empty.db"
    database = Database(f"sqlite:///{template}")
    database.upgrade()
    database.close()
    for number in range(len(everywhere)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "history.db").write_bytes(template.read_bytes())
    code = "import sys; from pathlib import Path; import test_killed_between as t; t.die_at_each(Path(sys.argv[1]))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120, env={**os.environ, "PYTHONPATH": path})

    whole = {seq: (commands, state) for seq, commands, state in expected()}
    assert sum(isinstance(c, Store) for commands, _ in whole.values() for c in commands) >= 8
    for number, point in enumerate(everywhere):
        found = _next_life(tmp_path / str(number))
        assert found.state == whole[point.seq][1], point
        assert found.keys == {
            (seq, place)
            for seq, (commands, _) in whole.items()
            for place, command in enumerate(commands)
            if seq <= point.seq and isinstance(command, Store)
        }, point
        assert found.is_sound, point


class Found(NamedTuple):
    state: CenterState
    keys: set[tuple[int, int]]
    is_sound: bool


def _next_life(folder: Path) -> Found:
    """What the next daemon finds, and what is in history when it has told everything again."""
    database = Database(f"sqlite:///{folder}/history.db")
    writer = Writer(database.engine)
    writer.start()
    before = _keys(database)

    def keep(run: str, command_id: CommandId, record: Record) -> None:
        writer.append(run, command_id, record)

    restored = Journal(folder / "journal", fingerprint="test").restore()
    revived = revive(restored, settings(), keep)
    assert writer.flush(10.0) and not restored.warnings
    writer.close(5.0)
    keys = _keys(database)
    assert before <= keys
    is_sound = not database.check()
    database.close()
    return Found(revived.center.snapshot(), keys, is_sound)


def _keys(database: Database) -> set[tuple[int, int]]:
    with database.reading() as connection:
        rows = [
            (row.seq, row.command_index)
            for table in HISTORY
            for row in connection.execute(select(table.c.seq, table.c.command_index))
        ]
    assert len(rows) == len(set(rows)), "each record once"
    return set(rows)

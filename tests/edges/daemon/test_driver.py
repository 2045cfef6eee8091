"""The driver with a core, a journal and a clock that a test controls."""

from dataclasses import dataclass, field

from twisted.internet.task import Clock

from ccserver.core.commands import Command, HangUpLeg
from ccserver.core.events import DeadlineReached, Event, InteractionFaulted, LegRinging, LinkLost
from ccserver.core.ids import CommandId, InteractionId, LegId
from ccserver.core.moment import Moment
from ccserver.daemon.clock import CenterClock
from ccserver.daemon.driver import STEPS_PER_TURN, Driver

LEG = LegId("pbx", "1.1")


@dataclass
class ScriptedCenter:
    """A core that answers each event as told, and raises on those in `raises_on`."""

    commands: list[Command] = field(default_factory=list)
    raises_on: tuple[type, ...] = ()
    due_s: float | None = None
    seq: int = 0
    seen: list[tuple[Event, float]] = field(default_factory=list)

    def handle(self, event: Event, now: Moment) -> list[Command]:
        self.seq += 1
        if isinstance(event, self.raises_on):
            raise ValueError("a rule was broken")
        self.seen.append((event, now.mono_s))
        return list(self.commands)

    def on_deadline(self, now: Moment) -> list[Command]:
        self.due_s = None
        return self.handle(DeadlineReached(), now)

    def next_deadline(self) -> float | None:
        return self.due_s


class Bench:
    """A driver, and the order in which it journals and performs. It is its own journal and step watch."""

    def __init__(self, center: ScriptedCenter) -> None:
        self.center = center
        self.reactor = Clock()
        self.told: list[object] = []
        self.faulted: list[Event] = []
        self.lost_lines = 0
        self.disk_error: OSError | None = None
        self.driver = Driver(
            center=center,
            journal=self,
            perform=lambda number, command: self.told.append((number, command)),
            fault_of=lambda error, event: InteractionId(4),
            clock=CenterClock(offset_s=1000.0, monotonic=self.reactor.seconds, utc=self.reactor.seconds),
            reactor=self.reactor,
            watch=self,
        )

    def append(self, seq: int, moment: Moment, event: Event) -> None:
        if self.disk_error is not None:
            raise self.disk_error
        self.told.append((seq, event))

    def step_done(self, event: Event, commands: list[Command], duration_s: float) -> None: ...

    def step_faulted(self, event: Event) -> None:
        self.faulted.append(event)

    def journal_failed(self) -> None:
        self.lost_lines += 1

    def run(self) -> None:
        self.reactor.advance(0)


def test_an_input_is_journalled_before_its_commands_are_performed() -> None:
    bench = Bench(ScriptedCenter(commands=[HangUpLeg(leg=LEG), HangUpLeg(leg=LEG)]))
    bench.driver.post(LegRinging(leg=LEG))
    assert bench.told == []  # never inside the edge's own work
    bench.run()
    assert bench.told == [
        (1, LegRinging(leg=LEG)),
        (CommandId(1, 0), HangUpLeg(leg=LEG)),
        (CommandId(1, 1), HangUpLeg(leg=LEG)),
    ]


def test_events_are_handled_in_the_order_of_their_arrival() -> None:
    bench = Bench(ScriptedCenter())
    legs = [LegRinging(leg=LegId("pbx", str(number))) for number in range(5)]
    for event in legs:
        bench.driver.post(event)
    bench.run()
    assert [event for event, _ in bench.center.seen] == legs


def test_a_flood_leaves_the_reactor_its_turns() -> None:
    bench = Bench(ScriptedCenter())
    for _ in range(STEPS_PER_TURN + 10):
        bench.driver.post(LegRinging(leg=LEG))
    depth_at_the_turn_of_others: list[int] = []
    bench.reactor.callLater(0, lambda: depth_at_the_turn_of_others.append(bench.driver.inbox_depth))
    bench.run()
    assert depth_at_the_turn_of_others == [10]
    assert bench.driver.inbox_depth == 0


def test_one_timer_follows_the_next_deadline_in_the_centers_time() -> None:
    bench = Bench(ScriptedCenter(due_s=1005.0))
    bench.driver.settle()
    bench.reactor.advance(4.9)
    assert bench.center.seen == []
    bench.center.due_s = 1005.5  # a step moved it
    bench.driver.post(LinkLost(pbx="pbx"))
    bench.run()
    bench.reactor.advance(0.3)
    assert [type(event) for event, _ in bench.center.seen] == [LinkLost]
    bench.reactor.advance(0.4)
    assert [type(event) for event, _ in bench.center.seen] == [LinkLost, DeadlineReached]
    assert bench.told[-1] == (2, DeadlineReached())
    assert not bench.reactor.getDelayedCalls()


def test_a_step_that_raises_is_answered_with_the_fault_of_its_interaction() -> None:
    bench = Bench(ScriptedCenter(commands=[HangUpLeg(leg=LEG)], raises_on=(LegRinging,)))
    bench.driver.post(LegRinging(leg=LEG))
    bench.driver.post(LinkLost(pbx="pbx"))
    bench.run()
    bench.run()
    fault = InteractionFaulted(interaction=InteractionId(4), reason="ValueError: a rule was broken")
    assert [event for event, _ in bench.center.seen] == [LinkLost(pbx="pbx"), fault]
    assert bench.faulted == [LegRinging(leg=LEG)]
    assert [told[0] for told in bench.told if isinstance(told, tuple) and isinstance(told[0], CommandId)] == [
        CommandId(2, 0),
        CommandId(3, 0),
    ]


def test_a_fault_while_a_fault_is_mended_is_not_repeated_for_ever() -> None:
    bench = Bench(ScriptedCenter(raises_on=(LegRinging, InteractionFaulted)))
    bench.driver.post(LegRinging(leg=LEG))
    for _ in range(5):
        bench.run()
    assert [type(event) for event in bench.faulted] == [LegRinging, InteractionFaulted]
    assert not bench.reactor.getDelayedCalls()


def test_a_full_disk_does_not_end_the_calls() -> None:
    bench = Bench(ScriptedCenter())
    bench.disk_error = OSError(28, "No space left on device")
    bench.driver.post(LegRinging(leg=LEG))
    bench.driver.post(LegRinging(leg=LEG))
    bench.run()
    assert len(bench.center.seen) == 2
    assert bench.lost_lines == 2


def test_after_the_stop_nothing_is_handled() -> None:
    bench = Bench(ScriptedCenter(due_s=1001.0))
    bench.driver.settle()
    bench.driver.post(LegRinging(leg=LEG))
    bench.driver.stop()
    bench.driver.post(LegRinging(leg=LEG))
    bench.reactor.advance(10)
    assert bench.center.seen == []
    assert bench.driver.inbox_depth == 0
    assert not bench.reactor.getDelayedCalls()

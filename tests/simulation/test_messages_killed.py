"""A caller leaves a message, and at each instant of it the daemon is killed, their connection breaks, or Asterisk dies: one message."""

from collections.abc import Callable, Sequence

import pytest

from ccserver.core.records import MessageRecord
from ccserver.core.settings import Strategy
from ccserver.core.state import MESSAGE
from ccserver.sim.books import Books
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.day import verify
from ccserver.sim.full_sample import MESSAGE_DID, full_center
from ccserver.sim.systems import MESSAGE_MIN_S
from ccserver.sim.world import World

OVER_S = 200.0
CALLS_S = 5.0
ENDS = ("hangs up", "types a key", "is silent")


class Speaker:
    """Speaks after the beep, and ends it once in a way of their own; asked again, they hang up after a while."""

    def __init__(self, world: World, ends: str) -> None:
        self.world = world
        self.ends = ends
        self.is_asked = False
        self.channel: Channel | None = None

    def call(self) -> None:
        self.channel = self.world.pbx.call_in(self, MESSAGE_DID, "+15550123")

    def rings(self, channel: Channel) -> None:
        raise AssertionError("nobody calls a caller")

    def asked(self, channel: Channel, verb: Asking) -> None:
        after, pbx = self.world.agenda.after, self.world.pbx
        if self.is_asked or self.ends == "hangs up":
            after(15.0, self.hang_up)
        elif self.ends == "types a key":
            after(15.0, pbx.press, channel, "#")
            after(120.0, self.hang_up)
        self.is_asked = True

    def hang_up(self) -> None:
        if self.channel is not None and not self.channel.is_gone:
            self.world.pbx.hang_up(self.channel)

    def joined(self, channel: Channel) -> None:
        raise AssertionError("nobody talks to them")

    def parted(self, channel: Channel) -> None:
        raise AssertionError("nobody talked to them")

    def ended(self, channel: Channel) -> None:
        pass


def told(ends: str, seed: int, mishap: Callable[[World, Speaker], None] | None = None, at_s: Sequence[float] = ()) -> World:
    """The world after one caller. At the end every message that was spoken is kept and waits, exactly once."""
    world = World(
        full_center(4, Strategy.LONGEST_IDLE).settings,
        seed=seed,
        watch=verify,
        books=Books(keeps_records=True),
        keeps_journal=True,
    )
    world.start()
    speaker = Speaker(world, ends)
    world.agenda.at(CALLS_S, speaker.call)
    for moment_s in at_s:
        if mishap is not None:
            world.agenda.at(moment_s, mishap, world, speaker)
    world.run_until(OVER_S)
    state = world.center.snapshot()
    kept = [record for record in world.books.records if isinstance(record, MessageRecord)]
    waiting = [it.message.path for it in state.interactions.values() if it.kind == MESSAGE and it.message is not None]
    spoken = [path for path, seconds in world.systems.recorded.items() if seconds >= MESSAGE_MIN_S]
    assert sorted(waiting) == sorted(record.path for record in kept) == sorted(spoken), (ends, at_s)
    assert not state.unmeasured and not world.pbx.channels, (ends, at_s)
    return world


def instants(ends: str, seed: int) -> list[float]:
    """Just before and just after each input of an undisturbed call."""
    inputs = [entry.moment.mono_s for entry in told(ends, seed).journal]
    return sorted({at_s + side for at_s in inputs if at_s >= CALLS_S for side in (-0.0001, 0.0001) if at_s < 60.0})


def kill(down_for_s: float) -> Callable[[World, Speaker], None]:
    return lambda world, _: world.kill(down_for_s)


def lose(world: World, speaker: Speaker) -> None:
    if speaker.channel is not None and not speaker.channel.is_gone:
        world.pbx.lose_session(speaker.channel)


def crash(world: World, _: Speaker) -> None:
    world.crash_pbx(2.0)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize(
    "mishap", [kill(0.2), kill(40.0), lose, crash], ids=["killed", "killed for long", "connection lost", "asterisk dies"]
)
def test_a_message_is_kept_once_whenever_it_is_disturbed(ends: str, mishap: Callable[[World, Speaker], None]) -> None:
    for seed in range(2):
        spoken = instants(ends, seed)
        middle = [CALLS_S + 6.0, CALLS_S + 12.0, CALLS_S + 18.0]
        asked_again = 0
        for at_s in (*spoken, *middle):
            world = told(ends, seed, mishap, [at_s])
            asked_again += world.books.kinds["RecordMessage"] > 1 and bool(world.systems.recorded)
        assert asked_again < len(spoken), "whoever has spoken is not asked again"


@pytest.mark.parametrize("ends", ENDS)
def test_killed_again_while_it_is_measured_it_is_kept_once(ends: str) -> None:
    for seed in range(2):
        middle_s = CALLS_S + 8.0
        first = told(ends, seed, kill(1.0), [middle_s])
        later = sorted({e.moment.mono_s for e in first.journal if middle_s + 1.0 < e.moment.mono_s < 80.0})
        for at_s in later:
            told(ends, seed, kill(0.3), [middle_s, at_s + 0.0001])


def test_who_has_spoken_is_thanked_and_not_asked_again() -> None:
    for ends in ENDS[1:]:
        world = told(ends, 0, kill(1.0), [CALLS_S + 8.0])
        assert world.books.kinds["RecordMessage"] == 1 and world.books.kinds["MeasureMessage"] == 1

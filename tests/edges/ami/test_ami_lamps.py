"""Lamps are sent a few times a second, each in its newest state."""

import pytest
from twisted.internet.task import Clock

from ccserver.ami.lamps import SHOWN_AT_ONCE, SHOWN_EVERY_S, PacedLamps
from ccserver.core.commands import LampState, SetLamp
from ccserver.core.ids import CommandId


class Board:
    """What was sent to the PBX, as lamp and state."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[tuple[str, LampState]] = []
        self.ids: list[CommandId] = []
        self.lamps = PacedLamps(self.clock, self._send)  # type: ignore[arg-type]  # Twisted's clock has no types
        self._orders = 0

    def _send(self, command_id: CommandId, command: SetLamp) -> None:
        self.ids.append(command_id)
        self.sent.append((command.lamp, command.state))

    def order(self, lamp: str, *states: LampState) -> None:
        for state in states:
            self._orders += 1
            self.lamps.set(CommandId(self._orders, 0), SetLamp(lamp=lamp, state=state))

    def let_pass(self, seconds: float = SHOWN_EVERY_S) -> list[tuple[str, LampState]]:
        """What was sent in that time."""
        self.sent.clear()
        self.clock.advance(seconds)
        return list(self.sent)


@pytest.fixture
def board() -> Board:
    return Board()


def test_a_lamp_is_shown_within_a_moment(board: Board) -> None:
    board.order("queue-sales", LampState.LIT)
    assert board.let_pass() == [("queue-sales", LampState.LIT)]
    assert not board.clock.getDelayedCalls()


def test_of_several_changes_the_newest_is_shown(board: Board) -> None:
    board.order("queue-sales", LampState.LIT, LampState.BLINKING)
    assert board.let_pass() == [("queue-sales", LampState.BLINKING)]
    assert board.ids == [CommandId(2, 0)]


def test_a_flicker_is_not_shown_at_all(board: Board) -> None:
    board.order("queue-sales", LampState.OFF)
    board.let_pass()
    board.order("queue-sales", LampState.LIT, LampState.OFF)
    assert board.let_pass() == []


def test_after_a_lost_link_all_is_shown_again_and_nothing_of_before(board: Board) -> None:
    board.order("queue-sales", LampState.LIT)
    board.let_pass()
    board.order("agent-101", LampState.LIT)
    board.lamps.forget()
    assert board.let_pass() == []
    board.order("queue-sales", LampState.LIT)
    assert board.let_pass() == [("queue-sales", LampState.LIT)]


def test_many_are_shown_in_portions(board: Board) -> None:
    for number in range(SHOWN_AT_ONCE + 1):
        board.order(f"agent-{number}", LampState.LIT)
    assert len(board.let_pass()) == SHOWN_AT_ONCE
    assert board.let_pass() == [(f"agent-{SHOWN_AT_ONCE}", LampState.LIT)]

"""Lamps at the pace of people: the newest state of each, a few times a second.

A caller who is given to an idle agent waits for a moment only, and the queue's lamp would go on and off within it: two actions, and a
NOTIFY to every phone that shows the queue each time, which nobody sees. So changes are collected for a moment, and of each lamp only
the newest is sent, if it is another than the phones show.
"""

from collections.abc import Callable
from typing import Protocol

from ccserver.core.commands import LampState, SetLamp
from ccserver.core.ids import CommandId

SHOWN_EVERY_S = 0.25
SHOWN_AT_ONCE = 200
"""After a new link every lamp is set again; in portions, so that calls' own actions come between."""


class Timer(Protocol):
    """What the clock gives back for a call to come."""

    def active(self) -> bool: ...

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Twisted's IReactorTime, in the words of the type checker."""

    def callLater(self, delay: float, call: Callable[..., object], /, *args: object) -> Timer: ...


class PacedLamps:
    """`send` sends one of them now, with the number of the newest command for that lamp."""

    def __init__(self, clock: Clock, send: Callable[[CommandId, SetLamp], None]) -> None:
        self._clock = clock
        self._send = send
        self._wanted: dict[str, tuple[CommandId, SetLamp]] = {}
        self._shown: dict[str, LampState] = {}
        self._timer: Timer | None = None

    def set(self, command_id: CommandId, command: SetLamp) -> None:
        self._wanted[command.lamp] = (command_id, command)
        if self._timer is None:
            self._timer = self._clock.callLater(SHOWN_EVERY_S, self._show)

    def forget(self) -> None:
        """The link is gone: what is shown now nobody knows, and what was to be shown will be ordered anew."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._wanted.clear()
        self._shown.clear()

    def _show(self) -> None:
        self._timer = None
        for lamp in list(self._wanted)[:SHOWN_AT_ONCE]:
            command_id, command = self._wanted.pop(lamp)
            if self._shown.get(lamp) is not command.state:
                self._shown[lamp] = command.state
                self._send(command_id, command)
        if self._wanted:
            self._timer = self._clock.callLater(SHOWN_EVERY_S, self._show)

"""Which `DTMFEnd` is a key that somebody pressed.

Asterisk tells a key by a DTMFBegin and a DTMFEnd. When a phone changes its media (hold, unhold), the last RFC 4733 key can
end again, once per change and without a beginning: seen with Asterisk 22. Keys sent by SIP INFO never have a beginning. So a
leg that has begun a key must begin each; a leg that never did is believed.
"""

from ccserver.core.ids import LegId

LEGS_MAX = 10_000
"""Legs are forgotten at their hang-up; those whose hang-up was lost with the link, the oldest first, when so many are known."""


class KeyFilter:
    def __init__(self) -> None:
        self._is_down: dict[LegId, bool] = {}

    def begun(self, leg: LegId) -> None:
        """A key went down on this leg."""
        if leg not in self._is_down and len(self._is_down) >= LEGS_MAX:
            del self._is_down[next(iter(self._is_down))]
        self._is_down[leg] = True

    def is_pressed(self, leg: LegId) -> bool:
        """Whether the key that now ends was pressed. Asks once for each end."""
        if leg not in self._is_down:
            return True
        was_down, self._is_down[leg] = self._is_down[leg], False
        return was_down

    def forget(self, leg: LegId) -> None:
        self._is_down.pop(leg, None)

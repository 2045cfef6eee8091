"""Which `DTMFEnd` is a key that somebody pressed, and which keys can be meant for the core.

Asterisk tells a key by a DTMFBegin and a DTMFEnd. When a phone changes its media (hold, unhold), the last RFC 4733 key can
end again, once per change and without a beginning: seen with Asterisk 22. Keys sent by SIP INFO never have a beginning. So a
leg that has begun a key must begin each; a leg that never did is believed.
"""

from collections.abc import Iterable

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


class BridgedLegs:
    """Which legs are in a bridge, or hear a talk as a supervisor's, as this link's own events tell it.

    A key may be read late. What was typed in an AGI session (a PIN, say) comes before the leg's next BridgeEnter in the stream, so
    on a leg that is in no bridge no key is one of a talk, whatever else is known by now.
    """

    def __init__(self) -> None:
        self._is_bridged: dict[LegId, bool] = {}

    def entered(self, leg: LegId) -> None:
        self._put(leg, True)

    def left(self, leg: LegId) -> None:
        self._put(leg, False)

    def seen(self, legs: Iterable[LegId]) -> None:
        """A reading of the PBX shows these in a bridge. What events told of a leg is newer."""
        for leg in legs:
            if leg not in self._is_bridged:
                self._put(leg, True)

    def forget(self, leg: LegId) -> None:
        self._is_bridged.pop(leg, None)

    def has(self, leg: LegId) -> bool:
        return self._is_bridged.get(leg, False)

    def _put(self, leg: LegId, is_bridged: bool) -> None:
        if leg not in self._is_bridged and len(self._is_bridged) >= LEGS_MAX:
            del self._is_bridged[next(iter(self._is_bridged))]
        self._is_bridged[leg] = is_bridged

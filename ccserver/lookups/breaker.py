"""The circuit breaker of one look-up: a system that is down is left alone for a while, and its callers need not wait for it.

    CLOSED  --so many failures in a row-->  OPEN  --after its rest, one may try-->  TRIAL  --it answers-->  CLOSED
                                             ^------------------ it fails ------------'

Each asking takes a ticket, and gives it back with what became of it: one that was begun before the last change says nothing any more.
It knows no clock: the time (monotonic seconds) is given.
"""

from enum import Enum
from typing import NewType

Ticket = NewType("Ticket", int)


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


class Breaker:
    """`failures` in a row open it for `rest_s`."""

    def __init__(self, failures: int, rest_s: float) -> None:
        self._failures_max = failures
        self._rest_s = rest_s
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._opened_at_s = 0.0
        self._round = Ticket(0)

    def ask(self, now_s: float) -> Ticket | None:
        """A ticket for one asking; None: it rests, or somebody is trying."""
        if self.state is BreakerState.OPEN and now_s - self._opened_at_s >= self._rest_s:
            self._turn(BreakerState.TRIAL)
            return self._round
        return self._round if self.state is BreakerState.CLOSED else None

    def succeeded(self, ticket: Ticket) -> None:
        if ticket == self._round:
            self._failures = 0
            if self.state is BreakerState.TRIAL:
                self._turn(BreakerState.CLOSED)

    def failed(self, ticket: Ticket, now_s: float) -> None:
        if ticket != self._round:
            return
        self._failures += 1
        if self.state is BreakerState.TRIAL or self._failures >= self._failures_max:
            self._opened_at_s = now_s
            self._turn(BreakerState.OPEN)

    def withdrawn(self, ticket: Ticket) -> None:
        """Nobody was asked after all. A trial is the next one's then."""
        if ticket == self._round and self.state is BreakerState.TRIAL:
            self._turn(BreakerState.OPEN)

    def _turn(self, state: BreakerState) -> None:
        self.state = state
        self._failures = 0
        self._round = Ticket(self._round + 1)

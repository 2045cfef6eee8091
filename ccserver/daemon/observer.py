"""When the PBX is read as a whole: at once after each link-up, once more soon after, then regularly."""

from collections.abc import Callable
from typing import Protocol

import structlog
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

REGULARLY_S = 30.0
SOON_S = 2.0
"""The core repairs what two readings agree on; after a reconnect nobody should wait half a minute for the second."""

log = structlog.stdlib.get_logger(__name__)


class Timers(Protocol):
    """The part of a reactor, or of a test's clock, that starts timers."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall: ...


class Observer:
    """Calls `observe` (which answers whether it worked) in that rhythm while the link is up."""

    def __init__(
        self, observe: Callable[[], Deferred[bool]], reactor: Timers, regularly_s: float = REGULARLY_S, soon_s: float = SOON_S
    ) -> None:
        self._observe = observe
        self._reactor = reactor
        self._regularly_s = regularly_s
        self._soon_s = soon_s
        self._next: DelayedCall | None = None
        self._link = 0
        self._good = 0

    def link_up(self) -> None:
        self.link_lost()
        self._good = 0
        self._read(self._link)

    def link_lost(self) -> None:
        """Also to be called at the end: nothing is read any more."""
        self._link += 1
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _read(self, link: int) -> None:
        self._next = None
        self._observe().addCallbacks(self._done, self._failed, callbackArgs=(link,), errbackArgs=(link,))

    def _done(self, is_good: bool, link: int) -> None:
        if link != self._link:
            return  # of a link that is gone; the next one has a rhythm of its own
        self._good += is_good
        wait_s = self._regularly_s if is_good and self._good >= 2 else self._soon_s
        self._next = self._reactor.callLater(wait_s, self._read, link)

    def _failed(self, failure: Failure, link: int) -> None:
        log.error("observation.faulted", reason=failure.getErrorMessage())
        self._done(False, link)

"""The event loop: chosen once, before anything else can import the reactor, and given types.

Twisted owns the asyncio loop because the AMI library speaks asyncio: one loop, one thread, no locks. Twisted's reactor tells
the type checker little; what it is used for here is said by `Loop`.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from twisted.internet import asyncioreactor
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, maybeDeferred

T = TypeVar("T")


class ReactorChosenTooEarly(RuntimeError):
    """Another module imported `twisted.internet.reactor` first, so Twisted chose an event loop that AMI cannot use.

    A mistake in our imports: name the reactor in this module only.
    """


class Loop:
    """The process's reactor. Making one installs the asyncio reactor; ReactorChosenTooEarly when another one is in."""

    def __init__(self) -> None:
        present = sys.modules.get("twisted.internet.reactor")
        if present is None:
            asyncioreactor.install()  # type: ignore[no-untyped-call]
            present = sys.modules["twisted.internet.reactor"]
        if not isinstance(present, asyncioreactor.AsyncioSelectorReactor):
            raise ReactorChosenTooEarly(f"the reactor is already {type(present).__name__}")
        self.reactor: Any = present
        """For Twisted's own interfaces."""

    def seconds(self) -> float:
        return cast(float, self.reactor.seconds())

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall:
        """Twisted's name, so that a `task.Clock` can stand in for it."""
        return cast(DelayedCall, self.reactor.callLater(delay, callable, *args))

    def on_thread(self, work: Callable[[], T]) -> "Deferred[T]":
        """Do blocking work off the loop."""
        # imported late: it imports the reactor
        from twisted.internet.threads import deferToThreadPool  # noqa: PLC0415

        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), work)

    async def listen_tcp(self, host: str, port: int, factory: object) -> Callable[[], "Deferred[None]"]:
        """Returns what stops it. Raises CannotListenError."""
        from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint  # noqa: PLC0415

        kind: Any = TCP6ServerEndpoint if ":" in host else TCP4ServerEndpoint
        return _stopper(await kind(self.reactor, port, interface=host).listen(factory))

    async def listen_unix(self, path: Path, mode: int, factory: object) -> Callable[[], "Deferred[None]"]:
        """Returns what stops it. Raises CannotListenError."""
        from twisted.internet.endpoints import UNIXServerEndpoint  # noqa: PLC0415

        kind: Any = UNIXServerEndpoint
        return _stopper(await kind(self.reactor, str(path), mode=mode).listen(factory))

    def from_thread(self, call: Callable[[], object]) -> None:
        """Have the loop do `call` soon; for threads and signal handlers."""
        self.reactor.callFromThread(call)

    def run(self, start: Callable[[], object], stop: Callable[[], "Deferred[None]"]) -> None:
        """Run until `end` or SIGTERM or SIGINT; `stop` is waited for."""
        self.reactor.callWhenRunning(start)
        self.reactor.addSystemEventTrigger("before", "shutdown", stop)
        self.reactor.run()

    def end(self) -> None:
        """Begin the end, unless it has begun."""
        if self.reactor.running:
            self.reactor.stop()


def _stopper(port: Any) -> Callable[[], "Deferred[None]"]:
    return lambda: maybeDeferred(port.stopListening)

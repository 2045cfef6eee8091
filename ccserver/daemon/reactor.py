"""Chooses the event loop, once, before anything else can import the reactor.

Twisted owns the asyncio loop because the AMI library speaks asyncio: one loop, one thread, no locks.
"""

import sys

from twisted.internet import asyncioreactor


class ReactorChosenTooEarly(RuntimeError):
    """Another module imported `twisted.internet.reactor` first, so Twisted chose an event loop that AMI cannot use.

    A mistake in our imports: name the reactor inside functions of `ccserver.daemon` only.
    """


def install() -> None:
    """Make the asyncio reactor the reactor. A second call does nothing; ReactorChosenTooEarly when another one is in."""
    present = sys.modules.get("twisted.internet.reactor")
    if present is None:
        asyncioreactor.install()  # type: ignore[no-untyped-call]
    elif not isinstance(present, asyncioreactor.AsyncioSelectorReactor):
        raise ReactorChosenTooEarly(f"the reactor is already {type(present).__name__}")

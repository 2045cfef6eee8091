"""Waiting for a condition with a deadline, and saying what was seen instead."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 20.0
"""For whatever comes sooner or later: a deadline that a full machine keeps. Where the time itself is what a test is about, it says
a time of its own."""


async def until(look: Callable[[], T | Awaitable[T]], deadline_s: float = PATIENCE_S, *, what: str = "the condition") -> T:
    """The first true value that `look` gives; asked again every 20 ms.  Fails with the last value seen."""
    deadline = time.monotonic() + deadline_s
    while True:
        seen = look()
        value: T = await seen if isinstance(seen, Awaitable) else seen
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} was not seen within {deadline_s} s; last seen: {value!r}")
        await asyncio.sleep(0.02)

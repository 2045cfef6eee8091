"""One look at the center for many who wait: its overview, read at a steady pace, instead of a poll by each of them."""

import asyncio
import time
from collections.abc import Collection
from typing import Any, Self

from harness.center import Center
from harness.waiting import PATIENCE_S

PACE_S = 0.05


class Board:
    """Reads the overview while it is open.  Timing tests need the machine, so there is one reader, however many wait."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.seen: Any = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def state(self, agent: str) -> str:
        """As last read; empty before the first reading."""
        return next((str(a["state"]) for a in self.seen["agents"] if a["id"] == agent), "") if self.seen else ""

    async def one_is(self, agents: Collection[str], state: str, deadline_s: float = PATIENCE_S) -> str:
        """Wait until a reading that began after now shows one of `agents` in `state`; which one."""
        deadline = time.monotonic() + deadline_s
        async with self._changed:
            await self._changed.wait()  # this one may have been under way already
            while True:
                assert self._reader is not None
                if self._reader.done():
                    self._reader.result()
                await asyncio.wait_for(self._changed.wait(), PATIENCE_S)
                for agent in agents:
                    if self.state(agent) == state:
                        return agent
                if time.monotonic() > deadline:
                    shown = {agent: self.state(agent) for agent in agents}
                    raise AssertionError(f"not {state} within {deadline_s} s: {shown}\n{self._center.daemon.tail()}")

    async def _read(self) -> None:
        try:
            while True:
                self.seen = await self._center.ask("overview")
                async with self._changed:
                    self._changed.notify_all()
                await asyncio.sleep(PACE_S)  # the pace of the readings, not a wait for anything
        finally:
            async with self._changed:
                self._changed.notify_all()

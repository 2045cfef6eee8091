"""As many phone processes as calls need: pjsua2's wheel is built for four calls in one process, so calls are spread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from ccserver.lab.phones import Event, PhoneProcess

CALLS_PER_PROCESS = 3
"""One less than it can do: an ended call keeps its place for a moment."""


class Switchroom:
    """Lends places for calls in phone processes and starts another process when all are taken."""

    def __init__(self) -> None:
        self._taken: dict[PhoneProcess, int] = {}
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(process.close() for process in self._taken))

    @property
    def trouble(self) -> list[Event]:
        """Commands that failed where nobody waited for the answer."""
        return [event for process in self._taken for event in process.trouble]

    async def start(self, processes: int) -> None:
        """Start so many more at once: one that is there already answers a call sooner."""
        for process in await asyncio.gather(*(PhoneProcess.start() for _ in range(processes))):
            self._taken.setdefault(process, 0)

    @asynccontextmanager
    async def place(self, calls: int = 1) -> AsyncIterator[PhoneProcess]:
        """A process with room for so many calls at once, for as long as the block lasts."""
        async with self._starting:
            free = [process for process, taken in self._taken.items() if taken + calls <= CALLS_PER_PROCESS]
            if not free:
                await self.start(1)
                free = [list(self._taken)[-1]]
            chosen = free[0]
            self._taken[chosen] += calls
        try:
            yield chosen
        finally:
            self._taken[chosen] -= calls

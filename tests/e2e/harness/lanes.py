"""Calls side by side in lanes of their own, so that a test knows beforehand whose phone rings for whom.

Both ends of a lane are in one process of phones, which does what is due to about 2 ms; a process has four calls at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from ccserver.lab.phones import Phone, PhoneFailed
from harness.audit import History
from harness.board import Board
from harness.center import Center
from harness.waiting import PATIENCE_S

SWEEP_MS = range(-50, 51, 2)


class Lane:
    """A customer's phone and the phones of the agents who can be reached by calling `did`."""

    def __init__(self, center: Center, board: Board, caller: Phone, queue: str, *agents: tuple[str, Phone]) -> None:
        self.center, self.board, self.caller, self.queue = center, board, caller, queue
        self.agent, self.phone = agents[0]
        self.agents = dict(agents)

    async def call(self) -> None:
        await self.caller.call(f"sip:{did(self.center, self.queue)}@127.0.0.1")

    async def ready(self, deadline_s: float = PATIENCE_S) -> None:
        await self.board.one_is([self.agent], "ready", deadline_s)


def did(center: Center, queue: str) -> str:
    return next(number for number, target in center.site.settings()["dids"].items() if target["flow"] == queue)


async def spread(made: list[Lane], sweep: Iterable[int], one: Callable[[Lane, int], Awaitable[None]]) -> dict[str, list[int]]:
    """`one` call for every value, over all lanes side by side; the values by queue, in the order of their calls."""
    values = list(sweep)
    shares = {lane.queue: values[n :: len(made)] for n, lane in enumerate(made)}

    async def run(lane: Lane) -> None:
        for value in shares[lane.queue]:
            try:
                await one(lane, value)
            except (AssertionError, TimeoutError, PhoneFailed) as failed:
                raise AssertionError(f"{lane.queue} at {value} ms: {failed}") from failed

    async with asyncio.TaskGroup() as together:
        for lane in made:
            together.create_task(run(lane))
    return shares


def told(history: History, shares: dict[str, list[int]]) -> list[tuple[int, str]]:
    """(value of the sweep, outcome), by value: for the message of a failed check."""
    by_queue = {queue: [row["outcome"] for row in history.interactions if row["queue"] == queue] for queue in shares}
    return sorted(pair for queue, values in shares.items() for pair in zip(values, by_queue[queue], strict=True))

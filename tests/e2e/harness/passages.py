"""How callers went through the flows, as history has it, and the phones that type their way through them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from ccserver.lab.phones import Phone
from harness.center import Center

Step = tuple[str, str]
"""A node, and how it was left."""


def newest(center: Center) -> int:
    """The number of the latest interaction; those of a test are above what this told before it."""
    return int(center.rows("SELECT coalesce(max(interaction), 0) AS n FROM interactions")[0]["n"])


def walked(center: Center, since: int) -> list[tuple[str, list[Step]]]:
    """Of each passage after interaction `since` its ending and its nodes, by the number of the interaction. Tries that led to another
    try are in the way a node was left: `invalid x2` is two wrong ones before that."""
    rows = center.rows("SELECT * FROM flow_passages WHERE interaction > ? ORDER BY interaction, number", since)
    return [(row["ending"], [_step(step) for step in json.loads(row["steps"])]) for row in rows]


def _step(step: Sequence[Any]) -> Step:
    _, node, how, repeats = step
    return node, f"{how} x{repeats}" if repeats else how


async def enters(caller: Phone, did: str) -> float:
    """Call, and be answered: the instant at which the line was up, on the clock of the phones."""
    await caller.call(f"sip:{did}@127.0.0.1")
    return float(str((await caller.wait("up"))["at"]))


async def types(caller: Phone, digits: str, *, first_at: float, gap_ms: float, method: str, tone_ms: int = 100) -> None:
    """One key after the other at exact instants, begun `gap_ms` apart."""
    await asyncio.gather(
        *(
            caller.dtmf(digit, method=method, duration_ms=tone_ms, at=first_at + number * gap_ms / 1000)
            for number, digit in enumerate(digits)
        )
    )

"""ccserver beside Asterisk's own app_queue: the same Asterisk, the same phones, the same callers, in turns.

    python tests/bench/bench_app_queue.py            # about 9 minutes; as root, on a machine that has nothing else to do
    BENCH_SECONDS=5 BENCH_TURNS=1 python tests/bench/bench_app_queue.py backlog steady-500    # these parts only, shorter

Each measure is taken in turns (ours, theirs, ours, theirs) and given as a ratio, ours to theirs: machines differ, and are shared.
"""

import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from side_by_side.center import CALLERS_AT, PBX, PHONES_AT, Center
from side_by_side.sip import Dialog, Endpoint

from ccserver.lab import namespace

T = TypeVar("T")

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
TURNS = int(os.environ.get("BENCH_TURNS", "2"))
OURS, THEIRS = "5", "6"
NAMES = {OURS: "ccserver", THEIRS: "app_queue"}
RATES = (20, 40, 60, 80, 100, 120, 160)
RATE_SECONDS = 5.0
RING_P99_MAX_MS = 100.0
OVERLOAD = 1.6
"""How much more than the highest rate that went well; whether all calls end after it is what counts."""


@dataclass
class Seen:
    """What one turn gave. Times in milliseconds."""

    gaps_ms: list[float] = field(default_factory=list)
    ring_ms: list[float] = field(default_factory=list)
    handled: int = 0
    refused: int = 0
    asterisk_s: float = 0.0
    daemon_s: float = 0.0
    stuck: tuple[int, int] = (0, 0)

    def add(self, other: "Seen") -> None:
        self.gaps_ms += other.gaps_ms
        self.ring_ms += other.ring_ms
        self.handled += other.handled
        self.refused += other.refused
        self.asterisk_s += other.asterisk_s
        self.daemon_s += other.daemon_s
        self.stuck = (max(self.stuck[0], other.stuck[0]), max(self.stuck[1], other.stuck[1]))


class Turn:
    """One stretch of traffic through one of the two."""

    def __init__(self, center: Center, prefix: str, talk_s: Callable[[], float]) -> None:
        self.center, self.prefix, self.talk_s = center, prefix, talk_s
        self.seen = Seen()
        self.is_measuring = False
        self._freed: dict[str, float] = {}
        self._asked: list[float] = []
        self._is_backlog = False
        self._to_call = 0
        self._queue = 0
        self._chance = random.Random(7)

    async def __aenter__(self) -> "Turn":
        self.phones = await Endpoint.open(*PHONES_AT, PBX, self._phone_told)
        self.callers = await Endpoint.open(*CALLERS_AT, PBX, self._caller_told)
        self.phones.answer_after_s = 0.05
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let everybody hang up, then look who is left."""
        self._is_backlog = False
        for dialog in list(self.callers.dialogs.values()):
            self.callers.bye(dialog) if dialog.state == "up" else self.callers.cancel(dialog)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and sum(self.center.left_over()):
            await asyncio.sleep(0.5)
        self.seen.stuck = self.center.left_over()
        if any(self.seen.stuck):
            self.center.say_what_is_left()
        self.phones.close()
        self.callers.close()
        await asyncio.sleep(0.1)  # the sockets are closed in the loop's next rounds

    def _number(self) -> str:
        self._queue = (self._queue + 1) % self.center.queues
        return f"{self.prefix}{self._queue:03d}"

    def call(self) -> None:
        self._to_call += 1
        dialog = self.callers.call(self._number(), f"+3491{self._to_call:07d}")
        self._asked.append(dialog.times["invite"])

    # --- what happens ---------------------------------------------------------------------------------------------------
    def _phone_told(self, what: str, dialog: Dialog) -> None:
        if what == "invite":
            freed = self._freed.pop(dialog.number, None)
            if self.is_measuring and self._is_backlog and freed is not None:
                self.seen.gaps_ms.append((dialog.times["invite"] - freed) * 1000)
            if self.is_measuring and not self._is_backlog and self._asked:
                # Nobody waits: callers and rings come in the same order.
                self.seen.ring_ms.append((dialog.times["invite"] - self._asked.pop(0)) * 1000)
        elif what == "up":
            loop = asyncio.get_running_loop()
            dialog.hang_up = loop.call_later(self.talk_s(), self._hang_up, dialog)
        elif what == "ended" and self.is_measuring and "bye" in dialog.times:
            self.seen.handled += 1

    def _hang_up(self, dialog: Dialog) -> None:
        self._freed[dialog.number] = time.perf_counter()
        self.phones.bye(dialog)

    def _caller_told(self, what: str, dialog: Dialog) -> None:
        if what in ("ended", "refused"):
            self.seen.refused += what == "refused" and self.is_measuring
            if self._is_backlog:
                self.call()

    # --- the two kinds of traffic -----------------------------------------------------------------------------------------
    async def backlog(self, waiting: int, seconds: float) -> Seen:
        """So many callers more than agents, always."""
        self._is_backlog = True
        for _ in range(waiting + self.center.agents):
            self.call()
            await asyncio.sleep(0.01)
        await asyncio.sleep(3)
        return await self._measure(lambda: asyncio.sleep(seconds))

    async def steady(self, per_s: float, seconds: float) -> Seen:
        """Calls at a rate, to agents most of whom are idle."""

        async def offer() -> None:
            began = time.perf_counter()
            for n in range(int(per_s * seconds)):
                await asyncio.sleep(max(0.0, began + n / per_s - time.perf_counter()))
                self.call()
            await asyncio.sleep(1.0)

        return await self._measure(offer)

    async def _measure(self, traffic: Callable[[], object]) -> Seen:
        before = self.center.cpu_s()
        self.is_measuring = True
        await traffic()  # type: ignore[misc]
        self.is_measuring = False
        after = self.center.cpu_s()
        self.seen.asterisk_s, self.seen.daemon_s = after[0] - before[0], after[1] - before[1]
        return self.seen


async def compare(center: Center, traffic: Callable[[Turn], object], talk_s: Callable[[], float]) -> dict[str, Seen]:
    """The same traffic through both, in turns."""
    found: dict[str, Seen] = defaultdict(Seen)
    for _ in range(TURNS):
        for prefix in (OURS, THEIRS):
            if prefix == OURS:
                center.log_in()
            gc.collect()
            gc.disable()
            async with Turn(center, prefix, talk_s) as turn:
                await traffic(turn)  # type: ignore[misc]
            gc.enable()
            found[prefix].add(turn.seen)
            if prefix == OURS:
                center.log_out()
    return found


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def row(what: str, ours: float, theirs: float, unit: str = "") -> None:
    print(f"  {what:<58} {ours:>9.2f} {theirs:>9.2f} {unit:<5} {ours / theirs if theirs else float('nan'):>7.3f}x")


def daemon_per_call(seen: Seen) -> float:
    return seen.daemon_s * 1000 / max(1, seen.handled)


def per_call(seen: Seen) -> float:
    return (seen.asterisk_s + seen.daemon_s) * 1000 / max(1, seen.handled)


async def backlog(agents: int, waiting: int) -> None:
    with_agents(agents, 1)
    found = await in_center(
        agents,
        1,
        lambda turn: turn.backlog(waiting, SECONDS * 2),
        lambda chance: chance.uniform(1.0, 4.0),
    )
    ours, theirs = found[OURS], found[THEIRS]
    row("agent idle gap, p50", percentile(ours.gaps_ms, 0.5), percentile(theirs.gaps_ms, 0.5), "ms")
    row("agent idle gap, p99", percentile(ours.gaps_ms, 0.99), percentile(theirs.gaps_ms, 0.99), "ms")
    row("calls handled by the same agents", ours.handled, theirs.handled)
    costs(ours, theirs)


async def steady(agents: int, queues: int, per_s: float = 20.0) -> Seen:
    """Gives what ccserver did."""
    with_agents(agents, queues)
    found = await in_center(agents, queues, lambda turn: turn.steady(per_s, SECONDS), lambda chance: 1.0)
    ours, theirs = found[OURS], found[THEIRS]
    row("INVITE to ring, p50", percentile(ours.ring_ms, 0.5), percentile(theirs.ring_ms, 0.5), "ms")
    row("INVITE to ring, p99", percentile(ours.ring_ms, 0.99), percentile(theirs.ring_ms, 0.99), "ms")
    costs(ours, theirs)
    return ours


async def memberships() -> None:
    """What it costs ccserver that an agent is in 50 queues: against itself with one."""
    one, fifty = await steady(100, 1), await steady(100, 50)
    title = "ccserver alone, an agent in 50 queues against 1"
    print(f"{title:<60} {'50':>9} {'1':>9}         ratio")
    row("INVITE to ring, p50", percentile(fifty.ring_ms, 0.5), percentile(one.ring_ms, 0.5), "ms")
    row("CPU of ccserver per call", daemon_per_call(fifty), daemon_per_call(one), "ms")
    row("CPU of both per call", per_call(fifty), per_call(one), "ms")


async def highest(agents: int) -> None:
    """The highest of RATES up to which the 99th percentile of the time to ring is within RING_P99_MAX_MS; then more than that."""
    print(f"{agents} agents, calls per second stepwise up")

    async def climb(center: Center) -> None:
        for prefix, name in NAMES.items():
            if prefix == OURS:
                center.log_in()
            best = 0
            for rate in RATES:
                seen = await one_turn(center, prefix, rate)
                p99 = percentile(seen.ring_ms, 0.99)
                print(
                    f"  {name:<10} {rate:4d}/s: INVITE to ring p99 {p99:8.1f} ms, {seen.handled} handled, refused {seen.refused}"
                )
                if not p99 <= RING_P99_MAX_MS or len(seen.ring_ms) < 0.95 * rate * RATE_SECONDS:
                    break
                best = rate
            seen = await one_turn(center, prefix, max(best, RATES[0]) * OVERLOAD)
            print(
                f"  {name:<10} highest rate {best}/s; 30 s after {max(best, RATES[0]) * OVERLOAD:g}/s: "
                f"channels {seen.stuck[0]}, calls in ccserver {seen.stuck[1]}"
            )
            if prefix == OURS:
                center.log_out()

    await with_center(agents, 1, climb)


async def one_turn(center: Center, prefix: str, per_s: float) -> Seen:
    async with Turn(center, prefix, lambda: 1.0) as turn:
        await turn.steady(per_s, RATE_SECONDS)
    return turn.seen


def costs(ours: Seen, theirs: Seen) -> None:
    row("CPU of Asterisk per call", ours.asterisk_s * 1000 / ours.handled, theirs.asterisk_s * 1000 / theirs.handled, "ms")
    row(
        "CPU of ccserver per call, to Asterisk's for app_queue",
        ours.daemon_s * 1000 / ours.handled,
        theirs.asterisk_s * 1000 / theirs.handled,
        "ms",
    )
    row("CPU of both per call", per_call(ours), per_call(theirs), "ms")
    print(
        f"  refused {ours.refused} and {theirs.refused}; left 30 s after: channels {ours.stuck[0]} and {theirs.stuck[0]}, "
        f"calls in ccserver {ours.stuck[1]}"
    )


def with_agents(agents: int, queues: int) -> None:
    title = f"{agents} agents, each in {queues} queue{'s' if queues > 1 else ''}"
    print(f"{title:<60} {'ccserver':>9} {'app_queue':>9}         ratio")


async def in_center(
    agents: int, queues: int, traffic: Callable[[Turn], object], talk_s: Callable[[random.Random], float]
) -> dict[str, Seen]:
    chance = random.Random(11)
    return await with_center(agents, queues, lambda center: compare(center, traffic, lambda: talk_s(chance)))


async def with_center(agents: int, queues: int, use: Callable[[Center], Coroutine[object, object, T]]) -> T:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        center = Center(Path(name), agents, queues)
        try:
            center.start()
            return await use(center)
        finally:
            center.close()


PARTS: Mapping[str, Callable[[], Coroutine[object, object, object]]] = {
    "backlog": lambda: backlog(100, 300),
    "steady": lambda: steady(100, 1),
    "steady-500": lambda: steady(500, 1),
    "queues-50": memberships,
    "highest": lambda: highest(500),
}
WHOLE = ("backlog", "steady-500", "queues-50", "highest")
"""`queues-50` takes `steady` with it, to have its own measure beside."""


async def main(parts: Sequence[str]) -> None:
    print(f"{SECONDS:g} s a measure, {TURNS} turns each; load before: {os.getloadavg()[0]:.1f}")
    for part in parts:
        await PARTS[part]()


if __name__ == "__main__":
    chosen = sys.argv[1:] or WHOLE
    if unknown := [part for part in chosen if part not in PARTS]:
        sys.exit(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    namespace.enter()
    asyncio.run(main(chosen))

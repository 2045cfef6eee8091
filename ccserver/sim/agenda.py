"""Virtual time: a heap of things to do, in the order of their moments."""

import heapq
from collections.abc import Callable
from typing import Any

Action = Callable[..., None]


class Entry:
    """One thing to do. `cancel()` makes it a no-op; it leaves the heap when its time has come."""

    __slots__ = ("action", "args", "at_s")

    def __init__(self, at_s: float, action: Action, args: tuple[Any, ...]) -> None:
        self.at_s = at_s
        self.action: Action | None = action
        self.args = args

    def cancel(self) -> None:
        self.action = None
        self.args = ()


class Agenda:
    """Time stands still while an action runs. Equal moments keep the order in which they were entered."""

    def __init__(self, start_s: float = 0.0) -> None:
        self.now_s = start_s
        self._heap: list[tuple[float, int, Entry]] = []
        self._entered = 0

    def at(self, at_s: float, action: Action, *args: Any) -> Entry:
        """Do `action(*args)` at `at_s`; what lies in the past is done next."""
        at_s = max(at_s, self.now_s)
        entry = Entry(at_s, action, args)
        self._entered += 1
        heapq.heappush(self._heap, (at_s, self._entered, entry))
        return entry

    def after(self, delay_s: float, action: Action, *args: Any) -> Entry:
        return self.at(self.now_s + delay_s, action, *args)

    def run_next(self, until_s: float) -> bool:
        """Do the next thing that is due by `until_s`. False: there is none, and it is now `until_s`."""
        heap = self._heap
        while heap:
            at_s, _, entry = heap[0]
            if at_s > until_s:
                break
            heapq.heappop(heap)
            action = entry.action
            if action is None:
                continue
            self.now_s = at_s
            entry.action = None
            action(*entry.args)
            return True
        self.now_s = max(self.now_s, until_s)
        return False

    def run_until(self, until_s: float) -> None:
        while self.run_next(until_s):
            pass

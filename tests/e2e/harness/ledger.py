"""The books of a center around one test, for tests in which things go wrong: history stays whole whatever happens.

Unlike `audit`, a call may meet several agents or leave for an extension of the PBX; the test itself says what it must read.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from ccserver.store import reports
from ccserver.store.database import Store
from harness.center import Center

Row = dict[str, Any]
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Ledger:
    """Made before the test, checked after it."""

    def __init__(self, center: Center) -> None:
        self.center = center
        self.may_repair = False
        """Said by a test that kills something: the repairs that follow are no fault."""
        self._first = int(center.rows("SELECT coalesce(max(interaction), 0) AS n FROM interactions")[0]["n"])
        self._repairs = self._count("repairs")

    def _count(self, table: str) -> int:
        return int(self.center.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])

    def calls(self) -> list[Row]:
        """The interactions of this test, in the order of their arrival."""
        return self.center.rows("SELECT * FROM interactions WHERE interaction > ? ORDER BY interaction", self._first)

    async def only_call(self) -> Row:
        """Wait for the end of the one call of this test."""
        await self.center.quiet()
        (call,) = self.calls()
        return call

    def of(self, table: str, call: Row) -> list[Row]:
        """The rows of one call in `segments`, `queue_visits`, `offers` or `recordings`, in their order."""
        return self.center.rows(f"SELECT * FROM {table} WHERE interaction = ? ORDER BY number", call["interaction"])

    def told(self, table: str, call: Row, column: str) -> list[str]:
        """One column of those rows."""
        return [row[column] for row in self.of(table, call)]

    def callbacks(self) -> list[Row]:
        """The requests of this test to be called back, in the order in which they were over."""
        return self.center.rows("SELECT * FROM callbacks WHERE interaction > ? ORDER BY run, seq", self._first)

    async def check(self) -> None:
        """Each interaction once and whole, totals that reconcile with the rows and the live counters, nothing mended."""
        await self.center.quiet()
        rooms = self.center.rows("SELECT conference FROM conferences WHERE conference > ?", self._first)
        numbers = sorted([*(row["interaction"] for row in self.calls()), *(row["conference"] for row in rooms)])
        assert numbers == list(range(self._first + 1, self._first + 1 + len(numbers))), "each interaction once, none missing"
        if not self.may_repair:
            assert self._count("repairs") == self._repairs, self.center.rows("SELECT * FROM repairs")
        assert not self._count("faults"), self.center.rows("SELECT * FROM faults")
        store = Store(f"sqlite:///{self.center.site.directory}/history.db")
        try:
            unsound = await asyncio.to_thread(store.check)
            totals = await asyncio.to_thread(reports.totals, store, *EVER)
        finally:
            store.close()
        assert not unsound, unsound
        rows = Counter((row["queue"], row["outcome"]) for row in self.center.rows("SELECT queue, outcome FROM queue_visits"))
        assert {(t.queue, outcome.value): n for t in totals for outcome, n in t.outcomes.items() if n} == rows
        for queue in (await self.center.overview())["queues"]:
            shown = {(queue["id"], outcome): n for outcome, n in queue["outcomes"].items() if n}
            assert shown == {key: n for key, n in rows.items() if key[0] == queue["id"]}, "live counters and history agree"
            assert queue["offered"] == sum(shown.values()) and not queue["waiting"], queue

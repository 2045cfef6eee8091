"""The history of a test, held against itself, against the live counters and against Asterisk's own record of conversations."""

import asyncio
import csv
import itertools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ccserver.lab.asterisk import Asterisk
from ccserver.store import reports
from ccserver.store.database import Store
from harness.center import Center
from harness.waiting import until

Row = dict[str, Any]
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is on record of the interactions of one test, in the order of their numbers."""

    interactions: list[Row]
    offers: dict[int, list[Row]]
    segments: dict[int, list[Row]]


def newest(center: Center) -> int:
    """The highest interaction so far: where a test's own begin."""
    return int(center.rows("SELECT coalesce(max(interaction), 0) AS n FROM interactions")[0]["n"])


def conversations(pbx: Asterisk) -> dict[str, list[str]]:
    """From Asterisk's own record: for each customer's channel the legs of agents it was in a bridge with, in order."""
    path = pbx.plan.directory / "log" / "cel-custom" / pbx.plan.values.cel_file
    inside: dict[str, list[str]] = defaultdict(list)
    met: dict[str, list[str]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as record:
        for row in csv.reader(record):
            if row[0] not in ("BRIDGE_ENTER", "BRIDGE_EXIT"):
                continue
            channel, bridge = row[2], str(json.loads(row[9])["bridge_id"])
            if row[0] == "BRIDGE_EXIT":
                inside[bridge].remove(channel)
                continue
            inside[bridge].append(channel)
            assert len(inside[bridge]) <= 2, f"more than two in bridge {bridge}: {inside[bridge]}"
            if len(inside[bridge]) == 2:
                customer, agent = sorted(inside[bridge], key=lambda uniqueid: uniqueid.startswith("cc"))
                assert not customer.startswith("cc") and agent.startswith("cc"), inside[bridge]
                met[customer].append(agent)
    return met


async def audit(center: Center, pbx: Asterisk, since: int) -> History:
    """Wait until all is on record, and check what must hold of every history; `since` as `newest` told before the test."""
    await center.quiet()
    rows = center.rows("SELECT * FROM interactions WHERE interaction > ? ORDER BY interaction", since)
    found = History(
        interactions=rows,
        offers=_by_interaction(center, "offers", since),
        segments=_by_interaction(center, "segments", since),
    )
    assert not center.rows("SELECT * FROM repairs"), center.rows("SELECT * FROM repairs")
    assert not center.rows("SELECT * FROM faults"), center.rows("SELECT * FROM faults")
    numbers = [row["interaction"] for row in rows]
    assert numbers == list(range(since + 1, since + 1 + len(rows))), "each interaction once, none missing"
    assert len({row["uniqueid"] for row in rows}) == len(rows), "no channel is two interactions"
    _each_story_is_one(found, _by_interaction(center, "queue_visits", since), _by_interaction(center, "recordings", since))
    _nobody_talks_twice_at_once(center)
    await _as_asterisk_saw_it(pbx, rows, found.offers)
    await _totals(center)
    return found


def _by_interaction(center: Center, table: str, since: int) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in center.rows(f"SELECT * FROM {table} WHERE interaction > ? ORDER BY interaction, number", since):
        found[row["interaction"]].append(row)
    return found


def _each_story_is_one(found: History, visits: dict[int, list[Row]], recordings: dict[int, list[Row]]) -> None:
    for row in found.interactions:
        number = row["interaction"]
        talks = [s for s in found.segments[number] if s["kind"] == "talk"]
        answers = [o for o in found.offers[number] if o["outcome"] == "answered"]
        served = [v for v in visits[number] if v["outcome"] == "answered"]
        counts = (len(talks), len(answers), len(served), len(recordings[number]))
        assert counts == ((1,) * 4 if row["outcome"] == "answered" else (0,) * 4), (row, counts)
        assert {r["agent"] for r in (*talks, *answers, *served)} == ({row["agent"]} - {None}), row
        assert [s["number"] for s in found.segments[number]] == list(range(len(found.segments[number]))), found.segments[number]


def _nobody_talks_twice_at_once(center: Center) -> None:
    """A talk of an agent begins when the one before has ended; and so do the agent's shown states."""
    for table, wanted in (("segments", "kind = 'talk'"), ("agent_states", "agent IS NOT NULL")):
        spans = center.rows(f"SELECT agent, started_at, duration_s FROM {table} WHERE {wanted} ORDER BY agent, started_at")
        for one, next_one in itertools.pairwise(spans):
            if one["agent"] == next_one["agent"]:
                ended = datetime.fromisoformat(one["started_at"]).timestamp() + one["duration_s"]
                # Starts are of the wall clock, durations of the steady one: on a full machine the two are not read at once.
                assert datetime.fromisoformat(next_one["started_at"]).timestamp() >= ended - 0.05, (table, one, next_one)


async def _as_asterisk_saw_it(pbx: Asterisk, rows: list[Row], offers: dict[int, list[Row]]) -> None:
    claimed = {
        row["uniqueid"]: [o["uniqueid"] for o in offers[row["interaction"]] if o["outcome"] == "answered"] for row in rows
    }

    def differs() -> dict[str, object]:
        met = conversations(pbx)
        return {caller: (legs, met.get(caller, [])) for caller, legs in claimed.items() if legs != met.get(caller, [])}

    # Asterisk writes its record a moment later than it tells its events.
    await until(lambda: not differs(), what=f"history as Asterisk's own record has it; (ours, Asterisk's): {differs()}")


async def _totals(center: Center) -> None:
    store = Store(f"sqlite:///{center.site.directory}/history.db")
    try:
        unsound = await asyncio.to_thread(store.check)
        totals = await asyncio.to_thread(reports.totals, store, *EVER)
    finally:
        store.close()
    assert not unsound, unsound
    by_sql = {t.queue: (t.offered, {o.value: n for o, n in t.outcomes.items() if n}, t.within_service_level) for t in totals}
    live = {
        q["id"]: (q["offered"], {o: n for o, n in q["outcomes"].items() if n}, q["within_service_level"])
        for q in (await center.overview())["queues"]
        if q["offered"]
    }
    assert by_sql == live, "the live counters and SQL agree"


def outcomes(history: History) -> Counter[str]:
    return Counter(row["outcome"] for row in history.interactions)

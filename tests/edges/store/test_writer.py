"""Each record is in history exactly once, whatever the database does and whenever the daemon dies."""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from history_builders import NOON_S, a_call, a_segment, a_visit, one_of_each
from sqlalchemy import event, func, select

from ccserver.core.ids import AgentId, CommandId, InteractionId, QueueId
from ccserver.core.records import Record
from ccserver.store import schema
from ccserver.store.database import Store
from ccserver.store.writer import Told, Writer

RUN = "000001-aaaaaaaa"


@contextmanager
def a_writer(store: Store, **settings: object) -> Iterator[Writer]:
    writer = Writer(store.engine, **settings)
    writer.start()
    yield writer
    writer.close(10)


def rows(store: Store, table: object = schema.segments) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


def test_every_kind_of_record_arrives_whole(store: Store) -> None:
    records = list(one_of_each(7))
    with a_writer(store) as writer:
        for index, record in enumerate(records):
            writer.append(RUN, CommandId(3, index), record)
        assert writer.flush(10)
    with store.engine.connect() as connection:
        for table in schema.HISTORY:
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 1, table.name
        call = connection.execute(select(schema.interactions)).mappings().one()
    assert (call["run"], call["seq"], call["command_index"]) == (RUN, 3, 23)
    assert call["arrived_at"].isoformat() == "2026-01-01T12:00:00+00:00"
    assert (call["interaction"], call["caller_number"], call["caller_name"]) == (7, "+493012345", "Müller")
    assert (call["outcome"], call["ended_by"], call["disposition"]) == ("answered", "customer", None)
    assert (call["pbx"], call["uniqueid"]) == ("main", "1767268800.7")
    assert store.applied(RUN) == CommandId(3, len(records) - 1)
    assert store.check() == []


def test_what_is_told_twice_is_written_once(store: Store) -> None:
    for _ in range(2):
        with a_writer(store) as writer:
            for seq in range(1, 251):
                writer.append(RUN, CommandId(seq, 0), a_segment(seq))
    assert rows(store) == 250
    assert writer.written_rows == 0
    assert store.applied(RUN) == CommandId(250, 0)
    assert store.check() == []


def test_a_late_replay_does_not_take_the_place_back(store: Store) -> None:
    with a_writer(store) as writer:
        writer.append(RUN, CommandId(9, 1), a_segment(9))
        writer.flush(10)
        writer.append(RUN, CommandId(4, 0), a_segment(4))
    assert store.applied(RUN) == CommandId(9, 1)


def test_two_runs_may_use_the_same_numbers(store: Store) -> None:
    with a_writer(store) as writer:
        writer.append(RUN, CommandId(5, 0), a_segment(1))
        writer.append("000002-bbbbbbbb", CommandId(5, 0), a_segment(2))
    assert rows(store) == 2
    assert store.applied("000002-bbbbbbbb") == CommandId(5, 0)
    assert store.highest_incarnation() == 2
    assert store.first_free_interaction() == 3


def test_nobody_waits_long_for_few_rows(store: Store) -> None:
    with a_writer(store, batch_s=0.05) as writer:
        writer.append(RUN, CommandId(1, 0), a_segment())
        eventually(lambda: writer.backlog == 0, "written without a flush")
        assert rows(store) == 1


def test_who_waits_for_a_row_hears_of_it_at_once_when_it_is_committed(store: Store) -> None:
    told: list[tuple[CommandId, int]] = []
    with a_writer(store, batch_s=60.0, on_committed=lambda command: told.append((command, rows(store)))) as writer:
        writer.append(RUN, CommandId(1, 0), a_segment(1))
        writer.append(RUN, CommandId(2, 0), a_segment(2), is_awaited=True)
        eventually(lambda: bool(told), "the row that was awaited")
    assert told == [(CommandId(2, 0), 2)]


def test_who_waits_for_a_row_hears_nothing_while_the_database_stalls(store: Store, tmp_path: Path) -> None:
    told: list[CommandId] = []
    other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with a_writer(store, on_committed=told.append) as writer:
        writer.append(RUN, CommandId(1, 0), a_segment(1), is_awaited=True)
        assert not writer.flush(0.5) and not told
        other.execute("ROLLBACK")
        eventually(lambda: told == [CommandId(1, 0)], "the row after the stall")
    other.close()


def test_rows_and_place_are_one_transaction(store: Store) -> None:
    """Whatever fails, also after the rows: either both are there or none."""
    failures = iter([True, True, False])
    seen_between: list[int] = []

    @event.listens_for(store.engine, "commit")
    def refuse(connection: object) -> None:
        if next(failures, False):
            raise sqlite3.OperationalError("database or disk is full")

    with a_writer(store) as writer:
        writer.append(RUN, CommandId(1, 0), a_segment())
        eventually(lambda: writer.failed_batches > 0, "a failure")
        seen_between.append(rows(store))
        assert writer.flush(10)
    assert seen_between == [0]
    assert writer.failed_batches == 2
    assert rows(store) == 1
    assert store.applied(RUN) == CommandId(1, 0)
    assert store.check() == []


def test_a_locked_database_delays_but_neither_blocks_nor_loses(store: Store, tmp_path: Path) -> None:
    errors: list[Exception | None] = []
    lock = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    lock.execute("begin immediate")
    with a_writer(store, on_error=errors.append) as writer:
        started = time.monotonic()
        for seq in range(1, 5001):
            writer.append(RUN, CommandId(seq, 0), a_segment(seq))
        assert time.monotonic() - started < 1.0  # the event path did not wait
        eventually(lambda: bool(errors), "told that it is locked")
        assert writer.backlog == 5000
        assert writer.projected_seq(5000) == 0
        assert "locked" in str(writer.last_error)
        assert not writer.flush(0.05)
        lock.execute("rollback")
        assert writer.flush(20)
        assert writer.last_error is None
        assert errors[-1] is None
        assert writer.projected_seq(5007) == 5007
    lock.close()
    assert rows(store) == 5000
    assert store.check() == []


def test_a_record_that_can_never_be_written_holds_nobody_up(store: Store) -> None:
    refused: list[Told] = []
    bad: list[Record] = [
        a_segment(2**70),  # no database has such a number
        a_segment(2, started_utc_s=1e300),
        a_segment(3, started_utc_s=float("nan")),
        a_segment(4, detail=None),
    ]
    with a_writer(store, on_refused=lambda told, error: refused.append(told)) as writer:
        for seq in range(1, 301):
            writer.append(RUN, CommandId(seq, 0), bad.pop() if seq % 60 == 0 and bad else a_segment(seq + 10))
        assert writer.flush(20)
    assert [told.command.seq for told in refused] == [60, 120, 180, 240]
    assert writer.refused_rows == 4
    assert rows(store) == 296
    assert store.check() == []


@pytest.mark.parametrize("name", ["a\0b", "\ud800x", "'; drop table interactions; --", "\u202e", "x" * 100_000])
def test_hostile_text_is_only_text(store: Store, name: str) -> None:
    with a_writer(store) as writer:
        writer.append(RUN, CommandId(1, 0), a_call(caller_name=name))
    assert writer.refused_rows == 0
    with store.engine.connect() as connection:
        found = connection.execute(select(schema.interactions.c.caller_name)).scalar_one()
    assert found == name.replace("\0", "�").replace("\ud800", "?")


def test_reports_read_while_the_writer_writes(store: Store) -> None:
    with store.reading() as reader, a_writer(store) as writer:
        assert reader.execute(select(func.count()).select_from(schema.segments)).scalar() == 0
        writer.append(RUN, CommandId(1, 0), a_segment())
        assert writer.flush(10)
        assert reader.execute(select(func.count()).select_from(schema.segments)).scalar() == 0  # its own moment
        reader.rollback()
        assert reader.execute(select(func.count()).select_from(schema.segments)).scalar() == 1


def test_the_thread_is_over_after_close(store: Store) -> None:
    before = threading.active_count()
    writer = Writer(store.engine)
    writer.start()
    writer.append(RUN, CommandId(1, 0), a_segment())
    assert writer.close(10)
    assert threading.active_count() == before
    assert rows(store) == 1


def test_close_does_not_wait_for_a_database_that_is_gone(store: Store, tmp_path: Path) -> None:
    lock = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    lock.execute("begin immediate")
    writer = Writer(store.engine)
    writer.start()
    writer.append(RUN, CommandId(1, 0), a_segment())
    assert not writer.close(0.1)
    lock.execute("rollback")
    lock.close()
    writer._thread.join(10)


# --- killed -------------------------------------------------------------------------------------------------------------
CHILD = """
import os, sys
sys.path.insert(0, {here!r})
from history_builders import a_segment, a_visit
from ccserver.core.ids import CommandId
from ccserver.store.database import Store
from ccserver.store.writer import Writer
from sqlalchemy import event
store = Store("sqlite:///" + sys.argv[1])
start, deaths = int(sys.argv[2]), sys.argv[3]
writer = Writer(store.engine, batch_rows=10, batch_s=0.01)
if deaths == "after_commit":      # committed, and nobody was told
    settle, done = writer._settle, []
    def dying(count):
        done.append(count)
        if len(done) == 3:
            os.kill(os.getpid(), 9)
        settle(count)
    writer._settle = dying
if deaths == "before_commit":
    done = []
    @event.listens_for(store.engine, "commit")
    def dying(connection):
        done.append(1)
        if len(done) == 3:
            os.kill(os.getpid(), 9)
writer.start()
print("started", flush=True)
for seq in range(start, 3001):
    writer.append("{run}", CommandId(seq, 0), a_segment(seq))
    writer.append("{run}", CommandId(seq, 1), a_visit(seq))
sys.exit(0 if writer.close(60) else 1)
"""


def child(path: Path, start: int, deaths: str) -> subprocess.Popen[str]:
    code = CHILD.format(here=str(Path(__file__).parent), run=RUN)
    return subprocess.Popen([sys.executable, "-c", code, str(path), str(start), deaths], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("deaths", ["after_commit", "before_commit", "any_time"])
def test_killed_and_replayed(store: Store, tmp_path: Path, deaths: str) -> None:
    path, chance = tmp_path / "history.db", random.Random(5)
    for _ in range(3):
        applied = store.applied(RUN)
        start = 1 if applied is None else max(1, applied.seq - 20)  # a replay begins at the snapshot before
        process = child(path, start, deaths)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if deaths == "any_time":
            threading.Event().wait(chance.uniform(0.0, 0.2))  # the instant of the kill is what varies here
            process.send_signal(signal.SIGKILL)
        assert process.wait(60) in (-signal.SIGKILL, 0)
        process.stdout.close()
        applied = store.applied(RUN)
        done = 0 if applied is None else 2 * applied.seq - 1 + applied[1]
        assert rows(store) + rows(store, schema.queue_visits) == done  # the note and the rows agree, whenever it died
    process = child(path, 1, "never")
    assert process.wait(60) == 0
    assert process.stdout is not None
    process.stdout.close()
    assert (rows(store), rows(store, schema.queue_visits)) == (3000, 3000)
    assert store.applied(RUN) == CommandId(3000, 1)
    assert store.check() == []


def test_contradictions_are_found(store: Store) -> None:
    with a_writer(store) as writer:
        writer.append(RUN, CommandId(1, 0), a_visit(1))
        writer.append(RUN, CommandId(2, 0), a_visit(1))
        writer.append(RUN, CommandId(3, 0), a_visit(2, queue=QueueId("x"), agent=AgentId("9"), entered_utc_s=NOON_S))
        writer.append(RUN, CommandId(4, 0), a_call(20_000))
    with store.engine.begin() as connection:
        connection.execute(schema.queue_visits.update().where(schema.queue_visits.c.seq == 3).values(outcome="strange"))
        connection.execute(schema.interactions.delete().where(schema.interactions.c.interaction == InteractionId(7)))
    found = " / ".join(each.what for each in store.check())
    assert "1 queue visits have an outcome that totals do not know" in found
    assert "1 queue visits are within the service level without an answer" in found
    assert "1 rows of queue_visits are there more than once" in found
    assert "2 old interactions have rows in queue_visits but none of their own" in found
    with store.engine.begin() as connection:
        connection.execute(schema.interactions.delete())
    assert any("4" in each.what and "projection wrote" in each.what for each in store.check())

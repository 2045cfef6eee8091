"""The audit log as a chain: whoever writes extends it, and whatever is done to it by hand is found and named."""

import multiprocessing
import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from history_builders import NOON_S, a_segment
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from ccserver.core.ids import CommandId, InteractionId
from ccserver.core.records import AuditRecord
from ccserver.store import audit, chain, schema
from ccserver.store.chain import BEGINNING, Head, NoHead, Verified
from ccserver.store.database import Store
from ccserver.store.rows import row_of
from ccserver.store.writer import Writer

RUN = "000001-aaaaaaaa"


def an_act(number: int) -> AuditRecord:
    return AuditRecord(
        by="maria",
        act="call_hangup",
        what=f"call {number} «día»",
        is_done=True,
        at_utc_s=NOON_S + number / 3,
        interaction=InteractionId(number),
    )


def written(store: Store, numbers: range, run: str = RUN) -> None:
    writer = Writer(store.engine)
    writer.start()
    for number in numbers:
        writer.append(run, CommandId(number, 0), an_act(number))
        writer.append(run, CommandId(number, 1), a_segment(number))
    assert writer.close(20)


def verified(store: Store, expected: Head | None = None) -> Verified:
    with store.reading() as connection:
        return chain.verify(connection, expected)


def by_hand(store: Store, *statements: str) -> None:
    """As somebody with a database client would, who takes the guards away first."""
    with store.engine.begin() as connection:
        for name in ("audit_no_update", "audit_no_delete"):
            connection.execute(text(f"drop trigger if exists {name}"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_empty_log_fits(store: Store) -> None:
    assert verified(store) == Verified(rows=0, head=Head(0, BEGINNING), fault="")


def test_the_daemon_and_the_commands_extend_one_chain(store: Store) -> None:
    written(store, range(1, 260))
    audit.record_access(store, by="root", act="recording_play", what="a file", interaction=7)
    written(store, range(260, 300))
    found = verified(store)
    assert (found.rows, found.head.position, found.fault) == (300, 300, "")
    with store.engine.connect() as connection:
        assert chain.head(connection) == found.head
    assert store.check() == []


def test_what_is_told_twice_has_one_place(store: Store) -> None:
    written(store, range(1, 50))
    before = verified(store).head
    written(store, range(1, 50))
    assert verified(store) == Verified(rows=49, head=before, fault="")
    written(store, range(40, 60))
    assert verified(store).rows == 59
    writer = Writer(store.engine)
    for number in (60, 60, 61):
        writer.append(RUN, CommandId(number, 0), an_act(number))
    writer.start()
    assert writer.close(20)
    assert verified(store).rows == 61
    assert store.check() == []


def test_an_act_that_is_undone_leaves_no_place(store: Store) -> None:
    class Undone(Exception):
        pass

    with pytest.raises(Undone), store.engine.begin() as connection:
        audit.append(connection, by="root", act="x", what="", is_done=True, at=datetime.now(UTC))
        raise Undone
    assert verified(store) == Verified(rows=0, head=Head(0, BEGINNING), fault="")


def _acts(url: str, count: int) -> None:
    store = Store(url)
    for _ in range(count):
        audit.record_access(store, by="root", act="recording_play", what="a file")
    store.close()


def test_several_processes_and_threads_at_once(store: Store) -> None:
    url = str(store.engine.url)
    others = [multiprocessing.get_context("spawn").Process(target=_acts, args=(url, 15)) for _ in range(2)]
    threads = [threading.Thread(target=written, args=(store, range(1, 80), f"00000{n}-a")) for n in (1, 2)]
    for each in (*others, *threads):
        each.start()
    for each in (*others, *threads):
        each.join(60)
    assert [each.exitcode for each in others] == [0, 0]
    found = verified(store)
    assert (found.rows, found.fault) == (2 * 15 + 2 * 79, "")


@pytest.mark.parametrize("statement", ["update audit set what = 'nothing'", "delete from audit"])
def test_the_database_refuses_to_change_it(store: Store, statement: str) -> None:
    written(store, range(1, 4))
    with pytest.raises(DatabaseError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(statement))
    assert verified(store).rows == 3


MOVED = (
    "update audit set position = -1 where position = 8",
    "update audit set position = 8 where position = 9",
    "update audit set position = 9 where position = -1",
)
PUT_IN = "insert into audit select 'x', 1, 0, by, act, what, is_done, at, interaction, agent, {}, digest from audit where position = 5"
CUT = "delete from audit where position > 15"
CUT_HEAD = "update audit_head set position = 15, digest = (select digest from audit where position = 15)"


@pytest.mark.parametrize(
    ("statements", "says", "fitting"),
    [
        (["update audit set what = 'call 9' where position = 7"], "row 7 does not fit", 6),
        (["update audit set is_done = 0 where position = 1"], "row 1 does not fit", 0),
        (["update audit set at = '2026-01-01 12:00:00.000001' where position = 20"], "row 20 does not fit", 19),
        (["update audit set by = 'eva' where position = 3"], "row 3 does not fit.*call_hangup at 2026-01-01 12:00:01", 2),
        (["update audit set digest = '00' where position = 4"], "row 4 does not fit", 3),
        (["delete from audit where position = 5"], "row 5 is missing: the next one there is row 6", 4),
        (["delete from audit where position = 1"], "row 1 is missing", 0),
        (MOVED, "row 8 does not fit", 7),
        ([PUT_IN.format(0)], "1 rows are in no place", 20),
        ([PUT_IN.format(21)], "row 21 does not fit", 20),
        (["update audit set position = position + 1000 where position > 10", PUT_IN.format(11)], "row 11 does not fit", 10),
        ([CUT], "row 16 is missing: the log was cut off there, it had 20 rows", 15),
        (["delete from audit"], "row 1 is missing: the log was cut off", 0),
        (["update audit_head set position = 19"], "row 20 and what follows was put in by hand", 20),
    ],
)
def test_what_was_done_by_hand_is_named(store: Store, statements: list[str], says: str, fitting: int) -> None:
    written(store, range(1, 21))
    by_hand(store, *statements)
    found = verified(store)
    assert (found.fault and found.rows) == fitting
    assert re.search(says, found.fault), found.fault
    assert any("audit log is not as it was written" in each.what for each in store.check())


def test_a_head_that_was_noted_finds_what_the_chain_cannot(store: Store) -> None:
    written(store, range(1, 21))
    noted = verified(store).head
    by_hand(store, CUT, CUT_HEAD)
    assert verified(store).fault == ""
    assert "row 16 is missing: the log was cut off there, it had 20 rows when that was noted" in verified(store, noted).fault
    # and one that was made up as a whole
    written(store, range(101, 120))
    assert verified(store).fault == ""
    assert "row 20 is not the one whose digest was noted" in verified(store, noted).fault
    assert "another audit log" in verified(store, Head(0, "0" * 64)).fault
    assert verified(store, Head(0, BEGINNING)).fault == ""


def test_it_goes_on_after_a_noted_head(store: Store) -> None:
    written(store, range(1, 5))
    noted = verified(store).head
    written(store, range(5, 9))
    assert verified(store, noted) == verified(store)


@pytest.mark.parametrize("given", ["", "7", "7:ab", "x:" + "0" * 64, "7:" + "G" * 64, f"7:{'0' * 64}\n", "-1:" + "0" * 64])
def test_what_is_no_head(given: str) -> None:
    with pytest.raises(NoHead, match="POSITION:DIGEST"):
        Head.parse(given)


def test_it_is_read_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written(store, range(1, 31))
    for rows in (1, 7, 30, 31):
        monkeypatch.setattr(chain, "ROWS_AT_ONCE", rows)
        assert verified(store).rows == 30


KILLED = """
import os, signal, sys
from ccserver.store import chain
from ccserver.store.database import Store
from ccserver.store.rows import row_of
from test_chain import written
real, calls, fatal = chain.extend, 0, int(sys.argv[2])

def extend(connection, rows):
    global calls
    calls += 1
    placed = real(connection, rows)
    if calls == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return placed

chain.extend = extend
for numbers in (range(1, 120), range(120, 250)):
    written(Store(sys.argv[1]), numbers)
"""


@pytest.mark.parametrize("fatal", [1, 2])
def test_killed_in_the_middle_of_a_batch(store: Store, fatal: int) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(store.engine.url), str(fatal)], check=False, cwd=Path(__file__).parent)
    found = verified(store)
    assert found.fault == "" and found.rows < 249
    written(store, range(1, 250))  # the journal tells it all again
    assert verified(store).rows == 249
    assert store.check() == []


def test_rows_of_before_are_chained_by_the_upgrade(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/old.db")
    store.upgrade("0005")
    insert = "insert into audit values (:run, :seq, 0, 'maria', 'act', :what, 1, :at, null, '101')"
    with store.engine.begin() as connection:
        for run, seq, second in (("000002-b", 1, 9), ("000001-a", 1, 3), ("access", 1, 5), ("000001-a", 2, 4)):
            at = f"2026-01-01 12:00:0{second}.123456"
            connection.execute(text(insert), {"run": run, "seq": seq, "what": "día", "at": at})
    store.upgrade()
    found = verified(store)
    assert (found.rows, found.fault) == (4, "")
    with store.engine.connect() as connection:
        runs = connection.execute(text("select run, seq from audit order by position")).all()
    assert [tuple(run) for run in runs] == [("000001-a", 1), ("000001-a", 2), ("access", 1), ("000002-b", 1)]
    written(store, range(10, 12))
    assert verified(store).rows == 6
    store.close()


def test_each_stored_field_counts() -> None:
    _, row = row_of(RUN, CommandId(1, 0), replace(an_act(1), agent=None))
    digest = chain.digest_of(BEGINNING, 1, row)
    assert set(chain.CHAINED) == set(schema.audit.c.keys()) - {"position", "digest"}
    for name in chain.CHAINED:
        changed = row | {
            name: datetime(2020, 1, 1, tzinfo=UTC) if name == "at" else not row[name] if name == "is_done" else "x"
        }
        assert chain.digest_of(BEGINNING, 1, changed) != digest, name
    assert chain.digest_of(BEGINNING, 2, row) != digest
    assert chain.digest_of(digest, 1, row) != digest

"""Look-ups by SQL on real SQLite files (missing, locked, slow, and never written to), and by a Python function."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from outside import Bench

from ccserver.config.look_up_edges import BreakerRules, PythonLookUp, SqlLookUp
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import ValueType
from ccserver.core.ids import LookUpId

T, N, B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
SLOW = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as i from n where i > :order"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "a shop's.db"  # with what an address would have to escape
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("create table orders (number text, status text, amount real, due date, is_paid integer)")
        made.executemany(
            "insert into orders values (?, ?, ?, ?, ?)",
            [("4711", "sent", 12.5, "2026-12-25", 1), ("4711", "older", 1, None, 0), ("4712", None, 3, None, 0)],
        )
    return file


def orders(sql: str = "select status, amount, is_paid from orders where number = :order", **more: object) -> SqlLookUp:
    given = {"parameters": {"order": T}, "gives": {"status": T, "amount": N, "is_paid": B}, "timeout_s": 1.0, **more}
    return SqlLookUp(sql=sql, database="shop", **given)  # type: ignore[arg-type]


def configure(bench: Bench, file: Path, look_up: SqlLookUp) -> None:
    bench.configure({"shop": f"sqlite:///{file}"}, orders=look_up)


def test_the_first_row_counts(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders())
    answer = bench.ask("orders", order="4711")
    assert (answer.end, answer.values) == (LookUpEnd.FOUND, {"status": "sent", "amount": 12.5, "is_paid": True})


def test_no_row_is_missing(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders())
    assert bench.ask("orders", order="9").end is LookUpEnd.MISSING


def test_parameters_are_bound_and_never_part_of_the_statement(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders())
    assert bench.ask("orders", order="x' or '1'='1").end is LookUpEnd.MISSING
    assert bench.ask("orders", order="4711'; drop table orders --").end is LookUpEnd.MISSING
    assert bench.ask("orders", order="4711").end is LookUpEnd.FOUND


def test_a_secret_is_bound_like_any_other(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders("select 1 from orders where number = :secret", parameters={"secret": T}, gives={}))
    assert bench.ask("orders", bytearray(b"4711")).end is LookUpEnd.FOUND
    assert bench.ask("orders", bytearray(b"9999")).end is LookUpEnd.MISSING


def test_a_field_that_does_not_fit_is_named_and_its_value_is_not(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders())
    with structlog.testing.capture_logs() as logs:
        answer = bench.ask("orders", order="4712")
    assert answer.reason == "the answer does not fit: status is nothing, and no text"
    assert "4712" not in repr(logs)
    configure(bench, shop, orders(gives={"state": T}))
    assert bench.ask("orders", order="4711").reason == "the answer does not fit: state is missing, and no text"


def test_numbers_and_truths_are_bound_as_such(bench: Bench, shop: Path) -> None:
    sql = "select typeof(:n) || typeof(:h) || typeof(:t) || :t as kinds"
    configure(bench, shop, orders(sql, parameters={"n": N, "h": N, "t": B}, gives={"kinds": T}))
    assert bench.ask("orders", n=3.0, h=0.5, t=True).values == {"kinds": "integerrealinteger1"}


# --- it cannot write --------------------------------------------------------------------------------------------------------
def test_the_connection_cannot_write_whatever_the_statement_says(bench: Bench, shop: Path, tmp_path: Path) -> None:
    """The settings take only what selects; here past them."""
    before = shop.read_bytes()
    for sql in (
        "with gone as (select 1) delete from orders where number = :order",
        "with gone as (select 1) insert into orders (number) values (:order)",
    ):
        configure(bench, shop, orders(sql, gives={}))
        answer = bench.ask("orders", order="4711")
        assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "the database says SQLITE_READONLY")
    assert shop.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [shop]  # no journal, no WAL


# --- what goes wrong --------------------------------------------------------------------------------------------------------
def test_a_file_that_is_not_there_is_not_made(bench: Bench, tmp_path: Path) -> None:
    configure(bench, tmp_path / "none.db", orders(tries=3))
    assert bench.ask("orders", order="4711").reason == "the database says SQLITE_CANTOPEN"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("what is this? " * 100)
    configure(bench, tmp_path / "text.db", orders())
    assert bench.ask("orders", order="4711").reason == "the database says SQLITE_NOTADB"


def test_a_statement_that_does_not_fit_the_tables_says_which_part(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders("select state from orders where number = :order"))
    answers = [bench.ask("orders", order="4711").reason for _ in range(6)]
    assert answers == ["the database says SQLITE_ERROR (no such column: state)"] * 6  # it answers: nothing rests


def test_a_slow_statement_is_stopped_in_time(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders(SLOW, gives={"i": N}, timeout_s=0.3))
    answer, took_s = bench.timed("orders", order="1")
    assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "no answer in time")
    assert 0.25 <= took_s < 0.8
    # The thread is free again: it was told to stop, not left behind.
    slow = [bench.begin("orders", order=str(n)) for n in range(4)]
    bench.loop.until(lambda: all(slow), "four at once, stopped")
    configure(bench, shop, orders())
    assert bench.ask("orders", order="4711").end is LookUpEnd.FOUND


def test_a_locked_file_is_waited_for_and_given_up_in_time(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders(timeout_s=0.3))
    with closing(sqlite3.connect(shop, isolation_level=None)) as other:
        other.execute("begin exclusive")
        answer, took_s = bench.timed("orders", order="4711")
        assert (answer.end, answer.reason) == (LookUpEnd.FAILED, "the database says SQLITE_BUSY")
        assert 0.25 <= took_s < 0.8
        configure(bench, shop, orders(timeout_s=5.0))
        answers = bench.begin("orders", order="4711")
        later_s = bench.loop.seconds() + 0.2
        bench.loop.until(lambda: bench.loop.seconds() > later_s, "a moment in which it waits for the lock")
        assert not answers
        other.execute("commit")
    bench.loop.until(lambda: bool(answers), "the answer after the lock")
    assert answers[0].end is LookUpEnd.FOUND


def test_a_locked_file_is_tried_again(bench: Bench, shop: Path) -> None:
    configure(bench, shop, orders(timeout_s=0.1, tries=3))
    with closing(sqlite3.connect(shop, isolation_level=None)) as other:
        other.execute("begin exclusive")
        assert bench.ask("orders", order="4711").end is LookUpEnd.FAILED
    assert bench.counted("ccserver_look_up_tries_again_total", look_up="orders") == 2


def test_a_file_that_was_replaced_is_seen(bench: Bench, shop: Path, tmp_path: Path) -> None:
    configure(bench, shop, orders("select amount from orders where number = :order", gives={"amount": N}))
    assert bench.ask("orders", order="4711").values == {"amount": 12.5}
    newer = tmp_path / "newer.db"
    with closing(sqlite3.connect(newer)) as made, made:
        made.execute("create table orders (number text, amount real)")
        made.execute("insert into orders values ('4711', 99)")
    newer.replace(shop)
    assert bench.ask("orders", order="4711").values == {"amount": 99.0}


def test_a_database_that_changed_in_the_settings_wakes_its_look_ups(bench: Bench, shop: Path, tmp_path: Path) -> None:
    look_up = orders(breaker=BreakerRules(failures=1, rest_s=60.0))
    configure(bench, tmp_path / "none.db", look_up)
    bench.ask("orders", order="4711")
    assert bench.ask("orders", order="4711").reason == "it rests after failures"
    configure(bench, shop, look_up)
    assert bench.ask("orders", order="4711").end is LookUpEnd.FOUND


# --- Python -----------------------------------------------------------------------------------------------------------------
def test_a_python_function_is_asked_through_its_runner(bench: Bench) -> None:
    risk = PythonLookUp(function="risk.score", parameters={"customer": T}, gives={"score": N}, timeout_s=2.0)
    bench.configure(risk=risk)
    bench.functions.gives["risk.score"] = lambda customer: {"score": len(customer), "more": object()} if customer else None
    assert bench.ask("risk", customer="abc").values == {"score": 3.0}
    assert bench.ask("risk", customer="").end is LookUpEnd.MISSING
    assert bench.functions.calls[0] == ("risk.score", {"customer": "abc"}, {}, "en", 2.0)

    def fail(customer: str) -> None:
        raise KeyError(customer)

    bench.functions.gives["risk.score"] = fail
    with structlog.testing.capture_logs() as logs:
        assert bench.ask("risk", customer="666123987").reason == "the function failed: KeyError"
    assert "666123987" not in repr(logs)
    assert bench.edge.breakers()[LookUpId("risk")].value == "closed"

"""The orders' functions without a call. Run with: pytest /etc/ccserver/scripts"""

import sqlite3
from contextlib import closing
from pathlib import Path

import orders
import pytest
from asterisk.agi import AGIHangup

from ccserver.scripts import Call, Rehearsal, Result


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "DATABASE", str(tmp_path / "orders.db"))
    with closing(sqlite3.connect(orders.DATABASE)) as made, made:
        made.execute("CREATE TABLE orders (number TEXT, phone TEXT, status TEXT, amount REAL)")
        made.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            [("0123", "+34911222333", "paid", 12.5), ("0124", "+34911222333", "late", 80)],
        )


def test_an_order_is_found_and_its_status_is_said() -> None:
    line = Rehearsal(digits="0124#")
    assert line.run(orders.check) == Result("late", order="0124", amount=80.0)
    assert line.said == ["order-number", "order-late"]


def test_a_second_try() -> None:
    line = Rehearsal(digits="999#0123#")
    assert line.run(orders.check).word == "paid"
    assert line.said == ["order-number", "order-unknown", "order-number", "order-paid"]


def test_who_types_nothing_gives_up() -> None:
    line = Rehearsal()
    assert line.run(orders.check).word == "gave_up"
    assert len(line.said) == 2 * orders.TRIES


def test_who_hangs_up_ends_it() -> None:
    with pytest.raises(AGIHangup):
        Rehearsal(digits="01!").run(orders.check)


def test_the_score_of_a_number() -> None:
    assert orders.score(Call(caller_number="+34911222333")) == {"unpaid": 1, "is_regular": False}
    assert orders.score(Call(caller_number="+34600000000")) is None

"""What typed digits are held against: a hash out of a database, or another system that is given them."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from outside import EN, Bench, Crm, raw, says
from twisted.internet.defer import Deferred, execute

from ccserver.agi.secrets import SecretAnswer, hash_pin
from ccserver.config.look_up_edges import AnyLookUp, HttpLookUp, HttpMethod, SqlLookUp
from ccserver.core.commands import SecretCheck
from ccserver.core.expressions import ValueType
from ccserver.core.ids import LookUpId
from ccserver.daemon.secret_checks import SecretChecks
from ccserver.lookups.http import HttpAsker

T = ValueType.TEXT
PIN = "083915"
MakeCrm = Callable[..., Crm]


class Desk:
    """Checks, with threads that a test does itself."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.hashed = 0
        self.checks = SecretChecks(bench.edge, self._on_thread)
        self.logs: list[str] = []

    def _on_thread(self, work: Callable[[], bool]) -> "Deferred[bool]":
        self.hashed += 1
        return execute(work)

    def check(self, digits: str = PIN, hash_field: str = "", token_field: str = "", **parameters: str) -> SecretAnswer:
        rule = SecretCheck(look_up=LookUpId("pins"), parameters=parameters, hash_field=hash_field, token_field=token_field)
        answers: list[SecretAnswer] = []
        with structlog.testing.capture_logs() as logs:
            self.checks.check(rule, bytearray(digits.encode()), EN).addCallback(answers.append)
            self.bench.loop.until(lambda: bool(answers), "an answer")
        self.logs.extend(str(entry["event"]) for entry in logs)
        assert digits not in repr(logs) + repr(answers)
        return answers[0]


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bank") / "bank.db"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("create table customers (number text, pin_hash text, token text, pin text)")
        rows = [("1", hash_pin(PIN), "tok-1", PIN), ("2", "plain$083915", "tok-2", "1"), ("3", None, "tok-3", "1")]
        made.executemany("insert into customers values (?, ?, ?, ?)", rows)
    return file


def by_hash(bench: Bench, bank: Path) -> None:
    sql = "select pin_hash, token from customers where number = :customer"
    gives = {"pin_hash": T, "token": T}
    look_up: AnyLookUp = SqlLookUp(sql=sql, database="bank", parameters={"customer": T}, gives=gives)
    bench.configure({"bank": f"sqlite:///{bank}"}, pins=look_up)


def test_by_a_hash(bench: Bench, desk: Desk, bank: Path) -> None:
    by_hash(bench, bank)
    assert desk.check(hash_field="pin_hash", token_field="token", customer="1") == SecretAnswer(is_ok=True, token="tok-1")
    assert desk.check(hash_field="pin_hash", customer="1") == SecretAnswer(is_ok=True)
    assert desk.check("083916", hash_field="pin_hash", token_field="token", customer="1") == SecretAnswer(is_ok=False)


def test_who_is_not_there_takes_the_same_work_to_no(bench: Bench, desk: Desk, bank: Path) -> None:
    by_hash(bench, bank)
    assert desk.check(hash_field="pin_hash", customer="99") == SecretAnswer(is_ok=False)
    assert desk.hashed == 1


def test_a_hash_that_is_none_cannot_be_checked_and_is_told(bench: Bench, desk: Desk, bank: Path) -> None:
    by_hash(bench, bank)
    assert desk.check(hash_field="pin_hash", customer="2") == SecretAnswer(is_ok=None)
    assert "secret_hash.unusable" in desk.logs
    assert desk.check(hash_field="pin_hash", customer="3") == SecretAnswer(is_ok=None)  # no hash in the database


def test_by_sql_that_is_given_them(bench: Bench, desk: Desk, bank: Path) -> None:
    sql = "select token from customers where number = :customer and pin = :secret"
    given = {"customer": T, "secret": T}
    bench.configure(
        {"bank": f"sqlite:///{bank}"}, pins=SqlLookUp(sql=sql, database="bank", parameters=given, gives={"token": T})
    )
    assert desk.check(token_field="token", customer="1") == SecretAnswer(is_ok=True, token="tok-1")
    assert desk.check("083916", customer="1") == SecretAnswer(is_ok=False)
    bench.configure({"bank": f"sqlite:///{bank}.none"}, pins=SqlLookUp(sql=sql, database="bank", parameters=given))
    assert desk.check(customer="1") == SecretAnswer(is_ok=None)
    assert desk.hashed == 0


def test_by_http_that_is_given_them(bench: Bench, desk: Desk, crm: MakeCrm) -> None:
    server = crm(says({"token": "tok-1"}), raw(b"", 404), raw(b"083915 is locked", 500), says({}))
    given = {"customer": T, "secret": T}
    bench.configure(
        pins=HttpLookUp(url=server.url("/check"), method=HttpMethod.POST, parameters=given, gives={"token": T}, tries=1)
    )
    assert desk.check(token_field="token", customer="1") == SecretAnswer(is_ok=True, token="tok-1")
    assert desk.check(customer="1") == SecretAnswer(is_ok=False)
    assert desk.check(customer="1") == SecretAnswer(is_ok=None)
    assert json.loads(server.asked[0].body) == {"customer": "1", "secret": PIN}


def test_after_it_no_body_of_a_request_holds_them(
    bench: Bench, desk: Desk, crm: MakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytearray] = []
    exchange = HttpAsker._exchange

    def watched(self: HttpAsker, target: str, headers: dict[str, str], body: bytearray, limit: Any) -> tuple[int, bytes]:
        assert PIN.encode() in body
        bodies.append(body)
        return exchange(self, target, headers, body, limit)

    monkeypatch.setattr(HttpAsker, "_exchange", watched)
    look_up = HttpLookUp(url=crm(says({})).url(), method=HttpMethod.POST, parameters={"secret": T}, tries=1)
    bench.configure(pins=look_up)
    desk.check()
    assert [any(body) for body in bodies] == [False]

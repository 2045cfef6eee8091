"""`ccserver look-up`: against a real demo database, a function and a server."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cli_desk import a_configuration
from click.testing import CliRunner, Result

from ccserver.agi.secrets import check_pin
from ccserver.cli import root
from ccserver.lookups.demo import CUSTOMERS

LOOK_UPS = """
scripts_dir: FOLDER/scripts
databases: {demo: {url: "sqlite:///FOLDER/demo.db"}}
look_ups:
  orders:
    sql: select status, amount, due from orders where number = :order
    database: demo
    parameters: {order: text}
    gives: {status: text, amount: number, due: text}
  customer:
    http: http://127.0.0.1:PORT/customers
    parameters: {number: text, last: number}
    gives: {name: text}
    timeout_s: 1
    tries: 1
  risk: {python: risk.score, parameters: {customer: text, is_new: truth}, gives: {score: number}}
  pin: {sql: "select 1 from customers where number = :secret", database: demo, parameters: {secret: text}}
"""


class Customers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"name": f"asked \x1b[2J{self.path}"}).encode())

    def log_message(self, *_: object) -> None:
        pass


class Desk:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.config = a_configuration(folder)
        self.config.write_text(self.config.read_text() + LOOK_UPS.replace("FOLDER", str(folder)).replace("PORT", str(port)))
        (folder / "scripts").mkdir(mode=0o700)
        (folder / "scripts/risk.py").write_text(
            "def score(call):\n"
            "    customer = call.parameters['customer']\n"
            "    if customer == 'nobody':\n        return None\n"
            "    return {'score': 1 / len(customer) + call.parameters['is_new']}\n"
        )

    def run(self, *arguments: str) -> Result:
        command = ["look-up", *arguments]
        if arguments[0] != "demo-database":
            command[2:2] = ["--config", str(self.config)]
        return CliRunner().invoke(root, command)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return json.loads(result.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = HTTPServer(("127.0.0.1", 0), Customers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    made = Desk(tmp_path, server.server_address[1])
    assert made.run("demo-database", str(tmp_path / "demo.db")).exit_code == 0
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_demo_database_has_what_the_self_service_needs(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.folder / "demo.db")) as database:
        hashes = dict(database.execute("select number, pin_hash from customers"))
        assert all(check_pin(each.pin, hashes[each.number]) for each in CUSTOMERS)
        confirmed = database.execute("select confirmed from appointments where customer = '1001'").fetchall()
    assert confirmed == [(0,)]
    assert sorted(file.name for file in desk.folder.glob("demo.db*")) == ["demo.db"]
    again = desk.run("demo-database", str(desk.folder / "demo.db"))
    assert (again.exit_code, "it is there already" in again.stderr) == (1, True)


def test_a_look_up_is_tried(desk: Desk) -> None:
    due = (datetime.now(UTC).date() + timedelta(days=2)).isoformat()
    assert desk.json("try", "orders", "order=4711") == {
        "ok": True,
        "end": "found",
        "values": {"status": "sent", "amount": 49.9, "due": due},
        "reason": "",
    }
    result = desk.run("try", "orders", "order=4711")
    assert (result.exit_code, result.stdout) == (0, f"found\n  status: sent\n  amount: 49.9\n  due: {due}\n")
    missing = desk.run("try", "orders", "order=99")
    assert (missing.exit_code, missing.stdout) == (1, "missing\n")


def test_by_http_and_by_a_function_too(desk: Desk) -> None:
    result = desk.run("try", "customer", "number=+34 91", "last=3.5")
    assert result.stdout == "found\n  name: asked ?[2J/customers?number=%2B34+91&last=3.5\n"
    assert desk.json("try", "risk", "customer=abcd", "is_new=true")["values"] == {"score": 1.25}
    assert desk.json("try", "risk", "customer=nobody", "is_new=false")["end"] == "missing"
    failed = desk.run("try", "risk", "customer=", "is_new=false")
    assert failed.exit_code == 1
    assert "risk.score: ZeroDivisionError: division by zero" in failed.stderr


def test_what_has_failed_says_why(desk: Desk) -> None:
    (desk.folder / "demo.db").unlink()
    answer = desk.json("try", "orders", "order=4711")
    assert (answer["ok"], answer["end"], answer["reason"]) == (False, "failed", "the database says SQLITE_CANTOPEN")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("try", "ordres", "order=1"), 1, "there is no look-up ordres; did you mean orders?"),
        (("try", "orders"), 2, "expected order=… as well"),
        (("try", "orders", "order"), 2, "expected KEY=VALUE with one of the parameters (order), got order"),
        (("try", "orders", "number=1"), 2, "expected KEY=VALUE with one of the parameters (order), got number"),
        (("try", "customer", "number=1", "last=x"), 2, "expected after last= a number, for example 12 or 3.5, got x"),
        (("try", "pin", "secret=2580"), 1, "secret digits"),
    ],
)
def test_what_is_wrongly_asked(desk: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = desk.run(*arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr


def test_they_are_listed(desk: Desk) -> None:
    lines = desk.run("list").stdout.splitlines()
    assert lines[0].split() == ["look-up", "asks", "takes", "gives", "longest"]
    assert "orders    database demo" in lines[1]
    assert "get 127.0.0.1:" in lines[2] and "number: text, last: number" in lines[2]
    shown = {each["look_up"]: each for each in desk.json("list")}
    assert shown["risk"]["asks"] == "function risk.score"
    assert shown["orders"]["gives"] == {"status": "text", "amount": "number", "due": "text"}

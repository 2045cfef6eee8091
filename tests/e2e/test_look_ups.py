"""Callers whose flow asks outside: a database, a slow server, one that is down, and a PIN that is found nowhere afterwards."""

import asyncio
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness.center import MUSIC_HZ, PROMPTS_HZ, Center, Site
from harness.ledger import Ledger
from harness.passages import newest, walked
from harness.waiting import until

from ccserver.agi.secrets import hash_pin
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess
from ccserver.lookups.demo import make_demo

CRM_PORT = 9421
ORDERS, SLOW, DOWN, BY_HASH, BY_SERVER = "960", "961", "962", "963", "964"
ASK, SENT, OTHER, MISSING, FAILED, GOOD, BAD = (
    PROMPTS_HZ[prompt]
    for prompt in ("welcome", "cc-closed", "cc-call-lost", "cc-queue-full", "cc-unavailable", "paid", "cc-transfer-unknown")
)
# Long enough that neither can stand in a time or a number by chance.
PIN, WRONG_PIN, CARD = "7305918264", "4168029357", "4970101234567890"
SLOW_S = 2.0
REST_S = 3.0


class Crm:
    """Answers slowly at /slow, errs at /down until it is mended, and knows one card at /card."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_down = True
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                crm.asked.append(self.path)
                if self.path.startswith("/slow"):
                    time.sleep(SLOW_S)
                self._say(500 if self.path.startswith("/down") and crm.is_down else 200, {"name": "Ana", "level": 3})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                crm.asked.append(self.path)
                is_known = body == {"customer": "1001", "secret": CARD}
                self._say(200 if is_known else 404, {"token": "tok-17"} if is_known else {})

            def _say(self, status: int, value: object) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(value).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", CRM_PORT), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture(scope="module")
def crm(pbx: Asterisk) -> Iterator[Crm]:
    made = Crm()
    yield made
    made.server.shutdown()
    made.server.server_close()


def flow(nodes: dict[str, Any], variables: dict[str, str], *, asks: bool = True, **prompts: str) -> dict[str, Any]:
    """`prompts`: what is said at the nodes at which it ends. One that asks the caller something leads to people too."""
    exits = {"failure": "failed", **({"no_input": "people", "invalid": "people", "operator": "people"} if asks else {})}
    return {
        "start": next(iter(nodes)),
        "variables": variables,
        "exits": {**exits, "operator_key": "*"},
        "nodes": {
            **nodes,
            **{name: {"hang_up": True, "say": prompt} for name, prompt in prompts.items()},
            "failed": {"hang_up": True, "say": "cc-unavailable"},
            **({"people": {"enqueue": "sales"}} if asks else {}),
        },
    }


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    made.directory.mkdir(exist_ok=True)
    demo = made.directory / "demo.db"
    make_demo(demo, hash_pin=hash_pin, today=date(2026, 11, 27))
    with closing(sqlite3.connect(demo)) as database, database:
        database.execute("update customers set pin_hash = ? where number = '1001'", (hash_pin(PIN),))
    whole = made.settings()
    asks = {"timeout_s": 4, "tries": 2}
    server = {"parameters": {"number": "text"}, "gives": {"level": "number"}}
    status = {"sent": "cc-closed", "other": "cc-call-lost"}
    verdict = {"known": "paid", "bad": "cc-transfer-unknown"}
    secret = {"secret": "welcome", **asks, "into": "token", "next": "good", "on_invalid": "bad"}
    customer = {"customer": "'1001'"}
    orders = {
        "ask": {"collect": "welcome", "into": "order", "digits": "4", **asks, "next": "find"},
        "find": {
            "look_up": "orders",
            "with": {"order": "order"},
            "into": {"status": "status"},
            "music": "cc-wait",
            "on_found": "which",
            "on_missing": "missing",
        },
        "which": {"branch": [{"when": "status == 'sent'", "then": "sent"}], "otherwise": "other"},
    }

    def asking(name: str) -> dict[str, Any]:
        return {
            "find": {
                "look_up": name,
                "with": {"number": "caller.number"},
                "into": {"level": "level"},
                "music": "cc-wait",
                "on_found": "which",
            },
            "which": {"branch": [{"when": "level == 3", "then": "sent"}], "otherwise": "other"},
        }

    by_hash = {
        "ask": {**secret, "check": {"look_up": "pins", "with": customer, "hash": "pin_hash", "token": "name"}},
        "good": {"branch": [{"when": "token == 'Ana García'", "then": "known"}], "otherwise": "failed"},
    }
    by_server = {
        "ask": {**secret, "max_digits": 16, "check": {"look_up": "card", "with": customer, "token": "token"}},
        "good": {"branch": [{"when": "token == 'tok-17'", "then": "known"}], "otherwise": "failed"},
    }
    flows = {
        "orders": flow(orders, {"order": "text", "status": "text"}, missing="cc-queue-full", **status),
        **{name: flow(asking(name), {"level": "number"}, asks=False, **status) for name in ("slow", "down")},
        "by_hash": flow(by_hash, {"token": "text"}, **verdict),
        "by_server": flow(by_server, {"token": "text"}, **verdict),
    }
    dids = zip((ORDERS, SLOW, DOWN, BY_HASH, BY_SERVER), flows, strict=True)
    made.more = {
        "flows": {**whole["flows"], **flows},
        "dids": {**whole["dids"], **{did: {"flow": flow, "language": "en"} for did, flow in dids}},
        "prompts": {**whole["prompts"], "paid": {"en": "paid", "es": "paid"}},
        "databases": {"demo": {"url": f"sqlite:///{demo}"}},
        "look_ups": {
            "orders": {
                "sql": "select status from orders where number = :order",
                "database": "demo",
                "parameters": {"order": "text"},
                "gives": {"status": "text"},
            },
            "slow": {"http": f"http://127.0.0.1:{CRM_PORT}/slow", "timeout_s": 5, "tries": 1, **server},
            "down": {
                "http": f"http://127.0.0.1:{CRM_PORT}/down",
                "timeout_s": 2,
                "tries": 1,
                "breaker": {"failures": 2, "rest_s": REST_S},
                **server,
            },
            "pins": {
                "sql": "select pin_hash, name from customers where number = :customer",
                "database": "demo",
                "parameters": {"customer": "text"},
                "gives": {"pin_hash": "text", "name": "text"},
            },
            "card": {
                "http": f"http://127.0.0.1:{CRM_PORT}/card",
                "method": "post",
                "parameters": {"customer": "text", "secret": "text"},
                "gives": {"token": "text"},
            },
        },
    }
    return made


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: Site, crm: Crm, runner: asyncio.Runner) -> Iterator[Center]:
    """The daemon with its trace on, so that the trace can be searched for digits too."""
    running = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    yield running
    assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


class Caller:
    """A caller, and what they hear."""

    def __init__(self, phone: Phone, ear: Path) -> None:
        self.phone, self.ear = phone, ear

    async def hears(self, hz: int, at_least_ms: int = 200) -> None:
        await until(lambda: self.heard_ms(hz) >= at_least_ms, what=f"{at_least_ms} ms of {hz} Hz")

    def heard_ms(self, hz: int) -> float:
        return audio.total_ms(audio.heard(self.ear, [hz])[hz]) if self.ear.exists() else 0.0


async def call(center: Center, phones: PhoneProcess, did: str, ear: Path) -> Caller:
    phone = await center.caller(phones, ear.stem, record=str(ear))
    await phone.call(f"sip:{did}@127.0.0.1")
    await phone.wait("up")
    return Caller(phone, ear)


async def types(center: Center, phones: PhoneProcess, did: str, ear: Path, *typed: str) -> Caller:
    """Calls, types at each question, and hears the call to its end."""
    caller = await call(center, phones, did, ear)
    for number, digits in enumerate(typed, 1):
        await caller.hears(ASK, 200 * number)
        await caller.phone.dtmf(digits)
    await caller.phone.wait("ended")
    await center.quiet()
    return caller


async def test_a_caller_types_an_order_and_hears_how_it_stands(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    for order, hears, way in (
        ("4711", SENT, ["which", "sent"]),
        ("4712", OTHER, ["which", "other"]),
        ("9999", MISSING, ["missing"]),
    ):
        before = newest(center)
        caller = await types(center, phones, ORDERS, tmp_path / f"{order}.wav", order)
        assert caller.heard_ms(hears) >= 200
        ((_, steps),) = walked(center, before)
        assert [node for node, _ in steps] == ["ask", "find", *way]


async def test_who_waits_for_a_slow_system_hears_music_and_then_the_answer(
    center: Center, books: Ledger, phones: PhoneProcess, crm: Crm, tmp_path: Path
) -> None:
    caller = await types(center, phones, SLOW, tmp_path / "ear.wav")
    assert caller.heard_ms(MUSIC_HZ) >= 500
    assert caller.heard_ms(SENT) >= 200
    assert "/slow?number=%2B34911222333" in crm.asked
    seen = await center.metrics()
    assert seen['ccserver_look_ups_total{end="found",look_up="slow"}'] == 1
    assert seen['ccserver_look_up_seconds_sum{look_up="slow"}'] >= SLOW_S


async def test_who_hangs_up_meanwhile_is_gone_and_the_answer_harms_nobody(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    before = (await center.metrics()).get('ccserver_look_ups_total{end="found",look_up="slow"}', 0.0)
    caller = await call(center, phones, SLOW, tmp_path / "ear.wav")
    await caller.hears(MUSIC_HZ)
    await caller.phone.hangup()
    await center.quiet()

    async def answered() -> bool:
        return (await center.metrics())['ccserver_look_ups_total{end="found",look_up="slow"}'] > before

    await until(answered, what="the answer that nobody waits for")
    assert (await center.metrics())["ccserver_faults_total"] == 0


async def test_a_system_that_is_down_takes_the_failure_exit_and_is_left_alone(
    center: Center, books: Ledger, phones: PhoneProcess, crm: Crm, tmp_path: Path
) -> None:
    for number in range(3):
        caller = await types(center, phones, DOWN, tmp_path / f"ear{number}.wav")
        assert caller.heard_ms(FAILED) >= 200
    rests_at_s = time.monotonic()
    assert sum(path.startswith("/down") for path in crm.asked) == 2  # the third was not asked
    seen = await center.metrics()
    assert seen['ccserver_look_up_breaker_open{look_up="down"}'] == 1
    assert seen['ccserver_look_ups_not_asked_total{look_up="down",reason="resting"}'] == 1
    crm.is_down = False
    await until(lambda: time.monotonic() > rests_at_s + REST_S, REST_S + 1, what="the end of the rest")
    caller = await types(center, phones, DOWN, tmp_path / "mended.wav")
    assert caller.heard_ms(SENT) >= 200
    assert (await center.metrics())['ccserver_look_up_breaker_open{look_up="down"}'] == 0


async def test_new_settings_ask_anew_without_a_restart(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    orders = center.site.more["look_ups"]["orders"]
    before = orders["sql"]
    orders["sql"] = "select 'lost' as status from orders where number = :order"
    try:
        center.site.write_settings()
        assert "look_ups.orders.sql" in (await center.ask("reload"))["text"]
        caller = await types(center, phones, ORDERS, tmp_path / "ear.wav", "4711")
        assert caller.heard_ms(OTHER) >= 200
    finally:
        orders["sql"] = before
        center.site.write_settings()
        await center.ask("reload")


async def test_a_pin_is_held_against_its_hash(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    caller = await types(center, phones, BY_HASH, tmp_path / "right.wav", f"{PIN}#")
    assert caller.heard_ms(GOOD) >= 200 and caller.heard_ms(BAD) < 50
    caller = await types(center, phones, BY_HASH, tmp_path / "wrong.wav", f"{WRONG_PIN}#", f"{WRONG_PIN}#")
    assert caller.heard_ms(BAD) >= 200 and caller.heard_ms(GOOD) < 50
    caller = await types(center, phones, BY_HASH, tmp_path / "second.wav", f"{WRONG_PIN}#", f"{PIN}#")
    assert caller.heard_ms(GOOD) >= 200


async def test_a_card_is_given_to_the_server_that_knows_it(
    center: Center, books: Ledger, phones: PhoneProcess, crm: Crm, tmp_path: Path
) -> None:
    caller = await types(center, phones, BY_SERVER, tmp_path / "right.wav", CARD)
    assert caller.heard_ms(GOOD) >= 200
    assert crm.asked[-1] == "/card"


async def test_no_digit_of_a_secret_is_kept_anywhere(center: Center, pbx: Asterisk) -> None:
    """After the calls above: not in journal, log, history, trace or Asterisk's own logs, whole or key by key."""
    files = [
        path
        for top in (center.site.directory, pbx.plan.directory / "log", pbx.plan.directory / "spool", center.site.shared)
        for path in top.rglob("*")
        if path.is_file() and path.suffix != ".wav"
    ]
    names = {path.name for path in files}
    folders = {part for path in files for part in path.parts}
    assert {"daemon.log", "history.db", "full"} <= names and {"journal", "trace"} <= folders, files
    told = b""
    for path in files:
        content = path.read_bytes()
        for secret in (PIN, WRONG_PIN, CARD):
            assert secret.encode() not in content, path
        told += b"".join(re.findall(rb'(?:digits?|key|dtmf)"?\s*[:=]\s*"?([0-9*#]+)', content, re.IGNORECASE))
    for secret in (PIN, WRONG_PIN, CARD):
        assert secret.encode() not in told
    journals = [path for path in files if "journal" in path.parts]
    assert any(
        b"tok-17" in path.read_bytes() for path in journals
    )  # what stands for it is there: it was looked in the right place

"""Another system has somebody called next: from the bytes of the request to the row of the database."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh_store import fresh_store
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ccserver.core.events import LeadsAdded
from ccserver.daemon.lead_push import LeadPush
from ccserver.store import lead_book
from ccserver.store.lead_book import Urgency, Wanted
from ccserver.web.api import BODY_BYTES_MAX, api_site
from ccserver.web.calls import Calls
from ccserver.web.campaigns import Campaigns
from ccserver.web.events import EventStream
from ccserver.web.leads import Leads

TOKEN = "a-token"


class AtOnce:
    def on_thread(self, work: Callable[[], Any]) -> "Deferred[Any]":
        return maybeDeferred(work)


class Api:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = fresh_store(f"sqlite:///{folder}/history.db")
        self.posted: list[LeadsAdded] = []
        push = LeadPush(self.store, AtOnce(), lambda: "ES", self.posted.append).push
        nobody: Any = None
        self.site = api_site(
            EventStream(nobody, TOKEN, nobody),
            Calls(lambda *_: Deferred(), TOKEN, self.clock),
            Leads(push, TOKEN, self.clock),
            Campaigns(lambda *_: Deferred(), TOKEN, self.clock),
            self.clock,
        )

    def send(self, body: bytes, *, token: str = TOKEN, path: str = "/v1/leads") -> tuple[int, Any]:
        transport = StringTransport()
        channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
        channel.dataReceived(head.encode() + body)
        answer = transport.value()
        told = answer.split(b"\r\n\r\n", 1)[1]
        is_json = b"application/json" in answer
        return int(answer.split(b" ", 2)[1]), json.loads(
            told[told.index(b"{") : told.rindex(b"}") + 1]
        ) if is_json else told.decode()

    def ask(self, **told: object) -> tuple[int, Any]:
        return self.send(json.dumps(told).encode())

    def leads(self) -> list[lead_book.Lead]:
        with self.store.reading() as connection:
            return lead_book.find(connection, Wanted())


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(tmp_path)
    yield made
    made.store.close()


def test_a_lead_is_pushed_and_pushed_again(api: Api) -> None:
    code, told = api.ask(
        list="spring",
        numbers=["600 111 222", "+34911222333"],
        key="c1",
        name="Eva Luna",
        priority=5,
        time_zone="Atlantic/Canary",
        consent={"kind": "calls", "date": "2026-05-03"},
        fields={"from": "web"},
    )
    assert (code, told) == (200, {"ok": True, "text": "lead 1 of spring is hot", "lead": 1, "is_new": True})
    (lead,) = api.leads()
    assert [each.e164 for each in lead.numbers] == ["+34600111222", "+34911222333"]
    assert (lead.key, lead.name, lead.priority, lead.time_zone, lead.urgency) == (
        "c1",
        "Eva Luna",
        5,
        "Atlantic/Canary",
        Urgency.HOT,
    )
    assert (lead.consent_kind, lead.fields) == ("calls", {"from": "web"})
    assert api.posted == [LeadsAdded(list="spring")]
    code, told = api.ask(list="spring", numbers=["600111222"])
    assert (code, told["lead"], told["is_new"]) == (200, 1, False)
    assert api.posted == [LeadsAdded(list="spring")] * 2, "one that was there is dialled next all the same"


@pytest.mark.parametrize("token", ["", "another"])
def test_nobody_pushes_without_the_token(api: Api, token: str) -> None:
    assert api.send(b'{"list": "spring", "numbers": ["600111222"]}', token=token)[0] == 401
    assert api.leads() == []


GOOD: dict[str, object] = {"list": "spring", "numbers": ["600111222"]}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"list": "spring"},
        {"numbers": ["600111222"]},
        {**GOOD, "numbers": []},
        {**GOOD, "numbers": "600111222"},
        {**GOOD, "numbers": [600111222]},
        {**GOOD, "numbers": ["12"]},
        {**GOOD, "numbers": ["600111222"] * 11},
        {**GOOD, "list": 7},
        {**GOOD, "list": "../x"},
        {**GOOD, "list": "x" * 61},
        {**GOOD, "priority": "5"},
        {**GOOD, "priority": True},
        {**GOOD, "priority": 10**30},
        {**GOOD, "time_zone": "Mars"},
        {**GOOD, "consent": "yes"},
        {**GOOD, "consent": {"kind": "calls"}},
        {**GOOD, "consent": {"kind": "calls", "date": "2026-05-03", "x": "y"}},
        {**GOOD, "fields": []},
        {**GOOD, "fields": {"a": 1}},
        {**GOOD, "fields": {"number2": "600111223"}},
        {**GOOD, "fields": {"": "x"}},
        {**GOOD, "name": "a\x00b"},
        {**GOOD, "name": "x" * 201},
        {**GOOD, "nam\u00e9\x1b[2J": "x"},
    ],
)
def test_what_is_no_lead_is_refused_with_the_reason(api: Api, told: dict[str, object]) -> None:
    code, why = api.ask(**told)
    assert code == 400, why
    assert "\x1b" not in str(why) and api.leads() == [] and api.posted == []


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"[" * 4000, b'{"list": "spring"', b"\xff\xfe"])
def test_what_is_no_json_is_refused(api: Api, body: bytes) -> None:
    assert api.send(body)[0] == 400


def test_other_paths_methods_and_sizes(api: Api) -> None:
    assert api.send(b"{}", path="/v1/leads/7")[0] == 404
    transport = StringTransport()
    channel = api.site.buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(f"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode())
    assert transport.value().startswith(b"HTTP/1.1 413")


def test_a_database_that_is_away_is_told(api: Api) -> None:
    with api.store.engine.begin() as connection:
        connection.exec_driver_sql("drop table lead_numbers")
    code, told = api.ask(**GOOD)
    assert (code, told["ok"]) == (503, False) and "send it again" in told["text"]
    assert api.posted == []

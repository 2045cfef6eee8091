"""Campaigns over HTTP: who may, what is understood, and that nothing that is not reaches the center."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ccserver.web.api import BODY_BYTES_MAX, api_site
from ccserver.web.calls import ANSWER_S, Answer, Calls, NotUnderstood
from ccserver.web.campaigns import ACTS, LOOKS, Campaigns, NoSuchPlace, acted_on, looked_at
from ccserver.web.events import EventStream
from ccserver.web.leads import Leads

TOKEN = "a-token"
HERE = "/v1/campaigns"


class Api:
    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, Mapping[str, object], Deferred[Answer]]] = []
        nobody: Any = None
        self.site = api_site(
            EventStream(nobody, TOKEN, nobody),
            Calls(self._ask, TOKEN, self.clock),
            Leads(nobody, TOKEN, self.clock),
            Campaigns(self._ask, TOKEN, self.clock),
            self.clock,
        )

    def _ask(self, do: str, given: Mapping[str, object]) -> "Deferred[Answer]":
        answer: Deferred[Answer] = Deferred()
        self.asked.append((do, given, answer))
        return answer

    def send(self, verb: str, path: str, body: bytes = b"", token: str | None = TOKEN) -> StringTransport:
        transport = StringTransport()
        self.channel = self.site.buildProtocol(None)
        self.channel.makeConnection(transport)
        lines = [f"{verb} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        self.channel.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)
        return transport

    def get(self, path: str, token: str | None = TOKEN) -> StringTransport:
        return self.send("GET", path, token=token)

    def act(self, path: str = HERE + "/winter", **told: object) -> StringTransport:
        return self.send("POST", path, json.dumps(told).encode())


@pytest.fixture
def api() -> Api:
    return Api()


def code(transport: StringTransport) -> int:
    return int(transport.value().split(b" ", 2)[1])


def told(transport: StringTransport) -> Any:
    body = transport.value().split(b"\r\n\r\n", 1)[1]
    return json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


def test_what_is_looked_at_is_asked_for_by_its_name(api: Api) -> None:
    for path in ("", "/winter", "/winter/explain", "/winter/overdue"):
        api.get(HERE + path)
    api.get(HERE + "/winter/figures?since=2026-11-01&until=2026-11-02T09%3A30%3A00%2B01%3A00")
    winter = {"campaign": "winter"}
    assert [(do, given) for do, given, _ in api.asked] == [
        ("campaigns", {}),
        ("campaign.show", winter),
        ("campaign.explain", winter),
        ("campaign.overdue", winter),
        (
            "campaign.figures",
            {**winter, "since": datetime(2026, 11, 1, tzinfo=UTC), "until": datetime(2026, 11, 2, 8, 30, tzinfo=UTC)},
        ),
    ]
    asked = api.get(HERE)
    api.asked[-1][2].callback(Answer(200, "", {"campaigns": [{"id": "winter"}]}))
    assert (code(asked), told(asked)) == (200, {"ok": True, "campaigns": [{"id": "winter"}]})


@pytest.mark.parametrize("act", [each for each in ACTS if each != "mode"])
def test_an_act_is_done_in_the_name_of_whoever_the_system_asks_for(api: Api, act: str) -> None:
    asked = api.act(act=act, by="ana")
    ((do, given_, answer),) = api.asked
    assert (do, given_) == (f"campaign.{act}", {"campaign": "winter", "by": "api, ana"})
    answer.callback(Answer(409, "it runs already"))
    assert (code(asked), told(asked)) == (409, {"ok": False, "text": "it runs already"})


def test_another_mode_is_asked_for_with_its_name(api: Api) -> None:
    api.act(act="mode", mode="preview")
    assert api.asked[0][:2] == ("campaign.mode", {"campaign": "winter", "mode": "preview", "by": "api"})


@pytest.mark.parametrize("token", [None, "", "another", TOKEN + "x"])
def test_nobody_looks_or_acts_without_the_token(api: Api, token: str | None) -> None:
    assert code(api.get(HERE, token)) == 401
    assert code(api.get(HERE + "/winter/nothing", token)) == 401, "nor learns what there is"
    assert code(api.send("POST", HERE + "/winter", b'{"act": "start"}', token)) == 401
    assert api.asked == []


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"null", b"7", b"{}", b"[" * 4000, b"\xff\xfe", b'{"act": "start"', b'{"act": "start", "act": 7}']
    + [
        json.dumps(each).encode()
        for each in (
            {"act": "explode"},
            {"act": ["start"]},
            {"act": {"start": 1}},
            {"act": None},
            {"act": "start", "mode": "preview"},
            {"act": "start", "mode": None},
            {"act": "mode"},
            {"act": "mode", "mode": 7},
            {"act": "mode", "mode": "x" * 61},
            {"act": "mode", "mode": "pre\x1b[2Jview"},
            {"act": "start", "by": 7},
            {"act": "start", "by": None},
            {"act": "start", "by": "x" * 61},
            {"act": "start", "by": "a\x1b[2J"},
            {"act": "start", "by": "a\r\nAction: Originate"},
            {"act": "start", "by": "\u00e9"},
            {"act": "start", "campaign": "summer"},
        )
    ],
)
def test_what_is_no_act_is_refused_with_the_reason(api: Api, body: bytes) -> None:
    asked = api.send("POST", HERE + "/winter", body)
    assert code(asked) == 400 and b"\x1b" not in asked.value()
    assert api.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/winter/",
        "/winter/nothing",
        "/winter/explain/more",
        "/%00",
        "/a%0d%0ab",
        "/win%1bter",
        "/%ff",
        "/" + "x" * 61,
    ],
)
def test_other_paths_are_not_found(api: Api, path: str) -> None:
    assert code(api.get(HERE + path)) == 404
    assert api.asked == []


@pytest.mark.parametrize("path", ["", "/", "/winter/explain", "/winter/figures", "/%00"])
def test_acts_belong_to_a_campaign(api: Api, path: str) -> None:
    assert code(api.act(HERE + path, act="start")) == 404
    assert api.asked == []


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=",
        "since=2026-13-01",
        "since=2026-11-01&since=2026-11-02",
        "since=" + "1" * 60,
        "since=0001-01-01T00:00%2B14:00",
        "until=9999-12-31T23:59-14:00",
        "since=%ff",
        "since=2026-11-01%00",
        "till=2026-11-01",
        "x=1",
    ],
)
def test_a_period_that_is_none_is_refused(api: Api, query: str) -> None:
    assert code(api.get(f"{HERE}/winter/figures?{query}")) == 400
    assert api.asked == []


@pytest.mark.parametrize("path", ["", "/winter", "/winter/explain", "/winter/overdue"])
def test_what_takes_no_parameters_says_so(api: Api, path: str) -> None:
    assert code(api.get(HERE + path + "?since=2026-11-01")) == 400
    assert api.asked == []


def test_other_verbs_and_long_bodies(api: Api) -> None:
    assert code(api.send("PUT", HERE + "/winter", b'{"act": "start"}')) in (405, 501)
    assert code(api.send("DELETE", HERE + "/winter")) in (405, 501)
    transport = StringTransport()
    channel = api.site.buildProtocol(None)
    channel.makeConnection(transport)
    channel.dataReceived(f"POST {HERE}/winter HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode())
    assert transport.value().startswith(b"HTTP/1.1 413")
    assert api.asked == []


def test_who_is_not_answered_in_time_hears_so_and_who_has_left_hears_nothing(api: Api) -> None:
    late, gone = api.get(HERE + "/winter/explain"), api.get(HERE + "/winter/figures")
    api.channel.connectionLost(Failure(ConnectionDone()))
    api.clock.advance(ANSWER_S + 0.1)
    assert (code(late), told(late)["ok"], gone.value()) == (504, False, b"")
    for _, _, answer in api.asked:
        answer.callback(Answer(200, "", {"late": 1}))
    assert b"late" not in late.value() + gone.value()


# --- whatever is sent -----------------------------------------------------------------------------------------------------
@given(st.lists(st.binary(max_size=80), max_size=4), st.dictionaries(st.binary(max_size=10), st.lists(st.binary(max_size=50))))
@settings(max_examples=300, deadline=None)
def test_no_path_or_query_asks_for_anything_but_a_look(place: list[bytes], query: dict[bytes, list[bytes]]) -> None:
    try:
        do, arguments = looked_at(place, query)
    except (NoSuchPlace, NotUnderstood) as refusal:
        assert str(refusal).isascii() and str(refusal).isprintable()
        return
    assert do in {"campaigns", "campaign.show", *(f"campaign.{look}" for look in LOOKS)}
    assert all(isinstance(value, datetime) or (isinstance(value, str) and value.isprintable()) for value in arguments.values())


_json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3))
_acts = st.sampled_from([*ACTS, "show", "evidence", "", "figures"])


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(["act", "mode", "by", "campaign"]), _acts | _json))
@settings(max_examples=300, deadline=None)
def test_no_body_asks_for_anything_but_an_act(body: bytes | dict[str, Any]) -> None:
    try:
        do, arguments = acted_on([b"winter"], body if isinstance(body, bytes) else json.dumps(body).encode())
    except (NoSuchPlace, NotUnderstood) as refusal:
        assert str(refusal).isascii() and str(refusal).isprintable()
        return
    assert do in {f"campaign.{act}" for act in ACTS}
    assert arguments["campaign"] == "winter" and str(arguments["by"]).startswith("api")
    assert all(isinstance(value, str) and value.isascii() and value.isprintable() for value in arguments.values())


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1)), st.integers(-14, 14))
@settings(max_examples=50, deadline=None)
def test_times_are_read_as_they_were_written(at: datetime, hours: int) -> None:
    local = at.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    api = Api()
    api.get(f"{HERE}/winter/figures?since={quote(local.isoformat())}")
    assert api.asked[0][1]["since"] == local

"""What other systems may do to a call over HTTP: who may, what is understood, and that no body is read without end."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ccserver.web.api import BODY_BYTES_MAX, api_site
from ccserver.web.calls import ANSWER_S, Answer, Calls
from ccserver.web.campaigns import Campaigns
from ccserver.web.events import EventStream
from ccserver.web.leads import Leads, PushedLead

TOKEN = "a-token"
PATH = "/v1/calls/4711/recording"


class Nothing:
    """A feed that nobody reads here."""

    def read(self, after: str | None, limit: int) -> "Deferred[list[Any]]":
        return Deferred()

    def newest(self) -> "Deferred[str | None]":
        return Deferred()

    def check_place(self, text: str) -> None:
        pass


class Api:
    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, Mapping[str, object], Deferred[Answer]]] = []
        stream = EventStream(Nothing(), TOKEN, self.clock)
        calls, leads = Calls(self._ask, TOKEN, self.clock), Leads(self._push, TOKEN, self.clock)
        self.site = api_site(stream, calls, leads, Campaigns(self._ask, TOKEN, self.clock), self.clock)

    def _ask(self, do: str, given: Mapping[str, object]) -> "Deferred[Answer]":
        answer: Deferred[Answer] = Deferred()
        self.asked.append((do, given, answer))
        return answer

    def _push(self, asked: PushedLead) -> "Deferred[Answer]":
        raise AssertionError("no lead is pushed here")

    def send(self, data: bytes) -> StringTransport:
        transport = StringTransport()
        channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        self.channel = channel
        channel.dataReceived(data)
        return transport

    def post(self, body: bytes, path: str = PATH, token: str = TOKEN, *headers: str) -> StringTransport:
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Content-Length: {len(body)}", *headers]
        return self.send("\r\n".join([*lines, "", ""]).encode() + body)


@pytest.fixture
def api() -> Api:
    return Api()


def code(transport: StringTransport) -> int:
    return int(transport.value().split(b" ", 2)[1])


def told(transport: StringTransport) -> Any:
    body = transport.value().split(b"\r\n\r\n", 1)[1]
    return json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


def test_a_system_pauses_a_recording_and_is_answered_by_the_center(api: Api) -> None:
    asked = api.post(b'{"act": "pause", "by": "ana"}')
    ((do, given, answer),) = api.asked
    assert (do, given) == ("call.recording", {"interaction": 4711, "act": "pause", "by": "api, ana"})
    assert asked.value() == b""
    answer.callback(Answer(200, "call 4711: the recording is paused"))
    assert code(asked) == 200
    assert told(asked) == {"ok": True, "text": "call 4711: the recording is paused"}
    assert api.clock.getDelayedCalls() == [] or all(call.time > ANSWER_S for call in api.clock.getDelayedCalls())


def test_what_the_center_refuses_is_told_with_its_reason(api: Api) -> None:
    asked = api.post(b'{"act": "resume"}')
    api.asked[0][2].callback(Answer(409, "there is no recording that is paused"))
    assert (code(asked), told(asked)["ok"], api.asked[0][1]["by"]) == (409, False, "api")


def test_who_is_not_answered_in_time_hears_so_and_a_late_answer_is_dropped(api: Api) -> None:
    asked = api.post(b'{"act": "pause"}')
    api.clock.advance(ANSWER_S + 0.1)
    assert code(asked) == 504
    before = asked.value()
    api.asked[0][2].callback(Answer(200, "late"))
    assert asked.value() == before


def test_who_has_left_is_not_answered(api: Api) -> None:
    asked = api.post(b'{"act": "pause"}')
    api.channel.connectionLost(Failure(ConnectionDone()))
    api.asked[0][2].callback(Answer(200, "done"))
    assert asked.value() == b""


@pytest.mark.parametrize("token", ["", "another", TOKEN + "x"])
def test_nobody_acts_without_the_token(api: Api, token: str) -> None:
    assert code(api.post(b'{"act": "pause"}', PATH, token)) == 401
    assert api.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"pause",
        b"[]",
        b'{"act": 7}',
        b'{"act": null}',
        b'{"by": "ana"}',
        b'{"act": "pause", "by": 7}',
        b'{"act": "pause", "by": "a\\nb"}',
        b'{"act": "pause", "by": "' + b"x" * 61 + b'"}',
        b'{"act": "pause", "call": 7}',
        b"[" * 4000,
        b"\xff\xfe",
        b'{"act": "pau',
    ],
)
def test_what_is_no_request_is_refused(api: Api, body: bytes) -> None:
    assert code(api.post(body)) == 400
    assert api.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/calls/x/recording",
        "/v1/calls/-1/recording",
        "/v1/calls/1e3/recording",
        "/v1/calls/%D9%A1/recording",
        f"/v1/calls/{'9' * 400}/recording",
        "/v1/calls/4711/recording/more",
        "/v1/calls/4711/recordings",
    ],
)
def test_what_is_no_calls_number_is_not_there(api: Api, path: str) -> None:
    assert code(api.post(b'{"act": "pause"}', path)) == 404
    assert api.asked == []


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls/", "/v1/calls/4711"])
def test_nothing_is_done_to_what_is_only_on_the_way(api: Api, path: str) -> None:
    assert code(api.post(b'{"act": "pause"}', path)) in (404, 405)
    assert api.asked == []


def test_looking_is_not_acting(api: Api) -> None:
    asked = api.send(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert code(asked) == 405 and api.asked == []


# --- bodies without end ---------------------------------------------------------------------------------------------------
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"


def test_a_body_that_is_announced_too_long_is_not_waited_for(api: Api) -> None:
    asked = api.send(f"{HEAD}Content-Length: {10**12}\r\n\r\n".encode())
    assert code(asked) == 413 and asked.disconnecting


def test_a_body_that_comes_in_chunks_is_cut_off(api: Api) -> None:
    chunk = b"%x\r\n" % 1000 + b" " * 1000 + b"\r\n"
    asked = api.send(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
    for _ in range(BODY_BYTES_MAX // 1000 + 2):
        api.channel.dataReceived(chunk)
    assert code(asked) == 413 and asked.disconnecting and api.asked == []
    api.channel.dataReceived(b"0\r\n\r\n")
    assert asked.value().count(b"HTTP/1.1") == 1


def test_a_body_too_long_that_came_at_once_is_not_understood_either(api: Api) -> None:
    asked = api.post(b'{"act": "pause"}' + b" " * BODY_BYTES_MAX)
    assert code(asked) == 413 and api.asked == []


def test_forms_are_bodies_like_others(api: Api) -> None:
    assert code(api.post(b"act=pause", PATH, TOKEN, "Content-Type: application/x-www-form-urlencoded")) == 400
    boundary = "Content-Type: multipart/form-data; boundary=x"
    assert code(api.post(b"--x", PATH, TOKEN, boundary)) == 400

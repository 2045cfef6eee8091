"""The daemon's end of the control socket, on a string transport and a clock."""

import json
import os
import pwd
import socket
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ccserver.control.protocol import CONNECTIONS_MAX, OUTSTANDING_MAX, REQUEST_BYTES_MAX, Why
from ccserver.control.server import ControlConnection, ControlServer, NotDone


class Desk:
    """A server with a few commands, and one client."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.later: list[Deferred[object]] = []
        self.faults: list[str] = []
        self.readings = 0
        self.server = ControlServer(
            clock=self.clock,
            handlers={"echo": dict, "later": self._later, "no": self._no, "fault": self._fault},
            follows={"count": self._count, "broken": self._broken},
            report=lambda do, error: self.faults.append(f"{do}: {error}"),
        )
        self.connection, self.transport = self.connect()

    def connect(self) -> tuple[ControlConnection, StringTransport]:
        connection = self.server.buildProtocol(None)
        assert connection is not None
        transport = StringTransport()
        connection.makeConnection(transport)
        return connection, transport

    def _later(self, _: Mapping[str, object]) -> Deferred[object]:
        self.later.append(Deferred())
        return self.later[-1]

    def _no(self, _: Mapping[str, object]) -> object:
        raise NotDone(Why.NOT_FOUND, "no such thing")

    def _fault(self, _: Mapping[str, object]) -> object:
        raise ZeroDivisionError("secret detail")

    def _count(self) -> object:
        self.readings += 1
        return self.readings

    def _broken(self) -> object:
        raise ZeroDivisionError("secret detail")

    def send(self, **message: object) -> None:
        self.connection.dataReceived(json.dumps(message).encode() + b"\n")

    def answers(self) -> list[dict[str, Any]]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]


def test_a_request_is_answered_with_its_id() -> None:
    desk = Desk()
    desk.send(id=7, do="echo", **{"with": {"a": 1}})
    assert desk.answers() == [{"id": 7, "ok": True, "result": {"a": 1, "by": "unknown"}}]


def test_who_asks_is_who_the_kernel_says_and_not_who_the_client_claims() -> None:
    ours, theirs = socket.socketpair()
    desk = Desk()
    connection = desk.server.buildProtocol(None)
    assert connection is not None
    transport = StringTransport()
    transport.getHandle = lambda: ours  # type: ignore[attr-defined]
    connection.makeConnection(transport)
    connection.dataReceived(b'{"id":1,"do":"echo","with":{"by":"the queen"}}\n')
    assert json.loads(transport.value())["result"] == {"by": pwd.getpwuid(os.getuid()).pw_name}
    ours.close()
    theirs.close()


def test_a_request_may_come_in_pieces_and_several_in_one() -> None:
    desk = Desk()
    line = b'{"id":1,"do":"echo"}\n{"id":2,"do":"echo"}\n'
    for byte in line:
        desk.connection.dataReceived(bytes([byte]))
    assert [answer["id"] for answer in desk.answers()] == [1, 2]
    desk.connection.dataReceived(line)
    assert [answer["id"] for answer in desk.answers()] == [1, 2]


def test_answers_go_out_as_they_are_ready() -> None:
    desk = Desk()
    desk.send(id=1, do="later")
    desk.send(id=2, do="echo")
    desk.later[0].callback("done")
    assert [answer["id"] for answer in desk.answers()] == [2, 1]


def test_a_refusal_says_why_and_a_fault_says_nothing_of_its_inside() -> None:
    desk = Desk()
    desk.send(id=1, do="no")
    desk.send(id=2, do="fault")
    desk.send(id=3, do="unheard of")
    desk.connection.dataReceived(b"nonsense\n")
    refused, fault, unknown, malformed = desk.answers()
    assert refused == {"id": 1, "ok": False, "why": "not_found", "text": "no such thing"}
    assert fault["why"] == "failed" and "secret" not in fault["text"]
    assert unknown["why"] == "unknown"
    assert malformed["why"] == "malformed"
    assert desk.faults == ["fault: secret detail"]


def test_only_so_many_requests_wait_at_once() -> None:
    desk = Desk()
    for number in range(OUTSTANDING_MAX + 1):
        desk.send(id=number, do="later")
    assert [(answer["id"], answer["why"]) for answer in desk.answers()] == [(OUTSTANDING_MAX, "busy")]
    desk.later[0].callback(None)
    desk.send(id=99, do="echo")
    assert [answer["id"] for answer in desk.answers()] == [0, 99]


def test_an_endless_line_ends_the_connection() -> None:
    desk = Desk()
    desk.connection.dataReceived(b"x" * (REQUEST_BYTES_MAX + 2))
    assert desk.answers()[0]["why"] == "malformed"
    assert desk.transport.disconnecting


def test_only_so_many_clients_are_let_in() -> None:
    desk = Desk()
    for _ in range(CONNECTIONS_MAX - 1):
        desk.connect()
    assert desk.server.buildProtocol(None) is None
    desk.connection.connectionLost()
    assert desk.server.buildProtocol(None) is not None


def test_a_follower_gets_readings_until_it_leaves() -> None:
    desk = Desk()
    desk.send(id=4, do="count", **{"with": {"every_s": 2}})
    desk.clock.advance(2)
    desk.clock.advance(1)
    assert desk.answers() == [
        {"id": 4, "ok": True, "result": 1, "more": True},
        {"id": 4, "ok": True, "result": 2, "more": True},
    ]
    desk.connection.connectionLost()
    desk.clock.advance(10)
    assert desk.readings == 2
    assert not desk.clock.getDelayedCalls()


def test_a_reading_that_fails_ends_the_stream_and_is_reported() -> None:
    desk = Desk()
    desk.send(id=4, do="broken")
    assert [answer["why"] for answer in desk.answers()] == ["failed"]
    assert desk.faults == ["broken: secret detail"]
    assert not desk.clock.getDelayedCalls()


def test_nobody_can_follow_faster_than_allowed() -> None:
    desk = Desk()
    for number, every_s in enumerate((0, -1, 1e9, "1", True, None)):
        desk.send(id=number, do="count", **{"with": {"every_s": every_s}})
    assert {answer["why"] for answer in desk.answers()} == {"malformed"}
    assert desk.readings == 0


def test_an_answer_after_the_client_left_goes_nowhere() -> None:
    desk = Desk()
    desk.send(id=1, do="later")
    desk.connection.connectionLost()
    desk.later[0].callback("late")
    assert desk.answers() == []

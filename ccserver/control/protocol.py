"""The control socket's protocol, shared by server and client: JSON objects, one a line, over a Unix socket.

Request: `{"id": 7, "do": "agent.login", "with": {"agent": "101", "phone": "PJSIP/1001"}}`.
Answer: `{"id": 7, "ok": true, "result": …}`, or `{"id": 7, "ok": false, "why": "refused", "text": "…"}`. An answer of a
stream (`overview.follow`) carries `"more": true` and is followed by another with the same id.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

REQUEST_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 32 * 1024 * 1024
CONNECTIONS_MAX = 64
OUTSTANDING_MAX = 16
"""Requests of one connection that may wait for their answers."""


class Why(Enum):
    """Why a request was not done."""

    MALFORMED = "malformed"  # not a request of this protocol
    UNKNOWN = "unknown"  # no such command
    NOT_FOUND = "not_found"  # no such agent, queue, call
    REFUSED = "refused"  # the center says no, and the text says why
    BUSY = "busy"  # too many requests at once
    FAILED = "failed"  # a fault of ours; the log has more


class ProtocolError(Exception):
    """The line is no message of this protocol. The text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: int
    do: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`result` is any JSON value. With `is_more` another answer to the same request follows."""

    id: int
    result: object = None
    why: Why | None = None
    text: str = ""
    is_more: bool = False


def _object(line: bytes, limit_bytes: int) -> dict[str, object]:
    if len(line) > limit_bytes:
        raise ProtocolError(f"longer than {limit_bytes} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    return value


def _id(message: Mapping[str, object]) -> int:
    number = message.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
        raise ProtocolError('"id" must be a whole number from 0')
    return number


def read_request(line: bytes) -> Request:
    """Raises ProtocolError."""
    message = _object(line, REQUEST_BYTES_MAX)
    do = message.get("do")
    arguments = message.get("with", {})
    if not isinstance(do, str):
        raise ProtocolError('"do" must name a command')
    if not isinstance(arguments, dict):
        raise ProtocolError('"with" must be an object')
    unknown = sorted(message.keys() - {"id", "do", "with"})
    if unknown:
        raise ProtocolError(f"unknown key {unknown[0]!r}")
    return Request(id=_id(message), do=do, arguments=arguments)


def write_request(request: Request) -> bytes:
    return json.dumps({"id": request.id, "do": request.do, "with": dict(request.arguments)}).encode() + b"\n"


def read_answer(line: bytes) -> Answer:
    """Raises ProtocolError."""
    message = _object(line, ANSWER_BYTES_MAX)
    if message.get("ok") is True:
        return Answer(id=_id(message), result=message.get("result"), is_more=message.get("more") is True)
    try:
        why = Why(message.get("why"))
    except ValueError as error:
        raise ProtocolError('"why" is unknown') from error
    return Answer(id=_id(message), why=why, text=str(message.get("text", "")))


def write_answer(answer: Answer) -> bytes:
    if answer.why is not None:
        message: dict[str, object] = {"id": answer.id, "ok": False, "why": answer.why.value, "text": answer.text}
    else:
        message = {"id": answer.id, "ok": True, "result": answer.result}
        if answer.is_more:
            message["more"] = True
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"

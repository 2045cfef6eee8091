"""`POST /v1/leads`: another system has somebody called next.

    curl -H "Authorization: Bearer $TOKEN" -d '{"list": "spring", "numbers": ["+34600111222"]}' http://127.0.0.1:9319/v1/leads

Beside `list` and `numbers` there may be `key`, `name`, `time_zone`, `priority`, `consent` (`{"kind": …, "date": …, "until": …}`) and
`fields`, texts by name.

The answer is `{"ok": true, "text": …, "lead": 4711, "is_new": true}` with 200, or false with 400 (not understood), 503 (the database
did not take it: send it again) or 504 (not answered in time: send it again, a lead is there once).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ccserver.web.bearer import is_allowed, refuse, refuse_without_token
from ccserver.web.calls import Answer, Clock, NotUnderstood, Pending

NUMBERS_MAX = 10
FIELDS_MAX = 50
_TEXTS = ("list", "key", "name", "time_zone")
_CONSENT = {"kind": "consent", "date": "consent_date", "until": "consent_until"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedLead:
    """What was asked for. `told`: texts by what they say, as a row of a file has them."""

    list: str
    numbers: tuple[str, ...]
    told: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


Push = Callable[[PushedLead], "Deferred[Answer]"]
"""Puts it into its list; never fails."""


class Leads(Resource):
    isLeaf = True

    def __init__(self, push: Push, token: str, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._push, self._token, self._clock = push, token.encode(), clock

    def render_POST(self, request: Request) -> bytes | int:
        if not is_allowed(request, self._token):
            return refuse_without_token(request)
        if request.postpath:
            return refuse(request, 404, "there is nothing below leads")
        try:
            asked = understood(request.content.read() if request.content else b"")
        except NotUnderstood as error:
            return refuse(request, 400, str(error))
        Pending(request, self._push(asked), self._clock)
        return NOT_DONE_YET


def understood(body: bytes) -> PushedLead:
    """Raises NotUnderstood."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood('the body must be JSON, for example {"list": "spring", "numbers": ["+34600111222"]}') from None
    if not isinstance(given, dict):
        raise NotUnderstood("the body must be an object")
    known = {*_TEXTS, "numbers", "priority", "consent", "fields"}
    for name in given:
        if name not in known:
            raise NotUnderstood(f'"{_shown(name)}" is none of {", ".join(sorted(known))}')
    told = {name: _text(given[name], name) for name in _TEXTS if name in given}
    if "priority" in given:
        if isinstance(given["priority"], bool) or not isinstance(given["priority"], int):
            raise NotUnderstood('"priority" must be a whole number')
        told["priority"] = str(given["priority"])
    if "consent" in given:
        told |= _consent(given["consent"])
    if not told.get("list"):
        raise NotUnderstood('"list" must name a list')
    return PushedLead(
        list=told.pop("list"), numbers=_numbers(given.get("numbers")), told=told, fields=_fields(given.get("fields", {}))
    )


def _numbers(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= NUMBERS_MAX:
        raise NotUnderstood(f'"numbers" must be a list of 1 to {NUMBERS_MAX} telephone numbers')
    return tuple(_text(number, "numbers") for number in given)


def _consent(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not given.keys() <= _CONSENT.keys():
        raise NotUnderstood('"consent" must be an object with "kind" and "date", and perhaps "until"')
    return {_CONSENT[name]: _text(value, "consent") for name, value in given.items()}


def _fields(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or len(given) > FIELDS_MAX:
        raise NotUnderstood(f'"fields" must be an object with at most {FIELDS_MAX} texts')
    return {_text(name, "fields"): _text(value, "fields") for name, value in given.items()}


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise NotUnderstood(f'"{name}" must be printable text')
    return value


def _shown(name: str) -> str:
    return "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in name[:40])

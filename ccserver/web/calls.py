"""`POST /v1/calls/NUMBER/recording`: a system at the desk pauses the recording before it asks for card data, and goes on with it.

    curl -H "Authorization: Bearer $TOKEN" -d '{"act": "pause", "by": "ana"}' http://127.0.0.1:9319/v1/calls/4711/recording

`act` is record, pause, resume or object; `by`, which may be missing, is whom the system asks for, and goes on record with it. The answer is
`{"ok": true, "text": ...}` with 200, or false with 404 (no such act or call number), 409 (not done, and why) or 504 (not answered in time).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ccserver.web.bearer import is_allowed, refuse, refuse_without_token

ANSWER_S = 5.0
NUMBER_DIGITS_MAX = 18
NAME_CHARACTERS_MAX = 60
API = "api"
"""Who asked, for the record."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`told` is said beside the text, if there is one, by name."""

    code: int
    text: str
    told: Mapping[str, object] = field(default_factory=dict)


Ask = Callable[[str, Mapping[str, object]], "Deferred[Answer]"]
"""Does one act with its arguments; never fails."""


class Timer(Protocol):
    def cancel(self) -> object: ...


class Clock(Protocol):
    def callLater(self, delay: float, callable: Callable[..., object], /) -> Timer: ...


class NotUnderstood(Exception):
    """A body that is no request."""


class Calls(Resource):
    """`/v1/calls`: numbers, and below each what can be done to the call."""

    def __init__(self, ask: Ask, token: str, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ask, self._token, self._clock = ask, token.encode(), clock

    def getChild(self, path: bytes, request: Request) -> Resource:
        call = Resource()  # type: ignore[no-untyped-call]
        if path.isdigit() and len(path) <= NUMBER_DIGITS_MAX:
            recording = _Recording(int(path), self._ask, self._token, self._clock)
            call.putChild(b"recording", recording)  # type: ignore[arg-type]
        return call


class _Recording(Resource):
    isLeaf = True

    def __init__(self, interaction: int, ask: Ask, token: bytes, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._interaction, self._ask, self._token, self._clock = interaction, ask, token, clock

    def render_POST(self, request: Request) -> bytes | int:
        if not is_allowed(request, self._token):
            return refuse_without_token(request)
        if request.postpath:
            return refuse(request, 404, "there is nothing below recording")
        try:
            act, by = understood(request.content.read() if request.content else b"")
        except NotUnderstood as error:
            return refuse(request, 400, str(error))
        Pending(request, self._ask("call.recording", {"interaction": self._interaction, "act": act, "by": by}), self._clock)
        return NOT_DONE_YET


class Pending:
    """One request until it is answered, once: by the center, by the clock, or not at all because the client has left."""

    def __init__(self, request: Request, answer: "Deferred[Answer]", clock: Clock) -> None:
        self._request = request
        self._is_over = False
        self._timer: Timer | None = clock.callLater(ANSWER_S, self._too_late)
        request.notifyFinish().addBoth(lambda _: self._end())
        answer.addCallback(self._tell)

    def _too_late(self) -> None:
        self._timer = None
        self._tell(Answer(504, "the center has not answered in time"))

    def _tell(self, answer: Answer) -> None:
        if self._end():
            request = self._request
            request.setResponseCode(answer.code)
            request.setHeader(b"content-type", b"application/json")  # type: ignore[no-untyped-call]
            text = {"text": answer.text} if answer.text else {}
            told = json.dumps({"ok": answer.code == 200, **text, **answer.told}).encode() + b"\n"
            request.write(told)  # type: ignore[no-untyped-call]
            request.finish()  # type: ignore[no-untyped-call]

    def _end(self) -> bool:
        """True the first time."""
        if self._is_over:
            return False
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        return True


def understood(body: bytes) -> tuple[str, str]:
    """The act and who asks for it. Raises NotUnderstood."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise NotUnderstood('the body must be JSON, for example {"act": "pause"}') from None
    if not isinstance(given, dict) or not given.keys() <= {"act", "by"}:
        raise NotUnderstood('the body must be an object with "act", and perhaps "by"')
    act, by = given.get("act"), given.get("by", "")
    if not isinstance(act, str):
        raise NotUnderstood('"act" must be one of record, pause, resume, object')
    if not isinstance(by, str) or not (by.isprintable() and by.isascii() and len(by) <= NAME_CHARACTERS_MAX):
        raise NotUnderstood(f'"by" must be a name of at most {NAME_CHARACTERS_MAX} printable ASCII characters')
    return act, f"{API}, {by}" if by else API

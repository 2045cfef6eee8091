"""`GET /v1/events`: the notices as server-sent events (WHATWG HTML, section 9.2).

    curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9319/v1/events?kind=ringing,answered

Each client reads the committed notices from its own place, so a slow one costs no memory and delays nobody, and one that comes
back with `Last-Event-ID` has missed nothing. Without it, it hears what happens from now on.
"""

from collections.abc import Callable
from typing import Protocol

import structlog
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ccserver.core.records import NoticeKind, NoticeRecord
from ccserver.web.bearer import is_allowed, refuse, refuse_without_token
from ccserver.web.notices import Numbered, body

PAGE = 200
HEARTBEAT_S = 15.0
STUCK_S = 120.0
"""A client that takes nothing for so long is disconnected; it can come back to where it was."""
CLIENTS_MAX = 50

log = structlog.stdlib.get_logger(__name__)


class Timer(Protocol):
    def cancel(self) -> object: ...


class Clock(Protocol):
    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], /) -> Timer: ...


class Source(Protocol):
    """The feed, off the reactor."""

    def read(self, after: str | None, limit: int) -> "Deferred[list[Numbered]]": ...
    def newest(self) -> "Deferred[str | None]": ...
    def check_place(self, text: str) -> None:
        """Raises ValueError."""


class Filter:
    """What a client wants to hear: the values of `kind`, `queue` and `agent`, each a list with commas; without one, all."""

    def __init__(self, request: Request) -> None:
        self.kinds = {NoticeKind(word) for word in _words(request, b"kind")}
        self.queues, self.agents = _words(request, b"queue"), _words(request, b"agent")

    def takes(self, notice: NoticeRecord) -> bool:
        return (
            (not self.kinds or notice.kind in self.kinds)
            and (not self.queues or notice.queue in self.queues)
            and (not self.agents or notice.agent in self.agents)
        )


class EventStream(Resource):
    """The resource. `told` is to be called when notices have been committed."""

    isLeaf = True

    def __init__(self, source: Source, token: str, clock: Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = source
        self._token = token.encode()
        self._clock = clock
        self._clients: set[_Client] = set()

    @property
    def clients(self) -> int:
        return len(self._clients)

    def told(self) -> None:
        for client in list(self._clients):
            client.more()

    def close(self) -> None:
        for client in list(self._clients):
            client.end()

    def render_GET(self, request: Request) -> bytes | int:
        if not is_allowed(request, self._token):
            return refuse_without_token(request)
        if len(self._clients) >= CLIENTS_MAX:
            return refuse(request, 503, f"{CLIENTS_MAX} clients are listening already")
        place = request.getHeader(b"last-event-id")
        try:
            wanted = Filter(request)
            after = None if place is None else place.decode("ascii")
            if after is not None:
                self._source.check_place(after)
        except ValueError as error:
            return refuse(request, 400, str(error))
        client = _Client(request, wanted, self._source, self._clock, self._clients.discard)
        self._clients.add(client)
        client.begin(after)
        return NOT_DONE_YET


class _Client:
    """One listener: reads on when there is more and the last page has been taken."""

    def __init__(
        self, request: Request, wanted: Filter, source: Source, clock: Clock, on_end: Callable[["_Client"], None]
    ) -> None:
        self._request = request
        self._wanted = wanted
        self._source = source
        self._clock = clock
        self._on_end = on_end
        self._place: str | None = None
        self._is_placed = False
        self._is_reading = False
        self._has_more = False
        self._is_paused = False
        self._is_over = False
        self._paused_s = 0.0
        self._beat: Timer | None = None

    def begin(self, after: str | None) -> None:
        request = self._request
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")  # type: ignore[no-untyped-call]
        request.setHeader(b"cache-control", b"no-store")  # type: ignore[no-untyped-call]
        request.notifyFinish().addBoth(lambda _: self._finished())
        request.channel.setTimeout(None)  # type: ignore[no-untyped-call]  # the site's time-out is for requests that are not complete
        request.registerProducer(self, True)  # type: ignore[no-untyped-call]
        request.write(b": listening\n\n")  # type: ignore[no-untyped-call]
        self._beat = self._clock.callLater(HEARTBEAT_S, self._heartbeat)
        if after is None:
            self._source.newest().addCallbacks(self._start_at, self._failed)
        else:
            self._start_at(after)

    def _start_at(self, place: str | None) -> None:
        self._place, self._is_placed = place, True
        self.more()

    def more(self) -> None:
        """There may be new notices."""
        self._has_more = True
        if self._is_reading or self._is_paused or self._is_over or not self._is_placed:
            return
        self._has_more, self._is_reading = False, True
        self._source.read(self._place, PAGE).addCallbacks(self._page, self._failed)

    def _page(self, page: list[Numbered]) -> None:
        self._is_reading = False
        if self._is_over:
            return
        for place, notice in page:
            self._place = place
            if self._wanted.takes(notice):
                text = b"id: %b\nevent: %b\ndata: %b\n\n" % (place.encode(), notice.kind.value.encode(), body(place, notice))
                self._request.write(text)  # type: ignore[no-untyped-call]
        if self._has_more or len(page) == PAGE:
            self.more()

    def _failed(self, failure: object) -> None:
        log.error("events.unreadable", reason=str(failure), mend="the client is asked to come back; look at the database")
        self.end()

    def _heartbeat(self) -> None:
        self._beat = None
        if self._is_paused and self._clock.seconds() - self._paused_s > STUCK_S:
            self._request.channel.forceAbortClient()  # type: ignore[no-untyped-call]
            return
        if not self._is_paused:
            self._request.write(b": \n\n")  # type: ignore[no-untyped-call]
        self._beat = self._clock.callLater(HEARTBEAT_S, self._heartbeat)

    # --- what Twisted asks of a producer --------------------------------------------------------------------------------
    def pauseProducing(self) -> None:
        self._is_paused, self._paused_s = True, self._clock.seconds()

    def resumeProducing(self) -> None:
        self._is_paused = False
        self.more()

    def stopProducing(self) -> None:
        self._finished()

    # --- the end --------------------------------------------------------------------------------------------------------
    def end(self) -> None:
        if not self._is_over:
            self._finished()
            self._request.unregisterProducer()  # type: ignore[no-untyped-call]
            self._request.finish()  # type: ignore[no-untyped-call]

    def _finished(self) -> None:
        self._is_over = True
        beat, self._beat = self._beat, None
        if beat is not None:
            beat.cancel()
        self._on_end(self)


def _words(request: Request, name: bytes) -> set[str]:
    arguments: dict[bytes, list[bytes]] = request.args or {}
    text = b",".join(arguments.get(name, [])).decode("utf-8", "replace")
    return {word for word in text.split(",") if word}

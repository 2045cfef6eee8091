"""The HTTP service of the API, below `/v1`; bodies are short, and a longer one is not read to its end."""

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ccserver.web.calls import Calls
from ccserver.web.campaigns import Campaigns
from ccserver.web.events import EventStream
from ccserver.web.leads import Leads

REQUEST_TIMEOUT_S = 30.0
BODY_BYTES_MAX = 4096


class ShortRequest(Request):
    """Whoever sends more than `BODY_BYTES_MAX` is told so and disconnected."""

    _received = 0
    _is_too_large = False
    _parsePOSTFormSubmission = False  # no forms here: what a body is, its resource says

    def gotLength(self, length: int | None) -> None:
        # Kept in memory, whatever was announced.
        super().gotLength(min(length or 0, BODY_BYTES_MAX))  # type: ignore[no-untyped-call]
        if length is not None and length > BODY_BYTES_MAX:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= BODY_BYTES_MAX:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]
        else:
            self._too_large()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._is_too_large:
            super().requestReceived(command, path, version)  # type: ignore[no-untyped-call]

    def _too_large(self) -> None:
        if not self._is_too_large:
            self._is_too_large = True
            answer = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            channel: Any = self.channel
            channel.transport.write(answer)
            channel.loseConnection()


def api_site(stream: EventStream, calls: Calls, leads: Leads, campaigns: Campaigns, reactor: object = None) -> Site:
    """`reactor` None: the process's."""
    root, version = Resource(), Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"v1", version)  # type: ignore[arg-type]
    version.putChild(b"events", stream)  # type: ignore[arg-type]
    version.putChild(b"calls", calls)  # type: ignore[arg-type]
    version.putChild(b"leads", leads)  # type: ignore[arg-type]
    version.putChild(b"campaigns", campaigns)  # type: ignore[arg-type]
    made = Site(root, requestFactory=ShortRequest, timeout=REQUEST_TIMEOUT_S, reactor=reactor)  # type: ignore[no-untyped-call]
    made.displayTracebacks = False
    return made

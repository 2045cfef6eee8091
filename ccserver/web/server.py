"""HTTP on the loopback: `/metrics` for Prometheus and `/healthz` for whoever watches the service."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

REQUEST_TIMEOUT_S = 10.0
"""A client that sends nothing for so long is disconnected."""


class _Metrics(Resource):
    isLeaf = True

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._registry = registry

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", CONTENT_TYPE_LATEST.encode("ascii"))  # type: ignore[no-untyped-call]
        return generate_latest(self._registry)


class _Health(Resource):
    """200 and `ok` while the center can take calls, else 503 and the reason."""

    isLeaf = True

    def __init__(self, trouble: Callable[[], str | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._trouble = trouble

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")  # type: ignore[no-untyped-call]
        trouble = self._trouble()
        if trouble is None:
            return b"ok\n"
        request.setResponseCode(503)
        return trouble.encode() + b"\n"


def site(registry: CollectorRegistry, trouble: Callable[[], str | None]) -> Site:
    """The HTTP service. `trouble` says why the center cannot take calls now, or None."""
    root = Resource()  # type: ignore[no-untyped-call]
    root.putChild(b"metrics", _Metrics(registry))  # type: ignore[arg-type]
    root.putChild(b"healthz", _Health(trouble))  # type: ignore[arg-type]
    made = Site(root, timeout=REQUEST_TIMEOUT_S)  # type: ignore[no-untyped-call]
    made.displayTracebacks = False
    return made

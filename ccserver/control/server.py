"""The daemon's end of the control socket."""

from collections.abc import Callable, Mapping
from typing import Protocol, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ccserver.control.peer import UNKNOWN, peer_name
from ccserver.control.protocol import (
    CONNECTIONS_MAX,
    OUTSTANDING_MAX,
    REQUEST_BYTES_MAX,
    Answer,
    ProtocolError,
    Request,
    Why,
    read_request,
    write_answer,
)

FOLLOW_EVERY_S = (0.2, 60.0)
UNSENT_BYTES_MAX = 4 * 1024 * 1024
"""A follower who does not read misses readings instead of filling the daemon's memory."""


BY = "by"
"""The argument that names who asks: set by the server, whatever the client wrote there."""


class NotDone(Exception):
    """What a handler raises to say no: `why` and a text for people."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


Handler = Callable[[Mapping[str, object]], "Deferred[object] | object"]
"""Does one command with its arguments, and `BY`: a JSON value, now or later. Raises NotDone, or fails with it."""


class Timers(Protocol):
    """The part of a reactor, or of a test's clock, that starts timers."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> object: ...


class Wire(Protocol):
    """The part of a Twisted transport that is used here (Twisted's interfaces say nothing to the type checker)."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...


class ControlServer(Factory):
    """Dispatches requests to `handlers` by name. `follows` are read again and again while the client listens; `report` is told
    the faults."""

    def __init__(
        self,
        *,
        clock: Timers,
        handlers: Mapping[str, Handler],
        follows: Mapping[str, Callable[[], object]],
        report: Callable[[str, BaseException], None],
    ) -> None:
        self.clock = clock
        self.handlers = handlers
        self.follows = follows
        self.report = report
        self.connections: set[ControlConnection] = set()

    def buildProtocol(self, _address: IAddress | None) -> "ControlConnection | None":
        """None refuses the connection: there are too many."""
        if len(self.connections) >= CONNECTIONS_MAX:
            return None
        return ControlConnection(self)


class ControlConnection(LineOnlyReceiver):
    """One client. Requests are done as they come; answers go out as they are ready."""

    delimiter = b"\n"
    MAX_LENGTH = REQUEST_BYTES_MAX

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._outstanding = 0
        self._is_open = False
        self._peer = UNKNOWN

    def connectionMade(self) -> None:
        self._is_open = True
        self._peer = peer_name(self.transport)
        self._server.connections.add(self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._is_open = False
        self._server.connections.discard(self)

    def lineLengthExceeded(self, _line: bytes) -> None:
        self._answer(Answer(id=0, why=Why.MALFORMED, text=f"a request is at most {REQUEST_BYTES_MAX} bytes"))
        self.close()

    def close(self) -> None:
        if self._is_open:
            cast(Wire, self.transport).loseConnection()

    def lineReceived(self, line: bytes) -> None:
        try:
            request = read_request(line)
        except ProtocolError as error:
            self._answer(Answer(id=0, why=Why.MALFORMED, text=str(error)))
            return
        if self._outstanding >= OUTSTANDING_MAX:
            self._answer(Answer(id=request.id, why=Why.BUSY, text=f"at most {OUTSTANDING_MAX} requests at a time"))
            return
        self._outstanding += 1
        if request.do in self._server.follows:
            self._follow(request)
            return
        handler = self._server.handlers.get(request.do)
        if handler is None:
            self._finish(Answer(id=request.id, why=Why.UNKNOWN, text=f"no command {request.do!r}"))
            return
        done: Deferred[object]
        try:
            result = handler({**request.arguments, BY: self._peer})
        except Exception:
            done = fail()
        else:
            done = result if isinstance(result, Deferred) else succeed(result)
        done.addCallbacks(
            lambda result: self._finish(Answer(id=request.id, result=result)),
            lambda failure: self._finish(self._refusal(request, failure.value)),
        )

    def _refusal(self, request: Request, error: BaseException) -> Answer:
        if isinstance(error, NotDone):
            return Answer(id=request.id, why=error.why, text=str(error))
        self._server.report(request.do, error)
        return Answer(id=request.id, why=Why.FAILED, text="a fault in the daemon; its log says more")

    def _follow(self, request: Request) -> None:
        every_s = request.arguments.get("every_s", 1.0)
        low_s, high_s = FOLLOW_EVERY_S
        if isinstance(every_s, bool) or not isinstance(every_s, int | float) or not low_s <= every_s <= high_s:
            self._finish(Answer(id=request.id, why=Why.MALFORMED, text=f'"every_s" is from {low_s} to {high_s} seconds'))
            return
        self._follow_on(request, float(every_s))

    def _follow_on(self, request: Request, every_s: float) -> None:
        if not self._is_open:
            self._outstanding -= 1
            return
        try:
            reading = self._server.follows[request.do]()
        except Exception as error:  # the daemon goes on; the follower is told and the fault is reported
            self._finish(self._refusal(request, error))
            return
        if self._unsent_bytes() < UNSENT_BYTES_MAX:
            self._answer(Answer(id=request.id, result=reading, is_more=True))
        self._server.clock.callLater(every_s, self._follow_on, request, every_s)

    def _unsent_bytes(self) -> int:
        # Twisted's transports keep what the kernel did not take in these two
        waiting = getattr(self.transport, "_tempDataLen", 0) + len(getattr(self.transport, "dataBuffer", b""))
        return int(waiting)

    def _finish(self, answer: Answer) -> None:
        self._outstanding -= 1
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if self._is_open:
            cast(Wire, self.transport).write(write_answer(answer))

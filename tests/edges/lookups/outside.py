"""Outside systems of the tests: a real HTTP server whose behaviour a test chooses, and the edge on a loop that a test turns."""

import json
import queue
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, succeed

from ccserver.config.look_up_edges import AnyLookUp, LookUpDatabase
from ccserver.core.events import Event
from ccserver.core.expressions import Value
from ccserver.core.ids import Language, LookUpId
from ccserver.lookups.answers import Answer
from ccserver.lookups.edge import LookUps

EN = Language("en")
WAIT_S = 20.0


class Asked:
    """One request as the server saw it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.method, self.target, self.headers, self.body = handler.command, handler.path, handler.headers, body


Answering = Callable[[BaseHTTPRequestHandler], None]


def says(value: object, status: int = 200) -> Answering:
    return raw(json.dumps(value).encode(), status)


def raw(body: bytes, status: int = 200, **headers: str) -> Answering:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, text in headers.items():
            handler.send_header(name, text)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Crm:
    """Answers as `answering` says; a list of them is used up, the last one stays."""

    def __init__(self, *answering: Answering, certificate: Path | None = None) -> None:
        self.answering = list(answering)
        self.asked: list[Asked] = []
        self.let_go = threading.Event()
        """Set at the end: whoever stalls stops then."""
        crm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                crm.asked.append(Asked(self, body))
                answering = crm.answering.pop(0) if len(crm.answering) > 1 else crm.answering[0]
                with suppress(OSError):  # who asked has gone: that is what is tried here
                    answering(self)
                self.close_connection = True

            do_GET = do_POST = _answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that refuse us
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str = "/customers", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.server.server_address[1]}{path}"

    def stall(self, handler: BaseHTTPRequestHandler) -> None:
        """Says nothing."""
        self.let_go.wait(WAIT_S)

    def trickle(self, handler: BaseHTTPRequestHandler) -> None:
        """A byte now and then, in the headers and on: each comes well within any time-out of its own."""
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000:
            if self.let_go.wait(0.05):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def certificate(directory: Path, name: str) -> Path:
    """Key and self-signed certificate for `name`, in one file."""
    file = directory / f"{name}.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    named = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", *curve, *named, "-keyout", str(file), "-out", f"{file}.crt"],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


class TurnedLoop:
    """The loop's part that the edge uses, on real time: `until` turns it."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._timers: list[_Timer] = []

    def seconds(self) -> float:
        return time.monotonic()

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> "_Timer":
        timer = _Timer(self.seconds() + delay, lambda: callable(*args))
        self._timers.append(timer)
        return timer

    def from_thread(self, call: Callable[[], object]) -> None:
        self._calls.put(call)

    @property
    def armed(self) -> int:
        return sum(timer.active() for timer in self._timers)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        give_up_at_s = self.seconds() + WAIT_S
        while not condition():
            assert self.seconds() < give_up_at_s, f"never: {what}"
            due = [timer.due_s for timer in self._timers if timer.active()]
            try:
                call = self._calls.get(timeout=max(0.001, min([0.05, *(at_s - self.seconds() for at_s in due)])))
            except queue.Empty:
                pass
            else:
                call()
            for timer in list(self._timers):
                if timer.active() and timer.due_s <= self.seconds():
                    timer.fire()


class _Timer:
    def __init__(self, due_s: float, call: Callable[[], object]) -> None:
        self.due_s = due_s
        self._call: Callable[[], object] | None = call

    def active(self) -> bool:
        return self._call is not None

    def cancel(self) -> None:
        self._call = None

    def fire(self) -> None:
        call, self._call = self._call, None
        assert call is not None
        call()


class Functions:
    """In place of the runner of Python functions: what each gives, by name."""

    def __init__(self) -> None:
        self.gives: dict[str, Callable[..., Mapping[str, object] | None]] = {}
        self.calls: list[tuple[object, ...]] = []

    def __call__(
        self, name: str, parameters: Mapping[str, Value], facts: Mapping[str, str], language: str, time_limit_s: float, /
    ) -> "Deferred[Mapping[str, object] | None]":
        self.calls.append((name, dict(parameters), dict(facts), language, time_limit_s))
        return succeed(self.gives[name](**parameters))


class Bench:
    """The edge under test."""

    def __init__(self) -> None:
        self.loop = TurnedLoop()
        self.events: list[Event] = []
        self.functions = Functions()
        self.registry = CollectorRegistry()
        self.edge = LookUps(
            loop=self.loop,
            monotonic_s=time.monotonic,
            post=self.events.append,
            run_function=self.functions,
            registry=self.registry,
        )

    def configure(self, databases: Mapping[str, str] | None = None, /, **look_ups: AnyLookUp) -> None:
        self.edge.configure(
            {LookUpId(name): each for name, each in look_ups.items()},
            {name: LookUpDatabase(url=url) for name, url in (databases or {}).items()},
        )

    def begin(self, look_up: str, secret: bytearray | None = None, **parameters: Value) -> list[Answer]:
        """Asks; the answer will be in the list."""
        answers: list[Answer] = []
        self.edge.ask(LookUpId(look_up), parameters, EN, secret=secret).addCallback(answers.append)
        return answers

    def ask(self, look_up: str, secret: bytearray | None = None, **parameters: Value) -> Answer:
        answers = self.begin(look_up, secret, **parameters)
        self.loop.until(lambda: bool(answers), f"an answer of {look_up}")
        return answers[0]

    def timed(self, look_up: str, **parameters: Value) -> tuple[Answer, float]:
        started_s = time.monotonic()
        answer = self.ask(look_up, **parameters)
        return answer, time.monotonic() - started_s

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

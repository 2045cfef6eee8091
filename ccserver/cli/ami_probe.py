"""A blocking, one-question-at-a-time manager client, only for `doctor`: it must work when the daemon does not.

It looks at the answers that matter for a diagnosis and at nothing else. Every wait is bounded.
"""

import socket
import time
from types import TracebackType

ANSWER_LIMIT_BYTES = 1_000_000


class ProbeFailed(Exception):
    """The manager interface did not do what was asked; the text says what was seen."""


class LoginRefused(ProbeFailed):
    """The manager interface is there and does not know this user or secret."""


class AmiProbe:
    """One connection to the manager at `host`:`port`. Raises ProbeFailed (also OSError's reasons as such)."""

    def __init__(self, host: str, port: int, timeout_s: float = 3.0) -> None:
        self._timeout_s = timeout_s
        self._buffer = b""
        self._asked = 0
        self.events: list[dict[str, str]] = []
        try:
            self._socket = socket.create_connection((host, port), timeout=timeout_s)
        except OSError as error:
            raise ProbeFailed(f"{host}:{port}: {error.strerror or error}") from error
        try:
            self.greeting = self._until(b"\r\n").decode("utf-8", "replace").strip()
        except ProbeFailed:
            self._socket.close()
            raise
        if not self.greeting.startswith("Asterisk Call Manager"):
            self._socket.close()
            raise ProbeFailed(f"{host}:{port} is not Asterisk's manager: it greets with {self.greeting[:60]!r}")

    def __enter__(self) -> "AmiProbe":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._socket.close()

    def login(self, user: str, secret: str) -> None:
        """Raises LoginRefused."""
        answer = self.ask("Login", Username=user, Secret=secret)
        if answer.get("Response") != "Success":
            raise LoginRefused(answer.get("Message", "refused"))

    def ask(self, action: str, **fields: str) -> dict[str, str]:
        """The response to one action; events that come before it are kept in `events`."""
        self._asked += 1
        name = f"doctor-{self._asked}"
        lines = [f"Action: {action}", f"ActionID: {name}", *(f"{key}: {value}" for key, value in fields.items())]
        if any(not line.isprintable() for line in lines):
            raise ProbeFailed(f"{action}: a value holds a control character")
        try:
            self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        except OSError as error:
            raise ProbeFailed(f"{action}: {error.strerror or error}") from error
        while True:
            message = self._message()
            if "Response" in message and message.get("ActionID") == name:
                return message
            self.events.append(message)

    def event(self, name: str, within_s: float = 1.0) -> dict[str, str] | None:
        """The first event called `name`, waiting `within_s` for it."""
        deadline_s = time.monotonic() + within_s
        while True:
            for seen in self.events:
                if seen.get("Event") == name:
                    return seen
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            try:
                self.events.append(self._message(left_s))
            except ProbeFailed:
                return None

    def _message(self, timeout_s: float | None = None) -> dict[str, str]:
        text = self._until(b"\r\n\r\n", timeout_s).decode("utf-8", "replace")
        message: dict[str, str] = {}
        for line in text.split("\r\n"):
            key, separator, value = line.partition(":")
            if separator:
                # a repeated key (Output) goes on with a line of its own
                message[key] = f"{message[key]}\n{value.strip()}" if key in message else value.strip()
        return message

    def _until(self, end: bytes, timeout_s: float | None = None) -> bytes:
        deadline_s = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        while end not in self._buffer:
            if len(self._buffer) > ANSWER_LIMIT_BYTES:
                raise ProbeFailed("the answer has no end")
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise ProbeFailed("no answer in time")
            self._socket.settimeout(left_s)
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                raise ProbeFailed("no answer in time") from None
            except OSError as error:
                raise ProbeFailed(str(error.strerror or error)) from error
            if not chunk:
                raise ProbeFailed("the connection was closed")
            self._buffer += chunk
        found, _, self._buffer = self._buffer.partition(end)
        return found

"""A blocking client of the control socket, for the command line."""

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from ccserver.control.protocol import ANSWER_BYTES_MAX, Answer, ProtocolError, Request, Why, read_answer, write_request


class DaemonNotRunning(Exception):
    """Nobody listens on the control socket. Start the daemon (`systemctl start ccserver`), or name the configuration file it
    runs with (`--config`)."""


class MayNotAsk(Exception):
    """The control socket's file mode keeps this user out: be root or a member of the group that owns it."""


class NoAnswer(Exception):
    """The daemon accepted the request and did not answer in time: it is overloaded or frozen (`ccserver doctor` says more)."""


class NotDone(Exception):
    """The daemon answered no; `why` is the kind and the text is its reason."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


class ControlClient:
    """One connection. `timeout_s` bounds the wait for each answer."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        """Raises DaemonNotRunning, MayNotAsk."""
        self._ids = itertools.count(1)
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except PermissionError:
            self._socket.close()
            raise MayNotAsk(f"{path}: this user may not talk to the daemon") from None
        except OSError as error:
            self._socket.close()
            raise DaemonNotRunning(f"{path}: the daemon is not running ({error.strerror or error})") from None

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, do: str, **arguments: object) -> object:
        """The result of one request. Raises NotDone, NoAnswer, DaemonNotRunning (it went away meanwhile)."""
        return next(self.follow(do, **arguments))

    def follow(self, do: str, **arguments: object) -> Iterator[object]:
        """The results of a request that streams, for as long as the daemon sends them."""
        number = next(self._ids)
        self._send(write_request(Request(id=number, do=do, arguments=arguments)))
        while True:
            answer = self._read()
            if answer.id != number:
                continue  # the rest of a stream that the caller left
            if answer.why is not None:
                raise NotDone(answer.why, answer.text)
            yield answer.result
            if not answer.is_more:
                return

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except TimeoutError:
            raise NoAnswer("the daemon takes no requests: it is frozen or overloaded") from None
        except OSError:
            raise DaemonNotRunning("the daemon closed the connection") from None

    def _read(self) -> Answer:
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                raise NoAnswer(f"the daemon did not answer within {self._socket.gettimeout():g} s") from None
            except OSError:
                raise DaemonNotRunning("the daemon closed the connection") from None
            if not chunk:
                raise DaemonNotRunning("the daemon closed the connection")
            self._buffer += chunk
            if len(self._buffer) > ANSWER_BYTES_MAX:
                raise ProtocolError("the daemon's answer has no end")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return read_answer(line)

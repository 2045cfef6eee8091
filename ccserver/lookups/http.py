"""Look-ups by HTTP: one request on a thread, within a time limit that holds to the last byte, however slowly they come.

TLS is verified, a redirect is not followed, an answer has an end. 404, 204 and an empty answer say that there is nothing.
"""

import http.client
import io
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import NoReturn
from urllib.parse import urlencode, urlsplit

from ccserver.config.look_up_edges import SECRET, HttpLookUp, HttpMethod
from ccserver.core.expressions import Value
from ccserver.core.ids import Language
from ccserver.lookups.answers import Fields, LookUpFailed, as_word, plain

ANSWER_MAX_BYTES = 256 * 1024
_EMPTY: tuple[object, ...] = (None, {}, [], "")


class HttpAsker:
    """Asks one address. `ask` may be called from several threads at once."""

    def __init__(self, look_up: HttpLookUp, monotonic_s: Callable[[], float]) -> None:
        self._look_up = look_up
        self._monotonic_s = monotonic_s
        self._parts = urlsplit(look_up.url)
        self._tls: ssl.SSLContext | None = None

    def ask(
        self, parameters: Mapping[str, Value], language: Language, secret: bytearray | None, timeout_s: float
    ) -> Fields | None:
        """One try; None: there is nothing. Raises LookUpFailed."""
        limit = _Limit(self._monotonic_s, timeout_s)
        body = bytearray()
        try:
            target, headers = self._request(parameters, language, secret, body)
            status, answer = self._exchange(target, headers, body, limit)
        except TimeoutError:
            raise LookUpFailed("no answer in time", may_pass=True) from None
        except ssl.SSLCertVerificationError as error:
            raise LookUpFailed(f"its certificate is refused: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise LookUpFailed(f"no TLS: {error.reason}") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LookUpFailed(f"not reached: {reason}", may_pass=True) from None
        except http.client.HTTPException as error:
            raise LookUpFailed(f"an answer that is no HTTP: {type(error).__name__}") from None
        finally:
            body[:] = bytes(len(body))  # a secret is in it
        return _read(status, answer)

    def close(self) -> None:
        """Nothing is kept open."""

    def _request(
        self, parameters: Mapping[str, Value], language: Language, secret: bytearray | None, body: bytearray
    ) -> tuple[str, dict[str, str]]:
        """Where to, and the headers; puts the body into `body`."""
        look_up = self._look_up
        headers = {
            "Accept": "application/json",
            "Accept-Language": language.replace("_", "-"),
            "User-Agent": "ccserver",
            "Connection": "close",
            **look_up.headers,
        }
        if look_up.token:
            headers["Authorization"] = f"Bearer {look_up.token}"
        query = self._parts.query
        match look_up.method:
            case HttpMethod.GET:
                given = urlencode({name: as_word(value) for name, value in parameters.items()})
                query = "&".join(filter(None, (query, given)))
            case HttpMethod.POST:
                headers["Content-Type"] = "application/json"
                body += json.dumps({name: plain(value) for name, value in parameters.items()}).encode()
                if secret is not None:
                    # Digits need no escape, and are never a `str`, which nobody could wipe.
                    del body[-1:]
                    body += b'%b"%b": "' % (b", " if parameters else b"", SECRET.encode())
                    body += secret
                    body += b'"}'
        return (self._parts.path or "/") + (f"?{query}" if query else ""), headers

    def _exchange(self, target: str, headers: dict[str, str], body: bytearray, limit: "_Limit") -> tuple[int, bytes]:
        host, port, is_tls = self._parts.hostname or "", self._parts.port, self._parts.scheme == "https"
        peer = _connected(host, port or (443 if is_tls else 80), limit)
        try:
            connection: http.client.HTTPConnection
            if is_tls:
                tls = self._context()
                peer.settimeout(limit.left_s())
                peer = tls.wrap_socket(peer, server_hostname=host)
                connection = http.client.HTTPSConnection(host, port, context=tls)
            else:
                connection = http.client.HTTPConnection(host, port)
            connection.sock = _Limited(peer, limit)  # what http.client uses of a socket
            connection.request(self._look_up.method.value.upper(), target, body=body or None, headers=headers)
            response = connection.getresponse()
            answer = response.read(ANSWER_MAX_BYTES + 1)
            if len(answer) > ANSWER_MAX_BYTES:
                raise LookUpFailed(f"an answer of more than {ANSWER_MAX_BYTES // 1024} KiB", is_down=False)
            if response.length:
                raise LookUpFailed("an answer that broke off", may_pass=True)
            return response.status, answer
        finally:
            peer.close()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # on the thread: it reads many files. Two that make it at once make the same
            file = self._look_up.ca_file
            try:
                self._tls = ssl.create_default_context(cafile=None if file is None else str(file))
            except OSError:  # SSLError is one
                raise LookUpFailed("its ca_file cannot be read") from None
        return self._tls


def _read(status: int, answer: bytes) -> Fields | None:
    if status in (404, 204):
        return None
    if not 200 <= status < 300:
        raise LookUpFailed(f"status {status}", may_pass=status in (502, 503, 504), is_down=status >= 500)
    if not answer.strip():
        return None
    try:
        found = json.loads(answer, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise LookUpFailed("an answer that is no JSON", is_down=False) from None
    if found in _EMPTY:
        return None
    if isinstance(found, list):
        return {str(index): each for index, each in enumerate(found)}
    if not isinstance(found, dict):
        raise LookUpFailed("an answer that is no table", is_down=False)
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


# --- time -----------------------------------------------------------------------------------------------------------------
class _Limit:
    def __init__(self, monotonic_s: Callable[[], float], timeout_s: float) -> None:
        self._monotonic_s = monotonic_s
        self._ends_at_s = monotonic_s() + timeout_s

    def left_s(self) -> float:
        """Raises TimeoutError when nothing is left."""
        left_s = self._ends_at_s - self._monotonic_s()
        if left_s <= 0:
            raise TimeoutError
        return left_s


def _connected(host: str, port: int, limit: _Limit) -> socket.socket:
    """To the first of the host's addresses that answers."""
    last: OSError = OSError("a name without an address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        peer = socket.socket(family, kind, protocol)
        try:
            peer.settimeout(limit.left_s())
            peer.connect(address)
        except TimeoutError:
            peer.close()
            raise
        except OSError as error:
            peer.close()
            last = error
        else:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return peer
    raise last


class _Limited:
    """A socket whose every step may take what is left of the whole: its own time-out begins anew with each byte."""

    def __init__(self, peer: socket.socket, limit: _Limit) -> None:
        self._peer = peer
        self._limit = limit

    def sendall(self, data: bytes | bytearray) -> None:
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                self._peer.settimeout(self._limit.left_s())
                sent += self._peer.send(view[sent:])

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._peer, self._limit))

    def close(self) -> None:
        """Whoever opened the socket closes it: the answer is read after http.client has let go."""


class _Reader(io.RawIOBase):
    def __init__(self, peer: socket.socket, limit: _Limit) -> None:
        super().__init__()
        self._peer = peer
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._peer.settimeout(self._limit.left_s())
        return self._peer.recv_into(buffer)

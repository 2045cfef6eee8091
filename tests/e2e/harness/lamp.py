"""A lamp on a phone: a subscription to an extension's state (RFC 4235), as a desk phone's BLF key makes it."""

import asyncio
import hashlib
import itertools
import re
from typing import cast

_DIGEST = re.compile(r'WWW-Authenticate: *Digest .*?realm="(?P<realm>[^"]+)".*?nonce="(?P<nonce>[^"]+)"', re.IGNORECASE)
_OPAQUE = re.compile(r'opaque="([^"]+)"', re.IGNORECASE)
_STATE = re.compile(r"<state>(\w+)</state>")
_NUMBERS = itertools.count(1)


class Lamp(asyncio.DatagramProtocol):
    """`states` are those told so far: terminated (off), confirmed (lit), early (blinking)."""

    def __init__(self, user: str, password: str, extension: str, server: tuple[str, int]) -> None:
        self.states: list[str] = []
        self.answer = ""
        self._user, self._password = user, password
        self._server = server
        self._uri = f"sip:{extension}@{server[0]}:{server[1]}"
        self._call = f"lamp-{next(_NUMBERS)}"
        self._sequence = 0
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def watch(
        cls,
        user: str,
        password: str,
        extension: str,
        *,
        local: str = "127.0.0.7",
        server: tuple[str, int] = ("127.0.0.1", 5060),
    ) -> "Lamp":
        loop = asyncio.get_running_loop()
        _, lamp = await loop.create_datagram_endpoint(lambda: cls(user, password, extension, server), (local, 0))
        lamp.subscribe()
        return lamp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def subscribe(self, authorization: str = "") -> None:
        assert self._transport is not None
        self._sequence += 1
        host, port = self._transport.get_extra_info("sockname")
        lines = [
            f"SUBSCRIBE {self._uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self._call}{self._sequence};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self._user}@{self._server[0]}>;tag={self._call}",
            f"To: <{self._uri}>",
            f"Call-ID: {self._call}",
            f"CSeq: {self._sequence} SUBSCRIBE",
            f"Contact: <sip:{self._user}@{host}:{port}>",
            "Event: dialog",
            "Accept: application/dialog-info+xml",
            "Expires: 600",
            *([authorization] if authorization else []),
            "Content-Length: 0",
        ]
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self._server)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        text = data.decode()
        if text.startswith("SIP/2.0 401"):
            self.subscribe(self._authorization(text))
        elif text.startswith("SIP/2.0"):
            self.answer = text.splitlines()[0]
        elif text.startswith("NOTIFY"):
            # An extension that was taken away is told without a body.
            self.states += _STATE.findall(text)
            kept = [line for line in text.splitlines() if re.match(r"(Via|From|To|Call-ID|CSeq):", line, re.IGNORECASE)]
            assert self._transport is not None
            self._transport.sendto(("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0"]) + "\r\n\r\n").encode(), addr)

    def _authorization(self, challenge: str) -> str:
        found = _DIGEST.search(challenge)
        assert found is not None, challenge
        own = _md5(f"{self._user}:{found['realm']}:{self._password}")
        of = _md5(f"SUBSCRIBE:{self._uri}")
        response = _md5(f"{own}:{found['nonce']}:00000001:abc:auth:{of}")
        opaque = _OPAQUE.search(challenge)
        return (
            f'Authorization: Digest username="{self._user}",realm="{found["realm"]}",nonce="{found["nonce"]}",uri="{self._uri}",'
            f'response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="abc"'
            + (f',opaque="{opaque[1]}"' if opaque else "")
        )

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

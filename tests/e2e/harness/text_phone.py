"""A telephone that offers real-time text (T.140 over RTP, RFC 4103) beside its voice: just enough SIP to see what is answered."""

import asyncio
import re
from dataclasses import dataclass
from typing import Self

from harness.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One m= line of an answer; port 0: refused."""

    kind: str
    port: int
    formats: tuple[str, ...]


class TextPhone(asyncio.DatagramProtocol):
    """One call from `local`, over UDP, without a retransmission: it lives on loopback."""

    def __init__(self, local: str) -> None:
        self._local = local
        self._transport: asyncio.DatagramTransport | None = None
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._sequence = 0
        self._dialog = ""
        self._target = ""

    @classmethod
    async def open(cls, local: str) -> Self:
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(lambda: cls(local), local_addr=(local, 0))
        return phone

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._answers.put_nowait(data.decode("utf-8", "replace"))

    async def call(self, number: str, media: list[str], deadline_s: float = PATIENCE_S) -> tuple[int, list[Medium]]:
        """Offer these lines of SDP; the final code and, if it is 200, the media of the answer."""
        sdp = ["v=0", f"o=- 1 1 IN IP4 {self._local}", "s=-", f"c=IN IP4 {self._local}", "t=0 0", *media]
        self._target = f"sip:{number}@127.0.0.1"
        self._dialog = f"To: <{self._target}>"
        self._send("INVITE", "\r\n".join([*sdp, ""]))
        async with asyncio.timeout(deadline_s):
            while True:
                answer = await self._answers.get()
                if not answer.startswith("SIP/2.0 "):
                    continue
                code = int(answer.split()[1])
                if code < 200:
                    continue
                to, contact = re.search(r"(?mi)^To: .*$", answer), re.search(r"(?mi)^Contact: <([^>]+)>", answer)
                assert to is not None, answer
                self._dialog = to[0].strip()
                if code == 200:
                    assert contact is not None, answer
                    self._target = contact[1]
                self._send("ACK", is_new=code == 200)
                return code, _media(answer)

    def hang_up(self) -> None:
        self._send("BYE")

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def _send(self, method: str, body: str = "", *, is_new: bool = False) -> None:
        assert self._transport is not None
        port = self._transport.get_extra_info("sockname")[1]
        if method != "ACK":
            self._sequence += 1
        # The acknowledgement of a refusal belongs to the INVITE's transaction.
        transaction = "INVITE" if method == "ACK" and not is_new else method
        lines = [
            f"{method} {self._target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._local}:{port};branch=z9hG4bK{transaction}{is_new}{port}x{self._sequence};rport",
            "Max-Forwards: 70",
            f"From: <sip:+34911222333@{self._local}>;tag=text",
            self._dialog,
            f"Call-ID: text-{port}@{self._local}",
            f"CSeq: {self._sequence} {method}",
            f"Contact: <sip:text@{self._local}:{port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self._transport.sendto("\r\n".join(lines).encode(), ("127.0.0.1", 5060))


def _media(answer: str) -> list[Medium]:
    found = re.findall(r"(?m)^m=(\w+) (\d+) \S+ (.*?)\r?$", answer)
    return [Medium(kind=kind, port=int(port), formats=tuple(formats.split())) for kind, port, formats in found]

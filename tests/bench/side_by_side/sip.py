"""Signalling-only SIP phones and callers in one process: hundreds of them, with one clock for all that is measured.

They speak just enough SIP (RFC 3261) to call, ring, answer and hang up over UDP on loopback; audio flows only where `voices` adds it.
What is measured is the time at which a datagram is sent or has come in.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

_HEADER = re.compile(r"(?im)^([A-Za-z-]+|[vftimlks])\s*:\s*(.*?)\r?$")
_AUDIO = re.compile(r"(?m)^m=audio (\d{1,5}) ")
_SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}
_SDP = (
    "v=0\r\no=u 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
T1_S = 0.5


@dataclass(slots=True)
class Message:
    """`method` of a request, or `code` of an answer; of headers that come several times `via` and `record_route` keep all."""

    method: str
    code: int
    uri: str
    headers: dict[str, str]
    vias: list[str]
    routes: list[str]
    audio_port: int = 0
    """Where the sender wants audio; 0: it says nothing of that."""


def parse(data: bytes) -> Message | None:
    text = data.decode("utf-8", "replace")
    first, _, rest = text.partition("\r\n")
    words = first.split(" ", 2)
    if len(words) < 3:
        return None
    headers: dict[str, str] = {}
    vias: list[str] = []
    routes: list[str] = []
    for name, value in _HEADER.findall(rest.partition("\r\n\r\n")[0] + "\r\n"):
        key = _SHORT.get(name.lower(), name.lower())
        if key == "via":
            vias.append(value)
        elif key == "record-route":
            routes.append(value)
        else:
            headers[key] = value
    audio = _AUDIO.search(rest)
    port = int(audio[1]) if audio else 0
    if words[0] == "SIP/2.0":
        return Message("", int(words[1]), "", headers, vias, routes, port)
    return Message(words[0], 0, words[1], headers, vias, routes, port)


def _uri(value: str) -> str:
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.split(";", maxsplit=1)[0].strip()


@dataclass(slots=True)
class Dialog:
    """One call, as one of its ends sees it."""

    call_id: str
    number: str
    is_caller: bool
    local: str = ""
    remote: str = ""
    target: str = ""
    invite: Message | None = None
    branch: str = ""
    sequence: int = 1
    audio_port: int = 40_000
    """Where this end takes audio."""
    far_port: int = 0
    """Where the other end does, once it is known."""
    state: str = "new"
    times: dict[str, float] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    hang_up: asyncio.TimerHandle | None = None


class Endpoint(asyncio.DatagramProtocol):
    """All phones, or all callers, of one address. `told(what, dialog)` hears: invite, ringing, up, ended, refused."""

    def __init__(self, ip: str, port: int, peer: tuple[str, int], told: Callable[[str, Dialog], None]) -> None:
        self.ip, self.port, self.peer, self.told = ip, port, peer, told
        self.dialogs: dict[str, Dialog] = {}
        self.answer_after_s = 0.0
        self.audio_port: Callable[[], int] = lambda: 40_000
        self._ids = itertools.count(1)
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, ip: str, port: int, peer: tuple[str, int], told: Callable[[str, Dialog], None]) -> "Endpoint":
        loop = asyncio.get_running_loop()
        _, made = await loop.create_datagram_endpoint(lambda: cls(ip, port, peer, told), local_addr=(ip, port))
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def close(self) -> None:
        for dialog in list(self.dialogs.values()):
            self._stop_timers(dialog)
        if self._transport is not None:
            self._transport.close()

    # --- calling ------------------------------------------------------------------------------------------------------
    def call(self, number: str, caller: str) -> Dialog:
        dialog = Dialog(call_id=f"{next(self._ids)}-{self.port}-{self.ip}", number=number, is_caller=True)
        dialog.audio_port = self.audio_port()
        dialog.local = f"<sip:{caller}@{self.ip}:{self.port}>;tag=c{dialog.call_id}"
        dialog.remote = f"<sip:{number}@{self.peer[0]}>"
        dialog.target = f"sip:{number}@{self.peer[0]}:{self.peer[1]}"
        dialog.branch = f"z9hG4bK{dialog.call_id}-1"
        self.dialogs[dialog.call_id] = dialog
        dialog.times["invite"] = time.perf_counter()
        self._request(dialog, "INVITE", dialog.branch, sdp=True)
        return dialog

    def bye(self, dialog: Dialog) -> None:
        """Hang up a call that is up."""
        if dialog.state != "up":
            return
        self._stop_timers(dialog)
        dialog.state = "leaving"
        dialog.sequence += 1
        dialog.times["bye"] = time.perf_counter()
        self._again(dialog, "BYE", f"z9hG4bK{dialog.call_id}-{dialog.sequence}", T1_S)

    def vanish(self, dialog: Dialog) -> None:
        """Its telephone is gone without a word; what is said to it is answered, and means nothing."""
        self._stop_timers(dialog)
        self.dialogs.pop(dialog.call_id, None)

    def cancel(self, dialog: Dialog) -> None:
        """Give up a call that was not answered."""
        if dialog.state in ("new", "ringing"):
            dialog.state = "leaving"
            self._request(dialog, "CANCEL", dialog.branch)

    def _again(self, dialog: Dialog, method: str, branch: str, wait_s: float) -> None:
        self._request(dialog, method, branch)
        if wait_s < 8:
            dialog.timer = asyncio.get_running_loop().call_later(wait_s, self._again, dialog, method, branch, wait_s * 2)

    # --- what comes in ------------------------------------------------------------------------------------------------
    def datagram_received(self, data: bytes, _addr: object) -> None:
        now = time.perf_counter()
        message = parse(data)
        if message is None:
            return
        dialog = self.dialogs.get(message.headers.get("call-id", ""))
        if message.code:
            if dialog is not None:
                self._answered(dialog, message, now)
        elif message.method == "INVITE" and dialog is None:
            self._invited(message, now)
        elif message.method == "ACK":
            pass
        elif message.method == "INVITE":
            self._respond(message, 200, "OK", dialog, sdp=True)
        elif message.method == "BYE":
            self._respond(message, 200, "OK", dialog)
            if dialog is not None:
                self._over(dialog, now)
        elif message.method == "CANCEL":
            self._respond(message, 200, "OK", dialog)
            if dialog is not None and dialog.invite is not None and dialog.state != "up":
                self._respond(dialog.invite, 487, "Request Terminated", dialog)
                self._over(dialog, now)
        else:
            self._respond(message, 200, "OK", dialog)

    def _invited(self, message: Message, now: float) -> None:
        user = re.match(r"sip:([^@;]+)", message.uri)
        dialog = Dialog(call_id=message.headers["call-id"], number=user[1] if user else "", is_caller=False, invite=message)
        dialog.local = f"{message.headers['to']};tag=p{len(self.dialogs)}{self.port}"
        dialog.remote = message.headers["from"]
        dialog.target = _uri(message.headers.get("contact", ""))
        dialog.audio_port, dialog.far_port = self.audio_port(), message.audio_port
        dialog.state = "ringing"
        dialog.times["invite"] = now
        self.dialogs[dialog.call_id] = dialog
        self._respond(message, 180, "Ringing", dialog)
        self.told("invite", dialog)
        if self.answer_after_s >= 0:
            dialog.timer = asyncio.get_running_loop().call_later(self.answer_after_s, self._pick_up, dialog)

    def _pick_up(self, dialog: Dialog) -> None:
        if dialog.state == "ringing" and dialog.invite is not None:
            dialog.state = "up"
            dialog.times["up"] = time.perf_counter()
            self._respond(dialog.invite, 200, "OK", dialog, sdp=True)
            self.told("up", dialog)

    def _answered(self, dialog: Dialog, message: Message, now: float) -> None:
        method = message.headers.get("cseq", "").partition(" ")[2]
        if method == "BYE" and message.code >= 200:
            self._over(dialog, now)
        elif method == "INVITE" and message.code == 180:
            dialog.times.setdefault("ringing", now)
            self.told("ringing", dialog)
        elif method == "INVITE" and 200 <= message.code < 300:
            dialog.remote = message.headers["to"]
            dialog.far_port = message.audio_port
            dialog.target = _uri(message.headers.get("contact", dialog.target))
            self._request(dialog, "ACK", f"z9hG4bK{dialog.call_id}-a")
            if dialog.state == "leaving":
                dialog.state = "up"
                self.bye(dialog)
            elif dialog.state != "up":
                dialog.state = "up"
                dialog.times["up"] = now
                self.told("up", dialog)
        elif method == "INVITE" and message.code >= 300:
            dialog.remote = message.headers["to"]
            self._request(dialog, "ACK", dialog.branch)
            dialog.times["refused"] = message.code
            self._over(dialog, now, "refused")

    def _over(self, dialog: Dialog, now: float, what: str = "ended") -> None:
        self._stop_timers(dialog)
        if self.dialogs.pop(dialog.call_id, None) is not None:
            dialog.state = "over"
            dialog.times["over"] = now
            self.told(what, dialog)

    @staticmethod
    def _stop_timers(dialog: Dialog) -> None:
        for timer in (dialog.timer, dialog.hang_up):
            if timer is not None:
                timer.cancel()

    # --- what goes out ------------------------------------------------------------------------------------------------
    def _request(self, dialog: Dialog, method: str, branch: str, *, sdp: bool = False) -> None:
        sequence = 1 if method in ("ACK", "CANCEL") else dialog.sequence
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.ip}:{self.port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {dialog.local}",
            f"To: {dialog.remote}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:u@{self.ip}:{self.port}>",
        ]
        self._send(lines, dialog.audio_port if sdp else 0)

    def _respond(self, request: Message, code: int, phrase: str, dialog: Dialog | None, *, sdp: bool = False) -> None:
        to = request.headers.get("to", "")
        if dialog is not None and not dialog.is_caller and "tag=" not in to:
            to = dialog.local
        lines = [
            f"SIP/2.0 {code} {phrase}",
            *(f"Via: {via}" for via in request.vias),
            *(f"Record-Route: {route}" for route in request.routes),
            f"From: {request.headers.get('from', '')}",
            f"To: {to}",
            f"Call-ID: {request.headers.get('call-id', '')}",
            f"CSeq: {request.headers.get('cseq', '')}",
            f"Contact: <sip:u@{self.ip}:{self.port}>",
        ]
        self._send(lines, (dialog.audio_port if dialog is not None else 40_000) if sdp else 0)

    def _send(self, lines: list[str], audio_port: int) -> None:
        body = _SDP.format(ip=self.ip, port=audio_port) if audio_port else ""
        if audio_port:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        assert self._transport is not None
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.peer)

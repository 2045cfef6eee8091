"""A telephone whose line loses packets: it says so in its RTP by the numbers that are missing, and in its RTCP reports (RFC 3550)."""

import asyncio
import math
import random
import struct
import time
from typing import Self

from ccserver.lab import counted
from harness.text_phone import TextPhone

FRAME_MS, RATE = 20, 8000
FRAME = RATE * FRAME_MS // 1000
REPORT_EVERY_S = 1.0
SSRC = 0x5EED
NTP_EPOCH_S = 2_208_988_800


class LossyPhone:
    """One call with G.711: a tone as mu-law, or (`hz` 0) counted sound as A-law. `loss` of its packets, 0 to 1, are lost on the way to
    Asterisk, and `loss_back`, as it reports, of those from there."""

    def __init__(self, signalling: TextPhone, local: str, hz: int, loss: float, loss_back: float) -> None:
        self._signalling, self._local = signalling, local
        self._loss, self._loss_back = loss, loss_back
        self._chance = random.Random(7)
        self._hz = hz
        self._payload = 0 if hz else 8
        self._tone = [_mu_law(round(8000 * math.sin(2 * math.pi * hz * n / RATE))) for n in range(RATE)]
        self.sent = self.lost = 0
        self._media = _Media()
        self._control = _Control()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, local: str, *, hz: int, loss: float = 0.0, loss_back: float = 0.0) -> Self:
        return cls(await TextPhone.open(local), local, hz, loss, loss_back)

    async def call(self, number: str) -> None:
        """Returns when the call is answered; it talks from then on."""
        loop = asyncio.get_running_loop()
        port = await self._listen(loop)
        code, media = await self._signalling.call(number, self._offer(port))
        assert code == 200, code
        far = ("127.0.0.1", media[0].port)
        self._tasks = [loop.create_task(self._talk(far)), loop.create_task(self._report((far[0], far[1] + 1)))]

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> int:
        """A pair of ports: RTP on the even one."""
        for port in range(20_000, 30_000, 2):
            try:
                await loop.create_datagram_endpoint(lambda: self._media, local_addr=(self._local, port))
                await loop.create_datagram_endpoint(lambda: self._control, local_addr=(self._local, port + 1))
            except OSError:
                continue
            return port
        raise AssertionError("no port is free")

    async def _talk(self, far: tuple[str, int]) -> None:
        begun = time.monotonic()
        for number in range(1 << 16):
            packet = struct.pack("!BBHII", 0x80, self._payload, number, number * FRAME, SSRC) + self._sound(number)
            # The first packets make the far end sure of the source.
            if number >= 50 and self._chance.random() < self._loss:
                self.lost += 1
            else:
                self.sent += 1
                self._media.send(packet, far)
            await asyncio.sleep(max(0.0, begun + (number + 1) * FRAME_MS / 1000 - time.monotonic()))

    def _offer(self, port: int) -> list[str]:
        name = "PCMU" if self._hz else "PCMA"
        return [f"m=audio {port} RTP/AVP {self._payload}", f"a=rtpmap:{self._payload} {name}/8000", "a=ptime:20"]

    def _sound(self, number: int) -> bytes:
        start = number * FRAME % RATE
        return bytes(self._tone[start : start + FRAME]) if self._hz else counted.frame(number)

    async def _report(self, far: tuple[str, int]) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            expected = self._media.taken
            lost = round(expected * self._loss_back)
            ntp = time.time() + NTP_EPOCH_S
            head = struct.pack("!BBHI", 0x81, 200, 12, SSRC)
            sender = struct.pack(
                "!IIIII", int(ntp), int(ntp % 1 * 2**32), (self.sent + self.lost) * FRAME, self.sent, self.sent * FRAME
            )
            middle, delay = self._control.last_report()
            block = struct.pack(
                "!IIIIII",
                self._media.ssrc,
                (round(self._loss_back * 256) & 0xFF) << 24 | lost & 0xFFFFFF,
                self._media.highest,
                0,
                middle,
                delay,
            )
            self._control.send(head + sender + block, far)

    async def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._signalling.hang_up()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for each in (self._media, self._control, self._signalling):
            each.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(data, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Media(_Datagrams):
    """Counts what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = self.highest = self.ssrc = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) >= 12:
            self.taken += 1
            _, _, self.highest, _, self.ssrc = struct.unpack_from("!BBHII", data)


class _Control(_Datagrams):
    """Remembers when the far end sent its last report, so that it can tell how long the way is."""

    def __init__(self) -> None:
        super().__init__()
        self._middle, self._at_s = 0, 0.0

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) >= 28 and data[1] == 200:
            seconds, fraction = struct.unpack_from("!II", data, 8)
            self._middle, self._at_s = (seconds & 0xFFFF) << 16 | fraction >> 16, time.monotonic()

    def last_report(self) -> tuple[int, int]:
        """The middle of its time, and how long ago it came (1/65536 s); 0 and 0: there was none."""
        return (self._middle, round((time.monotonic() - self._at_s) * 65536)) if self._middle else (0, 0)


def _mu_law(sample: int) -> int:
    """G.711, by its definition: sign, segment, step; all bits turned over."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32_635) + 132
    segment = size.bit_length() - 8
    return ~(sign | segment << 4 | size >> segment + 3 & 0x0F) & 0xFF

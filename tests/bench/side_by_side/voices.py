"""Counted sound for many calls at once, by RTP, from one clock: what is sent is known to the sample."""

import asyncio
import itertools
import socket
import struct
import time

from ccserver.lab import counted
from side_by_side.sip import Dialog

FRAME_S = 0.02
SILENCE = b"\xff" * counted.FRAME
FIRST_PORT = 20_000


class Voices:
    """Every dialog that was added sends a frame each 20 ms, the same for all or silence, from its own port."""

    def __init__(self, ip: str) -> None:
        self._ip = ip
        self._ports = itertools.count(FIRST_PORT, 2)
        self._sockets: dict[int, socket.socket] = {}
        self._talking: dict[str, Dialog] = {}
        self._silent: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def port(self) -> int:
        """A port of a new call's own, taken at once."""
        port = next(self._ports)
        taken = self._sockets[port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.setblocking(False)
        taken.bind((self._ip, port))
        return port

    def add(self, dialog: Dialog, *, is_silent: bool = False) -> None:
        self._talking[dialog.call_id] = dialog
        if is_silent:
            self._silent.add(dialog.call_id)

    def drop(self, dialog: Dialog) -> None:
        if self._talking.pop(dialog.call_id, None) is not None:
            self._sockets.pop(dialog.audio_port).close()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._talk())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for each in self._sockets.values():
            each.close()

    async def _talk(self) -> None:
        began = time.perf_counter()
        for number in itertools.count():
            frame = counted.frame(number)
            for dialog in self._talking.values():
                head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * counted.FRAME, dialog.audio_port)
                packet = head + (SILENCE if dialog.call_id in self._silent else frame)
                self._sockets[dialog.audio_port].sendto(packet, ("127.0.0.1", dialog.far_port))
            await asyncio.sleep(max(0.0, began + (number + 1) * FRAME_S - time.perf_counter()))

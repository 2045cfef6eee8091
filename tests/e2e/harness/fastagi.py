"""A FastAGI server of a few lines that a test drives by hand, for trying the dialplan without the daemon."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from harness.waiting import PATIENCE_S


class Session:
    """One AGI session: the request and the commands the test sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, str]) -> None:
        self._reader, self._writer = reader, writer
        self.request = request

    @property
    def script(self) -> str:
        """Path and query without the secret: `inbound`, `feature?code=12`."""
        return self.request["agi_network_script"].partition("/")[2]

    @property
    def place(self) -> str:
        """Of these the path alone."""
        return self.script.partition("?")[0]

    @property
    def secret(self) -> str:
        return self.request["agi_network_script"].partition("/")[0]

    @property
    def channel(self) -> str:
        return self.request["agi_channel"]

    async def command(self, line: str) -> str:
        """The answer of one command; the HANGUP notice is passed over.  Raises ConnectionError at the end."""
        self._writer.write(line.encode() + b"\n")
        while True:
            answer = (await self._reader.readline()).decode()
            if not answer:
                raise ConnectionError("the AGI session has ended")
            if answer.strip() != "HANGUP":
                return answer.strip()

    async def next_is(self, verb: str) -> None:
        """What the dialplan is to do after this session: bye, or goto with CC_GOTO set before."""
        await self.command(f'SET VARIABLE CC_NEXT "{verb}"')

    async def hold_the_line(self) -> None:
        """Music, until Asterisk takes the caller away."""
        with contextlib.suppress(ConnectionError):
            await self.command("EXEC Answer 0,i")
            await self.command("SET MUSIC ON cc-wait")
            while "result=-1" not in await self.command("WAIT FOR DIGIT 1000"):
                pass

    def close(self) -> None:
        self._writer.close()


class FastAgi:
    """Listens while it is open.  Sessions come out of `next` in order, or go to `handler`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._arrived: asyncio.Queue[Session] = asyncio.Queue()
        self._open: list[Session] = []
        self._server: asyncio.Server | None = None
        self.handler: Callable[[Session], Awaitable[None]] | None = None

    async def __aenter__(self) -> "FastAgi":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the listener and every session, as a killed daemon would."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in self._open:
            session.close()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request: dict[str, str] = {}
        while line := (await reader.readline()).decode().strip():
            key, _, value = line.partition(": ")
            request[key] = value
        session = Session(reader, writer, request)
        self._open.append(session)
        if self.handler is not None:
            await self.handler(session)
        else:
            self._arrived.put_nowait(session)

    async def next(self, deadline_s: float = PATIENCE_S) -> Session:
        return await asyncio.wait_for(self._arrived.get(), deadline_s)

"""A TCP relay that a test can cut: what lies between the daemon and Asterisk's manager port."""

import asyncio
import contextlib
import threading
from typing import Self


class Relay:
    """Listens on `port` and passes everything on to `target`, both on 127.0.0.1."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def open(self, port: int) -> None:
        self._port = port
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def close(self) -> None:
        """Refuse new connections and reset those there are."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset the connections; new ones are served."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(back)
        forth: asyncio.StreamWriter | None = None
        try:
            far, forth = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(forth)
            await asyncio.gather(_pump(near, forth), _pump(far, back))
        except ConnectionError:
            pass  # an end was cut, or Asterisk is away: the other end sees the same
        finally:
            self._tasks.discard(task)
            for writer in (back, forth):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.close()


class Wire:
    """A relay on a thread of its own, so that it works whatever the test is at. `mend` opens it, `cut` closes it."""

    def __init__(self, target: int, port: int) -> None:
        self._relay, self._port = Relay(target), port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._relay.open(self._port), self._loop).result(5)

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._relay.close(), self._loop).result(5)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()

"""An Asterisk manager that answers as told, badly if told so, and a bench around one `AmiLink`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ccserver.ami.link import AmiLink, LinkTimes
from ccserver.core.events import Event
from ccserver.core.ids import LegId, PhoneId

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
QUICK = LinkTimes(
    connect_s=1.0,
    login_s=1.0,
    answer_s=0.15,
    list_s=0.3,
    ping_every_s=0.05,
    silence_max_s=0.4,
    back_off_first_s=0.02,
    back_off_max_s=0.1,
)
DEADLINE_S = 10.0

Action = dict[str, list[str]]
Behaviour = Callable[["FakeAmi", Action], Awaitable[None] | None]


def message(**fields: str) -> bytes:
    return "".join(f"{key}: {value}\r\n" for key, value in fields.items()).encode() + b"\r\n"


class FakeAmi:
    """Accepts a login and answers pings; everything else goes to `behaviour`, and is kept in `actions`."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.logins = 0
        self.greeting = GREETING
        self.takes_login = True
        self.boots = True
        self.is_silent = False
        self.slams = False
        self.behaviour: Behaviour = lambda _fake, _action: None
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """Cuts all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def send(self, data: bytes) -> None:
        for writer in self._writers:
            writer.write(data)

    def answer(self, action: Action, response: str = "Success", **fields: str) -> None:
        self.send(message(Response=response, ActionID=action["ActionID"][0], **fields))

    def named(self, name: str) -> list[Action]:
        return [action for action in self.actions if action["Action"] == [name]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.slams:
            writer.transport.abort()
            return
        self._writers.append(writer)
        writer.write(self.greeting)
        try:
            while True:
                block = await reader.readuntil(b"\r\n\r\n")
                action: Action = {}
                for line in block.decode().split("\r\n"):
                    key, colon, value = line.partition(": ")
                    if colon:
                        action.setdefault(key, []).append(value)
                self._act(action)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the link went away: that is a thing the tests do
        finally:
            writer.close()

    def _act(self, action: Action) -> None:
        if self.is_silent:
            return
        if action["Action"] == ["Login"]:
            self.logins += 1
            if not self.takes_login:
                self.answer(action, "Error", Message="Authentication failed")
                return
            self.answer(action, Message="Authentication accepted")
            if self.boots:
                self.send(message(Event="FullyBooted", Privilege="system,all", Uptime="42", LastReload="42"))
        elif action["Action"] == ["Ping"]:
            self.answer(action, Ping="Pong")
        else:
            self.actions.append(action)
            self.behaviour(self, action)


class LoopClock:
    """The running loop's time, as Twisted's IReactorTime."""

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def callLater(self, delay: float, call: Callable[..., Any], /, *args: Any) -> "LoopTimer":
        return LoopTimer(asyncio.get_running_loop(), delay, call, args)


class LoopTimer:
    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._call, self._args = call, args
        self._is_active = True
        self._handle = loop.call_later(delay, self._run)

    def _run(self) -> None:
        self._is_active = False
        self._call(*self._args)

    def active(self) -> bool:
        return self._is_active

    def cancel(self) -> None:
        assert self._is_active
        self._is_active = False
        self._handle.cancel()


@dataclass
class Bench:
    fake: FakeAmi
    link: AmiLink
    events: list[Event] = field(default_factory=list)
    digits: list[tuple[LegId, str]] = field(default_factory=list)
    in_session: set[LegId] = field(default_factory=set)
    listened_to: set[LegId] = field(default_factory=set)
    fails_on: type[Event] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take_digit(self, leg: LegId, digit: str) -> bool:
        self.digits.append((leg, digit))
        return leg in self.in_session

    def take(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()
        if self.fails_on is not None and isinstance(event, self.fails_on):
            raise RuntimeError("a fault of the daemon")

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object], what: str = "the condition") -> None:
        """Waits for a condition; fails with what was seen. Looks anew at each event, and every 5 ms for what is no event."""
        end = asyncio.get_running_loop().time() + DEADLINE_S
        while not condition():
            assert asyncio.get_running_loop().time() < end, f"{what} did not come: {self.events} {self.link.counts}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.005)
            except TimeoutError:
                continue

    async def got(self, kind: type[Any], count: int = 1) -> Any:
        await self.until(lambda: len(self.of(kind)) >= count, f"{count} {kind.__name__}")
        return self.of(kind)[count - 1]


PHONES = (PhoneId("PJSIP/1001"), PhoneId("PJSIP/1002"))


@asynccontextmanager
async def linked(fake: FakeAmi | None = None, *, times: LinkTimes = QUICK, is_listening: bool = True) -> AsyncIterator[Bench]:
    """A started link to a fake; afterwards both are closed, and nothing waits any more."""
    fake = fake or FakeAmi()
    await fake.listen()
    port = fake.port
    if not is_listening:
        await fake.close()
    clock = LoopClock()
    # The link and its sink know each other.
    bench: Bench
    link = AmiLink(
        host="127.0.0.1",
        port=port,
        user="ccserver",
        secret="secret",
        pbx="pbx",
        incarnation=7,
        sink=lambda event: bench.take(event),  # noqa: PLW0108
        digit_sink=lambda leg, digit: bench.take_digit(leg, digit),  # noqa: PLW0108
        listens_to=lambda leg: leg in bench.listened_to,
        clock=clock,
        mono_s=lambda: 1000.0,
        phones=lambda: PHONES,
        times=times,
    )
    bench = Bench(fake, link)
    link.start()
    try:
        yield bench
    finally:
        stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link.stop().addCallback(stopped.set_result)
        await asyncio.wait_for(stopped, DEADLINE_S)
        await fake.close()
        assert link.outstanding == 0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Runs one scenario on a loop of its own; a task or a callback that failed unseen fails it."""
    unseen: list[dict[str, Any]] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unseen.append(context))
        await asyncio.wait_for(scenario(), 4 * DEADLINE_S)

    asyncio.run(whole())
    assert unseen == []

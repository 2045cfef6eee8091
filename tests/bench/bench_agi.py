"""How many AGI sessions one core carries: `python tests/bench/bench_agi.py [sessions] [at a time]`.

Each session is what a plain queued call does: arrive, answer, a prompt, music, a variable, end. The
peers are as cheap as they can be and live in a process of their own, so the figure is the server's.
"""

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from ccserver.agi.numbers import Numbering
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.server import AgiServer
from ccserver.core.commands import AnswerCall, EndSession, Next, Say, WaitUntil
from ccserver.core.events import CallArrived, Event, PromptEnded, SessionClosed
from ccserver.core.ids import CommandId, Language
from ccserver.core.settings import Spoken, SpokenKind

SECRET = "bench"
EN = Language("en")
COMMANDS_PER_SESSION = 4  # answer, prompt, music, CC_NEXT


class Peer(asyncio.Protocol):
    """Asterisk's part: the header, then `200 result=0` to every line."""

    def __init__(self, number: int, ended: "asyncio.Queue[None]") -> None:
        self.number, self.ended = number, ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        lines = {
            "agi_network_script": f"{SECRET}/inbound",
            "agi_channel": f"PJSIP/trunk-{self.number:08x}",
            "agi_uniqueid": f"1700000000.{self.number}",
            "agi_callerid": f"+1202555{self.number % 10000:04}",
            "agi_calleridname": "Erika",
            "agi_callingpres": "0",
            "agi_language": "en",
            "agi_dnid": "5551000",
        }
        padding = "".join(f"agi_arg_{index}: \n" for index in range(2, 16))  # Asterisk sends some 22 lines
        transport.write(("".join(f"{key}: {value}\n" for key, value in lines.items()) + padding + "\n").encode())

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"200 result=0\n" * data.count(b"\n"))

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.put_nowait(None)


def callers(port: int, sessions: int, at_a_time: int) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Queue[None] = asyncio.Queue()
        for number in range(sessions):
            if number >= at_a_time:
                await ended.get()
            await loop.create_connection(lambda number=number: Peer(number, ended), "127.0.0.1", port)  # type: ignore[misc]
        for _ in range(min(at_a_time, sessions)):
            await ended.get()

    asyncio.run(run())


async def bench(sessions: int, at_a_time: int, prompts: Path) -> None:
    (prompts / "en").mkdir()
    (prompts / "en" / "welcome.wav").touch()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    closed = 0

    def core(event: Event) -> None:
        nonlocal closed
        match event:
            case CallArrived(session=session):
                server.perform(CommandId(0, 0), AnswerCall(session=session))
                welcome = (Spoken(SpokenKind.PROMPT, "welcome"),)
                server.perform(CommandId(0, 1), Say(session=session, say=welcome, language=EN))
                server.perform(CommandId(0, 2), WaitUntil(session=session, music="default"))
            case PromptEnded(session=session):
                # While the music starts: the wait is superseded at once.
                loop.call_soon(server.perform, CommandId(0, 3), EndSession(session=session, next=Next.HANG_UP))
            case SessionClosed():
                closed += 1
                if closed == sessions:
                    done.set()

    server = AgiServer(
        clock=AsyncioSelectorReactor(loop),
        sink=core,
        pbx="pbx",
        incarnation=1,
        secret=SECRET,
        prompts=PromptPaths(asterisk_dir=prompts, local_dir=prompts, default_language=EN),
        numbering=lambda: Numbering(country="US"),
        phones=frozenset,
        pin_hash=lambda agent: None,
        defer_to_thread=lambda work: Deferred(),
    )
    port = await Deferred.fromCoroutine(
        server.listen(TCP4ServerEndpoint(server.clock, 0, backlog=1024, interface="127.0.0.1"))
    ).asFuture(loop)
    process = multiprocessing.get_context("spawn").Process(target=callers, args=(port.getHost().port, sessions, at_a_time))
    began_s, cpu_s = time.perf_counter(), time.process_time()
    process.start()
    await done.wait()
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    process.join()
    await Deferred.fromCoroutine(server.stop()).asFuture(loop)
    counters = server.counters
    assert (counters.opened, counters.commands) == (sessions, sessions * COMMANDS_PER_SESSION), counters
    assert not counters.dropped, counters
    assert not counters.refused, counters
    print(
        f"{sessions} sessions, {at_a_time} at a time: {sessions / took_s:.0f} sessions/s by the clock, "
        f"{sessions / cpu_s:.0f} sessions and {counters.commands / cpu_s:.0f} commands per second of CPU, "
        f"{cpu_s / sessions * 1e6:.0f} us a session, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(bench(*(arguments + [5000, 50][len(arguments) :]), Path(directory)))  # type: ignore[call-arg]

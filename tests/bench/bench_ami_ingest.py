"""AMI ingest: our reader, translation included, against panoramisk as it comes; the same recorded stream, alternating runs.

`python tests/bench/bench_ami_ingest.py [SECONDS]` prints messages per second and ratios for 10, 50 and 100 handlers. Both
hand the same messages to the same handler; panoramisk tests one pattern per handler for each event, so names that
never come stand for the handlers of a larger program.
"""

import asyncio
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from ccserver.ami.protocol import MessageReader, StreamCounts
from ccserver.ami.translate import READERS, Scene, translate
from ccserver.core.ids import PhoneId

TRACES = Path(__file__).parents[1] / "edges" / "ami" / "traces"
SCENE = Scene("pbx", (PhoneId("PJSIP/1001"), PhoneId("PJSIP/1002")))
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
CHUNK = 16_384
REPEATS = 40


def recorded() -> list[bytes]:
    """All traces, without their greetings, again and again, in the pieces in which a socket gives them."""
    calls = b"".join(path.read_bytes().removeprefix(GREETING) for path in sorted(TRACES.glob("*.ami")))
    stream = GREETING + calls * REPEATS
    return [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]


def handler_names(count: int) -> list[str]:
    return [*READERS, *(f"Never{number}" for number in range(count))][:count]


def stock(chunks: list[bytes], handlers: int, told: list[Any]) -> None:
    """panoramisk's protocol and manager, one `register_event` per name; the handler translates."""
    loop = asyncio.new_event_loop()
    manager = Manager(loop=loop)

    def handle(_manager: Any, message: Any) -> None:
        fact = translate(dict(message.items()), SCENE)
        if fact is not None:
            told.append(fact)

    for name in handler_names(handlers):
        manager.register_event(name, handle)
    protocol = AMIProtocol()
    protocol.connection_made(SimpleNamespace(close=lambda: None))
    protocol.factory = manager
    protocol.encoding = "utf8"
    # Otherwise it takes the recorded FullyBooted for its own login.
    manager.callbacks["FullyBooted"] = [handle]
    for chunk in chunks:
        protocol.data_received(chunk)
    loop.close()


def ours(chunks: list[bytes], handlers: int, told: list[Any]) -> None:
    reader = MessageReader(handler_names(handlers), StreamCounts())
    for chunk in chunks:
        for fields in reader.feed(chunk):
            fact = translate(fields, SCENE) if "Event" in fields else None
            if fact is not None:
                told.append(fact)


def once(ingest: Callable[[list[bytes], int, list[Any]], None], chunks: list[bytes], handlers: int) -> tuple[float, list[Any]]:
    told: list[Any] = []
    began = time.process_time()
    ingest(chunks, handlers, told)
    return time.process_time() - began, told


def main() -> None:
    logging.disable(logging.CRITICAL)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    chunks = recorded()
    messages = b"".join(chunks).count(b"\r\n\r\n")
    print(f"{messages} messages, {sum(map(len, chunks)) / 1e6:.1f} MB")
    for handlers in (len(READERS), 50, 100):
        rates: dict[str, list[float]] = {"stock": [], "ours": []}
        facts: dict[str, list[Any]] = {}
        end = time.monotonic() + seconds / 3
        while time.monotonic() < end or not rates["ours"]:
            for name, ingest in (("stock", stock), ("ours", ours)):
                took_s, facts[name] = once(ingest, chunks, handlers)
                rates[name].append(messages / took_s)
        if facts["stock"] != facts["ours"]:
            raise SystemExit(f"not the same: {len(facts['stock'])} facts of stock, {len(facts['ours'])} of ours")
        stock_rate, our_rate = statistics.median(rates["stock"]), statistics.median(rates["ours"])
        print(
            f"{handlers:4} handlers: stock {stock_rate:9,.0f}/s   ours {our_rate:9,.0f}/s   "
            f"ratio {our_rate / stock_rate:5.1f}   ({len(rates['ours'])} runs each, {len(facts['ours'])} facts)"
        )


if __name__ == "__main__":
    main()

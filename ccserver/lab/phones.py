"""The driver of `ccserver.lab.phone`: SIP phones as objects, for tests and the demo.

    async with await PhoneProcess.start() as desk:
        agent = await desk.phone("1001", password="...", tone_hz=600, answer_after_ms=100)
        caller = await desk.trunk_caller("alice", number="+15551234", tone_hz=440)
        await caller.call("5551000")
        await agent.wait("up")

Events are kept in order of arrival per phone; `wait` looks at those not looked at before, so no event is missed
between a command and the wait for what it causes.  All waits have a deadline and tell what was seen instead.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from ccserver.lab import namespace

Event = Mapping[str, object]
T = TypeVar("T")
_LINE_LIMIT = 1 << 20

PATIENCE_S = 20.0
"""A full machine keeps it. SIP alone needs 4 s where three datagrams are lost one after the other."""


class PhoneFailed(Exception):
    """A phone refused a command, or its process ended.  The text says which and why."""


class NotSeen(AssertionError):
    """What was waited for did not come before the deadline.  The text lists what came."""


@dataclass(slots=True)
class Phone:
    """One SIP account.  `seen` holds all its events, `wait` moves on through them."""

    name: str
    process: "PhoneProcess"
    seen: list[Event] = field(default_factory=list)
    _next: int = 0

    async def wait(self, event: str, deadline_s: float = PATIENCE_S, **fields: object) -> Event:
        """The next event of this name (and these field values) after the last one that was waited for."""

        def find() -> Event | None:
            for index in range(self._next, len(self.seen)):
                found = self.seen[index]
                if found["event"] == event and all(found.get(key) == value for key, value in fields.items()):
                    self._next = index + 1
                    return found
            return None

        return await self.process.until(find, deadline_s, f"{self.name}: {event} {fields or ''}", self.seen)

    def has(self, event: str) -> bool:
        """True when such an event ever came."""
        return any(each["event"] == event for each in self.seen)

    def count(self, event: str) -> int:
        """How many such events came."""
        return sum(each["event"] == event for each in self.seen)

    async def do(self, command: str, **fields: object) -> None:
        """Any command of `ccserver.lab.phone` on this phone; raises PhoneFailed when it is refused."""
        await self.process.command(command, phone=self.name, **fields)

    async def set(self, **fields: object) -> None:
        """Change tone_hz, record, answer_after_ms, answer_code, ring_code for calls to come."""
        await self.do("set", **fields)

    async def register(self) -> None:
        """Register and wait for the 200."""
        await self.do("register")
        await self.wait("registered")

    async def unregister(self) -> None:
        """Take the registration away and wait for the 200."""
        await self.do("unregister")
        await self.wait("unregistered")

    async def call(self, to: str, **fields: object) -> None:
        """Dial `to` (a number at the registrar, or a sip: URI)."""
        await self.do("call", to=to, **fields)

    async def answer(self, code: int = 200) -> None:
        """Answer the newest call, or refuse it with a final code."""
        await self.do("answer", code=code)

    async def hangup(self, **fields: object) -> None:
        """End the newest call: BYE, CANCEL or a final code, as its state asks."""
        await self.do("hangup", **fields)

    async def hold(self) -> None:
        """Put the newest call on hold."""
        await self.do("hold")

    async def unhold(self) -> None:
        """Take it back."""
        await self.do("unhold")

    async def dtmf(self, digits: str, *, method: str = "rfc4733", duration_ms: int = 100, **fields: object) -> None:
        """Type digits: by RFC 4733 events in the audio, by SIP INFO ("info"), or as tones that are heard ("inband")."""
        await self.do("dtmf", digits=digits, method=method, duration_ms=duration_ms, **fields)

    async def play(self, path: Path) -> None:
        """Let a wav file be heard, once, in place of the phone's tone."""
        await self.do("play", path=str(path))

    async def transfer(self, to: str) -> None:
        """Blind transfer (REFER) of the newest call."""
        await self.do("transfer", to=to)

    async def transfer_to(self) -> None:
        """Attended transfer (REFER with Replaces): the oldest call goes to whoever the newest one is with."""
        await self.do("transfer_to")

    async def on_event(self, event: Mapping[str, object], then: Mapping[str, object]) -> None:
        """When `event` (name and fields, any phone of the process) comes, do `then`, inside the process.

        `then` is a command with `do`, `phone` and perhaps `after_ms`: exact to about 2 ms.
        """
        await self.process.command("when", event=dict(event), then=dict(then))

    async def arm(self, event: Mapping[str, object], then: Mapping[str, object]) -> "asyncio.Future[Event]":
        """As `on_event`; the future tells when `then` was done (`at`), or fails with PhoneFailed if it could not be."""
        number, done = self.process.expect()
        await self.on_event(event, {**then, "seq": number})
        return done


class PhoneProcess:
    """One process with any number of phones.  It dies with us; `vanish` makes its phones go without a word."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._phones: dict[str, Phone] = {}
        self._sequence = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Event]] = {}
        self._changed = asyncio.Event()
        self.trouble: list[Event] = []
        """Commands that failed where nobody waited for the answer: reactions and automatic answers."""
        self._is_ready = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, deadline_s: float = 20.0) -> Self:
        """Start the process and wait until it takes commands.  Call from the main thread."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ccserver.lab.phone",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            preexec_fn=namespace.die_with_parent,  # one call to prctl, no lock is taken
        )
        desk = cls(process)
        await desk.until(lambda: desk._is_ready or None, deadline_s, "the phones' process to start", [])
        return desk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def phone(self, name: str, *, register: bool = True, **fields: object) -> Phone:
        """Open an account; with `register` wait until it is registered.  Fields as in `ccserver.lab.phone`."""
        phone = self._phones[name] = Phone(name, self)
        await self.command("open", phone=name, register=register, **fields)
        if register:
            await phone.wait("registered")
        return phone

    async def trunk_caller(
        self, name: str, *, number: str, display: str = "", local: str = "127.0.0.2", **fields: object
    ) -> Phone:
        """A customer: calls from the carrier's address, without registration, showing `number`."""
        return await self.phone(name, register=False, from_uri=f"sip:{number}@{local}", display=display, local=local, **fields)

    def expect(self) -> "tuple[int, asyncio.Future[Event]]":
        """A number for a command (`seq`) and the answer to it."""
        number = next(self._sequence)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        return number, answer

    async def command(self, do: str, **fields: object) -> None:
        """Send one command and wait until it is done; one with `at` or `after_ms` is done only then."""
        number, answer = self.expect()
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write((json.dumps({"do": do, "seq": number, **fields}) + "\n").encode())
            await stdin.drain()
        except ConnectionError:
            self._answers.pop(number, None)
            raise PhoneFailed(f"the phones' process has ended before {do!r}") from None
        if self._reader.done():
            raise PhoneFailed(f"the phones' process has ended before {do!r}")
        await answer

    async def until(self, find: Callable[[], T | None], deadline_s: float, what: str, seen: list[Event]) -> T:
        """What `find` returns as soon as it is not None; looked at after every event.  Raises NotSeen."""
        deadline = time.monotonic() + deadline_s
        while True:
            self._changed.clear()
            found = find()
            if found is not None:
                return found
            if self._reader.done():
                raise PhoneFailed(f"the phones' process ended while waiting for {what}")
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - time.monotonic())
            except TimeoutError:
                shown = "\n  ".join(json.dumps(dict(each)) for each in seen[-15:])
                raise NotSeen(f"{what} did not come within {deadline_s} s; seen:\n  {shown}") from None

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event: dict[str, object] = json.loads(line)
            match event["event"]:
                case "done" | "failed":
                    self._settle(event)
                case "ready":
                    self._is_ready = True
                case _:
                    phone = self._phones.get(str(event.get("phone")))
                    if phone is not None:
                        phone.seen.append(event)
            self._changed.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(PhoneFailed("the phones' process ended"))
        self._changed.set()

    def _settle(self, event: Event) -> None:
        answer = self._answers.pop(int(str(event["seq"])), None)
        if answer is None:
            self.trouble.append(event)
        elif answer.done():
            return
        elif event["event"] == "done":
            answer.set_result(event)
        else:
            answer.set_exception(PhoneFailed(f"{event.get('phone')}: {event.get('do')}: {event.get('why')}"))

    async def close(self) -> None:
        """End every call in order and the process; recordings are complete afterwards."""
        if self._process.returncode is None:
            stdin = self._process.stdin
            assert stdin is not None
            stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
        await self._reader

    async def vanish(self) -> None:
        """Kill the process: its phones stop sending audio and never say BYE."""
        self._process.kill()
        await self._process.wait()
        await self._reader

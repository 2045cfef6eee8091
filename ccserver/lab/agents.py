"""Simulated agents: people at real SIP phones who log in by keypad, answer after a moment, talk, and say how it ended."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ccserver.core.settings import FeatureCodes
from ccserver.lab.customers import Customer
from ccserver.lab.listening import heard
from ccserver.lab.phones import Event, NotSeen, Phone, PhoneFailed

NEVER_S = 86400.0
CODE_S = 15.0
"""A feature code's dialogue is over by then, or the agent hangs up."""
KEY_S = 12.0
"""The agent's line is kept for the disposition so long at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How agents work; durations in seconds."""

    ring_s: tuple[float, float] = (1.0, 4.0)
    talk_s: float = 14.0
    talk_spread: float = 0.45
    """Sigma of the log-normal distribution."""
    customer_hangs_up_ratio: float = 0.35
    after_call_s: tuple[float, float] = (1.5, 4.0)
    break_ratio: float = 0.04
    break_s: tuple[float, float] = (8.0, 15.0)


@dataclass(slots=True, kw_only=True)
class Agent:
    """One agent at one phone.  `meet` gives the customer with a number, as the phone's display shows it."""

    id: str
    pin: str
    phone: Phone
    codes: FeatureCodes
    break_code: str
    chance: Random
    meet: Callable[[str], Customer | None]
    manner: Manner = field(default_factory=Manner)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when talks are to end and no call is to be expected any more."""
    is_idle: bool = True
    calls_taken: int = 0
    _seen: int = 0

    async def log_in(self) -> None:
        """`*11`, number, PIN: typed on the keypad.  The caller checks that the center took it."""
        since = await self._dial(self.codes.login)
        await asyncio.sleep(self.chance.uniform(0.8, 1.2))  # the person listens
        await self.phone.dtmf(self.id + "#")
        await asyncio.sleep(self.chance.uniform(1.3, 1.6))
        await self.phone.dtmf(self.pin + "#")
        await self._hung_up(since, CODE_S)

    async def work(self) -> None:
        """Take calls until cancelled."""
        self._seen = len(self.phone.seen)
        while True:
            self.is_idle = True
            self._seen, incoming = await heard(self.phone, self._seen, ("incoming",), NEVER_S)
            self.is_idle = False
            await self._take(incoming)
            if not self.closing.is_set() and self.chance.random() < self.manner.break_ratio:
                await self._rest()

    async def _take(self, incoming: Event) -> None:
        call, since = incoming["call"], self._seen
        delay_s = self.chance.uniform(*self.manner.ring_s)
        with contextlib.suppress(NotSeen):  # it goes on ringing, as it should
            self._seen, _ = await heard(self.phone, since, ("ended",), delay_s, call=call)
            return  # the caller left
        try:
            await self.phone.do("answer", call=call)
        except PhoneFailed:
            return  # the caller left in the same instant
        since, event = await heard(self.phone, since, ("up", "ended"), 5.0, call=call)
        if event["event"] == "ended":
            return
        self.calls_taken += 1
        headers = incoming["headers"]
        assert isinstance(headers, dict)
        await self._talk(call, since, str(headers.get("from", "")))

    async def _talk(self, call: object, since: int, display: str) -> None:
        customer = self.meet(number_shown(display))
        if customer is None:
            raise NotSeen(f"{self.phone.name} shows {display!r}, and no such customer is calling")
        customer.talks.set()
        talk_s = self.chance.lognormvariate(0, self.manner.talk_spread) * self.manner.talk_s
        if not await self._ended_within(since, talk_s, call):
            if self.chance.random() < self.manner.customer_hangs_up_ratio and not self.closing.is_set():
                customer.leaves.set()
            else:
                with contextlib.suppress(PhoneFailed):  # the customer left in the same instant
                    await self.phone.do("hangup", call=call)
        sold = "1" if "sales" in display.lower() else "2"
        code = self.chance.choices([sold, "3", "4"], [0.7, 0.2, 0.1])[0]
        pause_s = 0.5 if self.closing.is_set() else self.chance.uniform(*self.manner.after_call_s)
        await asyncio.sleep(pause_s)  # the person writes something down
        if any(event["event"] == "ended" and event["call"] == call for event in self.phone.seen[since:]):
            # The agent hung up: the disposition goes by code.
            with contextlib.suppress(NotSeen, PhoneFailed):  # wrap-up was over in the same instant
                await self._hung_up(await self._dial(self.codes.disposition + code), CODE_S)
            return
        # The customer hung up: the line is kept, and asks.
        with contextlib.suppress(PhoneFailed):  # wrap-up was over in the same instant
            await self.phone.do("dtmf", call=call, digits=code)
        await self._hung_up(since, KEY_S, call)

    async def _rest(self) -> None:
        with contextlib.suppress(NotSeen, PhoneFailed):  # a call came first
            await self._hung_up(await self._dial(self.codes.not_ready + self.break_code), CODE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), self.chance.uniform(*self.manner.break_s))
            await self._hung_up(await self._dial(self.codes.ready), CODE_S)

    async def _ended_within(self, since: int, timeout_s: float, call: object) -> bool:
        """Whether the line goes down in this time; closing ends the wait."""
        line = asyncio.create_task(heard(self.phone, since, ("ended",), NEVER_S, call=call))
        closing = asyncio.create_task(self.closing.wait())
        try:
            await asyncio.wait([line, closing], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return line.done()
        finally:
            line.cancel()
            closing.cancel()

    async def _dial(self, code: str) -> int:
        """Dial a feature code; the index from which its end is to be looked for."""
        since = len(self.phone.seen)
        await self.phone.call(f"*{code}")
        index, event = await heard(self.phone, since, ("up", "ended"), CODE_S)
        if event["event"] == "ended":
            raise NotSeen(f"{self.phone.name}: *{code} was refused with {event['code']}")
        return index

    async def _hung_up(self, since: int, deadline_s: float, call: object = None) -> None:
        """Wait until the center ends the call; after `deadline_s` hang up."""
        fields = {} if call is None else {"call": call}
        try:
            await heard(self.phone, since, ("ended",), deadline_s, **fields)
        except NotSeen:
            await self.phone.do("hangup", **fields)
            await heard(self.phone, since, ("ended",), 5.0, **fields)


def number_shown(header: str) -> str:
    """The caller's number in the From header of the phone's INVITE."""
    found = re.search(r"sips?:([^@>;]*)@", header)
    return found.group(1) if found else ""

"""Simulated customers: real SIP callers who choose by keys, wait for as long as their patience lasts, talk and go."""

import asyncio
import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from ccserver.lab.listening import heard
from ccserver.lab.phones import NotSeen, Phone, PhoneFailed, PhoneProcess

ANSWER_S = 10.0
"""The center answers at once; more than this is a failure of the stack."""
TALK_MAX_S = 300.0
_TONES_HZ = (400, 440, 480, 520)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How customers are.  `arrivals_per_min` is the mean; the rate swings by `swing` (0 to 1) around it every `swing_s`."""

    arrivals_per_min: float = 18.0
    swing: float = 0.6
    swing_s: float = 90.0
    patience_s: float = 30.0
    leaves_in_menu_ratio: float = 0.07
    second_language_ratio: float = 0.3
    department_weights: Mapping[str, float] = field(default_factory=lambda: {"1": 0.4, "2": 0.35, "3": 0.25})


def next_arrival_s(now_s: float, habits: Habits, chance: Random) -> float:
    """The next arrival after `now_s` of a Poisson process whose rate rises and falls (thinning)."""
    peak = habits.arrivals_per_min / 60 * (1 + habits.swing)
    at_s = now_s
    while True:
        at_s += chance.expovariate(peak)
        # It begins at the mean and rises: a short demo is to see a queue too.
        rate = habits.arrivals_per_min / 60 * (1 + habits.swing * math.sin(2 * math.pi * at_s / habits.swing_s))
        if chance.random() * peak <= rate:
            return at_s


@dataclass(slots=True, kw_only=True)
class Customer:
    """One call.  Everything about it is decided when it begins, so that a seed gives the same people again."""

    number: str
    language_key: str
    department_key: str
    think_s: tuple[float, float]
    """Before the first and the second key."""
    patience_s: float
    leaves_in_menu: bool
    tone_hz: int
    talks: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the agent who answers."""
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this customer is to hang up now."""

    @classmethod
    def drawn(cls, number: str, habits: Habits, chance: Random) -> "Customer":
        departments = list(habits.department_weights)
        return cls(
            number=number,
            language_key="2" if chance.random() < habits.second_language_ratio else "1",
            department_key=chance.choices(departments, [habits.department_weights[key] for key in departments])[0],
            think_s=(chance.uniform(3.0, 6.0), chance.uniform(1.5, 4.0)),
            patience_s=2.0 + chance.expovariate(1 / habits.patience_s),
            leaves_in_menu=chance.random() < habits.leaves_in_menu_ratio,
            tone_hz=chance.choice(_TONES_HZ),
        )

    async def call(self, desk: PhoneProcess, did: str) -> None:
        """The whole call, until the line is down.  Raises NotSeen when the center does not do its part."""
        phone = await desk.trunk_caller(self.number, number=self.number, tone_hz=self.tone_hz)
        try:
            await phone.call(did)
            index, event = await heard(phone, 0, ("up", "ended"), ANSWER_S)
            if event["event"] == "ended":
                raise NotSeen(f"the call of {self.number} was refused with {event['code']}")
            line = asyncio.create_task(self._line_down(phone, index))
            try:
                await self._behave(phone, line)
                await asyncio.wait_for(line, ANSWER_S)
            finally:
                line.cancel()
        finally:
            with contextlib.suppress(PhoneFailed):  # the process ended, and its phones with it
                await phone.do("close")

    async def _line_down(self, phone: Phone, since: int) -> None:
        await heard(phone, since, ("ended",), TALK_MAX_S + self.patience_s + 60)

    async def _behave(self, phone: Phone, line: asyncio.Task[None]) -> None:
        """Menu, wait, talk; returns when the line is down or the customer has hung up."""
        if await self._first_of(line, self.leaves, self.think_s[0]):
            return await self._hang_up(phone, line)
        if self.leaves_in_menu:
            return await self._hang_up(phone, line)
        await phone.dtmf(self.language_key)
        if await self._first_of(line, self.leaves, self.think_s[1]):
            return await self._hang_up(phone, line)
        await phone.dtmf(self.department_key)
        if not await self._first_of(line, self.leaves, self.patience_s, self.talks):
            return await self._hang_up(phone, line)  # out of patience
        if self.talks.is_set() and not self.leaves.is_set():
            await self._first_of(line, self.leaves, TALK_MAX_S)
        return await self._hang_up(phone, line)

    @staticmethod
    async def _first_of(line: asyncio.Task[None], leaves: asyncio.Event, timeout_s: float, *more: asyncio.Event) -> bool:
        """True when the line went down or an event was set within `timeout_s`."""
        waits = [asyncio.create_task(event.wait()) for event in (leaves, *more)]
        try:
            done, _ = await asyncio.wait([line, *waits], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bool(done)

    @staticmethod
    async def _hang_up(phone: Phone, line: asyncio.Task[None]) -> None:
        if not line.done():
            with contextlib.suppress(PhoneFailed):  # the center hung up in the same instant
                await phone.hangup()

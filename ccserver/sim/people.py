"""Callers and agents made of chance: when they call, how long they wait, what they press, when they miss a call.

Each person draws from a source of its own, seeded by the run's seed and the person's name, so that what one person does
changes nobody else's luck.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from ccserver.core.commands import Collect, CollectSecret
from ccserver.core.ids import AgentId, PhoneId
from ccserver.sim.agenda import Entry
from ccserver.sim.channels import Asking, Channel, Place
from ccserver.sim.pbx import VirtualPbx

OFFICE_DAY = (1, 1, 1, 1, 1, 2, 5, 20, 60, 95, 100, 90, 70, 75, 90, 92, 85, 60, 30, 15, 8, 4, 2, 1)
"""Calls by the hour of a working day, as weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHabits:
    """Ratios are 0 to 1 per occasion; `patience_s` and `talk_s` are means."""

    patience_s: float = 180.0
    talk_s: float = 240.0
    withheld_ratio: float = 0.05
    silent_ratio: float = 0.04
    """Per question: presses nothing."""
    wrong_ratio: float = 0.03
    """Per question: presses something that is no choice."""
    leaves_menu_ratio: float = 0.01
    """Per question: hangs up instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHabits:
    """Ratios are 0 to 1 per occasion; times are means."""

    answer_s: float = 3.0
    missed_ratio: float = 0.02
    declined_ratio: float = 0.01
    talk_s: float = 240.0
    """The caller draws a length too; the shorter one ends the talk."""
    hold_ratio: float = 0.08
    line_lost_ratio: float = 0.001
    wrap_up_s: float = 15.0
    disposition_ratio: float = 0.5
    ends_wrap_up_ratio: float = 0.3
    break_every_s: float = 5400.0
    break_s: float = 600.0
    own_call_every_s: float = 7200.0
    own_call_s: float = 120.0
    looks_at_lamp_every_s: float = 90.0
    """How soon an agent who was put not ready sees it and comes back."""
    notices_after_s: float = 8.0


def arrivals(chance: Random, calls: int, profile: Sequence[float], start_s: float, length_s: float) -> list[float]:
    """The moments of exactly `calls` calls, sorted: Poisson with the rates of `profile`, given how many there were."""
    slots = chance.choices(range(len(profile)), weights=profile, k=calls)
    width_s = length_s / len(profile)
    return sorted(start_s + (slot + chance.random()) * width_s for slot in slots)


def length_s(chance: Random, mean_s: float) -> float:
    """A human duration: lognormal, with a tail."""
    return mean_s * chance.lognormvariate(-0.32, 0.8)


class Caller:
    """One customer: calls, presses, waits as long as patience lasts, talks, hangs up."""

    def __init__(self, name: str, pbx: VirtualPbx, habits: CallerHabits, *, seed: int) -> None:
        self.name = name
        self._chance = Random(f"{seed}/{name}")
        self._pbx = pbx
        self._agenda = pbx.agenda
        self._habits = habits
        self._patience: Entry | None = None
        self._talk: Entry | None = None
        self.channel: Channel | None = None
        self.has_talked = False
        self.times_parted = 0
        self.is_over = False

    def call(self, did: str) -> None:
        chance = self._chance
        number = None if chance.random() < self._habits.withheld_ratio else f"+1555{chance.randrange(10_000_000):07d}"
        self.channel = self._pbx.call_in(self, did, number, f"Caller {self.name}")
        if self.channel is None:
            self.is_over = True
        else:
            self._wait_again()

    def _wait_again(self) -> None:
        self._patience = self._agenda.after(5.0 + length_s(self._chance, self._habits.patience_s), self.hang_up)

    def hang_up(self) -> None:
        if self.channel is not None and not self.channel.is_gone:
            self._pbx.hang_up(self.channel)

    def rings(self, channel: Channel) -> None:
        raise AssertionError("nobody calls a caller")

    def asked(self, channel: Channel, verb: Asking) -> None:
        if not isinstance(verb, Collect):
            return
        chance, habits = self._chance, self._habits
        luck = chance.random()
        delay_s = chance.uniform(0.6, 5.0)
        if luck < habits.silent_ratio:
            return
        if luck < habits.silent_ratio + habits.leaves_menu_ratio:
            self._agenda.after(delay_s, self.hang_up)
            return
        choices = verb.complete or tuple("123456789")
        wrong = luck < habits.silent_ratio + habits.leaves_menu_ratio + habits.wrong_ratio
        digits = chance.choice("0123456789*") if wrong else chance.choice(choices)
        self._agenda.after(delay_s, self._pbx.press, channel, digits)

    def joined(self, channel: Channel) -> None:
        self.has_talked = True
        for entry in (self._patience, self._talk):
            if entry is not None:
                entry.cancel()
        self._talk = self._agenda.after(5.0 + length_s(self._chance, self._habits.talk_s), self.hang_up)

    def parted(self, channel: Channel) -> None:
        self.times_parted += 1
        if self._talk is not None:
            self._talk.cancel()
        self._wait_again()

    def ended(self, channel: Channel) -> None:
        self.is_over = True
        for entry in (self._patience, self._talk):
            if entry is not None:
                entry.cancel()


class AgentAtDesk:
    """One agent at one phone, for one shift. Everything is done by the phone's keys."""

    def __init__(self, agent: AgentId, phone: PhoneId, pbx: VirtualPbx, habits: AgentHabits, *, seed: int, pin: str) -> None:
        self.agent = agent
        self._phone = pbx.phones[phone]
        self._phone.person = self
        self._chance = Random(f"{seed}/agent {agent}")
        self._pbx = pbx
        self._agenda = pbx.agenda
        self._habits = habits
        self._pin = pin
        self._plans: list[str] = []
        self._is_trying = False
        self._is_at_work = False
        self._talk: list[Entry] = []
        settings = pbx.settings
        self._codes = settings.features
        self._reasons = sorted(reason.code for reason in settings.reasons.values())
        self._dispositions = sorted(disposition.code for disposition in settings.dispositions.values())
        self.missed = 0

    # --- the shift ----------------------------------------------------------------------------------------------------
    def start_shift(self, length_s: float) -> None:
        self._is_at_work = True
        self._agenda.after(length_s, self._go_home)
        self.plan(self._codes.login)
        self._again(self._habits.break_every_s, self._take_break)
        self._again(self._habits.own_call_every_s, self._call_a_friend)

    def _again(self, mean_s: float, action: Callable[[], None]) -> None:
        if mean_s > 0:
            delay_s = -math.log(1.0 - self._chance.random()) * mean_s
            self._agenda.after(delay_s, action)

    def _go_home(self) -> None:
        self._is_at_work = False
        self.plan(self._codes.logout)

    def _take_break(self) -> None:
        if not self._is_at_work:
            return
        if self._reasons:
            self.plan(self._codes.not_ready + self._chance.choice(self._reasons))
            self._agenda.after(length_s(self._chance, self._habits.break_s), self._come_back)
        self._again(self._habits.break_every_s, self._take_break)

    def _come_back(self) -> None:
        if self._is_at_work:
            self.plan(self._codes.ready)

    def _call_a_friend(self) -> None:
        if not self._is_at_work:
            return
        phone = self._phone
        if not phone.channels and not phone.is_in_own_call:
            self._pbx.set_own_call(phone, True)
            self._agenda.after(length_s(self._chance, self._habits.own_call_s), self._pbx.set_own_call, phone, False)
        self._again(self._habits.own_call_every_s, self._call_a_friend)

    # --- feature codes ------------------------------------------------------------------------------------------------
    def plan(self, digits: str) -> None:
        """Dial `*digits` as soon as the phone is free."""
        self._plans.append(digits)
        self._try_plan()

    def _try_plan(self) -> None:
        if self._is_trying or not self._plans:
            return
        channel = self._pbx.dial_feature(self, self._phone, self._plans[0])
        if channel is None:
            self._is_trying = True
            self._agenda.after(self._chance.uniform(2.0, 10.0), self._retry_plan)
        else:
            self._plans.pop(0)

    def _retry_plan(self) -> None:
        self._is_trying = False
        self._try_plan()

    # --- what is heard ------------------------------------------------------------------------------------------------
    def rings(self, channel: Channel) -> None:
        chance, habits = self._chance, self._habits
        luck = chance.random()
        delay_s = max(0.3, length_s(chance, habits.answer_s))
        if luck < habits.missed_ratio:
            self._miss()
        elif luck < habits.missed_ratio + habits.declined_ratio:
            self._agenda.after(delay_s, self._pbx.decline, channel)
            self._miss()
        else:
            self._agenda.after(delay_s, self._pbx.answer, channel)

    def _miss(self) -> None:
        self.missed += 1
        self._agenda.after(length_s(self._chance, self._habits.looks_at_lamp_every_s), self._come_back)

    def asked(self, channel: Channel, verb: Asking) -> None:
        delay_s = self._chance.uniform(0.5, 3.0)
        if isinstance(verb, CollectSecret):
            self._agenda.after(delay_s, self._pbx.press, channel, self._pin + "#")
        elif isinstance(verb, Collect):
            if channel.place is Place.FEATURE:
                self._agenda.after(delay_s, self._pbx.press, channel, self.agent + "#")
            elif self._dispositions and self._chance.random() < self._habits.disposition_ratio:
                self._agenda.after(delay_s, self._pbx.press, channel, self._chance.choice(self._dispositions) + "#")
            elif self._chance.random() < 0.5:
                self._agenda.after(delay_s, self._pbx.hang_up, channel)

    def joined(self, channel: Channel) -> None:
        chance, habits = self._chance, self._habits
        talk_s = 5.0 + length_s(chance, habits.talk_s)
        ending = self._pbx.lose_line if chance.random() < habits.line_lost_ratio else self._pbx.hang_up
        self._talk = [self._agenda.after(talk_s, ending, channel)]
        if chance.random() < habits.hold_ratio:
            self._talk.append(self._agenda.after(talk_s * 0.3, self._pbx.hold, channel, True))
            self._talk.append(self._agenda.after(talk_s * 0.4, self._pbx.hold, channel, False))

    def parted(self, channel: Channel) -> None:
        for entry in self._talk:
            entry.cancel()
        if channel.ring is not None:
            self._agenda.after(length_s(self._chance, self._habits.notices_after_s), self._pbx.hang_up, channel)

    def ended(self, channel: Channel) -> None:
        for entry in self._talk:
            entry.cancel()
        self._talk = []
        if channel.place is Place.AGENT and channel.has_talked:
            self._after_work()
        self._try_plan()

    def _after_work(self) -> None:
        chance, habits = self._chance, self._habits
        if chance.random() < habits.ends_wrap_up_ratio:
            self._agenda.after(length_s(chance, habits.wrap_up_s), self.plan, self._codes.end_wrap_up)
        elif self._dispositions and chance.random() < 0.3:
            digits = self._codes.disposition + chance.choice(self._dispositions)
            self._agenda.after(length_s(chance, habits.wrap_up_s) * 0.5, self.plan, digits)

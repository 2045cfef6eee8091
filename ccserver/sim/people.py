"""Callers made of chance: when they call, how long they wait, what they press; and strangers, whom the center calls.

Each person draws from a source of its own, seeded by the run's seed and the person's name, so that what one person does
changes nobody else's luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ccserver.core.checksums import Checksum, is_valid
from ccserver.core.commands import Collect, CollectNumber, CollectSecret, RecordMessage, RunScript, WaitUntil
from ccserver.sim.agenda import Entry
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.pbx import VirtualPbx

SECRET_LENGTH = 4
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
    """Per question, and per script: hangs up instead."""
    operator_ratio: float = 0.05
    """Per question for several digits: wants to speak with somebody instead."""
    callback_ratio: float = 0.3
    """Per offer to be called back: takes it."""
    speaks_on_ratio: float = 0.4
    """Of those who leave a message: wait for what comes after it; the others hang up."""
    answers_ratio: float = 0.8
    """Of those whom the center calls."""
    answer_s: float = 6.0


def arrivals(chance: Random, calls: int, profile: Sequence[float], start_s: float, length_s: float) -> list[float]:
    """The moments of exactly `calls` calls, sorted: Poisson with the rates of `profile`, given how many there were."""
    slots = chance.choices(range(len(profile)), weights=profile, k=calls)
    width_s = length_s / len(profile)
    return sorted(start_s + (slot + chance.random()) * width_s for slot in slots)


def length_s(chance: Random, mean_s: float) -> float:
    """A human duration: lognormal, with a tail."""
    return mean_s * chance.lognormvariate(-0.32, 0.8)


def _digits(chance: Random, length: int) -> str:
    return "".join(chance.choices("0123456789", k=length))


def _with_proof(payload: str) -> str:
    """With the last digit that Luhn's rule wants, if it wants one: the number that is asked for may carry its own proof."""
    candidates = [payload + last for last in "0123456789"]
    return next((number for number in candidates if is_valid(Checksum.LUHN, number)), candidates[0])


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
        chance, habits = self._chance, self._habits
        if isinstance(verb, Collect):
            if verb.complete or verb.max_digits == 1:
                self._choose(channel, verb)
            else:
                self._type(channel, verb.max_digits, verb.terminator)
        elif isinstance(verb, CollectSecret):
            self._type(channel, min(verb.max_digits, SECRET_LENGTH), "#")
        elif isinstance(verb, RunScript):
            if chance.random() < habits.leaves_menu_ratio:
                self._agenda.after(chance.uniform(0.1, 5.0), self.hang_up)
            elif chance.random() < 0.5:
                self._agenda.after(chance.uniform(0.1, 5.0), self._pbx.press, channel, chance.choice("0123456789*#"))
        elif isinstance(verb, RecordMessage):
            if chance.random() >= habits.speaks_on_ratio:
                self._agenda.after(chance.uniform(1.0, 30.0), self.hang_up)
        elif isinstance(verb, CollectNumber):
            self._agenda.after(chance.uniform(2.0, 6.0), self._pbx.press, channel, f"555{chance.randrange(10_000):04d}#")
        elif isinstance(verb, WaitUntil) and verb.stop_digits and chance.random() < habits.callback_ratio:
            self._agenda.after(chance.uniform(0.5, 5.0), self._pbx.press, channel, chance.choice(verb.stop_digits))

    def _choose(self, channel: Channel, verb: Collect) -> None:
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

    def _type(self, channel: Channel, length: int, terminator: str) -> None:
        """A number of the wanted length; or none, a wrong one, the operator's key; or hangs up, sometimes in the middle of it."""
        chance, habits = self._chance, self._habits
        luck, delay_s = chance.random(), chance.uniform(0.6, 4.0)
        if luck < habits.silent_ratio:
            return
        luck -= habits.silent_ratio
        if luck < habits.leaves_menu_ratio:
            if chance.random() < 0.5:
                self._agenda.after(delay_s, self._pbx.press, channel, chance.choice("123456789"))
            self._agenda.after(delay_s + chance.uniform(0.0, 2.0), self.hang_up)
            return
        luck -= habits.leaves_menu_ratio
        if luck < habits.operator_ratio:
            digits = "0"
        elif luck < habits.operator_ratio + habits.wrong_ratio:
            digits = chance.choice(("", "*", _digits(chance, length - 1), _digits(chance, length + 3)))
        else:
            digits = _with_proof(_digits(chance, length - 1)) if chance.random() < 0.7 else _digits(chance, length)
        if chance.random() < 0.7:
            digits += terminator
        # Not in one stroke: between two of them the question may end.
        for digit in digits:
            self._agenda.after(delay_s, self._pbx.press, channel, digit)
            delay_s += chance.uniform(0.05, 0.6)

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


class Stranger:
    """Somebody outside whom the center calls: picks up, or not; talks; hangs up."""

    def __init__(self, name: str, pbx: VirtualPbx, habits: CallerHabits, *, seed: int) -> None:
        self._chance = Random(f"{seed}/{name}")
        self._pbx = pbx
        self._habits = habits
        self._talk: Entry | None = None
        self._patience: Entry | None = None

    def rings(self, channel: Channel) -> None:
        chance, habits = self._chance, self._habits
        if chance.random() < habits.answers_ratio:
            after_s = length_s(chance, habits.answer_s)
            self._pbx.agenda.after(after_s, self._pbx.answer, channel)
            self._patience = self._pbx.agenda.after(after_s + length_s(chance, habits.patience_s), self._pbx.hang_up, channel)
        elif chance.random() < 0.5:
            self._pbx.agenda.after(length_s(chance, habits.answer_s), self._pbx.decline, channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        """Listens."""

    def joined(self, channel: Channel) -> None:
        self._cancel()
        self._talk = self._pbx.agenda.after(2.0 + length_s(self._chance, self._habits.talk_s), self._pbx.hang_up, channel)

    def parted(self, channel: Channel) -> None:
        self._cancel()
        self._patience = self._pbx.agenda.after(length_s(self._chance, self._habits.patience_s), self._pbx.hang_up, channel)

    def ended(self, channel: Channel) -> None:
        self._cancel()

    def _cancel(self) -> None:
        for entry in (self._talk, self._patience):
            if entry is not None:
                entry.cancel()

"""What a simulated campaign is made of: how often and how soon people answer, how long they talk, when agents rest, and what befalls.

`standard` is the situation of the figures in docs/performance.md, `fresh` one drawn by chance out of everything a campaign can meet.
"""

from dataclasses import dataclass
from math import exp, log, pi, sin, sqrt
from random import Random

PERSON, MACHINE, NO_ANSWER, FAILED = range(4)
SALES = ((0.55, 45.0), (0.30, 160.0), (0.15, 315.0))
"""Refusals, pitches and sales, with their mean seconds: two minutes on average."""
MACHINE_TALK_S = 6.0
"""How long an agent takes to notice a machine."""
MACHINE_RINGS_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Agents leave together: on a break, or home (`lasts_s` None). Those who talk leave after their call."""

    at_s: float
    share: float
    lasts_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Ratios are 0 to 1; times are means."""

    agents: int = 30
    hours: float = 8.0
    answered: float = 0.35
    """Calls that a person answers."""
    machines: float = 0.0
    failed: float = 0.05
    ring_s: float = 9.0
    ring_timeout_s: float = 24.0
    patience_s: float = 2.0
    talks: tuple[tuple[float, float], ...] = SALES
    wrap_up_s: float = 15.0
    detection_s: float | None = None
    """How long the detection of machines takes; None: there is none, and machines reach agents."""
    false_positives: float = 0.0
    """People whom the detection takes for machines: they are hung up on."""
    false_negatives: float = 0.0
    lines: int = 100_000
    calls_per_s: float = 100.0
    leads: int = 10_000_000
    break_every_s: float = 4500.0
    break_s: float = 600.0
    changes: tuple[tuple[float, float], ...] = ()
    """From such a moment on the share of people is so many times what it was at first."""
    swing: float = 0.0
    """The share of people rises and falls by so much of itself in the course of the day."""
    withdrawals: tuple[Withdrawal, ...] = ()

    @property
    def length_s(self) -> float:
        return self.hours * 3600.0

    def answered_at(self, now_s: float) -> float:
        factor = 1.0
        for from_s, changed in self.changes:
            if now_s >= from_s:
                factor = changed
        factor *= 1.0 + self.swing * sin(2.0 * pi * now_s / self.length_s)
        return min(self.answered * factor, 0.9)


class Luck:
    """Draws from a scenario's laws."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.chance = Random(f"campaign/{seed}")

    def outcome(self, now_s: float) -> tuple[int, float]:
        """What becomes of a call, and after how many seconds."""
        scenario, chance = self.scenario, self.chance
        draw, people = chance.random(), scenario.answered_at(now_s)
        longest_s = scenario.ring_timeout_s - 0.1
        if draw < people:
            return PERSON, self._within(scenario.ring_s, 0.5, longest_s)
        draw = (draw - people) / (1.0 - people)
        rest = 1.0 - scenario.answered
        if draw < scenario.machines / rest:
            return MACHINE, self._within(MACHINE_RINGS_S, 0.3, longest_s)
        if draw < (scenario.machines + scenario.failed) / rest:
            return FAILED, chance.uniform(0.5, 4.0)
        return NO_ANSWER, scenario.ring_timeout_s

    def detection(self, kind: int) -> tuple[bool, float]:
        """Whether the call is taken for a person's, and after how many seconds."""
        scenario, chance = self.scenario, self.chance
        if scenario.detection_s is None:
            return True, 0.0
        wrong = scenario.false_positives if kind == PERSON else scenario.false_negatives
        is_right = chance.random() >= wrong
        return (kind == PERSON) == is_right, scenario.detection_s * chance.uniform(0.5, 1.5)

    def talk_s(self, kind: int) -> float:
        if kind == MACHINE:
            return MACHINE_TALK_S * self.chance.uniform(0.5, 1.5)
        draw = self.chance.random()
        for weight, mean_s in self.scenario.talks:
            draw -= weight
            if draw < 0.0:
                return self.around(mean_s, 0.6)
        return self.around(self.scenario.talks[-1][1], 0.6)

    def wrap_up_s(self) -> float:
        return self.around(self.scenario.wrap_up_s, 0.4)

    def break_after_s(self) -> float:
        return self.chance.expovariate(1.0 / self.scenario.break_every_s)

    def break_s(self) -> float:
        return self.around(self.scenario.break_s, 0.4)

    def around(self, mean_s: float, ratio: float) -> float:
        """Lognormal; `ratio` is the deviation, of the mean."""
        sigma = sqrt(log(1.0 + ratio * ratio))
        return mean_s * self.chance.lognormvariate(-sigma * sigma / 2.0, sigma)

    def _within(self, mean_s: float, ratio: float, longest_s: float) -> float:
        for _ in range(8):
            drawn_s = self.around(mean_s, ratio)
            if drawn_s <= longest_s:
                return drawn_s
        return longest_s


def standard(agents: int, hours: float = 8.0) -> Scenario:
    return Scenario(agents=agents, hours=hours)


def fresh(seed: int, hours: float, agents_max: int = 400) -> Scenario:
    """A situation drawn by chance: size, shares and times, and now and then changes, swings, withdrawals, few lines, a short list, bad
    detection."""
    chance = Random(f"scenario/{seed}")
    length_s = hours * 3600.0

    def between(low: float, high: float) -> float:
        """Evenly in proportions."""
        return low * exp(log(high / low) * chance.random())

    agents = round(between(3, agents_max))
    answered = between(0.05, 0.6)
    machines = chance.choice((0.0, 0.1, 0.25)) * (1.0 - answered)
    scale = between(0.25, 2.5)
    wrap_up_s = between(5.0, 60.0)
    cycle_s = 120.0 * scale + wrap_up_s
    changes: tuple[tuple[float, float], ...] = ()
    if chance.random() < 0.4:
        factor = between(0.25, 4.0)
        changes = tuple(
            (length_s * (number + chance.random()) / 3.0, factor if number % 2 == 0 else 1.0) for number in range(3)
        )
    elif chance.random() < 0.3:
        first_s, lasts_s = length_s * chance.random(), between(60.0, 900.0)
        changes = ((first_s, between(2.0, 4.0)), (first_s + lasts_s, 1.0))
    withdrawals: tuple[Withdrawal, ...] = ()
    if chance.random() < 0.3:
        withdrawals = (
            Withdrawal(
                at_s=length_s * chance.uniform(0.2, 0.9),
                share=chance.uniform(0.2, 0.8),
                lasts_s=chance.choice((600.0, 1800.0, None)),
            ),
        )
    has_detection = machines > 0.0 and chance.random() < 0.7
    calls = length_s * agents / cycle_s / answered
    return Scenario(
        agents=agents,
        hours=hours,
        answered=answered,
        machines=machines,
        failed=chance.uniform(0.0, 0.25) * (1.0 - answered - machines),
        ring_s=between(5.0, 12.0),
        ring_timeout_s=chance.choice((15.0, 20.0, 24.0, 30.0)),
        talks=tuple(
            (weight, mean_s * scale) for weight, mean_s in chance.choice((SALES, ((1.0, 120.0),), ((0.9, 60.0), (0.1, 660.0))))
        ),
        wrap_up_s=wrap_up_s,
        detection_s=between(1.0, 4.0) if has_detection else None,
        false_positives=chance.choice((0.0, 0.02, 0.1)) if has_detection else 0.0,
        false_negatives=chance.choice((0.0, 0.1, 0.4)) if has_detection else 0.0,
        lines=round(agents * between(1.2, 3.0)) if chance.random() < 0.2 else 100_000,
        calls_per_s=between(0.5, 5.0) if chance.random() < 0.15 else 100.0,
        leads=round(calls * chance.uniform(0.3, 0.9)) if chance.random() < 0.2 else 10_000_000,
        break_every_s=between(1800.0, 7200.0),
        break_s=between(120.0, 1200.0),
        changes=changes,
        swing=chance.choice((0.0, 0.0, 0.3, 0.6)),
        withdrawals=withdrawals,
    )

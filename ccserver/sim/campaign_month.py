"""Many days of a campaign, as a month is: each with luck of its own, and with what the days before it left over, or lost too much."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ccserver.core.change import replace
from ccserver.core.dialer.view import Limits, Pacer
from ccserver.sim.campaign import Campaign, Figures
from ccserver.sim.campaign_laws import Scenario

WINDOW_DAYS = 30
"""Of the rules that look at a month: what was before does not count any more."""
SEEDS_APART = 10_007
"""Months of neighbouring seeds have no day in common."""


@dataclass(frozen=True, slots=True)
class Month:
    """`days` in their order, all of them of the same length. Ratios are 0 to 1."""

    seed: int
    share: float
    """That may be abandoned."""
    days: tuple[Figures, ...]

    @property
    def dials(self) -> int:
        return sum(day.dials for day in self.days)

    @property
    def humans(self) -> int:
        return sum(day.humans for day in self.days)

    @property
    def abandoned(self) -> int:
        return sum(day.abandoned for day in self.days)

    @property
    def utilisation(self) -> float:
        return sum(day.utilisation for day in self.days) / len(self.days)

    @property
    def abandoned_ratio(self) -> float:
        return self.abandoned / max(self.humans, 1)

    @property
    def wait_s(self) -> float:
        connects = sum(day.connects for day in self.days)
        return sum(day.wait_s * day.connects for day in self.days) / max(connects, 1)

    @property
    def attempts_per_contact(self) -> float:
        people = sum(day.connects - day.agent_machines for day in self.days)
        return self.dials / max(people, 1)

    @property
    def days_over(self) -> int:
        """Days on which the share was over what may be abandoned by more than one call."""
        return sum(day.abandoned > self.share * day.humans + 1.0 for day in self.days)


def run_month(
    scenario: Scenario,
    limits: Limits,
    make: Callable[[Limits], Pacer],
    *,
    days: int,
    seed: int,
    is_carried: bool,
    told: Callable[[int], None] = lambda _: None,
) -> Month:
    """`is_carried`: the rule looks at a month, so that a day begins with what those before it left. `told`: of each day that is over."""
    done: list[Figures] = []
    for day in range(days):
        own = replace(limits, carried=carried(done, limits.share)) if is_carried else limits
        done.append(Campaign(scenario, make(own), seed if days == 1 else seed * SEEDS_APART + day).run())
        told(day + 1)
    return Month(seed, limits.share, tuple(done))


def carried(before: Sequence[Figures], share: float) -> float:
    """Calls that may still be lost on account of the days before; below 0: they lost too many."""
    window = before[-(WINDOW_DAYS - 1) :]
    return sum(share * day.humans - day.abandoned for day in window)

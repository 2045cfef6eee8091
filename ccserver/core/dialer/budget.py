"""How much risk the cap leaves: the account of the present day and the price of risk.

With A people who answered, L of them lost, R answers expected until the day's end and a share c that may be lost, `r = MARGIN * c`:

    rate  = clip((r (A + R) - L - 1) / max(R, 20, 0.03 A), 0, 1.7 r)    what may be lost of each answer from now on
    kappa = (L + 3 d) / (sum of the risk allowed at each answer + 4 d), d = max(agents / 20, 1)
    risk  = clip(rate / kappa, 0.003, 0.3)              calls are placed while the chance of losing one more is no greater

Kappa says how many calls were lost for each that the risk allowed; it mends what the forecast has wrong. A large team's first minutes, when
nearly all calls have an idle agent, say little about that. The balance is spread over all
answers to come, so that the risk stays nearly the same all day: utilisation is concave in the share of lost calls, and bursts waste it.
"""

from dataclasses import dataclass
from math import sqrt

from ccserver.core.dialer.learning import numbers
from ccserver.core.dialer.view import Limits, Totals

MARGIN = 0.96
RESERVE = 1.0
"""Calls; where a day has few answers the margin alone is less than one call."""
RISK_MIN, RISK_MAX = 0.003, 0.3
DOUBT = 1.5
"""Calls without an agent are counted as if so many times the expected people answered."""
CYCLE_S = 240.0
"""Before anything is known each agent is thought to take a call in so many seconds: fewer than there will be."""
CYCLE_WEIGHT_S = 600.0


@dataclass(frozen=True, slots=True)
class Price:
    risk: float
    """The chance of being lost up to which a call is placed; 0: only calls with an agent of their own."""
    unbacked_max: int
    """So many calls may be in flight without an agent: if half as many people again as expected answered them and all were lost, the cap
    would still be kept at the day's end."""


class Budget:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._allowed = 0.0
        self._agents_s = self._at_s = 0.0
        self.risk = limits.share
        """Allowed at present."""

    def answered(self) -> None:
        """A person has answered."""
        self._allowed += self.risk

    def price(self, now_s: float, totals: Totals, agents: int, people: float, calls_max: int) -> Price:
        """`people`: the share of calls that people answer; `calls_max`: those that can still be answered, for want of leads."""
        limits = self._limits
        answers, lost = float(max(totals.humans, 0)), float(max(totals.abandoned, 0))  # whatever the counters say
        self._agents_s += agents * max(now_s - self._at_s, 0.0)
        self._at_s = max(now_s, self._at_s)
        # Who has gone on a break or home gives no more answers; who comes in addition is waited for.
        present = min(agents * self._at_s / max(self._agents_s, 1e-9), 1.0) if self._agents_s else 1.0
        pace = (answers + agents / CYCLE_S * CYCLE_WEIGHT_S) / (now_s + CYCLE_WEIGHT_S)
        to_come = min(pace * present * max(limits.horizon_s - now_s, 0.0), people * calls_max)
        spread = max(20.0, 0.03 * answers, to_come)
        day = limits.share * (answers + to_come)
        carried = min(limits.carried, day)
        share = MARGIN * limits.share
        rate = min((share * (answers + to_come) + carried - lost - RESERVE) / spread, 1.7 * share)
        unbacked_max = int(max(day + carried - lost, 0.0) / max(DOUBT * people, 0.01))
        if rate <= 0.0 or self._is_in_debt(answers, lost, carried):
            self.risk = 0.0
            return Price(0.0, 0)
        doubt = max(agents / 20.0, 1.0)
        kappa = (lost + 3.0 * doubt) / (self._allowed + 4.0 * doubt)
        self.risk = min(max(rate / kappa, RISK_MIN), RISK_MAX)
        return Price(self.risk, unbacked_max)

    def _is_in_debt(self, answers: float, lost: float, carried: float) -> bool:
        """More is lost than a fair day by now would have: what counts on answers to come ends here, whatever the forecast says."""
        earned = self._limits.share * answers + max(carried, 0.0)
        return lost >= earned + 3.0 + 2.5 * sqrt(earned)

    def state(self) -> list[float]:
        return [self._allowed, self.risk, self._agents_s, self._at_s]

    def restore(self, state: object) -> None:
        self._allowed, self.risk, self._agents_s, self._at_s = numbers(state, 4)

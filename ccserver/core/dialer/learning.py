"""What a campaign's past says: how calls end, after how long, and how long agents are busy. Estimators with forgetting.

* `OutcomeRates`: the shares of people, machines and the rest. Exponential forgetting over a number of calls that is never shorter than
  several lives of a call: a shorter memory swings with the dialing itself.
* `Delays`: after how many seconds a call of one kind is known to be that, as a histogram. The level drifts, ringing habits do not.
* `Durations`: hazards of talks and wrap-ups, with the talks in progress as right-censored observations (E. L. Kaplan and P. Meier,
  "Nonparametric estimation from incomplete observations", 1958), here piecewise constant: events / time at risk in each bin, which is the
  maximum-likelihood estimate. Leaving the talks in progress out would make the start of each day short.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import exp
from typing import TypeVar

from ccserver.core.dialer.view import Json

Number = TypeVar("Number", int, float)

PEOPLE, MACHINES, REST = range(3)
"""The kinds of outcomes."""


def numbers(value: object, count: int) -> list[float]:
    """`count` finite numbers out of a state; ValueError otherwise."""
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"expected {count} numbers")
    if not all(isinstance(each, int | float) and abs(each) < float("inf") for each in value):
        raise ValueError("expected finite numbers")
    return [float(each) for each in value]


class OutcomeRates:
    """Shares of the three kinds."""

    CALLS_MIN = 150.0
    MEMORY_S = 180.0
    RATE_S = 60.0
    PRIOR = (6.0, 1.0, 5.0)
    """More people than there will be: a start in ignorance dials too little for some seconds instead of too much."""

    def __init__(self) -> None:
        self.weights = list(self.PRIOR)
        self._recent = 0.0
        self._at_s = 0.0

    def note(self, kind: int, at_s: float) -> None:
        self._recent = self._recent * exp(-max(at_s - self._at_s, 0.0) / self.RATE_S) + 1.0
        self._at_s = max(at_s, self._at_s)
        keep = 1.0 - 1.0 / max(self.CALLS_MIN, self._recent / self.RATE_S * self.MEMORY_S)
        weights = self.weights
        for each in range(3):
            weights[each] *= keep
        weights[kind] += 1.0

    def shares(self) -> tuple[float, float, float]:
        people, machines, rest = self.weights
        total = people + machines + rest
        return people / total, machines / total, rest / total

    def state(self) -> list[float]:
        return [*self.weights, self._recent, self._at_s]

    def restore(self, state: object) -> None:
        *self.weights, self._recent, self._at_s = numbers(state, 5)


class Delays:
    """A histogram of seconds, in bins of half a second up to `longest_s`; what takes longer is in the last one."""

    BIN_S = 0.5
    KEEP = 1.0 - 1.0 / 2000.0

    def __init__(self, longest_s: float, prior: Iterable[tuple[float, float]]) -> None:
        """`prior`: seconds and weights."""
        self.counts = [0.0] * (int(longest_s / self.BIN_S) + 1)
        for seconds, weight in prior:
            self.counts[self._bin(seconds)] += weight
        self._unit = 1.0

    def _bin(self, seconds: float) -> int:
        return min(max(int(seconds / self.BIN_S), 0), len(self.counts) - 1)

    def note(self, seconds: float) -> None:
        self._unit /= self.KEEP  # instead of making all others lighter
        self.counts[self._bin(seconds)] += self._unit
        if self._unit > 1e9:
            self.counts = [count / self._unit for count in self.counts]
            self._unit = 1.0

    def cdf(self) -> list[float]:
        """The share that is over at each edge of the bins: begins with 0, ends with 1."""
        total = sum(self.counts)
        return [0.0, *(each / total for each in accumulate(self.counts))]

    def state(self) -> list[float]:
        return [self._unit, *self.counts]

    def restore(self, state: object) -> None:
        self._unit, *self.counts = numbers(state, len(self.counts) + 1)


class Survival:
    """The share of talks (or wrap-ups) longer than so many seconds."""

    __slots__ = ("edges", "hazards", "passed")

    def __init__(self, edges: Sequence[float], hazards: Sequence[float]) -> None:
        self.edges = edges
        self.hazards = hazards
        widths = [after - before for before, after in pairwise(edges)]
        self.passed = [0.0, *accumulate(hazard * width for hazard, width in zip(hazards, widths, strict=False))]

    def at(self, seconds: float) -> float:
        if seconds <= 0.0:
            return 1.0
        place = bisect_right(self.edges, seconds) - 1
        return exp(-(self.passed[place] + self.hazards[place] * (seconds - self.edges[place])))

    def all_at(self, ages_s: Sequence[float]) -> list[float]:
        """As `at`, for ages in ascending order, none below 0."""
        edges, hazards, passed, found = self.edges, self.hazards, self.passed, []
        place, last = bisect_right(edges, ages_s[0]) - 1, len(edges) - 1
        for age_s in ages_s:
            while place < last and edges[place + 1] <= age_s:
                place += 1
            found.append(exp(-(passed[place] + hazards[place] * (age_s - edges[place]))))
        return found


class Durations:
    """Hazards in bins of `bin_s` at first, then of a tenth of the age."""

    LONGEST_S = 7200.0
    EVEN_BINS = 20
    GROWTH = 1.1
    KEEP = 1.0 - 1.0 / 1500.0
    PRIOR_ENDS = 0.5
    PRIOR_MEANS = 2.0

    def __init__(self, bin_s: float, prior_s: float) -> None:
        self.edges = [bin_s * number for number in range(self.EVEN_BINS + 1)]
        while self.edges[-1] < self.LONGEST_S:
            self.edges.append(self.edges[-1] * self.GROWTH)
        self._prior_s = prior_s
        self._ends = [0.0] * len(self.edges)
        self._inside_s = [0.0] * len(self.edges)
        """Seconds that those which ended in the bin had been in it."""
        self._unit = 1.0

    def note(self, seconds: float) -> None:
        self._unit /= self.KEEP
        place = bisect_right(self.edges, seconds, 1) - 1
        self._ends[place] += self._unit
        self._inside_s[place] += self._unit * max(seconds - self.edges[place], 0.0)
        if self._unit > 1e9:
            self._ends = [each / self._unit for each in self._ends]
            self._inside_s = [each / self._unit for each in self._inside_s]
            self._unit = 1.0

    def survival(self, in_progress: Iterable[float] = ()) -> Survival:
        """With those in progress now, by their ages, counted for as long as they have lasted.

        Where the memory does not reach back to the beginning, those which were in progress when it begins are in it as wholes, and
        stand for those which are in progress now: the more is forgotten, the less these count.
        """
        edges, unit = self.edges, self._unit
        size = len(edges)
        ends = [each / unit for each in self._ends]
        risk_s = [each / unit for each in self._inside_s]
        reached = list(ends)
        weight = max(1.0 - sum(ends) * (1.0 - self.KEEP), 0.0)
        for age_s in in_progress:
            place = bisect_right(edges, age_s, 1) - 1
            reached[place] += weight
            risk_s[place] += weight * (age_s - edges[place])
        beyond = 0.0
        for place in range(size - 1, -1, -1):
            if beyond:
                risk_s[place] += beyond * (edges[place + 1] - edges[place])
            beyond += reached[place]
        mean_s = (sum(risk_s) + self.PRIOR_MEANS * self._prior_s) / (sum(ends) + self.PRIOR_MEANS)
        ends, risk_s = _smooth(ends), _smooth(risk_s)
        prior = self.PRIOR_ENDS
        return Survival(edges, [(ends[place] + prior) / (risk_s[place] + prior * mean_s) for place in range(size)])

    def state(self) -> Json:
        return {"unit": self._unit, "ends": list(self._ends), "inside_s": list(self._inside_s)}

    def restore(self, state: Json) -> None:
        (unit,) = numbers([state["unit"]], 1)
        ends, inside_s = numbers(state["ends"], len(self.edges)), numbers(state["inside_s"], len(self.edges))
        self._unit, self._ends, self._inside_s = unit, ends, inside_s


def _smooth(values: Sequence[float]) -> list[float]:
    """Each with its neighbours, 1:2:1."""
    before, after = [values[0], *values[:-1]], [*values[1:], values[-1]]
    return [(left + 2.0 * value + right) / 4.0 for left, value, right in zip(before, values, after, strict=True)]

"""How likely it is that a call which is answered finds no agent: the distribution of idle agents at a few moments to come.

At the moment s from now, with I idle agents and W people who wait,

    X(s) = I - W + sum over busy agents of Bern(q) - sum over calls in flight of Bern(a)

q is the chance that the agent is free by s and the patience, given how long the talk or the wrap-up has lasted (the residual law, not the
unconditional one); a the chance that the call is a person's by s, given that it still rings after so long. A call that is answered at s is
lost when X(s) <= 0.

For small teams the distribution of X is computed exactly (Poisson-binomial, by convolution), for large ones by the normal
approximation with the correction for skewness (F. Y. Edgeworth's series to its first term):

    P(X <= 0) = Phi(z) + g (1 - z^2) phi(z) / 6,    z = (1/2 - mean) / sd,    g = third central moment / sd^3
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erfc, exp, pi, sqrt
from operator import mul

from ccserver.core.dialer.learning import Survival

QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""A call that is placed now becomes a person's at each of these moments with the same chance."""
MOMENTS = range(len(QUANTILES))
EXACT_MAX = 24
"""Up to so many busy agents and calls in flight the distribution is computed exactly."""
STEP_S = 1.0
"""How finely the end of a talk is followed by that of its wrap-up."""

Vector = list[float]

_ROOT_2 = sqrt(2.0)
_ROOT_2_PI = sqrt(2.0 * pi)


class Table:
    """For each moment and each place (a bin of ages) a chance with its square and cube: what sums over many need."""

    __slots__ = ("powers",)

    def __init__(self, places: int) -> None:
        self.powers = [([0.0] * places, [0.0] * places, [0.0] * places) for _ in MOMENTS]

    def set(self, place: int, chances: Vector) -> None:
        for (first, second, third), chance in zip(self.powers, chances, strict=True):
            first[place], second[place], third[place] = chance, chance * chance, chance * chance * chance

    def chance(self, moment: int, place: int) -> float:
        return self.powers[moment][0][place]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Agents or calls of one kind: how many in each place, and by what factor the table's chances are to be taken there."""

    counts: Vector
    levels: Vector | None
    table: Table

    def chances(self, moment: int) -> Vector:
        """Of each one."""
        found: Vector = []
        for place, count in enumerate(self.counts):
            if count:
                level = 1.0 if self.levels is None else self.levels[place]
                found += [level * self.table.chance(moment, place)] * int(count)
        return found

    def sums(self) -> list[tuple[float, float, float]]:
        """Of the chances, their squares and their cubes, for each moment."""
        first = self.counts
        second = third = first
        if self.levels is not None:
            first = list(map(mul, first, self.levels))
            second = list(map(mul, first, self.levels))
            third = list(map(mul, second, self.levels))
        return [
            (sum(map(mul, first, one)), sum(map(mul, second, two)), sum(map(mul, third, three)))
            for one, two, three in self.table.powers
        ]


class Laws:
    """What is known of calls and agents for some seconds. New ones are prepared in the course of several steps, none of which is long."""

    def __init__(
        self,
        *,
        bin_s: float,
        people: Vector,
        machines: Vector,
        rest: Vector,
        talk: Survival,
        wrap_up: Survival,
        patience_s: float,
    ) -> None:
        """`people`, `machines`, `rest`: the share of each kind that is known at each edge of the bins of `bin_s`."""
        self.people, self.machines, self.rest = people, machines, rest
        self.talk, self.wrap_up = talk, wrap_up
        self._bin_s, self._patience_s = bin_s, patience_s
        self.ahead = [max(bisect_right(people, quantile), 1) for quantile in QUANTILES]
        """The moments, in bins from now."""
        self.until_s = [bins * bin_s + patience_s for bins in self.ahead]
        self.new = [people[min(bins, len(people) - 1)] for bins in self.ahead]
        """The chance that a person's call placed now is known as such by each moment."""
        self._talking, self._wrapping, self._ringing = Table(len(talk.edges)), Table(len(wrap_up.edges)), Table(len(people) - 1)
        self.prepared = 0
        """Rows of the three tables."""
        middles = [[(before + after) / 2.0 for before, after in pairwise(law)] for law in (people, machines, rest)]
        self._decided = [*middles[0], 1.0]
        """The share of the people's calls, in the middle of each bin."""
        self._undecided = [(1.0 - one, 1.0 - two, 1.0 - three) for one, two, three in zip(*middles, strict=True)]
        self._detecting = Table(1)
        self._detecting.set(0, [1.0] * len(QUANTILES))
        steps = int(max(self.until_s) / STEP_S) + 1
        self._steps_s = [step * STEP_S for step in range(steps + 1)]
        self._wrapped_up = [
            [1.0 - wrap_up.at(until_s - (step + 0.5) * STEP_S) for step in range(min(int(until_s / STEP_S) + 1, steps))]
            for until_s in self.until_s
        ]

    def prepare(self, rows: int) -> bool:
        """So many more rows of what is said of agents and calls by their age. True: it is complete."""
        talks, wraps, rings = len(self.talk.edges), len(self.wrap_up.edges), len(self._undecided)
        end = min(self.prepared + rows, talks + wraps + rings)
        for row in range(self.prepared, end):
            if row < talks:
                self._talking.set(row, self.free_after_talk(middle(self.talk.edges, row)))
            elif row < talks + wraps:
                place = row - talks
                self._wrapping.set(place, self.free_after_wrap_up(middle(self.wrap_up.edges, place)))
            else:
                place = row - talks - wraps
                now = self._decided[place]
                self._ringing.set(place, [max(self._decided[min(place + bins, rings)] - now, 0.0) for bins in self.ahead])
        self.prepared = end
        return end == talks + wraps + rings

    # --- agents -------------------------------------------------------------------------------------------------------
    def talking(self, ages: Sequence[float]) -> Crowd:
        """Agents who have talked for so long."""
        edges = self.talk.edges
        return Crowd(counted([bisect_right(edges, age, 1) - 1 for age in ages]), None, self._talking)

    def wrapping(self, ages: Sequence[float]) -> Crowd:
        edges = self.wrap_up.edges
        return Crowd(counted([bisect_right(edges, age, 1) - 1 for age in ages]), None, self._wrapping)

    def free_after_talk(self, age_s: float) -> Vector:
        """The chance to be free again by each moment and the patience, when the talk has lasted for so long."""
        left = self.talk.all_at([age_s + step_s for step_s in self._steps_s])
        now = max(left[0], 1e-12)
        ending = [(before - after) / now for before, after in pairwise(left)]
        return [min(sum(map(mul, ending, law)), 1.0) for law in self._wrapped_up]

    def free_after_wrap_up(self, age_s: float) -> Vector:
        law = self.wrap_up
        now = max(law.at(age_s), 1e-12)
        return [1.0 - min(law.at(age_s + until_s) / now, 1.0) for until_s in self.until_s]

    # --- calls --------------------------------------------------------------------------------------------------------
    def ringing(self, ages: Sequence[float], shares: tuple[float, float, float]) -> Crowd:
        """Calls that were dialed so long ago."""
        last, bin_s = len(self._undecided) - 1, self._bin_s
        counts = counted([min(max(int(age / bin_s), 0), last) for age in ages])
        people, machines, rest = shares
        levels = [
            people / max(people * undecided[0] + machines * undecided[1] + rest * undecided[2], 1e-9)
            for undecided in self._undecided[: len(counts)]
        ]
        return Crowd(counts, levels, self._ringing)

    def detecting(self, count: int, shares: tuple[float, float, float]) -> Crowd:
        people, machines, _ = shares
        return Crowd([float(count)], [people / max(people + machines, 1e-9)], self._detecting)


class Balance:
    """X at each moment, and what one more call makes of it."""

    def __init__(self, idle: int, frees: Sequence[Crowd], answers: Sequence[Crowd], new: Vector) -> None:
        """`idle`: agents less people who wait; `new`: the chances of one more call to be a person's by each moment."""
        self._new = new
        self._exact: list[tuple[int, Vector]] | None = None
        calls = int(sum(sum(crowd.counts) for crowd in answers))
        if sum(sum(crowd.counts) for crowd in frees) + calls <= EXACT_MAX:
            self._exact = [(calls - idle, distribution(moment, frees, answers)) for moment in MOMENTS]
            self._sums = [moments_of(law, needed) for needed, law in self._exact]
            return
        sums = [(float(idle), 0.0, 0.0)] * len(MOMENTS)
        for sign, crowds in ((1.0, frees), (-1.0, answers)):
            for crowd in crowds:
                sums = [
                    (mean + sign * one, variance + one - two, third + sign * (one - 3.0 * two + 2.0 * three))
                    for (mean, variance, third), (one, two, three) in zip(sums, crowd.sums(), strict=True)
                ]
        self._sums = sums

    def risk(self, more: int) -> float:
        """The chance that the next call is lost when `more` others are placed with it."""
        exact = self._exact
        if exact is not None and more <= EXACT_MAX:
            return sum(
                none_free(law, needed, 1.0 - chance, more) for (needed, law), chance in zip(exact, self._new, strict=True)
            ) / len(MOMENTS)
        total = 0.0
        for (mean, variance, third), chance in zip(self._sums, self._new, strict=True):
            own = chance * (1.0 - chance)
            total += normal_tail(mean - more * chance, variance + more * own, third - more * own * (1.0 - 2.0 * chance))
        return total / len(MOMENTS)


def middle(edges: Sequence[float], place: int) -> float:
    """Of a bin; the last one has no end."""
    return (edges[place] + edges[place + 1]) / 2.0 if place + 1 < len(edges) else edges[place]


def counted(places: Sequence[int]) -> Vector:
    """How many there are in each place up to the highest."""
    counts = [0.0] * (max(places, default=0) + 1)
    for place in places:
        counts[place] += 1.0
    return counts


def distribution(moment: int, frees: Sequence[Crowd], answers: Sequence[Crowd]) -> Vector:
    """Of the count of agents who are free and of calls that are no person's: X is that, less the calls, plus the idle."""
    law = [1.0]
    for crowd in frees:
        for chance in crowd.chances(moment):
            law = convolved(law, chance)
    for crowd in answers:
        for chance in crowd.chances(moment):
            law = convolved(law, 1.0 - chance)
    return law


def none_free(law: Vector, needed: int, chance: float, more: int) -> float:
    """P(X <= 0) with so many more calls, each of which is no person's with this chance."""
    for _ in range(more):
        law = convolved(law, chance)
    return sum(law[: max(needed + more + 1, 0)])


def moments_of(law: Vector, needed: int) -> tuple[float, float, float]:
    """Mean, variance and third central moment of X."""
    mean = sum(number * chance for number, chance in enumerate(law))
    variance = sum((number - mean) ** 2 * chance for number, chance in enumerate(law))
    third = sum((number - mean) ** 3 * chance for number, chance in enumerate(law))
    return mean - needed, variance, third


def convolved(law: Vector, chance: float) -> Vector:
    """The distribution of a count, and of one more event of this chance in it."""
    missed = 1.0 - chance
    inner = [after * missed + before * chance for before, after in pairwise(law)]
    return [law[0] * missed, *inner, law[-1] * chance]


def normal_tail(mean: float, variance: float, third: float) -> float:
    """P(X <= 0) of a sum of events."""
    if variance < 1e-9:
        return 1.0 if mean < 0.5 else 0.0
    deviation = sqrt(variance)
    z = (0.5 - mean) / deviation
    skew = third / (variance * deviation)
    tail = 0.5 * erfc(-z / _ROOT_2) + skew / 6.0 * (1.0 - z * z) * exp(-0.5 * z * z) / _ROOT_2_PI
    return min(max(tail, 0.0), 1.0)

"""How long a caller will wait, from the work ahead, the agents who are there and the rates at which calls come and go. Pure.

With `n` others ahead at `c` agents, each free again after a mean of `s` seconds, the wait is the time until `n + 1` of them have gone:
to an agent at the rate `c / s`, or off the line, since each who waits gives up at the rate `q`. Where all agents serve all, that is

    W = sum for k = 0..n of 1 / (c/s + k*q)                                           seconds

the virtual waiting time of Erlang's delay system (A. K. Erlang, "Solution of some problems in the theory of probabilities of
significance in automatic telephone exchanges", 1917), with abandonment, conditioned on the state that is seen (W. Whitt, "Predicting
queueing delays", Management Science 45, 1999). It follows a change of load at once; a mean of past waits follows when the callers
concerned have already waited.

Where skills differ, the same is walked through in mean values: one agent after the other becomes free, each pool of like agents in its
turn, and takes the most urgent of what is ahead and of what has come meanwhile that it can serve. So work that others will do is not
in the way, and shared agents are in the way as much as they are shared. Those who arrive later and overtake (a higher priority is a
head start of bounded length, see `acd.urgency`) come at their rate for as long as they would overtake.

The rates are estimates of each queue with exponential forgetting: each new service weighs 1, all before it `KEEP` times what they did, and
an assumption of the settings weighs as much as `PRIOR_WEIGHT` services. The rate of giving up is what left / what was waited, by all who
waited: the maximum-likelihood estimate for exponential patience, with those who were answered as censored observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp

from ccserver.core.change import replace
from ccserver.core.state import Mean, QueueCounters

KEEP = 0.98
"""Half of the weight lies on the last 34 services."""
PRIOR_WEIGHT = 5.0
PATIENCE_S = 1200.0
"""The mean patience that is assumed, with the weight of one caller who gave up."""
ARRIVALS_S = 900.0
"""The arrival rate forgets with this time constant."""
STEPS_MAX = 200
"""A long queue is walked through in so many strides."""


# --- what is learned --------------------------------------------------------------------------------------------------
def arrived(counters: QueueCounters, utc_s: float) -> QueueCounters:
    """One more has come, at `utc_s` (POSIX seconds)."""
    recent = _recent(counters, utc_s) + 1.0
    return replace(counters, arrivals=recent, arrived_utc_s=utc_s)


def waited(counters: QueueCounters, wait_s: float, *, gave_up: bool) -> QueueCounters:
    """A wait is over, by an agent or by the caller who left."""
    return replace(counters, given_up=counters.given_up * KEEP + gave_up, waited_s=counters.waited_s * KEEP + max(wait_s, 0.0))


def talked(counters: QueueCounters, talk_s: float) -> QueueCounters:
    return replace(counters, talk=_with(counters.talk, talk_s))


def wrapped_up(counters: QueueCounters, wrap_up_s: float) -> QueueCounters:
    return replace(counters, wrap_up=_with(counters.wrap_up, wrap_up_s))


def _with(mean: Mean, value_s: float) -> Mean:
    kept = mean.weight * KEEP
    return Mean(value_s=(mean.value_s * kept + value_s) / (kept + 1.0), weight=kept + 1.0)


# --- what is estimated ------------------------------------------------------------------------------------------------
def service_s(counters: QueueCounters, assumed_s: float) -> float:
    """Talk and wrap-up together."""
    weight = counters.talk.weight
    known_s = counters.talk.value_s + counters.wrap_up.value_s
    return (known_s * weight + assumed_s * PRIOR_WEIGHT) / (weight + PRIOR_WEIGHT)


def giving_up_per_s(counters: QueueCounters) -> float:
    return (counters.given_up + 1.0) / (counters.waited_s + PATIENCE_S)


def arrivals_per_s(counters: QueueCounters, utc_s: float) -> float:
    return _recent(counters, utc_s) / ARRIVALS_S


def _recent(counters: QueueCounters, utc_s: float) -> float:
    return counters.arrivals * exp(-max(utc_s - counters.arrived_utc_s, 0.0) / ARRIVALS_S)


# --- the wait ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Ahead:
    """One class of what goes first: the order of those who wait (less is sooner), and those who will come and overtake."""

    order: Sequence[tuple[int, float]]
    service_s: float
    joins_per_s: float = 0.0
    joins_for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Agents who can serve the same: some of the classes ahead (by index), and the caller or not."""

    count: int
    classes: tuple[int, ...]
    serves_caller: bool


def expected_wait_s(
    ahead: Sequence[Ahead], pools: Sequence[Pool], *, free: int, own_service_s: float, gives_up_per_s: float
) -> float | None:
    """Seconds; None when nobody is there. `free` agents who could serve the caller are idle now."""
    total = sum(pool.count for pool in pools)
    if not any(pool.count and pool.serves_caller for pool in pools):
        return None
    if free > sum(len(work.order) for work in ahead):
        return 0.0
    return _Walk(ahead, pools, total, own_service_s, gives_up_per_s).wait_s()


class _Walk:
    """One walk through what is to come."""

    def __init__(
        self, ahead: Sequence[Ahead], pools: Sequence[Pool], total: int, own_service_s: float, gives_up_per_s: float
    ) -> None:
        self.ahead = ahead
        self.pools = pools
        self.left = [list(work.order) for work in ahead]
        number = sum(map(len, self.left))
        self.stride = ceil((number + 1) / STEPS_MAX)
        mean_s = (own_service_s + sum(len(work.order) * work.service_s for work in ahead)) / (number + 1)
        self.step_s = self.stride * mean_s / total
        self.turns = [pool.count / total for pool in pools]
        # The first turn of those who can serve the caller comes after the mean time, as every later one.
        own = sum(turn for turn, pool in zip(self.turns, pools, strict=True) if pool.serves_caller)
        self.credit = [-turn / own if pool.serves_caller else 0.0 for turn, pool in zip(self.turns, pools, strict=True)]
        self.joining = [0.0] * len(ahead)
        self.leaving = [0.0] * len(ahead)
        self.gives_up_per_s = gives_up_per_s
        self.steps_max = 4 * STEPS_MAX + total

    def wait_s(self) -> float:
        now_s = 0.0
        for _ in range(self.steps_max):
            now_s += self.step_s
            self._come_and_go(now_s)
            if self._serve(self._next_pool()):
                break
        return now_s

    def _next_pool(self) -> Pool:
        """Each in its turn, as often as it has agents."""
        for place, turn in enumerate(self.turns):
            self.credit[place] += turn
        chosen = max(range(len(self.credit)), key=self.credit.__getitem__)
        self.credit[chosen] -= 1.0
        return self.pools[chosen]

    def _serve(self, pool: Pool) -> bool:
        """The agents of one turn take the most urgent they can. True: the caller was that."""
        for _ in range(self.stride):
            waiting = [place for place in pool.classes if self.left[place]]
            if not waiting:
                return pool.serves_caller
            self.left[min(waiting, key=lambda place: self.left[place][0])].pop(0)
        return False

    def _come_and_go(self, now_s: float) -> None:
        for place, work in enumerate(self.ahead):
            left = self.left[place]
            if now_s <= work.joins_for_s:
                self.joining[place] += work.joins_per_s * self.step_s
                while self.joining[place] >= 1.0:
                    self.joining[place] -= 1.0
                    left.insert(0, (-1, 0.0))
            self.leaving[place] += len(left) * self.gives_up_per_s * self.step_s
            while self.leaving[place] >= 1.0 and left:
                self.leaving[place] -= 1.0
                del left[len(left) // 2]

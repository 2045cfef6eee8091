"""The strategies: which of the agents who could take an interaction gets it.

Each says a key (the lowest is offered first), and the figure behind it in words. Equal keys go to who has been idle longest, then to
the lower agent number; so the order is total, and does not depend on the order in which candidates are given.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import ClassVar

from ccserver.core.acd.candidates import Candidate, Wanted
from ccserver.core.requirements import level
from ccserver.core.settings import Strategy

_64_BITS = (1 << 64) - 1


class Ordering(ABC):
    """One strategy. `words` name it in the reason that is kept with each offer."""

    words: ClassVar[str]

    @abstractmethod
    def key(self, who: Candidate, what: Wanted) -> float:
        """The lowest is offered first."""

    @abstractmethod
    def figure(self, who: Candidate, what: Wanted) -> str:
        """What decided, for people."""


class Standing(Ordering):
    """An order of the agents that holds whatever is offered and whenever: it can be kept sorted."""

    @abstractmethod
    def standing(self, who: Candidate) -> float: ...

    def key(self, who: Candidate, what: Wanted) -> float:
        return self.standing(who)


class LongestIdle(Standing):
    words = "longest idle"

    def standing(self, who: Candidate) -> float:
        return who.idle_since_s

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{what.now_s - who.idle_since_s:.1f} s"


class FewestCalls(Standing):
    words = "fewest calls today"

    def standing(self, who: Candidate) -> float:
        return who.calls

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{who.calls}"


class LeastTalkTime(Standing):
    words = "least talk time today"

    def standing(self, who: Candidate) -> float:
        return who.talk_s

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{who.talk_s:.0f} s"


class LeastRecent(Standing):
    """Whose last call ended first; who had none comes before them."""

    words = "least recent call"

    def standing(self, who: Candidate) -> float:
        return who.last_call_s

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{what.now_s - who.last_call_s:.0f} s ago" if who.last_call_s else "none yet"


class LeastOccupied(Ordering):
    """Occupancy: talk and wrap-up as part of the time logged in, today."""

    words = "least occupied today"

    def key(self, who: Candidate, what: Wanted) -> float:
        return who.occupancy(what.now_s)

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{100 * who.occupancy(what.now_s):.1f} %"


class RoundRobin(Ordering):
    """In turn, beginning after the last one served in this queue, whoever is there meanwhile."""

    words = "next in turn"

    def key(self, who: Candidate, what: Wanted) -> float:
        return (what.order.get(who.agent, 0) - what.start) % max(len(what.order), 1)

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{1 + int(self.key(who, what))} after the last one served"


class TopDown(Ordering):
    words = "first in order"

    def key(self, who: Candidate, what: Wanted) -> float:
        return what.order.get(who.agent, len(what.order))

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"place {1 + int(self.key(who, what))}"


class MostSkilled(Ordering):
    """The sum of the levels on the skills that are required; of alternatives the best one counts."""

    words = "most skilled"

    def key(self, who: Candidate, what: Wanted) -> float:
        return -level(what.requires, who.skills)

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"level {level(what.requires, who.skills)}"


class Tiers(Ordering):
    """The earliest tier that an agent is in; within it the longest idle."""

    words = "earliest tier"

    def key(self, who: Candidate, what: Wanted) -> float:
        return next((place for place, tier in enumerate(what.tiers) if who.agent in tier), len(what.tiers))

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"tier {1 + int(self.key(who, what))}, idle {what.now_s - who.idle_since_s:.1f} s"


class Random(Ordering):
    words = "by chance"

    def key(self, who: Candidate, what: Wanted) -> float:
        return chance(who, what)

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"{chance(who, what):.4f}"


class WeightedRandom(Ordering):
    """By chance, in proportion to the agents' shares; who has a share of 0 comes last.

    The lowest of -ln(u) / share wins: the weighted sampling of Efraimidis and Spirakis, "Weighted random sampling with a reservoir"
    (2006). So the odds between two agents do not depend on who else is free.
    """

    words = "by chance and share"

    def key(self, who: Candidate, what: Wanted) -> float:
        return -log(chance(who, what)) / who.share if who.share > 0 else float("inf")

    def figure(self, who: Candidate, what: Wanted) -> str:
        return f"share {who.share}"


def splitmix64(x: int) -> int:
    """One output of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) for the state `x`."""
    x = (x + 0x9E3779B97F4A7C15) & _64_BITS
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return x ^ (x >> 31)


def chance(who: Candidate, what: Wanted) -> float:
    """Above 0, at most 1: a pure function of queue, interaction, offers made and agent, so that a replay draws the same.

    The queue's id is the seed: two queues draw independently.
    """
    x = splitmix64(_seed(what.queue, what.interaction, what.draw) ^ _number(who.agent))
    return ((x >> 11) + 1) / (1 << 53)


@lru_cache(maxsize=16)
def _seed(queue: str, interaction: int, draw: int) -> int:
    """Of one decision: the same for all who could be chosen."""
    return splitmix64(splitmix64(_number(queue) ^ interaction) ^ draw)


@lru_cache(maxsize=10_000)
def _number(name: str) -> int:
    """A text as a number of 64 bits; Python's own hash differs from process to process."""
    data = name.encode()
    x = len(data)
    for start in range(0, len(data), 8):
        x = splitmix64(x ^ int.from_bytes(data[start : start + 8], "big"))
    return x


_LONGEST_IDLE = LongestIdle()
STRATEGIES: Mapping[Strategy, Ordering] = {
    Strategy.LONGEST_IDLE: _LONGEST_IDLE,
    Strategy.RING_ALL: _LONGEST_IDLE,
    Strategy.RING_PROGRESSIVELY: _LONGEST_IDLE,
    Strategy.LEAST_OCCUPIED: LeastOccupied(),
    Strategy.ROUND_ROBIN: RoundRobin(),
    Strategy.TOP_DOWN: TopDown(),
    Strategy.MOST_SKILLED: MostSkilled(),
    Strategy.TIERS: Tiers(),
    Strategy.FEWEST_CALLS: FewestCalls(),
    Strategy.LEAST_TALK_TIME: LeastTalkTime(),
    Strategy.LEAST_RECENT: LeastRecent(),
    Strategy.RANDOM: Random(),
    Strategy.WEIGHTED_RANDOM: WeightedRandom(),
}

"""Which waiting interaction is served first, also across queues.

    urgency(now) = priority * priority_step_s + weight * (now - waiting_since)        seconds

An agent gets the most urgent interaction of all that they could serve, whatever its queue. Rank 0 (its agent was lost, its transfer
came back) goes before all of rank 1. Ties go to the lower number.

Fairness, by the formula: an interaction that has waited `w` in a queue of weight `a` is never overtaken, at an agent who could serve
both, by one of the same rank that has waited less than

    (a * w - (p_other - p_own) * priority_step_s) / b        seconds in a queue of weight `b`

So nobody starves while their weight is above 0: each step of priority is a head start of bounded length, and no more.

`weight * now` is the same for all that wait with one weight; what is left does not change with time. So each class of interactions
stays sorted by a value that is computed once, and only classes of different weights are compared at the time of a decision. This
is the accumulating priority queue of Kleinrock, "A delay dependent queue discipline" (1964), with the priority as a head start.
"""

from typing import NamedTuple

from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.settings import Requirement

Place = tuple[int, float, InteractionId]
"""Rank, `-urgency` at the monotonic time 0, id: within one weight, the order of service."""


class ClassKey(NamedTuple):
    """What is the same for interactions that the same agents could take. `kind` is the one whose capacity they need."""

    queue: QueueId
    requires: Requirement
    tiers: int
    only: AgentId | None
    kind: str


def place(interaction: InteractionId, *, rank: int, since_s: float, priority: int, weight: float, step_s: float) -> Place:
    """`since_s`: since when it waits, monotonic; `step_s`: what a step of priority is worth."""
    return rank, weight * since_s - priority * step_s, interaction


def urgency(at: Place, weight: float, now_s: float) -> float:
    """Seconds."""
    return weight * now_s - at[1]

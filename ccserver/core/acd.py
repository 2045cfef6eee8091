"""The matcher: which waiting interaction and which free agent belong together, and why.

It is an index, never the truth: everything in it can be rebuilt from the records. Waiting work is kept by *class* (a queue and
the skills its interactions need), so the cost of a decision depends on the number of classes an agent can serve and not on how many
interactions wait nor how many queues the agent is in.

Rules. An agent takes the interaction that has waited longest among all the classes they can serve, a requeued one (rank 0)
before others. An interaction gets the agent who has been idle longest; ties go to the lower agent number.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass

from ccserver.core import requirements
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.settings import Requirement, Settings

ClassKey = tuple[QueueId, Requirement]
Place = tuple[int, float, InteractionId]
"""Rank, waiting since (monotonic seconds), id: the order of service."""


@dataclass(frozen=True, slots=True)
class Match:
    """`free` is how many agents were free, `able` how many have the skills."""

    interaction: InteractionId
    agent: AgentId
    idle_since_s: float
    free: int
    able: int

    def why(self, now_s: float) -> str:
        """The reason for the choice, in words."""
        idle_s = now_s - self.idle_since_s
        return f"longest idle, {idle_s:.1f} s; {self.free} free, {self.able} with the skills"


class Matcher:
    """Waiting interactions and free agents. An agent is *free* when an offer could be made now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[ClassKey, list[Place]] = {}
        self._places: dict[InteractionId, tuple[ClassKey, Place]] = {}
        self._free: list[tuple[float, AgentId]] = []
        self._free_since: dict[AgentId, float] = {}
        self._able: dict[ClassKey, dict[AgentId, None]] = {}
        self._is_changed = True

    # --- waiting interactions -----------------------------------------------------------------------------------------
    def add(self, interaction: InteractionId, key: ClassKey, rank: int, since_s: float) -> None:
        self.remove(interaction)
        if key not in self._waiting:
            self._learn(key)
        place = (rank, since_s, interaction)
        insort(self._waiting[key], place)
        self._places[interaction] = (key, place)
        self._is_changed = True

    def remove(self, interaction: InteractionId) -> None:
        known = self._places.pop(interaction, None)
        if known is not None:
            key, place = known
            row = self._waiting[key]
            del row[bisect_left(row, place)]

    def place_of(self, interaction: InteractionId) -> tuple[ClassKey, Place] | None:
        """The class it waits in, and its place there; None when it does not wait."""
        return self._places.get(interaction)

    def waiting(self) -> dict[InteractionId, ClassKey]:
        return {interaction: key for interaction, (key, _) in self._places.items()}

    def position(self, interaction: InteractionId) -> int:
        """The place in its queue, from 1. Raises KeyError when it does not wait."""
        (queue, _), place = self._places[interaction]
        return 1 + sum(bisect_left(row, place) for (other, _), row in self._waiting.items() if other == queue)

    # --- agents -------------------------------------------------------------------------------------------------------
    def set_free(self, agent: AgentId, idle_since_s: float) -> None:
        self.set_busy(agent)
        insort(self._free, (idle_since_s, agent))
        self._free_since[agent] = idle_since_s
        self._is_changed = True

    def set_busy(self, agent: AgentId) -> None:
        since = self._free_since.pop(agent, None)
        if since is not None:
            del self._free[bisect_left(self._free, (since, agent))]

    def free(self) -> dict[AgentId, float]:
        return dict(self._free_since)

    def able(self, key: ClassKey) -> Iterable[AgentId]:
        """Everybody who has the skills, free or not."""
        if key not in self._able:
            self._learn(key)
        return self._able[key]

    # --- decisions ----------------------------------------------------------------------------------------------------
    def agent_for(self, interaction: InteractionId) -> Match | None:
        known = self._places.get(interaction)
        if known is None:
            return None
        able = self._able[known[0]]
        for since, agent in self._free:
            if agent in able:
                return Match(interaction, agent, since, len(self._free), len(able))
        return None

    def next(self) -> Match | None:
        """A pair that can be offered, the most urgent interaction first; None when there is none.

        Costs nothing while neither a waiting interaction nor a free agent is new: who could be paired has been.
        """
        if not self._is_changed:
            return None
        if self._free:
            for _, _, interaction in sorted(row[0] for row in self._waiting.values() if row):
                match = self.agent_for(interaction)
                if match is not None:
                    return match
        self._is_changed = False
        return None

    def _learn(self, key: ClassKey) -> None:
        _, requires = key
        able = {a: None for a, s in sorted(self._settings.agents.items()) if requirements.is_met(requires, s.skills)}
        self._able[key] = able
        self._waiting[key] = []

"""Who waits and who is free, kept for the matcher: it follows the records, and can be rebuilt from them at any time."""

from ccserver.core.acd import ClassKey, Match, Matcher
from ccserver.core.agents import Agents
from ccserver.core.ids import InteractionId, QueueId
from ccserver.core.settings import Requirement
from ccserver.core.state import Interaction, Presence
from ccserver.core.step import Step


class Pairing:
    """The matcher and the records it stands for."""

    def __init__(self, step: Step, agents: Agents) -> None:
        self._step = step
        self._agents = agents
        self.matcher = Matcher(step.settings)
        self.rebuild()

    def rebuild(self) -> None:
        """At the start, after new settings, after an undone step and after a fault."""
        self.matcher = Matcher(self._step.settings)
        for interaction in self._step.interactions.values():
            self._place(interaction.id)
        for agent in self._step.agents.values():
            if self._agents.is_free(agent):
                self.matcher.set_free(agent.id, agent.idle_since_s)

    def follow(self) -> None:
        """Bring the matcher up to what this step has touched."""
        step, matcher = self._step, self.matcher
        for interaction_id in step.touched_interactions:
            self._place(interaction_id)
        for agent_id in step.touched_agents:
            agent = step.agents.get(agent_id)
            if agent is not None and self._agents.is_free(agent):
                matcher.set_free(agent_id, agent.idle_since_s)
            else:
                matcher.set_busy(agent_id)
        step.touched_interactions = {}

    def next(self) -> Match | None:
        """A pair that can be offered now; None also while the PBX is not linked and read, since nobody could be rung."""
        clockwork = self._step.clockwork
        return self.matcher.next() if clockwork.is_linked and clockwork.is_observed else None

    # --- questions ----------------------------------------------------------------------------------------------------
    def position(self, interaction: InteractionId) -> int:
        return self.matcher.position(interaction)

    def waiting_in(self, queue: QueueId) -> int:
        """Callers in the queue before the newest one, those whose agent's phone rings included."""
        counters = self._step.queues[queue]
        return counters.offered - sum(counters.outcomes.values()) - 1

    def is_staffed(self, queue: QueueId, requires: Requirement) -> bool:
        """Whether anybody who fulfils `requires` is logged in, ready or not."""
        for agent_id in self.matcher.able((queue, requires)):
            agent = self._step.agents.get(agent_id)
            if agent is not None and agent.presence is not Presence.LOGGED_OUT:
                return True
        return False

    def _place(self, interaction_id: InteractionId) -> None:
        found = self._step.interactions.get(interaction_id)
        if found is None or found.visit is None or not found.can_be_offered():
            self.matcher.remove(interaction_id)
            return
        key, rank, since_s = _class_of(found), found.visit.rank, found.visit.waiting_since_s
        if self.matcher.place_of(interaction_id) != (key, (rank, since_s, interaction_id)):
            self.matcher.add(interaction_id, key, rank, since_s)


def _class_of(interaction: Interaction) -> ClassKey:
    assert interaction.visit is not None
    return interaction.visit.queue, interaction.visit.requires

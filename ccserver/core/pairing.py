"""Who waits and who is free, kept for the matcher: it follows the records, and can be rebuilt from them at any time."""

from ccserver.core.acd import Candidate, ClassKey, Match, Matcher, Place, effective, place
from ccserver.core.agents import Agents
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.settings import EVERYBODY, QueueSettings, Requirement, Settings
from ccserver.core.state import Agent, Interaction, Presence, counted_as
from ccserver.core.step import Step


class Pairing:
    """The matcher and the records it stands for."""

    def __init__(self, step: Step, agents: Agents) -> None:
        self._step = step
        self._agents = agents
        self.rebuild()

    def rebuild(self) -> None:
        """At the start, after new settings, after an undone step and after a fault."""
        step = self._step
        self.matcher = Matcher(step.settings, self._last_served)
        self._here = 0
        for agent in step.agents.values():
            self._note(agent)
        for interaction in step.interactions.values():
            self._place(interaction.id)
        self._followed = self._here

    def follow(self) -> None:
        """Bring the matcher up to what this step has touched."""
        step = self._step
        for interaction_id in step.touched_interactions:
            self._place(interaction_id)
        for agent_id in step.touched_agents:
            agent = step.agents.get(agent_id)
            if agent is None:
                self.matcher.set_busy(agent_id)
            else:
                self._note(agent)
        step.touched_interactions = {}
        self._followed = self._here

    def next(self) -> Match | None:
        """A pair that can be offered now; None also while the PBX is not linked and read, since nobody could be rung."""
        clockwork = self._step.clockwork
        return self.matcher.next(self._step.now.mono_s) if clockwork.is_linked and clockwork.is_observed else None

    def more(self, interaction: Interaction) -> Match | None:
        """Whom else to ring for an interaction that waits or is offered already, in order; None: nobody else is free."""
        if interaction.visit is None:
            return None
        config = self._step.queue_settings(interaction.visit.queue, interaction)
        key, _ = class_of(interaction, config, self._step.settings.priority_step_s)
        return self.matcher.choose(interaction.id, key, config, self._step.now.mono_s, interaction.offers_made)

    # --- questions ----------------------------------------------------------------------------------------------------
    def position(self, interaction: InteractionId) -> int:
        return self.matcher.position(interaction)

    def able(self, queue: QueueId, requires: Requirement) -> list[AgentId]:
        """Every agent who could serve it in that queue, were all its tiers open; whether they are there or not."""
        return list(self.matcher.roster.names(self.matcher.able(queue, requires)))

    def there(self, queue: QueueId, requires: Requirement) -> list[AgentId]:
        """Those of `able` who are logged in, ready or not."""
        self._see_who_is_here()
        return list(self.matcher.roster.names(self.matcher.able(queue, requires) & self._here))

    def is_here(self, agent: AgentId) -> bool:
        """Whether the agent is logged in, ready or not, and one of the settings' agents."""
        self._see_who_is_here()
        return bool(self._here & self.matcher.roster.bit(agent))

    def has_left(self, agent: AgentId) -> bool:
        """Whether the agent logged out in this step."""
        known = self._step.agents.get(agent)
        is_out = known is None or known.presence is Presence.LOGGED_OUT
        return is_out and bool(self._followed & self.matcher.roster.bit(agent))

    def tiers_open(self, config: QueueSettings, requires: Requirement, waited_s: float) -> int:
        """How many of the queue's tiers are open to what has waited so long: those whose time has come, and one more for as
        long as nobody of the open ones is logged in. The time of the first one is always waited for."""
        self._see_who_is_here()
        roster = self.matcher.roster
        able, opened, count = roster.fulfil(requires) & self._here, 0, 0
        if config.members:
            able &= roster.of(config.members)
        for tier, mask in zip(config.tiers, roster.tiers(config), strict=True):
            if tier.after_s > waited_s and (not count or opened & able):
                break
            opened |= mask
            count += 1
        return count

    # --- inside -------------------------------------------------------------------------------------------------------
    def _see_who_is_here(self) -> None:
        """Within a step, before the matcher follows: who logged in or out in it."""
        for agent_id in self._step.touched_agents:
            agent = self._step.agents.get(agent_id)
            if agent is not None:
                self._note_presence(agent)

    def _note_presence(self, agent: Agent) -> None:
        bit = self.matcher.roster.bit(agent.id)
        self._here = self._here & ~bit if agent.presence is Presence.LOGGED_OUT else self._here | bit

    def _note(self, agent: Agent) -> None:
        self._note_presence(agent)
        self.matcher.set_live_skills(agent.id, agent.skills)
        kinds = self._agents.kinds_free(agent)
        if kinds:
            self.matcher.set_free(candidate(agent, self._step.settings), kinds)
        else:
            self.matcher.set_busy(agent.id)

    def _place(self, interaction_id: InteractionId) -> None:
        step, matcher = self._step, self.matcher
        found = step.interactions.get(interaction_id)
        if found is None or found.visit is None or not found.can_be_offered():
            matcher.remove(interaction_id)
            return
        config = step.queue_settings(found.visit.queue, found)
        where = class_of(found, config, step.settings.priority_step_s)
        if matcher.place_of(interaction_id) != where:
            matcher.add(where[0], config, where[1], found.offers_made)

    def _last_served(self, queue: QueueId) -> AgentId | None:
        counters = self._step.queues.get(queue)
        return counters.last_served if counters is not None else None


def class_of(interaction: Interaction, config: QueueSettings, priority_step_s: float) -> tuple[ClassKey, Place]:
    """The class and the place of an interaction in a queue. What waits for one agent is asked of that agent whatever is required."""
    visit = interaction.visit
    assert visit is not None
    is_for_one = visit.only is not None
    key = ClassKey(
        queue=visit.queue,
        requires=EVERYBODY if is_for_one else visit.requires,
        tiers=0 if is_for_one else visit.tiers,
        only=visit.only,
        kind=counted_as(interaction.kind),
    )
    at = place(
        interaction.id,
        rank=visit.rank,
        since_s=visit.waiting_since_s,
        priority=visit.priority,
        weight=config.weight,
        step_s=priority_step_s,
    )
    return key, at


def candidate(agent: Agent, settings: Settings) -> Candidate:
    """What strategies look at, of an agent of the settings."""
    own, figures = settings.agents[agent.id], agent.figures
    return Candidate(
        agent=agent.id,
        idle_since_s=agent.idle_since_s,
        skills=effective(own.skills, agent.skills),
        calls=figures.calls,
        talk_s=figures.talk_s,
        wrap_up_s=figures.wrap_up_s,
        logged_in_s=figures.logged_in_s,
        logged_in_since_s=figures.logged_in_since_s,
        last_call_s=figures.last_call_s,
        share=own.share,
    )

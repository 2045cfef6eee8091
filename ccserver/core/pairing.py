"""Who waits and who is free, kept for the matcher: it follows the records, and can be rebuilt from them at any time."""

from ccserver.core.acd import Candidate, ClassKey, Match, Matcher, Place, effective, place
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.settings import EVERYBODY, RINGS_SEVERAL, QueueSettings, Requirement, Settings, StaffRules, Strategy
from ccserver.core.staffing import counts
from ccserver.core.state import Agent, DeadlineKind, Interaction, Presence, counted_as
from ccserver.core.step import Step

SERVES = StaffRules(not_ready=False, unreachable=False, wrap_up=True)
"""Who will serve those who wait now."""


class Pairing:
    """The matcher and the records it stands for. `serving`: a mask of those who are ready or at work."""

    def __init__(self, step: Step, agents: Agents) -> None:
        self._step = step
        self._agents = agents
        self._ringing: dict[InteractionId, None] = {}
        self._one_more: dict[InteractionId, None] = {}
        self.rebuild()

    def rebuild(self) -> None:
        """At the start, after new settings, after an undone step and after a fault."""
        step = self._step
        self.matcher = Matcher(step.settings, self._last_served)
        self._here = 0
        self.serving = 0
        for agent in step.agents.values():
            self._note(agent)
        self._ringing, self._one_more = {}, {}
        for interaction in step.interactions.values():
            self._place(interaction.id)
            self._note_ringing(interaction.id)
        self._followed = self._here

    def follow(self) -> None:
        """Bring the matcher up to what this step has touched."""
        step = self._step
        for interaction_id in step.touched_interactions:
            self._place(interaction_id)
            self._note_ringing(interaction_id)
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

    def next_beside(self) -> Match | None:
        """Further phones for an interaction whose first ones ring: in a queue that rings all everybody who is free by now, in one that
        rings progressively one more each time it is due. Who waits for an agent comes before."""
        clockwork = self._step.clockwork
        if not (clockwork.is_linked and clockwork.is_observed):
            return None
        for interaction_id in [*self._ringing, *self._one_more]:
            interaction = self._step.interactions.get(interaction_id)
            self._one_more.pop(interaction_id, None)
            match = self._beside(interaction) if interaction is not None and interaction.can_ring_more() else None
            if match is not None:
                return match
        return None

    def wants_one_more(self, interaction: Interaction) -> None:
        """The time has come to ring one more phone for it, if anybody is free; the next is due as much later."""
        queue = self._several(interaction)
        if queue is not None and queue.strategy is Strategy.RING_PROGRESSIVELY:
            self._one_more[interaction.id] = None
            due_s = self._step.now.mono_s + queue.ring_more_every_s
            self._step.deadlines.set(DeadlineKind.RING_MORE, interaction.id, due_s)

    def _beside(self, interaction: Interaction) -> Match | None:
        queue = self._several(interaction)
        found = self.more(interaction) if queue is not None else None
        if queue is None or found is None:
            return None
        room = queue.ring_most - len(interaction.offers)
        agents = found.agents[: room if queue.strategy is Strategy.RING_ALL else min(room, 1)]
        return replace(found, agents=agents) if agents else None

    def _several(self, interaction: Interaction) -> QueueSettings | None:
        """Its queue, where that rings several and the interaction is being rung for."""
        if interaction.visit is None or not interaction.can_ring_more():
            return None
        queue = self._step.queue_settings(interaction.visit.queue, interaction)
        return queue if queue.strategy in RINGS_SEVERAL else None

    def _note_ringing(self, interaction_id: InteractionId) -> None:
        interaction = self._step.interactions.get(interaction_id)
        queue = self._several(interaction) if interaction is not None else None
        if queue is not None and queue.strategy is Strategy.RING_ALL:
            self._ringing[interaction_id] = None
        else:
            self._ringing.pop(interaction_id, None)

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
        return list(self.matcher.roster.names(self.there_mask(queue, requires)))

    def there_mask(self, queue: QueueId, requires: Requirement) -> int:
        """The same as a mask of the roster."""
        self._see_who_is_here()
        return self.matcher.able(queue, requires) & self._here

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
        bit = self.matcher.roster.bit(agent.id)
        self.serving = self.serving | bit if counts(self._agents.shown(agent), SERVES) else self.serving & ~bit
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

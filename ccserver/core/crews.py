"""The agents of a campaign: who may serve it, who is idle, and who is kept for its calls.

Where calls are placed before it is known who answers, idle agents are *reserved* for the campaign, one for each call on its way as far as
there are any. A reserved agent is offered nothing else, and a break or a log-out waits; so calls without an agent never become more because
somebody else took one. Which of them takes a call is decided when somebody answers. Who is not needed any more is let go.
"""

from ccserver.core import requirements, stats
from ccserver.core.agents import Agents
from ccserver.core.availability import hindrance
from ccserver.core.change import replace
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.dialer.staff import may_serve
from ccserver.core.dialer.terms import Mode
from ccserver.core.ids import AgentId, CampaignId, QueueId
from ccserver.core.pairing import Pairing
from ccserver.core.settings import EVERYBODY, Requirement
from ccserver.core.state import VOICE, Agent
from ccserver.core.step import Step


class Crews:
    """`pairing` knows who can do what."""

    def __init__(self, step: Step, agents: Agents, pairing: Pairing) -> None:
        self._step = step
        self._agents = agents
        self._pairing = pairing

    # --- who ----------------------------------------------------------------------------------------------------------
    def of(self, config: CampaignSettings, mode: Mode) -> list[Agent]:
        """Those who are logged in and may be given the campaign's calls, whatever they are at."""
        queue = config.queue
        if queue is None or queue not in self._step.settings.queues:
            return []
        agents, phones = self._step.agents, self._step.settings.phones
        found = []
        for each in self._pairing.there(queue, self.requires(config, queue)):
            agent = agents[each]
            phone = phones.get(agent.phone) if agent.phone is not None else None
            if phone is not None and may_serve(mode, agent.mode, phone):
                found.append(agent)
        return found

    def size(self, config: CampaignSettings) -> int:
        """How many are logged in who may be given its calls, at whatever phone."""
        queue = config.queue
        if queue is None or queue not in self._step.settings.queues:
            return 0
        return self._pairing.there_mask(queue, self.requires(config, queue)).bit_count()

    def free(self, config: CampaignSettings, mode: Mode) -> list[Agent]:
        """Those of `lent` who are idle and not kept; the longest idle first. Who is idle is in the index already, for all but those who
        were touched in this step: so what it costs does not grow with those who talk."""
        step, matcher, queue = self._step, self._pairing.matcher, config.queue
        if queue is None or queue not in step.settings.queues:
            return []
        roster = matcher.roster
        maybe = self._pairing.there_mask(queue, self.requires(config, queue))
        maybe &= matcher.free_mask(VOICE) | roster.of(step.touched_agents)
        maybe &= ~self._needed_elsewhere(config)
        found = [step.agents[each] for each in roster.names(maybe)]
        free = [agent for agent in found if self.is_free(agent) and self.may_serve(agent, mode)]
        return sorted(free, key=lambda agent: (agent.idle_since_s, agent.id))

    def may_serve(self, agent: Agent, mode: Mode) -> bool:
        phone = self._step.settings.phones.get(agent.phone) if agent.phone is not None else None
        return phone is not None and may_serve(mode, agent.mode, phone)

    def lent(self, config: CampaignSettings, mode: Mode) -> list[Agent]:
        """Those of them who may be given a call now: nobody who is needed where callers were not answered in time of late."""
        needed, roster = self._needed_elsewhere(config), self._pairing.matcher.roster
        crew = self.of(config, mode)
        return [agent for agent in crew if not needed & roster.bit(agent.id)] if needed else crew

    def _needed_elsewhere(self, config: CampaignSettings) -> int:
        """The mask of those who are needed by other queues' callers."""
        if config.inbound_level is None:
            return 0
        needed, utc_s = 0, self._step.now.utc_s
        for queue, counters in self._step.queues.items():
            if queue == config.queue or queue not in self._step.settings.queues:
                continue
            level = stats.level_of_late(counters, utc_s)
            if level is not None and level < config.inbound_level:
                needed |= self._pairing.there_mask(queue, self._requires_alone(queue))
        return needed

    def _requires_alone(self, queue: QueueId) -> Requirement:
        return requirements.together(self._step.settings.queues[queue], (), EVERYBODY)

    def requires(self, config: CampaignSettings, queue: QueueId) -> Requirement:
        return requirements.together(self._step.settings.queues[queue], config.skills, EVERYBODY)

    def is_idle(self, agent: Agent) -> bool:
        """Whether a call could be offered now, were the agent not reserved."""
        return self._may_take(agent, is_kept=agent.reserved is not None)

    def takes(self, agent: Agent) -> bool:
        """Whether the call that the agent was kept for can be offered. A break that has waited for it waits on."""
        return self._may_take(agent, is_kept=True)

    def _may_take(self, agent: Agent, *, is_kept: bool) -> bool:
        step, phone = self._step, self._agents.phone_state(agent)
        return hindrance(agent, VOICE, step.settings, phone, step.now.mono_s, is_kept=is_kept) is None

    def is_free(self, agent: Agent) -> bool:
        """Whether the agent is idle and not kept. The index knows of all who were not touched in this step."""
        if agent.reserved is not None:
            return False
        if agent.id in self._step.touched_agents:
            return self.is_idle(agent)
        matcher = self._pairing.matcher
        return bool(matcher.free_mask(VOICE) & matcher.roster.bit(agent.id))

    def is_kept(self, agent: Agent, campaign: CampaignId) -> bool:
        """Whether the agent is kept for it, and could take a call. Whoever was not touched since is as they were when they were kept."""
        return agent.reserved == campaign and (agent.id not in self._step.touched_agents or self.is_idle(agent))

    def reserved(self, campaign: CampaignId) -> list[Agent]:
        """Those who are kept for it, and could take a call; the longest idle first."""
        kept = [agent for agent in self._step.agents.values() if agent.reserved == campaign and self.is_kept(agent, campaign)]
        return sorted(kept, key=lambda agent: (agent.idle_since_s, agent.id))

    # --- reservations -------------------------------------------------------------------------------------------------
    def reserve(self, agent_id: AgentId, campaign: CampaignId) -> None:
        self._step.put_agent(replace(self._step.agents[agent_id], reserved=campaign))

    def let_go(self, agent_id: AgentId) -> None:
        """The break or the log-out that waited for it begins."""
        agent = self._step.agents[agent_id]
        if agent.reserved is not None:
            self._step.put_agent(replace(agent, reserved=None))
            self._agents.settle(agent_id)

    def wants_to_go(self, agent: Agent) -> bool:
        return agent.leaves or agent.next_reason is not None

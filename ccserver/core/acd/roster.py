"""Who could take what: the agents as bits of an integer, so that a set of a thousand is one value and `&` costs 0.1 us.

The bit of an agent is the place of the agent's number in the sorted numbers of the settings. Levels that a supervisor set take
the place of those of the settings; a level of 0 is the same as not having the skill.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from ccserver.core.ids import AgentId, SkillId
from ccserver.core.settings import AllOf, AnyOf, HasSkill, NoneOf, QueueSettings, Requirement, Settings, Strategy


def effective(own: Mapping[SkillId, int], live: Mapping[SkillId, int]) -> Mapping[SkillId, int]:
    """The levels that hold: those of the settings, and over them those that were set live."""
    return {**own, **live} if live else own


class Roster:
    """Masks (integers with one bit for each agent of the settings) of who fulfils what."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.agents: tuple[AgentId, ...] = tuple(sorted(settings.agents))
        self.place: Mapping[AgentId, int] = {agent: place for place, agent in enumerate(self.agents)}
        self.everybody = (1 << len(self.agents)) - 1
        self._live: dict[AgentId, Mapping[SkillId, int]] = {}
        self._masks: dict[Requirement, int] = {}
        self._holders: dict[SkillId, dict[int, int]] = {}
        for agent in self.agents:
            self._note(agent)

    def _note(self, agent: AgentId) -> None:
        for skill, level in self.skills(agent).items():
            self._holders.setdefault(skill, {})[self.place[agent]] = level

    # --- one agent ----------------------------------------------------------------------------------------------------
    def bit(self, agent: AgentId | None) -> int:
        """0 for somebody who is not in the settings."""
        place = self.place.get(agent) if agent is not None else None
        return 0 if place is None else 1 << place

    def skills(self, agent: AgentId) -> Mapping[SkillId, int]:
        return effective(self._settings.agents[agent].skills, self._live.get(agent, {}))

    def set_live(self, agent: AgentId, levels: Mapping[SkillId, int]) -> bool:
        """Note the levels that were set for the agent live. Whether that changed anything."""
        if self._live.get(agent, {}) == levels or agent not in self.place:
            return False
        for holders in self._holders.values():
            holders.pop(self.place[agent], None)
        self._live[agent] = dict(levels)
        self._note(agent)
        self._masks.clear()
        return True

    # --- many ---------------------------------------------------------------------------------------------------------
    def of(self, agents: Iterable[AgentId]) -> int:
        mask = 0
        for agent in agents:
            mask |= self.bit(agent)
        return mask

    def names(self, mask: int) -> Iterator[AgentId]:
        """The agents of a mask, lowest number first."""
        while mask:
            lowest = mask & -mask
            yield self.agents[lowest.bit_length() - 1]
            mask ^= lowest

    def fulfil(self, requirement: Requirement) -> int:
        """Everybody who fulfils it. The same as `requirements.is_met` for each of them."""
        known = self._masks.get(requirement)
        if known is None:
            known = self._masks[requirement] = self._fulfil(requirement)
        return known

    def _fulfil(self, requirement: Requirement) -> int:
        match requirement:
            case HasSkill(skill=skill, level=level):
                mask = 0
                for place, has in self._holders.get(skill, {}).items():
                    if has >= max(level, 1):
                        mask |= 1 << place
                return mask
            case AllOf(of=of):
                mask = self.everybody
                for part in of:
                    mask &= self.fulfil(part)
                return mask
            case AnyOf(of=of):
                return self._any(of)
            case NoneOf(of=of):
                return self.everybody & ~self._any(of)
            case _:
                assert_never(requirement)

    def _any(self, parts: Iterable[Requirement]) -> int:
        mask = 0
        for part in parts:
            mask |= self.fulfil(part)
        return mask

    def serving(self, queue: QueueSettings, requires: Requirement) -> int:
        """Everybody who could take it in that queue, were all its tiers open."""
        mask = self.fulfil(requires)
        if queue.members:
            mask &= self.of(queue.members)
        if queue.strategy is Strategy.TIERS and queue.tiers:
            everywhere = 0
            for tier in self.tiers(queue):
                everywhere |= tier
            mask &= everywhere
        return mask

    def tiers(self, queue: QueueSettings) -> tuple[int, ...]:
        """Who is in each of the queue's tiers, in their order."""
        return tuple(
            self.fulfil(tier.requires) & (self.of(tier.agents) if tier.agents else self.everybody) for tier in queue.tiers
        )

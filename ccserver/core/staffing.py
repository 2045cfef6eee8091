"""Who counts as the staff of a class of interactions: defined here once, for doors, desertion, ratios and the expected wait.

An agent who fulfils what the class requires counts while ready or at work on an interaction (also one who rests, is spared after a
missed offer, or is on an own call: they come back by themselves). Not ready, unreachable and in wrap-up count as `StaffRules` say;
logged out never counts.
"""

from collections.abc import Callable, Iterable

from ccserver.core.ids import AgentId, QueueId
from ccserver.core.records import ShownState
from ccserver.core.settings import Requirement, StaffRules
from ccserver.core.state import Agent, Visit
from ccserver.core.step import Step


def counts(shown: ShownState, rules: StaffRules) -> bool:
    """Whether somebody in this state is staff under `rules`."""
    match shown:
        case ShownState.LOGGED_OUT:
            return False
        case ShownState.NOT_READY:
            return rules.not_ready
        case ShownState.UNREACHABLE:
            return rules.unreachable
        case ShownState.WRAP_UP:
            return rules.wrap_up
        case _:
            return True


class Staffing:
    """`there` are the logged-in agents who fulfil a requirement in a queue, whatever they are at; `shown` is an agent's state just now."""

    def __init__(
        self,
        step: Step,
        *,
        there: Callable[[QueueId, Requirement], Iterable[AgentId]],
        shown: Callable[[Agent], ShownState],
    ) -> None:
        self._step = step
        self._there = there
        self._shown = shown

    def counts(self, agent: AgentId, rules: StaffRules) -> bool:
        known = self._step.agents.get(agent)
        return known is not None and counts(self._shown(known), rules)

    def is_staffed(self, visit: Visit, rules: StaffRules) -> bool:
        """Whether anybody counts who could take this visit; of a direct call, whether that agent does."""
        return any(self.counts(agent, rules) for agent in self._who(visit))

    def staff(self, visit: Visit, rules: StaffRules) -> list[AgentId]:
        """All who count and could take this visit."""
        return [agent for agent in self._who(visit) if self.counts(agent, rules)]

    def _who(self, visit: Visit) -> Iterable[AgentId]:
        if visit.only is not None and visit.only_until_s is None:
            return (visit.only,)
        return self._there(visit.queue, visit.requires)

"""What a strategy looks at: the agents who could be offered an interaction, and the interaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.core.ids import AgentId, InteractionId, QueueId, SkillId
from ccserver.core.settings import Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A free agent. Moments are monotonic seconds; the sums are of today, and of what is over."""

    agent: AgentId
    idle_since_s: float
    skills: Mapping[SkillId, int]
    """Those of the settings and those a supervisor set, as one."""
    calls: int = 0
    talk_s: float = 0.0
    wrap_up_s: float = 0.0
    logged_in_s: float = 0.0
    """Before the present log-in."""
    logged_in_since_s: float | None = None
    last_call_s: float = 0.0
    """When the last talk ended; 0: there was none."""
    share: int = 1

    def occupancy(self, now_s: float) -> float:
        """0 to 1: talk and wrap-up as part of the time logged in today. 0 in the instant of the first log-in."""
        present_s = now_s - self.logged_in_since_s if self.logged_in_since_s is not None else 0.0
        there_s = self.logged_in_s + present_s
        return min((self.talk_s + self.wrap_up_s) / there_s, 1.0) if there_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The interaction that is to be offered."""

    interaction: InteractionId
    queue: QueueId
    requires: Requirement
    now_s: float
    draw: int
    """How many offers have been made for it: a new one draws anew where chance decides."""
    order: Mapping[AgentId, int]
    """The place of each agent in the queue: by `members`, else by agent number."""
    start: int = 0
    """The place after the last one served."""
    tiers: tuple[frozenset[AgentId], ...] = ()
    """Of the queue, those that have opened; empty: it has none."""

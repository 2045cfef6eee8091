"""Totals of the queues, counted as visits begin and end.

By queue: offered = the sum of all outcomes + those still waiting. It holds by construction, since a visit is counted once when it
begins and once when it ends; `invariants` checks it after every step.
"""

from ccserver.core.change import replace
from ccserver.core.ids import AgentId
from ccserver.core.records import VisitOutcome
from ccserver.core.state import Mean, QueueCounters

KEEP = 0.96
"""Of the service level of late: half of the weight lies on the last 17 visits."""
SURE = 3.0
"""It says something from so many visits on."""
HALF_S = 1800.0
"""While nobody calls, it stands for half as many visits after so long: of a queue that was busy once it says nothing any more."""


def began(counters: QueueCounters) -> QueueCounters:
    """One more visit."""
    return replace(counters, offered=counters.offered + 1)


def ended(
    counters: QueueCounters,
    outcome: VisitOutcome,
    wait_s: float,
    *,
    is_within: bool,
    at_utc_s: float,
    agent: AgentId | None = None,
) -> QueueCounters:
    """One visit less. `is_within`: answered within the service level's threshold; `agent`: by whom."""
    outcomes = dict(counters.outcomes)
    outcomes[outcome] = outcomes.get(outcome, 0) + 1
    is_answer = outcome is VisitOutcome.ANSWERED
    if outcome is not VisitOutcome.SHORT_ABANDONED:
        kept = counters.level.weight * KEEP
        level = (counters.level.value_s * kept + is_within) / (kept + 1.0)
        counters = replace(counters, level=Mean(value_s=level, weight=kept + 1.0), level_utc_s=at_utc_s)
    return replace(
        counters,
        outcomes=outcomes,
        within_service_level=counters.within_service_level + is_within,
        wait_s=counters.wait_s + (wait_s if is_answer else 0.0),
        last_served=agent or counters.last_served,
    )


def service_level(counters: QueueCounters) -> float | None:
    """Answered in time as part (0 to 1) of the visits that are over and were no short abandons; None when there are none.

    The common definition of the field: answered within the threshold / (offered - short abandons).
    """
    over = sum(n for outcome, n in counters.outcomes.items() if outcome is not VisitOutcome.SHORT_ABANDONED)
    return counters.within_service_level / over if over else None


def level_of_late(counters: QueueCounters, now_utc_s: float) -> float | None:
    """Answered in time of late (0 to 1); None: too few visits tell."""
    quiet_s = max(now_utc_s - counters.level_utc_s, 0.0)
    weight = counters.level.weight * 0.5 ** (quiet_s / HALF_S)
    return counters.level.value_s if weight >= SURE else None

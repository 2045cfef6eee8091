"""What must hold of campaigns and their calls after every step; a part of `invariants`."""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from ccserver.core.dialer.campaign_state import DIALS, Attempt, AttemptStage
from ccserver.core.dialer.terms import UNBACKED, Mode
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState, DeadlineKind, Role
from ccserver.core.transitions import InteractionState

T = TypeVar("T")
WITH_A_LEG = frozenset({AttemptStage.DIALLED, AttemptStage.ANSWERED, AttemptStage.MESSAGE})


def check(state: CenterState, settings: Settings) -> Iterator[str]:
    """Everything that is wrong with them."""
    yield from _campaigns(state, settings)
    yield from _attempts(state)
    yield from _outbound(state)
    yield from _reservations(state)


def _campaigns(state: CenterState, settings: Settings) -> Iterator[str]:
    """Whoever runs is looked at again, and dials nobody twice."""
    configs = settings.dialing.campaigns if settings.dialing is not None else {}
    for known in state.campaigns.values():
        if known.run in DIALS and known.id in configs and (DeadlineKind.PACE, str(known.id)) not in state.deadlines:
            yield f"campaign {known.id} runs, and is never looked at again"
        if known.run not in DIALS and known.owed:
            yield f"campaign {known.id} does not run, and owes calls"
    claimed = [each.lead.id for known in state.campaigns.values() for each in known.buffer]
    claimed += [each.lead.id for each in state.attempts.values()]
    claimed += [
        it.outbound.candidate.lead.id
        for it in state.interactions.values()
        if it.outbound is not None
        and it.outbound.candidate is not None
        and it.outbound.attempt is None
        and not it.outbound.is_over
    ]
    for lead, times in _repeated(claimed):
        yield f"lead {lead} is there {times} times"
    # Two leads may have the same number: the database takes one of the two attempts.
    called = [each.sheet.number for each in state.attempts.values() if each.stage is not AttemptStage.STORING]
    for number, times in _repeated(called):
        yield f"{number} is called {times} times at once"


def _repeated(things: list[T]) -> list[tuple[T, int]]:
    """What is there more than once, and how often. Hardly ever is anything, and a set is made sooner than a `Counter`."""
    return [(each, times) for each, times in Counter(things).items() if times > 1] if len(set(things)) < len(things) else []


def _attempts(state: CenterState) -> Iterator[str]:
    """Each waits for something that will come, and is of a leg or of an interaction."""
    for attempt in state.attempts.values():
        leg = state.legs.get(attempt.leg) if attempt.leg is not None else None
        if attempt.stage in WITH_A_LEG and (leg is None or leg.role is not Role.CALLEE or leg.attempt != attempt.id):
            yield f"attempt {attempt.id} is {attempt.stage.value} and has no leg"
        if attempt.stage is not AttemptStage.PERSON and (DeadlineKind.DIAL_GUARD, str(attempt.id)) not in state.deadlines:
            yield f"attempt {attempt.id} is {attempt.stage.value} without a deadline"
        if attempt.stage is AttemptStage.PERSON:
            if attempt.interaction not in state.interactions:
                yield f"attempt {attempt.id} has reached a person who is in no interaction"
            elif _waits_unheard(state, attempt):
                yield f"attempt {attempt.id}: whoever answered waits without a limit"
        if attempt.campaign not in state.campaigns:
            yield f"attempt {attempt.id} is of campaign {attempt.campaign}, which is not known"
    for leg in state.legs.values():
        if leg.role is Role.CALLEE and leg.attempt not in state.attempts and not leg.is_cancelled:
            yield f"leg {leg.id.uniqueid} is of an attempt that is over"


def _waits_unheard(state: CenterState, attempt: Attempt) -> bool:
    it = state.interactions.get(attempt.interaction) if attempt.interaction is not None else None
    is_waiting = it is not None and it.state is InteractionState.WAITING and it.visit is not None and not attempt.is_counted
    is_ahead = attempt.mode in UNBACKED and not attempt.is_backed
    return is_waiting and is_ahead and (DeadlineKind.CONNECT, str(attempt.id)) not in state.deadlines


def _outbound(state: CenterState) -> Iterator[str]:
    for it in state.interactions.values():
        if it.outbound is None or it.outbound.is_reached or it.leg not in state.legs or it.leg is None:
            continue
        if it.outbound.attempt not in state.attempts and not state.legs[it.leg].is_cancelled:
            yield f"interaction {it.id} calls somebody, and there is no attempt"


def _reservations(state: CenterState) -> Iterator[str]:
    """Nobody is kept for nothing."""
    kept = [agent.reserved for agent in state.agents.values() if agent.reserved is not None]
    for campaign, count in Counter(kept).items() if kept else ():
        flight = sum(
            each.campaign == campaign and not each.is_backed and not each.is_counted and each.mode is not Mode.AGENTLESS
            for each in state.attempts.values()
        )
        if count > flight:
            yield f"{count} agents are kept for {flight} calls of campaign {campaign}"

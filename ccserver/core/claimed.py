"""Which leads the center holds claims of, and which attempts are not over: for whoever must know it when a center was restored."""

from collections.abc import Iterator

from ccserver.core.ids import AttemptId, LeadId
from ccserver.core.state import CenterState


def claimed_leads(state: CenterState) -> frozenset[LeadId]:
    """In a buffer, with an agent to whom they were offered, or being called."""
    return frozenset(_claimed(state))


def _claimed(state: CenterState) -> Iterator[LeadId]:
    for campaign in state.campaigns.values():
        yield from (candidate.lead.id for candidate in campaign.buffer)
    for attempt in state.attempts.values():
        yield attempt.lead.id
    for interaction in state.interactions.values():
        outbound = interaction.outbound
        if outbound is not None and outbound.candidate is not None and outbound.attempt is None and not outbound.is_over:
            yield outbound.candidate.lead.id


def known_attempts(state: CenterState) -> frozenset[AttemptId]:
    """Those of campaigns, of agents' own calls and of callbacks."""
    return frozenset(state.attempts) | frozenset(_sole_attempts(state))


def _sole_attempts(state: CenterState) -> Iterator[AttemptId]:
    for call in state.own_calls.values():
        if call.attempt is not None:
            yield call.attempt.id
    for interaction in state.interactions.values():
        if interaction.callback is not None and interaction.callback.attempt is not None:
            yield interaction.callback.attempt.id

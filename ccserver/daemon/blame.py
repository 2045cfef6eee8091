"""Which interaction a step was about, when the step raised and the core could not say."""

from ccserver.core.events import Event, HangUpRequested, RecordingRequested
from ccserver.core.ids import AgentId, InteractionId, LegId, SessionId
from ccserver.core.state import CenterState


def interaction_of(event: Event, state: CenterState) -> InteractionId | None:
    """The interaction that `event` concerns by its leg, session, agent or number; None when none can be named."""
    if isinstance(event, HangUpRequested | RecordingRequested):
        return event.interaction
    leg: LegId | None = getattr(event, "leg", None)
    session: SessionId | None = getattr(event, "session", None)
    if leg is None and session is not None and session in state.sessions:
        leg = state.sessions[session].leg
    if leg is not None:
        known = state.legs.get(leg)
        if known is not None and known.interaction is not None:
            return known.interaction
        for interaction in state.interactions.values():
            if interaction.leg == leg:
                return interaction.id
    agent: AgentId | None = getattr(event, "agent", None)
    if agent is not None and agent in state.agents:
        for work in state.agents[agent].work:
            return work.interaction
    return None

"""Errands: the agent sends the customer into a flow (a payment, a survey, an identification) and gets them back with its result.

The customer walks the flow as in a menu, in a session of their own; the agent waits at the desk with music and keeps their part in the
talk. A flow that goes elsewhere (a queue, an extension, a goodbye) takes the customer away, and the agent wraps up.
"""

from ccserver.core.change import replace
from ccserver.core.holding import Holding
from ccserver.core.ids import PromptId
from ccserver.core.records import EndedBy, FlowEnd
from ccserver.core.state import DeadlineKind, HandoverStage, Interaction
from ccserver.core.transitions import INTERACTION, InteractionStep, advance


class Errands:
    """Out into a flow, and back."""

    def __init__(self, holding: Holding) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.holding = holding

    def send(self, interaction: Interaction, code: str) -> None:
        """A code that no flow has means nothing: the talk goes on."""
        settings = self.step.settings_of(interaction)
        flow = settings.sendable_flows.get(code)
        if flow is None:
            return
        before = interaction
        interaction = self.holding.apart(interaction, HandoverStage.ERRAND, None)
        assert interaction.handover is not None
        self.ledger.put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.BACK_TO_MENU),
                handover=replace(
                    interaction.handover,
                    to=flow,
                    flow=before.flow,
                    node=before.node,
                    variables=before.variables,
                    frames=before.frames,
                ),
                flow=flow,
                node=settings.flows[flow].start,
                variables={},
                frames=(),
                path=(),
                steps=0,
                tries=0,
                typed="",
                menu_since=self.step.now,
                after=None,
            )
        )

    def returned(self, interaction: Interaction, result: PromptId) -> Interaction:
        """The flow has ended. With nobody to come back to (the agent's line broke meanwhile) the handover has no talk any more."""
        interaction = self.fetched(interaction)
        if interaction.talk is not None:
            interaction = self.holding.tell_agent(interaction, result)
            session = self.step.caller_session(interaction)
            if session is not None:
                self.holding.music(interaction, session)
        return interaction

    def fetched(self, interaction: Interaction) -> Interaction:
        """Out of the flow, on hold."""
        handover = interaction.handover
        assert handover is not None
        state = advance(INTERACTION, interaction.state, InteractionStep.HOLD)
        self.step.deadlines.clear(DeadlineKind.LOOK_UP, interaction.id)
        return self.ledger.put(
            replace(
                self.ledger.passage_over(interaction, FlowEnd.BACK),
                state=state,
                flow=handover.flow,
                node=handover.node,
                variables=handover.variables,
                frames=handover.frames,
                tries=0,
                typed="",
                look_up=None,
                after=None,
            )
        )

    def taken_away(self, interaction: Interaction) -> Interaction:
        """The flow leads on to somebody else: the agent's part is over. The customer stays in the flow."""
        if interaction.talk is not None:
            interaction = self.holding.hand_off(interaction, EndedBy.AGENT)
        return self.holding.settled(interaction)

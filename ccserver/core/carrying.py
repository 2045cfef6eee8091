"""Facts that engines tell each other, carried in the order in which they were told: engines do not know each other.

A fact may tell others; `carry` is over when none is left. Here stands what follows from what: an offer that is over lets its customer wait
on, a talk that is over begins the wrap-up.
"""

from typing import Any, assert_never

from ccserver.core.change import replace
from ccserver.core.commands import EndSession, Next, Place, Reply
from ccserver.core.engines import Engines
from ccserver.core.facts import (
    AgentLegOver,
    Answered,
    AttemptOver,
    BackToMenu,
    CallbackOffered,
    CalleeAnswered,
    CallsBack,
    ConferenceWanted,
    ConsultFailed,
    CustomerReached,
    Disposed,
    FlowReturned,
    HandedOver,
    Joined,
    JoinFailed,
    NumberFailed,
    NumberWanted,
    OfferBegan,
    OfferOver,
    OfferParked,
    OfferWanted,
    OutboundOver,
    SaidNothing,
    TalkBegan,
    TalkHeld,
    TalkOver,
    WorkBegan,
    WorkMoved,
    WrapUpOver,
)
from ccserver.core.ids import (
    AgentId,
    InteractionId,
    LegId,
    PhoneId,
    RequestId,
    SessionId,
)
from ccserver.core.records import EndedBy
from ccserver.core.settings import RINGS_SEVERAL, PhoneKind, WorkMode, WrapUpKind
from ccserver.core.state import (
    CONSULT,
    MESSAGE,
    Dialogue,
    Interaction,
    Role,
    Work,
)
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState, Phase

AT_DESK = (Dialogue.DESK, Dialogue.MESSAGE)


class Carrier:
    """Carries the facts of a step to whom they concern."""

    def __init__(self, step: Step, engines: Engines) -> None:
        self.step = step
        self.engines = engines

    def carry(self) -> None:
        """Facts, in the order they were told; a fact may tell others."""
        facts = self.step.facts
        while facts:
            self._carry_one(facts.pop(0))

    def _carry_one(self, fact: Any) -> None:
        match fact:
            case SaidNothing() | HandedOver() | BackToMenu() | CallbackOffered() | NumberWanted() | NumberFailed():
                self._carry_of_caller(fact, self.step.interactions[fact.interaction])
            case CustomerReached() | FlowReturned() | ConferenceWanted():
                self._carry_of_caller(fact, self.step.interactions[fact.interaction])
            case OfferParked():
                self.engines.callbacks.offer_parked(fact)
                self.engines.outbound.offer_parked(fact)
            case OfferWanted() | AttemptOver() | CalleeAnswered() | OutboundOver():
                self._carry_of_callee(fact)
            case TalkBegan():
                self._talk_began(fact)
            case TalkOver():
                self._talk_over(fact)
            case TalkHeld():
                self.engines.agents.talk_held(fact)
                self.engines.agents.consulting(fact.agent, fact.interaction, is_consulting=fact.is_consulting)
                self.engines.handovers.held(self.step.interactions[fact.interaction], is_held=fact.is_held)
            case OfferOver():
                self.engines.agents.offer_over(fact)
                waiting = self.step.interactions.get(fact.interaction)
                if waiting is not None and not self.engines.handovers.waited(waiting):
                    self.engines.queueing.reconsider(waiting)
                    self.engines.callbacks.offer_over(waiting)
                    self.engines.outbound.offer_over(waiting)
                    self.engines.messages.offer_over(waiting)
            case WorkMoved():
                self.engines.agents.move_work(fact)
            case WorkBegan() | OfferBegan():
                self._work_began(fact)
            case CallsBack():
                self.engines.agents.takes_back(fact)
            case ConsultFailed():
                self.engines.handovers.consults.failed(self.step.interactions[fact.interaction])
            case Joined():
                (self.engines.supervision.taken if self._is_supervisors(fact.leg) else self.engines.handovers.joined)(fact)
            case AgentLegOver():
                self.engines.agents.leg_over(fact)
            case JoinFailed():
                self._join_failed(fact)
            case WrapUpOver():
                self._wrapped_up(fact)
                self.engines.interactions.wrap_up_over(fact.interaction, fact.agent)
                self._let_go(fact.leg)
            case Disposed():
                self._disposed(fact)
            case Answered():
                self._answered(fact)
            case _:
                raise TypeError(f"nobody carries {type(fact).__name__}")

    def _carry_of_caller(
        self,
        fact: SaidNothing
        | HandedOver
        | BackToMenu
        | CallbackOffered
        | NumberWanted
        | NumberFailed
        | CustomerReached
        | FlowReturned
        | ConferenceWanted,
        interaction: Interaction,
    ) -> None:
        match fact:
            case SaidNothing():
                self.engines.interactions.verb_ended(interaction)
            case HandedOver():
                self.engines.interactions.caller_gone(fact.interaction, EndedBy.SYSTEM)
            case BackToMenu():
                self.engines.interactions.back_to_menu(interaction, fact.flow, fact.node)
            case CallbackOffered():
                self.engines.callbacks.begin(interaction, way=fact.way)
            case NumberWanted():
                self.engines.handovers.dial_out(interaction, fact.number)
            case NumberFailed():
                self.engines.interactions.not_reached(interaction)
            case CustomerReached():
                self.engines.callbacks.reached(interaction)
            case ConferenceWanted(is_said=True):
                self.engines.doors.caller_enters(interaction)
            case ConferenceWanted():
                self.engines.doors.caller(interaction, fact.room)
            case FlowReturned():
                if not self.engines.handovers.flow_returned(interaction, fact.result):
                    self.engines.interactions.flow_returned(interaction)
            case _:
                assert_never(fact)

    def _carry_of_callee(self, fact: OfferWanted | AttemptOver | CalleeAnswered | OutboundOver) -> None:
        match fact:
            case OfferWanted():
                self._offer_wanted(fact)
            case AttemptOver():
                self.engines.outbound.attempt_over(fact)
            case CalleeAnswered():
                self._callee_answered(self.step.interactions[fact.interaction])
            case OutboundOver():
                self.engines.attempts.interaction_over(fact)
            case _:
                assert_never(fact)

    def _offer_wanted(self, fact: OfferWanted) -> None:
        """Unless the agent has nothing to take it with any more; then it is anybody's."""
        interaction, agent = self.step.interactions.get(fact.interaction), self.step.agents[fact.agent]
        if interaction is not None and interaction.can_be_offered() and self.engines.crews.takes(agent):
            self.offer(interaction, fact.agent, fact.why)
        else:
            self.engines.agents.settle(fact.agent)

    def _callee_answered(self, interaction: Interaction) -> None:
        outbound = interaction.outbound
        if outbound is not None and interaction.state is InteractionState.MENU:
            config = self.engines.book.settings(outbound.campaign)
            if config is not None and config.flow is not None:
                self.engines.flows.enter(interaction, config.flow)
            else:
                self.engines.callers.release(interaction)
        else:
            self.engines.outbound.reached(interaction)

    # --- offers and work ----------------------------------------------------------------------------------------------
    def offer(self, interaction: Interaction, agent_id: AgentId, why: str) -> None:
        agent = self.step.agents[agent_id]
        assert agent.phone is not None and interaction.visit is not None
        leg: LegId | None = None
        if not interaction.is_on_the_line():
            self.engines.work.offer(interaction, agent_id, agent.phone, why)
        elif agent.mode is WorkMode.HEADSET:
            leg = self.engines.headsets.offer(interaction, agent_id, why, is_told=self.engines.previews.are_heard(interaction))
        else:
            leg = self.engines.offers.ring(interaction, agent_id, agent.phone, why, place=self._place(interaction, agent.phone))
        work = Work(
            interaction=interaction.id,
            kind=interaction.kind,
            phase=Phase.RINGING,
            queue=interaction.visit.queue,
            leg=leg,
            since=self.step.now,
        )
        self.engines.agents.reserve(agent_id, work)

    def _place(self, interaction: Interaction, phone: PhoneId) -> Place:
        """Where a phone goes on that answers: joined at once, where no other can ring for it. Messages are heard at the desk."""
        assert interaction.visit is not None
        if interaction.kind == MESSAGE or self.step.settings.phones[phone].kind is PhoneKind.EXTERNAL:
            return Place.DESK
        if self.engines.previews.are_heard(interaction):
            return Place.DESK
        config = self.step.queue_settings(interaction.visit.queue, interaction)
        return Place.PARK if config.strategy in RINGS_SEVERAL or interaction.leg is None else Place.JOIN

    def _disposed(self, fact: Disposed) -> None:
        interaction = self.step.interactions[fact.interaction]
        self.step.put_interaction(replace(interaction, disposition=fact.disposition))

    def _work_began(self, fact: WorkBegan | OfferBegan) -> None:
        work = Work(
            interaction=fact.interaction,
            kind=self.step.interactions[fact.interaction].kind,
            phase=Phase.TALKING if isinstance(fact, WorkBegan) else Phase.RINGING,
            queue=fact.queue,
            leg=fact.leg,
            since=self.step.now,
        )
        self.engines.agents.reserve(fact.agent, work)

    def _join_failed(self, fact: JoinFailed) -> None:
        interaction = self.step.interactions.get(fact.interaction)
        if self._is_supervisors(fact.leg):
            self.engines.supervision.take_failed(fact)
        elif interaction is not None and interaction.offer_on(fact.leg) is not None:
            self.engines.offers.join_failed(interaction, fact.leg)
        else:
            self.engines.handovers.join_failed(fact)

    def _is_supervisors(self, leg_id: LegId) -> bool:
        leg = self.step.legs.get(leg_id)
        return leg is not None and leg.role is Role.SUPERVISOR

    # --- talks --------------------------------------------------------------------------------------------------------
    def _talk_began(self, fact: TalkBegan) -> None:
        self.engines.agents.talk_began(fact)
        self.engines.supervision.talk_began(fact.interaction, fact.agent)
        if self.step.interactions[fact.interaction].kind != MESSAGE:
            self.engines.access.spoke(self.step.interactions[fact.interaction], fact.agent)
        self.engines.handovers.answered(self.step.interactions[fact.interaction])
        self.engines.callbacks.served(self.step.interactions[fact.interaction])
        self.engines.attempts.connected(self.step.interactions[fact.interaction])

    def _talk_over(self, fact: TalkOver) -> None:
        """One agent's part is over. A consultation has no wrap-up, and its caller, an agent, is not let go with it."""
        self.engines.supervision.talk_over(fact.interaction, fact.agent)
        interaction = self.step.interactions[fact.interaction]
        config = self.step.wrap_up_settings(fact.queue, interaction)
        if interaction.outbound is not None:
            work = next((w for w in self.step.agents[fact.agent].work if w.interaction == interaction.id), None)
            if work is not None:
                self.engines.campaigns.talked(interaction.outbound.campaign, self.step.now.mono_s - work.since.mono_s)
        if interaction.kind == CONSULT:
            self.engines.agents.talk_over(fact, replace(config, wrap_up=WrapUpKind.NONE))
            self.engines.handovers.consult_over(interaction)
            return
        if interaction.message is not None and interaction.message.is_called_back:
            config = replace(config, wrap_up=WrapUpKind.NONE)
        self.engines.agents.talk_over(fact, config)
        self.engines.handovers.talk_over(self.step.interactions[fact.interaction])
        self.engines.interactions.talk_over(self.step.interactions[fact.interaction])
        self._wrap_up_at_desk(fact.agent, fact.interaction)

    def _wrap_up_at_desk(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """The agent is at the desk while the customer's story goes on elsewhere: asked for the disposition there."""
        agent = self.step.agents[agent_id]
        work = next((w for w in agent.work if w.interaction == interaction and w.phase is Phase.WRAP_UP), None)
        leg = self.step.legs.get(work.leg) if work is not None else None
        session = self.step.sessions.get(leg.session) if leg is not None else None
        if leg is None or session is None or session.dialogue not in AT_DESK or session.is_ending:
            return
        if leg.role is Role.HEADSET:
            # On a line that stays, the disposition is typed while it is parked.
            self.step.end_session(EndSession(session=session.id, next=Next.PARK))
        else:
            self.engines.features.ask_disposition(session)

    def _wrapped_up(self, fact: WrapUpOver) -> None:
        """The campaign learns how long it took."""
        interaction = self.step.interactions.get(fact.interaction)
        if interaction is None or interaction.outbound is None:
            return
        for wrapping in interaction.wrapping:
            if wrapping.agent == fact.agent:
                spent_s = self.step.now.mono_s - wrapping.since.mono_s
                self.engines.attempts.wrapped_up(interaction, spent_s)
                self.engines.campaigns.wrapped_up(interaction.outbound.campaign, spent_s)

    def _answered(self, fact: Answered) -> None:
        if isinstance(fact.origin, str):
            self.engines.features.answered(fact, SessionId(fact.origin))
        else:
            self.step.emit(Reply(request=RequestId(fact.origin), is_ok=fact.is_ok, text=fact.text))

    def _let_go(self, leg_id: LegId | None) -> None:
        """The agent's leg is no longer needed: end its session, or the leg itself when it has none."""
        leg = self.step.legs.get(leg_id)
        if leg is None:
            return
        session = self.step.sessions.get(leg.session)
        if leg.role is Role.HEADSET:
            if session is not None and session.dialogue in (*AT_DESK, Dialogue.WRAP_UP):
                self.step.end_session(EndSession(session=session.id, next=Next.PARK))
            return
        if session is None:
            self.step.hang_up(leg.id)
        elif session.dialogue is not Dialogue.LAST_WORDS:
            self.step.end_session(EndSession(session=session.id, next=Next.HANG_UP))

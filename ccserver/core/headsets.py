"""Headsets: an agent's line that is dialled once and stays connected, parked in silence between two calls.

- An offer does not ring: the agent hears what the queue says (nothing, a beep, its name), while the customer's music plays on, and is
  joined. After the talk the line parks again, which frees it; the wrap-up goes on in silence.
- A `*` on the parked line begins a feature code, as on the keypad; during wrap-up digits alone are a disposition.
- A line that *breaks* leaves the agent logged in and unreachable, until the line is dialled again (without a PIN, from the same phone) or
  somebody logs the agent out. A customer who was talking waits for that agent for a limited time, then for anybody, before all others.
- Who *hangs up* the line means to go: the talk ends as on any phone, and unless the line is dialled again within
  `agent_rules.headset_return_s` the agent is logged out.
- A restart of the PBX breaks every line; one of the daemon none: parked lines and talks are there again in the next observation.
"""

from collections.abc import Callable

from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import Collect, EndSession, Next, Place, Say
from ccserver.core.facts import AgentLegOver, OfferParked
from ccserver.core.ids import AgentId, Language, LegId, PromptId, SessionId
from ccserver.core.offers import Offers
from ccserver.core.records import EndedBy, OfferOutcome
from ccserver.core.settings import HeadsetNotice, QueueSettings, Spoken, SpokenKind, WorkMode
from ccserver.core.state import MESSAGE, DeadlineKind, Dialogue, Interaction, Leg, Offer, Role, Session, Work
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState, LegState, Phase

HUNG_UP_BY_HAND = frozenset({16, 31})
"""Q.850: the phone said BYE. A channel whose end nobody told has no cause."""
CODE_DIGITS_MAX = 16
CODE_S = 4.0


LegOver = Callable[[Leg, int, int, EndedBy | None], None]


class Headsets:
    """The lines of agents who work with a headset. `leg_over` is what the end of an agent's leg means, `left` that it left its talk by
    itself: the talk goes on elsewhere, or is over."""

    def __init__(self, step: Step, agents: Agents, offers: Offers, *, leg_over: LegOver, left: Callable[[Leg], None]) -> None:
        self.step = step
        self.agents = agents
        self.offers = offers
        self._leg_over = leg_over
        self._left = left
        self.asks_time: Callable[[Leg, AgentId, str], bool] = lambda leg, agent, code: False
        """Whether a disposition asks for a time first, which is then asked for; set by whoever knows."""

    # --- the line -----------------------------------------------------------------------------------------------------
    def connect(self, leg_id: LegId, agent_id: AgentId) -> None:
        """The call that dialled the feature code is the agent's line from now on; it parks when its session ends."""
        step, agent = self.step, self.agents.get(agent_id)
        if agent.line != leg_id:
            step.hang_up(agent.line)
        leg = step.legs[leg_id]
        step.legs.put(leg_id, replace(leg, role=Role.HEADSET, agent=agent_id, phone=agent.phone, state=LegState.UP))
        for kind in (DeadlineKind.LINE, DeadlineKind.SPARED):
            step.deadlines.clear(kind, agent_id)
        step.put_agent(replace(agent, mode=WorkMode.HEADSET, line=leg_id, spared_until_s=0.0))

    def is_line(self, leg: Leg) -> bool:
        """Whether it is the present line of its agent; else the agent has left it, and it only has to end."""
        agent = self.step.agents.get(leg.agent)
        return leg.role is Role.HEADSET and agent is not None and agent.line == leg.id

    def ended(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None) -> None:
        """The line is over."""
        step = self.step
        is_by_hand = by is None and cause in HUNG_UP_BY_HAND and not leg.is_cancelled
        if by is None and not is_by_hand and not leg.is_cancelled:
            by = EndedBy.AGENT_LOST
        agent = self.agents.get(leg.agent) if leg.agent is not None else None
        if agent is not None and agent.line == leg.id:
            step.put_agent(replace(agent, line=None))
            if is_by_hand:
                step.deadlines.set(DeadlineKind.LINE, agent.id, step.now.mono_s + step.settings.agent_rules.headset_return_s)
        self._leg_over(leg, cause, tech_cause, by)
        self._free_work(leg, is_also_talking=False)

    def parked(self, leg: Leg) -> None:
        """The line waits again: after its session, after a talk, or because a join did not find the customer."""
        step = self.step
        if self.offers.joins.is_under_way(leg.id):
            return
        leg = replace(leg, state=LegState.UP, bridge=None, is_parked=True, keys="")
        step.legs.put(leg.id, leg)
        if leg.agent is not None:
            step.touched_agents[leg.agent] = None
        if not self.is_line(leg):
            step.hang_up(leg.id)
            return
        interaction = step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if interaction is not None and offer is not None:
            self._offer_back(interaction, offer, leg)
            return
        if interaction is not None and interaction.state is InteractionState.TALKING:
            self._left(leg)
        elif interaction is not None and interaction.state is InteractionState.HELD and self._is_talking(interaction, leg):
            # It was to be joined with the customer again and did not find them: what is next is decided at the desk.
            self.offers.joins.send(leg.id, Place.DESK)
            return
        step.legs.put(leg.id, replace(leg, interaction=None))
        self._free_work(leg, is_also_talking=True)

    def _offer_back(self, interaction: Interaction, offer: Offer, leg: Leg) -> None:
        outcome = offer.ends_as
        if interaction.state is InteractionState.GONE:
            outcome = OfferOutcome.CALLER_GONE
        elif outcome is None and interaction.joining == leg.id:
            outcome = OfferOutcome.CALLER_GONE
            interaction = self.offers.caller_missing(interaction)
        if outcome is None:
            self.offers.parked(leg)
        else:
            self.offers.ended(interaction, offer, outcome, is_leg_over=True)

    def _free_work(self, leg: Leg, *, is_also_talking: bool) -> None:
        """What the agent still does needs the line no more."""
        agent = self.agents.get(leg.agent) if leg.agent is not None else None
        for work in agent.work if agent is not None else ():
            is_over = work.phase in (Phase.WRAP_UP, Phase.RELEASING) or (is_also_talking and work.phase is Phase.TALKING)
            if work.leg == leg.id and is_over and leg.agent is not None:
                self.step.tell(AgentLegOver(leg.agent, work.interaction, leg.id))

    # --- offers -------------------------------------------------------------------------------------------------------
    def offer(self, interaction: Interaction, agent_id: AgentId, why: str, *, is_told: bool = False) -> LegId:
        """Offer it on the agent's line, which is parked. Returns the line. `is_told`: the agent hears at the desk what it is about."""
        step, agent = self.step, self.agents.get(agent_id)
        assert agent.line is not None and agent.phone is not None
        step.legs.put(agent.line, replace(step.legs[agent.line], interaction=interaction.id, keys=""))
        offer = self.offers.put(interaction, agent_id, agent.phone, agent.line, why, waits=True)
        interaction = step.interactions[interaction.id]
        if is_told or interaction.kind == MESSAGE or self._notices(interaction, offer):
            self.offers.joins.send(agent.line, Place.DESK)
        elif interaction.leg in step.legs:
            self.offers.take(interaction, offer)
        else:
            step.tell(OfferParked(interaction.id, agent_id, agent.line))
        return agent.line

    def _notices(self, interaction: Interaction, offer: Offer) -> tuple[Spoken, ...]:
        """What the queue says before a customer. Whom a campaign calls waits for nothing: a second too much is an abandoned call."""
        return () if interaction.outbound is not None else self._notice(self.step.queue_settings(offer.queue, interaction))

    @staticmethod
    def _notice(queue: QueueSettings) -> tuple[Spoken, ...]:
        match queue.headset_notice:
            case HeadsetNotice.NOTHING:
                return ()
            case HeadsetNotice.NAME if queue.name_prompt is not None:
                return (Spoken(SpokenKind.PROMPT, queue.name_prompt),)
            case _:
                return (Spoken(SpokenKind.PROMPT, PromptId("cc-beep")),)

    def not_sent(self, leg: Leg) -> None:
        """Asterisk refused to send the line elsewhere. It is where it was; one that was called back from nobody knows where is ended."""
        interaction = self.step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if offer is not None and offer.ends_as is not None and interaction is not None:
            if interaction.state is not InteractionState.GONE:
                self.step.hang_up(leg.id)
                return
        elif interaction is not None and offer is None:
            return
        leg = replace(leg, is_parked=True)
        self.step.legs.put(leg.id, leg)
        if leg.agent is not None:
            self.step.touched_agents[leg.agent] = None
        if offer is not None and interaction is not None:
            self.offers.ended(interaction, offer, offer.ends_as or OfferOutcome.FAILED, is_leg_over=True)

    # --- at the desk ----------------------------------------------------------------------------------------------------
    def opened(self, session: Session, leg: Leg) -> None:
        """The line came to the desk: for the notice of an offer, or since a `*` was typed."""
        interaction = self.step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if not self.is_line(leg):
            self.step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
        elif interaction is None or offer is None:
            self.ask_code(session, leg)
        elif interaction.state is not InteractionState.OFFERED or offer.ends_as is not None or interaction.joining is not None:
            self.step.end_session(EndSession(session=session.id, next=Next.PARK))
        else:
            say = self._notice(self.step.queue_settings(offer.queue, interaction))
            self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.NOTICE, agent=leg.agent))
            self.step.speak(Say(session=session.id, say=say, language=self._language(leg)))

    def notice_ended(self, session: Session) -> None:
        self.step.end_session(EndSession(session=session.id, next=Next.PARK))

    def ask_code(self, session: Session, leg: Leg) -> None:
        """A `*` was typed: what follows it."""
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.CODE, agent=leg.agent))
        self.step.speak(
            Collect(
                session=session.id,
                say=(),
                language=self._language(leg),
                max_digits=CODE_DIGITS_MAX,
                first_timeout_s=CODE_S,
                next_timeout_s=CODE_S / 2,
            )
        )

    # --- keys on the parked line ----------------------------------------------------------------------------------------
    def typed(self, leg: Leg, digit: str) -> None:
        """A key on the parked line: `*` begins a code; in wrap-up digits are a disposition, ended by # or when they are complete."""
        if not leg.is_parked or not self.is_line(leg) or leg.agent is None:
            return
        work = self._wrapping(leg.agent)
        if digit == "*":
            self.offers.joins.send(leg.id, Place.DESK)
            self.step.touched_agents[leg.agent] = None
        elif work is not None:
            self._disposition(leg, leg.agent, work, leg.keys + digit)

    def _disposition(self, leg: Leg, agent: AgentId, work: Work, typed: str) -> None:
        codes = self.agents.dispositions(work)
        code = typed.removesuffix("#")
        is_complete = typed.endswith("#") or [c for c in codes if c.startswith(code)] == [code]
        is_hopeless = not any(c.startswith(code) for c in codes)
        self.step.legs.put(leg.id, replace(leg, keys="" if is_complete or is_hopeless else code))
        if is_complete and code in codes and not self.asks_time(leg, agent, code):
            self.agents.dispose(SessionId(""), agent, code)

    # --- small things -------------------------------------------------------------------------------------------------
    @staticmethod
    def _is_talking(interaction: Interaction, leg: Leg) -> bool:
        return any(talk.leg == leg.id for talk in interaction.talks())

    def _wrapping(self, agent: AgentId) -> Work | None:
        return next((w for w in self.agents.get(agent).work if w.phase is Phase.WRAP_UP), None)

    def _language(self, leg: Leg) -> Language:
        agent = self.step.settings.agents.get(leg.agent) if leg.agent is not None else None
        return (agent.language if agent is not None else None) or self.step.settings.default_language

"""The agents: who is there, ready or not, at which phone, with which work.

Presence is what the person declares; phases are what the system observes of each work item; the state that is shown is
derived from both and the phone. Which rule wins, first to last: work, logged out, not ready, unreachable, own call, back-off, ready.

The idle clock starts at log-in, at ready, and when wrap-up is over; offers that were not taken do not touch it.
"""

from dataclasses import replace
from typing import assert_never

from ccserver.core.facts import AgentLegOver, Answered, Disposed, OfferOver, Origin, TalkBegan, TalkHeld, TalkOver, WrapUpOver
from ccserver.core.ids import AgentId, DispositionId, InteractionId, PhoneId, PromptId, QueueId, ReasonId
from ccserver.core.moment import Moment
from ccserver.core.records import AgentStateRecord, OfferOutcome, PhoneState, ShownState
from ccserver.core.state import VOICE, Agent, DeadlineKind, Presence, Shown, Work
from ccserver.core.step import Step
from ccserver.core.transitions import PHASE, Phase, PhaseStep, advance

CAPACITY = {VOICE: 1}
"""How many interactions of each kind one agent takes at once."""
COMBINED_CAPACITY = 1
IN_USE = (PhoneState.IN_USE, PhoneState.RINGING)
PHONE_LAG_S = 1.0


def has_room(agent: Agent, kind: str) -> bool:
    """Whether one more interaction of `kind` may be offered, by capacity alone."""
    return len(agent.work) < COMBINED_CAPACITY and sum(w.kind == kind for w in agent.work) < CAPACITY[kind]


def shown_state(agent: Agent, phone: PhoneState, now_s: float) -> ShownState:
    """The state that people see."""
    for work in agent.work:
        match work.released_from or work.phase:
            case Phase.RINGING:
                return ShownState.RINGING
            case Phase.TALKING:
                return ShownState.ON_HOLD if work.is_held else ShownState.TALKING
            case Phase.WRAP_UP:
                return ShownState.WRAP_UP
            case Phase.RELEASING:
                pass
            case _:
                assert_never(work.phase)
    match agent.presence:
        case Presence.LOGGED_OUT:
            return ShownState.LOGGED_OUT
        case Presence.NOT_READY:
            return ShownState.NOT_READY
        case Presence.READY:
            pass
        case _:
            assert_never(agent.presence)
    if phone is PhoneState.UNAVAILABLE:
        return ShownState.UNREACHABLE
    if phone in IN_USE:
        return ShownState.ON_OWN_CALL
    return ShownState.BACK_OFF if agent.spared_until_s > now_s else ShownState.READY


class Agents:
    """Changes agents, on request and by what happens to their work."""

    def __init__(self, step: Step) -> None:
        self.step = step

    # --- questions ----------------------------------------------------------------------------------------------------
    def get(self, agent: AgentId) -> Agent:
        """The agent's record; one who was never seen is logged out."""
        return self.step.agents.get(agent) or Agent(id=agent, shown_since=self.step.now)

    def phone_state(self, agent: Agent) -> PhoneState:
        phone = self.step.phones.get(agent.phone)
        return phone.state if phone is not None else PhoneState.UNKNOWN

    def shown(self, agent: Agent) -> ShownState:
        return shown_state(agent, self.phone_state(agent), self.step.now.mono_s)

    def is_free(self, agent: Agent) -> bool:
        """Whether an offer could be made now. A removed agent (no settings any more) gets none."""
        is_known = agent.id in self.step.settings.agents
        is_there = is_known and agent.phone is not None and has_room(agent, VOICE)
        return is_there and self.shown(agent) is ShownState.READY

    def at_phone(self, phone: PhoneId) -> Agent | None:
        """Who is logged in there."""
        return self.step.agents.get(self.step.agent_at.get(phone))

    # --- what people ask for ------------------------------------------------------------------------------------------
    def log_in(self, origin: Origin, agent_id: AgentId, phone: PhoneId) -> None:
        agent, other = self.get(agent_id), self.at_phone(phone)
        if agent_id not in self.step.settings.agents:
            self._answer(origin, False, "cc-login-failed", f"agent {agent_id} does not exist")
        elif phone not in self.step.settings.phones:
            self._answer(origin, False, "cc-not-allowed", f"phone {phone} is not one of the settings' phones")
        elif other is not None and other.id != agent_id:
            self._answer(origin, False, "cc-login-phone-in-use", f"agent {other.id} is logged in at {phone}")
        elif agent.work and agent.phone != phone:
            self._answer(origin, False, "cc-not-allowed", f"agent {agent_id} is busy at {agent.phone}")
        else:
            if agent.presence is Presence.LOGGED_OUT or agent.phone != phone:
                agent = replace(agent, idle_since_s=self.step.now.mono_s, missed=0, spared_until_s=0.0)
                self.step.put_agent(
                    replace(agent, presence=Presence.READY, reason=None, phone=phone, leaves=False, next_reason=None)
                )
            self._answer(origin, True, "cc-login-done", f"agent {agent_id} is logged in at {phone}")

    def log_out(self, origin: Origin, agent_id: AgentId) -> None:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            self._answer(origin, False, "cc-not-logged-in", f"agent {agent_id} is not logged in")
        elif self._is_working(agent):
            self.step.put_agent(replace(agent, leaves=True, next_reason=None))
            self._answer(origin, True, "cc-will-pause", f"agent {agent_id} is logged out after the present work")
        else:
            self._leave(agent)
            self._answer(origin, True, "cc-logged-out", f"agent {agent_id} is logged out")

    def not_ready(self, origin: Origin, agent_id: AgentId, reason: ReasonId) -> None:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            self._answer(origin, False, "cc-not-logged-in", f"agent {agent_id} is not logged in")
        elif reason not in self.step.settings.reasons:
            self._answer(origin, False, "cc-reason-unknown", f"there is no reason {reason}")
        elif self._is_working(agent):
            self.step.put_agent(replace(agent, next_reason=reason))
            self._answer(origin, True, "cc-will-pause", f"agent {agent_id} is not ready ({reason}) after the present work")
        else:
            self.step.put_agent(replace(agent, presence=Presence.NOT_READY, reason=reason))
            self._answer(origin, True, "cc-not-ready", f"agent {agent_id} is not ready ({reason})")

    def ready(self, origin: Origin, agent_id: AgentId) -> None:
        agent = self.get(agent_id)
        if agent.presence is Presence.LOGGED_OUT:
            self._answer(origin, False, "cc-not-logged-in", f"agent {agent_id} is not logged in")
            return
        if agent.presence is Presence.NOT_READY:
            agent = replace(agent, presence=Presence.READY, reason=None, idle_since_s=self.step.now.mono_s)
        agent = replace(agent, next_reason=None, leaves=False, missed=0, spared_until_s=0.0)
        self.step.deadlines.clear(DeadlineKind.SPARED, agent_id)
        self.step.put_agent(agent)
        self._answer(origin, True, "cc-ready", f"agent {agent_id} is ready")

    def end_wrap_up(self, origin: Origin, agent_id: AgentId) -> None:
        work = self._wrapping(self.get(agent_id))
        if work is None:
            self._answer(origin, False, "cc-nothing-to-do", f"agent {agent_id} is not in wrap-up")
        else:
            self._answer(origin, True, "cc-wrap-up-ended", f"agent {agent_id}: wrap-up is over")
            self.wrap_up_over(agent_id)

    def dispose(self, origin: Origin, agent_id: AgentId, code: str) -> None:
        """A disposition by its code: it ends the wrap-up."""
        work = self._wrapping(self.get(agent_id))
        if work is None:
            self._answer(origin, False, "cc-nothing-to-do", f"agent {agent_id} is not in wrap-up")
            return
        found = self.disposition(work.queue, code)
        if found is None:
            self._answer(origin, False, "cc-disposition-unknown", f"queue {work.queue} has no disposition with that code")
            return
        self._answer(origin, True, "cc-disposition-done", f"disposition {found} is kept")
        self.step.tell(Disposed(work.interaction, found))
        self.wrap_up_over(agent_id)

    def disposition(self, queue: QueueId, code: str) -> DispositionId | None:
        """The disposition of `queue` that has this code."""
        settings = self.step.settings
        offered = settings.queues[queue].dispositions if queue in settings.queues else ()
        return next((d for d in offered if settings.dispositions[d].code == code), None)

    # --- what happens to their work -----------------------------------------------------------------------------------
    def reserve(self, agent_id: AgentId, work: Work) -> None:
        agent = self.get(agent_id)
        self.step.put_agent(replace(agent, work=(*agent.work, work)))

    def talk_began(self, fact: TalkBegan) -> None:
        agent = self.get(fact.agent)
        self._change(replace(agent, missed=0), fact.interaction, PhaseStep.BRIDGED)

    def talk_held(self, fact: TalkHeld) -> None:
        agent, work = self._find(fact.agent, fact.interaction)
        if work is not None:
            self._put_work(agent, replace(work, is_held=fact.is_held))

    def talk_over(self, fact: TalkOver, wrap_up_s: float) -> None:
        agent, work = self._find(fact.agent, fact.interaction)
        if work is None:
            return
        if fact.is_lost:
            self._spare(agent, self.step.settings.offers.busy_back_off_s)
            self._finish(fact.agent, fact.interaction)
            self.step.tell(WrapUpOver(fact.interaction, fact.agent, None))
            return
        self._change(agent, fact.interaction, PhaseStep.TALK_OVER)
        if wrap_up_s > 0:
            self.step.deadlines.set(DeadlineKind.WRAP_UP, fact.agent, self.step.now.mono_s + wrap_up_s)
        else:
            self.wrap_up_over(fact.agent)

    def wrap_up_over(self, agent_id: AgentId) -> None:
        """By time, by code or by a disposition."""
        work = self._wrapping(self.get(agent_id))
        if work is not None:
            self.step.deadlines.clear(DeadlineKind.WRAP_UP, agent_id)
            self._finish(agent_id, work.interaction)
            self.step.tell(WrapUpOver(work.interaction, agent_id, work.leg))

    def offer_over(self, fact: OfferOver) -> None:
        """An offer without a talk: back-off, and not ready after so many in a row."""
        agent = self.get(fact.agent)
        rules = self.step.settings.offers
        match fact.outcome:
            case OfferOutcome.MISSED:
                agent = self._missed(self._spare(agent, rules.missed_back_off_s))
            case OfferOutcome.REJECTED:
                agent = self._missed(self._spare(agent, rules.rejected_back_off_s))
            case OfferOutcome.BUSY | OfferOutcome.FAILED:
                agent = self._spare(agent, rules.busy_back_off_s)
            case OfferOutcome.UNREACHABLE | OfferOutcome.CALLER_GONE | OfferOutcome.CANCELLED | OfferOutcome.ANSWERED:
                pass
            case _:
                assert_never(fact.outcome)
        self.step.put_agent(agent)
        self._finish(fact.agent, fact.interaction)
        if fact.is_leg_over:
            self._leg_over(fact.agent, fact.interaction)

    def leg_over(self, fact: AgentLegOver) -> None:
        """The agent's own leg has ended, whatever its work is at."""
        self._leg_over(fact.agent, fact.interaction)

    def phone_changed(self, phone: PhoneId) -> None:
        agent = self.at_phone(phone)
        if agent is not None:
            self.step.touched_agents[agent.id] = None
            if self.phone_state(agent) not in IN_USE:
                self.released(agent.id)

    def released(self, agent_id: AgentId) -> None:
        """The phone is idle after the end of our leg, or has been given time enough to become so."""
        agent = self.get(agent_id)
        kept = tuple(w for w in agent.work if w.phase is not Phase.RELEASING or w.leg is not None)
        if kept != agent.work:
            self.step.deadlines.clear(DeadlineKind.RELEASE, agent_id)
            self.step.put_agent(replace(agent, work=kept))

    # --- the end of each step -----------------------------------------------------------------------------------------
    def show(self, agent_id: AgentId) -> None:
        """Keep the shown state, and give history the one that ended."""
        agent, now = self.get(agent_id), self.step.now
        state = self.shown(agent)
        reason = agent.reason if state is ShownState.NOT_READY else None
        shown = Shown(
            state=state, reason=reason, phone=agent.phone, interaction=agent.work[0].interaction if agent.work else None
        )
        if agent.shown == shown:
            return
        if agent.shown is not None:
            self.step.store(self._state_record(agent_id, agent.shown, agent.shown_since, now))
        self.step.agents.put(agent_id, replace(agent, shown=shown, shown_since=now))

    @staticmethod
    def _state_record(agent: AgentId, shown: Shown, since: Moment, now: Moment) -> AgentStateRecord:
        return AgentStateRecord(
            agent=agent,
            state=shown.state,
            reason=shown.reason,
            phone=shown.phone,
            started_utc_s=since.utc_s,
            duration_s=now.mono_s - since.mono_s,
            interaction=shown.interaction,
        )

    # --- inside -------------------------------------------------------------------------------------------------------
    def _answer(self, origin: Origin, is_ok: bool, prompt: str, text: str) -> None:
        self.step.tell(Answered(origin, is_ok, PromptId(prompt), text))

    @staticmethod
    def _is_working(agent: Agent) -> bool:
        return any(w.phase is not Phase.RELEASING for w in agent.work)

    @staticmethod
    def _wrapping(agent: Agent) -> Work | None:
        return next((w for w in agent.work if w.phase is Phase.WRAP_UP), None)

    def _find(self, agent_id: AgentId, interaction: InteractionId) -> tuple[Agent, Work | None]:
        agent = self.get(agent_id)
        return agent, next((w for w in agent.work if w.interaction == interaction), None)

    def _put_work(self, agent: Agent, work: Work) -> None:
        kept = tuple(work if w.interaction == work.interaction else w for w in agent.work)
        self.step.put_agent(replace(agent, work=kept))

    def _change(self, agent: Agent, interaction: InteractionId, what: PhaseStep) -> None:
        work = next(w for w in agent.work if w.interaction == interaction)
        phase = advance(PHASE, work.phase, what)
        shown_as = work.released_from or (work.phase if phase is Phase.RELEASING else None)
        self._put_work(agent, replace(work, phase=phase, since=self.step.now, is_held=False, released_from=shown_as))

    def _spare(self, agent: Agent, back_off_s: float) -> Agent:
        until = self.step.now.mono_s + back_off_s
        self.step.deadlines.set(DeadlineKind.SPARED, agent.id, until)
        agent = replace(agent, spared_until_s=until)
        self.step.put_agent(agent)
        return agent

    def _missed(self, agent: Agent) -> Agent:
        rules = self.step.settings.offers
        missed = agent.missed + 1
        if rules.missed_before_not_ready and missed >= rules.missed_before_not_ready:
            return replace(agent, missed=0, presence=Presence.NOT_READY, reason=rules.missed_reason)
        return replace(agent, missed=missed)

    def _finish(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """The work item is done; it stays, releasing, while the agent's leg is up."""
        agent, work = self._find(agent_id, interaction)
        if work is None:
            return
        if work.phase is Phase.WRAP_UP:
            agent = replace(agent, idle_since_s=self.step.now.mono_s)
        if work.leg is not None:
            self._change(agent, interaction, PhaseStep.DONE)
        else:
            self.step.put_agent(replace(agent, work=tuple(w for w in agent.work if w.interaction != interaction)))
        self._settle(agent_id)

    def _leg_over(self, agent_id: AgentId, interaction: InteractionId) -> None:
        agent, work = self._find(agent_id, interaction)
        if work is None:
            return
        self._put_work(agent, replace(work, leg=None))
        if work.phase is not Phase.RELEASING:
            return
        if self.phone_state(agent) in IN_USE:
            # Its state is told a little later than the leg's end; until then this is no call of the agent's own.
            self.step.deadlines.set(DeadlineKind.RELEASE, agent_id, self.step.now.mono_s + PHONE_LAG_S)
        else:
            self.released(agent_id)

    def _settle(self, agent_id: AgentId) -> None:
        """What was put off until the work is over."""
        agent = self.get(agent_id)
        if self._is_working(agent):
            return
        if agent.leaves:
            self._leave(agent)
        elif agent.next_reason is not None:
            kept = replace(agent, presence=Presence.NOT_READY, reason=agent.next_reason, next_reason=None)
            self.step.put_agent(kept)

    def _leave(self, agent: Agent) -> None:
        self.step.deadlines.clear(DeadlineKind.SPARED, agent.id)
        self.step.put_agent(
            replace(
                agent,
                presence=Presence.LOGGED_OUT,
                reason=None,
                phone=None,
                leaves=False,
                next_reason=None,
                missed=0,
                spared_until_s=0.0,
            )
        )

    # --- PINs ---------------------------------------------------------------------------------------------------------
    def is_locked(self, agent_id: AgentId) -> bool:
        return self.get(agent_id).locked_until_s > self.step.now.mono_s

    def pin_checked(self, agent_id: AgentId, is_ok: bool) -> None:
        """Count wrong PINs; lock the account after so many in a row."""
        agent, limits = self.get(agent_id), self.step.settings.limits
        failures = 0 if is_ok else agent.pin_failures + 1
        agent = replace(agent, pin_failures=failures)
        if failures >= limits.max_pin_tries:
            agent = replace(agent, pin_failures=0, locked_until_s=self.step.now.mono_s + limits.pin_lock_s)
        self.step.put_agent(agent)

    def forget_work(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """After a fault: the agent is free of this interaction, whatever phase it was in."""
        agent = self.get(agent_id)
        self.step.deadlines.clear(DeadlineKind.WRAP_UP, agent_id)
        kept = tuple(w for w in agent.work if w.interaction != interaction)
        self.step.put_agent(replace(agent, work=kept, idle_since_s=self.step.now.mono_s))
        self._settle(agent_id)

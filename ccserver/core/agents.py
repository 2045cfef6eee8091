"""The agents' work: offers, talks, wrap-up and rest, and the state that people see.

Presence is what the person declares (`attendance`); phases are what the system observes of each work item; the state that is shown is
derived from both and the phone. Which rule wins, first to last: work, logged out, not ready, unreachable, own call, resting,
back-off, ready.
"""

from typing import assert_never

from ccserver.core import figures, idle_clock, wrap_up
from ccserver.core.attendance import Attendance
from ccserver.core.availability import IN_USE, kinds_free
from ccserver.core.change import replace
from ccserver.core.facts import (
    AgentLegOver,
    CallsBack,
    Disposed,
    OfferOver,
    Origin,
    TalkBegan,
    TalkHeld,
    TalkOver,
    WorkMoved,
    WrapUpOver,
)
from ccserver.core.ids import AgentId, DispositionId, InteractionId, PhoneId
from ccserver.core.moment import Moment
from ccserver.core.records import AgentStateRecord, OfferOutcome, PhoneState, ShownState
from ccserver.core.settings import IdleReset, QueueSettings, WrapUpKind
from ccserver.core.state import CONSULT, VOICE, Agent, DeadlineKind, Interaction, Presence, Shown, Work
from ccserver.core.transitions import PHASE, Phase, PhaseStep, advance

PHONE_LAG_S = 1.0


def shown_state(agent: Agent, phone: PhoneState, now_s: float) -> ShownState:
    """The state that people see."""
    for work in agent.work:
        match work.released_from or work.phase:
            case Phase.RINGING:
                return ShownState.RINGING
            case Phase.TALKING:
                if work.is_consulting:
                    return ShownState.CONSULTING
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
    if agent.own_call is not None or phone in IN_USE:
        return ShownState.ON_OWN_CALL
    if agent.rests_until_s > now_s:
        return ShownState.RESTING
    return ShownState.BACK_OFF if agent.spared_until_s > now_s else ShownState.READY


class Agents(Attendance):
    """What happens to agents' work, and what is seen of it."""

    # --- questions ----------------------------------------------------------------------------------------------------
    def shown(self, agent: Agent) -> ShownState:
        return shown_state(agent, self.phone_state(agent), self.step.now.mono_s)

    def is_free(self, agent: Agent) -> bool:
        """Whether a call could be offered now."""
        return VOICE in self.kinds_free(agent)

    def kinds_free(self, agent: Agent) -> tuple[str, ...]:
        """The kinds of which the agent could be offered one now. See `availability`."""
        return kinds_free(agent, self.step.settings, self.phone_state(agent), self.step.now.mono_s)

    # --- wrap-up, on request ------------------------------------------------------------------------------------------
    def end_wrap_up(self, origin: Origin, agent_id: AgentId) -> None:
        """Where the queue wants a disposition first, that alone ends it."""
        work = self._wrapping(self.get(agent_id))
        if work is None:
            self.answer(origin, False, "cc-nothing-to-do", f"agent {agent_id} is not in wrap-up")
        elif wrap_up.needs_disposition(self._queue_of(work)):
            self.answer(origin, False, "cc-disposition-needed", f"queue {work.queue} wants a disposition first")
        else:
            self.answer(origin, True, "cc-wrap-up-ended", f"agent {agent_id}: wrap-up is over")
            self.wrap_up_over(agent_id)

    def extend_wrap_up(self, origin: Origin, agent_id: AgentId) -> None:
        """Once more the time that the queue gives, as long as its longest time allows."""
        work = self._wrapping(self.get(agent_id))
        if work is None:
            self.answer(origin, False, "cc-nothing-to-do", f"agent {agent_id} is not in wrap-up")
            return
        queue, due_s = self._queue_of(work), self.wrap_up_due_s(agent_id)
        until_s = min(due_s + queue.wrap_up_s, work.since.mono_s + wrap_up.longest_s(queue))
        if queue.wrap_up is not WrapUpKind.EXTENDABLE:
            self.answer(origin, False, "cc-not-allowed", f"wrap-up of queue {work.queue} cannot be extended")
        elif until_s <= due_s:
            self.answer(origin, False, "cc-wrap-up-longest", f"wrap-up of queue {work.queue} cannot be longer")
        else:
            self.step.deadlines.set(DeadlineKind.WRAP_UP, agent_id, until_s)
            left_s = until_s - self.step.now.mono_s
            self.answer(origin, True, "cc-wrap-up-extended", f"agent {agent_id}: wrap-up goes on for {left_s:.0f} s")

    def wrap_up_due_s(self, agent_id: AgentId) -> float:
        """When the present wrap-up ends (monotonic); now, if there is none."""
        due_s = self.step.deadlines.table.get((DeadlineKind.WRAP_UP, str(agent_id)))
        return self.step.now.mono_s if due_s is None else due_s

    def dispose(self, origin: Origin, agent_id: AgentId, code: str) -> None:
        """A disposition by its code: it ends the wrap-up."""
        work = self._wrapping(self.get(agent_id))
        if work is None:
            self.answer(origin, False, "cc-nothing-to-do", f"agent {agent_id} is not in wrap-up")
            return
        found = self.dispositions(work).get(code)
        if found is None:
            self.answer(origin, False, "cc-disposition-unknown", f"queue {work.queue} has no disposition with that code")
            return
        self.answer(origin, True, "cc-disposition-done", f"disposition {found} is kept")
        self.step.tell(Disposed(work.interaction, found))
        self.wrap_up_over(agent_id)

    def dispositions(self, work: Work) -> dict[str, DispositionId]:
        """What may be entered for it, by code."""
        known = self.step.settings.dispositions
        return {known[each].code: each for each in self._queue_of(work).dispositions if each in known}

    # --- what happens to their work -----------------------------------------------------------------------------------
    def reserve(self, agent_id: AgentId, work: Work) -> None:
        agent = self.get(agent_id)
        self.step.put_agent(replace(agent, work=(*agent.work, work)))

    def talk_began(self, fact: TalkBegan) -> None:
        agent, work = self._find(fact.agent, fact.interaction)
        interaction = self.step.interactions.get(fact.interaction)
        agent = replace(agent, missed=0)
        if work is not None and work.kind != CONSULT and interaction is not None:
            agent = self._with_caller(agent, interaction)
        self._change(agent, fact.interaction, PhaseStep.BRIDGED)

    def talk_held(self, fact: TalkHeld) -> None:
        agent, work = self._find(fact.agent, fact.interaction)
        if work is not None:
            self._put_work(agent, replace(work, is_held=fact.is_held))

    def consulting(self, agent_id: AgentId, interaction: InteractionId, *, is_consulting: bool) -> None:
        """The customer is held while the agent asks a colleague, or no longer."""
        agent, work = self._find(agent_id, interaction)
        if work is not None:
            self._put_work(agent, replace(work, is_consulting=is_consulting))

    def move_work(self, fact: WorkMoved) -> None:
        """The agent's work of one interaction is that of another from here on."""
        agent, work = self._find(fact.agent, fact.source)
        if work is not None:
            target = self.step.interactions[fact.target]
            moved = replace(work, interaction=target.id, kind=target.kind)
            agent = replace(agent, work=tuple(moved if w is work else w for w in agent.work))
            if work.kind == CONSULT and target.kind != CONSULT:
                # What began as a colleague's question is the agent's own call now.
                agent = self._with_caller(agent, target)
            self.step.put_agent(agent)

    def takes_back(self, fact: CallsBack) -> None:
        """What the agent handed on comes back: it is wrapped up when it is over."""
        _, work = self._find(fact.agent, fact.interaction)
        if work is not None and work.phase is Phase.WRAP_UP:
            self._wrapped_up(fact.agent, fact.interaction)

    def talk_over(self, fact: TalkOver, queue: QueueSettings) -> None:
        """The agent's part of a talk is over; `queue` says what comes then. A line that broke leaves nothing to wrap up."""
        agent, work = self._find(fact.agent, fact.interaction)
        if work is None:
            return
        now = self.step.now
        talk_s = now.mono_s - work.since.mono_s
        counted = figures.talk_over(agent.figures, talk_s, now, is_counted=work.kind != CONSULT)
        agent = replace(agent, figures=counted)
        self.step.put_agent(agent)
        if fact.is_lost:
            self._spare(agent, self.step.settings.offers.busy_back_off_s)
            self._finish(fact.agent, fact.interaction)
            self.step.tell(WrapUpOver(fact.interaction, fact.agent, None))
            return
        is_alone = self._wrapping(agent) is None
        self._change(agent, fact.interaction, PhaseStep.TALK_OVER)
        wrap_up_s = wrap_up.first_s(queue)
        if wrap_up_s > 0:
            due_s = now.mono_s + wrap_up_s
            self.step.deadlines.set(
                DeadlineKind.WRAP_UP, fact.agent, due_s if is_alone else max(due_s, self.wrap_up_due_s(fact.agent))
            )
        else:
            self._wrapped_up(fact.agent, fact.interaction)

    def wrap_up_over(self, agent_id: AgentId) -> None:
        """By time, by code or by a disposition: of everything, since there is one clock."""
        for work in self.get(agent_id).work:
            if work.phase is Phase.WRAP_UP:
                self._wrapped_up(agent_id, work.interaction)

    def _wrapped_up(self, agent_id: AgentId, interaction: InteractionId) -> None:
        agent, work = self._find(agent_id, interaction)
        if work is not None:
            spent_s = self.step.now.mono_s - work.since.mono_s
            self.step.put_agent(replace(agent, figures=figures.wrapped_up(agent.figures, spent_s)))
            self._finish(agent_id, interaction)
            if self._wrapping(self.get(agent_id)) is None:
                self.step.deadlines.clear(DeadlineKind.WRAP_UP, agent_id)
            self.step.tell(WrapUpOver(interaction, agent_id, work.leg))

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
    @staticmethod
    def _wrapping(agent: Agent) -> Work | None:
        return next((w for w in agent.work if w.phase is Phase.WRAP_UP), None)

    @staticmethod
    def _with_caller(agent: Agent, interaction: Interaction) -> Agent:
        return replace(agent, figures=figures.answered(agent.figures), last_caller=interaction.caller_number)

    def _queue_of(self, work: Work) -> QueueSettings:
        return self.step.wrap_up_settings(work.queue, self.step.interactions[work.interaction])

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
        self._put_work(
            agent, replace(work, phase=phase, since=self.step.now, is_held=False, is_consulting=False, released_from=shown_as)
        )

    def _spare(self, agent: Agent, back_off_s: float) -> Agent:
        until = self.step.now.mono_s + back_off_s
        self.step.deadlines.set(DeadlineKind.SPARED, agent.id, until)
        agent = replace(agent, spared_until_s=until)
        self.step.put_agent(agent)
        return agent

    def _missed(self, agent: Agent) -> Agent:
        rules = self.step.settings.offers
        missed = agent.missed + 1
        agent = replace(agent, figures=figures.missed(agent.figures))
        agent = idle_clock.after(agent, IdleReset.MISSED, self.step.settings, self.step.now.mono_s)
        if rules.missed_before_not_ready and missed >= rules.missed_before_not_ready:
            return replace(agent, missed=0, presence=Presence.NOT_READY, reason=rules.missed_reason)
        return replace(agent, missed=missed)

    def _finish(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """The work item is done; it stays, releasing, while the agent's leg is up."""
        agent, work = self._find(agent_id, interaction)
        if work is None:
            return
        if work.phase in (Phase.TALKING, Phase.WRAP_UP):
            agent = self._served(agent, work)
        if work.leg is not None:
            self._change(agent, interaction, PhaseStep.DONE)
        else:
            self.step.put_agent(replace(agent, work=tuple(w for w in agent.work if w.interaction != interaction)))
        self.settle(agent_id)

    def _served(self, agent: Agent, work: Work) -> Agent:
        """The idle clock starts, and the rest."""
        step, config = self.step, self.step.settings.agents.get(agent.id)
        agent = idle_clock.after_work(agent, work, step.settings, step.now.mono_s)
        if config is not None and config.min_rest_s > 0 and work.kind != CONSULT:
            agent = replace(agent, rests_until_s=step.now.mono_s + config.min_rest_s)
            step.deadlines.set(DeadlineKind.REST, agent.id, agent.rests_until_s)
        return agent

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

    def forget_work(self, agent_id: AgentId, interaction: InteractionId) -> None:
        """After a fault: the agent is free of this interaction, whatever phase it was in."""
        agent = self.get(agent_id)
        self.step.deadlines.clear(DeadlineKind.WRAP_UP, agent_id)
        kept = tuple(w for w in agent.work if w.interaction != interaction)
        self.step.put_agent(replace(agent, work=kept, idle_since_s=self.step.now.mono_s))
        self.settle(agent_id)

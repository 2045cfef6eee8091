"""Why this agent, why not that one, why nobody: answers from a snapshot alone, in lines for people.

What was decided is kept with each offer (`OfferRecord.why`); this here says what holds now. It costs time in proportion to the agents
and to those who wait, and is asked for by people only, never by a decision.
"""

from dataclasses import dataclass

from ccserver.core import requirements
from ccserver.core.acd import effective, urgency
from ccserver.core.availability import Hindrance, hindrance
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.pairing import class_of
from ccserver.core.records import PhoneState
from ccserver.core.settings import QueueSettings, Requirement, Settings, Strategy
from ccserver.core.state import VOICE, Agent, CenterState, DeadlineKind, Interaction, Visit, Work, seen_phone
from ccserver.core.transitions import InteractionState, Phase

NAMED = 10
"""Agents and interactions that are named in one line at most; of more, the number is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswer:
    """One agent's part in the answer. `is_able`: one of those who may take it; `is_free`: could be offered one of its kind now."""

    agent: AgentId
    name: str
    is_able: bool
    is_free: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionExplained:
    """`text` is about the interaction, `helps` what would bring it to an agent; both are lines. `agents` are all of the settings."""

    interaction: InteractionId
    text: tuple[str, ...]
    agents: tuple[AgentAnswer, ...]
    helps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAnswer:
    """One who waits, the most urgent first. `text`: why the agent does not get it; empty: would be offered it."""

    interaction: InteractionId
    urgency_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentExplained:
    agent: AgentId
    text: tuple[str, ...]
    waiting: tuple[WaitingAnswer, ...]


def explain_interaction(
    state: CenterState, settings: Settings, now_s: float, number: InteractionId
) -> InteractionExplained | None:
    """Where it stands, and of each agent why it is not with them. None: there is no such live interaction.

    `now_s` is monotonic, as everywhere in the state.
    """
    it = state.interactions.get(number)
    return None if it is None else _Reading(state, settings, now_s).interaction(it)


def explain_queue(state: CenterState, settings: Settings, now_s: float, queue: QueueId) -> tuple[InteractionExplained, ...]:
    """The `NAMED` most urgent of those who wait in the queue or are being offered."""
    return _Reading(state, settings, now_s).queue(queue)


def explain_agent(state: CenterState, settings: Settings, now_s: float, agent: AgentId) -> AgentExplained | None:
    """Why the agent gets nothing, and what becomes of those who wait. None: the settings have no such agent."""
    return _Reading(state, settings, now_s).agent(agent) if agent in settings.agents else None


def what_hinders(state: CenterState, settings: Settings, now_s: float, agent: Agent) -> tuple[Hindrance, str] | None:
    """What keeps an agent of the settings from a call, with words for it; None: nothing does."""
    reading = _Reading(state, settings, now_s)
    found = reading.hindrance(agent, VOICE)
    return None if found is None else (found, reading.hindered(agent, found, None))


class _Reading:
    """One look at a snapshot."""

    def __init__(self, state: CenterState, settings: Settings, now_s: float) -> None:
        self._state = state
        self._settings = settings
        self._now_s = now_s

    def queue(self, queue: QueueId) -> tuple[InteractionExplained, ...]:
        mine = [it for it in self._state.interactions.values() if it.visit is not None and it.visit.queue == queue]
        return tuple(self.interaction(it) for it in sorted(mine, key=self._order)[:NAMED])

    # --- an interaction -----------------------------------------------------------------------------------------------
    def interaction(self, it: Interaction) -> InteractionExplained:
        text = [f"#{it.id} ({it.kind}) is {it.state.value}, {self._now_s - it.arrived.mono_s:.0f} s after it arrived"]
        if it.visit is None:
            text += [f"agent {talk.agent} has it, {self._now_s - talk.since.mono_s:.0f} s" for talk in it.talks()]
            text += [f"agent {w.agent} wraps it up, {self._left(DeadlineKind.WRAP_UP, w.agent)}" for w in it.wrapping]
            if it.state is InteractionState.MENU:
                text.append(f"it is in the menu, at {it.flow}/{it.node}")
            return InteractionExplained(interaction=it.id, text=tuple(text), agents=(), helps=())
        answers = tuple(self._answer(agent, it, it.visit) for agent in sorted(self._settings.agents))
        text += [*self._about_visit(it, it.visit), *self._about_offers(it), *self._more_urgent(it)]
        return InteractionExplained(
            interaction=it.id, text=tuple(text), agents=answers, helps=tuple(self._helps(it, it.visit, answers))
        )

    def _about_visit(self, it: Interaction, visit: Visit) -> list[str]:
        config = self._queue(it, visit)
        waited_s = self._now_s - visit.waiting_since_s
        figures = f"priority {visit.priority}, weight {config.weight:g}, urgency {self._urgency(it):.0f} s"
        text = [f"in queue {visit.queue}, waiting for {waited_s:.0f} s; {figures}"]
        if visit.rank == 0:
            text.append("goes before all others: its agent was lost, or its transfer came back")
        if visit.only is not None:
            until = "" if visit.only_until_s is None else f", {max(visit.only_until_s - self._now_s, 0):.0f} s more"
            text.append(f"waits for agent {visit.only} only{until}")
        elif requirements.words(visit.requires):
            text.append(f"requires {requirements.words(visit.requires)}")
        if config.relax:
            text.append(f"{visit.stage} of {len(config.relax)} relaxations are open")
        if config.strategy is Strategy.TIERS and config.tiers:
            text.append(f"{visit.tiers} of {len(config.tiers)} tiers are open")
        if it.message is not None and it.message.is_resting:
            text.append("is a message, and rests until the hours of the queue begin")
        if it.is_missing:
            text.append("an agent answered and found nobody: whether the caller is still there is about to be told")
        return [*text, *self._about_center()]

    def _about_center(self) -> list[str]:
        clockwork = self._state.clockwork
        if not clockwork.is_linked:
            return ["nothing is offered: there is no link to the PBX"]
        return [] if clockwork.is_observed else ["nothing is offered: the PBX has not been read since the start"]

    def _about_offers(self, it: Interaction) -> list[str]:
        return [f"offered to agent {o.agent} for {self._now_s - o.since.mono_s:.0f} s: {o.why}" for o in it.offers]

    def _more_urgent(self, it: Interaction) -> list[str]:
        """Others before it, whom somebody could take who could take this one too."""
        if it.state is not InteractionState.WAITING or it.visit is None:
            return []
        mine = {agent for agent in self._settings.agents if not self._unable(agent, it, it.visit)}
        before = []
        for other in self._waiting():
            if other.id == it.id:
                break
            if other.visit is not None and any(not self._unable(agent, other, other.visit) for agent in mine):
                before.append(f"#{other.id}")
        return [f"more urgent, for the same agents: {_some(before)}"] if before else []

    def _answer(self, agent_id: AgentId, it: Interaction, visit: Visit) -> AgentAnswer:
        unable = self._unable(agent_id, it, visit)
        agent = self._agent(agent_id)
        hindered = self.hindrance(agent, it.kind)
        reasons = [*unable, *([self.hindered(agent, hindered, it)] if hindered is not None else [])]
        return AgentAnswer(
            agent=agent_id,
            name=self._settings.agents[agent_id].name,
            is_able=not unable,
            is_free=hindered is None,
            text="; ".join(reasons) or "could take it now",
        )

    # --- what would help ----------------------------------------------------------------------------------------------
    def _helps(self, it: Interaction, visit: Visit, answers: tuple[AgentAnswer, ...]) -> list[str]:
        if it.state is not InteractionState.WAITING:
            return []
        able = [a.agent for a in answers if a.is_able]
        kinds: dict[Hindrance, list[str]] = {}
        for agent in able:
            found = self.hindrance(self._agent(agent), it.kind)
            if found is not None:
                kinds.setdefault(found, []).append(agent)
        text = [] if able else ["no agent of the settings may take it as things are"]
        for found, what in _REMEDIES.items():
            if found in kinds:
                text.append(f"{what}: {_some(kinds[found])}")
        return [*text, *self._what_comes(it, visit, len(able))]

    def _what_comes(self, it: Interaction, visit: Visit, able: int) -> list[str]:
        """What opens by itself."""
        config, text = self._queue(it, visit), []
        if visit.only is not None:
            if visit.only_until_s is not None:
                text.append(
                    f"in {max(visit.only_until_s - self._now_s, 0):.0f} s anybody who fulfils the requirements may take it"
                )
            return text
        waited_s = self._now_s - visit.waiting_since_s
        if visit.stage < len(config.relax):
            then = requirements.at_stage(config, visit.stage + 1, it.needs, it.requires)
            count = sum(not self._unable(a, it, visit, requires=then) for a in self._settings.agents)
            left_s = max(config.relax[visit.stage].after_s - waited_s, 0)
            wanted = requirements.words(then) or "nothing"
            text.append(f"in {left_s:.0f} s it requires {wanted}: {count} agents instead of {able}")
        if config.strategy is Strategy.TIERS and visit.tiers < len(config.tiers):
            count = sum(not self._unable(a, it, visit, tiers=visit.tiers + 1) for a in self._settings.agents)
            left_s = max(config.tiers[visit.tiers].after_s - waited_s, 0)
            text.append(f"in {left_s:.0f} s tier {visit.tiers + 1} opens: {count} agents instead of {able}")
        return text

    # --- an agent -----------------------------------------------------------------------------------------------------
    def agent(self, agent_id: AgentId) -> AgentExplained:
        agent = self._agent(agent_id)
        text = self._about_center()
        kinds = {}
        for kind in self._settings.agents[agent_id].capacity or self._settings.capacity:
            kinds[kind] = self.hindrance(agent, kind)
            found = kinds[kind]
            said = self.hindered(agent, found, None) if found is not None else f"free, idle for {self._idle_s(agent):.0f} s"
            text.append(f"{kind}: {said}")
        waiting = tuple(
            WaitingAnswer(interaction=it.id, urgency_s=self._urgency(it), text="; ".join(self._unable(agent_id, it, it.visit)))
            for it in self._waiting()
            if it.visit is not None
        )
        if not any(not row.text for row in waiting):
            text.append(f"{len(waiting)} wait; the agent may take none of them" if waiting else "nobody waits")
        return AgentExplained(agent=agent_id, text=tuple(text), waiting=waiting)

    def _idle_s(self, agent: Agent) -> float:
        return self._now_s - agent.idle_since_s

    # --- reasons ------------------------------------------------------------------------------------------------------
    def _unable(
        self,
        agent: AgentId,
        it: Interaction,
        visit: Visit,
        *,
        requires: Requirement | None = None,
        tiers: int | None = None,
    ) -> list[str]:
        """Why the agent may not take it, whatever they are doing; empty: they may. `requires` and `tiers`: as if these held."""
        if visit.only is not None:
            return [] if visit.only == agent else [f"it waits for agent {visit.only}"]
        config = self._queue(it, visit)
        skills = effective(self._settings.agents[agent].skills, self._agent(agent).skills)
        reasons = list(requirements.missing(visit.requires if requires is None else requires, skills))
        if config.members and agent not in config.members:
            reasons.append(f"is not a member of queue {visit.queue}")
        if config.strategy is Strategy.TIERS and config.tiers:
            opened = visit.tiers if tiers is None else tiers
            mine = [
                place
                for place, tier in enumerate(config.tiers)
                if (not tier.agents or agent in tier.agents) and requirements.is_met(tier.requires, skills)
            ]
            if not mine:
                reasons.append("is in no tier")
            elif mine[0] >= opened:
                left_s = max(config.tiers[mine[0]].after_s - (self._now_s - visit.waiting_since_s), 0)
                reasons.append(f"tier {mine[0] + 1} opens in {left_s:.0f} s")
        return reasons

    def hindrance(self, agent: Agent, kind: str) -> Hindrance | None:
        return hindrance(agent, kind, self._settings, self._phone(agent), self._now_s)

    def hindered(self, agent: Agent, found: Hindrance, it: Interaction | None) -> str:
        match found:
            case Hindrance.NOT_READY:
                reason = self._settings.reasons.get(agent.reason) if agent.reason is not None else None
                return f"not ready: {reason.name if reason is not None else agent.reason or 'no reason'}"
            case Hindrance.LEAVING:
                return f"{'logs out' if agent.leaves else 'goes not ready'} after the present work"
            case Hindrance.BUSY:
                return ", ".join(self._busy(agent, work, it) for work in agent.work) or "takes none of this kind"
            case Hindrance.RESERVED:
                return f"kept for a call of campaign {agent.reserved} that is on its way"
            case Hindrance.BACK_OFF:
                return f"back-off after an offer not taken, {agent.spared_until_s - self._now_s:.0f} s left"
            case Hindrance.RESTING:
                return f"resting, {agent.rests_until_s - self._now_s:.0f} s left"
            case _:
                return _PLAIN[found]

    def _busy(self, agent: Agent, work: Work, it: Interaction | None) -> str:
        if work.phase is Phase.RINGING:
            if it is not None and work.interaction == it.id:
                return "the phone rings for this one"
            other = self._state.interactions.get(work.interaction)
            is_before = (
                it is not None and other is not None and other.visit is not None and self._order(other) < self._order(it)
            )
            return f"rings for #{work.interaction}" + (", which is more urgent" if is_before else "")
        if work.phase is Phase.WRAP_UP:
            return f"wraps up #{work.interaction}, {self._left(DeadlineKind.WRAP_UP, agent.id)}"
        if work.phase is Phase.RELEASING:
            return f"the phone is not free yet after #{work.interaction}"
        held = " (on hold)" if work.is_held else ""
        return f"works on #{work.interaction}{held}, {self._now_s - work.since.mono_s:.0f} s"

    def _left(self, kind: DeadlineKind, name: str) -> str:
        due_s = self._state.deadlines.get((kind, name))
        return "until it is ended" if due_s is None else f"{max(due_s - self._now_s, 0):.0f} s left"

    # --- looking up ---------------------------------------------------------------------------------------------------
    def _agent(self, agent: AgentId) -> Agent:
        return self._state.agents.get(agent) or Agent(id=agent)

    def _phone(self, agent: Agent) -> PhoneState:
        phone = self._state.phones.get(agent.phone) if agent.phone is not None else None
        line = self._state.legs.get(agent.line) if agent.line is not None else None
        return seen_phone(agent, phone, line)

    def _queue(self, it: Interaction, visit: Visit) -> QueueSettings:
        return self._settings.queues.get(visit.queue) or self._state.versions[it.version].queues[visit.queue]

    def _urgency(self, it: Interaction) -> float:
        assert it.visit is not None
        config = self._queue(it, it.visit)
        return urgency(class_of(it, config, self._settings.priority_step_s)[1], config.weight, self._now_s)

    def _order(self, it: Interaction) -> tuple[int, float, InteractionId]:
        assert it.visit is not None
        return it.visit.rank, -self._urgency(it), it.id

    def _waiting(self) -> list[Interaction]:
        """The most urgent first."""
        return sorted((it for it in self._state.interactions.values() if it.can_be_offered()), key=self._order)


_PLAIN = {
    Hindrance.REMOVED: "is no longer in the settings",
    Hindrance.LOGGED_OUT: "logged out",
    Hindrance.UNREACHABLE: "the phone is not reachable",
    Hindrance.OWN_CALL: "the phone is in use by a call of its own",
}
_REMEDIES = {
    Hindrance.LOGGED_OUT: "log-in of one of these",
    Hindrance.NOT_READY: "ready again",
    Hindrance.UNREACHABLE: "their phones registered again",
    Hindrance.BACK_OFF: "the end of their back-off",
    Hindrance.RESTING: "the end of their rest",
    Hindrance.OWN_CALL: "the end of their own calls",
    Hindrance.BUSY: "the end of their present work",
    Hindrance.RESERVED: "the end of the campaign's calls that they are kept for",
}


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")

"""What supervisors and operators do to the live center: each act is answered, and is on record with who asked, done or refused.

Requests that name nobody (`by` empty) for what agents do themselves (log-in, log-out, not ready, ready, the end of a call) are not put on
record; all others are.
"""

from ccserver.core import events as ev
from ccserver.core import marks
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import Reply
from ccserver.core.ids import AgentId, InteractionId, RequestId, SkillId
from ccserver.core.interactions import Interactions
from ccserver.core.ledger import Ledger
from ccserver.core.messages import Messages
from ccserver.core.queueing import Queueing
from ccserver.core.records import AuditRecord, VisitOutcome
from ccserver.core.requirements import skills_named
from ccserver.core.settings import DIRECT, Settings
from ccserver.core.state import DeadlineKind, Interaction, Presence, Visit
from ccserver.core.step import Step
from ccserver.core.transitions import InteractionState
from ccserver.core.work import WorkWithoutLine

PICK_KEPT_S = 120.0
"""A picked interaction waits so long for its agent, in the middle of work perhaps; then it is anybody's again."""
PRIORITY_MAX = 10
SKILL_MAX = 100


class LiveActs:
    """One method for each request."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        agents: Agents,
        interactions: Interactions,
        queueing: Queueing,
        *,
        work: WorkWithoutLine,
        messages: Messages,
    ) -> None:
        self.step = step
        self._ledger = ledger
        self._agents = agents
        self._interactions = interactions
        self._queueing = queueing
        self._work = work
        self._messages = messages

    # --- agents -------------------------------------------------------------------------------------------------------
    def log_in(self, event: ev.LoginRequested) -> None:
        is_done = self._agents.log_in(event.request, event.agent, event.phone)
        self._audit_if_named(event.by, "log_in", event.phone, is_done, agent=event.agent)

    def log_out(self, event: ev.LogoutRequested) -> None:
        is_done = self._agents.log_out(event.request, event.agent)
        self._audit_if_named(event.by, "log_out", "", is_done, agent=event.agent)

    def pause(self, event: ev.PauseRequested) -> None:
        is_done = self._agents.not_ready(event.request, event.agent, event.reason)
        self._audit_if_named(event.by, "not_ready", event.reason, is_done, agent=event.agent)

    def unpause(self, event: ev.UnpauseRequested) -> None:
        is_done = self._agents.ready(event.request, event.agent)
        self._audit_if_named(event.by, "ready", "", is_done, agent=event.agent)

    def move_agent(self, event: ev.MoveAgentRequested) -> None:
        """Also where agents themselves may not move."""
        is_done = self._agents.move(event.request, event.agent, event.phone)
        self._audit(event.by, "move_agent", event.phone, is_done, agent=event.agent)

    def set_skill(self, event: ev.SkillRequested) -> None:
        problem = self._skill_problem(event)
        if problem is None:
            agent = self._agents.get(event.agent)
            skills = {skill: level for skill, level in agent.skills.items() if skill != event.skill}
            if event.level is not None:
                skills[event.skill] = event.level
            self.step.put_agent(replace(agent, skills=skills))
        level = "as in the settings" if event.level is None else str(event.level)
        self._audit(event.by, "skill", f"{event.skill}: {level}", problem is None, agent=event.agent)
        self._reply(event.request, problem, f"agent {event.agent} has {event.skill}: {level}, until the next log-out")

    def _skill_problem(self, event: ev.SkillRequested) -> str | None:
        settings = self.step.settings
        if event.agent not in settings.agents:
            return f"agent {event.agent} does not exist"
        if self._agents.get(event.agent).presence is Presence.LOGGED_OUT:
            return f"agent {event.agent} is not logged in"
        if event.skill not in known_skills(settings):
            return f"there is no skill {event.skill}"
        if event.level is not None and not 0 <= event.level <= SKILL_MAX:
            return f"a level is 0 to {SKILL_MAX}, not {event.level}"
        return None

    # --- interactions -------------------------------------------------------------------------------------------------
    def hang_up(self, event: ev.HangUpRequested) -> None:
        interaction = self._about(event.interaction)
        has_line = interaction is not None and interaction.leg in self.step.legs
        is_message = interaction is not None and interaction.message is not None
        is_there = interaction is not None and (has_line or is_message or not interaction.is_on_the_line())
        has_talkers = interaction is not None and interaction.left is not None
        is_there = is_there or has_talkers
        if interaction is not None and has_line:
            self._interactions.release_by_request(interaction)
        elif interaction is not None and has_talkers:
            # The customer has left the conference; who leaves now is the last but one.
            for talk in interaction.talks():
                self.step.let_go(talk.leg)
        elif interaction is not None and is_message:
            self._messages.cancel(interaction)
        elif interaction is not None and is_there:
            self._work.cancel(interaction)
        self._audit_if_named(event.by, "hang_up", "", is_there, interaction=event.interaction)
        problem = None if is_there else f"there is no live call {event.interaction}"
        self._reply(event.request, problem, f"call {event.interaction} is being ended")

    def set_priority(self, event: ev.PriorityRequested) -> None:
        """Of who waits, or is still in the menu. The word of a supervisor also wins over a VIP's priority."""
        interaction = self._about(event.interaction)
        problem = None
        if not 0 <= event.priority <= PRIORITY_MAX:
            problem = f"a priority is 0 to {PRIORITY_MAX}, not {event.priority}"
        elif interaction is None or (interaction.visit is None and interaction.state is not InteractionState.MENU):
            problem = f"call {event.interaction} does not wait"
        else:
            visit = interaction.visit
            visit = replace(visit, priority=event.priority) if visit is not None else None
            self._ledger.put(replace(interaction, priority=event.priority, visit=visit))
        self._audit(event.by, "priority", str(event.priority), problem is None, interaction=event.interaction)
        self._reply(event.request, problem, f"call {event.interaction} has priority {event.priority}")

    def move_call(self, event: ev.MoveCallRequested) -> None:
        """The doors of the other queue hold for this one too: a supervisor must not send a caller out by mistake."""
        interaction, problem = self._about(event.interaction), self._move_problem(event)
        if interaction is not None and interaction.visit is not None and problem is None:
            since_s = interaction.visit.waiting_since_s
            interaction = self._ledger.end_visit(interaction, VisitOutcome.TRANSFERRED_OUT)
            # Moved by hand, it has not been handed through one more queue by rules that might go round in circles.
            interaction = self._ledger.put(replace(interaction, hops=interaction.hops - 1))
            self._queueing.enqueue(interaction, event.queue, waiting_since_s=since_s)
        self._audit(event.by, "move_call", event.queue, problem is None, interaction=event.interaction)
        self._reply(event.request, problem, f"call {event.interaction} waits in queue {event.queue}")

    def _move_problem(self, event: ev.MoveCallRequested) -> str | None:
        interaction, visit, problem = self._waiting(event.interaction)
        if interaction is None or visit is None:
            return problem
        if event.queue not in self.step.settings.queues or event.queue == DIRECT:
            return f"there is no queue {event.queue}"
        if visit.queue == event.queue:
            return f"call {event.interaction} waits in queue {event.queue} already"
        refusal = self._queueing.refusal(interaction, event.queue)
        return f"queue {event.queue} does not take it: {refusal.value}" if refusal is not None else None

    def pick(self, event: ev.PickRequested) -> None:
        interaction, visit, problem = self._waiting(event.interaction)
        if problem is None and self._agents.get(event.agent).presence is Presence.LOGGED_OUT:
            problem = f"agent {event.agent} is not logged in"
        if interaction is not None and visit is not None and problem is None:
            # A direct call is for one agent for as long as it waits; now it is another one.
            is_direct = visit.only is not None and visit.only_until_s is None
            until_s = None if is_direct else self.step.now.mono_s + PICK_KEPT_S
            if until_s is not None:
                self.step.deadlines.set(DeadlineKind.PREFERRED, interaction.id, until_s)
            visit = replace(visit, only=event.agent, only_until_s=until_s, rank=0, is_opened=True)
            self._ledger.put(replace(interaction, visit=visit))
        self._audit(event.by, "pick", "", problem is None, interaction=event.interaction, agent=event.agent)
        self._reply(event.request, problem, f"call {event.interaction} is for agent {event.agent}")

    # --- numbers ------------------------------------------------------------------------------------------------------
    def mark_number(self, event: ev.MarkNumberRequested) -> None:
        is_done, text = marks.mark(self.step, event.number, event.mark, event.note, event.by)
        self.step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    # --- inside -------------------------------------------------------------------------------------------------------
    def _about(self, interaction: InteractionId) -> Interaction | None:
        found = self.step.interactions.get(interaction)
        if found is not None:
            self.step.about = found.id
        return found

    def _waiting(self, number: InteractionId) -> tuple[Interaction | None, Visit | None, str | None]:
        """The interaction with its visit, where it waits and nobody's phone rings for it; else why not."""
        interaction = self._about(number)
        visit = interaction.visit if interaction is not None else None
        if interaction is None or visit is None:
            return None, None, f"call {number} does not wait"
        if interaction.offers:
            return None, None, f"call {number} is being offered to agent {interaction.offers[0].agent}"
        return interaction, visit, None

    def _reply(self, request: RequestId, problem: str | None, text: str) -> None:
        self.step.emit(Reply(request=request, is_ok=problem is None, text=text if problem is None else problem))

    def _audit_if_named(
        self,
        by: str,
        act: str,
        what: str,
        is_done: bool,
        *,
        interaction: InteractionId | None = None,
        agent: AgentId | None = None,
    ) -> None:
        if by:
            self._audit(by, act, what, is_done, interaction=interaction, agent=agent)

    def _audit(
        self,
        by: str,
        act: str,
        what: str,
        is_done: bool,
        *,
        interaction: InteractionId | None = None,
        agent: AgentId | None = None,
    ) -> None:
        at_utc_s = self.step.now.utc_s
        self.step.store(
            AuditRecord(by=by, act=act, what=what, is_done=is_done, at_utc_s=at_utc_s, interaction=interaction, agent=agent)
        )


def known_skills(settings: Settings) -> frozenset[SkillId]:
    """Every skill that an agent has or a queue asks for."""
    of_agents = {skill for agent in settings.agents.values() for skill in agent.skills}
    of_queues = {skill for queue in settings.queues.values() for skill in (*queue.skills, *skills_named(queue.requires))}
    of_languages = {skill for skill in settings.language_skills.values() if skill is not None}
    return frozenset(of_agents | of_queues | of_languages)

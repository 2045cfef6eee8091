"""Waiting in a queue: the way in, what the caller hears meanwhile, and the ways out.

`doors` says who may not enter or stay, and this module acts on it. While an agent's phone rings, that comes before every rule that would
send the caller elsewhere; the rules are looked at again when the offer is over.
"""

from collections.abc import Callable, Iterable

from ccserver.core import announcements, expected_wait, requirements, stats
from ccserver.core.callers import COMFORT, Callers
from ccserver.core.change import replace
from ccserver.core.commands import WaitUntil
from ccserver.core.doors import Doors, WayOut
from ccserver.core.facts import BackToMenu, CallbackOffered, ConsultFailed, NumberWanted
from ccserver.core.ids import AgentId, FlowId, InteractionId, NodeId, QueueId
from ccserver.core.keys import first_digits
from ccserver.core.ledger import Ledger
from ccserver.core.records import FlowEnd, NoticeKind, VisitOutcome
from ccserver.core.settings import (
    DIRECT,
    CallbackRules,
    Exit,
    ExitKind,
    OverflowBy,
    QueueSettings,
    Settings,
    Spoken,
    SpokenKind,
)
from ccserver.core.staffing import Staffing
from ccserver.core.state import (
    CALLBACK,
    CONSULT,
    MESSAGE,
    OUTBOUND,
    VOICE,
    After,
    AfterKind,
    DeadlineKind,
    Interaction,
    QueueCounters,
    Visit,
)
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

HAS_TALKED = (InteractionState.RETURNING, InteractionState.HELD)
BY_EXIT = {ExitKind.NUMBER: VisitOutcome.TRANSFERRED_OUT, ExitKind.MESSAGE: VisitOutcome.LEFT_MESSAGE}
"""Where an exit says more of the visit's end than the rule that led to it."""
GOES_BY_STAFF = frozenset({OverflowBy.RATIO})

FOR_AGENTS = (ExitKind.QUEUE, ExitKind.AGENT)
"""The exits that a consultation takes: an agent is not sent into menus, to be called back, or out of the center."""


class Queueing:
    """`position` is an interaction's place in its queue, from 1; `expected_wait_s` may not be known (None)."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        callers: Callers,
        staffing: Staffing,
        *,
        position: Callable[[InteractionId], int],
        expected_wait_s: Callable[[Interaction], float | None],
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.callers = callers
        self._staffing = staffing
        self._position = position
        self.doors = Doors(step, staffing, waiting_in=self.waiting_in, expected_wait_s=expected_wait_s)
        self._expected_wait_s = expected_wait_s
        self._watched: dict[QueueId, QueueSettings] = {}
        self._watched_of: Settings | None = None

    # --- the way in ---------------------------------------------------------------------------------------------------
    def enqueue(
        self,
        interaction: Interaction,
        queue: QueueId,
        *,
        rank: int = 1,
        waiting_since_s: float | None = None,
        only: AgentId | None = None,
        only_until_s: float | None = None,
    ) -> None:
        """Into a queue, or out of its door. `only`: nobody but this agent may take it (until `only_until_s`)."""
        step, now = self.step, self.step.now
        if interaction.state is InteractionState.MENU:
            interaction = self.ledger.menu_segment(interaction, FlowEnd.TO_PEOPLE)
        is_back = interaction.state in HAS_TALKED
        visit = self.visit_to(
            interaction, queue, rank=rank, waiting_since_s=waiting_since_s, only=only, only_until_s=only_until_s
        )
        interaction = self.ledger.put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.REQUEUE if is_back else InteractionStep.ENQUEUE),
                queue=queue,
                visit=visit,
                visits=interaction.visits + 1,
                hops=interaction.hops + 1,
            )
        )
        if interaction.outbound is None or interaction.outbound.is_reached:
            self._begins(interaction, queue)
        way = self.doors.entrance(interaction, visit, is_back=is_back)
        if way is not None:
            self._leave_by(interaction, way)
            return
        if not interaction.is_answered:
            interaction = self.callers.answer(interaction)
        config = step.queue_settings(queue, interaction)
        if config.max_wait_s is not None and interaction.holds_the_line():
            step.deadlines.set(DeadlineKind.MAX_WAIT, interaction.id, now.mono_s + config.max_wait_s)
        if only is not None and only_until_s is not None:
            step.deadlines.set(DeadlineKind.PREFERRED, interaction.id, only_until_s)
        self._look_again(interaction, visit)
        self.ledger.notice(interaction, NoticeKind.QUEUED)
        step.to_entertain[interaction.id] = None

    def _begins(self, interaction: Interaction, queue: QueueId) -> None:
        counters = expected_wait.arrived(self.step.queues.get(queue) or QueueCounters(), self.step.now.utc_s)
        if interaction.kind == MESSAGE:
            counters = replace(counters, messages=counters.messages + 1)
        self.step.put_queue(queue, stats.began(counters))

    def counts_from_now(self, interaction: Interaction) -> None:
        """Somebody for whom an agent was looked for has answered: from now on they wait there."""
        if interaction.visit is None:
            return
        queue = interaction.visit.queue
        self._begins(interaction, queue)
        longest_s = self.step.queue_settings(queue, interaction).max_wait_s
        if longest_s is not None:
            self.step.deadlines.set(DeadlineKind.MAX_WAIT, interaction.id, self.step.now.mono_s + longest_s)

    def refusal(self, interaction: Interaction, queue: QueueId, *, only: AgentId | None = None) -> VisitOutcome | None:
        """How `queue` would refuse the interaction at its door now; None: it would take it. Nothing is changed."""
        counters = self.step.queues.get(queue) or QueueCounters()
        before = self.step.queues.get(queue)
        visit = self.visit_to(interaction, queue, only=only)
        self.step.queues.put(queue, stats.began(counters))
        way = self.doors.entrance(interaction, visit, is_back=False)
        if before is None:
            self.step.queues.drop(queue)
        else:
            self.step.queues.put(queue, before)
        return None if way is None else way.outcome

    def visit_to(
        self,
        interaction: Interaction,
        queue: QueueId,
        *,
        rank: int = 1,
        waiting_since_s: float | None = None,
        only: AgentId | None = None,
        only_until_s: float | None = None,
    ) -> Visit:
        """The visit as it would begin now. Nothing is changed."""
        config, settings = self.step.queue_settings(queue, interaction), self.step.settings
        priority = config.priority if interaction.priority is None else interaction.priority
        return Visit(
            number=interaction.visits,
            queue=queue,
            entered=self.step.now,
            waiting_since_s=self.step.now.mono_s if waiting_since_s is None else waiting_since_s,
            rank=rank,
            requires=requirements.together(config, interaction.needs, interaction.requires),
            priority=max(priority, settings.callers.vip_priority) if interaction.is_vip else priority,
            only=only,
            only_until_s=only_until_s,
        )

    def waiting_in(self, queue: QueueId) -> int:
        """Who waits in the queue, those whose agent's phone rings included. Who is to be called back, or has left a message, does not
        wait on a line, and takes nobody's place."""
        counters = self.step.queues.get(queue)
        if counters is None:
            return 0
        waiting = counters.offered - sum(counters.outcomes.values()) - counters.messages
        config = self.step.settings.queues.get(queue)
        if config is None or config.callback is None:
            return waiting
        called_back = sum(
            1 for i in self.step.interactions.values() if i.kind == CALLBACK and i.visit is not None and i.visit.queue == queue
        )
        return waiting - called_back

    # --- meanwhile ----------------------------------------------------------------------------------------------------
    def entertain(self, interaction: Interaction) -> None:
        """What is to be said now, then music; asked once the matcher has had its say. Nothing is said while a phone rings for
        the caller, nor while the caller is being asked something."""
        visit = interaction.visit
        if interaction.state not in (InteractionState.WAITING, InteractionState.OFFERED) or visit is None:
            return
        if interaction.leg is None or (interaction.after is not None and interaction.after.kind is AfterKind.CALLBACK):
            return
        if interaction.state is InteractionState.OFFERED or interaction.is_missing:
            # Who is missing has no place in the queue until they are heard of.
            self.wait(interaction)
            return
        config = self.step.queue_settings(visit.queue, interaction)
        told = self._told(interaction, visit, config)
        announced_s = visit.announced_wait_s
        if told.says_wait and announced_s is None:
            announced_s = self._expected_wait_s(interaction)
        visit = replace(visit, told_s=self.step.now.mono_s, announced_wait_s=announced_s)
        interaction = self.ledger.put(replace(interaction, visit=visit))
        if told.say:
            self.callers.say(interaction, told.say, After(kind=AfterKind.KEEP_WAITING), stop_digits=told.key)
        else:
            self.wait(interaction)

    def wait(self, interaction: Interaction) -> None:
        """Music, until there is something to say or the key for a callback is pressed."""
        session, visit = self.step.caller_session(interaction), interaction.visit
        if session is None or visit is None:
            return
        config, now_s = self.step.queue_settings(visit.queue, interaction), self.step.now.mono_s
        if interaction.kind == OUTBOUND and interaction.agent is None:
            # Whoever was called hears that the line is there, and no music.
            self.step.speak(WaitUntil(session=session, music=COMFORT))
            return
        is_reached = interaction.kind == CALLBACK
        timeout_s = None if is_reached else announcements.next_s(config, visit, now_s)
        # An agent who waits for a colleague may begin a key: the customer is waiting for the agent.
        key = first_digits(self.step.settings.keys) if interaction.kind == CONSULT else ""
        if config.callback is not None and interaction.kind == VOICE:
            key = config.callback.key if self._is_callback_offered(interaction, visit, config.callback) else ""
        self.step.speak(WaitUntil(session=session, music=config.music, timeout_s=timeout_s, stop_digits=key))

    def _told(self, interaction: Interaction, visit: Visit, config: QueueSettings) -> announcements.Told:
        if interaction.kind in (CALLBACK, OUTBOUND):
            return announcements.Told((), False, "")
        needs_position = config.announce_position_every_s is not None
        return announcements.due(
            config,
            visit,
            self.step.now.mono_s,
            position=self._position(interaction.id) if needs_position else 1,
            expected_s=self._expected_if_asked(interaction, config),
        )

    def _is_callback_offered(self, interaction: Interaction, visit: Visit, rules: CallbackRules) -> bool:
        expected_s = self._expected_wait_s(interaction) if rules.offer_above_expected_s is not None else None
        return announcements.is_offered(rules, visit, self.step.now.mono_s, expected_s)

    def _expected_if_asked(self, interaction: Interaction, config: QueueSettings) -> float | None:
        is_asked = config.announce_wait or (config.callback is not None and config.callback.offer_above_expected_s is not None)
        return self._expected_wait_s(interaction) if is_asked else None

    # --- the rules while waiting --------------------------------------------------------------------------------------
    def reconsider(self, interaction: Interaction) -> None:
        """Whether it may go on waiting. While an agent's phone rings, that comes first."""
        visit, after = interaction.visit, interaction.after
        is_asked = after is not None and after.kind is AfterKind.CALLBACK
        if interaction.state is not InteractionState.WAITING or visit is None or is_asked:
            return
        way = self.doors.inside(interaction, visit)
        if way is not None:
            self.step.about = interaction.id
            self._leave_by(interaction, way)
        else:
            self._look_again(interaction, visit)

    def reconsider_all(self, queue: QueueId) -> None:
        """Everybody who waits there, the newest first: who came last goes first where a ratio is the rule."""
        for interaction in reversed(self.step.interactions.values()):
            if interaction.visit is not None and interaction.visit.queue == queue:
                self.reconsider(interaction)

    def staff_left(self, agents: Iterable[AgentId]) -> None:
        """After a step that touched `agents`: whoever waits where one of them no longer counts is looked at."""
        watched = self._queues_watched()
        clockwork = self.step.clockwork
        if not watched or not (clockwork.is_linked and clockwork.is_observed):
            return
        left = list(agents)
        for queue, config in watched.items():
            if self.waiting_in(queue) and any(not self._staffing.counts(agent, config.stays_while) for agent in left):
                self.reconsider_all(queue)

    def _queues_watched(self) -> dict[QueueId, QueueSettings]:
        """The queues with a rule that goes by who is there."""
        settings = self.step.settings
        if self._watched_of is not settings:
            self._watched = {
                queue: config
                for queue, config in settings.queues.items()
                if config.on_deserted is not None or any(rule.by in GOES_BY_STAFF for rule in config.overflow)
            }
            self._watched_of = settings
        return self._watched

    def _look_again(self, interaction: Interaction, visit: Visit) -> None:
        at_s = self.doors.look_again_at(interaction, visit) if interaction.holds_the_line() else None
        if at_s is not None:
            self.step.deadlines.set(DeadlineKind.OVERFLOW, interaction.id, at_s)

    # --- the ways out -------------------------------------------------------------------------------------------------
    def _leave_by(self, interaction: Interaction, way: WayOut) -> None:
        if way.exit.kind is ExitKind.CALLBACK:
            # They keep the place until it is known whether they want to be called back.
            self.take_exit(interaction, way.exit)
            return
        only = interaction.visit.only if interaction.visit is not None and interaction.visit.only_until_s is None else None
        self.ledger.end_visit(interaction, BY_EXIT.get(way.exit.kind, way.outcome))
        exit_ = replace(way.exit, target=only) if way.exit.kind is ExitKind.MESSAGE and only is not None else way.exit
        self.take_exit(self.step.interactions[interaction.id], exit_)

    def take_exit(self, interaction: Interaction, way: Exit) -> None:
        """Leave a queue by one of its exits. The visit is over already."""
        if interaction.kind == CONSULT and way.kind not in FOR_AGENTS:
            self.step.tell(ConsultFailed(interaction.id))
            return
        if way.kind is ExitKind.CALLBACK:
            self.step.tell(CallbackOffered(interaction.id, way))
            return
        if way.prompt is not None and self.step.caller_session(interaction) is not None:
            after = After(kind=AfterKind.EXIT, exit=replace(way, prompt=None))
            self.callers.say(interaction, (Spoken(SpokenKind.PROMPT, way.prompt),), after)
            return
        take = {
            ExitKind.QUEUE: self._to_queue,
            ExitKind.AGENT: self._to_agent,
            ExitKind.NODE: self._to_node,
            ExitKind.FLOW: self._to_flow,
            ExitKind.EXTENSION: self._to_extension,
            ExitKind.NUMBER: self._to_number,
            ExitKind.MESSAGE: self._to_message,
        }.get(way.kind)
        if take is None:
            self.callers.release(interaction)
        else:
            take(interaction, way.target)

    def _to_queue(self, interaction: Interaction, target: str) -> None:
        if interaction.hops < self.step.settings.limits.hops_max:
            self.enqueue(interaction, QueueId(target), waiting_since_s=self.step.now.mono_s - interaction.wait_s)
        else:
            self.callers.release(interaction)

    def _to_agent(self, interaction: Interaction, target: str) -> None:
        if interaction.hops < self.step.settings.limits.hops_max:
            since_s = self.step.now.mono_s - interaction.wait_s
            self.enqueue(interaction, DIRECT, waiting_since_s=since_s, only=AgentId(target))
        else:
            self.callers.release(interaction)

    def _to_node(self, interaction: Interaction, target: str) -> None:
        if interaction.flow is None:
            self.callers.release(interaction)
        else:
            self.step.tell(BackToMenu(interaction.id, None, NodeId(target)))

    def _to_flow(self, interaction: Interaction, target: str) -> None:
        self.step.tell(BackToMenu(interaction.id, FlowId(target), None))

    def _to_extension(self, interaction: Interaction, target: str) -> None:
        self.callers.hand_over(interaction, target)

    def _to_number(self, interaction: Interaction, target: str) -> None:
        if not interaction.is_answered:
            interaction = self.callers.answer(interaction)
        self.step.tell(NumberWanted(interaction.id, target))

    def _to_message(self, interaction: Interaction, target: str) -> None:
        way = Exit(kind=ExitKind.MESSAGE, target=target)
        if self.step.caller_session(interaction) is None:
            # Between two sessions; when they come back, they are asked.
            self.ledger.put(replace(interaction, after=After(kind=AfterKind.EXIT, exit=way)))
        else:
            self.callers.record_message(interaction, way)

    def leave(self, interaction: Interaction, *, is_lost: bool) -> Interaction:
        """The caller is gone; a short wait is counted apart."""
        visit = interaction.visit
        if visit is None:
            return interaction
        short_s = self.step.queue_settings(visit.queue, interaction).short_abandon_s
        if is_lost:
            outcome = VisitOutcome.LOST
        elif self.step.now.mono_s - visit.waiting_since_s < short_s:
            outcome = VisitOutcome.SHORT_ABANDONED
        else:
            outcome = VisitOutcome.ABANDONED
        return self.ledger.end_visit(interaction, outcome)

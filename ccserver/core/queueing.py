"""Waiting in a queue: its doors, what the caller hears meanwhile, and the ways out.

Which rule wins at the door: closed, then full, then unstaffed. While an agent's phone rings, that comes before every rule that would
send the caller elsewhere; such a rule is looked at again when the offer is over.
"""

from collections.abc import Callable
from dataclasses import replace

from ccserver.core import requirements, stats
from ccserver.core.callers import Callers, prompt
from ccserver.core.commands import WaitUntil
from ccserver.core.facts import BackToMenu
from ccserver.core.hours import is_open
from ccserver.core.ids import InteractionId, NodeId, QueueId
from ccserver.core.ledger import Ledger
from ccserver.core.records import NoticeKind, VisitOutcome
from ccserver.core.settings import Exit, ExitKind, Requirement, Spoken, SpokenKind
from ccserver.core.state import After, AfterKind, DeadlineKind, Interaction, QueueCounters, Visit
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance


class Queueing:
    """`position` is an interaction's place in its queue; `is_staffed` whether anybody logged in could serve a class."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        callers: Callers,
        *,
        position: Callable[[InteractionId], int],
        waiting_in: Callable[[QueueId], int],
        is_staffed: Callable[[QueueId, Requirement], bool],
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.callers = callers
        self._position = position
        self._waiting_in = waiting_in
        self._is_staffed = is_staffed

    # --- the way in ----------------------------------------------------------------------------------------------------
    def enqueue(self, interaction: Interaction, queue: QueueId, *, rank: int = 1, waiting_since_s: float | None = None) -> None:
        """Into a queue, or out of its door: closed, full, unstaffed."""
        step, now = self.step, self.step.now
        if interaction.state is InteractionState.MENU:
            interaction = self.ledger.menu_segment(interaction)
        what = InteractionStep.REQUEUE if interaction.state is InteractionState.RETURNING else InteractionStep.ENQUEUE
        config = step.queue_settings(queue, interaction)
        requires = requirements.together(config, interaction.needs, interaction.requires)
        visit = Visit(
            number=interaction.visits,
            queue=queue,
            entered=now,
            waiting_since_s=now.mono_s if waiting_since_s is None else waiting_since_s,
            rank=rank,
            requires=requires,
            priority=config.priority if interaction.priority is None else interaction.priority,
        )
        interaction = self.ledger.put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, what),
                queue=queue,
                visit=visit,
                visits=interaction.visits + 1,
                hops=interaction.hops + 1,
            )
        )
        step.queues.put(queue, stats.began(step.queues.get(queue) or QueueCounters()))
        is_requeue = what is InteractionStep.REQUEUE
        if config.hours is not None and not is_open(step.settings_of(interaction).hours[config.hours], now.utc_s):
            self._refuse(interaction, VisitOutcome.REFUSED_CLOSED, config.on_closed)
        elif not is_requeue and config.max_waiting is not None and self._waiting_in(queue) >= config.max_waiting:
            self._refuse(interaction, VisitOutcome.REFUSED_FULL, config.on_full)
        elif not is_requeue and config.on_unstaffed is not None and not self._is_staffed(queue, requires):
            self._refuse(interaction, VisitOutcome.REFUSED_UNSTAFFED, config.on_unstaffed)
        else:
            if not interaction.is_answered:
                interaction = self.callers.answer(interaction)
            if config.max_wait_s is not None:
                step.deadlines.set(DeadlineKind.MAX_WAIT, interaction.id, now.mono_s + config.max_wait_s)
            self.ledger.notice(interaction, NoticeKind.QUEUED)
            step.to_entertain[interaction.id] = None

    def entertain(self, interaction: Interaction) -> None:
        """Position, where the queue announces it, then music; asked once the matcher has had its say."""
        if interaction.state not in (InteractionState.WAITING, InteractionState.OFFERED) or interaction.visit is None:
            return
        config = self.step.queue_settings(interaction.visit.queue, interaction)
        if config.announce_position_every_s is None or interaction.state is InteractionState.OFFERED:
            self.wait(interaction)
            return
        place = self._position(interaction.id)
        if place == 1:
            say: tuple[Spoken, ...] = (prompt("cc-queue-next"),)
        else:
            say = (prompt("cc-queue-position"), Spoken(SpokenKind.NUMBER, str(place)))
        self.callers.say(interaction, say, After(kind=AfterKind.KEEP_WAITING))

    def wait(self, interaction: Interaction) -> None:
        session = self.step.caller_session(interaction)
        if session is not None and interaction.visit is not None:
            config = self.step.queue_settings(interaction.visit.queue, interaction)
            self.step.speak(WaitUntil(session=session, music=config.music, timeout_s=config.announce_position_every_s))

    def _refuse(self, interaction: Interaction, outcome: VisitOutcome, way: Exit) -> None:
        self.ledger.end_visit(interaction, outcome)
        self.take_exit(self.step.interactions[interaction.id], way)

    def take_exit(self, interaction: Interaction, way: Exit) -> None:
        """Leave a queue by one of its exits. The visit is over already."""
        if way.prompt is not None and self.step.caller_session(interaction) is not None:
            after = After(kind=AfterKind.EXIT, exit=replace(way, prompt=None))
            self.callers.say(interaction, (Spoken(SpokenKind.PROMPT, way.prompt),), after)
        elif way.kind is ExitKind.QUEUE and interaction.hops < self.step.settings.limits.hops_max:
            self.enqueue(interaction, QueueId(way.target), waiting_since_s=self.step.now.mono_s - interaction.wait_s)
        elif way.kind is ExitKind.EXTENSION:
            self.callers.hand_over(interaction, way.target)
        elif way.kind is ExitKind.NODE and interaction.flow is not None:
            self.step.tell(BackToMenu(interaction.id, NodeId(way.target)))
        else:
            self.callers.release(interaction)

    # --- the ways out -------------------------------------------------------------------------------------------------
    def max_wait_reached(self, interaction: Interaction) -> None:
        """The longest wait. While an agent's phone rings, that comes first: see `offer_over`."""
        if interaction.state is InteractionState.WAITING and interaction.visit is not None:
            way = self.step.queue_settings(interaction.visit.queue, interaction).on_max_wait
            self._refuse(interaction, VisitOutcome.OVERFLOWED, way)

    def offer_over(self, interaction: Interaction) -> None:
        """An offer ended without a talk. Who has waited too long by now leaves; while the phone rang, that came first."""
        visit = interaction.visit
        config = self.step.queue_settings(visit.queue, interaction) if visit is not None else None
        if visit and config and config.max_wait_s and visit.entered.mono_s + config.max_wait_s <= self.step.now.mono_s:
            self.max_wait_reached(interaction)

    def leave(self, interaction: Interaction, *, is_lost: bool) -> Interaction:
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

"""The rules by which a queue does not take an interaction, or does not keep it. They are asked, and change nothing.

At the entrance, first to last: closed by hand, closed by its hours, full, unstaffed, an overflow rule. While waiting: closed by hand,
closed by its hours (if callers are not served out), deserted, waited too long, an overflow rule. Who was in a talk already and comes
back (the agent's line broke, a transfer failed) is asked the first rule only. Whom a campaign called is asked none. A request to be
called back and a message wait whatever the doors say: the one obeys the hours at which its customer may be called, the other rests
while its queue is closed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ccserver.core.ids import QueueId
from ccserver.core.opening import Opening
from ccserver.core.records import VisitOutcome
from ccserver.core.settings import (
    AgentNode,
    Exit,
    ExitKind,
    Overflow,
    OverflowBy,
    QueueSettings,
    StaffRules,
)
from ccserver.core.staffing import Staffing
from ccserver.core.state import Interaction, Visit
from ccserver.core.step import Step

LOOK_AGAIN_S = 15.0
"""How often a waiting caller's expected wait is held against the overflow rules: it has no instant of its own."""

SAME_S = 0.001
"""Times closer than this are the same: a sum of seconds is not exact to the last digit, above all after a restart."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """`outcome` is the visit's."""

    outcome: VisitOutcome
    exit: Exit


class Doors:
    """`waiting_in` counts the callers of a queue, `expected_wait_s` may not know (None)."""

    def __init__(
        self,
        step: Step,
        staffing: Staffing,
        *,
        waiting_in: Callable[[QueueId], int],
        expected_wait_s: Callable[[Interaction], float | None],
    ) -> None:
        self._step = step
        self._staffing = staffing
        self._opening = Opening(step)
        self._waiting_in = waiting_in
        self._expected_wait_s = expected_wait_s

    def entrance(self, interaction: Interaction, visit: Visit, *, is_back: bool) -> WayOut | None:
        """Why `visit`, which is to begin now, may not; None when it may. It counts as waiting already."""
        config = self._step.queue_settings(visit.queue, interaction)
        closed = self._step.closed.get(visit.queue)
        if not interaction.holds_the_line() or interaction.outbound is not None:
            return None
        if closed is not None:
            return WayOut(VisitOutcome.REFUSED_CLOSED, Exit(kind=ExitKind.HANG_UP, prompt=closed.prompt))
        if is_back:
            return None
        if not self.is_open(interaction, config):
            return WayOut(VisitOutcome.REFUSED_CLOSED, config.on_closed)
        if config.max_waiting is not None and self._waiting_in(visit.queue) > config.max_waiting:
            return WayOut(VisitOutcome.REFUSED_FULL, config.on_full)
        unanswered = self._no_answer(interaction, visit)
        on_unstaffed = unanswered or config.on_unstaffed
        if on_unstaffed is not None and not self._staffing.is_staffed(visit, config.joins_when):
            return WayOut(VisitOutcome.REFUSED_UNSTAFFED, on_unstaffed)
        return self._overflow(interaction, visit, config, config.joins_when, is_entering=True)

    def inside(self, interaction: Interaction, visit: Visit) -> WayOut | None:
        """Why a visit may not go on; None when it may."""
        config = self._step.queue_settings(visit.queue, interaction)
        closed = self._step.closed.get(visit.queue)
        if not interaction.holds_the_line() or interaction.outbound is not None:
            return None
        if closed is not None:
            return WayOut(VisitOutcome.REFUSED_CLOSED, Exit(kind=ExitKind.HANG_UP, prompt=closed.prompt))
        is_back = visit.rank == 0  # was in a talk already, perhaps after the hours
        if config.on_closing is not None and not is_back and not self.is_open(interaction, config):
            return WayOut(VisitOutcome.REFUSED_CLOSED, config.on_closing)
        if config.on_deserted is not None and not self._staffing.is_staffed(visit, config.stays_while):
            return WayOut(VisitOutcome.OVERFLOWED, config.on_deserted)
        if config.max_wait_s is not None and visit.entered.mono_s + config.max_wait_s <= self._step.now.mono_s + SAME_S:
            return WayOut(VisitOutcome.OVERFLOWED, self._no_answer(interaction, visit) or config.on_max_wait)
        return self._overflow(interaction, visit, config, config.stays_while, is_entering=False)

    def look_again_at(self, interaction: Interaction, visit: Visit) -> float | None:
        """When an overflow rule may hold that does not hold now (monotonic seconds); None when only an event can bring that
        about: an agent who leaves is looked at when it happens."""
        now_s = self._step.now.mono_s
        times = []
        for rule in self._step.queue_settings(visit.queue, interaction).overflow:
            if rule.by is OverflowBy.WAIT_S and visit.waiting_since_s + rule.above > now_s + SAME_S:
                times.append(visit.waiting_since_s + rule.above)
            elif rule.by is OverflowBy.EXPECTED_WAIT_S:
                times.append(now_s + LOOK_AGAIN_S)
        return min(times, default=None)

    def is_open(self, interaction: Interaction, config: QueueSettings) -> bool:
        """Whether the queue's hours include this instant. Without hours it is open."""
        return self._opening.is_open(config.hours, interaction)

    def _overflow(
        self, interaction: Interaction, visit: Visit, config: QueueSettings, rules: StaffRules, *, is_entering: bool
    ) -> WayOut | None:
        for rule in config.overflow:
            if self._exceeds(interaction, visit, rule, rules, is_entering=is_entering):
                return WayOut(VisitOutcome.OVERFLOWED, rule.exit)
        return None

    def _exceeds(self, interaction: Interaction, visit: Visit, rule: Overflow, rules: StaffRules, *, is_entering: bool) -> bool:
        match rule.by:
            case OverflowBy.WAIT_S:
                # Not `>`: the deadline is set for this very instant.
                return self._step.now.mono_s - visit.waiting_since_s + SAME_S >= rule.above
            case OverflowBy.EXPECTED_WAIT_S:
                expected_s = self._expected_wait_s(interaction)
                return expected_s is not None and expected_s > rule.above
            case OverflowBy.SIZE:
                # Only who comes makes a queue too long, and goes on; nobody leaves it for that later.
                return is_entering and self._waiting_in(visit.queue) > rule.above
            case OverflowBy.RATIO:
                return self._waiting_in(visit.queue) > rule.above * len(self._staffing.staff(visit, rules))

    def _no_answer(self, interaction: Interaction, visit: Visit) -> Exit | None:
        """Where the flow's own agent node sends a direct call that is not taken."""
        flow = self._step.settings_of(interaction).flows.get(interaction.flow) if interaction.flow else None
        node = flow.nodes.get(interaction.node) if flow and interaction.node else None
        if isinstance(node, AgentNode) and node.agent == visit.only and node.on_no_answer is not None:
            return Exit(kind=ExitKind.NODE, target=node.on_no_answer)
        return None

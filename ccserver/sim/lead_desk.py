"""The edge that serves the center's orders of leads, on a database that is quick, slow, stalls, refuses or fails by chance.

Orders are done one after the other, on a thread of their own; they die with the daemon, though the one under way may have been done. What
the center tells is written behind by another thread, in order, and survives.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ccserver.core.claimed import claimed_leads, known_attempts
from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.events import AttemptStored, LeadsClaimed, StoreEnd
from ccserver.core.ids import AttemptId, CommandId
from ccserver.core.records import AttemptRecord, DoNotCallRecord, Record
from ccserver.core.state import CenterState
from ccserver.sim.agenda import Agenda, Entry
from ccserver.sim.leads import LeadBook, MayNotDial
from ccserver.sim.wire import Wire

Order = ClaimLeads | GiveBackLeads | StoreAttempt

QUICK_S, SLOW_S, STALL_S = (0.002, 0.02), (0.3, 3.0), (20.0, 45.0)
WRITTEN_S = (0.01, 0.3)
UNREAD_RATIO, SLOW_SOLE_RATIO, SLOW_SOLE_S = 0.05, 0.15, (0.4, 5.0)
"""Of attempts that no campaign makes: an agent waits for them, and not for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHabits:
    """Ratios are 0 to 1, per order."""

    slow_ratio: float = 0.02
    stall_ratio: float = 0.0
    failed_ratio: float = 0.0
    """Told as failed; half of them were done all the same."""
    refused_ratio: float = 0.0
    """Attempts that are refused for a reason that only the database knows."""


WELL = DatabaseHabits()


class LeadDesk:
    """`facts` fills in the sheet of a number on no list."""

    def __init__(
        self,
        agenda: Agenda,
        chance: Random,
        wire: Wire,
        utc_s: Callable[[], float],
        *,
        habits: DatabaseHabits = WELL,
        facts: Callable[[FactSheet], FactSheet] = lambda sheet: sheet,
    ) -> None:
        self.book = LeadBook(facts)
        self.habits = habits
        self._agenda = agenda
        self._chance = chance
        self._wire = wire
        self._utc_s = utc_s
        self._orders: deque[tuple[CommandId, Order]] = deque()
        self._under_way: Entry | None = None
        self._unwritten: deque[AttemptRecord | DoNotCallRecord] = deque()

    # --- orders ---------------------------------------------------------------------------------------------------------
    def perform(self, command_id: CommandId, order: Order) -> None:
        self._orders.append((command_id, order))
        if self._under_way is None:
            self._begin()

    def _begin(self) -> None:
        self._under_way = self._agenda.after(self._takes_s(self._orders[0][1]), self._do) if self._orders else None

    def _failed_ratio(self, order: Order) -> float:
        return UNREAD_RATIO if _is_sole(order) else self.habits.failed_ratio

    def _takes_s(self, order: Order) -> float:
        luck, habits = self._chance.random(), self.habits
        if luck < habits.stall_ratio:
            return self._chance.uniform(*STALL_S)
        if _is_sole(order) and luck < habits.stall_ratio + SLOW_SOLE_RATIO:
            return self._chance.uniform(*SLOW_SOLE_S)
        return self._chance.uniform(*(SLOW_S if luck < habits.stall_ratio + habits.slow_ratio else QUICK_S))

    def _do(self) -> None:
        command_id, order = self._orders.popleft()
        is_failed = self._chance.random() < self._failed_ratio(order)
        end = None if is_failed and self._chance.random() < 0.5 else self._end_of(command_id, order)
        if is_failed:
            end = _failed(command_id, order)
        if end is not None:
            if isinstance(end, AttemptStored) and end.end is StoreEnd.STORED:
                self.book.calls[end.attempt].is_told = True
            self._wire.own(end)
        self._begin()

    def _end_of(self, command_id: CommandId, order: Order) -> LeadsClaimed | AttemptStored | None:
        now_s = self._utc_s()
        if isinstance(order, ClaimLeads):
            leads, ready, next_s = self.book.claim(order, now_s)
            return LeadsClaimed(
                command=command_id, campaign=order.campaign, is_ok=True, leads=leads, ready=ready, next_utc_s=next_s
            )
        if isinstance(order, GiveBackLeads):
            self.book.give_back(order)
            return None
        if self._chance.random() < self.habits.refused_ratio:
            return _refused(command_id, order.attempt, "another daemon dials it")
        try:
            sheet = self.book.store(order, now_s)
        except MayNotDial as refusal:
            return _refused(command_id, order.attempt, str(refusal))
        return AttemptStored(command=command_id, attempt=order.attempt, end=StoreEnd.STORED, sheet=sheet)

    # --- history ----------------------------------------------------------------------------------------------------------
    def told(self, record: Record) -> None:
        """The journal has it: it comes into the database, whatever befalls."""
        if isinstance(record, AttemptRecord | DoNotCallRecord):
            self._unwritten.append(record)
            self._agenda.after(self._chance.uniform(*WRITTEN_S), self._write)

    def _write(self) -> None:
        """The eldest: not sooner than it was told."""
        if not self._unwritten:
            return
        record = self._unwritten.popleft()
        if isinstance(record, AttemptRecord):
            self.book.settle(record)
        else:
            self.book.ask_not_to_call(record.number, record.at_utc_s)

    # --- the daemon's life ------------------------------------------------------------------------------------------------
    def daemon_died(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            self._under_way = None
            if self._orders and self._chance.random() < 0.5:
                self._end_of(*self._orders[0])
        self._orders.clear()

    def daemon_started(self, state: CenterState) -> None:
        """History is caught up with, and then is sorted out what the center that was restored does not know of."""
        while self._unwritten:
            self._write()
        self.book.take_over(known_attempts(state), claimed_leads(state), self._utc_s())


def _is_sole(order: Order) -> bool:
    return isinstance(order, StoreAttempt) and order.campaign is None


def _refused(command_id: CommandId, attempt: AttemptId, why: str) -> AttemptStored:
    return AttemptStored(command=command_id, attempt=attempt, end=StoreEnd.REFUSED, why=why)


def _failed(command_id: CommandId, order: Order) -> LeadsClaimed | AttemptStored | None:
    if isinstance(order, ClaimLeads):
        return LeadsClaimed(command=command_id, campaign=order.campaign, is_ok=False)
    if isinstance(order, StoreAttempt):
        return AttemptStored(command=command_id, attempt=order.attempt, end=StoreEnd.FAILED, why="the database failed")
    return None

"""The center's orders of leads and attempts, performed on one thread of their own, in order. Attempts that no campaign makes go before the
rest: an agent waits at a phone for them.

Nothing is done before that is sorted out which a dead daemon left. Whatever the database does, each order has its end: one that fails is
told as failed, and nothing is tried again here, since the center asks again. A claim that is not given back lapses by itself.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import structlog

from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.events import AttemptStored, LeadsClaimed, StoreEnd
from ccserver.core.ids import CommandId
from ccserver.store.lead_orders import NOTHING_KNOWN, KnownCalls, LeadOrders

MEND = "look at the database and the registers (`ccserver db check`, `ccserver register verify`); it is tried again"
Order = ClaimLeads | GiveBackLeads | StoreAttempt

log = structlog.stdlib.get_logger(__name__)


FIRST, IN_ORDER, LAST = range(3)


@dataclass(frozen=True, slots=True, order=True)
class _Job:
    """`do` None: there is nothing more to do."""

    rank: int
    number: int
    do: Callable[[], None] | None = field(compare=False)


class LeadDesk:
    """`told` is called on the thread. `written`: waits, for a bounded time, until history has what was told before the start; False: it has
    not. What it tells of attempts must be in the database before the others are taken for lost."""

    def __init__(
        self, orders: LeadOrders, told: Callable[[LeadsClaimed | AttemptStored], None], written: Callable[[], bool]
    ) -> None:
        self._orders = orders
        self._told = told
        self._written = written
        self._known = NOTHING_KNOWN
        self._is_taken_over = False
        self._is_closing = False
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = count()
        self._thread = threading.Thread(target=self._run, name="lead-desk", daemon=True)
        self.failures = 0

    def start(self, known: KnownCalls) -> None:
        """`known`: what the center knows that was restored."""
        self._known = known
        self._put(self._tidy, FIRST)
        self._thread.start()

    def perform(self, command_id: CommandId, command: Order) -> None:
        """Never raises, never waits."""
        is_waited_for = isinstance(command, StoreAttempt) and command.campaign is None
        self._put(lambda: self._do(command_id, command), FIRST if is_waited_for else IN_ORDER)

    def tidy(self) -> None:
        """To be called once in a while."""
        self._put(self._tidy, IN_ORDER)

    @property
    def backlog(self) -> int:
        return self._jobs.qsize()

    def close(self, timeout_s: float) -> bool:
        """Leads are still given back; nothing is claimed or stored any more, and nobody hears of it. False: the database kept it from
        that."""
        self._is_closing = True
        if not self._thread.ident:
            return True
        self._put(None, LAST)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _put(self, do: Callable[[], None] | None, rank: int) -> None:
        self._jobs.put(_Job(rank, next(self._numbers), do))

    # --- the thread -----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while (do := self._jobs.get().do) is not None:
            do()
        self._orders.close()

    def _tidy(self) -> None:
        try:
            if self._take_over():
                self._orders.give_up()
        except Exception as error:  # whatever a driver may raise: the thread must not end
            self._failed("leads.not_tidied", error)

    def _take_over(self) -> bool:
        """Whether what a dead daemon left is sorted out."""
        if not self._is_taken_over and self._written():
            self._orders.take_over(self._known)
            self._is_taken_over, self._known = True, NOTHING_KNOWN
        return self._is_taken_over

    def _do(self, command_id: CommandId, command: Order) -> None:
        if self._is_closing and not isinstance(command, GiveBackLeads):
            return
        try:
            end = self._end_of(command_id, command)
        except Exception as error:  # the center waits for an end
            self._failed("lead_order.failed", error, order=type(command).__name__, campaign=command.campaign)
            end = _failed_end(command_id, command, error)
        if end is not None and not self._is_closing:
            self._told(end)

    def _end_of(self, command_id: CommandId, command: Order) -> LeadsClaimed | AttemptStored | None:
        if not self._take_over():
            raise NotYet("history has not caught up with what the last daemon did")
        if isinstance(command, ClaimLeads):
            return self._orders.claim(command_id, command)
        if isinstance(command, StoreAttempt):
            return self._orders.store(command_id, command)
        self._orders.give_back(command)
        return None

    def _failed(self, what: str, error: Exception, **told: object) -> None:
        self.failures += 1
        log.error(what, reason=str(error), kind=type(error).__name__, mend=MEND, **told)


class NotYet(Exception):
    """An order came before what a dead daemon left was sorted out. It is given again."""


def _failed_end(command_id: CommandId, command: Order, error: Exception) -> LeadsClaimed | AttemptStored | None:
    if isinstance(command, ClaimLeads):
        return LeadsClaimed(command=command_id, campaign=command.campaign, is_ok=False)
    if isinstance(command, StoreAttempt):
        why = f"the database failed: {type(error).__name__}"
        return AttemptStored(command=command_id, attempt=command.attempt, end=StoreEnd.FAILED, why=why)
    return None

"""What handovers ask of the queues, carried by `center`: engines do not import each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ccserver.core.ids import AgentId, QueueId
from ccserver.core.records import VisitOutcome
from ccserver.core.state import Interaction


class Enqueue(Protocol):
    def __call__(
        self,
        interaction: Interaction,
        queue: QueueId,
        *,
        rank: int = 1,
        waiting_since_s: float | None = None,
        only: AgentId | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Ways:
    """`refusal`: how a queue's door would refuse it now (None: it would not). `leave`: out of the queue, as its caller hung up.
    `excuse`: said to the customer who waits again."""

    enqueue: Enqueue
    refusal: Callable[[Interaction, QueueId], VisitOutcome | None]
    leave: Callable[[Interaction], Interaction]
    excuse: Callable[[Interaction], None]

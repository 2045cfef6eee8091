"""How long an agent may wrap up, by the queue's rule. There is one clock per agent, whatever queues the agent serves."""

from typing import assert_never

from ccserver.core.settings import QueueSettings, WrapUpKind


def first_s(queue: QueueSettings) -> float:
    """Seconds from the end of the talk; 0: none."""
    match queue.wrap_up:
        case WrapUpKind.NONE:
            return 0.0
        case WrapUpKind.TIMED:
            return queue.wrap_up_s
        case WrapUpKind.EXTENDABLE:
            return min(queue.wrap_up_s, queue.wrap_up_max_s)
        case WrapUpKind.UNTIL_DISPOSITION:
            return queue.wrap_up_max_s
        case _:
            assert_never(queue.wrap_up)


def longest_s(queue: QueueSettings) -> float:
    """Seconds from the end of the talk that it may be extended to."""
    return max(first_s(queue), queue.wrap_up_max_s) if queue.wrap_up is WrapUpKind.EXTENDABLE else first_s(queue)


def needs_disposition(queue: QueueSettings) -> bool:
    """Whether only a disposition ends it sooner. Where the queue has none, the agent's word does."""
    return queue.wrap_up is WrapUpKind.UNTIL_DISPOSITION and bool(queue.dispositions)

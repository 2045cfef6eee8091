"""The ways out of queues, wherever they are written, and the queues by where they are written."""

from collections.abc import Iterator, Mapping

from ccserver.config.positions import PathInFile
from ccserver.config.sections import Document
from ccserver.core.ids import QueueId
from ccserver.core.settings import DIRECT, Exit, ExitKind, OverflowBy, QueueSettings

_AT_ONCE = ("on_full", "on_closed", "on_unstaffed")  # may be taken without any waiting
_LATER = ("on_max_wait", "on_closing", "on_deserted")


def all_queues(document: Document) -> Mapping[QueueId, QueueSettings]:
    """The queues of the section `queues`, and that of direct calls, if there are any."""
    direct = document.direct_calls
    return document.queues if direct is None else {**document.queues, DIRECT: direct}


def place_of(queue: QueueId) -> PathInFile:
    """Where the queue is written."""
    return ("direct_calls",) if queue == DIRECT else ("queues", queue)


def exits(queue: QueueSettings | None) -> Iterator[tuple[PathInFile, Exit]]:
    """All of them, with their path below the queue."""
    yield from exits_at_once(queue)
    for key in _LATER:
        yield from _exit(queue, key)
    for index, each in enumerate(queue.overflow if queue is not None else ()):
        if each.by is OverflowBy.WAIT_S:
            yield ("overflow", index, "exit"), each.exit


def exits_at_once(queue: QueueSettings | None) -> Iterator[tuple[PathInFile, Exit]]:
    """Those that a call may be given at the door, without having waited or heard anything."""
    for key in _AT_ONCE:
        yield from _exit(queue, key)
    for index, each in enumerate(queue.overflow if queue is not None else ()):
        if each.by is not OverflowBy.WAIT_S:
            yield ("overflow", index, "exit"), each.exit


def _exit(queue: QueueSettings | None, key: str) -> Iterator[tuple[PathInFile, Exit]]:
    way: Exit | None = getattr(queue, key) if queue is not None else None
    if way is not None:
        yield (key,), way


def next_queue(way: Exit) -> QueueId | None:
    """The queue that the exit itself leads to, if it does."""
    if way.kind is ExitKind.AGENT:
        return DIRECT
    return QueueId(way.target) if way.kind is ExitKind.QUEUE else None


def reached_queues(queue: QueueId, queues: Mapping[QueueId, QueueSettings]) -> list[QueueId]:
    """The queue and all to which its callers may be sent on."""
    found = [queue]
    for each in found:
        for _, way in exits(queues.get(each)):
            target = next_queue(way)
            if target is not None and target not in found:
                found.append(target)
    return found

"""When the center's state is written beside the journal, and when old files go."""

from collections.abc import Callable
from typing import Protocol

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ccserver.core import codec
from ccserver.core.state import CenterState

LOOK_EVERY_S = 5.0
INPUTS_MAX = 20_000
"""Replaying so many takes a second or two: as long as a restart may keep callers waiting."""
AGE_MAX_S = 300.0
AGE_IDLE_S = 6 * 3600.0
"""Also when nothing happens: what an old snapshot remembers is forgotten with it."""

log = structlog.stdlib.get_logger(__name__)


class SnapshotKeeper(Protocol):
    """What is needed of the journal."""

    @property
    def needs_snapshot(self) -> bool: ...
    def snapshot(self, state: bytes, seq: int) -> None: ...
    def prune(self, projected_seq: int) -> None: ...


class Snapshots:
    """`look` is to be called every LOOK_EVERY_S. The state is taken on the reactor (a shallow copy) and written on a thread."""

    def __init__(
        self,
        *,
        journal: SnapshotKeeper,
        take: Callable[[], CenterState],
        projected_seq: Callable[[], int],
        on_thread: Callable[[Callable[[], None]], Deferred[None]],
        seconds: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._take = take
        self._projected_seq = projected_seq
        self._on_thread = on_thread
        self._seconds = seconds
        self._taken_seq = -1
        self._taken_at_s = seconds()
        self._is_writing = False
        self.failed = 0

    def look(self, seq: int) -> Deferred[None] | None:
        """Write a snapshot if one is due; None when none is."""
        inputs = seq - self._taken_seq
        age_s = self._seconds() - self._taken_at_s
        is_old = age_s >= (AGE_MAX_S if inputs else AGE_IDLE_S)
        is_due = self._taken_seq < 0 or self._journal.needs_snapshot or inputs >= INPUTS_MAX or is_old
        if self._is_writing or not is_due:
            return None
        self._is_writing = True
        state, projected = self._take(), self._projected_seq()
        self._taken_seq, self._taken_at_s = state.seq, self._seconds()

        def work() -> None:
            write(self._journal, state, projected)

        done = self._on_thread(work)
        done.addErrback(self._failed)
        done.addBoth(self._written)
        return done

    def _failed(self, failure: Failure) -> None:
        self.failed += 1
        self._taken_seq = -1  # once more at the next look
        log.error("snapshot.failed", reason=failure.getErrorMessage(), mend="free space in state_dir")

    def _written(self, _: None) -> None:
        self._is_writing = False


def write(journal: SnapshotKeeper, state: CenterState, projected_seq: int) -> None:
    """Write `state` and remove what neither a restart nor history needs any more. Takes its time. Raises OSError."""
    journal.snapshot(codec.dump(state), state.seq)
    journal.prune(projected_seq)

"""Works on recordings in the background: interactions that are over, objections, what an earlier process left, and, once a day, age.

On threads of its own (`recording.work.at_once` of them). They are not made to stand back themselves: whoever holds the interpreter
must not be kept waiting. They work in small pieces; the encoders, which do the heavy part, are programs that stand back.
"""

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ccserver.archive.encoders import BadEncoding, NoEncoder
from ccserver.archive.processes import ProgramFailed
from ccserver.config.edges import RecordingEdge
from ccserver.core.ids import InteractionId
from ccserver.daemon.archiving import Archiving, Done, NotSettled
from ccserver.daemon.shelf import OURSELVES, Shelf
from ccserver.store import archive, audit
from ccserver.store.database import Store

LOOK_EVERY_S = 0.25
SETTLE_S = 10.0
"""Asterisk completes a file's header when it closes it, right after the hang-up. One that is not complete after so long (Asterisk
was killed) is taken as it is."""
RETRY_FIRST_S = 5.0
RETRY_MAX_S = 300.0
PURGE_FIRST_S = 60.0
PURGE_EVERY_S = 86_400.0


log = structlog.stdlib.get_logger(__name__)


class _Closing(BaseException):
    """The daemon stops: what is being done is left for the next start."""


@dataclass(slots=True)
class Counts:
    kept: int = 0
    deleted: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Task:
    since_s: float
    """Monotonic seconds."""
    retry_s: float
    not_before_s: float = 0.0
    is_taken: bool = False
    is_told_again: bool = False
    """It came again while it was worked on."""


class Archivist:
    """`on_done` and `on_error` (interaction, error) are called on its threads; after an error (disk full, database busy, no encoder) that
    interaction is tried again, ever less often."""

    def __init__(
        self,
        store: Store,
        edge: RecordingEdge,
        *,
        settle_s: float = SETTLE_S,
        on_done: Callable[[Done], None] | None = None,
        on_error: Callable[[InteractionId | None, Exception], None] | None = None,
    ) -> None:
        self._store = store
        self._shelf = Shelf(store, edge)
        self._work = Archiving(self._shelf, self._go_on_only)
        self._settle_s = settle_s
        self._on_done = on_done
        self._on_error = on_error
        self._changed = threading.Condition()
        self._tasks: dict[InteractionId, _Task] = {}
        self._is_closing = False
        self._is_resumed = False
        self._next_purge_s = time.monotonic() + PURGE_FIRST_S
        self._threads = [
            threading.Thread(target=self._run, args=(number == 0,), name=f"recordings-{number}", daemon=True)
            for number in range(edge.at_once)
        ]
        self.counts = Counts()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, interaction: InteractionId) -> None:
        """One that is over, or in which the customer objected."""
        with self._changed:
            task = self._tasks.setdefault(interaction, _Task(time.monotonic(), RETRY_FIRST_S))
            task.is_told_again = True
            self._changed.notify_all()

    def counters(self) -> dict[str, tuple[str, float]]:
        """For /metrics."""
        return {
            "ccserver_recordings_kept": ("Files of recordings that were put into the archive.", self.counts.kept),
            "ccserver_recordings_deleted": (
                "Recordings that were deleted: objections, age, not asked for.",
                self.counts.deleted,
            ),
            "ccserver_recordings_failures": ("Attempts at a recording that failed; each is tried again.", self.counts.failures),
        }

    @property
    def backlog(self) -> int:
        return len(self._tasks)

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do. False: something is, after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._tasks and self._is_resumed, timeout_s)

    def close(self, timeout_s: float) -> None:
        """End the threads within the piece they are at; the rest is found again at the next start."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def purge(self, now: datetime) -> int:
        """Delete what is too old; how many files."""
        gone = 0
        for due in self._shelf.due(now):
            self._go_on_only()
            if not due.is_held and self._shelf.remove(due.file, due.why, OURSELVES):
                gone += 1
                audit.record_access(
                    self._store,
                    by=OURSELVES,
                    act="recording_purge",
                    what=f"{due.file.path}: {due.why}",
                    interaction=due.file.interaction,
                )
                self._tell(Done(interaction=due.file.interaction, deleted=1, why=due.why))
        return gone

    # --- the threads ----------------------------------------------------------------------------------------------------
    def _go_on_only(self) -> None:
        if self._is_closing:
            raise _Closing

    def _run(self, is_first: bool) -> None:
        try:
            if is_first:
                self._resume()
            while True:
                interaction = self._next(is_first)
                if interaction is not None:
                    self._try(interaction)
                elif is_first and time.monotonic() >= self._next_purge_s:
                    self._purge()
        except _Closing:
            pass

    def _resume(self) -> None:
        while not self._is_resumed:
            try:
                self._work.tidy()
                for interaction in archive.unfinished(self._store):
                    self.submit(interaction)
            except (OSError, SQLAlchemyError) as error:
                self._fail(None, error)
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closing, LOOK_EVERY_S)
                self._go_on_only()
            else:
                with self._changed:
                    self._is_resumed = True
                    self._changed.notify_all()

    def _next(self, is_first: bool) -> InteractionId | None:
        """The next one to be worked on; None: it may be time for something else."""
        with self._changed:
            self._go_on_only()
            now_s = time.monotonic()
            free = [(number, task) for number, task in self._tasks.items() if not task.is_taken]
            for number, task in free:
                if task.not_before_s <= now_s and self._is_resumed:
                    task.is_taken, task.is_told_again = True, False
                    return number
            waits = [task.not_before_s - now_s for _, task in free if self._is_resumed]
            if is_first:
                waits.append(self._next_purge_s - now_s)
            self._changed.wait(max(0.0, min(waits)) if waits else None)
            self._go_on_only()
        return None

    def _try(self, interaction: InteractionId) -> None:
        task = self._tasks[interaction]
        now_s = time.monotonic()
        is_done = False
        try:
            for done in self._work.work_on(interaction, is_last_look=now_s - task.since_s >= self._settle_s):
                self._tell(done)
            is_done = True
        except NotSettled:
            task.not_before_s = now_s + LOOK_EVERY_S
        except Exception as error:  # disk full, database busy, encoder gone…: whatever it is, the other recordings must go on
            task.not_before_s = now_s + task.retry_s
            task.retry_s = min(2 * task.retry_s, RETRY_MAX_S)
            self._fail(interaction, error)
        with self._changed:
            task.is_taken = False
            if is_done and not task.is_told_again:
                del self._tasks[interaction]
            self._changed.notify_all()

    def _purge(self) -> None:
        self._next_purge_s = time.monotonic() + PURGE_EVERY_S
        try:
            self.purge(datetime.now(UTC))
        except (OSError, SQLAlchemyError) as error:
            self._next_purge_s = time.monotonic() + RETRY_MAX_S
            self._fail(None, error)

    def _tell(self, done: Done) -> None:
        self.counts.kept += done.file is not None
        self.counts.deleted += done.deleted
        _log_done(done)
        if self._on_done is not None:
            self._on_done(done)

    def _fail(self, interaction: InteractionId | None, error: Exception) -> None:
        self.counts.failures += 1
        _log_failure(interaction, error)
        if self._on_error is not None:
            self._on_error(interaction, error)


def _log_done(done: Done) -> None:
    if done.file is not None:
        log.info(
            "recording.kept",
            interaction=done.interaction,
            path=done.file.path,
            duration_s=round(done.file.duration_s, 3),
            bytes=done.file.bytes,
            is_sealed=bool(done.file.key_id),
            detail=done.file.detail,
        )
    if done.deleted:
        log.info("recording.deleted", interaction=done.interaction, count=done.deleted, why=done.why)
    for each in done.noted:
        log.warning(
            "recording.not_kept",
            interaction=done.interaction,
            path=each.path,
            status=each.status.value,
            reason=each.detail,
            mend="look into Asterisk's log: is its folder of recordings writable, and its disk not full?",
        )


def _log_failure(interaction: InteractionId | None, error: Exception) -> None:
    log.error(
        "recording.failed",
        interaction=interaction,
        reason=str(error),
        kind=type(error).__name__,
        mend=f"{_mend(error)}; it is tried again",
    )


def _mend(error: Exception) -> str:
    match error:
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "give recording.local_dir a larger disk, or a shorter recording.retention_days"
        case OSError():
            return "see that ccserver may write in recording.local_dir"
        case SQLAlchemyError():
            return "mend the database"
        case NoEncoder():
            return "install it, or set recording.format to auto"
        case ProgramFailed() | BadEncoding():
            return "install another version of the encoder, or set recording.format to wav"
        case _:
            return "the originals are kept; look into recording.local_dir/.work"

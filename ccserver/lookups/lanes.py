"""Threads for one outside system: so many, and so many jobs that wait for one. A system that hangs holds up only its own.

The threads are daemons: one that hangs in the resolver of names does not keep the process from ending.
"""

import threading
from collections import deque
from collections.abc import Callable

import structlog

from ccserver.lookups.answers import place_of

log = structlog.stdlib.get_logger(__name__)

Job = Callable[[], None]


class Lane:
    """`threads` are started as they are needed. A job tells its own result; one that raises is a fault of ours, and is logged."""

    def __init__(self, name: str, *, threads: int, waiting_max: int) -> None:
        self.name = name
        self._threads_max = threads
        self._waiting_max = waiting_max
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._inside = 0  # being done or waiting
        self._at_the_end: Job | None = None
        self._is_closed = False

    @property
    def waiting(self) -> int:
        return max(0, self._inside - self._threads_max)

    def submit(self, job: Job) -> bool:
        """False: too many wait, or it is closed."""
        with self._changed:
            if self._is_closed or self._inside >= self._threads_max + self._waiting_max:
                return False
            self._jobs.append(job)
            self._inside += 1
            if self._threads < min(self._inside, self._threads_max):
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self.name}-{self._threads}", daemon=True).start()
            else:
                self._changed.notify()
        return True

    def close(self, at_the_end: Job) -> None:
        """No more jobs; those that are here are done. The last thread, or this one, calls `at_the_end`."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._at_the_end = at_the_end
            is_over = self._threads == 0
            self._changed.notify_all()
        if is_over:
            at_the_end()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # the thread must not end; whoever waits for the answer has a time limit
                log.error("look_up.faulted", lane=self.name, where=place_of(error))
            with self._changed:
                self._inside -= 1
        with self._changed:
            self._threads -= 1
            last = self._at_the_end if self._threads == 0 else None
        if last is not None:
            last()

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._is_closed)
            return self._jobs.popleft() if self._jobs else None

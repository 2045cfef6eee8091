"""Queues that close: by their hours while callers wait, and by hand; and opening hours that are closed by hand.

A queue with hours and a rule for closing (`on_closing`) has a deadline at the next change of its hours; there everybody who waits is
looked at, and the deadline is set for the change after that. The clock may be put back between: a deadline that comes early finds the
queue open and is set anew.
"""

from ccserver.core.commands import Reply
from ccserver.core.events import CloseHoursRequested, CloseQueueRequested, OpenHoursRequested, OpenQueueRequested
from ccserver.core.ids import HoursId, QueueId
from ccserver.core.opening import Opening
from ccserver.core.queueing import Queueing
from ccserver.core.records import AuditRecord
from ccserver.core.state import Closed, ClosedHours, DeadlineKind
from ccserver.core.step import Step


class Closing:
    def __init__(self, step: Step, queueing: Queueing) -> None:
        self._step = step
        self._queueing = queueing
        self.opening = Opening(step)

    def arm_all(self) -> None:
        """After new settings: a deadline for each queue that has something to do when its hours end, and for no other."""
        step = self._step
        for kind, name in [key for key in step.deadlines.table if key[0] is DeadlineKind.CLOSING]:
            step.deadlines.clear(kind, name)
        for queue, config in step.settings.queues.items():
            self._arm(queue)
            if config.on_closing is not None and not self.opening.is_open(config.hours):
                # The new hours may have closed it while callers wait.
                step.deadlines.set(DeadlineKind.CLOSING, queue, step.now.mono_s)

    def reached(self, queue: QueueId) -> None:
        if queue in self._step.settings.queues:
            self._queueing.reconsider_all(queue)
            self._arm(queue)

    def _arm(self, queue: QueueId) -> None:
        step, now = self._step, self._step.now
        config = step.settings.queues[queue]
        if config.hours is None or config.on_closing is None:
            return
        change_utc_s = self.opening.next_change(config.hours, now.utc_s)
        if change_utc_s is not None:
            step.deadlines.set(DeadlineKind.CLOSING, queue, now.mono_s + change_utc_s - now.utc_s)

    # --- by hand ------------------------------------------------------------------------------------------------------
    def close(self, event: CloseQueueRequested) -> None:
        """Emergency close: nobody enters, and who waits hears the prompt and is released. A ringing phone rings on."""
        step, queue = self._step, event.queue
        is_known = queue in step.settings.queues
        if is_known:
            step.closed.put(queue, Closed(prompt=event.prompt, by=event.by, since=step.now))
            self._queueing.reconsider_all(queue)
        text = f"queue {queue} is closed" if is_known else f"there is no queue {queue}"
        self._answer(event, "close_queue", is_known, text)

    def open(self, event: OpenQueueRequested) -> None:
        step, queue = self._step, event.queue
        is_closed = queue in step.closed
        step.closed.drop(queue)
        text = f"queue {queue} is open again" if is_closed else f"queue {queue} has not been closed by hand"
        self._answer(event, "open_queue", is_closed, text)

    # --- exceptional closings of opening hours --------------------------------------------------------------------------
    def close_hours(self, event: CloseHoursRequested) -> None:
        hours, until_utc_s = event.hours, event.until_utc_s
        is_past = until_utc_s is not None and until_utc_s <= self._step.now.utc_s
        is_done = hours in self._step.settings.hours and not is_past
        if is_done:
            self.shut(hours, until_utc_s, event.by)
        text = f"the hours {hours} are closed" if not is_past else "the end of the closing is over already"
        self._told(event, "close_hours", is_done, text if hours in self._step.settings.hours else f"there are no hours {hours}")

    def open_hours(self, event: OpenHoursRequested) -> None:
        is_closed = self.opening.closing(event.hours) is not None
        if is_closed:
            self.reopen(event.hours)
        text = f"the exceptional closing of {event.hours} is over" if is_closed else f"the hours {event.hours} are as written"
        self._told(event, "open_hours", is_closed, text)

    def shut(self, hours: HoursId, until_utc_s: float | None, by: str) -> None:
        """From now on; callers who wait in queues with these hours leave as at every closing."""
        self._step.closed_hours.put(hours, ClosedHours(until_utc_s=until_utc_s, by=by, since=self._step.now))
        self._changed(hours)

    def reopen(self, hours: HoursId) -> None:
        self._step.closed_hours.drop(hours)
        self._changed(hours)

    def _changed(self, hours: HoursId) -> None:
        for queue, config in self._step.settings.queues.items():
            if config.hours == hours:
                self._step.deadlines.clear(DeadlineKind.CLOSING, queue)
                self._queueing.reconsider_all(queue)
                self._arm(queue)
        for interaction in self._step.interactions.values():
            if interaction.message is not None and interaction.visit is not None:
                # Whether it may be offered is asked at once.
                self._step.deadlines.set(DeadlineKind.MESSAGE, interaction.id, self._step.now.mono_s)

    def _told(self, event: CloseHoursRequested | OpenHoursRequested, act: str, is_done: bool, text: str) -> None:
        at_utc_s = self._step.now.utc_s
        self._step.store(AuditRecord(by=event.by, act=act, what=event.hours, is_done=is_done, at_utc_s=at_utc_s))
        self._step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    def _answer(self, event: CloseQueueRequested | OpenQueueRequested, act: str, is_done: bool, text: str) -> None:
        at_utc_s = self._step.now.utc_s
        self._step.store(AuditRecord(by=event.by, act=act, what=event.queue, is_done=is_done, at_utc_s=at_utc_s))
        self._step.emit(Reply(request=event.request, is_ok=is_done, text=text))

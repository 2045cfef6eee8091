"""Whether opening hours hold now: those of the settings, and the exceptional closings that were ordered by hand.

Shifts of agents do not go by this: who is to work is not decided by closing the door.
"""

from ccserver.core import hours
from ccserver.core.ids import HoursId, QueueId
from ccserver.core.settings import OpeningHours
from ccserver.core.state import ClosedHours, Interaction
from ccserver.core.step import Step


class Opening:
    """Asks only; nothing is changed. Hours that the newest settings do not have any more are those an interaction entered with."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def is_open(self, name: HoursId | None, interaction: Interaction | None = None) -> bool:
        """Whether they are open now. Without hours (None) it is always open."""
        if name is None:
            return True
        now_utc_s = self._step.now.utc_s
        return self.closing(name) is None and hours.is_open(self._hours(name, interaction), now_utc_s)

    def is_queue_open(self, queue: QueueId, interaction: Interaction) -> bool:
        """Whether the queue's hours are open now, and nobody closed it by hand."""
        config = self._step.queue_settings(queue, interaction)
        return queue not in self._step.closed and self.is_open(config.hours, interaction)

    def is_holiday(self, name: HoursId | None, interaction: Interaction) -> bool:
        return name is not None and hours.is_holiday(self._hours(name, interaction), self._step.now.utc_s)

    def closing(self, name: HoursId) -> ClosedHours | None:
        """The exceptional closing that holds now."""
        closed = self._step.closed_hours.get(name)
        is_over = closed is not None and closed.until_utc_s is not None and closed.until_utc_s <= self._step.now.utc_s
        return None if is_over else closed

    def next_change(self, name: HoursId, utc_s: float, interaction: Interaction | None = None) -> float | None:
        """The first instant after `utc_s` (POSIX seconds, not before now) at which they open or close; None: never within a year,
        or nobody knows when."""
        config, closing = self._hours(name, interaction), self.closing(name)
        if closing is None:
            return hours.next_change(config, utc_s)
        if closing.until_utc_s is None:
            return None
        if closing.until_utc_s <= utc_s:
            return hours.next_change(config, utc_s)
        return (
            closing.until_utc_s
            if hours.is_open(config, closing.until_utc_s)
            else hours.next_change(config, closing.until_utc_s)
        )

    def is_open_at(self, name: HoursId, utc_s: float, interaction: Interaction | None = None) -> bool:
        """Whether they will be open at an instant that is not before now."""
        closing = self.closing(name)
        is_closed = closing is not None and (closing.until_utc_s is None or utc_s < closing.until_utc_s)
        return not is_closed and hours.is_open(self._hours(name, interaction), utc_s)

    def _hours(self, name: HoursId, interaction: Interaction | None) -> OpeningHours:
        known = self._step.settings.hours.get(name)
        if known is not None or interaction is None:
            return self._step.settings.hours[name] if known is None else known
        return self._step.settings_of(interaction).hours[name]

"""What a flow can ask about the call, the time, the queues and the opening hours: the values of `ivr_names`, as they are now.

A queue's numbers are those for this caller: agents who could take this very call, and the wait of this very call, if it entered now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from ccserver.core.expressions import Value
from ccserver.core.ids import HoursId, QueueId
from ccserver.core.ivr_names import NOBODY_THERE_S
from ccserver.core.opening import Opening
from ccserver.core.settings import HoursNode
from ccserver.core.state import Interaction
from ccserver.core.step import Step

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Queues(Protocol):
    """What is known of a queue for an interaction that is not in it."""

    def waiting(self, queue: QueueId) -> int: ...
    def staffed(self, interaction: Interaction, queue: QueueId) -> int: ...
    def ready(self, interaction: Interaction, queue: QueueId) -> int: ...
    def expected_wait_s(self, interaction: Interaction, queue: QueueId) -> float | None: ...


class FlowFacts:
    def __init__(self, step: Step, opening: Opening, queues: Queues) -> None:
        self._step = step
        self._opening = opening
        self._queues = queues

    def look(self, interaction: Interaction, name: str) -> Value:
        """The value of a name of `ivr_names`. Raises KeyError for another, which the check of the settings does not let through."""
        first, _, rest = name.partition(".")
        if first == "queue":
            queue, _, what = rest.rpartition(".")
            return self._of_queue(interaction, QueueId(queue), what)
        if first == "hours":
            hours, _, what = rest.rpartition(".")
            return self._of_hours(interaction, HoursId(hours), what)
        return self._of_time(rest) if first == "now" else _OF_CALL[name](interaction)

    def hours_of(self, interaction: Interaction) -> "HoursOf":
        return HoursOf(self._step, self._opening, interaction)

    def expected_wait_s(self, interaction: Interaction, queue: QueueId) -> float:
        found = self._queues.expected_wait_s(interaction, queue)
        return NOBODY_THERE_S if found is None else min(found, NOBODY_THERE_S)

    def _of_queue(self, interaction: Interaction, queue: QueueId, what: str) -> Value:
        match what:
            case "waiting":
                return float(self._queues.waiting(queue))
            case "staffed":
                return float(self._queues.staffed(interaction, queue))
            case "ready":
                return float(self._queues.ready(interaction, queue))
            case "expected_wait_s":
                return self.expected_wait_s(interaction, queue)
            case "is_open":
                return self._opening.is_queue_open(queue, interaction)
        raise KeyError(what)

    def _of_hours(self, interaction: Interaction, hours: HoursId, what: str) -> Value:
        match what:
            case "is_open":
                return self._opening.is_open(hours, interaction)
            case "is_holiday":
                return self._opening.is_holiday(hours, interaction)
        raise KeyError(what)

    def _of_time(self, what: str) -> Value:
        local = datetime.fromtimestamp(self._step.now.utc_s, tz=UTC).astimezone(ZoneInfo(self._step.settings.timezone))
        match what:
            case "hour":
                return float(local.hour)
            case "minute":
                return float(local.minute)
            case "weekday":
                return WEEKDAYS[local.weekday()]
            case "date":
                return local.date().isoformat()
            case "time":
                return f"{local.hour:02d}:{local.minute:02d}"
        raise KeyError(what)


@dataclass(frozen=True, slots=True)
class HoursOf:
    """The opening hours as an hours node asks for them."""

    step: Step
    opening: Opening
    interaction: Interaction

    def is_open(self, node: HoursNode) -> bool:
        if node.queue is not None:
            return self.opening.is_queue_open(node.queue, self.interaction)
        return self.opening.is_open(self._name(node), self.interaction)

    def is_holiday(self, node: HoursNode) -> bool:
        return self.opening.is_holiday(self._name(node), self.interaction)

    def _name(self, node: HoursNode) -> HoursId | None:
        if node.hours is not None:
            return node.hours
        if node.queue is not None:
            return self.step.queue_settings(node.queue, self.interaction).hours
        did = self.step.settings_of(self.interaction).did(self.interaction.did)
        return did.hours if did is not None else None


_OF_CALL: dict[str, Callable[[Interaction], Value]] = {
    "caller.number": lambda i: i.caller_number or "",
    "caller.name": lambda i: i.caller_name,
    "caller.is_withheld": lambda i: i.caller_number is None,
    "caller.is_vip": lambda i: i.is_vip,
    "caller.attestation": lambda i: i.attestation.value,
    "call.did": lambda i: i.did,
    "call.language": lambda i: str(i.language),
    "call.number": lambda i: float(i.id),
    "call.customer": lambda i: i.data.get("customer", ""),
}

"""What awaits an interaction in a queue that it is not in: for the flows that decide where a caller goes."""

from ccserver.core.change import replace
from ccserver.core.forecast import Forecast
from ccserver.core.ids import QueueId
from ccserver.core.pairing import Pairing
from ccserver.core.queueing import Queueing
from ccserver.core.staffing import Staffing
from ccserver.core.state import VOICE, Interaction
from ccserver.core.step import Step


class Prospects:
    """Asks only; nothing is changed."""

    def __init__(self, step: Step, queueing: Queueing, staffing: Staffing, pairing: Pairing, forecast: Forecast) -> None:
        self._step = step
        self._queueing = queueing
        self._staffing = staffing
        self._pairing = pairing
        self._forecast = forecast

    def waiting(self, queue: QueueId) -> int:
        """Callers in it."""
        return self._queueing.waiting_in(queue)

    def staffed(self, interaction: Interaction, queue: QueueId) -> int:
        """Agents who count as its staff and could take this interaction."""
        visit = self._queueing.visit_to(interaction, queue)
        return len(self._staffing.staff(visit, self._step.queue_settings(queue, interaction).joins_when))

    def ready(self, interaction: Interaction, queue: QueueId) -> int:
        """Those who could be offered it at once."""
        matcher, visit = self._pairing.matcher, self._queueing.visit_to(interaction, queue)
        return (matcher.able(queue, visit.requires) & matcher.free_mask(VOICE)).bit_count()

    def expected_wait_s(self, interaction: Interaction, queue: QueueId) -> float | None:
        """Of this interaction, if it entered now; None when nobody is there."""
        visit = self._queueing.visit_to(interaction, queue)
        return self._forecast.expected_wait_s(replace(interaction, visit=visit))

"""Holds the expected wait's formula against the present state: what is ahead of one interaction, and who is there to do it.

Staff here are those who will serve: ready, at work or in wrap-up. Who is not ready may be so for long.
"""

from ccserver.core import expected_wait, requirements
from ccserver.core.expected_wait import Ahead, Pool
from ccserver.core.ids import QueueId
from ccserver.core.pairing import Pairing, class_of
from ccserver.core.settings import EVERYBODY
from ccserver.core.state import Interaction, QueueCounters, Visit
from ccserver.core.step import Step


class Forecast:
    def __init__(self, step: Step, pairing: Pairing) -> None:
        self._step = step
        self._pairing = pairing

    def expected_wait_s(self, interaction: Interaction) -> float | None:
        """Seconds from now; None when it waits in no queue or nobody is there."""
        visit = interaction.visit
        if visit is None:
            return None
        step, matcher, now_s = self._step, self._pairing.matcher, self._step.now.mono_s
        config = step.queue_settings(visit.queue, interaction)
        key, place = class_of(interaction, config, step.settings.priority_step_s)
        mine = matcher.able_of(key, config) & self._pairing.serving
        classes = [
            (Ahead(order, self._service_s(queue)), able) for queue, able, order in matcher.before(place, config.weight, now_s)
        ]
        classes += self._overtaking(visit)
        return expected_wait.expected_wait_s(
            [work for work, _ in classes],
            self._pools(mine, [able & self._pairing.serving for _, able in classes]),
            free=(mine & matcher.free_mask(key.kind)).bit_count(),
            own_service_s=self._service_s(visit.queue),
            gives_up_per_s=expected_wait.giving_up_per_s(self._counters(visit.queue)),
        )

    def _pools(self, mine: int, able: list[int]) -> list[Pool]:
        """Agents who can serve the same belong together; who has nothing to do with the caller or what is ahead is left out."""
        parts: list[tuple[int, tuple[int, ...], bool]] = [(mine, (), True)] if mine else []
        others = 0
        for mask in able:
            others |= mask
        if others & ~mine:
            parts.append((others & ~mine, (), False))
        for place, mask in enumerate(able):
            parts = [
                part
                for members, classes, serves in parts
                for part in ((members & mask, (*classes, place), serves), (members & ~mask, classes, serves))
                if part[0]
            ]
        return [Pool(members.bit_count(), classes, serves) for members, classes, serves in parts]

    def _overtaking(self, visit: Visit) -> list[tuple[Ahead, int]]:
        """Queues whose calls are more urgent by a head start. Calls with a higher priority of their own are not foreseen."""
        found, settings = [], self._step.settings
        for queue, config in settings.queues.items():
            head_start_s = (config.priority - visit.priority) * settings.priority_step_s / max(config.weight, 0.01)
            per_s = expected_wait.arrivals_per_s(self._counters(queue), self._step.now.utc_s) if head_start_s > 0 else 0.0
            if per_s > 0:
                able = self._pairing.matcher.able(queue, requirements.together(config, (), EVERYBODY))
                coming = Ahead((), self._service_s(queue), joins_per_s=per_s, joins_for_s=head_start_s)
                found.append((coming, able))
        return found

    def _service_s(self, queue: QueueId) -> float:
        config = self._step.settings.queues.get(queue)
        assumed_s = config.expected_service_s if config is not None else expected_wait.PATIENCE_S
        return expected_wait.service_s(self._counters(queue), assumed_s)

    def _counters(self, queue: QueueId) -> QueueCounters:
        return self._step.queues.get(queue) or QueueCounters()

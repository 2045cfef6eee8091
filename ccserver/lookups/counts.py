"""What is counted of look-ups, by look-up: names out of the configuration, so the labels are bounded."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ccserver.core.events import LookUpEnd
from ccserver.core.ids import LookUpId
from ccserver.lookups.breaker import BreakerState

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)


class LookUpCounts:
    """`breakers` and `waiting` are asked at each scrape: the state of each look-up's breaker, and what waits for a thread by system."""

    def __init__(
        self,
        registry: CollectorRegistry,
        breakers: Callable[[], Mapping[LookUpId, BreakerState]],
        waiting: Callable[[], Mapping[str, int]],
    ) -> None:
        self._ends = Counter("ccserver_look_ups", "Look-ups, by how they ended.", ["look_up", "end"], registry=registry)
        self._seconds = Histogram(
            "ccserver_look_up_seconds",
            "Time until a look-up ended, all tries together; those that were not asked at all are left out.",
            ["look_up"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._not_asked = Counter(
            "ccserver_look_ups_not_asked",
            "Look-ups that failed without asking: the breaker is open (resting), or too many wait (full).",
            ["look_up", "reason"],
            registry=registry,
        )
        self._again = Counter(
            "ccserver_look_up_tries_again", "Tries after one that had failed.", ["look_up"], registry=registry
        )
        registry.register(_Now(breakers, waiting))

    def ended(self, look_up: LookUpId, end: LookUpEnd, duration_s: float | None) -> None:
        """`duration_s` None: it was not asked."""
        self._ends.labels(look_up, end.value).inc()
        if duration_s is not None:
            self._seconds.labels(look_up).observe(duration_s)

    def not_asked(self, look_up: LookUpId, reason: str) -> None:
        self._not_asked.labels(look_up, reason).inc()

    def tried_again(self, look_up: LookUpId) -> None:
        """From any thread."""
        self._again.labels(look_up).inc()


class _Now(Collector):
    def __init__(
        self, breakers: Callable[[], Mapping[LookUpId, BreakerState]], waiting: Callable[[], Mapping[str, int]]
    ) -> None:
        self._breakers = breakers
        self._waiting = waiting

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "ccserver_look_up_breaker_open",
            "1 while a look-up rests after failures, or is being tried again.",
            labels=["look_up"],
        )
        for look_up, state in self._breakers().items():
            states.add_metric([look_up], float(state is not BreakerState.CLOSED))
        yield states
        waiting = GaugeMetricFamily(
            "ccserver_look_ups_waiting", "Look-ups that wait for a thread, by system.", labels=["system"]
        )
        for system, count in self._waiting().items():
            waiting.add_metric([system], count)
        yield waiting

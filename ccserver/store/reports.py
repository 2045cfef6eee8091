"""Totals per queue and interval. They add up by construction: each visit to a queue ends in exactly one way.

    offered = answered + abandoned + short abandoned + overflowed + refused (full, closed, unstaffed)
              + called back + left message + transferred out + lost

counted in the interval in which the caller *entered* the queue, for visits that are over; callers who still wait are in no total yet.

    service level = answered within the queue's threshold / (offered - short abandoned)

This is one of several formulas in use; Cleveland and Mayben ("Call Center Management on Fast Forward") set them side by side. It counts
callers who gave up as not served in time, and leaves out those who left before they really waited (misdials). The
threshold is that of the settings at the time of the call: it was decided then, and a later change does not rewrite history.

    ASA (average speed of answer) = waiting time of the answered ones / answered
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Integer, cast, extract, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from ccserver.core.ids import QueueId
from ccserver.core.records import Outcome, VisitOutcome
from ccserver.store import schema
from ccserver.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """One queue in one interval (`since <= entered < until`), or the sum of several."""

    queue: QueueId | None
    """None: a sum over queues."""
    since: datetime
    until: datetime
    outcomes: Mapping[VisitOutcome, int]
    """All of them; 0 for those that did not happen."""
    within_service_level: int
    answered_wait_s: float
    """Of all answered ones together."""
    longest_wait_s: float

    @property
    def offered(self) -> int:
        return sum(self.outcomes.values())

    @property
    def answered(self) -> int:
        return self.outcomes[VisitOutcome.ANSWERED]

    @property
    def abandoned(self) -> int:
        """Without the short ones."""
        return self.outcomes[VisitOutcome.ABANDONED]

    @property
    def short_abandoned(self) -> int:
        return self.outcomes[VisitOutcome.SHORT_ABANDONED]

    @property
    def service_level_ratio(self) -> float | None:
        """0 to 1; None when there was nobody to serve."""
        served = self.offered - self.short_abandoned
        return self.within_service_level / served if served else None

    @property
    def abandoned_ratio(self) -> float | None:
        """0 to 1, of the same callers as the service level; None when there was nobody."""
        served = self.offered - self.short_abandoned
        return self.abandoned / served if served else None

    @property
    def asa_s(self) -> float | None:
        return self.answered_wait_s / self.answered if self.answered else None


def totals(
    store: Store,
    since: datetime,
    until: datetime,
    *,
    interval: timedelta | None = None,
    queue: QueueId | None = None,
) -> list[Totals]:
    """Per queue and interval, by time, then queue; intervals in which nobody came are left out.

    Without `interval` the whole period is one. With it, which must be whole seconds, intervals begin at multiples of it since
    midnight UTC of 1970, and the first and last are cut to the period. Raises ValueError for a period or interval that is none.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError("a period needs times with a zone")
    step_s = 0 if interval is None else int(interval.total_seconds())
    if interval is not None and (step_s < 1 or step_s != interval.total_seconds()):
        raise ValueError("an interval is a whole number of seconds")
    visits = schema.queue_visits
    bucket: ColumnElement[int] = literal(0)
    if step_s:
        seconds = extract("epoch", visits.c.entered_at)
        # SQLite's are whole already (and it may be built without floor); PostgreSQL's are not, and its cast would round.
        bucket = cast(seconds if store.is_sqlite else func.floor(seconds), BigInteger).op("/")(step_s)
    in_time = func.sum(cast(visits.c.is_within_service_level, Integer))
    columns = [
        bucket.label("bucket"),
        visits.c.queue,
        visits.c.outcome,
        func.count().label("visits"),
        in_time.label("in_time"),
        func.sum(visits.c.wait_s).label("wait_s"),
        func.max(visits.c.wait_s).label("longest_s"),
    ]
    query = select(*columns).where(visits.c.entered_at >= since, visits.c.entered_at < until)
    if queue is not None:
        query = query.where(visits.c.queue == queue)
    grouped: dict[tuple[int, str], _Sums] = defaultdict(_Sums)
    with store.engine.connect() as connection:
        for row in connection.execute(query.group_by("bucket", visits.c.queue, visits.c.outcome)):
            grouped[row.bucket, row.queue].add(VisitOutcome(row.outcome), row.visits, row.in_time, row.wait_s, row.longest_s)
    made = []
    for (number, name), sums in sorted(grouped.items()):
        begins = max(since, datetime.fromtimestamp(number * step_s, UTC)) if step_s else since
        ends = min(until, datetime.fromtimestamp((number + 1) * step_s, UTC)) if step_s else until
        made.append(sums.totals(QueueId(name), begins, ends))
    return made


def sum_of(parts: list[Totals], since: datetime, until: datetime) -> Totals:
    """Several totals as one, for the last line of a table."""
    sums = _Sums()
    for part in parts:
        for outcome, count in part.outcomes.items():
            sums.outcomes[outcome] += count
        sums.in_time += part.within_service_level
        sums.answered_wait_s += part.answered_wait_s
        sums.longest_wait_s = max(sums.longest_wait_s, part.longest_wait_s)
    return sums.totals(None, since, until)


def interactions_by_outcome(store: Store, since: datetime, until: datetime) -> dict[Outcome, int]:
    """How the calls that arrived in the period ended, all outcomes named."""
    table = schema.interactions
    query = (
        select(table.c.outcome, func.count())
        .where(table.c.arrived_at >= since, table.c.arrived_at < until)
        .group_by(table.c.outcome)
    )
    found = dict.fromkeys(Outcome, 0)
    with store.engine.connect() as connection:
        for outcome, count in connection.execute(query):
            found[Outcome(outcome)] = count
    return found


class _Sums:
    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(VisitOutcome, 0)
        self.in_time = 0
        self.answered_wait_s = 0.0
        self.longest_wait_s = 0.0

    def add(self, outcome: VisitOutcome, visits: int, in_time: int, wait_s: float, longest_s: float) -> None:
        self.outcomes[outcome] += visits
        self.in_time += in_time
        if outcome is VisitOutcome.ANSWERED:
            self.answered_wait_s += wait_s
        self.longest_wait_s = max(self.longest_wait_s, longest_s)

    def totals(self, queue: QueueId | None, since: datetime, until: datetime) -> Totals:
        return Totals(
            queue=queue,
            since=since,
            until=until,
            outcomes=self.outcomes,
            within_service_level=self.in_time,
            answered_wait_s=self.answered_wait_s,
            longest_wait_s=self.longest_wait_s,
        )

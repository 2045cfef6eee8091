"""What customers said, in the usual figures. All are in percent of *all* answers of their kind:

    CSAT = positive (4 and 5) / all x 100        DSAT = negative (1 and 2) / all x 100
    NPS  = (promoters (9 and 10) - detractors (0 to 6)) / all x 100, so between -100 and 100
    FCR  = resolved at the first contact / all x 100

CSAT and DSAT do not add up to 100: the threes are in neither. NPS is Reichheld's ("The One Number You Need to Grow", Harvard Business
Review, December 2003). FCR is what customers say, not what a second call within some days would prove. Who was asked and did not answer is
in none of the figures: a flow's stats tell how many those were.

An answer counts for the queue and the agent of the talk it is about. The database adds up: what is held grows with queues and agents.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Row, func, select

from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.records import SurveyRecord
from ccserver.core.settings import SurveyKind
from ccserver.store import schema
from ccserver.store.database import Store

CSAT_POSITIVE, CSAT_NEGATIVE = (4, 5), (1, 2)
NPS_PROMOTERS, NPS_DETRACTORS = (9, 10), range(7)
FCR_RESOLVED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Answers by kind, and of them those that the figures count. The figures are None when there were no answers."""

    csat_answers: int = 0
    positive: int = 0
    negative: int = 0
    nps_answers: int = 0
    promoters: int = 0
    detractors: int = 0
    fcr_answers: int = 0
    resolved: int = 0

    @property
    def csat_percent(self) -> float | None:
        return _percent(self.positive, self.csat_answers)

    @property
    def dsat_percent(self) -> float | None:
        return _percent(self.negative, self.csat_answers)

    @property
    def nps(self) -> float | None:
        return _percent(self.promoters - self.detractors, self.nps_answers)

    @property
    def fcr_percent(self) -> float | None:
        return _percent(self.resolved, self.fcr_answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyReport:
    """`by_queue` and `by_agent` by name; None is for answers about a call without one, and comes last."""

    total: Scores
    by_queue: tuple[tuple[QueueId | None, Scores], ...]
    by_agent: tuple[tuple[AgentId | None, Scores], ...]


def survey_report(
    store: Store,
    *,
    queue: QueueId | None = None,
    agent: AgentId | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> SurveyReport:
    """Over all answers of the period (`since <= answered < until`) to which all that is given applies."""
    table = schema.survey_answers
    query = select(table.c.kind, table.c.score, table.c.queue, table.c.agent, func.count().label("answers"))
    if queue is not None:
        query = query.where(table.c.queue == queue)
    if agent is not None:
        query = query.where(table.c.agent == agent)
    if since is not None:
        query = query.where(table.c.at >= since)
    if until is not None:
        query = query.where(table.c.at < until)
    total = _Counts()
    queues: defaultdict[QueueId | None, _Counts] = defaultdict(_Counts)
    agents: defaultdict[AgentId | None, _Counts] = defaultdict(_Counts)
    with store.engine.connect() as connection:
        for row in connection.execute(query.group_by(table.c.kind, table.c.score, table.c.queue, table.c.agent)):
            for counts in (total, queues[row.queue], agents[row.agent]):
                counts.add(SurveyKind(row.kind), row.score, row.answers)
    return SurveyReport(total=total.scores(), by_queue=_named(queues), by_agent=_named(agents))


def answer_of(row: Row[tuple[object, ...]]) -> SurveyRecord:
    """A row of the table as the record that it came from."""
    return SurveyRecord(
        interaction=InteractionId(row.interaction),
        number=row.number,
        kind=SurveyKind(row.kind),
        question=row.question,
        score=row.score,
        queue=row.queue,
        agent=row.agent,
        at_utc_s=row.at.timestamp(),
    )


Named = TypeVar("Named", bound=str)


class _Counts:
    """How often each score was given."""

    def __init__(self) -> None:
        self._given: dict[SurveyKind, Counter[int]] = {kind: Counter() for kind in SurveyKind}

    def add(self, kind: SurveyKind, score: int, answers: int) -> None:
        self._given[kind][score] += answers

    def scores(self) -> Scores:
        csat, nps, fcr = (self._given[kind] for kind in (SurveyKind.CSAT, SurveyKind.NPS, SurveyKind.FCR))
        return Scores(
            csat_answers=csat.total(),
            positive=sum(csat[score] for score in CSAT_POSITIVE),
            negative=sum(csat[score] for score in CSAT_NEGATIVE),
            nps_answers=nps.total(),
            promoters=sum(nps[score] for score in NPS_PROMOTERS),
            detractors=sum(nps[score] for score in NPS_DETRACTORS),
            fcr_answers=fcr.total(),
            resolved=fcr[FCR_RESOLVED],
        )


def _named(counted: Mapping[Named | None, _Counts]) -> tuple[tuple[Named | None, Scores], ...]:
    order = sorted(counted, key=lambda name: (name is None, name or ""))
    return tuple((name, counted[name].scores()) for name in order)


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None

"""What happened: calls by number, caller, agent or time, one call's whole story, and what an agent did all day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, or_, select
from sqlalchemy.sql.elements import ColumnElement

from ccserver.core.ids import AgentId, DispositionId, InteractionId, Language, LegId, PhoneId, QueueId, ReasonId
from ccserver.core.records import (
    AuditRecord,
    CallbackOutcome,
    CallbackRecord,
    EndedBy,
    FlowRecord,
    LegSide,
    MarkRecord,
    MessageRecord,
    OfferOutcome,
    Outcome,
    QualityRecord,
    SegmentKind,
    ShownState,
    Stream,
    SurveyRecord,
    TransferKind,
    TransferOutcome,
    TransferRecord,
    VisitOutcome,
    WatchRecord,
)
from ccserver.core.settings import WatchMode
from ccserver.store import schema
from ccserver.store.archive import FileStatus
from ccserver.store.database import Store
from ccserver.store.flow_reports import passage_of
from ccserver.store.persons import CLOSED, Opener
from ccserver.store.survey_reports import answer_of

CALLS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """One interaction that is over. Times are aware, in UTC."""

    number: InteractionId
    kind: str
    leg: LegId
    did: str
    caller_number: str | None
    caller_name: str
    language: Language
    queue: QueueId | None
    agent: AgentId | None
    outcome: Outcome
    ended_by: EndedBy
    disposition: DispositionId | None
    arrived_at: datetime
    ended_at: datetime
    wait_s: float
    talk_s: float
    parent: InteractionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSegment:
    number: int
    kind: SegmentKind
    started_at: datetime
    duration_s: float
    queue: QueueId | None
    agent: AgentId | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastVisit:
    number: int
    queue: QueueId
    entered_at: datetime
    wait_s: float
    outcome: VisitOutcome
    is_within_service_level: bool
    agent: AgentId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOffer:
    number: int
    queue: QueueId
    agent: AgentId
    phone: PhoneId
    leg: LegId
    offered_at: datetime
    ring_s: float
    outcome: OfferOutcome
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRecording:
    """`path` as Asterisk sees it, without ending. `status` None: nothing was made of it yet."""

    number: int
    agent: AgentId
    path: str
    started_at: datetime
    duration_s: float
    status: FileStatus | None
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStory:
    """Everything about one call, each part in the order in which it began."""

    call: PastCall
    segments: tuple[PastSegment, ...]
    visits: tuple[PastVisit, ...]
    offers: tuple[PastOffer, ...]
    recordings: tuple[PastRecording, ...]
    transfers: tuple[TransferRecord, ...] = ()
    marks: tuple[MarkRecord, ...] = ()
    supervisions: tuple[WatchRecord, ...] = ()
    messages: tuple[MessageRecord, ...] = ()
    callbacks: tuple[CallbackRecord, ...] = ()
    """Asked for in this call, or what this call is."""
    children: tuple[InteractionId, ...] = ()
    """Consultations and callbacks that came of it."""
    passages: tuple[FlowRecord, ...] = ()
    """Through the flows, node by node."""
    answers: tuple[SurveyRecord, ...] = ()
    lines: tuple[QualityRecord, ...] = ()
    """What the customer said when asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """A state of an agent that is over."""

    agent: AgentId
    state: ShownState
    reason: ReasonId | None
    phone: PhoneId | None
    started_at: datetime
    duration_s: float
    interaction: InteractionId | None

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.duration_s)


def find_calls(
    store: Store,
    *,
    number: InteractionId | None = None,
    caller: str | None = None,
    agent: AgentId | None = None,
    queue: QueueId | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    opener: Opener = CLOSED,
) -> list[PastCall]:
    """Calls to which all that is given applies, the newest first, at most `limit` (and never more than CALLS_MAX).

    `caller` is a number as stored (E.164), or as people write it, or, of what is not sealed, its last digits; `since` and `until` bound
    the arrival (`since <= it < until`).
    """
    table = schema.interactions
    conditions = _period(table.c.arrived_at, since, until)
    if number is not None:
        conditions.append(table.c.interaction == number)
    if agent is not None:
        conditions.append(table.c.agent == agent)
    if queue is not None:
        conditions.append(table.c.queue == queue)
    newest_first = (table.c.arrived_at.desc(), table.c.interaction.desc())
    with store.reading() as connection:
        if caller is not None:
            conditions.append(called_by(connection, caller, opener))
        query = select(table).where(*conditions).order_by(*newest_first).limit(max(0, min(limit, CALLS_MAX)))
        return [_call(row) for row in opener.rows(connection, table, connection.execute(query).all())]


def called_by(connection: Connection, caller: str, opener: Opener) -> ColumnElement[bool]:
    """Calls from a number; of those that are not sealed its last digits are enough."""
    column = schema.interactions.c.caller_number
    exact = opener.is_of(connection, column, caller)
    return exact if caller.startswith("+") else or_(exact, column.endswith(caller, autoescape=True))


def call_story(store: Store, number: InteractionId, opener: Opener = CLOSED) -> CallStory | None:
    """All that is kept of one call; None if history has no such number (yet)."""
    with store.reading() as connection:
        table = schema.interactions
        found = connection.execute(select(table).where(table.c.interaction == number).limit(1)).all()
        if not found:
            return None

        def opened(of: Table, rows: Sequence[Row[tuple[object, ...]]]) -> list[Any]:
            return opener.rows(connection, of, rows)

        return CallStory(
            call=_call(opened(table, found)[0]),
            segments=tuple(_segment(each) for each in _parts(connection, schema.segments, number)),
            visits=tuple(_visit(each) for each in _parts(connection, schema.queue_visits, number)),
            offers=tuple(_offer(each) for each in _parts(connection, schema.offers, number)),
            recordings=tuple(_recordings(connection, number)),
            transfers=tuple(_transfer(each) for each in opened(schema.transfers, _parts(connection, schema.transfers, number))),
            marks=tuple(_mark(each) for each in _of_call(connection, schema.marks, number)),
            supervisions=tuple(_supervision(each) for each in _of_call(connection, schema.supervisions, number)),
            messages=tuple(_message(each) for each in _of_call(connection, schema.messages, number)),
            callbacks=tuple(_callback(each) for each in opened(schema.callbacks, _callbacks(connection, number))),
            children=tuple(connection.execute(_CHILDREN, {"of": number}).scalars()),
            passages=tuple(passage_of(each) for each in _parts(connection, schema.flow_passages, number)),
            answers=tuple(answer_of(each) for each in _parts(connection, schema.survey_answers, number)),
            lines=tuple(_quality(each) for each in _of_call(connection, schema.leg_quality, number)),
        )


def agent_states(
    store: Store,
    agent: AgentId,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 1000,
) -> list[PastState]:
    """States of one agent that began in the period and are over, oldest first; the newest `limit` of them."""
    table = schema.agent_states
    conditions = [table.c.agent == agent, *_period(table.c.started_at, since, until)]
    query = select(table).where(*conditions).order_by(table.c.started_at.desc(), table.c.seq.desc()).limit(max(0, limit))
    with store.engine.connect() as connection:
        return [_state(row) for row in reversed(connection.execute(query).all())]


def _period(column: ColumnElement[object], since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    conditions = []
    if since is not None:
        conditions.append(column >= since)
    if until is not None:
        conditions.append(column < until)
    return conditions


def _parts(connection: Connection, table: Table, number: InteractionId) -> Sequence[Row[tuple[object, ...]]]:
    return connection.execute(select(table).where(table.c.interaction == number).order_by(table.c.number)).all()


def _of_call(connection: Connection, table: Table, number: InteractionId) -> Sequence[Row[tuple[object, ...]]]:
    return connection.execute(select(table).where(table.c.interaction == number).order_by(table.c.run, table.c.seq)).all()


def _callbacks(connection: Connection, number: InteractionId) -> Sequence[Row[tuple[object, ...]]]:
    table = schema.callbacks
    query = select(table).where((table.c.interaction == number) | (table.c.call == number)).order_by(table.c.asked_at)
    return connection.execute(query).all()


_CHILDREN = (
    select(schema.interactions.c.interaction)
    .where(schema.interactions.c.parent == bindparam("of"))
    .order_by(schema.interactions.c.interaction)
)


def audit_log(
    store: Store, *, since: datetime | None = None, by: str | None = None, limit: int = 100, opener: Opener = CLOSED
) -> list[AuditRecord]:
    """Acts of supervisors and operators, the newest first."""
    table = schema.audit
    conditions = _period(table.c.at, since, None)
    if by is not None:
        conditions.append(table.c.by == by)
    newest_first = (table.c.at.desc(), table.c.run.desc(), table.c.seq.desc())
    query = select(table).where(*conditions).order_by(*newest_first).limit(max(0, min(limit, CALLS_MAX)))
    with store.engine.connect() as connection:
        return [
            AuditRecord(
                by=row.by,
                act=row.act,
                what=row.what,
                is_done=row.is_done,
                at_utc_s=row.at.timestamp(),
                interaction=row.interaction,
                agent=row.agent,
            )
            for row in opener.rows(connection, table, connection.execute(query).all())
        ]


def _transfer(row: Row[tuple[object, ...]]) -> TransferRecord:
    return TransferRecord(
        interaction=row.interaction,
        number=row.number,
        kind=TransferKind(row.kind),
        agent=row.agent,
        to=row.target,
        started_utc_s=row.started_at.timestamp(),
        duration_s=row.duration_s,
        outcome=TransferOutcome(row.outcome),
    )


def _mark(row: Row[tuple[object, ...]]) -> MarkRecord:
    return MarkRecord(interaction=row.interaction, agent=row.agent, what=row.what, at_utc_s=row.at.timestamp())


def _supervision(row: Row[tuple[object, ...]]) -> WatchRecord:
    return WatchRecord(
        watch=row.watch,
        number=row.number,
        by=row.by,
        supervisor=row.supervisor,
        phone=row.phone,
        agent=row.agent,
        interaction=row.interaction,
        mode=WatchMode(row.mode),
        started_utc_s=row.started_at.timestamp(),
        duration_s=row.duration_s,
    )


def _message(row: Row[tuple[object, ...]]) -> MessageRecord:
    return MessageRecord(
        interaction=row.interaction,
        queue=row.queue,
        path=row.path,
        started_utc_s=row.started_at.timestamp(),
        duration_s=row.duration_s,
    )


def _callback(row: Row[tuple[object, ...]]) -> CallbackRecord:
    return CallbackRecord(
        interaction=row.interaction,
        call=row.call,
        queue=row.queue,
        number=row.number,
        confirmed_by=row.confirmed_by,
        asked_utc_s=row.asked_at.timestamp(),
        tries=row.tries,
        outcome=CallbackOutcome(row.outcome),
        ended_utc_s=row.ended_at.timestamp(),
    )


def _quality(row: Row[tuple[object, ...]]) -> QualityRecord:
    sent = None
    if row.sent is not None:
        sent = Stream(packets=row.sent, lost=row.sent_lost, jitter_ms=row.sent_jitter_ms)
    return QualityRecord(
        interaction=row.interaction,
        leg=LegId(row.pbx, row.uniqueid),
        side=LegSide(row.side),
        agent=row.agent,
        codec=row.codec,
        received=Stream(packets=row.received, lost=row.received_lost, jitter_ms=row.received_jitter_ms),
        sent=sent,
        rtt_ms=row.rtt_ms,
        mos=row.mos,
        at_utc_s=row.at.timestamp(),
    )


def _recordings(connection: Connection, number: InteractionId) -> list[PastRecording]:
    told, files = schema.recordings, schema.recording_files
    query = (
        select(told, files.c.status, files.c.bytes, files.c.sha256, files.c.duration_s.label("file_s"))
        .select_from(told.outerjoin(files, told.c.path == files.c.path))
        .where(told.c.interaction == number)
        .order_by(told.c.number)
    )
    return [
        PastRecording(
            number=row.number,
            agent=row.agent,
            path=row.path,
            started_at=row.started_at,
            duration_s=row.duration_s if row.file_s is None else row.file_s,
            status=None if row.status is None else FileStatus(row.status),
            bytes=row.bytes or 0,
            sha256=row.sha256 or "",
        )
        for row in connection.execute(query)
    ]


def _call(row: Row[tuple[object, ...]]) -> PastCall:
    return PastCall(
        number=row.interaction,
        kind=row.kind,
        leg=LegId(row.pbx, row.uniqueid),
        did=row.did,
        caller_number=row.caller_number,
        caller_name=row.caller_name,
        language=row.language,
        queue=row.queue,
        agent=row.agent,
        outcome=Outcome(row.outcome),
        ended_by=EndedBy(row.ended_by),
        disposition=row.disposition,
        arrived_at=row.arrived_at,
        ended_at=row.ended_at,
        wait_s=row.wait_s,
        talk_s=row.talk_s,
        parent=row.parent,
    )


def _segment(row: Row[tuple[object, ...]]) -> PastSegment:
    return PastSegment(
        number=row.number,
        kind=SegmentKind(row.kind),
        started_at=row.started_at,
        duration_s=row.duration_s,
        queue=row.queue,
        agent=row.agent,
        detail=row.detail,
    )


def _visit(row: Row[tuple[object, ...]]) -> PastVisit:
    return PastVisit(
        number=row.number,
        queue=row.queue,
        entered_at=row.entered_at,
        wait_s=row.wait_s,
        outcome=VisitOutcome(row.outcome),
        is_within_service_level=row.is_within_service_level,
        agent=row.agent,
    )


def _offer(row: Row[tuple[object, ...]]) -> PastOffer:
    return PastOffer(
        number=row.number,
        queue=row.queue,
        agent=row.agent,
        phone=row.phone,
        leg=LegId(row.pbx, row.uniqueid),
        offered_at=row.offered_at,
        ring_s=row.ring_s,
        outcome=OfferOutcome(row.outcome),
        why=row.why,
    )


def _state(row: Row[tuple[object, ...]]) -> PastState:
    return PastState(
        agent=row.agent,
        state=ShownState(row.state),
        reason=row.reason,
        phone=row.phone,
        started_at=row.started_at,
        duration_s=row.duration_s,
        interaction=row.interaction,
    )

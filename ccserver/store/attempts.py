"""Attempts to call a number: durable before the phone rings, and never two at a time to one number.

An attempt is `stored` (committed; only then may it be dialled), `placed` (the PBX has it) and `settled` with its outcome. The daemon that
dies in between leaves it open; whoever comes after makes it `unknown`, and the number is left alone for a while, since its phone may be
ringing or answered. Who settles it late is believed.

Counters of lead and number change in the same transaction: they count when the attempt is stored, for it may ring from then on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ccserver.core.ids import AttemptId, LeadId
from ccserver.core.records import AttemptOutcome, AttemptRecord
from ccserver.store.lead_book import LeadState, NumberState, Urgency
from ccserver.store.lead_schema import attempts, lead_numbers, leads
from ccserver.store.persons import lock
from ccserver.store.rows import text, utc


class AttemptState(Enum):
    STORED = "stored"
    PLACED = "placed"
    SETTLED = "settled"
    UNKNOWN = "unknown"


OPEN = (AttemptState.STORED.value, AttemptState.PLACED.value, AttemptState.UNKNOWN.value)
"""States in which its phone may ring."""


class MayNotDial(Exception):
    """The attempt is not stored, so nothing may be dialled. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """`id` is chosen by who dials, the same again if the same step is done again. `lead` and `token` None: a number that somebody
    typed, not of a list."""

    id: AttemptId
    number: str
    campaign: str
    purpose: str
    asked_by: str
    caller_id: str
    trunk: str
    lead: LeadId | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended, and what is to become of its lead: dialled again at `again_at`, as a callback (by `only`, if by nobody else) or
    not, or never if None. `trunk` and `caller_id` empty: as they were stored."""

    outcome: AttemptOutcome
    ended_at: datetime
    again_at: datetime | None = None
    is_callback: bool = False
    only: str | None = None
    is_number_wrong: bool = False
    is_refusal: bool = False
    is_success: bool = False
    cause: int | None = None
    placed_at: datetime | None = None
    answered_at: datetime | None = None
    trunk: str = ""
    caller_id: str = ""
    agent: str | None = None
    interaction: int | None = None
    disposition: str | None = None
    talk_s: float = 0.0
    wrap_up_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    id: AttemptId
    lead: LeadId | None
    number: str
    campaign: str
    purpose: str
    asked_by: str
    caller_id: str
    trunk: str
    state: AttemptState
    stored_at: datetime
    placed_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    cause: int | None
    agent: str | None
    interaction: int | None
    disposition: str | None
    is_refusal: bool
    is_success: bool
    talk_s: float
    wrap_up_s: float


def store(engine: Engine, new: NewAttempt, now: datetime) -> bool:
    """Commit an attempt; when this has returned it may be dialled, once. False: this very attempt was stored before, and is not to be
    dialled again on account of this. Raises MayNotDial, SQLAlchemyError."""
    with engine.begin() as connection:
        return store_in(connection, new, now)


def store_in(connection: Connection, new: NewAttempt, now: datetime) -> bool:
    """The same within a transaction, whose commit it is that counts."""
    lock(connection)
    if connection.execute(select(attempts.c.id).where(attempts.c.id == new.id)).first() is not None:
        return False
    _require(connection, new, now)
    row = insert(attempts).values(
        id=new.id,
        lead=new.lead,
        number=new.number,
        campaign=new.campaign,
        purpose=new.purpose,
        asked_by=new.asked_by,
        caller_id=new.caller_id,
        trunk=new.trunk,
        state=AttemptState.STORED.value,
        stored_at=now,
    )
    try:
        connection.execute(row)
    except IntegrityError:
        # somebody else was faster by an instant: the database takes one open attempt of a number
        raise MayNotDial(f"{new.number} is being dialled already") from None
    if new.lead is not None:
        _count(connection, new.lead, new.number, now, 1)
    return True


def _require(connection: Connection, new: NewAttempt, now: datetime) -> None:
    busy = select(attempts.c.id).where(attempts.c.number == new.number, attempts.c.state.in_(OPEN))
    if connection.execute(busy).first() is not None:
        raise MayNotDial(f"{new.number} is being dialled already, or it is not known whether it is")
    if new.lead is None:
        return
    row = connection.execute(select(leads).where(leads.c.id == new.lead).with_for_update()).one_or_none()
    if row is None:
        raise MayNotDial(f"lead {new.lead} is not there any more")
    if row.state != LeadState.CLAIMED.value or row.claim_token != new.token or row.wake_at <= now:
        raise MayNotDial(f"lead {new.lead} is not claimed any more by who wants to dial it")
    here = (lead_numbers.c.lead == new.lead, lead_numbers.c.e164 == new.number, lead_numbers.c.state != NumberState.BAD.value)
    if connection.execute(select(lead_numbers.c.position).where(*here)).first() is None:
        raise MayNotDial(f"{new.number} is no number of lead {new.lead}")
    mine = select(attempts.c.id).where(attempts.c.lead == new.lead, attempts.c.state.in_(OPEN))
    if connection.execute(mine).first() is not None:
        raise MayNotDial(f"another number of lead {new.lead} is being dialled")


def _count(connection: Connection, lead: LeadId, number: str, at: datetime | None, by: int) -> None:
    here = (lead_numbers.c.lead == lead, lead_numbers.c.e164 == number)
    table, phones = leads.c, lead_numbers.c
    latest: dict[str, Any] = {} if at is None else {"last_attempt_at": at}
    connection.execute(update(leads).where(table.id == lead).values(tries=table.tries + by, **latest))
    connection.execute(update(lead_numbers).where(*here).values(tries=phones.tries + by, **latest))


def placed(engine: Engine, attempt: AttemptId, now: datetime, *, trunk: str | None = None) -> bool:
    """The PBX has taken it. False: it was not waiting for that."""
    values: dict[str, Any] = {"state": AttemptState.PLACED.value, "placed_at": now}
    if trunk is not None:
        values["trunk"] = trunk
    here = (attempts.c.id == attempt, attempts.c.state == AttemptState.STORED.value)
    with engine.begin() as connection:
        return connection.execute(update(attempts).where(*here).values(values)).rowcount == 1


def settle(engine: Engine, attempt: AttemptId, result: Result) -> bool:
    """It is over: with its lead and the counters, in one transaction. False: it was settled before and stays as it was, or was never
    stored.

    Raises SQLAlchemyError.
    """
    with engine.begin() as connection:
        return settle_in(connection, attempt, result)


def settle_in(connection: Connection, attempt: AttemptId, result: Result) -> bool:
    lock(connection)
    row = connection.execute(select(attempts).where(attempts.c.id == attempt).with_for_update()).one_or_none()
    if row is None or row.state == AttemptState.SETTLED.value:
        return False
    values: dict[str, Any] = {
        "state": AttemptState.SETTLED.value,
        "outcome": result.outcome.value,
        "cause": result.cause,
        "placed_at": result.placed_at or row.placed_at,
        "answered_at": result.answered_at,
        "ended_at": result.ended_at,
        "trunk": result.trunk or row.trunk,
        "caller_id": result.caller_id or row.caller_id,
        "agent": result.agent,
        "interaction": result.interaction,
        "disposition": result.disposition,
        "is_refusal": result.is_refusal,
        "is_success": result.is_success,
        "talk_s": result.talk_s,
        "wrap_up_s": result.wrap_up_s,
    }
    connection.execute(update(attempts).where(attempts.c.id == attempt).values(values))
    if row.lead is not None:
        _settle_lead(connection, LeadId(row.lead), row.number, result)
    return True


def settle_told(connection: Connection, record: AttemptRecord) -> None:
    """What the center tells of an attempt that is over. Of one that was never stored only the lead is given back, as it was, if it is still
    under a claim of that campaign: nothing was dialled. A phone's own call that the dialplan dialled without us, who were asked, is kept
    from here on."""
    result = _result(record)
    if settle_in(connection, record.attempt, result):
        return
    if connection.execute(select(attempts.c.id).where(attempts.c.id == record.attempt)).first() is not None:
        return
    if record.lead is None:
        if record.campaign is None and result.outcome is not AttemptOutcome.NOT_PLACED:
            _keep_told(connection, record, result)
        return
    busy = select(attempts.c.id).where(attempts.c.lead == leads.c.id, attempts.c.state.in_(OPEN)).exists()
    mine = (leads.c.id == record.lead, leads.c.state == LeadState.CLAIMED.value, leads.c.claimed_by == (record.campaign or ""))
    is_never = result.again_at is None and result.outcome is not AttemptOutcome.UNKNOWN
    state = LeadState.DONE if is_never else LeadState.READY if result.again_at is None else LeadState.WAITING
    values = {"state": state.value, "wake_at": result.again_at, "claimed_by": None, "claim_token": None}
    connection.execute(update(leads).where(*mine, ~busy).values(values))


def _keep_told(connection: Connection, record: AttemptRecord, result: Result) -> None:
    row = insert(attempts).values(
        id=record.attempt,
        number=record.number,
        campaign="",
        purpose="",
        asked_by=text(record.agent) or "",
        caller_id="",
        trunk="",
        state=AttemptState.UNKNOWN.value,
        stored_at=result.answered_at or result.ended_at,
    )
    connection.execute(row)
    settle_in(connection, record.attempt, result)


def _result(record: AttemptRecord) -> Result:
    """Raises OverflowError for a time that is none."""
    return Result(
        outcome=record.outcome,
        ended_at=utc(record.ended_utc_s),
        again_at=None if record.again_utc_s is None else utc(record.again_utc_s),
        is_callback=record.is_callback or record.only is not None,
        only=text(record.only),
        is_number_wrong=record.is_number_wrong,
        is_refusal=record.is_refusal,
        is_success=record.is_success,
        cause=record.cause,
        placed_at=None if record.placed_utc_s is None else utc(record.placed_utc_s),
        answered_at=None if record.answered_utc_s is None else utc(record.answered_utc_s),
        trunk=text(record.trunk) or "",
        caller_id=text(record.caller_id) or "",
        agent=text(record.agent),
        interaction=record.interaction,
        disposition=text(record.disposition),
        talk_s=record.talk_s,
        wrap_up_s=record.wrap_up_s,
    )


_ANSWERS = frozenset({AttemptOutcome.ANSWERED, AttemptOutcome.ABANDONED})


def _settle_lead(connection: Connection, lead: LeadId, number: str, result: Result) -> None:
    phones = lead_numbers.c
    here = (phones.lead == lead, phones.e164 == number)
    told: dict[str, Any] = {}
    if result.outcome is AttemptOutcome.NOT_PLACED:
        _take_back(connection, lead, number)
    else:
        told["last_outcome"] = result.outcome.value
    if result.outcome in _ANSWERS:
        told["answers"] = phones.answers + 1
    if result.outcome is AttemptOutcome.NO_SUCH_NUMBER or result.is_number_wrong:
        told["state"] = NumberState.BAD.value
    if told:
        connection.execute(update(lead_numbers).where(*here).values(told))
    good = select(phones.position).where(phones.lead == lead, phones.state == NumberState.GOOD.value).limit(1)
    again_at = None if connection.execute(good).first() is None else result.again_at
    values: dict[str, Any] = {
        "state": LeadState.DONE.value if again_at is None else LeadState.WAITING.value,
        "wake_at": again_at,
        "claimed_by": None,
        "claim_token": None,
        "last_outcome": result.outcome.value,
    }
    if result.is_callback and again_at is not None:
        values |= {"urgency": Urgency.CALLBACK.value, "only_agent": result.only, "callback_at": again_at}
    elif result.outcome is not AttemptOutcome.NOT_PLACED:  # which leaves a hot lead hot, and a callback one
        values |= {"urgency": Urgency.NORMAL.value, "only_agent": None, "callback_at": None}
    connection.execute(update(leads).where(leads.c.id == lead).values(values))


def _take_back(connection: Connection, lead: LeadId, number: str) -> None:
    """Nothing was dialled: it counts as no attempt."""
    _count(connection, lead, number, None, -1)
    calls = attempts.c
    of_lead = (calls.lead == lead, calls.outcome.is_distinct_from(AttemptOutcome.NOT_PLACED.value))
    newest = select(func.max(calls.stored_at))
    last = newest.where(*of_lead).scalar_subquery()
    last_here = newest.where(*of_lead, calls.number == number).scalar_subquery()
    connection.execute(update(leads).where(leads.c.id == lead).values(last_attempt_at=last))
    here = (lead_numbers.c.lead == lead, lead_numbers.c.e164 == number)
    connection.execute(update(lead_numbers).where(*here).values(last_attempt_at=last_here))


def take_over(engine: Engine, now: datetime, hold_off: timedelta, known: Collection[AttemptId] = ()) -> list[AttemptId]:
    """Of a daemon that died: what it left open, and nobody knows of (`known`), is unknown, and those leads are left alone for `hold_off`.
    Nothing is dialled again blindly; what is known later settles it. To be called when nobody dials. Raises SQLAlchemyError."""
    with engine.begin() as connection:
        lock(connection)
        open_ones = (AttemptState.STORED.value, AttemptState.PLACED.value)
        rows = connection.execute(select(attempts.c.id, attempts.c.lead).where(attempts.c.state.in_(open_ones))).all()
        left = [row for row in rows if row.id not in known]
        for row in left:
            connection.execute(update(attempts).where(attempts.c.id == row.id).values(state=AttemptState.UNKNOWN.value))
            values = {
                "state": LeadState.WAITING.value,
                "wake_at": now + hold_off,
                "urgency": Urgency.NORMAL.value,
                "claimed_by": None,
                "claim_token": None,
            }
            connection.execute(update(leads).where(leads.c.id == row.lead).values(values))
        return [AttemptId(row.id) for row in left]


def give_up_unknown(engine: Engine, now: datetime, older_than: timedelta) -> list[AttemptId]:
    """Of attempts that stayed unknown for so long no phone rings any more: they are settled, counted as the attempts they may have been."""
    with engine.begin() as connection:
        lock(connection)
        here = (attempts.c.state == AttemptState.UNKNOWN.value, attempts.c.stored_at <= now - older_than)
        ids = list(connection.execute(select(attempts.c.id).where(*here)).scalars())
        values = {"state": AttemptState.SETTLED.value, "outcome": AttemptOutcome.UNKNOWN.value, "ended_at": now}
        connection.execute(update(attempts).where(*here).values(values))
        return [AttemptId(each) for each in ids]


# --- reading ------------------------------------------------------------------------------------------------------------
def find(
    connection: Connection,
    *,
    states: Sequence[AttemptState] = (),
    lead: LeadId | None = None,
    number: str | None = None,
    limit: int = 100,
) -> list[Attempt]:
    """The newest first."""
    query = select(attempts).order_by(attempts.c.stored_at.desc(), attempts.c.id.desc()).limit(limit)
    if states:
        query = query.where(attempts.c.state.in_([state.value for state in states]))
    if lead is not None:
        query = query.where(attempts.c.lead == lead)
    if number is not None:
        query = query.where(attempts.c.number == number)
    return [_attempt(row) for row in connection.execute(query)]


def _attempt(row: Any) -> Attempt:
    return Attempt(
        id=AttemptId(row.id),
        lead=None if row.lead is None else LeadId(row.lead),
        number=row.number,
        campaign=row.campaign,
        purpose=row.purpose,
        asked_by=row.asked_by,
        caller_id=row.caller_id,
        trunk=row.trunk,
        state=AttemptState(row.state),
        stored_at=row.stored_at,
        placed_at=row.placed_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        outcome=None if row.outcome is None else AttemptOutcome(row.outcome),
        cause=row.cause,
        agent=row.agent,
        interaction=row.interaction,
        disposition=row.disposition,
        is_refusal=row.is_refusal,
        is_success=row.is_success,
        talk_s=row.talk_s,
        wrap_up_s=row.wrap_up_s,
    )

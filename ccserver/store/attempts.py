"""Attempts to call a number: durable before the phone rings, and never two at a time to one number.

An attempt is `stored` (committed; only then may it be dialled), `placed` (the PBX has it) and `settled` with its outcome. The daemon that
dies in between leaves it open; whoever comes after makes it `unknown`, and the number is left alone for a while, since its phone may be
ringing or answered. Who settles it late is believed.

Counters of lead and number change in the same transaction: they count when the attempt is stored, for it may ring from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from ccserver.core.ids import AttemptId, LeadId
from ccserver.core.records import AttemptOutcome
from ccserver.store.lead_book import LeadState, NumberState, Urgency
from ccserver.store.lead_schema import attempts, lead_numbers, leads
from ccserver.store.persons import lock


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
    """How an attempt ended, and what is to become of its lead: dialled again at `again_at`, as a callback or not, or never if None."""

    outcome: AttemptOutcome
    ended_at: datetime
    again_at: datetime | None = None
    is_callback: bool = False
    cause: int | None = None
    answered_at: datetime | None = None
    agent: str | None = None
    interaction: int | None = None
    disposition: str | None = None


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


def store(engine: Engine, new: NewAttempt, now: datetime) -> bool:
    """Commit an attempt; when this has returned it may be dialled, once. False: this very attempt was stored before, and is not to be
    dialled again on account of this. Raises MayNotDial, SQLAlchemyError."""
    try:
        with engine.begin() as connection:
            lock(connection)
            if connection.execute(select(attempts.c.id).where(attempts.c.id == new.id)).first() is not None:
                return False
            _require(connection, new, now)
            connection.execute(
                insert(attempts).values(
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
            )
            if new.lead is not None:
                _count(connection, new.lead, new.number, now, 1)
    except IntegrityError:
        # somebody else was faster by an instant: the database takes one open attempt of a number
        raise MayNotDial(f"{new.number} is being dialled already") from None
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


def _count(connection: Connection, lead: LeadId, number: str, at: datetime, by: int) -> None:
    here = (lead_numbers.c.lead == lead, lead_numbers.c.e164 == number)
    table, phones = leads.c, lead_numbers.c
    latest: dict[str, Any] = {"last_attempt_at": at} if by > 0 else {}
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
    """It is over: with its lead and the counters, in one transaction. False: it was settled before, and stays as it was.

    Raises SQLAlchemyError.
    """
    with engine.begin() as connection:
        lock(connection)
        row = connection.execute(select(attempts).where(attempts.c.id == attempt).with_for_update()).one_or_none()
        if row is None or row.state == AttemptState.SETTLED.value:
            return False
        connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt)
            .values(
                state=AttemptState.SETTLED.value,
                outcome=result.outcome.value,
                cause=result.cause,
                answered_at=result.answered_at,
                ended_at=result.ended_at,
                agent=result.agent,
                interaction=result.interaction,
                disposition=result.disposition,
            )
        )
        if row.lead is not None:
            _settle_lead(connection, LeadId(row.lead), row.number, result)
        return True


def _settle_lead(connection: Connection, lead: LeadId, number: str, result: Result) -> None:
    outcome = result.outcome
    if outcome is AttemptOutcome.NOT_PLACED:
        _count(connection, lead, number, result.ended_at, -1)
    phones = lead_numbers.c
    told: dict[str, Any] = {"last_outcome": outcome.value}
    if outcome in {AttemptOutcome.ANSWERED, AttemptOutcome.ABANDONED}:
        told["answers"] = phones.answers + 1
    if outcome is AttemptOutcome.NO_SUCH_NUMBER:
        told["state"] = NumberState.BAD.value
    connection.execute(update(lead_numbers).where(phones.lead == lead, phones.e164 == number).values(told))
    good = select(phones.position).where(phones.lead == lead, phones.state == NumberState.GOOD.value).limit(1)
    again_at = None if connection.execute(good).first() is None else result.again_at
    urgency = Urgency.CALLBACK if result.is_callback else Urgency.NORMAL
    values = {
        "state": LeadState.DONE.value if again_at is None else LeadState.WAITING.value,
        "wake_at": again_at,
        "urgency": urgency.value,
        "claimed_by": None,
        "claim_token": None,
        "last_outcome": outcome.value,
    }
    connection.execute(update(leads).where(leads.c.id == lead).values(values))


def take_over(engine: Engine, now: datetime, hold_off: timedelta) -> list[AttemptId]:
    """Of a daemon that died: what it left open is unknown, and those leads are left alone for `hold_off`. Nothing is dialled again
    blindly; what is known later settles it. To be called when nobody dials. Raises SQLAlchemyError."""
    with engine.begin() as connection:
        lock(connection)
        left = (AttemptState.STORED.value, AttemptState.PLACED.value)
        rows = connection.execute(select(attempts.c.id, attempts.c.lead).where(attempts.c.state.in_(left))).all()
        for row in rows:
            connection.execute(update(attempts).where(attempts.c.id == row.id).values(state=AttemptState.UNKNOWN.value))
            values = {
                "state": LeadState.WAITING.value,
                "wake_at": now + hold_off,
                "urgency": Urgency.NORMAL.value,
                "claimed_by": None,
                "claim_token": None,
            }
            connection.execute(update(leads).where(leads.c.id == row.lead).values(values))
        return [AttemptId(row.id) for row in rows]


def give_up_unknown(engine: Engine, now: datetime, older_than: timedelta) -> list[AttemptId]:
    """Of attempts that stayed unknown for so long no phone rings any more: cancelled, and counted as the attempts they may have been."""
    with engine.begin() as connection:
        here = (attempts.c.state == AttemptState.UNKNOWN.value, attempts.c.stored_at <= now - older_than)
        ids = list(connection.execute(select(attempts.c.id).where(*here)).scalars())
        values = {"state": AttemptState.SETTLED.value, "outcome": AttemptOutcome.CANCELLED.value, "ended_at": now}
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
    )

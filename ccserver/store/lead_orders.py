"""What the center orders of the lists of leads, done in the database, and the events that tell what came of it.

Registers and the key of erased numbers are read anew when they have changed: a register that is not there as it was imported fails the
order, since without it people would be called who must not be.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, select

from ccserver.core.change import replace
from ccserver.core.commands import ClaimLeads, GiveBackLeads, StoreAttempt
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.events import AttemptStored, LeadsClaimed, StoreEnd
from ccserver.core.ids import AgentId, AttemptId, CommandId, Language, LeadId
from ccserver.store import attempts, claims, do_not_call, lead_book
from ccserver.store.attempts import AttemptState, MayNotDial, NewAttempt
from ccserver.store.claims import Claimed, unsynced, wait_no_longer
from ccserver.store.do_not_call import Hasher
from ccserver.store.fact_sheets import filled, of_number
from ccserver.store.lead_book import ListId, NumberState, Urgency
from ccserver.store.lead_schema import attempts as attempts_table
from ccserver.store.persons import lock
from ccserver.store.prepared import Prepared
from ccserver.store.registers import Registers, all_registers
from ccserver.store.vault import Vault

LANGUAGE_FIELD = "language"
"""The custom field in which a lead may name one of the languages spoken here."""
CALL_MAX = timedelta(hours=2)
"""What nobody knows of for so long rings no phone any more."""
HOLD_OFF = CALL_MAX + timedelta(minutes=15)
"""Leads whose phone may be ringing are left alone for so long: until after that has been looked at."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCalls:
    """What a center that was restored knows of: its attempts that are not over, and the leads under its claims."""

    attempts: frozenset[AttemptId] = frozenset()
    leads: frozenset[LeadId] = frozenset()


NOTHING_KNOWN = KnownCalls()


@dataclass(slots=True, kw_only=True)
class LeadOrders:
    """For one thread. `folder`: of the registers. Everything raises SQLAlchemyError, BadRegister, NoMasterKey, BadSeal, OSError."""

    engine: Engine
    folder: Path
    vault: Vault | None
    languages: Callable[[], Collection[Language]]
    utc_s: Callable[[], float]
    _registers: Registers | None = field(default=None, init=False)

    def close(self) -> None:
        if self._registers is not None:
            self._registers.close()
            self._registers = None

    # --- orders -------------------------------------------------------------------------------------------------------
    def claim(self, command_id: CommandId, command: ClaimLeads) -> LeadsClaimed:
        now = self._now()
        with unsynced(self.engine) as connection:
            lists = _lists(connection, command.lists)
            hasher, registers = self._hasher(connection), self._opened(connection)
            claimed = claims.claim_in(
                connection,
                lists,
                campaign=command.campaign,
                count=command.count,
                now=now,
                hold=timedelta(seconds=command.hold_s),
                hasher=hasher,
            )
            good = claims.close_hopeless(connection, claimed)
            tried = claims.tried(connection, [each.lead for each in good], command.campaign)
            left = claims.left(connection, lists)
        spoken = {str(language): language for language in self.languages()}
        return LeadsClaimed(
            command=command_id,
            campaign=command.campaign,
            is_ok=True,
            leads=tuple(
                _told(each, _sheets(command.sheet, each, registers, now), tried.get(each.lead.id), spoken) for each in good
            ),
            ready=left.ready,
            next_utc_s=None if left.next_at is None else left.next_at.timestamp(),
        )

    def give_back(self, command: GiveBackLeads) -> None:
        until = None if command.until_utc_s is None else datetime.fromtimestamp(command.until_utc_s, UTC)
        of: dict[str, list[LeadId]] = {}
        for lead, token in command.leads:
            of.setdefault(token, []).append(lead)
        for token, ids in of.items():
            claims.give_back(self.engine, token, ids, until=until, is_over=command.is_over)

    def store(self, command_id: CommandId, command: StoreAttempt) -> AttemptStored:
        """The facts are those of just before it: the attempt itself is none of the calls that were made."""
        now = self._now()
        try:
            with self.engine.begin() as connection:
                wait_no_longer(connection)
                lock(connection)
                sheet = self._facts(connection, command, now)
                if not attempts.store_in(connection, _new(command), now):
                    _require_waiting(connection, command.attempt)
        except MayNotDial as refusal:
            return AttemptStored(command=command_id, attempt=command.attempt, end=StoreEnd.REFUSED, why=str(refusal))
        return AttemptStored(command=command_id, attempt=command.attempt, end=StoreEnd.STORED, sheet=sheet)

    def _facts(self, connection: Connection, command: StoreAttempt, now: datetime) -> FactSheet:
        """Raises MayNotDial for a lead, or a number of it, that is not there any more."""
        hasher, registers = self._hasher(connection), self._opened(connection)
        if command.lead is None:
            asked = replace(command.sheet, number=command.number)
            return of_number(connection, asked, registers, self.vault, now, but=command.attempt)
        lead = lead_book.lead_of(connection, command.lead)
        number = None if lead is None else next((each for each in lead.numbers if each.e164 == command.number), None)
        if lead is None or number is None:
            raise MayNotDial(f"{command.number} is no number of lead {command.lead} any more")
        (claimed,) = claims.with_facts(
            connection, [lead], token=command.token, until=now, now=now, hasher=hasher, but=command.attempt
        )
        return filled(command.sheet, claimed, number, registers, now)

    # --- what a dead daemon left ------------------------------------------------------------------------------------------
    def take_over(self, known: KnownCalls) -> None:
        """At the start, before anything is claimed or stored: of what is open and not known nobody knows whether a phone rings, and claims
        that nobody knows are over."""
        unknown = attempts.take_over(self.engine, self._now(), HOLD_OFF, known.attempts)
        with self.engine.begin() as connection:
            released = claims.release(connection, known.leads)
        if unknown or released:
            log.warning("leads.taken_over", unknown_attempts=len(unknown), released_claims=released)
        self.give_up()

    def give_up(self) -> None:
        """Once in a while: attempts that have been unknown for long."""
        ids = attempts.give_up_unknown(self.engine, self._now(), CALL_MAX)
        if ids:
            log.warning("attempts.given_up", attempts=len(ids))

    # --- what is read anew when it has changed ------------------------------------------------------------------------------
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.utc_s(), UTC)

    def _hasher(self, connection: Connection) -> Hasher | None:
        return do_not_call.hasher(connection, self.vault)

    def _opened(self, connection: Connection) -> Registers:
        if self._registers is None or self._registers.known != all_registers(connection):
            self.close()
            self._registers = Registers(self.engine, self.folder)
        return self._registers


_LISTS = Prepared("SELECT name, id FROM lead_lists WHERE name = ANY(:names)")


def _lists(connection: Connection, names: Sequence[str]) -> list[ListId]:
    """Those that are there, in the order of the names."""
    known = {name: number for name, number in _LISTS(connection, names=list(names))}  # noqa: C416
    return [ListId(known[name]) for name in dict.fromkeys(names) if name in known]


def _sheets(blank: FactSheet, claimed: Claimed, registers: Registers, now: datetime) -> tuple[FactSheet, ...]:
    """Of the numbers that can be called: the one that was tried least first."""
    good = [number for number in claimed.lead.numbers if number.state is NumberState.GOOD]
    good.sort(key=lambda number: (number.tries, number.position))
    return tuple(filled(blank, claimed, number, registers, now) for number in good)


def _told(
    claimed: Claimed, sheets: tuple[FactSheet, ...], tried: claims.Tried | None, spoken: dict[str, Language]
) -> ClaimedLead:
    lead = claimed.lead
    is_callback = lead.urgency is Urgency.CALLBACK
    return ClaimedLead(
        id=lead.id,
        token=claimed.token,
        until_utc_s=claimed.until.timestamp(),
        list=lead.list,
        name=lead.name,
        sheets=sheets,
        fields=lead.fields,
        language=spoken.get(lead.fields.get(LANGUAGE_FIELD, "").strip().lower()),
        outcomes=dict(tried.outcomes) if tried is not None else {},
        dispositions=dict(tried.dispositions) if tried is not None else {},
        only=AgentId(lead.only_agent) if is_callback and lead.only_agent else None,
        callback_utc_s=lead.callback_at.timestamp() if is_callback and lead.callback_at is not None else None,
        is_hot=lead.urgency is Urgency.HOT,
    )


def _new(command: StoreAttempt) -> NewAttempt:
    return NewAttempt(
        id=command.attempt,
        number=command.number,
        campaign=command.campaign or "",
        purpose="" if command.sheet.purpose is None else command.sheet.purpose.value,
        asked_by=command.asked_by,
        caller_id=command.caller_id,
        trunk=command.trunk or "",
        lead=command.lead,
        token=command.token,
    )


def _require_waiting(connection: Connection, attempt: AttemptId) -> None:
    """It was stored before. Who asks again heard nothing of it, so nothing was dialled, unless somebody else knows better."""
    query = select(attempts_table.c.state).where(attempts_table.c.id == attempt)
    if connection.execute(query).scalar_one() != AttemptState.STORED.value:
        raise MayNotDial("this very attempt was stored before, and is over")

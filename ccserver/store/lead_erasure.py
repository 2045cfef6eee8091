"""What the lists of leads keep of one person, and how they forget them.

A lead is deleted, with all its numbers; attempts stay and are nobody's; that a number is not called outlives its person as a hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from ccserver.core.ids import LeadId
from ccserver.store import do_not_call, lead_book
from ccserver.store.attempts import OPEN
from ccserver.store.lead_schema import attempts, lead_numbers
from ccserver.store.lead_schema import do_not_call as not_called
from ccserver.store.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLeads:
    """`dialled`: of these it is not known, or known, that a phone rings just now."""

    leads: tuple[LeadId, ...] = ()
    attempts: int = 0
    do_not_call: int = 0
    dialled: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.leads or self.attempts or self.do_not_call)


def kept(connection: Connection, number: str) -> KeptLeads:
    ids = _leads(connection, number)
    of_person = _attempts(ids, number)
    calls = attempts.c
    return KeptLeads(
        leads=tuple(LeadId(each) for each in ids),
        attempts=connection.execute(select(func.count()).select_from(attempts).where(of_person)).scalar_one(),
        do_not_call=connection.execute(
            select(func.count()).select_from(not_called).where(not_called.c.number == number)
        ).scalar_one(),
        dialled=tuple(connection.execute(select(calls.id).where(of_person, calls.state.in_(OPEN))).scalars()),
    )


def _leads(connection: Connection, number: str) -> list[int]:
    query = select(lead_numbers.c.lead).where(lead_numbers.c.e164 == number).distinct().order_by(lead_numbers.c.lead)
    return list(connection.execute(query).scalars())


def _attempts(leads: Sequence[int], number: str) -> Any:
    # to all numbers of the lead: whoever it is, they are one person
    calls = attempts.c
    return ((calls.number == number) | calls.lead.in_(leads)) & (calls.number != "")


def forget(connection: Connection, number: str, vault: Vault) -> None:
    """Within the transaction in which the person's key goes."""
    ids = _leads(connection, number)
    connection.execute(update(attempts).where(_attempts(ids, number)).values(number=""))
    lead_book.remove(connection, ids)
    do_not_call.forget(connection, number, vault)

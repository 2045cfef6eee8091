"""Leads as tests make them: files written line by line, and one number for each small integer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ccserver.core.ids import AttemptId, LeadId
from ccserver.store import attempts, lead_book
from ccserver.store.attempts import NewAttempt
from ccserver.store.claims import Claimed, claim
from ccserver.store.database import Store
from ccserver.store.lead_book import Lead, ListId, Urgency, Wanted
from ccserver.store.lead_csv import CsvFile
from ccserver.store.lead_import import LeadImport, Progress, Rules
from ccserver.store.lead_phones import Phone
from ccserver.store.lead_rows import NewLead, Reading, assigned

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
HOLD = timedelta(minutes=5)


def number(of: int) -> str:
    return f"+346{of:08d}"


def a_phone(of: int) -> Phone:
    return Phone(number(of), "mobile", "ES", ("Europe/Madrid",))


def a_lead(of: int, *more: int, **told: object) -> NewLead:
    return NewLead(phones=tuple(a_phone(each) for each in (of, *more)), **told)  # type: ignore[arg-type]


def a_list(store: Store, *leads: NewLead, name: str = "spring", urgency: Urgency = Urgency.NORMAL) -> ListId:
    with store.engine.begin() as connection:
        of = lead_book.open_list(connection, name, (), "dora").id
        if leads:
            lead_book.add(connection, of, leads, urgency=urgency)
    return of


def of_list(store: Store, name: str = "spring") -> list[Lead]:
    with store.reading() as connection:
        return lead_book.find(connection, Wanted(list=name), limit=10_000)


def numbers_of(found: Sequence[Lead | Claimed]) -> list[int]:
    """The first number of each."""
    leads = [each.lead if isinstance(each, Claimed) else each for each in found]
    return [int(each.numbers[0].e164[4:]) for each in leads]


def next_of(store: Store, *lists: ListId, count: int = 10, now: datetime = NOW, campaign: str = "sales") -> list[Claimed]:
    return claim(store.engine, lists, campaign=campaign, count=count, now=now, hold=HOLD, hasher=None)


def an_attempt(of: Claimed, name: str = "a1", place: int = 0, **told: object) -> NewAttempt:
    given = {
        "id": AttemptId(name),
        "number": of.lead.numbers[place].e164,
        "campaign": "sales",
        "purpose": "marketing",
        "asked_by": "campaign",
        "caller_id": "+34910000001",
        "trunk": "carrier",
        "lead": of.lead.id,
        "token": of.token,
        **told,
    }
    return NewAttempt(**given)  # type: ignore[arg-type]


def lead_now(store: Store, lead: LeadId) -> Lead:
    with store.reading() as connection:
        found = lead_book.lead_of(connection, lead)
    assert found is not None
    return found


def attempts_now(store: Store) -> list[attempts.Attempt]:
    with store.reading() as connection:
        return attempts.find(connection, limit=10_000)


def read_file(
    store: Store,
    path: Path,
    *,
    name: str = "spring",
    rules: Rules = Rules(),  # noqa: B008
    given: dict[str, str] | None = None,
    again: bool = False,
    batch: int = 10,
    encoding: str = "utf-8",
    rejects: Path | None = None,
    told: object = None,
) -> Progress:
    with path.open("rb") as file:
        csv_file = CsvFile(file, encoding=encoding)
        reading = Reading(columns=assigned(csv_file.columns, given or {}), country="ES")
        done = LeadImport(
            store,
            path=path,
            file=file,
            csv_file=csv_file,
            list_name=name,
            reading=reading,
            rules=rules,
            rejects=rejects or path.with_suffix(".rejected"),
            by="dora",
            again=again,
            batch=batch,
        )
        return done.run(told) if callable(told) else done.run()

"""`ccserver lead`: lists of whom to call: read from files, written to files, looked at, pushed."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click

from ccserver.cli.dialling import Dialling, dialling, shown_at, tell_of_leads
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, at_a_place, fail, safe, shown_time, table
from ccserver.cli.shelves import who
from ccserver.core.dialer.terms import Purpose
from ccserver.core.ids import LeadId
from ccserver.store import attempts, audit, lead_book
from ccserver.store.attempts import AttemptState
from ccserver.store.database import Store
from ccserver.store.lead_book import Lead, LeadState, Wanted
from ccserver.store.lead_csv import ENCODINGS, CsvFile, written
from ccserver.store.lead_import import Beside, Duplicates, LeadImport, Progress, Rules, known_beside
from ccserver.store.lead_phones import known_zones
from ccserver.store.lead_rows import KNOWN, NUMBERS, TOLD, BadLead, NewLead, Reading, assigned, lead_of

REJECTS = ".rejected.csv"
SAMPLE = 10
_NAMED_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_STATES = click.Choice([state.value for state in LeadState])


@root.group()
def lead() -> None:
    """Lists of whom to call."""


# --- files --------------------------------------------------------------------------------------------------------------
@lead.command("import")
@at_a_place
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--list", "list_name", required=True, help="Into which list; it is made if it is not there.")
@click.option(
    "--map", "mapped", multiple=True, metavar="WHAT=COLUMN", help=f"What a column says: {', '.join(KNOWN)}, or a custom field."
)
@click.option("--ignore", multiple=True, metavar="COLUMN", help="Leave a column out.")
@click.option("--country", help="Whose numbers are written without a country code; without it the center's.")
@click.option("--encoding", type=click.Choice(ENCODINGS), default="utf-8", show_default=True)
@click.option(
    "--separator", type=click.Choice(sorted(_NAMED_SEPARATORS)), help="Between cells; without it the first line tells."
)
@click.option("--time-zone", help="Of leads whose line names none; without it the number tells.")
@click.option("--priority", type=click.IntRange(-1000, 1000), help="Of leads whose line names none; higher is dialled sooner.")
@click.option(
    "--duplicates",
    type=click.Choice([each.value for each in Duplicates]),
    default=Duplicates.REJECT.value,
    show_default=True,
    help="What is done with a lead whose key or number the list has.",
)
@click.option(
    "--across",
    type=click.Choice(["allow", "reject"]),
    default="allow",
    show_default=True,
    help="And with a number that another list has.",
)
@click.option(
    "--rejects", type=click.Path(path_type=Path, dir_okay=False), help=f"Where rejected rows go; without it FILE{REJECTS}."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--again", is_flag=True, help="Although this very file was read into the list before.")
def import_file(
    place: Place,
    *,
    file: Path,
    list_name: str,
    mapped: tuple[str, ...],
    ignore: tuple[str, ...],
    country: str | None,
    encoding: str,
    separator: str | None,
    time_zone: str | None,
    priority: int | None,
    duplicates: str,
    across: str,
    rejects: Path | None,
    dry_run: bool,
    again: bool,
) -> None:
    """Read FILE, a table with commas whose first line names the columns, into a list.

    Interrupted at any time, the same command goes on. Rows that make no lead are written to a file, with line and reason.
    """
    rules = Rules(duplicates=Duplicates(duplicates), across=across == "reject")
    with dialling(place, country) as desk, ExitStack() as stack:
        opened = stack.enter_context(file.open("rb"))
        csv_file = CsvFile(opened, encoding=encoding, separator=None if separator is None else _NAMED_SEPARATORS[separator])
        reading = Reading(
            columns=assigned(csv_file.columns, _pairs(mapped, "--map"), ignore),
            country=desk.country,
            time_zone=_zone(time_zone),
            priority=priority,
        )

        def reader(store: Store, path: Path, beside: Beside | None) -> LeadImport:
            return LeadImport(
                store,
                path=file,
                file=opened,
                csv_file=csv_file,
                list_name=list_name,
                reading=reading,
                rules=rules,
                rejects=path,
                by=who(),
                again=again,
                beside=beside,
            )

        if dry_run:
            scratch, folder = stack.enter_context(_scratch())
            kept = rejects or folder / "rejects"
            done = reader(scratch, kept, known_beside(desk.store, list_name, rules)).run(_progress())
            sample = _sample(kept)
        else:
            kept = rejects or file.with_name(file.name + REJECTS)
            done = reader(desk.store, kept, None).run(_progress())
            sample = []
            if done.added or done.updated:
                tell_of_leads(place, list_name)
        says = {what: name for what, name in zip(reading.columns, csv_file.columns, strict=True) if what is not None}
        place.show(
            {
                "ok": True,
                "is_dry_run": dry_run,
                "list": list_name,
                "columns": says,
                "lines": done.line - 1,
                "added": done.added,
                "updated": done.updated,
                "rejected": done.rejected,
                "went_on": done.went_on,
                "rejects": str(kept) if done.rejected and not (dry_run and rejects is None) else None,
                "sample_of_rejected": sample,
            },
            lambda: _import_text(done, list_name, dry_run, kept if rejects or not dry_run else None, sample),
        )


def _zone(given: str | None) -> str | None:
    """Raises BadLead."""
    if given is not None and given not in known_zones():
        raise BadLead(f"there is no time zone {given!r} (one is, for example, Europe/Madrid)")
    return given


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Raises BadLead."""
    made: dict[str, str] = {}
    for pair in given:
        what, equals, value = pair.partition("=")
        if not equals or not what or what in made:
            raise BadLead(f"{option} wants WHAT=VALUE, each once, got {pair!r}")
        made[what] = value
    return made


@contextmanager
def _scratch() -> Iterator[tuple[Store, Path]]:
    """A database that is thrown away, with its folder."""
    folder = Path(tempfile.mkdtemp(prefix="ccserver-dry-run-"))
    store = Store(f"sqlite:///{folder}/scratch.db")
    try:
        store.upgrade()
        yield store, folder
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)


def _sample(path: Path) -> list[str]:
    """The first rejected rows of a dry run."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for _, line in zip(range(SAMPLE + 1), file, strict=False)][1:]


def _progress() -> Callable[[Progress], None]:
    """On a terminal, once a second: how far it is, how fast, how long it will take."""
    began_s = time.monotonic()
    start: list[Progress] = []
    shown_s = 0.0

    def told(now: Progress) -> None:
        nonlocal shown_s
        start.append(now) if not start else None
        passed_s = time.monotonic() - began_s
        if not sys.stderr.isatty() or passed_s - shown_s < 1.0:
            return
        shown_s = passed_s
        share = now.bytes / max(1, now.bytes_total)
        rate = (now.line - start[0].line) / passed_s
        left_s = (now.bytes_total - now.bytes) * passed_s / max(1, now.bytes - start[0].bytes)
        click.echo(
            f"\r{share:4.0%}  line {now.line}, {rate:.0f} a second, {now.rejected} rejected, {shown_time(left_s)} left   ",
            err=True,
            nl=False,
        )

    return told


def _import_text(done: Progress, list_name: str, is_dry: bool, rejects: Path | None, sample: Sequence[str]) -> str:
    would = "would be " if is_dry else ""
    lines = [
        f"{list_name}: {done.added} leads {would}added, {done.updated} {would}changed, {done.rejected} rows {would}rejected"
    ]
    if done.went_on:
        lines.append("it went on where an earlier import had stopped; the counts are those of both")
    if done.rejected and rejects is not None:
        lines.append(f"rejected rows, with line and reason: {rejects}")
    return "\n".join([*lines, *(safe(line) for line in sample)])


@lead.command()
@at_a_place
@click.option("--list", "list_name", required=True)
@click.option("--state", type=_STATES, help="Only leads in this state.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that is not there yet; without it to standard output.",
)
def export(place: Place, list_name: str, state: str | None, out: Path | None) -> None:
    """Write a list as a table with commas, which `lead import` reads again."""
    with dialling(place) as desk, ExitStack() as stack:
        with desk.store.reading() as connection:
            fields = lead_book.list_named(connection, list_name).fields
        file: TextIO = sys.stdout
        if out is not None:
            try:
                file = stack.enter_context(out.open("x", encoding="utf-8", newline=""))
            except FileExistsError:
                fail(f"{out} is there already, and is not written over", NOT_DONE)
        audit.record_access(desk.store, by=who(), act="lead_export", what=f"list {list_name}")
        count = _export(desk, Wanted(list=list_name, state=None if state is None else LeadState(state)), fields, file)
    if out is not None:
        place.show({"ok": True, "out": out, "leads": count}, lambda: f"{out}: {count} leads")


def _export(desk: Dialling, wanted: Wanted, fields: Sequence[str], file: TextIO) -> int:
    head = ["key", *NUMBERS, "name", "time_zone", "priority", "consent", "consent_date", "consent_until"]
    file.write(written([*head, *TOLD, *fields]))
    after, count = LeadId(0), 0
    while True:
        # a page has a connection of its own: no reader keeps the log of the database from being emptied for minutes
        with desk.store.reading() as connection:
            page = lead_book.find(connection, wanted, after=after)
        for each in page:
            file.write(written(_cells(each, fields)))
        count += len(page)
        if len(page) < lead_book.PAGE:
            return count
        after = page[-1].id


def _cells(each: Lead, fields: Sequence[str]) -> list[str]:
    numbers = [number.e164 for number in each.numbers]
    return [
        each.key or "",
        *(numbers[place] if place < len(numbers) else "" for place in range(len(NUMBERS))),
        each.name,
        each.time_zone or "",
        str(each.priority),
        each.consent_kind or "",
        _iso(each.consent_at),
        _iso(each.consent_until),
        each.state.value,
        str(each.tries),
        _iso(each.last_attempt_at),
        each.last_outcome or "",
        *(each.fields.get(field, "") for field in fields),
    ]


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


# --- looking ------------------------------------------------------------------------------------------------------------
@lead.command("lists")
@at_a_place
def show_lists(place: Place) -> None:
    """All lists, with how many leads are in which state, and which files were read into them."""
    with dialling(place) as desk, desk.store.reading() as connection:
        found = [(each, lead_book.counts(connection, each.id)) for each in lead_book.lists(connection)]
        files = lead_book.imports(connection)
    head = ("list", *(state.value for state in LeadState), "made")
    rows = [(each.name, *(str(counts.get(state, 0)) for state in LeadState), shown_at(each.made_at)) for each, counts in found]
    read = [
        (
            safe(row.file),
            row.list_name or "",
            row.state,
            str(row.line),
            str(row.added),
            str(row.updated),
            str(row.rejected),
            shown_at(row.at),
        )
        for row in files
    ]
    place.show(
        {
            "lists": [
                {
                    "name": each.name,
                    "fields": each.fields,
                    "made_at": each.made_at,
                    "leads": {s.value: n for s, n in counts.items()},
                }
                for each, counts in found
            ],
            "imports": [{**row._mapping, "began_at": row.began_at, "at": row.at} for row in files],
        },
        lambda: (
            (table(head, rows) if rows else "there are no lists")
            + ("\n\n" + table(("file", "list", "state", "line", "added", "changed", "rejected", "at"), read) if read else "")
        ),
    )


@lead.command("list")
@at_a_place
@click.option("--list", "list_name", help="Only of this list.")
@click.option("--state", type=_STATES)
@click.option("--number", help="Only those with this number.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def show_leads(place: Place, list_name: str | None, state: str | None, number: str | None, limit: int) -> None:
    """Leads, the oldest first."""
    with dialling(place) as desk, desk.store.reading() as connection:
        wanted = Wanted(
            list=list_name,
            state=None if state is None else LeadState(state),
            number=None if number is None else desk.number(number),
        )
        found = lead_book.find(connection, wanted, limit=limit)
    rows = [
        (
            str(each.id),
            each.list,
            each.state.value,
            str(each.priority),
            str(each.tries),
            each.last_outcome or "",
            ", ".join(one.e164 for one in each.numbers),
            safe(each.name),
        )
        for each in found
    ]
    head = ("lead", "list", "state", "priority", "tries", "outcome", "numbers", "name")
    place.show({"leads": found}, lambda: table(head, rows) if rows else "no lead is like that")


@lead.command()
@at_a_place
@click.argument("lead_id", metavar="LEAD", type=click.IntRange(1))
def show(place: Place, lead_id: int) -> None:
    """All of one lead, with the attempts to call it."""
    with dialling(place) as desk, desk.store.reading() as connection:
        found = lead_book.lead_of(connection, LeadId(lead_id))
        calls = attempts.find(connection, lead=LeadId(lead_id), limit=1000)
    if found is None:
        fail(f"there is no lead {lead_id}", NOT_DONE)
    place.show({"lead": found, "attempts": calls}, lambda: "\n".join(_lead_lines(found, calls)))


def _lead_lines(one: Lead, calls: Sequence[attempts.Attempt]) -> Iterator[str]:
    yield f"lead {one.id} of {one.list}: {safe(one.name)}".rstrip(": ")
    facts: dict[str, Any] = {
        "state": one.state.value + (f" until {shown_at(one.wake_at)} UTC" if one.wake_at else ""),
        "order": f"{one.urgency.name.lower()}, priority {one.priority}, {one.tries} tries",
        "key": one.key,
        "time zone": one.time_zone,
        "consent": one.consent_kind and f"{one.consent_kind}, {shown_at(one.consent_at)}",
        "added": shown_at(one.added_at) + (f", line {one.line}" if one.line else ""),
        **one.fields,
    }
    yield from (f"  {name}: {safe(str(value))}" for name, value in facts.items() if value)
    for number in one.numbers:
        zones = " ".join(number.time_zones) or "zone unknown"
        yield f"  {number.e164}  {number.line_type} {number.region}, {zones}, {number.state.value}, {number.tries} tries"
    if calls:
        yield _attempts_table(calls)


@lead.command("attempts")
@at_a_place
@click.option(
    "--state",
    type=click.Choice([state.value for state in AttemptState]),
    help="`unknown`: nobody knows whether the phone rang.",
)
@click.option("--number")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def show_attempts(place: Place, state: str | None, number: str | None, limit: int) -> None:
    """Attempts to call, the newest first."""
    with dialling(place) as desk, desk.store.reading() as connection:
        found = attempts.find(
            connection,
            states=() if state is None else (AttemptState(state),),
            number=None if number is None else desk.number(number),
            limit=limit,
        )
    place.show({"attempts": found}, lambda: _attempts_table(found) if found else "no attempt is like that")


def _attempts_table(calls: Sequence[attempts.Attempt]) -> str:
    head = ("attempt", "lead", "number", "campaign", "state", "outcome", "at", "agent")
    rows = [
        (
            safe(each.id),
            str(each.lead or ""),
            each.number,
            each.campaign or ("(callback)" if each.purpose == Purpose.REQUESTED.value else "(own call)"),
            each.state.value,
            "" if each.outcome is None else each.outcome.value,
            shown_at(each.stored_at),
            each.agent or "",
        )
        for each in calls
    ]
    return table(head, rows)


# --- changing -----------------------------------------------------------------------------------------------------------
@lead.command()
@at_a_place
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@click.option("--list", "list_name", required=True, help="Which list; it is made if it is not there.")
@click.option("--key", default="", help="The key of the lead in your own system.")
@click.option("--name", default="")
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="A custom field.")
@click.option("--time-zone", default="")
@click.option("--priority", default="", help="Higher is dialled sooner.")
@click.option("--consent", default="", help="What was consented to, `calls` or `automatic`; with its date.")
@click.option("--consent-date", default="")
def push(place: Place, numbers: tuple[str, ...], list_name: str, fields: tuple[str, ...], **told: str) -> None:
    """Have a lead dialled next: before all others of its campaign. One that the list has is made hot."""
    with dialling(place) as desk:
        if len(numbers) > len(NUMBERS):
            raise BadLead(f"a lead has at most {len(NUMBERS)} numbers")
        custom = _pairs(fields, "--field")
        new: NewLead = lead_of({**custom, **told, **dict(zip(NUMBERS, numbers, strict=False))}, country=desk.country)
        pushed, is_new = lead_book.push(desk.store.engine, list_name, new, who())
    tell_of_leads(place, list_name)
    place.show(
        {"ok": True, "lead": pushed, "is_new": is_new},
        lambda: f"lead {pushed} of {list_name} is hot" + (", a new one" if is_new else ""),
    )


@lead.command()
@at_a_place
@click.option("--list", "list_name", required=True)
@click.option("--state", type=_STATES, help="Only leads in this state.")
@click.option("--older-than", "days", type=click.IntRange(1), metavar="DAYS", help="Only leads that were added so long ago.")
@click.option("--all", "is_all", is_flag=True, help="The whole list, and the list itself.")
def purge(place: Place, list_name: str, state: str | None, days: int | None, is_all: bool) -> None:
    """Delete leads of a list. Attempts stay on record; leads that are being dialled stay too."""
    if is_all == (state is not None or days is not None):
        raise click.UsageError("say which: --state, --older-than, or --all and nothing else")
    with dialling(place) as desk:
        before = None if days is None else datetime.now(UTC) - timedelta(days=days)
        with desk.store.reading() as connection:
            lead_book.list_named(connection, list_name)
        only = None if state is None else LeadState(state)
        count = sum(lead_book.purge(desk.store.engine, list_name, state=only, added_before=before))
        audit.record_access(desk.store, by=who(), act="lead_purge", what=f"list {list_name}: {count} leads")
    place.show({"ok": True, "deleted": count}, lambda: f"{count} leads of {list_name} deleted")

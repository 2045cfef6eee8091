"""`ccserver do-not-call`: numbers that are not called, by any campaign or by one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ccserver.cli.dialling import Dialling, dialling, shown_at
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, at_a_place, fail, safe, table
from ccserver.cli.shelves import who
from ccserver.core.records import DoNotCallSource
from ccserver.store import audit, do_not_call
from ccserver.store.do_not_call import Listed
from ccserver.store.lead_phones import BadNumber, as_digits
from ccserver.store.registers import RegisterHit, Registers

BATCH = 1000
SHOWN_BAD = 10

_campaign = click.option("--campaign", help="Of this campaign only; without it of all.")


@root.group("do-not-call")
def do_not_call_group() -> None:
    """Numbers that are not called."""


@do_not_call_group.command()
@at_a_place
@click.argument("number")
@_campaign
@click.option(
    "--source",
    type=click.Choice([each.value for each in DoNotCallSource]),
    default=DoNotCallSource.REQUEST.value,
    show_default=True,
)
@click.option("--note", default="", help="For people: at most 200 characters.")
def add(place: Place, number: str, campaign: str | None, source: str, note: str) -> None:
    """Put NUMBER on the list: nobody calls it from now on."""
    with dialling(place) as desk:
        told = desk.number(number)
        is_new = do_not_call.by_hand(
            desk.store.engine,
            told,
            is_listed=True,
            campaign=campaign,
            source=DoNotCallSource(source),
            note=note,
            by=who(),
            vault=desk.vault,
        )
    place.show(
        {"ok": True, "number": told, "is_new": is_new},
        lambda: f"{told} is not called" + ("" if is_new else "; it was on the list before"),
    )


@do_not_call_group.command()
@at_a_place
@click.argument("number")
@_campaign
def remove(place: Place, number: str, campaign: str | None) -> None:
    """Take NUMBER off the list. That of a register stays where it is."""
    with dialling(place) as desk:
        told = desk.number(number)
        was_there = do_not_call.by_hand(
            desk.store.engine,
            told,
            is_listed=False,
            campaign=campaign,
            source=DoNotCallSource.REQUEST,
            note="",
            by=who(),
            vault=desk.vault,
        )
    if not was_there:
        fail(f"{told} is not on the list" + (f" of {campaign}" if campaign else " of all campaigns"), NOT_DONE)
    place.show({"ok": True, "number": told}, lambda: f"{told} is off the list")


@do_not_call_group.command()
@at_a_place
@click.argument("number")
def find(place: Place, number: str) -> None:
    """Tell whether NUMBER may not be called: by which list, since when, by whom; and by which registers."""
    with dialling(place) as desk:
        told = desk.number(number)
        with desk.store.reading() as connection:
            found = do_not_call.listed(connection, [told], do_not_call.hasher(connection, desk.vault)).get(told, ())
        registers = Registers(desk.store.engine, desk.registers)
        hits = registers.hits(told)
        registers.close()
    place.show(
        {"number": told, "is_listed": bool(found or hits), "entries": found, "registers": hits},
        lambda: "\n".join(_found_lines(told, found, hits)) or f"{told} is on no list and in no register",
    )


def _found_lines(number: str, found: Sequence[Listed], hits: Sequence[RegisterHit]) -> Iterator[str]:
    for each in found:
        where = f"for {each.campaign}" if each.campaign else "for all campaigns"
        call = f", call {each.interaction}" if each.interaction is not None else ""
        note = f" ({safe(each.note)})" if each.note else ""
        yield f"{number} is on the list {where}: {each.source.value}, {shown_at(each.at)} UTC, {safe(each.by)}{call}{note}"
    for hit in hits:
        yield f"{number} is in the register {hit.name} as of {hit.as_of}"


@do_not_call_group.command("list")
@at_a_place
@_campaign
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
def show(place: Place, campaign: str | None, limit: int) -> None:
    """The entries, in the order of their numbers."""
    with dialling(place) as desk, desk.store.reading() as connection:
        found = [do_not_call.shown(row) for row in do_not_call.entries(connection, campaign=campaign, limit=limit)]
    head = ("number", "campaign", "source", "at", "by", "note")
    rows = [
        (each.number or "(erased)", each.campaign or "", each.source.value, shown_at(each.at), safe(each.by), safe(each.note))
        for each in found
    ]
    place.show({"entries": found}, lambda: table(head, rows) if rows else "the list is empty")


@do_not_call_group.command("import")
@at_a_place
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_campaign
@click.option("--note", default="")
@click.option("--country", help="Whose numbers are written without a country code; without it the center's.")
def import_file(place: Place, file: Path, campaign: str | None, note: str, country: str | None) -> None:
    """Put the numbers of FILE, one a line, on the list. Lines that are no number are told, and the others go in: done again after
    mending them, nothing is there twice."""
    with dialling(place, country) as desk:
        added, read, bad = _import(desk, file, campaign, note)
        what = f"{added} numbers of {file.name} {'for ' + campaign if campaign else 'for all campaigns'}"
        audit.record_access(desk.store, by=who(), act="do_not_call_import", what=what)
    place.show(
        {"ok": not bad, "numbers": read, "added": added, "bad_lines": [{"line": line, "reason": why} for line, why in bad]},
        lambda: "\n".join(
            [
                *(f"line {line}: {safe(why)}" for line, why in bad[:SHOWN_BAD]),
                f"{added} numbers added of {read}, {len(bad)} bad lines",
            ]
        ),
    )
    if bad:
        raise SystemExit(NOT_DONE)


def _import(desk: Dialling, file: Path, campaign: str | None, note: str) -> tuple[int, int, list[tuple[int, str]]]:
    added, read = 0, 0
    bad: list[tuple[int, str]] = []
    batch: list[str] = []

    def put() -> int:
        with desk.store.engine.begin() as connection:
            count = do_not_call.add(connection, batch, source=DoNotCallSource.IMPORT, by=who(), campaign=campaign, note=note)
        batch.clear()
        return count

    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for line, text in enumerate(lines, start=1):
            cell = text.replace(";", ",").split(",", 1)[0].strip().strip('"')
            if not cell or (line == 1 and not any(letter.isdigit() for letter in cell)):
                continue
            try:
                batch.append(f"+{as_digits(cell, desk.country)}")
            except BadNumber as error:
                bad.append((line, str(error)))
                continue
            read += 1
            if len(batch) == BATCH:
                added += put()
    if batch:
        added += put()
    return added, read, bad

"""`ccserver register`: registers of numbers that may not be called, as authorities and associations hand them out."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from ccserver.cli.dialling import dialling, shown_at
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, at_a_place, safe, table
from ccserver.cli.shelves import who
from ccserver.store import registers
from ccserver.store.register_file import BadRegister
from ccserver.store.registers import BadLine, Registers

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_DAY = click.DateTime(["%Y-%m-%d"])


@root.group()
def register() -> None:
    """Registers of numbers that may not be called."""


@register.command("import")
@at_a_place
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as-of", type=_DAY, required=True, help="The day of which the register is true.")
@click.option("--country", help="Whose numbers are written without a country code; without it the center's.")
@click.option("--older", is_flag=True, help="Although the one that is there is newer.")
def import_file(place: Place, name: str, file: Path, *, as_of: datetime, country: str | None, older: bool) -> None:
    """Put the numbers of FILE, one a line, in the place of the register NAME: all of them or none. A line that is no number is left
    out and told, and twenty of them refuse the file."""
    if not _NAME.fullmatch(name):
        raise click.UsageError("a register is named by at most 40 lower-case letters, digits and _ -")
    day = as_of.date()
    if day > datetime.now(UTC).date():
        raise click.UsageError("--as-of is a day to come")
    with dialling(place, country) as desk:
        bad: list[BadLine] = []
        made = registers.import_register(
            desk.store.engine,
            desk.registers,
            name,
            registers.numbers_in(file, desk.country, bad),
            as_of=day,
            by=who(),
            may_be_older=older,
            on_read=_progress,
        )
    place.show(
        {"ok": True, "register": made, "bad_lines": bad},
        lambda: "\n".join(
            [
                *(f"line {each.line} is left out: {safe(each.reason)}" for each in bad),
                f"{name}: {made.entries} entries as of {made.as_of}",
            ]
        ),
    )


def _progress(read: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{read} numbers read   ", err=True, nl=False)


@register.command("list")
@at_a_place
def show(place: Place) -> None:
    """All registers, and how old they are."""
    with dialling(place) as desk, desk.store.reading() as connection:
        found = registers.all_registers(connection)
    today = datetime.now(UTC).date()
    head = ("register", "entries", "as of", "days old", "imported", "by")
    rows = [
        (
            each.name,
            str(each.entries),
            str(each.as_of),
            str((today - each.as_of).days),
            shown_at(each.imported_at),
            safe(each.by),
        )
        for each in found
    ]
    place.show({"registers": found}, lambda: table(head, rows) if rows else "there are no registers")


@register.command()
@at_a_place
@click.argument("number")
def check(place: Place, number: str) -> None:
    """Tell which registers have NUMBER. Exit code 1: one has."""
    with dialling(place) as desk:
        told = desk.number(number)
        opened = Registers(desk.store.engine, desk.registers)
        hits = opened.hits(told)
        opened.close()
    place.show(
        {"number": told, "registers": hits},
        lambda: "\n".join(f"{told} is in {hit.name} as of {hit.as_of}" for hit in hits) or f"{told} is in no register",
    )
    if hits:
        raise SystemExit(NOT_DONE)


@register.command()
@at_a_place
def verify(place: Place) -> None:
    """Read all files of registers, and name what is not as it was written."""
    with dialling(place) as desk:
        with desk.store.reading() as connection:
            known = registers.all_registers(connection)
        faults = []
        for each in known:
            try:
                registers.opened(desk.registers, each).close()
            except (BadRegister, OSError) as error:
                faults.append(str(error))
    place.show(
        {"ok": not faults, "registers": len(known), "faults": faults},
        lambda: "\n".join([*faults, f"{len(known) - len(faults)} of {len(known)} registers are as they were written"]),
    )
    if faults:
        raise SystemExit(NOT_DONE)


@register.command()
@at_a_place
@click.argument("name")
def remove(place: Place, name: str) -> None:
    """Take a register away: its numbers may be called as far as it is concerned."""
    with dialling(place) as desk:
        registers.remove(desk.store.engine, desk.registers, name, who())
    place.show({"ok": True, "register": name}, lambda: f"the register {name} is gone")

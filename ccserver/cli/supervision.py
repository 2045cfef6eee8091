"""`ccserver number`, `callback` and `hours`: who is let in how, who is called back, and when it is open."""

from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import click

from ccserver.cli.root import root
from ccserver.cli.shared import Place, act, at_a_place, safe, table


def _when(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


@root.group()
def number() -> None:
    """Callers' numbers: the block list and the VIP list, live."""


@number.command("list")
@at_a_place
def list_numbers(place: Place) -> None:
    """List the numbers that were marked live; those of the configuration are in the configuration."""
    with place.daemon() as daemon:
        marked = cast(list[dict[str, Any]], daemon.ask("numbers"))
    head = ("number", "mark", "since (UTC)", "by", "note")
    rows = [
        (safe(one["number"]), str(one["mark"]), _when(one["at_utc_s"]), safe(one["by"]), safe(one["note"])) for one in marked
    ]
    place.show(marked, lambda: table(head, rows) if rows else "no number is marked")


@number.command()
@at_a_place
@click.argument("caller")
@click.option("--note", default="", help="Why, for people.")
def block(place: Place, caller: str, note: str) -> None:
    """Refuse calls from CALLER (E.164, for example +34911234567)."""
    act(place, "number.mark", number=caller, mark="blocked", note=note)


@number.command()
@at_a_place
@click.argument("caller")
@click.option("--note", default="", help="Why, for people.")
def vip(place: Place, caller: str, note: str) -> None:
    """Put calls from CALLER before others."""
    act(place, "number.mark", number=caller, mark="vip", note=note)


@number.command()
@at_a_place
@click.argument("caller")
def clear(place: Place, caller: str) -> None:
    """Take CALLER off both lists."""
    act(place, "number.mark", number=caller)


@root.group()
def callback() -> None:
    """Requests to be called back."""


@callback.command()
@at_a_place
@click.argument("interaction", type=click.IntRange(min=1))
def cancel(place: Place, interaction: int) -> None:
    """Cancel the callback INTERACTION."""
    act(place, "callback.cancel", interaction=interaction)


@root.group()
def hours() -> None:
    """Opening hours, and exceptional closings."""


@hours.command("list")
@at_a_place
def list_hours(place: Place) -> None:
    """List the opening hours: whether they are open now, until when, and which are closed by hand."""
    with place.daemon() as daemon:
        found = cast(list[dict[str, Any]], daemon.ask("hours"))
    head = ("hours", "now", "until (local)", "closed by hand", "by phone")
    rows = [
        (
            safe(one["hours"]),
            "open" if one["is_open"] else "closed (holiday)" if one["is_holiday"] else "closed",
            _local(one["changes_utc_s"], one["timezone"]),
            _by_hand(one["closed_by_hand"], one["timezone"]),
            "" if one["code"] is None else safe(one["code"]),
        )
        for one in found
    ]
    place.show(found, lambda: table(head, rows) if rows else "there are no opening hours")


def _local(utc_s: float | None, timezone: str) -> str:
    return "" if utc_s is None else datetime.fromtimestamp(utc_s, tz=ZoneInfo(timezone)).strftime("%a %Y-%m-%d %H:%M")


def _by_hand(closed: dict[str, Any] | None, timezone: str) -> str:
    return "" if closed is None else f"by {safe(closed['by'])}, since {_local(closed['since_utc_s'], timezone)}"


@hours.command("close")
@at_a_place
@click.argument("name")
@click.option(
    "--until", help="When they go by their timetable again, in their own time zone: 2026-12-24T18:00. Without it: by hand."
)
def close_hours(place: Place, name: str, until: str | None) -> None:
    """Close the opening hours NAME at once, for everything that goes by them but agents' shifts."""
    act(place, "hours.close", hours=name, until=until)


@hours.command("open")
@at_a_place
@click.argument("name")
def open_hours(place: Place, name: str) -> None:
    """End the exceptional closing of the opening hours NAME."""
    act(place, "hours.open", hours=name)

"""`ccserver queue`."""

import click

from ccserver.cli.live import read_overview
from ccserver.cli.root import root
from ccserver.cli.shared import Place, act, at_a_place, safe, shown_time, table
from ccserver.control.client import NotDone
from ccserver.control.protocol import Why
from ccserver.core import codec
from ccserver.core.views import QueueView


@root.group()
def queue() -> None:
    """Queues: who waits, how long, and the totals."""


@queue.command("list")
@at_a_place
def list_queues(place: Place) -> None:
    """List the queues."""
    with place.daemon() as daemon:
        shown = read_overview(daemon.ask("overview")).queues
    head = ("queue", "name", "waiting", "longest", "talking", "ready", "logged in", "offered", "service level")
    rows = [
        (
            one.id,
            safe(one.name),
            str(len(one.waiting)),
            shown_time(one.longest_wait_s),
            str(one.talking),
            str(one.agents_ready),
            str(one.agents_logged_in),
            str(one.offered),
            "-" if one.service_level is None else f"{one.service_level:.1%}",
        )
        for one in shown
    ]
    place.show(codec.encode(shown, tuple[QueueView, ...]), lambda: table(head, rows))


@queue.command("show")
@at_a_place
@click.argument("name")
def show_queue(place: Place, name: str) -> None:
    """Show the queue NAME (as in the configuration) and everybody who waits in it."""
    with place.daemon() as daemon:
        found = [one for one in read_overview(daemon.ask("overview")).queues if one.id == name]
        if not found:
            raise NotDone(Why.NOT_FOUND, f"no queue {name!r}")
    place.show(codec.encode(found[0], QueueView), lambda: _text(found[0]))


@queue.command("close")
@at_a_place
@click.argument("name")
@click.option("--say", "prompt", help="The prompt that callers hear, those who wait too; without it that of the configuration.")
def close_queue(place: Place, name: str, prompt: str | None) -> None:
    """Close the queue NAME at once, until it is opened again: who waits is told and released."""
    act(place, "queue.close", queue=name, prompt=prompt)


@queue.command("open")
@at_a_place
@click.argument("name")
def open_queue(place: Place, name: str) -> None:
    """Open the queue NAME again."""
    act(place, "queue.open", queue=name)


def _text(one: QueueView) -> str:
    level = "-" if one.service_level is None else f"{one.service_level:.1%}"
    totals = ", ".join(f"{outcome.value} {count}" for outcome, count in one.outcomes.items()) or "none over yet"
    lines = [
        f"{one.id}: {safe(one.name)}",
        f"offered {one.offered} ({totals}); service level {level}",
        f"{one.talking} talking, {one.agents_ready} of {one.agents_logged_in} agents ready",
    ]
    rows = [
        (
            str(caller.position),
            str(caller.number),
            "withheld" if caller.caller_number is None else safe(caller.caller_number),
            shown_time(caller.wait_s),
            caller.ringing or "",
            caller.kind,
        )
        for caller in one.waiting
    ]
    if one.callbacks_waiting or one.messages_waiting:
        lines.append(f"of those who wait, {one.callbacks_waiting} to be called back and {one.messages_waiting} messages")
    lines.append(table(("place", "call", "caller", "waits for", "ringing at", "kind"), rows) if rows else "nobody waits")
    return "\n".join(lines)

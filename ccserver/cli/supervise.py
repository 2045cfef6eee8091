"""`ccserver supervise`: hear an agent's calls on a phone, speak into them, take them over, and see who does."""

from typing import Any, cast

import click

from ccserver.cli.root import root
from ccserver.cli.shared import Place, act, at_a_place, safe, shown_time, table
from ccserver.core.settings import WatchMode

HELP = {
    WatchMode.LISTEN: "Ring a phone that hears the calls of AGENT, one after the other; with --queue the next call of a queue.",
    WatchMode.WHISPER: "The same, and the agent hears the phone.",
    WatchMode.BARGE: "The same, and the agent and the customer hear the phone.",
    WatchMode.TAKE_OVER: "Ring a phone that takes over the call of AGENT. An agent must be logged in there.",
}
KEYS = "Keys on that phone: 4 listen, 5 whisper, 6 barge, 9 take over."


@root.group()
def supervise() -> None:
    """Supervision: hear agents' calls, and more. Everything is in the audit log."""


def _name(mode: WatchMode) -> str:
    return mode.value.replace("_", "-")


def _begins(mode: WatchMode) -> None:
    @supervise.command(_name(mode), help=f"{HELP[mode]}\n\n{KEYS}")
    @at_a_place
    @click.argument("agent", required=False)
    @click.option("--phone", required=True, help="The phone that rings: its number, or what Asterisk dials.")
    @click.option("--queue", help="The next call of this queue, instead of AGENT.")
    def begin(*, place: Place, agent: str | None, phone: str, queue: str | None) -> None:
        if (agent is None) == (queue is None):
            raise click.UsageError("give either AGENT or --queue")
        act(place, "watch.begin", mode=mode.value, phone=phone, agent=agent, queue=queue)


for _mode in WatchMode:
    _begins(_mode)


@supervise.command("mode")
@at_a_place
@click.argument("session", type=click.IntRange(min=1))
@click.argument("mode", type=click.Choice([_name(each) for each in WatchMode]))
def change_mode(*, place: Place, session: int, mode: str) -> None:
    """Change the MODE of a SESSION (`ccserver supervise list`)."""
    act(place, "watch.mode", session=session, mode=mode.replace("-", "_"))


@supervise.command()
@at_a_place
@click.argument("session", type=click.IntRange(min=1))
def stop(*, place: Place, session: int) -> None:
    """End a SESSION; the call that it hears goes on."""
    act(place, "watch.stop", session=session)


@supervise.command("list")
@at_a_place
def list_sessions(place: Place) -> None:
    """List the sessions: who hears whom, in which mode, for how long."""
    with place.daemon() as daemon:
        found = cast(list[dict[str, Any]], daemon.ask("watches"))
    head = ("session", "by", "phone", "agent", "queue", "mode", "call", "for")
    rows = [
        (
            str(one["id"]),
            safe(one["by"]),
            str(one["phone"]),
            str(one["agent"] or ""),
            str(one["queue"] or ""),
            str(one["mode"]),
            str(one["interaction"] or ""),
            shown_time(one["since_s"]),
        )
        for one in found
    ]
    place.show(found, lambda: table(head, rows) if rows else "nobody supervises")

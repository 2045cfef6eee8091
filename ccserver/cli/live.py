"""`status` and `top`: what is going on now."""

import shutil
from datetime import UTC, datetime
from typing import Any, cast

import click

from ccserver.cli.board import board
from ccserver.cli.root import root
from ccserver.cli.shared import Place, at_a_place, safe, shown_time
from ccserver.core import codec
from ccserver.core.dialer.campaign_state import DIALS
from ccserver.core.views import Overview

CLEAR_AND_HOME = "\x1b[H\x1b[2J"


def read_overview(given: object) -> Overview:
    """The daemon's answer to `overview` as a value."""
    return codec.decode(Overview, given)


@root.command()
@at_a_place
def status(place: Place) -> None:
    """Show how the daemon is: its links, its backlog, what the last reload did, and the totals."""
    with place.daemon() as daemon:
        facts = cast(dict[str, Any], daemon.ask("status"))
    place.show(facts, lambda: _status_text(facts))


def _status_text(facts: dict[str, Any]) -> str:
    shown = read_overview(facts["overview"])
    waiting = sum(len(queue.waiting) for queue in shown.queues)
    pbx, database, reload = facts["pbx"], facts["database"], facts["reload"]
    lines = [
        f"ccserver {facts['version']}, process {facts['pid']}, running for {shown_time(facts['run_s'])} (run {facts['incarnation']})",
        f"configuration  {safe(facts['config'])}, settings {facts['settings'][:12]}",
        f"Asterisk       {safe(pbx['name'])}: {'linked' if pbx['is_linked'] else 'NOT LINKED'}",
        f"calls          {len(shown.calls)} live, {waiting} waiting, {facts['agi_sessions']} FastAGI sessions",
        f"agents         {sum(1 for a in shown.agents if a.state.value != 'logged_out')} of {len(shown.agents)} logged in",
        f"supervision    {len(shown.watches)} sessions, {sum(w.interaction is not None for w in shown.watches)} of them hear a call",
        *_dialling(shown),
        f"history        {database['backlog']} records behind" + (f": {safe(database['error'])}" if database["error"] else ""),
        f"mended         {shown.repairs} differences from the PBX, {shown.faults} faults",
        f"metrics        {facts['metrics']}",
    ]
    if reload is not None:
        at = datetime.fromtimestamp(reload["at_utc_s"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        words = "applied" if reload["is_ok"] else "REFUSED, nothing was changed"
        lines.append(f"last reload    {at}: {words}\n" + "\n".join(f"    {safe(line)}" for line in reload["text"].splitlines()))
    if facts["trouble"] is not None:
        lines.append(f"TROUBLE        {safe(facts['trouble'])}")
    return "\n".join(lines)


def _dialling(shown: Overview) -> list[str]:
    """Campaigns and trunks in a line, if the settings have any."""
    if not shown.campaigns:
        return []
    running = sum(one.run in DIALS for one in shown.campaigns)
    calls = sum(sum(one.calls.values()) for one in shown.campaigns)
    dead = [safe(one.id) for one in shown.trunks if one.why]
    trunks = f"; DEAD trunks: {', '.join(dead)}" if dead else ""
    return [f"campaigns      {running} of {len(shown.campaigns)} running, {calls} calls{trunks}"]


@root.command()
@at_a_place
@click.option("--every-s", type=click.FloatRange(0.2, 60.0), default=1.0, show_default=True, help="How often it is drawn.")
@click.option("--once", is_flag=True, help="Draw it once and end.")
def top(place: Place, every_s: float, once: bool) -> None:
    """Watch callers, queues and agents live. Ctrl-C ends it; with --json each reading is one line."""
    with place.daemon() as daemon:
        if once:
            given = daemon.ask("overview")
            place.show(given, lambda: "\n".join(board(read_overview(given), width=_size()[0])))
            return
        try:
            for given in daemon.follow("overview.follow", every_s=every_s):
                if place.is_json:
                    click.echo(codec.dump(read_overview(given)).decode())
                else:
                    width, height = _size()
                    click.echo(CLEAR_AND_HOME + "\n".join(board(read_overview(given), width=width, height=height)))
        except KeyboardInterrupt:
            click.echo()


def _size() -> tuple[int, int]:
    size = shutil.get_terminal_size((100, 40))
    return size.columns, size.lines - 1

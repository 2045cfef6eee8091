"""`ccserver campaign`: who is called, started and stopped by people, and why nothing is being dialled."""

from datetime import UTC, datetime

import click

from ccserver.cli.root import root
from ccserver.cli.shared import Place, act, at_a_place, safe, shown_time, table
from ccserver.core import codec
from ccserver.core.campaign_views import CampaignView, MachinesView, TrunkView
from ccserver.core.campaign_words import account_text
from ccserver.core.dialer.campaign_state import ON_THE_WAY, AttemptStage
from ccserver.core.dialer.terms import Mode
from ccserver.core.explain_campaign import CampaignExplained

Views = tuple[CampaignView, ...]
Trunks = tuple[TrunkView, ...]
_MODES = click.Choice([*(each.value for each in Mode), "default"])


@root.group()
def campaign() -> None:
    """Campaigns: whom the center calls. NAME is that of the configuration."""


# --- what there is ------------------------------------------------------------------------------------------------------
@campaign.command("list")
@at_a_place
def list_campaigns(place: Place) -> None:
    """List the campaigns: what they do now."""
    with place.daemon() as daemon:
        given = daemon.ask("campaigns")
    place.show(given, lambda: _list_text(codec.decode(Views, given)))


def _list_text(views: Views) -> str:
    head = ("campaign", "name", "state", "mode", "dialled", "with people", "agents", "leads", "today", "abandoned", "room")
    rows = [
        (
            one.id,
            safe(one.name),
            one.run.value if one.is_open else f"{one.run.value}, closed",
            one.mode.value,
            str(on_the_way(one)),
            str(with_people(one)),
            f"{one.crew.idle}/{one.crew.logged_in}",
            str(one.buffered + one.ready),
            str(one.today.dials),
            f"{one.account.share:.2%}",
            str(one.account.room),
        )
        for one in views
    ]
    return table(head, rows) if rows else "the configuration has no campaigns"


def on_the_way(one: CampaignView) -> int:
    """Calls of which nobody knows yet whether a person answers."""
    return sum(one.calls[stage] for stage in ON_THE_WAY)


def with_people(one: CampaignView) -> int:
    return one.calls[AttemptStage.PERSON] + one.calls[AttemptStage.MESSAGE]


@campaign.command("show")
@at_a_place
@click.argument("name")
def show_campaign(place: Place, name: str) -> None:
    """Show the campaign NAME: its calls, agents, leads, refusals, its account of abandoned calls, and the figures of its day."""
    with place.daemon() as daemon:
        given = daemon.ask("campaign.show", campaign=name)
    place.show(given, lambda: _show_text(codec.decode(CampaignView, given)))


def _show_text(one: CampaignView) -> str:
    crew, today = one.crew, one.today
    by = f", by {safe(one.by)}" if one.by else ""
    since = f" for {shown_time(one.since_s)}{by}" if one.since_s else ""
    calls = ", ".join(f"{count} {stage.value}" for stage, count in one.calls.items() if count) or "none"
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(one.refused.items(), key=lambda pair: -pair[1]))
    lines = [
        f"{one.id}: {safe(one.name)}",
        f"state      {one.run.value}{since}" + (f": {safe(one.why_stopped)}" if one.why_stopped else ""),
        f"mode       {one.mode.value}{', by order' if one.is_mode_by_hand else ''}; hours {'open' if one.is_open else 'closed'}",
        f"calls      {calls}; {one.placed} attempts since it was started",
        f"agents     {crew.logged_in} logged in: {crew.idle} idle ({crew.reserved} kept), {crew.talking} in a call, "
        f"{crew.wrapping} in wrap-up, {crew.away} away; utilisation {_percent(crew.utilisation)}",
        f"leads      {one.buffered} claimed, {one.ready} ready" + _next(one.next_lead_utc_s),
        f"account    {account_text(one.account)}",
        *([f"machines   {_machines(one.machines)}"] if one.machines.found else []),
        f"refused    {refused or 'none'}" + (f"; last: {safe(one.last_refusal)}" if one.last_refusal else ""),
        f"pacing     {one.asked} calls asked for at the last look" + (f"; held: {safe(one.held_by)}" if one.held_by else ""),
        f"today      {today.dials} dialled: {today.humans} people ({today.connects} put through, {today.abandoned} abandoned), "
        f"{today.machines} machines, {today.no_answer} no answer, {today.failed} failed",
    ]
    return "\n".join(lines)


def _machines(of: MachinesView) -> str:
    people = f"{of.people} of {of.checked} were people, as agents said" if of.checked else "agents have checked none"
    return f"{of.found} calls taken for machines: {people}; {of.share:.1%} are thought to be"


def _next(utc_s: float | None) -> str:
    return "" if utc_s is None else f", the next that waits is due {datetime.fromtimestamp(utc_s, UTC):%Y-%m-%d %H:%M} UTC"


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.0%}"


@campaign.command("explain")
@at_a_place
@click.argument("name")
def explain(place: Place, name: str) -> None:
    """Say why the campaign NAME dials nobody, or not more: what is in the way, the most important first, each with a mend."""
    with place.daemon() as daemon:
        given = daemon.ask("campaign.explain", campaign=name)
    place.show(given, lambda: _explain_text(codec.decode(CampaignExplained, given)))


def _explain_text(one: CampaignExplained) -> str:
    lines = [safe(one.text[0]), *(f"  {safe(line)}" for line in one.text[1:])]
    for each in one.obstacles:
        lines += [f"- {safe(each.text)}", f"    mend: {safe(each.mend)}"]
    if not one.obstacles:
        lines.append("nothing is in the way")
    refusals = [(each.reason, str(each.count), safe(each.says), safe(each.mend)) for each in one.refusals]
    if refusals:
        lines += ["", table(("the gate refuses", "leads", "it says", "mend"), refusals)]
    agents = [(each.agent, safe(each.name), safe(each.text)) for each in one.agents]
    if agents:
        lines += ["", table(("agent", "name", "now"), agents)]
    return "\n".join(lines)


# --- acts ---------------------------------------------------------------------------------------------------------------
@campaign.command()
@at_a_place
@click.argument("name")
def start(place: Place, name: str) -> None:
    """Start the campaign NAME, or let it go on."""
    act(place, "campaign.start", campaign=name)


@campaign.command()
@at_a_place
@click.argument("name")
def pause(place: Place, name: str) -> None:
    """Dial nothing new for now. What rings goes on, and the leads that are claimed stay with it."""
    act(place, "campaign.pause", campaign=name)


@campaign.command()
@at_a_place
@click.argument("name")
def drain(place: Place, name: str) -> None:
    """Dial the leads that are claimed, and then stop."""
    act(place, "campaign.drain", campaign=name)


@campaign.command()
@at_a_place
@click.argument("name")
def stop(place: Place, name: str) -> None:
    """Dial nothing new, and give the claimed leads back. What rings goes on."""
    act(place, "campaign.stop", campaign=name)


@campaign.command()
@at_a_place
@click.argument("name")
@click.argument("mode", type=_MODES)
def mode(place: Place, name: str, mode: str) -> None:
    """Let the campaign NAME go on in another mode, or (default) in that of the configuration."""
    act(place, "campaign.mode", campaign=name, mode=mode)


# --- trunks -------------------------------------------------------------------------------------------------------------
@campaign.group()
def trunk() -> None:
    """The ways outside that campaigns use."""


@trunk.command("list")
@at_a_place
def list_trunks(place: Place) -> None:
    """List the trunks: lines in use by campaigns, and which is taken for dead."""
    with place.daemon() as daemon:
        given = daemon.ask("trunks")
    place.show(given, lambda: _trunks_text(codec.decode(Trunks, given)))


def _trunks_text(trunks: Trunks) -> str:
    rows = [
        (
            one.id,
            safe(one.endpoint),
            f"{one.lines_used}/{one.lines}",
            f"{one.calls_per_second:g}",
            str(one.failed_in_row),
            f"dead for {shown_time(one.down_left_s)} more: {safe(one.why)}" if one.why else "works",
        )
        for one in trunks
    ]
    head = ("trunk", "endpoint", "lines", "a second", "failed in a row", "state")
    return table(head, rows) if rows else "the configuration has no trunks"


@trunk.command("retry")
@at_a_place
@click.argument("name")
def retry(place: Place, name: str) -> None:
    """Take the trunk NAME for working again, at once."""
    act(place, "trunk.retry", trunk=name)

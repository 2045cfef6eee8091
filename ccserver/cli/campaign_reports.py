"""`ccserver campaign evidence`, `figures` and `overdue`: what campaigns have done, out of the database."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ccserver.cli.campaigns import campaign
from ccserver.cli.shared import NOT_DONE, Place, as_utc, at_a_place, fail, from_history, safe, shown_time, table
from ccserver.config import Configuration
from ccserver.control.client import ControlClient, DaemonNotRunning, MayNotAsk, NoAnswer, NotDone
from ccserver.control.protocol import ProtocolError
from ccserver.core import codec
from ccserver.core.campaign_words import rule_text
from ccserver.core.dialer import account, key_figures, short_calls
from ccserver.core.dialer.account import Evidence, Tally
from ccserver.core.dialer.key_figures import Costs, Counts
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.dialer.short_calls import CallsOfDay
from ccserver.core.ids import CampaignId
from ccserver.store import campaign_reports
from ccserver.store.campaign_reports import OverdueCallback, ShortCalls
from ccserver.store.database import Store

DAYS = 30
Rows = tuple[Evidence, ...]
_since = click.option("--since", type=click.DateTime(), help=f"From then on (UTC); without it the last {DAYS} days.")
_until = click.option("--until", type=click.DateTime(), help="Before then (UTC); without it until now.")


@dataclass(frozen=True, slots=True)
class Period:
    since: datetime
    until: datetime

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


def _period(since: datetime | None, until: datetime | None) -> Period:
    ends = as_utc(until) or datetime.now(UTC)
    begins = as_utc(since) or ends - timedelta(days=DAYS)
    if begins >= ends:
        raise click.UsageError("the period ends before it begins")
    return Period(begins, ends)


def _of_settings(configuration: Configuration, name: str) -> CampaignSettings | None:
    dialing = configuration.settings.dialing
    return None if dialing is None else dialing.campaigns.get(CampaignId(name))


# --- evidence -----------------------------------------------------------------------------------------------------------
@campaign.command()
@at_a_place
@click.argument("name")
@click.option("--from", "since", type=click.DateTime(), help=f"From then on (UTC); without it the last {DAYS} days.")
@_until
@click.option("--csv", "is_csv", is_flag=True, help="A table with commas, a line for each part of the account.")
def evidence(*, place: Place, name: str, since: datetime | None, until: datetime | None, is_csv: bool) -> None:
    """Show what the campaign NAME abandoned, with the rule that it is counted by.

    What the daemon has not written yet is taken from it, if it runs. For rules that count short calls (Brazil), those of each number of
    ours follow, day by day.
    """
    if is_csv and place.is_json:
        raise click.UsageError("one of --csv and --json")
    period = _period(since, until)
    config = _of_settings(place.configuration(), name)
    kept, days = from_history(place, lambda store: (_kept(store, name, period), _short_calls(store, place, config, period)))
    parts = _with_present(place, name, kept, period)
    if config is None and not parts:
        fail(f"there is no campaign {name!r}, and no evidence of one", NOT_DONE)
    if is_csv:
        click.echo(_csv(parts), nl=False)
        return
    shown = {"campaign": name, "parts": [_part(each) for each in parts], "short_calls": _days(days, config)}
    place.show(shown, lambda: _evidence_text(name, period, parts, days, config))


def _kept(store: Store, name: str, period: Period) -> list[Evidence]:
    return campaign_reports.evidence(store, CampaignId(name), period.since, period.until)


def _with_present(place: Place, name: str, kept: Sequence[Evidence], period: Period) -> list[Evidence]:
    """And the parts that only the daemon knows yet: they take the place of what was written of them before."""
    by_begin = {each.from_utc_s: each for each in kept}
    try:
        with ControlClient(place.control_socket()) as daemon:
            present = codec.decode(Rows, daemon.ask("campaign.evidence", campaign=name))
    except NotDone:
        present = ()  # the settings do not have it any more
    except (DaemonNotRunning, MayNotAsk, NoAnswer, ProtocolError) as error:
        click.echo(f"{error}; what it has not written yet is not shown", err=True)
        present = ()
    begins, ends = period.since.timestamp(), period.until.timestamp()
    by_begin.update({each.from_utc_s: each for each in present if begins <= each.from_utc_s < ends})
    return [by_begin[each] for each in sorted(by_begin)]


def _part(one: Evidence) -> dict[str, Any]:
    return {
        "campaign": one.campaign,
        "from": _at(one.from_utc_s),
        "until": _at(one.until_utc_s),
        **asdict(one.tally),
        "share": round(account.share_of(one.tally, one), 6),
        "share_of_window": round(one.share, 6),
        "rules": one.preset,
        "max_abandon": one.max_abandon,
        "of": one.share_of.value,
        "window": one.abandon_window.value,
        "counts_amd_errors": one.counts_amd_errors,
    }


def _at(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).isoformat()


def _csv(parts: Sequence[Evidence]) -> str:
    made = io.StringIO()
    head = ["campaign", "from", "until", *Tally.__dataclass_fields__, "share", "share_of_window", "rules", "max_abandon"]
    writer = csv.DictWriter(made, [*head, "of", "window", "counts_amd_errors"])
    writer.writeheader()
    writer.writerows(_part(each) for each in parts)
    return made.getvalue()


def _evidence_text(
    name: str,
    period: Period,
    parts: Sequence[Evidence],
    days: dict[tuple[str, str], CallsOfDay],
    config: CampaignSettings | None,
) -> str:
    lines = [f"{name}: abandoned calls, {period}"]
    lines += [f"  {rule}" for rule in dict.fromkeys(rule_text(each) for each in parts)]
    by_day: dict[str, list[Evidence]] = defaultdict(list)
    for each in parts:
        by_day[_at(each.from_utc_s)[:10]].append(each)
    head = ("day (UTC)", "connected", "abandoned", "told who called", "taken for machines", "machines", "left", "share")
    rows = [_tally_row(day, several) for day, several in by_day.items()]
    if len(rows) > 1:
        rows.append(_tally_row("all", parts))
    lines.append(table(head, rows) if rows else "nobody has answered")
    if parts:
        lines.append(f"the window of the rule, when the last part was written: {parts[-1].share:.2%}")
    if days and config is not None:
        rules = config.rules
        short = [
            (number, day, str(of.calls), str(of.short), f"{of.share:.1%}", "OVER" if short_calls.is_over(rules, of) else "")
            for (number, day), of in days.items()
        ]
        lines += ["", f"calls of at most {rules.short_call_s:g} s, by the number that was shown:"]
        lines.append(table(("number", "day", "calls", "short", "share", ""), short))
    return "\n".join(lines)


def _tally_row(what: str, parts: Sequence[Evidence]) -> tuple[str, ...]:
    tally = account.total(each.tally for each in parts)
    counts = (tally.connected, tally.abandoned, tally.told, tally.amd_errors, tally.machines, tally.left)
    return (what, *map(str, counts), f"{account.share_of(tally, parts[-1]):.2%}")


def _short_calls(
    store: Store, place: Place, config: CampaignSettings | None, period: Period
) -> dict[tuple[str, str], CallsOfDay]:
    if config is None or config.rules.short_call_s is None:
        return {}
    counted = ShortCalls(short_s=config.rules.short_call_s, timezone=place.configuration().settings.timezone)
    return dict(campaign_reports.calls_by_day(store, config.caller_ids, counted, period.since, period.until))


def _days(days: dict[tuple[str, str], CallsOfDay], config: CampaignSettings | None) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "day": day,
            "calls": of.calls,
            "short": of.short,
            "share": round(of.share, 6),
            "is_over": config is not None and short_calls.is_over(config.rules, of),
        }
        for (number, day), of in days.items()
    ]


# --- key figures --------------------------------------------------------------------------------------------------------
@campaign.command()
@at_a_place
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="All campaigns that ever called somebody.")
@_since
@_until
def figures(*, place: Place, name: str | None, is_all: bool, since: datetime | None, until: datetime | None) -> None:
    """Show the key figures of the campaign NAME, or of all.

    In percent of the calls that were placed: answers by people (answer success), successes (lead conversion). AHT is talk, hold and wrap-up
    for each call that an agent handled. Costs are by the prices of the configuration.
    """
    if is_all == (name is not None):
        raise click.UsageError("say which: NAME, or --all")
    period = _period(since, until)
    configuration = place.configuration()
    dialing = configuration.settings.dialing
    known = dict(dialing.campaigns) if dialing is not None else {}

    def read(store: Store) -> list[tuple[CampaignId, Counts]]:
        there = campaign_reports.campaigns_of(store.engine)
        names = sorted({*there, *known}) if is_all else [CampaignId(str(name))]
        if not is_all and name not in known and name not in there:
            fail(f"there is no campaign {name!r}; there are: {', '.join(sorted({*there, *known})) or 'none'}", NOT_DONE)
        return [(each, campaign_reports.counts(store, each, period.since, period.until)) for each in names]

    found = [(each, counts, _costs(known.get(each), counts)) for each, counts in from_history(place, read)]
    shown = [_figures(each, period, counts, paid) for each, counts, paid in found]
    if name is not None:
        place.show(shown[0], lambda: _figures_text(found[0], period))
    else:
        place.show(shown, lambda: _all_text(found, period))


def _costs(config: CampaignSettings | None, counts: Counts) -> Costs | None:
    """None: the settings name no prices, or not the campaign."""
    return None if config is None else key_figures.priced(counts, config.costs)


def _figures(name: CampaignId, period: Period, counts: Counts, paid: Costs | None) -> dict[str, Any]:
    return {"campaign": name, "since": period.since, "until": period.until, **key_figures.told(counts, paid)}


def _figures_text(found: tuple[CampaignId, Counts, Costs | None], period: Period) -> str:
    name, counts, paid = found
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.outcomes.items(), key=lambda pair: -pair[1]))
    lines = [
        f"{safe(name)}: {period}",
        f"placed                {counts.placed}, to {counts.leads} leads" + (f" ({outcomes})" if outcomes else ""),
        f"answered by people    {counts.answered}, {_percent(counts.answer_success_percent)} of those placed",
        f"handled               {counts.handled}; AHT {_seconds(counts.aht_s)}; {_plain(counts.attempts_per_contact)} attempts each",
        f"successes             {counts.successes}, {_percent(counts.lead_conversion_percent)} of those placed, "
        f"{_percent(counts.contact_conversion_percent)} of those handled; {counts.refusals} do not want it",
        f"abandoned             {counts.abandoned}, {_percent(counts.abandoned_percent)} (by the law's count: campaign evidence)",
    ]
    if counts.open:
        lines.append(f"not over, or unknown  {counts.open}")
    if paid is not None:
        lines.append(
            f"costs                 {_money(paid.total_minor, paid)}; {_money(paid.per_call_minor, paid)} a call, "
            f"{_money(paid.per_acquisition_minor, paid)} a success"
        )
    return "\n".join(lines)


def _all_text(found: Sequence[tuple[CampaignId, Counts, Costs | None]], period: Period) -> str:
    head = (
        "campaign",
        "placed",
        "answered",
        "success",
        "handled",
        "AHT",
        "won",
        "conversion",
        "abandoned",
        "a call",
        "a success",
    )
    rows = [
        (
            safe(name),
            str(counts.placed),
            str(counts.answered),
            _percent(counts.answer_success_percent),
            str(counts.handled),
            _seconds(counts.aht_s),
            str(counts.successes),
            _percent(counts.lead_conversion_percent),
            _percent(counts.abandoned_percent),
            "-" if paid is None else _money(paid.per_call_minor, paid),
            "-" if paid is None else _money(paid.per_acquisition_minor, paid),
        )
        for name, counts, paid in found
    ]
    return f"{period}\n{table(head, rows)}" if rows else "there are no campaigns"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else shown_time(value)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _money(minor: float | None, paid: Costs) -> str:
    return "-" if minor is None else f"{minor / 100:.2f} {paid.currency}"


# --- callbacks ----------------------------------------------------------------------------------------------------------
@campaign.command()
@at_a_place
@click.argument("name", required=False)
def overdue(*, place: Place, name: str | None) -> None:
    """List callbacks of the campaign NAME, or of all, whose time is past."""
    dialing = place.configuration().settings.dialing
    known = dict(dialing.campaigns) if dialing is not None else {}
    if name is not None and name not in known:
        fail(f"there is no campaign {name!r}; there are: {', '.join(known) or 'none'}", NOT_DONE)
    wanted = {each: config for each, config in known.items() if name is None or each == name}
    lists = {one for each, config in wanted.items() for one in config.lists or (str(each),)}
    now = datetime.now(UTC)
    found = from_history(place, lambda store: campaign_reports.overdue(store, lists, now))
    place.show([asdict(each) for each in found], lambda: _overdue_text(found, now))


def _overdue_text(found: Sequence[OverdueCallback], now: datetime) -> str:
    rows = [
        (
            str(each.lead),
            safe(each.list),
            safe(each.name),
            f"{each.due_at:%Y-%m-%d %H:%M}",
            shown_time((now - each.due_at).total_seconds()),
            safe(each.only) or "anybody",
            str(each.tries),
        )
        for each in found
    ]
    head = ("lead", "list", "name", "promised for (UTC)", "overdue", "by", "tries")
    return table(head, rows) if rows else "no callback is overdue"

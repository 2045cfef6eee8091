"""`ccserver simulate`: what a campaign would be like, before anybody is called."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import click

from ccserver.cli.root import root
from ccserver.cli.shared import as_json, json_option, table
from ccserver.core.dialer.pacing import MODES, Limits, pacer
from ccserver.core.dialer.terms import Mode
from ccserver.sim.campaign import Campaign, Figures
from ccserver.sim.campaign_law import PLACES, Law
from ccserver.sim.campaign_laws import SALES, Scenario
from ccserver.sim.campaign_month import Month, run_month


@root.group()
def simulate() -> None:
    """Try out, in virtual time and without any telephone."""


class Number(click.FloatRange):
    """Of a range; `nan` is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


PERCENT = Number(0.0, 100.0)


@simulate.command()
@json_option
@click.option("--agents", type=click.IntRange(1, 1000), default=30, show_default=True)
@click.option(
    "--answered",
    type=Number(0.1, 90.0),
    default=35.0,
    show_default=True,
    help="Percent of calls that a person answers.",
)
@click.option("--machines", type=PERCENT, default=0.0, show_default=True, help="Percent of calls that a machine answers.")
@click.option("--detection", type=Number(0.1, 30.0), help="Seconds that telling machines from people takes; without it none.")
@click.option(
    "--false-positives", type=PERCENT, default=0.0, show_default=True, help="Percent of people it takes for machines."
)
@click.option("--talk", type=Number(1.0, 3600.0), default=120.0, show_default=True, help="Mean seconds of a talk.")
@click.option("--wrap-up", type=Number(0.1, 3600.0), default=15.0, show_default=True, help="Mean seconds.")
@click.option("--mode", type=click.Choice(list(MODES)), default="predictive", show_default=True)
@click.option("--ratio", type=Number(1.0, 20.0), default=1.5, show_default=True, help="Calls for each idle agent (power).")
@click.option("--hours", type=Number(0.05, 24.0), default=2.0, show_default=True)
@click.option("--cap", type=PERCENT, default=3.0, show_default=True, help="Percent of answered calls that may be abandoned.")
@click.option(
    "--law",
    type=click.Choice(list(PLACES)),
    help="The preset by whose rules the gate judges each attempt; without it none does.",
)
@click.option("--lines", type=click.IntRange(1, 100_000), default=100_000, show_default=True)
@click.option("--leads", type=click.IntRange(1), default=10_000_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True, help="So many, each with luck of its own.")
@click.option(
    "--window",
    type=click.Choice(["day", "month"]),
    default="day",
    show_default=True,
    help="In which the cap holds: with month a day begins with what those before it left over, or lost too much.",
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="So many times all of it, from --seed on."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same days.")
def campaign(
    *,
    is_json: bool,
    agents: int,
    answered: float,
    machines: float,
    detection: float | None,
    false_positives: float,
    talk: float,
    wrap_up: float,
    mode: str,
    ratio: float,
    hours: float,
    cap: float,
    law: str | None,
    lines: int,
    leads: int,
    days: int,
    window: str,
    seeds: int,
    seed: int,
) -> None:
    """Dial one day of a campaign, or many, and show how busy the agents were and how many calls were abandoned.

    Talks are a mix of refusals, pitches and sales; agents take breaks. An hour of 30 agents takes some seconds. A month is --days 30; with
    --seeds it is dialled several times, and the spread is told.
    """
    if answered + machines > 95.0:
        raise click.BadParameter("with --answered more than 95 % of all calls", param_hint="--machines")
    if false_positives and detection is None:
        raise click.BadParameter("needs --detection", param_hint="--false-positives")
    if law is not None and (days > 1 or seeds > 1):
        raise click.BadParameter("is of one day: leave out --days and --seeds", param_hint="--law")
    usual_s = sum(weight * mean_s for weight, mean_s in SALES)
    scale = talk / usual_s
    scenario = Scenario(
        agents=agents,
        hours=hours,
        answered=answered / 100.0,
        machines=machines / 100.0,
        failed=min(0.05, 1.0 - (answered + machines) / 100.0),
        talks=tuple((weight, mean_s * scale) for weight, mean_s in SALES),
        wrap_up_s=wrap_up,
        detection_s=detection,
        false_positives=false_positives / 100.0,
        lines=lines,
        leads=leads,
    )
    gate = None if law is None else Law(law, Mode(mode), scenario, cap / 100.0)
    share = cap / 100.0 if gate is None else gate.rules.max_abandon
    limits = Limits(
        max_abandoned=share,
        false_positives=scenario.false_positives if gate is not None and gate.rules.counts_amd_errors else 0.0,
        ring_timeout_s=scenario.ring_timeout_s,
        horizon_s=scenario.length_s,
        calls_per_agent=ratio,
    )
    if days > 1 or seeds > 1:
        is_carried = window == "month"
        months = [
            run_month(scenario, limits, lambda own: pacer(mode, own), days=days, seed=seed + number, is_carried=is_carried)
            for number in range(seeds)
        ]
        click.echo(as_json([_told(each) for each in months]) if is_json else _months_text(months))
        return
    figures = Campaign(scenario, pacer(mode, limits), seed, gate=gate).run()
    refusals = {} if gate is None else dict(gate.refusals)
    click.echo(as_json({**asdict(figures), "refusals": refusals}) if is_json else _text(figures, refusals))


_TOLD = (
    "seed",
    "dials",
    "humans",
    "abandoned",
    "utilisation",
    "wait_s",
    "abandoned_ratio",
    "attempts_per_contact",
    "days_over",
)


def _told(month: Month) -> dict[str, Any]:
    return {**{name: getattr(month, name) for name in _TOLD}, "days": [asdict(day) for day in month.days]}


def _months_text(months: Sequence[Month]) -> str:
    head = ("seed", "days", "utilisation", "wait", "abandoned", "days over the cap", "attempts per contact")
    rows = [
        (
            str(month.seed),
            str(len(month.days)),
            f"{month.utilisation:.1%}" + _spread([day.utilisation for day in month.days]),
            f"{month.wait_s:.1f} s",
            f"{month.abandoned_ratio:.2%}" + _spread([day.abandoned_ratio for day in month.days]),
            str(month.days_over),
            f"{month.attempts_per_contact:.2f}",
        )
        for month in months
    ]
    if len(months) > 1:
        count = len(months)
        lost, humans = sum(month.abandoned for month in months), sum(month.humans for month in months)
        people = sum(day.connects - day.agent_machines for month in months for day in month.days)
        rows.append(
            (
                "all",
                str(sum(len(month.days) for month in months)),
                f"{sum(month.utilisation for month in months) / count:.1%}" + _spread([each.utilisation for each in months]),
                f"{sum(month.wait_s for month in months) / count:.1f} s",
                f"{lost / max(humans, 1):.2%}" + _spread([each.abandoned_ratio for each in months]),
                str(sum(month.days_over for month in months)),
                f"{sum(month.dials for month in months) / max(people, 1):.2f}",
            )
        )
    return table(head, rows)


def _spread(ratios: Sequence[float]) -> str:
    return f" ({min(ratios):.1%} to {max(ratios):.1%})" if len(ratios) > 1 else ""


def _text(figures: Figures, refusals: Mapping[str, int]) -> str:
    lines = [
        ("utilisation", f"{figures.utilisation:.1%}"),
        ("wait between calls", f"{figures.wait_s:.1f} s"),
        ("abandoned", f"{figures.abandoned_ratio:.2%} ({figures.abandoned} of {figures.humans} answered)"),
        ("attempts per contact", f"{figures.attempts_per_contact:.2f} ({figures.dials} calls, {figures.connects} connected)"),
    ]
    if figures.machines or figures.false_positives:
        lines.append(("machines", f"{figures.machines}, of them {figures.false_positives} people"))
    if refusals:
        lines.append(("refused", ", ".join(f"{reason} {count}" for reason, count in sorted(refusals.items()))))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)

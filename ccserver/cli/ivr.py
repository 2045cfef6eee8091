"""`ccserver ivr`: flows drawn, checked, walked, tested and counted."""

from datetime import datetime
from pathlib import Path

import click

from ccserver.cli.root import root
from ccserver.cli.shared import (
    NOT_DONE,
    REFUSED,
    Place,
    as_json,
    as_utc,
    at_a_place,
    config_option,
    fail,
    from_history,
    json_option,
    safe,
    shown_time,
    table,
)
from ccserver.config import Configuration, Problem, look_over
from ccserver.config.flow_drawing import DrawingUnavailable, dot, mermaid, svg
from ccserver.config.flow_graph import FlowGraph, flow_graph
from ccserver.core.ids import FlowId, Language
from ccserver.core.records import FlowEnd, StepHow
from ccserver.store.flow_reports import FlowStats, flow_stats

FILE = click.Path(path_type=Path, dir_okay=False)
OF_FLOWS = ("flows", "dids", "look_ups", "databases", "scripts_dir", "sendable_flows", "recordable_prompts")
"""The sections that `ivr check` speaks of, beside exits of queues that lead to a node or a flow."""


@root.group()
def ivr() -> None:
    """IVR flows: drawn, checked, walked without a phone, tested, and counted."""


def look_into(config: Path) -> Configuration:
    """The configuration, without the secrets that this user may not read. Ends the program with every problem shown."""
    configuration, problems, _ = look_over(config)
    if configuration is None:
        for problem in problems:
            click.echo(str(problem), err=True)
        raise SystemExit(REFUSED)
    return configuration


def flow_named(configuration: Configuration, name: str) -> FlowId:
    if name not in configuration.settings.flows:
        fail(f"there is no flow {safe(name)!r}; there are: {', '.join(configuration.settings.flows)}", NOT_DONE)
    return FlowId(name)


def language_named(configuration: Configuration, name: str | None) -> Language:
    settings = configuration.settings
    if name is not None and name not in settings.language_skills:
        fail(f"there is no language {safe(name)!r}; there are: {', '.join(settings.language_skills)}", NOT_DONE)
    return settings.default_language if name is None else Language(name)


@ivr.command("graph")
@config_option
@json_option
@click.argument("flow")
@click.option("--format", "form", type=click.Choice(["mermaid", "dot", "svg"]), default="mermaid", show_default=True)
@click.option("--out", type=FILE, help="Write it there instead of printing it.")
@click.option("--language", help="Of the prompts' texts; without it the default language.")
@click.option("--alone", is_flag=True, help="Without the flows that it goes through.")
def draw(*, config: Path, is_json: bool, flow: str, form: str, out: Path | None, language: str | None, alone: bool) -> None:
    """Draw FLOW as a graph: its nodes, what is said there, and every way a caller can go.

    For Mermaid and as text for Graphviz nothing else is needed; a picture (svg) needs Graphviz.
    """
    configuration = look_into(config)
    named, spoken = flow_named(configuration, flow), language_named(configuration, language)
    graph = flow_graph(configuration.settings, named, configuration.edges.prompts, spoken, with_called=not alone)
    try:
        text = mermaid(graph) if form == "mermaid" else dot(graph) if form == "dot" else svg(dot(graph))
    except DrawingUnavailable as error:
        fail(str(error), NOT_DONE)
    if out is not None:
        try:
            out.write_text(text)
        except OSError as error:
            fail(f"{out}: {error.strerror or error}", NOT_DONE)
    if is_json:
        click.echo(as_json({"ok": True, "out": out} if out is not None else _parts(graph)))
    else:
        click.echo(text if out is None else f"{out}: written", nl=out is not None)


def _parts(graph: FlowGraph) -> dict[str, object]:
    return {
        "flow": graph.flow,
        "entries": graph.entries,
        "groups": graph.groups,
        "arcs": [arc._asdict() for arc in graph.arcs],
    }


@ivr.command("check")
@json_option
@click.argument("file", type=FILE)
def check_flows(is_json: bool, file: Path) -> None:
    """Tell what is wrong with the flows of FILE: what `config check` says, without what is not about flows."""
    _, all_problems, all_warnings = look_over(file)
    problems, warnings = ([each for each in found if _is_of_flows(each)] for found in (all_problems, all_warnings))
    elsewhere = len(all_problems) - len(problems)
    if is_json:
        click.echo(as_json({"ok": not problems, "problems": problems, "warnings": warnings, "problems_elsewhere": elsewhere}))
    else:
        for text in (*map(str, problems), *(f"warning: {each}" for each in warnings)):
            click.echo(text, err=True)
        if elsewhere:
            click.echo(f"and {elsewhere} problems that are not of flows: ccserver config check {file}", err=True)
        if not problems:
            click.echo(f"{file}: its flows are good" + (f", with {len(warnings)} warnings" if warnings else ""))
    if problems:
        raise SystemExit(NOT_DONE)


def _is_of_flows(problem: Problem) -> bool:
    """A problem without a place is of the whole file, which then could not be read."""
    first, last = problem.path.partition(".")[0], problem.path.rpartition(".")[2]
    return not problem.path or first.partition("[")[0] in OF_FLOWS or last in ("node", "flow", "survey")


# --- counted ----------------------------------------------------------------------------------------------------------
@ivr.command("stats")
@at_a_place
@click.argument("flow")
@click.option("--since", type=click.DateTime(), help="Passages that began from then on (UTC).")
@click.option("--until", type=click.DateTime(), help="Passages that began before then (UTC).")
def stats(*, place: Place, flow: str, since: datetime | None, until: datetime | None) -> None:
    """Count the passages through FLOW: where callers go, stumble and give up, and how many needed nobody else.

    Containment is the share of the passages after which the caller was served, as the flow says it.
    """
    found = from_history(place, lambda store: flow_stats(store, FlowId(flow), since=as_utc(since), until=as_utc(until)))
    place.show(_stats_parts(found), lambda: _stats_text(found))


def _stats_parts(found: FlowStats) -> dict[str, object]:
    return {
        "flow": found.flow,
        "passages": found.passages,
        "ends": {end.value: count for end, count in found.ends.items()},
        "containment_ratio": found.containment_ratio,
        "to_people_ratio": found.ratio(FlowEnd.TO_PEOPLE),
        "gave_up_ratio": found.ratio(FlowEnd.GAVE_UP),
        "mean_duration_s": found.duration_s / found.passages if found.passages else None,
        "versions": found.versions,
        "given_up_most_at": None if found.worst is None else found.worst.node,
        "nodes": [
            {
                "node": node.node,
                "visits": node.visits,
                "repeats": node.repeats,
                **{how.value: count for how, count in node.ended.items()},
                "dropped": node.dropped,
                "dropped_ratio": round(node.dropped_ratio, 4),
            }
            for node in found.nodes
        ],
    }


def _stats_text(found: FlowStats) -> str:
    if not found.passages:
        return f"nobody came through the flow {safe(found.flow)}"
    ends = ", ".join(f"{end.value.replace('_', ' ')} {count}" for end, count in found.ends.items() if count)
    worst = found.worst
    head = ("node", "visits", "repeats", "no input", "invalid", "failed", "operator", "dropped", "drop-out")
    rows = [
        (
            safe(node.node),
            str(node.visits),
            str(node.repeats),
            *(str(node.ended[how]) for how in (StepHow.NO_INPUT, StepHow.INVALID, StepHow.FAILED, StepHow.OPERATOR)),
            str(node.dropped),
            f"{node.dropped_ratio:.1%}",
        )
        for node in found.nodes
    ]
    return "\n".join(
        [
            f"{safe(found.flow)}: {found.passages} passages ({ends}), {shown_time(found.duration_s / found.passages)} on average",
            f"containment {found.containment_ratio:.1%}, to people {found.ratio(FlowEnd.TO_PEOPLE):.1%}, "
            f"gave up {found.ratio(FlowEnd.GAVE_UP):.1%}",
            "nobody gave up"
            if worst is None
            else f"most give up at {safe(worst.node)}: {worst.dropped} of {worst.visits} who came there ({worst.dropped_ratio:.1%})",
            "",
            table(head, rows),
        ]
    )

"""`ccserver survey`: what customers said."""

from datetime import datetime

import click

from ccserver.cli.root import root
from ccserver.cli.shared import Place, as_utc, at_a_place, from_history, safe, table
from ccserver.core.ids import AgentId, QueueId
from ccserver.store.survey_reports import Scores, SurveyReport, survey_report


@root.group()
def survey() -> None:
    """Surveys: what customers said about the calls."""


@survey.command()
@at_a_place
@click.option("--queue", help="Only about talks of this queue.")
@click.option("--agent", help="Only about talks of this agent.")
@click.option("--since", type=click.DateTime(), help="Answered from then on (UTC).")
@click.option("--until", type=click.DateTime(), help="Answered before then (UTC).")
def report(*, place: Place, queue: str | None, agent: str | None, since: datetime | None, until: datetime | None) -> None:
    """Show the figures, all together, by queue and by agent.

    In percent of all answers: CSAT, those of 4 and 5; DSAT, those of 1 and 2; NPS, those of 9 and 10 less those of 0 to 6; FCR,
    those who say that it was resolved.
    """
    found = from_history(
        place,
        lambda store: survey_report(
            store,
            queue=QueueId(queue) if queue else None,
            agent=AgentId(agent) if agent else None,
            since=as_utc(since),
            until=as_utc(until),
        ),
    )
    place.show(_parts(found), lambda: _text(found))


def _parts(report: SurveyReport) -> dict[str, object]:
    return {
        "total": _figures(report.total),
        "by_queue": [{"queue": queue, **_figures(scores)} for queue, scores in report.by_queue],
        "by_agent": [{"agent": agent, **_figures(scores)} for agent, scores in report.by_agent],
    }


def _figures(scores: Scores) -> dict[str, object]:
    counted = {name: getattr(scores, name) for name in Scores.__slots__}
    percents = {name: getattr(scores, name) for name in ("csat_percent", "dsat_percent", "nps", "fcr_percent")}
    return {**counted, **{name: None if value is None else round(value, 1) for name, value in percents.items()}}


def _text(report: SurveyReport) -> str:
    if not report.by_queue:
        return "nobody has answered"
    head = ("", "CSAT", "DSAT", "of", "NPS", "of", "FCR", "of")
    rows = [("all", *_cells(report.total)), ("", *[""] * 7)]
    rows += [(f"queue {safe(queue) or '-'}", *_cells(scores)) for queue, scores in report.by_queue]
    rows += [("", *[""] * 7), *((f"agent {safe(agent) or '-'}", *_cells(scores)) for agent, scores in report.by_agent)]
    return table(head, rows)


def _cells(scores: Scores) -> tuple[str, ...]:
    csat, dsat, fcr = (
        "-" if value is None else f"{value:.0f} %" for value in (scores.csat_percent, scores.dsat_percent, scores.fcr_percent)
    )
    nps = "-" if scores.nps is None else f"{scores.nps:+.0f}"
    return csat, dsat, str(scores.csat_answers), nps, str(scores.nps_answers), fcr, str(scores.fcr_answers)

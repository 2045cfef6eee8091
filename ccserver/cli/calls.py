"""`ccserver call`: what is live comes from the daemon, what is over from history; the number of a call finds both."""

from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import click

from ccserver.cli.root import root
from ccserver.cli.shared import Place, act, at_a_place, from_opened_history, safe, shown_time, table
from ccserver.control.client import ControlClient, DaemonNotRunning, NotDone
from ccserver.control.protocol import Why
from ccserver.core.events import RecordingAct
from ccserver.core.ids import AgentId, InteractionId, QueueId
from ccserver.core.quality import loss_ratio
from ccserver.core.records import FlowStep, QualityRecord, StepHow
from ccserver.store.history import CALLS_MAX, CallStory, PastCall, call_story, find_calls

T = TypeVar("T")


@root.group()
def call() -> None:
    """Calls: live ones and those that are over."""


def _when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _number(number: str | None) -> str:
    return "withheld" if number is None else safe(number)


@call.command("list")
@at_a_place
@click.option("--past", is_flag=True, help="Those that are over, newest first, from the database.")
@click.option("--caller", help="With --past: the caller's number, or, if it is not sealed, its last digits.")
@click.option("--agent", help="With --past: the last agent who talked.")
@click.option("--queue", help="With --past: the last queue.")
@click.option("--since", type=click.DateTime(), help="With --past: arrived from then on (UTC).")
@click.option("--limit", type=click.IntRange(1, CALLS_MAX), default=50, show_default=True)
def list_calls(
    *, place: Place, past: bool, caller: str | None, agent: str | None, queue: str | None, since: datetime | None, limit: int
) -> None:
    """List the live calls, oldest first; with --past those that are over."""
    if not past:
        with place.daemon() as daemon:
            live = cast(list[dict[str, Any]], daemon.ask("calls"))
        place.show(live, lambda: _live_table(live))
        return
    found = from_opened_history(
        place,
        lambda store, opener: find_calls(
            store,
            caller=caller,
            agent=AgentId(agent) if agent else None,
            queue=QueueId(queue) if queue else None,
            since=since.replace(tzinfo=UTC) if since else None,
            limit=limit,
            opener=opener,
        ),
    )
    place.show(found, lambda: _past_table(found))


def _live_table(live: list[dict[str, Any]]) -> str:
    head = ("call", "kind", "caller", "state", "queue", "agent", "language", "waited", "talked")
    rows = [
        (
            str(one["interaction"]),
            str(one["kind"]),
            _number(one["caller"]),
            str(one["state"]),
            str(one["queue"] or ""),
            str(one["agent"] or ""),
            str(one["language"]),
            shown_time(one["wait_s"]),
            shown_time(one["talk_s"]),
        )
        for one in live
    ]
    return table(head, rows) if rows else "no live calls"


def _past_table(found: list[PastCall]) -> str:
    head = ("call", "arrived (UTC)", "caller", "queue", "agent", "outcome", "waited", "talked")
    rows = [
        (
            str(one.number),
            _when(one.arrived_at),
            _number(one.caller_number),
            one.queue or "",
            one.agent or "",
            one.outcome.value,
            shown_time(one.wait_s),
            shown_time(one.talk_s),
        )
        for one in found
    ]
    return table(head, rows) if rows else "none found"


@call.command("show")
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
def show_call(place: Place, number: int) -> None:
    """Show the call NUMBER, live or over, with all that is kept of it."""
    live = _live(place, number)
    if live is not None:
        place.show({"is_live": True, **live}, lambda: _live_text(live))
        return
    story = from_opened_history(place, lambda store, opener: call_story(store, InteractionId(number), opener))
    if story is None:
        place.refuse(NotDone(Why.NOT_FOUND, f"no call {number}, neither live nor in history"))
    place.show({"is_live": False, **_story_parts(story)}, lambda: _story_text(story))


def _live(place: Place, number: int) -> dict[str, Any] | None:
    """The live call, or None: it is over, there never was one, or nobody runs who would know."""
    try:
        with ControlClient(place.control_socket()) as daemon:
            return cast(dict[str, Any], daemon.ask("call.show", interaction=number))
    except DaemonNotRunning:
        return None
    except NotDone as error:
        if error.why is Why.NOT_FOUND:
            return None
        place.refuse(error)


def _live_text(live: dict[str, Any]) -> str:
    return "\n".join(f"{name.removesuffix('_utc_s'):<16}{_live_value(name, value)}" for name, value in live.items())


def _live_value(name: str, value: object) -> str:
    if value is None:
        return "-"
    if name.endswith("_utc_s") and isinstance(value, int | float):
        return f"{_when(datetime.fromtimestamp(value, tz=UTC))} UTC"
    return safe(str(value))


def _story_parts(story: CallStory) -> dict[str, object]:
    return {
        "call": story.call,
        "segments": story.segments,
        "visits": story.visits,
        "offers": story.offers,
        "recordings": story.recordings,
        "transfers": story.transfers,
        "marks": story.marks,
        "supervisions": story.supervisions,
        "messages": story.messages,
        "callbacks": story.callbacks,
        "children": story.children,
        "passages": story.passages,
        "answers": story.answers,
        "lines": story.lines,
    }


def _story_text(story: CallStory) -> str:
    one = story.call
    lines = [
        f"call {one.number} ({one.leg.uniqueid}), {one.outcome.value}, ended by {one.ended_by.value}",
        f"{_when(one.arrived_at)} to {_when(one.ended_at)} UTC, from {_number(one.caller_number)} {safe(one.caller_name)} "
        f"to {safe(one.did)}, language {one.language}",
        f"queue {one.queue or '-'}, agent {one.agent or '-'}, disposition {one.disposition or '-'}; waited "
        f"{one.wait_s:.1f} s, talked {one.talk_s:.1f} s",
        "",
    ]
    lines += [
        f"  {_when(part.started_at)}  {part.kind.value:<8} {part.duration_s:>8.1f} s  {part.queue or ''} {part.agent or ''} "
        f"{safe(part.detail)}".rstrip()
        for part in story.segments
    ]
    lines += [
        f"  offer to {offer.agent}: {offer.outcome.value} after {offer.ring_s:.1f} s ({safe(offer.why)})"
        for offer in story.offers
    ]
    lines += [
        f"  recorded {safe(sound.path)}: {sound.status.value if sound.status else 'not archived yet'}, {sound.duration_s:.1f} s"
        for sound in story.recordings
    ]
    lines += [
        f"  {each.kind.value} transfer by {each.agent} to {safe(each.to)}: {each.outcome.value} after {each.duration_s:.1f} s"
        for each in story.transfers
    ]
    lines += [f"  marked by {each.agent}: {safe(each.what)}" for each in story.marks]
    lines += [
        f"  {each.mode.value} of {each.agent}'s talk by {safe(each.by)} at {each.phone}: {each.duration_s:.1f} s"
        for each in story.supervisions
    ]
    lines += [f"  message {safe(each.path)}, {each.duration_s:.1f} s" for each in story.messages]
    lines += [
        f"  callback {each.interaction} to {safe(each.number)}: {each.outcome.value}, {each.tries} tries"
        for each in story.callbacks
    ]
    for passage in story.passages:
        lines.append(f"  flow, {passage.duration_s:.1f} s, {passage.end.value}: {' > '.join(map(_step_text, passage.steps))}")
    lines += [f"  survey {each.kind.value}: {each.score} ({safe(each.question)})" for each in story.answers]
    lines += [_line_text(each) for each in story.lines]
    if one.parent is not None:
        lines.append(f"  came of call {one.parent}")
    lines += [f"  see also call {child}" for child in story.children]
    return "\n".join(lines)


def _line_text(line: QualityRecord) -> str:
    """How the line of a leg was: both directions, as far as the telephone tells of its own."""
    ways = [("from", line.received), *([("to", line.sent)] if line.sent is not None else [])]
    told = ", ".join(f"{loss_ratio(way):.1%} lost {name} it, jitter {way.jitter_ms:.1f} ms" for name, way in ways)
    round_trip = "" if line.rtt_ms is None else f", round trip {line.rtt_ms:.0f} ms"
    return f"  line of {line.agent or line.side.value}: MOS {line.mos:.1f} ({safe(line.codec)}, {told}{round_trip})"


def _step_text(step: FlowStep) -> str:
    """The node, and what was not as it should be: `orders/menu (2 more tries, no_input)`."""
    tries = {0: "", 1: "1 more try"}.get(step.repeats, f"{step.repeats} more tries")
    notes = ", ".join(part for part in (tries, "" if step.how is StepHow.PASSED else step.how.value) if part)
    return safe(f"{step.flow}/{step.node}" + (f" ({notes})" if notes else ""))


@call.command()
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
def hangup(place: Place, number: int) -> None:
    """End the live call NUMBER."""
    act(place, "call.hangup", interaction=number)


@call.command()
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
@click.argument("level", type=click.IntRange(0, 10))
def priority(place: Place, number: int, level: int) -> None:
    """Give the waiting call NUMBER another priority: LEVEL 0 to 10."""
    act(place, "call.priority", interaction=number, priority=level)


@call.command()
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
@click.argument("queue")
def move(place: Place, number: int, queue: str) -> None:
    """Move the waiting call NUMBER to QUEUE; it keeps its waiting time."""
    act(place, "call.move", interaction=number, queue=queue)


@call.command()
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
@click.argument("agent")
def pick(place: Place, number: int, agent: str) -> None:
    """Give the waiting call NUMBER to AGENT, before everything else and whatever it requires."""
    act(place, "call.pick", interaction=number, agent=agent)


@call.command()
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
@click.argument("do", metavar="ACT", type=click.Choice([each.value for each in RecordingAct]))
def recording(place: Place, number: int, do: str) -> None:
    """Record the talk of the live call NUMBER, or pause, resume or give up its recording: ACT is record, pause, resume or object.

    The gap of a pause is silent and marked. object: the customer does not want it; it stops for good, and what was recorded is deleted.
    """
    act(place, "call.recording", interaction=number, act=do)

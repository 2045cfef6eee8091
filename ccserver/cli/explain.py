"""`call explain`, `queue explain`, `agent explain`: why somebody waits, and why an agent gets nothing."""

import click

from ccserver.cli.agents import agent
from ccserver.cli.calls import call
from ccserver.cli.queues import queue
from ccserver.cli.shared import Place, at_a_place, safe, table
from ccserver.core import codec
from ccserver.core.explain import AgentExplained, InteractionExplained

Explained = tuple[InteractionExplained, ...]


@call.command("explain")
@at_a_place
@click.argument("number", type=click.IntRange(min=1))
def explain_call(place: Place, number: int) -> None:
    """Say where the live call NUMBER stands, of each agent why it is not with them, and what would help."""
    with place.daemon() as daemon:
        given = daemon.ask("call.explain", interaction=number)
    place.show(given, lambda: _call_text(codec.decode(InteractionExplained, given)))


@queue.command("explain")
@at_a_place
@click.argument("name")
def explain_queue(place: Place, name: str) -> None:
    """Say of those who wait in the queue NAME (the ten most urgent) why they wait, and what would help."""
    with place.daemon() as daemon:
        given = daemon.ask("queue.explain", queue=name)
    place.show(given, lambda: "\n".join(map(_short_text, codec.decode(Explained, given))) or "nobody waits")


@agent.command("explain")
@at_a_place
@click.argument("number")
def explain_agent(place: Place, number: str) -> None:
    """Say why the agent NUMBER gets nothing, and of each who waits why it is not for them."""
    with place.daemon() as daemon:
        given = daemon.ask("agent.explain", agent=number)
    place.show(given, lambda: _agent_text(codec.decode(AgentExplained, given)))


def _short_text(one: InteractionExplained) -> str:
    first, *rest = [*one.text, *(f"helps: {line}" for line in one.helps)]
    return "\n".join([safe(first), *(f"  {safe(line)}" for line in rest)])


def _call_text(one: InteractionExplained) -> str:
    rows = [(each.agent, safe(each.name), safe(each.text)) for each in one.agents]
    return "\n".join([_short_text(one), *([table(("agent", "name", "why not"), rows)] if rows else [])])


def _agent_text(one: AgentExplained) -> str:
    rows = [(str(each.interaction), f"{each.urgency_s:.0f}", safe(each.text) or "would be offered") for each in one.waiting]
    return "\n".join(
        [f"agent {safe(one.agent)}", *(f"  {safe(line)}" for line in one.text)]
        + ([table(("call", "urgency", "why not"), rows)] if rows else [])
    )

"""`ccserver agent`."""

import click

from ccserver.agi.secrets import hash_pin
from ccserver.cli.live import read_overview
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, act, at_a_place, fail, json_option, safe, shown_time, table
from ccserver.control.client import NotDone
from ccserver.control.protocol import Why
from ccserver.core import codec
from ccserver.core.views import AgentView


@root.group()
def agent() -> None:
    """Agents: who is there, and what they can be made to do from here."""


def _row(one: AgentView) -> tuple[str, ...]:
    state = one.state.value + (f" ({one.reason})" if one.reason else "")
    return one.id, safe(one.name), state, shown_time(one.since_s), one.phone or "", str(one.interaction or "")


@agent.command("list")
@at_a_place
def list_agents(place: Place) -> None:
    """List the agents with their states."""
    with place.daemon() as daemon:
        shown = read_overview(daemon.ask("overview")).agents
    head = ("agent", "name", "state", "since", "phone", "call")
    place.show(codec.encode(shown, tuple[AgentView, ...]), lambda: table(head, [_row(one) for one in shown]))


@agent.command("show")
@at_a_place
@click.argument("number")
def show_agent(place: Place, number: str) -> None:
    """Show the agent NUMBER."""
    with place.daemon() as daemon:
        found = [one for one in read_overview(daemon.ask("overview")).agents if one.id == number]
        if not found:
            raise NotDone(Why.NOT_FOUND, f"no agent {number!r}")
    names = ("agent", "name", "state", "since", "phone", "call")
    rows = zip(names, _row(found[0]), strict=True)
    place.show(codec.encode(found[0], AgentView), lambda: "\n".join(f"{name:<8}{value or '-'}" for name, value in rows))


@agent.command()
@at_a_place
@click.argument("number")
@click.argument("phone")
def login(place: Place, number: str, phone: str) -> None:
    """Log the agent NUMBER in at PHONE (its extension, or what Asterisk dials: PJSIP/1001)."""
    act(place, "agent.login", agent=number, phone=phone)


@agent.command()
@at_a_place
@click.argument("number")
def logout(place: Place, number: str) -> None:
    """Log the agent NUMBER out; after the call, if there is one."""
    act(place, "agent.logout", agent=number)


@agent.command()
@at_a_place
@click.argument("number")
@click.argument("reason")
def pause(place: Place, number: str, reason: str) -> None:
    """Make the agent NUMBER not ready, for REASON as the configuration names it; after the call, if there is one."""
    act(place, "agent.pause", agent=number, reason=reason)


@agent.command()
@at_a_place
@click.argument("number")
def unpause(place: Place, number: str) -> None:
    """Make the agent NUMBER ready."""
    act(place, "agent.unpause", agent=number)


@agent.command()
@at_a_place
@click.argument("number")
@click.argument("phone")
def move(place: Place, number: str, phone: str) -> None:
    """Move the agent NUMBER to another PHONE; after the call, if there is one."""
    act(place, "agent.move", agent=number, phone=phone)


@agent.command()
@at_a_place
@click.argument("number")
@click.argument("name")
@click.argument("level", type=click.IntRange(0, 100), required=False)
def skill(place: Place, number: str, name: str, level: int | None) -> None:
    """Give the agent NUMBER the skill NAME at LEVEL until the next log-out; 0 takes it away. Without LEVEL: as configured."""
    act(place, "agent.skill", agent=number, skill=name, level=level)


@agent.command("hash-pin")
@json_option
@click.password_option("--pin", prompt="PIN", help="Better typed than given here: other users see a command's options.")
def hash_a_pin(is_json: bool, pin: str) -> None:
    """Turn a PIN into the line for `pin_hash` in the configuration. The PIN itself is kept nowhere."""
    try:
        hashed = hash_pin(pin)
    except ValueError as error:
        fail(str(error), NOT_DONE)
    click.echo(f'{{"pin_hash": "{hashed}"}}' if is_json else hashed)

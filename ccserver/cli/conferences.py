"""`ccserver conference`: the rooms that people dial into, and who is in them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import click

from ccserver.agi.secrets import hash_pin
from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, act, at_a_place, fail, safe, shown_time, table
from ccserver.control.client import ControlClient, DaemonNotRunning, MayNotAsk, NoAnswer, NotDone
from ccserver.control.protocol import ProtocolError

INVITED_S = 330.0
"""Until it is known what became of a call: the longest time it may ring, and what who answers is told first."""


@root.group()
def conference() -> None:
    """Conferences: rooms with a number and a PIN, live. CONFERENCE is a name or a number."""


@conference.command("list")
@at_a_place
def list_conferences(place: Place) -> None:
    """List the conferences: those in which somebody is, those of the configuration, and those that agents made of consultations."""
    with place.daemon() as daemon:
        found = cast(list[dict[str, Any]], daemon.ask("conferences"))
    head = ("conference", "number", "members", "since", "state", "made by")
    rows = [
        (
            safe(one["conference"]),
            str(one["number"]),
            str(len(one["members"])),
            shown_time(one["since_s"]) if one["since_s"] is not None else "",
            _state(one),
            safe(one["made_by"]),
        )
        for one in found
    ]
    place.show(found, lambda: table(head, rows) if rows else "there are no conferences")


@conference.command("show")
@at_a_place
@click.argument("conference")
def show_conference(place: Place, conference: str) -> None:
    """Show who is in CONFERENCE."""
    with place.daemon() as daemon:
        one = cast(dict[str, Any], daemon.ask("conference.show", conference=conference))
    place.show(one, lambda: _text(one))


def _state(one: dict[str, Any]) -> str:
    words = [word for word, is_so in (("locked", one["is_locked"]), ("recorded", one["is_recorded"])) if is_so]
    return ", ".join(words)


def _text(one: dict[str, Any]) -> str:
    title = f"{safe(one['conference'])}, number {one['number']}" + (f": {_state(one)}" if _state(one) else "")
    title += f"\nis called: {', '.join(safe(who) for who in one['invited'])}" if one["invited"] else ""
    head = ("member", "who", "phone", "since", "state")
    rows = [
        (
            str(each["member"]),
            f"agent {each['agent']}" if each["agent"] else safe(each["caller"] or "withheld"),
            safe(each["phone"] or ""),
            shown_time(each["since_s"]),
            ", ".join(word for word, is_so in (("moderator", each["is_moderator"]), ("muted", each["is_muted"])) if is_so),
        )
        for each in one["members"]
    ]
    return f"{title}\n{table(head, rows)}" if rows else f"{title}\nnobody is in it"


@conference.command()
@at_a_place
@click.option("--number", required=True, help="What is typed after the feature code.")
@click.option("--pin", help="The members' PIN. Better typed when it is asked for: other users see a command's options.")
@click.option("--moderator-pin", help="The moderators' PIN; without it there are none.")
@click.option("--no-pin", is_flag=True, help="Nobody is asked for a PIN.")
@click.option("--record", is_flag=True, help="Recorded from the beginning.")
@click.option("--class-of-service", help="Which numbers outside may be invited; without it none.")
@click.option("--invite", "whom", multiple=True, help="Call this agent, phone or number into it. May be given several times.")
def create(
    *,
    place: Place,
    number: str,
    pin: str | None,
    moderator_pin: str | None,
    no_pin: bool,
    record: bool,
    class_of_service: str | None,
    whom: tuple[str, ...],
) -> None:
    """Open a room until everybody has left it, or it is ended. PINs leave this program as hashes only.

    With --invite it waits until all have come in or it is known why not, and fails when somebody has not.
    """
    if pin is not None and no_pin:
        fail("--pin and --no-pin: which of the two?", NOT_DONE)
    if pin is None and not no_pin:
        pin = click.prompt("PIN", hide_input=True, confirmation_prompt=True)
    given = {"member_pin_hash": pin, "moderator_pin_hash": moderator_pin}
    try:
        hashes = {name: hash_pin(value) for name, value in given.items() if value is not None}
    except ValueError as error:
        fail(str(error), NOT_DONE)
    with place.daemon() as daemon:
        asked = {"number": number, "record": record, "class_of_service": class_of_service, **hashes}
        answer = cast(dict[str, Any], daemon.ask("conference.create", **asked))
    told = _call_in(place, number, whom)
    text = "\n".join([str(answer["text"]), *(one["text"] for one in told)])
    place.show({"ok": True, **answer, "invited": told}, lambda: safe(text))
    _fail_unless_all_came(told)


@conference.command()
@at_a_place
@click.argument("conference")
@click.argument("whom", nargs=-1, required=True)
def invite(place: Place, conference: str, whom: tuple[str, ...]) -> None:
    """Call each WHOM (an agent, a phone or a number) into CONFERENCE, without a PIN.

    Waits until all have come in or it is known why not, and fails when somebody has not.
    """
    told = _call_in(place, conference, whom)
    place.show(told, lambda: "\n".join(safe(one["text"]) for one in told))
    _fail_unless_all_came(told)


def _call_in(place: Place, conference: str, whom: tuple[str, ...]) -> list[dict[str, Any]]:
    """All at once, each on a connection of its own: who it was, whether they are in, and what is said of it."""
    path = place.control_socket()

    def call(one: str) -> dict[str, Any]:
        try:
            with ControlClient(path, timeout_s=INVITED_S) as daemon:
                answer = cast(dict[str, Any], daemon.ask("conference.invite", conference=conference, who=one))
        except (NotDone, DaemonNotRunning, MayNotAsk, NoAnswer, ProtocolError) as problem:
            return {"who": one, "ok": False, "text": str(problem)}
        return {"who": one, "ok": True, "text": str(answer["text"])}

    with ThreadPoolExecutor(max_workers=max(1, len(whom))) as threads:
        return list(threads.map(call, whom))


def _fail_unless_all_came(told: list[dict[str, Any]]) -> None:
    if not all(one["ok"] for one in told):
        raise SystemExit(NOT_DONE)


@conference.command()
@at_a_place
@click.argument("conference")
@click.argument("member", type=click.IntRange(min=1), required=False)
def mute(place: Place, conference: str, member: int | None) -> None:
    """Mute MEMBER of CONFERENCE; without one, everybody but the moderators."""
    act(place, "conference.mute", conference=conference, member=member)


@conference.command()
@at_a_place
@click.argument("conference")
@click.argument("member", type=click.IntRange(min=1), required=False)
def unmute(place: Place, conference: str, member: int | None) -> None:
    """Let MEMBER of CONFERENCE speak again; without one, everybody."""
    act(place, "conference.unmute", conference=conference, member=member)


@conference.command()
@at_a_place
@click.argument("conference")
@click.argument("member", type=click.IntRange(min=1))
def kick(place: Place, conference: str, member: int) -> None:
    """Put MEMBER out of CONFERENCE."""
    act(place, "conference.kick", conference=conference, member=member)


@conference.command()
@at_a_place
@click.argument("conference")
def lock(place: Place, conference: str) -> None:
    """Let nobody but moderators into CONFERENCE."""
    act(place, "conference.lock", conference=conference)


@conference.command()
@at_a_place
@click.argument("conference")
def unlock(place: Place, conference: str) -> None:
    """Let people into CONFERENCE again."""
    act(place, "conference.unlock", conference=conference)


@conference.command()
@at_a_place
@click.argument("conference")
@click.option("--stop", is_flag=True, help="End the recording.")
def record(place: Place, conference: str, stop: bool) -> None:
    """Record CONFERENCE; everybody in it is told."""
    act(place, "conference.stop_recording" if stop else "conference.record", conference=conference)


@conference.command()
@at_a_place
@click.argument("conference")
@click.argument("prompt")
def announce(place: Place, conference: str, prompt: str) -> None:
    """Say PROMPT to everybody in CONFERENCE."""
    act(place, "conference.announce", conference=conference, prompt=prompt)


@conference.command()
@at_a_place
@click.argument("conference")
def end(place: Place, conference: str) -> None:
    """Put everybody out of CONFERENCE; one that was created is then closed."""
    act(place, "conference.end", conference=conference)

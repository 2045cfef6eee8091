"""Invitations into a conference with a number on a real PBX: phones ring, people come in without a PIN, and who does not is told of."""

import asyncio
import json
from pathlib import Path

import pytest
from harness.center import PROMPTS_HZ, Center
from harness.cli import command
from harness.floor import GUEST, PREMIUM, Floor
from harness.ledger import Ledger
from harness.room import PIN, RoomSite, dials_in, everybody_out, has_members, knows_what_is, room

from ccserver.control.client import DaemonNotRunning, NoAnswer
from ccserver.lab.phones import PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> RoomSite:
    return RoomSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def test_an_agent_a_phone_and_somebody_outside_are_called_in_and_hear_each_other(floor: Floor) -> None:
    guest = await floor.guest()
    await floor.agent("102")
    await floor.agent("103")
    await floor.center.ask("agent.logout", agent="103")
    await dials_in(floor, "101", "700", PIN)
    invited = await command(floor.center, "conference", "invite", "monday", "102", "1003", GUEST)
    assert invited.code == 0, invited.out + invited.err
    assert invited.out.count("is in the conference monday") == 3
    await floor.hear("101", "102", "103", "guest")
    members = await has_members(floor, 4)
    assert sorted((m["agent"] or "", m["phone"] or "", m["is_moderator"]) for m in members) == [
        ("", "", False),
        ("", "PJSIP/1003", False),
        ("101", "PJSIP/1001", False),
        ("102", "PJSIP/1002", False),
    ]
    assert await floor.center.agent_state("102") == "on_own_call", "nothing is offered to who confers"
    assert len((await knows_what_is(floor))[1]) == 4
    assert guest.has("up")
    acts = floor.center.rows("SELECT act, what FROM audit WHERE act='conference_invite' ORDER BY seq")
    assert sorted(row["what"] for row in acts) == ["monday: 1003", "monday: 102", f"monday: {GUEST}"]
    twice = await command(floor.center, "conference", "invite", "monday", "102")
    assert twice.code != 0 and "102" in twice.out
    await everybody_out(floor)
    await floor.center.agent_is("102", "ready")


async def test_who_does_not_come_is_told_of(floor: Floor) -> None:
    """Busy, silent, declining, nobody there, and a number that costs: each with its reason, and the room goes on."""
    await floor.agent("102", answer_code=486)
    await floor.agent("103", answer_after_ms=None)
    await dials_in(floor, "101", "700", PIN)
    invited = await command(floor.center, "conference", "invite", "700", "102", "103", "1004", PREMIUM, "777", "--json")
    assert invited.code != 0
    told = {one["who"]: (one["ok"], one["text"]) for one in json.loads(invited.out)}
    assert told["102"] == (False, "102 is busy")
    assert told["103"] == (False, "103 does not answer")
    assert told["1004"] == (False, "1004 cannot be reached")
    assert not told[PREMIUM][0] and "premium" in told[PREMIUM][1]
    assert not told["777"][0] and "no agent, no phone" in told["777"][1]
    stays = floor.center.rows("SELECT agent, outcome FROM conference_members WHERE conference IS NULL ORDER BY seq")
    assert {row["outcome"] for row in stays} == {"busy", "no_answer", "unreachable"}
    shown = await room(floor)
    assert len(shown["members"]) == 1 and not shown["invited"]
    await floor.phones["102"].set(answer_code=603)
    declined = await command(floor.center, "conference", "invite", "700", "102")
    assert declined.code != 0 and "declined" in declined.out
    for agent in ("102", "103"):
        await floor.center.agent_is(agent, "ready")
    await everybody_out(floor, "102", "103")


async def test_a_room_is_made_with_people_in_it_who_hear_that_it_is_recorded(floor: Floor) -> None:
    for agent in ("101", "102"):
        await floor.agent(agent)
    words = ("conference", "create", "--number", "89", "--pin", PIN, "--record", "--invite", "101", "--invite", "102")
    made = await command(floor.center, *words)
    assert made.code == 0, made.out + made.err
    for agent in ("101", "102"):
        await floor.is_told(agent, "cc-conference-recorded", 100)
    await floor.hear("101", "102")
    for agent, other in (("101", "102"), ("102", "101")):
        told, heard = (floor.ear(agent).spans(hz)[0] for hz in (PROMPTS_HZ["cc-conference-recorded"], floor.voice(other)))
        assert told.start_ms < heard.start_ms, "told before they are in it"
    outside = await command(floor.center, "conference", "invite", "89", GUEST)
    assert outside.code != 0 and "may not be invited" in outside.out, "the room has no class of service"
    await everybody_out(floor)


async def test_the_daemon_is_killed_while_somebody_is_called(floor: Floor, books: Ledger) -> None:
    """Whoever answers then waits with music until it is back, and comes in."""
    books.may_repair = True
    await floor.agent("102", answer_after_ms=None)
    await dials_in(floor, "101", "700", PIN)
    await floor.hears("101", "music")
    asked = asyncio.create_task(floor.center.ask("conference.invite", conference="700", who="102"))
    await floor.phones["102"].wait("incoming")
    await floor.center.daemon.kill()
    await floor.phones["102"].answer()
    with pytest.raises((NoAnswer, DaemonNotRunning)):
        await asked
    await floor.hears("102", "music")
    await floor.center.restart()
    await floor.hear("101", "102")
    assert len((await knows_what_is(floor))[1]) == 2
    await everybody_out(floor)

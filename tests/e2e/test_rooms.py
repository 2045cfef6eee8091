"""Conferences with a number on a real PBX: who is let in, who hears whom, what moderators and operators do, what outlives a kill."""

from pathlib import Path

import pytest
from harness.archive import decoded, files_of
from harness.center import Center
from harness.cli import command
from harness.floor import VOICES, Floor
from harness.ledger import Ledger
from harness.room import (
    MODERATORS,
    PIN,
    ROOM_DID,
    RoomSite,
    asked,
    calls_in,
    dials_in,
    everybody_out,
    has_members,
    hears_no_more,
    room,
)
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> RoomSite:
    return RoomSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def test_agents_and_a_caller_talk_and_an_operator_mutes_puts_out_and_ends(floor: Floor, books: Ledger) -> None:
    await dials_in(floor, "101", "700", MODERATORS)
    await dials_in(floor, "102", "700", PIN)
    await calls_in(floor)
    members = await has_members(floor, 3)
    assert [(m["agent"], m["is_moderator"]) for m in members] == [("101", True), ("102", False), (None, False)]
    await floor.hear("101", "102", "customer")
    assert await floor.center.agent_state("101") == "on_own_call", "nothing is offered to who confers"
    assert (await command(floor.center, "conference", "mute", "700", "2")).code == 0
    await hears_no_more(floor, "customer", "102", beside="101")
    assert (await room(floor))["members"][1]["is_muted"]
    assert (await command(floor.center, "conference", "unmute", "700", "2")).code == 0
    await floor.hears("customer", "102")
    assert (await command(floor.center, "conference", "kick", "700", "3")).code == 0
    await floor.phones["customer"].wait("ended")
    await has_members(floor, 2)
    await floor.hear("101", "102")
    assert (await command(floor.center, "conference", "end", "700")).code == 0
    for agent in ("101", "102"):
        await floor.phones[agent].wait("ended")
        await floor.center.agent_is(agent, "ready")
    await floor.center.quiet()
    (call,) = books.calls()
    assert (call["outcome"], call["ended_by"]) == ("conference", "system")
    row = await floor.center.row("SELECT * FROM conferences WHERE room='monday' ORDER BY conference DESC")
    assert (row["members"], row["most_at_once"]) == (3, 3)
    stays = floor.center.rows("SELECT * FROM conference_members WHERE conference=? ORDER BY seq", row["conference"])
    assert sorted((s["agent"] or "", s["interaction"] or 0, s["outcome"]) for s in stays) == [
        ("", call["interaction"], "kicked"),
        ("101", 0, "ended"),
        ("102", 0, "ended"),
    ]
    acts = [row["act"] for row in floor.center.rows("SELECT act FROM audit WHERE act LIKE 'conference%' ORDER BY seq")]
    assert acts[-4:] == ["conference_mute", "conference_unmute", "conference_kick", "conference_end"]


async def test_a_wrong_pin_is_asked_for_again_and_three_are_the_end(floor: Floor) -> None:
    await floor.customer(ROOM_DID)
    for _ in range(3):
        await asked(floor, "customer", "1111")
    await floor.phones["customer"].wait("ended")
    assert not (await room(floor))["members"]
    await floor.center.row("SELECT * FROM conference_members WHERE outcome='refused'")


async def test_a_moderators_keys_lock_put_out_and_mute_all(floor: Floor) -> None:
    await dials_in(floor, "101", "700", MODERATORS)
    await dials_in(floor, "102", "700", PIN)
    await floor.hear("101", "102")
    await floor.phones["101"].dtmf("*2")

    async def is_locked() -> bool:
        return bool((await room(floor))["is_locked"])

    await until(is_locked, what="the room is locked")
    await floor.customer(ROOM_DID)
    await asked(floor, "customer", PIN)
    await floor.is_told("customer", "cc-conference-locked")
    await floor.phones["customer"].wait("ended")
    await floor.phones["102"].dtmf("*1")
    await until(lambda: _is_muted(floor, 1), what="102 has muted itself")
    assert (await command(floor.center, "conference", "unmute", "700", "2")).code == 0
    await floor.hears("101", "102")
    await floor.phones["101"].dtmf("*5")
    await until(lambda: _is_muted(floor, 1), what="the moderator has muted the others")
    await floor.phones["101"].dtmf("*3")
    await floor.phones["102"].wait("ended")
    await has_members(floor, 1)
    await everybody_out(floor, "102", "customer")


async def _is_muted(floor: Floor, place: int) -> bool:
    return bool((await room(floor))["members"][place]["is_muted"])


async def test_music_until_a_moderator_is_there(floor: Floor) -> None:
    await dials_in(floor, "102", "701", "")
    await floor.hears("102", "music")
    await dials_in(floor, "101", "701", MODERATORS)
    await floor.hear("101", "102")
    await everybody_out(floor)


async def test_a_recorded_room_says_so_and_is_kept(floor: Floor, center: Center) -> None:
    await dials_in(floor, "101", "702")
    await dials_in(floor, "102", "702")
    await floor.is_told("102", "cc-conference-recorded", 100)
    await floor.hear("101", "102")
    assert (await room(floor, "board"))["is_recorded"]
    await everybody_out(floor)
    row = await center.row("SELECT * FROM conferences WHERE room='board'")
    (file,) = await files_of(center, row["conference"])
    whole = await decoded(center, file)
    for side in (0, 1):
        spans = audio.heard(whole, [VOICES["101"], VOICES["102"]], side)
        assert all(audio.total_ms(spans[VOICES[agent]]) >= 300 for agent in ("101", "102")), side


async def test_the_rooms_are_asterisks_own_through_a_kill_of_the_daemon(floor: Floor, books: Ledger) -> None:
    """They talk on, come and go while nobody looks; afterwards the center knows who is there and who is muted."""
    books.may_repair = True
    await dials_in(floor, "101", "700", MODERATORS)
    await dials_in(floor, "102", "700", PIN)
    await calls_in(floor)
    await floor.hear("101", "102", "customer")
    await floor.center.daemon.kill()
    await floor.hear("101", "102", "customer")
    await floor.phones["102"].dtmf("*1")
    await hears_no_more(floor, "101", "102", beside="customer")
    await floor.phones["customer"].hangup()
    await floor.center.restart()
    members = await has_members(floor, 2)
    assert [(m["agent"], m["is_moderator"], m["is_muted"]) for m in members] == [
        ("101", True, False),
        ("102", False, True),
    ]
    await everybody_out(floor, "customer")
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")


async def test_a_room_that_was_created_lives_until_it_is_empty(floor: Floor) -> None:
    made = await command(floor.center, "conference", "create", "--number", "88", "--pin", PIN)
    assert made.code == 0, made.err
    again = await command(floor.center, "conference", "create", "--number", "88", "--no-pin")
    assert again.code != 0 and "88" in again.err
    await dials_in(floor, "101", "88", PIN)
    await dials_in(floor, "102", "88", PIN)
    await floor.hear("101", "102")
    shown = await command(floor.center, "conference", "list")
    assert "room-88" in shown.out
    await everybody_out(floor)
    gone = await command(floor.center, "conference", "show", "88")
    assert gone.code != 0
    assert PIN not in floor.center.daemon.tail()

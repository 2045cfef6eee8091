"""Conferences with a number when Asterisk dies or its link is lost: afterwards the center shows what ConfBridge has, and nobody is left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from harness.center import Center
from harness.cli import command
from harness.floor import Floor
from harness.ledger import Ledger
from harness.proxy import Relay
from harness.room import (
    MODERATORS,
    PIN,
    RoomSite,
    calls_in,
    dials_in,
    everybody_out,
    has_members,
    knows_what_is,
    room,
)
from harness.waiting import until

from ccserver.lab.phones import PhoneFailed, PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> RoomSite:
    return RoomSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def until_trouble(center: Center) -> None:
    async def look() -> bool:
        return (await center.ask("status"))["trouble"] is not None

    await until(look, what="a daemon that says that the link is lost")


async def confer(floor: Floor) -> None:
    """A moderator, a member and a caller in a room that is locked behind them, the member muted."""
    await dials_in(floor, "101", "700", MODERATORS)
    await dials_in(floor, "102", "700", PIN)
    await calls_in(floor)
    await floor.hear("101", "102", "customer")
    assert (await command(floor.center, "conference", "lock", "700")).code == 0
    assert (await command(floor.center, "conference", "mute", "700", "2")).code == 0
    is_locked, members = await knows_what_is(floor)
    assert is_locked and [flags for _, *flags in members].count([False, True]) == 1


@pytest.mark.parametrize(("how", "outcome"), [("killed", "lost"), ("stopped", "left")])
async def test_asterisk_starts_again_and_its_rooms_are_over(floor: Floor, books: Ledger, how: str, outcome: str) -> None:
    """Killed, it tells of nobody; stopped in order, it puts everybody out first. The room begins anew, unlocked."""
    books.may_repair = True
    pbx, center = floor.center.pbx, floor.center
    await confer(floor)
    # Younger ones are told apart by what a reading of them shows, and by no word of Asterisk's death.
    await until(lambda: int(pbx.cli("core show uptime seconds").split("System uptime:")[1].split()[0]) >= 5)
    pbx.kill() if how == "killed" else pbx.stop()
    await until_trouble(center)
    pbx.start()
    await center.serving()
    assert await knows_what_is(floor) == (False, [])
    row = await center.row("SELECT * FROM conferences WHERE room='monday' ORDER BY conference DESC")
    stays = center.rows("SELECT outcome FROM conference_members WHERE conference=?", row["conference"])
    assert [stay["outcome"] for stay in stays] == [outcome] * 3
    for phone in floor.phones.values():
        with suppress(PhoneFailed):  # it has noticed by itself
            await phone.hangup()
    for agent in ("101", "102"):
        await floor.phones[agent].register()
        await center.agent_is(agent, "ready", 20)
    await dials_in(floor, "102", "700", PIN, ear="102-2")
    await dials_in(floor, "101", "700", MODERATORS, ear="101-2")
    assert len((await knows_what_is(floor))[1]) == 2
    await floor.hear("101-2", "102-2")
    await everybody_out(floor, "customer")
    assert await knows_what_is(floor) == (False, [])


@asynccontextmanager
async def through_a_relay(center: Center) -> AsyncIterator[tuple[Relay, int]]:
    """What lies between the daemon and the manager port can be cut."""
    site = center.site
    relay, port = Relay(center.pbx.plan.values.ami_port), center.pbx.plan.values.ami_port + 100
    await relay.open(port)
    assert await center.daemon.stop() == 0, center.daemon.tail()
    usual = site.more
    site.more = {**usual, "asterisk": {**site.settings()["asterisk"], "ami_port": port}}
    site.write_settings()
    await center.restart()
    yield relay, port
    assert await center.daemon.stop() == 0, center.daemon.tail()
    await relay.close()
    site.more = usual
    site.write_settings()
    await center.restart()


async def test_the_link_is_lost_while_people_confer(floor: Floor, books: Ledger) -> None:
    """They talk on; one mutes itself, one leaves, one comes in, the moderator opens the room: all of it is seen afterwards."""
    books.may_repair = True
    center = floor.center
    async with through_a_relay(center) as (relay, port):
        await confer(floor)
        # A moment: nothing is to be seen of it.
        relay.cut()
        await until(lambda: relay.connections == 2, what="a second link")
        await center.serving()
        is_locked, members = await knows_what_is(floor)
        assert is_locked and len(members) == 3
        # A while, in which things happen.
        await relay.close()
        await until_trouble(center)
        await floor.hear("101", "customer")
        await floor.phones["101"].dtmf("*2*1")
        await floor.phones["102"].dtmf("*1")
        await floor.phones["customer"].hangup()
        await floor.hears("101", "102")
        await relay.open(port)
        await center.serving()
        is_locked, members = await knows_what_is(floor)
        assert not is_locked and [(moderator, muted) for _, moderator, muted in members] == [(True, True), (False, False)]
        await everybody_out(floor, "customer")
        assert await knows_what_is(floor) == (False, [])
        for agent in ("101", "102"):
            await center.agent_is(agent, "ready")
    assert not (await room(floor))["members"]


async def test_everybody_leaves_while_the_link_is_lost(floor: Floor, books: Ledger) -> None:
    books.may_repair = True
    center = floor.center
    async with through_a_relay(center) as (relay, port):
        await dials_in(floor, "101", "700", MODERATORS)
        await dials_in(floor, "102", "700", PIN)
        await has_members(floor, 2)
        await relay.close()
        await until_trouble(center)
        for agent in ("101", "102"):
            await floor.phones[agent].hangup()
        await relay.open(port)
        await center.serving()
        assert await knows_what_is(floor) == (False, [])
        await center.row("SELECT * FROM conferences WHERE room='monday' AND members=2")
        for agent in ("101", "102"):
            await center.agent_is(agent, "ready")

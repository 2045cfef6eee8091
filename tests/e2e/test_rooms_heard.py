"""What everybody in a conference with a number is told, and what is recorded of it from its beginning: proved by tones."""

import itertools
import re
from pathlib import Path

import pytest
from harness.archive import decoded, files_of
from harness.center import PROMPTS_HZ, Center
from harness.cli import command
from harness.floor import VOICES, Floor
from harness.ledger import Ledger
from harness.observer import Observer
from harness.room import PIN, RoomSite, calls_in, dials_in, everybody_out, has_members, room
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> RoomSite:
    return RoomSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


def loud_ms(floor: Floor, who: str) -> int:
    return audio.total_ms(audio.loud(floor.ear(who).file))


async def test_who_comes_and_who_goes_is_said_by_number(floor: Floor, ami: Observer) -> None:
    """The phones say nothing themselves here, so what is heard is the prompt and the number behind it."""
    for agent in ("101", "102", "103"):
        await floor.agent(agent, tone_hz=0)
    await dials_in(floor, "101", "703")
    await dials_in(floor, "102", "703")
    for prompt, agent in (("cc-conference-joined", "103"), ("cc-conference-left", "103")):
        before = {who: (floor.ear(who).ms(PROMPTS_HZ[prompt]), loud_ms(floor, who)) for who in ("101", "102")}
        if prompt == "cc-conference-joined":
            await dials_in(floor, agent, "703")
        else:
            await floor.phones[agent].hangup()
        for who, (prompt_ms, all_ms) in before.items():
            await floor.is_told(who, prompt, prompt_ms + 100)
            # Three digits of speech.
            await until(lambda who=who, all_ms=all_ms: loud_ms(floor, who) >= all_ms + 900, what=f"{who} hears a number")
    asked = [
        re.search(r"\?SayDigits\((\d+)\)", event.get("AppData", "")) for event in ami.events if event["Event"] == "Newexten"
    ]
    said = [found[1] for found in asked if found is not None]
    assert said == ["102", "103", "103"], "the first one comes to nobody"
    await everybody_out(floor, "103")


async def test_an_operator_says_something_to_everybody(floor: Floor) -> None:
    await dials_in(floor, "101", "700", PIN)
    await dials_in(floor, "102", "700", PIN)
    await calls_in(floor)
    await has_members(floor, 3)
    everybody = ("101", "102", "customer")
    await floor.hear(*everybody)
    assert (await command(floor.center, "conference", "lock", "700")).code == 0, "which keeps no announcement out"
    assert (await command(floor.center, "conference", "announce", "700", "department")).code == 0
    for name in everybody:
        await floor.is_told(name, "department", 200)
    await floor.hear(*everybody)
    unknown = await command(floor.center, "conference", "announce", "700", "nonsense")
    assert unknown.code != 0 and "nonsense" in unknown.err
    nobody = await command(floor.center, "conference", "announce", "701", "department")
    assert nobody.code != 0 and "nobody" in nobody.err
    assert len((await room(floor))["members"]) == 3, "who speaks is no member"
    await everybody_out(floor)


async def recorded_voices(center: Center, name: str) -> dict[str, int]:
    """When each agent is heard first in the room's file, in ms from its beginning; both sides hold the same."""
    row = await center.row("SELECT * FROM conferences WHERE room=? ORDER BY conference DESC", name)
    (file,) = await files_of(center, row["conference"])
    whole = await decoded(center, file)
    sides = [audio.heard(whole, VOICES.values(), side) for side in (0, 1)]
    first = [{who: spans[hz][0].start_ms for who, hz in VOICES.items() if audio.total_ms(spans[hz]) >= 300} for spans in sides]
    assert first[0].keys() == first[1].keys(), first
    return first[0]


async def test_a_room_is_recorded_from_its_beginning_and_each_is_told_before(floor: Floor, center: Center) -> None:
    """The first alone too: who is in the room from the first word on is in the file from there, after the prompt."""
    await dials_in(floor, "101", "702")
    await floor.is_told("101", "cc-conference-recorded", 100)
    await has_members(floor, 1, "board")
    assert (await room(floor, "board"))["is_recorded"]
    await dials_in(floor, "102", "702")
    await floor.is_told("102", "cc-conference-recorded", 100)
    await floor.hear("101", "102")
    await everybody_out(floor)
    first = await recorded_voices(center, "board")
    assert first["101"] < first["102"], first
    assert first["101"] <= 2500, "from the beginning, but for what is said to who is inside"


async def test_a_recording_that_is_begun_is_told_to_everybody_before_a_word_is_kept(floor: Floor, center: Center) -> None:
    await dials_in(floor, "101", "700", PIN)
    await dials_in(floor, "102", "700", PIN)
    await floor.hear("101", "102")
    for who in ("101", "102"):
        assert floor.ear(who).ms(PROMPTS_HZ["cc-conference-recorded"]) == 0
    assert (await command(center, "conference", "record", "700")).code == 0
    for who in ("101", "102"):
        await floor.is_told(who, "cc-conference-recorded", 100)
    await floor.agent("103")
    await dials_in(floor, "103", "700", PIN)
    await floor.is_told("103", "cc-conference-recorded", 100)
    for one, other in itertools.permutations(("101", "102", "103"), 2):
        await floor.hears(one, other)
    assert (await command(center, "conference", "record", "700", "--stop")).code == 0
    await floor.hear("101", "102", "103")
    await everybody_out(floor)
    assert set(await recorded_voices(center, "monday")) == {"101", "102", "103"}

"""A fourth and a fifth in a conference on real phones: five tones tell who hears whom in every stage, and what is recorded of each."""

from pathlib import Path

import pytest
from harness.archive import recording_of
from harness.center import CALLER_HZ, PROMPTS_HZ, Center
from harness.cli import command
from harness.floor import GUEST, GUEST_HZ, VOICES, Floor, FloorSite, story, transfers, wrapped_up
from harness.ledger import Ledger

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> FloorSite:
    return FloorSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def conferring(floor: Floor) -> Phone:
    """101, 102 and the customer in one room. The customer's phone."""
    await floor.agent("102")
    customer = await floor.consulting()
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102")
    return customer


async def out_with(floor: Floor, newcomer: str, number: str = "") -> None:
    """101 has stepped out and talks with the newcomer."""
    await floor.asks("101", "*2", number or newcomer)
    await floor.hear("101", newcomer)


async def hears_not(floor: Floor, listener: str, *speakers: str, beside: str) -> None:
    """While `beside` is heard on, the speakers are not."""
    before = {speaker: floor.ear(listener).ms(floor.voice(speaker)) for speaker in speakers}
    await floor.hears(listener, beside, ms=800)
    for speaker, before_ms in before.items():
        assert floor.ear(listener).ms(floor.voice(speaker)) <= before_ms + 100, f"{listener} hears {speaker}"


async def say(floor: Floor, *names: str, is_silent: bool = False) -> None:
    """Their tones on, or off: of more than three at once an ear tells none any more."""
    for name in names:
        await floor.phones[name].do("tone", tone_hz=0 if is_silent else floor.voice(name))


async def five_hear(floor: Floor) -> None:
    """All five hear all the others, in two rounds."""
    for silent in (("102", "103"), ("101", "guest")):
        await say(floor, *silent, is_silent=True)
        speakers = [name for name in ("customer", "101", "102", "103", "guest") if name not in silent]
        await floor.hear(*speakers)
        for name in silent:
            await floor.hears(name, *speakers)
        await say(floor, *silent)


async def all_ready(floor: Floor, *agents: str) -> None:
    for agent in agents:
        await floor.center.agent_is(agent, "ready")


async def test_four_and_then_five_talk_and_leave_one_by_one(floor: Floor, books: Ledger) -> None:
    """A colleague of another queue, then somebody outside. Who stays in the room hears nothing of what the agent asks outside it."""
    await floor.agent("103")
    guest = await floor.guest()
    customer = await conferring(floor)
    await out_with(floor, "103")
    await floor.center.agent_is("101", "consulting")
    await floor.hear("customer", "102")
    await hears_not(floor, "customer", "101", "103", beside="102")
    await hears_not(floor, "103", "customer", "102", beside="101")
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102", "103")
    shown = await command(floor.center, "conference", "list", "--json")
    assert [len(one["members"]) for one in shown.parsed if one["kind"] == "talk"] == [4]

    await out_with(floor, "guest", GUEST)
    await floor.hear("customer", "102", "103")
    await hears_not(floor, "customer", "101", "guest", beside="102")
    await floor.phones["101"].dtmf("*3")
    await five_hear(floor)

    await floor.phones["102"].hangup()
    await floor.hear("customer", "101", "103", "guest")
    await customer.hangup()
    await floor.hear("101", "103", "guest")
    await floor.phones["101"].hangup()
    await floor.hear("103", "guest")
    await floor.phones["103"].hangup()
    await guest.wait("ended")
    await all_ready(floor, "101", "102", "103")
    call = await story(books)
    assert [row[1:] for row in transfers(books, call)] == [
        ("consult", "102", "done"),
        ("consult", "103", "done"),
        ("consult", f"+34{GUEST}" if transfers(books, call)[-1][2].startswith("+") else GUEST, "done"),
    ]
    assert wrapped_up(books, call) == ["101", "102", "103"]
    assert (call["outcome"], call["ended_by"]) == ("answered", "customer")


async def test_the_agent_goes_back_without_the_newcomer(floor: Floor, books: Ledger) -> None:
    await floor.agent("103")
    customer = await conferring(floor)
    await out_with(floor, "103")
    await floor.phones["101"].dtmf("*9")
    await floor.phones["103"].wait("ended")
    await floor.hear("customer", "101", "102")
    await customer.hangup()
    await floor.hear("101", "102")
    await floor.phones["102"].hangup()
    await all_ready(floor, "101", "102", "103")
    call = await story(books)
    assert [row[2:] for row in transfers(books, call)] == [("102", "done"), ("103", "cancelled")]


@pytest.mark.parametrize("how", ["busy", "no answer", "hangs up"])
async def test_the_newcomer_does_not_come(floor: Floor, books: Ledger, how: str) -> None:
    fields = {"busy": {"answer_after_ms": 50, "answer_code": 486}, "no answer": {"answer_after_ms": None}, "hangs up": {}}
    await floor.agent("103", **fields[how])  # type: ignore[arg-type]
    customer = await conferring(floor)
    await floor.asks("101", "*2", "103")
    if how == "hangs up":
        await floor.hear("101", "103")
        await floor.phones["103"].hangup()
    await floor.is_told("101", "cc-consult-ended" if how == "hangs up" else "cc-transfer-failed")
    await floor.hear("customer", "101", "102")
    await customer.hangup()
    await floor.phones["102"].hangup()
    await all_ready(floor, "101", "102")
    await story(books)


@pytest.mark.parametrize("way", ["key", "hang-up"])
async def test_the_newcomer_takes_the_agents_place(floor: Floor, books: Ledger, way: str) -> None:
    await floor.agent("103")
    customer = await conferring(floor)
    await out_with(floor, "103")
    await (floor.phones["101"].dtmf("*1") if way == "key" else floor.phones["101"].hangup())
    await floor.hear("customer", "102", "103")
    await floor.phones["101"].wait("ended")
    await all_ready(floor, "101")
    await customer.hangup()
    await floor.hear("102", "103")
    await floor.phones["102"].hangup()
    await all_ready(floor, "102", "103")
    assert wrapped_up(books, await story(books)) == ["101", "102", "103"]


@pytest.mark.parametrize("stage", ["asked", "rings", "consults"])
async def test_the_colleague_leaves_meanwhile(floor: Floor, books: Ledger, stage: str) -> None:
    """The customer is not left in silence, and the agent has them as in any consultation."""
    await floor.agent("103", answer_after_ms=50 if stage == "consults" else None)
    customer = await conferring(floor)
    await floor.asks("101", "*2", "" if stage == "asked" else "103")
    if stage == "consults":
        await floor.hear("101", "103")
    await floor.phones["102"].hangup()
    await floor.hears("customer", "music")
    if stage == "consults":
        await floor.phones["101"].dtmf("*3")
        await floor.hear("customer", "101", "103")
    else:
        if stage == "asked":
            await floor.phones["101"].dtmf("#")
        await floor.hear("customer", "101")
    await customer.hangup()
    if stage == "consults":
        await floor.phones["103"].hangup()
    await all_ready(floor, "101", "102")
    await story(books)


@pytest.mark.parametrize("stage", ["asked", "rings", "consults"])
async def test_the_customer_leaves_meanwhile(floor: Floor, books: Ledger, stage: str) -> None:
    """Nobody is brought in any more; whoever is alone in the room is let out."""
    await floor.agent("103", answer_after_ms=50 if stage == "consults" else None)
    customer = await conferring(floor)
    await floor.asks("101", "*2", "" if stage == "asked" else "103")
    if stage == "rings":
        await floor.phones["103"].wait("incoming")
    elif stage == "consults":
        await floor.hear("101", "103")
    await customer.hangup()
    if stage != "asked":
        await floor.phones["103"].wait("ended")
    for agent in ("101", "102"):
        await floor.phones[agent].wait("ended")
    await all_ready(floor, "101", "102")
    call = await story(books)
    assert (call["ended_by"], wrapped_up(books, call)) == ("customer", ["101", "102"])


@pytest.mark.parametrize("stage", ["asked", "consults"])
async def test_the_daemon_is_killed_meanwhile(floor: Floor, books: Ledger, stage: str) -> None:
    """The room goes on, and so does whatever the agent is at."""
    books.may_repair = True
    await floor.agent("103")
    customer = await conferring(floor)
    await floor.asks("101", "*2", "" if stage == "asked" else "103")
    if stage == "consults":
        await floor.hear("101", "103")
    await floor.center.daemon.kill()
    await floor.hear("customer", "102")
    if stage == "asked":
        await floor.hears("101", "music")
        asked_ms = floor.ear("101").ms(PROMPTS_HZ["cc-consult-with"])
    await floor.center.restart()
    if stage == "asked":
        await floor.is_told("101", "cc-consult-with", asked_ms + 100)
        await floor.phones["101"].dtmf("103#")
        await floor.hear("101", "103")
    await floor.hear("customer", "102")
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102", "103")
    await customer.hangup()
    await floor.phones["101"].hangup()
    await floor.phones["102"].hangup()
    await all_ready(floor, "101", "102", "103")
    await story(books)


async def test_each_side_is_recorded_by_itself_however_many_talk(floor: Floor, books: Ledger) -> None:
    """Left the customer and nobody else, right all the others; what the agent says outside the room is in neither."""
    await floor.agent("103")
    guest = await floor.guest()
    customer = await conferring(floor)
    await out_with(floor, "103")
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102", "103")
    await out_with(floor, "guest", GUEST)
    await floor.phones["101"].dtmf("*3")
    await five_hear(floor)
    await customer.hangup()
    await guest.hangup()
    for agent in ("101", "102"):
        await floor.phones[agent].hangup()
    await all_ready(floor, "101", "102", "103")
    call = await story(books)
    whole = await recording_of(floor.center, call["interaction"])
    tones = {"customer": CALLER_HZ, "guest": GUEST_HZ, **VOICES}
    left, right = (audio.heard(whole, tones.values(), side) for side in (0, 1))
    assert audio.total_ms(left[CALLER_HZ]) >= 1000
    for name in ("101", "102", "103", "guest"):
        assert audio.total_ms(left[tones[name]]) == 0, f"{name} on the customer's side"
        assert audio.total_ms(right[tones[name]]) >= 300, f"{name} on the agents' side"
    assert audio.total_ms(right[CALLER_HZ]) == 0

"""What agents type in a talk besides transfers, and the handovers of an agent on a headset, whose line stays through all of them."""

import itertools
from pathlib import Path

import pytest
from harness.archive import recording_of
from harness.center import Center
from harness.floor import Floor, FloorSite, story, talked, transfers, wrapped_up
from harness.ledger import Ledger, Row
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

SUPPORT = "902"


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> FloorSite:
    """Support is recorded on demand only."""
    queues = {"support": {"record": False}}
    return FloorSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=queues)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


def marks(floor: Floor, call: Row) -> list[str]:
    """What was marked in a call, in order."""
    rows = floor.center.rows("SELECT * FROM marks WHERE interaction = ? ORDER BY at", call["interaction"])
    return [row["what"] for row in rows]


async def test_a_recording_is_begun_and_paused_by_key(floor: Floor, books: Ledger) -> None:
    agent = await floor.agent("103")
    customer = await floor.customer(SUPPORT)
    await floor.hear("customer", "103")
    await agent.dtmf("*4")
    await floor.hears("customer", "103", ms=800)
    await agent.dtmf("*5")
    await floor.hears("customer", "103", ms=1500)
    await agent.dtmf("*5")
    await floor.hears("customer", "103", ms=800)
    await customer.hangup()
    call = await story(books)
    (recording,) = books.of("recordings", call)
    talk_s = next(row["duration_s"] for row in books.of("segments", call) if row["kind"] == "talk")
    assert recording["duration_s"] < talk_s
    file = await recording_of(floor.center, call["interaction"])
    rate, sides = audio.read(file)
    assert len(sides[0]) / rate >= 2.5, "the gap is silence: the length stays"
    for channel, voice in enumerate(("customer", "103")):
        spans = audio.heard(file, [floor.voice(voice)], channel)[floor.voice(voice)]
        silent_ms = max(after.start_ms - before.end_ms for before, after in itertools.pairwise(spans))
        assert silent_ms >= 1000, (voice, spans)
    assert marks(floor, call) == ["record"]


async def test_help_and_a_malicious_call_are_marked_and_told_at_once(floor: Floor, books: Ledger) -> None:
    customer = await floor.talk()
    for key, what, notice in (("*6", "help", "help_wanted"), ("*7", "malicious", "malicious")):
        await floor.phones["101"].dtmf(key)
        told = await floor.center.row(f"SELECT * FROM notices WHERE kind = '{notice}' AND agent = '101'")
        assert told["caller_number"] == "+34911222333", what
    await floor.hear("customer", "101")
    await customer.hangup()
    assert marks(floor, await story(books)) == ["help", "malicious"]


# --- on a headset -------------------------------------------------------------------------------------------------------
async def on_a_headset(floor: Floor) -> Phone:
    """101, logged in at the desk, dials the code: the call that stays is the agent's line."""
    phone = await floor.agent("101")
    await phone.call("*18")
    await phone.wait("up")

    async def is_connected() -> bool:
        shown = await floor.center.overview()
        agent = next(one for one in shown["agents"] if one["id"] == "101")
        return (agent["mode"], agent["state"]) == ("headset", "ready")

    await until(is_connected, what="101 is on a headset and ready")
    return phone


async def talking(floor: Floor) -> tuple[Phone, Phone]:
    """The headset and the customer, who hear each other; 102 is at a desk."""
    headset = await on_a_headset(floor)
    customer = await floor.customer()
    await floor.hear("customer", "101")
    await floor.agent("102")
    return headset, customer


async def all_over(floor: Floor, headset: Phone) -> None:
    """101 is ready on the same line, which never rang and never ended."""
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    assert not headset.has("incoming") and not headset.has("ended")
    await headset.hangup()


async def test_a_headset_consults_and_hands_over(floor: Floor, books: Ledger) -> None:
    headset, customer = await talking(floor)
    await floor.asks("101", "*2", "102")
    await floor.hear("101", "102")
    await floor.hears("customer", "music")
    await headset.dtmf("*1")
    await floor.hear("customer", "102")
    await floor.center.agent_is("101", "ready")
    await customer.hangup()
    await all_over(floor, headset)
    call = await story(books)
    assert transfers(books, call) == [("101", "consult", "102", "done")]
    assert (talked(books, call), wrapped_up(books, call)) == (["101", "102"], ["101", "102"])


async def test_a_headset_consults_and_goes_back(floor: Floor, books: Ledger) -> None:
    headset, customer = await talking(floor)
    await floor.asks("101", "*2", "102")
    await floor.hear("101", "102")
    await headset.dtmf("*9")
    await floor.hear("customer", "101")
    await customer.hangup()
    await all_over(floor, headset)
    call = await story(books)
    assert transfers(books, call) == [("101", "consult", "102", "cancelled")]
    assert wrapped_up(books, call) == ["101"]


async def test_a_headset_passes_a_call_on(floor: Floor, books: Ledger) -> None:
    headset, customer = await talking(floor)
    await floor.asks("101", "*1", "102")
    await floor.hear("customer", "102")
    await floor.center.agent_is("101", "ready")
    await customer.hangup()
    await all_over(floor, headset)
    call = await story(books)
    assert transfers(books, call) == [("101", "blind", "102", "done")]
    assert wrapped_up(books, call) == ["101", "102"]


async def test_a_headset_confers(floor: Floor, books: Ledger) -> None:
    headset, customer = await talking(floor)
    await floor.asks("101", "*2", "102")
    await floor.hear("101", "102")
    await headset.dtmf("*3")
    await floor.hear("customer", "101", "102")
    await floor.phones["102"].hangup()
    await floor.hear("customer", "101")
    await customer.hangup()
    await all_over(floor, headset)
    assert wrapped_up(books, await story(books)) == ["101", "102"]

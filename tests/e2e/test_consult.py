"""Consultations on a real Asterisk, by the keys of a desk phone: who hears whom in every stage, and where everybody ends."""

from pathlib import Path

import pytest
from harness.center import Center
from harness.floor import GUEST, PREMIUM, SUPPORT_NUMBER, Floor, FloorSite, story, talked, transfers, wrapped_up
from harness.ledger import Ledger

from ccserver.lab.phones import PhoneProcess


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> FloorSite:
    return FloorSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def test_the_agent_asks_a_colleague_and_comes_back(floor: Floor, books: Ledger) -> None:
    await floor.agent("102")
    customer = await floor.talk()
    await floor.asks("101", "*2")
    await floor.hears("customer", "music")
    await floor.phones["101"].dtmf("102#")
    await floor.hear("101", "102")
    await floor.hears("customer", "music")
    await floor.center.agent_is("101", "consulting")
    await floor.phones["101"].dtmf("*9")
    await floor.hear("101", "customer")
    await floor.phones["102"].wait("ended")
    await floor.center.agent_is("102", "ready")
    await customer.hangup()
    call = await story(books)
    assert floor.ear("customer").ms(floor.voice("102")) == 0, "the customer does not hear what the agents say"
    assert transfers(books, call) == [("101", "consult", "102", "cancelled")]
    assert (call["outcome"], call["agent"]) == ("answered", "101")
    assert wrapped_up(books, call) == ["101"]


@pytest.mark.parametrize("way", ["key", "hang-up"])
async def test_the_colleague_takes_the_customer_over(floor: Floor, books: Ledger, way: str) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    if way == "key":
        await floor.phones["101"].dtmf("*1")
    else:
        await floor.phones["101"].hangup()
    await floor.hear("customer", "102")
    await floor.center.agent_is("102", "talking")
    await floor.phones["101"].wait("ended")
    await floor.center.agent_is("101", "ready")
    await customer.hangup()
    await floor.center.agent_is("102", "ready")
    call = await story(books)
    assert transfers(books, call) == [("101", "consult", "102", "done")]
    assert talked(books, call) == ["101", "102"]
    assert (call["outcome"], call["agent"]) == ("answered", "102")
    assert wrapped_up(books, call) == ["101", "102"]


async def test_a_queue_is_consulted_and_takes_over(floor: Floor, books: Ledger) -> None:
    await floor.agent("103")
    customer = await floor.consulting("103", SUPPORT_NUMBER)
    await floor.phones["101"].dtmf("*1")
    await floor.hear("customer", "103")
    await customer.hangup()
    call = await story(books)
    assert transfers(books, call) == [("101", "consult", "support", "done")]
    assert wrapped_up(books, call) == ["101", "103"]


async def test_somebody_outside_is_consulted_and_takes_over(floor: Floor, books: Ledger) -> None:
    guest = await floor.guest()
    customer = await floor.consulting("guest", GUEST)
    await floor.hears("customer", "music")
    await floor.phones["101"].dtmf("*1")
    await floor.hear("customer", "guest")
    await floor.center.agent_is("101", "ready")
    await guest.hangup()
    await customer.wait("ended")
    call = await story(books)
    assert [row[3] for row in transfers(books, call)] == ["done"]
    assert wrapped_up(books, call) == ["101"]


async def test_back_from_somebody_outside(floor: Floor, books: Ledger) -> None:
    guest = await floor.guest()
    customer = await floor.consulting("guest", GUEST)
    await floor.phones["101"].dtmf("*9")
    await floor.hear("customer", "101")
    await guest.wait("ended")
    await customer.hangup()
    assert transfers(books, await story(books))[0][3] == "cancelled"


async def test_a_colleague_who_hangs_up_leaves_the_agent_with_the_customer(floor: Floor, books: Ledger) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    await floor.phones["102"].hangup()
    await floor.is_told("101", "cc-consult-ended")
    await floor.hear("customer", "101")
    await customer.hangup()
    call = await story(books)
    assert transfers(books, call)[0][3] == "cancelled"
    assert talked(books, call) == ["101"] * len(talked(books, call))


@pytest.mark.parametrize("how", ["rejects", "does not answer"])
async def test_a_colleague_who_does_not_come(floor: Floor, books: Ledger, how: str) -> None:
    await floor.agent("102", answer_after_ms=None, answer_code=603 if how == "rejects" else 200)
    customer = await floor.talk()
    # Sales offers 101 or 102: the customer is 101's, the one who answers.
    await floor.asks("101", "*2", "102")
    await floor.is_told("101", "cc-transfer-failed")
    await floor.hear("customer", "101")
    await customer.hangup()
    await story(books)


@pytest.mark.parametrize(
    ("number", "prompt"),
    [
        ("777", "cc-transfer-unknown"),
        (PREMIUM, "cc-transfer-refused"),
        ("103", "cc-transfer-not-there"),
        ("101", "cc-transfer-self"),
    ],
)
async def test_a_number_that_cannot_be_asked(floor: Floor, books: Ledger, number: str, prompt: str) -> None:
    guest = await floor.guest()
    customer = await floor.talk()
    await floor.asks("101", "*2", number)
    await floor.is_told("101", prompt)
    await floor.hear("customer", "101")
    assert not guest.has("incoming")
    await customer.hangup()
    assert transfers(books, await story(books)) == [("101", "consult", number, "refused")]


@pytest.mark.parametrize("stage", ["asked", "rings", "consults"])
async def test_the_customer_does_not_wait_for_the_end(floor: Floor, books: Ledger, stage: str) -> None:
    """The agent is told nothing more, and wraps up; the colleague is let go."""
    await floor.agent("102", answer_after_ms=50 if stage == "consults" else None)
    await floor.center.ask("agent.pause", agent="102", reason="lunch")
    customer = await floor.talk()
    await floor.center.ask("agent.unpause", agent="102")
    await floor.asks("101", "*2", "" if stage == "asked" else "102")
    if stage == "rings":
        await floor.phones["102"].wait("incoming")
    elif stage == "consults":
        await floor.hear("101", "102")
    await customer.hangup()
    if stage != "asked":
        await floor.phones["102"].wait("ended")
    await floor.phones["101"].wait("ended")
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    call = await story(books)
    assert (call["outcome"], call["ended_by"]) == ("answered", "customer")
    assert wrapped_up(books, call) == ["101"]

"""Three in one room, errands in a flow, keys of a talk, broken lines and a killed daemon in the middle of a handover."""

import dataclasses
from pathlib import Path

import pytest
from harness.center import PROMPTS_HZ, Center
from harness.floor import PAY_CODE, Floor, FloorSite, story, talked, transfers, wrapped_up
from harness.ledger import Ledger

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.phones import PhoneProcess


@pytest.fixture(scope="module")
def site_values(site_values: AsteriskValues) -> AsteriskValues:
    return dataclasses.replace(site_values, rtp_timeout_s=3)


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> FloorSite:
    return FloorSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


@pytest.mark.parametrize("first", ["101", "102", "customer"])
async def test_three_confer_and_whoever_leaves_the_rest_stays(floor: Floor, books: Ledger, first: str) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102")
    await floor.phones[first].hangup()
    if first == "customer":
        await floor.hear("101", "102")
        await floor.phones["102"].hangup()
    else:
        await floor.hear("customer", "102" if first == "101" else "101")
        await customer.hangup()
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    call = await story(books)
    assert transfers(books, call) == [("101", "consult", "102", "done")]
    assert sorted(set(talked(books, call))) == ["101", "102"]
    assert wrapped_up(books, call) == ["101", "102"]


async def test_the_customer_walks_a_flow_and_comes_back_with_its_result(floor: Floor, books: Ledger) -> None:
    customer = await floor.talk()
    await floor.phones["101"].dtmf(f"*8{PAY_CODE}#")
    await floor.is_told("customer", "pay", 100)
    await floor.hears("101", "music")
    await customer.dtmf("1")
    await floor.is_told("101", "paid")
    await floor.hear("customer", "101")
    assert floor.ear("101").ms(PROMPTS_HZ["pay"]) == 0
    await customer.hangup()
    assert wrapped_up(books, await story(books)) == ["101"]


async def test_a_customer_who_leaves_in_the_flow_leaves_the_agent_free(floor: Floor, books: Ledger) -> None:
    customer = await floor.talk()
    await floor.phones["101"].dtmf(f"*8{PAY_CODE}#")
    await floor.is_told("customer", "pay", 100)
    await customer.hangup()
    await floor.phones["101"].wait("ended")
    await floor.center.agent_is("101", "ready")
    call = await story(books)
    assert (call["outcome"], call["ended_by"], wrapped_up(books, call)) == ("answered", "customer", ["101"])


async def test_the_agent_lets_the_customer_go_by_a_key(floor: Floor, books: Ledger) -> None:
    customer = await floor.talk()
    await floor.phones["101"].dtmf("*0")
    await customer.wait("ended")
    await floor.center.agent_is("101", "ready")
    call = await story(books)
    assert (call["ended_by"], wrapped_up(books, call)) == ("agent", ["101"])


@pytest.mark.parametrize("stage", ["asked", "rings", "consults"])
async def test_the_agents_line_breaks(floor: Floor, books: Ledger, stage: str) -> None:
    """No BYE: Asterisk finds out. The customer goes to whoever talks with the agent, else to the head of the queue."""
    lost = await PhoneProcess.start()
    await floor.agent("101", lost)
    customer = await floor.talk()
    await floor.agent("102", answer_after_ms=50 if stage == "consults" else None)
    await floor.asks("101", "*2", "" if stage == "asked" else "102")
    if stage == "rings":
        await floor.phones["102"].wait("incoming")
    elif stage == "consults":
        await floor.hear("101", "102")
    await lost.vanish()
    if stage == "consults":
        await floor.phones["102"].wait("up")
    else:
        await floor.center.agent_is("101", "unreachable")
        await floor.phones["102"].wait("incoming")
        await floor.phones["102"].answer()
    await floor.ear("customer").hears(floor.voice("102"), ms=300)
    await customer.hangup()
    assert (await story(books))["agent"] == "102"


async def test_the_daemon_is_killed_while_the_agent_is_asked_whom_to_consult(floor: Floor, books: Ledger) -> None:
    """The agent hears music while the daemon is away, and is asked again; the customer hears music throughout."""
    books.may_repair = True
    await floor.agent("102")
    customer = await floor.talk()
    await floor.asks("101", "*2")
    await floor.center.daemon.kill()
    await floor.hears("101", "music")  # so the first question is over
    asked_ms = floor.ear("101").ms(PROMPTS_HZ["cc-consult-with"])
    await floor.center.restart()
    await floor.is_told("101", "cc-consult-with", asked_ms + 100)
    await floor.phones["101"].dtmf("102#")
    await floor.hear("101", "102")
    await floor.hears("customer", "music")
    await floor.phones["101"].dtmf("*9")
    await floor.hear("customer", "101")
    await customer.hangup()
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    assert wrapped_up(books, await story(books)) == ["101"]


async def test_the_daemon_is_killed_while_the_agent_consults(floor: Floor, books: Ledger) -> None:
    """The phones go on: who consulted goes on, and comes back to the customer by the key."""
    books.may_repair = True
    await floor.agent("102")
    customer = await floor.talk()
    await floor.asks("101", "*2", "102")
    await floor.hear("101", "102")
    await floor.center.daemon.kill()
    await floor.center.restart()
    await floor.hear("101", "102")
    await floor.hears("customer", "music")
    await floor.phones["101"].dtmf("*9")
    await floor.hear("customer", "101")
    await customer.hangup()
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    assert wrapped_up(books, await story(books)) == ["101"]

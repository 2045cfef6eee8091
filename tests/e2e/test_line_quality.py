"""How good the lines of a real call were: a line that loses packets is told from a good one, with the call, and without the daemon."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.archive import files_of
from harness.center import CALLER_HZ, Center
from harness.cli import both, in_json
from harness.floor import Floor, FloorSite, story
from harness.ledger import Ledger, Row
from harness.lossy_phone import LossyPhone
from harness.observer import Observer
from harness.waiting import until

from ccserver.lab.phones import PhoneProcess

TALK_S = 11.0
"""Two of Asterisk's reports, which come every 5 s, and a part."""
LOSS = 0.1


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> FloorSite:
    return FloorSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


@pytest.fixture
def lines() -> Iterator[list[LossyPhone]]:
    """The customers of a test, closed after it."""
    made: list[LossyPhone] = []
    yield made
    for phone in made:
        phone.close()


async def talk(floor: Floor, lines: list[LossyPhone], loss: float = 0.0, loss_back: float = 0.0) -> LossyPhone:
    """A customer with such a line, who talks with 101 for so long that it can be judged."""
    phone = await LossyPhone.open("127.0.0.2", hz=CALLER_HZ, loss=loss, loss_back=loss_back)
    lines.append(phone)
    await phone.call("901")
    await floor.center.agent_is("101", "talking")
    await until(lambda: phone.sent + phone.lost >= TALK_S * 50, 3 * TALK_S, what="a talk of some seconds")
    return phone


def quality(center: Center, call: Row) -> dict[str, Row]:
    """By side."""
    rows = center.rows("SELECT * FROM leg_quality WHERE interaction=?", call["interaction"])
    assert len({row["side"] for row in rows}) == len(rows), rows
    return {row["side"]: row for row in rows}


async def test_a_line_that_loses_packets_is_told_from_a_good_one(
    floor: Floor, books: Ledger, center: Center, lines: list[LossyPhone]
) -> None:
    await floor.agent("101")
    for loss, loss_back in ((0.0, 0.0), (LOSS, 0.0), (0.0, LOSS)):
        phone = await talk(floor, lines, loss, loss_back)
        await phone.hang_up()
        await center.agent_is("101", "ready")
    await center.quiet()
    good, bad_there, bad_back = (quality(center, call) for call in books.calls())
    for each in (good, bad_there, bad_back):
        assert set(each) == {"customer", "agent"} and each["agent"]["agent"] == "101"
        assert each["agent"]["mos"] > 4.2 and each["agent"]["received_lost"] == 0, "the agent's line is a good one"
        assert each["customer"]["codec"] == "ulaw" and each["customer"]["received"] >= TALK_S * 50 * (1 - 2 * LOSS)
        assert 0 < each["customer"]["rtt_ms"] < 1000
    assert good["customer"]["received_lost"] == good["customer"]["sent_lost"] == 0 and good["customer"]["mos"] > 4.2
    # The last report was up to 5 s before the end: what was lost after it is not counted.
    sent = bad_there["customer"]["received"] + bad_there["customer"]["received_lost"]
    assert LOSS / 3 < bad_there["customer"]["received_lost"] / sent < 1.5 * LOSS
    assert bad_there["customer"]["sent_lost"] == 0
    sent = bad_back["customer"]["sent"] + bad_back["customer"]["sent_lost"]
    assert LOSS / 3 < bad_back["customer"]["sent_lost"] / sent < 1.5 * LOSS
    assert bad_back["customer"]["received_lost"] == 0
    for bad in (bad_there, bad_back):
        assert bad["customer"]["mos"] < good["customer"]["mos"] - 0.3
    worst = books.calls()[1]["interaction"]
    for call in books.calls():
        await files_of(center, call["interaction"])
    text, parsed = await both(center, "call", "show", str(worst))
    assert "line of customer: MOS" in text and "line of 101: MOS 4." in text
    assert {line["side"] for line in parsed["lines"]} == {"customer", "agent"}
    found = await in_json(center, "recording", "search", "--mos-at-most", "4.1")
    assert sorted(one["file"]["interaction"] for one in found.parsed) == [call["interaction"] for call in books.calls()[1:]]
    shown = await center.metrics()
    assert shown['ccserver_leg_mos_count{side="customer"}'] == shown['ccserver_leg_mos_count{side="agent"}'] == 3
    assert shown['ccserver_leg_mos_bucket{le="4.0",side="agent"}'] == 0


async def test_asterisk_tells_it_whoever_hangs_up_and_without_the_daemon(
    floor: Floor, books: Ledger, center: Center, ami: Observer, lines: list[LossyPhone]
) -> None:
    books.may_repair = True
    await floor.agent("101")
    phone = await talk(floor, lines)
    await center.daemon.kill()
    await floor.phones["101"].hangup()
    told = await ami.wait("UserEvent", UserEvent="CCQuality")
    assert "rxcount=" in told["RTCP"] and told["Channel"].startswith("PJSIP/1001-")
    await phone.hang_up()
    told = await ami.wait("UserEvent", UserEvent="CCQuality")
    assert told["Channel"].startswith("PJSIP/carrier-")
    await center.restart()


async def test_a_transferred_customer_has_one_line_and_each_agent_another(
    floor: Floor, books: Ledger, center: Center, lines: list[LossyPhone]
) -> None:
    await floor.agent("101")
    await floor.agent("102")
    phone = await talk(floor, lines)
    await floor.asks("101", "*1", "102")
    await center.agent_is("102", "talking")
    await asyncio.wait_for(floor.ear("102").hears(CALLER_HZ, ms=6000), 20)
    await phone.hang_up()
    call = await story(books)
    rows = center.rows("SELECT * FROM leg_quality WHERE interaction=? ORDER BY at", call["interaction"])
    assert [(row["side"], row["agent"]) for row in rows][:1] == [("agent", "101")]
    assert sorted((row["side"], row["agent"] or "") for row in rows) == [("agent", "101"), ("agent", "102"), ("customer", "")]

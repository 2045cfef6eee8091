"""kill -9 of Asterisk in the middle of a campaign: no lead is called twice, nothing is repeated blindly, and the dialling goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.calls import log_in
from harness.campaigns import end_all, import_leads, leads_of, settled, site_that_calls, start, stop
from harness.carrier import Carrier
from harness.center import AGENT_HZ, Center, Site
from harness.waiting import until

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.carrier import Callee
from ccserver.lab.phones import PhoneProcess

CAMPAIGNS = {
    "alone": {"mode": "progressive", "ring_s": 30},
    "both": {"mode": "progressive", "ring_s": 30},
    "ahead": {"mode": "power", "ring_s": 30, "safe_harbour": "who-called", "retry": {"unknown": {"after_s": 2, "tries": 2}}},
}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_that_calls(tmp_path_factory.mktemp("site"), shared_directory, CAMPAIGNS)


@pytest.fixture(autouse=True)
def ended(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    yield
    runner.run(end_all(center))


def uptime_s(pbx: Asterisk) -> int:
    return int(pbx.cli("core show uptime seconds").split("System uptime:")[1].split()[0])


async def in_trouble(center: Center) -> None:
    async def look() -> bool:
        return (await center.ask("status"))["trouble"] is not None

    await until(look, what="a daemon that says that the link is lost")


async def kill(center: Center, pbx: Asterisk, doomed: PhoneProcess, network: Asterisk, *, is_daemon_killed: bool) -> None:
    """It dies, its phones with it, and is started again. The network notices by itself, later; here at once."""
    await until(lambda: uptime_s(pbx) >= 5, what="an older Asterisk: a younger one is not told apart from the one after it")
    pbx.kill()
    if is_daemon_killed:
        await center.daemon.kill()
    else:
        await in_trouble(center)
    await doomed.vanish()
    network.cli("channel request hangup all")
    pbx.start()
    if is_daemon_killed:
        await center.restart()
    await center.serving()


@pytest.mark.parametrize("campaign", ["alone", "both"])
async def test_one_talks_one_rings_one_is_claimed_and_asterisk_dies(
    center: Center, pbx: Asterisk, network: Asterisk, carrier: Carrier, campaign: str
) -> None:
    begin = "+34911500" if campaign == "alone" else "+34911501"
    talks, rings, waits = (
        Callee.HUMAN.number(f"{begin}0"),
        Callee.NO_ANSWER.number(f"{begin}1"),
        Callee.HUMAN.number(f"{begin}2"),
    )
    doomed = await PhoneProcess.start()
    await center.agent(doomed, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await import_leads(center, campaign, [talks])
    await start(center, campaign)
    met = await carrier.call_to(talks, 15)
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await import_leads(center, campaign, [rings, waits])
    await log_in(center, doomed, "106", answer_after_ms=50)
    await carrier.call_to(rings, 15)
    assert [lead["state"] for lead in leads_of(center, campaign)] == ["claimed"] * 3

    await kill(center, pbx, doomed, network, is_daemon_killed=campaign == "both")
    await center.quiet()
    rows = await settled(center, campaign, 2, deadline_s=30)
    outcomes = {row["number"]: row["outcome"] for row in rows}
    assert outcomes[talks] == "answered" and outcomes[rings] == "unknown", rows
    (lost,) = center.rows("SELECT outcome, ended_by FROM interactions WHERE caller_number = ?", talks)
    assert (lost["outcome"], lost["ended_by"]) == ("lost", "pbx")

    async with await PhoneProcess.start() as phones:
        await log_in(center, phones, "105", answer_after_ms=50, tone_hz=AGENT_HZ)
        met = await carrier.call_to(waits, 40)
        await center.agent_is("105", "talking", 15)
        await met.heard.hears(AGENT_HZ)
        await stop(center, campaign)
        await end_all(center)
        rows = await settled(center, campaign, 3)
    assert [call.number for call in carrier.calls] == [talks, rings, waits], "nobody is called twice"
    assert {row["number"]: row["outcome"] for row in rows}[waits] == "answered"
    assert [lead["tries"] for lead in leads_of(center, campaign)] == [1, 1, 1]


async def test_what_nobody_knows_is_tried_again_by_rule_and_not_before(
    center: Center, pbx: Asterisk, network: Asterisk, carrier: Carrier
) -> None:
    """Power: the agent was kept for a phone that rang; the rule for unknown outcomes allows one more try, after its time."""
    number = Callee.SLOW_HUMAN.number("+349115055")
    doomed = await PhoneProcess.start()
    await center.agent(doomed, "105", number="1005", answer_after_ms=50)
    await import_leads(center, "ahead", [number])
    await start(center, "ahead")
    await until(lambda: uptime_s(pbx) >= 5, what="an older Asterisk")
    await carrier.call_to(number, 15)
    await kill(center, pbx, doomed, network, is_daemon_killed=False)
    (row,) = await settled(center, "ahead", deadline_s=30)
    assert row["outcome"] == "unknown"
    async with await PhoneProcess.start() as phones:
        await log_in(center, phones, "105", answer_after_ms=50, tone_hz=AGENT_HZ)
        met = await carrier.call_to(number, 40)
        await center.agent_is("105", "talking", 15)
        await met.heard.hears(AGENT_HZ)
        await stop(center, "ahead")
        await end_all(center)
        rows = await settled(center, "ahead", 2)
    assert [row["outcome"] for row in rows] == ["unknown", "answered"] and len(carrier.calls) == 2
    shown = await center.ask("campaign.show", campaign="ahead")
    assert shown["account"]["tally"]["abandoned"] == 0

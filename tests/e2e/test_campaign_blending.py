"""One agent for callers and for a campaign: whoever calls goes first, and by the service level the agent is lent to it and comes back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.calls import call, waits_for
from harness.campaigns import end_all, hang_up_all, hang_up_call_to, import_leads, settled, site_that_calls, start, stop
from harness.carrier import Carrier
from harness.center import AGENT_HZ, Center, Site
from harness.cli import here
from harness.waiting import until

from ccserver.lab.carrier import Callee
from ccserver.lab.phones import PhoneProcess

LEVEL_S = 1
CAMPAIGNS = {"blended": {"mode": "progressive", "queue": "calls", "inbound_level_percent": 30}}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    queues = {"calls": {"name": "Calls"}, "sales": {"service_level_s": LEVEL_S}}
    whole = Site(directory=directory, shared=shared_directory, queues=queues).settings()
    return site_that_calls(directory, shared_directory, CAMPAIGNS, queues=whole["queues"], flows=whole["flows"])


@pytest.fixture(autouse=True)
def ended(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    yield
    runner.run(end_all(center))


async def test_an_agent_is_lent_to_the_campaign_while_callers_are_answered_in_time(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    lost, found = Callee.HUMAN.number("+349116000"), Callee.HUMAN.number("+349116001")
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await center.ask("agent.pause", agent="105", reason="lunch")
    impatient = [await call(center, phones, name=f"impatient{n}", number=f"+3491122244{n}") for n in range(4)]
    await until(lambda: waits_for(center, "sales", LEVEL_S + 0.5), what="callers who have waited too long")
    for caller in impatient:
        await caller.hangup()
    await center.waiting("sales", 0)
    await center.quiet()

    await import_leads(center, "blended", [lost, found])
    await center.ask("agent.unpause", agent="105")
    await start(center, "blended")
    await until(lambda: center.rows("SELECT 1 FROM leads WHERE state = 'claimed'"), what="leads that are claimed")
    told = await here(center, "campaign", "explain", "blended")
    assert "is needed in queue sales, where 0% were answered in time of late" in told.out, told.out
    assert await center.agent_state("105") == "ready" and not carrier.calls

    # Callers who are answered at once: with the second it is a third of those of late, and more, since older ones weigh less.
    for place in range(2):
        caller = await call(center, phones, name=f"served{place}", number=f"+3491122255{place}")
        await center.agent_is("105", "talking", 15)
        await caller.hangup()
        await caller.wait("ended")
        await center.row("SELECT count(*) AS n FROM queue_visits HAVING n = ?", 5 + place)
        if place == 0:
            await center.agent_is("105", "ready", 15)
            assert not carrier.calls
    met = await carrier.call_to(lost, 15)
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)

    # A caller who comes meanwhile goes first; then the campaign goes on.
    caller = await call(center, phones, name="comes", number="+34911222666")
    await center.waiting("sales", 1)
    await hang_up_call_to(center, lost)
    await carrier.ended(met)
    await center.waiting("sales", 0, 15)
    await center.agent_is("105", "talking", 15)
    assert len(carrier.calls) == 1, "the caller was first"
    await caller.hangup()
    await carrier.call_to(found, 20)
    await center.agent_is("105", "talking", 15)
    await stop(center, "blended")
    await hang_up_all(center)
    rows = await settled(center, "blended", 2)
    assert {row["outcome"] for row in rows} == {"answered"}
    await center.quiet()

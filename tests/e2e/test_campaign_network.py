"""Campaigns and the network: trunks by prefix, dead ones, and callees who answer late, or silently, or never."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness.calls import heard
from harness.campaigns import (
    attempts,
    end_all,
    hang_up_all,
    import_leads,
    leads_of,
    settled,
    site_that_calls,
    start,
    stop,
)
from harness.carrier import Carrier
from harness.center import AGENT_HZ, Center, Site
from harness.cli import here
from harness.edges import Ear
from harness.waiting import until

from ccserver.lab.carrier import HUMAN_HZ, RINGBACK_HZ, RINGBACK_MS, Callee
from ccserver.lab.phones import PhoneProcess

MADRID, BARCELONA = "+3491140", "+3493140"
CAMPAIGNS = {
    "by_prefix": {"mode": "progressive", "trunks": ["madrid", "barcelona"]},
    "patient": {"mode": "progressive", "ring_s": 15},
    "early": {"mode": "progressive"},
    "listens": {"mode": "progressive", "amd": "on"},
    "does_not": {"mode": "progressive"},
}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    found = site_that_calls(tmp_path_factory.mktemp("site"), shared_directory, CAMPAIGNS)
    by_prefix = {
        "madrid": {"endpoint": "carrier", "calls_per_second": 50, "prefixes": ["+3491"]},
        "barcelona": {"endpoint": "carrier2", "calls_per_second": 50, "prefixes": ["+3493"]},
    }
    found.more = {**found.more, "trunks": {**found.more["trunks"], **by_prefix}}
    return found


@pytest.fixture(autouse=True)
def ended(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    yield
    runner.run(end_all(center))


async def obstacles(center: Center, campaign: str) -> list[tuple[str, str, str]]:
    told = await center.ask("campaign.explain", campaign=campaign)
    return [(each["cause"], each["text"], each["mend"]) for each in told["obstacles"]]


def rang_s(row: dict[str, Any]) -> float:
    """From the dial to the answer, as the attempt's record has it."""
    return (datetime.fromisoformat(row["answered_at"]) - datetime.fromisoformat(row["placed_at"])).total_seconds()


# --- trunks -------------------------------------------------------------------------------------------------------------
@pytest.mark.deadline(150)
async def test_a_dead_trunk_burns_no_lead_and_holds_up_nobody_whose_number_leads_elsewhere(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    """One of two trunks dies. Five calls in a row find that out; what is left of its leads waits, and those of the other are called."""
    over_dead = [Callee.HUMAN.number(f"{MADRID}{place:02d}") for place in range(7)]
    over_other = Callee.HUMAN.number(f"{BARCELONA}00")
    await carrier.set_down("carrier", is_down=True)
    await import_leads(center, "by_prefix", [*over_dead, over_other])
    agent = await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "by_prefix")
    met = await carrier.call_to(over_other, 60)
    assert met.line == "carrier2"
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)

    refused = [call for call in carrier.calls if call.number != over_other]
    assert len(refused) == 5 and {call.line for call in refused} == {"carrier"}
    leads = leads_of(center, "by_prefix")
    assert [lead["tries"] for lead in leads[:7]] == [0] * 7, "no lead has used up a try"
    assert {row["outcome"] for row in attempts(center, "by_prefix") if row["number"] != over_other} == {"not_placed"}
    ((_, text, mend),) = [each for each in await obstacles(center, "by_prefix") if each[0] == "trunks"]
    assert "to 2 of the 2 leads" in text and "madrid: taken for dead" in text and "5 calls in a row failed" in text
    assert mend == "ask the carrier; then ccserver campaign trunk retry madrid"
    metrics = await center.metrics()
    assert metrics['ccserver_trunk_works{trunk="madrid"}'] == 0 and metrics['ccserver_trunk_works{trunk="barcelona"}'] == 1
    assert metrics['ccserver_trunk_events_total{state="down",trunk="madrid"}'] == 1

    await carrier.set_down("carrier", is_down=False)
    assert (await here(center, "campaign", "trunk", "retry", "madrid")).code == 0
    before = agent.count("incoming")
    await hang_up_all(center)
    met = await carrier.call(lambda call: call.number in over_dead and call.at_s > met.at_s, 15)
    assert agent.count("incoming") == before + 1
    await center.agent_is("105", "talking", 15)
    await until(lambda: _works(center, "madrid"), what="a trunk that is told to work again")
    assert not [each for each in await obstacles(center, "by_prefix") if each[0] == "trunks"]


async def _works(center: Center, trunk: str) -> bool:
    return (await center.metrics())[f'ccserver_trunk_works{{trunk="{trunk}"}}'] == 1


# --- callees ------------------------------------------------------------------------------------------------------------
async def test_nobody_is_rung_for_less_than_was_said(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    """Fifteen seconds are what the law of some countries asks for at least."""
    number = Callee.NO_ANSWER.number(f"{MADRID}20")
    await import_leads(center, "patient", [number])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "patient")
    met = await carrier.call_to(number, 15)
    ends = await carrier.ended(met, 25)
    assert 15.0 <= float(ends["_at"]) - met.at_s <= 17.0
    (row,) = await settled(center, "patient")
    assert row["outcome"] == "no_answer"
    await center.agent_is("105", "ready", 15)


async def test_a_tone_of_the_network_before_the_answer_is_no_answer(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "agent.wav"
    number = Callee.EARLY_MEDIA.number(f"{MADRID}21")
    await import_leads(center, "early", [number])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ, record=str(ear))
    await start(center, "early")
    met = await carrier.call_to(number, 15)
    await heard(ear, HUMAN_HZ, 300)
    await met.heard.hears(AGENT_HZ)
    assert Ear(ear).ms(RINGBACK_HZ) == 0, "the agent is joined when somebody has answered"
    await stop(center, "early")
    await hang_up_all(center)
    (row,) = await settled(center, "early")
    assert row["outcome"] == "answered" and rang_s(row) >= RINGBACK_MS / 1000
    shown = await center.ask("campaign.show", campaign="early")
    assert shown["account"]["tally"]["connected"] == 1 and shown["account"]["tally"]["abandoned"] == 0


async def test_whoever_says_nothing_is_taken_for_a_machine_and_for_a_person_where_nobody_listens(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    for campaign, outcome in (("listens", "machine"), ("does_not", "answered")):
        number = Callee.SILENT.number(f"{MADRID}22")
        await import_leads(center, campaign, [number])
        await start(center, campaign)
        met = await carrier.call_to(number, 15)
        if outcome == "answered":
            await center.agent_is("105", "talking", 15)
            await met.heard.hears(AGENT_HZ)
        else:
            await carrier.ended(met, 15)
            assert not met.heard.ms(AGENT_HZ)
        await stop(center, campaign)
        await hang_up_all(center)
        (row,) = await settled(center, campaign)
        assert row["outcome"] == outcome
        await center.agent_is("105", "ready", 15)


async def test_a_person_whose_voice_comes_late_is_a_person(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    number = Callee.LATE_MEDIA.number(f"{MADRID}23")
    await import_leads(center, "listens", [number])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "listens")
    met = await carrier.call_to(number, 15)
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await stop(center, "listens")
    await hang_up_all(center)
    rows = await settled(center, "listens", 2)
    assert rows[-1]["outcome"] == "answered"

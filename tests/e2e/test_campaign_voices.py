"""What is kept and what is found out: recordings by campaign, machines that agents confirm, and a key that ends all calls for good."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.archive import recording_of
from harness.calls import heard
from harness.campaigns import (
    WHO_CALLED_HZ,
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
from harness.carrier import Carrier, NetworkCall
from harness.center import AGENT_HZ, PROMPTS_HZ, Center, Site
from harness.cli import here
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.carrier import GREETING_HZ, HUMAN_HZ, Callee
from ccserver.lab.phones import PhoneProcess

CAMPAIGNS = {
    "always": {"mode": "progressive", "record": "always"},
    "never": {"mode": "progressive", "record": "never"},
    "on_demand": {"mode": "progressive", "record": "on_demand"},
    "confirms": {"mode": "progressive", "amd": "confirm", "dispositions": ["machine", "person"], "wrap_up_s": 15},
    "ahead": {"mode": "power", "lines_per_agent": 3, "safe_harbour": "who-called"},
    "again": {"mode": "progressive"},
}
MEANT = {
    "machine": {"code": "8", "name": "Machine", "means": "machine"},
    "person": {"code": "9", "name": "Person", "means": "person"},
}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Talks of the queue are recorded on demand; so what is seen here is the campaigns' own."""
    directory = tmp_path_factory.mktemp("site")
    whole = Site(directory=directory, shared=shared_directory, queues={"sales": {"record": "on_demand"}}).settings()
    return site_that_calls(
        directory,
        shared_directory,
        CAMPAIGNS,
        queues=whole["queues"],
        dispositions={**whole["dispositions"], **MEANT},
    )


@pytest.fixture(autouse=True)
def ended(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    yield
    runner.run(end_all(center))


def numbers(callee: Callee, *places: int) -> list[str]:
    return [callee.number(f"+3491170{place:02d}") for place in places]


# --- recordings ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("campaign", ["always", "never", "on_demand"])
async def test_what_is_recorded_is_for_the_campaign_to_say(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path, campaign: str
) -> None:
    """The callee left and the agent right: from the first word, never, or from the agent's key on."""
    ear = tmp_path / "agent.wav"
    (number,) = numbers(Callee.HUMAN, list(CAMPAIGNS).index(campaign))
    await import_leads(center, campaign, [number])
    agent = await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ, record=str(ear))
    await start(center, campaign)
    met = await carrier.call_to(number, 15)
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await heard(ear, HUMAN_HZ, 1500)
    await stop(center, campaign)
    if campaign != "always":
        await agent.dtmf("*4")
        await heard(ear, HUMAN_HZ, 4000)
    await hang_up_all(center)
    (row,) = await settled(center, campaign)
    await center.quiet()
    if campaign == "never":
        assert not center.rows("SELECT 1 FROM recordings WHERE interaction = ?", row["interaction"])
        return
    whole = await recording_of(center, row["interaction"])
    left, right = (audio.heard(whole, [HUMAN_HZ, AGENT_HZ], side) for side in (0, 1))
    assert audio.total_ms(left[HUMAN_HZ]) >= 1000 and not left[AGENT_HZ]
    assert audio.total_ms(right[AGENT_HZ]) >= 1000 and not right[HUMAN_HZ]
    (interaction,) = center.rows("SELECT talk_s FROM interactions WHERE interaction = ?", row["interaction"])
    recorded_s = right[AGENT_HZ][-1].end_ms / 1000 - right[AGENT_HZ][0].start_ms / 1000
    if campaign == "always":
        assert recorded_s >= interaction["talk_s"] - 0.6
    else:
        assert recorded_s <= interaction["talk_s"] - 1.0


# --- machines -----------------------------------------------------------------------------------------------------------
async def test_agents_say_what_was_a_machine_and_the_error_is_estimated(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    """One machine, and one person who says nothing: both are taken for machines, and go to the agent all the same."""
    machine, silent = (*numbers(Callee.MACHINE, 20), *numbers(Callee.SILENT, 21))
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ, record=str(tmp_path / "agent-%.wav"))
    for place, (number, code) in enumerate(((machine, "8"), (silent, "9")), 1):
        ear = tmp_path / f"agent-{place}.wav"
        await import_leads(center, "confirms", [number])
        await start(center, "confirms")
        await until(lambda: agent.count("incoming") == place, 15, what="the agent's phone")  # noqa: B023 - awaited here
        await agent.answer()
        met = await carrier.call_to(number, 15)
        await center.agent_is("101", "talking", 20)
        await met.heard.hears(AGENT_HZ)
        if number == machine:
            await heard(ear, GREETING_HZ, 500)
        await center.ask("campaign.pause", campaign="confirms")
        await hang_up_all(center)
        await heard(ear, PROMPTS_HZ["cc-disposition-ask"], 100)
        await agent.dtmf(f"{code}#")
        await settled(center, "confirms", place)
        await center.agent_is("101", "ready", 15)
    outcomes = {row["number"]: (row["outcome"], row["disposition"]) for row in attempts(center, "confirms")}
    assert outcomes == {machine: ("machine", "machine"), silent: ("answered", "person")}
    shown = await here(center, "campaign", "show", "confirms")
    assert "machines   2 calls taken for machines: 1 of 2 were people, as agents said; 3.8% are thought to be" in shown.out, (
        shown
    )
    assert "2 people (2 put through, 0 abandoned)" in shown.out
    evidence = (await here(center, "campaign", "evidence", "confirms", "--json")).parsed
    assert sum(part["connected"] for part in evidence["parts"]) == 2
    assert sum(part["amd_errors"] for part in evidence["parts"]) == 0, "nobody was hung up on"


# --- never again --------------------------------------------------------------------------------------------------------
async def test_whoever_pressed_the_key_in_the_message_is_called_by_no_campaign_any_more(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    """Short talks give the account room; then more people answer than there are agents. One of them presses the key."""
    people, presses = numbers(Callee.LEAVES_SOON, 30, 31), numbers(Callee.PRESSES_9, 32, 33, 34, 35)
    await import_leads(center, "ahead", [*people, *presses])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "ahead")
    told: list[NetworkCall] = []

    def look() -> bool:
        rows = [row["number"] for row in attempts(center, "ahead") if row["outcome"] == "abandoned"]
        told[:] = [call for call in carrier.calls if call.number in rows]
        return bool(told)

    await until(look, 60, what="a call that nobody could take")
    await stop(center, "ahead")
    await hang_up_all(center)
    (opted_out, *_) = told
    assert opted_out.heard.ms(WHO_CALLED_HZ) >= 1000
    await center.row("SELECT 1 FROM do_not_call WHERE number = ? AND source = 'keypad'", opted_out.number)
    await center.quiet()

    other = numbers(Callee.HUMAN, 39)[0]
    await import_leads(center, "again", [opted_out.number, other])
    await center.agent_is("105", "ready", 15)
    before = len(carrier.calls)
    await start(center, "again")
    await carrier.call_to(other, 20)
    await center.agent_is("105", "talking", 15)
    await stop(center, "again")
    assert [call.number for call in carrier.calls[before:]] == [other]
    refused, called_now = leads_of(center, "again")
    assert (refused["state"], refused["tries"]) == ("done", 0) and called_now["tries"] == 1
    shown = await center.ask("campaign.show", campaign="again")
    assert shown["refused"] == {"do_not_call": 1}
    metrics = await center.metrics()
    assert metrics['ccserver_call_refusals_total{campaign="again",reason="do_not_call"}'] == 1
    await hang_up_all(center)
    await center.quiet()

"""Orders to campaigns that run, on a real Asterisk: modes, pause, drain and stop with calls in the air; breaks, hot leads, dispositions."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from harness.calls import heard
from harness.campaigns import (
    called,
    end_all,
    hang_up_all,
    hang_up_call_to,
    import_leads,
    leads_of,
    settled,
    site_that_calls,
    start,
    stop,
)
from harness.carrier import Carrier
from harness.center import AGENT_HZ, PROMPTS_HZ, Center, Site, pin_of
from harness.cli import here
from harness.waiting import until

from ccserver.lab.carrier import HUMAN_HZ, Callee
from ccserver.lab.phones import PhoneProcess

TOKEN, API_PORT = "a-token-for-tests", 9319
CAMPAIGNS = {
    "switched": {"mode": "progressive", "safe_harbour": "who-called"},
    "paused": {"mode": "progressive"},
    "drained": {"mode": "progressive"},
    "stopped": {"mode": "progressive"},
    "kept": {"mode": "power", "safe_harbour": "who-called"},
    "hot": {"mode": "progressive"},
    "own": {"mode": "progressive", "dispositions": ["won", "lost"], "wrap_up_s": 10},
    "own_ahead": {"mode": "predictive", "safe_harbour": "who-called", "dispositions": ["won", "lost"], "wrap_up_s": 10},
}
OWN = {"won": {"code": "71", "name": "Won", "means": "success"}, "lost": {"code": "72", "name": "Lost"}}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    secret = directory / "api.token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    whole = Site(directory=directory, shared=shared_directory).settings()
    return site_that_calls(
        directory,
        shared_directory,
        CAMPAIGNS,
        api={"port": API_PORT, "token_file": str(secret)},
        dispositions={**whole["dispositions"], **OWN},
    )


@pytest.fixture(autouse=True)
def ended(center: Center, runner: asyncio.Runner) -> Iterator[None]:
    yield
    runner.run(end_all(center))


def tries(center: Center, of_list: str) -> list[tuple[str, int]]:
    """State and number of tries of each lead of a list, in the order in which they were added."""
    return [(row["state"], row["tries"]) for row in leads_of(center, of_list)]


def numbers(callee: Callee, *places: int) -> list[str]:
    return [callee.number(f"+3491130{place:02d}") for place in places]


# --- other modes --------------------------------------------------------------------------------------------------------
async def test_calls_in_the_air_stay_right_while_the_mode_is_switched_twice(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    """Progressive, predictive, preview: whoever rings meanwhile meets the agent who was there for the call."""
    first, second, third = numbers(Callee.SLOW_HUMAN, 10, 11, 12)
    await import_leads(center, "switched", [first])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "switched")
    one = await carrier.call_to(first, 15)
    await center.ask("campaign.mode", campaign="switched", mode="predictive")
    await center.agent_is("105", "talking", 15)
    await one.heard.hears(AGENT_HZ)

    await import_leads(center, "switched", [second])
    other = await center.agent(phones, "106", number="1006", answer_after_ms=50, tone_hz=AGENT_HZ)
    two = await carrier.call_to(second, 15)
    assert not other.has("incoming"), "predictive: the phone rings when somebody has answered"
    await center.ask("campaign.mode", campaign="switched", mode="preview")
    await center.agent_is("106", "talking", 15)
    await two.heard.hears(AGENT_HZ)
    assert other.count("incoming") == 1

    await import_leads(center, "switched", [third])
    await hang_up_call_to(center, second)
    await carrier.ended(two)
    await until(lambda: other.count("up") == 2, 15, what="a preview")
    await center.agent_is("106", "ringing")
    assert len(carrier.calls) == 2, "preview: nobody is called before the agent says so"
    await other.dtmf("1")
    await carrier.call_to(third, 15)
    await center.agent_is("106", "talking", 15)
    await stop(center, "switched")
    await hang_up_all(center)
    rows = await settled(center, "switched", 3)
    assert {row["outcome"] for row in rows} == {"answered"} and len(carrier.calls) == 3
    shown = await center.ask("campaign.show", campaign="switched")
    assert shown["account"]["tally"]["abandoned"] == 0 and shown["account"]["tally"]["connected"] >= 1
    await center.quiet()


# --- pause, drain, stop -------------------------------------------------------------------------------------------------
async def test_paused_what_rings_is_answered_and_nobody_else_is_called_until_it_goes_on(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    first, second = numbers(Callee.SLOW_HUMAN, 20, 21)
    await import_leads(center, "paused", [first, second])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "paused")
    met = await carrier.call_to(first, 15)
    await center.ask("campaign.pause", campaign="paused")
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await hang_up_all(center)
    await settled(center, "paused")
    await center.agent_is("105", "ready", 15)
    told = await center.ask("campaign.explain", campaign="paused")
    assert told["obstacles"][0]["cause"] == "not_running" and tries(center, "paused")[1] == ("claimed", 0)
    assert len(carrier.calls) == 1, "an agent is ready and a lead is claimed, and nobody is called"
    await start(center, "paused")
    await carrier.call_to(second, 15)
    await center.agent_is("105", "talking", 15)
    await stop(center, "paused")
    await hang_up_all(center)
    await center.quiet()


async def test_drained_what_is_claimed_is_called_and_then_it_is_stopped(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    first, second, late = (*numbers(Callee.SLOW_HUMAN, 30), *numbers(Callee.HUMAN, 31, 32))
    await import_leads(center, "drained", [first, second])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "drained")
    met = await carrier.call_to(first, 15)
    await center.ask("campaign.drain", campaign="drained")
    await import_leads(center, "drained", [late])
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await hang_up_call_to(center, first)
    met = await carrier.call_to(second, 15)
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)

    async def is_stopped() -> bool:
        return bool((await center.ask("campaign.show", campaign="drained"))["run"] == "stopped")

    await until(is_stopped, 10, what="a campaign that is drained")
    assert await center.agent_state("105") == "talking", "the stop ends no talk"
    await hang_up_all(center)
    await settled(center, "drained", 2)
    await center.agent_is("105", "ready", 15)
    assert len(carrier.calls) == 2 and tries(center, "drained")[2] == ("ready", 0)
    await center.quiet()


async def test_stopped_what_rings_is_answered_and_claimed_leads_are_given_back(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    first, *others = numbers(Callee.SLOW_HUMAN, 40, 41, 42)
    await import_leads(center, "stopped", [first, *others])
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    await start(center, "stopped")
    met = await carrier.call_to(first, 15)
    assert [state for state, _ in tries(center, "stopped")] == ["claimed"] * 3
    await stop(center, "stopped")
    await until(lambda: tries(center, "stopped")[1:] == [("ready", 0)] * 2, what="leads that are given back")
    await center.agent_is("105", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await hang_up_all(center)
    (row,) = await settled(center, "stopped")
    assert row["outcome"] == "answered" and len(carrier.calls) == 1
    await center.quiet()


async def test_a_break_waits_for_the_call_that_the_agent_is_kept_for(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    """One does not answer, the other does: the break begins when it is known that there is no talk, or after it."""
    answers, does_not = (*numbers(Callee.SLOW_HUMAN, 50), *numbers(Callee.NO_ANSWER, 51))
    await center.agent(phones, "105", number="1005", answer_after_ms=50, tone_hz=AGENT_HZ)
    for number in (does_not, answers):  # while nobody has been put through, no call may be lost
        await import_leads(center, "kept", [number])
        await start(center, "kept")
        met = await carrier.call_to(number, 15)
        await center.ask("agent.pause", agent="105", reason="lunch")
        assert await center.agent_state("105") == "ready", "the agent is kept for it"
        if number == answers:
            await center.agent_is("105", "talking", 15)
            await met.heard.hears(AGENT_HZ)
            await hang_up_all(center)
        await center.agent_is("105", "not_ready", 15)
        await carrier.ended(met)
        await stop(center, "kept")
        await center.ask("agent.unpause", agent="105")
        await center.agent_is("105", "ready", 15)
    rows = await settled(center, "kept", 2)
    assert {row["number"]: row["outcome"] for row in rows} == {answers: "answered", does_not: "no_answer"}
    shown = await center.ask("campaign.show", campaign="kept")
    assert shown["account"]["tally"]["abandoned"] == 0
    await center.quiet()


# --- hot leads ----------------------------------------------------------------------------------------------------------
async def push_by_api(number: str) -> Any:
    def talk() -> Any:
        connection = HTTPConnection("127.0.0.1", API_PORT, timeout=10)
        try:
            body = json.dumps({"list": "hot", "numbers": [number], "name": "Eva"})
            connection.request("POST", "/v1/leads", body, {"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return json.loads(answer.read())
        finally:
            connection.close()

    return await asyncio.to_thread(talk)


async def test_a_hot_lead_is_the_next_one_that_is_called(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    """By the command line and over HTTP, with others claimed already and an agent in a talk."""
    cold = numbers(Callee.HUMAN, 60, 61, 62, 63)
    by_hand, by_system = numbers(Callee.HUMAN, 64, 65)
    await import_leads(center, "hot", cold)
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "hot")
    met = await carrier.call()
    await center.agent_is("105", "talking", 15)
    pushed = await here(center, "lead", "push", by_hand, "--list", "hot", "--name", "Eva")
    assert pushed.code == 0, pushed
    await hang_up_all(center)
    met = await carrier.call(deadline_s=15)
    assert met.number == by_hand
    await center.agent_is("105", "talking", 15)
    answer = await push_by_api(by_system)
    assert answer["ok"] and answer["is_new"]
    await hang_up_all(center)
    met = await carrier.call(deadline_s=15)
    assert met.number == by_system
    await center.agent_is("105", "talking", 15)
    await stop(center, "hot")
    await hang_up_all(center)
    await center.quiet()


# --- what agents enter --------------------------------------------------------------------------------------------------
def disposition(center: Center, rows: Sequence[Any]) -> str:
    (row,) = center.rows("SELECT disposition FROM interactions WHERE interaction = ?", rows[-1]["interaction"])
    return str(row["disposition"])


async def test_a_campaigns_own_dispositions_are_those_that_are_typed(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "agent.wav"
    number = numbers(Callee.HUMAN, 70)[0]
    await import_leads(center, "own", [number])
    agent = await center.agent(phones, "101", record=str(ear))
    await start(center, "own")
    await called(center, agent, "own")
    await agent.answer()
    await carrier.call_to(number, 15)
    await heard(ear, HUMAN_HZ, 300)
    await stop(center, "own")
    await hang_up_all(center)
    await heard(ear, PROMPTS_HZ["cc-disposition-ask"], 100)
    await agent.dtmf("1#")
    await heard(ear, PROMPTS_HZ["cc-disposition-unknown"], 100)
    await agent.dtmf("71")
    await heard(ear, PROMPTS_HZ["cc-disposition-done"], 100)
    await center.agent_is("101", "ready")
    rows = await settled(center, "own")
    assert disposition(center, rows) == "won" and rows[0]["disposition"] == "won"
    await center.quiet()


async def test_on_a_headset_too(center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path) -> None:
    ear = tmp_path / "agent.wav"
    number = numbers(Callee.HUMAN, 71)[0]
    await import_leads(center, "own_ahead", [number])
    phone = await phones.phone("1002", password="secret-1002", tone_hz=AGENT_HZ, record=str(ear))
    await phone.call("sip:*18102@127.0.0.1")
    await heard(ear, PROMPTS_HZ["cc-login-pin"], 100)
    await phone.dtmf(f"{pin_of('102')}#")
    await center.agent_is("102", "ready", 15)
    await start(center, "own_ahead")
    met = await carrier.call_to(number, 15)
    await center.agent_is("102", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await stop(center, "own_ahead")
    await hang_up_all(center)
    await center.agent_is("102", "wrap_up")
    await phone.dtmf("1")  # of the queue: not known here
    await phone.dtmf("72")
    await center.agent_is("102", "ready", 5)
    rows = await settled(center, "own_ahead")
    assert disposition(center, rows) == "lost"
    await phone.hangup()
    await center.quiet()

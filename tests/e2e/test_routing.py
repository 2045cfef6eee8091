"""Which agent a caller gets, and which caller an agent gets, on a real Asterisk; and what the center says about why."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness.calls import answer, call, heard, leave, log_in
from harness.center import AGENT_HZ, CALLER_HZ, Center, Site
from harness.ledger import Ledger

from ccserver.cli import root
from ccserver.lab.phones import Phone, PhoneProcess

OWNED, KNOWN, VIP = "+34911000001", "+34911000002", "+34911000003"
QUEUES = {
    "skilled": {"strategy": "most_skilled"},
    "spill": {"strategy": "tiers", "tiers": [{"after_s": 0, "agents": ["101"]}, {"after_s": 2, "agents": ["102"]}]},
    "relaxed": {"skills": ["spanish"], "relax": [{"after_s": 2, "requires": "sales"}]},
    "urgent": {"priority": 8},
    "own": {"preference": {"wait_s": 2, "owner": True, "last_spoken_days": 1}},
}
SALES = "901"
SKILLED, SPILL, RELAXED, URGENT, OWN = (str(903 + n) for n in range(5))


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """103 sells best; 105 to 108 know no Spanish."""
    directory = tmp_path_factory.mktemp("site")
    plain = Site(directory=directory, shared=shared_directory, queues=QUEUES)
    agents: dict[str, Any] = dict(plain.settings()["agents"])
    agents["103"] = {**agents["103"], "skills": {**agents["103"]["skills"], "sales": 90}}
    (directory / "customers.csv").write_text(f"number,name,owner\n{OWNED},Talleres Mora,103\n", encoding="utf-8")
    more = {"agents": agents, "customers_file": "customers.csv", "callers": {"marks": {VIP: "vip"}}}
    return dataclasses.replace(plain, more=more)


async def explained(center: Center, *words: str) -> tuple[str, Any]:
    """What `ccserver WORDS` says to people, and to programs."""

    def run(*asked: str) -> str:
        result = CliRunner(env={"CCSERVER_CONFIG": str(center.daemon.config)}).invoke(root, asked)
        assert result.exit_code == 0, result.output
        return result.output

    text = await asyncio.to_thread(run, *words)
    return text, json.loads(await asyncio.to_thread(run, *words, "--json"))


# --- which agent ------------------------------------------------------------------------------------------------------
async def test_the_most_skilled_is_rung_first(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    others = [await center.agent(phones, agent) for agent in ("101", "102")]
    best = await center.agent(phones, "103")
    caller = await call(center, phones, SKILLED)
    await answer(center, "103", best)
    assert not any(phone.has("incoming") for phone in others)
    await leave(center, caller)
    assert (await books.only_call())["agent"] == "103"


async def test_calls_spill_over_into_the_next_tier(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    """The first tier is there but on a break: the second one is asked after its time, and not before."""
    await center.agent(phones, "101")
    await center.ask("agent.pause", agent="101", reason="lunch")
    second = await center.agent(phones, "102")
    caller = await call(center, phones, SPILL)
    (waiting,) = await center.waiting("spill", 1)
    assert waiting["ringing"] is None
    text, told = await explained(center, "agent", "explain", "102")
    assert "tier 2 opens in" in text and told["waiting"][0]["interaction"] == waiting["number"]
    await answer(center, "102", second)
    await leave(center, caller)
    row = await books.only_call()
    assert row["agent"] == "102" and row["wait_s"] >= 1.9


async def test_the_first_tier_comes_first_and_an_empty_one_is_skipped(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    second = await center.agent(phones, "102")
    alone = await call(center, phones, SPILL, "alone")
    await answer(center, "102", second)
    await leave(center, alone)
    await center.agent_is("102", "ready")
    first = await center.agent(phones, "101")
    caller = await call(center, phones, SPILL, "caller")
    await answer(center, "101", first)
    await leave(center, caller)
    skipped, usual = books.calls()
    assert (skipped["agent"], usual["agent"]) == ("102", "101")
    assert skipped["wait_s"] < 1.9, "nobody of the first tier is logged in: the second need not wait"


async def test_after_a_time_less_is_required(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    agent = await center.agent(phones, "105")
    caller = await call(center, phones, RELAXED)
    (waiting,) = await center.waiting("relaxed", 1)
    text, told = await explained(center, "queue", "explain", "relaxed")
    assert "requires spanish" in text and "it requires sales: 8 agents instead of 4" in text, text
    assert told[0]["interaction"] == waiting["number"]
    text, told = await explained(center, "call", "explain", str(waiting["number"]))
    assert next(a["text"] for a in told["agents"] if a["agent"] == "105") == "lacks spanish", text
    await answer(center, "105", agent)
    await leave(center, caller)
    row = await books.only_call()
    assert row["agent"] == "105" and row["wait_s"] >= 1.9
    text, told = await explained(center, "queue", "explain", "relaxed")
    assert (text.strip(), told) == ("nobody waits", [])


# --- which caller -----------------------------------------------------------------------------------------------------
async def test_an_agent_of_several_queues_gets_the_most_urgent_whatever_its_queue(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    """Priority 8 before a VIP (5) before who came first; a supervisor's word puts the last one before the rest."""
    callers: dict[str, Phone] = {}
    for name, did, number in (
        ("first", SALES, "+34911222331"),
        ("second", SALES, "+34911222332"),
        ("vip", SALES, VIP),
        ("urgent", URGENT, "+34911222334"),
    ):
        callers[name] = await call(center, phones, did, name, number=number)
    *_, last = await center.waiting("sales", 3)
    assert last["caller_number"] == "+34911222332"
    text, told = await explained(center, "agent", "explain", "106")
    assert "logged out" in text and [w["text"] for w in told["waiting"]] == ["", "", "", ""], text
    agent = await log_in(center, desk, "106", answer_after_ms=50)
    for name in ("urgent", "vip", "first", "second"):
        await center.agent_is("106", "talking")
        talked = (await center.ask("calls"))[0] if name == "second" else None
        assert talked is None or talked["caller"] == "+34911222332"
        await agent.hangup()
        await callers[name].wait("ended")
    await center.quiet()
    started = center.rows(
        "SELECT i.caller_number AS caller FROM offers o JOIN interactions i ON i.interaction = o.interaction "
        "WHERE o.interaction >= ? ORDER BY o.offered_at",
        books.calls()[0]["interaction"],
    )
    assert [row["caller"] for row in started] == ["+34911222334", VIP, "+34911222331", "+34911222332"]


# --- the preferred agent ----------------------------------------------------------------------------------------------
async def test_a_customers_own_agent_comes_first_and_then_anybody(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "desk.wav"
    other = await center.agent(phones, "101")
    owner = await center.agent(phones, "103", tone_hz=AGENT_HZ, record=str(ear))
    caller = await call(center, phones, OWN, number=OWNED)
    await answer(center, "103", owner)
    await heard(ear, CALLER_HZ, 300)
    assert not other.has("incoming")
    await leave(center, caller)
    await center.ask("agent.pause", agent="103", reason="lunch")
    await center.agent_is("103", "not_ready")
    again = await call(center, phones, OWN, "again", number=OWNED)
    (waiting,) = await center.waiting("own", 1)
    text, _ = await explained(center, "call", "explain", str(waiting["number"]))
    assert "waits for agent 103 only" in text, text
    await answer(center, "101", other)
    await leave(center, again)
    first, second = books.calls()
    assert (first["agent"], second["agent"]) == ("103", "101")
    assert second["wait_s"] >= 1.9


async def test_who_called_before_gets_the_same_agent_although_others_are_idle_longer(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    known = await center.agent(phones, "102")
    first = await call(center, phones, OWN, "first", number=KNOWN)
    await answer(center, "102", known)
    await leave(center, first)
    await center.agent_is("102", "ready")
    other = await center.agent(phones, "101")
    await center.ask("agent.pause", agent="102", reason="lunch")
    await center.ask("agent.unpause", agent="102")  # starts the idle clock anew: 101 is idle longest
    again = await call(center, phones, OWN, "again", number=KNOWN)
    await answer(center, "102", known)
    assert not other.has("incoming")
    await leave(center, again)
    stranger = await call(center, phones, OWN, "stranger", number="+34911222999")
    await answer(center, "101", other)
    await leave(center, stranger)
    assert [row["agent"] for row in books.calls()] == ["102", "102", "101"]

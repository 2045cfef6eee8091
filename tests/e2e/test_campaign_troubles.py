"""Campaigns when something goes wrong or somebody else comes first: a daemon that dies, callers, promises, who is not to be called."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from harness.calls import call, heard
from harness.campaigns import (
    WHO_CALLED_HZ,
    add_leads,
    attempts,
    called,
    hang_up_all,
    hang_up_call_to,
    settled,
    site_that_calls,
    start,
    stop,
)
from harness.carrier import Carrier
from harness.center import AGENT_HZ, PROMPTS_HZ, Center, Site, pin_of
from harness.waiting import until

from ccserver.core.records import DoNotCallSource
from ccserver.lab.carrier import HUMAN_HZ, Callee
from ccserver.lab.phones import PhoneProcess
from ccserver.store import do_not_call
from ccserver.store.database import Store

CAMPAIGNS = {
    "winter": {"mode": "progressive"},
    "promised": {"mode": "progressive", "dispositions": ["later"], "wrap_up_s": 3},
    "kept": {"mode": "callback_only", "purpose": "requested", "lists": ["promised"]},
    "by_hand": {"mode": "manual"},
    "ahead": {"mode": "predictive", "safe_harbour": "who-called"},
    "killed": {
        "mode": "power",
        "lines_per_agent": 2,
        "safe_harbour": "who-called",
        "retry": {"unknown": {"after_s": 1, "tries": 5}},
    },
}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    whole = Site(directory=directory, shared=shared_directory).settings()
    dispositions = {**whole["dispositions"], "later": {"code": "5", "name": "Later", "means": "call_back"}}
    return site_that_calls(directory, shared_directory, CAMPAIGNS, dispositions=dispositions)


async def test_a_headset_is_joined_at_once_with_whoever_answers(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "agent.wav"
    number = Callee.HUMAN.number()
    add_leads(center, "ahead", [number])
    phone = await phones.phone("1002", password="secret-1002", tone_hz=AGENT_HZ, record=str(ear))
    await phone.call("sip:*18102@127.0.0.1")
    await heard(ear, PROMPTS_HZ["cc-login-pin"], 100)
    await phone.dtmf(f"{pin_of('102')}#")
    await center.agent_is("102", "ready", 15)
    await start(center, "ahead")
    met = await carrier.call_to(number, 15)
    await center.agent_is("102", "talking", 15)
    await met.heard.hears(AGENT_HZ)
    await stop(center, "ahead")
    await hang_up_all(center)
    (row,) = await settled(center, "ahead")
    await center.quiet()
    (visit,) = center.rows("SELECT * FROM queue_visits WHERE interaction = ?", row["interaction"])
    assert visit["outcome"] == "answered" and visit["wait_s"] < 0.5
    assert met.heard.ms(PROMPTS_HZ["cc-queue-next"]) == 0, "nothing is said before the join"
    await phone.hangup()


async def test_a_caller_is_served_before_anybody_is_called(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    first, second = Callee.HUMAN.number("+349112346"), Callee.HUMAN.number("+349112347")
    add_leads(center, "winter", [first, second])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "winter")
    met = await carrier.call_to(first, 15)
    await center.agent_is("105", "talking", 15)
    caller = await call(center, phones, "901", number="+34911222444")
    await center.waiting("sales", 1)
    await hang_up_call_to(center, first)
    await carrier.ended(met)
    await center.waiting("sales", 0, 15)
    await center.agent_is("105", "talking", 15)
    assert not [each for each in carrier.calls if each.number == second], "the caller was first"
    await caller.hangup()
    await carrier.call_to(second, 20)
    await stop(center, "winter")
    await center.agent_is("105", "talking", 15)
    await hang_up_all(center)
    await center.quiet()


async def test_whoever_is_on_the_list_by_now_is_not_called(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    """The lead is claimed before, and the agent waits already."""
    number = Callee.HUMAN.number("+349112348")
    add_leads(center, "winter", [number])
    agent = await center.agent(phones, "101")
    await start(center, "winter")
    await called(center, agent, "winter")
    put_on_list(center, number)
    await agent.answer()
    await agent.wait("ended", 10)
    await stop(center, "winter")
    assert not carrier.calls
    await until(
        lambda: [row["outcome"] for row in attempts(center, "winter") if row["number"] == number] in ([], ["not_placed"]), 8
    )
    await center.quiet()


def put_on_list(center: Center, number: str) -> None:
    store = Store(center.site.settings()["database"]["url"])
    try:
        with store.engine.begin() as connection:
            do_not_call.add(connection, [number], source=DoNotCallSource.REQUEST, by="test")
    finally:
        store.close()


async def test_a_promise_is_entered_on_the_keypad_and_kept(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "agent.wav"
    number = Callee.HUMAN.number("+349112349")
    add_leads(center, "promised", [number])
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ, record=str(ear))
    await start(center, "promised")
    await called(center, agent, "promised")
    await agent.answer()
    await carrier.call_to(number, 15)
    await heard(ear, HUMAN_HZ, 300)
    await stop(center, "promised")
    await hang_up_all(center)
    await heard(ear, PROMPTS_HZ["cc-disposition-ask"], 100)
    await agent.dtmf("5#")
    at = datetime.now(ZoneInfo("Europe/Madrid")) + timedelta(days=1)
    await center.agent_is("101", "wrap_up")
    await agent.dtmf(f"{at:%d%m}1030#")
    await agent.dtmf("1")
    (row,) = await settled(center, "promised", deadline_s=30)
    (lead,) = center.rows("SELECT * FROM leads WHERE id = ?", row["lead"])
    due = datetime(at.year, at.month, at.day, 10, 30, tzinfo=ZoneInfo("Europe/Madrid"))
    assert datetime.fromisoformat(lead["callback_at"] + "+00:00") == due
    assert lead["only_agent"] == "101" and lead["state"] == "waiting"
    await center.quiet()
    come_due(center, row["lead"])
    await center.agent_is("101", "ready", 15)
    await start(center, "kept")
    await called(center, agent, "kept")
    await agent.answer()
    await carrier.call_to(number, 15)
    await center.agent_is("101", "talking", 15)
    await stop(center, "kept")
    await hang_up_all(center)
    (again,) = await settled(center, "kept")
    assert (again["outcome"], again["agent"]) == ("answered", "101")
    await center.quiet()


def come_due(center: Center, lead: int) -> None:
    """As if the promised time had come."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    with closing(sqlite3.connect(center.site.directory / "history.db", timeout=10)) as database, database:
        database.execute("UPDATE leads SET wake_at = ?, callback_at = ? WHERE id = ?", (now, now, lead))


async def test_manual_a_lead_comes_when_the_agent_asks_for_it(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    number = Callee.HUMAN.number("+349112342")
    add_leads(center, "by_hand", [number])
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    await start(center, "by_hand")
    await until(lambda: center.rows("SELECT 1 FROM leads WHERE state = 'claimed' AND claimed_by = 'by_hand'"), 10)
    assert not agent.has("incoming")
    await agent.call("sip:*45@127.0.0.1")
    await called(center, agent, "by_hand")
    await agent.answer()
    await center.agent_is("101", "ringing")
    await agent.dtmf("1")
    met = await carrier.call_to(number, 15)
    await met.heard.hears(AGENT_HZ)
    await stop(center, "by_hand")
    await hang_up_all(center)
    await settled(center, "by_hand")
    await center.quiet()


async def test_a_daemon_that_dies_leaves_nobody_in_silence_and_nobody_is_called_twice(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    number = Callee.SLOW_HUMAN.number("+349112341")
    add_leads(center, "killed", [number])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "killed")
    met = await carrier.call_to(number, 15)
    await center.daemon.kill()
    await carrier.ended(met, 20)
    assert met.heard.ms(WHO_CALLED_HZ) >= 1000, "they answered, and nobody of ours was there"
    await center.restart()
    (row,) = await settled(center, "killed", deadline_s=30)
    assert row["outcome"] in ("unknown", "abandoned")
    await center.agent_is("105", "ready", 15)
    await stop(center, "killed")
    assert len([each for each in carrier.calls if each.number == number]) == 1
    await until(lambda: not carrier.asterisk.channels(), 5, what="a network without calls")

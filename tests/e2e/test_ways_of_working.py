"""Agents at an outside number, phones that are told to answer, back-offs, and the end of a shift."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard, leave, log_in, reason_of
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, PROMPT_HZ, Center, Site, write_prompts
from harness.keypad import signed_in, write_tones
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

TONES = {"cc-accept-call": 2110}
MAILBOX_HZ, DESK_HZ = 1300, 1400
OUTSIDE = "1007"
"""The extension of the agent's phone outside."""
MISSED_S, REJECTED_S, BUSY_S = 1, 4, 2


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """1007 is a number outside; 1006 is told to answer by itself."""
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"wrap_up": "none", "ring_timeout_s": 4}},
    )
    made.more = {
        "phones": {
            "1001-1005": {"endpoint": "PJSIP/{number}"},
            "1006": {"endpoint": "PJSIP/1006", "auto_answer": True},
            OUTSIDE: {"kind": "external", "outside_number": "600111222"},
        },
        "offers": {
            "missed_reason": "missed",
            "missed_before_not_ready": 2,
            "missed_back_off_s": MISSED_S,
            "rejected_back_off_s": REJECTED_S,
            "busy_back_off_s": BUSY_S,
        },
    }
    return made


@pytest.fixture
def carrier(desk: PhoneProcess, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Phone]:
    """Whoever is called over the trunk."""
    runner: asyncio.Runner = request.getfixturevalue("runner")
    yield runner.run(
        desk.phone(
            "carrier",
            register=False,
            from_uri="sip:carrier@127.0.0.2",
            local="127.0.0.2",
            local_port=5060,
            tone_hz=AGENT_HZ,
            record=str(tmp_path / "outside.wav"),
        )
    )


async def at_home(center: Center, agent: str = "101") -> None:
    """The agent is logged in at the number outside."""
    await center.ask("agent.login", agent=agent, phone=OUTSIDE)
    await center.agent_is(agent, "ready")


async def test_who_answers_outside_presses_1_and_has_the_customer(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    await at_home(center)
    ear = tmp_path / "customer.wav"
    caller = await call(center, phones, record=str(ear))
    await carrier.wait("incoming")
    assert "sip:600111222@127.0.0.2" in str(carrier.seen)
    await carrier.answer()
    await heard(tmp_path / "outside.wav", TONES["cc-accept-call"], 300)
    await heard(ear, MUSIC_HZ, 500)
    assert not audio.total_ms(audio.heard(ear, [AGENT_HZ])[AGENT_HZ]), "nobody is joined before the key"
    await carrier.dtmf("1")
    await heard(ear, AGENT_HZ, 300)
    await heard(tmp_path / "outside.wav", CALLER_HZ, 300)
    await center.agent_is("101", "talking")
    await caller.hangup()
    await carrier.wait("ended")
    await center.agent_is("101", "ready")
    row = await books.only_call()
    assert (row["outcome"], row["agent"]) == ("answered", "101")
    assert len(books.of("recordings", row)) == 1


async def test_a_mailbox_never_gets_a_customer(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    """It answers and speaks, and presses nothing; the next one presses a wrong key. The customer hears music until a colleague comes."""
    await at_home(center)
    await carrier.set(answer_after_ms=0, tone_hz=MAILBOX_HZ)
    ear = tmp_path / "customer.wav"
    caller = await call(center, phones, record=str(ear))
    await carrier.wait("up")
    await carrier.wait("ended")
    await carrier.wait("up")
    await carrier.dtmf("5")
    await carrier.wait("ended")
    await center.agent_is("101", "not_ready")
    assert await reason_of(center, "101") == "missed"
    await log_in(center, phones, "102", tone_hz=DESK_HZ, answer_after_ms=0)
    await heard(ear, DESK_HZ, 300)
    await leave(center, caller)
    tones = audio.heard(ear, [MAILBOX_HZ, PROMPT_HZ, TONES["cc-accept-call"]])
    assert not any(audio.total_ms(spans) for spans in tones.values()), tones
    row = await books.only_call()
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", row)] == [
        ("101", "missed"),
        ("101", "missed"),
        ("102", "answered"),
    ]


async def test_a_number_outside_that_forwards_or_is_busy_or_hangs_up(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    """What it forwards to is not called: neither another number outside nor a phone of the house."""
    bystander = await signed_in(center, phones, "103", tmp_path)
    await center.ask("agent.logout", agent="103")
    await at_home(center)
    caller = await call(center, phones)
    await center.agent_is("101", "ringing")
    for code in (302, 486):
        before = carrier.count("incoming")
        if code == 302:
            await carrier.wait("incoming")
            await carrier.set(answer_code=302, forward_to="1003@127.0.0.1:5060")
            await carrier.hangup(code=480)
            await carrier.wait("incoming")
        else:
            await carrier.set(answer_code=486, forward_to="")
            await center.ask("agent.unpause", agent="101")
            await until(lambda before=before: carrier.count("incoming") > before, what="another try")
    assert not bystander.phone.has("incoming")
    await carrier.set(answer_code=200, answer_after_ms=0)
    await center.ask("agent.unpause", agent="101")
    await carrier.wait("up")
    await carrier.hangup()
    await caller.hangup()
    await center.ask("agent.logout", agent="101")
    row = await books.only_call()
    assert row["outcome"] == "abandoned", "whoever hung up at the question had no customer"
    assert "answered" not in books.told("offers", row, "outcome")


async def test_a_phone_is_told_to_answer_by_itself(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    told = await center.agent(phones, "104", "1006")
    rings = await center.agent(phones, "102")
    await center.ask("agent.pause", agent="102", reason="lunch")
    caller = await call(center, phones)
    headers = (await told.wait("incoming"))["headers"]
    assert "answer-after=0" in str(headers) and "alert-autoanswer" in str(headers)
    await answer_at(center, "104", told)
    await leave(center, caller)
    await center.ask("agent.logout", agent="104")
    await center.ask("agent.unpause", agent="102")
    caller = await call(center, phones, name="second")
    headers = (await rings.wait("incoming"))["headers"]
    assert "answer-after" not in str(headers) and "autoanswer" not in str(headers)
    await answer_at(center, "102", rings)
    await leave(center, caller)


async def answer_at(center: Center, agent: str, phone: Phone) -> None:
    await phone.answer()
    await center.agent_is(agent, "talking")


async def test_who_rejects_is_spared_longer_than_who_is_busy_or_away(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    agent = await center.agent(desk, "101")
    caller = await call(center, phones)
    for code, outcome in ((603, "rejected"), (486, "busy"), (0, "missed")):
        rung = agent.count("incoming")
        await until(lambda rung=rung: agent.count("incoming") > rung or agent.count("incoming") > agent.count("ended"))
        if code:
            await agent.answer(code)
        await center.agent_is("101", "not_ready" if outcome == "missed" else "back_off")
        if outcome == "missed":
            # The second in a row that was not taken: busy does not count.
            assert await reason_of(center, "101") == "missed"
    await caller.hangup()
    row = await books.only_call()
    assert books.told("offers", row, "outcome") == ["rejected", "busy", "missed"]
    spared = [
        row["duration_s"]
        for row in center.rows("SELECT * FROM agent_states WHERE agent='101' AND state='back_off' ORDER BY started_at")
    ][-2:]
    for took_s, rule_s in zip(spared, (REJECTED_S, BUSY_S), strict=True):
        assert rule_s - 0.2 <= took_s <= rule_s + 1.5, spared


async def test_the_end_of_the_shift_logs_out_who_talks_after_the_call(
    center: Center, books: Ledger, phones: PhoneProcess, site: Site
) -> None:
    await center.agent(phones, "105")
    talker = await center.agent(phones, "104", answer_after_ms=0)
    await center.ask("agent.pause", agent="105", reason="lunch")
    caller = await call(center, phones)
    await center.agent_is("104", "talking")

    now = datetime.now(UTC)
    ends = (now + timedelta(seconds=70)).replace(second=0, microsecond=0)
    agents = site.settings()["agents"]
    for agent in ("104", "105"):
        agents[agent]["shift"] = "shift"
    hours = {
        "timezone": "UTC",
        "open": {"monday-sunday": f"00:00-{ends:%H:%M}" if ends.date() == now.date() else "00:00-24:00"},
    }
    usual = site.more
    site.more = {**usual, "agents": agents, "hours": {**site.settings()["hours"], "shift": hours}}
    site.write_settings()
    await center.ask("reload")
    await center.agent_is("105", "logged_out", 90)
    assert datetime.now(UTC) >= ends
    assert await center.agent_state("104") == "talking"
    await caller.hangup()
    await talker.wait("ended")
    await center.agent_is("104", "logged_out")
    assert (await books.only_call())["outcome"] == "answered"
    site.more = usual
    site.write_settings()
    await center.ask("reload")

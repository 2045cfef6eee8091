"""What goes wrong on the way of a call, on a real Asterisk: callers who leave, agents who do not answer, lines that break.

Each story ends with the books of the center: every call once, totals that reconcile, nothing repaired, no fault.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from harness.calls import answer, call, heard, leave, log_in, reason_of, waits_for
from harness.center import AGENT_HZ, MUSIC_HZ, PROMPTS_HZ, Center, Site, password_of
from harness.ledger import Ledger
from harness.observer import Observer
from harness.waiting import PATIENCE_S, until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

RTP_TIMEOUT_S = 3
SESSION_EXPIRES_S = 90
HASTY = "903"


@pytest.fixture(scope="module")
def site_values(site_values: AsteriskValues) -> AsteriskValues:
    return replace(
        site_values, rtp_timeout_s=RTP_TIMEOUT_S, rtp_timeout_hold_s=600, session_expires_s=SESSION_EXPIRES_S, ring_phone_s=10
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"hasty": {"short_abandon_s": 60, "service_level_s": 60}},
    )


# --- the caller leaves ------------------------------------------------------------------------------------------------
async def test_a_caller_leaves_in_the_menu(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, "900", record=str(ear))
    await heard(ear, PROMPTS_HZ["language"], 100)
    await caller.hangup()
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["queue"]) == ("left_in_menu", "customer", None)
    assert books.told("segments", row, "kind") == ["menu"]
    assert books.told("segments", row, "detail") == ["menu/language"]
    assert not books.of("queue_visits", row)


async def test_a_caller_leaves_while_waiting(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    caller = await call(center, phones)
    await until(lambda: waits_for(center, "sales", 1.2), what="a wait of more than a second")
    await caller.hangup()
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["agent"]) == ("abandoned", "customer", None)
    assert row["wait_s"] >= 1.2
    assert books.told("queue_visits", row, "outcome") == ["abandoned"]


async def test_a_caller_who_leaves_at_once_is_counted_apart(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    caller = await call(center, phones, HASTY)
    await center.waiting("hasty", 1)
    await caller.hangup()
    row = await books.only_call()
    assert row["outcome"] == "abandoned"
    assert books.told("queue_visits", row, "outcome") == ["short_abandoned"]


async def test_a_caller_leaves_while_the_phone_rings(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    agent = await center.agent(phones, "101")
    caller = await call(center, phones)
    await agent.wait("incoming")
    await center.agent_is("101", "ringing")
    await caller.hangup()
    await agent.wait("ended")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["agent"]) == ("abandoned", "customer", None)
    assert books.told("offers", row, "outcome") == ["caller_gone"]
    assert agent.count("incoming") == 1 and not agent.has("up")
    # It was not the agent's doing: no back-off, nothing counted.
    await center.agent_is("101", "ready")
    states = center.rows("SELECT state FROM agent_states WHERE interaction = ?", row["interaction"])
    assert [each["state"] for each in states] == ["ringing"]


# --- the agent does not take the call ---------------------------------------------------------------------------------
async def test_a_missed_call_goes_to_the_next_agent_and_twice_missed_is_not_ready(
    center: Center, books: Ledger, phones: PhoneProcess, ami: Observer
) -> None:
    first = await center.agent(phones, "101")
    second = await center.agent(phones, "102")
    for turn in ("back_off", "not_ready"):
        caller = await call(center, phones, name=f"caller {turn}")
        await first.wait("incoming")
        await second.wait("incoming")
        assert first.count("incoming") == first.count("ended"), "the second phone rings when the first has stopped"
        assert await center.agent_state("101") in (turn, "ready")
        await second.answer()
        await center.agent_is("102", "talking")
        await leave(center, caller)
        await center.agent_is("102", "ready")
        if turn == "back_off":
            await center.agent_is("101", "ready")
    assert await reason_of(center, "101") == "missed"
    for row in books.calls():
        assert row["outcome"] == "answered" and row["agent"] == "102"
        offers = books.of("offers", row)
        assert [(o["agent"], o["outcome"]) for o in offers] == [("101", "missed"), ("102", "answered")]
        # A second Bridge() while the first leg lives could steal the caller: Asterisk itself must have told its end.
        ends = [e for e in ami.events if (e["Event"], e.get("Uniqueid")) == ("Hangup", offers[0]["uniqueid"])]
        begins = [e for e in ami.events if (e["Event"], e.get("Uniqueid")) == ("Newchannel", offers[1]["uniqueid"])]
        assert ami.events.index(ends[0]) < ami.events.index(begins[0])
        assert 1.5 <= offers[0]["ring_s"] <= 4


async def test_a_rejected_call_comes_again_after_the_back_off_and_twice_rejected_is_not_ready(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    agent = await center.agent(phones, "101", answer_code=603)
    caller = await call(center, phones)
    await center.agent_is("101", "not_ready")
    assert agent.count("incoming") == 2
    assert await reason_of(center, "101") == "missed"
    await center.waiting("sales", 1)
    await agent.set(answer_code=200)
    await center.ask("agent.unpause", agent="101")
    await agent.wait("incoming")
    await agent.wait("incoming")
    await answer(center, "101", agent)
    await leave(center, caller)
    row = await books.only_call()
    assert row["outcome"] == "answered"
    offers = books.of("offers", row)
    assert [o["outcome"] for o in offers] == ["rejected", "rejected", "answered"]
    spared = center.rows("SELECT * FROM agent_states WHERE agent = '101' AND state = 'back_off' ORDER BY started_at DESC")
    assert 0.9 <= spared[0]["duration_s"] <= 2


async def test_a_busy_phone_is_tried_again_and_never_put_not_ready(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    agent = await center.agent(phones, "101", answer_code=486)
    caller = await call(center, phones)
    for _ in range(3):
        await agent.wait("incoming")
    await agent.set(answer_code=200)
    await answer(center, "101", agent)
    await leave(center, caller)
    row = await books.only_call()
    assert row["outcome"] == "answered"
    assert books.told("offers", row, "outcome") == ["busy", "busy", "busy", "answered"]
    await center.agent_is("101", "ready")


async def test_an_unregistered_phone_is_offered_nothing_until_it_is_back(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    agent = await center.agent(phones, "101")
    await agent.unregister()
    await center.agent_is("101", "unreachable")
    caller = await call(center, phones)
    (waiting,) = await center.waiting("sales", 1)
    assert waiting["ringing"] is None
    await agent.register()
    await answer(center, "101", agent)
    await leave(center, caller)
    row = await books.only_call()
    assert books.told("offers", row, "outcome") == ["answered"], "nothing was tried while the phone was away"
    states = center.rows("SELECT state FROM agent_states WHERE agent = '101' ORDER BY started_at DESC LIMIT 6")
    assert "unreachable" in [each["state"] for each in states]


async def test_offers_stay_away_while_the_agent_makes_a_call_of_their_own(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    agent = await center.agent(phones, "101")
    colleague = await phones.phone("1003", password=password_of("1003"), answer_after_ms=0)
    await agent.call("1003")
    await colleague.wait("up")
    await center.agent_is("101", "on_own_call")
    caller = await call(center, phones)
    (waiting,) = await center.waiting("sales", 1)
    assert waiting["ringing"] is None and not agent.has("incoming")
    await agent.hangup()
    await answer(center, "101", agent)
    await leave(center, caller)
    row = await books.only_call()
    assert books.told("offers", row, "outcome") == ["answered"]


# --- lines that break -------------------------------------------------------------------------------------------------
async def test_a_caller_whose_agent_is_lost_goes_to_the_head_of_the_queue(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    ear, other_ear = tmp_path / "ear.wav", tmp_path / "other.wav"
    caller = await call(center, phones, record=str(ear))
    await until(lambda: waits_for(center, "sales", 1.5), what="a wait of more than a second")
    lost = await log_in(center, desk, "101", tone_hz=AGENT_HZ)
    await answer(center, "101", lost)
    waited_s = (await center.ask("calls"))[0]["wait_s"]
    assert waited_s >= 1.5
    await heard(ear, AGENT_HZ, 500)
    other = await call(center, phones, name="other", number="+34911000000", record=str(other_ear))
    await center.waiting("sales", 1)
    await desk.vanish()

    await heard(ear, PROMPTS_HZ["cc-call-lost"], 200)
    head, behind = await center.waiting("sales", 2)
    assert (head["caller_number"], behind["caller_number"]) == ("+34911222333", "+34911000000")
    assert head["wait_s"] >= waited_s, "the time waited before is kept"
    assert await center.agent_state("101") in ("back_off", "unreachable")
    saved = await log_in(center, phones, "102", tone_hz=AGENT_HZ)
    before_ms = audio.total_ms(audio.heard(ear, [AGENT_HZ])[AGENT_HZ])
    await answer(center, "102", saved)
    await heard(ear, AGENT_HZ, before_ms + 500)
    await caller.hangup()
    await center.agent_is("102", "wrap_up")
    await answer(center, "102", saved)
    await leave(center, other)

    rescued, second = books.calls()
    assert (rescued["outcome"], rescued["agent"], rescued["ended_by"]) == ("answered", "102", "customer")
    assert second["outcome"] == "answered" and second["agent"] == "102"
    visits = books.of("queue_visits", rescued)
    assert [(v["outcome"], v["agent"]) for v in visits] == [("answered", "101"), ("answered", "102")]
    assert rescued["wait_s"] == pytest.approx(sum(v["wait_s"] for v in visits), abs=0.01)
    talks = [s for s in books.of("segments", rescued) if s["kind"] == "talk"]
    assert [(t["agent"], t["detail"]) for t in talks] == [("101", "agent_lost"), ("102", "customer")]
    assert len(books.of("recordings", rescued)) == 2, "both talks are recorded"
    # In the ear: the agent's tone, the apology, then music or silence, and the second agent.
    spans = audio.heard(ear, [AGENT_HZ, PROMPTS_HZ["cc-call-lost"]])
    apology = spans[PROMPTS_HZ["cc-call-lost"]]
    assert spans[AGENT_HZ][0].end_ms <= apology[0].start_ms and spans[AGENT_HZ][-1].start_ms >= apology[-1].end_ms


async def test_a_waiting_caller_who_vanishes_without_a_word_is_let_go(
    center: Center, books: Ledger, desk: PhoneProcess
) -> None:
    await call(center, desk)
    await center.waiting("sales", 1)
    await desk.vanish()
    await center.waiting("sales", 0, RTP_TIMEOUT_S + PATIENCE_S)
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"]) == ("abandoned", "customer")
    assert row["wait_s"] >= RTP_TIMEOUT_S - 1


async def test_a_talking_caller_who_vanishes_without_a_word_ends_the_talk(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    await call(center, desk)
    await answer(center, "101", agent)
    await desk.vanish()
    await center.agent_is("101", "wrap_up", RTP_TIMEOUT_S + PATIENCE_S)
    await agent.wait("ended")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"]) == ("answered", "customer")
    await center.agent_is("101", "ready")


async def test_a_long_hold_is_not_cut(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    """On hold a phone may send nothing at all, for longer than a silent line may last."""
    ear = tmp_path / "ear.wav"
    agent = await center.agent(desk, "101", tone_hz=AGENT_HZ)
    caller = await call(center, phones, record=str(ear))
    await answer(center, "101", agent)
    await heard(ear, AGENT_HZ, 300)
    before_ms = audio.total_ms(audio.heard(ear, [MUSIC_HZ])[MUSIC_HZ])
    await agent.hold()
    await center.agent_is("101", "on_hold")
    os.kill(desk.pid, signal.SIGSTOP)
    try:
        held_ms = (RTP_TIMEOUT_S * 2 + 1) * 1000
        await heard(ear, MUSIC_HZ, before_ms + held_ms, 20)
        assert await center.agent_state("101") == "on_hold"
    finally:
        os.kill(desk.pid, signal.SIGCONT)
    spoken_ms = audio.total_ms(audio.heard(ear, [AGENT_HZ])[AGENT_HZ])
    await agent.unhold()
    await heard(ear, AGENT_HZ, spoken_ms + 500)
    await center.agent_is("101", "talking")
    await leave(center, caller)
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"]) == ("answered", "customer")
    (hold,) = [s for s in books.of("segments", row) if s["kind"] == "hold"]
    assert hold["duration_s"] >= RTP_TIMEOUT_S * 2
    assert row["talk_s"] > hold["duration_s"]


async def test_session_timers_are_asked_for(center: Center, books: Ledger, phones: PhoneProcess, pbx: Asterisk) -> None:
    """RFC 4028 forbids less than 90 s, so nobody waits here for one to run out: every call is shown to have one."""
    agent = await center.agent(phones, "101")
    caller = await call(center, phones)
    incoming = await agent.wait("incoming")
    headers = incoming["headers"]
    assert isinstance(headers, dict) and headers["session-expires"].split(";")[0] == str(SESSION_EXPIRES_S)
    for endpoint in ("1001", "carrier"):
        told = pbx.cli(f"pjsip show endpoint {endpoint}").splitlines()
        values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in told)}
        assert values["timers_sess_expires"] == str(SESSION_EXPIRES_S) and values["timers"] in ("yes", "true")
        assert (values["rtp_timeout"], values["rtp_timeout_hold"]) == (str(RTP_TIMEOUT_S), "600")
    await leave(center, caller)

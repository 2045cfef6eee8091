"""Campaigns on a real Asterisk with real phones, and another one for the network: every mode, and what becomes of each call."""

from pathlib import Path

import pytest
from harness.calls import heard
from harness.campaigns import OURS, add_leads, attempts, called, dialing, hang_up_all, settled, start, stop
from harness.carrier import Carrier, NetworkCall
from harness.center import AGENT_HZ, Center, Site
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.carrier import HUMAN_HZ, Callee
from ccserver.lab.phones import PhoneProcess

WHO_CALLED_HZ, NEWS_HZ = 2310, 2010
CAMPAIGNS = {
    "winter": {"mode": "progressive"},
    "outcomes": {"mode": "progressive", "retry": {"busy": {"after_s": 1, "tries": 2}}},
    "hunting": {"mode": "progressive"},
    "ahead": {"mode": "power", "lines_per_agent": 3, "safe_harbour": "who-called"},
    "looked_at": {"mode": "preview"},
    "machines": {"mode": "progressive", "amd": "on", "retry": {"machine": {"after_s": 1, "tries": 5}}},
    "news": {"mode": "agentless", "queue": None, "flow": "news", "amd": "on", "voicemail": "news"},
}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    whole = plain.settings()
    for name, hz in (("who-called", WHO_CALLED_HZ), ("news", NEWS_HZ)):
        for language in ("en", "es"):
            audio.write_tone(shared_directory / "prompts" / language / f"{name}.wav", hz, 1500)
    own = {name: {"en": "Example Ltd called you.", "es": "Le llamó Example."} for name in ("who-called", "news")}
    more = {
        **dialing(CAMPAIGNS),
        "prompts": {**whole["prompts"], **own},
        "flows": {
            **whole["flows"],
            "news": {"start": "news", "nodes": {"news": {"say": "news", "next": "bye"}, "bye": {"hang_up": True}}},
        },
        "dids": {**whole["dids"], OURS: {"flow": "sales", "language": "en"}},
        "phones": {
            "1001-1004": {"endpoint": "PJSIP/{number}"},
            "1005-1008": {"endpoint": "PJSIP/{number}", "auto_answer": True},
        },
    }
    return Site(directory=plain.directory, shared=shared_directory, more=more)


async def test_progressive_the_agent_is_there_first_and_both_talk(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "agent.wav"
    number = Callee.HUMAN.number()
    add_leads(center, "winter", [number])
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ, record=str(ear))
    await start(center, "winter")
    await called(center, agent, "winter")
    assert not carrier.calls, "nobody is called before the agent is there"
    await agent.answer()
    call = await carrier.call_to(number)
    assert call.caller == OURS and call.line == "carrier"
    await center.agent_is("101", "talking")
    await heard(ear, HUMAN_HZ, 500)
    await call.heard.hears(AGENT_HZ)
    await agent.hangup()
    await carrier.ended(call)
    (row,) = await settled(center, "winter")
    await stop(center, "winter")
    assert (row["outcome"], row["agent"], row["number"], row["caller_id"]) == ("answered", "101", number, OURS)
    await center.quiet()
    (visit,) = center.rows("SELECT * FROM queue_visits WHERE interaction = ?", row["interaction"])
    assert visit["outcome"] == "answered" and visit["wait_s"] < 2.0
    assert attempts(center, "winter")[0]["state"] == "settled"
    await until(lambda: not carrier.asterisk.channels(), 5, what="a network without calls")


OUTCOMES = {
    Callee.BUSY: ("busy", 17),
    Callee.NO_ANSWER: ("no_answer", None),
    Callee.DECLINES: ("rejected", 21),
    Callee.NO_SUCH_NUMBER: ("no_such_number", 1),
}


async def test_progressive_each_way_not_to_answer_lets_the_agent_go_on_to_the_next_lead(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    add_leads(center, "outcomes", [callee.number() for callee in OUTCOMES])
    agent = await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "outcomes")
    rows = await settled(center, "outcomes", 5, deadline_s=60)
    await stop(center, "outcomes")
    of = {callee: [row for row in rows if row["number"] == callee.number()] for callee in OUTCOMES}
    for callee, (outcome, cause) in OUTCOMES.items():
        assert {row["outcome"] for row in of[callee]} == {outcome}, of
        assert cause is None or of[callee][0]["cause"] == cause
    assert len(of[Callee.BUSY]) == 2, "the rule for busy numbers says one more try"
    assert len(carrier.calls) == 5
    await center.agent_is("105", "ready")
    await center.quiet()
    assert center.rows("SELECT * FROM interactions WHERE outcome = 'not_reached'")
    await agent.wait("ended", 8)


async def test_a_trunk_that_answers_503_is_passed_over_and_a_lead_is_not_used_up(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    number = Callee.HUMAN.number("+349112346")
    await carrier.set_down("carrier", is_down=True)
    add_leads(center, "hunting", [number])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "hunting")
    first, second = await carrier.call_to(number), await carrier.call_to(number)
    assert (first.line, second.line) == ("carrier", "carrier2")
    await center.agent_is("105", "talking")
    await stop(center, "hunting")
    (row,) = attempts(center, "hunting")
    (lead,) = center.rows("SELECT tries FROM leads WHERE id = ?", row["lead"])
    assert lead["tries"] == 1
    await hang_up_all(center)
    await carrier.ended(second)
    (row,) = await settled(center, "hunting")
    assert (row["trunk"], row["outcome"]) == ("spare", "answered")


async def test_ahead_who_finds_no_agent_hears_the_line_then_who_called_and_a_key_ends_all_calls(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    """Two short talks give the account room; then two people answer, and there is one agent."""
    people = [Callee.LEAVES_SOON.number(f"+3491123{n}") for n in (70, 71)]
    presses = [Callee.PRESSES_9.number(f"+3491123{n}") for n in (72, 73, 74, 75)]
    add_leads(center, "ahead", [*people, *presses])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "ahead")
    for number in people:
        call = await carrier.call_to(number, 20)
        await carrier.ended(call, 20)
    told: NetworkCall | None = None

    async def look() -> bool:
        nonlocal told
        rows = [row for row in attempts(center, "ahead") if row["outcome"] == "abandoned"]
        told = next((call for row in rows for call in carrier.calls if call.number == row["number"]), None)
        return told is not None

    await until(look, 40, what="a call that nobody could take")
    await stop(center, "ahead")
    assert told is not None
    assert told.heard.ms(WHO_CALLED_HZ) >= 1000
    entries = center.rows("SELECT number, source FROM do_not_call")
    assert {"number": told.number, "source": "keypad"} in entries
    await hang_up_all(center)
    await center.quiet()


async def test_preview_nobody_is_called_before_the_agent_says_so(
    center: Center, carrier: Carrier, phones: PhoneProcess
) -> None:
    number = Callee.HUMAN.number("+349112347")
    add_leads(center, "looked_at", [number])
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    await start(center, "looked_at")
    await called(center, agent, "looked_at")
    await agent.answer()
    await agent.wait("up")
    assert not carrier.calls
    await agent.dtmf("1")
    call = await carrier.call_to(number, 15)
    await center.agent_is("101", "talking")
    await call.heard.hears(AGENT_HZ)
    await stop(center, "looked_at")
    await agent.hangup()
    await settled(center, "looked_at")
    await center.quiet()


async def test_a_machine_is_told_from_a_person_and_hung_up_on(center: Center, carrier: Carrier, phones: PhoneProcess) -> None:
    machine, person = Callee.MACHINE.number("+349112348"), Callee.HUMAN.number("+349112348")
    add_leads(center, "machines", [machine, person])
    await center.agent(phones, "105", number="1005", answer_after_ms=50)
    await start(center, "machines")
    # On a machine that is busy with other things a first word may be missed: a person who was taken for a machine is called again.
    await center.agent_is("105", "talking", 60)
    await stop(center, "machines")
    call = carrier.calls[-1]
    assert call.number == person
    rows = await settled(center, "machines")
    assert {row["outcome"] for row in rows if row["number"] == machine} == {"machine"}
    await hang_up_all(center)
    await carrier.ended(call)
    await center.quiet()


async def test_agentless_who_agreed_hears_the_flow_and_a_machine_after_its_beep(center: Center, carrier: Carrier) -> None:
    machine, person, other = (
        Callee.MACHINE.number("+349112349"),
        Callee.HUMAN.number("+349112349"),
        Callee.HUMAN.number("+349112340"),
    )
    agreed = {"consent": "automatic", "consent_date": "2026-01-01"}
    add_leads(center, "news", [machine, person], **agreed)
    add_leads(center, "news", [other], key="other")
    await start(center, "news")
    await until(lambda: len(carrier.calls) == 2, 15, what="two calls")
    one, two = sorted(carrier.calls, key=lambda call: call.number == machine)
    await carrier.ended(one, 20)
    await carrier.ended(two, 40)
    assert one.heard.ms(NEWS_HZ) >= 1000 and two.heard.ms(NEWS_HZ) >= 1000
    rows = await settled(center, "news", 2, deadline_s=10)
    await stop(center, "news")
    assert {row["number"]: row["outcome"] for row in rows} == {machine: "machine", person: "answered"}
    assert not [call for call in carrier.calls if call.number == other], "who did not agree is not called"

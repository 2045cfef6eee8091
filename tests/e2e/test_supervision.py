"""Supervisors on a real PBX: tones tell who hears whom in each mode, what is recorded, and that no call is touched."""

import sqlite3
from pathlib import Path
from random import Random

import pytest
from harness.archive import decoded, files_of
from harness.center import CALLER_HZ, Center, Site, password_of, pin_of
from harness.floor import VOICES, Floor, FloorSite, story, talked, transfers, wrapped_up
from harness.ledger import Ledger, Row
from harness.waiting import until

from ccserver.control.client import NotDone
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

LEAD = "103"
LISTEN, WHISPER, BARGE, TAKE_OVER, NEXT = "*61", "*62", "*63", "*64", "*65"
NOTICE_HZ, BEEP_HZ = 2900, 1100
QUIET_MS = 100
"""Of a tone that is not there: a block at the edge of another tone."""


class SupervisedSite(FloorSite):
    """103 may do all to their team: 101 and 102 are of it, 104 is not, and may listen only. All talks are recorded."""

    def settings(self) -> dict[str, object]:
        whole = super().settings()
        for agent in ("101", "102", LEAD):
            whole["agents"][agent]["team"] = "day"
        whole["agents"][LEAD]["role"] = "lead"
        whole["agents"]["104"] = {**Site.settings(self)["agents"]["104"], "skills": {}, "role": "ear", "team": "day"}
        whole["roles"] = {
            "lead": {"may": ["listen", "whisper", "barge", "take_over"], "over": "own_team"},
            "ear": {"may": ["listen"], "over": ["day"]},
        }
        whole["queues"]["sales"]["record"] = True
        whole["queues"]["support"]["supervision_notice"] = "announce"
        whole["recording"]["format"] = "wav"
        return whole


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> SupervisedSite:
    for language in ("en", "es"):
        for prompt, hz in (("cc-supervision-notice", NOTICE_HZ), ("cc-beep", BEEP_HZ)):
            audio.write_tone(shared_directory / "prompts" / language / f"{prompt}.wav", hz, 400)
    return SupervisedSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def supervisor(floor: Floor, agent: str = LEAD, *, logged_in: bool = True) -> Phone:
    """At a phone, not ready for calls."""
    number = f"100{agent[-1]}"
    if logged_in:
        phone = await floor.agent(agent)
        await floor.center.ask("agent.pause", agent=agent, reason="lunch")
        return phone
    phone = await floor._desks.phone(
        number,
        password=password_of(number),
        tone_hz=VOICES[LEAD],
        record=str(floor._sounds / f"{agent}-%.wav"),
        answer_after_ms=50,
    )
    floor.phones[agent] = phone
    return phone


async def mode_is(center: Center, mode: str) -> None:
    async def look() -> bool:
        watches = (await center.overview())["watches"]
        return bool(watches) and watches[0]["mode"] == mode and watches[0]["interaction"] is not None

    await until(look, what=f"a session that does {mode}")


async def no_session(center: Center) -> None:
    async def look() -> bool:
        return not (await center.overview())["watches"]

    await until(look, what="no session")


async def does_not_hear(floor: Floor, listener: str, speaker: str) -> None:
    """While the customer and the agent hear each other for a second more, nothing of `speaker` comes to `listener`."""
    hz = floor.voice(speaker)
    before = floor.ear(listener).ms(hz)
    await floor.hears("customer", "101", ms=1000)
    assert floor.ear(listener).ms(hz) - before <= QUIET_MS, (listener, speaker)


def supervised(center: Center, call: Row) -> list[tuple[str, str, str]]:
    rows = center.rows("SELECT * FROM supervisions WHERE interaction=? ORDER BY started_at, number", call["interaction"])
    return [(row["by"], row["agent"], row["mode"]) for row in rows]


def audited(center: Center, call: Row) -> list[tuple[str, str, int]]:
    rows = center.rows("SELECT * FROM audit WHERE interaction=? ORDER BY at", call["interaction"])
    return [(row["by"], row["act"], row["is_done"]) for row in rows]


async def test_who_hears_whom_in_each_mode_and_what_is_recorded(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    customer = await floor.talk()
    await lead.call(f"{LISTEN}101")
    await mode_is(center, "listen")
    await floor.hears(LEAD, "customer", "101", ms=800)
    await does_not_hear(floor, "customer", LEAD)
    assert floor.ear("101").ms(VOICES[LEAD]) <= QUIET_MS

    await lead.dtmf("5")
    await mode_is(center, "whisper")
    await floor.hears("101", LEAD, ms=1000)
    await floor.hears(LEAD, "customer", "101", ms=500)
    await does_not_hear(floor, "customer", LEAD)

    await lead.dtmf("6")
    await mode_is(center, "barge")
    await floor.hear("customer", "101", LEAD)
    await floor.hears("customer", LEAD, ms=1000)

    await lead.dtmf("4")
    await mode_is(center, "listen")
    await floor.hears(LEAD, "customer", ms=800)
    await does_not_hear(floor, "customer", LEAD)
    await lead.hangup()
    await no_session(center)
    await floor.hear("customer", "101")
    heard_by_customer = floor.ear("customer").ms(VOICES[LEAD])
    await customer.hangup()

    call = await story(books)
    who = f"agent {LEAD}"
    modes = ["listen", "whisper", "barge", "listen"]
    assert supervised(center, call) == [(who, "101", mode) for mode in modes]
    assert audited(center, call) == [(who, mode, 1) for mode in modes]
    (file,) = await files_of(center, call["interaction"])
    whole = await decoded(center, file)
    left, right = ({name: audio.total_ms(spans) for name, spans in named(whole, side).items()} for side in (0, 1))
    assert left["customer"] > 3000 and left["lead"] == left["101"] == 0, (left, right)
    assert right["101"] > 3000 and right["customer"] == 0, (left, right)
    assert 800 <= right["lead"] <= heard_by_customer + 500, (left, right)
    assert len(file.stretches) == 2 and file.detail == ""


def named(path: Path, side: int) -> dict[str, list[audio.Span]]:
    voices = {"customer": CALLER_HZ, "101": VOICES["101"], "lead": VOICES[LEAD]}
    spans = audio.heard(path, voices.values(), side)
    return {name: list(spans[hz]) for name, hz in voices.items()}


async def test_a_whisper_is_in_no_recording(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    customer = await floor.talk()
    await lead.call(f"{WHISPER}101")
    await mode_is(center, "whisper")
    await floor.hears("101", LEAD, ms=1500)
    await does_not_hear(floor, "customer", LEAD)
    await customer.hangup()
    call = await story(books)
    (file,) = await files_of(center, call["interaction"])
    whole = await decoded(center, file)
    assert all(audio.total_ms(named(whole, side)["lead"]) == 0 for side in (0, 1))
    await lead.hangup()


async def test_from_call_to_call_until_the_supervisor_hangs_up(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    await floor.agent("101")
    await lead.call(LISTEN)
    await lead.wait("up")
    await until(floor.ear(LEAD).file.exists, what="the supervisor's call")
    await lead.dtmf("101#")
    for name in ("customer", "customer-2"):
        who, _, number = name.partition("-")
        customer = await floor.customer(name=f"{who}{number}")
        await center.agent_is("101", "talking")
        await floor.hears(LEAD, "customer", "101", ms=500)
        await customer.hangup()
        await center.agent_is("101", "ready")
        before = floor.ear(LEAD).ms(VOICES["101"])
        assert not lead.has("ended")
        assert floor.ear(LEAD).ms(VOICES["101"]) - before <= QUIET_MS, "between two calls there is silence"
    await lead.hangup()
    await no_session(center)
    await books.center.quiet()
    assert [supervised(center, call) for call in books.calls()] == [[(f"agent {LEAD}", "101", "listen")]] * 2


async def test_a_queues_next_call_and_a_prompt_that_all_hear(floor: Floor, books: Ledger, center: Center) -> None:
    ear = await supervisor(floor, "102")
    await floor.agent(LEAD)
    await center.ask("watch.begin", mode="listen", phone="1002", queue="support")
    await ear.wait("up")
    customer = await floor.customer("902")
    await floor.hears("102", "customer", LEAD, ms=500)
    for name in ("customer", LEAD):
        assert audio.total_ms(audio.heard(floor.ear(name).file, [NOTICE_HZ])[NOTICE_HZ]) >= 200, name
    await customer.hangup()
    await ear.wait("ended")
    await no_session(center)
    call = await story(books)
    assert [mode for _, _, mode in supervised(center, call)] == ["listen"]


async def test_a_supervisor_takes_the_customer_over(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    customer = await floor.talk()
    await lead.call(f"{LISTEN}101")
    await mode_is(center, "listen")
    await floor.hears(LEAD, "customer", ms=500)
    await lead.dtmf("9")
    await floor.hear("customer", LEAD)
    await center.agent_is(LEAD, "talking")
    before = floor.ear("customer").ms(VOICES["101"])
    await floor.hears("customer", LEAD, ms=1500)
    assert floor.ear("customer").ms(VOICES["101"]) - before <= QUIET_MS
    await customer.hangup()
    call = await story(books)
    assert transfers(books, call) == [("101", "take_over", LEAD, "done")]
    assert talked(books, call) == ["101", LEAD] and wrapped_up(books, call) == ["101", LEAD]
    assert [mode for _, _, mode in supervised(center, call)] == ["listen", "take_over"]
    (file,) = await files_of(center, call["interaction"])
    whole = await decoded(center, file)
    assert audio.total_ms(named(whole, 1)["lead"]) >= 1500 and audio.total_ms(named(whole, 0)["lead"]) == 0
    assert audio.total_ms(named(whole, 0)["customer"]) >= 2000


async def test_what_a_role_does_not_allow(floor: Floor, books: Ledger, center: Center) -> None:
    customer = await floor.talk()
    ear = await supervisor(floor, "104", logged_in=False)
    await ear.call(f"{LISTEN}101")
    await ear.wait("up")
    await floor.is_told("104", "cc-login-agent")
    await ear.dtmf("104#")
    await floor.is_told("104", "cc-login-pin")
    await ear.dtmf(f"{pin_of('104')}#")
    await mode_is(center, "listen")
    await floor.hears("104", "customer", "101", ms=500)
    await ear.dtmf("6")
    await floor.is_told("104", "cc-not-allowed")
    await mode_is(center, "listen")
    await floor.hears("104", "customer", ms=500)
    assert floor.ear("customer").ms(VOICES[LEAD]) <= QUIET_MS
    await ear.hangup()
    await no_session(center)
    await floor.hear("customer", "101")
    await customer.hangup()
    await story(books)
    refused = center.rows("SELECT * FROM audit WHERE act='barge' AND is_done=0")
    assert [(row["by"], row["agent"]) for row in refused] == [("agent 104", "101")]


async def test_by_the_command_line_with_another_mode_and_an_end(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    customer = await floor.talk()
    await center.ask("watch.begin", mode="whisper", phone="1003", agent="101")
    await mode_is(center, "whisper")
    await floor.hears("101", LEAD, ms=500)
    (session,) = await center.ask("watches")
    await center.ask("watch.mode", session=session["id"], mode="barge")
    await mode_is(center, "barge")
    await floor.hears("customer", LEAD, ms=500)
    with pytest.raises(NotDone):
        await center.ask("watch.mode", session=999, mode="barge")
    await center.ask("watch.stop", session=session["id"])
    await lead.wait("ended")
    await no_session(center)
    await floor.hear("customer", "101")
    await customer.hangup()
    call = await story(books)
    assert [mode for _, _, mode in supervised(center, call)] == ["whisper", "barge"]


async def test_a_killed_daemon_touches_no_call_and_the_session_goes_on(floor: Floor, books: Ledger, center: Center) -> None:
    books.may_repair = True
    lead = await supervisor(floor)
    customer = await floor.talk()
    await lead.call(f"{LISTEN}101")
    await mode_is(center, "listen")
    await floor.hears(LEAD, "customer", ms=500)
    await center.daemon.kill()
    await floor.hear("customer", "101")
    await floor.hears(LEAD, "customer", ms=500)
    await center.restart()
    await mode_is(center, "listen")
    await floor.hears(LEAD, "customer", "101", ms=500)
    await lead.dtmf("5")
    await mode_is(center, "whisper")
    await floor.hears("101", LEAD, ms=500)
    await customer.hangup()
    await center.agent_is("101", "ready")
    assert not lead.has("ended")
    await lead.hangup()
    await no_session(center)
    await story(books)


async def test_a_headset_is_heard_and_its_line_stays(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    headset = await floor.agent("101")
    await headset.call("*18")
    await headset.wait("up")
    await lead.call(f"{LISTEN}101")
    for name in ("customer1", "customer2"):
        await center.agent_is("101", "ready")
        customer = await floor.customer(name=name)
        await center.agent_is("101", "talking")
        await floor.hears(LEAD, "customer", "101", ms=500)
        await customer.hangup()
    await center.agent_is("101", "ready")
    assert not headset.has("ended") and not lead.has("ended")
    await lead.hangup()
    await no_session(center)
    await headset.hangup()


async def test_sessions_that_end_in_any_way_touch_no_call_of_a_busy_center(
    floor: Floor, books: Ledger, center: Center, desk: PhoneProcess
) -> None:
    """Three talks; a supervisor who comes and goes, in every mode, by every way out, faster than anybody would."""
    chance = Random(20261128)
    talks = {}
    for agent, did, name in (("101", "901", "customer1"), ("102", "901", "customer2"), (LEAD, "902", "customer3")):
        await floor.agent(agent)
        talks[agent] = await floor.customer(did, name=name)
        await center.agent_is(agent, "talking")
    phone = await supervisor(floor, "104", logged_in=False)
    for _ in range(25):
        agent, mode = chance.choice(list(talks)), chance.choice(("listen", "whisper", "barge"))
        await center.ask("watch.begin", mode=mode, phone="1004", agent=agent)
        (session,) = await center.ask("watches")
        await phone.wait("up")
        if chance.random() < 0.7:
            await mode_is(center, mode)
            await phone.dtmf(chance.choice("456*#"))
        if chance.random() < 0.5:
            await center.ask("watch.stop", session=session["id"])
        else:
            await phone.hangup()
        await phone.wait("ended")
        await no_session(center)
    for agent, customer in talks.items():
        assert not customer.has("ended") and not floor.phones[agent].has("ended")
        await floor.hears(agent, "customer", ms=300)
        await customer.hangup()
    for agent in talks:
        await center.agent_is(agent, "ready")
    await center.quiet()
    for call, agent in zip(books.calls(), talks, strict=True):
        assert talked(books, call) == [agent] and call["outcome"] == "answered"
    rows = center.rows("SELECT COUNT(*) AS many FROM audit WHERE act IN ('listen', 'whisper', 'barge') AND is_done=1")
    assert rows[0]["many"] >= 25


async def test_a_database_that_stalls_lets_nobody_listen_and_nobody_wait(floor: Floor, books: Ledger, center: Center) -> None:
    lead = await supervisor(floor)
    customer = await floor.talk()
    lock = sqlite3.connect(center.site.directory / "history.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        await lead.call(f"{LISTEN}101")
        await lead.wait("up")
        await floor.is_told(LEAD, "cc-watch-no-record")
        await lead.wait("ended")
        assert not (await center.overview())["watches"]
        with pytest.raises(NotDone, match="audit log"):
            await center.ask("watch.begin", mode="listen", phone="1003", agent="101")
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert floor.ear(LEAD).ms(CALLER_HZ) <= QUIET_MS
    await floor.hear("customer", "101")
    await customer.hangup()
    call = await story(books)
    assert supervised(center, call) == []


async def test_a_killed_asterisk_ends_the_session(floor: Floor, books: Ledger, center: Center) -> None:
    books.may_repair = True
    lead = await supervisor(floor)
    await floor.talk()
    await lead.call(f"{LISTEN}101")
    await mode_is(center, "listen")
    center.pbx.kill()
    center.pbx.restart()
    await no_session(center)

    async def is_over() -> bool:
        return not (await center.overview())["calls"]

    await until(is_over, what="no call is live")
    assert not center.pbx.channels()

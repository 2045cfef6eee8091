"""Messages on a real Asterisk: spoken by a caller, heard by an agent on the phone. The caller's voice is a tone."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import call, carrier, heard, log_in
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Center, Site, password_of, pin_of, write_prompts
from harness.keypad import write_tones
from harness.ledger import Ledger, Row
from harness.waiting import PATIENCE_S, until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

TONES = {
    "tell-us": 1150,
    "cc-message-new": 1270,
    "cc-message-menu": 1390,
    "cc-message-missing": 1510,
    "cc-disposition-ask": 1630,
    "cc-login-agent": 1750,
    "cc-login-pin": 1870,
    "cc-headset-on": 1990,
    "cc-goodbye": 2110,
}
CALLER = "+34911222333"
MESSAGE_DID = "920"
SPOKEN_MS = 2000
RTP_TIMEOUT_S = 3
WRAP_UP_S = 8


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        rtp_timeout_s=RTP_TIMEOUT_S,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    queues = {"sales": {"ring_timeout_s": 4, "wrap_up_s": WRAP_UP_S}}
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=queues)
    written: dict[str, Any] = plain.settings()
    more = {
        "flows": {
            **written["flows"],
            "message": {"start": "leave", "nodes": {"leave": {"message": "sales", "say": "tell-us"}}},
        },
        "dids": {**written["dids"], MESSAGE_DID: {"flow": "message", "language": "en"}},
        "prompts": {**written["prompts"], "tell-us": {"en": "a tone", "es": "un tono"}},
    }
    return dataclasses.replace(plain, more=more)


def tone_ms(ear: Path, hz: int) -> float:
    return audio.total_ms(audio.heard(ear, [hz])[hz]) if ear.exists() else 0


async def leaves_a_message(center: Center, phones: PhoneProcess, name: str = "caller") -> Path:
    """Somebody calls, speaks for two seconds, and hangs up. The file."""
    folder = center.site.shared / "rec"
    before = set(folder.glob("message-*.wav"))
    caller = await call(center, phones, MESSAGE_DID, name, number=CALLER)

    def spoken() -> list[Path]:
        return [path for path in folder.glob("message-*.wav") if path not in before and tone_ms(path, CALLER_HZ) >= SPOKEN_MS]

    (path,) = await until(spoken, what="a message of the caller")
    await caller.hangup()
    return path


async def rung(phone: Phone, deadline_s: float = PATIENCE_S) -> None:
    """The display says that it is a message, and from whom."""
    incoming = await phone.wait("incoming", deadline_s)
    shown = str(incoming["headers"])
    assert "Message:" in shown and CALLER.removeprefix("+") in shown, shown


async def hears_the_message(ear: Path, times: int = 1) -> None:
    """The caller's voice, and the menu after it, so many times since the phone answered."""
    await heard(ear, CALLER_HZ, round(times * SPOKEN_MS * 0.9))
    await heard(ear, TONES["cc-message-menu"], times * 400)


def message_of(books: Ledger) -> Row:
    _, message = books.calls()[:2]
    assert message["kind"] == "message"
    return message


async def test_a_message_waits_for_an_agent_who_hears_it_twice_and_wraps_it_up(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    path = await leaves_a_message(center, phones)
    (waiting,) = await center.waiting("sales", 1)
    assert (waiting["kind"], waiting["caller_number"]) == ("message", CALLER)
    live = await center.ask("call.show", interaction=waiting["number"])
    assert (live["kind"], live["message"]) == ("message", str(path))
    ear = tmp_path / "ear.wav"
    agent = await log_in(center, phones, "101", record=str(ear))
    await rung(agent)
    await agent.answer()
    await heard(ear, TONES["cc-message-new"], 300)
    await center.agent_is("101", "talking")
    await hears_the_message(ear)
    await agent.dtmf("1")
    await hears_the_message(ear, times=2)
    await agent.dtmf("3")
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await center.agent_is("101", "wrap_up")
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.agent_is("101", "ready")
    await center.quiet()
    left, message = books.calls()
    assert (left["kind"], left["outcome"]) == ("voice", "left_message")
    assert (message["parent"], message["outcome"], message["ended_by"]) == (left["interaction"], "answered", "agent")
    assert (message["agent"], message["disposition"]) == ("101", "sold") and message["talk_s"] > 4
    assert books.told("queue_visits", message, "outcome") == ["answered"]
    assert not books.of("recordings", message)
    notices = center.rows("SELECT kind, data FROM notices WHERE interaction = ? ORDER BY number", message["interaction"])
    assert [n["kind"] for n in notices] == ["queued", "ringing", "answered", "ended"]
    assert all(str(path) in n["data"] for n in notices)


async def test_nobody_answers_and_the_next_agent_hears_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    first = await center.agent(phones, "101")
    second = await center.agent(phones, "102", record=str(ear))
    await leaves_a_message(center, phones)
    await rung(first)
    assert not second.has("incoming")
    await rung(second)
    await second.answer()
    await hears_the_message(ear)
    await second.hangup()
    await center.agent_is("102", "wrap_up")
    await center.quiet(WRAP_UP_S + PATIENCE_S)
    message = message_of(books)
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", message)] == [("101", "missed"), ("102", "answered")]
    assert (message["outcome"], message["ended_by"]) == ("answered", "agent"), "who has heard it and hangs up is done"


async def test_who_hangs_up_at_once_has_not_taken_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    first = await center.agent(phones, "101")
    second = await center.agent(phones, "102", record=str(ear))
    await leaves_a_message(center, phones)
    await rung(first)
    await first.answer()
    await first.wait("up")
    await first.hangup()
    await rung(second)
    await second.answer()
    await hears_the_message(ear)
    await second.dtmf("3")
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await second.dtmf("2")
    await second.wait("ended")
    await center.quiet()
    message = message_of(books)
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", message)] == [("101", "missed"), ("102", "answered")]
    assert books.told("queue_visits", message, "outcome") == ["answered"]
    kinds = center.rows("SELECT kind FROM notices WHERE interaction = ?", message["interaction"])
    assert "message_missing" not in [n["kind"] for n in kinds], "who hangs up while it plays does not make the file missing"


async def test_two_calls_the_customer_back_and_joins_them_with_the_agent(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    ear, customer_ear = tmp_path / "ear.wav", tmp_path / "customer.wav"
    customer = await carrier(desk, tone_hz=CALLER_HZ, record=str(customer_ear))
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ, record=str(ear))
    await leaves_a_message(center, phones)
    await rung(agent)
    await agent.answer()
    await hears_the_message(ear)
    await agent.dtmf("2")
    incoming: Any = (await customer.wait("incoming"))["headers"]
    assert incoming["to"].startswith(f"<sip:{CALLER}@127.0.0.2"), incoming
    before_ms = tone_ms(ear, CALLER_HZ)
    await customer.answer()
    await heard(customer_ear, AGENT_HZ, 500)
    await heard(ear, CALLER_HZ, round(before_ms) + 500)
    await center.agent_is("101", "talking")
    assert agent.count("incoming") == 1, "on the same leg"
    await customer.hangup()
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.quiet()
    _, message, called = books.calls()
    assert (message["kind"], message["outcome"], message["disposition"]) == ("message", "answered", None)
    assert (called["kind"], called["parent"], called["outcome"]) == ("callback", message["interaction"], "answered")
    assert (called["agent"], called["disposition"]) == ("101", "sold")
    (evidence,) = books.callbacks()
    assert (evidence["call"], evidence["number"], evidence["outcome"]) == (message["interaction"], CALLER, "done")


async def test_a_daemon_that_is_killed_while_an_agent_listens_tells_it_again(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "101", record=str(ear))
    await leaves_a_message(center, phones)
    await rung(agent)
    await agent.answer()
    await heard(ear, CALLER_HZ, 800)
    await center.agent_is("101", "talking")
    await center.daemon.kill()
    await heard(ear, MUSIC_HZ, 500)
    heard_ms = tone_ms(ear, CALLER_HZ)
    await center.restart()
    await heard(ear, CALLER_HZ, round(heard_ms + SPOKEN_MS * 0.9))
    await center.agent_is("101", "talking")
    await heard(ear, TONES["cc-message-menu"], 300)
    await agent.dtmf("3")
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.quiet()
    message = message_of(books)
    assert books.told("queue_visits", message, "outcome") == ["answered"] and message["disposition"] == "sold"


async def test_a_line_that_breaks_leaves_it_to_the_next_agent(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    ear, lost_ear = tmp_path / "ear.wav", tmp_path / "lost.wav"
    lost = await center.agent(desk, "101", record=str(lost_ear))
    await leaves_a_message(center, phones)
    await rung(lost)
    await lost.answer()
    await center.agent_is("101", "talking")
    await desk.vanish()
    await center.waiting("sales", 1, RTP_TIMEOUT_S + PATIENCE_S)
    agent = await log_in(center, phones, "102", record=str(ear))
    await rung(agent)
    await agent.answer()
    await hears_the_message(ear)
    await agent.dtmf("3")
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.quiet()
    message = message_of(books)
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", message)] == [("101", "answered"), ("102", "answered")]
    assert books.told("queue_visits", message, "outcome") == ["answered", "answered"] and message["agent"] == "102"


async def test_a_file_that_is_gone_is_told_to_the_agent_and_in_a_notice(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    path, ear = await leaves_a_message(center, phones), tmp_path / "ear.wav"
    await center.waiting("sales", 1)
    path.unlink()
    agent = await log_in(center, phones, "101", record=str(ear))
    await rung(agent)
    await agent.answer()
    await heard(ear, TONES["cc-message-missing"], 300)
    await heard(ear, TONES["cc-message-menu"], 300)
    await agent.dtmf("3")
    await heard(ear, TONES["cc-disposition-ask"], 300)
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.quiet()
    kinds = center.rows("SELECT kind FROM notices WHERE interaction = ?", message_of(books)["interaction"])
    assert "message_missing" in [n["kind"] for n in kinds]


async def test_a_supervisor_ends_one_that_nobody_is_to_hear(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    path = await leaves_a_message(center, phones)
    (waiting,) = await center.waiting("sales", 1)
    await center.ask("call.hangup", interaction=waiting["number"])
    await center.quiet()
    assert message_of(books)["outcome"] == "abandoned" and path.is_file(), "the file stays"


async def test_a_headset_hears_it_on_its_line_and_types_the_disposition(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    line = await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ, record=str(ear))
    await line.call("*18")
    for prompt, typed in (("cc-login-agent", "101#"), ("cc-login-pin", f"{pin_of('101')}#")):
        await heard(ear, TONES[prompt], 300)
        await line.dtmf(typed)
    await center.agent_is("101", "ready")
    await leaves_a_message(center, phones)
    await heard(ear, TONES["cc-message-new"], 300)
    await hears_the_message(ear)
    await center.agent_is("101", "talking")
    await line.dtmf("3")
    await center.agent_is("101", "wrap_up")
    await until(lambda: "holding_bridge" in center.pbx.cli("bridge show all"), what="a parked line")
    await line.dtmf("2")
    await center.agent_is("101", "ready")
    assert line.count("ended") == 0 and line.count("incoming") == 0
    await leaves_a_message(center, phones, "second")
    await hears_the_message(ear, times=2)
    await line.hangup()
    await center.agent_is("101", "wrap_up")
    await center.quiet(WRAP_UP_S + PATIENCE_S)
    messages = [row for row in books.calls() if row["kind"] == "message"]
    assert [(m["outcome"], m["disposition"]) for m in messages] == [("answered", "other"), ("answered", None)]


# --- the daemon is killed while they speak --------------------------------------------------------------------------------
async def speaks(center: Center, phones: PhoneProcess, ear: Path) -> tuple[Phone, Path]:
    """A caller who has spoken for two seconds, and speaks on."""
    before = set((center.site.shared / "rec").glob("message-*.wav"))
    caller = await call(center, phones, MESSAGE_DID, number=CALLER, record=str(ear))

    def begun() -> list[Path]:
        new = set((center.site.shared / "rec").glob("message-*.wav")) - before
        return [path for path in new if tone_ms(path, CALLER_HZ) >= SPOKEN_MS]

    (path,) = await until(begun, what="a message of the caller")
    return caller, path


async def one_message(center: Center, books: Ledger, path: Path) -> Row:
    """It waits, and goes on waiting after another kill; then nobody is to hear it. Its record."""
    for _ in range(2):
        (waiting,) = await center.waiting("sales", 1)
        live = await center.ask("call.show", interaction=waiting["number"])
        assert (live["kind"], live["message"], live["caller"]) == ("message", str(path), CALLER)
        await center.daemon.kill()
        await center.restart()
    (waiting,) = await center.waiting("sales", 1)
    await center.ask("call.hangup", interaction=waiting["number"])
    await center.quiet()
    left, message = books.calls()
    assert left["outcome"] == "left_message" and message["parent"] == left["interaction"]
    (record,) = center.rows("SELECT * FROM messages WHERE interaction = ?", left["interaction"])
    assert record["path"] == str(path) and abs(record["duration_s"] * 1000 - tone_ms(path, CALLER_HZ)) < 500
    return record


async def test_who_speaks_and_hangs_up_while_the_daemon_is_dead_has_left_a_message(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    caller, path = await speaks(center, phones, tmp_path / "ear.wav")
    await center.daemon.kill()
    spoken_ms = tone_ms(path, CALLER_HZ)
    await until(lambda: tone_ms(path, CALLER_HZ) >= spoken_ms + 1000, what="a recording that goes on")
    await caller.hangup()
    await until(lambda: not center.pbx.channels(), what="no channel")
    await center.restart()
    record = await one_message(center, books, path)
    assert record["duration_s"] * 1000 >= spoken_ms + 900


async def test_who_ends_a_message_while_the_daemon_is_dead_is_thanked_afterwards(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    caller, path = await speaks(center, phones, ear)
    await center.daemon.kill()
    await caller.dtmf("#")
    await heard(ear, MUSIC_HZ, 500)
    asked_ms = tone_ms(ear, TONES["tell-us"])
    await center.restart()
    await heard(ear, TONES["cc-goodbye"], 300)
    await caller.wait("ended")
    assert tone_ms(ear, TONES["tell-us"]) <= asked_ms + 100, "not asked again"
    await one_message(center, books, path)


async def test_who_speaks_on_until_after_the_restart_is_thanked(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    caller, path = await speaks(center, phones, ear)
    await center.daemon.kill()
    await center.restart()
    spoken_ms = tone_ms(path, CALLER_HZ)
    await until(lambda: tone_ms(path, CALLER_HZ) >= spoken_ms + 1000, what="a recording that goes on")
    assert not (await center.overview())["queues"][0]["messages_waiting"]
    await caller.dtmf("#")
    await heard(ear, TONES["cc-goodbye"], 300)
    await caller.wait("ended")
    assert tone_ms(ear, TONES["tell-us"]) < 1500, "asked once"
    record = await one_message(center, books, path)
    assert record["duration_s"] * 1000 >= spoken_ms + 900

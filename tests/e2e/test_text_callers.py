"""Callers who need text: they reach the agents who can serve them, and what of their text Asterisk carries.

A text telephone (TTY) sends tones. Here both ends are phones that play and record such tones, and what was recorded is read as
a TTY reads it: through the join of a call, in its recording, and in a menu. Real-time text (T.140) is offered and refused.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness import tty
from harness.archive import recording_of
from harness.calls import call, heard, leave
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, PROMPTS_HZ, Center, Site, write_prompts
from harness.ledger import Ledger
from harness.text_phone import Medium, TextPhone
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import Trunk
from ccserver.lab.phones import Phone, PhoneProcess

SALES, FOR_TEXT, BY_CHOICE, ASKED = "901", "940", "941", PROMPTS_HZ["language"]
TEXT_LINE = "127.0.0.13"
WITH_TEXT, WITHOUT = "103", "101"
QUESTION = "DEAF. ORDER 4711-B? GA"
ANSWER = "IT LEFT 27 NOV, 9:30 GA"
AUDIO = ["m=audio 20000 RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000"]
T140 = ["m=text 20002 RTP/AVP 98 100", "a=rtpmap:98 t140/1000", "a=rtpmap:100 red/1000", "a=fmtp:100 98/98/98"]


@pytest.fixture(scope="module")
def more_trunks() -> tuple[Trunk, ...]:
    """A line that allows real-time text, as far as Asterisk lets it."""
    return (Trunk(name="text", address=TEXT_LINE, more=("allow = alaw,t140,red",)),)


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory, 600)
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
    """101 and 103 sell; only 103 has a text telephone."""
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues={"sales": {"wrap_up_s": 0.2}})
    whole: dict[str, Any] = made.settings()
    whole["agents"][WITH_TEXT]["skills"]["tty"] = 50
    ask = {"menu": "language", "choices": {"1": "text", "2": "voice"}, "timeout_s": 5, "tries": 1}
    by_choice = {
        "ask": {**ask, "on_no_input": "voice", "on_invalid": "voice"},
        "text": {"set": {"requires": "tty"}, "next": "voice"},
        "voice": {"enqueue": "sales"},
    }
    made.more = {
        "agents": whole["agents"],
        "skills": {**whole["skills"], "tty": "Text telephone"},
        "flows": {**whole["flows"], "by_choice": {"start": "ask", "nodes": by_choice}},
        "dids": {
            **whole["dids"],
            FOR_TEXT: {"flow": "sales", "language": "en", "requires": "tty"},
            BY_CHOICE: {"flow": "by_choice", "language": "en"},
        },
    }
    return made


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """What the agent and the customer hear."""
    yield tmp_path / "agent.wav", tmp_path / "customer.wav"


async def is_read(ear: Path, phone: Phone, text: str, bit_ms: float = tty.US_BIT_MS) -> None:
    """The phone sends the text as a TTY does, and a TTY that hears what `ear` heard prints exactly that.

    Sent up to three times, as people do: on a busy machine packets come late, and a late packet costs a character.
    """
    path = tty.write(ear.with_name(f"{phone.name}-says.wav"), text, bit_ms)
    for _ in range(3):
        await phone.play(path)
        with suppress(AssertionError):
            return await until(lambda: text in tty.heard(ear, bit_ms).text, seconds(path) + 1, what=text)
    raise AssertionError(f"{text!r} was read as {tty.heard(ear, bit_ms)}")


def seconds(path: Path) -> float:
    rate, (samples,) = audio.read(path)
    return len(samples) / rate


# --- who serves them --------------------------------------------------------------------------------------------------
async def two_agents(center: Center, phones: PhoneProcess, **fields: object) -> tuple[Phone, Phone]:
    """With and without a text telephone. The other one is ready for longer, so calls of everybody go there."""
    other = await center.agent(phones, WITHOUT)
    return await center.agent(phones, WITH_TEXT, **fields), other


async def test_a_number_for_text_callers_rings_who_has_a_text_telephone(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    agent, other = await two_agents(center, phones)
    caller = await call(center, phones, FOR_TEXT)
    await agent.wait("incoming")
    await leave(center, caller)
    caller = await call(center, phones, SALES, "voice")
    await other.wait("incoming")
    assert agent.count("incoming") == 1 and other.count("incoming") == 1
    await leave(center, caller)


async def test_a_choice_in_the_menu_does_the_same_and_waits_for_such_an_agent(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    other = await center.agent(phones, WITHOUT)
    caller = await call(center, phones, BY_CHOICE)
    await caller.dtmf("1")
    await center.waiting("sales", 1)
    assert not other.has("incoming"), "who cannot read the caller's text is not rung"
    await center.ask("agent.login", agent=WITH_TEXT, phone="1003")
    agent = await phones.phone("1003", password="secret-1003")
    await agent.wait("incoming")
    await leave(center, caller)
    caller = await call(center, phones, BY_CHOICE, "voice")
    await caller.dtmf("2")
    await other.wait("incoming")
    await leave(center, caller)


# --- text telephones: tones in the audio --------------------------------------------------------------------------------
@pytest.mark.parametrize("bit_ms", [tty.US_BIT_MS, tty.WORLD_BIT_MS], ids=["45.45 baud", "50 baud"])
async def test_a_text_telephone_is_read_at_both_ends_and_in_the_recording(
    center: Center, books: Ledger, phones: PhoneProcess, ears: tuple[Path, Path], bit_ms: float
) -> None:
    agent_ear, customer_ear = ears
    agent = await center.agent(phones, WITH_TEXT, answer_after_ms=50, record=str(agent_ear))
    caller = await call(center, phones, FOR_TEXT, tone_hz=0, record=str(customer_ear))
    await center.agent_is(WITH_TEXT, "talking")
    await is_read(agent_ear, caller, QUESTION, bit_ms)
    await is_read(customer_ear, agent, ANSWER, bit_ms)
    await leave(center, caller)
    await agent.wait("ended")
    stereo = await recording_of(center, (await books.only_call())["interaction"])
    assert QUESTION in tty.heard(stereo, bit_ms, 0).text and ANSWER in tty.heard(stereo, bit_ms, 1).text


async def test_both_may_send_at_once(center: Center, books: Ledger, phones: PhoneProcess, ears: tuple[Path, Path]) -> None:
    """Each way is a channel of its own, so who interrupts does not garble the other, as it does on an analogue line."""
    agent_ear, customer_ear = ears
    agent = await center.agent(phones, WITH_TEXT, answer_after_ms=50, record=str(agent_ear))
    caller = await call(center, phones, FOR_TEXT, tone_hz=0, record=str(customer_ear))
    await center.agent_is(WITH_TEXT, "talking")
    await asyncio.gather(is_read(agent_ear, caller, QUESTION), is_read(customer_ear, agent, ANSWER))
    await leave(center, caller)


async def test_a_hold_does_not_change_the_text_after_it(
    center: Center, books: Ledger, phones: PhoneProcess, ears: tuple[Path, Path]
) -> None:
    agent_ear, customer_ear = ears
    agent = await center.agent(phones, WITH_TEXT, answer_after_ms=50, record=str(agent_ear), tone_hz=AGENT_HZ)
    caller = await call(center, phones, FOR_TEXT, tone_hz=0, record=str(customer_ear))
    await center.agent_is(WITH_TEXT, "talking")
    await heard(customer_ear, AGENT_HZ, 300)
    before_ms = audio.total_ms(audio.heard(customer_ear, [MUSIC_HZ])[MUSIC_HZ])
    await agent.hold()
    await heard(customer_ear, MUSIC_HZ, before_ms + 500)
    await agent.unhold()
    before_ms = audio.total_ms(audio.heard(customer_ear, [AGENT_HZ])[AGENT_HZ])
    await heard(customer_ear, AGENT_HZ, before_ms + 300)
    await is_read(agent_ear, caller, QUESTION)
    await leave(center, caller)


async def test_a_prompt_is_no_text_for_a_text_telephone(
    center: Center, books: Ledger, phones: PhoneProcess, ears: tuple[Path, Path]
) -> None:
    """A caller with a TTY cannot read a spoken menu: nothing of it is printed. So such callers want a number of their own."""
    _, ear = ears
    caller = await call(center, phones, BY_CHOICE, tone_hz=CALLER_HZ, record=str(ear))
    await center.waiting("sales", 1)
    assert tty.heard(ear).text == ""
    await leave(center, caller)


# --- real-time text -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("local", ["127.0.0.2", TEXT_LINE], ids=["a usual line", "a line that allows t140"])
async def test_real_time_text_is_refused_and_the_voice_of_the_call_is_not(
    center: Center, books: Ledger, pbx: Asterisk, local: str
) -> None:
    phone = await TextPhone.open(local)
    code, media = await phone.call(SALES, [*AUDIO, *T140])
    assert code == 200
    voice, text = media
    assert (voice.kind, voice.formats) == ("audio", ("8", "101")) and voice.port > 0
    assert text == Medium(kind="text", port=0, formats=("98", "100")), "port 0: this medium is refused"
    await center.waiting("sales", 1)
    phone.hang_up()
    await center.quiet()
    phone.close()


@pytest.mark.parametrize("local", ["127.0.0.2", TEXT_LINE], ids=["a usual line", "a line that allows t140"])
async def test_a_call_of_text_alone_is_refused_unanswered(center: Center, books: Ledger, pbx: Asterisk, local: str) -> None:
    phone = await TextPhone.open(local)
    assert await phone.call(SALES, T140) == (488, [])
    phone.close()
    await center.quiet()
    assert not books.calls()

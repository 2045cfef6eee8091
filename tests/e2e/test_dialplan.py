"""The dialplan alone, on a real Asterisk: what callers and phones get with the daemon away, and what the daemon gets.

The daemon's part is played by a FastAGI of a few lines, so a failure here is one of the dialplan.
"""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from conftest import AGI_PORT, password_of
from harness.fastagi import FastAgi, Session
from harness.observer import Observer
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues, BadAsteriskValue, render
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

MUSIC_HZ, UNAVAILABLE_HZ, FALLBACK_HZ = 480, 850, 1250
CALLER_HZ, AGENT_HZ = 620, 1030
LEG = "cc1-000001-00000001"


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    audio.write_tone(shared_directory / "unavailable.wav", UNAVAILABLE_HZ, 800)
    audio.write_tone(shared_directory / "fallback.wav", FALLBACK_HZ, 800)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        unavailable_prompt=str(shared_directory / "unavailable"),
        fallback_prompt=str(shared_directory / "fallback"),
        fallback_after_s=5,
        qualify_s=2,
        emergency_numbers=("112", "911"),
    )


async def desk_phone(phones: PhoneProcess, number: str, **fields: object) -> Phone:
    return await phones.phone(number, password=password_of(number), **fields)


async def a_caller(phones: PhoneProcess, tmp_path: Path, **fields: object) -> Phone:
    return await phones.trunk_caller(
        "caller", number="+15551234", tone_hz=CALLER_HZ, record=str(tmp_path / "caller.wav"), **fields
    )


async def ring_agent(ami: Observer, caller: str, recording: str = "", leg: str = LEG) -> None:
    answer = await ami.act(
        "Originate",
        ["CC_CALLER=" + caller, "CC_REC=" + recording, "CC_LEG=" + leg, "__TRANSFER_CONTEXT=cc-xfer"],
        Channel="PJSIP/1001",
        ChannelId=leg,
        Context="cc-agent",
        Exten="ring",
        Priority=1,
        CallerID='"Sales" <+15551234>',
        Async="true",
        Timeout=5000,
    )
    assert answer["Response"] == "Success", answer


async def joined(ami: Observer) -> None:
    """Wait until caller and agent are both in one bridge."""
    await ami.wait("BridgeEnter", BridgeNumChannels="2")


async def heard_after(file: Path, hz: int, at_least_ms: int) -> None:
    """Wait until a recording that is still written holds so much of a tone."""
    await until(
        lambda: file.exists() and audio.total_ms(audio.heard(file, [hz])[hz]) >= at_least_ms,
        8,
        what=f"{at_least_ms} ms of {hz} Hz in {file.name}",
    )


async def test_without_daemon_a_caller_hears_music_then_the_fallback(
    pbx: Asterisk, phones: PhoneProcess, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    await caller.call("5551000")
    up = await caller.wait("up")
    ended = await caller.wait("ended")
    await phones.close()
    assert 5.0 <= float(str(ended["at"])) - float(str(up["at"])) <= 10.0
    spans = audio.heard(tmp_path / "caller.wav", [MUSIC_HZ, FALLBACK_HZ])
    assert audio.total_ms(spans[MUSIC_HZ]) >= 4000
    assert audio.longest_gap_ms(spans[MUSIC_HZ]) <= 300, spans[MUSIC_HZ]
    assert audio.total_ms(spans[FALLBACK_HZ]) >= 500
    assert spans[FALLBACK_HZ][0].start_ms >= spans[MUSIC_HZ][-1].start_ms


async def test_without_daemon_a_phone_calls_a_phone(pbx: Asterisk, phones: PhoneProcess, tmp_path: Path) -> None:
    first = await desk_phone(phones, "1001", tone_hz=CALLER_HZ, record=str(tmp_path / "1001.wav"))
    second = await desk_phone(phones, "1002", tone_hz=AGENT_HZ, record=str(tmp_path / "1002.wav"), answer_after_ms=50)
    await first.call("1002")
    incoming = await second.wait("incoming")
    await first.wait("up")
    await heard_after(tmp_path / "1001.wav", AGENT_HZ, 400)
    await heard_after(tmp_path / "1002.wav", CALLER_HZ, 400)
    await first.hangup()
    await second.wait("ended")
    assert "<sip:1001@" in str(incoming["headers"])


async def the_carrier(phones: PhoneProcess) -> Phone:
    return await phones.phone(
        "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060, answer_after_ms=0
    )


@pytest.mark.parametrize(("dialled", "at_the_carrier"), [("112", "112"), ("911", "911"), ("0112", "112")])
async def test_without_daemon_emergency_calls_reach_the_carrier_and_are_told(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, dialled: str, at_the_carrier: str
) -> None:
    carrier = await the_carrier(phones)
    desk = await desk_phone(phones, "1001")
    await desk.call(dialled)
    incoming = await carrier.wait("incoming")
    await desk.wait("up")
    told = await ami.wait("UserEvent", UserEvent="CCEmergency")
    assert (told["To"], told["Channel"].partition("-")[0]) == (at_the_carrier, "PJSIP/1001")
    await desk.hangup()
    await carrier.wait("ended")
    headers = incoming["headers"]
    assert isinstance(headers, dict)
    assert headers["to"].startswith(f"<sip:{at_the_carrier}@127.0.0.2"), headers


async def test_without_daemon_an_outside_call_is_refused_in_words(pbx: Asterisk, phones: PhoneProcess, tmp_path: Path) -> None:
    """Nobody can say whether this phone may: the site's value is no."""
    carrier = await the_carrier(phones)
    desk = await desk_phone(phones, "1001", record=str(tmp_path / "1001.wav"))
    await desk.call("05551234")
    await desk.wait("ended")
    assert not carrier.has("incoming")
    await phones.close()
    assert audio.total_ms(audio.heard(tmp_path / "1001.wav", [UNAVAILABLE_HZ])[UNAVAILABLE_HZ]) >= 500


async def test_without_daemon_somebody_at_a_phone_can_hear_themselves(
    pbx: Asterisk, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await desk_phone(phones, "1001", tone_hz=AGENT_HZ, record=str(tmp_path / "1001.wav"))
    await desk.call("*43")
    await desk.wait("up")
    await heard_after(tmp_path / "1001.wav", AGENT_HZ, 400)
    await desk.hangup()


@pytest.mark.parametrize(
    ("dialled", "script", "at_the_carrier"),
    [("1002", "dial?to=1002", None), ("05551234", "dial?outside=5551234", "5551234")],
)
async def test_the_daemon_is_asked_about_a_phones_own_call_and_refuses_or_lets_it_go_on(
    pbx: Asterisk, phones: PhoneProcess, dialled: str, script: str, at_the_carrier: str | None
) -> None:
    carrier = await the_carrier(phones)
    colleague = await desk_phone(phones, "1002", answer_after_ms=0)
    desk = await desk_phone(phones, "1001")
    other = carrier if at_the_carrier else colleague
    async with FastAgi(AGI_PORT) as agi:
        await desk.call(dialled)
        refused = await agi.next()
        assert refused.script == script
        await refused.command("SET VARIABLE CC_CAUSE 21")
        await refused.next_is("bye")
        refused.close()
        await desk.wait("ended", code=403)
        assert not other.has("incoming")
        await desk.call(dialled)
        allowed = await agi.next()
        await allowed.next_is("dial")
        allowed.close()
        headers = (await other.wait("incoming"))["headers"]
        await desk.wait("up")
        if at_the_carrier:
            assert isinstance(headers, dict)
            assert headers["to"].startswith(f"<sip:{at_the_carrier}@127.0.0.2"), headers
        await desk.hangup()
        await other.wait("ended")


async def test_without_daemon_a_feature_code_says_unavailable(pbx: Asterisk, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await desk_phone(phones, "1001", record=str(tmp_path / "1001.wav"))
    await desk.call("*12")
    await desk.wait("up")
    await desk.wait("ended")
    await phones.close()
    assert audio.total_ms(audio.heard(tmp_path / "1001.wav", [UNAVAILABLE_HZ])[UNAVAILABLE_HZ]) >= 500


async def test_a_feature_code_reaches_the_daemon(pbx: Asterisk, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await desk_phone(phones, "1001", record=str(tmp_path / "1001.wav"))
    async with FastAgi(AGI_PORT) as agi:
        await desk.call("*12*7")
        session = await agi.next()
        assert (session.secret, session.script) == ("agi-secret-1", "feature?code=12*7")
        assert session.request["agi_callerid"] == "1001"
        await session.next_is("bye")
        session.close()
        await desk.wait("ended")
    await phones.close()
    assert not audio.loud(tmp_path / "1001.wav")


async def test_caller_and_agent_hear_each_other_and_are_recorded_apart(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path, shared_directory: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001", tone_hz=AGENT_HZ, record=str(tmp_path / "agent.wav"), answer_after_ms=300)
    recording = shared_directory / "apart"
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("+15551000")
        session = await agi.next()
        assert session.place == "inbound"
        assert await session.command("GET VARIABLE CC_DID") == "200 result=1 (+15551000)"
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await heard_after(tmp_path / "caller.wav", MUSIC_HZ, 500)
        await ring_agent(ami, session.channel, str(recording))
        shown = (await agent.wait("incoming"))["headers"]
        assert isinstance(shown, dict)
        assert "+15551234" in shown["from"] and "Sales" in shown["from"]
        await joined(ami)
        await heard_after(tmp_path / "caller.wav", AGENT_HZ, 1000)
        await heard_after(tmp_path / "agent.wav", CALLER_HZ, 1000)
        await waiting
        # The agent hangs up: the caller comes back to the daemon at once, not by way of the music.
        await agent.hangup()
        again = await agi.next(1.0)
        assert again.place == "inbound"
        assert again.request["agi_uniqueid"] == session.request["agi_uniqueid"]
        await again.next_is("bye")
        again.close()
        await caller.wait("ended")
    await phones.close()
    spans = audio.heard(tmp_path / "caller.wav", [MUSIC_HZ, AGENT_HZ])
    assert spans[AGENT_HZ][0].start_ms - spans[MUSIC_HZ][-1].end_ms <= 200, "a gap between music and agent"
    for part, own, other in (("caller", CALLER_HZ, AGENT_HZ), ("agent", AGENT_HZ, CALLER_HZ)):
        found = audio.heard(shared_directory / f"apart-{part}.wav", [own, other])
        assert audio.total_ms(found[own]) >= 900, (part, found)
        assert audio.total_ms(found[other]) == 0, (part, found)
    lengths = [len(audio.read(shared_directory / f"apart-{part}.wav")[1][0]) for part in ("caller", "agent")]
    assert abs(lengths[0] - lengths[1]) <= 800, "the two files are kept in step"


async def test_the_agents_leg_is_kept_for_wrap_up_when_the_caller_hangs_up(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001", answer_after_ms=100)
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await ring_agent(ami, session.channel)
        await joined(ami)
        await waiting
        await caller.hangup()
        wrap_up = await agi.next(2.0)
        assert wrap_up.script == f"wrapup?leg={LEG}"
        ended = await ami.wait("UserEvent", UserEvent="CCBridgeEnd")
        assert (ended["Leg"], ended["Result"]) == (LEG, "SUCCESS")
        # The disposition key, typed on the leg that was kept.
        asked = asyncio.create_task(wrap_up.command("WAIT FOR DIGIT 3000"))
        await agent.dtmf("7")
        assert await asked == f"200 result={ord('7')}"
        wrap_up.close()
        await agent.wait("ended")


async def test_a_caller_who_is_gone_when_the_agent_answers_leaves_no_leg(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001")
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await ring_agent(ami, session.channel)
        await agent.wait("incoming")
        await caller.hangup()
        await caller.wait("ended")
        await waiting
        await agent.answer()
        await agent.wait("up")
        await agent.wait("ended")


async def test_a_redirect_to_an_extension_that_does_not_exist_comes_back(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        for context in ("cc-call", "cc-from-trunk", "cc-xfer", "cc-agent", "cc-phones", "cc-overflow"):
            waiting = asyncio.create_task(session.hold_the_line())
            await caller.wait("up") if context == "cc-call" else None
            answer = await ami.act("Redirect", Channel=session.channel, Context=context, Exten="nowhere", Priority=1)
            assert answer["Response"] == "Success"
            back = await agi.next(3.0)
            assert back.request["agi_uniqueid"] == session.request["agi_uniqueid"], context
            await waiting
            session = back
        await session.next_is("bye")
        session.close()
        await caller.wait("ended")


async def test_a_caller_outlives_the_daemon_and_hears_music_meanwhile(
    pbx: Asterisk, phones: PhoneProcess, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)

    async with FastAgi(AGI_PORT) as first:
        await caller.call("5551000")
        session = await first.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await heard_after(tmp_path / "caller.wav", MUSIC_HZ, 600)
        await first.stop()
        await waiting
    await heard_after(tmp_path / "caller.wav", MUSIC_HZ, 2500)
    async with FastAgi(AGI_PORT) as second:
        back = await second.next(3.0)
        assert back.request["agi_uniqueid"] == session.request["agi_uniqueid"]
        await back.next_is("bye")
        back.close()
        await caller.wait("ended")
    await phones.close()
    music = audio.heard(tmp_path / "caller.wav", [MUSIC_HZ])[MUSIC_HZ]
    assert audio.longest_gap_ms(music) <= 300, music


async def test_after_a_conversation_a_caller_without_daemon_is_not_kept(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001", tone_hz=AGENT_HZ, answer_after_ms=100)
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await ring_agent(ami, session.channel)
        await joined(ami)
        await waiting
        await agi.stop()
    # Nobody notices that the daemon has gone.
    await heard_after(tmp_path / "caller.wav", AGENT_HZ, 800)
    await agent.hangup()
    await caller.wait("ended", 5)


async def test_a_caller_kept_after_a_conversation_waits_with_music_again(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    """The agent's line is lost, the daemon puts the caller back into the queue, and then dies itself."""
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001", answer_after_ms=100)
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await ring_agent(ami, session.channel)
        await joined(ami)
        await waiting
        await agent.hangup()
        kept = await agi.next(1.0)
        waiting = asyncio.create_task(kept.hold_the_line())
        before = audio.total_ms(audio.loud(tmp_path / "caller.wav"))
        await heard_after(tmp_path / "caller.wav", MUSIC_HZ, before + 500)
        await agi.stop()
        await waiting
    await heard_after(tmp_path / "caller.wav", MUSIC_HZ, before + 2500)
    assert not caller.has("ended")
    await caller.hangup()


async def test_a_caller_overflows_to_an_extension_and_comes_back_when_nobody_answers(
    pbx: Asterisk, phones: PhoneProcess, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    desk = await desk_phone(phones, "1001", answer_code=486)

    async def overflow(session: Session) -> None:
        await session.command('SET VARIABLE CC_GOTO "cc-overflow,1001,1"')
        await session.next_is("goto")
        session.close()

    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        await overflow(session)
        await desk.wait("ended", code=486)
        back = await agi.next()
        assert back.request["agi_uniqueid"] == session.request["agi_uniqueid"]
        await desk.set(answer_code=200, answer_after_ms=0)
        await overflow(back)
        await caller.wait("up")
        await desk.hangup()
        await caller.wait("ended")


async def test_a_parked_leg_waits_and_is_joined_by_the_daemon(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await a_caller(phones, tmp_path)
    agent = await desk_phone(phones, "1001", tone_hz=AGENT_HZ, answer_after_ms=0)
    async with FastAgi(AGI_PORT) as agi:
        await ami.act(
            "Originate",
            ["CC_LEG=" + LEG],
            Channel="PJSIP/1001",
            ChannelId=LEG,
            Context="cc-agent",
            Exten="park",
            Priority=1,
            Async="true",
            Timeout=5000,
        )
        parked = await ami.wait("UserEvent", UserEvent="CCParked", Leg=LEG)
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        answer = await ami.act("Bridge", Channel1=session.channel, Channel2=parked["Channel"], Tone="no")
        assert answer["Response"] == "Success", answer
        await heard_after(tmp_path / "caller.wav", AGENT_HZ, 500)
        await waiting
        await caller.hangup()
        # The leg is not lost with the caller: it waits for the next one.
        await ami.wait("UserEvent", UserEvent="CCParked", Leg=LEG)
        assert not agent.has("ended")
        await agent.hangup()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ami_secret", "good-secret\nwrite = all"),
        ("agi_secret", "secret;comment"),
        ("agi_secret", "short"),
        ("outside_trunk", "carrier,60)\nexten => 1,1,System(x"),
        ("emergency_numbers", ("112", "1,1,Answer()")),
        ("internal_patterns", ("1XXX!",)),
        ("recordings_directory", "/tmp/a\x00b"),
        ("unavailable_prompt", "sorry,skip"),
        ("agi_address", "0.0.0.0"),
        ("session_expires_s", 60),
    ],
)
def test_a_value_that_would_change_the_meaning_of_a_file_is_refused(tmp_path: Path, name: str, value: object) -> None:
    good = AsteriskValues(ami_secret="ami-secret-1", agi_secret="agi-secret-1")
    with pytest.raises(BadAsteriskValue, match=name):
        render(dataclasses.replace(good, **{name: value}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_with_a_secret_are_for_their_owner_only(tmp_path: Path) -> None:
    written = render(AsteriskValues(ami_secret="ami-secret-1", agi_secret="agi-secret-1"), tmp_path)
    secret = {path.name for path in written if "secret-1" in path.read_text(encoding="utf-8")}
    assert secret == {"ccserver-manager.conf", "ccserver-extensions.conf"}
    for path in written:
        assert "${SITE_" not in path.read_text(encoding="utf-8"), path
        assert (path.stat().st_mode & 0o777) == (0o600 if path.name in secret else 0o644), path

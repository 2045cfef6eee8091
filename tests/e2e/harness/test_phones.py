"""The instruments themselves: reactions to the millisecond, phones that vanish, hold, digits, a PBX that is killed."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from conftest import AGI_PORT, password_of

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import Trunk
from ccserver.lab.phones import Event, PhoneFailed, PhoneProcess
from harness.fastagi import FastAgi
from harness.observer import Observer
from harness.waiting import until

MUSIC_HZ, CALLER_HZ, AGENT_HZ = 480, 620, 1030
TONES = "127.0.0.12"
LEG = "cc1-000002-00000001"


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        rtp_timeout_s=2,
        qualify_s=2,
    )


@pytest.fixture(scope="module")
def more_trunks() -> tuple[Trunk, ...]:
    return (Trunk(name="tones", address=TONES, dtmf_mode="inband"),)


def at_ms(event: Event) -> float:
    return float(str(event["at"])) * 1000


def contacts_on_disk(pbx: Asterisk) -> str:
    """What a killed Asterisk will find again, as one text."""
    with contextlib.closing(sqlite3.connect(pbx.plan.directory / "db" / "astdb.sqlite3")) as astdb:
        return repr(astdb.execute("select key from astdb where key like '/registrar/contact/%'").fetchall())


async def test_a_reaction_comes_at_its_millisecond(pbx: Asterisk, phones: PhoneProcess) -> None:
    """The caller's hang-up, so many ms after the other phone has begun to ring: what the sweep stands on."""
    caller = await phones.phone("1001", password=password_of("1001"))
    called = await phones.phone("1002", password=password_of("1002"))
    late: list[float] = []
    for after_ms in range(20, 120, 10):
        await caller.on_event({"event": "incoming", "phone": "1002"}, {"do": "hangup", "phone": "1001", "after_ms": after_ms})
        await caller.call("1002")
        rang = await called.wait("incoming")
        ended = await called.wait("ended")
        await caller.wait("ended")
        late.append(at_ms(ended) - at_ms(rang) - after_ms)
    assert not phones.trouble
    assert min(late) >= 0, "none came early; how late they are is the machine's load"


async def test_digits_arrive_by_audio_events_and_by_info(pbx: Asterisk, phones: PhoneProcess) -> None:
    caller = await phones.trunk_caller("caller", number="+15551234")
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        await session.command("EXEC Answer 0,i")
        await caller.wait("up")
        for method, digit in (("rfc4733", "5"), ("info", "8"), ("rfc4733", "#")):
            asked = asyncio.create_task(session.command("WAIT FOR DIGIT 3000"))
            await caller.dtmf(digit, method=method)
            assert await asked == f"200 result={ord(digit)}", method
        await session.next_is("bye")
        session.close()
        await caller.wait("ended")


@pytest.mark.parametrize(("local", "offers_events"), [(TONES, True), ("127.0.0.2", False)], ids=["inband", "auto"])
async def test_keys_that_are_tones_arrive_where_the_line_is_listened_to(
    pbx: Asterisk, phones: PhoneProcess, local: str, offers_events: bool
) -> None:
    """Asterisk listens for tones on a line that says so, and on one that says `auto` when the phone knows nothing else."""
    caller = await phones.trunk_caller(
        "caller", number="+15551234", local=local, offers_events=offers_events, tone_hz=CALLER_HZ
    )
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        await session.command("EXEC Answer 0,i")
        await caller.wait("up")
        await caller.dtmf("5*0", method="inband")
        for digit in "5*0":
            assert await session.command("WAIT FOR DIGIT 3000") == f"200 result={ord(digit)}"
        await session.next_is("bye")
        session.close()
        await caller.wait("ended")


async def test_a_phone_that_vanishes_is_noticed_and_a_hold_is_not_cut(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    caller = await phones.trunk_caller("caller", number="+15551234", tone_hz=CALLER_HZ, record=str(tmp_path / "caller.wav"))
    async with await PhoneProcess.start() as elsewhere, FastAgi(AGI_PORT) as agi:
        agent = await elsewhere.phone("1001", password=password_of("1001"), local="127.0.0.5", answer_after_ms=0)
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        await ami.act(
            "Originate",
            ["CC_CALLER=" + session.channel, "CC_LEG=" + LEG],
            Channel="PJSIP/1001",
            ChannelId=LEG,
            Context="cc-agent",
            Exten="ring",
            Priority=1,
            Async="true",
        )
        await ami.wait("BridgeEnter", BridgeNumChannels="2")
        await waiting
        await agent.hold()
        await ami.wait("Hold")
        # Longer than the RTP time-out of 2 s: the music is what the customer hears for 3 s of it.
        before = audio.total_ms(audio.heard(tmp_path / "caller.wav", [MUSIC_HZ])[MUSIC_HZ])
        await until(lambda: audio.total_ms(audio.heard(tmp_path / "caller.wav", [MUSIC_HZ])[MUSIC_HZ]) >= before + 3000)
        assert not agent.has("ended")
        await agent.unhold()
        await ami.wait("Unhold")
        await elsewhere.vanish()
        with pytest.raises(PhoneFailed):
            await agent.hangup()
        gone = await ami.wait("Hangup", Uniqueid=LEG)
        assert gone["Cause"] == "44", "the RTP time-out has a cause of its own"
        back = await agi.next(2.0)
        assert back.request["agi_uniqueid"] == session.request["agi_uniqueid"]
        await back.next_is("bye")
        back.close()
        await caller.wait("ended")


async def test_the_longest_talk_ends_the_conversation(pbx: Asterisk, phones: PhoneProcess, ami: Observer) -> None:
    caller = await phones.trunk_caller("caller", number="+15551234", tone_hz=CALLER_HZ)
    agent = await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ, answer_after_ms=0)
    async with FastAgi(AGI_PORT) as agi:
        await caller.call("5551000")
        session = await agi.next()
        waiting = asyncio.create_task(session.hold_the_line())
        await caller.wait("up")
        leg = LEG[:-1] + "2"
        await ami.act(
            "Originate",
            ["CC_CALLER=" + session.channel, "CC_LEG=" + leg, "CC_MAX=1"],
            Channel="PJSIP/1001",
            ChannelId=leg,
            Context="cc-agent",
            Exten="ring",
            Priority=1,
            Async="true",
        )
        joined = await ami.wait("BridgeEnter", BridgeNumChannels="2")
        await waiting
        parted = await ami.wait("BridgeLeave")
        assert 0.9 <= float(parted["_at"]) - float(joined["_at"]) <= 1.6
        after = [await agi.next(2.0), await agi.next(2.0)]
        assert sorted(each.place for each in after) == ["inbound", "wrapup"]
        assert f"wrapup?leg={leg}" in [each.script for each in after]
        for each in after:
            await each.next_is("bye")
            each.close()
        await caller.wait("ended")
        await agent.wait("ended")


async def test_asterisks_own_record_tells_the_conversation(pbx: Asterisk) -> None:
    """After the tests above, each conversation has its BRIDGE_ENTER of an agent's leg in the CEL file."""
    record = (pbx.plan.directory / "log" / "cel-custom" / pbx.plan.values.cel_file).read_text(encoding="utf-8")
    rows = [line for line in record.splitlines() if line.startswith('"BRIDGE_ENTER"') and '"cc-agent"' in line]
    assert any(f'"{LEG}"' in row for row in rows), record[-2000:]


async def test_an_asterisk_that_is_killed_comes_back_with_its_registrations(pbx: Asterisk, phones: PhoneProcess) -> None:
    agent = await phones.phone("1003", password=password_of("1003"), answer_after_ms=0)
    # A registration is in the file about a second after the 200; killed before, Asterisk forgets the phone.
    await until(lambda: "1003" in contacts_on_disk(pbx), what="the contact of 1003 in astdb")
    pbx.kill()
    assert not pbx.is_running
    pbx.start()
    assert "1003/sip:1003@127.0.0.4" in pbx.cli("pjsip show contacts")
    ami = await Observer.connect(pbx.plan.values.ami_port)
    await ami.reachable("1003")
    await ami.act("Originate", Channel="PJSIP/1003", Application="Wait", Data="5", Async="true")
    await agent.wait("up")
    await agent.hangup()
    await ami.close()

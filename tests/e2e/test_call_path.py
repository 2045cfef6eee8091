"""The way of a call on a real Asterisk: menu, queue, desk phone, talk, recording, wrap-up, history."""

from pathlib import Path

from harness.archive import recording_of
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, PROMPTS_HZ, Center
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess


async def test_a_call_finds_the_right_desk_phone_is_recorded_and_is_on_record(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    agent_ear, caller_ear = tmp_path / "agent.wav", tmp_path / "caller.wav"
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ, record=str(agent_ear))
    caller = await center.caller(phones, display="Zoë Müller", record=str(caller_ear))
    await caller.call("sip:900@127.0.0.1")
    await caller.wait("up")
    await until(lambda: audio.total_ms(audio.heard(caller_ear, [PROMPTS_HZ["language"]])[PROMPTS_HZ["language"]]) > 100)
    await caller.dtmf("1")
    await until(lambda: audio.total_ms(audio.heard(caller_ear, [PROMPTS_HZ["department"]])[PROMPTS_HZ["department"]]) > 100)
    await caller.dtmf("1")

    incoming = await agent.wait("incoming")
    shown = str(incoming["headers"])
    assert "+34911222333" in shown and "Sales" in shown
    await agent.answer()
    await center.agent_is("101", "talking")
    await until(lambda: audio.total_ms(audio.heard(agent_ear, [CALLER_HZ])[CALLER_HZ]) >= 1500)
    await until(lambda: audio.total_ms(audio.heard(caller_ear, [AGENT_HZ])[AGENT_HZ]) >= 1500)
    await caller.hangup()
    await center.agent_is("101", "wrap_up")
    await until(lambda: audio.total_ms(audio.heard(agent_ear, [1630])[1630]) > 100, what="the question for a disposition")
    await agent.dtmf("1")
    await agent.wait("ended")
    await center.agent_is("101", "ready")
    await center.quiet()

    call = await center.row("SELECT * FROM interactions ORDER BY interaction DESC LIMIT 1")
    assert (call["outcome"], call["agent"], call["disposition"], call["ended_by"], call["queue"]) == (
        "answered",
        "101",
        "sold",
        "customer",
        "sales",
    )
    assert call["caller_number"] == "+34911222333" and call["did"] == "900"
    kinds = [
        row["kind"] for row in center.rows("SELECT kind FROM segments WHERE interaction=? ORDER BY number", call["interaction"])
    ]
    assert kinds == ["menu", "ring", "wait", "talk", "wrap_up"]
    stereo = await recording_of(center, call["interaction"])
    left, right = (audio.heard(stereo, [CALLER_HZ, AGENT_HZ], channel) for channel in (0, 1))
    assert audio.total_ms(left[CALLER_HZ]) > 1000 and audio.total_ms(left[AGENT_HZ]) == 0
    assert audio.total_ms(right[AGENT_HZ]) > 1000 and audio.total_ms(right[CALLER_HZ]) == 0
    assert not center.rows("SELECT * FROM repairs") and not center.rows("SELECT * FROM faults")


async def test_a_caller_who_waits_hears_position_and_music(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    await center.log_everybody_out()
    ear = tmp_path / "ear.wav"
    caller = await center.caller(phones, record=str(ear))
    await caller.call("sip:901@127.0.0.1")
    await caller.wait("up")
    await center.waiting("sales", 1)
    await until(lambda: audio.total_ms(audio.heard(ear, [MUSIC_HZ])[MUSIC_HZ]) >= 1000)
    await caller.hangup()
    await center.quiet()
    row = await center.row("SELECT * FROM queue_visits ORDER BY interaction DESC LIMIT 1")
    assert row["outcome"] == "abandoned"

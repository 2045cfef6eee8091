"""What agents do from the keypad of a real desk phone: every answer is heard, every digit is typed as DTMF."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.center import AGENT_HZ, CALLER_HZ, Center, Site, pin_of, write_prompts
from harness.health import is_healthy
from harness.keypad import Desk, hears_so_far, prompts_in, signed_in, talk
from harness.waiting import until

from ccserver.agi.secrets import hash_pin
from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

# Long enough that neither can stand in a time or a number by chance.
LONG_PIN = "7305918264"
WRONG_PIN = "4168029357"
KEYPAD_PROMPT_MS = 600
LOCK_S = 6.0
SALES_WRAP_UP_S, SUPPORT_WRAP_UP_S = 20, 2


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    # Spoken the moment the call is answered: a phone on a busy machine is late to listen.
    write_prompts(shared_directory, KEYPAD_PROMPT_MS)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
        unavailable_prompt=str(shared_directory / "prompts" / "en" / "cc-unavailable"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Agent 101 has a long PIN; 1008 is a phone of the house, but not of the center."""
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"wrap_up_s": SALES_WRAP_UP_S}, "support": {"wrap_up_s": SUPPORT_WRAP_UP_S}},
    )
    agents = made.settings()["agents"]
    agents["101"]["pin_hash"] = hash_pin(LONG_PIN)
    made.more = {
        "agents": agents,
        "limits": {"max_pin_tries": 3, "pin_lock_s": LOCK_S},
        "phones": {"1001-1007": {"endpoint": "PJSIP/{number}"}},
    }
    return made


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: Site, runner: asyncio.Runner) -> Iterator[Center]:
    """The daemon with its trace on, so that the trace can be searched for PINs too."""
    running = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    yield running
    assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


async def phone_of(center: Center, agent: str) -> str | None:
    shown = await center.overview()
    return next(a["phone"] for a in shown["agents"] if a["id"] == agent)


@pytest.fixture(autouse=True)
def _clean(center: Center, runner: asyncio.Runner) -> None:
    """Each test begins with nobody logged in."""
    runner.run(center.log_everybody_out())


async def test_log_in_with_pin_and_out(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await Desk.open(phones, "1001", tmp_path)
    await desk.dials("16", hears="cc-not-logged-in")
    await desk.dials("11", ("cc-login-agent", "101#"), ("cc-login-pin", f"{LONG_PIN}#"), hears="cc-login-done")
    await center.agent_is("101", "ready")
    assert await phone_of(center, "101") == "PJSIP/1001"
    await desk.dials("16", hears="cc-state-ready")
    await desk.dials("98", hears="cc-invalid-code")
    await desk.dials("12", hears="cc-logged-out")
    await center.agent_is("101", "logged_out")
    await desk.dials("12", hears="cc-not-logged-in")
    await is_healthy(center)
    states = [
        (row["state"], row["phone"])
        for row in center.rows("SELECT * FROM agent_states WHERE agent='101' ORDER BY started_at DESC LIMIT 8")
    ]
    assert ("ready", "PJSIP/1001") in states


async def test_wrong_pins_lock_the_account_for_a_while(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await Desk.open(phones, "1001", tmp_path)
    # An agent who does not exist is asked for a PIN too, so nobody learns which numbers are agents.
    await desk.dials("11777", ("cc-login-pin", "1234#"), hears="cc-login-failed")
    for _ in range(3):
        await desk.dials("11101", ("cc-login-pin", f"{WRONG_PIN}#"), hears="cc-login-failed")
    await desk.dials("11101", hears="cc-login-locked")
    assert await center.agent_state("101") == "logged_out"
    # Somebody else is not locked out by it.
    await desk.dials("11102", ("cc-login-pin", f"{pin_of('102')}#"), hears="cc-login-done")
    await desk.dials("12", hears="cc-logged-out")

    async def is_let_in() -> bool:
        ear = await desk.fresh_recording()
        await desk.phone.call("*11101")
        await desk.phone.wait("up")
        await until(lambda: prompts_in(ear))
        if prompts_in(ear) == ["cc-login-locked"]:
            await desk.phone.wait("ended")
            return False
        await desk.phone.dtmf(f"{LONG_PIN}#")
        await desk.phone.wait("ended")
        await hears_so_far(ear, ["cc-login-pin", "cc-login-done"])
        return True

    await until(is_let_in, LOCK_S + 10, what="the end of the lock")
    await center.agent_is("101", "ready")
    await is_healthy(center)


async def test_not_ready_for_a_reason_and_ready_again(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await signed_in(center, phones, "102", tmp_path)
    await desk.dials("131", hears="cc-not-ready")
    await center.agent_is("102", "not_ready")
    await desk.dials("16", hears="cc-state-not-ready")
    await desk.dials("14", hears="cc-ready")
    await center.agent_is("102", "ready")
    await desk.dials("13", ("cc-not-ready-reason", "9"), hears="cc-not-ready")
    await center.agent_is("102", "not_ready")
    await desk.dials("14", hears="cc-ready")
    await desk.dials("13", ("cc-not-ready-reason", "5"), hears="cc-reason-unknown")
    await desk.dials("137", hears="cc-reason-unknown")
    await center.agent_is("102", "ready")  # an unknown reason changes nothing
    await is_healthy(center)
    reasons = [row["reason"] for row in center.rows("SELECT * FROM agent_states WHERE agent='102' AND state='not_ready'")]
    assert reasons == ["lunch", "missed"]


async def test_a_phone_of_others_and_a_caller_from_outside_have_no_codes(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await Desk.open(phones, "1008", tmp_path)
    await desk.dials("11101", hears="cc-not-allowed")
    outsider = await center.caller(phones)
    await outsider.call("sip:*11101@127.0.0.1")
    ended = await outsider.wait("ended")
    assert not outsider.has("up") and ended["code"] == 404
    await is_healthy(center)


async def test_an_agent_is_an_account_and_not_a_phone(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    first = await signed_in(center, phones, "103", tmp_path, tone_hz=AGENT_HZ)
    second = await Desk.open(phones, "1005", tmp_path, answer_after_ms=50, tone_hz=AGENT_HZ)
    await second.dials("11103", ("cc-login-pin", f"{pin_of('103')}#"), hears="cc-login-done")
    assert await phone_of(center, "103") == "PJSIP/1005"
    await first.dials("16", hears="cc-not-logged-in")
    await second.dials("11104", ("cc-login-pin", f"{pin_of('104')}#"), hears="cc-login-phone-in-use")
    assert await center.agent_state("104") == "logged_out"

    caller = await talk(center, phones, second, "103")
    assert not first.phone.has("incoming"), "the call goes where the agent is"
    await first.dials("11103", ("cc-login-pin", f"{pin_of('103')}#"), hears="cc-will-move")
    assert await phone_of(center, "103") == "PJSIP/1005", "the move waits for the end of the work"
    await second.phone.hangup()
    await caller.wait("ended")
    await second.dials("15", hears="cc-wrap-up-ended")
    assert await phone_of(center, "103") == "PJSIP/1003"
    await is_healthy(center)
    offer = await center.row("SELECT * FROM offers ORDER BY offered_at DESC LIMIT 1")
    assert (offer["agent"], offer["phone"], offer["outcome"]) == ("103", "PJSIP/1005", "answered")


async def test_wrap_up_is_told_disposed_of_and_ended_by_code(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, tone_hz=AGENT_HZ)
    await desk.dials("15", hears="cc-nothing-to-do")
    await desk.dials("171", hears="cc-nothing-to-do")

    caller = await talk(center, phones, desk, "101")
    await desk.phone.hangup()
    await caller.wait("ended")
    await center.agent_is("101", "wrap_up")
    await desk.dials("16", hears="cc-state-wrap-up")
    await desk.dials("179", hears="cc-disposition-unknown")
    assert await center.agent_state("101") == "wrap_up", "an unknown code ends nothing"
    await desk.dials("171", hears="cc-disposition-done")
    await center.agent_is("101", "ready")
    await center.quiet()
    assert (await last_call(center))["disposition"] == "sold"

    caller = await talk(center, phones, desk, "101")
    await desk.phone.hangup()
    await caller.wait("ended")
    await center.agent_is("101", "wrap_up")
    await desk.dials("15", hears="cc-wrap-up-ended")
    await center.agent_is("101", "ready")
    await is_healthy(center)
    call = await last_call(center)
    assert (call["disposition"], call["ended_by"], call["outcome"]) == (None, "agent", "answered")
    wrap_up = await center.row("SELECT * FROM segments WHERE kind='wrap_up' ORDER BY started_at DESC LIMIT 1")
    assert 0 < wrap_up["duration_s"] < SALES_WRAP_UP_S


async def last_call(center: Center) -> dict[str, object]:
    return await center.row("SELECT * FROM interactions ORDER BY interaction DESC LIMIT 1")


async def test_the_kept_leg_takes_a_key_and_ends_with_the_wrap_up(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, tone_hz=AGENT_HZ)
    ear = await desk.fresh_recording()
    caller = await talk(center, phones, desk, "101")
    await until(lambda: audio.total_ms(audio.heard(ear, [CALLER_HZ])[CALLER_HZ]) >= 500, what="the customer's voice")
    await caller.hangup()
    await hears_so_far(ear, ["cc-disposition-ask"])
    await desk.phone.dtmf("9")
    await hears_so_far(ear, ["cc-disposition-ask", "cc-disposition-unknown"])
    assert await center.agent_state("101") == "wrap_up"
    await desk.phone.dtmf("2")
    await desk.phone.wait("ended")
    await hears_so_far(ear, ["cc-disposition-ask", "cc-disposition-unknown", "cc-disposition-done"])
    await center.agent_is("101", "ready")
    await center.quiet()
    call = await last_call(center)
    assert (call["disposition"], call["ended_by"]) == ("other", "customer")

    ear = await desk.fresh_recording()
    caller = await talk(center, phones, desk, "101", "902")
    await caller.hangup()
    await hears_so_far(ear, ["cc-disposition-ask"])
    await desk.phone.wait("ended", SUPPORT_WRAP_UP_S + 4)
    await center.agent_is("101", "ready")
    await is_healthy(center)
    call = await last_call(center)
    assert (call["disposition"], call["queue"]) == (None, "support")
    wrap_up = await center.row("SELECT * FROM segments WHERE kind='wrap_up' ORDER BY started_at DESC LIMIT 1")
    assert SUPPORT_WRAP_UP_S - 0.1 <= wrap_up["duration_s"] <= SUPPORT_WRAP_UP_S + 1


async def test_what_is_asked_during_a_talk_is_done_after_it(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await signed_in(center, phones, "102", tmp_path, tone_hz=AGENT_HZ)
    caller = await talk(center, phones, desk, "102", "902")
    await desk.dials("16", hears="cc-state-talking")
    await desk.dials("131", hears="cc-will-pause")
    assert await center.agent_state("102") == "talking"
    await desk.phone.hangup()
    await caller.wait("ended")
    await center.agent_is("102", "not_ready")
    await desk.dials("14", hears="cc-ready")

    caller = await talk(center, phones, desk, "102", "902")
    await desk.dials("12", hears="cc-will-log-out")
    await desk.phone.hangup()
    await caller.wait("ended")
    await center.agent_is("102", "logged_out")
    await is_healthy(center)


async def test_keys_by_sip_info_are_keys_too(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await Desk.open(phones, "1004", tmp_path)
    await desk.dials("11", ("cc-login-agent", "101#"), ("cc-login-pin", f"{LONG_PIN}#"), hears="cc-login-done", method="info")
    await center.agent_is("101", "ready")
    await desk.dials("13", ("cc-not-ready-reason", "1"), hears="cc-not-ready", method="info")
    await center.agent_is("101", "not_ready")
    await is_healthy(center)


async def test_without_the_daemon_phones_work_and_codes_say_that_they_do_not(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, tone_hz=AGENT_HZ)
    await desk.dials("131", hears="cc-not-ready")
    other = await signed_in(center, phones, "102", tmp_path)
    carrier = await phones.phone(
        "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060, answer_after_ms=0
    )
    assert await center.daemon.stop() == 0
    try:
        await desk.dials("16", hears="cc-unavailable")
        await desk.dials("11101", hears="cc-unavailable")
        await desk.calls("0600111222", hears="cc-unavailable")  # nobody can say whether this phone may
        assert not carrier.has("incoming")
        await desk.phone.call("112")
        incoming = await carrier.wait("incoming")
        await desk.phone.wait("up")
        await desk.phone.hangup()
        await carrier.wait("ended")
        assert "sip:112@127.0.0.2" in str(incoming["headers"])
        ear = await other.fresh_recording()
        await desk.phone.call("1002")
        await other.phone.wait("up")
        await until(lambda: audio.total_ms(audio.heard(ear, [AGENT_HZ])[AGENT_HZ]) >= 500, what="the colleague's voice")
        await desk.phone.hangup()
        await other.phone.wait("ended")
    finally:
        await center.restart()
    await center.agent_is("101", "not_ready")
    await center.agent_is("102", "ready")
    await desk.dials("16", hears="cc-state-not-ready")
    await is_healthy(center)


async def test_no_pin_is_kept_anywhere(center: Center, phones: PhoneProcess, pbx: Asterisk, tmp_path: Path) -> None:
    """After right and wrong PINs by both kinds of DTMF: not in journal, log, SQL, trace or Asterisk's own logs, whole or key by key."""
    desk = await Desk.open(phones, "1006", tmp_path)
    await desk.dials("11101", ("cc-login-pin", f"{WRONG_PIN}#"), hears="cc-login-failed")
    await desk.dials("11101", ("cc-login-pin", f"{LONG_PIN}#"), hears="cc-login-done", method="info")
    await is_healthy(center)
    files = [
        path
        for top in (center.site.directory, pbx.plan.directory / "log", pbx.plan.directory / "spool", center.site.shared)
        for path in top.rglob("*")
        if path.is_file() and path.suffix != ".wav"
    ]
    names = {path.name for path in files}
    folders = {part for path in files for part in path.parts}
    assert {"daemon.log", "history.db", "full"} <= names and {"journal", "trace"} <= folders, files
    told = b""
    for path in files:
        content = path.read_bytes()
        for pin in (LONG_PIN.encode(), WRONG_PIN.encode()):
            assert pin not in content, path
        told += b"".join(re.findall(rb'(?:digits?|key|dtmf)"?\s*[:=]\s*"?([0-9*#]+)', content, re.IGNORECASE))
    assert b"11101" in told, "what was dialled stands in the journal: the search finds digits"
    assert LONG_PIN.encode() not in told and WRONG_PIN.encode() not in told, "one key after the other is a PIN as well"

"""Administrators' functions with real calls: they speak and ask, raise, hang, and lose their caller; other calls go on meanwhile.

Each flow runs one function. Its word leads to the tone `paid`, its failure exit to `cc-unavailable`.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from harness.center import PROMPTS_HZ, Center, Site
from harness.observer import Observer
from harness.passages import enters, newest, types, walked
from harness.waiting import PATIENCE_S, until

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

WELCOME, ASK, GOOD, FAILED, OTHER = (
    PROMPTS_HZ[prompt] for prompt in ("welcome", "department", "paid", "cc-unavailable", "cc-closed")
)
LIMIT_S = 2.0
LONG_MS = 3500
"""Of the prompt that a script is in the middle of when its time is over."""
SCRIPTS = """
    import logging, pathlib, time
    from asterisk.agi import AGIHangup
    from ccserver.scripts import Result

    HERE = pathlib.Path(__file__).parent.parent

    def ask(agi, call):
        agi.stream_file("welcome")
        digits = agi.get_data("department", 4000, 4)
        print("asked", call.number, call.did)
        return Result("good" if digits == "0123" else "bad", digits=digits, caller=call.caller_number)

    def key(agi, call):
        agi.stream_file("welcome", "12")
        agi.set_variable("CALLERID(name)", 'Ana "la" \\\\ uno')
        assert agi.get_variable("CALLERID(name)") == 'Ana "la" \\\\ uno', agi.get_variable("CALLERID(name)")
        return "good" if agi.wait_for_digit(3000) == "2" else "bad"

    def raises(agi, call):
        pin = agi.get_data("welcome", 3000, 6)
        raise ValueError(f"no {pin}")

    def loops(agi, call):
        while True:
            try:
                sum(range(1000))
            except Exception:
                pass

    def sleeps(agi, call):
        time.sleep(9)

    def speaks(agi, call):
        agi.stream_file("long")
        (HERE / "spoke").write_text("it went on")

    def waits(agi, call):
        agi.wait_for_digit(-1)

    def stays(agi, call):
        try:
            while True:
                agi.wait_for_digit(1000)
        except AGIHangup:
            (HERE / f"left-{call.number}").write_text("tidied up")
            raise

    def cheats(agi, call):
        agi.set_variable("CC_NEXT", "bye")

    def leaves(agi, call):
        agi.stream_file("welcome")
        agi.hangup()
        agi.noop()
"""
DIDS = {
    name: str(970 + n)
    for n, name in enumerate(("ask", "key", "raises", "loops", "sleeps", "speaks", "waits", "stays", "cheats", "leaves"))
}


def flow(function: str) -> dict[str, Any]:
    return {
        "start": "run",
        "variables": {"digits": "text", "caller": "text"},
        "exits": {"failure": "failed"},
        "nodes": {
            "run": {
                "script": f"calls.{function}",
                "into": {"digits": "digits", "caller": "caller"} if function == "ask" else {},
                "on": {"good": "good"},
                "next": "other",
                "time_limit_s": LIMIT_S if function in ("loops", "sleeps", "speaks", "waits") else 30,
            },
            "good": {"hang_up": True, "say": ["paid"]},
            "other": {"hang_up": True, "say": "cc-closed"},
            "failed": {"hang_up": True, "say": "cc-unavailable"},
        },
    }


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    scripts = made.directory / "scripts"
    scripts.mkdir(parents=True, mode=0o755)
    (scripts / "calls.py").write_text(dedent(SCRIPTS))
    (scripts / "calls.py").chmod(0o644)
    whole = made.settings()
    for language in ("en", "es"):
        audio.write_tone(shared_directory / "prompts" / language / "welcome.wav", WELCOME, 600)
        audio.write_tone(shared_directory / "prompts" / language / "long.wav", 2500, LONG_MS)
    made.more = {
        "scripts_dir": str(scripts),
        "flows": {**whole["flows"], **{name: flow(name) for name in DIDS}},
        "dids": {**whole["dids"], **{did: {"flow": name, "language": "en"} for name, did in DIDS.items()}},
        "prompts": {**whole["prompts"], **{name: {"en": "a tone", "es": "un tono"} for name in ("long", "paid")}},
    }
    return made


@pytest.fixture
def crowd(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    """More processes: each has four calls at most."""
    started = [runner.run(PhoneProcess.start()) for _ in range(2)]
    yield started
    for process in started:
        runner.run(process.close())


async def caller_for(center: Center, phones: PhoneProcess, ear: Path, name: str = "caller", **fields: object) -> Phone:
    return await center.caller(phones, name, record=str(ear), **fields)


async def ends(center: Center, caller: Phone, deadline_s: float = PATIENCE_S) -> None:
    """Wait until the center has ended the call, and all is on record."""
    await caller.wait("ended", deadline_s)
    await center.quiet()


def said(center: Center, event: str) -> list[dict[str, Any]]:
    """The lines of the daemon's log with this event."""
    lines = center.daemon.log.read_text(encoding="utf-8").splitlines()
    return [line for each in lines if f'"{event}"' in each for line in [json.loads(each)] if line["event"] == event]


def nodes(center: Center, since: int) -> list[str]:
    """The nodes that the one call of a test went through."""
    ((_, steps),) = walked(center, since)
    return [node for node, _ in steps]


def begins_s(ear: Path, hz: int) -> float:
    """When a tone begins, seconds after the line was up."""
    spans = audio.heard(ear, [hz])[hz]
    assert spans, f"{hz} Hz is not heard"
    return spans[0].start_ms / 1000


# --- speaking and asking ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_a_script_speaks_and_collects_real_keys(
    center: Center, phones: PhoneProcess, tmp_path: Path, method: str
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await caller_for(center, phones, ear)
    up = await enters(caller, DIDS["ask"])
    await types(caller, "0123", first_at=up + 1.4, gap_ms=250, method=method)
    await ends(center, caller)
    await phones.close()
    assert nodes(center, since) == ["run", "good"]
    heard = audio.heard(ear, [WELCOME, ASK, GOOD, FAILED])
    assert [bool(heard[hz]) for hz in (WELCOME, ASK, GOOD, FAILED)] == [True, True, True, False]
    assert heard[WELCOME][0].start_ms < heard[ASK][0].start_ms < heard[GOOD][0].start_ms
    assert said(center, "script.said")[-1]["text"] == f"asked {since + 1} {DIDS['ask']}"


async def test_keys_typed_ahead_and_names_with_quotes(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    """1 stops the prompt; 2 comes while the script sets a variable, and answers its next question."""
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    up = await enters(caller, DIDS["key"])
    await types(caller, "12", first_at=up + 0.35, gap_ms=180, method="rfc4733")
    await ends(center, caller)
    assert nodes(center, since) == ["run", "good"]


# --- what goes wrong ----------------------------------------------------------------------------------------------------
async def test_a_script_that_raises_leads_to_the_failure_exit_and_shows_no_pin(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await caller_for(center, phones, ear)
    up = await enters(caller, DIDS["raises"])
    await types(caller, "730591", first_at=up + 0.3, gap_ms=250, method="rfc4733")
    await ends(center, caller)
    await phones.close()
    assert nodes(center, since) == ["run", "failed"] and audio.heard(ear, [FAILED])[FAILED]
    failed = said(center, "script.failed")[-1]
    assert (failed["script"], failed["interaction"], failed["reason"]) == ("calls.raises", since + 1, "ValueError: no ###")
    assert failed["where"].startswith("calls.py:")
    assert "730591" not in center.daemon.log.read_text(encoding="utf-8")


async def test_a_command_that_is_not_a_scripts_fails_and_the_call_stays_ours(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["cheats"])
    await ends(center, caller)
    assert nodes(center, since) == ["run", "failed"]


@pytest.mark.parametrize("function", ["loops", "sleeps", "waits"])
async def test_a_script_that_hangs_is_left_within_a_second_of_its_limit(
    center: Center, phones: PhoneProcess, tmp_path: Path, function: str
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await caller_for(center, phones, ear)
    await enters(caller, DIDS[function])
    await ends(center, caller)
    await phones.close()
    assert nodes(center, since) == ["run", "failed"]
    assert LIMIT_S - 0.3 <= begins_s(ear, FAILED) <= LIMIT_S + 1.0
    assert said(center, "script.timed_out")[-1]["script"] == f"calls.{function}"


async def test_a_prompt_that_a_script_is_in_is_all_that_the_failure_exit_waits_for(
    center: Center, phones: PhoneProcess, site: Site, tmp_path: Path
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await caller_for(center, phones, ear)
    await enters(caller, DIDS["speaks"])
    await ends(center, caller)
    await phones.close()
    assert nodes(center, since) == ["run", "failed"]
    long = audio.heard(ear, [2500])[2500]
    assert audio.total_ms(long) >= LONG_MS - 200, "AGI cannot be interrupted in it"
    assert 0 <= begins_s(ear, FAILED) - long[-1].end_ms / 1000 <= 0.5
    assert not (site.directory / "spoke").exists(), "the script did not go on"


async def test_threads_that_hang_are_counted_until_they_end(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    before = (await center.metrics())["ccserver_scripts_hung_ever_total"]
    await enters(caller, DIDS["sleeps"])
    await ends(center, caller)

    async def hung(count: int) -> bool:
        read = await center.metrics()
        return read["ccserver_scripts_hung"] == count and read["ccserver_scripts_hung_ever_total"] > before

    await until(lambda: hung(1), what="a hung script")
    assert said(center, "script.hung")[-1]["script"] == "calls.sleeps"
    await until(lambda: hung(0), what="its end")
    assert said(center, "script.ended_late")


# --- callers who go -----------------------------------------------------------------------------------------------------
async def test_a_caller_who_hangs_up_ends_the_script_which_may_tidy_up(
    center: Center, phones: PhoneProcess, site: Site, tmp_path: Path
) -> None:
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["stays"])
    await until(lambda: running(center), what="a script that runs")
    await caller.hangup()
    await center.quiet()
    left = site.directory / f"left-{since + 1}"
    await until(left.exists, what="what the script does last")
    await until(lambda: idle(center), what="no script")
    ((ending, steps),) = walked(center, since)
    assert (ending, [node for node, _ in steps]) == ("gave_up", ["run"])


async def test_a_call_that_an_operator_ends_ends_the_script(
    center: Center, phones: PhoneProcess, site: Site, tmp_path: Path
) -> None:
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["stays"])
    await until(lambda: running(center), what="a script that runs")
    await center.ask("call.hangup", interaction=since + 1)
    await ends(center, caller)
    await until((site.directory / f"left-{since + 1}").exists, what="what the script does last")


async def test_a_call_that_is_pulled_out_of_its_session_ends_the_script(
    center: Center, phones: PhoneProcess, ami: Observer, site: Site, tmp_path: Path
) -> None:
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["stays"])
    await until(lambda: running(center), what="a script that runs")
    (channel,) = [name for name in center.pbx.channels() if name.startswith("PJSIP/carrier")]
    answer = await ami.act("Redirect", Channel=channel, Context="cc-call", Exten="s", Priority="1")
    assert answer["Response"] == "Success", answer
    await until((site.directory / f"left-{since + 1}").exists, what="what the script does last")
    await caller.hangup()
    await center.quiet()
    await until(lambda: idle(center), what="no script")


async def test_a_script_may_hang_up(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    since = newest(center)
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["leaves"])
    await ends(center, caller)
    assert nodes(center, since) == ["run"]
    await until(lambda: idle(center), what="no script")


async def running(center: Center, count: int = 1) -> bool:
    return (await center.metrics())["ccserver_scripts_running"] == count


async def idle(center: Center) -> bool:
    return await running(center, 0)


# --- beside other calls -------------------------------------------------------------------------------------------------
async def test_many_scripts_at_once_do_not_hold_up_other_calls(
    center: Center, phones: PhoneProcess, crowd: list[PhoneProcess]
) -> None:
    """Eight callers in endless loops and two who wait for keys, while another is answered and talks, long before those loops end."""
    agent = await center.agent(phones, "101", answer_after_ms=50)
    looping = [await center.caller(crowd[n % 2], f"loop{n}", number=f"+3460000{n:04}") for n in range(8)]
    staying = [await center.caller(phones, f"stay{n}", number=f"+3460001{n:04}") for n in range(2)]
    quick = await center.caller(phones, "quick")
    await asyncio.gather(*(each.call(f"sip:{DIDS['loops']}@127.0.0.1") for each in looping))
    await asyncio.gather(*(each.call(f"sip:{DIDS['stays']}@127.0.0.1") for each in staying))
    await asyncio.gather(*(each.wait("up") for each in (*looping, *staying)))
    await center.overview()
    await quick.call("sip:901@127.0.0.1")
    await agent.wait("up")
    assert not any(each.has("ended") for each in looping), "it was while they looped"
    for each in (quick, *staying):
        await each.hangup()
    await asyncio.gather(*(each.wait("ended") for each in looping))
    await center.quiet()
    await until(lambda: idle(center), what="no script")


async def test_a_stop_does_not_wait_for_a_script_that_hangs(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    caller = await caller_for(center, phones, tmp_path / "ear.wav")
    await enters(caller, DIDS["sleeps"])
    await until(lambda: running(center), what="a script that runs")
    began = time.monotonic()
    assert await center.daemon.stop() == 0
    assert time.monotonic() - began < 6.0, "the script sleeps for longer"
    assert said(center, "scripts.left")[-1]["scripts"] == ["calls.sleeps"]
    await center.restart()
    await caller.hangup()
    await center.quiet()

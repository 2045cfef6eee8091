"""What comes after a call: each kind of wrap-up, the rest, and what agents asked for during the call; typed on real desk phones."""

from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.center import AGENT_HZ, Center, Site, pin_of, write_prompts
from harness.keypad import Desk, signed_in, talk, write_tones
from harness.ledger import Ledger
from harness.waiting import PATIENCE_S, until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

TONES = {
    "cc-login-agent": 700,
    "cc-login-pin": 1150,
    "cc-login-done": 1270,
    "cc-login-failed": 1390,
    "cc-on-own-phone": 1510,
    "cc-will-move": 1630,
    "cc-will-log-out": 1750,
    "cc-will-pause": 1870,
    "cc-ready": 1990,
    "cc-not-logged-in": 2110,
    "cc-nothing-to-do": 2230,
    "cc-disposition-needed": 2350,
    "cc-disposition-done": 2470,
    "cc-wrap-up-ended": 2590,
    "cc-wrap-up-extended": 2710,
    "cc-wrap-up-longest": 2830,
    "cc-state-resting": 2950,
    "cc-state-ready": 3070,
    "cc-figures-calls": 3190,
    "cc-figures-minutes": 3310,
    "cc-not-allowed": 3430,
}
SPANISH = {"cc-state-ready": 3490}
SUPPORT, QUICK, LONGER, RESULT = "902", "903", "904", "905"
LONGER_S, LONGER_MAX_S, RESULT_MAX_S, REST_S = 5, 11, 6, 6


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    write_tones(shared_directory, SPANISH, "es")
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
    """Agent 103 rests after each call, agent 104 is spoken to in Spanish. The long wrap-ups of `sales` and `support` end by code."""
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={
            "sales": {"wrap_up_s": 30},
            "support": {"wrap_up_s": 30},
            "quick": {"wrap_up": "none"},
            "longer": {"wrap_up": "extendable", "wrap_up_s": LONGER_S, "wrap_up_max_s": LONGER_MAX_S},
            "result": {"wrap_up": "until_disposition", "wrap_up_max_s": RESULT_MAX_S},
        },
    )
    agents = made.settings()["agents"]
    agents["103"]["min_rest_s"] = REST_S
    agents["104"]["language"] = "es"
    made.more = {"agents": agents}
    return made


async def phone_of(center: Center, agent: str) -> str | None:
    return next(a["phone"] for a in (await center.overview())["agents"] if a["id"] == agent)


async def wrapped_up_s(center: Center, books: Ledger) -> float:
    """How long the wrap-up of the newest call took."""
    await center.quiet()
    spans = [row for row in books.of("segments", books.calls()[-1]) if row["kind"] == "wrap_up"]
    return sum(row["duration_s"] for row in spans)


async def test_without_wrap_up_the_agent_is_free_at_once(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    for who_ends in ("customer", "agent"):
        caller = await talk(center, phones, desk, "101", QUICK)
        await (caller if who_ends == "customer" else desk.phone).hangup()
        await caller.wait("ended")
        await desk.phone.wait("ended")
        await center.agent_is("101", "ready")
        assert not await wrapped_up_s(center, books)
        assert books.calls()[-1]["ended_by"] == who_ends
    await desk.dials("17", hears="cc-nothing-to-do")
    await desk.dials("21", hears="cc-nothing-to-do")


async def test_a_wrap_up_is_extended_as_long_as_the_queue_allows(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await talk(center, phones, desk, "101", LONGER)
    await desk.phone.hangup()
    await center.agent_is("101", "wrap_up")
    await desk.dials("21", hears="cc-wrap-up-extended")
    await desk.dials("21", hears="cc-wrap-up-extended")
    await desk.dials("21", hears="cc-wrap-up-longest")
    await center.agent_is("101", "ready", LONGER_MAX_S + PATIENCE_S)
    assert LONGER_MAX_S - 0.2 <= await wrapped_up_s(center, books) <= LONGER_MAX_S + 1.5

    await talk(center, phones, desk, "101", LONGER)
    await desk.phone.hangup()
    await center.agent_is("101", "wrap_up")
    await desk.dials("15", hears="cc-wrap-up-ended")
    await center.agent_is("101", "ready")
    assert await wrapped_up_s(center, books) < LONGER_S

    await talk(center, phones, desk, "101", SUPPORT)
    await desk.phone.hangup()
    await center.agent_is("101", "wrap_up")
    await desk.dials("21", hears="cc-not-allowed")
    await desk.dials("15", hears="cc-wrap-up-ended")


async def test_a_wrap_up_lasts_until_the_disposition_and_not_for_ever(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await talk(center, phones, desk, "101", RESULT)
    await desk.phone.hangup()
    await center.agent_is("101", "wrap_up")
    await desk.dials("15", hears="cc-disposition-needed")
    assert await center.agent_state("101") == "wrap_up"
    await desk.dials("171", hears="cc-disposition-done")
    await center.agent_is("101", "ready")
    assert await wrapped_up_s(center, books) < RESULT_MAX_S
    assert books.calls()[-1]["disposition"] == "sold"

    await talk(center, phones, desk, "101", RESULT)
    await desk.phone.hangup()
    await center.agent_is("101", "wrap_up")
    await center.agent_is("101", "ready", RESULT_MAX_S + PATIENCE_S)
    assert RESULT_MAX_S - 0.2 <= await wrapped_up_s(center, books) <= RESULT_MAX_S + 1.5
    assert books.calls()[-1]["disposition"] is None


async def test_an_agent_rests_and_a_caller_waits_for_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "103", tmp_path, TONES)
    first = await talk(center, phones, desk, "103", QUICK)
    await first.hangup()
    await center.agent_is("103", "resting")
    await desk.dials("16", hears="cc-state-resting")
    second = await talk(center, phones, desk, "103", QUICK)
    await second.hangup()
    await center.agent_is("103", "resting")
    await center.agent_is("103", "ready", REST_S + PATIENCE_S)
    await center.quiet()
    rests = center.rows("SELECT * FROM agent_states WHERE agent='103' AND state='resting' ORDER BY started_at")
    *first_rest, second_rest = (row["duration_s"] for row in rests)
    assert second_rest >= REST_S - 0.5, rests
    assert sum(first_rest) >= REST_S - 2, rests  # the call that asked for the state took its part of it
    assert books.of("queue_visits", books.calls()[1])[0]["outcome"] == "answered"


async def test_what_is_put_off_until_after_the_call_is_said_and_done(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    caller = await talk(center, phones, desk, "101", QUICK)
    await desk.dials("131", hears="cc-will-pause")
    await desk.dials("12", hears="cc-will-log-out")
    assert await center.agent_state("101") == "talking"
    await caller.hangup()
    await center.agent_is("101", "logged_out")
    await desk.dials("16", hears="cc-not-logged-in")

    # Ready takes all of it back.
    await desk.dials("11101", ("cc-login-pin", f"{pin_of('101')}#"), hears="cc-login-done")
    caller = await talk(center, phones, desk, "101", QUICK)
    await desk.dials("12", hears="cc-will-log-out")
    await desk.dials("14", hears="cc-ready")
    await caller.hangup()
    await desk.phone.wait("ended")
    await center.agent_is("101", "ready")


async def test_a_log_in_elsewhere_moves_the_agent_during_a_call_after_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    first = await signed_in(center, phones, "101", tmp_path, TONES, tone_hz=AGENT_HZ)
    second = await Desk.open(phones, "1006", tmp_path, TONES, answer_after_ms=50)
    await center.ask("agent.pause", agent="101", reason="lunch")
    await second.dials("11101", ("cc-login-pin", f"{pin_of('101')}#"), hears="cc-login-done")
    assert await phone_of(center, "101") == "PJSIP/1006"
    await center.agent_is("101", "not_ready")  # the state comes along
    await second.dials("14", hears="cc-ready")

    caller = await talk(center, phones, second, "101", QUICK)
    await first.dials("11101", ("cc-login-pin", f"{pin_of('101')}#"), hears="cc-will-move")
    assert await phone_of(center, "101") == "PJSIP/1006" and await center.agent_state("101") == "talking"
    await caller.hangup()
    await center.agent_is("101", "ready")
    assert await phone_of(center, "101") == "PJSIP/1001"
    caller = await talk(center, phones, first, "101", QUICK)
    await caller.hangup()
    await center.agent_is("101", "ready")
    await center.ask("agent.move", agent="101", phone="1006")
    assert await phone_of(center, "101") == "PJSIP/1006"
    await first.dials("16", hears="cc-not-logged-in")
    await center.quiet()
    acts = center.rows("SELECT * FROM audit WHERE agent = '101' AND act = 'move_agent'")
    assert [(row["what"], bool(row["is_done"])) for row in acts] == [("PJSIP/1006", True)]


async def test_todays_figures_and_the_agents_own_language(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "102", tmp_path, TONES)
    caller = await talk(center, phones, desk, "102", QUICK)
    await caller.hangup()
    await center.agent_is("102", "ready")
    await desk.dials("19", hears=("cc-figures-calls", "cc-figures-minutes"))
    shown = next(a for a in (await center.overview())["agents"] if a["id"] == "102")
    assert shown["calls_today"] == 1 and 0 < shown["talk_today_s"] < 30

    spanish = await signed_in(center, phones, "104", tmp_path, SPANISH)
    await spanish.dials("16", hears="cc-state-ready")


async def test_a_restart_of_the_daemon_forgets_nothing_of_it(
    center: Center, books: Ledger, phones: PhoneProcess, pbx: Asterisk, tmp_path: Path
) -> None:
    """kill -9 in a wrap-up that waits for the disposition, and with a log-out that waits for the end of a call."""
    books.may_repair = True
    writes = await signed_in(center, phones, "101", tmp_path, TONES)
    await talk(center, phones, writes, "101", SUPPORT)
    await writes.phone.hangup()
    await center.agent_is("101", "wrap_up")
    leaves = await signed_in(center, phones, "102", tmp_path, TONES)
    caller = await talk(center, phones, leaves, "102", QUICK)
    await leaves.dials("12", hears="cc-will-log-out")
    await center.daemon.kill()
    await center.restart()
    assert await center.agent_state("102") == "talking"
    await center.agent_is("101", "wrap_up")
    await caller.hangup()
    await leaves.phone.wait("ended")
    await center.agent_is("102", "logged_out")
    await writes.dials("172", hears="cc-disposition-done")
    await center.agent_is("101", "ready")
    await until(
        lambda: [row["disposition"] for row in books.calls()] == ["other", None], 5, what="both calls with their results"
    )

"""The ways past and out of a queue, on a real Asterisk: where a caller is sent, what they hear, and who is refused unheard."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness.calls import answer, call, carrier, heard, leave
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, PROMPTS_HZ, Center, Site
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.cli import root
from ccserver.control.client import NotDone
from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess

BLOCKED, FIRE_HZ, COMFORT_HZ, CLOSING_HZ = "+34911666777", 380, 1870, 1990
HANG_UP = {"hang_up": True}


def over(by: str, above: float, exit_: dict[str, Any]) -> dict[str, Any]:
    return {"overflow": [{"by": by, "above": above, "exit": exit_}]}


QUEUES: dict[str, dict[str, Any]] = {
    "narrow": over("size", 1, {"queue": "support"}),
    "slow": over("wait_s", 1, {"flow": "sorry"}),
    "crowded": over("ratio", 1, {"number": "+34911555666", "say": "cc-unavailable"}),
    "far": {"expected_service_s": 600, **over("expected_wait_s", 60, {"message": True})},
    "personal": {"max_wait_s": 1, "on_max_wait": {"agent": "104"}},
    "day": {"hours": "office", "on_closed": {**HANG_UP, "say": "cc-closed"}, "on_closing": {**HANG_UP, "say": "closing"}},
    "patient": {"hours": "office"},
    "handing": {"hours": "office", "on_closing": {"queue": "support"}},
    "told": {
        "announce_position_every_s": 5,
        "announce_wait": True,
        "expected_service_s": 100,
        "comfort": [{"prompt": "comfort", "every_s": 7}],
    },
    "deserted": {
        "on_deserted": {**HANG_UP, "say": "cc-unavailable"},
        "on_unstaffed": {**HANG_UP, "say": "cc-closed"},
        "stays_while": {"not_ready": False},
    },
}
DID = {name: str(903 + n) for n, name in enumerate(QUEUES)}
SALES, SUPPORT, TO_104, TO_104_ELSE = "901", "902", "930", "931"
ALWAYS = {"timezone": "UTC", "open": {"monday-sunday": "00:00-24:00"}}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=QUEUES)
    for prompt, hz in (("fire", FIRE_HZ), ("comfort", COMFORT_HZ), ("closing", CLOSING_HZ)):
        audio.write_tone(shared_directory / "prompts" / "en" / f"{prompt}.wav", hz, 300)
        audio.write_tone(shared_directory / "prompts" / "es" / f"{prompt}.wav", hz, 300)
    written: dict[str, Any] = plain.settings()
    spoken = {"en": "a tone", "es": "un tono"}
    more = {
        "hours": {**written["hours"], "office": ALWAYS},
        "callers": {"marks": {BLOCKED: "blocked", "+4420*": "blocked"}, "withheld": "refuse"},
        "direct_calls": {"max_wait_s": 2, "ring_timeout_s": 3, "wrap_up_s": 1, "on_max_wait": {"queue": "sales"}},
        "flows": {
            **written["flows"],
            "sorry": {"start": "bye", "nodes": {"bye": {**HANG_UP, "say": "cc-unavailable"}}},
            "direct": {"start": "to", "nodes": {"to": {"agent": "104"}}},
            "direct_else": {
                "start": "to",
                "nodes": {"to": {"agent": "104", "on_no_answer": "bye"}, "bye": {**HANG_UP, "say": "cc-unavailable"}},
            },
        },
        "dids": {
            **written["dids"],
            TO_104: {"flow": "direct", "language": "en"},
            TO_104_ELSE: {"flow": "direct_else", "language": "en"},
        },
        "prompts": {**written["prompts"], "fire": spoken, "comfort": spoken, "closing": spoken},
    }
    return dataclasses.replace(plain, more=more)


async def operator(center: Center, *words: str) -> str:
    """Run `ccserver WORDS`, as IT staff do."""

    def run() -> str:
        result = CliRunner(env={"CCSERVER_CONFIG": str(center.daemon.config)}).invoke(root, words)
        assert result.exit_code == 0, result.output
        return result.output

    return await asyncio.to_thread(run)


# --- who is refused ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [BLOCKED, "+442071234567", "anonymous"])
async def test_the_block_list_and_withheld_numbers_are_refused_unanswered(
    center: Center, books: Ledger, phones: PhoneProcess, number: str
) -> None:
    agent = await center.agent(phones, "101")
    caller = await center.caller(phones, number=number)
    await caller.call(f"sip:{SALES}@127.0.0.1")
    await caller.wait("ended")
    assert not caller.has("up") and not agent.has("incoming")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["queue"]) == ("blocked", "system", None)


async def test_a_number_that_is_blocked_live_is_refused_until_it_is_cleared(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    await operator(center, "number", "block", "+34911222333")
    caller = await center.caller(phones)
    await caller.call(f"sip:{SALES}@127.0.0.1")
    await caller.wait("ended")
    assert not caller.has("up")
    await operator(center, "number", "clear", "+34911222333")
    await caller.call(f"sip:{SALES}@127.0.0.1")
    await caller.wait("up")
    await center.waiting("sales", 1)
    await leave(center, caller)
    assert next(row["outcome"] for row in books.calls()) == "blocked"


# --- overflow ---------------------------------------------------------------------------------------------------------
async def test_by_size_the_next_caller_goes_to_another_queue(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    first = await call(center, phones, DID["narrow"], "first")
    await center.waiting("narrow", 1)
    second = await call(center, phones, DID["narrow"], "second")
    await center.waiting("support", 1)
    await center.waiting("narrow", 1)
    for caller in (first, second):
        await caller.hangup()
    await center.quiet()
    _, sent = books.calls()
    assert next((v["queue"], v["outcome"]) for v in books.of("queue_visits", sent)) == ("narrow", "overflowed")


async def test_by_waiting_time_the_caller_goes_through_another_flow(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, DID["slow"], record=str(ear))
    await caller.wait("ended")
    await heard(ear, PROMPTS_HZ["cc-unavailable"], 200)
    row = await books.only_call()
    (visit,) = books.of("queue_visits", row)
    assert visit["outcome"] == "overflowed" and 0.8 <= visit["wait_s"] <= 4


async def test_by_ratio_the_caller_is_joined_with_a_number_outside(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    """Nobody is on duty: one waiting call is too many. Both ends hear each other, and the center is rid of the call after it."""
    ear, far_ear = tmp_path / "ear.wav", tmp_path / "far.wav"
    far = await carrier(desk, tone_hz=AGENT_HZ, record=str(far_ear))
    caller = await call(center, phones, DID["crowded"], record=str(ear))
    incoming: Any = (await far.wait("incoming"))["headers"]
    assert incoming["to"].startswith("<sip:+34911555666@127.0.0.2"), incoming
    await far.answer()
    await heard(ear, AGENT_HZ, 500)
    await heard(far_ear, CALLER_HZ, 500)
    assert audio.heard(ear, [PROMPTS_HZ["cc-unavailable"]])[PROMPTS_HZ["cc-unavailable"]]
    await far.hangup()
    await caller.wait("ended")
    row = await books.only_call()
    assert books.told("queue_visits", row, "outcome") == ["transferred_out"]


async def test_by_expected_wait_the_caller_leaves_a_message_that_is_kept(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "101")
    busy = await call(center, phones, SALES, "busy", number="+34911222444")
    await answer(center, "101", agent)
    first = await call(center, phones, DID["far"], record=str(ear))
    await heard(ear, PROMPTS_HZ["cc-message-leave"], 200, 30)
    path = await message_of(center, first, busy)
    assert audio.total_ms(audio.heard(path, [CALLER_HZ])[CALLER_HZ]) >= 1000, "the caller's voice is in it"
    # It waits for an agent now, and nobody is to hear it here.
    (waiting,) = await center.waiting("far", 1)
    assert waiting["kind"] == "message"
    await center.ask("call.hangup", interaction=waiting["number"])
    await center.quiet()
    *_, row, message = books.calls()
    assert books.told("queue_visits", row, "outcome") == ["left_message"]
    assert message["parent"] == row["interaction"] and books.told("queue_visits", message, "outcome") == ["abandoned"]


async def message_of(center: Center, speaker: Any, other: Any) -> Path:
    """The caller speaks, and ends it by hanging up; the file of the message."""
    folder = center.site.shared / "rec"

    def written() -> list[Path]:
        return [p for p in folder.rglob("*.wav") if audio.total_ms(audio.heard(p, [CALLER_HZ])[CALLER_HZ]) >= 1000]

    await until(written, what="a message of the caller")
    await speaker.hangup()
    await other.hangup()
    row = await center.row("SELECT * FROM messages ORDER BY started_at DESC")
    assert row["queue"] == "far" and row["duration_s"] >= 1
    path = Path(row["path"])
    assert path.is_file()
    return path


async def test_nobody_on_duty_any_more_releases_those_who_wait(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """On a break counts at the door here, but not for waiting on."""
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "101")
    busy = await call(center, phones, SALES, "busy", number="+34911222444")
    await answer(center, "101", agent)
    caller = await call(center, phones, DID["deserted"], record=str(ear))
    await center.waiting("deserted", 1)
    await center.ask("agent.pause", agent="101", reason="lunch")
    await busy.hangup()
    await caller.wait("ended")
    await heard(ear, PROMPTS_HZ["cc-unavailable"], 200)
    await center.quiet()
    assert books.told("queue_visits", books.calls()[1], "outcome") == ["overflowed"]


# --- direct calls -----------------------------------------------------------------------------------------------------
async def test_a_direct_call_reaches_its_agent_only(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    other = await center.agent(phones, "101")
    agent = await center.agent(phones, "104", tone_hz=AGENT_HZ)
    caller = await call(center, phones, TO_104, record=str(ear))
    await answer(center, "104", agent)
    await heard(ear, AGENT_HZ, 300)
    assert not other.has("incoming")
    await leave(center, caller)
    row = await books.only_call()
    assert (row["queue"], row["agent"]) == ("direct", "104")


async def test_a_direct_call_that_is_not_taken_goes_the_flows_way_or_that_of_the_section(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "104")
    caller = await call(center, phones, TO_104_ELSE, record=str(ear))
    await agent.wait("incoming")
    await caller.wait("ended")
    await heard(ear, PROMPTS_HZ["cc-unavailable"], 200)
    await center.ask("agent.pause", agent="104", reason="lunch")
    other = await center.agent(phones, "101")
    again = await call(center, phones, TO_104, "again")
    await answer(center, "101", other)
    await leave(center, again)
    refused, helped = books.calls()
    assert books.told("offers", refused, "outcome") == ["missed"]
    assert [(v["queue"], v["outcome"]) for v in books.of("queue_visits", helped)] == [
        ("direct", "overflowed"),
        ("sales", "answered"),
    ]


async def test_a_queue_that_hands_on_to_an_agent_rings_that_one(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    busy_agent = await center.agent(phones, "101")
    busy = await call(center, phones, SALES, "busy", number="+34911222444")
    await answer(center, "101", busy_agent)
    caller = await call(center, phones, DID["personal"])
    await center.waiting("personal", 1)
    await center.ask("agent.login", agent="104", phone="1004")
    await center.agent_is("104", "unreachable")
    agent = await phones.phone("1004", password="secret-1004")
    await answer(center, "104", agent)
    for each in (busy, caller):
        await each.hangup()
    await center.quiet()
    assert books.calls()[1]["agent"] == "104"


# --- closing ----------------------------------------------------------------------------------------------------------
async def test_hours_that_end_while_callers_wait_release_hand_on_or_keep_them(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """New hours that are over already: the three queues do what each says."""
    ear = tmp_path / "ear.wav"
    released = await call(center, phones, DID["day"], "released", number="+34911222331", record=str(ear))
    kept = await call(center, phones, DID["patient"], "kept", number="+34911222332")
    handed = await call(center, phones, DID["handing"], "handed", number="+34911222333")
    for name in ("day", "patient", "handing"):
        await center.waiting(name, 1)
    await with_hours(center, {"timezone": "UTC", "open": {}})
    try:
        await released.wait("ended")
        await heard(ear, CLOSING_HZ, 200)
        await center.waiting("support", 1)
        await center.waiting("patient", 1)
        late = await call(center, phones, DID["day"], "late")
        await late.wait("ended")
    finally:
        await with_hours(center, ALWAYS)
    for caller in (kept, handed):
        await caller.hangup()
    await center.quiet()
    first, _, third, fourth = books.calls()
    assert books.told("queue_visits", first, "outcome") == ["refused_closed"]
    assert books.told("queue_visits", third, "outcome")[0] == "refused_closed"
    assert books.told("queue_visits", fourth, "outcome") == ["refused_closed"]


async def with_hours(center: Center, hours: dict[str, Any]) -> None:
    written = center.site.settings()["hours"]
    center.site.more = {**center.site.more, "hours": {**written, "office": hours}}
    center.site.write_settings()
    await center.ask("reload")


async def test_closed_by_hand_with_a_message_of_the_day_until_it_is_opened(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear, late_ear = tmp_path / "ear.wav", tmp_path / "late.wav"
    waiting = await call(center, phones, SALES, "waiting", number="+34911222331", record=str(ear))
    await center.waiting("sales", 1)
    with pytest.raises(NotDone, match="did you mean 'fire'"):
        await center.ask("queue.close", queue="sales", prompt="fires")
    assert "closed" in await operator(center, "queue", "close", "sales", "--say", "fire")
    try:
        await waiting.wait("ended")
        await heard(ear, FIRE_HZ, 200)
        late = await call(center, phones, SALES, "late", record=str(late_ear))
        await late.wait("ended")
        await heard(late_ear, FIRE_HZ, 200)
    finally:
        assert "open" in await operator(center, "queue", "open", "sales")
    again = await call(center, phones, SALES, "again")
    await center.waiting("sales", 1)
    await leave(center, again)
    outcomes = [books.told("queue_visits", row, "outcome") for row in books.calls()]
    assert outcomes[:2] == [["refused_closed"], ["refused_closed"]]


# --- while waiting ----------------------------------------------------------------------------------------------------
async def test_those_who_wait_hear_their_place_the_expected_wait_and_comfort(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """One agent is busy, a talk lasts 100 s: the next caller hears of a minute or two, the one behind of more."""
    agent = await center.agent(phones, "101")
    busy = await call(center, phones, SALES, "busy", number="+34911222444")
    await answer(center, "101", agent)
    ears = [tmp_path / f"{n}.wav" for n in range(2)]
    first = await call(center, phones, DID["told"], "first", number="+34911222331", record=str(ears[0]))
    await center.waiting("told", 1)
    second = await call(center, phones, DID["told"], "second", number="+34911222332", record=str(ears[1]))
    await heard(ears[0], PROMPTS_HZ["cc-queue-next"], 200)
    await heard(ears[1], PROMPTS_HZ["cc-queue-position"], 200)
    await heard(ears[1], PROMPTS_HZ["cc-wait-about"], 200)
    await heard(ears[0], COMFORT_HZ, 200)
    await heard(ears[0], PROMPTS_HZ["cc-queue-next"], 500)
    assert audio.total_ms(audio.heard(ears[0], [MUSIC_HZ])[MUSIC_HZ]) >= 1000, "music between the announcements"
    for caller in (first, second, busy):
        await caller.hangup()
    await center.quiet()
    announced = [books.of("queue_visits", row)[0]["announced_wait_s"] for row in books.calls()[1:]]
    assert announced[1] > announced[0] > 0

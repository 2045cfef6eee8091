"""Calls that agents' phones make by themselves, on a real Asterisk: what may be dialled, and what is kept of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import SALES, call
from harness.center import AGENT_HZ, CALLER_HZ, Center, Site, write_prompts
from harness.keypad import Desk, hears_so_far, signed_in, talk, write_tones
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.phones import Phone, PhoneProcess

TONES = {
    "cc-dial-not-allowed": 1150,
    "cc-dial-too-many": 1270,
    "cc-agent-not-there": 1390,
    "cc-not-allowed": 1510,
    "cc-number-blocked": 1630,
    "cc-number-vip": 1750,
    "cc-number-none": 1870,
    "cc-unavailable": 1990,
}
DIALPLAN = {"internal_patterns": ["1XXX", "10X"]}
COLLEAGUE_HZ = 1400
MOBILE, LANDLINE, ABROAD, PREMIUM, NONSENSE = "600111222", "911222333", "00498912345678", "807123456", "123"


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    """Agents' numbers are dialled like extensions."""
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        internal_patterns=tuple(DIALPLAN["internal_patterns"]),
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
        unavailable_prompt=str(shared_directory / "prompts" / "en" / "cc-unavailable"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Agent 101 may call outside, agent 104 too, twice an hour; 102 has no class of service; 103 is a supervisor."""
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues={"sales": {"wrap_up": "none"}})
    agents = made.settings()["agents"]
    agents["101"]["class_of_service"] = "house"
    agents["104"]["class_of_service"] = "seldom"
    agents["103"]["supervisor"] = True
    made.more = {
        "agents": agents,
        "dialplan": DIALPLAN,
        "phones": {"1001-1007": {"endpoint": "PJSIP/{number}"}},
        "classes_of_service": {
            "house": {"allows": ["internal", "local", "mobile"]},
            "seldom": {"allows": ["internal", "local", "mobile"], "calls_per_hour": 2},
        },
    }
    return made


@pytest.fixture
def carrier(phones: PhoneProcess, books: Ledger, request: pytest.FixtureRequest) -> Iterator[Phone]:
    """Whoever is called over the trunk; answers at once."""
    runner = request.getfixturevalue("runner")
    yield runner.run(
        phones.phone(
            "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060, answer_after_ms=0
        )
    )


def own_calls(center: Center, since: int) -> list[dict[str, Any]]:
    return center.rows("SELECT * FROM own_calls LIMIT -1 OFFSET ?", since)


def so_far(center: Center) -> int:
    return int(center.rows("SELECT count(*) AS n FROM own_calls")[0]["n"])


async def kept(center: Center, since: int, count: int) -> list[dict[str, Any]]:
    """The own calls on record since then, when they are so many."""
    return await until(
        lambda: own_calls(center, since) if so_far(center) == since + count else [], 8, what="own calls on record"
    )


async def refused(desk: Desk, number: str, hears: str) -> None:
    """Dial it, hear why not."""
    ear = await desk.fresh_recording()
    await desk.phone.call(number)
    await desk.phone.wait("ended")
    await hears_so_far(ear, [hears], tones=desk.tones)


async def test_an_agent_on_an_internal_call_is_offered_nothing(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    since = so_far(center)
    desk = await signed_in(center, phones, "101", tmp_path, TONES, tone_hz=AGENT_HZ, answer_after_ms=None)
    colleague = await Desk.open(phones, "1002", tmp_path, TONES, tone_hz=COLLEAGUE_HZ, answer_after_ms=0)
    await desk.fresh_recording()
    await desk.phone.call("1002")
    await desk.heard(COLLEAGUE_HZ)
    await center.agent_is("101", "on_own_call")
    caller = await call(center, phones)
    await center.waiting("sales", 1)
    await colleague.phone.hangup()
    await desk.phone.wait("ended")
    await desk.phone.wait("incoming")
    await desk.phone.answer()
    await center.agent_is("101", "talking")
    await caller.hangup()
    await center.agent_is("101", "ready")
    (row,) = await kept(center, since, 1)
    assert (row["agent"], row["phone"], row["target"], row["kind"]) == ("101", "PJSIP/1001", "1002", "internal")
    assert row["is_allowed"] and 0 < row["duration_s"] < 30
    assert [o["outcome"] for o in books.of("offers", await books.only_call())] == ["answered"]


async def test_an_agents_number_reaches_the_phone_the_agent_is_at(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES, tone_hz=AGENT_HZ)
    elsewhere = await Desk.open(phones, "1006", tmp_path, TONES, tone_hz=COLLEAGUE_HZ, answer_after_ms=0)
    await refused(desk, "102", "cc-agent-not-there")
    await center.ask("agent.login", agent="102", phone="1006")
    await desk.fresh_recording()
    await desk.phone.call("102")
    await desk.heard(COLLEAGUE_HZ)
    await center.agent_is("102", "on_own_call")  # called, and not free either
    await elsewhere.phone.hangup()
    await desk.phone.wait("ended")
    await center.agent_is("102", "ready")


async def test_outside_numbers_by_class_of_service(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    since = so_far(center)
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    for number in (MOBILE, LANDLINE):
        await desk.phone.call(f"0{number}")
        incoming = await carrier.wait("incoming")
        await desk.phone.wait("up")
        await center.agent_is("101", "on_own_call")
        await desk.phone.hangup()
        await carrier.wait("ended")
        assert f"sip:{number}@127.0.0.2" in str(incoming["headers"])
    for number in (ABROAD, PREMIUM, NONSENSE):
        await refused(desk, f"0{number}", "cc-dial-not-allowed")
    without = await signed_in(center, phones, "102", tmp_path, TONES)
    await refused(without, f"0{MOBILE}", "cc-dial-not-allowed")
    nobody = await Desk.open(phones, "1005", tmp_path, TONES)
    await refused(nobody, f"0{MOBILE}", "cc-dial-not-allowed")
    stranger = await Desk.open(phones, "1008", tmp_path, TONES)
    await refused(stranger, f"0{MOBILE}", "cc-not-allowed")
    assert carrier.count("incoming") == 2, "what is refused never reaches the trunk"
    rows = await kept(center, since, 7)
    assert [(row["agent"], row["kind"], bool(row["is_allowed"])) for row in rows] == [
        ("101", "mobile", True),
        ("101", "local", True),
        ("101", "international", False),
        ("101", "premium", False),
        ("101", "unknown", False),
        ("102", "mobile", False),
        (None, "mobile", False),
    ]


async def test_too_many_outside_calls_in_an_hour_are_stopped(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "104", tmp_path, TONES)
    for _ in range(2):
        await desk.phone.call(f"0{MOBILE}")
        await desk.phone.wait("up")
        await desk.phone.hangup()
        await carrier.wait("ended")
    await refused(desk, f"0{MOBILE}", "cc-dial-too-many")
    # Nor does another log-in help.
    await center.ask("agent.logout", agent="104")
    await center.ask("agent.login", agent="104", phone="1004")
    await refused(desk, f"0{MOBILE}", "cc-dial-too-many")
    assert carrier.count("incoming") == 2
    colleague = await Desk.open(phones, "1005", tmp_path, TONES, answer_after_ms=0)
    await desk.phone.call("1005")
    await colleague.phone.wait("up")
    await desk.phone.hangup()


async def test_emergency_numbers_always_go_through(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    """From an agent's phone, from one where nobody is, from one that is none of the center's; with the daemon and without."""
    agent = await signed_in(center, phones, "102", tmp_path, TONES)
    others = [await Desk.open(phones, number, tmp_path, TONES) for number in ("1005", "1008")]

    async def helped(desk: Desk, dialled: str) -> None:
        await desk.phone.call(dialled)
        incoming = await carrier.wait("incoming")
        await desk.phone.wait("up")
        await desk.phone.hangup()
        await carrier.wait("ended")
        assert "sip:112@127.0.0.2" in str(incoming["headers"])

    for desk, dialled in ((agent, "112"), (others[0], "0112"), (others[1], "112")):
        await helped(desk, dialled)
    notices = await until(
        lambda: [] if len(told := center.rows("SELECT * FROM notices WHERE kind = 'emergency'")) < 3 else told,
        5,
        what="notices",
    )
    assert [(row["agent"], row["phone"]) for row in notices] == [
        ("102", "PJSIP/1002"),
        (None, "PJSIP/1005"),
        (None, None),
    ], notices
    acts = center.rows("SELECT * FROM audit WHERE act = 'emergency_call'")
    assert [row["by"] for row in acts] == ["agent 102", "phone PJSIP/1005", "unknown phone"]
    assert {row["what"] for row in acts} == {"112"}

    await center.daemon.kill()
    try:
        for desk in (agent, *others):
            await helped(desk, "112")
        await refused(agent, f"0{MOBILE}", "cc-unavailable")
        colleague = await Desk.open(phones, "1006", tmp_path, TONES, answer_after_ms=0)
        await agent.phone.call("1006")
        await colleague.phone.wait("up")
        await agent.phone.hangup()
    finally:
        await center.restart()
    await center.agent_is("102", "ready")


async def test_an_own_call_outlives_the_daemon_and_is_over_when_it_ended_meanwhile(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    colleague = await Desk.open(phones, "1005", tmp_path, TONES, tone_hz=COLLEAGUE_HZ, answer_after_ms=0)
    await desk.fresh_recording()
    await desk.phone.call("1005")
    await desk.heard(COLLEAGUE_HZ)
    await center.agent_is("101", "on_own_call")
    await center.daemon.kill()
    await center.restart()
    await center.agent_is("101", "on_own_call")
    assert desk.phone.count("ended") == 0
    await center.daemon.kill()
    await colleague.phone.hangup()
    await desk.phone.wait("ended")
    await center.restart()
    await center.agent_is("101", "ready")
    await talk(center, phones, desk, "101")
    await desk.phone.hangup()


async def test_a_phone_hears_itself(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    desk = await Desk.open(phones, "1008", tmp_path, TONES, tone_hz=AGENT_HZ)
    await desk.fresh_recording()
    await desk.phone.call("*43")
    await desk.heard(AGENT_HZ, 500)
    await desk.phone.hangup()


async def test_a_supervisor_blocks_a_caller_and_puts_another_first(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    agent = await signed_in(center, phones, "102", tmp_path, TONES)
    await talk(center, phones, agent, "102", number="+34910000001")
    await agent.phone.hangup()
    await agent.dials("31", hears="cc-not-allowed")
    await center.ask("agent.logout", agent="102")

    desk = await signed_in(center, phones, "103", tmp_path, TONES)
    await desk.dials("31", hears="cc-number-none")
    nuisance = await center.caller(phones, "nuisance", "+34910000002")
    await nuisance.call(f"sip:{SALES}@127.0.0.1")
    await center.agent_is("103", "talking")
    await desk.dials("31", hears="cc-number-blocked")  # while they talk
    await desk.phone.hangup()
    await nuisance.wait("ended")
    await center.agent_is("103", "ready")
    await nuisance.call(f"sip:{SALES}@127.0.0.1")
    assert int(str((await nuisance.wait("ended"))["code"])) >= 400, "not even answered"

    dear = await center.caller(phones, "dear", "+34910000003", tone_hz=CALLER_HZ)
    await dear.call(f"sip:{SALES}@127.0.0.1")
    await center.agent_is("103", "talking")
    await dear.hangup()
    await center.agent_is("103", "ready")
    await desk.dials("32", hears="cc-number-vip")
    await center.ask("agent.pause", agent="103", reason="lunch")
    await call(center, phones, name="plain")
    await dear.call(f"sip:{SALES}@127.0.0.1")
    waiting = await center.waiting("sales", 2)
    assert waiting[0]["caller_number"] == "+34910000003", waiting
    acts = center.rows("SELECT * FROM audit WHERE act = 'mark_number' ORDER BY at")
    assert [(row["by"], row["what"]) for row in acts] == [
        ("agent 103", "+34910000002 blocked"),
        ("agent 103", "+34910000003 vip"),
    ]

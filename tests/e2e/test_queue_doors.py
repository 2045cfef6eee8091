"""The ways into a queue, past it and out of it, on a real Asterisk: menu, language, hours, staff, room, patience."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from harness.calls import answer, call, heard, leave, log_in
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, PROMPTS_HZ, Center, Site, password_of
from harness.ledger import Ledger

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

HANG_UP = {"hang_up": True}
QUEUES = {
    "closed": {"hours": "never", "on_closed": {**HANG_UP, "say": "cc-closed"}},
    "shut": {"hours": "never", "on_closed": HANG_UP},
    "narrow": {"max_waiting": 1, "on_full": {**HANG_UP, "say": "cc-queue-full"}},
    "staffed": {"on_unstaffed": {**HANG_UP, "say": "cc-unavailable"}},
    "impatient": {"skills": ["spanish"], "max_wait_s": 1, "on_max_wait": {"queue": "sales", "say": "cc-unavailable"}},
    "handover": {"max_wait_s": 1, "on_max_wait": {"extension": "1005"}},
    "brusque": {"max_wait_s": 1, "on_max_wait": HANG_UP},
}
MENU, SALES, SUPPORT = "900", "901", "902"
CLOSED, SHUT, NARROW, STAFFED, IMPATIENT, HANDOVER, BRUSQUE = (str(903 + n) for n in range(7))
SHUT_UNANSWERED, NEVER = "920", "921"


def menu_prompts_ms(ear: Path) -> dict[str, int]:
    """How much of each question of the menu was heard."""
    found = audio.heard(ear, [PROMPTS_HZ["language"], PROMPTS_HZ["department"]])
    return {name: audio.total_ms(found[PROMPTS_HZ[name]]) for name in ("language", "department")}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """105 knows no Spanish, 106 supports only; all others sell and support, 101 to 104 in Spanish too."""
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=QUEUES)
    written: dict[str, Any] = plain.settings()
    agents = {**written["agents"], "106": {**written["agents"]["106"], "skills": {"support": 50}}}
    dids = {
        **written["dids"],
        SHUT_UNANSWERED: {"flow": "shut", "language": "en", "answer": "when_queued"},
        NEVER: {"flow": "no_line", "language": "en", "answer": "never"},
    }
    flows = {**written["flows"], "no_line": {"start": "bye", "nodes": {"bye": HANG_UP}}}
    return dataclasses.replace(plain, more={"agents": agents, "dids": dids, "flows": flows})


async def choose(ear: Path, caller: Phone, language: str, department: str) -> None:
    """Press both keys, each once its question has begun."""
    await heard(ear, PROMPTS_HZ["language"], 100)
    await caller.dtmf(language)
    await heard(ear, PROMPTS_HZ["department"], 100)
    await caller.dtmf(department)


async def refused(center: Center, phones: PhoneProcess, did: str) -> str:
    """Dial a number whose call is not picked up; the SIP code of the refusal."""
    caller = await center.caller(phones)
    await caller.call(f"sip:{did}@127.0.0.1")
    ended = await caller.wait("ended")
    assert not caller.has("up"), "a refused call is not answered, so nobody pays for it"
    return str(ended["code"])


# --- the menu ---------------------------------------------------------------------------------------------------------
async def test_who_presses_nothing_goes_on_by_the_menus_own_way(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, MENU, record=str(ear))
    await center.waiting("sales", 1)
    asked_ms = menu_prompts_ms(ear)
    assert all(400 <= ms <= 800 for ms in asked_ms.values()), f"each question twice, 300 ms each: {asked_ms}"
    await leave(center, caller)
    row = await books.only_call()
    assert (row["queue"], row["language"]) == ("sales", "en")
    assert books.told("segments", row, "kind") == ["menu", "wait"]
    assert books.of("segments", row)[0]["duration_s"] >= 4 * 1.5


async def test_who_presses_wrong_keys_only_leaves_by_the_invalid_exit(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, MENU, record=str(ear))
    await heard(ear, PROMPTS_HZ["language"], 100)
    await caller.dtmf("7")
    first_ms = menu_prompts_ms(ear)["language"]
    await heard(ear, PROMPTS_HZ["language"], first_ms + 200)
    await caller.dtmf("8")
    await caller.wait("ended")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["queue"]) == ("refused", "system", None)
    assert menu_prompts_ms(ear)["department"] == 0


async def test_the_language_and_the_department_choose_the_agent(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    """Idle longest are 106, who does not sell, and 105, who knows no Spanish: it is 101 who is rung."""
    supporter = await center.agent(desk, "106")
    seller = await center.agent(desk, "105")
    spaniard = await center.agent(desk, "101")
    first_ear, second_ear, third_ear = (tmp_path / f"{n}.wav" for n in range(3))
    first = await call(center, phones, MENU, "first", record=str(first_ear))
    await choose(first_ear, first, "2", "1")
    await answer(center, "101", spaniard)
    assert not seller.has("incoming") and not supporter.has("incoming")
    second = await call(center, phones, MENU, "second", record=str(second_ear))
    await choose(second_ear, second, "1", "1")
    await answer(center, "105", seller)
    third = await call(center, phones, MENU, "third", record=str(third_ear))
    await choose(third_ear, third, "1", "2")
    incoming = await supporter.wait("incoming")
    assert "Support" in str(incoming["headers"])
    await supporter.answer()
    await center.agent_is("106", "talking")
    for caller in (first, second, third):
        await caller.hangup()
    await center.quiet()
    told = [(row["language"], row["queue"], row["agent"], row["outcome"]) for row in books.calls()]
    assert told == [
        ("es", "sales", "101", "answered"),
        ("en", "sales", "105", "answered"),
        ("en", "support", "106", "answered"),
    ]
    why = books.of("offers", books.calls()[0])[0]["why"]
    assert "4 able" in why, why


async def test_a_spanish_caller_waits_while_only_others_are_free(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    seller = await center.agent(phones, "105")
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, MENU, record=str(ear))
    await choose(ear, caller, "2", "1")
    (waiting,) = await center.waiting("sales", 1)
    assert waiting["ringing"] is None
    spaniard = await log_in(center, phones, "102")
    await answer(center, "102", spaniard)
    assert not seller.has("incoming")
    await leave(center, caller)
    assert (await books.only_call())["agent"] == "102"


# --- who calls, and whom ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["anonymous", "privacy"])
async def test_a_withheld_number_is_a_value_of_its_own(center: Center, books: Ledger, phones: PhoneProcess, way: str) -> None:
    agent = await center.agent(phones, "101")
    caller = await center.caller(phones, number="anonymous" if way == "anonymous" else "+34911222333", display="Anonymous")
    headers = {"Privacy": "id", "P-Asserted-Identity": "<sip:+34911222333@127.0.0.2>"} if way == "privacy" else {}
    await caller.call(f"sip:{SALES}@127.0.0.1", headers=headers)
    incoming = await agent.wait("incoming")
    shown = str(incoming["headers"])
    assert "anonymous" in shown and "911222333" not in shown
    await agent.answer()
    await center.agent_is("101", "talking")
    assert (await center.ask("calls"))[0]["caller"] is None
    await leave(center, caller)
    row = await books.only_call()
    assert (row["caller_number"], row["caller_name"], row["outcome"]) == (None, "", "answered")


async def test_a_number_that_nobody_has_is_refused_unanswered(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    assert await refused(center, phones, "999") == "404"
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["did"], row["queue"]) == ("refused", "system", "999", None)
    assert not books.of("queue_visits", row)


async def test_a_line_that_is_never_picked_up_is_refused(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    assert await refused(center, phones, NEVER) == "403"
    row = await books.only_call()
    assert (row["outcome"], row["did"]) == ("refused", NEVER)


# --- doors that are shut ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("queue", ["closed", "staffed"])
async def test_a_caller_is_told_why_there_is_no_way_in(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path, queue: str
) -> None:
    did, prompt, outcome = {
        "closed": (CLOSED, "cc-closed", "refused_closed"),
        "staffed": (STAFFED, "cc-unavailable", "refused_unstaffed"),
    }[queue]
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, did, record=str(ear))
    await caller.wait("ended")
    await heard(ear, PROMPTS_HZ[prompt], 200)
    assert not audio.heard(ear, [MUSIC_HZ])[MUSIC_HZ]
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["queue"]) == ("refused", "system", queue)
    assert books.told("queue_visits", row, "outcome") == [outcome]
    assert row["wait_s"] < 0.5


async def test_outside_hours_a_call_need_not_be_picked_up(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    await center.agent(phones, "101")
    await refused(center, phones, SHUT_UNANSWERED)
    row = await books.only_call()
    assert books.told("queue_visits", row, "outcome") == ["refused_closed"]


async def test_a_queue_with_somebody_logged_in_takes_callers_even_when_nobody_is_ready(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    agent = await center.agent(phones, "101")
    await center.ask("agent.pause", agent="101", reason="lunch")
    caller = await call(center, phones, STAFFED)
    await center.waiting("staffed", 1)
    await center.ask("agent.unpause", agent="101")
    await answer(center, "101", agent)
    await leave(center, caller)
    assert books.told("queue_visits", await books.only_call(), "outcome") == ["answered"]


async def test_a_full_queue_sends_the_next_caller_away_and_keeps_the_first(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    first = await call(center, phones, NARROW, "first")
    await center.waiting("narrow", 1)
    second = await call(center, phones, NARROW, "second", record=str(ear))
    await second.wait("ended")
    await heard(ear, PROMPTS_HZ["cc-queue-full"], 200)
    await center.waiting("narrow", 1)
    await log_in(center, phones, "101", answer_after_ms=50)
    await center.agent_is("101", "talking")
    third = await call(center, phones, NARROW, "third")
    await center.waiting("narrow", 1)
    await leave_both(center, first, third)
    kept, sent_away, later = books.calls()
    assert (kept["outcome"], sent_away["outcome"]) == ("answered", "refused")
    assert books.told("queue_visits", sent_away, "outcome") == ["refused_full"]
    assert later["outcome"] in ("answered", "abandoned"), "there was room again"


async def leave_both(center: Center, *callers: Phone) -> None:
    for caller in callers:
        await caller.hangup()
    await center.quiet()


# --- the longest wait -------------------------------------------------------------------------------------------------
async def test_after_the_longest_wait_another_queue_takes_over(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """105 sells, but knows no Spanish: nothing is offered before the caller overflows, and then at once."""
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "105", tone_hz=AGENT_HZ)
    caller = await call(center, phones, IMPATIENT, record=str(ear))
    await answer(center, "105", agent)
    await heard(ear, AGENT_HZ, 300)
    await leave(center, caller)
    row = await books.only_call()
    assert (row["outcome"], row["queue"], row["agent"]) == ("answered", "sales", "105")
    visits = books.of("queue_visits", row)
    assert [(v["queue"], v["outcome"]) for v in visits] == [("impatient", "overflowed"), ("sales", "answered")]
    assert visits[0]["wait_s"] == pytest.approx(1, abs=0.5)
    assert row["wait_s"] == pytest.approx(sum(v["wait_s"] for v in visits), abs=0.01)
    spans = audio.heard(ear, [MUSIC_HZ, PROMPTS_HZ["cc-unavailable"]])
    assert spans[PROMPTS_HZ["cc-unavailable"]][0].start_ms >= spans[MUSIC_HZ][0].end_ms - 100


async def test_after_the_longest_wait_an_extension_of_the_pbx_takes_over(
    center: Center, books: Ledger, phones: PhoneProcess, pbx: Asterisk, tmp_path: Path
) -> None:
    ear, desk_ear = tmp_path / "ear.wav", tmp_path / "desk.wav"
    desk = await phones.phone("1005", password=password_of("1005"), tone_hz=AGENT_HZ, record=str(desk_ear))
    caller = await call(center, phones, HANDOVER, record=str(ear))
    incoming = await desk.wait("incoming")
    assert "911222333" in str(incoming["headers"])
    await desk.answer()
    await heard(ear, AGENT_HZ, 500)
    await heard(desk_ear, CALLER_HZ, 500)
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"], row["agent"]) == ("overflowed", "system", None)
    assert books.told("queue_visits", row, "outcome") == ["overflowed"]
    await desk.hangup()
    await caller.wait("ended")
    await center.quiet()
    assert len(books.calls()) == 1, "the call did not come back to us"


async def test_after_the_longest_wait_without_a_way_out_the_call_ends(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    caller = await call(center, phones, BRUSQUE)
    await caller.wait("ended")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"]) == ("overflowed", "system")
    assert books.told("queue_visits", row, "outcome") == ["overflowed"]


async def test_a_ringing_phone_comes_before_the_longest_wait(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    """The agent's phone rings past the limit: who answers then has the caller."""
    agent = await center.agent(phones, "101", answer_after_ms=1500)
    caller = await call(center, phones, BRUSQUE)
    await agent.wait("incoming")
    await center.agent_is("101", "talking")
    await leave(center, caller)
    row = await books.only_call()
    assert (row["outcome"], row["agent"]) == ("answered", "101")
    assert row["wait_s"] >= 1.3

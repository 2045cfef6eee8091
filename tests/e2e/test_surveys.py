"""Surveys after the talk, on real phones: the agent leaves, the customer stays and is asked, and each answer is on record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard
from harness.center import AGENT_HZ, Center, Site, password_of, pin_of, write_prompts
from harness.cli import in_json
from harness.keypad import KEYPAD_PROMPT_MS, Desk, hears_so_far, prompts_in, write_tones
from harness.ledger import Ledger
from harness.passages import newest, walked
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.phones import Phone, PhoneProcess

SALES, SUPPORT = "901", "902"
WRAP_UP_S = 6
"""Long enough to type a disposition in it; a call is not over before it is."""
TONES = {
    "csat": 1150,
    "nps": 1270,
    "fcr": 1390,
    "thanks": 1510,
    "cc-login-agent": 1630,
    "cc-login-pin": 1750,
    "cc-headset-on": 1870,
}
ASKED = {"csat": "welcome", "nps": "language", "fcr": "department", "thanks": "paid"}
"""The prompts that the questions are; each has its tone."""
QUESTIONS = ("csat", "nps", "fcr")


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, {ASKED.get(name, name): hz for name, hz in TONES.items()})
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
    """Customers of sales are asked, those of support are not."""
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"survey": "after_call", "wrap_up_s": WRAP_UP_S}, "support": {"wrap_up_s": WRAP_UP_S}},
    )
    whole: dict[str, Any] = made.settings()
    quick = {"timeout_s": 1, "tries": 1}
    after_call = {
        "satisfied": {"survey": "csat", "say": ASKED["csat"], "next": "recommend", "timeout_s": 1.5, "tries": 2},
        "recommend": {"survey": "nps", "say": ASKED["nps"], "next": "solved", **quick},
        "solved": {"survey": "fcr", "say": ASKED["fcr"], "next": "thanks", **quick},
        "thanks": {"hang_up": True, "say": ASKED["thanks"]},
    }
    made.more = {
        "flows": {**whole["flows"], "after_call": {"start": "satisfied", "nodes": after_call}},
        "prompts": {**whole["prompts"], "paid": {"en": "paid", "es": "paid"}},
    }
    return made


@pytest.fixture
def since(books: Ledger, center: Center) -> Iterator[int]:
    yield newest(center)


async def talk(center: Center, phones: PhoneProcess, ear: Path, did: str = SALES, name: str = "caller") -> tuple[Phone, Phone]:
    """(the agent's phone, the customer's), who talk; the customer's ear is recorded."""
    agent = await center.agent(phones, "101", answer_after_ms=50, tone_hz=AGENT_HZ)
    caller = await call(center, phones, did, name, record=str(ear))
    await center.agent_is("101", "talking")
    await heard(ear, AGENT_HZ, 200)
    return agent, caller


async def judges(caller: Phone, ear: Path, answers: dict[str, str]) -> None:
    for question, digits in answers.items():
        await heard(ear, TONES[question], 100)
        await caller.dtmf(digits)


def answers(center: Center, since: int) -> list[tuple[str, int, str, str]]:
    rows = center.rows("SELECT * FROM survey_answers WHERE interaction > ? ORDER BY interaction, number", since)
    return [(row["kind"], row["score"], row["agent"], row["queue"]) for row in rows]


ALL = [("csat", 4, "101", "sales"), ("nps", 10, "101", "sales"), ("fcr", 1, "101", "sales")]


async def test_the_agent_hangs_up_and_the_customer_is_asked_three_questions(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear)
    await agent.hangup()
    await heard(ear, TONES["csat"], 100)
    await center.agent_is("101", "wrap_up")  # the agent's time after the call goes on meanwhile
    await judges(caller, ear, {"csat": "4", "nps": "10", "fcr": "1"})
    await caller.wait("ended")
    row = await books.only_call()
    assert answers(center, since) == ALL
    assert (row["outcome"], row["ended_by"], row["agent"], row["queue"]) == ("answered", "agent", "101", "sales")
    passage = walked(center, since)[-1]
    assert passage[1] == [(node, "passed") for node in ("satisfied", "recommend", "solved", "thanks")]
    assert prompts_in(ear, {name: TONES[name] for name in ASKED})[-1] == "thanks"


async def test_a_customer_who_hangs_up_first_is_asked_nothing(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    _, caller = await talk(center, phones, tmp_path / "ear.wav")
    await caller.hangup()
    row = await books.only_call()
    assert (row["ended_by"], answers(center, since)) == ("customer", [])


async def test_customers_of_a_queue_without_a_survey_are_let_go(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear, SUPPORT)
    await agent.hangup()
    await caller.wait("ended")
    await books.only_call()
    assert answers(center, since) == [] and not prompts_in(ear, {name: TONES[name] for name in ASKED})


async def test_the_key_that_releases_the_customer_asks_too(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    """`*0` at a desk phone: the agent's line is kept for the disposition, the customer is asked."""
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear)
    await agent.dtmf("*0")
    await judges(caller, ear, {"csat": "4"})
    await agent.dtmf("1")
    await agent.wait("ended")
    await judges(caller, ear, {"nps": "10", "fcr": "1"})
    await caller.wait("ended")
    row = await books.only_call()
    assert answers(center, since) == ALL and (row["ended_by"], row["disposition"]) == ("agent", "sold")


async def test_an_agent_on_a_headset_releases_the_customer_into_the_survey(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    phone = await phones.phone("1002", password=password_of("1002"), tone_hz=AGENT_HZ)
    headset = Desk(phone, tmp_path, TONES)
    line = await headset.fresh_recording()
    await phone.call("*18")
    await phone.wait("up")
    expected: list[str] = []
    for prompt, typed in (("cc-login-agent", "102#"), ("cc-login-pin", f"{pin_of('102')}#")):
        expected.append(prompt)
        await hears_so_far(line, expected, tones=TONES)
        await phone.dtmf(typed)
    await center.agent_is("102", "ready")
    await until(lambda: "cc-headset-on" in prompts_in(line, TONES))
    caller = await call(center, phones, SALES, record=str(ear))
    await center.agent_is("102", "talking")
    await heard(ear, AGENT_HZ, 300)
    await phone.dtmf("*0")
    await judges(caller, ear, {"csat": "5"})
    await phone.dtmf("2")
    await center.agent_is("102", "ready")
    await judges(caller, ear, {"nps": "0", "fcr": "2"})
    await caller.wait("ended")
    assert phone.count("up") == 1 and not phone.has("ended"), "the line stays"
    await phone.hangup()
    await books.only_call()
    assert answers(center, since) == [("csat", 5, "102", "sales"), ("nps", 0, "102", "sales"), ("fcr", 0, "102", "sales")]


async def test_who_leaves_in_the_middle_is_heard_that_far(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear)
    await agent.hangup()
    await judges(caller, ear, {"csat": "2"})
    await heard(ear, TONES["nps"], 100)
    await caller.hangup()
    row = await books.only_call()
    assert answers(center, since) == [("csat", 2, "101", "sales")] and row["outcome"] == "answered"
    assert walked(center, since)[-1] == ("gave_up", [("satisfied", "passed"), ("recommend", "passed")])


async def test_no_answer_and_a_wrong_one_leave_the_question_open(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    """csat: 9 is none, then nothing; nps: 1 alone is an answer, as more digits may have come; fcr: nothing."""
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear)
    await agent.hangup()
    await judges(caller, ear, {"csat": "9", "nps": "1"})
    await caller.wait("ended")
    await books.only_call()
    assert answers(center, since) == [("nps", 1, "101", "sales")]
    steps = [("satisfied", "no_input x1"), ("recommend", "passed"), ("solved", "no_input"), ("thanks", "passed")]
    assert walked(center, since)[-1][1] == steps


async def test_a_killed_daemon_asks_the_question_again(
    center: Center, phones: PhoneProcess, books: Ledger, since: int, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    agent, caller = await talk(center, phones, ear)
    await agent.hangup()
    await judges(caller, ear, {"csat": "4"})
    await heard(ear, TONES["nps"], 100)
    await center.daemon.kill()
    await center.restart()
    await heard(ear, TONES["nps"], KEYPAD_PROMPT_MS + 200)
    await caller.dtmf("10")
    await judges(caller, ear, {"fcr": "1"})
    await caller.wait("ended")
    await books.only_call()
    assert answers(center, since) == ALL


async def test_the_figures_are_those_of_the_answers(center: Center, books: Ledger) -> None:
    """Over what the tests above have left."""
    scores: dict[str, list[int]] = {kind: [] for kind in QUESTIONS}
    for row in center.rows("SELECT kind, score FROM survey_answers"):
        scores[row["kind"]].append(row["score"])
    csat, nps, fcr = (scores[kind] for kind in QUESTIONS)
    assert csat and nps and fcr
    total = (await in_json(center, "survey", "report")).parsed["total"]
    assert total["csat_percent"] == round(100 * sum(s >= 4 for s in csat) / len(csat), 1)
    assert total["dsat_percent"] == round(100 * sum(s <= 2 for s in csat) / len(csat), 1)
    assert total["nps"] == round(100 * (sum(s >= 9 for s in nps) - sum(s <= 6 for s in nps)) / len(nps), 1)
    assert total["fcr_percent"] == round(100 * sum(fcr) / len(fcr), 1)

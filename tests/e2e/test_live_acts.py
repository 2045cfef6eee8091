"""What supervisors do to the live center by the command line, with real phones; each act is on record with who asked."""

import getpass
from pathlib import Path

import pytest
from harness.calls import answer, call, log_in
from harness.center import Center, Site
from harness.cli import both, here, in_json
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.lab.phones import PhoneProcess

SALES, SUPPORT = "901", "902"


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Agents 101 and 102 take sales only, agent 103 support only."""
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"wrap_up": "none", "ring_timeout_s": 6}, "support": {"wrap_up": "none", "ring_timeout_s": 6}},
    )
    agents = made.settings()["agents"]
    for agent, skill in (("101", "sales"), ("102", "sales"), ("103", "support")):
        agents[agent]["skills"] = {skill: 50}
    made.more = {"agents": agents}
    return made


async def done(center: Center, *words: str) -> None:
    answered = await in_json(center, *words)
    assert answered.code == 0 and answered.parsed["ok"] is True, answered


async def test_agents_are_managed_live(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    first = await center.agent(phones, "101")
    second = await phones.phone("1006", password="secret-1006")
    await done(center, "agent", "pause", "101", "lunch")
    await center.agent_is("101", "not_ready")
    await done(center, "agent", "move", "101", "1006")
    await done(center, "agent", "unpause", "101")
    caller = await call(center, phones)
    await second.wait("incoming")
    assert not first.has("incoming")
    await second.answer()
    await center.agent_is("101", "talking")
    # What cannot be at once is done after the call.
    await done(center, "agent", "move", "101", "1001")
    await done(center, "agent", "logout", "101")
    assert await center.agent_state("101") == "talking"
    await caller.hangup()
    await center.agent_is("101", "logged_out")
    for words, why in ((("move", "101", "1001"), "not logged in"), (("move", "101", "1999"), "1999")):
        text, refusal = await both(center, "agent", *words, code=1)
        assert why in text and why in refusal["text"]
    await center.quiet()
    acts = [
        (row["act"], row["what"], bool(row["is_done"]))
        for row in center.rows("SELECT * FROM audit WHERE agent = '101' AND by LIKE ? ORDER BY at", f"%{getpass.getuser()}%")
    ]
    mine = [act for act in acts if act[0] in ("not_ready", "move_agent", "log_out")]
    assert mine[-6:] == [
        ("not_ready", "lunch", True),
        ("move_agent", "PJSIP/1006", True),
        ("move_agent", "PJSIP/1001", True),
        ("log_out", "", True),
        ("move_agent", "PJSIP/1001", False),
        ("move_agent", "PJSIP/1001", False),  # once for people, once in JSON
    ], acts


async def test_a_skill_given_live_brings_the_waiting_caller(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    agent = await center.agent(phones, "103")
    caller = await call(center, phones, SALES)
    await center.waiting("sales", 1)
    assert not agent.has("incoming")
    await done(center, "agent", "skill", "103", "sales", "40")
    await answer(center, "103", agent)
    await caller.hangup()
    await center.agent_is("103", "ready")
    await done(center, "agent", "skill", "103", "sales", "0")
    caller = await call(center, phones, SALES, "second")
    await center.waiting("sales", 1)
    assert agent.count("incoming") == 1
    await caller.hangup()
    await center.quiet()
    assert next(row["outcome"] for row in books.calls()) == "answered"


async def test_waiting_callers_are_put_first_moved_and_picked(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    one = await call(center, phones, SALES, "one")
    two = await call(center, phones, SALES, "two", number="+34910000002")
    three = await call(center, phones, SALES, "three", number="+34910000003")
    waiting = await center.waiting("sales", 3)
    numbers = [str(each["number"]) for each in waiting]
    await done(center, "call", "priority", numbers[1], "10")
    order = [str(each["number"]) for each in await center.waiting("sales", 3)]
    assert order == [numbers[1], numbers[0], numbers[2]]

    await done(center, "call", "move", numbers[2], "support")
    await center.waiting("support", 1)
    support = await log_in(center, phones, "103", answer_after_ms=0)
    await center.agent_is("103", "talking")
    await three.hangup()
    await support.wait("ended")

    # Picked for 101, and so before the one with the priority.
    assert (await here(center, "call", "pick", numbers[0], "102")).code == 1, "who is not logged in picks nothing"
    picks = await phones.phone("1002", password="secret-1002", answer_after_ms=0)
    await center.ask("agent.login", agent="101", phone="1001")
    await center.ask("agent.pause", agent="101", reason="lunch")
    await center.ask("agent.move", agent="101", phone="1002")
    await done(center, "call", "pick", numbers[0], "101")
    await center.ask("agent.unpause", agent="101")
    await picks.wait("incoming")
    await center.agent_is("101", "talking")
    served = next(a for a in (await center.overview())["agents"] if a["id"] == "101")["interaction"]
    assert str(served) == numbers[0]
    await one.hangup()
    await until(lambda: picks.count("incoming") == 2, what="the one with the priority, next")
    await center.agent_is("101", "talking")
    await done(center, "call", "hangup", numbers[1])
    await two.wait("ended")
    await center.quiet()
    outcomes = {str(row["interaction"]): row["outcome"] for row in books.calls()}
    assert outcomes == dict.fromkeys(numbers, "answered")
    acts = center.rows("SELECT * FROM audit WHERE interaction IN (?, ?, ?) ORDER BY at", *map(int, numbers))
    assert [(row["act"], row["what"], bool(row["is_done"])) for row in acts] == [
        ("priority", "10", True),
        ("move_call", "support", True),
        ("pick", "", False),
        ("pick", "", True),
        ("hang_up", "", True),
    ]
    shown = (await here(center, "audit", "list", "--limit", "30")).out
    assert "priority" in shown and "pick" in shown and "refused" in shown, shown


async def test_numbers_are_blocked_and_cleared(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    await done(center, "number", "block", "+34910000009", "--note", "threats")
    nuisance = await center.caller(phones, "nuisance", "+34910000009")
    await nuisance.call(f"sip:{SALES}@127.0.0.1")
    assert int(str((await nuisance.wait("ended"))["code"])) >= 400 and not nuisance.has("up")
    await done(center, "number", "clear", "+34910000009")
    await nuisance.call(f"sip:{SALES}@127.0.0.1")
    await nuisance.wait("up")
    await nuisance.hangup()
    text, _ = await both(center, "number", "block", "nobody", code=1)
    assert "nobody" in text

"""Being called back instead of waiting, on a real Asterisk: asked for, kept, dialled over the trunk, talked."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from harness.calls import call, carrier, heard, log_in
from harness.center import AGENT_HZ, CALLER_HZ, PROMPTS_HZ, Center, Site
from harness.ledger import Ledger
from harness.waiting import PATIENCE_S, until

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess

CALLER = "+34911222333"
RULES = {"offer_after_s": 0, "tries": 2, "retry_after_s": 10, "ring_timeout_s": 5}
QUEUES = {
    "sales": {"callback": RULES, "ring_timeout_s": 8},
    "full": {"max_waiting": 1, "on_full": {"callback": True}, "callback": {**RULES, "offer_after_s": 600}},
}
SALES, FULL = "901", "903"


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=QUEUES)
    offers = {**plain.settings()["offers"], "missed_before_not_ready": 1}
    return dataclasses.replace(plain, more={"offers": offers})


async def hears(ear: Path, prompt: str) -> None:
    await heard(ear, PROMPTS_HZ[prompt], 200)


async def asks(center: Center, phones: PhoneProcess, tmp_path: Path, name: str = "caller", number: str = CALLER) -> None:
    """A caller presses the key, confirms the number, and is let go."""
    ear = tmp_path / f"{name}.wav"
    caller = await call(center, phones, SALES, name, number=number, record=str(ear))
    await hears(ear, "cc-callback-offer")
    await caller.dtmf("1")
    await hears(ear, "cc-callback-confirm")
    await caller.dtmf("1")
    await hears(ear, "cc-callback-done")
    await caller.wait("ended")


async def rung(customer: Phone, number: str, deadline_s: float = PATIENCE_S) -> None:
    """The trunk is asked for this number."""
    incoming = await customer.wait("incoming", deadline_s)
    headers: Any = incoming["headers"]
    assert headers["to"].startswith(f"<sip:{number}@127.0.0.2"), headers


async def test_who_confirms_is_called_when_an_agent_is_free_and_both_talk(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    ear, customer_ear = tmp_path / "agent.wav", tmp_path / "customer.wav"
    customer = await carrier(desk, tone_hz=CALLER_HZ, record=str(customer_ear))
    await asks(center, phones, tmp_path)
    (waiting,) = await center.waiting("sales", 1)
    assert waiting["caller_number"] == CALLER and waiting["wait_s"] >= 1, "it waits since the call did"
    agent = await log_in(center, phones, "101", tone_hz=AGENT_HZ, record=str(ear))
    incoming = await agent.wait("incoming")
    assert CALLER.removeprefix("+") in str(incoming["headers"])
    assert not customer.has("incoming"), "the agent comes first: nobody is called to wait for one"
    await agent.answer()
    await rung(customer, CALLER)
    await customer.answer()
    await center.agent_is("101", "talking")
    await heard(ear, CALLER_HZ, 500)
    await heard(customer_ear, AGENT_HZ, 500)
    await customer.hangup()
    await center.quiet()
    assert customer.count("incoming") == 1
    asked, called = books.calls()
    assert books.told("queue_visits", asked, "outcome") == ["called_back"]
    assert (called["kind"], called["parent"], called["outcome"]) == ("callback", asked["interaction"], "answered")
    (evidence,) = books.callbacks()
    assert (evidence["call"], evidence["number"], evidence["confirmed_by"]) == (asked["interaction"], CALLER, "11")
    assert (evidence["outcome"], evidence["tries"]) == ("done", 1)


async def test_who_withholds_the_number_types_one_where_the_law_of_cost_allows_it(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    customer = await carrier(desk, answer_after_ms=100)
    caller = await call(center, phones, SALES, number="anonymous", display="Anonymous", record=str(ear))
    await hears(ear, "cc-callback-offer")
    await caller.dtmf("1")
    await hears(ear, "cc-callback-enter")
    await caller.dtmf("806123456#")  # a premium rate
    await hears(ear, "cc-callback-no-number")
    await center.waiting("sales", 1)
    await caller.dtmf("1")
    await heard(ear, PROMPTS_HZ["cc-callback-enter"], 500)
    await caller.dtmf("600111222#")
    await hears(ear, "cc-callback-confirm")
    await caller.dtmf("1")
    await caller.wait("ended")
    await log_in(center, phones, "101", answer_after_ms=50)
    await rung(customer, "+34600111222")
    await center.agent_is("101", "talking")
    await customer.hangup()
    await center.quiet()
    (evidence,) = books.callbacks()
    assert (evidence["number"], evidence["outcome"]) == ("+34600111222", "done")
    assert evidence["confirmed_by"].endswith("1600111222#1") or evidence["confirmed_by"].endswith("16001112221"), evidence


async def test_the_place_is_kept_before_who_came_later(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    customer = await carrier(desk, answer_after_ms=100)
    await asks(center, phones, tmp_path, "first")
    later = await call(center, phones, SALES, "later", number="+34911222444")
    first, second = await center.waiting("sales", 2)
    assert (first["caller_number"], second["caller_number"]) == (CALLER, "+34911222444")
    await log_in(center, phones, "101", answer_after_ms=50)
    await rung(customer, CALLER)
    await center.agent_is("101", "talking")
    await center.waiting("sales", 1)
    await customer.hangup()
    await center.agent_is("101", "wrap_up")
    await center.agent_is("101", "talking")
    await later.hangup()
    await center.quiet()
    assert [(c["kind"], c["outcome"]) for c in books.calls()] == [
        ("voice", books.calls()[0]["outcome"]),
        ("callback", "answered"),
        ("voice", "answered"),
    ]


async def test_who_does_not_answer_is_called_once_more_and_no_agent_is_to_blame(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    """Once rejected, once not answered for too long: then the request is given up. The agent serves others meanwhile."""
    customer = await carrier(desk, answer_code=486)
    await asks(center, phones, tmp_path)
    await log_in(center, phones, "101", answer_after_ms=50)
    await rung(customer, CALLER)
    await center.agent_is("101", "ready")
    other = await call(center, phones, SALES, "other", number="+34911222444")
    await center.agent_is("101", "talking")
    await other.hangup()
    await customer.set(answer_code=200, answer_after_ms=None)
    await rung(customer, CALLER, 20)
    await customer.wait("ended")
    await center.quiet()
    assert await center.agent_state("101") == "ready"
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("given_up", 2)
    _, request, _ = books.calls()
    assert request["outcome"] == "abandoned" and {"missed", "rejected"}.isdisjoint(books.told("offers", request, "outcome"))


async def test_a_daemon_that_dies_while_the_customer_is_rung_joins_who_has_answered_and_calls_nobody_twice(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "agent.wav"
    customer = await carrier(desk, tone_hz=CALLER_HZ)
    await asks(center, phones, tmp_path)
    await log_in(center, phones, "101", answer_after_ms=50, record=str(ear))
    await rung(customer, CALLER)
    await center.daemon.kill()
    await customer.answer()
    await customer.wait("up")
    await center.restart()
    await heard(ear, CALLER_HZ, 500)
    await center.agent_is("101", "talking")
    await customer.hangup()
    await center.quiet()
    assert customer.count("incoming") == 1
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("done", 1)


async def test_a_daemon_that_dies_between_two_calls_keeps_the_request_and_its_count(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    customer = await carrier(desk, answer_code=486)
    await asks(center, phones, tmp_path)
    await log_in(center, phones, "101", answer_after_ms=50)
    await rung(customer, CALLER)
    await center.agent_is("101", "ready")
    await customer.set(answer_code=200, answer_after_ms=100)
    await center.daemon.kill()
    await center.restart()
    await rung(customer, CALLER, 20)
    await center.agent_is("101", "talking")
    await customer.hangup()
    await center.quiet()
    assert customer.count("incoming") == 2
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("done", 2)


async def test_who_was_blocked_meanwhile_is_not_called(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    customer = await carrier(desk)
    await asks(center, phones, tmp_path)
    await center.ask("number.mark", number=CALLER, mark="blocked")
    try:
        await log_in(center, phones, "101", answer_after_ms=50)
        await center.quiet()
    finally:
        await center.ask("number.mark", number=CALLER, mark=None)
    assert not customer.has("incoming")
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("refused", 0)
    assert await center.agent_state("101") == "ready"


async def test_who_calls_again_and_is_served_is_not_called_back(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    customer = await carrier(desk)
    await asks(center, phones, tmp_path)
    (request,) = await center.waiting("sales", 1)
    again = await call(center, phones, SALES, "again")
    await center.waiting("sales", 2)
    await center.ask("call.priority", interaction=request["number"] + 1, priority=10)
    await log_in(center, phones, "101", answer_after_ms=50)
    await center.agent_is("101", "talking")
    await center.waiting("sales", 0)
    await again.hangup()
    await center.quiet()
    assert not customer.has("incoming")
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("cancelled", 0)


async def test_the_agent_who_leaves_while_the_customer_is_rung_stops_the_ringing(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    """Nobody answers to an empty line; another agent takes the request when it may be tried again."""
    customer = await carrier(desk)
    await asks(center, phones, tmp_path)
    agent = await log_in(center, phones, "101", answer_after_ms=50)
    await rung(customer, CALLER)
    await agent.hangup()
    await customer.wait("ended")
    (request,) = await center.waiting("sales", 1)
    await center.ask("callback.cancel", interaction=request["number"])
    await center.quiet()
    (evidence,) = books.callbacks()
    assert (evidence["outcome"], evidence["tries"]) == ("cancelled", 1)


async def test_who_finds_the_queue_full_and_wants_no_callback_is_let_go(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear = tmp_path / "ear.wav"
    first = await call(center, phones, FULL, "first", number="+34911222444")
    await center.waiting("full", 1)
    second = await call(center, phones, FULL, "second", record=str(ear))
    await hears(ear, "cc-callback-confirm")
    await second.dtmf("9")
    await second.wait("ended")
    await center.waiting("full", 1)
    await first.hangup()
    await center.quiet()
    kept, turned_away = books.calls()
    assert books.told("queue_visits", turned_away, "outcome") == ["overflowed"]
    assert audio.total_ms(audio.heard(ear, [PROMPTS_HZ["cc-callback-done"]])[PROMPTS_HZ["cc-callback-done"]]) == 0
    assert kept["ended_by"] == "customer"
    await until(lambda: not books.callbacks(), what="no request")

"""Several phones ring for one call, on a real Asterisk: one answers, the others fall silent and nobody is to blame."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from harness.calls import call, heard, leave
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Center, Site
from harness.ledger import Ledger
from harness.waiting import PATIENCE_S

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneFailed, PhoneProcess

ALL, STEPS = "903", "904"
QUEUES = {
    "everybody": {"strategy": "ring_all", "ring_timeout_s": 6},
    "steps": {"strategy": "ring_progressively", "ring_more_every_s": 1, "ring_timeout_s": 8},
}
RING_MS = 150
OTHER_HZ = 1400


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    plain = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues=QUEUES)
    offers = {**plain.settings()["offers"], "missed_before_not_ready": 1}
    return dataclasses.replace(plain, more={"offers": offers})


async def team(center: Center, phones: PhoneProcess, *agents: str, **fields: object) -> list[Phone]:
    """Agents who become ready in this order: the first is idle longest."""
    return [await center.agent(phones, agent, **fields) for agent in agents]


async def silent(*others: Phone) -> None:
    for phone in others:
        await phone.wait("ended")
        assert not phone.has("up")


@asynccontextmanager
async def nobody_blamed(center: Center, *agents: str) -> AsyncIterator[None]:
    """Who loses is ready at once, neither spared nor put not ready."""
    yield
    for agent in agents:
        await center.agent_is(agent, "ready")


async def test_all_phones_ring_and_who_answers_first_has_the_call(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    ear, desk_ear = tmp_path / "ear.wav", tmp_path / "desk.wav"
    first, third = await team(center, phones, "101", "103")
    second = await center.agent(phones, "102", tone_hz=AGENT_HZ, record=str(desk_ear))
    caller = await call(center, phones, ALL, record=str(ear))
    for phone in (first, second, third):
        await phone.wait("incoming")
    async with nobody_blamed(center, "101", "103"):
        await second.answer()
        await center.agent_is("102", "talking")
        await silent(first, third)
    await heard(ear, AGENT_HZ, 500)
    await heard(desk_ear, CALLER_HZ, 500)
    await leave(center, caller)
    assert audio.total_ms(audio.heard(desk_ear, [MUSIC_HZ])[MUSIC_HZ]) == 0, "the agent waits in silence, if at all"
    row = await books.only_call()
    assert (row["outcome"], row["agent"]) == ("answered", "102")
    told = {offer["agent"]: offer["outcome"] for offer in books.of("offers", row)}
    assert told == {"101": "cancelled", "102": "answered", "103": "cancelled"}


async def test_two_who_answer_in_the_same_instant_are_one_winner_and_one_who_is_free(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """Exact to about 2 ms, again and again: the caller hears one voice, and the other agent is not to blame."""
    ear = tmp_path / "ear-%.wav"
    one, other = await team(center, phones, "101", "102", answer_after_ms=RING_MS)
    await one.set(tone_hz=AGENT_HZ)
    await other.set(tone_hz=OTHER_HZ)
    caller = await center.caller(phones, "caller", record=str(ear))
    for n in range(1, 7):
        await caller.call(f"sip:{ALL}@127.0.0.1")
        await caller.wait("up")
        recording = tmp_path / f"ear-{n}.wav"
        hears = asyncio.gather(
            *(asyncio.create_task(heard(recording, hz, 300)) for hz in (AGENT_HZ, OTHER_HZ)), return_exceptions=True
        )
        winner, loser = await winner_of(center)
        hears.cancel()
        hz, wrong_hz = (AGENT_HZ, OTHER_HZ) if winner == "101" else (OTHER_HZ, AGENT_HZ)
        await heard(recording, hz, 300)
        await center.agent_is(loser, "ready")
        await caller.hangup()
        assert not audio.heard(recording, [wrong_hz])[wrong_hz]
        await center.agent_is(winner, "ready")
    await center.quiet()
    for row in books.calls():
        assert row["outcome"] == "answered"
        assert sorted(books.told("offers", row, "outcome")) == ["answered", "cancelled"]


async def winner_of(center: Center) -> tuple[str, str]:
    """Who of 101 and 102 talks, and who does not."""
    while True:
        for agent, other in (("101", "102"), ("102", "101")):
            if await center.agent_state(agent) == "talking":
                return agent, other


async def test_a_caller_who_hangs_up_leaves_no_phone_ringing(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    ringing = await team(center, phones, "101", "102", "103")
    caller = await call(center, phones, ALL)
    for phone in ringing:
        await phone.wait("incoming")
    async with nobody_blamed(center, "101", "102", "103"):
        await leave(center, caller)
        await silent(*ringing)
    row = await books.only_call()
    assert row["ended_by"] == "customer"
    assert set(books.told("offers", row, "outcome")) == {"caller_gone"}


async def test_a_caller_who_hangs_up_as_two_answer_is_answered_or_gone_and_all_are_free(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    one, other = await team(center, phones, "101", "102", answer_after_ms=RING_MS)
    caller = await center.caller(phones)
    sweep = (-10, 0, 3, 6, 10, 20, 40)
    for after_ms in sweep:
        rings = {"event": "incoming", "phone": one.name}
        gone = await caller.arm(rings, {"do": "hangup", "phone": caller.name, "after_ms": RING_MS + after_ms})
        await caller.call(f"sip:{ALL}@127.0.0.1")
        with suppress(PhoneFailed):
            await asyncio.wait_for(gone, PATIENCE_S)
        await caller.wait("ended")
        await one.wait("ended")
        await other.wait("ended")
        for agent in ("101", "102"):
            await center.agent_is(agent, "ready")
    await center.quiet()
    rows = books.calls()
    assert len(rows) == len(sweep)
    for row in rows:
        assert row["outcome"] in ("answered", "abandoned") and row["talk_s"] < 1, row
        wanted = {"answered", "cancelled"} if row["outcome"] == "answered" else {"caller_gone"}
        assert set(books.told("offers", row, "outcome")) <= wanted | {"cancelled"}, (row, books.of("offers", row))


async def test_who_rejects_or_is_gone_leaves_the_others_ringing(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess
) -> None:
    """101 rejects, 102's phone is off without a word, 103 takes it."""
    (rejecting, staying) = await team(center, phones, "101", "103")
    (vanishing,) = await team(center, desk, "102")
    caller = await call(center, phones, ALL)
    for phone in (rejecting, vanishing, staying):
        await phone.wait("incoming")
    await rejecting.answer(603)
    await desk.vanish()
    await center.agent_is("101", "not_ready")
    assert not staying.has("ended")
    await staying.answer()
    await center.agent_is("103", "talking")
    await leave(center, caller)
    row = await books.only_call()
    told = {offer["agent"]: offer["outcome"] for offer in books.of("offers", row)}
    assert told == {"101": "rejected", "102": "cancelled", "103": "answered"}


async def test_when_nobody_answers_each_has_missed_it_and_the_caller_waits_on(
    center: Center, books: Ledger, phones: PhoneProcess
) -> None:
    ringing = await team(center, phones, "101", "102")
    caller = await call(center, phones, ALL)
    for phone in ringing:
        await phone.wait("incoming")
    for agent in ("101", "102"):
        await center.agent_is(agent, "not_ready")
    (waiting,) = await center.waiting("everybody", 1)
    assert waiting["ringing"] is None
    await center.ask("agent.unpause", agent="102")
    await ringing[1].wait("incoming")
    await ringing[1].answer()
    await center.agent_is("102", "talking")
    await leave(center, caller)
    row = await books.only_call()
    assert sorted(books.told("offers", row, "outcome")) == ["answered", "missed", "missed"]


async def test_one_more_phone_rings_every_so_often(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    first, second, third = await team(center, phones, "103", "101", "102")
    caller = await call(center, phones, STEPS)
    at = [float(str((await phone.wait("incoming"))["at"])) for phone in (first, second)]
    assert 0.5 < at[1] - at[0] < 3, at
    assert not third.has("incoming")
    async with nobody_blamed(center, "101"):
        await first.answer()
        await center.agent_is("103", "talking")
        await silent(second)
    await leave(center, caller)
    row = await books.only_call()
    assert row["agent"] == "103" and not third.has("incoming")


async def test_a_daemon_that_dies_while_all_ring_joins_who_answers_then_or_starts_anew(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """Nobody is lost and nobody is stuck: the caller talks with one agent in the end, the other is free."""
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    ringing = await team(center, phones, "101", "102", tone_hz=AGENT_HZ)
    caller = await call(center, phones, ALL, record=str(ear))
    for phone in ringing:
        await phone.wait("incoming")
    await center.daemon.kill()
    await ringing[1].answer()
    await ringing[1].wait("up")
    await ringing[0].set(answer_after_ms=300)
    await ringing[1].set(answer_after_ms=300)
    await center.restart()
    await heard(ear, AGENT_HZ, 500, 30)
    await leave(center, caller)
    for agent in ("101", "102"):
        state = await center.agent_state(agent)
        if state == "not_ready":
            await center.ask("agent.unpause", agent=agent)
        await center.agent_is(agent, "ready")
    row = await books.only_call()
    assert row["outcome"] == "answered"

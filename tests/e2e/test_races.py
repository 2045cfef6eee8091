"""Two things at the same instant, on a real Asterisk: each has one outcome, and nobody is left hanging."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import pytest
from harness.audit import audit, newest, outcomes
from harness.board import Board
from harness.center import AGENTS, Center, Site, pin_hash
from harness.lanes import SWEEP_MS, Lane, spread, told
from harness.waiting import PATIENCE_S

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneFailed, PhoneProcess

RING_TIMEOUT_S = 6
RING_MS = 150
"""From the first ringing to the agent's answer."""
JOIN_MS = (1, 2, 2, 3, 3, 4, 4, 5) * 2
"""While Asterisk joins the two it may lose a hang-up: once more, and closer."""


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Every agent has a queue of their own."""
    lanes = {
        f"lane{n}": {"skills": [f"lane{n}"], "wrap_up_s": 0.5, "ring_timeout_s": RING_TIMEOUT_S}
        for n in range(1, len(AGENTS) + 1)
    }
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues=lanes,
        more={
            "skills": {name: name.title() for name in ("sales", "support", "spanish", *lanes)},
            "agents": {
                agent: {"name": f"Agent {agent}", "skills": {f"lane{n}": 50}, "pin_hash": pin_hash(agent)}
                for n, agent in enumerate(AGENTS, start=1)
            },
        },
    )


@pytest.fixture
def desks(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    started = [runner.run(PhoneProcess.start()) for _ in range(4)]
    yield started
    for desk in started:
        runner.run(desk.close())


async def lanes(center: Center, desks: list[PhoneProcess], board: Board) -> list[Lane]:
    """One lane for each agent, all ready."""
    made = []
    for n, agent in enumerate(AGENTS, start=1):
        desk = desks[n % len(desks)]
        caller = await center.caller(desk, f"caller{n}", f"+3491122230{n}")
        made.append(Lane(center, board, caller, f"lane{n}", (agent, await center.agent(desk, agent))))
    return made


async def test_a_caller_who_hangs_up_as_the_agent_answers_is_answered_or_has_abandoned(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess]
) -> None:
    since = newest(center)
    apart_ms: list[float] = []

    async def one(lane: Lane, after_ms: int) -> None:
        rings = {"event": "incoming", "phone": lane.phone.name}
        answered = await lane.phone.arm(rings, {"do": "answer", "phone": lane.phone.name, "after_ms": RING_MS})
        hung_up = await lane.phone.arm(rings, {"do": "hangup", "phone": lane.caller.name, "after_ms": RING_MS + after_ms})
        await lane.call()
        left = await asyncio.wait_for(hung_up, PATIENCE_S)
        with suppress(PhoneFailed):  # the call has been taken from the phone before it could answer
            apart_ms.append(1000 * (float(str(left["at"])) - float(str((await asyncio.wait_for(answered, PATIENCE_S))["at"]))))
        await lane.caller.wait("ended")
        await lane.phone.wait("ended")
        await lane.ready()

    sweep = [*SWEEP_MS, *JOIN_MS]
    async with Board(center) as board:
        shares = await spread(await lanes(center, desks, board), sweep, one)
    history = await audit(center, pbx, since)
    assert len(history.interactions) == len(sweep)
    seen = outcomes(history)
    assert set(seen) == {"answered", "abandoned"}, (told(history, shares), sorted(apart_ms))
    for row in history.interactions:
        agent = AGENTS[int(row["queue"].removeprefix("lane")) - 1]
        offers = [(offer["agent"], offer["outcome"]) for offer in history.offers[row["interaction"]]]
        assert offers == [(agent, "answered" if row["outcome"] == "answered" else "caller_gone")], (row, offers)
        assert row["ended_by"] == "customer" and row["talk_s"] < 3, row


async def test_a_caller_who_leaves_while_an_agent_is_being_called_leaves_no_phone_ringing(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess]
) -> None:
    """From the instant the caller dials, and from the one the call is answered, which is the offer's."""
    since = newest(center)
    rings_ms: list[float] = []

    async def leave(lane: Lane, when: str, after_ms: int) -> None:
        event = {"event": when, "phone": lane.caller.name}
        hung_up = await lane.caller.arm(event, {"do": "hangup", "phone": lane.caller.name, "after_ms": after_ms})
        before = lane.phone.count("incoming")
        await lane.call()
        left = await asyncio.wait_for(hung_up, PATIENCE_S)
        await lane.caller.wait("ended")
        await lane.ready()
        assert lane.phone.count("incoming") <= before + 1
        if lane.phone.count("incoming") > before:
            ended = await lane.phone.wait("ended")
            rings_ms.append(1000 * (float(str(ended["at"])) - float(str(left["at"]))))

    async with Board(center) as board:
        made = await lanes(center, desks, board)
        await spread(made, range(0, 51, 2), lambda lane, after_ms: leave(lane, "up", after_ms))
        offered = len((await audit(center, pbx, since)).interactions)
        await spread(made, range(0, 51, 2), lambda lane, after_ms: leave(lane, "calling", after_ms))
    history = await audit(center, pbx, since)
    assert offered == len(range(0, 51, 2))
    assert offered <= len(history.interactions) <= 2 * offered, "a call that was taken back at once need not arrive"
    assert all(row["outcome"] == "abandoned" or not history.offers[row["interaction"]] for row in history.interactions)
    given = [offer for offers in history.offers.values() for offer in offers]
    assert {offer["outcome"] for offer in given} == {"caller_gone"} and len(given) >= offered
    assert rings_ms and median(rings_ms) < 1000 and max(rings_ms) < RING_TIMEOUT_S * 500, sorted(rings_ms)


async def test_both_sides_who_hang_up_at_once_end_one_talk(center: Center, pbx: Asterisk, desks: list[PhoneProcess]) -> None:
    since = newest(center)
    too_late: list[str] = []

    async def one(lane: Lane, after_ms: int) -> None:
        """The caller hangs up so long after the agent."""
        await lane.phone.set(answer_after_ms=0)
        joined = {"event": "media", "phone": lane.phone.name}
        ends = [
            await lane.phone.arm(joined, {"do": "hangup", "phone": lane.phone.name, "after_ms": 400}),
            await lane.caller.arm(joined, {"do": "hangup", "phone": lane.caller.name, "after_ms": 400 + after_ms}),
        ]
        await lane.call()
        for done in await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), PATIENCE_S):
            if isinstance(done, PhoneFailed):
                too_late.append(str(done))  # the other's BYE was there first
            else:
                assert not isinstance(done, BaseException), done
        await lane.caller.wait("ended")
        await lane.phone.wait("ended")
        await lane.ready()

    sweep = range(-40, 41, 5)
    async with Board(center) as board:
        shares = await spread(await lanes(center, desks, board), sweep, one)
    history = await audit(center, pbx, since)
    assert outcomes(history) == {"answered": len(sweep)}, told(history, shares)
    assert {row["ended_by"] for row in history.interactions} == {"customer", "agent"}, (shares, too_late)
    for row in history.interactions:
        kinds = Counter(segment["kind"] for segment in history.segments[row["interaction"]])
        assert kinds["talk"] == kinds["wrap_up"] == 1, kinds
        assert 0.1 < row["talk_s"] < 3, row

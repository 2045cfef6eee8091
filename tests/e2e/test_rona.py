"""Ringing that ends at the instant of the answer, on a real Asterisk: the caller has that agent or gets the next."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness.audit import audit, newest, outcomes
from harness.board import Board
from harness.center import AGENTS, Center, Site, pin_hash
from harness.lanes import SWEEP_MS, Lane, spread, told
from harness.waiting import PATIENCE_S, until

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneFailed, PhoneProcess

RING_S = 1.0
PAIRS = 4


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two agents for each queue; one who misses calls is not put not ready, since there are so many."""
    pairs = {f"pair{n}": {"skills": [f"pair{n}"], "wrap_up_s": 0.3, "ring_timeout_s": RING_S} for n in range(1, PAIRS + 1)}
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues=pairs,
        more={
            "skills": {name: name.title() for name in ("sales", "support", "spanish", *pairs)},
            "agents": {
                agent: {"name": f"Agent {agent}", "skills": {f"pair{n % PAIRS + 1}": 50}, "pin_hash": pin_hash(agent)}
                for n, agent in enumerate(AGENTS)
            },
            "offers": {"missed_reason": "missed", "missed_before_not_ready": 0, "missed_back_off_s": 1},
        },
    )


@pytest.fixture
def desks(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    started = [runner.run(PhoneProcess.start()) for _ in range(4)]
    yield started
    for desk in started:
        runner.run(desk.close())


async def test_an_agent_who_answers_as_the_time_is_up_has_the_caller_or_not_and_the_caller_gets_an_agent(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess], tmp_path: Path
) -> None:
    """The ringing ends in Asterisk, at its own Timeout. A second agent of the queue comes back as the first one's rings."""
    since = newest(center)
    heard: list[tuple[str, str]] = []
    first: list[str] = []

    async def one(lane: Lane, after_ms: int) -> None:
        rings = {"event": "incoming", "phone": lane.phone.name}
        answered = await lane.phone.arm(rings, {"do": "answer", "phone": lane.phone.name, "after_ms": RING_S * 1000 + after_ms})
        ear = tmp_path / f"{lane.queue}{after_ms}.wav"
        await lane.caller.set(record=str(ear))
        await lane.call()
        await lane.phone.wait("incoming")
        (spare,) = (agent for agent in lane.agents if agent != lane.agent)
        await center.ask("agent.unpause", agent=spare)
        with suppress(PhoneFailed):  # it has stopped ringing
            await asyncio.wait_for(answered, PATIENCE_S)
        agent = await board.one_is(lane.agents, "talking")
        tones = [tone_of(each) for each in AGENTS]
        await until(lambda: audio.total_ms(audio.heard(ear, tones)[tone_of(agent)]) >= 300, what=f"the voice of {agent}")
        await lane.caller.hangup()
        await lane.caller.wait("ended")
        spans = audio.heard(ear, tones)
        heard.extend((agent, each) for each in AGENTS if audio.total_ms(spans[tone_of(each)]))
        first.append("joined" if agent == lane.agent else "missed")
        await lane.agents[agent].wait("ended")
        await board.one_is([spare], "ready")
        await center.ask("agent.pause", agent=spare, reason="lunch")
        await center.ask("agent.unpause", agent=lane.agent)  # ends the back-off after a missed call
        await lane.ready()

    async with Board(center) as board:
        made = []
        for n in range(1, PAIRS + 1):
            desk = desks[n % len(desks)]
            caller = await center.caller(desk, f"caller{n}", f"+3491122230{n}")
            pair = [(agent, await center.agent(desk, agent, tone_hz=tone_of(agent))) for agent in AGENTS[n - 1 :: PAIRS]]
            await pair[1][1].set(answer_after_ms=0)
            await center.ask("agent.pause", agent=pair[1][0], reason="lunch")
            made.append(Lane(center, board, caller, f"pair{n}", *pair))
        shares = await spread(made, SWEEP_MS, one)
    history = await audit(center, pbx, since)
    assert outcomes(history) == {"answered": len(SWEEP_MS)}, told(history, shares)
    ways = Counter(tuple(offer["outcome"] for offer in history.offers[row["interaction"]]) for row in history.interactions)
    assert set(ways) == {("answered",), ("missed", "answered")}, ways
    assert Counter(first) == {"joined": ways["answered",], "missed": ways["missed", "answered"]}
    assert Counter(heard) == Counter((row["agent"], row["agent"]) for row in history.interactions), "one voice each"


def tone_of(agent: str) -> int:
    return 700 + 90 * AGENTS.index(agent)

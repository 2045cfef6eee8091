"""A busy half minute on a real Asterisk: callers and agents who do what they like when they like, and a history that is true."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from harness.audit import audit, newest, outcomes
from harness.center import AGENTS, Center, Site

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import NotSeen, Phone, PhoneFailed, PhoneProcess

BUSY_S = 25.0
CALLERS = 12
PHONES_EACH = 3
SEED = 20240917


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    quick = {"wrap_up_s": 0.3, "ring_timeout_s": 1.5}
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": quick, "support": quick},
        more={"offers": {"missed_reason": "missed", "missed_before_not_ready": 0, "missed_back_off_s": 0.5}},
    )


@pytest.fixture
def desks(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    """A process has four calls at most, and one that has just ended may still count."""
    started = [runner.run(PhoneProcess.start()) for _ in range(-(-(len(AGENTS) + CALLERS) // PHONES_EACH))]
    yield started
    for desk in started:
        runner.run(desk.close())


async def later(phone: Phone, do: str, after_s: float) -> None:
    """Do it then, if the call is still there."""
    with suppress(PhoneFailed):
        await phone.do(do, after_ms=after_s * 1000)


async def customer(phone: Phone, chance: Random, until_s: float) -> int:
    """Calls again and again; how often."""
    calls = 0
    while time.monotonic() < until_s:
        await phone.call(f"sip:{chance.choice(('901', '902'))}@127.0.0.1")
        calls += 1
        await phone.wait("up")
        await later(phone, "hangup", chance.choice((0.0, chance.uniform(0, 1), chance.uniform(1, 6))))
        await phone.wait("ended")
    return calls


async def worker(phone: Phone, chance: Random) -> None:
    """Answers at once, late, at the end of the ringing, or never; hangs up first or not."""
    while True:
        with suppress(NotSeen):
            await phone.wait("incoming")
            await later(phone, "answer", chance.choice((0.0, chance.uniform(0, 1), chance.uniform(1.4, 1.6), 3.0)))
            if chance.random() < 0.5:
                await later(phone, "hangup", chance.uniform(0.1, 2))
            await phone.wait("ended")


async def test_a_busy_center_tells_the_truth_about_every_call(center: Center, pbx: Asterisk, desks: list[PhoneProcess]) -> None:
    since = newest(center)
    agents = [await center.agent(desks[n // PHONES_EACH], agent) for n, agent in enumerate(AGENTS)]
    callers = [
        await center.caller(desks[(len(AGENTS) + n) // PHONES_EACH], f"caller{n}", f"+349112223{n:02d}") for n in range(CALLERS)
    ]
    working = [asyncio.create_task(worker(phone, Random(SEED + n))) for n, phone in enumerate(agents)]
    until_s = time.monotonic() + BUSY_S
    made = await asyncio.gather(*(customer(phone, Random(SEED - 1 - n), until_s) for n, phone in enumerate(callers)))
    for agent in AGENTS:
        await center.agent_is(agent, "ready", 20)
    for task in working:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    history = await audit(center, pbx, since)
    assert len(history.interactions) == sum(made) >= 30
    seen = outcomes(history)
    assert seen["answered"] >= 5 and seen["abandoned"] >= 5 and set(seen) == {"answered", "abandoned"}, seen
    missed = [offer for offers in history.offers.values() for offer in offers if offer["outcome"] == "missed"]
    assert missed, "some let it ring"

"""Eight recorded calls at once on a real PBX: nothing of what was said is missing, counted in samples."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.archive import decoded, files_of
from harness.center import AGENT_HZ, AGENTS, Center, Site
from harness.ledger import Ledger
from harness.lossy_phone import FRAME_MS, LossyPhone
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.counted import arrived
from ccserver.lab.phones import PhoneProcess

TALK_S = 8.0
PHONES_EACH = 3
"""A process has four calls at most."""
RATE = 8000


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues={"sales": {"record": True}})


@pytest.fixture
def desks(books: Ledger, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    started = [runner.run(PhoneProcess.start()) for _ in range(-(-len(AGENTS) // PHONES_EACH))]
    yield started
    for process in started:
        runner.run(process.close())


@pytest.fixture
def lines() -> Iterator[list[LossyPhone]]:
    made: list[LossyPhone] = []
    yield made
    for phone in made:
        phone.close()


async def test_no_sample_of_eight_calls_at_once_is_missing(
    center: Center, books: Ledger, desks: list[PhoneProcess], lines: list[LossyPhone]
) -> None:
    for number, agent in enumerate(AGENTS):
        await center.agent(desks[number // PHONES_EACH], agent, tone_hz=AGENT_HZ, answer_after_ms=50)
    for _ in AGENTS:
        phone = await LossyPhone.open("127.0.0.2", hz=0)
        lines.append(phone)
        await phone.call("901")
    for agent in AGENTS:
        await center.agent_is(agent, "talking", 20)
    goal = max(phone.sent for phone in lines) + TALK_S * 1000 / FRAME_MS
    await until(lambda: min(phone.sent for phone in lines) >= goal, 5 * TALK_S, what="all of them have talked for a while")
    for phone in lines:
        await phone.hang_up()
    await center.quiet()
    calls = books.calls()
    assert len(calls) == len(AGENTS)
    for call in calls:
        (file,) = await files_of(center, call["interaction"], deadline_s=60)
        whole = await decoded(center, file)
        _, (left, _) = audio.read(whole)
        found = arrived(left, is_a_law=True)
        assert found is not None and found.lost == 0, (call["interaction"], found)
        assert found.samples >= TALK_S * RATE
        # At both ends a moment may be silent: until the first packet, and after the last.
        (stretch,) = books.of("recordings", call)
        assert found.samples >= (stretch["duration_s"] - 1.0) * RATE, (found, stretch)
        assert audio.total_ms(audio.heard(whole, [AGENT_HZ], 1)[AGENT_HZ]) >= (TALK_S - 1) * 1000

"""A talk has a longest time: the daemon ends it, and without the daemon the dialplan does."""

from pathlib import Path

import pytest
from harness.calls import answer, call, heard
from harness.center import AGENT_HZ, Center, Site
from harness.ledger import Ledger

from ccserver.lab.phones import PhoneProcess

MAX_TALK_S = 10
BRIEF = "903"


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(
        directory=tmp_path_factory.mktemp("site"), shared=shared_directory, queues={"brief": {"max_talk_s": MAX_TALK_S}}
    )


async def test_the_longest_talk_is_ended(center: Center, books: Ledger, phones: PhoneProcess) -> None:
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    caller = await call(center, phones, BRIEF)
    await answer(center, "101", agent)
    await caller.wait("ended", MAX_TALK_S + 10)
    await agent.wait("ended")
    row = await books.only_call()
    assert (row["outcome"], row["ended_by"]) == ("answered", "system")
    assert row["talk_s"] == pytest.approx(MAX_TALK_S, abs=1)
    await center.agent_is("101", "ready")


async def test_the_longest_talk_is_ended_also_without_the_daemon(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    ear = tmp_path / "ear.wav"
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    caller = await call(center, phones, BRIEF, record=str(ear))
    await answer(center, "101", agent)
    await heard(ear, AGENT_HZ, 300)
    await center.daemon.kill()
    ended = await caller.wait("ended", MAX_TALK_S + 15)
    await agent.wait("ended")
    assert float(str(ended["duration_ms"])) >= (MAX_TALK_S - 1) * 1000
    await center.restart()
    row = await books.only_call()
    assert (row["outcome"], row["agent"]) == ("answered", "101")
    await center.agent_is("101", "ready")

"""The journal of a run with real calls, worked off again in a bare core, gives the very same commands."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.center import AGENT_HZ, Center, Site, password_of

from ccserver.core.traced import read_step
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

REPLAYER = Path(__file__).parent / "harness" / "replayer.py"
SALES = "sip:901@127.0.0.1"


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: Site, runner: asyncio.Runner) -> Iterator[Center]:
    running = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    yield running
    if running.daemon.is_running:
        assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


def traced(center: Center) -> list[list[bytes]]:
    """The lines of each run of the daemon."""
    return [path.read_bytes().splitlines() for path in sorted((center.site.directory / "trace").glob("trace-*.jsonl"))]


def replayed(journal: Path, hash_seed: int) -> list[bytes]:
    """What a process of its own makes of the journal."""
    done = subprocess.run(
        [sys.executable, str(REPLAYER), str(journal)],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.splitlines()


async def log_in(center: Center, phones: PhoneProcess, agent: str, **fields: object) -> Phone:
    """The desk phone of an agent for whom callers wait: it rings at once."""
    number = f"100{agent[-1]}"
    phone = await phones.phone(number, password=password_of(number), **fields)
    await center.ask("agent.login", agent=agent, phone=number)
    return phone


async def calls(center: Center, phones: PhoneProcess) -> None:
    """A bit of everything that two agents and two customers can do."""
    misses = await log_in(center, phones, "102")
    first, second = await center.caller(phones, "first"), await center.caller(phones, "second", number="anonymous")
    await first.call("sip:900@127.0.0.1")  # the menu, and nobody types a thing; then the phone that is not answered
    await misses.wait("incoming")
    await center.agent_is("102", "back_off")
    await center.ask("agent.logout", agent="102")
    agent = await log_in(center, phones, "101", tone_hz=AGENT_HZ)
    await agent.wait("incoming")
    await agent.answer(603)
    await agent.wait("incoming")
    await second.call(SALES)
    await center.waiting("sales", 2)
    await agent.answer()
    await center.agent_is("101", "talking")
    await agent.hold()
    await center.agent_is("101", "on_hold")
    await agent.unhold()
    await center.agent_is("101", "talking")
    await second.hangup()
    await center.waiting("sales", 0)
    await first.hangup()
    await center.agent_is("101", "wrap_up")
    await agent.dtmf("2")
    await center.agent_is("101", "ready")


async def test_the_journal_worked_off_again_gives_the_same_commands(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    journal = center.site.directory / "state" / "journal"
    await calls(center, phones)
    caller, waiter = await center.caller(phones, "caller"), await center.caller(phones, "waiter")
    await caller.call(SALES)
    await center.agent_is("101", "ringing")
    await waiter.call(SALES)
    await center.waiting("sales", 2)
    await center.daemon.kill()
    shutil.copytree(journal, tmp_path / "first")

    await center.restart()
    await caller.hangup()
    await center.waiting("sales", 1)
    await waiter.hangup()
    await center.quiet()
    await center.log_everybody_out()
    await center.daemon.kill()
    shutil.copytree(journal, tmp_path / "second")

    runs = traced(center)
    assert len(runs) == 2
    for deaths, copy in enumerate(("first", "second"), start=1):
        again = replayed(tmp_path / copy, hash_seed=1)
        assert replayed(tmp_path / copy, hash_seed=2) == again
        first = read_step(again[0]).seq
        assert first <= 3, "all but what came before the first snapshot"
        expected = [line for run in runs[:deaths] for line in run if read_step(line).seq >= first]
        untraced = {read_step(line).seq for line in again} - {read_step(line).seq for line in expected}
        assert len(untraced) <= deaths, "only a step that a death cut off between journal and trace"
        for before, after in zip(expected, (a for a in again if read_step(a).seq not in untraced), strict=True):
            assert after == before
    steps = [read_step(line) for run in runs for line in run]
    kinds = Counter(type(command).__name__ for step in steps for command in step.commands)
    assert {"RingAgent", "Collect", "Say", "WaitUntil", "EndSession", "Store", "AnswerCall", "Reply"} <= kinds.keys(), kinds
    assert not [step.fault for step in steps if step.fault]
    await center.restart()

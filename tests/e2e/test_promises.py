"""Callbacks that one agent has promised, and who is not there: for a quarter of an hour they wait, and then they are the team's."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.campaigns import add_leads, called, end_all, settled, site_that_calls, start
from harness.carrier import Carrier
from harness.center import AGENT_HZ, Center, Site
from harness.cli import here
from harness.waiting import until

from ccserver.core.campaigns import GRACE_S
from ccserver.lab.carrier import Callee
from ccserver.lab.phones import PhoneProcess

CAMPAIGNS = {"kept": {"mode": "callback_only", "purpose": "requested"}}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_that_calls(tmp_path_factory.mktemp("site"), shared_directory, CAMPAIGNS)


def promise(center: Center, number: str, ago_s: float, by: str) -> datetime:
    """A talk a while ago, in which `by` promised to call again `ago_s` before now. When that was."""
    add_leads(center, "kept", [number])
    promised = datetime.now(UTC) - timedelta(seconds=ago_s)
    due, talked = (
        each.replace(tzinfo=None).isoformat(" ", "microseconds") for each in (promised, promised - timedelta(seconds=600))
    )
    with closing(sqlite3.connect(center.site.directory / "history.db", timeout=10)) as database, database:
        lead = database.execute("SELECT lead FROM lead_numbers WHERE e164 = ?", (number,)).fetchone()[0]
        database.execute(
            "UPDATE leads SET state = 'waiting', urgency = 1, hot_at = NULL, wake_at = ?, callback_at = ?, only_agent = ? "
            "WHERE id = ?",
            (due, due, by, lead),
        )
        database.execute(
            "INSERT INTO attempts (id, lead, number, campaign, purpose, asked_by, caller_id, trunk, state, stored_at, ended_at, outcome)"
            " VALUES (?, ?, ?, 'kept', 'service', ?, '', '', 'settled', ?, ?, 'answered')",
            (f"talked-{lead}", lead, number, by, talked, talked),
        )
    return promised


async def overdue(center: Center) -> str:
    answer = await here(center, "campaign", "overdue", "kept")
    assert answer.code == 0, answer
    return answer.out


async def test_who_promised_it_is_not_there_and_after_a_while_it_is_the_teams(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    soon, late = Callee.HUMAN.number("+349112361"), Callee.HUMAN.number("+349112362")
    due = promise(center, soon, GRACE_S - 10.0, "102")
    promise(center, late, GRACE_S + 60.0, "102")
    told = await overdue(center)
    assert told.count("102") == 2, told
    agent = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    try:
        await start(center, "kept")
        for number in (late, soon):
            await called(center, agent, "kept", 45)
            await agent.answer()
            await carrier.call_to(number, 15)
            await center.agent_is("101", "talking", 15)
            for each in (await center.overview())["calls"]:
                await center.ask("call.hangup", interaction=each["number"])
            await center.agent_is("101", "ready", 15)
        rows = await settled(center, "kept", 4)
        made = {row["number"]: row for row in rows if not row["id"].startswith("talked")}
        assert {number: (row["agent"], row["outcome"]) for number, row in made.items()} == {
            soon: ("101", "answered"),
            late: ("101", "answered"),
        }
        waited = datetime.fromisoformat(made[soon]["stored_at"] + "+00:00") - due
        assert GRACE_S <= waited.total_seconds() < GRACE_S + 30.0, "as long as it was only theirs, and not much longer"
        await until(
            lambda: not center.rows("SELECT id FROM leads WHERE callback_at IS NOT NULL"), 10, what="promises that are kept"
        )
        assert "102" not in await overdue(center)
    finally:
        await end_all(center)


async def test_who_promised_it_is_there_and_nobody_else_is_called(
    center: Center, carrier: Carrier, phones: PhoneProcess, tmp_path: Path
) -> None:
    number = Callee.HUMAN.number("+349112363")
    promise(center, number, 60.0, "102")
    other = await center.agent(phones, "101", tone_hz=AGENT_HZ)
    mine = await center.agent(phones, "102", tone_hz=AGENT_HZ + 100)
    try:
        await start(center, "kept")
        await called(center, mine, "kept", 30)
        assert not other.has("incoming")
        await mine.answer()
        await carrier.call_to(number, 15)
        await center.agent_is("102", "talking", 15)
    finally:
        await end_all(center)

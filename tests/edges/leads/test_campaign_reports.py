"""What campaigns have done, as the database adds it up."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from lead_desk import NOW, a_lead, a_list
from sqlalchemy import event, insert, update

from ccserver.core.dialer.account import share_of
from ccserver.core.dialer.short_calls import CallsOfDay
from ccserver.core.ids import CampaignId
from ccserver.store import campaign_reports
from ccserver.store.campaign_reports import ShortCalls
from ccserver.store.database import Store
from ccserver.store.lead_schema import abandonment_evidence, attempts, leads

ON_POSTGRESQL = True
WINTER = CampaignId("winter")
DAY = timedelta(days=1)
_names = count()


def an_attempt(store: Store, outcome: str | None, **told: Any) -> None:
    at = told.pop("at", NOW)
    answered_s: float | None = told.pop("answered_s", None)
    values = {
        "id": f"a{next(_names)}",
        "lead": 1,
        "number": f"+34600{next(_names):06}",
        "campaign": "winter",
        "purpose": "service",
        "asked_by": "campaign",
        "caller_id": "+34910000001",
        "trunk": "first",
        "state": "settled",
        "stored_at": at,
        "answered_at": None if answered_s is None else at + timedelta(seconds=10),
        "ended_at": at + timedelta(seconds=10 + (answered_s or 0)),
        "outcome": outcome,
        **told,
    }
    with store.engine.begin() as connection:
        connection.execute(insert(attempts).values(values))


def test_attempts_of_a_period_are_counted_by_what_came_of_them(store: Store) -> None:
    an_attempt(store, "answered", answered_s=60.25, talk_s=60.0, wrap_up_s=15.0, is_success=True, lead=1)
    an_attempt(store, "answered", answered_s=30.5, talk_s=30.0, wrap_up_s=5.0, is_refusal=True, lead=2)
    an_attempt(store, "abandoned", answered_s=4.0, lead=3)
    an_attempt(store, "no_answer", lead=3)
    an_attempt(store, "not_placed", lead=4, talk_s=99.0)
    an_attempt(store, None, state="placed", lead=5, ended_at=None)
    an_attempt(store, "busy", at=NOW - 2 * DAY)
    an_attempt(store, "busy", at=NOW + DAY)
    an_attempt(store, "busy", campaign="autumn")
    found = campaign_reports.counts(store, WINTER, NOW - DAY, NOW + DAY)
    assert found.outcomes == {"answered": 2, "abandoned": 1, "no_answer": 1}
    assert (found.successes, found.refusals, found.leads, found.open) == (1, 1, 3, 1)
    assert (found.talk_s, found.wrap_up_s) == (90.0, 20.0)
    assert found.line_s == pytest.approx(94.75, abs=0.01)
    assert campaign_reports.campaigns_of(store.engine) == ["autumn", "winter"]
    nothing = campaign_reports.counts(store, CampaignId("spring"), NOW - DAY, NOW + DAY)
    assert (nothing.placed, nothing.leads, nothing.open, nothing.line_s) == (0, 0, 0, 0)


def test_evidence_of_a_period_is_read_as_it_was_written(store: Store) -> None:
    row = {
        "campaign": "winter",
        "connected": 97,
        "abandoned": 2,
        "amd_errors": 1,
        "machines": 30,
        "left_before": 4,
        "told": 2,
        "preset": "it",
        "max_abandon": 0.03,
        "share_of": "connected",
        "abandon_window": "month",
        "counts_amd_errors": True,
        "share": 0.021,
    }
    four = timedelta(hours=4)
    with store.engine.begin() as connection:
        for at in (NOW, NOW - four, NOW - 2 * DAY):
            connection.execute(insert(abandonment_evidence).values({**row, "from_at": at, "until_at": at + four}))
        connection.execute(
            insert(abandonment_evidence).values({**row, "campaign": "autumn", "from_at": NOW, "until_at": NOW + four})
        )
    found = campaign_reports.evidence(store, WINTER, NOW - DAY, NOW + DAY)
    assert [each.from_utc_s for each in found] == [(NOW - four).timestamp(), NOW.timestamp()]
    assert share_of(found[0].tally, found[0]) == pytest.approx(3 / 97)
    assert (found[0].tally.left, found[0].preset, found[0].until_utc_s) == (4, "it", NOW.timestamp())


def test_short_calls_are_counted_by_number_and_local_day(store: Store) -> None:
    late = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)  # in Sao Paulo it is the 28th still
    for answered_s in (None, 5.9, 6.0, 6.1, 90.0):
        an_attempt(store, "no_answer" if answered_s is None else "answered", at=late, answered_s=answered_s)
    an_attempt(store, "answered", at=late + timedelta(hours=1), answered_s=2.0, campaign="autumn")
    an_attempt(store, "not_placed", at=late)
    an_attempt(store, "busy", at=late, caller_id="+34910000002")
    an_attempt(store, "busy", at=late, caller_id="+34910000003")
    counted = ShortCalls(short_s=6.0, timezone="America/Sao_Paulo")
    numbers = ("+34910000002", "+34910000001")
    assert campaign_reports.calls_by_day(store, numbers, counted, late - DAY, late + DAY) == {
        ("+34910000001", "2026-11-28"): CallsOfDay(calls=5, short=3),
        ("+34910000001", "2026-11-29"): CallsOfDay(calls=1, short=1),
        ("+34910000002", "2026-11-28"): CallsOfDay(calls=1, short=1),
    }


def test_callbacks_that_are_overdue_are_listed_the_oldest_promise_first(store: Store) -> None:
    a_list(store, a_lead(1, name="Eva"), a_lead(2), a_lead(3), a_lead(4), a_lead(5))
    a_list(store, a_lead(6), name="autumn")
    states = {
        1: ("waiting", -60, "101"),
        2: ("ready", -3600, None),
        3: ("waiting", 60, "101"),
        4: ("done", -60, None),
        6: ("waiting", -60, None),
    }
    with store.engine.begin() as connection:
        for lead, (state, due_s, only) in states.items():
            promised = {"state": state, "callback_at": NOW + timedelta(seconds=due_s), "only_agent": only}
            connection.execute(update(leads).where(leads.c.id == lead).values(promised))
    found = campaign_reports.overdue(store, ["spring", "nowhere"], NOW)
    assert [(each.lead, each.only, each.list) for each in found] == [(2, None, "spring"), (1, "101", "spring")]
    assert found[1].name == "Eva" and found[1].due_at == NOW - timedelta(seconds=60)
    assert campaign_reports.overdue(store, ["autumn"], NOW, limit=5)[0].lead == 6
    assert campaign_reports.overdue(store, [], NOW) == []


def test_a_period_is_read_along_an_index(store: Store) -> None:
    """Whatever the size of the table: PostgreSQL plans by size, so SQLite's plans are looked at."""
    if not store.is_sqlite:
        pytest.skip("plans are looked at on SQLite")
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    campaign_reports.counts(store, WINTER, NOW - DAY, NOW)
    campaign_reports.campaigns_of(store.engine)
    campaign_reports.evidence(store, WINTER, NOW - DAY, NOW)
    campaign_reports.calls_by_day(store, ["+34910000001"], ShortCalls(short_s=6.0, timezone="UTC"), NOW - DAY, NOW)
    campaign_reports.overdue(store, ["spring"], NOW)
    selects = [(text, values) for text, values in asked if text.lstrip().upper().startswith("SELECT")]
    assert len(selects) == 6
    for text, values in selects:
        with store.engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
        reads = [line for line in plan if line.startswith(("SEARCH", "SCAN"))]
        assert reads and all("USING" in line and line.startswith("SEARCH") for line in reads), (text, plan)

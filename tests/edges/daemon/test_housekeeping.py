"""What the daemon forgets by its age, and what it never does."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fresh_store import fresh_store
from sqlalchemy import func, select

from ccserver.config.edges import PrivacyEdge
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.rules import EVIDENCE_DAYS
from ccserver.core.dialer.settings import CampaignSettings, DialingSettings
from ccserver.core.dialer.terms import Mode
from ccserver.core.ids import CampaignId, CommandId, Language, TrunkId
from ccserver.core.records import EvidenceRecord, NoticeKind, NoticeRecord, RefusalRecord, RefusedWhere, TrunkRecord
from ccserver.daemon import snapshots
from ccserver.daemon.housekeeping import (
    ATTEMPTS_DAYS_MIN,
    DAY_S,
    REFUSALS_DAYS,
    Housekeeping,
    attempts_days_of,
    evidence_days_of,
    sweep_traces,
)
from ccserver.store import evidence, feed, forgetting
from ccserver.store.database import Store
from ccserver.store.feed import NoticeFeed
from ccserver.store.lead_schema import abandonment_evidence, attempts, call_refusals
from ccserver.store.schema import trunk_events
from ccserver.store.writer import Writer

NOW_S = 1_800_000_000.0
SALES = CampaignId("sales")
NOTICE = NoticeRecord(
    interaction=None,
    number=0,
    kind=NoticeKind.ARRIVED,
    at_utc_s=NOW_S,
    caller_number="+34911222333",
    caller_name="",
    did="900",
    language=Language("es"),
    queue=None,
    agent=None,
    phone=None,
    data={},
)


class Journal:
    def __init__(self) -> None:
        self.swept: list[float] = []

    def sweep(self, before_utc_s: float) -> int:
        self.swept.append(before_utc_s)
        return 0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = fresh_store(f"sqlite:///{tmp_path}/history.db")
    return made


def told(store: Store, days: list[float], run: str = "000001-a") -> None:
    writer = Writer(store.engine)
    writer.start()
    for seq, day in enumerate(days):
        writer.append(run, CommandId(seq, 0), replace(NOTICE, at_utc_s=NOW_S - day * DAY_S))
    assert writer.close(20)


def test_notices_traces_and_files_of_the_journal_go_by_their_age(store: Store, tmp_path: Path) -> None:
    told(store, [40.0, 31.0, 29.0, 0.0])
    journal = Journal()
    traces = [tmp_path / f"trace-{name}.jsonl" for name in ("old", "new", "current")]
    for path, age_days in zip(traces, (8, 6, 100), strict=True):
        path.touch()
        os.utime(path, (NOW_S - age_days * DAY_S,) * 2)
    keeping = Housekeeping(
        store, seconds=lambda: 0.0, journal=journal, trace=traces[2], privacy=PrivacyEdge(), utc=lambda: NOW_S
    )
    keeping.look()
    assert [path.exists() for path in traces] == [False, True, True], "the one that is written stays"
    assert journal.swept == [NOW_S - 7 * DAY_S]
    assert [place for place, _ in NoticeFeed(store).read(None, 10)] == ["000001-a:2:0", "000001-a:3:0"]
    assert store.check() == [], "what is there agrees with what was written"


def test_without_the_section_nothing_is_forgotten(store: Store) -> None:
    told(store, [4000.0])
    journal = Journal()
    Housekeeping(store, seconds=lambda: 0.0, journal=journal, utc=lambda: NOW_S).look()
    assert journal.swept == [] and len(NoticeFeed(store).read(None, 10)) == 1


def campaigns_told(store: Store, days: list[float]) -> None:
    """Evidence and refusals of so many days ago."""
    writer = Writer(store.engine)
    writer.start()
    for seq, day in enumerate(days):
        at_utc_s = NOW_S - day * DAY_S
        part = EvidenceRecord(
            campaign=SALES,
            from_utc_s=at_utc_s - 60,
            until_utc_s=at_utc_s,
            connected=9,
            abandoned=1,
            amd_errors=0,
            machines=4,
            left=2,
            told=1,
            preset="es",
            max_abandon=0.03,
            share_of="live",
            abandon_window="day",
            counts_amd_errors=True,
            share=0.1,
        )
        refused = RefusalRecord(campaign=SALES, reason="day_cap", where=RefusedWhere.CLAIM, at_utc_s=at_utc_s, count=3)
        writer.append("000001-a", CommandId(seq, 0), part)
        writer.append("000001-a", CommandId(seq, 1), refused)
    assert writer.close(20)


def left(store: Store) -> tuple[int, int]:
    """Parts of evidence, and rows of refusals."""
    with store.engine.connect() as connection:
        tables = (abandonment_evidence, call_refusals)
        parts, refusals = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)
        return parts, refusals


def test_what_campaigns_have_to_show_is_kept_as_long_as_the_rules_say(store: Store) -> None:
    days = [4000.0, EVIDENCE_DAYS + 1.0, EVIDENCE_DAYS - 1.0, REFUSALS_DAYS + 1.0, REFUSALS_DAYS - 1.0, 0.0]
    campaigns_told(store, days)
    Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S, evidence_days=lambda: 5000).look()
    assert left(store) == (6, 2)
    keeping = Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S)
    keeping.look()
    assert left(store) == (4, 2), "nobody is named in it, so it needs no section `privacy`"
    assert store.check() == [] and keeping.failures == 0


def test_evidence_that_cannot_be_forgotten_is_tried_again(store: Store) -> None:
    campaigns_told(store, [4000.0])
    keeping = Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE call_refusals RENAME TO elsewhere")
    keeping.look()
    assert keeping.failures == 1
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO call_refusals")
    keeping.look()
    assert (keeping.failures, left(store)) == (1, (0, 0))


@pytest.mark.parametrize(("site", "campaigns", "kept"), [(30, [], 30), (30, [10, 900], 900), (2000, [10], 2000)])
def test_the_longest_of_all_rules_counts(site: int, campaigns: list[int], kept: int) -> None:
    def rules(days: int) -> Any:
        return replace(PRESETS["es"].rules, evidence_days=days)

    named = {
        CampaignId(str(days)): CampaignSettings(name="x", mode=Mode.PROGRESSIVE, rules=rules(days), trunks=(), caller_ids=())
        for days in campaigns
    }
    assert evidence_days_of(DialingSettings(country="ES", rules=rules(site), campaigns=named)) == kept
    assert evidence_days_of(None) == EVIDENCE_DAYS


def trunks_told(store: Store, days: list[float]) -> None:
    writer = Writer(store.engine)
    writer.start()
    for seq, day in enumerate(days):
        down = TrunkRecord(trunk=TrunkId("first"), is_down=True, why="503", at_utc_s=NOW_S - day * DAY_S)
        writer.append("000001-a", CommandId(seq, 0), down)
    assert writer.close(20)


def test_what_became_of_trunks_is_kept_as_long_as_refusals_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    trunks_told(store, [REFUSALS_DAYS + 5.0] * 5 + [REFUSALS_DAYS - 1.0, 0.0])
    Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S).look()
    with store.engine.connect() as connection:
        left_over = connection.execute(select(trunk_events.c.seq).order_by(trunk_events.c.seq)).scalars().all()
    assert (left_over, store.check()) == ([5, 6], []), "and what is there agrees with what was written"


def attempts_made(store: Store, *made: tuple[str, str, float]) -> None:
    """(campaign, state, days ago)"""
    rows = [
        {
            "id": f"{campaign}-{state}-{days:g}-{number}",
            "lead": number,
            "number": f"+3460000{number:04}",
            "campaign": campaign,
            "purpose": "service",
            "asked_by": "test",
            "caller_id": "+34910000001",
            "trunk": "first",
            "state": state,
            "stored_at": datetime.fromtimestamp(NOW_S - days * DAY_S, UTC),
        }
        for number, (campaign, state, days) in enumerate(made)
    ]
    with store.engine.begin() as connection:
        connection.execute(attempts.insert(), rows)


def attempts_left(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        ids = connection.execute(select(attempts.c.id).order_by(attempts.c.id)).scalars()
        return [name.rpartition("-")[0] for name in ids]


def test_attempts_that_are_over_go_when_no_rule_asks_for_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "AT_ONCE", 2)
    old = [("winter", "settled", 101.0)] * 5 + [("autumn", "settled", 500.0), ("", "settled", 101.0)]
    attempts_made(store, *old, ("winter", "settled", 99.0), ("winter", "unknown", 101.0), ("", "settled", 0.0))
    Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S).look()
    assert len(attempts_left(store)) == 10, "nobody says for how long they are kept"
    Housekeeping(store, seconds=lambda: 0.0, utc=lambda: NOW_S, attempts_days=lambda: 100).look()
    assert attempts_left(store) == ["-settled-0", "winter-settled-99", "winter-unknown-101"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({}, EVIDENCE_DAYS),
        ({"evidence_days": 90}, 90),
        ({"evidence_days": 1}, ATTEMPTS_DAYS_MIN),
        ({"evidence_days": 90, "refusal_hold_off_s": 365.5 * DAY_S}, 366),
        ({"evidence_days": 90, "calls_to_lead": 6}, None),
        ({"evidence_days": 90, "calls_to_number": 6}, None),
        ({"evidence_days": 90, "calls_ever": 6}, None),
    ],
)
def test_attempts_are_kept_as_long_as_a_rule_counts_them(rules: dict[str, Any], kept: int | None) -> None:
    plain, other = replace(PRESETS["es"].rules, evidence_days=1), replace(PRESETS["es"].rules, **rules)
    campaign = CampaignSettings(name="x", mode=Mode.PROGRESSIVE, rules=other, trunks=(), caller_ids=())
    assert attempts_days_of(DialingSettings(country="ES", rules=plain, campaigns={SALES: campaign})) == kept
    assert attempts_days_of(DialingSettings(country="ES", rules=other, campaigns={})) == kept
    assert attempts_days_of(None) is None


def test_a_reader_who_was_far_behind_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "AT_ONCE", 3)
    told(store, [50.0] * 10 + [1.0])
    told(store, [50.0] * 2 + [1.0], run="000002-b")
    assert feed.forget(store, NOW_S - 30 * DAY_S) == 12
    assert [place for place, _ in NoticeFeed(store).read("000001-a:4:0", 10)] == ["000001-a:10:0", "000002-b:2:0"]
    assert store.check() == []
    told(store, [50.0] * 10 + [1.0])
    assert feed.forget(store, NOW_S - 30 * DAY_S) == 10, "a replay tells them again, and they are forgotten again"
    assert store.check() == []


def test_a_disk_that_refuses_is_tried_again(store: Store, tmp_path: Path) -> None:
    class Refusing(Journal):
        def sweep(self, before_utc_s: float) -> int:
            super().sweep(before_utc_s)
            if len(self.swept) == 1:
                raise OSError(5, "Input/output error")
            return 2

    journal = Refusing()
    keeping = Housekeeping(store, seconds=lambda: 0.0, journal=journal, privacy=PrivacyEdge(), utc=lambda: NOW_S)
    keeping.look()
    keeping.look()
    assert (keeping.failures, len(journal.swept)) == (1, 2)
    assert sweep_traces(tmp_path / "none" / "trace-x.jsonl", NOW_S) == 0


def test_a_center_where_nothing_happens_writes_its_state_anew_all_the_same() -> None:
    assert snapshots.AGE_MAX_S < snapshots.AGE_IDLE_S <= DAY_S

"""Records that change what is there: applied by the writer of history in order, exactly once, whatever is told twice."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lead_desk import NOW, a_lead, a_list, an_attempt, attempts_now, lead_now, next_of, number
from sqlalchemy import Table, select

from ccserver.core.ids import AgentId, AttemptId, CampaignId, CommandId, DispositionId, InteractionId, LeadId, TrunkId
from ccserver.core.records import (
    AttemptOutcome,
    AttemptRecord,
    EvidenceRecord,
    FaultRecord,
    Record,
    RefusalRecord,
    RefusedWhere,
    TrunkRecord,
)
from ccserver.store import attempts, evidence, schema
from ccserver.store.attempts import AttemptState
from ccserver.store.claims import Claimed
from ccserver.store.database import Store
from ccserver.store.lead_book import LeadState, NumberState, Urgency
from ccserver.store.lead_schema import abandonment_evidence, call_refusals
from ccserver.store.writer import Told, Writer

ON_POSTGRESQL = (
    "test_a_record_settles_its_attempt_and_the_lead",
    "test_a_replay_applies_nothing_twice",
    "test_of_one_that_was_never_stored_only_the_lead_is_given_back",
    "test_evidence_is_replaced_and_refusals_are_summed",
    "test_a_promised_callback_is_kept_until_the_next_attempt",
    "test_what_was_not_placed_is_taken_back_whole",
)
RUN = "000001-aaaaaaaa"
SALES = CampaignId("sales")
HOUR = timedelta(hours=1)
A1 = AttemptId("a1")


@contextmanager
def a_writer(store: Store, **told: Any) -> Iterator[Writer]:
    writer = Writer(store.engine, **told)
    writer.start()
    yield writer
    assert writer.close(20), writer.last_error


def tell(store: Store, *records: Record, seq: int = 1, run: str = RUN) -> None:
    with a_writer(store) as writer:
        for index, record in enumerate(records):
            writer.append(run, CommandId(seq, index), record)


def rows(store: Store, table: Table) -> Sequence[Any]:
    with store.reading() as connection:
        return connection.execute(select(table)).all()


def a_record(outcome: AttemptOutcome, lead: LeadId | None = None, **told: Any) -> AttemptRecord:
    given = {"attempt": A1, "campaign": SALES, "number": number(1), "ended_utc_s": (NOW + HOUR).timestamp(), **told}
    return AttemptRecord(outcome=outcome, lead=lead, **given)


def dialled(store: Store, *numbers: int) -> Claimed:
    """A lead whose phone rings, by the attempt `a1`."""
    (claimed,) = next_of(store, a_list(store, a_lead(*(numbers or (1,)))))
    attempts.store(store.engine, an_attempt(claimed), NOW)
    return claimed


def test_a_record_settles_its_attempt_and_the_lead(store: Store) -> None:
    lead = dialled(store).lead.id
    tell(
        store,
        a_record(
            AttemptOutcome.ANSWERED,
            lead,
            cause=16,
            placed_utc_s=NOW.timestamp() + 1,
            answered_utc_s=NOW.timestamp() + 9,
            trunk=TrunkId("second"),
            caller_id="+34910000002",
            agent=AgentId("101"),
            interaction=InteractionId(7),
            disposition=DispositionId("sold"),
            talk_s=61.5,
            wrap_up_s=4.5,
            is_success=True,
        ),
    )
    (done,) = attempts_now(store)
    assert (done.state, done.outcome, done.cause, done.trunk, done.caller_id) == (
        *(AttemptState.SETTLED, AttemptOutcome.ANSWERED, 16, "second", "+34910000002"),
    )
    assert done.placed_at == NOW + timedelta(seconds=1) and done.answered_at == NOW + timedelta(seconds=9)
    assert (done.agent, done.interaction, done.disposition) == ("101", 7, "sold")
    assert (done.talk_s, done.wrap_up_s, done.is_success, done.is_refusal) == (61.5, 4.5, True, False)
    assert lead_now(store, lead).state is LeadState.DONE
    assert store.applied(RUN) == CommandId(1, 0) and store.check() == []


def test_a_replay_applies_nothing_twice(store: Store) -> None:
    """Killed behind the commit: the next daemon tells the same once more, while the lead may be dialled again."""
    lead = dialled(store).lead.id
    busy = a_record(AttemptOutcome.BUSY, lead, again_utc_s=(NOW + HOUR).timestamp())
    refused = RefusalRecord(campaign=SALES, reason="day_cap", where=RefusedWhere.CLAIM, at_utc_s=NOW.timestamp(), count=3)
    tell(store, busy, refused)
    (claimed,) = next_of(store, a_list(store), now=NOW + HOUR)
    attempts.store(store.engine, an_attempt(claimed, "a2"), NOW + HOUR)
    tell(store, busy, refused)
    with a_writer(store) as writer:
        for record in (busy, refused):
            writer.append(RUN, CommandId(1, 0), record)
    assert [each.refused for each in rows(store, call_refusals)] == [3]
    assert lead_now(store, lead).state is LeadState.CLAIMED
    tell(store, refused, run="000002-bbbbbbbb")
    assert [each.refused for each in rows(store, call_refusals)] == [6], "another run's is another one"


@pytest.mark.parametrize(
    ("outcome", "again", "state"),
    [
        (AttemptOutcome.UNKNOWN, None, LeadState.READY),
        (AttemptOutcome.UNKNOWN, HOUR, LeadState.WAITING),
        (AttemptOutcome.NOT_PLACED, HOUR, LeadState.WAITING),
        (AttemptOutcome.NOT_PLACED, None, LeadState.DONE),
    ],
)
def test_of_one_that_was_never_stored_only_the_lead_is_given_back(
    store: Store, outcome: AttemptOutcome, again: timedelta | None, state: LeadState
) -> None:
    (claimed,) = next_of(store, a_list(store, a_lead(1)))
    lead = claimed.lead.id
    tell(store, a_record(outcome, lead, again_utc_s=None if again is None else (NOW + again).timestamp()))
    now = lead_now(store, lead)
    assert (now.state, now.tries, now.last_outcome, now.numbers[0].state) == (state, 0, None, NumberState.GOOD)
    assert attempts_now(store) == []


def test_a_lead_that_somebody_else_dials_by_now_is_left_alone(store: Store) -> None:
    claimed = dialled(store)
    tell(store, a_record(AttemptOutcome.UNKNOWN, claimed.lead.id, attempt=AttemptId("lost")))
    assert lead_now(store, claimed.lead.id).state is LeadState.CLAIMED
    tell(store, a_record(AttemptOutcome.UNKNOWN, LeadId(4711), attempt=AttemptId("lost")), seq=2)
    tell(store, a_record(AttemptOutcome.UNKNOWN, None, attempt=AttemptId("lost")), seq=3)
    assert [each.id for each in attempts_now(store)] == ["a1"]


def test_of_an_unknown_end_the_attempt_is_settled_and_counts(store: Store) -> None:
    lead = dialled(store).lead.id
    tell(store, a_record(AttemptOutcome.UNKNOWN, lead, again_utc_s=(NOW + HOUR).timestamp()))
    (done,) = attempts_now(store)
    assert (done.state, done.outcome) == (AttemptState.SETTLED, AttemptOutcome.UNKNOWN)
    assert (lead_now(store, lead).tries, lead_now(store, lead).state) == (1, LeadState.WAITING)


def test_what_was_not_placed_is_taken_back_whole(store: Store) -> None:
    """A hot lead stays hot, and the call that was not made is nobody's call."""
    spring = a_list(store, a_lead(1), urgency=Urgency.HOT)
    (claimed,) = next_of(store, spring)
    attempts.store(store.engine, an_attempt(claimed), NOW)
    tell(store, a_record(AttemptOutcome.NOT_PLACED, claimed.lead.id, again_utc_s=(NOW + HOUR).timestamp()))
    now = lead_now(store, claimed.lead.id)
    assert (now.tries, now.last_attempt_at, now.urgency, now.state) == (0, None, Urgency.HOT, LeadState.WAITING)
    assert (now.numbers[0].tries, now.numbers[0].last_attempt_at) == (0, None)
    (again,) = next_of(store, spring, now=NOW + HOUR)
    assert again.past[number(1)].by_campaign == {} and again.past[number(1)].recent == ()


def test_a_wrong_number_is_bad_and_the_others_are_tried(store: Store) -> None:
    lead = dialled(store, 1, 2).lead.id
    told = {"again_utc_s": (NOW + HOUR).timestamp(), "is_number_wrong": True}
    tell(store, a_record(AttemptOutcome.ANSWERED, lead, **told))
    now = lead_now(store, lead)
    assert [each.state for each in now.numbers] == [NumberState.BAD, NumberState.GOOD] and now.state is LeadState.WAITING
    (claimed,) = next_of(store, a_list(store), now=NOW + HOUR)
    attempts.store(store.engine, an_attempt(claimed, "a2", place=1), NOW + HOUR)
    tell(store, a_record(AttemptOutcome.ANSWERED, lead, attempt=AttemptId("a2"), number=number(2), **told), seq=2)
    assert lead_now(store, lead).state is LeadState.DONE, "no number is left"


def test_a_promised_callback_is_kept_until_the_next_attempt(store: Store) -> None:
    lead = dialled(store).lead.id
    at = NOW + HOUR
    tell(store, a_record(AttemptOutcome.ANSWERED, lead, again_utc_s=at.timestamp(), is_callback=True, only=AgentId("101")))
    now = lead_now(store, lead)
    assert (now.state, now.urgency, now.wake_at, now.callback_at, now.only_agent) == (
        *(LeadState.WAITING, Urgency.CALLBACK, at, at, "101"),
    )
    (claimed,) = next_of(store, a_list(store), now=at)
    attempts.store(store.engine, an_attempt(claimed, "a2"), at)
    tell(store, a_record(AttemptOutcome.BUSY, lead, attempt=AttemptId("a2"), again_utc_s=(at + HOUR).timestamp()), seq=2)
    now = lead_now(store, lead)
    assert (now.urgency, now.callback_at, now.only_agent) == (Urgency.NORMAL, None, None)


def test_evidence_is_replaced_and_refusals_are_summed(store: Store) -> None:
    part = EvidenceRecord(
        campaign=SALES,
        from_utc_s=NOW.timestamp(),
        until_utc_s=NOW.timestamp() + 60,
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
    later = EvidenceRecord(**{**{name: getattr(part, name) for name in part.__slots__}, "connected": 20, "share": 0.05})
    refused = [
        RefusalRecord(campaign=campaign, reason=reason, where=RefusedWhere.DIAL, at_utc_s=at.timestamp(), count=count)
        for campaign, reason, at, count in (
            (SALES, "day_cap", NOW, 2),
            (SALES, "day_cap", NOW + timedelta(minutes=59), 3),
            (SALES, "day_cap", NOW + HOUR, 1),
            (None, "outside_window", NOW, 1),
        )
    ]
    tell(store, part, *refused, later)
    (kept,) = rows(store, abandonment_evidence)
    assert (kept.from_at, kept.connected, kept.abandoned, kept.left_before, kept.share) == (NOW, 20, 1, 2, 0.05)
    assert sorted((each.campaign, each.reason, each.hour, each.refused) for each in rows(store, call_refusals)) == [
        ("", "outside_window", NOW, 1),
        ("sales", "day_cap", NOW, 5),
        ("sales", "day_cap", NOW + HOUR, 1),
    ]
    minute = timedelta(minutes=1)
    assert (evidence.forget_evidence(store.engine, NOW + minute), evidence.forget_refusals(store.engine, NOW)) == (0, 0)
    assert evidence.forget_evidence(store.engine, NOW + 2 * minute) == 1 and not rows(store, abandonment_evidence)
    assert evidence.forget_refusals(store.engine, NOW + minute) == 2
    assert [each.hour for each in rows(store, call_refusals)] == [NOW + HOUR]


def test_a_batch_keeps_the_order_of_what_touches_the_same_lead(store: Store) -> None:
    """The second attempt was dialled while the database stalled: its record and that of the first come in one batch."""
    claimed = dialled(store, 1, 2)
    lead = claimed.lead.id
    wrong = a_record(AttemptOutcome.NO_SUCH_NUMBER, lead, again_utc_s=NOW.timestamp())
    with a_writer(store, batch_s=60.0) as writer:
        writer.append(RUN, CommandId(1, 0), wrong)
        writer.append(RUN, CommandId(2, 0), FaultRecord(interaction=None, reason="between", at_utc_s=NOW.timestamp()))
        writer.append(RUN, CommandId(3, 0), a_record(AttemptOutcome.BUSY, lead))
        writer.append(RUN, CommandId(4, 0), TrunkRecord(trunk=TrunkId("x"), is_down=True, why="503", at_utc_s=NOW.timestamp()))
    (done,) = attempts_now(store)
    assert done.outcome is AttemptOutcome.NO_SUCH_NUMBER, "the first one settled it"
    assert len(rows(store, schema.trunk_events)) == 1 and store.check() == []


def test_what_no_database_takes_is_left_out_and_the_others_are_applied_once(store: Store) -> None:
    refused: list[Told] = []
    lead = dialled(store).lead.id
    count = RefusalRecord(campaign=SALES, reason="day_cap", where=RefusedWhere.CLAIM, at_utc_s=NOW.timestamp())
    never = RefusalRecord(campaign=SALES, reason="day_cap", where=RefusedWhere.CLAIM, at_utc_s=1e300)
    with a_writer(store, batch_s=60.0, on_refused=lambda told, _: refused.append(told)) as writer:
        for index, record in enumerate((count, never, a_record(AttemptOutcome.BUSY, lead), count)):
            writer.append(RUN, CommandId(1, index), record)
    assert [each.command for each in refused] == [CommandId(1, 1)]
    assert [each.refused for each in rows(store, call_refusals)] == [2]
    assert [each.outcome for each in attempts_now(store)] == [AttemptOutcome.BUSY]


def test_a_stalled_database_delays_and_nothing_is_lost_or_doubled(store: Store, tmp_path: Path) -> None:
    lead = dialled(store).lead.id
    count = RefusalRecord(campaign=SALES, reason="day_cap", where=RefusedWhere.CLAIM, at_utc_s=NOW.timestamp())
    other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    quick = Store(str(store.engine.url), busy_s=0.05)
    writer = Writer(quick.engine)
    writer.start()
    for index in range(5):
        writer.append(RUN, CommandId(1, index), count)
    writer.append(RUN, CommandId(1, 5), a_record(AttemptOutcome.BUSY, lead))
    assert not writer.flush(0.5) and writer.failed_batches
    other.execute("ROLLBACK")
    other.close()
    assert writer.flush(20) and writer.close(20)
    assert [each.refused for each in rows(store, call_refusals)] == [5]
    assert [each.outcome for each in attempts_now(store)] == [AttemptOutcome.BUSY]
    assert rows(store, call_refusals)[0].hour == datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    quick.close()

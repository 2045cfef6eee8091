"""What people ask of history, and totals that add up."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from fresh_store import fresh_store
from history_builders import ANNA, NOON_S, SALES, a_call, a_recording, a_segment, a_state, a_visit, an_offer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from ccserver.core.ids import AgentId, CommandId, InteractionId, QueueId, ReasonId
from ccserver.core.records import Outcome, Record, SegmentKind, ShownState, VisitOutcome, VisitRecord
from ccserver.store import history, reports, schema
from ccserver.store.archive import FileStatus
from ccserver.store.database import Store
from ccserver.store.writer import Writer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BERT = AgentId("202")


def write(store: Store, *records: Record) -> None:
    writer = Writer(store.engine)
    writer.start()
    for seq, record in enumerate(records):
        writer.append("000001-a", CommandId(seq, 0), record)
    assert writer.close(30)
    assert writer.refused_rows == 0


def numbers(calls: list[history.PastCall]) -> list[int]:
    return [call.number for call in calls]


def test_calls_are_found_by_what_is_known_of_them(store: Store) -> None:
    write(
        store,
        a_call(1),
        a_call(2, caller_number="+4989777", arrived_utc_s=NOON_S + 60),
        a_call(3, caller_number=None, agent=BERT, arrived_utc_s=NOON_S + 120),
        a_call(4, agent=None, queue=QueueId("help"), outcome=Outcome.ABANDONED, arrived_utc_s=NOON_S + 180),
        a_call(5, caller_number="1%45", arrived_utc_s=NOON_S + 240),
    )
    assert numbers(history.find_calls(store)) == [5, 4, 3, 2, 1]
    assert numbers(history.find_calls(store, number=InteractionId(3))) == [3]
    assert numbers(history.find_calls(store, caller="+493012345")) == [4, 1]
    assert numbers(history.find_calls(store, caller="12345")) == [4, 1]
    assert numbers(history.find_calls(store, caller="%45")) == [5]  # a wildcard of SQL is only a character
    assert numbers(history.find_calls(store, caller="'; drop table interactions; --")) == []
    assert numbers(history.find_calls(store, agent=BERT)) == [3]
    assert numbers(history.find_calls(store, queue=QueueId("help"))) == [4]
    assert numbers(history.find_calls(store, since=NOON + timedelta(seconds=60), until=NOON + timedelta(seconds=180))) == [3, 2]
    berlin = timezone(HOUR)
    assert numbers(history.find_calls(store, since=datetime(2026, 1, 1, 13, 3, tzinfo=berlin))) == [5, 4]
    assert numbers(history.find_calls(store, agent=ANNA, limit=1)) == [5]
    found = history.find_calls(store, number=InteractionId(4))[0]
    assert (found.outcome, found.agent, found.arrived_at) == (Outcome.ABANDONED, None, NOON + timedelta(seconds=180))
    with pytest.raises(Exception, match="time zone"):
        history.find_calls(store, since=datetime(2026, 1, 1))


def test_the_whole_story_of_a_call(store: Store) -> None:
    write(
        store,
        a_segment(7, number=1, kind=SegmentKind.TALK, started_utc_s=NOON_S + 10, agent=ANNA, detail="customer"),
        a_segment(7),
        a_visit(7),
        an_offer(7),
        a_recording(7),
        a_recording(7, number=1, path="/var/spool/asterisk/cc/7-1"),
        a_segment(8),
        a_call(7),
    )
    with store.engine.begin() as connection:
        connection.execute(
            insert(schema.recording_files).values(
                path="/var/spool/asterisk/cc/7-0",
                status="merged",
                duration_s=79.5,
                bytes=123,
                sha256="ab",
                detail="",
                finished_at=NOON,
            )
        )
    story = history.call_story(store, InteractionId(7))
    assert story is not None
    assert story.call.number == 7
    assert [(each.number, each.kind) for each in story.segments] == [(0, SegmentKind.WAIT), (1, SegmentKind.TALK)]
    assert [(each.queue, each.wait_s) for each in story.visits] == [(SALES, 10.0)]
    assert [(each.why, each.leg.pbx) for each in story.offers] == [("idle longest", "main")]
    assert [(each.status, each.duration_s, each.bytes) for each in story.recordings] == [
        (FileStatus.MERGED, 79.5, 123),
        (None, 80.0, 0),
    ]
    assert history.call_story(store, InteractionId(8)) is None  # it is not over
    assert history.call_story(store, InteractionId(2**62)) is None


def test_what_an_agent_did(store: Store) -> None:
    write(
        store,
        a_state(),
        a_state(state=ShownState.NOT_READY, reason=ReasonId("lunch"), started_utc_s=NOON_S + 60, duration_s=1800),
        a_state(agent=BERT),
        a_state(state=ShownState.TALKING, interaction=InteractionId(7), started_utc_s=NOON_S + 1860),
    )
    states = history.agent_states(store, ANNA)
    assert [each.state for each in states] == [ShownState.READY, ShownState.NOT_READY, ShownState.TALKING]
    assert states[1].ended_at == states[2].started_at
    assert (states[1].reason, states[2].interaction) == ("lunch", 7)
    assert [each.state for each in history.agent_states(store, ANNA, limit=1)] == [ShownState.TALKING]
    assert len(history.agent_states(store, ANNA, until=NOON + timedelta(seconds=60))) == 1


def test_service_level_and_asa(store: Store) -> None:
    write(
        store,
        a_visit(1, wait_s=4.0),
        a_visit(2, wait_s=30.0, is_within_service_level=False),
        a_visit(3, outcome=VisitOutcome.ABANDONED, is_within_service_level=False, wait_s=90.0, agent=None),
        a_visit(4, outcome=VisitOutcome.SHORT_ABANDONED, is_within_service_level=False, wait_s=2.0, agent=None),
        a_visit(5, outcome=VisitOutcome.REFUSED_FULL, is_within_service_level=False, wait_s=0.0, agent=None),
        a_visit(6, entered_utc_s=NOON_S + 3600),
    )
    [total] = reports.totals(store, NOON, NOON + HOUR)
    assert (total.offered, total.answered, total.abandoned, total.short_abandoned) == (5, 2, 1, 1)
    assert total.outcomes[VisitOutcome.REFUSED_FULL] == 1
    assert total.service_level_ratio == 1 / 4  # 1 in time of 5 without the short one
    assert total.abandoned_ratio == 1 / 4
    assert total.asa_s == 17.0
    assert total.longest_wait_s == 90.0


def test_nobody_is_no_ratio(store: Store) -> None:
    assert reports.totals(store, NOON, NOON + HOUR) == []
    nobody = reports.sum_of([], NOON, NOON + HOUR)
    assert (nobody.offered, nobody.service_level_ratio, nobody.abandoned_ratio, nobody.asa_s) == (0, None, None, None)


def test_intervals_begin_on_the_clock_and_are_cut_to_the_period(store: Store) -> None:
    write(store, *(a_visit(minute, entered_utc_s=NOON_S + minute * 60 + 0.9) for minute in range(60)))
    quarter = timedelta(minutes=15)
    since, until = NOON + timedelta(minutes=5), NOON + timedelta(minutes=40)
    parts = reports.totals(store, since, until, interval=quarter)
    assert [(part.since, part.until, part.offered) for part in parts] == [
        (since, NOON + quarter, 10),
        (NOON + quarter, NOON + 2 * quarter, 15),
        (NOON + 2 * quarter, until, 10),
    ]
    assert reports.sum_of(parts, since, until).offered == 35
    for wrong in (timedelta(0), timedelta(seconds=-1), timedelta(milliseconds=1500)):
        with pytest.raises(ValueError, match="whole number"):
            reports.totals(store, since, until, interval=wrong)
    with pytest.raises(ValueError, match="zone"):
        reports.totals(store, datetime(2026, 1, 1), until)


VISITS = st.lists(
    st.builds(
        a_visit,
        st.integers(1, 5),
        number=st.integers(0, 9),
        queue=st.sampled_from([SALES, QueueId("help")]),
        entered_utc_s=st.floats(NOON_S - 4000, NOON_S + 4000),
        wait_s=st.floats(0, 1000),
        outcome=st.sampled_from(VisitOutcome),
        is_within_service_level=st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VISITS, st.sampled_from([None, 60, 900, 3600, 86400]))
def test_totals_reconcile(tmp_path_factory: pytest.TempPathFactory, visits: list[VisitRecord], interval_s: int | None) -> None:
    """Whatever the interval: nobody is lost between two of them, nobody counted twice."""
    store = fresh_store(f"sqlite:///{tmp_path_factory.mktemp('totals')}/history.db")
    write(store, *visits)
    since, until = NOON - HOUR, NOON + HOUR
    inside = [visit for visit in visits if NOON_S - 3600 <= round(visit.entered_utc_s, 6) < NOON_S + 3600]
    interval = None if interval_s is None else timedelta(seconds=interval_s)
    parts = reports.totals(store, since, until, interval=interval)
    whole = reports.sum_of(parts, since, until)
    assert Counter({key: count for key, count in whole.outcomes.items() if count}) == Counter(each.outcome for each in inside)
    assert whole.offered == len(inside)
    assert whole.within_service_level == sum(each.is_within_service_level for each in inside)
    for part in parts:
        assert since <= part.since < part.until <= until
        own = [
            each
            for each in inside
            if each.queue == part.queue and part.since.timestamp() <= round(each.entered_utc_s, 6) < part.until.timestamp()
        ]
        assert part.offered == len(own)
    store.close()


def test_calls_by_outcome(store: Store, tmp_path: Path) -> None:
    write(store, a_call(1), a_call(2, outcome=Outcome.LOST), a_call(3, arrived_utc_s=NOON_S + 3600))
    counted = reports.interactions_by_outcome(store, NOON, NOON + HOUR)
    assert counted == {**dict.fromkeys(Outcome, 0), Outcome.ANSWERED: 1, Outcome.LOST: 1}

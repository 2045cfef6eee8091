"""What is counted of flows and surveys, against sums done by hand."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from history_builders import ANNA, NOON_S, SALES, a_call, a_passage, an_answer, steps
from sqlalchemy import insert

from ccserver.core.ids import AgentId, CommandId, FlowId, InteractionId, NodeId, QueueId
from ccserver.core.records import FlowEnd, Record, StepHow
from ccserver.core.settings import SurveyKind
from ccserver.store import schema
from ccserver.store.database import Store
from ccserver.store.flow_reports import flow_stats
from ccserver.store.history import call_story
from ccserver.store.rows import row_of
from ccserver.store.survey_reports import survey_report
from ccserver.store.writer import Writer

MAIN = FlowId("main")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BERT, HELP = AgentId("202"), QueueId("help")


def write(store: Store, *records: Record) -> None:
    writer = Writer(store.engine)
    writer.start()
    for seq, record in enumerate(records):
        writer.append("000001-a", CommandId(seq, 0), record)
    assert writer.close(30)
    assert writer.refused_rows == 0


# --- flows ------------------------------------------------------------------------------------------------------------
def test_a_flow_is_counted_node_by_node(store: Store) -> None:
    write(
        store,
        a_passage(1, steps=steps("welcome", "menu 1", "sales"), end=FlowEnd.TO_PEOPLE, duration_s=20.0),
        a_passage(2, steps=steps("welcome", "menu 2 no_input", "bye"), end=FlowEnd.SERVED, duration_s=30.0),
        a_passage(3, steps=steps("welcome", "menu"), end=FlowEnd.GAVE_UP, version="v2"),
        a_passage(4, steps=steps("welcome", "menu", "orders failed", "menu invalid", "sales"), end=FlowEnd.TO_PEOPLE),
        a_passage(5, steps=steps("welcome"), end=FlowEnd.GAVE_UP),
        a_passage(6, steps=steps("welcome", "menu operator", "menu"), end=FlowEnd.LOST),
        a_passage(7, steps=steps("welcome", flow="other"), end=FlowEnd.SERVED),
    )
    found = flow_stats(store, MAIN)
    assert (found.passages, found.versions, found.duration_s) == (6, 2, 90.0)
    assert {end: count for end, count in found.ends.items() if count} == {
        FlowEnd.TO_PEOPLE: 2,
        FlowEnd.SERVED: 1,
        FlowEnd.GAVE_UP: 2,
        FlowEnd.LOST: 1,
    }
    assert found.containment_ratio == 1 / 6
    assert found.ratio(FlowEnd.TO_PEOPLE) == 2 / 6
    assert [(node.node, node.visits, node.repeats, node.dropped) for node in found.nodes] == [
        ("menu", 7, 3, 1),
        ("welcome", 6, 0, 1),
        ("sales", 2, 0, 0),
        ("bye", 1, 0, 0),
        ("orders", 1, 0, 0),
    ]
    menu = found.nodes[0]
    # the visits that were cut off, by the caller (3) and by the PBX (6), went nowhere
    assert menu.ended == {
        StepHow.PASSED: 2,
        StepHow.NO_INPUT: 1,
        StepHow.INVALID: 1,
        StepHow.FAILED: 0,
        StepHow.OPERATOR: 1,
    }
    # as many gave up at each of the two; of those at `welcome` it was the larger share
    assert found.worst is not None and found.worst.node == "welcome"
    assert found.worst.dropped_ratio == 1 / 6


def test_a_flow_that_others_go_through_counts_its_own_nodes(store: Store) -> None:
    asked = steps("ask invalid", "give_up", flow="ask_order")
    write(
        store,
        a_passage(1, steps=(*steps("welcome"), *asked, *steps("sales")), end=FlowEnd.TO_PEOPLE),
        a_passage(2, steps=(*steps("welcome"), *asked[:1]), end=FlowEnd.GAVE_UP),
        a_passage(3, steps=steps("welcome", "bye"), end=FlowEnd.SERVED),
    )
    found = flow_stats(store, FlowId("ask_order"))
    assert found.passages == 2
    assert [(node.node, node.visits, node.dropped) for node in found.nodes] == [("ask", 2, 1), ("give_up", 1, 0)]
    assert flow_stats(store, MAIN).passages == 3


def test_a_node_of_the_same_name_is_no_flow(store: Store) -> None:
    write(store, a_passage(1, steps=steps("main", "a%b", "bye", flow="other")))
    assert flow_stats(store, MAIN).passages == 0
    assert flow_stats(store, FlowId("a%b")).passages == 0
    assert flow_stats(store, FlowId("%")).passages == 0


def test_the_period_is_that_of_the_beginning(store: Store) -> None:
    write(store, *(a_passage(hour, started_utc_s=NOON_S + 3600 * hour) for hour in range(4)))
    hour = timedelta(hours=1)
    assert flow_stats(store, MAIN, since=NOON + hour, until=NOON + 3 * hour).passages == 2
    assert flow_stats(store, MAIN, since=NOON + 3 * hour).passages == 1
    nothing = flow_stats(store, MAIN, until=NOON)
    assert (nothing.passages, nothing.containment_ratio, nothing.worst, nothing.nodes) == (0, None, None, ())


def test_a_year_of_passages_is_counted_in_little_memory(store: Store) -> None:
    passage = a_passage(1, steps=steps(*(f"node_{number}" for number in range(40))))
    _, row = row_of("r", CommandId(0, 0), passage)
    rows = 4_000
    with store.engine.begin() as connection:
        connection.execute(insert(schema.flow_passages), [row | {"seq": seq, "command_index": 0} for seq in range(rows)])
    whole_bytes = rows * len(str(row["steps"]))
    assert whole_bytes > 4_000_000
    tracemalloc.start()
    try:
        found = flow_stats(store, MAIN)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.passages == rows
    assert peak_bytes < whole_bytes / 4, peak_bytes


# --- surveys ----------------------------------------------------------------------------------------------------------
def answers(kind: SurveyKind, scores: dict[int, int], **changes: object) -> list[Record]:
    """So many answers of each score."""
    return [an_answer(kind=kind, score=score, **changes) for score, count in scores.items() for _ in range(count)]


def test_csat_and_dsat_are_shares_of_all_answers(store: Store) -> None:
    write(store, *answers(SurveyKind.CSAT, {1: 1, 2: 2, 3: 3, 4: 4, 5: 6}))
    total = survey_report(store).total
    assert (total.csat_answers, total.csat_percent, total.dsat_percent) == (16, 100 * 10 / 16, 100 * 3 / 16)
    assert (total.nps, total.fcr_percent) == (None, None)


def test_nps_is_promoters_less_detractors(store: Store) -> None:
    write(store, *answers(SurveyKind.NPS, {0: 1, 6: 2, 7: 3, 8: 4, 9: 5, 10: 5}))
    assert survey_report(store).total.nps == pytest.approx(100 * (10 - 3) / 20)


@pytest.mark.parametrize(("scores", "nps"), [({10: 3}, 100.0), ({6: 2}, -100.0), ({7: 1, 8: 1}, 0.0), ({10: 1, 0: 1}, 0.0)])
def test_the_ends_of_the_nps(store: Store, scores: dict[int, int], nps: float) -> None:
    write(store, *answers(SurveyKind.NPS, scores))
    assert survey_report(store).total.nps == nps


def test_fcr_is_the_share_of_those_who_say_yes(store: Store) -> None:
    write(store, *answers(SurveyKind.FCR, {1: 3, 2: 1}))
    assert survey_report(store).total.fcr_percent == 75.0


def test_by_queue_and_by_agent(store: Store) -> None:
    write(
        store,
        *answers(SurveyKind.CSAT, {5: 2}),
        *answers(SurveyKind.CSAT, {1: 1, 3: 1}, queue=HELP, agent=BERT),
        *answers(SurveyKind.FCR, {2: 1}, queue=HELP, agent=ANNA),
        *answers(SurveyKind.CSAT, {4: 1}, queue=None, agent=None),
    )
    found = survey_report(store)
    assert [(name, scores.csat_percent, scores.fcr_percent) for name, scores in found.by_queue] == [
        ("help", 0.0, 0.0),
        ("sales", 100.0, None),
        (None, 100.0, None),
    ]
    assert [(name, scores.csat_answers, scores.fcr_answers) for name, scores in found.by_agent] == [
        (ANNA, 2, 1),
        (BERT, 2, 0),
        (None, 1, 0),
    ]
    assert found.total.csat_percent == 100 * 3 / 5
    assert survey_report(store, queue=HELP, agent=BERT).total.csat_answers == 2
    assert survey_report(store, agent=ANNA).by_queue == (
        (HELP, survey_report(store, agent=ANNA, queue=HELP).total),
        (SALES, found.by_queue[1][1]),
    )


def test_the_period_of_answers(store: Store) -> None:
    write(store, *(an_answer(number=hour, at_utc_s=NOON_S + 3600 * hour) for hour in range(4)))
    hour = timedelta(hours=1)
    assert survey_report(store, since=NOON + hour, until=NOON + 3 * hour).total.csat_answers == 2
    assert survey_report(store, until=NOON).by_agent == ()


# --- one call ---------------------------------------------------------------------------------------------------------
def test_a_call_s_story_has_its_passages_and_answers_as_they_were_told(store: Store) -> None:
    first, second = a_passage(7), a_passage(7, number=1, steps=steps("ask 2 no_input"), end=FlowEnd.GAVE_UP)
    answer = an_answer(7)
    write(store, second, first, a_passage(8), answer, an_answer(8), a_call(7), a_call(8))
    story = call_story(store, InteractionId(7))
    assert story is not None
    assert story.passages == (first, second)
    assert story.answers == (answer,)
    assert story.passages[0].steps[1] == replace(steps("menu")[0], repeats=1)
    assert story.passages[1].steps[0].node == NodeId("ask")

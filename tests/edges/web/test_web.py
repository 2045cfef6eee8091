"""The metrics' text and the health page."""

from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.web.resource import getChildForRequest
from twisted.web.test.requesthelper import DummyRequest

from ccserver.core.ids import AgentId, InteractionId, Language, LegId, PhoneId, QueueId
from ccserver.core.records import (
    EndedBy,
    FaultRecord,
    InteractionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    RepairKind,
    RepairRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.web.metrics import CenterMetrics, QueueReading, Reading
from ccserver.web.server import site

SALES = QueueId("sales")
LEG = LegId("pbx", "1.1")


def a_reading() -> Reading:
    return Reading(
        queues=(QueueReading(queue="sales", waiting=3, longest_wait_s=41.5),),
        agents=Tally({ShownState.READY: 2}),
        gauges={"ccserver_ami_link_up": ("1 while the link is up.", 1.0)},
        counters={"ccserver_ami_links_lost": ("Links that were lost.", 4)},
    )


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    """All samples of the text, by name and the values of their labels in the order of the labels' names."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> CenterMetrics:
    return CenterMetrics(registry, a_reading)


def test_gauges_are_read_at_each_scrape(registry: CollectorRegistry, metrics: CenterMetrics) -> None:
    seen = samples(registry)
    assert seen["ccserver_waiting", ("sales",)] == 3
    assert seen["ccserver_longest_wait_seconds", ("sales",)] == 41.5
    assert seen["ccserver_agents", ("ready",)] == 2
    assert seen["ccserver_agents", ("talking",)] == 0
    assert seen["ccserver_ami_link_up", ()] == 1
    assert seen["ccserver_ami_links_lost_total", ()] == 4


def test_the_error_of_the_expected_wait_is_measured_for_who_was_answered(
    registry: CollectorRegistry, metrics: CenterMetrics
) -> None:
    visit = VisitRecord(
        interaction=InteractionId(1),
        number=0,
        queue=SALES,
        entered_utc_s=0.0,
        wait_s=60.0,
        outcome=VisitOutcome.ANSWERED,
        is_within_service_level=False,
        announced_wait_s=90.0,
    )
    for one in (visit, replace(visit, outcome=VisitOutcome.ABANDONED), replace(visit, announced_wait_s=None)):
        metrics.count(one)
    seen = samples(registry)
    assert seen["ccserver_expected_wait_error_seconds_sum", ("sooner", "sales")] == 30.0
    assert seen["ccserver_expected_wait_error_seconds_count", ("sooner", "sales")] == 1


def test_records_are_counted_as_history_counts_them(registry: CollectorRegistry, metrics: CenterMetrics) -> None:
    metrics.count(
        VisitRecord(
            interaction=InteractionId(1),
            number=0,
            queue=SALES,
            entered_utc_s=0.0,
            wait_s=12.0,
            outcome=VisitOutcome.ANSWERED,
            is_within_service_level=True,
        )
    )
    metrics.count(
        OfferRecord(
            interaction=InteractionId(1),
            number=0,
            queue=SALES,
            agent=AgentId("101"),
            phone=PhoneId("PJSIP/1001"),
            leg=LEG,
            offered_utc_s=0.0,
            ring_s=3.0,
            outcome=OfferOutcome.MISSED,
            why="longest idle",
        )
    )
    for kind in (SegmentKind.TALK, SegmentKind.MENU):
        metrics.count(
            SegmentRecord(interaction=InteractionId(1), number=0, kind=kind, started_utc_s=0.0, duration_s=70.0, queue=SALES)
        )
    metrics.count(
        InteractionRecord(
            interaction=InteractionId(1),
            kind="voice",
            leg=LEG,
            did="1",
            caller_number=None,
            caller_name="",
            language=Language("en"),
            queue=SALES,
            agent=None,
            outcome=Outcome.ANSWERED,
            ended_by=EndedBy.AGENT,
            disposition=None,
            arrived_utc_s=0.0,
            ended_utc_s=1.0,
            wait_s=12.0,
            talk_s=70.0,
        )
    )
    metrics.count(RepairRecord(kind=RepairKind.LEG_GONE, what="leg 1", at_utc_s=0.0))
    metrics.count(FaultRecord(interaction=None, reason="a rule was broken", at_utc_s=0.0))
    seen = samples(registry)
    assert seen["ccserver_queue_visits_total", ("answered", "sales")] == 1
    assert seen["ccserver_answered_within_service_level_total", ("sales",)] == 1
    assert seen["ccserver_wait_seconds_sum", ("answered", "sales")] == 12.0
    assert seen["ccserver_offers_total", ("missed", "sales")] == 1
    assert (seen["ccserver_talk_seconds_count", ("sales",)], seen["ccserver_talk_seconds_sum", ("sales",)]) == (1, 70.0)
    assert seen["ccserver_interactions_total", ("voice", "answered")] == 1
    assert seen["ccserver_repairs_total", ("leg_gone",)] == 1
    assert seen["ccserver_faults_total", ()] == 1


def test_every_metric_has_a_help_line(registry: CollectorRegistry, metrics: CenterMetrics) -> None:
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert len(families) > 12
    assert [family.name for family in families if not family.documentation] == []


def fetch(registry: CollectorRegistry, path: bytes, trouble: Callable[[], str | None]) -> DummyRequest:
    request = DummyRequest([path])
    resource = getChildForRequest(cast(Any, site(registry, trouble)).resource, request)
    request.write(resource.render(request))
    return request


def test_metrics_are_served(registry: CollectorRegistry, metrics: CenterMetrics) -> None:
    body = b"".join(fetch(registry, b"metrics", lambda: None).written)
    assert b'ccserver_waiting{queue="sales"} 3.0' in body


def test_health_says_what_the_trouble_is(registry: CollectorRegistry) -> None:
    good = fetch(registry, b"healthz", lambda: None)
    assert (good.responseCode, good.written) == (None, [b"ok\n"])
    bad = fetch(registry, b"healthz", lambda: "no link to Asterisk")
    assert (bad.responseCode, bad.written) == (503, [b"no link to Asterisk\n"])

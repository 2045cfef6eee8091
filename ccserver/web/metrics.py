"""The metrics, from the same records and readings as history and `status`, so that all three tell one story.

Counters and histograms follow the records the core tells in this run of the daemon: they begin at zero when the process
does (a Prometheus `rate()` copes with that). Gauges are read when Prometheus asks. Labels are bounded by the configuration.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.records import (
    AgentStateRecord,
    AttemptRecord,
    AuditRecord,
    CallbackRecord,
    ConferenceMemberRecord,
    ConferenceRecord,
    ConsentRecord,
    DoNotCallRecord,
    EvidenceRecord,
    FaultRecord,
    FlowRecord,
    InteractionRecord,
    MarkRecord,
    MessageRecord,
    NoticeRecord,
    ObjectionRecord,
    OfferRecord,
    OwnCallRecord,
    QualityRecord,
    Record,
    RecordingRecord,
    RefusalRecord,
    RefusedDialRecord,
    RepairRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    SurveyRecord,
    TransferRecord,
    TrunkRecord,
    VisitOutcome,
    VisitRecord,
    WatchRecord,
)
from ccserver.web import campaign_metrics

WAIT_BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
FORECAST_BUCKETS_S = (10, 30, 60, 120, 300, 600)
TALK_BUCKETS_S = (5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 450.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0)
MOS_BUCKETS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)
STEP_BUCKETS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReading:
    """One queue now. `longest_wait_s` is 0 when nobody waits."""

    queue: str
    waiting: int
    longest_wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the gauges show. `gauges` and `counters` hold what the edges count, by metric name: (help, value)."""

    queues: tuple[QueueReading, ...]
    agents: Tally[ShownState]
    gauges: dict[str, tuple[str, float]] = field(default_factory=dict)
    counters: dict[str, tuple[str, float]] = field(default_factory=dict)
    campaigns: tuple[CampaignView, ...] = ()
    trunks: tuple[TrunkView, ...] = ()


class _Gauges(Collector):
    """Reads the center at the moment of a scrape."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: describing must not need a running center."""
        return ()

    def collect(self) -> Iterator[Metric]:
        reading = self._read()
        waiting = GaugeMetricFamily("ccserver_waiting", "Callers waiting in the queue now.", labels=["queue"])
        longest = GaugeMetricFamily(
            "ccserver_longest_wait_seconds",
            "How long the caller who waits longest has waited; 0 when nobody waits.",
            labels=["queue"],
        )
        for queue in reading.queues:
            waiting.add_metric([queue.queue], queue.waiting)
            longest.add_metric([queue.queue], queue.longest_wait_s)
        yield waiting
        yield longest
        agents = GaugeMetricFamily("ccserver_agents", "Agents by the state that people see.", labels=["state"])
        for state in ShownState:
            agents.add_metric([state.value], reading.agents[state])
        yield agents
        yield from campaign_metrics.families(reading.campaigns, reading.trunks)
        for name, (text, value) in reading.gauges.items():
            yield GaugeMetricFamily(name, text, value=value)
        for name, (text, value) in reading.counters.items():
            yield CounterMetricFamily(name, text, value=value)


class CenterMetrics:
    """Counts what the driver and the records tell."""

    def __init__(self, registry: CollectorRegistry, read: Callable[[], Reading]) -> None:
        self._interactions = Counter(
            "ccserver_interactions", "Interactions that are over, by how they ended.", ["kind", "outcome"], registry=registry
        )
        self._visits = Counter(
            "ccserver_queue_visits",
            "Stays in a queue that are over, by how they ended.",
            ["queue", "outcome"],
            registry=registry,
        )
        self._in_time = Counter(
            "ccserver_answered_within_service_level", "Answers within the queue's service level.", ["queue"], registry=registry
        )
        self._wait = Histogram(
            "ccserver_wait_seconds",
            "Waiting time of stays in a queue, by how they ended.",
            ["queue", "outcome"],
            buckets=WAIT_BUCKETS_S,
            registry=registry,
        )
        self._forecast = Histogram(
            "ccserver_expected_wait_error_seconds",
            "How far the wait that was announced first was from the actual one, of callers who were answered later or sooner.",
            ["queue", "answered"],
            buckets=FORECAST_BUCKETS_S,
            registry=registry,
        )
        self._talk = Histogram(
            "ccserver_talk_seconds", "Length of talks with an agent.", ["queue"], buckets=TALK_BUCKETS_S, registry=registry
        )
        self._offers = Counter(
            "ccserver_offers", "Offers to agents, by how they ended.", ["queue", "outcome"], registry=registry
        )
        self._transfers = Counter(
            "ccserver_transfers", "Attempts to hand a call on, by how they ended.", ["kind", "outcome"], registry=registry
        )
        self._callbacks = Counter(
            "ccserver_callbacks", "Requests to be called back, by how they ended.", ["queue", "outcome"], registry=registry
        )
        self._own_calls = Counter(
            "ccserver_own_calls", "Calls that agents' phones made by themselves.", ["kind", "decision"], registry=registry
        )
        self._refused_dials = Counter(
            "ccserver_refused_dials",
            "Callbacks and own calls that the law's gate did not allow.",
            ["kind", "reason"],
            registry=registry,
        )
        self._conferences = Counter("ccserver_conferences", "Conferences with a number that are over.", registry=registry)
        self._conference_members = Counter(
            "ccserver_conference_members",
            "Stays in conferences that are over, by how they ended; refused: did not come in.",
            ["outcome"],
            registry=registry,
        )
        self._messages = Counter("ccserver_messages", "Messages that callers left.", ["queue"], registry=registry)
        self._notices = Counter("ccserver_notices", "Notices for the event stream.", ["kind"], registry=registry)
        self._recordings = Counter(
            "ccserver_recordings", "Recorded stretches that Asterisk was told to write.", registry=registry
        )
        self._repairs = Counter(
            "ccserver_repairs", "Differences between the center and the PBX that were mended.", ["kind"], registry=registry
        )
        self._flows = Counter(
            "ccserver_flow_passages", "Callers who went through a flow, by how it ended.", ["flow", "end"], registry=registry
        )
        self._consents = Counter(
            "ccserver_recording_consents", "Customers who were told or asked about recording.", ["answer"], registry=registry
        )
        self._not_called = Counter(
            "ccserver_do_not_call", "People who asked not to be called, by where they said so.", ["source"], registry=registry
        )
        self._mos = Histogram(
            "ccserver_leg_mos",
            "Estimated quality (MOS, 1 to 5) of legs that are over, of the worse direction.",
            ["side"],
            buckets=MOS_BUCKETS,
            registry=registry,
        )
        self._surveys = Counter(
            "ccserver_survey_answers", "Answers of customers after the call.", ["queue", "kind", "score"], registry=registry
        )
        self._watches = Counter(
            "ccserver_supervisions", "Calls that supervisors heard, spoke in or took over.", ["mode"], registry=registry
        )
        self._attempts = Counter(
            "ccserver_attempts",
            "Attempts to call somebody that are over, by what came of them; campaign empty: of none.",
            ["campaign", "outcome"],
            registry=registry,
        )
        self._refusals = Counter(
            "ccserver_call_refusals",
            "Calls that the law's gate refused, by the reason; campaign empty: of none.",
            ["campaign", "reason"],
            registry=registry,
        )
        self._trunk_events = Counter(
            "ccserver_trunk_events", "Trunks that were taken for dead, or worked again.", ["trunk", "state"], registry=registry
        )
        self._faults = Counter(
            "ccserver_faults", "Steps of the center that failed; their call was released.", registry=registry
        )
        self._agent_seconds = Counter(
            "ccserver_agent_state_seconds", "Time that agents spent in states that are over.", ["state"], registry=registry
        )
        self._step = Histogram(
            "ccserver_step_seconds",
            "Time for one input: journal, decision, handing out the commands.",
            buckets=STEP_BUCKETS_S,
            registry=registry,
        )
        self._edge_faults = Counter("ccserver_edge_faults", "Commands that failed by a fault of ours.", registry=registry)
        self._journal_errors = Counter("ccserver_journal_errors", "Inputs that could not be written down.", registry=registry)
        registry.register(_Gauges(read))

    def count(self, record: Record) -> None:
        """One record that was told for the first time."""
        match record:
            case InteractionRecord():
                self._interactions.labels(record.kind, record.outcome.value).inc()
            case VisitRecord():
                self._visits.labels(record.queue, record.outcome.value).inc()
                self._wait.labels(record.queue, record.outcome.value).observe(record.wait_s)
                if record.announced_wait_s is not None and record.outcome is VisitOutcome.ANSWERED:
                    error_s = record.wait_s - record.announced_wait_s
                    self._forecast.labels(record.queue, "later" if error_s > 0 else "sooner").observe(abs(error_s))
                if record.is_within_service_level:
                    self._in_time.labels(record.queue).inc()
            case SegmentRecord():
                if record.kind is SegmentKind.TALK:
                    self._talk.labels(record.queue or "").observe(record.duration_s)
            case OfferRecord():
                self._offers.labels(record.queue, record.outcome.value).inc()
            case RecordingRecord():
                self._recordings.inc()
            case RepairRecord():
                self._repairs.labels(record.kind.value).inc()
            case FaultRecord():
                self._faults.inc()
            case AgentStateRecord():
                self._agent_seconds.labels(record.state.value).inc(max(0.0, record.duration_s))
            case TransferRecord():
                self._transfers.labels(record.kind.value, record.outcome.value).inc()
            case CallbackRecord():
                self._callbacks.labels(record.queue, record.outcome.value).inc()
            case OwnCallRecord():
                self._own_calls.labels(record.kind.value, "allowed" if record.is_allowed else "refused").inc()
            case MessageRecord():
                self._messages.labels(record.queue or "").inc()
            case NoticeRecord():
                self._notices.labels(record.kind.value).inc()
            case FlowRecord():
                self._flows.labels(record.steps[0].flow if record.steps else "", record.end.value).inc()
            case SurveyRecord():
                self._surveys.labels(record.queue or "", record.kind.value, str(record.score)).inc()
            case ConferenceRecord() | ConferenceMemberRecord() | ConsentRecord() | DoNotCallRecord() | QualityRecord():
                self._count_more(record)
            case AttemptRecord() | RefusalRecord() | RefusedDialRecord() | TrunkRecord():
                self._count_dialling(record)
            case WatchRecord():
                self._watches.labels(record.mode.value).inc()
            case AuditRecord() | EvidenceRecord() | MarkRecord() | ObjectionRecord():
                pass
            case _:
                assert_never(record)

    def _count_more(
        self, record: ConferenceRecord | ConferenceMemberRecord | ConsentRecord | DoNotCallRecord | QualityRecord
    ) -> None:
        match record:
            case ConferenceRecord():
                self._conferences.inc()
            case ConferenceMemberRecord():
                self._conference_members.labels(record.end.value).inc()
            case ConsentRecord():
                self._consents.labels(record.kind.value).inc()
            case QualityRecord():
                self._mos.labels(record.side.value).observe(record.mos)
            case DoNotCallRecord():
                self._not_called.labels(record.source.value).inc()

    def _count_dialling(self, record: AttemptRecord | RefusalRecord | RefusedDialRecord | TrunkRecord) -> None:
        match record:
            case AttemptRecord():
                self._attempts.labels(record.campaign or "", record.outcome.value).inc()
            case RefusalRecord():
                self._refusals.labels(record.campaign or "", record.reason).inc(record.count)
            case RefusedDialRecord():
                self._refused_dials.labels(record.kind.value, record.reason.value).inc()
            case TrunkRecord():
                self._trunk_events.labels(record.trunk, "down" if record.is_down else "up").inc()

    def step_took(self, duration_s: float) -> None:
        self._step.observe(duration_s)

    def edge_faulted(self) -> None:
        self._edge_faults.inc()

    def journal_failed(self) -> None:
        self._journal_errors.inc()

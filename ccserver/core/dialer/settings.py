"""The settings of outbound calls: immutable values, built and checked by `ccserver.config`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.terms import LineType, Mode, Purpose
from ccserver.core.ids import CampaignId, DispositionId, FlowId, HoursId, PromptId, QueueId, SkillId, TrunkId
from ccserver.core.recording_policy import RecordingPolicy


class Outcome(Enum):
    """What came of an attempt, where that may call for another one."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    CONGESTION = "congestion"  # no line, or the network says so
    CANCELLED = "cancelled"  # given up by us while it rang
    MACHINE = "machine"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"  # the daemon or the PBX was gone meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """Another try `after_s`, at most `tries` for this outcome."""

    after_s: float
    tries: int


class AmdUse(Enum):
    OFF = "off"
    ON = "on"  # what is taken for a machine is hung up on
    CONFIRM = "confirm"  # what is taken for a machine goes to an agent, who says whether it is one


@dataclass(frozen=True, slots=True, kw_only=True)
class AmdSettings:
    """Asterisk's AMD(); durations in milliseconds, named as its parameters are."""

    use: AmdUse = AmdUse.OFF
    initial_silence_ms: int = 2500
    greeting_ms: int = 1500
    after_greeting_silence_ms: int = 800
    total_analysis_ms: int = 5000
    min_word_ms: int = 100
    between_words_silence_ms: int = 50
    max_words: int = 3
    silence_threshold: int = 256
    max_word_ms: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigures:
    """What things cost, in the hundredth part of `currency`, for key figures only."""

    currency: str = "EUR"
    agent_hour_minor: int = 0
    call_minute_minor: int = 0
    attempt_minor: int = 0
    lead_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSettings:
    """Who is called, how and when. `rules` are those that the gate goes by, whole."""

    name: str
    mode: Mode
    purpose: Purpose = Purpose.MARKETING
    queue: QueueId | None = None
    """Whose agents it is for; None: it is AGENTLESS."""
    flow: FlowId | None = None
    """What an AGENTLESS campaign's callees go through."""
    skills: tuple[SkillId, ...] = ()
    """Required of the agent beside what the queue requires."""
    rules: Rules
    hours: HoursId | None = None
    """When it runs, in the site's time; the callee's time is the rules'. None: whenever those allow it."""
    lists: tuple[str, ...] = ()
    """The lists of its leads, by name; none: the one that is named as the campaign is."""
    trunks: tuple[TrunkId, ...]
    """In this order."""
    caller_ids: tuple[str, ...]
    """E.164; of these the one that suits the callee is shown."""
    lines: int = 30
    calls_per_second: float = 1.0
    lines_per_agent: float = 1.0
    """Calls for each free agent: as they are for POWER, at most for PREDICTIVE."""
    ring_s: float = 20.0
    amd: AmdSettings = AmdSettings()
    safe_harbour: PromptId | None = None
    """Who called, their number and the key: for who answers and finds no agent."""
    opt_out_key: str = "9"
    voicemail: PromptId | None = None
    """What is said to an answering machine, after its beep; None: machines are hung up on."""
    whisper: tuple[str, ...] = ()
    """What an agent hears of a lead before it is dialled, in PREVIEW and PROGRESSIVE: `name`, or custom fields."""
    preview_s: float = 60.0
    """How long an agent may think in PREVIEW: then the lead is skipped."""
    inbound_level: float | None = None
    """Blended agents are lent to the campaign while this share (0 to 1) of their other queues' recent calls was answered in time; None:
    whenever no caller waits."""
    retry: Mapping[Outcome, RetryRule] = field(default_factory=dict)
    retry_dispositions: Mapping[DispositionId, RetryRule] = field(default_factory=dict)
    """After a talk, by what the agent entered."""
    dispositions: tuple[DispositionId, ...] = ()
    """None: those of the queue."""
    wrap_up_s: float | None = None
    """None: as in the queue."""
    record: RecordingPolicy | None = None
    """None: as the number, the direction and the queue say."""
    costs: CostFigures = CostFigures()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSettings:
    """A way outside. `prefixes`: the beginnings of the E.164 numbers that it is for; none: all."""

    endpoint: str
    """The PJSIP endpoint."""
    lines: int = 30
    calls_per_second: float = 1.0
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdSettings:
    """A number of ours that is shown. `prefixes`: the callees for whom it is meant first; none: those whose numbers begin most alike."""

    line_type: LineType
    country: str
    answers_back: bool = False
    prefixes: tuple[str, ...] = ()
    calls_a_day: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DialingSettings:
    """The site's. `rules` hold for agents' own calls to outside customers and for callbacks without a campaign."""

    country: str
    rules: Rules
    own_calls: Purpose = Purpose.SERVICE
    """Why agents call outside numbers from their phones."""
    campaigns: Mapping[CampaignId, CampaignSettings] = field(default_factory=dict)
    trunks: Mapping[TrunkId, TrunkSettings] = field(default_factory=dict)
    caller_ids: Mapping[str, CallerIdSettings] = field(default_factory=dict)
    """By E.164 number."""

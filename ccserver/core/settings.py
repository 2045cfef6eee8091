"""The settings that the core obeys: immutable values, built and checked by `ccserver.config`.

References (queues, prompts, nodes…) are known to be good when a value of these types exists. What only an edge needs
(addresses, ports, PIN hashes, database) is not here but in `ccserver.config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import (
    AgentId,
    DispositionId,
    FlowId,
    HoursId,
    Language,
    NodeId,
    PhoneId,
    PromptId,
    QueueId,
    ReasonId,
    SkillId,
)


# --- what can be said to a caller ------------------------------------------------------------------------------------
class SpokenKind(Enum):
    PROMPT = "prompt"  # a prompt of ours, in the caller's language
    DIGITS = "digits"  # one by one
    NUMBER = "number"  # as a cardinal number
    CALL_NUMBER = "call_number"  # of this interaction, digit by digit; the core puts the digits in


@dataclass(frozen=True, slots=True)
class Spoken:
    """One piece of speech: `value` is a prompt's id, or the digits of a number; empty for CALL_NUMBER."""

    kind: SpokenKind
    value: str


# --- where an interaction can go when a queue cannot take or keep it --------------------------------------------------
class ExitKind(Enum):
    QUEUE = "queue"
    EXTENSION = "extension"  # of the PBX's dialplan, in the site's overflow context
    NODE = "node"  # of the flow the call is in
    HANG_UP = "hang_up"  # after the prompt, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """`target` is a queue id, an extension or a node id; empty for HANG_UP. `prompt` is said first."""

    kind: ExitKind
    target: str = ""
    prompt: PromptId | None = None


# --- opening hours ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Weekly spans in local time. `week` has seven tuples (Monday first) of (from, to) minutes of the day, to <= 1440.

    `closed_on` are ISO dates ("2026-12-25") that are closed whatever the weekday.
    """

    timezone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    closed_on: frozenset[str] = frozenset()


# --- IVR flows ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class SayNode:
    say: tuple[Spoken, ...]
    next: NodeId
    can_interrupt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuNode:
    """Asks for one choice. `choices` maps digits (one to four of 0-9, * and #) to the node they lead to.

    After `tries` attempts without input the call leaves by `on_no_input`, after as many wrong ones by `on_invalid`.
    """

    say: tuple[Spoken, ...]
    choices: Mapping[str, NodeId]
    timeout_s: float
    tries: int
    on_no_input: NodeId
    on_invalid: NodeId
    say_no_input: tuple[Spoken, ...] = ()
    say_invalid: tuple[Spoken, ...] = ()
    can_interrupt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageNode:
    """From here on the caller is spoken to in `language`, and routed to agents who have its skill, if it has one."""

    language: Language
    next: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursNode:
    hours: HoursId
    on_open: NodeId
    on_closed: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueNode:
    queue: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionNode:
    """Hands the call over to an extension of the PBX's dialplan; it does not come back."""

    extension: str
    say: tuple[Spoken, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpNode:
    say: tuple[Spoken, ...] = ()


Node = SayNode | MenuNode | LanguageNode | HoursNode | EnqueueNode | ExtensionNode | HangUpNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    start: NodeId
    nodes: Mapping[NodeId, Node]


class AnswerPolicy(Enum):
    AT_ONCE = "at_once"
    WHEN_QUEUED = "when_queued"  # the flow must not need to be heard before
    NEVER = "never"  # a closed line: refused without being billed


@dataclass(frozen=True, slots=True, kw_only=True)
class DidSettings:
    """A number that can be called from outside, and the flow it starts."""

    flow: FlowId
    answer: AnswerPolicy = AnswerPolicy.AT_ONCE
    language: Language


# --- queues ---------------------------------------------------------------------------------------------------------
class Strategy(Enum):
    LONGEST_IDLE = "longest_idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    name: str
    """As shown on the agent's phone."""
    skills: tuple[SkillId, ...]
    """All of them are required."""
    strategy: Strategy = Strategy.LONGEST_IDLE
    hours: HoursId | None = None
    music: str = "default"
    ring_timeout_s: float = 20.0
    wrap_up_s: float = 30.0
    service_level_s: float = 20.0
    """An answer within this many seconds counts as in time."""
    short_abandon_s: float = 5.0
    """A caller who leaves sooner did not really wait; counted apart."""
    max_waiting: int | None = None
    max_wait_s: float | None = None
    max_talk_s: float = 4 * 3600.0
    """A call is ended after this time: a leg that vanished without a BYE must not stay for ever."""
    announce_position_every_s: float | None = None
    on_full: Exit = Exit(kind=ExitKind.HANG_UP)
    on_max_wait: Exit = Exit(kind=ExitKind.HANG_UP)
    on_closed: Exit = Exit(kind=ExitKind.HANG_UP)
    on_unstaffed: Exit | None = None
    """None: callers wait even when nobody is logged in."""
    record: bool = True
    dispositions: tuple[DispositionId, ...] = ()
    """Those an agent may enter; none: wrap-up ends by time or code only."""


# --- people ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    name: str
    skills: Mapping[SkillId, int]
    """Level 1 to 100 each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """A phone an agent may log in at. `number` is its extension."""

    number: str
    auto_answer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonSettings:
    """Why an agent is not ready. `code` is typed after the not-ready feature code."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionSettings:
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRules:
    """What happens to an agent who does not take an offered interaction."""

    missed_before_not_ready: int = 2
    """Unanswered or rejected offers in a row after which the agent is put not ready; 0: never."""
    missed_back_off_s: float = 5.0
    rejected_back_off_s: float = 10.0
    busy_back_off_s: float = 10.0
    missed_reason: ReasonId
    """The reason shown when the system itself put the agent not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCodes:
    """What agents dial, without the leading `*`. No code is the beginning of another."""

    login: str = "11"
    logout: str = "12"
    not_ready: str = "13"
    ready: str = "14"
    end_wrap_up: str = "15"
    state: str = "16"
    disposition: str = "17"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    max_pin_tries: int = 3
    pin_lock_s: float = 300.0
    """After `max_pin_tries` wrong PINs in a row the account is locked for so long."""
    menu_steps_max: int = 200
    """A call that went through so many nodes is released: a flow must not loop for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the core obeys. Two values with the same `content_hash` are the same settings."""

    content_hash: str
    pbx: str
    country: str
    """ISO 3166 code: how national numbers are read."""
    default_language: Language
    language_skills: Mapping[Language, SkillId | None]
    """The languages spoken here, each with the skill that a caller who chose it needs."""
    agents: Mapping[AgentId, AgentSettings]
    phones: Mapping[PhoneId, PhoneSettings]
    queues: Mapping[QueueId, QueueSettings]
    flows: Mapping[FlowId, Flow]
    dids: Mapping[str, DidSettings]
    """By number as the trunk delivers it (digits, perhaps a leading +); the key "*" takes all others."""
    hours: Mapping[HoursId, OpeningHours]
    reasons: Mapping[ReasonId, ReasonSettings]
    dispositions: Mapping[DispositionId, DispositionSettings]
    offers: OfferRules
    features: FeatureCodes = FeatureCodes()
    limits: Limits = Limits()
    recording_dir: str = ""
    """Where Asterisk writes the segments (an absolute path as Asterisk sees it); empty: nothing is recorded."""

"""What is kept for history: facts that are over, as the core tells them.

A record is told once, in a `Store` command, and never changed; the store writes it under the id of that command.
Times named `_utc_s` are POSIX seconds.
"""

from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import AgentId, DispositionId, InteractionId, Language, LegId, PhoneId, QueueId, ReasonId


class Outcome(Enum):
    """How an interaction ended, seen from the customer."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"  # left while waiting
    LEFT_IN_MENU = "left_in_menu"
    REFUSED = "refused"  # full, closed, unstaffed, or a flow that says so
    OVERFLOWED = "overflowed"  # handed to an extension of the PBX
    LOST = "lost"  # the PBX or a fault ended it


class VisitOutcome(Enum):
    """How a visit to a queue ended. Each visit ends in exactly one, so that totals reconcile."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"
    OVERFLOWED = "overflowed"
    REFUSED_FULL = "refused_full"
    REFUSED_CLOSED = "refused_closed"
    REFUSED_UNSTAFFED = "refused_unstaffed"
    CALLED_BACK = "called_back"
    LEFT_MESSAGE = "left_message"
    TRANSFERRED_OUT = "transferred_out"
    LOST = "lost"


class OfferOutcome(Enum):
    """How one offer to one agent ended."""

    ANSWERED = "answered"  # both were in the bridge
    MISSED = "missed"  # RONA: redirect on no answer
    REJECTED = "rejected"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    CALLER_GONE = "caller_gone"
    CANCELLED = "cancelled"
    FAILED = "failed"


class SegmentKind(Enum):
    MENU = "menu"
    WAIT = "wait"
    RING = "ring"
    TALK = "talk"
    HOLD = "hold"
    WRAP_UP = "wrap_up"


class EndedBy(Enum):
    CUSTOMER = "customer"
    AGENT = "agent"
    AGENT_LOST = "agent_lost"  # the agent's line broke in mid-call
    SYSTEM = "system"
    PBX = "pbx"


class ShownState(Enum):
    """The agent's state as people see it, derived from presence, phases and the phone."""

    LOGGED_OUT = "logged_out"
    READY = "ready"
    NOT_READY = "not_ready"
    UNREACHABLE = "unreachable"
    BACK_OFF = "back_off"  # ready, but spared after an offer not taken
    ON_OWN_CALL = "on_own_call"  # the phone is in use without us
    RINGING = "ringing"
    TALKING = "talking"
    ON_HOLD = "on_hold"
    WRAP_UP = "wrap_up"


class PhoneState(Enum):
    """What the PBX says of a phone."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    RINGING = "ringing"
    IN_USE = "in_use"
    UNAVAILABLE = "unavailable"


class RepairKind(Enum):
    """Where the PBX and the core differed, and the core followed."""

    LEG_GONE = "leg_gone"
    LEG_BRIDGED = "leg_bridged"
    LEG_UNBRIDGED = "leg_unbridged"
    LEG_ORPHAN = "leg_orphan"
    SESSION_ORPHAN = "session_orphan"
    PHONE_STATE = "phone_state"
    COMMAND_SETTLED = "command_settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionRecord:
    """One interaction, told when all of it is over (wrap-up included)."""

    interaction: InteractionId
    kind: str
    leg: LegId
    did: str
    caller_number: str | None
    """E.164, or as given when it is no telephone number; None: withheld."""
    caller_name: str
    language: Language
    queue: QueueId | None
    """The last one."""
    agent: AgentId | None
    """The last one who talked."""
    outcome: Outcome
    ended_by: EndedBy
    disposition: DispositionId | None
    arrived_utc_s: float
    ended_utc_s: float
    """When the customer was gone."""
    wait_s: float
    """In all queues together."""
    talk_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRecord:
    """One stretch of an interaction. `number` counts from 0 within it, in the order of the starts."""

    interaction: InteractionId
    number: int
    kind: SegmentKind
    started_utc_s: float
    duration_s: float
    queue: QueueId | None = None
    agent: AgentId | None = None
    detail: str = ""
    """For MENU the flow and the last node, for RING the offer's outcome, for TALK who ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRecord:
    """One stay of an interaction in a queue. `number` counts from 0 within the interaction."""

    interaction: InteractionId
    number: int
    queue: QueueId
    entered_utc_s: float
    wait_s: float
    outcome: VisitOutcome
    is_within_service_level: bool
    agent: AgentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRecord:
    interaction: InteractionId
    number: int
    queue: QueueId
    agent: AgentId
    phone: PhoneId
    leg: LegId
    offered_utc_s: float
    ring_s: float
    outcome: OfferOutcome
    why: str
    """Why this agent: the strategy's reason, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStateRecord:
    """An agent's shown state that ended."""

    agent: AgentId
    state: ShownState
    reason: ReasonId | None
    phone: PhoneId | None
    started_utc_s: float
    duration_s: float
    interaction: InteractionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRecord:
    """One recorded stretch: the two files Asterisk writes are `<path>-caller.wav` and `<path>-agent.wav`."""

    interaction: InteractionId
    number: int
    agent: AgentId
    leg: LegId
    path: str
    started_utc_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRecord:
    kind: RepairKind
    what: str
    at_utc_s: float
    interaction: InteractionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    interaction: InteractionId | None
    reason: str
    at_utc_s: float


Record = (
    InteractionRecord
    | SegmentRecord
    | VisitRecord
    | OfferRecord
    | AgentStateRecord
    | RecordingRecord
    | RepairRecord
    | FaultRecord
)

"""What is kept for history: facts that are over, as the core tells them.

A record is told once, in a `Store` command, and never changed; the store writes it under the id of that command.
Times named `_utc_s` are POSIX seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.core.dialer.verdict import Refusal
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    DispositionId,
    FlowId,
    InteractionId,
    Language,
    LeadId,
    LegId,
    NodeId,
    PhoneId,
    QueueId,
    ReasonId,
    RoomId,
    TrunkId,
    WatchId,
)
from ccserver.core.settings import NumberKind, SurveyKind, WatchMode


class Outcome(Enum):
    """How an interaction ended, seen from the customer."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"  # left while waiting
    LEFT_IN_MENU = "left_in_menu"
    REFUSED = "refused"  # full, closed, unstaffed, or a flow that says so
    OVERFLOWED = "overflowed"  # handed to an extension of the PBX, or to a number outside
    CONFERENCE = "conference"  # went into a conference, whose own record goes on
    CALLED_BACK = "called_back"  # asked to be called back; the callback is an interaction of its own
    LEFT_MESSAGE = "left_message"  # was asked for a message; the message's own record says that one was left
    SERVED = "served"  # by the flow alone, which says so
    NOT_REACHED = "not_reached"  # a campaign called, with an agent there, and did not reach anybody
    BLOCKED = "blocked"  # the number is on the block list, or withheld where that is refused
    LOST = "lost"  # the PBX or a fault ended it


class Attestation(Enum):
    """How surely a caller's number is theirs, as the carrier says (STIR/SHAKEN)."""

    NONE = "none"  # nothing is said
    FULL = "A"  # the carrier knows its customer, and that the number is theirs
    PARTIAL = "B"  # it knows the customer only
    GATEWAY = "C"  # it only took the call in
    FAILED = "failed"  # the signature is wrong


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
    LEFT_MESSAGE = "left_message"  # was asked for a message
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
    CONSULT = "consult"  # the customer heard music while the agent asked a colleague
    ERRAND = "errand"  # the customer was in a flow that the agent had sent them into
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
    CONSULTING = "consulting"
    WRAP_UP = "wrap_up"
    RESTING = "resting"


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
    LEG_PARKED = "leg_parked"
    LEG_ORPHAN = "leg_orphan"
    SESSION_ORPHAN = "session_orphan"
    PHONE_STATE = "phone_state"
    COMMAND_SETTLED = "command_settled"
    ROOM_MEMBER = "room_member"  # somebody is in a conference, or is not
    ROOM_STATE = "room_state"  # somebody is muted there, or a room locked
    HOLD_MUSIC = "hold_music"  # a customer on hold was to hear music, and heard none


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionRecord:
    """One interaction, told when all of it is over (wrap-up included)."""

    interaction: InteractionId
    kind: str
    leg: LegId | None
    """The customer's; None for work without a line."""
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
    parent: InteractionId | None = None
    """Of a consultation or a callback: the interaction it came from."""


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
    announced_wait_s: float | None = None
    """The expected wait that the caller was told first; None: none was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRecord:
    interaction: InteractionId
    number: int
    queue: QueueId
    agent: AgentId
    phone: PhoneId
    leg: LegId | None
    """None for work without a line."""
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


class RecordingKind(Enum):
    TALK = "talk"
    CONSULT = "consult"  # an agent with a colleague: a segment of its own
    ROOM = "room"  # a conference with a number, everybody mixed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecording:
    """A file of the archive with the talks of a call. `part` counts from 0: what came late is in a file of its own."""

    interaction: InteractionId
    part: int = 0


class RecordingSide(Enum):
    """Which files Asterisk writes of a stretch."""

    BOTH = "both"
    CUSTOMER = "customer"  # what the customer says, in a conference
    MIX = "mix"  # everybody, in a conference with a number
    AGENTS = (
        "agents"  # what an agent, or somebody outside whom one has called, says in a conference; or a supervisor into a talk
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRecord:
    """One recorded stretch: the two files Asterisk writes are `<path>-caller.wav` and `<path>-agent.wav`, or the one of its `side`.

    `agent` is whose talk it is; for the customer's side of a conference, and for somebody outside, that of an agent who is in it.

    `is_provisional`: to be thrown away after the call unless a mark `record` asked for it. `pauses` are from and to, in seconds within
    the stretch, where silence was written on purpose.
    """

    interaction: InteractionId
    number: int
    agent: AgentId
    leg: LegId
    path: str
    started_utc_s: float
    duration_s: float
    kind: RecordingKind = RecordingKind.TALK
    queue: QueueId | None = None
    is_provisional: bool = False
    pauses: tuple[tuple[float, float], ...] = ()
    side: RecordingSide = RecordingSide.BOTH


class LegSide(Enum):
    """Whose leg of an interaction it is."""

    CUSTOMER = "customer"
    AGENT = "agent"
    GUEST = "guest"  # somebody outside, whom the customer was handed to or who was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One direction of a leg's sound. `lost` counts up to the last report before the end."""

    packets: int
    lost: int
    jitter_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRecord:
    """How the line of one leg was, told at its end. `interaction` None: a headset's line, which has served many."""

    interaction: InteractionId | None
    leg: LegId
    side: LegSide
    agent: AgentId | None
    codec: str
    received: Stream
    """From the telephone."""
    sent: Stream | None
    """To the telephone, as it reports it; None: it reports nothing."""
    rtt_ms: float | None
    mos: float
    """1 to 5, an estimate; of the worse direction."""
    at_utc_s: float


class ConsentKind(Enum):
    """What a customer was told or answered about being recorded."""

    ANNOUNCED = "announced"
    GRANTED = "granted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"  # asked, and said nothing: not recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """`node` is where the flow asked."""

    interaction: InteractionId
    kind: ConsentKind
    language: Language
    flow: FlowId
    node: NodeId
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionRecord:
    """The customer did not want to be recorded: whatever was recorded of the interaction so far is deleted, and nothing more is recorded.
    `agent` is who was told."""

    interaction: InteractionId
    agent: AgentId
    at_utc_s: float


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


class TransferKind(Enum):
    BLIND = "blind"
    CONSULT = "consult"
    REFER = "refer"  # by the phone's own transfer key
    TAKE_OVER = "take_over"  # by a supervisor, to whom the call goes


class TransferOutcome(Enum):
    DONE = "done"
    RETURNED = "returned"  # to the transferrer
    REQUEUED = "requeued"  # to the head of the queue, as the transferrer could not take it back
    CANCELLED = "cancelled"
    REFUSED = "refused"  # class of service, or no such number
    CUSTOMER_GONE = "customer_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """One attempt to hand an interaction on. `number` counts from 0 within it."""

    interaction: InteractionId
    number: int
    kind: TransferKind
    agent: AgentId
    to: str
    """A queue, an agent or a number."""
    started_utc_s: float
    duration_s: float
    outcome: TransferOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCallRecord:
    """A call that an agent's phone made by itself. `agent` None: nobody was logged in there."""

    agent: AgentId | None
    phone: PhoneId
    leg: LegId
    to: str
    kind: NumberKind
    is_allowed: bool
    started_utc_s: float
    duration_s: float


class DialKind(Enum):
    """Calls outside that no campaign makes."""

    OWN_CALL = "own_call"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDialRecord:
    """A call that the law's gate did not allow. `says`: why, for people; `until_utc_s`: when it may be asked again, if time mends it."""

    kind: DialKind
    number: str
    reason: Refusal
    says: str
    until_utc_s: float | None
    agent: AgentId | None
    phone: PhoneId | None
    interaction: InteractionId | None
    at_utc_s: float


class CallbackOutcome(Enum):
    DONE = "done"  # both talked
    GIVEN_UP = "given_up"  # tries or time are used up
    CANCELLED = "cancelled"  # by a supervisor, or the customer called again and was served
    REFUSED = "refused"  # block list


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRecord:
    """The evidence of a request to be called back, and what became of it. `call` is the one in which it was asked for."""

    interaction: InteractionId
    call: InteractionId
    queue: QueueId
    number: str
    confirmed_by: str
    """The keys that the caller typed to confirm or enter the number."""
    asked_utc_s: float
    tries: int
    outcome: CallbackOutcome
    ended_utc_s: float


class AttemptOutcome(Enum):
    """What became of an attempt to call a number."""

    ANSWERED = "answered"  # a person, who spoke with an agent, or with a flow where there is no agent
    ABANDONED = "abandoned"  # a person for whom no agent was free in time
    LEFT = "left"  # a person who hung up before that
    MACHINE = "machine"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    CONGESTION = "congestion"
    NO_SUCH_NUMBER = "no_such_number"
    CANCELLED = "cancelled"  # given up by us while it rang
    UNKNOWN = "unknown"  # the daemon or the PBX was gone meanwhile
    NOT_PLACED = "not_placed"  # nothing was dialled, or no trunk took it: it counts as no attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """An attempt is over. It settles the attempt that was stored before it was dialled, and its lead, which is dialled again at
    `again_utc_s`, or never if None. `only`: as a callback, by this agent alone; `is_callback`: as one, by anybody."""

    attempt: AttemptId
    campaign: CampaignId | None
    lead: LeadId | None
    number: str
    outcome: AttemptOutcome
    ended_utc_s: float
    again_utc_s: float | None = None
    is_callback: bool = False
    only: AgentId | None = None
    is_number_wrong: bool = False
    """Somebody else answers there: it is not called again for this lead."""
    is_refusal: bool = False
    """The person does not want what we offer."""
    cause: int | None = None
    placed_utc_s: float | None = None
    answered_utc_s: float | None = None
    trunk: TrunkId | None = None
    caller_id: str = ""
    agent: AgentId | None = None
    interaction: InteractionId | None = None
    disposition: DispositionId | None = None
    talk_s: float = 0.0
    wrap_up_s: float = 0.0
    is_success: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """What happened in a part of a campaign's abandonment account, and the rule by which it was counted (`core.dialer.account.Evidence`). A
    later one of the same campaign and beginning takes the place of an earlier one."""

    campaign: CampaignId
    from_utc_s: float
    until_utc_s: float
    connected: int
    abandoned: int
    amd_errors: int
    machines: int
    left: int
    told: int
    preset: str
    max_abandon: float
    share_of: str
    abandon_window: str
    counts_amd_errors: bool
    share: float


class RefusedWhere(Enum):
    """At which look the law's gate refused a call."""

    CLAIM = "claim"
    DIAL = "dial"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRecord:
    """The law's gate has refused so many calls in one look, for one reason. `campaign` None: an agent's own call, or a callback."""

    campaign: CampaignId | None
    reason: str
    """`core.dialer.verdict.Refusal`'s word."""
    where: RefusedWhere
    at_utc_s: float
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRecord:
    """A trunk is taken for dead, or works again."""

    trunk: TrunkId
    is_down: bool
    why: str
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """A message that a caller left: a sound file at `path` (with its ending)."""

    interaction: InteractionId
    queue: QueueId | None
    path: str
    started_utc_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRecord:
    """Something an agent marked during a call: a malicious call, a call for help, recording on demand."""

    interaction: InteractionId
    agent: AgentId
    what: str
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An act of a supervisor or operator on the live center, done or refused. `by` is who: an account, or `agent 101`."""

    by: str
    act: str
    what: str
    is_done: bool
    at_utc_s: float
    interaction: InteractionId | None = None
    agent: AgentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRecord:
    """One stretch of a supervisor's session: one call, in one mode. `number` counts from 0 within the session."""

    watch: WatchId
    number: int
    by: str
    supervisor: AgentId | None
    """None: somebody at the control socket."""
    phone: PhoneId
    agent: AgentId
    interaction: InteractionId
    mode: WatchMode
    started_utc_s: float
    duration_s: float


class MemberEnd(Enum):
    """How somebody's stay in a conference ended."""

    LEFT = "left"
    KICKED = "kicked"
    ENDED = "ended"  # with the conference
    REFUSED = "refused"  # wrong PINs, full or locked: was never in it
    LOST = "lost"  # the PBX took it
    BUSY = "busy"  # this and what follows: was invited, and never in it
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceRecord:
    """One conference with a number, from its beginning to its end. `conference` counts as an interaction does."""

    conference: InteractionId
    room: RoomId
    made_by: str
    started_utc_s: float
    duration_s: float
    members: int
    most_at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceMemberRecord:
    """Somebody's stay in it. `conference` None: they did not come in. `interaction` is the call that led there from outside."""

    conference: InteractionId | None
    room: RoomId
    leg: LegId
    agent: AgentId | None
    phone: PhoneId | None
    caller_number: str | None
    interaction: InteractionId | None
    is_moderator: bool
    joined_utc_s: float
    duration_s: float
    end: MemberEnd


class NoticeKind(Enum):
    ARRIVED = "arrived"
    QUEUED = "queued"
    RINGING = "ringing"
    ANSWERED = "answered"
    TRANSFERRED = "transferred"
    HELD_TOO_LONG = "held_too_long"
    OBJECTED = "objected"  # to being recorded
    HELP_WANTED = "help_wanted"
    MALICIOUS = "malicious"
    SUPERVISED = "supervised"  # a supervisor listens, or does more
    DIAL_REFUSED = "dial_refused"  # the law's gate did not allow a callback, or a call of an agent's phone
    EMERGENCY = "emergency"  # somebody dialled an emergency number
    MESSAGE_MISSING = "message_missing"  # an agent was to hear a message, and its file could not be played
    ENDED = "ended"
    CONFERENCE_BEGAN = "conference_began"
    CONFERENCE_JOINED = "conference_joined"
    CONFERENCE_LEFT = "conference_left"
    CONFERENCE_ENDED = "conference_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """What a CRM or a wallboard is told, as it happens: at least once, in order within an interaction.

    `number` counts from 0 within the interaction. `data` are short texts: what the IVR learned, the outcome, the reason.
    """

    interaction: InteractionId | None
    number: int
    kind: NoticeKind
    at_utc_s: float
    caller_number: str | None
    caller_name: str
    did: str
    language: Language
    queue: QueueId | None
    agent: AgentId | None
    phone: PhoneId | None
    data: Mapping[str, str]


class StepHow(Enum):
    """How a caller left a node of a flow."""

    PASSED = "passed"
    NO_INPUT = "no_input"
    INVALID = "invalid"
    FAILED = "failed"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One node that was gone through: `repeats` counts the tries at it that led to another try."""

    flow: FlowId
    node: NodeId
    how: StepHow
    repeats: int = 0


class FlowEnd(Enum):
    """How a passage through the flows ended."""

    SERVED = "served"  # what the caller came for was done, whoever hung up then
    ENDED = "ended"  # the flow ended the call without having said so: closed, or nothing to offer
    TO_PEOPLE = "to_people"  # a queue, an agent, a number, an extension, a conference, a callback, a message
    BACK = "back"  # to the agent who had sent the customer
    GAVE_UP = "gave_up"  # hung up in the middle
    LOST = "lost"  # the PBX or a fault ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRecord:
    """One passage of a caller through the flows, from where they came in to where they left. `number` counts from 0 within the
    interaction. `steps` are the nodes in order; the last one is where it ended."""

    interaction: InteractionId
    number: int
    version: str
    """`content_hash` of the settings it went by."""
    started_utc_s: float
    duration_s: float
    end: FlowEnd
    steps: tuple[FlowStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRecord:
    """One answer of a customer. `question` is the node's name. `number` counts from 0 within the interaction."""

    interaction: InteractionId
    number: int
    kind: SurveyKind
    question: str
    score: int
    queue: QueueId | None
    agent: AgentId | None
    at_utc_s: float


class DoNotCallSource(Enum):
    """How somebody told us that a number is not to be called."""

    KEYPAD = "keypad"
    DISPOSITION = "disposition"
    REQUEST = "request"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoNotCallRecord:
    """`number` (E.164) is not to be called, for `campaign` or, None, for all of them. An entry that is there already stays as it was, and
    one that somebody took off the list later does not come back by a replay. `by` is who put it there: `flow main`, `agent 101`."""

    number: str
    campaign: CampaignId | None
    source: DoNotCallSource
    at_utc_s: float
    by: str
    interaction: InteractionId | None


Record = (
    DoNotCallRecord
    | InteractionRecord
    | SegmentRecord
    | VisitRecord
    | OfferRecord
    | AgentStateRecord
    | RecordingRecord
    | RepairRecord
    | FaultRecord
    | TransferRecord
    | OwnCallRecord
    | RefusedDialRecord
    | CallbackRecord
    | MessageRecord
    | MarkRecord
    | AuditRecord
    | WatchRecord
    | NoticeRecord
    | FlowRecord
    | SurveyRecord
    | ConsentRecord
    | ObjectionRecord
    | QualityRecord
    | ConferenceRecord
    | ConferenceMemberRecord
    | DoNotCallRecord
    | AttemptRecord
    | EvidenceRecord
    | RefusalRecord
    | TrunkRecord
)

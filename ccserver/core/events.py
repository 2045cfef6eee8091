"""What the core can be told: the past tense of everything that happens outside it.

Edges append events to one inbox; nothing else reaches the core. Events may come late, twice or in another order than they
happened: the tables in `transitions` say what is ignored and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.terms import Mode
from ccserver.core.expressions import Value
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    CommandId,
    HoursId,
    InteractionId,
    LegId,
    PhoneId,
    PromptId,
    QueueId,
    ReasonId,
    RequestId,
    RoomId,
    SessionId,
    SkillId,
    TrunkId,
    WatchId,
)
from ccserver.core.records import Attestation, KeptRecording, PhoneState, Stream
from ccserver.core.settings import ConferenceSettings, NumberKind, NumberMark, Requirement, Settings, WatchMode


# --- the daemon's own life --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class CenterStarted:
    """The first input of each run of the daemon. `incarnation` rises durably at each start.

    Everything that lived in the old process (AGI sessions, commands without an answer) is over or unknown.
    `first_interaction` is a lower bound for new numbers, so that a lost journal never gives one out twice.
    """

    incarnation: int
    first_interaction: InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsLoaded:
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReached:
    """The journal's name for a call of `on_deadline`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFaulted:
    """A step about this interaction raised; its commands were dropped. None: no interaction could be named."""

    interaction: InteractionId | None
    reason: str


# --- the PBX's link and what a reading of it showed -------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """Logged in and subscribed. `uptime_s` is Asterisk's: a restart shows as a boot time that moved."""

    pbx: str
    uptime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    pbx: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """One channel as the PBX lists it."""

    leg: LegId
    channel: str
    is_up: bool
    bridge: str | None
    application: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """Somebody in a conference, as the PBX lists it."""

    leg: LegId
    channel: str
    is_moderator: bool
    is_muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    room: RoomId
    is_locked: bool
    members: tuple[MemberView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxObserved:
    """One reading of the whole PBX. `asked_at_s` is the center's monotonic time before the first question was sent: what
    happened later may or may not show."""

    pbx: str
    asked_at_s: float
    channels: tuple[ChannelView, ...]
    phones: Mapping[PhoneId, PhoneState]
    rooms: tuple[RoomView, ...] = ()


# --- legs -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted:
    """A channel that the core asked for exists (AMI Newchannel of one of our ids)."""

    leg: LegId
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRinging:
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered:
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnteredBridge:
    leg: LegId
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLeftBridge:
    leg: LegId
    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeld:
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUnheld:
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegParked:
    """The leg waits alone, in silence, until it is joined or ended (`Place.PARK`). Told again each time it comes back there."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegMeasured:
    """What RTCP knew of a leg that is about to end. `sent` and `rtt_ms` None: the telephone reports nothing."""

    leg: LegId
    codec: str
    received: Stream
    sent: Stream | None
    rtt_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDigit:
    """A key on a leg that the core listens to (`CallCenter.listens_to`), outside any AGI session: in a talk, or parked."""

    leg: LegId
    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeTold:
    """Nobody of ours was there for a callee: the dialplan tells them who called, and hangs up."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegsTransferred:
    """A phone's own attended transfer (REFER with Replaces) is done: `transferee`, who talked with `transferrer`, now talks with
    `target`, whom the phone had called by its `second` leg. Any of them may be unknown to us."""

    transferrer: LegId
    second: LegId
    transferee: LegId
    target: LegId
    target_channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStranded:
    """The far end hung up before the leg entered the bridge it is in now.

    Asterisk can lose such a hang-up while it moves the channel into the bridge: nobody is there, and the channel stays.
    """

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded:
    """The channel is gone. `cause` is Q.850; `tech_cause` is SIP's final code where Asterisk knows it, else 0."""

    leg: LegId
    cause: int
    tech_cause: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomJoined:
    """Somebody is in a conference with a number."""

    leg: LegId
    channel: str
    room: RoomId
    is_moderator: bool
    is_muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft:
    leg: LegId
    room: RoomId


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMuted:
    """By whomever: a moderator's key, or our order."""

    leg: LegId
    room: RoomId
    is_muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLocked:
    room: RoomId
    is_locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneStateChanged:
    phone: PhoneId
    state: PhoneState


# --- what became of commands ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone:
    """Asterisk accepted the action. For RingAgent: it was queued; what the phone does comes as leg events."""

    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    command: CommandId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """No answer, or the link broke in between. Never repeated; the next observation settles it."""

    command: CommandId


@dataclass(frozen=True, slots=True, kw_only=True)
class RingEnded:
    """OriginateResponse: the end of *that action* only. A failure ends the leg only if it never started.

    `is_ok`: the phone answered. `reason` is Asterisk's number (it does not tell busy from declined).
    """

    command: CommandId
    leg: LegId
    is_ok: bool
    reason: int


# --- AGI sessions -----------------------------------------------------------------------------------------------------
class Heard(Enum):
    """What AMD() took a callee for."""

    NOTHING = ""  # it was not asked
    HUMAN = "human"
    MACHINE = "machine"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallArrived:
    """A channel entered the inbound loop: a new call, or a known one that came back (same leg, new session).

    `caller_number` is E.164 where it could be read as a telephone number, else as given (bounded, printable); None means
    withheld. `number_as_given` is what Asterisk delivered. `caller_name` is printable and bounded. `heard` is of a callee
    (`Place.CALLEE`), and told again when it comes back.
    """

    session: SessionId
    leg: LegId
    channel: str
    did: str
    caller_number: str | None
    number_as_given: str
    caller_name: str
    heard: Heard = Heard.NOTHING
    attestation: Attestation = Attestation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDialled:
    """An agent's phone dialled a feature code. `digits` are what followed the `*`. `phone` is None when the channel is
    no phone that the settings know."""

    session: SessionId
    leg: LegId
    channel: str
    phone: PhoneId | None
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUpOpened:
    """The agent's leg came out of the bridge and is kept for the disposition."""

    session: SessionId
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOpened:
    """A leg of an agent (or of somebody who was called for one) asks what to do: it was sent to `Place.DESK`, or answered there
    to be asked for the key 1, or came back from a bridge that it had waited for there."""

    session: SessionId
    leg: LegId
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAsked:
    """A customer's leg that an agent's phone transferred by itself (REFER) asks where to go. `to` is as dialled, `number` E.164 or
    an internal number, `kind` what it is."""

    session: SessionId
    leg: LegId
    channel: str
    to: str
    number: str
    kind: NumberKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCallDialled:
    """A phone dialled an internal or outside number and asks whether it may. `to` is as dialled (without the outside prefix)."""

    session: SessionId
    leg: LegId
    channel: str
    phone: PhoneId | None
    to: str
    number: str
    kind: NumberKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyDialled:
    """A phone calls an emergency number; the dialplan has put it through without us."""

    leg: LegId
    phone: PhoneId | None
    to: str


class DialEnd(Enum):
    """What came of Dial() in the dialplan: its DIALSTATUS."""

    ANSWERED = "ANSWER"
    BUSY = "BUSY"
    NO_ANSWER = "NOANSWER"
    CANCELLED = "CANCEL"  # who dialled hung up while it rang
    CONGESTION = "CONGESTION"
    UNAVAILABLE = "CHANUNAVAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDialEnded:
    """A phone's own call outside is over, told by the dialplan that had dialled it. `cause`: Q.850, 0 where none is known."""

    leg: LegId
    end: DialEnd
    cause: int
    talk_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed:
    """The connection ended: we ended it, the channel went elsewhere, or it is gone. It never means "caller gone"."""

    session: SessionId


class VerbEnd(Enum):
    DONE = "done"
    DIGIT = "digit"  # a digit stopped it
    TIMEOUT = "timeout"
    SUPERSEDED = "superseded"  # a newer verb of the same session took its place
    FAILED = "failed"  # a prompt is missing, say


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEnded:
    session: SessionId
    command: CommandId
    end: VerbEnd
    digit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsCollected:
    """The end of `Collect`. `digits` has no terminator; TIMEOUT with digits: they stopped typing."""

    session: SessionId
    command: CommandId
    end: VerbEnd
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCollected:
    """The end of `CollectNumber`. `number` is E.164 or an internal number, "" when `digits` are none."""

    session: SessionId
    command: CommandId
    end: VerbEnd
    digits: str
    number: str
    kind: NumberKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecorded:
    """The end of `RecordMessage`. `duration_s` 0: nothing was said, and no file is kept."""

    session: SessionId
    command: CommandId
    end: VerbEnd
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEnded:
    session: SessionId
    command: CommandId
    end: VerbEnd
    digit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChecked:
    """The end of `CollectSecret`. The digits stay at the edge. `is_ok` None: nothing was typed in time, or (`is_failed`) it could not be
    checked. `token` stands for the digits, where it was asked for."""

    session: SessionId
    command: CommandId
    is_ok: bool | None
    is_failed: bool = False
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded:
    """The end of `RunScript`: DONE; FAILED (it raised, gave nonsense, or there is none); TIMEOUT. `result` is the word it gave."""

    session: SessionId
    command: CommandId
    end: VerbEnd
    result: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)


class LookUpEnd(Enum):
    FOUND = "found"
    MISSING = "missing"  # the answer was that there is nothing
    FAILED = "failed"  # no answer in time, an error, an answer that does not fit, or the breaker is open


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """The end of `LookUp`. `values` are those of the look-up's `gives`, each of its type, when it was FOUND."""

    command: CommandId
    end: LookUpEnd
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptKept:
    """The end of `KeepPrompt`."""

    command: CommandId
    is_ok: bool


class OpenEnd(Enum):
    """What came of `OpenRecording`."""

    OPENED = "opened"
    NONE = "none"  # there is none, or none beyond the one that was named
    DELETED = "deleted"
    SEALED = "sealed"  # with a key that is not here
    MISSING = "missing"  # it is not where it should be, or damaged
    FAILED = "failed"  # the database or the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOpened:
    """The end of `OpenRecording`. `kept`: which one, unless there is none; `agents`: who speaks in it. `path`, as Asterisk sees it and
    without its ending, and `duration_s` are of one that is OPENED."""

    command: CommandId
    end: OpenEnd
    kept: KeptRecording | None = None
    agents: tuple[AgentId, ...] = ()
    path: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMeasured:
    """The end of `MeasureMessage`. `duration_s` 0: nothing was said, and no file is kept. None: it could not be read, and may hold one.
    `ended_utc_s`: when the last of it was written; None where nobody knows."""

    command: CommandId
    duration_s: float | None
    ended_utc_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStored:
    """The end of `StoreAudit`: the entry is committed. While the database stalls it does not come."""

    command: CommandId


# --- outbound calls -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LeadsClaimed:
    """The end of `ClaimLeads`. `is_ok` False: the database did not take it; nothing is claimed. `next_utc_s`: when the next lead of those
    lists that waits is due; None: none waits. `ready`: how many of them are ready still, as far as that was counted."""

    command: CommandId
    campaign: CampaignId
    is_ok: bool
    leads: tuple[ClaimedLead, ...] = ()
    ready: int = 0
    next_utc_s: float | None = None


class StoreEnd(Enum):
    """What came of `StoreAttempt`."""

    STORED = "stored"  # committed: it may be dialled
    REFUSED = "refused"  # it may not: the number is being dialled, or the claim is over
    FAILED = "failed"  # the database


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStored:
    """The end of `StoreAttempt`. `sheet`: the facts as they are now, of one that is STORED."""

    command: CommandId
    attempt: AttemptId
    end: StoreEnd
    sheet: FactSheet | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadsAdded:
    """Leads came to a list that are to be dialled next: pushed, or woken."""

    list: str


class CampaignAct(Enum):
    START = "start"
    PAUSE = "pause"  # nothing new is dialled; what rings goes on
    DRAIN = "drain"  # the leads that are claimed already are dialled, and then it stops
    STOP = "stop"  # as PAUSE, and the claimed leads are given back
    MODE = "mode"  # go on in another mode


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequested:
    """`mode` is for MODE: None goes back to that of the settings."""

    request: RequestId
    campaign: CampaignId
    act: CampaignAct
    mode: Mode | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedialRequested:
    """Let a trunk that was taken for dead be tried again at once."""

    request: RequestId
    trunk: TrunkId
    by: str = ""


# --- what people ask for through the control socket -------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequested:
    request: RequestId
    agent: AgentId
    phone: PhoneId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequested:
    request: RequestId
    agent: AgentId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    request: RequestId
    agent: AgentId
    reason: ReasonId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpauseRequested:
    request: RequestId
    agent: AgentId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpRequested:
    request: RequestId
    interaction: InteractionId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAgentRequested:
    """To another phone, at once where the agent is free, else after the present work."""

    request: RequestId
    agent: AgentId
    phone: PhoneId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillRequested:
    """Gives an agent a skill at a level, until the next log-out; 0 takes it away; None: back to the settings."""

    request: RequestId
    agent: AgentId
    skill: SkillId
    level: int | None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityRequested:
    request: RequestId
    interaction: InteractionId
    priority: int
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCallRequested:
    """A waiting interaction to another queue; it keeps its waiting time."""

    request: RequestId
    interaction: InteractionId
    queue: QueueId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickRequested:
    """A waiting interaction for one agent, before everything else, whatever its requirements."""

    request: RequestId
    interaction: InteractionId
    agent: AgentId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseQueueRequested:
    """Emergency close: nobody enters until it is opened again; who waits hears `prompt` and is released."""

    request: RequestId
    queue: QueueId
    prompt: PromptId | None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQueueRequested:
    request: RequestId
    queue: QueueId
    by: str = ""


class RecordingAct(Enum):
    """What is asked of the recording of a talk that goes on."""

    RECORD = "record"  # on demand
    PAUSE = "pause"
    RESUME = "resume"
    OBJECT = "object"  # the customer does not want it


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRequested:
    """For everybody's part in the talk."""

    request: RequestId
    interaction: InteractionId
    act: RecordingAct
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseHoursRequested:
    """An exceptional closing: opening hours are closed until `until_utc_s` (None: until they are opened by hand), for everything that
    goes by them but shifts."""

    request: RequestId
    hours: HoursId
    until_utc_s: float | None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHoursRequested:
    """Ends an exceptional closing."""

    request: RequestId
    hours: HoursId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNumberRequested:
    """Puts a number on the block list or the VIP list; None takes it off both."""

    request: RequestId
    number: str
    mark: NumberMark | None
    note: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetNumberRequested:
    """A person is to be erased: nothing that is live may remember the number any more."""

    request: RequestId
    number: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCallbackRequested:
    request: RequestId
    interaction: InteractionId
    by: str = ""


# --- supervision --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequested:
    """Ring `phone`, and let whoever answers hear the talks of `agent`, or the next call of `queue`: one of the two is given."""

    request: RequestId
    phone: PhoneId
    mode: WatchMode
    agent: AgentId | None = None
    queue: QueueId | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchModeRequested:
    request: RequestId
    watch: WatchId
    mode: WatchMode
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStopRequested:
    request: RequestId
    watch: WatchId
    by: str = ""


# --- conferences with a number ------------------------------------------------------------------------------------------
class ConferenceAct(Enum):
    MUTE = "mute"
    UNMUTE = "unmute"
    KICK = "kick"
    LOCK = "lock"
    UNLOCK = "unlock"
    RECORD = "record"
    STOP_RECORDING = "stop_recording"
    ANNOUNCE = "announce"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceRequested:
    """An act on a conference with a number. `member` is their number in it (None: everybody), `prompt` what is announced."""

    request: RequestId
    room: RoomId
    act: ConferenceAct
    member: int | None = None
    prompt: PromptId | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRequested:
    """Somebody is to be called into a conference with a number. `who` as it was given: an agent, a phone, or a number; `number` and `kind`:
    what the edge read in it."""

    request: RequestId
    room: RoomId
    who: str
    number: str
    kind: NumberKind
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceCreated:
    """A room that is in no settings: it lives until everybody has left it, or it is ended."""

    request: RequestId
    room: RoomId
    config: ConferenceSettings
    by: str = ""


# --- work without a line: e-mail, chat, tasks -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRequested:
    """An interaction of a kind that has no legs. `subject` is shown to the agent."""

    request: RequestId
    kind: str
    queue: QueueId
    subject: str
    requires: Requirement
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAccepted:
    """The agent takes, or refuses, the work that is offered."""

    request: RequestId
    agent: AgentId
    interaction: InteractionId
    is_taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFinished:
    request: RequestId
    agent: AgentId
    interaction: InteractionId


Event = (
    CenterStarted
    | SettingsLoaded
    | DeadlineReached
    | InteractionFaulted
    | LinkUp
    | LinkLost
    | PbxObserved
    | LegStarted
    | LegRinging
    | LegAnswered
    | LegEnteredBridge
    | LegLeftBridge
    | LegHeld
    | LegUnheld
    | LegParked
    | LegMeasured
    | LegDigit
    | CalleeTold
    | LegsTransferred
    | LegStranded
    | LegEnded
    | PhoneStateChanged
    | CommandDone
    | CommandFailed
    | OutcomeUnknown
    | RingEnded
    | CallArrived
    | FeatureDialled
    | WrapUpOpened
    | DeskOpened
    | TransferAsked
    | OwnCallDialled
    | EmergencyDialled
    | OwnDialEnded
    | SessionClosed
    | PromptEnded
    | DigitsCollected
    | NumberCollected
    | MessageRecorded
    | WaitEnded
    | SecretChecked
    | ScriptEnded
    | LookedUp
    | PromptKept
    | RecordingOpened
    | MessageMeasured
    | AuditStored
    | LoginRequested
    | LogoutRequested
    | PauseRequested
    | UnpauseRequested
    | HangUpRequested
    | MoveAgentRequested
    | SkillRequested
    | PriorityRequested
    | MoveCallRequested
    | PickRequested
    | CloseQueueRequested
    | OpenQueueRequested
    | RecordingRequested
    | CloseHoursRequested
    | OpenHoursRequested
    | MarkNumberRequested
    | ForgetNumberRequested
    | CancelCallbackRequested
    | WatchRequested
    | WatchModeRequested
    | WatchStopRequested
    | RoomJoined
    | RoomLeft
    | RoomMuted
    | RoomLocked
    | ConferenceRequested
    | ConferenceCreated
    | InvitationRequested
    | LeadsClaimed
    | AttemptStored
    | LeadsAdded
    | CampaignRequested
    | RedialRequested
    | WorkRequested
    | WorkAccepted
    | WorkFinished
)

"""What the core answers: things to do, in order. The driver performs them after the step and reports what became of them.

A command's id is (sequence number of the input, index in the list), so it is the same in every replay. Verbs of one
AGI session, and actions on one leg, are performed in order.

Ends: a verb (`Say`, `Collect`, `CollectNumber`, `CollectSecret`, `RecordMessage`, `RunScript`, `WaitUntil`) ends in its own event;
`LookUp` ends in LookedUp, `KeepPrompt` in PromptKept, `OpenRecording` in RecordingOpened,
`MeasureMessage` in MessageMeasured, `StoreAudit` in AuditStored, `ClaimLeads` in LeadsClaimed, `StoreAttempt` in AttemptStored;
`AnswerCall`, `RingAgent`, `DialOut`, `RingSupervisor`, `JoinLeg`, `SpyLeg`, `RedirectLegs` and `HangUpLeg` end in CommandDone,
CommandFailed or OutcomeUnknown (those that ring later also in RingEnded); `EndSession` ends in SessionClosed; `CloseRecording`,
`ControlRecording`, `ControlRoom`, `SpeakInTalk`, `SetLamp`, `GiveBackLeads`, `Store` and `Reply` have no end. `AwaitSilence` is a verb
that ends as `Say` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.dialer.facts import FactSheet
from ccserver.core.expressions import Value
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    InteractionId,
    Language,
    LeadId,
    LegId,
    LookUpId,
    PhoneId,
    PromptId,
    QueueId,
    RequestId,
    RoomId,
    SessionId,
    TrunkId,
)
from ccserver.core.records import AuditRecord, KeptRecording, Record, RecordingSide
from ccserver.core.settings import Spoken


# --- verbs of an AGI session: each has an end -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCall:
    """`Answer(0,i)`: pick up at once, without waiting for audio."""

    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Speak. A digit out of `stop_digits` ends it early (PromptEnded DIGIT) and stays typed ahead: it may be the answer to the
    next question, of a caller who knows the way. Music, if it was on, is on again afterwards
    only by the next WaitUntil."""

    session: SessionId
    say: tuple[Spoken, ...]
    language: Language
    stop_digits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Speak, then collect digits: up to `max_digits`, ended by `terminator` ("" for none), `first_timeout_s` for the first and
    `next_timeout_s` between two. With `can_interrupt` the first digit stops the speech. `complete` are inputs that need
    no further digit (a menu's choices, where no other choice begins with them). Digits typed ahead count."""

    session: SessionId
    say: tuple[Spoken, ...]
    language: Language
    max_digits: int
    first_timeout_s: float
    next_timeout_s: float
    terminator: str = "#"
    can_interrupt: bool = True
    complete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectNumber:
    """Like `Collect`, ended by #, and the edge says what number it is (NumberCollected)."""

    session: SessionId
    say: tuple[Spoken, ...]
    language: Language
    first_timeout_s: float
    next_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMessage:
    """Speak, beep, record into `path` (with its ending) until `stop_digits`, `silence_s` of silence or `max_s`."""

    session: SessionId
    say: tuple[Spoken, ...]
    language: Language
    path: str
    max_s: float
    silence_s: float
    stop_digits: str = "#*0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCheck:
    """See `settings.SecretRule`; here with the values of the parameters."""

    look_up: LookUpId
    parameters: Mapping[str, Value]
    hash_field: str = ""
    token_field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSecret:
    """Collect digits and check them at the edge, on a thread: they reach no event, journal or log. They are the PIN of `agent`, or
    of `room`, or what `check` says: one of the three is given."""

    session: SessionId
    agent: AgentId | None = None
    say: tuple[Spoken, ...]
    language: Language
    timeout_s: float
    check: SecretCheck | None = None
    room: RoomId | None = None
    """Of a conference: its PIN, or its moderators'; the token says which."""
    max_digits: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScript:
    """Let a Python function of the administrator's folder (`module.function`) speak with the channel, for `time_limit_s` at most.
    `facts` are what is known of the call: its number, the DID, the caller's number and name."""

    session: SessionId
    script: str
    parameters: Mapping[str, Value]
    language: Language
    time_limit_s: float
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Music until a digit out of `stop_digits`, the time-out (None: none) or a newer verb of the session, which takes its place
    within a second."""

    session: SessionId
    music: str
    timeout_s: float | None = None
    stop_digits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSilence:
    """Wait until nothing was heard of them for `silence_s`, as after the beep of a voicemail (PromptEnded DONE), or for `timeout_s`
    (TIMEOUT). A newer verb takes its place within `silence_s` and a second or two."""

    session: SessionId
    silence_s: float
    timeout_s: float


class Next(Enum):
    """What the dialplan does when the session is over."""

    HANG_UP = "bye"
    EXTENSION = "goto"
    PARK = "park"  # of an agent's leg: it waits to be joined, see LegParked
    DIAL = "dial"  # of a phone's own call: it may
    ROOM = "room"  # into a conference


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntry:
    """How somebody goes into a conference: what the dialplan tells ConfBridge."""

    room: RoomId
    is_moderator: bool
    waits: bool
    ends_with_moderator: bool
    max_members: int
    has_tone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """Sets CC_NEXT and closes. `extension` is for Next.EXTENSION: dialled in the site's overflow context; and for Next.DIAL: the
    phone to dial, where it is not the one whose number was dialled. `shown` is the number that a call outside shows; "": whatever the
    phone shows. `cause` is the Q.850 cause for the hang-up of a call that was never answered (17 busy, 21 rejected…)."""

    session: SessionId
    next: Next
    extension: str = ""
    cause: int = 16
    shown: str = ""
    entry: RoomEntry | None = None
    """For Next.ROOM."""


# --- actions on legs --------------------------------------------------------------------------------------------------
class Place(Enum):
    """Where a leg goes on in the dialplan."""

    JOIN = "ring"  # it is joined with the caller that was named, at once
    PARK = "park"  # waits alone: LegParked
    DESK = "desk"  # an AGI session for an agent: DeskOpened
    LOOP = "loop"  # an AGI session for a customer: CallArrived
    CALLEE = "callee"  # an AGI session for somebody whom a campaign calls: CallArrived
    CONFERENCE = "conference"  # of the room that was named


@dataclass(frozen=True, slots=True, kw_only=True)
class RingAgent:
    """Originate to the agent's phone. On answer the leg goes to `place`: JOIN (Asterisk itself joins agent and caller), PARK (several
    phones ring, and the core joins one) or DESK (an external phone: the person is asked for the key 1, so that no voicemail answers).
    `caller` is None, and `caller_channel` "", for a customer who is dialled only when the agent waits.

    `number` (None: withheld) and `name` are shown on the phone: printable, bounded. `recording` is a path without ending, or
    "" for none.
    """

    leg: LegId
    interaction: InteractionId
    agent: AgentId
    phone: PhoneId
    queue: QueueId
    caller: LegId | None
    caller_channel: str
    number: str | None
    name: str
    ring_timeout_s: float
    max_talk_s: float
    recording: str
    auto_answer: bool
    place: Place = Place.JOIN


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOut:
    """Originate to somebody who is no agent of ours: the target of a transfer, a customer who is called back, or by a campaign.

    `to` is what Asterisk dials (`PJSIP/1009`, `PJSIP/+34911234567@carrier`). With `Place.JOIN` the fields from `caller_channel` on
    say with whom; with `Place.LOOP` the leg arrives as a customer's (CallArrived, with this leg).

    With `Place.CALLEE` it arrives so too, and those from `amd` on are used: the arguments of AMD(), "" for none; and the prompt
    that says who called, for the dialplan to play where nobody of ours is there. Without that nobody is called.
    """

    leg: LegId
    interaction: InteractionId
    to: PhoneId
    number: str | None
    name: str
    ring_timeout_s: float
    place: Place
    caller_channel: str = ""
    recording: str = ""
    max_talk_s: float = 0.0
    amd: str = ""
    fallback: PromptId | None = None
    language: Language | None = None
    sound: str = ""
    """The file of `fallback`, without ending: the edge finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLeg:
    """Joins a leg of an agent that is parked, in a talk or at the desk with a caller, as RingAgent does on answer.

    `is_kept`: it parks again after the talk (a headset); else it is asked for the disposition, as after any other call.
    """

    leg: LegId
    channel: str
    caller: LegId
    caller_channel: str
    recording: str
    max_talk_s: float
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """`room` is the conference's name, for Place.CONFERENCE; `recording` the path without ending of what the leg says there, "" for none,
    and `side` whose side of the recording that is."""

    leg: LegId
    channel: str
    place: Place
    room: str = ""
    recording: str = ""
    side: RecordingSide = RecordingSide.AGENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectLegs:
    """Sends one leg, or both legs of a talk in one stroke, to other places."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpLeg:
    leg: LegId
    cause: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSupervisor:
    """Originate to the phone of somebody who wants to hear a talk. On answer the leg parks: LegParked. `name` is shown on the phone."""

    leg: LegId
    phone: PhoneId
    name: str
    ring_timeout_s: float


class Ears(Enum):
    """Who hears what is said into a talk."""

    NOBODY = "nobody"
    AGENT = "agent"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpyLeg:
    """A supervisor's leg hears the talk of an agent's leg, and is heard by `ears`. When the agent's leg ends it parks.

    `recording` is the path, without ending, of what the supervisor says, or "" for none.
    """

    leg: LegId
    channel: str
    target: LegId
    target_channel: str
    ears: Ears
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakInTalk:
    """Say a prompt to the agent of a leg, or to everybody in its talk. `sound` is the file that an edge found for it, without ending."""

    leg: LegId
    channel: str
    ears: Ears
    prompt: PromptId
    language: Language
    sound: str = ""


class RecordingStep(Enum):
    START = "start"
    PAUSE = "pause"  # silence is written: the length stays right
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRecording:
    """Of one leg. For START `recording` is the path without ending, and `side` what is recorded: of an agent's leg in a talk of two both
    sides, in a conference of each leg what it says."""

    leg: LegId
    channel: str
    what: RecordingStep
    recording: str = ""
    side: RecordingSide = RecordingSide.BOTH


class RoomStep(Enum):
    MUTE = "mute"  # one member
    UNMUTE = "unmute"
    KICK = "kick"  # one member, or everybody
    LOCK = "lock"  # only moderators come in
    UNLOCK = "unlock"
    RECORD = "record"
    STOP_RECORDING = "stop_recording"
    ANNOUNCE = "announce"  # everybody hears it


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRoom:
    """Of a conference with a number. `channel` is the member's, "" for everybody. `recording` is a path without ending, `say` and
    `digits` what is announced. What became of it is told by the room's own events."""

    room: RoomId
    what: RoomStep
    channel: str = ""
    recording: str = ""
    say: PromptId | None = None
    digits: str = ""
    language: Language | None = None
    sound: str = ""
    """The file of `say`, without ending: the edge finds it."""


class LampState(Enum):
    OFF = "off"
    LIT = "lit"
    BLINKING = "blinking"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLamp:
    """`lamp` is `agent-101` or `queue-sales`: the part after `Custom:cc-` of the device that a phone's key watches."""

    lamp: str
    state: LampState


# --- what is asked of the world outside -------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Ask an outside system, for an interaction. Ends within the look-up's `longest_s`."""

    interaction: InteractionId
    look_up: LookUpId
    parameters: Mapping[str, Value]
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPrompt:
    """Make the recording at `path` (as Asterisk sees it) the prompt, in place of what was said before."""

    path: str
    prompt: PromptId
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureMessage:
    """Say how long the message at `path` (as Asterisk sees it) became, whose recording is over. One in which nothing was said is deleted.
    Asked again, the answer is the same."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecording:
    """Lay a recording of the talks of `agent` ready where Asterisk can read it: the newest one, or the one next to `beside`, on the side
    of those that are newer or older. What is there is told by RecordingOpened; it stays there until CloseRecording."""

    agent: AgentId
    beside: KeptRecording | None = None
    is_newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRecording:
    """Remove what was laid ready at `path`."""

    path: str


# --- outbound calls -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLeads:
    """Claim the next leads of these lists (by name; those that are not there have none), `hold_s` long. `sheet` is what the center itself
    knows of such calls; the rest of it is filled in for each number."""

    campaign: CampaignId
    lists: tuple[str, ...]
    count: int
    hold_s: float
    sheet: FactSheet


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBackLeads:
    """Nothing is dialled under these claims any more. The leads are ready, or wait `until_utc_s`, or (`is_over`) are never dialled."""

    campaign: CampaignId
    leads: tuple[tuple[LeadId, str], ...]
    """Each with the token of its claim."""
    until_utc_s: float | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAttempt:
    """Put an attempt on record before it is dialled, and read the facts of its number anew: `sheet` is filled in like one of a claim.
    Stored again under the same id it is not stored twice. `campaign` None: a callback, or a call of an agent's own, who waits for it."""

    attempt: AttemptId
    number: str
    sheet: FactSheet
    asked_by: str
    caller_id: str
    trunk: TrunkId | None
    campaign: CampaignId | None
    lead: LeadId | None = None
    token: str = ""
    """Of the lead's claim."""


# --- what is told -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Keep a fact for history, exactly once."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAudit:
    """Keep an entry of the audit log, and say when it is committed: nothing that it tells is done before."""

    record: AuditRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one request. A refusal's text says why, and is part of the interface."""

    request: RequestId
    is_ok: bool
    text: str


Command = (
    AnswerCall
    | Say
    | Collect
    | CollectNumber
    | CollectSecret
    | RecordMessage
    | RunScript
    | WaitUntil
    | AwaitSilence
    | EndSession
    | LookUp
    | KeepPrompt
    | OpenRecording
    | CloseRecording
    | MeasureMessage
    | RingAgent
    | DialOut
    | RingSupervisor
    | JoinLeg
    | SpyLeg
    | SpeakInTalk
    | RedirectLegs
    | HangUpLeg
    | ControlRecording
    | ControlRoom
    | SetLamp
    | ClaimLeads
    | GiveBackLeads
    | StoreAttempt
    | Store
    | StoreAudit
    | Reply
)

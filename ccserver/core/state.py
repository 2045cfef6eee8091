"""The state of the whole center: tables of frozen records, and one step's way of changing them.

A step either happens or does not: every change is noted with the value it replaced, and a step that raises is undone.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from ccserver.core.change import replace
from ccserver.core.commands import LampState
from ccserver.core.dialer.campaign_state import Attempt, Campaign, Candidate, TimesShown, TrunkState
from ccserver.core.expressions import Value
from ccserver.core.ids import (
    AgentId,
    AttemptId,
    CampaignId,
    CommandId,
    DispositionId,
    FlowId,
    HoursId,
    InteractionId,
    Language,
    LegId,
    NodeId,
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
from ccserver.core.moment import Moment
from ccserver.core.records import (
    Attestation,
    CallbackOutcome,
    ConsentKind,
    EndedBy,
    FlowStep,
    KeptRecording,
    MemberEnd,
    OfferOutcome,
    Outcome,
    PhoneState,
    ShownState,
    TransferKind,
    VisitOutcome,
)
from ccserver.core.settings import (
    EVERYBODY,
    ConferenceSettings,
    Exit,
    NumberKind,
    NumberMark,
    Requirement,
    Settings,
    WatchMode,
    WorkMode,
)
from ccserver.core.transitions import InteractionState, LegState, Phase

K = TypeVar("K")
V = TypeVar("V")

VOICE = "voice"
CONSULT = "consult"
"""A consultation: the agent's leg is the caller, the interaction that it is about is the parent."""
CALLBACK = "callback"
"""Has no leg until an agent is reserved and the customer is dialled."""
MESSAGE = "message"
"""What a caller has left: it never has a customer's leg, and an agent hears it at the desk."""
OUTBOUND = "outbound"
"""Somebody whom a campaign calls. Where an agent is there first it has no leg until the callee is dialled."""
ON_THE_LINE = frozenset({VOICE, CONSULT, CALLBACK, MESSAGE, OUTBOUND})
"""The kinds that take the agent's ear: they share the capacity of voice."""
HAVE_TIME = frozenset({CALLBACK, MESSAGE})
"""Those of them for which nobody waits on a line."""


def counted_as(kind: str) -> str:
    """The kind whose capacity an interaction of `kind` takes."""
    return VOICE if kind in ON_THE_LINE else kind


# --- legs and sessions ------------------------------------------------------------------------------------------------
class Role(Enum):
    CALLER = "caller"
    AGENT = "agent"
    FEATURE = "feature"
    HEADSET = "headset"  # an agent's line that stays connected
    GUEST = "guest"  # somebody outside the center: the target of a transfer
    OWN = "own"  # a phone's own call
    SUPERVISOR = "supervisor"  # hears an agent's talk
    CALLEE = "callee"  # somebody whom a campaign calls, until they have come to us
    ROOM = "room"  # a caller who went into a conference with a number: no interaction of ours any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One channel that concerns us. `session` is its newest AGI session, while that is open."""

    id: LegId
    role: Role
    state: LegState
    channel: str = ""
    interaction: InteractionId | None = None
    agent: AgentId | None = None
    phone: PhoneId | None = None
    session: SessionId | None = None
    bridge: str | None = None
    is_cancelled: bool = False
    """We asked for its end."""
    is_dial_over: bool = False
    """The action that was to make it has failed; unless its end is told soon, there never was a channel."""
    heard_s: float = 0.0
    """When an event last spoke of it: an observation that was asked for earlier says nothing about it."""
    unseen: int = 0
    """Observations in a row that did not show it."""
    doubt: str | None = None
    """The bridge that the last observation showed instead of ours; "" for none at all."""
    is_parked: bool = False
    pulled_s: float | None = None
    """When it was ordered out of one talk into another: until that is long ago, news of the first may still come."""
    keys: str = ""
    """Typed on it outside any session, as far as they may begin one of `CallKeys`."""
    keyed_s: float = 0.0
    """Monotonic; when the last of them was typed."""
    attempt: AttemptId | None = None
    """Of a CALLEE: the call that it is."""


class Dialogue(Enum):
    """What a session is about, so that the end of a verb finds its meaning."""

    CALLER = "caller"
    WRAP_UP = "wrap_up"
    LOGIN_AGENT = "login_agent"
    LOGIN_PIN = "login_pin"
    REASON = "reason"
    LAST_WORDS = "last_words"  # one prompt, then the session ends
    HEADSET_AGENT = "headset_agent"  # log-in of a headset
    HEADSET_PIN = "headset_pin"
    NOTICE = "notice"  # to a headset, before the customer
    CODE = "code"  # a feature code on a headset's line
    OFFICE_AGENT = "office_agent"  # a supervisor's number, for what only supervisors do
    OFFICE_PIN = "office_pin"
    OFFICE_CODE = "office_code"  # of the opening hours, or of the prompt
    OFFICE_CHANGE = "office_change"  # the key that closes the hours, or opens them again
    OFFICE_RECORD = "office_record"  # a prompt is being recorded
    OFFICE_REVIEW = "office_review"  # it is played back, and kept or not
    ROOM_NUMBER = "room_number"  # of the conference somebody dials into
    ROOM_PIN = "room_pin"
    ROOM_ENTER = "room_enter"  # what is said before they are in it
    ACCEPT = "accept"  # the key by which an agent at an outside number takes the call
    DESK = "desk"  # an agent's leg that was sent to the desk: what is asked of it depends on what it is there for
    MESSAGE = "message"  # an agent at the desk hears what a caller has left
    WATCHER = "watcher"  # the number of a supervisor, who is logged in elsewhere
    WATCHER_PIN = "watcher_pin"
    WATCHED = "watched"  # the number of the agent, or of the queue
    WATCH_ASKED = "watch_asked"  # the session is being put on record
    WATCH = "watch"  # a supervisor at the desk is told something
    TAPE = "tape"  # a supervisor hears recordings
    BEEP = "beep"  # an answering machine is waited for
    MACHINE = "machine"  # an answering machine is spoken to
    PREVIEW = "preview"  # an agent hears who is to be called
    APPOINTMENT = "appointment"  # an agent enters when somebody wants to be called again


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that is being recorded: its caller may be gone before its length is told, so what is known of them is kept here.

    `only`: for this agent alone. `next`: the node with which the caller's flow goes on.
    """

    interaction: InteractionId
    queue: QueueId | None
    path: str
    left_by: "Interaction | None" = None
    only: AgentId | None = None
    next: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """A message whose session was over before its end was told: Asterisk goes on with the recording until the caller is done.

    `leg` is the caller's. `command`: asks how long it became.
    """

    message: Message
    leg: LegId
    command: CommandId | None = None


class OfficeErrand(Enum):
    """What a supervisor dials in for."""

    CLOSE_HOURS = "close_hours"
    RECORD_PROMPT = "record_prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """`code` is what was typed with the feature code, or asked for later. `path` is the recording that is being reviewed, `keeping` the
    command that makes it a prompt."""

    errand: OfficeErrand
    code: str = ""
    path: str = ""
    keeping: CommandId | None = None
    reviews: int = 0
    """How often it was recorded or heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a supervisor has dialled in for. `code` is the number of the agent, or of the queue, as far as it was typed. Without a `mode`
    it is recordings."""

    mode: WatchMode | None
    is_queue: bool = False
    code: str = ""


class TapeStage(Enum):
    """What a supervisor who hears recordings is at."""

    OPENING = "opening"
    ASKED = "asked"  # it is being put on record
    TITLE = "title"  # which call it is
    PLAYED = "played"
    TOLD = "told"  # why nothing else is played: then the present one goes on
    KEY = "key"  # what is to be heard now?


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is laid ready, and is on record."""

    kept: KeptRecording
    agents: tuple[AgentId, ...]
    path: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """The recordings of `agent`, as a supervisor goes through them. `at` is where they are, also where nothing could be opened.

    `awaits` is the command of OPENING or ASKED. `from_s` is where in `opened` the sound goes on, `since` when that began; `heard_s` is
    what was heard of it before.
    """

    agent: AgentId
    stage: TapeStage = TapeStage.OPENING
    awaits: CommandId | None = None
    at: KeptRecording | None = None
    opened: Opened | None = None
    from_s: float = 0.0
    since: Moment | None = None
    heard_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An agent enters a time. `code` is that of the disposition which means it; `at_utc_s` what was typed, until it is confirmed."""

    code: str
    at_utc_s: float | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Somebody is at the door of a conference."""

    room: RoomId
    tries: int = 0
    is_moderator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`verb` is the newest verb; ends of older ones are late and mean nothing."""

    id: SessionId
    leg: LegId
    dialogue: Dialogue
    verb: CommandId | None = None
    agent: AgentId | None = None
    is_ending: bool = False
    is_left: bool = False
    """Its leg was sent elsewhere, out of it: the end of the connection is about to be told."""
    unseen: int = 0
    silences: int = 0
    """How often the music for a customer on hold could not be played in it."""
    message: Message | None = None
    office: "Office | None" = None
    wish: Wish | None = None
    tape: Tape | None = None
    door: "Door | None" = None
    appointment: Appointment | None = None


SILENCES_MAX = 3
"""How often music that cannot be played is begun in one session."""


# --- interactions -----------------------------------------------------------------------------------------------------
class AfterKind(Enum):
    NODE = "node"  # go on with a node of the flow
    EXIT = "exit"  # leave the queue as an Exit says
    LEAVE = "leave"  # hang up
    EXTENSION = "extension"  # hand over to the dialplan
    KEEP_WAITING = "keep_waiting"
    CONFERENCE = "conference"  # go into the conference
    CALLBACK = "callback"  # the caller is asked for the number to be called back at
    MESSAGE = "message"  # the caller leaves a message
    OPT_OUT = "opt_out"  # who was called and found no agent hears who called; `target` is the key against further calls


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What comes when the prompt that is being said has ended."""

    kind: AfterKind
    target: str = ""
    """A node or an extension; for CALLBACK the number to confirm, for MESSAGE the file."""
    exit: Exit | None = None
    """For MESSAGE the one that led to it; its target is the agent for whom alone the message is."""
    keys: str = ""
    """For CALLBACK: what was typed so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One agent's phone is being called for one interaction.

    `waits`: the leg does not join by itself on answer, but parks for the core to join it (`Interaction.joining`). `ends_as`: it is
    over but for its leg, which is still on its way out, or back to where it is parked.
    """

    number: int
    agent: AgentId
    phone: PhoneId
    leg: LegId | None
    """None: the work has no line, and the agent takes it on the screen."""
    queue: QueueId
    since: Moment
    why: str
    recording: str
    waits: bool = False
    ends_as: OfferOutcome | None = None
    parting: PromptId | None = None
    """What its agent hears before the leg ends: why nobody was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A stay in a queue that has not ended. `rank` 0 goes before 1: a caller whose agent was lost is served first."""

    number: int
    queue: QueueId
    entered: Moment
    waiting_since_s: float
    """Monotonic; earlier than `entered` when the waiting time of an earlier visit counts."""
    rank: int
    requires: Requirement
    """The queue's and the interaction's own, at the present stage."""
    stage: int = 0
    """How many of the queue's relaxations have opened."""
    tiers: int = 0
    """How many of the queue's tiers have opened."""
    priority: int = 0
    only: AgentId | None = None
    """Nobody else may take it: a direct call, or the preferred agent for as long as `only_until_s`."""
    only_until_s: float | None = None
    """None: for as long as it waits."""
    is_opened: bool = False
    """Whether its preferred agent, relaxations and tiers were looked at when it began."""
    announced_wait_s: float | None = None
    told_s: float | None = None
    """When something was last announced, or could have been (monotonic)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """`leg` is the agent's; None for work without a line."""

    agent: AgentId
    leg: LegId | None
    queue: QueueId
    since: Moment
    recording: str
    recorded_since: Moment | None = None
    """When the recording began, if not with the talk."""
    paused_since: Moment | None = None
    """Since when the recording is paused: silence is written."""
    pauses: tuple[tuple[float, float], ...] = ()
    """Of the stretch that is being recorded: from and to, in seconds from its beginning."""
    is_recorded: bool = False
    """It was before the customer was put on hold, or was asked for meanwhile, and will be when the two are together again."""
    is_apart: bool = False
    """In a conference each leg is recorded by itself: here what the agent says, and no more."""
    is_released: bool = False
    """The agent let the customer go."""
    counted_from_s: float | None = None
    """Monotonic; from when on it counts as the customer's talking time, if not from `since`."""
    held_since: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody outside the center who is called for the customer, or talks with them. `since`: the call, or the talk."""

    leg: LegId
    number: str
    since: Moment
    counted_from_s: float | None = None
    """Monotonic; from when on it counts as the customer's talking time, if not from `since`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What somebody who is no agent says in a conference, while that is recorded: the customer, or a guest."""

    leg: LegId
    recording: str
    since: Moment
    paused_since: Moment | None = None
    pauses: tuple[tuple[float, float], ...] = ()


class HandoverStage(Enum):
    """How far the agent who talks (or talked) with the customer is with handing them on.

    | stage      | interaction          | the agent's part | what must come                                                    |
    |------------|----------------------|------------------|-------------------------------------------------------------------|
    | ASKING     | HELD                 | kept             | the number, or nothing, typed at the desk                         |
    | TELLING    | HELD                 | kept             | the end of a prompt at the desk                                   |
    | CONSULTING | HELD                 | kept             | the child's end, or a key                                         |
    | BACK       | HELD                 | kept, or the colleague's | both in one bridge                                        |
    | ERRAND     | MENU                 | kept             | the flow's end                                                    |
    | MEETING    | HELD                 | kept             | three in one room                                                 |
    | DIALLING   | HELD                 | over             | the guest in one bridge with the customer                         |
    | PLACED     | WAITING, OFFERED     | over             | an answer, in the queue or by the agent it was meant for          |
    | RETURNED   | WAITING, OFFERED     | over             | the transferrer's answer                                          |

    From a conference in which others talk with the customer (TALKING, see `Interaction.stepped_out`) the agent goes through ASKING, TELLING
    and CONSULTING alone; BACK is the way into the room without somebody new, MEETING the way with them.
    """

    ASKING = "asking"
    TELLING = "telling"
    CONSULTING = "consulting"
    BACK = "back"
    ERRAND = "errand"
    MEETING = "meeting"
    DIALLING = "dialling"
    PLACED = "placed"
    RETURNED = "returned"


ON_THE_WAY_IN = frozenset({HandoverStage.BACK, HandoverStage.MEETING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """An interaction on its way from one agent to somebody else, or out of the talk for a while. See `HandoverStage`."""

    stage: HandoverStage
    kind: TransferKind | None
    """None: an errand."""
    agent: AgentId
    """Who hands it on."""
    queue: QueueId
    """Where the customer goes when nobody has them."""
    since: Moment
    to: str = ""
    """A queue, an agent or a number; empty until it is known."""
    only: AgentId | None = None
    """It was meant for this agent alone."""
    child: InteractionId | None = None
    """The consultation."""
    say: PromptId | None = None
    """What the agent is told before they are back with the customer."""
    step: int = 0
    """Of MEETING: how many of the moves into the room were ordered."""
    flow: FlowId | None = None
    node: NodeId | None = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    frames: "tuple[Frame, ...]" = ()
    """Of ERRAND: where the customer was before, and what was known there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """One agent's wrap-up of an interaction: several may wrap up what they handed on."""

    agent: AgentId
    queue: QueueId | None
    since: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class SoleAttempt:
    """A call outside that no campaign makes, from when the law's gate is asked until its end is on record."""

    id: AttemptId
    number: str
    storing: CommandId | None = None
    """It is being put on record, and what is known of the number is read: nothing is dialled yet."""
    trunk: TrunkId | None = None
    placed_utc_s: float | None = None
    answered_utc_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest:
    """What makes an interaction of kind `callback`. `call` is the one in which it was asked for, `confirmed_by` the keys typed."""

    call: InteractionId
    number: str
    confirmed_by: str
    asked: Moment
    tries: int = 0
    is_resting: bool = False
    """Not to be offered now: tried a while ago, outside the hours, or its customer's leg lives."""
    is_reached: bool = False
    """The customer has answered: from now on it is like any other call."""
    outcome: CallbackOutcome | None = None
    """Known before its legs are over."""
    attempt: SoleAttempt | None = None
    """While an agent waits for the law's gate, and while the customer is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """What makes an interaction of kind `outbound`. Where an agent is there first, `candidate` is who is dialled as soon as that agent
    waits."""

    campaign: CampaignId
    candidate: Candidate | None = None
    attempt: AttemptId | None = None
    """Once it is to be dialled."""
    is_reached: bool = False
    """The callee has answered: from now on it is like any other call."""
    is_over: bool = False
    """Nobody is to be dialled any more; it is over when no leg is left."""
    callback_utc_s: float | None = None
    """When the callee wants to be called again, as the agent entered it."""
    is_own_callback: bool = False
    """By this agent alone."""
    is_accepted: bool = False
    """The agent has heard who it is, and wants to call."""
    is_given_up: bool = False
    """The callee has waited for as long as the rules allow: nobody is rung for them any more."""


class MessageStage(Enum):
    """What the agent at the desk hears."""

    FROM = "from"  # whom the message is from
    PLAYED = "played"
    MISSING = "missing"  # that it cannot be played
    REFUSED = "refused"  # that the caller cannot be called back
    MENU = "menu"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftMessage:
    """What makes an interaction of kind `message`. `path` is that of the sound file as Asterisk sees it, with its ending."""

    path: str
    duration_s: float
    left: Moment
    only: AgentId | None = None
    """It is for this agent alone."""
    is_resting: bool = False
    """Not to be offered now: the hours of its queue are over."""
    listener: LegId | None = None
    """The leg at the desk on which an agent hears it."""
    stage: MessageStage = MessageStage.FROM
    tries: int = 0
    """How often the menu was heard without a key."""
    is_called_back: bool = False
    """Its agent calls the customer back: there is nothing to wrap up yet."""
    comes_back: bool = False
    """After a fault: it waits anew when the agent's leg is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A flow that waits for another one, which it called from `node`."""

    flow: FlowId
    node: NodeId
    variables: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """`leg` is the customer's; None for work without a line and for a callback that was not dialled yet."""

    id: InteractionId
    kind: str
    state: InteractionState
    leg: LegId | None
    did: str
    caller_number: str | None
    caller_name: str
    language: Language
    version: str
    """`content_hash` of the settings it entered with: its flow stays the one it began."""
    node_since: Moment | None = None
    """When it came to the node of the flow that it is at."""
    arrived: Moment
    menu_since: Moment
    flow: FlowId | None = None
    node: NodeId | None = None
    steps: int = 0
    tries: int = 0
    variables: Mapping[str, Value] = field(default_factory=dict)
    """Those of the flow, as far as they were set."""
    frames: tuple[Frame, ...] = ()
    """The flows that called the present one, the outermost first."""
    path: tuple[FlowStep, ...] = ()
    """The nodes of this passage that were left."""
    passages: int = 0
    typed: str = ""
    """What the caller is asked to confirm."""
    look_up: CommandId | None = None
    """The look-up whose end is awaited."""
    is_served: bool = False
    answers: int = 0
    """Of surveys."""
    consent: ConsentKind | None = None
    has_objected: bool = False
    """To being recorded: nothing more is."""
    needs: tuple[SkillId, ...] = ()
    """Skills that its own choices require, beside those of the queue."""
    requires: Requirement = EVERYBODY
    """What its DID, its customer's data and its choices require beside them."""
    priority: int | None = None
    """None: that of the queue."""
    owner: AgentId | None = None
    is_vip: bool = False
    attestation: Attestation = Attestation.NONE
    parent: InteractionId | None = None
    subject: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    """What the IVR and the customer's data say; told with the notices."""
    hops: int = 0
    is_answered: bool = False
    after: After | None = None
    visit: Visit | None = None
    offers: tuple[Offer, ...] = ()
    """Those that have not ended: several only where several phones ring."""
    joining: LegId | None = None
    """The leg whose join with the customer is ordered, until it has happened or that leg's end is known."""
    talk: Talk | None = None
    """Kept while the agent has the customer on hold."""
    others: tuple[Talk, ...] = ()
    """Further agents who talk with the customer, in a conference."""
    guest: Guest | None = None
    other_guests: tuple[Guest, ...] = ()
    """Further guests, in a conference."""
    left: Moment | None = None
    """When the customer left the conference in which the others talk on."""
    door: "Door | None" = None
    """Of the conference it is about to enter."""
    callback: CallbackRequest | None = None
    message: LeftMessage | None = None
    outbound: "Outbound | None" = None
    room: str = ""
    """The conference in which they talk."""
    tracks: tuple[Track, ...] = ()
    """Of that conference."""
    handover: Handover | None = None
    wrapping: tuple[Wrapping, ...] = ()
    queue: QueueId | None = None
    agent: AgentId | None = None
    outcome: Outcome | None = None
    ended_by: EndedBy | None = None
    ended: Moment | None = None
    disposition: DispositionId | None = None
    segments: int = 0
    visits: int = 0
    offers_made: int = 0
    recordings: int = 0
    messages: int = 0
    """Those that its caller has left."""
    transfers: int = 0
    notices: int = 0
    wait_s: float = 0.0
    talk_s: float = 0.0
    faults: int = 0
    is_missing: bool = False
    """An agent who answered was joined with nobody: whether the caller is still there is about to be told."""

    def offer_on(self, leg: LegId) -> Offer | None:
        """The offer whose leg it is."""
        return next((offer for offer in self.offers if offer.leg == leg), None)

    def talks(self) -> tuple[Talk, ...]:
        """Everybody's part in the talk."""
        return (self.talk, *self.others) if self.talk is not None else ()

    def guests(self) -> tuple[Guest, ...]:
        """Everybody outside the center who is called, or talks."""
        return (self.guest, *self.other_guests) if self.guest is not None else ()

    def without_guest(self, leg: LegId) -> "Interaction":
        """The others move up."""
        left = tuple(guest for guest in self.guests() if guest.leg != leg)
        return replace(self, guest=left[0] if left else None, other_guests=left[1:])

    def stepped_out(self) -> LegId | None:
        """The leg of the agent who is out of the conference to bring in one more, or on the way back; the others talk on."""
        is_apart = self.room and self.handover is not None and self.state is InteractionState.TALKING
        return self.talk.leg if is_apart and self.talk is not None else None

    def outside(self) -> LegId | None:
        """The same, while the agent is not on the way back."""
        is_coming = self.handover is not None and self.handover.stage in ON_THE_WAY_IN
        return None if is_coming else self.stepped_out()

    def agents(self) -> frozenset[AgentId]:
        """Everybody whose phone rings for it, who talks in it or wraps it up."""
        talking = {talk.agent for talk in self.talks()}
        return frozenset({*talking, *(o.agent for o in self.offers), *(w.agent for w in self.wrapping)})

    def can_ring_more(self) -> bool:
        """Whether another phone may ring beside those that ring: every one of them waits on answer, and none was taken."""
        is_open = self.state is InteractionState.OFFERED and self.joining is None and not self.is_missing
        is_open = is_open and self.listener() is None
        return is_open and not self.is_being_called() and all(o.waits and o.ends_as is None for o in self.offers)

    def listener(self) -> LegId | None:
        """The leg on which an agent hears the message that this is."""
        return self.message.listener if self.message is not None else None

    def is_being_called(self) -> bool:
        """Whether the customer's phone rings: an agent has accepted the callback, or the campaign's call, and waits."""
        is_awaited = self.callback is not None and not self.callback.is_reached
        is_awaited = is_awaited or (self.outbound is not None and not self.outbound.is_reached)
        return is_awaited and self.leg is not None

    def is_on_the_line(self) -> bool:
        """Whether it takes the agent's ear; else it is work on the screen, and never has a leg."""
        return self.kind in ON_THE_LINE

    def holds_the_line(self) -> bool:
        """Whether somebody is on a line and waits for us. Who is to be called back or to be called, messages, and work on the screen have
        time."""
        is_called = self.outbound is not None and not self.outbound.is_reached
        return self.kind in ON_THE_LINE and self.kind not in HAVE_TIME and not is_called

    def can_be_offered(self) -> bool:
        """Whether an agent may be rung for it now."""
        is_resting = self.callback is not None and self.callback.is_resting
        is_resting = is_resting or (self.message is not None and self.message.is_resting)
        if self.outbound is not None and not self.outbound.is_reached:
            is_resting = self.outbound.is_over or self.outbound.attempt is not None
        is_resting = is_resting or (self.outbound is not None and self.outbound.is_given_up)
        return self.state is InteractionState.WAITING and self.visit is not None and not self.is_missing and not is_resting


# --- agents -----------------------------------------------------------------------------------------------------------
class Presence(Enum):
    """What the person declares."""

    LOGGED_OUT = "logged_out"
    READY = "ready"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One work item of one agent. `leg` is None once the agent's leg is over."""

    interaction: InteractionId
    kind: str
    phase: Phase
    queue: QueueId
    leg: LegId | None
    since: Moment
    is_held: bool = False
    is_consulting: bool = False
    """The customer is held while the agent asks a colleague."""
    released_from: Phase | None = None
    """The phase before RELEASING: what is shown until the leg's end is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The state that people see, since when, with what; kept so that history gets each change once."""

    state: ShownState
    reason: ReasonId | None
    phone: PhoneId | None
    interaction: InteractionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """An agent's day, for the strategies and for the agent's own ear. Sums are of what is over."""

    day: str = ""
    """ISO date, in the site's time, that the sums are of."""
    calls: int = 0
    talk_s: float = 0.0
    wrap_up_s: float = 0.0
    missed: int = 0
    logged_in_s: float = 0.0
    logged_in_since_s: float | None = None
    last_call_s: float = 0.0
    """Monotonic; when the last talk ended."""
    served: int = 0
    """Counts every answered interaction for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    id: AgentId
    presence: Presence = Presence.LOGGED_OUT
    reason: ReasonId | None = None
    phone: PhoneId | None = None
    work: tuple[Work, ...] = ()
    idle_since_s: float = 0.0
    """Monotonic; the longest idle is offered first."""
    spared_until_s: float = 0.0
    """Back-off after an offer that was not taken."""
    missed: int = 0
    """Offers not taken in a row."""
    next_reason: ReasonId | None = None
    """Not ready, once the current work is over."""
    leaves: bool = False
    """Logs out, once the current work is over."""
    next_phone: PhoneId | None = None
    """Moves there, once the current work is over."""
    mode: WorkMode = WorkMode.DESK
    line: LegId | None = None
    """The headset's leg, while it is connected."""
    skills: Mapping[SkillId, int] = field(default_factory=dict)
    """Levels that a supervisor set for the time of this log-in, beside those of the settings."""
    rests_until_s: float = 0.0
    own_call: LegId | None = None
    reserved: CampaignId | None = None
    """For a call of this campaign that is on its way: no other is offered, and a break waits."""
    promising: str = ""
    """The code of a disposition for which a time is to be entered, while the headset's line is on its way to the desk."""
    outside_calls: tuple[float, ...] = ()
    """Monotonic times of the outside calls and transfers of the last hour, where the class of service limits them."""
    last_caller: str | None = None
    """The number of the customer of the present talk, or of the last; None also when it was withheld."""
    figures: Figures = Figures()
    pin_failures: int = 0
    locked_until_s: float = 0.0
    shown: Shown | None = None
    shown_since: Moment = field(default=Moment(0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    state: PhoneState
    changed_s: float
    doubt: PhoneState | None = None
    """What the last observation showed instead."""


def seen_phone(agent: Agent, phone: Phone | None, line: Leg | None) -> PhoneState:
    """The state of the phone the agent is at, for our purposes. A headset's own line keeps its phone in use: idle is a line that is
    parked, in use one that is somewhere else, and without a line the agent cannot be reached."""
    if agent.mode is WorkMode.HEADSET:
        if line is None or line.is_cancelled:
            return PhoneState.UNAVAILABLE
        return PhoneState.IDLE if line.is_parked else PhoneState.IN_USE
    return phone.state if phone is not None else PhoneState.UNKNOWN


# --- supervision --------------------------------------------------------------------------------------------------------
class WatchStage(Enum):
    """What a supervisor's leg does.

    | stage  | the leg                                            | what must come                            |
    |--------|----------------------------------------------------|-------------------------------------------|
    | ASKED  | none, or in the session of the feature code        | the session is on record                  |
    | COMING | rings, or is on its way to where it parks          | LegParked                                 |
    | READY  | parked, or hears the talk `Watch.hears`            | a talk of the agent, and its end          |
    | TOLD   | at the desk, or on its way there                   | the end of a prompt                       |
    | TAKING | on its way to the customer                         | both in one bridge                        |
    | OVER   | is told why, and ends; or its end was ordered      | the end of the leg                        |
    """

    ASKED = "asked"
    COMING = "coming"
    READY = "ready"
    TOLD = "told"
    TAKING = "taking"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One talk that a supervisor hears, in one mode. `bridge` is that of the agent's leg: in another one the customer is another channel.
    `recording` is the path of what the supervisor says."""

    interaction: InteractionId
    leg: LegId
    mode: WatchMode
    since: Moment
    bridge: str | None = None
    recording: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an entry of the audit log allows: this mode, in this interaction (None: to be there and wait)."""

    interaction: InteractionId | None
    mode: WatchMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A supervisor's session. `supervisor` is whose rights hold; None: an account at the control socket, which has them all."""

    id: WatchId
    stage: WatchStage
    mode: WatchMode
    by: str
    supervisor: AgentId | None
    phone: PhoneId
    since: Moment
    leg: LegId | None = None
    agent: AgentId | None = None
    """None: that of the queue's next call."""
    queue: QueueId | None = None
    """It is for the next call of this queue, and ends with it."""
    request: RequestId | None = None
    """Who waits for an answer."""
    asking: CommandId | None = None
    """The entry of the audit log that is being committed, and what it will allow."""
    asked: Entry | None = None
    allowed: Entry | None = None
    hears: Heard | None = None
    notified: Entry | None = None
    """For which the parties of the talk were told."""
    say: PromptId | None = None
    """What the supervisor is told at the desk."""
    is_last_word: bool = False
    """It ends after that."""
    rests_until_s: float = 0.0
    """Monotonic; what was ordered last did not hold, and is not ordered again at once."""
    recording: str = ""
    """Of TAKING: the path of the talk's recording."""
    stretches: int = 0


# --- the whole --------------------------------------------------------------------------------------------------------
class DeadlineKind(Enum):
    WRAP_UP = "wrap_up"  # of an agent
    SPARED = "spared"  # of an agent
    RELEASE = "release"  # of an agent: the phone did not become idle after our leg had ended
    REST = "rest"  # of an agent
    SHIFT = "shift"  # of an agent: it ends
    DAY = "day"  # of an agent: a new day begins in the figures
    LINE = "line"  # of an agent: the headset's line did not come back
    MAX_WAIT = "max_wait"  # of an interaction
    RING_GUARD = "ring_guard"  # of an interaction: the offer's leg neither answered nor ended
    RETURN = "return"  # of an interaction: the customer's leg did not come back
    LEAVE = "leave"  # of an interaction: its end was ordered and did not come
    MAX_TALK = "max_talk"  # of an interaction
    STAGE = "stage"  # of an interaction: the next relaxation or tier opens
    PREFERRED = "preferred"  # of an interaction: from now on anybody may take it
    RING_MORE = "ring_more"  # of an interaction: one more phone
    JOIN = "join"  # of an interaction: the join that was ordered did not happen
    HOLD_REMINDER = "hold_reminder"  # of an interaction
    HELD = "held"  # of an interaction: what it is held for did not come
    CALLBACK = "callback"  # of an interaction: may be offered again
    OVERFLOW = "overflow"  # of an interaction: the measures of its queue are taken again
    MESSAGE = "message"  # of an interaction: whether the message may be offered is looked at again
    TAKEN = "taken"  # of an interaction: its agent has listened for long enough to have taken the message
    CLOSING = "closing"  # of a queue: its hours end
    LOOK_UP = "look_up"  # of an interaction: the look-up takes long, and then too long
    LAMP = "lamp"  # of a queue: how long the longest has waited is looked at again
    WATCH = "watch"  # of a supervisor's session: what its stage waits for did not come
    AUDIT = "audit"  # of a supervisor's session: its entry in the audit log is not committed
    TAPE = "tape"  # of an AGI session: the recording is not opened, or not on record
    OWN_CALL_FACTS = "own_call_facts"  # of an AGI session: what is known of the number was not told
    CALLBACK_FACTS = "callback_facts"  # of an interaction: the same
    PACE = "pace"  # of a campaign: how many calls to place now
    DIAL_GUARD = "dial_guard"  # of an attempt: what its stage waits for did not come
    CONNECT = "connect"  # of an attempt: whoever answered has waited for an agent for as long as the rules allow


AGENT_DEADLINES = (
    DeadlineKind.WRAP_UP,
    DeadlineKind.SPARED,
    DeadlineKind.RELEASE,
    DeadlineKind.REST,
    DeadlineKind.SHIFT,
    DeadlineKind.DAY,
    DeadlineKind.LINE,
)
QUEUE_DEADLINES = (DeadlineKind.CLOSING, DeadlineKind.LAMP)
WATCH_DEADLINES = (DeadlineKind.WATCH, DeadlineKind.AUDIT)
SESSION_DEADLINES = (DeadlineKind.TAPE, DeadlineKind.OWN_CALL_FACTS)
CAMPAIGN_DEADLINES = (DeadlineKind.PACE,)
ATTEMPT_DEADLINES = (DeadlineKind.DIAL_GUARD, DeadlineKind.CONNECT)
"""Those whose name is an agent's, a queue's, a supervisor's session's, an AGI session's, a campaign's, and an attempt's; all others are of
an interaction."""

DeadlineKey = tuple[DeadlineKind, str]


class Awaited(Enum):
    """Commands whose answer the core waits for."""

    ANSWER = "answer"
    RING = "ring"
    HANG_UP = "hang_up"
    CONNECT = "connect"
    DIAL = "dial"
    JOIN = "join"
    REDIRECT = "redirect"
    LOOK_UP = "look_up"
    KEEP_PROMPT = "keep_prompt"
    MEASURE = "measure"
    SPY = "spy"
    AUDIT = "audit"
    RECORDING = "recording"
    ATTEMPT = "attempt"  # that no campaign makes, to be put on record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    what: Awaited
    leg: LegId | None
    sent_s: float
    by: AgentId | None = None
    about: str = ""
    """Who ordered it and what it is about, where that goes on record at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean that forgets: `weight` is how many observations it still stands for."""

    value_s: float = 0.0
    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounters:
    """Totals of one queue since the beginning of the history."""

    offered: int = 0
    outcomes: Mapping[VisitOutcome, int] = field(default_factory=dict)
    within_service_level: int = 0
    wait_s: float = 0.0
    """Of the answered ones."""
    last_served: AgentId | None = None
    """Who took the last one: the memory of ROUND_ROBIN."""
    talk: Mean = Mean()
    wrap_up: Mean = Mean()
    given_up: float = 0.0
    waited_s: float = 0.0
    """Lately: how many gave up, and how long all waited together; older ones weigh less."""
    arrivals: float = 0.0
    arrived_utc_s: float = 0.0
    """Lately, as of the last arrival; see `expected_wait`."""
    level: Mean = Mean()
    """Lately: the share (0 to 1) of visits that were answered in time, short abandons not counted."""
    level_utc_s: float = 0.0
    """When the last of them was over."""
    messages: int = 0
    """Of those who wait: what callers have left. Nobody waits on a line for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A queue that was closed by hand. `prompt` is said to who calls and who waits."""

    prompt: PromptId | None
    by: str
    since: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedHours:
    """An exceptional closing. `until_utc_s` None: until somebody opens them."""

    until_utc_s: float | None
    by: str
    since: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A number that a supervisor marked live."""

    mark: NumberMark
    note: str
    by: str
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTo:
    """Who spoke last to a customer's number."""

    agent: AgentId
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCall:
    """A call that a phone makes by itself, while it lasts."""

    leg: LegId
    phone: PhoneId
    agent: AgentId | None
    to: str
    kind: NumberKind
    since: Moment
    attempt: SoleAttempt | None = None
    """Where the law's gate is asked. None once its end is on record."""
    is_permitted: bool = True
    """False while it is asked, and when the connection ended before the answer: the dialplan then does as without the daemon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who was let into a conference with a number. `number` is theirs in it; 0 until they are in."""

    leg: LegId
    room: RoomId
    channel: str
    is_moderator: bool
    since: Moment
    heard_s: float
    number: int = 0
    agent: AgentId | None = None
    phone: PhoneId | None = None
    caller_number: str | None = None
    interaction: InteractionId | None = None
    is_muted: bool = False
    end: MemberEnd | None = None
    """How it ends, once that is decided."""
    invited_as: str = ""
    """As whom they were invited; "": they came by themselves."""
    asked_by: RequestId | None = None
    """The request that is answered when it is known what became of the invitation."""
    keys: str = ""
    keyed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A conference with a number: somebody is in it, or it was created and waits for the first. `id` counts as an interaction does."""

    name: RoomId
    id: InteractionId
    config: ConferenceSettings
    since: Moment
    made_by: str = ""
    """Who created it; "": it is in the settings."""
    members: int = 0
    """How many have been in it."""
    most_at_once: int = 0
    is_locked: bool = False
    heard_s: float = 0.0
    recording: str = ""
    recorded_since: Moment | None = None
    recordings: int = 0
    notices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockwork:
    """The counters and switches of the center as one value."""

    incarnation: int = 0
    next_interaction: int = 1
    next_leg: int = 1
    next_watch: int = 1
    is_linked: bool = False
    is_observed: bool = False
    """False from the start until the first observation: until then nothing is decided and no deadline fires."""
    booted_utc_s: float | None = None
    unlinked_since_s: float | None = None
    """Since when nothing has been heard of the PBX; None while linked, and before the first link."""
    has_fresh_link: bool = True
    """The next observation is the first of this link: what it does not show is gone."""
    faults: int = 0
    repairs: int = 0

    def lost_at(self, now_s: float) -> float | None:
        """`unlinked_since_s` of a center that finds at `now_s` that it has no link."""
        return now_s if self.is_linked else self.unlinked_since_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterState:
    """A snapshot: a value that can be compared, serialised and restored."""

    format: int
    seq: int
    moment: Moment
    clockwork: Clockwork
    interactions: Mapping[InteractionId, Interaction]
    legs: Mapping[LegId, Leg]
    sessions: Mapping[SessionId, Session]
    agents: Mapping[AgentId, Agent]
    phones: Mapping[PhoneId, Phone]
    queues: Mapping[QueueId, QueueCounters]
    deadlines: Mapping[DeadlineKey, float]
    outstanding: Mapping[CommandId, Outstanding]
    hung_up: Mapping[LegId, float]
    """Legs that ended before we knew them, by monotonic time."""
    orphans: Mapping[LegId, int]
    versions: Mapping[str, Settings]
    """The settings that some interaction still lives by; the newest is `version`."""
    version: str
    over: Mapping[LegId, float] = field(default_factory=dict)
    """Customers' legs that ended lately, by monotonic time."""
    closed: Mapping[QueueId, Closed] = field(default_factory=dict)
    closed_hours: Mapping[HoursId, ClosedHours] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By number."""
    spoken_to: Mapping[str, SpokenTo] = field(default_factory=dict)
    """By number, oldest first, at most `SPOKEN_TO_MAX`."""
    own_calls: Mapping[LegId, OwnCall] = field(default_factory=dict)
    lamps: Mapping[str, LampState] = field(default_factory=dict)
    """As last ordered."""
    watches: Mapping[WatchId, Watch] = field(default_factory=dict)
    rooms: Mapping[RoomId, Room] = field(default_factory=dict)
    members: Mapping[LegId, Member] = field(default_factory=dict)
    """Of rooms, and those on their way into one."""
    unmeasured: Mapping[str, Unmeasured] = field(default_factory=dict)
    """By the path of the file."""
    campaigns: Mapping[CampaignId, Campaign] = field(default_factory=dict)
    attempts: Mapping[AttemptId, Attempt] = field(default_factory=dict)
    """Those that are not over."""
    trunks: Mapping[TrunkId, TrunkState] = field(default_factory=dict)
    shown: Mapping[str, TimesShown] = field(default_factory=dict)
    """By the number of ours that was shown."""
    pacers: Mapping[CampaignId, str] = field(default_factory=dict)
    """What each campaign's pacer has learned, as JSON."""


FORMAT = 3
SPOKEN_TO_MAX = 20_000


class Table(Generic[K, V]):
    """A dict of records whose changes can be undone."""

    __slots__ = ("_rows", "_undo")

    def __init__(self, undo: list[Callable[[], None]], rows: Mapping[K, V] | None = None) -> None:
        self._rows: dict[K, V] = dict(rows or {})
        self._undo = undo

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __contains__(self, key: K | None) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: K | None) -> V | None:
        return None if key is None else self._rows.get(key)

    def values(self) -> list[V]:
        return list(self._rows.values())

    def items(self) -> list[tuple[K, V]]:
        return list(self._rows.items())

    def put(self, key: K, value: V) -> None:
        rows = self._rows
        if key in rows:
            old = rows[key]
            self._undo.append(lambda: rows.__setitem__(key, old))
        else:
            self._undo.append(lambda: rows.__delitem__(key))
        rows[key] = value

    def drop(self, key: K | None) -> None:
        rows = self._rows
        if key is not None and key in rows:
            known, old = key, rows.pop(key)
            self._undo.append(lambda: rows.__setitem__(known, old))

    def copy(self) -> dict[K, V]:
        return dict(self._rows)


class Deadlines:
    """When what is due. One time for each key; the heap may hold times that no longer hold."""

    def __init__(self, table: Table[DeadlineKey, float]) -> None:
        self.table = table
        self.rebuild()

    def rebuild(self) -> None:
        """From the table, after a restore or an undone step."""
        self._heap = [(due, kind.value, name) for (kind, name), due in self.table.items()]
        heapq.heapify(self._heap)

    def set(self, kind: DeadlineKind, name: object, due_s: float) -> None:
        key = (kind, str(name))
        self.table.put(key, due_s)
        heapq.heappush(self._heap, (due_s, kind.value, key[1]))

    def clear(self, kind: DeadlineKind, name: object) -> None:
        self.table.drop((kind, str(name)))

    def next(self) -> float | None:
        while self._heap:
            due, kind, name = self._heap[0]
            if self.table.get((DeadlineKind(kind), name)) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def take(self, now_s: float) -> DeadlineKey | None:
        """The earliest one that is due, taken out; None when none is."""
        due = self.next()
        if due is None or due > now_s:
            return None
        _, kind, name = heapq.heappop(self._heap)
        key = (DeadlineKind(kind), name)
        self.table.drop(key)
        return key

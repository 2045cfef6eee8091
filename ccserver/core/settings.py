"""The settings that the core obeys: immutable values, built and checked by `ccserver.config`.

References (queues, prompts, nodes…) are known to be good when a value of these types exists. What only an edge needs
(addresses, ports, PIN hashes, database) is not here but in `ccserver.config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.checksums import Checksum
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.expressions import Expression, ValueType
from ccserver.core.ids import (
    AgentId,
    ClassOfServiceId,
    DispositionId,
    FlowId,
    HoursId,
    Language,
    LookUpId,
    NodeId,
    PhoneId,
    PromptId,
    QueueId,
    ReasonId,
    RoleId,
    RoomId,
    SkillId,
    TeamId,
)
from ccserver.core.recording_policy import AS_IT_COMES, RecordingPolicy


# --- what can be said to a caller ------------------------------------------------------------------------------------
class SpokenKind(Enum):
    """What a piece of speech is. In a command `Spoken.value` is what the table says; in a flow it may be computed (`Spoken.of`).

    The edge says values in the language of the piece: a date is "2026-12-25", a time "14:05" (24 hours), an amount "12.50 EUR", a
    duration so many seconds, a number "-12.5".
    """

    PROMPT = "prompt"  # a prompt of ours, in the caller's language
    DIGITS = "digits"  # one by one; * and # too
    NUMBER = "number"  # as a cardinal number
    CALL_NUMBER = "call_number"  # of this interaction, digit by digit; the core puts the digits in
    TEXT = "text"  # by the speech engine, as it is: a name out of a look-up, say
    SPELLED = "spelled"  # letters and digits one by one
    MONEY = "money"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"  # rounded up to minutes from one minute on
    EXPECTED_WAIT = "expected_wait"  # in the queue `value`; the core puts the duration in
    RECORDING = "recording"  # a sound file, by its absolute path as Asterisk sees it, without its ending


@dataclass(frozen=True, slots=True)
class Spoken:
    """One piece of speech: `value` is a prompt's id, or what `SpokenKind` says; empty for CALL_NUMBER.

    `of` is what a flow computes: the core puts its value into `value`, for MONEY in front of the currency that stands there.
    `language`: spoken in this one, whatever the caller's is. `from_s`: where a RECORDING begins to be heard.
    """

    kind: SpokenKind
    value: str
    of: Expression | None = None
    language: Language | None = None
    from_s: float = 0.0


# --- what an interaction requires of an agent -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class HasSkill:
    """The agent has the skill at `level` (1 to 100) or above."""

    skill: SkillId
    level: int = 1


@dataclass(frozen=True, slots=True)
class AllOf:
    """Without members it is true of everybody."""

    of: tuple["Requirement", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    of: tuple["Requirement", ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """`not`: true of who has none of them."""

    of: tuple["Requirement", ...]


Requirement = HasSkill | AllOf | AnyOf | NoneOf
"""A condition on an agent's skills; hashable, so that interactions that require the same are one class."""
EVERYBODY = AllOf()


# --- where an interaction can go when a queue cannot take or keep it --------------------------------------------------
class ExitKind(Enum):
    QUEUE = "queue"
    EXTENSION = "extension"  # of the PBX's dialplan, in the site's overflow context
    NODE = "node"  # of the flow the call is in
    FLOW = "flow"  # another flow, from its start
    AGENT = "agent"  # a certain one, as a direct call
    NUMBER = "number"  # outside, over the trunk, under our control
    CALLBACK = "callback"  # the caller is offered to be called back, and keeps the place
    MESSAGE = "message"  # the caller leaves a message
    HANG_UP = "hang_up"  # after the prompt, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """`target` is the id, extension or number of its kind; empty for CALLBACK and HANG_UP, and in the settings for MESSAGE: in the core
    it may then name the agent for whom alone the message is. `prompt` is said first."""

    kind: ExitKind
    target: str = ""
    prompt: PromptId | None = None


# --- opening hours ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Weekly spans in local time. `week` has seven tuples (Monday first) of (from, to) minutes of the day, to <= 1440.

    `closed_on` are ISO dates ("2026-12-25") that are closed whatever the weekday, and so are the public `holidays` of the place that
    `holidays_of` names (`ES`, `ES-MD`). `special` are the spans of dates that have hours of their own; they win over everything else.
    """

    timezone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    closed_on: frozenset[str] = frozenset()
    holidays: frozenset[str] = frozenset()
    holidays_of: str = ""
    special: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    code: str | None = None
    """Typed by a supervisor who closes them by phone; None: not by phone."""


# --- recording --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRules:
    """The site's own. An agent's talk with a colleague about a customer is a consultation. Not recorded in any case: calls that phones
    make by themselves, and what a customer goes on to talk with somebody outside after the last agent has left."""

    inbound: RecordingPolicy | None = None
    outbound: RecordingPolicy | None = None
    """Of customers who are called: callbacks, and calls of campaigns."""
    consultations: bool = False


# --- IVR flows ----------------------------------------------------------------------------------------------------------
# A way out of a node that is None is that of the flow's `exits`; where one is needed, one of the two is there.
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
    on_no_input: NodeId | None = None
    on_invalid: NodeId | None = None
    say_no_input: tuple[Spoken, ...] = ()
    say_invalid: tuple[Spoken, ...] = ()
    can_interrupt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageNode:
    """From here on the caller is spoken to in `language`, and routed to agents who have its skill, if it has one."""

    language: Language
    next: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageChoiceNode:
    """Asks, in each language, for the key of that language. Who presses none keeps the language they have."""

    choices: Mapping[str, Language]
    next: NodeId
    timeout_s: float = 4.0
    tries: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectNode:
    """Asks for digits and keeps them as a text in the variable `into`.

    Fewer than `min_digits`, or digits that fail `checksum`, are invalid. `confirm`: they are read back, and 1 confirms. A DNI is read
    back with its letter, and kept with it.
    """

    say: tuple[Spoken, ...]
    into: str
    next: NodeId
    min_digits: int = 1
    max_digits: int = 20
    terminator: str = "#"
    checksum: Checksum | None = None
    confirm: bool = False
    timeout_s: float = 6.0
    next_timeout_s: float = 4.0
    tries: int = 3
    on_no_input: NodeId | None = None
    on_invalid: NodeId | None = None
    say_no_input: tuple[Spoken, ...] = ()
    say_invalid: tuple[Spoken, ...] = ()
    can_interrupt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """How typed digits that nobody may see are checked at the edge, by a look-up with `parameters`.

    With `hash_field` the look-up gives a hash (as of PINs) under that name, and the digits are held against it. Without it, the look-up
    is given the digits as its parameter `secret`: that it finds something says that they are good. `token_field`: what it gives under
    that name stands for the digits from then on.
    """

    look_up: LookUpId
    parameters: Mapping[str, Expression] = field(default_factory=dict)
    hash_field: str = ""
    token_field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretNode:
    """Asks for digits that reach no event, journal or log. Wrong ones `tries` times lead to `on_invalid`. `into` takes the token."""

    say: tuple[Spoken, ...]
    check: SecretRule
    next: NodeId
    into: str | None = None
    max_digits: int = 12
    timeout_s: float = 8.0
    tries: int = 3
    on_no_input: NodeId | None = None
    on_invalid: NodeId | None = None
    on_failure: NodeId | None = None
    say_invalid: tuple[Spoken, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    when: Expression
    then: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchNode:
    """The first case whose condition holds."""

    cases: tuple[Case, ...]
    otherwise: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursNode:
    """By `hours`, by those of `queue`, or by those of the called number (both None). What has no hours is open.

    `on_holiday`: on public holidays, when closed; None: as `on_closed`.
    """

    hours: HoursId | None = None
    queue: QueueId | None = None
    on_open: NodeId
    on_closed: NodeId
    on_holiday: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpNode:
    """Asks an outside system. `into` maps variables to the fields that it gives. Who waits longer than a moment hears `music`."""

    look_up: LookUpId
    on_found: NodeId
    parameters: Mapping[str, Expression] = field(default_factory=dict)
    into: Mapping[str, str] = field(default_factory=dict)
    on_missing: NodeId | None = None
    """None: as `on_failure`."""
    on_failure: NodeId | None = None
    music: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueNode:
    queue: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackNode:
    """The caller is asked for the number and is called back in the queue's turn. Who does not want it waits in the queue."""

    queue: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageNode:
    """The caller leaves a message, which waits in the queue for an agent like a call. `next` None: a farewell, and the call ends."""

    queue: QueueId
    say: tuple[Spoken, ...] = ()
    """None: the usual words."""
    max_s: float = 180.0
    next: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentNode:
    """A direct call to one agent; the rules are those of the queue `direct`, but for `on_no_answer`."""

    agent: AgentId
    on_no_answer: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNode:
    """Calls somebody outside and joins them with the caller, who stays ours. `on_failure`: nobody answered."""

    number: str
    on_failure: NodeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNode:
    """Changes what is asked of the agent and how urgent the interaction is from here on; then `next`.

    `variables` get new values, one after the other. `data` is told with the notices, and shown to the agent's screen.
    """

    serves: bool = False
    """What the caller came for is done: who hangs up from here on was served by the flow."""

    next: NodeId
    requires: Requirement = EVERYBODY
    priority: int | None = None
    variables: Mapping[str, Expression] = field(default_factory=dict)
    data: Mapping[str, Expression] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNode:
    """Goes through another flow and comes back: `on` maps that flow's results to nodes. `parameters` are set there, and `into` maps
    variables here to what that flow `gives`."""

    flow: FlowId
    on: Mapping[str, NodeId]
    parameters: Mapping[str, Expression] = field(default_factory=dict)
    into: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneNode:
    """The end of a flow that another one went through, with a result. A caller who came by another way is released."""

    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptNode:
    """Runs a Python function of the administrator's folder (`module.function`) with the caller on the line.

    Its result is a word: `on` says where it leads, `next` where all other words (and none) lead. `into` maps variables to the names of
    values that it returns. `on_failure`: it raised, took longer than `time_limit_s`, or gave what does not fit.
    """

    script: str
    next: NodeId
    parameters: Mapping[str, Expression] = field(default_factory=dict)
    into: Mapping[str, str] = field(default_factory=dict)
    on: Mapping[str, NodeId] = field(default_factory=dict)
    on_failure: NodeId | None = None
    time_limit_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentNode:
    """Says that the call may be recorded, or (`asks`) asks whether it may: 1 yes, 2 no. What the customer was told or answered is on
    record. Who says no, or nothing, is not recorded, and goes on with `on_refused` (None: with `next`)."""

    say: tuple[Spoken, ...]
    next: NodeId
    asks: bool = False
    on_refused: NodeId | None = None
    timeout_s: float = 6.0
    tries: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DoNotCallNode:
    """The caller is not to be called any more: by the campaign whose name `campaign` gives, or (None, and where there is no such
    campaign) by none. They hear `say`, or else that it is so. A caller whose number is not known goes on with `on_failure`."""

    next: NodeId
    campaign: Expression | None = None
    say: tuple[Spoken, ...] = ()
    on_failure: NodeId | None = None


class SurveyKind(Enum):
    CSAT = "csat"  # 1 to 5; 4 and 5 are positive, 1 and 2 negative
    NPS = "nps"  # 0 to 10; 9 and 10 promote, 0 to 6 detract
    FCR = "fcr"  # 1 yes, 2 no: was it resolved at the first contact?


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyNode:
    """Asks the customer to judge, and keeps the answer with the interaction, its agent and queue. Who does not answer goes on too."""

    kind: SurveyKind
    say: tuple[Spoken, ...]
    next: NodeId
    timeout_s: float = 6.0
    tries: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnNode:
    """The end of a flow that an agent sent the customer into: back to the agent, who hears `result` as a prompt.

    A caller who came by another way is released.
    """

    result: PromptId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionNode:
    """Hands the call over to an extension of the PBX's dialplan; it does not come back."""

    extension: str
    say: tuple[Spoken, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceNode:
    """Into a conference, whose PIN is asked for where it has one. The call does not come back."""

    conference: RoomId


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpNode:
    say: tuple[Spoken, ...] = ()


Node = (
    SayNode
    | MenuNode
    | LanguageNode
    | LanguageChoiceNode
    | CollectNode
    | SecretNode
    | BranchNode
    | HoursNode
    | LookUpNode
    | EnqueueNode
    | CallbackNode
    | MessageNode
    | AgentNode
    | NumberNode
    | SetNode
    | CallNode
    | DoneNode
    | ScriptNode
    | SurveyNode
    | ConsentNode
    | DoNotCallNode
    | ReturnNode
    | ExtensionNode
    | ConferenceNode
    | HangUpNode
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowExits:
    """The ways out that hold for every node of a flow which says nothing else.

    `operator_key`: in every menu, and as the only input of every question, it leads to `operator`, unless the node itself uses it.
    """

    no_input: NodeId | None = None
    invalid: NodeId | None = None
    failure: NodeId | None = None
    operator: NodeId | None = None
    operator_key: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`variables` are all that its expressions may name, with their types: not set, a text is empty, a number 0, a truth false.

    `parameters` are those of them that a flow which calls this one sets, `gives` those that it may take back.
    """

    start: NodeId
    nodes: Mapping[NodeId, Node]
    variables: Mapping[str, ValueType] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    exits: FlowExits = FlowExits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpShape:
    """What a look-up is given and gives, and how long it may take at most, all tries together. How it is done is the edge's."""

    parameters: Mapping[str, ValueType]
    gives: Mapping[str, ValueType]
    longest_s: float


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
    requires: Requirement = EVERYBODY
    priority: int | None = None
    """None: that of the queue."""
    hours: HoursId | None = None
    """What an hours node of the flow may go by."""
    record: RecordingPolicy | None = None


# --- queues ---------------------------------------------------------------------------------------------------------
class Strategy(Enum):
    """Which of the agents who could take an interaction is offered it."""

    LONGEST_IDLE = "longest_idle"
    RING_ALL = "ring_all"
    RING_PROGRESSIVELY = "ring_progressively"  # one more phone every few seconds
    LEAST_OCCUPIED = "least_occupied"
    ROUND_ROBIN = "round_robin"
    TOP_DOWN = "top_down"  # in the order of `members`
    MOST_SKILLED = "most_skilled"
    TIERS = "tiers"
    FEWEST_CALLS = "fewest_calls"
    LEAST_TALK_TIME = "least_talk_time"
    LEAST_RECENT = "least_recent"
    RANDOM = "random"
    WEIGHTED_RANDOM = "weighted_random"


RINGS_SEVERAL = frozenset({Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """From `after_s` of waiting on, `requires` takes the place of what the queue requires. `keeps_own`: what the interaction
    itself requires (language, DID, choices) holds on."""

    after_s: float
    requires: Requirement
    keeps_own: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Agents who are offered interactions that have waited `after_s`; earlier tiers first. Both conditions hold: a member of
    `agents` (empty: everybody) who fulfils `requires`."""

    after_s: float
    agents: tuple[AgentId, ...] = ()
    requires: Requirement = EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRules:
    """Which logged-in agents with the skills count as staff, beside those who are ready or working on interactions."""

    not_ready: bool = True
    unreachable: bool = False
    wrap_up: bool = True


class OverflowBy(Enum):
    WAIT_S = "wait_s"
    EXPECTED_WAIT_S = "expected_wait_s"
    SIZE = "size"  # waiting interactions, this one included
    RATIO = "ratio"  # waiting interactions / staffed agents


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """Leaves the queue when the measure is `above` its value: at the door and, where it can become so, while waiting."""

    by: OverflowBy
    above: float
    exit: Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Whom an interaction waits for, at most `wait_s`, before anybody may take it."""

    wait_s: float = 20.0
    owner: bool = True
    """The customer's own agent."""
    last_spoken_days: float | None = None
    """The agent the customer last spoke to, if it is not longer ago; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comfort:
    """Said to waiting callers every so often."""

    prompt: PromptId
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRules:
    """The caller may be called back instead of waiting, and keeps the place."""

    key: str = "1"
    offer_after_s: float = 60.0
    offer_above_expected_s: float | None = None
    """Offered at once when the expected wait is longer; None: by time only."""
    tries: int = 3
    retry_after_s: float = 600.0
    ring_timeout_s: float = 30.0
    hours: HoursId | None = None
    """When customers may be called; outside, the next lawful time is taken. None: always."""
    keeps_s: float = 24 * 3600.0
    """A request is given up after this time."""


class WrapUpKind(Enum):
    NONE = "none"
    TIMED = "timed"
    EXTENDABLE = "extendable"  # the agent can add time, up to `wrap_up_max_s`
    UNTIL_DISPOSITION = "until_disposition"  # until one is entered, at most `wrap_up_max_s`


class HeadsetNotice(Enum):
    """What an agent on a headset hears before the customer."""

    NOTHING = "nothing"
    BEEP = "beep"
    NAME = "name"  # of the queue: `name_prompt`


class WatchMode(Enum):
    """What a supervisor does to an agent's talk."""

    LISTEN = "listen"
    WHISPER = "whisper"  # the agent hears the supervisor, the customer does not
    BARGE = "barge"  # both do
    TAKE_OVER = "take_over"  # the supervisor has the customer, and the agent wraps up


class Reach(Enum):
    """Over whom a role is, where it does not name teams."""

    OWN_TEAM = "own_team"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """What agents with this role may do to the talks of others, and over whom they may do it."""

    may: frozenset[WatchMode]
    over: Reach = Reach.OWN_TEAM
    teams: frozenset[TeamId] = frozenset()
    """With any of them, these take the place of `over`."""
    hears_recordings: bool = False


class SupervisionNotice(Enum):
    """Who is told that a supervisor is there, as the law of the place demands it."""

    NONE = "none"
    TONE = "tone"  # a tone to the agent
    ANNOUNCE = "announce"  # a prompt to the agent and the customer


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    name: str
    """As shown on the agent's phone."""
    number: str | None = None
    """Typed by agents who consult it or transfer to it; no agent's and no phone's. None: it cannot be reached so."""
    skills: tuple[SkillId, ...]
    """All of them are required, at any level."""
    requires: Requirement = EVERYBODY
    """A condition beside the skills."""
    members: tuple[AgentId, ...] = ()
    """Only these agents, in this order of service; none: everybody who fulfils the conditions, by number."""
    strategy: Strategy = Strategy.LONGEST_IDLE
    ring_more_every_s: float = 5.0
    """For RING_PROGRESSIVELY."""
    ring_most: int = 10
    """Phones that ring at once at most."""
    tiers: tuple[Tier, ...] = ()
    """In order, for TIERS."""
    relax: tuple[Relaxation, ...] = ()
    """In order of `after_s`."""
    priority: int = 0
    """0 to 10; each step is worth `Settings.priority_step_s` of waiting."""
    weight: float = 1.0
    """How fast urgency grows: seconds of urgency for each second of waiting."""
    preference: Preference | None = None
    hours: HoursId | None = None
    music: str = "default"
    ring_timeout_s: float = 20.0
    wrap_up: WrapUpKind = WrapUpKind.TIMED
    wrap_up_s: float = 30.0
    wrap_up_max_s: float = 300.0
    service_level_s: float = 20.0
    """An answer within this many seconds counts as in time."""
    short_abandon_s: float = 5.0
    """A caller who leaves sooner did not really wait; counted apart."""
    max_waiting: int | None = None
    max_wait_s: float | None = None
    max_talk_s: float = 4 * 3600.0
    """A call is ended after this time: a leg that vanished without a BYE must not stay for ever."""
    announce_position_every_s: float | None = None
    expected_service_s: float = 240.0
    """Talk and wrap-up of one call, as long as there is no experience: where the expected wait begins."""
    announce_wait: bool = False
    """The expected wait is announced with the position."""
    comfort: tuple[Comfort, ...] = ()
    callback: CallbackRules | None = None
    overflow: tuple[Overflow, ...] = ()
    on_full: Exit = Exit(kind=ExitKind.HANG_UP)
    on_max_wait: Exit = Exit(kind=ExitKind.HANG_UP)
    on_closed: Exit = Exit(kind=ExitKind.HANG_UP)
    on_closing: Exit | None = None
    """For callers who wait when the hours end. None: they are served out."""
    on_unstaffed: Exit | None = None
    """At the door. None: callers wait even when nobody is logged in."""
    joins_when: StaffRules = StaffRules()
    on_deserted: Exit | None = None
    """For callers who wait when the last of the staff is gone. None: they wait on."""
    stays_while: StaffRules = StaffRules()
    record: RecordingPolicy = AS_IT_COMES
    dispositions: tuple[DispositionId, ...] = ()
    """Those an agent may enter; none: wrap-up ends by time or code only."""
    headset_notice: HeadsetNotice = HeadsetNotice.BEEP
    name_prompt: PromptId | None = None
    display: str = "{queue}"
    """The name on the agent's phone. Fields: {queue}, {number}, {name}, {vip}, {did}, {wait}, {call}."""
    hold_reminder_s: float | None = 60.0
    """The agent is reminded of a customer who is on hold for so long."""
    lamp_waiting_above: int | None = None
    """The queue's lamp, lit while somebody waits, blinks while more wait; None: never for their number."""
    lamp_wait_above_s: float | None = None
    """It blinks while the longest has waited longer; None: never for their time."""
    survey: FlowId | None = None
    """The flow of customers whose agent ends the talk; None: they are released."""
    supervision_notice: SupervisionNotice | None = None
    """None: as `Settings.supervision_notice` says."""


DIRECT = QueueId("direct")
"""The queue of direct calls to an agent: its settings are those of the section `direct_calls`."""


# --- people ---------------------------------------------------------------------------------------------------------
class NumberKind(Enum):
    """What a number is that somebody wants to call."""

    INTERNAL = "internal"
    LOCAL = "local"
    MOBILE = "mobile"
    INTERNATIONAL = "international"
    PREMIUM = "premium"
    UNKNOWN = "unknown"  # no telephone number of this country's plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOfService:
    """What an agent may call and transfer to. Emergency numbers are always allowed, by the dialplan alone."""

    allows: frozenset[NumberKind]
    calls_per_hour: int | None = None
    """Outside calls and transfers together: toll fraud comes in the first week."""


class WorkMode(Enum):
    DESK = "desk"  # the phone rings for each call
    HEADSET = "headset"  # dials in once and stays connected


class LoginRule(Enum):
    """What happens to a log-in of an agent who is logged in at another phone."""

    MOVE = "move"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    name: str
    skills: Mapping[SkillId, int]
    """Level 1 to 100 each; 0 is the same as not having it."""
    language: Language | None = None
    """Spoken to the agent; None: the default."""
    team: TeamId | None = None
    is_supervisor: bool = False
    """May do everything that supervisors do, to everybody."""
    role: RoleId | None = None
    """What the agent may do to others' talks; None: nothing."""
    class_of_service: ClassOfServiceId | None = None
    """None: internal numbers only."""
    shift: HoursId | None = None
    """Logged out when it ends; None: never."""
    min_rest_s: float = 0.0
    """At least so long between two interactions, after wrap-up."""
    share: int = 1
    """For WEIGHTED_RANDOM."""
    record: RecordingPolicy | None = None
    capacity: Mapping[str, int] | None = None
    """Interactions at once by kind, if not as `Settings.capacity` says."""


class PhoneKind(Enum):
    DESK = "desk"
    SOFTPHONE = "softphone"
    EXTERNAL = "external"  # a number outside, over the trunk: a call is accepted by the key 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """A phone an agent may log in at. `number` is its extension."""

    number: str
    auto_answer: bool = False
    kind: PhoneKind = PhoneKind.DESK


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonSettings:
    """Why an agent is not ready. `code` is typed after the not-ready feature code."""

    code: str
    name: str


class DispositionMeaning(Enum):
    """What a disposition means for the lead that was called."""

    NOTHING = "nothing"
    SUCCESS = "success"
    REFUSED = "refused"  # the person does not want what we offer
    CALL_BACK = "call_back"  # at a time that the agent enters
    WRONG_NUMBER = "wrong_number"
    DO_NOT_CALL = "do_not_call"
    MACHINE = "machine"
    PERSON = "person"  # who was taken for a machine


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionSettings:
    code: str
    name: str
    means: DispositionMeaning = DispositionMeaning.NOTHING


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


class IdleReset(Enum):
    """What may start an agent's idle clock anew. The end of a served interaction always does."""

    LOG_IN = "log_in"
    READY = "ready"  # back from not ready
    MISSED = "missed"  # an offer that was not taken
    MANUAL_CALL = "manual_call"  # to an outside number
    INTERNAL_CALL = "internal_call"
    CONSULT = "consult"  # was consulted by a colleague


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRules:
    """How agents work."""

    login: LoginRule = LoginRule.MOVE
    idle_clock: frozenset[IdleReset] = frozenset({IdleReset.LOG_IN, IdleReset.READY, IdleReset.MANUAL_CALL})
    headset_return_s: float = 30.0
    """A customer whose agent's headset line broke waits so long for that agent."""
    consult_ring_s: float = 20.0
    transfer_ring_s: float = 20.0


class Announced(Enum):
    """What those in a conference hear of who comes and goes."""

    NONE = "none"
    TONE = "tone"
    NUMBER = "number"  # the tone, and who it is: an agent's or caller's number


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceSettings:
    """A room that people dial into. Its PINs are at the edge; here is whether there are any."""

    number: str
    """Typed after the feature code."""
    has_pin: bool = False
    has_moderator_pin: bool = False
    max_members: int = 20
    wait_for_moderator: bool = False
    """Whoever is no moderator hears music until one is there."""
    ends_with_moderator: bool = False
    record: bool = False
    announce: Announced = Announced.TONE
    language: Language | None = None
    class_of_service: ClassOfServiceId | None = None
    """Which numbers outside may be invited; None: none."""


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
    headset: str = "18"
    figures: str = "19"
    extend_wrap_up: str = "21"
    block_number: str = "31"
    vip_number: str = "32"
    echo_test: str = "43"
    close_hours: str = "51"
    record_prompt: str = "52"
    listen: str = "61"
    whisper: str = "62"
    barge: str = "63"
    take_over: str = "64"
    listen_queue: str = "65"
    recordings: str = "66"
    conference: str = "60"
    next_lead: str = "45"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKeys:
    """What agents type during a call. No key is the beginning of another. Where an argument follows, it ends with #."""

    release: str = "*0"
    """Lets the customer go; a headset stays connected."""
    transfer: str = "*1"
    consult: str = "*2"
    conference: str = "*3"
    record: str = "*4"
    pause_recording: str = "*5"
    help: str = "*6"
    malicious: str = "*7"
    send_to_flow: str = "*8"
    objection: str = "*#5"
    """The customer does not want to be recorded: stopped, and what was recorded of this call is deleted."""
    back: str = "*9"
    """Out of a consultation, back to the customer."""


class NumberMark(Enum):
    BLOCKED = "blocked"
    VIP = "vip"


class WithheldPolicy(Enum):
    TAKE = "take"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSettings:
    """What is known of a customer, by number."""

    name: str = ""
    owner: AgentId | None = None
    language: Language | None = None
    requires: Requirement = EVERYBODY
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRules:
    """What is done with certain callers, by number."""

    marks: Mapping[str, NumberMark]
    """By E.164 number, or its beginning followed by `*`. Those that supervisors added live come beside them."""
    withheld: WithheldPolicy = WithheldPolicy.TAKE
    vip_priority: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    max_pin_tries: int = 3
    pin_lock_s: float = 300.0
    """After `max_pin_tries` wrong PINs in a row the account is locked for so long."""
    menu_steps_max: int = 200
    """A call that went through so many nodes is released: a flow must not loop for ever."""
    hops_max: int = 5
    """Queues that one interaction may be handed through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordablePrompt:
    """A prompt that supervisors record from a phone, in one language."""

    prompt: PromptId
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the core obeys. Two values with the same `content_hash` are the same settings, of whatever year their holidays are."""

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
    keys: CallKeys = CallKeys()
    limits: Limits = Limits()
    agent_rules: AgentRules = AgentRules()
    callers: CallerRules = CallerRules(marks={})
    customers: Mapping[str, CustomerSettings] = field(default_factory=dict)
    """By E.164 number."""
    classes_of_service: Mapping[ClassOfServiceId, ClassOfService] = field(default_factory=dict)
    priority_step_s: float = 60.0
    """What one step of priority is worth in seconds of waiting."""
    capacity: Mapping[str, int] = field(default_factory=lambda: {"voice": 1})
    """How many interactions of each kind one agent takes at once; a kind that is not named: none."""
    combined_capacity: int = 1
    sendable_flows: Mapping[str, FlowId] = field(default_factory=dict)
    """Flows an agent can send a customer into, by the code typed after the key."""
    look_ups: Mapping[LookUpId, LookUpShape] = field(default_factory=dict)
    recordable_prompts: Mapping[str, RecordablePrompt] = field(default_factory=dict)
    """By the code typed after the feature code."""
    roles: Mapping[RoleId, RoleSettings] = field(default_factory=dict)
    supervision_notice: SupervisionNotice = SupervisionNotice.NONE
    conferences: Mapping[RoomId, ConferenceSettings] = field(default_factory=dict)
    trunk: str = "carrier"
    """The PJSIP endpoint of the outside lines."""
    timezone: str = "UTC"
    """The site's: where a new day begins in the agents' figures."""
    recording: RecordingRules = RecordingRules()
    dialing: DialingSettings | None = None
    """None: nobody is called by us."""
    recording_dir: str = ""
    """Where Asterisk writes the segments (an absolute path as Asterisk sees it); empty: nothing is recorded."""

    def did(self, number: str) -> DidSettings | None:
        """The settings of a called number, which the trunk may deliver with or without its plus."""
        return self.dids.get(number) or self.dids.get(number.removeprefix("+")) or self.dids.get("*")

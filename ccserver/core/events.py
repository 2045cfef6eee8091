"""What the core can be told: the past tense of everything that happens outside it.

Edges append events to one inbox; nothing else reaches the core. Events may come late, twice or in another order than they
happened: the tables in `transitions` say what is ignored and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, ReasonId, RequestId, SessionId
from ccserver.core.records import PhoneState
from ccserver.core.settings import Settings


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
class PbxObserved:
    """One reading of the whole PBX. `asked_at_s` is the center's monotonic time before the first question was sent: what
    happened later may or may not show."""

    pbx: str
    asked_at_s: float
    channels: tuple[ChannelView, ...]
    phones: Mapping[PhoneId, PhoneState]


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
@dataclass(frozen=True, slots=True, kw_only=True)
class CallArrived:
    """A channel entered the inbound loop: a new call, or a known one that came back (same leg, new session).

    `caller_number` is E.164 where it could be read as a telephone number, else as given (bounded, printable); None means
    withheld. `number_as_given` is what Asterisk delivered. `caller_name` is printable and bounded.
    """

    session: SessionId
    leg: LegId
    channel: str
    did: str
    caller_number: str | None
    number_as_given: str
    caller_name: str


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
class WaitEnded:
    session: SessionId
    command: CommandId
    end: VerbEnd
    digit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretChecked:
    """The end of `CollectSecret`. The digits stay at the edge. `is_ok` None: nothing was typed in time."""

    session: SessionId
    command: CommandId
    is_ok: bool | None


# --- what people ask for through the control socket -------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequested:
    request: RequestId
    agent: AgentId
    phone: PhoneId


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequested:
    request: RequestId
    agent: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    request: RequestId
    agent: AgentId
    reason: ReasonId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpauseRequested:
    request: RequestId
    agent: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpRequested:
    request: RequestId
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
    | SessionClosed
    | PromptEnded
    | DigitsCollected
    | WaitEnded
    | SecretChecked
    | LoginRequested
    | LogoutRequested
    | PauseRequested
    | UnpauseRequested
    | HangUpRequested
)

"""What the core answers: things to do, in order. The driver performs them after the step and reports what became of them.

A command's id is (sequence number of the input, index in the list), so it is the same in every replay. Verbs of one
AGI session, and actions on one leg, are performed in order.

Ends: a verb (`Say`, `Collect`, `CollectSecret`, `WaitUntil`) ends in its own event; `AnswerCall`, `RingAgent`, `HangUpLeg`
and `ConnectLegs` end in CommandDone, CommandFailed or OutcomeUnknown (RingAgent later also in RingEnded); `EndSession` ends in
SessionClosed; `Store` and `Reply` have no end.
"""

from dataclasses import dataclass
from enum import Enum

from ccserver.core.ids import AgentId, InteractionId, Language, LegId, PhoneId, QueueId, RequestId, SessionId
from ccserver.core.records import Record
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
class CollectSecret:
    """Collect a PIN and check it at the edge, on a thread: the digits reach no event, journal or log."""

    session: SessionId
    agent: AgentId
    say: tuple[Spoken, ...]
    language: Language
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Music until a digit out of `stop_digits`, the time-out (None: none) or a newer verb of the session, which takes its place
    within a second."""

    session: SessionId
    music: str
    timeout_s: float | None = None
    stop_digits: str = ""


class Next(Enum):
    """What the dialplan does when the session is over."""

    HANG_UP = "bye"
    EXTENSION = "goto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """Sets CC_NEXT and closes. `extension` is for Next.EXTENSION: dialled in the site's overflow context. `cause` is the Q.850
    cause for the hang-up of a call that was never answered (17 busy, 21 rejected…)."""

    session: SessionId
    next: Next
    extension: str = ""
    cause: int = 16


# --- actions on legs --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class RingAgent:
    """Originate to the agent's phone; Asterisk itself joins agent and caller on answer.

    `number` (None: withheld) and `name` are shown on the phone: printable, bounded. `recording` is a path without ending, or
    "" for none.
    """

    leg: LegId
    interaction: InteractionId
    agent: AgentId
    phone: PhoneId
    queue: QueueId
    caller: LegId
    caller_channel: str
    number: str | None
    name: str
    ring_timeout_s: float
    max_talk_s: float
    recording: str
    auto_answer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpLeg:
    leg: LegId
    cause: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectLegs:
    """AMI Bridge of two legs that both wait."""

    caller_channel: str
    agent_channel: str


# --- what is told -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Keep a fact for history, exactly once."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one request. A refusal's text says why, and is part of the interface."""

    request: RequestId
    is_ok: bool
    text: str


Command = (
    AnswerCall | Say | Collect | CollectSecret | WaitUntil | EndSession | RingAgent | HangUpLeg | ConnectLegs | Store | Reply
)

"""What one engine lets the others know, within one step. `center` carries them, in the order they were told."""

from dataclasses import dataclass

from ccserver.core.ids import (
    AgentId,
    AttemptId,
    DispositionId,
    FlowId,
    InteractionId,
    LegId,
    NodeId,
    PromptId,
    QueueId,
    RequestId,
    RoomId,
    SessionId,
)
from ccserver.core.records import OfferOutcome
from ccserver.core.settings import Exit

Origin = RequestId | SessionId
"""Who asked: somebody at the control socket (an int), or an agent's phone (a session)."""


# --- from the customer's leg and the queue to interactions ------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SaidNothing:
    """There was nothing to say: what follows the prompt is due."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The customer's leg is the dialplan's now, and does not come back."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class BackToMenu:
    """Out of a queue, on with `node` of the flow it came from (`flow` None), or with another flow from its start (`node` None)."""

    interaction: InteractionId
    flow: FlowId | None
    node: NodeId | None


@dataclass(frozen=True, slots=True)
class CallbackOffered:
    """A queue's exit, or a flow, leads to a callback: the caller is asked for the number. Where a queue's exit (`way`) led to it, they
    do not wait on if nothing comes of it."""

    interaction: InteractionId
    way: Exit | None


@dataclass(frozen=True, slots=True)
class NumberWanted:
    """A queue's exit leads to a number outside; the customer stays ours."""

    interaction: InteractionId
    number: str


@dataclass(frozen=True, slots=True)
class NumberFailed:
    """Nobody answered there."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class ConferenceWanted:
    """A flow leads into a conference. `is_said`: all that comes before it has been said."""

    interaction: InteractionId
    room: RoomId
    is_said: bool = False


@dataclass(frozen=True, slots=True)
class CustomerReached:
    """A customer who is called back has answered."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class FlowReturned:
    """The customer has come to the end of a flow that an agent sent them into. The agent hears `result`."""

    interaction: InteractionId
    result: PromptId


# --- from interactions to agents --------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TalkBegan:
    interaction: InteractionId
    agent: AgentId


@dataclass(frozen=True, slots=True)
class TalkOver:
    """The agent's part of the talk is over. `is_lost`: the agent's line broke, so there is nothing to wrap up."""

    interaction: InteractionId
    agent: AgentId
    queue: QueueId
    is_lost: bool


@dataclass(frozen=True, slots=True)
class OfferOver:
    """An offer ended without a talk. `is_leg_over`: the agent's leg has ended too."""

    interaction: InteractionId
    agent: AgentId
    outcome: OfferOutcome
    is_leg_over: bool


@dataclass(frozen=True, slots=True)
class TalkHeld:
    """`is_consulting`: on hold for a consultation."""

    interaction: InteractionId
    agent: AgentId
    is_held: bool
    is_consulting: bool = False


@dataclass(frozen=True, slots=True)
class WorkMoved:
    """A colleague who was consulted talks with the customer from here on: their work is the customer's interaction."""

    agent: AgentId
    source: InteractionId
    target: InteractionId


@dataclass(frozen=True, slots=True)
class OfferBegan:
    """An agent offers themselves, on a leg that is up: they call a customer back at once."""

    interaction: InteractionId
    agent: AgentId
    queue: QueueId
    leg: LegId


@dataclass(frozen=True, slots=True)
class WorkBegan:
    """An agent talks with a customer who was not offered to them: another phone has transferred them."""

    interaction: InteractionId
    agent: AgentId
    queue: QueueId
    leg: LegId


@dataclass(frozen=True, slots=True)
class CallsBack:
    """What the agent handed on comes back to them: they need not wrap it up yet."""

    agent: AgentId
    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class ConsultFailed:
    """The caller of a consultation would be released, or sent out of the queue: there is nobody for them there."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class AgentLegOver:
    agent: AgentId
    interaction: InteractionId
    leg: LegId


@dataclass(frozen=True, slots=True)
class Joined:
    """A join that was ordered by `Joins.join` has happened: both are in one bridge."""

    interaction: InteractionId
    leg: LegId


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """It did not happen. `is_leg_over`: the leg has ended; else it is somewhere, and who ordered the join decides about it."""

    interaction: InteractionId
    leg: LegId
    is_leg_over: bool
    why: str


@dataclass(frozen=True, slots=True)
class OfferParked:
    """An agent has accepted an offer, and there is no customer to join yet: one who is called back is dialled now."""

    interaction: InteractionId
    agent: AgentId
    leg: LegId


# --- outbound calls -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class CalleeAnswered:
    """Somebody whom a campaign calls is there: joined with the agent who waits, or taken into the campaign's flow."""

    interaction: InteractionId


@dataclass(frozen=True, slots=True)
class AttemptOver:
    """A call is over, or (a machine) nobody needs to wait for it. `interaction`: that in which an agent waits, if any does."""

    attempt: AttemptId
    interaction: InteractionId | None
    is_reached: bool


@dataclass(frozen=True, slots=True)
class OfferWanted:
    """This agent was kept for just that: offered to them past the matcher."""

    interaction: InteractionId
    agent: AgentId
    why: str


@dataclass(frozen=True, slots=True)
class OutboundOver:
    """The story of an interaction with somebody whom a campaign called is told. `agent`: who talked with them; `ended_s`: when they were
    gone (monotonic); `callback_utc_s`: when they want to be called again, `is_own`: by that agent alone."""

    interaction: InteractionId
    attempt: AttemptId | None
    number: str
    agent: AgentId | None
    disposition: DispositionId | None
    talk_s: float
    ended_s: float
    callback_utc_s: float | None
    is_own: bool


# --- from agents to interactions and the matcher ----------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class WrapUpOver:
    """`leg` is the agent's leg, if it still is kept."""

    interaction: InteractionId
    agent: AgentId
    leg: LegId | None


@dataclass(frozen=True, slots=True)
class Disposed:
    interaction: InteractionId
    disposition: DispositionId


# --- from the keypad or the socket to agents, and back ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request. `prompt` is for the ear, `text` for the screen."""

    origin: Origin
    is_ok: bool
    prompt: PromptId
    text: str


Fact = (
    SaidNothing
    | HandedOver
    | BackToMenu
    | CallbackOffered
    | NumberWanted
    | NumberFailed
    | ConferenceWanted
    | CustomerReached
    | FlowReturned
    | TalkBegan
    | TalkOver
    | OfferOver
    | TalkHeld
    | AgentLegOver
    | Joined
    | JoinFailed
    | OfferParked
    | WorkMoved
    | OfferBegan
    | WorkBegan
    | CallsBack
    | ConsultFailed
    | WrapUpOver
    | Disposed
    | CalleeAnswered
    | AttemptOver
    | OfferWanted
    | OutboundOver
    | Answered
)

"""The state machines, each as one table: (state, what happened) -> state.

A row that is not listed raises `IllegalTransition` and leaves everything as it was. Telephony tells things late and twice;
where that is normal the table says so with the same state on both sides and the reason beside it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


class IllegalTransition(Exception):
    """The core was asked for a step that its rules do not have: a bug, never an operator's mistake."""


class InteractionState(Enum):
    MENU = "menu"  # in the IVR
    WAITING = "waiting"  # in a queue
    OFFERED = "offered"  # in a queue, and one agent's phone is called
    TALKING = "talking"
    HELD = "held"  # in the loop again, with music, while the agent consults or somebody else is called
    RETURNING = "returning"  # the talk is over, the customer's leg is on its way back into the loop
    LEAVING = "leaving"  # being released by us; its end is awaited
    GONE = "gone"  # the customer's leg is over; an agent may still wrap up


class InteractionStep(Enum):
    ENQUEUE = "enqueue"
    OFFER = "offer"
    OFFER_FAILED = "offer_failed"
    BRIDGED = "bridged"
    TALK_OVER = "talk_over"
    HOLD = "hold"
    REQUEUE = "requeue"
    BACK_TO_MENU = "back_to_menu"
    RELEASE = "release"
    LEG_ENDED = "leg_ended"


_I, _S = InteractionState, InteractionStep

INTERACTION: Mapping[tuple[InteractionState, InteractionStep], InteractionState] = {
    (_I.MENU, _S.ENQUEUE): _I.WAITING,
    (_I.MENU, _S.RELEASE): _I.LEAVING,
    (_I.MENU, _S.LEG_ENDED): _I.GONE,
    (_I.WAITING, _S.ENQUEUE): _I.WAITING,  # overflow to another queue
    (_I.WAITING, _S.OFFER): _I.OFFERED,
    (_I.WAITING, _S.HOLD): _I.HELD,  # an exit leads outside: somebody is called there
    (_I.WAITING, _S.BACK_TO_MENU): _I.MENU,
    (_I.WAITING, _S.RELEASE): _I.LEAVING,
    (_I.WAITING, _S.LEG_ENDED): _I.GONE,
    (_I.OFFERED, _S.OFFER): _I.OFFERED,  # one more phone rings
    (_I.OFFERED, _S.OFFER_FAILED): _I.WAITING,
    (_I.OFFERED, _S.BRIDGED): _I.TALKING,
    (_I.OFFERED, _S.RELEASE): _I.LEAVING,
    (_I.OFFERED, _S.LEG_ENDED): _I.GONE,
    (_I.TALKING, _S.TALK_OVER): _I.RETURNING,
    (_I.TALKING, _S.LEG_ENDED): _I.GONE,
    (_I.TALKING, _S.HOLD): _I.HELD,
    (_I.HELD, _S.OFFER): _I.OFFERED,  # a transfer is completed, or nobody has the customer
    (_I.HELD, _S.BRIDGED): _I.TALKING,  # back with the agent
    (_I.HELD, _S.REQUEUE): _I.WAITING,
    (_I.HELD, _S.TALK_OVER): _I.RETURNING,
    (_I.HELD, _S.BACK_TO_MENU): _I.MENU,  # the agent sent the customer into a flow
    (_I.HELD, _S.RELEASE): _I.LEAVING,
    (_I.HELD, _S.LEG_ENDED): _I.GONE,
    (_I.MENU, _S.HOLD): _I.HELD,  # out of that flow
    (_I.MENU, _S.BRIDGED): _I.TALKING,  # fetched out of that flow
    (_I.RETURNING, _S.REQUEUE): _I.WAITING,
    (_I.RETURNING, _S.HOLD): _I.HELD,  # the phone's own transfer: where to is being looked for
    (_I.RETURNING, _S.BRIDGED): _I.TALKING,  # the phone's own transfer, told after the end of the phone's leg
    (_I.RETURNING, _S.BACK_TO_MENU): _I.MENU,  # the survey after the talk
    (_I.RETURNING, _S.RELEASE): _I.LEAVING,
    (_I.RETURNING, _S.LEG_ENDED): _I.GONE,
    (_I.LEAVING, _S.RELEASE): _I.LEAVING,  # its session ended and it came back into the loop before its hang-up
    (_I.LEAVING, _S.LEG_ENDED): _I.GONE,
}


class Phase(Enum):
    """What the system observes of one agent's one work item."""

    RINGING = "ringing"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    RELEASING = "releasing"  # all is done but the agent's leg; its end is awaited before another is offered


class PhaseStep(Enum):
    BRIDGED = "bridged"
    TALK_OVER = "talk_over"
    DONE = "done"


_P, _T = Phase, PhaseStep

PHASE: Mapping[tuple[Phase, PhaseStep], Phase] = {
    (_P.RINGING, _T.BRIDGED): _P.TALKING,
    (_P.RINGING, _T.DONE): _P.RELEASING,
    (_P.TALKING, _T.TALK_OVER): _P.WRAP_UP,
    (_P.TALKING, _T.DONE): _P.RELEASING,
    (_P.WRAP_UP, _T.DONE): _P.RELEASING,
    (_P.RELEASING, _T.DONE): _P.RELEASING,  # its leg ends after the wrap-up did
}


class LegState(Enum):
    DIALLED = "dialled"  # asked for; the PBX has not spoken of it
    STARTED = "started"
    RINGING = "ringing"
    UP = "up"


class LegStep(Enum):
    STARTED = "started"
    RINGING = "ringing"
    ANSWERED = "answered"


_L, _E = LegState, LegStep

LEG: Mapping[tuple[LegState, LegStep], LegState] = {
    (_L.DIALLED, _E.STARTED): _L.STARTED,
    (_L.DIALLED, _E.RINGING): _L.RINGING,
    (_L.DIALLED, _E.ANSWERED): _L.UP,
    (_L.STARTED, _E.STARTED): _L.STARTED,  # told twice
    (_L.STARTED, _E.RINGING): _L.RINGING,
    (_L.STARTED, _E.ANSWERED): _L.UP,  # auto-answer skips ringing
    (_L.RINGING, _E.STARTED): _L.RINGING,  # late
    (_L.RINGING, _E.RINGING): _L.RINGING,  # each 180 is one event
    (_L.RINGING, _E.ANSWERED): _L.UP,
    (_L.UP, _E.STARTED): _L.UP,  # late
    (_L.UP, _E.RINGING): _L.UP,  # late
    (_L.UP, _E.ANSWERED): _L.UP,  # told twice
}


def advance(table: Mapping[tuple[S, T], S], state: S, step: T) -> S:
    """The state after `step`.

    Raises IllegalTransition when the table has no such row.
    """
    try:
        return table[state, step]
    except KeyError:
        raise IllegalTransition(f"{type(state).__name__}: no {step.value} from {state.value}") from None

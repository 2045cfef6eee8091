"""Whether an agent could be offered an interaction of some kind now, and if not, what hinders it.

Capacity is counted by kind (those on the line share that of voice) and combined. A work item counts until all of it is over, its
wrap-up and the end of the agent's leg included. What keeps the phone from ringing hinders only what needs it.
"""

from collections.abc import Mapping
from enum import Enum

from ccserver.core.records import PhoneState
from ccserver.core.settings import Settings, WorkMode
from ccserver.core.state import VOICE, Agent, Presence, counted_as

IN_USE = (PhoneState.IN_USE, PhoneState.RINGING)


class Hindrance(Enum):
    """In the order in which they are looked at."""

    REMOVED = "removed"  # no longer in the settings
    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    LEAVING = "leaving"  # logs out, or is not ready, once the present work is over
    BUSY = "busy"  # no room by capacity
    RESERVED = "reserved"  # for a call of a campaign that is on its way
    UNREACHABLE = "unreachable"
    OWN_CALL = "own_call"
    BACK_OFF = "back_off"
    RESTING = "resting"


def capacity(agent: Agent, settings: Settings) -> Mapping[str, int]:
    """How many interactions at once, by the kind they are counted as."""
    own = settings.agents[agent.id].capacity
    return settings.capacity if own is None else own


def has_room(agent: Agent, kind: str, settings: Settings) -> bool:
    """Whether one more interaction of `kind` may be offered, by capacity alone."""
    if len(agent.work) >= settings.combined_capacity:
        return False
    counted = counted_as(kind)
    return sum(counted_as(work.kind) == counted for work in agent.work) < capacity(agent, settings).get(counted, 0)


def hindrance(
    agent: Agent, kind: str, settings: Settings, phone: PhoneState, now_s: float, *, is_kept: bool = False
) -> Hindrance | None:
    """What keeps the agent from being offered an interaction of `kind`; None: nothing does. `is_kept`: it is one that the agent is kept
    for, so that neither that nor a break that waits for it is in the way."""
    if agent.id not in settings.agents:
        return Hindrance.REMOVED
    if agent.presence is Presence.LOGGED_OUT or agent.phone is None:
        return Hindrance.LOGGED_OUT
    if agent.presence is Presence.NOT_READY:
        return Hindrance.NOT_READY
    if (agent.leaves or agent.next_reason is not None) and not is_kept:
        return Hindrance.LEAVING
    if not has_room(agent, kind, settings):
        return Hindrance.BUSY
    if agent.reserved is not None and not is_kept:
        return Hindrance.RESERVED
    if counted_as(kind) == VOICE and (found := _of_the_phone(agent, phone)) is not None:
        return found
    if agent.spared_until_s > now_s:
        return Hindrance.BACK_OFF
    return Hindrance.RESTING if agent.rests_until_s > now_s else None


def _of_the_phone(agent: Agent, phone: PhoneState) -> Hindrance | None:
    """`phone` is as `state.seen_phone` says: a headset's line in use serves nothing else, another phone has more than one."""
    if phone is PhoneState.UNAVAILABLE:
        return Hindrance.UNREACHABLE
    if agent.own_call is not None:
        return Hindrance.OWN_CALL
    is_ours = agent.mode is not WorkMode.HEADSET and any(counted_as(work.kind) == VOICE for work in agent.work)
    return Hindrance.OWN_CALL if phone in IN_USE and not is_ours else None


def kinds_free(agent: Agent, settings: Settings, phone: PhoneState, now_s: float) -> tuple[str, ...]:
    """The kinds (as counted) of which the agent could be offered one now."""
    if len(agent.work) >= settings.combined_capacity or agent.presence is not Presence.READY or agent.id not in settings.agents:
        return ()
    return tuple(k for k in capacity(agent, settings) if hindrance(agent, k, settings, phone, now_s) is None)

"""What a reading of the PBX says about what the core believes. Pure: it finds; the center repairs.

A list is older than the events behind it, so it says nothing about a leg that an event or an unanswered command concerns
since the list was asked for; and a difference counts when it shows in two readings, or in the first one of a new link, before
which events were missed.
"""

from dataclasses import dataclass

from ccserver.core.events import ChannelView, PbxObserved
from ccserver.core.ids import CommandId, LegId, PhoneId, SessionId
from ccserver.core.records import PhoneState
from ccserver.core.state import Leg, Outstanding, Phone, Role
from ccserver.core.step import Step

ANSWER_OVERDUE_S = 60.0
PARKED = "BridgeWait"
"""The application in which legs wait to be joined."""
SPYING = "ChanSpy"
"""The application in which a supervisor's leg hears another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What differs. Legs in the order of their ids, so that every replay repairs in the same order."""

    gone: tuple[LegId, ...] = ()
    unseen: tuple[LegId, ...] = ()
    """Missing for the first time: to be looked at again."""
    seen: tuple[LegId, ...] = ()
    doubts: tuple[ChannelView, ...] = ()
    """In another bridge than ours, or in none, for the first time."""
    bridged: tuple[ChannelView, ...] = ()
    unbridged: tuple[LegId, ...] = ()
    met: tuple[tuple[ChannelView, ChannelView], ...] = ()
    """Customers (first) who talk with somebody whom we neither called nor know."""
    parked: tuple[LegId, ...] = ()
    """Legs that wait to be joined, and were not known to."""
    parked_doubts: tuple[LegId, ...] = ()
    orphans: tuple[LegId, ...] = ()
    """Channels that carry one of our ids and that nobody knows."""
    new_orphans: tuple[LegId, ...] = ()
    stubborn: tuple[LegId, ...] = ()
    """Ordered to end, answered or unknown, and still there."""
    sessions: tuple[SessionId, ...] = ()
    """AGI sessions of channels that the PBX does not have."""
    phones: tuple[tuple[PhoneId, PhoneState], ...] = ()
    phone_doubts: tuple[tuple[PhoneId, PhoneState], ...] = ()
    settled: tuple[CommandId, ...] = ()


def compare(step: Step, view: PbxObserved) -> Findings:
    """Hold `view` against the tables."""
    is_first = step.clockwork.has_fresh_link
    channels = {c.leg: c for c in view.channels}
    awaited = {o.leg for o in step.outstanding.values() if o.leg is not None}

    def is_settled(leg: Leg) -> bool:
        return leg.heard_s < view.asked_at_s and leg.id not in awaited

    legs = sorted((leg for leg in step.legs.values() if leg.id.pbx == view.pbx and is_settled(leg)), key=lambda g: g.id)
    missing = [leg for leg in legs if leg.id not in channels]
    present = [(leg, channels[leg.id]) for leg in legs if leg.id in channels]
    waiting = [leg for leg, c in present if _waits(leg, c) and not leg.is_parked]
    parked = [leg.id for leg in waiting if is_first or leg.doubt == PARKED]
    differing = [(leg, c) for leg, c in present if c.bridge != leg.bridge and not _waits(leg, c)]
    surely = [(leg, c) for leg, c in differing if is_first or leg.doubt == (c.bridge or "")]
    phones = [(phone, state) for phone, state in sorted(view.phones.items()) if _differs(step.phones.get(phone), state, view)]
    sure_phones = [(p, state) for p, state in phones if is_first or p not in step.phones or step.phones[p].doubt is state]
    orphans = sorted(c for c in channels if c.is_ours() and c not in step.legs)
    sessions = sorted(
        s.id for s in step.sessions.values() if s.leg.pbx == view.pbx and s.leg not in channels and s.leg not in step.legs
    )
    return Findings(
        gone=tuple(leg.id for leg in missing if is_first or leg.unseen >= 1),
        unseen=tuple(leg.id for leg in missing if not is_first and leg.unseen == 0),
        seen=tuple(leg.id for leg, c in present if leg.unseen or (leg.doubt is not None and _agrees(leg, c))),
        doubts=tuple(c for leg, c in differing if (leg, c) not in surely),
        bridged=tuple(c for _, c in surely if c.bridge is not None),
        unbridged=tuple(leg.id for leg, c in surely if c.bridge is None),
        met=_met(step, view, [c for leg, c in surely if leg.role is Role.CALLER and c.bridge is not None]),
        parked=tuple(parked),
        parked_doubts=tuple(leg.id for leg in waiting if leg.id not in parked),
        orphans=tuple(c for c in orphans if is_first or c in step.orphans),
        new_orphans=tuple(c for c in orphans if not is_first and c not in step.orphans),
        stubborn=tuple(leg.id for leg, _ in present if leg.is_cancelled),
        sessions=tuple(sessions),
        phones=tuple(sure_phones),
        phone_doubts=tuple(p for p in phones if p not in sure_phones),
        settled=tuple(c for c, o in step.outstanding.items() if _is_overdue(o, view)),
    )


def _met(step: Step, view: PbxObserved, customers: list[ChannelView]) -> tuple[tuple[ChannelView, ChannelView], ...]:
    bridges: dict[str | None, list[ChannelView]] = {c.bridge: [] for c in customers}
    for channel in view.channels:
        if channel.bridge in bridges:
            bridges[channel.bridge].append(channel)
    pairs = [(seen, other) for seen in customers for other in bridges[seen.bridge] if other.leg != seen.leg]
    return tuple(
        (seen, other)
        for seen, other in pairs
        if len(bridges[seen.bridge]) == 2 and other.leg not in step.legs and not other.leg.is_ours()
    )


def _waits(leg: Leg, seen: ChannelView) -> bool:
    """In the dialplan's place for legs that are to be joined. The bridge that it waits in there is of no interest."""
    return leg.role in (Role.AGENT, Role.HEADSET, Role.SUPERVISOR) and seen.is_up and seen.application == PARKED


def _agrees(leg: Leg, seen: ChannelView) -> bool:
    return leg.is_parked if _waits(leg, seen) else seen.bridge == leg.bridge


def _differs(known: Phone | None, state: PhoneState, view: PbxObserved) -> bool:
    return known is None or (known.state is not state and known.changed_s < view.asked_at_s)


def _is_overdue(command: Outstanding, view: PbxObserved) -> bool:
    """Its answer will not come: every edge answers, or says "unknown", long before."""
    return command.sent_s < view.asked_at_s - ANSWER_OVERDUE_S

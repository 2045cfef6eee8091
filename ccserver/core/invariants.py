"""What must hold after every step, whatever happened: checked in tests and simulations, and by whoever doubts a snapshot.

A finding is one sentence about one thing. An empty list means that the state is sound; it does not mean that the state is
what the PBX does: that is the observation's business.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ccserver.core import campaign_invariants
from ccserver.core.acd import ClassKey, Matcher
from ccserver.core.commands import LampState
from ccserver.core.ids import AgentId, AttemptId, CampaignId, InteractionId, LegId, PhoneId, SessionId, WatchId
from ccserver.core.records import PhoneState, VisitOutcome
from ccserver.core.requirements import is_met
from ccserver.core.settings import EVERYBODY, Settings, Strategy, WorkMode
from ccserver.core.state import (
    AGENT_DEADLINES,
    ATTEMPT_DEADLINES,
    CAMPAIGN_DEADLINES,
    CONSULT,
    HAVE_TIME,
    MESSAGE,
    ON_THE_LINE,
    QUEUE_DEADLINES,
    SESSION_DEADLINES,
    SILENCES_MAX,
    VOICE,
    WATCH_DEADLINES,
    Agent,
    Awaited,
    CenterState,
    DeadlineKind,
    HandoverStage,
    Interaction,
    Leg,
    Offer,
    Presence,
    Role,
    Talk,
    TapeStage,
    WatchStage,
    Work,
    counted_as,
)
from ccserver.core.transitions import InteractionState, LegState, Phase

T = TypeVar("T")

ON_HOLD = (InteractionState.HELD, InteractionState.MENU)
HELD_FOR = frozenset(
    {
        HandoverStage.ASKING,
        HandoverStage.TELLING,
        HandoverStage.CONSULTING,
        HandoverStage.BACK,
        HandoverStage.MEETING,
        HandoverStage.DIALLING,
    }
)


ADDED = frozenset(
    {
        HandoverStage.ASKING,
        HandoverStage.TELLING,
        HandoverStage.CONSULTING,
        HandoverStage.BACK,
        HandoverStage.MEETING,
    }
)
"""The stages of an agent who has stepped out of a conference to bring in one more."""


def check(state: CenterState, settings: Settings) -> list[str]:
    """Everything wrong with a state that can be seen from the state alone."""
    return [
        *_interactions(state),
        *_messages(state, settings),
        *_unmeasured(state),
        *_offers(state),
        *_agents(state, settings),
        *_legs(state),
        *_lines(state),
        *_sessions(state),
        *_flows(state),
        *_own_calls(state),
        *_watches(state),
        *_tapes(state),
        *_rooms(state),
        *_lamps(state, settings),
        *_deadlines(state, settings),
        *campaign_invariants.check(state, settings),
        *_totals(state),
        *_idle_pairs(state, settings),
    ]


def check_index(matcher: Matcher, state: CenterState, settings: Settings) -> list[str]:
    """Whether the matcher's index is what the records say."""
    findings = []
    waiting = waiting_work(state)
    if matcher.waiting() != waiting:
        findings.append(f"the index has {_short(matcher.waiting())} waiting, the records {_short(waiting)}")
    if state.clockwork.is_observed:
        sure = _sure(state)
        for kind in dict.fromkeys([*settings.capacity, *(key.kind for key in waiting.values())]):
            free = {agent.id: agent.idle_since_s for agent in sure if is_free(agent, state, settings, kind)}
            known = matcher.free(kind)
            indexed = {agent.id: known[agent.id] for agent in sure if agent.id in known}
            if indexed != free:
                findings.append(f"the index has {_short(indexed)} free for {kind}, the records {_short(free)}")
    return findings


def waiting_work(state: CenterState) -> dict[InteractionId, ClassKey]:
    """What the matcher should have in its index."""
    found = {}
    for it in state.interactions.values():
        if it.can_be_offered() and it.visit is not None:
            visit, kind = it.visit, counted_as(it.kind)
            if visit.only is None:
                found[it.id] = ClassKey(visit.queue, visit.requires, visit.tiers, None, kind)
            else:
                found[it.id] = ClassKey(visit.queue, EVERYBODY, 0, visit.only, kind)
    return found


def is_free(agent: Agent, state: CenterState, settings: Settings, kind: str = VOICE) -> bool:
    """Whether an offer of that kind could be made to the agent now."""
    config = settings.agents.get(agent.id)
    if config is None or agent.presence is not Presence.READY or agent.phone is None or agent.leaves or agent.next_reason:
        return False
    if agent.reserved is not None:
        return False
    if _room(agent, settings, kind) < 1 or max(agent.spared_until_s, agent.rests_until_s) > state.moment.mono_s:
        return False
    if kind != VOICE:
        return True
    if agent.mode is WorkMode.HEADSET:
        line = state.legs.get(agent.line) if agent.line is not None else None
        return agent.own_call is None and line is not None and line.is_parked and not line.is_cancelled
    phone = state.phones.get(agent.phone)
    if agent.own_call is not None:
        return False
    seen = phone.state if phone is not None else PhoneState.UNKNOWN
    is_ours = any(work.kind in ON_THE_LINE for work in agent.work)
    return seen in (PhoneState.IDLE, PhoneState.UNKNOWN) or (is_ours and seen is not PhoneState.UNAVAILABLE)


def _room(agent: Agent, settings: Settings, kind: str) -> int:
    """How many more of a kind the agent could take at once; below 0 where the limits were lowered meanwhile."""
    own = settings.agents[agent.id].capacity if agent.id in settings.agents else None
    limit = (settings.capacity if own is None else own).get(kind, 0)
    taken = [work for work in agent.work if counted_as(work.kind) == kind]
    return min(limit - len(taken), settings.combined_capacity - len(agent.work))


def could_take(agent: AgentId, it: Interaction, state: CenterState, settings: Settings) -> bool:
    """Whether the agent is one of those who may take it now, by its requirements, its queue's members and tiers."""
    visit = it.visit
    if visit is None or agent not in settings.agents:
        return False
    if visit.only is not None:
        return visit.only == agent
    queue = settings.queues.get(visit.queue) or state.versions[it.version].queues[visit.queue]
    live = state.agents[agent].skills if agent in state.agents else {}
    skills = {**settings.agents[agent].skills, **live}
    if not is_met(visit.requires, skills) or (queue.members and agent not in queue.members):
        return False
    if queue.strategy is not Strategy.TIERS or not queue.tiers:
        return True
    opened = queue.tiers[: visit.tiers]
    return any((not tier.agents or agent in tier.agents) and is_met(tier.requires, skills) for tier in opened)


def _sure(state: CenterState) -> list[Agent]:
    """Without those whose back-off or rest is over, but whose deadline has not been handled yet: free or not, both are right."""
    due = {name for kind, name in state.deadlines if kind is DeadlineKind.SPARED or kind is DeadlineKind.REST}
    return [agent for agent in state.agents.values() if agent.id not in due]


def _count(things: Iterable[T]) -> dict[T, int]:
    """How many of each, 0 for what is not there. A `Counter` takes longer to make than these few take to count."""
    found: defaultdict[T, int] = defaultdict(int)
    for each in things:
        found[each] += 1
    return found


def _interactions(state: CenterState) -> Iterator[str]:
    for it in state.interactions.values():
        name = f"interaction {it.id} ({it.state.value})"
        if it.visit is not None and it.state not in (InteractionState.WAITING, InteractionState.OFFERED):
            yield f"{name} has a visit to a queue"
        if it.visit is None and it.state is InteractionState.OFFERED:
            yield f"{name} has no visit to a queue"
        if it.visit is None and it.state is InteractionState.WAITING and it.after is None:
            yield f"{name} waits in no queue, and nothing is to follow"
        if not it.offers and it.state is InteractionState.OFFERED:
            yield f"{name} has no offer"
        # Who was told who called while the link was lost leaves; the agents' phones are ended when it is back.
        is_given_up = it.outbound is not None and it.outbound.is_reached and it.state is InteractionState.LEAVING
        if it.offers and it.state not in (InteractionState.OFFERED, InteractionState.GONE) and not is_given_up:
            yield f"{name} has an offer"
        has_party = it.talk is not None or it.guest is not None
        if has_party != (it.state is InteractionState.TALKING) and not (has_party and it.state in ON_HOLD):
            yield f"{name} has {'a' if has_party else 'no'} talk"
        yield from _handover(it, name)
        if it.state is InteractionState.GONE:
            yield from _gone(it, name)
        elif it.leg is not None:
            leg = state.legs.get(it.leg)
            if leg is None and it.left is not None:
                yield from _without_customer(it, name)
            elif leg is None:
                yield f"{name}: its leg {it.leg.uniqueid} is not known"
            elif it.kind == CONSULT:
                if leg.interaction != it.parent or leg.role not in (Role.AGENT, Role.HEADSET):
                    yield f"{name}: its leg {it.leg.uniqueid} is no agent's of interaction {it.parent}"
            elif leg.interaction != it.id or leg.role is not (Role.CALLEE if _is_sought(it) else Role.CALLER):
                yield f"{name}: its leg {it.leg.uniqueid} is the {leg.role.value} of interaction {leg.interaction}"
        for ringing in (state.legs.get(offer.leg) for offer in it.offers if offer.leg is not None):
            # A headset's line does not ring: an offer on it ends when the line is parked again.
            rings = ringing is not None and ringing.role is Role.AGENT and not ringing.is_cancelled
            if it.state is InteractionState.GONE and ringing is not None and rings:
                yield f"{name}: agent {ringing.agent}'s phone goes on ringing for it"
        if it.id >= state.clockwork.next_interaction:
            yield f"{name}: the next number is {state.clockwork.next_interaction}"
        for wrapping in it.wrapping:
            if not _has_work(state, wrapping.agent, it.id, Phase.WRAP_UP):
                yield f"{name}: agent {wrapping.agent} is not in wrap-up for it"


def _messages(state: CenterState, settings: Settings) -> Iterator[str]:
    """A message waits, is heard by one agent, or is over; and it is asked again whether it may be offered."""
    for it in state.interactions.values():
        left, name = it.message, f"message {it.id} ({it.state.value})"
        if (left is not None) != (it.kind == MESSAGE):
            yield f"interaction {it.id} of kind {it.kind} has {'a' if left else 'no'} message"
        if left is None or it.state is InteractionState.GONE:
            continue
        if it.state not in (InteractionState.WAITING, InteractionState.OFFERED, InteractionState.TALKING) or it.leg is not None:
            yield f"{name} is where no message can be"
        is_offered = left.listener is not None and it.offer_on(left.listener) is not None
        is_taken = it.talk is not None and it.talk.leg == left.listener
        if left.listener is not None and not (is_offered or is_taken):
            yield f"{name} is heard on leg {left.listener.uniqueid}, which is nobody's for it"
        if is_offered and (DeadlineKind.TAKEN, str(it.id)) not in state.deadlines:
            yield f"{name} is heard by an agent who never takes it"
        queue = settings.queues.get(it.queue) if it.queue is not None else None
        if queue is not None and queue.hours is not None and (DeadlineKind.MESSAGE, str(it.id)) not in state.deadlines:
            yield f"{name} is in a queue with hours, which are not looked at again"


def _unmeasured(state: CenterState) -> Iterator[str]:
    """A message that is over is being measured, and nobody records into its file again."""
    recorded = {session.message.path for session in state.sessions.values() if session.message is not None}
    for path, one in state.unmeasured.items():
        leg = state.legs.get(one.leg)
        is_over = leg is None or leg.session in state.sessions
        awaited = state.outstanding.get(one.command) if one.command is not None else None
        if path != one.message.path or path in recorded:
            yield f"the message {path} has a file that is not its own"
        if is_over and (awaited is None or awaited.what is not Awaited.MEASURE):
            yield f"the message {path} is over, and is not measured"


def _handover(it: Interaction, name: str) -> Iterator[str]:
    """An interaction is out of a talk for a reason, and a reason has its state."""
    stage = it.handover.stage if it.handover is not None else None
    is_led_out = it.handover is None and it.guest is not None
    if it.kind != CONSULT and it.state is InteractionState.HELD and stage not in HELD_FOR and not is_led_out:
        yield f"{name} is on hold for nothing ({stage})"
    is_added = it.stepped_out() is not None and stage in ADDED
    if stage in HELD_FOR and it.state not in (InteractionState.HELD, InteractionState.GONE) and not is_added:
        yield f"{name} is not on hold, but {stage.value if stage else ''}"
    if stage is HandoverStage.ERRAND and it.state is not InteractionState.MENU:
        yield f"{name} is on an errand"
    if it.talk is not None and it.state is InteractionState.MENU and stage is not HandoverStage.ERRAND:
        yield f"{name} is in a menu with an agent's talk"
    if it.room and it.state not in (InteractionState.TALKING, InteractionState.HELD):
        yield f"{name} is in the room {it.room}"
    if it.tracks and not (it.room and any(talk.is_apart and talk.recording for talk in it.talks())):
        yield f"{name} has tracks of a conference that is not recorded"


def _without_customer(it: Interaction, name: str) -> Iterator[str]:
    """The customer has left a conference: an agent and one more talk on in it."""
    if not it.room or it.state is not InteractionState.TALKING or it.handover is not None:
        yield f"{name} goes on without its customer"
    if it.talk is None or len(it.talks()) + len(it.guests()) < 2:
        yield f"{name} goes on without its customer, and nobody talks"


def _gone(it: Interaction, name: str) -> Iterator[str]:
    if not it.wrapping and not it.offers:
        yield f"{name} is over but was not told and forgotten"
    if it.outcome is None or it.ended is None:
        yield f"{name} has no outcome"


def _has_work(state: CenterState, agent: AgentId, interaction: InteractionId, phase: Phase) -> bool:
    known = state.agents.get(agent)
    return known is not None and any(work.interaction == interaction and work.phase is phase for work in known.work)


def _offers(state: CenterState) -> Iterator[str]:
    """One agent per interaction, one leg that could be joined: a second would take the caller out of the first."""
    for it in state.interactions.values():
        parts: list[tuple[str, Offer | Talk, Phase]] = [("offer", offer, Phase.RINGING) for offer in it.offers]
        parts += [("talk", talk, Phase.TALKING) for talk in it.talks()]
        for what, part, phase in parts:
            name = f"interaction {it.id}: its {what}"
            leg_of = state.legs.get(part.leg) if part.leg is not None else None
            if part.leg is None:
                if it.kind in ON_THE_LINE:
                    yield f"{name} has no leg"
            elif leg_of is None or leg_of.interaction != it.id or leg_of.agent != part.agent:
                yield f"{name} names leg {part.leg.uniqueid}, which is not agent {part.agent}'s for it"
            if not _has_work(state, part.agent, it.id, phase):
                yield f"{name} names agent {part.agent}, who is not {phase.value} for it"
        joins = {offer.leg for offer in it.offers if not offer.waits}
        joining = state.legs.get(it.joining) if it.joining is not None else None
        is_taken_over = joining is not None and joining.role is Role.SUPERVISOR
        is_talking = it.talk is not None and it.state is InteractionState.TALKING and not is_taken_over
        joins |= {leg for leg in (it.joining, it.talk.leg if it.talk and is_talking else None) if leg is not None}
        if len(joins) > 1 or (len(it.offers) > 1 and not all(offer.waits for offer in it.offers)):
            yield f"interaction {it.id} has {len(joins)} legs that could be joined, {len(it.offers)} offers"
        if it.joining is not None:
            yield from _joining(state, it, it.joining)


def _joining(state: CenterState, it: Interaction, leg_id: LegId) -> Iterator[str]:
    """A join that was ordered ends by its deadline, or by the end of its leg."""
    leg = state.legs.get(leg_id)
    if leg is None or leg.interaction != it.id:
        yield f"interaction {it.id} is being joined with leg {leg_id.uniqueid}, which is not its own"
    elif leg.is_parked:
        yield f"interaction {it.id} is being joined with leg {leg_id.uniqueid}, which is parked"
    elif not leg.is_cancelled and (DeadlineKind.JOIN, str(it.id)) not in state.deadlines:
        yield f"interaction {it.id} is being joined without a deadline"


def _overload(agent: Agent, settings: Settings) -> Iterator[str]:
    """More than the limits allow. They may have been lowered while the agent worked; so one alone is never too many."""
    if len(agent.work) < 2:
        return
    kinds = _count(counted_as(work.kind) for work in agent.work)
    if any(count > 1 and _room(agent, settings, kind) < 0 for kind, count in kinds.items()):
        yield f"agent {agent.id} has {len(agent.work)} interactions at once: {dict(kinds)}"


def _agents(state: CenterState, settings: Settings) -> Iterator[str]:
    at_phone: dict[PhoneId, AgentId] = {}
    for agent in state.agents.values():
        name = f"agent {agent.id}"
        if (agent.phone is None) != (agent.presence is Presence.LOGGED_OUT):
            yield f"{name} is {agent.presence.value} with phone {agent.phone}"
        if agent.phone is not None:
            other = at_phone.setdefault(agent.phone, agent.id)
            if other != agent.id:
                yield f"{name} and agent {other} are both at {agent.phone}"
        yield from _overload(agent, settings)
        for work in agent.work:
            yield from _work(state, agent, work)
        if agent.shown is None and agent.presence is not Presence.LOGGED_OUT:
            yield f"{name} is shown as nothing"


def _work(state: CenterState, agent: Agent, work: Work) -> Iterator[str]:
    name, phase, leg = f"agent {agent.id}", work.phase, work.leg
    it = state.interactions.get(work.interaction)
    if phase is Phase.RELEASING:
        if leg is None:
            if (DeadlineKind.RELEASE, agent.id) not in state.deadlines:
                yield f"{name} waits for an idle phone without a deadline"
        elif leg not in state.legs:
            yield f"{name} waits for the end of a leg that is over"
        elif work.released_from is Phase.RINGING and _waits_or_rings(state.legs[leg]):
            yield f"{name} waits for the end of leg {leg.uniqueid}, which was not asked for"
    elif it is None:
        yield f"{name} is {phase.value} for an interaction that is over"
    elif phase is Phase.RINGING:
        if not any(offer.agent == agent.id and offer.leg == leg for offer in it.offers):
            yield f"{name} is ringing, and interaction {it.id} is not offered to them"
    elif phase is Phase.TALKING:
        if not any(talk.agent == agent.id and talk.leg == leg for talk in it.talks()):
            yield f"{name} is talking, and interaction {it.id} does not talk with them"
    elif phase is Phase.WRAP_UP:
        if not any(wrapping.agent == agent.id for wrapping in it.wrapping):
            yield f"{name} is in wrap-up, and interaction {it.id} does not wait for it"
        if (DeadlineKind.WRAP_UP, agent.id) not in state.deadlines:
            yield f"{name} is in wrap-up without a deadline"
        if leg is not None and leg not in state.legs:
            yield f"{name} is in wrap-up on a leg that is over"


def _waits_or_rings(leg: Leg) -> bool:
    """And nobody asked for its end, which then will not come in time."""
    is_ringing = leg.role is Role.AGENT and (leg.is_parked or leg.state is not LegState.UP)
    return is_ringing and not leg.is_cancelled and not leg.is_dial_over


def _legs(state: CenterState) -> Iterator[str]:
    callers = _count(it.leg for it in state.interactions.values() if it.leg and it.state is not InteractionState.GONE)
    for shared in (leg for leg, count in callers.items() if count > 1):
        yield f"leg {shared.uniqueid} is the caller of {callers[shared]} interactions"
    cared_for = {work.leg for agent in state.agents.values() for work in agent.work}
    for leg in state.legs.values():
        name = f"leg {leg.id.uniqueid} ({leg.role.value})"
        if leg.session is not None and leg.session not in state.sessions:
            yield f"{name} has a session that is over"
        if leg.role is Role.CALLER and leg.id not in callers:
            yield f"{name} belongs to no interaction"
        if leg.role is Role.AGENT and leg.id not in cared_for and not leg.is_cancelled:
            yield f"{name} is nobody's work, and its end was not asked for"
        if leg.role is Role.AGENT and not leg.id.is_ours() and leg.id not in cared_for:
            yield f"{name} is not of our making"
        if leg.id in state.hung_up:
            yield f"{name} is known to be over"


def _rooms(state: CenterState) -> Iterator[str]:
    """A conference lasts as long as somebody is in it, or for as long as it waits for the first; its members' legs live."""
    inside = _count(member.room for member in state.members.values() if member.number)
    for room in state.rooms.values():
        if not inside[room.name] and (room.members or not room.made_by):
            yield f"conference {room.name} goes on without anybody"
        if room.id >= state.clockwork.next_interaction or room.id in state.interactions:
            yield f"conference {room.name} has the number {room.id} of something else"
    for member in state.members.values():
        if member.leg not in state.legs:
            yield f"a member of {member.room} has no leg {member.leg.uniqueid}"
        if member.number and member.room not in state.rooms:
            yield f"{member.leg.uniqueid} is in a conference {member.room} that does not go on"
    for leg in state.legs.values():
        if leg.role is Role.ROOM and leg.interaction is not None:
            yield f"leg {leg.id.uniqueid} is in a conference, and in interaction {leg.interaction}"


def _lamps(state: CenterState, settings: Settings) -> Iterator[str]:
    """What phones show is what is: an agent's lamp is off when logged out, a queue's when nobody waits on a line.
    An upgraded snapshot has none yet."""
    if not (state.lamps and state.clockwork.is_linked and state.clockwork.is_observed):
        return
    waiting = [it for it in state.interactions.values() if it.visit is not None and not _is_sought(it)]
    visited = _count(it.visit.queue for it in waiting if it.visit is not None)
    called_back = _count(it.visit.queue for it in waiting if it.visit is not None and it.kind in HAVE_TIME)
    off = {f"queue-{queue}": not visited[queue] for queue in state.queues if not called_back[queue]}
    for agent in state.agents.values():
        is_working = any(work.phase is not Phase.RELEASING or work.released_from for work in agent.work)
        off[f"agent-{agent.id}"] = agent.presence is Presence.LOGGED_OUT and not is_working
    for lamp, is_off in off.items():
        shown = state.lamps.get(lamp)
        if shown is None or (shown is LampState.OFF) is not is_off:
            yield f"lamp {lamp} is {shown.value if shown is not None else 'not set'}"


def _is_sought(it: Interaction) -> bool:
    """Nobody waits yet: an agent is looked for, to call somebody."""
    return it.outbound is not None and not it.outbound.is_reached


def _own_calls(state: CenterState) -> Iterator[str]:
    """A phone's own call lasts as long as its leg, and keeps offers from its agent no longer."""
    for leg in state.own_calls:
        if leg not in state.legs or state.legs[leg].role is not Role.OWN:
            yield f"own call {leg.uniqueid} has no leg of its own"
    for agent in state.agents.values():
        if agent.own_call is not None and agent.own_call not in state.own_calls:
            yield f"agent {agent.id} is on an own call that is over"


def _watches(state: CenterState) -> Iterator[str]:
    """A supervisor's leg has one session, and a session hears only what is on record; it never waits for ever."""
    watched = _count(watch.leg for watch in state.watches.values() if watch.leg is not None)
    for leg in state.legs.values():
        if leg.role is Role.SUPERVISOR and watched[leg.id] != 1 and not leg.is_cancelled:
            yield f"leg {leg.id.uniqueid} is a supervisor's of {watched[leg.id]} sessions"
    for watch in state.watches.values():
        name = f"supervision {watch.id} ({watch.stage.value})"
        leg_of = state.legs.get(watch.leg) if watch.leg is not None else None
        if leg_of is None and watch.stage is not WatchStage.ASKED:
            yield f"{name} has no leg"
        heard = watch.hears
        if heard is not None and watch.stage is not WatchStage.READY:
            yield f"{name} hears a talk"
        if heard is not None and leg_of is not None and leg_of.is_parked:
            yield f"{name} hears a talk while its leg is parked"
        if heard is not None and watch.allowed is None:
            yield f"{name} hears what is not on record"
        if watch.asking is not None and (DeadlineKind.AUDIT, str(watch.id)) not in state.deadlines:
            yield f"{name} waits for the audit log without a deadline"
        has_deadline = any((kind, str(watch.id)) in state.deadlines for kind in WATCH_DEADLINES)
        is_ending = leg_of is not None and leg_of.is_cancelled
        is_moving = watch.stage in (WatchStage.ASKED, WatchStage.COMING, WatchStage.TOLD, WatchStage.OVER)
        if is_moving and not has_deadline and not is_ending:
            yield f"{name} waits without a deadline"
        if watch.stage is WatchStage.TAKING and leg_of is not None and leg_of.interaction is None:
            yield f"{name} takes nothing over"


def _tapes(state: CenterState) -> Iterator[str]:
    """Of a recording nothing is heard that is not on record, and nobody waits for one for ever."""
    for session in state.sessions.values():
        tape = session.tape
        if tape is None:
            continue
        if tape.awaits is not None and (DeadlineKind.TAPE, session.id) not in state.deadlines:
            yield f"session {session.id} waits for a recording without a deadline"
        if tape.since is not None and (tape.opened is None or tape.stage is TapeStage.ASKED):
            yield f"session {session.id} hears a recording that is not on record"


def _lines(state: CenterState) -> Iterator[str]:
    """A headset's line belongs to its agent and does one thing at a time."""
    for agent in state.agents.values():
        if (agent.mode is WorkMode.HEADSET) and agent.presence is Presence.LOGGED_OUT:
            yield f"agent {agent.id} is logged out with a headset"
        if agent.line is None:
            continue
        line = state.legs.get(agent.line)
        if line is None or line.role is not Role.HEADSET or line.agent != agent.id:
            yield f"agent {agent.id} has a line {agent.line.uniqueid} that is none"
    for leg in state.legs.values():
        it = state.interactions.get(leg.interaction) if leg.interaction is not None else None
        talking = it is not None and it.state is InteractionState.TALKING and it.talk is not None and it.talk.leg == leg.id
        if leg.is_parked and (talking or (leg.bridge is not None and it is not None and leg.bridge == _bridge_of(state, it))):
            yield f"leg {leg.id.uniqueid} is parked and talks"
        if leg.is_parked and leg.role is Role.AGENT and not leg.is_cancelled and (it is None or it.offer_on(leg.id) is None):
            yield f"leg {leg.id.uniqueid} is parked, and nobody is offered to it"


def _bridge_of(state: CenterState, it: Interaction) -> str | None:
    caller = state.legs.get(it.leg) if it.leg is not None else None
    return caller.bridge if caller is not None else None


def _sessions(state: CenterState) -> Iterator[str]:
    answering = {asked.leg for asked in state.outstanding.values()}
    for session in state.sessions.values():
        leg = state.legs.get(session.leg)
        # Without its leg, or with a newer session on it, only the end of the connection is to come.
        is_current = leg is not None and leg.session == session.id
        # Back from a bridge before the news of the agent's leg: that news, or a deadline, goes on with it.
        is_back = leg is not None and (DeadlineKind.RETURN, str(leg.interaction)) in state.deadlines
        own = state.interactions.get(leg.interaction) if leg is not None and leg.interaction is not None else None
        is_back = is_back or (own is not None and own.joining == session.leg)
        # Ordered from the desk into the conference, with a deadline of its own.
        is_back = is_back or (own is not None and own.stepped_out() == session.leg and own.outside() is None)
        # In a bridge already: the end of the connection, which comes over another socket, is about to be told.
        is_back = is_back or (leg is not None and leg.bridge is not None)
        # A customer on hold for whom no music can be played, which was tried: the hold has its deadline.
        is_back = is_back or (session.silences >= SILENCES_MAX and own is not None and own.state is InteractionState.HELD)
        is_silent = session.verb is None and not session.is_ending and session.leg not in answering and not is_back
        if is_current and is_silent and state.clockwork.is_observed:
            yield f"session {session.id} ({session.dialogue.value}) has been given nothing to do"


def _flows(state: CenterState) -> Iterator[str]:
    """Who is in a flow has something that will end: a verb, a command, a look-up with its deadline; or is on the way back into the
    dialplan's loop, which brings a new session or the end of the leg."""
    answering = {asked.leg for asked in state.outstanding.values()}
    for it in state.interactions.values():
        name, is_due = f"interaction {it.id} ({it.state.value})", (DeadlineKind.LOOK_UP, str(it.id)) in state.deadlines
        if is_due is not (it.look_up is not None and it.state is InteractionState.MENU):
            yield f"{name} has {'a' if is_due else 'no'} deadline for a look-up, and awaits {it.look_up}"
        if it.state is not InteractionState.MENU:
            continue
        leg = state.legs.get(it.leg) if it.leg is not None else None
        session = state.sessions.get(leg.session) if leg is not None and leg.session is not None else None
        if it.flow is None or it.node is None or leg is None:
            yield f"{name} is in no flow, or without a leg: flow {it.flow}, node {it.node}"
        elif session is not None and not session.is_ending and not session.verb and not is_due and leg.id not in answering:
            yield f"{name} is at node {it.node} of the flow {it.flow}, where nothing will end"


def _deadlines(state: CenterState, settings: Settings) -> Iterator[str]:
    """Whatever waits for something outside has a time after which it waits no longer; and no time outlives its thing."""
    due = state.deadlines
    needed = {
        InteractionState.RETURNING: (DeadlineKind.RETURN,),
        InteractionState.LEAVING: (DeadlineKind.LEAVE,),
        InteractionState.TALKING: (DeadlineKind.MAX_TALK, DeadlineKind.RETURN),
        InteractionState.HELD: (DeadlineKind.HELD,),
    }
    for it in state.interactions.values():
        party = it.talk or it.guest
        kinds, awaited = needed.get(it.state), party.leg if party is not None else it.leg
        leg = state.legs.get(awaited) if awaited is not None else None
        caller = state.legs.get(it.leg) if it.leg is not None else None
        is_ending = any(ended is not None and ended.is_cancelled for ended in (leg, caller))
        if it.offers:
            kinds = (DeadlineKind.RING_GUARD,)
            is_ending = all(_is_awaited_elsewhere(state, it, offer) for offer in it.offers)
        if kinds is not None and not is_ending and not any((kind, str(it.id)) in due for kind in kinds):
            yield f"interaction {it.id} is {it.state.value} without a deadline ({kinds[0].value})"
        if it.stepped_out() is not None and not is_ending and (DeadlineKind.HELD, str(it.id)) not in due:
            yield f"interaction {it.id}: its agent has stepped out without a deadline"
        rests = it.callback is not None and not it.callback.is_reached and it.state is InteractionState.WAITING
        if rests and it.leg is None and (DeadlineKind.CALLBACK, str(it.id)) not in due:
            yield f"interaction {it.id} is to be called back, and never will be"
        if it.is_missing and it.state is InteractionState.WAITING and (DeadlineKind.RETURN, str(it.id)) not in due:
            yield f"interaction {it.id} is missing without a deadline"
        queue = settings.queues.get(it.visit.queue) if it.visit is not None else None
        has_limit = queue is not None and queue.max_wait_s is not None and it.version == state.version and it.holds_the_line()
        is_limited = it.state is InteractionState.WAITING and has_limit and it.after is None
        if is_limited and (DeadlineKind.MAX_WAIT, str(it.id)) not in due:
            yield f"interaction {it.id} waits without its longest time"
    for kind, name in due:
        if kind in AGENT_DEADLINES:
            agent = state.agents.get(AgentId(name))
            if agent is None:
                yield f"the deadline {kind.value} is for agent {name}, who is not known"
            elif kind is DeadlineKind.WRAP_UP and not any(work.phase is Phase.WRAP_UP for work in agent.work):
                yield f"agent {name} has a deadline for a wrap-up that is over"
        elif kind in QUEUE_DEADLINES:
            if name not in settings.queues:
                yield f"the deadline {kind.value} is for queue {name}, which is not known"
        elif kind in SESSION_DEADLINES:
            if SessionId(name) not in state.sessions:
                yield f"the deadline {kind.value} is for session {name}, which is over"
        elif kind in WATCH_DEADLINES:
            if WatchId(int(name)) not in state.watches:
                yield f"the deadline {kind.value} is for supervision {name}, which is over"
        elif kind in CAMPAIGN_DEADLINES:
            if CampaignId(name) not in state.campaigns:
                yield f"the deadline {kind.value} is for campaign {name}, which is not known"
        elif kind in ATTEMPT_DEADLINES:
            if AttemptId(name) not in state.attempts:
                yield f"the deadline {kind.value} is for attempt {name}, which is over"
        elif InteractionId(int(name)) not in state.interactions:
            yield f"the deadline {kind.value} is for interaction {name}, which is over"


def _is_awaited_elsewhere(state: CenterState, it: Interaction, offer: Offer) -> bool:
    if offer.leg is None:
        return False
    leg = state.legs.get(offer.leg)
    return leg is None or leg.is_cancelled or offer.leg in (it.joining, it.listener())


def _totals(state: CenterState) -> Iterator[str]:
    """Each visit to a queue ends in exactly one way, or has not ended."""
    open_visits = _count(it.visit.queue for it in state.interactions.values() if it.visit is not None and not _is_sought(it))
    messages = _count(it.visit.queue for it in state.interactions.values() if it.visit is not None and it.kind == MESSAGE)
    for queue, counters in state.queues.items():
        ended = sum(counters.outcomes.values())
        if counters.offered != ended + open_visits[queue]:
            yield f"queue {queue}: {counters.offered} offered, {ended} ended and {open_visits[queue]} waiting"
        if counters.messages != messages[queue]:
            yield f"queue {queue}: {counters.messages} messages counted, {messages[queue]} waiting"
        answered = counters.outcomes.get(VisitOutcome.ANSWERED, 0)
        if counters.within_service_level > answered:
            yield f"queue {queue}: {counters.within_service_level} in time, {answered} answered"
    for queue in open_visits:
        if queue not in state.queues:
            yield f"queue {queue} has callers and no counters"


def _idle_pairs(state: CenterState, settings: Settings) -> Iterator[str]:
    """Nobody waits for an agent who could take the call now."""
    if not (state.clockwork.is_linked and state.clockwork.is_observed):
        return
    sure = _sure(state)
    seen: dict[ClassKey, None] = {}
    for interaction_id, key in waiting_work(state).items():
        if key in seen:
            continue
        seen[key] = None
        for agent in sure:
            is_able = could_take(agent.id, state.interactions[interaction_id], state, settings)
            if is_able and is_free(agent, state, settings, key.kind):
                yield f"queue {key.queue} has callers waiting while agent {agent.id} could take one"
                break


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else text[:397] + "..."

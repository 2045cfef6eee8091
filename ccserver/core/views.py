"""What people are shown of the state: plain values for status, top, metrics and the wallboard."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.core import campaign_views, figures
from ccserver.core.acd.urgency import Place, place
from ccserver.core.agents import shown_state
from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.ids import AgentId, DispositionId, InteractionId, LegId, PhoneId, QueueId, ReasonId, WatchId
from ccserver.core.moment import Moment
from ccserver.core.records import ShownState, VisitOutcome
from ccserver.core.settings import QueueSettings, Settings, WatchMode, WorkMode
from ccserver.core.state import CALLBACK, MESSAGE, VOICE, CenterState, Interaction, QueueCounters, Visit, Watch, seen_phone
from ccserver.core.stats import service_level


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    """One caller who waits. `position` counts from 1; `ringing` is the agent whose phone rings for them."""

    number: InteractionId
    caller_number: str | None
    caller_name: str
    wait_s: float
    position: int
    ringing: AgentId | None
    kind: str = VOICE


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """`longest_wait_s` is of people: a message may lie there for a night. `outcomes` and `offered` are totals since the beginning of the
    history; `service_level` is 0 to 1."""

    id: QueueId
    name: str
    waiting: tuple[WaitingView, ...]
    longest_wait_s: float
    offered: int
    outcomes: Mapping[VisitOutcome, int]
    within_service_level: int
    answered_wait_s: float
    service_level: float | None
    talking: int
    agents_ready: int
    agents_logged_in: int
    callbacks_waiting: int = 0
    """Of `waiting`, those who are called back."""
    messages_waiting: int = 0
    """Of `waiting`, what callers have left."""
    closed_by: str | None = None
    """Who closed the queue by hand; None: nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """`own_call` is the number that the phone called by itself. What is `_today` is of the day of the site's time zone, and of
    what is over, but for the time logged in."""

    id: AgentId
    name: str
    state: ShownState
    reason: ReasonId | None
    since_s: float
    phone: PhoneId | None
    interaction: InteractionId | None
    mode: WorkMode = WorkMode.DESK
    own_call: str | None = None
    rest_left_s: float = 0.0
    calls_today: int = 0
    missed_today: int = 0
    talk_today_s: float = 0.0
    wrap_up_today_s: float = 0.0
    logged_in_today_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One live interaction. `since_s` is how long ago it arrived."""

    number: InteractionId
    state: str
    leg: LegId | None
    did: str
    caller_number: str | None
    caller_name: str
    language: str
    queue: QueueId | None
    agent: AgentId | None
    since_s: float
    wait_s: float
    disposition: DispositionId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchView:
    """A supervisor's session. `interaction`: what is heard just now."""

    id: WatchId
    by: str
    phone: PhoneId
    agent: AgentId | None
    queue: QueueId | None
    mode: WatchMode
    interaction: InteractionId | None
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    is_linked: bool
    is_observed: bool
    at_utc_s: float
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]
    calls: tuple[CallView, ...]
    repairs: int
    faults: int
    watches: tuple[WatchView, ...] = ()
    campaigns: tuple[CampaignView, ...] = ()
    trunks: tuple[TrunkView, ...] = ()


def overview(state: CenterState, settings: Settings, now: Moment) -> Overview:
    """Everything that is shown, as of `now`."""
    agents = tuple(_agent(state, settings, agent, now) for agent in sorted(settings.agents))
    return Overview(
        is_linked=state.clockwork.is_linked,
        is_observed=state.clockwork.is_observed,
        at_utc_s=now.utc_s,
        queues=tuple(_queue(state, settings, queue, agents, now) for queue in sorted({*settings.queues, *state.queues})),
        agents=agents,
        calls=tuple(_call(i, now) for _, i in sorted(state.interactions.items())),
        repairs=state.clockwork.repairs,
        faults=state.clockwork.faults,
        watches=tuple(_watch(watch, now) for _, watch in sorted(state.watches.items())),
        campaigns=campaign_views.campaigns(state, settings, now),
        trunks=campaign_views.trunks(state, settings, now.mono_s),
    )


def _watch(watch: Watch, now: Moment) -> WatchView:
    return WatchView(
        id=watch.id,
        by=watch.by,
        phone=watch.phone,
        agent=watch.agent,
        queue=watch.queue,
        mode=watch.mode,
        interaction=watch.hears.interaction if watch.hears is not None else None,
        since_s=now.mono_s - watch.since.mono_s,
    )


def _agent(state: CenterState, settings: Settings, agent_id: AgentId, now: Moment) -> AgentView:
    agent = state.agents.get(agent_id)
    name = settings.agents[agent_id].name
    if agent is None:
        return AgentView(
            id=agent_id, name=name, state=ShownState.LOGGED_OUT, reason=None, since_s=0.0, phone=None, interaction=None
        )
    phone = state.phones.get(agent.phone) if agent.phone is not None else None
    line = state.legs.get(agent.line) if agent.line is not None else None
    shown = shown_state(agent, seen_phone(agent, phone, line), now.mono_s)
    today = figures.as_of(agent.figures, now, settings.timezone)
    own_call = state.own_calls.get(agent.own_call) if agent.own_call is not None else None
    return AgentView(
        id=agent_id,
        name=name,
        state=shown,
        reason=agent.reason if shown is ShownState.NOT_READY else None,
        since_s=now.mono_s - agent.shown_since.mono_s,
        phone=agent.phone,
        interaction=agent.work[0].interaction if agent.work else None,
        mode=agent.mode,
        own_call=own_call.to if own_call is not None else None,
        rest_left_s=max(0.0, agent.rests_until_s - now.mono_s) if shown is ShownState.RESTING else 0.0,
        calls_today=today.calls,
        missed_today=today.missed,
        talk_today_s=today.talk_s,
        wrap_up_today_s=today.wrap_up_s,
        logged_in_today_s=figures.logged_in_time(today, now),
    )


def _queue(state: CenterState, settings: Settings, queue: QueueId, agents: tuple[AgentView, ...], now: Moment) -> QueueView:
    config = settings.queues.get(queue)
    counters = state.queues.get(queue) or QueueCounters()
    there = [(i.visit, i) for i in state.interactions.values() if i.visit is not None and i.visit.queue == queue]
    there.sort(key=lambda row: _in_order(row[0], row[1], config, settings))
    waiting = tuple(
        WaitingView(
            number=i.id,
            caller_number=i.caller_number,
            caller_name=i.caller_name,
            wait_s=now.mono_s - visit.waiting_since_s,
            position=position,
            ringing=i.offers[0].agent if i.offers else None,
            kind=i.kind,
        )
        for position, (visit, i) in enumerate(there, start=1)
    )
    skills = config.skills if config else ()
    able = [
        a for a in agents if a.state is not ShownState.LOGGED_OUT and all(s in settings.agents[a.id].skills for s in skills)
    ]
    closed = state.closed.get(queue)
    return QueueView(
        id=queue,
        name=config.name if config else queue,
        waiting=waiting,
        longest_wait_s=max((w.wait_s for w in waiting if w.kind != MESSAGE), default=0.0),
        offered=counters.offered,
        outcomes=dict(counters.outcomes),
        within_service_level=counters.within_service_level,
        answered_wait_s=counters.wait_s,
        service_level=service_level(counters),
        talking=sum(1 for i in state.interactions.values() if i.talk is not None and i.talk.queue == queue),
        agents_ready=sum(1 for a in able if a.state is ShownState.READY),
        agents_logged_in=len(able),
        callbacks_waiting=sum(1 for _, i in there if i.kind == CALLBACK),
        messages_waiting=sum(1 for _, i in there if i.kind == MESSAGE),
        closed_by=closed.by if closed is not None else None,
    )


def _in_order(visit: Visit, interaction: Interaction, config: QueueSettings | None, settings: Settings) -> Place:
    """By urgency, as it is served."""
    return place(
        interaction.id,
        rank=visit.rank,
        since_s=visit.waiting_since_s,
        priority=visit.priority,
        weight=config.weight if config is not None else 1.0,
        step_s=settings.priority_step_s,
    )


def _call(interaction: Interaction, now: Moment) -> CallView:
    waiting_s = now.mono_s - interaction.visit.entered.mono_s if interaction.visit else 0.0
    return CallView(
        number=interaction.id,
        state=interaction.state.value,
        leg=interaction.leg,
        did=interaction.did,
        caller_number=interaction.caller_number,
        caller_name=interaction.caller_name,
        language=interaction.language,
        queue=interaction.queue,
        agent=interaction.agent,
        since_s=now.mono_s - interaction.arrived.mono_s,
        wait_s=interaction.wait_s + waiting_s,
        disposition=interaction.disposition,
    )

"""What people are shown of campaigns and trunks: plain values, as `core.views` has them for queues and agents."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.core import hours, requirements, stats
from ccserver.core.acd import effective
from ccserver.core.availability import Hindrance, hindrance
from ccserver.core.change import replace
from ccserver.core.dialer import account
from ccserver.core.dialer.account import Account, Evidence, Tally
from ccserver.core.dialer.campaign_state import AttemptStage, Campaign, RunState, TrunkState
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import CampaignSettings, TrunkSettings
from ccserver.core.dialer.staff import may_serve
from ccserver.core.dialer.terms import AbandonWindow, Mode, ShareOf
from ccserver.core.dialer.view import Totals
from ccserver.core.ids import CampaignId, HoursId, QueueId, TrunkId
from ccserver.core.moment import Moment
from ccserver.core.settings import EVERYBODY, Settings
from ccserver.core.state import VOICE, Agent, CenterState, Presence, seen_phone
from ccserver.core.transitions import Phase

STOPPED = RunState.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The account of abandoned calls and its rule. Ratios are 0 to 1; `balance` and `room` are calls that may still be abandoned, and
    `tally` is of the whole window."""

    preset: str
    max_abandon: float
    share_of: ShareOf
    abandon_window: AbandonWindow
    counts_amd_errors: bool
    connect_s: float
    share: float
    balance: float
    room: int
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewView:
    """Agents who are logged in and may be given the campaign's calls, by what they do. `reserved` are idle too, for a call on its way."""

    logged_in: int = 0
    idle: int = 0
    reserved: int = 0
    talking: int = 0
    wrapping: int = 0
    away: int = 0
    """Not ready, and in no call."""

    @property
    def utilisation(self) -> float | None:
        """Talk and wrap-up, of those who are at work now: 0 to 1; None: nobody is."""
        at_work = self.logged_in - self.away
        return (self.talking + self.wrapping) / at_work if at_work else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinesView:
    """Who was taken for an answering machine since the campaign was first started. `people`: of those that agents `checked`; `share`: of
    all, as it is estimated (0 to 1)."""

    found: int = 0
    checked: int = 0
    people: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    """One campaign of the settings. `calls`: those on their way or talking, by how far they are. `ready` was told with the last leads."""

    id: CampaignId
    name: str
    run: RunState
    mode: Mode
    is_mode_by_hand: bool
    queue: QueueId | None
    by: str
    since_s: float
    """How long ago it came into this state."""
    why_stopped: str
    is_open: bool
    """By its hours."""
    calls: Mapping[AttemptStage, int]
    buffered: int
    ready: int
    next_lead_utc_s: float | None
    crew: CrewView
    account: AccountView
    machines: MachinesView
    refused: Mapping[str, int]
    last_refusal: str
    placed: int
    asked: int
    held_by: str
    today: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkView:
    """A way outside. `lines_used`: of calls of campaigns. `why`: it is down, for so much longer; empty: it is not."""

    id: TrunkId
    endpoint: str
    lines: int
    lines_used: int
    calls_per_second: float
    failed_in_row: int
    down_left_s: float
    why: str


# --- campaigns --------------------------------------------------------------------------------------------------------
def campaigns(state: CenterState, settings: Settings, now: Moment) -> tuple[CampaignView, ...]:
    """All of the settings, in their order."""
    if settings.dialing is None:
        return ()
    return tuple(campaign(state, settings, each, now) for each in settings.dialing.campaigns)


def campaign(state: CenterState, settings: Settings, name: CampaignId, now: Moment) -> CampaignView:
    """One of the settings; KeyError for another."""
    assert settings.dialing is not None
    config = settings.dialing.campaigns[name]
    known = state.campaigns.get(name)
    book = known.account if known is not None else account.opened(name, now.utc_s)
    stages = Counter(each.stage for each in state.attempts.values() if each.campaign == name)
    return CampaignView(
        id=name,
        name=config.name,
        run=known.run if known is not None else STOPPED,
        mode=mode_of(known, config),
        is_mode_by_hand=known is not None and known.mode is not None,
        queue=config.queue,
        by=known.by if known is not None else "",
        since_s=now.mono_s - known.since.mono_s if known is not None else 0.0,
        why_stopped=known.why_stopped if known is not None else "",
        is_open=are_open(state, settings, config.hours, now.utc_s),
        calls={stage: stages[stage] for stage in AttemptStage},
        buffered=len(known.buffer) if known is not None else 0,
        ready=known.ready if known is not None else 0,
        next_lead_utc_s=known.next_lead_utc_s if known is not None else None,
        crew=_crew(state, settings, name, now.mono_s),
        account=account_view(book, config.rules, now.utc_s),
        machines=_machines(known),
        refused=dict(known.refused) if known is not None else {},
        last_refusal=known.last_refusal if known is not None else "",
        placed=known.placed if known is not None else 0,
        asked=known.asked if known is not None else 0,
        held_by=known.held_by if known is not None else "",
        today=known.totals if known is not None else Totals(),
    )


def _machines(known: Campaign | None) -> MachinesView:
    if known is None:
        return MachinesView()
    return MachinesView(
        found=known.amd_machines, checked=known.amd_checked, people=known.amd_wrong, share=known.amd_wrong_share
    )


def mode_of(known: Campaign | None, config: CampaignSettings) -> Mode:
    """What was ordered, or what the settings say."""
    return known.mode if known is not None and known.mode is not None else config.mode


def are_open(state: CenterState, settings: Settings, name: HoursId | None, utc_s: float) -> bool:
    """Whether the hours of a campaign are open; without hours they always are."""
    if name is None:
        return True
    closed = state.closed_hours.get(name)
    is_closed = closed is not None and (closed.until_utc_s is None or utc_s < closed.until_utc_s)
    return not is_closed and hours.is_open(settings.hours[name], utc_s)


def account_view(book: Account, rules: Rules, now_utc_s: float) -> AccountView:
    """The account by the rules that hold now."""
    aged = account.aged(book, now_utc_s)
    buckets = aged.days if rules.abandon_window is AbandonWindow.DAY else aged.months
    return AccountView(
        preset=rules.preset,
        max_abandon=rules.max_abandon,
        share_of=rules.share_of,
        abandon_window=rules.abandon_window,
        counts_amd_errors=rules.counts_amd_errors,
        connect_s=rules.connect_s,
        share=account.share(book, rules, now_utc_s),
        balance=account.balance(book, rules, now_utc_s),
        room=account.room(book, rules, now_utc_s),
        tally=account.total(each.tally for each in buckets),
    )


def present_evidence(state: CenterState, settings: Settings, name: CampaignId, now_utc_s: float) -> tuple[Evidence, ...]:
    """What of the campaign's account is in no evidence yet; its last part is not over."""
    known, dialing = state.campaigns.get(name), settings.dialing
    if known is None or dialing is None or name not in dialing.campaigns:
        return ()
    return account.unsettled(known.account, dialing.campaigns[name].rules, now_utc_s)


# --- who serves it ----------------------------------------------------------------------------------------------------
def members(state: CenterState, settings: Settings, config: CampaignSettings) -> list[Agent]:
    """The agents of the settings who may be given its calls by what they can, wherever they are."""
    queue = settings.queues.get(config.queue) if config.queue is not None else None
    if queue is None:
        return []
    wanted = requirements.together(queue, config.skills, EVERYBODY)
    found = []
    for agent_id, known in settings.agents.items():
        agent = state.agents.get(agent_id) or Agent(id=agent_id)
        is_in = not queue.members or agent_id in queue.members
        if is_in and requirements.is_met(wanted, effective(known.skills, agent.skills)):
            found.append(agent)
    return found


def needed_elsewhere(
    state: CenterState, settings: Settings, config: CampaignSettings, agent: Agent, now_utc_s: float
) -> tuple[QueueId, float] | None:
    """The queue in which the agent is needed, since callers were not answered in time of late, and their share that was (0 to 1)."""
    known = settings.agents.get(agent.id)
    if config.inbound_level is None or known is None:
        return None
    for name, counters in state.queues.items():
        queue = settings.queues.get(name)
        level = stats.level_of_late(counters, now_utc_s)
        if queue is None or name == config.queue or level is None or level >= config.inbound_level:
            continue
        is_in = not queue.members or agent.id in queue.members
        wanted = requirements.together(queue, (), EVERYBODY)
        if is_in and requirements.is_met(wanted, effective(known.skills, agent.skills)):
            return name, level
    return None


def answers_at_once(settings: Settings, agent: Agent, mode: Mode) -> bool:
    """Whether the mode may give calls to the phone at which the agent is; who is at none is not asked yet."""
    phone = settings.phones.get(agent.phone) if agent.phone is not None else None
    return phone is None or may_serve(mode, agent.mode, phone)


def is_hindered(
    state: CenterState, settings: Settings, agent: Agent, campaign_id: CampaignId, now_s: float
) -> Hindrance | None:
    """What keeps the agent from a call of this campaign; to be kept for it is no hindrance."""
    phone = state.phones.get(agent.phone) if agent.phone is not None else None
    line = state.legs.get(agent.line) if agent.line is not None else None
    free = replace(agent, reserved=None) if agent.reserved == campaign_id else agent
    return hindrance(free, VOICE, settings, seen_phone(agent, phone, line), now_s)


def _crew(state: CenterState, settings: Settings, name: CampaignId, now_s: float) -> CrewView:
    assert settings.dialing is not None
    config = settings.dialing.campaigns[name]
    mode = mode_of(state.campaigns.get(name), config)
    counts: Counter[str] = Counter()
    for agent in members(state, settings, config):
        if agent.presence is Presence.LOGGED_OUT or not answers_at_once(settings, agent, mode):
            continue
        counts["logged_in"] += 1
        counts["reserved"] += agent.reserved == name
        phases = [work.phase for work in agent.work]
        if Phase.TALKING in phases or Phase.RINGING in phases:
            counts["talking"] += 1
        elif phases:
            counts["wrapping"] += 1
        elif agent.presence is Presence.NOT_READY:
            counts["away"] += 1
        elif is_hindered(state, settings, agent, name, now_s) is None:
            counts["idle"] += 1
    return CrewView(**counts)


# --- trunks -----------------------------------------------------------------------------------------------------------
def trunks(state: CenterState, settings: Settings, now_s: float) -> tuple[TrunkView, ...]:
    """All of the settings, in their order."""
    if settings.dialing is None:
        return ()
    return tuple(trunk(state, each, config, now_s) for each, config in settings.dialing.trunks.items())


def trunk(state: CenterState, name: TrunkId, config: TrunkSettings, now_s: float) -> TrunkView:
    known = state.trunks.get(name) or TrunkState()
    used = sum(each.trunk == name and (each.leg is None or each.leg in state.legs) for each in state.attempts.values())
    left_s = max(known.down_until_s - now_s, 0.0)
    return TrunkView(
        id=name,
        endpoint=config.endpoint,
        lines=config.lines,
        lines_used=used,
        calls_per_second=config.calls_per_second,
        failed_in_row=known.failed_in_row,
        down_left_s=left_s,
        why=known.why if left_s else "",
    )

"""Why a campaign dials nobody, or fewer than it could: answers from a snapshot alone, the most important first, each with a mend.

It looks at everything that stands in the way and not at the first alone: who mends one thing wants to know the next. The leads of the
buffer are judged by the law's gate as if an agent were there: so what it says is said of them. Asked for by people, never by a decision.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from ccserver.core import campaign_views, hours, requirements
from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.campaign_words import account_text
from ccserver.core.change import replace
from ccserver.core.dialer import callerid
from ccserver.core.dialer.campaign_state import ON_THE_WAY, AttemptStage, Candidate, RunState
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.gate import all_refusals
from ccserver.core.dialer.settings import AmdUse, CampaignSettings, DialingSettings
from ccserver.core.dialer.terms import DAY_S, UNBACKED, Mode, Purpose
from ccserver.core.dialer.verdict import Refusal, Refused
from ccserver.core.explain import NAMED, AgentAnswer, what_hinders
from ccserver.core.ids import CampaignId, TrunkId
from ccserver.core.moment import Moment
from ccserver.core.refusal_mends import MENDS
from ccserver.core.settings import EVERYBODY, Settings
from ccserver.core.state import Agent, CenterState
from ccserver.core.trunking import leads_to

HOUR_S = 3600.0


class Cause(Enum):
    """What stands in the way, in the order in which it is told."""

    NOT_RUNNING = "not_running"
    NO_LINK = "no_link"
    CLOSED = "closed"
    MODE = "mode"
    TRUNKS = "trunks"
    CALLER_IDS = "caller_ids"
    NO_LEADS = "no_leads"
    REFUSED = "refused"
    AGENTS = "agents"
    ACCOUNT = "account"
    LINES = "lines"
    REST = "rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    cause: Cause
    text: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalCount:
    """Leads of the buffer that the gate refuses now, for one reason. `says`: of one of them; `until_utc_s`: of the first that may be asked
    for again; None: time alone mends nothing."""

    reason: str
    count: int
    says: str
    until_utc_s: float | None
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignExplained:
    """`text` tells how it stands. No obstacle: nothing is in the way. `agents` are those who may be given its calls by what they can."""

    campaign: CampaignId
    text: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]
    refusals: tuple[RefusalCount, ...]
    agents: tuple[AgentAnswer, ...]


def explain_campaign(state: CenterState, settings: Settings, now: Moment, name: CampaignId) -> CampaignExplained | None:
    """Why nothing more is dialled. None: the settings have no such campaign."""
    dialing = settings.dialing
    if dialing is None or name not in dialing.campaigns:
        return None
    return _Reading(state, settings, dialing, now, name).explained()


class _Reading:
    """One look at a snapshot."""

    def __init__(self, state: CenterState, settings: Settings, dialing: DialingSettings, now: Moment, name: CampaignId) -> None:
        self._state = state
        self._settings = settings
        self._dialing = dialing
        self._now = now
        self._known = state.campaigns.get(name)
        self._config: CampaignSettings = dialing.campaigns[name]
        self._view: CampaignView = campaign_views.campaign(state, settings, name, now)
        self._mode = self._view.mode

    def explained(self) -> CampaignExplained:
        agents = self._agents()
        refusals = self._refusals()
        found = [
            *self._of_its_state(),
            *self._of_the_center(),
            *self._of_its_hours(),
            *self._of_its_mode(),
            *self._of_trunks(),
            *self._of_caller_ids(),
            *self._of_leads(refusals),
            *self._of_agents(agents),
            *self._of_the_account(agents),
            *self._of_lines(),
            *self._of_a_rest(),
        ]
        order = list(Cause)
        return CampaignExplained(
            campaign=self._view.id,
            text=tuple(self._text()),
            obstacles=tuple(sorted(found, key=lambda each: order.index(each.cause))),
            refusals=refusals,
            agents=agents,
        )

    # --- how it stands --------------------------------------------------------------------------------------------------
    def _text(self) -> Iterator[str]:
        view = self._view
        by = f", by {view.by}" if view.by else ""
        since = f" for {view.since_s:.0f} s{by}" if self._known is not None else ""
        yield f"{view.id} ({view.name}) is {view.run.value}{since}; mode {view.mode.value}{' by order' if view.is_mode_by_hand else ''}"
        on_the_way = sum(view.calls[stage] for stage in ON_THE_WAY)
        with_people = view.calls[AttemptStage.PERSON] + view.calls[AttemptStage.MESSAGE]
        yield f"{on_the_way} calls on their way, {with_people} with somebody who answered; {view.placed} attempts since it was started"
        yield f"{view.buffered} leads are claimed, {view.ready} more were ready in {self._lists()} when they were asked for"
        if self._mode is not Mode.AGENTLESS:
            crew = view.crew
            yield (
                f"{crew.logged_in} agents may serve it and are logged in: {crew.idle} idle ({crew.reserved} of them kept for calls on "
                f"their way), {crew.talking} in a call, {crew.wrapping} in wrap-up, {crew.away} away"
            )
        if self._mode in UNBACKED:
            yield f"abandoned: {account_text(view.account)}"
        if view.run is RunState.RUNNING and view.asked:
            yield f"its pacer asked for {view.asked} calls at its last look" + (f"; {view.held_by}" if view.held_by else "")
        if view.last_refusal:
            yield f"the gate said last: {view.last_refusal}"

    def _lists(self) -> str:
        return ", ".join(self._config.lists or (str(self._view.id),))

    # --- what stands in the way -----------------------------------------------------------------------------------------
    def _of_its_state(self) -> Iterator[Obstacle]:
        view = self._view
        name = view.id
        if view.run is RunState.STOPPED:
            why = f": {view.why_stopped}" if view.why_stopped else ""
            text = (
                f"it was stopped{f' by {view.by}' if view.by else ''}{why}"
                if self._known is not None
                else "it was never started"
            )
            yield Obstacle(cause=Cause.NOT_RUNNING, text=text, mend=f"ccserver campaign start {name}")
        elif view.run is RunState.PAUSED:
            why = f": {view.why_stopped}" if view.why_stopped else f" by {view.by}" if view.by else ""
            yield Obstacle(cause=Cause.NOT_RUNNING, text=f"it is paused{why}", mend=f"ccserver campaign start {name}")
        elif view.run is RunState.DRAINING:
            text = f"it drains: the {view.buffered} leads that are claimed are dialled, and no others"
            yield Obstacle(cause=Cause.NOT_RUNNING, text=text, mend=f"ccserver campaign start {name}, for more")

    def _of_the_center(self) -> Iterator[Obstacle]:
        clockwork = self._state.clockwork
        if not clockwork.is_linked:
            yield Obstacle(cause=Cause.NO_LINK, text="there is no link to the PBX", mend="ccserver doctor")
        elif not clockwork.is_observed:
            text = "the PBX has not been read since the start"
            yield Obstacle(cause=Cause.NO_LINK, text=text, mend="wait some seconds")

    def _of_its_hours(self) -> Iterator[Obstacle]:
        name = self._config.hours
        if self._view.is_open or name is None:
            return
        closed = self._state.closed_hours.get(name)
        is_by_hand = closed is not None and (closed.until_utc_s is None or closed.until_utc_s > self._now.utc_s)
        if is_by_hand and closed is not None:
            until = "until they are opened again" if closed.until_utc_s is None else f"until {_at(closed.until_utc_s)}"
            text, mend = f"its hours ({name}) are closed by {closed.by}, {until}", f"ccserver hours open {name}"
        else:
            opens_s = hours.next_change(self._settings.hours[name], self._now.utc_s)
            text = f"its hours ({name}) are closed" + (f"; they open {_at(opens_s)}" if opens_s is not None else "")
            mend = "wait, or change hours"
        yield Obstacle(cause=Cause.CLOSED, text=text, mend=mend)

    def _of_its_mode(self) -> Iterator[Obstacle]:
        rules, name = self._config.rules, self._view.id
        if self._mode not in rules.modes:
            text = f"the rules {rules.preset} do not allow {self._mode.value}"
            allowed = ", ".join(each.value for each in Mode if each in rules.modes)
            yield Obstacle(cause=Cause.MODE, text=text, mend=f"ccserver campaign mode {name}, one of {allowed}")
        elif self._mode is Mode.MANUAL:
            text = "its mode is manual: a lead is called when an agent asks for one"
            yield Obstacle(
                cause=Cause.MODE, text=text, mend=f"the agents' feature code; or ccserver campaign mode {name} progressive"
            )

    def _of_trunks(self) -> Iterator[Obstacle]:
        """None that takes a call; or none to the numbers of some of the leads that are claimed."""
        views = {each.id: each for each in campaign_views.trunks(self._state, self._settings, self._now.mono_s)}
        faults = {name: fault for name in self._config.trunks if (fault := _trunk_fault(views.get(name)))}
        numbers = [each.sheet.number for each in self._known.buffer] if self._known is not None else []
        ways = [self._ways(number) for number in numbers]
        stuck = [each for each in ways if each and faults.keys() >= set(each)]
        if len(faults) == len(self._config.trunks):
            text = "no trunk takes a call: " if faults else "it has no trunk"
        elif stuck:
            text = f"no trunk takes a call to {len(stuck)} of the {len(ways)} leads that are claimed: "
            faults = {name: fault for name, fault in faults.items() if any(name in each for each in stuck)}
        else:
            return
        text += "; ".join(f"{name}: {fault}" for name, fault in list(faults.items())[:NAMED])
        down = [name for name in faults if name in views and views[name].why]
        mend = f"ask the carrier; then ccserver campaign trunk retry {down[0]}" if down else "more lines, or another trunk"
        yield Obstacle(cause=Cause.TRUNKS, text=text, mend=mend)

    def _of_caller_ids(self) -> Iterator[Obstacle]:
        buffer = self._known.buffer if self._known is not None else ()
        choices = [self._choice(each.sheet.number) for each in buffer] or [self._choice("")]
        if any(each.shown is not None for each in choices):
            return
        text = "there is no number to show: " + "; ".join(choices[0].says[:NAMED])
        yield Obstacle(cause=Cause.CALLER_IDS, text=text, mend=MENDS[Refusal.CALLER_ID_CAP])

    def _of_leads(self, refusals: tuple[RefusalCount, ...]) -> Iterator[Obstacle]:
        known, view = self._known, self._view
        if known is None or view.run in (RunState.STOPPED, RunState.PAUSED):
            return
        refused = sum(each.count for each in refusals)
        if view.buffered and refused >= view.buffered:
            text = f"the law's gate refuses each of the {view.buffered} leads that are claimed: {_most(refusals)}"
            yield Obstacle(cause=Cause.REFUSED, text=text, mend=refusals[0].mend)
        if view.buffered or view.run is not RunState.RUNNING:
            return
        if known.claiming is not None:
            yield Obstacle(cause=Cause.NO_LEADS, text="leads are being read from the database", mend="wait some seconds")
        elif view.ready:
            seen = ", ".join(f"{reason} {count}" for reason, count in Counter(view.refused).most_common(NAMED))
            text = f"no lead is claimed, though {view.ready} were ready" + (
                f"; refused since it was started: {seen}" if seen else ""
            )
            first = next((Refusal(each) for each, _ in Counter(view.refused).most_common(1)), None)
            yield Obstacle(cause=Cause.NO_LEADS, text=text, mend=MENDS[first] if first is not None else "wait some seconds")
        elif view.next_lead_utc_s is not None:
            text = f"no lead of {self._lists()} is ready; the next one is due {_at(view.next_lead_utc_s)}"
            yield Obstacle(cause=Cause.NO_LEADS, text=text, mend="wait, or import more: ccserver lead import")
        else:
            text = f"no lead is left in {self._lists()}, or there is no such list"
            yield Obstacle(cause=Cause.NO_LEADS, text=text, mend="ccserver lead lists; ccserver lead import")

    def _of_agents(self, agents: tuple[AgentAnswer, ...]) -> Iterator[Obstacle]:
        if self._mode in (Mode.AGENTLESS, Mode.MANUAL):
            return
        if not agents:
            text = f"no agent of the settings may serve it: queue {self._config.queue}{self._required()}"
            yield Obstacle(cause=Cause.AGENTS, text=text, mend="give agents the skills, or make them members of the queue")
            return
        crew = self._view.crew
        if any(each.is_able and each.is_free for each in agents) or (self._mode in UNBACKED and crew.talking + crew.wrapping):
            return
        reasons = Counter(each.text for each in agents)
        text = "no agent is free for it: " + "; ".join(f"{count} {what}" for what, count in reasons.most_common(NAMED))
        yield Obstacle(cause=Cause.AGENTS, text=text, mend=self._agents_mend(agents))

    def _required(self) -> str:
        config = self._settings.queues.get(self._config.queue) if self._config.queue is not None else None
        if config is None:
            return " is not there"
        words = requirements.words(requirements.together(config, self._config.skills, EVERYBODY))
        return f" requires {words}" if words else " has no such members"

    def _agents_mend(self, agents: tuple[AgentAnswer, ...]) -> str:
        if all(not each.is_able for each in agents):
            return "log in with a headset, or at a phone with auto_answer; or mode progressive"
        return "log-in, or ready again" if not self._view.crew.talking else "wait for the end of their calls, or more agents"

    def _of_the_account(self, agents: tuple[AgentAnswer, ...]) -> Iterator[Obstacle]:
        view = self._view
        if self._mode not in UNBACKED or view.account.room > 0 or any(each.is_able and each.is_free for each in agents):
            return
        text = f"no further call may be abandoned, so none is placed without an idle agent: {account_text(view.account)}"
        yield Obstacle(cause=Cause.ACCOUNT, text=text, mend=MENDS[Refusal.BUDGET_SPENT])

    def _of_lines(self) -> Iterator[Obstacle]:
        legs = self._state.legs
        mine = [each for each in self._state.attempts.values() if each.campaign == self._view.id]
        used = sum(each.leg is None or each.leg in legs for each in mine)
        if used >= self._config.lines:
            text = f"all {self._config.lines} lines of the campaign are in use"
            yield Obstacle(cause=Cause.LINES, text=text, mend=f"a greater campaigns.{self._view.id}.lines")

    def _of_a_rest(self) -> Iterator[Obstacle]:
        known = self._known
        if known is not None and self._view.run is RunState.RUNNING and known.rests_until_s > self._now.mono_s:
            left_s = known.rests_until_s - self._now.mono_s
            text = f"it rests, {left_s:.0f} s more" + (f": {known.held_by}" if known.held_by else "")
            yield Obstacle(cause=Cause.REST, text=text, mend=f"wait, or ccserver campaign start {self._view.id}")

    # --- the gate -------------------------------------------------------------------------------------------------------
    def _refusals(self) -> tuple[RefusalCount, ...]:
        """The first refusal of each lead of the buffer, by reason, the most frequent first."""
        buffer = self._known.buffer if self._known is not None else ()
        found: dict[Refusal, list[Refused]] = {}
        for candidate in buffer:
            told = all_refusals(self._sheet(candidate), self._config.rules, self._now.utc_s)
            first = next((each for each in told if each.reason is not Refusal.STALE_FACTS), None)
            if first is not None:
                found.setdefault(first.reason, []).append(first)
        made = [
            RefusalCount(
                reason=reason.value,
                count=len(each),
                says=each[0].says,
                until_utc_s=min((one.until_utc_s for one in each if one.until_utc_s is not None), default=None),
                mend=MENDS[reason],
            )
            for reason, each in found.items()
        ]
        return tuple(sorted(made, key=lambda each: (-each.count, each.reason)))

    def _sheet(self, candidate: Candidate) -> FactSheet:
        """Its facts now, as if the campaign were open and an agent there: of those the rest is told."""
        config, sheet = self._config, candidate.sheet
        made = replace(
            sheet,
            mode=self._mode,
            is_campaign_open=True,
            is_agent_reserved=self._mode is not Mode.AGENTLESS,
            ring_s=config.ring_s,
            uses_amd=config.amd.use is not AmdUse.OFF,
            drops_voicemail=config.voicemail is not None and self._mode is Mode.AGENTLESS,
            has_safe_harbour=config.safe_harbour is not None,
            caller_id=self._choice(sheet.number).shown,
            trunk=self._trunk(sheet.number),
        )
        promised_s = candidate.lead.callback_utc_s
        if promised_s is None:
            return made
        return replace(made, purpose=Purpose.REQUESTED, requested_utc_s=sheet.last_talk_utc_s, agreed_utc_s=promised_s)

    def _trunk(self, number: str) -> TrunkId | None:
        """The first that is for such numbers, whether it takes a call now or not."""
        return next(iter(self._ways(number)), None)

    def _ways(self, number: str) -> tuple[TrunkId, ...]:
        known = self._dialing.trunks
        return tuple(each for each in self._config.trunks if each in known and leads_to(known[each], number))

    def _choice(self, number: str) -> callerid.Choice:
        config = self._config
        shown = {each: self._shown(each) for each in config.caller_ids}
        return callerid.choose(number, config.caller_ids, self._dialing.caller_ids, shown, config.rules)

    def _shown(self, number: str) -> int:
        """Calls of the last 24 hours that it was shown for; an hour that is partly in them counts as a whole."""
        known = self._state.shown.get(number)
        from_s = self._now.utc_s - DAY_S
        return sum(calls for start_s, calls in known.hours if start_s + HOUR_S > from_s) if known is not None else 0

    # --- agents ---------------------------------------------------------------------------------------------------------
    def _agents(self) -> tuple[AgentAnswer, ...]:
        if self._mode is Mode.AGENTLESS:
            return ()
        found = campaign_views.members(self._state, self._settings, self._config)
        return tuple(self._answer(each) for each in sorted(found, key=lambda each: each.id))

    def _answer(self, agent: Agent) -> AgentAnswer:
        state, settings = self._state, self._settings
        is_at_once = campaign_views.answers_at_once(settings, agent, self._mode)
        free = replace(agent, reserved=None) if agent.reserved == self._view.id else agent
        hindered = what_hinders(state, settings, self._now.mono_s, free)
        reasons = [] if is_at_once else [f"is at a desk phone, which rings too long for {self._mode.value}"]
        reasons += [hindered[1]] if hindered is not None else []
        needed = campaign_views.needed_elsewhere(state, settings, self._config, agent, self._now.utc_s)
        if needed is not None:
            reasons.append(f"is needed in queue {needed[0]}, where {needed[1]:.0%} were answered in time of late")
        return AgentAnswer(
            agent=agent.id,
            name=settings.agents[agent.id].name,
            is_able=is_at_once,
            is_free=hindered is None and needed is None,
            text="; ".join(reasons) or "could be given a call now",
        )


# --- words ------------------------------------------------------------------------------------------------------------
def _trunk_fault(view: TrunkView | None) -> str:
    if view is None:
        return "it is not in the settings"
    if view.why:
        return f"taken for dead, {view.down_left_s:.0f} s more: {view.why}"
    return f"all {view.lines} lines are in use" if view.lines_used >= view.lines else ""


def _most(refusals: tuple[RefusalCount, ...]) -> str:
    return "; ".join(f"{each.count} {each.reason} ({each.says})" for each in refusals[:3])


def _at(utc_s: float) -> str:
    return f"{datetime.fromtimestamp(utc_s, UTC):%Y-%m-%d %H:%M} UTC"

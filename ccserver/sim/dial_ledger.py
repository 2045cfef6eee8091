"""Judges each call of a campaign by the truth: what the law's gate says with the facts of the instant in which it is dialled, how many
calls are in flight without an agent, and what befell whoever answered. An outsider: it asks the core what agents and calls are at, and
for nothing else.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ccserver.core.commands import Command, DialOut, HangUpLeg, Place, StoreAttempt
from ccserver.core.dialer.asking import blank_sheet
from ccserver.core.dialer.campaign_state import DIALS, ON_THE_WAY, Attempt, AttemptStage
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.gate import judge
from ccserver.core.dialer.settings import AmdUse, CampaignSettings, DialingSettings
from ccserver.core.dialer.terms import UNBACKED, ClockStart, Mode, Purpose, ShareOf
from ccserver.core.dialer.verdict import Refused
from ccserver.core.events import DeadlineReached, Event
from ccserver.core.ids import CampaignId, LegId
from ccserver.core.state import CenterState, Presence
from ccserver.core.transitions import Phase
from ccserver.sim.callees import Experience
from ccserver.sim.leads import Call, CallState, Lead
from ccserver.sim.world import World

SLACK_S = 0.5
"""What lies between the instant in which two are joined and that in which the center hears of it."""
SPEECH_SLACK_S = 2.0
"""Music is listened to in slices of a second, and the message begins after the last."""

BROKEN_SLACK_S = 3.0
"""The same where something breaks: a join that does not happen is waited for a little longer."""


@dataclass(frozen=True, slots=True)
class DialledCall:
    call: Call
    campaign: CampaignId
    mode: Mode
    leg: LegId


@dataclass(slots=True)
class Tally:
    """Calls for which an agent was there in time, for which none was, and of which the callee's watch does not tell."""

    good: int = 0
    lost: int = 0
    doubtful: int = 0


@dataclass(slots=True, eq=False)
class DialLedger:
    """`watch` is one of `World`'s; `experiences` are the callees' own. `problems` is what must not happen."""

    dialing: DialingSettings
    experiences: Mapping[LegId, Experience]
    problems: list[str] = field(default_factory=list)
    dialled: list[DialledCall] = field(default_factory=list)
    stored: Counter[CampaignId] = field(default_factory=Counter)
    unbacked_most: int = 0
    """Calls in flight without an agent of their own, at their most."""
    shown: Counter[str] = field(default_factory=Counter)
    _over: dict[CampaignId, Tally] = field(default_factory=dict)
    _open: dict[CampaignId, list[DialledCall]] = field(default_factory=dict)

    def watch(self, world: World, event: Event, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, DialOut) and command.place is Place.CALLEE:
                self._dialled(world, command)
            elif isinstance(command, StoreAttempt) and command.campaign is not None:
                self.stored[command.campaign] += 1
                if not command.asked_by:
                    self._within_the_account(world, command.campaign, "stored")
            elif isinstance(command, HangUpLeg) and isinstance(event, DeadlineReached):
                self._nobody_waits_on_it(world, command.leg)

    def _problem(self, world: World, what: str) -> None:
        self.problems.append(f"at {world.agenda.now_s:.3f} s: {what}")

    def begins_with(self, campaign: CampaignId, talks: int) -> None:
        """So many people have talked in it before."""
        self._over.setdefault(campaign, Tally()).good += talks

    # --- at the dial ------------------------------------------------------------------------------------------------------
    def _dialled(self, world: World, command: DialOut) -> None:
        number, _, endpoint = command.to.removeprefix("PJSIP/").partition("@")
        call = world.leads.book.open_call(number)
        if call is None or call.state is not CallState.STORED or not call.is_told:
            self._problem(world, f"{number} is dialled, and was not told as stored")
            return
        state = world.center.snapshot()
        attempt = state.attempts.get(call.id)
        if attempt is None:
            self._problem(world, f"{number} is dialled, and the center has no attempt {call.id}")
            return
        if call.lead is None or call.campaign != attempt.campaign:
            self._problem(world, f"{number} is dialled for {attempt.campaign}, and {call.id} is on record for {call.campaign}")
            return
        campaign = attempt.campaign
        self._nobody_else_calls(world, call, call.lead)
        config = self.dialing.campaigns[campaign]
        sheet = self._sheet(world, call.lead, attempt, command.number or "", endpoint)
        verdict = judge(sheet, config.rules, world.now().utc_s)
        if isinstance(verdict, Refused):
            self._problem(world, f"{number} is dialled for {campaign}, and {verdict.says}")
        if attempt.mode in UNBACKED and not attempt.is_backed:
            self._within_the_account(world, campaign, "dialled")
        self.shown[command.number or ""] += 1
        dialled = DialledCall(call, campaign, attempt.mode, command.leg)
        self.dialled.append(dialled)
        self._open.setdefault(campaign, []).append(dialled)

    def _nobody_waits_on_it(self, world: World, leg_id: LegId) -> None:
        """No deadline ends the wait of an agent for a callee whose phone still rings."""
        state = world.center.snapshot()
        leg = state.legs.get(leg_id)
        interaction = state.interactions.get(leg.interaction) if leg is not None and leg.interaction is not None else None
        outbound = interaction.outbound if interaction is not None else None
        attempt = state.attempts.get(outbound.attempt) if outbound is not None and outbound.attempt is not None else None
        callee = state.legs.get(attempt.leg) if attempt is not None and attempt.leg is not None else None
        if leg is None or attempt is None or callee is None or leg_id == callee.id or not leg.is_parked:
            return
        if attempt.stage in ON_THE_WAY and not callee.is_cancelled:
            self._problem(world, f"the agent {leg.agent} waits for {attempt.sheet.number}, whose phone rings, and is given up")

    def _nobody_else_calls(self, world: World, call: Call, lead: Lead) -> None:
        for other in self.dialled[-200:]:
            channel = world.pbx.channels.get(other.leg)
            if channel is not None and (other.call.number == call.number or other.call.lead is lead):
                self._problem(world, f"{call.number} of lead {lead.id} is dialled, and {other.call.number} rings still")

    def _sheet(self, world: World, lead: Lead, attempt: Attempt, shown: str, endpoint: str) -> FactSheet:
        now_s, state, config = world.now().utc_s, world.center.snapshot(), self.dialing.campaigns[attempt.campaign]
        book, campaign = world.leads.book, state.campaigns[attempt.campaign]
        blank = replace(blank_sheet(attempt.campaign, config, now_s), mode=attempt.mode)
        sheet = book.sheet(blank, lead, attempt.sheet.number, now_s, but=attempt.id)
        own = self.dialing.caller_ids.get(shown)
        facts = None
        if own is not None:
            facts = CallerIdFacts(
                number=shown,
                line_type=own.line_type,
                is_ours=True,
                answers_back=own.answers_back,
                calls_today=self.shown[shown],
                calls_a_day=own.calls_a_day,
            )
        in_flight, kept = flight(state, attempt.campaign)
        room = self.room(world, attempt.campaign)
        sheet = replace(
            sheet,
            is_campaign_open=campaign.run in DIALS,
            caller_id=facts,
            trunk=next((name for name, trunk in self.dialing.trunks.items() if trunk.endpoint == endpoint), None),
            drops_voicemail=config.voicemail is not None and attempt.mode is Mode.AGENTLESS,
            is_agent_reserved=_has_agent(state, attempt) if attempt.is_backed else in_flight <= kept,
            abandon_room=max(room - max(in_flight - 1 - kept, 0), 0),
        )
        if lead.callback_utc_s is None:
            return sheet
        asked_s = sheet.last_talk_utc_s
        agreed_s = lead.callback_utc_s if asked_s is None else max(lead.callback_utc_s, asked_s)
        return replace(sheet, purpose=Purpose.REQUESTED, requested_utc_s=asked_s, agreed_utc_s=agreed_s)

    # --- the account ------------------------------------------------------------------------------------------------------
    def _within_the_account(self, world: World, campaign: CampaignId, what: str) -> None:
        state = world.center.snapshot()
        in_flight, kept = flight(state, campaign)
        without = in_flight - kept
        self.unbacked_most = max(self.unbacked_most, without)
        if without > 0 and without > self.room(world, campaign):
            self._problem(world, f"{campaign}: a call is {what}, with {without} in flight without an agent, and less room")

    def room(self, world: World, campaign: CampaignId) -> int:
        """How many calls could be abandoned, by what the callees know: at least as many as the center's account says. Of people who were
        taken for machines, which the center only estimates, none is counted."""
        config = self.dialing.campaigns[campaign]
        tally, cap = self.tally(world, campaign), config.rules.max_abandon
        share = cap / (1.0 - cap) if config.rules.share_of is ShareOf.LIVE else cap
        return max(int(share * (tally.good + tally.doubtful) - tally.lost + 1e-9), 0)

    def tally(self, world: World, campaign: CampaignId) -> Tally:
        """Of the calls that were answered and had, or should have had, an agent."""
        config, over = self.dialing.campaigns[campaign], self._over.setdefault(campaign, Tally())
        now, still = replace(over), []
        for each in self._open.get(campaign, ()):
            told = self.experiences.get(each.leg)
            is_over = told is not None and (told.talked_s is not None or told.ended_s is not None)
            if told is not None and each.mode is not Mode.AGENTLESS:
                _count(now, config, told, world.agenda.now_s)
                if is_over:
                    _count(over, config, told, world.agenda.now_s)
            if not is_over:
                still.append(each)
        self._open[campaign] = still
        return now

    # --- afterwards -------------------------------------------------------------------------------------------------------
    def findings(self, world: World, *, slack_s: float) -> list[str]:
        """What is wrong when everything is over."""
        found = [*self.problems, *world.leads.book.problems]
        left = [call.id for call in world.leads.book.calls.values() if call.state is CallState.STORED]
        found += [f"attempt {attempt} was never settled" for attempt in left]
        for each in self.dialled:
            told = self.experiences.get(each.leg)
            if told is not None:
                found += self._silence(self.dialing.campaigns[each.campaign], told, slack_s)
        return found

    @staticmethod
    def _silence(config: CampaignSettings, told: Experience, slack_s: float) -> list[str]:
        start_s = clock_start_s(config, told)
        if start_s is None or told.is_taken_for_machine or (told.heard_out_s is None and config.amd.use is not AmdUse.OFF):
            return []
        firsts = [at_s for at_s in (told.talked_s, told.spoken_to_s, told.ended_s) if at_s is not None]
        if not firsts:
            return [f"{told.number} answered at {told.answered_s} and is there still"]
        waited_s = min(firsts) - start_s
        if waited_s > config.rules.connect_s + slack_s:
            return [f"{told.number} answered at {told.answered_s:.3f}, and was left in silence for {waited_s:.1f} s"]
        return []


def clock_start_s(config: CampaignSettings, told: Experience) -> float | None:
    """From when on an agent must be there. Where somebody listens first, the callee has been silent for a while when that is over."""
    listens = config.amd.use is not AmdUse.OFF and config.rules.clock_start is ClockStart.GREETING_END
    if not listens or told.answered_s is None:
        return told.answered_s
    if told.heard_out_s is None:
        return None if told.ended_s is None else told.answered_s
    return max(told.answered_s, told.heard_out_s - config.amd.after_greeting_silence_ms / 1000.0)


def _count(tally: Tally, config: CampaignSettings, told: Experience, now_s: float) -> None:
    start_s = clock_start_s(config, told)
    if start_s is None or (told.is_taken_for_machine and told.talked_s is None):
        return
    firsts = [at_s for at_s in (told.talked_s, told.ended_s) if at_s is not None]
    late_s = (min(firsts) if firsts else now_s - SPEECH_SLACK_S) - start_s - config.rules.connect_s
    if late_s >= SLACK_S:
        tally.lost += 1
    elif firsts and late_s > -SLACK_S:
        tally.doubtful += 1
    elif told.talked_s is not None:
        tally.good += 1


def flight(state: CenterState, campaign: CampaignId) -> tuple[int, int]:
    """Calls that may need an agent of the campaign's who is not at it yet, and idle agents who are kept for it."""
    in_flight = 0
    for attempt in state.attempts.values():
        if attempt.campaign != campaign or attempt.mode is Mode.AGENTLESS or attempt.agent is not None or attempt.is_counted:
            continue
        waiting = state.interactions.get(attempt.interaction) if attempt.interaction is not None else None
        is_waiting = attempt.stage is AttemptStage.PERSON and waiting is not None and not waiting.offers
        in_flight += attempt.stage in ON_THE_WAY or is_waiting
    kept = sum(
        agent.reserved == campaign and agent.presence is Presence.READY and not agent.work for agent in state.agents.values()
    )
    return in_flight, kept


def _has_agent(state: CenterState, attempt: Attempt) -> bool:
    """Whether somebody waits for just this call."""
    agent = state.agents.get(attempt.agent) if attempt.agent is not None else None
    phases = (Phase.RINGING, Phase.TALKING)
    return agent is not None and any(w.interaction == attempt.interaction and w.phase in phases for w in agent.work)

"""Campaigns: started, paused and stopped by order, fed with leads, and paced.

A campaign that runs is looked at every half second, and at once when an agent becomes idle: its pacer says how many calls to place, the
law's gate judges each lead of the buffer anew, and calls go out as lines, trunks and calls per second allow. The buffer holds leads that
are claimed from the database a little ahead; what is not dialled is given back.

In power and predictive an idle agent is kept for each call on its way, as far as there are any (`crews`); calls beyond those only while the
campaign's account could bear the loss of them all.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from ccserver.core.attempts import Attempts
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.change import replace
from ccserver.core.commands import ClaimLeads, GiveBackLeads, Reply
from ccserver.core.crews import Crews
from ccserver.core.dialer import account
from ccserver.core.dialer.asking import blank_sheet
from ccserver.core.dialer.campaign_state import DIALS, Campaign, Candidate, RunState
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.gate import judge
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.dialer.terms import UNBACKED, Mode
from ccserver.core.dialer.verdict import Refusal, Refused
from ccserver.core.dialer.view import View, What
from ccserver.core.events import CampaignAct, CampaignRequested, LeadsAdded, LeadsClaimed, RedialRequested
from ccserver.core.ids import AgentId, CampaignId, TrunkId
from ccserver.core.outbound import OutboundCalls
from ccserver.core.records import AuditRecord, EvidenceRecord, RefusalRecord, RefusedWhere
from ccserver.core.state import Agent, DeadlineKind, Presence
from ccserver.core.step import Step
from ccserver.core.transitions import Phase
from ccserver.core.trunking import USED_UP, Trunking

LOOK_S = 0.5
"""How often a campaign is looked at that has something to do."""
IDLE_LOOK_S = 5.0
"""One that has not."""
STOPPED_LOOK_S = 900.0
"""One that was stopped, for as long as evidence of it is owed."""
HOLD_S, LAPSES_S = 600.0, 60.0
"""For how long leads are claimed; nothing is begun with one of which no more than that is left."""
BUFFER_MIN, BUFFER_MAX = 10, 200
CLAIM_AGAIN_S = 2.0
NO_LEADS_S = 30.0
CLAIM_ANSWER_S = 60.0
REST_S = 60.0
DAY_S = 86_400.0
GRACE_S = 900.0
"""A callback that was promised by one agent waits so long for that agent; then it is the team's."""
EVIDENCE_S = 60.0
ASKED_S = 30.0
"""How long a lead that an agent asked for waits for that agent's phone."""
LEAD_IS_DONE = frozenset(
    {
        Refusal.NOT_E164,
        Refusal.LINE_TYPE,
        Refusal.BLOCKED_PREFIX,
        Refusal.DO_NOT_CALL,
        Refusal.CAMPAIGN_DO_NOT_CALL,
        Refusal.LIFETIME_CAP,
        Refusal.LEAD_CAP,
        Refusal.NUMBER_CAP,
        Refusal.UNSOUND_FACTS,
    }
)
"""What no time and no setting of the campaign mends."""


@dataclass(slots=True)
class Stand:
    """How a campaign stands while calls are placed: who is idle and not kept (the longest first), calls on their way for which nobody is
    kept (below 0: more are kept than needed), and calls that may be lost."""

    idle: deque[Agent]
    unbacked: int
    room: int


class Campaigns:
    """All of them."""

    def __init__(
        self,
        step: Step,
        book: CampaignBook,
        crews: Crews,
        trunking: Trunking,
        *,
        attempts: Attempts,
        calls: OutboundCalls,
    ) -> None:
        self.step = step
        self.book = book
        self.crews = crews
        self.trunking = trunking
        self.attempts = attempts
        self.calls = calls

    # --- by order -------------------------------------------------------------------------------------------------------
    def requested(self, event: CampaignRequested) -> None:
        config = self.book.settings(event.campaign)
        fault = f"there is no campaign {event.campaign}" if config is None else self._fault(event, config)
        if not fault and config is not None:
            self._act(event)
        what = event.act.value if event.mode is None else f"{event.act.value} {event.mode.value}"
        self.step.store(
            AuditRecord(
                by=event.by, act="campaign", what=f"{event.campaign}: {what}", is_done=not fault, at_utc_s=self.step.now.utc_s
            )
        )
        text = fault or f"campaign {event.campaign}: {what}"
        self.step.emit(Reply(request=event.request, is_ok=not fault, text=text))

    def _fault(self, event: CampaignRequested, config: CampaignSettings) -> str:
        known = self.step.campaigns.get(event.campaign)
        run = known.run if known is not None else RunState.STOPPED
        if event.act is CampaignAct.MODE and event.mode is not None and event.mode not in config.rules.modes:
            return f"the rules {config.rules.preset} do not allow {event.mode.value}"
        if event.act is CampaignAct.MODE and event.mode in UNBACKED and config.safe_harbour is None:
            return f"{event.mode.value} needs a safe_harbour message"
        if event.act is CampaignAct.MODE and event.mode is not Mode.AGENTLESS and config.queue is None:
            return "the campaign has no queue, and so no agents"
        if event.act in (CampaignAct.PAUSE, CampaignAct.DRAIN) and run not in DIALS:
            return f"campaign {event.campaign} does not run"
        return ""

    def _act(self, event: CampaignRequested) -> None:
        step, now = self.step, self.step.now
        known = step.campaigns.get(event.campaign)
        if known is None:
            known = Campaign(id=event.campaign, since=now, account=account.opened(event.campaign, now.utc_s))
        was = known.run
        match event.act:
            case CampaignAct.START:
                run = RunState.RUNNING
            case CampaignAct.PAUSE:
                run = RunState.PAUSED
            case CampaignAct.DRAIN:
                run = RunState.DRAINING
            case CampaignAct.STOP:
                run = RunState.STOPPED
            case CampaignAct.MODE:
                run = known.run
                known = replace(known, mode=event.mode)
        known = replace(known, run=run, by=event.by, since=now if run is not was else known.since, why_stopped="")
        if run not in DIALS:
            known = replace(known, owed=0)
        if event.act is CampaignAct.START:
            known = replace(known, rests_until_s=0.0, claim_after_s=0.0, held_by="")
            if was is RunState.STOPPED:
                known = replace(known, refused={}, last_refusal="", placed=0)
        step.campaigns.put(known.id, known)
        if event.act is CampaignAct.START and was is RunState.STOPPED:
            self.book.begin_day(known.id)
        if event.act is CampaignAct.MODE:
            for waiting in self.calls.waiting(known.id):
                self.calls.take_back(waiting)
        if run is RunState.STOPPED:
            self._stop(known.id)
        self._look_at(known.id, now.mono_s)

    def _stop(self, campaign: CampaignId, why: str = "") -> None:
        """Nothing new is dialled, and what is claimed is given back. What rings goes on."""
        for waiting in self.calls.waiting(campaign):
            self.calls.take_back(waiting)
        known = self.step.campaigns[campaign]
        self._give_back(campaign, [each.lead for each in known.buffer])
        self.step.campaigns.put(
            campaign,
            replace(known, run=RunState.STOPPED, buffer=(), owed=0, asked=0, why_stopped=why, since=self.step.now),
        )

    def redial(self, event: RedialRequested) -> None:
        dialing = self.step.settings.dialing
        is_known = dialing is not None and event.trunk in dialing.trunks
        is_done = is_known and self.trunking.try_again(event.trunk)
        if is_done:
            text = f"trunk {event.trunk} is tried again"
        else:
            text = f"trunk {event.trunk} was not taken for dead" if is_known else f"there is no trunk {event.trunk}"
        record = AuditRecord(by=event.by, act="trunk_retry", what=event.trunk, is_done=is_done, at_utc_s=self.step.now.utc_s)
        self.step.store(record)
        self.step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    def settings_changed(self) -> None:
        """A campaign that is gone from them stops; what is on its way goes on."""
        for known in self.step.campaigns.values():
            config = self.book.settings(known.id)
            if config is None and known.run is not RunState.STOPPED:
                self._stop(known.id, "it is not in the settings any more")
            elif config is not None and known.run in DIALS:
                self._look_at(known.id, self.step.now.mono_s)

    def center_started(self) -> None:
        """Of a claim that the old process had asked for nothing will be heard; it lapses by itself."""
        for known in self.step.campaigns.values():
            self.step.campaigns.put(known.id, replace(known, claiming=None, claim_after_s=0.0))
            if known.run in DIALS:
                self._look_at(known.id, self.step.now.mono_s)

    def faulted(self) -> None:
        """A step of nobody in particular has failed, and its deadline is gone with it: a campaign that would be looked at no more is
        paused, since it might fail again."""
        for known in self.step.campaigns.values():
            if known.run in DIALS and (DeadlineKind.PACE, str(known.id)) not in self.step.deadlines.table:
                why = "a fault in the daemon; its log says more"
                self.step.campaigns.put(
                    known.id, replace(known, run=RunState.PAUSED, why_stopped=why, since=self.step.now, owed=0)
                )

    # --- leads ----------------------------------------------------------------------------------------------------------
    def _claim(self, known: Campaign, config: CampaignSettings, mode: Mode) -> None:
        step, now_s = self.step, self.step.now.mono_s
        if known.claiming is not None and known.claim_after_s + CLAIM_ANSWER_S > now_s:
            return
        wanted = self._buffer_size(known, config, mode)
        if known.run is not RunState.RUNNING or len(known.buffer) > wanted // 2 or known.claim_after_s > now_s:
            return
        command = step.emit(
            ClaimLeads(
                campaign=known.id,
                lists=config.lists or (str(known.id),),
                count=wanted - len(known.buffer),
                hold_s=HOLD_S,
                sheet=replace(blank_sheet(known.id, config, step.now.utc_s), mode=mode),
            )
        )
        step.campaigns.put(known.id, replace(step.campaigns[known.id], claiming=command, claim_after_s=now_s))

    def _buffer_size(self, known: Campaign, config: CampaignSettings, mode: Mode) -> int:
        crew = 1.0 if mode is Mode.AGENTLESS else 3.0 * self.crews.size(config)
        wanted = 10.0 * config.calls_per_second if mode is Mode.AGENTLESS else crew * max(config.lines_per_agent, 1.0)
        return int(min(max(wanted, BUFFER_MIN), BUFFER_MAX))

    def claimed(self, event: LeadsClaimed) -> None:
        """Leads have come, or there are none."""
        step, known = self.step, self.step.campaigns.get(event.campaign)
        config = self.book.settings(event.campaign)
        if known is None or config is None or known.claiming != event.command or known.run is not RunState.RUNNING:
            self._give_back(event.campaign, list(event.leads))
            if known is not None and known.claiming == event.command:
                step.campaigns.put(known.id, replace(known, claiming=None))
            return
        known = replace(known, claiming=None, ready=event.ready, next_lead_utc_s=event.next_utc_s)
        step.campaigns.put(known.id, known)
        mode = self.book.mode(known, config)
        new = self._not_in_hand(known.id, event.leads)
        found = [each for lead in new if (each := self._candidate(known.id, config, mode, lead)) is not None]
        known = step.campaigns[known.id]
        rest_s = 0.0 if found else CLAIM_AGAIN_S if event.leads else NO_LEADS_S
        if not event.is_ok:
            rest_s = CLAIM_AGAIN_S
            self.book.rest(known.id, 0.0, "the database does not give out leads")
            known = step.campaigns[known.id]
        elif not event.leads and event.next_utc_s is not None:
            rest_s = min(max(event.next_utc_s - step.now.utc_s, 1.0), NO_LEADS_S)
        hot = [each for each in found if each.lead.is_hot]
        others = [each for each in found if not each.lead.is_hot]
        step.campaigns.put(
            known.id,
            replace(known, buffer=(*hot, *known.buffer, *others), claim_after_s=step.now.mono_s + rest_s),
        )
        if found:
            self._look_at(known.id, step.now.mono_s)

    def _not_in_hand(self, campaign: CampaignId, leads: Iterable[ClaimedLead]) -> list[ClaimedLead]:
        """Each once, if nobody here is at it. Under an earlier claim of the same lead, which has lapsed, nothing is dialled any more."""
        step = self.step
        leads = {lead.id: lead for lead in leads}.values()
        ids = {lead.id for lead in leads}
        for known in step.campaigns.values():
            if any(each.lead.id in ids for each in known.buffer):
                kept = tuple(each for each in known.buffer if each.lead.id not in ids)
                step.campaigns.put(known.id, replace(known, buffer=kept))
        busy = {attempt.lead.id for attempt in step.attempts.values()} | self.calls.sought()
        self._give_back(campaign, [lead for lead in leads if lead.id in busy], until_utc_s=step.now.utc_s + REST_S)
        return [lead for lead in leads if lead.id not in busy]

    def _drop_lapsed(self, campaign: CampaignId) -> None:
        """Of claims that lapse soon, because nobody was free for long: the leads are claimed anew when somebody is."""
        known, until_s = self.step.campaigns[campaign], self.step.now.utc_s + LAPSES_S
        lapsed = [each.lead for each in known.buffer if each.lead.until_utc_s <= until_s]
        if lapsed:
            self._give_back(campaign, lapsed)
            kept = tuple(each for each in known.buffer if each.lead.until_utc_s > until_s)
            self.step.campaigns.put(campaign, replace(known, buffer=kept))

    def _candidate(self, campaign: CampaignId, config: CampaignSettings, mode: Mode, lead: ClaimedLead) -> Candidate | None:
        """The number that is dialled next, if the gate has nothing against it; else the lead goes back."""
        if lead.only is not None and not self._is_awaited(lead):
            lead = replace(lead, only=None)
        elif lead.only is not None and not self._is_there(lead.only):
            rests_until_s = self.step.now.utc_s + REST_S
            if lead.callback_utc_s is not None:
                rests_until_s = min(rests_until_s, lead.callback_utc_s + GRACE_S)
            self._give_back(campaign, [lead], until_utc_s=rests_until_s)
            return None
        refusals = []
        for facts in lead.sheets:
            sheet = self._optimistic(campaign, config, mode, lead, facts)
            verdict = judge(sheet, config.rules, self.step.now.utc_s)
            if not isinstance(verdict, Refused):
                return Candidate(lead=lead, sheet=facts)
            refusals.append(verdict)
        self._refuse(campaign, lead, refusals)
        return None

    def _optimistic(
        self, campaign: CampaignId, config: CampaignSettings, mode: Mode, lead: ClaimedLead, facts: FactSheet
    ) -> FactSheet:
        """As if an agent were there and all the rest of the campaign in order: what speaks against the lead is asked."""
        shown, _ = self.trunking.caller_id(facts.number, config)
        sheet = self.book.sheet(campaign, config, mode, facts, lead.callback_utc_s)
        return replace(
            sheet,
            is_agent_reserved=True,
            is_campaign_open=True,
            caller_id=shown,
            trunk=self.trunking.leads_anywhere(facts.number, config),
        )

    def _is_awaited(self, lead: ClaimedLead) -> bool:
        """Whether a callback still waits for the agent who promised it."""
        return lead.callback_utc_s is not None and self.step.now.utc_s < lead.callback_utc_s + GRACE_S

    def _is_there(self, agent: AgentId) -> bool:
        known = self.step.agents.get(agent)
        return known is not None and known.presence is Presence.READY

    def _refuse(self, campaign: CampaignId, lead: ClaimedLead, refusals: list[Refused]) -> None:
        """None of its numbers may be called now."""
        step, now_utc_s = self.step, self.step.now.utc_s
        reasons = Counter(each.reason.value for each in refusals)
        for reason, count in reasons.items():
            step.store(
                RefusalRecord(campaign=campaign, reason=reason, where=RefusedWhere.CLAIM, at_utc_s=now_utc_s, count=count)
            )
        self.book.refused(campaign, reasons, refusals[0].says if refusals else "it has no number")
        if all(each.reason in LEAD_IS_DONE for each in refusals):
            self._give_back(campaign, [lead], is_over=True)
            return
        ours = any(each.reason in self.book.OF_THE_CAMPAIGN for each in refusals)
        untils = [each.until_utc_s for each in refusals if each.until_utc_s is not None]
        until_s = min(untils, default=now_utc_s + (REST_S if ours else DAY_S))
        self._give_back(campaign, [lead], until_utc_s=max(until_s, now_utc_s + 1.0))

    def _give_back(
        self, campaign: CampaignId, leads: Iterable[ClaimedLead], *, until_utc_s: float | None = None, is_over: bool = False
    ) -> None:
        pairs = tuple((lead.id, lead.token) for lead in leads)
        if pairs:
            self.step.emit(GiveBackLeads(campaign=campaign, leads=pairs, until_utc_s=until_utc_s, is_over=is_over))

    def leads_added(self, event: LeadsAdded) -> None:
        """They are dialled next."""
        for known in self.step.campaigns.values():
            config = self.book.settings(known.id)
            if config is not None and event.list in (config.lists or (str(known.id),)) and known.run is RunState.RUNNING:
                self.step.campaigns.put(known.id, replace(known, claim_after_s=0.0, ready=known.ready + 1))
                if len(known.buffer) > 1:
                    # What was claimed before comes after it.
                    self._give_back(known.id, [each.lead for each in known.buffer])
                    self.step.campaigns.put(known.id, replace(self.step.campaigns[known.id], buffer=()))
                self._look_at(known.id, self.step.now.mono_s)

    # --- pacing -----------------------------------------------------------------------------------------------------------
    def _look_at(self, campaign: CampaignId, at_s: float) -> None:
        due_s = self.step.deadlines.table.get((DeadlineKind.PACE, str(campaign)))
        if due_s is None or due_s > at_s:
            self.step.deadlines.set(DeadlineKind.PACE, campaign, at_s)

    def due(self, campaign: CampaignId) -> None:
        """It is looked at."""
        step, known, config = self.step, self.step.campaigns.get(campaign), self.book.settings(campaign)
        if known is None or config is None:
            return
        now_s = step.now.mono_s
        if known.run not in DIALS:
            # It dials nobody; what happened in it goes on record when its time is over.
            self._give_out_evidence(known, config)
            if any(not each.is_settled for each in step.campaigns[campaign].account.months):
                step.deadlines.set(DeadlineKind.PACE, campaign, now_s + STOPPED_LOOK_S)
            return
        mode = self.book.mode(known, config)
        if step.now.utc_s - known.day_from_utc_s >= DAY_S:
            self.book.begin_day(campaign)
        self._give_out_evidence(step.campaigns[campaign], config)
        if not self.book.is_open(campaign):
            self._hold(campaign, "its hours are closed")
            step.deadlines.set(DeadlineKind.PACE, campaign, now_s + IDLE_LOOK_S)
            return
        if not (step.clockwork.is_linked and step.clockwork.is_observed):
            self._hold(campaign, "there is no link to the PBX")
            step.deadlines.set(DeadlineKind.PACE, campaign, now_s + LOOK_S)
            return
        self._take_back(campaign, mode)
        self._drop_lapsed(campaign)
        self._claim(step.campaigns[campaign], config, mode)
        known = step.campaigns[campaign]
        if known.rests_until_s > now_s:
            step.deadlines.set(DeadlineKind.PACE, campaign, min(known.rests_until_s, now_s + IDLE_LOOK_S))
            return
        self._pace(known, config, mode)
        known = step.campaigns[campaign]
        if known.run is RunState.DRAINING and not known.buffer and not self.calls.waiting(campaign):
            self._stop(campaign, "it is drained")
            return
        next_s = now_s + (LOOK_S if known.buffer or self._lines_used(campaign) else IDLE_LOOK_S)
        if not known.buffer and known.claiming is None and known.claim_after_s > now_s:
            next_s = min(next_s, known.claim_after_s)
        if known.owed:
            next_s = min(next_s, max(known.next_dial_s, self.trunking.frees_at_s(config.trunks), now_s + 0.01))
        step.deadlines.set(DeadlineKind.PACE, campaign, next_s)

    def next_lead(self, agent_id: AgentId) -> bool:
        """An agent asks for the next lead of a campaign in which agents dial by themselves. False: there is none."""
        agent = self.step.agents.get(agent_id)
        for known in self.step.campaigns.values():
            config = self.book.settings(known.id)
            if agent is None or config is None or config.queue is None or not self.book.is_open(known.id) or not known.buffer:
                continue
            if self.book.mode(known, config) is not Mode.MANUAL or agent not in self.crews.of(config, Mode.MANUAL):
                continue
            candidate, rest = known.buffer[0], known.buffer[1:]
            self.step.campaigns.put(known.id, replace(known, buffer=rest))
            self.calls.seek_agent(known.id, config, candidate, agent_id)
            return True
        return False

    def _take_back(self, campaign: CampaignId, mode: Mode) -> None:
        """Of those for whom no agent is free after all. An agent who asked for one is about to be free."""
        for waiting in self.calls.waiting(campaign):
            is_asked_for = mode is Mode.MANUAL and waiting.arrived.mono_s + ASKED_S > self.step.now.mono_s
            if not is_asked_for:
                self.calls.take_back(waiting)

    def _hold(self, campaign: CampaignId, why: str) -> None:
        known = self.step.campaigns[campaign]
        if known.held_by != why:
            self.step.campaigns.put(campaign, replace(known, held_by=why, asked=0, owed=0))

    def _pace(self, known: Campaign, config: CampaignSettings, mode: Mode) -> None:
        step, now_s = self.step, self.step.now.mono_s
        owed = known.owed
        if now_s - known.looked_s >= LOOK_S - 0.001 or not owed:
            owed = self._wanted(known, config, mode)
            known = step.campaigns[known.id]
            known = replace(known, asked=owed, looked_s=now_s, held_by="")
        step.campaigns.put(known.id, replace(known, owed=owed))
        if owed <= 0:
            return
        stand = self._stand(known.id, config, mode)
        while owed > 0:
            known = step.campaigns[known.id]
            held_by = self._place_one(known, config, mode, stand)
            if held_by:
                known = step.campaigns[known.id]
                is_short = known.next_dial_s > now_s or held_by.endswith(USED_UP)
                step.campaigns.put(known.id, replace(known, owed=owed if is_short else 0, held_by=held_by))
                return
            owed -= 1
            step.campaigns.put(known.id, replace(step.campaigns[known.id], owed=owed))

    def _wanted(self, known: Campaign, config: CampaignSettings, mode: Mode) -> int:
        if mode is Mode.MANUAL:
            return 0
        lines = config.lines - self._lines_used(known.id)
        if mode is Mode.AGENTLESS:
            return max(min(lines, len(known.buffer)), 0)
        view = self._view(known, config, mode, lines)
        return self.book.pacer(known, config, mode).pace(view)

    def _lines_used(self, campaign: CampaignId) -> int:
        legs = self.step.legs
        return sum(a.campaign == campaign and (a.leg is None or a.leg in legs) for a in self.step.attempts.values())

    def _view(self, known: Campaign, config: CampaignSettings, mode: Mode, lines: int) -> View:
        now_s, step = self.step.now.mono_s, self.step
        crew = self.crews.of(config, mode)
        lent = self.crews.lent(config, mode)
        idle = sorted((now_s - agent.idle_since_s for agent in lent if self._may_be_given(agent, known.id)), reverse=True)
        talking, wrapping, paused = [], [], 0
        for agent in crew:
            work = agent.work[0] if agent.work else None
            if work is None:
                paused += agent.presence is not Presence.READY
            elif work.phase in (Phase.RINGING, Phase.TALKING):
                talking.append((now_s - work.since.mono_s, self.crews.wants_to_go(agent)))
            elif work.phase is Phase.WRAP_UP:
                wrapping.append((now_s - work.since.mono_s, self.crews.wants_to_go(agent)))
        ringing, detecting, waiting = [], [], []
        for attempt in step.attempts.values():
            if attempt.campaign != known.id or not self.book.is_on_its_way(attempt):
                continue
            if attempt.person is not None:
                waiting.append(now_s - attempt.person.mono_s)
            elif attempt.answered is not None:
                detecting.append(now_s - attempt.answered.mono_s)
            else:
                ringing.append(now_s - (attempt.dialled or attempt.since).mono_s)
        return View(
            now_s=step.now.utc_s - known.day_from_utc_s,
            idle=idle,
            talking=talking,
            wrapping=wrapping,
            paused=paused,
            ringing=ringing,
            detecting=detecting,
            waiting=waiting,
            lines_free=lines,
            leads_left=len(known.buffer) + known.ready,
            allowance=self.book.room(known.id),
            totals=known.totals,
        )

    def _may_be_given(self, agent: Agent, campaign: CampaignId) -> bool:
        return self.crews.is_free(agent) or self.crews.is_kept(agent, campaign)

    # --- one call -----------------------------------------------------------------------------------------------------------
    def _stand(self, campaign: CampaignId, config: CampaignSettings, mode: Mode) -> Stand:
        if mode is Mode.AGENTLESS:
            return Stand(deque(), 0, 0)
        return Stand(deque(self.crews.free(config, mode)), self.book.unbacked(campaign), self.book.room(campaign))

    def _place_one(self, known: Campaign, config: CampaignSettings, mode: Mode, stand: Stand) -> str:
        """Place the call to the next lead that may be called. Returns why none can be placed, or an empty text.

        Leads whose trunks take no call now are passed over, and stay where they are.
        """
        passed: dict[tuple[TrunkId, ...], str] = {}
        for candidate in known.buffer:
            if known.next_dial_s > self.step.now.mono_s:
                return f"the calls per second of the campaign {USED_UP}"
            ways = self.trunking.leading_to(candidate.sheet.number, config)
            if ways in passed:
                continue
            sheet, why = self._sheet_now(known, config, mode, candidate, stand)
            verdict = judge(sheet, config.rules, self.step.now.utc_s)
            if not isinstance(verdict, Refused):
                self._place(known, config, mode, candidate, sheet=sheet, stand=stand)
                return ""
            if verdict.reason is Refusal.STALE_FACTS:
                self._give_back(known.id, [candidate.lead])
            elif verdict.reason is Refusal.AGENT_NOT_RESERVED and mode in UNBACKED and stand.idle:
                self._place_with(known, config, candidate, stand.idle.popleft().id)
                return ""
            elif verdict.reason in self.book.OF_THE_CAMPAIGN:
                self.book.refused(known.id, {}, verdict.says)
                if verdict.reason is not Refusal.TRUNK_MISSING:
                    return why or verdict.says
                passed[ways] = why or verdict.says
                continue
            else:
                self._refuse(known.id, candidate.lead, [verdict])
            known = self._without(known.id, candidate)
        waits = [each for each in passed.values() if each.endswith(USED_UP)]
        return next(iter([*waits, *passed.values()]), "no lead is claimed that may be called now")

    def _without(self, campaign: CampaignId, candidate: Candidate) -> Campaign:
        """The campaign, this lead taken from its buffer."""
        known = self.step.campaigns[campaign]
        known = replace(known, buffer=tuple(each for each in known.buffer if each is not candidate))
        self.step.campaigns.put(campaign, known)
        return known

    def _sheet_now(
        self, known: Campaign, config: CampaignSettings, mode: Mode, candidate: Candidate, stand: Stand
    ) -> tuple[FactSheet, str]:
        """The facts of this instant, and why something of ours is missing in them."""
        number = candidate.sheet.number
        trunk, why = self.trunking.choose(number, config)
        shown, no_number = self.trunking.caller_id(number, config)
        sheet = self.book.sheet(known.id, config, mode, candidate.sheet, candidate.lead.callback_utc_s)
        sheet = replace(sheet, caller_id=shown, trunk=trunk)
        if mode is Mode.AGENTLESS:
            return sheet, why or no_number
        if mode not in UNBACKED:
            return replace(sheet, is_agent_reserved=bool(stand.idle)), why or no_number
        is_covered = bool(stand.idle) or stand.unbacked < 0
        needs_own = sheet.last_abandon_utc_s is not None
        room = max(stand.room - max(stand.unbacked, 0), 0)
        return replace(sheet, is_agent_reserved=is_covered and not needs_own, abandon_room=room), why or no_number

    def _place(
        self, known: Campaign, config: CampaignSettings, mode: Mode, candidate: Candidate, *, sheet: FactSheet, stand: Stand
    ) -> None:
        """A lead of the buffer: by an agent who is there first, or ahead."""
        agent = stand.idle.popleft().id if stand.idle else None
        if agent is not None and mode not in UNBACKED:
            self._place_with(known, config, candidate, agent)
            return
        self._without(known.id, candidate)
        self._take_turn(known.id, config)
        if agent is not None:
            self.crews.reserve(agent, known.id)
        else:
            stand.unbacked += 1
        self.attempts.start(config, mode, candidate, sheet)

    def _place_with(self, known: Campaign, config: CampaignSettings, candidate: Candidate, agent: AgentId) -> None:
        """A lead of the buffer, by this agent; a promised callback by the one who promised it."""
        self._without(known.id, candidate)
        self._take_turn(known.id, config)
        self.calls.seek_agent(known.id, config, candidate, candidate.lead.only or agent)

    def _take_turn(self, campaign: CampaignId, config: CampaignSettings) -> None:
        known, now_s = self.step.campaigns[campaign], self.step.now.mono_s
        next_s = max(known.next_dial_s, now_s) + 1.0 / config.calls_per_second
        self.step.campaigns.put(campaign, replace(known, next_dial_s=next_s))

    # --- at the end of each step --------------------------------------------------------------------------------------------
    def let_go(self) -> None:
        """Before whoever waits is paired with who is free: those who are kept and not needed, or cannot take a call any more."""
        step = self.step
        touched = {agent.reserved for each in step.touched_agents if (agent := step.agents.get(each)) is not None}
        for campaign in [*step.touched_campaigns, *(each for each in touched if each not in step.touched_campaigns)]:
            kept = [agent for agent in step.agents.values() if agent.reserved == campaign] if campaign is not None else []
            if campaign is not None and kept:
                self._let_go(campaign, kept)

    def _let_go(self, campaign: CampaignId, kept: list[Agent]) -> None:
        """Whatever mode the campaign has by now: of the calls that are on their way some may have been placed ahead."""
        able = []
        for agent in kept:
            if self.crews.is_kept(agent, campaign):
                able.append(agent)
            else:
                self.crews.let_go(agent.id)
        flight, count = self.book.in_flight(campaign), len(able)
        leaving = [agent for agent in able if self.crews.wants_to_go(agent)]
        if count > flight:
            staying = [agent for agent in able if not self.crews.wants_to_go(agent)]
            spare = [*leaving, *sorted(staying, key=lambda each: (-each.idle_since_s, each.id))][: count - flight]
            for agent in spare:
                self.crews.let_go(agent.id)
            count, leaving = flight, leaving[len(spare) :]
        # Who wants to go may, as soon as the account could bear the loss of one more call.
        room = self.book.room(campaign) if leaving else 0
        for agent in leaving:
            if flight - (count - 1) <= room:
                count -= 1
                self.crews.let_go(agent.id)

    def follow(self) -> None:
        """After it: idle agents are kept for calls that have none; and a campaign with an agent more is looked at."""
        step = self.step
        has_idle = any(self._has_become_idle(each) for each in step.touched_agents) if step.campaigns else False
        if not has_idle and not step.touched_campaigns:
            return
        for known in step.campaigns.values():
            config = self.book.settings(known.id)
            if config is None or config.queue is None:
                continue
            mode = self.book.mode(known, config)
            # Calls of before a switch to another mode are answered to somebody who is there at once.
            self._keep(known.id, config, mode if mode in UNBACKED else Mode.POWER)
            is_waiting = known.run in DIALS and mode not in (Mode.MANUAL, Mode.AGENTLESS) and known.buffer
            if is_waiting and has_idle:
                self._look_at(known.id, step.now.mono_s)

    def _keep(self, campaign: CampaignId, config: CampaignSettings, mode: Mode) -> None:
        flight = self.book.in_flight(campaign)
        missing = flight - len(self.crews.reserved(campaign)) if flight else 0
        if missing <= 0:
            return
        for agent in self.crews.free(config, mode)[:missing]:
            self.crews.reserve(agent.id, campaign)

    def _has_become_idle(self, agent_id: AgentId) -> bool:
        """Whether the agent has nothing to do, and is not kept."""
        agent = self.step.agents.get(agent_id)
        return agent is not None and not agent.work and self.crews.is_free(agent)

    # --- what agents do -------------------------------------------------------------------------------------------------------
    def talked(self, campaign: CampaignId, lasted_s: float) -> None:
        self.book.tell(campaign, What.TALK_ENDED, lasted_s=lasted_s)

    def wrapped_up(self, campaign: CampaignId, lasted_s: float) -> None:
        self.book.tell(campaign, What.WRAP_UP_ENDED, lasted_s=lasted_s)

    # --- evidence ---------------------------------------------------------------------------------------------------------------
    def _give_out_evidence(self, known: Campaign, config: CampaignSettings) -> None:
        now = self.step.now
        if known.evidence_s > now.mono_s:
            return
        book, rows = account.settled(known.account, config.rules, now.utc_s)
        self.step.campaigns.put(known.id, replace(known, account=book, evidence_s=now.mono_s + EVIDENCE_S))
        for row in rows:
            self.step.store(
                EvidenceRecord(
                    campaign=row.campaign,
                    from_utc_s=row.from_utc_s,
                    until_utc_s=row.until_utc_s,
                    connected=row.tally.connected,
                    abandoned=row.tally.abandoned,
                    amd_errors=row.tally.amd_errors,
                    machines=row.tally.machines,
                    left=row.tally.left,
                    told=row.tally.told,
                    preset=row.preset,
                    max_abandon=row.max_abandon,
                    share_of=row.share_of.value,
                    abandon_window=row.abandon_window.value,
                    counts_amd_errors=row.counts_amd_errors,
                    share=row.share,
                )
            )

"""What is known of each campaign: its settings, its account of abandoned calls, the calls on their way, and what its pacer is told.

Pacers learn from what happens and cannot be undone like records: they are told at the end of a step that succeeded (`flush`).
"""

import json
from collections.abc import Mapping

from ccserver.core.change import replace
from ccserver.core.crews import Crews
from ccserver.core.dialer import account
from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.campaign_state import DIALS, ON_THE_WAY, Attempt, AttemptStage, Campaign
from ccserver.core.dialer.facts import CallerIdFacts, FactSheet
from ccserver.core.dialer.pacing import MODES, pacer
from ccserver.core.dialer.settings import AmdUse, CampaignSettings
from ccserver.core.dialer.terms import AbandonWindow, Mode, Purpose
from ccserver.core.dialer.verdict import Refusal
from ccserver.core.dialer.view import Happened, Limits, Pacer, Totals, What
from ccserver.core.ids import AgentId, CampaignId
from ccserver.core.opening import Opening
from ccserver.core.records import AttemptOutcome
from ccserver.core.step import Step

DAY_S = 8 * 3600.0
"""A day's dialling, where no hours say how long it is."""
LEAST_DAY_S = 900.0
COUNTS = {
    What.DIALED: "dials",
    What.HUMAN: "humans",
    What.CONNECTED: "connects",
    What.ABANDONED: "abandoned",
    What.MACHINE: "machines",
    What.NO_ANSWER: "no_answer",
    What.FAILED: "failed",
}


class CampaignBook:
    """Asked and changed by who dials; decides nothing."""

    OF_THE_CAMPAIGN = frozenset(
        {
            Refusal.MODE_NOT_ALLOWED,
            Refusal.REGISTER_MISSING,
            Refusal.REGISTER_TOO_OLD,
            Refusal.AGENT_NOT_RESERVED,
            Refusal.BUDGET_SPENT,
            Refusal.NO_SAFE_HARBOUR,
            Refusal.AMD_NOT_ALLOWED,
            Refusal.RINGS_TOO_SHORT,
            Refusal.CAMPAIGN_CLOSED,
            Refusal.CALLER_ID_MISSING,
            Refusal.CALLER_ID_NOT_OURS,
            Refusal.CALLER_ID_SILENT,
            Refusal.CALLER_ID_TYPE,
            Refusal.CALLER_ID_CAP,
            Refusal.TRUNK_MISSING,
            Refusal.STALE_FACTS,
        }
    )
    """Refusals that say nothing against the lead: it is dialled when they are mended."""

    def __init__(self, step: Step, crews: Crews, pacers: Mapping[CampaignId, str]) -> None:
        self.step = step
        self.crews = crews
        self._opening = Opening(step)
        self._told: list[tuple[CampaignId, Happened]] = []
        self._pacers: dict[CampaignId, tuple[str, Limits, Pacer]] = {}
        self._kept = dict(pacers)

    # --- settings -------------------------------------------------------------------------------------------------------
    def settings(self, campaign: CampaignId) -> CampaignSettings | None:
        """The newest; None when it is not in them any more."""
        dialing = self.step.settings.dialing
        return dialing.campaigns.get(campaign) if dialing is not None else None

    def config_of(self, attempt: Attempt) -> CampaignSettings:
        """The newest; those it was begun with when the campaign has been removed since."""
        known = self.settings(attempt.campaign)
        if known is not None:
            return known
        dialing = self.step.versions[attempt.version].dialing
        assert dialing is not None
        return dialing.campaigns[attempt.campaign]

    def mode(self, campaign: Campaign, config: CampaignSettings) -> Mode:
        return campaign.mode or config.mode

    def is_open(self, campaign: CampaignId) -> bool:
        """Whether it dials now, by order and by its hours."""
        known, config = self.step.campaigns.get(campaign), self.settings(campaign)
        return known is not None and config is not None and known.run in DIALS and self._opening.is_open(config.hours)

    def opens_utc_s(self, config: CampaignSettings) -> float | None:
        """When its hours begin next; None: they are open, or nobody knows."""
        if config.hours is None or self._opening.is_open(config.hours):
            return None
        return self._opening.next_change(config.hours, self.step.now.utc_s)

    def closes_utc_s(self, config: CampaignSettings) -> float | None:
        return None if config.hours is None else self._opening.next_change(config.hours, self.step.now.utc_s)

    # --- the facts that only the center knows ---------------------------------------------------------------------------
    def sheet(
        self, campaign: CampaignId, config: CampaignSettings, mode: Mode, facts: FactSheet, callback_utc_s: float | None
    ) -> FactSheet:
        """`facts` with what holds for every call of the campaign now. A promised callback is one that the person asked for."""
        sheet = replace(
            facts,
            mode=mode,
            is_campaign_open=self.is_open(campaign),
            campaign_opens_utc_s=self.opens_utc_s(config),
            ring_s=config.ring_s,
            uses_amd=config.amd.use is not AmdUse.OFF,
            drops_voicemail=config.voicemail is not None and mode is Mode.AGENTLESS,
            has_safe_harbour=config.safe_harbour is not None,
        )
        if callback_utc_s is None:
            return sheet
        asked_s = sheet.last_talk_utc_s
        return replace(
            sheet,
            purpose=Purpose.REQUESTED,
            requested_utc_s=asked_s,
            agreed_utc_s=callback_utc_s if asked_s is None else max(callback_utc_s, asked_s),
        )

    def completed(self, attempt: Attempt, fresh: FactSheet, caller_id: CallerIdFacts | None) -> FactSheet:
        """The facts of an attempt as they are just before it is dialled."""
        config = self.config_of(attempt)
        sheet = self.sheet(attempt.campaign, config, attempt.mode, fresh, attempt.lead.callback_utc_s)
        others = self.unbacked(attempt.campaign) - 1
        return replace(
            sheet,
            is_agent_reserved=attempt.is_backed or others < 0,
            abandon_room=max(self.room(attempt.campaign) - max(others, 0), 0),
            caller_id=caller_id,
            trunk=attempt.trunk,
        )

    # --- calls on their way -----------------------------------------------------------------------------------------------
    def is_on_its_way(self, attempt: Attempt) -> bool:
        """Whether it may need an agent of the campaign's who is not at it yet."""
        if attempt.is_backed or attempt.mode is Mode.AGENTLESS or attempt.is_counted:
            return False
        if attempt.stage in ON_THE_WAY:
            return True
        interaction = self.step.interactions.get(attempt.interaction)
        return attempt.stage is AttemptStage.PERSON and interaction is not None and not interaction.offers

    def in_flight(self, campaign: CampaignId) -> int:
        count = 0
        for each in self.step.attempts.values():
            if each.agent is not None or each.campaign != campaign or each.mode is Mode.AGENTLESS:
                continue
            # Asked for all calls in nearly every step: identity costs a tenth of what a set of stages does.
            if each.stage is AttemptStage.PERSON:
                count += not each.is_counted and self.is_on_its_way(each)
            elif each.stage is not AttemptStage.MESSAGE:
                count += 1
        return count

    def unbacked(self, campaign: CampaignId) -> int:
        """Calls on their way for which nobody is kept; below 0: more are kept than are needed."""
        return self.in_flight(campaign) - len(self.crews.reserved(campaign))

    def room(self, campaign: CampaignId) -> int:
        """How many calls may be abandoned, those on their way not taken off."""
        known, config = self.step.campaigns.get(campaign), self.settings(campaign)
        if known is None or config is None:
            return 0
        return account.room(known.account, config.rules, self.step.now.utc_s)

    def whoever_is_kept(self, campaign: CampaignId) -> AgentId | None:
        """The agent for somebody who has answered: not kept any more from here on, since the call is theirs."""
        kept = self.crews.reserved(campaign)
        if not kept:
            return None
        self.step.put_agent(replace(kept[0], reserved=None))
        return kept[0].id

    # --- what becomes of it -----------------------------------------------------------------------------------------------
    def count(self, campaign: CampaignId, what: Counted, answered_utc_s: float, *, is_told: bool = False) -> None:
        """Into the account."""
        known = self.step.campaigns.get(campaign)
        if known is None:
            return
        book = account.count(known.account, what, answered_utc_s, self.step.now.utc_s, is_told=is_told)
        self.step.campaigns.put(campaign, replace(known, account=book))

    def machine_answered(self, campaign: CampaignId) -> int:
        """How many that is, of those that were taken for machines."""
        known = self.step.campaigns.get(campaign)
        if known is None:
            return 1
        self.step.campaigns.put(campaign, replace(known, amd_machines=known.amd_machines + 1))
        return known.amd_machines + 1

    def machine_hung_up_on(self, campaign: CampaignId) -> None:
        """Some of those who are taken for machines are people: as many as agents' confirmations say go into the account."""
        known = self.step.campaigns.get(campaign)
        if known is None:
            return
        owed = known.amd_owed + known.amd_wrong_share
        self.step.campaigns.put(campaign, replace(known, amd_owed=owed % 1.0))
        if owed >= 1.0:
            self.count(campaign, Counted.AMD_ERROR, self.step.now.utc_s)

    def confirmed(self, campaign: CampaignId, *, is_person: bool) -> None:
        """An agent has said who was there."""
        known = self.step.campaigns.get(campaign)
        if known is not None:
            wrong = known.amd_wrong + is_person
            self.step.campaigns.put(campaign, replace(known, amd_checked=known.amd_checked + 1, amd_wrong=wrong))

    def tell(self, campaign: CampaignId, what: What, *, age_s: float = 0.0, lasted_s: float = 0.0) -> None:
        """The pacer, at the end of the step; and the day's totals."""
        known = self.step.campaigns.get(campaign)
        if known is None:
            return
        at_s = self.step.now.utc_s - known.day_from_utc_s
        self._told.append((campaign, Happened(at_s=at_s, what=what, age_s=age_s, lasted_s=lasted_s)))
        name = COUNTS.get(what)
        if name is not None:
            totals = replace(known.totals, **{name: getattr(known.totals, name) + 1})
            self.step.campaigns.put(campaign, replace(known, totals=totals))

    def rest(self, campaign: CampaignId, for_s: float, why: str) -> None:
        """Nothing is dialled for a moment."""
        known = self.step.campaigns.get(campaign)
        if known is not None:
            until_s = max(known.rests_until_s, self.step.now.mono_s + for_s)
            self.step.campaigns.put(campaign, replace(known, rests_until_s=until_s, held_by=why))

    def refused(self, campaign: CampaignId, reasons: Mapping[str, int], says: str) -> None:
        known = self.step.campaigns.get(campaign)
        if known is not None:
            counted = {**known.refused, **{reason: known.refused.get(reason, 0) + n for reason, n in reasons.items()}}
            self.step.campaigns.put(campaign, replace(known, refused=counted, last_refusal=says))

    def settled(self, attempt: Attempt, outcome: AttemptOutcome) -> None:
        known = self.step.campaigns.get(attempt.campaign)
        if known is not None and outcome is not AttemptOutcome.NOT_PLACED:
            self.step.campaigns.put(attempt.campaign, replace(known, placed=known.placed + 1))

    # --- pacers -------------------------------------------------------------------------------------------------------------
    def pacer(self, known: Campaign, config: CampaignSettings, mode: Mode) -> Pacer:
        """The campaign's, which goes on with what it has learned for as long as nothing of its limits changes."""
        name = mode.value if mode.value in MODES else Mode.PROGRESSIVE.value
        limits = self._limits(known, config)
        found = self._pacers.get(known.id)
        if found is not None and found[:2] == (name, limits):
            return found[2]
        made = pacer(name, limits)
        learned = json.dumps(found[2].state()) if found is not None and found[0] == name else self._kept.pop(known.id, "")
        if learned:
            try:
                made.restore(json.loads(learned))
            except ValueError:
                made = pacer(name, limits)  # of another mode or version: it learns anew
        self._pacers[known.id] = (name, limits, made)
        return made

    def begin_day(self, campaign: CampaignId) -> None:
        """What was learned yesterday says little of today."""
        self._pacers.pop(campaign, None)
        self._kept.pop(campaign, None)
        known, config = self.step.campaigns[campaign], self.settings(campaign)
        now_utc_s = self.step.now.utc_s
        closes_s = self.closes_utc_s(config) if config is not None else None
        horizon_s = DAY_S if closes_s is None else max(closes_s - now_utc_s, LEAST_DAY_S)
        carried = account.balance(known.account, config.rules, now_utc_s) if config is not None else 0.0
        if config is None or config.rules.abandon_window is AbandonWindow.DAY:
            carried = min(carried, 0.0)
        self.step.campaigns.put(
            campaign, replace(known, day_from_utc_s=now_utc_s, horizon_s=horizon_s, carried=carried, totals=Totals())
        )

    def _limits(self, known: Campaign, config: CampaignSettings) -> Limits:
        return Limits(
            max_abandoned=config.rules.max_abandon,
            patience_s=config.rules.connect_s,
            ring_timeout_s=config.ring_s,
            horizon_s=known.horizon_s,
            carried=known.carried,
            lines_per_agent=config.lines_per_agent if config.lines_per_agent > 1.0 else None,
            calls_per_agent=config.lines_per_agent,
        )

    def flush(self) -> None:
        """The step has succeeded: pacers are told what happened in it."""
        told, self._told = self._told, []
        for campaign, happened in told:
            found = self._pacers.get(campaign)
            if found is not None:
                found[2].observe(happened)

    def forget_untold(self) -> None:
        """The step has failed."""
        self._told = []

    def learned(self) -> Mapping[CampaignId, str]:
        """For a snapshot."""
        return {**self._kept, **{each: json.dumps(found[2].state()) for each, found in self._pacers.items()}}

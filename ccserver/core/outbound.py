"""Calls for which an agent is there first: preview, progressive, callbacks, and whoever may only be called with an agent reserved.

The interaction waits in the campaign's queue without a leg, behind everybody who waits on a line. The agent who is offered it hears who is
to be called, where the campaign says so (`previews`), and waits; then the callee is dialled, and joined when they answer. An agent whose
callee does not answer is let go without any fault of theirs, and gets the next one.

In the queue's figures it counts from the answer on: until then nobody waits there.
"""

from ccserver.core.attempts import Attempts
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.change import replace
from ccserver.core.commands import GiveBackLeads
from ccserver.core.dialer.campaign_state import Campaign, Candidate
from ccserver.core.dialer.gate import judge
from ccserver.core.dialer.settings import CampaignSettings
from ccserver.core.dialer.verdict import Refused
from ccserver.core.facts import AttemptOver, OfferParked
from ccserver.core.ids import AgentId, CampaignId, InteractionId, LeadId
from ccserver.core.ledger import Ledger
from ccserver.core.offers import RING_GUARD_S, Offers
from ccserver.core.queueing import Queueing
from ccserver.core.records import EndedBy, OfferOutcome, Outcome, VisitOutcome
from ccserver.core.state import DeadlineKind, Interaction, Outbound
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance
from ccserver.core.trunking import Trunking

LAST_OF_ALL = -100_000
"""The priority of who is to be called: everybody on a line comes first."""


class OutboundCalls:
    """The interactions of the calls with an agent there first."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        queueing: Queueing,
        offers: Offers,
        *,
        book: CampaignBook,
        attempts: Attempts,
        trunking: Trunking,
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.queueing = queueing
        self.offers = offers
        self.book = book
        self.attempts = attempts
        self.trunking = trunking

    # --- from the buffer to an agent ----------------------------------------------------------------------------------
    def seek_agent(self, campaign: CampaignId, config: CampaignSettings, candidate: Candidate, agent: AgentId) -> InteractionId:
        """This agent is offered to call `candidate`, as soon as they can take it."""
        step, queue = self.step, config.queue
        assert queue is not None
        interaction = self.attempts.prospect(step.next_number(), campaign, config, candidate)
        outbound = Outbound(campaign=campaign, candidate=candidate)
        self.ledger.put(replace(interaction, priority=LAST_OF_ALL, outbound=outbound))
        self.queueing.enqueue(step.interactions[interaction.id], queue, only=agent)
        return interaction.id

    def waiting(self, campaign: CampaignId) -> list[Interaction]:
        """Those whose agent is still looked for."""
        return [
            each
            for each in self.step.interactions.values()
            if each.outbound is not None
            and each.outbound.campaign == campaign
            and each.state is InteractionState.WAITING
            and not each.outbound.is_over
            and each.outbound.attempt is None
        ]

    def sought(self) -> set[LeadId]:
        """The leads of all campaigns for which an agent is looked for, or is asked."""
        return {
            each.outbound.candidate.lead.id
            for each in self.step.interactions.values()
            if each.outbound is not None
            and each.outbound.candidate is not None
            and each.outbound.attempt is None
            and not each.outbound.is_over
        }

    def take_back(self, interaction: Interaction) -> None:
        """No agent is free for it after all: the lead is the campaign's next one again."""
        outbound = interaction.outbound
        if outbound is None or outbound.candidate is None or outbound.attempt is not None:
            return
        known = self.step.campaigns.get(outbound.campaign)
        if known is not None:
            self.step.campaigns.put(known.id, replace(known, buffer=(outbound.candidate, *known.buffer)))
        self.end(interaction)

    # --- an agent is there --------------------------------------------------------------------------------------------
    def expect_parked(self, interaction: InteractionId) -> None:
        """An agent has heard whom to call, and is on the way to wait for the answer."""
        self.step.deadlines.set(DeadlineKind.RING_GUARD, interaction, self.step.now.mono_s + RING_GUARD_S)

    def offer_parked(self, fact: OfferParked) -> None:
        """An agent waits: the callee is dialled, if that is still lawful."""
        interaction = self.step.interactions.get(fact.interaction)
        outbound = interaction.outbound if interaction is not None else None
        if interaction is None or outbound is None or outbound.candidate is None:
            return
        if outbound.is_over or outbound.attempt is not None:
            return
        known, config = self.step.campaigns.get(outbound.campaign), self.book.settings(outbound.campaign)
        for other in interaction.offers:
            if other.leg != fact.leg:
                self.offers.withdraw(interaction.id, other, OfferOutcome.CANCELLED)
        if known is None or config is None or not self._dial(known, config, interaction, outbound.candidate, fact.agent):
            self._give_back(outbound.campaign, outbound.candidate)
            self.end(self.step.interactions[interaction.id])

    def _dial(
        self, known: Campaign, config: CampaignSettings, interaction: Interaction, candidate: Candidate, agent: AgentId
    ) -> bool:
        mode = self.book.mode(known, config)
        trunk, why = self.trunking.choose(candidate.sheet.number, config)
        shown, _ = self.trunking.caller_id(candidate.sheet.number, config)
        sheet = self.book.sheet(known.id, config, mode, candidate.sheet, candidate.lead.callback_utc_s)
        sheet = replace(sheet, is_agent_reserved=True, caller_id=shown, trunk=trunk)
        verdict = judge(sheet, config.rules, self.step.now.utc_s)
        if isinstance(verdict, Refused):
            self.book.refused(known.id, {verdict.reason.value: 1}, why or verdict.says)
            return False
        attempt = self.attempts.start(config, mode, candidate, sheet, agent=agent, interaction=interaction.id)
        present = self.step.interactions[interaction.id]
        assert present.outbound is not None
        self.ledger.put(
            replace(present, did=attempt.caller_id, outbound=replace(present.outbound, attempt=attempt.id, is_accepted=True))
        )
        return True

    def _give_back(self, campaign: CampaignId, candidate: Candidate) -> None:
        self.step.emit(GiveBackLeads(campaign=campaign, leads=((candidate.lead.id, candidate.lead.token),)))

    # --- the callee -----------------------------------------------------------------------------------------------------
    def reached(self, interaction: Interaction) -> None:
        """The callee has answered: joined with the agent who waits, or first in line when that one is gone meanwhile."""
        outbound, visit, now = interaction.outbound, interaction.visit, self.step.now
        if outbound is None or outbound.is_reached:
            return
        if visit is not None:
            visit = replace(visit, rank=0, entered=now, waiting_since_s=now.mono_s, only=None, only_until_s=None)
        interaction = self.ledger.put(
            replace(interaction, visit=visit, arrived=now, outbound=replace(outbound, is_reached=True))
        )
        self.queueing.counts_from_now(interaction)
        self.queueing.wait(interaction)
        attempt = self.step.attempts.get(outbound.attempt)
        if attempt is not None and not self.step.clockwork.is_linked:
            self.attempts.connect_due(attempt)
            return
        for offer in interaction.offers:
            agent = self.step.legs.get(offer.leg)
            if agent is not None and agent.is_parked and not agent.is_cancelled and offer.ends_as is None:
                self.offers.take(interaction, offer)
                return

    def attempt_over(self, fact: AttemptOver) -> None:
        """Nobody is to be waited for: the agent is let go."""
        interaction = self.step.interactions.get(fact.interaction)
        if interaction is None or interaction.outbound is None or interaction.outbound.is_reached:
            return
        leg = self.step.legs.get(interaction.leg)
        if leg is None or leg.attempt == fact.attempt:
            interaction = self.ledger.put(replace(interaction, leg=None))
        self.end(interaction)

    def offer_over(self, interaction: Interaction) -> None:
        """An agent is gone. With none left, a callee whose phone still rings must not answer to nobody."""
        outbound = interaction.outbound
        if outbound is None or outbound.is_reached or interaction.offers or interaction.id not in self.step.interactions:
            return
        attempt = self.step.attempts.get(outbound.attempt)
        if attempt is not None:
            self.attempts.cancel(attempt)
        elif not outbound.is_over and outbound.candidate is not None:
            # The agent did not take it: the lead is the campaign's next one again, for another look at who is there.
            self.take_back(interaction)
        else:
            self.settle(interaction.id)

    # --- the end --------------------------------------------------------------------------------------------------------
    def end(self, interaction: Interaction) -> None:
        """Nobody is to be dialled any more. It is over when no leg is left."""
        outbound = interaction.outbound
        if outbound is None:
            return
        self.ledger.put(replace(interaction, outbound=replace(outbound, is_over=True)))
        self.step.hang_up(interaction.leg)
        for offer in self.step.interactions[interaction.id].offers:
            self.offers.withdraw(interaction.id, offer, OfferOutcome.CANCELLED)
        self.settle(interaction.id)

    def settle(self, interaction_id: InteractionId) -> None:
        interaction = self.step.interactions.get(interaction_id)
        outbound = interaction.outbound if interaction is not None else None
        if interaction is None or outbound is None or not outbound.is_over or outbound.is_reached:
            return
        if interaction.state is not InteractionState.WAITING or interaction.leg is not None or interaction.offers:
            return
        interaction = self.ledger.end_visit(interaction, VisitOutcome.ABANDONED)
        gone = advance(INTERACTION, interaction.state, InteractionStep.LEG_ENDED)
        by = interaction.ended_by or EndedBy.SYSTEM
        interaction = replace(interaction, state=gone, ended=self.step.now, ended_by=by, outcome=Outcome.NOT_REACHED)
        self.ledger.ended(interaction)
        self.ledger.close_if_over(interaction.id)

"""Work without a line: an e-mail, a chat, a task. An interaction like any other that has no legs.

It comes by `WorkRequested`, waits in a queue, is offered by the same rules and beside calls as capacity allows, and is taken, refused
and finished on the screen (`WorkAccepted`, `WorkFinished`). An offer that nobody answers within the queue's `ring_timeout_s` is a
missed one. Its time with an agent is its talk; what follows is wrapped up as the queue says. It waits however long it takes: the doors
of a queue, its longest wait and its overflows are for those who hold a line. Who is offered something learns it by its notice.
"""

from collections.abc import Callable

from ccserver.core.change import replace
from ccserver.core.commands import Reply
from ccserver.core.events import WorkAccepted, WorkFinished, WorkRequested
from ccserver.core.facts import TalkBegan
from ccserver.core.ids import AgentId, PhoneId, QueueId, RequestId
from ccserver.core.ledger import Ledger
from ccserver.core.offers import Offers
from ccserver.core.records import EndedBy, NoticeKind, OfferOutcome, Outcome, VisitOutcome
from ccserver.core.state import VOICE, DeadlineKind, Interaction, Offer, Talk, counted_as
from ccserver.core.step import Step
from ccserver.core.talks import Talks
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

Enqueue = Callable[[Interaction, QueueId], None]


class WorkWithoutLine:
    """`enqueue` puts an interaction into a queue."""

    def __init__(self, step: Step, ledger: Ledger, offers: Offers, talks: Talks, enqueue: Enqueue) -> None:
        self._step = step
        self._ledger = ledger
        self._offers = offers
        self._talks = talks
        self._enqueue = enqueue

    # --- it comes -----------------------------------------------------------------------------------------------------
    def requested(self, event: WorkRequested) -> None:
        refusal = self._refusal(event)
        if refusal:
            self._reply(event.request, False, refusal)
            return
        step, settings = self._step, self._step.settings
        number = step.next_number()
        step.about = number
        interaction = Interaction(
            id=number,
            kind=event.kind,
            state=InteractionState.MENU,
            leg=None,
            did="",
            caller_number=None,
            caller_name="",
            language=settings.default_language,
            version=settings.content_hash,
            arrived=step.now,
            menu_since=step.now,
            requires=event.requires,
            priority=event.priority,
            subject=event.subject,
            data={"subject": event.subject},
            is_answered=True,
        )
        self._enqueue(self._ledger.put(interaction), event.queue)
        self._reply(event.request, True, f"work {number} waits in queue {event.queue}")

    def _refusal(self, event: WorkRequested) -> str:
        """Why it is not taken; empty: it is."""
        settings = self._step.settings
        takers = [settings.capacity, *(a.capacity for a in settings.agents.values() if a.capacity is not None)]
        if counted_as(event.kind) == VOICE:
            return f"kind {event.kind!r} needs a line: it comes as a call"
        if not any(capacity.get(event.kind, 0) for capacity in takers):
            return f"no agent takes work of the kind {event.kind!r}: it is not in the capacity of the settings"
        return "" if event.queue in settings.queues else f"there is no queue {event.queue}"

    # --- it is offered ------------------------------------------------------------------------------------------------
    def offer(self, interaction: Interaction, agent: AgentId, phone: PhoneId, why: str) -> None:
        """To one agent, until the deadline; `phone` is where the agent sits."""
        step, visit = self._step, interaction.visit
        assert visit is not None
        offer = Offer(
            number=interaction.offers_made,
            agent=agent,
            phone=phone,
            leg=None,
            queue=visit.queue,
            since=step.now,
            why=why,
            recording="",
        )
        state = advance(INTERACTION, interaction.state, InteractionStep.OFFER)
        interaction = replace(interaction, state=state, offers=(offer,), offers_made=interaction.offers_made + 1)
        self._ledger.notice(self._ledger.put(interaction), NoticeKind.RINGING, agent=agent, phone=phone)
        due_s = step.now.mono_s + step.queue_settings(visit.queue, interaction).ring_timeout_s
        step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, due_s)

    def accepted(self, event: WorkAccepted) -> None:
        interaction = self._step.interactions.get(event.interaction)
        offer = next((o for o in interaction.offers if o.agent == event.agent), None) if interaction is not None else None
        if interaction is None or offer is None or interaction.is_on_the_line():
            self._reply(event.request, False, f"work {event.interaction} is not offered to agent {event.agent}")
            return
        self._step.about = interaction.id
        if event.is_taken:
            self._begins(interaction, offer)
            self._reply(event.request, True, f"agent {event.agent} takes work {event.interaction}")
        else:
            self._not_taken(interaction, OfferOutcome.REJECTED)
            self._reply(event.request, True, f"agent {event.agent} does not take work {event.interaction}")

    def offer_overdue(self, interaction: Interaction) -> None:
        self._not_taken(interaction, OfferOutcome.MISSED)

    def _not_taken(self, interaction: Interaction, outcome: OfferOutcome) -> None:
        self._step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        for offer in interaction.offers:
            self._offers.ended(self._step.interactions[interaction.id], offer, outcome, is_leg_over=False)

    # --- it is worked on ----------------------------------------------------------------------------------------------
    def _begins(self, interaction: Interaction, offer: Offer) -> None:
        step = self._step
        step.deadlines.clear(DeadlineKind.RING_GUARD, interaction.id)
        self._ledger.store_offer(interaction, offer, OfferOutcome.ANSWERED)
        interaction = self._ledger.end_visit(step.interactions[interaction.id], VisitOutcome.ANSWERED, offer.agent)
        talk = Talk(agent=offer.agent, leg=None, queue=offer.queue, since=step.now, recording="")
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        interaction = self._ledger.put(replace(interaction, state=state, offers=(), talk=talk, agent=offer.agent))
        self._ledger.notice(interaction, NoticeKind.ANSWERED, agent=offer.agent, phone=offer.phone)
        longest_s = step.queue_settings(offer.queue, interaction).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + longest_s)
        step.tell(TalkBegan(interaction.id, offer.agent))

    def finished(self, event: WorkFinished) -> None:
        interaction = self._step.interactions.get(event.interaction)
        talk = interaction.talk if interaction is not None else None
        if interaction is None or talk is None or talk.agent != event.agent or interaction.is_on_the_line():
            self._reply(event.request, False, f"agent {event.agent} is not working on {event.interaction}")
            return
        self._step.about = interaction.id
        self._is_over(interaction, EndedBy.AGENT)
        self._reply(event.request, True, f"work {event.interaction} is finished")

    def too_long(self, interaction: Interaction) -> None:
        """Longer than the queue's `max_talk_s`: forgotten, most likely."""
        self._is_over(interaction, EndedBy.SYSTEM)

    def cancel(self, interaction: Interaction) -> None:
        """Nobody is to work on it any more, by request."""
        self._not_taken(interaction, OfferOutcome.CANCELLED)
        self._is_over(self._step.interactions[interaction.id], EndedBy.SYSTEM)

    def _is_over(self, interaction: Interaction, by: EndedBy) -> None:
        step, ledger = self._step, self._ledger
        if interaction.state is InteractionState.GONE:
            return
        if interaction.visit is not None:
            interaction = ledger.end_visit(interaction, VisitOutcome.ABANDONED)
        elif interaction.talk is not None:
            interaction = self._talks.part_over(interaction, interaction.talk, by)
        step.deadlines.clear(DeadlineKind.MAX_TALK, interaction.id)
        state = advance(INTERACTION, interaction.state, InteractionStep.LEG_ENDED)
        outcome = interaction.outcome or Outcome.LOST
        ledger.ended(ledger.put(replace(interaction, state=state, outcome=outcome, ended=step.now, ended_by=by)))
        ledger.close_if_over(interaction.id)

    def _reply(self, request: RequestId, is_ok: bool, text: str) -> None:
        self._step.emit(Reply(request=request, is_ok=is_ok, text=text))

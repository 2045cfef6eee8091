"""Being called back instead of waiting: the caller's request, the place that is kept, the call to the customer.

The request: the key that was announced, then the number is read back and confirmed (1 yes, 2 another one), or typed. The visit of the
call ends as CALLED_BACK, and an interaction of kind `callback` waits in its place: since the same time, with the same priority and
requirements, without a line. When an agent has accepted it (a leg that is parked), the customer is dialled, and joined when they
answer. An agent whose customer does not answer is let go without any fault of theirs.

Never twice at once: a request has one outstanding dial at most, and is offered again only when that leg's end is known. A number has
one request at a time. A served call from that number cancels it. The block list and the hours at which customers may be called are
asked when an agent is sought and again at the dial; outside the hours it rests until the next lawful time. Where outbound calls are in
the settings, the law's gate is asked when an agent has accepted, and each dial is on record as an attempt (`permits`). An agent who has
accepted, and whose customer may not be called, hears why.
"""

from ccserver.core import arrivals, permits
from ccserver.core.callers import Callers, prompt
from ccserver.core.change import replace
from ccserver.core.commands import Collect, CollectNumber, DialOut, Place, Reply
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.dialer.verdict import Allowed, Refused
from ccserver.core.events import AttemptStored, CancelCallbackRequested, NumberCollected
from ccserver.core.facts import OfferBegan, OfferParked
from ccserver.core.ids import AgentId, AttemptId, InteractionId, LegId, PhoneId, PromptId
from ccserver.core.ledger import Ledger
from ccserver.core.offers import RING_GUARD_S, Offers
from ccserver.core.opening import Opening
from ccserver.core.queueing import Queueing
from ccserver.core.records import (
    AttemptOutcome,
    AuditRecord,
    CallbackOutcome,
    DialKind,
    EndedBy,
    NoticeKind,
    OfferOutcome,
    Outcome,
    VisitOutcome,
)
from ccserver.core.settings import DIRECT, CallbackRules, Exit, ExitKind, NumberKind, NumberMark, Spoken, SpokenKind
from ccserver.core.state import (
    CALLBACK,
    VOICE,
    After,
    AfterKind,
    CallbackRequest,
    DeadlineKind,
    Interaction,
    Leg,
    Role,
    SoleAttempt,
)
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, LegState, advance

YES, ANOTHER = "1", "2"
FIRST_DIGIT_S = 8.0
NEXT_DIGIT_S = 4.0
TYPED_KINDS = frozenset({NumberKind.LOCAL, NumberKind.MOBILE})
"""What a caller may type: a number abroad or at a premium rate would be dialled at the site's cost."""
SOON_S = 1.0
LOOK_AGAIN_S = 300.0
"""How often it is asked whether hours that were closed by hand are open again."""


class Callbacks:
    """Requests to be called back."""

    def __init__(self, step: Step, ledger: Ledger, callers: Callers, queueing: Queueing, offers: Offers) -> None:
        self.step = step
        self.ledger = ledger
        self.callers = callers
        self.queueing = queueing
        self.offers = offers
        self._opening = Opening(step)

    # --- the caller asks ----------------------------------------------------------------------------------------------
    def pressed(self, interaction: Interaction, digit: str) -> bool:
        """A key while waiting. False: it is not that of a callback."""
        visit = interaction.visit
        if visit is None or interaction.kind != VOICE or digit != self.rules(interaction).key:
            return False
        self.begin(interaction, digit)
        return True

    def begin(self, interaction: Interaction, keys: str = "", way: Exit | None = None) -> None:
        """Ask for the number, or for its confirmation. `way`: the caller does not wait on if nothing comes of it."""
        number = interaction.caller_number or ""
        self._ask(
            interaction, After(kind=AfterKind.CALLBACK, target=number if number.startswith("+") else "", keys=keys, exit=way)
        )

    def _ask(self, interaction: Interaction, after: After) -> None:
        interaction = self.ledger.put(replace(interaction, after=after))
        session = self.step.caller_session(interaction)
        if session is None:
            return
        if after.target:
            self.step.speak(
                Collect(
                    session=session,
                    say=(
                        prompt("cc-callback-number"),
                        Spoken(SpokenKind.DIGITS, after.target.removeprefix("+")),
                        prompt("cc-callback-confirm"),
                    ),
                    language=interaction.language,
                    max_digits=1,
                    first_timeout_s=FIRST_DIGIT_S,
                    next_timeout_s=NEXT_DIGIT_S,
                    complete=(YES, ANOTHER),
                )
            )
        else:
            self.step.speak(
                CollectNumber(
                    session=session,
                    say=(prompt("cc-callback-enter"),),
                    language=interaction.language,
                    first_timeout_s=FIRST_DIGIT_S,
                    next_timeout_s=NEXT_DIGIT_S,
                )
            )

    def digits_collected(self, interaction: Interaction, after: After, digits: str) -> None:
        """The answer to the number that was read back."""
        after = replace(after, keys=after.keys + digits)
        if digits == YES:
            self._take(interaction, after)
        elif digits == ANOTHER:
            self._ask(interaction, replace(after, target=""))
        else:
            self._give_way(interaction, after)

    def number_collected(self, interaction: Interaction, after: After, event: NumberCollected) -> None:
        """A number was typed: it is read back like the caller's own."""
        after = replace(after, keys=after.keys + event.digits)
        if event.kind in TYPED_KINDS and event.number and not self._is_blocked(event.number):
            self._ask(interaction, replace(after, target=event.number))
        else:
            self._give_way(interaction, after, "cc-callback-no-number")

    def _give_way(self, interaction: Interaction, after: After, said: str = "") -> None:
        """Nothing came of it: the caller waits on, in the old place, or leaves where waiting is over."""
        say = (prompt(said),) if said else ()
        if after.exit is None or interaction.visit is None:
            # What would have sent them elsewhere meanwhile was put off.
            self.queueing.reconsider(self.ledger.put(replace(interaction, after=None)))
            interaction = self.step.interactions[interaction.id]
            if interaction.visit is not None and interaction.after is None:
                self.callers.say(interaction, say, After(kind=AfterKind.KEEP_WAITING))
        elif interaction.state is InteractionState.OFFERED:
            # An agent's phone rings for them after all.
            self.callers.say(interaction, say, After(kind=AfterKind.KEEP_WAITING))
        else:
            interaction = self.ledger.end_visit(interaction, VisitOutcome.OVERFLOWED)
            bye = After(kind=AfterKind.EXIT, exit=Exit(kind=ExitKind.HANG_UP))
            self.callers.say(interaction, say or (prompt("cc-goodbye"),), bye)

    def _take(self, interaction: Interaction, after: After) -> None:
        visit, number = interaction.visit, after.target
        if visit is None or interaction.state is not InteractionState.WAITING or self._is_blocked(number):
            self._give_way(interaction, after)
            return
        interaction = self.ledger.end_visit(interaction, VisitOutcome.CALLED_BACK)
        if self._request_of(number) is None:
            self._create(interaction, number, after.keys, waiting_since_s=visit.waiting_since_s, queue_rank=visit.rank)
        self.callers.say(interaction, (prompt("cc-callback-done"),), After(kind=AfterKind.LEAVE))

    def cannot_call(self, interaction: Interaction) -> bool:
        """Whether its caller cannot be called back now: no number, a blocked one, outside the hours, or somebody calls them already."""
        number = interaction.caller_number or ""
        if not number.startswith("+") or self._is_blocked(number):
            return True
        request = self._request_of(number)
        is_under_way = request is not None and bool(request.offers or request.leg is not None)
        return is_under_way or self._until_lawful_s(interaction, self.step.now.utc_s) > 0.0

    def at_once(self, interaction: Interaction, agent: AgentId, leg_id: LegId) -> None:
        """An agent who is on `leg_id` calls the interaction's caller back. The leg has to park next: then the customer is dialled, as for
        any request, and what may fail there fails as it does there. A request of that caller that waits is done with it.

        Not where `cannot_call`.
        """
        step, number, leg = self.step, interaction.caller_number, self.step.legs[leg_id]
        assert number is not None and interaction.queue is not None and leg.phone is not None
        older = self._request_of(number)
        if older is not None:
            self.end(older, CallbackOutcome.CANCELLED)
        only = agent if interaction.queue == DIRECT else None
        new = self._create(interaction, number, "", waiting_since_s=step.now.mono_s, queue_rank=0, only=only)
        step.legs.put(leg_id, replace(leg, interaction=new.id, keys=""))
        self.offers.put(new, agent, leg.phone, leg_id, f"calls back after #{interaction.id}", waits=True)
        step.tell(OfferBegan(new.id, agent, interaction.queue, leg_id))

    def _create(
        self,
        call: Interaction,
        number: str,
        keys: str,
        *,
        waiting_since_s: float,
        queue_rank: int,
        only: AgentId | None = None,
    ) -> Interaction:
        step = self.step
        assert call.queue is not None
        asked = CallbackRequest(call=call.id, number=number, confirmed_by=keys, asked=step.now)
        request = replace(self.ledger.left_to_do(call, CALLBACK), caller_number=number, callback=asked)
        self.ledger.put(request)
        self.queueing.enqueue(request, call.queue, rank=queue_rank, waiting_since_s=waiting_since_s, only=only)
        self._await(step.interactions[request.id])
        return step.interactions[request.id]

    def _request_of(self, number: str) -> Interaction | None:
        """The request for a number whose customer has not been reached."""
        for interaction in self.step.interactions.values():
            request = interaction.callback
            if request is not None and request.number == number and not request.is_reached and request.outcome is None:
                return interaction
        return None

    # --- its time -----------------------------------------------------------------------------------------------------
    def _await(self, interaction: Interaction, rest_s: float = 0.0) -> None:
        """Let it be offered, not before `rest_s` and only when its customer may be called; and see to it that it is given up
        in the end."""
        request, now = interaction.callback, self.step.now
        if request is None:
            return
        at_s = now.mono_s + rest_s
        at_s += self._until_lawful_s(interaction, now.utc_s + rest_s)
        end_s = request.asked.mono_s + self.rules(interaction).keeps_s
        is_resting = at_s > now.mono_s
        self.ledger.put(replace(interaction, callback=replace(request, is_resting=is_resting)))
        due_s = min(at_s, end_s) if is_resting else end_s
        self.step.deadlines.set(DeadlineKind.CALLBACK, interaction.id, max(due_s, now.mono_s))

    def _until_lawful_s(self, interaction: Interaction, utc_s: float) -> float:
        """How long after `utc_s` the customer may be called; 0: then."""
        name = self.rules(interaction).hours
        if name is None:
            return 0.0
        if self._opening.is_open_at(name, utc_s, interaction):
            return 0.0
        change_utc_s = self._opening.next_change(name, utc_s, interaction)
        if change_utc_s is None:
            is_by_hand = self._opening.closing(name) is not None
            return LOOK_AGAIN_S if is_by_hand else self.rules(interaction).keeps_s
        return change_utc_s - utc_s

    def due(self, interaction: Interaction) -> None:
        """It has rested, or is too old."""
        request, now_s = interaction.callback, self.step.now.mono_s
        if request is None or request.is_reached:
            return
        if request.asked.mono_s + self.rules(interaction).keeps_s <= now_s + SOON_S / 1000.0:
            self.end(interaction, CallbackOutcome.GIVEN_UP)
        elif interaction.state is InteractionState.WAITING and interaction.leg is None:
            self._await(interaction)

    # --- the customer is called ---------------------------------------------------------------------------------------
    def offer_parked(self, fact: OfferParked) -> None:
        """An agent has accepted it. Call the customer now, if that is still lawful."""
        interaction = self.step.interactions.get(fact.interaction)
        request = interaction.callback if interaction is not None else None
        if interaction is None or request is None or interaction.leg is not None or request.outcome is not None:
            return
        if self._is_blocked(request.number):
            self.end(interaction, CallbackOutcome.REFUSED, permits.BLOCKED)
            return
        if self._until_lawful_s(interaction, self.step.now.utc_s) > 0.0:
            self._release_agents(interaction, permits.HOURS)
            return
        for other in interaction.offers:
            if other.leg != fact.leg:
                self.offers.withdraw(interaction.id, other, OfferOutcome.CANCELLED)
        interaction, dialing = self.step.interactions[interaction.id], self.step.settings.dialing
        if dialing is None:
            self._dial(interaction, request, self.step.next_leg(), interaction.did)
        elif request.attempt is None:
            self._ask_law(interaction, request, dialing, fact)

    def _ask_law(self, interaction: Interaction, request: CallbackRequest, dialing: DialingSettings, fact: OfferParked) -> None:
        """The agent waits until it is on record, and read what is known of the number."""
        step = self.step
        sheet = permits.callback(step, dialing, request, interaction.did, self.rules(interaction).ring_timeout_s)
        attempt = permits.ask(step, sheet, fact.leg, AttemptId(step.next_leg().uniqueid), fact.agent)
        self.ledger.put(replace(interaction, callback=replace(request, attempt=attempt)))
        step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, step.now.mono_s + permits.ANSWER_S + 2 * RING_GUARD_S)
        step.deadlines.set(DeadlineKind.CALLBACK_FACTS, interaction.id, step.now.mono_s + permits.ANSWER_S)

    def attempt_stored(self, event: AttemptStored) -> bool:
        """It is on record, or not. False: it belongs to no request; told too late, or of one whose agent is gone, it means nothing."""
        awaited = self.step.outstanding.get(event.command)
        leg = self.step.legs.get(awaited.leg) if awaited is not None else None
        interaction = self.step.interactions.get(leg.interaction) if leg is not None else None
        attempt = _asking(interaction)
        if interaction is None or attempt is None or attempt.storing != event.command:
            return False
        self.step.about = interaction.id
        self._judged(interaction, attempt, permits.judge(self.step, event), event.sheet)
        return True

    def facts_due(self, interaction: Interaction) -> None:
        """Nothing was told in time: it is tried again later."""
        attempt = _asking(interaction)
        if attempt is not None:
            self._judged(interaction, attempt, permits.NO_ANSWER, None)

    def _not_placed(self, interaction: Interaction) -> Interaction:
        """Nothing is waited for any more, and nobody was called."""
        request, attempt = interaction.callback, _asking(interaction)
        if request is None or attempt is None:
            return interaction
        self.step.deadlines.clear(DeadlineKind.CALLBACK_FACTS, interaction.id)
        agent = interaction.offers[0].agent if interaction.offers else None
        permits.settle(
            self.step, permits.asked(self.step, attempt), AttemptOutcome.NOT_PLACED, agent=agent, interaction=interaction.id
        )
        return self.ledger.put(replace(interaction, callback=replace(request, attempt=None)))

    def _judged(
        self, interaction: Interaction, attempt: SoleAttempt, verdict: Allowed | Refused, sheet: FactSheet | None
    ) -> None:
        step, request = self.step, interaction.callback
        assert request is not None
        if isinstance(verdict, Allowed):
            step.deadlines.clear(DeadlineKind.CALLBACK_FACTS, interaction.id)
            attempt = replace(permits.asked(step, attempt), placed_utc_s=step.now.utc_s)
            shown = sheet.caller_id.number if sheet is not None and sheet.caller_id is not None else interaction.did
            leg = LegId(step.settings.pbx, attempt.id)
            self._dial(interaction, replace(request, attempt=attempt), leg, shown)
            return
        agent = interaction.offers[0].agent if interaction.offers else None
        interaction = self._not_placed(interaction)
        permits.refused(step, verdict, DialKind.CALLBACK, request.number, agent=agent, phone=None, interaction=interaction.id)
        interaction = self.ledger.notice(
            interaction, NoticeKind.DIAL_REFUSED, agent=agent, reason=verdict.reason.value, says=verdict.says
        )
        if verdict.reason in permits.PERSONS_OWN:
            self.end(interaction, CallbackOutcome.REFUSED, permits.words(verdict))
            return
        until_utc_s, now_utc_s = verdict.until_utc_s, step.now.utc_s
        rest_s = self.rules(interaction).retry_after_s if until_utc_s is None else max(until_utc_s - now_utc_s, SOON_S)
        self._await(interaction, rest_s=rest_s)
        self._release_agents(step.interactions[interaction.id], permits.words(verdict))

    def _dial(self, interaction: Interaction, request: CallbackRequest, leg: LegId, shown: str) -> None:
        step, settings, rules = self.step, self.step.settings, self.rules(interaction)
        step.legs.put(
            leg,
            Leg(id=leg, role=Role.CALLER, state=LegState.DIALLED, interaction=interaction.id, heard_s=step.now.mono_s),
        )
        dialled = replace(request, tries=request.tries + 1, is_resting=True)
        self.ledger.put(replace(interaction, leg=leg, callback=dialled))
        step.deadlines.clear(DeadlineKind.RING_MORE, interaction.id)
        step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, step.now.mono_s + rules.ring_timeout_s + 2 * RING_GUARD_S)
        step.order(
            DialOut(
                leg=leg,
                interaction=interaction.id,
                to=PhoneId(f"PJSIP/{request.number}@{settings.trunk}"),
                number=shown or None,
                name="",
                ring_timeout_s=rules.ring_timeout_s,
                place=Place.LOOP,
            )
        )

    def reached(self, interaction: Interaction) -> None:
        """The customer has answered: joined with the agent who waits, or first in line when that one is gone meanwhile."""
        request = interaction.callback
        if request is None:
            return
        self.step.deadlines.clear(DeadlineKind.CALLBACK, interaction.id)
        visit = replace(interaction.visit, rank=0) if interaction.visit is not None else None
        attempt = replace(request.attempt, answered_utc_s=self.step.now.utc_s) if request.attempt is not None else None
        request = replace(request, is_reached=True, is_resting=False, attempt=attempt)
        interaction = self.ledger.put(replace(interaction, visit=visit, callback=request))
        self.queueing.wait(interaction)
        for offer in interaction.offers:
            agent = self.step.legs.get(offer.leg)
            if agent is not None and agent.is_parked and not agent.is_cancelled and offer.ends_as is None:
                self.offers.take(interaction, offer)
                return

    def not_reached(self, interaction: Interaction, outcome: AttemptOutcome, cause: int) -> None:
        """The customer's leg ended before they came: the agent is let go, and it is tried again later, so many times."""
        request = interaction.callback
        if request is None:
            return
        if request.attempt is not None:
            agent = interaction.offers[0].agent if interaction.offers else None
            permits.settle(self.step, request.attempt, outcome, agent=agent, cause=cause, interaction=interaction.id)
        request = replace(request, attempt=None)
        interaction = self.ledger.put(replace(interaction, leg=None, callback=request))
        if request.outcome is None and request.tries >= self.rules(interaction).tries:
            self.end(interaction, CallbackOutcome.GIVEN_UP)
            return
        if request.outcome is None:
            self._await(interaction, rest_s=self.rules(interaction).retry_after_s)
        self._release_agents(self.step.interactions[interaction.id])
        self.settle(interaction.id)

    def offer_over(self, interaction: Interaction) -> None:
        """An agent is gone. With none left, a customer whose phone still rings must not answer to nobody."""
        request = interaction.callback
        if request is None or interaction.offers or request.is_reached:
            return
        interaction = self._not_placed(interaction)
        was_due = (DeadlineKind.CALLBACK, str(interaction.id)) not in self.step.deadlines.table
        if interaction.leg is not None:
            self.step.hang_up(interaction.leg)
        elif request.outcome is None and (was_due or not request.is_resting):
            # Its rest may have ended while the last agent's leg was still there.
            self._await(interaction)
        self.settle(interaction.id)

    def _release_agents(self, interaction: Interaction, why: PromptId | None = None) -> None:
        """Those who wait hear `why` first."""
        for offer in interaction.offers:
            if why is None or not self.offers.part(interaction.id, offer, why):
                self.offers.withdraw(interaction.id, offer, OfferOutcome.CANCELLED)

    # --- the end ------------------------------------------------------------------------------------------------------
    def cancel(self, event: CancelCallbackRequested) -> None:
        interaction = self.step.interactions.get(event.interaction)
        request = interaction.callback if interaction is not None else None
        is_done = interaction is not None and request is not None and not request.is_reached and request.outcome is None
        if interaction is not None and is_done:
            self.step.about = interaction.id
            self.end(interaction, CallbackOutcome.CANCELLED)
        text = f"callback {event.interaction} is cancelled" if is_done else f"there is no waiting callback {event.interaction}"
        self.step.store(
            AuditRecord(
                by=event.by,
                act="cancel_callback",
                what=str(event.interaction),
                is_done=is_done,
                at_utc_s=self.step.now.utc_s,
                interaction=event.interaction,
            )
        )
        self.step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    def served(self, interaction: Interaction) -> None:
        """A talk has begun. A customer who called again and is served need not be called back."""
        is_request = interaction.callback is not None or interaction.message is not None
        if not is_request and interaction.caller_number is not None:
            found = self._request_of(interaction.caller_number)
            if found is not None:
                self.end(found, CallbackOutcome.CANCELLED)

    def end(self, interaction: Interaction, outcome: CallbackOutcome, why: PromptId | None = None) -> None:
        """It is not to be done any more. It is over when no leg is left. `why`: said to the agent who waits."""
        interaction = self._not_placed(interaction)
        request = interaction.callback
        if request is None:
            return
        self.step.deadlines.clear(DeadlineKind.CALLBACK, interaction.id)
        self.ledger.put(replace(interaction, callback=replace(request, outcome=outcome, is_resting=True)))
        self.step.hang_up(interaction.leg)
        self._release_agents(self.step.interactions[interaction.id], why)
        self.settle(interaction.id)

    def settle(self, interaction_id: InteractionId) -> None:
        interaction = self.step.interactions.get(interaction_id)
        request = interaction.callback if interaction is not None else None
        if interaction is None or request is None or request.outcome is None:
            return
        if interaction.state is not InteractionState.WAITING or interaction.leg is not None or interaction.offers:
            return
        interaction = self.ledger.end_visit(interaction, VisitOutcome.ABANDONED)
        gone = advance(INTERACTION, interaction.state, InteractionStep.LEG_ENDED)
        by = interaction.ended_by or EndedBy.SYSTEM
        interaction = replace(interaction, state=gone, ended=self.step.now, ended_by=by, outcome=Outcome.ABANDONED)
        self.ledger.ended(interaction)
        self.ledger.close_if_over(interaction.id)

    # --- small things -------------------------------------------------------------------------------------------------
    def rules(self, interaction: Interaction) -> CallbackRules:
        """Those of its queue; the usual ones where an exit leads to a callback and the queue says nothing."""
        queue = interaction.queue
        config = self.step.queue_settings(queue, interaction) if queue is not None else None
        return (config.callback if config is not None else None) or CallbackRules()

    def _is_blocked(self, number: str) -> bool:
        return arrivals.mark_of(number, self.step.settings, self.step.marks.get) is NumberMark.BLOCKED


def _asking(interaction: Interaction | None) -> SoleAttempt | None:
    """What is being put on record for it, while nothing is dialled yet."""
    request = interaction.callback if interaction is not None else None
    attempt = request.attempt if request is not None else None
    return attempt if attempt is not None and attempt.placed_utc_s is None else None

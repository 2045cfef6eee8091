"""What is told of legs: how far they are, which bridge they are in, what is typed on them, their end; and what became of our orders.

News come late, twice and in another order than they happened: each is held against what is known of the leg.
"""

from collections.abc import Callable, Collection

from ccserver.core import events as ev
from ccserver.core.attempts import came_to
from ccserver.core.change import replace
from ccserver.core.commands import HangUpLeg
from ccserver.core.engines import Engines
from ccserver.core.ids import (
    LegId,
)
from ccserver.core.interactions import HUNG_UP_KEPT_S
from ccserver.core.records import EndedBy, OfferOutcome, PhoneState
from ccserver.core.settings import PhoneKind
from ccserver.core.state import (
    Awaited,
    Interaction,
    Leg,
    Phone,
    Role,
)
from ccserver.core.step import Step
from ccserver.core.transitions import LEG, LegState, LegStep, advance

LISTENED_TO = (Role.AGENT, Role.HEADSET, Role.SUPERVISOR)


class LegEvents:
    """`carry` carries the facts that a leg's news have told."""

    def __init__(self, step: Step, engines: Engines, *, carry: Callable[[], None]) -> None:
        self.step = step
        self.engines = engines
        self._carry = carry

    def listens_to(self, leg_id: LegId) -> bool:
        """Whether digits typed on this leg are told as `LegDigit`: an agent's, a supervisor's, or a conference's moderator's, outside any
        session of ours. Never a customer's, and never one that is asked something: what is typed there may be a secret."""
        leg = self.step.legs.get(leg_id)
        if leg is None or leg.session in self.step.sessions:
            return False
        return leg.role in LISTENED_TO or self.engines.rooms.is_moderator_in(leg_id)

    def _steps(self, leg_id: LegId, what: LegStep, channel: str = "") -> None:
        leg = self.step.heard(leg_id)
        if leg is not None and (leg.role in (Role.AGENT, Role.GUEST) or leg.id.is_ours()):
            state = advance(LEG, leg.state, what)
            self.step.legs.put(leg_id, replace(leg, state=state, channel=channel or leg.channel))
            if leg.is_cancelled and leg.state is LegState.DIALLED:
                # The hang-up came before the channel; Asterisk refused it and went on to call the phone.
                self.step.order(HangUpLeg(leg=leg_id))

    def started(self, event: ev.LegStarted) -> None:
        self._steps(event.leg, LegStep.STARTED, event.channel)

    def ringing(self, event: ev.LegRinging) -> None:
        self._steps(event.leg, LegStep.RINGING)
        leg = self.step.legs.get(event.leg)
        if leg is not None and leg.role is Role.CALLEE:
            self.engines.attempts.rang(leg)

    def answered(self, event: ev.LegAnswered) -> None:
        self._steps(event.leg, LegStep.ANSWERED)
        leg = self.step.legs.get(event.leg)
        if leg is not None and leg.role is Role.CALLEE:
            self.engines.attempts.answered(leg)

    def entered_bridge(self, event: ev.LegEnteredBridge) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None:
            leg = replace(leg, bridge=event.bridge, state=LegState.UP)
            self.step.legs.put(leg.id, leg)
            self.engines.talks.entered_bridge(leg)
            self.engines.joins.entered_bridge(leg)
            self.engines.handovers.entered_bridge(leg)

    def left_bridge(self, event: ev.LegLeftBridge) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None and leg.bridge == event.bridge:
            self.step.legs.put(leg.id, replace(leg, bridge=None))

    def held(self, event: ev.LegHeld) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None:
            self.engines.talks.held(leg, is_held=True)

    def unheld(self, event: ev.LegUnheld) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None:
            self.engines.talks.held(leg, is_held=False)

    def parked(self, event: ev.LegParked) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None and not self._is_with_caller(leg) and not self._is_asked(leg):
            self.waits(leg)

    def _is_asked(self, leg: Leg) -> bool:
        """It is in a session that goes on, and did not leave it: news of where it waited before are late, or told twice."""
        session = self.step.sessions.get(leg.session)
        return session is not None and not session.is_ending and not session.is_left

    def _is_with_caller(self, leg: Leg) -> bool:
        """It is in the customer's bridge and has not left it: news of where it waited before are late, or told twice. A leg that is
        being joined and is in a bridge may be there, whatever was heard of the customer; where it is not, the join is overdue."""
        interaction = self.step.interactions.get(leg.interaction)
        caller = self.step.legs.get(interaction.leg) if interaction is not None else None
        if interaction is None or caller is None or leg.bridge is None:
            return False
        return caller.bridge == leg.bridge or (interaction.joining == leg.id and caller.bridge is None)

    def waits(self, leg: Leg) -> None:
        """It is parked, to be joined or ended. Told twice, it says nothing new."""
        if leg.is_parked:
            return
        if leg.role is Role.SUPERVISOR:
            self.engines.supervision.parked(leg)
        elif leg.role is Role.HEADSET:
            self.engines.joins.not_joined(leg)
            self.engines.headsets.parked(leg)
        elif leg.role is Role.AGENT and not self.engines.talks.is_past_waiting(leg):
            # An agent's leg waits only until it is joined: after that the news is late, or told twice.
            self.engines.offers.parked(replace(leg, state=LegState.UP))

    def digit(self, event: ev.LegDigit) -> None:
        leg = self.step.heard(event.leg)
        if leg is None or not self.listens_to(leg.id):
            return
        if self.engines.rooms.is_moderator_in(leg.id):
            self.engines.rooms.digit(leg.id, event.digit)
        elif leg.role is Role.SUPERVISOR:
            self.engines.supervision.digit(leg, event.digit)
        elif leg.role is Role.HEADSET and leg.is_parked:
            self.engines.headsets.typed(leg, event.digit)
        else:
            self.engines.handovers.digit(leg, event.digit)

    def callee_told(self, event: ev.CalleeTold) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None:
            self.engines.attempts.told(leg)

    def transferred(self, event: ev.LegsTransferred) -> None:
        for customer, target, channel in (
            (event.transferee, event.target, event.target_channel),
            (event.target, event.transferee, ""),
        ):
            leg = self.step.heard(customer)
            if leg is not None and leg.role is Role.CALLER:
                self.engines.handovers.attended(leg, event.transferrer, target, channel)
                return

    def met(self, customer: Leg, other: ev.ChannelView, gone: Collection[LegId]) -> None:
        """The customer is in a talk that no event told of: a phone put them together with somebody it had called, while nobody
        listened. The agent's leg is among those that are `gone`."""
        step = self.step
        interaction = step.interactions.get(customer.interaction)
        if interaction is None:
            return
        customer = replace(customer, bridge=other.bridge)
        step.legs.put(customer.id, customer)
        for offer in interaction.offers:
            leg = step.legs.get(offer.leg)
            if leg is not None and leg.id in gone:
                # It was ringing, and the talk began and went on without it meanwhile.
                step.legs.put(leg.id, replace(leg, bridge=other.bridge, state=LegState.UP))
                self.engines.talks.entered_bridge(leg)
                self._carry()
        talk = step.interactions[interaction.id].talk
        if talk is None or talk.leg in gone:
            self.engines.handovers.attended(customer, talk.leg if talk is not None else None, other.leg, other.channel)
            self._carry()

    def stranded(self, event: ev.LegStranded) -> None:
        leg = self.step.heard(event.leg)
        if leg is not None and leg.role is Role.CALLER and not leg.is_cancelled:
            # Not marked as cancelled: it was the customer who hung up, and history says so.
            self.step.order(HangUpLeg(leg=leg.id))

    # --- the end ------------------------------------------------------------------------------------------------------
    def ended(self, event: ev.LegEnded) -> None:
        step = self.step
        leg = step.legs.get(event.leg)
        for table in (step.hung_up, step.over):
            for old, at_s in table.items():
                if at_s > step.now.mono_s - HUNG_UP_KEPT_S:
                    break
                table.drop(old)
        if leg is None:
            self.engines.rooms.over(event.leg)
            step.hung_up.put(event.leg, step.now.mono_s)
        else:
            step.about = leg.interaction
            if leg.role is Role.CALLER:
                step.over.put(leg.id, step.now.mono_s)
            self.is_over(leg, event.cause, event.tech_cause)

    def is_over(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None = None) -> None:
        step = self.step
        step.legs.drop(leg.id)
        if not self.engines.invitations.over(leg, cause, is_lost=by is EndedBy.PBX):
            self.engines.rooms.over(leg.id, is_lost=by is EndedBy.PBX)
        self.engines.joins.leg_over(leg)
        for command_id, awaited in step.outstanding.items():
            if awaited.leg == leg.id and awaited.what is Awaited.HANG_UP:
                step.outstanding.drop(command_id)
        match leg.role:
            case Role.CALLER:
                called_back = step.interactions.get(leg.interaction)
                if called_back is not None and called_back.callback and not called_back.callback.is_reached:
                    self.engines.callbacks.not_reached(called_back, came_to(leg, cause, tech_cause, by), cause)
                elif leg.interaction is not None and leg.interaction in step.interactions:
                    self.engines.supervision.customer_gone(leg.interaction)
                    if not self.engines.handovers.customer_gone(leg.interaction, by or EndedBy.CUSTOMER):
                        who = by or (EndedBy.SYSTEM if leg.is_cancelled else EndedBy.CUSTOMER)
                        self.engines.interactions.caller_gone(leg.interaction, who, is_lost=by is EndedBy.PBX)
            case Role.AGENT:
                self.engines.agent_leg_over(leg, cause, tech_cause, by)
            case Role.GUEST:
                self.engines.handovers.leg_over(leg, cause, by)
            case Role.OWN:
                self.engines.own_calls.leg_over(leg, is_lost=by is EndedBy.PBX)
            case Role.HEADSET:
                self.engines.headsets.ended(leg, cause, tech_cause, by)
            case Role.FEATURE | Role.SUPERVISOR:
                self.engines.supervision.leg_over(leg)
            case Role.CALLEE:
                self.engines.attempts.leg_over(leg, cause, tech_cause, by)
            case Role.ROOM:
                pass

    def phone_state_changed(self, event: ev.PhoneStateChanged) -> None:
        known = self.step.phones.get(event.phone)
        self.step.phones.put(event.phone, Phone(state=event.state, changed_s=self.step.now.mono_s))
        if known is None or known.state is not event.state:
            self.engines.agents.phone_changed(event.phone)

    # --- what became of commands --------------------------------------------------------------------------------------
    def command_done(self, event: ev.CommandDone) -> None:
        awaited = self.step.outstanding.get(event.command)
        self.step.outstanding.drop(event.command)
        leg = self.step.legs.get(awaited.leg) if awaited is not None and awaited.what is Awaited.REDIRECT else None
        if leg is not None:
            self.engines.handovers.moved(leg)

    def command_failed(self, event: ev.CommandFailed) -> None:
        awaited = self.step.outstanding.get(event.command)
        self.step.outstanding.drop(event.command)
        if awaited is None or awaited.leg is None:
            return
        leg = self.step.legs.get(awaited.leg)
        if leg is None:
            return
        self.step.about = leg.interaction
        if awaited.what is Awaited.RING and leg.state is LegState.DIALLED:
            self.engines.offers.ring_failed(leg, OfferOutcome.FAILED)
        elif awaited.what is Awaited.JOIN:
            self.engines.joins.command_failed(leg, event.reason)
        elif awaited.what is Awaited.REDIRECT:
            if leg.role is Role.HEADSET:
                self.engines.headsets.not_sent(leg)
            self.engines.handovers.not_moved(leg)
        elif awaited.what is Awaited.SPY:
            self.engines.supervision.spy_failed(leg)
        elif awaited.what is Awaited.DIAL and leg.state is LegState.DIALLED:
            self._nobody_came(leg)
        elif awaited.what is Awaited.HANG_UP and leg.is_dial_over and leg.state is LegState.DIALLED:
            # Its dial had failed, and now its end cannot be ordered: there is no channel, and no other news will come.
            (self._nobody_came if leg.role is Role.CALLEE else self._no_channel_came)(leg)

    def outcome_unknown(self, event: ev.OutcomeUnknown) -> None:
        """The leg stays as it is; the next observation shows what is true."""
        self.step.outstanding.drop(event.command)

    def ring_ended(self, event: ev.RingEnded) -> None:
        """Ends the action only: what became of the leg its own events tell. A failure without any is judged a little later."""
        self.step.outstanding.drop(event.command)
        leg = self.step.legs.get(event.leg)
        if event.is_ok or leg is None or leg.state is not LegState.DIALLED:
            return
        self.step.about = leg.interaction
        self.step.legs.put(leg.id, replace(leg, is_dial_over=True))
        if leg.role is Role.CALLEE:
            self.engines.attempts.dial_ended(leg)
        elif leg.role is not Role.AGENT:
            self._nobody_came(leg)
        elif not self.engines.offers.expect_news_of(leg):
            self._no_channel_came(leg)

    def _nobody_came(self, leg: Leg) -> None:
        """Somebody outside could not even be called."""
        self.is_over(replace(leg, is_dial_over=True), 0, 0)

    def ring_guard_reached(self, interaction: Interaction) -> None:
        if not interaction.is_on_the_line():
            self.engines.work.offer_overdue(interaction)
            return
        for offer in interaction.offers:
            leg = self.step.legs.get(offer.leg)
            if leg is not None and leg.is_dial_over and leg.state is LegState.DIALLED:
                self._no_channel_came(leg)
        left = self.step.interactions.get(interaction.id)
        if left is not None:
            self.engines.offers.guard_reached(left)

    def _no_channel_came(self, leg: Leg) -> None:
        """The phone could not even be called: it has no contact."""
        if leg.role is Role.SUPERVISOR:
            self._nobody_came(leg)
            return
        config = self.step.settings.phones.get(leg.phone) if leg.phone is not None else None
        is_outside = config is not None and config.kind is PhoneKind.EXTERNAL
        if leg.phone is not None and not leg.is_cancelled and not is_outside:
            self.step.phones.put(leg.phone, Phone(state=PhoneState.UNAVAILABLE, changed_s=self.step.now.mono_s))
            self.engines.agents.phone_changed(leg.phone)
        self.engines.offers.ring_failed(leg, OfferOutcome.CANCELLED if leg.is_cancelled else OfferOutcome.UNREACHABLE)

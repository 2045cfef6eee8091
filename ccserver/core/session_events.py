"""AGI sessions: a leg asks what to do, and what it was told to do is done. Which engine has the word, the leg and the dialogue decide."""

from collections.abc import Callable

from ccserver.core import events as ev
from ccserver.core.change import replace
from ccserver.core.commands import EndSession, Next
from ccserver.core.engines import Engines
from ccserver.core.externals import ACCEPT_KEY
from ccserver.core.ids import (
    CommandId,
    SessionId,
)
from ccserver.core.settings import PhoneKind
from ccserver.core.state import (
    AfterKind,
    Dialogue,
    Interaction,
    Role,
    Session,
)
from ccserver.core.step import Step
from ccserver.core.transitions import LegState

AT_DESK_OF = (Role.AGENT, Role.HEADSET, Role.SUPERVISOR)


class SessionEvents:
    """`carry` carries the facts that a session's news have told."""

    def __init__(self, step: Step, engines: Engines, *, carry: Callable[[], None]) -> None:
        self.step = step
        self.engines = engines
        self._carry = carry

    def call_arrived(self, event: ev.CallArrived) -> None:
        known = self.step.legs.get(event.leg)
        left = self.step.sessions.get(known.session) if known is not None else None
        if left is not None:
            self.engines.measuring.session_over(left)  # its end will be told, and a message in it may be over
        if known is not None and known.role is Role.CALLEE:
            self.step.about = known.interaction
            self.engines.attempts.arrived(event, replace(known, heard_s=self.step.now.mono_s))
            return
        self.engines.interactions.call_arrived(event)
        leg = self.step.legs.get(event.leg)
        if leg is not None and leg.session == event.session:
            self.engines.handovers.customer_back(leg)

    def transfer_asked(self, event: ev.TransferAsked) -> None:
        """A customer's leg, taken out of its talk by the agent's phone. Its session goes on as the customer's."""
        step = self.step
        leg = self.step.heard(event.leg)
        step.sessions.put(event.session, Session(id=event.session, leg=event.leg, dialogue=Dialogue.CALLER))
        interaction = step.interactions.get(leg.interaction) if leg is not None and leg.role is Role.CALLER else None
        if leg is None or interaction is None:
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        step.legs.put(leg.id, replace(leg, session=event.session, bridge=None))
        if not self.engines.handovers.referred(interaction, event.to, event.number, event.kind):
            self.engines.interactions.resume(step.interactions[interaction.id])
            self.engines.handovers.customer_back(step.legs[leg.id])

    def desk_opened(self, event: ev.DeskOpened) -> None:
        """An agent's leg asks what to do: what it is there for decides."""
        step = self.step
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.DESK)
        step.sessions.put(session.id, session)
        leg = self.step.heard(event.leg)
        if leg is not None and leg.role in (Role.ROOM, Role.OWN):
            leg = replace(leg, session=session.id, channel=event.channel, state=LegState.UP)
            step.legs.put(leg.id, leg)
            if self.engines.doors.invited(session, leg):
                return
        if leg is None or leg.role not in AT_DESK_OF:
            step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        leg = replace(leg, session=session.id, channel=event.channel, state=LegState.UP, bridge=None, is_parked=False, keys="")
        step.legs.put(leg.id, leg)
        if leg.role is Role.SUPERVISOR:
            self.engines.supervision.desk_opened(leg, session)
            return
        self.engines.joins.not_joined(leg)
        interaction = step.interactions.get(leg.interaction)
        offer = interaction.offer_on(leg.id) if interaction is not None else None
        if offer is not None and offer.parting is not None and not leg.is_cancelled:
            step.sessions.put(session.id, replace(session, agent=offer.agent))
            self.engines.features.last_words(session.id, offer.parting)
            return
        phone = step.settings.phones.get(offer.phone) if offer is not None else None
        # Outside, somebody has to accept the message first; who listens already has.
        is_asked = phone is not None and phone.kind is PhoneKind.EXTERNAL and leg.role is Role.AGENT
        is_asked = is_asked and interaction is not None and interaction.listener() != leg.id
        if interaction is not None and not is_asked and self.engines.hearing.opened(session, leg, interaction):
            return
        if interaction is not None and offer is not None and self.engines.previews.opened(session, leg, interaction, offer):
            return
        if offer is None and self.engines.features.line_opened(session, leg):
            return
        if interaction is not None and offer is not None and leg.role is Role.AGENT:
            self.engines.externals.opened(session, leg, interaction, offer)
        elif offer is not None or not self.engines.handovers.desk_opened(leg, session):
            if leg.role is Role.HEADSET:
                self.engines.headsets.opened(session, leg)
            else:
                self.engines.features.ask_disposition(session)

    def wrap_up_opened(self, event: ev.WrapUpOpened) -> None:
        step = self.step
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.WRAP_UP)
        step.sessions.put(session.id, session)
        leg = self.step.heard(event.leg)
        if leg is None or leg.role is not Role.AGENT:
            is_line = leg is not None and self.engines.headsets.is_line(leg)
            step.end_session(EndSession(session=session.id, next=Next.PARK if is_line else Next.HANG_UP))
            return
        if self.engines.handovers.is_late(leg):
            step.legs.put(leg.id, replace(leg, session=session.id))
            self.engines.handovers.wait_for_news(leg, session)
            return
        leg = replace(leg, session=session.id, bridge=None, keys="")
        step.legs.put(leg.id, leg)
        self.engines.joins.not_joined(leg)
        if self.engines.handovers.came_back(leg, session):
            return
        self.engines.talks.agent_leg_came_back(leg)
        self._carry()
        if not step.sessions[session.id].is_ending:
            self.engines.features.ask_disposition(step.sessions[session.id])

    # --- its end ------------------------------------------------------------------------------------------------------
    def closed(self, event: ev.SessionClosed) -> None:
        """The connection is over; the leg may be anywhere."""
        session = self.step.sessions.get(event.session)
        if session is None:
            return
        self.drop(session)
        leg = self.step.legs.get(session.leg)
        if leg is not None and leg.session == event.session:
            self.step.legs.put(leg.id, replace(leg, session=None))

    def drop(self, session: Session) -> None:
        self.engines.playback.over(session)
        self.engines.measuring.session_over(session)
        self.engines.own_calls.session_over(session)
        self.step.sessions.drop(session.id)

    # --- what became of its verbs -------------------------------------------------------------------------------------
    def _current(self, session_id: SessionId, command: CommandId) -> Session | None:
        """The session, if `command` is its newest verb: what ended an older one is late and means nothing."""
        session = self.step.sessions.get(session_id)
        if session is None or session.verb != command or session.is_ending:
            return None
        leg = self.step.legs.get(session.leg)
        if leg is None or leg.session != session_id:
            return None
        self.step.about = leg.interaction
        session = replace(session, verb=None)
        self.step.sessions.put(session_id, session)
        return session

    def _caller_of(self, session: Session) -> Interaction | None:
        leg = self.step.legs[session.leg]
        return self.step.interactions.get(leg.interaction) if leg.role is Role.CALLER else None

    def prompt_ended(self, event: ev.PromptEnded) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        interaction = self._caller_of(session)
        if session.dialogue in (Dialogue.BEEP, Dialogue.MACHINE):
            self.engines.attempts.prompt_ended(session, self.step.legs[session.leg])
        elif session.dialogue is Dialogue.PREVIEW:
            self.engines.previews.said(session)
        elif session.dialogue is Dialogue.NOTICE:
            self.engines.headsets.notice_ended(session)
        elif session.dialogue is Dialogue.MESSAGE:
            self.engines.hearing.prompt_ended(session, event.end)
        elif session.dialogue is Dialogue.WATCH:
            self.engines.supervision.prompt_ended(session)
        elif interaction is not None:
            self.engines.interactions.verb_ended(interaction)
        elif session.dialogue is Dialogue.DESK:
            self.engines.handovers.prompt_ended(session)
        else:
            self.engines.features.prompt_ended(session, event.end)

    def digits_collected(self, event: ev.DigitsCollected) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        interaction = self._caller_of(session)
        if session.dialogue is Dialogue.ACCEPT:
            self._accepted(session, event.digits)
        elif session.dialogue is Dialogue.PREVIEW:
            self.engines.previews.typed(session, event.digits)
        elif interaction is not None and interaction.after is not None and interaction.after.kind is AfterKind.OPT_OUT:
            self.engines.attempts.opted_out(interaction, interaction.after, event.digits)
        elif session.dialogue is Dialogue.MESSAGE:
            self.engines.hearing.digits_collected(session, event.digits)
        elif interaction is not None and interaction.after is not None and interaction.after.kind is AfterKind.CALLBACK:
            self.engines.callbacks.digits_collected(interaction, interaction.after, event.digits)
        elif interaction is not None:
            self.engines.flows.digits_collected(interaction, event.digits)
        else:
            self.engines.features.digits_collected(session, event.digits)

    def number_collected(self, event: ev.NumberCollected) -> None:
        session = self._current(event.session, event.command)
        if session is None:
            return
        caller = self._caller_of(session)
        if caller is not None and caller.after is not None and caller.after.kind is AfterKind.CALLBACK:
            self.engines.callbacks.number_collected(caller, caller.after, event)
        elif session.dialogue is Dialogue.DESK:
            self.engines.handovers.number_collected(session, event)

    def _accepted(self, session: Session, digits: str) -> None:
        """Outside. A message is heard in the same session; for a customer the leg parks."""
        leg = self.step.legs[session.leg]
        interaction = self.step.interactions.get(leg.interaction)
        is_accepted = interaction is not None and digits == ACCEPT_KEY
        if interaction is None or not is_accepted or not self.engines.hearing.opened(session, leg, interaction):
            self.engines.externals.typed(session, digits)

    def wait_ended(self, event: ev.WaitEnded) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        is_key = interaction is not None and event.end is ev.VerbEnd.DIGIT
        if session is not None and event.end is ev.VerbEnd.FAILED and self.engines.handovers.music_failed(interaction, session):
            return
        if interaction is not None and not (is_key and self.engines.callbacks.pressed(interaction, event.digit)):
            self.engines.interactions.verb_ended(interaction)
        elif session is not None and session.dialogue is Dialogue.DESK:
            self.engines.handovers.wait_ended(session, event.end, event.digit)

    def message_recorded(self, event: ev.MessageRecorded) -> None:
        session = self.step.sessions.get(event.session)
        if session is None or session.verb != event.command:
            return
        if session.dialogue is Dialogue.OFFICE_RECORD:
            self.engines.features.office.message_recorded(session, event.duration_s)
        else:
            kept = self.engines.callers.message_recorded(session, event.duration_s)
            if kept is not None:
                self.engines.messages.left(kept, event.duration_s)

    def secret_checked(self, event: ev.SecretChecked) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        if interaction is not None and interaction.door is not None:
            self.engines.doors.caller_checked(interaction, event)
        elif interaction is not None:
            self.engines.flows.secret_checked(interaction, event)
        elif session is not None:
            self.engines.features.secret_checked(session, event)

    def script_ended(self, event: ev.ScriptEnded) -> None:
        session = self._current(event.session, event.command)
        interaction = self._caller_of(session) if session is not None else None
        if interaction is not None:
            self.engines.flows.script_ended(interaction, event)

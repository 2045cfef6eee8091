"""Handovers: what a key, a number, an event of a leg or the end of a prompt means for an interaction that is on its way from one agent to
somebody else, or out of the talk for a while. The parts know their business (`transfers`, `consults`, `conferences`, `additions`,
`errands`); here it is decided whose business it is: by the stage, and by whose leg it is.

Which rule wins: the customer's end, then the end of a leg of ours, then keys and prompts. A leg that ends takes nobody with it:
the customer goes to the colleague who talks with the agent, to the agent's target if the agent hung up on purpose, else to the head
of the queue in which they were served.
"""

from collections.abc import Callable, Mapping

from ccserver.core.additions import Additions
from ccserver.core.change import replace
from ccserver.core.commands import CollectNumber, Ears, Move, Place, RedirectLegs, SpeakInTalk
from ccserver.core.conferences import Conferences, members
from ccserver.core.consults import Consults
from ccserver.core.errands import Errands
from ccserver.core.events import NumberCollected, VerbEnd
from ccserver.core.facts import AgentLegOver, Joined, JoinFailed, NumberFailed, WorkBegan
from ccserver.core.guests import Guests
from ccserver.core.holding import AGAIN_S, Holding, said
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, PromptId
from ccserver.core.joins import JOIN_S
from ccserver.core.keys import KEY_S, CallKey, read
from ccserver.core.offers import RETURN_S
from ccserver.core.records import EndedBy, MarkRecord, NoticeKind, TransferKind, TransferOutcome
from ccserver.core.settings import NumberKind
from ccserver.core.state import (
    CONSULT,
    DeadlineKind,
    Dialogue,
    Handover,
    HandoverStage,
    Interaction,
    Leg,
    Role,
    Session,
    Talk,
)
from ccserver.core.talks import NORMAL_CAUSES
from ccserver.core.targets import Dialled, Refusal, again, resolve
from ccserver.core.transfers import OURS, Transfers
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance
from ccserver.core.ways import Ways

ASK = {TransferKind.BLIND: "cc-transfer-to", TransferKind.CONSULT: "cc-consult-with"}
FIRST_DIGIT_S = 10.0
NEXT_DIGIT_S = 5.0
MAX_TALK_S = 4 * 3600.0
"""Of a caller whom a flow joined with somebody outside: no queue has a say in it."""
Act = Callable[[Interaction, Talk, str], None]
ON_HOLD = (InteractionState.HELD, InteractionState.MENU)


class Handovers:
    """The one door for `center`. `verb_ended` is for the child's own announcements, `returned` for a customer who is back, `over` for a
    conference that goes on no more after its customer has left."""

    def __init__(
        self,
        holding: Holding,
        ways: Ways,
        *,
        verb_ended: Callable[[Interaction], None],
        returned: Callable[[Interaction], None],
        over: Callable[[InteractionId, EndedBy], None],
    ) -> None:
        self.step = holding.step
        self.ledger = holding.ledger
        self.talks = holding.talks
        self.holding = holding
        self.guests = Guests(holding.step, holding.ledger)
        self.consults = Consults(holding, self.guests, ways)
        self.transfers = Transfers(holding, self.guests, ways)
        self.conferences = Conferences(holding, self.consults, self.guests)
        self.additions = Additions(holding, self.consults)
        self.errands = Errands(holding)
        self._verb_ended = verb_ended
        self._returned = returned
        self._over = over
        recorder = holding.recorder
        marks: Mapping[CallKey, Act] = {
            CallKey.HELP: self._help,
            CallKey.MALICIOUS: self._malicious,
            CallKey.OBJECTION: lambda it, talk, _: recorder.object(it, talk.agent),
            CallKey.PAUSE_RECORDING: lambda it, talk, _: recorder.toggle(it, talk),
            CallKey.RECORD: self._record,
        }
        self._in_talk: Mapping[CallKey, Act] = {
            **marks,
            CallKey.RELEASE: self._release,
            CallKey.TRANSFER: self._ask(TransferKind.BLIND),
            CallKey.CONSULT: self._ask(TransferKind.CONSULT),
            CallKey.SEND_TO_FLOW: lambda it, talk, code: self.errands.send(it, code),
        }
        self._in_room: Mapping[CallKey, Act] = {
            **marks,
            CallKey.RELEASE: self._release,
            CallKey.CONSULT: lambda it, talk, _: self.additions.step_out(it),
            CallKey.BACK: lambda it, talk, _: self.conferences.others_out(it),
            CallKey.SEND_TO_FLOW: self._not_now,
        }
        self._in_consult: Mapping[CallKey, Act] = {
            CallKey.HELP: self._help,
            CallKey.MALICIOUS: self._malicious,
            CallKey.TRANSFER: lambda it, talk, _: self.consults.complete(it),
            CallKey.BACK: lambda it, talk, _: self.consults.back(it),
            CallKey.CONFERENCE: lambda it, talk, _: self.conferences.begin(it),
            CallKey.SEND_TO_FLOW: self._not_now,
        }
        self._before_consult: Mapping[CallKey, Act] = {
            CallKey.TRANSFER: lambda it, talk, _: self._blind_instead(it),
            CallKey.BACK: lambda it, talk, _: self.consults.back(it),
        }
        self._before_addition: Mapping[CallKey, Act] = {CallKey.BACK: lambda it, talk, _: self.consults.back(it)}
        self._in_addition: Mapping[CallKey, Act] = {
            **self._in_consult,
            CallKey.TRANSFER: lambda it, talk, _: self.additions.stand_in(it),
            CallKey.CONFERENCE: lambda it, talk, _: self.additions.bring_in(it),
        }

    # --- keys -----------------------------------------------------------------------------------------------------------
    def digit(self, leg: Leg, digit: str) -> bool:
        """One more key on an agent's leg. False: the leg is in no talk of ours."""
        step = self.step
        interaction = step.interactions.get(leg.interaction)
        talk = self._talk_on(interaction, leg.id)
        if interaction is None or talk is None:
            return False
        typed = read(step.settings.keys, leg.keys, digit, step.now.mono_s - leg.keyed_s)
        step.legs.put(leg.id, replace(leg, keys=typed.pending, keyed_s=step.now.mono_s))
        act = self._acts(interaction, talk).get(typed.key) if typed.key is not None else None
        if act is not None:
            act(interaction, talk, typed.argument)
        return True

    def _acts(self, interaction: Interaction, talk: Talk) -> Mapping[CallKey, Act]:
        """The keys that mean something now; none while something is under way."""
        caller = self.step.legs.get(interaction.leg)
        if interaction.kind == CONSULT or caller is None or caller.is_cancelled or talk != interaction.talk:
            return {}
        if interaction.state is InteractionState.TALKING and interaction.joining is not None:
            return {}  # a supervisor is taking the customer over
        handover, is_added = interaction.handover, interaction.stepped_out() is not None
        if interaction.state is InteractionState.TALKING and not is_added:
            # Whom all others have left, the agent can do with the customer whatever two who talk can.
            return self._in_room if interaction.room and len(members(interaction)) > 1 else self._in_talk
        if handover is None or handover.stage is not HandoverStage.CONSULTING:
            return {}
        child = self.consults.child(interaction)
        if child is not None and child.state is InteractionState.TALKING:
            return self._in_addition if is_added else self._in_consult
        return self._before_addition if is_added else self._before_consult

    def _ask(self, kind: TransferKind) -> Act:
        def ask(interaction: Interaction, talk: Talk, argument: str) -> None:
            self.holding.apart(interaction, HandoverStage.ASKING, kind)

        return ask

    def _release(self, interaction: Interaction, talk: Talk, argument: str) -> None:
        interaction = self.ledger.put(replace(interaction, talk=replace(talk, is_released=True)))
        customer = self.step.legs.get(interaction.leg)
        if (
            customer is not None
            and not interaction.room
            and self.step.queue_settings(talk.queue, interaction).survey is not None
        ):
            # Out of the bridge, and asked how it was; the agent's leg comes out by itself.
            self.step.order(RedirectLegs(moves=(Move(leg=customer.id, channel=customer.channel, place=Place.LOOP),)))
        else:
            self.step.hang_up(interaction.leg)

    def _not_now(self, interaction: Interaction, talk: Talk, argument: str) -> None:
        """Whoever else is there would be left alone, or hear what the customer is asked: the agent, and nobody else, is told so."""
        leg, settings = self.step.legs.get(talk.leg), self.step.settings
        if leg is None:
            return
        agent = settings.agents.get(talk.agent)
        language = (agent.language if agent is not None else None) or settings.default_language
        prompt = PromptId("cc-watch-not-now")
        self.step.emit(SpeakInTalk(leg=leg.id, channel=leg.channel, ears=Ears.AGENT, prompt=prompt, language=language))

    def _record(self, interaction: Interaction, talk: Talk, argument: str) -> None:
        self.holding.recorder.demand(interaction, talk)

    def _help(self, interaction: Interaction, talk: Talk, argument: str) -> None:
        self.ledger.notice(interaction, NoticeKind.HELP_WANTED, agent=talk.agent)
        self._mark(interaction, talk.agent, "help")

    def _malicious(self, interaction: Interaction, talk: Talk, argument: str) -> None:
        self.ledger.notice(interaction, NoticeKind.MALICIOUS, agent=talk.agent)
        self._mark(interaction, talk.agent, "malicious")

    def _mark(self, interaction: Interaction, agent: AgentId, what: str) -> None:
        record = MarkRecord(interaction=interaction.id, agent=agent, what=what, at_utc_s=self.step.now.utc_s)
        self.step.store(record)

    def _blind_instead(self, interaction: Interaction) -> None:
        """Nobody has answered the consultation yet, and the agent does not wait for it: the customer does."""
        handover = interaction.handover
        assert handover is not None
        interaction = self.consults.let_go(interaction)
        target = self.transfers.checked(interaction, again(self.step, handover.agent, handover.to))
        if isinstance(target, Refusal):
            if interaction.talk is not None and interaction.talk.leg in self.step.legs:
                self.holding.tell_agent(interaction, target.prompt)
            else:
                self._nobody_has(interaction)
        else:
            self.transfers.place(interaction, target)

    # --- sessions at the desk -------------------------------------------------------------------------------------------
    def desk_opened(self, leg: Leg, session: Session) -> bool:
        """An agent's leg asks what to do. False: it is not here for a customer on hold."""
        interaction = self.step.interactions.get(leg.interaction)
        talk = self._talk_on(interaction, leg.id)
        handover = interaction.handover if interaction is not None else None
        if interaction is None or talk is None or handover is None or interaction.kind == CONSULT:
            return False
        match handover.stage:
            case HandoverStage.ASKING:
                say = said(ASK[handover.kind or TransferKind.BLIND])
                self.step.speak(
                    CollectNumber(
                        session=session.id,
                        say=say,
                        language=self.holding.language(talk.agent),
                        first_timeout_s=FIRST_DIGIT_S,
                        next_timeout_s=NEXT_DIGIT_S,
                    )
                )
            case HandoverStage.TELLING:
                self.holding.speak(interaction, session.id, handover.say or "cc-transfer-failed")
            case HandoverStage.CONSULTING:
                self._at_desk_in_consult(interaction, session)
            case HandoverStage.ERRAND:
                self.holding.music(interaction, session.id)
            case _:
                # Not where it was sent to: news is about to come, or the order is repeated.
                self.holding.music(interaction, session.id, timeout_s=AGAIN_S)
        return True

    def _at_desk_in_consult(self, parent: Interaction, session: Session) -> None:
        child = self.consults.child(parent)
        if child is not None and child.state is InteractionState.TALKING:
            # Out of the bridge with the colleague, the end of whose leg is about to be read.
            self.step.deadlines.set(DeadlineKind.RETURN, child.id, self.step.now.mono_s + RETURN_S)
            self.holding.music(parent, session.id)
        else:
            self.consults.entertain(parent)

    def number_collected(self, session: Session, event: NumberCollected) -> None:
        interaction = self._at(session)
        handover = interaction.handover if interaction is not None else None
        if interaction is None or handover is None or handover.stage is not HandoverStage.ASKING:
            return
        target = resolve(self.step, handover.agent, Dialled(event.digits, event.number, event.kind))
        target = self.transfers.checked(interaction, target)
        if isinstance(target, Refusal):
            interaction = self.transfers.refused(interaction, event.digits)
            if target.is_silent:
                self.holding.back(interaction)
            else:
                self.holding.tell_agent(interaction, target.prompt)
        elif handover.kind is TransferKind.CONSULT:
            self.consults.begin(interaction, target)
        else:
            self.transfers.place(interaction, target)

    def prompt_ended(self, session: Session) -> None:
        interaction = self._at(session)
        handover = interaction.handover if interaction is not None else None
        if interaction is None or handover is None:
            return
        if handover.stage is HandoverStage.TELLING:
            self.holding.back(interaction)
        elif handover.stage is HandoverStage.CONSULTING:
            self._go_on_waiting(interaction)

    def wait_ended(self, session: Session, end: VerbEnd, digit: str) -> None:
        interaction = self._at(session)
        handover = interaction.handover if interaction is not None else None
        if interaction is None or handover is None or interaction.kind == CONSULT:
            self._wait_again(session, interaction)
        elif interaction.joining is None and (
            handover.stage is HandoverStage.BACK
            or (handover.stage is HandoverStage.MEETING and interaction.stepped_out() is not None)
        ):
            self.holding.back(interaction, is_again=True)
        elif handover.stage is not HandoverStage.CONSULTING:
            self.holding.music(interaction, session.id, timeout_s=AGAIN_S)
        elif end is VerbEnd.DIGIT:
            leg = self.step.legs[session.leg]
            self.digit(leg, digit)
            pending = self.step.legs[session.leg].keys if session.leg in self.step.legs else ""
            still = self.step.interactions.get(interaction.id)
            if still is not None and still.handover is not None and still.handover.stage is HandoverStage.CONSULTING:
                if pending:
                    self.consults.listen(still, session.id, KEY_S)
                else:
                    self._go_on_waiting(still)
        else:
            self._go_on_waiting(interaction)

    def _go_on_waiting(self, parent: Interaction) -> None:
        child = self.consults.child(parent)
        if child is not None and child.after is not None:
            self._verb_ended(child)
        else:
            self.consults.entertain(parent)

    def _wait_again(self, session: Session, interaction: Interaction | None) -> None:
        if interaction is not None:
            self.holding.music(interaction, session.id, timeout_s=AGAIN_S)

    def is_late(self, leg: Leg) -> bool:
        """Whether a session for the wrap-up can only be of the talk that the leg was pulled out of: it is with the customer by now,
        or on its way into the room.

        Asterisk ends the first talk while our order is on its way, and tells the two over different sockets. If it is not so,
        because the customer left at once, the end of their leg says it, and the wrap-up goes by without its question.
        """
        interaction = self.step.interactions.get(leg.interaction)
        talk = self._talk_on(interaction, leg.id)
        if interaction is None or talk is None or interaction.state is not InteractionState.TALKING or leg.pulled_s is None:
            return False
        caller = self.step.legs.get(interaction.leg)
        is_together = caller is not None and leg.bridge is not None and caller.bridge == leg.bridge
        is_coming = bool(interaction.room) and leg.bridge is None
        return (is_together or is_coming) and self.step.now.mono_s - leg.pulled_s < JOIN_S

    def wait_for_news(self, leg: Leg, session: Session) -> None:
        """A late session is about to close."""
        interaction = self.step.interactions.get(leg.interaction)
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.DESK))
        if interaction is not None:
            self.holding.music(interaction, session.id, timeout_s=AGAIN_S)

    def came_back(self, leg: Leg, session: Session) -> bool:
        """A leg came out of its bridge by itself (WrapUpOpened). False: nothing that concerns a handover."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None:
            return False
        if leg.role is Role.GUEST:
            is_over = interaction.state is InteractionState.TALKING and interaction.talk is None
            if is_over and interaction.guest is not None and interaction.guest.leg == leg.id and interaction.kind != CONSULT:
                self.guests.talk_over(interaction, EndedBy.CUSTOMER)
            return False
        talk = self._talk_on(interaction, leg.id)
        if talk is None:
            return False
        is_consulted = interaction.kind == CONSULT and interaction.state is InteractionState.TALKING
        if is_consulted:
            # The agent's leg left: its end, or where it is now, is about to be read.
            self.step.deadlines.set(DeadlineKind.RETURN, interaction.id, self.step.now.mono_s + RETURN_S)
        elif interaction.room and interaction.state is InteractionState.TALKING:
            if not self.conferences.is_last(interaction, leg.id):
                self._left_the_room(interaction, leg, EndedBy.AGENT)
            return False
        elif interaction.state not in ON_HOLD or interaction.handover is None:
            return False
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.DESK))
        self.holding.music(interaction, session.id, timeout_s=AGAIN_S)
        return True

    def left_room(self, leg: Leg) -> bool:
        """A headset's line is parked, out of a conference that goes on. False: it was in none."""
        interaction = self.step.interactions.get(leg.interaction)
        is_in = interaction is not None and interaction.room and interaction.state is InteractionState.TALKING
        if interaction is None or not is_in or self._talk_on(interaction, leg.id) is None:
            return False
        if self.conferences.is_last(interaction, leg.id):
            return False
        self._left_the_room(interaction, leg, EndedBy.AGENT)
        return True

    # --- out of a queue -----------------------------------------------------------------------------------------------
    def dial_out(self, interaction: Interaction, number: str) -> None:
        """A queue's exit, or a flow, leads to a number outside. Nobody hands the customer on; they are on hold while it rings there."""
        step = self.step
        state = advance(INTERACTION, interaction.state, InteractionStep.HOLD)
        interaction = self.ledger.put(replace(interaction, state=state, after=None))
        ring_s, max_talk_s = step.settings.agent_rules.transfer_ring_s, self._max_talk_s(interaction)
        self.guests.dial(
            interaction, PhoneId(f"PJSIP/{number}@{step.settings.trunk}"), number, ring_s=ring_s, max_talk_s=max_talk_s
        )
        session = step.caller_session(interaction)
        if session is not None:
            self.holding.music(interaction, session)

    # --- legs -----------------------------------------------------------------------------------------------------------
    def entered_bridge(self, leg: Leg) -> None:
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is None:
            return
        handover, is_talking = interaction.handover, interaction.state is InteractionState.TALKING
        if interaction.stepped_out() is not None and interaction.outside() is None:
            self.additions.entered(interaction, leg.id)
        elif handover is not None and handover.stage is HandoverStage.MEETING:
            self.conferences.entered(interaction, leg.id)
        elif interaction.room and is_talking and leg.id != interaction.outside():
            self.conferences.entered_late(interaction, leg.id)
        elif handover is not None and handover.stage is HandoverStage.CONSULTING and leg.role is not Role.CALLER:
            child = self.consults.child(interaction)
            for offer in child.offers if child is not None else ():
                offered = self.step.legs.get(offer.leg)
                if offered is not None:
                    self.talks.entered_bridge(offered)
            if child is not None:
                self._guest_bridged(child)
        elif handover is not None and handover.stage is HandoverStage.BACK and interaction.joining is None:
            self._met(interaction)
        else:
            self._guest_bridged(interaction)

    def _met(self, interaction: Interaction) -> None:
        """A join that was given up did happen: the leg's way out of its last bridge was read as its way back from this one."""
        caller, party = self.step.legs.get(interaction.leg), self.step.legs.get(self.holding.party(interaction))
        is_together = caller is not None and party is not None and caller.bridge is not None and caller.bridge == party.bridge
        if interaction.state is InteractionState.HELD and is_together:
            self.holding.joined(interaction)

    def _guest_bridged(self, interaction: Interaction) -> None:
        guest = interaction.guest
        if guest is None or interaction.state is not InteractionState.HELD or interaction.joining is not None:
            return
        caller, other = self.step.legs.get(interaction.leg), self.step.legs.get(guest.leg)
        if caller is None or other is None or caller.bridge is None or caller.bridge != other.bridge:
            return
        if interaction.handover is not None:
            self.holding.joined(interaction)
            return
        step = self.step
        state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
        self.ledger.put(replace(interaction, state=state, guest=replace(guest, since=step.now)))
        step.deadlines.clear(DeadlineKind.HELD, interaction.id)
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + self._max_talk_s(interaction))

    def _max_talk_s(self, interaction: Interaction) -> float:
        """Of its queue; a flow may have led outside without one."""
        queue = interaction.queue
        return MAX_TALK_S if queue is None else self.step.queue_settings(queue, interaction).max_talk_s

    def joined(self, fact: Joined) -> None:
        interaction = self.step.interactions.get(fact.interaction)
        if interaction is not None and interaction.handover is not None and interaction.state is InteractionState.HELD:
            self.holding.joined(interaction)

    def join_failed(self, fact: JoinFailed) -> None:
        """Overdue: the leg is ended, and its end decides. Refused, or back at the desk: tried again there, until HELD is due."""
        interaction = self.step.interactions.get(fact.interaction)
        if interaction is None or fact.is_leg_over:
            return
        session = self.holding.open_session(fact.leg)
        if interaction.joining is not None:
            self.step.hang_up(fact.leg)
        elif session is not None and self.step.sessions[session].verb is None:
            self.holding.music(interaction, session, timeout_s=AGAIN_S)

    def moved(self, leg: Leg) -> None:
        """A redirect was done."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None:
            self.conferences.moved(interaction)

    def not_moved(self, leg: Leg) -> None:
        """A redirect was refused: one of its legs is gone, which is about to be told. Together again, if it is not so."""
        interaction = self.step.interactions.get(leg.interaction)
        handover = interaction.handover if interaction is not None else None
        if interaction is None or handover is None or interaction.joining is not None:
            return
        if interaction.stepped_out() is not None:
            if handover.stage in (HandoverStage.ASKING, HandoverStage.MEETING):
                self.additions.refused(interaction)
        elif handover.stage is HandoverStage.MEETING:
            self.conferences.undone(interaction)
        elif handover.stage is HandoverStage.ASKING:
            self.holding.back(interaction)
        elif handover.stage is HandoverStage.ERRAND and interaction.talk is not None:
            self.holding.back(self.errands.fetched(interaction))

    def leg_over(self, leg: Leg, cause: int, by: EndedBy | None) -> bool:
        """A leg that is not the customer's has ended. False: its end has its ordinary meaning."""
        interaction = self.step.interactions.get(leg.interaction)
        if leg.role is Role.GUEST:
            if interaction is not None and any(guest.leg == leg.id for guest in interaction.guests()):
                self._guest_over(interaction, leg.id, by)
            return True
        talk = self._talk_on(interaction, leg.id)
        if interaction is None or talk is None or interaction.kind == CONSULT:
            return False
        is_lost = cause not in NORMAL_CAUSES
        who = by or (EndedBy.SYSTEM if leg.is_cancelled else EndedBy.AGENT_LOST if is_lost else EndedBy.AGENT)
        if leg.id == interaction.stepped_out():
            if self.additions.agent_gone(interaction, leg, who):
                return True
            interaction = self.step.interactions[interaction.id]
        if interaction.room and not self.conferences.is_last(interaction, leg.id):
            self._left_the_room(interaction, leg, who)
            return True
        if interaction.state not in ON_HOLD or interaction.handover is None:
            return False
        self.step.tell(AgentLegOver(talk.agent, interaction.id, leg.id))
        self._agent_gone(interaction, who)
        return True

    def _left_the_room(self, interaction: Interaction, leg: Leg, by: EndedBy) -> None:
        self.conferences.agent_left(interaction, leg, by)
        interaction = self.step.interactions[interaction.id]
        if interaction.state is InteractionState.HELD:
            # Nobody is in the room with the customer yet: who is left goes to them.
            self.conferences.given_up(interaction)
        else:
            self._who_is_left(interaction)

    def _who_is_left(self, interaction: Interaction) -> None:
        """Somebody left a conference in which others talk."""
        outside = interaction.outside()
        if self.conferences.is_empty(interaction):
            self._dissolved(interaction)
        elif outside is not None and members(interaction) == [outside]:
            self.additions.put_on_hold(interaction)

    def _dissolved(self, interaction: Interaction) -> None:
        """The customer has left it, and now everybody has."""
        by = interaction.ended_by or EndedBy.CUSTOMER
        interaction = self.conferences.customer_gone(self._guests_out(interaction, by))
        self._over(interaction.id, by)

    def _guests_out(self, interaction: Interaction, by: EndedBy) -> Interaction:
        """Without the customer no guest is called or talks on; with an agent they may, see `Conferences.talk_on`."""
        for guest in interaction.other_guests:
            interaction = self.guests.gone(interaction, guest, EndedBy.SYSTEM)
            self.step.hang_up(guest.leg)
        if interaction.guest is None:
            return interaction
        leg, is_talk = interaction.guest.leg, interaction.state is InteractionState.TALKING and interaction.talk is None
        interaction = self.guests.talk_over(interaction, by) if is_talk else self.guests.hang_up(interaction)
        self.step.hang_up(leg)
        return interaction

    def _agent_gone(self, interaction: Interaction, by: EndedBy) -> None:
        """The agent's leg has ended while the customer is on hold or in a flow."""
        handover, child = interaction.handover, self.consults.child(interaction)
        assert handover is not None
        is_talking = child is not None and child.state is InteractionState.TALKING
        if by is EndedBy.PBX:
            interaction = self.consults.let_go(interaction)
            self.holding.hand_off(interaction, by)
        elif handover.stage is HandoverStage.ERRAND:
            self.holding.hand_off(interaction, by)
        elif is_talking:
            self.consults.complete(interaction, by)
        elif handover.stage is HandoverStage.CONSULTING and by is EndedBy.AGENT:
            self._blind_instead(interaction)
        else:
            interaction = self.consults.let_go(interaction)
            self._nobody_has(self.holding.hand_off(interaction, by))

    def _nobody_has(self, interaction: Interaction) -> None:
        if interaction.talk is not None:
            interaction = self.holding.hand_off(interaction)
        self.transfers.requeue(interaction)

    def _guest_over(self, interaction: Interaction, leg: LegId, by: EndedBy | None) -> None:
        is_alone = interaction.talk is None
        is_pbx = by is EndedBy.PBX
        match interaction.state:
            case InteractionState.TALKING if is_alone and not interaction.other_guests:
                interaction = self.guests.talk_over(interaction, by or EndedBy.AGENT)
                if interaction.kind == CONSULT:
                    self.consults.over(interaction)
                elif interaction.room:
                    self.conferences.alone(interaction)
                elif not is_pbx:
                    self._returned(interaction)
            case InteractionState.TALKING:
                self._who_is_left(self.conferences.guest_left(interaction, leg, by or EndedBy.AGENT))
            case InteractionState.HELD if interaction.kind == CONSULT and not is_pbx:
                self.consults.failed(self.ledger.put(replace(interaction, guest=None)))
            case InteractionState.HELD if is_alone and interaction.handover is None:
                self.ledger.put(replace(interaction, guest=None))
                self.step.tell(NumberFailed(interaction.id))
            case InteractionState.HELD if is_alone and not is_pbx:
                self.transfers.give_back(self.ledger.put(replace(interaction, guest=None)))
            case _:
                self.ledger.put(interaction.without_guest(leg))

    def guest_missing(self, interaction: Interaction) -> bool:
        """Whoever talked with a guest alone has been out of the talk for a while, and nothing was heard of the guest's end. False: it
        was no such talk."""
        guest = interaction.guest
        if guest is None or interaction.talk is not None or interaction.state is not InteractionState.TALKING:
            return False
        self._guest_over(interaction, guest.leg, EndedBy.SYSTEM)
        self.step.hang_up(guest.leg)
        return True

    def customer_gone(self, interaction_id: InteractionId, by: EndedBy) -> bool:
        """The customer's leg is over; what is said of the interaction itself follows, unless others talk on (True)."""
        interaction = self.step.interactions[interaction_id]
        if interaction.stepped_out() is not None and by is not EndedBy.PBX:
            interaction = self.additions.customer_gone(interaction, by)
        if self.conferences.talk_on(interaction, by):
            return True
        self._customer_gone(interaction, by)
        return False

    def _customer_gone(self, interaction: Interaction, by: EndedBy) -> None:
        interaction = self._guests_out(interaction, by)
        if interaction.room:
            interaction = self.conferences.customer_gone(interaction)
        handover = interaction.handover
        if handover is None:
            return
        if handover.stage is HandoverStage.ERRAND and interaction.state is InteractionState.MENU:
            interaction = self.errands.fetched(interaction)
        if handover.stage in OURS:
            interaction = self.holding.transferred(interaction, TransferOutcome.CUSTOMER_GONE)
        else:
            interaction = self.consults.customer_gone(interaction)
        for talk in reversed(interaction.talks() if interaction.state is InteractionState.HELD else ()):
            is_first = talk == interaction.talk
            interaction = self.holding.hand_off(interaction, by) if is_first else self.talks.part_over(interaction, talk, by)
        if interaction.joining is not None and interaction.offer_on(interaction.joining) is None:
            # A join that was ordered finds nobody, and its leg comes back for the wrap-up. (That of an offer is the offer's.)
            self.step.deadlines.clear(DeadlineKind.JOIN, interaction.id)
            interaction = replace(interaction, joining=None)
        self.holding.settled(interaction)

    def customer_back(self, leg: Leg) -> None:
        """The customer's leg has a session: on hold they hear music."""
        interaction = self.step.interactions.get(leg.interaction)
        if interaction is not None and leg.session is not None and interaction.state is InteractionState.HELD:
            self.holding.music(interaction, leg.session)

    def music_failed(self, interaction: Interaction | None, session: Session) -> bool:
        """False: it was not for a customer on hold."""
        if interaction is None or interaction.state is not InteractionState.HELD or interaction.leg != session.leg:
            return False
        self.holding.music_failed(interaction, session)
        return True

    def talk_over(self, interaction: Interaction) -> None:
        """The last one has left the customer. In a conference, the customer is fetched out of the room."""
        if interaction.room and interaction.state is InteractionState.RETURNING:
            self.conferences.alone(interaction)

    def consult_over(self, child: Interaction) -> None:
        if child.state is InteractionState.RETURNING:
            self.consults.over(child)

    def held(self, interaction: Interaction, *, is_held: bool) -> None:
        """The phone's own hold."""
        if is_held:
            self.holding.remind(interaction)
        else:
            self.step.deadlines.clear(DeadlineKind.HOLD_REMINDER, interaction.id)

    # --- the queue's news -----------------------------------------------------------------------------------------------
    def answered(self, interaction: Interaction) -> None:
        self.transfers.answered(interaction)

    def waited(self, interaction: Interaction) -> bool:
        """An offer ended without a talk, or the wait for one agent is over. True: it was for that agent alone, and is decided."""
        if interaction.kind != CONSULT:
            return self.transfers.unanswered(interaction)
        if interaction.visit is None or interaction.visit.only is None:
            return False
        if interaction.state is InteractionState.WAITING:
            self.consults.failed(interaction)
        return True

    def flow_returned(self, interaction: Interaction, result: PromptId) -> bool:
        """False: no agent has sent the customer into the flow."""
        handover = interaction.handover
        if handover is None or handover.stage is not HandoverStage.ERRAND:
            return False
        interaction = self.errands.returned(interaction, result)
        if interaction.talk is None:
            self.transfers.requeue(interaction)
        return True

    # --- the phone's own transfers ----------------------------------------------------------------------------------------
    def referred(self, interaction: Interaction, to: str, number: str, kind: NumberKind) -> bool:
        """A customer's leg that a phone transferred asks where to go. False: it was in no talk with an agent."""
        if interaction.state is InteractionState.TALKING and interaction.talk is not None:
            interaction = self.talks.talk_over(interaction, EndedBy.AGENT)
        agent = interaction.agent
        if interaction.state is not InteractionState.RETURNING or agent is None or interaction.queue is None:
            return False
        self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        state = advance(INTERACTION, interaction.state, InteractionStep.HOLD)
        interaction = self.ledger.put(replace(interaction, state=state, ended_by=None))
        target = resolve(self.step, agent, Dialled(to, number, kind))
        self.transfers.referred(interaction, agent, target, to)
        return True

    def attended(self, customer: Leg, transferrer: LegId | None, target: LegId, channel: str) -> None:
        """The phone has put the customer together with somebody it had called: the talk follows.

        `transferrer` None: its leg is known to be over.
        """
        interaction = self.step.interactions.get(customer.interaction)
        if interaction is None or target in self.step.legs or interaction.room or interaction.guest is not None:
            return
        talk, was = interaction.talk, interaction.agent
        if interaction.state is InteractionState.TALKING and talk is not None and talk.leg == transferrer:
            queue, agent = talk.queue, talk.agent
            interaction = self.talks.part_over(interaction, talk, EndedBy.AGENT)
        elif interaction.state is InteractionState.RETURNING and was is not None and interaction.queue is not None:
            queue, agent = interaction.queue, was
            state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
            interaction = self.ledger.put(replace(interaction, state=state, ended_by=None))
            self.step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        else:
            return
        handover = Handover(stage=HandoverStage.BACK, kind=TransferKind.REFER, agent=agent, queue=queue, since=self.step.now)
        self.transfers.followed(replace(interaction, handover=handover), customer, target, channel)

    def taken_over(self, interaction: Interaction, leg: Leg, taker: AgentId, recording: str) -> None:
        """A supervisor's leg is with the customer. The agent's own way out of the talk may have been read first, over another socket."""
        talk, was, step = interaction.talk, interaction.agent, self.step
        if interaction.state is InteractionState.TALKING and talk is not None:
            queue, agent = talk.queue, talk.agent
            interaction = self.talks.part_over(interaction, talk, EndedBy.SYSTEM)
        elif interaction.state is InteractionState.RETURNING and was is not None and interaction.queue is not None:
            queue, agent = interaction.queue, was
            state = advance(INTERACTION, interaction.state, InteractionStep.BRIDGED)
            interaction = self.ledger.put(replace(interaction, state=state, ended_by=None))
            step.deadlines.clear(DeadlineKind.RETURN, interaction.id)
        else:
            # On the way out, or with somebody else: the supervisor comes too late.
            step.hang_up(leg.id)
            return
        step.legs.put(leg.id, replace(leg, role=Role.AGENT, agent=taker, interaction=interaction.id, is_parked=False))
        stage, kind = HandoverStage.BACK, TransferKind.TAKE_OVER
        handover = Handover(stage=stage, kind=kind, agent=agent, queue=queue, since=step.now, to=taker)
        interaction = self.holding.transferred(replace(interaction, handover=handover), TransferOutcome.DONE)
        talk = Talk(agent=taker, leg=leg.id, queue=queue, since=step.now, recording=recording)
        self.ledger.put(replace(interaction, talk=talk, agent=taker, handover=None))
        step.tell(WorkBegan(interaction.id, taker, queue, leg.id))
        longest_s = step.queue_settings(queue, interaction).max_talk_s
        step.deadlines.set(DeadlineKind.MAX_TALK, interaction.id, step.now.mono_s + longest_s)

    # --- deadlines --------------------------------------------------------------------------------------------------------
    def held_too_long(self, interaction: Interaction) -> None:
        """What the customer is held for did not come: the leg that is waited for is ended, and its end decides."""
        handover = interaction.handover
        if interaction.stepped_out() is not None:
            self.additions.overdue(interaction)
            return
        if handover is not None and handover.stage is HandoverStage.MEETING:
            self.conferences.undone(interaction)
            return
        leg = self.holding.party(interaction)
        if leg in self.step.legs:
            self.step.hang_up(leg)
        elif interaction.kind == CONSULT:
            self.consults.failed(interaction)
        elif handover is None and interaction.state is InteractionState.HELD:
            self.step.tell(NumberFailed(interaction.id))
        elif handover is not None and interaction.state is InteractionState.HELD:
            self._nobody_has(interaction)

    def remind(self, interaction: Interaction) -> None:
        interaction = self.holding.reminder_due(interaction)
        session, child = self.holding.desk(interaction), self.consults.child(interaction)
        if session is not None and child is not None and child.after is None:
            self.holding.speak(interaction, session, "cc-hold-reminder")

    def max_talk_reached(self, interaction: Interaction) -> None:
        """A guest's talk ends as an agent's does. A headset's line stays: there it is the customer's leg that is ended."""
        if interaction.left is not None:
            self._dissolved(interaction)
            return
        for talk in interaction.talks():
            leg = self.step.legs.get(talk.leg)
            is_line = leg is not None and leg.role is Role.HEADSET
            self.step.hang_up(interaction.leg if is_line else talk.leg)
        for guest in interaction.guests():
            self.step.hang_up(guest.leg)

    # --- after a fault ------------------------------------------------------------------------------------------------------
    def to_safety(self, interaction: Interaction) -> None:
        """End what is under way beside the interaction itself. Nothing here may raise."""
        if interaction.talk is not None and interaction.faults == 0:
            return
        for leg in [*(talk.leg for talk in interaction.talks()), *(guest.leg for guest in interaction.guests())]:
            self.step.let_go(leg)
        bare = replace(interaction, others=(), guest=None, other_guests=(), left=None, room="", tracks=(), handover=None)
        self.ledger.put(bare)

    # --- inside -----------------------------------------------------------------------------------------------------------
    def _at(self, session: Session) -> Interaction | None:
        leg = self.step.legs.get(session.leg)
        return self.step.interactions.get(leg.interaction) if leg is not None else None

    @staticmethod
    def _talk_on(interaction: Interaction | None, leg: LegId) -> Talk | None:
        if interaction is None:
            return None
        return next((talk for talk in interaction.talks() if talk.leg == leg), None)

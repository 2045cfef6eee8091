"""One call to a lead: stored, judged again, dialled, answered or not, and settled.

The order is fixed: the law's gate, the commit of the attempt with the facts read anew, the gate once more, the dial. Nothing rings that is
not on record; what becomes of it is one record that settles it, in the same order as the rest of history. A trunk that does not take the
call is no attempt: the next one is tried, and if there is none the lead is as it was.

Whoever answers in a campaign that dials ahead is a customer from then on and waits for an agent before everybody else; after as long as the
rules allow they hear who called, and a key that ends all calls. What each answered call was is counted in the campaign's account, once.
"""

from collections.abc import Callable, Iterator

from ccserver.core.callers import LEAVE_S, Callers, prompt
from ccserver.core.campaign_book import CampaignBook
from ccserver.core.change import replace
from ccserver.core.commands import AwaitSilence, Collect, DialOut, EndSession, Next, Place, Say, StoreAttempt
from ccserver.core.dialer import account
from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.campaign_state import ON_THE_WAY, Attempt, AttemptStage, Candidate
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.gate import judge
from ccserver.core.dialer.settings import AmdSettings, AmdUse, CampaignSettings
from ccserver.core.dialer.settings import Outcome as Retried
from ccserver.core.dialer.terms import ClockStart, Mode
from ccserver.core.dialer.verdict import Refused
from ccserver.core.dialer.view import What
from ccserver.core.events import AttemptStored, CallArrived, Heard, StoreEnd
from ccserver.core.facts import AttemptOver, CalleeAnswered, OfferWanted, OutboundOver
from ccserver.core.ids import AgentId, AttemptId, InteractionId, Language, PhoneId, PromptId
from ccserver.core.ledger import Ledger
from ccserver.core.offers import NEWS_S, RING_GUARD_S
from ccserver.core.queueing import Queueing
from ccserver.core.records import (
    AttemptOutcome,
    AttemptRecord,
    DoNotCallRecord,
    DoNotCallSource,
    EndedBy,
    NoticeKind,
    Outcome,
    RefusalRecord,
    RefusedWhere,
    VisitOutcome,
)
from ccserver.core.settings import DispositionMeaning, Spoken, SpokenKind
from ccserver.core.state import (
    OUTBOUND,
    After,
    AfterKind,
    DeadlineKind,
    Dialogue,
    Interaction,
    Leg,
    Outbound,
    Role,
    Session,
)
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, LegState, advance
from ccserver.core.trunking import Trunking, is_trunks_fault

STORE_S = 30.0
"""How long the database may take for one attempt."""
DETECTION_S = 20.0
"""How long after the answer the callee's leg may take to come to us, detection included."""
MACHINE_S = 120.0
"""A machine's greeting and our message."""
BEEP_SILENCE_S, BEEP_S = 1.5, 45.0
NO_TRUNK_S = 60.0
DOUBTED_S = 3600.0
SORRY = PromptId("cc-unavailable")
"""What whoever answers hears while nobody of ours is there at all, where the campaign has no words of its own."""
CONFIRMED_EVERY = 20
OPT_OUT_S = 4.0
"""For the key, after the message."""
JOIN_S = 0.5
"""How soon it is looked at again whether a join has succeeded."""
PATIENCE_S = 1.0
"""How much longer than the rules allow a join may take that is under way, and phones to be quiet."""
QUIET_S = 0.05
"""How soon, whether the phones of those who were rung in vain are quiet."""
FIRST_OF_ALL = 1_000
"""The priority of somebody who has answered our call: whoever waits by choice comes after them."""


class Attempts:
    """The calls of all campaigns. `withdraw` lets phones stop ringing for an interaction."""

    def __init__(
        self,
        step: Step,
        ledger: Ledger,
        callers: Callers,
        queueing: Queueing,
        *,
        book: CampaignBook,
        trunking: Trunking,
        withdraw: Callable[[Interaction], None],
    ) -> None:
        self.step = step
        self.ledger = ledger
        self.callers = callers
        self.queueing = queueing
        self.book = book
        self.trunking = trunking
        self._withdraw = withdraw

    # --- from the gate to the dial ------------------------------------------------------------------------------------
    def start(
        self,
        config: CampaignSettings,
        mode: Mode,
        candidate: Candidate,
        sheet: FactSheet,
        *,
        agent: AgentId | None = None,
        interaction: InteractionId | None = None,
    ) -> Attempt:
        """The gate has allowed `sheet`: put it on record. `agent` and `interaction`: who waits for it, where somebody does."""
        step = self.step
        assert sheet.campaign is not None and sheet.trunk is not None and sheet.caller_id is not None
        leg = step.next_leg()
        attempt = Attempt(
            id=AttemptId(leg.uniqueid),
            campaign=sheet.campaign,
            mode=mode,
            lead=candidate.lead,
            sheet=sheet,
            leg=leg,
            interaction=step.next_number() if interaction is None else interaction,
            agent=agent,
            trunk=sheet.trunk,
            caller_id=sheet.caller_id.number,
            version=step.settings.content_hash,
            since=step.now,
        )
        command = step.emit(
            StoreAttempt(
                attempt=attempt.id,
                number=sheet.number,
                sheet=sheet,
                asked_by=agent or "",
                caller_id=attempt.caller_id,
                trunk=sheet.trunk,
                campaign=sheet.campaign,
                lead=candidate.lead.id,
                token=candidate.lead.token,
            )
        )
        attempt = replace(attempt, storing=command)
        step.put_attempt(attempt)
        step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, step.now.mono_s + STORE_S)
        return attempt

    def stored(self, event: AttemptStored) -> None:
        """It is on record, or not. The facts were read anew: what they say now decides."""
        step = self.step
        attempt = step.attempts.get(event.attempt)
        if attempt is None or attempt.storing != event.command:
            if event.end is StoreEnd.STORED and event.sheet is not None and attempt is None:
                # Nobody waits for it any more; it is not left open.
                self._store_unplaced(event.attempt, event.sheet)
            return
        attempt = self._put(replace(attempt, storing=None))
        if event.end is StoreEnd.STORED and event.sheet is not None:
            self._judge_again(attempt, event.sheet)
        elif event.end is StoreEnd.REFUSED:
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=NO_TRUNK_S)
        else:
            self.book.rest(attempt.campaign, RING_GUARD_S, "the database does not take the attempts")
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=0.0)

    def _judge_again(self, attempt: Attempt, fresh: FactSheet) -> None:
        config, now_utc_s = self.book.config_of(attempt), self.step.now.utc_s
        sheet = self.book.completed(attempt, fresh, self.trunking.facts_of(attempt.caller_id))
        verdict = judge(sheet, config.rules, now_utc_s)
        attempt = self._put(replace(attempt, sheet=sheet))
        if not isinstance(verdict, Refused):
            self._dial(attempt, config)
            return
        self.step.store(
            RefusalRecord(campaign=attempt.campaign, reason=verdict.reason.value, where=RefusedWhere.DIAL, at_utc_s=now_utc_s)
        )
        self.book.refused(attempt.campaign, {verdict.reason.value: 1}, verdict.says)
        again_s = None if verdict.until_utc_s is None and verdict.reason not in self.book.OF_THE_CAMPAIGN else NO_TRUNK_S
        if verdict.until_utc_s is not None:
            again_s = max(verdict.until_utc_s - now_utc_s, 0.0)
        self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=again_s)

    def _dial(self, attempt: Attempt, config: CampaignSettings) -> None:
        step, settings = self.step, self.step.settings
        dialing = settings.dialing
        trunk = dialing.trunks.get(attempt.trunk) if dialing is not None and attempt.trunk is not None else None
        if trunk is None or attempt.leg is None or attempt.trunk is None or attempt.interaction is None:
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=NO_TRUNK_S)
            return
        step.legs.put(
            attempt.leg,
            Leg(
                id=attempt.leg,
                role=Role.CALLEE,
                state=LegState.DIALLED,
                interaction=attempt.interaction,
                attempt=attempt.id,
                heard_s=step.now.mono_s,
            ),
        )
        interaction = step.interactions.get(attempt.interaction)
        if interaction is not None:
            self.ledger.put(replace(interaction, leg=attempt.leg))
        if attempt.dialled is None:
            self.book.tell(attempt.campaign, What.DIALED)
        self._put(replace(attempt, stage=AttemptStage.DIALLED, dialled=attempt.dialled or step.now))
        step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, step.now.mono_s + config.ring_s + 2 * RING_GUARD_S)
        self.trunking.dialled(attempt.trunk, attempt.caller_id)
        step.order(
            DialOut(
                leg=attempt.leg,
                interaction=attempt.interaction,
                to=PhoneId(f"PJSIP/{attempt.sheet.number}@{trunk.endpoint}"),
                number=attempt.caller_id,
                name="",
                ring_timeout_s=config.ring_s,
                place=Place.CALLEE,
                amd=amd_arguments(config.amd) if self.listens(config) else "",
                fallback=config.safe_harbour or SORRY,
                language=self._language(attempt),
            )
        )

    @staticmethod
    def listens(config: CampaignSettings) -> bool:
        """Whether answering machines are told from people."""
        return config.amd.use is not AmdUse.OFF

    def _language(self, attempt: Attempt) -> Language:
        known = attempt.lead.language
        settings = self.step.settings
        return known if known is not None and known in settings.language_skills else settings.default_language

    # --- while it rings -----------------------------------------------------------------------------------------------
    def rang(self, leg: Leg) -> None:
        attempt = self._of(leg)
        if attempt is not None:
            self.trunking.worked(attempt.trunk)

    def answered(self, leg: Leg) -> None:
        """Somebody, or something, has picked up. The leg is on its way to us."""
        attempt = self._of(leg)
        if attempt is None or attempt.stage is not AttemptStage.DIALLED or attempt.leg != leg.id:
            return
        now = self.step.now
        self.trunking.worked(attempt.trunk)
        self.book.tell(attempt.campaign, What.ANSWERED, age_s=self._age_s(attempt))
        self._put(replace(attempt, stage=AttemptStage.ANSWERED, answered=now))
        self.step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, now.mono_s + DETECTION_S)

    def dial_ended(self, leg: Leg) -> None:
        """The action that was to make the leg has failed. News of its channel may be on their way."""
        attempt = self._of(leg)
        if attempt is not None:
            self.step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, self.step.now.mono_s + NEWS_S)

    def leg_over(self, leg: Leg, cause: int, tech_cause: int, by: EndedBy | None) -> None:
        """The leg of a callee who has not come to us, or of a machine."""
        attempt = self._of(leg)
        if attempt is None or attempt.leg != leg.id:
            return
        config = self.book.config_of(attempt)
        if attempt.stage is AttemptStage.MESSAGE:
            self._over(attempt, AttemptOutcome.MACHINE, cause=cause)
        elif attempt.stage is AttemptStage.ANSWERED:
            self._answered_and_gone(attempt, config, cause, by)
        elif by is EndedBy.PBX or (cause == 0 and not leg.is_dial_over and not leg.is_cancelled):
            self._over(attempt, AttemptOutcome.UNKNOWN)
        elif attempt.trunk is not None and is_trunks_fault(leg, cause, tech_cause):
            self._hunt(attempt, config, cause, tech_cause)
        else:
            self._unanswered(attempt, leg, cause, tech_cause)

    def _hunt(self, attempt: Attempt, config: CampaignSettings, cause: int, tech_cause: int) -> None:
        """The trunk did not take it: no attempt was made. On with the next one."""
        assert attempt.trunk is not None
        self.trunking.failed(attempt.trunk, f"cause {cause}, SIP {tech_cause}" if tech_cause else f"cause {cause}")
        tried = (*attempt.tried, attempt.trunk)
        trunk, why = self.trunking.choose(attempt.sheet.number, config, tried)
        if trunk is None:
            self.book.rest(attempt.campaign, RING_GUARD_S, why)
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=NO_TRUNK_S, cause=cause)
        else:
            # A trunk may take long to say no, and what was lawful then need not be now.
            attempt = self._put(replace(attempt, trunk=trunk, tried=tried, leg=self.step.next_leg()))
            self._judge_again(attempt, attempt.sheet)

    def _unanswered(self, attempt: Attempt, leg: Leg, cause: int, tech_cause: int) -> None:
        outcome = unanswered(leg, cause, tech_cause)
        is_heard = leg.state is LegState.RINGING or outcome in (AttemptOutcome.BUSY, AttemptOutcome.REJECTED)
        is_doubted = not is_heard and attempt.trunk is not None and self.trunking.was_silent(attempt.trunk)
        if is_heard:
            self.trunking.worked(attempt.trunk)
        what = What.NO_ANSWER if outcome is AttemptOutcome.NO_ANSWER else What.FAILED
        self.book.tell(attempt.campaign, what, age_s=self._age_s(attempt))
        if is_doubted and outcome is AttemptOutcome.NO_SUCH_NUMBER:
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=DOUBTED_S, cause=cause)
        else:
            self._over(attempt, outcome, cause=cause)

    def _answered_and_gone(self, attempt: Attempt, config: CampaignSettings, cause: int, by: EndedBy | None) -> None:
        """Gone before it was known who it was. Where the daemon or the PBX was away meanwhile, they may have heard nobody."""
        assert attempt.answered is not None
        was_away = by is EndedBy.PBX or cause == 0
        if was_away or attempt.is_told:
            self._count(attempt, Counted.ABANDONED)
            self.book.tell(attempt.campaign, What.HUMAN, age_s=self._age_s(attempt))
            self.book.tell(attempt.campaign, What.ABANDONED)
            self._over(self.step.attempts[attempt.id], AttemptOutcome.ABANDONED, cause=cause)
            return
        if attempt.mode is Mode.AGENTLESS:
            # Nobody of ours was to be there: the message that they did not wait for was on its way.
            self.book.tell(attempt.campaign, What.HUMAN, age_s=self._age_s(attempt))
            self._over(attempt, AttemptOutcome.LEFT, cause=cause)
            return
        what = account.counted(
            config.rules,
            answered_s=attempt.answered.mono_s,
            greeting_end_s=None,
            connected_s=None,
            left_s=self.step.now.mono_s,
        )
        is_person = not self.listens(config) or what is Counted.ABANDONED
        self.book.tell(attempt.campaign, What.HUMAN if is_person else What.MACHINE, age_s=self._age_s(attempt))
        if what is Counted.ABANDONED:
            self.book.tell(attempt.campaign, What.ABANDONED)
        self._count(attempt, what)
        lost = what is Counted.ABANDONED
        self._over(self.step.attempts[attempt.id], AttemptOutcome.ABANDONED if lost else AttemptOutcome.LEFT, cause=cause)

    def told(self, leg: Leg) -> None:
        """The dialplan told a callee who called, since we did not answer it."""
        attempt = self._of(leg)
        if attempt is not None and attempt.stage is AttemptStage.ANSWERED:
            self._put(replace(attempt, is_told=True))

    # --- somebody is there --------------------------------------------------------------------------------------------
    def arrived(self, event: CallArrived, leg: Leg) -> None:
        """The callee's leg asks what to do."""
        step = self.step
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.CALLER)
        step.sessions.put(event.session, session)
        attempt = self._of(leg)
        leg = replace(leg, channel=event.channel, session=event.session, state=LegState.UP, unseen=0)
        step.legs.put(leg.id, leg)
        if attempt is None or attempt.leg != leg.id or leg.is_cancelled:
            step.end_session(EndSession(session=event.session, next=Next.HANG_UP))
            return
        if attempt.stage is AttemptStage.MESSAGE:
            self._speak_to_machine(attempt, leg)
            return
        if attempt.stage is AttemptStage.DIALLED:
            self.answered(leg)
            attempt = step.attempts[attempt.id]
        step.deadlines.clear(DeadlineKind.DIAL_GUARD, attempt.id)
        config = self.book.config_of(attempt)
        is_machine = event.heard is Heard.MACHINE
        machines = self.book.machine_answered(attempt.campaign) if is_machine else 0
        if is_machine and config.amd.use is AmdUse.ON and not self._is_confirmed(attempt, machines):
            self._machine(attempt, leg, config)
        else:
            self._person(self._put(replace(attempt, is_machine=is_machine)), leg, config)

    @staticmethod
    def _is_confirmed(attempt: Attempt, machines: int) -> bool:
        """Every so many of those who are taken for machines go to an agent, who says who is there: so it is known how many are people."""
        return attempt.mode is not Mode.AGENTLESS and machines % CONFIRMED_EVERY == 0

    def _machine(self, attempt: Attempt, leg: Leg, config: CampaignSettings) -> None:
        self._count(attempt, Counted.MACHINE)
        self.book.machine_hung_up_on(attempt.campaign)
        self.book.tell(attempt.campaign, What.MACHINE, age_s=self._age_s(attempt))
        attempt = self._put(replace(self.step.attempts[attempt.id], stage=AttemptStage.MESSAGE))
        self.step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, self.step.now.mono_s + MACHINE_S)
        if attempt.agent is not None:
            # Whoever waits for it need not wait on.
            self.step.tell(AttemptOver(attempt.id, attempt.interaction, is_reached=False))
        self._speak_to_machine(attempt, leg)

    def _speak_to_machine(self, attempt: Attempt, leg: Leg) -> None:
        """After the beep, where the lead allows it; else it is hung up on."""
        session, config = self.step.sessions.get(leg.session), self.book.config_of(attempt)
        if session is None:
            return
        if config.voicemail is None or not attempt.sheet.drops_voicemail:
            self.step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.BEEP))
        self.step.speak(AwaitSilence(session=session.id, silence_s=BEEP_SILENCE_S, timeout_s=BEEP_S))

    def prompt_ended(self, session: Session, leg: Leg) -> None:
        """The machine has beeped, or has heard it all."""
        attempt = self._of(leg)
        config = self.book.config_of(attempt) if attempt is not None else None
        if attempt is None or config is None or config.voicemail is None or session.dialogue is Dialogue.MACHINE:
            self.step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        self.step.sessions.put(session.id, replace(session, dialogue=Dialogue.MACHINE))
        say = (Spoken(SpokenKind.PROMPT, config.voicemail),)
        self.step.speak(Say(session=session.id, say=say, language=self._language(attempt)))

    def _person(self, attempt: Attempt, leg: Leg, config: CampaignSettings) -> None:
        """From here on they are a customer."""
        step = self.step
        step.legs.put(leg.id, replace(leg, role=Role.CALLER))
        self.book.tell(attempt.campaign, What.HUMAN, age_s=self._age_s(attempt))
        attempt = self._put(replace(attempt, stage=AttemptStage.PERSON, person=step.now))
        step.about = attempt.interaction
        if attempt.interaction is not None and attempt.interaction in step.interactions:
            # The agent who waits may be gone in this very moment.
            step.deadlines.set(DeadlineKind.CONNECT, attempt.id, max(self._due_s(attempt, config), step.now.mono_s))
            step.tell(CalleeAnswered(attempt.interaction))
            return
        interaction = self.ledger.notice(self._customer(attempt, leg, config), NoticeKind.ARRIVED)
        if attempt.mode is Mode.AGENTLESS or config.queue is None:
            if config.flow is None:
                self.callers.release(interaction)
            else:
                self.step.tell(CalleeAnswered(interaction.id))
            return
        step.deadlines.set(DeadlineKind.CONNECT, attempt.id, max(self._due_s(attempt, config), step.now.mono_s))
        self.queueing.enqueue(interaction, config.queue, rank=0)
        if not step.clockwork.is_linked:
            self.connect_due(step.attempts[attempt.id])
            return
        agent = self.book.whoever_is_kept(attempt.campaign)
        waiting = step.interactions[interaction.id]
        if agent is not None and waiting.can_be_offered():
            step.tell(OfferWanted(interaction.id, agent, f"kept for campaign {attempt.campaign}"))

    def _due_s(self, attempt: Attempt, config: CampaignSettings) -> float:
        """Until when an agent must be there (monotonic)."""
        assert attempt.answered is not None
        greeting_end_s = self._greeting_end_s(attempt, config)
        start_s = attempt.answered.mono_s
        if config.rules.clock_start is ClockStart.GREETING_END and greeting_end_s is not None:
            start_s = max(start_s, greeting_end_s)
        return start_s + config.rules.connect_s

    def _greeting_end_s(self, attempt: Attempt, config: CampaignSettings) -> float | None:
        """Where somebody listened: the silence by which the end is known has passed since."""
        if not self.listens(config) or attempt.person is None:
            return None
        return attempt.person.mono_s - config.amd.after_greeting_silence_ms / 1000.0

    def _customer(self, attempt: Attempt, leg: Leg, config: CampaignSettings) -> Interaction:
        assert attempt.interaction is not None
        is_menu = attempt.mode is Mode.AGENTLESS or config.queue is None
        return replace(
            self.prospect(attempt.interaction, attempt.campaign, config, Candidate(lead=attempt.lead, sheet=attempt.sheet)),
            state=InteractionState.MENU if is_menu else InteractionState.WAITING,
            leg=leg.id,
            did=attempt.caller_id,
            priority=FIRST_OF_ALL,
            outbound=Outbound(campaign=attempt.campaign, attempt=attempt.id, is_reached=True),
        )

    def prospect(self, number: InteractionId, campaign: str, config: CampaignSettings, candidate: Candidate) -> Interaction:
        """An interaction with whom a campaign calls, without a leg."""
        step, lead = self.step, candidate.lead
        known = lead.language is not None and lead.language in step.settings.language_skills
        return Interaction(
            id=number,
            kind=OUTBOUND,
            state=InteractionState.WAITING,
            leg=None,
            did="",
            caller_number=candidate.sheet.number,
            caller_name=lead.name,
            language=lead.language if known and lead.language is not None else step.settings.default_language,
            version=step.settings.content_hash,
            arrived=step.now,
            menu_since=step.now,
            needs=config.skills,
            is_answered=True,
            data={
                "campaign": str(campaign),
                "lead": str(lead.id),
                "lead_name": lead.name,
                **{f"lead_{name}": value for name, value in lead.fields.items()},
            },
        )

    # --- an agent is there, or is not ---------------------------------------------------------------------------------
    def connected(self, interaction: Interaction) -> None:
        """A talk with an agent has begun."""
        attempt = self._of_interaction(interaction)
        if attempt is None or attempt.answered is None or attempt.is_counted:
            return
        self.step.deadlines.clear(DeadlineKind.CONNECT, attempt.id)
        config = self.book.config_of(attempt)
        what = account.counted(
            config.rules,
            answered_s=attempt.answered.mono_s,
            greeting_end_s=self._greeting_end_s(attempt, config),
            connected_s=self.step.now.mono_s,
            left_s=None,
        )
        self._count(attempt, what)
        self.book.tell(attempt.campaign, What.CONNECTED)

    def connect_due(self, attempt: Attempt) -> None:
        """Whoever answered has waited for as long as the rules allow. One who is just being joined is not sent away."""
        step = self.step
        interaction = step.interactions.get(attempt.interaction)
        if interaction is None or interaction.visit is None or interaction.outbound is None:
            return
        if attempt.is_counted and not interaction.outbound.is_given_up:
            return
        config = self.book.config_of(attempt)
        is_patience_over = self._is_patience_over(attempt, interaction, config)
        is_joined = interaction.joining is not None or self._is_being_joined(interaction)
        # Without a link and a session they are on their way to an agent, or with one: who comes back is told.
        is_away = not step.clockwork.is_linked and step.caller_session(interaction) is None
        if is_away or (is_joined and not is_patience_over):
            step.deadlines.set(DeadlineKind.CONNECT, attempt.id, step.now.mono_s + JOIN_S)
            return
        step.about = interaction.id
        if not attempt.is_counted:
            self._count(attempt, Counted.ABANDONED, is_told=config.safe_harbour is not None)
            self.book.tell(attempt.campaign, What.ABANDONED)
            self._put(replace(step.attempts[attempt.id], is_told=True))
            self._withdraw(interaction)
            interaction = step.interactions[interaction.id]
        if interaction.offers and interaction.outbound is not None and step.clockwork.is_linked and not is_patience_over:
            # Their phones are hung up first; nobody else is rung.
            self.ledger.put(replace(interaction, outbound=replace(interaction.outbound, is_given_up=True)))
            step.deadlines.set(DeadlineKind.CONNECT, attempt.id, step.now.mono_s + QUIET_S)
            return
        interaction = self.ledger.end_visit(interaction, VisitOutcome.ABANDONED)
        state = advance(INTERACTION, interaction.state, InteractionStep.RELEASE)
        if interaction.offers:
            # Of an agent who was to be joined and was not: the leg is waited for like any other that has to end.
            step.deadlines.clear(DeadlineKind.JOIN, interaction.id)
            interaction = replace(interaction, joining=None)
            step.deadlines.set(DeadlineKind.RING_GUARD, interaction.id, step.now.mono_s + RING_GUARD_S)
        after = After(kind=AfterKind.OPT_OUT, target=config.opt_out_key)
        interaction = self.ledger.put(
            replace(interaction, state=state, ended_by=EndedBy.SYSTEM, outcome=Outcome.ABANDONED, after=after)
        )
        step.deadlines.set(DeadlineKind.LEAVE, interaction.id, step.now.mono_s + LEAVE_S + MACHINE_S)
        session = step.caller_session(interaction)
        if session is None:
            return
        say = (Spoken(SpokenKind.PROMPT, config.safe_harbour),) if config.safe_harbour is not None else ()
        step.speak(
            Collect(
                session=session,
                say=say,
                language=interaction.language,
                max_digits=1,
                first_timeout_s=OPT_OUT_S,
                next_timeout_s=OPT_OUT_S,
                terminator="",
                complete=(config.opt_out_key,),
            )
        )

    def _is_being_joined(self, interaction: Interaction) -> bool:
        """Whether an agent's phone was picked up, and the dialplan joins the two."""
        legs = self.step.legs
        customer = legs.get(interaction.leg)
        if customer is not None and customer.bridge is not None:
            return True
        phones = (legs.get(offer.leg) for offer in interaction.offers if offer.ends_as is None)
        return any(
            leg is not None
            and leg.role is Role.AGENT
            and leg.state is LegState.UP
            and not (leg.is_parked or leg.is_cancelled)
            and leg.session not in self.step.sessions
            for leg in phones
        )

    def _is_patience_over(self, attempt: Attempt, interaction: Interaction, config: CampaignSettings) -> bool:
        """Whether a join that is still not there, or a phone that is still not quiet, has taken so long that they are told in any case:
        they are in a session yet, and hear nobody."""
        now_s, lost_s = self.step.now.mono_s, self.step.clockwork.unlinked_since_s
        if self.step.caller_session(interaction) is None:
            return False
        if not self.step.clockwork.is_linked:
            return lost_s is None or lost_s + JOIN_S <= now_s
        return self._due_s(attempt, config) + PATIENCE_S <= now_s

    def untold_at_s(self) -> float | None:
        """When somebody who answered and waits in a session has waited for long enough. That is so without a PBX as with one."""
        return min((due_s for due_s, _ in self._untold()), default=None)

    def tell_untold(self) -> None:
        """Those of whom that is so now."""
        for due_s, attempt in list(self._untold()):
            if due_s <= self.step.now.mono_s:
                self.step.deadlines.clear(DeadlineKind.CONNECT, attempt.id)
                self.connect_due(attempt)

    def _untold(self) -> Iterator[tuple[float, Attempt]]:
        for attempt in self.step.attempts.values():
            due_s = self.step.deadlines.table.get((DeadlineKind.CONNECT, str(attempt.id)))
            interaction = self.step.interactions.get(attempt.interaction)
            if due_s is not None and interaction is not None and self.step.caller_session(interaction) is not None:
                yield due_s, attempt

    def link_lost(self) -> None:
        """Nobody can be joined with whoever waits: they hear who called, and are not kept in the dark until the link is there again."""
        for attempt in self.step.attempts.values():
            if attempt.stage is AttemptStage.PERSON and attempt.mode is not Mode.AGENTLESS:
                self.connect_due(attempt)

    def opted_out(self, interaction: Interaction, after: After, digits: str) -> None:
        """The message is over; the key ends all calls to this number."""
        interaction = self.ledger.put(replace(interaction, after=None))
        if digits != after.target or not interaction.caller_number:
            self.callers.release(interaction)
            return
        self._do_not_call(interaction.caller_number, DoNotCallSource.KEYPAD, "", interaction.id)
        self.callers.say(interaction, (prompt("cc-removed"),), After(kind=AfterKind.LEAVE))

    # --- the end --------------------------------------------------------------------------------------------------------
    def interaction_over(self, fact: OutboundOver) -> None:
        """Nobody works on it any more."""
        attempt = self.step.attempts.get(fact.attempt)
        if attempt is None:
            return
        if attempt.stage in ON_THE_WAY:
            # After a fault: nobody waits for it any more, and whoever answers all the same is a call of their own.
            self.cancel(self._put(replace(attempt, agent=None, interaction=self.step.next_number())))
            return
        if attempt.stage is AttemptStage.MESSAGE:
            return  # the agent need not wait on; the call to the machine has an end of its own
        config = self.book.config_of(attempt)
        if attempt.answered is not None and attempt.mode is not Mode.AGENTLESS and not attempt.is_counted:
            what = account.counted(
                config.rules,
                answered_s=attempt.answered.mono_s,
                greeting_end_s=self._greeting_end_s(attempt, config),
                connected_s=None,
                left_s=fact.ended_s,
            )
            self._count(attempt, what)
            attempt = self.step.attempts[attempt.id]
            if what is Counted.ABANDONED:
                self.book.tell(attempt.campaign, What.ABANDONED)
                attempt = self._put(replace(attempt, is_told=True))
        self._settle_talk(attempt, fact)

    def _settle_talk(self, attempt: Attempt, fact: OutboundOver) -> None:
        known = self.step.settings.dispositions.get(fact.disposition) if fact.disposition is not None else None
        means = known.means if known is not None else DispositionMeaning.NOTHING
        if attempt.is_machine and known is not None:
            self.book.confirmed(attempt.campaign, is_person=means is not DispositionMeaning.MACHINE)
        if fact.agent is None and attempt.mode is not Mode.AGENTLESS:
            outcome = AttemptOutcome.ABANDONED if attempt.is_told else AttemptOutcome.LEFT
        elif means is DispositionMeaning.MACHINE or (attempt.is_machine and known is None):
            outcome = AttemptOutcome.MACHINE
        else:
            outcome = AttemptOutcome.ANSWERED
        if means is DispositionMeaning.DO_NOT_CALL:
            self._do_not_call(fact.number, DoNotCallSource.DISPOSITION, fact.agent or "", fact.interaction)
        self._over(attempt, outcome, talk=fact, means=means)

    def _do_not_call(self, number: str, source: DoNotCallSource, by: str, interaction: InteractionId) -> None:
        """Never again, in no campaign."""
        if number:
            self.step.store(
                DoNotCallRecord(
                    number=number,
                    campaign=None,
                    source=source,
                    at_utc_s=self.step.now.utc_s,
                    by=by,
                    interaction=interaction,
                )
            )

    def _over(
        self,
        attempt: Attempt,
        outcome: AttemptOutcome,
        *,
        cause: int | None = None,
        again_s: float | None = None,
        talk: OutboundOver | None = None,
        means: DispositionMeaning = DispositionMeaning.NOTHING,
    ) -> None:
        """The record that settles it. `again_s`: of one that was NOT_PLACED; all others go by the campaign's rules."""
        step, now_utc_s = self.step, self.step.now.utc_s
        config = self.book.config_of(attempt)
        promised_utc_s = talk.callback_utc_s if talk is not None else None
        is_promise_kept = promised_utc_s is None and _is_kept_callback(attempt, outcome)
        own = talk.agent if talk is not None and talk.is_own else None
        again_utc_s = now_utc_s + again_s if again_s is not None else None
        if outcome is not AttemptOutcome.NOT_PLACED:
            again_utc_s = promised_utc_s or self._again(attempt, config, outcome, talk, means)
        step.store(
            AttemptRecord(
                attempt=attempt.id,
                campaign=attempt.campaign,
                lead=attempt.lead.id,
                number=attempt.sheet.number,
                outcome=outcome,
                ended_utc_s=now_utc_s,
                again_utc_s=again_utc_s,
                is_callback=promised_utc_s is not None or is_promise_kept,
                only=attempt.lead.only if is_promise_kept else own,
                is_number_wrong=means is DispositionMeaning.WRONG_NUMBER,
                is_refusal=means is DispositionMeaning.REFUSED,
                is_success=means is DispositionMeaning.SUCCESS,
                cause=cause,
                placed_utc_s=attempt.dialled.utc_s if attempt.dialled is not None else None,
                answered_utc_s=attempt.answered.utc_s if attempt.answered is not None else None,
                trunk=attempt.trunk,
                caller_id=attempt.caller_id,
                agent=talk.agent if talk is not None else attempt.agent,
                interaction=talk.interaction if talk is not None else None,
                disposition=talk.disposition if talk is not None else None,
                talk_s=talk.talk_s if talk is not None else 0.0,
                wrap_up_s=attempt.wrap_up_s,
            )
        )
        for kind in (DeadlineKind.DIAL_GUARD, DeadlineKind.CONNECT):
            step.deadlines.clear(kind, attempt.id)
        step.attempts.drop(attempt.id)
        step.touched_campaigns[attempt.campaign] = None
        self.book.settled(attempt, outcome)
        if talk is None:
            step.tell(AttemptOver(attempt.id, attempt.interaction, is_reached=False))

    def _again(
        self,
        attempt: Attempt,
        config: CampaignSettings,
        outcome: AttemptOutcome,
        talk: OutboundOver | None,
        means: DispositionMeaning,
    ) -> float | None:
        """When the lead is dialled again; None: never."""
        now_utc_s = self.step.now.utc_s
        if outcome is AttemptOutcome.NO_SUCH_NUMBER or means is DispositionMeaning.WRONG_NUMBER:
            return now_utc_s if len(attempt.lead.sheets) > 1 else None
        entered, retried = talk.disposition if talk is not None else None, RETRIED.get(outcome)
        if entered is not None and entered in config.retry_dispositions:
            rule, made = config.retry_dispositions.get(entered), attempt.lead.dispositions.get(entered, 0) + 1
        else:
            rule = config.retry.get(retried) if retried is not None else None
            made = attempt.lead.outcomes.get(outcome.value, 0) + 1
        return now_utc_s + rule.after_s if rule is not None and made < rule.tries else None

    def _store_unplaced(self, attempt: AttemptId, sheet: FactSheet) -> None:
        self.step.store(
            AttemptRecord(
                attempt=attempt,
                campaign=sheet.campaign,
                lead=None,
                number=sheet.number,
                outcome=AttemptOutcome.NOT_PLACED,
                ended_utc_s=self.step.now.utc_s,
                again_utc_s=self.step.now.utc_s + NO_TRUNK_S,
            )
        )

    # --- what did not come ----------------------------------------------------------------------------------------------
    def guard_reached(self, attempt: Attempt) -> None:
        """What its stage waits for did not come."""
        leg = self.step.legs.get(attempt.leg)
        if attempt.stage is AttemptStage.STORING:
            self.book.rest(attempt.campaign, RING_GUARD_S, "the database does not answer")
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=NO_TRUNK_S)
        elif leg is None:
            self._over(attempt, AttemptOutcome.UNKNOWN)
        elif leg.is_dial_over and leg.state is LegState.DIALLED:
            self.step.legs.drop(leg.id)
            self.leg_over(leg, 0, 0, None)
        else:
            # Its end comes by an event, or the next observation shows that there is nothing.
            self.step.hang_up(leg.id)
            self.step.deadlines.set(DeadlineKind.DIAL_GUARD, attempt.id, self.step.now.mono_s + DETECTION_S)

    def center_started(self) -> None:
        """A new process: what was not told as stored was never dialled."""
        for attempt in self.step.attempts.values():
            if attempt.stage is AttemptStage.STORING:
                self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=0.0)

    def cancel(self, attempt: Attempt) -> None:
        """Nobody is to be called any more: the agent who waited is gone."""
        if attempt.stage is AttemptStage.STORING:
            self._over(attempt, AttemptOutcome.NOT_PLACED, again_s=0.0)
        elif attempt.stage in ON_THE_WAY:
            self.step.hang_up(attempt.leg)

    # --- small things -----------------------------------------------------------------------------------------------------
    def wrapped_up(self, interaction: Interaction, spent_s: float) -> None:
        attempt = self._of_interaction(interaction)
        if attempt is not None:
            self._put(replace(attempt, wrap_up_s=attempt.wrap_up_s + spent_s))

    def _count(self, attempt: Attempt, what: Counted, *, is_told: bool = False) -> None:
        answered = attempt.answered or self.step.now
        self.book.count(attempt.campaign, what, answered.utc_s, is_told=is_told or attempt.is_told)
        self._put(replace(attempt, is_counted=True))

    def _age_s(self, attempt: Attempt) -> float:
        return self.step.now.mono_s - attempt.dialled.mono_s if attempt.dialled is not None else 0.0

    def _of(self, leg: Leg) -> Attempt | None:
        return self.step.attempts.get(leg.attempt)

    def _of_interaction(self, interaction: Interaction) -> Attempt | None:
        return self.step.attempts.get(interaction.outbound.attempt) if interaction.outbound is not None else None

    def _put(self, attempt: Attempt) -> Attempt:
        self.step.put_attempt(attempt)
        return attempt


RETRIED = {
    AttemptOutcome.BUSY: Retried.BUSY,
    AttemptOutcome.NO_ANSWER: Retried.NO_ANSWER,
    AttemptOutcome.REJECTED: Retried.REJECTED,
    AttemptOutcome.CONGESTION: Retried.CONGESTION,
    AttemptOutcome.CANCELLED: Retried.CANCELLED,
    AttemptOutcome.MACHINE: Retried.MACHINE,
    AttemptOutcome.ABANDONED: Retried.ABANDONED,
    AttemptOutcome.LEFT: Retried.ABANDONED,
    AttemptOutcome.UNKNOWN: Retried.UNKNOWN,
}
"""The rule for another try, by what came of the last one."""


def unanswered(leg: Leg, cause: int, tech_cause: int) -> AttemptOutcome:
    """What the end of a leg means that nobody answered. Q.850 causes; SIP's final code where it is known."""
    if leg.is_cancelled:
        return AttemptOutcome.CANCELLED
    if cause == 17 or tech_cause in (486, 600):
        return AttemptOutcome.BUSY
    if cause == 21 or tech_cause in (603, 607, 608):
        return AttemptOutcome.REJECTED
    if leg.state is LegState.RINGING or tech_cause in (408, 480, 487):
        return AttemptOutcome.NO_ANSWER
    if cause in (1, 22, 28) or tech_cause in (404, 410, 484, 604):
        return AttemptOutcome.NO_SUCH_NUMBER
    return AttemptOutcome.NO_ANSWER if cause in (18, 19, 20) else AttemptOutcome.CONGESTION


def came_to(leg: Leg, cause: int, tech_cause: int, by: EndedBy | None) -> AttemptOutcome:
    """What the end of a leg means whose callee did not come to us, where there is one trunk and no campaign."""
    if by is EndedBy.PBX or (cause == 0 and not leg.is_dial_over and not leg.is_cancelled):
        return AttemptOutcome.UNKNOWN
    if leg.state is LegState.UP:
        return AttemptOutcome.LEFT
    return AttemptOutcome.NOT_PLACED if is_trunks_fault(leg, cause, tech_cause) else unanswered(leg, cause, tech_cause)


def amd_arguments(amd: AmdSettings) -> str:
    """The arguments of Asterisk's AMD()."""
    return ",".join(
        str(each)
        for each in (
            amd.initial_silence_ms,
            amd.greeting_ms,
            amd.after_greeting_silence_ms,
            amd.total_analysis_ms,
            amd.min_word_ms,
            amd.between_words_silence_ms,
            amd.max_words,
            amd.silence_threshold,
            amd.max_word_ms,
        )
    )


def _is_kept_callback(attempt: Attempt, outcome: AttemptOutcome) -> bool:
    """Whether a promised call is still owed: it came to nothing."""
    is_promised = attempt.lead.callback_utc_s is not None
    return is_promised and outcome not in (AttemptOutcome.ANSWERED, AttemptOutcome.NO_SUCH_NUMBER)

"""Calls that phones make by themselves: whether they may, and what is kept of them.

The dialplan asks before it dials (`OwnCallDialled`), and dials by itself once it may. While such a call lasts, its agent is
shown as on an own call and is offered nothing. Where outbound calls are in the settings, a call outside passes the law's gate first, and
is on record as an attempt before the dialplan dials (`permits`); what came of it the dialplan tells at its end. Internal calls and
emergencies never wait for anything. An agent's number follows the account: it reaches the phone the agent is logged in at.
"""

from collections.abc import Mapping

from ccserver.core import idle_clock, permits, service_class
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import AnswerCall, EndSession, Next, Say
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.verdict import Allowed, Refused
from ccserver.core.events import AttemptStored, EmergencyDialled, OwnCallDialled, OwnDialEnded
from ccserver.core.ids import AgentId, AttemptId, LegId, PhoneId, PromptId, SessionId
from ccserver.core.records import AttemptOutcome, AuditRecord, DialKind, NoticeKind, NoticeRecord, OwnCallRecord
from ccserver.core.service_class import Verdict
from ccserver.core.settings import NumberKind, PhoneKind, Spoken, SpokenKind
from ccserver.core.state import Agent, DeadlineKind, Dialogue, Leg, OwnCall, Role, Session, SoleAttempt
from ccserver.core.step import Step
from ccserver.core.transitions import LegState

NOT_OURS = Verdict(False, PromptId("cc-not-allowed"), "the phone is not one of the settings' phones")
NOT_THERE = Verdict(False, PromptId("cc-agent-not-there"), "the agent is not logged in")


class OwnCalls:
    """Permits, follows and tells phones' own calls."""

    def __init__(self, step: Step, agents: Agents) -> None:
        self.step = step
        self.agents = agents

    def dialled(self, event: OwnCallDialled) -> None:
        """A phone asks. The answer is the end of its session: dial (where to, if not as dialled), or a prompt and no call."""
        step, agent = self.step, self._agent_at(event.phone)
        leg = Leg(
            id=event.leg,
            role=Role.OWN,
            state=LegState.UP,
            channel=event.channel,
            agent=agent,
            phone=event.phone,
            session=event.session,
            heard_s=step.now.mono_s,
        )
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.LAST_WORDS, agent=agent)
        step.sessions.put(session.id, session)
        if event.leg in step.hung_up:
            step.end_session(EndSession(session=session.id, next=Next.HANG_UP))
            return
        step.legs.put(leg.id, leg)
        if event.phone is None or event.phone not in step.settings.phones:
            self._refuse(session, NOT_OURS.prompt)
            return
        call = OwnCall(leg=leg.id, phone=event.phone, agent=agent, to=event.to, kind=event.kind, since=step.now)
        verdict = service_class.may_call(step, agent, event.kind)
        extension = self._phone_of_agent(event.number) if event.kind is NumberKind.INTERNAL else ""
        if verdict.is_allowed and extension is None:
            verdict = NOT_THERE
        dialing = step.settings.dialing if event.kind is not NumberKind.INTERNAL else None
        if extension is None or not verdict.is_allowed:
            self._store(replace(call, is_permitted=False))
            self._refuse(session, verdict.prompt)
        elif dialing is not None:
            sheet = permits.own_call(step, dialing, event.number)
            attempt = permits.ask(step, sheet, leg.id, AttemptId(step.next_leg().uniqueid), agent or event.phone)
            self._begin(replace(call, attempt=attempt, is_permitted=False))
            step.deadlines.set(DeadlineKind.OWN_CALL_FACTS, session.id, step.now.mono_s + permits.ANSWER_S)
        else:
            self._begin(call)
            service_class.count(step, call.agent, call.kind)
            step.end_session(EndSession(session=session.id, next=Next.DIAL, extension=extension))

    # --- the law's gate -----------------------------------------------------------------------------------------------
    def attempt_stored(self, event: AttemptStored) -> bool:
        """It is on record, or not. False: it belongs to no call. Told too late, it leaves the call as it is."""
        call = next((c for c in self.step.own_calls.values() if c.attempt is not None and c.attempt.id == event.attempt), None)
        if call is None or call.attempt is None:
            return False
        if call.attempt.storing == event.command:
            self._decide(call, call.attempt, permits.judge(self.step, event), event.sheet)
        return True

    def facts_due(self, session_id: SessionId) -> None:
        """Nothing was told in time: nobody is called on a guess."""
        session = self.step.sessions.get(session_id)
        call = self.step.own_calls.get(session.leg) if session is not None else None
        if call is not None and call.attempt is not None and call.attempt.storing is not None:
            self._decide(call, call.attempt, permits.NO_ANSWER, None)

    def session_over(self, session: Session) -> None:
        """The phone has hung up, or the daemon was away: the dialplan goes on by its own rule for that."""
        call = self.step.own_calls.get(session.leg)
        if call is not None and call.attempt is not None and call.attempt.storing is not None:
            self.step.own_calls.put(call.leg, replace(call, attempt=self._asked(session.id, call.attempt)))

    def _asked(self, session: SessionId | None, attempt: SoleAttempt) -> SoleAttempt:
        if session is not None:
            self.step.deadlines.clear(DeadlineKind.OWN_CALL_FACTS, session)
        return permits.asked(self.step, attempt)

    def _decide(self, call: OwnCall, attempt: SoleAttempt, verdict: Allowed | Refused, sheet: FactSheet | None) -> None:
        step, leg = self.step, self.step.legs[call.leg]
        session = step.sessions[leg.session] if leg.session is not None else None
        assert session is not None, "session_over ends the asking"
        attempt = self._asked(session.id, attempt)
        if isinstance(verdict, Allowed):
            shown = sheet.caller_id.number if sheet is not None and sheet.caller_id is not None else ""
            attempt = replace(attempt, placed_utc_s=step.now.utc_s)
            step.own_calls.put(call.leg, replace(call, attempt=attempt, is_permitted=True))
            service_class.count(step, call.agent, call.kind)
            step.end_session(EndSession(session=session.id, next=Next.DIAL, shown=shown))
            return
        self._store(call)
        permits.settle(step, attempt, AttemptOutcome.NOT_PLACED, agent=call.agent)
        permits.refused(step, verdict, DialKind.OWN_CALL, attempt.number, agent=call.agent, phone=call.phone)
        self._notice(
            NoticeKind.DIAL_REFUSED,
            agent=call.agent,
            phone=call.phone,
            data={"to": call.to, "reason": verdict.reason.value, "says": verdict.says},
        )
        step.own_calls.drop(call.leg)
        agent = step.agents.get(call.agent)
        if agent is not None and agent.own_call == call.leg:
            step.put_agent(replace(agent, own_call=self._other_of(agent)))
        self._refuse(session, permits.words(verdict))

    def dial_ended(self, event: OwnDialEnded) -> None:
        """The dialplan had dialled, and tells what came of it: the phone's leg ends next."""
        call, leg = self.step.own_calls.get(event.leg), self.step.legs.get(event.leg)
        if call is None or call.attempt is None or leg is None:
            return
        outcome, attempt = permits.outcome_of(event.end, event.cause), self._asked(leg.session, call.attempt)
        if outcome is AttemptOutcome.ANSWERED:
            attempt = replace(attempt, answered_utc_s=self.step.now.utc_s - event.talk_s)
        permits.settle(self.step, attempt, outcome, agent=call.agent, cause=event.cause, talk_s=event.talk_s)
        self.step.own_calls.put(call.leg, replace(call, attempt=None))

    def into_conference(self, leg: LegId, phone: PhoneId, number: str) -> None:
        """A phone goes into a conference: while it is there, its agent is on a call of their own."""
        agent, kind = self._agent_at(phone), NumberKind.INTERNAL
        self._begin(OwnCall(leg=leg, phone=phone, agent=agent, to=number, kind=kind, since=self.step.now))

    def leg_over(self, leg: Leg, *, is_lost: bool) -> None:
        """The call is over, however it ended. `is_lost`: nobody knows what came of what it had dialled."""
        call = self.step.own_calls.get(leg.id)
        if call is None:
            return
        self.step.own_calls.drop(leg.id)
        if call.attempt is not None:
            attempt = self._asked(leg.session, call.attempt)
            is_unknown = is_lost or attempt.placed_utc_s is not None
            outcome = AttemptOutcome.UNKNOWN if is_unknown else AttemptOutcome.NOT_PLACED
            permits.settle(self.step, attempt, outcome, agent=call.agent)
        self._store(call)
        agent = self.step.agents.get(call.agent)
        if agent is not None and agent.own_call == leg.id:
            if call.is_permitted:
                agent = idle_clock.after_own_call(agent, call.kind, self.step.settings, self.step.now.mono_s)
            self.step.put_agent(replace(agent, own_call=self._other_of(agent)))

    def _other_of(self, agent: Agent) -> LegId | None:
        """Another call of their phone, if there is one."""
        return next((c.leg for c in self.step.own_calls.values() if c.agent == agent.id and c.phone == agent.phone), None)

    def emergency(self, event: EmergencyDialled) -> None:
        """Somebody calls for help, and is being put through: whoever has to know is told at once."""
        step, agent = self.step, self._agent_at(event.phone)
        who = f"agent {agent}" if agent is not None else f"phone {event.phone}" if event.phone is not None else "unknown phone"
        self._notice(NoticeKind.EMERGENCY, agent=agent, phone=event.phone, data={"to": event.to})
        step.store(AuditRecord(by=who, act="emergency_call", what=event.to, is_done=True, at_utc_s=step.now.utc_s, agent=agent))

    # --- inside -------------------------------------------------------------------------------------------------------
    def _notice(self, kind: NoticeKind, *, agent: AgentId | None, phone: PhoneId | None, data: Mapping[str, str]) -> None:
        self.step.store(
            NoticeRecord(
                interaction=None,
                number=0,
                kind=kind,
                at_utc_s=self.step.now.utc_s,
                caller_number=None,
                caller_name="",
                did="",
                language=self.step.settings.default_language,
                queue=None,
                agent=agent,
                phone=phone,
                data=data,
            )
        )

    def _agent_at(self, phone: PhoneId | None) -> AgentId | None:
        agent = self.agents.at_phone(phone) if phone is not None else None
        return agent.id if agent is not None else None

    def _phone_of_agent(self, number: str) -> str | None:
        """The extension to dial for an internal number: "" as dialled, None when the agent it belongs to is nowhere."""
        settings = self.step.settings
        if number not in settings.agents:
            return ""
        phone = settings.phones.get(self.agents.get(AgentId(number)).phone or PhoneId(""))
        if phone is not None and phone.kind is not PhoneKind.EXTERNAL:
            return phone.number
        # The number of a logged-out agent may be a phone's as well.
        return "" if any(p.number == number for p in settings.phones.values()) else None

    def _begin(self, call: OwnCall) -> None:
        step = self.step
        step.own_calls.put(call.leg, call)
        agent = step.agents.get(call.agent)
        if agent is not None and agent.own_call is None:
            step.put_agent(replace(agent, own_call=call.leg))

    def _refuse(self, session: Session, prompt: PromptId) -> None:
        say = (Spoken(SpokenKind.PROMPT, prompt),)
        # A phone that has not been answered plays its own ringing tone and not what we say.
        self.step.order(AnswerCall(session=session.id))
        self.step.speak(Say(session=session.id, say=say, language=self.agents.language_of(session.agent)))

    def _store(self, call: OwnCall) -> None:
        now = self.step.now
        self.step.store(
            OwnCallRecord(
                agent=call.agent,
                phone=call.phone,
                leg=call.leg,
                to=call.to,
                kind=call.kind,
                is_allowed=call.is_permitted,
                started_utc_s=call.since.utc_s,
                duration_s=now.mono_s - call.since.mono_s,
            )
        )

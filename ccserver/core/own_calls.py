"""Calls that phones make by themselves: whether they may, and what is kept of them.

The dialplan asks before it dials (`OwnCallDialled`), and dials by itself once it may. While such a call lasts, its agent is
shown as on an own call and is offered nothing. An agent's number follows the account: it reaches the phone the agent is logged in at.
"""

from ccserver.core import idle_clock, service_class
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import AnswerCall, EndSession, Next, Say
from ccserver.core.events import EmergencyDialled, OwnCallDialled
from ccserver.core.ids import AgentId, LegId, PhoneId, PromptId
from ccserver.core.records import AuditRecord, NoticeKind, NoticeRecord, OwnCallRecord
from ccserver.core.service_class import Verdict
from ccserver.core.settings import NumberKind, PhoneKind, Spoken, SpokenKind
from ccserver.core.state import Dialogue, Leg, OwnCall, Role, Session
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
            self._refuse(session, NOT_OURS)
            return
        call = OwnCall(leg=leg.id, phone=event.phone, agent=agent, to=event.to, kind=event.kind, since=step.now)
        verdict = service_class.may_call(step, agent, event.kind)
        extension = self._phone_of_agent(event.number) if event.kind is NumberKind.INTERNAL else ""
        if verdict.is_allowed and extension is None:
            verdict = NOT_THERE
        if extension is None or not verdict.is_allowed:
            self._store(call, is_allowed=False)
            self._refuse(session, verdict)
        else:
            self._begin(call)
            step.end_session(EndSession(session=session.id, next=Next.DIAL, extension=extension))

    def into_conference(self, leg: LegId, phone: PhoneId, number: str) -> None:
        """A phone goes into a conference: while it is there, its agent is on a call of their own."""
        agent, kind = self._agent_at(phone), NumberKind.INTERNAL
        self._begin(OwnCall(leg=leg, phone=phone, agent=agent, to=number, kind=kind, since=self.step.now))

    def leg_over(self, leg: Leg) -> None:
        """The call is over, however it ended."""
        call = self.step.own_calls.get(leg.id)
        if call is None:
            return
        self.step.own_calls.drop(leg.id)
        self._store(call, is_allowed=True)
        agent = self.step.agents.get(call.agent)
        if agent is not None and agent.own_call == leg.id:
            agent = idle_clock.after_own_call(agent, call.kind, self.step.settings, self.step.now.mono_s)
            other = next((c.leg for c in self.step.own_calls.values() if c.agent == agent.id and c.phone == agent.phone), None)
            self.step.put_agent(replace(agent, own_call=other))

    def emergency(self, event: EmergencyDialled) -> None:
        """Somebody calls for help, and is being put through: whoever has to know is told at once."""
        step, agent = self.step, self._agent_at(event.phone)
        who = f"agent {agent}" if agent is not None else f"phone {event.phone}" if event.phone is not None else "unknown phone"
        step.store(
            NoticeRecord(
                interaction=None,
                number=0,
                kind=NoticeKind.EMERGENCY,
                at_utc_s=step.now.utc_s,
                caller_number=None,
                caller_name="",
                did="",
                language=step.settings.default_language,
                queue=None,
                agent=agent,
                phone=event.phone,
                data={"to": event.to},
            )
        )
        step.store(AuditRecord(by=who, act="emergency_call", what=event.to, is_done=True, at_utc_s=step.now.utc_s, agent=agent))

    # --- inside -------------------------------------------------------------------------------------------------------
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
        service_class.count(step, call.agent, call.kind)
        step.own_calls.put(call.leg, call)
        agent = step.agents.get(call.agent)
        if agent is not None and agent.own_call is None:
            step.put_agent(replace(agent, own_call=call.leg))

    def _refuse(self, session: Session, verdict: Verdict) -> None:
        say = (Spoken(SpokenKind.PROMPT, verdict.prompt),)
        # A phone that has not been answered plays its own ringing tone and not what we say.
        self.step.order(AnswerCall(session=session.id))
        self.step.speak(Say(session=session.id, say=say, language=self.agents.language_of(session.agent)))

    def _store(self, call: OwnCall, *, is_allowed: bool) -> None:
        now = self.step.now
        self.step.store(
            OwnCallRecord(
                agent=call.agent,
                phone=call.phone,
                leg=call.leg,
                to=call.to,
                kind=call.kind,
                is_allowed=is_allowed,
                started_utc_s=call.since.utc_s,
                duration_s=now.mono_s - call.since.mono_s,
            )
        )

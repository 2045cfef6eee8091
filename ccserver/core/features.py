"""What agents do from the keypad: feature codes, each a short dialogue of an AGI session.

The code is matched as the longest one that begins the dialled digits; what follows is its argument, so `*131` is "not ready, reason
1" at once and `*13` asks for the reason. Everything is answered by a prompt, refusals too.
"""

from collections.abc import Callable, Mapping

from ccserver.core import figures, marks
from ccserver.core.agents import Agents, shown_state
from ccserver.core.appointments import Appointments
from ccserver.core.change import replace
from ccserver.core.closing import Closing
from ccserver.core.commands import Collect, CollectSecret, EndSession, Next, Say
from ccserver.core.events import FeatureDialled, SecretChecked, VerbEnd
from ccserver.core.facts import Answered
from ccserver.core.headsets import Headsets
from ccserver.core.ids import AgentId, Language, PhoneId, PromptId, SessionId
from ccserver.core.office import DIALOGUES, UNKNOWN, OfficeDialogues
from ccserver.core.playback import Playback
from ccserver.core.records import PhoneState, ShownState
from ccserver.core.room_doors import DIALOGUES as ROOM_DIALOGUES
from ccserver.core.room_doors import RoomDoors
from ccserver.core.settings import NumberMark, Spoken, SpokenKind, WatchMode
from ccserver.core.state import Dialogue, Leg, OfficeErrand, Role, Session, Wish
from ccserver.core.step import Step
from ccserver.core.supervision import Supervision
from ccserver.core.transitions import LegState, Phase
from ccserver.core.watchers import UNKNOWN_WATCHERS, WATCHERS, WatcherDialogues

FIRST_DIGIT_S = 8.0
NEXT_DIGIT_S = 3.0
PIN_S = 10.0
AGENT_DIGITS_MAX = 12

PIN_AFTER = {Dialogue.LOGIN_AGENT: Dialogue.LOGIN_PIN, Dialogue.HEADSET_AGENT: Dialogue.HEADSET_PIN}
"""What is asked once the agent's number is typed."""

STATE_PROMPT = {
    ShownState.LOGGED_OUT: "cc-state-logged-out",
    ShownState.NOT_READY: "cc-state-not-ready",
    ShownState.WRAP_UP: "cc-state-wrap-up",
    ShownState.RESTING: "cc-state-resting",
    ShownState.TALKING: "cc-state-talking",
    ShownState.ON_HOLD: "cc-state-talking",
    ShownState.CONSULTING: "cc-state-talking",
}
"""All other states are those of an agent who is ready."""


class Features:
    """The dialogues of agents' phones."""

    def __init__(
        self,
        step: Step,
        agents: Agents,
        headsets: Headsets,
        closing: Closing,
        *,
        supervision: Supervision,
        playback: Playback,
        doors: RoomDoors,
        next_lead: Callable[[Session, AgentId], None],
    ) -> None:
        self.step = step
        self.agents = agents
        self.headsets = headsets
        self._doors = doors
        self._next_lead = next_lead
        self._appointments = Appointments(step, agents)
        doors.last_words = self.last_words
        self.office = OfficeDialogues(step, agents, closing, last_words=self.last_words, end=self._end)
        self._playback = playback
        self.watchers = WatcherDialogues(step, agents, supervision, playback, last_words=self.last_words)

    # --- beginnings ---------------------------------------------------------------------------------------------------
    def dialled(self, event: FeatureDialled) -> None:
        step = self.step
        step.legs.put(
            event.leg,
            Leg(
                id=event.leg,
                role=Role.FEATURE,
                state=LegState.UP,
                channel=event.channel,
                phone=event.phone,
                session=event.session,
                heard_s=step.now.mono_s,
            ),
        )
        session = Session(id=event.session, leg=event.leg, dialogue=Dialogue.LAST_WORDS)
        step.sessions.put(session.id, session)
        if event.leg in step.hung_up:
            step.legs.drop(event.leg)
        phone = event.phone
        if phone is None or phone not in step.settings.phones:
            self.last_words(session.id, "cc-not-allowed")
        else:
            self._code(session, phone, event.digits)

    def _code(self, session: Session, phone: PhoneId, digits: str) -> None:
        codes = self.step.settings.features
        table: Mapping[str, Callable[[Session, PhoneId, str], None]] = {
            codes.login: self._login,
            codes.logout: self._logout,
            codes.not_ready: self._not_ready,
            codes.ready: self._ready,
            codes.end_wrap_up: self._end_wrap_up,
            codes.state: self._state,
            codes.disposition: self._disposition,
            codes.headset: self._headset,
            codes.figures: self._figures,
            codes.extend_wrap_up: self._extend_wrap_up,
            codes.block_number: self._block_number,
            codes.vip_number: self._vip_number,
            codes.close_hours: self._office(OfficeErrand.CLOSE_HOURS),
            codes.record_prompt: self._office(OfficeErrand.RECORD_PROMPT),
            codes.listen: self._watch(WatchMode.LISTEN),
            codes.whisper: self._watch(WatchMode.WHISPER),
            codes.barge: self._watch(WatchMode.BARGE),
            codes.take_over: self._watch(WatchMode.TAKE_OVER),
            codes.listen_queue: self._watch(WatchMode.LISTEN, is_queue=True),
            codes.recordings: self._watch(None),
            codes.conference: lambda session, phone, number: self._doors.begin(session, number),
            codes.next_lead: self._ask_next_lead,
        }
        found = max((c for c in table if digits.startswith(c)), key=len, default=None)
        if found is None:
            self.last_words(session.id, "cc-invalid-code")
        else:
            table[found](session, phone, digits[len(found) :].rstrip("#"))

    def _login(self, session: Session, phone: PhoneId, argument: str) -> None:
        if argument:
            self._ask_pin(session, AgentId(argument))
        else:
            self._collect(session, Dialogue.LOGIN_AGENT, "cc-login-agent", AGENT_DIGITS_MAX)

    def _headset(self, session: Session, phone: PhoneId, argument: str) -> None:
        """This call becomes the agent's line. Who is logged in at the phone needs no PIN: the line may just have broken."""
        agent = self.agents.at_phone(phone)
        if argument:
            self._ask_pin(session, AgentId(argument), Dialogue.HEADSET_PIN)
        elif agent is None:
            self._collect(session, Dialogue.HEADSET_AGENT, "cc-login-agent", AGENT_DIGITS_MAX)
        else:
            self.step.sessions.put(session.id, replace(session, agent=agent.id))
            self.headsets.connect(session.leg, agent.id)
            self.last_words(session.id, "cc-headset-on")

    def _logout(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self.agents.log_out(session.id, agent)

    def _not_ready(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None and argument:
            self._reason_typed(session, agent, argument)
        elif agent is not None:
            longest = max((len(r.code) for r in self.step.settings.reasons.values()), default=1)
            self._collect(replace(session, agent=agent), Dialogue.REASON, "cc-not-ready-reason", longest)

    def _ready(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self.agents.ready(session.id, agent)

    def _end_wrap_up(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self.agents.end_wrap_up(session.id, agent)

    def _extend_wrap_up(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self.agents.extend_wrap_up(session.id, agent)

    def _block_number(self, session: Session, phone: PhoneId, argument: str) -> None:
        self._mark(session, phone, NumberMark.BLOCKED, "cc-number-blocked")

    def _vip_number(self, session: Session, phone: PhoneId, argument: str) -> None:
        self._mark(session, phone, NumberMark.VIP, "cc-number-vip")

    def _mark(self, session: Session, phone: PhoneId, what: NumberMark, done: str) -> None:
        """Of the caller a supervisor talks with, or talked with last."""
        agent = self._agent_at(session, phone)
        if agent is None:
            return
        number, config = self.agents.get(agent).last_caller, self.step.settings.agents.get(agent)
        if config is None or not config.is_supervisor:
            self.last_words(session.id, "cc-not-allowed")
        elif number is None:
            self.last_words(session.id, "cc-number-none")
        else:
            is_done, _ = marks.mark(self.step, number, what, "", f"agent {agent}")
            self.last_words(session.id, done if is_done else "cc-number-none")

    def _office(self, errand: OfficeErrand) -> Callable[[Session, PhoneId, str], None]:
        return lambda session, phone, argument: self.office.begin(session, phone, errand, argument)

    def _watch(self, mode: WatchMode | None, *, is_queue: bool = False) -> Callable[[Session, PhoneId, str], None]:
        return lambda session, phone, code: self.watchers.begin(session, phone, Wish(mode=mode, is_queue=is_queue, code=code))

    def _figures(self, session: Session, phone: PhoneId, argument: str) -> None:
        """Today's calls, and the minutes in them."""
        agent = self._agent_at(session, phone)
        if agent is not None:
            today = figures.as_of(self.agents.get(agent).figures, self.step.now, self.step.settings.timezone)
            minutes = round(today.talk_s / 60)
            self._say_last(
                session.id,
                (
                    _prompt("cc-figures-calls"),
                    Spoken(SpokenKind.NUMBER, str(today.calls)),
                    _prompt("cc-figures-minutes"),
                    Spoken(SpokenKind.NUMBER, str(minutes)),
                ),
                self.agents.language_of(agent),
            )

    def _state(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            # Who asks is on the phone: that is no news, and hides what comes after it.
            asking = replace(self.agents.get(agent), own_call=None)
            shown = shown_state(asking, PhoneState.IDLE, self.step.now.mono_s)
            self.last_words(session.id, STATE_PROMPT.get(shown, "cc-state-ready"))

    def _ask_next_lead(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self._next_lead(session, agent)

    def _disposition(self, session: Session, phone: PhoneId, argument: str) -> None:
        agent = self._agent_at(session, phone)
        if agent is not None:
            self._dispose(session, agent, argument)

    def _dispose(self, session: Session, agent: AgentId, code: str) -> None:
        """At once, or after the time was entered that it asks for."""
        if self._appointments.wants(agent, code):
            self._appointments.ask(session, agent, code)
        else:
            self.agents.dispose(session.id, agent, code)

    def _appointed(self, session: Session, digits: str) -> None:
        promise = self._appointments.typed(session, digits)
        if promise is None:
            return
        if promise.code:
            self._appointments.keep(session, promise)
        else:
            self.last_words(session.id, "cc-appointment-none")

    def line_opened(self, session: Session, leg: Leg) -> bool:
        """A headset's line is at the desk to enter a time. False: for something else."""
        return self._appointments.opened(session, leg)

    def type_on_line(self, leg: Leg, agent: AgentId, code: str) -> bool:
        """A disposition on a headset's parked line that asks for a time. False: any other."""
        if not self._appointments.wants(agent, code):
            return False
        self._appointments.ask_on_line(leg, agent, code)
        return True

    def ask_disposition(self, session: Session, *, is_again: bool = False) -> None:
        """On the agent's leg, kept after the customer hung up, for as long as the wrap-up lasts."""
        leg = self.step.legs.get(session.leg)
        agent = self.agents.get(leg.agent) if leg is not None and leg.agent is not None else None
        work = next((w for w in agent.work if w.leg == session.leg and w.phase is Phase.WRAP_UP), None) if agent else None
        codes = self.agents.dispositions(work) if work is not None else {}
        if not codes:
            self._end(session)
            return
        left_s = max(1.0, self.agents.wrap_up_due_s(agent.id) - self.step.now.mono_s) if agent is not None else 1.0
        prompt = "cc-disposition-unknown" if is_again else "cc-disposition-ask"
        self._collect(session, Dialogue.WRAP_UP, prompt, max(map(len, codes)), first_timeout_s=left_s)

    # --- ends of verbs ------------------------------------------------------------------------------------------------
    def digits_collected(self, session: Session, digits: str) -> None:
        if session.dialogue in PIN_AFTER:
            if digits:
                self._ask_pin(session, AgentId(digits), PIN_AFTER[session.dialogue])
            else:
                self.last_words(session.id, "cc-login-failed")
        elif session.dialogue in DIALOGUES:
            self.office.digits_collected(session, digits)
        elif session.dialogue in WATCHERS:
            self.watchers.digits_collected(session, digits)
        elif session.dialogue is Dialogue.TAPE:
            self._playback.digits_collected(session, digits)
        elif session.dialogue in ROOM_DIALOGUES:
            self._doors.digits_collected(session, digits)
        elif session.dialogue is Dialogue.CODE:
            self._code_typed(session, digits)
        elif session.dialogue is Dialogue.REASON and session.agent is not None:
            self._reason_typed(session, session.agent, digits)
        elif session.dialogue is Dialogue.WRAP_UP:
            self._disposition_typed(session, digits)
        elif session.dialogue is Dialogue.APPOINTMENT:
            self._appointed(session, digits)

    def _code_typed(self, session: Session, digits: str) -> None:
        """A feature code on a headset's line; nothing, and it parks again."""
        leg, code = self.step.legs.get(session.leg), digits.rpartition("*")[2]
        if not code or leg is None or leg.phone is None:
            self._end(session)
        else:
            self._code(session, leg.phone, code)

    def _disposition_typed(self, session: Session, digits: str) -> None:
        leg = self.step.legs.get(session.leg)
        agent = self.agents.get(leg.agent) if leg is not None and leg.agent is not None else None
        work = next((w for w in agent.work if w.phase is Phase.WRAP_UP), None) if agent else None
        if agent is None or work is None or not digits:
            self._end(session)
        elif digits not in self.agents.dispositions(work):
            self.ask_disposition(session, is_again=True)
        else:
            self._dispose(session, agent.id, digits)

    def _reason_typed(self, session: Session, agent: AgentId, code: str) -> None:
        found = next((r for r, s in self.step.settings.reasons.items() if s.code == code), None)
        if found is None:
            self.last_words(session.id, "cc-reason-unknown")
        else:
            self.agents.not_ready(session.id, agent, found)

    def _ask_pin(self, session: Session, agent: AgentId, dialogue: Dialogue = Dialogue.LOGIN_PIN) -> None:
        """Also for an agent who does not exist: who tries numbers learns nothing."""
        if self.agents.is_locked(agent):
            self.last_words(session.id, "cc-login-locked")
            return
        session = replace(session, dialogue=dialogue, agent=agent)
        self.step.sessions.put(session.id, session)
        language = self.step.settings.default_language
        say = (_prompt("cc-login-pin"),)
        self.step.speak(CollectSecret(session=session.id, agent=agent, say=say, language=language, timeout_s=PIN_S))

    def secret_checked(self, session: Session, event: SecretChecked) -> None:
        is_ok = event.is_ok
        if session.dialogue in DIALOGUES:
            self.office.secret_checked(session, event)
            return
        if session.dialogue in WATCHERS:
            self.watchers.secret_checked(session, event)
            return
        if session.dialogue in ROOM_DIALOGUES:
            self._doors.secret_checked(session, event)
            return
        leg = self.step.legs.get(session.leg)
        if session.dialogue not in PIN_AFTER.values() or session.agent is None or leg is None or leg.phone is None:
            return
        is_known = session.agent in self.step.settings.agents
        if is_ok is not None and is_known:
            self.agents.pin_checked(session.agent, is_ok)
        if is_ok and is_known and not self.agents.is_locked(session.agent):
            is_in = self.agents.log_in(session.id, session.agent, leg.phone)
            if is_in and session.dialogue is Dialogue.HEADSET_PIN and self.agents.get(session.agent).phone == leg.phone:
                self.headsets.connect(leg.id, session.agent)
        else:
            self.last_words(session.id, "cc-login-failed")

    def answered(self, fact: Answered, session: SessionId) -> None:
        """A request of this session was answered: say so."""
        known = self.step.sessions.get(session)
        if known is not None:
            is_in = fact.is_ok and known.agent is not None
            language = self.agents.language_of(known.agent) if is_in else self._language(known)
            say = [_prompt(fact.prompt)]
            leg = self.step.legs.get(known.leg)
            if known.dialogue is Dialogue.HEADSET_PIN and leg is not None and self.headsets.is_line(leg):
                say.append(_prompt("cc-headset-on"))
            self._say_last(session, tuple(say), language)

    def last_words(self, session_id: SessionId, prompt: str) -> None:
        """One prompt, then the end."""
        self._say_last(session_id, (_prompt(prompt),), self._language(self.step.sessions[session_id]))

    def _say_last(self, session_id: SessionId, say: tuple[Spoken, ...], language: Language) -> None:
        session = self.step.sessions[session_id]
        self.step.sessions.put(session_id, replace(session, dialogue=Dialogue.LAST_WORDS))
        leg = self.step.legs.get(session.leg)
        # Who knows the codes types the next one into the answer to the last.
        stop_digits = "*" if leg is not None and self.headsets.is_line(leg) else ""
        self.step.speak(Say(session=session_id, say=say, language=language, stop_digits=stop_digits))

    def prompt_ended(self, session: Session, end: VerbEnd) -> None:
        leg = self.step.legs.get(session.leg)
        if session.dialogue is Dialogue.ROOM_ENTER:
            self._doors.prompt_ended(session)
            return
        if session.dialogue is Dialogue.TAPE:
            self._playback.prompt_ended(session, end)
            return
        if session.dialogue is not Dialogue.LAST_WORDS:
            return
        if end is VerbEnd.DIGIT and leg is not None and self.headsets.is_line(leg):
            self.headsets.ask_code(session, leg)
        else:
            self._end(session)

    def _end(self, session: Session) -> None:
        """The end of the call; but a headset's line parks again, unless its agent has just left it."""
        leg = self.step.legs.get(session.leg)
        is_line = leg is not None and self.headsets.is_line(leg)
        self.step.end_session(EndSession(session=session.id, next=Next.PARK if is_line else Next.HANG_UP))

    # --- inside -------------------------------------------------------------------------------------------------------
    def _agent_at(self, session: Session, phone: PhoneId) -> AgentId | None:
        """Who is logged in there; nobody: said so. The session is about them from now on, also after they log out."""
        agent = self.agents.at_phone(phone)
        if agent is None:
            self.last_words(session.id, "cc-not-logged-in")
            return None
        self.step.sessions.put(session.id, replace(session, agent=agent.id))
        return agent.id

    def _language(self, session: Session) -> Language:
        """The agent's. Who types a number and a PIN hears the default until both are right: a language would tell that the
        number is somebody's."""
        leg = self.step.legs.get(session.leg)
        is_unknown = session.dialogue in (*PIN_AFTER, *PIN_AFTER.values(), *UNKNOWN, *UNKNOWN_WATCHERS)
        agent = None if is_unknown else session.agent or (leg.agent if leg is not None else None)
        return self.agents.language_of(agent)

    def _collect(
        self,
        session: Session,
        dialogue: Dialogue,
        prompt: str,
        max_digits: int,
        first_timeout_s: float = FIRST_DIGIT_S,
    ) -> None:
        self.step.sessions.put(session.id, replace(session, dialogue=dialogue))
        self.step.speak(
            Collect(
                session=session.id,
                say=(_prompt(prompt),),
                language=self._language(session),
                max_digits=max_digits,
                first_timeout_s=first_timeout_s,
                next_timeout_s=NEXT_DIGIT_S,
            )
        )


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))

"""What supervisors do by phone for the whole site: close opening hours and open them again, and record prompts.

Each is a feature code, then the supervisor's number (where nobody who is one is logged in at the phone) and PIN, then a code: of the
hours, or of the prompt. Hours are told as they are, and one key changes them. A prompt is recorded, played back, and kept only when
the supervisor says so; until then, and when nothing is said, callers hear the old one. Each act is on record.
"""

from collections.abc import Callable, Mapping

from ccserver.core import recording
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.closing import Closing
from ccserver.core.commands import Collect, CollectSecret, KeepPrompt, RecordMessage
from ccserver.core.events import PromptKept, SecretChecked
from ccserver.core.ids import AgentId, HoursId, Language, PhoneId, PromptId, SessionId
from ccserver.core.records import AuditRecord
from ccserver.core.settings import RecordablePrompt, Spoken, SpokenKind
from ccserver.core.state import Awaited, Dialogue, Office, OfficeErrand, Outstanding, Session
from ccserver.core.step import Step

FIRST_DIGIT_S = 8.0
NEXT_DIGIT_S = 3.0
PIN_S = 10.0
AGENT_DIGITS_MAX = 12
CODE_DIGITS_MAX = 8
PROMPT_MAX_S = 120.0
PROMPT_SILENCE_S = 10.0
CHANGE, KEEP, AGAIN, HEAR = "1", "1", "2", "3"
REVIEWS_MAX = 10
UNKNOWN = (Dialogue.OFFICE_AGENT, Dialogue.OFFICE_PIN)
"""Until here it is not known who speaks."""
DIALOGUES = frozenset(
    {
        *UNKNOWN,
        Dialogue.OFFICE_CODE,
        Dialogue.OFFICE_CHANGE,
        Dialogue.OFFICE_RECORD,
        Dialogue.OFFICE_REVIEW,
    }
)
ASKED_CODE: Mapping[OfficeErrand, str] = {
    OfficeErrand.CLOSE_HOURS: "cc-hours-code",
    OfficeErrand.RECORD_PROMPT: "cc-prompt-code",
}


class OfficeDialogues:
    """The dialogues of `DIALOGUES`. `last_words` says one prompt and ends the call, `end` ends it."""

    def __init__(
        self,
        step: Step,
        agents: Agents,
        closing: Closing,
        *,
        last_words: Callable[[SessionId, str], None],
        end: Callable[[Session], None],
    ) -> None:
        self._step = step
        self._agents = agents
        self._closing = closing
        self._last_words = last_words
        self._end = end

    def begin(self, session: Session, phone: PhoneId, errand: OfficeErrand, code: str) -> None:
        """A supervisor's feature code was dialled. `code` is what was typed behind it."""
        office = Office(errand=errand, code=code)
        agent = self._agents.at_phone(phone)
        session = self._put(session, Dialogue.OFFICE_AGENT, office)
        if agent is not None and self._is_supervisor(agent.id):
            self._ask_pin(session, agent.id)
        else:
            self._collect(session, ("cc-login-agent",), AGENT_DIGITS_MAX)

    def digits_collected(self, session: Session, digits: str) -> None:
        office = session.office
        if office is None or not digits:
            self._end(session)
        elif session.dialogue is Dialogue.OFFICE_AGENT:
            self._ask_pin(session, AgentId(digits))
        elif session.dialogue is Dialogue.OFFICE_CODE:
            self._go(self._put(session, Dialogue.OFFICE_CODE, replace(office, code=digits)))
        elif session.dialogue is Dialogue.OFFICE_CHANGE:
            self._change(session, office, digits)
        elif session.dialogue is Dialogue.OFFICE_REVIEW:
            self._reviewed(session, office, digits)

    def secret_checked(self, session: Session, event: SecretChecked) -> None:
        """Whoever is no supervisor hears the same as one with a wrong PIN."""
        agent = session.agent
        if agent is None:
            return
        is_known = agent in self._step.settings.agents
        if event.is_ok is not None and is_known:
            self._agents.pin_checked(agent, event.is_ok)
        if event.is_ok and self._is_supervisor(agent) and not self._agents.is_locked(agent):
            self._go(session)
        else:
            self._last_words(session.id, "cc-login-failed")

    # --- hours --------------------------------------------------------------------------------------------------------
    def _change(self, session: Session, office: Office, digits: str) -> None:
        hours = self._hours(office.code)
        if digits != CHANGE or hours is None:
            self._end(session)
            return
        is_closed = self._closing.opening.closing(hours) is not None
        by = f"agent {session.agent}"
        if is_closed:
            self._closing.reopen(hours)
        else:
            self._closing.shut(hours, None, by)
        self._audit(session.agent, "open_hours" if is_closed else "close_hours", hours)
        self._last_words(session.id, "cc-hours-open-now" if is_closed else "cc-hours-closed-now")

    # --- prompts ------------------------------------------------------------------------------------------------------
    def message_recorded(self, session: Session, duration_s: float) -> None:
        """The recording is over. When nothing was said there is no file."""
        office = session.office
        assert office is not None
        self._step.sessions.put(session.id, replace(session, verb=None))
        if duration_s > 0:
            self._review(self._put(session, Dialogue.OFFICE_REVIEW, office))
        else:
            self._last_words(session.id, "cc-prompt-failed")

    def _reviewed(self, session: Session, office: Office, digits: str) -> None:
        wanted = self._step.settings.recordable_prompts.get(office.code)
        if wanted is None or office.reviews >= REVIEWS_MAX:
            self._last_words(session.id, "cc-prompt-unknown" if wanted is None else "cc-prompt-failed")
        elif digits == KEEP:
            command = self._step.emit(KeepPrompt(path=office.path, prompt=wanted.prompt, language=wanted.language))
            awaited = Outstanding(
                what=Awaited.KEEP_PROMPT,
                leg=session.leg,
                sent_s=self._step.now.mono_s,
                by=session.agent,
                about=wanted.prompt,
            )
            self._step.outstanding.put(command, awaited)
            self._put(session, Dialogue.OFFICE_REVIEW, replace(office, keeping=command))
        elif digits == AGAIN:
            self._record(session, office, wanted)
        else:
            self._review(session)

    def prompt_kept(self, event: PromptKept) -> None:
        """Told also to a supervisor who has hung up: the act is on record all the same."""
        awaited = self._step.outstanding.get(event.command)
        self._step.outstanding.drop(event.command)
        if awaited is None:
            return
        self._audit(awaited.by, "record_prompt", awaited.about, is_done=event.is_ok)
        leg = self._step.legs.get(awaited.leg)
        session = self._step.sessions.get(leg.session) if leg is not None else None
        if session is not None and session.office is not None and session.office.keeping == event.command:
            self._last_words(session.id, "cc-prompt-kept" if event.is_ok else "cc-prompt-failed")

    def _record(self, session: Session, office: Office, wanted: RecordablePrompt) -> None:
        directory = self._step.settings.recording_dir
        if not directory:
            self._last_words(session.id, "cc-prompt-failed")
            return
        path = recording.prompt_path(directory, wanted.prompt, wanted.language, self._step.now.utc_s, self._step.seq)
        session = self._put(session, Dialogue.OFFICE_RECORD, replace(office, path=path, reviews=office.reviews + 1))
        self._step.speak(
            RecordMessage(
                session=session.id,
                say=(_prompt("cc-prompt-record"),),
                language=self._language(session),
                path=path,
                max_s=PROMPT_MAX_S,
                silence_s=PROMPT_SILENCE_S,
            )
        )

    def _review(self, session: Session) -> None:
        office = session.office
        assert office is not None
        heard = Spoken(SpokenKind.RECORDING, office.path.rpartition(".")[0])
        session = self._put(session, Dialogue.OFFICE_REVIEW, replace(office, reviews=office.reviews + 1))
        self._collect(session, (heard, "cc-prompt-review"), 1)

    # --- inside -------------------------------------------------------------------------------------------------------
    def _go(self, session: Session) -> None:
        """The supervisor is known: to the code's business, or for the code."""
        office = session.office
        assert office is not None
        if not office.code:
            session = self._put(session, Dialogue.OFFICE_CODE, office)
            self._collect(session, (ASKED_CODE[office.errand],), CODE_DIGITS_MAX)
        elif office.errand is OfficeErrand.CLOSE_HOURS:
            hours = self._hours(office.code)
            if hours is None:
                self._last_words(session.id, "cc-invalid-code")
                return
            is_closed = self._closing.opening.closing(hours) is not None
            session = self._put(session, Dialogue.OFFICE_CHANGE, office)
            self._collect(session, ("cc-hours-are-closed" if is_closed else "cc-hours-are-open", "cc-hours-change"), 1)
        else:
            wanted = self._step.settings.recordable_prompts.get(office.code)
            if wanted is None:
                self._last_words(session.id, "cc-prompt-unknown")
            else:
                self._record(session, office, wanted)

    def _hours(self, code: str) -> HoursId | None:
        return next((name for name, hours in self._step.settings.hours.items() if hours.code == code), None)

    def _is_supervisor(self, agent: AgentId) -> bool:
        config = self._step.settings.agents.get(agent)
        return config is not None and config.is_supervisor

    def _ask_pin(self, session: Session, agent: AgentId) -> None:
        """Also for an agent who does not exist, or is none who may: who tries numbers learns nothing."""
        if self._agents.is_locked(agent):
            self._last_words(session.id, "cc-login-locked")
            return
        session = replace(session, dialogue=Dialogue.OFFICE_PIN, agent=agent)
        self._step.sessions.put(session.id, session)
        say, language = (_prompt("cc-login-pin"),), self._step.settings.default_language
        self._step.speak(CollectSecret(session=session.id, agent=agent, say=say, language=language, timeout_s=PIN_S))

    def _collect(self, session: Session, say: tuple[str | Spoken, ...], max_digits: int) -> None:
        self._step.speak(
            Collect(
                session=session.id,
                say=tuple(_prompt(piece) if isinstance(piece, str) else piece for piece in say),
                language=self._language(session),
                max_digits=max_digits,
                first_timeout_s=FIRST_DIGIT_S,
                next_timeout_s=NEXT_DIGIT_S,
            )
        )

    def _language(self, session: Session) -> Language:
        """The supervisor's own once the PIN was right: before, a language would tell that the number is somebody's."""
        return self._agents.language_of(None if session.dialogue in UNKNOWN else session.agent)

    def _put(self, session: Session, dialogue: Dialogue, office: Office) -> Session:
        session = replace(self._step.sessions[session.id], dialogue=dialogue, office=office)
        self._step.sessions.put(session.id, session)
        return session

    def _audit(self, agent: AgentId | None, act: str, what: str, *, is_done: bool = True) -> None:
        at_utc_s = self._step.now.utc_s
        self._step.store(AuditRecord(by=f"agent {agent}", act=act, what=what, is_done=is_done, at_utc_s=at_utc_s, agent=agent))


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))

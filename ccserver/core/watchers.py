"""What supervisors type to hear others' talks, or recordings of them: who they are, where nobody who may is logged in at the phone, and
whom they want to hear.

A code, then the agent's number (or the queue's), which may follow at once. Whoever is logged in at the phone and may do it needs no PIN;
anybody else gives a number and a PIN first, and hears the same whether the number is nobody's, may not, or has another PIN.
"""

from collections.abc import Callable

from ccserver.core import rights
from ccserver.core.agents import Agents
from ccserver.core.change import replace
from ccserver.core.commands import Collect, CollectSecret
from ccserver.core.events import SecretChecked
from ccserver.core.ids import AgentId, PhoneId, PromptId, QueueId, SessionId
from ccserver.core.playback import Playback
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.core.state import Dialogue, Role, Session, Wish
from ccserver.core.step import Step
from ccserver.core.supervision import Supervision

FIRST_DIGIT_S = 8.0
NEXT_DIGIT_S = 3.0
PIN_S = 10.0
DIGITS_MAX = 12
UNKNOWN_WATCHERS = (Dialogue.WATCHER, Dialogue.WATCHER_PIN)
"""Until here it is not known who speaks."""
WATCHERS = frozenset({*UNKNOWN_WATCHERS, Dialogue.WATCHED})


class WatcherDialogues:
    """The dialogues of `WATCHERS`. `last_words` says one prompt and ends the call."""

    def __init__(
        self,
        step: Step,
        agents: Agents,
        supervision: Supervision,
        playback: Playback,
        *,
        last_words: Callable[[SessionId, str], None],
    ) -> None:
        self._step = step
        self._agents = agents
        self._supervision = supervision
        self._playback = playback
        self._last_words = last_words

    def begin(self, session: Session, phone: PhoneId, wish: Wish) -> None:
        leg, agent = self._step.legs.get(session.leg), self._agents.at_phone(phone)
        session = self._put(replace(session, wish=wish, dialogue=Dialogue.WATCHER))
        if leg is None or leg.role is not Role.FEATURE:
            # A headset's line is its agent's: it cannot be a supervisor's leg as well.
            self._last_words(session.id, "cc-not-allowed")
        elif agent is not None and self._is_able(agent.id, wish):
            self._known(replace(session, agent=agent.id), wish)
        else:
            self._collect(session, "cc-login-agent")

    def digits_collected(self, session: Session, digits: str) -> None:
        wish = session.wish
        if wish is None or not digits:
            self._last_words(session.id, "cc-login-failed" if session.dialogue in UNKNOWN_WATCHERS else "cc-not-allowed")
        elif session.dialogue is Dialogue.WATCHER:
            self._ask_pin(session, AgentId(digits))
        else:
            self._known(session, replace(wish, code=digits))

    def secret_checked(self, session: Session, event: SecretChecked) -> None:
        """Whoever may not hears the same as one with a wrong PIN."""
        agent, wish = session.agent, session.wish
        if agent is None or wish is None:
            return
        if event.is_ok is not None and agent in self._step.settings.agents:
            self._agents.pin_checked(agent, event.is_ok)
        if event.is_ok and self._is_able(agent, wish) and not self._agents.is_locked(agent):
            self._known(session, wish)
        else:
            self._last_words(session.id, "cc-login-failed")

    def _known(self, session: Session, wish: Wish) -> None:
        """It is known who speaks: to the session, or for the number."""
        session = self._put(replace(session, wish=wish, dialogue=Dialogue.WATCHED))
        assert session.agent is not None
        if not wish.code:
            self._collect(session, "cc-watch-queue" if wish.is_queue else "cc-watch-agent")
            return
        if wish.mode is None:
            self._playback.begin(session, session.agent, AgentId(wish.code))
            return
        agent = queue = None
        if wish.is_queue:
            queue = self._queue(wish.code)
        else:
            agent = AgentId(wish.code)
        self._supervision.dialled(session, session.agent, wish.mode, agent=agent, queue=queue)

    def _is_able(self, agent: AgentId, wish: Wish) -> bool:
        settings = self._step.settings
        if wish.mode is None:
            return rights.may_hear_somebody(settings, agent)
        return rights.may_somebody(settings, agent, wish.mode)

    def _queue(self, number: str) -> QueueId | None:
        return next((name for name, queue in self._step.settings.queues.items() if queue.number == number), None)

    def _ask_pin(self, session: Session, agent: AgentId) -> None:
        """Also for an agent who does not exist, or may not: who tries numbers learns nothing."""
        if self._agents.is_locked(agent):
            self._last_words(session.id, "cc-login-locked")
            return
        session = self._put(replace(session, dialogue=Dialogue.WATCHER_PIN, agent=agent))
        say, language = (_prompt("cc-login-pin"),), self._step.settings.default_language
        self._step.speak(CollectSecret(session=session.id, agent=agent, say=say, language=language, timeout_s=PIN_S))

    def _collect(self, session: Session, prompt: str) -> None:
        who = None if session.dialogue in UNKNOWN_WATCHERS else session.agent
        self._step.speak(
            Collect(
                session=session.id,
                say=(_prompt(prompt),),
                language=self._agents.language_of(who),
                max_digits=DIGITS_MAX,
                first_timeout_s=FIRST_DIGIT_S,
                next_timeout_s=NEXT_DIGIT_S,
            )
        )

    def _put(self, session: Session) -> Session:
        session = replace(self._step.sessions[session.id], dialogue=session.dialogue, agent=session.agent, wish=session.wish)
        self._step.sessions.put(session.id, session)
        return session


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))

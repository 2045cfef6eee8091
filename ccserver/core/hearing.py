"""What an agent hears of a message: whom it is from, the message, and a menu.

After the answer the agent's leg comes to the desk (a headset's line is sent there). The menu: 1 again, 2 call the customer back, 3 done.
A key may be typed at any time. A menu that was heard three times without a key is done as well. To call back begins a request for this
agent, on the same leg: the wrap-up is that of its talk.

A daemon that was killed tells the message again from the beginning. A file that cannot be played is said so, and told in a notice; the
agent still has the number and the menu.
"""

from ccserver.core.callbacks import Callbacks
from ccserver.core.change import replace
from ccserver.core.commands import Collect, EndSession, Next, Say
from ccserver.core.events import VerbEnd
from ccserver.core.facts import AgentLegOver
from ccserver.core.ids import InteractionId, Language, LegId, PromptId, SessionId
from ccserver.core.messages import Messages
from ccserver.core.records import EndedBy, NoticeKind
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.core.state import Dialogue, Interaction, Leg, MessageStage, Session
from ccserver.core.transitions import InteractionState

AGAIN, CALL_BACK, DONE = "1", "2", "3"
KEYS = (AGAIN, CALL_BACK, DONE)
KEY_S = 8.0
MENU_TRIES = 3


class Hearing:
    """The dialogue of the leg on which a message is heard."""

    def __init__(self, messages: Messages, callbacks: Callbacks) -> None:
        self.step = messages.step
        self.ledger = messages.ledger
        self.messages = messages
        self.callbacks = callbacks

    # --- at the desk --------------------------------------------------------------------------------------------------
    def opened(self, session: Session, leg: Leg, interaction: Interaction) -> bool:
        """An agent's leg asks what to do: it hears the message, from the beginning. False: it has nothing to do with one that goes on."""
        if interaction.message is None or interaction.state is InteractionState.GONE:
            return False
        offer, talk = interaction.offer_on(leg.id), interaction.talk
        if talk is not None and talk.leg == leg.id:
            self._tell(interaction, session.id, leg.id)
        elif offer is not None and offer.ends_as is None and not leg.is_cancelled and interaction.listener() in (None, leg.id):
            self._tell(self.messages.listens(interaction, leg.id), session.id, leg.id)
        else:
            self._send_away(session)
        return True

    def _tell(self, interaction: Interaction, session: SessionId, leg: LegId) -> None:
        """From the beginning: whom it is from."""
        assert interaction.message is not None
        self.ledger.put(replace(interaction, message=replace(interaction.message, tries=0)))
        opened = self.step.sessions[session]
        self.step.sessions.put(session, replace(opened, dialogue=Dialogue.MESSAGE, agent=self.step.legs[leg].agent))
        number = (interaction.caller_number or "").removeprefix("+")
        whom = Spoken(SpokenKind.DIGITS, number) if number.isascii() and number.isdigit() else _prompt("cc-message-none-number")
        self._say(interaction.id, session, MessageStage.FROM, (_prompt("cc-message-new"), whom))

    def _play(self, interaction: Interaction, session: SessionId) -> None:
        assert interaction.message is not None
        path = interaction.message.path.rpartition(".")[0]
        self._say(interaction.id, session, MessageStage.PLAYED, (Spoken(SpokenKind.RECORDING, path),))

    def _menu(self, interaction: Interaction, session: SessionId) -> None:
        self._at(interaction.id, MessageStage.MENU)
        self.step.speak(
            Collect(
                session=session,
                say=(_prompt("cc-message-menu"),),
                language=self._language(session),
                max_digits=1,
                first_timeout_s=KEY_S,
                next_timeout_s=KEY_S,
                terminator="",
                complete=KEYS,
            )
        )

    def _say(self, number: InteractionId, session: SessionId, stage: MessageStage, say: tuple[Spoken, ...]) -> None:
        self._at(number, stage)
        self.step.speak(Say(session=session, say=say, language=self._language(session), stop_digits="".join(KEYS)))

    def _at(self, number: InteractionId, stage: MessageStage) -> None:
        interaction = self.step.interactions[number]
        assert interaction.message is not None
        self.ledger.put(replace(interaction, message=replace(interaction.message, stage=stage)))

    # --- what is heard, and typed -------------------------------------------------------------------------------------
    def prompt_ended(self, session: Session, end: VerbEnd) -> None:
        """A key that was typed into it stays, and is the answer to the menu."""
        interaction = self._heard_on(session)
        if interaction is None or interaction.message is None:
            return
        stage = interaction.message.stage
        if stage is MessageStage.FROM and end is not VerbEnd.DIGIT:
            self._play(interaction, session.id)
        elif stage is MessageStage.PLAYED and end is VerbEnd.FAILED:
            self.ledger.notice(interaction, NoticeKind.MESSAGE_MISSING, agent=session.agent)
            self._say(interaction.id, session.id, MessageStage.MISSING, (_prompt("cc-message-missing"),))
        else:
            if stage is MessageStage.PLAYED and end is VerbEnd.DONE:
                interaction = self.messages.taken(interaction)
            self._menu(interaction, session.id)

    def digits_collected(self, session: Session, digits: str) -> None:
        interaction = self._heard_on(session)
        if interaction is None or interaction.message is None:
            return
        tries = interaction.message.tries + 1
        if digits not in KEYS and tries < MENU_TRIES:
            self.ledger.put(replace(interaction, message=replace(interaction.message, tries=tries)))
            self._menu(self.step.interactions[interaction.id], session.id)
            return
        interaction = self.messages.taken(interaction)
        if interaction.talk is None:
            # It is being taken from the agent.
            self._send_away(session)
        elif digits == AGAIN:
            assert interaction.message is not None
            self.ledger.put(replace(interaction, message=replace(interaction.message, tries=0)))
            self._play(self.step.interactions[interaction.id], session.id)
        elif digits != CALL_BACK:
            self.messages.over(interaction, EndedBy.AGENT)
        elif self.callbacks.cannot_call(interaction):
            self._say(interaction.id, session.id, MessageStage.REFUSED, (_prompt("cc-message-no-callback"),))
        else:
            self._call_back(interaction, session)

    def _call_back(self, interaction: Interaction, session: Session) -> None:
        """Its leg parks, as one that has accepted a callback. This work has no wrap-up: that of the callback's talk follows."""
        talk = interaction.talk
        assert talk is not None and talk.leg is not None
        self.callbacks.at_once(interaction, talk.agent, talk.leg)
        self.step.tell(AgentLegOver(talk.agent, interaction.id, talk.leg))
        assert interaction.message is not None
        left = replace(interaction.message, is_called_back=True)
        self.messages.over(self.ledger.put(replace(interaction, message=left)), EndedBy.AGENT)
        self.step.end_session(EndSession(session=session.id, next=Next.PARK))

    # --- small things -------------------------------------------------------------------------------------------------
    def _heard_on(self, session: Session) -> Interaction | None:
        """The message that is heard in this session, while it is anybody's."""
        leg = self.step.legs.get(session.leg)
        interaction = self.step.interactions.get(leg.interaction) if leg is not None else None
        is_heard = interaction is not None and interaction.listener() == session.leg
        return interaction if is_heard and interaction is not None and interaction.state is not InteractionState.GONE else None

    def _send_away(self, session: Session) -> None:
        """The leg has nothing to do here."""
        leg = self.step.legs.get(session.leg)
        agent = self.step.agents.get(leg.agent) if leg is not None else None
        is_line = agent is not None and agent.line == session.leg
        self.step.end_session(EndSession(session=session.id, next=Next.PARK if is_line else Next.HANG_UP))

    def _language(self, session: SessionId) -> Language:
        settings = self.step.settings
        agent = settings.agents.get(agent_id) if (agent_id := self.step.sessions[session].agent) is not None else None
        return (agent.language if agent is not None else None) or settings.default_language


def _prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))

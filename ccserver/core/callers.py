"""What is done to a customer's leg: answering, speaking, letting go, handing over.

The leg lives in a loop of the dialplan that comes back to us by an AGI session. Without an open session nothing can be said just now;
`Interaction.after` keeps what comes next until the leg is back.
"""

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import AnswerCall, EndSession, Next, RecordMessage, Say
from ccserver.core.facts import ConsultFailed, HandedOver, SaidNothing
from ccserver.core.ids import AgentId, NodeId, PromptId, QueueId
from ccserver.core.ledger import Ledger, left_by
from ccserver.core.records import EndedBy, MessageRecord, Outcome
from ccserver.core.settings import Exit, ExitKind, Spoken, SpokenKind
from ccserver.core.state import CONSULT, After, AfterKind, DeadlineKind, Interaction, Message, Session
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

LEAVE_S = 10.0
"""How long a released leg may take to end before it is hung up."""
COMFORT = "cc-comfort"
"""The music class of people who were called: a noise that says the line is there."""
MESSAGE_MAX_S = 180.0
MESSAGE_SILENCE_S = 5.0


class Callers:
    """The customers' legs."""

    def __init__(self, step: Step, ledger: Ledger) -> None:
        self.step = step
        self.ledger = ledger

    def answer(self, interaction: Interaction) -> Interaction:
        session = self.step.caller_session(interaction)
        if session is not None:
            self.step.order(AnswerCall(session=session))
        return self.ledger.put(replace(interaction, is_answered=True))

    def say(self, interaction: Interaction, say: tuple[Spoken, ...], after: After, stop_digits: str = "") -> None:
        """Speak, then go on with `after`; at once where there is nothing to say."""
        interaction = self.ledger.put(replace(interaction, after=after))
        session = self.step.caller_session(interaction)
        if not say:
            self.step.tell(SaidNothing(interaction.id))
        elif session is not None:
            say = spelled(say, interaction)
            self.step.speak(Say(session=session, say=say, language=interaction.language, stop_digits=stop_digits))

    def record_message(self, interaction: Interaction, way: Exit | None = None) -> None:
        """A queue's exit (None: the one that led here before) asks for a message, which is for that queue."""
        if way is None and interaction.after is not None:
            way = interaction.after.exit
        only = AgentId(way.target) if way is not None and way.target else None
        self._record(interaction, queue=interaction.queue, way=way, only=only)

    def record_for(
        self, interaction: Interaction, queue: QueueId, say: tuple[Spoken, ...], max_s: float, next: NodeId | None
    ) -> None:
        """A flow asks for a message for `queue`, with its own words (empty: the usual ones), and goes on with `next` (None: a farewell,
        and the call ends). A caller who comes back in another session is asked anew, by the node."""
        # As with a queue's exit: it is told that they were asked, whatever they said.
        interaction = replace(interaction, outcome=Outcome.LEFT_MESSAGE)
        self._record(interaction, queue=queue, say=say, max_s=max_s, next=next)

    def _record(
        self,
        interaction: Interaction,
        *,
        queue: QueueId | None,
        say: tuple[Spoken, ...] = (),
        max_s: float = MESSAGE_MAX_S,
        next: NodeId | None = None,
        way: Exit | None = None,
        only: AgentId | None = None,
    ) -> None:
        """Without a place to keep it, or a session, the caller is let go."""
        session = self.step.caller_session(interaction)
        directory, utc_s = self.step.settings.recording_dir, self.step.now.utc_s
        path = recording.message_path(directory, interaction.id, utc_s, interaction.messages)
        if session is None or not path:
            self.release(interaction)
            return
        if not interaction.is_answered:
            interaction = self.answer(interaction)
        after = After(kind=AfterKind.MESSAGE, target=path, exit=way)
        interaction = self.ledger.put(replace(interaction, after=after))
        self.step.speak(
            RecordMessage(
                session=session,
                say=spelled(say, interaction) or (prompt("cc-message-leave"),),
                language=interaction.language,
                path=path,
                max_s=max_s,
                silence_s=MESSAGE_SILENCE_S,
            )
        )
        message = Message(interaction=interaction.id, queue=queue, path=path, left_by=interaction, only=only, next=next)
        self.step.sessions.put(session, replace(self.step.sessions[session], message=message))

    def message_recorded(self, session: Session, duration_s: float) -> Message | None:
        """The message is over: kept, if anything was said, and returned. Most callers end it by hanging up, and may be history by now."""
        message = session.message
        if message is None:
            return None
        self.step.sessions.put(session.id, replace(session, verb=None, message=None))
        if duration_s > 0:
            self.keep_message(message, duration_s, self.step.now.utc_s)
            self.message_begun(message)
        self.thank(message)
        return message if duration_s > 0 else None

    def keep_message(self, message: Message, duration_s: float, ended_utc_s: float) -> None:
        """It goes on record."""
        self.step.store(
            MessageRecord(
                interaction=message.interaction,
                queue=message.queue,
                path=message.path,
                started_utc_s=ended_utc_s - duration_s,
                duration_s=duration_s,
            )
        )

    def message_begun(self, message: Message) -> None:
        """Its file may hold something: the next message of this caller has a file of its own."""
        interaction = self.step.interactions.get(message.interaction)
        if interaction is not None:
            self.ledger.put(replace(interaction, messages=interaction.messages + 1))

    def thank(self, message: Message) -> None:
        """Who has left it, and is still there, goes on."""
        interaction = self.step.interactions.get(message.interaction)
        if interaction is None or not leaves(interaction, message):
            return
        if message.next is not None:
            self.say(interaction, (), After(kind=AfterKind.NODE, target=message.next))
        else:
            self.farewell(interaction)

    def farewell(self, interaction: Interaction) -> None:
        self.say(interaction, (prompt("cc-goodbye"),), After(kind=AfterKind.LEAVE))

    def release(self, interaction: Interaction, cause: int = 16) -> None:
        """Let the caller go; the interaction ends with the leg. The caller of a consultation is an agent, who stays."""
        if interaction.kind == CONSULT:
            self.step.tell(ConsultFailed(interaction.id))
            return
        if interaction.state is InteractionState.MENU:
            interaction = self.ledger.menu_segment(interaction, left_by(interaction, is_release=True))
        interaction = self.ledger.put(
            replace(
                interaction,
                state=advance(INTERACTION, interaction.state, InteractionStep.RELEASE),
                ended_by=interaction.ended_by or EndedBy.SYSTEM,
                after=None,
            )
        )
        self.step.deadlines.set(DeadlineKind.LEAVE, interaction.id, self.step.now.mono_s + LEAVE_S)
        self.end_session(interaction, cause)

    def hand_over(self, interaction: Interaction, extension: str) -> None:
        """To an extension of the dialplan. The call does not come back, so the interaction is over here."""
        if interaction.kind == CONSULT:
            self.step.tell(ConsultFailed(interaction.id))
            return
        session = self.step.caller_session(interaction)
        if session is None:
            # Between two sessions; when it comes back, it is handed over.
            way = Exit(kind=ExitKind.EXTENSION, target=extension)
            self.ledger.put(replace(interaction, after=After(kind=AfterKind.EXIT, exit=way)))
            return
        self.ledger.put(replace(interaction, outcome=Outcome.OVERFLOWED, ended_by=EndedBy.SYSTEM))
        self.step.end_session(EndSession(session=session, next=Next.EXTENSION, extension=extension))
        self.step.legs.drop(interaction.leg)
        self.step.tell(HandedOver(interaction.id))

    def end_session(self, interaction: Interaction, cause: int = 16) -> None:
        session = self.step.caller_session(interaction)
        if session is not None:
            self.step.end_session(EndSession(session=session, next=Next.HANG_UP, cause=cause))


def leaves(interaction: Interaction, message: Message) -> bool:
    """Whether this message is what the caller is about."""
    after = interaction.after
    return after is not None and after.kind is AfterKind.MESSAGE and after.target == message.path


def prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))


def spelled(say: tuple[Spoken, ...], interaction: Interaction) -> tuple[Spoken, ...]:
    """`say` with the interaction's own number in it, where it is asked for."""
    number = Spoken(SpokenKind.DIGITS, str(interaction.id))
    return tuple(number if piece.kind is SpokenKind.CALL_NUMBER else piece for piece in say)

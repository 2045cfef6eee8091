"""What is done to a customer's leg: answering, speaking, letting go, handing over.

The leg lives in a loop of the dialplan that comes back to us by an AGI session. Without an open session nothing can be said just now;
`Interaction.after` keeps what comes next until the leg is back.
"""

from dataclasses import replace

from ccserver.core.commands import AnswerCall, EndSession, Next, Say
from ccserver.core.facts import ConsultFailed, HandedOver, SaidNothing
from ccserver.core.ids import PromptId
from ccserver.core.ledger import Ledger
from ccserver.core.records import EndedBy, Outcome
from ccserver.core.settings import Exit, ExitKind, Spoken, SpokenKind
from ccserver.core.state import CONSULT, After, AfterKind, DeadlineKind, Interaction
from ccserver.core.step import Step
from ccserver.core.transitions import INTERACTION, InteractionState, InteractionStep, advance

LEAVE_S = 10.0
"""How long a released leg may take to end before it is hung up."""


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

    def release(self, interaction: Interaction, cause: int = 16) -> None:
        """Let the caller go; the interaction ends with the leg. The caller of a consultation is an agent, who stays."""
        if interaction.kind == CONSULT:
            self.step.tell(ConsultFailed(interaction.id))
            return
        if interaction.state is InteractionState.MENU:
            interaction = self.ledger.menu_segment(interaction)
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


def prompt(name: str) -> Spoken:
    return Spoken(SpokenKind.PROMPT, PromptId(name))


def spelled(say: tuple[Spoken, ...], interaction: Interaction) -> tuple[Spoken, ...]:
    """`say` with the interaction's own number in it, where it is asked for."""
    number = Spoken(SpokenKind.DIGITS, str(interaction.id))
    return tuple(number if piece.kind is SpokenKind.CALL_NUMBER else piece for piece in say)

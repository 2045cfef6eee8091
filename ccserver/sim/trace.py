"""Traces: what the core was told and what it answered, with moments; recorded anywhere, told leg by leg.

A run of the daemon is recorded as `core.traced` has it. From a journal, which has no commands, `replay.retrace` gives them again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ccserver.core.commands import (
    AnswerCall,
    Collect,
    CollectNumber,
    CollectSecret,
    Command,
    DialOut,
    EndSession,
    HangUpLeg,
    Place,
    RedirectLegs,
    Reply,
    RingAgent,
    Say,
    Store,
    WaitUntil,
)
from ccserver.core.events import (
    CallArrived,
    CommandDone,
    CommandFailed,
    DeskOpened,
    DigitsCollected,
    Event,
    FeatureDialled,
    Heard,
    LegDigit,
    LegEnded,
    LegMeasured,
    LegsTransferred,
    NumberCollected,
    OutcomeUnknown,
    OwnCallDialled,
    PromptEnded,
    RingEnded,
    ScriptEnded,
    SecretChecked,
    SessionClosed,
    TransferAsked,
    WaitEnded,
    WrapUpOpened,
)
from ccserver.core.ids import CommandId, LegId, SessionId
from ccserver.core.traced import TracedStep, read_step

NORMAL_CAUSES = frozenset({0, 16})
"""Asterisk gives 0 or 16 for the same hang-up, by what the channel was doing."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One event told to the core (`command_id` None), or one command it answered."""

    at_s: float
    said: Event | Command
    command_id: CommandId | None = None


def read_steps(recorded: bytes) -> list[TracedStep]:
    """The steps in a file that a daemon traced. Raises CodecError."""
    return [read_step(line) for line in recorded.splitlines()]


def unfold(steps: Iterable[TracedStep]) -> list[TraceLine]:
    """The lines of traced steps: each step's event, then its commands."""
    lines = []
    for step in steps:
        lines.append(TraceLine(step.mono_s, step.event))
        lines.extend(TraceLine(step.mono_s, command, CommandId(step.seq, place)) for place, command in enumerate(step.commands))
    return lines


# --- stories ----------------------------------------------------------------------------------------------------------
Happening = tuple[str, int]
"""What happened to a leg, and the how-manyth time: ("RingEnded answered", 1)."""


@dataclass(slots=True)
class Story:
    """What a trace tells of one leg, in order."""

    happenings: list[Happening] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)

    def tell(self, token: str) -> None:
        if token in REPEATED and self._seen[token]:
            return
        self._seen[token] += 1
        self.happenings.append((token, self._seen[token]))


REPEATED = frozenset({"LegRinging", "WaitUntil", "WaitEnded superseded", "WaitEnded timeout"})
"""How often these come depends on the phone and the waiting time, not on the rules: told once."""


def stories(trace: Sequence[TraceLine]) -> dict[str, Story]:
    """By leg, named by its part and order of appearance ("caller 1", "agent 2"), so that two runs can be compared."""
    return _Teller().tell(trace)


class _Teller:
    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self._names: dict[LegId, str] = {}
        self._parts: Counter[str] = Counter()
        self._sessions: dict[SessionId, LegId] = {}
        self._commands: dict[CommandId, LegId] = {}
        self._channels: dict[str, LegId] = {}

    def tell(self, trace: Sequence[TraceLine]) -> dict[str, Story]:
        for line in trace:
            leg = self._leg_of(line)
            if leg is not None and leg in self._names:
                self.stories[self._names[leg]].tell(_token(line.said))
        return self.stories

    def _name(self, leg: LegId, part: str) -> LegId:
        if leg not in self._names:
            self._parts[part] += 1
            name = f"{part} {self._parts[part]}"
            self._names[leg] = name
            self.stories[name] = Story()
        return leg

    def _leg_of(self, line: TraceLine) -> LegId | None:
        leg = self._leg(line.said)
        if line.command_id is not None and leg is not None:
            self._commands[line.command_id] = leg
        return leg

    def _leg(self, said: Event | Command) -> LegId | None:
        match said:
            case CallArrived():
                self._sessions[said.session] = said.leg
                self._channels[said.channel] = said.leg
                return self._name(said.leg, "caller")
            case FeatureDialled():
                self._sessions[said.session] = said.leg
                return self._name(said.leg, "feature")
            case WrapUpOpened() | DeskOpened() | TransferAsked():
                self._sessions[said.session] = said.leg
                return said.leg
            case OwnCallDialled():
                self._sessions[said.session] = said.leg
                return self._name(said.leg, "own call")
            case DialOut():
                return self._name(said.leg, "callee" if said.place is Place.CALLEE else "guest")
            case RedirectLegs():
                return said.moves[0].leg
            case LegsTransferred():
                return said.transferee
            case RingAgent():
                return self._name(said.leg, "agent")
            case CommandDone() | CommandFailed() | OutcomeUnknown():
                return self._commands.get(said.command)
            case Store() | Reply() | LegMeasured():  # what was measured is the clock's matter
                return None
        leg: LegId | None = getattr(said, "leg", None)
        session: SessionId | None = getattr(said, "session", None)
        return leg if leg is not None else self._sessions.get(session) if session is not None else None


def _token(said: Event | Command) -> str:
    """What is compared: the name, and the part of the content that rules decide and clocks do not."""
    name = type(said).__name__
    match said:
        case CallArrived() if said.heard is not Heard.NOTHING:
            return f"{name} {said.heard.value}"
        case CallArrived():
            return name if said.caller_number is not None else f"{name} withheld"
        case RingAgent():
            return name if said.number is not None else f"{name} withheld"
        case LegEnded():
            return f"{name} normal" if said.cause in NORMAL_CAUSES else f"{name} {said.cause}"
        case RingEnded():
            return f"{name} answered" if said.is_ok else name
        case PromptEnded() | WaitEnded():
            return f"{name} {said.end.value}"
        case DigitsCollected():
            return f"{name} {said.end.value} {said.digits}".rstrip()
        case SecretChecked():
            return f"{name} {said.is_ok}"
        case ScriptEnded():
            return f"{name} {said.end.value} {said.result}".rstrip()
        case NumberCollected():
            return f"{name} {said.end.value} {said.digits}".rstrip()
        case LegDigit():
            return f"{name} {said.digit}"
        case RedirectLegs():
            return " ".join([name, *(move.place.value for move in said.moves)])
        case DialOut():
            return f"{name} {said.place.value}"
        case EndSession():
            return f"{name} {said.next.value} {said.extension}".rstrip()
        case Say() | Collect() | CollectNumber() | CollectSecret():
            spoken = " ".join(piece.value for piece in said.say if not piece.value.isdigit())
            return f"{name} {spoken}".rstrip()
        case AnswerCall() | HangUpLeg() | WaitUntil() | SessionClosed():
            return name
    return name

"""Hands each command of the core to the edge that can do it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, assert_never

import structlog

from ccserver.core.commands import (
    AnswerCall,
    AwaitSilence,
    ClaimLeads,
    CloseRecording,
    Collect,
    CollectNumber,
    CollectSecret,
    Command,
    ControlRecording,
    ControlRoom,
    DialOut,
    EndSession,
    GiveBackLeads,
    HangUpLeg,
    JoinLeg,
    KeepPrompt,
    LookUp,
    MeasureMessage,
    OpenRecording,
    Place,
    RecordMessage,
    RedirectLegs,
    Reply,
    RingAgent,
    RingSupervisor,
    RoomStep,
    RunScript,
    Say,
    SetLamp,
    SpeakInTalk,
    SpyLeg,
    Store,
    StoreAttempt,
    StoreAudit,
    WaitUntil,
)
from ccserver.core.events import (
    AttemptStored,
    CommandFailed,
    DigitsCollected,
    Event,
    LeadsClaimed,
    LookedUp,
    LookUpEnd,
    MessageMeasured,
    MessageRecorded,
    NumberCollected,
    OpenEnd,
    PromptEnded,
    PromptKept,
    RecordingOpened,
    ScriptEnded,
    SecretChecked,
    StoreEnd,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import CommandId, Language, PromptId
from ccserver.core.records import AuditRecord, Record
from ccserver.core.settings import NumberKind

log = structlog.stdlib.get_logger(__name__)


class Edge(Protocol):
    """An edge that performs commands and posts what became of them."""

    def perform(self, command_id: CommandId, command: Command) -> None: ...


class Performer:
    """Routes by kind. A fault of an edge ends only that command: it is logged and comes back as the command's own end, failed,
    so that the core does not wait for an answer that nobody will give."""

    def __init__(
        self,
        *,
        sessions: Edge,
        legs: Edge,
        look_up: Callable[[CommandId, LookUp], None],
        keep_prompt: Callable[[CommandId, KeepPrompt], None],
        recordings: Callable[[CommandId, OpenRecording | CloseRecording], None],
        measure_message: Callable[[CommandId, MeasureMessage], None],
        leads: Callable[[CommandId, ClaimLeads | GiveBackLeads | StoreAttempt], None],
        find_sound: Callable[[Language, PromptId], str | None],
        keep: Callable[[CommandId, Record], None],
        keep_audit: Callable[[CommandId, AuditRecord], None],
        speak: Callable[[CommandId, SpeakInTalk], None],
        reply: Callable[[Reply], None],
        post: Callable[[Event], None],
        count_fault: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._legs = legs
        self._look_up = look_up
        self._keep_prompt = keep_prompt
        self._recordings = recordings
        self._measure_message = measure_message
        self._leads = leads
        self._find_sound = find_sound
        self._keep = keep
        self._keep_audit = keep_audit
        self._speak = speak
        self._reply = reply
        self._post = post
        self._count_fault = count_fault

    def perform(self, command_id: CommandId, command: Command) -> None:
        """Never raises."""
        try:
            self._route(command_id, command)
        except Exception as error:  # a fault of an edge; counted, logged, told to the core
            self._count_fault()
            log.error("command.faulted", command=type(command).__name__, exc_info=error)
            end = _failed_end(command_id, command, f"fault: {type(error).__name__}")
            if end is not None:
                self._post(end)

    def _announce(self, command_id: CommandId, command: ControlRoom) -> None:
        """What has no sound is not said, and told: the conference goes on."""
        if command.say is None or command.language is None:
            raise ValueError("an announcement of nothing")
        sound = self._find_sound(command.language, command.say)
        if sound is None:
            log.error("prompt.missing", prompt=command.say, language=command.language, mend="ccserver prompts render")
        else:
            self._legs.perform(command_id, replace(command, sound=sound))

    def _call(self, command_id: CommandId, command: DialOut) -> None:
        """Nobody is called who would hear nothing where we are away."""
        if command.fallback is None or command.language is None:
            raise ValueError("a callee who cannot be told who called")
        sound = self._find_sound(command.language, command.fallback)
        if sound is None:
            log.error("prompt.missing", prompt=command.fallback, language=command.language, mend="ccserver prompts render")
            self._post(CommandFailed(command=command_id, reason=f"the prompt {command.fallback} is missing"))
        else:
            self._legs.perform(command_id, replace(command, sound=sound))

    def _route(self, command_id: CommandId, command: Command) -> None:
        match command:
            case Store(record=record):
                self._keep(command_id, record)
            case StoreAudit(record=record):
                self._keep_audit(command_id, record)
            case ControlRoom(what=RoomStep.ANNOUNCE):
                self._announce(command_id, command)
            case DialOut(place=Place.CALLEE):
                self._call(command_id, command)
            case (
                RingAgent()
                | DialOut()
                | RingSupervisor()
                | JoinLeg()
                | SpyLeg()
                | RedirectLegs()
                | HangUpLeg()
                | ControlRecording()
                | ControlRoom()
                | SetLamp()
            ):
                self._legs.perform(command_id, command)
            case SpeakInTalk():
                self._speak(command_id, command)
            case (
                AnswerCall()
                | Say()
                | Collect()
                | CollectNumber()
                | CollectSecret()
                | RecordMessage()
                | RunScript()
                | WaitUntil()
                | AwaitSilence()
                | EndSession()
            ):
                self._sessions.perform(command_id, command)
            case LookUp():
                self._look_up(command_id, command)
            case KeepPrompt():
                self._keep_prompt(command_id, command)
            case OpenRecording() | CloseRecording():
                self._recordings(command_id, command)
            case MeasureMessage():
                self._measure_message(command_id, command)
            case ClaimLeads() | GiveBackLeads() | StoreAttempt():
                self._leads(command_id, command)
            case Reply():
                self._reply(command)
            case _:
                assert_never(command)


def _failed_end(command_id: CommandId, command: Command, reason: str) -> Event | None:
    """The event that ends `command` when it could not be done; None for those without an end that could come from here."""
    match command:
        case Say() | AwaitSilence():
            return PromptEnded(session=command.session, command=command_id, end=VerbEnd.FAILED)
        case Collect():
            return DigitsCollected(session=command.session, command=command_id, end=VerbEnd.FAILED, digits="")
        case WaitUntil():
            return WaitEnded(session=command.session, command=command_id, end=VerbEnd.FAILED)
        case CollectSecret():
            return SecretChecked(session=command.session, command=command_id, is_ok=None, is_failed=True)
        case AnswerCall() | RingAgent() | DialOut() | RingSupervisor() | JoinLeg() | SpyLeg() | RedirectLegs() | HangUpLeg():
            return CommandFailed(command=command_id, reason=reason)
        case CollectNumber():
            return NumberCollected(
                session=command.session, command=command_id, end=VerbEnd.FAILED, digits="", number="", kind=NumberKind.UNKNOWN
            )
        case RecordMessage():
            return MessageRecorded(session=command.session, command=command_id, end=VerbEnd.FAILED, duration_s=0.0)
        case RunScript():
            return ScriptEnded(session=command.session, command=command_id, end=VerbEnd.FAILED)
        case LookUp():
            return LookedUp(command=command_id, end=LookUpEnd.FAILED)
        case KeepPrompt():
            return PromptKept(command=command_id, is_ok=False)
        case MeasureMessage():
            return MessageMeasured(command=command_id, duration_s=None)
        case OpenRecording():
            return RecordingOpened(command=command_id, end=OpenEnd.FAILED)
        case ClaimLeads():
            return LeadsClaimed(command=command_id, campaign=command.campaign, is_ok=False)
        case StoreAttempt():
            return AttemptStored(command=command_id, attempt=command.attempt, end=StoreEnd.FAILED, why=reason)
        case (
            EndSession()
            | CloseRecording()
            | ControlRecording()
            | ControlRoom()
            | SpeakInTalk()
            | SetLamp()
            | GiveBackLeads()
            | Store()
            | StoreAudit()
            | Reply()
        ):
            return None
        case _:
            assert_never(command)

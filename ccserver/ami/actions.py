"""Commands of the core to actions of AMI. Pure: a command in, fields out, or a refusal with its reason.

Nothing that a caller can choose (name, number) reaches a place where Asterisk looks for more than text: it is put into the
CallerID field only, cleaned of what that field's own grammar uses. All else has a strict pattern, for a comma in a
`Variable` line starts a second variable and a `$` in one may be read as an expression.
"""

import math
import re
import unicodedata
from collections.abc import Iterator
from typing import assert_never

from ccserver.core.commands import (
    ControlRecording,
    ControlRoom,
    DialOut,
    Ears,
    HangUpLeg,
    JoinLeg,
    LampState,
    Move,
    Place,
    RecordingStep,
    RedirectLegs,
    RingAgent,
    RingSupervisor,
    RoomStep,
    SetLamp,
    SpeakInTalk,
    SpyLeg,
)
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import RecordingSide

AmiCommand = (
    RingAgent
    | DialOut
    | RingSupervisor
    | JoinLeg
    | SpyLeg
    | SpeakInTalk
    | RedirectLegs
    | HangUpLeg
    | ControlRecording
    | ControlRoom
    | SetLamp
)
ActionFields = tuple[tuple[str, str], ...]
"""In order, without ActionID; a key may come several times (`Variable`)."""

TRANSFER_CONTEXT = "cc-xfer"
FORWARD_CONTEXT = "cc-forward"
PLACES = {
    Place.JOIN: ("cc-agent", "ring"),
    Place.PARK: ("cc-agent", "park"),
    Place.DESK: ("cc-agent", "desk"),
    Place.LOOP: ("cc-call", "s"),
    Place.CALLEE: ("cc-callee", "s"),
}
"""Context and extension of each place in our dialplan; a conference's extension holds its room."""
CONFERENCE_CONTEXT = "cc-conference"
SUPERVISION_CONTEXT = "cc-supervise"
SPY_OPTIONS = {Ears.NOBODY: "", Ears.AGENT: "w", Ears.ALL: "B"}
"""Of ChanSpy, beside those in the dialplan."""
VOICE_CONTEXT = "cc-room-voice"
ROOM_PREFIX = "ccroom-"
"""Of the conferences with a number, in ConfBridge; all others are talks, or not ours."""
ROOM_ACTIONS = {
    RoomStep.LOCK: "ConfbridgeLock",
    RoomStep.UNLOCK: "ConfbridgeUnlock",
    RoomStep.STOP_RECORDING: "ConfbridgeStopRecord",
}
LAMP_STATES = {LampState.OFF: "NOT_INUSE", LampState.LIT: "INUSE", LampState.BLINKING: "RINGING"}
WITHHELD = "anonymous"

NAME_MAX = 60
NUMBER_MAX = 40
RING_TIMEOUT_MAX_S = 600.0
TALK_MAX_S = 25 * 3600.0  # a day, which the settings allow, and the moment the core gives itself before Asterisk

_PHONE = re.compile(r"PJSIP/[A-Za-z0-9_.@+-]{1,64}")
_CHANNEL = re.compile(r"[A-Za-z0-9]{1,20}/[A-Za-z0-9_.@+:;/-]{1,100}")
_UNIQUEID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_RECORDING = re.compile(r"/[A-Za-z0-9_./-]{1,300}")
_ROOM = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SOUND = re.compile(r"[A-Za-z0-9_./-]{1,300}")
_DIGITS = re.compile(r"[0-9]{0,20}")
_AMD = re.compile(r"[0-9]{1,6}(,[0-9]{1,6}){0,8}")
"""From the initial silence to the longest word, in milliseconds and words; the tenth is the name of a sound file."""
_LAMP = re.compile(r"[a-z]{1,20}-[A-Za-z0-9_-]{1,60}")
_ACTION_ID = re.compile(r"([0-9]{1,9})-([0-9]{1,18})-([0-9]{1,6})", re.ASCII)
_NUMBER_LETTERS = frozenset("0123456789+*#ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-")
# What a CallerID, a SIP display name or a dialplan expression could take for more than a letter.
_NAME_LETTERS_TAKEN = frozenset('"<>\\;$[]{}|`%~^@=')


class ActionRefused(Exception):
    """The command cannot be put to Asterisk safely. Nothing was sent; the text says which value, and never holds it whole."""


def action_id(incarnation: int, command: CommandId) -> str:
    """What Asterisk gives back in the answer and in OriginateResponse."""
    return f"{incarnation}-{command.seq}-{command.place}"


def command_of(given: str) -> CommandId | None:
    """The command behind an ActionID of this or an earlier incarnation; None when it is not one of ours."""
    match = _ACTION_ID.fullmatch(given)
    return CommandId(int(match[2]), int(match[3])) if match else None


def actions_for(command: AmiCommand) -> tuple[ActionFields, ...]:
    """The actions to send, in order and in one go: Asterisk performs those of one link one after the other, so what the last
    one needs is done by then. Raises `ActionRefused`."""
    match command:
        case RingAgent():
            return (tuple(_ring(command)),)
        case DialOut():
            return (tuple(_dial(command)),)
        case RingSupervisor():
            return (tuple(_originate(command)),)
        case SpyLeg():
            return tuple(_spy(command))
        case SpeakInTalk():
            return (tuple(_speak(command)),)
        case JoinLeg():
            return tuple(_join(command))
        case RedirectLegs():
            return (*_room_recordings(command.moves), tuple(_redirect(command.moves)))
        case HangUpLeg():
            # A channel's name may be its id, known before the channel exists. A leading slash would be a pattern.
            return ((("Action", "Hangup"), ("Channel", _uniqueid(command.leg)), ("Cause", str(_cause(command.cause)))),)
        case ControlRecording():
            return (_control_recording(command),)
        case ControlRoom():
            return (tuple(_control_room(command)),)
        case SetLamp():
            device = f"DEVICE_STATE(Custom:cc-{_matching(_LAMP, 'lamp', command.lamp)})"
            return (_set_variable(device, LAMP_STATES[command.state]),)
        case _:
            assert_never(command)


def has_end(command: AmiCommand) -> bool:
    """Whether the core is told what became of the command."""
    return not isinstance(command, ControlRecording | ControlRoom | SetLamp | SpeakInTalk)


def _ring(ring: RingAgent) -> Iterator[tuple[str, str]]:
    if ring.place not in {Place.JOIN, Place.PARK, Place.DESK}:
        raise ActionRefused(f"an agent's phone cannot be sent to {ring.place.value}")
    yield from _originate(ring)
    if ring.auto_answer:
        # Makes differ; those two are understood by nearly all.
        yield "Variable", "PJSIP_HEADER(add,Call-Info)=<sip:127.0.0.1>;answer-after=0"
        yield "Variable", "PJSIP_HEADER(add,Alert-Info)=<http://www.notused.com>;info=alert-autoanswer;delay=0"


def _dial(dial: DialOut) -> Iterator[tuple[str, str]]:
    if dial.place is Place.CONFERENCE:
        raise ActionRefused("nobody is called into a conference: they are sent there when they have answered")
    yield from _originate(dial)
    if dial.place is Place.CALLEE:
        if not dial.sound:
            raise ActionRefused("nothing that says who called was found, and a callee without it would hear nothing")
        yield "Variable", f"CC_FALLBACK_SOUND={_recording(dial.sound)}"
        # A comma in the value would begin the next variable.
        yield "Variable", f'CC_AMD="{_matching(_AMD, "amd", dial.amd)}"' if dial.amd else "CC_AMD="


def _originate(call: RingAgent | DialOut | RingSupervisor) -> Iterator[tuple[str, str]]:
    if not 0 < call.ring_timeout_s <= RING_TIMEOUT_MAX_S:
        raise ActionRefused(f"ring_timeout_s is {call.ring_timeout_s}, not between 0 and {RING_TIMEOUT_MAX_S}")
    leg = _uniqueid(call.leg)
    place = Place.PARK if isinstance(call, RingSupervisor) else call.place
    number = None if isinstance(call, RingSupervisor) else call.number
    context, extension = PLACES[place]
    yield "Action", "Originate"
    yield "Channel", _matching(_PHONE, "phone", call.to if isinstance(call, DialOut) else call.phone)
    yield "ChannelId", leg
    yield "Context", context
    yield "Exten", extension
    yield "Priority", "1"
    yield "CallerID", f'"{shown_name(call.name)}" <{shown_number(number)}>'
    yield "Timeout", str(math.ceil(call.ring_timeout_s * 1000))
    # Without Async the whole AMI session waits for the phone, the hang-up that should cancel it included.
    yield "Async", "true"
    if not isinstance(call, RingSupervisor) and place is Place.JOIN:
        for name, value in _talk(call):
            yield "Variable", f"{name}={value}"
    if place not in {Place.LOOP, Place.CALLEE}:
        # What tells our legs from a customer's in the dialplan.
        yield "Variable", f"CC_LEG={leg}"
        # A phone's own transfer (REFER) dials here, not in the phones' context, where outside lines are.
        yield "Variable", f"__TRANSFER_CONTEXT={TRANSFER_CONTEXT}"
    # A phone that answers 302 is refused: else Asterisk would call whatever number it names.
    yield "Variable", f"__FORWARD_CONTEXT={FORWARD_CONTEXT}"


def _talk(command: RingAgent | DialOut | JoinLeg) -> Iterator[tuple[str, str]]:
    """What `cc-agent,ring` reads: with whom to join, what to record, how long it may last."""
    if not 0 < command.max_talk_s <= TALK_MAX_S:
        raise ActionRefused(f"max_talk_s is {command.max_talk_s}, not between 0 and {TALK_MAX_S}")
    # Names are matched by their beginning: only whole ones are safe.
    yield "CC_CALLER", _matching(_CHANNEL, "caller_channel", command.caller_channel)
    yield "CC_REC", _recording(command.recording)
    yield "CC_MAX", str(math.ceil(command.max_talk_s))


def _join(join: JoinLeg) -> Iterator[ActionFields]:
    leg = _uniqueid(join.leg)
    for name, value in _talk(join):
        yield _set_variable(name, value, leg)
    yield _set_variable("CC_KEEP", "1" if join.is_kept else "", leg)
    context, extension = PLACES[Place.JOIN]
    yield (
        ("Action", "Redirect"),
        ("Channel", leg),
        ("Context", context),
        ("Exten", extension),
        ("Priority", "1"),
    )


def _spy(spy: SpyLeg) -> Iterator[ActionFields]:
    leg = _uniqueid(spy.leg)
    yield _set_variable("CC_SPY", _matching(_CHANNEL, "target_channel", spy.target_channel), leg)
    yield _set_variable("CC_SPYOPT", SPY_OPTIONS[spy.ears], leg)
    yield _set_variable("CC_REC", _recording(spy.recording), leg)
    yield (
        ("Action", "Redirect"),
        ("Channel", leg),
        ("Context", SUPERVISION_CONTEXT),
        ("Exten", "spy"),
        ("Priority", "1"),
    )


def _speak(speak: SpeakInTalk) -> Iterator[tuple[str, str]]:
    """Both ends are Asterisk's own: one speaks into the talk, and ends with what it says."""
    if not speak.sound:
        raise ActionRefused("nothing to say was found")
    yield "Action", "Originate"
    yield "Channel", f"Local/voice@{SUPERVISION_CONTEXT}/n"
    yield "Context", SUPERVISION_CONTEXT
    yield "Exten", "say"
    yield "Priority", "1"
    yield "Timeout", "5000"
    yield "Async", "true"
    yield "Variable", f"CC_SPY={_matching(_CHANNEL, 'channel', speak.channel)}"
    yield "Variable", f"CC_SPYOPT={SPY_OPTIONS[speak.ears]}"
    yield "Variable", f"CC_PROMPT={_recording(speak.sound)}"


def _redirect(moves: tuple[Move, ...]) -> Iterator[tuple[str, str]]:
    """Both legs of a talk go in one action: with two, the first to leave would send the other through its dialplan."""
    if not 1 <= len(moves) <= 2 or len({move.leg for move in moves}) != len(moves):
        raise ActionRefused(f"{len(moves)} moves: one or two legs can be redirected in one stroke")
    yield "Action", "Redirect"
    for prefix, move in zip(("", "Extra"), moves, strict=False):
        context, extension = _goal(move)
        yield f"{prefix}Channel", _uniqueid(move.leg)
        yield f"{prefix}Context", context
        yield f"{prefix}Exten", extension
        yield f"{prefix}Priority", "1"


def _room_recordings(moves: tuple[Move, ...]) -> Iterator[ActionFields]:
    """What `cc-conference` records of each leg; set in any case, for a leg may come there more than once."""
    for move in moves:
        if move.place is Place.CONFERENCE:
            recorded = _side_file(move.recording, move.side) if move.recording else ""
            yield _set_variable("CC_ROOM_REC", recorded, _uniqueid(move.leg))


def _side_file(path: str, side: RecordingSide) -> str:
    return f"{_recording(path)}-{'caller' if side is RecordingSide.CUSTOMER else 'agent'}.wav"


def _goal(move: Move) -> tuple[str, str]:
    if move.place is Place.CONFERENCE:
        return CONFERENCE_CONTEXT, f"room-{_matching(_ROOM, 'room', move.room)}"
    if move.place is Place.JOIN:
        raise ActionRefused("a leg is sent to its caller by JoinLeg, which says who that is")
    return PLACES[move.place]


def _control_recording(control: ControlRecording) -> ActionFields:
    channel = ("Channel", _uniqueid(control.leg))
    match control.what:
        case RecordingStep.START:
            path = _recording(control.recording)
            if not path:
                raise ActionRefused("recording names no path")
            # As the dialplan does it: two files kept in step, only while bridged; in a conference one for each leg.
            both = f"bt({path}-caller.wav)r({path}-agent.wav)"
            options = both if control.side is RecordingSide.BOTH else f"br({_side_file(path, control.side)})"
            return (("Action", "MixMonitor"), channel, ("Options", options))
        case RecordingStep.PAUSE | RecordingStep.RESUME:
            state = "1" if control.what is RecordingStep.PAUSE else "0"
            return (("Action", "MixMonitorMute"), channel, ("Direction", "both"), ("State", state))
        case RecordingStep.STOP:
            return (("Action", "StopMixMonitor"), channel)
        case _:
            assert_never(control.what)


def _control_room(control: ControlRoom) -> Iterator[tuple[str, str]]:
    conference = f"{ROOM_PREFIX}{_matching(_ROOM, 'room', control.room)}"
    match control.what:
        case RoomStep.ANNOUNCE:
            # A channel of its own comes in, says it to everybody and leaves. Its sounds are found by the dialplan's own language.
            yield "Action", "Originate"
            yield "Channel", f"Local/say@{VOICE_CONTEXT}/n"
            yield "Context", VOICE_CONTEXT
            yield "Exten", "enter"
            yield "Priority", "1"
            yield "Async", "true"
            yield "Variable", f"__CC_ROOM={control.room}"
            yield "Variable", f"__CC_SAY={_matching(_SOUND, 'sound', control.sound)}"
            yield "Variable", f"__CC_DIGITS={_matching(_DIGITS, 'digits', control.digits)}"
        case RoomStep.RECORD:
            path = _recording(control.recording)
            if not path:
                raise ActionRefused("recording names no path")
            yield "Action", "ConfbridgeStartRecord"
            yield "Conference", conference
            yield "RecordFile", f"{path}-caller.wav"
        case RoomStep.MUTE | RoomStep.UNMUTE | RoomStep.KICK:
            yield "Action", f"Confbridge{control.what.value.capitalize()}"
            yield "Conference", conference
            yield "Channel", _matching(_CHANNEL, "channel", control.channel)
        case RoomStep.LOCK | RoomStep.UNLOCK | RoomStep.STOP_RECORDING:
            yield "Action", ROOM_ACTIONS[control.what]
            yield "Conference", conference
        case _:
            assert_never(control.what)


def _set_variable(name: str, value: str, channel: str = "") -> ActionFields:
    """Without a channel the variable is global, or a function such as DEVICE_STATE."""
    of = (("Channel", channel),) if channel else ()
    return (("Action", "Setvar"), *of, ("Variable", name), ("Value", value))


def shown_name(name: str) -> str:
    """A caller's name as it may stand between the quotes of a CallerID. Raises `ActionRefused` for control characters."""
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in name):
        raise ActionRefused("name holds a control character")
    cleaned = "".join(" " if letter in _NAME_LETTERS_TAKEN or not letter.isprintable() else letter for letter in name)
    return " ".join(cleaned.split())[:NAME_MAX].rstrip()


def shown_number(number: str | None) -> str:
    """A number as it may stand between the brackets of a CallerID."""
    if number is None:
        return WITHHELD
    if not number.isprintable():
        raise ActionRefused("number holds a control character")
    return "".join(letter for letter in number if letter in _NUMBER_LETTERS)[:NUMBER_MAX] or WITHHELD


def _matching(pattern: re.Pattern[str], what: str, value: str) -> str:
    if not pattern.fullmatch(value):
        raise ActionRefused(f"{what} is {value[:40]!r}, which Asterisk could misread")
    return value


def _uniqueid(leg: LegId) -> str:
    return _matching(_UNIQUEID, "leg", leg.uniqueid)


def _recording(path: str) -> str:
    if not path:
        return ""
    if ".." in path.split("/"):
        raise ActionRefused("recording leaves its directory")
    return _matching(_RECORDING, "recording", path)


def _cause(cause: int) -> int:
    if not 0 <= cause <= 127:
        raise ActionRefused(f"cause is {cause}, not a Q.850 cause")
    return cause

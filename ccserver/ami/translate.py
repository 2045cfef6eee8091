"""AMI events to what the core understands. Pure: fields in, at most one fact out; never raises.

The table at the end is the one place that says which events of Asterisk are read at all. Fields that are missing or make no
sense give `Garbled`, which the link counts. A channel is known by its `Uniqueid` only: its name changes in a masquerade.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ccserver.ami.actions import ROOM_PREFIX, command_of
from ccserver.core.events import (
    CalleeTold,
    DialEnd,
    EmergencyDialled,
    Event,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegHeld,
    LegLeftBridge,
    LegMeasured,
    LegParked,
    LegRinging,
    LegStarted,
    LegsTransferred,
    LegUnheld,
    LinkUp,
    OwnDialEnded,
    PhoneStateChanged,
    RingEnded,
    RoomJoined,
    RoomLeft,
    RoomLocked,
    RoomMuted,
)
from ccserver.core.ids import LegId, PhoneId, RoomId
from ccserver.core.records import PhoneState, Stream


class DigitPressed(NamedTuple):
    """A key was released on a leg's phone. Not for the core: the AGI edge counts each digit once."""

    leg: LegId
    digit: str


class FarEndGone(NamedTuple):
    """The far end has hung up; for `link`, which knows whether the leg's end was lost. Of legs that we did not make."""

    leg: LegId


class KeyDown(NamedTuple):
    """A key went down on a leg's phone; for `digits.KeyFilter`."""

    leg: LegId


class Spying(NamedTuple):
    """A supervisor's leg began to hear another one, or ended it; for `digits.BridgedLegs`."""

    leg: LegId
    is_on: bool


@dataclass(frozen=True, slots=True)
class Garbled:
    """An event of a kind we read, with a field that makes no sense."""

    event: str
    field: str


class Scene(NamedTuple):
    """What an event is read against: the PBX it came from and the phones that the settings know."""

    pbx: str
    phones: Collection[PhoneId]


Translated = Event | DigitPressed | FarEndGone | KeyDown | Spying | Garbled | None

# Longest sensible ones: Asterisk's own limits are 80 for a channel's name and 150 for its Uniqueid.
_NAME_MAX = 160
_BRIDGE_MAX = 80
_EMERGENCY_MAX = 20
_FIGURE = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")
_CODEC_MAX = 20
_WHOLE_DIGITS = 6
_FIGURES_MAX = 400
_COUNT_MAX = 2**31

MEASURED_PACKETS_MIN = 250
"""Five seconds, after which the first report comes; a shorter leg says nothing of its line."""
SERVICE_CHANNELS = ("Local/", "CBRec/", "CBAnn/")
"""In a conference, and nobody."""

_DIAL_ENDS: Mapping[str, DialEnd] = {each.value: each for each in DialEnd}

PHONE_STATES: Mapping[str, PhoneState] = {
    "NOT_INUSE": PhoneState.IDLE,
    "RINGING": PhoneState.RINGING,
    "INUSE": PhoneState.IN_USE,
    "BUSY": PhoneState.IN_USE,
    "ONHOLD": PhoneState.IN_USE,
    "RINGINUSE": PhoneState.IN_USE,
    "UNAVAILABLE": PhoneState.UNAVAILABLE,
    "INVALID": PhoneState.UNAVAILABLE,
    "UNKNOWN": PhoneState.UNKNOWN,
}
"""Asterisk's device states. RINGINUSE counts as in use: the phone rings, but not for want of a free line."""


class _Missing(Exception):
    def __init__(self, field: str) -> None:
        self.field = field


def translate(fields: Mapping[str, str], scene: Scene) -> Translated:
    """The fact that one event tells; None when it tells us nothing."""
    name = fields.get("Event", "")
    reader = READERS.get(name)
    if reader is None:
        return None
    try:
        return reader(fields, scene)
    except _Missing as missing:
        return Garbled(name, missing.field)


def text_of(fields: Mapping[str, str], key: str, longest: int = _NAME_MAX) -> str | None:
    """A field's value if it is there, printable and not too long."""
    value = fields.get(key, "")
    return value if value and len(value) <= longest and value.isprintable() else None


def number_of(fields: Mapping[str, str], key: str) -> int | None:
    """A field's value as a whole number from 0 up, if it is one."""
    value = fields.get(key, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else None


def _text(fields: Mapping[str, str], key: str, longest: int = _NAME_MAX) -> str:
    value = text_of(fields, key, longest)
    if value is None:
        raise _Missing(key)
    return value


def _number(fields: Mapping[str, str], key: str) -> int:
    value = number_of(fields, key)
    if value is None:
        raise _Missing(key)
    return value


def _leg(fields: Mapping[str, str], scene: Scene) -> LegId:
    return LegId(scene.pbx, _text(fields, "Uniqueid"))


def _new_channel(fields: Mapping[str, str], scene: Scene) -> Translated:
    leg = _leg(fields, scene)
    return LegStarted(leg=leg, channel=_text(fields, "Channel")) if leg.is_ours() else None


def _new_state(fields: Mapping[str, str], scene: Scene) -> Translated:
    # By number: the description is text for people. 5: the far end rings; 4 is a channel that rings *us*.
    match _number(fields, "ChannelState"):
        case 5:
            return LegRinging(leg=_leg(fields, scene))
        case 6:
            return LegAnswered(leg=_leg(fields, scene))
        case _:
            return None


def _bridge_enter(fields: Mapping[str, str], scene: Scene) -> Translated:
    return LegEnteredBridge(leg=_leg(fields, scene), bridge=_text(fields, "BridgeUniqueid", _BRIDGE_MAX))


def _bridge_leave(fields: Mapping[str, str], scene: Scene) -> Translated:
    return LegLeftBridge(leg=_leg(fields, scene), bridge=_text(fields, "BridgeUniqueid", _BRIDGE_MAX))


def _hold(fields: Mapping[str, str], scene: Scene) -> Translated:
    return LegHeld(leg=_leg(fields, scene))


def _unhold(fields: Mapping[str, str], scene: Scene) -> Translated:
    return LegUnheld(leg=_leg(fields, scene))


def _hangup(fields: Mapping[str, str], scene: Scene) -> Translated:
    # The one event that must not be lost over a detail: a cause that cannot be read is 0, as Asterisk's own "unknown".
    # Cause 0 is normal for a caller who hung up inside AGI. TechCause reads "480", or "SIP 480 …" in some releases.
    return LegEnded(leg=_leg(fields, scene), cause=number_of(fields, "Cause") or 0, tech_cause=_sip_code(fields))


def _hangup_request(fields: Mapping[str, str], scene: Scene) -> Translated:
    leg = _leg(fields, scene)
    return None if leg.is_ours() else FarEndGone(leg)


def _sip_code(fields: Mapping[str, str]) -> int:
    for word in fields.get("TechCause", "").split()[:2]:
        if len(word) == 3 and word.isascii() and word.isdigit():
            return int(word)
    return 0


def _device_state(fields: Mapping[str, str], scene: Scene) -> Translated:
    phone = PhoneId(_text(fields, "Device"))
    if phone not in scene.phones:
        return None
    state = PHONE_STATES.get(_text(fields, "State"))
    return PhoneStateChanged(phone=phone, state=state) if state is not None else Garbled("DeviceStateChange", "State")


def _originate_response(fields: Mapping[str, str], scene: Scene) -> Translated:
    command = command_of(fields.get("ActionID", ""))
    if command is None:
        return None  # somebody else's Originate
    # With a ChannelId that was in use, this is the *live* leg's Uniqueid: it ends the action, never by itself the leg.
    leg = _leg(fields, scene)
    if not leg.is_ours():
        return Garbled("OriginateResponse", "Uniqueid")
    return RingEnded(
        command=command, leg=leg, is_ok=_text(fields, "Response") == "Success", reason=number_of(fields, "Reason") or 0
    )


def _fully_booted(fields: Mapping[str, str], scene: Scene) -> Translated:
    # Sent at the end of Asterisk's start, and at once to whoever logs in later, then with an uptime above 0.
    return LinkUp(pbx=scene.pbx, uptime_s=float(_number(fields, "Uptime")))


def _dtmf_begin(fields: Mapping[str, str], scene: Scene) -> Translated:
    return KeyDown(_leg(fields, scene)) if fields.get("Direction") == "Received" else None


def _dtmf_end(fields: Mapping[str, str], scene: Scene) -> Translated:
    # Sent: a digit we play to the channel. Only what came from the phone is somebody's key.
    if fields.get("Direction") != "Received":
        return None
    digit = fields.get("Digit", "")
    if len(digit) != 1 or digit not in "0123456789*#ABCD":
        raise _Missing("Digit")
    return DigitPressed(_leg(fields, scene), digit)


def _spy_start(fields: Mapping[str, str], scene: Scene) -> Translated:
    return Spying(LegId(scene.pbx, _text(fields, "SpyerUniqueid")), is_on=True)


def _spy_stop(fields: Mapping[str, str], scene: Scene) -> Translated:
    return Spying(LegId(scene.pbx, _text(fields, "SpyerUniqueid")), is_on=False)


def room_of(fields: Mapping[str, str]) -> RoomId | None:
    """The conference with a number that a message is of; None for any other, and for what passes through one to say or record."""
    name = text_of(fields, "Conference", _BRIDGE_MAX) or ""
    is_service = fields.get("Channel", "").startswith(SERVICE_CHANNELS)
    return RoomId(name.removeprefix(ROOM_PREFIX)) if name.startswith(ROOM_PREFIX) and not is_service else None


def _room_join(fields: Mapping[str, str], scene: Scene) -> Translated:
    room = room_of(fields)
    if room is None:
        return None
    return RoomJoined(
        leg=_leg(fields, scene),
        channel=_text(fields, "Channel"),
        room=room,
        is_moderator=fields.get("Admin") == "Yes",
        is_muted=fields.get("Muted") == "Yes",
    )


def _room_leave(fields: Mapping[str, str], scene: Scene) -> Translated:
    room = room_of(fields)
    return RoomLeft(leg=_leg(fields, scene), room=room) if room is not None else None


def _room_mute(fields: Mapping[str, str], scene: Scene) -> Translated:
    room = room_of(fields)
    if room is None:
        return None
    return RoomMuted(leg=_leg(fields, scene), room=room, is_muted=fields.get("Event") == "ConfbridgeMute")


def _room_lock(fields: Mapping[str, str], scene: Scene) -> Translated:
    room = room_of(fields)
    return RoomLocked(room=room, is_locked=fields.get("Event") == "ConfbridgeLock") if room is not None else None


def _attended_transfer(fields: Mapping[str, str], scene: Scene) -> Translated:
    # Told for each attempt. Only two talks of two become one talk: from a conference or an application there is no target.
    if fields.get("Result") != "Success" or not fields.get("TransfereeUniqueid") or not fields.get("TransferTargetUniqueid"):
        return None
    return LegsTransferred(
        transferrer=LegId(scene.pbx, _text(fields, "OrigTransfererUniqueid")),
        second=LegId(scene.pbx, _text(fields, "SecondTransfererUniqueid")),
        transferee=LegId(scene.pbx, _text(fields, "TransfereeUniqueid")),
        target=LegId(scene.pbx, _text(fields, "TransferTargetUniqueid")),
        target_channel=_text(fields, "TransferTargetChannel"),
    )


def _user_event(fields: Mapping[str, str], scene: Scene) -> Translated:
    reader = USER_EVENTS.get(fields.get("UserEvent", ""))
    return reader(fields, scene) if reader is not None else None


def _parked(fields: Mapping[str, str], scene: Scene) -> Translated:
    return LegParked(leg=_leg(fields, scene))


def _callee_told(fields: Mapping[str, str], scene: Scene) -> Translated:
    return CalleeTold(leg=_leg(fields, scene))


def _emergency(fields: Mapping[str, str], scene: Scene) -> Translated:
    # A channel's name is its endpoint's, a dash and eight hexadecimal digits.
    phone = PhoneId(_text(fields, "Channel").rpartition("-")[0])
    return EmergencyDialled(
        leg=_leg(fields, scene), phone=phone if phone in scene.phones else None, to=_text(fields, "To", _EMERGENCY_MAX)
    )


def _own_dial_ended(fields: Mapping[str, str], scene: Scene) -> Translated:
    status = _DIAL_ENDS.get(_text(fields, "Status"))
    if status is None:
        return None
    return OwnDialEnded(
        leg=_leg(fields, scene), end=status, cause=_whole(fields, "Cause"), talk_s=float(_whole(fields, "Talked"))
    )


def _whole(fields: Mapping[str, str], key: str) -> int:
    """0 for what is none: a call that was not answered was not talked for any time."""
    value = fields.get(key, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _WHOLE_DIGITS else 0


def _quality(fields: Mapping[str, str], scene: Scene) -> Translated:
    """In Asterisk's words `lp` and `txjitter` are the losses and the jitter of what came, `rlp` and `rxjitter` what the telephone reports
    of what it got. A telephone that reports nothing leaves the round trip at 0."""
    leg = _leg(fields, scene)
    figures = dict(part.strip().partition("=")[::2] for part in _text(fields, "RTCP", _FIGURES_MAX).split(";"))
    received = Stream(
        packets=_count(figures, "rxcount"), lost=_count(figures, "lp"), jitter_ms=_measure(figures, "txjitter") * 1000.0
    )
    if received.packets < MEASURED_PACKETS_MIN:
        return None
    sent = Stream(
        packets=_count(figures, "txcount"), lost=_count(figures, "rlp"), jitter_ms=_measure(figures, "rxjitter") * 1000.0
    )
    rtt_ms = _measure(figures, "rtt") * 1000.0
    return LegMeasured(
        leg=leg,
        codec=_text(fields, "Codec", _CODEC_MAX).strip("()").lower(),
        received=received,
        sent=sent if rtt_ms > 0 else None,
        rtt_ms=rtt_ms if rtt_ms > 0 else None,
    )


def _count(figures: Mapping[str, str], key: str) -> int:
    """Losses are below 0 when some packets came twice."""
    return max(0, int(_measure(figures, key)))


def _measure(figures: Mapping[str, str], key: str) -> float:
    value = figures.get(key, "")
    if not _FIGURE.fullmatch(value) or float(value) > _COUNT_MAX:
        raise _Missing("RTCP")
    return float(value)


USER_EVENTS: Mapping[str, Callable[[Mapping[str, str], Scene], Translated]] = {
    "CCCalleeTold": _callee_told,
    "CCDialled": _own_dial_ended,
    "CCEmergency": _emergency,
    "CCParked": _parked,
    "CCQuality": _quality,
}
"""Those of our dialplan."""

READERS: Mapping[str, Callable[[Mapping[str, str], Scene], Translated]] = {
    "AttendedTransfer": _attended_transfer,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "ChanSpyStart": _spy_start,
    "ChanSpyStop": _spy_stop,
    "ConfbridgeJoin": _room_join,
    "ConfbridgeLeave": _room_leave,
    "ConfbridgeLock": _room_lock,
    "ConfbridgeMute": _room_mute,
    "ConfbridgeUnlock": _room_lock,
    "ConfbridgeUnmute": _room_mute,
    "DTMFBegin": _dtmf_begin,
    "DTMFEnd": _dtmf_end,
    "DeviceStateChange": _device_state,
    "FullyBooted": _fully_booted,
    "Hangup": _hangup,
    "HangupRequest": _hangup_request,
    "Hold": _hold,
    "Newchannel": _new_channel,
    "Newstate": _new_state,
    "OriginateResponse": _originate_response,
    "Unhold": _unhold,
    "UserEvent": _user_event,
}
"""Every event that is read, and by what. What is not here is dropped before it is decoded."""

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

from ccserver.core.commands import ConnectLegs, HangUpLeg, RingAgent
from ccserver.core.ids import CommandId, LegId

AmiCommand = RingAgent | HangUpLeg | ConnectLegs
ActionFields = tuple[tuple[str, str], ...]
"""In order, without ActionID; a key may come several times (`Variable`)."""

AGENT_CONTEXT = "cc-agent"
RING_EXTENSION = "ring"
TRANSFER_CONTEXT = "cc-xfer"
WITHHELD = "anonymous"

NAME_MAX = 60
NUMBER_MAX = 40
RING_TIMEOUT_MAX_S = 600.0
TALK_MAX_S = 25 * 3600.0  # a day, which the settings allow, and the moment the core gives itself before Asterisk

_PHONE = re.compile(r"PJSIP/[A-Za-z0-9_.@+-]{1,64}")
_CHANNEL = re.compile(r"[A-Za-z0-9]{1,20}/[A-Za-z0-9_.@+:;/-]{1,100}")
_UNIQUEID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_RECORDING = re.compile(r"/[A-Za-z0-9_./-]{1,300}")
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


def action_for(command: AmiCommand) -> ActionFields:
    """The fields to send. Raises `ActionRefused`."""
    match command:
        case RingAgent():
            return tuple(_originate(command))
        case HangUpLeg():
            # A channel's name may be its id, known before the channel exists. A leading slash would be a pattern.
            return (("Action", "Hangup"), ("Channel", _uniqueid(command.leg)), ("Cause", str(_cause(command.cause))))
        case ConnectLegs():
            # Names are matched by their beginning: only whole ones are safe.
            first = _matching(_CHANNEL, "caller_channel", command.caller_channel)
            second = _matching(_CHANNEL, "agent_channel", command.agent_channel)
            return (("Action", "Bridge"), ("Channel1", first), ("Channel2", second), ("Tone", "no"))
        case _:
            assert_never(command)


def _originate(ring: RingAgent) -> Iterator[tuple[str, str]]:
    if not 0 < ring.ring_timeout_s <= RING_TIMEOUT_MAX_S:
        raise ActionRefused(f"ring_timeout_s is {ring.ring_timeout_s}, not between 0 and {RING_TIMEOUT_MAX_S}")
    if not 0 < ring.max_talk_s <= TALK_MAX_S:
        raise ActionRefused(f"max_talk_s is {ring.max_talk_s}, not between 0 and {TALK_MAX_S}")
    leg = _uniqueid(ring.leg)
    yield "Action", "Originate"
    yield "Channel", _matching(_PHONE, "phone", ring.phone)
    yield "ChannelId", leg
    yield "Context", AGENT_CONTEXT
    yield "Exten", RING_EXTENSION
    yield "Priority", "1"
    yield "CallerID", f'"{shown_name(ring.name)}" <{shown_number(ring.number)}>'
    yield "Timeout", str(math.ceil(ring.ring_timeout_s * 1000))
    # Without Async the whole AMI session waits for the phone, the hang-up that should cancel it included.
    yield "Async", "true"
    yield "Variable", f"CC_CALLER={_matching(_CHANNEL, 'caller_channel', ring.caller_channel)}"
    yield "Variable", f"CC_LEG={leg}"
    yield "Variable", f"CC_REC={_recording(ring.recording)}"
    yield "Variable", f"CC_MAX={math.ceil(ring.max_talk_s)}"
    # A phone's own transfer (REFER) dials here, not in the phones' context, where outside lines are.
    yield "Variable", f"__TRANSFER_CONTEXT={TRANSFER_CONTEXT}"
    if ring.auto_answer:
        # Makes differ; those two are understood by nearly all.
        yield "Variable", "PJSIP_HEADER(add,Call-Info)=<sip:127.0.0.1>;answer-after=0"
        yield "Variable", "PJSIP_HEADER(add,Alert-Info)=<http://www.notused.com>;info=alert-autoanswer;delay=0"


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

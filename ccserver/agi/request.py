"""What the opening block of a session says: which script, which channel, who calls. All of it may be hostile."""

import hmac
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl

from ccserver.agi.attestation import attestation, verified
from ccserver.agi.numbers import Numbering, dialled, outside
from ccserver.agi.wire import Request
from ccserver.core.events import CallArrived, DeskOpened, FeatureDialled, Heard, OwnCallDialled, TransferAsked, WrapUpOpened
from ccserver.core.ids import Language, LegId, PhoneId, SessionId
from ccserver.core.records import Attestation

MAX_NAME_CHARS = 80
MAX_NUMBER_CHARS = 40
_MAX_CHANNEL_CHARS = 200

_UNIQUEID = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
_CHANNEL = re.compile(r"[^\x00-\x20\x7f\"\\,;|]+")
_CODE = re.compile(r"[0-9*#]{1,32}")
_HEARD = {"": Heard.NOTHING, "HUMAN": Heard.HUMAN, "MACHINE": Heard.MACHINE}
"""AMDSTATUS; all others (NOTSURE, HANGUP) say that nobody knows."""
_TO = re.compile(r"[0-9*#+]{1,40}")
_DID = re.compile(r"\+?[0-9A-Za-z*#_-]{1,40}")
_ABSENT = frozenset({"", "unknown", "anonymous", "unavailable", "restricted", "withheld", "private"})
# Bits 5 and 6 of the presentation: 00 allowed, 01 restricted, 10 not available.
_PRESENTATION = 0x60


class Script(Enum):
    INBOUND = "inbound"
    FEATURE = "feature"
    WRAP_UP = "wrapup"
    DESK = "desk"
    DIAL = "dial"
    TRANSFER = "transfer"


class Refused(Exception):
    """This connection becomes no session; `reason` is one of a few words, for a metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    script: Script
    leg: LegId
    channel: str
    language: Language
    query: dict[str, str]
    request: Request


def read_opening(request: Request, *, secret: str, pbx: str) -> Opening:
    """Raises Refused: for a wrong secret, an unknown script, a channel without a usable name or id."""
    variables = request.variables
    path, _, query = variables.get("agi_network_script", "").partition("?")
    given, _, script = path.strip("/").partition("/")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refused("secret")
    try:
        wanted = Script(script)
    except ValueError:
        raise Refused("script") from None
    uniqueid, channel = variables.get("agi_uniqueid", ""), variables.get("agi_channel", "")
    if not _UNIQUEID.fullmatch(uniqueid) or not _CHANNEL.fullmatch(channel) or len(channel) > _MAX_CHANNEL_CHARS:
        raise Refused("channel")
    try:
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=16))
    except ValueError:
        raise Refused("query") from None
    return Opening(
        script=wanted,
        leg=LegId(pbx, uniqueid),
        channel=channel,
        language=Language(printable(variables.get("agi_language", ""), 20)),
        query=pairs,
        request=request,
    )


def call_arrived(opening: Opening, session: SessionId, normalise: Callable[[str], str | None]) -> CallArrived:
    """The number dialled is the script's first argument; without one, what Asterisk has as DNID.

    A number that the caller withheld is not kept, even where the trunk delivers it.
    """
    variables = opening.request.variables
    did = variables.get("agi_arg_1") or variables.get("agi_dnid", "")
    given = printable(variables.get("agi_callerid", ""), MAX_NUMBER_CHARS)
    name = printable(variables.get("agi_calleridname", ""), MAX_NAME_CHARS)
    is_withheld = given.lower() in _ABSENT or _is_restricted(variables.get("agi_callingpres", "0"))
    if is_withheld or name.lower() in _ABSENT:
        name = ""
    return CallArrived(
        session=session,
        leg=opening.leg,
        channel=opening.channel,
        did=did if _DID.fullmatch(did) and did != "unknown" else "",
        caller_number=None if is_withheld else normalise(given) or given,
        number_as_given="" if is_withheld else given,
        caller_name=name,
        heard=_HEARD.get(opening.query.get("heard", ""), Heard.UNSURE),
        attestation=_attestation(opening.query),
    )


def _attestation(query: Mapping[str, str]) -> Attestation:
    """The carrier's word, and without one that of Asterisk itself."""
    told = attestation(*(query.get(name, "") for name in ("attest", "asserted", "from")))
    return verified(query.get("verified", ""), query.get("level", "")) if told is Attestation.NONE else told


def feature_dialled(opening: Opening, session: SessionId, phones: Collection[PhoneId]) -> FeatureDialled:
    """Raises Refused for a code that no keypad could have typed."""
    # parse_qsl reads "+" as a space; neither is on a keypad.
    code = opening.query.get("code", "")
    if not _CODE.fullmatch(code):
        raise Refused("code")
    return FeatureDialled(
        session=session, leg=opening.leg, channel=opening.channel, phone=_phone(opening.channel, phones), digits=code
    )


def wrap_up_opened(opening: Opening, session: SessionId) -> WrapUpOpened:
    """The `leg` in the query is for people who read a log; the channel itself says which one it is."""
    return WrapUpOpened(session=session, leg=opening.leg)


def desk_opened(opening: Opening, session: SessionId) -> DeskOpened:
    return DeskOpened(session=session, leg=opening.leg, channel=opening.channel)


def transfer_asked(opening: Opening, session: SessionId, numbering: Numbering) -> TransferAsked:
    """Raises Refused for a target that no phone could have dialled."""
    to = _to(opening, "to")
    target = dialled(to, numbering)
    return TransferAsked(
        session=session, leg=opening.leg, channel=opening.channel, to=to, number=target.number, kind=target.kind
    )


def own_call_dialled(opening: Opening, session: SessionId, phones: Collection[PhoneId], numbering: Numbering) -> OwnCallDialled:
    """The query says by which part of the dialplan: `to`, an internal number, or `outside`, what follows the prefix. Raises
    Refused for what no phone could have dialled."""
    is_outside = "outside" in opening.query
    to = _to(opening, "outside" if is_outside else "to")
    target = outside(to, numbering.country) if is_outside else dialled(to, numbering)
    return OwnCallDialled(
        session=session,
        leg=opening.leg,
        channel=opening.channel,
        phone=_phone(opening.channel, phones),
        to=to,
        number=target.number,
        kind=target.kind,
    )


def _to(opening: Opening, name: str) -> str:
    to = opening.query.get(name, "")
    if not _TO.fullmatch(to):
        raise Refused("to")
    return to


def _phone(channel: str, phones: Collection[PhoneId]) -> PhoneId | None:
    # A channel's name is its endpoint's, a dash and eight hexadecimal digits.
    phone = PhoneId(channel.rpartition("-")[0])
    return phone if phone in phones else None


def printable(text: str, limit: int) -> str:
    """`text` without anything that is not printable (controls, line ends, direction marks), in at most `limit` characters."""
    return "".join(character for character in text[: 4 * limit] if character.isprintable())[:limit].strip()


def _is_restricted(presentation: str) -> bool:
    try:
        return bool(int(presentation[:8]) & _PRESENTATION)
    except ValueError:
        return False

"""The kinds of values this trade has: names, numbers, prompts, phones."""

import base64
import ipaddress
import re
import zoneinfo
from dataclasses import dataclass

from ccserver.config.edges import PromptSource
from ccserver.config.positions import Listing, Node, PathInFile, Table, is_control
from ccserver.config.schema import (
    Field,
    FilePath,
    Group,
    Number,
    Reader,
    Reference,
    Text,
    got,
    hinted,
    nearest,
)
from ccserver.core.ids import AgentId, FlowId, HoursId, Language, NodeId, PromptId, QueueId, RoomId, SkillId

NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
NAME_HINT = "letters, digits, _ and -, beginning with a letter"
LANGUAGE_PATTERN = r"[a-z]{2,3}(_[A-Z]{2})?"

seconds = "seconds"


def duration(low: float, high: float, example: str) -> Number[float]:
    """Seconds, with fractions."""
    return Number(float, low, high, example, seconds)


def whole(low: int, high: int, example: str) -> Number[int]:
    """A whole number without a unit."""
    return Number(int, low, high, example)


def shown_name(what: str) -> Text[str]:
    """A name for people: printable, short enough for a phone's display."""
    return Text(what, str, r"\S(.*\S)?", 40, hint="without spaces at its ends")


port = whole(1, 65535, "5038")
word = Text("a word of letters, digits, _ . -", str, r"[A-Za-z0-9_.-]{1,40}", 40)
prompt = Reference("a prompt", ("prompts",), PromptId)
skill = Reference("a skill", ("skills",), SkillId)
agent = Reference("an agent", ("agents",), AgentId)
queue = Reference("a queue", ("queues",), QueueId)
flow = Reference("a flow", ("flows",), FlowId)
conference = Reference("a conference", ("conferences",), RoomId)
language = Reference("a language", ("languages",), Language)
hours_name = Reference("opening hours", ("hours",), HoursId)
node_name = Reference("a node of this flow", ("flows", "*", "nodes"), NodeId)
extension = Text("an extension of the dialplan", str, r"[0-9A-Za-z*#+_-]{1,40}", 40, "2000")
code = Text("a code of 1 to 4 digits", str, r"[0-9]{1,4}", 8, "1")


def _pin_hash(text: str) -> str:
    # The limits of what a check of a PIN may cost.
    n, r, p = (int(part) for part in text.split("$")[1:4])
    if not (2 <= n <= 1 << 17 and n & (n - 1) == 0 and 1 <= r <= 16 and 1 <= p <= 4):
        raise ValueError("make it with: ccserver agent hash-pin")
    for part in text.split("$")[4:]:
        base64.b64decode(part, validate=True)
    return text


pin_hash = Text(
    "a hashed PIN",
    _pin_hash,
    r"scrypt\$[0-9]{1,8}\$[0-9]{1,3}\$[0-9]{1,3}\$[A-Za-z0-9+/]{11,86}={0,2}\$[A-Za-z0-9+/]{22,86}={0,2}",
    512,
    hint="make it with: ccserver agent hash-pin",
    is_secret=True,
)


# --- addresses, zones, dates ------------------------------------------------------------------------------------------
def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(text, zoneinfo.available_timezones())
        raise ValueError(f"did you mean {near}?" if near else "for example Europe/Madrid") from None
    return text


address = Text("an IP address", _address, r"[0-9A-Fa-f.:]+", 45, "127.0.0.1")
host = Text("a host name or IP address", str, r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?", 253, "127.0.0.1")
zone = Text("a time zone", _zone, r"[A-Za-z0-9_+/-]+", 64, "Europe/Madrid")


# --- prompts ----------------------------------------------------------------------------------------------------------
voice = Text("a voice of the speech engine", str, r"[A-Za-z0-9/][A-Za-z0-9_+./-]{0,199}", 200, "en-us")


class SpokenText:
    """What is said in one language: a text, or a table with `text`, `file`, `voice`."""

    expected = "a text to be spoken, or a table with text, file, voice"
    group = Group(
        "a prompt in one language",
        lambda text, file, voice: PromptSource(text=text, file=file, voice=voice),
        [
            Field("text", Text("a text to be spoken", str, r".+", 1000), "What the speech engine says.", default=""),
            Field(
                "file",
                FilePath("a recorded file"),
                "A WAV file, 8 kHz, mono, 16 bit; it wins over the text. A relative path starts at the folder of this file.",
                default=None,
            ),
            Field("voice", voice, "The voice for this text; without it the language's.", default=""),
        ],
    )

    def read(self, reader: Reader, node: Node, path: PathInFile) -> PromptSource | None:
        """The source; a text may run over several lines."""
        if isinstance(node, Table):
            source = self.group.read(reader, node, path)
            if source is not None and not source.text and source.file is None:
                reader.tell(path, "expected a text or a file, got neither (for example text: Welcome)", node.mark)
                return None
            return source
        if isinstance(node, Listing) or node.is_nothing():
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", "for example Welcome"), node.mark)
            return None
        text = " ".join(re.split(r"[ \t\n]+", node.text.strip()))
        if any(is_control(c) for c in text):
            reader.tell(path, "expected a text to be spoken, got a control character in it (remove it)", node.mark)
            return None
        if not 1 <= len(text) <= 1000:
            reader.tell(path, f"expected a text of 1 to 1000 characters, got {len(text)} (divide it)", node.mark)
            return None
        return PromptSource(text=text)


# --- phones -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Numbers:
    """One extension, or a span of them with the same number of digits."""

    first: str
    count: int

    def each(self) -> list[str]:
        """All of them, with leading zeros kept."""
        return [str(int(self.first) + index).zfill(len(self.first)) for index in range(self.count)]


def _numbers(text: str) -> Numbers:
    first, _, last = text.partition("-")
    last = last or first
    if len(first) != len(last) or int(last) < int(first):
        raise ValueError("a span rises and has as many digits on both sides, for example 1001-1006")
    if int(last) - int(first) >= 5000:
        raise ValueError("at most 5000 phones in one span")
    return Numbers(first, int(last) - int(first) + 1)


phone_numbers = Text("an extension or a span of extensions", _numbers, r"[0-9]{2,10}(-[0-9]{2,10})?", 21, "1001-1006")
asterisk_dir = FilePath("a folder as Asterisk sees it", is_local=False)
local_dir = FilePath("a folder")

"""The kinds of values this trade has: names, numbers, hours, prompts, phones."""

import base64
import ipaddress
import itertools
import re
import zoneinfo
from dataclasses import dataclass
from datetime import date
from typing import NewType

from ccserver.config.edges import PromptSource
from ccserver.config.positions import Listing, Node, PathInFile, Scalar, Table, is_control, quoted
from ccserver.config.schema import (
    Field,
    FilePath,
    Flag,
    Group,
    ListOf,
    MapOf,
    Number,
    Reader,
    Reference,
    Text,
    got,
    hinted,
    nearest,
)
from ccserver.core.ids import AgentId, FlowId, HoursId, Language, NodeId, PromptId, QueueId, SkillId
from ccserver.core.settings import OpeningHours, Spoken, SpokenKind

NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
NAME_HINT = "letters, digits, _ and -, beginning with a letter"
LANGUAGE_PATTERN = r"[a-z]{2,3}(_[A-Z]{2})?"

Span = tuple[int, int]
Days = NewType("Days", tuple[int, ...])
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

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


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("there is no such day") from None


address = Text("an IP address", _address, r"[0-9A-Fa-f.:]+", 45, "127.0.0.1")
host = Text("a host name or IP address", str, r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?", 253, "127.0.0.1")
zone = Text("a time zone", _zone, r"[A-Za-z0-9_+/-]+", 64, "Europe/Madrid")
day_off = Text("a date", _date, r"[0-9]{4}-[0-9]{2}-[0-9]{2}", 10, "2026-12-25")


# --- opening hours ----------------------------------------------------------------------------------------------------
def _days(text: str) -> Days:
    first, _, last = text.partition("-")
    start, end = DAYS.index(first), DAYS.index(last or first)
    if start > end:
        raise ValueError("the week begins on monday")
    return Days(tuple(range(start, end + 1)))


def _span(text: str) -> Span:
    hours = re.findall(r"[0-9]+", text)
    start, end = int(hours[0]) * 60 + int(hours[1]), int(hours[2]) * 60 + int(hours[3])
    if int(hours[1]) > 59 or int(hours[3]) > 59 or end > 24 * 60:
        raise ValueError("from 00:00 to 24:00")
    if start >= end:
        raise ValueError("the end is after the start; past midnight write two, to 24:00 and from 00:00 of the next day")
    return start, end


_day = "(" + "|".join(DAYS) + ")"
days = Text("a weekday or a span of weekdays", _days, f"{_day}(-{_day})?", 20, "monday-friday")
span = Text("a span of hours", _span, r"[0-9]{1,2}:[0-9]{2} ?- ?[0-9]{1,2}:[0-9]{2}", 13, "09:00-18:00")


def opening_hours(timezone: str, open: dict[Days, tuple[Span, ...]], closed_on: tuple[str, ...]) -> OpeningHours:
    """The seven days from spans of days. Raises ValueError when spans of one day overlap."""
    week: list[list[Span]] = [[] for _ in DAYS]
    for of_days, spans in open.items():
        for day in of_days:
            week[day].extend(spans)
    for day, spans_of_day in enumerate(week):
        spans_of_day.sort()
        for before, after in itertools.pairwise(spans_of_day):
            if after[0] < before[1]:
                raise ValueError(
                    f"expected spans that do not overlap, got two around {clock(after[0])} on {DAYS[day]} (join them)"
                )
    return OpeningHours(timezone=timezone, week=tuple(map(tuple, week)), closed_on=frozenset(closed_on))


def clock(minutes: int) -> str:
    """540 as 09:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


hours = Group(
    "opening hours",
    opening_hours,
    [
        Field("timezone", zone, "The time zone of these hours."),
        Field(
            "open",
            MapOf(days, ListOf(span, 10), "weekdays", 7),
            "Spans of hours by weekday or span of weekdays; a day that is not named is closed.",
        ),
        Field("closed_on", ListOf(day_off, 366), "Dates that are closed whatever the weekday.", default=()),
    ],
)


# --- prompts ----------------------------------------------------------------------------------------------------------
class SpokenText:
    """What is said in one language: a text, or a table with `text`, `file`, `voice`."""

    expected = "a text to be spoken, or a table with text, file, voice"
    group = Group(
        "a prompt in one language",
        lambda text, file, voice: PromptSource(text=text, file=file, voice=voice),
        [
            Field("text", Text("a text to be spoken", str, r".+", 1000), "What the built-in voice says.", default=""),
            Field(
                "file",
                FilePath("a recorded file"),
                "A WAV file, 8 kHz, mono, 16 bit; it wins over the text. A relative path starts at the folder of this file.",
                default=None,
            ),
            Field(
                "voice",
                Text("a voice of espeak-ng", str, r"[a-z]{2,3}[A-Za-z0-9+_-]{0,30}", 34, "en-us"),
                "The voice for this text; without it the language's.",
                default="",
            ),
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


class SpokenPiece:
    """One piece of speech: a prompt's name, or `{digits: "123"}`, `{number: 12}`, `{call_number: true}`."""

    expected = "the name of a prompt, or {digits: …}, {number: …}, {call_number: true}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Spoken | None:
        """A prompt's name is checked with all references."""
        if isinstance(node, Scalar):
            name = prompt.read(reader, node, path)
            return None if name is None else Spoken(SpokenKind.PROMPT, name)
        if isinstance(node, Table) and len(node.entries) == 1:
            key, (mark, value) = next(iter(node.entries.items()))
            if key in ("digits", "number"):
                digits = Text("1 to 20 digits", str, r"[0-9]{1,20}", 20, "123").read(reader, value, (*path, key))
                return None if digits is None else Spoken(SpokenKind(key), digits)
            if key == "call_number":
                is_said = Flag().read(reader, value, (*path, key))
                return Spoken(SpokenKind.CALL_NUMBER, "") if is_said else None
            near = nearest(key, ("digits", "number", "call_number"))
            hint = f"did you mean {near}?" if near else ""
            reader.tell((*path, key), hinted(f"expected digits, number or call_number, got {quoted(key)}", hint), mark)
            return None
        reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
        return None


speech = ListOf(SpokenPiece(), 20)


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

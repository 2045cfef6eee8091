"""The bytes of AMI, both ways, without a socket.

An AMI stream is a greeting line, then messages: `Key: value` lines, closed by a blank line. Asterisk tells every session
of every channel, most of it nothing to us; so a message's name is read first, from the bytes, and only the wanted ones are
decoded. What arrives is limited in every direction, and whatever is sent is refused if it could end its line.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

Fields = dict[str, str]
"""One message. Keys as Asterisk writes them (`Uniqueid`, `BridgeUniqueid`)."""

EOL = b"\r\n"
END = b"\r\n\r\n"
GREETING = b"Asterisk Call Manager/"

# Keys that Asterisk repeats within one message; a repetition of any other is a forgery or a fault.
_REPEATABLE = frozenset({"ChanVariable", "Variable", "Output"})


class StreamBroken(Exception):
    """What arrives is not AMI, or not within its limits. Only a new connection mends that."""


class FieldRefused(Exception):
    """A value for an action holds what would end its line or its field. The action was not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """All in bytes, but `fields_max`. A larger message is dropped and counted; `pending_max` without an end breaks the link."""

    greeting_max: int = 256
    line_max: int = 8192
    message_max: int = 65536
    fields_max: int = 256
    pending_max: int = 262144


@dataclass(slots=True, kw_only=True)
class StreamCounts:
    bytes: int = 0
    messages: int = 0
    unwanted: int = 0
    oversized: int = 0
    garbled: int = 0


class MessageReader:
    """Cuts a stream of bytes, split anywhere, into messages.

    Gives every response, and the events named in `wanted`, in the order of their arrival.
    """

    def __init__(self, wanted: Collection[str], counts: StreamCounts, limits: StreamLimits | None = None) -> None:
        self._wanted = frozenset(name.encode() for name in wanted)
        self._counts = counts
        self._limits = limits or StreamLimits()
        self._pending = bytearray()
        self.version: str | None = None

    def feed(self, data: bytes) -> list[Fields]:
        """The messages that `data` completes. Raises `StreamBroken`; the reader is of no use afterwards."""
        self._counts.bytes += len(data)
        if self._pending or self.version is None:
            data = self._joined(data)
        if not data:
            return []
        end = data.rfind(END)
        if end < 0:
            self._keep(data)
            return []
        if end + len(END) < len(data):
            # Kept as bytes, not as text: a character may be cut in two here.
            self._keep(data[end + len(END) :])
        # Often one chunk holds dozens of messages; one split is far cheaper than a search for each.
        messages = []
        for block in data[:end].split(END):
            message = self._message(block)
            if message is not None:
                messages.append(message)
        return messages

    def _joined(self, data: bytes) -> bytes:
        """What is pending and `data`, if together they hold an end; else empty, and all of it is pending."""
        pending = self._pending
        searched = max(0, len(pending) - len(END) + 1)
        pending += data
        if self.version is None:
            if not self._read_greeting():
                return b""
            searched = 0
        if pending.find(END, searched) < 0:
            if len(pending) > self._limits.pending_max:
                raise StreamBroken(f"{len(pending)} bytes without the end of a message")
            return b""
        whole = bytes(pending)
        pending.clear()
        return whole

    def _keep(self, rest: bytes) -> None:
        if len(rest) > self._limits.pending_max:
            raise StreamBroken(f"{len(rest)} bytes without the end of a message")
        self._pending += rest

    def _read_greeting(self) -> bool:
        pending = self._pending
        end = pending.find(EOL)
        if end > self._limits.greeting_max or (end < 0 and len(pending) > self._limits.greeting_max):
            raise StreamBroken("no greeting of an Asterisk manager")
        if end < 0:
            return False
        if not pending.startswith(GREETING):
            raise StreamBroken("no greeting of an Asterisk manager")
        self.version = bytes(pending[len(GREETING) : end]).decode("ascii", "replace").strip()
        del pending[: end + len(EOL)]
        return True

    def _message(self, block: bytes) -> Fields | None:
        counts = self._counts
        counts.messages += 1
        if block.startswith(EOL):
            block = block.lstrip(EOL)
        if block.startswith(b"Event: "):
            end = block.find(EOL, 7)
            if (block[7:] if end < 0 else block[7:end]) not in self._wanted:
                counts.unwanted += 1
                return None
        elif not block.startswith(b"Response: "):
            counts.garbled += 1
            return None
        if len(block) > self._limits.message_max:
            counts.oversized += 1
            return None
        lines = block.decode("utf-8", "replace").split("\r\n")
        if len(lines) > self._limits.fields_max or max(map(len, lines)) > self._limits.line_max:
            counts.oversized += 1
            return None
        try:
            fields = dict([line.split(": ", 1) for line in lines])
        except ValueError:
            # A line without a colon: output of a CLI command, say. It is no field.
            lines = [line for line in lines if ": " in line]
            fields = dict([line.split(": ", 1) for line in lines])
        if len(fields) != len(lines) and not _repeats_only_variables(lines):
            counts.garbled += 1
            return None
        return fields


def _repeats_only_variables(lines: Iterable[str]) -> bool:
    seen: set[str] = set()
    for line in lines:
        key = line.partition(": ")[0]
        if key in seen and key.partition("(")[0] not in _REPEATABLE:
            return False
        seen.add(key)
    return True


def encode(fields: Iterable[tuple[str, str]]) -> bytes:
    """An action's bytes. Raises `FieldRefused`.

    Asterisk reads up to the line's end and asks nothing: a value with CR LF in it would be a second field, or a second action.
    """
    lines = []
    for key, value in fields:
        if not key.isascii() or not key.isalnum():
            raise FieldRefused(f"{key!r} is no name of an AMI field")
        if not value.isprintable():
            raise FieldRefused(f"{key} holds a character that cannot be printed")
        lines.append(f"{key}: {value}")
    encoded = "\r\n".join(lines).encode("utf-8") + END
    # Asterisk reads lines of up to 1024 bytes and loses a longer one.
    if max(map(len, encoded.split(EOL))) > 1000:
        raise FieldRefused("a line is longer than Asterisk reads")
    return encoded

"""The AGI protocol between bytes and values, without a socket.

From Asterisk comes one block of `agi_name: value` lines, ended by an empty line, then one reply for each command. `HANGUP`
comes by itself, at any time: it says that this session's channel is over here, not that the caller has gone.
To Asterisk goes one command at a time: it reads the socket through a buffered FILE and polls the descriptor under it, so a
second command sent early can lie unseen in that buffer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LINE_BYTES = 4096
MAX_HEADER_LINES = 128
MAX_HEADER_BYTES = 32768
MAX_USAGE_LINES = 200
MAX_COMMAND_BYTES = 2000
"""Asterisk reads a command into 2048 bytes."""

ALL_DIGITS = "0123456789*#"

OK = 200
UNKNOWN_COMMAND = 510
DEAD_CHANNEL = 511
BAD_USAGE = 520

# C1 controls and the Unicode line ends too: other readers of the same line split on them. Lone surrogates do not encode.
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_REPLY = re.compile(r"(\d{3})(?: result=(-?\d*)(?: +(.*))?| (.*))?")


class WireViolation(Exception):
    """The peer does not speak AGI, or passed a limit. Drop the connection: nothing after this can be trusted."""


class NotSendable(ValueError):
    """A value that must not be written to AGI: it holds a control character or is too long."""


@dataclass(frozen=True, slots=True)
class Request:
    """The block that opens a session. Keys as sent (`agi_channel`…); the first value of a repeated key counts."""

    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one command. `result` is None where Asterisk leaves it empty; `text` is what follows it."""

    code: int
    result: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The `HANGUP` line."""


Message = Request | Reply | HungUp


class Parser:
    """Bytes in, messages out; split anywhere. Raises WireViolation once and must not be fed afterwards."""

    def __init__(self) -> None:
        self._buffer = b""
        self._header: dict[str, str] | None = {}
        self._header_lines = 0
        self._header_bytes = 0
        self._usage_lines = 0
        self._is_in_usage = False

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with `data`."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages: list[Message] = []
        for line in lines:
            self._check_length(line)
            message = self._take(line.removesuffix(b"\r"))
            if message is not None:
                messages.append(message)
        self._check_length(self._buffer)
        return messages

    def _check_length(self, line: bytes) -> None:
        if len(line) > MAX_LINE_BYTES:
            raise WireViolation(f"a line of more than {MAX_LINE_BYTES} bytes")

    def _take(self, line: bytes) -> Message | None:
        if self._header is not None:
            return self._take_header(line)
        text = line.decode("utf-8", "replace")
        if self._is_in_usage:
            self._usage_lines += 1
            if self._usage_lines > MAX_USAGE_LINES:
                raise WireViolation(f"a usage text of more than {MAX_USAGE_LINES} lines")
            if not text.startswith("520 "):
                return None
            self._is_in_usage = False
            return Reply(BAD_USAGE, None, text[4:])
        if text == "HANGUP":
            return HungUp()
        if text.startswith("520-") and "not available" not in text:  # the usage follows, ended by a line "520 …"
            self._is_in_usage, self._usage_lines = True, 0
            return None
        return _read_reply(text)

    def _take_header(self, line: bytes) -> Request | None:
        assert self._header is not None
        if not line:
            request = Request(self._header)
            self._header = None
            return request
        self._header_lines += 1
        self._header_bytes += len(line)
        if self._header_lines > MAX_HEADER_LINES or self._header_bytes > MAX_HEADER_BYTES:
            raise WireViolation(f"a header of more than {MAX_HEADER_LINES} lines or {MAX_HEADER_BYTES} bytes")
        key, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon or not key.startswith("agi_"):
            raise WireViolation("a header line that is not `agi_name: value`")
        self._header.setdefault(key, value.removeprefix(" "))
        return None


def _read_reply(text: str) -> Reply | None:
    if text.startswith("520-"):
        return Reply(BAD_USAGE, None, text[4:])
    match = _REPLY.fullmatch(text)
    if match is None:
        raise WireViolation("a line that is no reply")
    code = int(match[1])
    if code < OK:  # `100 result=0 Trying...`: the reply itself is still to come
        return None
    result = match[2]
    try:
        number = int(result) if result else None
    except ValueError:  # a lone minus
        raise WireViolation("a result that is no number") from None
    return Reply(code, number, match[3] or match[4] or "")


def command(words: str, *arguments: str) -> bytes:
    """One command line: `words` as they are, each argument quoted.

    Raises NotSendable for control characters (a line end would start a command of its own) and for lines too long.
    """
    parts = [words]
    for argument in arguments:
        if _UNCLEAN.search(argument):
            raise NotSendable("a control character in an argument for AGI")
        escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'"{escaped}"')
    line = " ".join(parts).encode() + b"\n"
    if len(line) > MAX_COMMAND_BYTES:
        raise NotSendable(f"an AGI command of more than {MAX_COMMAND_BYTES} bytes")
    return line

"""pyst2's AGI, bound to a line: the live one of a session, or one that is only rehearsed.

pyst2 0.5.1 expects to be a program that Asterisk has started: it installs a signal handler (which only the main thread can), reads its
environment from standard input, and writes each command and each answer, typed digits included, to standard error. So the beginning is
done here instead, and the echo goes nowhere. Three of its methods are mended, each for the reason that stands with it.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from asterisk.agi import AGI, DEFAULT_TIMEOUT, AGIDBError

from ccserver.scripts.commands import CommandRefused, read_command


class Line(Protocol):
    """Where commands are answered. `ask` gives Asterisk's answer, without the line end; it raises pyst2's AGIHangup when the caller has
    gone, and what ends the script when its time is over."""

    def ask(self, words: str, arguments: tuple[str, ...]) -> str: ...


class ScriptAgi(AGI):  # type: ignore[misc]
    """A real `asterisk.agi.AGI`. `find_prompt` gives the path of one of the site's prompts, or None for a name that is none: so
    `agi.stream_file("welcome")` says the prompt in the caller's language, and any other name is a sound of Asterisk's."""

    def __init__(
        self,
        line: Line,
        environment: Mapping[str, str],
        find_prompt: Callable[[str], str | None],
        refused: Callable[[str], None],
    ) -> None:
        # Not AGI.__init__: see the head of this module.
        streams = _Streams(line, environment.get("agi_channel", ""), refused)
        self.stdin = self.stdout = streams
        self.stderr = _Nowhere()
        self.env = dict(environment)
        self._got_sighup = False
        self._find_prompt = find_prompt

    # AGI puts quotes around a text but leaves those within it as they are: a name with one in it would end the argument.
    def _quote(self, string: object) -> str:
        return '"' + str(string).replace("\\", "\\\\").replace('"', '\\"') + '"'

    # AGI quotes these two twice, which works only as long as quotes are not escaped.
    def database_get(self, family: str, key: str) -> str:
        value, text = self.execute("DATABASE GET", self._quote(family), self._quote(key))["result"]
        if value != "1":
            raise AGIDBError(f"Key not found in database: family={family}, key={key}")
        return str(text)

    # AGI joins the arguments without quotes: a space in them would cut them off.
    def exec_command(self, command: str, *args: object) -> Any:
        return self.execute("EXEC", command, self._quote(",".join(map(str, args))))

    # File names: those of prompts are looked up; AGI does not quote them either.
    def stream_file(self, filename: str, escape_digits: Any = "", sample_offset: int = 0) -> str:
        digit: str = super().stream_file(self._file(filename), escape_digits, sample_offset)
        return digit

    def get_data(self, filename: str, timeout: int = DEFAULT_TIMEOUT, max_digits: int = 255) -> str:
        digits: str = super().get_data(self._file(filename), timeout, max_digits)
        return digits

    def get_option(self, filename: str, escape_digits: Any = "", timeout: int = 0) -> str:
        digit: str = super().get_option(self._file(filename), escape_digits, timeout)
        return digit

    def control_stream_file(self, filename: str, *args: Any, **kwargs: Any) -> str:
        digit: str = super().control_stream_file(self._find_prompt(filename) or filename, *args, **kwargs)
        return digit

    def _file(self, filename: str) -> str:
        return self._quote(self._find_prompt(filename) or filename)


class _Nowhere(io.TextIOBase):
    """Takes what pyst2 echoes: it holds what the caller typed."""

    def write(self, text: str) -> int:
        return len(text)


class _Streams:
    """Writer and reader in one: what was written is asked on `flush`, and its answer is read."""

    def __init__(self, line: Line, channel: str, refused: Callable[[str], None]) -> None:
        self._line = line
        self._channel = channel
        self._refused = refused
        self._written = ""
        self._answers: list[str] = []

    def write(self, text: str) -> int:
        self._written += text
        return len(text)

    def flush(self) -> None:
        written, self._written = self._written, ""
        try:
            words, arguments = read_command(written, self._channel)
        except CommandRefused as refusal:
            self._refused(str(refusal))
            self._answers.append(f"510 {refusal}")
        else:
            self._answers.extend(self._line.ask(words, arguments).split("\n"))

    def readline(self) -> str:
        """The next line of the answer; "" where nothing was asked."""
        return self._answers.pop(0) + "\n" if self._answers else ""

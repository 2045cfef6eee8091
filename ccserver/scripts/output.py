"""What a script prints and logs goes to the daemon's log under the script's name, so much of it and no more; and so does how it failed.

A script's thread never takes a lock of the daemon's log: it may be ended at any instruction, and would leave the lock taken for ever. It
hands its lines over instead, and the loop's thread writes them.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

LINES_MAX = 100
"""Of one run; one more line says that there were others."""
LINE_CHARACTERS_MAX = 500
_FRAMES_MAX = 20
_TOLD = "ccserver_is_told"
# Exceptions repeat values: typed digits, parameters of a statement, the password in an address.
_DIGITS = re.compile(r"[0-9]{3,}")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class Output:
    """The lines of one run. `tell(level, text)` is called on the script's thread, with a whole line each time."""

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._lines = 0
        self._rest = ""

    def write(self, text: str) -> None:
        """What was printed; a line is told when it is complete."""
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest[:LINE_CHARACTERS_MAX]
        for line in lines:
            self.line(logging.INFO, line)

    def line(self, level: int, text: str) -> None:
        """One line, the first of several that it may be."""
        self._lines += 1
        if self._lines <= LINES_MAX:
            self._tell(level, text[:LINE_CHARACTERS_MAX])
        elif self._lines == LINES_MAX + 1:
            self._tell(logging.WARNING, f"after {LINES_MAX} lines the rest of this run is not written")

    def end(self) -> None:
        """Tells a last line without an end."""
        if self._rest:
            self.line(logging.INFO, self._rest)
            self._rest = ""


class _Current(threading.local):
    output: Output | None = None


_current = _Current()


def speak_through(output: Output | None) -> None:
    """From here on what this thread prints and logs is `output`'s; None: nobody's in particular."""
    _current.output = output


class Diversion:
    """While it is on, threads of scripts print and log through their `Output`; all other threads as before."""

    def __init__(self) -> None:
        self._put_back: list[Callable[[], None]] = []

    def start(self) -> None:
        for name in ("stdout", "stderr"):
            before: TextIO = getattr(sys, name)
            setattr(sys, name, _Divided(before))
            self._put_back.append(lambda name=name, before=before: setattr(sys, name, before))  # type: ignore[misc]
        for handler in logging.getLogger().handlers:
            handler.addFilter(_divert)
            self._put_back.append(lambda handler=handler: handler.removeFilter(_divert))  # type: ignore[misc]

    def stop(self) -> None:
        while self._put_back:
            self._put_back.pop()()


def _divert(record: logging.LogRecord) -> bool:
    """A filter is asked before the handler's lock is taken."""
    output = _current.output
    if output is None:
        return True
    if getattr(record, _TOLD, False):
        return False  # to another handler
    setattr(record, _TOLD, True)
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        text = f"{record.msg!s} (its arguments do not fit)"
    if record.exc_info and record.exc_info[1] is not None:
        text += f": {failure_line(record.exc_info[1])}"
    output.line(record.levelno, f"{record.name}: {text}")
    return False


class _Divided:
    """Standard output for everybody but scripts."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, text: str) -> int:
        output = _current.output
        if output is None:
            return self._real.write(text)
        output.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# --- how a script failed ------------------------------------------------------------------------------------------------
def failure_line(error: BaseException) -> str:
    """The kind and the first line of an exception, without numbers of several digits and credentials."""
    try:
        text = str(error).partition("\n")[0]
    except Exception as fault:
        text = f"(its text cannot be had: {type(fault).__name__})"
    text = _CREDENTIALS.sub("//***@", _DIGITS.sub("###", text))[:200]
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def where(error: BaseException, folder: Path | None) -> str:
    """The place in the administrator's file, as `orders.py:12`; "" where it is in none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno or 1}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if folder is not None and Path(frame.filename).parent == folder]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def told_traceback(error: BaseException, folder: Path | None) -> str:
    """The calls that led to the exception, from the administrator's file on, and its causes: file, line and function, no values."""
    parts: list[str] = []
    each: BaseException | None = error
    for _ in range(5):
        if each is None:
            break
        frames = list(traceback.extract_tb(each.__traceback__))
        first = next((at for at, frame in enumerate(frames) if folder is not None and Path(frame.filename).parent == folder), 0)
        # Without the text of the line: an administrator may have written a password into it.
        calls = [f'File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames[first:][-_FRAMES_MAX:]]
        parts.append("\n".join([*calls, failure_line(each)]))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\nafter:\n".join(parts)

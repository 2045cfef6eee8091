"""Rows of a CSV file that anybody may have written, one at a time: each with the line in which it begins, and where the next one does.

A row may go over several lines, within quotes. What is no row, for a quote that does not end or a byte that is no letter, costs one line:
reading goes on with the next, so that a bad line never takes good ones with it.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LINE_BYTES_MAX = 64 * 1024
ROW_BYTES_MAX = 64 * 1024
ROW_LINES_MAX = 100
COLUMNS_MAX = 200
NAME_MAX = 100
SEPARATORS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "latin-1", "cp1252")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_NUMBER = re.compile(r"[+-]?[0-9][0-9 .,]*", re.ASCII)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class BadFile(Exception):
    """The file as a whole cannot be read. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    cells: list[str]
    end: int
    """The byte behind it, where the next row begins."""
    end_line: int


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    text: str
    reason: str
    end: int
    end_line: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    content: bytes
    end: int
    is_cut: bool


class _NoRow(Exception):
    """Why what begins here is no row."""


class CsvFile:
    """`file` is open for reading bytes, at its beginning. Reads the head at once. Raises BadFile, OSError."""

    def __init__(self, file: BinaryIO, *, encoding: str = "utf-8", separator: str | None = None) -> None:
        self._file = file
        self._encoding = encoding
        self._ahead: deque[_Line] = deque()
        self._number = 1
        self._place = 0
        start = file.read(4)
        if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise BadFile("it is UTF-16: save it as UTF-8")
        self._seek(3 if start[:3] == b"\xef\xbb\xbf" else 0, 1)
        self.separator = separator or self._guessed()
        head = next(self.rows(), None)
        if head is None:
            raise BadFile("it is empty: the first line names the columns")
        if isinstance(head, BadRow):
            raise BadFile(f"its first line, which names the columns, cannot be read: {head.reason}")
        self.columns = [name.strip() for name in head.cells]
        self._check_columns()

    def go_to(self, place: int, line: int) -> None:
        """Read on where an earlier row ended."""
        self._seek(place, line)

    @property
    def place(self) -> tuple[int, int]:
        """The byte and the line at which the next row begins."""
        if self._ahead:
            first = self._ahead[0]
            return first.end - len(first.content), first.number
        return self._place, self._number

    def rows(self) -> Iterator[Row | BadRow]:
        """Empty lines are left out."""
        while True:
            lines: list[_Line] = []
            try:
                cells = self._cells(lines)
            except _NoRow as error:
                first = lines[0]
                self._ahead.extendleft(reversed(lines[1:]))
                shown = first.content[:LINE_BYTES_MAX].decode(self._encoding, "replace").rstrip("\r\n")
                yield BadRow(first.number, shown, str(error), first.end, first.number + 1)
                continue
            if not lines:
                return
            if cells:
                yield Row(lines[0].number, cells, lines[-1].end, lines[-1].number + 1)

    # --- lines --------------------------------------------------------------------------------------------------------
    def _seek(self, place: int, line: int) -> None:
        self._ahead.clear()
        self._file.seek(place)
        self._place, self._number = place, line

    def _line(self) -> _Line | None:
        if self._ahead:
            return self._ahead.popleft()
        content = self._file.readline(LINE_BYTES_MAX + 1)
        if not content:
            return None
        self._place += len(content)
        is_cut = len(content) > LINE_BYTES_MAX
        while is_cut and not content.endswith(b"\n"):
            rest = self._file.readline(LINE_BYTES_MAX)
            self._place += len(rest)
            if not rest or rest.endswith(b"\n"):
                break
        made = _Line(self._number, content, self._place, is_cut)
        self._number += 1
        return made

    def _cells(self, lines: list[_Line]) -> list[str]:
        """The next row, whose lines are put into `lines`; none at the end of the file. Raises _NoRow."""

        def texts() -> Iterator[str]:
            size = 0
            while (line := self._line()) is not None:
                lines.append(line)
                size += len(line.content)
                if line.is_cut:
                    raise _NoRow(f"a line is at most {LINE_BYTES_MAX} bytes")
                if size > ROW_BYTES_MAX or len(lines) > ROW_LINES_MAX:
                    raise _NoRow("a quote begins in this line that does not end, or only far below")
                yield self._text(line)

        try:
            cells = next(csv.reader(texts(), delimiter=self.separator, strict=True), [])
        except csv.Error as error:
            raise _NoRow(_reason(str(error))) from None
        if len(cells) > COLUMNS_MAX:
            raise _NoRow(f"a row has at most {COLUMNS_MAX} cells")
        return cells

    def _text(self, line: _Line) -> str:
        try:
            text = line.content.decode(self._encoding)
        except UnicodeDecodeError as error:
            byte, column = line.content[error.start], error.start + 1
            raise _NoRow(
                f"byte {column} of the line, 0x{byte:02x}, is not {self._encoding} (another one: --encoding)"
            ) from None
        if _CONTROL.search(text):
            raise _NoRow("the line has a control character")
        return text

    # --- the head -----------------------------------------------------------------------------------------------------
    def _guessed(self) -> str:
        """The separator that the first line has most of, outside of quotes."""
        place, line = self._place, self._number
        first = self._line()
        self._seek(place, line)
        text = "" if first is None else re.sub(r'"[^"]*"', "", first.content.decode(self._encoding, "replace"))
        return max(SEPARATORS, key=text.count)

    def _check_columns(self) -> None:
        seen: set[str] = set()
        for name in self.columns:
            if not name:
                raise BadFile("a column has no name in the first line")
            if len(name) > NAME_MAX:
                raise BadFile(f"the name of a column has at most {NAME_MAX} characters, got {name[:NAME_MAX]!r} and more")
            if name in seen:
                raise BadFile(f"two columns are called {name!r}")
            seen.add(name)


def _reason(error: str) -> str:
    if "unexpected end of data" in error:
        return "a quote begins in this line that does not end"
    if "new-line character" in error:
        return "the line has a carriage return in its middle: save the file with line feeds"
    if "expected after" in error:
        return "something follows a closing quote: a quote within quotes is written twice"
    return error


# --- writing ------------------------------------------------------------------------------------------------------------
def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before it, unless it is a mere number."""
    return f"'{text}" if _is_risky(text) else text


def plain_cell(text: str) -> str:
    """What `safe_cell` was given."""
    return text[1:] if text[:1] == "'" and _is_risky(text[1:]) else text


def _is_risky(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def written(cells: list[str], separator: str = ",") -> str:
    """One line."""
    line = io.StringIO()
    csv.writer(line, delimiter=separator, lineterminator="\n").writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()

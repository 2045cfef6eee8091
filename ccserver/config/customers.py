"""The customers' file: what is known of customers by number, one a line, as a spreadsheet writes it.

    number,name,owner,language,requires,priority
    +34600111222,Acme,101,es,sales >= 50,5

Only `number` is needed; columns may be left out and stand in any order. The separator is the comma, or the semicolon if the
first line has one. A cell in double quotes may hold the separator, and a quote written twice. What is wrong is told with
the line and column of the cell.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import phonenumbers

from ccserver.config.positions import MAX_PROBLEMS, Mark, PathInFile, Scalar, file_name, quoted
from ccserver.config.requirements import RequirementText
from ccserver.config.schema import Reader, Text, hinted, nearest
from ccserver.config.ways import priority
from ccserver.core.settings import EVERYBODY, CustomerSettings, Requirement

MAX_ROWS = 100_000
MAX_BYTES = 32 * 1024 * 1024
COLUMNS = ("number", "name", "owner", "language", "requires", "priority")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_name = Text("a customer's name", str, r".+", 80)


@dataclass(frozen=True, slots=True)
class Known:
    """What the columns refer to."""

    country: str
    agents: frozenset[str]
    languages: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    mark: Mark
    lead: int | None


def read_customers(path: Path, at: PathInFile, known: Known, reader: Reader) -> dict[str, CustomerSettings]:
    """Customers by E.164 number; `at` is the key that names the file. Everything wrong is told to the reader."""
    text = _text(path, at, reader)
    if text is None:
        return {}
    customers: dict[str, CustomerSettings] = {}
    first_line: dict[str, int] = {}
    rows = _rows(text, file_name(path))
    header = next(rows, [])
    columns = _columns(header, at, path, reader)
    if columns is None:
        return {}
    row_reader = _RowReader(at, known, reader)
    for count, row in enumerate(rows, start=1):
        if count > MAX_ROWS:
            reader.tell(at, f"expected at most {MAX_ROWS} customers, got more", row[0].mark)
            break
        if len(reader.problems) >= MAX_PROBLEMS:
            break
        if len(row) != len(columns):
            message = f"expected {len(columns)} cells as in the first line, got {len(row)}"
            reader.tell(at, hinted(message, "put a cell that holds the separator in quotes"), row[0].mark)
            continue
        number, customer = row_reader.read(dict(zip(columns, row, strict=True)))
        if number in first_line:
            message = f"expected each number once, got {number} again (the first is in line {first_line[number]})"
            reader.tell((*at, "number"), message, row[columns.index("number")].mark)
        elif number:
            first_line[number] = row[0].mark.line
            customers[number] = customer
    return customers


def _text(path: Path, at: PathInFile, reader: Reader) -> str | None:
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as fault:
        reader.tell(at, f"expected a file with customers, got {quoted(path)}: {fault.strerror}")
        return None
    if len(content) > MAX_BYTES:
        reader.tell(at, f"expected a file of at most {MAX_BYTES} bytes, got more", Mark(file_name(path), 1, 1))
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        before = content[: fault.start]
        line = before.count(b"\n") + 1
        mark = Mark(file_name(path), line, len(before) - before.rfind(b"\n"))
        byte = content[fault.start]
        reader.tell(at, f"expected UTF-8, got the byte 0x{byte:02x} (save the file as UTF-8)", mark)
        return None


# --- lines and cells --------------------------------------------------------------------------------------------------
def _rows(text: str, file: str) -> Iterator[list[_Cell]]:
    separator = ";" if ";" in text[: text.find("\n") if "\n" in text else None] else ","
    cell = re.compile(rf'"(?P<quoted>(?:[^"]|"")*)"(?=[{separator}]|$)|(?P<plain>[^{separator}]*)')
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        if content.strip():
            yield list(_cells(content, cell, Mark(file, number, 1)))


def _cells(line: str, cell: re.Pattern[str], start: Mark) -> Iterator[_Cell]:
    at = 0
    while found := cell.match(line, at):
        mark = Mark(start.file, start.line, at + 1)
        inside = found["quoted"]
        text = found["plain"] if inside is None else inside.replace('""', '"')
        lead = None if inside is not None else len(text) - len(text.lstrip())
        yield _Cell(text.strip(), mark, lead)
        at = found.end() + 1
        if at > len(line):
            return


def _columns(header: list[_Cell], at: PathInFile, path: Path, reader: Reader) -> list[str] | None:
    names = [cell.text.lower() for cell in header]
    before = len(reader.problems)
    for index, cell in enumerate(header):
        if names[index] not in COLUMNS:
            near = nearest(names[index], COLUMNS)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(COLUMNS)}"
            reader.tell(at, hinted(f"expected a column of customers, got {quoted(cell.text)}", hint), cell.mark)
        elif names[index] in names[:index]:
            reader.tell(at, hinted(f"expected each column once, got {quoted(cell.text)} again", "remove it"), cell.mark)
    if len(reader.problems) > before:
        return None
    if "number" not in names:
        mark = header[0].mark if header else Mark(file_name(path), 1, 1)
        found = ", ".join(names) or "an empty file"
        reader.tell(
            at, hinted(f"expected a column number, got {found}", f"the first line names the columns: {','.join(COLUMNS)}"), mark
        )
        return None
    return names


class _RowReader:
    """Reads cells with the kinds of the settings, so that the same values are good here and there."""

    def __init__(self, at: PathInFile, known: Known, reader: Reader) -> None:
        self._at = at
        self._known = known
        self._reader = reader
        self._requirements: dict[str, Requirement] = {}

    def read(self, row: Mapping[str, _Cell]) -> tuple[str, CustomerSettings]:
        """(number, customer); the number is "" where it could not be read."""
        values = {column: self._COLUMN[column](self, cell) for column, cell in row.items() if cell.text and column != "number"}
        customer = CustomerSettings(**{column: value for column, value in values.items() if value is not None})  # type: ignore[arg-type]
        return self._number(row["number"]), customer

    def _number(self, cell: _Cell) -> str:
        if _E164.fullmatch(cell.text):
            return cell.text
        try:
            parsed = phonenumbers.parse(cell.text[:40], self._known.country)
            if phonenumbers.is_possible_number(parsed):
                return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        except phonenumbers.NumberParseException:
            pass  # told below, as a number that cannot be
        found = quoted(cell.text) if cell.text else "nothing"
        self._tell("number", cell, hinted(f"expected a telephone number, got {found}", "for example +34600111222"))
        return ""

    def _text(self, cell: _Cell) -> object:
        return _name.read(self._reader, _scalar(cell), (*self._at, "name"))

    def _owner(self, cell: _Cell) -> object:
        return self._named(cell, "owner", "an agent", self._known.agents)

    def _language(self, cell: _Cell) -> object:
        return self._named(cell, "language", "a language", self._known.languages)

    def _named(self, cell: _Cell, column: str, noun: str, known: frozenset[str]) -> object:
        if cell.text in known:
            return cell.text
        near = nearest(cell.text, sorted(known))
        hint = f"did you mean {near}?" if near else f"define it under {'agents' if column == 'owner' else 'languages'}"
        self._tell(column, cell, hinted(f"expected the name of {noun}, got {quoted(cell.text)}", hint))
        return None

    def _requires(self, cell: _Cell) -> object:
        # The same few conditions stand in thousands of lines.
        if cell.text not in self._requirements:
            found = RequirementText().read(self._reader, _scalar(cell), (*self._at, "requires"))
            self._requirements[cell.text] = EVERYBODY if found is None else found
        return self._requirements[cell.text]

    def _priority(self, cell: _Cell) -> object:
        return priority.read(self._reader, _scalar(cell), (*self._at, "priority"))

    def _tell(self, column: str, cell: _Cell, message: str) -> None:
        self._reader.tell((*self._at, column), message, cell.mark)

    _COLUMN: Mapping[str, Callable[["_RowReader", _Cell], object]] = {
        "name": _text,
        "owner": _owner,
        "language": _language,
        "requires": _requires,
        "priority": _priority,
    }


def _scalar(cell: _Cell) -> Scalar:
    return Scalar(cell.mark, cell.text, True, cell.lead)

"""YAML as a tree that remembers where everything was written.

Scalars keep the text as typed: what it means is decided by the schema, so YAML's own guesses (`no` is false, `09:30` is
570, `007` is 7) never happen. Anchors and aliases are refused: they make small files huge and positions meaningless.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 16
MAX_NODES = 200_000
MAX_PROBLEMS = 200

Step = str | int
PathInFile = tuple[Step, ...]

_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `path` is where it is in the settings (`queues.sales.wrap_up_s`), "" for the whole file."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {path}{self.message}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """`is_quoted` tells `null` (nothing) from `"null"` (a text). `lead`: where the text stands in the
    file character by character, so many columns after `mark`; None where it does not (escapes, several lines)."""

    mark: Mark
    text: str
    is_quoted: bool
    lead: int | None = None

    def is_nothing(self) -> bool:
        """Whether no value was written."""
        return not self.is_quoted and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Listing:
    mark: Mark
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`entries` in the order of the file, by key; each with the place of its key."""

    mark: Mark
    entries: Mapping[str, tuple[Mark, "Node"]]


Node = Scalar | Listing | Table


def inside(node: Scalar, offset: int) -> Mark:
    """Where in the file the text's `offset` is; where the text begins, if it does not stand there as it was read."""
    mark = node.mark
    return mark if node.lead is None else Mark(mark.file, mark.line, mark.column + node.lead + offset)


class Unreadable(Exception):
    """The file cannot be read as YAML at all. `problems` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def path_text(path: PathInFile) -> str:
    """`("queues", "sales", "skills", 0)` as `queues.sales.skills[0]`, with anything unprintable escaped."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + _printable(step, 60)
    return text


def quoted(text: str | Path) -> str:
    """A found text as a message shows it: in quotes, bounded (a path less), control characters escaped."""
    return f'"{_printable(str(text), 60 if isinstance(text, str) else 500)}"'


def is_control(character: str) -> bool:
    """Whether it controls rather than shows: C0, C1, line separators, and marks that reorder text."""
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs")


def shown(text: str, longest: int = 2500) -> str:
    """Bounded, with control characters escaped: nothing of a file reaches a terminal or log as it is."""
    safe = "".join(c if not is_control(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text[:longest])
    return safe + ("…" if len(text) > longest else "")


def _printable(text: str, longest: int) -> str:
    return shown(text, longest).replace('"', '\\"')


def parse(source: bytes, file: str) -> tuple[Node, list[Problem]]:
    """The tree of one YAML document, and keys given twice. Raises Unreadable when there is no tree."""

    def unreadable(line: int, column: int, message: str) -> Unreadable:
        return Unreadable([Problem(file, line, column, "", message)])

    if len(source) > MAX_BYTES:
        raise unreadable(1, 1, f"expected at most {MAX_BYTES} bytes, got {len(source)} (is this the right file?)")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        before = source[: fault.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        raise unreadable(
            line, column, f"expected UTF-8, got the byte 0x{source[fault.start]:02x} (save the file as UTF-8)"
        ) from None
    try:
        return _Composer(file, text).document()
    except yaml.reader.ReaderError as fault:
        position = fault.position if isinstance(fault.position, int) else 0
        # libyaml counts bytes, the Python reader characters: both only point near it.
        before_text = text[:position]
        line, column = before_text.count("\n") + 1, position - (before_text.rfind("\n") + 1) + 1
        raise unreadable(line, column, f"expected printable text, got a control character ({fault.reason})") from None
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        at = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        why = _printable(" ".join(str(part) for part in (fault.context, fault.problem) if part), 200)
        raise unreadable(*at, f"expected YAML, got something else: {why} (look at the indentation and quotes here)") from None


class _Composer:
    """Makes the tree out of the parser's events, with limits on depth and number before anything is kept."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=_Loader))
        self._nodes = 0
        self._twice: list[Problem] = []

    def document(self) -> tuple[Node, list[Problem]]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            raise Unreadable([Problem(self._file, 1, 1, "", "expected settings, got an empty file")])
        root = self._node(self._next(), ())
        self._next()  # the document's end
        rest = self._next()
        if isinstance(rest, yaml.DocumentStartEvent):
            raise self._refuse(rest, (), "expected one YAML document, got a second one (remove the line ---)")
        return root, self._twice

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _mark(self, event: yaml.Event) -> Mark:
        mark = event.start_mark
        return Mark(self._file, mark.line + 1, mark.column + 1) if mark is not None else Mark(self._file, 1, 1)

    def _refuse(self, event: yaml.Event, path: PathInFile, message: str) -> Unreadable:
        mark = self._mark(event)
        return Unreadable([Problem(mark.file, mark.line, mark.column, path_text(path), message)])

    def _node(self, event: yaml.Event, path: PathInFile) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refuse(event, path, f"expected at most {MAX_NODES} values in the file, got more")
        if len(path) > MAX_DEPTH:
            raise self._refuse(event, path[:4], f"expected at most {MAX_DEPTH} levels, got more")
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(
                event, path, f"expected a value, got the alias {quoted(f'*{event.anchor}')} (write the value out)"
            )
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise self._refuse(event, path, f"expected a value, got the anchor {quoted(f'&{event.anchor}')} (remove it)")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise self._refuse(event, path, f"expected a plain value, got the tag {quoted(str(tag))} (remove it)")
        mark = self._mark(event)
        if isinstance(event, yaml.ScalarEvent):
            is_quoted = not event.implicit[0] or event.style not in (None, "")
            return Scalar(mark, event.value, is_quoted, _lead(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._listing(mark, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._table(mark, path)
        raise self._refuse(event, path, "expected a value, got the end of the file")

    def _listing(self, mark: Mark, path: PathInFile) -> Listing:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return Listing(mark, tuple(items))

    def _table(self, mark: Mark, path: PathInFile) -> Table:
        entries: dict[str, tuple[Mark, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            # Not composed before it is known to be a word: keys inside keys do not lengthen the path.
            key = self._node(event, path) if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) else None
            if not isinstance(key, Scalar):
                raise self._refuse(event, path, "expected a word as key, got a list or a table")
            value = self._node(self._next(), (*path, key.text))
            if key.text in entries:
                if len(self._twice) < MAX_PROBLEMS:
                    first = entries[key.text][0]
                    message = f"expected each key once, got {quoted(key.text)} again (the first is in line {first.line})"
                    where = key.mark
                    self._twice.append(Problem(where.file, where.line, where.column, path_text((*path, key.text)), message))
            else:
                entries[key.text] = (key.mark, value)
        return Table(mark, entries)


def _lead(event: yaml.ScalarEvent) -> int | None:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None or start.line != end.line:
        return None
    quotes = 2 if event.style in ("'", '"') else 0
    return quotes // 2 if end.column - start.column == len(event.value) + quotes else None


def merged(below: Node, above: Node) -> Node:
    """`above` laid over `below`: tables by key, everything else replaced; a key without a value takes the one below away."""
    if not isinstance(below, Table) or not isinstance(above, Table):
        return above
    entries = dict(below.entries)
    for key, (mark, value) in above.entries.items():
        if isinstance(value, Scalar) and value.is_nothing() and key in entries:
            del entries[key]
        elif key in entries:
            entries[key] = (mark, merged(entries[key][1], value))
        else:
            entries[key] = (mark, value)
    return Table(above.mark, entries)


def file_name(path: Path) -> str:
    """The file as messages name it."""
    return _printable(str(path), 500)

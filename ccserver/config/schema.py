"""The words in which the settings are described: kinds of values, fields, tables.

One description (in `sections`) drives the reading, the hints of every message and the generated reference. A kind reads
one YAML node and answers the value, or None after telling the reader what was wrong; so one run finds every problem.
"""

import dataclasses
import difflib
import heapq
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ccserver.config.placed import WrittenExpression
from ccserver.config.positions import (
    MAX_PROBLEMS,
    Listing,
    Mark,
    Node,
    PathInFile,
    Problem,
    Scalar,
    Table,
    is_control,
    path_text,
    quoted,
    shown,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=Enum)


# --- the reader: what one run found -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Use:
    """A name used somewhere that must be defined in the table at `table`."""

    table: PathInFile
    name: str
    noun: str
    path: PathInFile
    mark: Mark


@dataclass(slots=True)
class Reader:
    """Collects problems, places, the names that were defined and used, and the expressions whose types are still to be checked."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    marks: dict[PathInFile, Mark] = field(default_factory=dict)
    names: dict[PathInFile, list[str]] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    expressions: dict[PathInFile, WrittenExpression] = field(default_factory=dict)

    def tell(self, path: PathInFile, message: str, mark: Mark | None = None) -> None:
        """Note a problem at `mark`, by default where `path` (or the nearest table around it) was written."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(self._made(path, message, mark))

    def warn(self, path: PathInFile, message: str) -> None:
        """Note something that works but is hardly meant."""
        if len(self.warnings) < MAX_PROBLEMS:
            self.warnings.append(self._made(path, message, None))

    def has_problem(self, path: PathInFile) -> bool:
        """Whether something at or below `path` was told: what follows from it need not be told as well."""
        start = path_text(path)
        return any(each.path == start or each.path.startswith((f"{start}.", f"{start}[")) for each in self.problems)

    def mark(self, path: PathInFile) -> Mark:
        """Where `path` was written, or the nearest table around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path]

    def _made(self, path: PathInFile, message: str, mark: Mark | None) -> Problem:
        place = mark or self.mark(path)
        return Problem(place.file, place.line, place.column, path_text(path), shown(message))


def got(node: Node) -> str:
    """What was found, in a few words."""
    if isinstance(node, Listing):
        return f"a list of {len(node.items)}"
    if isinstance(node, Table):
        return "a table" if node.entries else "an empty table"
    return "nothing" if node.is_nothing() else quoted(node.text)


def hinted(message: str, hint: str = "") -> str:
    """The message with its mend in parentheses."""
    return f"{message} ({hint})" if hint else message


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`, "" when none does."""
    # Looked at closely are those that share most with it: a file of many names and many mistakes costs no more than its length.
    signs = _signs(name)
    likely = heapq.nlargest(20, known, key=lambda each: len(signs & _signs(each)))
    found = difflib.get_close_matches(name, likely, n=1, cutoff=0.6)
    return found[0] if found else ""


def _signs(name: str) -> set[str]:
    """Its characters and pairs of characters."""
    return {*name, *(first + second for first, second in itertools.pairwise(name))}


class Kind(Protocol[T_co]):
    """How one value is written. `expected` ends the sentence "expected …"."""

    @property
    def expected(self) -> str: ...

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T_co | None:
        """The value, or None after the reader was told what is wrong."""


# --- single values ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Text(Generic[T]):
    """A text in one line that `pattern` matches, given to `make`. With `is_secret` messages never repeat it."""

    expected: str
    make: Callable[[str], T]
    pattern: str = r".+"
    max_length: int = 80
    example: str = ""
    hint: str = ""
    is_secret: bool = False

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T | None:
        hint = self.hint or (f"for example {self.example}" if self.example else "")
        if not isinstance(node, Scalar) or node.is_nothing():
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", hint), node.mark)
            return None
        found = "a text that is not shown here" if self.is_secret else quoted(node.text)
        control = next((c for c in node.text if is_control(c)), None)
        if control is not None:
            sign = f"the control character U+{ord(control):04X}"
            reader.tell(path, hinted(f"expected {self.expected}, got {sign}", "remove it"), node.mark)
        elif len(node.text) > self.max_length:
            message = f"expected {self.expected} of at most {self.max_length} characters, got {len(node.text)}"
            reader.tell(path, hinted(message, "shorten it"), node.mark)
        elif re.fullmatch(self.pattern, node.text) is None:
            reader.tell(path, hinted(f"expected {self.expected}, got {found}", hint), node.mark)
        else:
            try:
                return self.make(node.text)
            except ValueError as fault:
                why = "" if self.is_secret else str(fault)
                reader.tell(path, hinted(f"expected {self.expected}, got {found}", why or hint), node.mark)
        return None


_UNIT_S = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400}
_WITH_UNIT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([a-z]+?)s?")


@dataclass(frozen=True, slots=True)
class Number(Generic[T]):
    """A number from `low` to `high`. `unit` is its plural ("seconds"), `make` is int for whole numbers, else float."""

    make: Callable[[str], T]
    low: float
    high: float
    example: str
    unit: str = ""

    @property
    def expected(self) -> str:
        noun = self.unit or ("a whole number" if self.make is int else "a number")
        return f"{noun} from {self.low:g} to {self.high:g}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T | None:
        if isinstance(node, Scalar):
            text = node.text.strip()
            whole = self.make is int
            if re.fullmatch(r"-?[0-9]{1,12}" if whole else r"-?[0-9]{1,12}(\.[0-9]{1,6})?", text):
                if self.low <= float(text) <= self.high:
                    return self.make(text)
                reader.tell(path, f"expected {self.expected}, got {text}", node.mark)
                return None
            unit = _WITH_UNIT.fullmatch(text.lower())
            if self.unit == "seconds" and unit is not None and unit[2] in _UNIT_S:
                hint = f"write {float(unit[1]) * _UNIT_S[unit[2]]:g}"
                reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", hint), node.mark)
                return None
            if whole and re.fullmatch(r"-?[0-9]{1,12}\.[0-9]+", text):
                reader.tell(path, f"expected {self.expected}, without a fraction, got {text}", node.mark)
                return None
        reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", f"for example {self.example}"), node.mark)
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    expected: str = "true or false"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> bool | None:
        if isinstance(node, Scalar):
            if node.text in ("true", "false"):
                return node.text == "true"
            meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
            lower = node.text.lower()
            hint = f"write {meant.get(lower, lower)}" if lower in meant or lower in ("true", "false") else ""
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", hint), node.mark)
            return None
        reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
        return None


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of an enum's values. `hint` is the mend of what looks like none of them."""

    options: type[E]
    hint: str = ""

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(str(each.value) for each in self.options)

    def read(self, reader: Reader, node: Node, path: PathInFile) -> E | None:
        if isinstance(node, Scalar):
            for each in self.options:
                if each.value == node.text:
                    return each
            near = nearest(node.text, [str(each.value) for each in self.options])
            hint = f"did you mean {near}?" if near else self.hint
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", hint), node.mark)
            return None
        reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
        return None


@dataclass(frozen=True, slots=True)
class Reference(Generic[T]):
    """The name of something defined in another table: `table` from the top, with the flow's own name for "*"."""

    noun: str
    table: PathInFile
    make: Callable[[str], T]

    @property
    def expected(self) -> str:
        return f"the name of {self.noun}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T | None:
        if not isinstance(node, Scalar) or node.is_nothing():
            reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
            return None
        table = tuple(path[depth] if step == "*" else step for depth, step in enumerate(self.table))
        reader.uses.append(Use(table, node.text, self.noun, path, node.mark))
        return self.make(node.text)


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file or folder. With `is_local` a relative one starts at the folder of the YAML file."""

    expected: str
    is_local: bool = True

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Path | None:
        word = r"[A-Za-z0-9_./+-]+" if not self.is_local else r".+"
        text = Text(self.expected, str, word, 200, "/var/lib/ccserver").read(reader, node, path)
        if text is None:
            return None
        if ".." in Path(text).parts and not self.is_local:
            reader.tell(path, hinted(f"expected {self.expected}, got {quoted(text)}", "write it without .."), node.mark)
            return None
        if self.is_local:
            return Path(node.mark.file).parent.absolute() / text
        if not text.startswith("/"):
            reader.tell(path, hinted(f"expected {self.expected}, got {quoted(text)}", "begin with /"), node.mark)
            return None
        return Path(text)


# --- several values ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list; a single value may stand for a list of one."""

    of: Kind[T]
    max_items: int = 100

    @property
    def expected(self) -> str:
        return f"a list, each {self.of.expected}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> tuple[T, ...] | None:
        items = node.items if isinstance(node, Listing) else (node,)
        reader.marks[path] = node.mark
        if len(items) > self.max_items:
            reader.tell(path, f"expected at most {self.max_items} values, got {len(items)}", node.mark)
            return None
        values = []
        seen: list[str] = []
        for index, item in enumerate(items):
            where = (*path, index) if isinstance(node, Listing) else path
            if isinstance(item, Scalar) and isinstance(self.of, Reference | Choice):
                if item.text in seen:
                    reader.tell(
                        where, hinted(f"expected each name once, got {quoted(item.text)} again", "remove it"), item.mark
                    )
                    continue
                seen.append(item.text)
            value = self.of.read(reader, item, where)
            if value is not None:
                values.append(value)
        return tuple(values)


@dataclass(frozen=True, slots=True)
class SetOf(Generic[T]):
    """As `ListOf`, where the order says nothing."""

    of: Kind[T]
    max_items: int = 100

    @property
    def expected(self) -> str:
        return f"a list, each {self.of.expected}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> frozenset[T] | None:
        values = ListOf(self.of, self.max_items).read(reader, node, path)
        return None if values is None else frozenset(values)


@dataclass(frozen=True, slots=True)
class MapOf(Generic[K, V]):
    """A table of things by name. Things that cannot be read are left out, and told."""

    key: Kind[K]
    of: Kind[V]
    noun: str
    max_items: int = 10_000
    min_items: int = 0

    @property
    def expected(self) -> str:
        return f"a table of {self.noun}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> dict[K, V] | None:
        reader.marks[path] = node.mark
        if isinstance(node, Scalar) and node.is_nothing() and self.min_items == 0:
            reader.names[path] = []
            return {}
        if not isinstance(node, Table):
            reader.tell(path, f"expected {self.expected}, got {got(node)}", node.mark)
            return None
        reader.names[path] = list(node.entries)
        if len(node.entries) > self.max_items:
            reader.tell(path, f"expected at most {self.max_items} {self.noun}, got {len(node.entries)}", node.mark)
            return None
        if len(node.entries) < self.min_items:
            reader.tell(path, f"expected {self.min_items} or more {self.noun}, got {len(node.entries)}", node.mark)
            return None
        values: dict[K, V] = {}
        for name, (mark, child) in node.entries.items():
            inner = (*path, name)
            reader.marks[inner] = mark
            key = self.key.read(reader, Scalar(mark, name, True), inner)
            value = self.of.read(reader, child, inner)
            reader.marks[inner] = mark
            if key is not None and value is not None:
                values[key] = value
        return values


class _Unset(Enum):
    REQUIRED = "required"


REQUIRED = _Unset.REQUIRED


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a table. `doc` says what it does and what happens without it. `hint` is the mend when it is missing.

    Without `default` the default of the built dataclass is taken; if it has none, the key is required. `fallback`
    stands in for a required value that could not be read, so that the rest can still be checked.
    """

    name: str
    kind: Kind[object]
    doc: str
    default: object = REQUIRED
    hint: str = ""
    fallback: object = REQUIRED


class Group(Generic[T_co]):
    """A table with known keys, given to `make` as keyword arguments. `wrong` maps keys often tried to their mend.

    `make` may raise ValueError with the whole message when good values do not go together. `like` is the dataclass of the
    defaults, where that is not `make` itself.
    """

    def __init__(
        self,
        noun: str,
        make: Callable[..., T_co],
        fields: Iterable[Field],
        wrong: Mapping[str, str] | None = None,
        like: type | None = None,
    ) -> None:
        self.noun = noun
        self.make = make
        self.wrong = wrong or {}
        self.fields = {each.name: _with_default(each, like or make) for each in fields}

    @property
    def expected(self) -> str:
        return f"a table with the keys of {self.noun}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T_co | None:
        reader.marks[path] = node.mark
        if isinstance(node, Scalar) and node.is_nothing():
            node = Table(node.mark, {})
        if not isinstance(node, Table):
            known = ", ".join(list(self.fields)[:4])
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", f"its keys are {known}…"), node.mark)
            return None
        self._tell_unknown(reader, node, path)
        values: dict[str, object] = {}
        is_complete = True
        for each in self.fields.values():
            value: object = None
            entry = node.entries.get(each.name)
            inner = (*path, each.name)
            if entry is not None and not (
                isinstance(entry[1], Scalar) and entry[1].is_nothing() and each.default is not REQUIRED
            ):
                value = each.kind.read(reader, entry[1], inner)
                reader.marks[inner] = entry[0]
                if value is None:
                    value = each.default if each.fallback is REQUIRED else each.fallback
            elif each.default is REQUIRED:
                reader.tell((*path, each.name), hinted(f"expected {each.kind.expected}, got nothing", each.hint), node.mark)
                value = each.fallback
            else:
                value = each.default
            if value is REQUIRED:
                is_complete = False
            values[each.name] = value
        if not is_complete:
            return None
        try:
            return self.make(**values)
        except ValueError as fault:
            reader.tell(path, str(fault), node.mark)
            return None

    def _tell_unknown(self, reader: Reader, node: Table, path: PathInFile) -> None:
        for name, (mark, _) in node.entries.items():
            if name in self.fields:
                continue
            if len(reader.problems) >= MAX_PROBLEMS:
                return
            reader.tell((*path, name), self._unknown(name), mark)

    def _unknown(self, name: str) -> str:
        if name in self.wrong:
            return f"expected a key of {self.noun}, got {quoted(name)} ({self.wrong[name]})"
        near = nearest(name, self.fields) or next((known for known in self.fields if known == f"{name}_s"), "")
        hint = f"did you mean {near}?" if near else f"known are {', '.join(self.fields)}"
        return f"expected a key of {self.noun}, got {quoted(name)} ({hint})"


def _with_default(given: Field, make: Callable[..., object]) -> Field:
    if given.default is not REQUIRED or not dataclasses.is_dataclass(make):
        return given
    for each in dataclasses.fields(make):
        if each.name != given.name:
            continue
        if each.default is not dataclasses.MISSING:
            return dataclasses.replace(given, default=each.default)
        if each.default_factory is not dataclasses.MISSING:
            return dataclasses.replace(given, default=each.default_factory())
    return given


class OneOf(Generic[T]):
    """A table whose kind shows by which key it has: `groups` by that key, the first that is present wins.

    `also` says which of these keys may accompany another kind (a `say` beside `hang_up`).
    """

    def __init__(self, noun: str, groups: Mapping[str, Group[T]], also: frozenset[str] = frozenset()) -> None:
        self.noun = noun
        self.groups = groups
        self.also = also

    @property
    def expected(self) -> str:
        return f"{self.noun} with one of the keys {', '.join(self.groups)}"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> T | None:
        reader.marks[path] = node.mark
        if not isinstance(node, Table):
            first = next(iter(self.groups))
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", f"for example {{{first}: …}}"), node.mark)
            return None
        found = [name for name in self.groups if name in node.entries]
        deciding = [name for name in found if name not in self.also] or found
        if len(deciding) == 1:
            return self.groups[deciding[0]].read(reader, node, path)
        if deciding:
            given = " and ".join(deciding)
            reader.tell(
                path, hinted(f"expected {self.expected}, got {given}", "keep one of them"), node.entries[deciding[1]][0]
            )
            return None
        hints = [near for name in node.entries if (near := nearest(name, self.groups))]
        keys = " and ".join(quoted(name) for name in list(node.entries)[:5]) or "none"
        reader.tell(
            path, hinted(f"expected {self.expected}, got {keys}", f"did you mean {hints[0]}?" if hints else ""), node.mark
        )
        return None

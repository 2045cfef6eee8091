"""Requirements as people write them: `sales >= 50 and (spanish or portuguese >= 30) and not trainee`.

    condition = every { "or" every }          binds least
    every     = single { "and" single }
    single    = "not" single | "(" condition ")" | "anybody" | skill [ ">=" level ]

A skill alone is the skill at any level. The value is in one stable form: the order of what `and` and `or` join, repeated
parts and needless parentheses make no difference, so that people who require the same are one class to the core.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from ccserver.config.positions import Node, PathInFile, Scalar, inside, is_control, quoted
from ccserver.config.schema import Reader, Use, got, hinted
from ccserver.core.ids import SkillId
from ccserver.core.requirements import all_of
from ccserver.core.settings import EVERYBODY, AllOf, AnyOf, HasSkill, NoneOf, Requirement

MAX_LENGTH = 500
MAX_DEPTH = 10
WORDS = frozenset({"and", "or", "not", "anybody"})
"""No skill can have one of these names."""
_EXAMPLE = "for example sales >= 50 and not trainee"
_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z][A-Za-z0-9_-]*)|(?P<level>[0-9]+)|(?P<sign>>=|[()])|(?P<other>\S))")
# Signs of other languages, each with what to write.
_MENDS = {
    "&": "write and",
    "|": "write or",
    "!": "write not",
    ",": 'write "and" or "or"',
    ">": "write >=",
    "=": "write >=",
    "<": "write not … >= the next level",
}


class BadRequirement(ValueError):
    """The text is no requirement. `offset` is where in it, counted from 0; `hint` says how to mend it ("" if nothing is known)."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(hinted(message, hint))
        self.offset = offset
        self.message = message
        self.hint = hint


class Named(NamedTuple):
    """A skill that a text names, and where."""

    skill: SkillId
    offset: int


@dataclass(frozen=True, slots=True)
class Parsed:
    requirement: Requirement
    skills: tuple[Named, ...]


def parse(text: str) -> Parsed:
    """The requirement and the skills it names, in the order of the text. Raises BadRequirement."""
    if len(text) > MAX_LENGTH:
        raise BadRequirement(0, f"expected a condition of at most {MAX_LENGTH} characters, got {len(text)}", "shorten it")
    parser = _Parser(text)
    requirement = parser.condition(0)
    parser.finish()
    return Parsed(requirement, tuple(parser.named))


def written(requirement: Requirement) -> str:
    """The text of a requirement; `parse` reads it back."""
    return _written(requirement, 0)


def _written(requirement: Requirement, binding: int) -> str:
    """`binding`: 0 at the top and in parentheses, 1 within `and`, 2 after `not`."""
    match requirement:
        case HasSkill(skill=skill, level=level):
            return skill if level <= 1 else f"{skill} >= {level}"
        case AllOf(of=()):
            return "anybody"
        case AllOf(of=(only,)) | AnyOf(of=(only,)):
            return _written(only, binding)
        case AllOf(of=of):
            return _enclosed(" and ".join(_written(part, 1) for part in of), binding > 1)
        case AnyOf(of=()):
            return "not anybody"
        case AnyOf(of=of):
            return _enclosed(" or ".join(_written(part, 1) for part in of), binding > 0)
        case NoneOf(of=()):
            return "anybody"
        case NoneOf(of=of):
            return f"not {_written(AnyOf(of), 2)}"
        case _:
            assert_never(requirement)


def _enclosed(text: str, is_needed: bool) -> str:
    return f"({text})" if is_needed else text


def any_of(parts: Iterable[Requirement]) -> Requirement:
    """Their disjunction in one stable form, as `all_of` gives it of a conjunction."""
    flat: set[Requirement] = set()
    for part in parts:
        flat.update(part.of if isinstance(part, AnyOf) else (part,))
    if EVERYBODY in flat:
        return EVERYBODY
    return AnyOf(tuple(sorted(flat, key=repr))) if len(flat) > 1 else flat.pop()


def none_of(part: Requirement) -> Requirement:
    """Its opposite; that of an opposite is the thing itself."""
    if isinstance(part, NoneOf):
        return part.of[0] if len(part.of) == 1 else AnyOf(part.of)
    return NoneOf(part.of if isinstance(part, AnyOf) else (part,))


# --- the parser -------------------------------------------------------------------------------------------------------
class _Token(NamedTuple):
    kind: str  # word, level, sign, other, end
    text: str
    offset: int


class _Parser:
    """Recursive descent: one method for each rule of the grammar, the next token always in `_token`."""

    def __init__(self, text: str) -> None:
        self.named: list[Named] = []
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._before = ""

    def condition(self, depth: int) -> Requirement:
        return any_of(self._joined("or", depth))

    def finish(self) -> None:
        """Nothing may follow."""
        if self._token.text == ")":
            raise BadRequirement(self._token.offset, 'expected the end, got ")"', "remove it, or open it before")
        if self._token.kind != "end":
            raise _unjoined(self._token)

    def _joined(self, word: str, depth: int) -> Iterator[Requirement]:
        while True:
            yield all_of(self._joined("and", depth)) if word == "or" else self._single(depth)
            if (self._token.kind, self._token.text) != ("word", word):
                return
            self._advance()

    def _single(self, depth: int) -> Requirement:
        token = self._token
        if depth > MAX_DEPTH:
            raise BadRequirement(token.offset, f"expected at most {MAX_DEPTH} levels of parentheses and not, got more")
        if token.kind == "word" and token.text not in ("and", "or"):
            self._advance()
            if token.text == "not":
                return none_of(self._single(depth + 1))
            return EVERYBODY if token.text == "anybody" else self._skill(token)
        if token.text == "(":
            self._advance()
            inside = self.condition(depth + 1)
            if self._token.kind == "end":
                raise BadRequirement(token.offset, 'expected a ")" for this "(", got none', "close it")
            if self._token.text != ")":
                raise _unjoined(self._token)
            self._advance()
            return inside
        raise self._no_skill(token)

    def _no_skill(self, token: _Token) -> BadRequirement:
        where = f" after {quoted(self._before)}" if self._before else ""
        found = "nothing" if token.kind == "end" else quoted(token.text)
        hint = f"name a skill, or remove {quoted(self._before)}" if self._before in WORDS else _EXAMPLE
        return BadRequirement(token.offset, f"expected a skill{where}, got {found}", _MENDS.get(token.text, hint))

    def _skill(self, token: _Token) -> Requirement:
        self.named.append(Named(SkillId(token.text), token.offset))
        if self._token.text != ">=":
            return HasSkill(SkillId(token.text))
        self._advance()
        level = self._token
        if level.kind != "level":
            found = "nothing" if level.kind == "end" else quoted(level.text)
            raise BadRequirement(
                level.offset, f"expected a level from 1 to 100, got {found}", f"for example {token.text} >= 50"
            )
        if not (len(level.text) <= 3 and 1 <= int(level.text) <= 100):
            raise BadRequirement(level.offset, f"expected a level from 1 to 100, got {level.text[:20]}")
        self._advance()
        return HasSkill(SkillId(token.text), int(level.text))

    def _advance(self) -> None:
        self._before = self._token.text
        self._token = next(self._tokens)


def _unjoined(token: _Token) -> BadRequirement:
    if token.kind == "level":
        hint = f"write >= {token.text}"
    elif token.text.lower() in WORDS and token.text != "not":
        hint = f"write {token.text.lower()}"
    else:
        hint = _MENDS.get(token.text, 'put "and" or "or" before it')
    return BadRequirement(token.offset, f'expected "and", "or" or the end, got {quoted(token.text)}', hint)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while found := _TOKEN.match(text, at):
        kind = found.lastgroup or ""
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()
    while True:
        yield _Token("end", "", len(text.rstrip()))


# --- in a file --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class RequirementText:
    """A requirement in one line. The skills it names are checked with all references."""

    expected: str = "a condition on skills"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Requirement | None:
        if not isinstance(node, Scalar) or node.is_nothing():
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", _EXAMPLE), node.mark)
            return None
        control = next((c for c in node.text if is_control(c)), None)
        if control is not None:
            message = f"expected {self.expected}, got the control character U+{ord(control):04X}"
            reader.tell(path, hinted(message, "write it in one line"), node.mark)
            return None
        try:
            parsed = parse(node.text)
        except BadRequirement as fault:
            reader.tell(path, hinted(fault.message, fault.hint), inside(node, fault.offset))
            return None
        for skill, offset in parsed.skills:
            reader.uses.append(Use(("skills",), skill, "a skill", path, inside(node, offset)))
        return parsed.requirement

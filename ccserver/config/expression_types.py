"""Whether an expression fits together: every name known, every value of the type that its place wants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from ccserver.config.expression_text import BadExpression
from ccserver.config.placed import Placed
from ccserver.config.positions import quoted
from ccserver.config.schema import nearest
from ccserver.core import ivr_names
from ccserver.core.expressions import (
    SIGNATURES,
    Apply,
    Arithmetic,
    Both,
    Compare,
    Comparison,
    Compute,
    Either,
    Literal,
    Name,
    Not,
    OneOf,
    ValueType,
    type_of,
)
from ccserver.core.ids import HoursId, QueueId

_T, _N, _B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
_EQUALITY = (Comparison.IS, Comparison.IS_NOT)
# From a type to the one that is wanted: what to write.
_CONVERSIONS = {(_N, _T): "write text(…)", (_T, _N): "write number(…, 0)"}


@dataclass(frozen=True, slots=True)
class Known:
    """What the expressions of one flow may name."""

    variables: Mapping[str, ValueType]
    queues: tuple[QueueId, ...]
    hours: tuple[HoursId, ...]
    untyped: frozenset[str] = frozenset()
    """Variables whose type could not be read: what they are used for is not judged."""


@dataclass(slots=True)
class Checked:
    """The type of an expression, None where a fault hides it, and all that does not fit in it."""

    type: ValueType | None = None
    faults: list[BadExpression] = field(default_factory=list)


def typed(placed: Placed, known: Known, wanted: ValueType | None = None) -> Checked:
    """The type of the expression. `wanted` None: any will do."""
    checked = Checked()
    checker = _Checker(known, checked.faults)
    checked.type = checker.type(placed) if wanted is None else checker.wanted(placed, wanted, "here")
    return checked


class _Checker:
    def __init__(self, known: Known, faults: list[BadExpression]) -> None:
        self._known = known
        self._faults = faults

    def type(self, placed: Placed) -> ValueType | None:
        match placed.of:
            case Literal(value=value):
                return type_of(value)
            case Name(path=path):
                return self._name(path, placed.offset)
            case Not() | Both() | Either():
                word = {Not: "not", Both: "and", Either: "or"}[type(placed.of)]
                for part in placed.parts:
                    self.wanted(part, _B, f"beside {word}")
                return _B
            case Compare(how=how):
                left, right = map(self.type, placed.parts)
                if left is _B and right is _B and how not in _EQUALITY:
                    self._fault(placed.offset, f"expected == or != between truths, got {quoted(how.value)}")
                else:
                    self._same(left, right, placed.parts[1], f"as before {how.value}")
                return _B
            case OneOf():
                first, *others = placed.parts
                of = self.type(first)
                for part in others:
                    self._same(of, self.type(part), part, "as before in")
                return _B
            case Compute(how=how):
                return self._computed(how, placed)
            case Apply(function=function):
                wanted, result = SIGNATURES[function]
                for part, type_ in zip(placed.parts, wanted, strict=True):
                    self.wanted(part, type_, f"in {function.value}(…)")
                return result
            case _:
                assert_never(placed.of)

    def wanted(self, placed: Placed, wanted: ValueType, where: str) -> ValueType | None:
        """Its type, which must be `wanted`."""
        found = self.type(placed)
        if found is None or found is wanted:
            return found
        self._fault(_start(placed), f"expected a {wanted.value} {where}, got a {found.value}", _mend(found, wanted, placed))
        return None

    def _computed(self, how: Arithmetic, placed: Placed) -> ValueType | None:
        left, right = map(self.type, placed.parts)
        if how is Arithmetic.PLUS and _T in (left, right):
            self._same(left, right, placed.parts[1], "as before +") if left is not _B else self._no_sum(placed, how)
            return _T
        for found, part in zip((left, right), placed.parts, strict=True):
            if found not in (None, _N):
                self._fault(_start(part), f"expected a number beside {how.value}, got a {found.value}", _mend(found, _N, part))
        return _N

    def _no_sum(self, placed: Placed, how: Arithmetic) -> None:
        self._fault(_start(placed.parts[0]), f"expected a text beside {how.value}, got a truth")

    def _same(self, left: ValueType | None, right: ValueType | None, second: Placed, where: str) -> None:
        if left is not None and right is not None and left is not right:
            self._fault(_start(second), f"expected a {left.value} {where}, got a {right.value}", _mend(right, left, second))

    def _name(self, path: str, offset: int) -> ValueType | None:
        if path in self._known.untyped:
            return None
        found = self._known.variables.get(path)
        found = found or ivr_names.type_of_name(path, self._known.queues, self._known.hours)
        if found is None:
            self._fault(offset, f"expected a variable of this flow or a known name, got {quoted(path)}", self._hint(path))
        return found

    def _hint(self, path: str) -> str:
        first, _, rest = path.partition(".")
        if first in ("queue", "hours"):
            name, _, what = rest.rpartition(".")
            names = self._known.queues if first == "queue" else self._known.hours
            kinds = ivr_names.OF_QUEUE if first == "queue" else ivr_names.OF_HOURS
            if name in names:
                near = nearest(what, kinds)
                return f"did you mean {first}.{name}.{near}?" if near else f"known are {', '.join(kinds)}"
            near = nearest(name or what, names)
            return (
                f"did you mean {first}.{near}.{what if name else next(iter(kinds))}?"
                if near
                else f"define it under {_TABLE[first]}"
            )
        own = [each for each in ivr_names.NAMES if each.startswith(f"{first}.")]
        if rest and own:
            near = nearest(rest, [each.partition(".")[2] for each in own])
            return f"did you mean {first}.{near}?" if near else f"known are {', '.join(own)}"
        near = nearest(path, [*self._known.variables, *ivr_names.NAMES])
        if near:
            return f"did you mean {near}?"
        if rest:
            return "known are caller, call, now, queue.NAME and hours.NAME"
        return "declare it under variables, or put a text in quotes"

    def _fault(self, offset: int, message: str, hint: str = "") -> None:
        self._faults.append(BadExpression(offset, message, hint))


_TABLE = {"queue": "queues", "hours": "hours"}


def _mend(found: ValueType, wanted: ValueType, placed: Placed) -> str:
    if (found, wanted) == (_N, _T) and _is_of_numbers(placed):
        return "put it in quotes"  # a date like 2026-12-25 too: 1989 as a sum
    if wanted is _B:
        return "compare it, for example with ==" if found is _T else "compare it, for example with > 0"
    return _CONVERSIONS.get((found, wanted), "")


def _is_of_numbers(placed: Placed) -> bool:
    return isinstance(placed.of, Literal) or (isinstance(placed.of, Compute) and all(map(_is_of_numbers, placed.parts)))


def _start(placed: Placed) -> int:
    """Where the expression begins in its text, but for parentheses around it."""
    return min(_offsets(placed))


def _offsets(placed: Placed) -> Iterator[int]:
    yield placed.offset
    for part in placed.parts:
        yield from _offsets(part)

"""What a flow can compute: a small typed language, whose values are texts, numbers and truths.

An expression is known to be well typed when it exists (`config` checks it), and evaluating it always gives a value of its type: there is
no division, no index, no loop and nothing that could fail. So a flow never ends in the middle of a sum.

| function                    | gives  |                                                                                 |
|-----------------------------|--------|---------------------------------------------------------------------------------|
| `length(text)`              | number | characters                                                                      |
| `starts_with(text, text)`   | truth  |                                                                                 |
| `ends_with(text, text)`     | truth  |                                                                                 |
| `contains(text, text)`      | truth  | whether the second is in the first                                              |
| `first(text, number)`       | text   | so many characters from the beginning                                           |
| `last(text, number)`        | text   | so many characters from the end                                                 |
| `lower(text)`               | text   |                                                                                 |
| `number(text, number)`      | number | the text read as a number; the second where it is none                          |
| `text(number)`              | text   | a whole number without a point                                                  |
| `is_number(text)`           | truth  |                                                                                 |
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

Value = str | float | bool

TEXT_MAX = 1000
"""Longer texts are cut: a value is spoken, compared or shown, never a document."""
NUMBER_MAX = 1e15
"""Larger numbers are cut to it: up to here whole numbers are exact."""
_NUMBER = re.compile(r"\s*(-?(?:[0-9]{1,15}(?:[.,][0-9]{1,9})?|10{15}))\s*")
"""So many digits, or the largest number itself: what is longer is rather an account than a number."""


class ValueType(Enum):
    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"


NOTHING: dict[ValueType, Value] = {ValueType.TEXT: "", ValueType.NUMBER: 0.0, ValueType.TRUTH: False}
"""The value of a variable that was not set."""


class Comparison(Enum):
    IS = "=="
    IS_NOT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class Arithmetic(Enum):
    PLUS = "+"  # of texts: one after the other
    MINUS = "-"
    TIMES = "*"


class Function(Enum):
    LENGTH = "length"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    CONTAINS = "contains"
    FIRST = "first"
    LAST = "last"
    LOWER = "lower"
    NUMBER = "number"
    TEXT = "text"
    IS_NUMBER = "is_number"


_T, _N, _B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
SIGNATURES: dict[Function, tuple[tuple[ValueType, ...], ValueType]] = {
    Function.LENGTH: ((_T,), _N),
    Function.STARTS_WITH: ((_T, _T), _B),
    Function.ENDS_WITH: ((_T, _T), _B),
    Function.CONTAINS: ((_T, _T), _B),
    Function.FIRST: ((_T, _N), _T),
    Function.LAST: ((_T, _N), _T),
    Function.LOWER: ((_T,), _T),
    Function.NUMBER: ((_T, _N), _N),
    Function.TEXT: ((_N,), _T),
    Function.IS_NUMBER: ((_T,), _B),
}
"""The types of the arguments and of the result."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A variable of the flow (`order`), or something the center knows (`caller.number`, `queue.sales.waiting`)."""

    path: str


@dataclass(frozen=True, slots=True)
class Not:
    of: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """`and` of all."""

    of: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`or` of all."""

    of: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """Both sides have one type. Truths are only equal or not."""

    how: Comparison
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class OneOf:
    """`in`: whether the value is one of the others."""

    value: "Expression"
    of: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """Of two numbers; PLUS also of two texts."""

    how: Arithmetic
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Apply:
    function: Function
    arguments: tuple["Expression", ...]


Expression = Literal | Name | Not | Both | Either | Compare | OneOf | Compute | Apply
Look = Callable[[str], Value]
"""The value of a name."""


def evaluate(expression: Expression, look: Look) -> Value:
    """The value of a well-typed expression. `look` gives each name a value of the type that it was checked with."""
    match expression:
        case Literal(value=value):
            return value
        case Name(path=path):
            return look(path)
        case Not(of=of):
            return not evaluate(of, look)
        case Both(of=parts):
            return all(evaluate(part, look) for part in parts)
        case Either(of=parts):
            return any(evaluate(part, look) for part in parts)
        case Compare(how=how, left=left, right=right):
            return _compare(how, evaluate(left, look), evaluate(right, look))
        case OneOf(value=one, of=parts):
            value = evaluate(one, look)
            return any(evaluate(part, look) == value for part in parts)
        case Compute(how=how, left=left, right=right):
            return _compute(how, evaluate(left, look), evaluate(right, look))
        case Apply(function=function, arguments=arguments):
            return _FUNCTIONS[function](*(evaluate(each, look) for each in arguments))
        case _:
            assert_never(expression)


def fitted(value: object, type_: ValueType) -> Value | None:
    """What came from outside (JSON, SQL, a script) as a value of `type_`; None where it is none.

    Whole numbers and decimals are numbers; a number or a truth may stand for a text, and 0 and 1 for a truth.
    """
    match type_:
        case ValueType.TEXT:
            if isinstance(value, bool):
                return "true" if value else "false"
            if isinstance(value, int | float):
                return as_text(bounded(float(value))) if math.isfinite(value) else None
            return value[:TEXT_MAX] if isinstance(value, str) else None
        case ValueType.NUMBER:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                return None
            if isinstance(value, str):
                return read_number(value)
            try:
                number = float(value)
            except OverflowError:
                return None
            return bounded(number) if math.isfinite(number) else None
        case ValueType.TRUTH:
            return bool(value) if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)) else None
        case _:
            assert_never(type_)


def type_of(value: Value) -> ValueType:
    if isinstance(value, bool):
        return ValueType.TRUTH
    return ValueType.TEXT if isinstance(value, str) else ValueType.NUMBER


def read_number(text: str) -> float | None:
    """`12`, `-3.5` and `3,5` as numbers; None for anything else."""
    found = _NUMBER.fullmatch(text)
    return None if found is None else bounded(float(found[1].replace(",", ".")))


def as_text(number: float) -> str:
    """12.0 as 12, 0.1 + 0.2 as 0.3."""
    text = f"{number:.9f}".rstrip("0").rstrip(".") if number % 1 else str(int(number))
    return "0" if text == "-0" else text


def bounded(number: float) -> float:
    return max(-NUMBER_MAX, min(NUMBER_MAX, number))


def _compare(how: Comparison, left: Value, right: Value) -> bool:
    match how:
        case Comparison.IS:
            return left == right
        case Comparison.IS_NOT:
            return left != right
        case Comparison.LESS:
            return left < right  # type: ignore[operator]  # both sides have one type: checked at load
        case Comparison.AT_MOST:
            return left <= right  # type: ignore[operator]
        case Comparison.MORE:
            return left > right  # type: ignore[operator]
        case Comparison.AT_LEAST:
            return left >= right  # type: ignore[operator]
        case _:
            assert_never(how)


def _compute(how: Arithmetic, left: Value, right: Value) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        return f"{left}{right}"[:TEXT_MAX]
    match how:
        case Arithmetic.PLUS:
            return bounded(left + right)
        case Arithmetic.MINUS:
            return bounded(left - right)
        case Arithmetic.TIMES:
            return bounded(left * right)
        case _:
            assert_never(how)


def _count(number: float) -> int:
    return max(0, int(bounded(number)))


def _last(text: str, number: float) -> str:
    count = _count(number)
    return text[-count:] if count else ""


def _number(text: str, otherwise: float) -> float:
    found = read_number(text)
    return otherwise if found is None else found


_FUNCTIONS: dict[Function, Callable[..., Value]] = {
    Function.LENGTH: lambda text: float(len(text)),
    Function.STARTS_WITH: lambda text, other: text.startswith(other),
    Function.ENDS_WITH: lambda text, other: text.endswith(other),
    Function.CONTAINS: lambda text, other: other in text,
    Function.FIRST: lambda text, number: text[: _count(number)],
    Function.LAST: _last,
    Function.LOWER: lambda text: text.lower()[:TEXT_MAX],
    Function.NUMBER: _number,
    Function.TEXT: as_text,
    Function.IS_NUMBER: lambda text: read_number(text) is not None,
}

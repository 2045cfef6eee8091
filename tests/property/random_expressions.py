"""Well-typed expressions made of chance, the values of their names, and how they are written in a flow.

The words and digits in them are few, so that comparisons are now and then true; the values of names are hostile.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar, assert_never

from hypothesis import strategies as st

from ccserver.core.expressions import (
    NUMBER_MAX,
    SIGNATURES,
    TEXT_MAX,
    Apply,
    Arithmetic,
    Both,
    Compare,
    Comparison,
    Compute,
    Either,
    Expression,
    Literal,
    Name,
    Not,
    OneOf,
    Value,
    ValueType,
    as_text,
)

T, N, B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
DEPTH = 3
E = TypeVar("E")

HOSTILE_TEXTS = (
    "",
    " ",
    "0",
    "-0",
    "-12,5",
    "1e9",
    "nan",
    "inf",
    "٣",
    "²",
    "9" * 15,
    "9" * 16,
    "İ" * TEXT_MAX,
    "' or 1=1 --",
    "\x00",
    "#*",
)
HOSTILE_NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-12, -1e-12, NUMBER_MAX, -NUMBER_MAX, 0.5 - 2**-54, 2.0**49 + 0.5)
LITERALS: Mapping[ValueType, Sequence[Literal]] = {
    T: tuple(map(Literal, ("", "a", "7", "42", "paid", "Madrid"))),
    N: tuple(map(Literal, (0.0, 1.0, 2.0, 3.5, 42.0, 1000.0))),
    B: (Literal(False), Literal(True)),
}
"""Those that a flow has: no number is negative."""
FUNCTIONS = {of: tuple(name for name, (_, result) in SIGNATURES.items() if result is of) for of in ValueType}
WAYS: Mapping[ValueType, Sequence[str]] = {
    T: ("leaf", "leaf", "leaf", "leaf", "apply", "apply", "plus"),
    N: ("leaf", "leaf", "leaf", "leaf", "apply", "compute", "compute"),
    B: ("leaf", "leaf", "apply", "apply", "not", "both", "either", "compare", "compare", "one of"),
}
EQUALITY = (Comparison.IS, Comparison.IS_NOT)


def hostile(type_: ValueType) -> st.SearchStrategy[Value]:
    """Any value that a name of the type can have: texts up to TEXT_MAX, numbers up to NUMBER_MAX."""
    match type_:
        case ValueType.TEXT:
            return st.sampled_from(HOSTILE_TEXTS) | st.text(max_size=20)
        case ValueType.NUMBER:
            return st.sampled_from(HOSTILE_NUMBERS) | st.floats(-NUMBER_MAX, NUMBER_MAX)
        case ValueType.TRUTH:
            return st.booleans()
        case _:
            assert_never(type_)


class Pick(Protocol):
    """One of several."""

    def __call__(self, several: Sequence[E], /) -> E: ...


Leaf = Callable[[ValueType], Expression]


def expressions(type_: ValueType, names: Mapping[str, ValueType]) -> st.SearchStrategy[Expression]:
    """Of one type, over those names."""
    leaves: dict[ValueType, st.SearchStrategy[Expression]] = {}
    for of in ValueType:
        own = st.sampled_from([Name(path) for path, has in names.items() if has is of])
        leaves[of] = st.one_of(own, st.sampled_from(LITERALS[of]), hostile(of).map(Literal))

    @st.composite
    def build(draw: st.DrawFn) -> Expression:
        return grown(type_, lambda several: draw(_one_of(tuple(several))), lambda of: draw(leaves[of]))

    return build()


@cache
def _one_of(several: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(several)


def grown(of: ValueType, pick: Pick, leaf: Leaf, levels: int = DEPTH) -> Expression:
    """`pick` and `leaf` are chance."""

    def part(each: ValueType) -> Expression:
        return grown(each, pick, leaf, levels - 1)

    def parts(each: ValueType) -> tuple[Expression, ...]:
        return tuple(part(each) for _ in range(pick((2, 3))))

    match pick(WAYS[of]) if levels else "leaf":
        case "leaf":
            return leaf(of)
        case "apply":
            function = pick(FUNCTIONS[of])
            return Apply(function, tuple(part(each) for each in SIGNATURES[function][0]))
        case "plus":
            return Compute(Arithmetic.PLUS, part(T), part(T))
        case "compute":
            return Compute(pick(tuple(Arithmetic)), part(N), part(N))
        case "not":
            return Not(part(B))
        case "both":
            return Both(parts(B))
        case "either":
            return Either(parts(B))
        case "compare":
            kind = pick(tuple(ValueType))
            return Compare(pick(EQUALITY if kind is B else tuple(Comparison)), part(kind), part(kind))
        case _:
            kind = pick(tuple(ValueType))
            return OneOf(part(kind), parts(kind))


def written(expression: Expression) -> str:
    """As a flow has it, with a parenthesis around every part."""
    match expression:
        case Literal(value=value):
            return _written_value(value)
        case Name(path=path):
            return path
        case Not(of=of):
            return f"(not {written(of)})"
        case Both(of=parts):
            return "(" + " and ".join(written(part) for part in parts) + ")"
        case Either(of=parts):
            return "(" + " or ".join(written(part) for part in parts) + ")"
        case Compare(how=how, left=left, right=right):
            return f"({written(left)} {how.value} {written(right)})"
        case OneOf(value=one, of=parts):
            return f"({written(one)} in ({', '.join(written(part) for part in parts)}))"
        case Compute(how=how, left=left, right=right):
            return f"({written(left)} {how.value} {written(right)})"
        case Apply(function=function, arguments=arguments):
            return f"{function.value}({', '.join(written(each) for each in arguments)})"
        case _:
            assert_never(expression)


def _written_value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else as_text(value)

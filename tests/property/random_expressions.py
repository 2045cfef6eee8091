"""Well-typed expressions made of chance, the values of their names, and how they are written in a flow.

The words and digits in them are few, so that comparisons are now and then true; the values of names are hostile.
"""

from collections.abc import Mapping
from typing import assert_never

from hypothesis import strategies as st

from ccserver.core.expressions import (
    NOTHING,
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
WORDS = ("", "a", "7", "42", "paid", "Madrid")


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


def literals(type_: ValueType) -> st.SearchStrategy[Expression]:
    """Those that can be written: no number is negative."""
    values: Mapping[ValueType, st.SearchStrategy[Value]] = {
        T: st.sampled_from(WORDS),
        N: st.sampled_from([0.0, 1.0, 2.0, 3.5, 42.0, 1000.0]),
        B: st.booleans(),
    }
    return values[type_].map(Literal)


def expressions(
    type_: ValueType, names: Mapping[str, ValueType], depth: int = DEPTH, *, is_free: bool = True
) -> st.SearchStrategy[Expression]:
    """Of one type, over those names. `is_free`: literals are hostile too, and cannot all be written."""
    leaves: dict[ValueType, st.SearchStrategy[Expression]] = {}
    for of in ValueType:
        own = st.sampled_from([Name(path) for path, has in names.items() if has is of] or [Literal(NOTHING[of])])
        found = literals(of) | hostile(of).map(Literal) if is_free else literals(of)
        leaves[of] = st.one_of(own, found)

    @st.composite
    def build(draw: st.DrawFn) -> Expression:
        return grow(draw, type_, leaves, depth)

    return build()


TWO_OR_THREE = st.integers(2, 3)
WAYS = {
    of: st.sampled_from((*("leaf",) * 4, *kinds))
    for of, kinds in {
        T: ("apply", "apply", "plus"),
        N: ("apply", "compute", "compute"),
        B: ("apply", "apply", "not", "both", "either", "compare", "compare", "one of"),
    }.items()
}
FUNCTIONS = {of: st.sampled_from([name for name, (_, result) in SIGNATURES.items() if result is of]) for of in ValueType}
TYPES, ANY_COMPARISON, ANY_ARITHMETIC = st.sampled_from(ValueType), st.sampled_from(Comparison), st.sampled_from(Arithmetic)
EQUALITY = st.sampled_from([Comparison.IS, Comparison.IS_NOT])


def grow(draw: st.DrawFn, of: ValueType, leaves: Mapping[ValueType, st.SearchStrategy[Expression]], levels: int) -> Expression:
    def part(each: ValueType) -> Expression:
        return grow(draw, each, leaves, levels - 1)

    def parts(each: ValueType) -> tuple[Expression, ...]:
        return tuple(part(each) for _ in range(draw(TWO_OR_THREE)))

    match draw(WAYS[of]) if levels else "leaf":
        case "leaf":
            return draw(leaves[of])
        case "apply":
            function = draw(FUNCTIONS[of])
            return Apply(function, tuple(part(each) for each in SIGNATURES[function][0]))
        case "plus":
            return Compute(Arithmetic.PLUS, part(T), part(T))
        case "compute":
            return Compute(draw(ANY_ARITHMETIC), part(N), part(N))
        case "not":
            return Not(part(B))
        case "both":
            return Both(parts(B))
        case "either":
            return Either(parts(B))
        case "compare":
            kind = draw(TYPES)
            return Compare(draw(EQUALITY if kind is B else ANY_COMPARISON), part(kind), part(kind))
        case _:
            kind = draw(TYPES)
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

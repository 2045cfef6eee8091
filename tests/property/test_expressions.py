"""Whatever a flow computes, and whatever it is told: a value of the right type, within its bounds, and the laws of logic hold."""

import math
from collections.abc import Mapping

from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_expressions import B, N, T, expressions, hostile

from ccserver.core.expressions import (
    NUMBER_MAX,
    TEXT_MAX,
    Apply,
    Both,
    Compare,
    Comparison,
    Either,
    Expression,
    Function,
    Literal,
    Not,
    OneOf,
    Value,
    ValueType,
    as_text,
    evaluate,
    fitted,
    read_number,
    type_of,
)

NAMES: Mapping[str, ValueType] = {
    "order": T,
    "city": T,
    "caller.number": T,
    "amount": N,
    "queue.sales.waiting": N,
    "is_known": B,
    "queue.sales.is_open": B,
}
LOOKS = st.fixed_dictionaries({name: hostile(type_) for name, type_ in NAMES.items()})
TYPED = st.sampled_from(ValueType).flatmap(lambda type_: st.tuples(st.just(type_), expressions(type_, NAMES)))
MANY = settings(max_examples=400, deadline=None, derandomize=True)
SOME = settings(max_examples=120, deadline=None, derandomize=True)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("x" * (TEXT_MAX + 1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def is_sound(value: object, type_: ValueType) -> bool:
    """A value of the type, within its bounds."""
    match type_:
        case ValueType.TEXT:
            return isinstance(value, str) and len(value) <= TEXT_MAX
        case ValueType.NUMBER:
            return isinstance(value, float) and math.isfinite(value) and abs(value) <= NUMBER_MAX
        case ValueType.TRUTH:
            return isinstance(value, bool)


@MANY
@given(TYPED, LOOKS)
def test_every_expression_gives_a_value_of_its_type(typed: tuple[ValueType, Expression], looks: Mapping[str, Value]) -> None:
    type_, expression = typed
    value = evaluate(expression, looks.__getitem__)
    assert is_sound(value, type_), f"{value!r} is no {type_.value}"
    assert type_of(value) is type_
    assert evaluate(expression, looks.__getitem__) == value, "and the same each time"


@SOME
@given(expressions(B, NAMES), expressions(B, NAMES), LOOKS)
def test_not_both_is_either_not(one: Expression, other: Expression, looks: Mapping[str, Value]) -> None:
    def value(expression: Expression) -> Value:
        return evaluate(expression, looks.__getitem__)

    assert value(Not(Both((one, other)))) is value(Either((Not(one), Not(other))))
    assert value(Not(Not(one))) is value(one)
    assert value(Both((one, other))) is value(Both((other, one)))


@SOME
@given(st.sampled_from([T, N]).flatmap(lambda of: st.tuples(expressions(of, NAMES), expressions(of, NAMES))), LOOKS)
def test_two_values_are_less_equal_or_more_and_only_one_of_them(
    pair: tuple[Expression, Expression], looks: Mapping[str, Value]
) -> None:
    def holds(how: Comparison, left: Expression = pair[0], right: Expression = pair[1]) -> Value:
        return evaluate(Compare(how, left, right), looks.__getitem__)

    assert [holds(Comparison.LESS), holds(Comparison.IS), holds(Comparison.MORE)].count(True) == 1
    assert holds(Comparison.IS_NOT) is not holds(Comparison.IS)
    assert holds(Comparison.AT_MOST) is (not holds(Comparison.MORE))
    assert holds(Comparison.AT_LEAST) is (not holds(Comparison.LESS))
    assert holds(Comparison.LESS) is holds(Comparison.MORE, pair[1], pair[0])


@SOME
@given(expressions(T, NAMES), st.lists(expressions(T, NAMES), min_size=1, max_size=4), LOOKS)
def test_one_of_is_either_of_the_equalities(one: Expression, others: list[Expression], looks: Mapping[str, Value]) -> None:
    as_equalities = Either(tuple(Compare(Comparison.IS, one, other) for other in others))
    assert evaluate(OneOf(one, tuple(others)), looks.__getitem__) is evaluate(as_equalities, looks.__getitem__)


@SOME
@given(hostile(T), hostile(N))
def test_the_first_and_the_last_characters_are_those_of_the_text(text: str, count: float) -> None:
    def of(function: Function) -> Value:
        return evaluate(Apply(function, (Literal(text), Literal(count))), NAMES.__getitem__)  # type: ignore[arg-type]

    first, last = of(Function.FIRST), of(Function.LAST)
    assert isinstance(first, str) and isinstance(last, str)
    assert text.startswith(first) and text.endswith(last)
    assert len(first) == len(last) == min(len(text), max(0, int(count)))


@SOME
@given(hostile(N) | st.floats(-NUMBER_MAX, NUMBER_MAX) | st.integers(-int(NUMBER_MAX), int(NUMBER_MAX)).map(float))  # type: ignore[arg-type]
@example(NUMBER_MAX)
@example(-NUMBER_MAX)
@example(NUMBER_MAX - 0.125)
def test_a_number_as_text_is_read_as_that_number_again(number: float) -> None:
    text = as_text(number)
    again = read_number(text)
    assert again is not None, f"{number!r} is written {text!r}"
    assert math.isclose(again, number, rel_tol=1e-12, abs_tol=1e-9)
    assert as_text(again) == text
    assert text != "-0"


@MANY
@given(JSON, st.sampled_from(ValueType))
def test_what_comes_from_outside_is_a_value_of_the_type_or_none(given_: object, type_: ValueType) -> None:
    value = fitted(given_, type_)
    assert value is None or is_sound(value, type_), f"{value!r} is no {type_.value}"
    if value is not None:
        assert fitted(value, type_) == value, "what fits goes through unchanged"

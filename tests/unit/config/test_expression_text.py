"""Expressions as they are written: what is read, what is refused and where, and that writing is the reverse of reading."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccserver.config.expression_text import MAX_DEPTH, MAX_LENGTH, WORDS, BadExpression, parse
from ccserver.config.expression_types import Known, typed
from ccserver.config.expression_written import written
from ccserver.core.expressions import (
    SIGNATURES,
    Apply,
    Arithmetic,
    Both,
    Compare,
    Comparison,
    Compute,
    Either,
    Expression,
    Function,
    Literal,
    Name,
    Not,
    OneOf,
    ValueType,
    evaluate,
)
from ccserver.core.ids import HoursId, QueueId

KNOWN = Known(
    {"order": ValueType.TEXT, "amount": ValueType.NUMBER, "is_paid": ValueType.TRUTH, "odd": ValueType.TEXT},
    (QueueId("sales"), QueueId("big-queue")),
    (HoursId("office"),),
    frozenset({"unread"}),
)


# --- what is read -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("order", Name("order")),
        ("12", Literal(12.0)),
        ("3.5", Literal(3.5)),
        ("-3", Literal(-3.0)),
        ("'it is \"so\"'", Literal('it is "so"')),
        ('"it\'s"', Literal("it's")),
        ("true", Literal(True)),
        ("queue.big-queue.waiting", Name("queue.big-queue.waiting")),
        ("queue.sales.waiting-1", Compute(Arithmetic.MINUS, Name("queue.sales.waiting"), Literal(1.0))),
        ("now.hour-now.minute", Compute(Arithmetic.MINUS, Name("now.hour"), Name("now.minute"))),
        ("a or b and c", Either((Name("a"), Both((Name("b"), Name("c")))))),
        ("not a and b", Both((Not(Name("a")), Name("b")))),
        ("not a == b", Not(Compare(Comparison.IS, Name("a"), Name("b")))),
        ("a and (b and c)", Both((Name("a"), Both((Name("b"), Name("c")))))),
        ("1 + 2 * 3", Compute(Arithmetic.PLUS, Literal(1.0), Compute(Arithmetic.TIMES, Literal(2.0), Literal(3.0)))),
        ("1 - 2 - 3", Compute(Arithmetic.MINUS, Compute(Arithmetic.MINUS, Literal(1.0), Literal(2.0)), Literal(3.0))),
        ("-amount", Compute(Arithmetic.MINUS, Literal(0.0), Name("amount"))),
        ("order in ('a', 'b')", OneOf(Name("order"), (Literal("a"), Literal("b")))),
        (
            "first(order, 2) == 'ES'",
            Compare(Comparison.IS, Apply(Function.FIRST, (Name("order"), Literal(2.0))), Literal("ES")),
        ),
        ("text", Name("text")),
        (" (  amount\n >= 1 ) ", Compare(Comparison.AT_LEAST, Name("amount"), Literal(1.0))),
    ],
)
def test_it_is_read_as(text: str, expression: Expression) -> None:
    assert parse(text).of == expression


# --- what is refused, and where -----------------------------------------------------------------------------------------
SIGN = 'expected a sign, "and", "or" or the end, got'


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "expected a value, got nothing (for example queue.sales.staffed > 0)"),
        ("amount >", 8, 'expected a value after ">", got nothing (write a value, or remove ">")'),
        ("amount and or", 11, 'expected a value after "and", got "or" (for example queue.sales.staffed > 0)'),
        ("amount = 3", 7, f'{SIGN} "=" (write ==)'),
        ("amount <> 3", 7, f'{SIGN} "<>" (write !=)'),
        ("amount => 3", 7, f'{SIGN} "=>" (write >=)'),
        ("amount is 3", 7, f'{SIGN} "is" (write ==)'),
        ("is_paid AND is_paid", 8, f'{SIGN} "AND" (write and)'),
        ("!is_paid", 0, 'expected a value, got "!" (write not)'),
        ("is_paid || is_paid", 8, f'{SIGN} "||" (write or)'),
        ("amount / 2", 7, f'{SIGN} "/" (there is no division: multiply, for example amount * 0.5)'),
        ("amount 2", 7, f'{SIGN} "2" (put "and", "or" or another sign before it)'),
        ("order not in ('a')", 6, f"{SIGN} \"not\" (write not before the whole: not x in ('a', 'b'))"),
        ("1 < amount < 3", 11, 'expected "and", "or" or the end, got "<" (compare twice, with and between)'),
        ("(amount", 0, 'expected a ")" for this "(", got none (close it)'),
        ("amount)", 6, 'expected the end, got ")" (remove it, or open it before)'),
        ("first(order 2)", 12, 'expected a sign, "and", "or" or a comma or ")", got "2" (put "and", "or" or another sign before it)'),
        ("first(order)", 0, "expected 2 values in first(text, number), got 1"),
        ("length()", 0, "expected 1 value in length(text), got 0"),
        ("lenght(order)", 0, 'expected a function, got "lenght" (did you mean length?)'),
        ("sqrt(amount)", 0, f'expected a function, got "sqrt" (known are {", ".join(each.value for each in Function)})'),
        ("order in 'a'", 9, "expected \"(\" after \"in\", got \"'a'\" (for example x in ('a', 'b'))"),
        ("order in ()", 6, "expected values after in, got none (for example x in ('a', 'b'))"),
        ("'open", 0, 'expected a value, got "\'" (close the quotes)'),
        ("order == “a”", 9, 'expected a value after "==", got "“" (write plain quotes: \'text\')'),
        ("order\x00", 5, "expected an expression, got the control character U+0000 (remove it)"),
        ("1" * 16, 0, f'expected a number of at most 15 digits and 9 after the point, got "{"1" * 16}" '
         "(a number that is dialled is a text: put it in quotes)"),
        ("x" * (MAX_LENGTH + 1), 0, f"expected an expression of at most {MAX_LENGTH} characters, got {MAX_LENGTH + 1} (divide it)"),
        ("(" * 40 + "1", MAX_DEPTH + 1, f"expected at most {MAX_DEPTH} levels, got more (divide it: set a variable)"),
        ("not " * 40 + "true", 4 * (MAX_DEPTH + 1), f"expected at most {MAX_DEPTH} levels, got more (divide it: set a variable)"),
        ("1" + "+1" * 40, 2 * MAX_DEPTH - 1, f"expected at most {MAX_DEPTH} levels, got more (divide it: set a variable)"),
        ("-" * 40 + "1", MAX_DEPTH + 1, f"expected at most {MAX_DEPTH} levels, got more (divide it: set a variable)"),
    ],
)  # fmt: skip
def test_it_is_refused_where_it_goes_wrong(text: str, offset: int, message: str) -> None:
    with pytest.raises(BadExpression) as refused:
        parse(text)
    assert (refused.value.offset, str(refused.value)) == (offset, message)


# --- types ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("amount * 2 + 1", ValueType.NUMBER),
        ("order + '!'", ValueType.TEXT),
        ("order < 'b' and is_paid == true", ValueType.TRUTH),
        ("number(order, -1) in (1, 2, amount)", ValueType.TRUTH),
        ("queue.big-queue.expected_wait_s + length(caller.number)", ValueType.NUMBER),
        ("hours.office.is_holiday or not queue.sales.is_open", ValueType.TRUTH),
    ],
)
def test_it_has_the_type(text: str, type_: ValueType) -> None:
    checked = typed(parse(text), KNOWN)
    assert (checked.type, checked.faults) == (type_, [])


UNKNOWN = "expected a variable of this flow or a known name, got"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("ordr == 'a'", [(0, f'{UNKNOWN} "ordr" (did you mean order?)')]),
        ("zzzzz", [(0, f'{UNKNOWN} "zzzzz" (declare it under variables, or put a text in quotes)')]),
        ("caller.numbr", [(0, f'{UNKNOWN} "caller.numbr" (did you mean caller.number?)')]),
        ("call.zzz", [(0, f'{UNKNOWN} "call.zzz" (known are call.did, call.language, call.number, call.customer)')]),
        ("crm.zzz", [(0, f'{UNKNOWN} "crm.zzz" (known are caller, call, now, queue.NAME and hours.NAME)')]),
        ("queue.salez.waiting", [(0, f'{UNKNOWN} "queue.salez.waiting" (did you mean queue.sales.waiting?)')]),
        ("queue.sales.wait", [(0, f'{UNKNOWN} "queue.sales.wait" (did you mean queue.sales.waiting?)')]),
        ("queue.sales", [(0, f'{UNKNOWN} "queue.sales" (did you mean queue.sales.waiting?)')]),
        ("queue.zzz.waiting", [(0, f'{UNKNOWN} "queue.zzz.waiting" (define it under queues)')]),
        ("hours.office.zzz", [(0, f'{UNKNOWN} "hours.office.zzz" (known are is_open, is_holiday)')]),
        ("order == 1", [(9, "expected a text as before ==, got a number (put it in quotes)")]),
        ("amount == order", [(10, "expected a number as before ==, got a text (write number(…, 0))")]),
        ("is_paid < true", [(8, 'expected == or != between truths, got "<"')]),
        ("amount or is_paid", [(0, "expected a truth beside or, got a number (compare it, for example with > 0)")]),
        ("not order", [(4, "expected a truth beside not, got a text (compare it, for example with ==)")]),
        ("order in ('a', amount)", [(15, "expected a text as before in, got a number (write text(…))")]),
        ("order + (amount * 2)", [(9, "expected a text as before +, got a number (write text(…))")]),
        ("is_paid + order", [(0, "expected a text beside +, got a truth")]),
        ("order * is_paid", [(0, "expected a number beside *, got a text (write number(…, 0))"),
                             (8, "expected a number beside *, got a truth")]),
        ("length(amount + 1)", [(7, "expected a text in length(…), got a number (write text(…))")]),
        ("first(ordr, is_payd)", [(6, f'{UNKNOWN} "ordr" (did you mean order?)'),
                                  (12, f'{UNKNOWN} "is_payd" (did you mean is_paid?)')]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_where_it_stands(text: str, faults: list[tuple[int, str]]) -> None:
    assert [(each.offset, str(each)) for each in typed(parse(text), KNOWN).faults] == faults


def test_what_could_not_be_read_is_not_judged() -> None:
    assert typed(parse("unread > 3 and unread == 'a' and unread"), KNOWN).faults == []


# --- writing is the reverse of reading ----------------------------------------------------------------------------------
def expressions() -> st.SearchStrategy[Expression]:
    """Any that can be written, well typed or not."""
    names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in WORDS)
    paths = (
        names
        | st.builds("{}.{}".format, names, names)
        | st.builds("queue.{}-{}.waiting".format, names.map(lambda n: f"q{n}"), names)
    )
    texts = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=8).filter(
        lambda text: not {"'", '"'} <= {*text}
    )
    numbers = st.integers(-(10**15) + 1, 10**15 - 1).map(float) | st.decimals(-1000, 1000, places=3).map(float)
    leaves = st.one_of(st.builds(Name, paths), st.builds(Literal, texts | numbers | st.booleans()))

    def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Not, inner),
            st.builds(Both, several),
            st.builds(Either, several),
            st.builds(Compare, st.sampled_from(Comparison), inner, inner),
            st.builds(OneOf, inner, st.lists(inner, min_size=1, max_size=3).map(tuple)),
            st.builds(Compute, st.sampled_from(Arithmetic), inner, inner),
            st.sampled_from(Function).flatmap(
                lambda function: st.tuples(*[inner] * len(SIGNATURES[function][0])).map(lambda given: Apply(function, given))
            ),
        )

    return st.recursive(leaves, larger, max_leaves=12)


@given(expressions())
@example(Compute(Arithmetic.MINUS, Name("a"), Literal(-1.0)))
@example(Compute(Arithmetic.MINUS, Name("a"), Compute(Arithmetic.MINUS, Name("b"), Name("c"))))
@example(Not(Not(Compare(Comparison.IS, Not(Name("a")), Name("b")))))
@example(Literal(0.000000001))
def test_what_is_written_is_read_as_the_same(expression: Expression) -> None:
    text = written(expression)
    if len(text) <= MAX_LENGTH:
        assert parse(text).of == expression


TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from([*WORDS, *"()+-*<>=!,'\". 1", "==", "order", "amount", "queue.sales.waiting", "first", "'a'", "12.5"]),
    max_size=20,
).map(" ".join)


@given(TEXTS)
def test_any_text_is_an_expression_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        placed = parse(text)
    except BadExpression as refused:
        assert 0 <= refused.offset <= len(text)
        assert refused.message.startswith("expected ")
        return
    checked = typed(placed, KNOWN)
    assert all(0 <= each.offset < len(text) for each in checked.faults)
    if not checked.faults:
        values = {ValueType.TEXT: "7", ValueType.NUMBER: 3.0, ValueType.TRUTH: True}
        value = evaluate(placed.of, lambda name: values[typed(parse(name), KNOWN).type or ValueType.TEXT])
        assert {str: ValueType.TEXT, float: ValueType.NUMBER, bool: ValueType.TRUTH}[type(value)] is checked.type
        assert parse(written(placed.of)).of == placed.of

"""Expressions written back as text, for differences and graphs: `expression_text.parse` reads it as the same expression."""

from typing import assert_never

from ccserver.core.expressions import (
    Apply,
    Arithmetic,
    Both,
    Compare,
    Compute,
    Either,
    Expression,
    Literal,
    Name,
    Not,
    OneOf,
    as_text,
)

# How tightly a place binds: what binds less than its place is put in parentheses.
_EITHER, _BOTH, _DENIED, _COMPARED, _SUM, _PRODUCT, _SINGLE = range(7)


def written(expression: Expression) -> str:
    """The text of an expression."""
    return _written(expression, _EITHER)


def _written(expression: Expression, place: int) -> str:
    match expression:
        case Literal(value=value):
            return _literal(value)
        case Name(path=path):
            return path
        case Not(of=of):
            return _enclosed(f"not {_written(of, _DENIED)}", place > _DENIED)
        case Both(of=parts):
            return _enclosed(" and ".join(_written(part, _DENIED) for part in parts), place > _BOTH)
        case Either(of=parts):
            return _enclosed(" or ".join(_written(part, _BOTH) for part in parts), place > _EITHER)
        case Compare(how=how, left=left, right=right):
            text = f"{_written(left, _SUM)} {how.value} {_written(right, _SUM)}"
            return _enclosed(text, place > _COMPARED)
        case OneOf(value=value, of=parts):
            return _enclosed(f"{_written(value, _SUM)} in ({_listed(parts)})", place > _COMPARED)
        case Compute(how=how, left=left, right=right):
            own = _PRODUCT if how is Arithmetic.TIMES else _SUM
            return _enclosed(f"{_written(left, own)} {how.value} {_written(right, own + 1)}", place > own)
        case Apply(function=function, arguments=arguments):
            return f"{function.value}({_listed(arguments)})"
        case _:
            assert_never(expression)


def _listed(parts: tuple[Expression, ...]) -> str:
    return ", ".join(_written(part, _EITHER) for part in parts)


def _literal(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}'" if "'" not in value else f'"{value}"'
    return as_text(value)


def _enclosed(text: str, is_needed: bool) -> str:
    return f"({text})" if is_needed else text

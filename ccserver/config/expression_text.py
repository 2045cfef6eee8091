"""Expressions as people write them: `amount > 100 and queue.sales.staffed > 0`.

    either   = both { "or" both }                                 binds least
    both     = denied { "and" denied }
    denied   = "not" denied | compared
    compared = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum | "in" "(" either { "," either } ")" ]
    sum      = product { ("+" | "-") product }
    product  = single { "*" single }
    single   = number | 'text' | "text" | "true" | "false" | name | function "(" [ either { "," either } ] ")"
             | "(" either ")" | "-" single

What the tree means is told in `core.expressions`, whether it fits together in `expression_types`. A text in quotes has no escapes: it
holds either kind of quotes, not both.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ccserver.config.placed import Placed
from ccserver.config.positions import is_control, quoted
from ccserver.config.schema import hinted, nearest
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
    bounded,
)

MAX_LENGTH = 500
MAX_DEPTH = 25
"""Levels of the tree: parentheses, functions, `not`, and each further `+` or `*` of a sum."""
WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
"""No variable can have one of these names."""
EXAMPLE = "for example queue.sales.staffed > 0"
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<name>(?:queue|hours)\.[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_]*|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<text>'[^']*'|"[^"]*")
  | (?P<sign>==|!=|<=|>=|<(?!>)|[>()+*,-])
  | (?P<other>&&|\|\||=>|=<|<>|\S)
    )""",
    re.VERBOSE,
)
# Signs and words of other languages, each with what to write.
_MENDS = {
    "&&": "write and",
    "&": "write and",
    "||": "write or",
    "|": "write or",
    "!": "write not",
    "=": "write ==",
    "<>": "write !=",
    "=>": "write >=",
    "=<": "write <=",
    "/": "there is no division: multiply, for example amount * 0.5",
    ":": "put a time in quotes: '14:05'",
    "'": "close the quotes",
    '"': "close the quotes",
    "‘": "write plain quotes: 'text'",
    "“": "write plain quotes: 'text'",
    "[": "write parentheses",
    "is": "write ==",
    "AND": "write and",
    "OR": "write or",
    "NOT": "write not",
    "True": "write true",
    "False": "write false",
}
_COMPARISONS = {each.value: each for each in Comparison}
_FUNCTIONS = {each.value: each for each in Function}


class BadExpression(ValueError):
    """The text is no expression. `offset` is where in it, counted from 0; `hint` says how to mend it ("" if nothing is known)."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(hinted(message, hint))
        self.offset = offset
        self.message = message
        self.hint = hint


def parse(text: str) -> Placed:
    """The expression with its places. Raises BadExpression."""
    if len(text) > MAX_LENGTH:
        raise BadExpression(0, f"expected an expression of at most {MAX_LENGTH} characters, got {len(text)}", "divide it")
    for offset, character in enumerate(text):
        if is_control(character) and character not in "\n\t":
            sign = f"the control character U+{ord(character):04X}"
            raise BadExpression(offset, f"expected an expression, got {sign}", "remove it")
    parser = _Parser(text)
    placed = parser.either(0)
    parser.finish()
    return placed


# --- the parser -------------------------------------------------------------------------------------------------------
class _Token(NamedTuple):
    kind: str  # name, number, text, sign, other, end
    text: str
    offset: int


class _Parser:
    """Recursive descent: one method for each rule of the grammar, the next token always in `_token`."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._before = ""

    def either(self, depth: int) -> Placed:
        return self._joined("or", Either, self._both, depth)

    def finish(self) -> None:
        """Nothing may follow."""
        if self._token.text == ")":
            raise BadExpression(self._token.offset, 'expected the end, got ")"', "remove it, or open it before")
        if self._token.kind != "end":
            raise self._unjoined("the end")

    def _both(self, depth: int) -> Placed:
        return self._joined("and", Both, self._denied, depth)

    def _joined(self, word: str, make: type[Both] | type[Either], part: Callable[[int], Placed], depth: int) -> Placed:
        parts = [part(depth)]
        offset = self._token.offset
        while (self._token.kind, self._token.text) == ("name", word):
            self._advance()
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else _placed(make(tuple(each.of for each in parts)), offset, *parts)

    def _denied(self, depth: int) -> Placed:
        token = self._token
        if (token.kind, token.text) != ("name", "not"):
            return self._compared(depth)
        self._deeper(depth)
        self._advance()
        of = self._denied(depth + 1)
        return _placed(Not(of.of), token.offset, of)

    def _compared(self, depth: int) -> Placed:
        left = self._sum(depth)
        token = self._token
        if token.kind == "sign" and token.text in _COMPARISONS:
            self._advance()
            right = self._sum(depth)
            placed = _placed(Compare(_COMPARISONS[token.text], left.of, right.of), token.offset, left, right)
            if self._token.kind == "sign" and self._token.text in _COMPARISONS:
                again = quoted(self._token.text)
                raise BadExpression(
                    self._token.offset, f'expected "and", "or" or the end, got {again}', "compare twice, with and between"
                )
            return placed
        if (token.kind, token.text) == ("name", "in"):
            self._advance()
            parts = self._listed("in", depth)
            if not parts:
                raise BadExpression(token.offset, "expected values after in, got none", "for example x in ('a', 'b')")
            return _placed(OneOf(left.of, tuple(each.of for each in parts)), token.offset, left, *parts)
        return left

    def _sum(self, depth: int) -> Placed:
        left = self._product(depth)
        while self._token.kind == "sign" and self._token.text in "+-":
            how = Arithmetic(self._token.text)
            offset = self._token.offset
            self._advance()
            right = self._product(depth)
            left = _placed(Compute(how, left.of, right.of), offset, left, right)
        return left

    def _product(self, depth: int) -> Placed:
        left = self._single(depth)
        while self._token.kind == "sign" and self._token.text == "*":
            offset = self._token.offset
            self._advance()
            right = self._single(depth)
            left = _placed(Compute(Arithmetic.TIMES, left.of, right.of), offset, left, right)
        return left

    def _single(self, depth: int) -> Placed:
        self._deeper(depth)
        token = self._token
        match token.kind:
            case "number":
                self._advance()
                return Placed(Literal(_number(token)), token.offset)
            case "text":
                self._advance()
                return Placed(Literal(token.text[1:-1]), token.offset)
            case "name" if token.text in ("true", "false"):
                self._advance()
                return Placed(Literal(token.text == "true"), token.offset)
            case "name" if token.text not in WORDS:
                self._advance()
                if self._token.text == "(" and self._token.kind == "sign":
                    return self._applied(token, depth)
                return Placed(Name(token.text), token.offset)
        if token.text == "(":
            self._advance()
            within = self.either(depth + 1)
            self._close(token)
            return within
        if token.text == "-":
            self._advance()
            return self._negative(token, depth)
        raise self._no_value(token)

    def _negative(self, token: _Token, depth: int) -> Placed:
        if self._token.kind == "number":
            of = Literal(-_number(self._token))
            self._advance()
            return Placed(of, token.offset)
        right = self._single(depth + 1)
        return _placed(
            Compute(Arithmetic.MINUS, Literal(0.0), right.of), token.offset, Placed(Literal(0.0), token.offset), right
        )

    def _applied(self, token: _Token, depth: int) -> Placed:
        function = _FUNCTIONS.get(token.text)
        if function is None:
            near = nearest(token.text, _FUNCTIONS)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(_FUNCTIONS)}"
            raise BadExpression(token.offset, f"expected a function, got {quoted(token.text)}", _MENDS.get(token.text, hint))
        parts = self._listed(token.text, depth)
        wanted = SIGNATURES[function][0]
        if len(parts) != len(wanted):
            shape = f"{function.value}({', '.join(each.value for each in wanted)})"
            raise BadExpression(token.offset, f"expected {_counted(len(wanted))} in {shape}, got {len(parts)}")
        return _placed(Apply(function, tuple(each.of for each in parts)), token.offset, *parts)

    def _listed(self, after: str, depth: int) -> list[Placed]:
        """Values in parentheses, perhaps none."""
        opening = self._token
        if opening.text != "(":
            found = _found(opening)
            raise BadExpression(
                opening.offset, f'expected "(" after {quoted(after)}, got {found}', "for example x in ('a', 'b')"
            )
        self._advance()
        parts: list[Placed] = []
        if self._token.text != ")":
            parts.append(self.either(depth + 1))
            while self._token.text == "," and self._token.kind == "sign":
                self._advance()
                parts.append(self.either(depth + 1))
        self._close(opening, "a comma or ")
        return parts

    def _close(self, opening: _Token, other: str = "") -> None:
        if self._token.kind == "end":
            raise BadExpression(opening.offset, 'expected a ")" for this "(", got none', "close it")
        if self._token.text != ")":
            raise self._unjoined(f'{other}")"')
        self._advance()

    def _deeper(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise BadExpression(
                self._token.offset, f"expected at most {MAX_DEPTH} levels, got more", "divide it: set a variable"
            )

    def _no_value(self, token: _Token) -> BadExpression:
        where = f" after {quoted(self._before)}" if self._before else ""
        hint = f"write a value, or remove {quoted(self._before)}" if self._before and token.kind == "end" else EXAMPLE
        return BadExpression(token.offset, f"expected a value{where}, got {_found(token)}", _MENDS.get(token.text, hint))

    def _unjoined(self, end: str) -> BadExpression:
        token = self._token
        if token.kind == "other" and token.text in "'\"":
            return BadExpression(token.offset, "expected a text in quotes, got no closing quotes", "close the quotes")
        hint = _MENDS.get(token.text, "")
        if token.text == "not":
            hint = "write not before the whole: not x in ('a', 'b')"
        elif not hint and token.kind in ("name", "number", "text"):
            hint = 'put "and", "or" or another sign before it'
        return BadExpression(token.offset, f'expected a sign, "and", "or" or {end}, got {quoted(token.text)}', hint)

    def _advance(self) -> None:
        self._before = self._token.text
        self._token = next(self._tokens)


def _placed(of: Expression, offset: int, *parts: Placed) -> Placed:
    depth = 1 + max(each.depth for each in parts)
    if depth > MAX_DEPTH:
        raise BadExpression(offset, f"expected at most {MAX_DEPTH} levels, got more", "divide it: set a variable")
    return Placed(of, offset, parts, depth)


def _number(token: _Token) -> float:
    whole, _, rest = token.text.partition(".")
    if len(whole) > 15 or len(rest) > 9:
        message = "expected a number of at most 15 digits and 9 after the point"
        raise BadExpression(
            token.offset, f"{message}, got {quoted(token.text)}", "a number that is dialled is a text: put it in quotes"
        )
    return bounded(float(token.text))


def _counted(number: int) -> str:
    return "1 value" if number == 1 else f"{number} values"


def _found(token: _Token) -> str:
    return "nothing" if token.kind == "end" else quoted(token.text)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while found := _TOKEN.match(text, at):
        kind = found.lastgroup or ""
        yield _Token(kind, found[kind], found.start(kind))
        at = found.end()
    while True:
        yield _Token("end", "", len(text.rstrip()))

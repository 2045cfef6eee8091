"""What is said to callers, piece by piece: prompts, and values that a flow computes."""

import re
from dataclasses import dataclass

from ccserver.config.expression_kind import ExpressionText
from ccserver.config.kinds import language, prompt, queue
from ccserver.config.positions import Node, PathInFile, Scalar, Table, quoted
from ccserver.config.schema import Field, Flag, Group, Kind, ListOf, OneOf, Reader, Text, got, hinted, nearest
from ccserver.core.expressions import Expression, ValueType
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind

_currency = Text("a currency of three capital letters", str, r"[A-Z]{3}", 20, "EUR")
_language = Field("language", language, "Spoken in this language, whatever the caller's is.", default=None)


class _Value:
    """What a piece says: text that stands there as it is where `literal` matches, else an expression."""

    def __init__(self, type_: ValueType, literal: str = "") -> None:
        self._expression = ExpressionText(type_)
        self._literal = literal

    @property
    def expected(self) -> str:
        return self._expression.expected

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Expression | str | None:
        """A text is said as it stands."""
        if isinstance(node, Scalar) and self._literal and re.fullmatch(self._literal, node.text):
            return node.text
        return self._expression.read(reader, node, path)


def _spoken(kind: SpokenKind, of: Expression | str, language: Language | None, beside: str = "") -> Spoken:
    if isinstance(of, str):
        return Spoken(kind, of, language=language)
    return Spoken(kind, beside, of, language)


def _piece(kind: SpokenKind, of: Kind[object], doc: str) -> Group[Spoken]:
    key = kind.value

    def make(language: Language | None, **given: Expression | str) -> Spoken:
        return _spoken(kind, given[key], language)

    return Group(f"a piece of speech with {key}", make, [Field(key, of, doc), _language])


def _money(money: Expression, currency: str, language: Language | None) -> Spoken:
    return _spoken(SpokenKind.MONEY, money, language, currency)


def _call_number(call_number: bool, language: Language | None) -> Spoken:
    if not call_number:
        raise ValueError("expected call_number: true, got false (take the piece away instead)")
    return Spoken(SpokenKind.CALL_NUMBER, "", language=language)


_T, _N = ValueType.TEXT, ValueType.NUMBER
piece: OneOf[Spoken] = OneOf(
    "a piece of speech",
    {
        "prompt": _piece(SpokenKind.PROMPT, prompt, "A prompt; its name alone says the same."),
        "digits": _piece(
            SpokenKind.DIGITS, _Value(_T, r"[0-9*#]{1,20}"), 'Digits one by one: a text, or as they stand: "0123".'
        ),
        "number": _piece(SpokenKind.NUMBER, _Value(_N, r"-?[0-9]{1,12}(\.[0-9]{1,6})?"), "A number."),
        "money": Group(
            "a piece of speech with money",
            _money,
            [
                Field("money", ExpressionText(_N), "An amount of money."),
                Field("currency", _currency, "Its currency.", hint="for example EUR"),
                _language,
            ],
        ),
        "date": _piece(SpokenKind.DATE, ExpressionText(_T), "A date: a text like `2026-12-25`."),
        "time": _piece(SpokenKind.TIME, ExpressionText(_T), "A time of the day: a text like `14:05`."),
        "duration": _piece(SpokenKind.DURATION, ExpressionText(_N), "So many seconds; from one minute on in minutes."),
        "text": _piece(
            SpokenKind.TEXT,
            ExpressionText(_T),
            "Any text, by the speech engine: a name out of a look-up, or words of your own: `\"'like these'\"`.",
        ),
        "spelled": _piece(SpokenKind.SPELLED, ExpressionText(_T), "A text letter by letter."),
        "expected_wait": _piece(SpokenKind.EXPECTED_WAIT, queue, "The expected wait in this queue."),
        "call_number": Group(
            "a piece of speech with call_number",
            _call_number,
            [
                Field("call_number", Flag(), "true: the call's own number, which agents and every command can search."),
                _language,
            ],
        ),
    },
)


class SpokenPiece:
    """One piece of speech: a prompt's name, or a table like `{digits: order}`."""

    expected = f"the name of a prompt, or a table with one of the keys {', '.join(piece.groups)}"
    group = piece

    def read(self, reader: Reader, node: Node, path: PathInFile) -> Spoken | None:
        """A prompt's name is checked with all references."""
        if isinstance(node, Scalar):
            name = prompt.read(reader, node, path)
            return None if name is None else Spoken(SpokenKind.PROMPT, name)
        if not isinstance(node, Table):
            reader.tell(
                path, hinted(f"expected {self.expected}, got {got(node)}", "write the pieces one after the other"), node.mark
            )
            return None
        if node.entries and not any(key in piece.groups for key in node.entries):
            key, (mark, _) = next(iter(node.entries.items()))
            near = nearest(key, piece.groups)
            message = f"expected one of {', '.join(piece.groups)}, got {quoted(key)}"
            reader.tell((*path, key), hinted(message, f"did you mean {near}?" if near else ""), mark)
            return None
        return piece.read(reader, node, path)


_pieces = ListOf(SpokenPiece(), 20)


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said: one piece, or several. `is_needed`: an empty list is told."""

    is_needed: bool = False
    expected: str = "what is said: a prompt, or a list of pieces"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> tuple[Spoken, ...] | None:
        pieces = _pieces.read(reader, node, path)
        if self.is_needed and pieces == () and not reader.has_problem(path):
            reader.tell(path, f"expected {self.expected}, got an empty list", node.mark)
            return None
        return pieces


speech = Speech()
question = Speech(is_needed=True)

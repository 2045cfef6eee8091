"""What a flow says, with its values in it. Pure, and total: whatever a look-up gave, something can be said, or nothing is."""

import re
from collections.abc import Callable

from ccserver.core.change import replace
from ccserver.core.expressions import TEXT_MAX, Look, Value, as_text, evaluate, read_number
from ccserver.core.ids import QueueId
from ccserver.core.ivr import as_shown
from ccserver.core.settings import Spoken, SpokenKind

_NOT_DIGITS = re.compile(r"[^0-9*#]")
_NOT_SPELLED = re.compile(r"[^0-9A-Za-z]")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?")
_TIME = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?([0-2]?[0-9]:[0-5][0-9])(?::.*)?")
DIGITS_MAX = 40


def resolved(say: tuple[Spoken, ...], look: Look, expected_wait_s: Callable[[QueueId], float]) -> tuple[Spoken, ...]:
    """The pieces with their values, as an edge takes them; a piece whose value is empty is left out."""
    return tuple(found for piece in say if (found := _piece(piece, look, expected_wait_s)) is not None)


def _piece(piece: Spoken, look: Look, expected_wait_s: Callable[[QueueId], float]) -> Spoken | None:
    if piece.kind is SpokenKind.EXPECTED_WAIT:
        seconds = expected_wait_s(QueueId(piece.value))
        return Spoken(SpokenKind.DURATION, as_text(round(seconds)), language=piece.language)
    if piece.of is None:
        return piece
    kind, value = _said(piece.kind, evaluate(piece.of, look), piece.value)
    return replace(piece, kind=kind, value=value, of=None) if value else None


def _said(kind: SpokenKind, value: Value, currency: str) -> tuple[SpokenKind, str]:
    """The form that `SpokenKind` asks for; what has none is said as a text."""
    shown = as_shown(value)
    found: str | None = None
    match kind:
        case SpokenKind.DIGITS:
            return kind, _NOT_DIGITS.sub("", shown)[:DIGITS_MAX]
        case SpokenKind.SPELLED:
            return kind, _NOT_SPELLED.sub("", shown)[:DIGITS_MAX]
        case SpokenKind.NUMBER:
            number = _number(value)
            found = None if number is None else as_text(number)
        case SpokenKind.DURATION:
            number = _number(value)
            found = None if number is None else as_text(max(0.0, number))
        case SpokenKind.MONEY:
            number = _number(value)
            found = None if number is None else f"{number:.2f} {currency}"
        case SpokenKind.DATE:
            date = _DATE.fullmatch(shown.strip())
            found = None if date is None else date[1]
        case SpokenKind.TIME:
            time = _TIME.fullmatch(shown.strip())
            found = None if time is None else time[1].zfill(5)
        case _:
            pass
    return (kind, found) if found is not None else (SpokenKind.TEXT, " ".join(shown.split())[:TEXT_MAX])


def _number(value: Value) -> float | None:
    if isinstance(value, bool):
        return None
    return read_number(value) if isinstance(value, str) else value

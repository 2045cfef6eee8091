"""What an administrator's function is given, and what it may give back."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from ccserver.core.expressions import NUMBER_MAX, TEXT_MAX, Value

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
VALUES_MAX = 50
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call. `parameters` are those of the node's or look-up's `with`: texts, numbers (float) and truths (bool)."""

    parameters: Mapping[str, Value] = field(default_factory=dict)
    number: int = 0
    """Of the interaction: the one in `ccserver call show`."""
    did: str = ""
    """The number that was called."""
    caller_number: str = ""
    """In E.164; empty: withheld."""
    caller_name: str = ""
    language: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, Value], facts: Mapping[str, str], language: str) -> "Call":
        """`facts` as of `RunScript`; what is not among them is not known."""
        number = facts.get("number", "")
        return cls(
            parameters=dict(parameters),
            number=int(number) if number.isdecimal() else 0,
            did=facts.get("did", ""),
            caller_number=facts.get("caller_number", ""),
            caller_name=facts.get("caller_name", ""),
            language=language,
        )


class Result:
    """A word that says where the flow goes on, and values for its variables: `Result("paid", amount=12.5)`.

    A function may as well return the word alone, the values alone (a dict), or nothing.
    """

    __slots__ = ("values", "word")

    def __init__(self, word: str = "", /, **values: object) -> None:
        self.word = word
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and (self.word, self.values) == (other.word, other.values)

    def __repr__(self) -> str:
        return f"Result({', '.join([repr(self.word), *(f'{name}={value!r}' for name, value in self.values.items())])})"

    __hash__ = None  # type: ignore[assignment]


class BadResult(Exception):
    """A function returned something that a flow cannot use. The text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A good result, in the types of flows. `word` empty: none was given."""

    word: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)


def read_result(result: object) -> Given:
    """What a function with a call returned. Raises BadResult."""
    match result:
        case None:
            return Given()
        case str():
            return Given(word=_word(result))
        case Mapping():
            return Given(values=_values(result))
        case Result():
            return Given(word=_word(result.word), values=_values(result.values))
        case _:
            raise BadResult(f"it returned a value of the type {type(result).__name__}, not a word, a dict, a Result or nothing")


def read_answer(result: object) -> Mapping[str, object] | None:
    """What a function for look-ups returned: values, or None for "there is nothing". Raises BadResult."""
    match result:
        case None:
            return None
        case Mapping():
            return {_named(name): value for name, value in result.items()}
        case Result():
            return dict(result.values)
        case _:
            raise BadResult(f"it returned a value of the type {type(result).__name__}, not a dict or nothing")


def _word(word: object) -> str:
    if word == "" or (isinstance(word, str) and WORD.fullmatch(word)):
        return word
    raise BadResult("the word that it returned is not one of letters, digits, _ and -, beginning with a letter")


def _values(values: Mapping[Any, object]) -> dict[str, Value]:
    if len(values) > VALUES_MAX:
        raise BadResult(f"it returned {len(values)} values; {VALUES_MAX} are the most")
    # None says that there is nothing to say: the variable keeps what it has.
    return {_named(name): _value(str(name), value) for name, value in values.items() if value is not None}


def _named(name: object) -> str:
    if not isinstance(name, str):
        raise BadResult(f"the name of a value is of the type {type(name).__name__}, not a text")
    return name


def _value(name: str, value: object) -> Value:
    match value:
        case bool():
            return value
        case int() | float() | Decimal():
            if not math.isfinite(value):
                raise BadResult(f"the value {name!r} is no number that can be said")
            return float(max(-NUMBER_MAX, min(NUMBER_MAX, value)))
        case str():
            return _CONTROL.sub(" ", value)[:TEXT_MAX]
        case datetime():
            raise BadResult(f"the value {name!r} is a moment: give its date and its time apart")
        case date():
            return value.isoformat()
        case time():
            return value.strftime("%H:%M")
        case _:
            raise BadResult(
                f"the value {name!r} is of the type {type(value).__name__}; texts, numbers, truths, dates and times can be given"
            )

"""What an outside system answers, made to fit what the look-up gives; and the failure that has words for a log.

No value that was sent or that came back is ever in these words: they name fields, statuses and kinds of errors.
"""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value, ValueType, as_text, fitted

Fields = Mapping[str, object]
"""What was found, as it came. A dotted name leads into tables, and by numbers into lists."""


class LookUpFailed(Exception):
    """The system gave no answer that could be used. Look at it, or at the look-up's settings; `ccserver look-up try` asks it by hand.

    `may_pass`: trying again in a moment may help. `is_down`: it counts for the breaker; not so, if the system answered, and the answer
    was only not what the settings say.
    """

    def __init__(self, reason: str, *, may_pass: bool = False, is_down: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass
        self.is_down = is_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`values` are those of the look-up's `gives`, when it was FOUND. `reason`: why it FAILED."""

    end: LookUpEnd
    values: Mapping[str, Value] = field(default_factory=dict, repr=False)
    reason: str = ""


def fit(found: Fields, gives: Mapping[str, ValueType]) -> dict[str, Value]:
    """The values that a look-up gives. Raises LookUpFailed, which names the field that is missing or of another type."""
    values: dict[str, Value] = {}
    for name, type_ in gives.items():
        got = found[name] if name in found else _inside(found, name)
        value = fitted(got, type_)
        if value is None:
            raise LookUpFailed(f"the answer does not fit: {name} is {_kind(got)}, and no {type_.value}", is_down=False)
        values[name] = value
    return values


def plain(value: Value) -> str | int | float | bool:
    """A value as other systems like it: a whole number without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_word(value: Value) -> str:
    """A value in an address or a text: `true`, `12`, `0.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else as_text(value)


def place_of(error: BaseException) -> str:
    """Where an error of ours came from, without its text, which may repeat a value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__


class _Nothing:
    """In place of a field that is not there."""


def _inside(found: object, path: str) -> object:
    for step in path.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return _Nothing()
    return found


def _kind(value: object) -> str:
    match value:
        case _Nothing():
            return "missing"
        case None:
            return "nothing"
        case bool():
            return "a truth"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case _:
            return f"a {type(value).__name__}"

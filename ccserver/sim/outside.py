"""What the systems outside answer to a caller who is walked through a flow: told by whoever walks, never asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ccserver.core.events import LookUpEnd, VerbEnd
from ccserver.core.expressions import NOTHING, Value, fitted
from ccserver.core.settings import LookUpShape

SECRET_FIELD = "secret"
"""In the answer of a look-up that checks secrets: the digits that are right. Without it, any are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpAnswer:
    """Fields that are not given are empty, 0 or false."""

    end: LookUpEnd
    values: Mapping[str, Value] = field(default_factory=dict)
    is_slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptAnswer:
    end: VerbEnd
    result: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)


class Outside(Protocol):
    """What the systems outside answer. Either may raise; then the walk cannot go on."""

    def look_up(self, name: str, parameters: Mapping[str, Value]) -> LookUpAnswer: ...
    def script(self, name: str, parameters: Mapping[str, Value]) -> ScriptAnswer: ...


class Impossible(Exception):
    """What was asked of the walk cannot be: nothing waits for keys, the call is over, an answer does not fit. The text says which."""


def typed_values(name: str, shape: LookUpShape, given: Mapping[str, Value]) -> dict[str, Value]:
    """The values that the look-up gives, each of its type. Raises Impossible for others."""
    values: dict[str, Value] = {key: NOTHING[type_] for key, type_ in shape.gives.items()}
    for key, value in given.items():
        type_ = shape.gives.get(key)
        fits = None if type_ is None else fitted(value, type_)
        if type_ is None:
            raise Impossible(f"the look-up {name} gives no {key}; it gives {', '.join(shape.gives)}")
        if fits is None:
            raise Impossible(f"the look-up {name} gives {key} as a {type_.value}, not {value!r}")
        values[key] = fits
    return values

"""Expressions with their places, so that what does not fit is told where it stands."""

from dataclasses import dataclass

from ccserver.config.positions import Scalar
from ccserver.core.expressions import Expression, ValueType


@dataclass(frozen=True, slots=True)
class Placed:
    """An expression, where in its text its own sign or word stands, and its parts. `depth` counts its levels."""

    of: Expression
    offset: int
    parts: tuple["Placed", ...] = ()
    depth: int = 1


@dataclass(frozen=True, slots=True)
class WrittenExpression:
    """An expression of a file. `wanted`: the type that its place always wants; None: any, or what only the whole file tells."""

    node: Scalar
    placed: Placed
    wanted: ValueType | None

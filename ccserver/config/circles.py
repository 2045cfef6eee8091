"""Circles in a graph of names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=str)


def circles(onward: Mapping[Name, Sequence[Name]]) -> list[list[Name]]:
    """One circle for each edge that leads back: `["a", "b"]` is a -> b -> a. Each edge is walked once, without recursion, so
    that a hostile file costs no more than its length."""
    found: list[list[Name]] = []
    done: set[Name] = set()
    for first in onward:
        if first in done:
            continue
        trail = [first]
        on_trail = {first}
        pending: list[Iterator[Name]] = [iter(onward[first])]
        while pending:
            target = next(pending[-1], None)
            if target is None:
                pending.pop()
                on_trail.discard(trail[-1])
                done.add(trail.pop())
            elif target in on_trail:
                found.append(trail[trail.index(target) :])
            elif target not in done and target in onward:
                trail.append(target)
                on_trail.add(target)
                pending.append(iter(onward[target]))
    return found

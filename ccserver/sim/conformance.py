"""Whether the real PBX and the virtual one tell the same story.

The virtual PBX plays one script under many seeds. What comes in the same order in all of those runs is a promise that the
core may have come to rely on; the recorded run of the real one must keep it. What the real one orders differently shows
that the virtual one draws too little; what it tells more or less often, that it does something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ccserver.sim.trace import Happening, TraceLine, stories


@dataclass(frozen=True, slots=True)
class Promise:
    """What all virtual runs have in common for one leg. `counts` are the sets of happenings that occurred."""

    counts: frozenset[frozenset[Happening]]
    before: frozenset[tuple[Happening, Happening]]
    """(a, b): in each run that had both, a came before b."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`leg` as in `stories`; `what` is one sentence."""

    leg: str
    what: str


def learn(runs: Sequence[Sequence[TraceLine]]) -> dict[str, Promise]:
    """The promises of each leg, out of the same script's runs under different seeds."""
    told = [stories(run) for run in runs]
    legs = dict.fromkeys(name for run in told for name in run)
    return {name: _promise([run[name].happenings for run in told if name in run]) for name in legs}


def _promise(orders: Sequence[Sequence[Happening]]) -> Promise:
    together: set[tuple[Happening, Happening]] = set()
    for order in dict.fromkeys(map(tuple, orders)):
        together.update(combinations(order, 2))
    before = frozenset(pair for pair in together if (pair[1], pair[0]) not in together)
    return Promise(frozenset(frozenset(order) for order in orders), before)


def compare(real: Sequence[TraceLine], promises: dict[str, Promise]) -> list[Difference]:
    """Where the real run is not one that the virtual PBX could have given. Empty: it conforms."""
    told = stories(real)
    differences = [Difference(leg, "is in no virtual run") for leg in told if leg not in promises]
    differences += [Difference(leg, "is missing in the real run") for leg in promises if leg not in told]
    for leg, story in told.items():
        promise = promises.get(leg)
        if promise is not None:
            differences += [Difference(leg, what) for what in _deviations(story.happenings, promise)]
    return differences


def _deviations(order: Sequence[Happening], promise: Promise) -> list[str]:
    found: list[str] = []
    real = frozenset(order)
    if real not in promise.counts:
        nearest = min(promise.counts, key=lambda known: (len(known ^ real), sorted(known)))
        found += [f"{_name(one)} came in the real run only" for one in sorted(real - nearest)]
        found += [f"{_name(one)} came in the virtual runs only" for one in sorted(nearest - real)]
    for place, earlier in enumerate(order):
        for later in order[place + 1 :]:
            if (later, earlier) in promise.before:
                found.append(f"{_name(earlier)} came before {_name(later)}; in the virtual runs it never does")
    return found


def _name(happening: Happening) -> str:
    token, number = happening
    return token if number == 1 else f"{token} (no. {number})"

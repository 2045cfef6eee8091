"""Pacing: how many calls a campaign places now.

A pacer is told what its campaign looks like (`View`) and what happens in it (`Happened`), and answers a number. It does no I/O, knows no
clock and no chance, and needs nothing else of ccserver: the daemon, the simulator and the benches drive the same object.
"""

from collections.abc import Callable, Mapping

from ccserver.core.dialer.predictive import Decision, Predictive
from ccserver.core.dialer.ratios import Power, Progressive
from ccserver.core.dialer.view import Happened, Json, Limits, Pacer, Totals, View, What

__all__ = ["MODES", "Decision", "Happened", "Json", "Limits", "Pacer", "Totals", "View", "What", "pacer"]

MODES: Mapping[str, Callable[[Limits], Pacer]] = {"progressive": Progressive, "power": Power, "predictive": Predictive}


def pacer(mode: str, limits: Limits) -> Pacer:
    """The pacer of that name. Raises ValueError for another name."""
    make = MODES.get(mode)
    if make is None:
        raise ValueError(f"{mode!r} is no way of pacing: expected {', '.join(MODES)}")
    return make(limits)

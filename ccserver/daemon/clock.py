"""The center's clock: read once per step, and continuous across restarts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ccserver.core.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterClock:
    """The process's monotonic clock, moved by a fixed `offset_s` so that stored deadlines stay true after a restart."""

    offset_s: float = 0.0
    monotonic: Callable[[], float] = time.monotonic
    utc: Callable[[], float] = time.time

    def now(self) -> Moment:
        """The present instant, for one step."""
        return Moment(mono_s=self.monotonic() + self.offset_s, utc_s=self.utc())

    def after(self, last: Moment) -> "CenterClock":
        """A clock that goes on from `last`, the last moment of the previous run, by the wall time that passed since.

        A wall clock that was set back meanwhile counts as no time: the center's time never runs backwards.
        """
        away_s = max(0.0, self.utc() - last.utc_s)
        return CenterClock(
            offset_s=last.mono_s + away_s - self.monotonic(),
            monotonic=self.monotonic,
            utc=self.utc,
        )

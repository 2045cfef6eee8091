"""Time as the core sees it: read once per step, by the driver."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant.

    `mono_s` is the center's monotonic clock, for durations and deadlines. It goes on across restarts of the daemon (the
    driver sets its offset by the UTC difference), so nothing that is stored is ever rebased. `utc_s` is POSIX seconds,
    for history.
    """

    mono_s: float
    utc_s: float

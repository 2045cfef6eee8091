"""Pacing without a forecast: one call for each idle agent, or a fixed number of calls."""

from math import floor

from ccserver.core.dialer.view import Happened, Json, Limits, View, backed, room


class Progressive:
    """A call is placed when an agent is idle, and that agent is kept for it: nobody who answers waits."""

    tick_s = 1.0

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def pace(self, view: View) -> int:
        return min(backed(view), room(view))

    def observe(self, event: Happened) -> None:
        """Nothing is learned."""

    def state(self) -> Json:
        return {}

    def restore(self, state: Json) -> None:
        if state:
            raise ValueError("not the state of a pacer without memory")


class Power(Progressive):
    """A fixed number of calls in flight for each idle agent, until the cap is reached; then as `Progressive`."""

    def pace(self, view: View) -> int:
        totals = view.totals
        if totals.abandoned + 1 > self._limits.share * max(totals.humans, 1.0 / 0.03) + self._limits.carried:
            return super().pace(view)
        in_flight = len(view.waiting) + len(view.ringing) + len(view.detecting)
        return min(max(floor(self._limits.calls_per_agent * len(view.idle)) - in_flight, backed(view)), room(view))

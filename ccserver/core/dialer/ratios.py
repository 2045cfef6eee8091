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
    """A fixed number of calls in flight for each idle agent, as far as what the account has left by now could bear the loss of those
    that have none."""

    def pace(self, view: View) -> int:
        limits, totals = self._limits, view.totals
        left = int(limits.share * totals.humans + limits.carried - totals.abandoned)
        if view.allowance is not None:
            left = min(left, view.allowance)
        in_flight = len(view.waiting) + len(view.ringing) + len(view.detecting)
        wanted = floor(limits.calls_per_agent * len(view.idle)) - in_flight
        unbacked = in_flight - len(view.idle)
        return min(max(min(wanted, left - unbacked), backed(view)), room(view))

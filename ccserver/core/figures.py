"""An agent's day in figures: for the strategies, for the agent's own ear (`*19`) and for the views.

A day is one of the site's `timezone`. Sums are of what is over, and belong to the day it was over; a talk over midnight is one of the
new day. The time logged in is cut at midnight: it is what occupancy is measured against.
"""

from ccserver.core.change import replace
from ccserver.core.hours import local_day
from ccserver.core.moment import Moment
from ccserver.core.state import Figures


def as_of(figures: Figures, now: Moment, timezone: str) -> Figures:
    """The figures of today: empty ones when they are of an earlier day."""
    day, began_utc_s, _ = local_day(timezone, now.utc_s)
    if figures.day == day:
        return figures
    began_s = now.mono_s - (now.utc_s - began_utc_s)
    since = figures.logged_in_since_s
    return Figures(
        day=day,
        logged_in_since_s=None if since is None else max(since, began_s),
        last_call_s=figures.last_call_s,
        served=figures.served,
    )


def next_day_s(now: Moment, timezone: str) -> float:
    """Monotonic time of the next midnight."""
    return now.mono_s + local_day(timezone, now.utc_s)[2] - now.utc_s


def logged_in(figures: Figures, now: Moment, timezone: str) -> Figures:
    return replace(as_of(figures, now, timezone), logged_in_since_s=now.mono_s)


def logged_out(figures: Figures, now: Moment, timezone: str) -> Figures:
    figures = as_of(figures, now, timezone)
    return replace(figures, logged_in_s=logged_in_time(figures, now), logged_in_since_s=None)


def logged_in_time(figures: Figures, now: Moment) -> float:
    """Seconds logged in today, the present log-in included."""
    since = figures.logged_in_since_s
    return figures.logged_in_s + (0.0 if since is None else now.mono_s - since)


def answered(figures: Figures) -> Figures:
    return replace(figures, served=figures.served + 1)


def talk_over(figures: Figures, talk_s: float, now: Moment, *, is_counted: bool) -> Figures:
    """`is_counted`: it was a call of the agent's, not a colleague's question."""
    calls = figures.calls + 1 if is_counted else figures.calls
    return replace(figures, calls=calls, talk_s=figures.talk_s + talk_s, last_call_s=now.mono_s)


def wrapped_up(figures: Figures, wrap_up_s: float) -> Figures:
    return replace(figures, wrap_up_s=figures.wrap_up_s + wrap_up_s)


def missed(figures: Figures) -> Figures:
    return replace(figures, missed=figures.missed + 1)

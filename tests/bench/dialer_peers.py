"""Other dialers' rules of pacing, written anew from their descriptions, to be run in the same world.

Ratio                so many calls in flight for each idle agent (boost factors of several dialers)
Vicidial             the adaptive dial level with its default settings; `is_tally`: only agents who are ready are counted
Issabel              idle agents and those whose talk is likely over, less the calls that are out
"""

from collections import deque
from math import exp

from ccserver.core.dialer.pacing import Happened, Json, View, What


class Peer:
    tick_s = 0.5

    def pace(self, view: View) -> int:
        raise NotImplementedError

    def observe(self, event: Happened) -> None:
        """Most look at what is there only."""

    def state(self) -> Json:
        return {}

    def restore(self, state: Json) -> None:
        """They begin anew."""


def out(view: View) -> int:
    return len(view.ringing) + len(view.detecting) + len(view.waiting)


class Ratio(Peer):
    def __init__(self, calls_per_agent: float) -> None:
        self.calls_per_agent = calls_per_agent

    def pace(self, view: View) -> int:
        return max(int(self.calls_per_agent * len(view.idle)) - out(view), 0)


class Vicidial(Peer):
    """Dials each 2.5 s, samples each second, adapts each 15 s by the drops as they were counted each minute."""

    LEVEL_MAX = 3.0
    DROPS_MAX = 0.03

    def __init__(self, *, is_tally: bool) -> None:
        self.is_tally = is_tally
        self.level = 1.0
        self.samples: deque[tuple[int, int]] = deque(maxlen=15)
        self.steps = 0
        self.minute = (0, 0)
        self.is_bad_minute = self.is_over = False

    def pace(self, view: View) -> int:
        self.steps += 1
        agents = len(view.idle) + len(view.talking)
        if self.steps % 2 == 0:
            self.samples.append((len(view.idle) - len(view.waiting), agents))
        if self.steps % 120 == 0:
            self.look_at_drops(view)
        if self.steps % 30 == 0:
            self.adapt()
        if self.steps % 5:
            return 0
        talking = len(view.talking)
        goal = round(self.level * len(view.idle)) + talking if self.is_tally else round(self.level * agents)
        return max(goal - out(view) - talking, 0)

    def adapt(self) -> None:
        agents = sum(each for _, each in self.samples)
        more = sum(each for each, _ in self.samples) / agents if agents else 0.0
        level = self.level * (1.0 + more)
        if self.is_bad_minute:
            level /= 2.0
        self.level = 1.0 if self.is_over else min(max(level, 1.0), self.LEVEL_MAX)

    def look_at_drops(self, view: View) -> None:
        totals = view.totals
        calls, drops = totals.dials - self.minute[0], totals.abandoned - self.minute[1]
        self.minute = (totals.dials, totals.abandoned)
        self.is_bad_minute = calls > 20 and drops > calls / 2
        self.is_over = totals.dials > 50 and totals.abandoned > self.DROPS_MAX * totals.humans


class Issabel(Peer):
    """Looks each 5 s."""

    SURE = 0.97
    CALLS_MIN = 10

    def __init__(self) -> None:
        self.steps = 0
        self.talks_s = self.rings_s = 0.0
        self.talks = self.rings = 0

    def observe(self, event: Happened) -> None:
        if event.what is What.TALK_ENDED:
            self.talks, self.talks_s = self.talks + 1, self.talks_s + event.lasted_s
        elif event.what is What.HUMAN:
            self.rings, self.rings_s = self.rings + 1, self.rings_s + event.age_s

    def pace(self, view: View) -> int:
        self.steps += 1
        if self.steps % 10:
            return 0
        soon = 0
        if self.talks >= self.CALLS_MIN:
            talk_s, ring_s = self.talks_s / self.talks, self.rings_s / self.rings
            soon = sum(1.0 - exp(-(age_s + ring_s) / talk_s) >= self.SURE for age_s, _ in view.talking)
        return max(len(view.idle) + soon - out(view), 0)

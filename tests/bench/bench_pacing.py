"""How busy agents are and how many calls are abandoned, by team and way of pacing; and what one step of the predictive pacer costs.

    python tests/bench/bench_pacing.py                                          # about half an hour
    BENCH_TEAMS=5,30 BENCH_SEEDS=1 BENCH_HOURS=2 BENCH_WAYS=1:1,predictive python tests/bench/bench_pacing.py

For each team and way: utilisation and abandoned share of all its days together, each with the lowest and the highest day; the mean
wait from one talk to the next; the attempts for each contact; and for `predictive` whether the floor is reached and by how many calls the
worst day was over the cap. `BENCH_FIRST_SEED` takes other days.

Everybody dials the same campaigns (`ccserver.sim.campaign_laws.standard`): people answer 35 % of the calls, talks are refusals, pitches and
sales of two minutes on average, wrap-up takes 15 s, agents take breaks, people wait for 2 s. Times are of this thread's own CPU.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from dialer_peers import Issabel, Ratio, Vicidial

from ccserver.core.dialer.pacing import Happened, Json, Limits, Pacer, View, pacer
from ccserver.sim.campaign import Campaign, Figures
from ccserver.sim.campaign_laws import standard

TEAMS = tuple(int(each) for each in os.environ.get("BENCH_TEAMS", "5,10,30,100,300").split(","))
SEEDS = int(os.environ.get("BENCH_SEEDS", "3"))
FIRST_SEED = int(os.environ.get("BENCH_FIRST_SEED", "0"))
WAYS = os.environ.get("BENCH_WAYS", "").split(",")
HOURS = {5: 8.0, 10: 8.0, 30: 6.0, 100: 4.0, 300: 2.0}
WANTED = {5: 77.5, 10: 82.0, 30: 89.5, 100: 95.0, 300: 97.5}
STEP_MAX_MS = 2.0
CAP = 0.03

Make = Callable[[Limits], Pacer]
PEERS: dict[str, Make] = {
    "1:1": lambda limits: pacer("progressive", limits),
    "ratio 2": lambda _: Ratio(2.0),
    "VICIdial": lambda _: Vicidial(is_tally=False),
    "VICIdial, tally": lambda _: Vicidial(is_tally=True),
    "Issabel": lambda _: Issabel(),
    "predictive": lambda limits: pacer("predictive", limits),
}


class Timed:
    """A pacer whose steps are timed."""

    def __init__(self, inner: Pacer) -> None:
        self.inner, self.tick_s = inner, inner.tick_s
        self.steps_ms: list[float] = []

    def pace(self, view: View) -> int:
        began_s = time.thread_time()
        asked = self.inner.pace(view)
        self.steps_ms.append((time.thread_time() - began_s) * 1000.0)
        return asked

    def observe(self, event: Happened) -> None:
        self.inner.observe(event)

    def state(self) -> Json:
        return self.inner.state()

    def restore(self, state: Json) -> None:
        self.inner.restore(state)


@dataclass(frozen=True, slots=True)
class Days:
    """Of one team and one way of pacing, a day for each seed."""

    team: int
    hours: float
    days: tuple[Figures, ...]
    steps_ms: tuple[float, ...]

    @property
    def utilisation(self) -> float:
        return statistics.mean(day.utilisation for day in self.days) * 100.0

    def __str__(self) -> str:
        days = self.days
        busy = [day.utilisation * 100.0 for day in days]
        lost = [day.abandoned_ratio * 100.0 for day in days]
        share = sum(day.abandoned for day in days) / max(sum(day.humans for day in days), 1) * 100.0
        wait_s = sum(day.wait_s * day.connects for day in days) / max(sum(day.connects for day in days), 1)
        attempts = sum(day.dials for day in days) / max(sum(day.connects for day in days), 1)
        return (
            f"{self.team:4} agents {self.hours:3.1f} h x {len(days)}: {self.utilisation:5.1f} ({min(busy):.1f}-{max(busy):.1f})"
            f" / {share:4.2f} ({min(lost):.2f}-{max(lost):.2f})   wait {wait_s:5.1f} s   attempts {attempts:.2f}"
        )

    def judged(self) -> str:
        """What `predictive` is held against."""
        wanted = WANTED.get(self.team, 0.0)
        over = max(day.abandoned - CAP * day.humans for day in self.days)
        steps = sorted(self.steps_ms)
        places = [steps[int(len(steps) * part)] for part in (0.5, 0.99, 0.999)]
        return (
            f"   at least {wanted:4.1f}: {'reached' if self.utilisation >= wanted else 'MISSED'}   worst day over {over:+.1f} calls"
            + "   step p50 {:.2f} p99 {:.2f} p99.9 {:.2f} ms".format(*places)
            + f" (at most {STEP_MAX_MS:.0f})"
        )


def run(team: int, hours: float, make: Make) -> Days:
    days, steps_ms = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        timed = Timed(make(Limits(max_abandoned=CAP, horizon_s=hours * 3600.0)))
        days.append(Campaign(standard(team, hours), timed, seed).run())
        steps_ms += timed.steps_ms
    return Days(team, hours, tuple(days), tuple(steps_ms))


def main() -> None:
    print("utilisation % / abandoned %, of all days (lowest-highest day)")
    for name, make in PEERS.items():
        if WAYS != [""] and name not in WAYS:
            continue
        for team in TEAMS:
            days = run(team, float(os.environ.get("BENCH_HOURS", HOURS.get(team, 4.0))), make)
            print(f"{name:16} {days}{days.judged() if name == 'predictive' else ''}", flush=True)


if __name__ == "__main__":
    main()

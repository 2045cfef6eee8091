"""How busy agents are and how many calls are abandoned, by team and way of pacing; and what one step of the predictive pacer costs.

    python tests/bench/bench_pacing.py                                          # about 10 minutes
    BENCH_TEAMS=5,30 BENCH_SEEDS=1 BENCH_HOURS=2 BENCH_WAYS=1:1,predictive python tests/bench/bench_pacing.py

Everybody dials the same campaigns (`ccserver.sim.campaign_laws.standard`): people answer 35 % of the calls, talks are refusals, pitches and
sales of two minutes on average, wrap-up takes 15 s, agents take breaks, people wait for 2 s. Times are of this thread's own CPU.
"""

import os
import statistics
import time
from collections.abc import Callable

from dialer_peers import Issabel, Ratio, Vicidial

from ccserver.core.dialer.pacing import Happened, Json, Limits, Pacer, View, pacer
from ccserver.sim.campaign import Campaign
from ccserver.sim.campaign_laws import standard

TEAMS = tuple(int(each) for each in os.environ.get("BENCH_TEAMS", "5,10,30,100,300").split(","))
SEEDS = int(os.environ.get("BENCH_SEEDS", "2"))
WAYS = os.environ.get("BENCH_WAYS", "").split(",")
HOURS = {5: 8.0, 10: 8.0, 30: 6.0, 100: 4.0, 300: 2.0}
WANTED = {5: 77.5, 10: 82.0, 30: 89.5, 100: 95.0, 300: 97.5}
STEP_MAX_MS = 2.0

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


def main() -> None:
    hours = {team: float(os.environ.get("BENCH_HOURS", HOURS.get(team, 4.0))) for team in TEAMS}
    print("utilisation % / abandoned %, and for each way of pacing the calls over 3 % of the worst day")
    for name, make in PEERS.items():
        if WAYS != [""] and name not in WAYS:
            continue
        for team in TEAMS:
            busy, shares, over, steps_ms = [], [], [], []
            for seed in range(SEEDS):
                timed = Timed(make(Limits(horizon_s=hours[team] * 3600.0)))
                figures = Campaign(standard(team, hours[team]), timed, seed).run()
                busy.append(figures.utilisation * 100.0)
                shares.append(figures.abandoned_ratio * 100.0)
                over.append(figures.abandoned - 0.03 * figures.humans)
                steps_ms += timed.steps_ms
            text = f"{name:16} {team:4} agents {hours[team]:3.1f} h x {SEEDS}:"
            text += f" {statistics.mean(busy):5.1f} / {statistics.mean(shares):4.1f}"
            if name == "predictive":
                text += f"   wanted {WANTED.get(team, 0.0):4.1f}   over {max(over):+.1f}"
                steps_ms.sort()
                places = [steps_ms[int(len(steps_ms) * part)] for part in (0.5, 0.99, 0.999)]
                text += "   step p50 {:.2f} p99 {:.2f} p99.9 {:.2f} ms".format(*places) + f" (at most {STEP_MAX_MS:.0f})"
            print(text, flush=True)


if __name__ == "__main__":
    main()

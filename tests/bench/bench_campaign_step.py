"""What a step of the center costs while a campaign runs ahead of its agents: 300 agents, 300 calls on their way, mode predictive.

    python tests/bench/bench_campaign_step.py [seconds] [agents]

The whole core: calls are looked at, placed, answered, given to agents, and end, each with all its records. Times are of this thread's own
CPU, by what was told; at a *deadline* the pacer looks at the campaign and calls are placed: that grows with how many those are.
"""

import heapq
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "core"))

import desk
from dial_desk import RULES, DialDesk, a_campaign

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.dialer.terms import Mode
from ccserver.core.ids import AgentId, PhoneId, RequestId
from ccserver.core.settings import AgentSettings, PhoneSettings, Settings

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
AGENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
ANSWERED, RING_S, TALK_S = 0.35, (2.0, 20.0), (30.0, 60.0)
WARM_UP_S = 60.0
"""Until then agents get their first calls."""


class Center(DialDesk):
    """All agents are logged in; callees answer or do not, by chance."""

    def __init__(self) -> None:
        self.chance = Random(1)
        self.due: list[tuple[float, int, Callable[[], object]]] = []
        self.number = 0
        self.took: dict[str, list[float]] = defaultdict(list)
        rules = replace(RULES, max_abandon=0.03, caller_id_calls_a_day=10**6)
        super().__init__(
            1,
            campaign=a_campaign(mode=Mode.PREDICTIVE, lines_per_agent=5.0, lines=2000, calls_per_second=200.0, rules=rules),
            auto_answer=True,
        )

    def adapted(self, settings: Settings) -> Settings:
        skills = {"sales": 50, "spanish": 50}
        return replace(
            super().adapted(settings),
            agents={f"{10_000 + n}": AgentSettings(name=f"A{n}", skills=skills) for n in range(AGENTS)},
            phones={f"PJSIP/{50_000 + n}": PhoneSettings(number=f"{50_000 + n}", auto_answer=True) for n in range(AGENTS)},
        )

    def log_in_all(self) -> None:
        for n in range(AGENTS):
            who, where = AgentId(f"{10_000 + n}"), PhoneId(f"PJSIP/{50_000 + n}")
            self.tell(ev.LoginRequested(request=RequestId(n + 1), agent=who, phone=where))

    # --- the world ----------------------------------------------------------------------------------------------------
    def later(self, after_s: float, what: Callable[[], object]) -> None:
        self.number += 1
        heapq.heappush(self.due, (self.now_s + after_s, self.number, what))

    def react(self) -> None:
        """To what was ordered since it was looked at the last time."""
        chance, ordered = self.chance, list(self.all)
        self.all.clear()
        for _, command in ordered:
            if isinstance(command, c.DialOut):
                if chance.random() < ANSWERED:
                    self.later(chance.uniform(*RING_S), lambda call=command: self.picks_up(call))  # type: ignore[misc]
                else:
                    self.later(RING_S[1], lambda call=command: self.does_not_answer(call))  # type: ignore[misc]
            elif isinstance(command, c.RingAgent):
                self.later(0.3, lambda offer=command: self.join(offer))  # type: ignore[misc]
            elif isinstance(command, c.HangUpLeg):
                self.later(0.05, lambda leg=command.leg: self.hangs_up(leg))  # type: ignore[misc]

    def join(self, offer: c.RingAgent) -> None:
        legs = self.center.look().legs
        if offer.leg in legs and offer.caller in legs:
            self.ringing(offer)
            self.joined(offer)
            self.later(self.chance.uniform(*TALK_S), lambda: (self.hangs_up(offer.caller), self.hangs_up(offer.leg)))

    def run_until(self, end_s: float) -> None:
        self.react()
        while self.now_s < end_s:
            deadline = self.center.next_deadline()
            at_s = self.due[0][0] if self.due else end_s
            if deadline is not None and deadline <= at_s:
                self.now_s = max(self.now_s, deadline)
                self._took(self.center.on_deadline(self.moment()))
            else:
                _, _, what = heapq.heappop(self.due)
                self.now_s = max(self.now_s, at_s)
                what()
            self.react()

    def timed(self, what: str, step: Callable[[], list[c.Command]]) -> list[c.Command]:
        began_s = time.thread_time()
        commands = step()
        took_s = time.thread_time() - began_s
        dialled = sum(isinstance(each, c.StoreAttempt) for each in commands)
        what = "deadline" if what == "DeadlineReached" else what
        self.took[f"{what}, {'many' if dialled > 5 else 'few'} calls placed" if dialled else what].append(took_s)
        return commands


def shown(what: str, took: list[float]) -> str:
    took = sorted(took)
    places = (statistics.median(took), took[int(len(took) * 0.99)], took[-1])
    return f"{what:36} {len(took):6}   p50 {places[0] * 1e3:5.2f}   p99 {places[1] * 1e3:5.2f}   most {places[2] * 1e3:5.2f} ms"


def main() -> None:
    desk.check = lambda *_: []  # type: ignore[assignment]  # the invariants are another matter
    center = Center()
    center.log_in_all()
    center.waiting.extend(center.a_lead(f"+34910{n:06d}") for n in range(int(AGENTS * (SECONDS + WARM_UP_S) / 12.0)))
    handle = center.center.handle
    center.center.handle = lambda event, now: center.timed(type(event).__name__, lambda: handle(event, now))  # type: ignore[method-assign]
    center.start()
    center.run_until(center.now_s + WARM_UP_S)
    center.took.clear()
    calls, busy = [], []
    end_s = center.now_s + SECONDS
    while center.now_s < end_s:
        center.run_until(min(center.now_s + 5.0, end_s))
        calls.append(len(center.attempts()))
        busy.append(sum(each.work != () for each in center.center.look().agents.values()))
    everything = [each for took in center.took.values() for each in took]
    print(
        f"{AGENTS} agents, {statistics.mean(busy):.0f} of them busy, {statistics.mean(calls):.0f} calls on their way or talking"
    )
    print(shown("every step", everything))
    for what, took in sorted(center.took.items(), key=lambda pair: -sum(pair[1]))[:10]:
        print(shown(what, took))
    print(f"{sum(everything) / SECONDS * 1e2:.0f} % of this CPU, {len(everything) / SECONDS:.0f} steps a second")


if __name__ == "__main__":
    main()

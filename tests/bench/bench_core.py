"""What one decision of the core costs, with little and with much in the center.

    PYTHONPATH=. python tests/bench/bench_core.py

Each figure is taken beside its counterpart in one run: trust the ratios. A *step* is all of the core's work when an agent becomes ready
while callers wait, or a caller enters a queue while agents are ready: it ends with a command to ring. The *decision* in it is the
matcher's part alone: who is free or waits is noted, and the pair and its reason are found. Times are of this thread's own CPU, so that
other work on the machine does not count.
"""

import statistics
import time
from dataclasses import replace
from itertools import cycle
from random import Random

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.acd import Candidate, ClassKey, Matcher, place
from ccserver.core.center import CallCenter
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, RequestId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState
from ccserver.core.settings import (
    AgentSettings,
    DidSettings,
    EnqueueNode,
    Flow,
    HasSkill,
    OfferRules,
    PhoneSettings,
    QueueSettings,
    ReasonSettings,
    Settings,
    Strategy,
)


def settings(agents: int, queues: int, queues_per_agent: int) -> Settings:
    """Agents and queues; each agent has the skills of `queues_per_agent` queues."""
    return Settings(
        content_hash="bench",
        pbx="pbx",
        country="ES",
        default_language="en",
        language_skills={"en": None},
        agents={
            f"{a:05d}": AgentSettings(
                name=f"A{a}", skills={f"s{(a + offset) % queues}": 50 for offset in range(queues_per_agent)}
            )
            for a in range(agents)
        },
        phones={f"PJSIP/{a:05d}": PhoneSettings(number=f"{a:05d}") for a in range(agents)},
        queues={f"q{q}": QueueSettings(name=f"Q{q}", skills=(f"s{q}",), wrap_up_s=0.0) for q in range(queues)},
        flows={f"f{q}": Flow(start="n", nodes={"n": EnqueueNode(queue=f"q{q}")}) for q in range(queues)},
        dids={f"{q}": DidSettings(flow=f"f{q}", language="en") for q in range(queues)},
        hours={},
        reasons={"missed": ReasonSettings(code="9", name="Missed")},
        dispositions={},
        offers=OfferRules(missed_reason="missed"),
    )


class Bench:
    def __init__(self, agents: int, queues: int, queues_per_agent: int) -> None:
        self.settings = settings(agents, queues, queues_per_agent)
        self.center = CallCenter(self.settings)
        self.now_s = 0.0
        self.calls = 0
        self.tell(ev.CenterStarted(incarnation=1, first_interaction=InteractionId(1)))
        self.tell(ev.SettingsLoaded(settings=self.settings))
        self.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0))
        phones = dict.fromkeys(self.settings.phones, PhoneState.IDLE)
        self.tell(ev.PbxObserved(pbx="pbx", asked_at_s=self.now_s, channels=(), phones=phones))

    def tell(self, event: ev.Event) -> list[c.Command]:
        self.now_s += 0.001
        return self.center.handle(event, Moment(self.now_s, 1e9 + self.now_s))

    def call(self, queue: int) -> list[c.Command]:
        self.calls += 1
        leg = LegId("pbx", f"1.{self.calls}")
        return self.tell(
            ev.CallArrived(
                session=f"s{self.calls}",
                leg=leg,
                channel=f"c{self.calls}",
                did=f"{queue}",
                caller_number=None,
                number_as_given="",
                caller_name="",
            )
        )

    def log_in(self, agent: int) -> list[c.Command]:
        name = f"{agent:05d}"
        return self.tell(ev.LoginRequested(request=RequestId(1), agent=AgentId(name), phone=PhoneId(f"PJSIP/{name}")))

    def pause(self, agent: int, *, is_ready: bool) -> list[c.Command]:
        name = AgentId(f"{agent:05d}")
        if is_ready:
            return self.tell(ev.UnpauseRequested(request=RequestId(1), agent=name))
        return self.tell(ev.PauseRequested(request=RequestId(1), agent=name, reason="missed"))


def microseconds(samples: list[float]) -> str:
    ordered = sorted(samples)
    return f"p50 {statistics.median(ordered) * 1e6:7.1f} us   p99 {ordered[int(len(ordered) * 0.99)] * 1e6:7.1f} us"


def freed_agents(agents: int, waiting: int, queues: int, queues_per_agent: int) -> list[float]:
    """Callers wait, nobody is ready; one agent after the other becomes so."""
    bench = Bench(agents, queues, queues_per_agent)
    for queue in zip(range(waiting), cycle(range(queues)), strict=False):
        bench.call(queue[1])
    took = []
    for agent in range(min(agents, 1000)):
        began = time.thread_time()
        answer = bench.log_in(agent)
        took.append(time.thread_time() - began)
        assert any(isinstance(x, c.RingAgent) for x in answer)
    return took


def arriving_callers(agents: int, queues: int, queues_per_agent: int) -> list[float]:
    """Everybody is ready; one caller after the other arrives."""
    bench = Bench(agents, queues, queues_per_agent)
    for agent in range(agents):
        bench.log_in(agent)
    took = []
    for queue in zip(range(agents // 2), cycle(range(queues)), strict=False):
        began = time.thread_time()
        answer = bench.call(queue[1])
        took.append(time.thread_time() - began)
        assert any(isinstance(x, c.RingAgent) for x in answer)
    return took


LEVELS = (1, 20, 40, 60, 80, 95)
"""Six levels in each of 50 queues are 300 classes."""


def matched(queues_per_agent: int, strategy: Strategy, weights: tuple[float, ...] = (1.0,)) -> Matcher:
    """2,000 wait in 300 classes of 50 queues; 1,000 agents, nobody free."""
    plain = settings(1000, 50, queues_per_agent)
    chance = Random(1)
    queues = {
        name: replace(queue, strategy=strategy, weight=weights[place % len(weights)])
        for place, (name, queue) in enumerate(plain.queues.items())
    }
    agents = {
        name: replace(agent, skills={skill: chance.choice((30, 50, 70, 90, 100)) for skill in agent.skills})
        for name, agent in plain.agents.items()
    }
    matcher = Matcher(replace(plain, queues=queues, agents=agents))
    for number in range(2000):
        queue = number % 50
        key = ClassKey(f"q{queue}", HasSkill(f"s{queue}", LEVELS[number // 50 % len(LEVELS)]), 0, None, "voice")
        config = queues[key.queue]
        at = place(InteractionId(number), rank=1, since_s=number * 0.1, priority=0, weight=config.weight, step_s=60.0)
        matcher.add(key, config, at, 0)
    assert matcher.next(1000.0) is None
    return matcher


def someone(agent: AgentId, idle_since_s: float) -> Candidate:
    return Candidate(agent=agent, idle_since_s=idle_since_s, skills={}, calls=int(idle_since_s) % 7, talk_s=idle_since_s % 11)


def decisions_for_agents(queues_per_agent: int, weights: tuple[float, ...] = (1.0,)) -> list[float]:
    """One agent after the other becomes free while 2,000 wait."""
    matcher, took = matched(queues_per_agent, Strategy.LONGEST_IDLE, weights), []
    for agent in matcher.roster.agents:
        who = someone(agent, 500.0)
        began = time.thread_time()
        matcher.set_free(who, ("voice",))
        match = matcher.next(1000.0)
        took.append(time.thread_time() - began)
        matcher.set_busy(agent)
        if match is not None:
            matcher.remove(match.interaction)
    return took


def decisions_for_callers(strategy: Strategy, free: int) -> list[float]:
    """One caller after the other comes while `free` agents of 1,000 are free and none of those who wait is for them."""
    matcher, took = matched(6, strategy), []
    key = ClassKey("q7", HasSkill("s7", 20), 0, None, "voice")
    config = matcher.settings.queues[key.queue]
    for number in list(matcher.waiting()):
        matcher.remove(number)
    for place_, agent in enumerate(matcher.roster.agents[:free]):
        matcher.set_free(someone(agent, float(place_)), ("voice",))
    matcher.next(1000.0)
    for number in range(5000, 5500):
        at = place(InteractionId(number), rank=1, since_s=1000.0, priority=0, weight=1.0, step_s=60.0)
        began = time.thread_time()
        matcher.add(key, config, at, 0)
        match = matcher.next(1000.0)
        took.append(time.thread_time() - began)
        assert match is not None
        matcher.remove(match.interaction)
    return took


def show_decisions() -> None:
    print("the decision: an agent becomes free; 1000 agents, 2000 waiting, 50 queues, 300 classes")
    for each in (1, 6, 50):
        print(f"  {each:2} queues each, one weight:   {microseconds(decisions_for_agents(each))}")
    print(f"   6 queues each, five weights: {microseconds(decisions_for_agents(6, (0.5, 1.0, 2.0, 3.0, 4.0)))}")
    print("the decision: a caller comes, by strategy; of 1000 agents so many are free, 12 % of them with the skill")
    for strategy in Strategy:
        few, many = (microseconds(decisions_for_callers(strategy, free)) for free in (100, 1000))
        print(f"  {strategy.value:20} 100 free: {few}   1000 free: {many}")


def main() -> None:
    show_decisions()
    print("an agent becomes ready: the whole step")
    for agents, waiting, queues, each in ((50, 100, 5, 1), (1000, 2000, 50, 1), (1000, 2000, 50, 6), (1000, 2000, 50, 50)):
        took = freed_agents(agents, waiting, queues, each)
        print(f"  {agents:5} agents {waiting:5} waiting {queues:3} queues, {each:2} each: {microseconds(took)}")
    print("a caller enters a queue: the whole step")
    for agents, queues, each in ((50, 5, 1), (1000, 50, 1), (1000, 50, 6), (1000, 50, 50)):
        took = arriving_callers(agents, queues, each)
        print(f"  {agents:5} agents              {queues:3} queues, {each:2} each: {microseconds(took)}")


if __name__ == "__main__":
    main()

"""What one decision of the core costs, with little and with much in the center.

    python tests/bench/bench_core.py

Each figure is taken beside its counterpart in one run: trust the ratios. A *decision* is the whole step in which an agent becomes ready
while callers wait, or a caller enters a queue while agents are ready: it ends with a command to ring.
"""

import statistics
import time
from itertools import cycle

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import AgentId, InteractionId, LegId, PhoneId, RequestId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState
from ccserver.core.settings import (
    AgentSettings,
    DidSettings,
    EnqueueNode,
    Flow,
    OfferRules,
    PhoneSettings,
    QueueSettings,
    ReasonSettings,
    Settings,
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
        began = time.perf_counter()
        answer = bench.log_in(agent)
        took.append(time.perf_counter() - began)
        assert any(isinstance(x, c.RingAgent) for x in answer)
    return took


def arriving_callers(agents: int, queues: int, queues_per_agent: int) -> list[float]:
    """Everybody is ready; one caller after the other arrives."""
    bench = Bench(agents, queues, queues_per_agent)
    for agent in range(agents):
        bench.log_in(agent)
    took = []
    for queue in zip(range(agents // 2), cycle(range(queues)), strict=False):
        began = time.perf_counter()
        answer = bench.call(queue[1])
        took.append(time.perf_counter() - began)
        assert any(isinstance(x, c.RingAgent) for x in answer)
    return took


def main() -> None:
    print("an agent becomes ready")
    for agents, waiting, queues, each in ((50, 100, 5, 1), (1000, 2000, 50, 1), (1000, 2000, 50, 6), (1000, 2000, 50, 50)):
        took = freed_agents(agents, waiting, queues, each)
        print(f"  {agents:5} agents {waiting:5} waiting {queues:3} queues, {each:2} each: {microseconds(took)}")
    print("a caller enters a queue")
    for agents, queues, each in ((50, 5, 1), (1000, 50, 1), (1000, 50, 6), (1000, 50, 50)):
        took = arriving_callers(agents, queues, each)
        print(f"  {agents:5} agents              {queues:3} queues, {each:2} each: {microseconds(took)}")


if __name__ == "__main__":
    main()

"""A campaign of outbound calls in virtual time: agents, lines, people who answer or do not, and the pacer that the center would use.

The world knows what a dialer cannot: who will answer, and when each talk ends. The pacer is shown what it would see of a real campaign, and
is told of each event at once. Everything is drawn from one seed.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ccserver.core.dialer.account import Counted
from ccserver.core.dialer.verdict import Refusal, Refused, Verdict
from ccserver.core.dialer.view import Happened, Pacer, Totals, View, What
from ccserver.sim.agenda import Agenda, Entry
from ccserver.sim.campaign_laws import FAILED, MACHINE, PERSON, Luck, Scenario, Withdrawal


class Gate(Protocol):
    """Stands before each attempt; `ccserver.sim.campaign_law` has the center's own."""

    def allowance(self, now_s: float) -> int | None:
        """How many calls may still be lost."""

    def judge(self, lead: int, now_s: float, *, has_agent: bool, unbacked: int) -> Verdict:
        """Of the lead of this number. What is refused for a time is asked again, what is refused for good is not called."""

    def count(self, what: Counted, now_s: float) -> None:
        """What became of an answered call."""


Watch = Callable[[View, int], None]
"""Is shown each view, and what the pacer asked for."""


class Desk(Enum):
    IDLE = "idle"
    TALKING = "talking"
    WRAPPING_UP = "wrapping_up"
    PAUSED = "paused"
    OUT = "out"


class Agent:
    __slots__ = ("since_s", "state", "wants")

    def __init__(self) -> None:
        self.state = Desk.OUT
        self.since_s = 0.0
        self.wants: Withdrawal | None = None
        """To leave after the call; how it is meant is in it."""


class Call:
    __slots__ = ("gives_up", "kind", "since_s")

    def __init__(self, kind: int, since_s: float) -> None:
        self.kind = kind
        self.since_s = since_s
        self.gives_up: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of a day. Ratios are 0 to 1."""

    dials: int
    refused: int
    """By the gate."""
    humans: int
    connects: int
    abandoned: int
    machines: int
    agent_machines: int
    false_positives: int
    """People who were taken for machines."""
    utilisation: float
    """Of the time agents were ready, talking or in wrap-up: the part they were not waiting."""
    wait_s: float
    """Mean time from an agent's being ready to the next talk."""
    abandoned_ratio: float
    attempts_per_contact: float


class Campaign:
    """One day."""

    def __init__(
        self, scenario: Scenario, pacer: Pacer, seed: int, *, gate: Gate | None = None, watch: Watch | None = None
    ) -> None:
        self.scenario = scenario
        self.pacer = pacer
        self.agenda = Agenda()
        self._luck = Luck(scenario, seed)
        self._gate, self._watch = gate, watch
        self.agents = [Agent() for _ in range(scenario.agents)]
        self._idle: deque[Agent] = deque()
        self._ringing: dict[Call, None] = {}
        self._detecting: dict[Call, None] = {}
        self._waiting: dict[Call, None] = {}
        self._credit = 0.0
        self._next_lead = 0
        self.counts = dict.fromkeys(Totals.__dataclass_fields__, 0)
        self.refused = self.false_positives = 0
        self._spent_s = dict.fromkeys(Desk, 0.0)
        self._waits: list[float] = []

    def run(self) -> Figures:
        scenario, agenda = self.scenario, self.agenda
        for agent in self.agents:
            agenda.at(self._luck.chance.uniform(0.0, 60.0), self._log_in, agent)
        for withdrawal in scenario.withdrawals:
            agenda.at(withdrawal.at_s, self._withdraw, withdrawal)
        agenda.at(0.0, self._step)
        agenda.run_until(scenario.length_s)
        return self.figures()

    def figures(self) -> Figures:
        for agent in self.agents:
            self._enter(agent, agent.state)
        spent_s, counts = self._spent_s, self.counts
        busy_s = spent_s[Desk.TALKING] + spent_s[Desk.WRAPPING_UP]
        people = counts["connects"] - counts["agent_machines"]
        return Figures(
            dials=counts["dials"],
            refused=self.refused,
            humans=counts["humans"],
            connects=counts["connects"],
            abandoned=counts["abandoned"],
            machines=counts["machines"],
            agent_machines=counts["agent_machines"],
            false_positives=self.false_positives,
            utilisation=busy_s / max(busy_s + spent_s[Desk.IDLE], 1e-9),
            wait_s=sum(self._waits) / max(len(self._waits), 1),
            abandoned_ratio=counts["abandoned"] / max(counts["humans"], 1),
            attempts_per_contact=counts["dials"] / max(people, 1),
        )

    # --- dialing ------------------------------------------------------------------------------------------------------
    def view(self) -> View:
        now_s = self.agenda.now_s
        talking: list[tuple[float, bool]] = []
        wrapping: list[tuple[float, bool]] = []
        paused = 0
        for agent in self.agents:
            state = agent.state
            if state is Desk.TALKING:
                talking.append((now_s - agent.since_s, agent.wants is not None))
            elif state is Desk.WRAPPING_UP:
                wrapping.append((now_s - agent.since_s, agent.wants is not None))
            elif state is Desk.PAUSED:
                paused += 1
        in_use = len(self._ringing) + len(self._detecting) + len(self._waiting) + len(talking)
        return View(
            now_s=now_s,
            idle=[now_s - agent.since_s for agent in self._idle],
            talking=talking,
            wrapping=wrapping,
            paused=paused,
            ringing=[now_s - call.since_s for call in self._ringing],
            detecting=[now_s - call.since_s for call in self._detecting],
            waiting=[now_s - call.since_s for call in self._waiting],
            lines_free=self.scenario.lines - in_use,
            leads_left=self.scenario.leads - self._next_lead,
            allowance=None if self._gate is None else self._gate.allowance(now_s),
            totals=Totals(**self.counts),
        )

    def _step(self) -> None:
        scenario, view = self.scenario, self.view()
        asked = self.pacer.pace(view)
        if self._watch is not None:
            self._watch(view, asked)
        burst = scenario.calls_per_s * self.pacer.tick_s
        self._credit = min(self._credit + burst, max(burst, 1.0))
        for _ in range(min(asked, view.lines_free, view.leads_left, int(self._credit))):
            if not self._may_dial():
                break
            self._credit -= 1.0
            self._dial()
        self.agenda.after(self.pacer.tick_s, self._step)

    def _may_dial(self) -> bool:
        """Whether the next lead may be called; those that may never be are passed over."""
        while self._gate is not None and self._next_lead < self.scenario.leads:
            unbacked = len(self._ringing) + len(self._detecting) + len(self._waiting) - len(self._idle)
            verdict = self._gate.judge(self._next_lead, self.agenda.now_s, has_agent=unbacked < 0, unbacked=max(unbacked, 0))
            if not isinstance(verdict, Refused):
                return True
            self.refused += 1
            if verdict.until_utc_s is not None or verdict.reason is Refusal.BUDGET_SPENT:
                return False
            self._next_lead += 1
        return self._next_lead < self.scenario.leads

    def _dial(self) -> None:
        now_s = self.agenda.now_s
        self._next_lead += 1
        kind, after_s = self._luck.outcome(now_s)
        call = Call(kind, now_s)
        self._ringing[call] = None
        self.counts["dials"] += 1
        self._tell(What.DIALED)
        self.agenda.after(after_s, self._ring_over, call)

    def _count(self, what: Counted) -> None:
        if self._gate is not None:
            self._gate.count(what, self.agenda.now_s)

    def _ring_over(self, call: Call) -> None:
        del self._ringing[call]
        dialed_s = call.since_s
        call.since_s = self.agenda.now_s
        if call.kind not in (PERSON, MACHINE):
            what, count = (What.FAILED, "failed") if call.kind == FAILED else (What.NO_ANSWER, "no_answer")
            self.counts[count] += 1
            self._tell(what, age_s=self.agenda.now_s - dialed_s)
            return
        self._tell(What.ANSWERED, age_s=self.agenda.now_s - dialed_s)
        is_taken_for_person, after_s = self._luck.detection(call.kind)
        if after_s == 0.0:
            self._judged(call, dialed_s, is_taken_for_person)
            return
        self._detecting[call] = None
        self.agenda.after(after_s, self._detected, call, dialed_s, is_taken_for_person)

    def _detected(self, call: Call, dialed_s: float, is_taken_for_person: bool) -> None:
        del self._detecting[call]
        self._judged(call, dialed_s, is_taken_for_person)

    def _judged(self, call: Call, dialed_s: float, is_taken_for_person: bool) -> None:
        now_s = self.agenda.now_s
        if not is_taken_for_person:
            self.counts["machines"] += 1
            self.false_positives += call.kind == PERSON
            self._count(Counted.AMD_ERROR if call.kind == PERSON else Counted.MACHINE)
            self._tell(What.MACHINE, age_s=now_s - dialed_s)
            return
        self.counts["humans"] += 1
        self._tell(What.HUMAN, age_s=now_s - dialed_s)
        call.since_s = now_s
        if self._idle:
            self._connect(call, self._idle.popleft())
            return
        self._waiting[call] = None
        call.gives_up = self.agenda.after(self.scenario.patience_s, self._abandoned, call)

    def _abandoned(self, call: Call) -> None:
        del self._waiting[call]
        self.counts["abandoned"] += 1
        self._tell(What.ABANDONED)
        self._count(Counted.ABANDONED)

    # --- agents -------------------------------------------------------------------------------------------------------
    def _enter(self, agent: Agent, state: Desk) -> None:
        now_s = self.agenda.now_s
        self._spent_s[agent.state] += now_s - agent.since_s
        agent.state, agent.since_s = state, now_s

    def _log_in(self, agent: Agent) -> None:
        self._tell(What.LOGGED_IN)
        self._ready(agent)
        self.agenda.after(self._luck.break_after_s(), self._wants_break, agent)

    def _ready(self, agent: Agent) -> None:
        self._enter(agent, Desk.IDLE)
        self._tell(What.READY)
        call = next(iter(self._waiting), None)
        if call is None:
            self._idle.append(agent)
            return
        del self._waiting[call]
        assert call.gives_up is not None
        call.gives_up.cancel()
        self._connect(call, agent)

    def _connect(self, call: Call, agent: Agent) -> None:
        self._waits.append(self.agenda.now_s - agent.since_s)
        self._enter(agent, Desk.TALKING)
        self.counts["connects"] += 1
        self._tell(What.CONNECTED)
        self._count(Counted.CONNECTED)
        self.agenda.after(self._luck.talk_s(call.kind), self._talk_over, agent, call.kind)

    def _talk_over(self, agent: Agent, kind: int) -> None:
        lasted_s = self.agenda.now_s - agent.since_s
        self._enter(agent, Desk.WRAPPING_UP)
        self.counts["agent_machines"] += kind == MACHINE
        self._tell(What.TALK_ENDED, lasted_s=lasted_s)
        self.agenda.after(self._luck.wrap_up_s(), self._wrap_up_over, agent)

    def _wrap_up_over(self, agent: Agent) -> None:
        self._tell(What.WRAP_UP_ENDED, lasted_s=self.agenda.now_s - agent.since_s)
        if agent.wants is None:
            self._ready(agent)
        else:
            self._leave(agent, agent.wants)

    def _wants_break(self, agent: Agent) -> None:
        if agent.state is not Desk.OUT:
            own = Withdrawal(at_s=self.agenda.now_s, share=1.0, lasts_s=self._luck.break_s())
            self._ask(agent, own)
            self.agenda.after((own.lasts_s or 0.0) + self._luck.break_after_s(), self._wants_break, agent)

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        for agent in self.agents:
            if self._luck.chance.random() < withdrawal.share:
                self._ask(agent, withdrawal)

    def _ask(self, agent: Agent, withdrawal: Withdrawal) -> None:
        """Nobody who is away or about to leave is asked twice, unless it is to go home."""
        if agent.state is Desk.IDLE:
            self._idle.remove(agent)
            self._leave(agent, withdrawal)
        elif agent.state in (Desk.TALKING, Desk.WRAPPING_UP) and (agent.wants is None or withdrawal.lasts_s is None):
            agent.wants = withdrawal

    def _leave(self, agent: Agent, withdrawal: Withdrawal) -> None:
        agent.wants = None
        if withdrawal.lasts_s is None:
            self._enter(agent, Desk.OUT)
            self._tell(What.LOGGED_OUT)
            return
        self._enter(agent, Desk.PAUSED)
        self._tell(What.PAUSED)
        self.agenda.after(withdrawal.lasts_s, self._back, agent)

    def _back(self, agent: Agent) -> None:
        self._tell(What.RESUMED)
        self._ready(agent)

    def _tell(self, what: What, *, age_s: float = 0.0, lasted_s: float = 0.0) -> None:
        self.pacer.observe(Happened(at_s=self.agenda.now_s, what=what, age_s=age_s, lasted_s=lasted_s))

"""A whole day, planned in a few numbers, run to its end, and judged: nobody lost, books that balance."""

from collections import Counter
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from random import Random

from ccserver.core.change import replace
from ccserver.core.commands import Command
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.events import Event
from ccserver.core.invariants import check, check_index
from ccserver.core.records import Outcome, VisitOutcome
from ccserver.core.settings import Strategy, WrapUpKind
from ccserver.core.state import VOICE, CenterState, DeadlineKind
from ccserver.sim.books import Books
from ccserver.sim.desks import AgentHabits
from ccserver.sim.full_sample import DIDS, MAIL, POST, full_center
from ccserver.sim.leads import CallState
from ccserver.sim.mishaps import Mishaps, prepare
from ccserver.sim.people import OFFICE_DAY, CallerHabits, arrivals
from ccserver.sim.sample import DID, sample_center
from ccserver.sim.screens import Requests, Screens, Supervisor, clear_desks
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

NO_MISHAPS = Mishaps()
OPENING_S = 600.0
"""The agents come before the calls do."""
AFTERWARDS_S = 3 * 3600.0
"""By then the last talk, wrap-up and time-out are over."""
CLOSING_S = 60.0
"""How long the house takes to be empty when it closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`hours` of calls, as the middle of a working day brings them."""

    agents: int
    calls: int
    hours: float
    callers: CallerHabits = field(default_factory=CallerHabits)
    agent: AgentHabits = field(default_factory=AgentHabits)
    faults: Faults = NO_FAULTS
    mishaps: Mishaps = NO_MISHAPS
    wrap_up_s: float = 20.0
    strategy: Strategy | None = None
    """Of all queues, in a center that has everything; None: the plain sample."""
    mails: int = 0
    supervisor_every_s: float = 0.0
    """How often a supervisor intervenes; 0: never."""
    dialing: DialingSettings | None = None
    """The law of calls outside: with it agents' own calls and callbacks pass its gate."""

    @property
    def is_calm(self) -> bool:
        """Nothing breaks."""
        return self.faults == NO_FAULTS and self.mishaps == NO_MISHAPS


class Unsound(AssertionError):
    """A step left a state that breaks an invariant. The text has the findings, the event and the moment."""


class Day:
    """One run and what can be said of it afterwards."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.restored = 0
        self.requests = Requests()

    @property
    def books(self) -> Books:
        return self.world.books

    @property
    def inputs(self) -> int:
        return self.world.inputs

    @property
    def placed(self) -> int:
        return sum(caller.channel is not None for caller in self.world.callers)

    def digest(self) -> str:
        return self.books.digest()

    def findings(self) -> list[str]:
        """What is wrong at the end of the day."""
        world, books, state = self.world, self.books, self.world.center.snapshot()
        found = [*books.problems, *check(state, world.settings), *_balance(state, books)]
        found += [f"fault: {fault.reason}" for fault in books.faults]
        found += leftovers(world)
        found += world.leads.book.problems
        found += [
            f"attempt {call.id} was never settled" for call in world.leads.book.calls.values() if call.state is CallState.STORED
        ]
        if self.plan.is_calm:
            found += [f"{count} repairs ({kind}) on a day without faults" for kind, count in books.repairs.items()]
        if world.pbx.steals:
            found.append(f"{world.pbx.steals} callers were taken out of a conversation")
        told = sum(record.kind == VOICE for record in books.interactions.values())
        if self.placed != told:
            found.append(f"{self.placed} calls were placed, {told} were told")
        found += self._wrap_ups()
        unanswered = self.requests.unanswered(books.replies)
        if unanswered and not self.plan.mishaps.kills:
            found.append(f"{unanswered} requests had no answer")
        if self.plan.strategy is None:
            found += self._answers()
        return found

    def _wrap_ups(self) -> list[str]:
        """None is longer than its queue allows, and each agent wraps up each talk once."""
        found, queues = [], self.world.settings.queues
        for queue, longest_s in self.books.longest_wrap_up_s.items():
            is_short = queues[queue].wrap_up in (WrapUpKind.NONE, WrapUpKind.TIMED)
            limit_s = queues[queue].wrap_up_s if is_short else queues[queue].wrap_up_max_s
            if longest_s > limit_s + self.plan.mishaps.outage_s + 0.001:
                found.append(f"queue {queue}: a wrap-up of {longest_s:.1f} s")
        talks, wrap_ups = self.books.talks, self.books.wrap_ups
        for (interaction, agent), count in wrap_ups.items():
            if count > talks[interaction, agent]:
                found.append(f"interaction {interaction}: agent {agent} wrapped up {count} times")
        if self.plan.is_calm and self.plan.strategy is None:
            missing = [pair for pair, count in talks.items() if wrap_ups[pair] < count - self.books.lost_lines[pair]]
            found += [f"interaction {interaction}: agent {agent} did not wrap up" for interaction, agent in missing]
        return found

    def _answers(self) -> list[str]:
        world, books, found = self.world, self.books, []
        answered, talked = books.outcomes[Outcome.ANSWERED], sum(caller.has_talked for caller in world.callers)
        if answered > talked or (not books.outcomes[Outcome.LOST] and talked - answered > self._lost_lines()):
            found.append(f"{talked} callers talked with an agent, {answered} interactions are told as answered")
        return found

    def _lost_lines(self) -> int:
        """Callers whose agent's line broke and who then left: they talked, and ended as something else."""
        return sum(caller.times_parted > 0 for caller in self.world.callers)


def leftovers(world: World) -> list[str]:
    """What is there still when everybody has gone."""
    state = world.center.snapshot()
    things: dict[str, Sized] = {
        "channels": world.pbx.channels,
        "legs": state.legs,
        "sessions": state.sessions,
        "commands": state.outstanding,
        # Hours go on ending, and evidence of a campaign's last hours comes due when they are over.
        "deadlines": [key for key in state.deadlines if key[0] not in (DeadlineKind.CLOSING, DeadlineKind.PACE)],
    }
    found = [f"{len(state.interactions)} interactions never ended"] if state.interactions else []
    return found + [f"{len(left)} {what} are left over" for what, left in things.items() if left]


def _balance(state: CenterState, books: Books) -> list[str]:
    """The core's totals against the records it told."""
    found = []
    for queue, counters in state.queues.items():
        told: Counter[VisitOutcome] = books.visits[queue]
        if dict(told) != dict(counters.outcomes):
            found.append(f"queue {queue}: told {dict(told)}, counted {dict(counters.outcomes)}")
        if books.within_service_level[queue] != counters.within_service_level:
            found.append(
                f"queue {queue}: {books.within_service_level[queue]} told in time, {counters.within_service_level} counted"
            )
    return found


def verify(world: World, event: Event, commands: Sequence[Command]) -> None:
    """Raises Unsound if the state after this step breaks an invariant."""
    state = world.look()
    settings = state.versions.get(state.version, world.settings)
    findings = [*check(state, settings), *check_index(world.center.pairing.matcher, state, settings), *world.books.problems]
    if findings:
        told = "; ".join(findings)
        raise Unsound(f"seq {state.seq} at {state.moment.mono_s:.3f} s, after {event!r} with {list(commands)!r}: {told}")


def run_day(
    plan: Plan,
    *,
    seed: int,
    restore_at_s: Sequence[float] = (),
    checks_every: int = 0,
    keeps_journal: bool = False,
) -> Day:
    """Run it. `restore_at_s`: moments at which the state goes through its written form. `checks_every`: steps, 0 for never."""
    sample = (
        sample_center(plan.agents, wrap_up_s=plan.wrap_up_s)
        if plan.strategy is None
        else full_center(plan.agents, plan.strategy, wrap_up_s=plan.wrap_up_s)
    )
    steps = 0

    def watch(world: World, event: Event, commands: list[Command]) -> None:
        nonlocal steps
        steps += 1
        if steps % checks_every == 0:
            verify(world, event, commands)

    settings = sample.settings
    if plan.dialing is not None:
        settings = replace(settings, dialing=plan.dialing, content_hash=f"{settings.content_hash}-law")
    world = World(
        settings,
        seed=seed,
        pins=sample.pins,
        faults=plan.faults,
        watch=watch if checks_every else None,
        keeps_journal=keeps_journal,
    )
    day = Day(plan, world)
    length_s = plan.hours * 3600.0
    world.staff(1.0, length_s + OPENING_S, plan.agent)
    _employ(day, length_s)
    middle, dids = OFFICE_DAY[8:18], [DID] if plan.strategy is None else list(DIDS)
    world.expect_calls(arrivals(Random(f"{seed}/arrivals"), plan.calls, middle, OPENING_S, length_s), dids, plan.callers)
    prepare(world, plan.mishaps, OPENING_S, length_s)
    world.start()
    for at_s in restore_at_s:
        world.run_until(at_s)
        world.restore()
        day.restored += 1
    world.run_until(OPENING_S + length_s + AFTERWARDS_S)
    return day


def _employ(day: Day, length_s: float) -> None:
    """Supervisors, and work that comes in without a line."""
    plan, world, seed = day.plan, day.world, day.world.seed
    until_s = OPENING_S + length_s
    if plan.supervisor_every_s:
        supervisor = Supervisor(
            world.settings, world.agenda, world.post, world.look, day.requests, seed=seed, every_s=plan.supervisor_every_s
        )
        world.agenda.at(OPENING_S, supervisor.work_until, until_s)
        world.agenda.at(until_s + AFTERWARDS_S / 2, supervisor.close_the_house)
    if plan.strategy is not None:
        world.agenda.at(until_s + AFTERWARDS_S / 2 + CLOSING_S, clear_desks, world.post, world.look, day.requests)
    if plan.mails:
        screens = Screens(world.agenda, world.post, world.look, day.requests, seed=seed, kind=MAIL, queue=POST)
        screens.expect(arrivals(Random(f"{seed}/mails"), plan.mails, (1,), OPENING_S, length_s))
        world.agenda.at(OPENING_S, screens.watch_until, until_s + AFTERWARDS_S / 2)

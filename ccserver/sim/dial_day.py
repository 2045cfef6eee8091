"""A day on which campaigns call people beside everything else, planned in a few numbers, run to its end, and judged.

Campaigns are started, paused, drained, stopped and switched to other modes by chance; trunks die; people ask not to be called while their
lead is claimed; leads are pushed. At the end nothing is left, and what the center tells is what the callees saw.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from ccserver.core import events as ev
from ccserver.core.commands import Command
from ccserver.core.dialer.terms import Mode
from ccserver.core.events import CampaignAct, Event
from ccserver.core.ids import CampaignId
from ccserver.core.records import AttemptOutcome
from ccserver.core.settings import Strategy
from ccserver.core.state import Presence
from ccserver.sim.callees import CalleeHabits, Network
from ccserver.sim.day import AFTERWARDS_S, CLOSING_S, NO_MISHAPS, OPENING_S, leftovers, verify
from ccserver.sim.desks import AgentHabits
from ccserver.sim.dial_ledger import BROKEN_SLACK_S, SPEECH_SLACK_S, DialLedger
from ccserver.sim.dial_sample import AHEAD, MAIN, PREFIX, SPARE, dialling_center, lay_leads
from ccserver.sim.full_sample import DIDS
from ccserver.sim.lead_desk import WELL, DatabaseHabits
from ccserver.sim.leads import LeadState
from ccserver.sim.mishaps import Mishaps, prepare
from ccserver.sim.people import CallerHabits, arrivals
from ccserver.sim.screens import Requests, clear_desks
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import START_UTC_S, World

AGAIN_S = 120.0
ENDPOINTS = {MAIN: "carrier", SPARE: "carrier2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPlan:
    """`leads` for each campaign; `calls` come in beside them. `act_every_s`: how often somebody interferes; 0: never."""

    agents: int = 8
    leads: int = 60
    calls: int = 25
    hours: float = 0.5
    strategy: Strategy = Strategy.LONGEST_IDLE
    callers: CallerHabits = field(default_factory=CallerHabits)
    agent: AgentHabits = field(default_factory=AgentHabits)
    callees: CalleeHabits = field(default_factory=CalleeHabits)
    database: DatabaseHabits = WELL
    faults: Faults = NO_FAULTS
    mishaps: Mishaps = NO_MISHAPS
    act_every_s: float = 0.0

    @property
    def is_calm(self) -> bool:
        """Nothing breaks."""
        return self.faults == NO_FAULTS and self.mishaps == NO_MISHAPS and not self.database.stall_ratio


class DialDay:
    """One run and what can be said of it afterwards."""

    def __init__(self, plan: DialPlan, world: World, ledger: DialLedger, network: Network) -> None:
        self.plan = plan
        self.world = world
        self.ledger = ledger
        self.network = network
        self.requests = Requests()

    def outcomes(self) -> Counter[AttemptOutcome]:
        """Of the calls on record, as the database has them."""
        return Counter(call.outcome for call in self.world.leads.book.calls.values() if call.outcome is not None)

    def findings(self) -> list[str]:
        """What is wrong at the end of the day."""
        world = self.world
        state = world.center.snapshot()
        found = [*world.books.problems, *leftovers(world)]
        found += [f"fault: {fault.reason}" for fault in world.books.faults]
        breaks = self.plan.faults != NO_FAULTS or self.plan.mishaps != NO_MISHAPS
        found += self.ledger.findings(world, slack_s=BROKEN_SLACK_S if breaks else SPEECH_SLACK_S)
        found += [f"attempt {attempt} is there still" for attempt in state.attempts]
        found += [f"agent {agent.id} is kept for {agent.reserved}" for agent in state.agents.values() if agent.reserved]
        now_s = world.now().utc_s
        for lead in world.leads.book.leads.values():
            if lead.state is LeadState.CLAIMED and lead.wake_utc_s is not None and lead.wake_utc_s > now_s:
                found.append(f"lead {lead.id} is claimed, and nobody dials it")
        if world.pbx.steals:
            found.append(f"{world.pbx.steals} callers were taken out of a conversation")
        if self.plan.is_calm:
            found += self._account()
            found += [f"{count} repairs ({kind}) on a day without faults" for kind, count in world.books.repairs.items()]
        return found

    def _account(self) -> list[str]:
        """What the center counted is what the callees' watches say."""
        found = []
        for known in self.world.center.snapshot().campaigns.values():
            seen, days = self.ledger.tally(self.world, known.id), known.account.days
            connected, abandoned = (sum(getattr(each.tally, name) for each in days) for name in ("connected", "abandoned"))
            if not seen.good <= connected <= seen.good + seen.doubtful:
                found.append(f"{known.id}: {connected} counted as connected, seen {seen}")
            if not seen.lost <= abandoned <= seen.lost + seen.doubtful:
                found.append(f"{known.id}: {abandoned} counted as abandoned, seen {seen}")
        return found


class Manager:
    """Starts every campaign, interferes now and then, and stops them all in the evening."""

    def __init__(self, day: DialDay) -> None:
        self._day = day
        self._world = day.world
        self._chance = Random(f"{day.world.seed}/manager")
        assert day.world.settings.dialing is not None
        self._campaigns = list(day.world.settings.dialing.campaigns)
        self._until_s = 0.0

    def start(self, until_s: float) -> None:
        self._until_s = until_s
        for campaign in self._campaigns:
            self.ask(campaign, CampaignAct.START)
        self._again()

    def stop(self) -> None:
        for campaign in self._campaigns:
            self.ask(campaign, CampaignAct.STOP)

    def ask(self, campaign: CampaignId, act: CampaignAct, mode: Mode | None = None) -> None:
        self._world.post(
            ev.CampaignRequested(request=self._day.requests.number(), campaign=campaign, act=act, mode=mode, by="sim")
        )

    def _again(self) -> None:
        every_s = self._day.plan.act_every_s
        after_s = self._chance.expovariate(1.0 / every_s) if every_s else 0.0
        if every_s and self._world.agenda.now_s + after_s < self._until_s:
            self._world.agenda.after(after_s, self._act)

    def _act(self) -> None:
        chance, world = self._chance, self._world
        campaign, luck = chance.choice(self._campaigns), chance.randrange(8)
        book = world.leads.book
        if luck == 0:
            self.ask(campaign, chance.choice((CampaignAct.PAUSE, CampaignAct.DRAIN, CampaignAct.STOP)))
            again_s = min(world.agenda.now_s + chance.uniform(5.0, 120.0), self._until_s - 1.0)
            world.agenda.at(again_s, self.ask, campaign, CampaignAct.START)
        elif luck == 1:
            self.ask(AHEAD, CampaignAct.MODE, chance.choice((Mode.POWER, Mode.PROGRESSIVE, None, None)))
        elif luck == 2:
            self._day.network.kill_trunk(ENDPOINTS[chance.choice((MAIN, SPARE))], chance.uniform(30.0, 240.0))
        elif luck == 3:
            world.post(ev.RedialRequested(request=self._day.requests.number(), trunk=chance.choice((MAIN, SPARE)), by="sim"))
        elif luck == 4:
            lead = book.add(str(campaign), (f"{PREFIX}9{chance.randrange(10_000):04d}",), is_hot=True)
            lead.consent = chance.choice(list(book.leads.values())).consent
            world.post(ev.LeadsAdded(list=str(campaign)))
        else:
            # Somebody writes a letter, perhaps while the lead is claimed.
            claimed = [lead for lead in book.leads.values() if lead.state is LeadState.CLAIMED]
            if claimed:
                book.ask_not_to_call(chance.choice(chance.choice(claimed).numbers), world.now().utc_s)
        self._again()


def run_dial_day(plan: DialPlan, *, seed: int, checks_every: int = 1, keeps_journal: bool = False) -> DialDay:
    """Run it. `checks_every`: steps, 0 for never; the calls are judged in any case."""
    sample = dialling_center(plan.agents, plan.strategy)
    steps = 0

    def watch(world: World, event: Event, commands: list[Command]) -> None:
        nonlocal steps
        steps += 1
        ledger.watch(world, event, commands)
        if checks_every and steps % checks_every == 0:
            verify(world, event, commands)

    world = World(sample.settings, seed=seed, pins=sample.pins, faults=plan.faults, watch=watch, keeps_journal=keeps_journal)
    world.leads.habits = plan.database
    length_s = plan.hours * 3600.0
    world.staff(1.0, length_s + OPENING_S, plan.agent)
    network = Network(world.pbx, plan.callees, seed, PREFIX, world.pbx.dialplan.outside)
    world.pbx.dialplan.outside, world.pbx.dialplan.ear = network.reach, network.hear
    assert sample.settings.dialing is not None
    ledger = DialLedger(sample.settings.dialing, network.experiences)
    day = DialDay(plan, world, ledger, network)
    lay_leads(world.leads.book, sample.settings, plan.leads, seed, START_UTC_S)
    manager = Manager(day)
    world.agenda.at(OPENING_S, manager.start, OPENING_S + length_s)
    for after_s in (0.0, AGAIN_S):
        # The first time the daemon may be away.
        world.agenda.at(OPENING_S + length_s + after_s, manager.stop)
    moments = arrivals(Random(f"{seed}/arrivals"), plan.calls, (1,), OPENING_S, length_s)
    world.expect_calls(moments, list(DIDS), plan.callers)
    world.agenda.at(OPENING_S + length_s + AFTERWARDS_S / 2 + CLOSING_S, clear_desks, world.post, world.look, day.requests)
    world.agenda.at(OPENING_S + length_s + AFTERWARDS_S / 2, close_the_house, day)
    prepare(world, plan.mishaps, OPENING_S, length_s)
    world.start()
    world.run_until(OPENING_S + length_s + AFTERWARDS_S)
    return day


def close_the_house(day: DialDay) -> None:
    """Logs out whoever is still there: whose own log-out was lost, say."""
    for agent in day.world.look().agents.values():
        if agent.presence is not Presence.LOGGED_OUT:
            day.world.post(ev.LogoutRequested(request=day.requests.number(), agent=agent.id, by="sim"))

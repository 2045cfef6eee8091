"""One run: a center, a virtual PBX and people on one agenda. Everything follows from the settings, the seed and the plan.

The world is the driver that the daemon is in real life: it hands events to the core one at a time, performs the
commands after the step, and calls the core when its next deadline has come.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from ccserver.core.center import CallCenter
from ccserver.core.codec import decode, dump, encode, parse
from ccserver.core.commands import ClaimLeads, Command, GiveBackLeads, Reply, Store, StoreAttempt, StoreAudit
from ccserver.core.events import (
    AuditStored,
    CenterStarted,
    DeadlineReached,
    Event,
    LinkUp,
    PbxObserved,
    SettingsLoaded,
)
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId
from ccserver.core.moment import Moment
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState
from ccserver.sim.agenda import Agenda, Entry
from ccserver.sim.books import Books
from ccserver.sim.desks import AgentAtDesk, AgentHabits
from ccserver.sim.lead_desk import LeadDesk
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.people import Caller, CallerHabits, Stranger
from ccserver.sim.replay import retrace
from ccserver.sim.systems import NOTHING_TOLD, Outside, Told, VirtualSystems
from ccserver.sim.wire import NO_FAULTS, Faults, Wire

START_UTC_S = 1_767_600_000.0
"""Monday 2026-01-05, 08:00 UTC: virtual time begins on a working day."""
OUTSIDE, NOBODYS = "5550142", "5559999"
"""Numbers that agents call: somebody is at the first, and at all others but the second."""
OBSERVE_EVERY_S = 30.0
OBSERVE_AGAIN_S = 5.0
"""After a new link: the first reading may be older than the events around it."""


@dataclass(frozen=True, slots=True)
class Input:
    """One line of the journal."""

    seq: int
    moment: Moment
    event: Event


Watcher = Callable[["World", Event, list[Command]], None]


class World:
    """`watch` is called after each step, with the world, the event and the commands: for invariants and traces. `told` is what a
    story says of the systems beside the PBX."""

    def __init__(
        self,
        settings: Settings,
        *,
        seed: int,
        pins: Mapping[AgentId, str] | None = None,
        faults: Faults = NO_FAULTS,
        watch: Watcher | None = None,
        keeps_journal: bool = False,
        books: Books | None = None,
        told: Told = NOTHING_TOLD,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.agenda = Agenda()
        self.chance = Random(f"{seed}/world")
        self._database = Random(f"{seed}/database")
        self.wire = Wire(self.agenda, Random(f"{seed}/wire"), self.post, faults)
        self.systems = VirtualSystems(settings, self.agenda, Random(f"{seed}/systems"), self.wire, told)
        self.pbx = VirtualPbx(
            settings,
            self.agenda,
            Random(f"{seed}/pbx"),
            self.wire,
            pins or {},
            systems=self.systems,
            listens_to=self._listens_to,
        )
        self.leads = LeadDesk(
            self.agenda, Random(f"{seed}/leads"), self.wire, lambda: self.now().utc_s, facts=self.systems.facts
        )
        self.center = CallCenter(settings)
        self.books = books or Books()
        self.callers: list[Caller] = []
        self.agents: dict[AgentId, AgentAtDesk] = {}
        self.journal: list[Input] = []
        self.inputs = 0
        self._pins = dict(pins or {})
        self._watch = watch
        self._keeps_journal = keeps_journal
        self._inbox: deque[Event] = deque()
        self._is_stepping = False
        self._is_running = False
        self._incarnation = 0
        self._alarm: Entry | None = None
        self._observations = 0
        self._strangers = 0
        self._stranger_habits = CallerHabits(talk_s=60.0, patience_s=60.0)

    # --- people -------------------------------------------------------------------------------------------------------
    def staff(self, at_s: float, length_s: float, habits: AgentHabits, *, spread_s: float = 300.0) -> None:
        """Every agent of the settings works one shift at a phone of the settings, starting within `spread_s` of `at_s`."""
        others = [*self.settings.agents, *(queue.number for queue in self.settings.queues.values() if queue.number)]
        if habits.in_talk or habits.dials_ratio:
            others += [OUTSIDE, NOBODYS]
            self.pbx.dialplan.outside = self._stranger
        for agent, phone in zip(sorted(self.settings.agents), sorted(self.settings.phones), strict=False):
            desk = AgentAtDesk(agent, phone, self.pbx, habits, seed=self.seed, pin=self._pins[agent], others=others)
            self.agents[agent] = desk
            self.agenda.at(at_s + self.chance.uniform(0.0, spread_s), desk.start_shift, length_s)

    def _listens_to(self, leg: LegId) -> bool:
        """Of the center that is on now: after a restart it is another."""
        return self.center.listens_to(leg)

    def _stranger(self, to: PhoneId) -> Stranger | None:
        """Who answers at a number outside."""
        if NOBODYS in to:
            return None
        self._strangers += 1
        return Stranger(f"stranger {self._strangers}", self.pbx, self._stranger_habits, seed=self.seed)

    def expect_calls(self, moments: list[float], dids: list[str], habits: CallerHabits) -> None:
        for at_s in moments:
            caller = Caller(f"c{len(self.callers)}", self.pbx, habits, seed=self.seed)
            self.callers.append(caller)
            self.agenda.at(at_s, caller.call, self.chance.choice(dids))

    def look(self) -> CenterState:
        """What the center shows to whoever asks."""
        return self.center.look()

    # --- the daemon's life --------------------------------------------------------------------------------------------
    def start(self) -> None:
        """The daemon starts: with the state it has, which is empty the first time."""
        self._incarnation += 1
        self._is_running = True
        self.pbx.daemon_started()
        self.leads.daemon_started(self.center.snapshot())
        first = InteractionId(1 + max(self.books.interactions, default=0))
        self.post(CenterStarted(incarnation=self._incarnation, first_interaction=first))
        self.post(SettingsLoaded(settings=self.settings))
        self.pbx.mend_link()
        self._schedule_observation(OBSERVE_EVERY_S)

    def kill(self, down_for_s: float) -> None:
        """kill -9 of the daemon, and a start `down_for_s` later from what was written."""
        self._is_running = False
        self._inbox.clear()
        self._disarm()
        self._observations += 1
        self.pbx.daemon_died()
        self.systems.daemon_died()
        self.leads.daemon_died()
        self.agenda.after(down_for_s, self._start_again)

    def _start_again(self) -> None:
        self.restore()
        self.start()

    def restore(self) -> None:
        """Put the state through its written form, and go on with what was read."""
        state = self.center.snapshot()
        read = decode(CenterState, parse(dump(state)))
        if encode(read) != encode(state):
            raise AssertionError("the snapshot reads differently from what was written")
        self.center = CallCenter.restore(read)

    def crash_pbx(self, down_for_s: float) -> None:
        """kill -9 of Asterisk; up again after `down_for_s`, and connected up to five seconds later."""
        self.pbx.crash()
        self.agenda.after(down_for_s, self.pbx.boot)
        self.agenda.after(down_for_s + self.chance.uniform(0.0, 5.0), self.pbx.mend_link)

    def break_link(self, down_for_s: float) -> None:
        self.pbx.break_link()
        self.agenda.after(down_for_s, self.pbx.mend_link)

    def _schedule_observation(self, delay_s: float) -> None:
        self._observations += 1
        self.agenda.after(delay_s, self._observe, self._observations)

    def _observe(self, number: int) -> None:
        if number == self._observations and self._is_running:
            self.pbx.observe()
            self._schedule_observation(OBSERVE_EVERY_S)

    # --- steps --------------------------------------------------------------------------------------------------------
    def now(self) -> Moment:
        return Moment(self.agenda.now_s, START_UTC_S + self.agenda.now_s)

    def post(self, event: Event) -> None:
        """Put an event into the inbox; the inbox is worked off unless that is being done already."""
        if not self._is_running:
            return
        self._inbox.append(event)
        if self._is_stepping:
            return
        self._is_stepping = True
        try:
            while self._inbox:
                self._step(self._inbox.popleft())
        finally:
            self._is_stepping = False
        self._arm()

    def _step(self, event: Event) -> None:
        now = self.now()
        center = self.center
        commands = center.on_deadline(now) if isinstance(event, DeadlineReached) else center.handle(event, now)
        self.inputs += 1
        seq = center.seq
        if self._keeps_journal:
            self.journal.append(Input(seq, now, event))
        enter, perform = self.books.enter, self.pbx.perform
        for index, command in enumerate(commands):
            command_id = CommandId(seq, index)
            enter(command_id, command)
            if isinstance(command, Outside):
                self.systems.perform(command_id, command)
            elif isinstance(command, StoreAudit):
                self._store_audit(command_id)
            elif isinstance(command, ClaimLeads | GiveBackLeads | StoreAttempt):
                self.leads.perform(command_id, command)
            elif isinstance(command, Store):
                self.leads.told(command.record)
            elif not isinstance(command, Reply):
                perform(command_id, command)
        if self._watch is not None:
            self._watch(self, event, commands)
        if isinstance(event, LinkUp):
            self.pbx.observe()
            self._schedule_observation(OBSERVE_AGAIN_S)
        elif isinstance(event, PbxObserved):
            self.wire.is_agi_open = True

    def _store_audit(self, command_id: CommandId) -> None:
        """The database is quick, slow, or stalls until nobody waits any more."""
        luck = self._database.random()
        delay_s = self._database.uniform(0.001, 0.3) if luck < 0.97 else self._database.uniform(1.0, 10.0)
        self.agenda.after(delay_s, self.wire.own, AuditStored(command=command_id))

    def _arm(self) -> None:
        """One timer. An alarm that rings too early is cheaper than one that is set anew after each step."""
        due_s = self.center.next_deadline()
        if due_s is None:
            return
        if self._alarm is not None and self._alarm.action is not None:
            if self._alarm.at_s <= due_s:
                return
            self._alarm.cancel()
        self._alarm = self.agenda.at(due_s, self._ring)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        due_s = self.center.next_deadline()
        if due_s is not None and due_s <= self.agenda.now_s:
            self.post(DeadlineReached())
        else:
            self._arm()

    def run_until(self, until_s: float) -> None:
        self.agenda.run_until(until_s)

    def replay(self) -> str:
        """Work off the journal in a bare core, without a PBX. The digest of its commands."""
        books = Books()
        for line in retrace(((entry.moment, entry.event) for entry in self.journal), self.settings):
            if line.command_id is not None:
                books.enter(line.command_id, line.said)  # type: ignore[arg-type]
        return books.digest()

"""Hypothesis runs campaigns: it is who they call, the agents, the database, the operator, the network and the daemon's killer. Each step
must leave a sound state, and each call is judged by the truth of the world (`ccserver.sim.dial_ledger`): it is on record before, lawful in
the instant in which it is dialled, within the account, and nobody is called twice at once.

At the end of each story everything is mended, everybody hangs up, and then nothing may be left over: no call that is not settled, no lead
that is claimed, nobody who answered and was left in silence.
"""

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from call_sheets import any_sheet
from dialled_people import FIRST, SECOND, Desk, Fate, Law, Life, People, Plot, sample, walked, with_a_past, without
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ccserver.core import events as ev
from ccserver.core.commands import ClaimLeads, Command
from ccserver.core.dialer.campaign_state import Attempt, AttemptStage
from ccserver.core.dialer.facts import Consent, FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.settings import AmdUse
from ccserver.core.dialer.terms import ConsentKind, Mode
from ccserver.core.ids import AgentId, AttemptId, CampaignId, CommandId, InteractionId, LeadId, ReasonId, RequestId
from ccserver.core.records import AttemptOutcome
from ccserver.core.settings import Strategy
from ccserver.core.state import DeadlineKind, Presence
from ccserver.sim.channels import Channel, Place
from ccserver.sim.day import verify
from ccserver.sim.dial_ledger import BROKEN_SLACK_S, DialLedger
from ccserver.sim.dial_sample import MAIN, NEWS, PREFIX, SPARE
from ccserver.sim.full_sample import STRAIGHT_DID
from ccserver.sim.lead_desk import WELL, DatabaseHabits
from ccserver.sim.leads import Lead, LeadState
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import START_UTC_S, World

EXAMPLES = max(int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "60")) // 3, 1)
SAMPLES = {strategy: sample(strategy) for strategy in (Strategy.LONGEST_IDLE, Strategy.RING_ALL)}
NAMES = sorted(SAMPLES[Strategy.LONGEST_IDLE].settings.agents)
PHONES = dict(zip(NAMES, sorted(SAMPLES[Strategy.LONGEST_IDLE].settings.phones), strict=False))
ENDPOINTS = {MAIN: "carrier", SPARE: "carrier2"}
FAULTY = Faults(lost_ratio=0.01, doubled_ratio=0.03, late_ratio=0.02, unanswered_ratio=0.02, action_timeout_s=2.0)
DATABASES = (
    WELL,
    DatabaseHabits(slow_ratio=0.5),
    DatabaseHabits(stall_ratio=0.2),
    DatabaseHabits(slow_ratio=0.2, failed_ratio=0.3, refused_ratio=0.1),
)
QUIET_S = 600.0
BY_THE_CLOCK = (DeadlineKind.DAY, DeadlineKind.SHIFT, DeadlineKind.CLOSING, DeadlineKind.PACE)
MISHAPS_MAX = 3
AGAIN = (ev.LeadsClaimed, ev.AttemptStored, ev.LegEnded, ev.RingEnded, ev.CommandDone, ev.CalleeTold)
"""What may be told again much later, and is old news then."""
FACTS = ("letter", "called", "moved")
"""A letter that asks for no calls, as many calls as are allowed, a time zone in which it is night."""
CAMPAIGNS = st.sampled_from([FIRST, SECOND, SECOND, NEWS])
WITH_AGENTS = st.sampled_from([FIRST, SECOND])
NUMBER = st.integers(0, 7)
PLOTS = st.builds(
    Plot,
    law=st.builds(
        Law,
        closes=st.sampled_from(["late", "late", "soon"]),
        calls_a_day=st.sampled_from([1, 6]),
        max_abandon=st.sampled_from([0.03, 0.5, 0.9]),
    ),
    first=st.sampled_from([Mode.PROGRESSIVE, Mode.PREVIEW, Mode.MANUAL, Mode.CALLBACK_ONLY, Mode.POWER]),
    second=st.sampled_from([Mode.POWER, Mode.PREDICTIVE]),
    listens=st.sampled_from(AmdUse),
    talks=st.sampled_from([0, 30]),
    life=st.builds(
        Life, callees_answer_s=st.sampled_from([None, 1.5, 15.95]), agents_answer_s=st.sampled_from([None, 0.3, 1.8])
    ),
    strategy=st.sampled_from(sorted(SAMPLES, key=str)),
)


class Campaigning(RuleBasedStateMachine):
    @initialize(
        seed=st.integers(0, 2**16),
        faults=st.sampled_from([NO_FAULTS, NO_FAULTS, FAULTY]),
        plot=PLOTS,
    )
    def begin(self, seed: int, faults: Faults, plot: Plot) -> None:
        made = SAMPLES[plot.strategy]
        given = walked(made.settings, plot)
        self.world = world = World(given, seed=seed, pins=made.pins, faults=faults, watch=self.watch)
        self.people = People(world.pbx, plot.life)
        world.pbx.dialplan.outside, world.pbx.dialplan.ear = self.people.reach, self.people.hear
        assert given.dialing is not None
        self.ledger = DialLedger(given.dialing, self.people.experiences)
        self.desks = {agent: Desk(world.pbx, plot.life) for agent in NAMES}
        for agent, desk in self.desks.items():
            world.pbx.phones[PHONES[agent]].person = desk
        self.old: deque[ev.Event] = deque(maxlen=30)
        self.made_up: Callable[[ClaimLeads], tuple[bool, tuple[ClaimedLead, ...]]] | None = None
        self.requests = self.mishaps = self.numbers = 0
        world.start()
        for campaign in (FIRST, SECOND, NEWS):
            self.leads(campaign, 6, 0)
        world.run_until(1.0)
        for agent in NAMES:
            self.ask(ev.LoginRequested, agent=agent, phone=PHONES[agent])
        for campaign in (FIRST, SECOND):
            self.act(ev.CampaignAct.START, campaign, None)
        world.center = with_a_past(world.center, SECOND, plot.talks)
        self.ledger.begins_with(SECOND, plot.talks)

    # --- means ----------------------------------------------------------------------------------------------------------
    def watch(self, world: World, event: ev.Event, commands: list[Command]) -> None:
        verify(world, event, commands)
        self.ledger.watch(world, event, commands)
        assert not self.ledger.problems, self.ledger.problems
        if isinstance(event, AGAIN):
            self.old.append(event)
        for place, command in enumerate(commands):
            if isinstance(command, ClaimLeads) and self.made_up is not None:
                is_ok, leads = self.made_up(command)
                self.made_up = None
                known = CommandId(world.center.seq, place)
                world.post(ev.LeadsClaimed(command=known, campaign=command.campaign, is_ok=is_ok, leads=leads, ready=-1))

    def ask(self, kind: type, **given: object) -> None:
        self.requests += 1
        self.world.post(kind(request=RequestId(self.requests), **given))

    def until(self, is_reached: Callable[[], object], at_most_s: float) -> bool:
        end_s = self.world.agenda.now_s + at_most_s
        while not is_reached() and self.world.agenda.now_s < end_s:
            self.world.run_until(self.world.agenda.now_s + 0.1)
        return bool(is_reached())

    def ringing_desks(self) -> list[Channel]:
        return [channel for desk in self.desks.values() for channel in desk.channels if not channel.is_up]

    def busy_desk(self, number: int) -> Channel | None:
        busy = [channel for desk in self.desks.values() for channel in desk.channels]
        return busy[number % len(busy)] if busy else None

    # --- the operator ---------------------------------------------------------------------------------------------------
    @rule(
        act=st.sampled_from([ev.CampaignAct.START, ev.CampaignAct.START, *ev.CampaignAct]),
        campaign=CAMPAIGNS,
        mode=st.sampled_from([None, *Mode]),
    )
    def act(self, act: ev.CampaignAct, campaign: CampaignId, mode: Mode | None) -> None:
        self.ask(ev.CampaignRequested, campaign=campaign, act=act, mode=mode if act is ev.CampaignAct.MODE else None, by="eva")

    @rule(campaign=st.none() | CAMPAIGNS)
    def settings_change(self, campaign: CampaignId | None) -> None:
        given = self.world.settings
        self.world.post(ev.SettingsLoaded(settings=given if campaign is None else without(given, campaign)))

    @rule(trunk=st.sampled_from([MAIN, SPARE]), is_dead=st.booleans(), is_tried=st.booleans())
    def trunk(self, trunk: Any, is_dead: bool, is_tried: bool) -> None:
        (self.people.dead.add if is_dead else self.people.dead.discard)(ENDPOINTS[trunk])
        if is_tried:
            self.ask(ev.RedialRequested, trunk=trunk, by="eva")

    # --- leads and the database -------------------------------------------------------------------------------------------
    @rule(campaign=CAMPAIGNS, count=st.integers(1, 4), kind=st.integers(0, 5))
    def leads(self, campaign: CampaignId, count: int, kind: int) -> None:
        """Fresh ones; with another lead's number, a promised callback, hot ones, or some without consent."""
        book, now_s = self.world.leads.book, self.world.now().utc_s
        for _ in range(count):
            self.numbers += 2
            numbers = (f"{PREFIX}{self.numbers:05d}", f"{PREFIX}{self.numbers + 1:05d}")
            if kind == 1:
                numbers = (f"{PREFIX}00002", numbers[0])
            consent = None if kind == 5 else Consent(kind=ConsentKind.AUTOMATIC, given_utc_s=START_UTC_S - 86_400.0)
            lead = book.add(str(campaign), numbers, consent=consent, is_hot=kind == 2)
            if kind in (3, 4) or campaign == FIRST:
                book.promise(lead, campaign, now_s - 60.0, now_s, AgentId(NAMES[0]) if kind == 4 else None)
        if kind == 2:
            self.world.post(ev.LeadsAdded(list=str(campaign)))

    @rule(number=NUMBER, what=st.sampled_from(FACTS))
    def facts_change(self, number: int, what: str) -> None:
        """Of somebody who is about to be called, perhaps between the claim and the store."""
        claimed = [lead for lead in self.world.leads.book.leads.values() if lead.state is LeadState.CLAIMED]
        if claimed:
            lead = claimed[number % len(claimed)]
            self.changes(lead, lead.numbers[0], what)

    @rule(what=st.sampled_from([*FACTS, "pause"]))
    def facts_change_while_it_is_stored(self, what: str) -> None:
        """The gate has allowed it, and the database is slow."""
        self.world.leads.habits = DatabaseHabits(slow_ratio=1.0)
        self.until(self.storing, 8.0)
        for attempt in self.storing():
            lead = self.world.leads.book.leads.get(attempt.lead.id)
            if what == "pause":
                self.act(ev.CampaignAct.PAUSE, attempt.campaign, None)
            elif lead is not None:
                self.changes(lead, attempt.sheet.number, what)
        self.world.run_until(self.world.agenda.now_s + 3.5)

    def storing(self) -> list[Attempt]:
        return [each for each in self.world.look().attempts.values() if each.stage is AttemptStage.STORING]

    def changes(self, lead: Lead, number: str, what: str) -> None:
        book, now_s = self.world.leads.book, self.world.now().utc_s
        if what == "letter":
            book.ask_not_to_call(number, now_s)
        elif what == "called":
            for _ in range(6):
                book.has_called(lead, number, FIRST, now_s, AttemptOutcome.NO_ANSWER)
        else:
            lead.region, lead.zone = "ES-CN", "America/Caracas"

    @rule(habits=st.sampled_from(DATABASES))
    def database(self, habits: DatabaseHabits) -> None:
        self.world.leads.habits = habits

    @rule(number=st.integers(0, 29), is_late=st.booleans())
    def told_again(self, number: int, is_late: bool) -> None:
        if self.old:
            self.world.post(self.old[-1 - number % len(self.old)])

    @rule(
        campaign=CAMPAIGNS,
        numbers=st.lists(st.integers(0, 20), min_size=1, max_size=3),
        sheet=st.none() | st.none() | any_sheet,
        is_ok=st.sampled_from([True, True, True, False]),
        lasts_s=st.sampled_from([-1.0, 61.0, 300.0]),
    )
    def next_claim_is_answered_with_nonsense(
        self, campaign: CampaignId, numbers: list[int], sheet: FactSheet | None, is_ok: bool, lasts_s: float
    ) -> None:
        """Leads that are there already, that are another's, twice in one answer, with facts that are true or not; no claim is behind it.
        The right answer comes afterwards."""
        self.made_up = lambda claim: self.nonsense(claim, numbers, sheet, is_ok, lasts_s)
        self.world.post(ev.LeadsAdded(list=str(campaign)))

    def nonsense(
        self, claim: ClaimLeads, numbers: list[int], sheet: FactSheet | None, is_ok: bool, lasts_s: float
    ) -> tuple[bool, tuple[ClaimedLead, ...]]:
        book, now_s = self.world.leads.book, self.world.now().utc_s
        leads = [book.leads[LeadId(1 + number % len(book.leads))] for number in numbers]
        return is_ok, tuple(
            ClaimedLead(
                id=lead.id,
                token="made up",
                until_utc_s=now_s + lasts_s,
                list=lead.list,
                name="Nobody",
                sheets=(sheet or book.sheet(claim.sheet, lead, lead.numbers[0], now_s),),
            )
            for lead in leads
        )

    @rule(number=NUMBER, sheet=st.none() | any_sheet, end=st.sampled_from(ev.StoreEnd), is_known=st.booleans())
    def stored_nonsense(self, number: int, sheet: FactSheet | None, end: ev.StoreEnd, is_known: bool) -> None:
        """Of an attempt that nobody stored, or under a number that is no order's."""
        attempts = list(self.world.center.snapshot().attempts)
        attempt = attempts[number % len(attempts)] if attempts and is_known else AttemptId("none")
        self.world.post(ev.AttemptStored(command=CommandId(1, 0), attempt=attempt, end=end, sheet=sheet, why="made up"))

    # --- who is called ----------------------------------------------------------------------------------------------------
    @rule(fates=st.lists(st.sampled_from(Fate), min_size=1, max_size=4))
    def who_is_called_next(self, fates: list[Fate]) -> None:
        self.people.fates.extend(fates)

    @rule(number=NUMBER, way=st.sampled_from(["answer", "answer", "answer", "decline", "hang_up", "lose_line", "9", "1"]))
    def callee(self, number: int, way: str) -> None:
        there = self.people.there()
        if there:
            there[number % len(there)].acts(way)

    @rule(
        count=st.integers(1, 4),
        agent=st.sampled_from(["answer", "answer", "decline", "", "hang_up", "late"]),
        after_s=st.sampled_from([0.0, 0.003, 0.02, 0.5, 1.9, 2.1, 6.0, 16.0]),
        then=st.sampled_from(["", "", "callee", "agent", "9", "lose_line", "link", "pbx", "kill", "written"]),
    )
    def people_answer(self, count: int, agent: str, after_s: float, then: str) -> None:
        """The first whose phones ring; agents do something meanwhile; after a while something happens."""
        world, pbx = self.world, self.world.pbx
        if not self.until(self.people.ringing, 8.0):
            self.agents_act("answer")
            self.until(self.people.ringing, 2.0)
        answering = self.people.ringing()[:count]
        for callee in answering:
            callee.acts("answer")
        if agent != "late":
            world.run_until(world.agenda.now_s + 0.05)
            self.agents_act(agent)
        world.run_until(world.agenda.now_s + after_s)
        if agent == "late":
            self.agents_act("answer")
        if then == "callee":
            for callee in answering:
                callee.acts("hang_up")
        elif then == "agent":
            channel = self.busy_desk(count)
            if channel is not None:
                pbx.hang_up(channel)
        elif then in ("9", "lose_line"):
            answering[0].acts(then) if answering else None
        elif then == "written":
            world.restore()
        elif then and self.mishaps < MISHAPS_MAX:
            {"link": self.link_breaks, "pbx": self.pbx_is_killed, "kill": self.daemon_is_killed}[then](2.0)
        world.run_until(world.agenda.now_s + 0.01)

    def agents_act(self, way: str) -> None:
        """All whose phones ring; whoever answers and is asked whether to call somebody says yes."""
        acting = self.ringing_desks() if way else []
        for channel in acting:
            getattr(self.world.pbx, way)(channel)
        self.world.run_until(self.world.agenda.now_s + 0.05)
        for channel in acting:
            if channel.place is Place.DESK and not channel.is_gone:
                self.until(lambda channel=channel: channel.session is not None or channel.is_gone, 0.3)
                self.world.pbx.press(channel, "1")

    @rule(count=st.integers(1, 3), lasts_s=st.sampled_from([0.5, 3.0, 20.0]), disposition=st.sampled_from("345678"))
    def people_talk(self, count: int, lasts_s: float, disposition: str) -> None:
        """As it should be, to the end."""
        self.people_answer(count, "answer", lasts_s, "")
        talking = [c for desk in self.desks.values() for c in desk.channels if c.is_up]
        for callee in self.people.there():
            if callee.is_up:
                callee.acts("hang_up")
        self.world.run_until(self.world.agenda.now_s + 1.5)
        for channel in talking:
            if not channel.is_gone:
                self.world.pbx.press(channel, f"{disposition}#")
                self.world.run_until(self.world.agenda.now_s + 0.1)
                if disposition == "7" and not channel.is_gone:
                    self.world.pbx.press(channel, "0930#1")

    # --- agents -----------------------------------------------------------------------------------------------------------
    @rule(number=NUMBER, way=st.sampled_from(["answer", "answer", "answer", "decline", "hang_up", "lose_line"]))
    def phone(self, number: int, way: str) -> None:
        channel = self.busy_desk(number)
        if channel is not None:
            getattr(self.world.pbx, way)(channel)

    @rule(number=NUMBER, keys=st.sampled_from(["1", "1", "1", "2", "3", "4", "*", "3#", "5#", "7#", "0930#", "*0", "*2"]))
    def agent_presses(self, number: int, keys: str) -> None:
        channel = self.busy_desk(number)
        if channel is not None:
            self.world.pbx.press(channel, keys)

    @rule(agent=st.sampled_from(NAMES), code=st.sampled_from(["45", "45", "131", "14", "12", "15", "18"]))
    def agent_dials(self, agent: AgentId, code: str) -> None:
        self.world.pbx.dial_feature(self.desks[agent], self.world.pbx.phones[PHONES[agent]], code)

    @rule(agent=st.sampled_from(NAMES))
    def agent_asks_for_the_next_lead(self, agent: AgentId) -> None:
        """Hears what comes of it, hangs up, and answers."""
        desk = self.desks[agent]
        channel = self.world.pbx.dial_feature(desk, self.world.pbx.phones[PHONES[agent]], "45")
        if channel is not None:
            self.until(lambda: channel.is_gone, 4.0)
            self.until(self.ringing_desks, 3.0)
            self.agents_act("answer")

    @rule(
        agent=st.sampled_from(NAMES),
        what=st.sampled_from([ev.LoginRequested, ev.LogoutRequested, ev.PauseRequested, ev.UnpauseRequested]),
    )
    def agent_comes_or_goes(self, agent: AgentId, what: type) -> None:
        given: dict[type, dict[str, object]] = {
            ev.LoginRequested: {"phone": PHONES[agent]},
            ev.PauseRequested: {"reason": ReasonId("lunch")},
        }
        self.ask(what, agent=agent, **given.get(what, {}))

    @rule()
    def everybody_is_ready(self) -> None:
        for agent in NAMES:
            self.agent_comes_or_goes(agent, ev.LoginRequested)
            self.agent_comes_or_goes(agent, ev.UnpauseRequested)

    @rule(agent=st.sampled_from(NAMES), is_registered=st.booleans())
    def contact(self, agent: AgentId, is_registered: bool) -> None:
        phone = self.world.pbx.phones[PHONES[agent]]
        if phone.is_registered != is_registered:
            self.world.pbx.set_registered(phone, is_registered)

    @rule()
    def somebody_calls_in(self) -> None:
        desk = Desk(self.world.pbx, Life())
        channel = self.world.pbx.call_in(desk, STRAIGHT_DID, "+15550101")
        if channel is not None:
            self.world.agenda.after(30.0, self.world.pbx.hang_up, channel)

    @rule(number=st.integers(1, 12))
    def hang_up_by_request(self, number: int) -> None:
        self.ask(ev.HangUpRequested, interaction=InteractionId(number))

    # --- time and mishaps ---------------------------------------------------------------------------------------------
    @rule(for_s=st.sampled_from([0.001, 0.01, 0.1, 0.6, 1.0, 3.0, 10.0, 30.0, 61.0]))
    def time_passes(self, for_s: float) -> None:
        self.world.run_until(self.world.agenda.now_s + for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.2, 2.0, 15.0]))
    def link_breaks(self, for_s: float) -> None:
        self.mishaps += 1
        self.world.break_link(for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.1, 1.0, 10.0, 70.0]))
    def daemon_is_killed(self, for_s: float) -> None:
        """And starts again from what was written, against the PBX as it is by then."""
        self.mishaps += 1
        self.world.kill(for_s)
        self.world.run_until(self.world.agenda.now_s + for_s + 0.001)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([1.0, 6.0]))
    def pbx_is_killed(self, for_s: float) -> None:
        self.mishaps += 1
        self.world.crash_pbx(for_s)
        self.world.run_until(self.world.agenda.now_s + for_s + 5.001)

    @rule()
    def written_and_read(self) -> None:
        self.world.restore()

    # --- the end ------------------------------------------------------------------------------------------------------
    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world, pbx = self.world, self.world.pbx
        world.wire.faults, world.leads.habits = NO_FAULTS, WELL
        world.run_until(world.agenda.now_s + 20.0)
        for campaign in (FIRST, SECOND, NEWS):
            self.act(ev.CampaignAct.STOP, campaign, None)
        for _ in range(2):
            for channel in list(pbx.channels.values()):
                pbx.hang_up(channel)
            world.run_until(world.agenda.now_s + 50.0)
        for interaction in world.center.snapshot().interactions.values():
            if interaction.message is not None:
                self.ask(ev.HangUpRequested, interaction=interaction.id)
        world.run_until(world.agenda.now_s + QUIET_S)
        state = world.center.snapshot()
        for agent in state.agents.values():
            assert not agent.work, f"agent {agent.id} still works: {agent.work}"
            assert agent.reserved is None, f"agent {agent.id} is kept for {agent.reserved}"
            if agent.presence is not Presence.LOGGED_OUT:
                self.ask(ev.LogoutRequested, agent=agent.id)
        world.run_until(world.agenda.now_s + 1.0)
        state = world.center.snapshot()
        assert not state.attempts, f"never settled: {list(state.attempts.values())}"
        assert not state.interactions, f"never ended: {list(state.interactions.values())}"
        assert not pbx.channels, f"left on the PBX: {list(pbx.channels.values())}"
        assert not state.legs, f"legs left: {list(state.legs.values())}"
        assert not state.sessions, f"sessions left: {list(state.sessions.values())}"
        assert not state.outstanding, f"commands left: {dict(state.outstanding)}"
        left = {key: due_s for key, due_s in state.deadlines.items() if key[0] not in BY_THE_CLOCK}
        assert not left, f"deadlines left: {left}"
        now_s = world.now().utc_s
        held = [
            lead.id
            for lead in world.leads.book.leads.values()
            if lead.state is LeadState.CLAIMED and (lead.wake_utc_s or 0.0) > now_s
        ]
        assert not held, f"leads that are claimed, and nobody dials them: {held}"
        assert not world.books.faults and not world.books.problems and not pbx.steals
        findings = self.ledger.findings(world, slack_s=BROKEN_SLACK_S)
        assert not findings, findings


TestCampaigning = Campaigning.TestCase
TestCampaigning.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)

"""Hypothesis plays everybody: callers, agents, the network and the daemon's killer; each step must leave a sound state.

At the end of each story everything is mended, everybody hangs up, and then nothing may be left over: no interaction, leg,
session, command or deadline in the core, no channel on the PBX, and no agent who could not take a call.
"""

import os
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from ccserver.core.commands import Collect, CollectSecret
from ccserver.core.events import HangUpRequested, LoginRequested, LogoutRequested, PauseRequested, UnpauseRequested
from ccserver.core.ids import AgentId, InteractionId, PhoneId, ReasonId, RequestId
from ccserver.core.settings import Settings
from ccserver.core.state import DeadlineKind, Presence
from ccserver.sim.channels import Asking, Channel, Place
from ccserver.sim.day import verify
from ccserver.sim.sample import DID, sample_center
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

AGENTS = 3
SAMPLE = sample_center(AGENTS, wrap_up_s=5.0)
EXAMPLES = int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "60"))
FAULTY = Faults(lost_ratio=0.03, doubled_ratio=0.05, late_ratio=0.05, unanswered_ratio=0.03, action_timeout_s=2.0)
QUIET_S = 600.0
BY_THE_CLOCK = (DeadlineKind.DAY, DeadlineKind.SHIFT, DeadlineKind.CLOSING)
"""What is due although nothing happens."""
MISHAPS_MAX = 3


def short_lived(given: Settings) -> Settings:
    """The sample with times that a story reaches."""
    queues = {
        name: replace(queue, ring_timeout_s=4.0, max_wait_s=40.0 if queue.max_wait_s else None, max_talk_s=60.0, max_waiting=3)
        for name, queue in given.queues.items()
    }
    return replace(given, queues=queues, content_hash=given.content_hash + "-short")


class Puppet:
    """Does what the rules say; keeps the channels it has."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.asked_for: Asking | None = None

    def rings(self, channel: Channel) -> None:
        self.channels.append(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if channel not in self.channels:
            self.channels.append(channel)
        self.asked_for = verb

    def joined(self, channel: Channel) -> None:
        pass

    def parted(self, channel: Channel) -> None:
        pass

    def ended(self, channel: Channel) -> None:
        if channel in self.channels:
            self.channels.remove(channel)


class Story(RuleBasedStateMachine):
    callers = Bundle("callers")

    @initialize(seed=st.integers(0, 2**16), faults=st.sampled_from([NO_FAULTS, NO_FAULTS, FAULTY]))
    def begin(self, seed: int, faults: Faults) -> None:
        self.world = World(short_lived(SAMPLE.settings), seed=seed, pins=SAMPLE.pins, faults=faults, watch=verify)
        self.agents = {agent: Puppet() for agent in sorted(SAMPLE.settings.agents)}
        self.phones = dict(zip(self.agents, sorted(SAMPLE.settings.phones), strict=True))
        for agent, phone in self.phones.items():
            self.world.pbx.phones[phone].person = self.agents[agent]
        self.requests = 0
        self.mishaps = 0
        self.world.start()
        self.world.run_until(1.0)
        for agent in self.agents:
            self.log_in(agent, 0)

    def ask(self, kind: type, **given: object) -> None:
        self.requests += 1
        self.world.post(kind(request=RequestId(self.requests), **given))

    def person(self, number: int) -> tuple[AgentId, Puppet, PhoneId]:
        agent = sorted(self.agents)[number]
        return agent, self.agents[agent], self.phones[agent]

    def busy_agent(self, number: int) -> Puppet | None:
        """One of those whose phone rings or is up."""
        busy = [puppet for puppet in self.agents.values() if puppet.channels]
        return busy[number % len(busy)] if busy else None

    def until(self, is_reached: Callable[[], object], at_most_s: float) -> bool:
        end_s = self.world.agenda.now_s + at_most_s
        while not is_reached() and self.world.agenda.now_s < end_s:
            self.world.run_until(self.world.agenda.now_s + 0.1)
        return bool(is_reached())

    # --- callers ------------------------------------------------------------------------------------------------------
    @rule(target=callers, number=st.sampled_from([None, "+15550100", "anonymous"]))
    def call(self, number: str | None) -> object:
        puppet = Puppet()
        channel = self.world.pbx.call_in(puppet, DID, number)
        if channel is None:
            return multiple()
        puppet.channels.append(channel)
        return puppet

    @rule(target=callers, queue=st.sampled_from("123"))
    def call_a_queue(self, queue: str) -> object:
        """Straight through the menus: language 1, then a department."""
        puppet = self.call(None)
        if isinstance(puppet, Puppet):
            for digits in ("1", queue):
                self.until(lambda: isinstance(puppet.asked_for, Collect) or not puppet.channels, 15.0)
                puppet.asked_for = None
                if puppet.channels:
                    self.world.pbx.press(puppet.channels[0], digits)
            self.world.run_until(self.world.agenda.now_s + 0.05)
        return puppet

    @rule(
        target=callers,
        queue=st.sampled_from("123"),
        agent=st.integers(0, AGENTS - 1),
        answer_s=st.sampled_from([0.0, 0.5, 3.99, 4.0]),
    )
    def talk(self, queue: str, agent: int, answer_s: float) -> object:
        """A call that is put through, if anybody is there to take it."""
        puppet = self.call_a_queue(queue)
        if isinstance(puppet, Puppet) and self.until(lambda: self.busy_agent(agent), 3.0):
            self.world.run_until(self.world.agenda.now_s + answer_s)
            answering = self.busy_agent(agent)
            if answering is not None:
                self.world.pbx.answer(answering.channels[0])
                self.world.run_until(self.world.agenda.now_s + 0.005)
        return puppet

    @rule(caller=callers, digits=st.text("0123456789*#", min_size=1, max_size=3))
    def caller_presses(self, caller: Puppet, digits: str) -> None:
        if caller.channels:
            self.world.pbx.press(caller.channels[0], digits)

    @rule(caller=callers)
    def caller_hangs_up(self, caller: Puppet) -> None:
        if caller.channels:
            self.world.pbx.hang_up(caller.channels[0])

    # --- agents -------------------------------------------------------------------------------------------------------
    @rule(
        agent=st.integers(0, AGENTS - 1), way=st.sampled_from(["answer", "answer", "answer", "decline", "hang_up", "lose_line"])
    )
    def phone(self, agent: int, way: str) -> None:
        puppet = self.busy_agent(agent)
        if puppet is not None:
            getattr(self.world.pbx, way)(puppet.channels[0])

    @rule(agent=st.integers(0, AGENTS - 1), is_held=st.booleans())
    def hold(self, agent: int, is_held: bool) -> None:
        puppet = self.busy_agent(agent)
        if puppet is not None:
            self.world.pbx.hold(puppet.channels[0], is_held)

    @rule(
        agent=st.integers(0, AGENTS - 1),
        code=st.sampled_from(["11", "12", "13", "131", "139", "14", "15", "16", "171", "17", "99", ""]),
    )
    def dial_feature(self, agent: int, code: str) -> None:
        _, puppet, phone = self.person(agent)
        self.world.pbx.dial_feature(puppet, self.world.pbx.phones[phone], code)

    @rule(
        agent=st.integers(0, AGENTS - 1),
        as_who=st.integers(0, AGENTS - 1),
        digits=st.text("0123456789#", min_size=1, max_size=5),
    )
    def agent_presses(self, agent: int, as_who: int, digits: str) -> None:
        """The right answer to a question about the account or the PIN half of the time."""
        puppet, who = self.busy_agent(agent), sorted(self.agents)[as_who]
        if puppet is None:
            return
        if len(digits) > 2 and isinstance(puppet.asked_for, CollectSecret):
            digits = SAMPLE.pins[who] + "#"
        elif len(digits) > 2 and puppet.channels[0].place is Place.FEATURE:
            digits = who + "#"
        self.world.pbx.press(puppet.channels[0], digits)

    @rule(agent=st.sampled_from(sorted(SAMPLE.settings.agents)), phone=st.integers(0, AGENTS - 1))
    def log_in(self, agent: AgentId, phone: int) -> None:
        own = sorted(SAMPLE.settings.phones)[(phone + list(self.agents).index(agent)) % AGENTS]
        self.ask(LoginRequested, agent=agent, phone=own)

    @rule(
        agent=st.sampled_from(sorted(SAMPLE.settings.agents)),
        what=st.sampled_from([LogoutRequested, PauseRequested, UnpauseRequested]),
    )
    def request(self, agent: AgentId, what: type) -> None:
        if what is PauseRequested:
            self.ask(what, agent=agent, reason=ReasonId("lunch"))
        else:
            self.ask(what, agent=agent)

    @rule(number=st.integers(1, 8))
    def hang_up_by_request(self, number: int) -> None:
        self.ask(HangUpRequested, interaction=InteractionId(number))

    @rule(agent=st.integers(0, AGENTS - 1), is_registered=st.booleans())
    def contact(self, agent: int, is_registered: bool) -> None:
        phone = self.world.pbx.phones[self.person(agent)[2]]
        if phone.is_registered != is_registered:
            self.world.pbx.set_registered(phone, is_registered)

    @rule(agent=st.integers(0, AGENTS - 1), is_in_own_call=st.booleans())
    def own_call(self, agent: int, is_in_own_call: bool) -> None:
        phone = self.world.pbx.phones[self.person(agent)[2]]
        if not phone.channels:
            self.world.pbx.set_own_call(phone, is_in_own_call)

    # --- time and mishaps ---------------------------------------------------------------------------------------------
    @rule(for_s=st.sampled_from([0.001, 0.003, 0.01, 0.05, 0.3, 1.0, 3.0, 5.0, 10.0, 30.0]))
    def time_passes(self, for_s: float) -> None:
        self.world.run_until(self.world.agenda.now_s + for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.2, 2.0, 15.0]))
    def link_breaks(self, for_s: float) -> None:
        self.mishaps += 1
        self.world.break_link(for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.1, 1.0, 10.0]))
    def daemon_is_killed(self, for_s: float) -> None:
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

    @invariant()
    def nobody_changes_agents_in_mid_call(self) -> None:
        if hasattr(self, "world"):
            assert self.world.pbx.steals == 0

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world, pbx = self.world, self.world.pbx
        world.wire.faults = NO_FAULTS
        for channel in list(pbx.channels.values()):
            pbx.hang_up(channel)
        world.run_until(world.agenda.now_s + QUIET_S)
        state = world.center.snapshot()
        assert not state.interactions, f"never ended: {list(state.interactions.values())}"
        assert not pbx.channels, f"left on the PBX: {list(pbx.channels.values())}"
        assert not state.legs, f"legs left: {list(state.legs.values())}"
        assert not state.sessions, f"sessions left: {list(state.sessions.values())}"
        assert not state.outstanding, f"commands left: {dict(state.outstanding)}"
        left = {key: due_s for key, due_s in state.deadlines.items() if key[0] not in BY_THE_CLOCK}
        assert not left, f"deadlines left: {left}"
        assert not world.books.faults
        for agent in state.agents.values():
            assert not agent.work, f"agent {agent.id} still works: {agent.work}"
            if agent.presence is Presence.READY and agent.phone is not None:
                shown, real = state.phones[agent.phone].state, pbx.phones[agent.phone].state()
                assert shown is real, f"{agent.phone} is {real.value}, the core has {shown.value}"


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)

"""Conferences of a talk that grow and shrink under chance: whoever has one asks others in, anybody leaves at any time, links break, the
daemon and the PBX are killed. After each step the state is sound, nobody is taken out of a talk, and at the end nothing is left.
"""

import os
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ccserver.core.commands import CollectNumber
from ccserver.core.events import HangUpRequested, LoginRequested, RecordingAct, RecordingRequested, UnpauseRequested
from ccserver.core.ids import InteractionId, PhoneId, RequestId
from ccserver.core.settings import Settings, Strategy
from ccserver.core.state import Interaction
from ccserver.core.transitions import InteractionState
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.day import verify
from ccserver.sim.full_sample import STRAIGHT_DID, full_center
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

AGENTS = 5
SAMPLE = full_center(AGENTS, Strategy.LONGEST_IDLE, wrap_up_s=5.0)
EXAMPLES = int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "60"))
FAULTY = Faults(lost_ratio=0.03, doubled_ratio=0.05, late_ratio=0.05, unanswered_ratio=0.03, action_timeout_s=2.0)
TARGETS = ("1000", "1001", "1002", "1003", "1004", "5550142", "5550143", "702", "5559999", "")
MISHAPS_MAX = 2
QUIET_S = 400.0


def brisk() -> Settings:
    """The sample with times that a story reaches, and nobody to be called back."""
    given = SAMPLE.settings
    queues = {
        name: replace(queue, ring_timeout_s=4.0, max_wait_s=None, max_talk_s=120.0, callback=None, survey=None)
        for name, queue in given.queues.items()
    }
    return replace(given, queues=queues, content_hash=given.content_hash + "-brisk")


class Puppet:
    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.asked_for: Asking | None = None

    def rings(self, channel: Channel) -> None:
        self.channels.append(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if channel not in self.channels:
            self.channels.append(channel)
        self.asked_for = verb

    def joined(self, channel: Channel) -> None: ...

    def parted(self, channel: Channel) -> None: ...

    def ended(self, channel: Channel) -> None:
        if channel in self.channels:
            self.channels.remove(channel)


class Story(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**16), faults=st.sampled_from([NO_FAULTS, NO_FAULTS, FAULTY]))
    def begin(self, seed: int, faults: Faults) -> None:
        self.world = World(brisk(), seed=seed, pins=SAMPLE.pins, faults=faults, watch=verify)
        self.strangers: list[Puppet] = []
        self.requests = self.mishaps = 0
        self.world.pbx.dialplan.outside = self.stranger
        phones = dict(zip(sorted(SAMPLE.settings.agents), sorted(SAMPLE.settings.phones), strict=False))
        self.agents = {agent: Puppet() for agent in phones}
        for agent, phone in phones.items():
            self.world.pbx.phones[phone].person = self.agents[agent]
        self.world.start()
        self.world.run_until(1.0)
        for agent, phone in phones.items():
            self.ask(LoginRequested, agent=agent, phone=phone)
            self.ask(UnpauseRequested, agent=agent)
        self.passes(0.5)
        self.a_conference()

    def stranger(self, to: PhoneId) -> Puppet | None:
        if "5559999" in to:
            return None
        self.strangers.append(Puppet())
        return self.strangers[-1]

    def ask(self, kind: type, **given: object) -> None:
        self.requests += 1
        self.world.post(kind(request=RequestId(self.requests), **given))

    def passes(self, seconds: float) -> None:
        self.world.run_until(self.world.agenda.now_s + seconds)

    def until(self, is_reached: Callable[[], object], at_most_s: float) -> bool:
        end_s = self.world.agenda.now_s + at_most_s
        while not is_reached() and self.world.agenda.now_s < end_s:
            self.passes(0.1)
        return bool(is_reached())

    def ringing(self) -> list[Channel]:
        everybody = [*self.agents.values(), *self.strangers]
        return [channel for puppet in everybody for channel in puppet.channels if not channel.is_up]

    def somebody_answers(self) -> None:
        if self.until(self.ringing, 3.0):
            self.world.pbx.answer(self.ringing()[0])
            self.passes(0.1)

    def talks(self) -> list[Interaction]:
        found = [it for it in self.world.center.snapshot().interactions.values() if it.kind != "consult"]
        return [it for it in found if it.state in (InteractionState.TALKING, InteractionState.HELD) and it.talk is not None]

    def channel_of(self, it: Interaction) -> Channel | None:
        """That of the agent who has it."""
        return self.world.pbx.channels.get(it.talk.leg) if it.talk is not None and it.talk.leg is not None else None

    def asks_for(self, channel: Channel, to: str, *, is_answered: bool) -> None:
        channel.person.asked_for = None  # type: ignore[attr-defined]
        self.world.pbx.press(channel, "*2")
        self.until(lambda: isinstance(channel.person.asked_for, CollectNumber) or channel.is_gone, 1.0)  # type: ignore[attr-defined]
        self.world.pbx.press(channel, to + "#")
        if is_answered:
            self.somebody_answers()

    # --- what people do -----------------------------------------------------------------------------------------------
    @rule()
    def a_conference(self) -> None:
        """A customer, an agent and somebody from outside, if nothing comes in between."""
        channel = self.world.pbx.call_in(Puppet(), STRAIGHT_DID, "+15550100")
        if channel is None:
            return
        self.somebody_answers()
        agents = [found for it in self.talks() if it.leg == channel.leg and (found := self.channel_of(it)) is not None]
        for agent in agents:
            self.asks_for(agent, "5550142", is_answered=True)
            self.world.pbx.press(agent, "*3")
            self.passes(0.5)

    @rule(
        number=st.integers(0, 3),
        to=st.sampled_from(TARGETS),
        is_answered=st.sampled_from([True, True, True, False]),
        after_s=st.sampled_from([0.0, 0.01, 1.0, 8.0]),
        then=st.sampled_from(["*3", "*3", "*3", "*1", "*9", "*0", "hang_up", "lose_line", ""]),
    )
    def asks_somebody_in(self, number: int, to: str, is_answered: bool, after_s: float, then: str) -> None:
        talks = self.talks()
        channel = self.channel_of(talks[number % len(talks)]) if talks else None
        if channel is None:
            return
        self.asks_for(channel, to, is_answered=is_answered)
        self.passes(after_s)
        if then.startswith("*"):
            self.world.pbx.press(channel, then)
        elif then and not channel.is_gone:
            getattr(self.world.pbx, then)(channel)

    @rule(number=st.integers(0, 9), way=st.sampled_from(["hang_up", "hang_up", "lose_line"]))
    def somebody_leaves(self, number: int, way: str) -> None:
        there = list(self.world.pbx.channels.values())
        if there:
            getattr(self.world.pbx, way)(there[number % len(there)])

    @rule(number=st.integers(0, 3), key=st.sampled_from(["*2", "*3", "*1", "*9", "*4", "*5", "*#5"]))
    def types(self, number: int, key: str) -> None:
        talks = self.talks()
        channel = self.channel_of(talks[number % len(talks)]) if talks else None
        if channel is not None:
            self.world.pbx.press(channel, key)

    @rule(number=st.integers(0, 3), act=st.sampled_from(RecordingAct))
    def recording(self, number: int, act: RecordingAct) -> None:
        talks = self.talks()
        if talks:
            self.ask(RecordingRequested, interaction=talks[number % len(talks)].id, act=act, by="eva")

    @rule(number=st.integers(1, 4))
    def hang_up_by_request(self, number: int) -> None:
        self.ask(HangUpRequested, interaction=InteractionId(number))

    # --- time and mishaps ---------------------------------------------------------------------------------------------
    @rule(for_s=st.sampled_from([0.001, 0.01, 0.3, 3.0, 12.0, 70.0]))
    def time_passes(self, for_s: float) -> None:
        self.passes(for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.2, 10.0]), what=st.sampled_from(["link", "daemon", "pbx"]))
    def breaks(self, for_s: float, what: str) -> None:
        self.mishaps += 1
        {"link": self.world.break_link, "daemon": self.world.kill, "pbx": self.world.crash_pbx}[what](for_s)
        self.passes(for_s + 5.001)

    @rule()
    def written_and_read(self) -> None:
        self.world.restore()

    @invariant()
    def nobody_is_taken_out_of_a_talk(self) -> None:
        if hasattr(self, "world"):
            assert self.world.pbx.steals == 0

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world, pbx = self.world, self.world.pbx
        world.wire.faults = NO_FAULTS
        for channel in list(pbx.channels.values()):
            pbx.hang_up(channel)
        self.passes(QUIET_S)
        state = world.center.snapshot()
        assert not any(agent.work for agent in state.agents.values())
        assert not state.interactions, f"never ended: {list(state.interactions.values())}"
        assert not pbx.channels and not state.legs and not state.sessions and not state.outstanding
        assert not world.books.faults


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)

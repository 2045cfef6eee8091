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
from rooms import with_rooms
from supervising import SPARE, Supervising

from ccserver.core.commands import Collect, CollectNumber, CollectSecret
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import CallerIdSettings, DialingSettings
from ccserver.core.dialer.terms import LineType
from ccserver.core.events import (
    CancelCallbackRequested,
    CloseQueueRequested,
    HangUpRequested,
    LoginRequested,
    LogoutRequested,
    MoveAgentRequested,
    MoveCallRequested,
    OpenQueueRequested,
    PauseRequested,
    PickRequested,
    PriorityRequested,
    UnpauseRequested,
)
from ccserver.core.ids import AgentId, InteractionId, PhoneId, ReasonId, RequestId
from ccserver.core.settings import DIRECT, CallbackRules, PhoneKind, Settings, Strategy
from ccserver.core.state import DeadlineKind, Presence
from ccserver.sim.channels import Asking, BridgeKind, Channel, Place
from ccserver.sim.day import verify
from ccserver.sim.full_sample import DIRECT_DID, MESSAGE_DID, STRAIGHT_DID, full_center
from ccserver.sim.sample import DID, SALES, SUPPORT
from ccserver.sim.wire import NO_FAULTS, Faults
from ccserver.sim.world import World

AGENTS = 3
STRATEGIES = (Strategy.LONGEST_IDLE, Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY, Strategy.TIERS)
SAMPLES = {strategy: full_center(AGENTS, strategy, wrap_up_s=5.0) for strategy in STRATEGIES}
SAMPLE = SAMPLES[Strategy.LONGEST_IDLE]
KEYS = ("*0", "*1", "*2", "*2", "*3", "*4", "*5", "*6", "*9", "*81#", "*", "1", "#")
TARGETS = ("1000", "1001", "1002", "701", "702", "2000", "5550142", "5559999", "900123", "", "*", "77")
EXAMPLES = int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "60")) * 2 // 3
FAULTY = Faults(lost_ratio=0.03, doubled_ratio=0.05, late_ratio=0.05, unanswered_ratio=0.03, action_timeout_s=2.0)
QUIET_S = 600.0
SOON = CallbackRules(offer_after_s=5.0, retry_after_s=20.0, keeps_s=120.0)
OUTSIDE = PhoneId("PJSIP/2002")
"""The phone at which a call is accepted by the key 1."""
BY_THE_CLOCK = (DeadlineKind.DAY, DeadlineKind.SHIFT, DeadlineKind.CLOSING)
"""What is due although nothing happens."""
MISHAPS_MAX = 3


def short_lived(given: Settings) -> Settings:
    """The sample with times that a story reaches."""
    queues = {
        name: replace(
            queue,
            ring_timeout_s=4.0,
            max_wait_s=40.0 if queue.max_wait_s else None,
            max_talk_s=60.0,
            max_waiting=3,
            wrap_up_max_s=10.0,
            callback=SOON if name != DIRECT else None,
        )
        for name, queue in given.queues.items()
    }
    phones = {**given.phones, OUTSIDE: replace(given.phones[OUTSIDE], kind=PhoneKind.EXTERNAL)}
    return replace(given, queues=queues, phones=phones, content_hash=given.content_hash + "-short")


def under_law(given: Settings) -> Settings:
    """With outbound calls: callbacks pass the law's gate."""
    rules = replace(PRESETS["us"].rules, window_binds=frozenset(), ring_min_s=0.0)
    shown = CallerIdSettings(line_type=LineType.FIXED, country="US", answers_back=True)
    law = DialingSettings(country="US", rules=rules, caller_ids={"+12125550100": shown})
    return replace(given, dialing=law, content_hash=given.content_hash + "-law")


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


class Story(Supervising, RuleBasedStateMachine):
    callers = Bundle("callers")

    @initialize(
        seed=st.integers(0, 2**16),
        faults=st.sampled_from([NO_FAULTS, NO_FAULTS, FAULTY]),
        strategy=st.sampled_from(STRATEGIES),
        has_law=st.booleans(),
    )
    def begin(self, seed: int, faults: Faults, strategy: Strategy, has_law: bool) -> None:
        sample = SAMPLES[strategy]
        given = under_law(short_lived(sample.settings)) if has_law else short_lived(sample.settings)
        self.world = World(with_rooms(given), seed=seed, pins=sample.pins, faults=faults, watch=verify)
        self.pins = sample.pins
        self.strangers: list[Puppet] = []
        self.world.pbx.dialplan.outside = self.stranger
        self.agents = {agent: Puppet() for agent in sorted(SAMPLE.settings.agents)}
        self.phones = dict(zip(self.agents, sorted(SAMPLE.settings.phones), strict=False))
        for agent, phone in self.phones.items():
            self.world.pbx.phones[phone].person = self.agents[agent]
        self.spare = self.world.pbx.phones[SPARE].person = Puppet()
        self.requests = 0
        self.mishaps = 0
        self.world.start()
        self.world.run_until(1.0)
        for agent in self.agents:
            self.log_in(agent, 0)

    def stranger(self, to: PhoneId) -> Puppet | None:
        """Somebody outside whom the center, or a phone, calls."""
        if "5559999" in to:
            return None
        self.strangers.append(Puppet())
        return self.strangers[-1]

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

    @rule(target=callers, did=st.sampled_from([DIRECT_DID, STRAIGHT_DID]))
    def call_straight(self, did: str) -> object:
        """To one agent, or to a queue, without a menu."""
        puppet = Puppet()
        channel = self.world.pbx.call_in(puppet, did, "+15550101")
        if channel is None:
            return multiple()
        puppet.channels.append(channel)
        return puppet

    @rule(caller=callers)
    def caller_wants_to_be_called_back(self, caller: Puppet) -> None:
        """The key, and the confirmation of the number."""
        if caller.channels:
            self.world.run_until(self.world.agenda.now_s + 6.0)
        for _ in range(2):
            if caller.channels:
                self.world.pbx.press(caller.channels[0], "1")
                self.world.run_until(self.world.agenda.now_s + 2.0)

    @rule(number=st.integers(0, 5), way=st.sampled_from(["answer", "answer", "hang_up", "decline"]))
    def stranger_acts(self, number: int, way: str) -> None:
        busy = [stranger for stranger in self.strangers if stranger.channels]
        if busy:
            getattr(self.world.pbx, way)(busy[number % len(busy)].channels[0])

    @rule(
        is_there=st.booleans(),
        talks_s=st.sampled_from([0.2, 5.0, 30.0]),
        then=st.sampled_from(["hang_up", "1", "9", ""]),
    )
    def leave_a_message(self, is_there: bool, talks_s: float, then: str) -> None:
        """Somebody speaks to nobody, and hangs up, presses a key, or waits; perhaps an agent is rung at once."""
        self.everybody(UnpauseRequested if is_there else PauseRequested)
        puppet = Puppet()
        channel = self.world.pbx.call_in(puppet, MESSAGE_DID, "+15550107")
        if channel is None:
            return
        puppet.channels.append(channel)
        self.world.run_until(self.world.agenda.now_s + 4.0 + talks_s)
        if then and not channel.is_gone:
            self.world.pbx.press(channel, then) if then != "hang_up" else self.world.pbx.hang_up(channel)
        self.world.run_until(self.world.agenda.now_s + 0.05)

    @rule(number=st.integers(0, AGENTS - 1), then=st.sampled_from(["1", "2", "2", "3", "hang_up", "lose_line", "", "wait"]))
    def a_message_is_heard(self, number: int, then: str) -> None:
        """Somebody leaves one, everybody is ready, and the first who is rung listens, and does something."""
        self.leave_a_message(True, 5.0, "hang_up")
        self.somebody_answers()
        heard = [(puppet, c) for puppet in self.agents.values() for c in puppet.channels if c.place is Place.DESK and c.is_up]
        if not heard:
            return
        _, channel = heard[number % len(heard)]
        self.world.run_until(self.world.agenda.now_s + (30.0 if then == "wait" else 2.5))
        if then.isdigit():
            self.world.pbx.press(channel, then)
            if then == "2":
                self.somebody_answers()
        elif then in ("hang_up", "lose_line") and not channel.is_gone:
            getattr(self.world.pbx, then)(channel)
        self.world.run_until(self.world.agenda.now_s + 0.05)

    # --- what takes several people and some seconds -------------------------------------------------------------------
    def in_talk(self, number: int) -> tuple[Puppet, Channel] | None:
        """One of the agents who talk."""
        talking = [
            (puppet, channel)
            for puppet in self.agents.values()
            for channel in puppet.channels
            if channel.is_ours and channel.bridge is not None and channel.bridge.kind is BridgeKind.TALK
        ]
        return talking[number % len(talking)] if talking else None

    def ringing(self) -> list[Channel]:
        everybody = [*self.agents.values(), *self.strangers, self.spare]
        return [channel for puppet in everybody for channel in puppet.channels if not channel.is_up]

    def somebody_answers(self) -> None:
        """The first phone that rings within three seconds; at one outside the call is accepted by the key."""
        if self.until(self.ringing, 3.0):
            channel = self.ringing()[0]
            self.world.pbx.answer(channel)
            self.world.run_until(self.world.agenda.now_s + 0.05)
            if channel.place is Place.DESK:
                self.world.pbx.press(channel, "1")
                self.world.run_until(self.world.agenda.now_s + 1.5)

    def everybody(self, what: type) -> None:
        for agent in self.agents:
            self.ask(what, agent=agent, **({"reason": ReasonId("lunch")} if what is PauseRequested else {}))

    @rule(target=callers)
    def a_talk(self) -> object:
        """Somebody calls, everybody is ready, and somebody answers."""
        self.everybody(UnpauseRequested)
        puppet = self.call_straight(STRAIGHT_DID)
        self.somebody_answers()
        return puppet

    @rule(
        number=st.integers(0, AGENTS - 1),
        key=st.sampled_from(["*1", "*2", "*2", "*2"]),
        to=st.sampled_from(["1000", "1001", "1002", "701", "702", "5550142", *TARGETS]),
        is_answered=st.sampled_from([True, True, True, False]),
        what=st.tuples(
            st.sampled_from([0.0, 0.01, 1.0, 8.0]),
            st.sampled_from(["*1", "*1", "*3", "*3", "*9", "*0", "hang_up", "lose_line", "customer", "colleague", ""]),
        ),
    )
    def hand_over(self, number: int, key: str, to: str, is_answered: bool, what: tuple[float, str]) -> None:
        """A colleague is asked, or gets the call; then the agent, the customer or the colleague does something."""
        found, pbx, (after_s, then) = self.in_talk(number), self.world.pbx, what
        if found is None:
            return
        puppet, channel = found
        assert channel.bridge is not None
        customer = channel.bridge.others(channel)[0]
        puppet.asked_for = None
        pbx.press(channel, key)
        self.until(lambda: isinstance(puppet.asked_for, CollectNumber) or channel.is_gone, 1.0)
        pbx.press(channel, to + "#")
        if is_answered:
            self.somebody_answers()
        self.world.run_until(self.world.agenda.now_s + after_s)
        colleague = channel.bridge.others(channel)[:1] if channel.bridge is not None else []
        if then in ("customer", "colleague"):
            for leg in [customer] if then == "customer" else colleague:
                pbx.hang_up(leg)
        elif then.startswith("*"):
            pbx.press(channel, then)
        elif then:
            getattr(pbx, then)(channel)
        self.world.run_until(self.world.agenda.now_s + 0.05)

    @rule(is_reached=st.booleans(), way=st.sampled_from(["answer", "decline", "hang_up"]))
    def called_back(self, is_reached: bool, way: str) -> None:
        """Nobody is ready; the caller asks to be called back; then somebody is."""
        self.everybody(PauseRequested)
        caller = self.call_straight(STRAIGHT_DID)
        if not isinstance(caller, Puppet):
            return
        self.caller_wants_to_be_called_back(caller)
        self.until(lambda: not caller.channels, 10.0)
        self.everybody(UnpauseRequested)
        self.somebody_answers()
        if is_reached:
            self.somebody_answers()
        else:
            self.stranger_acts(0, way)

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

    @rule(agent=st.integers(0, AGENTS - 1), key=st.sampled_from(KEYS), to=st.sampled_from(TARGETS))
    def key_in_a_talk(self, agent: int, key: str, to: str) -> None:
        """A key, and where a number is asked for then, a number."""
        puppet = self.busy_agent(agent)
        if puppet is None:
            return
        puppet.asked_for = None
        channel = puppet.channels[0]
        self.world.pbx.press(channel, key)
        if self.until(lambda: isinstance(puppet.asked_for, CollectNumber), 0.1):
            self.world.pbx.press(channel, to + "#")
            self.world.run_until(self.world.agenda.now_s + 0.05)

    @rule(agent=st.integers(0, AGENTS - 1), to=st.sampled_from(TARGETS))
    def phone_refers(self, agent: int, to: str) -> None:
        puppet = self.busy_agent(agent)
        if puppet is not None:
            self.world.pbx.refer(puppet.channels[0], to or "0")

    @rule(agent=st.integers(0, AGENTS - 1), to=st.sampled_from(TARGETS))
    def phone_calls(self, agent: int, to: str) -> None:
        """Beside a customer on hold, or from idle; also an emergency."""
        _, puppet, phone = self.person(agent)
        for channel in puppet.channels:
            self.world.pbx.hold(channel, True)
        channel = self.world.pbx.dial(puppet, self.world.pbx.phones[phone], to or "112")
        if channel is not None:
            puppet.channels.append(channel)

    @rule(agent=st.integers(0, AGENTS - 1))
    def phone_joins_both_its_calls(self, agent: int) -> None:
        puppet = self.busy_agent(agent)
        if puppet is not None and len(puppet.channels) > 1:
            self.world.pbx.refer_attended(puppet.channels[0], puppet.channels[1])

    @rule(agent=st.integers(0, AGENTS - 1))
    def headset_dials_in(self, agent: int) -> None:
        """The code, the account, the PIN, each when it is asked for."""
        name, puppet, phone = self.person(agent)
        channel = self.world.pbx.dial_feature(puppet, self.world.pbx.phones[phone], "18")
        for kind, digits in ((Collect, name), (CollectSecret, SAMPLE.pins[name])):
            if channel is not None and self.until(lambda kind=kind: isinstance(puppet.asked_for, kind), 10.0):
                self.world.pbx.press(channel, digits + "#")
                puppet.asked_for = None
        self.world.run_until(self.world.agenda.now_s + 0.1)

    @rule(agent=st.integers(0, AGENTS - 1), code=st.sampled_from(["12", "131", "14", "15", "16", "171", "99"]))
    def headset_types(self, agent: int, code: str) -> None:
        """On a line that waits, a `*` asks for the desk."""
        lines = [c for puppet in self.agents.values() for c in puppet.channels if c.is_kept and c.bridge is not None]
        lines = [c for c in lines if c.bridge is not None and c.bridge.kind is BridgeKind.HOLDING]
        if lines:
            line = lines[agent % len(lines)]
            self.world.pbx.press(line, "*")
            self.until(lambda: line.session is not None, 1.0)
            self.world.pbx.press(line, code + "#")

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

    @rule(
        what=st.sampled_from(
            [
                CancelCallbackRequested,
                CloseQueueRequested,
                MoveAgentRequested,
                MoveCallRequested,
                OpenQueueRequested,
                PickRequested,
                PriorityRequested,
            ]
        ),
        number=st.integers(1, 8),
        agent=st.sampled_from(sorted(SAMPLE.settings.agents)),
        queue=st.sampled_from([SALES, SUPPORT]),
        phone=st.sampled_from(sorted(SAMPLE.settings.phones)),
    )
    def supervisor(self, what: type, number: int, agent: AgentId, queue: str, phone: PhoneId) -> None:
        fields = {
            "interaction": InteractionId(number),
            "agent": agent,
            "queue": queue,
            "phone": phone,
            "priority": number,
            "prompt": None,
        }
        known = what.__dataclass_fields__  # type: ignore[attr-defined]
        self.ask(what, **{name: value for name, value in fields.items() if name in known})

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
        world.run_until(world.agenda.now_s + 5.0)
        for interaction in world.center.snapshot().interactions.values():
            if interaction.message is not None:
                # They wait for ever.
                self.ask(HangUpRequested, interaction=interaction.id)
        world.run_until(world.agenda.now_s + QUIET_S)
        for agent in world.center.snapshot().agents.values():
            assert not agent.work, f"agent {agent.id} still works: {agent.work}"
            if agent.presence is Presence.READY and agent.phone is not None:
                shown, real = world.center.snapshot().phones[agent.phone].state, pbx.phones[agent.phone].state()
                assert shown is real, f"{agent.phone} is {real.value}, the core has {shown.value}"
            self.ask(LogoutRequested, agent=agent.id)
        world.run_until(world.agenda.now_s + 1.0)
        state = world.center.snapshot()
        assert not state.interactions, f"never ended: {list(state.interactions.values())}"
        assert not pbx.channels, f"left on the PBX: {list(pbx.channels.values())}"
        assert not state.legs, f"legs left: {list(state.legs.values())}"
        assert not state.sessions, f"sessions left: {list(state.sessions.values())}"
        assert not state.outstanding, f"commands left: {dict(state.outstanding)}"
        assert not state.watches, f"supervisions left: {list(state.watches.values())}"
        assert not state.members, f"in a room: {list(state.members.values())}"
        left = {key: due_s for key, due_s in state.deadlines.items() if key[0] not in BY_THE_CLOCK}
        assert not left, f"deadlines left: {left}"
        assert not world.books.faults


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)

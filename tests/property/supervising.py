"""What supervisors do in a story made of chance: they hear talks by code and by request, change how, take over, stop; and go into rooms."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from rooms import ROOM_DID

from ccserver.core.commands import Collect, CollectSecret
from ccserver.core.events import (
    LoginRequested,
    MoveAgentRequested,
    PauseRequested,
    UnpauseRequested,
    WatchModeRequested,
    WatchRequested,
    WatchStopRequested,
)
from ccserver.core.ids import AgentId, PhoneId, QueueId, ReasonId, WatchId
from ccserver.core.settings import WatchMode
from ccserver.sim.channels import Channel, Place
from ccserver.sim.full_sample import STRAIGHT_DID

SUPERVISOR = AgentId("1000")
SPARE = PhoneId("PJSIP/2003")
"""A phone at which nobody is logged in at first."""
CODES = {"61": WatchMode.LISTEN, "62": WatchMode.WHISPER, "63": WatchMode.BARGE, "64": WatchMode.TAKE_OVER}
WHOM = st.sampled_from(["1001", "1002", "1001", "1002", "1000", "701", ""])
QUEUES = st.sampled_from([QueueId("sales"), QueueId("support")])
MODES = st.sampled_from(tuple(WatchMode))
PHONES = st.sampled_from([SPARE, SPARE, PhoneId("PJSIP/2000"), PhoneId("PJSIP/2002")])
KEYS = st.sampled_from(["4", "5", "6", "9", "9", "*", "1"])
THEN = st.sampled_from(
    ["customer", "agent", "supervisor", "line", "stop", "kill", "break_link", "4", "5", "6", "9", "9", "9", "9", "", ""]
)


class Supervising:
    """Rules for a story that has a world, agents who are puppets, and what `Story` has to ask and to wait."""

    world: Any
    pins: Any
    agents: Any
    supervisors: Any
    in_talk: Any
    until: Any
    ask: Any
    a_talk: Any
    somebody_answers: Any
    call_straight: Any
    person: Any

    def hearing(self) -> list[Channel]:
        """Legs of supervisors."""
        return [channel for channel in self.world.pbx.channels.values() if channel.is_supervisor]

    def dials(self, phone: PhoneId, code: str) -> Channel | None:
        """At a phone; where number and PIN are asked for, they are those of the supervisor."""
        world, desk = self.world, self.world.pbx.phones[phone]
        puppet = desk.person
        if puppet is None:
            return None
        puppet.asked_for = None
        channel: Channel | None = world.pbx.dial_feature(puppet, desk, code)
        for kind, digits in ((Collect, SUPERVISOR), (CollectSecret, self.pins[SUPERVISOR])):
            if channel is not None and phone == SPARE:
                self.until(lambda kind=kind: isinstance(puppet.asked_for, kind) or channel.is_gone, 1.0)
                if isinstance(puppet.asked_for, kind):
                    puppet.asked_for = None
                    world.pbx.press(channel, digits + "#")
        world.run_until(world.agenda.now_s + 0.5)
        return channel

    @rule(code=st.sampled_from([*CODES, "64", "65"]), whom=WHOM, phone=PHONES)
    def watches_by_code(self, code: str, whom: str, phone: PhoneId) -> None:
        self.dials(phone, code + ("701" if code == "65" else whom))

    @rule(mode=MODES, agent=st.sampled_from([AgentId("1001"), AgentId("1002"), AgentId("1000")]), phone=PHONES)
    def watches_by_request(self, mode: WatchMode, agent: AgentId, phone: PhoneId) -> None:
        self.ask(WatchRequested, phone=phone, mode=mode, agent=agent, by="eva")
        self.somebody_answers()

    @rule(mode=MODES, queue=QUEUES, phone=PHONES)
    def waits_for_the_next_call(self, mode: WatchMode, queue: QueueId, phone: PhoneId) -> None:
        self.ask(WatchRequested, phone=phone, mode=mode, queue=queue, by="eva")
        self.somebody_answers()
        self.a_talk()

    @rule(key=KEYS, number=st.integers(0, 3))
    def supervisor_types(self, key: str, number: int) -> None:
        there = self.hearing()
        if there:
            self.world.pbx.press(there[number % len(there)], key)
            self.world.run_until(self.world.agenda.now_s + 0.5)

    @rule(watch=st.integers(1, 4), mode=MODES)
    def changes_the_mode(self, watch: int, mode: WatchMode) -> None:
        self.ask(WatchModeRequested, watch=WatchId(watch), mode=mode, by="eva")

    @rule(watch=st.integers(1, 4))
    def stops(self, watch: int) -> None:
        self.ask(WatchStopRequested, watch=WatchId(watch), by="eva")

    @rule(
        by_code=st.booleans(),
        code=st.sampled_from(sorted(CODES)),
        after_s=st.sampled_from([0.001, 0.003, 0.02, 0.5, 5.0]),
        first=THEN,
        then=THEN,
    )
    def a_talk_is_heard(self, by_code: bool, code: str, after_s: float, first: str, then: str) -> None:
        """Two things happen in a short time."""
        channel = self.heard_talk(by_code, code)
        for what in (first, then):
            if channel is not None:
                self._happens(what, channel)
                self.world.run_until(self.world.agenda.now_s + after_s)

    @rule(by_code=st.booleans(), after_s=st.sampled_from([0.0, 0.002, 0.02, 0.3, 3.0]), then=THEN)
    def a_talk_is_taken_over(self, by_code: bool, after_s: float, then: str) -> None:
        """And something happens meanwhile, or soon after."""
        channel = self.heard_talk(by_code, "61")
        if channel is not None:
            self._happens("9", channel)
            self.until(lambda: not any(each.place is Place.SPY for each in self.hearing()), 0.5)
            self.world.run_until(self.world.agenda.now_s + after_s)
            self._happens(then, channel)
            self.world.run_until(self.world.agenda.now_s + 0.1)

    def heard_talk(self, by_code: bool, code: str) -> Channel | None:
        """Somebody calls and is answered, and the supervisor hears them: the agent's leg."""
        for what in (LoginRequested, MoveAgentRequested):
            self.ask(what, agent=SUPERVISOR, phone=SPARE)
        for agent in self.agents:
            if agent != SUPERVISOR:
                self.ask(UnpauseRequested, agent=agent)
        self.ask(PauseRequested, agent=SUPERVISOR, reason=ReasonId("lunch"))
        self.call_straight(STRAIGHT_DID)
        self.somebody_answers()
        found = self.in_talk(0)
        if found is None:
            return None
        channel: Channel = found[1]
        heard = next((name for name, puppet in self.agents.items() if channel in puppet.channels), SUPERVISOR)
        if by_code:
            self.dials(SPARE, code + heard)
        else:
            self.ask(WatchRequested, phone=SPARE, mode=CODES[code], agent=heard, by="eva")
            self.somebody_answers()
        self.until(lambda: any(each.place is Place.SPY for each in self.hearing()), 1.0)
        return channel

    def _happens(self, what: str, channel: Channel) -> None:
        world, there = self.world, self.hearing()
        if what.isdigit() and there:
            world.pbx.press(there[0], what)
        elif what in ("supervisor", "line") and there:
            (world.pbx.hang_up if what == "supervisor" else world.pbx.lose_line)(there[0])
        elif what == "customer" and channel.bridge is not None:
            world.pbx.hang_up(channel.bridge.others(channel)[0])
        elif what == "agent" and not channel.is_gone:
            world.pbx.hang_up(channel)
        elif what == "stop":
            self.ask(WatchStopRequested, watch=max(world.center.snapshot().watches, default=WatchId(0)), by="eva")
        elif what in ("kill", "break_link"):
            self._breaks(what)

    def _breaks(self, what: str) -> None:
        """Shortly, and as often as a story's mishaps are counted."""
        if self.mishaps < 3:  # type: ignore[has-type]
            self.mishaps += 1
            getattr(self.world, what)(0.2)

    # --- rooms --------------------------------------------------------------------------------------------------------
    @rule(agent=st.integers(0, 2), number=st.sampled_from(["700", "701"]), pin=st.sampled_from(["11", "99", "5"]))
    def goes_into_a_room(self, agent: int, number: str, pin: str) -> None:
        _, puppet, phone = self.person(agent)
        puppet.asked_for = None
        channel = self.world.pbx.dial_feature(puppet, self.world.pbx.phones[phone], f"60{number}")
        self._types_the_pin(puppet, channel, pin)

    @rule(pin=st.sampled_from(["11", "99", "5"]))
    def calls_into_a_room(self, pin: str) -> None:
        puppet = self.call_straight(ROOM_DID)
        if hasattr(puppet, "channels"):
            self._types_the_pin(puppet, puppet.channels[0], pin)

    def _types_the_pin(self, puppet: Any, channel: Channel | None, pin: str) -> None:
        if channel is not None and self.until(lambda: isinstance(puppet.asked_for, CollectSecret), 3.0):
            self.world.pbx.press(channel, pin + "#")
        self.world.run_until(self.world.agenda.now_s + 4.0)

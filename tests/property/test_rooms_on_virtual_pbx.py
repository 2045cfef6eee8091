"""Conferences with a number under chance: people come and go, moderators and operators act, links break, the daemon and the PBX are killed.

After each step the state is sound; when nothing has been broken for a while, the core knows exactly who is in which room; at the end
nothing is left.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from rooms import ROOM_DID, with_rooms

from ccserver.core.commands import CollectSecret
from ccserver.core.events import ConferenceAct, ConferenceCreated, ConferenceRequested, InvitationRequested, LoginRequested
from ccserver.core.ids import PromptId, RequestId, RoomId
from ccserver.core.settings import ConferenceSettings, NumberKind, Strategy
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.day import verify
from ccserver.sim.dialplan import ROOM_PREFIX
from ccserver.sim.full_sample import full_center
from ccserver.sim.wire import NO_FAULTS
from ccserver.sim.world import World

SAMPLE = full_center(3, Strategy.LONGEST_IDLE, wrap_up_s=5.0)
PHONES = sorted(SAMPLE.settings.phones)[:3]
SPARE = SAMPLE.settings.phones[sorted(SAMPLE.settings.phones)[3]].number
EXAMPLES = int(os.environ.get("CCSERVER_PROPERTY_EXAMPLES", "60")) // 2
MISHAPS_MAX = 3
SETTLED_S = 200.0
"""Several readings of the PBX."""


class Person:
    """Types what it was told to when a PIN is asked for."""

    def __init__(self, pin: str) -> None:
        self.pin = pin
        self.channels: list[Channel] = []
        self.world: World | None = None

    def rings(self, channel: Channel) -> None:
        self.channels.append(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if isinstance(verb, CollectSecret) and self.world is not None:
            self.world.agenda.after(0.5, self.world.pbx.press, channel, self.pin + "#")

    def joined(self, channel: Channel) -> None: ...

    def parted(self, channel: Channel) -> None: ...

    def ended(self, channel: Channel) -> None:
        if channel in self.channels:
            self.channels.remove(channel)


class Story(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.world = World(with_rooms(SAMPLE.settings), seed=seed, pins=SAMPLE.pins, faults=NO_FAULTS, watch=verify)
        self.people: list[Person] = []
        self.requests = self.mishaps = 0
        self.world.start()
        self.world.run_until(1.0)
        self.world.pbx.dialplan.outside = lambda _: self._person("")
        for phone in self.world.pbx.phones.values():
            phone.person = self._person("")
        for agent, phone_id in zip(sorted(SAMPLE.settings.agents), PHONES, strict=True):
            self.requests += 1
            self.world.post(LoginRequested(request=RequestId(self.requests), agent=agent, phone=phone_id))

    def _person(self, pin: str) -> Person:
        self.people.append(Person(pin))
        self.people[-1].world = self.world
        return self.people[-1]

    @rule(
        phone=st.sampled_from(PHONES),
        number=st.sampled_from(["700", "701", "702", "88"]),
        pin=st.sampled_from(["11", "99", "5", ""]),
    )
    def dials_in(self, phone: str, number: str, pin: str) -> None:
        person, desk = self._person(pin), self.world.pbx.phones[phone]
        channel = self.world.pbx.dial_feature(person, desk, f"60{number}")
        if channel is not None:
            person.channels.append(channel)
        self.world.run_until(self.world.agenda.now_s + 4.0)

    @rule(pin=st.sampled_from(["11", "11", "99", "5"]))
    def calls_in(self, pin: str) -> None:
        person = self._person(pin)
        channel = self.world.pbx.call_in(person, ROOM_DID, "+15550100")
        if channel is not None:
            person.channels.append(channel)
        self.world.run_until(self.world.agenda.now_s + 4.0)

    @rule(number=st.integers(0, 5))
    def hangs_up(self, number: int) -> None:
        there = [person.channels[0] for person in self.people if person.channels]
        if there:
            self.world.pbx.hang_up(there[number % len(there)])

    @rule(number=st.integers(0, 5), key=st.sampled_from(["*2", "*3", "*4", "*5", "*", "2"]))
    def types(self, number: int, key: str) -> None:
        there = [person.channels[0] for person in self.people if person.channels]
        if there:
            self.world.pbx.press(there[number % len(there)], key)

    @rule(
        room=st.sampled_from([RoomId("monday"), RoomId("open"), RoomId("room-88")]),
        act=st.sampled_from(ConferenceAct),
        member=st.sampled_from([None, 1, 2, 3]),
    )
    def asks(self, room: RoomId, act: ConferenceAct, member: int | None) -> None:
        self.requests += 1
        asked = ConferenceRequested(
            request=RequestId(self.requests), room=room, act=act, member=member, prompt=PromptId("cc-closed"), by="eva"
        )
        self.world.post(asked)

    @rule(
        room=st.sampled_from([RoomId("monday"), RoomId("open"), RoomId("room-88")]),
        who=st.sampled_from([*sorted(SAMPLE.settings.agents), SPARE, "5550142", "nobody"]),
    )
    def invites(self, room: RoomId, who: str) -> None:
        """An agent, a phone at which nobody is logged in, a number outside, or nobody."""
        self.requests += 1
        kind = NumberKind.MOBILE if who == "5550142" else NumberKind.INTERNAL
        self.world.post(
            InvitationRequested(request=RequestId(self.requests), room=room, who=who, number=f"+1{who}", kind=kind, by="eva")
        )
        self.world.run_until(self.world.agenda.now_s + 0.2)

    @rule(number=st.integers(0, 5), way=st.sampled_from(["answer", "answer", "decline"]))
    def picks_up(self, number: int, way: str) -> None:
        ringing = [channel for person in self.people for channel in person.channels if not channel.is_up]
        if ringing:
            getattr(self.world.pbx, way)(ringing[number % len(ringing)])
            self.world.run_until(self.world.agenda.now_s + 3.0)

    @rule()
    def creates(self) -> None:
        self.requests += 1
        config = ConferenceSettings(number="88")
        self.world.post(ConferenceCreated(request=RequestId(self.requests), room=RoomId("room-88"), config=config, by="eva"))

    @rule(for_s=st.sampled_from([0.001, 0.05, 1.0, 10.0]))
    def time_passes(self, for_s: float) -> None:
        self.world.run_until(self.world.agenda.now_s + for_s)

    @precondition(lambda self: self.mishaps < MISHAPS_MAX)
    @rule(for_s=st.sampled_from([0.2, 15.0]), what=st.sampled_from(["link", "daemon", "pbx"]))
    def breaks(self, for_s: float, what: str) -> None:
        self.mishaps += 1
        {"link": self.world.break_link, "daemon": self.world.kill, "pbx": self.world.crash_pbx}[what](for_s)
        self.world.run_until(self.world.agenda.now_s + for_s + 5.001)

    @rule()
    def written_and_read(self) -> None:
        self.world.restore()

    @rule()
    def the_core_knows_who_is_there(self) -> None:
        self.world.run_until(self.world.agenda.now_s + SETTLED_S)
        rooms, state = self.world.pbx.dialplan.rooms, self.world.center.snapshot()
        real = {
            (RoomId(name.removeprefix(ROOM_PREFIX)), channel.leg, channel.is_muted)
            for name, room in rooms.items()
            for channel in room.members
        }
        known = {(member.room, member.leg, member.is_muted) for member in state.members.values() if member.number}
        assert known == real
        assert {room.name for room in state.rooms.values() if room.members} == {room for room, _, _ in real}

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for channel in list(self.world.pbx.channels.values()):
            self.world.pbx.hang_up(channel)
        self.asks(RoomId("room-88"), ConferenceAct.END, None)
        self.world.run_until(self.world.agenda.now_s + SETTLED_S)
        state = self.world.center.snapshot()
        assert not self.world.pbx.channels and not state.legs and not state.members and not state.rooms
        assert not state.interactions and not state.own_calls and not self.world.books.faults


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)

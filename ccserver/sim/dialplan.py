"""Our dialplan on the virtual PBX: where legs go, who is bridged with whom, and what happens to a leg that comes out of a bridge.

A leg has at most one thing that it is about to do (`Channel.retry`): whoever sends it elsewhere takes that away. From the real
one: a second Bridge() takes the caller out of a live talk; a leg that was pulled out of an AGI session or a waiting place by
Bridge() goes on there afterwards; who is redirected leaves everything at once; the last one in a conference stays.
"""

from collections.abc import Callable, Mapping
from random import Random

from ccserver.core.commands import DialOut, EndSession, Next, Say
from ccserver.core.events import (
    CallArrived,
    CalleeTold,
    DeskOpened,
    DialEnd,
    Event,
    FeatureDialled,
    Heard,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegLeftBridge,
    LegMeasured,
    LegParked,
    OwnCallDialled,
    OwnDialEnded,
    PhoneStateChanged,
    RingEnded,
    RoomJoined,
    RoomLeft,
    TransferAsked,
    WrapUpOpened,
)
from ccserver.core.ids import AgentId, Language, LegId, PhoneId, RoomId, SessionId
from ccserver.core.records import PhoneState, Stream
from ccserver.core.settings import NumberKind, Settings, Spoken, SpokenKind
from ccserver.sim.agenda import Agenda
from ccserver.sim.channels import Bridge, BridgeKind, Channel, Person, Phone, Place, Unreached
from ccserver.sim.numbers import read_number
from ccserver.sim.sessions import VirtualAgi
from ccserver.sim.systems import VirtualSystems
from ccserver.sim.wire import Wire

ROOM_PREFIX = "ccroom-"
DIALPLAN_RETRY_S = 2.0
"""Music between two attempts to reach an absent daemon."""
RING_PHONE_S = 30.0
"""How long a phone's own call rings."""
AMD_S, AMD_TOTAL = (0.5, 5.0), 3
TOLD_S = (0.5, 4.0)
"""How long it may take to hear whether a human answered, and to say who called; the longest time is the fourth argument of AMD()."""
CUSTOMERS = (Place.INBOUND, Place.CALLEE)

PACKETS_PER_S, MEASURED_PACKETS_MIN = 50, 250

Opening = Callable[[SessionId], Event]
Outside = Callable[[PhoneId], Person | Unreached | None]
Ear = Callable[[Channel], Heard]


def nobody(_: PhoneId) -> Person | Unreached | None:
    """No number outside is anybody's."""
    return None


def a_human(_: Channel) -> Heard:
    """Everybody speaks like a human."""
    return Heard.HUMAN


class Dialplan:
    """`outside` finds who answers what Asterisk dials over the trunk; None: the number does not exist. `ear` is AMD()."""

    def __init__(
        self,
        settings: Settings,
        agenda: Agenda,
        chance: Random,
        wire: Wire,
        pins: Mapping[AgentId, str],
        *,
        systems: VirtualSystems,
        fallback_after_s: float,
    ) -> None:
        self._pbx = settings.pbx
        self._agenda = agenda
        self._chance = chance
        self._wire = wire
        self._fallback_after_s = fallback_after_s
        self.outside: Outside = nobody
        self.ear: Ear = a_human
        self.agi = VirtualAgi(
            agenda,
            chance,
            wire,
            pins,
            systems,
            on_end=self._after_session,
            on_answer=self.pick_up,
            on_left=self._left_alone,
        )
        self.phones = {
            phone: Phone(phone, number=given.number, kind=given.kind, shown=PhoneState.IDLE)
            for phone, given in settings.phones.items()
        }
        self.channels: dict[LegId, Channel] = {}
        self.names: dict[str, Channel] = {}
        self.rooms: dict[str, Bridge] = {}
        self.locked: set[str] = set()
        self._counter = 0
        self.talks_begun = 0
        self.steals = 0
        """How often a second Bridge() took somebody out of a live conversation: never, if the core is right."""
        self._openings: dict[Place, Callable[[Channel], Opening]] = {
            Place.INBOUND: _call_arrived,
            Place.CALLEE: _call_arrived,
            Place.FEATURE: _feature_dialled,
            Place.AGENT: _wrap_up_opened,
            Place.DESK: _desk_opened,
            Place.TRANSFER: _transfer_asked,
            Place.OWN: _own_call_dialled,
        }
        self._places: dict[Place, Callable[[Channel], None]] = {
            Place.AGENT: self._run_bridge,
            Place.CALLEE: self._meet_callee,
            Place.PARK: self._park,
            Place.CONFERENCE: self._confer,
            Place.SPY: self._spy,
            Place.ROOM: self._enter_room,
        }
        codes = settings.features
        self._supervisors_codes = (codes.listen, codes.whisper, codes.barge, codes.take_over, codes.listen_queue)

    # --- channels -----------------------------------------------------------------------------------------------------
    def new_channel(
        self, peer: str, place: Place, person: Person, phone: Phone | None = None, leg: LegId | None = None
    ) -> Channel:
        self._counter += 1
        leg = leg or LegId(self._pbx, f"{1_700_000_000 + int(self._agenda.now_s)}.{self._counter}")
        channel = Channel(leg, f"PJSIP/{peer}-{self._counter:08x}", place, person, phone)
        self.channels[leg] = channel
        self.names[channel.name] = channel
        if phone is not None:
            phone.channels.append(channel)
        return channel

    def pick_up(self, channel: Channel) -> None:
        if not channel.is_up:
            channel.is_up, channel.up_s = True, self._agenda.now_s
            self._wire.ami(LegAnswered(leg=channel.leg))
            self.phone_changed(channel.phone)

    def phone_changed(self, phone: Phone | None) -> None:
        if phone is None:
            return
        state: PhoneState = phone.state()
        if state is not phone.shown:
            phone.shown = state
            if state is not PhoneState.UNKNOWN:
                self._wire.ami(PhoneStateChanged(phone=phone.phone, state=state))

    def end(self, channel: Channel, cause: int, tech_cause: int = 0) -> None:
        """The channel ends, whoever wanted it; who was with it goes on."""
        if channel.is_gone:
            return
        self._forget(channel)
        self.agi.break_off(channel)
        left = self._out_of_bridge(channel)
        if channel.ring_command is not None and not channel.is_outcome_told:
            reason = 3 if cause == 19 else 0
            self.tell_soon(RingEnded(command=channel.ring_command, leg=channel.leg, is_ok=False, reason=reason))
        if channel.is_up and (channel.is_ours or channel.did):
            self._tell_quality(channel)
        told = (_dial_ended(channel, cause, self._agenda.now_s),) if channel.has_dialled_out else ()
        self.tell_soon(*told, LegEnded(leg=channel.leg, cause=cause, tech_cause=tech_cause))
        if channel.phone is not None:
            channel.phone.channels.remove(channel)
            self.phone_changed(channel.phone)
        channel.person.ended(channel)
        for other in left:
            self._go_on(other)
        for other in self.channels.values():
            if other.place is Place.SPY and other.spies == channel.name:
                self._spied_enough(other)
        partner, channel.partner = channel.partner, None
        if partner is not None:
            partner.partner = None
            self.end(partner, cause, tech_cause)

    def _tell_quality(self, channel: Channel) -> None:
        """What RTCP counted: here every line is a good one. A short leg tells nothing."""
        packets = int((self._agenda.now_s - channel.up_s) * PACKETS_PER_S)
        if packets >= MEASURED_PACKETS_MIN:
            stream = Stream(packets=packets, lost=0, jitter_ms=1.0)
            self.tell_soon(LegMeasured(leg=channel.leg, codec="ulaw", received=stream, sent=stream, rtt_ms=10.0))

    def vanish(self, channel: Channel) -> None:
        """Gone with the PBX: only the AGI socket tells."""
        self._forget(channel)
        self.agi.break_off(channel, is_crash=True)
        if channel.bridge is not None and channel.bridge.limit is not None:
            channel.bridge.limit.cancel()
        channel.bridge = channel.partner = None
        if channel.phone is not None:
            channel.phone.channels.remove(channel)
            channel.phone.shown = channel.phone.state()
        channel.person.ended(channel)

    def _forget(self, channel: Channel) -> None:
        channel.is_gone = True
        del self.channels[channel.leg]
        del self.names[channel.name]
        for entry in (channel.retry, channel.ring_timer):
            if entry is not None:
                entry.cancel()

    def tell_soon(self, *events: Event) -> None:
        """The end of a channel or of an action: Asterisk forgets a channel, and refuses actions on it, before it tells its end."""
        after_s = self._chance.uniform(0.0, 0.02)
        for event in events:
            self._agenda.after(after_s, self._wire.ami, event)

    # --- sessions -----------------------------------------------------------------------------------------------------
    def ask_daemon(self, channel: Channel) -> None:
        """AGI(${CCAGI}/...): a session if the daemon listens, else what the dialplan does alone."""
        channel.retry = None
        if channel.is_gone or channel.bridge is not None or channel.session is not None:
            return
        opening = self._openings[channel.place](channel)
        if channel.place is Place.TRANSFER:
            # The session goes on as the customer's, and after it comes the loop.
            channel.place = Place.INBOUND
        if self._wire.is_agi_open:
            channel.alone_since_s = None
            self.agi.open(channel, opening)
        else:
            self._without_daemon(channel)

    def _meet_callee(self, channel: Channel) -> None:
        """AMD() first, where it was ordered and has not heard them yet."""
        is_heard = channel.heard is not Heard.NOTHING
        if is_heard or not isinstance(channel.ring, DialOut) or not channel.ring.amd:
            self.ask_daemon(channel)
        else:
            longest_s = int(channel.ring.amd.split(",")[AMD_TOTAL]) / 1000.0
            after_s = min(self._chance.uniform(*AMD_S), longest_s)
            channel.retry = self._agenda.after(after_s, self._callee_heard, channel)

    def _callee_heard(self, channel: Channel) -> None:
        channel.heard = self.ear(channel)
        self.ask_daemon(channel)

    def _tell_callee(self, channel: Channel) -> None:
        """Nobody there: who called is played, and the call ends."""
        self._wire.ami(CalleeTold(leg=channel.leg))
        sound = channel.ring.fallback if isinstance(channel.ring, DialOut) else None
        if sound is not None:
            said = Say(session=SessionId(""), say=(Spoken(SpokenKind.PROMPT, sound),), language=Language(""))
            channel.person.asked(channel, said)
        channel.retry = self._agenda.after(self._chance.uniform(*TOLD_S), self.end, channel, 16)

    def daemon_died(self) -> None:
        """Every socket closes."""
        self.agi.forget_all()

    def _left_alone(self, channel: Channel) -> None:
        """Customers, and agents at the desk, wait in the dialplan; who was asked something else is hung up."""
        if channel.place is Place.INBOUND:
            # The daemon knew of the talk and kept the customer, who is no longer one who has talked.
            channel.has_talked = False
            self._later(channel, 0.01)
        elif channel.place in (Place.DESK, Place.CALLEE):
            self._later(channel, 0.01)
        else:
            self.end(channel, 16)

    def lose_session(self, channel: Channel) -> None:
        """One connection breaks, and the daemon is there: the loop brings the customer back."""
        if channel.session is not None and channel.place in CUSTOMERS:
            self.agi.lose(channel)

    def _without_daemon(self, channel: Channel) -> None:
        now_s = self._agenda.now_s
        if channel.place is Place.DESK:
            channel.alone_since_s = now_s if channel.alone_since_s is None else channel.alone_since_s
            if now_s - channel.alone_since_s >= self._fallback_after_s:
                self.end(channel, 16)
            else:
                self._later(channel, DIALPLAN_RETRY_S)
        elif channel.place is Place.OWN and read_number(channel.digits)[1] is NumberKind.INTERNAL:
            self._dial(channel, channel.digits)
        elif channel.place is Place.CALLEE:
            self._tell_callee(channel)
        elif channel.place is not Place.INBOUND or channel.has_talked:
            self.end(channel, 16)
        elif now_s - channel.first_entry_s >= self._fallback_after_s:
            self.end(channel, 34)
        else:
            channel.is_up = True
            self._later(channel, DIALPLAN_RETRY_S)

    def _later(self, channel: Channel, delay_s: float) -> None:
        """The one thing that the channel is about to do."""
        self._not_yet(channel)
        channel.retry = self._agenda.after(delay_s, self.arrive, channel)

    def _not_yet(self, channel: Channel) -> None:
        """What the channel was about to do, it does not."""
        if channel.retry is not None:
            channel.retry.cancel()
            channel.retry = None

    def _soon(self, channel: Channel) -> None:
        self._later(channel, self._chance.uniform(0.0005, 0.003))

    def _after_session(self, channel: Channel, ending: EndSession) -> None:
        """CC_NEXT was set and the session is over."""
        if ending.next is Next.EXTENSION and channel.place in CUSTOMERS:
            channel.place = Place.ELSEWHERE
            self._agenda.after(self._chance.uniform(5.0, 120.0), self.end, channel, 16)
        elif ending.next is Next.PARK and (channel.place is Place.FEATURE or channel.is_ours):
            if channel.place is Place.FEATURE:
                channel.is_ours = channel.is_kept = True
                channel.is_supervisor = channel.digits.startswith(self._supervisors_codes)
            channel.place = Place.PARK
            self._soon(channel)
        elif ending.next is Next.ROOM and ending.entry is not None:
            channel.place, channel.entry = Place.ROOM, ending.entry
            self._soon(channel)
        elif ending.next is Next.DIAL and channel.place is Place.OWN:
            self._dial(channel, ending.extension or channel.digits)
        else:
            self._agenda.after(self._chance.uniform(0.0005, 0.003), self.end, channel, ending.cause)

    # --- places -------------------------------------------------------------------------------------------------------
    def arrive(self, channel: Channel) -> None:
        """The channel is at its place in the dialplan and does what is to be done there."""
        channel.retry = None
        if not channel.is_gone and channel.bridge is None and channel.session is None:
            is_wrap_up = channel.place is Place.AGENT and not channel.caller_channel
            (self.ask_daemon if is_wrap_up else self._places.get(channel.place, self.ask_daemon))(channel)

    def send(self, *moves: tuple[Channel, Place]) -> None:
        """Redirect: out of everything, in one stroke, each to its place."""
        for channel, _ in moves:
            if channel.is_parking and self._chance.random() < 0.5:
                # It goes in all the same, and leaves when it finds that it was redirected.
                self._not_yet(channel)
                self._wait_alone(channel)
            channel.is_parking = False
        self._leave(*(channel for channel, _ in moves))
        for channel, place in moves:
            self.agi.break_off(channel)
            channel.place = place
            self._soon(channel)

    def _park(self, channel: Channel) -> None:
        """In silence, in a waiting place of its own. The core may be faster than the next line of the dialplan."""
        self._wire.ami(LegParked(leg=channel.leg))
        channel.is_parking = True
        channel.retry = self._agenda.after(self._chance.uniform(0.0, 0.002), self._wait_alone, channel)

    def _wait_alone(self, channel: Channel) -> None:
        channel.retry, channel.is_parking = None, False
        self._enter(self._new_bridge(BridgeKind.HOLDING), channel)

    def _spy(self, channel: Channel) -> None:
        """ChanSpy(): in no bridge, for as long as the other channel lives."""
        if channel.spies not in self.names:
            self._spied_enough(channel)

    def _spied_enough(self, channel: Channel) -> None:
        channel.spies, channel.place = "", Place.PARK
        self._soon(channel)

    def _confer(self, channel: Channel) -> None:
        room = self.rooms.get(channel.digits)
        if room is None:
            room = self.rooms[channel.digits] = self._new_bridge(BridgeKind.CONFERENCE)
        self._enter(room, channel)
        if len(room.members) > 1:
            channel.person.joined(channel)
        if len(room.members) == 2:
            room.members[0].person.joined(room.members[0])

    def _enter_room(self, channel: Channel) -> None:
        """A conference with a number. One that is locked, or full, lets only moderators in."""
        entry = channel.entry
        assert entry is not None
        name = f"{ROOM_PREFIX}{entry.room}"
        room = self.rooms.get(name)
        is_shut = room is not None and (name in self.locked or len(room.members) >= entry.max_members)
        if is_shut and not entry.is_moderator:
            self.end(channel, 16)
            return
        channel.digits = name
        self._confer(channel)
        self._wire.ami(
            RoomJoined(leg=channel.leg, channel=channel.name, room=entry.room, is_moderator=entry.is_moderator, is_muted=False)
        )

    def in_room(self, name: RoomId) -> list[Channel]:
        room = self.rooms.get(f"{ROOM_PREFIX}{name}")
        return [] if room is None else [*room.members]

    def kick(self, channel: Channel) -> None:
        """Out of the room; behind it the dialplan hangs up."""
        self._out_of_bridge(channel)
        self._agenda.after(self._chance.uniform(0.0005, 0.003), self.end, channel, 16)

    def _dial(self, channel: Channel, to: str) -> None:
        """Dial() of a phone's own call: a phone of ours, or somebody outside."""
        phone = next((phone for phone in self.phones.values() if phone.number == to), None)
        channel.has_dialled_out = phone is None
        person = phone.person if phone is not None else self.outside(PhoneId(f"PJSIP/{to}@trunk"))
        if isinstance(person, Unreached):
            self.end(channel, person.cause, person.tech_cause)
            return
        if person is None or (phone is not None and (not phone.is_registered or phone.channels)):
            self.end(channel, 17 if person is not None else 1)
            return
        called = self.new_channel("trunk" if phone is None else phone.phone.removeprefix("PJSIP/"), Place.CALLED, person, phone)
        called.partner, channel.partner = channel, called
        called.ring_timer = self._agenda.after(RING_PHONE_S, self.end, called, 19, 480)
        self.phone_changed(phone)
        person.rings(called)

    # --- bridges ------------------------------------------------------------------------------------------------------
    def _run_bridge(self, agent: Channel) -> None:
        """Bridge(${CC_CALLER}) in the dialplan of the agent's leg. No such channel: the leg ends, or waits again."""
        caller = self.names.get(agent.caller_channel)
        agent.caller_channel = ""
        if caller is not None and caller is not agent:
            self.join(caller, agent)
        elif agent.is_kept:
            agent.place = Place.PARK
            self._soon(agent)
        else:
            self._agenda.after(self._chance.uniform(0.001, 0.012), self.end, agent, 16)

    def join(self, caller: Channel, agent: Channel) -> None:
        """Both leave what they are in. An unfinished place of theirs waits until the talk is over."""
        for channel in (caller, agent):
            is_in_talk = channel.bridge is not None and channel.bridge.kind is BridgeKind.TALK
            # A supervisor takes over the talk that there was when it was ordered, and no later one.
            if is_in_talk and not (agent.is_supervisor and channel.joined_s < agent.ordered_s):
                self.steals += 1
            self._leave(channel)
            self.agi.break_off(channel)
            self._not_yet(channel)
        agent.is_supervisor = False
        bridge = self._new_bridge(BridgeKind.TALK)
        caller.joined_s = self._agenda.now_s
        caller.is_up = caller.has_talked = agent.has_talked = True
        self.talks_begun += 1
        if agent.max_talk_s:
            bridge.limit = self._agenda.after(agent.max_talk_s, self._limit_reached, bridge)
        self._enter(bridge, caller)
        self._enter(bridge, agent)
        caller.person.joined(caller)
        agent.person.joined(agent)

    def attended_transfer(self, first: Channel, second: Channel) -> tuple[Channel, Channel] | None:
        """REFER with Replaces: who talks on `first` goes to who talks on `second`. None: one of the two does not talk.

        The transferrer's legs stay without a bridge, for their end.
        """
        one, other = first.bridge, second.bridge
        if one is None or other is None or one is other or BridgeKind.TALK is not one.kind or BridgeKind.TALK is not other.kind:
            return None
        (transferee,), (target,) = one.others(first), other.others(second)
        self._out_of_bridge(first)
        other.members.remove(second)
        second.bridge = None
        transferee.is_held = False
        for channel in (first, second, target):
            channel.partner = None
        other.members.insert(0, transferee)
        transferee.bridge = other
        self._wire.ami(LegEnteredBridge(leg=transferee.leg, bridge=other.name))
        self._wire.ami(LegLeftBridge(leg=second.leg, bridge=other.name))
        return transferee, target

    def _new_bridge(self, kind: BridgeKind) -> Bridge:
        self._counter += 1
        return Bridge(f"bridge-{self._counter}", kind)

    def _enter(self, bridge: Bridge, channel: Channel) -> None:
        bridge.members.append(channel)
        channel.bridge = bridge
        self._wire.ami(LegEnteredBridge(leg=channel.leg, bridge=bridge.name))

    def _leave(self, *going: Channel) -> None:
        """They leave their bridges; who is then alone in a talk goes on in the dialplan."""
        for channel in going:
            for other in self._out_of_bridge(channel):
                if other not in going:
                    self._go_on(other)

    def _out_of_bridge(self, channel: Channel) -> list[Channel]:
        """Out of its bridge, with whoever cannot stay there without it: those are returned."""
        bridge = channel.bridge
        if bridge is None:
            return []
        is_talk = bridge.kind is BridgeKind.TALK
        leaving = [*bridge.members] if is_talk else [channel]
        if bridge.limit is not None:
            bridge.limit.cancel()
        for member in leaving:
            bridge.members.remove(member)
            member.bridge = None
            member.is_held = False
        told: list[Event] = [LegLeftBridge(leg=member.leg, bridge=bridge.name) for member in leaving]
        if bridge.kind is BridgeKind.CONFERENCE and channel.entry is not None and channel.place is Place.ROOM:
            channel.is_muted = False
            told.append(RoomLeft(leg=channel.leg, room=channel.entry.room))
        self._in_any_order(told)
        if bridge.kind is BridgeKind.CONFERENCE:
            self._left_conference(bridge)
        return [member for member in leaving if member is not channel]

    def _left_conference(self, room: Bridge) -> None:
        if len(room.members) == 1:
            room.members[0].person.parted(room.members[0])
        elif not room.members:
            self.rooms = {name: other for name, other in self.rooms.items() if other is not room}
            self.locked &= self.rooms.keys()

    def _limit_reached(self, bridge: Bridge) -> None:
        """The talk's longest time: both leave, the agent's leg goes on to the disposition, the caller to the loop."""
        members = [*bridge.members]
        if members:
            self._out_of_bridge(members[0])
        for channel in members:
            self._go_on(channel)

    def _go_on(self, channel: Channel) -> None:
        """A leg comes out of a bridge alive and goes on in the dialplan behind it."""
        if channel.is_gone:
            return
        channel.person.parted(channel)
        if channel.place in (Place.OWN, Place.CALLED):
            partner, channel.partner = channel.partner, None
            if partner is not None:
                partner.partner = None
            self._agenda.after(self._chance.uniform(0.0005, 0.003), self.end, channel, 16)
            return
        if channel.place is Place.CALLEE:
            channel.place = Place.INBOUND  # who has talked is a customer like any other
        if channel.place is Place.CONFERENCE:
            channel.place = Place.AGENT if channel.is_ours else Place.INBOUND
        if channel.place is Place.AGENT and channel.is_kept:
            channel.place = Place.PARK
        self._soon(channel)

    def _in_any_order(self, events: list[Event]) -> None:
        """Events whose order the real one does not promise."""
        if len(events) > 1 and self._chance.random() < 0.5:
            events.reverse()
        for event in events:
            self._wire.ami(event)


# --- what each place asks the daemon ----------------------------------------------------------------------------------
def _call_arrived(channel: Channel) -> Opening:
    return lambda session: CallArrived(
        session=session,
        leg=channel.leg,
        channel=channel.name,
        did=channel.did,
        caller_number=channel.number,
        number_as_given=channel.number or "",
        caller_name=channel.caller_name,
        heard=channel.heard if channel.place is Place.CALLEE else Heard.NOTHING,
    )


def _phone_of(channel: Channel) -> PhoneId | None:
    return None if channel.phone is None else channel.phone.phone


def _feature_dialled(channel: Channel) -> Opening:
    return lambda session: FeatureDialled(
        session=session, leg=channel.leg, channel=channel.name, phone=_phone_of(channel), digits=channel.digits
    )


def _wrap_up_opened(channel: Channel) -> Opening:
    return lambda session: WrapUpOpened(session=session, leg=channel.leg)


def _desk_opened(channel: Channel) -> Opening:
    return lambda session: DeskOpened(session=session, leg=channel.leg, channel=channel.name)


def _transfer_asked(channel: Channel) -> Opening:
    number, kind = read_number(channel.digits)
    return lambda session: TransferAsked(
        session=session, leg=channel.leg, channel=channel.name, to=channel.digits, number=number, kind=kind
    )


DIAL_ENDS = {0: DialEnd.CANCELLED, 1: DialEnd.UNAVAILABLE, 16: DialEnd.CANCELLED, 17: DialEnd.BUSY, 19: DialEnd.NO_ANSWER}
"""DIALSTATUS of a call that was not answered, by the cause with which it ended."""


def _dial_ended(channel: Channel, cause: int, now_s: float) -> OwnDialEnded:
    """What the hang-up handler of a phone's call outside tells. Asterisk counts whole seconds."""
    end = DialEnd.ANSWERED if channel.is_up else DIAL_ENDS.get(cause, DialEnd.CONGESTION)
    talk_s = float(int(now_s - channel.up_s)) if channel.is_up else 0.0
    return OwnDialEnded(leg=channel.leg, end=end, cause=cause, talk_s=talk_s)


def _own_call_dialled(channel: Channel) -> Opening:
    number, kind = read_number(channel.digits)
    return lambda session: OwnCallDialled(
        session=session,
        leg=channel.leg,
        channel=channel.name,
        phone=_phone_of(channel),
        to=channel.digits,
        number=number,
        kind=kind,
    )

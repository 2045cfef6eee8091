"""A virtual Asterisk: what our dialplan and AMI do on the real one, in virtual time, with the same freedom of order.

From the real one: an Originate for a phone without contact gives no channel, only its end; busy, declined and
unanswered differ in the cause of the hang-up and nowhere else; a second Bridge() takes the caller out of a live bridge; a
ChannelId in use fails the action and names the live channel; after a bridge the caller asks again over AGI, and an agent
whose caller left is kept for the disposition; a killed PBX says nothing at all.

Here is what people do and what befalls the PBX; where legs go is `dialplan`'s, what the core orders `ami`'s and `sessions`'.
"""

from collections.abc import Callable, Mapping
from random import Random

from ccserver.core.commands import ClaimLeads, Command, GiveBackLeads, LampState, Reply, Store, StoreAttempt, StoreAudit
from ccserver.core.events import (
    ChannelView,
    EmergencyDialled,
    Event,
    LegDigit,
    LegHeld,
    LegStranded,
    LegsTransferred,
    LegUnheld,
    LinkLost,
    LinkUp,
    OutcomeUnknown,
    PbxObserved,
    RoomView,
)
from ccserver.core.ids import AgentId, CommandId, LegId, PhoneId
from ccserver.core.settings import Settings
from ccserver.sim.agenda import Agenda
from ccserver.sim.ami import ACTIONS, VirtualAmi
from ccserver.sim.channels import BridgeKind, Channel, Person, Phone, Place
from ccserver.sim.dialplan import CUSTOMERS, ROOM_PREFIX, Dialplan
from ccserver.sim.numbers import EMERGENCY
from ccserver.sim.reading import read_channels, read_rooms
from ccserver.sim.systems import Outside, VirtualSystems
from ccserver.sim.wire import Wire

JOIN_S = 0.01

Listens = Callable[[LegId], bool]


class VirtualPbx:
    """People act by its methods; the core's commands come in by `perform`; the core hears of it over the wire.

    `listens_to` says of which legs the core wants the keys.
    """

    def __init__(
        self,
        settings: Settings,
        agenda: Agenda,
        chance: Random,
        wire: Wire,
        pins: Mapping[AgentId, str],
        *,
        systems: VirtualSystems,
        fallback_after_s: float = 600.0,
        listens_to: Listens = lambda leg: False,
    ) -> None:
        self.settings = settings
        self.name = settings.pbx
        self.agenda = agenda
        self._chance = chance
        self._wire = wire
        self._listens_to = listens_to
        self.dialplan = Dialplan(settings, agenda, chance, wire, pins, systems=systems, fallback_after_s=fallback_after_s)
        self.agi = self.dialplan.agi
        self._ami = VirtualAmi(agenda, chance, wire, self.dialplan)
        self._booted_s = agenda.now_s
        self.is_running = True

    @property
    def phones(self) -> dict[PhoneId, Phone]:
        return self.dialplan.phones

    @property
    def channels(self) -> dict[LegId, Channel]:
        return self.dialplan.channels

    @property
    def lamps(self) -> Mapping[str, LampState]:
        return self._ami.lamps

    @property
    def steals(self) -> int:
        return self.dialplan.steals

    @property
    def talks_begun(self) -> int:
        return self.dialplan.talks_begun

    # --- calls that people make ---------------------------------------------------------------------------------------
    def call_in(self, person: Person, did: str, number: str | None, name: str = "") -> Channel | None:
        """Somebody calls a number of ours from outside. None: the PBX is down."""
        if not self.is_running:
            return None
        channel = self.dialplan.new_channel("trunk", Place.INBOUND, person)
        channel.did, channel.number, channel.caller_name = did, number, name
        channel.first_entry_s = self.agenda.now_s
        self._enter_dialplan(channel)
        return channel

    def dial_feature(self, person: Person, phone: Phone, digits: str) -> Channel | None:
        """An agent dials `*digits`. None: the phone is on another call, or has no contact."""
        if phone.channels or not self._can_dial(phone):
            return None
        channel = self._dial(person, phone, Place.FEATURE, digits)
        self.dialplan.pick_up(channel)
        return channel

    def dial(self, person: Person, phone: Phone, number: str) -> Channel | None:
        """A phone calls an internal or outside number, beside calls that it holds. None: it cannot.

        An emergency number is put through without the daemon, who hears of it afterwards.
        """
        if not self._can_dial(phone) or any(not channel.is_held for channel in phone.channels):
            return None
        if number not in EMERGENCY:
            return self._dial(person, phone, Place.OWN, number)
        channel = self.dialplan.new_channel(phone.phone.removeprefix("PJSIP/"), Place.OWN, person, phone)
        self.dialplan.pick_up(channel)
        self._wire.ami(EmergencyDialled(leg=channel.leg, phone=phone.phone, to=number))
        return channel

    def _can_dial(self, phone: Phone) -> bool:
        return phone.is_registered and not phone.is_in_own_call and self.is_running

    def _dial(self, person: Person, phone: Phone, place: Place, digits: str) -> Channel:
        channel = self.dialplan.new_channel(phone.phone.removeprefix("PJSIP/"), place, person, phone)
        channel.digits = digits
        self.dialplan.phone_changed(phone)
        self._enter_dialplan(channel)
        return channel

    def _enter_dialplan(self, channel: Channel) -> None:
        channel.retry = self.agenda.after(self._chance.uniform(0.0005, 0.004), self.dialplan.arrive, channel)

    # --- what people do on a line -------------------------------------------------------------------------------------
    def press(self, channel: Channel, digits: str) -> None:
        """Into the session that is open, or else, from a bridge, to who listens to the leg."""
        for digit in digits:
            if channel.is_gone:
                return
            if channel.session is not None:
                self.agi.press(channel, digit)
            elif (channel.bridge is not None or channel.place is Place.SPY) and self._listens_to(channel.leg):
                self._wire.ami(LegDigit(leg=channel.leg, digit=digit))

    def answer(self, channel: Channel) -> None:
        """The phone is picked up; a few milliseconds later the dialplan goes on with the leg."""
        if channel.place is Place.CALLED and channel.partner is not None and not channel.is_up:
            if channel.ring_timer is not None:
                channel.ring_timer.cancel()
            self.dialplan.pick_up(channel)
            self.dialplan.pick_up(channel.partner)
            self.dialplan.join(channel.partner, channel)
        else:
            self._ami.answer(channel)

    def decline(self, channel: Channel) -> None:
        if not channel.is_up:
            self.dialplan.end(channel, 21, 603)

    def hang_up(self, channel: Channel) -> None:
        """The person behind the channel hangs up. A caller's cause is often 0 when the channel was in AGI.

        Asterisk may lose the BYE of a caller whom Bridge() is just pulling out of AGI: the leg stays until it is hung up.
        """
        is_just_joined = _talks(channel) and self.agenda.now_s - channel.joined_s < JOIN_S
        if is_just_joined and channel.place in CUSTOMERS and self._chance.random() < 0.5:
            self._wire.ami(LegStranded(leg=channel.leg))
            return
        self.dialplan.end(channel, 16 if channel.session is None or self._chance.random() < 0.5 else 0)

    def lose_line(self, channel: Channel) -> None:
        """The leg breaks: RTP time-out, network gone."""
        self.dialplan.end(channel, 44)

    def hold(self, channel: Channel, is_held: bool) -> None:
        if _talks(channel) and channel.is_held != is_held:
            channel.is_held = is_held
            self._wire.ami(LegHeld(leg=channel.leg) if is_held else LegUnheld(leg=channel.leg))

    def refer(self, channel: Channel, to: str) -> None:
        """The phone transfers the other party blindly: that one is sent to TRANSFER_CONTEXT.

        Asterisk takes the transferrer off hold, held or not. Some phones hang up then; others stay, in the dialplan behind the talk.
        """
        if not _talks(channel) or channel.bridge is None:
            return
        (transferee,) = channel.bridge.others(channel)
        transferee.digits, transferee.has_talked = to, False
        self._wire.ami(LegUnheld(leg=channel.leg))
        self.dialplan.send((transferee, Place.TRANSFER))
        if self._chance.random() < 0.5:
            self.agenda.after(self._chance.uniform(0.0, 0.02), self.dialplan.end, channel, 16)

    def refer_attended(self, first: Channel, second: Channel) -> None:
        """The phone joins who is on `first` with who is on `second`, which it had called; both its legs end."""
        moved = self.dialplan.attended_transfer(first, second)
        if moved is None:
            return
        transferee, target = moved
        self._wire.ami(
            LegsTransferred(
                transferrer=first.leg,
                second=second.leg,
                transferee=transferee.leg,
                target=target.leg,
                target_channel=target.name,
            )
        )
        for channel in (first, second):
            self.dialplan.end(channel, 16)

    def set_registered(self, phone: Phone, is_registered: bool) -> None:
        phone.is_registered = is_registered
        self.dialplan.phone_changed(phone)

    def set_own_call(self, phone: Phone, is_in_own_call: bool) -> None:
        phone.is_in_own_call = is_in_own_call
        self.dialplan.phone_changed(phone)

    # --- what befalls the PBX -----------------------------------------------------------------------------------------
    def lose_session(self, channel: Channel) -> None:
        """The AGI connection of a customer's channel breaks."""
        self.dialplan.lose_session(channel)

    def break_link(self) -> None:
        """AMI goes away; so do its events. Actions without an answer have an unknown outcome."""
        if not self._wire.is_link_up:
            return
        self._wire.break_link()
        unanswered = self._ami.forget_all()
        if self._wire.is_daemon_up:
            self._tell_daemon(LinkLost(pbx=self.name))
            for command in unanswered:
                self._tell_daemon(OutcomeUnknown(command=command))

    def mend_link(self) -> None:
        if self._wire.is_link_up or not self._wire.is_daemon_up or not self.is_running:
            return
        self._wire.mend_link()
        # Asterisk tells whole seconds.
        self._wire.ami(LinkUp(pbx=self.name, uptime_s=float(int(self.agenda.now_s - self._booted_s))))

    def crash(self) -> None:
        """kill -9 of Asterisk: every channel is gone, without a Hangup event; registrations and lamps are kept."""
        self.break_link()
        self.is_running = False
        for channel in list(self.channels.values()):
            self.dialplan.vanish(channel)
        self.dialplan.rooms.clear()
        self.dialplan.locked.clear()

    def boot(self) -> None:
        """Asterisk is up again; calls may come in before AMI is connected again."""
        self.is_running = True
        self._booted_s = self.agenda.now_s

    def daemon_died(self) -> None:
        """Every socket closes."""
        self._ami.forget_all()
        self._wire.end_daemon()
        self.dialplan.daemon_died()

    def daemon_started(self) -> None:
        self._wire.is_daemon_up = True

    def observe(self) -> None:
        """A reading of everything: the questions are answered one after the other, and events overtake the answers."""
        if not self._wire.is_link_up:
            return
        asked_at_s, epoch = self.agenda.now_s, self._wire.epoch
        self.agenda.after(self._chance.uniform(0.0005, 0.004), self._read_channels, asked_at_s, epoch)

    def _read_channels(self, asked_at_s: float, epoch: int) -> None:
        views = read_channels(self.channels.values())
        rooms = read_rooms(self.dialplan.rooms, self.dialplan.locked, ROOM_PREFIX)
        self.agenda.after(self._chance.uniform(0.001, 0.02), self._read_phones, asked_at_s, epoch, views, rooms)

    def _read_phones(self, asked_at_s: float, epoch: int, views: tuple[ChannelView, ...], rooms: tuple[RoomView, ...]) -> None:
        phones = {phone.phone: phone.state() for phone in self.phones.values()}
        reading = PbxObserved(pbx=self.name, asked_at_s=asked_at_s, channels=views, phones=phones, rooms=rooms)
        self._wire.reading(reading, epoch)

    # --- what the core commands ---------------------------------------------------------------------------------------
    def perform(self, command_id: CommandId, command: Command) -> None:
        if isinstance(command, Store | StoreAudit | Reply | Outside | ClaimLeads | GiveBackLeads | StoreAttempt):
            raise TypeError(f"{type(command).__name__} is no matter of the PBX")
        if isinstance(command, ACTIONS):
            self._ami.perform(command_id, command)
        else:
            self.agi.perform(command_id, command)

    def _tell_daemon(self, event: Event) -> None:
        """What the daemon's own edge knows without the PBX."""
        self._wire.own(event)


def _talks(channel: Channel) -> bool:
    return channel.bridge is not None and channel.bridge.kind is BridgeKind.TALK

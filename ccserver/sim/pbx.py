"""A virtual Asterisk: what our dialplan and AMI do on the real one, in virtual time, with the same freedom of order.

From the real one: an Originate for a phone without contact gives no channel, only its end; busy, declined and
unanswered differ in the cause of the hang-up and nowhere else; a second Bridge() takes the caller out of a live bridge; a
ChannelId in use fails the action and names the live channel; after a bridge the caller asks again over AGI, and an agent
whose caller left is kept for the disposition; a killed PBX says nothing at all.
"""

from collections.abc import Callable, Mapping
from random import Random

from ccserver.core.commands import Command, ConnectLegs, EndSession, HangUpLeg, Next, Reply, RingAgent, Store
from ccserver.core.events import (
    CallArrived,
    ChannelView,
    CommandDone,
    CommandFailed,
    Event,
    FeatureDialled,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegHeld,
    LegLeftBridge,
    LegRinging,
    LegStarted,
    LegStranded,
    LegUnheld,
    LinkLost,
    LinkUp,
    OutcomeUnknown,
    PbxObserved,
    PhoneStateChanged,
    RingEnded,
    WrapUpOpened,
)
from ccserver.core.ids import AgentId, CommandId, LegId
from ccserver.core.records import PhoneState
from ccserver.core.settings import Settings
from ccserver.sim.agenda import Agenda
from ccserver.sim.channels import Bridge, Channel, Person, Phone, Place
from ccserver.sim.reading import read_channels
from ccserver.sim.sessions import VirtualAgi
from ccserver.sim.wire import Wire

JOIN_S = 0.01
DIALPLAN_RETRY_S = 2.0
"""Music between two attempts to reach an absent daemon."""


class VirtualPbx:
    """People act by its methods; the core's commands come in by `perform`; the core hears of it over the wire."""

    def __init__(
        self,
        settings: Settings,
        agenda: Agenda,
        chance: Random,
        wire: Wire,
        pins: Mapping[AgentId, str],
        *,
        fallback_after_s: float = 600.0,
    ) -> None:
        self.settings = settings
        self.name = settings.pbx
        self.agenda = agenda
        self._chance = chance
        self._wire = wire
        self._fallback_after_s = fallback_after_s
        self.agi = VirtualAgi(agenda, chance, wire, pins, on_end=self._after_session, on_answer=self._pick_up)
        self.phones = {phone: Phone(phone) for phone in settings.phones}
        self.channels: dict[LegId, Channel] = {}
        self._names: dict[str, Channel] = {}
        self._booted_s = agenda.now_s
        self.is_running = True
        self._counter = 0
        self._under_way: dict[CommandId, bool] = {}
        self._actions: dict[type[Command], Callable[[CommandId, Command], None]] = {
            RingAgent: self._act,
            HangUpLeg: self._act,
            ConnectLegs: self._act,
        }
        self.talks_begun = 0
        self.steals = 0
        """How often a second Bridge() took a caller out of a live conversation: never, if the core is right."""

    # --- what people do -----------------------------------------------------------------------------------------------
    def call_in(self, person: Person, did: str, number: str | None, name: str = "") -> Channel | None:
        """Somebody calls a number of ours from outside. None: the PBX is down."""
        if not self.is_running:
            return None
        channel = self._new_channel("trunk", Place.INBOUND, person)
        channel.did, channel.number, channel.caller_name = did, number, name
        channel.first_entry_s = self.agenda.now_s
        self.agenda.after(self._chance.uniform(0.001, 0.004), self._ask_daemon, channel)
        return channel

    def dial_feature(self, person: Person, phone: Phone, digits: str) -> Channel | None:
        """An agent dials `*digits`. None: the phone is on another call, or has no contact."""
        if phone.channels or phone.is_in_own_call or not phone.is_registered or not self.is_running:
            return None
        channel = self._new_channel(phone.phone.removeprefix("PJSIP/"), Place.FEATURE, person, phone)
        channel.digits = digits
        self._phone_changed(phone)
        self._pick_up(channel)
        self.agenda.after(self._chance.uniform(0.0005, 0.004), self._ask_daemon, channel)
        return channel

    def press(self, channel: Channel, digits: str) -> None:
        if not channel.is_gone:
            for digit in digits:
                self.agi.press(channel, digit)

    def answer(self, channel: Channel) -> None:
        """The phone is picked up; a few milliseconds later the dialplan joins agent and caller."""
        if channel.is_gone or channel.is_up or channel.ring is None or channel.ring_command is None:
            return
        channel.is_up = True
        if channel.ring_timer is not None:
            channel.ring_timer.cancel()
        channel.is_outcome_told = True
        told = RingEnded(command=channel.ring_command, leg=channel.leg, is_ok=True, reason=4)
        if self._chance.random() < 0.5:
            self._wire.ami(told)
        else:
            # The action is answered on a thread of its own: the dialplan may have joined the two by then.
            self._tell_soon(told)
        self._wire.ami(LegAnswered(leg=channel.leg))
        if channel.phone is not None:
            self._phone_changed(channel.phone)
        self.agenda.after(self._chance.uniform(0.001, 0.012), self._run_bridge, channel)

    def decline(self, channel: Channel) -> None:
        if not channel.is_up:
            self._end(channel, 21, 603)

    def hang_up(self, channel: Channel) -> None:
        """The person behind the channel hangs up. A caller's cause is often 0 when the channel was in AGI.

        Asterisk may lose the BYE of a caller whom Bridge() is just pulling out of AGI: the leg stays until it is hung up.
        """
        is_just_joined = channel.bridge is not None and self.agenda.now_s - channel.joined_s < JOIN_S
        if is_just_joined and channel.place is Place.INBOUND and self._chance.random() < 0.5:
            self._wire.ami(LegStranded(leg=channel.leg))
            return
        self._end(channel, 16 if channel.session is None or self._chance.random() < 0.5 else 0)

    def lose_line(self, channel: Channel) -> None:
        """The leg breaks: RTP time-out, network gone."""
        self._end(channel, 44)

    def hold(self, channel: Channel, is_held: bool) -> None:
        if channel.bridge is not None and channel.is_held != is_held:
            channel.is_held = is_held
            self._wire.ami(LegHeld(leg=channel.leg) if is_held else LegUnheld(leg=channel.leg))

    def set_registered(self, phone: Phone, is_registered: bool) -> None:
        phone.is_registered = is_registered
        self._phone_changed(phone)

    def set_own_call(self, phone: Phone, is_in_own_call: bool) -> None:
        phone.is_in_own_call = is_in_own_call
        self._phone_changed(phone)

    # --- what befalls the PBX -----------------------------------------------------------------------------------------
    def break_link(self) -> None:
        """AMI goes away; so do its events. Actions without an answer have an unknown outcome."""
        if not self._wire.is_link_up:
            return
        self._wire.break_link()
        unanswered, self._under_way = self._under_way, {}
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
        """kill -9 of Asterisk: every channel is gone, without a Hangup event; registrations are kept."""
        self.break_link()
        self.is_running = False
        for channel in list(self.channels.values()):
            self._vanish(channel)

    def boot(self) -> None:
        """Asterisk is up again; calls may come in before AMI is connected again."""
        self.is_running = True
        self._booted_s = self.agenda.now_s

    def daemon_died(self) -> None:
        """Every socket closes. Callers wait in the dialplan, agents who were asked something are hung up."""
        self._under_way.clear()
        self._wire.end_daemon()
        for channel in self.agi.forget_all():
            if channel.place is Place.INBOUND:
                self._retry(channel, 0.01)
            else:
                self._end(channel, 16)

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
        self.agenda.after(self._chance.uniform(0.001, 0.02), self._read_phones, asked_at_s, epoch, views)

    def _read_phones(self, asked_at_s: float, epoch: int, views: tuple[ChannelView, ...]) -> None:
        phones = {phone.phone: phone.state() for phone in self.phones.values()}
        reading = PbxObserved(pbx=self.name, asked_at_s=asked_at_s, channels=views, phones=phones)
        self._wire.reading(reading, epoch)

    # --- what the core commands ---------------------------------------------------------------------------------------
    def perform(self, command_id: CommandId, command: Command) -> None:
        if isinstance(command, Store | Reply):
            raise TypeError(f"{type(command).__name__} is no matter of the PBX")
        action = self._actions.get(type(command))
        if action is None:
            self.agi.perform(command_id, command)  # type: ignore[arg-type]
        else:
            action(command_id, command)

    def _act(self, command_id: CommandId, command: Command) -> None:
        """Send an AMI action. Without a link nothing is sent, which is known at once."""
        if not self._wire.is_link_up:
            self._tell_daemon(CommandFailed(command=command_id, reason="no link to the PBX"))
            return
        self._under_way[command_id] = True
        sent_s = self._chance.uniform(0.0003, 0.0015)
        faults, epoch = self._wire.faults, self._wire.epoch
        if faults.unanswered_ratio and self._chance.random() < faults.unanswered_ratio:
            self.agenda.after(faults.action_timeout_s, self._give_up, command_id, epoch)
            if self._chance.random() < 0.5:
                self.agenda.after(sent_s, self._execute, command_id, command, False)
            return
        self.agenda.after(sent_s, self._execute, command_id, command, True)

    def _give_up(self, command_id: CommandId, epoch: int) -> None:
        if self._under_way.pop(command_id, False) and epoch == self._wire.epoch:
            self._tell_daemon(OutcomeUnknown(command=command_id))

    def _answer_action(self, command_id: CommandId, is_told: bool, refusal: str = "") -> None:
        if not is_told or not self._under_way.pop(command_id, False):
            return
        self._wire.ami(CommandFailed(command=command_id, reason=refusal) if refusal else CommandDone(command=command_id))

    def _execute(self, command_id: CommandId, command: Command, is_told: bool) -> None:
        if isinstance(command, RingAgent):
            self._answer_action(command_id, is_told)
            self._originate(command_id, command)
        elif isinstance(command, HangUpLeg):
            channel = self.channels.get(command.leg)
            self._answer_action(command_id, is_told, "" if channel else "No such channel")
            if channel is not None:
                self._end(channel, command.cause)
        elif isinstance(command, ConnectLegs):
            caller, agent = self._names.get(command.caller_channel), self._names.get(command.agent_channel)
            is_possible = caller is not None and agent is not None
            self._answer_action(command_id, is_told, "" if is_possible else "Channel does not exist")
            if caller is not None and agent is not None:
                self._join(caller, agent)

    def _originate(self, command_id: CommandId, ring: RingAgent) -> None:
        phone = self.phones.get(ring.phone)
        if ring.leg in self.channels or phone is None or not phone.is_registered:
            self._wire.ami(RingEnded(command=command_id, leg=ring.leg, is_ok=False, reason=0))
            return
        assert phone.person is not None, f"nobody sits at {phone.phone}"
        channel = self._new_channel(phone.phone.removeprefix("PJSIP/"), Place.AGENT, phone.person, phone, ring.leg)
        channel.ring, channel.ring_command = ring, command_id
        self._wire.ami(LegStarted(leg=ring.leg, channel=channel.name))
        if phone.is_in_own_call or phone.is_refusing or len(phone.channels) > 1:
            self.agenda.after(self._chance.uniform(0.003, 0.02), self._end, channel, 17, 486)
            return
        channel.ring_timer = self.agenda.after(ring.ring_timeout_s, self._end, channel, 19, 480)
        self.agenda.after(self._chance.uniform(0.003, 0.03), self._ring, channel)

    def _ring(self, channel: Channel) -> None:
        if channel.is_gone or channel.is_up or channel.ring is None:
            return
        self._wire.ami(LegRinging(leg=channel.leg))
        if channel.phone is not None:
            self._phone_changed(channel.phone)
        channel.person.rings(channel)
        if channel.ring.auto_answer:
            self.agenda.after(0.01, self.answer, channel)

    # --- the dialplan -------------------------------------------------------------------------------------------------
    def _ask_daemon(self, channel: Channel) -> None:
        """AGI(${CCAGI}/...): a session if the daemon listens, else what the dialplan does alone."""
        channel.retry = None
        if channel.is_gone or channel.bridge is not None or channel.session is not None:
            return
        if not self._wire.is_agi_open:
            self._without_daemon(channel)
        elif channel.place is Place.INBOUND:
            self.agi.open(
                channel,
                lambda session: CallArrived(
                    session=session,
                    leg=channel.leg,
                    channel=channel.name,
                    did=channel.did,
                    caller_number=channel.number,
                    number_as_given=channel.number or "",
                    caller_name=channel.caller_name,
                ),
            )
        elif channel.place is Place.FEATURE:
            assert channel.phone is not None
            phone = channel.phone.phone
            self.agi.open(
                channel,
                lambda session: FeatureDialled(
                    session=session, leg=channel.leg, channel=channel.name, phone=phone, digits=channel.digits
                ),
            )
        elif channel.place is Place.AGENT:
            self.agi.open(channel, lambda session: WrapUpOpened(session=session, leg=channel.leg))

    def _without_daemon(self, channel: Channel) -> None:
        if channel.place is not Place.INBOUND or channel.has_talked:
            self._end(channel, 16)
        elif self.agenda.now_s - channel.first_entry_s >= self._fallback_after_s:
            self._end(channel, 34)
        else:
            channel.is_up = True
            self._retry(channel, DIALPLAN_RETRY_S)

    def _retry(self, channel: Channel, delay_s: float) -> None:
        channel.retry = self.agenda.after(delay_s, self._ask_daemon, channel)

    def _after_session(self, channel: Channel, ending: EndSession) -> None:
        """CC_NEXT was set and the session is over."""
        if ending.next is Next.EXTENSION and channel.place is Place.INBOUND:
            channel.place = Place.ELSEWHERE
            self.agenda.after(self._chance.uniform(5.0, 120.0), self._end, channel, 16)
        else:
            self.agenda.after(self._chance.uniform(0.0005, 0.003), self._end, channel, ending.cause)

    def _pick_up(self, channel: Channel) -> None:
        if not channel.is_up:
            channel.is_up = True
            self._wire.ami(LegAnswered(leg=channel.leg))

    def _run_bridge(self, agent: Channel) -> None:
        """Bridge(${CC_CALLER}) in the dialplan of the agent's leg. No such channel: the leg ends."""
        if agent.is_gone or agent.ring is None:
            return
        caller = self._names.get(agent.ring.caller_channel)
        if caller is None:
            self.agenda.after(self._chance.uniform(0.001, 0.012), self._end, agent, 16)
        else:
            self._join(caller, agent)

    def _join(self, caller: Channel, agent: Channel) -> None:
        for channel in (caller, agent):
            if channel.bridge is not None:
                self.steals += 1
                self._part(channel.bridge, stays_in_dialplan=channel.bridge.other(channel))
            self.agi.break_off(channel)
            if channel.retry is not None:
                channel.retry.cancel()
        self._counter += 1
        bridge = Bridge(f"bridge-{self._counter}", caller, agent)
        caller.bridge = agent.bridge = bridge
        caller.joined_s = self.agenda.now_s
        caller.is_up = caller.has_talked = agent.has_talked = True
        self.talks_begun += 1
        if agent.ring is not None and agent.ring.max_talk_s:
            bridge.limit = self.agenda.after(agent.ring.max_talk_s, self._limit_reached, bridge)
        self._wire.ami(LegEnteredBridge(leg=caller.leg, bridge=bridge.name))
        self._wire.ami(LegEnteredBridge(leg=agent.leg, bridge=bridge.name))
        caller.person.joined(caller)
        agent.person.joined(agent)

    def _limit_reached(self, bridge: Bridge) -> None:
        """The talk's longest time: both leave, the agent's leg goes on to the disposition, the caller to the loop."""
        if bridge.caller.bridge is bridge:
            self._part(bridge)
            self._go_on(bridge.caller)
            self._go_on(bridge.agent)

    def _part(self, bridge: Bridge, *, stays_in_dialplan: Channel | None = None) -> None:
        """Both leave the bridge. `stays_in_dialplan` goes on after its Bridge() at once."""
        if bridge.limit is not None:
            bridge.limit.cancel()
        bridge.caller.bridge = bridge.agent.bridge = None
        bridge.agent.is_held = bridge.caller.is_held = False
        self._in_any_order(
            LegLeftBridge(leg=bridge.caller.leg, bridge=bridge.name), LegLeftBridge(leg=bridge.agent.leg, bridge=bridge.name)
        )
        if stays_in_dialplan is not None:
            self._go_on(stays_in_dialplan)

    def _go_on(self, channel: Channel) -> None:
        """A leg comes out of a bridge alive: both kinds ask the daemon, at once."""
        if not channel.is_gone:
            channel.person.parted(channel)
            self.agenda.after(self._chance.uniform(0.0005, 0.003), self._ask_daemon, channel)

    # --- channels -----------------------------------------------------------------------------------------------------
    def _new_channel(
        self, peer: str, place: Place, person: Person, phone: Phone | None = None, leg: LegId | None = None
    ) -> Channel:
        self._counter += 1
        leg = leg or LegId(self.name, f"{1_700_000_000 + int(self.agenda.now_s)}.{self._counter}")
        channel = Channel(leg, f"PJSIP/{peer}-{self._counter:08x}", place, person, phone)
        self.channels[leg] = channel
        self._names[channel.name] = channel
        if phone is not None:
            phone.channels.append(channel)
        return channel

    def _forget(self, channel: Channel) -> None:
        channel.is_gone = True
        del self.channels[channel.leg]
        del self._names[channel.name]
        for entry in (channel.retry, channel.ring_timer):
            if entry is not None:
                entry.cancel()

    def _end(self, channel: Channel, cause: int, tech_cause: int = 0) -> None:
        """The channel ends, whoever wanted it; who was with it goes on."""
        if channel.is_gone:
            return
        self._forget(channel)
        self.agi.break_off(channel)
        bridge = channel.bridge
        if bridge is not None:
            self._part(bridge)
        ended = LegEnded(leg=channel.leg, cause=cause, tech_cause=tech_cause)
        if channel.ring_command is not None and not channel.is_outcome_told:
            reason = 3 if cause == 19 else 0
            told = RingEnded(command=channel.ring_command, leg=channel.leg, is_ok=False, reason=reason)
            self._tell_soon(told)
        self._tell_soon(ended)
        if channel.phone is not None:
            channel.phone.channels.remove(channel)
            self._phone_changed(channel.phone)
        channel.person.ended(channel)
        if bridge is not None:
            self._go_on(bridge.other(channel))

    def _vanish(self, channel: Channel) -> None:
        """Gone with the PBX: only the AGI socket tells."""
        self._forget(channel)
        self.agi.break_off(channel)
        if channel.bridge is not None and channel.bridge.limit is not None:
            channel.bridge.limit.cancel()
        channel.bridge = None
        if channel.phone is not None:
            channel.phone.channels.remove(channel)
            channel.phone.shown = channel.phone.state()
        channel.person.ended(channel)

    def _phone_changed(self, phone: Phone) -> None:
        state: PhoneState = phone.state()
        if state is not phone.shown:
            phone.shown = state
            self._wire.ami(PhoneStateChanged(phone=phone.phone, state=state))

    def _tell_soon(self, event: Event) -> None:
        """The end of a channel or of an action: Asterisk forgets a channel, and refuses actions on it, before it tells its end."""
        self.agenda.after(self._chance.uniform(0.0, 0.02), self._wire.ami, event)

    def _in_any_order(self, one: Event, other: Event) -> None:
        """Two events whose order the real one does not promise."""
        first, second = (one, other) if self._chance.random() < 0.5 else (other, one)
        self._wire.ami(first)
        self._wire.ami(second)

    def _tell_daemon(self, event: Event) -> None:
        """What the daemon's own edge knows without the PBX."""
        self._wire.own(event)

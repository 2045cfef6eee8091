"""The AMI side of the virtual PBX: actions that are sent, answered or not, and carried out."""

from collections.abc import Callable
from random import Random

from ccserver.core import commands as c
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    LegAnswered,
    LegRinging,
    LegStarted,
    OutcomeUnknown,
    RingEnded,
    RoomLocked,
    RoomMuted,
)
from ccserver.core.ids import CommandId, InteractionId
from ccserver.sim.agenda import Agenda
from ccserver.sim.channels import Channel, Place, Unreached
from ccserver.sim.dialplan import ROOM_PREFIX, Dialplan
from ccserver.sim.wire import Wire

PLACES = {
    c.Place.JOIN: Place.AGENT,
    c.Place.PARK: Place.PARK,
    c.Place.DESK: Place.DESK,
    c.Place.LOOP: Place.INBOUND,
    c.Place.CALLEE: Place.CALLEE,
    c.Place.CONFERENCE: Place.CONFERENCE,
}
CUSTOMERS = (c.Place.LOOP, c.Place.CALLEE)

Originate = c.RingAgent | c.DialOut
Action = (
    c.RingAgent
    | c.DialOut
    | c.RingSupervisor
    | c.JoinLeg
    | c.SpyLeg
    | c.SpeakInTalk
    | c.RedirectLegs
    | c.HangUpLeg
    | c.ControlRecording
    | c.ControlRoom
    | c.SetLamp
)
ACTIONS = (
    c.RingAgent,
    c.DialOut,
    c.RingSupervisor,
    c.JoinLeg,
    c.SpyLeg,
    c.SpeakInTalk,
    c.RedirectLegs,
    c.HangUpLeg,
    c.ControlRecording,
    c.ControlRoom,
    c.SetLamp,
)
UNANSWERED = (c.ControlRecording, c.ControlRoom, c.SetLamp, c.SpeakInTalk)
"""Commands without an end."""


class VirtualAmi:
    """`lamps` are the Custom device states: Asterisk keeps them in its database, through any death."""

    def __init__(self, agenda: Agenda, chance: Random, wire: Wire, dialplan: Dialplan) -> None:
        self._agenda = agenda
        self._chance = chance
        self._wire = wire
        self._dialplan = dialplan
        self._under_way: dict[CommandId, bool] = {}
        self.lamps: dict[str, c.LampState] = {}
        self.spoken: list[c.SpeakInTalk] = []
        self._steps: dict[type, Callable[[CommandId, c.Command, bool], None]] = {
            c.RingAgent: self._originate,
            c.DialOut: self._originate,
            c.RingSupervisor: self._ring_supervisor,
            c.JoinLeg: self._join,
            c.SpyLeg: self._spy,
            c.SpeakInTalk: self._speak,
            c.RedirectLegs: self._redirect,
            c.HangUpLeg: self._hang_up,
            c.ControlRecording: self._control_recording,
            c.ControlRoom: self._control_room,
            c.SetLamp: self._set_lamp,
        }

    def perform(self, command_id: CommandId, command: Action) -> None:
        """Send it. Without a link nothing is sent, which is known at once."""
        has_end = not isinstance(command, UNANSWERED)
        if not self._wire.is_link_up:
            if has_end:
                self._wire.own(CommandFailed(command=command_id, reason="no link to the PBX"))
            return
        if has_end:
            self._under_way[command_id] = True
        sent_s = self._chance.uniform(0.0003, 0.0015)
        faults, epoch = self._wire.faults, self._wire.epoch
        if faults.unanswered_ratio and self._chance.random() < faults.unanswered_ratio:
            self._agenda.after(faults.action_timeout_s, self._give_up, command_id, epoch)
            if self._chance.random() < 0.5:
                self._agenda.after(sent_s, self._execute, command_id, command, False)
            return
        self._agenda.after(sent_s, self._execute, command_id, command, True)

    def forget_all(self) -> list[CommandId]:
        """The link is gone: the actions that will have no answer."""
        unanswered, self._under_way = self._under_way, {}
        return list(unanswered)

    def _give_up(self, command_id: CommandId, epoch: int) -> None:
        if self._under_way.pop(command_id, False) and epoch == self._wire.epoch:
            self._wire.own(OutcomeUnknown(command=command_id))

    def _answer(self, command_id: CommandId, is_told: bool, refusal: str = "") -> None:
        if is_told and self._under_way.pop(command_id, False):
            failed = CommandFailed(command=command_id, reason=refusal)
            self._wire.ami(failed if refusal else CommandDone(command=command_id))

    def _execute(self, command_id: CommandId, command: Action, is_told: bool) -> None:
        self._steps[type(command)](command_id, command, is_told)

    # --- legs that are called -----------------------------------------------------------------------------------------
    def _originate(self, command_id: CommandId, ring: c.Command, is_told: bool) -> None:
        assert isinstance(ring, c.RingAgent | c.DialOut)
        self._answer(command_id, is_told)
        dialplan = self._dialplan
        called = ring.phone if isinstance(ring, c.RingAgent) else ring.to
        phone = dialplan.phones.get(called)
        is_reachable = phone.is_registered if phone is not None else isinstance(ring, c.DialOut)
        found = None if ring.leg in dialplan.channels else phone.person if phone is not None else dialplan.outside(called)
        if ring.leg in dialplan.channels or not is_reachable or (isinstance(found, Unreached) and not found.cause):
            self._wire.ami(RingEnded(command=command_id, leg=ring.leg, is_ok=False, reason=0))
            return
        person = None if isinstance(found, Unreached) else found
        channel = dialplan.new_channel(called.removeprefix("PJSIP/"), Place.AGENT, person or NOBODY, phone, ring.leg)
        channel.ring, channel.ring_command, channel.is_ours = ring, command_id, ring.place not in CUSTOMERS
        channel.caller_channel, channel.max_talk_s, channel.recording = ring.caller_channel, ring.max_talk_s, ring.recording
        channel.first_entry_s = self._agenda.now_s
        if ring.place in CUSTOMERS:
            channel.number = ring.number  # what they see is what the channel has for a caller
        self._wire.ami(LegStarted(leg=ring.leg, channel=channel.name))
        quickly_s = self._chance.uniform(0.003, 0.02)
        if isinstance(found, Unreached):
            self._agenda.after(quickly_s, dialplan.end, channel, found.cause, found.tech_cause)
        elif person is None and phone is None:
            self._agenda.after(quickly_s, dialplan.end, channel, 1, 404)
        elif phone is not None and (phone.is_in_own_call or phone.is_refusing or len(phone.channels) > 1):
            self._agenda.after(quickly_s, dialplan.end, channel, 17, 486)
        else:
            channel.ring_timer = self._agenda.after(ring.ring_timeout_s, dialplan.end, channel, 19, 480)
            self._agenda.after(self._chance.uniform(0.003, 0.03), self._ring, channel)

    def _ring_supervisor(self, command_id: CommandId, ring: c.Command, is_told: bool) -> None:
        assert isinstance(ring, c.RingSupervisor)
        dial = c.DialOut(
            leg=ring.leg,
            interaction=InteractionId(0),
            to=ring.phone,
            number=None,
            name=ring.name,
            ring_timeout_s=ring.ring_timeout_s,
            place=c.Place.PARK,
        )
        self._originate(command_id, dial, is_told)
        channel = self._dialplan.channels.get(ring.leg)
        if channel is not None:
            channel.is_supervisor = True

    def _ring(self, channel: Channel) -> None:
        if channel.is_gone or channel.is_up or channel.ring is None:
            return
        self._wire.ami(LegRinging(leg=channel.leg))
        self._dialplan.phone_changed(channel.phone)
        channel.person.rings(channel)
        if isinstance(channel.ring, c.RingAgent) and channel.ring.auto_answer:
            self._agenda.after(0.01, self.answer, channel)

    def answer(self, channel: Channel) -> None:
        """The called leg is picked up; a few milliseconds later it is at its place."""
        ring, command = channel.ring, channel.ring_command
        if channel.is_gone or channel.is_up or ring is None or command is None:
            return
        channel.is_up = True
        if channel.ring_timer is not None:
            channel.ring_timer.cancel()
        channel.is_outcome_told = True
        told = RingEnded(command=command, leg=channel.leg, is_ok=True, reason=4)
        if self._chance.random() < 0.5:
            self._wire.ami(told)
        else:
            # The action is answered on a thread of its own: the dialplan may have joined the two by then.
            self._dialplan.tell_soon(told)
        self._wire.ami(LegAnswered(leg=channel.leg))
        self._dialplan.phone_changed(channel.phone)
        channel.place = PLACES[ring.place]
        if not channel.is_ending:
            channel.retry = self._agenda.after(self._chance.uniform(0.001, 0.012), self._dialplan.arrive, channel)

    # --- legs that are there ------------------------------------------------------------------------------------------
    def _join(self, command_id: CommandId, join: c.Command, is_told: bool) -> None:
        """Setvar and Redirect to Bridge(): whether the caller is still there shows only then."""
        assert isinstance(join, c.JoinLeg)
        channel = self._dialplan.channels.get(join.leg)
        self._answer(command_id, is_told, "" if channel is not None else "No such channel")
        if channel is not None:
            channel.is_ours = True
            channel.caller_channel, channel.max_talk_s, channel.recording = join.caller_channel, join.max_talk_s, join.recording
            channel.is_kept = join.is_kept
            channel.ordered_s = self._agenda.now_s
            self._dialplan.send((channel, Place.AGENT))

    def _spy(self, command_id: CommandId, spy: c.Command, is_told: bool) -> None:
        assert isinstance(spy, c.SpyLeg)
        channel = self._dialplan.channels.get(spy.leg)
        self._answer(command_id, is_told, "" if channel is not None else "No such channel")
        if channel is not None:
            channel.is_supervisor, channel.spies, channel.ears = True, spy.target_channel, spy.ears
            channel.recording = spy.recording
            self._dialplan.send((channel, Place.SPY))

    def _speak(self, _: CommandId, command: c.Command, __: bool) -> None:
        assert isinstance(command, c.SpeakInTalk)
        self.spoken.append(command)

    def _redirect(self, command_id: CommandId, redirect: c.Command, is_told: bool) -> None:
        """Both or none: Asterisk looks for the second channel before it moves the first."""
        assert isinstance(redirect, c.RedirectLegs)
        assert 1 <= len(redirect.moves) <= 2, "AMI moves one leg or two"
        found = [(self._dialplan.channels.get(move.leg), move) for move in redirect.moves]
        there = [(channel, move) for channel, move in found if channel is not None]
        is_possible = len(there) == len(found)
        self._answer(command_id, is_told, "" if is_possible else "Channel does not exist")
        if is_possible:
            for channel, move in there:
                if move.place is c.Place.CONFERENCE:
                    channel.digits, channel.recording = move.room, move.recording
            self._dialplan.send(*((channel, PLACES[move.place]) for channel, move in there))

    def _hang_up(self, command_id: CommandId, command: c.Command, is_told: bool) -> None:
        assert isinstance(command, c.HangUpLeg)
        channel = self._dialplan.channels.get(command.leg)
        self._answer(command_id, is_told, "" if channel else "No such channel")
        if channel is None:
            return
        if channel.ring is not None and not channel.is_up:
            # The phone may be answering just now. That is told yet, and leads nowhere.
            channel.is_ending = True
            self._agenda.after(self._chance.uniform(0.0, 0.005), self._dialplan.end, channel, command.cause)
        else:
            self._dialplan.end(channel, command.cause)

    def _control_recording(self, _: CommandId, command: c.Command, __: bool) -> None:
        assert isinstance(command, c.ControlRecording)
        channel = self._dialplan.channels.get(command.leg)
        if channel is not None:
            channel.recording = command.recording or channel.recording
            channel.controls.append(command.what)

    def _control_room(self, _: CommandId, command: c.Command, __: bool) -> None:
        """What is said or recorded in a room nobody here hears."""
        assert isinstance(command, c.ControlRoom)
        inside = self._dialplan.in_room(command.room)
        found = next((channel for channel in inside if channel.name == command.channel), None)
        if command.what in (c.RoomStep.LOCK, c.RoomStep.UNLOCK) and inside:
            is_locked = command.what is c.RoomStep.LOCK
            name = f"{ROOM_PREFIX}{command.room}"
            self._dialplan.locked = self._dialplan.locked | {name} if is_locked else self._dialplan.locked - {name}
            self._wire.ami(RoomLocked(room=command.room, is_locked=is_locked))
        elif command.what in (c.RoomStep.MUTE, c.RoomStep.UNMUTE) and found is not None:
            found.is_muted = command.what is c.RoomStep.MUTE
            self._wire.ami(RoomMuted(leg=found.leg, room=command.room, is_muted=found.is_muted))
        elif command.what is c.RoomStep.KICK and found is not None:
            self._dialplan.kick(found)

    def _set_lamp(self, _: CommandId, command: c.Command, __: bool) -> None:
        assert isinstance(command, c.SetLamp)
        self.lamps[command.lamp] = command.state


class Nobody:
    """At a number that does not exist, or at a phone that rings in an empty room."""

    def rings(self, channel: Channel) -> None: ...

    def asked(self, channel: Channel, verb: object) -> None: ...

    def joined(self, channel: Channel) -> None: ...

    def parted(self, channel: Channel) -> None: ...

    def ended(self, channel: Channel) -> None: ...


NOBODY = Nobody()

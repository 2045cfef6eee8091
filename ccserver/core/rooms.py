"""Conferences with a number: who is in them, what is done to them, and what is kept of it.

The rooms are Asterisk's own (ConfBridge), so people go on talking while the daemon is away; here is what is known of them, which follows
Asterisk by its events and its lists. A room of the settings begins with the first who is in it; a room that was created lives from then on,
until everybody has left it or it is ended. Whoever is in a room is no business of the queues: a caller's interaction is over when they go
in, and an agent's phone is on a call of its own.
"""

from collections.abc import Callable, Mapping

from ccserver.core import recording
from ccserver.core.change import replace
from ccserver.core.commands import ControlRoom, HangUpLeg, Reply, RoomEntry, RoomStep
from ccserver.core.events import (
    ConferenceAct,
    ConferenceCreated,
    ConferenceRequested,
    MemberView,
    PbxObserved,
    RoomJoined,
    RoomLeft,
    RoomLocked,
    RoomMuted,
)
from ccserver.core.ids import AgentId, LegId, PromptId, RoomId
from ccserver.core.keys import KEY_S
from ccserver.core.records import (
    AuditRecord,
    ConferenceMemberRecord,
    ConferenceRecord,
    MemberEnd,
    NoticeKind,
    NoticeRecord,
    RecordingKind,
    RecordingRecord,
    RecordingSide,
    RepairKind,
    RepairRecord,
)
from ccserver.core.settings import Announced, ConferenceSettings
from ccserver.core.state import Leg, Member, Role, Room
from ccserver.core.step import Step
from ccserver.core.transitions import LegState

SETTLED_S = 5.0
"""No event takes so long while the link is up: what a list shows otherwise was missed."""
FULL, LOCKED, RECORDED = PromptId("cc-conference-full"), PromptId("cc-conference-locked"), PromptId("cc-conference-recorded")
JOINED, LEFT = PromptId("cc-conference-joined"), PromptId("cc-conference-left")

Does = Callable[[Room, "Member | None", ConferenceRequested], str]


class Refused(Exception):
    """The act is not done; the text says why."""


class Rooms:
    """The table of rooms and the table of their members."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._acts: Mapping[ConferenceAct, Does] = {
            ConferenceAct.MUTE: lambda room, member, _: self._mute(room, member, RoomStep.MUTE),
            ConferenceAct.UNMUTE: lambda room, member, _: self._mute(room, member, RoomStep.UNMUTE),
            ConferenceAct.KICK: lambda room, member, _: self._kick(room, member),
            ConferenceAct.LOCK: lambda room, *_: self._lock(room, is_locked=True),
            ConferenceAct.UNLOCK: lambda room, *_: self._lock(room, is_locked=False),
            ConferenceAct.RECORD: lambda room, *_: self._record(room),
            ConferenceAct.STOP_RECORDING: lambda room, *_: self._stop(room),
            ConferenceAct.ANNOUNCE: lambda room, _, asked: self._announce(room, asked.prompt),
            ConferenceAct.END: lambda room, *_: self._end(room),
        }

    # --- what rooms there are -----------------------------------------------------------------------------------------
    def config(self, name: RoomId) -> ConferenceSettings | None:
        room = self._step.rooms.get(name)
        if room is not None and room.made_by:
            return room.config
        return self._step.settings.conferences.get(name) or (room.config if room is not None else None)

    def by_number(self, number: str) -> RoomId | None:
        made = [room.name for room in self._step.rooms.values() if room.made_by and room.config.number == number]
        known = [name for name, config in self._step.settings.conferences.items() if config.number == number]
        return next(iter([*made, *known]), None)

    def inside(self, name: RoomId) -> list[Member]:
        """In the order in which they came."""
        found = [member for member in self._step.members.values() if member.room == name and member.number]
        return sorted(found, key=lambda member: member.number)

    # --- at the door --------------------------------------------------------------------------------------------------
    def shut(self, name: RoomId, *, is_moderator: bool) -> PromptId | None:
        """What somebody is told who may not come in now. A moderator always may."""
        room, config = self._step.rooms.get(name), self.config(name)
        if is_moderator or config is None:
            return None
        if room is not None and room.is_locked:
            return LOCKED
        # Who is on the way in counts: else two would take the last place.
        coming = sum(member.room == name for member in self._step.members.values())
        return FULL if coming >= config.max_members else None

    def is_recorded(self, name: RoomId) -> bool:
        """Whether who comes in now is recorded there."""
        room, config = self._step.rooms.get(name), self.config(name)
        if room is not None and room.members:
            return bool(room.recording)
        # It begins with the first who comes in.
        return config is not None and config.record and bool(self._step.settings.recording_dir)

    def let_in(self, member: Member) -> RoomEntry:
        """They are on their way. How the dialplan is to take them in."""
        config = self.config(member.room)
        assert config is not None
        self._step.members.put(member.leg, member)
        return RoomEntry(
            room=member.room,
            is_moderator=member.is_moderator,
            waits=config.wait_for_moderator and not member.is_moderator,
            ends_with_moderator=config.ends_with_moderator and not member.is_moderator,
            max_members=config.max_members,
            has_tone=config.announce is not Announced.NONE,
        )

    def turned_away(self, member: Member) -> None:
        """Somebody who did not come in; on record."""
        self.not_in(member, MemberEnd.REFUSED)

    def not_in(self, member: Member, end: MemberEnd) -> None:
        """The same, for whatever reason."""
        self._store(member, None, end)

    # --- what the PBX tells -------------------------------------------------------------------------------------------
    def joined(self, event: RoomJoined) -> None:
        step, known = self._step, self._step.members.get(event.leg)
        if known is not None and known.number and known.room == event.room:
            step.members.put(event.leg, replace(known, heard_s=step.now.mono_s))  # told twice
            return
        config = self.config(event.room)
        if config is None:
            return
        room = step.rooms.get(event.room) or self._begun(event.room, config)
        number = room.members + 1
        member = known or Member(
            leg=event.leg,
            room=event.room,
            channel=event.channel,
            is_moderator=event.is_moderator,
            since=step.now,
            heard_s=0.0,
        )
        member = replace(
            member,
            room=event.room,
            channel=event.channel,
            is_muted=event.is_muted,
            since=step.now,
            heard_s=step.now.mono_s,
            number=number,
            asked_by=None,
        )
        if known is not None and known.asked_by is not None:
            self._step.emit(
                Reply(request=known.asked_by, is_ok=True, text=f"{known.invited_as} is in the conference {room.name}")
            )
        if event.leg not in step.legs:
            step.legs.put(event.leg, _leg(event, step.now.mono_s))
        step.members.put(event.leg, member)
        most = max(room.most_at_once, len(self.inside(event.room)))
        room = self._put(replace(room, members=number, most_at_once=most))
        self._notice(room, NoticeKind.CONFERENCE_JOINED, member)
        if number == 1 and config.record and step.settings.recording_dir:
            self._record(step.rooms[room.name])
        self._tell_who(room, member, JOINED)

    def left(self, event: RoomLeft) -> None:
        step, leg = self._step, self._step.legs.get(event.leg)
        if leg is not None:
            step.legs.put(leg.id, replace(leg, heard_s=step.now.mono_s))
        member = step.members.get(event.leg)
        if member is not None and member.room == event.room and member.number:
            self._gone(member, member.end or MemberEnd.LEFT)

    def over(self, leg: LegId, *, is_lost: bool = False) -> None:
        """The channel is gone."""
        member = self._step.members.get(leg)
        if member is not None and member.number:
            self._gone(member, MemberEnd.LOST if is_lost else member.end or MemberEnd.LEFT)
        else:
            self._step.members.drop(leg)

    def muted(self, event: RoomMuted) -> None:
        member = self._step.members.get(event.leg)
        if member is not None and member.room == event.room:
            self._step.members.put(event.leg, replace(member, is_muted=event.is_muted, heard_s=self._step.now.mono_s))

    def locked(self, event: RoomLocked) -> None:
        room = self._step.rooms.get(event.room)
        if room is not None:
            self._put(replace(room, is_locked=event.is_locked))

    def is_moderator_in(self, leg: LegId) -> bool:
        member = self._step.members.get(leg)
        return member is not None and member.is_moderator and member.number > 0

    def digit(self, leg: LegId, digit: str) -> None:
        """A moderator's key. Asterisk locks and puts out by itself, and tells nobody that it did; the rest is ours."""
        step, member = self._step, self._step.members[leg]
        is_fresh = step.now.mono_s - member.keyed_s <= KEY_S
        step.members.put(leg, replace(member, keys=digit if digit == "*" else "", keyed_s=step.now.mono_s))
        room = step.rooms.get(member.room)
        if not (is_fresh and member.keys == "*") or room is None:
            return
        inside = self.inside(room.name)
        match digit:
            case "2":
                self._put(replace(room, is_locked=not room.is_locked))
                self._by_key(member, "conference_unlock" if room.is_locked else "conference_lock")
            case "3" if not inside[-1].is_moderator:
                step.members.put(inside[-1].leg, replace(inside[-1], end=MemberEnd.KICKED))
                self._by_key(member, "conference_kick")
            case "4":
                is_done = True
                try:
                    self._stop(room) if room.recording else self._record(room)
                except Refused:
                    is_done = False
                act = "conference_stop_recording" if room.recording else "conference_record"
                self._by_key(member, act, is_done=is_done)
            case "5":
                others = [each for each in inside if not each.is_moderator]
                what = RoomStep.UNMUTE if others and all(each.is_muted for each in others) else RoomStep.MUTE
                self._mute(room, None, what)
                self._by_key(member, f"conference_{what.value}")

    def _by_key(self, member: Member, act: str, *, is_done: bool = True) -> None:
        self._audit(f"member {member.number}", act, member.room, is_done=is_done, agent=member.agent)

    # --- what people ask for ------------------------------------------------------------------------------------------
    def created(self, event: ConferenceCreated) -> None:
        step, number = self._step, event.config.number
        taken = self.by_number(number) if number else None
        if event.room in step.rooms or event.room in step.settings.conferences:
            problem = f"there is a conference {event.room}"
        elif taken is not None:
            problem = f"the number {number} is that of the conference {taken}"
        elif event.config.record and not step.settings.recording_dir:
            problem = "it cannot be recorded: the settings have no section recording"
        else:
            problem = ""
            self._put(self._new(event.room, event.config, event.by))
        self._audit(event.by, "conference_create", event.room, is_done=not problem)
        text = problem or f"conference {event.room} is open: {number}"
        step.emit(Reply(request=event.request, is_ok=not problem, text=text))

    def requested(self, event: ConferenceRequested) -> None:
        is_done = True
        try:
            text = self._do(event)
        except Refused as refused:
            is_done, text = False, str(refused)
        what = event.room if event.member is None else f"{event.room}: member {event.member}"
        self._audit(event.by, f"conference_{event.act.value}", what, is_done=is_done)
        self._step.emit(Reply(request=event.request, is_ok=is_done, text=text))

    def _do(self, event: ConferenceRequested) -> str:
        room = self._step.rooms.get(event.room)
        if room is None:
            raise Refused(f"nobody is in the conference {event.room}")
        member = next((each for each in self.inside(room.name) if each.number == event.member), None)
        if event.member is not None and member is None:
            raise Refused(f"there is no member {event.member} in the conference {event.room}")
        return self._acts[event.act](room, member, event)

    def _mute(self, room: Room, member: Member | None, what: RoomStep) -> str:
        """Without a member: everybody but the moderators."""
        found = [member] if member is not None else [each for each in self.inside(room.name) if not each.is_moderator]
        for each in found:
            self._order(room, what, each.channel)
        return f"{_who(room, member)}: {what.value}d"

    def _kick(self, room: Room, member: Member | None) -> str:
        if member is None:
            raise Refused("say which member; end puts everybody out")
        self._step.members.put(member.leg, replace(member, end=MemberEnd.KICKED))
        self._order(room, RoomStep.KICK, member.channel)
        return f"{_who(room, member)} is put out"

    def _lock(self, room: Room, *, is_locked: bool) -> str:
        self._order(room, RoomStep.LOCK if is_locked else RoomStep.UNLOCK)
        self._put(replace(room, is_locked=is_locked))
        return f"conference {room.name} is {'locked' if is_locked else 'open again'}"

    def _end(self, room: Room) -> str:
        inside = self.inside(room.name)
        for each in inside:
            self._step.members.put(each.leg, replace(each, end=MemberEnd.ENDED))
            self._order(room, RoomStep.KICK, each.channel)
        for each in [m for m in self._step.members.values() if m.room == room.name and not m.number]:
            # On the way in: they would begin it again.
            if each.invited_as:
                self._step.members.put(each.leg, replace(each, end=MemberEnd.ENDED))
            else:
                self._step.members.drop(each.leg)
            if each.leg in self._step.legs:
                self._step.order(HangUpLeg(leg=each.leg))
        if not inside:
            self._close(room)
        return f"conference {room.name} is ended"

    def _record(self, room: Room) -> str:
        directory = self._step.settings.recording_dir
        if room.recording:
            raise Refused(f"conference {room.name} is recorded already")
        if not directory:
            raise Refused("it cannot be recorded: the settings have no section recording")
        path = recording.room_path(directory, room.id, self._step.now.utc_s, room.recordings)
        self._put(replace(room, recording=path, recorded_since=self._step.now))
        # Everybody is told before a word is kept.
        self._announce(room, RECORDED)
        self._order(room, RoomStep.RECORD, recording=path)
        return f"conference {room.name} is recorded"

    def _stop(self, room: Room) -> str:
        if not room.recording:
            raise Refused(f"conference {room.name} is not recorded")
        self._order(room, RoomStep.STOP_RECORDING)
        self._recorded(room)
        return f"conference {room.name} is not recorded any more"

    def _announce(self, room: Room, prompt: PromptId | None, digits: str = "") -> str:
        if prompt is None or not self.inside(room.name):
            raise Refused(f"nobody would hear it in the conference {room.name}")
        language = room.config.language or self._step.settings.default_language
        self._step.emit(ControlRoom(room=room.name, what=RoomStep.ANNOUNCE, say=prompt, digits=digits, language=language))
        return f"the conference {room.name} hears {prompt}"

    # --- what a list of the PBX shows -----------------------------------------------------------------------------------
    def observed(self, view: PbxObserved, *, is_first: bool) -> None:
        """Follow what ConfBridge has. What was heard of lately is newer than the list."""
        seen = {member.leg: (room.room, member) for room in view.rooms for member in room.members}

        def is_settled(heard_s: float) -> bool:
            return is_first or heard_s < view.asked_at_s - SETTLED_S

        members = [each for each in self._step.members.values() if each.leg.pbx == view.pbx and is_settled(each.heard_s)]
        for member in sorted(members, key=lambda each: each.leg):
            self._compare(member, seen.get(member.leg))
        for leg, (name, there) in sorted(seen.items()):
            known = self._step.legs.get(leg)
            # Whoever was let in has a leg here: one that is not known has just ended, unless nobody looked for a while.
            is_news = leg not in self._step.members and (is_first or (known is not None and is_settled(known.heard_s)))
            if is_news and self.config(name) is not None:
                self._repaired(RepairKind.ROOM_MEMBER, f"{name} {leg.uniqueid}")
                self.joined(_as_told(name, there))
        for listed in view.rooms:
            room = self._step.rooms.get(listed.room)
            if room is not None and room.is_locked is not listed.is_locked and is_settled(room.heard_s):
                self._repaired(RepairKind.ROOM_STATE, f"{room.name} {'locked' if listed.is_locked else 'unlocked'}")
                self._put(replace(room, is_locked=listed.is_locked))

    def _compare(self, member: Member, seen: tuple[RoomId, MemberView] | None) -> None:
        if seen is not None and seen[0] == member.room and not member.number:
            self._repaired(RepairKind.ROOM_MEMBER, f"{member.room} {member.leg.uniqueid}")
            self.joined(_as_told(*seen))
        elif member.number and (seen is None or seen[0] != member.room):
            self._repaired(RepairKind.ROOM_MEMBER, f"{member.room} {member.leg.uniqueid}")
            self._gone(member, member.end or MemberEnd.LEFT)
        elif seen is not None and member.number and seen[1].is_muted is not member.is_muted:
            self._repaired(RepairKind.ROOM_STATE, f"{member.room} {member.leg.uniqueid}")
            self._step.members.put(member.leg, replace(member, is_muted=seen[1].is_muted))

    def _repaired(self, kind: RepairKind, what: str) -> None:
        step = self._step
        step.clockwork = replace(step.clockwork, repairs=step.clockwork.repairs + 1)
        step.store(RepairRecord(kind=kind, what=what, at_utc_s=step.now.utc_s))

    # --- beginnings and ends --------------------------------------------------------------------------------------------
    def _new(self, name: RoomId, config: ConferenceSettings, by: str) -> Room:
        step = self._step
        return Room(name=name, id=step.next_number(), config=config, since=step.now, made_by=by, heard_s=step.now.mono_s)

    def _begun(self, name: RoomId, config: ConferenceSettings) -> Room:
        return self._put(self._new(name, config, ""))

    def _put(self, room: Room) -> Room:
        room = replace(room, heard_s=self._step.now.mono_s)
        self._step.rooms.put(room.name, room)
        if room.members == 1 and not room.notices:
            self._notice(room, NoticeKind.CONFERENCE_BEGAN, None)
        return self._step.rooms[room.name]

    def _gone(self, member: Member, end: MemberEnd) -> None:
        step, room = self._step, self._step.rooms[member.room]
        step.members.drop(member.leg)
        room = self._put(room)  # a list that was asked for before still has them
        self._store(member, room, end)
        self._notice(room, NoticeKind.CONFERENCE_LEFT, member)
        if self.inside(room.name):
            self._tell_who(room, member, LEFT)
        else:
            self._close(step.rooms[room.name])

    def _close(self, room: Room) -> None:
        step, now = self._step, self._step.now
        if room.recording:
            room = self._recorded(room)
        step.store(
            ConferenceRecord(
                conference=room.id,
                room=room.name,
                made_by=room.made_by,
                started_utc_s=room.since.utc_s,
                duration_s=now.mono_s - room.since.mono_s,
                members=room.members,
                most_at_once=room.most_at_once,
            )
        )
        if room.members:
            self._notice(room, NoticeKind.CONFERENCE_ENDED, None)
        step.rooms.drop(room.name)

    def _recorded(self, room: Room) -> Room:
        """What was being recorded is complete."""
        step, since = self._step, room.recorded_since or room.since
        step.store(
            RecordingRecord(
                interaction=room.id,
                number=room.recordings,
                agent=AgentId(""),
                leg=LegId(step.settings.pbx, f"room-{room.name}"),
                path=room.recording,
                started_utc_s=since.utc_s,
                duration_s=step.now.mono_s - since.mono_s,
                kind=RecordingKind.ROOM,
                side=RecordingSide.MIX,
            )
        )
        return self._put(replace(room, recording="", recorded_since=None, recordings=room.recordings + 1))

    def _store(self, member: Member, room: Room | None, end: MemberEnd) -> None:
        step = self._step
        step.store(
            ConferenceMemberRecord(
                conference=room.id if room is not None else None,
                room=member.room,
                leg=member.leg,
                agent=member.agent,
                phone=member.phone,
                caller_number=member.caller_number,
                interaction=member.interaction,
                is_moderator=member.is_moderator,
                joined_utc_s=member.since.utc_s,
                duration_s=step.now.mono_s - member.since.mono_s if room is not None else 0.0,
                end=end,
            )
        )

    # --- what is told ---------------------------------------------------------------------------------------------------
    def _tell_who(self, room: Room, member: Member, prompt: PromptId) -> None:
        """To the others, where the room is to hear numbers."""
        if room.config.announce is Announced.NUMBER and len(self.inside(room.name)) > (prompt == JOINED):
            self._announce(room, prompt, member.agent or "".join(d for d in member.caller_number or "" if d.isdigit()))

    def _notice(self, room: Room, kind: NoticeKind, member: Member | None) -> None:
        step = self._step
        data = {"conference": room.name, "number": room.config.number}
        if member is not None:
            data |= {"member": str(member.number), "moderator": "yes" if member.is_moderator else "no"}
        step.store(
            NoticeRecord(
                interaction=room.id,
                number=room.notices,
                kind=kind,
                at_utc_s=step.now.utc_s,
                caller_number=member.caller_number if member is not None else None,
                caller_name="",
                did="",
                language=room.config.language or step.settings.default_language,
                queue=None,
                agent=member.agent if member is not None else None,
                phone=member.phone if member is not None else None,
                data=data,
            )
        )
        step.rooms.put(room.name, replace(step.rooms.get(room.name) or room, notices=room.notices + 1))

    def _order(self, room: Room, what: RoomStep, channel: str = "", recording: str = "") -> None:
        self._step.emit(ControlRoom(room=room.name, what=what, channel=channel, recording=recording))

    def _audit(self, by: str, act: str, what: str, *, is_done: bool, agent: AgentId | None = None) -> None:
        at_utc_s = self._step.now.utc_s
        self._step.store(AuditRecord(by=by, act=act, what=what, is_done=is_done, at_utc_s=at_utc_s, agent=agent))


def _who(room: Room, member: Member | None) -> str:
    return f"member {member.number} of {room.name}" if member is not None else f"everybody in {room.name} but the moderators"


def _as_told(name: RoomId, seen: MemberView) -> RoomJoined:
    return RoomJoined(leg=seen.leg, channel=seen.channel, room=name, is_moderator=seen.is_moderator, is_muted=seen.is_muted)


def _leg(event: RoomJoined, now_s: float) -> Leg:
    """Of somebody who went in while we were away."""
    return Leg(id=event.leg, role=Role.ROOM, state=LegState.UP, channel=event.channel, heard_s=now_s)

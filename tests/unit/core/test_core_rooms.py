"""Conferences with a number: who is let in, what is known of who is inside, and what is done to them."""

from dataclasses import replace

import pytest
from desk import Desk
from keypad import Keypad

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId, RequestId
from ccserver.core.records import (
    AuditRecord,
    ConferenceMemberRecord,
    ConferenceRecord,
    FlowEnd,
    FlowRecord,
    InteractionRecord,
    MemberEnd,
    NoticeKind,
    NoticeRecord,
    Outcome,
    OwnCallRecord,
    RecordingRecord,
    RecordingSide,
    RepairRecord,
    ShownState,
)
from ccserver.core.settings import Announced, ConferenceNode, ConferenceSettings, DidSettings, Flow, Settings

ROOM, NUMBER = "monday", "700"
CONFIG = ConferenceSettings(number=NUMBER, has_pin=True, has_moderator_pin=True, max_members=3)


class Rooms(Desk):
    """The room `monday`, and a number outside (977) that leads into it."""

    def __init__(self, agents: int = 2, **changes: object) -> None:
        self.config = replace(CONFIG, **changes)
        super().__init__(agents)

    def adapted(self, settings: Settings) -> Settings:
        flow = Flow(start="in", nodes={"in": ConferenceNode(conference=ROOM)})
        did = replace(settings.dids["901"], flow="room") if "901" in settings.dids else DidSettings(flow="room")
        return replace(
            settings,
            conferences={ROOM: self.config},
            flows={**settings.flows, "room": flow},
            dids={**settings.dids, "977": did},
        )

    def enters(self, leg: LegId, *, is_moderator: bool = False) -> None:
        """ConfBridge tells that the leg is in."""
        channel = f"PJSIP/{leg.uniqueid}"
        self.tell(ev.RoomJoined(leg=leg, channel=channel, room=ROOM, is_moderator=is_moderator, is_muted=False))

    def inside(self) -> list[int]:
        return sorted(m.number for m in self.center.snapshot().members.values() if m.number)

    def room(self):  # type: ignore[no-untyped-def]
        return self.center.snapshot().rooms.get(ROOM)

    def orders(self) -> list[tuple[str, str]]:
        return [(each.what.value, each.channel) for each in self.told(c.ControlRoom)]

    def asks(self, act: ev.ConferenceAct, member: int | None = None) -> c.Reply:
        self.tell(ev.ConferenceRequested(request=RequestId(7), room=ROOM, act=act, member=member, by="eva"))
        (reply,) = self.told(c.Reply)
        return reply

    def views(self, *legs: LegId, muted: tuple[LegId, ...] = (), is_locked: bool = False) -> tuple[ev.RoomView, ...]:
        members = tuple(
            ev.MemberView(leg=leg, channel=f"PJSIP/{leg.uniqueid}", is_moderator=False, is_muted=leg in muted) for leg in legs
        )
        return (ev.RoomView(room=ROOM, is_locked=is_locked, members=members),) if legs else ()

    def reads(self, *rooms: ev.RoomView) -> None:
        """A reading of the PBX, which has all legs that are known."""
        seen = tuple(
            ev.ChannelView(leg=leg.id, channel=leg.channel, is_up=True, bridge=leg.bridge, application="", context="")
            for leg in self.center.snapshot().legs.values()
        )
        self.tell(ev.PbxObserved(pbx="pbx", asked_at_s=self.now_s, channels=seen, phones={}, rooms=rooms))


def pin(desk: Rooms, pad: Keypad, is_ok: bool | None, token: str = "") -> None:
    """The PIN was typed at the door."""
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.CollectSecret))
    desk.tell(ev.SecretChecked(session=pad.session, command=command, is_ok=is_ok, token=token))


def said(desk: Rooms, pad: Keypad) -> None:
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.Say))
    desk.tell(ev.PromptEnded(session=pad.session, command=command, end=ev.VerbEnd.DONE))


def let_in(desk: Rooms, agent: int = 1, token: str = "member") -> Keypad:
    pad = Keypad(desk, agent, f"60{NUMBER}")
    if desk.config.has_pin:
        pin(desk, pad, True, token)
    said(desk, pad)
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.ROOM and end.entry is not None and end.entry.is_moderator is (token == "moderator")
    desk.tell(ev.SessionClosed(session=pad.session))
    desk.enters(pad.leg, is_moderator=token == "moderator")
    return pad


def test_an_agent_with_the_pin_is_in_and_on_a_call_of_their_own() -> None:
    desk = Rooms()
    pad = let_in(desk)
    assert desk.inside() == [1] and desk.shown(1) is ShownState.ON_OWN_CALL
    kinds = [n.kind for n in desk.kept(NoticeRecord)]
    assert kinds[-2:] == [NoticeKind.CONFERENCE_BEGAN, NoticeKind.CONFERENCE_JOINED]
    desk.now_s += 60.0
    desk.tell(ev.RoomLeft(leg=pad.leg, room=ROOM))
    desk.tell(ev.LegEnded(leg=pad.leg, cause=16))
    (stay,) = desk.kept(ConferenceMemberRecord)
    assert (stay.agent, stay.end, stay.duration_s) == ("101", MemberEnd.LEFT, pytest.approx(60.0))
    (whole,) = desk.kept(ConferenceRecord)
    assert (whole.members, whole.most_at_once, whole.conference) == (1, 1, stay.conference)
    assert desk.kept(OwnCallRecord) and desk.shown(1) is not ShownState.ON_OWN_CALL
    assert not desk.center.snapshot().rooms and not desk.center.snapshot().members


def test_three_wrong_pins_are_the_end_and_on_record() -> None:
    desk = Rooms()
    pad = Keypad(desk, 1, f"60{NUMBER}")
    for _ in range(2):
        pin(desk, pad, False)
        assert [p.value for p in desk.told(c.CollectSecret)[0].say] == ["cc-conference-wrong-pin", "cc-conference-pin"]
    pin(desk, pad, False)
    assert pad.heard == "cc-conference-refused"
    assert [m.end for m in desk.kept(ConferenceMemberRecord)] == [MemberEnd.REFUSED]


def test_who_types_nothing_is_let_in_only_where_members_have_no_pin() -> None:
    desk = Rooms(has_pin=False)
    pad = Keypad(desk, 1, f"60{NUMBER}")
    pin(desk, pad, None)
    assert pad.heard == "cc-conference-enter"
    other = Rooms()
    pad = Keypad(other, 1, f"60{NUMBER}")
    pin(other, pad, None)
    assert other.told(c.CollectSecret)


def test_a_room_that_does_not_exist_is_told() -> None:
    assert Keypad(Rooms(), 1, "60999").heard == "cc-conference-unknown"


def test_a_caller_leaves_the_center_for_the_room() -> None:
    desk = Rooms()
    caller = desk.call(did="977")
    session = desk.session_of(caller)
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.CollectSecret))
    desk.tell(ev.SecretChecked(session=session, command=command, is_ok=True, token="member"))
    command = next(i for i, x in reversed(desk.all) if isinstance(x, c.Say))
    desk.tell(ev.PromptEnded(session=session, command=command, end=ev.VerbEnd.DONE))
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.ROOM
    (call,) = desk.kept(InteractionRecord)
    assert call.outcome is Outcome.CONFERENCE
    assert [passage.end for passage in desk.kept(FlowRecord)] == [FlowEnd.TO_PEOPLE]
    desk.enters(caller)
    assert desk.inside() == [1]
    desk.tell(ev.LegEnded(leg=caller, cause=16))
    (stay,) = desk.kept(ConferenceMemberRecord)
    assert stay.interaction == call.interaction and not desk.center.snapshot().legs


def test_a_full_and_a_locked_room_let_only_moderators_in() -> None:
    desk = Rooms(agents=3, max_members=2)
    let_in(desk, 1)
    let_in(desk, 2)
    pad = Keypad(desk, 3, f"60{NUMBER}")
    pin(desk, pad, True, "member")
    assert pad.heard == "cc-conference-full"
    pad.hang_up()
    assert desk.asks(ev.ConferenceAct.LOCK).is_ok
    let_in(desk, 3, "moderator")
    assert desk.inside() == [1, 2, 3]


def test_acts_are_ordered_answered_and_on_record() -> None:
    desk = Rooms()
    pad = let_in(desk)
    channel = f"PJSIP/{pad.leg.uniqueid}"
    assert desk.asks(ev.ConferenceAct.MUTE, 1).is_ok and desk.orders() == [("mute", channel)]
    desk.tell(ev.RoomMuted(leg=pad.leg, room=ROOM, is_muted=True))
    assert desk.center.snapshot().members[pad.leg].is_muted
    assert not desk.asks(ev.ConferenceAct.KICK, 9).is_ok
    assert desk.asks(ev.ConferenceAct.KICK, 1).is_ok and desk.orders() == [("kick", channel)]
    desk.tell(ev.RoomLeft(leg=pad.leg, room=ROOM))
    assert [m.end for m in desk.kept(ConferenceMemberRecord)] == [MemberEnd.KICKED]
    assert not desk.asks(ev.ConferenceAct.LOCK).is_ok, "nobody is there"
    assert [(a.act, a.is_done) for a in desk.kept(AuditRecord)] == [
        ("conference_mute", True),
        ("conference_kick", False),
        ("conference_kick", True),
        ("conference_lock", False),
    ]


def test_everybody_is_told_before_the_recording_begins_and_it_ends_with_the_room() -> None:
    desk = Rooms(record=True)
    pad = let_in(desk)
    told = [(each.what, each.say) for _, each in desk.all if isinstance(each, c.ControlRoom)]
    assert told == [(c.RoomStep.ANNOUNCE, "cc-conference-recorded"), (c.RoomStep.RECORD, None)]
    desk.now_s += 30.0
    desk.tell(ev.LegEnded(leg=pad.leg, cause=16))
    (kept,) = desk.kept(RecordingRecord)
    assert (kept.side, kept.duration_s) == (RecordingSide.MIX, pytest.approx(30.0))
    assert kept.interaction == desk.kept(ConferenceRecord)[0].conference


def test_a_moderators_keys() -> None:
    desk = Rooms()
    moderator = let_in(desk, 1, "moderator")
    member = let_in(desk, 2)
    assert desk.center.listens_to(moderator.leg) and not desk.center.listens_to(member.leg)

    def keys(typed: str) -> None:
        for digit in typed:
            desk.tell(ev.LegDigit(leg=moderator.leg, digit=digit))

    keys("*5")
    assert desk.orders() == [("mute", f"PJSIP/{member.leg.uniqueid}")]
    keys("*4")
    assert [what for what, _ in desk.orders()] == ["announce", "record"]
    keys("*2")
    assert desk.room().is_locked
    keys("*3")
    desk.tell(ev.RoomLeft(leg=member.leg, room=ROOM))
    assert desk.kept(ConferenceMemberRecord)[-1].end is MemberEnd.KICKED


def test_those_inside_hear_the_numbers_of_who_comes_and_goes() -> None:
    desk = Rooms(announce=Announced.NUMBER)
    let_in(desk, 1)
    assert not desk.told(c.ControlRoom)
    pad = let_in(desk, 2)
    assert [(each.say, each.digits) for each in desk.told(c.ControlRoom)] == [("cc-conference-joined", "102")]
    desk.tell(ev.RoomLeft(leg=pad.leg, room=ROOM))
    assert [(each.say, each.digits) for each in desk.told(c.ControlRoom)] == [("cc-conference-left", "102")]


def test_a_room_that_was_created_waits_for_the_first_and_ends_when_it_is_asked_to() -> None:
    desk = Rooms()
    config = ConferenceSettings(number="88")
    desk.tell(ev.ConferenceCreated(request=RequestId(3), room="room-88", config=config, by="eva"))
    assert desk.told(c.Reply)[0].is_ok
    desk.tell(ev.ConferenceCreated(request=RequestId(4), room="other", config=config, by="eva"))
    assert not desk.told(c.Reply)[0].is_ok, "the number is taken"
    desk.tell(ev.ConferenceRequested(request=RequestId(5), room="room-88", act=ev.ConferenceAct.END, by="eva"))
    assert desk.told(c.Reply)[0].is_ok and not desk.center.snapshot().rooms


# --- a reading of the PBX ---------------------------------------------------------------------------------------------
def test_a_first_reading_after_a_restart_shows_who_is_there() -> None:
    desk = Rooms()
    gone, there = let_in(desk, 1), let_in(desk, 2)
    stranger = LegId("pbx", "1700000009.9")
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 1.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s))
    desk.reads(*desk.views(there.leg, stranger, muted=(there.leg,), is_locked=True))
    members = desk.center.snapshot().members
    assert set(members) == {there.leg, stranger} and members[there.leg].is_muted and desk.room().is_locked
    assert gone.leg not in members and len(desk.kept(RepairRecord)) >= 4


def test_a_reading_does_not_undo_what_was_heard_of_just_now() -> None:
    desk = Rooms()
    desk.reads()
    let_in(desk)
    desk.now_s += 1.0
    desk.reads()
    assert desk.inside() == [1]
    desk.now_s += 6.0
    desk.reads()
    assert desk.inside() == [], "for so long no event takes"


def test_the_restart_of_the_pbx_ends_every_conference() -> None:
    desk = Rooms()
    let_in(desk)
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 20.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=0.0))
    assert [m.end for m in desk.kept(ConferenceMemberRecord)] == [MemberEnd.LOST]
    assert not desk.center.snapshot().rooms

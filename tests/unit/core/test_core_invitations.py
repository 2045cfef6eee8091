"""Invitations into a conference with a number: who may be called, who comes in without a PIN, and what is told of who does not."""

from dataclasses import replace

import pytest
from test_core_rooms import ROOM, Rooms

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId, RequestId
from ccserver.core.records import AuditRecord, ConferenceMemberRecord, MemberEnd, ShownState
from ccserver.core.settings import ClassOfService, ConferenceSettings, NumberKind, Settings

MOBILE, PREMIUM = "+34612345678", "+34803123456"


class Hall(Rooms):
    """Into whose room mobile numbers may be called."""

    def __init__(self, **changes: object) -> None:
        super().__init__(2, **{"class_of_service": "few", **changes})

    def adapted(self, settings: Settings) -> Settings:
        few = ClassOfService(allows=frozenset({NumberKind.INTERNAL, NumberKind.MOBILE}))
        return replace(super().adapted(settings), classes_of_service={"few": few})

    def invites(
        self, who: str, number: str = "", kind: NumberKind = NumberKind.INTERNAL, request: int = 7
    ) -> c.DialOut | c.Reply:
        """The call, or the refusal."""
        self.tell(
            ev.InvitationRequested(request=RequestId(request), room=ROOM, who=who, number=number or who, kind=kind, by="eva")
        )
        found = [*self.told(c.DialOut), *self.told(c.Reply)]
        assert len(found) == 1
        return found[0]

    def calls(self, who: str = "101", number: str = "", kind: NumberKind = NumberKind.INTERNAL) -> LegId:
        order = self.invites(who, number, kind)
        assert isinstance(order, c.DialOut)
        self.tell(ev.LegStarted(leg=order.leg, channel=f"{order.to}-00000001"), ev.LegRinging(leg=order.leg))
        return order.leg

    def answers(self, leg: LegId) -> None:
        self.tell(ev.LegAnswered(leg=leg))
        session = f"i-{leg.uniqueid}"
        self.tell(ev.DeskOpened(session=session, leg=leg, channel=f"PJSIP/{leg.uniqueid}"))  # type: ignore[arg-type]

    def reply(self) -> tuple[bool, str]:
        (reply,) = self.told(c.Reply)
        assert reply.request == RequestId(7)
        return reply.is_ok, reply.text


def test_an_agent_is_called_told_and_let_in_without_a_pin() -> None:
    desk = Hall()
    leg = desk.calls("101")
    order = desk.ever(c.DialOut)[-1]
    assert (order.to, order.place) == (desk.center.snapshot().agents["101"].phone, c.Place.DESK)
    desk.answers(leg)
    (said,) = desk.told(c.Say)
    assert [word.value for word in said.say] == ["cc-conference-enter"]
    desk.prompt_ends(leg)
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.ROOM and end.entry is not None and (end.entry.room, end.entry.is_moderator) == (ROOM, False)
    assert desk.shown(1) is ShownState.ON_OWN_CALL, "nothing is offered to who confers"
    desk.enters(leg)
    assert desk.reply() == (True, f"101 is in the conference {ROOM}")
    assert desk.inside() == [1]
    assert [(each.act, each.what, each.is_done) for each in desk.kept(AuditRecord)] == [
        ("conference_invite", f"{ROOM}: 101", True)
    ]
    desk.hangs_up(leg)
    (member,) = desk.kept(ConferenceMemberRecord)
    assert (member.agent, member.end) == ("101", MemberEnd.LEFT)
    assert not desk.center.snapshot().rooms and desk.shown(1) is ShownState.READY


def test_who_is_called_into_a_recorded_room_is_told_so_before() -> None:
    desk = Hall(record=True)
    leg = desk.calls("101")
    desk.answers(leg)
    (said,) = desk.told(c.Say)
    assert [word.value for word in said.say] == ["cc-conference-enter", "cc-conference-recorded"]


def test_who_is_called_into_a_room_whose_recording_has_not_begun_is_told_so_too() -> None:
    """The first of all, in a room that was made by command: it stands already, and nobody is in it."""
    desk = Hall(record=True)
    desk.tell(
        ev.ConferenceCreated(request=RequestId(3), room="made", config=ConferenceSettings(number="88", record=True), by="eva")
    )
    assert desk.center.snapshot().rooms.keys() == {"made"}
    for who in ("101", "102"):
        desk.tell(
            ev.InvitationRequested(request=RequestId(7), room="made", who=who, number=who, kind=NumberKind.INTERNAL, by="eva")
        )
        (order,) = desk.told(c.DialOut)
        desk.answers(order.leg)
        (said,) = desk.told(c.Say)
        assert [word.value for word in said.say] == ["cc-conference-enter", "cc-conference-recorded"]


def test_a_number_outside_comes_in_by_the_rooms_class_of_service() -> None:
    desk = Hall()
    leg = desk.calls("612345678", MOBILE, NumberKind.MOBILE)
    order = desk.ever(c.DialOut)[-1]
    trunk = desk.center.settings.trunk
    assert (order.to, order.number) == (f"PJSIP/{MOBILE}@{trunk}", "977"), "a carrier shows only what is ours"
    desk.answers(leg)
    desk.prompt_ends(leg)
    desk.enters(leg)
    assert desk.reply()[0]
    desk.hangs_up(leg)
    (member,) = desk.kept(ConferenceMemberRecord)
    assert (member.caller_number, member.agent, member.phone) == (MOBILE, None, None)


@pytest.mark.parametrize(
    ("who", "number", "kind", "why"),
    [
        ("803123456", PREMIUM, NumberKind.PREMIUM, "premium numbers may not be invited"),
        ("777", "", NumberKind.INTERNAL, "no agent, no phone and no number"),
        ("12", "", NumberKind.UNKNOWN, "no agent, no phone and no number"),
    ],
)
def test_whom_nobody_may_call(who: str, number: str, kind: NumberKind, why: str) -> None:
    desk = Hall()
    desk.tell(ev.InvitationRequested(request=RequestId(7), room=ROOM, who=who, number=number, kind=kind, by="eva"))
    is_ok, text = desk.reply()
    assert not is_ok and why in text
    assert [each.is_done for each in desk.kept(AuditRecord)] == [False] and not desk.ever(c.DialOut)


def test_without_a_class_of_service_nobody_outside_is_called() -> None:
    desk = Hall(class_of_service=None)
    reply = desk.invites("612345678", MOBILE, NumberKind.MOBILE)
    assert isinstance(reply, c.Reply) and not reply.is_ok and "mobile" in reply.text


def test_an_agent_who_is_logged_out_or_at_work_is_not_called() -> None:
    desk = Hall()
    desk.tell(ev.LogoutRequested(request=RequestId(1), agent="102"))
    reply = desk.invites("102")
    assert isinstance(reply, c.Reply) and "logged out" in reply.text
    desk.talk()
    reply = desk.invites("101")
    assert isinstance(reply, c.Reply) and "busy" in reply.text


def test_nobody_is_called_twice_or_into_a_full_or_a_locked_room() -> None:
    desk = Hall(max_members=2)
    leg = desk.calls("101")
    again = desk.invites("101", request=8)
    assert isinstance(again, c.Reply) and "being called" in again.text
    desk.calls("102")
    full = desk.invites("612345678", MOBILE, NumberKind.MOBILE)
    assert isinstance(full, c.Reply) and "full" in full.text
    desk.hangs_up(leg, 17, 486)
    assert isinstance(desk.invites("612345678", MOBILE, NumberKind.MOBILE), c.DialOut)


@pytest.mark.parametrize(
    ("cause", "end", "words"),
    [
        (17, MemberEnd.BUSY, "is busy"),
        (19, MemberEnd.NO_ANSWER, "does not answer"),
        (21, MemberEnd.DECLINED, "has declined"),
        (3, MemberEnd.UNREACHABLE, "cannot be reached"),
    ],
)
def test_who_does_not_answer_is_told_of(cause: int, end: MemberEnd, words: str) -> None:
    desk = Hall()
    leg = desk.calls("101")
    desk.hangs_up(leg, cause)
    assert desk.reply() == (False, f"101 {words}")
    (member,) = desk.kept(ConferenceMemberRecord)
    assert (member.end, member.conference) == (end, None)
    assert not desk.center.snapshot().members and desk.shown(1) is ShownState.READY


def test_a_phone_that_could_not_even_be_called() -> None:
    desk = Hall()
    order = desk.invites("101")
    assert isinstance(order, c.DialOut)
    command = next(number for number, each in reversed(desk.all) if each is order)
    desk.tell(ev.RingEnded(command=command, leg=order.leg, is_ok=False, reason=0))
    assert desk.reply() == (False, "101 cannot be reached")


def test_who_hangs_up_at_the_door_was_never_in_it() -> None:
    desk = Hall()
    leg = desk.calls("101")
    desk.answers(leg)
    desk.hangs_up(leg)
    is_ok, text = desk.reply()
    assert not is_ok and "hung up" in text


def test_the_conference_is_ended_while_somebody_is_called() -> None:
    desk = Hall()
    first = desk.calls("101")
    desk.answers(first)
    desk.prompt_ends(first)
    desk.enters(first)
    second = desk.calls("102")
    desk.asks(ev.ConferenceAct.END)
    assert second in [order.leg for order in desk.ever(c.HangUpLeg)]
    desk.hangs_up(second)
    is_ok, text = desk.reply()
    assert not is_ok and "over" in text
    desk.hangs_up(first)
    assert not desk.center.snapshot().members and not desk.center.snapshot().rooms


def test_the_pbx_dies_while_somebody_is_called() -> None:
    desk = Hall()
    desk.calls("101")
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.wait(20.0)
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=2.0))
    assert [m.end for m in desk.kept(ConferenceMemberRecord)] == [MemberEnd.LOST]
    assert not desk.center.snapshot().members and not desk.center.snapshot().legs

"""What a CRM is told while a call goes on."""

from desk import Desk

from ccserver.core.records import NoticeKind, NoticeRecord


def told(desk: Desk, interaction: int = 1) -> list[tuple[int, NoticeKind]]:
    return [(n.number, n.kind) for n in desk.kept(NoticeRecord) if n.interaction == interaction]


def test_a_call_is_told_from_its_arrival_to_its_end_in_order() -> None:
    desk = Desk()
    caller, _ = desk.talk()
    desk.hangs_up(caller)
    assert told(desk) == [
        (0, NoticeKind.ARRIVED),
        (1, NoticeKind.QUEUED),
        (2, NoticeKind.RINGING),
        (3, NoticeKind.ANSWERED),
        (4, NoticeKind.ENDED),
    ]
    *_, answered, ended = desk.kept(NoticeRecord)
    assert (answered.agent, answered.phone, answered.queue) == ("101", "PJSIP/1001", "sales")
    assert (ended.caller_number, ended.did) == ("+34911222333", "901")
    assert ended.data == {"outcome": "answered", "ended_by": "customer"}


def test_a_caller_who_leaves_the_queue_is_told_as_ended() -> None:
    desk = Desk(logged_in=False)
    caller = desk.call()
    desk.wait(30.0)
    desk.hangs_up(caller)
    assert [kind for _, kind in told(desk)] == [NoticeKind.ARRIVED, NoticeKind.QUEUED, NoticeKind.ENDED]
    assert desk.kept(NoticeRecord)[-1].data["outcome"] == "abandoned"

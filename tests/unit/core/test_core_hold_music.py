"""A customer on hold for whom no music can be played: it is begun again, a few times, and each time is on record."""

from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import RepairKind, RepairRecord
from ccserver.core.state import SILENCES_MAX


def on_hold() -> tuple[HandoverDesk, LegId]:
    desk = HandoverDesk()
    customer, _, _ = desk.consult()
    return desk, customer


def fails(desk: HandoverDesk, customer: LegId) -> list[str]:
    """The music of the customer's session ends at once. What is played instead."""
    session = desk.session_of(customer)
    desk.tell(ev.WaitEnded(session=session, command=desk.verbs[session], end=ev.VerbEnd.FAILED))
    return [verb.music for verb in desk.told(c.WaitUntil) if verb.session == session]


def test_music_that_cannot_be_played_is_begun_again_with_the_usual_class() -> None:
    desk, customer = on_hold()
    assert fails(desk, customer) == ["default"]
    (record,) = desk.kept(RepairRecord)
    assert (record.kind, record.interaction) == (RepairKind.HOLD_MUSIC, 1)
    assert desk.center.snapshot().clockwork.repairs == 1
    assert desk.it().state.value == "held"


def test_it_is_not_tried_for_ever_and_a_new_session_begins_anew() -> None:
    desk, customer = on_hold()
    played = [fails(desk, customer) for _ in range(SILENCES_MAX)]
    assert played == [["default"]] * (SILENCES_MAX - 1) + [[]]
    assert len(desk.kept(RepairRecord)) == SILENCES_MAX
    desk.tell(ev.SessionClosed(session=desk.session_of(customer)))
    desk.arrive(customer)
    assert [verb.music for verb in desk.told(c.WaitUntil)] and fails(desk, customer) == ["default"]


def test_the_hold_goes_on_and_ends_as_ever() -> None:
    (
        desk,
        customer,
    ) = on_hold()
    for _ in range(SILENCES_MAX):
        fails(desk, customer)
    colleague = desk.ever(c.RingAgent)[-1]
    desk.ringing(colleague)
    desk.joined(colleague)
    assert desk.it().state.value == "held" and len(desk.work(2)) == 1

"""Three in one room: nobody is lost on the way in, and whoever leaves, the rest stays."""

import pytest
from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import InteractionRecord, SegmentKind, SegmentRecord, ShownState, TransferOutcome, TransferRecord


def begun() -> tuple[HandoverDesk, LegId, LegId, LegId]:
    desk = HandoverDesk()
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*3")
    return desk, customer, agent, colleague


def enter(desk: HandoverDesk, leg: LegId) -> None:
    desk.left(leg)
    known = desk.leg(leg)
    desk.tell(ev.LegEnteredBridge(leg=leg, bridge="room"))
    if known.session is not None:
        desk.tell(ev.SessionClosed(session=known.session))


def met() -> tuple[HandoverDesk, LegId, LegId, LegId]:
    desk, customer, agent, colleague = begun()
    desk.done(c.RedirectLegs)
    enter(desk, agent)
    enter(desk, colleague)
    desk.done(c.RedirectLegs)
    enter(desk, customer)
    return desk, customer, agent, colleague


def test_first_the_two_who_talk_then_the_customer() -> None:
    desk, customer, agent, colleague = begun()
    (order,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.place) for m in order.moves] == [(agent, c.Place.CONFERENCE), (colleague, c.Place.CONFERENCE)]
    desk.done(c.RedirectLegs)
    (order,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.room) for m in order.moves] == [(customer, "cc-1")]
    for leg in (colleague, agent, customer):
        enter(desk, leg)
    assert desk.state(1) == "talking"
    assert desk.state(2) == "over"
    assert desk.shown(1) is desk.shown(2) is ShownState.TALKING
    assert [t.outcome for t in desk.kept(TransferRecord)] == [TransferOutcome.DONE]


def test_the_agent_leaves_and_the_colleague_stays() -> None:
    desk, customer, agent, _colleague = met()
    desk.now_s += 10.0
    desk.hangs_up(agent)
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.it().talk.agent == "102"
    desk.now_s += 10.0
    desk.hangs_up(customer)
    assert desk.work(2) == [(1, "wrap_up")]


def test_the_colleague_leaves_and_the_agent_stays() -> None:
    desk, _customer, _, colleague = met()
    desk.hangs_up(colleague)
    assert desk.work(2) == [(1, "wrap_up")]
    assert desk.it().talk.agent == "101"


def test_the_last_one_leaves_and_the_customer_is_fetched_out_of_the_room() -> None:
    desk, customer, agent, colleague = met()
    desk.hangs_up(colleague)
    desk.hangs_up(agent)
    (order,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.place) for m in order.moves] == [(customer, c.Place.LOOP)]
    desk.done(c.RedirectLegs)
    desk.left(customer)
    desk.arrive(customer)
    assert desk.told(c.EndSession)


def test_the_customer_leaves_and_both_wrap_up_once() -> None:
    desk, customer, agent, colleague = met()
    desk.now_s += 30.0
    desk.hangs_up(customer)
    assert [m.moves[0].place for m in desk.told(c.RedirectLegs)] == [c.Place.DESK, c.Place.DESK]
    desk.desk(agent)
    desk.desk(colleague)
    desk.wait(25.0)
    desk.hangs_up(agent)
    desk.hangs_up(colleague)
    assert desk.state(1) == "over"
    wraps = [s.agent for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.WRAP_UP]
    assert sorted(wraps) == ["101", "102"]
    assert desk.kept(InteractionRecord)[-1].talk_s == pytest.approx(30.0)


def test_the_agent_drops_the_colleague() -> None:
    desk, _, agent, colleague = met()
    desk.keys(agent, "*9")
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [colleague]
    desk.hangs_up(colleague)
    assert desk.state(1) == "talking"


@pytest.mark.parametrize("who", ["customer", "agent", "colleague"])
@pytest.mark.parametrize("when", ["at once", "on the way", "in the room"])
def test_somebody_hangs_up_on_the_way_in(who: str, when: str) -> None:
    desk, customer, agent, colleague = begun()
    if when != "at once":
        desk.done(c.RedirectLegs)
    if when == "in the room":
        enter(desk, agent)
        enter(desk, colleague)
    gone = {"customer": customer, "agent": agent, "colleague": colleague}[who]
    desk.hangs_up(gone)
    if who == "customer":
        assert {a for a in (1, 2) if desk.work(a) == [(1, "wrap_up")]} == {1, 2}
        return
    left, number = (colleague, "102") if who == "agent" else (agent, "101")
    order = desk.join_happens()
    assert (order.leg, order.caller) == (left, customer)
    assert desk.state(1) == "talking"
    assert desk.it().talk.agent == number


def test_a_refused_move_leads_back_to_the_customer() -> None:
    desk, customer, agent, colleague = begun()
    desk.refused(c.RedirectLegs)
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [colleague]
    order = desk.join_happens()
    assert (order.leg, order.caller) == (agent, customer)
    desk.hangs_up(colleague)
    assert desk.state(1) == "talking"


def test_nothing_is_heard_of_the_moves() -> None:
    desk, customer, agent, colleague = begun()
    desk.wait(11.0)
    orders = [(o.leg, o.caller) for o in desk.ever(c.JoinLeg)]
    assert orders == [(agent, customer)]
    assert colleague in [h.leg for h in desk.ever(c.HangUpLeg)]


def test_a_guest_and_the_customer_are_left_in_the_room_and_the_customer_leaves() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*2", "911")
    (dial,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"))
    desk.bridged(offer.leg, dial.leg)
    desk.keys(offer.leg, "*3")
    desk.done(c.RedirectLegs)
    enter(desk, offer.leg)
    enter(desk, dial.leg)
    desk.done(c.RedirectLegs)
    enter(desk, customer)
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "talking"
    desk.hangs_up(customer)
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [dial.leg]
    desk.hangs_up(dial.leg)
    desk.wait(25.0)
    assert desk.state(1) == "over"

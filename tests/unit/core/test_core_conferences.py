"""Three in one room: nobody is lost on the way in, and whoever leaves, the rest stays. Each leg is recorded by itself."""

from dataclasses import replace

import pytest
from desk import a_queue
from handover_desk import HandoverDesk
from rules import obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import InteractionId, LegId, RequestId
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    RecordingRecord,
    RecordingSide,
    SegmentKind,
    SegmentRecord,
    ShownState,
    TransferOutcome,
    TransferRecord,
)


def begun(**queues: object) -> tuple[HandoverDesk, LegId, LegId, LegId]:
    desk = HandoverDesk(**queues)
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*3")
    return desk, customer, agent, colleague


def enter(desk: HandoverDesk, leg: LegId) -> None:
    desk.left(leg)
    known = desk.leg(leg)
    desk.tell(ev.LegEnteredBridge(leg=leg, bridge="room"))
    if known.session is not None:
        desk.tell(ev.SessionClosed(session=known.session))


def met(**queues: object) -> tuple[HandoverDesk, LegId, LegId, LegId]:
    desk, customer, agent, colleague = begun(**queues)
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


def test_the_customer_leaves_and_the_agents_talk_on_until_one_of_them_leaves() -> None:
    desk, customer, agent, colleague = met()
    desk.now_s += 30.0
    desk.hangs_up(customer)
    assert desk.state(1) == "talking"
    assert desk.shown(1) is desk.shown(2) is ShownState.TALKING
    desk.now_s += 60.0
    desk.hangs_up(agent)
    assert [m.moves[0].leg for m in desk.told(c.RedirectLegs)] == [colleague]
    assert [m.moves[0].place for m in desk.told(c.RedirectLegs)] == [c.Place.DESK]
    desk.desk(colleague)
    desk.wait(25.0)
    desk.hangs_up(colleague)
    assert desk.state(1) == "over"
    wraps = [s.agent for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.WRAP_UP]
    assert sorted(wraps) == ["101", "102"]
    record = desk.kept(InteractionRecord)[-1]
    assert (record.talk_s, record.ended_by) == (pytest.approx(30.0), EndedBy.CUSTOMER)


def test_agents_who_talk_on_without_the_customer_do_not_do_so_for_ever() -> None:
    desk, customer, agent, colleague = met()
    desk.hangs_up(customer)
    desk.wait(4 * 3600.0)
    orders = [order for order in desk.ever(c.RedirectLegs) if order.moves[0].place is c.Place.DESK]
    assert {order.moves[0].leg for order in orders} == {agent, colleague}
    assert desk.state(1) == "gone"


def test_an_operator_ends_what_goes_on_without_the_customer() -> None:
    desk, customer, agent, colleague = met()
    desk.hangs_up(customer)
    desk.tell(ev.HangUpRequested(request=RequestId(1), interaction=InteractionId(1), by="eva"))
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [agent, colleague]
    desk.hangs_up(agent)
    desk.hangs_up(colleague)
    desk.wait(25.0)
    assert desk.state(1) == "over"


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


# --- recordings -------------------------------------------------------------------------------------------------------
ON_DEMAND = a_queue(number="401", record=RecordingPolicy(mode=RecordingMode.ON_DEMAND))


def controls(desk: HandoverDesk) -> list[tuple[LegId, c.RecordingStep, RecordingSide]]:
    return [(each.leg, each.what, each.side) for each in desk.told(c.ControlRecording)]


def rooms_stretches(desk: HandoverDesk) -> list[RecordingRecord]:
    return [each for each in desk.kept(RecordingRecord) if each.side is not RecordingSide.BOTH]


def test_each_leg_takes_a_file_of_its_own_into_the_room() -> None:
    desk, customer, agent, colleague = begun()
    desk.done(c.RedirectLegs)
    moves = [move for _, order in desk.all if isinstance(order, c.RedirectLegs) for move in order.moves if move.room]
    assert [(move.leg, move.side) for move in moves] == [
        (agent, RecordingSide.AGENTS),
        (colleague, RecordingSide.AGENTS),
        (customer, RecordingSide.CUSTOMER),
    ]
    assert len({move.recording for move in moves}) == 3 and all(move.recording for move in moves)


def test_a_stretch_begins_when_its_leg_is_in_the_room_and_ends_with_its_part() -> None:
    desk, customer, agent, colleague = begun()
    desk.done(c.RedirectLegs)
    desk.now_s += 1.0
    enter(desk, agent)
    enter(desk, colleague)
    desk.now_s += 1.0
    enter(desk, customer)
    desk.now_s += 10.0
    desk.hangs_up(colleague)
    assert [(each.leg, each.duration_s) for each in rooms_stretches(desk)] == [(colleague, pytest.approx(11.0))]
    desk.now_s += 5.0
    desk.hangs_up(agent)
    assert [(each.leg, each.side, each.agent, each.duration_s) for each in rooms_stretches(desk)[1:]] == [
        (agent, RecordingSide.AGENTS, "101", pytest.approx(16.0)),
        (customer, RecordingSide.CUSTOMER, "101", pytest.approx(15.0)),
    ]
    assert (customer, c.RecordingStep.STOP, RecordingSide.BOTH) in controls(desk), "the customer's leg goes on elsewhere"


def test_a_pause_is_everybodys() -> None:
    desk, customer, agent, colleague = met()
    desk.now_s += 10.0
    desk.keys(agent, "*5")
    assert {leg for leg, what, _ in controls(desk) if what is c.RecordingStep.PAUSE} == {customer, agent, colleague}
    desk.now_s += 4.0
    desk.keys(agent, "*5")
    desk.now_s += 6.0
    desk.hangs_up(customer)
    assert [each.pauses for each in rooms_stretches(desk)] == [((10.0, 14.0),)] * 3
    stopped = [leg for leg, what, _ in controls(desk) if what is c.RecordingStep.STOP]
    assert stopped == [agent, colleague], "what the others say to each other is no part of the call"


def test_what_is_paused_stays_so_on_the_way_into_the_room() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*5*2")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "102")
    colleague = desk.ring()
    desk.ringing(colleague)
    desk.joined(colleague)
    desk.keys(offer.leg, "*3")
    desk.done(c.RedirectLegs)
    enter(desk, offer.leg)
    enter(desk, colleague.leg)
    desk.done(c.RedirectLegs)
    enter(desk, customer)
    paused = [each.leg for _, each in desk.all if isinstance(each, c.ControlRecording) and each.what is c.RecordingStep.PAUSE]
    assert paused == [offer.leg, offer.leg, colleague.leg, customer], "once in the talk of two, then each in the room"


def test_nothing_is_recorded_until_somebody_asks_and_then_everybody_is() -> None:
    desk, customer, agent, colleague = met(sales=ON_DEMAND, direct=replace(ON_DEMAND, name="Direct", number=""))
    assert not desk.it().tracks
    desk.keys(agent, "*4")
    told = [each for each in controls(desk) if each[1] is c.RecordingStep.START]
    assert told == [
        (customer, c.RecordingStep.START, RecordingSide.CUSTOMER),
        (agent, c.RecordingStep.START, RecordingSide.AGENTS),
        (colleague, c.RecordingStep.START, RecordingSide.AGENTS),
    ]


def test_who_may_not_be_recorded_is_not_whatever_is_recorded_of_the_others() -> None:
    desk = HandoverDesk()
    obey_for(desk, 2, record=RecordingPolicy(mode=RecordingMode.NEVER))
    customer, agent, colleague = desk.consulting()
    desk.keys(agent, "*3")
    desk.done(c.RedirectLegs)
    moves = {m.leg: bool(m.recording) for _, o in desk.all if isinstance(o, c.RedirectLegs) for m in o.moves if m.room}
    assert moves == {customer: True, agent: True, colleague: False}


def test_an_objection_ends_the_recording_of_every_leg() -> None:
    desk, customer, agent, colleague = met()
    desk.keys(agent, "*#5")
    assert {leg for leg, what, _ in controls(desk) if what is c.RecordingStep.STOP} == {customer, agent, colleague}
    assert not desk.it().tracks and not any(talk.recording for talk in desk.it().talks())


def test_a_room_that_did_not_come_about_leaves_a_talk_that_is_recorded_as_before() -> None:
    desk, _, agent, colleague = begun()
    desk.refused(c.RedirectLegs)
    order = desk.join_happens()
    desk.hangs_up(colleague)
    assert (order.leg, bool(order.recording)) == (agent, True)
    assert not desk.it().tracks and not desk.it().talk.is_apart


def test_what_is_to_be_recorded_while_the_customer_waits_is_recorded_from_when_they_are_back() -> None:
    """The consultation is not the customer's."""
    desk = HandoverDesk(sales=ON_DEMAND, direct=replace(ON_DEMAND, name="Direct", number=""))
    _customer, agent, colleague = desk.consulting()
    desk.tell(ev.RecordingRequested(request=RequestId(1), interaction=InteractionId(1), act=ev.RecordingAct.RECORD, by="eva"))
    assert not desk.told(c.ControlRecording) and desk.told(c.Reply)[0].is_ok
    desk.keys(agent, "*9")
    order = desk.join_happens()
    desk.hangs_up(colleague)
    assert (order.leg, bool(order.recording)) == (agent, True)


def test_out_of_a_room_nobody_is_sent_into_a_flow_and_the_agent_alone_is_told() -> None:
    desk, _, agent, _ = met()
    before = desk.it()
    desk.keys(agent, "*81#")
    (told,) = desk.told(c.SpeakInTalk)
    assert (told.leg, told.ears, told.prompt) == (agent, c.Ears.AGENT, "cc-watch-not-now")
    assert desk.it() == before and not desk.told(c.RedirectLegs)

"""Transfers: blind by key, by the phone's own REFER, and the keys that act in a talk."""

import pytest
from desk import a_queue
from handover_desk import HandoverDesk

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId, PhoneId, SessionId
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    MarkRecord,
    NoticeKind,
    NoticeRecord,
    Outcome,
    RecordingRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    TransferKind,
    TransferOutcome,
    TransferRecord,
    VisitRecord,
)
from ccserver.core.settings import HeadsetNotice, NumberKind


def outcomes(desk: HandoverDesk) -> list[tuple[TransferKind, str, TransferOutcome]]:
    return [(t.kind, t.to, t.outcome) for t in desk.kept(TransferRecord)]


def blind(digits: str, **queues: object) -> tuple[HandoverDesk, LegId, LegId]:
    desk = HandoverDesk(**queues)
    customer, offer = desk.talk()
    desk.asks(1, customer, offer.leg, "*1", digits)
    return desk, customer, offer.leg


# --- blind ----------------------------------------------------------------------------------------------------------------
def test_to_an_agent_who_answers() -> None:
    desk, _customer, _ = blind("102")
    assert desk.work(1) == [(1, "wrap_up")], "the transferrer wraps up as soon as the target is accepted"
    offer = desk.ring()
    assert offer.agent == "102"
    desk.ringing(offer)
    desk.joined(offer)
    assert desk.it().talk.agent == "102"
    assert outcomes(desk) == [(TransferKind.BLIND, "102", TransferOutcome.DONE)]
    assert desk.kept(VisitRecord)[-1].queue == "direct"


def test_to_a_queue_where_the_waiting_time_counts_on() -> None:
    desk, _, _ = blind("402")
    offer = desk.ring()
    assert offer.agent == "103"
    visit = desk.it().visit
    assert visit.queue == "support"
    desk.ringing(offer)
    desk.joined(offer)
    assert outcomes(desk) == [(TransferKind.BLIND, "support", TransferOutcome.DONE)]


def test_to_a_queue_that_is_full_or_closed_is_refused_before_the_customer_is_given_away() -> None:
    closed = a_queue(name="Support", number="402", skills=("support",), dispositions=(), hours="never")
    desk, _, agent = blind("402", support=closed)
    assert desk.told(c.Say)[0].say[0].value == "cc-transfer-refused"
    desk.prompt_ends(agent)
    desk.join_happens()
    assert desk.shown(1) is ShownState.TALKING
    assert outcomes(desk) == [(TransferKind.BLIND, "402", TransferOutcome.REFUSED)]


def test_an_agent_who_does_not_answer_gives_the_customer_back() -> None:
    desk, _customer, agent = blind("102")
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    assert desk.it().visit.only == "101"
    assert desk.it().wrapping == (), "it is not over yet for the transferrer"
    desk.hangs_up(agent)
    again = desk.ring()
    assert again.agent == "101"
    desk.ringing(again)
    desk.joined(again)
    assert outcomes(desk) == [(TransferKind.BLIND, "102", TransferOutcome.RETURNED)]


def test_a_transferrer_who_does_not_answer_either_and_the_head_of_the_queue() -> None:
    desk, _, agent = blind("102")
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    desk.hangs_up(agent)
    again = desk.ring()
    desk.ringing(again)
    desk.hangs_up(again.leg, cause=19)
    visit = desk.it().visit
    assert (visit.queue, visit.rank, visit.only) == ("sales", 0, None)
    assert outcomes(desk) == [(TransferKind.BLIND, "102", TransferOutcome.REQUEUED)]


def test_an_agent_who_stays_busy_gives_the_customer_back_in_time() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    desk.asks(1, customer, offer.leg, "*1", "102")
    assert desk.it().visit.only == "102"
    desk.wait(20.0)
    assert desk.it().visit.only == "101"


def test_a_transferrer_who_has_left_gets_nothing_back() -> None:
    desk, _, agent = blind("102")
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    desk.hangs_up(offer.leg, cause=19)
    assert desk.it().visit.queue == "sales"
    desk.hangs_up(agent)


def dial(desk: HandoverDesk) -> c.DialOut:
    (order,) = desk.told(c.DialOut)
    desk.tell(ev.LegStarted(leg=order.leg, channel="PJSIP/carrier-01"))
    return order


def test_to_a_number_outside() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "911")
    order = dial(desk)
    assert (order.to, order.caller_channel) == ("PJSIP/+34911@carrier", desk.leg(customer).channel)
    assert desk.state(1) == "held"
    desk.bridged(customer, order.leg)
    assert desk.state(1) == "talking"
    assert outcomes(desk) == [(TransferKind.BLIND, "+34911", TransferOutcome.DONE)]
    desk.now_s += 60.0
    desk.hangs_up(customer)
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [order.leg]
    desk.hangs_up(order.leg)
    desk.wait(30.0)
    desk.hangs_up(offer.leg)
    record = desk.kept(InteractionRecord)[-1]
    assert (record.outcome, record.ended_by) == (Outcome.ANSWERED, EndedBy.CUSTOMER)
    assert record.talk_s == pytest.approx(60.0)


@pytest.mark.parametrize("never_started", [False, True])
def test_nobody_answers_outside(never_started: bool) -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "911")
    if never_started:
        order = desk.told(c.DialOut)[0]
        command = next(i for i, x in reversed(desk.all) if isinstance(x, c.DialOut))
        desk.tell(ev.RingEnded(command=command, leg=order.leg, is_ok=False, reason=0))
    else:
        order = dial(desk)
        desk.hangs_up(order.leg, cause=19)
    assert desk.it().visit.only == "101"


def test_the_customer_hangs_up_while_somebody_outside_is_called() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "911")
    order = dial(desk)
    desk.hangs_up(customer)
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [order.leg]
    desk.hangs_up(order.leg)
    assert outcomes(desk) == [(TransferKind.BLIND, "+34911", TransferOutcome.CUSTOMER_GONE)]


def test_a_silent_dial_outside_is_ended() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.apart(customer, offer.leg)
    desk.number(offer.leg, "911")
    order = dial(desk)
    desk.wait(26.0)
    assert order.leg in [h.leg for h in desk.ever(c.HangUpLeg)]
    desk.hangs_up(order.leg)
    assert desk.state(1) in {"waiting", "offered"}


def test_a_second_key_while_one_is_in_progress_means_nothing() -> None:
    desk = HandoverDesk()
    _, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.keys(offer.leg, "*2")
    assert len(desk.ever(c.RedirectLegs)) == 1
    assert desk.it().handover.kind is TransferKind.BLIND


def test_the_move_to_the_desk_is_refused() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*1")
    desk.refused(c.RedirectLegs)
    desk.join_happens()
    assert desk.state(1) == "talking"
    assert desk.it().talk.agent == "101"
    desk.hangs_up(customer)
    assert desk.work(1) == [(1, "wrap_up")]


# --- the phone's own --------------------------------------------------------------------------------------------------------
def refer(desk: HandoverDesk, customer: LegId, to: str, kind: NumberKind = NumberKind.INTERNAL) -> None:
    desk.left(customer)
    session = SessionId(f"x-{len(desk.all)}")
    desk.tell(ev.TransferAsked(session=session, leg=customer, channel="PJSIP/trunk-1", to=to, number=to, kind=kind))


@pytest.mark.parametrize("leg_first", [False, True])
def test_a_refer_is_a_blind_transfer_whatever_is_read_first(leg_first: bool) -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    if leg_first:
        desk.hangs_up(offer.leg)
        refer(desk, customer, "102")
    else:
        refer(desk, customer, "102")
        second = desk.ring()
        desk.hangs_up(offer.leg)
        assert desk.state(1) == "offered"
        assert second.agent == "102"
    assert desk.work(1) == [(1, "wrap_up")]
    offers = [o for o in desk.ever(c.RingAgent) if o.agent == "102"]
    desk.ringing(offers[0])
    desk.joined(offers[0])
    assert outcomes(desk) == [(TransferKind.REFER, "102", TransferOutcome.DONE)]


def test_a_refer_to_what_is_refused_comes_back() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.hangs_up(offer.leg)
    refer(desk, customer, "811", NumberKind.PREMIUM)
    assert desk.it().visit.only == "101"
    assert outcomes(desk) == [(TransferKind.REFER, "811", TransferOutcome.REFUSED)]


def attended(desk: HandoverDesk, customer: LegId, agent: LegId, target: LegId, channel: str) -> None:
    desk.tell(ev.LegLeftBridge(leg=customer, bridge=desk.leg(customer).bridge))
    desk.tell(ev.LegEnteredBridge(leg=customer, bridge="consult"))
    desk.tell(
        ev.LegsTransferred(
            transferrer=agent, second=LegId("pbx", "1.8"), transferee=customer, target=target, target_channel=channel
        )
    )


@pytest.mark.parametrize("leg_first", [False, True])
def test_an_attended_refer_to_another_agent_moves_the_talk(leg_first: bool) -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    target = LegId("pbx", "1700000009.1")
    if leg_first:
        desk.hangs_up(offer.leg)
    attended(desk, customer, offer.leg, target, "PJSIP/1002-0000001a")
    if not leg_first:
        desk.hangs_up(offer.leg)
    assert desk.it().talk.agent == "102"
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.shown(2) is ShownState.TALKING
    desk.hangs_up(target)
    assert desk.work(2) == [(1, "wrap_up")]
    assert outcomes(desk) == [(TransferKind.REFER, "102", TransferOutcome.DONE)]


@pytest.mark.parametrize("is_recorded", [True, False])
def test_the_talk_that_an_attended_refer_moves_is_recorded_as_the_queue_says(is_recorded: bool) -> None:
    policy = RecordingPolicy(mode=RecordingMode.ALWAYS if is_recorded else RecordingMode.ON_DEMAND)
    desk = HandoverDesk(sales=a_queue(record=policy))
    customer, offer = desk.talk()
    target = LegId("pbx", "1700000009.1")
    attended(desk, customer, offer.leg, target, "PJSIP/1002-0000001a")
    started = [(each.what, each.leg) for each in desk.told(c.ControlRecording)]
    assert started == ([(c.RecordingStep.START, target)] if is_recorded else [])
    desk.hangs_up(offer.leg)
    desk.now_s += 4.0
    desk.hangs_up(target)
    kept = [(each.agent, each.leg) for each in desk.kept(RecordingRecord)]
    assert kept == ([("101", offer.leg), ("102", target)] if is_recorded else [])


def test_an_attended_refer_to_somebody_else_is_a_guest() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    target = LegId("pbx", "1700000009.1")
    attended(desk, customer, offer.leg, target, "PJSIP/carrier-0000001a")
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "talking"
    assert desk.it().talk is None
    desk.hangs_up(customer)
    desk.hangs_up(target)
    desk.wait(30.0)
    assert desk.state(1) == "over"


# --- keys in a talk -----------------------------------------------------------------------------------------------------------
def test_release_lets_the_customer_go_and_says_who_did() -> None:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, "*0")
    assert [h.leg for h in desk.told(c.HangUpLeg)] == [customer]
    desk.hangs_up(customer)
    desk.wraps(offer.leg)
    desk.wait(30.0)
    desk.hangs_up(offer.leg)
    assert desk.kept(InteractionRecord)[-1].ended_by is EndedBy.AGENT


def test_recording_on_demand_and_paused() -> None:
    desk = HandoverDesk(sales=a_queue(record=RecordingPolicy(mode=RecordingMode.ON_DEMAND)))
    customer, offer = desk.talk()
    desk.now_s += 5.0
    desk.keys(offer.leg, "*5")
    assert not desk.ever(c.ControlRecording), "nothing is being recorded"
    desk.keys(offer.leg, "*4")
    desk.keys(offer.leg, "*5")
    desk.keys(offer.leg, "*5")
    steps = [s.what for s in desk.ever(c.ControlRecording)]
    assert steps == [c.RecordingStep.START, c.RecordingStep.PAUSE, c.RecordingStep.RESUME]
    desk.now_s += 7.0
    desk.hangs_up(customer)
    (kept,) = desk.kept(RecordingRecord)
    assert kept.duration_s == pytest.approx(7.0)


def test_help_and_malicious_are_told_and_marked() -> None:
    desk = HandoverDesk()
    _, offer = desk.talk()
    desk.keys(offer.leg, "*6")
    desk.keys(offer.leg, "*7")
    assert [m.what for m in desk.kept(MarkRecord)] == ["help", "malicious"]
    kinds = [n.kind for n in desk.kept(NoticeRecord)]
    assert kinds[-2:] == [NoticeKind.HELP_WANTED, NoticeKind.MALICIOUS]


def test_the_customers_digits_are_not_listened_to() -> None:
    desk = HandoverDesk()
    customer, _ = desk.talk()
    assert not desk.center.listens_to(customer)
    desk.tell(ev.LegDigit(leg=customer, digit="*"), ev.LegDigit(leg=customer, digit="0"))
    assert not desk.told(c.HangUpLeg)


# --- errands --------------------------------------------------------------------------------------------------------------------
def errand(code: str = "1") -> tuple[HandoverDesk, LegId, LegId]:
    desk = HandoverDesk()
    customer, offer = desk.talk()
    desk.keys(offer.leg, f"*8{code}#")
    return desk, customer, offer.leg


def test_the_customer_pays_and_comes_back() -> None:
    desk, customer, agent = errand()
    desk.done(c.RedirectLegs)
    desk.left(customer, agent)
    desk.arrive(customer)
    assert desk.told(c.Say)[0].say[0].value == "pay"
    desk.desk(agent)
    desk.now_s += 30.0
    desk.prompt_ends(customer)
    (result,) = desk.told(c.Say)
    assert result.say[0].value == "paid"
    desk.prompt_ends(agent)
    desk.join_happens()
    assert desk.state(1) == "talking"
    assert (desk.it().flow, desk.it().node) == ("straight", "q")
    (segment,) = [s for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.ERRAND]
    assert segment.duration_s == pytest.approx(30.0)


def test_the_customer_hangs_up_in_the_flow() -> None:
    desk, customer, agent = errand()
    desk.apart(customer, agent)
    desk.hangs_up(customer)
    assert desk.work(1) == [(1, "wrap_up")]
    assert desk.told(c.Collect)
    assert desk.kept(TransferRecord) == []


def test_the_agents_line_breaks_and_the_customer_goes_to_the_head_of_the_queue() -> None:
    desk, customer, agent = errand()
    desk.apart(customer, agent)
    desk.hangs_up(agent, cause=102)
    assert desk.state(1) == "menu"
    desk.prompt_ends(customer)
    assert desk.it().visit.rank == 0


def test_a_flow_that_leads_on_takes_the_customer_away() -> None:
    desk, customer, agent = errand("2")
    desk.apart(customer, agent)
    assert desk.it().visit.queue == "support"
    assert desk.work(1) == [(1, "wrap_up")]


def test_a_code_that_no_flow_has_changes_nothing() -> None:
    desk, _, _ = errand("9")
    assert desk.state(1) == "talking"
    assert not desk.ever(c.RedirectLegs)


# --- lines that stay --------------------------------------------------------------------------------------------------------------
def on_a_headset() -> tuple[HandoverDesk, LegId, LegId]:
    """Agent 101 on a headset, in a talk."""
    desk = HandoverDesk(direct=a_queue(name="Direct", skills=(), wrap_up_s=5.0, headset_notice=HeadsetNotice.NOTHING))
    line = LegId("pbx", "1700000005.1")
    session = SessionId("line")
    desk.tell(
        ev.FeatureDialled(session=session, leg=line, channel="PJSIP/1001-05", phone=PhoneId("PJSIP/1001"), digits="18101")
    )
    desk.tell(ev.SecretChecked(session=session, command=desk.all[-1][0], is_ok=True))
    while desk.told(c.Say):
        desk.prompt_ends(line)
    desk.tell(ev.SessionClosed(session=session), ev.LegParked(leg=line))
    customer = desk.call()
    if not desk.told(c.JoinLeg):
        desk.done(c.RedirectLegs)
        desk.desk(line)
        desk.prompt_ends(line)
        desk.tell(ev.SessionClosed(session=desk.session_of(line)), ev.LegParked(leg=line))
    desk.join_happens()
    assert desk.state(1) == "talking"
    return desk, customer, line


def test_a_headset_hands_on_and_its_line_stays() -> None:
    desk, customer, line = on_a_headset()
    desk.asks(1, customer, line, "*1", "102")
    (end,) = desk.told(c.EndSession)
    assert end.next is c.Next.PARK
    desk.tell(ev.SessionClosed(session=desk.session_of(line)), ev.LegParked(leg=line))
    desk.wait(21.0)
    assert desk.leg(line) is not None
    assert not any(h.leg == line for h in desk.ever(c.HangUpLeg))
    assert desk.shown(1) is ShownState.READY


def test_a_headset_completes_a_consultation_and_its_line_stays() -> None:
    desk, customer, line = on_a_headset()
    desk.asks(1, customer, line, "*2", "102")
    offer = desk.ring()
    desk.ringing(offer)
    desk.joined(offer)
    desk.keys(line, "*1")
    (order,) = desk.told(c.RedirectLegs)
    assert [(m.leg, m.place) for m in order.moves] == [(line, c.Place.PARK)]
    desk.join_happens()
    desk.left(line)
    desk.done(c.RedirectLegs)
    desk.tell(ev.LegParked(leg=line))
    desk.wait(21.0)
    assert desk.it().talk.agent == "102"
    assert not any(h.leg == line for h in desk.ever(c.HangUpLeg))
    assert desk.shown(1) is ShownState.READY
    assert desk.leg(customer) is not None


# --- transferred while nobody listened ----------------------------------------------------------------------------------------
def seen(leg: LegId, name: str) -> ev.ChannelView:
    return ev.ChannelView(leg=leg, channel=name, is_up=True, bridge="consult", application="Dial", context="")


@pytest.mark.parametrize("was", ["ringing", "talking", "back already"])
@pytest.mark.parametrize(("phone", "target"), [("PJSIP/1002-0000001a", "agent"), ("PJSIP/carrier-0000001a", "guest")])
def test_an_attended_refer_while_the_link_was_down_is_seen_afterwards(was: str, phone: str, target: str) -> None:
    """Else the customer would be taken for one who waits, and the next agent's phone would take them out of their talk."""
    desk = HandoverDesk()
    if was == "ringing":
        customer = desk.call()
        offer = desk.ring()
    else:
        customer, offer = desk.talk()
    if was == "back already":
        desk.hangs_up(offer.leg)
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    other = LegId("pbx", "1700000009.1")
    desk.observe(seen(customer, f"c-{customer.uniqueid}"), seen(other, phone))
    assert desk.state(1) == "talking"
    assert outcomes(desk) == [(TransferKind.REFER, "102" if target == "agent" else "PJSIP/carrier", TransferOutcome.DONE)]
    assert desk.work(1) == [(1, "wrap_up")]
    assert (desk.shown(2) is ShownState.TALKING) == (target == "agent")
    desk.wait(20.0)
    assert len(desk.ever(c.RingAgent)) == 1, "nobody else is called for who is in a talk"
    desk.hangs_up(customer)
    desk.hangs_up(other)
    desk.wait(30.0)
    assert desk.kept(InteractionRecord)[-1].outcome is Outcome.ANSWERED


def test_a_customer_who_is_seen_in_a_talk_with_a_leg_of_ours_was_not_transferred() -> None:
    desk = HandoverDesk()
    customer = desk.call()
    offer = desk.ring()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    desk.observe(seen(customer, f"c-{customer.uniqueid}"), seen(offer.leg, "PJSIP/1001-00000001"))
    assert desk.it().talk.agent == "101"
    assert outcomes(desk) == []

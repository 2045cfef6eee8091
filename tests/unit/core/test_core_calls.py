"""A call's way through the core, and each way in which it can fail."""

import pytest
from desk import Desk, a_queue, spoken

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import (
    EndedBy,
    InteractionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    PhoneState,
    RecordingRecord,
    SegmentKind,
    SegmentRecord,
    ShownState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import AllOf, Exit, ExitKind, HasSkill, SpokenKind


def outcomes(desk: Desk) -> list[VisitOutcome]:
    return [v.outcome for v in desk.kept(VisitRecord)]


# --- the menu -----------------------------------------------------------------------------------------------------------
def test_a_caller_goes_through_the_menu_into_the_queue() -> None:
    desk = Desk()
    caller = desk.call("900")
    assert desk.told(c.AnswerCall) and desk.told(c.Say)[0].say == spoken("welcome")
    desk.prompt_ends(caller)
    ask = desk.told(c.Collect)[0]
    assert ask.max_digits == 2 and ask.complete == ("11", "2")
    desk.types(caller, "2")
    offer = desk.ring()
    assert offer.number == "+34911222333" and offer.name == "Sales"
    assert desk.center.snapshot().interactions[1].visit.requires == AllOf((HasSkill("sales"), HasSkill("spanish")))


def test_a_silent_caller_is_asked_again_and_then_leaves_by_the_no_input_exit() -> None:
    desk = Desk()
    caller = desk.call("900")
    desk.prompt_ends(caller)
    desk.types(caller, "")
    assert desk.told(c.Collect)
    desk.types(caller, "")
    assert desk.ring()


def test_wrong_digits_leave_by_the_invalid_exit() -> None:
    desk = Desk()
    caller = desk.call("900")
    desk.prompt_ends(caller)
    desk.types(caller, "7")
    desk.types(caller, "8")
    assert desk.told(c.Say)[0].say == spoken("bye")
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(caller)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.REFUSED


def test_a_caller_who_hangs_up_in_the_menu_is_on_record() -> None:
    desk = Desk()
    caller = desk.call("900")
    desk.hangs_up(caller, cause=0)
    record = desk.kept(InteractionRecord)[0]
    assert (record.outcome, record.ended_by) == (Outcome.LEFT_IN_MENU, EndedBy.CUSTOMER)


def test_a_hang_up_that_is_read_before_the_arrival() -> None:
    desk = Desk()
    leg = LegId("pbx", "1700000000.77")
    desk.tell(ev.LegEnded(leg=leg, cause=0))
    desk.arrive(leg, did="900")
    assert not desk.told(c.Say) and desk.told(c.EndSession)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.LEFT_IN_MENU


def test_a_closed_line_is_refused_unanswered() -> None:
    desk = Desk()
    desk.call("902")
    assert desk.told(c.EndSession)[0].cause == 21 and not desk.ever(c.AnswerCall)


def test_a_session_that_died_starts_the_node_again() -> None:
    desk = Desk()
    caller = desk.call("900")
    desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
    desk.arrive(caller, did="900")
    assert desk.told(c.Say)[0].say == spoken("welcome") and not desk.told(c.AnswerCall)
    assert desk.count == 1 and len(desk.center.snapshot().interactions) == 1


# --- the talk -----------------------------------------------------------------------------------------------------------
def test_the_customer_hangs_up_first_and_the_agent_types_the_disposition() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    assert desk.shown(1) is ShownState.TALKING
    desk.now_s += 30.0
    desk.hangs_up(caller)
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    assert desk.told(c.Collect)
    desk.types(offer.leg, "1")
    desk.prompt_ends(offer.leg)
    assert desk.told(c.EndSession)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.READY
    record = desk.kept(InteractionRecord)[0]
    assert (record.outcome, record.disposition, record.ended_by) == (Outcome.ANSWERED, "sold", EndedBy.CUSTOMER)
    assert record.talk_s == pytest.approx(30.0) and record.wait_s == pytest.approx(2.0)
    kinds = [s.kind for s in desk.kept(SegmentRecord)]
    assert kinds == [SegmentKind.MENU, SegmentKind.RING, SegmentKind.WAIT, SegmentKind.TALK]
    assert desk.kept(RecordingRecord)[0].path == offer.recording


def test_the_agent_hangs_up_first_and_the_call_ends() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    desk.hangs_up(offer.leg)
    desk.arrive(caller)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(caller)
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.READY
    assert desk.kept(InteractionRecord)[0].ended_by is EndedBy.AGENT


def test_a_talk_that_an_operator_ends_is_ended_by_the_system_whichever_socket_tells_first() -> None:
    """The agent's leg asks for its wrap-up over FastAGI, the customer's Hangup comes over AMI."""
    for is_wrap_up_first in (True, False):
        desk = Desk()
        caller, offer = desk.talk()
        desk.tell(ev.HangUpRequested(request=1, interaction=1))
        assert [x.leg for x in desk.told(c.HangUpLeg)] == [caller]
        if is_wrap_up_first:
            desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
            desk.hangs_up(caller)
        else:
            desk.hangs_up(caller)
            desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
        assert desk.shown(1) is ShownState.WRAP_UP
        desk.hangs_up(offer.leg)
        desk.wait(20.0)
        (talk,) = [s for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.TALK]
        assert (desk.kept(InteractionRecord)[0].ended_by, talk.detail) == (EndedBy.SYSTEM, "system")


def test_the_customer_comes_back_before_the_end_of_the_agents_leg_is_read() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    desk.arrive(caller)
    assert not desk.told(c.EndSession)
    desk.hangs_up(offer.leg)
    assert desk.told(c.EndSession)
    assert desk.state(1) == "leaving"


def test_the_agents_line_breaks_and_the_customer_goes_first() -> None:
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    other = desk.call()
    desk.now_s += 60.0
    desk.hangs_up(offer.leg, cause=44)
    desk.arrive(caller)
    say = desk.told(c.Say)[0].say
    assert say == spoken("cc-call-lost")
    assert desk.shown(1) is ShownState.BACK_OFF
    desk.prompt_ends(caller)
    desk.wait(10.0)
    again = desk.ring()
    assert again.caller == caller, "the one who was cut off goes before the one who waits"
    assert [s.detail for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.TALK] == ["agent_lost"]
    assert desk.center.snapshot().legs[other].role.value == "caller"


def test_wrap_up_ends_by_time() -> None:
    desk = Desk()
    caller, _offer = desk.talk()
    desk.hangs_up(caller)
    desk.wait(19.9)
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.wait(0.2)
    assert desk.told(c.HangUpLeg), "the kept leg is let go"
    desk.hangs_up(_offer.leg)
    assert desk.shown(1) is ShownState.READY


def test_a_talk_has_a_maximum_length() -> None:
    desk = Desk(sales=a_queue(max_talk_s=100.0))
    _caller, offer = desk.talk()
    assert offer.max_talk_s > 100.0, "the dialplan's own limit is for the time without us: it must not come first"
    desk.wait(100.1)
    assert desk.told(c.HangUpLeg)[0].leg == offer.leg
    desk.hangs_up(offer.leg)
    assert desk.state(1) == "returning"


def test_hold_is_shown_and_kept_and_never_cut() -> None:
    desk = Desk()
    _caller, offer = desk.talk()
    desk.tell(ev.LegHeld(leg=offer.leg))
    assert desk.shown(1) is ShownState.ON_HOLD
    desk.wait(600.0)
    desk.tell(ev.LegUnheld(leg=offer.leg), ev.LegUnheld(leg=offer.leg))
    assert desk.shown(1) is ShownState.TALKING
    hold = [s for s in desk.kept(SegmentRecord) if s.kind is SegmentKind.HOLD]
    assert len(hold) == 1 and hold[0].duration_s == pytest.approx(600.0)


# --- offers that fail ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cause", "tech_cause", "outcome", "back_off_s"),
    [
        (19, 480, OfferOutcome.MISSED, 5.0),
        (21, 603, OfferOutcome.REJECTED, 10.0),
        (17, 486, OfferOutcome.BUSY, 10.0),
    ],
)
def test_an_offer_not_taken(cause: int, tech_cause: int, outcome: OfferOutcome, back_off_s: float) -> None:
    desk = Desk(agents=1)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause, tech_cause)
    assert desk.kept(OfferRecord)[0].outcome is outcome
    assert desk.shown(1) is ShownState.BACK_OFF and desk.state(1) == "waiting"
    desk.wait(back_off_s - 0.1)
    assert not desk.told(c.RingAgent)
    desk.wait(0.2)
    assert desk.ring().agent == "101"


def test_the_next_agent_is_rung_only_when_the_first_leg_has_ended() -> None:
    desk = Desk(agents=2)
    desk.call()
    first = desk.ring()
    desk.ringing(first)
    desk.wait(14.9)
    assert len(desk.ever(c.RingAgent)) == 1
    desk.hangs_up(first.leg, 19, 480)
    assert desk.ring().agent == "102"


def test_after_so_many_missed_offers_the_agent_is_put_not_ready() -> None:
    desk = Desk(agents=1)
    desk.call()
    for _ in range(2):
        offer = desk.ring()
        desk.ringing(offer)
        desk.hangs_up(offer.leg, 19, 480)
        desk.wait(5.0)
    assert desk.shown(1) is ShownState.NOT_READY
    assert desk.center.snapshot().agents["101"].reason == "missed"


def test_an_unregistered_phone_is_unreachable_until_its_contact_is_back() -> None:
    desk = Desk(agents=1)
    desk.call()
    offer = desk.ring()
    command = desk.last[[x for _, x in desk.last].index(offer)][0]
    desk.tell(ev.RingEnded(command=command, leg=offer.leg, is_ok=False, reason=0))
    desk.wait(1.0)
    assert desk.shown(1) is ShownState.UNREACHABLE
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.UNREACHABLE
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert desk.ring().agent == "101"


def test_a_phone_that_is_busy_at_once_is_not_taken_for_unreachable() -> None:
    """Asterisk told the end of the dial 10 ms before the beginning of its channel; the agent was unreachable for ever after."""
    desk = Desk(agents=1)
    desk.call()
    offer = desk.ring()
    command = desk.last[[x for _, x in desk.last].index(offer)][0]
    desk.tell(ev.RingEnded(command=command, leg=offer.leg, is_ok=False, reason=0))
    assert not desk.kept(OfferRecord), "the leg's end is not known, nobody else may be called"
    desk.tell(ev.LegStarted(leg=offer.leg, channel="PJSIP/1001-01"), after_s=0.01)
    desk.hangs_up(offer.leg, 17, 486)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.BUSY
    assert desk.shown(1) is ShownState.BACK_OFF
    desk.wait(10.0)
    assert desk.ring().agent == "101"


def test_a_caller_hangs_up_before_the_phone_turns_out_to_be_unreachable() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    command = desk.last[[x for _, x in desk.last].index(offer)][0]
    desk.hangs_up(caller, cause=0)
    desk.tell(ev.RingEnded(command=command, leg=offer.leg, is_ok=False, reason=0))
    desk.wait(1.0)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.CALLER_GONE
    assert desk.shown(1) is ShownState.READY
    assert desk.state(1) == "over"


def test_the_caller_hangs_up_while_the_phone_rings() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.now_s += 6.0
    desk.hangs_up(caller, cause=0)
    assert desk.told(c.HangUpLeg)[0].leg == offer.leg
    desk.hangs_up(offer.leg)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.CALLER_GONE
    assert desk.shown(1) is ShownState.READY
    assert outcomes(desk) == [VisitOutcome.ABANDONED]


def test_the_caller_hangs_up_before_the_phone_is_called() -> None:
    """Asterisk refuses to hang up a channel that is not there yet, and then calls the phone: it would ring for nobody."""
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.hangs_up(caller, cause=0)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.tell(ev.LegStarted(leg=offer.leg, channel="PJSIP/1001-01"))
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.tell(ev.LegRinging(leg=offer.leg))
    assert not desk.told(c.HangUpLeg), "once is enough"
    desk.hangs_up(offer.leg)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.CALLER_GONE
    assert desk.shown(1) is ShownState.READY


def test_a_caller_whose_hang_up_asterisk_lost_at_the_join_is_hung_up() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LegAnswered(leg=offer.leg), ev.LegEnteredBridge(leg=caller, bridge="b"), ev.LegStranded(leg=caller))
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [caller]
    desk.tell(ev.LegEnteredBridge(leg=offer.leg, bridge="b"))
    desk.hangs_up(caller)
    desk.wait(30.0)
    desk.hangs_up(offer.leg)
    record = desk.kept(InteractionRecord)[0]
    assert (record.outcome, record.ended_by) == (Outcome.ANSWERED, EndedBy.CUSTOMER)
    assert desk.shown(1) is ShownState.READY


def test_the_caller_hangs_up_in_the_instant_of_the_answer() -> None:
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.now_s += 1.0
    desk.tell(ev.LegAnswered(leg=offer.leg))
    desk.hangs_up(caller, cause=0)
    desk.tell(ev.WrapUpOpened(session="w", leg=offer.leg))
    assert desk.told(c.EndSession)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.READY and desk.state(1) == "over"
    assert outcomes(desk) == [VisitOutcome.SHORT_ABANDONED]


def test_an_agent_who_answers_a_caller_who_has_just_gone_has_missed_nothing() -> None:
    """The agent's leg found nobody to join, and its end was told before the caller's."""
    desk = Desk(agents=1)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LegAnswered(leg=offer.leg))
    desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
    desk.hangs_up(offer.leg)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.CALLER_GONE
    assert not desk.told(c.RingAgent), "no other phone rings for a caller who is gone"
    desk.hangs_up(caller, cause=0)
    assert desk.shown(1) is ShownState.READY and desk.state(1) == "over"
    assert outcomes(desk) == [VisitOutcome.SHORT_ABANDONED]


def test_an_agent_who_answers_a_caller_whose_session_seems_open_has_missed_nothing() -> None:
    desk = Desk(agents=2)
    caller = desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.LegAnswered(leg=offer.leg))
    desk.hangs_up(offer.leg)
    assert desk.kept(OfferRecord)[0].outcome is OfferOutcome.CALLER_GONE and not desk.told(c.RingAgent)
    session = desk.session_of(caller)
    desk.hangs_up(caller, cause=0)
    desk.tell(ev.SessionClosed(session=session))
    assert desk.shown(1) is ShownState.READY and desk.state(1) == "over"


def test_a_session_of_a_caller_whose_end_was_read_first_is_no_new_call() -> None:
    """The agent hangs up, the customer's leg comes back into the loop and ends there, all within a few milliseconds."""
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    desk.hangs_up(offer.leg)
    desk.hangs_up(caller)
    session = desk.arrive(caller)
    assert [end.session for end in desk.told(c.EndSession)] == [session]
    desk.tell(ev.SessionClosed(session=session))
    desk.wait(30.0)
    assert len(desk.kept(InteractionRecord)) == 1 and len(desk.ever(c.RingAgent)) == 1
    assert not desk.center.snapshot().interactions


def test_a_caller_who_was_not_found_and_is_still_there_is_offered_again() -> None:
    """Back in the loop at once, or never told of again: after two seconds they wait on, since no end was told."""
    for comes_back in (True, False):
        desk = Desk(agents=2)
        caller = desk.call()
        offer = desk.ring()
        desk.ringing(offer)
        desk.tell(ev.LegAnswered(leg=offer.leg))
        desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
        desk.hangs_up(offer.leg)
        assert not desk.told(c.RingAgent)
        if comes_back:
            desk.arrive(caller)
        else:
            desk.wait(2.0)
        assert [ring.agent for ring in desk.told(c.RingAgent)] == ["101"], "who missed nothing is still first"


# --- the queue's doors --------------------------------------------------------------------------------------------------
def test_outside_hours() -> None:
    say = Exit(kind=ExitKind.HANG_UP, prompt="cc-closed")
    desk = Desk(sales=a_queue(hours="never", on_closed=say))
    caller = desk.call()
    assert desk.told(c.Say)[0].say == spoken("cc-closed")
    desk.prompt_ends(caller)
    desk.hangs_up(caller)
    assert outcomes(desk) == [VisitOutcome.REFUSED_CLOSED]


def test_a_full_queue_overflows_to_another() -> None:
    other = a_queue(name="Other", skills=("sales",))
    desk = Desk(logged_in=False, sales=a_queue(max_waiting=1, on_full=Exit(kind=ExitKind.QUEUE, target="other")), other=other)
    desk.call()
    desk.call()
    assert outcomes(desk) == [VisitOutcome.REFUSED_FULL]
    assert desk.center.snapshot().interactions[2].visit.queue == "other"


def test_nobody_logged_in() -> None:
    desk = Desk(logged_in=False, sales=a_queue(on_unstaffed=Exit(kind=ExitKind.EXTENSION, target="500")))
    desk.call()
    ended = desk.told(c.EndSession)[0]
    assert (ended.next, ended.extension) == (c.Next.EXTENSION, "500")
    assert outcomes(desk) == [VisitOutcome.REFUSED_UNSTAFFED]
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.OVERFLOWED


def test_the_longest_wait_leads_to_a_node_of_the_flow() -> None:
    desk = Desk(logged_in=False, sales=a_queue(max_wait_s=30.0, on_max_wait=Exit(kind=ExitKind.NODE, target="closed")))
    desk.call()
    desk.wait(30.1)
    assert desk.told(c.Say)[0].say == spoken("closed")
    assert outcomes(desk) == [VisitOutcome.OVERFLOWED]


def test_the_longest_wait_does_not_take_a_caller_from_a_ringing_phone() -> None:
    desk = Desk(agents=1, sales=a_queue(max_wait_s=5.0, on_max_wait=Exit(kind=ExitKind.NODE, target="closed")))
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.wait(6.0)
    assert desk.state(1) == "offered"
    desk.hangs_up(offer.leg, 19, 480)
    assert desk.told(c.Say)[0].say == spoken("closed")


def test_the_position_is_announced_and_then_music_is_on() -> None:
    desk = Desk(logged_in=False, sales=a_queue(announce_position_every_s=30.0))
    desk.call()
    second = desk.call()
    say = desk.told(c.Say)[0].say
    assert say[0].value == "cc-queue-position" and (say[1].kind, say[1].value) == (SpokenKind.NUMBER, "2")
    desk.prompt_ends(second)
    assert desk.told(c.WaitUntil)[0].timeout_s == 30.0
    desk.now_s += 30.0
    desk.wait_ends(second)
    assert desk.told(c.Say)


def test_the_longest_idle_agent_is_offered_first() -> None:
    desk = Desk(agents=2, logged_in=False)
    desk.log_in(2)
    desk.now_s += 5.0
    desk.log_in(1)
    desk.call()
    assert desk.ring().agent == "102"
    assert "longest idle" in desk.center.snapshot().interactions[1].offers[0].why


def test_a_caller_can_be_told_the_number_of_the_call() -> None:
    desk = Desk()
    desk.call("903")
    assert [(p.kind, p.value) for p in desk.told(c.Say)[0].say][1] == (SpokenKind.DIGITS, "1")


def test_a_caller_who_overflows_waits_in_the_new_queue_and_no_longer_in_the_old() -> None:
    other = a_queue(name="Other", skills=("spanish",))
    sales = a_queue(skills=("nobody",), max_wait_s=30.0, on_max_wait=Exit(kind=ExitKind.QUEUE, target="other"))
    desk = Desk(agents=1, sales=sales, other=other)
    desk.call()
    assert not desk.ever(c.RingAgent)
    desk.wait(30.1)
    assert desk.ever(c.RingAgent)[0].queue == "other"

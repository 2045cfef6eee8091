"""Agents on a headset: a line that is dialled once, parked between calls, joined without ringing."""

import pytest
from desk import Desk, a_queue
from handover_desk import HandoverDesk
from test_core_joins import bridged, channel, restarted

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import CommandId, LegId, RequestId
from ccserver.core.records import EndedBy, InteractionRecord, OfferOutcome, OfferRecord, PhoneState, SegmentRecord, ShownState
from ccserver.core.settings import HeadsetNotice, QueueSettings
from ccserver.core.state import Presence

LINE = LegId("pbx", "1800000000.1")


def dials(desk: Desk, digits: str, leg: LegId = LINE) -> None:
    """Agent 101's phone dials a feature code."""
    session = f"h-{leg.uniqueid}"
    channel_name = f"PJSIP/1001-{leg.uniqueid}"
    desk.tell(ev.FeatureDialled(session=session, leg=leg, channel=channel_name, phone="PJSIP/1001", digits=digits))


def parks(desk: Desk, leg: LegId = LINE) -> None:
    desk.tell(ev.LegLeftBridge(leg=leg, bridge=f"b-{leg.uniqueid}"))
    desk.tell(ev.LegParked(leg=leg))


def connected(notice: HeadsetNotice = HeadsetNotice.NOTHING, agents: int = 1, **changes: object) -> Desk:
    """Agent 101 is logged in, on a headset whose line is parked; the phone is in use by it."""
    queue: QueueSettings = a_queue(headset_notice=notice, **changes)
    desk = Desk(agents, sales=queue)
    dials(desk, "18")
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK
    desk.tell(ev.SessionClosed(session=f"h-{LINE.uniqueid}"), ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    parks(desk)
    assert desk.shown(1) is ShownState.READY
    return desk


def talks(desk: Desk) -> LegId:
    """A caller who is joined with the line."""
    caller = desk.call()
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.is_kept) == (LINE, True)
    bridged(desk, caller, LINE)
    assert desk.shown(1) is ShownState.TALKING
    return caller


def at_desk(desk: Desk, leg: LegId = LINE) -> None:
    desk.tell(ev.DeskOpened(session=f"d-{len(desk.all)}", leg=leg, channel=f"PJSIP/1001-{leg.uniqueid}"))


# --- the line -----------------------------------------------------------------------------------------------------------
def test_a_log_in_with_number_and_pin_ends_with_the_line_parked() -> None:
    desk = Desk(agents=1, logged_in=False)
    dials(desk, "18101")
    session = desk.session_of(LINE)
    assert desk.told(c.CollectSecret)
    desk.tell(ev.SecretChecked(session=session, command=desk.verbs[session], is_ok=True))
    assert [each.value for each in desk.told(c.Say)[0].say] == ["cc-login-done", "cc-headset-on"]
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK and desk.shown(1) is ShownState.ON_OWN_CALL
    parks(desk)
    assert desk.shown(1) is ShownState.READY


def test_a_wrong_pin_connects_nothing() -> None:
    desk = Desk(agents=1, logged_in=False)
    dials(desk, "18")
    desk.types(LINE, "101")
    session = desk.session_of(LINE)
    desk.tell(ev.SecretChecked(session=session, command=desk.verbs[session], is_ok=False))
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(LINE)
    assert desk.shown(1) is ShownState.LOGGED_OUT


# --- a call ---------------------------------------------------------------------------------------------------------------
def test_a_call_comes_without_ringing_and_the_line_parks_again() -> None:
    desk = connected()
    caller = talks(desk)
    assert not desk.ever(c.RingAgent)
    desk.hangs_up(caller)
    assert desk.shown(1) is ShownState.WRAP_UP
    parks(desk)
    assert desk.shown(1) is ShownState.WRAP_UP and not desk.ever(c.HangUpLeg)
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.READY and not desk.ever(c.HangUpLeg)
    desk.call()
    assert desk.told(c.JoinLeg)[0].leg == LINE


def test_the_line_parks_before_the_customers_end_is_read() -> None:
    desk = connected(wrap_up_s=0.0)
    caller = talks(desk)
    parks(desk)
    desk.hangs_up(caller)
    assert desk.shown(1) is ShownState.READY and not desk.ever(c.HangUpLeg)
    assert desk.kept(InteractionRecord)[0].ended_by is EndedBy.CUSTOMER


@pytest.mark.parametrize("notice", [HeadsetNotice.BEEP, HeadsetNotice.NAME])
def test_a_notice_is_heard_before_the_customer(notice: HeadsetNotice) -> None:
    desk = connected(notice, name_prompt="queue-sales")
    caller = desk.call()
    (move,) = desk.told(c.RedirectLegs)[0].moves
    assert (move.leg, move.place) == (LINE, c.Place.DESK) and not desk.told(c.JoinLeg)
    assert desk.told(c.WaitUntil), "the caller's music plays on"
    at_desk(desk)
    assert desk.told(c.Say)[0].say[0].value == {"beep": "cc-beep", "name": "queue-sales"}[notice.value]
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK and not desk.ever(c.JoinLeg)
    parks(desk)
    assert desk.told(c.JoinLeg)[0].caller == caller
    bridged(desk, caller, LINE)
    assert desk.shown(1) is ShownState.TALKING


@pytest.mark.parametrize("when", ["before the desk", "during the notice", "after it", "joining"])
def test_the_caller_goes_before_the_join_and_the_line_stays(when: str) -> None:
    desk = connected(HeadsetNotice.BEEP)
    caller = desk.call()
    if when == "before the desk":
        desk.hangs_up(caller)
        at_desk(desk)
    elif when == "during the notice":
        at_desk(desk)
        desk.hangs_up(caller)
    else:
        at_desk(desk)
        desk.prompt_ends(LINE)
        if when == "joining":
            parks(desk)
        desk.hangs_up(caller)
    assert desk.ever(c.EndSession)[-1].next is c.Next.PARK and desk.shown(1) is ShownState.RINGING
    parks(desk)
    assert desk.shown(1) is ShownState.READY and desk.state(1) == "over" and not desk.ever(c.HangUpLeg)
    assert [r.outcome for r in desk.kept(OfferRecord)] == [OfferOutcome.CALLER_GONE]
    assert len(desk.ever(c.JoinLeg)) == (when == "joining")


def test_a_join_that_finds_nobody_frees_the_line_and_waits_for_news_of_the_caller() -> None:
    desk = connected()
    caller = desk.call()
    parks(desk)
    assert desk.shown(1) is ShownState.READY and len(desk.ever(c.JoinLeg)) == 1
    desk.wait(3.0)
    assert len(desk.ever(c.JoinLeg)) == 2, "nothing was heard of the caller's end: they wait on"
    desk.hangs_up(caller)
    parks(desk)
    assert desk.state(1) == "over"


def test_a_refused_join_spares_the_agent_and_keeps_the_line() -> None:
    desk = connected()
    desk.tell(ev.PauseRequested(request=1, agent="101", reason="lunch"))
    desk.call()
    commands = desk.center.handle(ev.UnpauseRequested(request=1, agent="101"), desk.moment())
    number = next(i for i, x in enumerate(commands) if isinstance(x, c.JoinLeg))
    desk.tell(ev.CommandFailed(command=CommandId(desk.center.seq, number), reason="no such channel"))
    assert desk.told(c.RedirectLegs)[0].moves[0].place is c.Place.PARK and not desk.ever(c.HangUpLeg)
    parks(desk)
    assert desk.shown(1) is ShownState.BACK_OFF and [r.outcome for r in desk.kept(OfferRecord)] == [OfferOutcome.FAILED]
    desk.wait(10.0)
    assert desk.told(c.JoinLeg)


def test_a_line_that_neither_joins_nor_comes_back_is_ended() -> None:
    desk = connected()
    desk.call()
    desk.wait(4.0)
    assert desk.told(c.RedirectLegs) and not desk.ever(c.HangUpLeg)
    desk.wait(5.0)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [LINE]
    desk.hangs_up(LINE)
    assert desk.shown(1) is ShownState.UNREACHABLE and desk.state(1) == "waiting"


def test_an_operator_or_a_time_limit_ends_the_customer_and_not_the_line() -> None:
    desk = connected(max_talk_s=60.0)
    caller = talks(desk)
    desk.wait(60.0)
    assert [x.leg for x in desk.ever(c.HangUpLeg)] == [caller]


# --- the line is lost -------------------------------------------------------------------------------------------------
def test_a_line_that_breaks_leaves_the_agent_unreachable_until_it_is_dialled_again() -> None:
    desk = connected()
    desk.hangs_up(LINE, cause=44)
    assert desk.shown(1) is ShownState.UNREACHABLE
    desk.wait(3600.0)
    assert desk.shown(1) is ShownState.UNREACHABLE
    again = LegId("pbx", "1800000000.2")
    dials(desk, "18", again)
    assert not desk.told(c.CollectSecret) and not desk.told(c.Collect)
    desk.prompt_ends(again)
    parks(desk, again)
    assert desk.shown(1) is ShownState.READY


def test_who_hangs_up_the_line_is_logged_out_after_a_while() -> None:
    desk = connected()
    desk.hangs_up(LINE, cause=16)
    assert desk.shown(1) is ShownState.UNREACHABLE
    desk.wait(29.0)
    assert desk.shown(1) is ShownState.UNREACHABLE
    desk.wait(2.0)
    assert desk.shown(1) is ShownState.LOGGED_OUT


def test_a_customer_whose_agents_line_broke_waits_for_that_agent_first() -> None:
    desk = connected(agents=2)
    desk.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    caller = talks(desk)
    desk.hangs_up(LINE, cause=44)
    desk.arrive(caller)
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    assert not desk.ever(c.RingAgent), "another agent is free, and does not get the customer yet"
    again = LegId("pbx", "1800000000.2")
    dials(desk, "18", again)
    desk.prompt_ends(again)
    parks(desk, again)
    assert (desk.told(c.JoinLeg)[0].leg, desk.told(c.JoinLeg)[0].caller) == (again, caller)


def test_after_a_while_anybody_may_take_the_customer() -> None:
    desk = connected(agents=2)
    desk.tell(ev.PauseRequested(request=1, agent="102", reason="lunch"))
    caller = talks(desk)
    desk.hangs_up(LINE, cause=44)
    desk.arrive(caller)
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    desk.wait(29.0)
    assert not desk.ever(c.RingAgent)
    desk.wait(2.0)
    assert desk.ever(c.RingAgent)[0].caller == caller and desk.ever(c.RingAgent)[0].agent == "102"


def test_a_line_that_is_hung_up_in_a_talk_ends_the_talk_as_on_any_phone() -> None:
    desk = connected()
    caller = talks(desk)
    desk.hangs_up(LINE, cause=16)
    desk.arrive(caller)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    assert next(s.detail for s in desk.kept(SegmentRecord) if s.kind.value == "talk") == "agent"


def test_a_line_that_breaks_during_the_notice_leaves_the_caller_waiting() -> None:
    desk = connected(HeadsetNotice.BEEP)
    desk.call()
    at_desk(desk)
    desk.hangs_up(LINE, cause=44)
    assert desk.state(1) == "waiting" and desk.shown(1) is ShownState.UNREACHABLE


# --- keys ---------------------------------------------------------------------------------------------------------------
def test_a_star_on_the_parked_line_begins_a_feature_code() -> None:
    desk = connected()
    assert desk.center.listens_to(LINE)
    desk.tell(ev.LegDigit(leg=LINE, digit="*"))
    assert desk.told(c.RedirectLegs)[0].moves[0].place is c.Place.DESK and desk.shown(1) is ShownState.ON_OWN_CALL
    at_desk(desk)
    assert desk.told(c.Collect) and not desk.center.listens_to(LINE)
    desk.types(LINE, "131")
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK
    parks(desk)
    assert desk.shown(1) is ShownState.NOT_READY and not desk.ever(c.HangUpLeg)


def test_the_next_code_may_be_typed_into_the_answer_to_the_last() -> None:
    desk = connected()
    desk.tell(ev.LegDigit(leg=LINE, digit="*"))
    at_desk(desk)
    desk.types(LINE, "16")
    assert desk.told(c.Say)[0].stop_digits == "*"
    desk.prompt_ends(LINE, ev.VerbEnd.DIGIT)
    assert desk.told(c.Collect)
    desk.types(LINE, "*131")
    assert desk.told(c.Say)[0].say[0].value == "cc-not-ready"
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.PARK
    parks(desk)
    assert desk.shown(1) is ShownState.NOT_READY


def test_who_logs_out_on_the_line_says_no_more() -> None:
    desk = connected()
    desk.tell(ev.LegDigit(leg=LINE, digit="*"))
    at_desk(desk)
    desk.types(LINE, "12")
    assert desk.told(c.Say)[0].stop_digits == ""
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP


def test_nothing_after_the_star_parks_the_line_again() -> None:
    desk = connected()
    desk.tell(ev.LegDigit(leg=LINE, digit="*"))
    at_desk(desk)
    desk.types(LINE, "")
    assert desk.told(c.EndSession)[0].next is c.Next.PARK


def test_a_log_out_by_the_keypad_is_said_and_ends_the_line() -> None:
    desk = connected()
    desk.tell(ev.LegDigit(leg=LINE, digit="*"))
    at_desk(desk)
    desk.types(LINE, "12")
    assert desk.told(c.Say) and not desk.told(c.HangUpLeg)
    desk.prompt_ends(LINE)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP and desk.shown(1) is ShownState.LOGGED_OUT
    desk.hangs_up(LINE)
    assert not desk.center.snapshot().legs


def test_a_log_out_by_a_supervisor_ends_the_parked_line() -> None:
    desk = connected()
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [LINE]
    desk.hangs_up(LINE)
    agent = desk.center.snapshot().agents["101"]
    assert agent.presence is Presence.LOGGED_OUT and agent.line is None


def test_digits_on_the_parked_line_are_the_disposition() -> None:
    desk = connected()
    caller = talks(desk)
    desk.hangs_up(caller)
    parks(desk)
    desk.tell(ev.LegDigit(leg=LINE, digit="7"))
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.tell(ev.LegDigit(leg=LINE, digit="1"))
    assert desk.shown(1) is ShownState.READY and desk.kept(InteractionRecord)[0].disposition == "sold"


# --- restarts -----------------------------------------------------------------------------------------------------------
def test_lines_survive_a_restart_of_the_daemon_parked_or_talking() -> None:
    desk = connected()
    restarted(desk)
    desk.observe(channel(LINE, bridge="hold", application="BridgeWait"))
    assert desk.shown(1) is ShownState.READY
    caller = talks(desk)
    restarted(desk)
    desk.observe(channel(caller, bridge=f"b-{LINE.uniqueid}"), channel(LINE, bridge=f"b-{LINE.uniqueid}"))
    assert desk.shown(1) is ShownState.TALKING and not desk.ever(c.HangUpLeg)


def test_a_talk_that_ended_while_the_daemon_was_away_leaves_the_line_parked() -> None:
    desk = connected()
    talks(desk)
    restarted(desk)
    desk.observe(channel(LINE, bridge="hold", application="BridgeWait"))
    assert desk.shown(1) is ShownState.WRAP_UP and not desk.ever(c.HangUpLeg)
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.READY


def test_a_restart_of_the_pbx_breaks_the_line_and_logs_nobody_out() -> None:
    desk = connected()
    talks(desk)
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.now_s += 5.0
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=1.0))
    desk.observe()
    desk.wait(120.0)
    assert desk.shown(1) is ShownState.UNREACHABLE and not desk.center.snapshot().legs


# --- several ------------------------------------------------------------------------------------------------------------
def test_a_call_for_an_agent_who_talks_waits_until_the_line_is_parked() -> None:
    desk = connected()
    first = talks(desk)
    second = desk.call()
    assert len(desk.ever(c.JoinLeg)) == 1
    desk.hangs_up(first)
    desk.wait(20.0)
    assert len(desk.ever(c.JoinLeg)) == 1, "wrap-up is over, and the line is not parked yet"
    parks(desk)
    assert desk.told(c.JoinLeg)[0].caller == second


def test_late_news_of_the_place_where_it_waited_end_no_talk() -> None:
    desk = connected()
    talks(desk)
    desk.tell(ev.LegParked(leg=LINE))
    assert desk.shown(1) is ShownState.TALKING
    parks(desk)
    assert desk.shown(1) is ShownState.WRAP_UP


def test_news_of_the_place_where_it_waited_do_not_end_a_join_whose_news_of_the_customer_is_late() -> None:
    """Else the customer is rung at the next phone, which takes them out of the talk with the line."""
    desk = connected(agents=2)
    caller = desk.call()
    assert desk.told(c.JoinLeg)[0].leg == LINE
    desk.tell(ev.LegEnteredBridge(leg=LINE, bridge="b"), ev.LegParked(leg=LINE))
    assert desk.state(1) == "offered" and not desk.ever(c.RingAgent)
    desk.tell(ev.LegEnteredBridge(leg=caller, bridge="b"))
    assert desk.shown(1) is ShownState.TALKING and not desk.ever(c.RingAgent)


def test_a_join_of_whose_customer_nothing_is_heard_ends_before_anybody_else_is_rung() -> None:
    desk = connected(agents=2)
    caller = desk.call()
    desk.tell(ev.LegEnteredBridge(leg=LINE, bridge="b"), ev.LegParked(leg=LINE))
    desk.wait(4.0)
    assert desk.told(c.RedirectLegs)[0].moves[0].place is c.Place.PARK and not desk.ever(c.RingAgent)
    desk.tell(ev.LegLeftBridge(leg=LINE, bridge="b"), ev.LegParked(leg=LINE))
    assert desk.told(c.RingAgent)[0].caller == caller


def test_news_of_the_place_where_it_waited_mean_nothing_while_the_line_is_asked_or_told_something() -> None:
    desk = connected(HeadsetNotice.BEEP)
    caller = desk.call()
    at_desk(desk)
    desk.tell(ev.LegParked(leg=LINE))
    assert not desk.told(c.JoinLeg), "the notice is still being said"
    desk.prompt_ends(LINE)
    parks(desk)
    assert desk.told(c.JoinLeg)[0].caller == caller


def test_a_line_that_was_sent_away_may_park_before_the_end_of_its_session_is_told() -> None:
    desk = connected(HeadsetNotice.BEEP)
    caller = desk.call()
    at_desk(desk)
    desk.wait(16.0)
    assert desk.ever(c.RedirectLegs)[-1].moves[0].place is c.Place.PARK
    parks(desk)
    assert [offer.leg for offer in desk.kept(OfferRecord)] == [LINE]
    desk.hangs_up(caller)


def test_a_caller_who_is_missing_is_told_no_position() -> None:
    desk = connected(announce_position_every_s=30.0)
    caller = desk.call()
    parks(desk)
    desk.wait_ends(caller)
    assert desk.state(1) == "waiting" and desk.told(c.WaitUntil) and not desk.told(c.Say)


def test_a_customer_who_is_transferred_leaves_while_the_line_is_being_joined() -> None:
    """The join is the offer's, and ends as that of any offer does: the line parks again, and is free."""
    silent = a_queue(name="Direct", skills=(), dispositions=(), headset_notice=HeadsetNotice.NOTHING)
    desk = HandoverDesk(direct=silent)
    desk.tell(ev.LogoutRequested(request=RequestId(1), agent="101"))
    customer, offer = desk.talk()
    dials(desk, "18101")
    session = desk.session_of(LINE)
    desk.tell(ev.SecretChecked(session=session, command=desk.verbs[session], is_ok=True))
    desk.prompt_ends(LINE)
    desk.tell(ev.SessionClosed(session=session))
    parks(desk)
    desk.asks(2, customer, offer.leg, "*1", "101")
    (join,) = desk.told(c.JoinLeg)
    assert join.leg == LINE and desk.it().joining == LINE
    desk.hangs_up(customer)
    assert desk.it().joining == LINE
    desk.done(c.JoinLeg)
    parks(desk)
    assert not desk.work(1) and desk.shown(1) is ShownState.READY

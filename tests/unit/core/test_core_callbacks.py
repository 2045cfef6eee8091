"""What waiting callers are told, and being called back instead of waiting: each step, and each way in which it can fail."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue, spoken

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.announcements import expected
from ccserver.core.center import CallCenter
from ccserver.core.ids import CommandId, LegId
from ccserver.core.records import (
    AuditRecord,
    CallbackOutcome,
    CallbackRecord,
    InteractionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    ShownState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import (
    CallbackRules,
    CallerRules,
    Comfort,
    Exit,
    ExitKind,
    NumberKind,
    NumberMark,
    QueueSettings,
    Spoken,
    SpokenKind,
    Strategy,
)

RULES = CallbackRules(offer_after_s=20.0, tries=2, retry_after_s=600.0, ring_timeout_s=25.0, keeps_s=7200.0)
NUMBER = "+34911222333"


def sales(**changes: object) -> QueueSettings:
    return a_queue(**{"callback": RULES, **changes})


def a_desk(agents: int = 1, **changes: object) -> Desk:
    """Everybody is at lunch."""
    desk = Desk(agents, sales=sales(**changes))
    for agent in range(1, agents + 1):
        desk.tell(ev.PauseRequested(request=1, agent=f"10{agent}", reason="lunch"))
    return desk


def presses(desk: Desk, caller: LegId, key: str) -> None:
    """A key while the music plays."""
    session = desk.session_of(caller)
    desk.tell(ev.WaitEnded(session=session, command=desk.verbs[session], end=ev.VerbEnd.DIGIT, digit=key))


def types_number(desk: Desk, caller: LegId, digits: str, number: str, kind: NumberKind) -> None:
    session = desk.session_of(caller)
    (command,) = [i for i, x in desk.last if isinstance(x, c.CollectNumber)]
    desk.tell(
        ev.NumberCollected(session=session, command=command, end=ev.VerbEnd.DONE, digits=digits, number=number, kind=kind)
    )


def said(desk: Desk) -> list[str]:
    return [piece.value for say in desk.told(c.Say) for piece in say.say]


def asked(desk: Desk, **changes: object) -> LegId:
    """A caller who has asked to be called back, and is gone."""
    caller = desk.call(number=changes.pop("number", NUMBER))  # type: ignore[arg-type]
    desk.wait(30.0)
    presses(desk, caller, "1")
    desk.types(caller, "1")
    assert said(desk) == ["cc-callback-done"]
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)
    desk.hangs_up(caller)
    return caller


def comes_back(desk: Desk, agent: int = 1) -> c.RingAgent:
    desk.tell(ev.UnpauseRequested(request=1, agent=f"10{agent}"))
    return desk.ring()


def accepts(desk: Desk, offer: c.RingAgent) -> None:
    desk.tell(
        ev.LegStarted(leg=offer.leg, channel=f"{offer.phone}-01"), ev.LegAnswered(leg=offer.leg), ev.LegParked(leg=offer.leg)
    )


def hears_why(desk: Desk, offer: c.RingAgent, prompt: str) -> None:
    """An agent who has accepted is told why nobody is called, and let go."""
    (moved,) = desk.told(c.RedirectLegs)
    assert [(each.leg, each.place) for each in moved.moves] == [(offer.leg, c.Place.DESK)] and not desk.told(c.HangUpLeg)
    desk.tell(ev.DeskOpened(session=f"why-{len(desk.all)}", leg=offer.leg, channel=f"{offer.phone}-01"))
    assert [each.value for say in desk.told(c.Say) for each in say.say] == [prompt]
    desk.prompt_ends(offer.leg)
    assert [end.next for end in desk.told(c.EndSession)] == [c.Next.HANG_UP]
    desk.hangs_up(offer.leg)


def dialled(desk: Desk) -> c.DialOut:
    (dial,) = desk.told(c.DialOut)
    (command,) = [i for i, x in desk.last if isinstance(x, c.DialOut)]
    desk.tell(ev.CommandDone(command=command))
    return dial


def customer_answers(desk: Desk, dial: c.DialOut) -> None:
    desk.tell(
        ev.LegStarted(leg=dial.leg, channel="PJSIP/carrier-01"), ev.LegRinging(leg=dial.leg), ev.LegAnswered(leg=dial.leg)
    )
    desk.arrive(dial.leg)


def bridged(desk: Desk, customer: LegId, agent: LegId) -> None:
    desk.tell(ev.LegEnteredBridge(leg=customer, bridge="b"), ev.LegEnteredBridge(leg=agent, bridge="b"))


def records(desk: Desk) -> list[tuple[CallbackOutcome, int]]:
    return [(r.outcome, r.tries) for r in desk.kept(CallbackRecord)]


# --- announcements ------------------------------------------------------------------------------------------------------
def test_position_and_comfort_come_when_they_are_due_and_together_when_they_fall_together() -> None:
    comfort = (Comfort(prompt="patience", every_s=45.0),)
    desk = Desk(0, sales=a_queue(announce_position_every_s=30.0, comfort=comfort))
    caller = desk.call()
    heard = []
    for _ in range(6):
        if desk.told(c.Say):
            heard.append((desk.now_s - 100.1, said(desk)))
            desk.now_s += 2.0
            desk.prompt_ends(caller)
        (wait,) = desk.told(c.WaitUntil)
        assert wait.timeout_s is not None
        desk.now_s += wait.timeout_s
        desk.wait_ends(caller)
    assert [(pytest.approx(at), what) for at, what in heard] == [
        (0.0, ["cc-queue-next"]),
        (30.0, ["cc-queue-next"]),
        (45.0, ["patience"]),
        (60.0, ["cc-queue-next"]),
        (90.0, ["cc-queue-next", "patience"]),
        (120.0, ["cc-queue-next"]),
    ]


def test_nothing_is_said_while_a_phone_rings_for_the_caller() -> None:
    desk = Desk(1, sales=a_queue(announce_position_every_s=30.0))
    desk.call()
    assert desk.ring() and not desk.told(c.Say) and desk.told(c.WaitUntil)


def test_a_callback_is_offered_after_its_time_and_the_key_works_from_then_on() -> None:
    desk = a_desk()
    caller = desk.call()
    (wait,) = desk.told(c.WaitUntil)
    assert wait.stop_digits == "" and wait.timeout_s == pytest.approx(20.0)
    desk.now_s += 20.0
    desk.wait_ends(caller)
    (say,) = desk.told(c.Say)
    assert said(desk) == ["cc-callback-offer", "1"] and say.stop_digits == "1"
    desk.prompt_ends(caller)
    (wait,) = desk.told(c.WaitUntil)
    assert wait.stop_digits == "1" and wait.timeout_s == pytest.approx(60.0)


def test_another_key_changes_nothing() -> None:
    desk = a_desk()
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "5")
    assert not desk.told(c.Collect) and desk.state(1) == "waiting"


# --- the request --------------------------------------------------------------------------------------------------------
def test_the_request_keeps_the_place() -> None:
    desk = a_desk()
    asked(desk)
    desk.call(number="+34600000000")
    before = desk.center.snapshot().interactions
    assert before[2].kind == "callback" and before[2].leg is None and before[2].parent == 1
    assert before[2].visit is not None and before[2].visit.waiting_since_s == pytest.approx(100.1)
    assert [(v.outcome, v.queue) for v in desk.kept(VisitRecord)] == [(VisitOutcome.CALLED_BACK, "sales")]
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.CALLED_BACK
    assert comes_back(desk).interaction == 2


def test_the_number_is_read_back_and_another_may_be_typed() -> None:
    desk = a_desk()
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "1")
    (ask,) = desk.told(c.Collect)
    assert ask.say[1] == Spoken(SpokenKind.DIGITS, "34911222333") and ask.complete == ("1", "2")
    desk.types(caller, "2")
    types_number(desk, caller, "600111222", "+34600111222", NumberKind.MOBILE)
    assert desk.told(c.Collect)[0].say[1].value == "34600111222"
    session = desk.session_of(caller)
    desk.tell(ev.DigitsCollected(session=session, command=desk.verbs[session], end=ev.VerbEnd.DIGIT, digits="1"))
    request = desk.center.snapshot().interactions[2].callback
    assert request is not None and (request.number, request.confirmed_by) == ("+34600111222", "126001112221")


@pytest.mark.parametrize("kind", [NumberKind.PREMIUM, NumberKind.INTERNATIONAL, NumberKind.UNKNOWN, NumberKind.INTERNAL])
def test_a_number_that_costs_or_is_none_is_not_taken_and_the_caller_waits_on(kind: NumberKind) -> None:
    desk = a_desk()
    caller = desk.call(number=None)
    desk.wait(30.0)
    presses(desk, caller, "1")
    types_number(desk, caller, "803111222", "+34803111222", kind)
    assert said(desk) == ["cc-callback-no-number"] and desk.state(1) == "waiting"
    desk.prompt_ends(caller)
    assert desk.told(c.WaitUntil) and not desk.kept(VisitRecord)


def test_whoever_says_nothing_waits_on_in_the_old_place() -> None:
    desk = a_desk()
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "1")
    desk.types(caller, "")
    assert desk.told(c.WaitUntil) and desk.state(1) == "waiting" and len(desk.center.snapshot().interactions) == 1


def test_an_agent_who_becomes_free_while_the_number_is_asked_gets_the_caller() -> None:
    desk = a_desk()
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "1")
    offer = comes_back(desk)
    desk.ringing(offer)
    desk.types(caller, "1")
    assert desk.state(1) == "offered" and len(desk.center.snapshot().interactions) == 1
    desk.joined(offer)
    assert desk.state(1) == "talking"


def test_a_session_that_breaks_in_the_dialogue_leaves_the_caller_waiting() -> None:
    desk = a_desk()
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "1")
    desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
    desk.arrive(caller)
    assert desk.state(1) == "waiting" and (desk.told(c.WaitUntil) or desk.told(c.Say))


@pytest.mark.parametrize("breaks", [False, True])
def test_what_comes_due_while_the_number_is_asked_is_done_afterwards(breaks: bool) -> None:
    desk = a_desk(max_wait_s=32.0, on_max_wait=Exit(kind=ExitKind.HANG_UP, prompt="bye"))
    caller = desk.call()
    desk.wait(30.0)
    presses(desk, caller, "1")
    desk.wait(5.0)
    assert desk.state(1) == "waiting" and not desk.told(c.Say)
    if breaks:
        desk.tell(ev.SessionClosed(session=desk.session_of(caller)))
        desk.arrive(caller)
    else:
        desk.types(caller, "")
    assert said(desk) == ["bye"] and [v.outcome for v in desk.kept(VisitRecord)] == [VisitOutcome.OVERFLOWED]


def test_the_same_number_has_one_request() -> None:
    desk = a_desk()
    asked(desk)
    asked(desk)
    assert [i.kind for i in desk.center.snapshot().interactions.values()] == ["callback"]


def test_an_exit_to_a_callback_asks_at_once_and_lets_go_who_does_not_want_it() -> None:
    desk = a_desk(max_wait_s=10.0, on_max_wait=Exit(kind=ExitKind.CALLBACK))
    caller = desk.call()
    desk.wait(10.0)
    desk.types(caller, "")
    assert said(desk) == ["cc-goodbye"] and [v.outcome for v in desk.kept(VisitRecord)] == [VisitOutcome.OVERFLOWED]
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)
    second = desk.call()
    desk.wait(10.0)
    desk.types(second, "1")
    assert desk.kept(VisitRecord)[-1].outcome is VisitOutcome.CALLED_BACK


# --- the call -----------------------------------------------------------------------------------------------------------
def test_the_agent_accepts_the_customer_is_called_and_both_talk() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    assert offer.place is c.Place.PARK and offer.caller is None
    accepts(desk, offer)
    dial = dialled(desk)
    assert (dial.to, dial.place) == (f"PJSIP/{NUMBER}@carrier", c.Place.LOOP) and not desk.told(c.JoinLeg)
    customer_answers(desk, dial)
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.caller, join.caller_channel) == (offer.leg, dial.leg, f"PJSIP/trunk-{dial.leg.uniqueid}")
    bridged(desk, dial.leg, offer.leg)
    assert desk.shown(1) is ShownState.TALKING
    desk.now_s += 60.0
    desk.hangs_up(dial.leg)
    assert records(desk) == [(CallbackOutcome.DONE, 1)]
    record = desk.kept(CallbackRecord)[0]
    assert (record.call, record.number, record.confirmed_by, record.queue) == (1, NUMBER, "11", "sales")
    assert desk.kept(VisitRecord)[-1].outcome is VisitOutcome.ANSWERED


def test_a_customer_who_does_not_answer_is_tried_again_and_then_given_up_and_no_agent_is_blamed() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    desk.hangs_up(dialled(desk).leg, cause=19)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [offer.leg]
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.READY and not desk.told(c.RingAgent)
    desk.wait(599.0)
    assert len(desk.ever(c.RingAgent)) == 1
    desk.wait(2.0)
    again = desk.ever(c.RingAgent)[-1]
    assert again.leg != offer.leg
    accepts(desk, again)
    desk.hangs_up(dialled(desk).leg, cause=17)
    desk.hangs_up(again.leg)
    assert desk.state(2) == "over" and records(desk) == [(CallbackOutcome.GIVEN_UP, 2)]
    assert {r.outcome for r in desk.kept(OfferRecord)} == {OfferOutcome.CANCELLED}


def test_a_dial_that_asterisk_refuses_counts_as_a_try() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    desk.tell(ev.LegStarted(leg=offer.leg, channel="x"), ev.LegAnswered(leg=offer.leg))
    commands = desk.center.handle(ev.LegParked(leg=offer.leg), desk.moment())
    place = next(n for n, x in enumerate(commands) if isinstance(x, c.DialOut))
    desk.tell(ev.CommandFailed(command=CommandId(desk.center.seq, place), reason="no trunk"))
    desk.hangs_up(offer.leg)
    found = desk.center.snapshot().interactions[2]
    assert found.leg is None and found.callback is not None and (found.callback.tries, found.callback.is_resting) == (1, True)


def test_an_agent_who_hangs_up_while_the_customers_phone_rings_ends_that_too() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.hangs_up(offer.leg)
    assert [x.leg for x in desk.told(c.HangUpLeg)] == [dial.leg]
    assert not desk.told(c.RingAgent)
    desk.hangs_up(dial.leg)
    desk.wait(1.0)
    assert desk.state(2) == "waiting" and desk.center.snapshot().interactions[2].leg is None


def test_a_customer_who_answers_when_the_agent_is_just_gone_waits_first_in_line() -> None:
    desk = a_desk(2)
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    customer_answers(desk, dial)
    desk.hangs_up(offer.leg, cause=38)
    found = desk.center.snapshot().interactions[2]
    assert found.state.value == "waiting" and found.leg == dial.leg and found.visit is not None and found.visit.rank == 0
    desk.wait(2.0)
    second = desk.ring()
    assert second.caller == dial.leg and second.place is c.Place.JOIN
    desk.ringing(second)
    desk.joined(second)
    desk.hangs_up(dial.leg)
    assert records(desk) == [(CallbackOutcome.DONE, 1)]


def test_two_agents_whose_phones_ring_never_dial_twice() -> None:
    desk = Desk(2, sales=sales(strategy=Strategy.RING_ALL))
    for agent in ("101", "102"):
        desk.tell(ev.PauseRequested(request=1, agent=agent, reason="lunch"))
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.tell(ev.LegParked(leg=offer.leg))
    assert not desk.told(c.DialOut) and not desk.told(c.JoinLeg)
    customer_answers(desk, dial)
    assert len(desk.ever(c.DialOut)) == 1


def test_the_end_of_the_customers_leg_may_be_read_before_its_arrival() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.hangs_up(dial.leg)
    desk.arrive(dial.leg)
    assert desk.told(c.EndSession) and len(desk.center.snapshot().interactions) == 1


# --- when it is lawful, and when it is over -----------------------------------------------------------------------------
def test_it_rests_outside_the_hours_at_which_customers_may_be_called() -> None:
    desk = a_desk(callback=replace(RULES, hours="mornings", keeps_s=48 * 3600.0))
    desk.wait(6 * 3600.0)
    asked(desk)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    assert not desk.told(c.RingAgent)
    desk.wait(15 * 3600.0)
    assert not desk.ever(c.RingAgent)
    desk.wait(2 * 3600.0)
    first = desk.ever(c.RingAgent)[0]
    assert first.interaction == 2


def test_hours_that_end_while_the_agent_is_sought_are_obeyed_at_the_dial() -> None:
    desk = a_desk(callback=replace(RULES, hours="mornings", keeps_s=48 * 3600.0), ring_timeout_s=60.0)
    desk.wait(4 * 3600.0 - desk.now_s - 60.0)
    asked(desk)
    desk.wait(4 * 3600.0 - desk.now_s - 5.0)
    offer = comes_back(desk)
    desk.now_s += 10.0
    accepts(desk, offer)
    assert not desk.ever(c.DialOut)
    hears_why(desk, offer, "cc-law-hours")
    assert not desk.told(c.RingAgent) and desk.shown(1) is ShownState.READY


def test_a_number_that_was_blocked_meanwhile_is_not_called() -> None:
    desk = a_desk()
    asked(desk)
    blocked = CallerRules(marks={NUMBER: NumberMark.BLOCKED})
    desk.settings = replace(desk.settings, content_hash="blocked", callers=blocked)
    desk.tell(ev.SettingsLoaded(settings=desk.settings))
    offer = comes_back(desk)
    accepts(desk, offer)
    assert not desk.ever(c.DialOut)
    desk.hangs_up(offer.leg)
    assert records(desk) == [(CallbackOutcome.REFUSED, 0)] and desk.shown(1) is ShownState.READY


def test_it_is_given_up_when_it_is_too_old() -> None:
    desk = a_desk()
    asked(desk)
    desk.wait(7199.0 - 31.0)
    assert not records(desk)
    desk.wait(40.0)
    assert records(desk) == [(CallbackOutcome.GIVEN_UP, 0)] and desk.state(2) == "over"


def test_a_supervisor_cancels_it_and_only_once() -> None:
    desk = a_desk()
    asked(desk)
    desk.tell(ev.CancelCallbackRequested(request=5, interaction=2, by="anna"))
    assert desk.told(c.Reply)[0].is_ok and records(desk) == [(CallbackOutcome.CANCELLED, 0)]
    desk.tell(ev.CancelCallbackRequested(request=6, interaction=2, by="anna"))
    assert not desk.told(c.Reply)[0].is_ok
    assert [(a.by, a.is_done) for a in desk.kept(AuditRecord)] == [("anna", True), ("anna", False)]


def test_it_is_cancelled_while_the_customers_phone_rings() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.tell(ev.CancelCallbackRequested(request=5, interaction=2, by="anna"))
    assert {x.leg for x in desk.told(c.HangUpLeg)} == {offer.leg, dial.leg}
    desk.hangs_up(dial.leg)
    desk.hangs_up(offer.leg)
    assert records(desk) == [(CallbackOutcome.CANCELLED, 1)] and desk.shown(1) is ShownState.READY


def test_a_customer_who_calls_again_and_is_served_is_not_called_back() -> None:
    desk = a_desk(2)
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    second = desk.call()
    other = comes_back(desk, 2)
    assert other.caller == second
    desk.ringing(other)
    desk.joined(other)
    assert {x.leg for x in desk.told(c.HangUpLeg)} == {dial.leg, offer.leg}
    desk.hangs_up(offer.leg)
    desk.hangs_up(dial.leg)
    assert records(desk) == [(CallbackOutcome.CANCELLED, 1)]


def test_a_request_that_rests_is_cancelled_by_a_served_call_too() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    desk.hangs_up(dialled(desk).leg, cause=19)
    desk.hangs_up(offer.leg)
    desk.talk()
    assert records(desk) == [(CallbackOutcome.CANCELLED, 1)]


def test_it_survives_a_restart_of_the_daemon_while_the_customers_phone_rings() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=3), after_s=2.0)
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=52.0 + desk.now_s - 102.0))
    desk.observe()
    assert len(desk.ever(c.DialOut)) == 1
    for leg in (dial.leg, offer.leg):
        if leg in desk.center.snapshot().legs:
            desk.hangs_up(leg)
    found = desk.center.snapshot().interactions[2]
    assert found.leg is None and found.callback is not None and found.callback.tries == 1
    desk.wait(700.0)
    assert len(desk.ever(c.RingAgent)) == 2


def test_the_texts_of_an_expected_wait() -> None:
    assert expected(0.0) == (*spoken("cc-wait-about"), Spoken(SpokenKind.DURATION, "60"))
    assert expected(61.0) == (*spoken("cc-wait-about"), Spoken(SpokenKind.DURATION, "120"))


# --- while the customer's phone rings -----------------------------------------------------------------------------------
def test_nobody_else_is_rung_while_the_customers_phone_rings() -> None:
    desk = a_desk(2, strategy=Strategy.RING_ALL)
    asked(desk)
    accepts(desk, comes_back(desk))
    dialled(desk)
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    assert desk.told(c.RingAgent) == []


def test_an_agent_who_waits_again_is_not_joined_with_a_phone_that_rings() -> None:
    desk = a_desk()
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    dial = dialled(desk)
    desk.tell(ev.LegParked(leg=offer.leg))
    assert desk.told(c.JoinLeg) == []
    customer_answers(desk, dial)
    (join,) = desk.told(c.JoinLeg)
    assert (join.leg, join.caller) == (offer.leg, dial.leg)


def test_a_caller_whose_farewell_the_daemons_death_cut_short_is_let_go() -> None:
    desk = a_desk()
    caller = desk.call(number=NUMBER)
    desk.wait(30.0)
    presses(desk, caller, "1")
    desk.types(caller, "1")
    assert said(desk) == ["cc-callback-done"]
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=3), ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    seen = ev.ChannelView(leg=caller, channel="PJSIP/trunk-1", is_up=True, bridge=None, application="AGI", context="cc-call")
    desk.observe(seen, after_s=1.0)
    session = desk.arrive(caller, number=NUMBER)
    assert [end.session for end in desk.told(c.EndSession)] == [session]


def test_the_rest_of_a_callback_may_end_while_an_agents_leg_is_still_there() -> None:
    """Nobody is told of the end of that leg for longer than the rest lasts."""
    desk = a_desk(callback=replace(RULES, retry_after_s=10.0))
    asked(desk)
    offer = comes_back(desk)
    accepts(desk, offer)
    desk.hangs_up(dialled(desk).leg, cause=17)
    desk.wait(11.0)
    desk.hangs_up(offer.leg)
    assert desk.ring().interaction == offer.interaction


def test_a_leg_that_never_was_and_cannot_be_ended_is_over() -> None:
    """One of two phones has no contact; the other agent accepts before that is known for sure."""
    desk = a_desk(2, strategy=Strategy.RING_ALL)
    asked(desk)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    first = desk.ring()
    desk.tell(ev.UnpauseRequested(request=1, agent="102"))
    second = desk.ring()
    (command,) = [i for i, x in desk.last if isinstance(x, c.RingAgent)]
    desk.tell(ev.RingEnded(command=command, leg=second.leg, is_ok=False, reason=0))
    desk.tell(ev.LegStarted(leg=first.leg, channel=f"{first.phone}-01"), ev.LegAnswered(leg=first.leg))
    # Not by the desk, where every order is carried out.
    told = desk.center.handle(ev.LegParked(leg=first.leg), desk.moment())
    (place,) = [n for n, x in enumerate(told) if isinstance(x, c.HangUpLeg) and x.leg == second.leg]
    desk.tell(ev.CommandFailed(command=CommandId(desk.center.seq, place), reason="No such channel"))
    assert second.leg not in desk.center.snapshot().legs
    assert desk.shown(2) is not ShownState.RINGING

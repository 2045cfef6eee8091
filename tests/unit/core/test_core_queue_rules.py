"""Who may enter a queue, who must leave it, and where to."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue, spoken

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import (
    AuditRecord,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    Outcome,
    ShownState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import (
    DIRECT,
    AgentNode,
    CallerRules,
    CustomerSettings,
    EnqueueNode,
    Exit,
    ExitKind,
    Flow,
    HangUpNode,
    HasSkill,
    NumberMark,
    OpeningHours,
    Overflow,
    OverflowBy,
    ReturnNode,
    SayNode,
    SetNode,
    Settings,
    StaffRules,
    WithheldPolicy,
)
from ccserver.core.staffing import counts
from ccserver.core.state import Mark

GOODBYE = Exit(kind=ExitKind.HANG_UP, prompt="bye")
TO_SUPPORT = Exit(kind=ExitKind.QUEUE, target="support")


def visits(desk: Desk) -> list[tuple[str, VisitOutcome]]:
    return [(v.queue, v.outcome) for v in desk.kept(VisitRecord)]


def queue_of(desk: Desk, number: int = 1) -> str | None:
    visit = desk.center.snapshot().interactions[number].visit
    return visit.queue if visit else None


def load(desk: Desk, **changes: object) -> None:
    """New settings, on top of those there are."""
    desk.settings = replace(desk.settings, content_hash=desk.settings.content_hash + "+", **changes)
    desk.tell(ev.SettingsLoaded(settings=desk.settings))


def pause(desk: Desk, agent: int) -> None:
    desk.tell(ev.PauseRequested(request=1, agent=f"10{agent}", reason="lunch"))


def log_out(desk: Desk, agent: int) -> None:
    desk.tell(ev.LogoutRequested(request=1, agent=f"10{agent}"))


# --- staffed ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", list(ShownState))
def test_who_counts_as_staff(state: ShownState) -> None:
    all_rules = StaffRules(not_ready=True, unreachable=True, wrap_up=True)
    no_rules = StaffRules(not_ready=False, unreachable=False, wrap_up=False)
    by_rule = {ShownState.NOT_READY, ShownState.UNREACHABLE, ShownState.WRAP_UP}
    assert counts(state, all_rules) is (state is not ShownState.LOGGED_OUT)
    assert counts(state, no_rules) is (state is not ShownState.LOGGED_OUT and state not in by_rule)


def test_the_door_asks_its_own_rule() -> None:
    config = a_queue(on_unstaffed=GOODBYE, joins_when=StaffRules(not_ready=False))
    desk = Desk(1, sales=config)
    pause(desk, 1)
    desk.call()
    assert visits(desk) == [("sales", VisitOutcome.REFUSED_UNSTAFFED)] and desk.told(c.Say)[0].say == spoken("bye")


def test_who_waits_leaves_when_the_last_of_the_staff_logs_out() -> None:
    desk = Desk(2, sales=a_queue(on_deserted=TO_SUPPORT), support=a_queue(skills=()))
    pause(desk, 1)
    pause(desk, 2)
    desk.call()
    log_out(desk, 1)
    assert queue_of(desk) == "sales"
    log_out(desk, 2)
    assert queue_of(desk) == "support" and visits(desk) == [("sales", VisitOutcome.OVERFLOWED)]


def test_an_unreachable_phone_deserts_a_queue_and_not_before_the_pbx_has_been_read() -> None:
    desk = Desk(1, sales=a_queue(on_deserted=TO_SUPPORT), support=a_queue(skills=()))
    pause(desk, 1)
    desk.call()
    desk.tell(ev.LinkLost(pbx="pbx"))
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=ev.PhoneState.UNAVAILABLE))
    assert queue_of(desk) == "sales"
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=60.0))
    assert queue_of(desk) == "sales"
    caller = desk.center.snapshot().interactions[1].leg
    assert caller is not None
    seen = ev.ChannelView(leg=caller, channel="x", is_up=True, bridge=None, application="AGI", context="cc-call")
    desk.observe(seen, down=(1,))
    # Not ready counts for more than unreachable: the person is there.
    assert queue_of(desk) == "sales"
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    assert queue_of(desk) == "support"


def test_a_ringing_phone_comes_before_desertion() -> None:
    desk = Desk(1, sales=a_queue(on_deserted=TO_SUPPORT), support=a_queue(skills=()))
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    log_out(desk, 1)
    assert queue_of(desk) == "sales"
    desk.hangs_up(offer.leg, cause=19)
    assert queue_of(desk) == "support"


# --- overflow -----------------------------------------------------------------------------------------------------------
def overflow(by: OverflowBy, above: float) -> dict[str, object]:
    return {"sales": a_queue(overflow=(Overflow(by=by, above=above, exit=TO_SUPPORT),)), "support": a_queue(skills=("other",))}


def test_overflow_by_waiting_time_comes_at_its_instant() -> None:
    desk = Desk(0, **overflow(OverflowBy.WAIT_S, 40.0))
    desk.call()
    desk.wait(39.9)
    assert queue_of(desk) == "sales"
    desk.wait(0.2)
    assert queue_of(desk) == "support"
    assert desk.kept(VisitRecord)[0].wait_s == pytest.approx(40.0)


def test_overflow_by_size_sends_on_who_comes_and_nobody_who_waits() -> None:
    desk = Desk(0, **overflow(OverflowBy.SIZE, 2))
    for _ in range(3):
        desk.call()
    assert [queue_of(desk, n) for n in (1, 2, 3)] == ["sales", "sales", "support"]


def test_a_queue_that_became_too_long_by_a_caller_who_comes_back_sends_nobody_away() -> None:
    desk = Desk(1, **overflow(OverflowBy.SIZE, 1))
    first, offer = desk.talk()
    desk.call()
    desk.hangs_up(offer.leg, cause=38)
    desk.arrive(first)
    desk.wait(20.0)
    again = desk.ever(c.RingAgent)[-1]
    assert again.leg != offer.leg
    desk.hangs_up(again.leg, cause=19)
    assert [queue_of(desk, n) for n in (1, 2)] == ["sales", "sales"]


def test_overflow_by_ratio_at_the_door_and_when_staff_leaves_the_newest_first() -> None:
    desk = Desk(2, **overflow(OverflowBy.RATIO, 1.5))
    pause(desk, 1)
    pause(desk, 2)
    for _ in range(4):
        desk.call()
    assert [queue_of(desk, n) for n in (1, 2, 3, 4)] == ["sales"] * 3 + ["support"]
    log_out(desk, 2)
    assert [queue_of(desk, n) for n in (1, 2, 3)] == ["sales", "support", "support"]


def test_overflow_waits_for_a_ringing_phone() -> None:
    desk = Desk(1, **overflow(OverflowBy.WAIT_S, 5.0))
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.wait(8.0)
    assert queue_of(desk) == "sales"
    desk.hangs_up(offer.leg, cause=19)
    assert queue_of(desk) == "support"


def test_queues_that_send_to_each_other_end_by_the_number_of_hops() -> None:
    there = Exit(kind=ExitKind.QUEUE, target="sales")
    desk = Desk(0, sales=a_queue(on_unstaffed=TO_SUPPORT), support=a_queue(on_unstaffed=there))
    caller = desk.call()
    assert desk.told(c.EndSession) and len(visits(desk)) == 5
    desk.hangs_up(caller)
    assert desk.state(1) == "over"


# --- closing ------------------------------------------------------------------------------------------------------------
def mornings(**changes: object) -> Desk:
    """Open till 12:00 UTC; it is 08:01:40 at the start."""
    desk = Desk(1, sales=a_queue(hours="mornings", **changes), support=a_queue(skills=()))
    pause(desk, 1)
    return desk


NOON_S = 4 * 3600.0
"""Monotonic, on the desk's clock."""


def test_callers_are_released_when_the_hours_end_if_the_queue_says_so() -> None:
    desk = mornings(on_closing=GOODBYE)
    desk.wait(NOON_S - desk.now_s - 60.0)
    caller = desk.call()
    desk.wait(59.0)
    assert queue_of(desk) == "sales"
    desk.wait(2.0)
    assert visits(desk) == [("sales", VisitOutcome.REFUSED_CLOSED)]
    assert c.Say in {type(x) for _, x in desk.last}
    desk.prompt_ends(caller)
    desk.hangs_up(caller)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.REFUSED


def test_callers_are_served_out_when_nothing_is_said() -> None:
    desk = mornings()
    desk.wait(NOON_S - desk.now_s - 60.0)
    desk.call()
    desk.wait(120.0)
    assert queue_of(desk) == "sales"
    desk.call()
    assert visits(desk) == [("sales", VisitOutcome.REFUSED_CLOSED)]


def test_the_queue_closes_day_after_day() -> None:
    desk = mornings(on_closing=TO_SUPPORT)
    desk.wait(24 * 3600.0 + NOON_S - desk.now_s - 60.0)
    desk.call()
    desk.wait(61.0)
    assert queue_of(desk) == "support"


def test_a_caller_whose_agent_was_lost_after_closing_time_is_not_sent_away() -> None:
    desk = mornings(on_closing=GOODBYE)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    desk.wait(NOON_S - desk.now_s - 60.0)
    caller, offer = desk.talk()
    desk.wait(120.0)
    desk.hangs_up(offer.leg, cause=38)
    desk.arrive(caller)
    assert queue_of(desk) == "sales"


def test_new_hours_that_close_the_queue_now_close_it_for_those_who_wait() -> None:
    desk = mornings(on_closing=TO_SUPPORT)
    desk.call()
    assert queue_of(desk) == "sales"
    closed = {**desk.settings.hours, "mornings": OpeningHours(timezone="UTC", week=((),) * 7)}
    desk.tell(ev.SettingsLoaded(settings=replace(desk.settings, content_hash="holiday", hours=closed)))
    desk.wait(0.1)
    assert queue_of(desk) == "support"


def test_new_settings_after_closing_time_send_nobody_away_whose_agent_was_lost() -> None:
    desk = mornings(on_closing=GOODBYE)
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    desk.wait(NOON_S - desk.now_s - 60.0)
    caller, offer = desk.talk()
    desk.wait(120.0)
    desk.hangs_up(offer.leg, cause=38)
    desk.arrive(caller)
    desk.tell(ev.SettingsLoaded(settings=replace(desk.settings, content_hash="other")))
    desk.wait(0.1)
    assert queue_of(desk) == "sales"


def test_a_queue_is_closed_by_hand_at_once_and_opened_again() -> None:
    desk = Desk(1)
    pause(desk, 1)
    desk.call()
    desk.tell(ev.CloseQueueRequested(request=7, queue="sales", prompt="fire", by="anna"))
    assert desk.told(c.Say)[0].say == spoken("fire") and desk.told(c.Reply)[0].is_ok
    desk.call()
    assert desk.told(c.Say)[0].say == spoken("fire")
    assert visits(desk) == [("sales", VisitOutcome.REFUSED_CLOSED)] * 2
    desk.tell(ev.OpenQueueRequested(request=8, queue="sales", by="anna"))
    desk.call()
    assert queue_of(desk, 3) == "sales"
    assert [(a.by, a.act, a.what, a.is_done) for a in desk.kept(AuditRecord)] == [
        ("anna", "close_queue", "sales", True),
        ("anna", "open_queue", "sales", True),
    ]


def test_closing_what_does_not_exist_and_opening_what_is_open_are_refused_and_kept() -> None:
    desk = Desk()
    desk.tell(ev.CloseQueueRequested(request=7, queue="nobody", prompt=None))
    assert not desk.told(c.Reply)[0].is_ok
    desk.tell(ev.OpenQueueRequested(request=8, queue="sales"))
    assert not desk.told(c.Reply)[0].is_ok
    assert [a.is_done for a in desk.kept(AuditRecord)] == [False, False]


def test_a_ringing_phone_rings_on_in_a_queue_that_was_closed_by_hand() -> None:
    desk = Desk(1)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.tell(ev.CloseQueueRequested(request=7, queue="sales", prompt=None))
    desk.joined(offer)
    assert visits(desk) == [("sales", VisitOutcome.ANSWERED)]


# --- exits and direct calls ---------------------------------------------------------------------------------------------
def with_direct(desk: Desk, **changes: object) -> None:
    direct = a_queue(name="Direct", skills=(), max_wait_s=30.0, on_unstaffed=GOODBYE, on_max_wait=GOODBYE, **changes)
    load(desk, queues={**desk.settings.queues, DIRECT: direct})


def test_an_exit_to_an_agent_is_a_direct_call() -> None:
    desk = Desk(2, sales=a_queue(skills=("none",), max_wait_s=10.0, on_max_wait=Exit(kind=ExitKind.AGENT, target="102")))
    with_direct(desk)
    desk.call()
    desk.wait(10.0)
    visit = desk.center.snapshot().interactions[1].visit
    assert visit is not None and (visit.queue, visit.only) == (DIRECT, "102")
    assert visit.waiting_since_s == pytest.approx(100.1)


def test_a_direct_call_to_an_agent_who_is_not_there_leaves_by_the_nodes_own_way() -> None:
    flow = Flow(
        start="anna",
        nodes={"anna": AgentNode(agent="101", on_no_answer="out"), "out": HangUpNode(say=spoken("nobody"))},
    )
    desk = Desk(2)
    with_direct(desk)
    load(desk, flows={**desk.settings.flows, "straight": flow})
    log_out(desk, 1)
    desk.call()
    assert desk.told(c.Say)[0].say == spoken("nobody")
    assert visits(desk) == [(DIRECT, VisitOutcome.REFUSED_UNSTAFFED)]


def test_a_direct_call_that_is_not_taken_leaves_after_its_time() -> None:
    flow = Flow(start="anna", nodes={"anna": AgentNode(agent="101")})
    desk = Desk(1)
    with_direct(desk)
    load(desk, flows={**desk.settings.flows, "straight": flow})
    pause(desk, 1)
    desk.call()
    desk.wait(31.0)
    assert visits(desk) == [(DIRECT, VisitOutcome.OVERFLOWED)] and desk.ever(c.Say)[-1].say == spoken("bye")


def test_an_exit_to_a_flow_starts_it() -> None:
    other = Flow(start="hello", nodes={"hello": SayNode(say=spoken("other"), next="end"), "end": HangUpNode()})
    desk = Desk(0, sales=a_queue(on_unstaffed=Exit(kind=ExitKind.FLOW, target="other")))
    load(desk, flows={**desk.settings.flows, "other": other})
    caller = desk.call()
    assert desk.told(c.Say)[0].say == spoken("other")
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)


def test_an_exit_to_a_flow_that_came_later_takes_the_newer_settings() -> None:
    desk = Desk(0, sales=a_queue(max_wait_s=10.0))
    caller = desk.call()
    other = Flow(start="hello", nodes={"hello": HangUpNode(say=spoken("new"))})
    sales = a_queue(max_wait_s=10.0, on_max_wait=Exit(kind=ExitKind.FLOW, target="other"))
    load(desk, flows={**desk.settings.flows, "other": other}, queues={"sales": sales})
    desk.wait(10.0)
    assert desk.ever(c.Say)[-1].say == spoken("new")
    desk.prompt_ends(caller)
    assert desk.told(c.EndSession)


def test_an_exit_to_a_node_that_the_calls_own_flow_does_not_have_lets_the_caller_go() -> None:
    desk = Desk(0, sales=a_queue(on_unstaffed=Exit(kind=ExitKind.NODE, target="not-there")))
    desk.call()
    assert desk.told(c.EndSession)


# --- arrival ------------------------------------------------------------------------------------------------------------
def rules(desk: Desk, **changes: object) -> None:
    load(desk, callers=CallerRules(marks={"+34911222333": NumberMark.BLOCKED, "+44*": NumberMark.VIP}, **changes))


def test_a_blocked_number_is_not_answered() -> None:
    desk = Desk()
    rules(desk)
    caller = desk.call("900")
    assert not desk.ever(c.AnswerCall) and desk.told(c.EndSession)[0].cause == 21
    desk.hangs_up(caller)
    assert desk.kept(InteractionRecord)[0].outcome is Outcome.BLOCKED
    assert [n.kind for n in desk.kept(NoticeRecord)] == [NoticeKind.ARRIVED, NoticeKind.ENDED]


def test_withheld_numbers_are_taken_or_refused() -> None:
    desk = Desk()
    desk.call(number=None)
    assert desk.ever(c.AnswerCall)
    refusing = Desk()
    rules(refusing, withheld=WithheldPolicy.REFUSE)
    refusing.call(number=None)
    assert not refusing.ever(c.AnswerCall)


def test_a_vip_goes_by_at_least_the_vip_priority() -> None:
    desk = Desk(0, support=a_queue(priority=8))
    rules(desk, vip_priority=6)
    desk.call(number="+442071234567")
    desk.call(number="+12025550123")
    found = desk.center.snapshot().interactions
    assert [(i.is_vip, i.visit.priority) for i in found.values() if i.visit] == [(True, 6), (False, 0)]


def test_what_is_known_of_a_customer_goes_with_the_call() -> None:
    anna = CustomerSettings(name="Anna", owner="102", language="es", requires=HasSkill("contracts", 30), priority=3)
    desk = Desk()
    load(desk, customers={"+34911222333": anna})
    desk.call("901")
    found = desk.center.snapshot().interactions[1]
    assert (found.caller_name, found.owner, found.language, found.needs) == ("Anna", "102", "es", ("spanish",))
    assert found.visit is not None and found.visit.priority == 3
    assert HasSkill("contracts", 30) in found.visit.requires.of
    assert desk.kept(NoticeRecord)[-1].data == {"customer": "Anna"}


def test_a_live_mark_wins_over_the_settings() -> None:
    desk = Desk()
    rules(desk)
    state = desk.center.snapshot()
    live = {"+34911222333": Mark(mark=NumberMark.VIP, note="", by="x", at_utc_s=0.0)}
    desk.center = type(desk.center).restore(replace(state, marks=live))
    desk.call()
    assert desk.center.snapshot().interactions[1].is_vip


# --- nodes --------------------------------------------------------------------------------------------------------------
def walk(settings: Settings, **nodes: object) -> Flow:
    return Flow(start=next(iter(nodes)), nodes=nodes)  # type: ignore[arg-type]


def test_a_set_node_adds_to_what_is_required_and_sets_the_priority() -> None:
    desk = Desk()
    flow = walk(
        desk.settings,
        set=SetNode(next="more", requires=HasSkill("sales", 40), priority=7),
        more=SetNode(next="q", requires=HasSkill("spanish")),
        q=EnqueueNode(queue="sales"),
    )
    load(desk, flows={**desk.settings.flows, "straight": flow})
    desk.call()
    found = desk.center.snapshot().interactions[1]
    assert found.priority == 7 and found.visit is not None and found.visit.priority == 7
    assert {HasSkill("sales", 40), HasSkill("spanish")} <= set(found.visit.requires.of)


def test_a_return_node_lets_a_caller_go_whom_nobody_sent() -> None:
    desk = Desk()
    load(desk, flows={**desk.settings.flows, "straight": walk(desk.settings, back=ReturnNode(result="done"))})
    desk.call()
    assert desk.told(c.EndSession)

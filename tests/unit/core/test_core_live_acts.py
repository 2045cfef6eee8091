"""What supervisors do to the live center: done or refused, answered, and on record."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue
from keypad import Keypad
from rules import obey, obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import AuditRecord, ShownState, VisitOutcome, VisitRecord
from ccserver.core.settings import AgentRules, HasSkill, LoginRule, NumberMark, PhoneSettings

SUPPORT = a_queue(name="Support", skills=("support",))


def asks(desk: Desk, event: ev.Event) -> tuple[bool, str]:
    """The answer to a request; that it is on record just once, and says the same, is checked for each."""
    before = len(desk.kept(AuditRecord))
    desk.tell(event)
    (reply,) = desk.told(c.Reply)
    (record,) = desk.kept(AuditRecord)[before:]
    assert record.by == "maria" and record.is_done is reply.is_ok
    return reply.is_ok, reply.text


def a_waiting_call(desk: Desk) -> int:
    """Number 1: nobody is free for it."""
    for n in range(1, len(desk.settings.agents) + 1):
        Keypad(desk, n, "131")
    desk.call()
    return 1


# --- agents -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "act"),
    [
        (ev.PauseRequested(request=1, agent="101", reason="lunch", by="maria"), "not_ready"),
        (ev.UnpauseRequested(request=1, agent="101", by="maria"), "ready"),
        (ev.LoginRequested(request=1, agent="101", phone="PJSIP/1001", by="maria"), "log_in"),
        (ev.LogoutRequested(request=1, agent="101", by="maria"), "log_out"),
    ],
)
def test_what_is_done_for_an_agent_is_on_record(event: ev.Event, act: str) -> None:
    desk = Desk()
    assert asks(desk, event)[0]
    assert desk.kept(AuditRecord)[0].act == act and desk.kept(AuditRecord)[0].agent == "101"


def test_what_agents_do_themselves_is_not() -> None:
    desk = Desk()
    Keypad(desk, 1, "131")
    desk.tell(ev.UnpauseRequested(request=1, agent="101"))
    assert not desk.kept(AuditRecord)


def test_a_refused_act_is_on_record_too() -> None:
    desk = Desk()
    assert asks(desk, ev.PauseRequested(request=1, agent="101", reason="golf", by="maria")) == (
        False,
        "there is no reason golf",
    )


def test_an_agent_is_moved_even_where_agents_may_not_move() -> None:
    desk = Desk()
    obey(
        desk,
        agent_rules=AgentRules(login=LoginRule.REFUSE),
        phones={**desk.settings.phones, "PJSIP/x": PhoneSettings(number="9")},
    )
    assert asks(desk, ev.MoveAgentRequested(request=1, agent="101", phone="PJSIP/x", by="maria"))[0]
    assert desk.center.snapshot().agents["101"].phone == "PJSIP/x"
    for phone in ("PJSIP/1002", "PJSIP/none"):
        assert not asks(desk, ev.MoveAgentRequested(request=1, agent="101", phone=phone, by="maria"))[0]
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    assert not asks(desk, ev.MoveAgentRequested(request=1, agent="101", phone="PJSIP/x", by="maria"))[0]


def test_a_skill_for_the_time_of_this_log_in() -> None:
    desk = Desk(agents=1, sales=SUPPORT)
    desk.call()
    assert not desk.ever(c.RingAgent)
    assert asks(desk, ev.SkillRequested(request=1, agent="101", skill="support", level=50, by="maria"))[0]
    offer = desk.ring()
    desk.hangs_up(offer.caller)
    desk.hangs_up(offer.leg)
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    desk.log_in(1)
    desk.call()
    assert len(desk.ever(c.RingAgent)) == 1


def test_a_skill_is_taken_away_and_given_back() -> None:
    desk = Desk(agents=1)
    asks(desk, ev.SkillRequested(request=1, agent="101", skill="sales", level=0, by="maria"))
    desk.call()
    assert not desk.ever(c.RingAgent)
    asks(desk, ev.SkillRequested(request=1, agent="101", skill="sales", level=None, by="maria"))
    assert desk.ring().agent == "101"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"agent": "999"}, "agent 999 does not exist"),
        ({"agent": "102"}, "agent 102 is not logged in"),
        ({"skill": "juggling"}, "there is no skill juggling"),
        ({"level": 101}, "a level is 0 to 100, not 101"),
        ({"level": -1}, "a level is 0 to 100, not -1"),
    ],
)
def test_a_skill_that_cannot_be_given(changes: dict[str, object], why: str) -> None:
    desk = Desk()
    desk.tell(ev.LogoutRequested(request=1, agent="102"))
    event = ev.SkillRequested(request=1, agent="101", skill="sales", level=1, by="maria")
    assert asks(desk, replace(event, **changes)) == (False, why)


def test_a_skill_that_only_a_condition_names_is_known() -> None:
    desk = Desk(sales=a_queue(requires=HasSkill("german")))
    assert asks(desk, ev.SkillRequested(request=1, agent="101", skill="german", level=1, by="maria"))[0]


# --- interactions -------------------------------------------------------------------------------------------------------
def test_priority_puts_a_caller_first() -> None:
    desk = Desk(agents=1)
    a_waiting_call(desk)
    desk.now_s += 10.0
    desk.call()
    assert asks(desk, ev.PriorityRequested(request=1, interaction=2, priority=3, by="maria"))[0]
    Keypad(desk, 1, "14")
    assert desk.ring().interaction == 2


def test_priority_of_who_is_still_in_the_menu_goes_with_them() -> None:
    desk = Desk(agents=1)
    desk.call("900")
    assert asks(desk, ev.PriorityRequested(request=1, interaction=1, priority=7, by="maria"))[0]
    assert desk.center.snapshot().interactions[1].priority == 7


@pytest.mark.parametrize(("number", "priority"), [(1, 11), (1, -1), (9, 5)])
def test_a_priority_that_cannot_be(number: int, priority: int) -> None:
    desk = Desk()
    a_waiting_call(desk)
    assert not asks(desk, ev.PriorityRequested(request=1, interaction=number, priority=priority, by="maria"))[0]


def test_priority_of_a_talk_is_too_late() -> None:
    desk = Desk()
    desk.talk()
    assert not asks(desk, ev.PriorityRequested(request=1, interaction=1, priority=5, by="maria"))[0]


def test_a_call_is_moved_and_keeps_its_waiting_time() -> None:
    desk = Desk(support=SUPPORT)
    a_waiting_call(desk)
    since_s = desk.center.snapshot().interactions[1].visit.waiting_since_s
    desk.now_s += 30.0
    assert asks(desk, ev.MoveCallRequested(request=1, interaction=1, queue="support", by="maria"))[0]
    moved = desk.center.snapshot().interactions[1]
    assert (moved.queue, moved.visit.waiting_since_s, moved.hops) == ("support", since_s, 1)
    assert [(r.queue, r.outcome) for r in desk.kept(VisitRecord)] == [("sales", VisitOutcome.TRANSFERRED_OUT)]


@pytest.mark.parametrize(("number", "queue"), [(9, "support"), (1, "sales"), (1, "nowhere"), (1, "direct"), (1, "full")])
def test_a_call_that_cannot_be_moved_stays(number: int, queue: str) -> None:
    desk = Desk(support=SUPPORT, full=replace(SUPPORT, max_waiting=0))
    a_waiting_call(desk)
    assert not asks(desk, ev.MoveCallRequested(request=1, interaction=number, queue=queue, by="maria"))[0]
    assert desk.state(1) == "waiting" and desk.center.snapshot().interactions[1].queue == "sales"
    assert not desk.kept(VisitRecord)


def test_a_call_that_rings_is_left_alone() -> None:
    desk = Desk(support=SUPPORT)
    desk.call()
    assert desk.ring()
    assert asks(desk, ev.MoveCallRequested(request=1, interaction=1, queue="support", by="maria"))[1].endswith("agent 101")
    assert not asks(desk, ev.PickRequested(request=1, interaction=1, agent="102", by="maria"))[0]


def test_a_picked_call_goes_to_its_agent_before_everything_else_whatever_it_requires() -> None:
    desk = Desk(agents=2, support=SUPPORT)
    a_waiting_call(desk)
    desk.now_s += 100.0
    desk.call()
    asks(desk, ev.MoveCallRequested(request=1, interaction=2, queue="support", by="maria"))
    assert asks(desk, ev.PickRequested(request=1, interaction=2, agent="102", by="maria"))[0]
    Keypad(desk, 2, "14")
    offer = desk.ring()
    assert (offer.agent, offer.interaction) == ("102", 2)


def test_a_picked_call_whose_agent_leaves_is_anybodys_again() -> None:
    desk = Desk(agents=2)
    a_waiting_call(desk)
    asks(desk, ev.PickRequested(request=1, interaction=1, agent="102", by="maria"))
    Keypad(desk, 1, "14")
    assert not desk.ever(c.RingAgent)
    Keypad(desk, 2, "12")
    assert desk.ring().agent == "101"


def test_a_picked_call_does_not_wait_for_ever() -> None:
    desk = Desk(agents=2)
    a_waiting_call(desk)
    asks(desk, ev.PickRequested(request=1, interaction=1, agent="102", by="maria"))
    Keypad(desk, 1, "14")
    desk.wait(119.9)
    assert not desk.ever(c.RingAgent)
    desk.wait(0.1)
    assert desk.ring().agent == "101"


def test_a_call_is_not_picked_for_who_is_away() -> None:
    desk = Desk()
    a_waiting_call(desk)
    Keypad(desk, 2, "12")
    assert not asks(desk, ev.PickRequested(request=1, interaction=1, agent="102", by="maria"))[0]
    assert not asks(desk, ev.PickRequested(request=1, interaction=1, agent="999", by="maria"))[0]


def test_a_call_is_ended() -> None:
    desk = Desk()
    caller = desk.call()
    assert asks(desk, ev.HangUpRequested(request=1, interaction=1, by="maria"))[0]
    desk.hangs_up(caller)
    assert not asks(desk, ev.HangUpRequested(request=1, interaction=1, by="maria"))[0]


# --- numbers ------------------------------------------------------------------------------------------------------------
def test_a_number_is_marked_and_unmarked() -> None:
    desk = Desk()
    event = ev.MarkNumberRequested(request=1, number="+34911222333", mark=NumberMark.BLOCKED, note="rude", by="maria")
    assert asks(desk, event)[0]
    desk.call()
    assert desk.state(1) == "leaving" and not desk.ever(c.RingAgent)
    assert asks(desk, replace(event, mark=None))[0] and not desk.center.snapshot().marks
    assert not asks(desk, replace(event, mark=None))[0]


@pytest.mark.parametrize("changes", [{"number": "rude\r\nman"}, {"number": "12"}, {"note": "a\nb"}, {"note": "x" * 201}])
def test_what_is_no_number_or_no_note(changes: dict[str, str]) -> None:
    event = ev.MarkNumberRequested(request=1, number="+34911222333", mark=NumberMark.VIP, note="", by="maria")
    desk = Desk()
    assert not asks(desk, replace(event, **changes))[0] and not desk.center.snapshot().marks


@pytest.mark.parametrize(
    ("code", "heard", "mark"), [("31", "cc-number-blocked", NumberMark.BLOCKED), ("32", "cc-number-vip", NumberMark.VIP)]
)
def test_a_supervisor_marks_the_last_caller_from_the_keypad(code: str, heard: str, mark: NumberMark) -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, is_supervisor=True)
    assert Keypad(desk, 1, code).heard == "cc-number-none"
    caller, offer = desk.talk()
    assert Keypad(desk, 1, code).heard == heard, "during the talk"
    assert desk.center.snapshot().marks["+34911222333"].mark is mark
    assert desk.kept(AuditRecord)[0].by == "agent 101"
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert Keypad(desk, 1, code).heard == heard, "after it"
    assert desk.shown(1) is ShownState.READY


def test_who_is_no_supervisor_marks_nobody() -> None:
    desk = Desk(agents=1)
    desk.talk()
    assert Keypad(desk, 1, "31").heard == "cc-not-allowed" and not desk.center.snapshot().marks

"""Lamps: what they show, that only changes are ordered, and that all are ordered again where the PBX may have lost them."""

import pytest
from desk import Desk, a_queue
from keypad import Keypad
from rules import obey

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.commands import LampState
from ccserver.core.records import PhoneState

OFF, LIT, BLINKING = LampState.OFF, LampState.LIT, LampState.BLINKING


def lamp(desk: Desk, name: str) -> LampState:
    """As last ordered; the PBX has been told the same."""
    ordered = [x.state for x in desk.ever(c.SetLamp) if x.lamp == name]
    assert ordered[-1] is desk.center.snapshot().lamps[name]
    return ordered[-1]


def test_an_agents_lamp_through_the_day() -> None:
    desk = Desk(agents=1, logged_in=False)
    seen = [lamp(desk, "agent-101")]
    for code in ("131", "14", "12"):
        if code == "131":
            desk.log_in(1)
            seen.append(lamp(desk, "agent-101"))
        Keypad(desk, 1, code)
        seen.append(lamp(desk, "agent-101"))
    assert seen == [OFF, LIT, BLINKING, LIT, OFF]


def test_an_agent_at_work_is_lit_and_nothing_is_ordered_meanwhile() -> None:
    desk = Desk(agents=1)
    before = len(desk.ever(c.SetLamp))
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    ordered = [x.lamp for x in desk.ever(c.SetLamp)[before:]]
    assert "agent-101" not in ordered and lamp(desk, "agent-101") is LIT


def test_an_agent_whose_phone_is_gone_blinks() -> None:
    desk = Desk(agents=1)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.UNAVAILABLE))
    assert lamp(desk, "agent-101") is BLINKING
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert lamp(desk, "agent-101") is LIT


def test_a_queues_lamp_is_lit_while_somebody_waits() -> None:
    desk = Desk(agents=1)
    assert lamp(desk, "queue-sales") is OFF
    Keypad(desk, 1, "131")
    first, second = desk.call(), desk.call()
    assert lamp(desk, "queue-sales") is LIT
    desk.hangs_up(first)
    assert lamp(desk, "queue-sales") is LIT
    desk.hangs_up(second)
    assert lamp(desk, "queue-sales") is OFF


def test_it_blinks_while_too_many_wait() -> None:
    desk = Desk(agents=1, sales=a_queue(lamp_waiting_above=1))
    Keypad(desk, 1, "131")
    desk.call()
    assert lamp(desk, "queue-sales") is LIT
    second = desk.call()
    assert lamp(desk, "queue-sales") is BLINKING
    desk.hangs_up(second)
    assert lamp(desk, "queue-sales") is LIT


def test_it_blinks_while_one_waits_too_long_and_soon_no_longer_when_they_left() -> None:
    desk = Desk(agents=1, sales=a_queue(lamp_wait_above_s=60.0))
    Keypad(desk, 1, "131")
    first = desk.call()
    desk.wait(50.0)
    desk.call()
    desk.wait(9.9)
    assert lamp(desk, "queue-sales") is LIT
    desk.wait(0.1)
    assert lamp(desk, "queue-sales") is BLINKING
    desk.hangs_up(first)
    desk.wait(2.0)
    assert lamp(desk, "queue-sales") is LIT
    desk.wait(50.0)
    assert lamp(desk, "queue-sales") is BLINKING, "the second waits long by now"


def test_an_empty_queue_is_not_looked_at_by_the_clock() -> None:
    desk = Desk(agents=1, sales=a_queue(lamp_wait_above_s=60.0))
    Keypad(desk, 1, "131")
    caller = desk.call()
    desk.wait(70.0)
    desk.hangs_up(caller)
    assert lamp(desk, "queue-sales") is OFF
    assert not [key for key in desk.center.snapshot().deadlines if key[0].value == "lamp"]


def test_both_thresholds_hold() -> None:
    desk = Desk(agents=1, sales=a_queue(lamp_waiting_above=1, lamp_wait_above_s=60.0))
    Keypad(desk, 1, "131")
    desk.call()
    second = desk.call()
    assert lamp(desk, "queue-sales") is BLINKING
    desk.wait(30.0)
    desk.hangs_up(second)
    assert lamp(desk, "queue-sales") is LIT
    desk.wait(30.0)
    assert lamp(desk, "queue-sales") is BLINKING


@pytest.mark.parametrize(("reminder_s", "shown"), [(60.0, BLINKING), (None, LIT)])
def test_a_customer_on_hold_for_too_long_makes_the_agent_blink(reminder_s: float | None, shown: LampState) -> None:
    desk = Desk(agents=1, sales=a_queue(hold_reminder_s=reminder_s))
    _, offer = desk.talk()
    desk.tell(ev.LegHeld(leg=offer.leg))
    assert lamp(desk, "agent-101") is LIT
    desk.now_s += 61.0
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    assert lamp(desk, "agent-101") is shown
    desk.tell(ev.LegUnheld(leg=offer.leg))
    assert lamp(desk, "agent-101") is LIT


def test_all_again_after_a_new_link_and_none_before_its_observation() -> None:
    desk = Desk(agents=2)
    all_of_them = {"agent-101", "agent-102", "queue-sales"}
    desk.tell(ev.LinkLost(pbx="pbx"))
    Keypad(desk, 1, "131")
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=200.0))
    assert not desk.told(c.SetLamp)
    desk.observe()
    assert {x.lamp for x in desk.told(c.SetLamp)} == all_of_them and lamp(desk, "agent-101") is BLINKING
    desk.observe()
    assert not desk.told(c.SetLamp), "once is enough"
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=210.0))
    desk.observe()
    assert {x.lamp for x in desk.told(c.SetLamp)} == all_of_them


def test_a_queue_that_is_removed_goes_dark_and_a_new_one_is_told() -> None:
    desk = Desk(agents=1, old=a_queue(skills=("nobody",), lamp_wait_above_s=60.0))
    Keypad(desk, 1, "131")
    caller = desk.call()
    desk.tell(ev.MoveCallRequested(request=1, interaction=1, queue="old"))
    assert lamp(desk, "queue-old") is LIT
    left = {queue: config for queue, config in desk.settings.queues.items() if queue != "old"}
    obey(desk, queues={**left, "new": a_queue()})
    assert lamp(desk, "queue-old") is LIT, "it drains"
    assert lamp(desk, "queue-new") is OFF
    desk.hangs_up(caller)
    assert lamp(desk, "queue-old") is OFF

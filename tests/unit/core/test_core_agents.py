"""An agent's day, from the keypad and from the socket."""

import pytest
from desk import Desk
from keypad import Keypad

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import AgentStateRecord, PhoneState, ShownState


def test_log_in_with_number_and_pin() -> None:
    desk = Desk(logged_in=False)
    pad = Keypad(desk, 1, "11")
    assert pad.heard == "cc-login-agent"
    desk.types(pad.leg, "101")
    assert desk.told(c.CollectSecret)[0].agent == "101"
    pad.pin(True)
    assert pad.heard == "cc-login-done" and desk.shown(1) is ShownState.READY
    pad.hang_up()
    assert desk.center.snapshot().agents["101"].phone == "PJSIP/1001"


def test_an_agent_is_an_account_and_not_a_phone() -> None:
    desk = Desk(agents=2, logged_in=False)
    pad = Keypad(desk, 2, "11101")
    pad.pin(True)
    assert desk.center.snapshot().agents["101"].phone == "PJSIP/1002"
    other = Keypad(desk, 2, "11102")
    other.pin(True)
    assert other.heard == "cc-login-phone-in-use" and desk.shown(2) is ShownState.LOGGED_OUT


def test_wrong_pins_lock_the_account() -> None:
    desk = Desk(logged_in=False)
    for _ in range(3):
        pad = Keypad(desk, 1, "11101")
        pad.pin(False)
        assert pad.heard == "cc-login-failed"
    assert Keypad(desk, 1, "11101").heard == "cc-login-locked"
    desk.wait(300.1)
    pad = Keypad(desk, 1, "11101")
    pad.pin(True)
    assert pad.heard == "cc-login-done"


def test_who_tries_numbers_learns_nothing() -> None:
    desk = Desk(logged_in=False)
    pad = Keypad(desk, 1, "11999")
    assert pad.heard == "cc-login-pin"
    pad.pin(False)
    assert pad.heard == "cc-login-failed"


@pytest.mark.parametrize(
    ("code", "heard", "shown"),
    [
        ("131", "cc-not-ready", ShownState.NOT_READY),
        ("135", "cc-reason-unknown", ShownState.READY),
        ("14", "cc-ready", ShownState.READY),
        ("12", "cc-logged-out", ShownState.LOGGED_OUT),
        ("16", "cc-state-ready", ShownState.READY),
        ("15", "cc-nothing-to-do", ShownState.READY),
        ("171", "cc-nothing-to-do", ShownState.READY),
        ("99", "cc-invalid-code", ShownState.READY),
    ],
)
def test_codes(code: str, heard: str, shown: ShownState) -> None:
    desk = Desk()
    assert Keypad(desk, 1, code).heard == heard
    assert desk.shown(1) is shown


def test_the_reason_is_asked_for() -> None:
    desk = Desk()
    pad = Keypad(desk, 1, "13")
    assert pad.heard == "cc-not-ready-reason"
    desk.types(pad.leg, "1")
    assert pad.heard == "cc-not-ready" and desk.shown(1) is ShownState.NOT_READY
    assert desk.center.snapshot().agents["101"].reason == "lunch"


def test_nobody_logged_in_at_this_phone() -> None:
    desk = Desk(logged_in=False)
    assert Keypad(desk, 1, "14").heard == "cc-not-logged-in"


def test_an_unknown_phone() -> None:
    assert Keypad(Desk(), 9, "14").heard == "cc-not-allowed"


def test_not_ready_in_a_talk_waits_for_its_end() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    assert Keypad(desk, 1, "131").heard == "cc-will-pause"
    assert desk.shown(1) is ShownState.TALKING
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.1)
    assert desk.shown(1) is ShownState.NOT_READY


def test_disposition_by_code_during_wrap_up() -> None:
    desk = Desk()
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    assert Keypad(desk, 1, "172").heard == "cc-disposition-unknown", "this queue does not offer it"
    assert Keypad(desk, 1, "171").heard == "cc-disposition-done"
    assert desk.shown(1) is ShownState.READY


def test_an_agents_own_call_keeps_offers_away() -> None:
    desk = Desk(agents=1)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    assert desk.shown(1) is ShownState.ON_OWN_CALL
    desk.call()
    assert not desk.ever(c.RingAgent)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert desk.ring()


def test_each_state_is_on_record_once_with_its_duration() -> None:
    desk = Desk(agents=1)
    desk.now_s += 10.0
    Keypad(desk, 1, "131")
    desk.now_s += 60.0
    Keypad(desk, 1, "14")
    states = [(r.state, r.reason, round(r.duration_s)) for r in desk.kept(AgentStateRecord)]
    assert states[1:] == [(ShownState.READY, None, 10), (ShownState.NOT_READY, "lunch", 60)]


def test_requests_are_answered() -> None:
    desk = Desk()
    desk.tell(ev.PauseRequested(request=7, agent="101", reason="lunch"))
    assert desk.told(c.Reply) == [c.Reply(request=7, is_ok=True, text="agent 101 is not ready (lunch)")]
    desk.tell(ev.HangUpRequested(request=8, interaction=99))
    assert desk.told(c.Reply)[0].is_ok is False


def test_the_end_of_our_leg_is_no_own_call_while_the_phone_still_says_in_use() -> None:
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    desk.hangs_up(caller)
    desk.wait(20.1)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert desk.shown(1) is ShownState.READY
    assert ShownState.ON_OWN_CALL not in {r.state for r in desk.kept(AgentStateRecord)}


def test_a_phone_that_stays_in_use_is_on_an_own_call() -> None:
    desk = Desk(agents=1)
    caller, offer = desk.talk()
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    desk.hangs_up(caller)
    desk.wait(20.1)
    desk.hangs_up(offer.leg)
    desk.wait(1.1)
    assert desk.shown(1) is ShownState.ON_OWN_CALL

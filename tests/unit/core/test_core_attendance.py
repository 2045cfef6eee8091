"""Log-in at any desk, moves, shifts, and the language agents are spoken to."""

import pytest
from desk import UTC_AT_0, Desk
from keypad import Keypad
from rules import obey, obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState, ShownState
from ccserver.core.settings import AgentRules, LoginRule, OpeningHours, PhoneSettings


def with_a_spare_phone(agents: int = 2) -> Desk:
    desk = Desk(agents=agents)
    obey(desk, phones={**desk.settings.phones, "PJSIP/1009": PhoneSettings(number="1009")})
    return desk


def log_in(desk: Desk, phone: int, agent: str) -> str:
    pad = Keypad(desk, phone, f"11{agent}")
    pad.pin(True)
    return pad.heard


def phone_of(desk: Desk, agent: str) -> str | None:
    return desk.center.snapshot().agents[agent].phone


# --- hot desking --------------------------------------------------------------------------------------------------------
def test_a_log_in_at_another_phone_moves_the_agent_as_they_are() -> None:
    desk = with_a_spare_phone()
    Keypad(desk, 1, "131")
    idle_s = desk.center.snapshot().agents["101"].idle_since_s
    desk.now_s += 10.0
    assert log_in(desk, 9, "101") == "cc-login-done"
    assert phone_of(desk, "101") == "PJSIP/1009" and desk.shown(1) is ShownState.NOT_READY
    assert desk.center.snapshot().agents["101"].idle_since_s == idle_s
    assert Keypad(desk, 1, "14").heard == "cc-not-logged-in"
    Keypad(desk, 9, "14")
    Keypad(desk, 2, "131")
    desk.call()
    assert desk.ring().phone == "PJSIP/1009"


def test_a_log_in_at_another_phone_is_refused_where_the_rule_says_so() -> None:
    desk = with_a_spare_phone()
    obey(desk, agent_rules=AgentRules(login=LoginRule.REFUSE))
    assert log_in(desk, 9, "101") == "cc-on-own-phone" and phone_of(desk, "101") == "PJSIP/1001"


def test_in_a_talk_the_move_comes_after_it() -> None:
    desk = with_a_spare_phone(agents=1)
    caller, offer = desk.talk()
    assert log_in(desk, 9, "101") == "cc-will-move" and phone_of(desk, "101") == "PJSIP/1001"
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    assert phone_of(desk, "101") == "PJSIP/1001", "wrap-up is work"
    desk.wait(20.0)
    assert phone_of(desk, "101") == "PJSIP/1009" and desk.shown(1) is ShownState.READY


def test_a_move_lapses_when_somebody_else_came_first() -> None:
    desk = with_a_spare_phone()
    caller, offer = desk.talk()
    assert offer.agent == "101"
    log_in(desk, 9, "101")
    assert log_in(desk, 9, "102") == "cc-login-done"
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert (phone_of(desk, "101"), phone_of(desk, "102")) == ("PJSIP/1001", "PJSIP/1009")


def test_a_log_in_where_one_is_takes_back_what_was_put_off() -> None:
    desk = with_a_spare_phone(agents=1)
    caller, offer = desk.talk()
    log_in(desk, 9, "101")
    assert Keypad(desk, 1, "12").heard == "cc-will-log-out"
    assert log_in(desk, 1, "101") == "cc-login-done"
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert phone_of(desk, "101") == "PJSIP/1001"


def test_log_out_wins_over_a_move() -> None:
    desk = with_a_spare_phone(agents=1)
    caller, offer = desk.talk()
    log_in(desk, 9, "101")
    Keypad(desk, 1, "12")
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.LOGGED_OUT and phone_of(desk, "101") is None


def test_unregistered_is_unreachable_at_once_and_back_at_once() -> None:
    desk = Desk(agents=1)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.UNAVAILABLE))
    assert desk.shown(1) is ShownState.UNREACHABLE
    desk.call()
    assert not desk.ever(c.RingAgent)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert desk.ring()


# --- shifts -------------------------------------------------------------------------------------------------------------
def until(hour: float) -> OpeningHours:
    """A shift from 06:00 on, in UTC. The desk opens at 08:01:40."""
    return OpeningHours(timezone="UTC", week=(((6 * 60, int(hour * 60)),),) * 7)


def on_shift(hour: float, agents: int = 1) -> Desk:
    desk = Desk(agents=agents)
    obey(desk, hours={**desk.settings.hours, "early": until(hour)})
    obey_for(desk, 1, shift="early")
    return desk


def test_logged_out_when_the_shift_ends() -> None:
    desk = on_shift(10)
    desk.wait(2 * 3600 - desk.now_s - 0.1)
    assert desk.shown(1) is ShownState.READY
    desk.wait(0.1)
    assert desk.shown(1) is ShownState.LOGGED_OUT


def test_the_present_work_comes_before_the_end_of_the_shift() -> None:
    desk = on_shift(10)
    caller, offer = desk.talk()
    desk.wait(2 * 3600)
    assert desk.shown(1) is ShownState.TALKING
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.LOGGED_OUT


def test_who_logs_in_outside_the_shift_stays_until_the_next_one_ends() -> None:
    desk = on_shift(10)
    desk.wait(2 * 3600)
    desk.log_in(1)
    desk.wait(23 * 3600)
    assert desk.shown(1) is ShownState.READY, "overtime, and the next day's shift has begun"
    desk.wait(3600.0)
    assert desk.shown(1) is ShownState.LOGGED_OUT


def test_a_clock_that_was_put_back_does_not_end_the_shift_early() -> None:
    desk = on_shift(10)
    phones = []
    for _ in range(2):
        desk.now_s = desk.center.next_deadline()
        desk.center.on_deadline(Moment(desk.now_s, UTC_AT_0 + desk.now_s - 1800.0))
        phones.append(phone_of(desk, "101"))
    assert phones == ["PJSIP/1001", None], "half an hour later it is over"


def test_a_shift_that_is_given_during_the_day_holds_at_once() -> None:
    desk = on_shift(18)
    obey(desk, hours={**desk.settings.hours, "early": until(9)})
    desk.wait(3600.0)
    assert desk.shown(1) is ShownState.LOGGED_OUT


# --- languages ----------------------------------------------------------------------------------------------------------
def test_agents_are_spoken_to_in_their_language_once_it_is_known_who_they_are() -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, language="es")
    Keypad(desk, 1, "16")
    assert desk.told(c.Say)[0].language == "es"
    Keypad(desk, 1, "13")
    assert desk.told(c.Collect)[0].language == "es"
    Keypad(desk, 1, "12")
    assert desk.told(c.Say)[0].language == "es"
    pad = Keypad(desk, 1, "11101")
    assert desk.told(c.CollectSecret)[0].language == "en", "else the language would tell that the number is somebody's"
    pad.pin(False)
    assert desk.told(c.Say)[0].language == "en"
    Keypad(desk, 1, "11101").pin(True)
    assert desk.told(c.Say)[0].language == "es"


@pytest.mark.parametrize("code", ["19", "16", "21", "31"])
def test_codes_of_an_agent_need_one(code: str) -> None:
    assert Keypad(Desk(logged_in=False), 1, code).heard == "cc-not-logged-in"

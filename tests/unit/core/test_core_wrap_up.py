"""How long an agent wraps up, what ends it, and the rest that follows."""

import pytest
from desk import Desk, a_queue
from keypad import Keypad
from rules import obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import AgentStateRecord, PhoneState, ShownState
from ccserver.core.settings import WrapUpKind


def after_a_talk(agents: int = 1, **queue: object) -> Desk:
    """The customer has hung up, and the agent's leg with them."""
    desk = Desk(agents=agents, sales=a_queue(**queue))
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    return desk


@pytest.mark.parametrize(
    ("kind", "lasts_s"),
    [
        (WrapUpKind.NONE, 0.0),
        (WrapUpKind.TIMED, 20.0),
        (WrapUpKind.EXTENDABLE, 20.0),
        (WrapUpKind.UNTIL_DISPOSITION, 50.0),
    ],
)
def test_wrap_up_lasts(kind: WrapUpKind, lasts_s: float) -> None:
    desk = after_a_talk(wrap_up=kind, wrap_up_max_s=50.0)
    if lasts_s:
        desk.wait(lasts_s - 0.1)
        assert desk.shown(1) is ShownState.WRAP_UP
        desk.wait(0.1)
    assert desk.shown(1) is ShownState.READY


def test_more_time_until_there_is_none() -> None:
    desk = after_a_talk(wrap_up=WrapUpKind.EXTENDABLE, wrap_up_max_s=50.0)
    desk.wait(10.0)
    assert Keypad(desk, 1, "21").heard == "cc-wrap-up-extended"
    assert Keypad(desk, 1, "21").heard == "cc-wrap-up-extended"
    assert Keypad(desk, 1, "21").heard == "cc-wrap-up-longest"
    desk.wait(39.9)
    assert desk.shown(1) is ShownState.WRAP_UP
    desk.wait(0.1)
    assert desk.shown(1) is ShownState.READY


@pytest.mark.parametrize("kind", [WrapUpKind.TIMED, WrapUpKind.UNTIL_DISPOSITION])
def test_no_more_time_where_the_queue_has_another_rule(kind: WrapUpKind) -> None:
    assert Keypad(after_a_talk(wrap_up=kind), 1, "21").heard == "cc-not-allowed"


def test_nothing_to_extend() -> None:
    assert Keypad(Desk(), 1, "21").heard == "cc-nothing-to-do"


def test_where_a_disposition_is_wanted_the_code_for_the_end_is_not_enough() -> None:
    desk = after_a_talk(wrap_up=WrapUpKind.UNTIL_DISPOSITION)
    assert Keypad(desk, 1, "15").heard == "cc-disposition-needed"
    assert desk.shown(1) is ShownState.WRAP_UP
    assert Keypad(desk, 1, "171").heard == "cc-disposition-done"
    assert desk.shown(1) is ShownState.READY


def test_where_the_queue_has_no_dispositions_the_code_for_the_end_is() -> None:
    desk = after_a_talk(wrap_up=WrapUpKind.UNTIL_DISPOSITION, dispositions=())
    assert Keypad(desk, 1, "15").heard == "cc-wrap-up-ended" and desk.shown(1) is ShownState.READY


def test_the_kept_leg_is_asked_for_as_long_as_the_wrap_up_lasts() -> None:
    desk = Desk(agents=1, sales=a_queue(wrap_up=WrapUpKind.UNTIL_DISPOSITION, wrap_up_max_s=90.0))
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.tell(ev.WrapUpOpened(session="w-1", leg=offer.leg), after_s=1.0)
    assert desk.told(c.Collect)[0].first_timeout_s == pytest.approx(89.0)


def test_a_rest_follows_the_wrap_up() -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, min_rest_s=15.0)
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.call()
    desk.wait(20.0)
    assert desk.shown(1) is ShownState.RESTING
    assert Keypad(desk, 1, "14").heard == "cc-ready" and desk.shown(1) is ShownState.RESTING, "a rest is no break to be ended"
    desk.wait(14.9)
    assert len(desk.ever(c.RingAgent)) == 1
    desk.wait(0.1)
    assert desk.ring().agent == "101"
    states = [(r.state, round(r.duration_s)) for r in desk.kept(AgentStateRecord)][-2:]
    assert states == [(ShownState.WRAP_UP, 20), (ShownState.RESTING, 15)]


def test_who_asks_during_the_rest_hears_of_it_although_the_phone_is_in_use_by_asking() -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, min_rest_s=15.0)
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    desk.wait(20.0)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    assert Keypad(desk, 1, "16").heard == "cc-state-resting"
    desk.wait(15.0)
    assert Keypad(desk, 1, "16").heard == "cc-state-ready"


def test_an_offer_that_was_missed_earns_no_rest() -> None:
    desk = Desk(agents=1)
    obey_for(desk, 1, min_rest_s=15.0)
    desk.call()
    offer = desk.ring()
    desk.ringing(offer)
    desk.hangs_up(offer.leg, cause=19)
    assert desk.shown(1) is ShownState.BACK_OFF
    desk.wait(5.0)
    assert desk.ring()


def test_not_ready_during_the_rest_is_shown_and_the_log_out_ends_it() -> None:
    desk = after_a_talk(wrap_up=WrapUpKind.NONE)
    obey_for(desk, 1, min_rest_s=15.0)
    caller, offer = desk.talk()
    desk.hangs_up(caller)
    desk.hangs_up(offer.leg)
    assert desk.shown(1) is ShownState.RESTING
    Keypad(desk, 1, "131")
    assert desk.shown(1) is ShownState.NOT_READY
    Keypad(desk, 1, "12")
    desk.log_in(1)
    assert desk.shown(1) is ShownState.READY

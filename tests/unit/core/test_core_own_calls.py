"""Calls that phones make by themselves: who may, what is shown meanwhile, and what is kept."""

from dataclasses import replace

import pytest
from desk import Desk
from rules import obey, obey_for

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.ids import LegId
from ccserver.core.records import AuditRecord, NoticeKind, NoticeRecord, OwnCallRecord, PhoneState, ShownState
from ccserver.core.settings import AgentRules, ClassOfService, IdleReset, LoginRule, NumberKind, PhoneKind, PhoneSettings

MOBILE = "+34600111222"


def dial(desk: Desk, phone: int, number: str, kind: NumberKind) -> LegId:
    """A phone of the settings (or, from 5 on, an unknown one) dials by itself."""
    desk.count += 1
    leg = LegId("pbx", f"1700000000.7{desk.count}")
    known = f"PJSIP/100{phone}" if f"PJSIP/100{phone}" in desk.settings.phones else None
    session = f"o-{desk.count}"
    desk.tell(ev.OwnCallDialled(session=session, leg=leg, channel="x", phone=known, to=number, number=number, kind=kind))
    return leg


def answer(desk: Desk) -> str:
    """What the phone got: `dial`, the extension to dial instead, or the prompt of a refusal."""
    ends = desk.told(c.EndSession)
    if ends:
        assert ends[0].next is c.Next.DIAL
        return ends[0].extension or "dial"
    (say,) = desk.told(c.Say)
    return say.say[0].value


def with_class(agents: int = 2, **rules: object) -> Desk:
    desk = Desk(agents=agents)
    allowed = ClassOfService(allows=frozenset({NumberKind.INTERNAL, NumberKind.LOCAL, NumberKind.MOBILE}))
    obey(desk, classes_of_service={"office": replace(allowed, **rules)})
    obey_for(desk, 1, class_of_service="office")
    return desk


@pytest.mark.parametrize(
    ("phone", "kind", "heard"),
    [
        (1, NumberKind.INTERNAL, "dial"),
        (1, NumberKind.LOCAL, "dial"),
        (1, NumberKind.MOBILE, "dial"),
        (1, NumberKind.INTERNATIONAL, "cc-dial-not-allowed"),
        (1, NumberKind.PREMIUM, "cc-dial-not-allowed"),
        (1, NumberKind.UNKNOWN, "cc-dial-not-allowed"),
        (2, NumberKind.INTERNAL, "dial"),
        (2, NumberKind.LOCAL, "cc-dial-not-allowed"),
        (9, NumberKind.INTERNAL, "cc-not-allowed"),
    ],
)
def test_the_class_of_service_decides(phone: int, kind: NumberKind, heard: str) -> None:
    """Agent 101 has a class, agent 102 has none, and phone 9 is unknown."""
    desk = with_class()
    dial(desk, phone, "55", kind)
    assert answer(desk) == heard


@pytest.mark.parametrize(("kind", "heard"), [(NumberKind.INTERNAL, "dial"), (NumberKind.LOCAL, "cc-dial-not-allowed")])
def test_where_nobody_is_logged_in_only_internal_numbers_go(kind: NumberKind, heard: str) -> None:
    desk = with_class()
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    dial(desk, 1, "55", kind)
    assert answer(desk) == heard


def test_a_refusal_is_said_in_the_agents_language_and_ends_the_call() -> None:
    desk = with_class()
    obey_for(desk, 1, language="es")
    leg = dial(desk, 1, "+1900", NumberKind.PREMIUM)
    assert desk.told(c.Say)[0].language == "es"
    assert [type(each) for _, each in desk.last] == [c.Store, c.AnswerCall, c.Say], "before the answer nobody hears it"
    assert desk.shown(1) is ShownState.READY, "what is not called keeps no offer away"
    desk.prompt_ends(leg)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP
    desk.hangs_up(leg)
    (record,) = desk.kept(OwnCallRecord)
    assert (record.agent, record.to, record.is_allowed, record.duration_s) == ("101", "+1900", False, 0.0)


def test_so_many_outside_calls_an_hour_and_no_more() -> None:
    desk = with_class(calls_per_hour=2)
    for _ in range(2):
        leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
        assert answer(desk) == "dial"
        desk.hangs_up(leg)
        desk.wait(100.0)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "cc-dial-too-many"
    dial(desk, 1, "1002", NumberKind.INTERNAL)
    assert answer(desk) == "dial", "internal calls are not counted"
    desk.wait(3500.0)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "dial", "an hour after the first"


def test_a_new_log_in_does_not_start_the_hour_anew() -> None:
    desk = with_class(calls_per_hour=1)
    desk.hangs_up(dial(desk, 1, MOBILE, NumberKind.MOBILE))
    desk.tell(ev.LogoutRequested(request=1, agent="101"))
    desk.log_in(1)
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert answer(desk) == "cc-dial-too-many"


def test_an_own_call_keeps_offers_away_until_its_leg_ends() -> None:
    desk = with_class(agents=1)
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert desk.shown(1) is ShownState.ON_OWN_CALL
    desk.call()
    assert not desk.ever(c.RingAgent)
    desk.now_s += 60.0
    desk.hangs_up(leg)
    assert desk.ring().agent == "101"
    (record,) = desk.kept(OwnCallRecord)
    assert (record.kind, record.is_allowed, record.duration_s) == (NumberKind.MOBILE, True, 60.0)


def test_two_lines_of_one_phone_are_both_waited_for() -> None:
    desk = with_class(agents=1)
    first, second = (dial(desk, 1, MOBILE, NumberKind.MOBILE) for _ in range(2))
    desk.hangs_up(first)
    assert desk.shown(1) is ShownState.ON_OWN_CALL
    desk.hangs_up(second)
    assert desk.shown(1) is ShownState.READY


def test_a_call_whose_phone_hung_up_before_it_asked_is_no_call() -> None:
    desk = with_class()
    desk.hangs_up(LegId("pbx", f"1700000000.7{desk.count + 1}"))
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    assert desk.told(c.EndSession)[0].next is c.Next.HANG_UP and not desk.center.snapshot().own_calls


def test_an_own_call_that_an_observation_does_not_show_is_over() -> None:
    desk = with_class()
    dial(desk, 1, MOBILE, NumberKind.MOBILE)
    desk.observe()
    desk.observe()
    assert desk.shown(1) is ShownState.READY and len(desk.kept(OwnCallRecord)) == 1


def test_an_own_call_outlives_the_daemon() -> None:
    desk = with_class()
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=1), ev.LinkUp(pbx="pbx", uptime_s=100.0))
    there = ev.ChannelView(leg=leg, channel="x", is_up=True, bridge=None, application="Dial", context="cc-outside")
    desk.observe(there)
    assert desk.shown(1) is ShownState.ON_OWN_CALL
    desk.hangs_up(leg)
    assert desk.shown(1) is ShownState.READY


def test_an_agents_number_reaches_the_agent_wherever_they_are() -> None:
    desk = Desk(agents=2)
    obey(desk, phones={**desk.settings.phones, "PJSIP/1003": PhoneSettings(number="1003")})
    desk.tell(ev.LoginRequested(request=1, agent="102", phone="PJSIP/1003"))
    dial(desk, 1, "102", NumberKind.INTERNAL)
    assert answer(desk) == "1003"
    desk.tell(ev.LogoutRequested(request=2, agent="102"))
    dial(desk, 1, "102", NumberKind.INTERNAL)
    assert answer(desk) == "cc-agent-not-there"


def test_a_number_that_is_a_phones_too_rings_it_when_its_agent_is_away() -> None:
    desk = Desk(agents=2)
    obey(desk, phones={**desk.settings.phones, "PJSIP/1003": PhoneSettings(number="102")})
    desk.tell(ev.LogoutRequested(request=1, agent="102"))
    dial(desk, 1, "102", NumberKind.INTERNAL)
    assert answer(desk) == "dial"


def test_an_agent_at_an_outside_number_cannot_be_called_as_a_colleague() -> None:
    desk = Desk(agents=2)
    outside = PhoneSettings(number="+34911000111", kind=PhoneKind.EXTERNAL)
    obey(desk, phones={**desk.settings.phones, "PJSIP/x": outside})
    desk.tell(ev.LoginRequested(request=1, agent="102", phone="PJSIP/x"))
    dial(desk, 1, "102", NumberKind.INTERNAL)
    assert answer(desk) == "cc-agent-not-there"


@pytest.mark.parametrize(
    ("kind", "resets", "is_anew"),
    [
        (NumberKind.MOBILE, {IdleReset.MANUAL_CALL}, True),
        (NumberKind.MOBILE, {IdleReset.INTERNAL_CALL}, False),
        (NumberKind.INTERNAL, {IdleReset.INTERNAL_CALL}, True),
        (NumberKind.INTERNAL, {IdleReset.MANUAL_CALL}, False),
    ],
)
def test_the_idle_clock_after_an_own_call(kind: NumberKind, resets: set[IdleReset], is_anew: bool) -> None:
    desk = with_class()
    obey(desk, agent_rules=AgentRules(login=LoginRule.MOVE, idle_clock=frozenset(resets)))
    before = desk.center.snapshot().agents["101"].idle_since_s
    leg = dial(desk, 1, "55", kind)
    desk.now_s += 30.0
    desk.hangs_up(leg)
    assert desk.center.snapshot().agents["101"].idle_since_s == (desk.now_s if is_anew else before)


def test_a_phone_that_is_still_in_use_after_its_call_stays_on_its_own_call() -> None:
    desk = with_class(agents=1)
    leg = dial(desk, 1, MOBILE, NumberKind.MOBILE)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IN_USE))
    desk.hangs_up(leg)
    assert desk.shown(1) is ShownState.ON_OWN_CALL
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.IDLE))
    assert desk.shown(1) is ShownState.READY


def test_an_emergency_call_is_told_at_once() -> None:
    desk = Desk()
    desk.tell(ev.EmergencyDialled(leg=LegId("pbx", "1.1"), phone="PJSIP/1002", to="112"))
    (notice,) = desk.kept(NoticeRecord)
    assert (notice.kind, notice.agent, notice.phone, notice.data) == (NoticeKind.EMERGENCY, "102", "PJSIP/1002", {"to": "112"})
    (audit,) = desk.kept(AuditRecord)
    assert (audit.by, audit.what, audit.is_done) == ("agent 102", "112", True)


def test_an_emergency_call_from_a_phone_without_an_agent() -> None:
    desk = Desk(logged_in=False)
    desk.tell(ev.EmergencyDialled(leg=LegId("pbx", "1.1"), phone=None, to="112"))
    assert desk.kept(NoticeRecord)[0].agent is None and desk.kept(AuditRecord)[0].by == "unknown phone"

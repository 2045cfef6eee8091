"""A person is to be erased: what is live forgets the number, or says why it cannot yet."""

from dataclasses import replace

import pytest
from desk import Desk
from rules import obey
from test_core_callbacks import NUMBER, a_desk, asked, comes_back
from test_core_own_calls import dial

from ccserver.core import codec
from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.records import AuditRecord, CallbackOutcome, CallbackRecord
from ccserver.core.settings import CallerRules, NumberKind, NumberMark

FORGET = ev.ForgetNumberRequested(request=9, number=NUMBER, by="maria")


def forgets(desk: Desk, event: ev.ForgetNumberRequested = FORGET) -> tuple[bool, str]:
    before = len(desk.kept(AuditRecord))
    desk.tell(event)
    (reply,) = desk.told(c.Reply)
    (record,) = desk.kept(AuditRecord)[before:]
    assert (record.by, record.act, record.what, record.interaction) == ("maria", "forget_number", "", None), "not of whom"
    assert record.is_done is reply.is_ok
    return reply.is_ok, reply.text


def remembers(desk: Desk) -> bool:
    """Whether anything of the state but the settings holds the number."""
    return NUMBER in repr(replace(desk.center.snapshot(), versions={}))


def test_nobody_is_nothing() -> None:
    desk = Desk()
    assert forgets(desk) == (True, "nothing live remembers the number")


def test_a_mark_is_forgotten() -> None:
    desk = Desk()
    for number in (NUMBER, "+34911000000"):
        desk.tell(ev.MarkNumberRequested(request=1, number=number, mark=NumberMark.BLOCKED, note="", by="maria"))
    assert forgets(desk) == (True, "the mark is gone")
    assert list(desk.center.snapshot().marks) == ["+34911000000"]
    assert forgets(desk)[0], "asked again it is done again"


def test_who_spoke_to_them_and_whom_an_agent_would_call_back() -> None:
    desk = Desk(agents=1)
    caller, _ = desk.talk()
    number = desk.center.snapshot().interactions[1].caller_number
    event = replace(FORGET, number=number)
    assert forgets(desk, event) == (False, "voice 1 of this person is live: wait until it is over")
    desk.hangs_up(caller)
    if 1 in desk.center.snapshot().interactions:  # the wrap-up is a part of it
        assert not forgets(desk, event)[0]
        desk.wait(3600.0)
    is_done, told = forgets(desk, event)
    assert is_done and "who spoke to them last is forgotten" in told and "agent 101 does not call them back" in told
    assert number not in desk.center.snapshot().spoken_to
    assert desk.center.snapshot().agents["101"].last_caller is None


def test_a_waiting_callback_is_cancelled() -> None:
    desk = a_desk()
    asked(desk)
    is_done, told = forgets(desk)
    assert is_done and "callback 2 is cancelled" in told
    (record,) = desk.kept(CallbackRecord)
    assert record.outcome is CallbackOutcome.CANCELLED
    assert not remembers(desk)
    desk.wait(7200.0)
    assert not desk.ever(c.DialOut)


def test_a_callback_that_is_under_way_is_not() -> None:
    desk = a_desk()
    asked(desk)
    comes_back(desk)
    before = desk.center.snapshot()
    assert forgets(desk) == (False, "callback 2 of this person is live: wait until it is over")
    assert desk.center.snapshot().interactions == before.interactions


def test_a_phone_that_calls_them() -> None:
    desk = Desk(agents=1)
    dial(desk, 1, NUMBER, NumberKind.INTERNAL)
    assert forgets(desk) == (False, "PJSIP/1001 is calling this person: wait until that is over")


def test_numbers_of_the_settings_are_named() -> None:
    desk = Desk()
    obey(desk, callers=CallerRules(marks={NUMBER: NumberMark.VIP}))
    is_done, told = forgets(desk)
    assert is_done and "take it out there" in told


@pytest.mark.parametrize("number", ["", "x" * 1000, "\x1b[2J"])
def test_what_is_no_number_is_nobody(number: str) -> None:
    desk = Desk()
    assert forgets(desk, replace(FORGET, number=number)) == (True, "nothing live remembers the number")


def test_the_journal_tells_it_again() -> None:
    assert codec.decode_event(codec.encode_event(FORGET)) == FORGET

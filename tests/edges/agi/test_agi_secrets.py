"""Digits of callers that a look-up checks: typed into a session, and found nowhere afterwards."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
from agi_peer import EN, Desk
from twisted.internet.defer import Deferred

from ccserver.agi.secrets import SecretAnswer
from ccserver.agi.session import QUIET_S
from ccserver.core.codec import encode_event
from ccserver.core.commands import CollectSecret, SecretCheck
from ccserver.core.events import Event, SecretChecked, SessionClosed
from ccserver.core.ids import Language, LookUpId

WAIT_1S = "WAIT FOR DIGIT 1000"
CHECK = SecretCheck(look_up=LookUpId("pins"), parameters={"customer": "4"}, hash_field="pin_hash")


class Checked:
    """The other side of `check_secret`: what it was asked, and its answer when the test gives it."""

    def __init__(self, desk: Desk) -> None:
        self.asked: list[tuple[SecretCheck, bytes, Language]] = []
        self.held: list[bytearray] = []
        self.answer: Deferred[SecretAnswer] = Deferred()
        object.__setattr__(desk.server._surroundings, "check_secret", self._check)

    def _check(self, check: SecretCheck, digits: bytearray, language: Language) -> "Deferred[SecretAnswer]":
        self.asked.append((check, bytes(digits), language))
        self.held.append(digits)
        return self.answer


@pytest.fixture
def checked(desk: Desk) -> Checked:
    return Checked(desk)


def type_in(desk: Desk, keys: str, max_digits: int = 12) -> SecretChecked:
    """Of a session that is asked for a secret; the event to be expected, as far as it is known before."""
    peer = desk.call()
    verb = CollectSecret(session=peer.session, say=(), language=EN, timeout_s=3.0, check=CHECK, max_digits=max_digits)
    command = peer.perform(verb)
    for key in keys:
        peer.answer(WAIT_1S, result=ord(key))
    return SecretChecked(session=peer.session, command=command, is_ok=None)


def told(desk: Desk) -> Event:
    (event,) = desk.take_events()
    return event


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (SecretAnswer(is_ok=True, token="tok-1"), {"is_ok": True, "token": "tok-1"}),
        (SecretAnswer(is_ok=True), {"is_ok": True}),
        (SecretAnswer(is_ok=False, token="not for wrong ones"), {"is_ok": False}),
        (SecretAnswer(is_ok=None), {"is_failed": True}),
    ],
)
def test_digits_go_to_the_check_and_its_answer_to_the_core(
    desk: Desk, checked: Checked, answer: SecretAnswer, expected: dict[str, Any]
) -> None:
    before = type_in(desk, "083915#")
    assert checked.asked == [(CHECK, b"083915", EN)]
    assert not desk.events
    checked.answer.callback(answer)
    assert told(desk) == replace(before, **expected)


def test_they_are_wiped_once_they_are_checked_and_in_nothing_that_is_written(desk: Desk, checked: Checked) -> None:
    with structlog.testing.capture_logs() as logs:
        type_in(desk, "083915#")
        assert checked.held == [b"083915"]
        checked.answer.callback(SecretAnswer(is_ok=False))
        event = told(desk)
    assert checked.held == [bytes(6)]
    for written in (repr(event), encode_event(event).decode(), repr(logs)):
        assert "083915" not in written


def test_so_many_digits_need_no_end(desk: Desk, checked: Checked) -> None:
    type_in(desk, "4970", max_digits=4)
    assert checked.asked[0][1] == b"4970"


def test_a_card_number_is_longer_than_any_pin(desk: Desk, checked: Checked) -> None:
    type_in(desk, "4970101234567890123", max_digits=19)
    assert checked.asked[0][1] == b"4970101234567890123"


def test_nothing_in_time_is_not_checked(desk: Desk, checked: Checked) -> None:
    peer = desk.call()
    command = peer.perform(CollectSecret(session=peer.session, say=(), language=EN, timeout_s=2.0, check=CHECK))
    for _ in range(2):
        desk.clock.advance(1)
        peer.answer(WAIT_1S)
    assert told(desk) == SecretChecked(session=peer.session, command=command, is_ok=None)
    assert checked.asked == []


def test_a_check_that_raises_has_failed_and_what_it_said_is_not_repeated(desk: Desk, checked: Checked) -> None:
    before = type_in(desk, "083915#")
    with structlog.testing.capture_logs() as logs:
        checked.answer.errback(ValueError("083915 is no number"))
    assert told(desk) == replace(before, is_failed=True)
    assert [(entry["event"], entry["error"]) for entry in logs] == [("secret_check.faulted", "ValueError")]
    assert "083915" not in repr(logs)
    assert desk.server.counters.faults == 1
    assert checked.held == [bytes(6)]


def test_a_caller_who_leaves_meanwhile(desk: Desk, checked: Checked) -> None:
    peer = desk.call()
    peer.perform(CollectSecret(session=peer.session, say=(), language=EN, timeout_s=3.0, check=CHECK, max_digits=1))
    peer.answer(WAIT_1S, result=ord("7"))
    peer.hang_up()
    checked.answer.callback(SecretAnswer(is_ok=True))
    assert told(desk) == SessionClosed(session=peer.session)
    assert checked.held == [bytes(1)]


def test_who_waits_for_the_check_longer_than_a_moment_hears_music(desk: Desk, checked: Checked) -> None:
    peer = desk.call()
    command = peer.perform(CollectSecret(session=peer.session, say=(), language=EN, timeout_s=3.0, check=CHECK, max_digits=1))
    peer.answer(WAIT_1S, result=ord("7"))
    desk.clock.advance(QUIET_S - 0.1)
    assert peer.asked() == []
    desk.clock.advance(0.1)
    peer.answer("SET MUSIC ON")
    assert not desk.events
    checked.answer.callback(SecretAnswer(is_ok=True))
    assert told(desk) == SecretChecked(session=peer.session, command=command, is_ok=True)


def test_without_look_ups_nothing_can_be_checked(desk: Desk) -> None:
    before = type_in(desk, "1#")
    assert told(desk) == replace(before, is_failed=True)

"""Values in speech: files of the speaker, at once or awaited; digits and newer verbs do not wait for one."""

from pathlib import Path

import pytest
import structlog.testing
from agi_peer import EN, LEG, AgiPeer, Desk
from twisted.internet.defer import Deferred

from ccserver.core.commands import Collect, Say
from ccserver.core.events import DigitsCollected, Event, PromptEnded, VerbEnd, WaitEnded
from ccserver.core.ids import CommandId, Language
from ccserver.core.settings import Spoken, SpokenKind

Answer = tuple[str, ...] | None
ES = Language("es")
DATE = Spoken(SpokenKind.DATE, "2026-12-25")
WELCOME = Spoken(SpokenKind.PROMPT, "welcome")


class Studio:
    """A speaker that has some values, makes others when the test says so, and cannot say the rest."""

    def __init__(self) -> None:
        self.has: dict[tuple[str, str], tuple[str, ...]] = {}
        self.makes: dict[str, Deferred[Answer]] = {}
        self.asked: list[tuple[str, str]] = []

    def say(self, piece: Spoken, language: Language, /) -> "Answer | Deferred[Answer]":
        self.asked.append((piece.value, language))
        return self.makes.get(piece.value) or self.has.get((piece.value, language))

    def will_make(self, value: str) -> "Deferred[Answer]":
        self.makes[value] = Deferred()
        return self.makes[value]


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def desk(tmp_path: Path, studio: Studio) -> Desk:
    return Desk(tmp_path, speaker=studio)


def ended(peer: AgiPeer, command: CommandId, end: VerbEnd, digit: str = "") -> list[Event]:
    return [PromptEnded(session=peer.session, command=command, end=end, digit=digit)]


def test_the_files_of_a_value_are_streamed_in_order(desk: Desk, studio: Studio) -> None:
    studio.has["407", "en"] = ("/v/four", "/v/nought", "/v/seven")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(WELCOME, Spoken(SpokenKind.DIGITS, "407")), language=EN))
    peer.answer(
        'STREAM FILE "/prompts/en/welcome" ""',
        'STREAM FILE "/v/four" ""',
        'STREAM FILE "/v/nought" ""',
        'STREAM FILE "/v/seven" ""',
    )
    assert desk.take_events() == ended(peer, command, VerbEnd.DONE)


def test_a_value_is_made_while_what_stands_before_it_is_said(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(WELCOME, DATE), language=EN))
    assert studio.asked == [("2026-12-25", "en")]
    assert peer.asked() == ['STREAM FILE "/prompts/en/welcome" ""']
    made.callback(("/v/date",))
    peer.reply()
    peer.answer('STREAM FILE "/v/date" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.DONE)


def test_what_is_not_made_yet_is_awaited_without_a_command(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(DATE, WELCOME), language=EN))
    assert peer.asked() == []
    made.callback(("/v/date",))
    peer.answer('STREAM FILE "/v/date" ""', 'STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.DONE)


def test_while_ami_is_away_it_is_awaited_with_a_command_that_hears_keys(desk: Desk, studio: Studio) -> None:
    desk.server.ami_listens(False)
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(DATE, WELCOME), language=EN, stop_digits="1"))
    peer.answer("WAIT FOR DIGIT 1000")
    assert peer.asked() == ["WAIT FOR DIGIT 1000"]
    peer.reply(ord("1"))
    assert desk.take_events() == ended(peer, command, VerbEnd.DIGIT, "1")
    made.callback(("/v/date",))
    assert peer.asked() == []


@pytest.mark.parametrize("digit", ["1", "5"])
def test_a_stop_digit_ends_the_waiting_and_another_does_not(desk: Desk, studio: Studio, digit: str) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(DATE, WELCOME), language=EN, stop_digits="1"))
    desk.server.digit(LEG, digit)
    if digit == "1":
        assert desk.take_events() == ended(peer, command, VerbEnd.DIGIT, "1")
    assert peer.asked() == []
    made.callback(("/v/date",))
    if digit == "5":
        peer.answer('STREAM FILE "/v/date" "1"', 'STREAM FILE "/prompts/en/welcome" "1"')
        assert desk.take_events() == ended(peer, command, VerbEnd.DONE)
    assert peer.asked() == []


def test_digits_typed_while_a_value_is_made_answer_the_question(desk: Desk, studio: Studio) -> None:
    studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(
        Collect(session=peer.session, say=(DATE,), language=EN, max_digits=2, first_timeout_s=3.0, next_timeout_s=2.0)
    )
    desk.server.digit(LEG, "4")
    assert peer.asked() == ["WAIT FOR DIGIT 1000"]
    desk.server.digit(LEG, "2")
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="42")]


def test_a_newer_verb_does_not_wait_for_a_value(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    asked = peer.perform(
        Collect(session=peer.session, say=(DATE,), language=EN, max_digits=2, first_timeout_s=3.0, next_timeout_s=2.0)
    )
    peer.wait()
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=asked, end=VerbEnd.SUPERSEDED, digits="")]
    peer.answer('SET MUSIC ON "default"')
    made.callback(("/v/date",))
    assert (peer.asked(), desk.take_events()) == ([], [])


@pytest.mark.parametrize("is_ami_there", [True, False])
def test_nobody_waits_long_for_a_value(desk: Desk, studio: Studio, is_ami_there: bool) -> None:
    """The time counts from where the value should be said, not from where it was asked for."""
    desk.server.ami_listens(is_ami_there)
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(WELCOME, DATE, WELCOME), language=EN))
    desk.clock.advance(60)
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    for _ in range(4):
        assert not made.called
        assert peer.asked() == ([] if is_ami_there else ["WAIT FOR DIGIT 1000"])
        desk.clock.advance(1)
        if not is_ami_there:
            peer.reply()
    assert made.called
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.FAILED)


def test_what_comes_too_late_disturbs_no_later_verb(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    peer.perform(Say(session=peer.session, say=(DATE,), language=EN, stop_digits="1"))
    desk.server.digit(LEG, "1")
    waits = peer.wait(stop="2")
    peer.answer('SET MUSIC ON "default"')
    made.callback(("/v/date",))
    desk.server.digit(LEG, "2")
    assert desk.take_events()[-1] == WaitEnded(session=peer.session, command=waits, end=VerbEnd.DIGIT, digit="2")


def test_a_stop_digit_between_two_files_of_a_value_ends_it(desk: Desk, studio: Studio) -> None:
    studio.has["44", "en"] = ("/v/four", "/v/four")
    peer = desk.call()
    command = peer.perform(
        Say(session=peer.session, say=(Spoken(SpokenKind.DIGITS, "44"), WELCOME), language=EN, stop_digits="1")
    )
    desk.server.digit(LEG, "1")
    peer.answer('STREAM FILE "/v/four" "1"')
    assert desk.take_events() == ended(peer, command, VerbEnd.DIGIT, "1")
    assert peer.asked() == []


def test_the_channel_ends_while_a_value_is_made(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    peer.perform(Say(session=peer.session, say=(DATE,), language=EN))
    peer.hang_up()
    desk.take_events()
    made.callback(("/v/date",))
    assert desk.server.counters.faults == 0


# --- what the speaker cannot say --------------------------------------------------------------------------------------
def test_what_asterisk_can_say_it_says(desk: Desk, studio: Studio) -> None:
    late = studio.will_make("21")
    peer = desk.call()
    pieces = tuple(Spoken(kind, "21") for kind in (SpokenKind.NUMBER, SpokenKind.DIGITS, SpokenKind.SPELLED))
    command = peer.perform(Say(session=peer.session, say=pieces, language=EN))
    late.callback(None)
    peer.answer('SAY NUMBER "21" ""', 'SAY DIGITS "21" ""', 'SAY ALPHA "21" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.DONE)


def test_what_it_cannot_say_is_left_out_counted_and_not_written_into_the_log(desk: Desk) -> None:
    peer = desk.call()
    with structlog.testing.capture_logs() as logs:
        command = peer.perform(Say(session=peer.session, say=(Spoken(SpokenKind.TEXT, "Ana Pérez"), WELCOME), language=EN))
        peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.FAILED)
    assert desk.server.counters.prompts_missing == 1
    assert [(each["event"], each["kind"]) for each in logs] == [("prompt.missing", "text")]
    assert "Ana" not in str(logs)


def test_a_speaker_that_fails_is_one_that_cannot_say_it(desk: Desk, studio: Studio) -> None:
    made = studio.will_make("2026-12-25")
    peer = desk.call()
    command = peer.perform(Say(session=peer.session, say=(DATE, WELCOME), language=EN))
    made.errback(ValueError("a fault"))
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == ended(peer, command, VerbEnd.FAILED)


# --- languages --------------------------------------------------------------------------------------------------------
def test_a_piece_can_have_a_language_of_its_own(desk: Desk, studio: Studio) -> None:
    studio.has["12", "es"] = ("/v/doce",)
    peer = desk.call()
    pieces = (
        Spoken(SpokenKind.PROMPT, "welcome", language=Language("de")),
        Spoken(SpokenKind.NUMBER, "12", language=ES),
        Spoken(SpokenKind.NUMBER, "13", language=ES),
        Spoken(SpokenKind.NUMBER, "13"),
    )
    peer.perform(Say(session=peer.session, say=pieces, language=EN))
    peer.answer(
        'STREAM FILE "/prompts/de/welcome" ""',
        'STREAM FILE "/v/doce" ""',
        'SET VARIABLE "CHANNEL(language)" "es"',
        'SAY NUMBER "13" ""',
        'SET VARIABLE "CHANNEL(language)" "en"',
        'SAY NUMBER "13" ""',
    )
    assert studio.asked == [("12", "es"), ("13", "es"), ("13", "en")]


def test_nothing_is_asked_of_the_speaker_when_the_answer_is_typed_already(desk: Desk, studio: Studio) -> None:
    peer = desk.call()
    desk.server.digit(LEG, "4")
    peer.perform(Collect(session=peer.session, say=(DATE,), language=EN, max_digits=1, first_timeout_s=3.0, next_timeout_s=2.0))
    assert studio.asked == []
    assert [type(each) for each in desk.take_events()] == [DigitsCollected]


def test_hostile_files_never_reach_the_wire(desk: Desk, studio: Studio) -> None:
    studio.has["12", "en"] = ('/v/a"\nEXEC System "rm',)
    peer = desk.call()
    peer.perform(Say(session=peer.session, say=(Spoken(SpokenKind.NUMBER, "12"),), language=EN, stop_digits="0123456789*#"))
    assert peer.asked() == []

"""What a session does with the core's verbs, written as a transcript of the wire."""

import pytest
import structlog.testing
from agi_peer import LEG, STREAM_ALL, AgiPeer, Desk

from ccserver.agi.secrets import hash_pin
from ccserver.core.commands import AnswerCall, AwaitSilence, Next, Say
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    DigitsCollected,
    OutcomeUnknown,
    PromptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import CommandId, Language, SessionId
from ccserver.core.settings import Spoken, SpokenKind

WAIT_1S = "WAIT FOR DIGIT 1000"


# --- AnswerCall -------------------------------------------------------------------------------------------------------
def test_answer_without_waiting_for_media(desk: Desk) -> None:
    peer = desk.call()
    command = peer.perform(AnswerCall(session=peer.session))
    peer.answer('EXEC Answer "0,i"')
    assert desk.take_events() == [CommandDone(command=command)]


def test_answer_that_fails(desk: Desk) -> None:
    peer = desk.call()
    command = peer.perform(AnswerCall(session=peer.session))
    peer.answer('EXEC Answer "0,i"', result=-2)
    assert desk.take_events() == [CommandFailed(command=command, reason="Answer: 200 result -2")]


def test_answer_cut_off_is_unknown_and_one_never_sent_failed(desk: Desk) -> None:
    peer = desk.call()
    sent = peer.perform(AnswerCall(session=peer.session))
    queued = peer.perform(AnswerCall(session=peer.session))
    session = peer.session
    peer.hang_up()
    assert desk.take_events() == [
        OutcomeUnknown(command=sent),
        CommandFailed(command=queued, reason="the session closed first"),
        SessionClosed(session=session),
    ]
    desk.server.perform(CommandId(9, 9), AnswerCall(session=session))
    assert desk.take_events() == [CommandFailed(command=CommandId(9, 9), reason="the session is closed")]


# --- AwaitSilence -----------------------------------------------------------------------------------------------------
LISTEN, STATUS = 'EXEC WaitForSilence "1500,1,4"', 'GET VARIABLE "WAITSTATUS"'


def awaits_silence(peer: AgiPeer, silence_s: float = 1.5, timeout_s: float = 30.0) -> CommandId:
    return peer.perform(AwaitSilence(session=peer.session, silence_s=silence_s, timeout_s=timeout_s))


def test_silence_is_listened_for_in_slices_until_it_comes(desk: Desk) -> None:
    peer = desk.call()
    command = awaits_silence(peer)
    for _ in range(3):
        peer.answer(LISTEN)
        peer.answer(STATUS, result="1 (TIMEOUT)")
        assert not desk.take_events()
    peer.answer(LISTEN)
    peer.answer(STATUS, result="1 (SILENCE)")
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.DONE)]


def test_somebody_who_never_stops_speaking_is_listened_to_for_so_long(desk: Desk) -> None:
    peer = desk.call()
    command = awaits_silence(peer, timeout_s=6.0)
    for slice_s in (4, 2):
        desk.clock.advance(slice_s)
        peer.answer(f'EXEC WaitForSilence "1500,1,{slice_s}"')
        peer.answer(STATUS, result="1 (TIMEOUT)")
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.TIMEOUT)]


def test_a_newer_verb_ends_the_wait_for_silence_after_its_slice(desk: Desk) -> None:
    peer = desk.call()
    command = awaits_silence(peer)
    peer.say("welcome")
    assert not desk.take_events()
    peer.answer(LISTEN)
    peer.answer(STATUS, result="1 (TIMEOUT)")
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.SUPERSEDED)]
    assert peer.asked()[0].startswith("STREAM FILE")


@pytest.mark.parametrize(("result", "is_gone"), [(-2, False), (-1, True)])
def test_silence_that_cannot_be_waited_for_is_told_or_the_session_is_over(desk: Desk, result: int, is_gone: bool) -> None:
    peer = desk.call()
    session = peer.session
    command = awaits_silence(peer)
    if is_gone:
        peer.hang_up()
        assert desk.take_events() == [SessionClosed(session=session)]
    else:
        peer.answer(LISTEN, result=result)
        assert desk.take_events() == [PromptEnded(session=session, command=command, end=VerbEnd.FAILED)]


@pytest.mark.parametrize(("silence_s", "timeout_s"), [(0.0, 10.0), (61.0, 100.0), (1.5, 0.0), (1.5, 601.0)])
def test_a_wait_for_silence_without_a_sensible_end_is_refused(desk: Desk, silence_s: float, timeout_s: float) -> None:
    peer = desk.call()
    command = awaits_silence(peer, silence_s, timeout_s)
    assert not peer.asked()
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]


# --- Say --------------------------------------------------------------------------------------------------------------
def test_say_all_kinds_in_the_callers_language(desk: Desk) -> None:
    peer = desk.call()
    pieces = (
        Spoken(SpokenKind.PROMPT, "welcome"),
        Spoken(SpokenKind.NUMBER, "21"),
        Spoken(SpokenKind.PROMPT, "only-english"),
        Spoken(SpokenKind.DIGITS, "407"),
    )
    command = peer.perform(Say(session=peer.session, say=pieces, language=Language("de")))
    peer.answer(
        'SET VARIABLE "CHANNEL(language)" "de"',
        'STREAM FILE "/prompts/de/welcome" ""',
        'SAY NUMBER "21" ""',
        'STREAM FILE "/prompts/en/only-english" ""',
        'SAY DIGITS "407" ""',
    )
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.DONE)]
    peer.say("welcome", language=Language("de"))
    peer.answer('STREAM FILE "/prompts/de/welcome" ""')  # the language is set once


def test_a_missing_prompt_fails_the_verb_but_not_the_rest(desk: Desk) -> None:
    peer = desk.call()
    command = peer.say("no-such", "../../etc/passwd", "welcome")
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]
    assert desk.server.counters.prompts_missing == 2


def test_a_file_that_cannot_be_played_is_no_hang_up(desk: Desk) -> None:
    peer = desk.call()
    command = peer.say("welcome", "menu")
    peer.answer('STREAM FILE "/prompts/en/welcome" ""', result="-1 endpos=0")
    peer.answer('STREAM FILE "/prompts/en/menu" ""')
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]


def test_a_stop_digit_ends_it(desk: Desk) -> None:
    peer = desk.call()
    command = peer.say("welcome", "menu", stop="1")
    peer.answer('STREAM FILE "/prompts/en/welcome" "1"', result="49 endpos=7200")
    desk.server.digit(LEG, "1")
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.DIGIT, digit="1")]
    assert peer.asked() == []


def test_the_digit_that_stops_a_greeting_answers_the_menu_behind_it(desk: Desk) -> None:
    peer = desk.call()
    peer.say("welcome", stop="0123456789*#")
    peer.answer('STREAM FILE "/prompts/en/welcome" "0123456789*#"', result="50 endpos=7200")
    desk.server.digit(LEG, "2")
    desk.take_events()
    command = peer.collect("menu", max_digits=1)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="2")], (
        "and the menu is not spoken"
    )


def test_a_stop_digit_typed_between_two_pieces_is_heard_through_ami(desk: Desk) -> None:
    peer = desk.call()
    command = peer.say("welcome", "menu", stop="1")
    desk.server.digit(LEG, "1")
    peer.answer('STREAM FILE "/prompts/en/welcome" "1"')
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.DIGIT, digit="1")]


def test_verbs_of_one_step_are_done_in_order(desk: Desk) -> None:
    peer = desk.call()
    answered = peer.perform(AnswerCall(session=peer.session))
    said = peer.say("welcome")
    peer.wait()
    peer.answer('EXEC Answer "0,i"', 'STREAM FILE "/prompts/en/welcome" ""', 'SET MUSIC ON "default"')
    assert peer.asked() == []
    assert desk.take_events() == [
        CommandDone(command=answered),
        PromptEnded(session=peer.session, command=said, end=VerbEnd.DONE),
    ]


def test_a_recording_is_played_by_its_path_and_by_no_other(desk: Desk) -> None:
    peer = desk.call()
    paths = ("/rec/message-2026-11-27-4", "/rec/../etc/passwd", "rec/message", '/rec/a"b')
    pieces = tuple(Spoken(SpokenKind.RECORDING, path) for path in paths)
    command = peer.perform(Say(session=peer.session, say=pieces, language=Language("en"), stop_digits="123"))
    peer.answer('STREAM FILE "/rec/message-2026-11-27-4" "123"')
    assert peer.asked() == []
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]


@pytest.mark.parametrize("kind", [SpokenKind.DIGITS, SpokenKind.NUMBER, SpokenKind.PROMPT, SpokenKind.RECORDING])
def test_hostile_speech_never_reaches_the_wire(desk: Desk, kind: SpokenKind) -> None:
    peer = desk.call()
    pieces = (Spoken(kind, '1"\nEXEC System "rm'), Spoken(kind, ""), Spoken(kind, "1" * 500))
    command = peer.perform(Say(session=peer.session, say=pieces, language=Language("en")))
    assert peer.asked() == []
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]


# --- Collect ----------------------------------------------------------------------------------------------------------
def test_menu_with_barge_in_and_a_complete_choice(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect("menu", max_digits=2, complete=("2",))
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}', result="50 endpos=3200")
    desk.server.digit(LEG, "2")
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="2")]
    assert peer.asked() == []


def test_digits_one_by_one_up_to_the_terminator(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect(max_digits=8)
    for key in "47#":
        peer.answer(WAIT_1S, result=ord(key))
        desk.server.digit(LEG, key)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="47")]


def test_ami_is_enough_and_the_open_wait_does_not_count_twice(desk: Desk) -> None:
    peer = desk.call()
    first = peer.collect(max_digits=1)
    assert peer.asked() == [WAIT_1S]
    desk.server.digit(LEG, "5")
    second = peer.collect(max_digits=1)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=first, end=VerbEnd.DONE, digits="5")]
    assert peer.asked() == []  # one command at a time: the first wait has no answer yet
    peer.reply(ord("5"))
    peer.answer(WAIT_1S, result=ord("6"))
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=second, end=VerbEnd.DONE, digits="6")]


def test_the_hash_behind_a_full_number_neither_ends_the_next_prompt_nor_answers_it(desk: Desk) -> None:
    peer = desk.call()
    peer.collect(max_digits=2)
    for digit in "12":
        desk.server.digit(LEG, digit)
    desk.take_events()
    peer.answer(WAIT_1S, result=50)  # the wait that the second digit ended
    command = peer.collect("menu", max_digits=1)
    assert peer.asked() == ['STREAM FILE "/prompts/en/menu" "0123456789*"']
    desk.server.digit(LEG, "#")
    peer.reply("0 endpos=8000")
    peer.answer(WAIT_1S, result=51)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="3")]


def test_no_input_times_out_after_the_prompt(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect("menu")
    desk.clock.advance(10)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}')
    for _ in range(3):
        assert not desk.events
        assert peer.asked() == [WAIT_1S]
        desk.clock.advance(1)
        peer.reply(0)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.TIMEOUT, digits="")]


def test_no_further_input_times_out_with_what_was_typed(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect()
    desk.clock.advance(0.5)
    peer.answer(WAIT_1S, result=ord("1"))
    for _ in range(2):
        assert peer.asked() == [WAIT_1S]
        desk.clock.advance(1)
        peer.reply(0)
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.TIMEOUT, digits="1")]


def test_the_last_slice_is_as_short_as_the_time_left(desk: Desk) -> None:
    peer = desk.call()
    peer.collect()
    desk.clock.advance(2.25)
    peer.reply(0)
    peer.asked()
    assert peer.connection.session is not None
    desk.clock.advance(0)
    peer.reply(0)
    assert peer.asked() == ["WAIT FOR DIGIT 751"]


def test_digits_typed_ahead_skip_the_prompt(desk: Desk) -> None:
    peer = desk.call()
    peer.say("welcome")
    for key in "12#":
        desk.server.digit(LEG, key)
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    desk.take_events()
    command = peer.collect("menu")
    assert peer.asked() == []
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="12")]


def test_a_prompt_that_must_be_heard_is_heard_and_its_digits_count(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect("welcome", "menu", can_interrupt=False, max_digits=1)
    desk.server.digit(LEG, "3")
    peer.answer('STREAM FILE "/prompts/en/welcome" ""', 'STREAM FILE "/prompts/en/menu" ""')
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="3")]


def test_without_ami_barge_in_and_digits_work_the_same(desk: Desk) -> None:
    desk.server.ami_listens(False)
    peer = desk.call()
    command = peer.collect("menu", max_digits=2)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}', result="49 endpos=3200")
    peer.answer(WAIT_1S, result=ord("1"))
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="11")]


def test_a_newer_verb_takes_the_place_of_a_collect(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect()
    peer.answer(WAIT_1S, result=ord("1"))
    peer.end()
    assert desk.take_events() == [DigitsCollected(session=peer.session, command=command, end=VerbEnd.SUPERSEDED, digits="1")]
    assert peer.asked() == [WAIT_1S]
    peer.reply(0)
    assert peer.asked() == ['SET VARIABLE "CC_NEXT" "bye"']


def test_digits_of_another_leg_or_no_digits_do_nothing(desk: Desk) -> None:
    peer = desk.call()
    peer.collect()
    desk.server.digit(LEG._replace(uniqueid="1700000000.9"), "1")
    for odd in ("", "A", "12", "\n"):
        desk.server.digit(LEG, odd)
    assert desk.take_events() == []


# --- CollectSecret ----------------------------------------------------------------------------------------------------
def _type_secret(desk: Desk, digits: str, agent: str = "100") -> tuple[str, object]:
    peer = desk.call()
    command = peer.collect_secret(agent)
    for key in digits:
        peer.answer(WAIT_1S, result=ord(key))
        desk.server.digit(LEG, key)
    assert not desk.events
    desk.finish_threads()
    (event,) = desk.take_events()
    assert isinstance(event, SecretChecked)
    assert event.command == command
    return repr(event), event.is_ok


def test_a_right_and_a_wrong_pin(desk: Desk) -> None:
    desk.pin_hashes["100"] = hash_pin("4711")
    with structlog.testing.capture_logs() as logs:
        shown, is_ok = _type_secret(desk, "4711#")
        assert is_ok is True
        assert "4711" not in shown
        assert _type_secret(desk, "4712#")[1] is False
    assert "471" not in repr(logs)


def test_a_pin_is_wiped_once_it_is_checked(desk: Desk) -> None:
    desk.pin_hashes["100"] = hash_pin("4711")
    peer = desk.call()
    peer.collect_secret()
    for key in "4711#":
        peer.answer(WAIT_1S, result=ord(key))
    ((work, _),) = desk.threads
    held = [cell.cell_contents for cell in getattr(work, "__closure__", ()) if isinstance(cell.cell_contents, bytearray)]
    assert held == [b"4711"]
    desk.finish_threads()
    assert held == [bytes(4)]


def test_an_unknown_agent_takes_the_same_way_to_no(desk: Desk) -> None:
    assert _type_secret(desk, "4711#", agent="999")[1] is False


def test_a_broken_hash_is_a_no_and_logged(desk: Desk) -> None:
    desk.pin_hashes["100"] = "plain$4711"
    with structlog.testing.capture_logs() as logs:
        assert _type_secret(desk, "4711#")[1] is False
    assert [entry["event"] for entry in logs] == ["agent_pin.unusable"]


def test_no_pin_in_time(desk: Desk) -> None:
    peer = desk.call()
    command = peer.collect_secret()
    for _ in range(3):
        desk.clock.advance(1)
        peer.answer(WAIT_1S)
    assert desk.take_events() == [SecretChecked(session=peer.session, command=command, is_ok=None)]
    assert not desk.threads


def test_a_caller_who_leaves_while_the_pin_is_checked(desk: Desk) -> None:
    desk.pin_hashes["100"] = hash_pin("1")
    peer = desk.call()
    peer.collect_secret()
    peer.answer(WAIT_1S, result=ord("1"))
    peer.answer(WAIT_1S, result=ord("#"))
    session = peer.session
    peer.hang_up()
    desk.finish_threads()
    assert desk.take_events() == [SessionClosed(session=session)]


def test_a_fault_is_counted_and_shows_no_digits(desk: Desk) -> None:
    def explode(agent: str) -> str:
        raise RuntimeError("no such directory")

    object.__setattr__(desk.server._surroundings, "pin_hash", explode)
    peer = desk.call()
    peer.collect_secret()
    with structlog.testing.capture_logs() as logs:
        for key in "83915#":
            peer.answer(WAIT_1S, result=ord(key))
    assert desk.server.counters.faults == 1
    assert "no such directory" in repr(logs)
    assert "83915" not in repr(logs)
    assert peer.wire.is_lost


# --- WaitUntil --------------------------------------------------------------------------------------------------------
def test_wait_with_music_until_the_time_out(desk: Desk) -> None:
    peer = desk.call()
    command = peer.wait("sales", timeout_s=1.5)
    peer.answer('SET MUSIC ON "sales"')
    desk.clock.advance(1.4)
    assert peer.asked() == []
    assert desk.take_events() == []
    desk.clock.advance(0.1)
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.TIMEOUT)]


def test_a_wait_listens_in_slices_while_ami_tells_no_keys(desk: Desk) -> None:
    desk.server.ami_listens(False)
    peer = desk.call()
    command = peer.wait("sales", timeout_s=1.5)
    peer.answer('SET MUSIC ON "sales"')
    assert peer.asked() == [WAIT_1S]
    desk.clock.advance(1)
    peer.reply(0)
    assert peer.asked() == ["WAIT FOR DIGIT 501"]
    desk.clock.advance(0.501)
    peer.reply(0)
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.TIMEOUT)]


def test_a_wait_begins_to_listen_when_ami_is_lost_and_stops_when_it_is_back(desk: Desk) -> None:
    peer = desk.call()
    command = peer.wait(stop="1")
    peer.answer('SET MUSIC ON "default"')
    assert peer.asked() == []
    desk.server.ami_listens(False)
    peer.answer(WAIT_1S)
    desk.server.ami_listens(True)
    peer.answer(WAIT_1S)
    assert peer.asked() == []
    desk.server.digit(LEG, "1")
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.DIGIT, digit="1")]


def test_a_newer_verb_ends_a_wait_at_once(desk: Desk) -> None:
    peer = desk.call()
    command = peer.wait(timeout_s=60.0)
    peer.answer('SET MUSIC ON "default"')
    peer.say("welcome")
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.SUPERSEDED)]
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')
    assert [each.getTime() for each in desk.clock.getDelayedCalls()] == [1.0]  # the server's look around


def test_a_session_that_ends_in_a_silent_wait_leaves_no_timer(desk: Desk) -> None:
    peer = desk.call()
    session = peer.session
    peer.wait(timeout_s=60.0)
    peer.answer('SET MUSIC ON "default"')
    peer.send(b"HANGUP\n")
    peer.hang_up()
    assert desk.take_events() == [SessionClosed(session=session)]
    assert [each.getTime() for each in desk.clock.getDelayedCalls()] == [1.0]  # the server's look around


def test_wait_ends_by_a_stop_digit_only(desk: Desk) -> None:
    peer = desk.call()
    command = peer.wait(stop="1")
    peer.answer('SET MUSIC ON "default"')
    desk.server.digit(LEG, "7")
    assert desk.take_events() == []
    desk.server.digit(LEG, "1")
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.DIGIT, digit="1")]


def test_music_comes_back_after_a_prompt_and_is_not_restarted_otherwise(desk: Desk) -> None:
    peer = desk.call()
    first = peer.wait()
    peer.answer('SET MUSIC ON "default"')
    said = peer.say("welcome")
    second = peer.wait()
    assert desk.take_events() == [WaitEnded(session=peer.session, command=first, end=VerbEnd.SUPERSEDED)]
    peer.answer('STREAM FILE "/prompts/en/welcome" ""', 'SET MUSIC ON "default"')
    peer.wait()
    assert peer.asked() == []
    assert desk.take_events() == [
        PromptEnded(session=peer.session, command=said, end=VerbEnd.DONE),
        WaitEnded(session=peer.session, command=second, end=VerbEnd.SUPERSEDED),
    ]


def test_what_was_typed_into_the_music_is_no_menu_choice(desk: Desk) -> None:
    peer = desk.call()
    peer.wait()
    peer.answer('SET MUSIC ON "default"')
    desk.server.digit(LEG, "5")
    peer.collect("menu")
    desk.take_events()
    assert peer.asked() == [f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}']


def test_a_hostile_music_class_fails_the_verb_and_the_session_goes_on(desk: Desk) -> None:
    peer = desk.call()
    command = peer.wait("x\nHANGUP")
    assert peer.asked() == []
    assert desk.take_events() == [WaitEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]
    peer.say("welcome")
    peer.answer('STREAM FILE "/prompts/en/welcome" ""')


# --- EndSession -------------------------------------------------------------------------------------------------------
def test_end_sets_the_next_step_last(desk: Desk) -> None:
    peer = desk.call()
    session = peer.session
    peer.end(cause=17)
    peer.answer('SET VARIABLE "CC_CAUSE" "17"', 'SET VARIABLE "CC_NEXT" "bye"', result=1)
    assert peer.wire.is_lost
    assert desk.take_events() == []
    peer.hang_up()
    assert desk.take_events() == [SessionClosed(session=session)]
    assert not desk.server.counters.dropped


def test_end_hands_over_to_an_extension(desk: Desk) -> None:
    peer = desk.call()
    peer.end(Next.EXTENSION, extension="8001")
    peer.answer('SET VARIABLE "CC_GOTO" "cc-overflow,8001,1"', 'SET VARIABLE "CC_NEXT" "goto"', result=1)
    assert peer.wire.is_lost


def test_an_extension_that_is_a_dialplan_expression_is_refused(desk: Desk) -> None:
    peer = desk.call()
    peer.end(Next.EXTENSION, extension="8001,1)${SHELL(x)}")
    assert peer.asked() == []
    assert peer.wire.is_lost
    assert desk.server.counters.dropped == {"end_refused": 1}


# --- ends of the connection -------------------------------------------------------------------------------------------
def test_hangup_closes_without_an_end_for_the_verb(desk: Desk) -> None:
    peer = desk.call()
    peer.collect("menu")
    session = peer.session
    peer.send(b"HANGUP\n200 result=-1 endpos=0\n")
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.take_events() == [SessionClosed(session=session)]
    peer.desk.server.perform(CommandId(5, 0), Say(session=session, say=(), language=Language("en")))
    assert desk.take_events() == []


@pytest.mark.parametrize("cut", [b"200 result=-1 endpos=6080\n", b"200 result=-1 endpos=0\nHANGUP\n"])
def test_a_prompt_that_the_end_of_the_channel_cuts_short_has_no_end(desk: Desk, cut: bytes) -> None:
    """Asterisk answers the command before it says HANGUP; an end of the prompt would lead the caller on who is gone."""
    peer = desk.call()
    session = peer.session
    peer.say("welcome")
    peer.send(cut)
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.take_events() == [SessionClosed(session=session)]


@pytest.mark.parametrize("line", [b"511 Command Not Permitted on a dead channel\n", b"200 result=-1\n", b"200 result=\n"])
def test_a_dead_channel_is_let_go(desk: Desk, line: bytes) -> None:
    peer = desk.call()
    peer.collect()
    peer.send(line)
    assert peer.wire.is_lost
    assert desk.server.counters.dropped == {"dead_channel": 1}


def test_a_reply_that_nobody_asked_for(desk: Desk) -> None:
    peer = desk.call()
    peer.send(b"200 result=0\n")
    assert desk.server.counters.dropped == {"unasked_reply": 1}


def test_a_silent_peer_is_dropped(desk: Desk) -> None:
    peer = desk.call()
    session = peer.session
    peer.wait()
    desk.clock.pump([1.0] * 9)
    assert not peer.wire.is_lost
    desk.clock.pump([1.0] * 3)
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.server.counters.dropped == {"silent": 1}
    assert desk.take_events() == [SessionClosed(session=session)]


def test_too_many_verbs(desk: Desk) -> None:
    peer = desk.call()
    for _ in range(17):
        peer.say("welcome")
    assert desk.take_events() == []
    command = peer.say("welcome")
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.FAILED)]


def test_a_verb_for_a_session_never_seen_is_nothing(desk: Desk) -> None:
    desk.server.perform(CommandId(1, 1), Say(session=SessionId("6-1"), say=(), language=Language("en")))
    assert desk.take_events() == []

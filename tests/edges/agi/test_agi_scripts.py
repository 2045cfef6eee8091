"""A channel in the hands of a script, as a transcript: what the script asks, what Asterisk is told, what the script gets."""

import pytest
from agi_peer import EN, LEG, SECRET, AgiPeer, Desk

from ccserver.core.commands import RunScript
from ccserver.core.events import DigitsCollected, PromptEnded, ScriptEnded, SessionClosed, VerbEnd
from ccserver.core.ids import CommandId, Language

ALL = '"0123456789*#"'
SET_EN = 'SET VARIABLE "CHANNEL(language)" "en"'
"""After a script: it may have chosen another language."""


def run(peer: AgiPeer, time_limit_s: float = 30.0, language: Language = EN) -> CommandId:
    verb = RunScript(
        session=peer.session, script="orders.check", parameters={"order": "4711"}, language=language, time_limit_s=time_limit_s
    )
    return peer.perform(verb)


def ended(peer: AgiPeer, command: CommandId, end: VerbEnd, result: str = "", **values: object) -> ScriptEnded:
    return ScriptEnded(session=peer.session, command=command, end=end, result=result, values=values)  # type: ignore[arg-type]


# --- commands -----------------------------------------------------------------------------------------------------------
def test_commands_go_one_at_a_time_and_the_result_is_told(desk: Desk) -> None:
    peer = desk.call()
    command = run(peer)
    assert peer.asked() == []
    desk.scripts.asks("STREAM FILE", "/prompts/en/welcome", "", "0")
    peer.answer('STREAM FILE "/prompts/en/welcome" "" "0"', result="0 endpos=7200")
    assert desk.scripts.took() == "200 result=0 endpos=7200"
    desk.scripts.asks("GET VARIABLE", "CALLERID(name)")
    assert peer.asked() == ['GET VARIABLE "CALLERID(name)"']
    peer.send(b"200 result=1 (Ana Maria)\n")
    assert desk.scripts.took() == "200 result=1 (Ana Maria)"
    desk.scripts.asks("EXEC", "Playback", 'a "quoted" file')
    peer.answer('EXEC "Playback" "a \\"quoted\\" file"')
    assert desk.scripts.took() == "200 result=0"
    desk.scripts.ends(word="paid", amount=12.5)
    assert desk.take_events() == [ended(peer, command, VerbEnd.DONE, "paid", amount=12.5)]


def test_a_script_sees_the_opening_block_but_not_the_word_of_our_address(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    assert desk.scripts.environment["agi_channel"] == "PJSIP/trunk-0000002a"
    assert desk.scripts.environment["agi_callerid"] == "0301234567"
    assert SECRET not in repr(desk.scripts.environment)
    assert desk.scripts.find_prompt("welcome") == "/prompts/en/welcome"
    assert desk.scripts.find_prompt("tt-monkeys") is None


def test_the_channel_speaks_the_callers_language_before_and_after(desk: Desk) -> None:
    peer = desk.call()
    run(peer, language=Language("de"))
    peer.answer('SET VARIABLE "CHANNEL(language)" "de"')
    assert desk.scripts.find_prompt("welcome") == "/prompts/de/welcome"
    desk.scripts.ends()
    peer.say("welcome", language=Language("de"))
    peer.answer(
        'SET VARIABLE "CHANNEL(language)" "de"', 'STREAM FILE "/prompts/de/welcome" ""'
    )  # the script may have changed it


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (b"510 Invalid or unknown command\n", "510 Invalid or unknown command"),
        (b"520-Invalid command syntax.  Proper usage follows:\nUsage: X\n520 End of proper usage.\n", "520-"),
        (b"200 result=-1\n", "200 result=-1"),
        (b"200 result= (timeout)\n", "200 result= (timeout)"),
    ],
)
def test_answers_of_every_kind_come_back_as_agi_writes_them(desk: Desk, reply: bytes, answer: str) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("NOOP")
    assert peer.asked() == ["NOOP"]
    peer.send(reply)
    assert desk.scripts.took().startswith(answer)


def test_what_cannot_be_sent_is_a_usage_error_of_the_script(desk: Desk) -> None:
    peer = desk.call()
    command = run(peer)
    desk.scripts.asks("VERBOSE", "x" * 3000, "1")
    assert desk.scripts.took().startswith("520-an AGI command of more than")
    desk.scripts.asks("WAIT FOR DIGIT", "soon")
    assert desk.scripts.took().startswith("520-")
    assert peer.asked() == []
    desk.scripts.ends()
    assert desk.take_events() == [ended(peer, command, VerbEnd.DONE)]


# --- digits -------------------------------------------------------------------------------------------------------------
def test_a_digit_counts_once_whoever_shows_it(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("WAIT FOR DIGIT", "5000")
    assert peer.asked() == ["WAIT FOR DIGIT 1000"]
    desk.server.digit(LEG, "7")
    assert desk.scripts.took() == "200 result=55 endpos=0", "AMI was first"
    peer.reply(ord("7"))
    desk.scripts.asks("WAIT FOR DIGIT", "300")
    assert peer.asked() == ["WAIT FOR DIGIT 301"]
    desk.clock.advance(0.31)
    peer.reply(0)
    assert desk.scripts.took() == "200 result=0 endpos=0", "and AGI showed the same one"


def test_a_digit_typed_between_two_commands_is_the_answer_to_the_next(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.server.digit(LEG, "5")
    desk.scripts.asks("WAIT FOR DIGIT", "5000")
    assert desk.scripts.took() == "200 result=53 endpos=0" and peer.asked() == []
    desk.server.digit(LEG, "2")
    desk.scripts.asks("STREAM FILE", "menu", "123", "0")
    assert desk.scripts.took() == "200 result=50 endpos=0" and peer.asked() == []


def test_the_digit_that_stops_a_prompt_is_used_up_by_it(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("STREAM FILE", "menu", "12", "0")
    peer.answer('STREAM FILE "menu" "12" "0"', result="49 endpos=800")
    desk.server.digit(LEG, "1")
    assert desk.scripts.took() == "200 result=49 endpos=800"
    desk.scripts.asks("WAIT FOR DIGIT", "100")
    desk.clock.advance(0.2)
    peer.answer("WAIT FOR DIGIT 101")
    assert desk.scripts.took() == "200 result=0 endpos=0"


def test_get_data_is_made_of_the_sessions_own_waits(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("GET DATA", "order-number", "4000", "4")
    peer.answer(f'STREAM FILE "order-number" {ALL}', result="48 endpos=800")
    desk.server.digit(LEG, "0")
    for digit in "123":
        assert peer.asked() == ["WAIT FOR DIGIT 1000"]
        desk.server.digit(LEG, digit)
        peer.reply(ord(digit))
    assert desk.scripts.took() == "200 result=0123", "with its leading zero"


@pytest.mark.parametrize(
    ("typed", "answer"), [("", "200 result= (timeout)"), ("12", "200 result=12 (timeout)"), ("9#", "200 result=9")]
)
def test_get_data_ends_by_time_or_by_the_hash(desk: Desk, typed: str, answer: str) -> None:
    peer = desk.call()
    run(peer)
    for digit in typed:
        desk.server.digit(LEG, digit)
    desk.scripts.asks("GET DATA", "order-number", "2000", "4")
    while line := peer.asked():
        if line[0].startswith("WAIT FOR DIGIT"):
            desk.clock.advance(int(line[0].split()[-1]) / 1000)
        peer.reply(0)
    assert desk.scripts.took() == answer


def test_get_option_takes_one_of_its_own_digits(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("GET OPTION", "menu", "12", "3000")
    peer.answer('STREAM FILE "menu" "12"')
    desk.server.digit(LEG, "9")
    desk.server.digit(LEG, "2")
    peer.asked()
    peer.reply(0)
    assert desk.scripts.took() == "200 result=50 endpos=0"


def test_what_was_typed_and_not_used_is_there_for_the_next_node(desk: Desk) -> None:
    peer = desk.call()
    script = run(peer)
    desk.server.digit(LEG, "3")
    desk.scripts.ends()
    command = peer.collect("menu", max_digits=1)
    assert desk.take_events() == [
        ended(peer, script, VerbEnd.DONE),
        DigitsCollected(session=peer.session, command=command, end=VerbEnd.DONE, digits="3"),
    ]


# --- the ends -----------------------------------------------------------------------------------------------------------
def test_at_the_time_limit_the_verb_ends_at_once_and_the_next_waits_only_for_the_prompt(desk: Desk) -> None:
    peer = desk.call()
    command = run(peer, time_limit_s=5.0)
    desk.scripts.asks("STREAM FILE", "long", "", "0")
    assert peer.asked() == ['STREAM FILE "long" "" "0"']
    desk.scripts.ends(VerbEnd.TIMEOUT)
    assert desk.take_events() == [ended(peer, command, VerbEnd.TIMEOUT)]
    said = peer.say("welcome")
    assert peer.asked() == [], "AGI cannot be interrupted in a prompt"
    peer.reply("0 endpos=90000")
    peer.answer(SET_EN, 'STREAM FILE "/prompts/en/welcome" ""')
    assert desk.take_events() == [PromptEnded(session=peer.session, command=said, end=VerbEnd.DONE)]
    assert desk.scripts.answers == [], "the script is not told"


def test_a_wait_for_keys_ends_with_the_scripts_time(desk: Desk) -> None:
    peer = desk.call()
    run(peer, time_limit_s=1.4)
    desk.scripts.asks("WAIT FOR DIGIT", "-1")
    assert peer.asked() == ["WAIT FOR DIGIT 1000"]
    desk.clock.advance(1.0)
    peer.reply(0)
    assert peer.asked() == ["WAIT FOR DIGIT 400"]
    desk.clock.advance(0.4)
    desk.scripts.ends(VerbEnd.TIMEOUT)
    peer.say("welcome")
    peer.reply(0)
    peer.answer(SET_EN, 'STREAM FILE "/prompts/en/welcome" ""')


def test_a_recording_ends_with_the_scripts_time(desk: Desk) -> None:
    peer = desk.call()
    run(peer, time_limit_s=10.0)
    desk.scripts.asks("RECORD FILE", "/tmp/x", "wav", "#", "-1", "0", "BEEP")
    peer.answer('RECORD FILE "/tmp/x" "wav" "#" "10000" "0" "BEEP"', result="35 (dtmf) endpos=8000")
    assert desk.scripts.took() == "200 result=35 (dtmf) endpos=8000"


def test_a_newer_verb_takes_its_place(desk: Desk) -> None:
    peer = desk.call()
    command = run(peer)
    desk.scripts.asks("WAIT FOR DIGIT", "30000")
    peer.asked()
    peer.end()
    assert desk.take_events() == [ended(peer, command, VerbEnd.SUPERSEDED)]
    assert desk.scripts.is_hung_up
    peer.reply(0)
    assert peer.asked() == ['SET VARIABLE "CC_NEXT" "bye"']


@pytest.mark.parametrize("is_asking", [True, False])
def test_a_session_that_is_lost_is_a_hang_up_to_the_script(desk: Desk, is_asking: bool) -> None:
    peer = desk.call()
    run(peer)
    if is_asking:
        desk.scripts.asks("STREAM FILE", "long", "", "0")
    session = peer.session
    peer.send(b"HANGUP\n")
    peer.hang_up()
    assert desk.scripts.is_hung_up
    assert desk.take_events() == [SessionClosed(session=session)]
    desk.scripts.ends(word="late")
    assert desk.take_events() == []


def test_a_channel_that_was_pulled_out_ends_the_script(desk: Desk) -> None:
    peer = desk.call()
    run(peer)
    desk.scripts.asks("SAY DIGITS", "12", "")
    peer.asked()
    peer.send(b"511 Command Not Permitted on a dead channel or intercept routine\n")
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.scripts.is_hung_up


def test_a_script_that_ends_before_it_began_is_told_too(desk: Desk) -> None:
    peer = desk.call()
    command = run(peer)
    desk.scripts.ends(VerbEnd.FAILED)
    assert desk.take_events() == [ended(peer, command, VerbEnd.FAILED)]
    peer.say("welcome")
    peer.answer(SET_EN, 'STREAM FILE "/prompts/en/welcome" ""')

"""Sessions of agents' legs and of phones' own calls, numbers that are collected, and messages that are recorded."""

import pytest
from agi_peer import EN, LEG, SECRET, STREAM_ALL, AgiPeer, Desk, header

from ccserver.core.commands import CollectNumber, Next, RecordMessage
from ccserver.core.events import (
    DeskOpened,
    Event,
    MessageRecorded,
    NumberCollected,
    OwnCallDialled,
    SessionClosed,
    TransferAsked,
    VerbEnd,
)
from ccserver.core.ids import CommandId, PhoneId
from ccserver.core.settings import NumberKind, Spoken, SpokenKind

PHONE = "PJSIP/1001-00000007"


def opened(desk: Desk, script: str, **variables: str) -> tuple[AgiPeer, list[Event]]:
    peer = desk.connect()
    peer.send(header(script, **variables))
    return peer, desk.take_events()


# --- who asks ---------------------------------------------------------------------------------------------------------
def test_a_leg_comes_to_the_desk(desk: Desk) -> None:
    peer, events = opened(desk, f"desk?leg={LEG.uniqueid}", channel=PHONE)
    assert events == [DeskOpened(session=peer.session, leg=LEG, channel=PHONE)]


@pytest.mark.parametrize(
    ("query", "to", "number", "kind"),
    [
        ("to=1002", "1002", "1002", NumberKind.INTERNAL),
        ("outside=0301234567", "0301234567", "+49301234567", NumberKind.LOCAL),
        ("outside=%2B442079460000", "+442079460000", "+442079460000", NumberKind.INTERNATIONAL),
        ("outside=1002", "1002", "1002", NumberKind.UNKNOWN),  # behind the prefix nothing is internal
    ],
)
def test_a_phone_asks_whether_it_may_call(desk: Desk, query: str, to: str, number: str, kind: NumberKind) -> None:
    peer, events = opened(desk, f"dial?{query}", channel=PHONE)
    phone = PhoneId("PJSIP/1001")
    assert events == [
        OwnCallDialled(session=peer.session, leg=LEG, channel=PHONE, phone=phone, to=to, number=number, kind=kind)
    ]


def test_a_phone_that_the_settings_do_not_know_asks_without_a_name(desk: Desk) -> None:
    _, (event,) = opened(desk, "dial?to=1002", channel="PJSIP/1009-00000007")
    assert isinstance(event, OwnCallDialled)
    assert event.phone is None


def test_a_customer_who_was_transferred_by_a_phone_asks_where_to_go(desk: Desk) -> None:
    peer, events = opened(desk, "transfer?to=00301234567")
    assert events == [
        TransferAsked(
            session=peer.session,
            leg=LEG,
            channel="PJSIP/trunk-0000002a",
            to="00301234567",
            number="+49301234567",
            kind=NumberKind.LOCAL,
        )
    ]


@pytest.mark.parametrize(
    "script", ["dial", "dial?to=", "dial?to=a", "dial?outside=1%0A2", "transfer?to=1,1,System(x)", "transfer"]
)
def test_what_no_phone_could_dial_becomes_no_session(desk: Desk, script: str) -> None:
    peer, events = opened(desk, script)
    assert events == []
    assert peer.wire.is_lost
    assert desk.server.counters.refused == {"to": 1}


def test_the_desk_needs_the_secret_too(desk: Desk) -> None:
    peer = desk.connect()
    peer.send(header("desk", secret=SECRET + "x"))
    assert desk.take_events() == []
    assert desk.server.counters.refused == {"secret": 1}


def test_a_digit_belongs_to_the_session_of_its_leg_while_there_is_one(desk: Desk) -> None:
    assert not desk.server.digit(LEG, "1")
    peer, _ = opened(desk, "desk", channel=PHONE)
    assert desk.server.digit(LEG, "1")
    peer.hang_up()
    assert not desk.server.digit(LEG, "1")


def test_the_key_that_took_a_leg_out_of_its_talk_is_not_read_again_at_the_desk(desk: Desk) -> None:
    """Asterisk can end it a second time when the leg leaves the bridge; only AGI shows that."""
    desk.server.digit(LEG, "2")
    peer, _ = opened(desk, "desk", channel=PHONE)
    command = collect_number(peer)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}')
    peer.answer("WAIT FOR DIGIT 1000", result=ord("2"))
    for digit in "72#":
        desk.server.digit(LEG, digit)
    (collected,) = desk.take_events()
    assert isinstance(collected, NumberCollected)
    assert (collected.command, collected.digits) == (command, "72")


@pytest.mark.parametrize(("then", "word"), [(Next.PARK, "park"), (Next.DIAL, "dial")])
def test_a_session_ends_with_what_the_dialplan_does_next(desk: Desk, then: Next, word: str) -> None:
    peer, _ = opened(desk, "desk", channel=PHONE)
    peer.end(then)
    peer.answer(f'SET VARIABLE "CC_NEXT" "{word}"', result=1)
    assert peer.wire.is_lost


def test_a_phones_own_call_shows_a_number_of_ours_and_nothing_else(desk: Desk) -> None:
    peer, _ = opened(desk, "desk", channel=PHONE)
    peer.end(Next.DIAL, shown="+34910000001")
    peer.answer('SET VARIABLE "CC_SHOWN" "+34910000001"', 'SET VARIABLE "CC_NEXT" "dial"', result=1)
    assert peer.wire.is_lost


def test_a_phones_own_call_may_go_to_another_phone_than_was_dialled(desk: Desk) -> None:
    peer, _ = opened(desk, "desk", channel=PHONE)
    peer.end(Next.DIAL, extension="1006")
    peer.answer('SET VARIABLE "CC_TO" "1006"', 'SET VARIABLE "CC_NEXT" "dial"', result=1)
    assert peer.wire.is_lost


# --- CollectNumber ----------------------------------------------------------------------------------------------------
def collect_number(peer: AgiPeer) -> CommandId:
    return peer.perform(
        CollectNumber(
            session=peer.session,
            say=(Spoken(SpokenKind.PROMPT, "menu"),),
            language=EN,
            first_timeout_s=3.0,
            next_timeout_s=2.0,
        )
    )


def test_a_number_is_typed_up_to_the_hash(desk: Desk) -> None:
    peer = desk.call()
    command = collect_number(peer)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}')
    for digit in "00301234567#":
        desk.server.digit(LEG, digit)
    assert desk.take_events() == [
        NumberCollected(
            session=peer.session,
            command=command,
            end=VerbEnd.DONE,
            digits="00301234567",
            number="+49301234567",
            kind=NumberKind.LOCAL,
        )
    ]


def test_nobody_types_a_number(desk: Desk) -> None:
    peer = desk.call()
    command = collect_number(peer)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}')
    for _ in range(3):
        desk.clock.advance(1)
        peer.reply()
    assert desk.take_events() == [
        NumberCollected(
            session=peer.session, command=command, end=VerbEnd.TIMEOUT, digits="", number="", kind=NumberKind.UNKNOWN
        )
    ]


def test_a_newer_verb_takes_the_place_of_a_number(desk: Desk) -> None:
    peer = desk.call()
    collect_number(peer)
    peer.answer(f'STREAM FILE "/prompts/en/menu" {STREAM_ALL}')
    desk.server.digit(LEG, "1")
    peer.say("welcome")
    (event,) = desk.take_events()
    assert isinstance(event, NumberCollected)
    assert (event.end, event.digits) == (VerbEnd.SUPERSEDED, "1")


# --- RecordMessage ----------------------------------------------------------------------------------------------------
RECORD = 'RECORD FILE "/rec/7" "wav" "#" "60000" "0" "BEEP" "s=4"'


def record(
    peer: AgiPeer, path: str = "/rec/7.wav", *, max_s: float = 60.0, silence_s: float = 4.0, stop: str = "#"
) -> CommandId:
    return peer.perform(
        RecordMessage(
            session=peer.session,
            say=(Spoken(SpokenKind.PROMPT, "menu"),),
            language=EN,
            path=path,
            max_s=max_s,
            silence_s=silence_s,
            stop_digits=stop,
        )
    )


@pytest.mark.parametrize(
    ("reply", "end", "duration_s", "is_discarded"),
    [
        ("35 (dtmf) endpos=24000", VerbEnd.DIGIT, 3.0, False),
        ("0 (timeout) endpos=480000", VerbEnd.DONE, 60.0, False),
        ("1 (timeout) endpos=24000", VerbEnd.DONE, 2.0, False),  # of silence one second is left
        ("-1 (hangup) endpos=24000", VerbEnd.DONE, 3.0, False),
        ("35 (dtmf) endpos=800", VerbEnd.DIGIT, 0.0, True),
        ("1 (timeout) endpos=8160", VerbEnd.DONE, 0.0, True),
        ("-1 (hangup) endpos=0", VerbEnd.DONE, 0.0, True),
    ],
)
def test_a_message_ends_by_a_key_by_silence_by_its_length_or_with_the_call(
    desk: Desk, reply: str, end: VerbEnd, duration_s: float, is_discarded: bool
) -> None:
    peer = desk.call()
    command = record(peer)
    peer.answer('STREAM FILE "/prompts/en/menu" ""')
    peer.answer(RECORD, result=reply)
    assert desk.take_events() == [MessageRecorded(session=peer.session, command=command, end=end, duration_s=duration_s)]
    assert desk.discarded == (["/rec/7.wav"] if is_discarded else [])


@pytest.mark.parametrize("reply", ["-1 (writefile)", "0 (randomerror) endpos=0", "-1"])
def test_a_message_that_cannot_be_written_fails(desk: Desk, reply: str) -> None:
    peer = desk.call()
    command = record(peer)
    peer.answer('STREAM FILE "/prompts/en/menu" ""')
    peer.answer(RECORD, result=reply)
    failed = MessageRecorded(session=peer.session, command=command, end=VerbEnd.FAILED, duration_s=0.0)
    assert desk.take_events() == [failed]
    assert desk.discarded == []


@pytest.mark.parametrize(
    "bad",
    [
        {"path": "rec/7.wav"},
        {"path": "/rec/../etc/passwd.wav"},
        {"path": "/rec/7.php"},
        {"path": "/rec/7"},
        {"path": "/rec/a b.wav"},
        {"path": "/rec/7.wav\n"},
        {"max_s": 0.0},
        {"max_s": float("inf")},
        {"max_s": float("nan")},
        {"silence_s": 0.0},
        {"stop": "x"},
    ],
)
def test_a_message_to_a_place_or_of_a_length_that_is_none_is_refused_before_a_word(desk: Desk, bad: dict[str, object]) -> None:
    peer = desk.call()
    command = record(peer, **bad)  # type: ignore[arg-type]
    assert peer.asked() == []
    failed = MessageRecorded(session=peer.session, command=command, end=VerbEnd.FAILED, duration_s=0.0)
    assert desk.take_events() == [failed]


def test_a_caller_who_leaves_in_the_words_before_the_beep_left_no_message(desk: Desk) -> None:
    peer = desk.call()
    record(peer)
    session = peer.session
    peer.send(b"HANGUP\n")
    peer.hang_up()
    assert desk.take_events() == [SessionClosed(session=session)]


def test_what_was_typed_into_the_message_answers_no_later_question(desk: Desk) -> None:
    peer = desk.call()
    record(peer)
    desk.server.digit(LEG, "5")
    peer.answer('STREAM FILE "/prompts/en/menu" ""')
    desk.server.digit(LEG, "#")
    peer.answer(RECORD, result="35 (dtmf) endpos=24000")
    desk.take_events()
    peer.collect(max_digits=1)
    assert peer.asked() == ["WAIT FOR DIGIT 1000"]
    assert desk.take_events() == []

"""Who gets a session, what the core is told of it, and what happens to peers that are not Asterisk."""

from itertools import pairwise
from pathlib import Path

import pytest
from agi_peer import LEG, SECRET, Desk, header
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from ccserver.agi.request import Script
from ccserver.agi.server import OpenSession
from ccserver.core.events import CallArrived, FeatureDialled, Heard, PromptEnded, SessionClosed, VerbEnd, WrapUpOpened
from ccserver.core.ids import LegId, PhoneId, SessionId


def _arrival(desk: Desk, **variables: str) -> CallArrived:
    desk.connect().send(header(**variables))
    (event,) = desk.take_events()
    assert isinstance(event, CallArrived)
    return event


def test_a_call_arrives(desk: Desk) -> None:
    assert _arrival(desk) == CallArrived(
        session=SessionId("7-1"),
        leg=LEG,
        channel="PJSIP/trunk-0000002a",
        did="5550199",
        caller_number="+49301234567",
        number_as_given="0301234567",
        caller_name="Erika Muster",
    )
    assert _arrival(desk).session == "7-2"


@pytest.mark.parametrize(
    ("query", "heard"),
    [
        ("", Heard.NOTHING),
        ("?heard=", Heard.NOTHING),
        ("?heard=HUMAN", Heard.HUMAN),
        ("?heard=MACHINE", Heard.MACHINE),
        ("?heard=NOTSURE", Heard.UNSURE),
        ("?heard=HANGUP", Heard.UNSURE),
        ("?heard=human", Heard.UNSURE),
        ("?heard=%00%22HUMAN", Heard.UNSURE),
        ("?heard=" + "HUMAN" * 99, Heard.UNSURE),
    ],
)
def test_what_was_heard_of_a_callee_is_one_of_few_words(desk: Desk, query: str, heard: Heard) -> None:
    peer = desk.connect()
    peer.send(header(f"inbound{query}"))
    if query:
        peer.reply(1)
    (event,) = desk.take_events()
    assert isinstance(event, CallArrived)
    assert event.heard is heard


def test_a_callees_session_shows_at_once_that_somebody_is_there(desk: Desk) -> None:
    peer = desk.connect()
    peer.send(header("inbound?heard="))
    assert not desk.take_events(), "no talk can begin before the time-out is off"
    peer.answer('SET VARIABLE "TIMEOUT(absolute)" "0"', result=1)
    (arrived,) = desk.take_events()
    assert isinstance(arrived, CallArrived)
    command = peer.say("welcome")
    peer.reply()
    assert desk.take_events() == [PromptEnded(session=peer.session, command=command, end=VerbEnd.DONE)]


def test_a_callee_who_is_gone_before_anybody_spoke_was_never_there(desk: Desk) -> None:
    peer = desk.connect()
    peer.send(header("inbound?heard=HUMAN"))
    peer.hang_up()
    assert not desk.take_events() and not desk.server.open_sessions()


def test_the_did_is_the_first_argument_or_the_dnid_or_nothing(desk: Desk) -> None:
    assert _arrival(desk, arg_1="").did == "5550100"
    assert _arrival(desk, arg_1="", dnid="unknown").did == ""
    assert _arrival(desk, arg_1="+49 30; drop").did == ""
    assert _arrival(desk, arg_1="+4930555").did == "+4930555"


@pytest.mark.parametrize(
    "variables",
    [
        {"callingpres": "32"},  # restricted, number delivered all the same
        {"callingpres": "35"},
        {"callingpres": "67"},  # not available
        {"callerid": "unknown"},
        {"callerid": "anonymous"},
        {"callerid": "Anonymous"},
        {"callerid": ""},
    ],
)
def test_a_withheld_number_is_not_kept(desk: Desk, variables: dict[str, str]) -> None:
    event = _arrival(desk, **variables)
    assert (event.caller_number, event.number_as_given, event.caller_name) == (None, "", "")


def test_a_caller_who_is_no_telephone_number_stays_as_given(desk: Desk) -> None:
    event = _arrival(desk, callerid="alice", calleridname="unknown")
    assert (event.caller_number, event.number_as_given, event.caller_name) == ("alice", "alice", "")


def test_a_strange_presentation_is_taken_as_allowed(desk: Desk) -> None:
    assert _arrival(desk, callingpres="odd").caller_number == "+49301234567"


def test_names_and_numbers_are_bounded_and_printable(desk: Desk) -> None:
    event = _arrival(desk, calleridname="\x1b[2JEve\u202e\t" + "x" * 500, callerid="9" * 500)
    assert event.caller_name.startswith("[2JEvexxx")
    assert len(event.caller_name) == 80
    assert event.caller_number == event.number_as_given == "9" * 40


@pytest.mark.parametrize(
    ("channel", "phone"),
    [("PJSIP/1001-0000000b", PhoneId("PJSIP/1001")), ("PJSIP/1002-0000000b", None), ("PJSIP/1001", None)],
)
def test_a_feature_code_is_dialled(desk: Desk, channel: str, phone: PhoneId | None) -> None:
    desk.connect().send(header("feature?code=13*2", channel=channel))
    assert desk.take_events() == [
        FeatureDialled(session=SessionId("7-1"), leg=LEG, channel=channel, phone=phone, digits="13*2")
    ]


def test_an_agents_leg_is_kept_for_wrap_up(desk: Desk) -> None:
    leg = "ccpbx-000001-00000001"
    desk.connect().send(header(f"wrapup?leg={leg}", uniqueid=leg))
    assert desk.take_events() == [WrapUpOpened(session=SessionId("7-1"), leg=LegId("pbx", leg))]


@pytest.mark.parametrize(
    ("opening", "reason"),
    [
        (header(secret="wrong"), "secret"),
        (header(secret=""), "secret"),
        (header(secret=SECRET + "x"), "secret"),
        (header(secret="sécret"), "secret"),
        (header("nothing"), "script"),
        (header("inbound/inbound"), "script"),
        (header(""), "script"),
        (header(uniqueid=""), "channel"),
        (header(uniqueid="1;2"), "channel"),
        (header(channel=""), "channel"),
        (header(channel='PJSIP/x",y'), "channel"),
        (header("feature"), "code"),
        (header("feature?code=12a"), "code"),
        (header("feature?code=" + "1" * 33), "code"),
        (header("feature?" + "&".join(["code=1"] * 50)), "query"),
        (b"GET / HTTP/1.0\r\n\r\n", "violation"),
        (b"\n", "secret"),
    ],
)
def test_refused(desk: Desk, opening: bytes, reason: str) -> None:
    peer = desk.connect()
    peer.send(opening)
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.take_events() == []
    assert desk.server.counters.refused == {reason: 1}
    assert desk.server.counters.opened == 0


def test_connects_and_closes(desk: Desk) -> None:
    for _ in range(100):
        desk.connect().hang_up()
    assert desk.take_events() == []
    desk.clock.pump([1.0] * 3)
    assert not desk.clock.getDelayedCalls()


def test_a_peer_that_says_nothing_or_drips_is_dropped(desk: Desk) -> None:
    peer = desk.connect()
    for byte in header()[:6]:
        desk.clock.advance(1)
        peer.send(bytes([byte]))
    assert peer.wire.is_lost
    assert desk.server.counters.refused == {"silent": 1}


def test_a_peer_that_does_not_close_is_aborted(desk: Desk) -> None:
    peer = desk.call()
    peer.send(b"HANGUP\n")
    desk.clock.pump([1.0] * 4)
    assert not peer.wire.disconnected
    desk.clock.pump([1.0] * 3)
    assert peer.wire.disconnected


def test_no_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_connections=2)
    first, second, third = desk.connect(), desk.connect(), desk.connect()
    assert (first.wire.is_lost, second.wire.is_lost, third.wire.is_lost) == (False, False, True)
    third.hang_up()
    first.hang_up()
    assert not desk.connect().wire.is_lost
    assert desk.server.counters.refused == {"full": 1}


def test_open_sessions_and_drop(desk: Desk) -> None:
    peer = desk.call()
    assert desk.server.open_sessions() == (OpenSession(session=peer.session, leg=LEG, script=Script.INBOUND),)
    session = peer.session
    desk.server.drop(session, "unknown_channel")
    assert peer.wire.is_lost
    peer.hang_up()
    assert desk.server.open_sessions() == ()
    assert desk.take_events() == [SessionClosed(session=session)]
    assert desk.server.counters.dropped == {"unknown_channel": 1}


def test_the_newer_session_of_a_leg_gets_its_digits(desk: Desk) -> None:
    old, new = desk.call(), desk.call()
    new.collect(max_digits=1)
    old.hang_up()
    desk.take_events()
    desk.server.digit(LEG, "1")
    assert len(desk.take_events()) == 1


def test_stop_tells_every_end(desk: Desk) -> None:
    peers = [desk.call() for _ in range(3)]
    sessions = [peer.session for peer in peers]
    stopped = Deferred.fromCoroutine(desk.server.stop())
    assert not stopped.called
    for peer in peers:
        assert peer.wire.is_lost
        peer.hang_up()
    assert stopped.called
    assert desk.take_events() == [SessionClosed(session=session) for session in sessions]
    late = desk.connect()
    assert late.wire.is_lost


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 700), max_size=8))
def test_a_session_split_anywhere(desk: Desk, cuts: list[int]) -> None:
    data = header("inbound?try=3") + b"200 result=0\n" + b"HANGUP\n"
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    peer = desk.connect()
    for start, end in pairwise(places):
        peer.send(data[start:end])
        if peer.connection.session is not None and not peer.asked() and len(desk.events) == 1:
            peer.wait()
            peer.asked()
    peer.hang_up()
    assert isinstance(desk.events[0], CallArrived)
    assert desk.events[-1] == SessionClosed(session=peer.session)
    assert sum(isinstance(event, SessionClosed) for event in desk.events) == 1
    desk.take_events()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(rubbish=st.binary(max_size=600), is_open=st.booleans())
def test_rubbish_never_raises_and_every_session_closes_once(desk: Desk, rubbish: bytes, is_open: bool) -> None:
    peer = desk.connect()
    if is_open:
        peer.send(header())
        peer.wait()
    peer.send(rubbish)
    peer.hang_up()
    closed = [event for event in desk.take_events() if isinstance(event, SessionClosed)]
    assert len(closed) == is_open
    assert desk.server.counters.faults == 0


def test_a_real_address_is_accepted(desk: Desk) -> None:
    assert desk.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5)).session is None

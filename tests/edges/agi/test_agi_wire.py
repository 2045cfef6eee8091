"""The AGI protocol as bytes."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.agi import wire
from ccserver.agi.wire import HungUp, NotSendable, Parser, Reply, Request, WireViolation

STREAM = (
    b"agi_network: yes\nagi_network_script: x/inbound?try=0\nagi_calleridname: Zo\xc3\xab M\xc3\xbcller\nagi_accountcode: \n\n"
    b"200 result=0\n"
    b"200 result=55 endpos=7200\n"
    b"200 result=  (timeout)\n"
    b"200 result=1 (a (b) c)\n"
    b"100 result=0 Trying...\n"
    b"510 Invalid or unknown command\n"
    b"511 Command Not Permitted on a dead channel or intercept routine\n"
    b"520-Invalid command syntax.  Proper usage follows:\n Usage: SAY DIGITS\n200 result=7\n\n520 End of proper usage.\n"
    b"520-Invalid command syntax.  Proper usage not available.\n"
    b"HANGUP\n"
    b"200 result=-1 endpos=0\r\n"
)
MESSAGES = [
    Request(
        {
            "agi_network": "yes",
            "agi_network_script": "x/inbound?try=0",
            "agi_calleridname": "Zoë Müller",
            "agi_accountcode": "",
        }
    ),
    Reply(200, 0),
    Reply(200, 55, "endpos=7200"),
    Reply(200, None, "(timeout)"),
    Reply(200, 1, "(a (b) c)"),
    Reply(510, None, "Invalid or unknown command"),
    Reply(511, None, "Command Not Permitted on a dead channel or intercept routine"),
    Reply(520, None, "End of proper usage."),
    Reply(520, None, "Invalid command syntax.  Proper usage not available."),
    HungUp(),
    Reply(200, -1, "endpos=0"),
]


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
def test_any_split_of_the_stream_gives_the_same_messages(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    parser = Parser()
    seen = [message for start, end in itertools.pairwise(places) for message in parser.feed(STREAM[start:end])]
    assert seen == MESSAGES


def test_one_byte_at_a_time() -> None:
    parser = Parser()
    assert [message for byte in STREAM for message in parser.feed(bytes([byte]))] == MESSAGES


@given(st.binary(max_size=2000))
def test_rubbish_is_a_violation_or_nothing(rubbish: bytes) -> None:
    parser = Parser()
    with contextlib.suppress(WireViolation):
        assert not [message for message in parser.feed(rubbish) if not isinstance(message, Request)]


@given(st.binary(max_size=500))
def test_rubbish_after_the_header_never_raises_anything_else(rubbish: bytes) -> None:
    parser = Parser()
    parser.feed(b"agi_network: yes\n\n")
    with contextlib.suppress(WireViolation):
        parser.feed(rubbish)


@pytest.mark.parametrize(
    "flood",
    [
        b"a" * (wire.MAX_LINE_BYTES + 1),
        b"agi_x: " + b"a" * wire.MAX_LINE_BYTES + b"\n",
        b"agi_x: 1\n" * (wire.MAX_HEADER_LINES + 1),
        (b"agi_x: " + b"a" * 4000 + b"\n") * 9,
        b"GET / HTTP/1.1\r\n",
        b"agi_network: yes\n\n520-Usage follows:\n" + b"x\n" * (wire.MAX_USAGE_LINES + 1),
        b"agi_network: yes\n\n200 result=-\n",
        b"agi_network: yes\n\nhello\n",
        b"agi_network: yes\n\n\n",
    ],
)
def test_limits_and_strangers(flood: bytes) -> None:
    with pytest.raises(WireViolation):
        Parser().feed(flood)


def test_a_repeated_header_line_does_not_replace_the_first() -> None:
    assert Parser().feed(b"agi_uniqueid: 1\nagi_uniqueid: 2\n\n") == [Request({"agi_uniqueid": "1"})]


def test_arguments_are_quoted() -> None:
    assert wire.command("STREAM FILE", "/p/a b", "") == b'STREAM FILE "/p/a b" ""\n'
    assert wire.command("SET VARIABLE", "X", 'say "hi" \\ then go') == b'SET VARIABLE "X" "say \\"hi\\" \\\\ then go"\n'


@given(st.text(max_size=300))
def test_a_command_is_one_line_or_refused(value: str) -> None:
    try:
        line = wire.command("SET VARIABLE", "X", value)
    except NotSendable:
        assert not value.isprintable() or any(not character.isprintable() for character in value)
        return
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert b"\r" not in line
    # Undoing the quotes as Asterisk does gives the value back.
    quoted = line.decode().removeprefix('SET VARIABLE "X" "').removesuffix('"\n')
    unquoted, escaped = "", False
    for character in quoted:
        if escaped or character != "\\":
            assert escaped or character != '"'
            unquoted += character
            escaped = False
        else:
            escaped = True
    assert unquoted == value


@pytest.mark.parametrize("value", ["a\nHANGUP", "a\rb", "\x00", "\x1b[0m", "\x7f", "\x85", "\u2028", "\ud800", "x" * 2000])
def test_what_cannot_be_sent(value: str) -> None:
    with pytest.raises(NotSendable):
        wire.command("EXEC", value)

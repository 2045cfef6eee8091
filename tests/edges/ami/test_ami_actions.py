"""Commands to actions: every field as meant, and nothing that anybody typed breaks out of its place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.ami.actions import ActionRefused, action_for, action_id, command_of, shown_name, shown_number
from ccserver.ami.protocol import FieldRefused, encode
from ccserver.core.commands import ConnectLegs, HangUpLeg, RingAgent
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, QueueId
from ccserver.core.talks import MAX_TALK_GUARD_S

RING = RingAgent(
    leg=LegId("pbx", "ccpbx-000007-00000001"),
    interaction=InteractionId(1),
    agent=AgentId("7"),
    phone=PhoneId("PJSIP/1001"),
    queue=QueueId("sales"),
    caller=LegId("pbx", "1700000000.1"),
    caller_channel="PJSIP/trunk-00000001",
    number="+12025550123",
    name="Sales",
    ring_timeout_s=2.5,
    max_talk_s=60.0,
    recording="/var/spool/asterisk/ccserver/2026/1-1",
    auto_answer=False,
)


def test_ring_agent_is_one_async_originate() -> None:
    assert action_for(RING) == (
        ("Action", "Originate"),
        ("Channel", "PJSIP/1001"),
        ("ChannelId", "ccpbx-000007-00000001"),
        ("Context", "cc-agent"),
        ("Exten", "ring"),
        ("Priority", "1"),
        ("CallerID", '"Sales" <+12025550123>'),
        ("Timeout", "2500"),
        ("Async", "true"),
        ("Variable", "CC_CALLER=PJSIP/trunk-00000001"),
        ("Variable", "CC_LEG=ccpbx-000007-00000001"),
        ("Variable", "CC_REC=/var/spool/asterisk/ccserver/2026/1-1"),
        ("Variable", "CC_MAX=60"),
        ("Variable", "__TRANSFER_CONTEXT=cc-xfer"),
    )


def test_auto_answer_asks_in_both_ways_phones_know() -> None:
    headers = [value for key, value in action_for(replace(RING, auto_answer=True)) if "PJSIP_HEADER" in value]
    assert [header.partition("=")[0] for header in headers] == [
        "PJSIP_HEADER(add,Call-Info)",
        "PJSIP_HEADER(add,Alert-Info)",
    ]


def test_nothing_is_recorded_and_nobody_is_named_when_so_asked() -> None:
    fields = action_for(replace(RING, recording="", number=None, name=""))
    assert ("Variable", "CC_REC=") in fields
    assert ("CallerID", '"" <anonymous>') in fields


def test_the_longest_talk_of_the_settings_and_a_moment_more_is_accepted() -> None:
    assert ("Variable", "CC_MAX=86405") in action_for(replace(RING, max_talk_s=86400.0 + MAX_TALK_GUARD_S))


def test_hang_up_and_connect() -> None:
    assert action_for(HangUpLeg(leg=RING.leg, cause=17)) == (
        ("Action", "Hangup"),
        ("Channel", "ccpbx-000007-00000001"),
        ("Cause", "17"),
    )
    assert action_for(ConnectLegs(caller_channel="PJSIP/trunk-00000001", agent_channel="PJSIP/1001-00000002")) == (
        ("Action", "Bridge"),
        ("Channel1", "PJSIP/trunk-00000001"),
        ("Channel2", "PJSIP/1001-00000002"),
        ("Tone", "no"),
    )


@pytest.mark.parametrize(
    "bad",
    [
        replace(RING, phone=PhoneId("Local/112@cc-outside")),
        replace(RING, phone=PhoneId("PJSIP/1001&PJSIP/1002")),
        replace(RING, phone=PhoneId("PJSIP/")),
        replace(RING, leg=LegId("pbx", "")),
        replace(RING, leg=LegId("pbx", "x,CC_REC=y")),
        replace(RING, caller_channel="PJSIP/trunk-1,CC_REC=/etc/passwd"),
        replace(RING, caller_channel="PJSIP/${SHELL(id)}-1"),
        replace(RING, caller_channel="PJSIP/trunk-1\r\nAction: Reload"),
        replace(RING, recording="relative"),
        replace(RING, recording="/rec/../etc/passwd"),
        replace(RING, recording="/rec/a)r(/etc/b"),
        replace(RING, recording="/rec/a\0b"),
        replace(RING, name="a\nb"),
        replace(RING, name="a\x00b"),
        replace(RING, name="a\u2028b"),
        replace(RING, number="1\r2"),
        replace(RING, ring_timeout_s=0.0),
        replace(RING, ring_timeout_s=float("nan")),
        replace(RING, ring_timeout_s=float("inf")),
        replace(RING, max_talk_s=-1.0),
        HangUpLeg(leg=LegId("pbx", "/^PJSIP/")),
        HangUpLeg(leg=LegId("pbx", "all,x")),
        HangUpLeg(leg=LegId("pbx", "1.1"), cause=999),
        ConnectLegs(caller_channel="", agent_channel="PJSIP/a-1"),
        ConnectLegs(caller_channel="PJSIP/a-1", agent_channel="a-1"),
    ],
)
def test_what_asterisk_could_misread_is_refused(bad: RingAgent | HangUpLeg | ConnectLegs) -> None:
    with pytest.raises(ActionRefused):
        action_for(bad)


@given(st.text(), st.text() | st.none(), st.text(max_size=30), st.text(max_size=30))
def test_no_text_adds_a_field_an_action_or_a_variable(name: str, number: str | None, channel: str, recording: str) -> None:
    try:
        sent = encode(action_for(replace(RING, name=name, number=number)))
    except ActionRefused:
        return
    lines = sent.decode().split("\r\n")
    plain = encode(action_for(RING)).decode().split("\r\n")
    assert [line for line in lines if not line.startswith("CallerID")] == [
        line for line in plain if not line.startswith("CallerID")
    ]
    shown = next(line for line in lines if line.startswith("CallerID: "))
    assert (shown.count('"'), shown.count("<"), shown.count(">")) == (2, 1, 1)
    assert not set("$[]{}\\|`") & set(shown)
    for changed in ({"caller_channel": f"PJSIP/{channel}"}, {"recording": f"/{recording}"}):
        try:
            fields = action_for(replace(RING, **changed))  # type: ignore[arg-type]
        except ActionRefused:
            continue
        variables = [value for key, value in fields if key == "Variable"]
        assert all(value.count("=") == 1 and not set(value) & set(',"()$\\\r\n\0') for value in variables)


def test_names_and_numbers_are_shown_as_plainly_as_they_can_be() -> None:
    assert shown_name('Zoë "Z" <Müller>, Ltd') == "Zoë Z Müller , Ltd"
    assert len(shown_name("x" * 500)) == 60
    assert shown_number("bob;ext=1 <x>") == "bobext1x"
    assert shown_number("<>") == "anonymous"
    assert shown_number("+" + "1" * 100) == "+" + "1" * 39


@pytest.mark.parametrize(
    ("key", "value"),
    [("Variable", "a\r\nb"), ("Variable", "a\x00"), ("A: b", "x"), ("", "x"), ("Va\nr", "x"), ("CallerID", "x" * 2000)],
)
def test_the_last_gate_lets_no_second_line_through(key: str, value: str) -> None:
    with pytest.raises(FieldRefused):
        encode([("Action", "Originate"), (key, value)])


@given(st.integers(0, 999_999), st.integers(0, 10**15), st.integers(0, 9999))
def test_an_action_id_leads_back_to_its_command(incarnation: int, seq: int, place: int) -> None:
    assert command_of(action_id(incarnation, CommandId(seq, place))) == CommandId(seq, place)


@pytest.mark.parametrize("given_id", ["", "1-2", "1-2-3-4", "ping-7-1", "list-7-3", "1-2-x", "-1-2-3", "1-2-3\n", "٣-1-2"])
def test_an_action_id_of_somebody_else_leads_nowhere(given_id: str) -> None:
    assert command_of(given_id) is None

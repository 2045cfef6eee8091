"""Commands to actions: every field as meant, and nothing that anybody typed breaks out of its place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccserver.ami.actions import (
    ActionFields,
    ActionRefused,
    AmiCommand,
    action_id,
    actions_for,
    command_of,
    shown_name,
    shown_number,
)
from ccserver.ami.protocol import FieldRefused, encode
from ccserver.core.commands import (
    ControlRecording,
    DialOut,
    Ears,
    HangUpLeg,
    JoinLeg,
    LampState,
    Move,
    Place,
    RecordingStep,
    RedirectLegs,
    RingAgent,
    RingSupervisor,
    SetLamp,
    SpeakInTalk,
    SpyLeg,
)
from ccserver.core.ids import AgentId, CommandId, InteractionId, Language, LegId, PhoneId, PromptId, QueueId
from ccserver.core.offers import MAX_TALK_GUARD_S
from ccserver.core.records import RecordingSide

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


JOIN = JoinLeg(
    leg=RING.leg,
    channel="PJSIP/1001-00000002",
    caller=RING.caller,
    caller_channel=RING.caller_channel,
    recording=RING.recording,
    max_talk_s=60.0,
)
DIAL = DialOut(
    leg=RING.leg,
    interaction=RING.interaction,
    to=PhoneId("PJSIP/+34911234567@carrier"),
    number="+12025550123",
    name="",
    ring_timeout_s=20.0,
    place=Place.LOOP,
)
CALLEE = replace(
    DIAL,
    place=Place.CALLEE,
    amd="2500,1500,800,5000,100,50,3,256,5000",
    fallback=PromptId("who-called"),
    language=Language("en"),
    sound="/prompts/en/who-called",
)
TO_LOOP = Move(leg=RING.caller, channel=RING.caller_channel, place=Place.LOOP)
TO_DESK = Move(leg=RING.leg, channel="PJSIP/1001-00000002", place=Place.DESK)
TO_ROOM = Move(leg=RING.leg, channel="PJSIP/1001-00000002", place=Place.CONFERENCE, room="17")


def the_action(command: AmiCommand) -> ActionFields:
    (only,) = actions_for(command)
    return only


def test_ring_agent_is_one_async_originate() -> None:
    assert the_action(RING) == (
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
        ("Variable", "CC_REC=/var/spool/asterisk/ccserver/2026/1-1"),
        ("Variable", "CC_MAX=60"),
        ("Variable", "CC_LEG=ccpbx-000007-00000001"),
        ("Variable", "__TRANSFER_CONTEXT=cc-xfer"),
        ("Variable", "__FORWARD_CONTEXT=cc-forward"),
    )


def test_auto_answer_asks_in_both_ways_phones_know() -> None:
    headers = [value for key, value in the_action(replace(RING, auto_answer=True)) if "PJSIP_HEADER" in value]
    assert [header.partition("=")[0] for header in headers] == [
        "PJSIP_HEADER(add,Call-Info)",
        "PJSIP_HEADER(add,Alert-Info)",
    ]


def test_nothing_is_recorded_and_nobody_is_named_when_so_asked() -> None:
    fields = the_action(replace(RING, recording="", number=None, name=""))
    assert ("Variable", "CC_REC=") in fields
    assert ("CallerID", '"" <anonymous>') in fields


def test_the_longest_talk_of_the_settings_and_a_moment_more_is_accepted() -> None:
    assert ("Variable", "CC_MAX=86405") in the_action(replace(RING, max_talk_s=86400.0 + MAX_TALK_GUARD_S))


def test_hang_up() -> None:
    assert the_action(HangUpLeg(leg=RING.leg, cause=17)) == (
        ("Action", "Hangup"),
        ("Channel", "ccpbx-000007-00000001"),
        ("Cause", "17"),
    )


@pytest.mark.parametrize("place", [Place.PARK, Place.DESK])
def test_a_phone_that_rings_beside_others_or_outside_is_not_joined_on_answer(place: Place) -> None:
    fields = the_action(replace(RING, place=place))
    assert {("Context", "cc-agent"), ("Exten", place.value)} <= set(fields)
    assert not any("CC_CALLER" in value or "CC_REC" in value for _, value in fields)


def test_somebody_who_is_called_back_arrives_as_a_customer() -> None:
    fields = the_action(DIAL)
    assert {("Context", "cc-call"), ("Exten", "s"), ("Channel", "PJSIP/+34911234567@carrier")} <= set(fields)
    assert [value for key, value in fields if key == "Variable"] == ["__FORWARD_CONTEXT=cc-forward"]


def test_a_callee_brings_what_the_dialplan_says_to_them_where_nobody_is_there() -> None:
    fields = the_action(CALLEE)
    assert {("Context", "cc-callee"), ("Exten", "s"), ("Channel", "PJSIP/+34911234567@carrier")} <= set(fields)
    assert [value for key, value in fields if key == "Variable"] == [
        "__FORWARD_CONTEXT=cc-forward",
        "CC_FALLBACK_SOUND=/prompts/en/who-called",
        'CC_AMD="2500,1500,800,5000,100,50,3,256,5000"',
    ]
    assert ("Variable", "CC_AMD=") in the_action(replace(CALLEE, amd=""))


@pytest.mark.parametrize(
    "amd", ["x", "2500,", ",", "2500,1500\nAction: Logoff", '2500",A="1', "${SHELL(ls)}", "1," * 9 + "1", "1,,2"]
)
def test_only_numbers_are_given_to_the_detection_of_machines(amd: str) -> None:
    with pytest.raises(ActionRefused, match="amd"):
        actions_for(replace(CALLEE, amd=amd))


@pytest.mark.parametrize("sound", ["", "prompts/en/who-called", "/prompts/../etc", "/prompts/a,b", "/prompts/${X}"])
def test_nobody_is_called_who_would_hear_nothing(sound: str) -> None:
    with pytest.raises(ActionRefused):
        actions_for(replace(CALLEE, sound=sound))


def test_the_target_of_a_transfer_is_joined_on_answer() -> None:
    fields = the_action(replace(DIAL, place=Place.JOIN, caller_channel="PJSIP/trunk-00000001", max_talk_s=60.0))
    assert {("Exten", "ring"), ("Variable", "CC_CALLER=PJSIP/trunk-00000001")} <= set(fields)


def test_join_leg_says_with_whom_before_it_sends_the_leg_there() -> None:
    leg = ("Channel", "ccpbx-000007-00000001")
    assert actions_for(replace(JOIN, is_kept=True)) == (
        (("Action", "Setvar"), leg, ("Variable", "CC_CALLER"), ("Value", "PJSIP/trunk-00000001")),
        (("Action", "Setvar"), leg, ("Variable", "CC_REC"), ("Value", "/var/spool/asterisk/ccserver/2026/1-1")),
        (("Action", "Setvar"), leg, ("Variable", "CC_MAX"), ("Value", "60")),
        (("Action", "Setvar"), leg, ("Variable", "CC_KEEP"), ("Value", "1")),
        (("Action", "Redirect"), leg, ("Context", "cc-agent"), ("Exten", "ring"), ("Priority", "1")),
    )


def test_a_leg_that_is_not_kept_forgets_that_it_once_was() -> None:
    assert actions_for(JOIN)[3][2:] == (("Variable", "CC_KEEP"), ("Value", ""))


def test_both_legs_of_a_talk_part_in_one_stroke() -> None:
    assert the_action(RedirectLegs(moves=(TO_LOOP, TO_DESK))) == (
        ("Action", "Redirect"),
        ("Channel", "1700000000.1"),
        ("Context", "cc-call"),
        ("Exten", "s"),
        ("Priority", "1"),
        ("ExtraChannel", "ccpbx-000007-00000001"),
        ("ExtraContext", "cc-agent"),
        ("ExtraExten", "desk"),
        ("ExtraPriority", "1"),
    )


def test_a_conference_is_a_room_of_its_own_context() -> None:
    setting, redirect = actions_for(RedirectLegs(moves=(TO_ROOM,)))
    assert {("Variable", "CC_ROOM_REC"), ("Value", "")} <= set(setting), "what was recorded in an earlier room is not again"
    assert {("Context", "cc-conference"), ("Exten", "room-17")} <= set(redirect)


def test_in_a_conference_each_leg_is_recorded_by_itself() -> None:
    customer = Move(
        leg=RING.caller,
        channel=RING.caller_channel,
        place=Place.CONFERENCE,
        room="17",
        recording="/rec/1-c",
        side=RecordingSide.CUSTOMER,
    )
    said = actions_for(RedirectLegs(moves=(replace(TO_ROOM, recording="/rec/1-a"), customer)))[:2]
    assert said == (
        (
            ("Action", "Setvar"),
            ("Channel", "ccpbx-000007-00000001"),
            ("Variable", "CC_ROOM_REC"),
            ("Value", "/rec/1-a-agent.wav"),
        ),
        (("Action", "Setvar"), ("Channel", "1700000000.1"), ("Variable", "CC_ROOM_REC"), ("Value", "/rec/1-c-caller.wav")),
    )
    one = ControlRecording(leg=RING.leg, channel="", what=RecordingStep.START, recording="/rec/1-a", side=RecordingSide.AGENTS)
    assert ("Options", "br(/rec/1-a-agent.wav)") in the_action(one)


@pytest.mark.parametrize(
    ("state", "value"), [(LampState.OFF, "NOT_INUSE"), (LampState.LIT, "INUSE"), (LampState.BLINKING, "RINGING")]
)
def test_a_lamp_is_a_device_state(state: LampState, value: str) -> None:
    assert the_action(SetLamp(lamp="queue-sales", state=state)) == (
        ("Action", "Setvar"),
        ("Variable", "DEVICE_STATE(Custom:cc-queue-sales)"),
        ("Value", value),
    )


# --- supervision --------------------------------------------------------------------------------------------------------
SPY = SpyLeg(
    leg=LegId("pbx", "ccpbx-000007-00000003"),
    channel="PJSIP/1003-00000005",
    target=RING.leg,
    target_channel="PJSIP/1001-00000002",
    ears=Ears.AGENT,
)
SPEAK = SpeakInTalk(
    leg=RING.leg,
    channel="PJSIP/1001-00000002",
    ears=Ears.ALL,
    prompt=PromptId("cc-supervision-notice"),
    language=Language("en"),
    sound="/prompts/en/cc-supervision-notice",
)


def test_a_supervisors_phone_parks_on_answer_and_shows_no_number() -> None:
    action = the_action(RingSupervisor(leg=SPY.leg, phone=PhoneId("PJSIP/1003"), name="Supervision", ring_timeout_s=30.0))
    assert dict(action[:8]) == {
        "Action": "Originate",
        "Channel": "PJSIP/1003",
        "ChannelId": SPY.leg.uniqueid,
        "Context": "cc-agent",
        "Exten": "park",
        "Priority": "1",
        "CallerID": '"Supervision" <anonymous>',
        "Timeout": "30000",
    }
    assert ("Variable", f"CC_LEG={SPY.leg.uniqueid}") in action and ("Async", "true") in action


@pytest.mark.parametrize(("ears", "option"), [(Ears.NOBODY, ""), (Ears.AGENT, "w"), (Ears.ALL, "B")])
def test_whom_a_supervisor_hears_and_who_hears_them_is_said_before_the_leg_goes_there(ears: Ears, option: str) -> None:
    said = actions_for(replace(SPY, ears=ears, recording="/rec/1"))
    values = {dict(action)["Variable"]: dict(action)["Value"] for action in said[:-1]}
    assert values == {"CC_SPY": "PJSIP/1001-00000002", "CC_SPYOPT": option, "CC_REC": "/rec/1"}
    assert dict(said[-1]) == {
        "Action": "Redirect",
        "Channel": SPY.leg.uniqueid,
        "Context": "cc-supervise",
        "Exten": "spy",
        "Priority": "1",
    }


def test_a_prompt_is_said_into_a_talk_by_a_channel_of_asterisks_own() -> None:
    action = the_action(SPEAK)
    assert ("Channel", "Local/voice@cc-supervise/n") in action and "ChannelId" not in dict(action)
    assert [value for key, value in action if key == "Variable"] == [
        "CC_SPY=PJSIP/1001-00000002",
        "CC_SPYOPT=B",
        "CC_PROMPT=/prompts/en/cc-supervision-notice",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        replace(SPY, target_channel="PJSIP/1001,all"),
        replace(SPY, target_channel=""),
        replace(SPY, recording="/rec/../etc/passwd"),
        replace(SPEAK, sound=""),
        replace(SPEAK, sound="/prompts/${SHELL(id)}"),
        replace(SPEAK, channel="PJSIP/1001\r\nAction: Logoff"),
    ],
)
def test_what_asterisk_could_misread_of_supervision_is_refused(bad: AmiCommand) -> None:
    with pytest.raises(ActionRefused):
        actions_for(bad)


# --- recordings ---------------------------------------------------------------------------------------------------------
def test_a_recording_is_begun_muted_and_heard_again() -> None:
    control = ControlRecording(leg=RING.leg, channel="PJSIP/1001-00000002", what=RecordingStep.START, recording="/rec/7-2")
    leg = ("Channel", "ccpbx-000007-00000001")
    assert the_action(control) == (("Action", "MixMonitor"), leg, ("Options", "bt(/rec/7-2-caller.wav)r(/rec/7-2-agent.wav)"))
    for what, state in ((RecordingStep.PAUSE, "1"), (RecordingStep.RESUME, "0")):
        muted = the_action(replace(control, what=what, recording=""))
        assert muted == (("Action", "MixMonitorMute"), leg, ("Direction", "both"), ("State", state))


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
        replace(RING, place=Place.LOOP),
        replace(JOIN, caller_channel=""),
        replace(JOIN, caller_channel="a-1"),
        replace(JOIN, leg=LegId("pbx", "")),
        replace(JOIN, max_talk_s=0.0),
        replace(DIAL, to=PhoneId("PJSIP/1&PJSIP/2")),
        replace(DIAL, place=Place.CONFERENCE),
        replace(DIAL, place=Place.JOIN),
        RedirectLegs(moves=()),
        RedirectLegs(moves=(TO_LOOP, TO_LOOP)),
        RedirectLegs(moves=(TO_LOOP, TO_DESK, TO_ROOM)),
        RedirectLegs(moves=(replace(TO_DESK, place=Place.JOIN),)),
        RedirectLegs(moves=(replace(TO_ROOM, room=""),)),
        RedirectLegs(moves=(replace(TO_ROOM, room="a,1"),)),
        RedirectLegs(moves=(replace(TO_ROOM, recording="/a)r(/etc/b"),)),
        SetLamp(lamp="queue-sales)", state=LampState.LIT),
        SetLamp(lamp="", state=LampState.LIT),
        ControlRecording(leg=RING.leg, channel="", what=RecordingStep.START),
        ControlRecording(leg=RING.leg, channel="", what=RecordingStep.START, recording="/a)r(/etc/b"),
    ],
)
def test_what_asterisk_could_misread_is_refused(bad: AmiCommand) -> None:
    with pytest.raises(ActionRefused):
        actions_for(bad)


@given(st.text(), st.text() | st.none(), st.text(max_size=30), st.text(max_size=30))
def test_no_text_adds_a_field_an_action_or_a_variable(name: str, number: str | None, channel: str, recording: str) -> None:
    try:
        sent = encode(the_action(replace(RING, name=name, number=number)))
    except ActionRefused:
        return
    lines = sent.decode().split("\r\n")
    plain = encode(the_action(RING)).decode().split("\r\n")
    assert [line for line in lines if not line.startswith("CallerID")] == [
        line for line in plain if not line.startswith("CallerID")
    ]
    shown = next(line for line in lines if line.startswith("CallerID: "))
    assert (shown.count('"'), shown.count("<"), shown.count(">")) == (2, 1, 1)
    assert not set("$[]{}\\|`") & set(shown)
    for changed in ({"caller_channel": f"PJSIP/{channel}"}, {"recording": f"/{recording}"}):
        try:
            fields = the_action(replace(RING, **changed))  # type: ignore[arg-type]
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

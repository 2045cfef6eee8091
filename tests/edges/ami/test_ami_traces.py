"""What a real Asterisk said, and what we understand: each trace reads as the transcript of its call."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import SCENE, facts, messages, names, trace, transcript

from ccserver.ami.link import WANTED
from ccserver.ami.observe import Listing, NoObservation, observation
from ccserver.ami.protocol import MessageReader, StreamCounts
from ccserver.ami.translate import Garbled, translate
from ccserver.core.ids import PhoneId
from ccserver.core.records import PhoneState

RUNG = [
    "LinkUp",
    "caller LegAnswered",
    "agent LegStarted",
    "agent LegRinging",
    # A phone that may have one call only is "busy" to Asterisk from the first ring on.
    "PhoneStateChanged PJSIP/1001 in_use",
]
ANSWERED = [*RUNG, "agent LegAnswered", "agent RingEnded True 4 {command}", "caller LegEnteredBridge", "agent LegEnteredBridge"]

TRANSCRIPTS = {
    "agent_hangs_up": [
        *ANSWERED,
        "agent DigitPressed 5",
        "agent DigitPressed #",
        "agent LegHeld",
        "agent LegUnheld",
        "agent LegLeftBridge",
        "caller LegLeftBridge",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
        "caller LegEnded 16 0",
    ],
    "caller_hangs_up": [
        *ANSWERED,
        "caller FarEndGone",
        "caller LegLeftBridge",
        "agent LegLeftBridge",
        "caller LegEnded 16 0",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
    ],
    "busy": [
        *(line.replace("1001", "1002") for line in RUNG),
        "agent RingEnded False 0 {command}",
        "agent LegEnded 17 486",
        "PhoneStateChanged PJSIP/1002 idle",
        "caller FarEndGone",
        "caller LegEnded 0 0",
    ],
    "declined": [
        *(line.replace("1001", "1002") for line in RUNG),
        "agent RingEnded False 0 {command}",
        "agent LegEnded 21 603",
        "PhoneStateChanged PJSIP/1002 idle",
        "caller FarEndGone",
        "caller LegEnded 0 0",
    ],
    "no_answer": [
        *RUNG,
        "agent RingEnded False 3 {command}",
        "agent LegEnded 19 480",
        "PhoneStateChanged PJSIP/1001 idle",
        "caller FarEndGone",
        "caller LegEnded 0 0",
    ],
    # No channel ever: the end of the action is all there is.
    "unregistered": [
        "LinkUp",
        "caller LegAnswered",
        "agent RingEnded False 0 {command}",
        "caller FarEndGone",
        "caller LegEnded 0 0",
    ],
    "cancelled": [
        *RUNG,
        "agent RingEnded False 0 {command}",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
        "caller FarEndGone",
        "caller LegEnded 0 0",
    ],
    "caller_leaves_while_ringing": [
        *RUNG,
        "caller FarEndGone",
        "caller LegEnded 0 0",
        "agent RingEnded False 0 {command}",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
    ],
    # A second Originate with the ChannelId of a live leg: its failure names the live leg, which goes on.
    "id_in_use": [
        *ANSWERED,
        "agent RingEnded False 0 (600, 0)",
        "caller FarEndGone",
        "caller LegLeftBridge",
        "agent LegLeftBridge",
        "caller LegEnded 16 0",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
    ],
    "observed": [
        *ANSWERED,
        "caller FarEndGone",
        "caller LegLeftBridge",
        "agent LegLeftBridge",
        "caller LegEnded 16 0",
        "agent LegEnded 16 0",
        "PhoneStateChanged PJSIP/1001 idle",
    ],
}
COMMANDS = {
    "agent_hangs_up": 1,
    "caller_hangs_up": 2,
    "busy": 3,
    "declined": 4,
    "no_answer": 5,
    "unregistered": 6,
    "cancelled": 7,
    "id_in_use": 8,
    "caller_leaves_while_ringing": 9,
    "observed": 10,
}


def test_each_trace_has_its_transcript() -> None:
    assert sorted(TRANSCRIPTS) == names()


@pytest.mark.parametrize("name", names())
def test_a_trace_reads_as_its_call(name: str) -> None:
    assert transcript(name) == [line.format(command=(COMMANDS[name], 0)) for line in TRANSCRIPTS[name]]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(names()), st.lists(st.integers(0, 20_000), max_size=40), st.booleans())
def test_a_stream_may_be_split_at_any_byte(name: str, cuts: list[int], by_single_bytes: bool) -> None:
    stream = trace(name)
    places = range(len(stream) + 1) if by_single_bytes else sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    chunks = [stream[start:end] for start, end in zip(places, list(places)[1:], strict=False)]
    assert messages(chunks) == messages([stream])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(names()), st.data())
def test_a_stream_with_damaged_bytes_never_raises(name: str, data: st.DataObject) -> None:
    stream = bytearray(trace(name))
    for _ in range(data.draw(st.integers(1, 30))):
        # After the greeting: without one it is no AMI, and that is told.
        stream[data.draw(st.integers(30, len(stream) - 1))] = data.draw(st.integers(0, 255))
    for fact in facts([bytes(stream)]):
        for text in (getattr(fact, field, "") for field in ("channel", "bridge", "phone")):
            assert text.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["Event", "Uniqueid", "Channel", "State", "Cause", "Uptime", "ActionID"]), st.text()))
def test_no_field_makes_the_translation_raise(fields: dict[str, str]) -> None:
    for event in sorted(WANTED):
        translate(fields | {"Event": event}, SCENE)


def test_the_recorded_lists_make_an_observation() -> None:
    channels, devices = [], []
    complete = {}
    for fields in messages([trace("observed")]):
        match fields.get("Event"), fields.get("ActionID"):
            case "CoreShowChannel", _:
                channels.append(fields)
            case "DeviceStateChange", str():
                devices.append(fields)
            case ("CoreShowChannelsComplete" | "DeviceStateListComplete") as name, _:
                complete[name] = fields
    view = observation(
        "pbx",
        12.5,
        Listing(channels, complete["CoreShowChannelsComplete"]),
        Listing(devices, complete["DeviceStateListComplete"]),
        SCENE.phones,
    )
    assert view.asked_at_s == 12.5
    assert [(leg.leg.is_ours(), leg.is_up, leg.application, leg.context) for leg in view.channels] == [
        (False, True, "", "cc-call"),
        (True, True, "Bridge", "cc-agent"),
    ]
    assert view.channels[0].bridge == view.channels[1].bridge is not None
    assert view.phones == {
        PhoneId("PJSIP/1001"): PhoneState.IN_USE,
        PhoneId("PJSIP/1002"): PhoneState.IDLE,
        PhoneId("PJSIP/1003"): PhoneState.UNAVAILABLE,
    }


@pytest.mark.parametrize("end", [{"EventList": "cancelled", "ListItems": "0"}, {"EventList": "Complete"}, {}])
def test_a_list_without_a_proper_end_is_none(end: dict[str, str]) -> None:
    whole = Listing([], {"EventList": "Complete", "ListItems": "0"})
    assert observation("pbx", 0.0, whole, whole, ()).channels == ()
    for channels, devices in ((whole, Listing([], end)), (Listing([], end), whole)):
        with pytest.raises(NoObservation):
            observation("pbx", 0.0, channels, devices, ())


def test_only_wanted_events_are_decoded() -> None:
    counts = StreamCounts()
    stream = trace("agent_hangs_up")
    kept = MessageReader(WANTED, counts).feed(stream)
    assert counts.messages == len(kept) + counts.unwanted
    assert {fields["Event"] for fields in kept if "Event" in fields} <= WANTED
    assert counts.unwanted >= 15


def test_a_character_cut_in_two_is_whole_again() -> None:
    stream = b"Asterisk Call Manager/11.0.0\r\nEvent: Newchannel\r\nChannel: PJSIP/Zo\xc3\xab-1\r\nUniqueid: 1.1\r\n\r\n"
    cut = stream.index(b"\xab")
    reader = MessageReader(WANTED, StreamCounts())
    assert reader.feed(stream[:cut]) == []
    assert reader.feed(stream[cut:])[0]["Channel"] == "PJSIP/Zoë-1"


def test_a_repeated_field_is_a_forgery() -> None:
    counts = StreamCounts()
    reader = MessageReader(WANTED, counts)
    forged = b"Event: Hangup\r\nCallerIDName: x\r\nUniqueid: 1.1\r\nCause: 16\r\nUniqueid: 1.2\r\n\r\n"
    variables = b"Event: Hangup\r\nChanVariable(a): x\r\nChanVariable(a): y\r\nUniqueid: 1.2\r\n\r\n"
    kept = reader.feed(b"Asterisk Call Manager/11.0.0\r\n" + forged + variables)
    assert [fields["Uniqueid"] for fields in kept] == ["1.2"]
    assert counts.garbled == 1


def test_what_makes_no_sense_is_named() -> None:
    cases = [
        ({"Event": "Hangup"}, "Uniqueid"),
        ({"Event": "Hangup", "Uniqueid": "x" * 1000}, "Uniqueid"),
        ({"Event": "Hangup", "Uniqueid": "1\x1b[2J"}, "Uniqueid"),
        ({"Event": "Newstate", "Uniqueid": "1.1", "ChannelState": "Up"}, "ChannelState"),
        ({"Event": "BridgeEnter", "Uniqueid": "1.1"}, "BridgeUniqueid"),
        ({"Event": "DTMFEnd", "Uniqueid": "1.1", "Direction": "Received", "Digit": "55"}, "Digit"),
        ({"Event": "DeviceStateChange", "Device": "PJSIP/1001", "State": "ASLEEP"}, "State"),
        ({"Event": "FullyBooted", "Uptime": "soon"}, "Uptime"),
        ({"Event": "OriginateResponse", "ActionID": "1-2-3", "Uniqueid": "1.1", "Response": "Failure"}, "Uniqueid"),
    ]
    for fields, field in cases:
        assert translate(fields, SCENE) == Garbled(fields["Event"], field)

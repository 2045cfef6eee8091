"""What our dialplan and the phones' own transfers tell by AMI, read as the core understands it."""

import pytest

from ccserver.ami.translate import Garbled, Scene, Spying, translate
from ccserver.core.events import CalleeTold, DialEnd, EmergencyDialled, LegMeasured, LegParked, LegsTransferred, OwnDialEnded
from ccserver.core.ids import LegId, PhoneId
from ccserver.core.records import Stream

SCENE = Scene("pbx", {PhoneId("PJSIP/1001")})
TRANSFER = {
    "Event": "AttendedTransfer",
    "Result": "Success",
    "DestType": "Bridge",
    "OrigTransfererUniqueid": "ccpbx-000001-00000001",
    "SecondTransfererUniqueid": "1.5",
    "TransfereeUniqueid": "1.1",
    "TransferTargetUniqueid": "1.6",
    "TransferTargetChannel": "PJSIP/1002-00000007",
}


def test_a_leg_is_parked_whoever_made_it() -> None:
    for uniqueid in ("ccpbx-000001-00000001", "1700000000.9"):
        told = translate({"Event": "UserEvent", "UserEvent": "CCParked", "Uniqueid": uniqueid}, SCENE)
        assert told == LegParked(leg=LegId("pbx", uniqueid))


def test_a_callee_was_told_by_the_dialplan_who_called() -> None:
    fields = {"Event": "UserEvent", "UserEvent": "CCCalleeTold", "Uniqueid": "ccpbx-000001-00000001"}
    assert translate(fields, SCENE) == CalleeTold(leg=LegId("pbx", "ccpbx-000001-00000001"))


@pytest.mark.parametrize(("channel", "phone"), [("PJSIP/1001-0000000a", PhoneId("PJSIP/1001")), ("PJSIP/1009-0000000a", None)])
def test_an_emergency_call_names_the_phone_if_it_is_one_of_ours(channel: str, phone: PhoneId | None) -> None:
    fields = {"Event": "UserEvent", "UserEvent": "CCEmergency", "Uniqueid": "1.1", "Channel": channel, "To": "112"}
    assert translate(fields, SCENE) == EmergencyDialled(leg=LegId("pbx", "1.1"), phone=phone, to="112")


@pytest.mark.parametrize(
    ("told", "end", "cause", "talk_s"),
    [
        ({"Status": "ANSWER", "Cause": "16", "Talked": "12"}, DialEnd.ANSWERED, 16, 12.0),
        ({"Status": "CANCEL", "Cause": "0", "Talked": ""}, DialEnd.CANCELLED, 0, 0.0),
        ({"Status": "CHANUNAVAIL", "Cause": "-1", "Talked": "1e9"}, DialEnd.UNAVAILABLE, 0, 0.0),
        ({"Status": "BUSY", "Cause": "9" * 50}, DialEnd.BUSY, 0, 0.0),
    ],
)
def test_the_dialplan_tells_what_came_of_a_phones_own_call(
    told: dict[str, str], end: DialEnd, cause: int, talk_s: float
) -> None:
    fields = {"Event": "UserEvent", "UserEvent": "CCDialled", "Uniqueid": "1.1"}
    assert translate(fields | told, SCENE) == OwnDialEnded(leg=LegId("pbx", "1.1"), end=end, cause=cause, talk_s=talk_s)


@pytest.mark.parametrize("status", ["", "TORTURE", "ANSWER\r\n"])
def test_an_end_that_is_none_of_dials_is_nothing(status: str) -> None:
    fields = {"Event": "UserEvent", "UserEvent": "CCDialled", "Uniqueid": "1.1", "Status": status}
    assert not isinstance(translate(fields, SCENE), OwnDialEnded)


def test_a_user_event_of_somebody_else_is_nothing_to_us() -> None:
    assert translate({"Event": "UserEvent", "UserEvent": "Parked", "Uniqueid": "1.1"}, SCENE) is None
    assert translate({"Event": "UserEvent"}, SCENE) is None


def test_a_user_event_of_ours_without_its_leg_is_garbled() -> None:
    assert translate({"Event": "UserEvent", "UserEvent": "CCParked"}, SCENE) == Garbled("UserEvent", "Uniqueid")


def test_a_phones_own_attended_transfer_names_all_four_legs() -> None:
    assert translate(TRANSFER, SCENE) == LegsTransferred(
        transferrer=LegId("pbx", "ccpbx-000001-00000001"),
        second=LegId("pbx", "1.5"),
        transferee=LegId("pbx", "1.1"),
        target=LegId("pbx", "1.6"),
        target_channel="PJSIP/1002-00000007",
    )


@pytest.mark.parametrize("changed", [{"Result": "Fail"}, {"TransferTargetUniqueid": ""}, {"TransfereeUniqueid": ""}])
def test_a_transfer_that_failed_or_has_no_two_ends_is_told_by_the_legs_alone(changed: dict[str, str]) -> None:
    assert translate(TRANSFER | changed, SCENE) is None


# --- how a line was -------------------------------------------------------------------------------------------------------------
FIGURES = (
    "ssrc=1798746131;themssrc=24301;lp=52;rxjitter=0.001000;rxcount=588;txjitter=0.000375;txcount=653;rlp=65;rtt=0.000442;"
    "rxmes=26.882393;txmes=42.196987"
)
MEASURED = {"Event": "UserEvent", "UserEvent": "CCQuality", "Uniqueid": "1.1", "Codec": "(ulaw)", "RTCP": FIGURES}


def test_a_leg_tells_how_its_line_was_in_both_directions() -> None:
    told = translate(MEASURED, SCENE)
    assert isinstance(told, LegMeasured)
    assert (told.leg, told.codec) == (LegId("pbx", "1.1"), "ulaw")
    assert told.received == Stream(packets=588, lost=52, jitter_ms=0.375)
    assert told.sent == Stream(packets=653, lost=65, jitter_ms=1.0)
    assert told.rtt_ms == pytest.approx(0.442)


def test_a_telephone_that_reports_nothing_leaves_one_direction_unknown() -> None:
    told = translate(MEASURED | {"RTCP": FIGURES.replace("rtt=0.000442", "rtt=0.000000")}, SCENE)
    assert isinstance(told, LegMeasured) and told.sent is None and told.rtt_ms is None


def test_a_short_leg_says_nothing_of_its_line() -> None:
    assert translate(MEASURED | {"RTCP": FIGURES.replace("rxcount=588", "rxcount=249")}, SCENE) is None


def test_packets_that_came_twice_are_no_losses() -> None:
    told = translate(MEASURED | {"RTCP": FIGURES.replace(";lp=52", ";lp=-3")}, SCENE)
    assert isinstance(told, LegMeasured) and told.received.lost == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"RTCP": ""}, "RTCP"),
        ({"RTCP": "rxcount=588"}, "RTCP"),
        ({"RTCP": FIGURES.replace("588", "nan")}, "RTCP"),
        ({"RTCP": FIGURES.replace("588", "inf")}, "RTCP"),
        ({"RTCP": FIGURES.replace("588", "1e9")}, "RTCP"),
        ({"RTCP": FIGURES.replace("588", "999999999999")}, "RTCP"),
        ({"RTCP": FIGURES.replace("588", "\u0665\u0668\u0668")}, "RTCP"),
        ({"RTCP": FIGURES + "x" * 400}, "RTCP"),
        ({"Codec": "x" * 40}, "Codec"),
        ({"Codec": ""}, "Codec"),
        ({"Uniqueid": ""}, "Uniqueid"),
    ],
)
def test_figures_that_make_no_sense_are_garbled(changes: dict[str, str], field: str) -> None:
    assert translate(MEASURED | changes, SCENE) == Garbled("UserEvent", field)


@pytest.mark.parametrize(("event", "is_on"), [("ChanSpyStart", True), ("ChanSpyStop", False)])
def test_who_hears_a_talk_types_keys_as_if_in_one(event: str, is_on: bool) -> None:
    fields = {"Event": event, "SpyerUniqueid": "1700000000.9", "SpyeeUniqueid": "ccpbx-000007-00000001"}
    assert translate(fields, SCENE) == Spying(LegId("pbx", "1700000000.9"), is_on=is_on)
    assert translate({"Event": event}, SCENE) == Garbled(event, "SpyerUniqueid")

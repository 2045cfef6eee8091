"""What our dialplan and the phones' own transfers tell by AMI, read as the core understands it."""

import pytest

from ccserver.ami.translate import Garbled, Scene, translate
from ccserver.core.events import EmergencyDialled, LegParked, LegsTransferred
from ccserver.core.ids import LegId, PhoneId

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


@pytest.mark.parametrize(("channel", "phone"), [("PJSIP/1001-0000000a", PhoneId("PJSIP/1001")), ("PJSIP/1009-0000000a", None)])
def test_an_emergency_call_names_the_phone_if_it_is_one_of_ours(channel: str, phone: PhoneId | None) -> None:
    fields = {"Event": "UserEvent", "UserEvent": "CCEmergency", "Uniqueid": "1.1", "Channel": channel, "To": "112"}
    assert translate(fields, SCENE) == EmergencyDialled(leg=LegId("pbx", "1.1"), phone=phone, to="112")


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

"""What carriers write of a number is read; what nobody would write says nothing."""

import pytest
from agi_peer import Desk, header
from hypothesis import given
from hypothesis import strategies as st

from ccserver.agi.attestation import attestation, verified
from ccserver.core.events import CallArrived
from ccserver.core.records import Attestation

PASSED = "<sip:+34600111222;verstat=TN-Validation-Passed@carrier.example>"
A, B, C, FAILED, NONE = Attestation.FULL, Attestation.PARTIAL, Attestation.GATEWAY, Attestation.FAILED, Attestation.NONE


@pytest.mark.parametrize(
    ("indicator", "identity", "says"),
    [
        ("A", "", A),
        ("b", "", B),
        (" C ", "<sip:+34600111222@carrier.example>", C),
        ("", "", NONE),
        ("D", "", NONE),
        ("AB", "", NONE),
        ("A;x=1", "", NONE),
        ("", PASSED, C),
        ("B", PASSED, B),
        ("", PASSED.replace("Passed", "Passed-A"), A),
        ("", '"Ann" <tel:+34600111222;verstat=TN-Validation-Passed-B>', B),
        ("", "<sip:+34600111222@carrier.example;user=phone>;verstat=TN-Validation-Passed-A", A),
        ("A", PASSED.replace("Passed", "Failed"), FAILED),
        ("", PASSED.replace("Passed", "Failed-C"), FAILED),
        ("", PASSED.replace("TN-Validation-Passed", "No-TN-Validation"), NONE),
        ("", PASSED.replace("Passed", "Passed-Z"), NONE),
        ("", PASSED.replace("Passed", "PassedAndMore"), NONE),
        ("A" * 600, "", NONE),
        ("", PASSED + "x" * 600, NONE),
    ],
)
def test_what_a_carrier_writes(indicator: str, identity: str, says: Attestation) -> None:
    assert attestation(indicator, identity) is says
    assert attestation(indicator, "", identity) is says, "in the other header"


@pytest.mark.parametrize(
    ("result", "level", "says"),
    [
        ("success", "A", A),
        ("success", "b", B),
        ("success", "", C),
        ("success", "A" * 600, C),
        ("", "A", NONE),
        ("cert_retrieval_failure", "A", NONE),
        ("invalid_header", "", FAILED),
        ("cert_date_failure", "A", FAILED),
        ("Success", "A", NONE),
        ("x&attest=A", "A", NONE),
    ],
)
def test_what_asterisk_itself_found(result: str, level: str, says: Attestation) -> None:
    assert verified(result, level) is says


@given(st.text(max_size=60), st.text(max_size=600))
def test_whatever_is_written_there_is_an_answer(indicator: str, identity: str) -> None:
    assert attestation(indicator, identity, identity) in Attestation and verified(indicator, identity) in Attestation


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", NONE),
        ("?attest=A", A),
        ("?attest=A&asserted=%3Csip%3A%2B1%3Bverstat%3DTN-Validation-Failed%40x%3E", FAILED),
        ("?from=%3Csip%3A%2B1%3Bverstat%3DTN-Validation-Passed-B%40x%3E", B),
        ("?attest=%00&asserted=%FF%0d%0a", NONE),
        ("?verified=success&level=A", A),
        ("?verified=success&level=", C),
        ("?verified=cert_not_trusted&level=A", FAILED),
        ("?verified=missing_identity_hdr&level=", NONE),
        ("?attest=B&verified=cert_not_trusted&level=A", B),
        ("?attest=&asserted=&from=%3Csip%3A1%40x%3E&verified=success&level=B", B),
    ],
)
def test_it_comes_with_the_call(desk: Desk, query: str, says: Attestation) -> None:
    desk.connect().send(header(f"inbound{query}"))
    (arrived,) = desk.take_events()
    assert isinstance(arrived, CallArrived) and arrived.attestation is says

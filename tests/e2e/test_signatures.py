"""Asterisk's own check of a call's signature (STIR/SHAKEN), where the carrier says nothing of the number: signed here, with a certificate
of our own authority, and by somebody whom nobody trusts."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import NUMBERS
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID, ObjectIdentifier
from harness.center import Center, password_of
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import AsteriskPlan, SipAccount, Trunk
from ccserver.lab.phones import PhoneProcess

CALLER, CALLED = "34911222333", "901"
TRUNK = "127.0.0.2"
# What a certificate says of the numbers that it may sign for (RFC 8226): the service provider 1001.
TN_AUTH_LIST, ANY_NUMBERS = ObjectIdentifier("1.3.6.1.5.5.7.1.26"), bytes.fromhex("3008a006160431303031")
Key = ec.EllipticCurvePrivateKey


def certificate(name: str, key: Key, issuer: x509.Certificate | None = None, by: Key | None = None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        made = made.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, ANY_NUMBERS), critical=False)
    return made.sign(by or key, hashes.SHA256())


def pem(given: x509.Certificate) -> bytes:
    return given.public_bytes(serialization.Encoding.PEM)


class Signer:
    """Signs calls, and lets its certificates be fetched."""

    def __init__(self, directory: Path) -> None:
        root, self.key, self.strange_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        authority = certificate("an authority", root)
        stranger = certificate("nobody's authority", self.strange_key)
        (directory / "authority.pem").write_bytes(pem(authority))
        files = {
            "/good.pem": pem(certificate("a carrier", self.key, authority, root)),
            "/strange.pem": pem(certificate("a stranger", self.strange_key, stranger, self.strange_key)),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = files.get(self.path)
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def identity(self, file: str, caller: str = CALLER) -> str:
        """The header of a call from `caller`, signed with level B."""
        key, url = (self.key if file == "good.pem" else self.strange_key), f"{self.url}/{file}"
        head = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": url}
        told = {
            "attest": "B",
            "dest": {"tn": [CALLED]},
            "iat": int(time.time()),
            "orig": {"tn": caller},
            "origid": str(uuid.uuid4()),
        }
        signed = ".".join(_packed(json.dumps(part, separators=(",", ":"), sort_keys=True).encode()) for part in (head, told))
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_packed(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))};info=<{url}>;alg=ES256;ppt=shaken"


def _packed(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def signer(shared_directory: Path) -> Iterator[Signer]:
    made = Signer(shared_directory)
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def pbx(
    asterisk_source: Path,
    site_values: AsteriskValues,
    shared_directory: Path,
    signer: Signer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Asterisk]:
    """With the modules that verify, and a trunk whose calls they look at."""
    directory = tmp_path_factory.mktemp("pbx")
    verify = [
        "[verification]",
        f"ca_file = {shared_directory}/authority.pem",
        f"cert_cache_dir = {directory}/cache",
        "failure_action = continue",
        "relax_x5u_port_scheme_restrictions = yes",
        "x5u_permit = 127.0.0.1/32",
        "[checked]",
        "type = profile",
        "endpoint_behavior = verify",
    ]
    modules = ("res_curl", "func_curl", "res_stir_shaken", "res_pjsip_stir_shaken")
    plan = AsteriskPlan(
        directory=directory,
        values=site_values,
        accounts=tuple(SipAccount(number=number, password=password_of(number)) for number in NUMBERS),
        shared=(shared_directory,),
        trunk=Trunk(more=("stir_shaken_profile = checked",)),
        extra={
            "modules.conf": "".join(f"load = {module}.so\n" for module in modules),
            "stir_shaken.conf": "\n".join(verify) + "\n",
        },
    )
    with Asterisk(plan, asterisk_source) as running:
        yield running
        assert running.is_running, f"Asterisk died\n{running.tail()}"


@pytest.mark.parametrize(
    ("signed", "says"),
    [("good", "B"), ("strange", "failed"), ("another number", "failed"), ("nonsense", "failed"), ("", "none")],
)
async def test_what_asterisk_finds_of_a_signature_is_what_flows_know(  # noqa: PLR0917
    center: Center, books: Ledger, phones: PhoneProcess, signer: Signer, signed: str, says: str
) -> None:
    identities = {
        "good": lambda: signer.identity("good.pem"),
        "strange": lambda: signer.identity("strange.pem"),
        "another number": lambda: signer.identity("good.pem", caller="34911222334"),
        "nonsense": lambda: "a.b.c;info=<http://127.0.0.1:1/x>;alg=ES256;ppt=shaken",
    }
    headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)}
    if signed:
        headers["Identity"] = identities[signed]()
    caller = await center.caller(phones, "signed", f"+{CALLER}")
    await caller.call(f"sip:{CALLED}@127.0.0.1", headers=headers)
    await caller.wait("up")
    (live,) = await until(lambda: center.ask("calls"), 5, what="the call")
    assert live["attestation"] == says, center.daemon.tail()
    await caller.hangup()
    await center.quiet()

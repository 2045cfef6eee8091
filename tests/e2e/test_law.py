"""Calls that no campaign makes, with outbound calls in the settings, on a real Asterisk: what the law's gate refuses does not go out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard
from harness.calls import carrier as trunk
from harness.center import AGENT_HZ, CALLER_HZ, PROMPTS_HZ, Center, Site, write_prompts
from harness.cli import here
from harness.keypad import Desk, hears_so_far, signed_in, write_tones
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.phones import Phone, PhoneProcess
from ccserver.store import attempts
from ccserver.store.attempts import AttemptId, AttemptOutcome, NewAttempt, Result
from ccserver.store.database import Store

TONES = {
    "cc-law-do-not-call": 1150,
    "cc-law-rules": 1270,
    "cc-law-unavailable": 1390,
    "winter-called": 1450,
    "nobody-called": 1570,
    "press-nine": 1690,
    "surely-yours": 2030,
    "not-yours": 2150,
    "cc-not-called": 1830,
    "cc-unavailable": 1990,
}
ATTESTED = {
    "start": "surely",
    "nodes": {
        "surely": {
            "branch": [
                {"when": "caller.attestation == 'A'", "then": "yours"},
                {"when": "caller.attestation == 'failed'", "then": "not_yours"},
            ],
            "otherwise": "to_sales",
        },
        "yours": {"say": "surely-yours", "next": "to_sales"},
        "not_yours": {"hang_up": True, "say": "not-yours"},
        "to_sales": {"enqueue": "sales"},
    },
}
RETURNED = {
    "start": "which",
    "variables": {"campaign": "text"},
    "exits": {"no_input": "to_sales", "invalid": "to_sales", "failure": "to_sales"},
    "nodes": {
        "which": {
            "look_up": "returned",
            "with": {"number": "caller.number"},
            "into": {"campaign": "campaign"},
            "on_found": "sort",
            "on_missing": "nobody",
        },
        "sort": {"branch": [{"when": "campaign == 'winter'", "then": "winter"}], "otherwise": "nobody"},
        "winter": {"say": "winter-called", "next": "choose"},
        "nobody": {"say": "nobody-called", "next": "choose"},
        "choose": {"menu": "press-nine", "choices": {"9": "remove"}, "timeout_s": 3, "tries": 1},
        "remove": {"do_not_call": True, "next": "bye"},
        "to_sales": {"enqueue": "sales"},
        "bye": {"hang_up": True},
    },
}
OURS = "+34915550100"
LISTED, FREE, CALLER = "600111222", "600111333", "+34911222333"
ANY_TIME = {
    "preset": "es",
    "rules": {"window_binds": [], "closed_on_holidays": False},
    "overrides": [
        {"rule": rule, "because": "the tests run at any hour of any day"} for rule in ("window_binds", "closed_on_holidays")
    ],
}


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
        unavailable_prompt=str(shared_directory / "prompts" / "en" / "cc-unavailable"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Agent 101 may call outside; people may be called at any hour."""
    rules = {"offer_after_s": 0, "tries": 2, "retry_after_s": 10, "ring_timeout_s": 15}
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"callback": rules, "ring_timeout_s": 8}},
    )
    plain = made.settings()
    plain["agents"]["101"]["class_of_service"] = "house"
    made.more = {
        "agents": plain["agents"],
        "classes_of_service": {"house": {"allows": ["internal", "local", "mobile"]}},
        "dids": {**plain["dids"], "950": {"flow": "attested", "language": "en"}, OURS: {"flow": "returned", "language": "en"}},
        "flows": {**plain["flows"], "returned": RETURNED, "attested": ATTESTED},
        "look_ups": {"returned": {"records": "returned_call"}},
        "prompts": {**plain["prompts"], **{name: {"en": "a tone", "es": "un tono"} for name in TONES if name[:3] != "cc-"}},
        "dialing": ANY_TIME,
        "caller_ids": {OURS: {"answers_back": True}},
    }
    return made


@pytest.fixture
def carrier(desk: PhoneProcess, books: Ledger, request: pytest.FixtureRequest) -> Iterator[Phone]:
    """Whoever is called over the trunk; answers at once."""
    yield request.getfixturevalue("runner").run(trunk(desk, tone_hz=CALLER_HZ, answer_after_ms=0))


def refusals(center: Center) -> list[dict[str, Any]]:
    return center.rows("SELECT * FROM refused_dials ORDER BY at, seq")


async def listed(center: Center, number: str) -> None:
    answer = await here(center, "do-not-call", "add", number)
    assert answer.code == 0, answer


async def test_who_is_on_the_list_is_not_dialled_and_another_is(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    before = len(refusals(center))
    await listed(center, LISTED)
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    ear = await desk.fresh_recording()
    await desk.phone.call(f"0{LISTED}")
    await desk.phone.wait("ended", 15)
    await hears_so_far(ear, ["cc-law-do-not-call"], tones=desk.tones)
    await center.agent_is("101", "ready")
    assert not carrier.has("incoming"), "nothing reaches the trunk"

    await desk.phone.call(f"0{FREE}")
    incoming = await carrier.wait("incoming")
    await desk.phone.wait("up")
    await center.agent_is("101", "on_own_call")
    assert OURS in str(incoming["headers"]), "who is called sees a number of ours that is answered"
    await desk.phone.hangup()
    await carrier.wait("ended")
    await center.agent_is("101", "ready")
    (row,) = await until(lambda: refusals(center)[before:], 8, what="the refusal on record")
    assert (row["kind"], row["number"], row["reason"], row["agent"]) == (
        "own_call",
        f"+34{LISTED}",
        "do_not_call",
        "101",
    )
    (notice,) = center.rows("SELECT * FROM notices WHERE kind = 'dial_refused'")
    assert notice["agent"] == "101" and '"do_not_call"' in notice["data"]


async def test_emergencies_and_colleagues_are_not_asked_about(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    """Neither with the daemon nor without; without it, other calls outside go by the site's own rule for that."""
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    before = len(refusals(center))

    async def helped(dialled: str) -> None:
        await desk.phone.call(dialled)
        incoming = await carrier.wait("incoming")
        await desk.phone.wait("up")
        await desk.phone.hangup()
        await carrier.wait("ended")
        assert "sip:112@127.0.0.2" in str(incoming["headers"])

    await helped("112")
    await helped("0112")
    colleague = await Desk.open(phones, "1005", tmp_path, TONES, tone_hz=1400, answer_after_ms=0)
    await desk.fresh_recording()
    await desk.phone.call("1005")
    await colleague.phone.wait("up")
    await desk.phone.hangup()
    await center.agent_is("101", "ready")
    assert len(refusals(center)) == before

    await center.daemon.kill()
    try:
        await helped("112")
        ear = await desk.fresh_recording()
        await desk.phone.call(f"0{FREE}")
        await desk.phone.wait("ended", 15)
        await hears_so_far(ear, ["cc-unavailable"], tones=desk.tones)
    finally:
        await center.restart()
    await center.agent_is("101", "ready")


async def test_a_callback_is_not_dialled_when_its_customer_has_asked_not_to_be_called(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    async def asks(name: str, number: str) -> None:
        ear = tmp_path / f"{name}.wav"
        caller = await call(center, phones, "901", name, number=number, record=str(ear))
        for prompt, key in (("cc-callback-offer", "1"), ("cc-callback-confirm", "1")):
            await heard(ear, PROMPTS_HZ[prompt], 200)
            await caller.dtmf(key)
        await caller.wait("ended", 10)

    before = len(refusals(center))
    await asks("sorry", CALLER)
    await listed(center, CALLER)
    agent = await signed_in(center, phones, "101", tmp_path, TONES, tone_hz=AGENT_HZ, answer_after_ms=0)
    (row,) = await until(lambda: refusals(center)[before:], 15, what="the refusal on record")
    assert (row["kind"], row["number"], row["reason"], row["agent"]) == ("callback", CALLER, "do_not_call", "101")
    await center.agent_is("101", "ready")
    assert not carrier.has("incoming")

    # Who asks again is called: they have just said that they want it.
    await center.ask("agent.pause", agent="101", reason="lunch")
    await asks("again", CALLER)
    await center.ask("agent.unpause", agent="101")
    incoming = await carrier.wait("incoming", 15)
    headers = str(incoming["headers"])
    assert f"sip:{CALLER}@127.0.0.2" in headers and OURS in headers
    await center.agent_is("101", "talking")
    await carrier.hangup()
    await agent.phone.wait("ended")
    await center.agent_is("101", "ready")


async def test_who_calls_back_hears_who_called_and_is_not_called_any_more(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """A number with an attempt on record hears the campaign's words, and another one does not; one key, and it is on the list."""
    called, stranger = "+34600111555", "+34600111666"
    store = Store(f"sqlite:///{center.site.directory}/history.db")
    attempt = NewAttempt(
        id=AttemptId("e2e-1"),
        number=called,
        campaign="winter",
        purpose="marketing",
        asked_by="campaign",
        caller_id=OURS,
        trunk="carrier",
    )
    attempts.store(store.engine, attempt, datetime.now(UTC) - timedelta(hours=2))
    attempts.settle(
        store.engine, attempt.id, Result(outcome=AttemptOutcome.NO_ANSWER, ended_at=datetime.now(UTC) - timedelta(hours=2))
    )

    async def calls(name: str, number: str, words: str) -> None:
        ear = tmp_path / f"{name}.wav"
        caller = await call(center, phones, OURS, name, number=number, record=str(ear))
        await heard(ear, TONES["press-nine"], 200)
        await caller.dtmf("9")
        await heard(ear, TONES["cc-not-called"], 200)
        await caller.wait("ended", 8)
        await hears_so_far(ear, [words, "press-nine", "cc-not-called"], tones=TONES)

    await calls("called", called, "winter-called")
    await calls("stranger", stranger, "nobody-called")

    def on_list(number: str) -> list[dict[str, Any]]:
        return center.rows("SELECT * FROM do_not_call WHERE number = ?", number)

    (row,) = await until(lambda: on_list(called), 8, what="the number on the list")
    first, *_ = books.calls()
    assert (row["campaign"], row["source"], row["by"], row["interaction"]) == (
        "",
        "keypad",
        "flow returned",
        first["interaction"],
    )
    answer = await here(center, "do-not-call", "find", called)
    assert "keypad" in answer.out and f"call {first['interaction']}" in answer.out, answer
    store.engine.dispose()


@pytest.mark.parametrize(
    ("headers", "hears", "shown"),
    [
        ({"P-Attestation-Indicator": "A"}, "surely-yours", "A"),
        ({"P-Asserted-Identity": "<sip:+34911222333;verstat=TN-Validation-Passed-A@carrier>"}, "surely-yours", "A"),
        (
            {
                "P-Attestation-Indicator": "A",
                "P-Asserted-Identity": '"Ann, of Example" <sip:+34911222333;verstat=TN-Validation-Failed@carrier>',
            },
            "not-yours",
            "failed",
        ),
        ({"P-Attestation-Indicator": "A&x=${CHANNEL},,;B", "P-Asserted-Identity": "<sip:1@x;verstat=&attest=A>"}, "", "none"),
        ({}, "", "none"),
    ],
    ids=["indicator", "verstat", "failed", "hostile", "without"],
)
async def test_what_the_carrier_says_of_the_number_decides_the_way(  # noqa: PLR0917
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path, headers: dict[str, str], hears: str, shown: str
) -> None:
    ear = tmp_path / "ear.wav"
    caller = await center.caller(phones, "attested", CALLER, record=str(ear))
    await caller.call("sip:950@127.0.0.1", headers=headers)
    await caller.wait("up")
    if hears:
        await heard(ear, TONES[hears], 200)
    if shown == "failed":
        await caller.wait("ended", 8)
    else:
        await center.waiting("sales", 1)
        (live,) = await center.ask("calls")
        assert live["attestation"] == shown
        await caller.hangup()
    await center.quiet()
    told = center.rows("SELECT data FROM notices WHERE kind = 'arrived' ORDER BY at DESC LIMIT 1")[0]["data"]
    assert told == ("{}" if shown == "none" else f'{{"attestation": "{shown}"}}')

"""Agents' own calls and callbacks on a real Asterisk, with outbound calls in the settings: each is on record before its phone rings, is
settled once whatever befalls the daemon, and counts in what the next one may; who is refused hears why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard
from harness.calls import carrier as trunk
from harness.center import AGENT_HZ, CALLER_HZ, PROMPTS_HZ, Center, Site, write_prompts
from harness.cli import here
from harness.keypad import hears_so_far, signed_in, write_tones
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab.phones import Phone, PhoneProcess

TONES = {
    "cc-law-too-often": 1150,
    "cc-law-being-called": 1270,
    "cc-law-do-not-call": 1390,
    "cc-unavailable": 1510,
}
OURS = "+34915550100"
ANY_TIME = ("window_binds", "closed_on_holidays")


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
    """Agents 101 and 102 may call outside, a number once a day, at any hour."""
    callback = {"offer_after_s": 0, "tries": 2, "retry_after_s": 10, "ring_timeout_s": 15}
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"callback": callback, "ring_timeout_s": 8}},
    )
    plain = made.settings()
    for agent in ("101", "102"):
        plain["agents"][agent]["class_of_service"] = "house"
    made.more = {
        "agents": plain["agents"],
        "classes_of_service": {"house": {"allows": ["internal", "local", "mobile"]}},
        "dids": {**plain["dids"], OURS: {**plain["dids"]["901"]}},
        "dialing": {
            "preset": "es",
            "rules": {"window_binds": [], "closed_on_holidays": False, "calls_a_day": 1},
            "overrides": [{"rule": rule, "because": "the tests run at any hour of any day"} for rule in ANY_TIME],
        },
        "caller_ids": {OURS: {"answers_back": True}},
    }
    return made


@pytest.fixture
def carrier(desk: PhoneProcess, books: Ledger, request: pytest.FixtureRequest) -> Iterator[Phone]:
    """Whoever is called over the trunk: it rings."""
    yield request.getfixturevalue("runner").run(trunk(desk, tone_hz=CALLER_HZ))


def attempts(center: Center, number: str) -> list[dict[str, Any]]:
    return center.rows("SELECT * FROM attempts WHERE number = ? ORDER BY stored_at", number)


async def settled(center: Center, number: str, outcome: str) -> dict[str, Any]:
    """The one attempt to the number, over."""

    def look() -> dict[str, Any] | None:
        found = attempts(center, number)
        return found[0] if len(found) == 1 and found[0]["state"] == "settled" else None

    row = await until(look, 10, what=f"the end of the attempt to {number}")
    assert row["outcome"] == outcome, row
    return row


async def test_an_own_call_is_on_record_before_it_rings_and_a_second_one_is_refused_and_heard(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    number = "+34600111001"
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await desk.phone.call("0600111001")
    await carrier.wait("incoming")
    (row,) = attempts(center, number)
    assert (row["state"], row["outcome"], row["asked_by"], row["purpose"], row["campaign"], row["caller_id"]) == (
        *("stored", None, "101", "service", "", OURS),
    )
    other = await signed_in(center, phones, "102", tmp_path, TONES)
    await other.calls("0600111001", hears="cc-law-being-called")
    await center.agent_is("102", "ready")
    await carrier.answer()
    await desk.phone.wait("up")
    await desk.phone.hangup()
    await carrier.wait("ended")
    row = await settled(center, number, "answered")
    assert (row["agent"], row["cause"]) == ("101", 16) and row["talk_s"] <= 5

    await desk.calls("0600111001", hears="cc-law-too-often")
    await center.agent_is("101", "ready")
    assert carrier.count("incoming") == 1, "nobody was called twice"
    reasons = [each["reason"] for each in center.rows("SELECT reason FROM refused_dials WHERE number = ? ORDER BY at", number)]
    assert reasons == ["being_called", "day_cap"]
    told = await here(center, "lead", "attempts", "--number", number)
    assert "answered" in told.out and "101" in told.out, told


@pytest.mark.parametrize(
    ("number", "code", "outcome"),
    [("600111011", 486, "busy"), ("600111012", 404, "no_such_number"), ("600111013", 603, "rejected")],
)
async def test_what_comes_of_an_own_call_that_nobody_answers(  # noqa: PLR0917
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path, number: str, code: int, outcome: str
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await desk.phone.call(f"0{number}")
    await carrier.wait("incoming")
    await carrier.answer(code)
    await desk.phone.wait("ended")
    await settled(center, f"+34{number}", outcome)


async def test_an_agent_who_hangs_up_while_it_rings_has_called(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await desk.phone.call("0600111021")
    await carrier.wait("incoming")
    await desk.phone.hangup()
    await carrier.wait("ended")
    await settled(center, "+34600111021", "cancelled")


@pytest.mark.parametrize(("number", "when"), [("600111031", "afterwards"), ("600111032", "meanwhile")])
async def test_a_daemon_that_dies_while_an_own_call_rings_settles_it_once(  # noqa: PLR0917
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path, number: str, when: str
) -> None:
    """The phone rings on. What ends afterwards has its own end; of what ended meanwhile nobody knows."""
    desk = await signed_in(center, phones, "101", tmp_path, TONES)
    await desk.phone.call(f"0{number}")
    await carrier.wait("incoming")
    books.may_repair = when == "meanwhile"
    await center.daemon.kill()
    try:
        if when == "meanwhile":
            await desk.phone.hangup()
            await carrier.wait("ended")
    finally:
        await center.restart()
    if when == "afterwards":
        (row,) = attempts(center, f"+34{number}")
        assert row["state"] == "stored", "it rings, and the center knows of it"
        await carrier.answer()
        await desk.phone.wait("up")
        await desk.phone.hangup()
        await carrier.wait("ended")
    await settled(center, f"+34{number}", "answered" if when == "afterwards" else "unknown")
    await center.agent_is("101", "ready")
    await desk.calls(f"0{number}", hears="cc-law-too-often")
    assert carrier.count("incoming") == 1


async def test_a_callback_is_on_record_and_one_that_is_refused_is_heard(
    center: Center, books: Ledger, phones: PhoneProcess, carrier: Phone, tmp_path: Path
) -> None:
    async def asks(name: str, number: str) -> None:
        ear = tmp_path / f"{name}.wav"
        caller = await call(center, phones, "901", name, number=number, record=str(ear))
        for prompt, key in (("cc-callback-offer", "1"), ("cc-callback-confirm", "1")):
            await heard(ear, PROMPTS_HZ[prompt], 200)
            await caller.dtmf(key)
        await caller.wait("ended", 10)

    wanted, unwanted = "+34911222441", "+34911222442"
    await asks("unwanted", unwanted)
    assert (await here(center, "do-not-call", "add", unwanted)).code == 0
    ear = tmp_path / "why.wav"
    fields = {"tone_hz": AGENT_HZ, "answer_after_ms": 0, "record": str(ear)}
    desk = await signed_in(center, phones, "101", tmp_path, TONES, **fields)
    await desk.phone.wait("ended", 20)
    await hears_so_far(ear, ["cc-law-do-not-call"], tones=TONES)
    await center.agent_is("101", "ready")
    assert not carrier.has("incoming")
    (row,) = await until(lambda: attempts(center, unwanted), 8, what="the attempt that was not made")
    assert (row["outcome"], row["purpose"], row["asked_by"]) == ("not_placed", "requested", "101")

    await center.ask("agent.pause", agent="101", reason="lunch")
    await asks("wanted", wanted)
    await center.ask("agent.unpause", agent="101")
    await carrier.wait("incoming", 15)
    (row,) = attempts(center, wanted)
    assert (row["state"], row["outcome"]) == ("stored", None)
    await carrier.answer()
    await center.agent_is("101", "talking")
    await carrier.hangup()
    await desk.phone.wait("ended")
    await center.agent_is("101", "ready")
    row = await settled(center, wanted, "answered")
    assert (row["agent"], row["purpose"]) == ("101", "requested") and row["interaction"] is not None

    # It counts for everybody: nobody calls them by hand on the same day.
    await desk.calls("0911222441", hears="cc-law-too-often")

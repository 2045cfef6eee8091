"""A system at the desk, and somebody at the command line, pause and resume a recording on the real PBX, and give it up."""

import asyncio
import itertools
import json
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from harness.archive import recording_of
from harness.center import Center
from harness.cli import command
from harness.floor import Floor, FloorSite, story
from harness.ledger import Ledger, Row
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess

TOKEN, API_PORT = "a-token-for-tests", 9319
SIDES = ("customer", "101")
PAUSED_MS = 1500


@dataclass(kw_only=True)
class ApiSite(FloorSite):
    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        secret = self.directory / "api.token"
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        whole["api"] = {"port": API_PORT, "token_file": str(secret)}
        return whole


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> ApiSite:
    return ApiSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def asks(number: int, body: object, token: str = TOKEN) -> tuple[int, Any]:
    """The answer to one request of a system at the desk."""

    def talk() -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", API_PORT, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("POST", f"/v1/calls/{number}/recording", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith("{") else text
        finally:
            connection.close()

    return await asyncio.to_thread(talk)


async def live_call(center: Center) -> int:
    (call,) = await center.ask("calls")
    return int(call["interaction"])


def audited(center: Center, call: Row) -> list[tuple[str, str, bool]]:
    rows = center.rows("SELECT * FROM audit WHERE interaction=? AND act LIKE 'recording%' ORDER BY at", call["interaction"])
    return [(row["by"], row["act"], bool(row["is_done"])) for row in rows]


def assert_one_gap(whole: Path) -> None:
    """On each side its own voice alone, with one silence as long as the pause, at the same time on both."""
    gaps = []
    for side, voice in enumerate(SIDES):
        spans = audio.heard(whole, [Floor.voice(voice)], side)[Floor.voice(voice)]
        gaps.append(max((later.start_ms - earlier.end_ms, earlier.end_ms) for earlier, later in itertools.pairwise(spans)))
        length_ms, from_ms = gaps[-1]
        # The voice may begin again within the last block of the gap.
        during = [s for s in audio.loud(whole, side) if from_ms <= s.start_ms < from_ms + length_ms - audio.BLOCK_MS]
        assert gaps[-1][0] >= PAUSED_MS - 300 and not during, (voice, spans, during)
    assert abs(gaps[0][1] - gaps[1][1]) <= 200, gaps


async def test_the_span_that_a_system_paused_is_silent_on_both_sides(floor: Floor, books: Ledger, center: Center) -> None:
    customer = await floor.talk()
    number = await live_call(center)
    assert (await asks(number, {"act": "pause"}, "another"))[0] == 401
    assert (await asks(number, {"act": "paws"}))[0] == 404
    await floor.hears("customer", "101", ms=800)
    assert await asks(number, {"act": "pause", "by": "ana"}) == (
        200,
        {"ok": True, "text": f"call {number}: the recording is paused"},
    )
    assert (await asks(number, {"act": "pause"}))[0] == 409
    await floor.hears("customer", "101", ms=PAUSED_MS)
    assert (await asks(number, {"act": "resume", "by": "ana"}))[0] == 200
    await floor.hears("customer", "101", ms=800)
    await customer.hangup()
    call = await story(books)
    assert_one_gap(await recording_of(center, number))
    (stretch,) = books.of("recordings", call)
    ((from_s, to_s),) = json.loads(stretch["pauses"])
    assert to_s - from_s >= PAUSED_MS / 1000 - 0.3
    assert audited(center, call) == [
        ("api, ana", "recording_pause", True),
        ("api", "recording_pause", False),
        ("api, ana", "recording_resume", True),
    ]
    assert (await asks(number, {"act": "pause"}))[0] == 409, "it is over"


async def test_a_customer_objects_and_the_system_says_so(floor: Floor, books: Ledger, center: Center) -> None:
    customer = await floor.talk()
    number = await live_call(center)
    assert (await asks(number, {"act": "object"}))[0] == 200
    assert (await asks(number, {"act": "record"}))[0] == 409
    await floor.hear("customer", "101")
    await customer.hangup()
    call = await story(books)
    (stretch,) = books.of("recordings", call)
    await center.row("SELECT * FROM recording_deletions WHERE interaction=?", number)
    await until(lambda: not list(Path(stretch["path"]).parent.glob(f"{number}-*")), what="no sound of the call")


async def test_the_command_line_pauses_too(floor: Floor, books: Ledger, center: Center) -> None:
    customer = await floor.talk()
    number = await live_call(center)
    await floor.hears("customer", "101", ms=800)
    for act in ("pause", "resume"):
        done = await command(center, "call", "recording", str(number), act)
        assert done.code == 0 and f"call {number}" in done.out, done
        await floor.hears("customer", "101", ms=PAUSED_MS)
    await customer.hangup()
    await story(books)
    assert_one_gap(await recording_of(center, number))

"""An agent sends the customer to type a secret, in a recorded call on the real PBX: the digits are nowhere, whatever way they are typed.

Not as tones in a recording, and not as digits in the journal, the snapshots, the log at its most talkative, the trace, the history, or
Asterisk's own log.
"""

import asyncio
import itertools
import json
import re
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.archive import files_of, recording_of, shelf_of
from harness.center import CALLER_HZ, Center, Site
from harness.floor import PAY_CODE, VOICES, Floor, FloorSite, story
from harness.ledger import Ledger

from ccserver.agi.secrets import hash_pin
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import Trunk
from ccserver.lab.phones import PhoneProcess

PIN = "73915084"
TONES = "127.0.0.12"
"""The carrier whose keys are tones."""
ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477)
BLOCK_MS = 40
"""Shorter than the shortest key that counts."""


@dataclass(kw_only=True)
class SecretSite(FloorSite):
    """The sendable flow asks for a PIN that a database knows by its hash."""

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        ask = {"secret": "pay", "into": "token", "timeout_s": 10, "tries": 1, "max_digits": 12}
        check = {"look_up": "pins", "with": {"customer": "'1001'"}, "hash": "pin_hash", "token": "name"}
        after = dict.fromkeys(("next", "on_invalid", "on_no_input", "on_failure"), "done")
        nodes = {
            "ask": {**ask, "check": check, **after, "next": "good"},
            "good": {"return": "paid"},
            "done": {"return": "welcome"},
        }
        whole["flows"]["pay"] = {"start": "ask", "variables": {"token": "text"}, "nodes": nodes}
        whole["databases"] = {"people": {"url": f"sqlite:///{self.directory}/people.db"}}
        whole["look_ups"] = {
            "pins": {
                "sql": "select pin_hash, name from customers where number = :customer",
                "database": "people",
                "parameters": {"customer": "text"},
                "gives": {"pin_hash": "text", "name": "text"},
            }
        }
        return whole


@pytest.fixture(scope="module")
def more_trunks() -> tuple[Trunk, ...]:
    return (Trunk(name="tones", address=TONES, dtmf_mode="inband"),)


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = SecretSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    with closing(sqlite3.connect(made.directory / "people.db")) as database, database:
        database.execute("create table customers (number text, pin_hash text, name text)")
        database.execute("insert into customers values ('1001', ?, 'token-of-ana')", (hash_pin(PIN),))
    return made


@pytest.fixture(scope="module")
def center(pbx: Asterisk, site: Site, runner: asyncio.Runner) -> Iterator[Center]:
    """The daemon with its trace on, so that the trace can be searched for digits too."""
    running = runner.run(Center.start(pbx, site, "--trace", str(site.directory / "trace")))
    yield running
    assert runner.run(running.daemon.stop()) == 0, running.daemon.tail()


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


def keys_heard(samples: Sequence[int], rate: int) -> int:
    """So many blocks hold the two tones of a key."""
    size = rate * BLOCK_MS // 1000
    found = 0
    for start in range(0, len(samples) - size + 1, size // 2):
        block = samples[start : start + size]
        whole = sum(sample * sample for sample in block) / size
        if whole < 50.0**2:
            continue
        row = max(audio.power(block, rate, hz) for hz in ROWS_HZ)
        column = max(audio.power(block, rate, hz) for hz in COLUMNS_HZ)
        found += row > 0.15 * whole and column > 0.15 * whole
    return found


def assert_no_key(path: Path) -> None:
    rate, sides = audio.read(path)
    assert [keys_heard(side, rate) for side in sides] == [0] * len(sides), path


def test_the_ear_hears_a_key_even_below_a_voice(tmp_path: Path) -> None:
    tones = [
        audio.read(audio.write_tone(tmp_path / f"{hz}.wav", hz, 100, amplitude=size))[1][0]
        for hz, size in ((770, 3000), (1336, 3000), (VOICES["101"], 2500))
    ]
    mixed = array("h", map(sum, zip(*tones, strict=True)))
    assert keys_heard(mixed, 8000) >= 2
    for voice in (*VOICES.values(), CALLER_HZ):
        assert keys_heard(audio.read(audio.write_tone(tmp_path / "voice.wav", voice, 300))[1][0], 8000) == 0


@pytest.mark.parametrize("method", ["rfc4733", "inband", "info"])
async def test_what_a_customer_types_is_in_no_recording(
    floor: Floor, books: Ledger, center: Center, tmp_path: Path, method: str
) -> None:
    await floor.agent("101")
    how: dict[str, object] = {"local": TONES, "tone_hz": 0} if method == "inband" else {}
    customer = await floor.customer(**how)
    await center.agent_is("101", "talking")
    await floor.hears("customer", "101", ms=800)
    await floor.phones["101"].dtmf(f"*8{PAY_CODE}#")
    await floor.is_told("customer", "pay")
    await customer.dtmf(PIN, method=method)
    await asyncio.sleep(len(PIN) * 0.17)  # the keys are sent one after the other
    await customer.dtmf("#", method=method)
    await floor.hears("101", "paid", ms=200)
    await floor.hears("customer", "101", ms=800)
    await customer.hangup()
    call = await story(books)
    whole = await recording_of(center, call["interaction"])
    assert_no_key(whole)
    ours = [span for span in audio.heard(whole, [VOICES["101"]], 1)[VOICES["101"]] if span.length_ms >= 300]
    assert len(ours) >= 2, "the talk before, and the talk after"
    (file,) = await files_of(center, call["interaction"])
    shelf = shelf_of(center)
    try:
        marks = shelf.told(file).marks
    finally:
        shelf.store.close()
    (gap,) = [mark for mark in marks if mark.what == "errand"]
    for side in (0, 1):
        inside = [
            s
            for s in audio.loud(whole, side)
            if s.start_ms >= gap.starts_s * 1000 + 300 and s.end_ms <= (gap.starts_s + gap.duration_s) * 1000 - 300
        ]
        assert not inside, (gap, inside)
    stretches = [mark for mark in marks if mark.what == "stretch"]
    assert len(stretches) == 2
    for before, after in itertools.pairwise(stretches):
        assert (
            before.starts_s + before.duration_s <= gap.starts_s + 0.3 and after.starts_s >= gap.starts_s + gap.duration_s - 0.3
        )


async def test_no_digit_is_kept_anywhere(center: Center, pbx: Asterisk) -> None:
    """After the calls above, whole or key by key."""
    places = (center.site.directory, pbx.plan.directory / "log", pbx.plan.directory / "spool", center.site.shared)
    files = [path for top in places for path in top.rglob("*") if path.is_file() and path.name != "people.db"]
    names, folders = {path.name for path in files}, {part for path in files for part in path.parts}
    assert {"daemon.log", "history.db", "full"} <= names and {"journal", "trace"} <= folders, files
    assert json.loads((center.site.directory / "ccserver.yaml").read_text())["log"] == {"level": "debug"}
    told = b""
    for path in files:
        if path.suffix == ".wav":
            if path.is_relative_to(center.site.shared / "rec"):
                assert_no_key(path)
            continue
        content = path.read_bytes()
        assert PIN.encode() not in content, path
        told += b"".join(re.findall(rb'(?:digits?|key|dtmf)"?\s*[:=]\s*"?([0-9*#]+)', content, re.IGNORECASE))
    assert PIN.encode() not in told
    journals = [path.read_bytes() for path in files if "journal" in path.parts]
    assert any(b"token-of-ana" in content for content in journals), (
        "what stands for it is there: it was looked in the right place"
    )

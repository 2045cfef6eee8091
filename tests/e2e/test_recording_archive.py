"""Recordings on a real PBX, from the talk to the sealed file of the interaction: whose voice is on which side, and what a kill does."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness.archive import decoded, files_of, recording_of, shelf_of
from harness.center import CALLER_HZ, Center
from harness.floor import VOICES, Floor, FloorSite, story
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.archive.sealing import WrongKey
from ccserver.config.key_files import new_key, read_key
from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess

FLAC = shutil.which("flac")
pytestmark = pytest.mark.skipif(FLAC is None, reason="the encoder of these tests is not installed")
HEARD_MS = 300
VOICE_HZ = {"customer": CALLER_HZ, "101": VOICES["101"], "102": VOICES["102"]}


@dataclass(kw_only=True)
class ArchiveSite(FloorSite):
    """Sealed FLAC, made by an encoder that waits while a gate is shut."""

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        whole["recording"] |= {"format": "flac", "key_file": str(self.directory / "master.key"), "consultations": True}
        whole["queues"]["sales"]["record"] = True
        return whole

    @property
    def gate(self) -> Path:
        return self.directory / "gate-is-shut"

    @property
    def calls(self) -> Path:
        """A line for each time that the encoder was called."""
        return self.directory / "encoder-calls"

    def called(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveSite]:
    made = ArchiveSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    new_key(made.directory / "master.key")
    programs = made.directory / "bin"
    programs.mkdir()
    (programs / "flac").write_text(
        f'#!/bin/sh\necho called >> {made.calls}\nwhile [ -e {made.gate} ]; do sleep 0.05; done\nexec {FLAC} "$@"\n'
    )
    (programs / "flac").chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{programs}:{before}"
    yield made
    os.environ["PATH"] = before


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


def ms(path: Path, side: int) -> dict[str, int]:
    """For how long each voice is heard on the left (0) or the right (1)."""
    spans = audio.heard(path, VOICE_HZ.values(), side)
    return {name: audio.total_ms(spans[hz]) for name, hz in VOICE_HZ.items()}


def when(told: str | datetime) -> datetime:
    """A time of a row."""
    at = told if isinstance(told, datetime) else datetime.fromisoformat(told)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def assert_sides(path: Path, *agents: str) -> None:
    """The customer is heard on the left alone, these agents and no others on the right alone."""
    left, right = ms(path, 0), ms(path, 1)
    assert left["customer"] >= HEARD_MS and left["101"] == left["102"] == 0, (left, right)
    assert right["customer"] == 0, (left, right)
    assert {name for name in ("101", "102") if right[name] >= HEARD_MS} == set(agents), (left, right)


async def test_the_sides_are_right_after_a_hold_and_a_transfer(floor: Floor, books: Ledger, center: Center) -> None:
    await floor.agent("102")
    customer = await floor.talk()
    agent = floor.phones["101"]
    await agent.hold()
    await floor.hears("customer", "music")
    await agent.unhold()
    await floor.hear("customer", "101")
    await floor.asks("101", "*1", "102")
    await floor.hear("customer", "102")
    await customer.hangup()
    call = await story(books)
    file = (await files_of(center, call["interaction"]))[0]
    whole = await decoded(center, file)
    assert_sides(whole, "101", "102")
    first, later = (audio.heard(whole, [VOICES[agent]], 1)[VOICES[agent]] for agent in ("101", "102"))
    assert first[-1].end_ms <= later[0].start_ms, "one after the other on one line of time"
    recorded = center.rows("SELECT * FROM recordings WHERE interaction=?", call["interaction"])
    assert len(recorded) == len(file.stretches) >= 2
    assert file.path.endswith(f"/{call['interaction']}.flac.enc")


async def test_a_consultation_is_not_in_the_customers_file(floor: Floor, books: Ledger, center: Center) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    await customer.hangup()
    for agent in ("101", "102"):
        await floor.center.agent_is(agent, "ready")
    call = await story(books)
    assert_sides(await recording_of(center, call["interaction"]), "101")


async def test_the_sides_are_right_in_a_conference_and_a_pause_is_silent_on_both(
    floor: Floor, books: Ledger, center: Center
) -> None:
    """From the first agent to three in a room, and on with the second alone: one file, in which nobody is on the other's side."""
    await floor.agent("102")
    customer = await floor.consulting()
    await floor.phones["101"].dtmf("*3")
    await floor.hear("customer", "101", "102")
    await floor.phones["101"].dtmf("*5")
    await floor.hear("customer", "101", "102")
    await floor.phones["101"].dtmf("*5")
    await floor.hear("customer", "101", "102")
    await floor.phones["101"].hangup()
    await floor.hear("customer", "102")
    await customer.hangup()
    call = await story(books)
    (file,) = await files_of(center, call["interaction"])
    whole = await decoded(center, file)
    assert_sides(whole, "101", "102")
    rows = center.rows("SELECT * FROM recordings WHERE interaction=? ORDER BY number", call["interaction"])
    assert sorted(row["side"] for row in rows) == ["agents", "agents", "both", "customer"]
    assert not file.detail, "every file that was told is there"
    for row in [row for row in rows if row["side"] != "both"]:
        (pause,) = json.loads(row["pauses"])
        starts_ms = round((when(row["started_at"]) - file.began_at).total_seconds() * 1000)
        begin, end = (starts_ms + round(seconds * 1000) for seconds in pause)
        assert end - begin >= HEARD_MS
        for side in (0, 1):
            spans = audio.heard(whole, VOICE_HZ.values(), side)
            inside = [s for each in spans.values() for s in each if s.start_ms < end - 200 and s.end_ms > begin + 200]
            assert not inside, (row["side"], begin, end, spans)


@pytest.mark.parametrize("calls_before", [1, 2], ids=["while it is encoded", "while it is compared"])
async def test_a_kill_in_the_middle_loses_nothing_and_makes_nothing_twice(
    floor: Floor, books: Ledger, center: Center, site: ArchiveSite, calls_before: int
) -> None:
    books.may_repair = True
    before = site.called()
    if calls_before == 1:
        site.gate.touch()
    customer = await floor.talk()
    await customer.hangup()
    call = await story(books)
    number = call["interaction"]
    (stretch,) = center.rows("SELECT * FROM recordings WHERE interaction=?", number)
    sides = [Path(f"{stretch['path']}-{side}.wav") for side in ("caller", "agent")]
    await until(lambda: site.called() >= before + calls_before, what="the encoder at work")
    await center.daemon.kill()
    was_done = bool(center.rows("SELECT * FROM archive_files WHERE interaction=? AND state='done'", number))
    assert was_done or all(side.exists() for side in sides) or _kept(center, number)
    if calls_before == 1:
        assert all(side.exists() for side in sides), "the originals are there until the file is"
    site.gate.unlink(missing_ok=True)
    await center.restart()
    (file,) = await files_of(center, number)
    assert_sides(await decoded(center, file), "101")
    assert not any(side.exists() for side in sides)
    shelf = shelf_of(center)
    try:
        assert shelf.verify(file) == ""
        names = sorted(each.name for each in shelf.path(file).parent.glob(f"*{number}*") if not each.name.endswith(".wav"))
    finally:
        shelf.store.close()
    assert names == [f"{number}.flac.enc", f"{number}.json"]


def _kept(center: Center, number: int) -> bool:
    return bool(center.rows("SELECT * FROM archive_files WHERE interaction=? AND state='kept'", number))


async def test_the_wrong_key_is_named(floor: Floor, books: Ledger, center: Center, site: ArchiveSite) -> None:
    customer = await floor.talk()
    await customer.hangup()
    call = await story(books)
    (file,) = await files_of(center, call["interaction"])
    right, other = site.directory / "master.key", site.directory / "other.key"
    if not other.exists():
        new_key(other)
    named = read_key(right).id
    right.rename(site.directory / "kept.key")
    other.rename(right)
    try:
        with pytest.raises(WrongKey, match=named):
            await decoded(center, file)
    finally:
        right.unlink()
        (site.directory / "kept.key").rename(right)
    assert_sides(await decoded(center, file), "101")

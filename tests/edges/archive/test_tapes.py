"""Recordings laid ready for a phone: found by agent, both sides as one, for Asterisk's group only, and never left behind."""

import stat
import wave
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest
from archive_site import ASTERISK_DIR, DEADLINE_S, RATE, Site, silence, tone

from ccserver.archive import sealing, wav
from ccserver.config.edges import RecordingFormat
from ccserver.config.key_files import new_key, read_key
from ccserver.core.commands import CloseRecording, OpenRecording
from ccserver.core.events import OpenEnd, RecordingOpened
from ccserver.core.ids import AgentId, CommandId
from ccserver.core.records import KeptRecording
from ccserver.daemon.tapes import FOLDER, Tapes

SECOND = 8000


class Listener:
    """A supervisor who goes through the recordings of 201: calls 7, 8 and 9, the last one with 202 as well."""

    def __init__(self, site: Site) -> None:
        self.site = site
        began_s = site.began_utc_s
        for call, agents in ((7, ("201",)), (8, ("201",)), (9, ("201", "202")), (10, ("203",))):
            site.began_utc_s = began_s + call
            for place, agent in enumerate(agents):
                at_s = 2.0 * place
                site.stretch(call, tone(SECOND * 2, 440), tone(SECOND, 1000, 6000), by=agent, at_s=at_s)
            site.over(call)
        self.told: Queue[RecordingOpened] = Queue()
        self.count = 0
        self.open_again()

    def open_again(self) -> None:
        self.tapes = Tapes(self.site.store, self.site.edge, self.told.put)

    def archive(self) -> None:
        self.site.archive(7, 8, 9, 10)

    def opens(self, agent: str = "201", beside: int | None = None, *, is_newer: bool = False) -> RecordingOpened:
        self.count += 1
        at = None if beside is None else KeptRecording(interaction=beside)
        self.tapes.perform(CommandId(self.count, 0), OpenRecording(agent=AgentId(agent), beside=at, is_newer=is_newer))
        event = self.told.get(timeout=DEADLINE_S)
        assert event.command == CommandId(self.count, 0)
        return event

    def file(self, event: RecordingOpened) -> Path:
        path = Path(event.path)
        assert path.parent == Path(ASTERISK_DIR) / FOLDER
        return self.site.folder / FOLDER / f"{path.name}.wav"

    def left(self) -> list[str]:
        return [each.name for each in (self.site.folder / FOLDER).rglob("*")]


@pytest.fixture
def listener(site: Site) -> Iterator[Listener]:
    made = Listener(site)
    yield made
    made.tapes.close()


def which(event: RecordingOpened) -> tuple[OpenEnd, int | None]:
    return event.end, event.kept.interaction if event.kept is not None else None


def test_the_newest_and_from_there_to_those_before_and_after(listener: Listener) -> None:
    assert which(listener.opens()) == (OpenEnd.NONE, None), "not archived yet"
    listener.archive()
    newest = listener.opens()
    assert which(newest) == (OpenEnd.OPENED, 9) and newest.agents == ("201", "202")
    assert which(listener.opens(beside=9)) == (OpenEnd.OPENED, 8)
    assert which(listener.opens(beside=8)) == (OpenEnd.OPENED, 7)
    assert which(listener.opens(beside=7)) == (OpenEnd.NONE, None)
    assert which(listener.opens(beside=7, is_newer=True)) == (OpenEnd.OPENED, 8)
    assert which(listener.opens(beside=9, is_newer=True)) == (OpenEnd.NONE, None)
    assert which(listener.opens(beside=99)) == (OpenEnd.NONE, None)
    assert which(listener.opens("203")) == (OpenEnd.OPENED, 10)
    assert which(listener.opens("999")) == (OpenEnd.NONE, None)


def test_both_sides_are_heard_as_one_and_only_asterisks_group_may_read(listener: Listener) -> None:
    listener.archive()
    event = listener.opens(beside=8)
    file = listener.file(event)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 and stat.S_IMODE(file.parent.stat().st_mode) == 0o750
    assert file.stat().st_gid == file.parent.stat().st_gid == listener.site.folder.stat().st_gid
    with wave.open(str(file), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        samples = array("h", sound.readframes(sound.getnframes()))
    left, right = listener.site.heard(listener.site.file(7))
    assert samples == array("h", [a + b for a, b in zip(left, right, strict=True)])
    assert event.duration_s == len(samples) / RATE
    listener.tapes.perform(CommandId(90, 0), CloseRecording(path=event.path))
    listener.tapes.close()
    assert not listener.left()


@pytest.mark.parametrize("coding", [RecordingFormat.WAV, RecordingFormat.FLAC])
def test_what_is_sealed_is_opened_where_nobody_else_reads_and_nothing_of_it_stays(
    site: Site, tmp_path: Path, coding: RecordingFormat
) -> None:
    new_key(tmp_path / "key")
    site.edge = replace(site.edge, key=read_key(tmp_path / "key"), format=coding)
    listener = Listener(site)
    listener.archive()
    event = listener.opens()
    assert which(event) == (OpenEnd.OPENED, 9)
    assert listener.left() == [listener.file(event).name]
    listener.tapes.close()


def test_without_the_key_it_is_sealed_and_a_damaged_or_a_missing_one_is_told(site: Site, tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    site.edge = replace(site.edge, key=read_key(tmp_path / "key"))
    listener = Listener(site)
    listener.archive()
    site.shelf.path(site.file(8)).unlink()
    damaged = site.shelf.path(site.file(7))
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    assert which(listener.opens(beside=9)) == (OpenEnd.MISSING, 8)
    assert which(listener.opens(beside=8)) == (OpenEnd.MISSING, 7)
    assert not listener.left()
    listener.tapes.close()
    site.edge = replace(site.edge, key=None)
    listener.open_again()
    assert which(listener.opens()) == (OpenEnd.SEALED, 9)
    listener.tapes.close()
    assert sealing.HEADER_BYTES and not (site.folder / FOLDER).exists()


def test_one_that_was_deleted_is_told_as_such(listener: Listener) -> None:
    listener.archive()
    assert listener.site.shelf.remove(listener.site.file(9), "the customer objected", "ccserver")
    gone = listener.opens()
    assert which(gone) == (OpenEnd.DELETED, 9) and gone.agents == ("201", "202")
    assert which(listener.opens(beside=9)) == (OpenEnd.OPENED, 8)


def test_what_a_killed_daemon_left_is_removed_at_the_next_start(listener: Listener) -> None:
    listener.archive()
    listener.opens()
    (listener.site.folder / FOLDER / "ccserver-abc").mkdir()
    (listener.site.folder / FOLDER / "ccserver-abc" / "opened.flac").write_bytes(b"sound")
    again = Tapes(listener.site.store, listener.site.edge, listener.told.put)
    again.tidy()
    assert not (listener.site.folder / FOLDER).exists()
    again.close()


def test_a_database_that_fails_ends_the_wait(listener: Listener) -> None:
    listener.archive()
    with listener.site.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE archive_files RENAME TO elsewhere")
    assert which(listener.opens()) == (OpenEnd.FAILED, None)


def test_without_recordings_there_are_none(site: Site) -> None:
    told: Queue[RecordingOpened] = Queue()
    tapes = Tapes(site.store, None, told.put)
    tapes.tidy()
    tapes.perform(CommandId(1, 0), OpenRecording(agent=AgentId("201")))
    assert which(told.get(timeout=DEADLINE_S)) == (OpenEnd.NONE, None)
    tapes.perform(CommandId(1, 1), CloseRecording(path="/anything"))
    tapes.close()


@pytest.mark.parametrize("cut", [1, 3, 4, 6, 8, 40_000])
def test_both_sides_are_added_wherever_the_blocks_are_cut(cut: int) -> None:
    left, right = tone(5000, 440, 30000), tone(5000, 1000, 30000)
    both = array("h", [sample for pair in zip(left, right, strict=True) for sample in pair]).tobytes()
    blocks = [both[at : at + cut] for at in range(0, len(both), cut)]
    total = [max(-32768, min(32767, a + b)) for a, b in zip(left, right, strict=True)]
    assert array("h", b"".join(wav.mixed(blocks))) == array("h", total)
    halved = array("h", b"".join(wav.mixed(blocks, 2)))
    sums = [a + b for a, b in zip(left, right, strict=True)]
    assert halved == array("h", [max(-32768, min(32767, sum(sums[at : at + 2]) // 2)) for at in range(0, 5000, 2)])
    assert not b"".join(wav.mixed([silence(2).tobytes()[:3]]))

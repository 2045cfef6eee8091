"""Two mono files become one stereo file, whatever state they are in and whenever the process dies."""

import hashlib
import math
import signal
import struct
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest
from history_builders import a_recording
from sqlalchemy import select, text

from ccserver.core.ids import CommandId
from ccserver.store import recordings, schema
from ccserver.store.database import Store
from ccserver.store.recordings import FileStatus, MergedFile, RecordingMerger
from ccserver.store.writer import Writer

ASTERISK_DIR = "/var/spool/asterisk/cc"


def tone(frames: int, hertz: float) -> "array[int]":
    return array("h", (int(8000 * math.sin(2 * math.pi * hertz * index / 8000)) for index in range(frames)))


def write_mono(path: Path, samples: "array[int]", *, rate: int = 8000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def both_sides(path: Path) -> tuple["array[int]", "array[int]", int]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        samples = array("h", file.readframes(file.getnframes()))
        return samples[0::2], samples[1::2], file.getframerate()


@contextmanager
def a_merger(store: Store, folder: Path, **settings: object) -> Iterator[tuple[RecordingMerger, list[MergedFile]]]:
    done: list[MergedFile] = []
    merger = RecordingMerger(
        store,
        asterisk_dir=PurePath(ASTERISK_DIR),
        local_dir=folder,
        on_done=done.append,
        **{"settle_s": 0.0, **settings},
    )
    merger.start()
    yield merger, done
    merger.close(20)


def noted(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.execute(select(schema.recording_files.c.status)).scalars())


def in_history(store: Store, *numbers: int) -> None:
    writer = Writer(store.engine)
    writer.start()
    for number in numbers:
        writer.append("000001-a", CommandId(number, 0), a_recording(number))
    assert writer.close(20)


def test_caller_left_agent_right(store: Store, tmp_path: Path) -> None:
    caller, agent = tone(200_001, 440), tone(150_000, 1000)
    write_mono(tmp_path / "2026" / "7-0-caller.wav", caller)
    write_mono(tmp_path / "2026" / "7-0-agent.wav", agent)
    with a_merger(store, tmp_path, settle_s=60.0) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/2026/7-0")
        assert merger.drain(20)
    left, right, rate = both_sides(tmp_path / "2026" / "7-0.wav")
    assert left == caller
    assert right[:150_000] == agent
    assert not any(right[150_000:])
    assert (len(left), len(right), rate) == (200_001, 200_001, 8000)
    content = (tmp_path / "2026" / "7-0.wav").read_bytes()
    assert done == [
        MergedFile(
            path=f"{ASTERISK_DIR}/2026/7-0",
            status=FileStatus.MERGED,
            duration_s=200_001 / 8000,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    ]
    assert [path.name for path in (tmp_path / "2026").iterdir()] == ["7-0.wav"]
    assert noted(store) == ["merged"]


def test_it_waits_until_asterisk_has_closed_both(store: Store, tmp_path: Path) -> None:
    caller, agent = tone(8000, 440), tone(8000, 1000)
    write_mono(tmp_path / "7-0-caller.wav", caller)
    write_mono(tmp_path / "whole.wav", agent)
    whole = (tmp_path / "whole.wav").read_bytes()
    growing = tmp_path / "7-0-agent.wav"
    growing.write_bytes(whole[:40] + struct.pack("<I", 0) + whole[44:9000])  # Asterisk writes the length at the end
    with a_merger(store, tmp_path, settle_s=60.0) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/7-0")
        assert not merger.drain(0.6)
        growing.write_bytes(whole)
        assert merger.drain(20)
    assert both_sides(tmp_path / "7-0.wav")[1] == agent
    assert done[0].detail == ""


def test_a_file_that_was_never_closed_is_taken_as_it_is(store: Store, tmp_path: Path) -> None:
    caller, agent = tone(8000, 440), tone(8000, 1000)
    for side, samples in (("caller", caller), ("agent", agent)):
        path = tmp_path / f"7-0-{side}.wav"
        write_mono(path, samples)
        content = path.read_bytes()
        path.write_bytes(content[:40] + struct.pack("<I", 0) + content[44:-1])  # and half a sample at the end
    with a_merger(store, tmp_path) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/7-0")
        assert merger.drain(20)
    assert both_sides(tmp_path / "7-0.wav")[0] == caller[:7999]
    assert done[0].status is FileStatus.MERGED
    assert "7-0-agent.wav was never closed" in done[0].detail


def test_a_missing_side_is_silent_and_said(store: Store, tmp_path: Path) -> None:
    write_mono(tmp_path / "7-0-agent.wav", tone(800, 1000))
    with a_merger(store, tmp_path) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/7-0")
        merger.submit(f"{ASTERISK_DIR}/8-0")
        assert merger.drain(20)
    left, right, _ = both_sides(tmp_path / "7-0.wav")
    assert not any(left)
    assert right == tone(800, 1000)
    assert [(each.status, each.detail) for each in done] == [
        (FileStatus.ONE_SIDED, "7-0-caller.wav is missing"),
        (FileStatus.MISSING, "Asterisk wrote no file"),
    ]


@pytest.mark.parametrize(
    ("rate", "channels", "content"),
    [(8000, 2, None), (16000, 1, None), (8000, 1, b"<html>not found</html>")],
    ids=["stereo", "rates differ", "no wav"],
)
def test_what_asterisk_would_not_write_is_kept(
    store: Store, tmp_path: Path, rate: int, channels: int, content: bytes | None
) -> None:
    write_mono(tmp_path / "7-0-caller.wav", tone(800, 440))
    write_mono(tmp_path / "7-0-agent.wav", tone(800, 440), rate=rate, channels=channels)
    if content is not None:
        (tmp_path / "7-0-agent.wav").write_bytes(content)
    with a_merger(store, tmp_path) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/7-0")
        assert merger.drain(20)
    assert done[0].status is FileStatus.UNREADABLE
    assert (tmp_path / "7-0-agent.wav").exists()
    assert (tmp_path / "7-0-caller.wav").exists()
    assert not (tmp_path / "7-0.wav").exists()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", f"{ASTERISK_DIR}/../../x", "7-0", ASTERISK_DIR, "/var/spool/asterisk/cc-other/7"]
)
def test_a_path_outside_the_folder_is_refused(store: Store, tmp_path: Path, path: str) -> None:
    with a_merger(store, tmp_path) as (merger, done):
        merger.submit(path)
        assert merger.drain(20)
    assert done[0].status is FileStatus.UNREADABLE
    assert "is not in" in done[0].detail


def test_what_an_earlier_process_left_is_found(store: Store, tmp_path: Path) -> None:
    in_history(store, 7, 8)
    for number in (7, 8):
        for side in ("caller", "agent"):
            write_mono(tmp_path / f"{number}-0-{side}.wav", tone(80 * number, 440))
    with a_merger(store, tmp_path) as (_, done):
        deadline = time.monotonic() + 20
        while len(done) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert [each.path for each in done] == [f"{ASTERISK_DIR}/7-0", f"{ASTERISK_DIR}/8-0"]
    assert recordings.unmerged(store) == []


def test_told_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    write_mono(tmp_path / "7-0-agent.wav", tone(800, 1000))
    with a_merger(store, tmp_path) as (merger, done):
        for _ in range(2):
            merger.submit(f"{ASTERISK_DIR}/7-0")
            assert merger.drain(20)
    assert done[0] == done[1]
    assert done[1].status is FileStatus.ONE_SIDED


def test_a_busy_database_loses_no_recording(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "RETRY_S", 0.05)
    for side in ("caller", "agent"):
        write_mono(tmp_path / f"7-0-{side}.wav", tone(800, 440))
    with store.engine.begin() as connection:
        connection.execute(text("alter table recording_files rename to hidden"))
    with a_merger(store, tmp_path) as (merger, done):
        merger.submit(f"{ASTERISK_DIR}/7-0")
        assert not merger.drain(0.5)
        assert merger.errors > 0
        assert (tmp_path / "7-0-caller.wav").exists()
        with store.engine.begin() as connection:
            connection.execute(text("alter table hidden rename to recording_files"))
        assert merger.drain(20)
    assert [each.status for each in done] == [FileStatus.MERGED]


KILLED = """
import os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
import test_recordings, ccserver.store.recordings as recordings, ccserver.store.stereo as stereo
from ccserver.store.database import Store
count, fatal = 0, int(sys.argv[2])
def dying(original):
    def call(*arguments, **named):
        global count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), 9)
        return original(*arguments, **named)
    return call
os.fsync = dying(os.fsync)
Path.replace = dying(Path.replace)
Path.unlink = dying(Path.unlink)
recordings.RecordingMerger._note = dying(recordings.RecordingMerger._note)
stereo._Samples.read = dying(stereo._Samples.read)
store = Store("sqlite:///" + sys.argv[1] + "/history.db")
with test_recordings.a_merger(store, Path(sys.argv[1])) as (merger, done):
    merger.submit(test_recordings.ASTERISK_DIR + "/7-0")
    assert merger.drain(20)
"""


def test_killed_at_any_step(store: Store, tmp_path: Path) -> None:
    """The process dies at its first, second, … step on the disk; the next one always ends with the same file."""
    caller, agent = tone(1000, 440), tone(900, 1000)
    in_history(store, 7)
    for fatal in range(1, 50):
        for old in tmp_path.glob("*.wav"):
            old.unlink()
        with store.engine.begin() as connection:
            connection.execute(schema.recording_files.delete())
        write_mono(tmp_path / "7-0-caller.wav", caller)
        write_mono(tmp_path / "7-0-agent.wav", agent)
        code = KILLED.format(here=str(Path(__file__).parent))
        status = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(fatal)], check=False, timeout=60).returncode
        assert status in (0, -signal.SIGKILL)
        with a_merger(store, tmp_path) as (merger, _):
            if fatal % 2:  # the journal's replay tells of it again, or only the database does
                merger.submit(f"{ASTERISK_DIR}/7-0")
            deadline = time.monotonic() + 20
            while [path.name for path in tmp_path.glob("*.wav")] != ["7-0.wav"] or not noted(store):
                assert time.monotonic() < deadline, sorted(tmp_path.iterdir())
                time.sleep(0.005)
            assert merger.drain(20)
        left, right, _ = both_sides(tmp_path / "7-0.wav")
        assert left == caller, fatal
        assert right[:900] == agent, fatal
        assert noted(store) == ["merged"]
        assert not list(tmp_path.glob("*.new"))
        if status == 0:
            break
    assert fatal >= 8

"""What becomes of recordings when an interaction is over, whatever state they are in."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archive_site import ASTERISK_DIR, DEADLINE_S, RATE, Site, silence, tone, write_mono
from sqlalchemy import text

from ccserver.config.edges import RecordingFormat
from ccserver.config.key_files import key_of
from ccserver.core.ids import InteractionId
from ccserver.core.records import RecordingKind, SegmentKind, SegmentRecord
from ccserver.daemon import archivist as archivist_module
from ccserver.store import archive
from ccserver.store.archive import FileState

SEVEN = InteractionId(7)


def test_customer_left_agent_right_in_a_file_of_the_day(site: Site) -> None:
    caller, agent = tone(200_001, 440), tone(150_000, 1000)
    site.stretch(7, caller, agent)
    site.over(7)
    done = site.archive(7, settle_s=60.0)
    file = site.file()
    left, right = site.heard(file)
    assert left == caller
    assert right[:150_000] == agent and not any(right[150_000:])
    assert (file.path, file.state, file.frames, file.key_id) == (f"{site.day}/7.wav", FileState.DONE, 200_001, "")
    assert site.names() == [f"{site.day}/7.json", f"{site.day}/7.wav"], "the originals are gone"
    assert [each.file for each in done] == [file]
    assert site.statuses() == ["archived"]
    assert site.shelf.verify(file) == ""


def test_it_is_left_alone_until_the_interaction_is_over(site: Site) -> None:
    site.stretch(7, tone(800, 440), tone(800, 1000))
    with site.archivist() as (archivist, done):
        archivist.submit(SEVEN)
        assert not archivist.drain(0.6)
        assert not site.files() and not done
        site.over(7)
        assert archivist.drain(DEADLINE_S)
    assert site.file().state is FileState.DONE


def test_it_waits_until_asterisk_has_closed_both(site: Site) -> None:
    caller, agent = tone(8000, 440), tone(8000, 1000)
    path = site.stretch(7, caller, agent)
    growing = path.with_name(f"{path.name}-agent.wav")
    whole = growing.read_bytes()
    growing.write_bytes(whole[:40] + struct.pack("<I", 0) + whole[44:9000])  # Asterisk writes the length at the end
    site.over(7)
    with site.archivist(settle_s=60.0) as (archivist, _):
        archivist.submit(SEVEN)
        assert not archivist.drain(0.6)
        growing.write_bytes(whole)
        assert archivist.drain(DEADLINE_S)
    assert site.heard(site.file())[1] == agent
    assert site.file().detail == ""


def test_a_file_that_was_never_closed_is_taken_as_it_is(site: Site) -> None:
    caller = tone(8000, 440)
    path = site.stretch(7, caller, tone(8000, 1000))
    for side in ("caller", "agent"):
        file = path.with_name(f"{path.name}-{side}.wav")
        content = file.read_bytes()
        file.write_bytes(content[:40] + struct.pack("<I", 0) + content[44:-1])  # and half a sample at the end
    site.over(7)
    site.archive(7)
    assert site.heard(site.file())[0] == caller[:7999]
    assert "7-0-agent.wav was never closed" in site.file().detail
    assert site.statuses() == ["archived"]


def test_a_missing_side_is_silent_and_said(site: Site) -> None:
    site.stretch(7, None, tone(800, 1000))
    site.stretch(8, None, None)
    site.over(7)
    site.over(8)
    done = site.archive(7, 8)
    left, right = site.heard(site.file())
    assert not any(left) and right == tone(800, 1000)
    assert site.file().detail == "7-0-caller.wav is missing"
    assert site.statuses() == ["one_sided", "missing"]
    assert not site.files(8)
    assert [each.detail for one in done for each in one.noted] == ["Asterisk wrote no file"]
    assert (site.file().silence_left, site.file().silence_right) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("rate", "channels", "content"),
    [(RATE, 2, None), (16000, 1, None), (RATE, 1, b"<html>not found</html>")],
    ids=["stereo", "rates differ", "no wav"],
)
def test_what_asterisk_would_not_write_is_kept_and_the_rest_goes_on(
    site: Site, rate: int, channels: int, content: bytes | None
) -> None:
    path = site.stretch(7, tone(800, 440), tone(800, 440))
    site.stretch(7, tone(800, 440), tone(800, 1000), at_s=10)
    odd = path.with_name(f"{path.name}-agent.wav")
    write_mono(odd, tone(800, 440), rate=rate, channels=channels)
    if content is not None:
        odd.write_bytes(content)
    site.over(7)
    site.archive(7)
    assert site.statuses() == ["unreadable", "archived"]
    assert odd.exists() and path.with_name(f"{path.name}-caller.wav").exists()
    assert site.file().stretches == (f"{ASTERISK_DIR}/2026/7-1",)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", f"{ASTERISK_DIR}/../../x", "7-0", str(ASTERISK_DIR), f"{ASTERISK_DIR}-other/7"]
)
def test_a_path_outside_the_folder_is_refused(site: Site, path: str) -> None:
    site.stretch(7, tone(800, 440), tone(800, 440), path=path)
    site.over(7)
    (done,) = site.archive(7)
    assert site.statuses() == ["unreadable"]
    assert "is not in" in done.noted[0].detail


def test_what_an_earlier_process_left_is_found(site: Site) -> None:
    for number in (7, 8):
        site.stretch(number, tone(800, 440), tone(800, 1000))
        site.over(number)
    site.archive()
    assert [site.file(number).state for number in (7, 8)] == [FileState.DONE] * 2
    assert archive.unfinished(site.store) == []


def test_a_stretch_that_history_hears_of_later_has_a_file_of_its_own(site: Site) -> None:
    site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    site.archive(7)
    site.stretch(7, tone(900, 440), tone(900, 1000), at_s=3)
    site.archive(7)
    assert [(file.part, file.frames, Path(file.path).name) for file in site.files()] == [(0, 800, "7.wav"), (1, 900, "7-2.wav")]


def test_told_twice_changes_nothing(site: Site) -> None:
    site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    site.archive(7)
    before = site.file()
    assert site.archive(7) == []
    assert site.file() == before


def test_a_consultation_is_a_file_of_its_own(site: Site) -> None:
    site.stretch(7, tone(800, 440), tone(800, 1000))
    site.stretch(7, tone(800, 600), tone(800, 1000), at_s=1, kind=RecordingKind.CONSULT)
    site.over(7)
    site.archive(7)
    talk, consult = site.files()
    assert (Path(talk.path).name, Path(consult.path).name) == ("7.wav", "7-consult.wav")
    assert site.heard(talk)[0] == tone(800, 440), "no colleague is in the customer's file"
    assert site.heard(consult)[0] == tone(800, 600)


def test_marks_tell_what_happened_when(site: Site) -> None:
    site.stretch(7, tone(8000, 440), tone(8000, 1000), pauses=((0.25, 0.5),))
    site.stretch(7, tone(8000, 440), tone(8000, 700), at_s=5, by="202")
    begin = {"interaction": SEVEN, "started_utc_s": site.began_utc_s}
    site.tell(
        SegmentRecord(**begin | {"started_utc_s": site.began_utc_s - 9}, number=0, kind=SegmentKind.WAIT, duration_s=9.0),
        SegmentRecord(**begin | {"started_utc_s": site.began_utc_s + 1}, number=1, kind=SegmentKind.HOLD, duration_s=4.0),
    )
    site.over(7)
    site.archive(7)
    marks = [(m["what"], m["starts_s"], m["duration_s"], m["agent"]) for m in site.told(site.file())["marks"]]
    assert marks == [
        ("stretch", 0.0, 1.0, "201"),
        ("pause", 0.25, 0.25, "201"),
        ("hold", 1.0, 4.0, ""),
        ("stretch", 5.0, 1.0, "202"),
    ]
    assert "+4930" not in str(site.told(site.file())), "no number of a customer lies beside the file"


# --- on demand, and objections ------------------------------------------------------------------------------------------
def test_what_was_begun_in_case_of_it_is_deleted_with_evidence_unless_it_was_asked_for(site: Site) -> None:
    for number in (7, 8):
        site.stretch(number, tone(8000, 440), tone(8000, 1000), is_provisional=True)
        site.over(number)
    site.marked(7)
    site.marked(8, "malicious")
    site.archive(7, 8)
    assert site.file().state is FileState.DONE
    assert not site.files(8)
    with site.store.engine.connect() as connection:
        (gone,) = archive.deletions_of(connection, InteractionId(8))
    assert (gone.duration_s, gone.why, len(gone.sha256)) == (1.0, "nobody asked for it to be kept", 64)
    assert not [name for name in site.names() if "8-" in name]


@pytest.mark.parametrize("when", ["in the call", "after it"])
def test_an_objection_deletes_all_that_was_recorded_and_leaves_evidence(site: Site, when: str) -> None:
    path = site.stretch(7, tone(8000, 440), tone(16000, 1000))
    if when == "after it":
        site.over(7)
        site.archive(7)
    site.objected(7)
    site.archive(7)
    assert not path.with_name(f"{path.name}-caller.wav").exists()
    assert not [name for name in site.names() if not name.startswith(".")], site.names()
    assert site.statuses() == ["deleted"]
    with site.store.engine.connect() as connection:
        (gone,) = archive.deletions_of(connection, SEVEN)
    assert (gone.duration_s, gone.by, gone.why) == (2.0, "ccserver", "the customer objected")
    assert len(gone.sha256) == 64 and gone.bytes > 0


def test_what_is_recorded_after_an_objection_is_deleted_too(site: Site) -> None:
    site.objected(7)
    site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    site.archive(7)
    assert site.names() == [] and site.statuses() == ["deleted"]


# --- keeping it small and closed ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("coding", [RecordingFormat.FLAC, RecordingFormat.OPUS])
def test_it_is_encoded_and_sealed(site: Site, coding: RecordingFormat) -> None:
    site.edge = replace(site.edge, format=coding, key=key_of(b"k" * 32))
    caller, agent = tone(24_000, 440), tone(16_000, 1000)
    site.stretch(7, caller, agent)
    site.over(7)
    site.archive(7)
    file = site.file()
    assert file.path.endswith(f"/7.{coding.value}.enc") and file.key_id == key_of(b"k" * 32).id
    assert site.shelf.verify(file) == ""
    content = site.shelf.path(file).read_bytes()
    assert b"OggS" not in content and b"fLaC" not in content
    left, right = site.heard(file)
    assert len(left) == 24_000
    if coding is RecordingFormat.FLAC:
        assert left == caller and right == agent + silence(8_000)
    else:
        assert loudness(left[4000:8000]) == pytest.approx(loudness(caller[4000:8000]), rel=0.1)
        assert loudness(right[18_000:]) < 0.02 * loudness(caller), "no side is heard on the other one"
    assert site.file().bytes == len(content)


def loudness(samples: "array[int]") -> float:
    return sum(abs(sample) for sample in samples) / len(samples)


@pytest.fixture
def encoders_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The only folder in which programs are found, beside those that every system has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nice").symlink_to("/usr/bin/nice")
    (folder / "sh").symlink_to("/bin/sh")
    (folder / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(folder))
    yield folder


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_an_encoder_auto_is_wav(site: Site, encoders_at: Path) -> None:
    site.edge = replace(site.edge, format=RecordingFormat.AUTO)
    site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    site.archive(7)
    assert site.file().coding == "wav"


@pytest.mark.parametrize(
    ("says", "does"),
    [
        ("no encoder for flac is installed: install flac or ffmpeg", None),
        ("flac ended with 3: no licence", "echo no licence >&2; exit 3"),
        ("flac wrote other samples than it was given", 'case "$*" in *--decode*) cat /dev/null;; *) : > "$5";; esac'),
    ],
    ids=["missing", "fails", "writes nothing"],
)
def test_with_an_encoder_that_does_not_do_it_the_originals_are_kept_and_it_goes_on_when_it_does(
    site: Site, encoders_at: Path, monkeypatch: pytest.MonkeyPatch, says: str, does: str | None
) -> None:
    monkeypatch.setattr(archivist_module, "RETRY_FIRST_S", 0.05)
    site.edge = replace(site.edge, format=RecordingFormat.FLAC)
    path = site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    if does is not None:
        program(encoders_at / "flac", does)
    errors: list[str] = []
    with site.archivist(on_error=lambda _, error: errors.append(str(error))) as (archivist, _):
        archivist.submit(SEVEN)
        assert not archivist.drain(0.5)
        assert says in errors[0]
        assert path.with_name(f"{path.name}-caller.wav").exists() and path.with_name(f"{path.name}-agent.wav").exists()
        assert site.file().state is FileState.RENDERED
        assert archivist.counts.failures == len(errors) > 0
        (encoders_at / "flac").unlink(missing_ok=True)
        (encoders_at / "flac").symlink_to("/usr/bin/flac")
    site.archive()
    assert site.file().state is FileState.DONE
    assert site.heard(site.file())[0] == tone(800, 440)


def test_a_busy_database_loses_no_recording(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archivist_module, "RETRY_FIRST_S", 0.05)
    path = site.stretch(7, tone(800, 440), tone(800, 1000))
    site.over(7)
    with site.store.engine.begin() as connection:
        connection.execute(text("alter table recording_files rename to hidden"))
    with site.archivist() as (archivist, _):
        archivist.submit(SEVEN)
        assert not archivist.drain(0.5)
        assert archivist.counts.failures > 0
        assert path.with_name(f"{path.name}-caller.wav").exists()
        with site.store.engine.begin() as connection:
            connection.execute(text("alter table hidden rename to recording_files"))
        assert archivist.drain(DEADLINE_S)
    assert site.file().state is FileState.DONE


def test_the_share_of_silence_leaves_out_gaps_and_pauses(site: Site) -> None:
    caller = tone(8000, 440) + silence(8000)
    agent = silence(4000) + tone(12_000, 1000)
    site.stretch(7, caller, agent, pauses=((1.5, 2.0),))
    site.stretch(7, tone(8000, 440), silence(8000), at_s=60)
    site.over(7)
    site.archive(7)
    file = site.file()
    # recorded and not paused: 1.5 s + 1 s; the customer is silent for 0.5 s of them, the agents for 0.5 + 1 s
    assert file.silence_left == pytest.approx(0.5 / 2.5, abs=0.01)
    assert file.silence_right == pytest.approx(1.5 / 2.5, abs=0.01)
    assert file.duration_s == 61.0

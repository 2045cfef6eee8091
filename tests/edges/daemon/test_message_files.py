"""How long a message became that Asterisk recorded without us: by its file, however that was closed."""

import os
import wave
from array import array
from pathlib import Path

import pytest

from ccserver.archive.sound import Unreadable
from ccserver.daemon.message_files import NOTHING, measure_message

RATE = 8000


def a_file(folder: Path, *parts: tuple[float, int]) -> Path:
    """Of parts: seconds, and how loud."""
    path = folder / "message-1.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for seconds, loud in parts:
            file.writeframes(array("h", [loud, -loud] * int(seconds * RATE / 2)).tobytes())
    return path


def test_its_length_and_its_end_are_those_of_the_file(tmp_path: Path) -> None:
    path = a_file(tmp_path, (3.0, 4000))
    os.utime(path, (1_800_000_000.0, 1_800_000_000.0))
    found = measure_message(path)
    assert (found.duration_s, found.ended_utc_s) == (3.0, 1_800_000_000.0)
    assert measure_message(path) == found and path.exists()


def test_one_that_was_never_closed_is_as_long_as_what_is_there(tmp_path: Path) -> None:
    path = a_file(tmp_path, (2.0, 4000))
    head = bytearray(path.read_bytes())
    head[4:8] = head[40:44] = bytes(4)
    path.write_bytes(head)
    assert measure_message(path).duration_s == 2.0


@pytest.mark.parametrize("parts", [[(0.3, 4000)], [(1.0, 0)], [(1.0, 100)], []])
def test_where_nothing_was_said_the_file_goes(tmp_path: Path, parts: list[tuple[float, int]]) -> None:
    path = a_file(tmp_path, *parts)
    assert measure_message(path) == NOTHING and not path.exists()
    assert measure_message(path) == NOTHING, "asked again"


@pytest.mark.parametrize("parts", [[(1.0, 4000)], [(0.9, 0), (0.1, 4000)], [(3.0, 0)]])
def test_what_may_be_a_message_is_kept(tmp_path: Path, parts: list[tuple[float, int]]) -> None:
    """A long silence, too: a caller who hung up may have spoken very low."""
    path = a_file(tmp_path, *parts)
    assert measure_message(path).duration_s >= 0.9 and path.exists()


def test_what_is_no_sound_is_told_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "message-1.wav"
    path.write_bytes(b"RIFX" + bytes(100))
    with pytest.raises(Unreadable):
        measure_message(path)
    assert path.exists()

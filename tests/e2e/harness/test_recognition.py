"""What the matcher finds in a recording: each prompt once, in its order, and how much of one that was cut short."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ccserver.lab import audio
from harness import recognition
from harness.recognition import Samples, in_samples, names, silences_ms, speech

TEXTS = {
    "welcome": "Welcome to the contact center of Example Limited.",
    "sales": "For sales, press one. For support, press two.",
    "sales_only": "For sales, press one. For repairs, press nine.",
    "sorry": "That is not one of the choices.",
    "goodbye": "Goodbye.",
}
_A = 87.6


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Samples]:
    folder = tmp_path_factory.mktemp("spoken")
    spoken = {}
    for name, text in TEXTS.items():
        raw = folder / f"{name}-raw.wav"
        subprocess.run(["espeak-ng", "-v", "en-us", "-w", str(raw), text], check=True)
        rate, (wide,) = audio.read(raw)
        smooth = np.convolve(np.array(wide, dtype=float), np.hanning(7) / np.hanning(7).sum(), mode="same")
        narrow = np.interp(np.arange(0, len(smooth), rate / 8000), np.arange(len(smooth)), smooth)
        spoken[name] = speech(audio.write(folder / f"{name}.wav", narrow.astype("<i2").tobytes()))
    return spoken


def pause(ms: int) -> Samples:
    return np.zeros(ms * 8)


def by_phone(pieces: Sequence[Samples], gain: float = 0.9) -> Samples:
    """What a phone hears of it: a-law, and half a sample off."""
    whole = np.concatenate(pieces)
    moved = gain * (whole + np.concatenate((whole[1:], [0.0]))) / 2
    x = np.abs(moved) / 32768
    squeezed = np.where(x < 1 / _A, _A * x, 1 + np.log(np.maximum(_A * x, 1e-9))) / (1 + np.log(_A))
    rounded = np.round(squeezed * 127) / 127
    level = np.where(
        rounded < 1 / (1 + np.log(_A)), rounded * (1 + np.log(_A)) / _A, np.exp(rounded * (1 + np.log(_A)) - 1) / _A
    )
    samples: Samples = np.sign(moved) * level * 32768
    return samples


def test_a_walk_is_read_in_its_order_at_its_times(prompts: dict[str, Samples]) -> None:
    said = ["welcome", "sales", "sorry", "sales", "goodbye"]
    pieces = [piece for name in said for piece in (prompts[name], pause(400))]
    found = in_samples(by_phone([pause(1000), *pieces]), prompts)
    assert names(found) == said
    at = 1000
    for one, name in zip(found, said, strict=True):
        assert abs(one.start_ms - at) < 30 and abs(one.end_ms - at - len(prompts[name]) / 8) < 60, (one, at)
        at += len(prompts[name]) // 8 + 400


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8])
def test_one_that_was_cut_short_is_known_by_its_beginning(prompts: dict[str, Samples], part: float) -> None:
    cut = int(len(prompts["welcome"]) * part)
    found = in_samples(by_phone([prompts["welcome"][:cut], pause(100), prompts["goodbye"]]), prompts)
    assert names(found) == ["welcome…", "goodbye"]
    assert part - 0.15 < found[0].part <= part + 0.02


def test_of_two_that_begin_alike_the_one_that_was_said(prompts: dict[str, Samples]) -> None:
    found = in_samples(by_phone([prompts["sales_only"], pause(300), prompts["sales"]]), prompts)
    assert names(found) == ["sales_only", "sales"]


def test_a_lost_packet_a_late_one_and_a_late_ear_do_not_hide_a_prompt(prompts: dict[str, Samples]) -> None:
    sales = prompts["sales"].copy()
    sales[8000:8160] = 0
    late = np.concatenate((prompts["welcome"][:12000], pause(40), prompts["welcome"][12000:]))
    found = in_samples(by_phone([prompts["sorry"][2000:], pause(300), sales, pause(300), late]), prompts)
    assert names(found) == ["sorry", "sales", "welcome"]


def test_what_was_not_said_is_not_found(prompts: dict[str, Samples]) -> None:
    others = {name: prompts[name] for name in ("sorry", "goodbye")}
    assert in_samples(by_phone([prompts["welcome"], pause(300), prompts["sales"]]), others) == []
    chance = np.random.default_rng(7)
    assert in_samples(chance.normal(0, 3000, 80000), prompts) == []
    assert in_samples(pause(3000), prompts) == []


def test_silences_are_told_longest_first(tmp_path: Path) -> None:
    tone = 8000 * np.sin(2 * np.pi * 700 / 8000 * np.arange(8000))
    whole = np.concatenate((pause(500), tone, pause(2000), tone, pause(300)))
    ear = audio.write(tmp_path / "ear.wav", whole.astype("<i2").tobytes())
    assert silences_ms(ear) == [(1500, 2000), (0, 500), (4500, 300)]
    assert silences_ms(ear, from_ms=600, to_ms=4300) == [(1500, 2000)]
    assert recognition.heard(ear, {}) == []

"""Tones found in files: by closed forms, and in a file that grows while it is read."""

import math
from pathlib import Path

import pytest

from ccserver.lab import audio


def sine(hz: float, count: int, amplitude: float = 8000.0, rate: int = 8000) -> list[int]:
    return [round(amplitude * math.sin(2 * math.pi * hz * at / rate)) for at in range(count)]


def test_the_power_of_a_tone_is_half_the_square_of_its_amplitude_and_that_of_others_is_none() -> None:
    samples = sine(700, 800)
    assert audio.power(samples, 8000, 700) == pytest.approx(8000.0**2 / 2, rel=1e-3)
    assert audio.power(samples, 8000, 900) < 1.0


def test_tones_one_after_the_other_and_together_and_silence() -> None:
    together = [one + other for one, other in zip(sine(700, 800), sine(1100, 800), strict=True)]
    spans = audio.heard_in([*sine(700, 1600), *[0] * 800, *together, *sine(1100, 800, amplitude=100)], 8000, [700, 1100])
    assert [(s.start_ms, s.end_ms) for s in spans[700]] == [(0, 200), (300, 400)]
    assert [(s.start_ms, s.end_ms) for s in spans[1100]] == [(300, 400)], "what is near silence is no tone"


def test_a_file_that_grows_is_heard_as_a_whole_one(tmp_path: Path) -> None:
    samples = [*sine(700, 4000), *sine(1100, 4000)]
    frames = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    for length in (1, 1599, 1601, 8000, len(frames)):
        growing, whole = audio.write(tmp_path / "growing.wav", frames[: length - length % 2]), samples[: length // 2]
        assert audio.heard(growing, [700, 1100]) == audio.heard_in(whole, 8000, [700, 1100])
    assert [span.end_ms for span in audio.loud(tmp_path / "growing.wav")] == [1000]

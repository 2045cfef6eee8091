"""The text telephone of the lab understands itself, and says so when it does not."""

from pathlib import Path

import numpy as np
import pytest

from ccserver.lab import audio
from harness import tty

TEXT = "HELLO, MY ORDER 4711-B IS LATE. CAN YOU CALL 0911 222 333? GA"


@pytest.mark.parametrize("bit_ms", [tty.US_BIT_MS, tty.WORLD_BIT_MS])
def test_what_one_sends_the_other_prints(tmp_path: Path, bit_ms: float) -> None:
    sent = tty.write(tmp_path / "sent.wav", TEXT, bit_ms)
    received = tty.heard(sent, bit_ms)
    assert (received.text, received.broken) == (TEXT, 0)


def test_it_does_not_take_silence_noise_or_another_tone_for_text(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    assert tty.listen(np.zeros(16000)).text == ""
    assert len(tty.listen(chance.normal(0, 1000, 16000)).text) <= 3
    assert tty.heard(audio.write_tone(tmp_path / "tone.wav", 620, 2000)).text == ""


def test_a_gap_in_the_line_costs_a_shift_and_all_until_the_next_one(tmp_path: Path) -> None:
    rate, (samples,) = audio.read(tty.write(tmp_path / "sent.wav", TEXT))
    damaged = np.array(samples, dtype=float)
    damaged[rate * 4 : rate * 4 + 320] = 0  # 40 ms: two packets
    received = tty.listen(damaged)
    assert received.text == "HELLO, MY ORDER 4711,? 8\a )-53. CAN YOU CALL 0911 222 333? GA"


def test_what_a_tty_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="has no 'Ñ'"):
        tty.coded("mañana")


def test_errors_are_the_least_number_of_mends() -> None:
    assert tty.errors("ORDER", "ORDER") == 0
    assert tty.errors("ORDER", "ODER") == 1
    assert tty.errors("ORDER", "ORXDEX") == 2

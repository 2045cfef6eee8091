"""Texts become files that Asterisk can play; here by a voice made for the test, and once by espeak-ng itself."""

import dataclasses
import math
import os
import shutil
import sys
import wave
from array import array
from pathlib import Path

import pytest

from ccserver.config import load
from ccserver.config.edges import EdgeSettings, NumbersBy, PromptSource
from ccserver.core.ids import Language, PromptId
from ccserver.speech.engines import EngineMissing, Espeak
from ccserver.speech.library import NoRecording, NoSuchPrompt, Source, keep, listed, remove, render_prompts
from ccserver.speech.sound import read_wav, to_telephone, write_wav

CENTER = Path(__file__).resolve().parents[2] / "unit" / "config" / "center.yaml"
EN, ES = Language("en"), Language("es")

VOICE = """#!{python}
import sys, wave
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
text = sys.stdin.read()
open({log!r}, "a").write(given["-v"] + ":" + text + chr(10))
if "fail" in text:
    sys.exit("no such voice")
with wave.open(given["-w"], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(22050)
    file.writeframes(bytes([len(text) % 256, 1]) * 22050)
"""


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A program in espeak-ng's place; what it was asked to say is in `said`."""
    program = tmp_path / "voice"
    program.write_text(VOICE.format(python=sys.executable, log=str(tmp_path / "said")))
    program.chmod(0o755)
    return program


def edges(tmp_path: Path, **prompts: dict[Language, PromptSource]) -> EdgeSettings:
    for name in ("ami.secret", "agi.secret"):
        (tmp_path / name).write_text("a-good-secret")
    (tmp_path / "c.yaml").write_text(CENTER.read_text())
    # Digits and letters have their own test.
    return dataclasses.replace(
        load(tmp_path / "c.yaml").edges,
        prompts={PromptId(name.replace("_", "-")): each for name, each in prompts.items()},
        numbers=dict.fromkeys((EN, ES), NumbersBy.ASTERISK),
    )


def said(tmp_path: Path) -> list[str]:
    return (tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else []


def test_each_text_is_spoken_once_in_its_voice_at_8_khz(tmp_path: Path, voice: Path) -> None:
    site = edges(tmp_path, welcome={EN: PromptSource(text="-Hello"), ES: PromptSource(text="Hola", voice="es-mx")})

    first = render_prompts(site, engine=Espeak(program=str(voice)))
    again = render_prompts(site, engine=Espeak(program=str(voice)))

    assert (first.made, first.kept, first.by_hand, first.faults) == (2, 0, 0, ())
    assert (again.made, again.kept, again.by_hand, again.faults) == (0, 2, 0, ())
    assert said(tmp_path) == ["en:-Hello", "es-mx:Hola"]
    for language in ("en", "es"):
        with wave.open(str(tmp_path / "prompts" / language / "welcome.wav"), "rb") as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (8000, 1, 2, 8000)


def test_a_changed_text_replaces_the_file_and_the_old_one_goes(tmp_path: Path, voice: Path) -> None:
    link = tmp_path / "prompts/en/welcome.wav"
    render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Hello")}), engine=Espeak(program=str(voice)))
    before = link.read_bytes()

    made = render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Good morning")}), engine=Espeak(program=str(voice)))

    assert made.made == 1
    assert link.read_bytes() != before
    assert not Path(os.readlink(link)).is_absolute()
    assert len(list((tmp_path / "prompts/.spoken").glob("*.wav"))) == 1


def test_a_recorded_file_wins_and_needs_no_voice(tmp_path: Path) -> None:
    write_wav(tmp_path / "mine.wav", array("h", [5] * 800))
    site = edges(tmp_path, welcome={EN: PromptSource(text="Hello", file=tmp_path / "mine.wav")})
    assert render_prompts(site, engine=Espeak(program="/no/such/program")).faults == ()
    assert (tmp_path / "prompts/en/welcome.wav").read_bytes() == (tmp_path / "mine.wav").read_bytes()


def test_a_file_that_a_person_put_there_stays(tmp_path: Path, voice: Path) -> None:
    site = edges(tmp_path, welcome={EN: PromptSource(text="Hello")})
    render_prompts(site, engine=Espeak(program=str(voice)))
    link = tmp_path / "prompts/en/welcome.wav"
    link.unlink()
    link.write_bytes(b"recorded by Ana")
    again = render_prompts(site, engine=Espeak(program=str(voice)))
    assert (again.made, again.kept, again.by_hand, again.faults) == (0, 0, 1, ())
    assert link.read_bytes() == b"recorded by Ana"


def test_one_prompt_that_fails_does_not_stop_the_others(tmp_path: Path, voice: Path) -> None:
    site = edges(tmp_path, bad={EN: PromptSource(text="fail")}, good={EN: PromptSource(text="Hello")})
    told: list[tuple[int, int]] = []
    done = render_prompts(site, engine=Espeak(program=str(voice)), progress=lambda at, of: told.append((at, of)))
    assert done.made == 1
    assert done.faults == ("prompt bad in en: espeak-ng could not speak with the voice en: no such voice",)
    assert told == [(1, 2), (2, 2)]
    assert (tmp_path / "prompts/en/good.wav").exists()
    assert not list((tmp_path / "prompts/.spoken").glob(".making-*"))


def test_without_espeak_the_mend_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="apt-get install espeak-ng"):
        render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Hello")}), engine=Espeak(program="/no/such/program"))


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path, voice: Path) -> None:
    left = tmp_path / "prompts/.spoken/.making-abc"
    left.mkdir(parents=True)
    (left / "raw.wav").write_bytes(b"half")
    render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Hello")}), engine=Espeak(program=str(voice)))
    assert not left.exists()


@pytest.mark.parametrize(("hz", "is_heard"), [(300, True), (1000, True), (3000, True), (4500, False), (7000, False)])
@pytest.mark.parametrize("rate_hz", [22050, 16000, 44100])
def test_speech_passes_the_filter_and_what_would_fold_back_does_not(hz: int, is_heard: bool, rate_hz: int) -> None:
    tone = array("h", [round(10_000 * math.sin(2 * math.pi * hz * index / rate_hz)) for index in range(rate_hz // 2)])
    out = to_telephone(tone, rate_hz)
    assert len(out) == 4000
    level = math.sqrt(sum(each * each for each in out) / len(out)) / (10_000 / math.sqrt(2))
    assert level > 0.9 if is_heard else level < 0.05


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="not a WAV file"):
        read_wav(tmp_path / "no.wav")
    with wave.open(str(tmp_path / "odd.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(10)
        file.writeframes(b"\0" * 400)
    with pytest.raises(ValueError, match="4 to 192 kHz"):
        read_wav(tmp_path / "odd.wav")


def test_espeak_itself_speaks_every_prompt_of_a_language(tmp_path: Path) -> None:
    assert shutil.which("espeak-ng"), "install it with: apt-get install espeak-ng"
    site = edges(tmp_path)
    all_prompts = load(tmp_path / "c.yaml").edges.prompts
    site = dataclasses.replace(site, prompts={name: {ES: each[ES]} for name, each in all_prompts.items()})
    done = render_prompts(site)
    assert (done.made, done.faults) == (len(all_prompts), ())
    for name in all_prompts:
        samples, rate_hz = read_wav(tmp_path / "prompts/es" / f"{name}.wav")
        assert rate_hz == 8000
        shortest_s = 0.1 if all_prompts[name][ES].file is not None else 0.3
        assert shortest_s < len(samples) / 8000 < 15, name
        assert max(samples) > 3000, f"{name} is hardly heard"


def test_a_voice_that_espeak_does_not_know_is_a_fault(tmp_path: Path) -> None:
    done = render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Hello", voice="zz-none")}))
    assert len(done.faults) == 1
    assert "could not speak with the voice zz-none" in done.faults[0]

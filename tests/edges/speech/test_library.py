"""Texts become files that Asterisk can play; here by a voice made for the test, and once by espeak-ng itself."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
import sys
import wave
from array import array
from pathlib import Path

import pytest
import voices
from voices import Program, by_command

from ccserver.config import load
from ccserver.config.edges import EdgeSettings, EngineKind, NumbersBy, PromptSource, SpeechEdge
from ccserver.config.prompts import COMFORT
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
        if name != COMFORT:  # the noise of a quiet line
            assert max(samples) > 3000, f"{name} is hardly heard"


def test_a_voice_that_espeak_does_not_know_is_a_fault(tmp_path: Path) -> None:
    done = render_prompts(edges(tmp_path, welcome={EN: PromptSource(text="Hello", voice="zz-none")}))
    assert len(done.faults) == 1
    assert "could not speak with the voice zz-none" in done.faults[0]


# --- digits and letters -----------------------------------------------------------------------------------------------
def test_digits_and_letters_are_made_once_and_a_recorded_one_is_not(tmp_path: Path) -> None:
    program = Program(tmp_path)
    site = voices.edges(tmp_path, by_command(program), prompts={PromptId("welcome"): {ES: PromptSource(text="Hola")}})
    (tmp_path / "prompts/es").mkdir()
    write_wav(tmp_path / "prompts/es/digit-5.wav", array("h", [9] * 800))

    first, again = render_prompts(site), render_prompts(site)

    assert (first.made, first.clips, first.faults) == (1, 37, ())
    assert (again.made, again.clips, again.faults) == (0, 0, ())
    assert program.said()[:3] == ["es-mx es: Hola", "es-mx es: cero", "es-mx es: uno"]
    assert "es-mx es: cinco" not in program.said()


def test_where_asterisk_says_numbers_or_all_is_recorded_nothing_is_made(tmp_path: Path) -> None:
    program = Program(tmp_path)
    write_wav(tmp_path / "mine.wav", array("h", [5] * 800))
    prompts = {PromptId("a"): {EN: PromptSource(file=tmp_path / "mine.wav"), ES: PromptSource(text="Hola")}}
    site = voices.edges(tmp_path, by_command(program), prompts=prompts, numbers={ES: NumbersBy.ASTERISK})
    assert (render_prompts(site).clips, program.said()) == (0, ["es-mx es: Hola"])


def test_a_language_whose_voice_fails_is_told_once(tmp_path: Path) -> None:
    prompts = {PromptId("a"): {EN: PromptSource(text="fail")}}
    broken = SpeechEdge(engine=EngineKind.COMMAND, command=(sys.executable, "-c", "raise SystemExit('no voice')", "{file}"))
    done = render_prompts(voices.edges(tmp_path, broken, prompts=prompts))
    assert (done.made, done.clips, len(done.faults)) == (0, 0, 2)
    assert "digits and letters in en: the speech command" in done.faults[1]
    assert "no voice" in done.faults[1]


# --- prompts that people record ---------------------------------------------------------------------------------------
def tone(rate_hz: int, *, silent_s: float = 1.0, heard_s: float = 1.0) -> array[int]:
    """A tone of 440 Hz between two silences."""
    silence = array("h", [0] * round(silent_s * rate_hz))
    return (
        silence + array("h", [round(9000 * math.sin(2764.6 * n / rate_hz)) for n in range(round(heard_s * rate_hz))]) + silence
    )


def write(path: Path, samples: array[int], rate_hz: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        content = b""
        for sample in samples:
            frame = (
                bytes([(sample >> 8) + 128]) if width == 1 else b"\0" * (width - 2) + sample.to_bytes(2, "little", signed=True)
            )
            content += frame * channels
        file.writeframes(content)
    return path


def site_with_welcome(tmp_path: Path) -> EdgeSettings:
    prompts = {PromptId("welcome"): {EN: PromptSource(text="Hello"), ES: PromptSource(text="Hola")}}
    return voices.edges(
        tmp_path, by_command(Program(tmp_path)), prompts=prompts, numbers=dict.fromkeys((EN, ES), NumbersBy.ASTERISK)
    )


@pytest.mark.parametrize(
    ("rate_hz", "channels", "width"), [(8000, 1, 2), (16000, 1, 2), (48000, 2, 2), (44100, 1, 1), (22050, 1, 3), (32000, 1, 4)]
)
def test_any_wav_becomes_a_prompt_without_the_silence_around_it(
    tmp_path: Path, rate_hz: int, channels: int, width: int
) -> None:
    site = site_with_welcome(tmp_path)
    render_prompts(site)
    recording = write(tmp_path / "new.wav", tone(rate_hz), rate_hz, channels, width)

    keep(site, PromptId("welcome"), ES, recording)

    file = tmp_path / "prompts/es/welcome.wav"
    assert not file.is_symlink()
    samples, heard_hz = read_wav(file)
    assert heard_hz == 8000
    assert 1.15 < len(samples) / 8000 < 1.25
    assert 8000 < max(samples) < 9600
    again = render_prompts(site)
    assert (again.by_hand, again.kept) == (1, 1)
    assert not (tmp_path / "prompts/es/welcome.wav.old").exists(), "what was spoken from the text need not be kept"


def test_the_recording_before_is_kept_and_the_text_comes_back(tmp_path: Path) -> None:
    site = site_with_welcome(tmp_path)
    render_prompts(site)
    file, old = tmp_path / "prompts/es/welcome.wav", tmp_path / "prompts/es/welcome.wav.old"
    spoken = file.read_bytes()
    keep(site, PromptId("welcome"), ES, write(tmp_path / "1.wav", tone(8000, heard_s=0.5), 8000))
    first = file.read_bytes()
    keep(site, PromptId("welcome"), ES, write(tmp_path / "2.wav", tone(8000, heard_s=2.0), 8000))
    second = file.read_bytes()
    assert old.read_bytes() == first

    assert remove(site, PromptId("welcome"), ES)
    assert (file.read_bytes(), old.read_bytes(), file.is_symlink()) == (spoken, second, True)
    assert not remove(site, PromptId("welcome"), ES)
    assert sorted(each.name for each in file.parent.iterdir()) == ["welcome.wav", "welcome.wav.old"]


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound at all"])
def test_what_is_no_recording_is_refused_and_the_prompt_stays(tmp_path: Path, content: bytes) -> None:
    site = site_with_welcome(tmp_path)
    render_prompts(site)
    (tmp_path / "new.wav").write_bytes(content)
    with pytest.raises(NoRecording, match=r"new\.wav: not a WAV file"):
        keep(site, PromptId("welcome"), ES, tmp_path / "new.wav")
    with pytest.raises(NoRecording, match="nothing is heard in it"):
        keep(site, PromptId("welcome"), ES, write(tmp_path / "silent.wav", array("h", [3, -3] * 8000), 8000))
    with pytest.raises(NoSuchPrompt, match="there is no prompt welcome in it"):
        keep(site, PromptId("welcome"), Language("it"), write(tmp_path / "good.wav", tone(8000), 8000))
    assert (tmp_path / "prompts/es/welcome.wav").is_symlink()


def test_a_recording_that_comes_while_its_text_is_spoken_wins(tmp_path: Path) -> None:
    """The renderer has looked before the recording came, and links after it."""
    site = site_with_welcome(tmp_path)
    recording = write(tmp_path / "new.wav", tone(8000), 8000)

    class Recording(Espeak):
        def speak(self, text: str, voice: str, language: Language, to: Path) -> None:
            keep(site, PromptId("welcome"), ES, recording)
            super().speak(text, voice, language, to)

    render_prompts(site, engine=Recording())
    assert not (tmp_path / "prompts/es/welcome.wav").is_symlink()
    assert (tmp_path / "prompts/en/welcome.wav").is_symlink()


def test_the_list_tells_where_each_comes_from(tmp_path: Path) -> None:
    write_wav(tmp_path / "mine.wav", array("h", [5] * 8000))
    welcome = {EN: PromptSource(text="Hello"), ES: PromptSource(text="Hola")}
    site = voices.edges(
        tmp_path,
        by_command(Program(tmp_path)),
        prompts={PromptId("welcome"): welcome, PromptId("tune"): {EN: PromptSource(file=tmp_path / "mine.wav")}},
    )
    assert [each.is_missing for each in listed(site)] == [True, True, True]
    render_prompts(site)
    keep(site, PromptId("welcome"), ES, write(tmp_path / "new.wav", tone(8000), 8000))
    assert [(each.prompt, each.language, each.source, each.is_missing, each.text) for each in listed(site)] == [
        ("welcome", "en", Source.TEXT, False, "Hello"),
        ("welcome", "es", Source.RECORDED, False, "Hola"),
        ("tune", "en", Source.FILE, False, ""),
    ]
    assert [round(each.length_s or 0, 1) for each in listed(site)] == [0.2, 1.2, 1.0]


def test_what_is_made_is_open_to_whom_the_folder_is(tmp_path: Path) -> None:
    """The daemon runs with a umask that would shut Asterisk out, and root may have rendered first."""
    site = site_with_welcome(tmp_path)
    folder = tmp_path / "prompts"
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, 1234, 1235)
    before = os.umask(0o077)
    try:
        render_prompts(dataclasses.replace(site, numbers={}))
        keep(site, PromptId("welcome"), ES, write(tmp_path / "new.wav", tone(8000), 8000))
    finally:
        os.umask(before)
    folders = [folder / name for name in (".spoken", ".values", "en", "es")]
    assert {each.stat().st_mode & 0o777 for each in folders} == {0o755}
    sounds = [folder / "es/welcome.wav", *(folder / ".values").glob("*.wav"), *(folder / ".spoken").glob("*.wav")]
    assert len(sounds) > 38
    assert {each.stat().st_mode & 0o777 for each in sounds} == {0o644}
    made = [*folders, *sounds, folder / ".spoken/.lock", folder / ".spoken/.placing"]
    assert {(each.stat().st_uid, each.stat().st_gid) for each in made} == {(folder.stat().st_uid, folder.stat().st_gid)}

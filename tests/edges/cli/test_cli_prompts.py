"""`ccserver prompts`: render, list, replace and remove, as a person types them."""

import json
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest
from cli_desk import a_configuration
from click.testing import CliRunner, Result

from ccserver.cli import root
from ccserver.speech.sound import write_wav

VOICE = """#!/bin/sh
case "$(cat)" in
*unspeakable*) echo "no such sound" >&2; exit 1;;
esac
cp "{tone}" "$1"
"""
"""A render starts it more than a hundred times, and a shell starts soonest."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example center, spoken by a voice made for the test."""
    write_wav(tmp_path / "tone.wav", array("h", [5000] * 4000))
    (tmp_path / "voice").write_text(VOICE.format(tone=tmp_path / "tone.wav"))
    (tmp_path / "voice").chmod(0o755)
    file = a_configuration(tmp_path)
    with file.open("a") as out:
        out.write(f'speech: {{engine: command, command: [{tmp_path}/voice, "{{file}}"]}}\n')
    return file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(root, ["prompts", *arguments, "--config", str(config)])


def listed(config: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(config, "list", "--json", *arguments).stdout)["prompts"]
    return found


def one(config: Path, prompt: str, language: str) -> dict[str, Any]:
    return next(each for each in listed(config) if (each["prompt"], each["language"]) == (prompt, language))


def test_what_is_missing_is_rendered_and_listed(config: Path) -> None:
    before = listed(config)
    assert {each["is_missing"] for each in before} == {True}
    assert len(listed(config, "--missing")) == len(before)

    done = json.loads(run(config, "render", "--json").stdout)

    assert (done["ok"], done["made"], done["clips"]) == (True, len(before), 2 * 38)
    assert listed(config, "--missing") == []
    assert {each["language"] for each in listed(config, "--language", "es")} == {"es"}
    shown = one(config, "cc-goodbye", "es")
    assert (shown["source"], shown["length_s"], shown["text"]) == ("text", 0.5, "Gracias por llamar. Adiós.")
    assert "cc-goodbye               es    text        0.5 s  Gracias por llamar. Adiós." in run(config, "list").stdout


def test_a_recording_of_any_rate_takes_a_prompts_place_and_is_taken_away_again(config: Path, tmp_path: Path) -> None:
    run(config, "render")
    with wave.open(str(tmp_path / "ana.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(b"\0\x20\0\x20" * 96000)

    replaced = run(config, "replace", "cc-goodbye", str(tmp_path / "ana.wav"), "--language", "es")

    assert (replaced.exit_code, replaced.stderr) == (0, "")
    assert "cc-goodbye in es is now" in replaced.stdout
    assert (one(config, "cc-goodbye", "es")["source"], one(config, "cc-goodbye", "en")["source"]) == ("recorded", "text")
    assert round(one(config, "cc-goodbye", "es")["length_s"]) == 2
    assert json.loads(run(config, "render", "--json").stdout)["by_hand"] == 1

    removed = run(config, "remove", "cc-goodbye", "--language", "es")
    assert (removed.exit_code, removed.stdout) == (0, "cc-goodbye in es is spoken from the settings again\n")
    assert one(config, "cc-goodbye", "es")["source"] == "text"
    again = run(config, "remove", "cc-goodbye", "--language", "es")
    assert (again.exit_code, again.stderr) == (1, "cc-goodbye in es has no recording (it is spoken from the settings)\n")


def test_without_a_language_it_is_the_default_one(config: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "ana.wav", array("h", [8000, -8000] * 4000))
    assert run(config, "replace", "cc-goodbye", str(tmp_path / "ana.wav")).exit_code == 0
    assert one(config, "cc-goodbye", "en")["source"] == "recorded"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("replace", "cc-goodby", "{good}"),
            "there is no prompt cc-goodby in en (see ccserver prompts list); did you mean cc-goodbye?",
        ),
        (("replace", "../../x", "{good}"), "there is no prompt ../../x in en"),
        (("replace", "cc-goodbye", "{good}", "--language", "it"), "there is no prompt cc-goodbye in it"),
        (("replace", "cc-goodbye", "{silent}"), "silent.wav: nothing is heard in it"),
        (("replace", "cc-goodbye", "{bad}"), "bad.wav: not a WAV file"),
        (("remove", "cc-goodbye"), "cc-goodbye in en has no recording"),
    ],
)
def test_what_cannot_be_done_says_why(config: Path, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    write_wav(tmp_path / "good.wav", array("h", [8000, -8000] * 4000))
    write_wav(tmp_path / "silent.wav", array("h", [1] * 8000))
    (tmp_path / "bad.wav").write_text("hello")
    files = {name: str(tmp_path / f"{name}.wav") for name in ("good", "silent", "bad")}
    result = run(config, *(each.format(**files) for each in arguments))
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert not list(tmp_path.glob("prompts/*/*.wav"))


def test_a_prompt_that_cannot_be_spoken_keeps_its_recording(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text() + "prompts: {cc-goodbye: {en: unspeakable}}\n")
    write_wav(tmp_path / "ana.wav", array("h", [8000, -8000] * 4000))
    run(config, "replace", "cc-goodbye", str(tmp_path / "ana.wav"))
    removed = run(config, "remove", "cc-goodbye")
    assert (removed.exit_code, "no such sound" in removed.stderr) == (1, True)
    assert one(config, "cc-goodbye", "en")["source"] == "recorded"

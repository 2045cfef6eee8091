"""Each speech engine speaks, and each of its failures ends in time with a sentence that says what to do."""

import time
import wave
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from voices import Program, by_command, server

from ccserver.config.edges import EngineKind, SpeechEdge
from ccserver.core.ids import Language
from ccserver.speech.engines import EngineFailed, EngineMissing, Espeak, HttpServer, engine_of

Answer = Callable[[BaseHTTPRequestHandler], None]
EN = Language("en")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


# --- a command --------------------------------------------------------------------------------------------------------
def test_a_command_gets_voice_language_file_and_the_text_by_standard_input(program: Program, tmp_path: Path) -> None:
    engine = engine_of(by_command(program))
    engine.speak("-v $(touch x) `y` Olé", "es-mx", Language("es"), tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav"), "rb") as file:
        assert file.getframerate() == 16000
    assert program.said() == ["es-mx es: -v $(touch x) `y` Olé"]
    assert not (tmp_path / "x").exists()


def test_a_language_without_a_voice_is_named_as_voice(program: Program, tmp_path: Path) -> None:
    engine_of(by_command(program)).speak("hello", "", EN, tmp_path / "out.wav")
    assert program.said() == ["en en: hello"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fail", "the speech command voice failed: it has a cold"),
        ("nothing", "the speech command voice failed: exit code 0, and no file"),
        ("slow", "the speech command voice failed: it did not end within 1 s (try it by hand, or raise speech.timeout_s)"),
    ],
)
def test_a_command_that_fails_says_so(program: Program, tmp_path: Path, text: str, told: str) -> None:
    started_s = time.monotonic()
    with pytest.raises(EngineFailed) as failed:
        engine_of(by_command(program, timeout_s=1.0)).speak(text, "", EN, tmp_path / "out.wav")
    assert str(failed.value) == told
    assert time.monotonic() - started_s < 10


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    script = tmp_path / "parent"
    script.write_text("#!/bin/sh\nsleep 60 &\necho $! > child\nwait\n")
    script.chmod(0o755)
    speech = SpeechEdge(engine=EngineKind.COMMAND, command=(str(script), "{file}"), timeout_s=1.0)
    with pytest.raises(EngineFailed, match="did not end"):
        engine_of(speech).speak("x", "", EN, tmp_path / "out.wav")
    child = int((tmp_path / "child").read_text())
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s and Path(f"/proc/{child}").exists() and _is_alive(child):
        time.sleep(0.01)  # between two looks
    assert not (Path(f"/proc/{child}").exists() and _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_is_not_there_is_told_with_its_mend(tmp_path: Path) -> None:
    speech = SpeechEdge(engine=EngineKind.COMMAND, command=("/no/such/piper", "{file}"))
    with pytest.raises(EngineMissing, match=r"/no/such/piper is not there \(install it, or change speech.command\)"):
        engine_of(speech).speak("x", "", EN, tmp_path / "out.wav")
    with pytest.raises(EngineMissing, match="apt-get install espeak-ng"):
        Espeak(program="/no/such/espeak").speak("x", "", EN, tmp_path / "out.wav")


def test_espeak_reads_brackets_as_text_not_as_phonemes(tmp_path: Path) -> None:
    lengths = []
    for number, text in enumerate(("hello", "[[h@l'oU]]")):
        Espeak().speak(text, "en", EN, tmp_path / f"{number}.wav")
        with wave.open(str(tmp_path / f"{number}.wav"), "rb") as file:
            lengths.append(file.getnframes())
    assert lengths[1] > 2 * lengths[0]


# --- a server ---------------------------------------------------------------------------------------------------------
def _answers(status: int = 200, body: bytes = b"RIFF", length: int | None = None) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_a_server_gets_the_text_and_answers_with_the_sound(tmp_path: Path) -> None:
    with server(_answers(body=b"RIFF...")) as (url, asked):
        HttpServer(f"{url}/speak?v={{voice}}&l={{language}}", "a-token", 5.0).speak(
            "¿Qué tal?", "mb/es 1", Language("es_MX"), tmp_path / "out.wav"
        )
    assert (tmp_path / "out.wav").read_bytes() == b"RIFF..."
    assert [(each.path, each.text) for each in asked] == [("/speak?v=mb%2Fes%201&l=es_MX", "¿Qué tal?")]
    headers = asked[0].headers
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Language"] == "es-MX"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_answers(status=503), "status 503"),
        (_answers(status=302), "status 302"),
        (_answers(body=b""), "an empty answer"),
        (_answers(body=b"RIFF", length=1000), "an answer that ends 996 bytes too early"),
    ],
)
def test_a_server_that_fails_says_so(tmp_path: Path, answer: Answer, told: str) -> None:
    with server(answer) as (url, _), pytest.raises(EngineFailed) as failed:
        HttpServer(url, "", 5.0).speak("x", "", EN, tmp_path / "out.wav")
    assert told in str(failed.value)
    assert "(look at speech.url)" in str(failed.value)


def test_a_server_that_drips_is_cut_off_in_time(tmp_path: Path) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        try:
            for _ in range(100):
                request.wfile.write(b"x")
                request.wfile.flush()
                time.sleep(0.1)  # what the test is about
        except OSError:
            return  # cut off

    started_s = time.monotonic()
    with server(drip) as (url, _), pytest.raises(EngineFailed, match=r"no whole answer within 0.5 s"):
        HttpServer(url, "", 0.5).speak("x", "", EN, tmp_path / "out.wav")
    assert time.monotonic() - started_s < 5


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="Connection refused"):
        HttpServer("http://127.0.0.1:9", "", 2.0).speak("x", "", EN, tmp_path / "out.wav")
    with pytest.raises(EngineFailed, match=r"look at speech\.url"):
        HttpServer("http://127.0.0.1:99999", "", 2.0).speak("x", "", EN, tmp_path / "out.wav")


def test_the_token_is_in_no_repr() -> None:
    assert "a-token" not in repr(HttpServer("http://x/", "a-token", 1.0))

"""What makes sound of words: espeak-ng, any command, or any server that answers a POST with a WAV file.

All block; they belong on a thread. Whatever goes wrong is an `EngineFailed` (its text ends with the mend), within the time-out.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, assert_never
from urllib.parse import SplitResult, quote, urlsplit

from ccserver.config.edges import EngineKind, SpeechEdge
from ccserver.core.ids import Language

WORDS_PER_MINUTE = 155
MAX_WAV_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_MAX_COMPLAINT = 200


class EngineFailed(Exception):
    """The speech engine did not speak. The text says what it did instead and what mends it."""


class EngineMissing(EngineFailed):
    """The program of the speech engine is not there. Install it (`apt-get install espeak-ng`), name another one in `speech:`, or give
    each prompt a recorded file in each language."""


class Engine(Protocol):
    @property
    def identity(self) -> str:
        """What decides how a text sounds, beside voice and language: part of the name under which the sound is kept."""

    def speak(self, text: str, voice: str, language: Language, to: Path) -> None:
        """Write a WAV file of any rate. Raises EngineFailed."""


def engine_of(settings: SpeechEdge) -> Engine:
    match settings.engine:
        case EngineKind.ESPEAK_NG:
            return Espeak(timeout_s=settings.timeout_s)
        case EngineKind.COMMAND:
            return Command(settings.command, settings.timeout_s)
        case EngineKind.HTTP:
            return HttpServer(settings.url, settings.token, settings.timeout_s)
        case _:
            assert_never(settings.engine)


# --- programs ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Espeak:
    program: str = "espeak-ng"
    timeout_s: float = 20.0

    @property
    def identity(self) -> str:
        return f"espeak-ng {WORDS_PER_MINUTE}"

    def speak(self, text: str, voice: str, language: Language, to: Path) -> None:
        # espeak-ng knows en_GB as en-gb.
        named = voice or language.replace("_", "-").lower()
        found = shutil.which(self.program)
        if found is None:
            raise EngineMissing(
                "espeak-ng is not installed (apt-get install espeak-ng, or name another engine under speech, or give recorded "
                "files under prompts)"
            )
        # The text goes by stdin: one that begins with a dash must not become an option. [[ would begin phonemes.
        command = [found, "-v", named, "-s", str(WORDS_PER_MINUTE), "-b", "1", "-w", str(to), "--stdin"]
        _run(command, text.replace("[[", "[ ["), to, self.timeout_s, f"espeak-ng could not speak with the voice {named}")


@dataclass(frozen=True, slots=True)
class Command:
    """`words` with {voice}, {language} and {file} in them; the text comes by standard input. No shell has a hand in it."""

    words: tuple[str, ...]
    timeout_s: float

    @property
    def identity(self) -> str:
        return repr(self.words)

    def speak(self, text: str, voice: str, language: Language, to: Path) -> None:
        values = {"{voice}": voice or language, "{language}": language, "{file}": str(to)}
        program, *rest = (_filled(word, values) for word in self.words)
        found = shutil.which(program)
        if found is None:
            raise EngineMissing(f"the speech command {program} is not there (install it, or change speech.command)")
        _run([found, *rest], text, to, self.timeout_s, f"the speech command {Path(program).name} failed")


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _run(command: list[str], text: str, to: Path, timeout_s: float, failed: str) -> None:
    """Raises EngineFailed, with the last words of the program, unless it has written the file."""
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                cwd=to.parent,
                start_new_session=True,  # so that what it started ends with it
            )
        except OSError as fault:
            raise EngineFailed(f"{failed}: {fault.strerror} (try it by hand: {command[0]})") from None
        with process:
            try:
                process.communicate(text.encode(), timeout_s)
            except subprocess.TimeoutExpired:
                mend = "try it by hand, or raise speech.timeout_s"
                raise EngineFailed(f"{failed}: it did not end within {timeout_s:g} s ({mend})") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != 0 or not to.is_file():
            complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4 * _MAX_COMPLAINT))
            why = " ".join(complaints.read().decode(errors="replace").split())[-_MAX_COMPLAINT:]
            raise EngineFailed(f"{failed}: {why or f'exit code {process.returncode}, and no file'}")
    if to.stat().st_size > MAX_WAV_BYTES:
        raise EngineFailed(f"{failed}: it wrote more than {MAX_WAV_BYTES} bytes (try it by hand)")


# --- a server ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class HttpServer:
    """The text is posted as UTF-8; {voice} and {language} in the address are replaced. The answer is the WAV file."""

    url: str
    token: str = field(repr=False)
    timeout_s: float

    @property
    def identity(self) -> str:
        return self.url

    def speak(self, text: str, voice: str, language: Language, to: Path) -> None:
        values = {"{voice}": quote(voice or language, safe=""), "{language}": quote(language, safe="")}
        url = urlsplit(_filled(self.url, values))
        overdue = threading.Event()
        try:
            with self._connected(url, overdue) as connection:
                self._post(connection, url.path + (f"?{url.query}" if url.query else ""), text, language, to)
            if overdue.is_set():
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as fault:
            is_late = overdue.is_set() or isinstance(fault, TimeoutError)
            why = f"no whole answer within {self.timeout_s:g} s" if is_late else str(fault) or type(fault).__name__
            raise EngineFailed(f"the speech server at {url.netloc} failed: {why} (look at speech.url)") from None

    @contextmanager
    def _connected(self, url: SplitResult, overdue: threading.Event) -> Iterator[http.client.HTTPConnection]:
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self.timeout_s)
        connection.connect()
        # A server that sends a byte now and then would keep each single read alive: one timer bounds them all.
        timer = threading.Timer(self.timeout_s, _cut, (connection.sock, overdue))
        timer.daemon = True
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, target: str, text: str, language: Language, to: Path) -> None:
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Language": language.replace("_", "-"),
            "Accept": "audio/wav",
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request("POST", target or "/", text.encode(), headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        size = 0
        with to.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                size += len(chunk)
                if size > MAX_WAV_BYTES:
                    raise http.client.HTTPException(f"an answer of more than {MAX_WAV_BYTES} bytes")
                file.write(chunk)
        if answer.length:  # reading in pieces does not tell it
            raise http.client.HTTPException(f"an answer that ends {answer.length} bytes too early")
        if not size:
            raise http.client.HTTPException("an empty answer")


def _cut(connected: socket.socket, overdue: threading.Event) -> None:
    overdue.set()
    with suppress(OSError):  # it has ended by itself
        connected.shutdown(socket.SHUT_RDWR)  # wakes the read that waits; closing alone would not

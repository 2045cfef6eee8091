"""Voices made for tests: programs and a server in the speech engine's place, which keep what they were asked to say."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ccserver.config.edges import AsteriskEdge, DatabaseEdge, DialplanEdge, EdgeSettings, EngineKind, MetricsEdge, SpeechEdge
from ccserver.core.ids import Language

VOICE = """#!{python} -IS
import sys, time, wave
voice, language, file = sys.argv[1:4]
text = sys.stdin.read()
open({log!r}, "a").write(voice + " " + language + ": " + text + chr(10))
if "fail" in text:
    sys.exit("it has a cold")
if "slow" in text:
    time.sleep(60)
if "nothing" in text:
    sys.exit(0)
if "noise" in text:
    open(file, "w").write("this is no sound")
    sys.exit(0)
with wave.open(file, "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(16000)
    out.writeframes(bytes([len(text) % 256, 20]) * 3200)
"""


@dataclass
class Program:
    """A command that speaks half a tone; `said` are its lines `voice language: text`."""

    folder: Path
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / "voice"
        self.path.write_text(VOICE.format(python=sys.executable, log=str(self.folder / "said")))
        self.path.chmod(0o755)

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.path), "{voice}", "{language}", "{file}")

    def said(self) -> list[str]:
        log = self.folder / "said"
        return log.read_text().splitlines() if log.exists() else []


def edges(tmp_path: Path, speech: SpeechEdge, **changes: object) -> EdgeSettings:
    """A site in `tmp_path`, whose prompts Asterisk sees at /prompts."""
    values: dict[str, object] = {
        "asterisk": AsteriskEdge(
            pbx="pbx",
            host="127.0.0.1",
            ami_port=5038,
            ami_user="ccserver",
            ami_secret="-",
            agi_host="127.0.0.1",
            agi_port=4573,
            agi_secret="-",
            prompts_dir=Path("/prompts"),
            prompts_local_dir=tmp_path / "prompts",
            trunk_endpoint="carrier",
            country="ES",
        ),
        "dialplan": DialplanEdge(),
        "database": DatabaseEdge(url="sqlite://"),
        "recording": None,
        "metrics": MetricsEdge(),
        "state_dir": tmp_path,
        "control_socket": tmp_path / "control.sock",
        "pin_hashes": {},
        "prompts": {},
        "voices": {Language("en"): "", Language("es"): "es-mx"},
        "speech": speech,
    }
    (tmp_path / "prompts").mkdir(exist_ok=True)
    return EdgeSettings(**{**values, **changes})  # type: ignore[arg-type]


def by_command(program: Program, timeout_s: float = 20.0) -> SpeechEdge:
    return SpeechEdge(engine=EngineKind.COMMAND, command=program.command, timeout_s=timeout_s)


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    text: str


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[Asked]]]:
    """(its address, what it was asked). `answer` writes status, headers and body."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(Asked(self.path, dict(self.headers), text))
            answer(self)

        def log_message(self, *_: object) -> None:
            """Says nothing on the terminal."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", asked
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()

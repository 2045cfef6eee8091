"""A real core, the daemon's real request handlers and control server, on a real socket, served by a thread."""

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, cast

from click.testing import CliRunner, Result
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ccserver.agi.numbers import Dialled, Numbering, dialled
from ccserver.cli import root
from ccserver.config import Configuration, load
from ccserver.control.protocol import Why
from ccserver.control.server import ControlServer, NotDone
from ccserver.core.center import CallCenter
from ccserver.core.commands import Reply, StoreAudit
from ccserver.core.events import AuditStored, CallArrived, CenterStarted, Event, LinkUp, PbxObserved, SettingsLoaded
from ccserver.core.ids import CommandId, InteractionId, LegId, SessionId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState
from ccserver.daemon.requests import Requests

EXAMPLE = Path(__file__).parents[3] / "ccserver" / "config" / "example.yaml"


def a_configuration(folder: Path, **ports: int) -> Path:
    """The example center with secrets and folders below `folder`."""
    for name in ("ami", "agi"):
        secret = folder / f"{name}.secret"
        secret.write_text(f"{name}-secret-1\n")
        secret.chmod(0o600)
    (folder / "recordings").mkdir(exist_ok=True)
    (folder / "state").mkdir(exist_ok=True)
    file = folder / "ccserver.yaml"
    file.write_text(
        f"""extends: {EXAMPLE}
asterisk:
  ami_port: {ports.get("ami", 5038)}
  agi_port: {ports.get("agi", 4573)}
  ami_secret_file: {folder}/ami.secret
  agi_secret_file: {folder}/agi.secret
  prompts_dir: {folder}/prompts
  prompts_local_dir: {folder}/prompts
metrics: {{port: {ports.get("metrics", 9318)}}}
database: {{url: "sqlite:///{folder}/state/history.db"}}
recording: {{asterisk_dir: {folder}/recordings, local_dir: {folder}/recordings}}
state_dir: {folder}/state
control_socket: {folder}/control.sock
"""
    )
    return file


class Desk:
    """The daemon as far as its control socket sees it. Events are handled at once; time stands still until `now_s` moves."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.configuration: Configuration = load(file)
        self.center = CallCenter(self.configuration.settings)
        self.now_s = 100.0
        self.requests = Requests(self, 1)
        self.server = ControlServer(
            clock=Clock(), handlers=self.requests.handlers(), follows=self.requests.follows(), report=self._report
        )
        self.faults: list[str] = []
        self.posted: list[Event] = []
        self.is_behind = False
        self._lock = threading.Lock()
        phones = dict.fromkeys(self.settings.phones, PhoneState.IDLE)
        self.post(CenterStarted(incarnation=1, first_interaction=InteractionId(1)))
        self.post(SettingsLoaded(settings=self.settings))
        self.post(LinkUp(pbx="pbx", uptime_s=5.0))
        self.post(PbxObserved(pbx="pbx", asked_at_s=self.now_s, channels=(), phones=phones))

    def _report(self, do: str, error: BaseException) -> None:
        self.faults.append(f"{do}: {error!r}")

    # --- what the requests need ---------------------------------------------------------------------------------------
    @property
    def settings(self) -> Settings:
        return self.center.settings

    def post(self, event: Event) -> None:
        self.posted.append(event)
        commands = self.center.handle(event, self.now())
        seq = self.center.seq
        for place, command in enumerate(commands):
            if isinstance(command, Reply):
                self.requests.replied(command)
            elif isinstance(command, StoreAudit):
                self.post(AuditStored(command=CommandId(seq, place)))

    def snapshot(self) -> CenterState:
        return self.center.snapshot()

    def now(self) -> Moment:
        return Moment(self.now_s, 1_800_000_000.0 + self.now_s)

    def facts(self) -> dict[str, object]:
        return {
            "version": "0",
            "pid": 1,
            "config": str(self.file),
            "incarnation": 1,
            "run_s": 3.0,
            "settings": self.settings.content_hash,
            "trouble": None,
            "pbx": {"name": "pbx", "is_linked": True, "refusal": None},
            "agi_sessions": 0,
            "database": {"backlog": 0, "error": None},
            "metrics": "http://127.0.0.1:9318/metrics",
            "reload": {"at_utc_s": 0.0, "is_ok": False, "text": "ccserver.yaml:1:1: bad\x1b[2J"},
            "overview": self.requests.overview(),
        }

    def reload(self) -> Deferred[object]:
        return fail(NotDone(Why.REFUSED, "metrics: needs a restart"))

    def written(self) -> Deferred[object]:
        if self.is_behind:
            return fail(NotDone(Why.REFUSED, "history is behind (2 records, disk full): mend the database, ask again"))
        return succeed({"text": "history has all of it"})

    def keep_room_pins(self, room: str, pins: object) -> None:
        """Nobody enters a room at this desk."""

    def dialled(self, given: str) -> Dialled:
        return dialled(given, Numbering(country="ES", internal_patterns=("1XXX",), outside_prefix="0"))

    # --- a caller -----------------------------------------------------------------------------------------------------
    def call_arrives(self, number: str | None = "+34600111222", name: str = "Eve\x1b[2J") -> None:
        leg = LegId("pbx", "1.1")
        self.post(
            CallArrived(
                session=SessionId("1-1"),
                leg=leg,
                channel="PJSIP/carrier-1",
                did="+34910000001",
                caller_number=number,
                number_as_given=number or "",
                caller_name=name,
            )
        )

    # --- the socket ---------------------------------------------------------------------------------------------------
    def serve(self) -> contextlib.AbstractContextManager[None]:
        return _serving(self)

    def answer(self, connection: Any, transport: StringTransport, data: bytes) -> bytes:
        with self._lock:
            connection.dataReceived(data)
            sent = transport.value()
            transport.clear()
            return bytes(sent)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(root, [*arguments, "--config", str(self.file)], catch_exceptions=False)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@contextlib.contextmanager
def _serving(desk: Desk) -> Any:
    path = desk.configuration.edges.control_socket
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def talk(client: socket.socket) -> None:
        connection = cast(Any, desk.server.buildProtocol(None))
        transport = StringTransport()
        connection.makeConnection(transport)
        with client:
            while data := client.recv(65536):
                client.sendall(desk.answer(connection, transport, data))
        connection.connectionLost()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        path.unlink()

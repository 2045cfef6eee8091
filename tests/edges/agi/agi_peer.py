"""Asterisk's side of one FastAGI connection, by hand: no socket, no time but the test's."""

from collections.abc import Callable
from pathlib import Path

from script_double import ScriptDouble
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from ccserver.agi.numbers import Numbering
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.server import AgiConnection, AgiFactory, AgiServer
from ccserver.agi.session import Verb
from ccserver.agi.speaking import Speaker
from ccserver.core.commands import Collect, CollectSecret, EndSession, Next, Say, WaitUntil
from ccserver.core.events import CallArrived, Event
from ccserver.core.ids import AgentId, CommandId, Language, LegId, PhoneId, SessionId
from ccserver.core.settings import Spoken, SpokenKind

SECRET = "s3cret-of-the-path"
LEG = LegId("pbx", "1700000000.1")
EN = Language("en")


class Wire(StringTransport):
    """Losing a connection takes until `AgiPeer.hang_up`, as with a real one."""

    is_lost = False

    def loseConnection(self) -> None:
        super().loseConnection()
        self.is_lost = True

    def loseWriteConnection(self) -> None:
        """Twisted's StringTransport has none: what was written stays to be read, and nothing can follow."""
        self.is_lost = True

    def abortConnection(self) -> None:
        super().abortConnection()
        self.is_lost = True


class Desk:
    """A server under test with its events, its clock and its unfinished threads."""

    def __init__(self, prompts_dir: Path, *, max_connections: int = 2000, speaker: Speaker | None = None) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.pin_hashes: dict[str, str] = {}
        self.discarded: list[str] = []
        self.scripts = ScriptDouble()
        self.threads: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        for name in ("en/welcome", "en/menu", "en/only-english", "de/welcome"):
            (prompts_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (prompts_dir / f"{name}.wav").touch()
        self.server = AgiServer(
            clock=self.clock,
            sink=self.events.append,
            pbx="pbx",
            incarnation=7,
            secret=SECRET,
            prompts=PromptPaths(asterisk_dir=Path("/prompts"), local_dir=prompts_dir, default_language=EN),
            speaker=speaker,
            numbering=lambda: Numbering(country="DE"),
            phones=lambda: {PhoneId("PJSIP/1001")},
            pin_hash=self.pin_hashes.get,
            defer_to_thread=self._defer,
            discard=self.discarded.append,
            scripts=self.scripts,
            max_connections=max_connections,
        )
        self.factory = AgiFactory(self.server)

    def _defer(self, work: Callable[[], bool]) -> "Deferred[bool]":
        result: Deferred[bool] = Deferred()
        self.threads.append((work, result))
        return result

    def finish_threads(self) -> None:
        while self.threads:
            work, result = self.threads.pop()
            try:
                answer = work()
            except Exception:
                result.errback()
            else:
                result.callback(answer)

    def connect(self) -> "AgiPeer":
        return AgiPeer(self)

    def call(self, **variables: str) -> "AgiPeer":
        """A caller in the inbound loop, told to the core; the event is taken off the list."""
        peer = self.connect()
        peer.send(header(**variables))
        assert isinstance(self.events.pop(), CallArrived)
        return peer

    def take_events(self) -> list[Event]:
        events = list(self.events)
        self.events.clear()
        return events


class AgiPeer:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.connection: AgiConnection = desk.factory.buildProtocol(None)
        self.wire = Wire()
        self.is_gone = False
        self._commands = 0
        self.connection.makeConnection(self.wire)

    @property
    def session(self) -> SessionId:
        assert self.connection.session is not None
        return self.connection.session.id

    def send(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def asked(self) -> list[str]:
        """The commands written since the last look."""
        lines = self.wire.value().decode().splitlines()
        self.wire.clear()
        return lines

    def reply(self, result: int | str = 0) -> None:
        self.send(f"200 result={result}\n".encode())

    def answer(self, *expected: str, result: int | str = 0) -> None:
        """Checks that exactly these commands come, one at a time, and answers each with `result`."""
        for line in expected:
            assert self.asked() == [line]
            self.reply(result)

    def hang_up(self) -> None:
        """The end of the connection, whoever began it."""
        assert not self.is_gone
        self.is_gone = True
        self.connection.connectionLost(Failure(ConnectionDone()))

    def perform(self, verb: Verb) -> CommandId:
        self._commands += 1
        command = CommandId(self._commands, 0)
        self.desk.server.perform(command, verb)
        return command

    # --- verbs with the values that most tests want -------------------------------------------------------------------
    def say(self, *prompts: str, stop: str = "", language: Language = EN) -> CommandId:
        pieces = tuple(Spoken(SpokenKind.PROMPT, prompt) for prompt in prompts)
        return self.perform(Say(session=self.session, say=pieces, language=language, stop_digits=stop))

    def collect(
        self,
        *prompts: str,
        max_digits: int = 4,
        can_interrupt: bool = True,
        complete: tuple[str, ...] = (),
        terminator: str = "#",
    ) -> CommandId:
        return self.perform(
            Collect(
                session=self.session,
                say=tuple(Spoken(SpokenKind.PROMPT, prompt) for prompt in prompts),
                language=EN,
                max_digits=max_digits,
                first_timeout_s=3.0,
                next_timeout_s=2.0,
                terminator=terminator,
                can_interrupt=can_interrupt,
                complete=complete,
            )
        )

    def collect_secret(self, agent: str = "100") -> CommandId:
        return self.perform(CollectSecret(session=self.session, agent=AgentId(agent), say=(), language=EN, timeout_s=3.0))

    def wait(self, music: str = "default", timeout_s: float | None = None, stop: str = "") -> CommandId:
        return self.perform(WaitUntil(session=self.session, music=music, timeout_s=timeout_s, stop_digits=stop))

    def end(self, then: Next = Next.HANG_UP, extension: str = "", cause: int = 16, shown: str = "") -> CommandId:
        return self.perform(EndSession(session=self.session, next=then, extension=extension, cause=cause, shown=shown))


def header(script: str = "inbound", secret: str = SECRET, **variables: str) -> bytes:
    values = {
        "agi_network": "yes",
        "agi_network_script": f"{secret}/{script}",
        "agi_request": f"agi://127.0.0.1:4573/{secret}/{script}",
        "agi_channel": "PJSIP/trunk-0000002a",
        "agi_language": "en",
        "agi_uniqueid": LEG.uniqueid,
        "agi_callerid": "0301234567",
        "agi_calleridname": "Erika Muster",
        "agi_callingpres": "0",
        "agi_dnid": "5550100",
        "agi_arg_1": "5550199",
    }
    values.update({f"agi_{name}": value for name, value in variables.items()})
    return "".join(f"{key}: {value}\n" for key, value in values.items()).encode() + b"\n"


STREAM_ALL = '"0123456789*#"'

"""A manager interface that answers as Asterisk does, or with one thing wrong."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ccserver.cli.doctor import NEEDED_ACTIONS

SECRET = "ami-secret-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """What it does wrong; by default nothing."""

    greeting: str = "Asterisk Call Manager/11.0.0"
    secret: str = SECRET
    forbidden: tuple[str, ...] = ()
    hears: tuple[str, ...] = ("system", "call")
    missing_modules: tuple[str, ...] = ()
    missing_contexts: tuple[str, ...] = ()
    clock_ahead_s: float = 0.0
    is_silent: bool = False

    @contextmanager
    def listening(self) -> Iterator[int]:
        """The port it listens on."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
            thread.start()
            try:
                yield server.getsockname()[1]
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join(5)

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as stream:
            stream.write(f"{self.greeting}\r\n".encode())
            stream.flush()
            fields: dict[str, str] = {}
            for line in stream:
                text = line.decode().rstrip("\r\n")
                if text:
                    key, _, value = text.partition(": ")
                    fields[key] = value
                    continue
                if self.is_silent:
                    continue
                for message in self._answers(fields):
                    stream.write(message.encode())
                stream.flush()
                fields = {}

    def _answers(self, asked: dict[str, str]) -> Iterator[str]:
        def message(**fields: str) -> str:
            lines = [f"{key}: {value}" for key, value in fields.items()]
            return "\r\n".join(lines) + "\r\n\r\n"

        def response(is_good: bool, **fields: str) -> str:
            return message(Response="Success" if is_good else "Error", ActionID=asked["ActionID"], **fields)

        match asked["Action"]:
            case "Login":
                is_known = asked["Secret"] == self.secret
                yield response(is_known, Message="Authentication accepted" if is_known else "Authentication failed")
                if is_known and "system" in self.hears:
                    yield message(Event="FullyBooted", Privilege="system,all", Status="Fully Booted")
            case "ListCommands":
                yield response(True, **{name: "does it" for name in NEEDED_ACTIONS if name not in self.forbidden})
            case "Setvar":
                yield response(True)
                if "call" in self.hears:
                    yield message(Event="DeviceStateChange", Device="Custom:ccserver-doctor", State=asked["Value"])
            case "ModuleCheck":
                yield response(asked["Module"] not in self.missing_modules)
            case "ShowDialPlan":
                yield response(asked["Context"] not in self.missing_contexts)
            case "Ping":
                yield response(True, Ping="Pong", Timestamp=f"{time.time() + self.clock_ahead_s:.6f}")

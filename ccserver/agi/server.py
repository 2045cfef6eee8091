"""The FastAGI server: accepts channels from the dialplan, makes sessions of them and hands them the core's verbs.

FastAGI has no authentication of its own: it listens on loopback, and the path holds a secret.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from typing import Protocol as Interface

import structlog
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ccserver.agi import wire
from ccserver.agi.conversation import AgiCounters, Clock
from ccserver.agi.numbers import Numbering, normalise
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.request import (
    Opening,
    Refused,
    Script,
    call_arrived,
    desk_opened,
    feature_dialled,
    own_call_dialled,
    read_opening,
    transfer_asked,
    wrap_up_opened,
)
from ccserver.agi.scripted import ScriptRunner, environment
from ccserver.agi.session import CheckSecret, Session, Surroundings, Verb, no_secrets
from ccserver.agi.speaking import NoSpeaker, Speaker
from ccserver.core.commands import AnswerCall
from ccserver.core.events import CommandFailed, Event
from ccserver.core.ids import AgentId, CommandId, LegId, PhoneId, RoomId, SessionId

log = structlog.get_logger(__name__)

HEADER_LIMIT_S = 5.0
"""From connecting to the end of the opening block; Asterisk needs a millisecond."""
CLOSING_LIMIT_S = 5.0
"""From our closing to the peer's; afterwards the connection is aborted."""
_LAST_KEYS_MAX = 10_000
"""Legs that ended are not told here: of so many the oldest are forgotten."""
_SWEEP_S = 1.0


class DeferToThread(Interface):
    def __call__(self, work: Callable[[], bool], /) -> "Deferred[bool]": ...


class ServerEndpoint(Interface):
    """As `IStreamServerEndpoint`; gives an `IListeningPort`."""

    def listen(self, factory: Factory, /) -> "Deferred[Any]": ...


class PeerTransport(Interface):
    """The part of a Twisted transport that is used here."""

    def write(self, data: bytes, /) -> None: ...
    def loseConnection(self) -> None: ...
    def loseWriteConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    session: SessionId
    leg: LegId
    script: Script


class AgiServer:
    """All sessions of one PBX. Every event goes to `sink`; SessionClosed comes exactly once for each session told.

    `numbering`, `phones` and `pin_hash` are asked each time, so that a reload is seen.
    `speaker` makes sound of values; without one Asterisk says what it can.
    `defer_to_thread` runs one slow check off the reactor. `discard` takes away the file of an empty message. `check_secret`
    asks a look-up about typed digits. `scripts` runs the functions
    of administrators.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sink: Callable[[Event], None],
        pbx: str,
        incarnation: int,
        secret: str,
        prompts: PromptPaths,
        speaker: Speaker | None = None,
        numbering: Callable[[], Numbering],
        phones: Callable[[], Collection[PhoneId]],
        pin_hash: Callable[[AgentId], str | None],
        room_pins: Callable[[RoomId], Mapping[str, str]] = lambda room: {},
        defer_to_thread: DeferToThread,
        discard: Callable[[str], None] = lambda path: None,
        check_secret: CheckSecret = no_secrets,
        scripts: ScriptRunner | None = None,
        overflow_context: str = "cc-overflow",
        max_connections: int = 2000,
    ) -> None:
        if not secret:
            raise ValueError("the AGI server needs a secret")
        self.counters = AgiCounters()
        self.clock = clock
        self._sink = sink
        self._pbx = pbx
        self._incarnation = incarnation
        self._secret = secret
        self._numbering = numbering
        self._phones = phones
        self._max_connections = max_connections
        self._surroundings = Surroundings(
            clock=clock,
            sink=sink,
            prompts=prompts,
            speaker=NoSpeaker() if speaker is None else speaker,
            pin_hash=pin_hash,
            room_pins=room_pins,
            defer_to_thread=defer_to_thread,
            overflow_context=overflow_context,
            counters=self.counters,
            numbering=numbering,
            discard=discard,
            check_secret=check_secret,
            scripts=scripts,
        )
        self._opened = 0
        self._connections: dict[AgiConnection, None] = {}
        self._sessions: dict[SessionId, AgiConnection] = {}
        self._by_leg: dict[LegId, Session] = {}
        self._last_keys: dict[LegId, str] = {}
        """Of legs that were in no session, until their next one."""
        self._is_ami_listening = True
        self._port: Any = None
        self._is_looking = False
        self._is_stopped = False

    async def listen(self, endpoint: ServerEndpoint) -> Any:
        """Gives the IListeningPort. Raises twisted.internet.error.CannotListenError when the port is taken."""
        self._port = await endpoint.listen(AgiFactory(self))
        return self._port

    async def stop(self) -> None:
        """Stops listening and ends every session; returns when all SessionClosed were told."""
        self._is_stopped = True
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)
        endings = [connection.ended for connection in self._connections]
        for connection in list(self._connections):
            connection.abort()
        await DeferredList(endings)

    # --- from the core and the AMI edge --------------------------------------------------------------------------------
    def perform(self, command: CommandId, verb: Verb) -> None:
        """Queues a verb. One for a session that is no more has had its end in SessionClosed."""
        connection = self._sessions.get(verb.session)
        if connection is not None and connection.session is not None:
            connection.session.perform(command, verb)
        elif isinstance(verb, AnswerCall):
            self._sink(CommandFailed(command=command, reason="the session is closed"))

    def digit(self, leg: LegId, digit: str) -> bool:
        """AMI saw the end of a DTMF digit on `leg`. Whether the leg is in a session, whose digit it then is."""
        session = self._by_leg.get(leg)
        if session is None:
            if leg not in self._last_keys and len(self._last_keys) >= _LAST_KEYS_MAX:
                del self._last_keys[next(iter(self._last_keys))]
            self._last_keys[leg] = digit
            return False
        session.conversation.digit_told(digit)
        return True

    def ami_listens(self, is_listening: bool) -> None:
        """To be told at LinkUp and LinkLost: whether digits are told by AMI as well as by AGI."""
        self._is_ami_listening = is_listening
        for session in self._by_leg.values():
            session.conversation.typed.is_ami_listening = is_listening
            session.conversation.typed.forget_twins()
            session.conversation.wake()  # one that waits in silence must listen now, and the other way round

    def open_sessions(self) -> tuple[OpenSession, ...]:
        return tuple(
            OpenSession(session=connection.session.id, leg=connection.session.leg, script=connection.script)
            for connection in self._sessions.values()
            if connection.session is not None and connection.script is not None
        )

    def drop(self, session: SessionId, reason: str) -> None:
        """Ends a session out of order: its channel is not one that the PBX knows, say."""
        connection = self._sessions.get(session)
        if connection is not None:
            connection.drop(reason)

    # --- for the connections -------------------------------------------------------------------------------------------
    def connected(self, connection: "AgiConnection") -> bool:
        """Whether there is room for it."""
        if self._is_stopped or len(self._connections) >= self._max_connections:
            self.counters.refused["full"] += 1
            return False
        self._connections[connection] = None
        if not self._is_looking:
            self._is_looking = True
            self.clock.callLater(_SWEEP_S, self._look_around)
        return True

    def disconnected(self, connection: "AgiConnection") -> None:
        self._connections.pop(connection, None)
        session = connection.session
        if session is None:
            return
        self._sessions.pop(session.id, None)
        if self._by_leg.get(session.leg) is session:
            del self._by_leg[session.leg]
        session.connection_lost()

    def open(self, connection: "AgiConnection", request: wire.Request) -> tuple[Session, Script]:
        """Makes a session of a connection and tells the core. Raises Refused."""
        opening = read_opening(request, secret=self._secret, pbx=self._pbx)
        session_id = SessionId(f"{self._incarnation}-{self._opened + 1}")
        event = self._event_for(opening, session_id)
        is_timed = "heard" in opening.query
        self._opened += 1
        self.counters.opened += 1
        session = Session(
            session_id,
            opening.leg,
            opening.language,
            self._surroundings,
            write=connection.write,
            finish=connection.finish,
            drop=connection.drop,
            environment=environment(request.variables),
            arrival=event if is_timed else None,
        )
        session.conversation.typed.is_ami_listening = self._is_ami_listening
        if self._is_ami_listening:
            session.conversation.typed.told_before(self._last_keys.pop(opening.leg, ""))
        self._sessions[session_id] = connection
        self._by_leg[opening.leg] = session
        connection.session, connection.script = session, opening.script
        if not is_timed:
            self._sink(event)
        session.start()
        return session, opening.script

    def _event_for(self, opening: Opening, session: SessionId) -> Event:
        match opening.script:
            case Script.INBOUND:
                return call_arrived(opening, session, partial(normalise, country=self._numbering().country))
            case Script.FEATURE:
                return feature_dialled(opening, session, self._phones())
            case Script.WRAP_UP:
                return wrap_up_opened(opening, session)
            case Script.DESK:
                return desk_opened(opening, session)
            case Script.DIAL:
                return own_call_dialled(opening, session, self._phones(), self._numbering())
            case Script.TRANSFER:
                return transfer_asked(opening, session, self._numbering())

    def _look_around(self) -> None:
        for connection in list(self._connections):
            connection.look_around()
        self._is_looking = bool(self._connections)
        if self._is_looking:
            self.clock.callLater(_SWEEP_S, self._look_around)


class AgiConnection(Protocol):
    """One socket: header, then a session, then closing."""

    def __init__(self, server: AgiServer) -> None:
        self.session: Session | None = None
        self.script: Script | None = None
        self.ended: Deferred[None] = Deferred()
        self._server = server
        self._parser = wire.Parser()
        self._is_closing = False
        self._give_up_at_s = 0.0

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._transport = cast(PeerTransport, self.transport)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        self._give_up_at_s = self._server.clock.seconds() + HEADER_LIMIT_S
        if not self._server.connected(self):
            self._is_closing = True
            self._transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._is_closing:
            return
        try:
            messages = self._parser.feed(data)
        except wire.WireViolation as violation:
            self._refuse_or_drop("violation", str(violation))
            return
        if self.session is not None and wire.HungUp() in messages:
            self.session.conversation.is_hung_up = True  # a reply before it may be of a command that was cut short by it
        for message in messages:
            self._take(message)
            if self._is_closing:
                return

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Request():
                try:
                    self._server.open(self, message)
                except Refused as refusal:
                    self._refuse_or_drop(refusal.reason, "")
            case wire.Reply():
                assert self.session is not None  # the parser gives the request first
                self.session.conversation.reply_received(message)
            case wire.HungUp():
                # The channel is over *for this session*: gone, or being pulled elsewhere. Nothing more can be done here, and
                # a channel that is pulled out leaves at once when we let go.
                self.close()

    def write(self, line: bytes) -> None:
        if not self._is_closing:
            self._transport.write(line)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._give_up_at_s = self._server.clock.seconds() + CLOSING_LIMIT_S
            self._transport.loseConnection()

    def finish(self) -> None:
        """All is written; the peer closes when it has read it."""
        if not self._is_closing:
            self._is_closing = True
            self._give_up_at_s = self._server.clock.seconds() + CLOSING_LIMIT_S
            self._transport.loseWriteConnection()

    def drop(self, reason: str) -> None:
        if not self._is_closing:
            self._server.counters.dropped[reason] += 1
            # A channel that is over, or was pulled out to be joined, ends its session so: that is every call's way.
            level = logging.DEBUG if reason == "dead_channel" else logging.WARNING
            log.log(level, "agi_session.dropped", session=self.session and self.session.id, reason=reason)
            self.close()

    def abort(self) -> None:
        self._is_closing = True
        self._transport.abortConnection()

    def look_around(self) -> None:
        """Once a second: has somebody kept us waiting too long?"""
        if self._is_closing:
            if self._server.clock.seconds() > self._give_up_at_s:
                self._transport.abortConnection()
        elif self.session is None:
            if self._server.clock.seconds() > self._give_up_at_s:
                self._refuse_or_drop("silent", "")
        elif self.session.conversation.is_overdue():
            self.drop("silent")
            self._transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_closing = True
        self._server.disconnected(self)
        self.ended.callback(None)

    def _refuse_or_drop(self, reason: str, detail: str) -> None:
        if self.session is not None:
            self.drop(reason)
            return
        self._server.counters.refused[reason] += 1
        log.warning("agi_connection.refused", reason=reason, detail=detail)
        self._is_closing = True
        self._transport.abortConnection()


class AgiFactory(Factory):
    noisy = False

    def __init__(self, server: AgiServer) -> None:
        self._server = server

    def buildProtocol(self, addr: IAddress | None) -> AgiConnection:
        return AgiConnection(self._server)

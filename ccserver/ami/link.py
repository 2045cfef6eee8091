"""The connection to one Asterisk's manager: it logs in, watches, comes back, asks and passes on; it decides nothing.

The only module that knows asyncio and panoramisk. panoramisk connects and logs in; what it does besides is kept from
happening here, each time for a reason that was seen:

* It sends unanswered actions again after a reconnect: an Originate from before would ring a phone nobody waits for.
  Here nothing is ever repeated; an action without an answer becomes `OutcomeUnknown`.
* It swallows each event whose ActionID is that of an action in progress, so an OriginateResponse would never be seen, and keeps
  unanswered actions for ever. So actions are sent, kept and timed here, in a table of our own.
* It closes the connection when a callback raises, drops a character that two packets share, and never looks whether its
  pings are answered.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from panoramisk import Manager
from panoramisk.actions import Action
from panoramisk.message import Message
from twisted.internet.defer import Deferred, gatherResults

from ccserver.ami.actions import ActionFields, ActionRefused, AmiCommand, action_id, actions_for, command_of, has_end
from ccserver.ami.digits import LEGS_MAX, BridgedLegs, KeyFilter
from ccserver.ami.lamps import PacedLamps
from ccserver.ami.observe import (
    CHANNELS,
    DEVICES,
    LIST_EVENTS,
    MEMBERS,
    ROOMS,
    ROWS_MAX,
    Listing,
    NoObservation,
    conferences_in,
    observation,
)
from ccserver.ami.protocol import FieldRefused, Fields, MessageReader, StreamBroken, StreamCounts, encode
from ccserver.ami.translate import READERS, DigitPressed, FarEndGone, Garbled, KeyDown, Scene, Spying, translate
from ccserver.core.commands import SetLamp
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    Event,
    LegDigit,
    LegEnded,
    LegEnteredBridge,
    LegLeftBridge,
    LegStranded,
    LinkLost,
    LinkUp,
    OutcomeUnknown,
)
from ccserver.core.ids import CommandId, LegId, PhoneId
from ccserver.core.observation import SPYING

_log = logging.getLogger(__name__)

WANTED = frozenset(READERS) | LIST_EVENTS
_NEVER_S = 10**8


class Timer(Protocol):
    """What the clock gives back for a call to come."""

    def active(self) -> bool: ...

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Twisted's IReactorTime, in the words of the type checker: the reactor, or a `task.Clock`."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, call: Callable[..., Any], /, *args: Any) -> Timer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTimes:
    """How long the link waits for what; all in seconds."""

    connect_s: float = 5.0
    login_s: float = 10.0
    """From the connection to `FullyBooted`; an Asterisk that is still starting answers the login, but says that later."""
    answer_s: float = 5.0
    list_s: float = 10.0
    ping_every_s: float = 5.0
    silence_max_s: float = 12.0
    """Without a single byte for so long, pings notwithstanding, the other end counts as dead."""
    back_off_first_s: float = 0.25
    back_off_max_s: float = 8.0


@dataclass(slots=True, kw_only=True)
class LinkCounts:
    """What happened since the start, for the metrics."""

    stream: StreamCounts = field(default_factory=StreamCounts)
    connected: int = 0
    failed_to_connect: int = 0
    lost: int = 0
    silent: int = 0
    logins_refused: int = 0
    streams_broken: int = 0
    actions_sent: int = 0
    actions_refused: int = 0
    actions_failed: int = 0
    actions_unanswered: int = 0
    late_answers: int = 0
    keys_repeated: int = 0
    events_garbled: int = 0
    observations: int = 0
    observations_failed: int = 0
    sink_errors: int = 0


@dataclass(slots=True)
class _Asked:
    """An action that waits for its answer. `rows` is a list only for those that are answered by one."""

    done: Callable[["_Answer | None"], None]
    timer: Timer
    rows: list[Fields] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    response: Fields
    rows: tuple[Fields, ...] = ()


class AmiLink:
    """One Asterisk's manager interface.

    `sink` takes core events, `digit_sink` the keys pressed on legs, and says whether an AGI session took them. A key that none
    took becomes a `LegDigit` where the core `listens_to` the leg and it is in a bridge. `clock` drives the time-outs; `mono_s`
    is the center's monotonic clock, for `PbxObserved.asked_at_s`. `phones` are those whose state is of interest, asked anew
    each time.
    """

    outstanding_max = 1000

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str,
        secret: str,
        pbx: str,
        incarnation: int,
        sink: Callable[[Event], None],
        digit_sink: Callable[[LegId, str], bool],
        listens_to: Callable[[LegId], bool] = lambda leg: False,
        clock: Clock,
        mono_s: Callable[[], float],
        phones: Callable[[], Collection[PhoneId]],
        times: LinkTimes | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._host, self._port, self._user, self._secret = host, port, user, secret
        self._pbx = pbx
        self._incarnation = incarnation
        self._sink, self._digit_sink = sink, digit_sink
        self._clock = clock
        self._mono_s = mono_s
        self._phones = phones
        self._times = times or LinkTimes()
        self._loop = loop
        self._manager: _Manager | None = None
        self._connection: _Connection | None = None
        self._asked: dict[str, _Asked] = {}
        self._listens_to = listens_to
        self._keys = KeyFilter()
        self._bridged = BridgedLegs()
        self._lamps = PacedLamps(clock, self._perform)
        self._leaving: dict[LegId, None] = {}
        """Legs whose far end has hung up and whose end is not told yet."""
        self._watch: Timer | None = None
        self._retry: Timer | None = None
        self._failures = 0
        self._asks = 0
        self._is_up = False
        self._is_stopped = False
        self._stopped: Deferred[None] | None = None
        self.counts = LinkCounts()
        self.version: str | None = None
        """The manager protocol's, as greeted ("11.0.0"); None before the first greeting."""
        self.refusal: str | None = None
        """Why the last login came to nothing, for the operator; None once one was taken."""

    # --- what the daemon calls ----------------------------------------------------------------------------------------
    @property
    def is_up(self) -> bool:
        """Logged in, and Asterisk has finished its start."""
        return self._is_up

    @property
    def outstanding(self) -> int:
        return len(self._asked)

    def start(self) -> None:
        """Connects, and again whenever that fails or ends, until `stop`. The loop must be set, but need not run yet."""
        if self._manager is not None:
            raise RuntimeError("the link was started before")
        self._manager = _Manager(self, self._loop or asyncio.get_event_loop())
        self._connect()

    def stop(self) -> Deferred[None]:
        """Closes the link and says nothing more to the sink. Fires when the connection is gone."""
        self._is_stopped = True
        self._lamps.forget()
        self._stopped = Deferred()
        stopped = self._stopped
        if self._manager is not None:
            self._manager.give_up()
        if self._connection is not None:
            self._connection.close()
        else:
            self._ended()
        return stopped

    def perform(self, command_id: CommandId, command: AmiCommand) -> None:
        """Sends one command; a lamp's at the pace of lamps. Its end reaches the sink, possibly before this returns; nothing is ever
        sent twice."""
        if not self._is_up:
            self._failed(command_id, f"no link to the manager of {self._pbx}", is_told=has_end(command))
        elif isinstance(command, SetLamp):
            self._lamps.set(command_id, command)
        else:
            self._perform(command_id, command)

    def _perform(self, command_id: CommandId, command: AmiCommand) -> None:
        if len(self._asked) >= self.outstanding_max:
            reason = f"{len(self._asked)} actions wait for an answer of {self._pbx}"
            self._failed(command_id, reason, is_told=has_end(command))
        else:
            try:
                self._send(command_id, actions_for(command), is_told=has_end(command))
            except (ActionRefused, FieldRefused) as refused:
                self.counts.actions_refused += 1
                self._failed(command_id, str(refused), is_told=has_end(command))

    def _send(self, command_id: CommandId, actions: tuple[ActionFields, ...], *, is_told: bool) -> None:
        """Sends the actions of one command together. It ends with the last one's answer, and fails with any of them."""
        given = action_id(self._incarnation, command_id)
        ids = [f"{given}.{place}" for place in range(1, len(actions))] + [given]
        messages = [encode((*fields, ("ActionID", each))) for each, fields in zip(ids, actions, strict=True)]
        answers: list[_Answer | None] = []

        def answered(answer: _Answer | None) -> None:
            answers.append(answer)
            if len(answers) == len(actions):
                self._settle(command_id, answers, is_told=is_told)

        for each, message in zip(ids, messages, strict=True):
            self._await(each, message, self._times.answer_s, answered)

    def observe(self) -> Deferred[bool]:
        """Reads the whole PBX. True when the sink got a `PbxObserved`; False (and no event) when any of it failed."""
        asked_at_s = self._mono_s()
        if not self._is_up:
            return self._observed_not("no link")
        both = gatherResults([self._list(CHANNELS), self._list(DEVICES)], consumeErrors=True)
        done: Deferred[bool] = Deferred()

        def read(answers: list[Listing | None]) -> None:
            channels, devices = answers
            if channels is None or devices is None:
                done.callback(self._no_observation("no whole answer"))
                return
            names = conferences_in(channels)
            if not names or not self._is_up:
                read_all(channels, devices, None, {})
                return
            asked = [self._list(ROOMS), *(self._list(MEMBERS, ("Conference", name)) for name in names)]
            rest = gatherResults(asked, consumeErrors=True)
            rest.addCallback(lambda given: read_all(channels, devices, given[0], dict(zip(names, given[1:], strict=True))))
            rest.addErrback(done.errback)

        def read_all(channels: Listing, devices: Listing, rooms: Listing | None, members: dict[str, Listing | None]) -> None:
            try:
                observed = observation(self._pbx, asked_at_s, channels, devices, self._phones(), rooms=rooms, members=members)
            except NoObservation as why:
                done.callback(self._no_observation(str(why)))
                return
            self.counts.observations += 1
            self._bridged.seen(c.leg for c in observed.channels if c.bridge is not None or c.application == SPYING)
            self._tell(observed)
            done.callback(True)

        both.addCallback(read)
        both.addErrback(done.errback)
        return done

    # --- asking -------------------------------------------------------------------------------------------------------
    def _ask(
        self,
        given: str,
        fields: Iterable[tuple[str, str]],
        timeout_s: float,
        done: Callable[["_Answer | None"], None],
        *,
        is_list: bool = False,
    ) -> None:
        """Sends an action and calls `done` exactly once: with the answer, or with None when there will be none."""
        self._await(given, encode((*fields, ("ActionID", given))), timeout_s, done, is_list=is_list)

    def _await(
        self,
        given: str,
        message: bytes,
        timeout_s: float,
        done: Callable[["_Answer | None"], None],
        *,
        is_list: bool = False,
    ) -> None:
        assert self._connection is not None
        timer = self._clock.callLater(timeout_s, self._unanswered, given)
        self._asked[given] = _Asked(done, timer, [] if is_list else None)
        self.counts.actions_sent += 1
        self._connection.write(message)

    def _take(self, given: str) -> _Asked | None:
        asked = self._asked.pop(given, None)
        if asked is not None:
            _cancel(asked.timer)
        return asked

    def _unanswered(self, given: str) -> None:
        asked = self._take(given)
        if asked is not None:
            self.counts.actions_unanswered += 1
            asked.done(None)

    def _settle(self, command_id: CommandId, answers: list["_Answer | None"], *, is_told: bool) -> None:
        refusals = [answer.response for answer in answers if answer and answer.response.get("Response") != "Success"]
        if None in answers:
            if is_told:
                self._tell(OutcomeUnknown(command=command_id))
        elif refusals:
            reason = _printable(refusals[0].get("Message", "")) or "refused without a reason"
            self._failed(command_id, reason, is_told=is_told)
        elif is_told:
            self._tell(CommandDone(command=command_id))

    def _failed(self, command_id: CommandId, reason: str, *, is_told: bool) -> None:
        self.counts.actions_failed += 1
        if is_told:
            self._tell(CommandFailed(command=command_id, reason=reason))
        else:
            _log.warning("pbx %s did not take a lamp, or a step of a recording or a conference: %s", self._pbx, reason)

    def _list(self, action: str, *fields: tuple[str, str]) -> Deferred[Listing | None]:
        """None: no whole answer, or a refusal, as for a conference that has just ended."""
        listed: Deferred[Listing | None] = Deferred()

        def done(answer: _Answer | None) -> None:
            whole = answer is not None and answer.response.get("EventList") == "Complete"
            listed.callback(Listing(answer.rows, answer.response) if answer is not None and whole else None)

        self._ask(self._own_id("list"), (("Action", action), *fields), self._times.list_s, done, is_list=True)
        return listed

    def _own_id(self, what: str) -> str:
        """An ActionID that no command has."""
        self._asks += 1
        return f"{what}-{self._incarnation}-{self._asks}"

    def _observed_not(self, why: str) -> Deferred[bool]:
        deferred: Deferred[bool] = Deferred()
        deferred.callback(self._no_observation(why))
        return deferred

    def _no_observation(self, why: str) -> bool:
        self.counts.observations_failed += 1
        if not self._is_stopped:
            _log.warning("pbx %s was not read: %s", self._pbx, why)
        return False

    # --- what the connection tells ------------------------------------------------------------------------------------
    def _received(self, messages: list[Fields]) -> None:
        scene = Scene(self._pbx, self._phones())
        for fields in messages:
            given = fields.get("ActionID")
            if given is not None and given in self._asked:
                self._answered(given, fields, scene)
            elif "Event" in fields:
                self._event(fields, scene)
            else:
                # The answer to an action that timed out: its end is told already, and an observation settles it.
                self.counts.late_answers += 1

    def _answered(self, given: str, fields: Fields, scene: Scene) -> None:
        asked = self._asked[given]
        if "Response" in fields and "Event" not in fields:
            if asked.rows is None or fields["Response"] != "Success":
                self._take(given)
                asked.done(_Answer(fields))
        elif asked.rows is None:
            # OriginateResponse ahead of the answer that Originate was queued (two threads of Asterisk write them): the one
            # proves the other. The answer that follows is late, and told already.
            if fields.get("Event") == "OriginateResponse" and command_of(given) is not None:
                self._take(given)
                asked.done(_Answer({"Response": "Success"}))
            self._event(fields, scene)
        elif "EventList" in fields:
            self._take(given)
            asked.done(_Answer(fields, tuple(asked.rows)))
        elif len(asked.rows) < ROWS_MAX:
            asked.rows.append(fields)
        else:
            self._take(given)
            asked.done(None)

    def _event(self, fields: Fields, scene: Scene) -> None:
        fact = translate(fields, scene)
        if fact is None:
            return
        if isinstance(fact, DigitPressed):
            if self._keys.is_pressed(fact.leg):
                self._guarded(self._pressed, fact)
            else:
                self.counts.keys_repeated += 1
        elif isinstance(fact, KeyDown):
            self._keys.begun(fact.leg)
        elif isinstance(fact, Spying):
            # Who hears a talk is in no bridge, and types keys as if in one.
            (self._bridged.entered if fact.is_on else self._bridged.left)(fact.leg)
        elif isinstance(fact, FarEndGone):
            if len(self._leaving) >= LEGS_MAX:
                del self._leaving[next(iter(self._leaving))]
            self._leaving[fact.leg] = None
        elif isinstance(fact, Garbled):
            self.counts.events_garbled += 1
            _log.warning("pbx %s sent %s without a sensible %s", self._pbx, fact.event, fact.field)
        elif isinstance(fact, LinkUp):
            self._booted(fact)
        else:
            if isinstance(fact, LegEnded):
                self._keys.forget(fact.leg)
                self._bridged.forget(fact.leg)
                self._leaving.pop(fact.leg, None)
            elif isinstance(fact, LegEnteredBridge):
                self._bridged.entered(fact.leg)
            elif isinstance(fact, LegLeftBridge):
                self._bridged.left(fact.leg)
            self._tell(fact)
            if isinstance(fact, LegEnteredBridge) and fact.leg in self._leaving:
                # Bridge() takes the caller out of AGI by a masquerade. A BYE in just that moment is acknowledged, told as
                # HangupRequest, and then lost: no Hangup follows, and the agent would talk to nobody until the RTP time-out.
                del self._leaving[fact.leg]
                self._tell(LegStranded(leg=fact.leg))

    def _pressed(self, key: DigitPressed) -> None:
        is_taken = self._digit_sink(key.leg, key.digit)
        if not is_taken and self._bridged.has(key.leg) and self._listens_to(key.leg):
            self._tell(LegDigit(leg=key.leg, digit=key.digit))

    def _booted(self, fact: LinkUp) -> None:
        if self._is_up:
            return
        self._is_up = True
        self._failures = 0
        self.refusal = None
        _log.info("pbx %s is up for %.0f s", self._pbx, fact.uptime_s)
        _cancel(self._watch)
        self._watch = self._clock.callLater(self._times.ping_every_s, self._ping)
        self._tell(fact)

    def _tell(self, event: Event) -> None:
        if not self._is_stopped:
            self._guarded(self._sink, event)

    def _guarded(self, callback: Callable[..., None], *arguments: Any) -> None:
        """An exception must not get into the transport: asyncio would close the connection and lose what follows."""
        try:
            callback(*arguments)
        except Exception:
            self.counts.sink_errors += 1
            _log.exception("an event of pbx %s was not taken", self._pbx)

    # --- the connection's life ----------------------------------------------------------------------------------------
    def _connect(self) -> None:
        assert self._manager is not None
        self._retry = None
        self._manager.dial()
        # panoramisk sets no limit for the connection itself: a lost SYN would wait for minutes.
        self._watch = self._clock.callLater(self._times.connect_s, self._manager.give_up)

    def _connect_failed(self, why: str) -> None:
        self.counts.failed_to_connect += 1
        _cancel(self._watch)
        if self._is_stopped:
            self._ended()
            return
        if self._failures == 0:
            _log.warning("no manager of pbx %s at %s:%d: %s", self._pbx, self._host, self._port, why)
        self._connect_later()

    def _connect_later(self) -> None:
        wait_s = min(self._times.back_off_max_s, self._times.back_off_first_s * 2 ** min(self._failures, 16))
        self._failures += 1
        self._retry = self._clock.callLater(wait_s, self._connect)

    def _connected(self, connection: "_Connection") -> None:
        if self._is_stopped:
            connection.close()
            return
        if not connection.is_open:
            # Closed, or found to be no AMI, before the loop came to tell us that it is there.
            self._connect_failed("closed at once")
            return
        self._connection = connection
        self.counts.connected += 1
        _cancel(self._watch)
        self._watch = self._clock.callLater(self._times.login_s, self._login_too_slow)

    def _login_too_slow(self) -> None:
        if self._connection is not None and self._connection.is_logged_in:
            self.refusal = (
                "logged in, but FullyBooted did not come: Asterisk is still starting, or the account may not read `system`"
            )
        self._silent("the login")

    def _login_refused(self, why: str) -> None:
        self.counts.logins_refused += 1
        self.refusal = _printable(why)
        _log.error("pbx %s refused the login of %s: %s", self._pbx, self._user, self.refusal)
        # Nobody mends a password within seconds; and Asterisk logs each attempt.
        self._failures = max(self._failures, 5)
        if self._connection is not None:
            self._connection.abort()

    def _ping(self) -> None:
        assert self._connection is not None
        silence_s = self._clock.seconds() - self._connection.heard_at_s
        if silence_s >= self._times.silence_max_s:
            self._silent(f"{silence_s:.0f} s")
            return
        self._ask(self._own_id("ping"), (("Action", "Ping"),), self._times.answer_s, lambda _: None)
        self._watch = self._clock.callLater(self._times.ping_every_s, self._ping)

    def _silent(self, what: str) -> None:
        self.counts.silent += 1
        _log.warning("the manager of pbx %s says nothing (%s)", self._pbx, what)
        if self._connection is not None:
            # Not close(): what is still to be written would keep a dead connection open.
            self._connection.abort()

    def _connection_lost(self, connection: "_Connection", why: str) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        _cancel(self._watch)
        was_up, self._is_up = self._is_up, False
        self._lamps.forget()
        self._bridged = BridgedLegs()
        for given in list(self._asked):
            asked = self._take(given)
            if asked is not None:
                asked.done(None)
        if self._is_stopped:
            self._ended()
            return
        self.counts.lost += 1
        if was_up:
            _log.warning("the link to pbx %s is lost: %s", self._pbx, why)
            self._tell(LinkLost(pbx=self._pbx))
        self._connect_later()

    def _ended(self) -> None:
        _cancel(self._watch)
        _cancel(self._retry)
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)


class _Everything:
    """As panoramisk's `forgetable_actions`: forget each of them, repeat none."""

    def __contains__(self, action: object) -> bool:
        return True


class _Manager(Manager):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's manager, with its reconnects and pings left to the link."""

    pinger: Any

    def __init__(self, link: AmiLink, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            host=link._host,
            port=link._port,
            username=link._user,
            secret=link._secret,
            loop=loop,
            log=_log,
            protocol_factory=lambda: _Connection(link),
            forgetable_actions=_Everything(),
            ping_delay=_NEVER_S,
            ping_interval=_NEVER_S,
        )
        self._link = link
        self._dialling: asyncio.Task[Any] | None = None

    def dial(self) -> None:
        self.protocol = None
        self._dialling = self.connect()

    def give_up(self) -> None:
        """Ends an attempt to connect, if there is one."""
        if self._dialling is not None and not self._dialling.done():
            self._dialling.cancel()

    def connection_made(self, task: Any) -> None:
        # panoramisk would come back by itself, after a fixed time and with a timer that nobody can stop.
        if task.cancelled():
            self._link._connect_failed("no answer in time")
        elif (error := task.exception()) is not None:
            self._link._connect_failed(str(error))
        else:
            _, connection = task.result()
            self._link._connected(connection)
            if connection.is_open:
                super().connection_made(task)
                self.ping()

    def ping(self) -> None:
        """Nothing: the link pings, and looks for the answer. Takes back the timer that panoramisk has just set for it."""
        if self.pinger is not None:
            self.pinger.cancel()
            self.pinger = None

    def login(self, future: Any) -> Any:
        try:
            return super().login(future)
        finally:
            self.ping()


class _Connection(asyncio.Protocol):
    """One TCP connection, as panoramisk's `protocol_factory` wants it; panoramisk sends its Login through `send`."""

    # Set by panoramisk's manager on each connection.
    queue: Any
    factory: Any
    log: Any
    config: Any
    encoding: str
    responses: dict[str, Any]

    def __init__(self, link: AmiLink) -> None:
        self._link = link
        self._reader = MessageReader(WANTED, link.counts.stream)
        self._transport: asyncio.Transport | None = None
        self._login: Any = None
        self.heard_at_s = link._clock.seconds()
        self.is_open = False
        self.is_logged_in = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_open = True

    def send(self, data: Any, as_list: bool | None = None) -> "asyncio.Future[Any]":
        """Sends panoramisk's one action of its own, the Login. Its future ends with the answer, or never."""
        action = data if isinstance(data, Action) else Action(data, as_list=as_list)
        self._login = action
        self.write(encode([(key, str(value)) for key, value in action.items()]))
        return action.future  # type: ignore[no-any-return]

    def write(self, message: bytes) -> None:
        if self._transport is not None and self.is_open:
            self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        link = self._link
        self.heard_at_s = link._clock.seconds()
        try:
            messages = self._reader.feed(data)
        except StreamBroken as broken:
            link.counts.streams_broken += 1
            _log.warning("the manager's stream is broken: %s", broken)
            self.abort()
            return
        link.version = self._reader.version
        if self._login is not None and messages:
            messages = [fields for fields in messages if not self._is_login_answer(fields)]
        if self.is_open and messages:
            link._guarded(link._received, messages)

    def _is_login_answer(self, fields: Fields) -> bool:
        login = self._login
        if login is None or not _is_response_to(fields, login.id):
            return False
        self._login = None
        answer = Message(fields)
        login.future.set_result(answer)
        if answer.success:
            self.is_logged_in = True
        else:
            self._link._login_refused(fields.get("Message", "without a reason"))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._link._connection_lost(self, str(exc) if exc else "closed by the other end")

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()


def _is_response_to(fields: Fields, given: str) -> bool:
    return "Response" in fields and "Event" not in fields and fields.get("ActionID") == given


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:200]


def _cancel(call: Timer | None) -> None:
    if call is not None and call.active():
        call.cancel()

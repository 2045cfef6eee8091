"""Both of our edges on a real Asterisk, without the core: a test gives commands by hand and reads what the core would be told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from ccserver.agi.numbers import Numbering
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.server import AgiServer
from ccserver.ami.actions import AmiCommand
from ccserver.ami.link import AmiLink
from ccserver.core.commands import (
    AnswerCall,
    EndSession,
    HangUpLeg,
    JoinLeg,
    Move,
    Next,
    Place,
    RedirectLegs,
    RingAgent,
    Say,
    WaitUntil,
)
from ccserver.core.events import CallArrived, CommandDone, CommandFailed, Event, LegEnteredBridge, LegParked, LegStarted, LinkUp
from ccserver.core.ids import AgentId, CommandId, InteractionId, Language, LegId, PhoneId, QueueId, SessionId
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from harness.waiting import PATIENCE_S, until

EN = Language("en")
PBX = "pbx"
PHONES = tuple(PhoneId(f"PJSIP/{number}") for number in range(1001, 1009))
E = TypeVar("E", bound=Event)


class Ear:
    """What a phone has heard so far: its recording, which is still being written."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def ms(self, hz: int) -> int:
        return audio.total_ms(audio.heard(self.file, [hz])[hz]) if self.file.exists() else 0

    def spans(self, hz: int) -> list[audio.Span]:
        """When the tone was heard."""
        return audio.heard(self.file, [hz])[hz]

    def samples(self) -> Sequence[int]:
        """All there is so far."""
        return audio.read(self.file)[1][0] if self.file.exists() else []

    async def hears(self, *tones: int, ms: int = 400) -> None:
        """Waits until each of the tones was heard for so much longer than now."""
        goals = {hz: self.ms(hz) + ms for hz in tones}
        await until(lambda: all(self.ms(hz) >= goal for hz, goal in goals.items()), what=f"{tones} Hz in {self.file.name}")


class Edges:
    """The AGI server and the AMI link. `events` is all that the core would be told, in order."""

    def __init__(self, reactor: AsyncioSelectorReactor, pbx: Asterisk, prompts: Path, incarnation: int) -> None:
        values = pbx.plan.values
        self.events: list[Event] = []
        self.channels: dict[LegId, str] = {}
        self.listened_to: set[LegId] = set()
        self.pin_hashes: dict[AgentId, str] = {}
        self.discarded: list[str] = []
        self.incarnation = incarnation
        self._legs = 0
        self._commands = 0
        self._places: dict[type[Event], int] = {}
        self.server = AgiServer(
            clock=reactor,
            sink=self._take,
            pbx=PBX,
            incarnation=incarnation,
            secret=values.agi_secret,
            prompts=PromptPaths(asterisk_dir=prompts, local_dir=prompts, default_language=EN),
            numbering=lambda: Numbering(country="ES"),
            phones=lambda: PHONES,
            pin_hash=self.pin_hashes.get,
            defer_to_thread=_on_a_thread,
            discard=self.discarded.append,
        )
        self.endpoint = TCP4ServerEndpoint(reactor, values.agi_port, interface="127.0.0.1")
        self.link = AmiLink(
            host="127.0.0.1",
            port=values.ami_port,
            user="ccserver",
            secret=values.ami_secret,
            pbx=PBX,
            incarnation=incarnation,
            sink=self._take,
            digit_sink=self.server.digit,
            listens_to=lambda leg: leg in self.listened_to,
            clock=reactor,
            mono_s=time.monotonic,
            phones=lambda: PHONES,
        )

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, LegStarted | CallArrived):
            self.channels[event.leg] = event.channel
        elif isinstance(event, LinkUp):
            self.server.ami_listens(True)

    def of(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and where(event)]

    async def next(self, kind: type[E], where: Callable[[E], bool] = lambda _: True, deadline_s: float = PATIENCE_S) -> E:
        """The next event of this kind for which `where` holds, after the last one of this kind that was waited for."""

        def look() -> E | None:
            for place in range(self._places.get(kind, 0), len(self.events)):
                event = self.events[place]
                if isinstance(event, kind) and where(event):
                    self._places[kind] = place + 1
                    return event
            return None

        try:
            found = await until(look, deadline_s, what=kind.__name__)
        except AssertionError as error:
            shown = "\n  ".join(str(event) for event in self.events[-25:])
            raise AssertionError(f"{error}; {self.server.counters} {self.link.counts}\n  {shown}") from None
        assert found is not None
        return found

    # --- commands -----------------------------------------------------------------------------------------------------
    def new_leg(self) -> LegId:
        self._legs += 1
        return LegId(PBX, f"cc{PBX}-{self.incarnation:06d}-{self._legs:08d}")

    def verb(self, verb: object) -> CommandId:
        """A verb of a session, or an action whose end the test does not wait for."""
        self._commands += 1
        command = CommandId(self._commands, 0)
        if hasattr(verb, "session"):
            self.server.perform(command, verb)  # type: ignore[arg-type]
        else:
            self.link.perform(command, verb)  # type: ignore[arg-type]
        return command

    async def act(self, action: AmiCommand) -> None:
        """An action, to its end: done."""
        command = self.verb(action)
        await until(lambda: CommandDone(command=command) in self.events, what=f"{action} done; {self.of(CommandFailed)}")

    def say(self, session: SessionId, *prompts: str) -> CommandId:
        return self.verb(Say(session=session, say=spoken(*prompts), language=EN))

    def music(self, session: SessionId) -> CommandId:
        return self.verb(WaitUntil(session=session, music="cc-wait"))

    def end(self, session: SessionId, what: Next = Next.HANG_UP) -> CommandId:
        return self.verb(EndSession(session=session, next=what))

    async def customer(self) -> CallArrived:
        """The next caller, picked up, with music."""
        arrived = await self.next(CallArrived)
        self.verb(AnswerCall(session=arrived.session))
        self.music(arrived.session)
        return arrived

    def ring(self, number: str, place: Place, caller: LegId | None = None, recording: str = "") -> LegId:
        leg = self.new_leg()
        self.verb(
            RingAgent(
                leg=leg,
                interaction=InteractionId(1),
                agent=AgentId("101"),
                phone=PhoneId(f"PJSIP/{number}"),
                queue=QueueId("sales"),
                caller=caller or LegId(PBX, "none"),
                caller_channel=self.channels[caller] if caller else "",
                number="+34911234567",
                name="Sales",
                ring_timeout_s=5.0,
                max_talk_s=60.0,
                recording=recording,
                auto_answer=False,
                place=place,
            )
        )
        return leg

    async def join(self, leg: LegId, caller: LegId, *, is_kept: bool = False, recording: str = "") -> None:
        """Joins, and waits until both are in one bridge."""
        self._places[LegEnteredBridge] = len(self.events)
        await self.act(
            JoinLeg(
                leg=leg,
                channel=self.channels[leg],
                caller=caller,
                caller_channel=self.channels[caller],
                recording=recording,
                max_talk_s=60.0,
                is_kept=is_kept,
            )
        )
        await self.together(leg, caller)

    async def together(self, leg: LegId, caller: LegId) -> None:
        mine = await self.next(LegEnteredBridge, lambda event: event.leg == leg)

        def both() -> bool:
            wanted = LegEnteredBridge(leg=caller, bridge=mine.bridge)
            return wanted in self.events

        await until(both, what=f"{caller} in the bridge of {leg}")

    async def parked(self, leg: LegId) -> None:
        await self.next(LegParked, lambda event: event.leg == leg)

    def move(self, leg: LegId, place: Place, room: str = "") -> Move:
        return Move(leg=leg, channel=self.channels[leg], place=place, room=room)

    async def redirect(self, *moves: Move) -> None:
        await self.act(RedirectLegs(moves=moves))

    async def hang_up(self, leg: LegId) -> None:
        await self.act(HangUpLeg(leg=leg))


def spoken(*prompts: str) -> tuple[Spoken, ...]:
    return tuple(Spoken(SpokenKind.PROMPT, name) for name in prompts)


def _on_a_thread(work: Callable[[], bool]) -> "Deferred[bool]":
    loop = asyncio.get_running_loop()
    return Deferred.fromFuture(asyncio.ensure_future(loop.run_in_executor(None, work)))


@asynccontextmanager
async def edges_of(pbx: Asterisk, prompts: Path, incarnation: int) -> AsyncIterator[Edges]:
    """The edges, linked. Nothing was garbled, refused or dropped out of order at the end."""
    loop = asyncio.get_running_loop()
    edges = Edges(AsyncioSelectorReactor(loop), pbx, prompts, incarnation)
    await Deferred.fromCoroutine(edges.server.listen(edges.endpoint)).asFuture(loop)
    edges.link.start()
    try:
        await edges.next(LinkUp)
        yield edges
    finally:
        await Deferred.fromCoroutine(edges.server.stop()).asFuture(loop)
        stopped = edges.link.stop()
        if stopped is not None:
            await stopped.asFuture(loop)
    assert edges.link.counts.events_garbled == 0
    assert edges.link.counts.sink_errors == edges.server.counters.faults == 0
    assert not edges.server.counters.refused
    assert edges.link.counts.actions_refused == 0

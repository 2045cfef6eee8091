"""Our AMI link against a real Asterisk, with the account and the dialplan that ccserver ships, and real phones.

The daemon's part is small: a FastAGI that keeps the caller on the line, and a list that takes what the link tells.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT, password_of
from harness.fastagi import FastAgi, Session
from harness.waiting import PATIENCE_S, until

from ccserver.ami.link import AmiLink, LinkTimes
from ccserver.core.commands import HangUpLeg, RingAgent
from ccserver.core.events import (
    CommandDone,
    CommandFailed,
    Event,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegHeld,
    LegLeftBridge,
    LegRinging,
    LegStarted,
    LegUnheld,
    LinkLost,
    LinkUp,
    OutcomeUnknown,
    PbxObserved,
    RingEnded,
)
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId, QueueId
from ccserver.core.records import PhoneState
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneFailed, PhoneProcess

TIMES = LinkTimes(answer_s=1.0, ping_every_s=0.3, silence_max_s=3.0, back_off_first_s=0.05, back_off_max_s=0.3)
PHONES = tuple(PhoneId(f"PJSIP/{number}") for number in (1001, 1002, 1003))
CALLER = "+15551234"
AGENT_HZ = 1030


class _Timer:
    def __init__(self, handle: asyncio.TimerHandle) -> None:
        self._handle = handle

    def active(self) -> bool:
        return not self._handle.cancelled() and self._handle.when() > asyncio.get_running_loop().time()

    def cancel(self) -> None:
        self._handle.cancel()


class _LoopClock:
    """The running loop's time as the link wants it."""

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()

    def callLater(self, delay: float, call: Callable[..., Any], /, *args: Any) -> _Timer:
        return _Timer(asyncio.get_running_loop().call_later(delay, call, *args))


@dataclass
class Edge:
    """A link, and what it told."""

    events: list[Event] = field(default_factory=list)
    digits: list[tuple[LegId, str]] = field(default_factory=list)
    link: AmiLink = field(init=False)

    def take_digit(self, leg: LegId, digit: str) -> bool:
        self.digits.append((leg, digit))
        return False

    def of(self, kind: type[Any], leg: LegId | None = None) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and (leg is None or event.leg == leg)]

    async def got(self, kind: type[Any], leg: LegId | None = None, count: int = 1, deadline_s: float = PATIENCE_S) -> Any:
        try:
            await until(lambda: len(self.of(kind, leg)) >= count, deadline_s, what=f"{count} {kind.__name__}")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.events}\n{self.link.counts}") from None
        return self.of(kind, leg)[count - 1]

    async def observed(self) -> PbxObserved:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.link.observe().addCallback(done.set_result)
        assert await asyncio.wait_for(done, PATIENCE_S), self.link.counts
        view: PbxObserved = self.of(PbxObserved)[-1]
        return view


@asynccontextmanager
async def edge(pbx: Asterisk, *, secret: str | None = None) -> AsyncIterator[Edge]:
    made = Edge()
    made.link = AmiLink(
        host="127.0.0.1",
        port=pbx.plan.values.ami_port,
        user="ccserver",
        secret=secret or pbx.plan.values.ami_secret,
        pbx="pbx",
        incarnation=3,
        sink=made.events.append,
        digit_sink=made.take_digit,
        clock=_LoopClock(),
        mono_s=lambda: asyncio.get_running_loop().time(),
        phones=lambda: PHONES,
        times=TIMES,
    )
    made.link.start()
    try:
        yield made
    finally:
        stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made.link.stop().addCallback(stopped.set_result)
        await asyncio.wait_for(stopped, PATIENCE_S)
        assert made.link.outstanding == 0
    assert made.link.counts.events_garbled == 0
    assert made.link.counts.stream.garbled == 0


@dataclass
class Waiting:
    """A customer on the line, held by AGI."""

    phone: Phone
    leg: LegId
    channel: str


@asynccontextmanager
async def a_waiting_caller(phones: PhoneProcess) -> AsyncIterator[Waiting]:
    """A customer who has called; whoever comes back to AGI, or to wrap-up, is sent home."""
    held: list[Session] = []

    async def serve(session: Session) -> None:
        if session.place == "inbound" and not held:
            held.append(session)
            await session.hold_the_line()
        else:
            await session.next_is("bye")
            session.close()

    async with FastAgi(AGI_PORT) as agi:
        agi.handler = serve
        caller = await phones.trunk_caller("caller", number=CALLER)
        await caller.call("5551000")
        await caller.wait("up")
        request = held[0].request
        yield Waiting(caller, LegId("pbx", request["agi_uniqueid"]), request["agi_channel"])
        if not caller.has("ended"):
            with suppress(PhoneFailed):  # it may be ending by itself just now: its second session said bye
                await caller.hangup()
            await caller.wait("ended")


def a_leg(number: int) -> LegId:
    return LegId("pbx", f"ccpbx-000003-{number:08d}")


def ring(leg: LegId, caller: Waiting, phone: str = "1001", **changed: Any) -> RingAgent:
    fields: dict[str, Any] = {
        "leg": leg,
        "interaction": InteractionId(1),
        "agent": AgentId("7"),
        "phone": PhoneId(f"PJSIP/{phone}"),
        "queue": QueueId("sales"),
        "caller": caller.leg,
        "caller_channel": caller.channel,
        "number": CALLER,
        "name": "Sales",
        "ring_timeout_s": 5.0,
        "max_talk_s": 60.0,
        "recording": "",
        "auto_answer": False,
    }
    return RingAgent(**(fields | changed))


async def desk(phones: PhoneProcess, number: str, **fields: object) -> Phone:
    return await phones.phone(number, password=password_of(number), **fields)


async def test_the_shipped_account_is_enough_to_log_in_and_to_read_everything(pbx: Asterisk, phones: PhoneProcess) -> None:
    async with edge(pbx) as ami:
        up = await ami.got(LinkUp)
        assert up.pbx == "pbx"
        assert 0 <= up.uptime_s < 600
        await desk(phones, "1001")

        async def idle() -> PbxObserved | None:
            # The phone has its 200 before Asterisk has told itself that the device is there.
            view = await ami.observed()
            return view if view.phones[PhoneId("PJSIP/1001")] is PhoneState.IDLE else None

        view = await until(idle, what="an idle phone")
        assert view is not None
        assert view.channels == ()
        assert view.phones[PhoneId("PJSIP/1003")] is PhoneState.UNAVAILABLE
        assert view.asked_at_s <= asyncio.get_running_loop().time()


async def test_a_wrong_secret_is_named(pbx: Asterisk) -> None:
    async with edge(pbx, secret="not-the-secret") as ami:
        await until(lambda: ami.link.refusal, what="a refusal")
        assert ami.link.refusal == "Authentication failed"
        assert ami.events == []


async def test_ring_answer_talk_and_hang_up(pbx: Asterisk, phones: PhoneProcess, tmp_path: Path) -> None:
    leg = a_leg(1)
    desk_phone = await desk(phones, "1001")
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        hostile = 'Zoë, "A" <b>;${SHELL(id)}'
        ami.link.perform(CommandId(10, 2), ring(leg, caller, name=hostile, auto_answer=True))
        incoming = await desk_phone.wait("incoming")
        assert '"Zoë, A b SHELL(id)" <sip:+15551234@' in str(incoming["headers"])
        assert "answer-after=0" in str(incoming["headers"])
        await desk_phone.answer()
        await ami.got(LegEnteredBridge, leg)
        bridge = (await ami.got(LegEnteredBridge, caller.leg)).bridge

        view = await ami.observed()
        assert {(channel.leg, channel.bridge, channel.is_up) for channel in view.channels} == {
            (leg, bridge, True),
            (caller.leg, bridge, True),
        }
        assert next(channel.context for channel in view.channels if channel.leg == leg) == "cc-agent"
        assert view.phones[PhoneId("PJSIP/1001")] is PhoneState.IN_USE

        await desk_phone.hold()
        await ami.got(LegHeld, leg)
        await desk_phone.unhold()
        await ami.got(LegUnheld, leg)
        await desk_phone.hangup()
        assert (await ami.got(LegEnded, leg)).cause == 16
        # The caller came back to AGI, and was sent home.
        await ami.got(LegEnded, caller.leg)

        kinds = [type(event) for event in ami.events if getattr(event, "leg", None) == leg]
        # When OriginateResponse comes is Asterisk's affair; all else is in order.
        assert [kind for kind in kinds if kind is not RingEnded] == [
            LegStarted,
            LegRinging,
            LegAnswered,
            LegEnteredBridge,
            LegHeld,
            LegUnheld,
            LegLeftBridge,
            LegEnded,
        ]
        assert ami.of(RingEnded) == [RingEnded(command=CommandId(10, 2), leg=leg, is_ok=True, reason=4)]
        assert ami.of(CommandDone) == [CommandDone(command=CommandId(10, 2))]


@pytest.mark.parametrize(("number", "code", "end"), [(2, 486, (17, 486)), (3, 603, (21, 603)), (4, None, (19, 480))])
async def test_a_phone_that_does_not_take_the_call(
    pbx: Asterisk, phones: PhoneProcess, number: int, code: int | None, end: tuple[int, int]
) -> None:
    leg = a_leg(number)
    desk_phone = await desk(phones, "1001")
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        ami.link.perform(CommandId(number, 0), ring(leg, caller, ring_timeout_s=1.0))
        await desk_phone.wait("incoming")
        if code is not None:
            await desk_phone.answer(code)
        assert await ami.got(LegEnded, leg) == LegEnded(leg=leg, cause=end[0], tech_cause=end[1])
        ended = await ami.got(RingEnded, leg)
        assert (ended.command, ended.is_ok) == (CommandId(number, 0), False)


async def test_a_phone_that_is_not_there_has_no_leg(pbx: Asterisk, phones: PhoneProcess) -> None:
    leg = a_leg(5)
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        ami.link.perform(CommandId(5, 0), ring(leg, caller, "1003"))
        assert not (await ami.got(RingEnded, leg)).is_ok
        assert ami.of(LegStarted) == []
        assert [type(event) for event in ami.events if getattr(event, "command", None)] == [CommandDone, RingEnded]


async def test_cancel_while_it_rings_and_hang_up_what_is_gone(pbx: Asterisk, phones: PhoneProcess) -> None:
    leg = a_leg(6)
    desk_phone = await desk(phones, "1001")
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        ami.link.perform(CommandId(6, 0), ring(leg, caller))
        await desk_phone.wait("incoming")
        ami.link.perform(CommandId(6, 1), HangUpLeg(leg=leg))
        await desk_phone.wait("ended")
        await ami.got(LegEnded, leg)
        assert CommandDone(command=CommandId(6, 1)) in ami.events
        ami.link.perform(CommandId(6, 2), HangUpLeg(leg=leg))
        assert await ami.got(CommandFailed) == CommandFailed(command=CommandId(6, 2), reason="No such channel")


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_each_key_counts_once_whatever_the_phone_does(
    pbx: Asterisk, phones: PhoneProcess, method: str, shared_directory: Path
) -> None:
    """After a hold Asterisk ends the last RFC 4733 key again; an INFO key has no beginning."""
    leg = a_leg(8 if method == "info" else 9)
    desk_phone = await desk(phones, "1001", answer_after_ms=0, tone_hz=AGENT_HZ)
    recording = shared_directory / method
    spoken = shared_directory / f"{method}-agent.wav"
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        ami.link.perform(CommandId(8, 0), ring(leg, caller, recording=str(recording)))
        await ami.got(LegEnteredBridge, leg)
        # Keys are RTP too, and the first packets of a stream are not trusted: the audio must have got through.
        await until(
            lambda: spoken.exists() and audio.total_ms(audio.heard(spoken, [AGENT_HZ])[AGENT_HZ]) >= 300,
            what="the agent's tone",
        )
        await desk_phone.dtmf("5#", method=method)
        await until(lambda: len(ami.digits) >= 2, what="two keys")
        await desk_phone.hold()
        await ami.got(LegHeld, leg)
        await desk_phone.unhold()
        await ami.got(LegUnheld, leg)
        await desk_phone.dtmf("7", method=method)
        await until(lambda: (leg, "7") in ami.digits, what="the last key")
        assert ami.digits == [(leg, "5"), (leg, "#"), (leg, "7")]
        await desk_phone.hangup()
        await ami.got(LegEnded, leg)


async def test_an_answer_after_the_time_out_changes_nothing_and_the_ring_is_told(pbx: Asterisk, phones: PhoneProcess) -> None:
    leg = a_leg(10)
    desk_phone = await desk(phones, "1001")
    async with edge(pbx) as ami, a_waiting_caller(phones) as caller:
        await ami.got(LinkUp)
        os.kill(pbx.pid, signal.SIGSTOP)
        try:
            ami.link.perform(CommandId(11, 0), ring(leg, caller))
            assert await ami.got(OutcomeUnknown) == OutcomeUnknown(command=CommandId(11, 0))
        finally:
            os.kill(pbx.pid, signal.SIGCONT)
        await ami.got(LegStarted, leg)
        await desk_phone.wait("incoming")
        await desk_phone.answer(486)
        assert (await ami.got(RingEnded, leg)).command == CommandId(11, 0)
        assert ami.of(CommandDone) == []
        assert ami.link.counts.late_answers >= 1
        assert ami.of(LinkLost) == []


async def test_asterisk_dies_in_mid_action_and_nothing_is_dialled_after_its_restart(
    pbx: Asterisk, phones: PhoneProcess
) -> None:
    async with edge(pbx) as ami:
        desk_phone = await desk(phones, "1001")
        other = await desk(phones, "1002")
        nobody = Waiting(desk_phone, LegId("pbx", "1.1"), "PJSIP/carrier-00000000")
        before = await ami.got(LinkUp)
        os.kill(pbx.pid, signal.SIGSTOP)
        # Written to a frozen Asterisk, without an answer, when the link breaks: what stock panoramisk sends again.
        ami.link.perform(CommandId(12, 0), ring(a_leg(11), nobody))
        pbx.kill()
        await ami.got(LinkLost)
        assert ami.of(OutcomeUnknown) == [OutcomeUnknown(command=CommandId(12, 0))]
        ami.link.perform(CommandId(13, 0), ring(a_leg(12), nobody))
        assert "no link" in (await ami.got(CommandFailed)).reason
        pbx.start()
        after = await ami.got(LinkUp, count=2)
        assert after.uptime_s <= before.uptime_s + 5
        await desk_phone.register()
        await other.register()
        # A mark: had anything been sent again, it would have come before this.
        ami.link.perform(CommandId(14, 0), ring(a_leg(13), nobody, "1002"))
        await other.wait("incoming")
        await other.answer(486)
        await ami.got(RingEnded, a_leg(13))
        assert [event.leg for event in ami.of(LegStarted)] == [a_leg(13)]
        assert not desk_phone.has("incoming")


async def test_a_frozen_asterisk_is_noticed_and_found_again(pbx: Asterisk) -> None:
    async with edge(pbx) as ami:
        await ami.got(LinkUp)
        os.kill(pbx.pid, signal.SIGSTOP)
        try:
            await ami.got(LinkLost)
            assert ami.link.counts.silent >= 1
        finally:
            os.kill(pbx.pid, signal.SIGCONT)
        await ami.got(LinkUp, count=2)

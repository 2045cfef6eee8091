"""The AGI edge and the digits of the AMI link against a real Asterisk and a real phone; the test is the core."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import structlog.testing
from conftest import AGI_PORT, password_of
from harness.observer import Observer
from harness.waiting import PATIENCE_S, until
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from ccserver.agi.numbers import Numbering
from ccserver.agi.prompts import PromptPaths
from ccserver.agi.secrets import hash_pin
from ccserver.agi.server import AgiServer
from ccserver.ami.link import AmiLink
from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.commands import AnswerCall, Collect, CollectSecret, EndSession, Next, Say, WaitUntil
from ccserver.core.events import (
    CallArrived,
    CommandDone,
    DigitsCollected,
    Event,
    FeatureDialled,
    LinkUp,
    PromptEnded,
    SecretChecked,
    SessionClosed,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import AgentId, CommandId, Language, LegId, PhoneId, SessionId
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

MUSIC_HZ, PROMPT_HZ = 480, 850
PROMPT_MS = 2000
EN = Language("en")
E = TypeVar("E", bound=Event)


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    audio.write_tone(shared_directory / "prompts" / "en" / "menu.wav", PROMPT_HZ, PROMPT_MS)
    audio.write_tone(shared_directory / "prompts" / "en" / "beep.wav", PROMPT_HZ, 150)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        unavailable_prompt=str(shared_directory / "prompts" / "en" / "menu"),
        fallback_prompt=str(shared_directory / "prompts" / "en" / "menu"),
        fallback_after_s=30,
    )


class Edge:
    """AGI server and AMI link on the test's loop; commands go in by hand, events come out in order."""

    def __init__(self, reactor: AsyncioSelectorReactor, values: AsteriskValues, prompts: Path) -> None:
        self.events: list[Event] = []
        self.told: list[str] = []
        self.pin_hashes: dict[AgentId, str] = {}
        self._commands = 0
        self._next = 0
        self.server = AgiServer(
            clock=reactor,
            sink=self.events.append,
            pbx="pbx",
            incarnation=1,
            secret=values.agi_secret,
            prompts=PromptPaths(asterisk_dir=prompts, local_dir=prompts, default_language=EN),
            numbering=lambda: Numbering(country="US"),
            phones=lambda: {PhoneId("PJSIP/1001")},
            pin_hash=self.pin_hashes.get,
            defer_to_thread=_on_a_thread,
        )
        self.endpoint = TCP4ServerEndpoint(reactor, values.agi_port, interface="127.0.0.1")
        self.link = AmiLink(
            host="127.0.0.1",
            port=values.ami_port,
            user="ccserver",
            secret=values.ami_secret,
            pbx="pbx",
            incarnation=1,
            sink=self._from_ami,
            digit_sink=self._digit,
            clock=reactor,
            mono_s=time.monotonic,
            phones=frozenset,
        )

    def _from_ami(self, event: Event) -> None:
        if isinstance(event, LinkUp):
            self.events.append(event)

    def _digit(self, leg: LegId, digit: str) -> bool:
        self.told.append(digit)
        return self.server.digit(leg, digit)

    async def next(self, kind: type[E], deadline_s: float = PATIENCE_S) -> E:
        """The next event of this kind after the last one waited for."""

        def look() -> E | None:
            for index in range(self._next, len(self.events)):
                event = self.events[index]
                if isinstance(event, kind):
                    self._next = index + 1
                    return event
            return None

        try:
            found = await until(look, deadline_s, what=kind.__name__)
        except AssertionError as error:
            raise AssertionError(f"{error}; events: {self.events}; {self.server.counters}") from None
        assert found is not None
        return found

    def perform(self, verb: AnswerCall | Say | Collect | CollectSecret | WaitUntil | EndSession) -> CommandId:
        self._commands += 1
        command = CommandId(self._commands, 0)
        self.server.perform(command, verb)
        return command

    def say(self, session: SessionId, *prompts: str, stop: str = "") -> CommandId:
        return self.perform(Say(session=session, say=_prompts(*prompts), language=EN, stop_digits=stop))

    def collect(self, session: SessionId, *prompts: str, can_interrupt: bool = True, max_digits: int = 4) -> CommandId:
        return self.perform(
            Collect(
                session=session,
                say=_prompts(*prompts),
                language=EN,
                max_digits=max_digits,
                first_timeout_s=6.0,
                next_timeout_s=3.0,
                can_interrupt=can_interrupt,
            )
        )

    def wait(self, session: SessionId, timeout_s: float | None = None) -> CommandId:
        return self.perform(WaitUntil(session=session, music="cc-wait", timeout_s=timeout_s))

    def end(self, session: SessionId) -> CommandId:
        return self.perform(EndSession(session=session, next=Next.HANG_UP))

    async def answered(self) -> CallArrived:
        """The next caller, picked up."""
        arrived = await self.next(CallArrived)
        self.perform(AnswerCall(session=arrived.session))
        await self.next(CommandDone)
        return arrived


def _prompts(*names: str) -> tuple[Spoken, ...]:
    return tuple(Spoken(SpokenKind.PROMPT, name) for name in names)


def _on_a_thread(work: Callable[[], bool]) -> "Deferred[bool]":
    loop = asyncio.get_running_loop()
    return Deferred.fromFuture(asyncio.ensure_future(loop.run_in_executor(None, work)))


@asynccontextmanager
async def _edge(pbx: Asterisk, shared_directory: Path) -> AsyncIterator[Edge]:
    loop = asyncio.get_running_loop()
    edge = Edge(AsyncioSelectorReactor(loop), pbx.plan.values, shared_directory / "prompts")
    await Deferred.fromCoroutine(edge.server.listen(edge.endpoint)).asFuture(loop)
    edge.link.start()
    try:
        # A caller may have arrived before: `next` must not pass over that.
        await until(lambda: any(isinstance(event, LinkUp) for event in edge.events), what="LinkUp")
        yield edge
    finally:
        await Deferred.fromCoroutine(edge.server.stop()).asFuture(loop)
        stopped = edge.link.stop()
        if stopped is not None:
            await stopped.asFuture(loop)


async def _caller(phones: PhoneProcess, tmp_path: Path) -> Phone:
    caller = await phones.trunk_caller(
        "caller", number="+12025550143", display="Zoë Müller", tone_hz=620, record=str(tmp_path / "caller.wav")
    )
    await caller.call("5551000")
    return caller


async def _heard(file: Path, hz: int, at_least_ms: int = 300) -> None:
    await until(
        lambda: file.exists() and audio.total_ms(audio.heard(file, [hz])[hz]) >= at_least_ms,
        8,
        what=f"{at_least_ms} ms of {hz} Hz",
    )


async def test_a_call_arrives_is_answered_and_ended(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.next(CallArrived)
        assert (arrived.did, arrived.caller_number, arrived.caller_name) == ("5551000", "+12025550143", "Zoë Müller")
        assert arrived.channel.startswith("PJSIP/carrier-")
        assert not caller.has("up")
        edge.perform(AnswerCall(session=arrived.session))
        await edge.next(CommandDone)
        await caller.wait("up")
        edge.end(arrived.session)
        await edge.next(SessionClosed)
        await caller.wait("ended")
        assert edge.server.counters.dropped == {}
        assert edge.server.open_sessions() == ()


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_each_digit_counts_once(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path, method: str
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        await caller.wait("up")
        edge.collect(arrived.session, max_digits=8)
        await caller.dtmf("1122*3#", method=method)
        collected = await edge.next(DigitsCollected)
        assert (collected.end, collected.digits) == (VerbEnd.DONE, "1122*3")
        await until(lambda: "".join(edge.told) == "1122*3#", what="the same digits told by AMI")
        assert edge.server.counters.digits_doubled >= 6  # the very last AGI result may still be on its way
        edge.collect(arrived.session, max_digits=8)  # nothing of it is left over
        await caller.dtmf("7#", method=method)
        assert (await edge.next(DigitsCollected)).digits == "7"
        edge.end(arrived.session)
        await caller.wait("ended")


async def test_barge_in_stops_the_prompt(pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.collect(arrived.session, "menu", "menu", "menu", max_digits=1)
        await _heard(tmp_path / "caller.wav", PROMPT_HZ)
        await caller.dtmf("2")
        collected = await edge.next(DigitsCollected)
        assert collected.digits == "2"
        edge.end(arrived.session)
        await caller.wait("ended")
        await phones.close()
    assert audio.total_ms(audio.heard(tmp_path / "caller.wav", [PROMPT_HZ])[PROMPT_HZ]) < PROMPT_MS


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_digits_typed_ahead_of_the_menu(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path, method: str
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.say(arrived.session, "menu")  # no digit stops it, so AGI loses what is typed
        await _heard(tmp_path / "caller.wav", PROMPT_HZ)
        await caller.dtmf("45#", method=method)
        await edge.next(PromptEnded)
        edge.collect(arrived.session, "menu")
        collected = await edge.next(DigitsCollected)
        assert (collected.end, collected.digits) == (VerbEnd.DONE, "45")
        edge.end(arrived.session)
        await caller.wait("ended")
        await phones.close()
    said_ms = audio.total_ms(audio.heard(tmp_path / "caller.wav", [PROMPT_HZ])[PROMPT_HZ])
    assert said_ms < PROMPT_MS * 1.5, "once, and not again as a question"


async def test_a_digit_typed_while_no_command_runs(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        await caller.wait("up")
        await caller.dtmf("6", method="info")
        await until(lambda: edge.told == ["6"], what="the digit told by AMI")
        edge.collect(arrived.session, max_digits=2)
        await caller.dtmf("6")
        assert (await edge.next(DigitsCollected)).digits == "66"
        edge.end(arrived.session)
        await caller.wait("ended")


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_no_digit_is_lost_or_doubled_whatever_runs_meanwhile(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path, method: str
) -> None:
    """Typed without a pause while prompts with and without barge-in, waits and nothing at all take turns."""
    chance = random.Random(7)
    typed = "".join(chance.choice("1234567890*") for _ in range(24)) + "5555"
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        await caller.wait("up")
        typing = asyncio.create_task(caller.dtmf(typed, method=method))
        collected = ""
        while len(collected) < len(typed):
            turn = chance.randrange(4)
            if turn == 0:
                edge.say(arrived.session, "beep")
                await edge.next(PromptEnded)
            elif turn == 1 and len(edge.told) < len(typed):
                already = len(edge.told)
                await until(lambda already=already: len(edge.told) > already, what="a digit typed into no command")  # type: ignore[misc]
            edge.collect(arrived.session, "beep", can_interrupt=turn == 2, max_digits=chance.randint(1, 3))
            end = await edge.next(DigitsCollected)
            assert end.digits or edge.told != list(typed), (collected, typed, edge.server.counters)
            collected += end.digits
        await typing
        assert collected == typed
        await until(lambda: "".join(edge.told) == typed, what="the same digits told by AMI")
        edge.perform(
            Collect(session=arrived.session, say=(), language=EN, max_digits=4, first_timeout_s=0.5, next_timeout_s=0.5)
        )
        assert (await edge.next(DigitsCollected)).digits == ""
        edge.end(arrived.session)
        await caller.wait("ended")


async def test_a_pin_is_checked_and_its_digits_are_nowhere(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    pin = "839150274"
    desk = await phones.phone("1001", password=password_of("1001"))
    with structlog.testing.capture_logs() as logs:
        async with _edge(pbx, shared_directory) as edge:
            edge.pin_hashes[AgentId("100")] = hash_pin(pin)
            await desk.call("*11")
            dialled = await edge.next(FeatureDialled)
            assert (dialled.phone, dialled.digits) == ("PJSIP/1001", "11")
            await desk.wait("up")
            for typed, is_ok in ((pin, True), ("839150270", False)):
                edge.perform(CollectSecret(session=dialled.session, agent=AgentId("100"), say=(), language=EN, timeout_s=5.0))
                await desk.dtmf(typed + "#")
                assert (await edge.next(SecretChecked)).is_ok is is_ok
            edge.end(dialled.session)
            await desk.wait("ended")
            assert "83915027" not in repr(edge.events)
    assert "83915027" not in repr(logs)
    log = pbx.log.read_text(errors="replace")
    assert "feature?code=11" in log  # it is the log that would show them
    assert pin not in log


async def test_music_comes_back_after_a_prompt(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "caller.wav"
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.wait(arrived.session)
        await _heard(recording, MUSIC_HZ, 800)
        edge.say(arrived.session, "menu")
        asked_at_s = time.monotonic()
        edge.wait(arrived.session, timeout_s=2.0)
        assert (await edge.next(WaitEnded)).end is VerbEnd.SUPERSEDED
        await _heard(recording, PROMPT_HZ, 100)
        assert time.monotonic() - asked_at_s < 2.0  # a slice, and what it takes to hear it
        assert (await edge.next(WaitEnded)).end is VerbEnd.TIMEOUT
        edge.end(arrived.session)
        await caller.wait("ended")
        await phones.close()
    spans = audio.heard(recording, [MUSIC_HZ, PROMPT_HZ])
    prompt = spans[PROMPT_HZ]
    before = [span for span in spans[MUSIC_HZ] if span.end_ms <= prompt[0].start_ms + 200]
    after = [span for span in spans[MUSIC_HZ] if span.start_ms >= prompt[-1].end_ms - 200]
    assert audio.total_ms(prompt) >= PROMPT_MS - 300
    assert audio.total_ms(before) >= 800
    assert audio.total_ms(after) >= 1500
    assert after[0].start_ms - prompt[-1].end_ms <= 300


async def test_a_missing_prompt_is_no_hang_up(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.say(arrived.session, "no-such-prompt", "menu")
        assert (await edge.next(PromptEnded)).end is VerbEnd.FAILED
        (shared_directory / "prompts" / "en" / "broken.gsm").write_bytes(b"")
        (shared_directory / "prompts" / "en" / "odd.mp3").write_bytes(b"no format module plays this")
        edge.say(arrived.session, "odd", "menu")
        assert (await edge.next(PromptEnded)).end is VerbEnd.FAILED
        edge.end(arrived.session)
        await edge.next(SessionClosed)
        await caller.wait("ended")
        assert edge.server.counters.dropped == {}


async def test_numbers_and_digits_are_spoken(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        pieces = (Spoken(SpokenKind.NUMBER, "21"), Spoken(SpokenKind.DIGITS, "407"))
        edge.perform(Say(session=arrived.session, say=pieces, language=Language("es")))
        assert (await edge.next(PromptEnded)).end is VerbEnd.DONE
        edge.end(arrived.session)
        await caller.wait("ended")
        await phones.close()
    assert audio.total_ms(audio.loud(tmp_path / "caller.wav")) >= 1500


async def test_a_caller_who_hangs_up_in_a_prompt_closes_the_session_only(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.say(arrived.session, "menu", "menu")
        await _heard(tmp_path / "caller.wav", PROMPT_HZ)
        await caller.hangup()
        assert (await edge.next(SessionClosed)).session == arrived.session
        assert not [event for event in edge.events if isinstance(event, PromptEnded)]


async def test_a_caller_pulled_out_of_the_session_comes_back_in_a_new_one(
    pbx: Asterisk, phones: PhoneProcess, ami: Observer, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        arrived = await edge.answered()
        edge.wait(arrived.session)
        await _heard(tmp_path / "caller.wav", MUSIC_HZ)
        await ami.act("Redirect", Channel=arrived.channel, Context="cc-call", Exten="s", Priority=1)
        assert (await edge.next(SessionClosed)).session == arrived.session
        again = await edge.next(CallArrived)
        assert (again.leg, again.channel, again.did) == (arrived.leg, arrived.channel, arrived.did)
        assert again.session != arrived.session
        edge.end(again.session)
        await caller.wait("ended")


async def test_the_server_dies_and_the_caller_comes_to_the_next_one(
    pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path
) -> None:
    async with _edge(pbx, shared_directory) as edge:
        caller = await _caller(phones, tmp_path)
        first = await edge.answered()
        edge.wait(first.session)
        await _heard(tmp_path / "caller.wav", MUSIC_HZ)
    assert not caller.has("ended")
    async with _edge(pbx, shared_directory) as edge:
        second = await edge.next(CallArrived)
        assert (second.leg, second.did) == (first.leg, "5551000")
        edge.end(second.session)
        await caller.wait("ended")

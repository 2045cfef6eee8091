"""A campaign's call on a real Asterisk, with another one for the telephone network: what became of it, as the core is told."""

import asyncio
import itertools
import math
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT, password_of
from harness.carrier import Carrier, NetworkCall
from harness.center import MUSIC_HZ, write_prompts
from harness.edges import EN, Ear, Edges, edges_of, spoken
from harness.fastagi import FastAgi, Session
from harness.observer import Observer
from harness.waiting import until
from twisted.internet.defer import Deferred

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.commands import AwaitSilence, DialOut, EndSession, Next, Place, Say, WaitUntil
from ccserver.core.events import (
    CallArrived,
    CalleeTold,
    Heard,
    LegAnswered,
    LegEnded,
    LegEnteredBridge,
    LegRinging,
    LegStarted,
    PromptEnded,
    RingEnded,
    VerbEnd,
    WaitEnded,
)
from ccserver.core.ids import InteractionId, LegId, PhoneId, PromptId
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.carrier import BEEP_HZ, HELLO_HZ, HUMAN_HZ, RINGBACK_MS, Callee
from ccserver.lab.phones import PhoneProcess

CALLEE_HZ, AGENT_HZ = 620, 1030
WHO_CALLED_HZ = 1820
AMD = "2500,1500,800,5000,100,50,3,256,5000"
_incarnations = itertools.count(1)


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    audio.write_tone(shared_directory / "prompts" / "en" / "who-called.wav", WHO_CALLED_HZ, 1000)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        comfort_sound=str(shared_directory / "prompts" / "en" / "cc-comfort"),
        recordings_directory=str(shared_directory / "rec"),
        emergency_numbers=("112", "110"),
    )


@dataclass
class Campaign:
    """Our edges, in the place of the daemon, and the network that they call."""

    edges: Edges
    carrier: Carrier
    prompts: Path

    def dial(self, number: str, *, trunk: str = "carrier", amd: str = "", ring_timeout_s: float = 20.0) -> LegId:
        leg = self.edges.new_leg()
        self.edges.verb(
            DialOut(
                leg=leg,
                interaction=InteractionId(1),
                to=PhoneId(f"PJSIP/{number}@{trunk}"),
                number="+34910000001",
                name="Sales",
                ring_timeout_s=ring_timeout_s,
                place=Place.CALLEE,
                amd=amd,
                fallback=PromptId("who-called"),
                language=EN,
                sound=str(self.prompts / "en" / "who-called"),
            )
        )
        return leg

    async def meets(self, callee: Callee, **changes: Any) -> tuple[NetworkCall, CallArrived]:
        """Somebody who was called, has answered and is in the hands of the daemon."""
        self.dial(callee.number(), **changes)
        return await self.carrier.call_to(callee), await self.edges.next(CallArrived, deadline_s=12)

    async def daemon_goes(self) -> None:
        """From now on nobody answers on the port of AGI, and who was there is gone."""
        await Deferred.fromCoroutine(self.edges.server.stop()).asFuture(asyncio.get_running_loop())

    def told(self, leg: LegId) -> list[str]:
        """What the core was told of a leg, in order."""
        return [type(event).__name__ for event in self.edges.events if getattr(event, "leg", None) == leg]


Campaigns = AbstractAsyncContextManager[Campaign]


@asynccontextmanager
async def a_campaign(pbx: Asterisk, carrier: Carrier, prompts: Path) -> AsyncIterator[Campaign]:
    async with edges_of(pbx, prompts, next(_incarnations)) as edges:
        yield Campaign(edges, carrier, prompts)


@pytest.fixture
def campaign(pbx: Asterisk, carrier: Carrier, shared_directory: Path) -> Iterator[Campaigns]:
    yield a_campaign(pbx, carrier, shared_directory / "prompts")


async def test_a_human_answers_and_arrives(campaign: Campaigns) -> None:
    async with campaign as at:
        number = Callee.HUMAN.number()
        leg = at.dial(number)
        call = await at.carrier.call_to(number)
        assert (call.caller, call.caller_name, call.line) == ("+34910000001", "Sales", "carrier")
        arrived = await at.edges.next(CallArrived)
        assert (arrived.leg, arrived.heard) == (leg, Heard.NOTHING)
        await at.edges.next(LegAnswered)
        await at.edges.next(RingEnded, lambda event: event.leg == leg and event.is_ok)
        told = [name for name in at.told(leg) if name not in ("CallArrived", "RingEnded")]
        assert told == ["LegStarted", "LegRinging", "LegAnswered"], "CallArrived comes by another way, and may be earlier"
        await call.said.hears(HELLO_HZ)
        at.edges.end(arrived.session)
        ended = await at.edges.next(LegEnded)
        assert (ended.leg, ended.cause) == (leg, 16)
        await at.carrier.ended(call)


@pytest.mark.parametrize(
    ("callee", "cause", "tech_cause", "rings"),
    [
        (Callee.BUSY, 17, 486, True),
        (Callee.DECLINES, 21, 603, True),
        (Callee.CONGESTION, 34, 503, False),
        (Callee.NO_SUCH_NUMBER, 1, 404, False),
        (Callee.OUT_OF_ORDER, 27, 502, False),
    ],
    ids=lambda value: value.name if isinstance(value, Callee) else "",
)
async def test_why_nobody_was_reached_is_told(
    campaign: Campaigns, callee: Callee, cause: int, tech_cause: int, rings: bool
) -> None:
    async with campaign as at:
        leg = at.dial(callee.number())
        ended = await at.edges.next(LegEnded)
        assert ended == LegEnded(leg=leg, cause=cause, tech_cause=tech_cause)
        await at.edges.next(RingEnded, lambda event: event.leg == leg and not event.is_ok)
        assert (LegRinging(leg=leg) in at.edges.events) == rings
        assert not at.edges.of(LegAnswered) and not at.edges.of(CallArrived)
        assert at.edges.of(LegStarted)


async def test_who_does_not_answer_rings_for_as_long_as_was_said(campaign: Campaigns) -> None:
    async with campaign as at:
        leg = at.dial(Callee.NO_ANSWER.number(), ring_timeout_s=2.0)
        call = await at.carrier.call_to(Callee.NO_ANSWER)
        ended = await at.edges.next(LegEnded)
        assert ended.leg == leg and ended.cause == 19, ended
        assert (await at.edges.next(RingEnded)).reason == 3
        rang_s = float((await at.carrier.ended(call))["_at"]) - call.at_s
        assert 1.8 <= rang_s <= 2.6
        assert not at.edges.of(CallArrived)


async def test_a_call_that_is_taken_back_stops_ringing(campaign: Campaigns) -> None:
    async with campaign as at:
        leg = at.dial(Callee.NO_ANSWER.number())
        call = await at.carrier.call_to(Callee.NO_ANSWER)
        await at.edges.next(LegRinging)
        await at.edges.hang_up(leg)
        await at.carrier.ended(call)
        assert await at.edges.next(LegEnded) == LegEnded(leg=leg, cause=16, tech_cause=0)
        assert not at.edges.of(CallArrived)


async def test_a_line_that_is_down_refuses_and_the_other_one_does_not(campaign: Campaigns) -> None:
    async with campaign as at:
        await at.carrier.set_down("carrier2", is_down=True)
        leg = at.dial(Callee.HUMAN.number(), trunk="carrier2")
        assert (await at.carrier.call()).line == "carrier2"
        assert await at.edges.next(LegEnded) == LegEnded(leg=leg, cause=34, tech_cause=503)
        call, arrived = await at.meets(Callee.HUMAN)
        assert call.line == "carrier"
        at.edges.end(arrived.session)
        await at.carrier.set_down("carrier2", is_down=False)
        call, arrived = await at.meets(Callee.HUMAN, trunk="carrier2")
        assert call.line == "carrier2"
        at.edges.end(arrived.session)
        await at.edges.next(LegEnded, lambda event: event.leg == arrived.leg)


@pytest.mark.parametrize(
    ("callee", "heard"),
    [
        (Callee.HUMAN, Heard.HUMAN),
        (Callee.LATE_MEDIA, Heard.HUMAN),
        (Callee.MACHINE, Heard.MACHINE),
        (Callee.SILENT, Heard.MACHINE),
    ],
    ids=lambda value: value.name if isinstance(value, Callee) else "",
)
async def test_what_a_callee_was_taken_for_is_told(campaign: Campaigns, callee: Callee, heard: Heard, pbx: Asterisk) -> None:
    async with campaign as at:
        call, arrived = await at.meets(callee, amd=AMD)
        assert arrived.heard is heard, "\n".join(x for x in pbx.log.read_text().splitlines() if "AMD" in x)
        await at.edges.redirect(at.edges.move(arrived.leg, Place.CALLEE))
        again = await at.edges.next(CallArrived)
        assert (again.leg, again.heard) == (arrived.leg, heard), "nobody is listened to twice"
        at.edges.end(again.session)
        await at.carrier.ended(call)


async def test_who_hangs_up_at_once_was_answered_and_is_gone(campaign: Campaigns) -> None:
    async with campaign as at:
        leg = at.dial(Callee.LEAVES_AT_ONCE.number(), amd=AMD)
        ended = await at.edges.next(LegEnded)
        assert (ended.leg, ended.cause in (0, 16), ended.tech_cause) == (leg, True, 0)
        assert LegAnswered(leg=leg) in at.edges.events


async def test_early_media_is_not_an_answer(campaign: Campaigns) -> None:
    async with campaign as at:
        leg = at.dial(Callee.EARLY_MEDIA.number())
        call = await at.carrier.call_to(Callee.EARLY_MEDIA)
        arrived = await at.edges.next(CallArrived)
        assert time.monotonic() - call.at_s >= RINGBACK_MS / 1000
        assert "LegEnteredBridge" not in at.told(leg)
        await call.said.hears(HELLO_HZ)
        at.edges.end(arrived.session)
        await at.carrier.ended(call)


async def test_a_key_that_a_callee_presses_is_heard(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.PRESSES_9)
        at.edges.verb(WaitUntil(session=arrived.session, music="cc-comfort", stop_digits="9"))
        assert (await at.edges.next(WaitEnded)).digit == "9"
        at.edges.end(arrived.session)
        await at.carrier.ended(call)


async def test_a_callee_who_waits_hears_the_noise_of_a_line(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.SILENT)
        at.edges.verb(WaitUntil(session=arrived.session, music="cc-comfort"))
        await until(lambda: len(call.heard.samples()) >= 8 * 7000, 12, what="seven seconds, more than the noise is long")
        at.edges.end(arrived.session)
        await at.carrier.ended(call)
        samples = call.heard.samples()
        seconds = [samples[start : start + 8000] for start in range(8000, len(samples) - 8000, 8000)]
        assert len(seconds) >= 5
        for second in seconds:
            loudness = math.sqrt(statistics.pvariance(second))
            assert 8 <= loudness <= 40, "near 16, which is -60 dBm0: no silence, and nothing that is heard as more than a line"


async def test_a_message_begins_after_the_beep_of_a_voicemail(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.MACHINE, amd=AMD)
        assert arrived.heard is Heard.MACHINE
        waits = at.edges.verb(AwaitSilence(session=arrived.session, silence_s=1.5, timeout_s=30.0))
        at.edges.verb(Say(session=arrived.session, say=spoken("who-called"), language=EN))
        assert await at.edges.next(PromptEnded, deadline_s=15) == PromptEnded(
            session=arrived.session, command=waits, end=VerbEnd.SUPERSEDED
        ), "a newer verb takes its place"
        again = at.edges.verb(AwaitSilence(session=arrived.session, silence_s=1.5, timeout_s=30.0))
        await at.edges.next(PromptEnded, lambda event: event.command != again)
        found = await at.edges.next(PromptEnded, deadline_s=20)
        assert found == PromptEnded(session=arrived.session, command=again, end=VerbEnd.DONE)
        at.edges.say(arrived.session, "who-called")
        await at.edges.next(PromptEnded)
        at.edges.end(arrived.session)
        await at.carrier.ended(call)
        (beep,) = call.said.spans(BEEP_HZ)
        message = call.heard.spans(WHO_CALLED_HZ)[-1]
        assert beep.end_ms + 1000 <= message.start_ms <= beep.end_ms + 5000
        assert message.length_ms >= 800


async def test_a_voice_that_goes_on_is_not_waited_for_for_ever(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.PRESSES_9)
        await call.said.hears(HUMAN_HZ)
        waits = at.edges.verb(AwaitSilence(session=arrived.session, silence_s=1.0, timeout_s=3.0))
        found = await at.edges.next(PromptEnded)
        assert found == PromptEnded(session=arrived.session, command=waits, end=VerbEnd.TIMEOUT)
        at.edges.end(arrived.session)
        await at.carrier.ended(call)


async def test_after_a_talk_a_callee_is_a_customer_like_any_other(
    campaign: Campaigns, phones: PhoneProcess, tmp_path: Path
) -> None:
    async with campaign as at:
        agent = await phones.phone(
            "1001", password=password_of("1001"), tone_hz=AGENT_HZ, record=str(tmp_path / "1001.wav"), answer_after_ms=0
        )
        call, arrived = await at.meets(Callee.HUMAN, amd=AMD)
        assert arrived.heard is Heard.HUMAN
        leg = at.edges.ring("1001", Place.JOIN, arrived.leg)
        await at.edges.together(leg, arrived.leg)
        await call.heard.hears(AGENT_HZ)
        await Ear(tmp_path / "1001.wav").hears(HUMAN_HZ)
        await agent.hold()
        await call.heard.hears(MUSIC_HZ)
        await agent.unhold()
        await call.heard.hears(AGENT_HZ)
        await agent.hangup()
        back = await at.edges.next(CallArrived)
        assert (back.leg, back.heard) == (arrived.leg, Heard.NOTHING)
        at.edges.music(back.session)
        await call.heard.hears(MUSIC_HZ)
        at.edges.end(back.session)
        await at.carrier.ended(call)


async def test_without_daemon_a_callee_hears_at_once_who_called(campaign: Campaigns) -> None:
    async with campaign as at:
        await at.daemon_goes()
        leg = at.dial(Callee.HUMAN.number())
        call = await at.carrier.call_to(Callee.HUMAN)
        assert (await at.edges.next(CalleeTold)).leg == leg
        ended = await at.edges.next(LegEnded)
        assert (ended.leg, ended.cause) == (leg, 16)
        await at.carrier.ended(call)
        (span,) = call.heard.spans(WHO_CALLED_HZ)
        assert span.start_ms <= 500 and span.length_ms >= 800


async def test_a_callee_whose_daemon_dies_hears_who_called(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.HUMAN)
        at.edges.verb(WaitUntil(session=arrived.session, music="cc-comfort"))
        await call.said.hears(HUMAN_HZ)
        await at.daemon_goes()
        before_ms = len(call.heard.samples()) / 8
        assert (await at.edges.next(CalleeTold)).leg == arrived.leg
        await at.carrier.ended(call)
        (span,) = call.heard.spans(WHO_CALLED_HZ)
        assert span.start_ms <= before_ms + 1000 and span.length_ms >= 800


async def test_a_daemon_that_accepts_and_fails_is_no_daemon(campaign: Campaigns) -> None:
    async with campaign as at:
        await at.daemon_goes()

        async def fail(session: Session) -> None:
            session.close()

        async with FastAgi(AGI_PORT) as agi:
            agi.handler = fail
            at.dial(Callee.HUMAN.number())
            call = await at.carrier.call_to(Callee.HUMAN)
            await at.edges.next(CalleeTold)
            await at.carrier.ended(call)
        assert len(call.heard.spans(WHO_CALLED_HZ)) == 1


async def test_a_daemon_that_accepts_and_says_nothing_is_no_daemon(campaign: Campaigns) -> None:
    async with campaign as at:
        await at.daemon_goes()
        async with FastAgi(AGI_PORT) as agi:
            leg = at.dial(Callee.HUMAN.number())
            call = await at.carrier.call_to(Callee.HUMAN)
            await agi.next()
            assert (await at.edges.next(CalleeTold)).leg == leg
            await at.carrier.ended(call)
        (span,) = call.heard.spans(WHO_CALLED_HZ)
        assert span.start_ms <= 6500 and span.length_ms >= 800


async def test_a_callee_may_wait_longer_than_a_frozen_daemon(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.HUMAN)
        at.edges.verb(WaitUntil(session=arrived.session, music="cc-comfort", timeout_s=7.0))
        assert (await at.edges.next(WaitEnded, deadline_s=12)).end is VerbEnd.TIMEOUT
        at.edges.end(arrived.session)
        await at.carrier.ended(call)
        assert not at.edges.of(CalleeTold)


async def test_a_callee_whose_daemon_died_in_the_talk_is_let_go_after_it(campaign: Campaigns, phones: PhoneProcess) -> None:
    async with campaign as at:
        agent = await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ, answer_after_ms=0)
        call, arrived = await at.meets(Callee.HUMAN)
        leg = at.edges.ring("1001", Place.JOIN, arrived.leg)
        await at.edges.together(leg, arrived.leg)
        await at.daemon_goes()
        await call.heard.hears(AGENT_HZ)
        await agent.hangup()
        await at.carrier.ended(call)
        assert not at.edges.of(CalleeTold) and not call.heard.spans(WHO_CALLED_HZ)


async def test_a_callee_is_handed_to_an_extension_of_the_site(campaign: Campaigns, phones: PhoneProcess) -> None:
    async with campaign as at:
        desk = await phones.phone("1001", password=password_of("1001"), answer_after_ms=0)
        call, arrived = await at.meets(Callee.HUMAN)
        at.edges.verb(EndSession(session=arrived.session, next=Next.EXTENSION, extension="1001"))
        await desk.wait("up")
        await desk.hangup()
        await at.carrier.ended(call)


async def test_a_callee_comes_back_from_a_conference_as_a_customer(campaign: Campaigns) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.HUMAN, amd=AMD)
        await at.edges.redirect(at.edges.move(arrived.leg, Place.CONFERENCE, "9"))
        await at.edges.next(LegEnteredBridge, lambda event: event.leg == arrived.leg)
        await at.edges.redirect(at.edges.move(arrived.leg, Place.LOOP))
        back = await at.edges.next(CallArrived)
        assert (back.leg, back.heard) == (arrived.leg, Heard.NOTHING)
        at.edges.end(back.session)
        await at.carrier.ended(call)


async def test_a_redirect_to_nowhere_comes_back(campaign: Campaigns, ami: Observer) -> None:
    async with campaign as at:
        call, arrived = await at.meets(Callee.HUMAN)
        at.edges.verb(WaitUntil(session=arrived.session, music="cc-comfort"))
        answer = await ami.act("Redirect", Channel=arrived.channel, Context="cc-callee", Exten="nowhere", Priority=1)
        assert answer["Response"] == "Success"
        back = await at.edges.next(CallArrived)
        assert back.leg == arrived.leg
        at.edges.end(back.session)
        await at.carrier.ended(call)


async def test_a_real_telephone_at_the_network_talks(campaign: Campaigns, phones: PhoneProcess) -> None:
    async with campaign as at:
        callee = await at.carrier.phone(phones, "50", tone_hz=CALLEE_HZ, answer_after_ms=300)
        leg = at.dial("+34911234550")
        call = await at.carrier.call_to("50")
        arrived = await at.edges.next(CallArrived)
        assert arrived.leg == leg
        at.edges.say(arrived.session, "who-called")
        await call.heard.hears(WHO_CALLED_HZ)
        await call.said.hears(CALLEE_HZ)
        await callee.hangup()
        await at.edges.next(LegEnded)
        await callee.set(answer_code=486)
        refused = at.dial("+34911234550")
        assert await at.edges.next(LegEnded) == LegEnded(leg=refused, cause=17, tech_cause=486)


async def test_without_daemon_an_emergency_call_is_answered_at_the_network(
    pbx: Asterisk, carrier: Carrier, phones: PhoneProcess, ami: Observer, tmp_path: Path
) -> None:
    ear = Ear(tmp_path / "1001.wav")
    desk = await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ, record=str(ear.file))
    await desk.call("110")
    call = await carrier.call()
    assert (call.number, call.line) == ("110", "carrier")
    told = await ami.wait("UserEvent", UserEvent="CCEmergency")
    assert (told["To"], told["Channel"].partition("-")[0]) == ("110", "PJSIP/1001")
    await desk.wait("up")
    await call.heard.hears(AGENT_HZ)
    await ear.hears(HUMAN_HZ)
    await desk.hangup()
    await carrier.ended(call)

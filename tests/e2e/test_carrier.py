"""A campaign's call on a real Asterisk, with another one for the telephone network: what became of it, as the core is told."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.carrier import Carrier
from harness.center import write_prompts
from harness.edges import EN, Edges, edges_of

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.commands import DialOut, Place
from ccserver.core.events import CallArrived, Heard, LegAnswered, LegEnded, LegRinging, LegStarted, RingEnded
from ccserver.core.ids import InteractionId, LegId, PhoneId, PromptId
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.carrier import HELLO_HZ, Callee

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
        told = at.told(leg)
        assert told.index("LegStarted") < told.index("LegRinging") < told.index("LegAnswered") < told.index("CallArrived")
        assert at.edges.of(RingEnded, lambda event: event.leg == leg and event.is_ok)
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

"""What agents' phones do by themselves, on a real Asterisk: their own transfers, forwarding, and the lamps on their keys."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from conftest import AGI_PORT, password_of
from harness.edges import edges_of
from harness.hall import CUSTOMER_HZ, MUSIC_HZ, PROMPT_HZ, TONES, Hall
from harness.lamp import Lamp
from harness.waiting import until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.core.commands import LampState, Next, Place, SetLamp
from ccserver.core.events import (
    CallArrived,
    LegEnded,
    LegEnteredBridge,
    LegsTransferred,
    LinkUp,
    OwnCallDialled,
    RingEnded,
    TransferAsked,
)
from ccserver.core.settings import NumberKind
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneFailed, PhoneProcess

_incarnations = itertools.count(1)
Halls = AbstractAsyncContextManager[Hall]


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    audio.write_tone(shared_directory / "prompts" / "en" / "words.wav", PROMPT_HZ, 1000)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        music_directory=str(shared_directory / "music"),
        outside_without_daemon="yes",
    )


@asynccontextmanager
async def a_hall(pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path) -> AsyncIterator[Hall]:
    async with edges_of(pbx, shared_directory / "prompts", next(_incarnations)) as edges:
        yield Hall(edges, phones, tmp_path)


@pytest.fixture
def hall(pbx: Asterisk, phones: PhoneProcess, shared_directory: Path, tmp_path: Path) -> Halls:
    return a_hall(pbx, phones, shared_directory, tmp_path)


@pytest.mark.parametrize(
    ("to", "number", "kind"),
    [
        ("1002", "1002", NumberKind.INTERNAL),
        ("0612345678", "+34612345678", NumberKind.MOBILE),
        ("112", "112", NumberKind.UNKNOWN),
        ("077", "077", NumberKind.UNKNOWN),
    ],
)
async def test_a_phones_own_blind_transfer_asks_where_the_customer_may_go(
    hall: Halls, to: str, number: str, kind: NumberKind
) -> None:
    """Nobody is called by the phone's word alone, no emergency line and no outside one either."""
    async with hall as at:
        edges = at.edges
        colleague = await at.desk("1002")
        customer, arrived, leg = await at.talk()
        await at.desks["1001"].transfer(to)
        asked = await edges.next(TransferAsked)
        assert (asked.leg, asked.to, asked.number, asked.kind) == (arrived.leg, to, number, kind)
        # The phone is told at once that it is done, and hangs up, as a desk phone does by itself.
        await at.desks["1001"].wait("transfer", final=True, code=200)
        await at.desks["1001"].hangup()
        await edges.next(LegEnded, lambda event: event.leg == leg)
        # The session goes on as the customer's own.
        edges.music(asked.session)
        await at.ear("customer").hears(MUSIC_HZ)
        new = edges.ring("1002", Place.JOIN, arrived.leg)
        await edges.together(new, arrived.leg)
        await at.ear("customer").hears(TONES["1002"])
        await colleague.hangup()
        back = await edges.next(CallArrived)
        edges.end(back.session)
        await customer.wait("ended")


async def test_a_phones_own_attended_transfer_tells_who_talks_with_whom(hall: Halls) -> None:
    async with hall as at:
        edges = at.edges
        await at.desk("1002")
        customer, arrived, leg = await at.talk()
        agent = at.desks["1001"]
        await agent.hold()
        await agent.call("1002")
        asked = await edges.next(OwnCallDialled)
        assert (asked.phone, asked.number, asked.kind) == ("PJSIP/1001", "1002", NumberKind.INTERNAL)
        edges.end(asked.session, Next.DIAL)
        second = await edges.next(LegEnteredBridge, lambda event: event.leg == asked.leg)
        (target,) = edges.of(LegEnteredBridge, lambda event: event.bridge == second.bridge and event.leg != asked.leg) or (
            await edges.next(LegEnteredBridge, lambda event: event.bridge == second.bridge),
        )
        await at.ear("1002").hears(TONES["1001"])
        transferred: list[LegsTransferred] = []

        async def done() -> bool:
            # A REFER right after an answer can be lost in the phone: its library's fault.
            if not edges.of(LegsTransferred):
                try:
                    await agent.transfer_to()
                except PhoneFailed:
                    assert edges.of(LegsTransferred)
            return bool(edges.of(LegsTransferred))

        await until(done, what="the transfer")
        transferred = edges.of(LegsTransferred)
        assert [
            LegsTransferred(
                transferrer=leg,
                second=asked.leg,
                transferee=arrived.leg,
                target=target.leg,
                target_channel=transferred[0].target_channel,
            )
        ] == transferred
        assert transferred[0].target_channel.startswith("PJSIP/1002-")
        await at.ear("customer").hears(TONES["1002"])
        await at.ear("1002").hears(CUSTOMER_HZ)
        await at.desks["1002"].hangup()
        back = await edges.next(CallArrived)
        assert back.leg == arrived.leg
        edges.end(back.session)
        await customer.wait("ended")


@pytest.mark.parametrize("place", [Place.JOIN, Place.PARK])
@pytest.mark.parametrize("to", ["1002@127.0.0.1", "0612345678@127.0.0.1", "112@127.0.0.1"])
async def test_a_phone_that_forwards_makes_nobody_else_ring(hall: Halls, place: Place, to: str) -> None:
    async with hall as at:
        edges = at.edges
        elsewhere = await at.desk("1002")
        carrier = await at.phones.phone(
            "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060
        )
        await at.desk("1001", answer_code=302, forward_to=to)
        customer, arrived = await at.customer()
        leg = edges.ring("1001", place, arrived.leg if place is Place.JOIN else None)
        await edges.next(LegEnded, lambda event: event.leg == leg)
        ring = await edges.next(RingEnded, lambda event: event.leg == leg)
        assert not ring.is_ok
        assert not elsewhere.has("incoming")
        assert not carrier.has("incoming")
        assert not edges.of(LegEnteredBridge)
        await customer.hangup()


async def test_the_site_may_let_outside_calls_go_without_the_daemon(pbx: Asterisk, phones: PhoneProcess) -> None:
    carrier = await phones.phone(
        "carrier", register=False, from_uri="sip:carrier@127.0.0.2", local="127.0.0.2", local_port=5060, answer_after_ms=0
    )
    desk = await phones.phone("1001", password=password_of("1001"))
    await desk.call("05551234")
    headers = (await carrier.wait("incoming"))["headers"]
    await desk.wait("up")
    assert isinstance(headers, dict)
    assert headers["to"].startswith("<sip:5551234@127.0.0.2"), headers
    await desk.hangup()
    await carrier.wait("ended")


async def test_lamps_follow_and_do_so_again_after_a_crash(hall: Halls, pbx: Asterisk) -> None:
    async def shows(lamp: Lamp, state: str) -> None:
        await until(lambda: lamp.states[-1:] == [state], what=f"{state}; {lamp.answer} {lamp.states}")

    async with hall as at:
        edges = at.edges
        agent = await Lamp.watch("1002", password_of("1002"), "*7101")
        named = await Lamp.watch("1002", password_of("1002"), "agent-101")
        queue = await Lamp.watch("1002", password_of("1002"), "queue-sales")
        edges.verb(SetLamp(lamp="agent-101", state=LampState.LIT))
        edges.verb(SetLamp(lamp="queue-sales", state=LampState.BLINKING))
        await shows(agent, "confirmed")
        await shows(named, "confirmed")
        await shows(queue, "early")
        edges.verb(SetLamp(lamp="queue-sales", state=LampState.OFF))
        await shows(queue, "terminated")
        pbx.kill()
        pbx.start()
        await edges.next(LinkUp, lambda event: event is not edges.of(LinkUp)[0])
        again = await Lamp.watch("1002", password_of("1002"), "*7101")
        # Asterisk forgets what was set in its last second; the daemon tells all lamps anew.
        edges.verb(SetLamp(lamp="agent-101", state=LampState.LIT))
        await shows(again, "confirmed")
        edges.verb(SetLamp(lamp="agent-101", state=LampState.OFF))
        await shows(again, "terminated")
        for lamp in (agent, named, queue, again):
            lamp.close()

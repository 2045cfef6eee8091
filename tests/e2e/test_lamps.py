"""The lamps on phones' keys, subscribed as a desk phone does, while a real center works."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.calls import call, leave
from harness.center import Center, Site, password_of
from harness.lamp import Lamp
from harness.ledger import Ledger
from harness.waiting import PATIENCE_S, until

from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

OFF, LIT, BLINKING = "terminated", "confirmed", "early"
HOLD_REMINDER_S = 2


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={
            "sales": {"wrap_up": "none", "lamp_waiting_above": 1, "hold_reminder_s": HOLD_REMINDER_S},
            "support": {"wrap_up": "none", "lamp_wait_above_s": 2},
        },
    )


class Keys:
    """The keys of the phone 1007."""

    def __init__(self) -> None:
        self._lamps: dict[str, Lamp] = {}

    async def watch(self, extension: str) -> None:
        self._lamps[extension] = await Lamp.watch("1007", password_of("1007"), extension)

    async def show(self, extension: str, state: str, deadline_s: float = PATIENCE_S) -> None:
        """Wait until the lamp is so; it is watched from the first time on."""
        if extension not in self._lamps:
            await self.watch(extension)
        lamp = self._lamps[extension]
        try:
            await until(lambda: lamp.states[-1:] == [state], deadline_s)
        except AssertionError:
            raise AssertionError(f"{extension} is not {state}; told so far: {lamp.states} {lamp.answer}") from None

    def told(self, extension: str) -> list[str]:
        return self._lamps[extension].states

    def close(self) -> None:
        for lamp in self._lamps.values():
            lamp.close()
        self._lamps.clear()


@pytest.fixture
def keys(books: Ledger, runner: asyncio.Runner) -> Iterator[Keys]:
    made = Keys()
    yield made
    made.close()


async def test_an_agents_lamp_follows_the_agent(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, keys: Keys
) -> None:
    await keys.show("*7101", OFF)
    agent = await center.agent(desk, "101", answer_after_ms=0)
    await keys.show("*7101", LIT)
    await keys.show("agent-101", LIT)
    await center.ask("agent.pause", agent="101", reason="lunch")
    await keys.show("*7101", BLINKING)
    await keys.show("agent-101", BLINKING)
    await center.ask("agent.unpause", agent="101")
    await keys.show("*7101", LIT)

    caller = await call(center, phones)
    await center.agent_is("101", "talking")
    await agent.hold()
    await keys.show("*7101", BLINKING, HOLD_REMINDER_S + PATIENCE_S)
    await agent.unhold()
    await keys.show("*7101", LIT)
    await leave(center, caller)
    await agent.wait("ended")

    await agent.unregister()
    await keys.show("*7101", BLINKING)
    await agent.register()
    await keys.show("*7101", LIT)
    await center.ask("agent.logout", agent="101")
    await keys.show("*7101", OFF)


async def test_a_phone_that_vanishes_shows_within_the_interval_of_its_checks(
    center: Center, books: Ledger, desk: PhoneProcess, keys: Keys, pbx: Asterisk
) -> None:
    """The shipped interval and the time-out of a check keep it below 35 s; the tests' interval is 2 s."""
    shipped = type(pbx.plan.values)(ami_secret="", agi_secret="").qualify_s
    timeout_s = float(pbx.cli("pjsip show aor 1001").split("qualify_timeout")[1].split(":")[1].split()[0])
    assert shipped + timeout_s <= 35
    await center.agent(desk, "101")
    await keys.show("*7101", LIT)
    await desk.vanish()
    await center.agent_is("101", "unreachable", pbx.plan.values.qualify_s + timeout_s + PATIENCE_S)
    await keys.show("*7101", BLINKING)


async def test_a_queues_lamp_tells_of_many_and_of_long_waits(
    center: Center, books: Ledger, phones: PhoneProcess, keys: Keys
) -> None:
    await keys.show("queue-sales", OFF)
    first = await call(center, phones, "901", "first")
    await keys.show("queue-sales", LIT)
    second = await call(center, phones, "901", "second")
    await keys.show("queue-sales", BLINKING)
    await second.hangup()
    await keys.show("queue-sales", LIT)
    await first.hangup()
    await keys.show("queue-sales", OFF)

    await keys.show("queue-support", OFF)
    patient = await call(center, phones, "902", "patient")
    await keys.show("queue-support", BLINKING)
    assert keys.told("queue-support")[-2:] == [LIT, BLINKING], "lit before it was long"
    await leave(center, patient)
    await keys.show("queue-support", OFF)


async def test_lamps_are_right_after_the_daemon_was_away(
    center: Center, books: Ledger, phones: PhoneProcess, keys: Keys
) -> None:
    books.may_repair = True
    await center.agent(phones, "101")
    await center.ask("agent.pause", agent="101", reason="lunch")
    caller = await call(center, phones)
    for lamp, state in (("*7101", BLINKING), ("queue-sales", LIT)):
        await keys.show(lamp, state)
    await center.daemon.kill()
    await caller.hangup()
    await caller.wait("ended")
    await center.restart()
    await keys.show("queue-sales", OFF)
    await keys.show("*7101", BLINKING)


async def test_lamps_are_right_after_asterisk_was_away(center: Center, books: Ledger, keys: Keys, pbx: Asterisk) -> None:
    """Each key subscribes again, as phones do, and is told what is true."""
    books.may_repair = True
    doomed = await PhoneProcess.start()
    await center.agent(doomed, "101")
    await center.agent(doomed, "102")
    await center.ask("agent.pause", agent="102", reason="lunch")
    await call(center, doomed, "902")
    for lamp, state in (("*7101", LIT), ("*7102", BLINKING)):
        await keys.show(lamp, state)
    await center.agent_is("101", "ringing")
    pbx.kill()
    await doomed.vanish()
    keys.close()
    await until_trouble(center)
    pbx.start()
    await center.serving()
    await center.quiet()
    await keys.show("*7102", BLINKING)
    await keys.show("queue-support", OFF)
    await keys.show("*7101", BLINKING)  # nobody's phone is registered yet
    async with await PhoneProcess.start() as phones:
        await phones.phone("1001", password=password_of("1001"))
        await keys.show("*7101", LIT)
        await keys.show("*7103", OFF)
        await center.log_everybody_out()
        await keys.show("*7101", OFF)


async def until_trouble(center: Center) -> None:
    async def look() -> bool:
        return (await center.ask("status"))["trouble"] is not None

    await until(look, what="a daemon that says that the link is lost")

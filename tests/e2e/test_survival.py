"""Nothing is lost: the daemon killed and frozen, its link cut, Asterisk killed, with callers who wait and people who talk."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Center, Site, password_of
from harness.ledger import Ledger
from harness.proxy import Relay
from harness.waiting import PATIENCE_S, until

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess

WAITING, TALKING, ROUNDS = 20, 5, 10
RECORDED = (0, 6, 12, 19)
"""Which of those who wait are listened to."""
CLOCK_S = 1.0
"""How far a waiting time may be from a clock that was never killed."""
TALK_GAP_MS = 200
MUSIC_GAP_MS = 2000
SALES = "sip:901@127.0.0.1"
WATCHDOG_S = 3.0
BACK_OFFS = {"missed_back_off_s": 1, "rejected_back_off_s": 1, "busy_back_off_s": 1}


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        more={"offers": {**BACK_OFFS, "missed_reason": "missed", "missed_before_not_ready": 0}},
    )


@pytest.fixture
def crowd(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    """Processes of phones, each with room for four calls: two pairs who talk, or four who wait. The last is for who passes by."""

    async def start() -> list[PhoneProcess]:
        return [await PhoneProcess.start() for _ in range((TALKING + 1) // 2 + WAITING // 4 + 1)]

    processes = runner.run(start())
    yield processes
    runner.run(close_all(processes))


@pytest.fixture
def spare(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[PhoneProcess]:
    """A second process of phones, where four calls are not enough."""
    process = runner.run(PhoneProcess.start())
    yield process
    runner.run(process.close())


async def close_all(processes: list[PhoneProcess]) -> None:
    await asyncio.gather(*(process.close() for process in processes))


@dataclass(kw_only=True)
class Held:
    """What a test saw before, to be found again."""

    waiting: list[str] = field(default_factory=list)
    """Uniqueids in the order of service."""
    up_at: dict[str, float] = field(default_factory=dict)
    """By Uniqueid the instant, on the machine's monotonic clock, at which the waiting began."""
    talking: dict[str, str] = field(default_factory=dict)
    """By agent the Uniqueid of the customer."""
    agents: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    """State, reason and the instant since when it is so."""


def waiting_now(shown: Any, queue: str = "sales") -> list[tuple[str, float]]:
    """Uniqueid and waiting time, in the order of service."""
    uniqueid = {call["number"]: call["leg"][1] for call in shown["calls"]}
    rows = next(q["waiting"] for q in shown["queues"] if q["id"] == queue)
    return [(uniqueid[row["number"]], row["wait_s"]) for row in rows]


def agents_now(shown: Any) -> dict[str, Any]:
    return {agent["id"]: agent for agent in shown["agents"]}


def customers_of(shown: Any) -> dict[str, str]:
    """By agent the Uniqueid of the customer, of those who talk."""
    return {call["agent"]: call["leg"][1] for call in shown["calls"] if call["state"] == "talking"}


async def same(center: Center, held: Held, steady: list[str]) -> None:
    """The same callers in the same order with true waiting times, the same talks, the same states of `steady` agents."""
    before = time.monotonic()
    shown = await center.overview()
    after = time.monotonic()
    waiting = waiting_now(shown)
    assert [uniqueid for uniqueid, _ in waiting] == held.waiting
    for uniqueid, wait_s in waiting:
        assert before - held.up_at[uniqueid] - CLOCK_S < wait_s < after - held.up_at[uniqueid] + CLOCK_S, (uniqueid, wait_s)
    assert customers_of(shown) == held.talking
    agents = agents_now(shown)
    for agent in steady:
        state, reason, since = held.agents[agent]
        now = agents[agent]
        assert (now["state"], now["reason"]) == (state, reason), (agent, now)
        assert before - since - CLOCK_S < now["since_s"] < after - since + CLOCK_S, (agent, now)


async def remember(center: Center, held: Held) -> None:
    now = time.monotonic()
    shown = await center.overview()
    held.waiting = [uniqueid for uniqueid, _ in waiting_now(shown)]
    held.talking = customers_of(shown)
    held.agents = {a: (row["state"], row["reason"], now - row["since_s"]) for a, row in agents_now(shown).items()}


async def joins(center: Center, caller: Phone, held: Held, count: int) -> None:
    """One more caller gets in line behind `count`."""
    await caller.call(SALES)
    up = await caller.wait("up")
    await center.waiting("sales", count + 1)
    for uniqueid, _ in waiting_now(await center.overview()):
        held.up_at.setdefault(uniqueid, float(str(up["at"])))


async def talk(
    center: Center, phones: PhoneProcess, agent: str, desk_fields: Mapping[str, object] | None = None, **customer: object
) -> tuple[Phone, Phone]:
    """The phones of an agent and of a customer who talk."""
    desk = await center.agent(phones, agent, tone_hz=AGENT_HZ, answer_after_ms=50, **(desk_fields or {}))
    caller = await center.caller(phones, f"customer-{agent}", **customer)
    await caller.call(SALES)
    await caller.wait("up")
    await center.agent_is(agent, "talking")
    return desk, caller


@asynccontextmanager
async def passers_by(phone: Phone, chance: random.Random) -> AsyncIterator[None]:
    """Callers who come to the other queue and leave after a moment, so that there is always something half done."""
    is_over = asyncio.Event()

    async def pass_by() -> None:
        while not is_over.is_set():
            await phone.call("sip:902@127.0.0.1")
            with suppress(TimeoutError):  # the time they stay
                await asyncio.wait_for(is_over.wait(), chance.uniform(0.1, 1.5))
            await phone.hangup()
            await phone.wait("ended")

    task = asyncio.create_task(pass_by())
    try:
        yield
    finally:
        is_over.set()
        await task


def assert_unbroken(path: Path, tone_hz: int, gap_ms: int, at_least_s: float, who: str) -> None:
    spans = audio.heard(path, [tone_hz])[tone_hz]
    assert spans and spans[-1].end_ms - spans[0].start_ms >= at_least_s * 1000 - gap_ms, (who, spans)
    assert audio.longest_gap_ms(spans) <= gap_ms, (who, spans)


async def talks(center: Center, processes: list[PhoneProcess], number: int, ears: Path) -> Phone:
    """The phone of a customer who talks with agent 10<number>; what both hear is recorded."""
    process, heard = processes[(number - 1) // 2], {"record": str(ears / f"agent-{number}.wav")}
    _, customer = await talk(center, process, f"10{number}", heard, record=str(ears / f"customer-{number}.wav"))
    return customer


async def waits(center: Center, processes: list[PhoneProcess], held: Held, number: int, ears: Path) -> Phone:
    """The phone of a customer who waits behind `number` others; what some of them hear is recorded."""
    record = {"record": str(ears / f"wait-{number}.wav")} if number in RECORDED else {}
    caller = await center.caller(processes[number // 4], f"caller{number}", **record)
    await joins(center, caller, held, number)
    return caller


@pytest.fixture
def long_fallback(pbx: Asterisk) -> Iterator[None]:
    """A busy machine takes so long to start ten daemons that callers who find none in between would leave by the fallback."""
    before = fallback_after(pbx)
    pbx.cli("dialplan set global CC_FALLBACK_AFTER 900")
    yield
    pbx.cli(f"dialplan set global CC_FALLBACK_AFTER {before}")


def fallback_after(pbx: Asterisk) -> str:
    return pbx.cli("dialplan show globals").split("CC_FALLBACK_AFTER=")[1].split()[0]


@pytest.mark.deadline(300)
async def test_twenty_wait_and_five_talk_through_ten_deaths_of_the_daemon(
    center: Center, crowd: list[PhoneProcess], long_fallback: None, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # shown when the test fails
    chance = random.Random(seed)
    ledger, held = Ledger(center), Held()
    ledger.may_repair = True  # what happened while nobody looked is found by reading Asterisk

    talkers, waiters = crowd[: (TALKING + 1) // 2], crowd[(TALKING + 1) // 2 : -1]
    customers = [await talks(center, talkers, n, tmp_path) for n in range(1, TALKING + 1)]
    callers = [await waits(center, waiters, held, n, tmp_path) for n in range(WAITING)]
    await center.ask("agent.login", agent="107", phone="1007")
    await center.ask("agent.pause", agent="107", reason="lunch")
    # Never answers: the phone rings, is spared for a second, rings again.
    await talkers[-1].phone("1006", password=password_of("1006"))
    await center.ask("agent.login", agent="106", phone="1006")
    await center.agent_is("106", "ringing")
    await remember(center, held)
    assert len(held.waiting) == WAITING and len(held.talking) == TALKING
    steady = [*sorted(held.talking), "107", "108"]
    began = time.monotonic()

    passer = await center.caller(crowd[-1], "passer", number="+34911000000")
    mid_ring = 0
    async with passers_by(passer, chance):
        for number in range(ROUNDS):
            if number % 2:
                await center.agent_is("106", "ringing")
            await asyncio.sleep(chance.uniform(0.0, 1.8))  # the instant of the kill is drawn, not waited for
            mid_ring += (await center.agent_state("106")) == "ringing"
            await center.daemon.kill()
            await asyncio.sleep(chance.uniform(0.0, 1.0))  # nor is the time it is away
            await center.restart()
            await same(center, held, steady)
            assert await center.agent_state("106") in ("ready", "ringing", "back_off")
    assert mid_ring >= 2, "some deaths while a phone rang"
    lasted_s = time.monotonic() - began

    await center.ask("agent.logout", agent="106")
    for caller in (*callers, *customers):
        await caller.hangup()
    for n in range(1, TALKING + 1):
        await center.agent_is(f"10{n}", "ready")
    await center.agent_is("106", "logged_out")
    await ledger.check()
    _on_record(ledger, held)

    await close_all(crowd)
    for path in sorted(tmp_path.glob("wait-*.wav")):
        assert_unbroken(path, MUSIC_HZ, MUSIC_GAP_MS, lasted_s, path.name)
    for path in sorted(tmp_path.glob("customer-*.wav")):
        assert_unbroken(path, AGENT_HZ, TALK_GAP_MS, lasted_s, path.name)
    for path in sorted(tmp_path.glob("agent-*.wav")):
        assert_unbroken(path, CALLER_HZ, TALK_GAP_MS, lasted_s, path.name)
    assert len(list(tmp_path.glob("*.wav"))) == len(RECORDED) + 2 * TALKING


def _on_record(ledger: Ledger, held: Held) -> None:
    """Each of the callers once, and as what they were."""
    calls = ledger.calls()
    by_uniqueid = {call["uniqueid"]: call for call in calls}
    assert len(by_uniqueid) == len(calls)
    for uniqueid in held.waiting:
        assert by_uniqueid[uniqueid]["outcome"] == "abandoned", by_uniqueid[uniqueid]
        assert ledger.told("queue_visits", by_uniqueid[uniqueid], "outcome") == ["abandoned"]
    for agent, uniqueid in held.talking.items():
        call = by_uniqueid[uniqueid]
        assert (call["outcome"], call["agent"], call["ended_by"]) == ("answered", agent, "customer")
        assert len(ledger.of("recordings", call)) == 1 and ledger.told("segments", call, "kind").count("talk") == 1


async def test_a_daemon_that_froze_is_ended_and_goes_on(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    ledger, held = Ledger(center), Held()
    ledger.may_repair = True
    ear = tmp_path / "ear.wav"
    await center.agent(phones, "101", tone_hz=AGENT_HZ, answer_after_ms=50)
    customer = await center.caller(phones, "customer", record=str(tmp_path / "customer.wav"))
    await customer.call(SALES)
    await center.agent_is("101", "talking")
    waiter = await center.caller(phones, "waiter", record=str(ear))
    await joins(center, waiter, held, 0)
    await remember(center, held)

    # A clean stop and a start below the watchdog: nothing changes by that either.
    assert await center.daemon.stop() == 0, center.daemon.tail()
    options = center.daemon.options
    center.daemon.options = (*options, "--watchdog-s", str(WATCHDOG_S))
    await center.restart()
    await same(center, held, ["101"])
    frozen = (await center.ask("status"))["pid"]
    assert frozen != center.daemon.pid

    os.kill(frozen, signal.SIGSTOP)
    late = await center.caller(phones, "late")
    await late.call(SALES)  # Asterisk hands them to a daemon that does not answer
    await until(lambda: not Path(f"/proc/{frozen}").exists(), WATCHDOG_S + PATIENCE_S, what="the end of the frozen daemon")
    await center.serving()
    assert (await center.ask("status"))["pid"] != frozen
    await center.waiting("sales", 2)
    shown = await center.overview()
    assert [uniqueid for uniqueid, _ in waiting_now(shown)][:1] == held.waiting
    held.waiting = [uniqueid for uniqueid, _ in waiting_now(shown)]
    held.up_at[held.waiting[1]] = time.monotonic() - waiting_now(shown)[1][1]
    await same(center, held, ["101"])

    for phone in (waiter, late, customer):
        await phone.hangup()
    await center.agent_is("101", "ready")
    await ledger.check()
    assert [call["outcome"] for call in ledger.calls()] == ["answered", "abandoned", "abandoned"]
    await phones.close()
    lasted_s = WATCHDOG_S
    assert_unbroken(ear, MUSIC_HZ, MUSIC_GAP_MS, lasted_s, "the one who waits")
    assert_unbroken(tmp_path / "customer.wav", AGENT_HZ, TALK_GAP_MS, lasted_s, "the one who talks")

    assert await center.daemon.stop() == 0, center.daemon.tail()
    center.daemon.options = options
    await center.restart()


async def test_talks_that_end_while_nobody_looks_are_over(
    center: Center, phones: PhoneProcess, pbx: Asterisk, tmp_path: Path
) -> None:
    ledger = Ledger(center)
    ledger.may_repair = True
    (first, leaves), (second, stays) = [await talk(center, phones, agent) for agent in ("101", "102")]
    served = customers_of(await center.overview())

    await center.daemon.kill()
    await leaves.hangup()
    await first.wait("ended")  # nothing holds the agent's leg
    await second.hangup()
    await stays.wait("ended")  # nor the customer's, who has been served
    await until(lambda: not pbx.channels(), what="no channel")
    await center.restart()
    for agent in ("101", "102"):
        await center.agent_is(agent, "ready")
    await ledger.check()
    for call in ledger.calls():
        assert (call["outcome"], served[call["agent"]]) == ("answered", call["uniqueid"])
        assert len(ledger.of("recordings", call)) == 1


async def test_callers_are_sent_to_the_fallback_after_its_time(
    center: Center, phones: PhoneProcess, pbx: Asterisk, tmp_path: Path
) -> None:
    ledger = Ledger(center)
    ledger.may_repair = True
    await center.log_everybody_out()
    before = fallback_after(pbx)
    pbx.cli("dialplan set global CC_FALLBACK_AFTER 5")
    waiter, held = await center.caller(phones, "waiter", record=str(tmp_path / "ear.wav")), Held()
    await joins(center, waiter, held, 0)
    await center.daemon.kill()
    died = time.monotonic()
    newcomer = await center.caller(phones, "newcomer")
    await newcomer.call(SALES)
    await newcomer.wait("up")  # is answered, and hears music too
    for caller in (waiter, newcomer):
        over = await caller.wait("ended", 25)
        assert float(str(over["at"])) - died >= 4, "the time counts from the moment at which nobody answered, in whole seconds"
    pbx.cli(f"dialplan set global CC_FALLBACK_AFTER {before}")
    await center.restart()
    await ledger.check()
    (call,) = ledger.calls()  # of the newcomer the center never knew
    assert call["uniqueid"] in held.up_at and call["outcome"] in ("abandoned", "lost")


async def test_the_link_to_asterisk_is_lost_and_comes_back(
    center: Center, phones: PhoneProcess, spare: PhoneProcess, tmp_path: Path
) -> None:
    ledger, held, site, pbx = Ledger(center), Held(), center.site, center.pbx
    ledger.may_repair = True
    relay, port = Relay(pbx.plan.values.ami_port), pbx.plan.values.ami_port + 100
    await relay.open(port)
    assert await center.daemon.stop() == 0, center.daemon.tail()
    usual = site.more
    site.more = {**usual, "asterisk": {**site.settings()["asterisk"], "ami_port": port}}
    site.write_settings()
    await center.restart()

    began = time.monotonic()
    first, kept = await talk(center, phones, "101", record=str(tmp_path / "kept.wav"))
    second, ends = await talk(center, phones, "102")
    stays, leaves, comes = [await center.caller(spare, name) for name in ("stays", "leaves", "comes")]
    await joins(center, stays, held, 0)
    await remember(center, held)
    await joins(center, leaves, held, 1)

    # A moment: nothing is to be seen of it.
    relay.cut()
    await until(lambda: relay.connections == 2, what="a second link")
    await center.serving()

    # A while, in which things happen.
    await relay.close()
    await until_trouble(center)
    await leaves.hangup()
    await ends.hangup()
    await comes.call(SALES)
    await comes.wait("up")
    await relay.open(port)
    await center.serving()
    held.talking.pop("102")
    await center.agent_is("102", "talking")  # the one who waited longest, after the wrap-up
    shown = await center.overview()
    assert customers_of(shown) == {**held.talking, "102": held.waiting[0]}
    assert len(waiting_now(shown)) == 1
    held.waiting = [uniqueid for uniqueid, _ in waiting_now(shown)]

    lasted_s = time.monotonic() - began - 1.0  # less what it took to get there
    for phone in (comes, stays, kept):
        await phone.hangup()
    for agent in ("101", "102"):
        await center.agent_is(agent, "ready")
    await ledger.check()
    assert [call["outcome"] for call in ledger.calls()] == ["answered", "answered", "answered", "abandoned", "abandoned"]
    assert first.count("incoming") == 1 and second.count("incoming") == 2, "no phone rang for nobody"
    await phones.close()
    assert_unbroken(tmp_path / "kept.wav", AGENT_HZ, TALK_GAP_MS, lasted_s, "the one who talks")

    assert await center.daemon.stop() == 0, center.daemon.tail()
    await relay.close()
    site.more = usual
    site.write_settings()
    await center.restart()


async def until_trouble(center: Center) -> None:
    async def look() -> bool:
        return (await center.ask("status"))["trouble"] is not None

    await until(look, what="a daemon that says that the link is lost")


def uptime_s(pbx: Asterisk) -> int:
    return int(pbx.cli("core show uptime seconds").split("System uptime:")[1].split()[0])


@pytest.mark.parametrize("is_daemon_killed", [False, True], ids=["asterisk", "asterisk and daemon"])
async def test_asterisk_is_killed_and_started_again(center: Center, pbx: Asterisk, is_daemon_killed: bool) -> None:
    ledger, held = Ledger(center), Held()
    ledger.may_repair = True
    doomed = await PhoneProcess.start()
    await center.agent(doomed, "101", answer_after_ms=50)
    await center.agent(doomed, "102")
    await center.ask("agent.pause", agent="102", reason="lunch")
    talks, waits = await center.caller(doomed, "talks"), await center.caller(doomed, "waits")
    await talks.call(SALES)
    await center.agent_is("101", "talking")
    await joins(center, waits, held, 0)

    # Younger ones are told apart by what a reading of them shows: repairs, and no word of Asterisk's death.
    await until(lambda: uptime_s(pbx) >= 5, what="an older Asterisk")
    pbx.kill()
    if is_daemon_killed:
        await center.daemon.kill()
    else:
        await until_trouble(center)
    await doomed.vanish()
    pbx.start()
    if is_daemon_killed:
        await center.restart()
    await center.serving()
    await center.quiet()  # no ghost stays
    calls = ledger.calls()
    assert [(call["outcome"], call["ended_by"]) for call in calls] == [("lost", "pbx")] * 2, calls
    assert [ledger.told("queue_visits", call, "outcome") for call in calls] == [["answered"], ["lost"]]
    shown = agents_now(await center.overview())
    assert (shown["102"]["state"], shown["102"]["reason"]) == ("not_ready", "lunch")
    assert shown["101"]["phone"] == "PJSIP/1001" and shown["101"]["state"] != "logged_out"

    # The phones come back; nobody has to log in again, and calls flow.
    async with await PhoneProcess.start() as phones:
        agent = await phones.phone("1001", password=password_of("1001"), answer_after_ms=50)
        await center.agent_is("101", "ready")
        caller = await center.caller(phones, "caller")
        await caller.call(SALES)
        await center.agent_is("101", "talking")
        await agent.hangup()
        await caller.wait("ended")
        await center.agent_is("101", "ready")
    await center.log_everybody_out()
    await ledger.check()
    assert [call["outcome"] for call in ledger.calls()] == ["lost", "lost", "answered"]

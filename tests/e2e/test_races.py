"""Two things at the same instant, on a real Asterisk: each has one outcome, and nobody is left hanging.

Every agent of a sweep has a queue of their own, so that it is known beforehand whose phone rings for whom, and many calls
can be swept side by side. Both ends are in one process of phones, which does what is due to about 2 ms; a process has four
calls at most, so there are several.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness.audit import History, audit, newest, outcomes
from harness.board import Board
from harness.center import AGENTS, Center, Site, pin_hash
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneFailed, PhoneProcess

SWEEP_MS = range(-50, 51, 2)
RING_MS = 150
"""From the first ringing to the agent's answer, where that is not the time-out."""
RONA_S = 1.0
PAIRS = 4
WRAP_UP_S = 0.5


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    lanes = {f"lane{n}": {"skills": [f"lane{n}"], "wrap_up_s": WRAP_UP_S} for n in range(1, len(AGENTS) + 1)}
    pairs = {
        f"pair{n}": {"skills": [f"pair{n}"], "wrap_up_s": WRAP_UP_S, "ring_timeout_s": RONA_S} for n in range(1, PAIRS + 1)
    }
    return Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={**lanes, **pairs},
        more={
            "skills": {name: name.title() for name in ("sales", "support", "spanish", *lanes, *pairs)},
            "agents": {
                agent: {
                    "name": f"Agent {agent}",
                    "skills": {"sales": 50, "support": 50, f"lane{n + 1}": 50, f"pair{n % PAIRS + 1}": 50},
                    "pin_hash": pin_hash(agent),
                }
                for n, agent in enumerate(AGENTS)
            },
            "offers": {"missed_reason": "missed", "missed_before_not_ready": 0, "missed_back_off_s": 1},
        },
    )


@pytest.fixture
def desks(pbx: Asterisk, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    started = [runner.run(PhoneProcess.start()) for _ in range(4)]
    yield started
    for desk in started:
        runner.run(desk.close())


class Lane:
    """A customer's phone and the phones of the agents who can be reached by calling `did`."""

    def __init__(self, center: Center, board: Board, caller: Phone, queue: str, *agents: tuple[str, Phone]) -> None:
        self.center, self.board, self.caller, self.queue = center, board, caller, queue
        self.agent, self.phone = agents[0]
        self.agents = dict(agents)

    async def call(self) -> None:
        await self.caller.call(f"sip:{did(self.center, self.queue)}@127.0.0.1")

    async def ready(self, deadline_s: float = 6.0) -> None:
        await self.board.one_is([self.agent], "ready", deadline_s)


def did(center: Center, queue: str) -> str:
    return next(number for number, target in center.site.settings()["dids"].items() if target["flow"] == queue)


async def lanes(center: Center, desks: list[PhoneProcess], board: Board) -> list[Lane]:
    """One lane for each agent, all ready."""
    made = []
    for n, agent in enumerate(AGENTS, start=1):
        desk = desks[n % len(desks)]
        caller = await center.caller(desk, f"caller{n}", f"+3491122230{n}")
        made.append(Lane(center, board, caller, f"lane{n}", (agent, await center.agent(desk, agent))))
    return made


async def spread(made: list[Lane], sweep: Iterable[int], one: Callable[[Lane, int], Awaitable[None]]) -> dict[str, list[int]]:
    """`one` call for every value, over all lanes side by side; the values by queue, in the order of their calls."""
    values = list(sweep)
    shares = {lane.queue: values[n :: len(made)] for n, lane in enumerate(made)}

    async def run(lane: Lane) -> None:
        for value in shares[lane.queue]:
            try:
                await one(lane, value)
            except (AssertionError, TimeoutError, PhoneFailed) as failed:
                raise AssertionError(f"{lane.queue} at {value} ms: {failed}") from failed

    async with asyncio.TaskGroup() as together:
        for lane in made:
            together.create_task(run(lane))
    return shares


def told(history: History, shares: dict[str, list[int]]) -> list[tuple[int, str]]:
    """(value of the sweep, outcome), by value: for the message of a failed check."""
    by_queue = {queue: [row["outcome"] for row in history.interactions if row["queue"] == queue] for queue in shares}
    return sorted(pair for queue, values in shares.items() for pair in zip(values, by_queue[queue], strict=True))


async def test_a_caller_who_hangs_up_as_the_agent_answers_is_answered_or_has_abandoned(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess]
) -> None:
    since = newest(center)
    apart_ms: list[float] = []

    async def one(lane: Lane, after_ms: int) -> None:
        rings = {"event": "incoming", "phone": lane.phone.name}
        answered = await lane.phone.arm(rings, {"do": "answer", "phone": lane.phone.name, "after_ms": RING_MS})
        hung_up = await lane.phone.arm(rings, {"do": "hangup", "phone": lane.caller.name, "after_ms": RING_MS + after_ms})
        await lane.call()
        left = await asyncio.wait_for(hung_up, 8)
        with suppress(PhoneFailed):  # the call has been taken from the phone before it could answer
            apart_ms.append(1000 * (float(str(left["at"])) - float(str((await asyncio.wait_for(answered, 8))["at"]))))
        await lane.caller.wait("ended")
        await lane.phone.wait("ended")
        await lane.ready()

    async with Board(center) as board:
        shares = await spread(await lanes(center, desks, board), SWEEP_MS, one)
    history = await audit(center, pbx, since)
    assert len(history.interactions) == len(SWEEP_MS)
    seen = outcomes(history)
    assert set(seen) == {"answered", "abandoned"}, (told(history, shares), sorted(apart_ms))
    for row in history.interactions:
        agent = AGENTS[int(row["queue"].removeprefix("lane")) - 1]
        offers = [(offer["agent"], offer["outcome"]) for offer in history.offers[row["interaction"]]]
        assert offers == [(agent, "answered" if row["outcome"] == "answered" else "caller_gone")], (row, offers)
        assert row["ended_by"] == "customer", row


async def test_a_caller_who_leaves_while_an_agent_is_being_called_leaves_no_phone_ringing(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess]
) -> None:
    """From the instant the caller dials, and from the one the call is answered, which is the offer's."""
    since = newest(center)
    rings_ms: list[float] = []

    async def leave(lane: Lane, when: str, after_ms: int) -> None:
        event = {"event": when, "phone": lane.caller.name}
        hung_up = await lane.caller.arm(event, {"do": "hangup", "phone": lane.caller.name, "after_ms": after_ms})
        before = lane.phone.count("incoming")
        await lane.call()
        left = await asyncio.wait_for(hung_up, 8)
        await lane.caller.wait("ended")
        await lane.ready(1.5)  # the phone would ring for 2 s
        assert lane.phone.count("incoming") <= before + 1
        if lane.phone.count("incoming") > before:
            ended = await lane.phone.wait("ended")
            rings_ms.append(1000 * (float(str(ended["at"])) - float(str(left["at"]))))

    async with Board(center) as board:
        made = await lanes(center, desks, board)
        await spread(made, range(0, 51, 2), lambda lane, after_ms: leave(lane, "up", after_ms))
        offered = len((await audit(center, pbx, since)).interactions)
        await spread(made, range(0, 51, 2), lambda lane, after_ms: leave(lane, "calling", after_ms))
    history = await audit(center, pbx, since)
    assert offered == len(range(0, 51, 2))
    assert offered <= len(history.interactions) <= 2 * offered, "a call that was taken back at once need not arrive"
    assert all(row["outcome"] == "abandoned" or not history.offers[row["interaction"]] for row in history.interactions)
    given = [offer for offers in history.offers.values() for offer in offers]
    assert {offer["outcome"] for offer in given} == {"caller_gone"} and len(given) >= offered
    assert rings_ms and max(rings_ms) < 1000, sorted(rings_ms)


async def test_both_sides_who_hang_up_at_once_end_one_talk(center: Center, pbx: Asterisk, desks: list[PhoneProcess]) -> None:
    since = newest(center)
    too_late: list[str] = []

    async def one(lane: Lane, after_ms: int) -> None:
        """The caller hangs up so long after the agent."""
        await lane.phone.set(answer_after_ms=0)
        joined = {"event": "media", "phone": lane.phone.name}
        ends = [
            await lane.phone.arm(joined, {"do": "hangup", "phone": lane.phone.name, "after_ms": 400}),
            await lane.caller.arm(joined, {"do": "hangup", "phone": lane.caller.name, "after_ms": 400 + after_ms}),
        ]
        await lane.call()
        for done in await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), 8):
            if isinstance(done, PhoneFailed):
                too_late.append(str(done))  # the other's BYE was there first
            else:
                assert not isinstance(done, BaseException), done
        await lane.caller.wait("ended")
        await lane.phone.wait("ended")
        await lane.ready()

    sweep = range(-40, 41, 5)
    async with Board(center) as board:
        shares = await spread(await lanes(center, desks, board), sweep, one)
    history = await audit(center, pbx, since)
    assert outcomes(history) == {"answered": len(sweep)}, told(history, shares)
    assert {row["ended_by"] for row in history.interactions} == {"customer", "agent"}, (shares, too_late)
    for row in history.interactions:
        kinds = Counter(segment["kind"] for segment in history.segments[row["interaction"]])
        assert kinds["talk"] == kinds["wrap_up"] == 1, kinds
        assert 0.2 < row["talk_s"] < 3, row


async def test_an_agent_who_answers_as_the_time_is_up_has_the_caller_or_not_and_the_caller_gets_an_agent(
    center: Center, pbx: Asterisk, desks: list[PhoneProcess], tmp_path: Path
) -> None:
    """The ringing ends in Asterisk, at its own Timeout. A second agent of the queue comes back as the first one's rings."""
    since = newest(center)
    heard: list[tuple[str, str]] = []
    first: list[str] = []

    async def one(lane: Lane, after_ms: int) -> None:
        rings = {"event": "incoming", "phone": lane.phone.name}
        answered = await lane.phone.arm(rings, {"do": "answer", "phone": lane.phone.name, "after_ms": RONA_S * 1000 + after_ms})
        ear = tmp_path / f"{lane.queue}{after_ms}.wav"
        await lane.caller.set(record=str(ear))
        await lane.call()
        await lane.phone.wait("incoming")
        (spare,) = (agent for agent in lane.agents if agent != lane.agent)
        await center.ask("agent.unpause", agent=spare)
        with suppress(PhoneFailed):  # it has stopped ringing
            await asyncio.wait_for(answered, 8)
        agent = await board.one_is(lane.agents, "talking")
        tones = [tone_of(each) for each in AGENTS]
        await until(lambda: audio.total_ms(audio.heard(ear, tones)[tone_of(agent)]) >= 300, 8, what=f"the voice of {agent}")
        await lane.caller.hangup()
        await lane.caller.wait("ended")
        spans = audio.heard(ear, tones)
        heard.extend((agent, each) for each in AGENTS if audio.total_ms(spans[tone_of(each)]))
        first.append("joined" if agent == lane.agent else "missed")
        await lane.agents[agent].wait("ended")
        await board.one_is([spare], "ready")
        await center.ask("agent.pause", agent=spare, reason="lunch")
        await center.ask("agent.unpause", agent=lane.agent)  # ends the back-off after a missed call
        await lane.ready()

    async with Board(center) as board:
        made = []
        for n in range(1, PAIRS + 1):
            desk = desks[n % len(desks)]
            caller = await center.caller(desk, f"caller{n}", f"+3491122230{n}")
            pair = [(agent, await center.agent(desk, agent, tone_hz=tone_of(agent))) for agent in AGENTS[n - 1 :: PAIRS]]
            await pair[1][1].set(answer_after_ms=0)
            await center.ask("agent.pause", agent=pair[1][0], reason="lunch")
            made.append(Lane(center, board, caller, f"pair{n}", *pair))
        shares = await spread(made, SWEEP_MS, one)
    history = await audit(center, pbx, since)
    assert outcomes(history) == {"answered": len(SWEEP_MS)}, told(history, shares)
    ways = Counter(tuple(offer["outcome"] for offer in history.offers[row["interaction"]]) for row in history.interactions)
    assert set(ways) == {("answered",), ("missed", "answered")}, ways
    assert Counter(first) == {"joined": ways["answered",], "missed": ways["missed", "answered"]}
    assert Counter(heard) == Counter((row["agent"], row["agent"]) for row in history.interactions), "one voice each"


def tone_of(agent: str) -> int:
    return 700 + 90 * AGENTS.index(agent)

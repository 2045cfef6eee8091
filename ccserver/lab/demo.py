"""`make demo`: the example center at work, with a real Asterisk, real SIP phones and simulated people.

Everything runs in network, mount and process namespaces of its own.  DEMO_SECONDS ends it by itself, Ctrl-C at once; either way
no new callers come, live calls are ended, and a summary is printed (as JSON to DEMO_JSON too).  DEMO_SEED gives the same people
again; DEMO_DIR says where recordings, history and logs are kept.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sqlalchemy import func, select

from ccserver.config import ConfigurationRejected
from ccserver.core.records import ShownState
from ccserver.core.views import Overview
from ccserver.lab import asterisk_root, enclosure, tally
from ccserver.lab.agents import Agent
from ccserver.lab.asterisk import AsteriskFailed
from ccserver.lab.customers import Customer, Habits, next_arrival_s
from ccserver.lab.namespace import CannotIsolate
from ccserver.lab.phones import NotSeen, PhoneFailed
from ccserver.lab.provide import ProgramMissing, provide
from ccserver.lab.stack import Stack, StackFailed, StackPlan
from ccserver.lab.switchroom import Switchroom
from ccserver.store import schema
from ccserver.store.archive import unfinished
from ccserver.store.database import Store

Condition = Callable[[Overview], bool]
LINE_EVERY_S = 5.0
AGENT_PROCESSES = 3
CUSTOMER_PROCESSES = 2
LOG_IN_S = 60.0
WIND_DOWN_S = 40.0
"""Longer than a ring, a talk's end and the longest wrap-up together."""
ARCHIVED_S = 15.0
DID = "+34910000001"
AT_THE_DOOR = 3
DOOR_S = 0.8
TROUBLES_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the environment asks for."""

    directory: Path
    seconds: float | None
    json: Path | None
    seed: int


def main() -> int:
    """Entry point of `python -m ccserver.lab.demo`."""
    try:
        if not enclosure.is_inside():
            began_s = time.monotonic()
            _wishes(os.environ.get("DEMO_DIR", "."))  # a wrong value is told before anything is made
            root = provide()
            directory = os.environ.get("DEMO_DIR") or tempfile.mkdtemp(prefix="ccserver-demo-")
            return enclosure.run_inside(__spec__.name, [str(root), directory, str(began_s)], private_network=True)
        enclosure.settle()
        root, directory, began_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
        return _demo(root, _wishes(directory), began_s)
    except ConfigurationRejected as rejected:
        print(rejected, file=sys.stderr)
    except (
        StackFailed,
        AsteriskFailed,
        asterisk_root.NoAsterisk,
        ProgramMissing,
        CannotIsolate,
        ValueError,
        OSError,
    ) as failed:
        print(f"demo: {failed}", file=sys.stderr)
    except (NotSeen, PhoneFailed) as failed:
        print(f"demo: a phone: {failed}", file=sys.stderr)
    return 1


def _wishes(directory: str) -> Wishes:
    seconds, json_file, seed = (os.environ.get(name, "") for name in ("DEMO_SECONDS", "DEMO_JSON", "DEMO_SEED"))
    return Wishes(
        directory=Path(directory).resolve(),
        seconds=float(seconds) if seconds else None,
        json=Path(json_file).resolve() if json_file else None,
        seed=int(seed) if seed else int.from_bytes(os.urandom(4), "big"),
    )


def _demo(root: Path, wishes: Wishes, began_s: float) -> int:
    with Stack(StackPlan(directory=wishes.directory, asterisk_root=root)) as stack:
        stack.start()
        show = Show(stack, wishes)
        seen = asyncio.run(show.run(began_s))
        stack.require_alive()
    result = {
        **tally.summary(seen, stack.recordings),
        **show.facts,
        "directory": str(wishes.directory),
        "database": stack.database_url,
        "recordings_directory": str(stack.recordings),
        "cel": str(stack.cel),
    }
    print("\n" + "\n".join(tally.told(result)))
    print(f"kept in {wishes.directory} (seed {wishes.seed})", flush=True)
    for trouble in show.troubles[:TROUBLES_SHOWN]:
        print(f"trouble: {trouble}", file=sys.stderr)
    if wishes.json is not None:
        aside = wishes.json.with_name(wishes.json.name + ".new")
        aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        aside.rename(wishes.json)
    return 1 if show.troubles else 0


class Show:
    """The people of one demo, on one event loop."""

    def __init__(self, stack: Stack, wishes: Wishes) -> None:
        self.stack = stack
        self.wishes = wishes
        self.troubles: list[str] = []
        self.facts: dict[str, object] = {"seed": wishes.seed}
        self._chance = Random(wishes.seed)
        self._customers: dict[str, Customer] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._agents: list[Agent] = []
        self._placed = 0
        self._open = contextlib.AsyncExitStack()

    async def run(self, began_s: float) -> Overview:
        """Everything from the first registration to the last hang-up; what the center shows at the end."""
        end = await enclosure.end_asked()
        async with Switchroom() as desks, Switchroom() as outside:
            await asyncio.gather(desks.start(AGENT_PROCESSES), outside.start(CUSTOMER_PROCESSES))
            asterisk_root.to_stderr("phones: registering, agents log in with their PINs")
            await self._log_in(desks)
            self.facts["started_s"] = round(time.monotonic() - began_s, 2)
            asterisk_root.to_stderr(f"ready after {self.facts['started_s']} s; callers come now, Ctrl-C ends it")
            at_work = [asyncio.create_task(self._at_work(agent)) for agent in self._agents]
            board = asyncio.create_task(self._board())
            try:
                await self._arrivals(outside, end)
            finally:
                board.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await board
            seen = await self._wind_down()
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)
            self.facts["callers"] = self._placed
            self.troubles += [f"phone: {dict(event)}" for event in (*desks.trouble, *outside.trouble)]
        return seen

    # --- agents -------------------------------------------------------------------------------------------------------
    async def _log_in(self, desks: Switchroom) -> None:
        settings = self.stack.configuration.settings
        pairs = zip(sorted(settings.agents), sorted(settings.phones.values(), key=lambda phone: phone.number), strict=False)
        for agent, phone in pairs:
            process = await self._open.enter_async_context(desks.place(1))
            opened = await process.phone(phone.number, password=self.stack.passwords[phone.number], tone_hz=600 + int(agent))
            self._agents.append(
                Agent(
                    id=agent,
                    pin=f"1{agent}",
                    phone=opened,
                    codes=settings.features,
                    break_code=next(iter(settings.reasons.values())).code,
                    chance=Random(self._chance.random()),
                    meet=self._customers.get,
                )
            )
        await asyncio.gather(*(agent.log_in() for agent in self._agents))
        await self._until(
            lambda seen: sum(agent.state is ShownState.READY for agent in seen.agents) == len(self._agents),
            LOG_IN_S,
            "all agents to be ready",
        )

    async def _at_work(self, agent: Agent) -> None:
        while True:
            try:
                await agent.work()
            except (NotSeen, PhoneFailed) as failed:
                self.troubles.append(f"agent {agent.id}: {failed}")

    # --- customers ----------------------------------------------------------------------------------------------------
    async def _arrivals(self, outside: Switchroom, end: asyncio.Event) -> None:
        habits, chance = Habits(), Random(self._chance.random())
        began_s = time.monotonic()
        at_s = 0.0
        while not end.is_set():
            # A few wait at the door when it opens.
            at_s = next_arrival_s(at_s, habits, chance) if self._placed >= AT_THE_DOOR else self._placed * DOOR_S
            last = self.wishes.seconds is not None and at_s >= self.wishes.seconds
            until_s = began_s + (self.wishes.seconds if last and self.wishes.seconds is not None else at_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), max(0.0, until_s - time.monotonic()))
            if last or end.is_set():
                return
            self.stack.require_alive()
            number = f"+346{chance.randrange(10**8):08d}"
            if number not in self._customers:
                self._place(number, Customer.drawn(number, habits, chance), outside)

    def _place(self, number: str, customer: Customer, outside: Switchroom) -> None:
        self._customers[number] = customer
        self._placed += 1
        task = asyncio.create_task(self._call(number, customer, outside))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, number: str, customer: Customer, outside: Switchroom) -> None:
        try:
            async with outside.place() as process:
                await customer.call(process, DID)
        except (NotSeen, PhoneFailed) as failed:
            self.troubles.append(f"customer {number}: {failed}")
        finally:
            del self._customers[number]

    # --- what is seen -------------------------------------------------------------------------------------------------
    async def _board(self) -> None:
        began_s = time.monotonic()
        if sys.stdout.isatty():
            await self._live_board()
            return
        while True:
            print(tally.line(time.monotonic() - began_s, await self._look()), flush=True)
            await asyncio.sleep(LINE_EVERY_S)

    async def _live_board(self) -> None:
        """`ccserver top` draws, as it does for an operator; it is ended before anything else is printed."""
        top = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ccserver", "top", "--config", str(self.stack.config)), stdin=asyncio.subprocess.DEVNULL
        )
        try:
            await top.wait()
            self.troubles.append(f"ccserver top ended with {top.returncode}")
        finally:
            if top.returncode is None:
                top.terminate()
                await top.wait()

    async def _look(self) -> Overview:
        return await asyncio.to_thread(self.stack.overview)

    async def _until(self, holds: Condition, deadline_s: float, what: str) -> Overview:
        deadline = time.monotonic() + deadline_s
        while True:
            seen = await self._look()
            if holds(seen):
                return seen
            if time.monotonic() > deadline:
                raise StackFailed(f"waited {deadline_s:g} s in vain for {what}; last seen: {tally.line(0, seen)}")
            await asyncio.sleep(0.1)  # between two looks

    # --- the end ------------------------------------------------------------------------------------------------------
    async def _wind_down(self) -> Overview:
        """Live calls end, agents finish their wrap-up, recordings are archived."""
        asterisk_root.to_stderr("no new callers; ending the live calls")
        for agent in self._agents:
            agent.closing.set()
        for customer in list(self._customers.values()):
            if not customer.talks.is_set():
                customer.leaves.set()
        deadline = time.monotonic() + WIND_DOWN_S
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=WIND_DOWN_S)
            self.troubles += [f"{len(late)} calls did not end"] * bool(late)
        seen = await self._until(
            lambda seen: not seen.calls and not any(agent.state is ShownState.WRAP_UP for agent in seen.agents),
            max(5.0, deadline - time.monotonic()),
            "the last calls to be over",
        )
        await self._until_archived()
        return seen

    async def _until_archived(self) -> None:
        """Every stretch in history is in a file of its interaction."""
        store = Store(self.stack.database_url)
        deadline = time.monotonic() + ARCHIVED_S
        try:
            while True:
                with store.reading() as connection:
                    told = connection.scalar(select(func.count()).select_from(schema.recordings)) or 0
                    made = connection.scalar(select(func.count()).select_from(schema.recording_files)) or 0
                if made >= told and not unfinished(store):
                    return
                if time.monotonic() > deadline:
                    raise StackFailed(f"{told - made} recordings were not archived within {ARCHIVED_S:g} s")
                await asyncio.sleep(0.1)  # between two looks
        finally:
            store.close()


if __name__ == "__main__":
    sys.exit(main())

"""Plays the scripts of `ccserver.sim.script` with real phones on a real Asterisk, watching the daemon's own trace.

What happens to somebody (a phone rings, a question is asked, a bridge is entered) is read from the trace, so a script means the
same here and on the virtual PBX.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, Protocol

from ccserver.agi.secrets import hash_pin
from ccserver.core.commands import Collect, CollectNumber, CollectSecret, DialOut, Place, RingAgent
from ccserver.core.events import (
    CallArrived,
    DeskOpened,
    FeatureDialled,
    LegEnded,
    LegEnteredBridge,
    LegLeftBridge,
    LegRinging,
    LegStarted,
    LinkLost,
    OwnCallDialled,
    PbxObserved,
    RingEnded,
    SessionClosed,
    TransferAsked,
    WrapUpOpened,
)
from ccserver.core.ids import CommandId, LegId, PhoneId, SessionId
from ccserver.core.traced import TracedStep, read_step
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneFailed, PhoneProcess
from ccserver.sim.called import CALLEE, MACHINES, WINTER
from ccserver.sim.scenarios import BROKEN, GOOD, ROOM, ROOM_PIN, SLOW, SLOW_S
from ccserver.sim.script import IN_THE_OFFICE, START, Act, Script, ScriptStep, Seen
from harness.campaigns import OURS, add_leads, dialing, start, stop
from harness.center import AGENT_HZ, CALLER_HZ, Center, Site, password_of
from harness.waiting import until

WHO_CALLED_HZ = 2310
SETTLED = {"logged_out", "ready", "not_ready", "unreachable", "back_off"}


FLOWS: dict[str, Any] = {
    "orders": {
        "start": "ask",
        "variables": {"order": "text", "status": "text"},
        "exits": {"no_input": "people", "invalid": "people", "failure": "people", "operator": "people"},
        "nodes": {
            "ask": {
                "collect": "department",
                "into": "order",
                "digits": "4",
                "timeout_s": 3,
                "next_timeout_s": 2,
                "tries": 2,
                "say_invalid": "language",
                "next": "find",
            },
            "find": {"look_up": "orders", "with": {"order": "order"}, "into": {"status": "status"}, "on_found": "tell"},
            "tell": {"script": "shop.tell", "with": {"order": "order"}, "on": {"told": "bye"}, "next": "people"},
            "people": {"enqueue": "sales"},
            "bye": {"hang_up": True, "say": "welcome"},
        },
    },
    "judge": {
        "start": "ask",
        "nodes": {
            "ask": {"survey": "csat", "say": "department", "next": "bye", "timeout_s": 3, "tries": 1},
            "bye": {"hang_up": True, "say": "welcome"},
        },
    },
}
"""As in `ccserver.sim.scenarios`."""
SHOP = f"""
    import time

    def order(call):
        order = call.parameters["order"]
        if order == "{SLOW}":
            time.sleep({SLOW_S})
        return {{"status": "sent"}} if order in ("{GOOD}", "{SLOW}", "{BROKEN}") else None

    def tell(agi, call):
        agi.stream_file("welcome")
        if call.parameters["order"] == "{BROKEN}":
            raise ValueError("no such thing")
        return "told"
"""


@dataclass(kw_only=True)
class StageSite(Site):
    """The site that `ccserver.sim.scenarios` speaks of."""

    queues: Any = field(
        default_factory=lambda: {
            "narrow": {"skills": ["sales"], "max_waiting": 1, "on_full": {"hang_up": True, "say": "cc-queue-full"}},
            "hasty": {"skills": ["spare"], "max_wait_s": 1, "on_max_wait": {"queue": "sales", "say": "cc-unavailable"}},
            "together": {"skills": ["sales"], "strategy": "ring_all"},
            "judged": {"skills": ["sales"], "survey": "judge"},
        }
    )

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        whole["skills"]["spare"] = "Spare"  # which nobody has
        whole["flows"] |= FLOWS
        whole["dids"]["920"] = {"flow": "orders", "language": "en"}
        whole["agents"]["102"]["supervisor"] = True
        whole["conferences"] = {"team": {"number": ROOM, "pin_hash": hash_pin(ROOM_PIN)}}
        whole["scripts_dir"] = str(self._scripts())
        whole["look_ups"] = {
            "orders": {"python": "shop.order", "parameters": {"order": "text"}, "gives": {"status": "text"}, "timeout_s": 6}
        }
        whole["direct_calls"] = {"wrap_up_s": 1, "ring_timeout_s": 5, "music": "cc-wait"}  # colleagues are reached by them
        return whole

    def _scripts(self) -> Path:
        """The folder of the site's functions in Python."""
        folder = self.directory / "scripts"
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        (folder / "shop.py").write_text(dedent(SHOP))
        (folder / "shop.py").chmod(0o644)
        return folder


@dataclass(kw_only=True)
class CallingSite(StageSite):
    """The site that `ccserver.sim.called` speaks of: it calls people. `ami_port`: of what lies between the daemon and Asterisk."""

    ami_port: int = 5138

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        for language in ("en", "es"):
            audio.write_tone(self.shared / "prompts" / language / "who-called.wav", WHO_CALLED_HZ, 1500)
        plain = {"mode": "progressive", "safe_harbour": "who-called"}
        whole |= dialing({WINTER: plain, MACHINES: {**plain, "amd": "on"}})
        whole["prompts"] = {**whole["prompts"], "who-called": {"en": "Example Ltd called you.", "es": "Le llamó Example."}}
        whole["dids"] = {**whole["dids"], OURS: {"flow": "sales", "language": "en"}}
        whole["asterisk"] = {**whole["asterisk"], "ami_port": self.ami_port}
        return whole


class Tail:
    """Follows the trace of a daemon that was started with `--trace DIRECTORY`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offset = 0
        self.steps: list[TracedStep] = []

    def read(self) -> list[TracedStep]:
        """The steps since the last reading; also kept in `steps`."""
        (path,) = self._directory.glob("trace-*.jsonl")
        with path.open("rb") as file:
            file.seek(self._offset)
            whole, _, _ = file.read().rpartition(b"\n")
        if not whole:
            return []
        self._offset += len(whole) + 1
        new = [read_step(line) for line in whole.split(b"\n")]
        self.steps += new
        return new


class Wire(Protocol):
    """What lies between the daemon and Asterisk."""

    def cut(self) -> None:
        """From now on nothing goes through."""

    def mend(self) -> None:
        """It does again."""


class Stage:
    """Phones for the cast, kept from script to script. `open` it, `play` scripts, `close` it."""

    def __init__(self, center: Center, trace: Path, wire: Wire | None = None) -> None:
        self.center = center
        self.wire = wire
        self.tail = Tail(trace)
        self._processes: dict[str, PhoneProcess] = {}
        self._phones: dict[str, Phone] = {}
        self._unregistered: set[str] = set()

    async def close(self) -> None:
        for process in self._processes.values():
            await process.close()

    async def play(self, script: Script, deadline_s: float = 80.0) -> list[TracedStep]:
        """Play it to its end: everybody at rest, no leg left. What the core was told and answered meanwhile."""
        await self._set_up(script)
        self.tail.read()
        first = len(self.tail.steps)
        evening = _Performance(self, script)
        await evening.run(deadline_s)
        for campaign in {name for name, _ in script.leads}:
            await stop(self.center, campaign)
        return self.tail.steps[first:]

    async def _set_up(self, script: Script) -> None:
        await self.center.log_everybody_out()
        await self.center.quiet()
        for place, (campaign, number) in enumerate(script.leads):
            add_leads(self.center, campaign, [number], key=f"{script.name} {place}")
        for name in dict.fromkeys([*script.agents, *(step.who for step in script.steps if step.act not in IN_THE_OFFICE)]):
            if name in script.agents:
                agent, phone = script.agents[name]
                number = phone.removeprefix("PJSIP/")
                desk = await self.desk(name, number)
                if name in self._unregistered:
                    await desk.register()
                    self._unregistered.discard(name)
                await desk.set(answer_code=200)
                if name not in script.absent:
                    await self.center.ask("agent.login", agent=agent, phone=number)
                    await self.center.agent_is(agent, "ready")
            else:
                await self.customer(name, is_withheld=name in script.withheld)

    async def desk(self, name: str, number: str) -> Phone:
        """The desk phone of `name`, in a process of its own, so that it can vanish."""
        if name not in self._phones:
            process = self._processes[name] = await PhoneProcess.start()
            self._phones[name] = await process.phone(
                number, password=password_of(number), tone_hz=AGENT_HZ, local=f"127.0.0.{number[-1]}1"
            )
        return self._phones[name]

    async def customer(self, name: str, *, is_withheld: bool) -> Phone:
        key = f"{name} withheld" if is_withheld else name
        if "outside" not in self._processes:
            self._processes["outside"] = await PhoneProcess.start()
        if key not in self._phones:
            number = "anonymous" if is_withheld else number_of(name)
            self._phones[key] = await self._processes["outside"].trunk_caller(key, number=number, tone_hz=CALLER_HZ)
        return self._phones[key]

    async def friend(self, number: str) -> None:
        """Somebody at this phone, who answers at once."""
        if "friend" not in self._processes:
            process = self._processes["friend"] = await PhoneProcess.start()
            await process.phone(number, password=password_of(number), local="127.0.0.8", answer_after_ms=0)

    async def lose(self, name: str) -> None:
        """The desk phone loses its current: no BYE, no audio. The next script starts it again."""
        del self._phones[name]
        await self._processes.pop(name).vanish()

    def unregistered(self, name: str) -> None:
        self._unregistered.add(name)


def number_of(name: str) -> str:
    """What a customer of this name shows."""
    return f"+3491{sum(name.encode()):07d}"


class _Performance:
    """One script, once."""

    def __init__(self, stage: Stage, script: Script) -> None:
        self._stage = stage
        self._script = script
        self._seen: Counter[tuple[str, Seen]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[ScriptStep] = []
        self._legs: dict[LegId, str] = {}
        self._sessions: dict[SessionId, LegId] = {}
        self._open_legs: set[LegId] = set()
        self._rings: dict[CommandId, LegId] = {}
        """Those of which no end was told, and whose."""
        self._was_cut = False
        """The link was lost, and nothing has been read since."""
        self._open_sessions: set[SessionId] = set()
        self._ringing: set[LegId] = set()
        self._bridges: dict[str, list[LegId]] = {}
        """Who is in which bridge: a leg that waits is alone in one."""
        self._placed = self._begun = 0

    async def run(self, deadline_s: float) -> None:
        is_over = False
        try:
            await self._run(time.monotonic() + deadline_s)
            is_over = True
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if not is_over:
                # What is left of a story that failed would fail all that follow.
                await asyncio.to_thread(self._stage.center.pbx.cli, "channel request hangup all")

    async def _run(self, deadline: float) -> None:
        self._happened(START, None, 1)
        while not await self._is_over():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._script.name} did not end: {self._state()}\n{self._stage.center.daemon.tail()}")
            await asyncio.sleep(0.02)
            for step in self._stage.tail.read():
                self._watch(step)
            for task in [task for task in self._tasks if task.done()]:
                self._tasks.discard(task)
                task.result()

    def _state(self) -> str:
        missing = [step for step in self._script.steps if step not in self._done]
        return f"steps not done {missing}, legs {self._open_legs}, rings {self._rings}, sessions {self._open_sessions}"

    async def _is_over(self) -> bool:
        if self._tasks or len(self._done) < len(self._script.steps) or self._begun < self._placed:
            return False
        if self._open_legs or self._rings or self._open_sessions:
            return False
        center = self._stage.center
        facts = await center.ask("status")
        states = {agent["state"] for agent in facts["overview"]["agents"]}
        is_quiet = not facts["overview"]["calls"] and not facts["database"]["backlog"] and states <= SETTLED
        return is_quiet and not await asyncio.to_thread(center.pbx.channels)

    # --- what happens -------------------------------------------------------------------------------------------------
    def _watch(self, step: TracedStep) -> None:
        match step.event:
            case CallArrived(leg=leg) as event:
                self._entered(leg, event.session, self._legs.get(leg) or self._customer(event))
            case FeatureDialled(leg=leg) | OwnCallDialled(leg=leg) as event:
                self._entered(leg, event.session, self._agent(event.phone))
            case WrapUpOpened(leg=leg) | DeskOpened(leg=leg) | TransferAsked(leg=leg) as event:
                self._entered(leg, event.session, self._legs[leg])
            case SessionClosed() as event:
                self._open_sessions.discard(event.session)
            case LegStarted(leg=leg):
                self._open_legs.add(leg)
            case LegRinging(leg=leg) if leg in self._legs and leg not in self._ringing:
                self._ringing.add(leg)
                self._saw(leg, Seen.RINGS)
            case LegEnteredBridge(leg=leg) as event:
                self._joined(leg, self._bridges.setdefault(event.bridge, []))
            case LegLeftBridge(leg=leg) as event:
                self._bridges[event.bridge] = [other for other in self._bridges.get(event.bridge, []) if other != leg]
            case LegEnded(leg=leg) if leg in self._legs:
                self._open_legs.discard(leg)
                self._saw(leg, Seen.ENDED)
            case LinkLost():
                self._was_cut = True
            case PbxObserved() as event if self._was_cut:
                self._was_cut = False
                self._not_seen({view.leg for view in event.channels})
            case RingEnded() as event:
                self._rings.pop(event.command, None)
        for place, command in enumerate(step.commands):
            match command:
                case RingAgent(leg=leg):
                    self._legs[leg] = self._agent(command.phone)
                    self._rings[CommandId(step.seq, place)] = leg
                case DialOut(leg=leg, place=Place.CALLEE):
                    self._legs[leg] = CALLEE
                    self._rings[CommandId(step.seq, place)] = leg
                case Collect() | CollectNumber():
                    self._saw(self._sessions[command.session], Seen.QUESTION)
                case CollectSecret():
                    self._saw(self._sessions[command.session], Seen.PIN)

    def _not_seen(self, there: set[LegId]) -> None:
        """What ended while the link was cut: nothing tells of it."""
        for leg in self._open_legs - there:
            self._open_legs.discard(leg)
            self._saw(leg, Seen.ENDED)
        self._rings = {command: leg for command, leg in self._rings.items() if leg in there}

    def _joined(self, leg: LegId, members: list[LegId]) -> None:
        """Both are joined when the second one comes."""
        members.append(leg)
        for one in members if len(members) == 2 else members[2:]:
            if one in self._legs:
                self._saw(one, Seen.JOINED)

    def _entered(self, leg: LegId, session: SessionId, name: str) -> None:
        """A leg came into AGI: a new one, or one that comes out of a bridge."""
        is_first = leg not in self._sessions.values()
        self._sessions[session] = leg
        self._open_sessions.add(session)
        if is_first and self._legs.get(leg) == CALLEE:
            return  # the leg is of our making, and comes to us for the first time
        if leg in self._legs:
            self._saw(leg, Seen.PARTED)
            return
        self._begun += 1
        self._legs[leg] = name
        self._open_legs.add(leg)

    def _customer(self, event: CallArrived) -> str:
        if event.caller_number is None:
            (name,) = self._script.withheld
            return name
        names = {number_of(step.who): step.who for step in self._script.steps}
        return names[event.caller_number]

    def _agent(self, phone: PhoneId | None) -> str:
        return next(name for name, (_, its) in self._script.agents.items() if its == phone)

    def _saw(self, leg: LegId, seen: Seen) -> None:
        key = (self._legs[leg], seen)
        self._seen[key] += 1
        self._happened(*key, self._seen[key])

    def _happened(self, of: str, seen: Seen | None, nth: int) -> None:
        for step in self._script.steps:
            if (step.of, step.seen, step.nth) == (of, seen, nth):
                self._tasks.add(asyncio.create_task(self._act(step)))

    # --- what is done -------------------------------------------------------------------------------------------------
    async def _act(self, step: ScriptStep) -> None:
        await asyncio.sleep(step.after_s)  # the script's own time
        try:
            await self._do(step)
        except PhoneFailed:
            # As on the virtual PBX: who acts on a line that has just ended does nothing. On a line that is there it is a fault.
            phone = await self._phone(step.who)
            await until(
                lambda: phone.count("ended") == phone.count("incoming") + phone.count("calling"), 3, what=f"{step} to be late"
            )
        self._done.append(step)

    async def _phone(self, name: str) -> Phone:
        if name in self._script.agents:
            return await self._stage.desk(name, self._script.agents[name][1].removeprefix("PJSIP/"))
        return await self._stage.customer(name, is_withheld=name in self._script.withheld)

    async def _in_the_office(self, step: ScriptStep) -> None:
        if step.act is Act.START_CAMPAIGN:
            await start(self._stage.center, step.value)
            return
        assert self._stage.wire is not None, "no link that could be cut"
        await asyncio.to_thread(self._stage.wire.cut if step.act is Act.CUT_LINK else self._stage.wire.mend)

    async def _do(self, step: ScriptStep) -> None:
        if step.act in IN_THE_OFFICE:
            await self._in_the_office(step)
            return
        phone = await self._phone(step.who)
        match step.act:
            case Act.CALL:
                self._placed += 1
                await phone.call(f"sip:{step.value}@127.0.0.1")
            case Act.DIAL:
                self._placed += 1
                await phone.call(f"*{step.value}")
            case Act.PRESS:
                await phone.dtmf(step.value)
            case Act.ANSWER:
                await phone.answer()
            case Act.DECLINE:
                await phone.answer(603)
            case Act.HANG_UP:
                await phone.hangup()
            case Act.LOSE_LINE:
                await self._stage.lose(step.who)
            case Act.HOLD:
                await phone.hold()
            case Act.UNHOLD:
                await phone.unhold()
            case Act.UNREGISTER:
                await phone.unregister()
                self._stage.unregistered(step.who)
            case Act.REGISTER:
                await phone.register()
            case Act.REFER:
                await phone.transfer(step.value)
            case Act.OWN_CALL:
                await self._stage.friend(step.value)
                self._placed += 1
                await phone.call(step.value)
            case Act.DO_NOT_DISTURB:
                await phone.set(answer_code=486)

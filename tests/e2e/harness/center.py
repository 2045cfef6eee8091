"""A whole center for a test: a real Asterisk, the daemon as a process, agents and callers on real phones.

Prompts are tones, so that a recording of what a phone heard tells which prompt was said. The time-outs are the tests' own:
phones ring for 2 s, wrap-up lasts 1 s.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from ccserver.agi.secrets import hash_pin
from ccserver.control.client import ControlClient, DaemonNotRunning, NoAnswer
from ccserver.core.ids import Language
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import Phone, PhoneProcess
from harness.daemon import Daemon
from harness.waiting import PATIENCE_S, until

MUSIC_HZ = 480
PROMPT_HZ = 850
"""Every prompt without a frequency of its own."""
PROMPT_MS = 300
PROMPTS_HZ = {
    "welcome": 700,
    "language": 760,
    "department": 1900,
    "cc-call-lost": 1150,
    "cc-closed": 1270,
    "cc-queue-full": 1390,
    "cc-unavailable": 1510,
    "cc-disposition-ask": 1630,
    "cc-queue-next": 1750,
    # What is said to an agent at the keypad.
    "cc-login-agent": 2030,
    "cc-login-pin": 2090,
    "cc-login-done": 2150,
    "cc-login-failed": 2210,
    "cc-login-locked": 2270,
    "cc-login-phone-in-use": 2330,
    "cc-not-logged-in": 2390,
    "cc-logged-out": 2450,
    "cc-ready": 2510,
    "cc-not-ready": 2570,
    "cc-not-ready-reason": 2630,
    "cc-reason-unknown": 2690,
    "cc-wrap-up-ended": 2750,
    "cc-disposition-done": 2810,
    "cc-disposition-unknown": 2870,
    "cc-nothing-to-do": 2930,
    "cc-invalid-code": 2990,
    "cc-state-ready": 3050,
    "cc-state-not-ready": 3110,
    "cc-state-wrap-up": 3170,
    "cc-state-talking": 3230,
    "cc-not-allowed": 3290,
    "cc-will-pause": 3350,
    "cc-will-move": 3410,
    "cc-will-log-out": 3470,
    # What is said to an agent who hands a customer on.
    "cc-transfer-to": 910,
    "cc-consult-with": 970,
    "cc-transfer-unknown": 1090,
    "cc-transfer-refused": 1210,
    "cc-transfer-not-there": 1330,
    "cc-transfer-self": 1450,
    "cc-transfer-failed": 1570,
    "cc-consult-ended": 1690,
    "cc-hold-reminder": 1810,
    "cc-watch-no-record": 1870,
    "pay": 1840,
    "paid": 1965,
    # What is said to a caller who waits, is called back or leaves a message.
    "cc-callback-offer": 200,
    "cc-callback-confirm": 250,
    "cc-callback-enter": 300,
    "cc-callback-done": 350,
    "cc-callback-no-number": 400,
    "cc-message-leave": 440,
    "cc-wait-about": 540,
    "cc-queue-position": 660,
    # What is said at the door of a conference, and in it.
    "cc-conference-pin": 3530,
    "cc-conference-wrong-pin": 3590,
    "cc-conference-enter": 3650,
    "cc-conference-recorded": 3710,
    "cc-conference-refused": 3770,
    "cc-conference-full": 3830,
    "cc-conference-locked": 3890,
    "cc-conference-joined": 3950,
    "cc-conference-left": 805,
}
CALLER_HZ, AGENT_HZ = 620, 1030

AGENTS = tuple(f"10{n}" for n in range(1, 9))


def password_of(number: str) -> str:
    return f"secret-{number}"


def pin_of(agent: str) -> str:
    return f"9{agent}"


@cache
def pin_hash(agent: str) -> str:
    """Hashing is slow on purpose, so each PIN is hashed once."""
    return hash_pin(pin_of(agent))


@dataclass(kw_only=True)
class Site:
    """What a test writes into the settings; every part can be replaced by YAML of the test's own."""

    directory: Path
    shared: Path
    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Changes to the keys of the queues `sales` and `support`, or whole new queues."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Top-level sections that replace those here."""

    def settings(self) -> dict[str, Any]:
        queue = {
            "skills": ["sales"],
            "music": "cc-wait",
            "ring_timeout_s": 2,
            "wrap_up_s": 1,
            "service_level_s": 5,
            "short_abandon_s": 1,
            "dispositions": ["sold", "other"],
        }
        queues = {"sales": {"name": "Sales", **queue}, "support": {"name": "Support", **queue, "skills": ["support"]}}
        for name, changes in self.queues.items():
            queues[name] = {**queues.get(name, {"name": name.title(), **queue}), **changes}
        prompts = {p: {"en": "a tone", "es": "un tono"} for p in ("welcome", "language", "department")}
        whole: dict[str, Any] = {
            "country": "ES",
            "asterisk": {
                "ami_secret_file": str(self.directory / "ami.secret"),
                "agi_secret_file": str(self.directory / "agi.secret"),
                "prompts_dir": str(self.shared / "prompts"),
                "prompts_local_dir": str(self.shared / "prompts"),
            },
            "database": {"url": f"sqlite:///{self.directory}/history.db"},
            "recording": {"asterisk_dir": str(self.shared / "rec"), "local_dir": str(self.shared / "rec"), "format": "wav"},
            "log": {"level": "debug"},
            "state_dir": str(self.directory / "state"),
            "control_socket": str(self.directory / "control.sock"),
            "default_language": "en",
            "languages": {"en": {}, "es": {"skill": "spanish"}},
            "skills": {"sales": "Sales", "support": "Support", "spanish": "Spanish"},
            "agents": {
                a: {
                    "name": f"Agent {a}",
                    "skills": {"sales": 50, "support": 50, **({"spanish": 50} if a in AGENTS[:4] else {})},
                    "pin_hash": pin_hash(a),
                }
                for a in AGENTS
            },
            "phones": {"1001-1008": {"endpoint": "PJSIP/{number}"}},
            "reasons": {"lunch": {"code": "1", "name": "Lunch"}, "missed": {"code": "9", "name": "Missed"}},
            "dispositions": {"sold": {"code": "1", "name": "Sold"}, "other": {"code": "2", "name": "Other"}},
            "offers": {"missed_reason": "missed", "missed_back_off_s": 1, "rejected_back_off_s": 1, "busy_back_off_s": 1},
            "hours": {"never": {"timezone": "Europe/Madrid", "open": {}}},
            "queues": queues,
            "flows": {
                "menu": {
                    "start": "welcome",
                    "nodes": {
                        "welcome": {"say": "welcome", "next": "language"},
                        "language": {
                            "menu": "language",
                            "choices": {"1": "english", "2": "spanish"},
                            "timeout_s": 1.5,
                            "tries": 2,
                            "on_no_input": "english",
                            "on_invalid": "bye",
                        },
                        "english": {"language": "en", "next": "department"},
                        "spanish": {"language": "es", "next": "department"},
                        "department": {
                            "menu": "department",
                            "choices": {"1": "to_sales", "2": "to_support"},
                            "timeout_s": 1.5,
                            "tries": 2,
                            "on_no_input": "to_sales",
                            "on_invalid": "bye",
                        },
                        "to_sales": {"enqueue": "sales"},
                        "to_support": {"enqueue": "support"},
                        "bye": {"hang_up": True},
                    },
                },
                **{name: {"start": "q", "nodes": {"q": {"enqueue": name}}} for name in queues},
            },
            "dids": {
                "900": {"flow": "menu", "language": "en"},
                **{str(901 + n): {"flow": name, "language": "en"} for n, name in enumerate(queues)},
            },
            "prompts": prompts,
        }
        return {**whole, **self.more}

    def write(self, ami_secret: str, agi_secret: str) -> Path:
        """Write settings (JSON is YAML), secrets and prompts; the path of the settings."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name, secret in (("ami.secret", ami_secret), ("agi.secret", agi_secret)):
            (self.directory / name).write_text(secret)
            (self.directory / name).chmod(0o600)
        return self.write_settings()

    def write_settings(self) -> Path:
        path = self.directory / "ccserver.yaml"
        path.write_text(json.dumps(self.settings(), indent=1), encoding="utf-8")
        path.chmod(0o600)
        return path


def write_prompts(shared: Path, prompt_ms: int = PROMPT_MS) -> None:
    """Tones for all prompts, in both languages; the music is a tone too."""
    from ccserver.config.prompts import COMFORT, SYSTEM_PROMPTS, system_library  # noqa: PLC0415

    audio.write_tone(shared / "music" / "tone.wav", MUSIC_HZ, 20_000)
    for language in ("en", "es"):
        for prompt in {*SYSTEM_PROMPTS, *PROMPTS_HZ}:
            hz = PROMPTS_HZ.get(prompt, PROMPT_HZ)
            audio.write_tone(shared / "prompts" / language / f"{prompt}.wav", hz, prompt_ms)
        noise = system_library()[COMFORT][Language(language)].file
        assert noise is not None
        shutil.copy(noise, shared / "prompts" / language / f"{COMFORT}.wav")
    (shared / "rec").mkdir(exist_ok=True)


class Center:
    """The running center, as a test asks and moves it."""

    def __init__(self, pbx: Asterisk, site: Site, daemon: Daemon) -> None:
        self.pbx, self.site, self.daemon = pbx, site, daemon

    @classmethod
    async def start(cls, pbx: Asterisk, site: Site, *options: str) -> "Center":
        """`options` of `ccserver run`, beside those that every test has."""
        config = site.write(pbx.plan.values.ami_secret, pbx.plan.values.agi_secret)
        daemon = Daemon(config, site.directory / "daemon.log", "--upgrade-db", *options)
        center = cls(pbx, site, daemon)
        await daemon.start()
        try:
            await center.serving()
        except BaseException:
            await daemon.end()
            raise
        return center

    async def serving(self, deadline_s: float = 40.0) -> None:
        """Wait until the daemon takes calls."""

        async def look() -> bool:
            if not self.daemon.is_running:
                raise AssertionError(f"the daemon ended:\n{self.daemon.tail()}")
            try:
                facts = await self.ask("status")
            except (DaemonNotRunning, NoAnswer):
                return False
            return facts["trouble"] is None

        await until(look, deadline_s, what="a daemon that takes calls")

    async def restart(self) -> None:
        """After a kill: the same daemon again."""
        await self.daemon.start()
        await self.serving()

    # --- asking -------------------------------------------------------------------------------------------------------
    async def ask(self, do: str, **arguments: object) -> Any:
        """One request over the control socket."""

        def talk() -> object:
            with ControlClient(self.site.directory / "control.sock", timeout_s=PATIENCE_S) as client:
                return client.ask(do, **arguments)

        return await asyncio.to_thread(talk)

    async def overview(self) -> Any:
        return await self.ask("overview")

    async def agent_state(self, agent: str) -> str:
        shown = await self.overview()
        return str(next(a["state"] for a in shown["agents"] if a["id"] == agent))

    async def agent_is(self, agent: str, state: str, deadline_s: float = PATIENCE_S) -> None:
        """Wait until the agent is shown in `state`."""
        seen = ""

        async def look() -> bool:
            nonlocal seen
            seen = await self.agent_state(agent)
            return seen == state

        try:
            await until(look, deadline_s, what=f"agent {agent} {state}")
        except AssertionError as missed:
            raise AssertionError(f"{missed}; the agent is {seen}\n{self.daemon.tail()}") from None

    async def waiting(self, queue: str, count: int, deadline_s: float = PATIENCE_S) -> list[Any]:
        """Wait until so many callers wait in `queue`; they, in the order of service."""
        seen: list[Any] = []

        async def look() -> bool:
            nonlocal seen
            shown = await self.overview()
            seen = next(q["waiting"] for q in shown["queues"] if q["id"] == queue)
            return len(seen) == count

        try:
            await until(look, deadline_s, what=f"{count} waiting in {queue}")
        except AssertionError as missed:
            raise AssertionError(f"{missed}; waiting: {seen}\n{self.daemon.tail()}") from None
        return seen

    async def quiet(self, deadline_s: float = PATIENCE_S) -> None:
        """Wait until no interaction is live and all is in history."""

        async def look() -> bool:
            facts = await self.ask("status")
            return not facts["overview"]["calls"] and facts["database"]["backlog"] == 0

        await until(look, deadline_s, what="a center without live calls")

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """What SQL has, read as another program would."""
        # Closed here: Python's connections are in a cycle, and one that lingers holds on to a WAL that the daemon has replaced.
        with closing(sqlite3.connect(f"file:{self.site.directory}/history.db?mode=ro", uri=True)) as history:
            history.row_factory = sqlite3.Row
            return [dict(row) for row in history.execute(query, arguments)]

    async def row(self, query: str, *arguments: object, deadline_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the first row of `query`."""
        found = await until(lambda: self.rows(query, *arguments), deadline_s, what=query)
        return found[0]

    async def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name and labels, as Prometheus reads them."""

        def read() -> str:
            with urlopen("http://127.0.0.1:9318/metrics", timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())

        lines = (await asyncio.to_thread(read)).splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and not line.startswith("#")}

    # --- people -------------------------------------------------------------------------------------------------------
    async def agent(self, phones: PhoneProcess, agent: str, number: str = "", **fields: object) -> Phone:
        """A registered desk phone, its agent logged in through the socket and ready."""
        number = number or f"100{agent[-1]}"
        phone = await phones.phone(number, password=password_of(number), **fields)
        await self.ask("agent.login", agent=agent, phone=number)
        await self.ask("agent.unpause", agent=agent)
        await self.agent_is(agent, "ready")
        return phone

    async def caller(self, phones: PhoneProcess, name: str = "caller", number: str = "+34911222333", **fields: object) -> Phone:
        """A customer behind the trunk who has not called yet."""
        return await phones.trunk_caller(name, number=number, **{"tone_hz": CALLER_HZ, **fields})

    async def log_everybody_out(self) -> None:
        for agent in (await self.overview())["agents"]:
            if agent["state"] != "logged_out":
                await self.ask("agent.logout", agent=agent["id"])

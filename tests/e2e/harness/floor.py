"""A floor of agents who hand customers on: each voice has a tone of its own, so that an ear tells who hears whom."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccserver.lab.phones import Phone, PhoneProcess
from harness.calls import SALES
from harness.center import CALLER_HZ, MUSIC_HZ, PROMPTS_HZ, Center, Site, password_of
from harness.edges import Ear
from harness.ledger import Ledger, Row
from harness.waiting import until

VOICES = {"101": 1030, "102": 540, "103": 700}
GUEST_HZ = 760
GUEST, PREMIUM = "612345678", "803123456"
"""Numbers outside: a mobile one that the agents may call, and one that costs and that they may not."""
SALES_NUMBER, SUPPORT_NUMBER, PAY_CODE, AWAY_CODE = "401", "402", "1", "2"
RING_S = 5


@dataclass(kw_only=True)
class FloorSite(Site):
    """101 sells, and 102 while 101 does not; 103 supports. Each may call mobile numbers; 101 no more than `calls_per_hour`."""

    calls_per_hour: int = 100
    rules: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        whole = super().settings()
        whole["queues"]["sales"] |= {"number": SALES_NUMBER, "hold_reminder_s": 0, "members": ["101", "102"]}
        whole["queues"]["sales"]["strategy"] = "top_down"
        whole["queues"]["support"] |= {"number": SUPPORT_NUMBER, "hold_reminder_s": 0}
        for name, changes in self.queues.items():
            whole["queues"][name] |= changes
        whole["direct_calls"] = {"wrap_up_s": 1, "ring_timeout_s": RING_S, "music": "cc-wait"}
        whole["classes_of_service"] = {
            "few": {"allows": ["internal", "mobile"], "calls_per_hour": self.calls_per_hour},
            "many": {"allows": ["internal", "mobile"]},
        }
        skills = {"101": {"sales": 50}, "102": {"sales": 50}, "103": {"support": 50}}
        whole["agents"] = {
            a: {**whole["agents"][a], "skills": s, "class_of_service": "few" if a == "101" else "many"}
            for a, s in skills.items()
        }
        whole["agent_rules"] = {"consult_ring_s": RING_S, "transfer_ring_s": RING_S, **self.rules}
        whole["prompts"] |= {name: {"en": name, "es": name} for name in ("pay", "paid")}
        asked = {"menu": "pay", "choices": {"1": "done"}, "timeout_s": 20, "tries": 1}
        pay = {"pay": {**asked, "on_no_input": "done", "on_invalid": "done"}, "done": {"return": "paid"}}
        whole["flows"] |= {
            "pay": {"start": "pay", "nodes": pay},
            "away": {"start": "q", "nodes": {"q": {"enqueue": "support"}}},
        }
        whole["sendable_flows"] = {PAY_CODE: "pay", AWAY_CODE: "away"}
        return whole


class Floor:
    """The people: agents at desks, customers and guests outside. Whatever a phone hears is recorded."""

    def __init__(self, center: Center, desks: PhoneProcess, outside: PhoneProcess, sounds: Path) -> None:
        self.center, self._desks, self._outside, self._sounds = center, desks, outside, sounds
        self.phones: dict[str, Phone] = {}

    def ear(self, name: str) -> Ear:
        """What `name` (an agent, "customer", "guest") hears; of a phone's several calls the first, others by `name-2`."""
        who, _, number = name.partition("-")
        return Ear(self._sounds / f"{who}-{number or 1}.wav")

    async def agent(self, agent: str, process: PhoneProcess | None = None, **fields: object) -> Phone:
        """Logged in and ready; answers by itself unless told otherwise."""
        number = f"100{agent[-1]}"
        phone = await (process or self._desks).phone(
            number,
            password=password_of(number),
            **{"tone_hz": VOICES[agent], "record": str(self._sounds / f"{agent}-%.wav"), "answer_after_ms": 50, **fields},
        )
        self.phones[agent] = phone
        await self.center.ask("agent.login", agent=agent, phone=number)
        await self.center.ask("agent.unpause", agent=agent)
        await self.center.agent_is(agent, "ready")
        return phone

    async def guest(self, **fields: object) -> Phone:
        """Whoever is called outside: the far end of the trunk."""
        self.phones["guest"] = phone = await self._outside.phone(
            "guest",
            register=False,
            from_uri="sip:guest@127.0.0.2",
            local="127.0.0.2",
            local_port=5060,
            **{"tone_hz": GUEST_HZ, "record": str(self._sounds / "guest-%.wav"), "answer_after_ms": 50, **fields},
        )
        return phone

    async def customer(self, did: str = SALES, name: str = "customer", **fields: object) -> Phone:
        phone = await self.center.caller(self._outside, name, record=str(self._sounds / f"{name}-%.wav"), **fields)
        self.phones[name] = phone
        await phone.call(f"sip:{did}@127.0.0.1")
        await phone.wait("up")
        return phone

    async def talk(self, agent: str = "101", **fields: object) -> Phone:
        """The agent and a customer, who hear each other. The customer's phone."""
        if agent not in self.phones:
            await self.agent(agent, **fields)
        customer = await self.customer()
        await self.center.agent_is(agent, "talking")
        await self.hear("customer", agent)
        return customer

    # --- who hears whom -------------------------------------------------------------------------------------------------
    @staticmethod
    def voice(name: str) -> int:
        who = name.partition("-")[0]
        return {**VOICES, "customer": CALLER_HZ, "guest": GUEST_HZ, "music": MUSIC_HZ}.get(who) or PROMPTS_HZ[name]

    async def hears(self, listener: str, *speakers: str, ms: int = 300) -> None:
        """Waits until `listener` has heard each of them for so much longer than now."""
        await self.ear(listener).hears(*map(self.voice, speakers), ms=ms)

    async def hear(self, *names: str) -> None:
        """All of them hear all the others."""
        for name in names:
            await self.hears(name, *(other for other in names if other != name))

    async def is_told(self, listener: str, prompt: str, ms: int = 200) -> None:
        """Waits until so much of a prompt was heard, since the call began."""
        await until(lambda: self.ear(listener).ms(PROMPTS_HZ[prompt]) >= ms, what=f"{listener} hears {prompt}")

    # --- keys -----------------------------------------------------------------------------------------------------------
    async def asks(self, agent: str, key: str, number: str = "", ear: str = "") -> None:
        """The key of a transfer or a consultation, and the number when it is asked for."""
        prompt = {"*1": "cc-transfer-to", "*2": "cc-consult-with"}[key]
        before_ms = self.ear(ear or agent).ms(PROMPTS_HZ[prompt])
        await self.phones[agent].dtmf(key)
        goal = before_ms + 100
        await until(lambda: self.ear(ear or agent).ms(PROMPTS_HZ[prompt]) >= goal, what=f"{agent} is asked: {prompt}")
        if number:
            await self.phones[agent].dtmf(f"{number}#")

    async def consulting(self, target: str = "102", number: str = "") -> Phone:
        """101 has the customer on hold and talks with `target`. The customer's phone."""
        customer = await self.talk()
        await self.asks("101", "*2", number or target)
        await self.hear("101", target)
        return customer


# --- what is on record --------------------------------------------------------------------------------------------------
async def story(books: Ledger) -> Row:
    """Once all is over: the row of the one customer's call. Consultations are rows of their own, of that call."""
    await books.center.quiet()
    call, *children = books.calls()
    assert [child["parent"] for child in children] == [call["interaction"]] * len(children), children
    return call


def transfers(books: Ledger, call: Row) -> list[tuple[str, str, str, str]]:
    """(by, kind, to, outcome) of each attempt."""
    return [(row["agent"], row["kind"], row["target"], row["outcome"]) for row in books.of("transfers", call)]


def talked(books: Ledger, call: Row) -> list[str]:
    """Whose talks with the customer there were, in their order; a guest's is None's."""
    return [row["agent"] for row in books.of("segments", call) if row["kind"] == "talk"]


def wrapped_up(books: Ledger, call: Row) -> list[str]:
    return sorted(row["agent"] for row in books.of("segments", call) if row["kind"] == "wrap_up")

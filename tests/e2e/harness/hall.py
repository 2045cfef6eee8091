"""Phones, a customer and both edges on one Asterisk: the setting of the tests of the dialplan's places."""

from dataclasses import dataclass, field
from pathlib import Path

from conftest import password_of

from ccserver.core.commands import Place
from ccserver.core.events import CallArrived
from ccserver.core.ids import LegId
from ccserver.lab.phones import Phone, PhoneProcess
from harness.edges import Ear, Edges

MUSIC_HZ, PROMPT_HZ = 480, 850
CUSTOMER_HZ = 620
TONES = {"1001": 1030, "1002": 1400, "1003": 1700}
"""What each agent's phone sounds."""


@dataclass
class Hall:
    edges: Edges
    phones: PhoneProcess
    sounds: Path
    """Recordings of what each phone hears."""
    desks: dict[str, Phone] = field(default_factory=dict)

    def ear(self, name: str) -> Ear:
        return Ear(self.sounds / f"{name}.wav")

    async def desk(self, number: str, **fields: object) -> Phone:
        fields = {"tone_hz": TONES[number], "answer_after_ms": 0, **fields}
        phone = await self.phones.phone(
            number, password=password_of(number), record=str(self.sounds / f"{number}.wav"), **fields
        )
        self.desks[number] = phone
        return phone

    async def customer(self, name: str = "customer", number: str = "+34911234567") -> tuple[Phone, CallArrived]:
        """A customer who is on the line and hears music."""
        phone = await self.phones.trunk_caller(
            name, number=number, tone_hz=CUSTOMER_HZ, record=str(self.sounds / f"{name}.wav")
        )
        await phone.call("5551000")
        arrived = await self.edges.customer()
        await phone.wait("up")
        return phone, arrived

    async def parked(self, number: str) -> LegId:
        """An agent's leg that waits."""
        leg = self.edges.ring(number, Place.PARK)
        await self.edges.parked(leg)
        return leg

    async def talk(self, number: str = "1001", *, recording: str = "", **fields: object) -> tuple[Phone, CallArrived, LegId]:
        """A customer talks with the agent at this phone. Gives the customer's phone and arrival, and the agent's leg."""
        if number not in self.desks:
            await self.desk(number, **fields)
        phone, arrived = await self.customer()
        leg = self.edges.ring(number, Place.JOIN, arrived.leg, recording)
        await self.edges.together(leg, arrived.leg)
        await self.ear(number).hears(CUSTOMER_HZ, ms=200)
        return phone, arrived, leg

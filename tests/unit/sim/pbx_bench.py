"""The virtual PBX on a bench: a phone or two, somebody who does what a test says, and everything that was told."""

from dataclasses import replace
from random import Random
from typing import TypeVar

from ccserver.core.commands import RingAgent
from ccserver.core.events import CallArrived, Event
from ccserver.core.expressions import ValueType
from ccserver.core.ids import CommandId, FlowId, InteractionId, LegId, LookUpId, NodeId, PhoneId
from ccserver.core.settings import Flow, HangUpNode, LookUpShape, ScriptNode, Settings
from ccserver.sim.agenda import Agenda
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.sample import DID, SALES, sample_center
from ccserver.sim.systems import NOTHING_TOLD, Outside, Told, VirtualSystems
from ccserver.sim.wire import Faults, Wire

T = TypeVar("T")

PHONE = PhoneId("PJSIP/2000")
OTHER_PHONE = PhoneId("PJSIP/2001")


class Somebody:
    """Does nothing unless told to; keeps what was heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.channel: Channel | None = None

    def rings(self, channel: Channel) -> None:
        self.channel = channel
        self.heard.append("rings")

    def asked(self, channel: Channel, verb: Asking) -> None:
        self.heard.append(type(verb).__name__)

    def joined(self, channel: Channel) -> None:
        self.heard.append("joined")

    def parted(self, channel: Channel) -> None:
        self.heard.append("parted")

    def ended(self, channel: Channel) -> None:
        self.heard.append("ended")


ORDERS, PINS = LookUpId("orders"), LookUpId("pins")
CHECK = "orders.check"


def with_systems(plain: Settings) -> Settings:
    """With two look-ups and a script, for each kind of value one that they give."""
    types = {type_.value: type_ for type_ in ValueType}
    check, over = NodeId("check"), NodeId("over")
    script = ScriptNode(
        script=CHECK,
        next=over,
        into={name: name for name in types},
        on={"paid": over},
        on_failure=over,
        time_limit_s=8.0,
    )
    return replace(
        plain,
        flows={
            **plain.flows,
            FlowId("scripted"): Flow(start=check, nodes={check: script, over: HangUpNode()}, variables=types),
        },
        look_ups={
            ORDERS: LookUpShape(parameters={"order": ValueType.TEXT}, gives=types, longest_s=6.0),
            PINS: LookUpShape(parameters={}, gives={"token": ValueType.TEXT}, longest_s=2.0),
        },
    )


class Bench:
    def __init__(self, seed: int = 1, faults: Faults | None = None, told: Told = NOTHING_TOLD) -> None:
        self.events: list[Event] = []
        self.agenda = Agenda()
        settings = with_systems(sample_center(4).settings)
        self.wire = Wire(self.agenda, Random(seed), self.events.append, faults or Faults())
        self.listened: set[LegId] = set()
        self.wire.is_daemon_up = self.wire.is_link_up = self.wire.is_agi_open = True
        self.systems = VirtualSystems(settings, self.agenda, Random(seed), self.wire, told)
        self.pbx = VirtualPbx(
            settings,
            self.agenda,
            Random(seed),
            self.wire,
            {},
            systems=self.systems,
            fallback_after_s=30.0,
            listens_to=lambda leg: leg in self.listened,
        )
        self.agent, self.other = Somebody(), Somebody()
        self.pbx.phones[PHONE].person = self.agent
        self.pbx.phones[OTHER_PHONE].person = self.other
        self.commands = 0

    def perform(self, command: object) -> CommandId:
        self.commands += 1
        command_id = CommandId(self.commands, 0)
        if isinstance(command, Outside):
            self.systems.perform(command_id, command)
        else:
            self.pbx.perform(command_id, command)  # type: ignore[arg-type]
        return command_id

    def run(self, for_s: float) -> list[Event]:
        """What was told meanwhile."""
        before = len(self.events)
        self.agenda.run_until(self.agenda.now_s + for_s)
        return self.events[before:]

    def caller(self) -> tuple[Somebody, Channel, CallArrived]:
        person = Somebody()
        channel = self.pbx.call_in(person, DID, "+15550123")
        assert channel is not None
        arrived = next(event for event in self.run(0.1) if isinstance(event, CallArrived))
        return person, channel, arrived

    def ring(self, caller: Channel, number: int = 1, phone: PhoneId = PHONE, **changes: object) -> RingAgent:
        given: dict[str, object] = {
            "leg": LegId("pbx", f"ccpbx-000001-{number:08d}"),
            "interaction": InteractionId(1),
            "agent": "1000",
            "phone": phone,
            "queue": SALES,
            "caller": caller.leg,
            "caller_channel": caller.name,
            "number": None,
            "name": "Sales",
            "ring_timeout_s": 20.0,
            "max_talk_s": 3600.0,
            "recording": "",
            "auto_answer": False,
        }
        return RingAgent(**(given | changes))  # type: ignore[arg-type]

    def talk(self) -> tuple[Channel, Channel]:
        """A caller and an agent in conversation."""
        _, caller, _ = self.caller()
        self.perform(self.ring(caller))
        self.run(0.1)
        assert self.agent.channel is not None
        self.pbx.answer(self.agent.channel)
        self.run(0.1)
        assert caller.bridge is not None
        return caller, self.agent.channel


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def one(events: list[Event], kind: type[T]) -> T:
    (found,) = [event for event in events if isinstance(event, kind)]
    return found

"""What exists on the virtual PBX: phones, channels and bridges; and what the PBX asks of the people behind them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ccserver.core.commands import Collect, CollectSecret, RingAgent, Say, WaitUntil
from ccserver.core.ids import CommandId, LegId, PhoneId, SessionId
from ccserver.core.records import PhoneState
from ccserver.sim.agenda import Entry

Asking = Say | Collect | CollectSecret | WaitUntil


class Person(Protocol):
    """Somebody at the other end of a channel. Told what a human would hear or see; acts through the PBX, later."""

    def rings(self, channel: "Channel") -> None:
        """The phone rings."""

    def asked(self, channel: "Channel", verb: Asking) -> None:
        """Something begins to be heard: speech, a question, music."""

    def joined(self, channel: "Channel") -> None:
        """There is another human on the line."""

    def parted(self, channel: "Channel") -> None:
        """The other human is gone; the own line is still there."""

    def ended(self, channel: "Channel") -> None:
        """The own line is gone, whoever ended it."""


class Place(Enum):
    """Where in the dialplan a channel is. The values are the names of the contexts."""

    INBOUND = "cc-call"
    AGENT = "cc-agent"
    FEATURE = "cc-phones"
    ELSEWHERE = "cc-overflow"


@dataclass(slots=True, eq=False)
class Phone:
    phone: PhoneId
    person: Person | None = None
    is_registered: bool = True
    is_in_own_call: bool = False
    is_refusing: bool = False
    """Says "busy" to every call, and shows nothing of it."""
    channels: list["Channel"] = field(default_factory=list)
    shown: PhoneState = PhoneState.IDLE

    def state(self) -> PhoneState:
        if not self.is_registered:
            return PhoneState.UNAVAILABLE
        if self.is_in_own_call:
            return PhoneState.IN_USE
        if any(channel.is_up for channel in self.channels):
            return PhoneState.IN_USE
        return PhoneState.RINGING if self.channels else PhoneState.IDLE


@dataclass(slots=True, eq=False)
class Channel:
    leg: LegId
    name: str
    place: Place
    person: Person
    phone: Phone | None = None
    is_up: bool = False
    is_gone: bool = False
    bridge: "Bridge | None" = None
    session: SessionId | None = None
    is_held: bool = False
    has_talked: bool = False
    joined_s: float = 0.0
    retry: Entry | None = None
    first_entry_s: float = 0.0
    # inbound
    did: str = ""
    number: str | None = None
    caller_name: str = ""
    # feature
    digits: str = ""
    # agent
    ring: RingAgent | None = None
    ring_command: CommandId | None = None
    ring_timer: Entry | None = None
    is_outcome_told: bool = False


@dataclass(slots=True, eq=False)
class Bridge:
    name: str
    caller: Channel
    agent: Channel
    limit: Entry | None = None

    def other(self, channel: Channel) -> Channel:
        return self.agent if channel is self.caller else self.caller

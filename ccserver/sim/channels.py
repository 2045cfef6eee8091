"""What exists on the virtual PBX: phones, channels and bridges; and what the PBX asks of the people behind them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ccserver.core.commands import (
    AwaitSilence,
    Collect,
    CollectNumber,
    CollectSecret,
    DialOut,
    Ears,
    RecordingStep,
    RecordMessage,
    RingAgent,
    RoomEntry,
    RunScript,
    Say,
    WaitUntil,
)
from ccserver.core.events import Heard
from ccserver.core.ids import CommandId, LegId, PhoneId, SessionId
from ccserver.core.records import PhoneState
from ccserver.core.settings import PhoneKind
from ccserver.sim.agenda import Entry

Asking = AwaitSilence | Say | Collect | CollectNumber | CollectSecret | RecordMessage | RunScript | WaitUntil


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


@dataclass(frozen=True, slots=True)
class Unreached:
    """The network's answer to a call that rings nobody's phone: causes of Q.850 and SIP. Cause 0: there was not even a channel."""

    cause: int
    tech_cause: int


class Place(Enum):
    """Where in the dialplan a channel is: context and, where that tells more, extension."""

    INBOUND = "cc-call"
    CALLEE = "cc-callee"
    AGENT = "cc-agent,ring"
    PARK = "cc-agent,park"
    DESK = "cc-agent,desk"
    SPY = "cc-supervise"
    CONFERENCE = "cc-conference"
    FEATURE = "cc-phones"
    OWN = "cc-internal"  # a phone's own call
    CALLED = ""  # called by a phone: has no dialplan of its own
    TRANSFER = "cc-xfer"
    ROOM = "cc-room"
    ELSEWHERE = "cc-overflow"

    @property
    def context(self) -> str:
        return self.value.partition(",")[0]


@dataclass(slots=True, eq=False)
class Phone:
    phone: PhoneId
    person: Person | None = None
    number: str = ""
    kind: PhoneKind = PhoneKind.DESK
    is_registered: bool = True
    is_in_own_call: bool = False
    is_refusing: bool = False
    """Says "busy" to every call, and shows nothing of it."""
    channels: list["Channel"] = field(default_factory=list)
    shown: PhoneState = PhoneState.IDLE

    def state(self) -> PhoneState:
        if self.kind is PhoneKind.EXTERNAL:
            return PhoneState.UNKNOWN
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
    up_s: float = 0.0
    """When it was answered."""
    is_gone: bool = False
    bridge: "Bridge | None" = None
    session: SessionId | None = None
    is_held: bool = False
    has_talked: bool = False
    joined_s: float = 0.0
    retry: Entry | None = None
    is_parking: bool = False
    """It told that it is parked, and is about to enter its waiting place."""
    first_entry_s: float = 0.0
    alone_since_s: float | None = None
    """At the desk: since when the daemon does not answer."""
    # a customer's
    did: str = ""
    number: str | None = None
    caller_name: str = ""
    heard: Heard = Heard.NOTHING
    """Of a callee: what AMD() took it for."""
    # a phone's own
    digits: str = ""
    """Dialled: a feature code without its `*`, or a number."""
    has_dialled_out: bool = False
    partner: "Channel | None" = None
    """Of a call between a phone and whom it calls: the other one."""
    # of our making
    is_ours: bool = False
    """CC_LEG is set: a leg of an agent, or of somebody who was called for a customer."""
    ring: RingAgent | DialOut | None = None
    ring_command: CommandId | None = None
    ring_timer: Entry | None = None
    is_outcome_told: bool = False
    is_ending: bool = False
    """Hung up while it rang, which it is about to find."""
    # variables of the join
    caller_channel: str = ""
    max_talk_s: float = 0.0
    is_kept: bool = False
    recording: str = ""
    # a supervisor's
    is_supervisor: bool = False
    """It hears others; once it has a customer it is a leg like any other."""
    ordered_s: float = 0.0
    """When its join was ordered."""
    spies: str = ""
    """The name of the channel that it hears."""
    ears: Ears = Ears.NOBODY
    entry: RoomEntry | None = None
    is_muted: bool = False
    controls: list[RecordingStep] = field(default_factory=list)


class BridgeKind(Enum):
    TALK = "talk"
    HOLDING = "holding"  # somebody waits there alone
    CONFERENCE = "conference"


@dataclass(slots=True, eq=False)
class Bridge:
    """A talk's members are the caller and, second, the leg that ran Bridge()."""

    name: str
    kind: BridgeKind
    members: list[Channel] = field(default_factory=list)
    limit: Entry | None = None

    @property
    def caller(self) -> Channel:
        return self.members[0]

    @property
    def agent(self) -> Channel:
        return self.members[1]

    def others(self, channel: Channel) -> list[Channel]:
        return [member for member in self.members if member is not channel]

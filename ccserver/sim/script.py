"""Scripts: what named people do, each act a while after something happened to somebody. Real phones can play them too.

A happening is (who, what, how-manyth time); the start happens once, to nobody.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from ccserver.core.commands import Collect, CollectNumber, CollectSecret
from ccserver.core.ids import AgentId, PhoneId
from ccserver.sim.channels import Asking, Channel
from ccserver.sim.pbx import VirtualPbx

START = "start"
LATE_UP_TO_S = 0.03
"""What phones and the network may add to the moment of an act."""


class Act(Enum):
    """What a person can do. `value` of the step says with what."""

    CALL = "call"  # value: the number dialled
    DIAL = "dial"  # an agent's phone dials `*value`
    PRESS = "press"  # value: digits
    ANSWER = "answer"
    DECLINE = "decline"
    HANG_UP = "hang_up"
    LOSE_LINE = "lose_line"  # the leg breaks
    HOLD = "hold"
    UNHOLD = "unhold"
    UNREGISTER = "unregister"
    REGISTER = "register"
    REFER = "refer"  # the phone itself transfers the other party; value: to whom
    OWN_CALL = "own_call"  # the phone calls a friend in the house, who answers at once; value: the friend's number
    START_CAMPAIGN = "start_campaign"  # value: which
    CUT_LINK = "cut_link"  # between the daemon and the PBX
    MEND_LINK = "mend_link"
    DO_NOT_DISTURB = "do_not_disturb"  # from now on the phone says "busy" to every call


IN_THE_OFFICE = frozenset({Act.START_CAMPAIGN, Act.CUT_LINK, Act.MEND_LINK})
"""What is done without a phone."""


class Seen(Enum):
    """What can happen to a person."""

    RINGS = "rings"
    QUESTION = "question"  # digits are asked for
    PIN = "pin"  # a secret is asked for
    JOINED = "joined"
    PARTED = "parted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """`who` does `act`, `after_s` after `seen` happened to `of` for the `nth` time. `seen` None: after the start."""

    who: str
    act: Act
    value: str = ""
    of: str = START
    seen: Seen | None = None
    nth: int = 1
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`agents` maps names of the cast to (account, phone); all others are callers from outside.

    Agents are logged in before the start, in this order, but for those in `absent`. Callers in `withheld` hide their number.
    """

    name: str
    agents: dict[str, tuple[AgentId, PhoneId]]
    steps: tuple[ScriptStep, ...]
    absent: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    leads: tuple[tuple[str, str], ...] = ()
    """Who may be called: the list, and the number."""

    @property
    def file_name(self) -> str:
        """Of its recording."""
        words = "".join(c for c in self.name if c.isalnum() or c == " ").split()
        return "-".join(words) + ".jsonl"


class Cast:
    """Plays a script on the virtual PBX. `begin()` is the start. `chance` makes everybody late, by up to `LATE_UP_TO_S`."""

    def __init__(self, script: Script, pbx: VirtualPbx, chance: Random | None = None) -> None:
        self.script = script
        self.pbx = pbx
        self._chance = chance
        names = dict.fromkeys([*script.agents, *(name for step in script.steps for name in (step.who, step.of))])
        if script.leads:
            names["callee"] = None
        self.office: Callable[[Act, str], None] | None = None
        """Does what is done without a phone."""
        self.actors = {name: Actor(name, self) for name in names}
        for name, (_, phone) in script.agents.items():
            pbx.phones[phone].person = self.actors[name]
        friends = {step.value for step in script.steps if step.act is Act.OWN_CALL}
        for friend in (phone for phone in pbx.phones.values() if phone.number in friends):
            friend.person = Friend(pbx)

    def begin(self) -> None:
        self.happened(START, None, 1)

    def happened(self, of: str, seen: Seen | None, nth: int) -> None:
        for step in self.script.steps:
            if step.of == of and step.seen is seen and step.nth == nth:
                late_s = self._chance.uniform(0.0, LATE_UP_TO_S) if self._chance is not None else 0.0
                self.pbx.agenda.after(step.after_s + late_s, self.actors[step.who].do, step)


class Actor:
    """One person of the cast."""

    def __init__(self, name: str, cast: Cast) -> None:
        self.name = name
        self._cast = cast
        self._channel: Channel | None = None
        self._seen: Counter[Seen] = Counter()

    def do(self, step: ScriptStep) -> None:
        """Raises AssertionError when the script asks for what cannot be done: a mistake in the script."""
        pbx = self._cast.pbx
        if step.act in IN_THE_OFFICE:
            assert self._cast.office is not None, "nobody is in the office"
            self._cast.office(step.act, step.value)
            return
        if step.act is Act.CALL:
            number = None if self.name in self._cast.script.withheld else "+15550111"
            self._channel = pbx.call_in(self, step.value, number, self.name)
            return
        if self.name in self._cast.script.agents:
            phone = pbx.phones[self._cast.script.agents[self.name][1]]
            if step.act is Act.DIAL:
                self._channel = pbx.dial_feature(self, phone, step.value)
                assert self._channel is not None, f"{self.name}'s phone is not free to dial"
                return
            if step.act in (Act.REGISTER, Act.UNREGISTER):
                pbx.set_registered(phone, step.act is Act.REGISTER)
                return
            if step.act is Act.OWN_CALL:
                self._channel = pbx.dial(self, phone, step.value)
                assert self._channel is not None, f"{self.name}'s phone is not free to call"
                return
            if step.act is Act.DO_NOT_DISTURB:
                phone.is_refusing = True
                return
        channel = self._channel
        assert channel is not None, f"{self.name} has no line to {step.act.value}"
        match step.act:
            case Act.PRESS:
                pbx.press(channel, step.value)
            case Act.ANSWER:
                pbx.answer(channel)
            case Act.DECLINE:
                pbx.decline(channel)
            case Act.HANG_UP:
                pbx.hang_up(channel)
            case Act.LOSE_LINE:
                pbx.lose_line(channel)
            case Act.HOLD | Act.UNHOLD:
                pbx.hold(channel, step.act is Act.HOLD)
            case Act.REFER:
                pbx.refer(channel, step.value)
            case _:
                raise AssertionError(f"{self.name} is no agent and cannot {step.act.value}")

    def _happened(self, seen: Seen) -> None:
        self._seen[seen] += 1
        self._cast.happened(self.name, seen, self._seen[seen])

    def rings(self, channel: Channel) -> None:
        self._channel = channel
        self._happened(Seen.RINGS)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if isinstance(verb, Collect | CollectNumber):
            self._happened(Seen.QUESTION)
        elif isinstance(verb, CollectSecret):
            self._happened(Seen.PIN)

    def joined(self, channel: Channel) -> None:
        self._happened(Seen.JOINED)

    def parted(self, channel: Channel) -> None:
        self._happened(Seen.PARTED)

    def ended(self, channel: Channel) -> None:
        self._happened(Seen.ENDED)


class Friend:
    """Somebody in the house whom an agent calls: answers at once, and stays."""

    def __init__(self, pbx: VirtualPbx) -> None:
        self._pbx = pbx

    def rings(self, channel: Channel) -> None:
        self._pbx.agenda.after(0.01, self._pbx.answer, channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        """Is asked nothing."""

    def joined(self, channel: Channel) -> None:
        """Talks."""

    def parted(self, channel: Channel) -> None:
        """Is hung up by the PBX."""

    def ended(self, channel: Channel) -> None:
        """That was it."""

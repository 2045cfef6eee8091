"""The telephone network outside, and the people and machines that campaigns call over it.

A number is busy, declined, wrong or rings until nobody answers; a trunk refuses calls, or is dead for minutes. Who answers says hello,
waits for as long as patience lasts, and hears what happens; a machine speaks, and beeps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ccserver.core.commands import Collect, DialOut, Say
from ccserver.core.events import Heard
from ccserver.core.ids import LegId, PhoneId
from ccserver.sim.agenda import Entry
from ccserver.sim.channels import Asking, Channel, Person, Unreached
from ccserver.sim.dialplan import Outside
from ccserver.sim.pbx import VirtualPbx
from ccserver.sim.people import length_s

BUSY, DECLINED, WRONG, CONGESTED = Unreached(17, 486), Unreached(21, 603), Unreached(1, 404), Unreached(34, 503)
DEAD = (Unreached(34, 503), Unreached(38, 500), Unreached(0, 0))
"""What a trunk says that is dead; the last one makes no channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeHabits:
    """Ratios are 0 to 1, per call; times are means."""

    busy_ratio: float = 0.08
    declined_ratio: float = 0.04
    wrong_ratio: float = 0.03
    congested_ratio: float = 0.02
    unanswered_ratio: float = 0.25
    machine_ratio: float = 0.2
    """Of those who answer."""
    answer_s: float = 6.0
    late_ratio: float = 0.03
    """Answers in the instant in which the ringing is given up."""
    at_once_ratio: float = 0.05
    """Hangs up as soon as it has answered."""
    patience_s: float = 8.0
    talk_s: float = 40.0
    opts_out_ratio: float = 0.3
    """Of those who hear the message: press the key."""
    taken_for_machine_ratio: float = 0.04
    """Of people, by AMD()."""
    taken_for_human_ratio: float = 0.1
    """Of machines."""


@dataclass(slots=True, eq=False)
class Experience:
    """One call as the callee knows it; times are those of the world."""

    number: str
    is_machine: bool
    answered_s: float | None = None
    heard_out_s: float | None = None
    """When AMD() had its verdict; from the answer on, where nobody listens."""
    is_taken_for_machine: bool = False
    talked_s: float | None = None
    spoken_to_s: float | None = None
    """When a message, or what the dialplan says without the daemon, began."""
    ended_s: float | None = None
    has_left: bool = False
    """Hung up by itself."""


class Callee:
    """Somebody, or a machine, at a number."""

    def __init__(
        self, pbx: VirtualPbx, habits: CalleeHabits, chance: Random, told: Experience, by_leg: dict[LegId, Experience]
    ) -> None:
        self._pbx = pbx
        self._by_leg = by_leg
        self._agenda = pbx.agenda
        self._habits = habits
        self._chance = chance
        self.told = told
        self._plans: list[Entry] = []

    def rings(self, channel: Channel) -> None:
        chance, habits, agenda = self._chance, self._habits, self._agenda
        self._by_leg[channel.leg] = self.told
        luck = chance.random()
        ring_s = channel.ring.ring_timeout_s if channel.ring is not None else 20.0
        if luck < habits.unanswered_ratio:
            return
        if luck < habits.unanswered_ratio + habits.declined_ratio:
            agenda.after(length_s(chance, habits.answer_s), self._pbx.decline, channel)
        elif luck < habits.unanswered_ratio + habits.declined_ratio + habits.late_ratio:
            agenda.after(ring_s + chance.uniform(-0.1, 0.0), self._answer, channel)
        else:
            agenda.after(length_s(chance, habits.answer_s), self._answer, channel)

    def _answer(self, channel: Channel) -> None:
        if channel.is_gone or channel.is_up:
            return
        self._pbx.answer(channel)
        self.told.answered_s = self._agenda.now_s
        chance, habits = self._chance, self._habits
        if self.told.is_machine:
            self._then(60.0, self._leave, channel)
        elif chance.random() < habits.at_once_ratio:
            self._then(chance.uniform(0.0, 0.6), self._leave, channel)
        else:
            self._then(1.0 + length_s(chance, habits.patience_s), self._leave, channel)

    def _then(self, after_s: float, act: Callable[[Channel], None], channel: Channel) -> None:
        """Instead of what it was about to do."""
        for entry in self._plans:
            entry.cancel()
        self._plans = [self._agenda.after(after_s, act, channel)]

    def _leave(self, channel: Channel) -> None:
        if not channel.is_gone:
            self.told.has_left = True
            self._pbx.hang_up(channel)

    def asked(self, channel: Channel, verb: Asking) -> None:
        if not isinstance(verb, Say | Collect) or not verb.say:
            return
        if self.told.spoken_to_s is None:
            self.told.spoken_to_s = self._agenda.now_s
        if isinstance(verb, Collect) and verb.complete and not self.told.is_machine:
            self._then(length_s(self._chance, 10.0) + 2.0, self._leave, channel)
            if self._chance.random() < self._habits.opts_out_ratio:
                self._agenda.after(self._chance.uniform(0.5, 4.0), self._pbx.press, channel, verb.complete[0])

    def joined(self, channel: Channel) -> None:
        if self.told.talked_s is None:
            self.told.talked_s = self._agenda.now_s
        self._then(2.0 + length_s(self._chance, self._habits.talk_s), self._leave, channel)

    def parted(self, channel: Channel) -> None:
        self._then(length_s(self._chance, self._habits.patience_s), self._leave, channel)

    def ended(self, channel: Channel) -> None:
        if self.told.answered_s is not None:
            self.told.ended_s = self._agenda.now_s
        for entry in self._plans:
            entry.cancel()


@dataclass(slots=True, eq=False)
class Network:
    """Whom one reaches over a trunk: callees at the numbers that begin with `prefix`, at all others whom `others` knows."""

    pbx: VirtualPbx
    habits: CalleeHabits
    seed: int
    prefix: str
    others: Outside
    experiences: dict[LegId, Experience] = field(default_factory=dict)
    """Of those whose phones rang."""
    dead: dict[str, float] = field(default_factory=dict)
    """By endpoint, until when."""
    calls: dict[str, int] = field(default_factory=dict)

    def kill_trunk(self, endpoint: str, for_s: float) -> None:
        self.dead[endpoint] = self.pbx.agenda.now_s + for_s

    def reach(self, to: PhoneId) -> Person | Unreached | None:
        number, _, endpoint = to.removeprefix("PJSIP/").partition("@")
        if not number.startswith(self.prefix):
            return self.others(to)
        nth = self.calls[number] = self.calls.get(number, 0) + 1
        chance, habits = Random(f"{self.seed}/{number}/{nth}"), self.habits
        if self.dead.get(endpoint, 0.0) > self.pbx.agenda.now_s:
            return chance.choice(DEAD)
        luck = chance.random()
        for ratio, end in (
            (habits.busy_ratio, BUSY),
            (habits.wrong_ratio, WRONG),
            (habits.congested_ratio, CONGESTED),
        ):
            if luck < ratio:
                return end
            luck -= ratio
        told = Experience(number, is_machine=chance.random() < habits.machine_ratio)
        return Callee(self.pbx, habits, chance, told, self.experiences)

    def hear(self, channel: Channel) -> Heard:
        """What AMD() says of who is there."""
        callee = channel.person
        if not isinstance(callee, Callee) or not isinstance(channel.ring, DialOut):
            return Heard.HUMAN
        callee.told.heard_out_s = self.pbx.agenda.now_s
        habits, is_machine = self.habits, callee.told.is_machine
        wrong = habits.taken_for_human_ratio if is_machine else habits.taken_for_machine_ratio
        is_right = Random(f"{self.seed}/{callee.told.number}/{channel.leg.uniqueid}").random() >= wrong
        callee.told.is_taken_for_machine = is_machine == is_right
        return Heard.MACHINE if callee.told.is_taken_for_machine else Heard.HUMAN

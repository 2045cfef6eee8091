"""What lies between the virtual PBX and the core: sockets with delays, and a link that breaks.

AMI is one stream: its events keep their order. Each AGI session is another: so an AGI event may overtake the AMI events
before it, and the other way round. Faults go further than TCP would and stand for filters, overload and bugs: an event
that never comes, comes twice, or comes after its successors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ccserver.core.events import Event
from ccserver.core.ids import SessionId
from ccserver.sim.agenda import Agenda

SLOW_RATIO = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How much goes wrong. Ratios are 0 to 1, per event or per thing that can go wrong."""

    lost_ratio: float = 0.0
    doubled_ratio: float = 0.0
    late_ratio: float = 0.0
    late_up_to_s: float = 2.0
    unanswered_ratio: float = 0.0
    """AMI actions that are performed, or not, and never answered; look-ups of which nothing is heard."""
    action_timeout_s: float = 5.0
    failed_ratio: float = 0.0
    """Verbs of AGI sessions that cannot be done: a prompt is missing, say."""


NO_FAULTS = Faults()


class Wire:
    """Carries events to `deliver`. `is_link_up` is the AMI link; `is_daemon_up` is the process."""

    def __init__(self, agenda: Agenda, chance: Random, deliver: Callable[[Event], None], faults: Faults) -> None:
        self._agenda = agenda
        self._chance = chance
        self._deliver = deliver
        self.faults = faults
        self.is_link_up = False
        self.is_daemon_up = False
        self.is_agi_open = False
        """The daemon opens FastAGI when it has observed the PBX, and not before."""
        self._epoch = 0
        self._process = 0
        self._ami_last_s = 0.0
        self._agi_last_s: dict[SessionId, float] = {}
        self.lost = 0
        self.doubled = 0
        self.late = 0

    def break_link(self) -> None:
        """What is under way on AMI is lost with the link."""
        self.is_link_up = False
        self._epoch += 1

    def mend_link(self) -> None:
        self.is_link_up = True

    def end_daemon(self) -> None:
        """The process dies: both links, and everything that was under way."""
        self.break_link()
        self.is_daemon_up = self.is_agi_open = False
        self._process += 1
        self._agi_last_s.clear()

    def ami(self, event: Event) -> None:
        """An event on the AMI stream: in order, unless a fault says otherwise."""
        if not self.is_link_up:
            return
        chance, faults = self._chance, self.faults
        at_s = max(self._ami_last_s, self._agenda.now_s + self._delay_s())
        if faults.lost_ratio and chance.random() < faults.lost_ratio:
            self.lost += 1
            return
        if faults.late_ratio and chance.random() < faults.late_ratio:
            self.late += 1
            self._agenda.after(chance.uniform(0.0, faults.late_up_to_s), self._arrive_ami, event, self._epoch)
            return
        self._ami_last_s = at_s
        self._agenda.at(at_s, self._arrive_ami, event, self._epoch)
        if faults.doubled_ratio and chance.random() < faults.doubled_ratio:
            self.doubled += 1
            self._agenda.at(at_s + chance.uniform(0.0, 0.5), self._arrive_ami, event, self._epoch)

    def _delay_s(self) -> float:
        """Mostly short; now and then a thread of Asterisk, or the daemon, comes to one socket long before the other."""
        is_slow = self._chance.random() < SLOW_RATIO
        return self._chance.uniform(0.002, 0.02) if is_slow else self._chance.uniform(0.0002, 0.002)

    def reading(self, event: Event, epoch: int) -> None:
        """An answer that took its own way: it may be older than events that were delivered before it."""
        if self.is_link_up and epoch == self._epoch:
            self._agenda.after(self._chance.uniform(0.0, 0.005), self._arrive_ami, event, epoch)

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def process(self) -> int:
        return self._process

    def agi(self, session: SessionId, event: Event, *, is_last: bool = False) -> None:
        """An event of one AGI session: in order within the session."""
        if not self.is_daemon_up:
            return
        at_s = max(self._agi_last_s.get(session, 0.0), self._agenda.now_s + self._delay_s())
        if is_last:
            self._agi_last_s.pop(session, None)
        else:
            self._agi_last_s[session] = at_s
        self._agenda.at(at_s, self._arrive_agi, event, self._process)

    def own(self, event: Event) -> None:
        """What an edge of the daemon says of itself: nothing can go wrong on the way."""
        if self.is_daemon_up:
            self._agenda.after(0.0, self._arrive_agi, event, self._process)

    def _arrive_ami(self, event: Event, epoch: int) -> None:
        if epoch == self._epoch and self.is_daemon_up:
            self._deliver(event)

    def _arrive_agi(self, event: Event, process: int) -> None:
        if process == self._process:
            self._deliver(event)

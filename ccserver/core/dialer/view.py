"""What a pacer is told, and what it answers: plain values, ages in seconds, no identities of people.

The words of the enumeration `What` are those of the events in `core.dialer.engine`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

Json = dict[str, Any]
"""A value that `json.dumps` takes and `json.loads` gives back as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counted since the accounting window's present day began."""

    dials: int = 0
    humans: int = 0
    """Answers judged to be by a person: the denominator of the abandoned share."""
    connects: int = 0
    abandoned: int = 0
    machines: int = 0
    no_answer: int = 0
    failed: int = 0
    agent_machines: int = 0
    """Machines that reached an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look at a campaign."""

    now_s: float
    """Since the campaign's day began."""
    idle: Sequence[float] = ()
    """How long each ready agent has had nothing to do."""
    talking: Sequence[tuple[float, bool]] = ()
    """For how long, and whether the agent goes on a break or home after it."""
    wrapping: Sequence[tuple[float, bool]] = ()
    paused: int = 0
    ringing: Sequence[float] = ()
    """Since each call was dialed."""
    detecting: Sequence[float] = ()
    """Since each answer: a person or a machine, nobody knows yet."""
    waiting: Sequence[float] = ()
    """Since it is known that a person is there and no agent was."""
    lines_free: int = 0
    leads_left: int = 0
    allowance: int | None = None
    """So many calls may be in flight without an agent of their own, by an account that somebody else keeps (`core.dialer.account`); None:
    nobody does."""
    totals: Totals = field(default_factory=Totals)


class What(Enum):
    """What can happen in a campaign."""

    DIALED = "dial"
    ANSWERED = "answer"
    HUMAN = "human"
    MACHINE = "machine"
    NO_ANSWER = "noanswer"
    FAILED = "fail"
    CONNECTED = "connect"
    ABANDONED = "abandon"
    TALK_ENDED = "talk_end"
    WRAP_UP_ENDED = "wrap_end"
    READY = "ready"
    PAUSED = "pause"
    RESUMED = "resume"
    LOGGED_IN = "login"
    LOGGED_OUT = "logout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    at_s: float
    what: What
    age_s: float = 0.0
    """Of the call, since it was dialed."""
    lasted_s: float = 0.0
    """The talk or the wrap-up that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a campaign's pacer is told once."""

    max_abandoned: float = 0.03
    """The cap: abandoned calls for each call that a person answered."""
    false_positives: float = 0.0
    """People taken for machines, for each that answers; only where the rule counts them as abandoned."""
    patience_s: float = 2.0
    ring_timeout_s: float = 24.0
    horizon_s: float = 8 * 3600.0
    """How long the campaign dials on the present day."""
    carried: float = 0.0
    """Calls that may be lost because earlier days of the window lost fewer; below 0: they lost too many."""
    lines_per_agent: float | None = None
    """The operator's own maximum; None: what the situation allows."""
    calls_per_agent: float = 1.5
    """The fixed ratio of mode `power`."""

    @property
    def share(self) -> float:
        """What is left of the cap for calls that wait for an agent."""
        return max(self.max_abandoned - self.false_positives, 0.0)


class Pacer(Protocol):
    """Says how many calls to place now. It knows nothing but its limits, the views and the events it is given, and no clock."""

    tick_s: float
    """How often it wants to be asked."""

    def pace(self, view: View) -> int:
        """Calls to place now: never more than the free lines and the leads that are left. Placing fewer is no harm."""

    def observe(self, event: Happened) -> None:
        """Told at once of everything, in the order of time."""

    def state(self) -> Json:
        """All it has learned."""

    def restore(self, state: Json) -> None:
        """Go on as the one that gave `state`. Raises ValueError if it is not such a state; this pacer is then of no use."""


def backed(view: View) -> int:
    """Calls that may be placed so that each call in flight has an idle agent of its own."""
    return max(len(view.idle) - len(view.waiting) - len(view.ringing) - len(view.detecting), 0)


def room(view: View) -> int:
    """Calls for which there are a line and a lead."""
    return max(min(view.lines_free, view.leads_left), 0)

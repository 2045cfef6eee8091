"""What the center remembers of its campaigns and of the calls that they make: frozen records, part of its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ccserver.core.dialer.account import Account
from ccserver.core.dialer.facts import FactSheet
from ccserver.core.dialer.leads import ClaimedLead
from ccserver.core.dialer.terms import Mode
from ccserver.core.dialer.view import Totals
from ccserver.core.ids import AgentId, AttemptId, CampaignId, CommandId, InteractionId, LegId, TrunkId
from ccserver.core.moment import Moment


class RunState(Enum):
    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    DRAINING = "draining"  # the leads that are claimed are dialled, and then it is stopped


DOUBT_WRONG, DOUBT_CHECKED = 1.0, 50.0
"""Before agents have confirmed anything, one of fifty machines is thought to be a person."""
DIALS = (RunState.RUNNING, RunState.DRAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A claimed lead and the sheet of the number that is dialled next: the gate had nothing against it when it was looked at."""

    lead: ClaimedLead
    sheet: FactSheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign of the settings, since it was first started. Ratios are 0 to 1."""

    id: CampaignId
    run: RunState = RunState.STOPPED
    mode: Mode | None = None
    """Other than in the settings."""
    by: str = ""
    """Who started, paused or stopped it."""
    since: Moment
    why_stopped: str = ""
    account: Account
    buffer: tuple[Candidate, ...] = ()
    """Claimed, and dialled next in this order."""
    claiming: CommandId | None = None
    claim_after_s: float = 0.0
    """Monotonic; not asked for leads before."""
    ready: int = 0
    """Leads that are left in the lists, as far as that was told with the last claim."""
    next_lead_utc_s: float | None = None
    rests_until_s: float = 0.0
    """Monotonic; nothing is dialled before: the trunks are full or dead."""
    next_dial_s: float = 0.0
    """Monotonic; the calls per second allow the next one then."""
    day_from_utc_s: float = 0.0
    """When the pacer's day began."""
    horizon_s: float = 28_800.0
    """How long that day is to last."""
    carried: float = 0.0
    """Calls that may be lost in it because earlier days lost fewer; below 0: they lost too many."""
    totals: Totals = field(default_factory=Totals)
    """Of that day."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """By `verdict.Refusal`'s word, since it was started."""
    last_refusal: str = ""
    """What the gate said last, for people."""
    placed: int = 0
    """Attempts since it was started."""
    asked: int = 0
    """Calls that the pacer asked for at its last look."""
    owed: int = 0
    """Those of them that were not placed yet, since the calls per second did not allow it."""
    looked_s: float = 0.0
    """Monotonic; the pacer's last look."""
    held_by: str = ""
    """Why fewer were placed than asked for, at its last look."""
    evidence_s: float = 0.0
    """Monotonic; when the account's evidence is looked at next."""
    amd_checked: int = 0
    """Calls that were taken for a machine and given to an agent all the same."""
    amd_wrong: int = 0
    """Of them, those in which a person was there."""
    amd_machines: int = 0
    """Calls that were taken for a machine."""
    amd_owed: float = 0.0
    """Part of a person, of those that were hung up on by mistake as far as can be estimated, that is not in the account yet."""

    @property
    def amd_wrong_share(self) -> float:
        """Of those who are taken for machines, how many are people (0 to 1), as far as agents have said."""
        return (self.amd_wrong + DOUBT_WRONG) / (self.amd_checked + DOUBT_CHECKED)


class AttemptStage(Enum):
    """How far a call to a lead is.

    | stage    | the callee's leg              | what must come                                       |
    |----------|-------------------------------|------------------------------------------------------|
    | STORING  | none                          | AttemptStored                                        |
    | DIALLED  | is dialled, rings             | its answer, or its end                               |
    | ANSWERED | is up; AMD may listen         | CallArrived                                          |
    | PERSON   | waits for an agent, talks, or | the end of its interaction                           |
    |          | is in a flow                  |                                                      |
    | MESSAGE  | hears a message               | the end of the prompt, and of the leg                |
    """

    STORING = "storing"
    DIALLED = "dialled"
    ANSWERED = "answered"
    PERSON = "person"
    MESSAGE = "message"


ON_THE_WAY = (AttemptStage.STORING, AttemptStage.DIALLED, AttemptStage.ANSWERED)
"""Nobody knows yet whether a person answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to one number of a lead, from the gate to its record."""

    id: AttemptId
    campaign: CampaignId
    mode: Mode
    lead: ClaimedLead
    sheet: FactSheet
    """The facts that the gate judged last."""
    stage: AttemptStage = AttemptStage.STORING
    leg: LegId | None = None
    """The newest: each trunk that is tried has one of its own."""
    interaction: InteractionId | None = None
    """From the beginning where an agent was there first; else since a person answered."""
    agent: AgentId | None = None
    """Who was there first."""
    trunk: TrunkId | None = None
    tried: tuple[TrunkId, ...] = ()
    """Trunks that did not take it."""
    caller_id: str = ""
    version: str
    """`content_hash` of the settings it was begun with."""
    since: Moment
    storing: CommandId | None = None
    dialled: Moment | None = None
    answered: Moment | None = None
    person: Moment | None = None
    """When it was known that a person is there."""
    is_machine: bool = False
    """AMD says so, and an agent is to say whether it is true."""
    is_counted: bool = False
    """In the account."""
    is_told: bool = False
    """Who answered found no agent, and heard who called."""
    talk_s: float = 0.0
    wrap_up_s: float = 0.0

    @property
    def is_backed(self) -> bool:
        """An agent waits for this call and gets no other."""
        return self.agent is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkState:
    """How a trunk does. Times are monotonic."""

    failed_in_row: int = 0
    """Calls that it did not take."""
    silent_in_row: int = 0
    """Calls that ended before anything rang."""
    down_until_s: float = 0.0
    """It is taken for dead until then."""
    is_down: bool = False
    why: str = ""
    next_dial_s: float = 0.0
    """The calls per second allow the next one then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesShown:
    """For how many calls a number of ours was shown, hour by hour: the first second of the hour (POSIX), and the calls."""

    hours: tuple[tuple[float, int], ...] = ()

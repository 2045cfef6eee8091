"""What must be known of a call before it is placed: one sheet, read at once when the lead is claimed and anew just before it is dialled.

A sheet holds facts and no opinion: what follows from them says `core.dialer.gate`. What could not be read is given as the value that
says so (None, UNKNOWN, no zone, no register), never as a friendly guess: the gate refuses where it would have to guess.
Times are POSIX seconds.
"""

from dataclasses import dataclass

from ccserver.core.dialer.terms import ConsentKind, LineType, Mode, Purpose, ZoneSource
from ccserver.core.ids import CampaignId, TrunkId


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the person agreed to. Without a date it counts as none; `expires_utc_s` None: it holds until it is withdrawn."""

    kind: ConsentKind
    given_utc_s: float | None
    expires_utc_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An entry of our own do-not-call lists for this number; `campaign` None: for all of them."""

    campaign: CampaignId | None
    at_utc_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterFacts:
    """An imported register in which the number was looked up. `as_of_utc_s`: the day it shows; None: it is not known."""

    name: str
    as_of_utc_s: float | None
    is_listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsMade:
    """Calls there were before this one, whatever came of them, those of which nobody knows what came of them too."""

    day: int = 0
    """To this number in the last 24 hours, in all campaigns."""
    month: int = 0
    """To this number in the last 30 days, in all campaigns."""
    number: int = 0
    """To this number in this campaign."""
    campaign: int = 0
    """To this lead, at any of its numbers, in this campaign."""
    lifetime: int = 0
    """To this number, ever."""
    last_utc_s: float | None = None
    """The last call to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdFacts:
    """The number that would be shown."""

    number: str
    line_type: LineType
    is_ours: bool
    """It is assigned to us: one of our numbers that can be called from outside."""
    answers_back: bool
    """Who calls it back is answered."""
    calls_today: int
    """Calls it was shown for in the last 24 hours."""
    calls_a_day: int
    """How many it may be shown for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSheet:
    """One call that somebody wants to place."""

    number: str
    """E.164."""
    line_type: LineType
    region: str
    """Where the number is: a country as ISO 3166 ("ES"), or a region of one ("ES-MD"); empty: not known."""
    zones: tuple[str, ...]
    """The time zones it may be in; one, if it is known."""
    zone_source: ZoneSource
    purpose: Purpose | None
    mode: Mode
    campaign: CampaignId | None
    """None: an agent's own call."""
    read_utc_s: float
    """When this sheet was read."""
    is_campaign_open: bool
    """Whether the campaign runs, and its own hours are open."""
    campaign_opens_utc_s: float | None = None
    requested_utc_s: float | None = None
    """When the person asked to be called."""
    agreed_utc_s: float | None = None
    """The time for which the person asked to be called."""
    due_utc_s: float | None = None
    """Not before: by the rule for another try, or as it was agreed."""
    consent: Consent | None = None
    listings: tuple[Listing, ...] = ()
    registers: tuple[RegisterFacts, ...] = ()
    attempts: AttemptsMade = AttemptsMade()
    last_refusal_utc_s: float | None = None
    """When the person last said that they do not want what we offer."""
    last_abandon_utc_s: float | None = None
    """When a call of ours to this number was last abandoned or silent."""
    last_talk_utc_s: float | None = None
    """When the person last spoke to an agent."""
    is_agent_reserved: bool = False
    """An agent waits for this call and gets no other."""
    abandon_room: int = 0
    """How many more calls may be abandoned, calls already in flight without an agent taken off (`core.dialer.account`)."""
    ring_s: float = 0.0
    """How long it would ring."""
    uses_amd: bool = False
    drops_voicemail: bool = False
    """A recorded message would be left on an answering machine."""
    has_safe_harbour: bool = False
    """Who answers and finds no agent hears who called, a number, and a key against further calls."""
    caller_id: CallerIdFacts | None = None
    trunk: TrunkId | None = None

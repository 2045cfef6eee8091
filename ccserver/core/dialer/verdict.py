"""The gate's answers."""

from dataclasses import dataclass
from enum import Enum


class Refusal(Enum):
    """Why a call may not be placed; refusals are counted by it."""

    UNSOUND_FACTS = "unsound_facts"
    STALE_FACTS = "stale_facts"
    UNAVAILABLE = "unavailable"  # told by who asks: the gate itself needs facts to judge
    BEING_CALLED = "being_called"  # the same: the database takes one open attempt of a number
    NOT_E164 = "not_e164"
    COUNTRY_NOT_COVERED = "country_not_covered"
    LINE_TYPE = "line_type"
    BLOCKED_PREFIX = "blocked_prefix"
    PURPOSE_UNKNOWN = "purpose_unknown"
    REQUEST_NOT_DATED = "request_not_dated"
    MODE_NOT_ALLOWED = "mode_not_allowed"
    NOT_REQUESTED = "not_requested"
    DO_NOT_CALL = "do_not_call"
    CAMPAIGN_DO_NOT_CALL = "campaign_do_not_call"
    REGISTER_LISTED = "register_listed"
    REGISTER_MISSING = "register_missing"
    REGISTER_TOO_OLD = "register_too_old"
    CONSENT_MISSING = "consent_missing"
    AUTOMATIC_WITHOUT_CONSENT = "automatic_without_consent"
    PERSON_REFUSED = "person_refused"
    ABANDON_HOLD_OFF = "abandon_hold_off"
    AGENT_NOT_RESERVED = "agent_not_reserved"
    BUDGET_SPENT = "budget_spent"
    NO_SAFE_HARBOUR = "no_safe_harbour"
    AMD_NOT_ALLOWED = "amd_not_allowed"
    RINGS_TOO_SHORT = "rings_too_short"
    DAY_CAP = "day_cap"
    MONTH_CAP = "month_cap"
    NUMBER_CAP = "number_cap"
    LEAD_CAP = "lead_cap"
    LIFETIME_CAP = "lifetime_cap"
    NOT_DUE = "not_due"
    CAMPAIGN_CLOSED = "campaign_closed"
    ZONE_UNKNOWN = "zone_unknown"
    HOLIDAYS_UNKNOWN = "holidays_unknown"
    OUTSIDE_WINDOW = "outside_window"
    CALLER_ID_MISSING = "caller_id_missing"
    CALLER_ID_NOT_OURS = "caller_id_not_ours"
    CALLER_ID_SILENT = "caller_id_silent"
    CALLER_ID_TYPE = "caller_id_type"
    CALLER_ID_CAP = "caller_id_cap"
    TRUNK_MISSING = "trunk_missing"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Nothing that is known speaks against the call."""


@dataclass(frozen=True, slots=True)
class Refused:
    """`until_utc_s`: when to ask again (not before; it may be refused then too); None: time alone mends nothing. `says`: for people."""

    reason: Refusal
    until_utc_s: float | None
    says: str


Verdict = Allowed | Refused
ALLOWED = Allowed()

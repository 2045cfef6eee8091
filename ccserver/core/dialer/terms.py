"""The words of outbound calls that rules, settings and facts share."""

from enum import Enum

DAY_S = 86_400.0


class Purpose(Enum):
    """Why somebody is called: it decides which rules bind."""

    MARKETING = "marketing"
    SERVICE = "service"  # about a contract or an appointment that the person has with us
    REQUESTED = "requested"  # the person asked to be called, and when they did so is known


class Mode(Enum):
    """How calls and agents come together."""

    MANUAL = "manual"  # the agent dials
    PREVIEW = "preview"  # the agent sees who it is, and then lets it be dialled
    PROGRESSIVE = "progressive"  # one call for one agent who is reserved
    POWER = "power"  # a fixed number of calls for each agent
    PREDICTIVE = "predictive"  # as many as the abandonment account allows
    AGENTLESS = "agentless"  # a recorded message or a flow, and nobody of ours
    CALLBACK_ONLY = "callback_only"  # who asked to be called, and nobody else


UNBACKED = frozenset({Mode.POWER, Mode.PREDICTIVE})
"""In these a call may be placed for which no agent is reserved."""
ONE_TO_ONE = frozenset({Mode.MANUAL, Mode.PREVIEW, Mode.PROGRESSIVE, Mode.CALLBACK_ONLY})


class LineType(Enum):
    """What a telephone number is, by its numbering plan."""

    FIXED = "fixed_line"
    MOBILE = "mobile"
    FIXED_OR_MOBILE = "fixed_line_or_mobile"  # where the plan does not tell them apart
    VOIP = "voip"
    PERSONAL = "personal_number"
    TOLL_FREE = "toll_free"
    SHARED_COST = "shared_cost"
    PREMIUM = "premium_rate"
    COMPANY = "uan"  # one number for a whole company
    PAGER = "pager"
    VOICEMAIL = "voicemail"
    UNKNOWN = "unknown"


class ConsentKind(Enum):
    CALLS = "calls"  # to be called by a person
    AUTOMATIC = "automatic"  # to recorded messages and automatic calls too


class ZoneSource(Enum):
    """How the callee's time zone is known."""

    LEAD = "lead"  # it came with the lead
    NUMBER = "number"  # from the number; several where the number may be in several
    NONE = "none"


class ClockStart(Enum):
    """From when the time runs in which an agent must be there."""

    ANSWER = "answer"
    GREETING_END = "greeting_end"  # of the callee: their "hello" is over


class ShareOf(Enum):
    """What the abandoned calls are held against."""

    LIVE = "live"  # all that a person answered, those abandoned among them
    CONNECTED = "connected"  # those that were put through to an agent


class AbandonWindow(Enum):
    """Over which time abandoned calls are counted."""

    DAY = "day"  # any 24 hours
    MONTH = "month"  # any 30 days, and each 30 days since the campaign began, or as much of them as it has lasted

"""The tables of dialling: lists of leads, attempts, numbers that are not called. A change here needs a migration beside it.

Unlike history they are the present state of a list, changed by whoever claims, dials and settles. Text as in `schema`: states and
outcomes are words, not native enums. What identifies people is plain here, since it is dialled from: an erasure deletes it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, Table, Text, false, text

from ccserver.store.schema import METADATA, UtcTime

_ID = BigInteger().with_variant(Integer, "sqlite")

lead_lists = Table(
    "lead_lists",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("made_at", UtcTime(), nullable=False),
    Column("by", Text, nullable=False),
    Index(None, "name", unique=True),
    sqlite_autoincrement=True,
)
"""`fields`: the names of the custom fields that its leads may have, a JSON list in the order in which they came."""

_IS_PROMISED = text("callback_at IS NOT NULL")

leads = Table(
    "leads",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("list", Integer, nullable=False),
    Column("external_key", Text, nullable=True),
    Column("name", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("time_zone", Text, nullable=True),
    Column("state", Text, nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("precedence", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_attempt_at", UtcTime(), nullable=True),
    Column("wake_at", UtcTime(), nullable=True),
    Column("hot_at", UtcTime(), nullable=True),
    Column("last_outcome", Text, nullable=True),
    Column("consent_kind", Text, nullable=True),
    Column("consent_at", UtcTime(), nullable=True),
    Column("consent_until", UtcTime(), nullable=True),
    Column("claimed_by", Text, nullable=True),
    Column("claim_token", Text, nullable=True),
    Column("line", Integer, nullable=True),
    Column("added_at", UtcTime(), nullable=False),
    Column("only_agent", Text, nullable=True),
    Column("callback_at", UtcTime(), nullable=True),
    Index(None, "list", "external_key", unique=True),
    # the order of claims: whoever claims reads the beginning of it and no more
    Index("ix_leads_turn", "list", "state", "urgency", "precedence", "tries", "last_attempt_at", "id"),
    Index(None, "list", "state", "wake_at"),
    Index("ix_leads_callbacks", "list", "callback_at", sqlite_where=_IS_PROMISED, postgresql_where=_IS_PROMISED),
    sqlite_autoincrement=True,  # an attempt names its lead for ever: no number is given twice
)
"""`urgency` and `precedence`: smaller is dialled sooner (`precedence` is the priority with its sign turned, so that one ascending index
gives the order). `wake_at`: when a lead that waits is due, and when a claim lapses. Of a callback: `callback_at`, for when it was promised,
and `only_agent`, by whom alone it is dialled."""

lead_numbers = Table(
    "lead_numbers",
    METADATA,
    Column("lead", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("e164", Text, nullable=False),
    Column("line_type", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("time_zones", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("last_attempt_at", UtcTime(), nullable=True),
    Column("last_outcome", Text, nullable=True),
    Index(None, "e164"),
    sqlite_with_rowid=False,
)
"""`time_zones`: of all the places where the number may be, with spaces between them; empty when none is known."""

_IS_OPEN = text("state IN ('stored', 'placed')")
_MAY_COME_BACK = text("state IN ('stored', 'placed', 'unknown')")

attempts = Table(
    "attempts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("lead", BigInteger, nullable=True),
    Column("number", Text, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("caller_id", Text, nullable=False),
    Column("trunk", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stored_at", UtcTime(), nullable=False),
    Column("placed_at", UtcTime(), nullable=True),
    Column("answered_at", UtcTime(), nullable=True),
    Column("ended_at", UtcTime(), nullable=True),
    Column("outcome", Text, nullable=True),
    Column("cause", Integer, nullable=True),
    Column("agent", Text, nullable=True),
    Column("interaction", BigInteger, nullable=True),
    Column("disposition", Text, nullable=True),
    Column("is_refusal", Boolean, nullable=False, server_default=false()),
    Column("is_success", Boolean, nullable=False, server_default=false()),
    Column("talk_s", Float, nullable=False, server_default="0"),
    Column("wrap_up_s", Float, nullable=False, server_default="0"),
    Index(None, "number", "stored_at"),
    Index(None, "lead"),
    Index(None, "campaign", "stored_at"),
    Index(None, "caller_id", "stored_at"),
    Index("ix_attempts_unsettled", "state", sqlite_where=_MAY_COME_BACK, postgresql_where=_MAY_COME_BACK),
    # the database itself refuses to have one number dialled twice at a time
    Index("ix_attempts_open", "number", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
)

do_not_call = Table(
    "do_not_call",
    METADATA,
    Column("number", Text, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("at", UtcTime(), nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("interaction", BigInteger, nullable=True),
    Index(None, "at"),
)
"""`campaign` empty: all of them. `number`: E.164, or what is left of it after an erasure (`do_not_call.Hasher`)."""

registers = Table(
    "registers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("imported_at", UtcTime(), nullable=False),
    Column("by", Text, nullable=False),
    Column("sha256", Text, nullable=False),
)

lead_imports = Table(
    "lead_imports",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("list", Integer, primary_key=True, autoincrement=False),
    Column("file", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("rejects_bytes", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("began_at", UtcTime(), nullable=False),
    Column("at", UtcTime(), nullable=False),
)
"""How far a file has been read into a list: `place` is a byte of it, `line` the line that begins there."""

abandonment_evidence = Table(
    "abandonment_evidence",
    METADATA,
    Column("campaign", Text, primary_key=True),
    Column("from_at", UtcTime(), primary_key=True),
    Column("until_at", UtcTime(), nullable=False),
    Column("connected", Integer, nullable=False),
    Column("abandoned", Integer, nullable=False),
    Column("amd_errors", Integer, nullable=False),
    Column("machines", Integer, nullable=False),
    Column("left_before", Integer, nullable=False),
    Column("told", Integer, nullable=False),
    Column("preset", Text, nullable=False),
    Column("max_abandon", Float, nullable=False),
    Column("share_of", Text, nullable=False),
    Column("abandon_window", Text, nullable=False),
    Column("counts_amd_errors", Boolean, nullable=False),
    Column("share", Float, nullable=False),
    Index(None, "until_at"),
)
"""What the law asks a campaign to show, a part of its abandonment account in each row. Nobody is named in it."""

call_refusals = Table(
    "call_refusals",
    METADATA,
    Column("campaign", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("look", Text, primary_key=True),
    Column("hour", UtcTime(), primary_key=True),
    Column("refused", BigInteger, nullable=False),
    Index(None, "hour"),
)
"""How often the law's gate refused a call in an hour, at which look. `campaign` empty: agents' own calls and callbacks."""

DIALLING = (lead_lists, leads, lead_numbers, attempts, do_not_call, registers, lead_imports)
TOLD = (abandonment_evidence, call_refusals)
"""What campaigns have to show."""

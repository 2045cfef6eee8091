"""The tables of the history. A change here needs a migration beside it; a test compares the two.

Rows that came from a record of the core have the key (`run`, `seq`, `command_index`): the run of the daemon and the id of the
`Store` command. A replay makes the same keys, so writing a row again changes nothing. Nothing is ever updated, except
`projection`, `feed_places`, `audit_head`, those of persons, those of the archive of recordings and those of dialling (`lead_schema`); and
cells that are sealed later.

States and outcomes are text as in the core's enums, not native enums: a new value needs no migration. Text has no length limit,
since a row that the database refuses would be missing for ever.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
)

REVISION = "0015"
"""The newest migration: the schema this version of ccserver works with."""


class UtcTime(TypeDecorator[datetime]):
    """An aware `datetime` in UTC, on both sides; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _history(name: str, *columns: Column[object] | Index) -> Table:
    # Without SQLite's hidden row id: the key is the only one, and a row costs one tree less.
    return Table(
        name,
        METADATA,
        Column("run", Text, primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("command_index", Integer, primary_key=True, autoincrement=False),
        *columns,
        sqlite_with_rowid=False,
    )


def _required(name: str, type_: type | TypeDecorator[datetime]) -> "Column[object]":
    return Column(name, type_, nullable=False)


def _optional(name: str, type_: type | TypeDecorator[datetime]) -> "Column[object]":
    return Column(name, type_, nullable=True)


interactions = _history(
    "interactions",
    _required("interaction", BigInteger),
    _required("kind", Text),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _required("did", Text),
    _optional("caller_number", Text),
    _required("caller_name", Text),
    _required("language", Text),
    _optional("queue", Text),
    _optional("agent", Text),
    _required("outcome", Text),
    _required("ended_by", Text),
    _optional("disposition", Text),
    _required("arrived_at", UtcTime()),
    _required("ended_at", UtcTime()),
    _required("wait_s", Float),
    _required("talk_s", Float),
    _optional("parent", BigInteger),
    Index(None, "interaction"),
    Index(None, "arrived_at"),
    Index(None, "parent"),
    Index(None, "caller_number", "arrived_at"),
    Index(None, "agent", "arrived_at"),
)

segments = _history(
    "segments",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("kind", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    _optional("queue", Text),
    _optional("agent", Text),
    _required("detail", Text),
    Index(None, "interaction"),
)

queue_visits = _history(
    "queue_visits",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("queue", Text),
    _required("entered_at", UtcTime()),
    _required("wait_s", Float),
    _required("outcome", Text),
    _required("is_within_service_level", Boolean),
    _optional("agent", Text),
    _optional("announced_wait_s", Float),
    Index(None, "interaction"),
    Index(None, "entered_at", "queue"),
)

offers = _history(
    "offers",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("queue", Text),
    _required("agent", Text),
    _required("phone", Text),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _required("offered_at", UtcTime()),
    _required("ring_s", Float),
    _required("outcome", Text),
    _required("why", Text),
    Index(None, "interaction"),
    Index(None, "agent", "offered_at"),
)

agent_states = _history(
    "agent_states",
    _required("agent", Text),
    _required("state", Text),
    _optional("reason", Text),
    _optional("phone", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    _optional("interaction", BigInteger),
    Index(None, "agent", "started_at"),
)

recordings = _history(
    "recordings",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("agent", Text),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _required("path", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    Column("kind", Text, nullable=False, server_default="talk"),
    _optional("queue", Text),
    Column("is_provisional", Boolean, nullable=False, server_default=false()),
    Column("pauses", Text, nullable=False, server_default="[]"),
    Column("side", Text, nullable=False, server_default="both"),
    Index(None, "interaction"),
)

consents = _history(
    "consents",
    _required("interaction", BigInteger),
    _required("kind", Text),
    _required("language", Text),
    _required("flow", Text),
    _required("node", Text),
    _required("at", UtcTime()),
    Index(None, "interaction"),
)

objections = _history(
    "objections",
    _required("interaction", BigInteger),
    _required("agent", Text),
    _required("at", UtcTime()),
    Index(None, "interaction"),
)

leg_quality = _history(
    "leg_quality",
    _optional("interaction", BigInteger),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _required("side", Text),
    _optional("agent", Text),
    _required("codec", Text),
    _required("received", BigInteger),
    _required("received_lost", BigInteger),
    _required("received_jitter_ms", Float),
    _optional("sent", BigInteger),
    _optional("sent_lost", BigInteger),
    _optional("sent_jitter_ms", Float),
    _optional("rtt_ms", Float),
    _required("mos", Float),
    _required("at", UtcTime()),
    Index(None, "interaction"),
    Index(None, "at"),
)

repairs = _history(
    "repairs",
    _required("kind", Text),
    _required("what", Text),
    _required("at", UtcTime()),
    _optional("interaction", BigInteger),
    Index(None, "at"),
)

faults = _history(
    "faults",
    _optional("interaction", BigInteger),
    _required("reason", Text),
    _required("at", UtcTime()),
    Index(None, "at"),
)

transfers = _history(
    "transfers",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("kind", Text),
    _required("agent", Text),
    _required("target", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    _required("outcome", Text),
    Index(None, "interaction"),
)

own_calls = _history(
    "own_calls",
    _optional("agent", Text),
    _required("phone", Text),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _required("target", Text),
    _required("kind", Text),
    _required("is_allowed", Boolean),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    Index(None, "agent", "started_at"),
)

refused_dials = _history(
    "refused_dials",
    _required("kind", Text),
    _required("number", Text),
    _required("reason", Text),
    _required("says", Text),
    _optional("until_at", UtcTime()),
    _optional("agent", Text),
    _optional("phone", Text),
    _optional("interaction", BigInteger),
    _required("at", UtcTime()),
    Index(None, "number", "at"),
    Index(None, "interaction"),
)

conferences = _history(
    "conferences",
    _required("conference", BigInteger),
    _required("room", Text),
    _required("made_by", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    _required("members", Integer),
    _required("most_at_once", Integer),
    Index(None, "conference"),
)

conference_members = _history(
    "conference_members",
    _optional("conference", BigInteger),
    _required("room", Text),
    _required("pbx", Text),
    _required("uniqueid", Text),
    _optional("agent", Text),
    _optional("phone", Text),
    _optional("caller_number", Text),
    _optional("interaction", BigInteger),
    _required("is_moderator", Boolean),
    _required("joined_at", UtcTime()),
    _required("duration_s", Float),
    _required("outcome", Text),
    Index(None, "conference"),
)

callbacks = _history(
    "callbacks",
    _required("interaction", BigInteger),
    _required("call", BigInteger),
    _required("queue", Text),
    _required("number", Text),
    _required("confirmed_by", Text),
    _required("asked_at", UtcTime()),
    _required("tries", Integer),
    _required("outcome", Text),
    _required("ended_at", UtcTime()),
    Index(None, "interaction"),
    Index(None, "call"),
    Index(None, "number", "asked_at"),
)

messages = _history(
    "messages",
    _required("interaction", BigInteger),
    _optional("queue", Text),
    _required("path", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    Index(None, "interaction"),
)

marks = _history(
    "marks",
    _required("interaction", BigInteger),
    _required("agent", Text),
    _required("what", Text),
    _required("at", UtcTime()),
    Index(None, "interaction"),
)

audit = _history(
    "audit",
    _required("by", Text),
    _required("act", Text),
    _required("what", Text),
    _required("is_done", Boolean),
    _required("at", UtcTime()),
    _optional("interaction", BigInteger),
    _optional("agent", Text),
    Column("position", BigInteger, nullable=False, server_default="0"),
    Column("digest", Text, nullable=False, server_default=""),
    Index(None, "at"),
    Index(None, "position", unique=True),
)

supervisions = _history(
    "supervisions",
    _required("interaction", BigInteger),
    _required("watch", BigInteger),
    _required("number", Integer),
    _required("by", Text),
    _optional("supervisor", Text),
    _required("phone", Text),
    _required("agent", Text),
    _required("mode", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    Index(None, "interaction"),
    Index(None, "started_at"),
)

notices = _history(
    "notices",
    _optional("interaction", BigInteger),
    _required("number", Integer),
    _required("kind", Text),
    _required("at", UtcTime()),
    _optional("caller_number", Text),
    _required("caller_name", Text),
    _required("did", Text),
    _required("language", Text),
    _optional("queue", Text),
    _optional("agent", Text),
    _optional("phone", Text),
    _required("data", Text),
    Index(None, "interaction"),
    Index(None, "at"),
)

flow_passages = _history(
    "flow_passages",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("version", Text),
    _required("started_at", UtcTime()),
    _required("duration_s", Float),
    _required("ending", Text),
    _required("steps", Text),
    Index(None, "interaction"),
    Index(None, "started_at"),
)

survey_answers = _history(
    "survey_answers",
    _required("interaction", BigInteger),
    _required("number", Integer),
    _required("kind", Text),
    _required("question", Text),
    _required("score", Integer),
    _optional("queue", Text),
    _optional("agent", Text),
    _required("at", UtcTime()),
    Index(None, "interaction"),
    Index(None, "at"),
)

recording_files = Table(
    "recording_files",
    METADATA,
    Column("path", Text, primary_key=True),
    _required("status", Text),
    _required("duration_s", Float),
    _required("bytes", BigInteger),
    _required("sha256", Text),
    _required("detail", Text),
    _required("finished_at", UtcTime()),
)

trunk_events = _history(
    "trunk_events",
    _required("trunk", Text),
    _required("is_down", Boolean),
    _required("why", Text),
    _required("at", UtcTime()),
    Index(None, "at"),
)

archive_files = Table(
    "archive_files",
    METADATA,
    Column("interaction", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    _required("state", Text),
    _required("path", Text),
    _required("coding", Text),
    _required("key_id", Text),
    _required("began_at", UtcTime()),
    _required("rate", Integer),
    _required("frames", BigInteger),
    _required("duration_s", Float),
    _required("bytes", BigInteger),
    _required("sha256", Text),
    _required("audio_sha256", Text),
    _required("silence_left", Float),
    _required("silence_right", Float),
    _required("stretches", Text),
    _required("detail", Text),
    _required("at", UtcTime()),
    Index(None, "began_at"),
    Index(None, "state"),
)

recording_holds = Table(
    "recording_holds",
    METADATA,
    Column("interaction", BigInteger, primary_key=True, autoincrement=False),
    _required("by", Text),
    _required("reason", Text),
    _required("at", UtcTime()),
)

recording_deletions = Table(
    "recording_deletions",
    METADATA,
    Column("path", Text, primary_key=True),
    _required("interaction", BigInteger),
    _required("why", Text),
    _required("by", Text),
    _required("at", UtcTime()),
    _required("duration_s", Float),
    _required("bytes", BigInteger),
    _required("sha256", Text),
    Index(None, "interaction"),
)

persons = Table(
    "persons",
    METADATA,
    Column("id", Text, primary_key=True),
    _optional("number_index", Text),
    _required("key_id", Text),
    _optional("wrapped_key", Text),
    _required("number", Text),
    _required("created_at", UtcTime()),
    _optional("erased_at", UtcTime()),
    Index(None, "number_index", unique=True),
)

erasures = Table(
    "erasures",
    METADATA,
    Column("person", Text, primary_key=True),
    _optional("number_index", Text),
    _required("step", Text),
    _required("by", Text),
    _required("reason", Text),
    _required("began_at", UtcTime()),
    _required("told", Text),
    Index(None, "number_index"),
)

feed_places = Table(
    "feed_places",
    METADATA,
    Column("reader", Text, primary_key=True),
    _required("place", Text),
)

audit_head = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("position", BigInteger),
    _required("digest", Text),
)

projection = Table(
    "projection",
    METADATA,
    Column("run", Text, primary_key=True),
    _required("applied_seq", BigInteger),
    _required("applied_index", Integer),
    _required("rows_written", BigInteger),
)

HISTORY = (
    interactions,
    segments,
    queue_visits,
    offers,
    agent_states,
    recordings,
    repairs,
    faults,
    transfers,
    own_calls,
    refused_dials,
    conferences,
    conference_members,
    callbacks,
    messages,
    marks,
    audit,
    supervisions,
    notices,
    flow_passages,
    survey_answers,
    consents,
    objections,
    leg_quality,
    trunk_events,
)

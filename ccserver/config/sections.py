"""What can be written in `ccserver.yaml`: the one description of all its keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

import phonenumbers

from ccserver.config import kinds
from ccserver.config.edges import DialplanEdge, MetricsEdge, PromptSource, RecordingEdge
from ccserver.config.kinds import NAME_HINT, NAME_PATTERN, duration, shown_name, whole
from ccserver.config.positions import Node, PathInFile, Scalar, Table
from ccserver.config.schema import Choice, Field, FilePath, Flag, Group, Kind, ListOf, MapOf, Reader, Reference, Text
from ccserver.config.web_sections import ApiSection, WebhookSection, api, webhook
from ccserver.core.ids import (
    AgentId,
    DispositionId,
    FlowId,
    HoursId,
    Language,
    NodeId,
    PromptId,
    QueueId,
    ReasonId,
    SkillId,
)
from ccserver.core.settings import (
    AnswerPolicy,
    DidSettings,
    DispositionSettings,
    FeatureCodes,
    Flow,
    Limits,
    OfferRules,
    OpeningHours,
    QueueSettings,
    ReasonSettings,
    Strategy,
)

K = TypeVar("K")
V = TypeVar("V")


# --- values between the file and the settings -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskSection:
    """As written: secrets are still names of files."""

    name: str = "pbx"
    host: str = "127.0.0.1"
    ami_port: int = 5038
    ami_user: str = "ccserver"
    ami_secret_file: Path
    agi_host: str = "127.0.0.1"
    agi_port: int = 4573
    agi_secret_file: Path
    prompts_dir: Path
    prompts_local_dir: Path
    trunk_endpoint: str = "carrier"
    overflow_context: str = "cc-overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSection:
    url: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageSection:
    skill: SkillId | None = None
    voice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSection:
    name: str
    skills: Mapping[SkillId, int]
    pin_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSection:
    endpoint: str = "PJSIP/{number}"
    auto_answer: bool = False


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSection:
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All of the file, as far as it could be read."""

    country: str
    asterisk: AsteriskSection | None
    dialplan: DialplanEdge
    database: DatabaseSection
    recording: RecordingEdge | None
    metrics: MetricsEdge
    api: ApiSection | None
    webhooks: Mapping[str, WebhookSection]
    log: LogSection
    state_dir: Path
    control_socket: Path
    default_language: Language
    languages: Mapping[Language, LanguageSection]
    skills: Mapping[SkillId, str]
    agents: Mapping[AgentId, AgentSection]
    phones: Mapping[kinds.Numbers, PhoneSection]
    hours: Mapping[HoursId, OpeningHours]
    reasons: Mapping[ReasonId, ReasonSettings]
    dispositions: Mapping[DispositionId, DispositionSettings]
    queues: Mapping[QueueId, QueueSettings]
    flows: Mapping[FlowId, Flow]
    dids: Mapping[str, DidSettings]
    prompts: Mapping[PromptId, Mapping[Language, PromptSource]]
    offers: OfferRules | None
    features: FeatureCodes
    limits: Limits


# --- small words ------------------------------------------------------------------------------------------------------
def _named(noun: str) -> str:
    return f"a name for {noun}"


def _country(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        hint = "write GB" if text.upper() == "UK" else "two capital letters, for example ES"
        raise ValueError(f"write {text.upper()}" if text.upper() in phonenumbers.SUPPORTED_REGIONS else hint)
    return text


_secret_file = FilePath("the path of a file that holds the secret")
_word = Text("a word of letters, digits, _ . -", str, r"[A-Za-z0-9_.-]{1,40}", 40)
_asterisk_prompt = Text("a sound of Asterisk, without ending (several joined by &)", str, r"[A-Za-z0-9_./+&-]{1,200}", 200)
_skill = Reference("a skill", ("skills",), SkillId)
_disposition = Reference("a disposition", ("dispositions",), DispositionId)
_language = Reference("a language", ("languages",), Language)
_seconds_of_a_day = whole(1, 86400, "30")
_feature = Text("a code of 1 to 4 digits, without the *", str, r"[0-9]{1,4}", 8, "11")
_secret_hint = "secrets are never written here: name a file with {}_file"


# --- the PBX and the machine ------------------------------------------------------------------------------------------
class OneAsterisk(Group[AsteriskSection]):
    """The section `asterisk`; a list or a table of several gets an answer of its own."""

    def read(self, reader: Reader, node: Node, path: PathInFile) -> AsteriskSection | None:
        """Refuses a second PBX: calls cannot be bridged from one to another yet."""
        several = 0
        if isinstance(node, Table) and node.entries and all(isinstance(value, Table) for _, value in node.entries.values()):
            several = len(node.entries)
        elif not isinstance(node, Table | Scalar):
            several = len(node.items)
        if several > 1:
            reader.tell(
                path, f"expected one Asterisk, got {several} (calls cannot go from one to another yet; keep one)", node.mark
            )
            return None
        return super().read(reader, node, path)


asterisk = OneAsterisk(
    "asterisk",
    AsteriskSection,
    [
        Field(
            "name",
            Text("a short name of letters and digits", str, r"[a-z][a-z0-9]{0,15}", 16, "pbx"),
            "The PBX's name in logs and channel ids.",
        ),
        Field("host", kinds.host, "Where Asterisk's manager interface (AMI) listens."),
        Field("ami_port", kinds.port, "The port of AMI."),
        Field("ami_user", _word, "The manager account, as in ccserver-manager.conf."),
        Field("ami_secret_file", _secret_file, "A file with the manager account's secret, readable by ccserver only."),
        Field("agi_host", kinds.address, "The address at which Asterisk reaches us by FastAGI. Keep it on loopback."),
        Field("agi_port", kinds.port, "The port of FastAGI."),
        Field("agi_secret_file", _secret_file, "A file with the word that is part of the FastAGI address in the dialplan."),
        Field("prompts_dir", kinds.asterisk_dir, "The folder of our prompts, as Asterisk sees it."),
        Field("prompts_local_dir", kinds.local_dir, "The same folder as ccserver sees it; it writes the spoken prompts there."),
        Field("trunk_endpoint", _word, "The PJSIP endpoint of outside lines."),
        Field("overflow_context", _word, "The dialplan context in which `extension` exits are dialled."),
    ],
    wrong={
        "ami_secret": _secret_hint.format("ami_secret"),
        "secret": _secret_hint.format("ami_secret"),
        "password": _secret_hint.format("ami_secret"),
        "agi_secret": _secret_hint.format("agi_secret"),
    },
)

dialplan = Group(
    "dialplan",
    DialplanEdge,
    [
        Field(
            "emergency_numbers",
            ListOf(Text("digits", str, r"[0-9]{2,15}", 15, '"112"'), 20),
            "Dialled by the dialplan alone, whatever the state of ccserver.",
        ),
        Field(
            "internal_patterns",
            ListOf(Text("digits and X, Z, N", str, r"[0-9XZN]{2,15}", 15, '"1XXX"'), 20),
            "Extensions that phones may call directly.",
        ),
        Field(
            "outside_prefix", Text("1 to 4 of 0-9 * #", str, r"[0-9*#]{1,4}", 4, '"0"'), "Dialled first for an outside line."
        ),
        Field("fallback_after_s", _seconds_of_a_day, "So long callers hear music while ccserver is away; then the fallback."),
        Field("fallback_prompt", _asterisk_prompt, "Said in the fallback."),
        Field("unavailable_prompt", _asterisk_prompt, "Said when a feature code is dialled while ccserver is away."),
        Field("ring_phone_s", _seconds_of_a_day, "How long a direct call from phone to phone rings."),
        Field("qualify_s", whole(0, 86400, "30"), "How often phones are asked whether they are there; 0 is never."),
        Field("rtp_timeout_s", _seconds_of_a_day, "A talk without audio for so long is over."),
        Field("rtp_timeout_hold_s", _seconds_of_a_day, "The same while on hold."),
        Field("session_expires_s", whole(90, 86400, "1800"), "SIP session timer: finds lines that vanished."),
    ],
)

database = Group(
    "database",
    DatabaseSection,
    [
        Field(
            "url",
            Text(
                "a database URL",
                str,
                r"sqlite:////[^?#]+|postgresql\+psycopg://[^\s]+",
                300,
                hint="sqlite:////var/lib/ccserver/ccserver.db or postgresql+psycopg://ccserver@dbhost/ccserver",
                is_secret=True,  # it may hold a password
            ),
            "The database of the history. Without it, an SQLite file in `state_dir`.",
        ),
        Field("password_file", _secret_file, "A file with the database's password. Without it, none is sent."),
    ],
    wrong={"password": "secrets are never written here: name a file with password_file"},
)

recording = Group(
    "recording",
    RecordingEdge,
    [
        Field("asterisk_dir", kinds.asterisk_dir, "The folder for recordings, as Asterisk sees it."),
        Field("local_dir", kinds.local_dir, "The same folder as ccserver sees it."),
    ],
)

metrics = Group(
    "metrics",
    MetricsEdge,
    [
        Field("address", kinds.address, "Where /metrics listens. Keep it on loopback or a management network."),
        Field("port", kinds.port, "Its port."),
    ],
)

log = Group("log", LogSection, [Field("level", Choice(LogLevel), "How much is logged.")])

# --- people and what they share ---------------------------------------------------------------------------------------
language = Group(
    "a language",
    LanguageSection,
    [
        Field("skill", _skill, "The skill an agent needs for callers who chose this language; without it none."),
        Field(
            "voice",
            Text("a voice of espeak-ng", str, r"[a-z]{2,3}[A-Za-z0-9+_-]{0,30}", 34, "en-us"),
            "The voice of spoken texts; without it the language's own.",
        ),
    ],
)
agent = Group(
    "an agent",
    AgentSection,
    [
        Field("name", shown_name("a person's name"), "Shown in lists."),
        Field(
            "skills",
            MapOf(_skill, whole(1, 100, "50"), "skills with levels", 100),
            "The agent's skills, each with a level from 1 to 100.",
            hint="for example {sales: 50}",
            fallback={},
        ),
        Field("pin_hash", kinds.pin_hash, "The hashed PIN, made by `ccserver agent hash-pin`. Without it no login by phone."),
    ],
    wrong={
        "pin": "PINs are never written in plain text: put the line of ccserver agent hash-pin under pin_hash",
        "password": "put the line of ccserver agent hash-pin under pin_hash",
    },
)
phone = Group(
    "a phone",
    PhoneSection,
    [
        Field(
            "endpoint",
            Text("a PJSIP endpoint", str, r"PJSIP/([A-Za-z0-9_.-]|\{number\}){1,60}", 70, "PJSIP/1001"),
            "What Asterisk dials; {number} stands for the extension.",
        ),
        Field("auto_answer", Flag(), "Whether the phone is told to answer by itself."),
    ],
)
reason = Group(
    "a reason",
    ReasonSettings,
    [
        Field("code", kinds.code, "Typed after the not-ready code."),
        Field("name", shown_name("a reason's name"), "Shown in lists and reports."),
    ],
)
disposition = Group(
    "a disposition",
    DispositionSettings,
    [
        Field("code", kinds.code, "Typed during wrap-up."),
        Field("name", shown_name("a disposition's name"), "Shown in lists and reports."),
    ],
)

# --- queues, flows, numbers -------------------------------------------------------------------------------------------
queue = Group(
    "a queue",
    QueueSettings,
    [
        Field("name", shown_name("a queue's name"), "Shown on the agent's phone."),
        Field("skills", ListOf(_skill, 20), "The skills an agent needs, all of them.", hint="for example [sales]", fallback=()),
        Field("strategy", Choice(Strategy), "Who is next: the agent who is idle longest."),
        Field(
            "hours",
            Reference("opening hours", ("hours",), HoursId),
            "When the queue takes calls; without it always.",
        ),
        Field("music", _word, "The class of music on hold."),
        Field("ring_timeout_s", duration(1, 300, "20"), "How long one agent's phone rings."),
        Field("wrap_up_s", duration(0, 3600, "30"), "Time after a call before the agent is ready again; 0 is none."),
        Field("service_level_s", duration(1, 3600, "20"), "An answer within this time counts as in time."),
        Field("short_abandon_s", duration(0, 300, "5"), "Callers who leave sooner are counted apart."),
        Field("max_waiting", whole(1, 10_000, "50"), "More callers leave by `on_full`; without it there is no limit."),
        Field("max_wait_s", duration(1, 86400, "600"), "Who waits longer leaves by `on_max_wait`; without it nobody does."),
        Field("max_talk_s", duration(10, 86400, "14400"), "A talk is ended after this time."),
        Field(
            "announce_position_every_s",
            duration(5, 3600, "60"),
            "How often waiting callers hear their position; without it never.",
        ),
        Field("on_full", kinds.queue_exit, "Where a caller goes when `max_waiting` others wait; without it hung up."),
        Field("on_max_wait", kinds.queue_exit, "Where a caller goes after `max_wait_s`; without it hung up."),
        Field("on_closed", kinds.queue_exit, "Where a caller goes outside the `hours`; without it hung up."),
        Field("on_unstaffed", kinds.queue_exit, "Where a caller goes when nobody is logged in; without it callers wait."),
        Field("record", Flag(), "Whether talks are recorded (if there is a section `recording`)."),
        Field("dispositions", ListOf(_disposition, 50), "What agents may enter in wrap-up; without it nothing is asked."),
    ],
)
flow = Group(
    "a flow",
    Flow,
    [
        Field("start", kinds.node_name, "The first node."),
        Field(
            "nodes",
            MapOf(Text(_named("a node"), NodeId, NAME_PATTERN, 40, hint=NAME_HINT), kinds.flow_node, "nodes", 500, 1),
            "The nodes by name.",
        ),
    ],
)
did = Group(
    "a called number",
    DidSettings,
    [
        Field("flow", Reference("a flow", ("flows",), FlowId), "The flow it starts."),
        Field("answer", Choice(AnswerPolicy), "When the call is picked up (and billed)."),
        Field("language", _language, "Spoken until the flow chooses another.", hint="for example en"),
    ],
)

# --- rules ------------------------------------------------------------------------------------------------------------
offers = Group(
    "offers",
    OfferRules,
    [
        Field(
            "missed_before_not_ready",
            whole(0, 100, "2"),
            "Offers not taken in a row until the agent is set not ready; 0 is never.",
        ),
        Field("missed_back_off_s", duration(0, 3600, "5"), "How long an agent who did not answer is spared."),
        Field("rejected_back_off_s", duration(0, 3600, "10"), "The same after rejecting."),
        Field("busy_back_off_s", duration(0, 3600, "10"), "The same when the phone was busy."),
        Field(
            "missed_reason",
            Reference("a reason", ("reasons",), ReasonId),
            "The reason shown when the system set the agent not ready.",
            hint="name one of the reasons",
        ),
    ],
)
features = Group(
    "features",
    FeatureCodes,
    [
        Field("login", _feature, "Log in."),
        Field("logout", _feature, "Log out."),
        Field("not_ready", _feature, "Not ready; the reason's code follows."),
        Field("ready", _feature, "Ready."),
        Field("end_wrap_up", _feature, "End the wrap-up."),
        Field("state", _feature, "Hear the own state."),
        Field("disposition", _feature, "Enter a disposition; its code follows."),
    ],
)
limits = Group(
    "limits",
    Limits,
    [
        Field("max_pin_tries", whole(1, 20, "3"), "Wrong PINs in a row before the account is locked."),
        Field("pin_lock_s", duration(1, 86400, "300"), "For how long."),
        Field("menu_steps_max", whole(10, 10_000, "200"), "A call that went through so many nodes is released."),
    ],
)


def _table(noun: str, example: str, make: Callable[[str], K], of: Kind[V], plural: str, **bounds: int) -> MapOf[K, V]:
    return MapOf(Text(_named(noun), make, NAME_PATTERN, 40, hint=f"{NAME_HINT}, for example {example}"), of, plural, **bounds)


top = Group(
    "the settings",
    Document,
    [
        Field(
            "country",
            Text("a country code", _country, r"[A-Za-z]{2}", 2, "ES", hint="two capital letters, for example ES"),
            "How national telephone numbers are read (ISO 3166).",
            hint="two capital letters, for example ES",
            fallback="",
        ),
        Field("asterisk", asterisk, "The PBX.", fallback=None),
        Field("dialplan", dialplan, "What `ccserver asterisk render` puts into the dialplan.", default=DialplanEdge()),
        Field("database", database, "Where history is kept.", default=DatabaseSection()),
        Field("recording", recording, "Where recordings are; without it nothing is recorded.", default=None),
        Field("metrics", metrics, "For Prometheus.", default=MetricsEdge()),
        Field("api", api, "The event stream for other systems; without it there is none.", default=None),
        Field(
            "webhooks",
            _table("a webhook", "crm", str, webhook, "webhooks", max_items=20),
            "Addresses that are told what happens.",
            default={},
        ),
        Field("log", log, "What is logged.", default=LogSection()),
        Field("state_dir", FilePath("a folder"), "Where ccserver keeps its journal.", default=Path("/var/lib/ccserver")),
        Field(
            "control_socket",
            FilePath("the path of a socket"),
            "Where the commands reach the daemon.",
            default=Path("/run/ccserver/control.sock"),
        ),
        Field("default_language", _language, "Spoken when nothing else was chosen.", hint="for example en", fallback=""),
        Field(
            "languages",
            MapOf(Text("a language", Language, kinds.LANGUAGE_PATTERN, 6, "en"), language, "languages", 50, 1),
            "The languages spoken here.",
            hint="for example languages: {en: {}}",
            fallback={},
        ),
        Field(
            "skills",
            _table("a skill", "sales", SkillId, shown_name("a skill's name"), "skills", max_items=500),
            "What agents can do: a name for people by the name used here.",
            default={},
        ),
        Field(
            "agents",
            MapOf(Text("an agent's number", AgentId, r"[0-9]{1,8}", 8, "101"), agent, "agents", 5000),
            "The agents by number; the number is typed to log in.",
            default={},
        ),
        Field(
            "phones",
            MapOf(kinds.phone_numbers, phone, "phones", 5000),
            "The phones by extension or span of extensions.",
            default={},
        ),
        Field(
            "hours",
            _table("opening hours", "office", HoursId, kinds.hours, "opening hours", max_items=200),
            "Opening hours.",
            default={},
        ),
        Field(
            "reasons",
            _table("a reason", "lunch", ReasonId, reason, "reasons", max_items=200, min_items=1),
            "Why agents are not ready.",
            hint="at least one, for example reasons: {missed: {code: 9, name: Missed calls}}",
            fallback={},
        ),
        Field(
            "dispositions",
            _table("a disposition", "sold", DispositionId, disposition, "dispositions", max_items=500),
            "How calls can end for the agent.",
            default={},
        ),
        Field("queues", _table("a queue", "sales", QueueId, queue, "queues", max_items=500), "The queues.", default={}),
        Field("flows", _table("a flow", "main", FlowId, flow, "flows", max_items=500), "What callers go through.", default={}),
        Field(
            "dids",
            MapOf(
                Text('a telephone number, or "*" for all others', str, r"\+?[0-9]{2,20}|\*", 21, '"+34910000001"'),
                did,
                "numbers",
            ),
            'The numbers called from outside, as the trunk delivers them; "*" takes all others.',
            default={},
        ),
        Field(
            "prompts",
            _table(
                "a prompt",
                "welcome",
                PromptId,
                MapOf(Text("a language", Language, kinds.LANGUAGE_PATTERN, 6, "en"), kinds.SpokenText(), "languages", 50),
                "prompts",
                max_items=5000,
            ),
            "What is said, by name and language. A name of the system's (cc-…) replaces its text.",
            default={},
        ),
        Field("offers", offers, "What happens to agents who do not take a call.", hint="it needs missed_reason", fallback=None),
        Field("features", features, "What agents dial, after the *.", default=FeatureCodes()),
        Field("limits", limits, "Limits.", default=Limits()),
    ],
    wrong={"extends": "it stands only in the first file"},
)

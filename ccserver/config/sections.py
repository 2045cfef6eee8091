"""What can be written in `ccserver.yaml`: the one description of all its keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

import phonenumbers

from ccserver.config import flows, kinds, opening, people, queues, requirements, ways
from ccserver.config.conference_section import ConferenceSection, conference
from ccserver.config.dialing_sections import (
    CallerIdSection,
    CampaignSection,
    DialingSection,
    caller_ids,
    campaigns,
    dialing,
    trunks,
)
from ccserver.config.edges import DialplanEdge, MetricsEdge, PromptSource
from ccserver.config.kinds import NAME_HINT, NAME_PATTERN, duration, shown_name, whole
from ccserver.config.look_up_sections import LookUpDatabaseSection, LookUpSection
from ccserver.config.look_up_sections import database as look_up_database
from ccserver.config.look_up_sections import look_up as look_up_kind
from ccserver.config.people import AgentSection, LanguageSection, PhoneSection, SupervisionSection
from ccserver.config.positions import Node, PathInFile, Scalar, Table
from ccserver.config.privacy_section import PrivacySection, privacy
from ccserver.config.recording_policy import policy as recording_policy
from ccserver.config.recording_section import RecordingSection, recording
from ccserver.config.schema import Choice, Field, FilePath, Flag, Group, Kind, ListOf, MapOf, Reader, Text
from ccserver.config.speech_section import SpeechSection, speech
from ccserver.config.web_sections import ApiSection, WebhookSection, api, webhook
from ccserver.core.dialer.settings import TrunkSettings
from ccserver.core.ids import (
    AgentId,
    CampaignId,
    ClassOfServiceId,
    DispositionId,
    FlowId,
    HoursId,
    Language,
    LookUpId,
    PromptId,
    QueueId,
    ReasonId,
    RoleId,
    RoomId,
    SkillId,
    TrunkId,
)
from ccserver.core.settings import (
    DIRECT,
    AgentRules,
    AnswerPolicy,
    CallerRules,
    CallKeys,
    ClassOfService,
    DidSettings,
    DispositionSettings,
    FeatureCodes,
    Flow,
    Limits,
    OfferRules,
    OpeningHours,
    QueueSettings,
    ReasonSettings,
    RecordablePrompt,
    RoleSettings,
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
    recording: RecordingSection | None
    privacy: PrivacySection | None
    metrics: MetricsEdge
    api: ApiSection | None
    webhooks: Mapping[str, WebhookSection]
    log: LogSection
    state_dir: Path
    control_socket: Path
    scripts_dir: Path | None
    default_language: Language
    languages: Mapping[Language, LanguageSection]
    speech: SpeechSection
    skills: Mapping[SkillId, str]
    agents: Mapping[AgentId, AgentSection]
    phones: Mapping[kinds.Numbers, PhoneSection]
    hours: Mapping[HoursId, OpeningHours]
    reasons: Mapping[ReasonId, ReasonSettings]
    dispositions: Mapping[DispositionId, DispositionSettings]
    queues: Mapping[QueueId, QueueSettings]
    direct_calls: QueueSettings | None
    flows: Mapping[FlowId, Flow]
    look_ups: Mapping[LookUpId, LookUpSection]
    databases: Mapping[str, LookUpDatabaseSection]
    dids: Mapping[str, DidSettings]
    prompts: Mapping[PromptId, Mapping[Language, PromptSource]]
    offers: OfferRules | None
    agent_rules: AgentRules
    features: FeatureCodes
    keys: CallKeys
    callers: CallerRules
    customers_file: Path | None
    classes_of_service: Mapping[ClassOfServiceId, ClassOfService]
    roles: Mapping[RoleId, RoleSettings]
    supervision: SupervisionSection
    capacity: Mapping[str, int]
    combined_capacity: int
    timezone: str
    priority_step_s: float
    sendable_flows: Mapping[str, FlowId]
    recordable_prompts: Mapping[str, RecordablePrompt]
    conferences: Mapping[RoomId, ConferenceSection]
    dialing: DialingSection | None
    campaigns: Mapping[CampaignId, CampaignSection]
    trunks: Mapping[TrunkId, TrunkSettings]
    caller_ids: Mapping[str, CallerIdSection]
    limits: Limits


# --- small words ------------------------------------------------------------------------------------------------------
def _named(noun: str) -> str:
    return f"a name for {noun}"


def _country(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        hint = "write GB" if text.upper() == "UK" else "two capital letters, for example ES"
        raise ValueError(f"write {text.upper()}" if text.upper() in phonenumbers.SUPPORTED_REGIONS else hint)
    return text


def _skill_name(text: str) -> SkillId:
    if text in requirements.WORDS:
        raise ValueError("choose another: it is a word of conditions")
    return SkillId(text)


def _queue_name(text: str) -> QueueId:
    if text == DIRECT:
        raise ValueError("choose another: it is the queue of the section direct_calls")
    return QueueId(text)


_secret_file = FilePath("the path of a file that holds the secret")
_asterisk_prompt = Text("a sound of Asterisk, without ending (several joined by &)", str, r"[A-Za-z0-9_./+&-]{1,200}", 200)
_seconds_of_a_day = whole(1, 86400, "30")
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
        Field("ami_user", kinds.word, "The manager account, as in ccserver-manager.conf."),
        Field("ami_secret_file", _secret_file, "A file with the manager account's secret, readable by ccserver only."),
        Field("agi_host", kinds.address, "The address at which Asterisk reaches us by FastAGI. Keep it on loopback."),
        Field("agi_port", kinds.port, "The port of FastAGI."),
        Field("agi_secret_file", _secret_file, "A file with the word that is part of the FastAGI address in the dialplan."),
        Field("prompts_dir", kinds.asterisk_dir, "The folder of our prompts, as Asterisk sees it."),
        Field("prompts_local_dir", kinds.local_dir, "The same folder as ccserver sees it; it writes the spoken prompts there."),
        Field("trunk_endpoint", kinds.word, "The PJSIP endpoint of outside lines."),
        Field("overflow_context", kinds.word, "The dialplan context in which `extension` exits are dialled."),
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
        Field("outside_without_daemon", Flag(), "Whether phones may call outside while ccserver is away and cannot be asked."),
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

metrics = Group(
    "metrics",
    MetricsEdge,
    [
        Field("address", kinds.address, "Where /metrics listens. Keep it on loopback or a management network."),
        Field("port", kinds.port, "Its port."),
    ],
)

log = Group("log", LogSection, [Field("level", Choice(LogLevel), "How much is logged.")])

# --- flows, numbers, limits -------------------------------------------------------------------------------------------
did = Group(
    "a called number",
    DidSettings,
    [
        Field("flow", kinds.flow, "The flow it starts."),
        Field("answer", Choice(AnswerPolicy), "When the call is picked up (and billed)."),
        Field("language", kinds.language, "Spoken until the flow chooses another.", hint="for example en"),
        Field("requires", ways.requirement, "Required of the agent, beside the queue's conditions."),
        Field("priority", ways.priority, "The priority of these calls; without it the queue's."),
        Field("record", recording_policy, "Which of these calls are recorded; without it as the queue says.", default=None),
        Field("hours", kinds.hours_name, "The hours that a node with `hours: {did: true}` goes by; without it always open."),
    ],
)
recordable_prompt = Group(
    "a recordable prompt",
    RecordablePrompt,
    [
        Field("prompt", kinds.prompt, "The prompt that is recorded."),
        Field("language", kinds.language, "In this language.", hint="for example en"),
    ],
)
limits = Group(
    "limits",
    Limits,
    [
        Field("max_pin_tries", whole(1, 20, "3"), "Wrong PINs in a row before the account is locked."),
        Field("pin_lock_s", duration(1, 86400, "300"), "For how long."),
        Field("menu_steps_max", whole(10, 10_000, "200"), "A call that went through so many nodes is released."),
        Field("hops_max", whole(1, 50, "5"), "A call is handed through so many queues at most."),
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
        Field("timezone", kinds.zone, "The site's time zone: where a new day begins in the agents' figures.", default="UTC"),
        Field("asterisk", asterisk, "The PBX.", fallback=None),
        Field("dialplan", dialplan, "What `ccserver asterisk render` puts into the dialplan.", default=DialplanEdge()),
        Field("database", database, "Where history is kept.", default=DatabaseSection()),
        Field("recording", recording, "Where recordings are; without it nothing is recorded.", default=None),
        Field(
            "privacy",
            privacy,
            "Sealing of what identifies people; without it everything stays readable, and nothing is forgotten by its age.",
            default=None,
        ),
        Field("metrics", metrics, "For Prometheus.", default=MetricsEdge()),
        Field("api", api, "The event stream, and acts on calls, for other systems; without it there are none.", default=None),
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
        Field(
            "scripts_dir",
            FilePath("a folder"),
            "The folder of Python functions for `script` nodes and look-ups by `python`. They run with the rights of ccserver, so "
            "nobody else may write it. A relative path starts at the folder of this file. Without it there are none.",
            default=None,
        ),
        Field("default_language", kinds.language, "Spoken when nothing else was chosen.", hint="for example en", fallback=""),
        Field(
            "languages",
            MapOf(Text("a language", Language, kinds.LANGUAGE_PATTERN, 6, "en"), people.language, "languages", 50, 1),
            "The languages spoken here.",
            hint="for example languages: {en: {}}",
            fallback={},
        ),
        Field("speech", speech, "What makes sound of texts, numbers and dates.", default=SpeechSection()),
        Field(
            "skills",
            _table("a skill", "sales", _skill_name, shown_name("a skill's name"), "skills", max_items=500),
            "What agents can do: a name for people by the name used here.",
            default={},
        ),
        Field(
            "agents",
            MapOf(Text("an agent's number", AgentId, r"[0-9]{1,8}", 8, "101"), people.agent, "agents", 5000),
            "The agents by number; the number is typed to log in.",
            default={},
        ),
        Field(
            "phones",
            MapOf(kinds.phone_numbers, people.phone, "phones", 5000),
            "The phones by extension or span of extensions.",
            default={},
        ),
        Field(
            "hours",
            _table("opening hours", "office", HoursId, opening.hours, "opening hours", max_items=200),
            "Opening hours.",
            default={},
        ),
        Field(
            "reasons",
            _table("a reason", "lunch", ReasonId, people.reason, "reasons", max_items=200, min_items=1),
            "Why agents are not ready.",
            hint="at least one, for example reasons: {missed: {code: 9, name: Missed calls}}",
            fallback={},
        ),
        Field(
            "dispositions",
            _table("a disposition", "sold", DispositionId, people.disposition, "dispositions", max_items=500),
            "How calls can end for the agent.",
            default={},
        ),
        Field(
            "queues", _table("a queue", "sales", _queue_name, queues.queue, "queues", max_items=500), "The queues.", default={}
        ),
        Field(
            "direct_calls",
            queues.direct_calls,
            "The rules of calls to one agent: by a flow, an exit, a transfer or a colleague. Without it there are none.",
            default=None,
        ),
        Field(
            "flows",
            _table("a flow", "main", FlowId, flows.flow, "flows", max_items=500),
            "What callers go through.",
            default={},
        ),
        Field(
            "look_ups",
            _table("a look-up", "orders", LookUpId, look_up_kind, "look-ups", max_items=200),
            "The outside systems that flows may ask.",
            default={},
        ),
        Field(
            "databases",
            _table("a database", "shop", str, look_up_database, "databases", max_items=20),
            "The databases that look-ups read.",
            default={},
        ),
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
        Field(
            "sendable_flows",
            MapOf(kinds.code, kinds.flow, "flows by code", 100),
            "The flows agents can send a customer into, by the code typed after the key.",
            default={},
        ),
        Field(
            "recordable_prompts",
            MapOf(kinds.code, recordable_prompt, "prompts by code", 200),
            "The prompts that supervisors record from a phone, by the code typed after `*52`.",
            default={},
        ),
        Field(
            "conferences",
            _table("a conference", "monday", RoomId, conference, "conferences", max_items=500),
            "Rooms that agents dial into, and callers are led into by a node `conference`.",
            default={},
        ),
        Field(
            "dialing",
            dialing,
            "Outbound calls: the rules that every one must keep. Without it those of the preset of `country`.",
            default=None,
        ),
        Field(
            "campaigns",
            campaigns,
            "Who is called, how and when.",
            default={},
        ),
        Field("trunks", trunks, "The ways outside that campaigns use.", default={}),
        Field("caller_ids", caller_ids, "The numbers of ours that callees see.", default={}),
        Field("callers", people.callers, "What is done with certain callers.", default=CallerRules(marks={})),
        Field(
            "customers_file",
            FilePath("a file with customers"),
            "What is known of customers: lines of number,name,owner,language,requires,priority. A relative path starts at "
            "the folder of this file.",
            default=None,
        ),
        Field(
            "classes_of_service",
            _table(
                "a class of service", "office", ClassOfServiceId, people.class_of_service, "classes of service", max_items=100
            ),
            "What agents may call and transfer to.",
            default={},
        ),
        Field(
            "roles",
            _table("a role", "lead", RoleId, people.role, "roles", max_items=100),
            "What agents may do to the talks of others: listen, whisper, barge, take over.",
            default={},
        ),
        Field("supervision", people.supervision, "Who is told of it.", default=SupervisionSection()),
        Field(
            "priority_step_s", duration(0, 3600, "60"), "What a step of priority is worth in seconds of waiting.", default=60.0
        ),
        Field(
            "capacity",
            people.capacity,
            "How many interactions of each kind an agent has at once; a kind that is not named: none.",
            default={"voice": 1},
        ),
        Field("combined_capacity", whole(1, 100, "1"), "How many of all kinds together.", default=1),
        Field(
            "offers",
            people.offers,
            "What happens to agents who do not take a call.",
            hint="it needs missed_reason",
            fallback=None,
        ),
        Field("agent_rules", people.agent_rules, "How agents work.", default=AgentRules()),
        Field("features", people.features, "What agents dial, after the *.", default=FeatureCodes()),
        Field("keys", people.keys, "What agents type during a call.", default=CallKeys()),
        Field("limits", limits, "Limits.", default=Limits()),
    ],
    wrong={"extends": "it stands only in the first file"},
)

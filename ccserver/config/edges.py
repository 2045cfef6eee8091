"""What only the edges need: addresses, secrets, folders, PIN hashes, the sources of prompts.

Values are checked when they exist. Secrets come from files of their own and are left out of every `repr`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ccserver.config.key_files import MasterKey
from ccserver.config.look_up_edges import AnyLookUp, LookUpDatabase
from ccserver.core.ids import AgentId, Language, LookUpId, PromptId, QueueId, RoomId
from ccserver.core.records import NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskEdge:
    """How to reach the PBX, and where it reaches us. `prompts_dir` is a folder as Asterisk sees it, `prompts_local_dir` the
    same one as we see it; each prompt is `<folder>/<language>/<prompt>.wav`."""

    pbx: str
    host: str
    ami_port: int
    ami_user: str
    ami_secret: str = field(repr=False)
    agi_host: str
    agi_port: int
    agi_secret: str = field(repr=False)
    prompts_dir: Path
    prompts_local_dir: Path
    trunk_endpoint: str
    country: str
    overflow_context: str = "cc-overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialplanEdge:
    """What goes into the rendered dialplan and Asterisk files; durations in seconds."""

    emergency_numbers: tuple[str, ...] = ("112",)
    internal_patterns: tuple[str, ...] = ("1XXX",)
    outside_prefix: str = "0"
    outside_without_daemon: bool = False
    """Whether phones may call outside while ccserver is away, and nobody can say which of them may."""
    fallback_after_s: int = 120
    fallback_prompt: str = "im-sorry&please-try-call-later"
    unavailable_prompt: str = "im-sorry&please-try-call-later"
    ring_phone_s: int = 30
    qualify_s: int = 30
    rtp_timeout_s: int = 30
    rtp_timeout_hold_s: int = 3600
    session_expires_s: int = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseEdge:
    """`url` is SQLAlchemy's; it may hold a password."""

    url: str = field(repr=False)


class RecordingFormat(Enum):
    AUTO = "auto"
    OPUS = "opus"
    FLAC = "flac"
    WAV = "wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEdge:
    """The folder of the recordings, as Asterisk writes it and as we read it; and what is made of them after the call.

    `key` None: they are not sealed. `retention_days` None: nothing is deleted by its age. `nice` and `at_once` bound the work.
    """

    asterisk_dir: Path
    local_dir: Path
    format: RecordingFormat = RecordingFormat.AUTO
    key: MasterKey | None = None
    old_keys: tuple[MasterKey, ...] = ()
    retention_days: int | None = None
    queue_retention_days: Mapping[QueueId, int] = field(default_factory=dict)
    nice: int = 10
    at_once: int = 1

    @property
    def keys(self) -> dict[str, bytes]:
        """All master keys by id."""
        return {each.id: each.secret for each in (*([self.key] if self.key else []), *self.old_keys)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyEdge:
    """`key` None: what identifies people is not sealed."""

    key: MasterKey | None = None
    old_keys: tuple[MasterKey, ...] = ()
    journal_days: int = 7
    notice_days: int = 30
    backup_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsEdge:
    """Where `/metrics` listens."""

    address: str = "127.0.0.1"
    port: int = 9318


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEdge:
    """Where the API listens."""

    address: str
    port: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEdge:
    """An address that is told what happens. `kinds` empty: everything."""

    name: str
    url: str
    secret: str = field(repr=False)
    kinds: tuple[NoticeKind, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSource:
    """One prompt in one language: a recorded file, or a text to be spoken. `voice` is the speech engine's name, "" for the
    language's own. The file wins."""

    text: str = ""
    file: Path | None = None
    voice: str = ""


PromptLibrary = Mapping[PromptId, Mapping[Language, PromptSource]]


class EngineKind(Enum):
    """What speaks texts and values."""

    ESPEAK_NG = "espeak-ng"
    COMMAND = "command"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEdge:
    """`command` (words with {voice}, {language}, {file}) and `url` are for the engines of that name; `token` "": none is sent."""

    engine: EngineKind = EngineKind.ESPEAK_NG
    command: tuple[str, ...] = ()
    url: str = ""
    token: str = field(default="", repr=False)
    timeout_s: float = 20.0


class NumbersBy(Enum):
    """Who says digits, numbers and spelled words in a language."""

    SPEECH = "speech"  # the engine, and the site's own recordings
    ASTERISK = "asterisk"  # its SAY commands, with the sounds that it has


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    asterisk: AsteriskEdge
    dialplan: DialplanEdge
    database: DatabaseEdge
    recording: RecordingEdge | None
    """None: nothing is recorded."""
    metrics: MetricsEdge
    state_dir: Path
    control_socket: Path
    pin_hashes: Mapping[AgentId, str] = field(repr=False)
    room_pins: Mapping[RoomId, Mapping[str, str]] = field(repr=False, default_factory=dict)
    """Of conferences: hashes by grade, `member` and `moderator`."""
    """`scrypt$n$r$p$salt$hash` by agent; an agent without one cannot log in by phone."""
    prompts: PromptLibrary = field(repr=False)
    """All prompts of the site and of the system, in all spoken languages."""
    voices: Mapping[Language, str]
    """The engine's voice for each spoken language; "" for the one that is called as the language is."""
    speech: SpeechEdge = SpeechEdge()
    numbers: Mapping[Language, NumbersBy] = field(default_factory=dict)
    """A language that is not named: by the speech engine."""
    log_level: str = "info"
    privacy: PrivacyEdge | None = None
    """None: nothing is sealed, and nothing forgotten by its age."""
    api: ApiEdge | None = None
    webhooks: tuple[WebhookEdge, ...] = ()
    look_ups: Mapping[LookUpId, AnyLookUp] = field(default_factory=dict)
    databases: Mapping[str, LookUpDatabase] = field(default_factory=dict)
    scripts_dir: Path | None = None
    """The administrator's Python functions; None: there are none."""

"""The section `recording`: where recordings are, how they are kept after the call, and for how long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ccserver.config import kinds
from ccserver.config.edges import RecordingEdge, RecordingFormat
from ccserver.config.key_files import MasterKey
from ccserver.config.kinds import whole
from ccserver.config.recording_policy import policy
from ccserver.config.schema import Choice, Field, FilePath, Flag, Group, ListOf, MapOf
from ccserver.core.ids import QueueId
from ccserver.core.recording_policy import RecordingPolicy
from ccserver.core.settings import RecordingRules

DAYS_MAX = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSection:
    nice: int = 10
    at_once: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSection:
    """As written: keys are still names of files."""

    asterisk_dir: Path
    local_dir: Path
    format: RecordingFormat = RecordingFormat.AUTO
    key_file: Path | None = None
    old_key_files: tuple[Path, ...] = ()
    retention_days: int | None = None
    queue_retention_days: Mapping[QueueId, int] = field(default_factory=dict)
    work: WorkSection = WorkSection()
    inbound: RecordingPolicy | None = None
    outbound: RecordingPolicy | None = None
    consultations: bool = False

    @property
    def rules(self) -> RecordingRules:
        """What the core goes by."""
        return RecordingRules(inbound=self.inbound, outbound=self.outbound, consultations=self.consultations)


_key_file = FilePath("the path of a key file")

work = Group(
    "recording.work",
    WorkSection,
    [
        Field(
            "nice",
            whole(0, 19, "10"),
            "How far the encoders stand back behind everything else: 0 not at all, 19 as far as it goes.",
        ),
        Field("at_once", whole(1, 16, "1"), "So many recordings are worked on at the same time."),
    ],
)

recording = Group(
    "recording",
    RecordingSection,
    [
        Field("asterisk_dir", kinds.asterisk_dir, "The folder for recordings, as Asterisk sees it."),
        Field("local_dir", kinds.local_dir, "The same folder as ccserver sees it."),
        Field(
            "format",
            Choice(RecordingFormat),
            "How they are kept. auto: Opus where its encoder is installed, else FLAC, else WAV. With opus or flac, recordings wait as WAV "
            "until the encoder is there.",
        ),
        Field("inbound", policy, "Which calls of customers are recorded; without it as the queue says.", default=None),
        Field("outbound", policy, "Which calls to customers are recorded; without it as the queue says.", default=None),
        Field(
            "consultations",
            Flag(),
            "Whether an agent's talk with a colleague about a customer is recorded, in a file of its own.",
        ),
        Field(
            "key_file",
            _key_file,
            "The master key with which recordings are sealed (`ccserver recording new-key FILE`). Without it they are not sealed. Keep a "
            "copy elsewhere: without the key nobody can hear them.",
        ),
        Field(
            "old_key_files", ListOf(_key_file, 20), "Keys of before: they open what `recording rotate-key` has not reached yet."
        ),
        Field(
            "retention_days",
            whole(1, DAYS_MAX, "90"),
            "Recordings are deleted so many days after the call, except those on legal hold. Without it they are kept until somebody "
            "deletes them.",
        ),
        Field(
            "queue_retention_days",
            MapOf(kinds.queue, whole(1, DAYS_MAX, "30"), "days by queue"),
            "The same for calls of a queue, in place of `retention_days`. Of several queues the longest counts.",
            hint="for example {sales: 30, support: 365}",
        ),
        Field("work", work, "How much the work after the call may weigh."),
    ],
    wrong={"key": "keys are never written here: name a file with key_file", "encrypt": "name a file with key_file"},
)


def recording_edge(
    section: RecordingSection | None, read_key: Callable[[tuple[str, ...], Path], MasterKey | None]
) -> RecordingEdge | None:
    """With the keys out of their files."""
    if section is None:
        return None
    key = None if section.key_file is None else read_key(("recording", "key_file"), section.key_file)
    old = [read_key(("recording", "old_key_files"), file) for file in section.old_key_files]
    return RecordingEdge(
        asterisk_dir=section.asterisk_dir,
        local_dir=section.local_dir,
        format=section.format,
        key=key,
        old_keys=tuple(each for each in old if each is not None),
        retention_days=section.retention_days,
        queue_retention_days=section.queue_retention_days,
        nice=section.work.nice,
        at_once=section.work.at_once,
    )

"""The section `privacy`: whether what identifies people is sealed, and for how long files and notices remember them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccserver.config.edges import PrivacyEdge
from ccserver.config.key_files import MasterKey
from ccserver.config.kinds import whole
from ccserver.config.schema import Field, FilePath, Group, ListOf

DAYS_MAX = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySection:
    """As written: keys are still names of files."""

    key_file: Path | None = None
    old_key_files: tuple[Path, ...] = ()
    journal_days: int = 7
    notice_days: int = 30
    backup_days: int = 30


_key_file = FilePath("the path of a key file")

privacy = Group(
    "privacy",
    PrivacySection,
    [
        Field(
            "key_file",
            _key_file,
            "The master key under which what identifies a person is sealed in the database (`ccserver person new-key FILE`). Without it "
            "nothing is sealed, and nobody can be erased. Keep a copy elsewhere: without the key nobody can read it.",
        ),
        Field(
            "old_key_files", ListOf(_key_file, 20), "Keys of before: they open what `person rotate-key` has not reached yet."
        ),
        Field(
            "journal_days",
            whole(1, 365, "7"),
            "Files of the journal and traces that are older are removed, except what a restart needs.",
        ),
        Field("notice_days", whole(1, DAYS_MAX, "30"), "Notices that are older are taken out of the event stream."),
        Field(
            "backup_days",
            whole(1, DAYS_MAX, "30"),
            "How long you keep backups: ccserver does not make or delete any, it is told in certificates of erasure.",
        ),
    ],
    wrong={"key": "keys are never written here: name a file with key_file"},
)


def privacy_edge(
    section: PrivacySection | None, read_key: Callable[[tuple[str, ...], Path], MasterKey | None]
) -> PrivacyEdge | None:
    """With the keys out of their files."""
    if section is None:
        return None
    key = None if section.key_file is None else read_key(("privacy", "key_file"), section.key_file)
    old = [read_key(("privacy", "old_key_files"), file) for file in section.old_key_files]
    return PrivacyEdge(
        key=key,
        old_keys=tuple(each for each in old if each is not None),
        journal_days=section.journal_days,
        notice_days=section.notice_days,
        backup_days=section.backup_days,
    )

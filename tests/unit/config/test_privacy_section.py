"""The section `privacy`: what is written wrongly is refused with its place and its mend."""

from pathlib import Path

import pytest

from ccserver.config import ConfigurationRejected, load
from ccserver.config.key_files import new_key

EXAMPLE = Path(__file__).parents[3] / "ccserver" / "config" / "example.yaml"


def a_file(folder: Path, privacy: str) -> Path:
    for name in ("ami", "agi"):
        (folder / f"{name}.secret").write_text(f"{name}-secret-1\n")
        (folder / f"{name}.secret").chmod(0o600)
    file = folder / "ccserver.yaml"
    file.write_text(
        f"extends: {EXAMPLE}\n{privacy}\n"
        f"asterisk: {{ami_secret_file: {folder}/ami.secret, agi_secret_file: {folder}/agi.secret}}\n"
    )
    return file


def test_without_it_nothing_is_sealed_or_forgotten(tmp_path: Path) -> None:
    assert load(a_file(tmp_path, "")).edges.privacy is None


def test_keys_and_days(tmp_path: Path) -> None:
    key, old = new_key(tmp_path / "a.key"), new_key(tmp_path / "b.key")
    text = f"privacy: {{key_file: {tmp_path}/a.key, old_key_files: [{tmp_path}/b.key], journal_days: 3, backup_days: 90}}"
    edge = load(a_file(tmp_path, text)).edges.privacy
    assert edge is not None
    assert (edge.key, edge.old_keys) == (key, (old,))
    assert (edge.journal_days, edge.notice_days, edge.backup_days) == (3, 30, 90)
    assert "secret" not in repr(edge)


def test_days_alone(tmp_path: Path) -> None:
    edge = load(a_file(tmp_path, "privacy: {journal_days: 1}")).edges.privacy
    assert edge is not None and edge.key is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("privacy: {key: c2VjcmV0}", "keys are never written here: name a file with key_file"),
        ("privacy: {key_file: missing.key}", "ccserver.yaml:2:11: privacy.key_file: expected a key file"),
        ("privacy: {journal_days: 0}", "ccserver.yaml:2:25: privacy.journal_days: expected"),
        ("privacy: {backup_days: never}", "ccserver.yaml:2:24: privacy.backup_days: expected"),
        ("privacy: {journal_day: 3}", "did you mean journal_days"),
        ("privacy: true", "ccserver.yaml:2:10: privacy: expected a table"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, written: str, says: str) -> None:
    with pytest.raises(ConfigurationRejected) as rejected:
        load(a_file(tmp_path, written))
    told = str(rejected.value)
    assert says in told, told
    assert "c2VjcmV0" not in told, "whatever stands there may be a key"


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o644)
    with pytest.raises(ConfigurationRejected, match="chmod 600"):
        load(a_file(tmp_path, f"privacy: {{key_file: {tmp_path}/a.key}}"))

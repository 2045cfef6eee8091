"""The process dies at its first, second, ... step on the disk or in the database; the next one always ends with the same."""

import json
import os
import signal
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archive_site import DEADLINE_S, Site, tone
from sqlalchemy import select

from ccserver.config.edges import RecordingFormat
from ccserver.config.key_files import key_of
from ccserver.core.ids import InteractionId
from ccserver.store import archive, schema
from ccserver.store.archive import FileState
from ccserver.store.database import Store

KEY = key_of(b"k" * 32)


def a_site(folder: Path, **settings: object) -> Site:
    new = key_of(b"n" * 32)
    return Site.at(
        folder,
        Store(f"sqlite:///{folder}/history.db"),
        **{
            "format": RecordingFormat.FLAC,
            "key": new if (folder / "rotating").exists() else KEY,
            "old_keys": (KEY,),
            "retention_days": 30,
            **settings,
        },
    )


def killed(site: Site, fatal: int, what: Callable[[Site], object]) -> bool:
    """Another process does it, and dies at its step of that number. False: it came to its end before."""
    child = os.fork()
    if not child:
        try:
            die_at(fatal)
            what(a_site(site.folder.parent))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL), "see above"
    return os.WIFSIGNALED(status)


def die_at(fatal: int) -> None:
    """Every step that lasts, counted: on the disk, in the database, and the end of an encoder."""
    count = 0

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **named)

        return call

    os.fsync = dying(os.fsync)
    Path.replace = dying(Path.replace)  # type: ignore[method-assign]
    Path.unlink = dying(Path.unlink)  # type: ignore[method-assign]
    subprocess.Popen.wait = dying(subprocess.Popen.wait)  # type: ignore[method-assign]
    for name in ("put_file", "put_deletion", "note", "drop_file", "put_key"):
        setattr(archive, name, dying(getattr(archive, name)))


def all_done(site: Site) -> None:
    site.archive(7)


def purged(site: Site) -> None:
    with site.archivist() as (archivist, _):
        archivist.purge(datetime.now(UTC) + timedelta(days=100))


def rotated(site: Site) -> None:
    site.shelf.rewrap(site.file())


def cleared(site: Site) -> None:
    """As if nothing had been done yet."""
    for path in sorted(site.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with site.store.engine.begin() as connection:
        for table in (schema.recordings, schema.interactions, schema.objections, *TABLES):
            connection.execute(table.delete())
    site.stretches = 0


TABLES = (schema.recording_files, schema.archive_files, schema.recording_deletions)
CALLER, ANNA, BEN = tone(2000, 440), tone(1900, 1000), tone(1000, 700)


def a_call(site: Site) -> None:
    site.stretch(7, CALLER, ANNA)
    site.stretch(7, None, BEN, at_s=1.0, by="202")


def is_whole(site: Site) -> None:
    file = site.file()
    assert file.state is FileState.DONE
    left, right = site.heard(file)
    assert left[:2000] == CALLER and right[:1900] == ANNA and right[8000:] == BEN
    assert site.shelf.verify(file) == ""
    while any(name.startswith(".work/") for name in site.names()):  # of an encoder that outlived the killed one
        site.archive()
    assert site.names() == [f"{site.day}/7.flac.enc", f"{site.day}/7.json"], "nothing twice, and no draft is left"
    assert site.statuses() == ["archived", "one_sided"]


@pytest.mark.parametrize("is_told_again", [True, False])
def test_killed_at_any_step_of_keeping(site: Site, tmp_path: Path, is_told_again: bool) -> None:
    site = a_site(tmp_path)
    for fatal in range(1, 100):
        cleared(site)
        a_call(site)
        site.over(7)
        is_killed = killed(site, fatal, all_done)
        # The journal's replay tells of it again, or only the database does.
        site.archive(*([7] if is_told_again else []))
        is_whole(site)
        if not is_killed:
            break
    assert fatal >= 16


def test_killed_at_any_step_of_an_objection(tmp_path: Path, site: Site) -> None:
    site = a_site(tmp_path)
    for fatal in range(1, 40):
        cleared(site)
        a_call(site)
        site.objected(7)
        is_killed = killed(site, fatal, all_done)
        site.archive()
        is_gone(site, fatal, "the customer objected", 2)
        if not is_killed:
            break
    assert fatal >= 8


def test_killed_at_any_step_of_a_purge(tmp_path: Path, site: Site) -> None:
    site = a_site(tmp_path)
    for fatal in range(1, 40):
        cleared(site)
        a_call(site)
        site.over(7)
        site.archive()
        sha256 = site.file().sha256
        is_killed = killed(site, fatal, purged)
        site.archive()
        if site.file().state is FileState.DONE:  # it died before anything was noted
            assert site.shelf.verify(site.file()) == ""
            killed(site, 0, purged)
        gone = is_gone(site, fatal, "older than the 30 days of queue sales", 1)
        assert gone[0].sha256 == sha256
        if not is_killed:
            break
    assert fatal >= 5


def is_gone(site: Site, fatal: int, why: str, rows: int) -> list[archive.Deletion]:
    assert site.names() == [], fatal
    assert set(site.statuses()) == {"deleted"}
    with site.store.engine.connect() as connection:
        gone = archive.deletions_of(connection, InteractionId(7))
    assert [each.why for each in gone] == [why] * rows, "noted once, and what was said first stays"
    assert all(len(each.sha256) == 64 and each.duration_s > 0.1 for each in gone)
    assert {file.state for file in site.files()} <= {FileState.GONE}
    return gone


def test_killed_at_any_step_of_a_change_of_keys(tmp_path: Path, site: Site) -> None:
    for fatal in range(1, 20):
        (tmp_path / "rotating").unlink(missing_ok=True)
        site = a_site(tmp_path)
        cleared(site)
        a_call(site)
        site.over(7)
        site.archive()
        (tmp_path / "rotating").touch()
        site = a_site(tmp_path)
        is_killed = killed(site, fatal, rotated)
        assert site.heard(site.file())[0][:2000] == CALLER
        site.shelf.rewrap(site.file())
        assert site.shelf.verify(site.file()) == ""
        assert site.file().key_id == json.loads(site.shelf.manifest_path(site.file()).read_text())["key_id"] == site.edge.key.id
        site.edge = replace(site.edge, old_keys=())
        assert site.heard(site.file())[0][:2000] == CALLER
        if not is_killed:
            break
    assert fatal >= 3


def test_a_full_disk_keeps_the_originals(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every write."""
    site.edge = replace(site.edge, key=KEY, format=RecordingFormat.FLAC)
    monkeypatch.setattr("ccserver.daemon.archivist.RETRY_FIRST_S", 0.01)
    a_call(site)
    site.over(7)
    real = os.fsync
    fails = iter([True] * 1 + [False] + [True] * 1 + [False] * 2 + [True])

    def fsync(fd: int) -> None:
        if next(fails, False):
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr("os.fsync", fsync)
    errors: list[Exception] = []
    with site.archivist(on_error=lambda _, error: errors.append(error)) as (archivist, _):
        archivist.submit(InteractionId(7))
        assert archivist.drain(DEADLINE_S)
    assert len(errors) == 3
    is_whole(site)
    with site.store.engine.connect() as connection:
        assert connection.execute(select(schema.recording_deletions)).all() == []

"""From the two files that Asterisk writes for a recorded stretch to one stereo file: caller left, agent right.

The originals go only when the merged file is complete under its name and noted in `recording_files`. Whenever the process
dies, the next one finds what is left to do in the database and does it again; doing it twice gives the same file.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path, PurePath, PurePosixPath

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from ccserver.store import schema, stereo
from ccserver.store.database import Store
from ccserver.store.stereo import Sound, Unreadable

LOOK_EVERY_S = 0.25
SETTLE_S = 10.0
"""Asterisk completes a file's header when it closes it, right after the hang-up. One that is not complete after so long (Asterisk
was killed) is taken as it is."""
RETRY_S = 5.0
TIDIED_FILES = 10


class FileStatus(Enum):
    MERGED = "merged"
    ONE_SIDED = "one_sided"  # one of the two was missing: its channel is silent
    MISSING = "missing"  # there was nothing to merge
    UNREADABLE = "unreadable"  # not what Asterisk writes; the originals are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedFile:
    """What became of one recording; `path` as Asterisk sees it, without ending. The numbers are 0 if there is no file."""

    path: str
    status: FileStatus
    duration_s: float = 0.0
    bytes: int = 0
    sha256: str = ""
    detail: str = ""


class NotSettled(Exception):
    """Asterisk may still be writing."""


class RecordingMerger:
    """Merges, on a thread of its own, what `submit` names and what an earlier process left.

    `asterisk_dir` is the folder as Asterisk names it, `local_dir` the same folder as we see it. `on_done` and `on_error` are
    called on the thread; after an error (disk full, database busy) that recording is tried again.
    """

    def __init__(
        self,
        store: Store,
        *,
        asterisk_dir: str | PurePath,
        local_dir: Path,
        settle_s: float = SETTLE_S,
        on_done: Callable[[MergedFile], None] | None = None,
        on_error: Callable[[str, Exception], None] | None = None,
    ) -> None:
        self._store = store
        self._asterisk_dir = PurePosixPath(asterisk_dir)
        self._local_dir = local_dir
        self._settle_s = settle_s
        self._on_done = on_done
        self._on_error = on_error
        self._changed = threading.Condition()
        self._waiting: dict[str, float] = {}  # path -> monotonic seconds when it came
        self._not_before: dict[str, float] = {}  # path -> monotonic seconds of the next try after an error
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self.errors = 0

    def start(self) -> None:
        self._thread.start()

    def submit(self, path: str) -> None:
        """`RecordingRecord.path` of a stretch that is over."""
        with self._changed:
            self._waiting.setdefault(path, time.monotonic())
            self._changed.notify_all()

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is left to merge. False: something is, after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def close(self, timeout_s: float) -> None:
        """End the thread after the file it is at; the rest is found again at the next start."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        is_resumed, is_pausing = False, False
        while True:
            if not is_resumed:
                try:
                    for path in unmerged(self._store):
                        self.submit(path)
                    self._tidy()
                    is_resumed = True
                except (OSError, SQLAlchemyError) as error:
                    self._report("", error)
            with self._changed:
                if is_pausing or not is_resumed:
                    self._changed.wait_for(lambda: self._is_closing, LOOK_EVERY_S)
                else:
                    self._changed.wait_for(lambda: self._is_closing or bool(self._waiting))
                if self._is_closing:
                    return
                paths = list(self._waiting)
            is_pausing = False
            for path in paths:
                is_pausing |= not self._try(path)
                if self._is_closing:
                    return

    def _tidy(self) -> None:
        """Remove the originals of the last files that were done when the process died."""
        files = schema.recording_files
        whole = files.c.status.in_([FileStatus.MERGED.value, FileStatus.ONE_SIDED.value])
        query = select(files.c.path).where(whole).order_by(files.c.finished_at.desc()).limit(TIDIED_FILES)
        with self._store.engine.connect() as connection:
            paths = connection.execute(query).scalars().all()
        for path in paths:
            with contextlib.suppress(Unreadable):  # of a folder that is not configured any more
                target = self.locate(path)
                if target.exists():
                    _remove(_sides(target))

    def _try(self, path: str) -> bool:
        """False: to be looked at again."""
        now_s = time.monotonic()
        if now_s < self._not_before.get(path, now_s):
            return False
        try:
            done = self._merge(path, is_last_look=now_s - self._waiting[path] >= self._settle_s)
        except NotSettled:
            return False
        except Exception as error:  # disk full, database busy…: whatever it is, the other recordings must go on
            self._not_before[path] = now_s + RETRY_S
            self._report(path, error)
            return False
        with self._changed:
            del self._waiting[path]
            self._not_before.pop(path, None)
            self._changed.notify_all()
        if self._on_done is not None:
            self._on_done(done)
        return True

    def _report(self, path: str, error: Exception) -> None:
        self.errors += 1
        if self._on_error is not None:
            self._on_error(path, error)

    def locate(self, path: str) -> Path:
        """The merged file of a recording as we see it. Raises Unreadable for a path outside the folder."""
        given = PurePosixPath(path)
        if not given.is_relative_to(self._asterisk_dir) or ".." in given.parts or given == self._asterisk_dir:
            raise Unreadable(f"{path!r} is not in {self._asterisk_dir}")
        inside = self._local_dir / given.relative_to(self._asterisk_dir)
        return inside.with_name(f"{inside.name}.wav")

    def _merge(self, path: str, is_last_look: bool) -> MergedFile:
        try:
            target = self.locate(path)
            sides = _sides(target)
            known = self._noted(path)
            if known is not None and target.exists():
                # Told twice, or the process died before both originals were gone: one alone must not be merged again.
                _remove(sides)
                return known
            caller, agent = (stereo.look_at(side) for side in sides)
            if known is not None and caller is None and agent is None:
                return known  # somebody moved the file away
            if caller is None and agent is None and target.exists():
                # Merged for a database that was lost.
                duration_s, size, sha256 = stereo.measure(target)
                done = MergedFile(path=path, status=FileStatus.MERGED, duration_s=duration_s, bytes=size, sha256=sha256)
            else:
                is_settled = caller is not None and caller.is_complete and agent is not None and agent.is_complete
                if not is_settled and not is_last_look:
                    raise NotSettled(path)
                if caller is None and agent is None:
                    return self._note(MergedFile(path=path, status=FileStatus.MISSING, detail="Asterisk wrote no file"))
                duration_s, size, sha256 = stereo.merge(caller, agent, target)
                done = MergedFile(
                    path=path,
                    status=FileStatus.ONE_SIDED if caller is None or agent is None else FileStatus.MERGED,
                    duration_s=duration_s,
                    bytes=size,
                    sha256=sha256,
                    detail="" if is_settled else "; ".join(_lacks(sides, (caller, agent))),
                )
        except Unreadable as error:
            return self._note(MergedFile(path=path, status=FileStatus.UNREADABLE, detail=str(error)))
        self._note(done)
        _remove(sides)
        return done

    def _noted(self, path: str) -> MergedFile | None:
        table = schema.recording_files
        with self._store.engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.path == path)).one_or_none()
        if row is None:
            return None
        return MergedFile(
            path=path,
            status=FileStatus(row.status),
            duration_s=row.duration_s,
            bytes=row.bytes,
            sha256=row.sha256,
            detail=row.detail,
        )

    def _note(self, done: MergedFile) -> MergedFile:
        table = schema.recording_files
        with self._store.engine.begin() as connection:
            connection.execute(table.delete().where(table.c.path == done.path))
            connection.execute(
                table.insert().values(
                    path=done.path,
                    status=done.status.value,
                    duration_s=done.duration_s,
                    bytes=done.bytes,
                    sha256=done.sha256,
                    detail=done.detail,
                    finished_at=datetime.now(UTC),
                )
            )
        return done


def _sides(target: Path) -> list[Path]:
    """Caller's and agent's file."""
    return [target.with_name(f"{target.stem}-{side}.wav") for side in ("caller", "agent")]


def _remove(sides: list[Path]) -> None:
    for side in sides:
        side.unlink(missing_ok=True)


def _lacks(sides: list[Path], sounds: tuple[Sound | None, ...]) -> list[str]:
    said = []
    for path, sound in zip(sides, sounds, strict=True):
        if sound is None:
            said.append(f"{path.name} is missing")
        elif not sound.is_complete:
            said.append(f"{path.name} was never closed by Asterisk")
    return said


def unmerged(store: Store) -> list[str]:
    """Recordings in history of whose files nothing is known yet, oldest first."""
    recordings, files = schema.recordings, schema.recording_files
    query = (
        select(recordings.c.path)
        .where(~exists().where(files.c.path == recordings.c.path))
        .order_by(recordings.c.started_at, recordings.c.path)
    )
    with store.engine.connect() as connection:
        return list(dict.fromkeys(connection.execute(query).scalars()))

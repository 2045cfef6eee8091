"""What the core was told, on disk before it is acted on; and snapshots, so that not everything must be told again.

Files in the directory (all mode 0600: they hold callers' numbers):

    incarnation                    the number of the newest run of the daemon
    inputs-<incarnation>-<n>.jsonl a segment: one line of header, then one line for each input
    state-<incarnation>-<seq>.json a snapshot: one line of header, then the state as its owner wrote it

An input is `[seq,mono_s,utc_s,event,"crc32"]`. It is written by one `write()`, which survives the death of the process; against
the death of the machine a thread calls `fsync` every 200 ms. A line that was cut short was never acted on, so leaving it
out loses nothing.

Each run of the daemon starts segments of its own. Their header says after which `seq` they go on (`after`): what an
older segment has beyond it could not be replayed then, and does not count any more.

Rules of restoring:
- It begins at the *oldest* snapshot kept, since `prune` keeps only what history in SQL may still lack.
- Inputs are replayed only by the core that wrote them (`fingerprint`), without a gap (a full disk makes gaps). What cannot be
  replayed is skipped by the next snapshot behind it, or else dropped, and counted.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import os
import secrets
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

import ccserver.core
from ccserver.core import codec
from ccserver.core.events import Event
from ccserver.core.moment import Moment

FORMAT = 1
SYNC_EVERY_S = 0.2
SEGMENT_BYTES_MAX = 16 * 1024 * 1024
_CRC_LENGTH = len(b',"00000000"]')


class Input(NamedTuple):
    """One input of the core. `run` names the run of the daemon that wrote it, for the keys of its rows in history."""

    seq: int
    moment: Moment
    event: Event
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What the disk still knew.

    `state` are the bytes given to `snapshot` (None: there is none, begin with an empty center), taken after input `state_seq`;
    `inputs` are those to replay onto it, in order. A step that raised then raises again: an input may appear twice with one
    `seq`, the first time without effect.
    """

    state: bytes | None
    state_seq: int
    inputs: tuple[Input, ...]
    fingerprint_ok: bool
    """False: another version of the core wrote the end of the journal, which is therefore not replayed."""
    dropped_inputs: int
    """Inputs that could neither be replayed nor skipped: what they told is lost; the observation of the PBX repairs it."""
    warnings: tuple[str, ...]
    """What was wrong with the files, for the log."""


@cache
def core_fingerprint() -> str:
    """Names the version of the rules: a hash of the core's source files."""
    digest = hashlib.sha256()
    folder = Path(ccserver.core.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


class Journal:
    """The journal in `directory` (made if missing). Only one process may have it open; the daemon's lock sees to that.

    Order of use: `restore`, `begin`, then `append` for each input, `snapshot` and `prune` now and then, `close`. `append`
    belongs to one thread, `snapshot` and `prune` may be called on others. `on_error` is called on the syncing thread when
    the disk refuses a sync.
    """

    def __init__(
        self,
        directory: Path,
        *,
        fingerprint: str | None = None,
        sync_every_s: float = SYNC_EVERY_S,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        on_error: Callable[[OSError], None] | None = None,
    ) -> None:
        self._directory = directory
        self._fingerprint = core_fingerprint() if fingerprint is None else fingerprint
        self._sync_every_s = sync_every_s
        self._segment_bytes_max = segment_bytes_max
        self._on_error = on_error
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._fd = -1
        self._retired: list[int] = []  # segments that are full, to be synced and closed
        self._size = 0
        self._is_torn = False  # a write came out short and could not be taken back yet
        self._rotate_next = False
        self._number = 0
        self._stopping = threading.Event()
        self._syncer: threading.Thread | None = None
        self.run = ""
        self.incarnation = 0
        self.written_seq = 0
        self.synced_seq = 0
        self._lost_seq = -1
        self._snapshot_seq = -1
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    # --- start ----------------------------------------------------------------------------------------------------------
    def restore(self) -> Restored:
        """Read everything; changes nothing on disk. Raises OSError if files cannot be read."""
        return _restore(self._directory, self._fingerprint)

    def begin(self, after_seq: int, *, incarnation_at_least: int = 1) -> int:
        """Start a run that goes on after `after_seq`, and return its incarnation, which is on disk by then.

        `incarnation_at_least` comes from history: it counts when the directory was lost.
        """
        known = [int(path.name.split("-")[1]) for path in self._directory.glob("inputs-*.jsonl")]
        path = self._directory / "incarnation"
        with contextlib.suppress(FileNotFoundError, ValueError):  # the segments' names know it as well
            known.append(int(path.read_text("ascii")))
        self.incarnation = max(incarnation_at_least, max(known, default=0) + 1)
        for draft in self._directory.glob("*.new"):
            draft.unlink()
        _write_durably(path, f"{self.incarnation}\n".encode())
        self.run = f"{self.incarnation:06d}-{secrets.token_hex(4)}"
        self.written_seq = self.synced_seq = after_seq
        self._open_segment()
        self._syncer = threading.Thread(target=self._sync_often, name="journal-sync", daemon=True)
        self._syncer.start()
        return self.incarnation

    # --- while running ----------------------------------------------------------------------------------------------------
    def append(self, seq: int, moment: Moment, event: Event) -> None:
        """Write one input. On return it survives the death of the process.

        Raises CodecError, with nothing written, for an event that could not be read again; OSError if the disk refuses: the
        calls should go on, and `needs_snapshot` is set.
        """
        body = b"[%d,%s,%s,%s" % (
            seq,
            repr(moment.mono_s).encode(),
            repr(moment.utc_s).encode(),
            codec.encode_event(event),
        )
        line = b'%s,"%08x"]\n' % (body, zlib.crc32(body))
        try:
            if self._rotate_next or self._size > self._segment_bytes_max:
                with contextlib.suppress(OSError):  # the old segment will do; the next input tries again
                    self._open_segment()
            if self._is_torn:
                os.ftruncate(self._fd, self._size)
                self._is_torn = False
            written = os.write(self._fd, line)
            if written != len(line):
                self._is_torn = True
                raise OSError(errno.ENOSPC, "the disk took only a part of the line", str(self._directory))
        except OSError:
            self._lost_seq = seq
            raise
        self._size += written
        self.written_seq = seq

    def snapshot(self, state: bytes, seq: int) -> None:
        """Keep the state as it was after input `seq`; durable on return. Takes its time: call it on a thread.

        Raises OSError; then the older snapshot still counts.
        """
        header = {
            "format": FORMAT,
            "core": self._fingerprint,
            "run": self.run,
            "seq": seq,
            "bytes": len(state),
            "crc": zlib.crc32(state),
        }
        # What came up to here must be on disk before the snapshot is: else, after a power cut, it would follow a gap.
        self.sync()
        path = self._directory / f"state-{self.incarnation:06d}-{seq:012d}.json"
        _write_durably(path, json.dumps(header).encode() + b"\n" + state)
        self._rotate_next = True
        self._snapshot_seq = seq

    def prune(self, projected_seq: int) -> None:
        """Remove what neither a restore nor history needs: everything before the newest snapshot whose `seq` is not beyond
        `projected_seq`, up to which all records are in the database."""
        segments = _segments(self._directory)
        snapshots = [each for each in _snapshots(self._directory, segments) if each.seq <= projected_seq]
        keep = next((each for each in reversed(snapshots) if each.is_good()), None)
        if keep is None:
            return
        for snapshot in snapshots[: snapshots.index(keep)]:
            snapshot.path.unlink()
        for segment, following in itertools.pairwise(segments):
            if following.after > keep.seq:
                break
            segment.path.unlink()

    def sweep(self, before_utc_s: float) -> int:
        """Remove files that were written last before that time and that neither a restore nor history needs; how many.

        `prune` does not know of all: of a run that nobody went on from, of a format of before, drafts. What is needed stays, however
        old it is. Raises OSError.
        """
        segments = _segments(self._directory)
        snapshots = _snapshots(self._directory, segments)
        needed = {each.path for each in segments} | {each.path for each in snapshots} | {self._directory / "incarnation"}
        count = 0
        for pattern in ("state-*.json", "inputs-*.jsonl", "*.new"):
            for path in self._directory.glob(pattern):
                with contextlib.suppress(FileNotFoundError):  # `prune` was faster
                    if path not in needed and path.stat().st_mtime < before_utc_s:
                        path.unlink()
                        count += 1
        return count

    @property
    def needs_snapshot(self) -> bool:
        """An input could not be written: only a new snapshot makes what follows replayable."""
        return self._lost_seq > self._snapshot_seq

    @property
    def size_bytes(self) -> int:
        """Of all files; for a metric. A thread may take one away, or give it its name, while they are counted."""
        total = 0
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    @property
    def unsynced_inputs(self) -> int:
        return self.written_seq - self.synced_seq

    def sync(self) -> None:
        """Bring what is written to the disk. Raises OSError."""
        with self._sync_lock:
            with (
                self._lock
            ):  # only this long: `append` waits for it when it changes the segment, and must not wait for the disk
                written, current, full = self.written_seq, self._fd, self._retired
                self._retired = []
            try:
                for fd in full:
                    os.fsync(fd)
                if current >= 0 and (full or written != self.synced_seq):
                    os.fsync(current)
                self.synced_seq = written
            finally:
                for fd in full:
                    os.close(fd)

    def close(self) -> None:
        """End the run. A clean stop calls `snapshot` before, so that an upgraded daemon has nothing to replay."""
        self._stopping.set()
        if self._syncer is not None:
            self._syncer.join()
        try:
            self.sync()
        finally:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _open_segment(self) -> None:
        number = self._number + 1
        path = self._directory / f"inputs-{self.incarnation:06d}-{number:06d}.jsonl"
        header = {
            "format": FORMAT,
            "core": self._fingerprint,
            "run": self.run,
            "after": self.written_seq,
        }
        # Not durable here (no fsync on the reactor): the first sync makes it so, together with what it holds.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        line = json.dumps(header).encode() + b"\n"
        if os.write(fd, line) != len(line):
            os.close(fd)
            raise OSError(errno.ENOSPC, "no room for a new segment", str(path))
        with self._lock:
            if self._fd >= 0:
                self._retired.append(self._fd)
            self._fd, self._size, self._number = fd, len(line), number
            self._is_torn = self._rotate_next = False

    def _sync_often(self) -> None:
        folder = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        synced_number = 0
        try:
            while not self._stopping.wait(self._sync_every_s):
                try:
                    self.sync()
                    if synced_number != self._number:
                        synced_number = self._number
                        os.fsync(folder)
                except OSError as error:
                    if self._on_error is not None:
                        self._on_error(error)
        finally:
            os.close(folder)


# --- reading ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Snapshot:
    path: Path
    incarnation: int
    seq: int

    def read(self) -> bytes | None:
        """The state, or None if the file is damaged."""
        header, _, state = self.path.read_bytes().partition(b"\n")
        try:
            fields = json.loads(header)
            is_good = (fields["format"], fields["bytes"], fields["crc"]) == (FORMAT, len(state), zlib.crc32(state))
        except (ValueError, KeyError, TypeError):
            return None
        return state if is_good else None

    def is_good(self) -> bool:
        return self.read() is not None


@dataclass(frozen=True, slots=True)
class _Segment:
    path: Path
    incarnation: int
    run: str
    core: str
    after: int


@dataclass(frozen=True, slots=True)
class _Line:
    seq: int
    mono_s: float
    utc_s: float
    event: object
    segment: _Segment


def _snapshots(directory: Path, segments: Sequence[_Segment]) -> list[_Snapshot]:
    """Oldest first, without those of a time that a later run did not go on from."""
    found = []
    for path in directory.glob("state-*.json"):
        incarnation, seq = (int(part) for part in path.stem.split("-")[1:])
        if all(segment.after >= seq for segment in segments if segment.incarnation > incarnation):
            found.append(_Snapshot(path, incarnation, seq))
    return sorted(found, key=lambda each: (each.incarnation, each.seq))


def _segments(directory: Path) -> list[_Segment]:
    """Oldest first, without those whose header never got to the disk (they hold nothing then)."""
    found = []
    for path in sorted(directory.glob("inputs-*.jsonl")):
        with path.open("rb") as file:
            header = file.readline()
        try:
            fields = json.loads(header)
            if fields["format"] == FORMAT:
                found.append(
                    _Segment(path, int(path.stem.split("-")[1]), str(fields["run"]), str(fields["core"]), int(fields["after"]))
                )
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _lines(segment: _Segment) -> Iterator[_Line]:
    """The good lines; a bad one is left out, and shows as a gap if it ever mattered."""
    with segment.path.open("rb") as file:
        file.readline()
        for line in file:
            body, check = line[: -_CRC_LENGTH - 1], line[-_CRC_LENGTH - 1 :]
            if check != b',"%08x"]\n' % zlib.crc32(body):
                continue
            parsed = codec.parse(body + b"]")
            if isinstance(parsed, list) and len(parsed) == 4:
                seq, mono_s, utc_s, event = parsed
                yield _Line(seq, mono_s, utc_s, event, segment)


def _restore(directory: Path, fingerprint: str) -> Restored:
    warnings = []
    segments = _segments(directory)
    lines: list[_Line] = []
    for index, segment in enumerate(segments):
        # What a later run could not replay does not count any more.
        end = min((later.after for later in segments[index + 1 :]), default=None)
        lines += [line for line in _lines(segment) if line.seq > segment.after and (end is None or line.seq <= end)]

    snapshots = []
    for snapshot in _snapshots(directory, segments):
        if snapshot.is_good():
            snapshots.append(snapshot)
        else:
            warnings.append(f"{snapshot.path.name} is damaged and was not used")

    # The place behind which everything can be replayed without a break.
    solid = _solid_after(lines, fingerprint)
    usable = [snapshot for snapshot in snapshots if snapshot.seq >= solid]
    if usable:
        base: _Snapshot | None = usable[0]
    elif solid <= 0:
        base = None
    else:
        base = snapshots[-1] if snapshots else None
    state = None if base is None else base.read()
    state_seq = 0 if base is None else base.seq

    pending = [line for line in lines if line.seq > state_seq]
    inputs: list[Input] = []
    expected = state_seq
    for line in pending:
        if line.segment.core != fingerprint or line.seq not in (expected, expected + 1):
            break
        try:
            event = cast(Event, codec.decode(Event, line.event))
        except codec.CodecError as error:
            warnings.append(f"{line.segment.path.name}: input {line.seq}: {error}")
            break
        expected = line.seq
        inputs.append(Input(line.seq, Moment(line.mono_s, line.utc_s), event, line.segment.run))
    dropped = len(pending) - len(inputs)
    fingerprint_ok = all(line.segment.core == fingerprint for line in pending)
    if dropped:
        why = "a gap in the journal" if fingerprint_ok else "another version of the core wrote them"
        warnings.append(f"{dropped} inputs after {expected} cannot be replayed: {why}")
    return Restored(
        state=state,
        state_seq=state_seq,
        inputs=tuple(inputs),
        fingerprint_ok=fingerprint_ok,
        dropped_inputs=dropped,
        warnings=tuple(warnings),
    )


def _solid_after(lines: Sequence[_Line], fingerprint: str) -> int:
    """The lowest `seq` after which all inputs are there and replayable. 0: from the very first one."""
    first: int | None = None
    for line in reversed(lines):
        if first is None and line.segment.core != fingerprint:
            return line.seq
        if first is not None and (line.segment.core != fingerprint or line.seq not in (first - 1, first)):
            break
        first = line.seq
    return 0 if first is None else first - 1


def _write_durably(path: Path, content: bytes) -> None:
    """All of it or nothing, also through a power cut: a new file, synced, takes the old one's name."""
    draft = path.with_name(f"{path.name}.new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

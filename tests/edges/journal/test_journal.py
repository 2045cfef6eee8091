"""Whatever ends the daemon, and at whatever byte: what was acted on is there again, in order, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ccserver.core.codec import CodecError
from ccserver.core.events import DeadlineReached, Event, LegStarted, LinkLost, PhoneStateChanged
from ccserver.core.ids import LegId, PhoneId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState
from ccserver.daemon.journal import Journal, Restored, core_fingerprint


def an_event(seq: int) -> Event:
    return PhoneStateChanged(phone=PhoneId(f"PJSIP/{seq}"), state=PhoneState.IDLE)


def a_moment(seq: int) -> Moment:
    return Moment(mono_s=seq * 0.1, utc_s=1_700_000_000.123456 + seq)


def a_journal(directory: Path, **settings: object) -> Journal:
    return Journal(directory, **{"fingerprint": "rules-1", "sync_every_s": 0.01, **settings})


def filled(directory: Path, seqs: Sequence[int], **settings: object) -> Journal:
    """An open journal with these inputs, begun where the first of them goes on."""
    journal = a_journal(directory, **settings)
    journal.begin(seqs[0] - 1)
    for seq in seqs:
        journal.append(seq, a_moment(seq), an_event(seq))
    return journal


def seqs(restored: Restored) -> list[int]:
    return [each.seq for each in restored.inputs]


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


def test_an_empty_directory_restores_to_nothing(tmp_path: Path) -> None:
    restored = a_journal(tmp_path / "journal").restore()
    assert (restored.state, restored.state_seq, restored.inputs) == (None, 0, ())
    assert restored.fingerprint_ok
    assert restored.warnings == ()


def test_inputs_come_back_with_their_time_and_run(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 4))
    journal.close()
    restored = a_journal(tmp_path).restore()
    assert [(each.seq, each.moment, each.event) for each in restored.inputs] == [
        (seq, a_moment(seq), an_event(seq)) for seq in range(1, 4)
    ]
    assert {each.run for each in restored.inputs} == {journal.run}


def test_the_next_run_goes_on_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    first = filled(tmp_path, range(1, 4))
    first.close()
    second = filled(tmp_path, range(4, 6))
    second.close()
    restored = a_journal(tmp_path).restore()
    assert seqs(restored) == [1, 2, 3, 4, 5]
    assert [each.run for each in restored.inputs] == [first.run] * 3 + [second.run] * 2
    assert first.run != second.run
    assert (first.incarnation, second.incarnation) == (1, 2)


def test_the_incarnation_rises_even_if_its_file_or_all_is_lost(tmp_path: Path) -> None:
    filled(tmp_path, [1]).close()
    (tmp_path / "incarnation").unlink()
    journal = a_journal(tmp_path)
    assert journal.begin(1) == 2
    journal.close()
    lost = a_journal(tmp_path / "other")
    assert lost.begin(0, incarnation_at_least=17) == 17
    lost.close()


def test_replay_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 11))
    journal.snapshot(b'{"state": 10}', 10)
    for seq in (11, 12):
        journal.append(seq, a_moment(seq), an_event(seq))
    journal.prune(10)
    journal.close()
    restored = a_journal(tmp_path).restore()
    assert (restored.state, restored.state_seq, seqs(restored)) == (b'{"state": 10}', 10, [11, 12])


def test_a_snapshot_of_a_moment_that_is_past_keeps_the_inputs_behind_it(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 11))
    journal.snapshot(b"of 7", 7)
    journal.prune(10)
    journal.close()
    assert seqs(a_journal(tmp_path).restore()) == [8, 9, 10]


def test_what_history_lacks_is_kept(tmp_path: Path) -> None:
    """The database stalls at input 4: both later snapshots are there, but the replay begins where history needs it."""
    journal = filled(tmp_path, range(1, 5))
    journal.snapshot(b"of 4", 4)
    for seq in range(5, 9):
        journal.append(seq, a_moment(seq), an_event(seq))
    journal.snapshot(b"of 8", 8)
    journal.append(9, a_moment(9), an_event(9))
    journal.prune(6)
    restored = a_journal(tmp_path).restore()
    assert (restored.state, seqs(restored)) == (b"of 4", [5, 6, 7, 8, 9])
    journal.prune(9)
    journal.close()
    restored = a_journal(tmp_path).restore()
    assert (restored.state, seqs(restored)) == (b"of 8", [9])


def test_old_segments_go_away(tmp_path: Path) -> None:
    journal = a_journal(tmp_path, segment_bytes_max=300)
    journal.begin(0)
    for seq in range(1, 51):
        journal.append(seq, a_moment(seq), an_event(seq))
    before = len(list(tmp_path.glob("inputs-*")))
    assert before > 5
    assert seqs(a_journal(tmp_path).restore()) == list(range(1, 51))
    journal.snapshot(b"of 30", 30)
    journal.prune(50)
    after = sorted(tmp_path.glob("inputs-*"))
    assert 1 < len(after) < before
    assert seqs(a_journal(tmp_path).restore()) == list(range(31, 51))
    journal.close()


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_cut_at_any_byte_of_the_tail(tmp_path: Path, has_snapshot: bool) -> None:
    journal = filled(tmp_path, range(1, 5))
    if has_snapshot:
        journal.snapshot(b"of 2", 2)
        journal.prune(2)
    path = max(tmp_path.glob("inputs-*"))
    journal.close()
    whole = path.read_bytes()
    first = 3 if has_snapshot else 1
    ends = [index + 1 for index, byte in enumerate(whole) if byte == 0x0A]  # of the header and of the inputs
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = max(0, sum(end <= length for end in ends) - 1)
        restored = a_journal(tmp_path).restore()
        assert seqs(restored) == list(range(first, complete + 1)), length
        assert restored.dropped_inputs == 0
        # The next run goes on behind what is left, beside the torn line.
        again = a_journal(tmp_path)
        again.begin(restored.inputs[-1].seq if restored.inputs else restored.state_seq)
        after = again.written_seq
        again.append(after + 1, a_moment(99), LinkLost(pbx="main"))
        again.close()
        both = a_journal(tmp_path).restore()
        assert seqs(both) == [*seqs(restored), after + 1]
        assert both.inputs[-1].event == LinkLost(pbx="main")
        for extra in set(tmp_path.glob("inputs-*")) - {path}:
            extra.unlink()


def test_any_flipped_byte_loses_that_line_only_and_never_lies(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 5))
    path = max(tmp_path.glob("inputs-*"))
    journal.close()
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for place in range(start, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :])
        restored = a_journal(tmp_path).restore()
        assert [each.event for each in restored.inputs] == [an_event(seq) for seq in seqs(restored)]
        assert seqs(restored) == list(range(1, len(restored.inputs) + 1))
        assert len(restored.inputs) + restored.dropped_inputs >= 2  # the flip can take its line and join the next to it
        assert len(restored.inputs) < 4


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: b"", lambda content: content.replace(b"8", b"9")]
)
def test_a_damaged_snapshot_is_not_used(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    journal = filled(tmp_path, range(1, 5))
    journal.snapshot(b"of 4", 4)
    journal.append(5, a_moment(5), an_event(5))
    journal.snapshot(b"of 5: 8888", 5)
    journal.close()
    newest = max(tmp_path.glob("state-*"))
    newest.write_bytes(damage(newest.read_bytes()))
    restored = a_journal(tmp_path).restore()
    assert (restored.state, seqs(restored)) == (b"of 4", [5])
    assert "damaged" in restored.warnings[0]


def test_another_core_does_not_replay(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 5))
    journal.snapshot(b"of 4", 4)
    for seq in (5, 6):
        journal.append(seq, a_moment(seq), an_event(seq))
    journal.close()
    restored = a_journal(tmp_path, fingerprint="rules-2").restore()
    assert (restored.state, restored.inputs, restored.dropped_inputs) == (b"of 4", (), 2)
    assert not restored.fingerprint_ok
    assert "another version" in restored.warnings[0]
    # What it could not replay does not come back when it runs, nor when the old one is installed again.
    upgraded = filled(tmp_path, [5], fingerprint="rules-2")
    upgraded.close()
    restored = a_journal(tmp_path, fingerprint="rules-2").restore()
    assert [(each.seq, each.run) for each in restored.inputs] == [(5, upgraded.run)]
    assert restored.fingerprint_ok


def test_an_upgrade_after_a_clean_stop_replays_nothing(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 5))
    journal.snapshot(b"of 4", 4)
    journal.close()
    restored = a_journal(tmp_path, fingerprint="rules-2").restore()
    assert (restored.state, restored.inputs, restored.dropped_inputs) == (b"of 4", (), 0)
    assert restored.fingerprint_ok


def test_a_step_that_raised_may_repeat_its_number(tmp_path: Path) -> None:
    journal = filled(tmp_path, [1, 2])
    journal.append(2, a_moment(3), DeadlineReached())
    journal.append(3, a_moment(4), an_event(3))
    journal.close()
    assert seqs(a_journal(tmp_path).restore()) == [1, 2, 2, 3]


def test_a_gap_is_not_replayed_over_unless_a_snapshot_bridges_it(tmp_path: Path) -> None:
    journal = filled(tmp_path, [1, 2])
    journal.append(5, a_moment(5), an_event(5))
    restored = a_journal(tmp_path).restore()
    assert (seqs(restored), restored.dropped_inputs) == ([1, 2], 1)
    assert "gap" in restored.warnings[0]
    journal.snapshot(b"of 4", 4)
    journal.close()
    restored = a_journal(tmp_path).restore()
    assert (restored.state, seqs(restored), restored.dropped_inputs) == (b"of 4", [5], 0)


def test_an_event_that_could_not_be_read_again_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    journal = filled(tmp_path, [1])
    with pytest.raises(CodecError):
        journal.append(2, a_moment(2), LegStarted(leg=LegId("main", 3), channel=""))
    journal.append(2, a_moment(2), an_event(2))
    journal.close()
    assert seqs(a_journal(tmp_path).restore()) == [1, 2]


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal", [1])
    journal.snapshot(b"{}", 1)
    journal.close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "journal").iterdir()} == {0o600}


def test_a_file_that_goes_away_while_all_are_counted_counts_nothing(tmp_path: Path) -> None:
    """`status` failed in the instant in which a thread gave a snapshot its name."""
    journal = filled(tmp_path, range(1, 4))
    before = journal.size_bytes
    (tmp_path / "state.new").symlink_to(tmp_path / "gone")
    assert journal.size_bytes == before > 0
    journal.close()


def test_the_thread_syncs(tmp_path: Path) -> None:
    journal = filled(tmp_path, range(1, 4))
    eventually(lambda: journal.synced_seq == 3, "synced")
    assert journal.unsynced_inputs == 0
    journal.close()


def test_a_refused_sync_is_told(tmp_path: Path) -> None:
    errors: list[OSError] = []
    journal = filled(tmp_path, [1], on_error=errors.append, sync_every_s=0.01)
    eventually(lambda: journal.synced_seq == 1, "synced")
    read_end, write_end = os.pipe()  # a pipe cannot be synced
    os.dup2(write_end, journal._fd)
    journal.append(2, a_moment(2), an_event(2))
    eventually(lambda: len(errors) > 0, "told")
    assert journal.synced_seq == 1
    with pytest.raises(OSError, match="Invalid argument"):
        journal.close()
    os.close(read_end)
    os.close(write_end)


def test_the_fingerprint_follows_the_source() -> None:
    assert core_fingerprint() == core_fingerprint()
    assert len(core_fingerprint()) == 16


# --- in a process of its own ------------------------------------------------------------------------------------------------
WRITER = """
import sys
from pathlib import Path
from tests_journal import a_journal, a_moment, an_event
journal = a_journal(Path(sys.argv[1]), segment_bytes_max=20_000)
restored = journal.restore()
seq = restored.inputs[-1].seq if restored.inputs else restored.state_seq
journal.begin(seq)
while True:
    seq += 1
    journal.append(seq, a_moment(seq), an_event(seq))
    print(seq, flush=True)       # "performed"
    if seq % 500 == 0:
        journal.snapshot(b"of %d" % seq, seq)
        journal.prune(seq)
"""

FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
from tests_journal import a_journal, a_moment, an_event
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = a_journal(Path(sys.argv[1]))
journal.begin(0)
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
failed = []
limit(1000)                        # in the middle of a line
for seq in range(1, 21):
    if seq == 18:
        limit(resource.RLIM_INFINITY)   # room again
    try:
        journal.append(seq, a_moment(seq), an_event(seq))
    except OSError:
        failed.append(seq)
needed = journal.needs_snapshot
if sys.argv[2] == "snapshot":
    journal.snapshot(b"of 20", 20)
    journal.append(21, a_moment(21), an_event(21))
journal.close()
print(json.dumps([failed, needed, journal.needs_snapshot]))
"""


def run_script(script: str, *arguments: str) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    code = (
        f"import sys; sys.path.insert(0, {str(here)!r}); import test_journal; sys.modules['tests_journal'] = test_journal\n"
        + script
    )
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_of_writing_again_and_again(tmp_path: Path) -> None:
    done = 0
    for after_lines in (1, 37, 400, 733, 1203):
        process = run_script(WRITER, str(tmp_path))
        assert process.stdout is not None
        performed = [int(process.stdout.readline()) for _ in range(after_lines)]
        process.send_signal(signal.SIGKILL)
        performed += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.stdout.close()
        process.wait()
        assert performed[0] == done + 1
        restored = a_journal(tmp_path).restore()
        assert restored.dropped_inputs == 0
        done = restored.inputs[-1].seq if restored.inputs else restored.state_seq
        # Each input that was acted on is there; at most one more, whose commands were never performed.
        assert done - performed[-1] in (0, 1)
        if restored.state is not None:
            assert restored.state == b"of %d" % restored.state_seq
        assert seqs(restored) == list(range(restored.state_seq + 1, done + 1))
        assert [each.event for each in restored.inputs] == [an_event(seq) for seq in seqs(restored)]


@pytest.mark.parametrize("then", ["crash", "snapshot"])
def test_a_full_disk_is_told_and_the_next_snapshot_mends_it(tmp_path: Path, then: str) -> None:
    process = run_script(FULL_DISK, str(tmp_path), then)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    failed, needed, still_needed = json.loads(output)
    assert needed
    assert failed
    assert failed == list(range(failed[0], 18))
    restored = a_journal(tmp_path).restore()
    if then == "snapshot":
        assert not still_needed
        assert (restored.state, seqs(restored), restored.dropped_inputs) == (b"of 20", [21], 0)
    else:
        assert seqs(restored) == list(range(1, failed[0]))
        assert restored.dropped_inputs == 3


def test_what_no_restart_needs_is_removed_by_its_age_and_nothing_else(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 4)).close()
    # a run that a later one did not go on from, a format of before, a draft
    lost = filled(tmp_path, range(4, 9))
    lost.snapshot(b"{}", 8)
    lost.close()
    journal = filled(tmp_path, range(4, 6))
    journal.snapshot(b"{}", 5)
    journal.append(6, a_moment(6), an_event(6))
    (tmp_path / "inputs-000000-000001.jsonl").write_text('{"format":0}\n')
    (tmp_path / "state-000000-000000000001.json.new").write_text("x")
    before = a_journal(tmp_path).restore()
    names = {path.name for path in tmp_path.iterdir()}
    assert journal.sweep(time.time() - 3600) == 0, "all of it is young"
    for path in tmp_path.iterdir():
        os.utime(path, (1.0, 1.0))
    assert journal.sweep(time.time() - 3600) == 3
    assert names - {path.name for path in tmp_path.iterdir()} == {
        "inputs-000000-000001.jsonl",
        "state-000000-000000000001.json.new",
        "state-000002-000000000008.json",
    }
    after = a_journal(tmp_path).restore()
    assert (after.state_seq, seqs(after)) == (before.state_seq, seqs(before))
    journal.close()

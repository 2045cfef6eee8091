"""Recorded calls beside unrecorded ones, in turns of one run: whether a sample is missing, and what recording costs Asterisk.

    python tests/bench/bench_recording.py                              # about 3 minutes; as root
    BENCH_CALLS=20 BENCH_SECONDS=10 BENCH_TURNS=1 python tests/bench/bench_recording.py

Both sides of each call send counted sound (`ccserver.lab.counted`); what of it is in the archive's files is counted.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from side_by_side.center import CALLERS_AT, PBX, PHONES_AT, Center
from side_by_side.sip import Dialog, Endpoint
from side_by_side.voices import Voices

from ccserver.lab import audio, namespace
from ccserver.lab.counted import arrived

CALLS = int(os.environ.get("BENCH_CALLS", "50"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
TURNS = int(os.environ.get("BENCH_TURNS", "2"))
UNRECORDED, RECORDED = 0, 1
"""Queues, by their numbers."""
BEGIN_S, END_S, ARCHIVE_S = 60.0, 30.0, 300.0
PLACED_EVERY_S = 0.1
RATE = 8000


@dataclass
class Cost:
    """CPU of Asterisk and of the daemon while all calls talked."""

    asterisk_s: float = 0.0
    daemon_s: float = 0.0


class Turn:
    """So many calls at once through one queue."""

    def __init__(self, center: Center, queue: int) -> None:
        self._center, self._queue = center, queue
        self._callers_voices, self._phones_voices = Voices(CALLERS_AT[0]), Voices(PHONES_AT[0])
        self._up: dict[str, Dialog] = {}
        self._talks = 0

    async def run(self) -> Cost:
        self._callers = await Endpoint.open(*CALLERS_AT, PBX, self._told(self._callers_voices, is_caller=True))
        self._phones = await Endpoint.open(*PHONES_AT, PBX, self._told(self._phones_voices, is_caller=False))
        self._callers.audio_port, self._phones.audio_port = self._callers_voices.port, self._phones_voices.port
        for voices in (self._callers_voices, self._phones_voices):
            voices.start()
        try:
            for number in range(CALLS):
                self._callers.call(f"5{self._queue:03d}", f"+3491{number:07d}")
                await asyncio.sleep(PLACED_EVERY_S)
            await self._until(lambda: self._talks == CALLS, BEGIN_S, "calls that talk")
            before = self._center.cpu_s()
            await asyncio.sleep(SECONDS)
            after = self._center.cpu_s()
            for dialog in list(self._phones.dialogs.values()):
                self._phones.bye(dialog)
            await self._until(lambda: not self._callers.dialogs and not self._phones.dialogs, END_S, "the end of all calls")
            return Cost(after[0] - before[0], after[1] - before[1])
        finally:
            for each in (self._callers, self._phones, self._callers_voices, self._phones_voices):
                each.close()
            await asyncio.sleep(0)  # a closed socket is given back in the loop's next round

    def _told(self, voices: Voices, *, is_caller: bool):  # type: ignore[no-untyped-def]
        def told(what: str, dialog: Dialog) -> None:
            if what == "up":
                voices.add(dialog)
                if is_caller:
                    self._up[dialog.call_id] = dialog
                else:
                    self._talks += 1
            elif what in ("ended", "refused"):
                voices.drop(dialog)
                self._up.pop(dialog.call_id, None)

        return told

    @staticmethod
    async def _until(is_so, within_s: float, what: str) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {within_s:.0f} s: {what}")
            await asyncio.sleep(0.2)


def archived(center: Center, calls: int) -> list[Path]:
    """The files of all calls, once they are in the archive."""
    deadline = time.monotonic() + ARCHIVE_S
    while True:
        with closing(sqlite3.connect(f"file:{center.directory}/history.db?mode=ro", uri=True)) as history:
            done = [row[0] for row in history.execute("SELECT path FROM archive_files WHERE state='done'")]
        if len(done) >= calls:
            return [center.shared / "rec" / path for path in done]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(done)} of {calls} calls are in the archive after {ARCHIVE_S:.0f} s")
        time.sleep(0.5)


def count(files: list[Path]) -> None:
    lost, found, again, shortest_s = [0, 0], [0, 0], 0, float("inf")
    for file in files:
        for side, samples in enumerate(audio.read(file)[1]):
            seen = arrived(samples)
            if seen is None:
                raise RuntimeError(f"{file}: nothing is on side {side}")
            lost[side] += seen.lost
            found[side] += seen.samples
            again += seen.again
            shortest_s = min(shortest_s, seen.samples / RATE)
    for side, name in enumerate(("customers", "agents")):
        print(f"  {name}: {found[side]} samples found, {lost[side]} missing between the first and the last of each call")
    print(f"  {again} milliseconds are there twice; the shortest side has {shortest_s:.2f} s of sound")


async def main(directory: Path) -> None:
    center = Center(directory, CALLS, 2, frozenset({RECORDED}))
    center.start()
    try:
        center.log_in()
        cost = {UNRECORDED: Cost(), RECORDED: Cost()}
        for turn in range(TURNS):
            for queue in (UNRECORDED, RECORDED):
                one = await Turn(center, queue).run()
                cost[queue].asterisk_s += one.asterisk_s
                cost[queue].daemon_s += one.daemon_s
                archived(center, CALLS * (turn + (queue == RECORDED)))
        files = archived(center, CALLS * TURNS)
        print(
            f"{CALLS} calls at once for {SECONDS:.0f} s, {TURNS} turns each; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
        )
        count(files)
        talked_s = CALLS * SECONDS * TURNS
        for name in ("asterisk_s", "daemon_s"):
            plain, recorded = (getattr(cost[queue], name) * 1000 / talked_s for queue in (UNRECORDED, RECORDED))
            ratio = recorded / plain if plain else float("nan")
            print(f"  CPU of {name[:-2]}: {plain:.2f} ms for each second of a call, recorded {recorded:.2f} ms: {ratio:.2f}x")
    finally:
        center.close()


if __name__ == "__main__":
    namespace.enter()
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))

"""`make demo` keeps its word: its summary is true, two run side by side, and nothing stays behind.

The demos run in namespaces of their own, so this module needs no fixture of the harness.
"""

import asyncio
import csv
import json
import os
import signal
import sqlite3
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.waiting import until

NAMESPACES = ("net", "mnt", "pid")


@dataclass(slots=True)
class Demo:
    """One demo as a person starts it, in a process group of its own as a shell would give it."""

    directory: Path
    json: Path
    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(cls, directory: Path, **wishes: str) -> "Demo":
        directory.mkdir()
        result, log = directory / "summary.json", directory / "out"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ccserver.lab.demo"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={**os.environ, "DEMO_DIR": str(directory), "DEMO_JSON": str(result), **wishes},
            )
        return cls(directory, result, process, log)

    def said(self, text: str) -> bool:
        assert self.process.returncode is None or text in self.log.read_text(), self.log.read_text()
        return text in self.log.read_text()

    def belongings(self) -> list[Path]:
        """The /proc directories of its processes: all of them inherit DEMO_DIR."""
        mark = f"DEMO_DIR={self.directory}".encode()
        return [path for path in Path("/proc").glob("[0-9]*") if mark in _content(path / "environ").split(b"\0")]

    def namespaces(self) -> set[str]:
        """Those of its processes that are not ours."""
        ours = {_link(Path("/proc/self/ns") / kind) for kind in NAMESPACES}
        return {_link(path / "ns" / kind) for path in self.belongings() for kind in NAMESPACES} - ours - {""}

    async def __aenter__(self) -> "Demo":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def ends(self, deadline_s: float) -> None:
        code = await asyncio.wait_for(self.process.wait(), deadline_s)
        assert code == 0, self.log.read_text()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended, or is the kernel's own
        return b""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


async def assert_nothing_left(demo: Demo, namespaces: set[str]) -> None:
    """No process, no namespace, no mount of this demo."""
    assert len(namespaces) >= len(NAMESPACES), f"the demo had no namespaces of its own: {namespaces}"
    await until(lambda: not demo.belongings(), what="the end of the demo's processes")
    # A killed process keeps its namespaces for a moment after its environment has gone.
    await until(
        lambda: not namespaces & {_link(each) for each in Path("/proc").glob("[0-9]*/ns/*")},
        5,
        what="the end of its namespaces",
    )
    mounted = [each for each in Path("/proc").glob("[0-9]*/mountinfo") if str(demo.directory).encode() in _content(each)]
    assert not mounted


def assert_true(demo: Demo) -> dict[str, object]:
    """The summary equals history, Asterisk's own records, and the recordings that can be played."""
    told = json.loads(demo.json.read_text())
    with sqlite3.connect(demo.directory / "state" / "ccserver.db") as history:
        outcomes = dict(history.execute("SELECT outcome, COUNT(*) FROM queue_visits GROUP BY outcome"))
        waits, within, over = history.execute(
            "SELECT AVG(wait_s) FILTER (WHERE outcome = 'answered'), SUM(is_within_service_level), "
            "COUNT(*) FILTER (WHERE outcome <> 'short_abandoned') FROM queue_visits"
        ).fetchone()
        by_queue = dict(history.execute("SELECT queue, COUNT(*) FROM queue_visits GROUP BY queue"))
        interactions = history.execute("SELECT COUNT(*), COUNT(DISTINCT interaction) FROM interactions").fetchone()
        dispositions = history.execute("SELECT COUNT(*) FROM interactions WHERE disposition IS NOT NULL").fetchone()[0]
    assert told["offered"] == sum(outcomes.values())
    assert told["answered"] == outcomes.get("answered", 0)
    assert told["abandoned"] == outcomes.get("abandoned", 0)
    assert told["short_abandoned"] == outcomes.get("short_abandoned", 0)
    assert told["asa_s"] == pytest.approx(waits, abs=0.002)
    assert told["service_level"] == pytest.approx(within / over, abs=0.001)
    assert {queue: each["offered"] for queue, each in told["queues"].items() if each["offered"]} == by_queue
    assert interactions == (told["callers"], told["callers"])
    assert (told["repairs"], told["faults"]) == (0, 0)

    with Path(told["cel"]).open(newline="") as records:
        joined = {row[2] for row in csv.reader(records) if row[0] == "BRIDGE_ENTER" and row[5] == "cc-agent"}
    assert told["answered"] == len(joined)
    assert told["recordings"] == told["answered"] == len([each for each in demo.directory.rglob("*.wav") if _is_stereo(each)])
    return {**told, "dispositions": dispositions}


def _is_stereo(path: Path) -> bool:
    with wave.open(str(path)) as file:
        frames = file.readframes(file.getnframes())
        return file.getnchannels() == 2 and len(frames) == file.getnframes() * 4 and any(frames)


@pytest.mark.deadline(300)
async def test_the_summary_is_true_for_two_demos_side_by_side_and_nothing_stays(tmp_path: Path) -> None:
    async with (
        await Demo.start(tmp_path / "first", DEMO_SECONDS="40", DEMO_SEED="1") as first,
        await Demo.start(tmp_path / "second", DEMO_SEED="2") as second,  # until Ctrl-C
    ):
        for demo in (first, second):
            await until(lambda demo=demo: demo.said("callers come now"), 120, what="the demo's start")
        await until(lambda: second.said("talking="), 60, what="a talk in the second demo")
        namespaces = first.namespaces(), second.namespaces()
        assert not namespaces[0] & namespaces[1]
        os.killpg(second.process.pid, signal.SIGINT)  # as the terminal does
        await second.ends(60)
        await first.ends(100)
    for demo, own in zip((first, second), namespaces, strict=True):
        await assert_nothing_left(demo, own)
        told = assert_true(demo)
        assert int(str(told["answered"])) >= 1
        # Agents type how it ended on a real keypad, in both ways there are.
        assert told["dispositions"] == told["answered"]
        print(f"{demo.directory.name}: started in {told['started_s']} s, {told['answered']} of {told['offered']} answered")


@pytest.mark.deadline(180)
async def test_a_demo_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    async with await Demo.start(tmp_path / "killed") as demo:
        await until(lambda: demo.said("callers come now"), 120, what="the demo's start")
        namespaces = demo.namespaces()
        demo.process.kill()
        await demo.process.wait()
        await assert_nothing_left(demo, namespaces)

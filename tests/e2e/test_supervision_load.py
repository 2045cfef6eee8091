"""A hundred sessions of supervisors begin, change and end while twenty talks go on: counted sound shows that no talk misses a sample."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from harness.waiting import until
from side_by_side.center import CALLERS_AT, FIRST, PBX, PHONES_AT, Center
from side_by_side.sip import Dialog, Endpoint
from side_by_side.voices import Voices

from ccserver.lab import audio
from ccserver.lab.counted import arrived

pytestmark = pytest.mark.alone

TALKS, SUPERVISORS, SESSIONS = 20, 5, 100
MODES = ("listen", "whisper", "barge")
WAYS_OUT = ("hang_up", "hang_up", "stop", "stop", "take_down")
RTP_TIMEOUT_S = 3
RATE = 8000


@pytest.fixture
def center(asterisk_source: Path, tmp_path: Path) -> Iterator[Center]:
    made = Center(tmp_path, TALKS + SUPERVISORS, 1, frozenset({0}), rtp_timeout_s=RTP_TIMEOUT_S)
    made.start()
    made.log_in(TALKS)
    yield made
    made.close()


class Floor:
    """Twenty customers with twenty agents, whose phones and those of the supervisors are at one address."""

    def __init__(self, center: Center) -> None:
        self.center = center
        self.voices = {ip: Voices(ip) for ip, _ in (CALLERS_AT, PHONES_AT)}
        self.talking: dict[str, Dialog] = {}
        self.supervising: dict[str, Dialog] = {}
        self.ended: list[str] = []
        self.watches: dict[int, dict[str, Any]] = {}

    async def open(self) -> None:
        self.callers = await Endpoint.open(*CALLERS_AT, PBX, lambda what, dialog: self._told(what, dialog, CALLERS_AT[0]))
        self.phones = await Endpoint.open(*PHONES_AT, PBX, lambda what, dialog: self._told(what, dialog, PHONES_AT[0]))
        for endpoint in (self.callers, self.phones):
            endpoint.audio_port = self.voices[endpoint.ip].port
        for voices in self.voices.values():
            voices.start()
        self._looking = asyncio.create_task(self._look())

    def close(self) -> None:
        self._looking.cancel()
        for each in (self.callers, self.phones, *self.voices.values()):
            each.close()

    def _told(self, what: str, dialog: Dialog, ip: str) -> None:
        is_supervisor = ip == PHONES_AT[0] and int(dialog.number) >= FIRST + TALKS
        voices = self.voices[ip]
        if what == "up":
            voices.add(dialog, is_silent=is_supervisor)
            (self.supervising if is_supervisor else self.talking)[dialog.call_id] = dialog
        elif what in ("ended", "refused"):
            voices.drop(dialog)
            self.talking.pop(dialog.call_id, None)
            self.supervising.pop(dialog.call_id, None)
            if not is_supervisor:
                self.ended.append(dialog.number)

    async def _look(self) -> None:
        while True:
            found: Any = await self.ask("watches")
            self.watches = {each["id"]: each for each in found}
            await asyncio.sleep(0.2)

    async def ask(self, do: str, **arguments: object) -> Any:
        return await asyncio.to_thread(self.center.request, do, **arguments)

    async def talks_begin(self) -> None:
        for number in range(TALKS):
            self.callers.call("5000", f"+3491{number:07d}")
            await asyncio.sleep(0.1)
        await until(lambda: len(self.talking) == 2 * TALKS, 40, what="twenty talks")

    async def supervise(self, place: int, seen: Counter[str]) -> None:
        """One supervisor, again and again."""
        number, chance = str(FIRST + TALKS + place), Random(place)
        for _ in range(SESSIONS // SUPERVISORS):
            agent, mode = str(FIRST + chance.randrange(TALKS)), chance.choice(MODES)
            told = await self.ask("watch.begin", mode=mode, phone=number, agent=agent)
            session = int(told["text"].split()[1].rstrip(":"))
            await until(lambda: self._line(number) is not None, what=f"{number} is called")
            await until(lambda s=session: self._hears(s), what=f"session {session} hears a talk")
            for _ in range(chance.randrange(3)):
                mode = chance.choice(MODES)
                await self.ask("watch.mode", session=session, mode=mode)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            way = chance.choice(WAYS_OUT)
            line = self._line(number)
            assert line is not None
            if way == "stop":
                await self.ask("watch.stop", session=session)
            elif way == "hang_up":
                self.phones.bye(line)
            else:
                self.voices[PHONES_AT[0]].drop(line)
                self.phones.vanish(line)
                self.supervising.pop(line.call_id)
            await until(lambda s=session: s not in self.watches, 20, what=f"the end of session {session} by {way}")
            await until(lambda: self._line(number) is None, what=f"{number} is on hook")
            seen[way] += 1

    def _line(self, number: str) -> Dialog | None:
        return next((each for each in self.supervising.values() if each.number == number), None)

    def _hears(self, session: int) -> bool:
        return session in self.watches and self.watches[session]["interaction"] is not None

    async def talks_end(self) -> None:
        assert len(self.talking) == 2 * TALKS and not self.ended, "no session ended a talk"
        for dialog in [each for each in self.talking.values() if not each.is_caller]:
            self.phones.bye(dialog)
        await until(lambda: not self.callers.dialogs and not self.phones.dialogs, 30, what="the end of all talks")


@pytest.mark.deadline(280)
async def test_no_talk_misses_a_sample_for_a_hundred_sessions(center: Center) -> None:
    floor, seen = Floor(center), Counter[str]()
    await floor.open()
    try:
        await floor.talks_begin()
        await asyncio.gather(*(floor.supervise(place, seen) for place in range(SUPERVISORS)))
        await floor.talks_end()
    finally:
        floor.close()
    assert seen.total() == SESSIONS and set(seen) == set(WAYS_OUT), seen
    overview = await asyncio.to_thread(center.ask, "overview")
    assert (overview["repairs"], overview["faults"], overview["watches"]) == (0, 0, [])
    with closing(sqlite3.connect(f"file:{center.directory}/history.db?mode=ro", uri=True)) as history:
        one = history.execute

        def archived() -> bool:
            return one("SELECT count(*) FROM archive_files WHERE state='done'").fetchone()[0] == TALKS

        await until(archived, 60, what="all talks in the archive")
        assert one("SELECT count(*) FROM audit WHERE act IN (?, ?, ?) AND is_done", MODES).fetchone()[0] >= SESSIONS
        assert one("SELECT count(*) FROM supervisions").fetchone()[0] >= SESSIONS
        outcomes = {row[0] for row in one("SELECT outcome FROM interactions")}
        files = [center.shared / "rec" / row[0] for row in one("SELECT path FROM archive_files")]
    assert outcomes == {"answered"}
    for file in files:
        for samples in audio.read(file)[1]:
            found = arrived(samples)
            assert found is not None and found.lost == 0 and found.samples > 5 * RATE, (file, found)

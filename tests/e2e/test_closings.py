"""Exceptional closings by command and by phone, and prompts that supervisors record from a phone, on a real Asterisk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard, leave
from harness.center import PROMPTS_HZ, Center, Site, password_of, pin_of, write_prompts
from harness.cli import command, here
from harness.keypad import KEYPAD_PROMPT_MS, Desk, write_tones
from harness.ledger import Ledger

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess

SALES, GREETED = "901", "940"
TONES = {
    "cc-login-agent": 1150,
    "cc-login-pin": 1270,
    "cc-login-failed": 1390,
    "cc-hours-code": 1510,
    "cc-hours-are-open": 1630,
    "cc-hours-are-closed": 1750,
    "cc-hours-change": 1870,
    "cc-hours-closed-now": 1990,
    "cc-hours-open-now": 2110,
    "cc-invalid-code": 2230,
    "cc-prompt-code": 2350,
    "cc-prompt-unknown": 2470,
    "cc-prompt-record": 2590,
    "cc-prompt-review": 2710,
    "cc-prompt-kept": 2830,
    "cc-prompt-failed": 2950,
}
CLOSED, OLD_HZ, NEW_HZ, NEWER_HZ = PROMPTS_HZ["cc-closed"], PROMPTS_HZ["welcome"], 3070, 3190
ALWAYS = {"timezone": "UTC", "open": {"monday-sunday": "00:00-24:00"}, "code": "1"}


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory, KEYPAD_PROMPT_MS)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """101 is the supervisor. Sales goes by the office's hours."""
    closed = {"hang_up": True, "say": "cc-closed"}
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"sales": {"hours": "office", "on_closed": closed}},
    )
    whole: dict[str, Any] = made.settings()
    whole["agents"]["101"]["supervisor"] = True
    greeted = {
        "hello": {"say": "welcome", "next": "which"},
        "which": {"hours": "office", "on_open": "queue", "on_closed": "closed"},
    }
    made.more = {
        "agents": whole["agents"],
        "hours": {**whole["hours"], "office": ALWAYS},
        "recordable_prompts": {"1": {"prompt": "welcome", "language": "en"}},
        "flows": {
            **whole["flows"],
            "greeted": {"start": "hello", "nodes": {**greeted, "queue": {"enqueue": "sales"}, "closed": closed}},
        },
        "dids": {**whole["dids"], GREETED: {"flow": "greeted", "language": "en"}},
    }
    return made


async def is_turned_away(center: Center, phones: PhoneProcess, directory: Path, did: str, name: str) -> None:
    ear = directory / f"{name}.wav"
    caller = await call(center, phones, did, name, record=str(ear))
    await caller.wait("ended")
    assert audio.total_ms(audio.heard(ear, [CLOSED])[CLOSED]) >= 100


async def is_let_in(center: Center, phones: PhoneProcess, did: str, name: str) -> None:
    caller = await call(center, phones, did, name)
    await center.waiting("sales", 1)
    await leave(center, caller)


def acts(center: Center, since: int) -> list[tuple[str, str, str]]:
    return [(row["by"], row["act"], row["what"]) for row in center.rows("SELECT * FROM audit ORDER BY at")][since:]


async def test_the_office_is_closed_and_opened_by_command(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    assert (await command(center, "hours", "close", "office")).code == 0
    try:
        await is_turned_away(center, phones, tmp_path, SALES, "late")
        await is_turned_away(center, phones, tmp_path, GREETED, "later")
        assert "closed" in (await here(center, "hours", "list")).out
    finally:
        assert (await command(center, "hours", "open", "office")).code == 0
    await is_let_in(center, phones, SALES, "again")


async def test_a_supervisor_closes_and_opens_the_office_by_phone(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    known = len(acts(center, 0))
    desk = await Desk.open(phones, "1005", tmp_path, TONES)
    who = (("cc-login-agent", "101#"), ("cc-login-pin", f"{pin_of('101')}#"))
    await desk.dials("51", *who, ("cc-hours-code", "1#"), ("cc-hours-are-open", "1"), hears="cc-hours-closed-now")
    await is_turned_away(center, phones, tmp_path, GREETED, "late")
    await desk.dials("511", *who, ("cc-hours-are-closed", "1"), hears="cc-hours-open-now")
    await is_let_in(center, phones, GREETED, "again")
    assert acts(center, known) == [("agent 101", "close_hours", "office"), ("agent 101", "open_hours", "office")]


async def test_who_is_no_supervisor_or_has_no_pin_closes_nothing(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    known = len(acts(center, 0))
    desk = await Desk.open(phones, "1005", tmp_path, TONES)
    for agent, pin in (("102", pin_of("102")), ("101", "99999"), ("777", "1234")):
        await desk.dials("511", ("cc-login-agent", f"{agent}#"), ("cc-login-pin", f"{pin}#"), hears="cc-login-failed")
    who = (("cc-login-agent", "101#"), ("cc-login-pin", f"{pin_of('101')}#"))
    await desk.dials("519", *who, hears="cc-invalid-code")
    await desk.dials("529", *who, hears="cc-prompt-unknown")
    assert acts(center, known) == []
    await is_let_in(center, phones, GREETED, "caller")


# --- prompts by phone -------------------------------------------------------------------------------------------------
class Booth(Desk):
    """A desk phone on which a supervisor records the greeting: the voice is a tone."""

    async def begin(self, hz: int) -> None:
        """Dial, say who it is, and speak."""
        await self.phone.set(tone_hz=hz)
        await self.fresh_recording()
        await self.phone.call("*521")
        await self.phone.wait("up")
        for prompt, typed in (("cc-login-agent", "101#"), ("cc-login-pin", f"{pin_of('101')}#")):
            await self.heard(TONES[prompt])
            await self.phone.dtmf(typed)
        await self.speaks(1)

    async def speaks(self, takes: int) -> None:
        """After the question for the take with this number, for a second or so; the hash ends it."""
        await self.heard(TONES["cc-prompt-record"], takes * KEYPAD_PROMPT_MS - 200)
        await asyncio.sleep(1.5)  # the length of what is said
        await self.phone.dtmf("#")

    async def reviews(self, hz: int, key: str, reviews: int = 1) -> None:
        """The take is played back, then the question; one key."""
        await self.heard(hz, 300)
        await self.heard(TONES["cc-prompt-review"], reviews * KEYPAD_PROMPT_MS - 300)
        await self.phone.dtmf(key)


async def booth(phones: PhoneProcess, directory: Path) -> Booth:
    return Booth(await phones.phone("1005", password=password_of("1005")), directory, TONES)


async def is_greeted_with(center: Center, phones: PhoneProcess, directory: Path, name: str, hz: int) -> None:
    ear = directory / f"{name}.wav"
    caller = await call(center, phones, GREETED, name, record=str(ear))
    await center.waiting("sales", 1)
    await heard(ear, hz, 200)
    others = {OLD_HZ, NEW_HZ, NEWER_HZ} - {hz}
    assert not any(audio.total_ms(spans) for spans in audio.heard(ear, others).values())
    await leave(center, caller)


async def test_a_greeting_is_recorded_reviewed_and_kept_and_the_next_caller_hears_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    known = len(acts(center, 0))
    await is_greeted_with(center, phones, tmp_path, "before", OLD_HZ)
    desk = await booth(phones, tmp_path)
    await desk.begin(NEW_HZ)
    await desk.heard(NEW_HZ, 300)
    await is_greeted_with(center, phones, tmp_path, "meanwhile", OLD_HZ)
    await desk.reviews(NEW_HZ, "1")
    await desk.heard(TONES["cc-prompt-kept"])
    await desk.phone.wait("ended")
    await is_greeted_with(center, phones, tmp_path, "after", NEW_HZ)
    assert acts(center, known) == [("agent 101", "record_prompt", "welcome")]


async def test_a_second_take_is_the_one_that_is_kept(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    desk = await booth(phones, tmp_path)
    await desk.begin(NEW_HZ)
    await desk.reviews(NEW_HZ, "2")
    await desk.phone.do("tone", tone_hz=NEWER_HZ)
    await desk.speaks(2)
    await desk.reviews(NEWER_HZ, "1", reviews=2)
    await desk.heard(TONES["cc-prompt-kept"])
    await desk.phone.wait("ended")
    await is_greeted_with(center, phones, tmp_path, "after", NEWER_HZ)


async def test_who_hangs_up_without_keeping_has_changed_nothing(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    known = len(acts(center, 0))
    desk = await booth(phones, tmp_path)
    await desk.begin(OLD_HZ)
    await desk.heard(TONES["cc-prompt-review"])
    await desk.phone.hangup()
    await is_greeted_with(center, phones, tmp_path, "after", NEWER_HZ)
    assert acts(center, known) == []

"""A supervisor hears recordings on a real PBX: tones tell which one, and from where; all that is heard is on record before."""

import json
from pathlib import Path

import pytest
from harness.archive import files_of, shelf_of
from harness.center import CALLER_HZ, Center, Site, pin_of
from harness.floor import VOICES, Floor, FloorSite, story
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.archive import sealing
from ccserver.config.key_files import new_key, read_key
from ccserver.daemon.tapes import FOLDER
from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess
from ccserver.store import archive

LEAD, HEAR = "103", "*66"
TOLD_HZ = {
    "cc-recording-none": 2360,
    "cc-recording-no-more": 2420,
    "cc-recording-deleted": 2480,
    "cc-recording-sealed": 2540,
    "cc-recording-missing": 2600,
    "cc-recording-over": 2660,
}
QUIET_MS = 100
FIRST_S = 12.0
"""How long 101 talks before 102 does, in the call in which the supervisor skips."""


class ArchiveSite(FloorSite):
    """103 may hear recordings of their team, which 101 and 102 are of; 104 may listen to all, and hear no recordings. Sealed."""

    def settings(self) -> dict[str, object]:
        whole = super().settings()
        for agent in ("101", "102", LEAD):
            whole["agents"][agent]["team"] = "day"
        whole["agents"][LEAD]["role"] = "lead"
        plain = {**Site.settings(self)["agents"]["104"], "skills": {}}
        whole["agents"] |= {"104": {**plain, "role": "ear", "team": "night"}, "105": {**plain, "team": "day"}}
        whole["roles"] = {"lead": {"may": ["recordings"]}, "ear": {"may": ["listen"], "over": "all"}}
        whole["queues"]["sales"]["record"] = True
        whole["recording"] |= {"format": "auto", "key_file": str(self.directory / "recordings.key")}
        return whole


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> ArchiveSite:
    for language in ("en", "es"):
        for prompt, hz in TOLD_HZ.items():
            audio.write_tone(shared_directory / "prompts" / language / f"{prompt}.wav", hz, 400)
    made = ArchiveSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    new_key(made.directory / "recordings.key")
    return made


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def supervisor(floor: Floor) -> Phone:
    lead = await floor.agent(LEAD)
    await floor.center.ask("agent.pause", agent=LEAD, reason="lunch")
    return lead


async def a_call(floor: Floor, books: Ledger, name: str = "customer") -> int:
    """101 and a customer have talked for a moment, and it is in the archive; its number."""
    if "101" not in floor.phones:
        await floor.agent("101")
    customer = await floor.customer(name=name)
    await floor.center.agent_is("101", "talking")
    await floor.hears(name, "101", ms=2500)
    await customer.hangup()
    await floor.center.agent_is("101", "ready")
    await books.center.quiet()
    number: int = books.calls()[-1]["interaction"]
    await files_of(floor.center, number)
    return number


async def told(floor: Floor, prompt: str, ear: str = LEAD) -> None:
    await until(lambda: floor.ear(ear).ms(TOLD_HZ[prompt]) >= 200, what=f"{ear} hears {prompt}")


def heard(center: Center) -> list[tuple[str, str, int | None, int]]:
    rows = center.rows("SELECT * FROM audit WHERE act LIKE 'recording_hea%' ORDER BY at, seq")
    return [(row["by"], row["act"], row["interaction"], row["is_done"]) for row in rows]


async def on_record(center: Center, *expected: tuple[str, int | None, int], since: int = 0) -> None:
    """Waits until history has these of 103, in this order: the act, the call, whether it was done."""
    wanted = [(f"agent {LEAD}", *each) for each in expected]
    await until(lambda: heard(center)[since:] == wanted, what=f"{wanted}, there are {heard(center)[since:]}")


def laid_ready(center: Center) -> list[Path]:
    folder = center.site.shared / "rec" / FOLDER
    return list(folder.iterdir()) if folder.exists() else []


async def nothing_ready(center: Center) -> None:
    await until(lambda: not laid_ready(center), what="no recording that is laid ready")


@pytest.mark.deadline(200)
async def test_the_newest_is_heard_then_the_one_before_with_skips_and_all_is_on_record(
    floor: Floor, books: Ledger, center: Center
) -> None:
    await floor.agent("101")
    await floor.agent("102")
    customer = await floor.customer()
    await center.agent_is("101", "talking")
    since = floor.ear("customer").ms(VOICES["101"])
    await until(lambda: floor.ear("customer").ms(VOICES["101"]) - since >= FIRST_S * 1000, 30, what="a longer talk")
    await floor.asks("101", "*1", "102")
    await floor.hears("customer", "102", ms=6000)
    await customer.hangup()
    call = await story(books)
    older = call["interaction"]
    await files_of(center, older)
    await center.agent_is("101", "ready")
    await center.ask("agent.pause", agent="102", reason="lunch")
    newer = await a_call(floor, books, "customer2")
    lead = await supervisor(floor)
    ear = floor.ear(LEAD)

    await lead.call(f"{HEAR}101")
    await floor.hears(LEAD, "101", "customer", ms=500)
    assert heard(center)[-1] == (f"agent {LEAD}", "recording_hear", newer, 1), "on record before"
    (file,) = laid_ready(center)
    assert file.suffix == ".wav"
    await told(floor, "cc-recording-over")
    assert ear.ms(VOICES["102"]) <= QUIET_MS

    await lead.dtmf("7")
    await floor.hears(LEAD, "101", "customer", ms=700)
    assert ear.ms(VOICES["102"]) <= QUIET_MS, "102 talks after 101"
    assert heard(center)[-2:] == [
        (f"agent {LEAD}", act, n, 1) for act, n in (("recording_heard", newer), ("recording_hear", older))
    ]
    await lead.dtmf("6")
    await floor.hears(LEAD, "102", "customer", ms=700)
    await lead.dtmf("4")
    await floor.hears(LEAD, "101", ms=500)
    before = ear.ms(VOICES["102"])
    await floor.hears(LEAD, "101", ms=700)
    assert ear.ms(VOICES["102"]) - before <= QUIET_MS, "ten seconds back 101 talked"
    await lead.dtmf("7")
    await told(floor, "cc-recording-no-more")
    await floor.hears(LEAD, "101", ms=300)
    await lead.dtmf("9")
    await until(lambda: heard(center)[-1][1:3] == ("recording_hear", newer), what="the newer one again")
    await floor.hears(LEAD, "101", ms=300)
    await lead.dtmf("0")
    await lead.wait("ended")
    await nothing_ready(center)
    both = ("recording_hear", "recording_heard")
    await on_record(center, *((act, n, 1) for n in (newer, older, newer) for act in both))
    lengths = [row["what"] for row in center.rows("SELECT what FROM audit WHERE act='recording_heard' ORDER BY at, seq")]
    assert all(
        what.startswith(f"PJSIP/1003, recording of call {n}, ") for what, n in zip(lengths, (newer, older, newer), strict=True)
    )
    seconds = int(lengths[1].split()[-2])
    assert 2 <= seconds <= 20, lengths


async def test_who_may_not_hears_nothing_and_is_on_record(floor: Floor, books: Ledger, center: Center) -> None:
    await a_call(floor, books)
    since = len(heard(center))
    lead = await supervisor(floor)
    await lead.call(f"{HEAR}104")
    await floor.is_told(LEAD, "cc-not-allowed")
    await lead.wait("ended")
    agent = floor.phones["101"]
    await agent.call(f"{HEAR}102")
    await floor.is_told("101-2", "cc-login-agent")
    await agent.dtmf("104#")
    await floor.is_told("101-2", "cc-login-pin")
    await agent.dtmf(f"{pin_of('104')}#")
    await floor.is_told("101-2", "cc-login-failed")
    await agent.wait("ended")
    await on_record(center, ("recording_hear", None, 0), since=since)
    assert floor.ear(LEAD).ms(CALLER_HZ) <= QUIET_MS and not laid_ready(center)


async def test_what_is_sealed_deleted_or_missing_is_told_in_words(floor: Floor, books: Ledger, center: Center) -> None:
    numbers = [await a_call(floor, books, f"customer{n}") for n in range(2, 6)]
    missing, sealed, gone, good = numbers
    shelf = shelf_of(center)
    other = new_key(center.site.directory / f"other-{sealed}.key")
    assert shelf.edge.key is not None
    files = {number: (await files_of(center, number))[0] for number in numbers}
    shelf.path(files[missing]).unlink()
    keys = {**shelf.edge.keys, other.id: read_key(center.site.directory / f"other-{sealed}.key").secret}
    assert sealing.rewrap(shelf.path(files[sealed]), keys, other.id)
    archive.put_key(shelf.store, files[sealed], other.id)
    assert shelf.remove(files[gone], "tried", "a test")
    shelf.store.close()
    since = len(heard(center))
    lead = await supervisor(floor)
    await lead.call(HEAR)
    await lead.wait("up")
    await until(floor.ear(LEAD).file.exists, what="the supervisor's call")
    await lead.dtmf("101#")
    await floor.hears(LEAD, "101", "customer", ms=400)
    for prompt in ("cc-recording-deleted", "cc-recording-sealed", "cc-recording-missing"):
        before = floor.ear(LEAD).ms(CALLER_HZ)
        await lead.dtmf("7")
        await told(floor, prompt)
        assert floor.ear(LEAD).ms(CALLER_HZ) - before <= 3 * QUIET_MS
    await lead.hangup()
    await nothing_ready(center)
    await on_record(
        center,
        ("recording_hear", good, 1),
        ("recording_heard", good, 1),
        *(("recording_hear", number, 0) for number in (gone, sealed, missing)),
        since=since,
    )


async def test_where_there_is_no_recording_that_is_told(floor: Floor, center: Center) -> None:
    lead = await supervisor(floor)
    await lead.call(f"{HEAR}105")
    await told(floor, "cc-recording-none")
    await lead.wait("ended")


async def test_a_daemon_that_is_killed_leaves_nothing_open_for_the_next(floor: Floor, books: Ledger, center: Center) -> None:
    books.may_repair = True
    number = await a_call(floor, books)
    lead = await supervisor(floor)
    await lead.call(f"{HEAR}101")
    await floor.hears(LEAD, "101", "customer", ms=300)
    assert len(laid_ready(center)) == 1
    await center.daemon.kill()
    assert len(laid_ready(center)) == 1
    await center.restart()
    assert not laid_ready(center)
    await lead.wait("ended")
    await until(lambda: heard(center)[-1][1:3] == ("recording_heard", number), what="its length on record")
    await lead.call(f"{HEAR}101")
    await floor.hears(f"{LEAD}-2", "101", "customer", ms=300)
    await lead.hangup()
    await nothing_ready(center)


async def test_a_role_that_is_taken_away_ends_the_hearing(floor: Floor, books: Ledger, center: Center) -> None:
    await a_call(floor, books)
    lead = await supervisor(floor)
    await lead.call(f"{HEAR}101")
    await floor.hears(LEAD, "101", "customer", ms=300)
    path = center.site.directory / "ccserver.yaml"
    whole = path.read_text()
    changed = json.loads(whole)
    changed["roles"]["lead"]["may"] = ["listen"]
    path.write_text(json.dumps(changed))
    try:
        await center.ask("reload")
        await lead.wait("ended")
        await nothing_ready(center)
    finally:
        path.write_text(whole)
        await center.ask("reload")

"""An agent's day on a headset: dialled once, and everything comes on that line. Tones prove who hears whom."""

import re
from pathlib import Path

import pytest
from conftest import AGI_PORT
from harness.calls import call, heard
from harness.center import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Center, Site, password_of, pin_of, write_prompts
from harness.keypad import KEYPAD_PROMPT_MS, Desk, hears_so_far, prompts_in, signed_in, write_tones
from harness.ledger import Ledger
from harness.waiting import PATIENCE_S, until

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess

TONES = {
    "cc-login-agent": 1150,
    "cc-login-pin": 1270,
    "cc-login-done": 1390,
    "cc-headset-on": 1510,
    "cc-ready": 1630,
    "cc-not-ready": 1750,
    "cc-state-ready": 1870,
    "cc-state-not-ready": 1990,
    "cc-logged-out": 2110,
    "cc-disposition-done": 2230,
    "cc-invalid-code": 2350,
    "cc-beep": 2470,
    "sales-name": 2590,
    "cc-call-lost": 2710,
}
OTHER_HZ = 1100
RTP_TIMEOUT_S, RETURN_S = 3, 8
SALES, SUPPORT, NAMED = "901", "902", "903"
"""Nothing, a beep and the queue's name before the customer."""


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    write_prompts(shared_directory)
    write_tones(shared_directory, TONES)
    return AsteriskValues(
        ami_secret="ami-secret-1",
        agi_secret="agi-secret-1",
        agi_port=AGI_PORT,
        qualify_s=2,
        rtp_timeout_s=RTP_TIMEOUT_S,
        music_directory=str(shared_directory / "music"),
        recordings_directory=str(shared_directory / "rec"),
    )


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={
            "sales": {"headset_notice": "nothing", "wrap_up_s": 30},
            "support": {"headset_notice": "beep", "wrap_up": "none"},
            "named": {"headset_notice": "name", "name_prompt": "sales-name", "wrap_up": "none"},
        },
    )
    prompts = {**made.settings()["prompts"], "sales-name": {"en": "sales", "es": "ventas"}}
    made.more = {"prompts": prompts, "agent_rules": {"headset_return_s": RETURN_S}}
    return made


class Headset(Desk):
    """A phone whose line stays."""

    async def connect(self, agent: str, *, with_pin: bool = True) -> None:
        """Dial the code and be the agent's line."""
        ear = await self.fresh_recording()
        await self.phone.call("*18")
        await self.phone.wait("up")
        expected: list[str] = []
        for prompt, typed in (("cc-login-agent", f"{agent}#"), ("cc-login-pin", f"{pin_of(agent)}#")) if with_pin else ():
            expected.append(prompt)
            await hears_so_far(ear, expected, tones=self.tones)
            await self.phone.dtmf(typed)
        await until(lambda: "cc-headset-on" in self.said(), what="the line is connected")

    def said(self) -> list[str]:
        return prompts_in(self.ear, self.tones)

    async def types(self, center: Center, digits: str, hears: str) -> None:
        """Type on the silent line, hear the answer once more than before."""
        await until(lambda: re.search(r" 1 +\S+ +holding_bridge", center.pbx.cli("bridge show all")), what="a parked line")
        before_ms = audio.total_ms(audio.heard(self.ear, [self.tones[hears]])[self.tones[hears]])
        await self.phone.dtmf(digits)
        await self.heard(self.tones[hears], before_ms + KEYPAD_PROMPT_MS // 2)

    @property
    def is_up(self) -> bool:
        return self.phone.count("up") > self.phone.count("ended")


async def on_a_headset(center: Center, phones: PhoneProcess, directory: Path, agent: str = "101") -> Headset:
    number = f"100{agent[-1]}"
    phone = await phones.phone(number, password=password_of(number), tone_hz=AGENT_HZ)
    headset = Headset(phone, directory, TONES)
    await headset.connect(agent)
    await center.agent_is(agent, "ready")
    return headset


async def hear_each_other(headset: Headset, ear: Path) -> None:
    """From now on: the customer hears the agent, and the agent the customer."""
    customer_ms = audio.total_ms(audio.heard(ear, [AGENT_HZ])[AGENT_HZ]) if ear.exists() else 0
    agent_ms = audio.total_ms(audio.heard(headset.ear, [CALLER_HZ])[CALLER_HZ])
    await heard(ear, AGENT_HZ, customer_ms + 300)
    await headset.heard(CALLER_HZ, agent_ms + 300)


async def test_calls_come_on_the_line_without_ringing_and_the_result_is_typed_on_it(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    headset = await on_a_headset(center, phones, tmp_path)
    for result in ("1", "2"):
        ear = tmp_path / f"customer{result}.wav"
        caller = await call(center, phones, SALES, f"caller{result}", record=str(ear))
        await hear_each_other(headset, ear)
        await caller.hangup()
        await center.agent_is("101", "wrap_up")
        await headset.phone.dtmf(result)
        await center.agent_is("101", "ready")
    assert not headset.phone.has("incoming") and headset.is_up
    await center.quiet()
    assert [row["disposition"] for row in books.calls()] == ["sold", "other"]
    assert all(books.told("offers", row, "outcome") == ["answered"] for row in books.calls())
    assert all(len(books.of("recordings", row)) == 1 for row in books.calls())
    await headset.phone.hangup()


async def test_a_beep_or_the_queues_name_comes_before_the_customer_who_hears_music_meanwhile(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    headset = await on_a_headset(center, phones, tmp_path)
    for did, notice in ((SUPPORT, "cc-beep"), (NAMED, "sales-name")):
        ear = tmp_path / f"customer{did}.wav"
        caller = await call(center, phones, did, f"caller{did}", record=str(ear))
        await headset.heard(TONES[notice])
        await hear_each_other(headset, ear)
        first_agent = audio.heard(ear, [AGENT_HZ])[AGENT_HZ][0].start_ms
        music = audio.heard(ear, [MUSIC_HZ])[MUSIC_HZ]
        assert music and music[-1].end_ms >= first_agent - 400, "music until the agent is there"
        assert not audio.total_ms(audio.heard(ear, [TONES[notice]])[TONES[notice]]), "the notice is for the agent alone"
        # The agent lets the customer go, and keeps the line.
        await headset.phone.dtmf("*0")
        await caller.wait("ended")
        await center.agent_is("101", "ready")
        assert headset.is_up
    await center.quiet()
    assert [row["ended_by"] for row in books.calls()] == ["agent", "agent"]
    await headset.phone.hangup()


async def test_codes_are_typed_on_the_line(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    headset = await on_a_headset(center, phones, tmp_path)
    await headset.types(center, "*16", "cc-state-ready")
    await headset.types(center, "*131", "cc-not-ready")
    await center.agent_is("101", "not_ready")
    caller = await call(center, phones)
    await center.waiting("sales", 1)
    await headset.types(center, "*16", "cc-state-not-ready")
    await headset.types(center, "*99", "cc-invalid-code")
    await headset.types(center, "*14", "cc-ready")
    await center.agent_is("101", "talking")
    await caller.hangup()
    await center.agent_is("101", "wrap_up")
    await headset.types(center, "*171", "cc-disposition-done")
    await center.agent_is("101", "ready")
    await headset.types(center, "*12", "cc-logged-out")
    await headset.phone.wait("ended")
    await center.agent_is("101", "logged_out")
    assert (await books.only_call())["disposition"] == "sold"


async def test_a_line_that_breaks_in_a_call_gets_its_customer_back(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    await on_a_headset(center, desk, tmp_path)
    ear = tmp_path / "customer.wav"
    caller = await call(center, phones, record=str(ear))
    await center.agent_is("101", "talking")
    await heard(ear, AGENT_HZ, 300)
    await signed_in(center, phones, "102", tmp_path, TONES, tone_hz=OTHER_HZ)
    await desk.vanish()
    await center.agent_is("101", "unreachable", RTP_TIMEOUT_S + PATIENCE_S)
    await center.waiting("sales", 1)
    await heard(ear, MUSIC_HZ, 500)
    again = Headset(await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ), tmp_path / "again", TONES)
    (tmp_path / "again").mkdir()
    await again.connect("101", with_pin=False)
    await center.agent_is("101", "talking")
    await hear_each_other(again, ear)
    await caller.hangup()
    await center.agent_is("101", "wrap_up")
    assert await center.agent_state("102") == "ready", "nobody else was asked"
    await again.phone.dtmf("1")
    await center.agent_is("101", "ready")
    await again.phone.hangup()
    row = await books.only_call()
    assert row["outcome"] == "answered"
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", row)] == [("101", "answered")] * 2


async def test_a_line_that_stays_broken_leaves_its_customer_to_another(
    center: Center, books: Ledger, phones: PhoneProcess, desk: PhoneProcess, tmp_path: Path
) -> None:
    await on_a_headset(center, desk, tmp_path)
    ear = tmp_path / "customer.wav"
    caller = await call(center, phones, SUPPORT, record=str(ear))
    await center.agent_is("101", "talking")
    await heard(ear, AGENT_HZ, 300)
    await signed_in(center, phones, "102", tmp_path, TONES, tone_hz=OTHER_HZ)
    await desk.vanish()
    await center.agent_is("102", "talking", RTP_TIMEOUT_S + RETURN_S + PATIENCE_S)
    await heard(ear, OTHER_HZ, 300)
    assert await center.agent_state("101") == "unreachable"
    await caller.hangup()
    await center.agent_is("102", "ready")
    await center.ask("agent.logout", agent="102")
    await center.ask("agent.logout", agent="101")
    row = await books.only_call()
    assert [(o["agent"], o["outcome"]) for o in books.of("offers", row)] == [("101", "answered"), ("102", "answered")]


async def test_who_hangs_up_the_line_goes_home(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    headset = await on_a_headset(center, phones, tmp_path)
    await headset.phone.hangup()
    await center.agent_is("101", "unreachable")
    await headset.connect("101", with_pin=False)
    await center.agent_is("101", "ready")
    await headset.phone.hangup()
    await center.agent_is("101", "logged_out", RETURN_S + PATIENCE_S)


async def test_the_daemon_dies_with_a_line_parked_and_with_one_in_a_talk(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    books.may_repair = True
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    talks = await on_a_headset(center, phones, tmp_path / "one", "101")
    first_ear = tmp_path / "first.wav"
    first = await call(center, phones, SUPPORT, "first", record=str(first_ear))
    await hear_each_other(talks, first_ear)
    parked = await on_a_headset(center, phones, tmp_path / "two", "102")

    await center.daemon.kill()
    await hear_each_other(talks, first_ear)
    await center.restart()
    await center.agent_is("101", "talking")
    await center.agent_is("102", "ready")
    second_ear = tmp_path / "second.wav"
    second = await call(center, phones, SUPPORT, "second", record=str(second_ear))
    await hear_each_other(parked, second_ear)

    # The talk ends while nobody looks: its line parks by itself, and is known again.
    await center.daemon.kill()
    await first.hangup()
    await first.wait("ended")
    await center.restart()
    await center.agent_is("101", "ready")
    third_ear = tmp_path / "third.wav"
    third = await call(center, phones, SUPPORT, "third", record=str(third_ear))
    await hear_each_other(talks, third_ear)
    for caller in (second, third):
        await caller.hangup()
    for agent in ("101", "102"):
        await center.agent_is(agent, "ready")
    assert talks.is_up and parked.is_up
    await talks.types(center, "*12", "cc-logged-out")
    await parked.types(center, "*12", "cc-logged-out")


async def test_asterisk_restarts_and_the_agent_dials_in_again(
    center: Center, books: Ledger, pbx: Asterisk, tmp_path: Path
) -> None:
    books.may_repair = True
    doomed = await PhoneProcess.start()
    await on_a_headset(center, doomed, tmp_path)
    pbx.kill()
    await doomed.vanish()
    pbx.start()
    await center.serving()
    await center.agent_is("101", "unreachable")
    async with await PhoneProcess.start() as phones:
        (tmp_path / "again").mkdir()
        phone = await phones.phone("1001", password=password_of("1001"), tone_hz=AGENT_HZ)
        again = Headset(phone, tmp_path / "again", TONES)
        await again.connect("101", with_pin=False)
        await center.agent_is("101", "ready")
        ear = tmp_path / "customer.wav"
        caller = await call(center, phones, SUPPORT, record=str(ear))
        await hear_each_other(again, ear)
        await caller.hangup()
        await center.agent_is("101", "ready")
        await again.types(center, "*12", "cc-logged-out")

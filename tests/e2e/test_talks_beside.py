"""What is said beside a talk, on a real PBX: notices of supervision to whom they are for, consultations in files of their own, and secrets,
which nobody is asked for while others listen."""

from pathlib import Path

import pytest
from harness.archive import decoded, files_of
from harness.center import CALLER_HZ, Center
from harness.floor import PAY_CODE, VOICES, Floor, FloorSite, story
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess

LEAD = "103"
BEEP_HZ, NOT_NOW_HZ = 1120, 2350
QUIET_MS = 100


class BesideSite(FloorSite):
    """103 may do all to everybody. Consultations are recorded too; a tone tells an agent that somebody listens."""

    def settings(self) -> dict[str, object]:
        whole = super().settings()
        whole["agents"][LEAD]["role"] = "lead"
        whole["roles"] = {"lead": {"may": ["listen", "whisper", "barge"], "over": "all"}}
        whole["supervision"] = {"notice": "tone"}
        whole["recording"]["consultations"] = True
        return whole


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> BesideSite:
    for language in ("en", "es"):
        for prompt, hz in (("cc-beep", BEEP_HZ), ("cc-watch-not-now", NOT_NOW_HZ)):
            audio.write_tone(shared_directory / "prompts" / language / f"{prompt}.wav", hz, 600)
    return BesideSite(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)


@pytest.fixture
def floor(center: Center, books: Ledger, desk: PhoneProcess, phones: PhoneProcess, tmp_path: Path) -> Floor:
    return Floor(center, desk, phones, tmp_path)


async def heard(floor: Floor, who: str, hz: int, ms: int) -> None:
    await until(lambda: floor.ear(who).ms(hz) >= ms, what=f"{who} hears {hz} Hz for {ms} ms, not {floor.ear(who).ms(hz)}")


async def test_the_tone_of_a_supervisor_is_for_the_agent_alone_and_comes_again_with_a_barge(
    floor: Floor, books: Ledger, center: Center
) -> None:
    await floor.agent("102")
    lead = await floor.agent(LEAD)
    await center.ask("agent.pause", agent=LEAD, reason="lunch")
    customer = await floor.talk()
    other = await floor.customer(name="customer2")
    await center.agent_is("102", "talking")
    await lead.call("*61101")
    await heard(floor, "101", BEEP_HZ, 300)
    await floor.hears(LEAD, "101", "customer", ms=500)
    once = floor.ear("101").ms(BEEP_HZ)
    await lead.dtmf("5")
    await floor.hears("101", LEAD, ms=500)
    assert floor.ear("101").ms(BEEP_HZ) - once <= QUIET_MS, "a whisper is heard by itself"
    await lead.dtmf("6")
    await heard(floor, "101", BEEP_HZ, once + 300)
    await floor.hears("customer", LEAD, ms=500)
    for name in ("customer", "customer2", "102"):
        assert floor.ear(name).ms(BEEP_HZ) <= QUIET_MS, name
    await lead.hangup()
    await other.hangup()
    await customer.hangup()
    for agent in ("101", "102"):
        await center.agent_is(agent, "ready")


async def test_a_consultation_has_a_file_of_its_own_with_each_agent_on_a_side(
    floor: Floor, books: Ledger, center: Center
) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    await floor.hears("101", "102", ms=1500)
    await floor.phones["101"].dtmf("*9")
    await floor.hear("customer", "101")
    await customer.hangup()
    call = await story(books)
    (child,) = [row["interaction"] for row in center.rows("SELECT * FROM interactions WHERE parent=?", call["interaction"])]
    (talk,) = await files_of(center, call["interaction"])
    (consult,) = await files_of(center, child)
    assert (talk.kind, consult.kind) == ("talk", "consult") and consult.path.endswith("-consult.wav"), (talk, consult)
    voices = {"customer": CALLER_HZ, "101": VOICES["101"], "102": VOICES["102"]}
    told = {}
    for file in (talk, consult):
        whole = await decoded(center, file)
        for side in (0, 1):
            spans = audio.heard(whole, voices.values(), side)
            told[file.kind, side] = {name for name, hz in voices.items() if audio.total_ms(spans[hz]) > 2 * QUIET_MS}
    assert told == {
        ("talk", 0): {"customer"},
        ("talk", 1): {"101"},
        ("consult", 0): {"101"},
        ("consult", 1): {"102"},
    }


@pytest.mark.parametrize("where", ["consultation", "conference"])
async def test_nobody_is_asked_for_a_secret_while_others_talk_and_the_agent_is_told_so(
    floor: Floor, books: Ledger, center: Center, where: str
) -> None:
    await floor.agent("102")
    customer = await floor.consulting()
    if where == "conference":
        await floor.phones["101"].dtmf("*3")
        await floor.hear("customer", "101", "102")
    await floor.phones["101"].dtmf(f"*8{PAY_CODE}#")
    await heard(floor, "101", NOT_NOW_HZ, 300)
    await floor.hear("101", "102", *(["customer"] if where == "conference" else []))
    for name in ("customer", "102"):
        assert floor.ear(name).ms(NOT_NOW_HZ) <= QUIET_MS, name
    if where == "conference":
        await floor.phones["102"].hangup()
        await floor.hear("customer", "101")
    await customer.hangup()
    for agent in ("101", "102"):
        await center.agent_is(agent, "ready")
    call = await story(books)
    assert len(center.rows("SELECT * FROM flow_passages WHERE interaction=?", call["interaction"])) <= 1, (
        "the way into the queue"
    )

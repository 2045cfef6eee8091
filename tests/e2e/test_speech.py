"""What callers hear of numbers, money, dates and times, on a real Asterisk and real phones.

What was heard is compared with words written here, spoken by espeak-ng itself: so nothing that the daemon decides is taken for granted.
"""

import dataclasses
import shutil
import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from harness import recognition
from harness.calls import answer, call, leave
from harness.center import PROMPTS_HZ, Center, Site, password_of, pin_of
from harness.ledger import Ledger
from harness.waiting import until

from ccserver.config import load
from ccserver.core.ids import Language, PromptId
from ccserver.lab import audio
from ccserver.lab.phones import PhoneProcess
from ccserver.speech.engines import Espeak
from ccserver.speech.library import render_prompts
from ccserver.speech.sound import read_wav, to_telephone, write_wav

DID = {
    "en": "911",
    "es": "912",
    "pt": "913",
    "it": "914",
    "twelve": "915",
    "asks": "916",
    "told": "917",
    "recorded": "918",
    "digits": "919",
}
VALUES: list[Any] = [
    {"number": "21021"},
    {"money": "221.5", "currency": "GBP"},
    {"date": "'2026-12-25'"},
    {"time": "'21:05'"},
    {"duration": "4860"},
    {"text": "'Ana Moreno'"},
    "department",  # a tone: what a phone has not played yet at a hang-up is lost
]
NAME = "Ana Moreno"
SAID = {
    "en": (
        "twenty-one thousand and twenty-one",
        "two hundred and twenty-one pounds and fifty pence",
        "December twenty-fifth, twenty twenty-six",
        "nine oh five p.m.",
        "one hour and twenty-one minutes",
    ),
    "es": (
        "veintiún mil veintiuno",
        "doscientas veintiuna libras con cincuenta peniques",
        "veinticinco de diciembre de dos mil veintiséis",
        "veintiuna horas y cinco minutos",
        "una hora y veintiún minutos",
    ),
    "pt": (
        "vinte e um mil e vinte e um",
        "duzentas e vinte e uma libras e cinquenta pence",
        "vinte e cinco de dezembro de dois mil e vinte e seis",
        "vinte e uma horas e cinco minutos",
        "uma hora e vinte e um minutos",
    ),
    "it": (
        "ventunomilaventuno",
        "duecentoventuno sterline e cinquanta pence",
        "venticinque dicembre duemilaventisei",
        "ore ventuno e cinque",
        "un'ora e ventuno minuti",
    ),
}
VOICES = {"en": "en-us", "es": "es", "pt": "pt", "it": "it"}
PORTUGUESE_PROMPTS = ("cc-queue-next", "cc-queue-position", "cc-wait-about")
PROMPT_CODE = "1"


LEAD_IN = ["department"] * 3
"""A phone is late to listen: what is said first is not judged."""


def spoken(folder: Path, name: str, text: str, language: str) -> Path:
    """`text` as espeak-ng says it, for a telephone."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, file = folder / f"{name}-{language}-raw.wav", folder / f"{name}-{language}.wav"
    Espeak().speak(text, VOICES[language], Language(language), raw)
    write_wav(file, to_telephone(*read_wav(raw)))
    return file


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    plain = Site(
        directory=tmp_path_factory.mktemp("site"),
        shared=shared_directory,
        queues={"told": {"announce_position_every_s": 60, "announce_wait": True, "expected_service_s": 100}},
    )
    base = plain.settings()
    bye = {"hang_up": True}
    flows = {
        "values": {"start": "say", "nodes": {"say": {"say": [*LEAD_IN, *VALUES], "next": "bye"}, "bye": bye}},
        "twelve": {
            "start": "say",
            "nodes": {"say": {"say": [{"number": "12"}, {"number": "13"}, "department"], "next": "bye"}, "bye": bye},
        },
        "digits": {
            "start": "say",
            "nodes": {
                "say": {"say": [*LEAD_IN, {"digits": "4074"}, {"number": "4074"}, "department"], "next": "bye"},
                "bye": bye,
            },
        },
        "recorded": {"start": "say", "nodes": {"say": {"say": ["welcome", "department"], "next": "bye"}, "bye": bye}},
        "asks": {
            "start": "menu",
            "nodes": {
                "menu": {
                    "menu": [{"text": "'what nobody hears'"}, {"number": "99"}, "department"],
                    "choices": {"7": "chosen"},
                    "timeout_s": 5,
                    "tries": 1,
                    "on_no_input": "bye",
                    "on_invalid": "bye",
                },
                "chosen": {"enqueue": "sales"},
                "bye": bye,
            },
        },
    }
    languages = {**base["languages"], "en": {"voice": "en-us"}, "pt": {}, "it": {}}
    dids = {DID[each]: {"flow": "values", "language": each} for each in SAID}
    dids |= {DID[each]: {"flow": each, "language": "es"} for each in ("twelve", "recorded", "digits")}
    dids |= {DID["asks"]: {"flow": "asks", "language": "en"}, DID["told"]: {"flow": "told", "language": "pt"}}
    agents = {**base["agents"], "101": {**base["agents"]["101"], "supervisor": True}}
    prompts = {name: dict.fromkeys(languages, "a tone") for name in base["prompts"]}
    return dataclasses.replace(
        plain,
        more={
            "languages": languages,
            "agents": agents,
            "prompts": prompts,
            "flows": {**base["flows"], **flows},
            "dids": {**base["dids"], **dids},
            "recordable_prompts": {PROMPT_CODE: {"prompt": "welcome", "language": "es"}},
        },
    )


@pytest.fixture(scope="module")
def prompts(center: Center) -> Path:
    """The folder of the prompts: those that are heard here are speech, the others stay tones."""
    edges = load(center.site.directory / "ccserver.yaml").edges
    wanted = {PromptId(name): {Language("pt"): edges.prompts[PromptId(name)][Language("pt")]} for name in PORTUGUESE_PROMPTS}
    done = render_prompts(dataclasses.replace(edges, prompts=wanted))
    assert (done.made, done.faults) == (len(PORTUGUESE_PROMPTS), ())
    return edges.asterisk.prompts_local_dir


async def hears_all(ear: Path, files: Mapping[str, Path], names: list[str]) -> None:
    """Exactly these, each of them whole, in this order."""
    found = recognition.names(recognition.heard(ear, files))
    assert found == names, f"heard {found} in {ear}"


# --- values -----------------------------------------------------------------------------------------------------------
async def test_values_are_said_in_the_language_of_each_caller(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path
) -> None:
    """Four callers at once, each in another language."""
    ears = {language: tmp_path / f"{language}.wav" for language in SAID}
    callers = [
        await call(center, phones, DID[language], language, number=f"+3491122233{n}", record=str(ears[language]))
        for n, language in enumerate(SAID)
    ]
    for caller in callers:
        await caller.wait("ended", 40)
    for language, ear in ears.items():
        expected = {
            f"{each} {number}": spoken(tmp_path / "expected", str(number), text, each)
            for each in {language, "en"}
            for number, text in enumerate((*SAID[each], NAME))
        }
        await hears_all(ear, expected, [f"{language} {number}" for number in range(len(VALUES) - 1)])
    await center.quiet()
    assert (await center.metrics())["ccserver_speech_failed_total"] == 0


async def test_what_was_said_once_is_there_at_once(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    for name in ("first", "second"):
        caller = await call(center, phones, DID["twelve"], name, record=str(tmp_path / f"{name}.wav"))
        await caller.wait("ended", 30)
    await center.quiet()
    files = {text: spoken(tmp_path / "expected", text, text, "es") for text in ("doce", "trece")}
    twelve, thirteen = recognition.heard(tmp_path / "second.wav", files)
    assert (twelve.prompt, thirteen.prompt) == ("doce", "trece")
    assert twelve.start_ms < 1500
    assert thirteen.start_ms - twelve.end_ms < 600


async def test_digits_are_said_one_by_one(center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path) -> None:
    ear = tmp_path / "ear.wav"
    caller = await call(center, phones, DID["digits"], record=str(ear))
    await caller.wait("ended", 20)
    digits = {"4": "cuatro", "0": "cero", "7": "siete"}
    files = {name: spoken(tmp_path / "expected", name, text, "es") for name, text in digits.items()}
    files["number"] = spoken(tmp_path / "expected", "number", "cuatro mil setenta y cuatro", "es")
    await hears_all(ear, files, ["4", "0", "7", "4", "number"])
    await center.quiet()


async def test_a_sites_own_recording_wins(
    center: Center, books: Ledger, phones: PhoneProcess, prompts: Path, tmp_path: Path
) -> None:
    files = {
        "ours": spoken(tmp_path / "expected", "ours", "una docena de huevos frescos", "es"),
        "spoken 12": spoken(tmp_path / "expected", "12", "doce", "es"),
        "spoken 13": spoken(tmp_path / "expected", "13", "trece", "es"),
    }
    shutil.copy(files["ours"], prompts / "es" / "number-12.wav")
    try:
        caller = await call(center, phones, DID["twelve"], record=str(tmp_path / "ear.wav"))
        await caller.wait("ended", 20)
    finally:
        (prompts / "es" / "number-12.wav").unlink()
    await hears_all(tmp_path / "ear.wav", files, ["ours", "spoken 13"])
    await center.quiet()


# --- who waits --------------------------------------------------------------------------------------------------------
async def test_a_portuguese_caller_hears_the_place_and_the_wait_in_portuguese(
    center: Center, books: Ledger, phones: PhoneProcess, prompts: Path, tmp_path: Path
) -> None:
    agent = await center.agent(phones, "101")
    busy = await call(center, phones, "901", "busy", number="+34911222444")
    await answer(center, "101", agent)
    first = await call(center, phones, DID["told"], "first", number="+34911222331")
    await center.waiting("told", 1)
    ear = tmp_path / "ear.wav"
    second = await call(center, phones, DID["told"], "second", number="+34911222332", record=str(ear))
    waits = ("um minuto", "dois minutos", "três minutos", "quatro minutos", "cinco minutos", "seis minutos")
    files = {name: prompts / "pt" / f"{name}.wav" for name in PORTUGUESE_PROMPTS}
    files |= {text: spoken(tmp_path / "expected", text, text, "pt") for text in (*waits, "dois")}
    files |= {text: spoken(tmp_path / "expected", text, text, "en") for text in ("two", "two minutes", "three minutes")}
    heard: list[str] = []

    def hears_four() -> bool:
        nonlocal heard
        heard = recognition.names(recognition.heard(ear, files))
        return len(heard) >= 4 and not heard[-1].endswith("…")

    try:
        await until(hears_four, what="the place and the wait")
    finally:
        assert heard[:3] == ["cc-queue-position", "dois", "cc-wait-about"], heard
    for caller in (first, second, busy):
        await caller.hangup()
    await center.quiet()
    visit = books.of("queue_visits", books.calls()[-1])[0]
    assert heard[3:] == [waits[ceil(visit["announced_wait_s"] / 60) - 1]]


# --- engines that fail ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "program", ["import time; time.sleep(60)", "raise SystemExit('it has a cold')"], ids=["slow", "broken"]
)
async def test_a_call_goes_on_without_the_engine(
    center: Center, books: Ledger, phones: PhoneProcess, tmp_path: Path, program: str
) -> None:
    sane = center.site.more
    command = [sys.executable, "-c", program, "{file}"]
    center.site.more = {**sane, "speech": {"engine": "command", "command": command, "timeout_s": 10}}
    center.site.write_settings()
    await center.ask("reload")
    try:
        caller = await call(center, phones, DID["asks"], "caller")
        await caller.dtmf("7", after_ms=500)
        await center.waiting("sales", 1)
        await leave(center, caller)
        ear = tmp_path / "ear.wav"
        patient = await call(center, phones, DID["asks"], "patient", record=str(ear))
        await patient.wait("ended", 25)
    finally:
        center.site.more = sane
        center.site.write_settings()
        await center.ask("reload")
    await center.quiet()
    said_hz = PROMPTS_HZ["department"]
    assert audio.total_ms(audio.heard(ear, [said_hz])[said_hz]) >= 200, "what can be said is said"


# --- recorded by phone ------------------------------------------------------------------------------------------------
async def test_a_prompt_that_a_supervisor_records_is_heard_by_the_next_caller(
    center: Center, books: Ledger, phones: PhoneProcess, prompts: Path, tmp_path: Path
) -> None:
    speech = spoken(tmp_path, "speech", "Bienvenidos a nuestra casa, hoy tenemos fiesta", "es")
    recordings = center.site.shared / "rec"
    there = set(recordings.rglob("*.wav"))
    desk = await phones.phone("1001", password=password_of("1001"), record=str(tmp_path / "desk.wav"))
    await desk.call(f"*52{PROMPT_CODE}")
    await desk.wait("up")
    await desk.dtmf("101#", after_ms=1500)
    await desk.dtmf(f"{pin_of('101')}#", after_ms=1500)
    await until(lambda: set(recordings.rglob("*.wav")) - there, what="a recording that has begun")
    await desk.play(speech)
    await desk.dtmf("#", after_ms=4500)
    await desk.dtmf("1", after_ms=2000)
    kept = prompts / "es" / "welcome.wav"
    before = kept.stat().st_mtime_ns
    await until(lambda: kept.stat().st_mtime_ns != before, what="a prompt that was kept")
    await desk.wait("ended")

    caller = await call(center, phones, DID["recorded"], record=str(tmp_path / "ear.wav"))
    await caller.wait("ended", 20)
    assert recognition.names(recognition.heard(tmp_path / "ear.wav", {"recorded": speech})) == ["recorded"]
    await center.quiet()
    assert (prompts / "es" / "welcome.wav.old").exists()

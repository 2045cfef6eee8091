"""Whole walks through the self-service example on a real Asterisk: what the caller heard, from the first word to the last.

Each phone records all that it hears. The recording is compared with the files of the prompts: every prompt in its place and in the
caller's language, none twice, nothing besides, no silence where the flow is at work, and no word after the key that cut it short.
"""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays as public_holidays
import pytest
import yaml
from conftest import AGI_PORT
from harness.center import MUSIC_HZ, Center, Site
from harness.passages import walked
from harness.walks import Hear, Library, Move, Type, Walker, story

from ccserver.agi.secrets import hash_pin
from ccserver.config.asterisk_files import AsteriskValues
from ccserver.config.shipped import examples
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.phones import PhoneProcess
from ccserver.lookups.demo import make_demo
from ccserver.speech.words import parts

pytestmark = pytest.mark.alone

STRANGER, ANA = "+34911999888", "+34911222333"
ALWAYS = {"timezone": "UTC", "open": {"monday-sunday": "00:00-24:00"}}
NEVER = {"timezone": "UTC", "open": {}}
DIDS = {"main": "960", "impatient": "961", "closed": "962", "holiday": "963"}
"""By flow: the example's, and the same where nobody waits for the caller, the office is closed, and it is a holiday."""
QUESTIONS = ("cc-language-choice", "services", "enter-order", "enter-pin", "anything-else", "nobody-there")


@pytest.fixture(scope="module")
def site_values(shared_directory: Path) -> AsteriskValues:
    """No tones: the prompts are spoken."""
    audio.write_tone(shared_directory / "music" / "tone.wav", MUSIC_HZ, 20_000)
    (shared_directory / "rec").mkdir()
    (shared_directory / "prompts").mkdir()
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
    """The example, with the phones and folders of the lab. `impatient` asks once, and waits for a second."""
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    whole, example = made.settings(), example_settings()
    make_demo(made.directory / "demo.db", hash_pin=hash_pin, today=today())
    (made.directory / "scripts").mkdir()
    (made.directory / "scripts" / "appointments.py").write_bytes(examples()["appointments.py"].read_bytes())
    main = example["flows"]["main"]
    once = {"timeout_s": 1, "tries": 1}
    impatient = _with(main, services=once, nobody=once)
    kept = ("timezone", "languages", "speech", "look_ups", "prompts", "recordable_prompts")
    made.more = {
        **{key: example[key] for key in kept},
        "skills": {**whole["skills"], **example["skills"]},
        "queues": {
            **whole["queues"],
            "service": {"name": "Service", "skills": ["service"], "music": "cc-wait", "hours": "office"},
        },
        "hours": {**whole["hours"], "office": ALWAYS, "closed": NEVER, "holiday": holiday_now()},
        "databases": {"demo": {"url": f"sqlite:///{made.directory}/demo.db"}},
        "scripts_dir": str(made.directory / "scripts"),
        "flows": {
            **example["flows"],
            "impatient": impatient,
            "closed": _with(main, opening_hours={"hours": "closed"}),
            "holiday": _with(main, opening_hours={"hours": "holiday"}),
            "sales": whole["flows"]["sales"],
        },
        "dids": {
            **{did: {"flow": flow, "language": "en"} for flow, did in DIDS.items()},
            "901": {"flow": "sales", "language": "en"},
        },
    }
    return made


def _with(flow: dict[str, Any], **changes: dict[str, Any]) -> dict[str, Any]:
    """The same flow with other keys of some nodes."""
    return {**flow, "nodes": {**flow["nodes"], **{name: {**flow["nodes"][name], **keys} for name, keys in changes.items()}}}


class _Loader(yaml.SafeLoader):
    """`on` is a key here, and not a truth."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def example_settings() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(examples()["selfservice"].read_text(encoding="utf-8"), _Loader)
    return found


def today() -> date:
    return datetime.now(tz=UTC).astimezone(ZoneInfo("Europe/Madrid")).date()


def holiday_now() -> dict[str, Any]:
    """Opening hours of a place where it is a public holiday right now: open around the clock, but for that."""
    for timezone in ("UTC", "Etc/GMT+12", "Etc/GMT-14"):
        here = datetime.now(tz=UTC).astimezone(ZoneInfo(timezone)).date()
        for country, regions in public_holidays.list_supported_countries(include_aliases=False).items():
            for region in (None, *regions):
                if here in public_holidays.country_holidays(country, subdiv=region, years=here.year):
                    place = {"country": country, **({"region": region} if region else {})}
                    return {**ALWAYS, "timezone": timezone, "holidays": place}
    raise AssertionError("a day on which nobody in the world has a holiday")


@pytest.fixture(scope="module")
def library(site: Site, pbx: Asterisk) -> Library:
    """The prompts of the walks, in both languages, spoken before the daemon starts."""
    names = {each.partition("/")[2].rstrip("…") for heard in HEARD.values() for each in heard}
    return Library(site.write(pbx.plan.values.ami_secret, pbx.plan.values.agi_secret), names)


# --- the walks ----------------------------------------------------------------------------------------------------------
ENGLISH, SPANISH = [Hear(prompt="es/dos", part=0.6), Type("1")], [Hear(prompt="es/dos", part=0.6), Type("2")]
CHOICE = ["en/cc-language-choice", "en/one", "es/cc-language-choice", "es/dos"]
DUE = (today() + timedelta(days=2)).isoformat()
DUE_SAID = f"en/{parts(Spoken(SpokenKind.DATE, DUE), Language('en'))[0].words}"
ORDER: list[Move] = [
    *ENGLISH,
    Hear(prompt="en/services", part=0.1),
    Type("2"),
    Hear(prompt="en/enter-order", part=0.5),
    Type("4711"),
    Hear(prompt="en/anything-else", part=0.3),
    Type("2"),
]
BALANCE: list[Move] = [
    *SPANISH,
    Hear(prompt="es/services", part=0.1),
    Type("4"),
    Hear(prompt="es/enter-pin", part=0.5),
    Type("1111#"),
    Hear(prompt="es/wrong-pin", part=0.9),
    Hear(prompt="es/enter-pin", part=0.5),
    Type("2580#"),
    Hear(prompt="es/anything-else", part=0.3),
    Type("2"),
]
HOURS: list[Move] = [
    *ENGLISH,
    Hear(prompt="en/services", part=0.1),
    Type("1"),
    Hear(prompt="en/anything-else", part=0.3),
    Type("2"),
]
WRONG: list[Move] = [
    *ENGLISH,
    Hear(prompt="en/services", part=0.1),
    Type("9"),
    Hear(prompt="en/not-understood", part=0.9),
    Hear(prompt="en/services", part=0.1),
    Type("1"),
    Hear(prompt="en/anything-else", part=0.3),
    Type("2"),
]
WALKS: dict[str, tuple[str, str, list[Move]]] = {
    "order": ("main", STRANGER, ORDER),
    "balance": ("main", ANA, BALANCE),
    "wrong": ("main", STRANGER, WRONG),
    "nothing": ("impatient", STRANGER, ENGLISH),
    "closed": ("closed", STRANGER, HOURS),
    "holiday": ("holiday", STRANGER, HOURS),
}
HEARD = {
    "order": [
        *CHOICE,
        "en/welcome",
        "en/special-notice",
        "en/services…",
        "en/enter-order…",
        "en/order-sent",
        DUE_SAID,
        "en/amount-is",
        "en/forty-nine euros and ninety cents",
        "en/anything-else…",
        "en/goodbye",
    ],
    "balance": [
        *CHOICE,
        "es/hello",
        "es/Ana García",
        "es/special-notice",
        "es/services…",
        "es/enter-pin…",
        "es/wrong-pin",
        "es/enter-pin…",
        "es/your-balance",
        "es/ciento veinticinco euros con cincuenta céntimos",
        "es/anything-else…",
        "es/goodbye",
    ],
    "wrong": [
        *CHOICE,
        "en/welcome",
        "en/special-notice",
        "en/services…",
        "en/not-understood",
        "en/services…",
        "en/opening-hours",
        "en/we-are-open",
        "en/anything-else…",
        "en/goodbye",
    ],
    "nothing": [*CHOICE, "en/welcome", "en/special-notice", "en/services", "en/nobody-there", "en/goodbye"],
    "closed": [
        *CHOICE,
        "en/welcome",
        "en/special-notice",
        "en/services…",
        "en/opening-hours",
        "en/we-are-closed",
        "en/anything-else…",
        "en/goodbye",
    ],
    "holiday": [
        *CHOICE,
        "en/welcome",
        "en/special-notice",
        "en/services…",
        "en/opening-hours",
        "en/it-is-a-holiday",
        "en/anything-else…",
        "en/goodbye",
    ],
}
STOPS_MS = 700
"""From the beginning of a key to the end of the prompt: the key itself takes 100 ms, and what was heard is known to 200."""


@pytest.fixture(scope="module")
def told(
    library: Library, center: Center, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Walker]:
    """All walks at the same time."""
    sounds = tmp_path_factory.mktemp("sounds")
    files = {
        **library.prompts(),
        **library.value(SpokenKind.DIGITS, "1", "en"),
        **library.value(SpokenKind.DIGITS, "2", "es"),
        **library.value(SpokenKind.TEXT, "Ana García", "es"),
        **library.value(SpokenKind.TEXT, "Ana García", "en"),
        **library.value(SpokenKind.DATE, DUE, "en"),
        **library.value(SpokenKind.MONEY, "49.9 EUR", "en"),
        **library.value(SpokenKind.MONEY, "125.5 EUR", "es"),
    }

    async def all_of_them() -> dict[str, Walker]:
        async with await PhoneProcess.start() as one, await PhoneProcess.start() as other, asyncio.TaskGroup() as together:
            walkers: dict[str, Walker] = {}
            for number, (name, (flow, caller, moves)) in enumerate(WALKS.items()):
                ear = sounds / f"{name}.wav"
                phone = await center.caller(one if number < 3 else other, name, number=caller, record=str(ear), tone_hz=0)
                walkers[name] = Walker(phone=phone, ear=ear, files=files)
                together.create_task(walkers[name].walk(DIDS[flow], moves))
        await center.quiet()
        return walkers

    return runner.run(all_of_them())


@pytest.mark.parametrize("name", WALKS)
def test_the_caller_hears_this_and_nothing_else(told: dict[str, Walker], library: Library, name: str) -> None:
    questions = [f"{language}/{each}" for language in ("en", "es") for each in QUESTIONS] + ["es/dos"]
    values = told[name].files.keys() - library.prompts().keys()
    assert story(told[name], questions=questions, new=values) == HEARD[name]


@pytest.mark.parametrize("name", WALKS)
def test_a_prompt_stops_at_the_key(told: dict[str, Walker], name: str) -> None:
    """Each key that fell into a prompt ended it."""
    walker = told[name]
    for key_ms in walker.keys_ms():
        late = [one for one in walker.whole if one.start_ms < key_ms and one.end_ms > key_ms + STOPS_MS]
        assert not late, (key_ms, late)


def test_the_record_tells_who_was_served(told: dict[str, Walker], center: Center) -> None:
    went = walked(center, 0)
    assert Counter(ending for ending, _ in went) == {"served": len(WALKS) - 1, "ended": 1}
    (nothing,) = [steps for ending, steps in went if ending == "ended"]
    assert ("services", "no_input") in nothing and nothing[-1] == ("goodbye", "passed")
    assert sum(("services", "passed x1") in steps for _, steps in went) == 1, "the wrong key"
    assert sum(("ask_pin", "passed x1") in steps for _, steps in went) == 1, "the wrong PIN"

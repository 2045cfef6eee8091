"""Callers who type: by RFC 4733, by tones in the audio and by SIP INFO, at any instant, ahead, fast, slowly, and many at once.

Each key counts exactly once. The flows are such that a key too many or too few leads elsewhere: each menu knows one key only, the
next one another, and numbers have a check digit. How callers went is read from the history of the flows.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.center import PROMPTS_HZ, Center, Site
from harness.observer import Observer
from harness.passages import enters, newest, types, walked
from harness.waiting import until

from ccserver.lab import audio
from ccserver.lab.asterisk import Asterisk
from ccserver.lab.asterisk_etc import Trunk
from ccserver.lab.phones import Phone, PhoneProcess

WALK, CHAIN, DEAF, LAX = "950", "951", "952", "953"
METHODS = ("rfc4733", "inband", "info")
TONES = "127.0.0.12"
"""The carrier whose keys are tones."""
PROMPT_MS = 600
CHAIN_KEYS = "1234"
# So many ms between two keys: each falls into the prompt of the next menu, from its start to after its end. A key is known at its
# end, some 110 ms after its beginning, and then the next prompt begins.
GAPS_MS = (*range(130, 520, 43), *range(520, 760, 12))
BYE, WRONG, SILENT, ORDER, LONG = (PROMPTS_HZ[name] for name in ("paid", "cc-closed", "cc-queue-full", "pay", "department"))
LONG_MS = 2000
CARD = "4539578763621486"
"""Passes Luhn's check."""


@pytest.fixture(scope="module")
def more_trunks() -> tuple[Trunk, ...]:
    return (Trunk(name="tones", address=TONES, dtmf_mode="inband"),)


@pytest.fixture(scope="module")
def site(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(directory=tmp_path_factory.mktemp("site"), shared=shared_directory)
    whole: dict[str, Any] = made.settings()
    for language in ("en", "es"):
        for prompt, length_ms in (("department", LONG_MS), ("welcome", PROMPT_MS), ("language", PROMPT_MS), ("pay", PROMPT_MS)):
            audio.write_tone(shared_directory / "prompts" / language / f"{prompt}.wav", PROMPTS_HZ[prompt], length_ms)
    exits = {"no_input": "silent", "invalid": "wrong", "failure": "wrong", "operator": "people", "operator_key": "*"}
    ends = {
        "wrong": {"hang_up": True, "say": "cc-closed"},
        "silent": {"hang_up": True, "say": "cc-queue-full"},
        "people": {"enqueue": "sales"},
        "bye": {"hang_up": True, "say": "paid"},
    }
    quick = {"timeout_s": 1.5, "tries": 1}
    card = {
        "collect": "pay",
        "into": "card",
        "digits": "16",
        "checksum": "luhn",
        "timeout_s": 3,
        "next_timeout_s": 1.5,
        "tries": 1,
    }
    chain = {
        f"m{n}": {"menu": "welcome", "choices": {key: f"m{n + 1}" if n < len(CHAIN_KEYS) else "bye"}, **quick}
        for n, key in enumerate(CHAIN_KEYS, 1)
    }
    walk = {
        "language": {"menu": "language", "choices": {"1": "english", "2": "spanish"}, "timeout_s": 3, "tries": 2},
        "english": {"language": "en", "next": "department"},
        "spanish": {"language": "es", "next": "department"},
        "department": {"menu": "welcome", "choices": {"3": "order"}, "timeout_s": 3, "tries": 2},
        "order": {
            "collect": "pay",
            "into": "order",
            "digits": "4-8",
            "timeout_s": 3,
            "next_timeout_s": 1.5,
            "tries": 2,
            "next": "which",
        },
        "which": {"branch": [{"when": "order == '470815'", "then": "card"}], "otherwise": "wrong"},
        "card": {**card, "next": "last"},
        "last": {"menu": "language", "choices": {"7": "bye"}, **quick},
    }
    deaf = {
        "deaf": {"menu": "department", "choices": {"5": "last"}, "can_interrupt": False, **quick},
        "last": {"menu": "language", "choices": {"7": "bye"}, **quick},
    }
    lax = {
        "menu": {"menu": "language", "choices": {"1": "number"}, "timeout_s": 1, "tries": 2},
        "number": {
            "collect": "pay",
            "into": "order",
            "digits": "4-8",
            "timeout_s": 1,
            "next_timeout_s": 1,
            "tries": 2,
            "next": "bye",
        },
    }
    flows = {
        name: {"start": next(iter(nodes)), "variables": variables, "exits": exits, "nodes": {**nodes, **ends}}
        for name, nodes, variables in (
            ("walk", walk, {"order": "text", "card": "text"}),
            ("chain", chain, {}),
            ("deaf", deaf, {}),
            ("lax", lax, {"order": "text"}),
        )
    }
    made.more = {
        "flows": {**whole["flows"], **flows},
        "dids": {
            **whole["dids"],
            **{
                did: {"flow": flow, "language": "en"}
                for did, flow in ((WALK, "walk"), (CHAIN, "chain"), (DEAF, "deaf"), (LAX, "lax"))
            },
        },
        "prompts": {**whole["prompts"], "pay": {"en": "pay", "es": "pay"}, "paid": {"en": "paid", "es": "paid"}},
    }
    return made


@pytest.fixture
def crowd(center: Center, runner: asyncio.Runner) -> Iterator[list[PhoneProcess]]:
    """Five processes of phones, of four calls each."""

    async def start() -> list[PhoneProcess]:
        return list(await asyncio.gather(*(PhoneProcess.start() for _ in range(5))))

    async def close(processes: list[PhoneProcess]) -> None:
        await asyncio.gather(*(process.close() for process in processes))

    processes = runner.run(start())
    yield processes
    runner.run(close(processes))


async def dialler(center: Center, phones: PhoneProcess, method: str, name: str = "caller", **fields: object) -> Phone:
    """A customer who types in this way. Who types by tones says nothing: a voice beside them would hide them."""
    how = {"local": TONES, "tone_hz": 0} if method == "inband" else {}
    return await center.caller(phones, name, **how, **fields)


async def over(caller: Phone, center: Center, since: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """The call has ended by itself, and its way is on record."""
    await caller.wait("ended")
    await center.quiet()
    return walked(center, since)


def passed(*nodes: str) -> list[tuple[str, str]]:
    return [(node, "passed") for node in nodes]


WHOLE = [("ended", passed("language", "spanish", "department", "order", "which", "card", "last", "bye"))]
CHAINED = passed("m1", "m2", "m3", "m4", "bye")


# --- the three ways to type -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
async def test_through_menus_and_a_number_of_many_digits(
    center: Center, phones: PhoneProcess, tmp_path: Path, method: str
) -> None:
    """One key at each prompt, as a person does."""
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await dialler(center, phones, method, record=str(ear))
    await enters(caller, WALK)
    for hz, digits in ((PROMPTS_HZ["language"], "2"), (PROMPTS_HZ["welcome"], "3"), (ORDER, "470815#"), (ORDER, CARD)):
        before_ms = _ms(ear, hz)
        await until(lambda: _ms(ear, hz) >= before_ms + 100, what=f"{hz} Hz")  # noqa: B023 - awaited at once
        await caller.dtmf(digits, method=method)
    before_ms = _ms(ear, PROMPTS_HZ["language"])
    await until(lambda: _ms(ear, PROMPTS_HZ["language"]) > before_ms)
    await caller.dtmf("7", method=method)
    assert await over(caller, center, since) == WHOLE
    assert _ms(ear, BYE) >= 100


def _ms(ear: Path, hz: int) -> int:
    return audio.total_ms(audio.heard(ear, [hz])[hz]) if ear.exists() else 0


@pytest.mark.parametrize("method", METHODS)
async def test_all_is_typed_ahead_at_once(center: Center, phones: PhoneProcess, method: str) -> None:
    since = newest(center)
    caller = await dialler(center, phones, method)
    await enters(caller, WALK)
    await caller.dtmf("23470815#", method=method)
    await caller.dtmf(CARD, method=method)
    await caller.dtmf("7", method=method)
    assert await over(caller, center, since) == WHOLE


@pytest.mark.parametrize(("method", "tone_ms", "gap_ms"), [("rfc4733", 50, 90), ("inband", 50, 100), ("info", 50, 20)])
async def test_very_fast(center: Center, phones: PhoneProcess, method: str, tone_ms: int, gap_ms: int) -> None:
    """An auto-dialler's pace; INFO has no length, and only comes."""
    since = newest(center)
    caller = await dialler(center, phones, method)
    up_at = await enters(caller, WALK)
    digits = f"23470815#{CARD}7"
    await types(caller, digits, first_at=up_at + 0.3, gap_ms=gap_ms, method=method, tone_ms=tone_ms)
    assert await over(caller, center, since) == WHOLE


@pytest.mark.parametrize("method", METHODS)
async def test_very_slowly(center: Center, phones: PhoneProcess, method: str) -> None:
    """Just within the time between two digits."""
    since = newest(center)
    caller = await dialler(center, phones, method)
    up_at = await enters(caller, WALK)
    await caller.dtmf("23", method=method)
    await types(caller, "470", first_at=up_at + 1.5, gap_ms=1250, method=method)
    await types(caller, "815", first_at=up_at + 5.25, gap_ms=200, method=method)
    await caller.dtmf(f"#{CARD}7", method=method)
    assert await over(caller, center, since) == WHOLE


async def test_ami_tells_and_agi_reads_each_key_and_it_counts_once(
    center: Center, phones: PhoneProcess, ami: Observer, pbx: Asterisk
) -> None:
    pbx.cli("agi set debug on")
    for number, method in enumerate(METHODS):
        since = newest(center)
        caller = await dialler(center, phones, method, f"caller{number}")
        up_at = await enters(caller, CHAIN)
        first, logged = len(ami.events), pbx.log.stat().st_size
        await types(caller, CHAIN_KEYS, first_at=up_at + 0.2, gap_ms=400, method=method)
        assert await over(caller, center, since) == [("ended", CHAINED)], method
        told = [
            event["Digit"] for event in ami.events[first:] if event["Event"] == "DTMFEnd" and event["Direction"] == "Received"
        ]
        answers = pbx.log.read_bytes()[logged:].decode().splitlines()
        read = [chr(int(found[1])) for line in answers if (found := re.search(r"AGI Tx >> 200 result=(\d\d)\b", line))]
        assert (told, read) == (list(CHAIN_KEYS), list(CHAIN_KEYS)), method
    pbx.cli("agi set debug off")


# --- at any instant ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
async def test_a_key_at_any_instant_of_a_prompt_counts_once(center: Center, crowd: list[PhoneProcess], method: str) -> None:
    since = newest(center)
    lanes = [await dialler(center, process, method, f"c{n}{m}") for n, process in enumerate(crowd) for m in range(2)]
    left = list(GAPS_MS)
    done: dict[int, int] = {}

    async def drive(caller: Phone) -> None:
        while left:
            gap_ms = left.pop()
            up_at = await enters(caller, CHAIN)
            await types(caller, CHAIN_KEYS, first_at=up_at + gap_ms / 1000 - 0.11, gap_ms=gap_ms, method=method)
            await caller.wait("ended")
            done[gap_ms] = done.get(gap_ms, 0) + 1

    await asyncio.gather(*(drive(caller) for caller in lanes))
    await center.quiet()
    went = walked(center, since)
    assert len(went) == len(GAPS_MS) and sorted(done) == sorted(GAPS_MS)
    assert all(steps == CHAINED for _, steps in went), [steps for _, steps in went if steps != CHAINED]


async def test_a_prompt_that_must_be_heard_is_heard_whole_and_its_key_counts(
    center: Center, phones: PhoneProcess, tmp_path: Path
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await dialler(center, phones, "rfc4733", record=str(ear))
    up_at = await enters(caller, DEAF)
    await types(caller, "57", first_at=up_at + 0.4, gap_ms=500, method="rfc4733")
    assert await over(caller, center, since) == [("ended", passed("deaf", "last", "bye"))]
    assert audio.total_ms(audio.heard(ear, [LONG])[LONG]) >= LONG_MS - 200


async def test_a_prompt_ends_at_the_key(center: Center, phones: PhoneProcess, tmp_path: Path) -> None:
    ear = tmp_path / "ear.wav"
    audio.write_tone(center.site.shared / "prompts" / "en" / "language.wav", PROMPTS_HZ["language"], 3000)
    caller = await dialler(center, phones, "rfc4733", record=str(ear))
    up_at = await enters(caller, WALK)
    await types(caller, "1", first_at=up_at + 0.5, gap_ms=0, method="rfc4733")
    await until(lambda: _ms(ear, PROMPTS_HZ["welcome"]) >= 300)
    await caller.hangup()
    await center.quiet()
    (first, *_), (second, *_) = (audio.heard(ear, [PROMPTS_HZ[p]])[PROMPTS_HZ[p]] for p in ("language", "welcome"))
    assert first.end_ms <= 1000 and second.start_ms - first.end_ms <= 300
    audio.write_tone(center.site.shared / "prompts" / "en" / "language.wav", PROMPTS_HZ["language"], PROMPT_MS)


# --- nothing, and the wrong thing -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("digits", "steps"),
    [
        ("", [("menu", "no_input x1"), ("silent", "passed")]),
        ("99", [("menu", "invalid x1"), ("wrong", "passed")]),
        ("91", [("menu", "passed x1"), ("number", "no_input x1"), ("silent", "passed")]),
        ("1123#12#", [("menu", "passed"), ("number", "invalid x1"), ("wrong", "passed")]),
        ("112345678", [("menu", "passed"), ("number", "passed"), ("bye", "passed")]),
        ("112#4711#", [("menu", "passed"), ("number", "passed x1"), ("bye", "passed")]),
        ("1*", [("menu", "passed"), ("number", "operator"), ("people", "passed")]),
    ],
    ids=[
        "nothing",
        "wrong twice",
        "wrong, right, nothing",
        "too short twice",
        "as many as may be",
        "too short, right",
        "operator",
    ],
)
async def test_no_input_and_wrong_input_lead_to_their_exits(
    center: Center, phones: PhoneProcess, tmp_path: Path, digits: str, steps: list[tuple[str, str]]
) -> None:
    since, ear = newest(center), tmp_path / "ear.wav"
    caller = await dialler(center, phones, "rfc4733", record=str(ear))
    up_at = await enters(caller, LAX)
    await types(caller, digits, first_at=up_at + 0.2, gap_ms=200, method="rfc4733")
    if steps[-1][0] == "people":
        await center.waiting("sales", 1)
        await caller.hangup()
        await center.quiet()
        assert walked(center, since) == [("to_people", steps)]
        return
    assert await over(caller, center, since) == [("ended", steps)]
    said = {"silent": SILENT, "wrong": WRONG, "bye": BYE}[steps[-1][0]]
    assert audio.total_ms(audio.heard(ear, [said])[said]) >= 100


async def test_the_hash_after_a_number_of_fixed_length_is_not_the_next_questions_answer(
    center: Center, phones: PhoneProcess
) -> None:
    """Many people end every number with it."""
    since = newest(center)
    caller = await dialler(center, phones, "rfc4733")
    await enters(caller, WALK)
    await caller.dtmf(f"23470815#{CARD}#", method="rfc4733")
    await asyncio.sleep(0)
    await caller.dtmf("7", method="rfc4733")
    assert await over(caller, center, since) == WHOLE


# --- many at once -----------------------------------------------------------------------------------------------------
def card_of(chance: random.Random) -> str:
    """A number with a right check digit."""
    digits = [chance.randrange(10) for _ in range(15)]
    doubled = [d if n % 2 else 2 * d - 9 * (d > 4) for n, d in enumerate(digits)]
    return "".join(map(str, digits)) + str(-sum(doubled) % 10)


async def test_twenty_callers_type_at_once(center: Center, crowd: list[PhoneProcess]) -> None:
    since, chance = newest(center), random.Random(20)
    callers = [
        (await dialler(center, process, METHODS[(n + m) % 3], f"c{n}{m}"), METHODS[(n + m) % 3])
        for n, process in enumerate(crowd)
        for m in range(4)
    ]

    async def one(caller: Phone, method: str) -> None:
        await enters(caller, WALK)
        await caller.dtmf("23470815#", method=method)
        await caller.dtmf(card_of(chance), method=method)
        await caller.dtmf("7", method=method)
        await caller.wait("ended", 20)

    await asyncio.gather(*(one(caller, method) for caller, method in callers))
    await center.quiet()
    went = walked(center, since)
    assert went == WHOLE * 20, json.dumps([each for each in went if each != WHOLE[0]])
    assert not center.rows("SELECT * FROM faults") and not center.rows("SELECT * FROM repairs")

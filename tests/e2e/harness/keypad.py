"""A desk phone whose user dials codes and types digits: every answer is heard as its prompt's tone."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from ccserver.lab import audio
from ccserver.lab.phones import Phone, PhoneProcess
from harness.center import PROMPTS_HZ, Center, password_of
from harness.waiting import PATIENCE_S, until

KEYPAD_PROMPT_MS = 600
"""Long enough for a phone on a busy machine, which is late to listen."""


def write_tones(shared: Path, tones: Mapping[str, int], language: str = "en") -> None:
    """The tones of the prompts that a module listens for, in place of the usual ones."""
    for prompt, hz in tones.items():
        audio.write_tone(shared / "prompts" / language / f"{prompt}.wav", hz, KEYPAD_PROMPT_MS)


class Desk:
    """A desk phone whose user dials codes, and what was heard on it, call by call. `tones`: what each prompt sounds like."""

    def __init__(self, phone: Phone, directory: Path, tones: Mapping[str, int] = PROMPTS_HZ) -> None:
        self.phone, self._directory, self._calls = phone, directory, 0
        self.tones = tones
        self.ear = directory / "nothing yet"

    @classmethod
    async def open(
        cls, phones: PhoneProcess, number: str, directory: Path, tones: Mapping[str, int] = PROMPTS_HZ, **fields: object
    ) -> "Desk":
        return cls(await phones.phone(number, password=password_of(number), **fields), directory, tones)

    async def fresh_recording(self) -> Path:
        """What is heard in the next call goes there."""
        self._calls += 1
        self.ear = self._directory / f"{self.phone.name}-{self._calls}.wav"
        await self.phone.set(record=str(self.ear))
        return self.ear

    async def dials(self, code: str, *typed: tuple[str, str], hears: str | tuple[str, ...], method: str = "rfc4733") -> None:
        """Dial `*code`; type the digits of each (prompt, digits) when its prompt is heard; hear `hears` and be hung up."""
        await self.calls(f"*{code}", *typed, hears=hears, method=method)

    async def calls(self, number: str, *typed: tuple[str, str], hears: str | tuple[str, ...], method: str = "rfc4733") -> None:
        """The same with any number."""
        ear = await self.fresh_recording()
        await self.phone.call(number)
        await self.phone.wait("up")
        expected: list[str] = []
        for prompt, digits in typed:
            expected.append(prompt)
            await hears_so_far(ear, expected, tones=self.tones)
            await self.phone.dtmf(digits, method=method)
        await self.phone.wait("ended")
        await hears_so_far(ear, [*expected, *((hears,) if isinstance(hears, str) else hears)], tones=self.tones)

    async def heard(self, hz: int, at_least_ms: int = 300, deadline_s: float = PATIENCE_S) -> None:
        """Wait until so much of a tone was heard since the last fresh recording."""
        await until(
            lambda: self.ear.exists() and audio.total_ms(audio.heard(self.ear, [hz])[hz]) >= at_least_ms,
            deadline_s,
            what=f"{at_least_ms} ms of {hz} Hz in {self.ear.name}",
        )


def prompts_in(ear: Path, tones: Mapping[str, int] = PROMPTS_HZ) -> list[str]:
    """The prompts that are heard in a recording, in their order; of each at least 200 ms. One with a gap in it, as a busy
    machine makes them, is one."""
    if not ear.exists():
        return []
    names = {hz: name for name, hz in tones.items()}
    heard = {names[hz]: spans for hz, spans in audio.heard(ear, names).items() if audio.total_ms(spans) >= 200}
    in_order = sorted((span.start_ms, name) for name, spans in heard.items() for span in spans)
    return [name for name, _ in itertools.groupby(name for _, name in in_order)]


async def hears_so_far(
    ear: Path, expected: list[str], deadline_s: float = PATIENCE_S, *, tones: Mapping[str, int] = PROMPTS_HZ
) -> None:
    try:
        await until(lambda: prompts_in(ear, tones) == expected, deadline_s)
    except AssertionError:
        heard = prompts_in(ear, tones)
        assert heard == expected, f"heard {heard} and not {expected}"


async def signed_in(
    center: Center,
    phones: PhoneProcess,
    agent: str,
    directory: Path,
    tones: Mapping[str, int] = PROMPTS_HZ,
    **fields: object,
) -> Desk:
    """An agent at the own phone, ready, who answers by itself."""
    phone = await center.agent(phones, agent, **{"answer_after_ms": 50, **fields})
    return Desk(phone, directory, tones)


async def talk(center: Center, phones: PhoneProcess, desk: Desk, agent: str, did: str = "901", **fields: object) -> Phone:
    """A customer who talks with `agent`: 901 is sales, 902 support, then the site's other queues."""
    caller = await center.caller(phones, f"caller{len(desk.phone.seen)}-{agent}", **fields)
    await caller.call(f"sip:{did}@127.0.0.1")
    await desk.phone.wait("up")
    await center.agent_is(agent, "talking")
    return caller

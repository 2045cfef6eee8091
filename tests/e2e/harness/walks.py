"""Callers who walk through spoken flows and listen: each types when the prompt is heard, and all that was heard is recorded.

Prompts are named by language and name (`en/welcome`), values by language and what was said (`en/Ana`).
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ccserver.config.build import load
from ccserver.config.edges import NumbersBy
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.lab import audio
from ccserver.lab.phones import Phone
from ccserver.speech.clips import Clips
from ccserver.speech.library import render_prompts
from ccserver.speech.words import parts
from harness import recognition
from harness.recognition import Heard

LOOK_S = 0.15
SLACK_MS = 1000
GAP_MS = 1500
"""Who hears nothing for longer thinks that the line is dead."""
NEW_GAP_MS = 4000
"""Before what is spoken for the first time: it is made while the caller waits, on a machine that many tests share."""
UNKNOWN_MS = 400
"""A sound of this length that is none of the expected prompts is one too many."""


class Library:
    """Prompts of a site as files: those with these names are made, in every language of the site."""

    def __init__(self, config: Path, names: Iterable[str]) -> None:
        edges = load(config).edges
        self._clips = Clips(edges)
        self._folder = edges.asterisk.prompts_local_dir
        # All of the system's prompts and characters would take a minute; a walk has a few, and characters are made when they are said.
        few = {prompt: spoken for prompt, spoken in edges.prompts.items() if prompt in set(names)}
        rendered = render_prompts(replace(edges, prompts=few, numbers=dict.fromkeys(edges.voices, NumbersBy.ASTERISK)))
        assert not rendered.faults, rendered.faults

    def prompts(self) -> dict[str, Path]:
        return {f"{path.parent.name}/{path.stem}": path for path in sorted(self._folder.glob("[a-z][a-z]/*.wav"))}

    def value(self, kind: SpokenKind, value: str, language: str) -> dict[str, Path]:
        """What is said for a value; it may be made only when it is said first."""
        found = parts(Spoken(kind, value), Language(language))
        return {
            f"{language}/{part.words}": self._clips.folder / f"{self._clips.clip(part, Language(language)).key}.wav"
            for part in found
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear:
    """Wait until so much of the prompt was heard."""

    prompt: str
    part: float = 0.2


@dataclass(frozen=True, slots=True)
class Type:
    digits: str


Move = Hear | Type


@dataclass(kw_only=True)
class Walker:
    """One caller. `files`: what may be heard."""

    phone: Phone
    ear: Path
    files: Mapping[str, Path]
    typed_at: list[float] = field(default_factory=list)
    _from_ms: int = 0
    _spoken: dict[str, recognition.Samples] = field(default_factory=dict)

    async def walk(self, did: str, moves: Iterable[Move]) -> None:
        """The whole call, up to the end that the center puts."""
        await self.phone.call(f"sip:{did}@127.0.0.1")
        await self.phone.wait("up")
        for move in moves:
            match move:
                case Hear():
                    await self.hears(move.prompt, move.part)
                case Type():
                    self.typed_at.append(time.monotonic())
                    await self.phone.dtmf(move.digits)
        await self.phone.wait("ended", 40)

    async def hears(self, prompt: str, part: float = 0.2, deadline_s: float = 25.0) -> Heard:
        """The next time that so much of this prompt was heard, after the last one waited for."""
        deadline = time.monotonic() + deadline_s
        since_ms = self._from_ms
        while True:
            heard, until_ms = self._heard_since(prompt, since_ms)
            for found in heard:
                if found.part >= part:
                    self._from_ms = found.start_ms + 100
                    return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{prompt} was not heard within {deadline_s} s; heard: {recognition.names(self.heard())}")
            # One that is not over yet began no earlier than it is long; a machine that is busy with listening speaks badly.
            since_ms = max(since_ms, until_ms - self._length_ms(prompt) - SLACK_MS)
            await asyncio.sleep(LOOK_S)  # the pace of listening

    def _heard_since(self, prompt: str, since_ms: int) -> tuple[list[Heard], int]:
        """What is in the recording from there on, and how far it goes by now."""
        if not self.ear.exists() or not self.files[prompt].exists():
            return [], 0
        _, (samples, *_) = audio.read(self.ear)
        begin = since_ms * recognition.RATE // 1000
        found = recognition.in_samples(recognition.as_samples(samples[begin:]), {prompt: self._speech(prompt)})
        moved = [replace(h, start_ms=h.start_ms + since_ms, end_ms=h.end_ms + since_ms) for h in found]
        return moved, len(samples) * 1000 // recognition.RATE

    def _speech(self, prompt: str) -> recognition.Samples:
        if prompt not in self._spoken:
            self._spoken[prompt] = recognition.speech(self.files[prompt])
        return self._spoken[prompt]

    def _length_ms(self, prompt: str) -> int:
        return len(self._speech(prompt)) * 1000 // recognition.RATE if self.files[prompt].exists() else 0

    def keys_ms(self) -> list[int]:
        """When each key or number was begun, in the time of the recording."""
        (begun,) = [float(str(event["at"])) for event in self.phone.seen if event["event"] == "recording"]
        return [round((at - begun) * 1000) for at in self.typed_at]

    @cached_property
    def whole(self) -> list[Heard]:
        """All that was heard, once the call is over."""
        assert self.phone.has("ended")
        return self.heard()

    def heard(self) -> list[Heard]:
        return recognition.heard(self.ear, {name: path for name, path in self.files.items() if path.exists()})


def story(walker: Walker, *, questions: Sequence[str], music_hz: int = 0, new: Collection[str] = ()) -> list[str]:
    """What the caller heard, in order. Fails for a sound that is none of the prompts, and for a silence that is longer than people bear,
    but behind a question, where it is the caller's turn. `new`: what is spoken for the first time."""
    found = walker.whole
    told = recognition.names(found)
    for before, after in zip((None, *found), found, strict=False):
        end_ms = before.end_ms if before is not None else 0
        is_turn = before is not None and before.prompt in questions
        most_ms = NEW_GAP_MS if after.prompt in new else GAP_MS
        assert is_turn or after.start_ms - end_ms <= most_ms, f"{after.start_ms - end_ms} ms of silence before {after}\n{told}"
    music = audio.heard(walker.ear, [music_hz])[music_hz] if music_hz else []
    known = [(span.start_ms, span.end_ms) for span in (*found, *music)]
    for span in audio.loud(walker.ear):
        left = [ms for ms in range(span.start_ms, span.end_ms, 50) if not any(a - 150 <= ms <= b + 150 for a, b in known)]
        assert len(left) * 50 < UNKNOWN_MS, f"an unknown sound of {len(left) * 50} ms at {left[0]} ms\n{told}"
    return told

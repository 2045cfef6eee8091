"""The folder of prompts: `<folder>/<language>/<prompt>.wav`, each 8 kHz, mono, 16 bit.

What is made is kept in `<folder>/.spoken`, named by a hash of what it was made from, and the prompt is a relative link to it.
So an unchanged text is never spoken twice, a change appears at once and whole, and a real file in a link's place is a person's: it
stays, and wins. `keep` puts one there, `remove` takes it away again; the one before is then `<prompt>.wav.old`. Slow work: call it on
a thread.
"""

import fcntl
import os
import shutil
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ccserver.config.edges import EdgeSettings, NumbersBy, PromptSource
from ccserver.core.ids import Language, PromptId
from ccserver.speech.clips import Clips, give_to_owner_of, hashed, made_aside, shared_folder, speak
from ccserver.speech.engines import Engine, EngineFailed, EngineMissing, engine_of
from ccserver.speech.sound import duration_s, read_wav, to_telephone, trimmed, write_wav
from ccserver.speech.words import characters_of

_STORE = ".spoken"
_KEEP_MS = 100
"""Of the silence at both ends of a recording by phone."""
_LEAST_SPEECH_S = 0.2


class NoRecording(Exception):
    """A file that shall become a prompt is none: no WAV file, too long, or nothing is heard in it. Record it again."""


class NoSuchPrompt(Exception):
    """A prompt that the settings do not have, or not in that language. `ccserver prompts list` shows those there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """How many prompts were `made` now, `kept` as they were, left to a `by_hand` file; of the digits and letters how many `clips` were
    made, of values said earlier how many were `swept` away as old; `faults` are those that failed, a sentence each."""

    made: int
    kept: int
    by_hand: int
    clips: int
    swept: int
    faults: tuple[str, ...]


class Source(Enum):
    """Where the sound of a prompt comes from."""

    TEXT = "text"
    FILE = "file"  # that the settings name
    RECORDED = "recorded"  # that somebody put, or recorded by phone, in the text's place


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A prompt in one language. `length_s` None: the file `is_missing`, or is of a kind whose length is not known here."""

    prompt: PromptId
    language: Language
    source: Source
    is_missing: bool
    length_s: float | None
    text: str
    file: Path


# --- all of them ------------------------------------------------------------------------------------------------------
def render_prompts(
    edges: EdgeSettings, *, engine: Engine | None = None, progress: Callable[[int, int], None] | None = None
) -> Rendered:
    """Bring the folder of prompts up to date, with the digits and letters of each language that the engine says.

    `engine` is by default that of the settings. `progress` is told (done, all) after each prompt. One that cannot be made does not stop
    the others. Raises EngineMissing if an engine is needed and not there, OSError when the folder cannot be written.
    """
    folder = edges.asterisk.prompts_local_dir
    store = shared_folder(folder / _STORE)
    wanted = [(prompt, language, source) for prompt, each in edges.prompts.items() for language, source in each.items()]
    speaking = engine_of(edges.speech) if engine is None else engine
    made = kept = by_hand = 0
    faults: list[str] = []
    with _only_one(store / ".lock"):
        for done, (prompt, language, source) in enumerate(wanted, 1):
            if _is_persons(_file(edges, prompt, language)):
                by_hand += 1
            else:
                try:
                    is_new = _render_one(edges, prompt, language, source, speaking)
                except EngineMissing:
                    raise
                except (ValueError, EngineFailed) as fault:
                    faults.append(f"prompt {prompt} in {language}: {fault}")
                else:
                    made += is_new
                    kept += not is_new
            if progress is not None:
                progress(done, len(wanted))
        _sweep(folder, store)
        clips, faults_of_clips = _render_characters(edges, speaking)
        swept = Clips(edges, speaking).sweep(time.time())
    return Rendered(made=made, kept=kept, by_hand=by_hand, clips=clips, swept=swept, faults=(*faults, *faults_of_clips))


def _render_characters(edges: EdgeSettings, engine: Engine) -> tuple[int, list[str]]:
    """(how many were made, what failed): a language without a voice fails at its first one, and is left at that."""
    clips = Clips(edges, engine)
    made, faults = 0, []
    # Only languages that something is spoken in by the engine: with recordings alone, none needs to be there.
    for language in _spoken(edges):
        if edges.numbers.get(language, NumbersBy.SPEECH) is NumbersBy.ASTERISK:
            continue
        for part in characters_of(language):
            clip = clips.clip(part, language)
            if clips.recorded(part, language) is not None or clips.found(clip, time.time()) is not None:
                continue
            try:
                clips.make(clip)
            except EngineFailed as fault:
                faults.append(f"digits and letters in {language}: {fault}")
                break
            made += 1
    return made, faults


def _spoken(edges: EdgeSettings) -> list[Language]:
    sources = [(language, source) for each in edges.prompts.values() for language, source in each.items()]
    return list(dict.fromkeys(language for language, source in sources if source.file is None))


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        give_to_owner_of(lock.parent, lock)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path, store: Path) -> None:
    """Remove what no prompt links to any more, and what a killed run left."""
    used = {os.path.basename(os.readlink(link)) for link in folder.glob("*/*.wav") if link.is_symlink()}
    for file in store.iterdir():
        if file.name.startswith(".making-"):
            shutil.rmtree(file)
        elif file.suffix == ".wav" and file.name not in used:
            file.unlink()


# --- one of them ------------------------------------------------------------------------------------------------------
def _file(edges: EdgeSettings, prompt: PromptId, language: Language) -> Path:
    return edges.asterisk.prompts_local_dir / language / f"{prompt}.wav"


def _is_persons(file: Path) -> bool:
    return file.exists() and not file.is_symlink()


def _render_one(edges: EdgeSettings, prompt: PromptId, language: Language, source: PromptSource, engine: Engine) -> bool:
    """Whether anything had to be made. Raises ValueError for a recording that is none, EngineFailed."""
    store = edges.asterisk.prompts_local_dir / _STORE
    target, is_new = _made(store, source, source.voice or edges.voices.get(language, ""), language, engine)
    is_linked = _link(_file(edges, prompt, language), Path("..") / _STORE / target.name)
    return is_new or is_linked


def _made(store: Path, source: PromptSource, voice: str, language: Language, engine: Engine) -> tuple[Path, bool]:
    """(the file in the store, whether it was made just now)."""
    recorded = _recorded(source.file) if source.file is not None else b""
    target = store / f"{hashed(recorded or (engine.identity, source.text, voice, language))}.wav"
    if target.exists():
        return target, False

    def make(new: Path, aside: Path) -> None:
        if recorded:
            new.write_bytes(recorded)
        else:
            speak(engine, source.text, voice, language, to=new, aside=aside)

    made_aside(target, make)
    return target, True


def _recorded(file: Path) -> bytes:
    try:
        samples, rate_hz = read_wav(file)
        if rate_hz != 8000:
            raise ValueError(f"{file}: expected 8000 Hz, got {rate_hz}")
        if not samples:
            raise ValueError(f"{file}: expected sound, got an empty file")
        return file.read_bytes()
    except OSError as fault:
        raise ValueError(f"{file}: {fault.strerror}") from None


def _link(link: Path, target: Path) -> bool:
    """Whether the link had to be changed. It is replaced in one step: Asterisk may be about to play it."""
    shared_folder(link.parent)
    with _in_place_of(link):
        if _is_persons(link):  # it came while we spoke
            return False
        if link.is_symlink() and Path(os.readlink(link)) == target:
            return False
        _point(link, target)
    return True


def _point(link: Path, target: Path) -> None:
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.rename(link)


@contextmanager
def _in_place_of(file: Path) -> Iterator[None]:
    """A moment in which nobody else puts anything in a prompt's place: `.lock` of the renderer is held for minutes."""
    with _only_one(shared_folder(file.parent.parent / _STORE) / ".placing"):
        yield


# --- by people --------------------------------------------------------------------------------------------------------
def keep(edges: EdgeSettings, prompt: PromptId, language: Language, recording: Path) -> Path:
    """Make a recording (WAV, any rate) the prompt; the file. Raises NoSuchPrompt, NoRecording, OSError."""
    _require(edges, prompt, language)
    samples = _heard(recording)
    file = _file(edges, prompt, language)
    shared_folder(file.parent)
    with _in_place_of(file):
        aside = file.with_name(f".{file.name}.new")
        aside.unlink(missing_ok=True)  # a link that a killed run left would lead into the store
        write_wav(aside, samples)
        aside.chmod(0o644)
        give_to_owner_of(file.parent, aside)
        _put_away(file)
        aside.rename(file)
    return file


def remove(edges: EdgeSettings, prompt: PromptId, language: Language) -> bool:
    """Go back from a person's file to what the settings say; whether there was one. Raises NoSuchPrompt, ValueError, EngineFailed,
    OSError: then the person's file is still there."""
    source = _require(edges, prompt, language)
    file = _file(edges, prompt, language)
    if not _is_persons(file):
        return False
    store = shared_folder(edges.asterisk.prompts_local_dir / _STORE)
    with _only_one(store / ".lock"):
        target, _ = _made(store, source, source.voice or edges.voices.get(language, ""), language, engine_of(edges.speech))
        with _in_place_of(file):
            _put_away(file)
            _point(file, Path("..") / _STORE / target.name)
    return True


def listed(edges: EdgeSettings) -> list[Listed]:
    """All prompts in all their languages, in the order of the settings."""
    found = []
    for prompt, each in edges.prompts.items():
        for language, source in each.items():
            file = _file(edges, prompt, language)
            given = Source.FILE if source.file is not None else Source.TEXT
            is_missing = not file.is_file()
            found.append(
                Listed(
                    prompt=prompt,
                    language=language,
                    source=Source.RECORDED if _is_persons(file) else given,
                    is_missing=is_missing,
                    length_s=None if is_missing else duration_s(file),
                    text=source.text,
                    file=file,
                )
            )
    return found


def _require(edges: EdgeSettings, prompt: PromptId, language: Language) -> PromptSource:
    source = edges.prompts.get(prompt, {}).get(language)
    if source is None:
        raise NoSuchPrompt(f"there is no prompt {prompt} in {language} (see ccserver prompts list)")
    return source


def _heard(recording: Path) -> "array[int]":
    try:
        samples, rate_hz = read_wav(recording)
    except ValueError as fault:
        raise NoRecording(f"{recording.name}: {fault}") from None
    heard = trimmed(to_telephone(samples, rate_hz), before_ms=_KEEP_MS, after_ms=_KEEP_MS)
    if len(heard) < (_LEAST_SPEECH_S + 2 * _KEEP_MS / 1000) * 8000:
        raise NoRecording(f"{recording.name}: nothing is heard in it")
    return heard


def _put_away(file: Path) -> None:
    """Keeps a person's file as `.old`; `file` itself stays until it is replaced, so that it is never missing."""
    if not _is_persons(file):
        return
    aside = file.with_name(f".{file.name}.old")
    aside.unlink(missing_ok=True)
    os.link(file, aside)
    aside.rename(file.with_name(f"{file.name}.old"))

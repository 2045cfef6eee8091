"""Makes every prompt a file that Asterisk can play: `<folder>/<language>/<prompt>.wav`, 8 kHz, mono, 16 bit.

What is made is kept in `<folder>/.spoken`, named by a hash of what it was made from, and the prompt is a relative link to it.
So an unchanged text is never spoken twice, a change appears at once and whole, and a real file that somebody put in a link's
place is a person's: it stays. Slow work: call it on a thread.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccserver.config.edges import EdgeSettings, PromptSource
from ccserver.config.resample import read_wav, to_telephone, write_wav
from ccserver.core.ids import Language, PromptId

_STORE = ".spoken"
_WORDS_PER_MINUTE = 155
_SPEAK_TIMEOUT_S = 20.0
_MADE_BY = "1"  # raise it when the same text shall sound different


class SpeechUnavailable(Exception):
    """Texts are to be spoken and espeak-ng is not there. Install it (`apt-get install espeak-ng`), or give each prompt a
    recorded file in each language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """How many prompts were `made` now, `kept` as they were, left to a `by_hand` file; `faults` are those that failed,
    a sentence each."""

    made: int
    kept: int
    by_hand: int
    faults: tuple[str, ...]


def render_prompts(
    edges: EdgeSettings, *, program: str = "espeak-ng", progress: Callable[[int, int], None] | None = None
) -> Rendered:
    """Bring the folder of prompts up to date. `progress` is told (done, all) after each prompt.

    One that cannot be made does not stop the others. Raises SpeechUnavailable if espeak-ng is needed and missing, OSError when
    the folder cannot be written.
    """
    folder = edges.asterisk.prompts_local_dir
    store = folder / _STORE
    store.mkdir(parents=True, exist_ok=True)
    wanted = [(prompt, language, source) for prompt, each in edges.prompts.items() for language, source in each.items()]
    made = kept = by_hand = 0
    faults: list[str] = []
    with _only_one(store):
        for done, (prompt, language, source) in enumerate(wanted, 1):
            link = folder / language / f"{prompt}.wav"
            if link.exists() and not link.is_symlink():
                by_hand += 1
            else:
                try:
                    target, is_new = _made(store, source, _voice(source, language, edges), program)
                    is_linked = _link(link, Path("..") / _STORE / target.name)
                except (ValueError, subprocess.SubprocessError) as fault:
                    faults.append(_told(prompt, language, fault))
                else:
                    made += is_new or is_linked
                    kept += not (is_new or is_linked)
            if progress is not None:
                progress(done, len(wanted))
        _sweep(folder, store)
    return Rendered(made=made, kept=kept, by_hand=by_hand, faults=tuple(faults))


def _told(prompt: PromptId, language: Language, fault: Exception) -> str:
    if isinstance(fault, subprocess.TimeoutExpired):
        return f"prompt {prompt} in {language}: espeak-ng did not end within {_SPEAK_TIMEOUT_S:g} s"
    return f"prompt {prompt} in {language}: {fault}"


def _voice(source: PromptSource, language: Language, edges: EdgeSettings) -> str:
    # espeak-ng knows en_GB as en-gb.
    return source.voice or edges.voices.get(language, "") or language.replace("_", "-").lower()


@contextmanager
def _only_one(store: Path) -> Iterator[None]:
    """One renderer at a time: another one's new files look unused until they are linked."""
    with (store / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(store: Path, source: PromptSource, voice: str, program: str) -> tuple[Path, bool]:
    """(the file in the store, whether it was made just now)."""
    recorded = _recorded(source.file) if source.file is not None else b""
    key = hashlib.sha256(repr((_MADE_BY, recorded or (source.text, voice, _WORDS_PER_MINUTE))).encode()).hexdigest()[:32]
    target = store / f"{key}.wav"
    if target.exists():
        return target, False
    with tempfile.TemporaryDirectory(dir=store, prefix=".making-") as folder:
        new = Path(folder) / "new.wav"
        if recorded:
            new.write_bytes(recorded)
        else:
            raw = Path(folder) / "raw.wav"
            _speak(source.text, voice, raw, program)
            samples, rate_hz = read_wav(raw)
            write_wav(new, to_telephone(samples, rate_hz))
        new.chmod(0o644)
        new.rename(target)
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


def _speak(text: str, voice: str, to: Path, program: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise SpeechUnavailable("espeak-ng is not installed (apt-get install espeak-ng, or give recorded files under prompts)")
    done = subprocess.run(
        # The text goes by stdin: one that begins with a dash must not become an option.
        [found, "-v", voice, "-s", str(_WORDS_PER_MINUTE), "-b", "1", "-w", str(to), "--stdin"],
        input=text.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=_SPEAK_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0 or not to.exists():
        why = " ".join(done.stderr.decode(errors="replace").split())[:200]
        raise ValueError(f"espeak-ng could not speak with the voice {voice}: {why or f'exit code {done.returncode}'}")


def _link(link: Path, target: Path) -> bool:
    """Whether the link had to be changed. It is replaced in one step: Asterisk may be about to play it."""
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return False
    link.parent.mkdir(exist_ok=True)
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.rename(link)
    return True


def _sweep(folder: Path, store: Path) -> None:
    """Remove what no prompt links to any more, and what a killed run left."""
    used = {os.path.basename(os.readlink(link)) for link in folder.glob("*/*.wav") if link.is_symlink()}
    for file in store.iterdir():
        if file.name.startswith(".making-"):
            shutil.rmtree(file, ignore_errors=False)
        elif file.suffix == ".wav" and file.name not in used:
            file.unlink()

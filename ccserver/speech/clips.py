"""What was spoken once is kept: a folder of WAV files named by a hash of what they were made from.

Files are made aside and renamed, so a name that exists is whole. What is used stays young; `sweep` takes the old ones away.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ccserver.config.edges import EdgeSettings
from ccserver.config.sound_files import FORMATS
from ccserver.core.ids import Language
from ccserver.speech import sound
from ccserver.speech.engines import Engine, EngineFailed, engine_of
from ccserver.speech.sound import read_wav, to_telephone, write_wav
from ccserver.speech.words import Part

FOLDER = ".values"
MAX_CLIPS = 5000
"""About 250 MB."""
MAX_AGE_S = 90 * 24 * 3600.0
_YOUNG_S = 3600.0
"""The age is told anew so often at most; what is as young as this may be about to be played, and stays."""
_MADE_BY = "2"  # raise it when the same words shall sound different
_BEFORE_MS, _AFTER_MS = 20, 120
"""Of the silence around a value: what stands before it and after it follows at once, but the last sound of a call must reach the phone
before the hang-up does."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What is to be spoken, and the name under which the sound is kept."""

    words: str
    voice: str
    language: Language
    key: str


def shared_folder(folder: Path) -> Path:
    """The folder, made if need be: open to whom the one around it is open, so that Asterisk reads what the daemon writes, whatever
    its umask; and the daemon's own when root has made it."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        around = folder.parent.stat()
        folder.chmod(stat.S_IMODE(around.st_mode))
        give_to_owner_of(folder.parent, folder)
    return folder


def give_to_owner_of(around: Path, *files: Path) -> None:
    """What root makes would be in the daemon's way; others can pass on the group, where they are in it."""
    owner = around.stat()
    for file in files:
        with contextlib.suppress(PermissionError):  # another group then: its mode says who reads it
            os.chown(file, owner.st_uid if os.geteuid() == 0 else -1, owner.st_gid, follow_symlinks=False)


def made_aside(target: Path, make: Callable[[Path, Path], None]) -> None:
    """`make(new, folder)` writes the file `new`, with `folder` for whatever it needs; then it is in place, whole."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as folder:
        new = Path(folder) / "new.wav"
        make(new, Path(folder))
        new.chmod(0o644)
        give_to_owner_of(target.parent, new)
        new.rename(target)


def speak(engine: Engine, words: str, voice: str, language: Language, *, to: Path, aside: Path) -> None:
    """Words as a file for telephones. Raises EngineFailed, also for an engine that wrote no sound."""
    raw = aside / "raw.wav"
    engine.speak(words, voice, language, raw)
    try:
        samples, rate_hz = read_wav(raw)
    except ValueError as fault:
        raise EngineFailed(f"the speech engine wrote {fault} (it must write a WAV file)") from None
    if not samples:
        raise EngineFailed("the speech engine wrote a file without sound (try it by hand)")
    write_wav(to, to_telephone(samples, rate_hz))


def hashed(*of: object) -> str:
    return hashlib.sha256(repr((_MADE_BY, *of)).encode()).hexdigest()[:32]


_CONVERT_S = 30.0


class Clips:
    """The values of one site: `edges` as it is now. Finding is quick; making blocks."""

    def __init__(self, edges: EdgeSettings, engine: Engine | None = None) -> None:
        self._edges = edges
        self._engine = engine_of(edges.speech) if engine is None else engine
        self._local = edges.asterisk.prompts_local_dir
        self._played = edges.asterisk.prompts_dir

    @property
    def folder(self) -> Path:
        return self._local / FOLDER

    def recorded(self, part: Part, language: Language) -> str | None:
        """The path, as Asterisk is given it, of the site's own recording of this part."""
        if part.file and any((self._local / language / f"{part.file}.{ending}").is_file() for ending in FORMATS):
            return f"{self._played}/{language}/{part.file}"
        return None

    def clip(self, part: Part, language: Language) -> Clip:
        voice = self._edges.voices.get(language, "")
        return Clip(part.words, voice, language, hashed("value", self._engine.identity, voice, language, part.words))

    def found(self, clip: Clip, now_s: float) -> str | None:
        """The path of what was made before, which is thereby used (`now_s`: of the wall clock, as files have it)."""
        file = self.folder / f"{clip.key}.wav"
        try:
            is_aged = file.stat().st_mtime < now_s - _YOUNG_S
        except OSError:
            return None
        if is_aged:
            with contextlib.suppress(PermissionError):  # somebody else's: it ages, and is made anew
                os.utime(file, (now_s, now_s))
        return f"{self._played}/{FOLDER}/{clip.key}"

    def make(self, clip: Clip) -> None:
        """Raises EngineFailed, OSError."""

        def make(new: Path, aside: Path) -> None:
            raw = aside / "raw.wav"
            self._engine.speak(clip.words, clip.voice, clip.language, raw)
            # Beside us, not in this thread: the event loop of the daemon would get its turn late.
            command = [sys.executable, "-m", sound.__name__, str(raw), str(new), str(_BEFORE_MS), str(_AFTER_MS)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_CONVERT_S, check=False)
            except subprocess.TimeoutExpired:
                raise EngineFailed(f"the sound of the speech engine was not made ready within {_CONVERT_S:g} s") from None
            if done.returncode != 0:
                why = " ".join(done.stderr.split())[-200:]
                raise EngineFailed(f"the speech engine wrote {why} (it must write a WAV file with sound)")

        made_aside(shared_folder(self.folder) / f"{clip.key}.wav", make)

    def sweep(self, now_s: float) -> int:
        """Takes away what is old, or the oldest of too many, and what a killed run left; how many."""
        aged = sorted(self._aged(), reverse=True)
        old = [
            file
            for at, (mtime_s, file) in enumerate(aged)
            if mtime_s < now_s - 2 * _YOUNG_S and (at >= MAX_CLIPS or mtime_s < now_s - MAX_AGE_S)
        ]
        for file in old:
            file.unlink(missing_ok=True)
        for left in self.folder.glob(".making-*"):
            if left.stat().st_mtime < now_s - _YOUNG_S:
                shutil.rmtree(left)
        return len(old)

    def _aged(self) -> Iterator[tuple[float, Path]]:
        for file in self.folder.glob("*.wav"):
            with contextlib.suppress(FileNotFoundError):  # another sweep
                yield file.stat().st_mtime, file

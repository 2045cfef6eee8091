"""Whether callers would hear everything: for people who set a center up."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ccserver.config.edges import EdgeSettings
from ccserver.core.ids import Language
from ccserver.core.settings import Spoken, SpokenKind
from ccserver.speech.clips import speak
from ccserver.speech.engines import EngineFailed, engine_of
from ccserver.speech.library import listed
from ccserver.speech.words import parts

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    seen: str
    mend: str


def trouble(edges: EdgeSettings) -> Trouble | None:
    """What callers would not hear: a prompt without its file, a language that the engine does not speak; None: nothing."""
    missing = [f"{each.prompt} in {each.language}" for each in listed(edges) if each.is_missing]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        return Trouble(
            seen=f"these prompts have no file: {', '.join(missing[:_NAMED])}{more}", mend="run `ccserver prompts render`"
        )
    engine = engine_of(edges.speech)
    for language, voice in edges.voices.items():
        # By asterisk or not: money and dates are always spoken.
        (part,) = parts(Spoken(SpokenKind.DURATION, "60"), Language(language))
        with tempfile.TemporaryDirectory(prefix="ccserver-trial-") as folder:
            try:
                speak(engine, part.words, voice, language, to=Path(folder) / "tried.wav", aside=Path(folder))
            except EngineFailed as fault:
                return Trouble(
                    seen=f"the speech engine does not speak {language}: {fault}",
                    mend=f"install the engine, or name a voice that it has: languages.{language}.voice",
                )
    return None

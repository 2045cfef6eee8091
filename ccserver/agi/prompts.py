"""Where the prompts lie: `<directory>/<language>/<prompt>.<format>`."""

import re
from dataclasses import dataclass
from pathlib import Path

from ccserver.config.sound_files import FORMATS
from ccserver.core.ids import Language, PromptId

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:[_-][A-Za-z0-9]{1,8})*")
_PROMPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_][A-Za-z0-9_-]*)*")
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPaths:
    """`asterisk_dir` is the directory as Asterisk sees it, `local_dir` the same one as we see it (absolute both)."""

    asterisk_dir: Path
    local_dir: Path
    default_language: Language

    def find(self, language: Language, prompt: PromptId) -> str | None:
        """The path to give to Asterisk, without ending; of the default language if there is none in this one.

        None: no such file. STREAM FILE answers a missing file like a hang-up, so it must never be asked for one.
        """
        for spoken in dict.fromkeys((language, self.default_language)):
            name = _relative(spoken, prompt)
            if name is not None and any((self.local_dir / f"{name}.{ending}").is_file() for ending in FORMATS):
                return f"{self.asterisk_dir}/{name}"
        return None


def is_language(name: str) -> bool:
    """Whether `name` can stand in CHANNEL(language) and in a path."""
    return _LANGUAGE.fullmatch(name) is not None


def _relative(language: Language, prompt: PromptId) -> str | None:
    # No segment can be "..", empty or absolute: the patterns do not let one through.
    if len(prompt) > _MAX_NAME or not is_language(language) or not _PROMPT.fullmatch(prompt):
        return None
    return f"{language}/{prompt}"

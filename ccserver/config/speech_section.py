"""The section `speech`: what makes sound of texts and values; and what a language needs of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccserver.config.edges import EngineKind, NumbersBy, SpeechEdge
from ccserver.config.kinds import duration
from ccserver.config.schema import Choice, Field, FilePath, Group, ListOf, Reader, Text
from ccserver.core.ids import Language

if TYPE_CHECKING:
    from ccserver.config.sections import Document

IN_WORDS = ("en", "es", "pt", "it", "fr")
"""Languages whose numbers, money, dates and times are put into words; in others the voice is given them as they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechSection:
    """As written: the token is still the name of a file."""

    engine: EngineKind = EngineKind.ESPEAK_NG
    command: tuple[str, ...] = ()
    url: str = ""
    token_file: Path | None = None
    timeout_s: float = 20.0


speech = Group(
    "speech",
    SpeechSection,
    [
        Field("engine", Choice(EngineKind), "What speaks texts, numbers, money, dates: espeak-ng, a command, or a server."),
        Field(
            "command",
            ListOf(Text("a word of the command", str, r".+", 300), 40),
            "For `command`: the program and its words. {file} is the WAV file that it writes, {voice} and {language} those of the "
            "text, which comes by standard input. No shell reads it.",
            hint="for example [piper, --model, '{voice}', --output_file, '{file}']",
        ),
        Field(
            "url",
            Text(
                "an address",
                str,
                r"https?://[A-Za-z0-9.\[\]:-]{1,253}(/[!-~]*)?",
                500,
                hint="http://127.0.0.1:5002/speak?voice={voice}",
            ),
            "For `http`: the text is posted here, and the answer is a WAV file. {voice} and {language} are put in.",
        ),
        Field(
            "token_file",
            FilePath("the path of a file that holds the secret"),
            "A file with the token that is sent to the server (Authorization: Bearer). Without it none is sent.",
        ),
        Field("timeout_s", duration(1, 120, "20"), "How long one text may take. Who is on the phone does not wait so long."),
    ],
    wrong={"token": "secrets are never written here: name a file with token_file"},
)


def check_speech(document: "Document", reader: Reader) -> None:
    """Each engine has what it needs, and each language a voice where the engine must be told one."""
    section = document.speech
    path = ("speech",)
    if section.engine is EngineKind.COMMAND:
        if not section.command:
            reader.tell(
                path, "expected command beside engine: command, got none (for example [piper, --output_file, '{file}'])"
            )
        elif not any("{file}" in word for word in section.command):
            reader.tell(
                (*path, "command"), "expected {file} among the words, got none (it is the file that the command writes)"
            )
    elif section.command:
        reader.tell(
            (*path, "command"), f"expected it with engine: command only, got it with {section.engine.value} (remove it)"
        )
    if section.engine is EngineKind.HTTP:
        if not section.url:
            reader.tell(path, "expected url beside engine: http, got none (for example http://127.0.0.1:5002/speak)")
    elif section.url:
        reader.tell((*path, "url"), f"expected it with engine: http only, got it with {section.engine.value} (remove it)")
    if section.token_file is not None and section.engine is not EngineKind.HTTP:
        reader.tell(
            (*path, "token_file"), f"expected it with engine: http only, got it with {section.engine.value} (remove it)"
        )
    _voices(document, reader)


def _voices(document: "Document", reader: Reader) -> None:
    section = document.speech
    needs_voice = section.engine is not EngineKind.ESPEAK_NG and any(
        "{voice}" in word for word in (*section.command, section.url)
    )
    for language, each in document.languages.items():
        if needs_voice and not each.voice:
            message = (
                f"expected a voice for {language}, got none (the engine is told {{voice}}: add voice, as the engine names it)"
            )
            reader.tell(("languages", language), message)
        is_in_words = language.split("_", maxsplit=1)[0] in IN_WORDS
        if not is_in_words and each.numbers is NumbersBy.SPEECH and not reader.has_problem(("languages", language)):
            message = f"expected one of {', '.join(IN_WORDS)} for numbers and dates in words, got {language}"
            reader.warn(("languages", language), f"{message} (the voice is given them as written; or numbers: asterisk)")


def speech_edge(section: SpeechSection, read_secret: Callable[[tuple[str, ...], Path], str]) -> SpeechEdge:
    """With the token out of its file."""
    token = "" if section.token_file is None else read_secret(("speech", "token_file"), section.token_file)
    return SpeechEdge(engine=section.engine, command=section.command, url=section.url, token=token, timeout_s=section.timeout_s)


def numbers_by(languages: Mapping[Language, NumbersBy]) -> dict[Language, NumbersBy]:
    """Only what differs from the usual."""
    return {language: by for language, by in languages.items() if by is not NumbersBy.SPEECH}

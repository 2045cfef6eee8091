"""What a person who sets a center up is told about its speech."""

from pathlib import Path

import voices
from voices import Program, by_command

from ccserver.config.edges import EngineKind, PromptSource, SpeechEdge
from ccserver.core.ids import Language, PromptId
from ccserver.speech.library import render_prompts
from ccserver.speech.trial import trouble

EN, ES = Language("en"), Language("es")


def test_a_prompt_without_its_file_is_named(tmp_path: Path) -> None:
    prompts = {PromptId(f"p{number}"): {EN: PromptSource(text="Hello")} for number in range(7)}
    site = voices.edges(tmp_path, by_command(Program(tmp_path)), prompts=prompts)
    found = trouble(site)
    assert found is not None
    assert found.seen == "these prompts have no file: p0 in en, p1 in en, p2 in en, p3 in en, p4 in en and 2 more"
    assert found.mend == "run `ccserver prompts render`"
    render_prompts(site)
    assert trouble(site) is None


def test_a_language_that_the_engine_does_not_speak_is_named(tmp_path: Path) -> None:
    site = voices.edges(tmp_path, SpeechEdge(), voices={EN: "", ES: "zz-none"})
    found = trouble(site)
    assert found is not None
    assert found.seen.startswith("the speech engine does not speak es: espeak-ng could not speak with the voice zz-none")
    assert "languages.es.voice" in found.mend


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    found = trouble(voices.edges(tmp_path, SpeechEdge(engine=EngineKind.COMMAND, command=("/no/such/piper", "{file}"))))
    assert found is not None
    assert "the speech engine does not speak en: the speech command /no/such/piper is not there" in found.seen

"""`ccserver prompts`: what callers and agents hear, as files."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, Place, config_option, fail, json_option, safe
from ccserver.config.schema import nearest
from ccserver.core.ids import Language, PromptId
from ccserver.speech.engines import EngineFailed
from ccserver.speech.library import Listed, NoRecording, NoSuchPrompt, keep, listed, remove, render_prompts

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_LONGEST_TEXT = 60


@root.group()
def prompts() -> None:
    """What callers and agents hear."""


language_option = click.option("--language", metavar="LANGUAGE", help="For example es; without it the default language.")


@prompts.command("render")
@config_option
@json_option
def render_speech(config: Path, is_json: bool) -> None:
    """Make a sound file of every prompt in every language; those that did not change are kept.

    Also the digits and letters that numbers are put together from; and what was spoken of values long ago is taken away.
    """
    place = Place(config=config, socket=None, is_json=is_json)
    edges = place.configuration().edges
    is_chatty = not is_json and sys.stderr.isatty()

    def progress(done: int, all_of_them: int) -> None:
        if is_chatty:
            click.echo(f"\r{done} of {all_of_them} prompts", err=True, nl=done == all_of_them)

    try:
        rendered = render_prompts(edges, progress=progress)
    except (EngineFailed, OSError) as error:
        fail(str(error), NOT_DONE)
    counts = {name: getattr(rendered, name) for name in ("made", "kept", "by_hand", "clips", "swept", "faults")}
    place.show(
        {"ok": not rendered.faults, **counts},
        lambda: "\n".join([f"{rendered.made} made, {rendered.kept} kept, {rendered.by_hand} made by hand", *rendered.faults]),
    )
    if rendered.faults:
        raise SystemExit(NOT_DONE)


@prompts.command("list")
@config_option
@json_option
@click.option("--language", metavar="LANGUAGE", help="Only those in this language, for example es.")
@click.option("--missing", "only_missing", is_flag=True, help="Only those whose file is not there.")
def list_prompts(config: Path, is_json: bool, language: str | None, only_missing: bool) -> None:
    """List the prompts: language, where each comes from (text, file, recorded), its length, its text."""
    place = Place(config=config, socket=None, is_json=is_json)
    found = [
        each
        for each in listed(place.configuration().edges)
        if language in (None, each.language) and (each.is_missing or not only_missing)
    ]
    place.show({"prompts": found}, lambda: "\n".join(map(_row, found)) or "there are none")


def _row(each: Listed) -> str:
    length = "missing" if each.is_missing else "?" if each.length_s is None else f"{each.length_s:.1f} s"
    text = each.text if len(each.text) <= _LONGEST_TEXT else each.text[: _LONGEST_TEXT - 1] + "…"
    return f"{each.prompt:<24} {each.language:<5} {each.source.value:<8} {length:>8}  {safe(text)}".rstrip()


@prompts.command("replace")
@config_option
@json_option
@language_option
@click.argument("prompt")
@click.argument("file", type=FILE)
def replace(config: Path, is_json: bool, language: str | None, prompt: str, file: Path) -> None:
    """Play FILE (a WAV file of any rate) as PROMPT from now on. A recording before it is kept as `.old`."""
    place, spoken = _chosen(config, is_json, language)
    edges = place.configuration().edges
    try:
        where = keep(edges, PromptId(prompt), spoken, file)
    except NoSuchPrompt as error:
        fail(_with_nearest(str(error), prompt, edges.prompts), NOT_DONE)
    except (NoRecording, OSError) as error:
        fail(str(error), NOT_DONE)
    place.show({"ok": True, "file": where}, lambda: f"{prompt} in {spoken} is now {where}")


@prompts.command("remove")
@config_option
@json_option
@language_option
@click.argument("prompt")
def remove_recording(config: Path, is_json: bool, language: str | None, prompt: str) -> None:
    """Take a recording of PROMPT away: its text (or the file of the settings) is heard again. The recording is kept as `.old`."""
    place, spoken = _chosen(config, is_json, language)
    edges = place.configuration().edges
    try:
        was_there = remove(edges, PromptId(prompt), spoken)
    except NoSuchPrompt as error:
        fail(_with_nearest(str(error), prompt, edges.prompts), NOT_DONE)
    except (EngineFailed, ValueError, OSError) as error:
        fail(str(error), NOT_DONE)
    if not was_there:
        fail(f"{prompt} in {spoken} has no recording (it is spoken from the settings)", NOT_DONE)
    place.show({"ok": True}, lambda: f"{prompt} in {spoken} is spoken from the settings again")


def _chosen(config: Path, is_json: bool, language: str | None) -> tuple[Place, Language]:
    place = Place(config=config, socket=None, is_json=is_json)
    return place, Language(language) if language else place.configuration().settings.default_language


def _with_nearest(message: str, name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"{message}; did you mean {near}?" if near and near != name else message

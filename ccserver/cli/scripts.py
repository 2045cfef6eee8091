"""`ccserver script`: the administrator's Python functions, listed and tried without a call."""

import sys
from pathlib import Path
from typing import Any

import click

from ccserver.cli.root import root
from ccserver.cli.shared import NOT_DONE, as_json, config_option, fail, json_option, path_told, safe, table
from ccserver.config.script_files import ARGUMENTS, ScriptKind, ScriptsFound, Unsafe, functions_in
from ccserver.core.expressions import Value
from ccserver.scripts.call import BadResult, Call, read_answer
from ccserver.scripts.folder import NoSuchScript, ScriptFolder
from ccserver.scripts.output import failure_line, told_traceback
from ccserver.scripts.rehearsal import Rehearsal

TRUTHS = {"true": True, "false": False}


@root.group()
def script() -> None:
    """Python functions of the folder `scripts_dir`: list them, and try one in the terminal."""


def folder_option(command: Any) -> Any:
    option = click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder, if not that of the configuration.",
    )
    return config_option(option(command))


@script.command("list")
@folder_option
@json_option
def list_scripts(config: Path, directory: Path | None, is_json: bool) -> None:
    """List the functions, and what is wrong with the files. Runs none of them."""
    folder, found = _read(config, directory)
    if is_json:
        click.echo(
            as_json(
                {"dir": folder, "functions": list(found.functions.values()), "others": found.others, "faults": found.faults}
            )
        )
    else:
        rows = [(each.name, ARGUMENTS[each.kind], safe(each.about)) for each in found.functions.values()]
        click.echo(table(("function", "takes", "about"), rows) if rows else f"there are no functions in {folder}")
        for name, why in found.others.items():
            click.echo(f"{name}: {why}", err=True)
        for fault in found.faults.values():
            click.echo(safe(fault), err=True)
    if found.faults:
        raise SystemExit(NOT_DONE)


@script.command("run")
@folder_option
@json_option
@click.option("--digits", default="", help="Typed by the caller, one after the other; ! hangs up. Without them you are asked.")
@click.option("--language", default="en", show_default=True, help="The caller's.")
@click.option("--caller", default="+34911222333", show_default=True, help="The caller's number.")
@click.argument("name")
@click.argument("parameters", nargs=-1, metavar="[KEY=TEXT | KEY:=VALUE]...")
def run_script(
    *,
    config: Path,
    directory: Path | None,
    is_json: bool,
    digits: str,
    language: str,
    caller: str,
    name: str,
    parameters: tuple[str, ...],
) -> None:
    """Run the function NAME (module.function) against a call that is played in the terminal.

    KEY=TEXT gives it a text, KEY:=VALUE a number, true or false. It really does what it does besides: a database that it
    writes is written.
    """
    folder, found = _read(config, directory)
    call = Call(parameters=dict(map(_parameter, parameters)), number=1, did="900", caller_number=caller, language=language)
    function = found.functions.get(name)
    kind = ScriptKind.WITH_CALL if function is None else function.kind
    line = Rehearsal(digits, more_digits=_typed if not digits and not is_json and sys.stdin.isatty() else lambda: "")
    if not is_json:
        line.on_said = lambda text: click.echo(f"says   {safe(str(text))}")
    loaded = ScriptFolder(lambda: folder)
    try:
        if kind is ScriptKind.WITH_CALL:
            result = line.run(loaded.function(name, kind), call)
            given: dict[str, object] = {"word": result.word, "values": result.values}
        else:
            given = {"values": read_answer(loaded.function(name, kind)(call))}
    except (NoSuchScript, BadResult) as fault:
        _failed(str(fault), line, is_json=is_json)
    except Exception as error:
        _failed(failure_line(error), line, is_json=is_json, trace=told_traceback(error, folder))
    finally:
        loaded.close()
    if is_json:
        click.echo(as_json({"ok": True, **given, **_heard(line)}))
    else:
        _show_refused(line)
        for key, value in given.items():
            click.echo(f"{key:<6} {safe(str(value)) if value not in ('', None) else 'none'}")


def _read(config: Path, directory: Path | None) -> tuple[Path, ScriptsFound]:
    # The settings are not judged: a wrong name in a flow is what one looks here for.
    folder = directory.absolute() if directory is not None else path_told(config, "scripts_dir")
    if folder is None:
        fail(f"{config} has no scripts_dir; name the folder with --dir", NOT_DONE)
    try:
        return folder, functions_in(folder)
    except Unsafe as fault:
        fail(str(fault), NOT_DONE)


def _parameter(text: str) -> tuple[str, Value]:
    key, is_given, value = text.partition("=")
    if not is_given or not key.removesuffix(":").isidentifier():
        raise click.UsageError(f"expected KEY=TEXT or KEY:=VALUE, got {safe(text)}")
    if not key.endswith(":"):
        return key, value
    if value in TRUTHS:
        return key[:-1], TRUTHS[value]
    try:
        return key[:-1], float(value)
    except ValueError:
        raise click.UsageError(f"expected a number, true or false after {safe(key)}=, got {safe(value)}") from None


def _typed() -> str:
    """A key of the person at the terminal; an empty line is none in time."""
    text = str(click.prompt("type a digit (! hangs up, Enter types none)", default="", show_default=False, err=True)).strip()
    return text[:1] if text[:1] in "0123456789*#!" else ""


def _heard(line: Rehearsal) -> dict[str, object]:
    return {"said": line.said, "commands": line.commands, "refused": line.refused}


def _show_refused(line: Rehearsal) -> None:
    for why in line.refused:
        click.echo(f"refused: {safe(why)}", err=True)


def _failed(reason: str, line: Rehearsal, *, is_json: bool, trace: str = "") -> None:
    if is_json:
        click.echo(as_json({"ok": False, "reason": reason, "traceback": trace, **_heard(line)}))
    else:
        _show_refused(line)
        for each in (trace or reason).splitlines():
            click.echo(safe(each), err=True)
    raise SystemExit(NOT_DONE)

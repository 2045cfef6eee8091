"""What IT staff use: `config`, `db`, `doctor`, `asterisk`, `reload`."""

from pathlib import Path
from typing import Any, cast

import click
from sqlalchemy.exc import SQLAlchemyError

from ccserver.cli.doctor import Finding, Surroundings, Verdict, examine, kernel_clock_is_synchronised
from ccserver.cli.root import root
from ccserver.cli.shared import (
    NOT_DONE,
    REFUSED,
    Place,
    as_json,
    at_a_place,
    config_option,
    fail,
    json_option,
    safe,
)
from ccserver.config import ConfigurationRejected, Problem, check, load
from ccserver.config.asterisk_files import BadAsteriskValue, render
from ccserver.config.difference import difference
from ccserver.config.shipped import examples
from ccserver.config.site_values import asterisk_values
from ccserver.control.client import ControlClient, DaemonNotRunning, MayNotAsk, NoAnswer, NotDone
from ccserver.control.protocol import ProtocolError
from ccserver.speech.trial import trouble
from ccserver.store.database import SchemaMismatch, Store
from ccserver.store.persons import require_keys
from ccserver.store.vault import NoMasterKey, Vault

FILE = click.Path(path_type=Path, dir_okay=False)


# --- configuration ----------------------------------------------------------------------------------------------------
@root.group()
def config() -> None:
    """The configuration: check a file, and see what it would change."""


@config.command("check")
@json_option
@click.argument("file", type=FILE)
def check_file(is_json: bool, file: Path) -> None:
    """Tell everything that is wrong with FILE, each with its place and its mend. Needs no daemon."""
    problems, warnings = check(file)
    if is_json:
        click.echo(as_json({"ok": not problems, "problems": problems, "warnings": warnings}))
    else:
        _show_problems(problems, warnings)
        if not problems:
            click.echo(f"{file}: good" + (f", with {len(warnings)} warnings" if warnings else ""))
    if problems:
        raise SystemExit(NOT_DONE)


def _show_problems(problems: list[Problem], warnings: list[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


@config.command("diff")
@config_option
@json_option
@click.argument("file", type=FILE)
def diff(config: Path, is_json: bool, file: Path) -> None:
    """Show what would change if FILE took the place of the present configuration, and what needs a restart."""
    try:
        change = difference(load(config), load(file))
    except ConfigurationRejected as rejected:
        _show_problems(rejected.problems, [])
        raise SystemExit(REFUSED) from None
    if is_json:
        click.echo(as_json(change))
    else:
        click.echo("\n".join(change.changes) or "nothing changes")


@config.command("example")
@json_option
@click.argument("name", required=False, metavar="[NAME]")
def example(is_json: bool, name: str | None) -> None:
    """Print the example NAME, to start from; without NAME list what there is."""
    there = examples()
    if name is None:
        click.echo(as_json({"examples": list(there)}) if is_json else "\n".join(there))
    elif name not in there:
        fail(f"there is no example {safe(name)}; there are: {', '.join(there)}", NOT_DONE)
    else:
        text = there[name].read_text()
        click.echo(as_json({"name": name, "text": text}) if is_json else text, nl=is_json)


@root.command()
@at_a_place
def reload(place: Place) -> None:
    """Have the daemon read its configuration again: all of it or nothing."""
    with place.daemon() as daemon:
        answer = cast(dict[str, Any], daemon.ask("reload"))
    place.show({"ok": True, **answer}, lambda: safe_lines(str(answer["text"])))


def safe_lines(text: str) -> str:
    return "\n".join(safe(line) for line in text.splitlines())


# --- database ---------------------------------------------------------------------------------------------------------
@root.group()
def db() -> None:
    """The database: its schema and its soundness."""


@db.command()
@config_option
@json_option
def upgrade(config: Path, is_json: bool) -> None:
    """Bring the schema to this version. What is there is kept; doing it twice does nothing. Stop the daemon first."""
    place = Place(config=config, socket=None, is_json=is_json)
    store = Store(place.configuration().edges.database.url)
    try:
        store.upgrade()
        revision = store.revision()
    except SQLAlchemyError as error:
        fail(f"the database cannot be upgraded: {error}", NOT_DONE)
    finally:
        store.close()
    place.show({"ok": True, "revision": revision}, lambda: f"the database has schema {revision}")


@db.command("check")
@config_option
@json_option
def check_database(config: Path, is_json: bool) -> None:
    """Check the schema's version, the file, and that the history agrees with itself. Reads all of it."""
    place = Place(config=config, socket=None, is_json=is_json)
    store = Store(place.configuration().edges.database.url)
    try:
        found = store.check()
    except SQLAlchemyError as error:
        fail(f"the database cannot be read: {error}", NOT_DONE)
    finally:
        store.close()
    place.show(
        {"ok": not found, "found": found},
        lambda: "\n".join(f"{each.what}\n  mend: {each.mend}" for each in found) or "the database is sound",
    )
    if found:
        raise SystemExit(NOT_DONE)


# --- doctor -----------------------------------------------------------------------------------------------------------
@root.command()
@at_a_place
def doctor(place: Place) -> None:
    """Find what is wrong with the installation, and say what mends it: ten checks. Changes nothing."""
    edges = place.configuration().edges

    def schema_trouble() -> str | None:
        try:
            store = Store(edges.database.url)
        except (OSError, SQLAlchemyError) as error:
            return f"the database cannot be opened: {error}"
        try:
            store.require_schema()
        except SchemaMismatch as error:
            return str(error)
        except SQLAlchemyError as error:
            return f"the database cannot be read: {error}"
        finally:
            store.close()
        return None

    def key_trouble() -> str | None:
        if schema_trouble() is not None:
            return None  # that is a check of its own
        store = Store(edges.database.url)
        try:
            with store.engine.connect() as connection:
                require_keys(connection, Vault.of(edges.privacy))
        except NoMasterKey as error:
            return str(error)
        finally:
            store.close()
        return None

    around = Surroundings(
        edges=edges,
        is_running=_answers(place.control_socket()),
        schema_trouble=schema_trouble,
        speech_trouble=lambda: trouble(edges),
        key_trouble=key_trouble,
        clock_is_synchronised=kernel_clock_is_synchronised,
    )
    findings: list[Finding] = []
    for finding in examine(around):
        findings.append(finding)
        if not place.is_json:
            click.echo(f"{finding.verdict.value:<8} {finding.check}: {safe(finding.seen)}")
            if finding.mend:
                click.echo(f"         mend: {finding.mend}")
    is_good = all(finding.verdict is Verdict.GOOD for finding in findings)
    if place.is_json:
        click.echo(as_json({"ok": is_good, "findings": findings}))
    if not is_good:
        raise SystemExit(NOT_DONE)


def _answers(path: Path) -> bool:
    try:
        with ControlClient(path, timeout_s=3.0) as client:
            client.ask("overview")
    except (DaemonNotRunning, MayNotAsk, NoAnswer, NotDone, ProtocolError):
        return False
    return True


# --- files for Asterisk -----------------------------------------------------------------------------------------------
@root.group()
def asterisk() -> None:
    """The files that Asterisk needs from us."""


@asterisk.command("render")
@config_option
@json_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For example /etc/asterisk/ccserver."
)
def render_files(config: Path, is_json: bool, out: Path) -> None:
    """Write the configuration files and dialplan for Asterisk, with the site's values put in."""
    place = Place(config=config, socket=None, is_json=is_json)
    try:
        configuration = place.configuration()
        written = render(asterisk_values(configuration.edges, configuration.settings.features), out)
    except (BadAsteriskValue, OSError) as error:
        fail(str(error), NOT_DONE)
    place.show({"ok": True, "written": written}, lambda: "\n".join(str(path) for path in written))
